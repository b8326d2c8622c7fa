"""Records brought into a store as everything is: as a change set."""

from collections.abc import Iterable, Mapping

import attrs

from leadconvert.changes import ChangeSet, Insert, bind
from leadconvert.closing import referring
from leadconvert.given import expect, named
from leadconvert.kinds import Kind
from leadconvert.linking import there
from leadconvert.records import Record, held
from leadconvert.rules import ConversionRules
from leadconvert.values import attributes, digest


__all__ = ["said", "seed"]


def seed(records: Iterable[Record], *, rules: ConversionRules, key: str | None = None) -> ChangeSet:
    """Return the change set that inserts *records* as they are, whatever they refer to.

    Raises:
        TypeError: the rules have no kind of such a record, or are a preset not called.

    Example:
        >>> from leadconvert import Deal, presets, seed
        >>> changes = seed([Deal(id="D-5", title="Engine")], rules=presets.bitrix24())
        >>> [str(change.ref) for change in changes.changes]
        ['deal D-5']
    """
    expect(("rules", rules, ConversionRules))
    given = list(records)
    for record in given:
        if rules.kind_of(record) is None:
            raise TypeError(f"the rules have no kind of {named(type(record))}")
    by_ref = there(rules, given)
    new = {ref: attrs.evolve(ref, provisional=True) for ref in by_ref}
    changes: list[Insert] = []
    for ref, record in by_ref.items():
        kind = next(one for one in rules.every_kind if one.id == ref.kind)
        bound = {name: bind(one, new) for name, one in said(kind, record).items()}
        values = referring(kind, bound, set(new.values()))
        changes.append(Insert(new[ref], values))
    fingerprint = digest(("seed", [(str(ref), record) for ref, record in by_ref.items()]))
    return ChangeSet(key=key or f"seed/{fingerprint}", fingerprint=fingerprint, changes=changes)


def said(kind: Kind, record: Record) -> Mapping[str, object]:
    """Return what *record* says, blank or not: all but what its class would say anyway.

    Example:
        >>> from leadconvert import Deal
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.seeding import said
        >>> said(DEAL, Deal(id="D-5", title=""))
        {'title': ''}
    """
    if kind.cls is None:
        return record.custom
    own = attributes(kind.cls)
    return {
        name: value
        for name, value in held(record).items()
        if name not in own or value != own[name].default
    }
