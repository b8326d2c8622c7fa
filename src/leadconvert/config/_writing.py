"""Rules to plain data: what each class looks like in a file, without what goes without saying."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, get_args

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from leadconvert import (
    Action,
    ChildRule,
    Condition,
    ConversionRules,
    Field,
    FieldMapping,
    Kind,
    Matching,
    Option,
    Required,
    Scope,
    Stage,
    Target,
    Where,
)
from leadconvert.config._forms import CONDITIONS, LIKE, PARTS, STANDARD, TARGETS
from leadconvert.config._values import write_value
from leadconvert.config._versions import PRESENT
from leadconvert.config._wrong import wrong


__all__ = ["Writer"]

#: The order in which people name actions and scopes: the library's own.
_IN_ORDER: Final = {str(one): index for index, one in enumerate((*Action, *Scope))}
_UNITS: Final = {"days": 86_400_000_000, "hours": 3_600_000_000, "minutes": 60_000_000}


@attrs.define
class Writer:
    """Writes rules as plain data; with *dates* the format has dates of its own."""

    rules: ConversionRules
    dates: bool
    _named: dict[str, type] = attrs.field(factory=lambda: dict(STANDARD), init=False)
    _converter: Converter = attrs.field(init=False, repr=False)
    #: What writes the attributes of a class, but for those that are written by hand.
    _plain: dict[type, Callable[[Any], dict[str, object]]] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._converter = Converter(
            unstruct_collection_overrides={tuple: list, frozenset: _in_order},
        )
        # what is registered later comes first
        self._converter.register_unstructure_hook_factory(
            attrs.has,
            lambda cls: self._generic(cls),  # noqa: PLW0108 - cattrs counts arguments
        )
        hook = self._converter.register_unstructure_hook
        hook(str, str.__str__)  # of an enumeration, its text
        hook(timedelta, _span)
        hook(Option, _short(self._generic(Option)))
        hook(Stage, _short(self._generic(Stage)))
        hook(Required, self._generic(Required, fields=override(unstruct_hook=_one_or_several)))
        hook(Field, self._field)
        hook(Kind, self._kind)
        hook(ChildRule, self._child_rule)
        hook(Matching, self._matching)
        conditions = get_args(Condition)
        by_type = self._converter.register_unstructure_hook_func
        by_type(lambda cls: cls == Condition or cls in conditions, self._condition)
        by_type(lambda cls: isinstance(cls, type) and issubclass(cls, Target), self._target)

        by_hand = {Field: ("default",), Kind: ("cls",), FieldMapping: ("constant", "values")}
        self._plain = {
            cls: self._generic(cls, **dict.fromkeys(names, override(omit=True)))
            for cls, names in by_hand.items()
        }

    def data(self) -> dict[str, object]:
        """Return the rules as plain data.

        Raises:
            DefinitionError: they hold something that has no form in a file.
        """
        used = {one.transform for one in self.rules.mappings}
        merging = {one.conflict for one in self.rules.mappings}
        write = self._generic(
            ConversionRules,
            mappings=override(unstruct_hook=self._mappings),
            transforms=override(unstruct_hook=lambda named: _others(named, used)),
            mergers=override(unstruct_hook=lambda named: _others(named, merging)),
        )
        written = write(self.rules)
        said = ((one.name, written.get(one.name)) for one in attrs.fields(ConversionRules))
        always = {"kinds", "pipelines", "staged"}
        told = {name: one for name, one in said if one or (name in always and name in written)}
        return {"schema_version": PRESENT, **told}

    def _generic(self, cls: Any, /, **overrides: Any) -> Callable[[Any], dict[str, object]]:  # noqa: ANN401
        """Return what writes a class by its attributes, without those that are as they come."""
        write = make_dict_unstructure_fn(
            cls, self._converter, _cattrs_omit_if_default=True, **overrides
        )
        return lambda one: {name: told for name, told in write(one).items() if told is not None}

    def _value(self, value: object, field: Field | None) -> object:
        return write_value(value, None if field is None else field.type, dates=self.dates)

    def _values(self, values: Mapping[str, object], kind: Kind | None) -> dict[str, object]:
        members = {} if kind is None else kind.members
        return {name: self._value(value, members.get(name)) for name, value in values.items()}

    def _field(self, field: Field) -> dict[str, object]:
        told = self._plain[Field](field)
        if field.default is not None:
            told["default"] = self._value(field.default, field)
        return told

    def _kind(self, kind: Kind) -> dict[str, object]:
        """Write a kind as a standard one and what differs, wherever that reads back the same."""
        full = self._attributes(kind)
        standard = next((one for one in LIKE.values() if one.cls is kind.cls), None)
        if standard is None:
            return full
        own = {field.id: field for field in standard.fields}
        changed = [field for field in kind.fields if own.get(field.id) != field]
        if kind.fields != (*(own | {one.id: one for one in changed}).values(),):
            return full
        return self._difference(kind, standard, changed)

    def _attributes(self, kind: Kind) -> dict[str, object]:
        told = self._plain[Kind](kind)
        id_ = {"id": told.pop("id")}
        class_ = {} if kind.cls is None else {"class": self._class(kind.cls)}
        back = {} if kind.converted_from is not None else {"converted_from": False}
        return id_ | class_ | told | back

    def _difference(self, kind: Kind, standard: Kind, fields: Iterable[Field]) -> dict[str, object]:
        told: dict[str, object] = {"like": standard.id}
        for one in attrs.fields(Kind):
            value = getattr(kind, one.name)
            if not one.init or one.name == "cls" or value == getattr(standard, one.name):
                continue
            value = fields if one.name == "fields" else value
            written = self._converter.unstructure(tuple(value) if one.name == "fields" else value)
            told[one.name] = False if one.name in PARTS and value is None else written
        return told

    def _class(self, cls: type) -> str:
        if self._named.setdefault(cls.__name__, cls) is not cls:
            raise wrong("unwritable", what=f"class {cls.__name__}", why="another has that name")
        return cls.__name__

    def _child_rule(self, rule: ChildRule) -> dict[str, object]:
        told: dict[str, object] = {"kind": self._kind(rule.kind)}
        if rule.into:
            told["into"] = {kind: str(how) for kind, how in rule.into}
        if rule.close:
            told["close"] = self._values(rule.close, rule.kind)
        return told if rule.asks else {**told, "asks": False}

    def _mappings(self, mappings: Iterable[FieldMapping]) -> list[object]:
        """Write the mappings in their order; those that say nothing special stand together."""
        found: list[object] = []
        for plain, run in groupby(mappings, key=_plainly):
            several = [*run]
            if plain is None or (len(several) == 1 and plain != "leave"):
                found += map(self._mapping, several)
            elif plain == "leave":
                found.append({"leave": [one.source for one in several]})
            else:
                found.append({"kind": several[0].kind, "same": [one.source for one in several]})
        return found

    def _mapping(self, mapping: FieldMapping) -> dict[str, object]:
        kind = self.rules.kind(str(mapping.kind))
        field = None if kind is None else kind.members.get(str(mapping.target))
        told = self._plain[FieldMapping](mapping)
        if mapping.target == mapping.source:
            told.pop("target", None)
        if mapping.constant is not None:
            told["constant"] = self._value(mapping.constant, field)
        if mapping.values:
            told["values"] = {key: self._value(one, field) for key, one in mapping.values.items()}
        return told

    def _matching(self, matching: Matching) -> dict[str, object]:
        normalizer = override(unstruct_hook=self._normalizer)
        same = override(unstruct_hook=lambda function: function and function.__name__)
        rules = override(unstruct_hook=lambda rules: [self._match_rule(one) for one in rules])
        return self._generic(Matching, normalizer=normalizer, same=same, rules=rules)(matching)

    def _match_rule(self, rule: Any) -> dict[str, object]:  # noqa: ANN401
        by = override(unstruct_hook=lambda by: [_in_order(one) for one in by])
        return self._generic(type(rule), by=by)(rule)

    def _normalizer(self, normalizer: object) -> object:
        name = self._class(type(normalizer))
        told = self._generic(type(normalizer))(normalizer)
        return {"class": name, **told} if told else name

    def _condition(self, condition: Condition) -> object:
        if isinstance(condition, Where):
            field = self.rules.lead.members.get(condition.field)
            value = [] if condition.value is None else [self._value(condition.value, field)]
            return [condition.field, condition.comparison.value, *value]
        [key] = [key for key, cls in CONDITIONS.items() if type(condition) is cls]
        [inner] = attrs.astuple(condition, recurse=False)
        held = [self._condition(one) for one in inner] if isinstance(inner, tuple) else None
        return {key: self._condition(inner) if held is None else held}

    def _target(self, target: Target) -> object:
        [way] = [way for way, cls in TARGETS.items() if type(target) is cls]
        told: dict[str, object] = {way: target.kind}
        told |= {
            name: one
            for name in ("id", "revision")
            if (one := getattr(target, name, None)) is not None
        }
        if target.values:
            told["values"] = self._values(target.values, self.rules.kind(target.kind))
        return target.kind if told == {"find": target.kind} else told


def _plainly(mapping: FieldMapping) -> str | None:
    """Return what a mapping that says nothing special has in common with others: its kind."""
    if mapping == FieldMapping.leave(str(mapping.source)):
        return "leave"
    if mapping.source is not None and mapping == FieldMapping(mapping.source, mapping.kind):
        return f"same {mapping.kind}"
    return None


def _short(write: Callable[[Any], dict[str, object]]) -> Callable[[Any], object]:
    def shortest(one: Any) -> object:  # noqa: ANN401
        told = write(one)
        return one.id if [*told] == ["id"] else told

    return shortest


def _others(named: Iterable[tuple[str, object]], used: AbstractSet[str | None]) -> list[str]:
    return [name for name, _ in named if name not in used]


def _in_order(names: Iterable[str]) -> object:
    """Write a set: one alone as it is, several in the order in which people name them."""
    return _one_or_several(sorted(map(str, names), key=lambda name: (_IN_ORDER.get(name, 0), name)))


def _one_or_several(names: Iterable[str]) -> object:
    several = [str(one) for one in names]
    return several[0] if len(several) == 1 else several


def _span(span: timedelta) -> dict[str, int]:
    """Write a span of time exactly, in the largest units."""
    rest, told = span // timedelta(microseconds=1), {}
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        told[unit] = count
    told["seconds"], told["microseconds"] = divmod(rest, 1_000_000)
    return {unit: count for unit, count in told.items() if count} or {"days": 0}
