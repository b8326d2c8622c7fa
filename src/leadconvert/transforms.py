"""The transforms that all rules know by name: what each makes of one value."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from leadconvert.templates import worded
from leadconvert.values import Address


__all__ = ["SPLITTING", "TRANSFORMS", "Transform"]

#: Turns one value into another, looking at nothing else.
Transform = Callable[[object], object]


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) else value


def _join(value: object) -> object:
    return worded(value)


def _strip(value: object) -> object:
    return str(value).strip()


def _lower(value: object) -> object:
    return str(value).lower()


def _upper(value: object) -> object:
    return str(value).upper()


def _given_name(value: object) -> object:
    return _names(str(value))[0]


def _family_name(value: object) -> object:
    return _names(str(value))[1]


def _names(full: str) -> tuple[str, str]:
    """Split a full name: "Lovelace, Ada", or the family's last with what is small before it."""
    family, comma, given = (part.strip() for part in full.partition(","))
    if comma and (given or family):
        return given, family
    words = full.split()
    start = max(len(words) - 1, 0)
    while start and words[start - 1].islower() and not words[-1].islower():
        start -= 1  # van, de la, von der
    return " ".join(words[:start]), " ".join(words[start:])


def _part(name: str) -> Transform:
    def part(value: object) -> object:
        return getattr(value, name) if isinstance(value, Address) else None

    return part


_PARTS: Final = {one.name: _part(one.name) for one in attrs.fields(Address)}
#: Those that take only a part of a value.
SPLITTING: Final = frozenset({"given_name", "family_name", *_PARTS})

#: The transforms that every set of rules knows by name.
TRANSFORMS: Final[Mapping[str, Transform]] = {
    "first": _first,
    "join": _join,
    "lower": _lower,
    "strip": _strip,
    "upper": _upper,
    "given_name": _given_name,
    "family_name": _family_name,
    **_PARTS,
}
