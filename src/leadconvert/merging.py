"""Merging a lead's values into a record that exists: field by field, by a stated rule."""

import unicodedata
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import attrs

from leadconvert.fields import Field, FieldType
from leadconvert.values import Channel, is_empty


__all__ = ["CONFLICTS", "Conflict", "Merged", "Merger", "merged", "misfit"]


class Conflict(StrEnum):
    """Which value a field has after merging, where both the record and the lead have one.

    *fill* what is empty, and leave the rest; *keep* the record's, be it empty; *take* the lead's;
    *append* what is new to several values; the *longest* text; the *newest*, by the moment of the
    last change of lead and record: where either is not known, the record's.

    Example:
        >>> from leadconvert import Conflict
        >>> Conflict("fill") is Conflict.FILL
        True
    """

    FILL = "fill"
    KEEP = "keep"
    TAKE = "take"
    APPEND = "append"
    LONGEST = "longest"
    NEWEST = "newest"


#: The names that need no function of one's own.
CONFLICTS: Final = frozenset(conflict.value for conflict in Conflict)

#: What people write in more than one way.
_FREELY_WRITTEN: Final = frozenset({FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE})

#: Makes one value of the record's and the lead's, neither of them empty, nor both the same.
Merger = Callable[[object, object], object]


@attrs.frozen
class Merged:
    """What became of one field: its value, and the outcome for the lead's.

    Example:
        >>> from leadconvert.merging import Merged
        >>> Merged("Engine", "carried").outcome
        'carried'
    """

    value: object
    outcome: str


def merged(  # noqa: PLR0913 - what a rule may look at
    field: Field,
    old: object,
    new: object,
    *,
    by: str,
    mergers: Mapping[str, Merger],
    is_newer: bool,
) -> Merged:
    """Return what a *field* holds after merging the *new* value into the *old* one.

    *by* names a `Conflict` or one of the *mergers*; *is_newer* says that the lead was changed after
    the record.

    Raises:
        Exception: whatever a merger raises.

    Example:
        >>> from leadconvert import Field
        >>> from leadconvert.merging import merged
        >>> tags = Field("tags", "text", multiple=True)
        >>> merged(tags, ("a",), ("A ", "b"), by="append", mergers={}, is_newer=False).value
        ('a', 'b')
    """
    if is_empty(new) or old == new:
        return Merged(old, "already_there")
    value = _chosen(field, old, new, by, mergers, is_newer=is_newer)
    if not is_empty(value) and value != old:
        return Merged(value, "carried")
    return Merged(old, "already_there" if _same(field, old, new) else "unmerged")


def _chosen(  # noqa: PLR0911, PLR0913 - one line per rule, a table
    field: Field,
    old: object,
    new: object,
    by: str,
    mergers: Mapping[str, Merger],
    *,
    is_newer: bool,
) -> object:
    if by == Conflict.KEEP:
        return old
    if by == Conflict.APPEND:
        return _appended(field, old, new)
    if is_empty(old):
        return new
    match by:
        case Conflict.FILL:
            return old
        case Conflict.TAKE:
            return new
        case Conflict.LONGEST:
            return new if _length(new) > _length(old) else old
        case Conflict.NEWEST:
            return new if is_newer else old
        case _:
            return field.accept(mergers[by](old, new))


def _appended(field: Field, old: object, new: object) -> object:
    kept = [] if is_empty(old) else [*_several(old)]
    count, there = len(kept), {_normal(field, one) for one in kept}
    for one in _several(new):
        if (told := _normal(field, one)) not in there:
            there.add(told)
            kept.append(one)
    return tuple(kept) if len(kept) > count else old


def _several(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _length(text: object) -> int:
    """Return how much a text says, whatever the blanks in it."""
    return len(" ".join(str(text).split()))


def _same(field: Field, old: object, new: object) -> bool:
    """Whether the record has all that the lead has, however it is written."""
    there = {_normal(field, one) for one in _several(old)}
    return all(_normal(field, one) in there for one in _several(new))


def _normal(field: Field, value: object) -> object:
    """Return what stands for *value* where it is compared: text without size and outer blanks.

    Of an id, a file or a web address the size of letters tells which one it is.
    """
    told = value.value if isinstance(value, Channel) else value
    if not isinstance(told, str) or field.type not in _FREELY_WRITTEN:
        return told
    plain = " ".join(unicodedata.normalize("NFKC", told).casefold().split())
    if field.type is FieldType.PHONE:
        number = "".join(one for one in plain if one.isalnum() or one == "+") or plain
        return f"+{number[2:]}" if number.startswith("00") else number
    return plain


def misfit(field: Field, by: str) -> str | None:
    """Return why a *field* cannot be merged by a rule, or None if it can.

    Example:
        >>> from leadconvert import Field
        >>> from leadconvert.merging import misfit
        >>> misfit(Field("title", "text"), "append")
        'it holds one value'
    """
    if by == Conflict.APPEND and not field.multiple:
        return "it holds one value"
    if by == Conflict.LONGEST and (field.multiple or field.type is not FieldType.TEXT):
        return "it is no single text"
    return None
