"""What Bitrix24 calls a field, in either of its two shapes, and what it is called here.

``crm.lead.*``, ``crm.contact.*``, ``crm.company.*`` and ``crm.deal.*`` have names in capitals,
``crm.item.*`` has camelCase ones for the same. Names in capitals are the ones used in between; what
has no standard field here is a custom field under that name.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from leadconvert import Address, Company, Contact, Deal, Field, FieldType, Lead
from leadconvert.records import Record
from leadconvert.values import attributes


__all__ = ["ADDRESS_PARTS", "CLIENTS", "FLAT", "MULTIFIELDS", "NAMES", "Names", "camel", "ids_at"]

#: The multi-fields, and where they are kept here; those of other types keep their type as name.
MULTIFIELDS: Final[Mapping[str, str]] = {
    "PHONE": "phones",
    "EMAIL": "emails",
    "WEB": "websites",
    "IM": "messengers",
    "LINK": "LINK",
}
#: How each part of an address ends there: ``ADDRESS_CITY``, ``REG_ADDRESS_CITY``.
ADDRESS_PARTS: Final[Mapping[str, str]] = {
    part: "" if part == "street" else "_2" if part == "street_2" else f"_{part.upper()}"
    for part in attributes(Address)
}
#: The clients of a lead or a deal: the first one, and all.
CLIENTS: Final = ("CONTACT_ID", "CONTACT_IDS")
#: Texts by which crm.item.* repeats what is in its channels.
FLAT: Final = frozenset(
    {
        *("phone", "phoneMobile", "phoneWork", "phoneMailing"),
        *("email", "emailHome", "emailWork", "emailMailing"),
        *("skype", "icq", "imol"),
    }
)
#: Fields that hold ids: numbers in crm.item.*, texts elsewhere.
IDS: Final = frozenset(
    {
        *("ID", "LEAD_ID", "CONTACT_ID", "CONTACT_IDS", "COMPANY_ID", "COMPANY_IDS"),
        *("ASSIGNED_BY_ID", "OBSERVER_IDS", "CREATED_BY_ID", "CATEGORY_ID", "QUOTE_ID"),
        *("WEBFORM_ID", "FACE_ID", "ADDRESS_LOC_ADDR_ID", "REG_ADDRESS_LOC_ADDR_ID"),
        *("LOCATION_ID", "MYCOMPANY_ID", "PHOTO", "LOGO"),
    }
)
_PARENT: Final = re.compile(r"PARENT_ID_([0-9]+)")
_ITEM_PARENT: Final = re.compile(r"parentId([0-9]+)")
_OWN: Final = re.compile(r"UF_CRM_(?:([0-9]+)_)?([0-9]+)")
_ITEM_OWN: Final = re.compile(r"ufCrm([0-9]+)?_([0-9]+)")
_OWN_WORDS: Final = re.compile(r"UF(_[A-Z]+)+")
_ITEM_OWN_WORDS: Final = re.compile(r"uf([A-Z][a-z]*)+")
_WORD: Final = re.compile(r"[A-Z][a-z]*")


def ids_at(name: str) -> bool:
    """Tell whether the field *name* holds ids."""
    return name in IDS or _PARENT.fullmatch(name) is not None


def camel(name: str) -> str:
    """Return *name* as crm.item.* has it, by its general rule.

    A name of the user's own that could not be told back from it stays as it is, which the vendor
    takes as well.
    """
    if found := _PARENT.fullmatch(name):
        return f"parentId{found[1]}"
    if name.startswith("UF_"):
        if found := _OWN.fullmatch(name):
            return f"ufCrm{found[1] or ''}_{found[2]}"
        if not _OWN_WORDS.fullmatch(name):
            return name
    first, *rest = name.lower().split("_")
    return first + "".join(f"_{part}" if part.isdigit() else part.capitalize() for part in rest)


def _capitals(name: str) -> str:
    """Return the name in capitals of what only the user's own field or a parent can be."""
    if found := _ITEM_PARENT.fullmatch(name):
        return f"PARENT_ID_{found[1]}"
    if found := _ITEM_OWN.fullmatch(name):
        return f"UF_CRM_{found[1]}_{found[2]}" if found[1] else f"UF_CRM_{found[2]}"
    if _ITEM_OWN_WORDS.fullmatch(name):
        return "_".join(["UF", *map(str.upper, _WORD.findall(name))])
    return name


def _folded(name: str) -> str:
    return name.replace("_", "").upper()


@attrs.frozen
class Names:
    """The names of one type of record."""

    kind: str
    record: type[Record]
    #: Its number among all that crm.item.* serves.
    number: str
    plural: str
    #: The standard field of each name.
    standard: Mapping[str, str]
    #: What the vendor has of its own and this library has no standard field for, by name.
    others: Mapping[str, Field]
    #: What the system works out itself from the rest: not read.
    derived: frozenset[str]
    #: What the parts of each address begin with.
    addresses: tuple[str, ...]
    #: The names of crm.item.* that its general rule does not give.
    item: Mapping[str, str]
    _known: Mapping[str, str]

    def capitals(self, name: str, own: Iterable[str]) -> str:
        """Return the name in capitals of a field that either shape calls *name*.

        *own* are the fields of the user's rules: what no rule of the vendor's tells back, such as a
        name mixed of letters and digits, is told by them alone.
        """
        if name in self._known:
            return self._known[name]
        told = _capitals(name)
        if told == name and not name.isupper():
            same = (one for one in own if one.isupper() and _folded(one) == _folded(name))
            told = next(same, name)
        return told

    def told(self, name: str, *, as_item: bool) -> str:
        """Return what the field *name* is called in a shape."""
        if not as_item:
            return name
        known = name.startswith("UF_") or name in self._known.values() or ids_at(name)
        return self.item.get(name, camel(name) if known else name)


def _fields(**types: str) -> dict[str, Field]:
    return {name: Field(name, FieldType(type_)) for name, type_ in types.items()}


def _several(name: str) -> dict[str, Field]:
    return {name: Field(name, "text", multiple=True)}


_EVERYBODY: Final = {
    "ASSIGNED_BY_ID": "owner_id",
    "OBSERVER_IDS": "observer_ids",
    "OPENED": "opened",
    "COMMENTS": "comments",
    "ORIGINATOR_ID": "originator_id",
    "ORIGIN_ID": "origin_id",
    "UTM_SOURCE": "utm_source",
    "UTM_MEDIUM": "utm_medium",
    "UTM_CAMPAIGN": "utm_campaign",
    "UTM_CONTENT": "utm_content",
    "UTM_TERM": "utm_term",
    "ADDRESS": "address",
}
_PERSON: Final = {
    "HONORIFIC": "honorific",
    "NAME": "first_name",
    "SECOND_NAME": "middle_name",
    "LAST_NAME": "last_name",
    "BIRTHDATE": "birth_date",
    "POST": "job_title",
    "COMPANY_ID": "company_id",
}
_SOURCE: Final = {"SOURCE_ID": "source", "SOURCE_DESCRIPTION": "source_description"}
_BUSINESS: Final = {
    "TITLE": "title",
    "OPPORTUNITY": "amount",
    "CURRENCY_ID": "currency",
    "COMPANY_ID": "company_id",
    "PRODUCT_ROWS": "products",
}
_MADE_FROM: Final = {"LEAD_ID": "converted_from"}

_KEPT: Final = _fields(
    DATE_CREATE="datetime",
    CREATED_BY_ID="text",
    DATE_MODIFY="datetime",
    FACE_ID="text",
    WEBFORM_ID="text",
    ADDRESS_LOC_ADDR_ID="text",
)
_CONTACT: Final = _fields(
    TYPE_ID="text", PHOTO="file", EXPORT="boolean", CATEGORY_ID="text", ORIGIN_VERSION="text"
)
_COMPANY: Final = _fields(
    COMPANY_TYPE="text",
    INDUSTRY="text",
    EMPLOYEES="text",
    REVENUE="decimal",
    CURRENCY_ID="text",
    BANKING_DETAILS="text",
    LOGO="file",
    IS_MY_COMPANY="boolean",
    CATEGORY_ID="text",
    ORIGIN_VERSION="text",
    ADDRESS_LEGAL="text",
    REG_ADDRESS="address",
    REG_ADDRESS_LOC_ADDR_ID="text",
)
_DEAL: Final = _fields(
    PROBABILITY="integer",
    TAX_VALUE="decimal",
    ADDITIONAL_INFO="text",
    LOCATION_ID="text",
    QUOTE_ID="text",
    MYCOMPANY_ID="text",
    IS_MANUAL_OPPORTUNITY="boolean",
    IS_RECURRING="boolean",
    IS_RETURN_CUSTOMER="boolean",
    IS_REPEATED_APPROACH="boolean",
)

_WORKED_OUT: Final = (
    *("MODIFY_BY_ID", "LAST_ACTIVITY_BY", "LAST_ACTIVITY_TIME", "LAST_COMMUNICATION_TIME"),
    *("LAST_COMMUNICATION_CALL_TIME", "LAST_COMMUNICATION_EMAIL_TIME"),
    *("LAST_COMMUNICATION_IMOL_TIME", "LAST_COMMUNICATION_WEBFORM_TIME"),
)
_OF_CHANNELS: Final = ("HAS_PHONE", "HAS_EMAIL", "HAS_IMOL")
_OF_STAGES: Final = ("MOVED_BY_ID", "MOVED_TIME")
#: In crm.item.* alone.
_OF_ITEMS: Final = ("entityTypeId", "searchContent", "shortName", "updatedBy", "movedBy")
_OF_DATES: Final = ("dateCreateShort", "dateModifyShort")
_OF_DEALS: Final = (
    *("begindateShort", "closedateShort", "eventDateShort", "isWork", "isWon", "isLose"),
    *("hasProducts", "orderStage", "receivedAmount", "lostAmount", "previousStageId"),
)

_ITEM: Final = {
    "DATE_CREATE": "createdTime",
    "CREATED_BY_ID": "createdBy",
    "DATE_MODIFY": "updatedTime",
    "OBSERVER_IDS": "observers",
}


def _names(  # noqa: PLR0913 - one argument for each column of the table below
    kind: str,
    record: type[Record],
    number: str,
    plural: str,
    *,
    standard: Mapping[str, str],
    others: Mapping[str, Field],
    derived: Iterable[str],
    item: Mapping[str, str],
) -> Names:
    item = {**_ITEM, **item}
    prefixes = ("ADDRESS", *(name for name, one in others.items() if one.type == "address"))
    parts = [f"{prefix}{end}" for prefix in prefixes for end in ADDRESS_PARTS.values()]
    known = {camel(name): name for name in ("ID", *CLIENTS, *standard, *others, *parts)}
    known |= {told: name for name, told in item.items()} | {"OBSERVERS": "OBSERVER_IDS"}
    worked_out = frozenset([*derived, *map(camel, derived), *_OF_ITEMS])
    return Names(kind, record, number, plural, standard, others, worked_out, prefixes, item, known)


NAMES: Final[Mapping[str, Names]] = {
    "lead": _names(
        "lead",
        Lead,
        "1",
        "leads",
        standard={
            **_EVERYBODY,
            **_PERSON,
            **_SOURCE,
            **_BUSINESS,
            "COMPANY_TITLE": "company_name",
            "STATUS_ID": "stage",
            "STATUS_DESCRIPTION": "stage_description",
            "DATE_CREATE": "created_at",
            "CREATED_BY_ID": "created_by_id",
            "DATE_MODIFY": "updated_at",
        },
        others={
            **{name: _KEPT[name] for name in ("FACE_ID", "WEBFORM_ID", "ADDRESS_LOC_ADDR_ID")},
            "IS_MANUAL_OPPORTUNITY": _DEAL["IS_MANUAL_OPPORTUNITY"],
        },
        derived=(
            *_WORKED_OUT,
            *_OF_CHANNELS,
            *_OF_STAGES,
            *_OF_DATES,
            *("STATUS_SEMANTIC_ID", "stageSemanticId", "IS_RETURN_CUSTOMER", "DATE_CLOSED"),
            "isConvert",
        ),
        item={"STATUS_ID": "stageId"},
    ),
    "contact": _names(
        "contact",
        Contact,
        "3",
        "contacts",
        standard={**_EVERYBODY, **_PERSON, **_SOURCE, **_MADE_FROM},
        others={**_KEPT, **_CONTACT, **_several("COMPANY_IDS")},
        derived=(*_WORKED_OUT, *_OF_CHANNELS),
        item={},
    ),
    "company": _names(
        "company",
        Company,
        "4",
        "companies",
        standard={**_EVERYBODY, **_MADE_FROM, "TITLE": "name"},
        others={**_KEPT, **_COMPANY, **_several("CONTACT_ID")},
        derived=(*_WORKED_OUT, *_OF_CHANNELS),
        item={"COMPANY_TYPE": "typeId", "CONTACT_ID": "contactIds"},
    ),
    "deal": _names(
        "deal",
        Deal,
        "2",
        "deals",
        standard={
            **_EVERYBODY,
            **_SOURCE,
            **_BUSINESS,
            **_MADE_FROM,
            "CATEGORY_ID": "pipeline",
            "STAGE_ID": "stage",
            "TYPE_ID": "type",
            "BEGINDATE": "begin_date",
            "CLOSEDATE": "close_date",
        },
        others={**_KEPT, **_DEAL},
        derived=(
            *_WORKED_OUT,
            *_OF_STAGES,
            *_OF_DATES,
            *_OF_DEALS,
            *("STAGE_SEMANTIC_ID", "CLOSED", "IS_NEW"),
        ),
        item={},
    ),
}
