"""Reads leads from Bitrix24's REST JSON.

Two shapes tell one story: ``crm.lead.*`` in upper-case names, ``crm.item.*`` in camelCase ones with
all channels in ``fm``. Known names of the second are turned into those of the first, then there is
one reader. What it does not know keeps its own name and becomes a custom field.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import attrs

from leadconvert import Address, Channel, Lead, Product
from leadconvert.values import is_empty


__all__ = ["DERIVED", "leads"]

T = TypeVar("T")


class _UnreadableError(Exception):
    """Why a value cannot be read, as the end of a sentence that starts with the field's name."""


def _camel(name: str) -> str:
    """Return the name that ``crm.item.*`` has for a field: ``ADDRESS_2`` is ``address_2`` there."""
    first, *rest = name.lower().split("_")
    return first + "".join(f"_{part}" if part.isdigit() else part.capitalize() for part in rest)


_STATED: Final = (
    "HAS_PHONE",
    "HAS_EMAIL",
    "HAS_IMOL",
    "STATUS_SEMANTIC_ID",
    "IS_RETURN_CUSTOMER",
    "DATE_CLOSED",
    "MOVED_BY_ID",
    "MOVED_TIME",
    "MODIFY_BY_ID",
    "LAST_ACTIVITY_BY",
    "LAST_ACTIVITY_TIME",
)
#: What the system works out itself from the rest: not read.
DERIVED: Final = frozenset(
    [
        *_STATED,
        *map(_camel, _STATED),
        # the same under names of their own
        "stageSemanticId",
        "movedBy",
        "updatedBy",
        # in crm.item.* alone
        "dateCreateShort",
        "dateModifyShort",
        "entityTypeId",
        "isConvert",
        "searchContent",
        "shortName",
    ]
)

_READ: Final = (
    "ID",
    "TITLE",
    "STATUS_DESCRIPTION",
    "HONORIFIC",
    "NAME",
    "SECOND_NAME",
    "LAST_NAME",
    "BIRTHDATE",
    "POST",
    "COMPANY_TITLE",
    "COMMENTS",
    "OPENED",
    "SOURCE_ID",
    "SOURCE_DESCRIPTION",
    "OPPORTUNITY",
    "CURRENCY_ID",
    "IS_MANUAL_OPPORTUNITY",
    "ASSIGNED_BY_ID",
    "CONTACT_ID",
    "CONTACT_IDS",
    "COMPANY_ID",
    "ORIGINATOR_ID",
    "ORIGIN_ID",
    "FACE_ID",
    "WEBFORM_ID",
    "ADDRESS",
    "ADDRESS_2",
    "ADDRESS_CITY",
    "ADDRESS_POSTAL_CODE",
    "ADDRESS_REGION",
    "ADDRESS_PROVINCE",
    "ADDRESS_COUNTRY",
    "ADDRESS_COUNTRY_CODE",
    "ADDRESS_LOC_ADDR_ID",
    "UTM_SOURCE",
    "UTM_MEDIUM",
    "UTM_CAMPAIGN",
    "UTM_CONTENT",
    "UTM_TERM",
    "OBSERVER_IDS",
    "PRODUCT_ROWS",
)
#: Other names of what is read; phone and the like are no twins, see _FLAT.
_TWINS: Final[Mapping[str, str]] = {
    **{_camel(name): name for name in _READ},
    "stageId": "STATUS_ID",
    "createdTime": "DATE_CREATE",
    "createdBy": "CREATED_BY_ID",
    "updatedTime": "DATE_MODIFY",
    "observers": "OBSERVER_IDS",
    "OBSERVERS": "OBSERVER_IDS",
}
#: Texts by which crm.item.* repeats what is in its channels.
_FLAT: Final = frozenset(
    {
        "phone",
        "phoneMobile",
        "phoneWork",
        "phoneMailing",
        "email",
        "emailHome",
        "emailWork",
        "emailMailing",
        "skype",
        "icq",
        "imol",
    }
)
#: The type number of leads among all that crm.item.* serves.
_LEAD_TYPE: Final = "1"


def leads(data: object) -> tuple[Lead, ...]:
    """Return the leads in *data*, in their order; see `Bitrix24.leads`.

    Raises:
        ValueError: what is wrong, all of it, each with the field and the lead.
    """
    mistakes: list[str] = []
    found: list[Lead] = []
    for number, entry in enumerate(_entries(data), start=1):
        if isinstance(entry, Mapping):
            found += _read(entry, number, mistakes)
        else:
            told = type(entry).__name__
            mistakes.append(f"an object is needed, not a {told} @ lead number {number}")
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return tuple(found)


def _entries(data: object) -> list[object]:
    match data:
        case (
            {"entities": {"leads": inner}} | {"result": inner} | {"items": inner} | {"item": inner}
        ):
            return _entries(inner)
        case list() | tuple():
            return list(data)
        case Mapping():
            return [data]
        case _:
            told = type(data).__name__
            raise ValueError(
                f"a lead is an object, several are a list of them, and this is a {told}"
            )


@attrs.define
class _Fields:
    """The fields of one lead that nobody has taken yet, and what was wrong with those taken."""

    values: dict[str, object]
    mistakes: list[str] = attrs.field(factory=list)

    def take(self, name: str, read: Callable[[object], T]) -> T | None:
        """Return field *name* as *read* turns it, or None if it is empty or cannot be read."""
        value = self.values.pop(name, None)
        if _is_blank(value):
            return None
        try:
            return read(value)
        except _UnreadableError as error:
            self.mistakes.append(f"{name} {error}")
            return None

    def demand(self, name: str, read: Callable[[object], T | None], otherwise: T) -> T:
        """Return field *name*, which has to be there; *otherwise* goes with a mistake only."""
        before = len(self.mistakes)
        value = self.take(name, read)
        if value is None and len(self.mistakes) == before:
            self.mistakes.append(f"{name} is missing")
        return otherwise if value is None else value


def _named(entry: Mapping[object, object]) -> _Fields:
    """Return what is filled, under the names of crm.lead.* where they are known."""
    fields = _Fields({})
    for key, value in entry.items():
        name = _TWINS.get(str(key), str(key))
        if _is_blank(value):
            continue
        first = fields.values.setdefault(name, value)
        if first is not value and first != value:
            fields.mistakes.append(f"{name} stands twice, with different values")
    return fields


def _read(entry: Mapping[object, object], number: int, mistakes: list[str]) -> Iterator[Lead]:
    fields = _named(entry)
    type_ = fields.take("entityTypeId", _text)
    if type_ not in {None, _LEAD_TYPE}:
        fields.mistakes.append("entityTypeId is not that of leads, 1")
    for name in DERIVED:
        fields.values.pop(name, None)
    id_ = fields.demand("ID", _id, "")
    lead = _lead(id_, fields)
    at = f"lead {id_}" if id_ else f"lead number {number}"
    mistakes += (f"{mistake} @ {at}" for mistake in fields.mistakes)
    if not fields.mistakes:
        yield lead


def _lead(id_: str, fields: _Fields) -> Lead:
    take = fields.take
    grouped = take("fm", _grouped) or {}

    def channels(type_: str) -> tuple[Channel, ...]:
        return (*(take(type_, _channels) or ()), *grouped.pop(type_, ()))

    by_type = {type_: channels(type_) for type_ in ("PHONE", "EMAIL", "WEB", "IM", "LINK")}
    told = {channel.value for some in (*by_type.values(), *grouped.values()) for channel in some}
    primary = take("CONTACT_ID", _id)
    contacts = (*([primary] if primary else []), *(take("CONTACT_IDS", _ids) or ()))
    return Lead(
        id=id_,
        stage=fields.demand("STATUS_ID", _text, ""),
        stage_description=take("STATUS_DESCRIPTION", _text),
        title=take("TITLE", _text),
        honorific=take("HONORIFIC", _text),
        first_name=take("NAME", _text),
        middle_name=take("SECOND_NAME", _text),
        last_name=take("LAST_NAME", _text),
        birth_date=take("BIRTHDATE", _day),
        job_title=take("POST", _text),
        company_name=take("COMPANY_TITLE", _text),
        phones=by_type["PHONE"],
        emails=by_type["EMAIL"],
        websites=by_type["WEB"],
        messengers=by_type["IM"],
        address=_address(fields),
        amount=take("OPPORTUNITY", _number),
        currency=take("CURRENCY_ID", _text),
        products=take("PRODUCT_ROWS", _products) or (),
        source=take("SOURCE_ID", _text),
        source_description=take("SOURCE_DESCRIPTION", _text),
        comments=take("COMMENTS", _text),
        opened=take("OPENED", _flag),
        owner_id=take("ASSIGNED_BY_ID", _id),
        observer_ids=take("OBSERVER_IDS", _ids) or (),
        contact_ids=tuple(dict.fromkeys(contacts)),
        company_id=take("COMPANY_ID", _id),
        originator_id=take("ORIGINATOR_ID", _text),
        origin_id=take("ORIGIN_ID", _text),
        utm_source=take("UTM_SOURCE", _text),
        utm_medium=take("UTM_MEDIUM", _text),
        utm_campaign=take("UTM_CAMPAIGN", _text),
        utm_content=take("UTM_CONTENT", _text),
        utm_term=take("UTM_TERM", _text),
        created_at=take("DATE_CREATE", _moment),
        created_by_id=take("CREATED_BY_ID", _id),
        updated_at=take("DATE_MODIFY", _moment),
        custom=_custom(fields, {"LINK": by_type["LINK"], **grouped}, told),
    )


def _address(fields: _Fields) -> Address | None:
    address = Address(
        street=fields.take("ADDRESS", _text),
        street_2=fields.take("ADDRESS_2", _text),
        city=fields.take("ADDRESS_CITY", _text),
        postal_code=fields.take("ADDRESS_POSTAL_CODE", _text),
        region=fields.take("ADDRESS_REGION", _text),
        province=fields.take("ADDRESS_PROVINCE", _text),
        country=fields.take("ADDRESS_COUNTRY", _text),
        country_code=fields.take("ADDRESS_COUNTRY_CODE", _text),
    )
    return None if is_empty(address) else address


def _custom(
    fields: _Fields, channels: Mapping[str, tuple[Channel, ...]], told: set[str]
) -> dict[str, object]:
    known: dict[str, object] = {
        **channels,
        "FACE_ID": fields.take("FACE_ID", _id),
        "WEBFORM_ID": fields.take("WEBFORM_ID", _id),
        "ADDRESS_LOC_ADDR_ID": fields.take("ADDRESS_LOC_ADDR_ID", _id),
        "IS_MANUAL_OPPORTUNITY": fields.take("IS_MANUAL_OPPORTUNITY", _flag),
    }
    others = {
        name: fields.take(name, _plain)
        for name, value in list(fields.values.items())
        if not (name in _FLAT and value in told)
    }
    return {name: value for name, value in (known | others).items() if not is_empty(value)}


# -- what a value is, or why it is none: the reason follows the field's name ----------------------


def _is_blank(value: object) -> bool:
    return is_empty(tuple(value) if isinstance(value, list) else value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _UnreadableError("is no text")


def _id(value: object) -> str | None:
    """Return an id, or None where zero stands for nothing."""
    text = _text(value).strip()
    return None if text == "0" else text


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _UnreadableError("is no list of ids")
    return tuple(id_ for item in value if not _is_blank(item) and (id_ := _id(item)))


def _flag(value: object) -> bool:
    match value:
        case bool():
            return value
        case "Y":
            return True
        case "N":
            return False
        case _:
            raise _UnreadableError("is neither Y nor N")


def _number(value: object) -> Decimal:
    if isinstance(value, float):
        raise _UnreadableError("is a float, which is not exact: parse with parse_float=Decimal")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _UnreadableError("is no number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _UnreadableError("is no number") from None
    if not number.is_finite():
        raise _UnreadableError("is no finite number")
    return number


def _moment(value: object) -> datetime:
    moment = _parsed(value, "is no moment")
    if moment.utcoffset() is None:
        raise _UnreadableError("has no time zone")
    return moment


def _day(value: object) -> date:
    """Return the day as written, whatever the zone it is written in."""
    return _parsed(value, "is no day").date()


def _parsed(value: object, why_not: str) -> datetime:
    try:
        return datetime.fromisoformat(_text(value))
    except (ValueError, _UnreadableError):
        raise _UnreadableError(why_not) from None


def _objects(value: object, what: str) -> Iterator[Mapping[str, object]]:
    """Yield the objects of a list, each with its names in upper case and no underscores."""
    for entry in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(entry, Mapping):
            raise _UnreadableError(f"is no list of {what}")
        yield {str(name).upper().replace("_", ""): item for name, item in entry.items()}


def _channel(entry: Mapping[str, object]) -> Channel:
    value, use = entry.get("VALUE"), entry.get("VALUETYPE")
    return Channel(
        "" if value is None else _text(value), None if _is_blank(use) else _text(use).lower()
    )


def _channels(value: object) -> tuple[Channel, ...]:
    read = [_channel(entry) for entry in _objects(value, "channels")]
    return tuple(channel for channel in read if not is_empty(channel))


def _grouped(value: object) -> dict[str, tuple[Channel, ...]]:
    """Return the channels of ``fm`` by their type."""
    found: dict[str, tuple[Channel, ...]] = {}
    for entry in _objects(value, "channels"):
        type_ = entry.get("TYPEID")
        if _is_blank(type_):
            raise _UnreadableError("has a channel without typeId")
        channel = _channel(entry)
        if not is_empty(channel):
            found[_text(type_)] = (*found.get(_text(type_), ()), channel)
    return found


def _products(value: object) -> tuple[Product, ...]:
    return tuple(_product(entry) for entry in _objects(value, "product rows"))


def _product(entry: Mapping[str, object]) -> Product:
    fields = _Fields(dict(entry))
    product = Product(
        name=fields.demand("PRODUCTNAME", _text, ""),
        price=fields.demand("PRICE", _number, Decimal(0)),
        quantity=_or_one(fields.take("QUANTITY", _number)),
        product_id=fields.take("PRODUCTID", _id),
        tax_percent=fields.take("TAXRATE", _number),
    )
    if fields.mistakes:
        raise _UnreadableError(f"has a row whose {' and whose '.join(fields.mistakes)}")
    return product


def _or_one(number: Decimal | None) -> Decimal:
    return Decimal(1) if number is None else number


def _plain(value: object) -> object:
    """Return *value* if it is what JSON can say exactly."""
    match value:
        case list() | tuple():
            for item in value:
                _plain(item)
        case Mapping():
            for item in value.values():
                _plain(item)
        case float() | Decimal():
            _number(value)
        case None | str() | int():
            pass
        case _:
            raise _UnreadableError(f"is a {type(value).__name__}, which is no JSON")
    return value
