"""Salesforce's requests, answers and schema, and the whole way from its JSON back to it."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Address,
    Company,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    FieldType,
    Known,
    Lead,
    Merge,
    Option,
    Policy,
    convert,
    errors,
    plan,
    presets,
    seed,
)
from leadconvert.errors import Problem
from leadconvert.stores import MemoryStore, convert_stored


SF: Final = presets.salesforce
RULES: Final = presets.salesforce()
AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN: Final = Actor("005A", roles=["admin"])
LEAD: Final = Lead(
    id="00Q1",
    stage="Working - Contacted",
    last_name="Lovelace",
    company_name="Engines",
    source="Web",
    owner_id="005B",
)
ASKED: Final[Mapping[str, object]] = {"leadId": "00Q1", "convertedStatus": "Closed - Converted"}


class TestRequest:
    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ({}, (Create("company"), Create("contact"), Create("deal"))),
            ({"doNotCreateOpportunity": True}, (Create("company"), Create("contact"))),
            (
                {"accountId": "0011", "doNotCreateOpportunity": False, "contactId": None},
                (Merge("company", "0011"), Create("contact"), Create("deal")),
            ),
            (
                {
                    "accountId": "0011",
                    "contactId": "0031",
                    "opportunityId": "0061",
                    "ownerId": "005C",
                    "overwriteLeadSource": True,
                    "sendNotificationEmail": True,
                    "bypassAccountDedupeCheck": True,
                    "bypassContactDedupeCheck": False,
                },
                (
                    Merge("company", "0011"),
                    Merge("contact", "0031", values={"source": "Web"}),
                    Merge("deal", "0061"),
                ),
            ),
            (
                {
                    "opportunityName": "Engine",
                    "ownerId": "005C",
                    "accountRecord": {"Industry": "Mills"},
                    "contactRecord": {"MailingCity": "London"},
                    "opportunityRecord": {
                        "attributes": {"type": "Opportunity"},
                        "CloseDate": "2027-03-31",
                        "Amount": Decimal("99.50"),
                    },
                },
                (
                    Create("company", values={"owner_id": "005C", "Industry": "Mills"}),
                    Create(
                        "contact", values={"owner_id": "005C", "address": Address(city="London")}
                    ),
                    Create(
                        "deal",
                        values={
                            "owner_id": "005C",
                            "title": "Engine",
                            "close_date": date(2027, 3, 31),
                            "amount": Decimal("99.50"),
                        },
                    ),
                ),
            ),
        ],
    )
    def test_says_what_is_made(
        self, request_: Mapping[str, object], expected: tuple[object, ...]
    ) -> None:
        """Each name of a request has its part in the targets, or none."""
        assert expected == SF.targets({**ASKED, **request_}, LEAD)

    def test_a_source_that_is_empty_overwrites_nothing(self) -> None:
        """What a contact has stays where the lead has nothing."""
        lead = attrs.evolve(LEAD, source=None)
        asked = {**ASKED, "accountId": "1", "contactId": "2", "overwriteLeadSource": True}
        assert Merge("contact", "2") == SF.targets(asked, lead)[1]

    def test_another_converted_status(self) -> None:
        """It is the success stage of the rules, whatever that is called."""
        stages = [
            attrs.evolve(one, id="Qualified") if one.id == "Closed - Converted" else one
            for one in RULES.lead_pipeline.stages
        ]
        own = attrs.evolve(RULES.lead_pipeline, stages=stages)
        others = [one for one in RULES.pipelines if one.kind != "lead"]
        rules = attrs.evolve(RULES, pipelines=[own, *others])
        asked = {**ASKED, "convertedStatus": "Qualified"}
        assert 3 == len(SF.targets(asked, LEAD, rules=rules))

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ({"leadId": "00Q2"}, ["leadId is '00Q2', and the lead's is '00Q1'"]),
            (
                {"convertedStatus": None},
                ["convertedStatus is None, and leads are converted to 'Closed - Converted'"],
            ),
            ({"accountID": "1"}, ["accountID is not known, did you mean 'accountId'?"]),
            ({"x": "1"}, ["x is not known"]),
            (
                {"contactId": "0031"},
                ["accountId is missing: contactId needs the account of that contact"],
            ),
            (
                {"overwriteLeadSource": True},
                ["contactId is missing: overwriteLeadSource is about a contact that exists"],
            ),
            (
                {"opportunityName": "x", "doNotCreateOpportunity": True},
                ["opportunityName is for a new opportunity, and none is made"],
            ),
            (
                {"opportunityName": "x", "opportunityId": "0061"},
                ["opportunityName is for a new opportunity, and none is made"],
            ),
            (
                {"opportunityId": "0061", "doNotCreateOpportunity": True},
                ["doNotCreateOpportunity contradicts the opportunity that is asked for"],
            ),
            (
                {"opportunityRecord": {}, "doNotCreateOpportunity": True},
                ["doNotCreateOpportunity contradicts the opportunity that is asked for"],
            ),
            ({"accountId": 5}, ["accountId is no text"]),
            (
                {"doNotCreateOpportunity": "true"},
                ["doNotCreateOpportunity is neither true nor false"],
            ),
            ({"accountRecord": "x"}, ["accountRecord is no object"]),
            (
                {"opportunityRecord": {"CloseDate": "soon", "Id": "0061"}},
                ["CloseDate is no day @ Opportunity", "Id is nobody's to give @ Opportunity"],
            ),
            (
                {"leadId": None, "accountId": 5, "contactId": "1"},
                [
                    "leadId is None, and the lead's is '00Q1'",
                    "accountId is no text",
                    "accountId is missing: contactId needs the account of that contact",
                ],
            ),
        ],
    )
    def test_that_contradicts_itself(
        self, request_: Mapping[str, object], expected: list[str]
    ) -> None:
        """All that is wrong with a request is told at once."""
        with pytest.raises(ValueError, match="@ LeadConvert") as caught:
            SF.targets({**ASKED, **request_}, LEAD)
        assert expected == [
            one.removesuffix(" @ LeadConvert") for one in str(caught.value).split("; ")
        ]

    def test_of_a_lead_that_a_queue_owns(self) -> None:
        """A queue can own leads, and nothing that is made of them."""
        lead = attrs.evolve(LEAD, owner_id="00G1")
        with pytest.raises(ValueError, match="ownerId is missing: a queue owns the lead"):
            SF.targets(ASKED, lead)
        made = SF.targets({**ASKED, "ownerId": "005C"}, lead)
        assert ["005C"] * 3 == [one.values["owner_id"] for one in made]

    def test_that_is_no_request(self) -> None:
        """A request is an object."""
        with pytest.raises(ValueError, match="a request is an object, and this is a str"):
            SF.targets("00Q1", LEAD)


class TestAnswer:
    def test_of_a_result(self) -> None:
        """It holds the ids, null for what there is none of."""
        result = convert(LEAD, ["company"], rules=RULES, actor=ADMIN, at=AT)
        assert {
            "leadId": "00Q1",
            "accountId": "00Q1.1.company.1",
            "contactId": None,
            "opportunityId": None,
            "success": True,
            "errors": [],
        } == SF.answer(result)

    def test_of_two_of_a_kind(self) -> None:
        """There is one id for each kind."""
        both = [Create("deal", values={"close_date": date(2027, 3, 31)})] * 2
        result = convert(LEAD, both, rules=RULES, actor=ADMIN, at=AT)
        with pytest.raises(ValueError, match="a lead becomes one deal there"):
            SF.answer(result)

    @pytest.mark.parametrize(
        ("cause", "expected"),
        [
            ("lead_access", "INSUFFICIENT_ACCESS_OR_READONLY"),
            ("already_converted", "CANNOT_UPDATE_CONVERTED_LEAD"),
            ("stage", "INVALID_STATUS"),
            ("ambiguous", "DUPLICATES_DETECTED"),
            ("missing", "REQUIRED_FIELD_MISSING"),
            ("invalid", "FIELD_INTEGRITY_EXCEPTION"),
        ],
    )
    def test_of_a_refusal(self, cause: str, expected: str) -> None:
        """Each class of error has its code there, and names the fields as they are called there."""
        told = [
            Problem(cause=cause, code="x", kind="deal", field="close_date"),
            Problem(cause=cause, code="x", kind="deal", field="close_date"),
            Problem(cause=cause, code="x", kind="lead", field="X__c"),
            Problem(cause=cause, code="x", kind="project", field="y"),
            Problem(cause=cause, code="x", kind="deal"),
        ]
        answer = SF.answer(errors.refusal("00Q1", told))
        assert (False, "00Q1", None) == (answer["success"], answer["leadId"], answer["accountId"])
        [error] = answer["errors"]  # type: ignore[misc]
        assert expected == error["statusCode"]  # type: ignore[has-type]
        assert ["CloseDate", "X__c"] == error["fields"]  # type: ignore[has-type]


def described(*fields: Mapping[str, object], object_: str = "Lead") -> ConversionRules:
    """Return the rules with these fields of an object."""
    entries = [{"label": "L", "custom": True, "createable": True, **one} for one in fields]
    return SF.described({"name": object_, "fields": entries})


class TestDescribe:
    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            ({"type": "string", "length": 80}, Field("X__c", "text", label="L", max_length=80)),
            ({"type": "string", "length": 0}, Field("X__c", "text", label="L")),
            ({"type": "textarea"}, Field("X__c", "text", label="L")),
            ({"type": "time"}, Field("X__c", "text", label="L")),
            ({"type": "boolean", "nillable": False}, Field("X__c", "boolean", label="L")),
            ({"type": "int"}, Field("X__c", "integer", label="L")),
            ({"type": "double"}, Field("X__c", "decimal", label="L")),
            ({"type": "percent"}, Field("X__c", "decimal", label="L")),
            ({"type": "currency"}, Field("X__c", "money", label="L")),
            ({"type": "date"}, Field("X__c", "date", label="L")),
            ({"type": "datetime"}, Field("X__c", "datetime", label="L")),
            ({"type": "email", "length": 80}, Field("X__c", "email", label="L")),
            ({"type": "phone"}, Field("X__c", "phone", label="L")),
            ({"type": "url"}, Field("X__c", "url", label="L")),
            (
                {
                    "type": "picklist",
                    "picklistValues": [
                        {"value": "a", "label": "A", "active": True},
                        {"value": "b", "label": "B", "active": False},
                        {"value": "c"},
                        "d",
                    ],
                },
                Field("X__c", "enumeration", label="L", options=[Option("a", "A"), Option("c")]),
            ),
            (
                {"type": "multipicklist", "picklistValues": [{"value": "a", "label": "A"}]},
                Field("X__c", "enumeration", label="L", options=[Option("a", "A")], multiple=True),
            ),
            ({"type": "picklist", "picklistValues": []}, Field("X__c", "text", label="L")),
            ({"type": "multipicklist"}, Field("X__c", "text", label="L")),
            (
                {"type": "reference", "referenceTo": ["Account"]},
                Field("X__c", "reference", label="L", to="company"),
            ),
            (
                {"type": "reference", "referenceTo": ["User"]},
                Field("X__c", "reference", label="L", to="User"),
            ),
            (
                {"type": "reference", "referenceTo": ["Account", "Contact"]},
                Field("X__c", "text", label="L"),
            ),
            ({"type": "reference"}, Field("X__c", "text", label="L")),
            (
                {"type": "string", "nillable": False},
                Field("X__c", "text", label="L", required=True),
            ),
            (
                {"type": "string", "nillable": False, "defaultedOnCreate": True},
                Field("X__c", "text", label="L"),
            ),
            ({"type": "string", "label": None}, Field("X__c", "text", label="X__c")),
            ({"type": "double", "createable": False}, Field("X__c", "decimal", label="L")),
        ],
    )
    def test_each_type(self, entry: Mapping[str, object], expected: Field) -> None:
        """A field of theirs is this field here."""
        assert expected == described({"name": "X__c", **entry}).lead.members["X__c"]

    @pytest.mark.parametrize(
        "entry",
        [
            {"name": "X__c", "type": "location"},
            {"name": "X__c"},
            {"name": "X__c", "type": "string", "custom": False},
        ],
        ids=["compound", "nothing", "standard"],
    )
    def test_what_is_no_custom_field(self, entry: Mapping[str, object]) -> None:
        """A compound stands for its parts, and standard fields are known."""
        assert RULES == described(entry)

    def test_of_targets(self) -> None:
        """What may not be set when a record is made is no field of a target."""
        rules = described(
            {"name": "Sum__c", "type": "double", "createable": False},
            {"name": "Main__c", "type": "reference", "referenceTo": ["Contact"]},
            {"name": "Parent__c", "type": "reference", "referenceTo": ["Account"]},
            {"name": "Lead__c", "type": "reference", "referenceTo": ["Lead"]},
            object_="Account",
        )
        kind = rules.kind("company")
        assert kind is not None
        assert {
            "Main__c": (FieldType.TEXT, None),
            "Parent__c": (FieldType.REFERENCE, "company"),
            "Lead__c": (FieldType.REFERENCE, "lead"),
        } == {
            name: (field.type, field.to)
            for name, field in kind.members.items()
            if name.endswith("__c")
        }
        assert ("company", "contact", "deal") == rules.order

    def test_a_field_that_is_there_is_replaced(self) -> None:
        """What the preset says of a field the organisation may know better."""
        rules = described({"name": "Rating", "type": "string", "length": 5})
        assert 5 == rules.lead.members["Rating"].max_length

    def test_several_answers_and_other_rules(self) -> None:
        """Each answer adds to the rules that are given."""
        base = attrs.evolve(RULES, policy=Policy.allow_all())
        one = {"name": "A__c", "type": "string", "custom": True}
        rules = SF.described(
            {"name": "Contact", "fields": [one]},
            {"name": "Opportunity", "fields": [one]},
            rules=base,
        )
        assert base.policy == rules.policy
        assert ["contact", "deal"] == [one.id for one in rules.kinds if "A__c" in one.members]

    def test_mistakes(self) -> None:
        """All that is wrong is told with its place."""
        twice = {"value": "a"}
        with pytest.raises(errors.DefinitionError) as caught:
            SF.described(
                "Lead",
                {"name": "Lead"},
                {"name": "Leed", "fields": []},
                {"name": "Lead", "fields": ["X__c", {"type": "string"}]},
                {
                    "name": "Lead",
                    "fields": [
                        {
                            "name": "X__c",
                            "custom": True,
                            "type": "picklist",
                            "picklistValues": [twice, twice],
                        }
                    ],
                },
            )
        assert [
            "describe 1: an object with name and fields is needed here",
            "describe of Lead: an object with name and fields is needed here",
            "describe of Leed: there is no object 'Leed', did you mean 'Lead'?",
            "describe of Lead, field 1: an object with a name is needed here",
            "describe of Lead, field 2: an object with a name is needed here",
            "describe of Lead, X__c: option 'a' stands twice",
        ] == [str(one).partition(", not a")[0].partition(" (")[0] for one in caught.value.problems]


def settings_of(target: object, *pairs: tuple[str, str]) -> dict[str, object]:
    """Return the settings of lead conversion with one object's mappings."""
    fields = [{"inputField": source, "outputField": into} for source, into in pairs]
    mapping = {"inputObject": "Lead", "outputObject": target, "mappingFields": fields}
    return {"allowOwnerChange": True, "objectMapping": [mapping]}


class TestSettings:
    def test_a_custom_field_is_carried(self) -> None:
        """What the administrator has mapped there is mapped here."""
        field = {"type": "string", "label": "X", "custom": True}
        rules = SF.described(
            {"name": "Lead", "fields": [{"name": "Heat__c", **field}]},
            {"name": "Opportunity", "fields": [{"name": "Warmth__c", **field}]},
        )
        rules = SF.mapped(settings_of("Opportunity", ("Heat__c", "Warmth__c")), rules=rules)
        lead = attrs.evolve(LEAD, custom={"Heat__c": "hot"})
        deal = Create("deal", values={"close_date": date(2027, 3, 31)})
        made = convert(lead, [deal], rules=rules, actor=ADMIN, at=AT).deal
        assert "hot" == made.custom["Warmth__c"]

    def test_a_mapping_replaces_what_filled_its_target(self) -> None:
        """There is one mapping for each field, and none leaves behind what another carries."""
        rules = SF.mapped(
            settings_of("Contact", ("Company", "LastName"), ("RecordTypeId", "Suffix"))
        )
        into = {one.target: one for one in rules.mappings_into("contact")}
        assert FieldMapping("company_name", "contact", "last_name") == into["last_name"]
        assert FieldMapping("RecordTypeId", "contact", "Suffix") == into["Suffix"]
        assert FieldMapping.leave("RecordTypeId") not in rules.mappings

    def test_the_parts_of_an_address_are_one(self) -> None:
        """A part that goes into the same address goes with it, into another field alone."""
        rules = SF.mapped(
            settings_of("Account", ("City", "BillingCity"), ("Street", "BillingStreet"))
        )
        assert 1 == sum(one.target == "address" for one in rules.mappings_into("company"))
        rules = SF.mapped(settings_of("Account", ("State", "Industry")))
        lead = attrs.evolve(LEAD, address=Address(city="London", region="Surrey"))
        made = convert(lead, ["company"], rules=rules, actor=ADMIN, at=AT).company
        assert "Surrey" == made.custom["Industry"]

    def test_nothing_is_mapped(self) -> None:
        """Settings without mappings change nothing; XML has no lists of one."""
        assert RULES == SF.mapped({})
        pair = {"inputField": "LastName", "outputField": "Name"}
        one = {"inputObject": "Lead", "outputObject": "Opportunity", "mappingFields": pair}
        rules = SF.mapped({"objectMapping": one})
        assert FieldMapping("last_name", "deal", "title") in rules.mappings

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ([], ["LeadConvertSettings: an object with objectMapping is needed here"]),
            (
                {"objectMapping": ["x", {"outputObject": "Lead"}, {"outputObject": "Acount"}]},
                [
                    "LeadConvertSettings, objectMapping 1: an object with outputObject is needed",
                    "LeadConvertSettings, objectMapping 2: there is no output object 'Lead'",
                    "LeadConvertSettings, objectMapping 3: there is no output object 'Acount'",
                ],
            ),
            (
                {
                    "objectMapping": {
                        "outputObject": "Account",
                        "mappingFields": ["x", {"inputField": "Rating"}],
                    }
                },
                ["LeadConvertSettings, objectMapping 1: a pair of inputField and outputField"] * 2,
            ),
            (settings_of("Account", ("Rating", "X__c")), ["mapping Rating → company.X__c: there"]),
        ],
    )
    def test_mistakes(self, settings: object, expected: list[str]) -> None:
        """All that is wrong with settings is told with its place."""
        with pytest.raises(errors.DefinitionError) as caught:
            SF.mapped(settings)
        told = [str(one) for one in caught.value.problems]
        assert [True] * len(expected) == [
            one.startswith(start) for one, start in zip(told, expected, strict=True)
        ]


class TestWholeWay:
    def test_from_json_to_json(self) -> None:
        """A lead is read, planned, converted and stored, and told as it would be there."""
        text = """{"totalSize": 1, "done": true, "records": [{
            "attributes": {"type": "Lead", "url": "/services/data/v61.0/sobjects/Lead/00Q1"},
            "Id": "00Q1", "FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines",
            "Status": "Working - Contacted", "OwnerId": "005B", "AnnualRevenue": 5000000.50,
            "City": "London", "Email": "ada@example.com", "IsConverted": false}]}"""
        [lead] = SF.leads(json.loads(text, parse_float=Decimal))
        [account] = SF.companies({"Id": "0011", "Name": "Engines Ltd", "OwnerId": "005C"})
        profile = {
            "objectPermissions": [
                {"object": name, "allowRead": True, "allowEdit": True, "allowCreate": True}
                for name in ("Lead", "Account", "Contact", "Opportunity")
            ],
            "userPermissions": [{"name": "ConvertLeads", "enabled": True}],
        }
        policy = SF.policy({"Seller": profile}, sharing={"Account": "ReadWrite"})
        rules = attrs.evolve(RULES, policy=policy)
        ada = Actor("005B", roles=["Seller"])
        request = {**ASKED, "accountId": "0011"}
        known = Known(records=[account])
        asked = plan(lead, SF.targets(request, lead), rules=rules, actor=ada, at=AT, known=known)
        assert ["close_date"] == [one.field for one in asked.form]
        request |= {"opportunityRecord": {"CloseDate": "2027-03-31"}}
        ids = {"contact": "0031", "deal": "0061"}
        store = MemoryStore(rules, new_id=lambda ref: ids.get(ref.kind, ref.id))
        store.apply(seed([lead, account], rules=rules))
        into = SF.targets(request, lead)
        result = convert_stored(store, "00Q1", into, rules=rules, actor=ada, at=AT)
        assert {
            "leadId": "00Q1",
            "accountId": "0011",
            "contactId": "0031",
            "opportunityId": "0061",
            "success": True,
            "errors": [],
        } == SF.answer(result)
        assert {"BillingCity": "London", "AnnualRevenue": 5000000.5} == SF.update(
            account, result.company
        )
        assert {
            "FirstName": "Ada",
            "LastName": "Lovelace",
            "Email": "ada@example.com",
            "MailingCity": "London",
            "AccountId": "0011",
            "OwnerId": "005B",
        } == SF.add(result.contact)
        assert {
            "Name": "Engines",
            "StageName": "Prospecting",
            "CloseDate": "2027-03-31",
            "AccountId": "0011",
            "ContactId": "0031",
            "OwnerId": "005B",
        } == SF.add(result.deal)
        shown = SF.to_json(result.lead)
        assert {"IsConverted": True, "ConvertedOpportunityId": "0061"}.items() <= shown.items()
        [back] = SF.leads(json.loads(json.dumps(shown), parse_float=Decimal))
        with pytest.raises(errors.AlreadyConvertedError) as caught:
            convert(back, ["contact"], rules=rules, actor=ada, at=AT)
        answered = SF.answer(caught.value)
        assert not answered["success"]

    def test_the_readers_give_their_own_classes(self) -> None:
        """Each reader gives the records of its kind."""
        data = {"Id": "1", "Status": "x"}
        other = {"Id": "1"}
        assert (Lead, Contact, Company, Deal) == (
            type(SF.leads(data)[0]),
            type(SF.contacts(other)[0]),
            type(SF.companies(other)[0]),
            type(SF.deals(other)[0]),
        )
