"""Writes leads, contacts, companies and deals as Bitrix24's REST JSON, in either of its shapes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import attrs

from leadconvert import Address, Channel, Product
from leadconvert.given import named
from leadconvert.presets._bitrix24_names import (
    ADDRESS_PARTS,
    CLIENTS,
    MULTIFIELDS,
    NAMES,
    Names,
    camel,
    ids_at,
)
from leadconvert.records import Record, held
from leadconvert.values import is_empty


__all__ = ["to_fields", "to_json", "to_rows"]

#: By type of record, as in ``crm.lead.get``, or for all of them, as in ``crm.item.get``.
_CLASSIC, _ITEM = "classic", "item"
_ROWS: Final = "PRODUCT_ROWS"
#: What the vendor sets itself, or takes by a method of its own.
_NOT_TAKEN: Final = frozenset({"ID", "DATE_CREATE", "CREATED_BY_ID", "DATE_MODIFY", _ROWS})
_MONEY: Final = "OPPORTUNITY"
_CENTS: Final = 2
#: More digits than this are told by a power of ten.
_LONGEST: Final = 100
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,17}")


def to_json(record: Record, shape: str) -> dict[str, object]:
    """Return *record* as an answer tells it; see `Bitrix24.to_json`."""
    writer = _Writer.of(record, shape)
    return writer.written(writer.held(record))


def to_fields(record: Record, since: Record | None, shape: str) -> dict[str, object]:
    """Return what is to be sent of *record*; see `Bitrix24.to_fields`."""
    writer = _Writer.of(record, shape)
    told = writer.held(record)
    if since is not None:
        if type(since) is not type(record) or since.id != record.id:
            raise ValueError("since= is an earlier state of the same record")
        told = _changed(writer.held(since), told)
    return writer.written({name: told[name] for name in told if name not in _NOT_TAKEN})


def to_rows(products: Iterable[Product], shape: str) -> list[dict[str, object]]:
    """Return product rows; see `Bitrix24.to_rows`."""
    return [_Writer.in_shape("deal", shape).row(product) for product in products]


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """Return what differs; what is gone is blank, and of channels only new ones can be told."""
    found: dict[str, object] = {}
    for name in dict.fromkeys([*after, *before]):
        old, new = before.get(name), after.get(name)
        if name in MULTIFIELDS:
            known = old if isinstance(old, tuple) else ()
            added = new if isinstance(new, tuple) else ()
            if more := tuple(channel for channel in added if channel not in known):
                found[name] = more
        elif old != new:
            found[name] = new if new is not None else () if isinstance(old, tuple) else ""
    return found


@attrs.frozen
class _Writer:
    """Writes records of one kind in one shape."""

    names: Names
    as_item: bool

    @classmethod
    def of(cls, record: Record, shape: str) -> "_Writer":
        for kind, names in NAMES.items():
            if isinstance(record, names.record):
                return cls.in_shape(kind, shape)
        told = named(type(record))
        raise TypeError(f"a Lead, Contact, Company or Deal is needed here, not {told}")

    @classmethod
    def in_shape(cls, kind: str, shape: str) -> "_Writer":
        if shape not in (_CLASSIC, _ITEM):
            raise ValueError(f"shape is {_CLASSIC!r} or {_ITEM!r}, not {shape!r}")
        return cls(NAMES[kind], shape == _ITEM)

    def held(self, record: Record) -> dict[str, object]:
        """Return what is filled in *record* and has a name there, by that name in capitals."""
        found = {"ID": record.id, **dict(self._standard(held(record)))}
        for name, value in record.custom.items():
            parts = self._parts(name, value) if name in self.names.addresses else [(name, value)]
            for told, one in parts:
                found.setdefault(told, one)
        return {name: value for name, value in found.items() if not is_empty(value)}

    def _standard(self, values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        for name, field in self.names.standard.items():
            value = values[field]
            if name in self.names.addresses:
                yield from self._parts(name, value)
            elif field == "converted_from":  # there a record comes from one lead
                yield name, _first(value)
            else:
                yield name, value
        if (contacts := values.get("contact_ids")) is not None:
            yield from zip(CLIENTS, (_first(contacts), contacts), strict=True)
        yield from ((type_, values.get(field)) for type_, field in MULTIFIELDS.items())

    def _parts(self, prefix: str, value: object) -> Iterator[tuple[str, object]]:
        if isinstance(value, Address):
            yield from ((f"{prefix}{end}", getattr(value, part)) for part, end in _PARTS)

    def written(self, held: Mapping[str, object]) -> dict[str, object]:
        """Return what is *held* as JSON data, under the names of the shape."""
        found: dict[str, object] = {}
        grouped: list[object] = []
        for name, value in held.items():
            told = self.names.told(name, as_item=self.as_item)
            if (channels := _multifield(name, value)) is None:
                found[told] = self._value(name, value)
            elif self.as_item:
                grouped += (self._channel(one, typeId=name) for one in channels)
            else:
                found[told] = [self._channel(one) for one in channels]
        return {**found, "fm": grouped} if grouped else found

    def _channel(self, channel: Channel, **type_: str) -> dict[str, object]:
        value, use = ("value", "valueType") if self.as_item else ("VALUE", "VALUE_TYPE")
        told = {} if channel.use is None else {use: channel.use.upper()}
        return {**type_, value: channel.value, **told}

    def row(self, product: Product) -> dict[str, object]:
        """Return a product row."""
        told = {
            "PRODUCT_ID": product.product_id,
            "PRODUCT_NAME": product.name,
            "PRICE": product.price,
            "QUANTITY": product.quantity,
            "TAX_RATE": product.tax_percent,
        }
        return {
            camel(name) if self.as_item else name: self._value(name, value)
            for name, value in told.items()
            if value is not None
        }

    def _value(self, name: str, value: object) -> object:  # noqa: C901, PLR0911 - one line per type
        match value:
            case tuple():
                return [self._value(name, item) for item in value]
            case str():
                is_number = self.as_item and _is_id(name) and _WHOLE.fullmatch(value)
                return int(value) if is_number else value
            case bool():
                vendors = name in self.names.standard or name in self.names.others
                return ("Y" if value else "N") if vendors else value
            case Decimal():
                return _number(value, _CENTS if name == _MONEY else 0)
            case date():
                return value.isoformat()
            case Channel():
                return value.value
            case Address():
                return ", ".join(filter(None, (getattr(value, part) for part, _ in _PARTS)))
            case Product():
                return self.row(value)
            case Mapping():
                return {key: self._value(name, item) for key, item in value.items()}
            case int() | float() | None:
                return value
            case _:
                told = named(type(value))
                raise TypeError(f"{name} holds {told}, which Bitrix24's JSON has no form for")


_PARTS: Final = tuple(ADDRESS_PARTS.items())


def _is_id(name: str) -> bool:
    return name == "PRODUCT_ID" or ids_at(name)


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else None


def _multifield(name: str, value: object) -> tuple[Channel, ...] | None:
    """Return the channels of a multi-field; a custom field holds plain texts."""
    several = value if isinstance(value, tuple) else ()
    channels = tuple(one for one in several if isinstance(one, Channel))
    is_own = name.startswith("UF_")
    return channels if channels and len(channels) == len(several) and not is_own else None


def _number(number: Decimal, at_least: int) -> str:
    """Return an exact number as text, an amount with two decimals at least, as the vendor does."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _LONGEST:
        return str(number)
    return f"{number:.{at_least}f}" if -exponent < at_least else f"{number:f}"
