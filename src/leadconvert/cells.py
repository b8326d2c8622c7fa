"""What stands in one cell of a table, read strictly: dates, moments, numbers, yes and no.

Whatever is refused is told without the text that stands there.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadconvert.fields import MisfitError


__all__ = ["boolean", "day", "decimal", "format_flaw", "integer", "moment", "pieces", "time_zone"]

T = TypeVar("T")

#: Whatever says a year; without one Python guesses.
_YEAR = re.compile(r"%[YyGcx]")
#: What a form must bring back: no two parts of it are the same.
_SAMPLE = datetime(2027, 11, 23, 17, 45, 38, tzinfo=UTC)
#: Spaces that stand between thousands; which of them it is nobody sees.
_SPACES = " \u00a0\u2009\u202f"


def pieces(text: str, separator: str | None) -> Iterable[str]:
    """Yield what stands in a cell, piece by piece, without space around and without empty ones.

    Example:
        >>> from leadconvert.cells import pieces
        >>> list(pieces(" a; b;; ", ";")), list(pieces(" a; b ", None))
        (['a', 'b'], ['a; b'])
    """
    parts = [text] if separator is None else text.split(separator)
    return (part.strip() for part in parts if part.strip())


def day(text: str, format: str | None = None) -> date:  # noqa: A002 - as strptime calls it
    """Read a day, in the form *format* of `strptime`, or as ISO 8601 writes it.

    Raises:
        leadconvert.fields.MisfitError: it is none.

    Example:
        >>> from leadconvert.cells import day
        >>> day("31.01.2027", "%d.%m.%Y")
        datetime.date(2027, 1, 31)
    """
    if format is None:
        return _read(date.fromisoformat, text, "a date such as 2027-01-31")
    return _strptime(text, format, "a date").date()


def moment(text: str, format: str | None = None, zone: str | None = None) -> datetime:  # noqa: A002
    """Read a moment likewise; *zone* is the time zone of those that say none.

    A moment that a clock shows twice, when summer time ends, is the first of the two.

    Raises:
        leadconvert.fields.MisfitError: it is none, or nothing says its time zone.

    Example:
        >>> from leadconvert.cells import moment
        >>> moment("31.01.2027 09:30", "%d.%m.%Y %H:%M", "Europe/Berlin").isoformat()
        '2027-01-31T09:30:00+01:00'
    """
    if format is None:
        found = _read(datetime.fromisoformat, text, "a moment such as 2027-01-31T12:00:00+00:00")
    else:
        found = _strptime(text, format, "a moment")
    if found.utcoffset() is not None:
        return found
    if zone is None:
        raise MisfitError("other_form", {"expected": "a moment that says its time zone"})
    offset = found.replace(tzinfo=time_zone(zone)).utcoffset()
    # as ISO 8601 would have told it; a zone by name compares unlike any other moment
    return found.replace(tzinfo=timezone(offset or timedelta()))


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of a name such as ``Europe/Berlin``.

    Raises:
        ValueError: there is none of that name, or this system knows no time zones.

    Example:
        >>> from leadconvert.cells import time_zone
        >>> time_zone("Europe/Berlin").key
        'Europe/Berlin'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:  # OSError: the name of a directory
        raise ValueError("there is no such time zone") from error


def integer(text: str, thousands: str | None = None) -> int:
    """Read a whole number; *thousands* may stand between its thousands.

    Raises:
        leadconvert.fields.MisfitError: it is none.

    Example:
        >>> from leadconvert.cells import integer
        >>> integer("1 200", " ")
        1200
    """
    expected = f"a whole number such as {_written('1', '200', '', thousands)}"
    return _read(int, _digits(text, None, thousands), expected)


def decimal(text: str, mark: str = ".", thousands: str | None = None) -> Decimal:
    """Read a number, exact: *mark* stands before its fraction, *thousands* between its thousands.

    Raises:
        leadconvert.fields.MisfitError: it is none.

    Example:
        >>> from leadconvert.cells import decimal
        >>> decimal("1.234,50", ",", ".")
        Decimal('1234.50')
    """
    expected = f"a number such as {_written('1', '234', f'{mark}50', thousands)}"
    return _read(Decimal, _digits(text, mark, thousands) or "none", expected)


def boolean(text: str) -> bool:
    """Read ``true`` or ``false``.

    Raises:
        leadconvert.fields.MisfitError: it is none of them.

    Example:
        >>> from leadconvert.cells import boolean
        >>> boolean("true")
        True
    """
    return _read({"true": True, "false": False}.__getitem__, text, "true or false")


def format_flaw(format: str, *, timed: bool, zoned: bool) -> str | None:  # noqa: A002
    """Return what is wrong with a form of `strptime` for days, or for *timed* moments, or None.

    *zoned* says that a time zone is known besides.

    Example:
        >>> from leadconvert.cells import format_flaw
        >>> format_flaw("%d.%m.", timed=False, zoned=False)
        'its form says no year'
    """
    if not _YEAR.search(format):
        return "its form says no year"
    try:
        read = datetime.strptime(_SAMPLE.strftime(format), format)  # noqa: DTZ007 - see above
    except ValueError:
        return "its form is none that strptime knows"
    if read.date() != _SAMPLE.date():
        return "its form does not say the whole date"
    if timed and read.hour not in {0, _SAMPLE.hour}:
        return "its form does not say whether the hour is before or after noon"
    if timed and not zoned and "%z" not in format:
        return "nothing says the time zone: give it zone="
    return None


def _strptime(text: str, format: str, what: str) -> datetime:  # noqa: A002
    expected = f"{what} such as {_SAMPLE.strftime(format)}"
    return _read(lambda text: datetime.strptime(text, format), text, expected)  # noqa: DTZ007


def _digits(text: str, mark: str | None, thousands: str | None) -> str:
    """Return *text* as Python writes a number, or nothing if it is none."""
    if thousands is not None and thousands in _SPACES:
        text = re.sub(f"[{_SPACES}]", thousands, text)
    grouped = "" if thousands is None else rf"|[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+"
    fraction = "" if mark is None else rf"(?:{re.escape(mark)}([0-9]+))?"
    found = re.fullmatch(rf"([+-]?)([0-9]+{grouped}){fraction}", text)
    if found is None:
        return ""
    sign, whole, *rest = found.groups()
    whole = whole if thousands is None else whole.replace(thousands, "")
    return f"{sign}{whole}.{rest[0]}" if rest and rest[0] else f"{sign}{whole}"


def _written(first: str, second: str, fraction: str, thousands: str | None) -> str:
    return f"{first}{thousands or ''}{second}{fraction}"


def _read(read: Callable[[str], T], text: str, expected: str) -> T:
    try:
        return read(text)
    except (ValueError, KeyError, ArithmeticError):
        raise MisfitError("other_form", {"expected": expected}) from None
