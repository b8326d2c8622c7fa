"""How what belongs to a lead travels: activities, comments, files, memberships, as rules."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import cast

import attrs

from leadconvert.fields import MisfitError
from leadconvert.given import is_a
from leadconvert.kinds import Kind
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.values import FrozenMap, is_empty


__all__ = ["ChildRule", "Travel", "child_mistakes", "pointers"]


class Travel(StrEnum):
    """How a child travels to a record: it goes there, belongs there as well, or a copy of it does.

    Example:
        >>> from leadconvert import Travel
        >>> Travel("share") is Travel.SHARE
        True
    """

    MOVE = "move"
    COPY = "copy"
    SHARE = "share"


def _travel(value: str) -> Travel:
    """Return the member meant; a name of none is kept, to be told with all other mistakes."""
    return Travel(value) if value in list(Travel) else cast("Travel", value)


def _into(
    values: Mapping[str, str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, Travel], ...]:
    pairs = values.items() if isinstance(values, Mapping) else values
    return tuple((kind, _travel(travel)) for kind, travel in pairs)


def _close(values: Mapping[str, object]) -> Mapping[str, object]:
    return FrozenMap(values)


@attrs.frozen
class ChildRule:
    """How the children of one *kind* travel, when the lead that they belong to is converted.

    *kind* is a kind of its own, which nothing is converted into and which needs no
    `converted_from`. *into* says for kinds of targets how: ``{"deal": "move", "contact":
    "share"}``. A child moves to the first of the kinds, in this order, of which there is a target;
    it is shared with all targets, and copied for each. To a kind that is not named it does not
    travel; without any it stays with the lead, on purpose.

    *close* holds the values that an open child gets when the lead is closed, such as
    ``{"completed": True}``: whoever has them is closed. *asks* whether the actor must have the
    right to change each child (to make it, of a copy), and to read it.

    Raises:
        TypeError: *kind* is none.
        ValueError: *into* is no mapping.

    Example:
        >>> from leadconvert import ChildRule, Field, Kind
        >>> task = Kind("task", fields=[
        ...     Field("subject", "text", required=True),
        ...     Field("completed", "boolean"),
        ...     Field("lead_id", "reference", to="lead"),
        ...     Field("deal_id", "reference", to="deal"),
        ... ])
        >>> ChildRule(task, {"deal": "move"}, close={"completed": True}).into
        (('deal', <Travel.MOVE: 'move'>),)
    """

    kind: Kind = attrs.field(validator=is_a(Kind))
    #: Pairs, since their order says to which kind a child moves.
    into: tuple[tuple[str, Travel], ...] = attrs.field(default=(), converter=_into)
    close: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=_close, kw_only=True)
    asks: bool = attrs.field(default=True, kw_only=True)


def pointers(kind: Kind, to: str) -> tuple[str, ...]:
    """Return the fields of *kind* that point at records of the kind *to*.

    Example:
        >>> from leadconvert.children import pointers
        >>> from leadconvert.kinds import DEAL
        >>> pointers(DEAL, "contact")
        ('contact_ids',)
    """
    return tuple(name for name, field in kind.members.items() if field.to == to)


def child_mistakes(
    rules: Iterable[ChildRule], lead: Kind, kinds: Iterable[Kind]
) -> Iterator[Problem]:
    """Yield every child rule that names what there is not, or by which no child could travel.

    *lead* is the leads' kind, *kinds* are those one may convert into.

    Example:
        >>> from leadconvert import ChildRule, Field, Kind
        >>> from leadconvert.children import child_mistakes
        >>> from leadconvert.kinds import DEAL, LEAD
        >>> note = Kind("note", fields=[Field("lead_id", "reference", to="lead")])
        >>> print(*child_mistakes([ChildRule(note, {"dael": "move"})], LEAD, [DEAL]))
        child rule for note: there is no kind 'dael', did you mean 'deal'? (correct the name)
    """
    by_id, listed = {kind.id: kind for kind in kinds}, list(rules)
    taken = dict.fromkeys([lead.id, *by_id])
    yield from twice("kind", [*taken, *(rule.kind.id for rule in listed)], "children")
    for rule in listed:
        place = f"child rule for {rule.kind.id}"
        yield from _travel_mistakes(rule, by_id, place)
        yield from _close_mistakes(rule, place)
        for why in _why_not(rule, lead.id):
            yield mistake("bad_child_rule", place, why=why)


def _travel_mistakes(rule: ChildRule, kinds: Mapping[str, Kind], place: str) -> Iterator[Problem]:
    yield from twice("kind", [name for name, _ in rule.into], place)
    for name, travel in rule.into:
        if name not in kinds:
            yield unknown("kind", name, kinds, place)
            continue
        if travel not in list(Travel):
            yield unknown("travel", str(travel), list(Travel), place)
        if (why := _why_no_way(rule.kind, name, travel)) is not None:
            yield mistake("bad_child_rule", place, why=why)


def _why_no_way(kind: Kind, to: str, travel: Travel) -> str | None:
    """Say why no child of *kind* could belong to a record of the kind *to*, or None."""
    names = pointers(kind, to)
    if not names:
        return f"no field points at kind {to}"
    if len(names) > 1:
        return f"several fields point at kind {to}: {', '.join(names)}"
    if travel is Travel.SHARE and not kind.members[names[0]].multiple:
        return f"{names[0]} holds one {to} only; to share, make it multiple"
    return None


def _close_mistakes(rule: ChildRule, place: str) -> Iterator[Problem]:
    kind = rule.kind
    for name, value in rule.close.items():
        if name not in kind.members:
            yield unknown(f"field of {kind.id}", name, kind.members, place)
        elif kind.members[name].to is not None or name in (kind.stage, kind.pipeline):
            why = f"{name} is not to be set by closing"
            yield mistake("bad_child_rule", place, why=why)
        else:
            try:
                kind.members[name].accept(value)
            except MisfitError as misfit:
                yield mistake("bad_default", place, why=misfit.code)


def _why_not(rule: ChildRule, lead: str) -> Iterator[str]:
    """Say why a child could not belong to a lead, or not go on without it."""
    to_lead = pointers(rule.kind, lead)
    if not to_lead:
        yield f"no field points at kind {lead}"
    leaves = any(travel in (Travel.MOVE, Travel.COPY) for _, travel in rule.into)
    closing = [name for name, value in rule.close.items() if is_empty(value)]
    for name in (*(to_lead if leaves else ()), *closing):
        if name in rule.kind.members and rule.kind.members[name].required:
            yield f"{name} is required, and would be empty"
