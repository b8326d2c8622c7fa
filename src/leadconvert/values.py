"""Plain values that records are made of, and the one canonical form of any of them."""

import hashlib
from collections.abc import ItemsView, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Final, TypeVar, cast, final

import attrs
from attrs import validators

from leadconvert.given import is_a, money, named


__all__ = [
    "Address",
    "Channel",
    "FrozenMap",
    "Product",
    "Ref",
    "attributes",
    "canonical",
    "digest",
    "freeze",
    "ids_in",
    "is_empty",
]

T = TypeVar("T")
V_co = TypeVar("V_co", covariant=True)


@final
class FrozenMap(Mapping[str, V_co]):
    """A mapping that never changes: hashable, picklable, equal whatever the order of its keys.

    Values are frozen on the way in, so a list handed over and changed later changes nothing here.

    Raises:
        TypeError: a key is not text, or a value is of a kind that could change later.

    Example:
        >>> from leadconvert import FrozenMap
        >>> FrozenMap({"a": [1, 2], "b": 3}) == FrozenMap({"b": 3, "a": (1, 2)})
        True
    """

    __slots__ = ("_items",)
    _items: dict[str, V_co]

    def __init__(self, items: Mapping[str, V_co] | Iterable[tuple[str, V_co]] = (), /) -> None:
        if isinstance(items, FrozenMap):
            frozen = items._items  # noqa: SLF001 - it is one of us, and cannot change
        else:
            frozen = {key: freeze(value) for key, value in dict(items).items()}
            for key in frozen:
                if not isinstance(key, str):
                    raise TypeError(f"a key must be text, not {type(key).__name__}")
        object.__setattr__(self, "_items", frozen)

    def __getitem__(self, key: str) -> V_co:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def items(self) -> ItemsView[str, V_co]:
        """Return the pairs, as any mapping does; its own are faster than those it would inherit."""
        return self._items.items()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a FrozenMap cannot be changed")

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return self._items == dict(other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> tuple[type["FrozenMap[V_co]"], tuple[dict[str, V_co]]]:
        return FrozenMap, (dict(self._items),)


_maybe_text = validators.optional(is_a(str))


@attrs.frozen(cache_hash=True)
class Ref:
    """Points at one record: its kind and its id.

    *provisional* says that the id was made by a conversion and that no store has confirmed it yet.

    Example:
        >>> from leadconvert import Ref
        >>> str(Ref("deal", "D-5"))
        'deal D-5'
    """

    kind: str = attrs.field(validator=is_a(str))
    id: str = attrs.field(validator=is_a(str))
    provisional: bool = False

    @property
    def stored(self) -> "Ref":
        """The same ref, as a store that keeps the id would confirm it."""
        return Ref(self.kind, self.id) if self.provisional else self

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@attrs.frozen
class Channel:
    """One phone number, e-mail address, website or messenger, and what it is used for.

    Example:
        >>> from leadconvert import Channel
        >>> Channel("ada@example.com", "work").use
        'work'
    """

    value: str = attrs.field(validator=is_a(str))
    use: str | None = attrs.field(default=None, validator=_maybe_text)


@attrs.frozen(kw_only=True)
class Address:
    """A postal address in parts; every part is text or None.

    Example:
        >>> from leadconvert import Address
        >>> Address(city="London", country_code="GB").city
        'London'
    """

    street: str | None = attrs.field(default=None, validator=_maybe_text)
    street_2: str | None = attrs.field(default=None, validator=_maybe_text)
    city: str | None = attrs.field(default=None, validator=_maybe_text)
    postal_code: str | None = attrs.field(default=None, validator=_maybe_text)
    region: str | None = attrs.field(default=None, validator=_maybe_text)
    province: str | None = attrs.field(default=None, validator=_maybe_text)
    country: str | None = attrs.field(default=None, validator=_maybe_text)
    #: ISO 3166-1 alpha-2, where it is known.
    country_code: str | None = attrs.field(default=None, validator=_maybe_text)


@attrs.frozen(kw_only=True)
class Product:
    """One product line: *quantity* times *price*, the price of one in the record's currency.

    Raises:
        TypeError: price or quantity is a float.
        ValueError: price or quantity is NaN or infinite.

    Example:
        >>> from decimal import Decimal
        >>> from leadconvert import Product
        >>> Product(name="Difference engine", price=Decimal("99.50"), quantity=2).quantity
        Decimal('2')
    """

    name: str = attrs.field(validator=is_a(str))
    price: Decimal = attrs.field(converter=money)
    quantity: Decimal = attrs.field(default=Decimal(1), converter=money)
    product_id: str | None = attrs.field(default=None, validator=_maybe_text)
    #: Part of the price in percent, 0 to 100.
    tax_percent: Decimal | None = attrs.field(
        default=None, converter=attrs.converters.optional(money)
    )


#: What cannot change.
_PLAIN: Final = (str, int, float, Decimal, date)


def freeze(value: object) -> object:
    """Return *value* in a form that cannot change: lists become tuples, mappings FrozenMaps.

    Raises:
        TypeError: *value* is of a type that could change later, or has no order (a set).

    Example:
        >>> from leadconvert.values import freeze
        >>> freeze(["a", ["b"]])
        ('a', ('b',))
    """
    if type(value) is str or value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    if isinstance(value, FrozenMap):
        return value
    cls: type = type(value)
    if _is_frozen(cls):
        return value
    if isinstance(value, Mapping):
        return FrozenMap(value)
    raise TypeError(
        f"{named(type(value))} is no plain value: use text, numbers, dates, lists, mappings"
        " or the library's own values"
    )


@cache
def _is_frozen(cls: type) -> bool:
    return attrs.has(cls) and attrs.inspect(cls).is_frozen


def is_empty(value: object) -> bool:  # noqa: PLR0911 - one line per type is the clearest table
    """Tell whether *value* says nothing: None, blank text, or a collection of nothing else.

    Zero, False and ``Decimal("0.00")`` are values.

    Example:
        >>> from leadconvert.values import is_empty
        >>> is_empty("  "), is_empty(()), is_empty(0), is_empty(False)
        (True, True, False, False)
    """
    match value:
        case None:
            return True
        case str():
            return not value.strip()
        case tuple():
            return all(map(is_empty, value))
        case Mapping():
            return all(map(is_empty, value.values()))
        case Channel():
            return is_empty(value.value)
        case Address():
            return all(map(is_empty, attrs.astuple(value)))
        case _:
            return False


def ids_in(value: object) -> tuple[str, ...]:
    """Return the ids in the value of a reference: none, one or several.

    Example:
        >>> from leadconvert.values import ids_in
        >>> ids_in("C-3"), ids_in(("C-3", "C-4")), ids_in(None)
        (('C-3',), ('C-3', 'C-4'), ())
    """
    items = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in items if isinstance(item, str) and not is_empty(item))


def canonical(value: object) -> bytes:
    """Return the one byte string that stands for a plain *value*, on every machine and version.

    Equal values of a type have equal bytes: the order of keys, the zone a moment is told in and the
    trailing zeros of a Decimal make no difference.

    Example:
        >>> from decimal import Decimal
        >>> from leadconvert.values import canonical
        >>> canonical({"b": Decimal("1.50"), "a": 0}) == canonical({"a": 0, "b": Decimal("1.5")})
        True
    """
    return ascii(_shape(value)).encode()


def digest(value: object) -> str:
    """Return 32 hexadecimal digits that stand for a plain *value* (SHA-256, its first half).

    Example:
        >>> len(digest("x"))
        32
    """
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def _shape(value: object) -> object:  # noqa: C901, PLR0911, PLR0912 - one line per type, a table
    match value:
        case None:
            return ()
        case bool():
            return ("bool", int(value))
        case str():
            return ("text", str(value))
        case int():
            return ("int", hex(value))  # no limit on digits, unlike str()
        case float():
            return ("float", repr(value))
        case Decimal():
            return ("decimal", *_decimal_shape(value))
        case datetime():
            return ("moment", *_moment_shape(value))
        case date():
            return ("day", value.isoformat())
        case timedelta():
            return ("span", repr(value))
        case tuple() | list():
            return ("list", *map(_shape, value))
        case frozenset():
            return ("set", *sorted(map(_shape, value), key=repr))
        case Mapping():
            return ("map", *sorted((str(key), _shape(item)) for key, item in value.items()))
        case _ if callable(value) and hasattr(value, "__qualname__"):
            return ("name", str(value.__module__), str(value.__qualname__))
        case _:
            return (type(value).__name__, *_attribute_shapes(value))


def _attribute_shapes(value: object) -> Iterator[object]:
    for attribute in attributes(type(value)).values():
        if attribute.eq:
            yield attribute.name, _shape(getattr(value, attribute.name))


def attributes(cls: type) -> Mapping[str, "attrs.Attribute[object]"]:
    """Return the attributes of an attrs class by name, in order.

    Raises:
        attrs.exceptions.NotAnAttrsClassError: *cls* is none.

    Example:
        >>> from leadconvert import Channel
        >>> from leadconvert.values import attributes
        >>> list(attributes(Channel))
        ['value', 'use']
    """
    return _attributes(cls)


@cache
def _attributes(cls: type) -> Mapping[str, "attrs.Attribute[object]"]:
    return MappingProxyType(attrs.fields_dict(cast("type[attrs.AttrsInstance]", cls)))


def _moment_shape(value: datetime) -> tuple[object, ...]:
    offset = value.utcoffset()
    told = value.replace(tzinfo=None) - datetime(1, 1, 1)  # noqa: DTZ001 - a difference, since UTC may be out of range
    if offset is None:
        return ("naive", repr(told))
    return (repr(told - offset),)


def _decimal_shape(value: Decimal) -> tuple[object, ...]:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return (str(value),)
    text = "".join(map(str, digits)).lstrip("0")
    shown = text.rstrip("0")
    return (sign, shown, exponent + len(text) - len(shown)) if shown else (0, "", 0)
