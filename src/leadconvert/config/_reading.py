"""Plain data to the parts of rules: what each class looks like in a file, read by cattrs."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from leadconvert import (
    ChildRule,
    Comparison,
    Condition,
    ConversionRules,
    Field,
    FieldMapping,
    FieldType,
    Find,
    Kind,
    Link,
    Matching,
    Merge,
    Option,
    Required,
    Stage,
    Target,
    Travel,
    Where,
)
from leadconvert.config._forms import (
    CONDITIONS,
    HEADS,
    PARTS,
    STANDARD,
    TARGETS,
    Readers,
    apply,
    as_it_is,
    choice,
    each_key,
    exactly,
    is_a,
    like,
    member,
    no_nothing,
    part,
    span,
    type_of,
)
from leadconvert.config._paths import GONE
from leadconvert.config._values import read_value
from leadconvert.config._wrong import FollowsError, a_list, a_table, each, single, wrong
from leadconvert.kinds import LEAD
from leadconvert.problems import did_you_mean


__all__ = ["Bound", "Reader"]


@attrs.frozen(kw_only=True)
class Bound:
    """What the names in a file stand for."""

    transforms: Mapping[str, Callable[[object], object]]
    mergers: Mapping[str, Callable[[object, object], object]]
    classes: Mapping[str, type]
    functions: Mapping[str, Callable[..., object]]


@attrs.define
class Reader:
    """Reads the parts of rules; what it has read of kinds says how to read values."""

    bound: Bound
    lead: Kind = attrs.field(default=LEAD, init=False)
    kinds: dict[str, Kind] = attrs.field(factory=dict, init=False)
    #: Where each mapping stands within the list.
    origins: list[tuple[int | str, ...]] = attrs.field(factory=list, init=False)
    made: list[FieldMapping] = attrs.field(factory=list, init=False)
    converter: Converter = attrs.field(init=False, repr=False)
    _plain: dict[type, Callable[[object, object], object]] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.converter = Converter(forbid_extra_keys=True)
        hook = self.converter.register_structure_hook
        for cls in (str, int, bool):
            hook(cls, exactly)
        hook(StrEnum, choice)
        hook(timedelta, lambda data, _: span(data))
        hook(Field, lambda data, _: self._field(data))
        hook(Kind, lambda data, _: self._kind(data))
        hook(ChildRule, lambda data, _: self._child_rule(data))
        hook(Target, lambda data, _: self._target(data))
        self.converter.register_structure_hook_func(
            lambda cls: {*get_args(cls)} - {NoneType} == {*get_args(Condition)},
            lambda data, _: self._condition(data),
        )
        for origin, read in ((tuple, self._several), (frozenset, self._some), (Mapping, self._map)):
            self.converter.register_structure_hook_func(partial(is_a, origin), read)
        self.converter.register_structure_hook_func(lambda cls: cls in (object, Any), as_it_is)
        self.converter.register_structure_hook_factory(
            lambda cls: (
                attrs.has(cls) and cls not in (Field, Kind, Option, Stage, ChildRule, Target)
            ),
            lambda cls: self._generic(cls),  # noqa: PLW0108 - cattrs counts arguments
        )
        # what is made of the types of attributes, now that they are all known
        hook(Option, partial(self._short, generic=self._generic(Option)))
        hook(Stage, partial(self._short, generic=self._generic(Stage)))
        one_or_several = override(
            struct_hook=lambda data, _: (data,) if isinstance(data, str) else self._texts(data)
        )
        hook(Required, self._generic(Required, fields=one_or_several))
        by_name = {
            "normalizer": override(struct_hook=lambda data, _: self._normalizer(data)),
            "same": override(struct_hook=lambda data, _: self._bound(data, "function")),
        }
        hook(Matching, self._generic(Matching, **by_name))
        self._plain = {cls: self._generic(cls) for cls in (Field, FieldMapping)}

    def rules(self, data: object) -> dict[str, object]:
        """Read what `ConversionRules` are made of."""
        self.origins, self.made = [], []
        table = a_table(data)
        hints = get_type_hints(ConversionRules)
        own = [one.name for one in attrs.fields(ConversionRules) if one.init]
        readers: dict[str, Callable[[object], object]] = {
            name: partial(self._read, hints[name]) for name in own
        }
        readers |= dict.fromkeys(HEADS, lambda data: data)
        readers |= {
            "mappings": self._mappings,
            "transforms": partial(self._listed, "transform"),
            "mergers": partial(self._listed, "merger"),
        }
        heads: tuple[str, ...] = ("lead", "kinds")
        first = {name: table[name] for name in heads if name in table}
        found = each_key(first, readers)
        self.lead = cast("Kind", found.get("lead", LEAD))
        self.kinds = {kind.id: kind for kind in cast("tuple[Kind, ...]", found.get("kinds", ()))}
        rest = {name: one for name, one in table.items() if name not in first}
        missing = [name for name in ("kinds", "pipelines") if name not in table]
        found |= each_key(rest, readers, needed=missing)
        used: dict[str, list[str | None]] = {
            "transforms": [one.transform for one in self.made],
            "mergers": [one.conflict for one in self.made],
        }
        for what, by_mappings in used.items():
            there = getattr(self.bound, what)
            listed = cast("Iterable[str]", found.get(what, ()))
            names = [name for name in there if name in by_mappings or name in listed]
            found[what] = {name: there[name] for name in names}
        return {name: one for name, one in found.items() if name not in HEADS}

    # -- what every class has in common -----------------------------------------------------------

    def _read(self, cls: Any, data: object) -> object:  # noqa: ANN401
        return self.converter.structure(data, cls)

    def _generic(self, cls: Any, **overrides: Any) -> Callable[[object, object], object]:  # noqa: ANN401
        """Return what reads a class by the types of its attributes."""
        read = make_dict_structure_fn(
            cls, self.converter, _cattrs_forbid_extra_keys=True, **overrides
        )
        hints = get_type_hints(cls)
        # an attribute that may be None, and has to be said in Python, may be left out here
        blank = {
            one.name: None
            for one in attrs.fields(cls)
            if one.init and one.default is attrs.NOTHING and NoneType in get_args(hints[one.name])
        }

        def hook(data: object, _: object) -> object:
            table = a_table(data)
            each(((key, one) for key, one in table.items() if one is None), no_nothing)
            return read({**blank, **table}, cls)

        return hook

    def _short(self, data: object, cls: Any, generic: Callable[..., object]) -> object:  # noqa: ANN401
        return cls(data) if isinstance(data, str) else generic(data, cls)

    def _several(self, data: object, cls: Any) -> tuple[object, ...]:  # noqa: ANN401
        return tuple(each(a_list(data), partial(self._read, get_args(cls)[0])))

    def _some(self, data: object, cls: Any) -> object:  # noqa: ANN401
        """Read one or several, in any order."""
        [one] = get_args(cls)
        if isinstance(data, str):
            return frozenset([self._read(one, data)])
        return frozenset(each(a_list(data), partial(self._read, one)))

    def _map(self, data: object, cls: Any) -> object:  # noqa: ANN401
        table = a_table(data)
        _, one = get_args(cls)
        return dict(zip(table, each(table.items(), partial(self._read, one)), strict=True))

    def _texts(self, data: object) -> tuple[object, ...]:
        return self._several(data, tuple[str, ...])

    # -- names that the host binds ----------------------------------------------------------------

    def _bound(self, data: object, what: str) -> Any:  # noqa: ANN401
        argument = {"class": "classes"}.get(what, f"{what}s")
        there: Mapping[str, object] = getattr(self.bound, argument)
        if what == "class":
            there = STANDARD | dict(there)
        name = cast("str", exactly(data, str))
        if name not in there:
            hint = did_you_mean(name, there)
            raise wrong("unbound", what=what, name=name, argument=argument, **hint)
        return there[name]

    def _listed(self, what: str, data: object) -> tuple[object, ...]:
        names = self._texts(data)
        each(enumerate(names), partial(self._bound, what=what))
        return names

    def _normalizer(self, data: object) -> object:
        table = {"class": data} if isinstance(data, str) else a_table(data)
        if "class" not in table:
            return each_key({}, {}, needed=("class",))
        cls = single("class", table.pop("class"), partial(self._bound, what="class"))
        if not attrs.has(cast("type", cls)):
            raise wrong("not_attrs", name=getattr(cls, "__qualname__", str(cls)))
        return self._generic(cls)(table, cls)

    # -- classes with a form of their own ---------------------------------------------------------

    def _field(self, data: object) -> object:
        table = a_table(data)
        if "default" in table:
            told = table.get("type")
            type_ = FieldType(told) if isinstance(told, str) and told in list(FieldType) else None
            read = partial(read_value, type_=type_)
            table["default"] = single("default", table["default"], read)
        return self._plain[Field](table, Field)

    def _kind(self, data: object) -> Kind:
        hints = get_type_hints(Kind)
        own = [one.name for one in attrs.fields(Kind) if one.init and one.name != "cls"]
        readers: dict[str, Callable[[object], object]] = {
            name: partial(self._read, hints[name]) for name in own
        }
        readers |= dict.fromkeys(PARTS, part)
        readers |= {"like": like, "class": partial(self._bound, what="class")}
        table = a_table(data)
        needed = () if "like" in table else ("id",)
        given = each_key(table, readers, needed=needed)
        if "class" in given:
            given["cls"] = given.pop("class")
        start = cast("Kind | None", given.pop("like", None))
        if start is None:
            return cast("Callable[..., Kind]", Kind)(**given)
        fields = cast("tuple[Field, ...]", given.get("fields", ()))
        merged = {field.id: field for field in (*start.fields, *fields)}
        twice = len({field.id for field in fields}) < len(fields)
        # what stands twice is for the kind to tell
        given["fields"] = [*start.fields, *fields] if twice else [*merged.values()]
        return cast("Callable[..., Kind]", attrs.evolve)(start, **given)

    def _child_rule(self, data: object) -> ChildRule:
        table = a_table(data)
        kind = single("kind", table["kind"], self._kind) if "kind" in table else None
        travel = partial(self._map, cls=Mapping[str, Travel])
        readers: Readers = {
            "kind": lambda _: kind,
            "into": travel,
            "close": partial(self._values, kind=cast("Kind | None", kind)),
            "asks": partial(self._read, bool),
        }
        given = each_key(table, readers, needed=("kind",))
        return cast("Callable[..., ChildRule]", ChildRule)(**given)

    def _mappings(self, data: object) -> tuple[FieldMapping, ...]:
        found: list[FieldMapping] = []
        self.origins = []
        items = a_list(data)
        for (index, _), made in zip(items, each(items, self._mapping), strict=True):
            for path, one in cast("list[tuple[tuple[int | str, ...], FieldMapping]]", made):
                found.append(one)
                self.origins.append((index, *path))
        self.made = found
        return tuple(found)

    def _mapping(self, data: object) -> list[tuple[tuple[int | str, ...], FieldMapping]]:
        table = a_table(data)
        for key, needed in (("same", ("kind",)), ("leave", ())):
            if key in table:
                readers: Readers = {name: partial(self._read, str) for name in needed}
                given = each_key(table, {**readers, key: self._texts}, needed=needed)
                kind = cast("str | None", given.get("kind"))
                names = cast("tuple[str, ...]", given[key])
                made = each(enumerate(names), partial(FieldMapping, kind=kind))
                return [((key, index), cast("FieldMapping", one)) for index, one in enumerate(made)]
        name, target = table.get("kind"), table.get("target", table.get("source"))
        field = member(self.kinds.get(name) if isinstance(name, str) else None, target)
        if "constant" in table:
            read = partial(read_value, type_=type_of(field))
            table["constant"] = single("constant", table["constant"], read)
        if "values" in table:
            table["values"] = single(
                "values", table["values"], partial(self._meanings, field=field)
            )
        return [((), cast("FieldMapping", self._plain[FieldMapping](table, FieldMapping)))]

    def _meanings(self, data: object, field: Field | None) -> dict[str, object]:
        table = a_table(data)
        found = each(table.items(), partial(read_value, type_=type_of(field)))
        return dict(zip(table, found, strict=True))

    def _values(self, data: object, kind: Kind | None) -> dict[str, object]:
        """Read values of a record of *kind*, each by the type of its field."""
        return {
            name: single(name, one, partial(read_value, type_=type_of(member(kind, name))))
            for name, one in a_table(data).items()
        }

    def _condition(self, data: object) -> Condition:
        if isinstance(data, list):
            return self._where(data)
        table = a_table(data)
        several = partial(self._read, tuple[Condition, ...])
        readers: Readers = {"all_of": several, "any_of": several, "not": self._condition}
        found = each_key(table, readers)
        if len(found) != 1:
            raise wrong("bad_value", why=f"a condition has one of {', '.join(CONDITIONS)}")
        [(key, one)] = found.items()
        return cast("Callable[..., Condition]", CONDITIONS[key])(one)

    def _where(self, data: list[object]) -> Where:
        if GONE in data:
            raise FollowsError
        if len(data) not in {2, 3}:
            raise wrong("bad_value", why="a condition is a field, a comparison, perhaps a value")
        name = data[0] if isinstance(data[0], str) else None
        readers = (
            partial(self._read, str),
            partial(self._read, Comparison),
            partial(read_value, type_=type_of(member(self.lead, name))),
        )
        parts = each(enumerate(zip(readers, data, strict=False)), apply)
        return cast("Callable[..., Where]", Where)(*parts)

    def _target(self, data: object) -> Target:
        if isinstance(data, str):
            return Find(data)
        table = a_table(data)
        ways = [key for key in TARGETS if key in table]
        if len(ways) != 1:
            raise wrong("bad_value", why=f"a target has one of {', '.join(TARGETS)}")
        [way] = ways
        cls, told = TARGETS[way], table[way]
        kind = self.kinds.get(told) if isinstance(told, str) else None
        text = partial(self._read, str)
        readers: dict[str, Callable[[object], object]] = dict.fromkeys(("id", "revision"), text)
        readers["values"] = partial(self._values, kind=kind)
        own = attrs.fields_dict(cls)
        readers = {way: text} | {name: one for name, one in readers.items() if name in own}
        needed = ("id",) if cls in (Link, Merge) else ()
        given = each_key(table, readers, needed=needed)
        return cast("Callable[..., Target]", cls)(given.pop(way), **given)
