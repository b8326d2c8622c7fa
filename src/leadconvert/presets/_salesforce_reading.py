"""Reads leads, accounts, contacts and opportunities from Salesforce's REST JSON.

A field is read as what it is here, be it a standard one or one that the rules declare. What they do
not declare keeps its own name and is taken as it comes.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import attrs

from leadconvert import (
    Address,
    Channel,
    Conversion,
    ConversionRules,
    Field,
    FieldType,
    Kind,
    Record,
    Ref,
)
from leadconvert.given import named
from leadconvert.presets._salesforce_names import LEAD, PARTS, Shape
from leadconvert.values import attributes, is_empty


__all__ = ["RECORD_TYPE", "UnreadableError", "kind_of", "objects", "records", "supplied", "told"]

#: What the id of every record type begins with.
RECORD_TYPE: Final = "012"

#: By which fields a lead tells what became of it.
_CONVERTED: Final = {
    "ConvertedAccountId": "company",
    "ConvertedContactId": "contact",
    "ConvertedOpportunityId": "deal",
}


class UnreadableError(Exception):
    """Why a value cannot be read, as the end of a sentence that starts with the field's name."""


def objects(data: object, what: str) -> list[object]:
    """Return what a query result or a list holds; one object is a list of itself.

    Raises:
        ValueError: *data* is neither.
    """
    match data:
        case {"records": list() | tuple() as inner}:
            return list(inner)
        case list() | tuple():
            return list(data)
        case Mapping():
            return [data]
        case _:
            given = named(type(data))
            raise ValueError(f"a {what} is an object, several are a list, and this is {given}")


def kind_of(shape: Shape, rules: ConversionRules) -> Kind:
    """Return the kind of *rules* whose records have the class of *shape*.

    Raises:
        ValueError: there is none.
    """
    found = next((kind for kind in rules.every_kind if kind.cls is shape.cls), None)
    if found is None:
        raise ValueError(f"these rules have no kind of {shape.cls.__name__}")
    return found


def records(data: object, shape: Shape, rules: ConversionRules) -> tuple[Record, ...]:
    """Return the records in *data*, in their order.

    Raises:
        ValueError: what is wrong, all of it, each with the field and the record.
    """
    kind, mistakes, found = kind_of(shape, rules), list[str](), list[Record]()
    for number, entry in enumerate(objects(data, shape.object), start=1):
        reading = _Reading(shape, kind, rules)
        if isinstance(entry, Mapping):
            id_, values = reading.read(entry)
            at = f"{shape.object} {id_}" if id_ else f"{shape.object} number {number}"
            if not reading.mistakes:
                found.append(kind.build(id_, values))
        else:
            given, at = named(type(entry)), f"{shape.object} number {number}"
            reading.mistakes.append(f"an object is needed, not {given}")
        mistakes += (f"{mistake} @ {at}" for mistake in reading.mistakes)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return tuple(found)


def supplied(
    entry: Mapping[str, object], shape: Shape, rules: ConversionRules, mistakes: list[str]
) -> dict[str, object]:
    """Return the values of a record that is not made yet, by field id; add what is wrong."""
    reading = _Reading(shape, kind_of(shape, rules), rules)
    values = reading.values({str(name): value for name, value in entry.items()})
    if values.pop("Id", None) is not None:
        reading.mistakes.append("Id is nobody's to give")
    mistakes += (f"{mistake} @ {shape.object}" for mistake in reading.mistakes)
    return values


@attrs.define
class _Reading:
    """Reads one record, and collects what is wrong with it."""

    shape: Shape
    kind: Kind
    rules: ConversionRules
    mistakes: list[str] = attrs.field(factory=list, init=False)

    def read(self, entry: Mapping[object, object]) -> tuple[str, dict[str, object]]:
        given = {str(name): value for name, value in entry.items()}
        self._check_type(given.get("attributes"))
        if given.pop("IsDeleted", None) is True:
            self.mistakes.append("IsDeleted says that it is in the recycle bin")
        id_ = self._take("Id", Field("Id", "text"), given.pop("Id", None))
        if id_ is None and not any(one.startswith("Id ") for one in self.mistakes):
            self.mistakes.append("Id is missing")
        passed = self._conversion(given, str(id_)) if self.shape is LEAD else ()
        values = self.values(given)
        if self.shape is LEAD and "stage" not in values and not self._is_told("Status"):
            self.mistakes.append("Status is missing")
        if passed:
            values["conversions"] = passed
        default = next(iter(self.rules.pipelines_of(self.kind.id)), None)
        if self.kind.pipeline is not None and default is not None:
            values.setdefault(self.kind.pipeline, default.id)
        return "" if id_ is None else str(id_), values

    def _is_told(self, name: str) -> bool:
        return any(mistake.startswith(f"{name} ") for mistake in self.mistakes)

    def _check_type(self, told: object) -> None:
        type_ = told.get("type") if isinstance(told, Mapping) else None
        if type_ not in (None, self.shape.object):
            self.mistakes.append(f"attributes.type is {type_!r}, not {self.shape.object!r}")

    def values(self, given: dict[str, object]) -> dict[str, object]:
        """Return the values of fields by their ids."""
        values: dict[str, object] = {}
        for prefix, field in self.shape.addresses.items():
            address = self._address(given, prefix)
            if not is_empty(address):
                values[field] = address
        for name, value in given.items():
            field = self.shape.fields.get(name, name)
            if name in self.shape.derived or _is_blank(value) or _is_related(value):
                continue
            if name not in self.shape.fields and name in attributes(self.shape.cls):
                self.mistakes.append(f"{name} is no name of a field there")
                continue
            one = self._take(name, self.kind.members.get(field), value)
            if one is not None:
                values[field] = one
        return values

    def _take(self, name: str, field: Field | None, value: object) -> object:
        """Return a value as its field holds it, or None if it is empty or cannot be read."""
        if _is_blank(value):
            return None
        try:
            return plain(value) if field is None else told(value, field)
        except UnreadableError as error:
            self.mistakes.append(f"{name} {error}")
            return None

    def _address(self, given: dict[str, object], prefix: str) -> Address:
        """Take the parts of an address, which stand by themselves, in a compound, or in both."""
        name = f"{prefix}Address"
        compound = given.pop(name, None)
        if not isinstance(compound, Mapping | None):
            self.mistakes.append(f"{name} is no address")
            compound = None
        for end, part, _ in PARTS:
            value = (compound or {}).get(part)
            if not _is_blank(value) and _is_blank(given.get(prefix + end)):
                given[prefix + end] = value
            elif not _is_blank(value) and given[prefix + end] != value:
                self.mistakes.append(f"{prefix}{end} stands twice, with different values")
        parts = {
            attribute: self._take(prefix + end, Field(end, "text"), given.pop(prefix + end, None))
            for end, _, attribute in PARTS
            if attribute is not None
        }
        return Address(**{name: str(value) for name, value in parts.items() if value is not None})

    def _conversion(self, given: dict[str, object], id_: str) -> tuple[Conversion, ...]:
        """Take what a lead tells of its conversion.

        Nothing tells which of the records it made, so all count as linked: whatever is taken back,
        none of them is removed. Nor does anything tell who converted it, or by which rules.
        """
        flag = self._take("IsConverted", Field("x", "boolean"), given.pop("IsConverted", None))
        day = self._take("ConvertedDate", Field("x", "date"), given.pop("ConvertedDate", None))
        ids = {
            kind: self._take(name, Field("x", "text"), given.pop(name, None))
            for name, kind in _CONVERTED.items()
        }
        targets = [Ref(kind, str(one)) for kind, one in ids.items() if one is not None]
        if flag is not True and not targets:
            return ()
        if flag is False:
            self.mistakes.append("IsConverted is false, and yet there are ids of what it became")
        if not isinstance(day, date):
            if not self._is_told("ConvertedDate"):
                self.mistakes.append("ConvertedDate is missing")
            return ()
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        conversion = Conversion(
            id=f"{id_}.1", at=at, actor_id="", targets=targets, linked=targets, rules=""
        )
        return (conversion,)


def _is_blank(value: object) -> bool:
    return is_empty(tuple(value) if isinstance(value, list) else value)


def _is_related(value: object) -> bool:
    """Whether a query brought another record along, or a list of them."""
    return isinstance(value, Mapping) and not {"attributes", "records"}.isdisjoint(value)


# -- what a value is, or why it is none: the reason follows the field's name ----------------------


def told(value: object, field: Field) -> object:  # noqa: PLR0911 - one line per type, a table
    """Return *value* as *field* holds it.

    Raises:
        UnreadableError: it is of another type.
    """
    match field.type:
        case FieldType.INTEGER:
            return _whole(value)
        case FieldType.DECIMAL | FieldType.MONEY:
            return _number(value)
        case FieldType.BOOLEAN:
            return _flag(value)
        case FieldType.DATE:
            return _day(value)
        case FieldType.DATETIME:
            return _moment(value)
        case FieldType.URL | FieldType.EMAIL | FieldType.PHONE | FieldType.MESSENGER:
            one = Channel(_text(value))
            return (one,) if field.multiple else one
        case FieldType.ADDRESS | FieldType.PRODUCT:
            raise UnreadableError(f"is no {field.type.value} that could be read")
        case FieldType.ENUMERATION if field.multiple:
            return tuple(one for one in _text(value).split(";") if not is_empty(one))
        case _:
            return (_text(value),) if field.multiple else _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableError("is no text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UnreadableError("is neither true nor false")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, float):
        raise UnreadableError("is a float, which is not exact: parse with parse_float=Decimal")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnreadableError("is no number")
    number = Decimal(value)
    if not number.is_finite():
        raise UnreadableError("is no finite number")
    return number


def _whole(value: object) -> int:
    number = _number(value)
    if number != int(number):
        raise UnreadableError("is no whole number")
    return int(number)


def _day(value: object) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise UnreadableError("is no day") from None


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        raise UnreadableError("is no moment") from None
    if moment.utcoffset() is None:
        raise UnreadableError("has no time zone")
    return moment


def plain(value: object) -> object:
    """Return *value* if it is what JSON can say exactly.

    Raises:
        UnreadableError: it is not.
    """
    for item in _items(value):
        plain(item)
    if isinstance(value, float | Decimal):
        _number(value)
    elif not isinstance(value, str | int | list | tuple | Mapping | None):
        raise UnreadableError(f"is {named(type(value))}, which is no JSON")
    return value


def _items(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
