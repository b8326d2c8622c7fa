"""Reading the forms of JSON strictly: every mistake at once, without the value that is wrong."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from cattrs import Converter, transform_error
from cattrs.errors import (
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)

from leadconvert.errors import LeadConvertError
from leadconvert.given import named
from leadconvert.problems import did_you_mean


__all__ = [
    "COLLECTIONS",
    "INEXACT",
    "Read",
    "an_object",
    "collection",
    "day",
    "decimal",
    "each",
    "exactly",
    "moment",
    "of_objects",
    "parsed",
    "structured",
    "told",
]

T = TypeVar("T")
#: Reads data, or raises.
Read = Callable[[object], object]

#: What a list may be read as.
COLLECTIONS: Final[Mapping[object, Callable[[Iterable[object]], object]]] = {
    tuple: tuple,
    list: list,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
    AbstractSet: frozenset,
}
INEXACT: Final = "a float is not exact: write it as text, or read with parse_float=Decimal"
#: The forms of JSON; a boolean stands before the numbers, since to Python it is one.
_NAMES: Final[Mapping[type, str]] = {
    NoneType: "null",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a float",
    Decimal: "a number",
    list: "a list",
    dict: "an object",
}


def structured(converter: Converter, data: object, cls: type[T]) -> T:
    """Return *data* as a value of *cls*, or refuse it with all mistakes, each with its place.

    Raises:
        ValueError: the data is none of that class.

    Example:
        >>> from cattrs import Converter
        >>> from leadconvert.reading import structured
        >>> structured(Converter(), "7", int)
        7
    """
    try:
        return converter.structure(data, cls)
    except Exception as error:  # a class of the host's may refuse with any
        raise ValueError("\n".join(transform_error(error, format_exception=_sentence))) from error


def _sentence(error: BaseException, cls: type | None) -> str:
    """Tell what is wrong, without the value that is."""
    del cls
    match error:
        case ForbiddenExtraKeysError():
            known = get_type_hints(error.cl)
            return ", ".join(_no_key(key, known) for key in sorted(error.extra_fields))
        case KeyError():
            return "required field missing"
        case LeadConvertError():
            return str(error)
        case _:
            return str(error.args[0] if error.args else type(error).__name__)


def _no_key(key: str, known: Iterable[str]) -> str:
    guess = did_you_mean(key, known).get("did_you_mean")
    return f"there is no {key!r}" + (f", did you mean {guess!r}?" if guess else "")


def each(items: Iterable[tuple[int | str, object, Read]]) -> list[object]:
    """Read every item, or refuse with all mistakes, each with the index or key of its item."""
    found: list[object] = []
    mistakes: list[Exception] = []
    for key, data, read in items:
        try:
            found.append(read(data))
        except Exception as error:  # noqa: BLE001 - a class of the host's may refuse with any
            error.add_note(IterableValidationNote(f"at {key!r}", key, object))
            mistakes.append(error)
    if mistakes:
        # the third is for cattrs' own __new__, which basedpyright does not see
        raise IterableValidationError("unread", mistakes, object)  # pyright: ignore[reportCallIssue]
    return found


def collection(cls: Any, converter: Converter) -> Callable[[object, object], object]:  # noqa: ANN401
    """Return what reads a list as the collection *cls*; unlike cattrs' own no text will do."""
    make = COLLECTIONS[get_origin(cls) or cls]
    types: tuple[Any, ...] = get_args(cls) or (object, ...)
    fixed = make is tuple and types[1:] != (...,)

    def reader(index: int) -> Read:
        item_type = types[index if fixed else 0]
        return lambda item: converter.structure(item, item_type)

    def read(data: object, _: object) -> object:
        if not isinstance(data, list | tuple):
            raise TypeError(f"a list is needed, not {told(data)}")
        if fixed and len(data) != len(types):
            raise ValueError(f"a list of {len(types)} is needed, not of {len(data)}")
        return make(each((index, item, reader(index)) for index, item in enumerate(data)))

    return read


def of_objects(read: Callable[[Any, Any], T]) -> Callable[[object, Any], T]:
    """Return a reader that refuses whatever is no object before *read* looks at it."""
    return lambda data, cls: read(an_object(data), cls)


def an_object(data: object) -> Mapping[str, object]:
    """Return *data* if it is an object, or refuse it."""
    if not isinstance(data, Mapping):
        raise TypeError(f"an object is needed, not {told(data)}")
    return data


def exactly(data: object, cls: type) -> object:
    """Read text, a whole number or a boolean as *cls*, which may be an enumeration of them."""
    plain = next(plain for plain in (bool, int, str) if issubclass(cls, plain))
    if not isinstance(data, plain) or (isinstance(data, bool) and plain is not bool):
        raise ValueError(f"{_NAMES[plain]} is needed, not {told(data)}")
    if not issubclass(cls, Enum):
        return data
    choices = {one.value: one for one in cls}
    if data not in choices:
        raise ValueError(f"there is no such choice, only {', '.join(map(str, choices))}")
    return choices[data]


def decimal(data: object) -> Decimal:
    """Read a finite number, exact: a whole one, a Decimal, or text."""
    if isinstance(data, float):
        raise TypeError(INEXACT)
    if isinstance(data, int | Decimal) and not isinstance(data, bool):
        number = Decimal(data)
    else:
        number = parsed(Decimal, data, "a number")
    if not number.is_finite():
        raise ValueError("a number must be finite")
    return number


def day(data: object) -> date:
    """Read a day as ISO 8601 writes it."""
    return parsed(date.fromisoformat, data, "a date such as 2027-01-31")


def moment(data: object) -> datetime:
    """Read a moment as ISO 8601 writes it."""
    return parsed(datetime.fromisoformat, data, "a moment such as 2027-01-31T12:00:00+00:00")


def parsed(parse: Callable[[str], T], data: object, what: str) -> T:
    """Read text through *parse*; *what* says in a refusal what was needed."""
    if not isinstance(data, str):
        raise TypeError(f"{what} is needed, not {told(data)}")
    try:
        return parse(data)
    except (ValueError, InvalidOperation):
        raise ValueError(f"{what} is needed, not such text") from None


def told(data: object) -> str:
    """Name the form *data* has, as a person who writes JSON would."""
    names = (name for cls, name in _NAMES.items() if isinstance(data, cls))
    return next(names, f"{named(type(data))}")
