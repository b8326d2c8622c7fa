"""Bitrix24's contacts, companies and deals read, and all four kinds of record written."""

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
    ConversionRules,
    Deal,
    Field,
    FieldType,
    GenericRecord,
    Kind,
    Lead,
    Product,
    StageChange,
    convert,
    presets,
)
from leadconvert.access import Actor
from leadconvert.presets._bitrix24_names import MULTIFIELDS, NAMES
from leadconvert.records import Record, changed
from leadconvert.testing import values
from leadconvert.values import is_empty


MOSCOW: Final = timezone(timedelta(hours=3))
AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)

CONTACT: Final[Mapping[str, object]] = {
    "ID": "3",
    "HONORIFIC": "HNR_EN_1",
    "NAME": "Ada",
    "SECOND_NAME": "King",
    "LAST_NAME": "Lovelace",
    "BIRTHDATE": "1985-12-10",
    "POST": "Analyst",
    "COMMENTS": "rang twice",
    "OPENED": "Y",
    "SOURCE_ID": "WEB",
    "SOURCE_DESCRIPTION": "landing page",
    "ASSIGNED_BY_ID": "6",
    "OBSERVER_IDS": ["8"],
    "COMPANY_ID": "40",
    "COMPANY_IDS": ["40", "41"],
    "LEAD_ID": "7",
    "TYPE_ID": "CLIENT",
    "EXPORT": "N",
    "PHOTO": "12",
    "ORIGINATOR_ID": "shop",
    "ORIGIN_ID": "A-1",
    "ORIGIN_VERSION": "2",
    "ADDRESS": "12 St James's Square",
    "ADDRESS_2": "2nd floor",
    "ADDRESS_CITY": "London",
    "DATE_CREATE": "2026-03-10T08:11:00+03:00",
    "CREATED_BY_ID": "1",
    "DATE_MODIFY": "2026-08-11T13:11:00+03:00",
    "UTM_SOURCE": "google",
    "PARENT_ID_128": "22",
    "UF_CRM_1": "big",
    "PHONE": [{"VALUE": "+44 1", "VALUE_TYPE": "WORK"}, {"VALUE": "+44 2"}],
    "EMAIL": [{"VALUE": "ada@example.com", "VALUE_TYPE": "HOME"}],
    "LINK": [{"VALUE": "17", "VALUE_TYPE": "USER"}],
}
ITEM_CONTACT: Final[Mapping[str, object]] = {
    "id": 3,
    "honorific": "HNR_EN_1",
    "name": "Ada",
    "secondName": "King",
    "lastName": "Lovelace",
    "birthdate": "1985-12-10",
    "post": "Analyst",
    "comments": "rang twice",
    "opened": "Y",
    "sourceId": "WEB",
    "sourceDescription": "landing page",
    "assignedById": 6,
    "observers": [8],
    "companyId": 40,
    "companyIds": [40, 41],
    "leadId": 7,
    "typeId": "CLIENT",
    "export": "N",
    "photo": 12,
    "originatorId": "shop",
    "originId": "A-1",
    "originVersion": "2",
    "address": "12 St James's Square",
    "address_2": "2nd floor",
    "addressCity": "London",
    "createdTime": "2026-03-10T08:11:00+03:00",
    "createdBy": 1,
    "updatedTime": "2026-08-11T13:11:00+03:00",
    "utmSource": "google",
    "parentId128": 22,
    "ufCrm_1": "big",
    "fm": [
        {"typeId": "PHONE", "value": "+44 1", "valueType": "WORK"},
        {"typeId": "PHONE", "value": "+44 2"},
        {"typeId": "EMAIL", "value": "ada@example.com", "valueType": "HOME"},
        {"typeId": "LINK", "value": "17", "valueType": "USER"},
    ],
}
ADA: Final = Contact(
    id="3",
    honorific="HNR_EN_1",
    first_name="Ada",
    middle_name="King",
    last_name="Lovelace",
    birth_date=date(1985, 12, 10),
    job_title="Analyst",
    comments="rang twice",
    opened=True,
    source="WEB",
    source_description="landing page",
    owner_id="6",
    observer_ids=["8"],
    company_id="40",
    converted_from=["7"],
    originator_id="shop",
    origin_id="A-1",
    address=Address(street="12 St James's Square", street_2="2nd floor", city="London"),
    utm_source="google",
    phones=[Channel("+44 1", "work"), Channel("+44 2")],
    emails=[Channel("ada@example.com", "home")],
    custom={
        "COMPANY_IDS": ["40", "41"],
        "TYPE_ID": "CLIENT",
        "EXPORT": False,
        "PHOTO": "12",
        "ORIGIN_VERSION": "2",
        "DATE_CREATE": datetime(2026, 3, 10, 8, 11, tzinfo=MOSCOW),
        "CREATED_BY_ID": "1",
        "DATE_MODIFY": datetime(2026, 8, 11, 13, 11, tzinfo=MOSCOW),
        "PARENT_ID_128": "22",
        "UF_CRM_1": "big",
        "LINK": [Channel("17", "user")],
    },
)

COMPANY: Final[Mapping[str, object]] = {
    "ID": "9",
    "TITLE": "Analytical Engines",
    "COMPANY_TYPE": "CUSTOMER",
    "INDUSTRY": "IT",
    "EMPLOYEES": "EMPLOYEES_1",
    "REVENUE": "39618000.50",
    "CURRENCY_ID": "EUR",
    "BANKING_DETAILS": "GB 1",
    "IS_MY_COMPANY": "N",
    "CONTACT_ID": ["3", "4"],
    "LEAD_ID": "7",
    "ADDRESS_LEGAL": "London",
    "ADDRESS_CITY": "London",
    "REG_ADDRESS": "1 Road",
    "REG_ADDRESS_2": "back",
    "REG_ADDRESS_COUNTRY_CODE": "GB",
    "REG_ADDRESS_LOC_ADDR_ID": "78",
    "WEB": [{"VALUE": "https://example.com", "VALUE_TYPE": "WORK"}],
}
ITEM_COMPANY: Final[Mapping[str, object]] = {
    "id": 9,
    "title": "Analytical Engines",
    "typeId": "CUSTOMER",
    "industry": "IT",
    "employees": "EMPLOYEES_1",
    "revenue": "39618000.50",
    "currencyId": "EUR",
    "bankingDetails": "GB 1",
    "isMyCompany": "N",
    "contactIds": [3, 4],
    "leadId": 7,
    "addressLegal": "London",
    "addressCity": "London",
    "regAddress": "1 Road",
    "regAddress_2": "back",
    "regAddressCountryCode": "GB",
    "regAddressLocAddrId": 78,
    "fm": [{"typeId": "WEB", "value": "https://example.com", "valueType": "WORK"}],
}
ENGINES: Final = Company(
    id="9",
    name="Analytical Engines",
    converted_from=["7"],
    address=Address(city="London"),
    websites=[Channel("https://example.com", "work")],
    custom={
        "COMPANY_TYPE": "CUSTOMER",
        "INDUSTRY": "IT",
        "EMPLOYEES": "EMPLOYEES_1",
        "REVENUE": Decimal("39618000.50"),
        "CURRENCY_ID": "EUR",
        "BANKING_DETAILS": "GB 1",
        "IS_MY_COMPANY": False,
        "CONTACT_ID": ["3", "4"],
        "ADDRESS_LEGAL": "London",
        "REG_ADDRESS": Address(street="1 Road", street_2="back", country_code="GB"),
        "REG_ADDRESS_LOC_ADDR_ID": "78",
    },
)

DEAL: Final[Mapping[str, object]] = {
    "ID": "5",
    "TITLE": "Engine",
    "TYPE_ID": "SALE",
    "CATEGORY_ID": "0",
    "STAGE_ID": "NEW",
    "BEGINDATE": "2026-08-30",
    "CLOSEDATE": "2026-09-09",
    "OPPORTUNITY": "5000.00",
    "CURRENCY_ID": "EUR",
    "CONTACT_ID": "3",
    "CONTACT_IDS": ["3", "4"],
    "COMPANY_ID": "9",
    "LEAD_ID": "7",
    "PROBABILITY": 99,
    "TAX_VALUE": "0.00",
    "ADDITIONAL_INFO": "urgent",
    "QUOTE_ID": "2",
    "IS_MANUAL_OPPORTUNITY": "Y",
    "IS_RECURRING": "N",
    "IS_RETURN_CUSTOMER": "N",
    "IS_REPEATED_APPROACH": "Y",
    "WEBFORM_ID": "12",
    "PRODUCT_ROWS": [
        {
            "PRODUCT_ID": "6935",
            "PRODUCT_NAME": "Engine",
            "PRICE": "99.50",
            "QUANTITY": "2",
            "TAX_RATE": "20",
        }
    ],
}
ITEM_DEAL: Final[Mapping[str, object]] = {
    "id": 5,
    "title": "Engine",
    "typeId": "SALE",
    "categoryId": 0,
    "stageId": "NEW",
    "begindate": "2026-08-30",
    "closedate": "2026-09-09",
    "opportunity": "5000.00",
    "currencyId": "EUR",
    "contactId": 3,
    "contactIds": [3, 4],
    "companyId": 9,
    "leadId": 7,
    "probability": 99,
    "taxValue": "0.00",
    "additionalInfo": "urgent",
    "quoteId": 2,
    "isManualOpportunity": "Y",
    "isRecurring": "N",
    "isReturnCustomer": "N",
    "isRepeatedApproach": "Y",
    "webformId": 12,
    "productRows": [
        {
            "productId": 6935,
            "productName": "Engine",
            "price": "99.50",
            "quantity": "2",
            "taxRate": "20",
        }
    ],
}
ENGINE: Final = Deal(
    id="5",
    title="Engine",
    type="SALE",
    pipeline="0",
    stage="NEW",
    begin_date=date(2026, 8, 30),
    close_date=date(2026, 9, 9),
    amount=Decimal("5000.00"),
    currency="EUR",
    contact_ids=["3", "4"],
    company_id="9",
    converted_from=["7"],
    products=[
        Product(
            name="Engine",
            price=Decimal("99.50"),
            quantity=2,
            product_id="6935",
            tax_percent=Decimal(20),
        )
    ],
    custom={
        "PROBABILITY": 99,
        "TAX_VALUE": Decimal("0.00"),
        "ADDITIONAL_INFO": "urgent",
        "QUOTE_ID": "2",
        "IS_MANUAL_OPPORTUNITY": True,
        "IS_RECURRING": False,
        "IS_RETURN_CUSTOMER": False,
        "IS_REPEATED_APPROACH": True,
        "WEBFORM_ID": "12",
    },
)
ALL: Final[list[tuple[Mapping[str, object], Mapping[str, object], Record]]] = [
    (CONTACT, ITEM_CONTACT, ADA),
    (COMPANY, ITEM_COMPANY, ENGINES),
    (DEAL, ITEM_DEAL, ENGINE),
]
KIND_OF: Final = {Lead: "lead", Contact: "contact", Company: "company", Deal: "deal"}
NAMED: Final = pytest.mark.parametrize(
    ("classic", "item", "record"), ALL, ids=["contact", "company", "deal"]
)


def read(record: Record, data: object, rules: ConversionRules | None = None) -> Record:
    """Return the one record in *data*, read as one of the same kind as *record*."""
    b24 = presets.bitrix24
    found: tuple[Record, ...]
    match record:
        case Lead():
            found = b24.leads(data, rules=rules)
        case Contact():
            found = b24.contacts(data, rules=rules)
        case Company():
            found = b24.companies(data, rules=rules)
        case _:
            found = b24.deals(data, rules=rules)
    [one] = found
    return one


class TestReading:
    """Contacts, companies and deals."""

    @NAMED
    def test_every_field(
        self, classic: Mapping[str, object], item: Mapping[str, object], record: Record
    ) -> None:
        """Every field of either shape is read into the same place."""
        assert record == read(record, {"result": classic})
        assert record == read(record, {"result": {"item": item}})

    @NAMED
    def test_wrappers(
        self, classic: Mapping[str, object], item: Mapping[str, object], record: Record
    ) -> None:
        """Lists and the data set of the vendor's documentation are read as well."""
        plural = {"contact": "contacts", "company": "companies", "deal": "deals"}
        assert record == read(record, {"result": {"items": [item]}, "total": 1})
        entities = {"entities": {plural[KIND_OF[type(record)]]: [classic], "leads": [{}]}}
        assert record == read(record, entities)

    @pytest.mark.parametrize("name", ["contact", "company", "deal"])
    def test_other_types(self, name: str) -> None:
        """An item of another type is refused, each with its own number."""
        record, number, plural = {
            "contact": (ADA, 3, "contacts"),
            "company": (ENGINES, 4, "companies"),
            "deal": (ENGINE, 2, "deals"),
        }[name]
        with pytest.raises(
            ValueError, match=f"^entityTypeId is not that of {plural}, {number} @ {name} 1$"
        ):
            read(record, {"id": 1, "entityTypeId": 1})

    @pytest.mark.parametrize(
        ("values", "mistake"),
        [
            ({"PROBABILITY": "1.5"}, "PROBABILITY is no whole number @ deal 5"),
            ({"PROBABILITY": "1E+400"}, "PROBABILITY is no whole number @ deal 5"),
            ({"PROBABILITY": True}, "PROBABILITY is no number @ deal 5"),
            ({"tags": ["a"]}, "tags is a name with a meaning of its own here @ deal 5"),
            ({"TITLE": ["a"]}, "TITLE is no text @ deal 5"),
            ({"WEBFORM_ID": ["a"]}, "WEBFORM_ID is no text @ deal 5"),
        ],
    )
    def test_mistakes(self, values: dict[str, object], mistake: str) -> None:
        """What cannot be read is told with the field and the record."""
        with pytest.raises(ValueError, match="@") as refused:
            presets.bitrix24.deals({"ID": "5", **values})
        assert mistake == str(refused.value)

    @pytest.mark.parametrize(
        ("told", "number"),
        [(99, 99), ("99", 99), ("99.0", 99), ("0", 0), (10**99, 10**99)],
        ids=repr,
    )
    def test_whole_numbers(self, told: object, number: int) -> None:
        """A whole number is one however it is told."""
        [deal] = presets.bitrix24.deals({"ID": "5", "PROBABILITY": told})
        assert {"PROBABILITY": number} == deal.custom

    @pytest.mark.parametrize(
        "photo",
        ["12", 12, {"id": 12, "showUrl": "/x"}, {"id": "12", "url": "x", "urlMachine": ""}],
        ids=repr,
    )
    def test_files(self, photo: object) -> None:
        """A file is its id, alone or with the addresses it can be got from."""
        [contact] = presets.bitrix24.contacts({"ID": "3", "PHOTO": photo})
        assert {"PHOTO": "12"} == contact.custom

    @pytest.mark.parametrize("nothing", ["0", 0, "", None, False], ids=repr)
    def test_nothing(self, nothing: object) -> None:
        """Zero and false stand for nothing where an id or a file belongs."""
        data = {"ID": "3", "PHOTO": nothing, "COMPANY_ID": nothing, "LEAD_ID": nothing}
        assert (Contact(id="3"),) == presets.bitrix24.contacts(data)

    def test_the_preset_itself(self) -> None:
        """What is no rules is refused at once."""
        with pytest.raises(TypeError, match=r"^rules is a ConversionRules, not a Bitrix24"):
            presets.bitrix24.deals([], rules=presets.bitrix24)  # type: ignore[arg-type]

    def test_a_channel_of_a_deal(self) -> None:
        """What a kind has no place for is kept under the vendor's name."""
        [deal] = presets.bitrix24.deals({"ID": "5", "PHONE": [{"VALUE": "1"}]})
        assert {"PHONE": (Channel("1"),)} == deal.custom


class TestApart:
    """What the vendor answers apart from the record."""

    def test_products(self) -> None:
        """Product rows are read in either shape."""
        rows = [Product(name="Engine", price=Decimal("22175.328"), tax_percent=12)]
        upper = {"PRODUCT_NAME": "Engine", "PRICE": Decimal("22175.328"), "TAX_RATE": 12}
        camel = {"productName": "Engine", "price": Decimal("22175.328"), "taxRate": 12}
        extra = {"DISCOUNT_RATE": 40, "MEASURE_NAME": "pcs", "OWNER_ID": "5"}
        assert tuple(rows) == presets.bitrix24.products({"result": [{**upper, **extra}]})
        assert tuple(rows) == presets.bitrix24.products({"result": {"productRows": [camel]}})

    def test_bad_products(self) -> None:
        """A row that cannot be read is told."""
        with pytest.raises(ValueError, match=r"^the answer has a row whose PRICE is missing$"):
            presets.bitrix24.products([{"PRODUCT_NAME": "Engine"}])
        with pytest.raises(ValueError, match=r"^a product row is an object, several are a list"):
            presets.bitrix24.products("x")

    def test_contacts(self) -> None:
        """Contacts come in their order, the primary one first, nobody left out."""
        entries = [
            {"CONTACT_ID": 54, "IS_PRIMARY": "N"},
            {"CONTACT_ID": 0, "IS_PRIMARY": "N"},
            {"CONTACT_ID": 55, "IS_PRIMARY": "Y"},
            {"CONTACT_ID": 56},
        ]
        assert ("55", "54", "56") == presets.bitrix24.contact_ids({"result": entries})

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            ([{"CONTACT_ID": True}], "the answer is no text"),
            ([{"CONTACT_ID": 5, "IS_PRIMARY": "?"}], "the answer is neither Y nor N"),
            ([5], "the answer is no list of contacts"),
        ],
    )
    def test_bad_contacts(self, data: object, told: str) -> None:
        """An entry that cannot be read is told."""
        with pytest.raises(ValueError, match=f"^{told}$"):
            presets.bitrix24.contact_ids(data)


class TestWriting:
    """Records as the vendor's answers tell them."""

    @NAMED
    def test_every_field(
        self, classic: Mapping[str, object], item: Mapping[str, object], record: Record
    ) -> None:
        """What is read is written back, to the letter, in either shape."""
        assert classic == presets.bitrix24.to_json(record)
        assert item == presets.bitrix24.to_json(record, shape="item")

    @pytest.mark.parametrize(
        ("amount", "told"),
        [
            (Decimal(5000), "5000.00"),
            (Decimal("999.9"), "999.90"),
            (Decimal("0.001"), "0.001"),
            (Decimal("1E+5"), "100000.00"),
            (Decimal(0), "0.00"),
            (Decimal("-1.50"), "-1.50"),
            (Decimal("1E+999"), "1E+999"),
        ],
    )
    def test_amounts(self, amount: Decimal, told: str) -> None:
        """An amount is text with two decimals at least, and never rounded."""
        data = presets.bitrix24.to_json(Deal(id="5", amount=amount))
        assert {"ID": "5", "OPPORTUNITY": told} == data

    @pytest.mark.parametrize(
        ("id_", "told"),
        [
            ("7", 7),
            ("0", 0),
            ("007", "007"),
            ("L-7.1.deal.1", "L-7.1.deal.1"),
            ("9" * 30, "9" * 30),
        ],
    )
    def test_ids(self, id_: str, told: object) -> None:
        """An id is a number in crm.item.* if it is one, and text elsewhere."""
        assert {"ID": id_} == presets.bitrix24.to_json(Company(id=id_))
        assert {"id": told} == presets.bitrix24.to_json(Company(id=id_), shape="item")

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("UF_CRM_1720019876534", "ufCrm_1720019876534"),
            ("UF_CRM_10_5186744711", "ufCrm10_5186744711"),
            ("UF_CRM_HELLO_WORLD", "ufCrmHelloWorld"),
            ("UF_CRM_64A29A1CD5CC2", "UF_CRM_64A29A1CD5CC2"),
            ("PARENT_ID_1222", "parentId1222"),
            ("SIZE", "SIZE"),
            ("x", "x"),
        ],
    )
    def test_names_of_custom_fields(self, name: str, told: str) -> None:
        """A name of the user's own is turned into camelCase if it can be told back."""
        lead = Lead(id="7", stage="NEW", custom={name: "a"})
        data = presets.bitrix24.to_json(lead, shape="item")
        assert {"id": 7, "stageId": "NEW", told: "a"} == data
        assert (lead,) == presets.bitrix24.leads(data)

    def test_a_mixed_name_of_a_known_field(self) -> None:
        """The camelCase form of a name mixed of letters and digits is known by the rules' field."""
        entry = {"ENTITY_ID": "CRM_LEAD", "FIELD_NAME": "UF_CRM_64A29A1CD5CC2"}
        rules = presets.bitrix24.portal(userfields=[{**entry, "USER_TYPE_ID": "string"}])
        data = {"id": 7, "stageId": "NEW", "ufCrm_64A29A1CD5CC2": "a", "ufCrm64B": "b"}
        [lead] = presets.bitrix24.leads(data, rules=rules)
        assert {"UF_CRM_64A29A1CD5CC2": "a", "ufCrm64B": "b"} == lead.custom

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ({"rate": Decimal("1.5"), "open": False}, {"rate": "1.5", "open": False}),
            ([1, None, "a"], [1, None, "a"]),
            (datetime(2027, 1, 31, tzinfo=UTC), "2027-01-31T00:00:00+00:00"),
            ((Channel("a", "work"),), ["a"]),
            (Address(street="1 Road", city="London"), "1 Road, London"),
            (
                Product(name="Engine", price=5),
                {"PRODUCT_NAME": "Engine", "PRICE": "5", "QUANTITY": "1"},
            ),
            (0.5, 0.5),
        ],
    )
    def test_values_of_custom_fields(self, value: object, told: object) -> None:
        """A custom field may hold anything that JSON can say."""
        data = presets.bitrix24.to_json(Company(id="9", custom={"UF_X": value}))
        assert {"ID": "9", "UF_X": told} == data
        json.dumps(data)

    def test_channels_of_other_types(self) -> None:
        """Channels under a name that is not the user's own are a multi-field."""
        company = Company(id="9", custom={"FAX": [Channel("5", "work")]})
        classic, item = (
            presets.bitrix24.to_json(company, shape=one) for one in ("classic", "item")
        )
        assert {"ID": "9", "FAX": [{"VALUE": "5", "VALUE_TYPE": "WORK"}]} == classic
        assert {"id": 9, "fm": [{"typeId": "FAX", "value": "5", "valueType": "WORK"}]} == item

    def test_no_place(self) -> None:
        """What has no place there is left out: it is named in the docs."""
        moved = StageChange(to_stage="NEW", at=AT)
        deal = Deal(
            id="5", revision="2", tags=["a"], stage_history=[moved], converted_from=["7", "8"]
        )
        assert {"ID": "5", "LEAD_ID": "7"} == presets.bitrix24.to_json(deal)

    def test_standard_fields_come_first(self) -> None:
        """A custom field that has the name of a field of theirs does not take its place."""
        lead = Lead(id="7", stage="NEW", custom={"STATUS_ID": "x", "ID": "8"})
        assert {"ID": "7", "STATUS_ID": "NEW"} == presets.bitrix24.to_json(lead)

    def test_what_json_cannot_say(self) -> None:
        """A value that JSON has no form for is refused with its field."""
        company = Company(id="9", custom={"UF_X": StageChange(to_stage="NEW", at=AT)})
        with pytest.raises(
            TypeError, match=r"^UF_X holds a StageChange, which Bitrix24's JSON has"
        ):
            presets.bitrix24.to_json(company)

    def test_other_records(self) -> None:
        """Other kinds of record are none of these four."""
        with pytest.raises(TypeError, match=r"is needed here, not a GenericRecord$"):
            presets.bitrix24.to_json(GenericRecord(kind="x", id="1"))

    def test_other_shapes(self) -> None:
        """There are two shapes."""
        with pytest.raises(ValueError, match=r"^shape is 'classic' or 'item', not 'upper'$"):
            presets.bitrix24.to_json(ADA, shape="upper")

    @pytest.mark.parametrize(
        ("shape", "told"),
        [
            (
                "classic",
                [{"PRODUCT_NAME": "Oil", "PRICE": "0.5", "QUANTITY": "1", "PRODUCT_ID": "2"}],
            ),
            ("item", [{"productName": "Oil", "price": "0.5", "quantity": "1", "productId": 2}]),
        ],
    )
    def test_rows(self, shape: str, told: object) -> None:
        """Product rows are written apart as well."""
        oil = Product(name="Oil", price=Decimal("0.5"), product_id="2")
        assert told == presets.bitrix24.to_rows([oil], shape=shape)


class TestFields:
    """What is sent to add and to update."""

    def test_new(self) -> None:
        """For a new record all is sent but what the vendor sets itself, and the product rows."""
        own = {"ID", "PRODUCT_ROWS", "DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID"}
        for classic, _, record in ALL:
            sent = presets.bitrix24.to_fields(record)
            assert {name: classic[name] for name in classic if name not in own} == sent

    @pytest.mark.parametrize(
        ("now", "sent"),
        [
            ({}, {}),
            ({"last_name": "Byron"}, {"LAST_NAME": "Byron"}),
            ({"last_name": None, "opened": False}, {"LAST_NAME": "", "OPENED": "N"}),
            ({"observer_ids": []}, {"OBSERVER_IDS": []}),
            ({"address": None}, {"ADDRESS": "", "ADDRESS_2": "", "ADDRESS_CITY": ""}),
            ({"phones": [Channel("+44 2"), Channel("+44 3")]}, {"PHONE": [{"VALUE": "+44 3"}]}),
            ({"phones": []}, {}),
            ({"custom": {}, "websites": [Channel("x")]}, None),
        ],
    )
    def test_changed(self, now: dict[str, object], sent: dict[str, object] | None) -> None:
        """For an earlier record what differs is sent, the empty as blank, of channels the new."""
        fields = presets.bitrix24.to_fields(changed(ADA, now), since=ADA)
        if sent is None:
            gone = ("TYPE_ID", "EXPORT", "PHOTO", "ORIGIN_VERSION", "PARENT_ID_128", "UF_CRM_1")
            blank: dict[str, object] = {**dict.fromkeys(gone, ""), "COMPANY_IDS": []}
            sent = {"WEB": [{"VALUE": "x"}], **blank}
        assert sent == fields

    def test_another_record(self) -> None:
        """Since is the same record, as it was."""
        for since in (attrs.evolve(ADA, id="4"), Company(id="3")):
            with pytest.raises(
                ValueError, match=r"^since= is an earlier state of the same record$"
            ):
                presets.bitrix24.to_fields(ADA, since=since)

    def test_a_conversion(self) -> None:
        """After a conversion the lead's stage and clients are what is sent."""
        [lead] = presets.bitrix24.leads({"ID": "7", "STATUS_ID": "NEW", "TITLE": "Engine"})
        rules = presets.bitrix24()
        admin = Actor("1", roles=["admin"])
        result = convert(lead, ["deal"], rules=rules, actor=admin, at=AT)
        sent = presets.bitrix24.to_fields(result.lead, since=lead, shape="item")
        assert {"stageId": "CONVERTED"} == sent
        assert {
            "TITLE": "Engine",
            "CATEGORY_ID": "0",
            "STAGE_ID": "NEW",
            "TYPE_ID": "SALE",
            "LEAD_ID": "7",
        } == presets.bitrix24.to_fields(result.deal)


def own_fields(kind: str) -> list[dict[str, object]]:
    """Return a field of the user's own of every type, single and multiple."""
    types = ["string", "integer", "double", "date", "datetime", "file", "url", "employee", "money"]
    return [
        {
            "ENTITY_ID": f"CRM_{kind.upper()}",
            "FIELD_NAME": f"UF_CRM_{number}",
            "USER_TYPE_ID": type_,
            "MULTIPLE": "Y" if number % 2 else "N",
        }
        for number, type_ in enumerate([*types, *types, "boolean"])
    ]


PORTAL: Final = presets.bitrix24.portal(
    userfields=[own_fields(kind) for kind in ("lead", "contact", "company", "deal")]
)
KINDS: Final = {kind.id: kind for kind in (PORTAL.lead, *PORTAL.kinds)}
#: What there is no place for there.
NO_PLACE: Final = {"tags"}


def holdable(field: Field) -> st.SearchStrategy[object]:
    """Draw what a field of theirs can hold as well: nothing blank, no id that is zero."""
    drawn = values(field, filled=True).map(tidy).filter(lambda value: not is_empty(value))
    if field.id == "converted_from":
        return drawn.map(lambda some: some[:1] if isinstance(some, tuple) else some)
    if field.id == "contact_ids":
        return drawn.map(
            lambda some: tuple(dict.fromkeys(some)) if isinstance(some, tuple) else some
        )
    if field.type is FieldType.URL and field.id.startswith("UF_"):
        return drawn.map(unused)
    return drawn


def unused(value: object) -> object:
    """Return channels as plain texts hold them: without a use."""
    if isinstance(value, tuple):
        return tuple(map(unused, value))
    return Channel(value.value) if isinstance(value, Channel) else value


def tidy(value: object) -> object:
    """Return *value* without what stands for nothing there."""
    match value:
        case tuple():
            return tuple(item for item in map(tidy, value) if not is_empty(item))
        case str():
            return None if value.strip() == "0" else value
        case Address():
            parts = attrs.asdict(value)
            return Address(**{name: part for name, part in parts.items() if not is_empty(part)})
        case Product():
            named = attrs.evolve(value, name=value.name if value.name.strip() else "Engine")
            return attrs.evolve(named, product_id=None) if value.product_id == "0" else named
        case _:
            return value


@st.composite
def records(draw: st.DrawFn, kind: Kind) -> Record:
    """Draw a record of *kind* that their shapes can hold."""
    names = [name for name in kind.members if name not in NO_PLACE and name != "stage"]
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=8))
    held = {name: draw(holdable(kind.members[name])) for name in chosen}
    stage = {"stage": "NEW"} if kind.stage else {}
    return kind.build(str(draw(st.integers(1, 99))), stage | held)


def anything() -> st.SearchStrategy[object]:
    """Draw whatever JSON can say."""
    numbers: st.SearchStrategy[object] = st.integers() | st.floats() | st.decimals(allow_nan=False)
    plain = st.none() | st.booleans() | st.text() | numbers
    likely = st.sampled_from(["Y", "0", "1E+99", "2027-01-31", "2027-01-31T12:00:00Z"])
    names = st.sampled_from(["ID", "VALUE", "typeId", "TYPE_ID", "CONTACT_ID", "PRICE", "result"])
    return st.recursive(
        plain | likely,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
        max_leaves=4,
    )


class TestWhatever:
    """Data that nobody has thought of."""

    @pytest.mark.parametrize("kind", NAMES)
    @settings(max_examples=100)
    @given(data=st.data())
    def test_refused_or_read(self, kind: str, data: st.DataObject) -> None:
        """Data is refused with a ValueError, or read into records that can be written."""
        names = NAMES[kind]
        known = [*names.standard, *names.others, *MULTIFIELDS, "CONTACT_IDS", "fm", "UF_CRM_1", "x"]
        fields = st.dictionaries(st.sampled_from(known), anything(), max_size=3)
        entry = {"ID": "7", "STATUS_ID": "NEW", **data.draw(fields)}
        try:
            read = {
                "lead": presets.bitrix24.leads,
                "contact": presets.bitrix24.contacts,
                "company": presets.bitrix24.companies,
                "deal": presets.bitrix24.deals,
            }[kind]
            found = read(data.draw(st.just(entry) | st.just([entry]) | anything()), rules=PORTAL)
        except ValueError:
            return
        for record in found:
            for shape in ("classic", "item"):
                json.dumps(presets.bitrix24.to_json(record, shape=shape))


class TestThereAndBack:
    """Written, sent and read again."""

    @pytest.mark.parametrize("kind", ["lead", "contact", "company", "deal"])
    @pytest.mark.parametrize("shape", ["classic", "item"])
    @settings(max_examples=60)
    @given(data=st.data())
    def test_same_record(self, kind: str, shape: str, data: st.DataObject) -> None:
        """A record that is written and read again is the same."""
        record = data.draw(records(KINDS[kind]))
        sent = json.dumps({"result": presets.bitrix24.to_json(record, shape=shape)})
        assert record == read(record, json.loads(sent, parse_float=Decimal), PORTAL)
