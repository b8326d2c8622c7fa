"""Keys by which a record was sought, with whom the decision saw holding them."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from leadconvert.changes import Claim
from leadconvert.kinds import Kind
from leadconvert.matching import MatchKey
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.values import Ref


__all__ = ["claims"]


def claims(
    rules: ConversionRules,
    kind: Kind,
    record: Record,
    sought: AbstractSet[MatchKey],
    there: Mapping[Ref, Record],
) -> Iterator[Claim]:
    """Yield the claims of a *record* of *kind*, given which records are *there*.

    Only keys are claimed by which it was *sought*: of others nobody has looked who holds them.

    Example:
        >>> from leadconvert import Channel, Contact, MatchKey, presets
        >>> from leadconvert.claiming import claims
        >>> rules, email = presets.bitrix24(), MatchKey("email", "ada@example.com")
        >>> ada = Contact(id="C-3", last_name="Lovelace", emails=[Channel("ada@example.com")])
        >>> [one.key.value for one in claims(rules, rules.kind("contact"), ada, {email}, {})]
        ['ada@example.com']
    """
    keys = sought & rules.matching.keys(kind, record) if sought else frozenset[MatchKey]()
    if not keys:
        return
    same = {ref: one for ref, one in there.items() if ref.kind == kind.id}
    holders = {ref: rules.matching.keys(kind, one) for ref, one in same.items()}
    for key in sorted(keys):
        yield Claim(key, sorted((ref for ref, held in holders.items() if key in held), key=str))
