"""What callers hand over: taken in one form, or refused in the same words everywhere."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import attrs


__all__ = ["all_of", "aware", "expect", "is_a", "money", "named", "texts"]

T = TypeVar("T")


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return *values* as a tuple of texts, refusing one text where a list of them belongs.

    Raises:
        TypeError: *values* is a text itself, or holds something that is not text.

    Example:
        >>> from leadconvert.given import texts
        >>> texts(["a", "b"])
        ('a', 'b')
    """
    if isinstance(values, str):
        raise TypeError("a list of texts is needed here, not one text: write [...] around it")
    found = tuple(values)
    for value in found:
        if not isinstance(value, str):
            raise TypeError(f"a list of texts is needed here, it holds {named(type(value))}")
    return found


def named(cls: type) -> str:
    """Return the name of *cls* as it is said in a sentence.

    Example:
        >>> from leadconvert.given import named
        >>> named(str), named(int), named(type(None))
        ('a str', 'an int', 'None')
    """
    if cls is type(None):
        return "None"
    return f"{'an' if cls.__name__[0] in 'AEIOUaeiou' else 'a'} {cls.__name__}"


def is_a(*classes: type) -> Callable[[object, "attrs.Attribute[Any]", Any], None]:
    """Return a validator that refuses what is of another class, without telling the value.

    Example:
        >>> from leadconvert import Lead
        >>> Lead(id=7, stage="NEW")
        Traceback (most recent call last):
        ...
        TypeError: id of a Lead is a str, not an int
    """

    def check(self: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, classes):
            wanted = " or ".join(map(named, classes))
            whose = named(type(self))
            raise TypeError(f"{attribute.name} of {whose} is {wanted}, not {named(type(value))}")

    return check


def expect(*given: tuple[str, object, type]) -> None:
    """Refuse an argument that is of another class than it must be, each told by its name.

    Raises:
        TypeError: one of them is, such as a preset that was not called.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.given import expect
        >>> expect(("lead", "L-7", Lead))
        Traceback (most recent call last):
        ...
        TypeError: lead is a Lead, not a str
    """
    for name, value, cls in given:
        if not isinstance(value, cls):
            hint = ", it is to be called: write () behind it" if callable(value) else ""
            raise TypeError(f"{name} is {named(cls)}, not {named(type(value))}{hint}")


def all_of(values: Iterable[T], cls: type[T]) -> tuple[T, ...]:
    """Return *values* as a tuple, refusing what is not of class *cls*.

    Raises:
        TypeError: *values* is a single one or a text, or holds something else.

    Example:
        >>> from leadconvert import Ref
        >>> from leadconvert.given import all_of
        >>> len(all_of([Ref("deal", "D-5")], Ref))
        1
    """
    if isinstance(values, str | cls):
        raise TypeError(f"a list of {cls.__name__} is needed here: write [...] around it")
    found = tuple(values)
    for value in found:
        if not isinstance(value, cls):
            raise TypeError(f"a list of {cls.__name__} holds {named(type(value))}")
    return found


def aware(moment: datetime) -> datetime:
    """Return *moment* unchanged if it says its time zone.

    Raises:
        TypeError: *moment* is not a datetime.
        ValueError: *moment* is naive.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert.given import aware
        >>> aware(datetime(2027, 1, 31, 12, 0, tzinfo=UTC)).isoformat()
        '2027-01-31T12:00:00+00:00'
    """
    if not isinstance(moment, datetime):
        raise TypeError(f"a datetime is needed here, not {named(type(moment))}")
    if moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone: datetime(..., tzinfo=UTC)")
    return moment


def money(amount: Decimal | int) -> Decimal:
    """Return *amount* as an exact, finite Decimal.

    Raises:
        TypeError: *amount* is neither Decimal nor int (a float is not exact).
        ValueError: *amount* is NaN or infinite.

    Example:
        >>> from leadconvert.given import money
        >>> money(5000)
        Decimal('5000')
    """
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise TypeError(f"an amount is a Decimal or an int, not {type(amount).__name__}")
    exact = Decimal(amount)
    if not exact.is_finite():
        raise ValueError("an amount must be finite")
    return exact
