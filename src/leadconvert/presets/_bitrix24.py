"""Bitrix24 in one object: its rules, and what reads and writes its REST JSON."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

import attrs

from leadconvert import (
    Combine,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Kind,
    Lead,
    Option,
    Pipeline,
    Policy,
    Product,
)
from leadconvert.presets import _bitrix24_portal as answers
from leadconvert.presets import _bitrix24_reading as reading
from leadconvert.presets import _bitrix24_writing as writing
from leadconvert.presets._bitrix24_policy import policy as read_policy
from leadconvert.presets._bitrix24_rules import rules as own_rules
from leadconvert.records import Record


__all__ = ["Bitrix24", "bitrix24"]


@attrs.frozen
class Bitrix24:
    """The rules of a Bitrix24 as it comes, or of one of them, and readers and writers of its JSON.

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
        return own_rules()

    def leads(self, data: object, *, rules: ConversionRules | None = None) -> tuple[Lead, ...]:
        """Read the leads out of JSON data as ``crm.lead.*`` and ``crm.item.*`` give it.

        A single lead, a list of them, and either inside ``result`` will do, as will the data set
        that comes with the vendor's documentation. What has no standard field keeps its name in
        capitals (``UF_CRM_1`` for ``ufCrm_1``) and goes into `custom`: as the field of that name in
        the *rules* holds it (the preset's, unless given), or as it stands if no rule knows it. What
        the system derives itself (``HAS_PHONE``, ``STATUS_SEMANTIC_ID`` and the like) is not read.
        Of a product row its name, price, quantity, product and tax rate are: the price there has
        discounts taken off already, and a `Product` has no unit. Moments keep their time zone, and
        a day is the day as written. Floats are not exact and refused: parse with
        ``json.loads(text, parse_float=Decimal)``.

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
        return cast("tuple[Lead, ...]", reading.records(data, "lead", rules))

    def contacts(
        self, data: object, *, rules: ConversionRules | None = None
    ) -> tuple[Contact, ...]:
        """Read the contacts out of JSON data, as `leads` reads leads.

        ``LEAD_ID`` is read into `converted_from`. Type, photo, export flag, further companies,
        author and times have no standard field here and are custom fields under their own names.

        Raises:
            ValueError: as with `leads`.

        Example:
            >>> from leadconvert import presets
            >>> [contact] = presets.bitrix24.contacts({"ID": "3", "NAME": "Ada", "LEAD_ID": "7"})
            >>> contact
            Contact(id='3', first_name='Ada', converted_from=('7',))
        """
        return cast("tuple[Contact, ...]", reading.records(data, "contact", rules))

    def companies(
        self, data: object, *, rules: ConversionRules | None = None
    ) -> tuple[Company, ...]:
        """Read the companies out of JSON data, as `leads` reads leads.

        Type, industry, staff, revenue and its currency, logo, the legal address, contacts, author
        and times have no standard field here and are custom fields under their own names.

        Raises:
            ValueError: as with `leads`.

        Example:
            >>> from leadconvert import presets
            >>> [company] = presets.bitrix24.companies({"ID": "9", "TITLE": "X", "REVENUE": "5.00"})
            >>> company.name, company.custom["REVENUE"]
            ('X', Decimal('5.00'))
        """
        return cast("tuple[Company, ...]", reading.records(data, "company", rules))

    def deals(self, data: object, *, rules: ConversionRules | None = None) -> tuple[Deal, ...]:
        """Read the deals out of JSON data, as `leads` reads leads.

        ``CATEGORY_ID`` is the pipeline. Probability, tax, quote, additional information, flags,
        author and times have no standard field here and are custom fields under their own names.

        Raises:
            ValueError: as with `leads`.

        Example:
            >>> from leadconvert import presets
            >>> [deal] = presets.bitrix24.deals(
            ...     {"item": {"id": 5, "categoryId": 1, "stageId": "C1:NEW", "probability": 50}}
            ... )
            >>> deal.pipeline, deal.stage, deal.custom["PROBABILITY"]
            ('1', 'C1:NEW', 50)
        """
        return cast("tuple[Deal, ...]", reading.records(data, "deal", rules))

    def products(self, data: object) -> tuple[Product, ...]:
        """Read product rows, which the vendor answers apart: ``crm.lead.productrows.get``.

        Raises:
            ValueError: the data has another shape, or a value cannot be read.

        Example:
            >>> from leadconvert import presets
            >>> presets.bitrix24.products([{"PRODUCT_NAME": "Engine", "PRICE": 5}])[0].price
            Decimal('5')
        """
        return reading.product_rows(data)

    def contact_ids(self, data: object) -> tuple[str, ...]:
        """Read whose a lead or a deal is, the primary contact first: ``crm.*.contact.items.get``.

        Raises:
            ValueError: the data has another shape, or a value cannot be read.

        Example:
            >>> from leadconvert import presets
            >>> presets.bitrix24.contact_ids({"CONTACT_ID": 5, "IS_PRIMARY": "Y"})
            ('5',)
        """
        return reading.contact_ids(data)

    def to_json(self, record: Record, *, shape: str = "classic") -> dict[str, object]:
        """Write a lead, contact, company or deal as the vendor's answers tell it; the way back.

        *shape* is ``"classic"`` for that of ``crm.lead.*`` and its likes, or ``"item"`` for that of
        ``crm.item.*``. What is filled is written, and can be read back equal. There is no place
        there for `revision`, `tags`, `conversions`, `stage_history` and further leads a record came
        from: they are left out. Amounts are text, since a JSON number is read as a float.

        Raises:
            TypeError: it is another kind of record, or a custom field holds what JSON cannot say.
            ValueError: the shape is unknown.

        Example:
            >>> from leadconvert import Deal, presets
            >>> deal = Deal(id="5", title="Engine", amount=5000, owner_id="7", opened=True)
            >>> presets.bitrix24.to_json(deal, shape="item")  # doctest: +NORMALIZE_WHITESPACE
            {'id': 5, 'assignedById': 7, 'opened': 'Y', 'title': 'Engine',
             'opportunity': '5000.00'}
        """
        return writing.to_json(record, shape)

    def to_fields(
        self, record: Record, *, since: Record | None = None, shape: str = "classic"
    ) -> dict[str, object]:
        """Write what ``add`` takes as ``fields``, or, with *since*, what ``update`` takes.

        *since* is the record as it was: only what differs is written, what is empty now as blank,
        and of channels those that are new (which is what the vendor adds). Left out is what the
        vendor sets itself: id, author and times; and the product rows, see `to_rows`.

        Raises:
            TypeError: as with `to_json`.
            ValueError: the shape is unknown, or *since* is another record.

        Example:
            >>> import attrs
            >>> from leadconvert import Lead, presets
            >>> lead = Lead(id="7", stage="NEW", title="Engine")
            >>> presets.bitrix24.to_fields(attrs.evolve(lead, stage="CONVERTED"), since=lead)
            {'STATUS_ID': 'CONVERTED'}
        """
        return writing.to_fields(record, since, shape)

    def to_rows(
        self, products: Iterable[Product], *, shape: str = "classic"
    ) -> list[dict[str, object]]:
        """Write rows as ``crm.*.productrows.set`` takes them, or ``crm.item.productrow.set``.

        Raises:
            ValueError: the shape is unknown.

        Example:
            >>> from leadconvert import Product, presets
            >>> presets.bitrix24.to_rows([Product(name="Engine", price=5)])
            [{'PRODUCT_NAME': 'Engine', 'PRICE': '5', 'QUANTITY': '1'}]
        """
        return writing.to_rows(products, shape)

    def portal(
        self,
        *,
        fields: Mapping[str, object] | None = None,
        userfields: object = (),
        statuses: object = (),
        categories: object = (),
    ) -> ConversionRules:
        """Make the rules of one Bitrix24 out of what its REST answers: `kinds` and `pipelines`.

        All else is the preset's, but that a new deal is of the first type in its dictionary. What
        no answer tells is as the preset has it.

        Raises:
            leadconvert.errors.DefinitionError: what is wrong with the answers, all at once.

        Example:
            >>> from leadconvert import presets
            >>> own = {"ENTITY_ID": "CRM_DEAL", "FIELD_NAME": "UF_CRM_1", "USER_TYPE_ID": "date"}
            >>> rules = presets.bitrix24.portal(userfields={"result": [own]})
            >>> rules.kind("deal").members["UF_CRM_1"].type.value
            'date'
        """
        return answers.portal(fields or {}, userfields, statuses, categories)

    def kinds(
        self,
        *,
        fields: Mapping[str, object] | None = None,
        userfields: object = (),
        statuses: object = (),
    ) -> tuple[Kind, ...]:
        """Make the kinds of leads, contacts, companies and deals: the preset's, with more fields.

        *fields* are answers of ``crm.lead.fields`` and its likes by kind, or of
        ``crm.item.fields``; *userfields* one or several of ``crm.*.userfield.list``; *statuses* one
        or several of ``crm.status.list``, which have the options.

        A field of the user's own has its type, label, options by id, and whether it is multiple and
        mandatory; a default and a longest text only *userfields* and ``settings`` tell. Money and
        address are one text there, so they are text here, as are ties to users and other records
        (declare a reference yourself where rights on it are to be asked for). A type unknown here,
        such as a booking, makes no field: such values are kept as they stand. Source, salutation
        and deal type become enumerations where their dictionary is there. Of the vendor's own
        fields those without a standard field here are added, but for what is read-only.

        Raises:
            leadconvert.errors.DefinitionError: what is wrong with the answers, all at once.

        Example:
            >>> from leadconvert import presets
            >>> heat = {"type": "enumeration", "items": [{"ID": "44", "VALUE": "hot"}]}
            >>> lead, *_ = presets.bitrix24.kinds(fields={"lead": {"result": {"UF_CRM_1": heat}}})
            >>> lead.members["UF_CRM_1"].options
            (Option(id='44', label='hot'),)
        """
        return answers.kinds(fields or {}, userfields, statuses)

    def pipelines(self, statuses: object, categories: object = ()) -> tuple[Pipeline, ...]:
        """Make the pipelines of leads and deals that dictionaries of stages tell.

        *statuses* is one or several answers of ``crm.status.list``; *categories* those of
        ``crm.category.list``, which have the pipelines' names and say which is the default.

        Raises:
            leadconvert.errors.DefinitionError: what is wrong with the answers, all at once.

        Example:
            >>> from leadconvert import presets
            >>> new = {"ENTITY_ID": "DEAL_STAGE_5", "STATUS_ID": "C5:NEW", "NAME": "New"}
            >>> presets.bitrix24.pipelines({"result": [new]})[0].id
            '5'
        """
        return answers.pipelines(statuses, categories)

    def options(self, statuses: object) -> Mapping[str, tuple[Option, ...]]:
        """Read the dictionaries that hold no stages, in their order: ``SOURCE``, ``DEAL_TYPE``...

        Raises:
            leadconvert.errors.DefinitionError: what is wrong with the answers, all at once.

        Example:
            >>> from leadconvert import presets
            >>> web = {"ENTITY_ID": "SOURCE", "STATUS_ID": "WEB", "NAME": "Web"}
            >>> presets.bitrix24.options({"result": [web]})["SOURCE"]
            (Option(id='WEB', label='Web'),)
        """
        return answers.options(statuses)

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
