"""The small forms in a rules file: what stands for what, and how a table is read key by key."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast, get_args, get_origin

from leadconvert import AllOf, AnyOf, Create, Field, FieldType, Find, Kind, Link, Merge, Not
from leadconvert.config._wrong import a_table, each, misshapen, wrong
from leadconvert.errors import DefinitionError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.problems import no_choice, unknown


__all__ = [
    "CONDITIONS",
    "HEADS",
    "LIKE",
    "PARTS",
    "STANDARD",
    "TARGETS",
    "UNITS",
    "Readers",
    "apply",
    "as_it_is",
    "choice",
    "each_key",
    "exactly",
    "is_a",
    "like",
    "member",
    "no_nothing",
    "part",
    "span",
    "type_of",
]

#: The kinds that others may start from, and the classes that need not be bound.
LIKE: Final[Mapping[str, Kind]] = {kind.id: kind for kind in (LEAD, CONTACT, COMPANY, DEAL)}
STANDARD: Final = {kind.cls.__name__: kind.cls for kind in LIKE.values() if kind.cls is not None}
#: The parts that fields of a kind may play; ``false`` says that none does.
PARTS: Final = ("name", "owner", "opened", "pipeline", "stage", "converted_from")
#: How conditions and targets are told apart, by a key of their own.
CONDITIONS: Final = {"all_of": AllOf, "any_of": AnyOf, "not": Not}
TARGETS: Final = {"find": Find, "create": Create, "link": Link, "merge": Merge}
UNITS: Final = ("weeks", "days", "hours", "minutes", "seconds", "microseconds")
#: What a file says about itself.
HEADS: Final = ("schema_version", "$schema")
#: What reads each key of a table.
Readers = Mapping[str, Callable[[object], object]]

_ABSENT: Final = object()


def each_key(
    table: Mapping[str, object], readers: Readers, needed: Iterable[str] = ()
) -> dict[str, object]:
    """Read each key of a table by its own reader; tell what is unknown, and what is missing."""

    def read(pair: object) -> object:
        key, data = cast("tuple[str, object]", pair)
        if data is _ABSENT:
            raise KeyError(key)
        if key not in readers:
            raise DefinitionError([unknown("key", key, readers, "")])
        return no_nothing(data) if data is None else readers[key](data)

    absent = dict.fromkeys((key for key in needed if key not in table), _ABSENT)
    every = {**table, **absent}
    return dict(
        zip(every, each(((key, (key, one)) for key, one in every.items()), read), strict=True)
    )


def apply(pair: object) -> object:
    """Read data by a reader, both of them a pair."""
    read, data = cast("tuple[Callable[[object], object], object]", pair)
    return read(data)


def as_it_is(data: object, _: object = None) -> object:
    """Return what has been read already."""
    return data


def no_nothing(data: object) -> object:
    """Refuse null."""
    raise misshapen("a value", data)


def is_a(origin: type, cls: object) -> bool:
    """Tell whether a type is a collection of that origin."""
    return get_origin(cls) is origin and (origin is not Mapping or object not in get_args(cls))


def exactly(data: object, cls: type) -> object:
    """Read text, a whole number or a boolean."""
    if type(data) is not cls:
        names = {str: "text", int: "a whole number", bool: "true or false"}
        raise misshapen(names[cls], data)
    return data


def choice(data: object, cls: type[StrEnum]) -> StrEnum:
    """Read a member of an enumeration by its name."""
    name = cast("str", exactly(data, str))
    choices = {one.value: one for one in cls}
    if name not in choices:
        what = _words(cls.__name__)
        raise DefinitionError([no_choice(what, name, choices, "")])
    return choices[name]


def _words(name: str) -> str:
    """Return the name of a class as words."""
    return "".join(f" {one.lower()}" if one.isupper() else one for one in name).strip()


def span(data: object) -> timedelta:
    """Read a span of time."""
    readers = dict.fromkeys(UNITS, lambda one: exactly(one, int))
    found = cast("dict[str, int]", each_key(a_table(data), readers))
    try:
        return timedelta(**found)
    except OverflowError:
        raise wrong("bad_value", why="that is longer than can be counted") from None


def part(data: object) -> object:
    """Read which field plays a part; ``false`` for none."""
    return None if data is False else exactly(data, str)


def like(data: object) -> Kind:
    """Read the name of a standard kind."""
    name = cast("str", exactly(data, str))
    if name not in LIKE:
        raise DefinitionError([unknown("standard kind", name, LIKE, "")])
    return LIKE[name]


def member(kind: Kind | None, name: object) -> Field | None:
    """Return the field of a kind that a name stands for, or None."""
    return kind.members.get(name) if kind is not None and isinstance(name, str) else None


def type_of(field: Field | None) -> FieldType | None:
    """Return the type of a field, None where there is none."""
    return None if field is None else field.type
