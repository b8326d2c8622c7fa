"""What changed between two sets of rules, as plain rows, the most important first."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import Enum, IntEnum
from typing import Final

import attrs
from attrs import validators

from leadconvert.access import Grant
from leadconvert.automation import Automation, AutomationRule, WithoutLeads
from leadconvert.children import ChildRule
from leadconvert.columns import Column
from leadconvert.fields import Field, Option
from leadconvert.given import expect, is_a
from leadconvert.kinds import Kind
from leadconvert.limits import Limit
from leadconvert.losses import Leftovers
from leadconvert.mapping import FieldMapping
from leadconvert.matching import Exceptions, Matching, MatchRule
from leadconvert.owning import OwnerRule
from leadconvert.pipelines import Pipeline, Required, Stage
from leadconvert.policy import Policy, Role
from leadconvert.rules import ConversionRules
from leadconvert.values import attributes, freeze


__all__ = ["Difference", "diff"]


class _Weight(IntEnum):
    """How important a part of the rules is, the most important first."""

    RIGHTS = 0
    DATA = 1
    ACTS = 2
    SHAPE = 3
    FILES = 4
    LABELS = 5


@attrs.frozen
class Difference:
    """One difference: *what* happened, ``added``, ``removed`` or ``changed``, and where.

    *place* names a part of the rules, *attribute* what of it changed, if not all of it. *before*
    and *after* are plain: texts, numbers, lists, and mappings of what was said.

    Example:
        >>> from leadconvert import Difference
        >>> print(Difference("changed", "field deal.amount", "required", False, True))
        changed field deal.amount, required: false → true
    """

    what: str = attrs.field(validator=validators.in_(("added", "removed", "changed")))
    place: str = attrs.field(validator=is_a(str))
    attribute: str | None = None
    before: object = attrs.field(default=None, converter=freeze)
    after: object = attrs.field(default=None, converter=freeze)

    def __str__(self) -> str:
        where = self.place if self.attribute is None else f"{self.place}, {self.attribute}"
        match self.what:
            case "added":
                told = _told(self.after)
            case "removed":
                told = _told(self.before)
            case _:
                told = f"{_told(self.before)} → {_told(self.after)}"
        return f"{self.what} {where}: {told}"


def diff(a: ConversionRules, b: ConversionRules) -> tuple[Difference, ...]:
    """Return what changed from rules *a* to rules *b*: nothing exactly where they are equal.

    What changes rights comes first, then where data goes, then what is done (matching, owners,
    limits, children, automation), then what there is (kinds, fields, stages), then how tables are
    read, and labels last; in each the order of the rules. Where things stand in another order, that
    is a difference too. Functions and classes are compared by their names.

    Raises:
        TypeError: one of them are no rules, such as a preset that was not called.

    Example:
        >>> import attrs
        >>> from leadconvert import FieldMapping, diff, presets
        >>> before = presets.bitrix24()
        >>> mappings = [*before.mappings, FieldMapping.leave("observer_ids")]
        >>> for difference in diff(before, attrs.evolve(before, mappings=mappings)):
        ...     print(difference)
        added mapping observer_ids → nothing: source 'observer_ids'
    """
    expect(("a", a, ConversionRules), ("b", b, ConversionRules))
    rows = _parts(a, b, "rules", _Weight.ACTS)
    return tuple(row for _, row in sorted(rows, key=lambda weighed: weighed[0]))


#: A difference, and how important it is.
_Weighed = tuple[_Weight, Difference]
#: What stands in lists and is told apart by a name: what it is called, by its list's place.
_NAMED: Final[Mapping[type, Callable[..., str]]] = {
    Kind: lambda kind, _: f"kind {kind.id}",
    Field: lambda field, at: f"field {at.removeprefix('kind ')}.{field.id}",
    Option: lambda option, at: f"option {option.id} of {at}",
    Pipeline: lambda pipeline, _: f"pipeline {pipeline.id} of {pipeline.kind}",
    Stage: lambda stage, at: f"stage {stage.id} of {at}",
    FieldMapping: lambda mapping, _: f"mapping {_goes(mapping)}",
    Role: lambda role, _: f"role {role.id}",
    Leftovers: lambda kept, _: f"leftovers in {kept.kind}",
    AutomationRule: lambda rule, _: f"automation rule {rule.id}",
    ChildRule: lambda rule, _: f"child rule for {rule.kind.id}",
    Limit: lambda limit, _: f"limit for {limit.kind}",
    Column: lambda column, _: f"column {column}",
}
#: What stands in lists without a name of its own: it is there or it is not.
_NAMELESS: Final[Mapping[type, Callable[..., str]]] = {
    Grant: lambda _, at: at,
    Required: lambda _, at: at,
    MatchRule: lambda rule, _: f"match rule for {rule.kind}",
    OwnerRule: lambda rule, _: f"owner rule for {rule.kind}",
}
_CALLED: Final = {**_NAMED, **_NAMELESS}
#: What is looked into, and what it is called.
_PARTS: Final[Mapping[type, Callable[..., str]]] = {
    Policy: lambda _: "policy",
    Matching: lambda _: "matching",
    Exceptions: lambda _: "exceptions",
    Automation: lambda _: "automation",
    WithoutLeads: lambda _: "mode without leads",
    Kind: lambda kind: f"kind {kind.id}",
}
_WEIGHTS: Final[Mapping[str, _Weight]] = {
    "policy": _Weight.RIGHTS,
    "sensitive": _Weight.RIGHTS,
    "mappings": _Weight.DATA,
    "losses": _Weight.DATA,
    "leftovers": _Weight.DATA,
    "declined": _Weight.DATA,
    "mergers": _Weight.DATA,
    "transforms": _Weight.DATA,
    "lead": _Weight.SHAPE,
    "kinds": _Weight.SHAPE,
    "pipelines": _Weight.SHAPE,
    "columns": _Weight.FILES,
    "label": _Weight.LABELS,
}


def _goes(mapping: FieldMapping) -> str:
    if mapping.leaves_behind:
        return str(mapping)
    return f"→ {mapping.kind}.{mapping.target}"


def _parts(a: object, b: object, place: str, weight: _Weight) -> Iterator[_Weighed]:
    """Yield how two values of a class differ, attribute by attribute."""
    for name, attribute in attributes(type(a)).items():
        before, after = getattr(a, name), getattr(b, name)
        if attribute.eq and before != after:
            yield from _attribute(before, after, place, name, _WEIGHTS.get(name, weight))


def _attribute(
    before: object, after: object, place: str, name: str, weight: _Weight
) -> Iterator[_Weighed]:
    part = _PARTS.get(type(after if before is None else before))
    if isinstance(before, tuple) and isinstance(after, tuple) and _are(_CALLED, before, after):
        yield from _lists(before, after, place, name, weight)
    elif name in {"transforms", "mergers"}:
        yield from _functions(before, after, name.removesuffix("s"), weight)
    elif part is None or type(before) is not type(after):
        yield from _whole(before, after, place, name, weight)
    else:
        yield from _parts(before, after, part(after), weight)


def _are(classes: Mapping[type, object], *lists: tuple[object, ...]) -> bool:
    return all(type(item) in classes for items in lists for item in items)


def _whole(
    before: object, after: object, place: str, name: str, weight: _Weight
) -> Iterator[_Weighed]:
    """Yield that a value is another, or is there or not, unless it is a function of that name."""
    part = _PARTS.get(type(after if before is None else before))
    if part is not None and before is None:
        yield weight, Difference("added", part(after), after=_plain(after))
    elif part is not None and after is None:
        yield weight, Difference("removed", part(before), before=_plain(before))
    elif not callable(before) or isinstance(before, type) or _plain(before) != _plain(after):
        yield weight, Difference("changed", place, name, _plain(before), _plain(after))


def _functions(before: object, after: object, what: str, weight: _Weight) -> Iterator[_Weighed]:
    assert isinstance(before, tuple)  # noqa: S101 - pairs of names and functions
    assert isinstance(after, tuple)  # noqa: S101
    old = {str(name): _plain(function) for name, function in before}
    new = {str(name): _plain(function) for name, function in after}
    for name in sorted({*old, *new}):
        place = f"{what} {name}"
        if name not in new:
            yield weight, Difference("removed", place, before=old[name])
        elif name not in old:
            yield weight, Difference("added", place, after=new[name])
        elif old[name] != new[name]:
            yield weight, Difference("changed", place, None, old[name], new[name])


def _lists(
    before: tuple[object, ...], after: tuple[object, ...], place: str, name: str, weight: _Weight
) -> Iterator[_Weighed]:
    """Yield what left a list, what came, what is another, and whether the rest changed places."""
    known: list[object] = []
    old, new = _keyed(before, place, known), _keyed(after, place, known)
    for key, item in old.items():
        if key not in new:
            called, attribute = _called(item, place, name)
            yield weight, Difference("removed", called, attribute, before=_plain(item))
    for key, item in new.items():
        called, attribute = _called(item, place, name)
        if key in old:
            yield from _parts(old[key], item, called, weight)
        else:
            yield weight, Difference("added", called, attribute, after=_plain(item))
    stayed = [[key for key in keys if key in old and key in new] for keys in (old, new)]
    if stayed[0] != stayed[1]:
        moved = _between(*([_listed(old[key], place) for key in keys] for keys in stayed))
        yield weight, Difference("changed", place, f"order of {name}", *moved)


def _between(before: list[object], after: list[object]) -> Iterator[object]:
    """Yield both lists without what stands at their beginnings and ends as before."""
    same = [one == other for one, other in zip(before, after, strict=True)]
    start, end = same.index(False), len(same) - same[::-1].index(False)
    yield from (tuple(before[start:end]), tuple(after[start:end]))


def _keyed(items: tuple[object, ...], place: str, known: list[object]) -> dict[object, object]:
    """Return *items* by their names, or by what they are: the first, second, ... of these.

    *known* collects what has no name.
    """
    found: dict[object, object] = {}
    count: Counter[object] = Counter()
    for item in items:
        if type(item) in _NAMED:
            key: object = _NAMED[type(item)](item, place)
        else:
            if item not in known:
                known.append(item)
            key = known.index(item)
        count[key] += 1
        found[key, count[key]] = item
    return found


def _called(item: object, place: str, name: str) -> tuple[str, str | None]:
    """Return what *item* of a list is called; where that is the list's place also its *name*."""
    called = _CALLED[type(item)](item, place)
    return called, name if called == place else None


def _listed(item: object, place: str) -> object:
    return _NAMED[type(item)](item, place) if type(item) in _NAMED else _plain(item)


def _plain(value: object) -> object:  # noqa: PLR0911 - one line per type, a table
    """Return *value* as texts, numbers, days, lists, and mappings of what was said in it."""
    match value:
        case Enum():
            return value.value
        case timedelta():
            return str(value)
        case tuple():
            return tuple(map(_plain, value))
        case frozenset():
            return tuple(sorted(map(str, value)))
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case _ if callable(value) and hasattr(value, "__qualname__"):
            return f"{value.__module__}.{value.__qualname__}"
        case _ if attrs.has(type(value)):
            return {name: _plain(item) for name, item in _said(value)}
        case _:
            return value


def _said(value: object) -> Iterator[tuple[str, object]]:
    """Yield what was said in a value of ours: what is not as it is where nothing is said."""
    for name, attribute in attributes(type(value)).items():
        item = getattr(value, name)
        default: object = attribute.default
        make = getattr(default, "factory", None)
        if make is not None:
            default = make(value) if getattr(default, "takes_self", False) else make()
        if attribute.eq and attribute.init and item is not None and item != default:
            yield name, item


def _told(value: object) -> str:
    """Return *value* as a person reads it."""
    if value is None or value in ((), "", {}):
        return "nothing"
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value)
        case tuple():
            return ", ".join(f"({_told(one)})" if _is_map(one) else _told(one) for one in value)
        case Mapping():
            return ", ".join(
                f"{name} ({_told(item)})" if _is_map(item) else f"{name} {_told(item)}"
                for name, item in value.items()
            )
        case _:
            return str(value)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)
