"""What is wrong in a rules file while it is read: raised where it is found, told with its path.

The path is made of the notes that cattrs, and `each`, put to what is raised below them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Final

from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

from leadconvert.config._paths import GONE, Path
from leadconvert.errors import DefinitionError
from leadconvert.problems import mistake


__all__ = ["FollowsError", "a_list", "a_table", "below", "each", "misshapen", "single", "wrong"]

#: The forms of a file; what comes first is also what follows, to Python.
_FORMS: Final[Mapping[type, str]] = {
    NoneType: "nothing",
    str: "text",
    bool: "true or false",
    int: "whole number",
    Decimal: "number",
    datetime: "moment",
    date: "date",
    time: "time of day",
    list: "list",
    dict: "table",
}


class FollowsError(Exception):
    """Something cannot be read since a part of it could not be; that has been told."""


def wrong(code: str, **facts: object) -> DefinitionError:
    """Return what to raise where something is wrong; its path is found out later."""
    return DefinitionError([mistake(code, "", **facts)])


def misshapen(what: str, data: object) -> DefinitionError:
    """Return what to raise where *what* is needed and something else stands."""
    forms = (name for cls, name in _FORMS.items() if isinstance(data, cls))
    return wrong("wrong_shape", what=what, given=next(forms, type(data).__name__))


def a_table(data: object) -> dict[str, object]:
    """Return the table *data* without what is gone from it.

    Raises:
        DefinitionError: it is none.
    """
    if not isinstance(data, dict):
        raise misshapen("a table", data)
    return {key: one for key, one in data.items() if one is not GONE}


def a_list(data: object) -> list[tuple[int, object]]:
    """Return each item of the list *data* with its index, without what is gone from it.

    Raises:
        DefinitionError: it is none.
    """
    if not isinstance(data, list):
        raise misshapen("a list", data)
    return [(index, one) for index, one in enumerate(data) if one is not GONE]


def each(
    items: Iterable[tuple[int | str, object]], read: Callable[[object], object]
) -> list[object]:
    """Read every item; what is wrong with any of them is raised together, each with its step."""
    found: list[object] = []
    mistakes: list[Exception] = []
    for step, data in items:
        try:
            found.append(read(data))
        except Exception as error:  # noqa: BLE001 - a class of the host's may refuse with any
            error.add_note(IterableValidationNote("", step, object))
            mistakes.append(error)
    if mistakes:
        # the third is for cattrs' own __new__, which basedpyright does not see
        raise IterableValidationError("", mistakes, object)  # pyright: ignore[reportCallIssue]
    return found


def single(step: str, data: object, read: Callable[[object], object]) -> object:
    """Read what stands under one key; what is wrong there has its path."""
    [found] = each([(step, data)], read)
    return found


def below(error: Exception, path: Path = ()) -> Iterator[tuple[Path, Exception]]:
    """Yield each thing that is wrong with its path, in the order of the file."""
    if not isinstance(error, BaseValidationError):
        yield path, error
        return
    for one in error.exceptions:
        notes = getattr(one, "__notes__", ())
        step = next((_step(note) for note in notes if _step(note) is not None), None)
        if isinstance(one, ForbiddenExtraKeysError):
            for key in sorted(one.extra_fields):
                yield (*path, key), one
        else:
            yield from below(one, path if step is None else (*path, step))


def _step(note: object) -> int | str | None:
    if isinstance(note, IterableValidationNote):
        return note.index
    return note.name if isinstance(note, AttributeValidationNote) else None
