"""What Salesforce calls the fields of the standard kinds, and what it tells of a record besides.

What a name means there, the field it stands for says here: the tables below only pair names. What
they do not pair keeps its own name and is a custom field.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from leadconvert import Company, Contact, Deal, FrozenMap, Lead, Record


__all__ = [
    "ACCOUNT",
    "CONTACT",
    "LEAD",
    "OPPORTUNITY",
    "PARTS",
    "SHAPES",
    "Shape",
    "field_of",
    "shape_of",
]


def _names(values: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(values)


@attrs.frozen(kw_only=True)
class Shape:
    """How an object of theirs stands for a kind of ours."""

    object: str
    kind: str
    cls: type[Record]
    #: The field ids of ours by their names.
    fields: Mapping[str, str] = attrs.field(converter=_names)
    #: The ids of our address fields by what their parts' names begin with there.
    addresses: Mapping[str, str] = attrs.field(converter=_names)
    #: What the system works out itself from the rest.
    derived: frozenset[str]

    def name_of(self, field: str) -> str:
        """Return what *field* is called there: its own name where it is a custom one."""
        return next((name for name, own in self.fields.items() if own == field), field)


#: The parts of an address: how their names end, how the compound calls them, and our attribute.
PARTS: Final = (
    ("Street", "street", "street"),
    ("City", "city", "city"),
    ("State", "state", "region"),
    ("PostalCode", "postalCode", "postal_code"),
    ("Country", "country", "country"),
    ("CountryCode", "countryCode", "country_code"),
    # no parts of our addresses: custom fields
    ("StateCode", "stateCode", None),
    ("Latitude", "latitude", None),
    ("Longitude", "longitude", None),
    ("GeocodeAccuracy", "geocodeAccuracy", None),
)

_DERIVED: Final = (
    "attributes",
    "SystemModstamp",
    "LastModifiedById",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "MasterRecordId",
    "PhotoUrl",
)
_PERSON: Final = {
    "Salutation": "honorific",
    "FirstName": "first_name",
    "MiddleName": "middle_name",
    "LastName": "last_name",
    "Title": "job_title",
    "Phone": "phones",
    "Email": "emails",
    "LeadSource": "source",
    "OwnerId": "owner_id",
    "Description": "comments",
    "LastModifiedDate": "updated_at",
}

LEAD: Final = Shape(
    object="Lead",
    kind="lead",
    cls=Lead,
    fields={
        **_PERSON,
        "Company": "company_name",
        "Status": "stage",
        "Website": "websites",
        "CurrencyIsoCode": "currency",
        "CreatedDate": "created_at",
        "CreatedById": "created_by_id",
    },
    addresses={"": "address"},
    derived=frozenset([*_DERIVED, "Name", "IsUnreadByOwner"]),
)
CONTACT: Final = Shape(
    object="Contact",
    kind="contact",
    cls=Contact,
    fields={**_PERSON, "Birthdate": "birth_date", "AccountId": "company_id"},
    addresses={"Mailing": "address", "Other": "OtherAddress"},
    derived=frozenset([*_DERIVED, "Name", "IsEmailBounced", "CreatedDate", "CreatedById"]),
)
ACCOUNT: Final = Shape(
    object="Account",
    kind="company",
    cls=Company,
    fields={
        "Name": "name",
        "Phone": "phones",
        "Website": "websites",
        "OwnerId": "owner_id",
        "Description": "comments",
        "LastModifiedDate": "updated_at",
    },
    addresses={"Billing": "address", "Shipping": "ShippingAddress"},
    derived=frozenset([*_DERIVED, "CreatedDate", "CreatedById"]),
)
OPPORTUNITY: Final = Shape(
    object="Opportunity",
    kind="deal",
    cls=Deal,
    fields={
        "Name": "title",
        "RecordTypeId": "pipeline",
        "StageName": "stage",
        "Type": "type",
        "CloseDate": "close_date",
        "Amount": "amount",
        "CurrencyIsoCode": "currency",
        "LeadSource": "source",
        "AccountId": "company_id",
        "ContactId": "contact_ids",
        "OwnerId": "owner_id",
        "Description": "comments",
        "LastModifiedDate": "updated_at",
    },
    addresses={},
    derived=frozenset(
        [
            *_DERIVED,
            "CreatedDate",
            "CreatedById",
            "IsClosed",
            "IsWon",
            "Fiscal",
            "FiscalQuarter",
            "FiscalYear",
            "ForecastCategory",
            "ExpectedRevenue",
            "HasOpportunityLineItem",
            "LastStageChangeDate",
        ]
    ),
)

SHAPES: Final = (LEAD, ACCOUNT, CONTACT, OPPORTUNITY)


def shape_of(record: Record) -> Shape | None:
    """Return the shape that *record* is written in, or None where there is none."""
    return next((shape for shape in SHAPES if isinstance(record, shape.cls)), None)


def field_of(shape: Shape, name: str) -> str:
    """Return the id of the field that *name* is about: of an address, be it a part of it."""
    for prefix, field in shape.addresses.items():
        compound = f"{prefix}Address"
        parts = (f"{prefix}{end}" for end, _, attribute in PARTS if attribute is not None)
        if name in {compound, *parts}:
            return field
    return shape.fields.get(name, name)
