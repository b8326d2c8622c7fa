"""Bitrix24: its default pipelines, field map and a small policy, in the library's own words.

The field map is that of the vendor's own converter (lead to contact, company and deal). Better than
there: nothing is dropped in silence, and what it leaves behind is left behind by name. Observers
reach nothing there, which nobody has decided on purpose: they are reported as dropped.
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

_EVERYWHERE: Final = (
    "comments",
    "opened",
    "tags",  # no rule of the vendor's speaks of them; all who are tagged keep their tags
    "address",
    "owner_id",
    "originator_id",
    "origin_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
)
_PERSON: Final = (
    "honorific",
    "first_name",
    "middle_name",
    "last_name",
    "birth_date",
    "job_title",
)
_CHANNELS: Final = ("phones", "emails", "websites", "messengers")
_SOURCE: Final = ("source", "source_description")
_BUSINESS: Final = ("title", "amount", "currency", "products")

_FACE: Final = Field("FACE_ID", "text", label="Face")
_WEBFORM: Final = Field("WEBFORM_ID", "text", label="Web form")
_LINK: Final = Field("LINK", "url", multiple=True, label="Links")
_MANUAL_AMOUNT: Final = Field("IS_MANUAL_OPPORTUNITY", "boolean", label="Amount is set by hand")
_LOCATION: Final = Field("ADDRESS_LOC_ADDR_ID", "text", label="Location of the address")

_LEAD: Final = attrs.evolve(LEAD, custom=[_FACE, _WEBFORM, _LINK, _MANUAL_AMOUNT, _LOCATION])
_KINDS: Final = (
    attrs.evolve(CONTACT, custom=[_FACE, _LINK]),
    attrs.evolve(COMPANY, custom=[_LINK]),
    attrs.evolve(DEAL, custom=[_WEBFORM]),
)


def _same(kind: str, *names: str) -> list[FieldMapping]:
    return [FieldMapping(name, kind) for name in names]


_MAPPINGS: Final = [
    FieldMapping("company_name", "company", "name", fallbacks=["title"]),
    *_same("contact", *_PERSON, *_CHANNELS, *_SOURCE, *_EVERYWHERE),
    *_same("company", *_CHANNELS, *_EVERYWHERE),
    *_same("deal", *_BUSINESS, *_SOURCE, *_EVERYWHERE),
    *_same("contact", "FACE_ID", "LINK"),
    *_same("company", "LINK"),
    *_same("deal", "WEBFORM_ID"),
    # the first entry of the vendor's dictionary of deal types
    FieldMapping.fixed("deal", "type", "SALE"),
    # the clients a lead is bound to; one made in the same conversion comes first
    *_same("contact", "company_id"),
    *_same("deal", "contact_ids", "company_id"),
    # the vendor's converter carries none of these
    *(
        FieldMapping.leave(name)
        for name in (
            "stage_description",
            "created_at",
            "created_by_id",
            "updated_at",
            _MANUAL_AMOUNT.id,
            _LOCATION.id,
        )
    ),
]

_BINDINGS: Final = [
    Field("lead_ids", "reference", to="lead", multiple=True, label="Leads"),
    Field("contact_ids", "reference", to="contact", multiple=True, label="Contacts"),
    Field("company_ids", "reference", to="company", multiple=True, label="Companies"),
    Field("deal_ids", "reference", to="deal", multiple=True, label="Deals"),
]
_ACTIVITY: Final = Kind(
    "activity",
    fields=[
        Field("subject", "text"),
        Field("description", "text"),
        Field("deadline", "datetime"),
        Field("completed", "boolean"),
        Field("owner_id", "text", label="Responsible"),
        *_BINDINGS,
    ],
    name="subject",
    owner="owner_id",
    converted_from=None,
)
_COMMENT: Final = Kind(
    "comment",
    fields=[Field("text", "text"), Field("author_id", "text"), *_BINDINGS],
    name="text",
    owner="author_id",
    converted_from=None,
)
_EVERY_TARGET: Final = {"contact": "share", "company": "share", "deal": "share"}
_CHILDREN: Final = [
    # whoever converts the lead need not ask each one; the open ones end with the lead
    ChildRule(_ACTIVITY, _EVERY_TARGET, close={"completed": True}, asks=False),
    ChildRule(_COMMENT, _EVERY_TARGET, asks=False),
]

_PIPELINES: Final = [
    Pipeline(
        "leads",
        "lead",
        [
            "NEW",
            "IN_PROCESS",
            "PROCESSED",
            Stage("CONVERTED", "success"),
            Stage("JUNK", "failure"),
        ],
    ),
    Pipeline(
        "0",
        "deal",
        [
            "NEW",
            "PREPARATION",
            "PREPAYMENT_INVOICE",
            "EXECUTING",
            "FINAL_INVOICE",
            Stage("WON", "success"),
            Stage("LOSE", "failure"),
            Stage("APOLOGY", "failure"),
        ],
        label="General",
        default=True,
    ),
]

_CLIENTS: Final = ("contact", "company")
_POLICY: Final = Policy(
    [
        Role("admin", [Grant("*", list(Action)), Grant("*", ["read", "update"], fields="*")]),
        Role(
            "robot",
            [
                Grant("*", ["read", "create", "update", "merge", "link", "assign"]),
                Grant("lead", ["convert", "move"]),
            ],
        ),
        Role(
            "sales",
            [
                Grant("lead", ["read", "update", "convert", "move"], "own"),
                *(Grant(kind, ["read", "link"]) for kind in _CLIENTS),
                *(Grant(kind, ["create", "update", "merge"], "own") for kind in _CLIENTS),
                Grant("deal", ["read", "create", "update", "move"], "own"),
            ],
        ),
    ]
)


@cache
def rules() -> ConversionRules:
    """Return the rules of a Bitrix24 as it comes."""
    return ConversionRules(
        lead=_LEAD,
        kinds=_KINDS,
        pipelines=_PIPELINES,
        mappings=_MAPPINGS,
        children=_CHILDREN,
        policy=_POLICY,
    )
