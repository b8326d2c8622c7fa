"""Writes records as Salesforce's REST JSON shows them, or takes them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from leadconvert import Address, Channel, ConversionRules, Lead, Record
from leadconvert.given import named
from leadconvert.presets._salesforce_names import PARTS, Shape, field_of, shape_of
from leadconvert.presets._salesforce_reading import RECORD_TYPE, kind_of
from leadconvert.records import held
from leadconvert.values import is_empty


__all__ = ["add", "converted_fields", "to_json", "update"]

#: What a record remembers of its past has no field there, but for what a lead became.
_PAST: Final = frozenset({"stage_history", "conversions", "converted_from"})
#: What the system sets itself: a request that holds one of them is refused there.
_SET_THERE: Final = frozenset(
    {
        "attributes",
        "Id",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "IsConverted",
        "ConvertedDate",
        "ConvertedAccountId",
        "ConvertedContactId",
        "ConvertedOpportunityId",
    }
)
_BECAME: Final = (
    ("ConvertedAccountId", "company"),
    ("ConvertedContactId", "contact"),
    ("ConvertedOpportunityId", "deal"),
)
#: So many digits a JSON number has at most that is no float.
_DIGITS: Final = 18


class _UnwritableError(Exception):
    """Why a value cannot be written, as the end of a sentence that starts with the field's name."""


def to_json(record: Record, rules: ConversionRules) -> dict[str, object]:
    """Return *record* as REST shows it; what is empty is not there.

    Raises:
        TypeError: no object there is such a record.
        ValueError: what has no place there, all of it, each with the field.
    """
    shape = shape_of(record)
    if shape is None:
        raise TypeError(f"{named(type(record))} is no lead, contact, company or deal")
    mistakes: list[str] = []
    told: dict[str, object] = {"attributes": {"type": shape.object}, "Id": record.id}
    for field, value in held(record).items():
        if is_empty(value) or field in _PAST or _is_default(shape, field, value, rules):
            continue
        try:
            parts = dict(_told(shape, field, value, is_custom=field in record.custom))
        except _UnwritableError as error:
            mistakes.append(f"{field} {error}")
            continue
        mistakes += (f"{field} is written as {one}, which is taken" for one in parts if one in told)
        told |= parts
    if isinstance(record, Lead):
        told |= _became(record, mistakes)
    if mistakes:
        at = f"{shape.object} {record.id}"
        raise ValueError("; ".join(f"{mistake} @ {at}" for mistake in mistakes))
    return told


def add(record: Record, rules: ConversionRules) -> dict[str, object]:
    """Return what one sends to make *record*: without what the system sets itself.

    Raises:
        TypeError, ValueError: as `to_json`.
    """
    told = to_json(record, rules)
    return {name: value for name, value in told.items() if name not in _SET_THERE}


def update(before: Record, after: Record, rules: ConversionRules) -> dict[str, object]:
    """Return what one sends to make *after* of *before*: what differs, null where it was emptied.

    Raises:
        TypeError, ValueError: as `to_json`; or the records are of two kinds.
    """
    if type(before) is not type(after):
        names = f"{named(type(before))} and {named(type(after))}"
        raise ValueError(f"{names} are no two states of one record")
    old, new = add(before, rules), add(after, rules)
    emptied = dict.fromkeys(name for name in old if name not in new)
    return {name: value for name, value in new.items() if old.get(name) != value} | emptied


def converted_fields(lead: Lead) -> dict[str, object]:
    """Return the fields by which *lead* tells what became of it.

    Raises:
        ValueError: it became several records of one kind.
    """
    mistakes: list[str] = []
    told = _became(lead, mistakes)
    if mistakes:
        raise ValueError("; ".join(f"{mistake} @ Lead {lead.id}" for mistake in mistakes))
    return told


def _became(lead: Lead, mistakes: list[str]) -> dict[str, object]:
    closing = [one for one in lead.conversions if one.closes]
    in_force = [one for one in lead.conversions if one.in_force] if closing else []
    targets = list(dict.fromkeys(ref for one in in_force for ref in one.targets))
    told: dict[str, object] = {
        "IsConverted": bool(closing),
        "ConvertedDate": closing[-1].at.astimezone(UTC).date().isoformat() if closing else None,
    }
    for name, kind in _BECAME:
        ids = [ref.id for ref in targets if ref.kind == kind]
        told[name] = ids[0] if ids else None
        if len(ids) > 1:
            mistakes.append(f"{name} holds one id, and the lead became {' and '.join(ids)}")
    return told


def _is_default(shape: Shape, field: str, value: object, rules: ConversionRules) -> bool:
    """Whether *value* is the pipeline of an opportunity that has no record type."""
    kind = kind_of(shape, rules)
    if field != kind.pipeline or str(value).startswith(RECORD_TYPE):
        return False
    return value in [pipeline.id for pipeline in rules.pipelines_of(kind.id)[:1]]


def _told(
    shape: Shape, field: str, value: object, *, is_custom: bool
) -> Iterator[tuple[str, object]]:
    """Yield what *field* is written as: one name, or one for each part of an address."""
    prefix = next((name for name, own in shape.addresses.items() if own == field), None)
    if prefix is not None and isinstance(value, Address):
        yield from _parts(prefix, value)
    elif field in shape.fields.values():
        if isinstance(value, tuple) and len(value) > 1:
            raise _UnwritableError(f"holds {len(value)}, and there is one there: keep one")
        yield shape.name_of(field), _plain(value)
    elif is_custom and field_of(shape, field) != field:
        raise _UnwritableError(f"is a standard field there: fill {field_of(shape, field)}")
    elif is_custom:
        yield field, _plain(value)
    else:
        raise _UnwritableError("has no field there: map it to a custom one, such as X__c")


def _parts(prefix: str, address: Address) -> Iterator[tuple[str, object]]:
    if not is_empty(address.province):
        raise _UnwritableError("has a province, for which there is none: use region")
    lines = [line for line in (address.street, address.street_2) if not is_empty(line)]
    for end, _, attribute in PARTS:
        value = "\n".join(map(str, lines)) if attribute == "street" else None
        if attribute not in (None, "street"):
            value = getattr(address, str(attribute))
        if not is_empty(value):
            yield f"{prefix}{end}", value


def _plain(value: object) -> object:  # noqa: PLR0911 - one line per type, a table
    match value:
        case bool() | int() | str() | None:
            return value
        case Decimal():
            return _number(value)
        case datetime():
            return _moment(value)
        case date():
            return value.isoformat()
        case Channel():
            return value.value
        case (Channel() as one,):
            return one.value
        case tuple() if all(isinstance(one, str) and ";" not in one for one in value):
            return ";".join(str(one) for one in value if not is_empty(one))
        case tuple():
            raise _UnwritableError("holds several values that are no options")
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            raise _UnwritableError(f"is {named(type(value))}, which is no JSON")


def _number(value: Decimal) -> int | float:
    """Return the number whose JSON text is *value* to the last digit.

    A float is told by the shortest text that means it: where that is the value, nothing is lost.
    """
    if value == value.to_integral_value() and value.adjusted() < _DIGITS:
        return int(value)
    if Decimal(repr(float(value))) == value:
        return float(value)
    raise _UnwritableError("has more digits than a number holds there")


def _moment(value: datetime) -> str:
    exact = "milliseconds" if value.microsecond % 1000 == 0 else "microseconds"
    return value.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "+0000")
