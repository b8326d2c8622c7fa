"""Every example answer of the vendor's documentation, read and written back."""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
import pytest

from leadconvert import Actor, ConversionRules, Kind, Policy, StageRole, convert, presets
from leadconvert.presets._bitrix24_names import CLIENTS, MULTIFIELDS, NAMES
from leadconvert.records import Record


PAGE: Final = (Path(__file__).parents[1] / "docs" / "from-bitrix24.md").read_text("utf-8")
B24: Final = presets.bitrix24
Read = Callable[..., tuple[Record, ...]]
#: How the records of each method that answers some are read.
READERS: Final[Mapping[str, Read]] = {
    "crm.lead.get": B24.leads,
    "crm.contact.get": B24.contacts,
    "crm.contact.list": B24.contacts,
    "crm.company.get": B24.companies,
    "crm.company.list": B24.companies,
    "crm.deal.get": B24.deals,
    "crm.deal.list": B24.deals,
    "crm.item.get": B24.leads,
    "crm.item.list": B24.leads,
    "crm.item.add": B24.deals,
    "crm.item.update": B24.deals,
}
#: How many records the examples have.
RECORDS: Final = {
    "crm.contact.list": 5,
    "crm.deal.list": 6,
    "crm.item.list": 4,
}
#: What the system works out itself from the rest, which is not read; the docs list it as well.
DERIVED: Final = {
    # all
    *("MODIFY_BY_ID", "LAST_ACTIVITY_BY", "LAST_ACTIVITY_TIME", "updatedBy", "lastActivityBy"),
    *("lastActivityTime", "entityTypeId", "searchContent"),
    # with channels
    *("HAS_PHONE", "HAS_EMAIL", "HAS_IMOL", "hasPhone", "hasEmail", "hasImol"),
    *("phone", "phoneWork", "email", "emailWork"),
    # with stages
    *("MOVED_BY_ID", "MOVED_TIME", "movedBy", "movedTime", "STATUS_SEMANTIC_ID"),
    *("STAGE_SEMANTIC_ID", "stageSemanticId", "CLOSED", "IS_NEW", "closed", "isNew"),
}
#: Of leads alone.
OF_LEADS: Final = {"IS_RETURN_CUSTOMER", "isReturnCustomer"}
#: Zero stands for nothing.
ZERO: Final = {"companyId", "contactId", "webformId"}
#: Written whenever there is a contact.
BESIDES: Final = {"CONTACT_IDS"}
DAYS: Final = {"BIRTHDATE", "BEGINDATE", "CLOSEDATE", "birthdate", "begindate", "closedate"}


@pytest.fixture(scope="module")
def folder() -> Path:
    """Return the folder of the vendor's examples, which stands outside of the project."""
    default = Path(__file__).parents[2] / "shared" / "data" / "bitrix24" / "dataset.json"
    path = Path(os.environ.get("LEADCONVERT_SAMPLE_DATA") or default).with_name("spec")
    if not path.is_dir():
        if os.environ.get("CI"):
            pytest.fail("no folder spec beside LEADCONVERT_SAMPLE_DATA, and CI is to run these")
        # the examples are the vendor's and stand outside of the project
        pytest.skip("no folder spec beside LEADCONVERT_SAMPLE_DATA")
    return path


def answer(folder: Path, method: str) -> object:
    """Return the example answer of a method, or None if it has none."""
    text = (folder / f"{method}.json").read_text("utf-8")
    told: object = json.loads(text, parse_float=Decimal).get("resultExample")
    return told


def result(folder: Path, method: str) -> object:
    """Return what the example answer of a method says."""
    told = answer(folder, method)
    return told.get("result") if isinstance(told, dict) else None


def entries(told: object) -> list[dict[str, object]]:
    """Return the records in an answer."""
    while isinstance(told, dict) and (inner := {"result", "item", "items"} & told.keys()):
        told = told[inner.pop()]
    found: list[object] = told if isinstance(told, list) else [told]
    return [entry for entry in found if isinstance(entry, dict)]


def methods(folder: Path, *actions: str) -> list[str]:
    """Return the methods on records that have an example answer which is no mere id."""
    pattern = re.compile(rf"crm\.(lead|contact|company|deal|item)\.({'|'.join(actions)})")
    names = [path.name.removesuffix(".json") for path in sorted(folder.glob("*.json"))]
    return [
        name
        for name in names
        if pattern.fullmatch(name) and isinstance(result(folder, name), dict | list)
    ]


def filled(entry: Mapping[str, object]) -> set[str]:
    """Return the names of what is filled in."""
    return {
        name
        for name, value in entry.items()
        if value not in (None, "", [], {}) and not (name in ZERO and value == 0)
    }


def same(name: str, theirs: object, ours: object) -> bool:
    """Tell whether a value is written as it was read, however it is spelt."""
    if isinstance(theirs, list):
        assert isinstance(ours, list)
        return list(map(plain, theirs)) == list(map(plain, ours))
    if name in DAYS:
        return str(theirs)[:10] == ours
    try:
        return Decimal(str(theirs)) == Decimal(str(ours))
    except ArithmeticError:
        return theirs == ours


def plain(item: object) -> object:
    """Return an entry of a list, a channel without its number in their tables."""
    if not isinstance(item, dict):
        return item
    return {(name, value) for name, value in item.items() if name.upper() not in {"ID", "TYPE_ID"}}


class TestRecords:
    """Leads, contacts, companies and deals."""

    def test_every_method_is_read(self, folder: Path) -> None:
        """No example answer with records is left out."""
        assert sorted(READERS) == methods(folder, "get", "list", "add", "update")

    @pytest.mark.parametrize("method", READERS)
    def test_there_and_back(self, folder: Path, method: str) -> None:
        """Each record is written back to the same fields with the same values, and reads equal."""
        told = answer(folder, method)
        read, shape = READERS[method], "item" if method.startswith("crm.item.") else "classic"
        rules = presets.bitrix24.portal(
            userfields=[
                {
                    "ENTITY_ID": "CRM_DEAL",
                    "FIELD_NAME": "UF_CRM_1721244707107",
                    "USER_TYPE_ID": "double",
                }
            ]
        )
        found = read(told, rules=rules)
        assert RECORDS.get(method, 1) == len(found)
        for entry, record in zip(entries(told), found, strict=True):
            written = B24.to_json(record, shape=shape)
            ignored = DERIVED | OF_LEADS if read == B24.leads else DERIVED
            assert filled(entry) - ignored == written.keys() - (BESIDES - entry.keys())
            assert [] == [
                name
                for name in entry
                if name in written and not same(name, entry[name], written[name])
            ]
            sent = json.loads(json.dumps(written), parse_float=Decimal)
            assert (record,) == read(sent, rules=rules)

    @pytest.mark.parametrize(
        ("plural", "count"), [("leads", 25), ("contacts", 30), ("companies", 12), ("deals", 60)]
    )
    def test_sample(self, folder: Path, plural: str, count: int) -> None:
        """All records of the sample are written back to the same fields, and read equal."""
        data = json.loads(folder.with_name("dataset.json").read_text("utf-8"), parse_float=Decimal)
        read: Read = getattr(B24, plural)
        found = read(data)
        assert count == len(found)
        for entry, record in zip(data["entities"][plural], found, strict=True):
            written = B24.to_json(record)
            ignored = DERIVED | OF_LEADS if plural == "leads" else DERIVED
            assert filled(entry) - ignored == written.keys() - BESIDES
            assert [] == [
                name
                for name in entry
                if name in written and not same(name, entry[name], written[name])
            ]
            assert (record,) == read(written) == read(B24.to_json(record, shape="item"))


class TestApart:
    """What is answered apart from the record."""

    def test_products(self, folder: Path) -> None:
        """Product rows are read, and written to the fields that a product has."""
        rows = B24.products(answer(folder, "crm.lead.productrows.get"))
        assert [Decimal(10), Decimal("22175.328")] == [row.price for row in rows]
        assert ["6935", "6595"] == [row.product_id for row in rows]
        theirs = entries(answer(folder, "crm.lead.productrows.get"))
        for entry, row in zip(theirs, B24.to_rows(rows), strict=True):
            assert row.keys() == {
                "PRODUCT_ID",
                "PRODUCT_NAME",
                "PRICE",
                "QUANTITY",
                "TAX_RATE",
            } & filled(entry)
            assert all(same(name, entry[name], row[name]) for name in row)

    def test_contacts(self, folder: Path) -> None:
        """The contacts of a deal and of a company are read, the primary one first."""
        found = [answer(folder, f"crm.{kind}.contact.items.get") for kind in ("deal", "company")]
        assert [("55", "54", "56"), ("7", "8", "9")] == list(map(B24.contact_ids, found))


class TestPage:
    """docs/from-bitrix24.md."""

    @pytest.mark.parametrize("kind", NAMES)
    def test_every_field_stands_there(self, kind: str) -> None:
        """Each field of theirs that is read is named on the page."""
        names = NAMES[kind]
        told = {*names.standard, *names.others, *CLIENTS, *MULTIFIELDS}
        of_campaigns = {"UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM"}
        assert set() == {name for name in told if f"`{name}`" not in PAGE} - of_campaigns

    @pytest.mark.parametrize("name", sorted(DERIVED | OF_LEADS))
    def test_what_is_not_read_stands_there(self, name: str) -> None:
        """Each field of theirs that is not read is named on the page, in one of its spellings."""
        in_capitals = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
        assert f"`{name}`" in PAGE or f"`{in_capitals}`" in PAGE


def portal(folder: Path) -> ConversionRules:
    """Return the rules that all examples about fields and dictionaries make together."""
    kinds = ("lead", "contact", "company", "deal")
    with_fields = [kind for kind in kinds if (folder / f"crm.{kind}.fields.json").is_file()]
    return B24.portal(
        fields={kind: answer(folder, f"crm.{kind}.fields") for kind in with_fields},
        userfields=[answer(folder, f"crm.{kind}.userfield.list") for kind in kinds],
        statuses=answer(folder, "crm.status.list"),
    )


class TestPortal:
    """Fields and dictionaries."""

    def test_user_fields(self, folder: Path) -> None:
        """Fields of the user's own become custom fields, but for those of a type unknown here."""
        rules = portal(folder)
        contact, deal = rules.kind("contact"), rules.kind("deal")
        assert contact is not None
        assert deal is not None
        assert {
            "UF_CRM_1724412832": "text",
            "UF_CRM_1724412867": "text",
            "UF_CRM_1724412764": "date",
            "UF_CRM_1724412713": "decimal",
            "UF_CRM_1724412805": "text",
            "UF_CRM_1724412914": "file",
        } == own(contact)
        assert (
            {
                "UF_CRM_1713790573": "text",
                "UF_CRM_1724077760": "enumeration",
                "UF_CRM_1722578010": "file",
                "UF_CRM_HELLO_WORLD": "text",
            }
            == own(deal)
            == own(rules.lead)
        )
        assert {True} == {one.required and one.multiple for one in contact.custom if is_own(one.id)}
        options = [option.id for option in deal.members["UF_CRM_1724077760"].options]
        assert ["3157", "3159", "3161", "3163", "3181"] == options
        assert (Decimal(150),) == contact.members["UF_CRM_1724412713"].default

    def test_stages(self, folder: Path) -> None:
        """The stages of deals become the first pipeline."""
        [_, deals] = portal(folder).pipelines
        assert ("0", "deal", True) == (deals.id, deals.kind, deals.default)
        assert {
            StageRole.PROCESS: 5,
            StageRole.SUCCESS: 1,
            StageRole.FAILURE: 2,
        } == {role: len(deals.in_role(role)) for role in StageRole}

    def test_sample(self, folder: Path) -> None:
        """The sample's dictionaries make four pipelines and two lists of options."""
        data = json.loads(folder.with_name("dataset.json").read_text("utf-8"))["entities"]
        rules = B24.portal(statuses=data["statuses"], categories=data["categories"])
        assert {"leads": 5, "0": 5, "1": 3, "2": 2} == {
            one.id: len(one.stages) for one in rules.pipelines
        }
        assert ["CALL", "EMAIL", "WEB", "ADVERTISING", "PARTNER"] == [
            option.id for option in rules.lead.members["source"].options
        ]

    def test_the_sample_converts(self, folder: Path) -> None:
        """Under the rules of its own portal each unfinished lead of the sample converts."""
        text = folder.with_name("dataset.json").read_text("utf-8")
        data = json.loads(text, parse_float=Decimal)
        made = B24.portal(
            statuses=data["entities"]["statuses"], categories=data["entities"]["categories"]
        )
        rules = attrs.evolve(made, policy=Policy.allow_all())
        at, actor = datetime(2027, 1, 31, tzinfo=UTC), Actor("1")
        found = [
            one for one in B24.leads(data, rules=rules) if one.stage not in {"CONVERTED", "JUNK"}
        ]
        assert 17 == len(found)
        for lead in found:
            deal = convert(
                lead, ["contact", "company", "deal"], rules=rules, actor=actor, at=at
            ).deal
            assert ("0", "NEW", "SALE") == (deal.pipeline, deal.stage, deal.type)


def is_own(name: str) -> bool:
    """Tell whether a field is of the user's own."""
    return name.startswith("UF_CRM_17") or name == "UF_CRM_HELLO_WORLD"


def own(kind: Kind) -> dict[str, str]:
    """Return the types of the user's own fields."""
    return {field.id: field.type.value for field in kind.custom if is_own(field.id)}
