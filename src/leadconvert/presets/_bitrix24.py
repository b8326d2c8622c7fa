"""Bitrix24: its default pipelines, field map and a small policy, in the library's own words.

The field map is that of the vendor's own converter (lead to contact, company and deal). Better than
there: nothing is dropped in silence, and what it leaves behind is left behind by name. Observers
reach nothing there, which nobody has decided on purpose: they are reported as dropped.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import attrs

from leadconvert import (
    Action,
    ChildRule,
    Combine,
    ConversionRules,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Lead,
    Pipeline,
    Policy,
    Role,
    Stage,
)
from leadconvert.fields import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.presets._bitrix24_json import leads as read_leads
from leadconvert.presets._bitrix24_policy import policy as read_policy


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
def _rules() -> ConversionRules:
    return ConversionRules(
        lead=_LEAD,
        kinds=_KINDS,
        pipelines=_PIPELINES,
        mappings=_MAPPINGS,
        children=_CHILDREN,
        policy=_POLICY,
    )


@attrs.frozen
class Bitrix24:
    """The rules of a Bitrix24 as it comes, and readers of its leads and roles.

    The default policy has three roles: ``admin`` may do everything, and sees and fills sensitive
    fields; ``sales`` works on its own leads and deals, makes contacts and companies of its own, and
    may read and point at any of them. `policy` reads a Bitrix24's own roles instead. A contact
    needs a first or a last name, a company a name, a deal a title, and an amount a currency.

    The field map is that of the vendor's converter. What it leaves behind is left behind by name:
    stage description, author and times, ``IS_MANUAL_OPPORTUNITY``, ``ADDRESS_LOC_ADDR_ID``. It
    carries no observers either; they are in the result's `dropped`, unless a mapping of your own
    carries them.

    Activities and comments belong to every target as well, as there; open activities are completed
    when the lead is closed.

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

    def policy(
        self,
        roles: Mapping[str, object],
        *,
        combine: str = Combine.STAGE_EXPLICIT,
        cumulative: bool = True,
        kinds: Mapping[str, str] | None = None,
    ) -> Policy:
        """Expand a Bitrix24's own roles, ``{role: {entity: {operation: level}}}``, into a policy.

        Entities are ``LEAD``, ``CONTACT``, ``COMPANY``, ``DEAL`` (pipeline ``"0"``), ``DEAL_C5``
        (pipeline ``"5"``), and the smart processes ``DYNAMIC_128`` and ``DYNAMIC_128_C7``. *kinds*
        says which of your kinds each smart process is (``{"DYNAMIC_128": "project"}``), and may
        rename the others. ``DYNAMIC_128`` speaks of all its records, but where any role names a
        pipeline of it, of pipeline ``"0"`` alone, as with deals.

        * ``READ``: read, link.
        * ``ADD``: create, assign.
        * ``WRITE``: update, merge, move; of leads convert and reopen as well.
        * ``DELETE``: delete.
        * ``TRANSITION``: restricts where one may move, within ``WRITE``.

        ``EXPORT``, ``IMPORT``, ``AUTOMATION``, ``HIDE_SUM`` and ``MYCARDVIEW`` have no counterpart
        here: they are passed over, whatever they say. Taking a conversion back (*reverse*) has none
        there: nothing grants it.

        A level is a letter: ``""`` nothing, ``A`` one's own, ``D`` one's department's as well,
        ``F`` those of the departments below too, ``O`` all these and what is opened to everyone
        (only that if not *cumulative*), ``X`` all. Or it is one or several names of the newer
        editor: ``SELF``, ``DEPARTMENT``, ``SUBDEPARTMENTS``, ``TEAM``, ``SUBTEAMS``, ``OPEN``,
        ``ALL``, or ``"0"`` alone for nothing. Or a mapping with a level under ``"-"``, and others
        for single stages under ``STATUS_ID`` (leads) or ``STAGE_ID`` (deals, smart processes):
        ``{"-": "X", "STAGE_ID": {"WON": "A"}}``. A stage without a level, or with ``"-"`` or
        ``"INHERIT"``, inherits; one with ``""`` is out of reach.

        ``TRANSITION`` takes ``"ANY"``, ``"BLOCKED"``, or the list of stages one may move to; the
        same for single stages one moves from, where ``"-"`` and ``"INHERIT"`` inherit. Without it
        one may move anywhere, as in a Bitrix24 from before it had transitions; where it is there
        and says nothing of a stage, nowhere.

        Where the two systems differ, the narrower right is granted, but for the moves below. A
        record is created only within the level of ``ADD``, for whoever would own it. To be an
        observer gives nothing. There one writes and deletes only what one may read; here a
        conversion asks for both. Converting takes ``READ`` and ``WRITE`` of the lead, a transition
        to its success stage, ``ADD`` for each new record, ``READ`` of each that is linked and
        ``WRITE`` of each that is merged into. There are no rights on fields, so nobody sees a
        sensitive one unless you add a role for it: ``attrs.evolve(policy, roles=[*policy.roles,
        Role("margins", [...])])`` with ``Grant("deal", "read", fields="margin")`` in it.

        By default roles *combine* as ``stage_explicit``, since there the widest role wins, but what
        any role says of a stage itself beats what the others inherit, even where it is narrower.
        To move is one right here, two there: whom one role gives a ``WRITE`` of its own for a
        stage may move from it as that role's ``TRANSITION`` says, even where another role blocks
        that stage.

        Raises:
            leadconvert.errors.DefinitionError: a name is unknown, or something has the wrong shape
                (all mistakes at once, each with its place, such as ``policy sales.DEAL.READ``).

        Example:
            >>> from datetime import UTC, datetime
            >>> import attrs
            >>> from leadconvert import Actor, Lead, convert, presets
            >>> own = {"READ": "A", "ADD": "A", "WRITE": "A"}
            >>> policy = presets.bitrix24.policy(
            ...     {
            ...         "manager": {
            ...             "LEAD": {**own, "TRANSITION": {"STATUS_ID": {"NEW": ["CONVERTED"]}}},
            ...             "DEAL": {**own, "READ": {"-": "X", "STAGE_ID": {"WON": "A"}}},
            ...         }
            ...     }
            ... )
            >>> rules = attrs.evolve(presets.bitrix24(), policy=policy)
            >>> lead = Lead(id="L-7", stage="NEW", title="Engine", owner_id="u-7")
            >>> manager = Actor("u-7", roles=["manager"])
            >>> at = datetime(2027, 1, 31, tzinfo=UTC)
            >>> convert(lead, ["deal"], rules=rules, actor=manager, at=at).deal.title
            'Engine'
        """
        return read_policy(roles, combine=combine, cumulative=cumulative, kinds=kinds)


bitrix24: Final = Bitrix24()
