"""Salesforce's records as JSON: what is read, what is written, and what is refused."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Address,
    Channel,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Deal,
    Field,
    FieldType,
    GenericRecord,
    Lead,
    Option,
    Pipeline,
    Product,
    Record,
    Ref,
    Stage,
    StageChange,
    presets,
)
from leadconvert.kinds import CONTACT as CONTACT_KIND
from leadconvert.presets._salesforce_names import SHAPES
from leadconvert.testing import addresses, amounts, texts, values
from leadconvert.values import is_empty


SF: Final = presets.salesforce
RULES: Final = presets.salesforce()
AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)

#: As REST answers for a lead, with the fields that a query picks by hand.
LEAD_JSON: Final[Mapping[str, object]] = {
    "attributes": {"type": "Lead", "url": "/services/data/v61.0/sobjects/Lead/00Q1"},
    "Id": "00Q1",
    "IsDeleted": False,
    "MasterRecordId": None,
    "Salutation": "Ms.",
    "FirstName": "Ada",
    "MiddleName": "King",
    "LastName": "Lovelace",
    "Suffix": "Countess",
    "Name": "Ms. Ada King Lovelace Countess",
    "Title": "Analyst",
    "Company": "Analytical Engines",
    "Street": "12 St James's Square",
    "City": "London",
    "State": "Greater London",
    "StateCode": "LND",
    "PostalCode": "SW1Y",
    "Country": "United Kingdom",
    "CountryCode": "GB",
    "Latitude": None,
    "Address": {
        "city": "London",
        "country": "United Kingdom",
        "countryCode": "GB",
        "geocodeAccuracy": None,
        "latitude": None,
        "longitude": None,
        "postalCode": "SW1Y",
        "state": "Greater London",
        "stateCode": "LND",
        "street": "12 St James's Square",
    },
    "Phone": "+44 20 1",
    "MobilePhone": "+44 7 1",
    "Fax": "",
    "Email": "ada@example.com",
    "Website": "https://example.com",
    "PhotoUrl": "/services/images/photo/00Q1",
    "Description": "rang twice",
    "LeadSource": "Web",
    "Status": "Working - Contacted",
    "Industry": "Engineering",
    "Rating": None,
    "CurrencyIsoCode": "EUR",
    "AnnualRevenue": Decimal("5000000.50"),
    "NumberOfEmployees": 12,
    "OwnerId": "005B",
    "Owner": {"attributes": {"type": "User"}, "Name": "Grace Hopper"},
    "Tasks": {"totalSize": 0, "done": True, "records": []},
    "DoNotCall": False,
    "HasOptedOutOfEmail": True,
    "IsUnreadByOwner": False,
    "IsConverted": False,
    "ConvertedDate": None,
    "ConvertedAccountId": None,
    "ConvertedContactId": None,
    "ConvertedOpportunityId": None,
    "RecordTypeId": "0121",
    "CreatedDate": "2026-03-10T08:11:00.000+0000",
    "CreatedById": "005A",
    "LastModifiedDate": "2026-08-11T13:11:00.000+0000",
    "LastModifiedById": "005A",
    "SystemModstamp": "2026-08-11T13:11:00.000+0000",
    "LastActivityDate": "2026-08-01",
    "LastViewedDate": None,
    "LastReferencedDate": None,
    "Heat__c": "hot",
    "Score__c": Decimal("7.5"),
    "Place__c": {"latitude": Decimal("51.5"), "longitude": 0},
}
LEAD: Final = Lead(
    id="00Q1",
    stage="Working - Contacted",
    honorific="Ms.",
    first_name="Ada",
    middle_name="King",
    last_name="Lovelace",
    job_title="Analyst",
    company_name="Analytical Engines",
    address=Address(
        street="12 St James's Square",
        city="London",
        region="Greater London",
        postal_code="SW1Y",
        country="United Kingdom",
        country_code="GB",
    ),
    phones=[Channel("+44 20 1")],
    emails=[Channel("ada@example.com")],
    websites=[Channel("https://example.com")],
    comments="rang twice",
    source="Web",
    currency="EUR",
    owner_id="005B",
    created_at=datetime(2026, 3, 10, 8, 11, tzinfo=UTC),
    created_by_id="005A",
    updated_at=datetime(2026, 8, 11, 13, 11, tzinfo=UTC),
    custom={
        "Suffix": "Countess",
        "StateCode": "LND",
        "MobilePhone": Channel("+44 7 1"),
        "Industry": "Engineering",
        "AnnualRevenue": Decimal("5000000.50"),
        "NumberOfEmployees": 12,
        "DoNotCall": False,
        "HasOptedOutOfEmail": True,
        "RecordTypeId": "0121",
        "Heat__c": "hot",
        "Score__c": Decimal("7.5"),
        "Place__c": {"latitude": Decimal("51.5"), "longitude": 0},
    },
)
CONTACT_JSON: Final[Mapping[str, object]] = {
    "attributes": {"type": "Contact"},
    "Id": "0031",
    "AccountId": "0011",
    "Salutation": "Ms.",
    "FirstName": "Ada",
    "LastName": "Lovelace",
    "Birthdate": "1985-12-10",
    "Title": "Analyst",
    "Phone": "+44 20 1",
    "HomePhone": "+44 20 3",
    "Email": "ada@example.com",
    "MailingCity": "London",
    "OtherStreet": "Ockham Park",
    "OtherCountry": "United Kingdom",
    "LeadSource": "Web",
    "Description": "rang twice",
    "OwnerId": "005B",
    "HasOptedOutOfFax": True,
    "LastModifiedDate": "2026-08-11T13:11:00.000+0000",
    "Department": "Mathematics",
}
CONTACT: Final = Contact(
    id="0031",
    company_id="0011",
    honorific="Ms.",
    first_name="Ada",
    last_name="Lovelace",
    birth_date=date(1985, 12, 10),
    job_title="Analyst",
    phones=[Channel("+44 20 1")],
    emails=[Channel("ada@example.com")],
    address=Address(city="London"),
    source="Web",
    comments="rang twice",
    owner_id="005B",
    custom={
        "HomePhone": Channel("+44 20 3"),
        "OtherAddress": Address(street="Ockham Park", country="United Kingdom"),
        "HasOptedOutOfFax": True,
        "updated_at": datetime(2026, 8, 11, 13, 11, tzinfo=UTC),
        "Department": "Mathematics",
    },
)
ACCOUNT_JSON: Final[Mapping[str, object]] = {
    "attributes": {"type": "Account"},
    "Id": "0011",
    "Name": "Analytical Engines",
    "BillingStreet": "12 St James's Square",
    "BillingState": "Greater London",
    "BillingStateCode": "LND",
    "ShippingCity": "Ockham",
    "Phone": "+44 20 1",
    "Fax": "+44 20 2",
    "Website": "https://example.com",
    "AnnualRevenue": 5000000,
    "NumberOfEmployees": 12,
    "Industry": "Engineering",
    "Rating": "Hot",
    "CurrencyIsoCode": "EUR",
    "OwnerId": "005B",
    "Type": "Customer",
}
ACCOUNT: Final = Company(
    id="0011",
    name="Analytical Engines",
    address=Address(street="12 St James's Square", region="Greater London"),
    phones=[Channel("+44 20 1")],
    websites=[Channel("https://example.com")],
    owner_id="005B",
    custom={
        "BillingStateCode": "LND",
        "ShippingAddress": Address(city="Ockham"),
        "Fax": Channel("+44 20 2"),
        "AnnualRevenue": Decimal(5000000),
        "NumberOfEmployees": 12,
        "Industry": "Engineering",
        "Rating": "Hot",
        "CurrencyIsoCode": "EUR",
        "Type": "Customer",
    },
)
DEAL_JSON: Final[Mapping[str, object]] = {
    "attributes": {"type": "Opportunity"},
    "Id": "0061",
    "Name": "Engine",
    "RecordTypeId": "0129",
    "StageName": "Needs Analysis",
    "Type": "New Customer",
    "CloseDate": "2027-03-31",
    "Amount": Decimal("99.50"),
    "CurrencyIsoCode": "EUR",
    "Probability": 20,
    "LeadSource": "Web",
    "AccountId": "0011",
    "ContactId": "0031",
    "OwnerId": "005B",
    "Description": "rang twice",
}
DEAL: Final = Deal(
    id="0061",
    title="Engine",
    pipeline="0129",
    stage="Needs Analysis",
    type="New Customer",
    close_date=date(2027, 3, 31),
    amount=Decimal("99.50"),
    currency="EUR",
    source="Web",
    company_id="0011",
    contact_ids=["0031"],
    owner_id="005B",
    comments="rang twice",
    custom={"Probability": 20},
)


def again(record: Record) -> Record:
    """Write a record as text, and read it."""
    data = json.loads(json.dumps(SF.to_json(record)), parse_float=Decimal)
    read = {Lead: SF.leads, Contact: SF.contacts, Company: SF.companies, Deal: SF.deals}
    found: tuple[Record, ...] = read[type(record)](data)
    return found[0]


def mistakes_of(entry: Mapping[str, object]) -> list[str]:
    """Return what is wrong with a lead that is fine otherwise."""
    with pytest.raises(ValueError, match="@ Lead 00Q1") as caught:
        SF.leads({"Id": "00Q1", "Status": "Open - Not Contacted", **entry})
    return [one.removesuffix(" @ Lead 00Q1") for one in str(caught.value).split("; ")]


class TestReading:
    def test_a_lead(self) -> None:
        """Every field of a lead is what it is here, and nothing but what is derived is missing."""
        assert (LEAD,) == SF.leads(LEAD_JSON)

    def test_a_contact(self) -> None:
        """A contact has two addresses, many phones, and its account."""
        assert (CONTACT,) == SF.contacts(CONTACT_JSON)

    def test_an_account(self) -> None:
        """An account is a company."""
        assert (ACCOUNT,) == SF.companies(ACCOUNT_JSON)

    def test_an_opportunity(self) -> None:
        """An opportunity is a deal, and its record type is the pipeline."""
        assert (DEAL,) == SF.deals(DEAL_JSON)

    def test_an_opportunity_without_a_record_type(self) -> None:
        """It is in the default pipeline of the rules, if they have one."""
        [deal] = SF.deals({"Id": "0061", "StageName": "new"})
        assert "opportunities" == deal.pipeline
        own = [
            *(one for one in RULES.pipelines if one.kind != "deal"),
            Pipeline("0120", "deal", ["new"], default=True),
        ]
        [deal] = SF.deals({"Id": "0061"}, rules=attrs.evolve(RULES, pipelines=own))
        assert "0120" == deal.pipeline

    @pytest.mark.parametrize(
        "data",
        [
            {"totalSize": 2, "done": True, "records": [{"Id": "1", "Name": "A"}, {"Id": "2"}]},
            [{"Id": "1", "Name": "A"}, {"Id": "2"}],
            ({"Id": "1", "Name": "A"}, {"Id": "2"}),
        ],
        ids=["query", "list", "tuple"],
    )
    def test_several(self, data: object) -> None:
        """The result of a query and a list are read in their order."""
        assert (Company(id="1", name="A"), Company(id="2")) == SF.companies(data)

    def test_an_address_from_its_compound_alone(self) -> None:
        """A query may pick the compound, and no part by itself."""
        compound = {"street": "a", "city": "b", "state": "c", "stateCode": "d", "latitude": 1}
        [company] = SF.companies({"Id": "1", "BillingAddress": compound})
        assert Address(street="a", city="b", region="c") == company.address
        assert {"BillingStateCode": "d", "BillingLatitude": 1} == company.custom

    def test_custom_fields_by_their_types(self) -> None:
        """What the rules declare is read as what it is there."""
        fields = [
            Field("Day__c", "date"),
            Field("At__c", "datetime"),
            Field("Money__c", "money"),
            Field("Count__c", "integer"),
            Field("Many__c", "enumeration", options=[Option("a"), Option("b")], multiple=True),
            Field("One__c", "enumeration", options=["a"]),
            Field("Site__c", "url"),
            Field("Sites__c", "url", multiple=True),
            Field("Texts__c", "text", multiple=True),
        ]
        rules = attrs.evolve(
            RULES, lead=attrs.evolve(RULES.lead, custom=[*RULES.lead.custom, *fields])
        )
        given = {
            "Day__c": "2027-01-31",
            "At__c": "2027-01-31T13:00:00.000+0100",
            "Money__c": 5,
            "Count__c": Decimal("7.0"),
            "Many__c": "a;b",
            "One__c": "a",
            "Site__c": "https://example.com",
            "Sites__c": "https://example.com",
            "Texts__c": "a;b",
        }
        [lead] = SF.leads({"Id": "00Q1", "Status": "x", **given}, rules=rules)
        assert {
            "Day__c": date(2027, 1, 31),
            "At__c": AT,
            "Money__c": Decimal(5),
            "Count__c": 7,
            "Many__c": ("a", "b"),
            "One__c": "a",
            "Site__c": Channel("https://example.com"),
            "Sites__c": (Channel("https://example.com"),),
            "Texts__c": ("a;b",),
        } == lead.custom

    def test_a_converted_lead(self) -> None:
        """It tells what it became and when; all of that counts as linked."""
        [lead] = SF.leads(
            {
                "Id": "00Q1",
                "Status": "Closed - Converted",
                "IsConverted": True,
                "ConvertedDate": "2027-01-31",
                "ConvertedAccountId": "0011",
                "ConvertedContactId": "0031",
                "ConvertedOpportunityId": None,
            }
        )
        became = [Ref("company", "0011"), Ref("contact", "0031")]
        told = Conversion(
            id="00Q1.1",
            at=datetime(2027, 1, 31, tzinfo=UTC),
            actor_id="",
            targets=became,
            linked=became,
            rules="",
        )
        assert (told,) == lead.conversions
        assert ((), True) == (told.created, told.closes)

    def test_a_converted_lead_by_its_ids_alone(self) -> None:
        """A query that does not pick the flag is understood as well."""
        [lead] = SF.leads(
            {"Id": "1", "Status": "x", "ConvertedDate": "2027-01-31", "ConvertedContactId": "0031"}
        )
        assert (Ref("contact", "0031"),) == lead.conversions[0].targets


class TestMistakes:
    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            ({"LastName": 5}, ["LastName is no text"]),
            ({"DoNotCall": "true"}, ["DoNotCall is neither true nor false"]),
            ({"DoNotCall": 0}, ["DoNotCall is neither true nor false"]),
            ({"AnnualRevenue": "5"}, ["AnnualRevenue is no number"]),
            ({"AnnualRevenue": True}, ["AnnualRevenue is no number"]),
            ({"AnnualRevenue": Decimal("NaN")}, ["AnnualRevenue is no finite number"]),
            (
                {"AnnualRevenue": 0.5},
                [
                    "AnnualRevenue is a float, which is not exact: parse with parse_float=Decimal",
                ],
            ),
            (
                {"X__c": {"a": [0.5]}},
                ["X__c is a float, which is not exact: parse with parse_float=Decimal"],
            ),
            ({"X__c": object()}, ["X__c is an object, which is no JSON"]),
            ({"NumberOfEmployees": Decimal("1.5")}, ["NumberOfEmployees is no whole number"]),
            ({"CreatedDate": "soon"}, ["CreatedDate is no moment"]),
            ({"CreatedDate": "2027-01-31T00:00:00"}, ["CreatedDate has no time zone"]),
            ({"CreatedDate": 5}, ["CreatedDate is no text"]),
            ({"Status": None}, ["Status is missing"]),
            ({"Status": 5}, ["Status is no text"]),
            ({"IsDeleted": True}, ["IsDeleted says that it is in the recycle bin"]),
            (
                {"attributes": {"type": "Contact"}},
                ["attributes.type is 'Contact', not 'Lead'"],
            ),
            ({"Address": "London"}, ["Address is no address"]),
            (
                {"City": "London", "Address": {"city": "Paris"}},
                ["City stands twice, with different values"],
            ),
            ({"stage": "x"}, ["stage is no name of a field there"]),
            (
                {"IsConverted": False, "ConvertedContactId": "0031", "ConvertedDate": "2027-01-31"},
                ["IsConverted is false, and yet there are ids of what it became"],
            ),
            ({"IsConverted": True}, ["ConvertedDate is missing"]),
            ({"IsConverted": True, "ConvertedDate": "soon"}, ["ConvertedDate is no day"]),
            (
                {"LastName": 5, "City": 6, "X__c": 0.5},
                [
                    "City is no text",
                    "LastName is no text",
                    "X__c is a float, which is not exact: parse with parse_float=Decimal",
                ],
            ),
        ],
    )
    def test_each_is_told(self, entry: Mapping[str, object], expected: list[str]) -> None:
        """What cannot be read is told with its field, all at once."""
        assert expected == mistakes_of(entry)

    def test_of_a_type_that_no_json_tells(self) -> None:
        """A field that the rules say is a product holds none that could be read."""
        lines = Field("Lines__c", "product", multiple=True)
        lead = attrs.evolve(RULES.lead, custom=[*RULES.lead.custom, lines])
        with pytest.raises(ValueError, match="Lines__c is no product that could be read @ Lead 1"):
            SF.leads(
                {"Id": "1", "Status": "x", "Lines__c": "y"}, rules=attrs.evolve(RULES, lead=lead)
            )

    def test_of_all_records(self) -> None:
        """Every record that cannot be read is told, by its id or its place."""
        with pytest.raises(ValueError, match="Id is missing") as caught:
            SF.companies([{"Name": "A"}, "B", {"Id": 5}, {"Id": "0011", "Name": 7}])
        assert [
            "Id is missing @ Account number 1",
            "an object is needed, not a str @ Account number 2",
            "Id is no text @ Account number 3",
            "Name is no text @ Account 0011",
        ] == str(caught.value).split("; ")

    def test_of_the_whole(self) -> None:
        """What is no record, and no list of them, is refused."""
        with pytest.raises(ValueError, match="a Contact is an object, several are a list"):
            SF.contacts("003")

    def test_of_the_rules(self) -> None:
        """Rules without such records are told so."""
        rules = ConversionRules(
            kinds=[CONTACT_KIND],
            pipelines=[Pipeline("leads", "lead", ["new", Stage("done", "success")])],
        )
        with pytest.raises(ValueError, match="these rules have no kind of Company"):
            SF.companies([], rules=rules)


class TestWriting:
    @pytest.mark.parametrize(
        ("record", "data"),
        [
            (LEAD, LEAD_JSON),
            (CONTACT, CONTACT_JSON),
            (ACCOUNT, ACCOUNT_JSON),
            (DEAL, DEAL_JSON),
        ],
        ids=["lead", "contact", "account", "opportunity"],
    )
    def test_what_was_read_is_written(self, record: Record, data: Mapping[str, object]) -> None:
        """Each field that is filled has its name and its value again."""
        derived = {
            *("Name", "PhotoUrl", "Address", "IsDeleted", "IsUnreadByOwner", "LastActivityDate"),
            *("SystemModstamp", "LastModifiedById", "Owner", "Tasks"),
        } - ({"Name"} if "Status" not in data else set())
        expected = {
            name: value
            for name, value in data.items()
            if value not in (None, "") and name not in derived
        }
        expected["attributes"] = {"type": dict(data)["attributes"]["type"]}  # type: ignore[index]
        told = json.loads(json.dumps(SF.to_json(record)), parse_float=Decimal)
        if isinstance(record, Lead):
            empty = {name for name in told if name.startswith("Converted")}
            assert {None} == {told.pop(name) for name in empty}
        assert expected == told

    def test_what_one_sends_is_without_what_the_system_sets(self) -> None:
        """A request that held its id, its times or its conversion would be refused."""
        told = SF.add(LEAD)
        assert "Lovelace" == told["LastName"]
        assert set() == set(told) & {"attributes", "Id", "CreatedDate", "IsConverted"}
        assert {"LastName": "Byron"} == SF.add(Contact(id="x", last_name="Byron"))

    def test_what_changed_is_what_one_sends(self) -> None:
        """A field that was emptied is null, one that stayed is not there."""
        after = attrs.evolve(CONTACT, job_title=None, address=Address(city="Paris"))
        assert {"MailingCity": "Paris", "Title": None} == SF.update(CONTACT, after)
        assert {} == SF.update(CONTACT, CONTACT)
        with pytest.raises(ValueError, match="a Contact and a Deal are no two states"):
            SF.update(CONTACT, DEAL)

    def test_the_pipeline_of_no_record_type_is_not_told(self) -> None:
        """The default pipeline of the rules is no record type, unless its id is one."""
        deal = Deal(id="0061", pipeline="opportunities")
        assert "RecordTypeId" not in SF.to_json(deal)
        assert "x" == SF.to_json(attrs.evolve(deal, pipeline="x"))["RecordTypeId"]
        own = [
            *(one for one in RULES.pipelines if one.kind != "deal"),
            Pipeline("0120", "deal", ["new"], default=True),
        ]
        told = SF.to_json(
            attrs.evolve(deal, pipeline="0120"), rules=attrs.evolve(RULES, pipelines=own)
        )
        assert "0120" == told["RecordTypeId"]

    def test_the_second_line_of_a_street(self) -> None:
        """A street has as many lines there as one writes."""
        company = Company(id="1", address=Address(street="a", street_2="b"))
        assert "a\nb" == SF.to_json(company)["BillingStreet"]

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (Decimal("5000.00"), "5000"),
            (Decimal("0.1"), "0.1"),
            (Decimal("-99.50"), "-99.5"),
            (Decimal("12345678901234.56"), "12345678901234.56"),
            (Decimal("1E+30"), "1e+30"),
            (123456789012345678, "123456789012345678"),
            (datetime(2027, 1, 31, 12, 0, 0, 5000, tzinfo=UTC), '"2027-01-31T12:00:00.005+0000"'),
            (datetime(2027, 1, 31, 12, 0, 0, 5, tzinfo=UTC), '"2027-01-31T12:00:00.000005+0000"'),
            (
                datetime(2027, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=2))),
                '"2027-01-31T10:00:00.000+0000"',
            ),
            (date(2027, 1, 31), '"2027-01-31"'),
            (("a", "", "b"), '"a;b"'),
            (Channel("x", "work"), '"x"'),
            ((Channel("x"),), '"x"'),
            ({"a": [1]}, None),
            (False, "false"),
        ],
        ids=str,
    )
    def test_values(self, value: object, told: str | None) -> None:
        """Each value is told exactly."""
        record = Company(id="1", custom={"X__c": value})
        if told is None:
            with pytest.raises(ValueError, match="X__c holds several values that are no options"):
                SF.to_json(record)
        else:
            assert told == json.dumps(SF.to_json(record)["X__c"])

    def test_what_has_no_place_is_told_all_at_once(self) -> None:
        """Nothing is left out in silence; what a record remembers of its past is no field."""
        lead = Lead(
            id="00Q1",
            stage="x",
            title="Engine",
            utm_source="google",
            phones=[Channel("1"), Channel("2")],
            products=[Product(name="Engine", price=Decimal(1))],
            address=Address(province="Surrey"),
            stage_history=[StageChange(to_stage="x", at=AT)],
            custom={
                "LastName": "Byron",
                "City": "London",
                "Id": "5",
                "Pi__c": Decimal("3.14159265358979323846"),
                "Odd__c": 0.5,
                "Semi__c": ("a;b",),
            },
        )
        with pytest.raises(ValueError, match="@ Lead 00Q1") as caught:
            SF.to_json(lead)
        assert [
            "address has a province, for which there is none: use region",
            "phones holds 2, and there is one there: keep one",
            "products has no field there: map it to a custom one, such as X__c",
            "title has no field there: map it to a custom one, such as X__c",
            "utm_source has no field there: map it to a custom one, such as X__c",
            "City is a standard field there: fill address",
            "Id is written as Id, which is taken",
            "LastName is a standard field there: fill last_name",
            "Odd__c is a float, which is no JSON",
            "Pi__c has more digits than a number holds there",
            "Semi__c holds several values that are no options",
        ] == [one.removesuffix(" @ Lead 00Q1") for one in str(caught.value).split("; ")]

    def test_several_contacts(self) -> None:
        """An opportunity shows one contact; which one is not for a writer to pick."""
        with pytest.raises(ValueError, match="contact_ids holds 2"):
            SF.to_json(Deal(id="1", contact_ids=["a", "b"]))

    def test_what_is_no_standard_record(self) -> None:
        """A record of another class has no object there."""
        with pytest.raises(TypeError, match="a GenericRecord is no lead, contact, company or deal"):
            SF.to_json(GenericRecord(kind="x", id="1"))


class TestConverted:
    def test_is_told_as_the_system_shows_it(self) -> None:
        """All that conversions in force made is told once one of them closed the lead."""
        first = Conversion(
            id="1", at=AT, actor_id="a", targets=[Ref("contact", "0031")], rules="", closing=False
        )
        last = Conversion(
            id="2",
            at=datetime(2027, 2, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
            actor_id="a",
            targets=[Ref("contact", "0031"), Ref("deal", "0061"), Ref("project", "P")],
            rules="",
        )
        open_ = Lead(id="00Q1", stage="x", conversions=[first])
        nothing = dict.fromkeys(
            ("ConvertedDate", "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId")
        )
        assert {"IsConverted": False, **nothing} == SF.converted(open_)
        done = attrs.evolve(open_, conversions=[first, last])
        expected = {
            "IsConverted": True,
            "ConvertedDate": "2027-01-31",
            "ConvertedAccountId": None,
            "ConvertedContactId": "0031",
            "ConvertedOpportunityId": "0061",
        }
        assert expected == SF.converted(done)
        assert expected.items() <= SF.to_json(done).items()

    def test_several_of_a_kind_have_no_place(self) -> None:
        """Two opportunities of one lead cannot be told there."""
        both = Conversion(
            id="1", at=AT, actor_id="a", targets=[Ref("deal", "1"), Ref("deal", "2")], rules=""
        )
        lead = Lead(id="00Q1", stage="x", conversions=[both])
        told = "ConvertedOpportunityId holds one id, and the lead became 1 and 2 @ Lead 00Q1"
        with pytest.raises(ValueError, match=told):
            SF.converted(lead)
        with pytest.raises(ValueError, match=told):
            SF.to_json(lead)


def _writable(number: Decimal) -> bool:
    return Decimal(repr(float(number))) == number


def _without_blanks(address: Address) -> Address:
    parts = attrs.asdict(address) | {"street": "a", "street_2": None, "province": None}
    return Address(**{name: part for name, part in parts.items() if not is_empty(part)})


def held_there(field: Field) -> st.SearchStrategy[object]:
    """Draw what a field can hold in both systems."""
    if field.type in {FieldType.PHONE, FieldType.EMAIL, FieldType.URL}:
        one = texts(filled=True).map(Channel)
        return one.map(lambda channel: (channel,)) if field.multiple else one
    if field.type is FieldType.ADDRESS:
        return addresses(filled=True).map(_without_blanks)
    if field.type in {FieldType.MONEY, FieldType.DECIMAL}:
        return amounts().filter(_writable)
    if field.id == "pipeline":
        return st.just("opportunities") | texts(filled=True).map(lambda text: f"012{text}")
    if field.multiple:
        return values(attrs.evolve(field, multiple=False), filled=True).map(lambda one: (one,))
    return values(field, filled=True)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw a record of one of the four, with any of the fields that have a place there."""
    shape = draw(st.sampled_from(SHAPES))
    kind = next(kind for kind in RULES.every_kind if kind.id == shape.kind)
    places = {*shape.fields.values(), *shape.addresses.values()}
    custom = {field.id for field in kind.custom}
    members = [field for field in kind.members.values() if field.id in places | custom]
    named = draw(st.lists(st.sampled_from(members), unique=True))
    held = {field.id: draw(held_there(field)) for field in named}
    if shape.kind == "lead":
        held.setdefault("stage", "Open - Not Contacted")
    if shape.kind == "deal":
        held.setdefault("pipeline", "opportunities")
    return kind.build(draw(texts(filled=True)), held)


class TestRoundTrip:
    @pytest.mark.parametrize("record", [LEAD, CONTACT, ACCOUNT, DEAL], ids=lambda one: one.id)
    def test_by_hand(self, record: Record) -> None:
        """What is written is read as what it was."""
        assert record == again(record)

    @settings(max_examples=150)
    @given(records())
    def test_of_any_record(self, record: Record) -> None:
        """Whatever has a place there comes back as it was."""
        assert record == again(record)
