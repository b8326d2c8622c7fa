"""Salesforce: its rules, and readers and writers of its records, requests, schema and rights."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from leadconvert import (
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Deal,
    FrozenMap,
    Lead,
    Policy,
    Record,
    Target,
)
from leadconvert.errors import ConversionError
from leadconvert.presets._salesforce_converting import answer, targets
from leadconvert.presets._salesforce_describing import described, mapped
from leadconvert.presets._salesforce_names import ACCOUNT, CONTACT, LEAD, OPPORTUNITY
from leadconvert.presets._salesforce_policy import policy
from leadconvert.presets._salesforce_reading import records
from leadconvert.presets._salesforce_rules import rules as default
from leadconvert.presets._salesforce_writing import add, converted_fields, to_json, update


__all__ = ["Salesforce", "salesforce"]


@attrs.frozen
class Salesforce:
    """The rules of a Salesforce as it comes, and readers and writers of what its APIs speak.

    An account is a *company* here, an opportunity a *deal*. A contact needs a last name, an account
    a name, an opportunity a name (that of the company, unless another is given) and a close date:
    there it is guessed, here it is asked for unless it is given. The default policy has two roles:
    ``admin`` may do everything, ``sales`` may read and change everything, convert leads, and give
    away leads and records of their own. `policy` reads an organisation's own rights instead.

    The field map is that of the vendor's conversion: merging into an account or a contact fills
    what is empty there, and leaves the three opt-outs of a contact alone. Record types and the
    record's times are left behind by name. Activities and campaign memberships belong to what the
    lead became as well.

    Example:
        >>> from leadconvert import presets
        >>> rules = presets.salesforce()
        >>> [kind.id for kind in rules.kinds], rules.lead_pipeline.first.id
        (['contact', 'company', 'deal'], 'Open - Not Contacted')
    """

    def __call__(self) -> ConversionRules:
        """Return the rules; change them with `attrs.evolve`, `described` and `mapped`."""
        return default()

    def leads(self, data: object, *, rules: ConversionRules | None = None) -> tuple[Lead, ...]:
        """Read the leads out of JSON data as REST gives it.

        One record, a list of them, and the result of a query will do. A field is read as what it is
        in *rules*, those of this preset unless others are given; a custom field that they do not
        declare keeps its name and is taken as it comes. Parts of an address may stand by
        themselves or in the compound. What the system works out itself, and records that a query
        brought along, are not read. Of a converted lead it is read when that was and what it
        became: see `converted`.

        Floats are not exact and refused: parse with ``json.loads(text, parse_float=Decimal)``.

        Raises:
            ValueError: the data has another shape, or a value cannot be read; all mistakes, each
                with the record and the field.

        Example:
            >>> from leadconvert import presets
            >>> [lead] = presets.salesforce.leads({
            ...     "totalSize": 1, "done": True, "records": [{
            ...         "attributes": {"type": "Lead"}, "Id": "00Q000000000001AAA",
            ...         "LastName": "Lovelace", "Status": "Open - Not Contacted", "Rating": None,
            ...     }],
            ... })
            >>> lead
            Lead(id='00Q000000000001AAA', stage='Open - Not Contacted', last_name='Lovelace')
        """
        found = records(data, LEAD, rules or default())
        return tuple(one for one in found if isinstance(one, Lead))

    def contacts(
        self, data: object, *, rules: ConversionRules | None = None
    ) -> tuple[Contact, ...]:
        """Read the contacts out of JSON data; see `leads`.

        Raises:
            ValueError: as `leads`.

        Example:
            >>> from leadconvert import presets
            >>> presets.salesforce.contacts({"Id": "003", "AccountId": "001"})[0].company_id
            '001'
        """
        found = records(data, CONTACT, rules or default())
        return tuple(one for one in found if isinstance(one, Contact))

    def companies(
        self, data: object, *, rules: ConversionRules | None = None
    ) -> tuple[Company, ...]:
        """Read the accounts out of JSON data; see `leads`.

        Raises:
            ValueError: as `leads`.

        Example:
            >>> from leadconvert import presets
            >>> presets.salesforce.companies([{"Id": "001", "Name": "Engines"}])
            (Company(id='001', name='Engines'),)
        """
        found = records(data, ACCOUNT, rules or default())
        return tuple(one for one in found if isinstance(one, Company))

    def deals(self, data: object, *, rules: ConversionRules | None = None) -> tuple[Deal, ...]:
        """Read the opportunities out of JSON data; see `leads`.

        The record type of an opportunity is its pipeline. Where it has none, that is the default
        pipeline of the rules.

        Raises:
            ValueError: as `leads`.

        Example:
            >>> from leadconvert import presets
            >>> [deal] = presets.salesforce.deals({"Id": "006", "StageName": "Prospecting"})
            >>> deal.pipeline, deal.stage
            ('opportunities', 'Prospecting')
        """
        found = records(data, OPPORTUNITY, rules or default())
        return tuple(one for one in found if isinstance(one, Deal))

    def to_json(self, record: Record, *, rules: ConversionRules | None = None) -> dict[str, object]:
        """Return a lead, contact, company or deal as REST shows it; what is empty is not there.

        ``json.dumps`` takes what is returned; the text tells each number to its last digit. The use
        of a phone or an e-mail has no place there: the name of the field says it. Nor has what a
        record remembers of its past, but for what a lead became. Whatever else has no place is a
        mistake.

        Raises:
            TypeError: the record is of another class.
            ValueError: something has no place there; all mistakes, each with the field.

        Example:
            >>> from leadconvert import Contact, presets
            >>> presets.salesforce.to_json(Contact(id="003", last_name="Lovelace"))
            {'attributes': {'type': 'Contact'}, 'Id': '003', 'LastName': 'Lovelace'}
        """
        return to_json(record, rules or default())

    def add(self, record: Record, *, rules: ConversionRules | None = None) -> dict[str, object]:
        """Return what one sends to make *record*: `to_json` without what the system sets itself.

        Raises:
            TypeError: as `to_json`.
            ValueError: as `to_json`.

        Example:
            >>> from leadconvert import Contact, presets
            >>> presets.salesforce.add(Contact(id="L-7.1.contact.1", last_name="Lovelace"))
            {'LastName': 'Lovelace'}
        """
        return add(record, rules or default())

    def update(
        self, before: Record, after: Record, *, rules: ConversionRules | None = None
    ) -> dict[str, object]:
        """Return what one sends to make *after* of *before*: what differs, null where it is empty.

        Raises:
            TypeError: as `to_json`.
            ValueError: as `to_json`; or the records are of two classes.

        Example:
            >>> from leadconvert import Contact, presets
            >>> before = Contact(id="003", last_name="Byron", job_title="Analyst")
            >>> presets.salesforce.update(before, Contact(id="003", last_name="Lovelace"))
            {'LastName': 'Lovelace', 'Title': None}
        """
        return update(before, after, rules or default())

    def converted(self, lead: Lead) -> dict[str, object]:
        """Return the fields by which a *lead* tells what it became, as REST shows them.

        Reading them gives a conversion that lacks what they do not tell: who it was, by which
        rules, the time of the day, and which of the records are new. All of them count as linked,
        so that taking it back removes none. A conversion that left the lead open is not shown.

        Raises:
            ValueError: it became several records of one kind, for which there is no place.

        Example:
            >>> from leadconvert import Lead, presets
            >>> presets.salesforce.converted(Lead(id="00Q", stage="Open - Not Contacted"))
            ... # doctest: +NORMALIZE_WHITESPACE
            {'IsConverted': False, 'ConvertedDate': None, 'ConvertedAccountId': None,
             'ConvertedContactId': None, 'ConvertedOpportunityId': None}
        """
        return converted_fields(lead)

    def targets(
        self, request: object, lead: Lead, *, rules: ConversionRules | None = None
    ) -> tuple[Target, ...]:
        """Return what a request to convert a *lead* asks for, to be handed to `convert` and `plan`.

        The names are those of ``LeadConvert``. An ``accountId``, ``contactId`` or ``opportunityId``
        is merged into, what has none is made. ``opportunityName`` and ``ownerId`` are values of
        what is made, ``accountRecord``, ``contactRecord`` and ``opportunityRecord`` hold others,
        such as the ``CloseDate``. ``overwriteLeadSource`` gives an existing contact the lead's.
        ``convertedStatus`` is the success stage of *rules*. The e-mail to the owner and the two
        bypasses of duplicate checks are passed over.

        Raises:
            ValueError: the request contradicts itself or the lead; all mistakes at once.

        Example:
            >>> from leadconvert import Lead, presets
            >>> lead = Lead(id="00Q", stage="Working - Contacted")
            >>> request = {
            ...     "leadId": "00Q", "convertedStatus": "Closed - Converted",
            ...     "accountId": "001", "doNotCreateOpportunity": True,
            ... }
            >>> [target.kind for target in presets.salesforce.targets(request, lead)]
            ['company', 'contact']
        """
        return targets(request, lead, rules or default())

    def answer(self, outcome: ConversionResult | ConversionError) -> dict[str, object]:
        """Return what a call to convert answers: the ids, or what was wrong.

        Of a result take the one that is `stored`: the ids of others are provisional.

        Raises:
            ValueError: the lead became several records of one kind, for which there is no place.

        Example:
            >>> from leadconvert import presets
            >>> from leadconvert.errors import Problem, TargetsRequiredError
            >>> nothing = Problem(cause="targets_required", code="no_targets", params={"kinds": ""})
            >>> presets.salesforce.answer(TargetsRequiredError("00Q", [nothing]))["success"]
            False
        """
        return answer(outcome)

    def described(self, *answers: object, rules: ConversionRules | None = None) -> ConversionRules:
        """Return *rules* with the custom fields that the *answers* of describe calls list.

        A field that may not be set when a record is made, such as a formula, is a field of leads
        alone. Picklists hold the values that are active, by their API names. A lookup of several
        objects, or of one that is made later than the record, is a text.

        Raises:
            leadconvert.errors.DefinitionError: an answer has another shape, or an unknown object
                (all mistakes at once).

        Example:
            >>> from leadconvert import presets
            >>> rules = presets.salesforce.described({
            ...     "name": "Lead", "fields": [{
            ...         "name": "Heat__c", "type": "picklist", "label": "Heat", "custom": True,
            ...         "picklistValues": [{"value": "hot", "label": "Hot", "active": True}],
            ...     }],
            ... })
            >>> rules.lead.members["Heat__c"].options
            (Option(id='hot', label='Hot'),)
        """
        return described(rules or default(), answers)

    def mapped(self, settings: object, *, rules: ConversionRules | None = None) -> ConversionRules:
        """Return *rules* that carry as the *settings* of lead conversion say.

        These are the metadata of ``LeadConvertSettings``. A mapping replaces what fills its target
        in *rules*; the fields it names must be there: see `described`.

        Raises:
            leadconvert.errors.DefinitionError: the settings have another shape, or name what the
                rules do not have (all mistakes at once).

        Example:
            >>> from leadconvert import presets
            >>> rules = presets.salesforce.mapped({"objectMapping": [{
            ...     "inputObject": "Lead", "outputObject": "Opportunity",
            ...     "mappingFields": [{"inputField": "LastName", "outputField": "Name"}],
            ... }]})
            >>> [str(one) for one in rules.mappings_into("deal") if one.target == "title"]
            ['last_name → deal.title']
        """
        return mapped(rules or default(), settings)

    def policy(
        self,
        roles: Mapping[str, object],
        *,
        sharing: Mapping[str, str] = FrozenMap(),
        groups: Mapping[str, Iterable[str]] = FrozenMap(),
        kinds: Mapping[str, str] = FrozenMap(),
        rules: ConversionRules | None = None,
    ) -> Policy:
        """Expand profiles and permission sets, as their metadata has them, into a policy.

        Each is a role, and so is each of *groups*, which holds what several of them grant together.
        *sharing* is the organisation-wide default of each object: ``Private`` unless given,
        ``Read``, ``ReadWrite``, ``ReadWriteTransfer``, or ``ControlledByParent``, which means that
        of the account. *kinds* says which of your kinds a custom object is. Objects and permissions
        that have no counterpart here are passed over.

        * ``allowRead``: read, link. ``viewAllRecords`` widens it to all records.
        * ``allowCreate`` with ``allowEdit`` of the same role or group: create.
        * ``allowEdit``: update, merge, move; and assign, within what one may transfer.
        * ``allowDelete``: delete. ``modifyAllRecords`` widens all of these to all records.
        * ``ConvertLeads`` among the user permissions: convert. ``TransferAnyLead`` and
          ``TransferAnyEntity``: assign any. ``ViewAllData``, ``ModifyAllData``: as they say.
        * ``readable`` and ``editable``: see and fill a field that is sensitive in *rules*. Fields
          that are not need no right here.

        So converting takes ``ConvertLeads``, to read and edit the lead, to create and edit each
        object that is made, to read what is linked and to edit what is merged into. Records that
        sharing keeps private are reached by their owners and by whoever is above them in the
        hierarchy: put the ids of those below into `Actor.subdepartments`. Nothing grants to take a
        conversion back, which has no counterpart there: add a role for that.

        Where the two systems differ, the narrower right is granted. There whoever creates may give
        what is new to anybody; here that takes the right to transfer. Sharing rules, teams and
        manual sharing are not read.

        Raises:
            leadconvert.errors.DefinitionError: a name is unknown, or something has the wrong shape
                (all mistakes at once, each with its place).

        Example:
            >>> from leadconvert import AccessRequest, Actor, presets
            >>> policy = presets.salesforce.policy({"Seller": {
            ...     "objectPermissions": [{"object": "Lead", "allowRead": True, "allowEdit": True}],
            ...     "userPermissions": [{"name": "ConvertLeads", "enabled": True}],
            ... }})
            >>> asked = AccessRequest(action="update", kind="lead", owner_id="005A")
            >>> policy.decide(Actor("005A", roles=["Seller"]), asked).allowed
            True
            >>> policy.decide(Actor("005B", roles=["Seller"]), asked).code
            'out_of_scope'
        """
        chosen = rules or default()
        return policy(roles, sharing=sharing, groups=groups, kinds=kinds, rules=chosen)


salesforce: Final = Salesforce()
