"""Salesforce's default stages and field map, in the library's own words.

The field map is that of the vendor's conversion. Better than there: nothing is dropped in silence,
and what it leaves behind is left behind by name.
"""

from functools import cache
from typing import Final

import attrs

from leadconvert import (
    Action,
    ChildRule,
    ConversionRules,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Pipeline,
    Policy,
    Role,
    Stage,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


__all__ = ["rules"]

#: As long as the standard fields are there.
_NAME: Final = Field("last_name", "text", required=True, max_length=80)
_FIRST: Final = Field("first_name", "text", max_length=40)
_TITLE: Final = Field("job_title", "text", max_length=128)

_FAX: Final = Field("Fax", "phone")
_CURRENCY: Final = Field("CurrencyIsoCode", "text", label="Currency")
_RECORD_TYPE: Final = Field("RecordTypeId", "text", label="Record type")
_UPDATED: Final = Field("updated_at", "datetime")
_SIZE: Final = [
    Field("AnnualRevenue", "money", label="Annual revenue"),
    Field("NumberOfEmployees", "integer", label="Employees"),
    Field("Industry", "text"),
    Field("Rating", "text"),
]
_OPT_OUTS: Final = [
    Field("DoNotCall", "boolean", label="Do not call"),
    Field("HasOptedOutOfEmail", "boolean", label="Email opt out"),
    Field("HasOptedOutOfFax", "boolean", label="Fax opt out"),
]
_OF_PERSON: Final = [
    Field("Suffix", "text"),
    Field("MobilePhone", "phone", label="Mobile"),
    _FAX,
    *_OPT_OUTS,
]


def _refined(kind: Kind, *fields: Field) -> tuple[Field, ...]:
    """Return how *kind* refines its class, with *fields* in place of those of the same name."""
    named = {field.id for field in fields}
    return (*(field for field in kind.fields if field.id not in named), *fields)


_LEAD: Final = attrs.evolve(
    LEAD,
    name="last_name",
    fields=_refined(
        LEAD,
        attrs.evolve(_NAME, required=False),
        _FIRST,
        _TITLE,
        Field("company_name", "text", max_length=255),
    ),
    custom=[*_OF_PERSON, *_SIZE, Field("StateCode", "text", label="State code"), _RECORD_TYPE],
)
_CONTACT: Final = attrs.evolve(
    CONTACT,
    fields=_refined(CONTACT, _NAME, _FIRST, _TITLE),
    any_of=[],  # the last name is required
    custom=[
        *_OF_PERSON,
        Field("HomePhone", "phone", label="Home phone"),
        Field("OtherPhone", "phone", label="Other phone"),
        Field("AssistantPhone", "phone", label="Asst. phone"),
        Field("OtherAddress", "address", label="Other address"),
        Field("MailingStateCode", "text", label="Mailing state code"),
        _CURRENCY,
        _RECORD_TYPE,
        _UPDATED,
    ],
)
_ACCOUNT: Final = attrs.evolve(
    COMPANY,
    fields=_refined(COMPANY, Field("name", "text", required=True, max_length=255)),
    custom=[
        _FAX,
        *_SIZE,
        Field("ShippingAddress", "address", label="Shipping address"),
        Field("BillingStateCode", "text", label="Billing state code"),
        _CURRENCY,
        _RECORD_TYPE,
        _UPDATED,
    ],
)
_OPPORTUNITY: Final = attrs.evolve(
    DEAL,
    fields=_refined(
        DEAL,
        Field("title", "text", required=True, max_length=120, label="Name"),
        # the vendor guesses the end of the quarter; here somebody says it
        Field("close_date", "date", required=True),
        # an organisation with one currency names none
        Field("amount", "money", sums="products"),
    ),
    custom=[_UPDATED],
)


def _same(kind: str, *names: str, conflict: str = "fill") -> list[FieldMapping]:
    return [FieldMapping(name, kind, conflict=conflict) for name in names]


_MAPPINGS: Final = [
    FieldMapping("company_name", "company", "name"),
    *_same("company", "phones", "websites", "address", "owner_id", "Fax"),
    *_same("company", "AnnualRevenue", "NumberOfEmployees", "Industry", "Rating"),
    FieldMapping("currency", "company", "CurrencyIsoCode"),
    FieldMapping("StateCode", "company", "BillingStateCode"),
    *_same("contact", "honorific", "first_name", "middle_name", "last_name", "Suffix"),
    *_same("contact", "job_title", "phones", "emails", "address", "source", "comments"),
    *_same("contact", "owner_id", "MobilePhone", "Fax"),
    # who objected there is not overruled by a lead
    *_same("contact", "DoNotCall", "HasOptedOutOfEmail", "HasOptedOutOfFax", conflict="keep"),
    FieldMapping("currency", "contact", "CurrencyIsoCode"),
    FieldMapping("StateCode", "contact", "MailingStateCode"),
    # a company's name may be longer than an opportunity's
    FieldMapping("company_name", "deal", "title", fallbacks=["last_name"], overflow="shorten"),
    *_same("deal", "currency", "source", "owner_id"),
    # the clients a lead is bound to; one made in the same conversion comes first
    *_same("contact", "company_id"),
    *_same("deal", "contact_ids", "company_id"),
    # the vendor's conversion carries none of these
    *map(FieldMapping.leave, ("created_at", "created_by_id", "updated_at", "RecordTypeId")),
]

_BINDINGS: Final = [
    Field("lead_ids", "reference", to="lead", multiple=True, label="Leads"),
    Field("contact_ids", "reference", to="contact", multiple=True, label="Contacts"),
    Field("company_ids", "reference", to="company", multiple=True, label="Accounts"),
    Field("deal_ids", "reference", to="deal", multiple=True, label="Opportunities"),
]
_ACTIVITY: Final = Kind(
    "activity",
    fields=[
        Field("subject", "text"),
        Field("description", "text"),
        Field("activity_date", "date"),
        Field("status", "text"),
        Field("owner_id", "text"),
        *_BINDINGS,
    ],
    name="subject",
    owner="owner_id",
    converted_from=None,
)
_MEMBER: Final = Kind(
    "campaign_member",
    label="Campaign member",
    fields=[
        Field("campaign_id", "reference", to="campaign"),
        Field("status", "text"),
        Field("has_responded", "boolean"),
        *_BINDINGS[:2],
    ],
    name="campaign_id",
    converted_from=None,
)
_CHILDREN: Final = [
    # whoever converts the lead need not ask each one
    ChildRule(_ACTIVITY, {"contact": "share", "company": "share", "deal": "share"}, asks=False),
    ChildRule(_MEMBER, {"contact": "share"}, asks=False),
]

_PIPELINES: Final = [
    Pipeline(
        "leads",
        "lead",
        [
            "Open - Not Contacted",
            "Working - Contacted",
            Stage("Closed - Converted", "success"),
            Stage("Closed - Not Converted", "failure"),
        ],
    ),
    Pipeline(
        "opportunities",
        "deal",
        [
            "Prospecting",
            "Qualification",
            "Needs Analysis",
            "Value Proposition",
            "Id. Decision Makers",
            "Perception Analysis",
            "Proposal/Price Quote",
            "Negotiation/Review",
            Stage("Closed Won", "success"),
            Stage("Closed Lost", "failure"),
        ],
        label="Opportunities",
        default=True,
    ),
]

_POLICY: Final = Policy(
    [
        Role("admin", [Grant("*", list(Action)), Grant("*", ["read", "update"], fields="*")]),
        Role(
            "sales",
            [
                Grant("*", ["read", "link", "create", "update", "merge", "move"]),
                Grant("lead", ["convert", "assign"]),
                *(Grant(kind, ["assign"], "own") for kind in ("contact", "company", "deal")),
            ],
        ),
    ]
)


@cache
def rules() -> ConversionRules:
    """Return the rules, which are built once."""
    return ConversionRules(
        lead=_LEAD,
        kinds=[_CONTACT, _ACCOUNT, _OPPORTUNITY],
        pipelines=_PIPELINES,
        mappings=_MAPPINGS,
        children=_CHILDREN,
        policy=_POLICY,
    )
