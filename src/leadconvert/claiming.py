"""Keys that a record holds once it is written, with whom the decision saw holding them."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from leadconvert.changes import Claim
from leadconvert.fields import Kind
from leadconvert.matching import MatchKey
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.values import Ref


__all__ = ["claims"]


def claims(
    rules: ConversionRules, kind: Kind, record: Record, there: Mapping[Ref, Record]
) -> Iterator[Claim]:
    """Yield the claims of a *record* of *kind*, given which records are *there*.

    Only keys are claimed by which a rule would find a record of that kind.

    Example:
        >>> import attrs
        >>> from leadconvert import Channel, Contact, MatchRule, Matching, presets
        >>> from leadconvert.claiming import claims
        >>> matching = Matching([MatchRule("contact", ["email"])])
        >>> rules = attrs.evolve(presets.bitrix24(), matching=matching)
        >>> ada = Contact(id="C-3", last_name="Lovelace", emails=[Channel("ada@example.com")])
        >>> [one.key.value for one in claims(rules, rules.kind("contact"), ada, {})]
        ['ada@example.com']
    """
    sorts = rules.matching.sorts(kind.id)
    keys = _keys(rules, kind, record, sorts) if sorts else frozenset[MatchKey]()
    if not keys:
        return
    same = {ref: one for ref, one in there.items() if ref.kind == kind.id}
    holders = {ref: _keys(rules, kind, one, sorts) for ref, one in same.items()}
    for key in sorted(keys):
        yield Claim(key, sorted((ref for ref, held in holders.items() if key in held), key=str))


def _keys(
    rules: ConversionRules, kind: Kind, record: Record, sorts: AbstractSet[str]
) -> frozenset[MatchKey]:
    return frozenset(one for one in rules.matching.keys(kind, record) if one.type in sorts)
