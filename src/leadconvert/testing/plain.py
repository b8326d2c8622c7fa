"""Hypothesis strategies for plain values, and for values of any field.

Each shrinks to something small. *filled* asks for values that say something; without it blank ones
are among those drawn, as they are in any real CRM.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import Address, Channel, Field, FieldType, Product


__all__ = [
    "addresses",
    "amounts",
    "channels",
    "days",
    "ids",
    "moments",
    "products",
    "texts",
    "users",
    "values",
]

_BLANKS: Final = ("", " ", "\t\n ")
# a lone surrogate is no text that could be sent or stored
_CHARACTERS: Final = st.characters(exclude_categories=["Cs"])
_LONGEST: Final = 40


def texts(*, filled: bool = False, max_length: int = _LONGEST) -> SearchStrategy[str]:
    """Draw texts of any script, with control and right-to-left characters, up to *max_length*.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import texts
        >>> find(texts(filled=True), lambda text: True)
        '0'
    """
    said = st.text(_CHARACTERS, min_size=1, max_size=max_length).filter(lambda text: text.strip())
    if filled:
        return said
    return st.sampled_from([blank for blank in _BLANKS if len(blank) <= max_length]) | said


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


def moments() -> SearchStrategy[datetime]:
    """Draw moments from 1900 to 2199, each with a time zone.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import moments
        >>> find(moments(), lambda moment: True).isoformat()
        '2000-01-01T00:00:00+00:00'
    """
    return st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone itself
        max_value=datetime(2199, 12, 31),  # noqa: DTZ001
        timezones=st.just(UTC) | st.integers(-14 * 60, 14 * 60).map(_zone),
    )


def days() -> SearchStrategy[date]:
    """Draw days from 1900 to 2199.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import days
        >>> find(days(), lambda day: True)
        datetime.date(2000, 1, 1)
    """
    return st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31))


def amounts() -> SearchStrategy[Decimal]:
    """Draw exact, finite amounts with two decimals, zero and negative ones among them.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import amounts
        >>> find(amounts(), lambda amount: amount > 1)
        Decimal('1.01')
    """
    return st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents).scaleb(-2))


def channels(*, filled: bool = False) -> SearchStrategy[Channel]:
    """Draw phones, e-mails and the like, with and without a use.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import channels
        >>> find(channels(filled=True), lambda channel: True)
        Channel(value='0', use=None)
    """
    uses = st.none() | st.sampled_from(["work", "home", "other"])
    return st.builds(Channel, texts(filled=filled), uses)


def addresses(*, filled: bool = False) -> SearchStrategy[Address]:
    """Draw postal addresses with any of their parts.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import addresses
        >>> find(addresses(filled=True), lambda address: True).city
        '0'
    """
    maybe = st.none() | texts()
    return st.builds(
        Address,
        street=maybe,
        city=texts(filled=True) if filled else maybe,
        postal_code=maybe,
        country=maybe,
        country_code=st.none() | st.sampled_from(["DE", "GB", "GR"]),
    )


def products() -> SearchStrategy[Product]:
    """Draw product lines.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import products
        >>> find(products(), lambda product: product.quantity > 1).quantity
        Decimal('2')
    """
    return st.builds(
        Product,
        name=texts(),
        price=amounts(),
        quantity=st.integers(0, 10**6),
        product_id=st.none() | ids(),
        tax_percent=st.none() | st.integers(0, 100),
    )


def ids() -> SearchStrategy[str]:
    """Draw ids of records and stages, as systems have them.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import ids
        >>> find(ids(), lambda id: True)
        '0'
    """
    return st.text("0123456789abcdefXYZ-_.", min_size=1, max_size=8)


def users() -> SearchStrategy[str]:
    """Draw ids of users out of a few, so that who acts often is who owns.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import users
        >>> find(users(), lambda id: True)
        'u-1'
    """
    return st.sampled_from(["u-1", "u-2", "u-3"])


def values(field: Field, *, filled: bool = False) -> SearchStrategy[object]:
    """Draw values that fit *field*, whatever its type: within its length, out of its options.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import Field
        >>> from leadconvert.testing import values
        >>> heat = Field("heat", "enumeration", options=["cold", "hot"], multiple=True)
        >>> find(values(heat, filled=True), lambda value: True)
        ('cold',)
    """
    one = _one(field, filled=filled)
    if field.multiple:
        return st.lists(one, min_size=int(filled), max_size=3).map(tuple)
    return one if filled else st.none() | one


def _one(field: Field, *, filled: bool) -> SearchStrategy[object]:
    """Draw what a single-valued field of this type could hold."""
    longest = min(field.max_length or _LONGEST, _LONGEST)
    of_type: dict[FieldType, SearchStrategy[object]] = {
        FieldType.TEXT: texts(filled=filled, max_length=longest),
        FieldType.INTEGER: st.integers(),
        FieldType.DECIMAL: amounts(),
        FieldType.MONEY: amounts(),
        FieldType.BOOLEAN: st.booleans(),
        FieldType.DATE: days(),
        FieldType.DATETIME: moments(),
        FieldType.ADDRESS: addresses(filled=filled),
        FieldType.PRODUCT: products(),
        FieldType.FILE: ids(),
        FieldType.REFERENCE: ids(),
    }
    if field.type is FieldType.ENUMERATION:
        return st.sampled_from([option.id for option in field.options])
    return of_type.get(field.type, channels(filled=filled))
