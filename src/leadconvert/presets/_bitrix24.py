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
    ConversionRules,
    Field,
    FieldMapping,
    Grant,
    Lead,
    Pipeline,
    Policy,
    Role,
    Stage,
)
from leadconvert.fields import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.presets._bitrix24_json import leads as read_leads


__all__ = ["Bitrix24", "bitrix24"]

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
        Role("admin", [Grant("*", list(Action))]),
        Role(
            "sales",
            [
                Grant("lead", ["read", "update", "convert", "move"], "own"),
                *(Grant(kind, ["read", "link"]) for kind in _CLIENTS),
                *(Grant(kind, ["create", "update"], "own") for kind in _CLIENTS),
                Grant("deal", ["read", "create", "update", "move"], "own"),
            ],
        ),
    ]
)


@cache
def _rules() -> ConversionRules:
    return ConversionRules(
        lead=_LEAD,
        kinds=_KINDS,
        pipelines=_PIPELINES,
        mappings=_MAPPINGS,
        policy=_POLICY,
    )


@attrs.frozen
class Bitrix24:
    """The rules of a Bitrix24 as it comes, and a reader of its leads.

    The default policy has two roles: ``admin`` may do everything; ``sales`` works on its own leads
    and deals, makes contacts and companies of its own, and may read and point at any of them. A
    contact needs a first or a last name, a company a name, a deal a title, and an amount a
    currency.

    The field map is that of the vendor's converter. What it leaves behind is left behind by name:
    stage description, author and times, ``IS_MANUAL_OPPORTUNITY``, ``ADDRESS_LOC_ADDR_ID``. It
    carries no observers either; they are in the result's `dropped`, unless a mapping of your own
    carries them.

    Example:
        >>> from leadconvert import presets
        >>> rules = presets.bitrix24()
        >>> [kind.id for kind in rules.kinds]
        ['contact', 'company', 'deal']
    """

    def __call__(self) -> ConversionRules:
        """Return the rules; change them with `attrs.evolve`."""
        return _rules()

    def leads(self, data: object) -> tuple[Lead, ...]:
        """Read the leads out of JSON data as ``crm.lead.*`` and ``crm.item.*`` give it.

        A single lead, a list of them, and either inside ``result`` will do, as will the data set
        that comes with the vendor's documentation. What has no standard field keeps its name and
        goes into `custom`; what the system derives itself (``HAS_PHONE``, ``STATUS_SEMANTIC_ID``
        and the like) is not read. Of a product row its name, price, quantity, product and tax rate
        are. Moments keep their time zone, and a birthday is the day as written. Floats are not
        exact and refused: parse with ``json.loads(text, parse_float=Decimal)``.

        Raises:
            ValueError: the data has another shape, or a value cannot be read; all mistakes, each
                with the lead and the field.

        Example:
            >>> from leadconvert import presets
            >>> [lead] = presets.bitrix24.leads(
            ...     {"result": {"ID": "7", "STATUS_ID": "NEW", "TITLE": "Engine", "OPENED": "Y"}}
            ... )
            >>> lead
            Lead(id='7', opened=True, stage='NEW', title='Engine')
        """
        return read_leads(data)


bitrix24: Final = Bitrix24()
