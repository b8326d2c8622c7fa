"""One value of Bitrix24's JSON: what it is here, by the type of its field, or why it is none.

The reason is the end of a sentence that starts with the field's name.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import attrs

from leadconvert import Address, Channel, Field, FieldType, Product
from leadconvert.given import named
from leadconvert.values import is_empty


__all__ = [
    "Taken",
    "UnreadableError",
    "as_field",
    "channels",
    "flag",
    "grouped",
    "ids",
    "is_blank",
    "maybe_id",
    "objects",
    "plain",
    "products",
    "some_ids",
    "text",
]

T = TypeVar("T")


class UnreadableError(Exception):
    """Why a value cannot be read, as the end of a sentence that starts with the field's name."""


@attrs.define
class Taken:
    """Values by name that nobody has taken yet, and what was wrong with those taken."""

    values: dict[str, object]
    mistakes: list[str] = attrs.field(factory=list)

    def take(self, name: str, read: Callable[[object], T]) -> T | None:
        """Return value *name* as *read* turns it, or None if it is empty or cannot be read."""
        value = self.values.pop(name, None)
        if is_blank(value):
            return None
        try:
            return read(value)
        except UnreadableError as error:
            self.mistakes.append(f"{name} {error}")
            return None

    def demand(self, name: str, read: Callable[[object], T | None], otherwise: T) -> T:
        """Return value *name*, which has to be there; *otherwise* goes with a mistake only."""
        before = len(self.mistakes)
        value = self.take(name, read)
        if value is None and len(self.mistakes) == before:
            self.mistakes.append(f"{name} is missing")
        return otherwise if value is None else value


def is_blank(value: object) -> bool:
    """Tell whether *value* says nothing; zero, false and "N" do say something."""
    return is_empty(tuple(value) if isinstance(value, list) else value)


def text(value: object) -> str:
    """Return a text, or a whole number as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnreadableError("is no text")


def maybe_id(value: object) -> str | None:
    """Return an id, or None where zero stands for nothing."""
    told = text(value)
    return None if told.strip() == "0" else told


def ids(value: object) -> tuple[str, ...]:
    """Return the ids in a list."""
    if not isinstance(value, list | tuple):
        raise UnreadableError("is no list of ids")
    return some_ids(value)


def some_ids(value: object) -> tuple[str, ...]:
    """Return the ids in a list, or the one that stands alone."""
    value = value if isinstance(value, list | tuple) else [value]
    return tuple(id_ for item in value if not is_blank(item) and (id_ := maybe_id(item)))


def flag(value: object) -> bool:
    """Return whether it is yes."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int) and (told := str(value)) in _YES_OR_NO:
        return _YES_OR_NO[told]
    raise UnreadableError("is neither Y nor N")


_YES_OR_NO: Final = {"Y": True, "1": True, "N": False, "0": False}


def number(value: object) -> Decimal:
    """Return an exact, finite number."""
    if isinstance(value, float):
        raise UnreadableError("is a float, which is not exact: parse with parse_float=Decimal")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise UnreadableError("is no number")
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise UnreadableError("is no number") from None
    if not exact.is_finite():
        raise UnreadableError("is no finite number")
    return exact


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    exact = number(value)
    if exact.adjusted() > _MOST_DIGITS or exact != exact.to_integral_value():
        raise UnreadableError("is no whole number")
    return int(exact)


#: More than any whole number there, and few enough to be written out.
_MOST_DIGITS: Final = 100


def _moment(value: object) -> datetime:
    moment = _parsed(value, "is no moment")
    if moment.utcoffset() is None:
        raise UnreadableError("has no time zone")
    return moment


def _day(value: object) -> date:
    """Return the day as written, whatever the zone it is written in."""
    return _parsed(value, "is no day").date()


def _parsed(value: object, why_not: str) -> datetime:
    try:
        return datetime.fromisoformat(text(value))
    except (ValueError, UnreadableError):
        raise UnreadableError(why_not) from None


def _file(value: object) -> str | None:
    """Return the id of a file, which stands alone or among the addresses it can be got from."""
    if isinstance(value, Mapping):
        [about] = objects(value, "files")
        return maybe_id(about.get("ID"))
    return maybe_id(value)


def _address(value: object) -> Address:
    """Return an address that is one text, as custom fields have it."""
    return Address(street=text(value))


def objects(value: object, what: str) -> Iterator[Mapping[str, object]]:
    """Yield the objects of a list, each with its names in upper case and no underscores."""
    for entry in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(entry, Mapping):
            raise UnreadableError(f"is no list of {what}")
        yield {str(name).upper().replace("_", ""): item for name, item in entry.items()}


def _channel(entry: Mapping[str, object]) -> Channel:
    value, use = entry.get("VALUE"), entry.get("VALUETYPE")
    return Channel(
        "" if value is None else text(value), None if is_blank(use) else text(use).lower()
    )


def _link(value: object) -> Channel:
    """Return a channel that is one text, as custom fields have it."""
    return Channel(text(value))


def channels(value: object) -> tuple[Channel, ...]:
    """Return the filled channels of a multi-field."""
    read = [_channel(entry) for entry in objects(value, "channels")]
    return tuple(channel for channel in read if not is_empty(channel))


def grouped(value: object) -> dict[str, tuple[Channel, ...]]:
    """Return the filled channels of ``fm`` by their type."""
    found: dict[str, tuple[Channel, ...]] = {}
    for entry in objects(value, "channels"):
        type_ = entry.get("TYPEID")
        if is_blank(type_):
            raise UnreadableError("has a channel without typeId")
        channel = _channel(entry)
        if not is_empty(channel):
            found[text(type_)] = (*found.get(text(type_), ()), channel)
    return found


def products(value: object) -> tuple[Product, ...]:
    """Return product rows."""
    return tuple(_product(entry) for entry in objects(value, "product rows"))


def _product(entry: Mapping[str, object]) -> Product:
    fields = Taken(dict(entry))
    quantity = fields.take("QUANTITY", number)
    product = Product(
        name=fields.demand("PRODUCTNAME", text, ""),
        price=fields.demand("PRICE", number, Decimal(0)),
        quantity=Decimal(1) if quantity is None else quantity,
        product_id=fields.take("PRODUCTID", maybe_id),
        tax_percent=fields.take("TAXRATE", number),
    )
    if fields.mistakes:
        raise UnreadableError(f"has a row whose {' and whose '.join(fields.mistakes)}")
    return product


_READERS: Final[Mapping[FieldType, Callable[[object], object]]] = {
    FieldType.TEXT: text,
    FieldType.ENUMERATION: text,
    FieldType.INTEGER: _whole,
    FieldType.DECIMAL: number,
    FieldType.MONEY: number,
    FieldType.BOOLEAN: flag,
    FieldType.DATE: _day,
    FieldType.DATETIME: _moment,
    FieldType.FILE: _file,
    FieldType.REFERENCE: maybe_id,
    FieldType.ADDRESS: _address,
    FieldType.URL: _link,
    FieldType.EMAIL: _link,
    FieldType.PHONE: _link,
    FieldType.MESSENGER: _link,
}


def as_field(field: Field, value: object) -> object:
    """Return *value* as *field* holds it; where ``false`` stands for nothing, nothing."""
    if field.type is FieldType.PRODUCT:
        return products(value)
    read = _READERS[field.type]
    if field.multiple:
        items = value if isinstance(value, list | tuple) else [value]
        found = [read(item) for item in items if not is_blank(item) and item is not False]
        return tuple(item for item in found if item is not None)
    if value is False and field.type is not FieldType.BOOLEAN:
        return None
    return read(value)


def plain(value: object) -> object:
    """Return *value* if it is what JSON can say exactly."""
    match value:
        case list() | tuple():
            for item in value:
                plain(item)
        case Mapping():
            for item in value.values():
                plain(item)
        case float() | Decimal():
            number(value)
        case None | str() | int():
            pass
        case _:
            raise UnreadableError(f"is {named(type(value))}, which is no JSON")
    return value
