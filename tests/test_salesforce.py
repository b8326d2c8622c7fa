"""The Salesforce preset: its rules, its field map, and that the library asks nothing else of it."""

import json
import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import attrs
import pytest
from hypothesis import given, settings

from leadconvert import (
    Action,
    Actor,
    Address,
    Channel,
    Company,
    Contact,
    ConversionResult,
    Create,
    Deal,
    GenericRecord,
    Known,
    Lead,
    Merge,
    Outcome,
    Ref,
    StageRole,
    Wanted,
    advance,
    config,
    convert,
    errors,
    lint,
    plan,
    presets,
    seed,
)
from leadconvert.cli import main
from leadconvert.records import held
from leadconvert.stores import MemoryStore, SqlStore, convert_stored, reverse_stored
from leadconvert.testing import leads
from leadconvert.values import is_empty


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
CLOSE: Final = date(2027, 3, 31)
ADMIN: Final = Actor("005A", roles=["admin"])
SALES: Final = Actor("005B", roles=["sales"])
RULES: Final = presets.salesforce()
LONDON: Final = Address(street="12 St James's Square", city="London", country="United Kingdom")
DEAL: Final = Create("deal", values={"close_date": CLOSE})
LEAD: Final = Lead(
    id="00Q1",
    stage="Working - Contacted",
    honorific="Ms.",
    first_name="Ada",
    middle_name="King",
    last_name="Lovelace",
    job_title="Analyst",
    company_name="Analytical Engines",
    phones=[Channel("+44 20 1")],
    emails=[Channel("ada@example.com")],
    websites=[Channel("https://example.com")],
    address=LONDON,
    source="Web",
    comments="rang twice",
    currency="EUR",
    owner_id="005B",
    created_at=AT,
    created_by_id="005A",
    updated_at=AT,
    custom={
        "Suffix": "Countess",
        "MobilePhone": Channel("+44 7 1"),
        "Fax": Channel("+44 20 2"),
        "AnnualRevenue": Decimal("5000000.50"),
        "NumberOfEmployees": 12,
        "Industry": "Engineering",
        "Rating": "Hot",
        "DoNotCall": True,
        "HasOptedOutOfEmail": True,
        "HasOptedOutOfFax": False,
        "StateCode": "LND",
        "RecordTypeId": "0121",
    },
)
#: What becomes of each field of a lead: by kind, the field it fills there.
FIELD_MAP: Final[Mapping[str, Mapping[str, str]]] = {
    "honorific": {"contact": "honorific"},
    "first_name": {"contact": "first_name"},
    "middle_name": {"contact": "middle_name"},
    "last_name": {"contact": "last_name"},
    "Suffix": {"contact": "Suffix"},
    "job_title": {"contact": "job_title"},
    "company_name": {"company": "name", "deal": "title"},
    "phones": {"contact": "phones", "company": "phones"},
    "MobilePhone": {"contact": "MobilePhone"},
    "Fax": {"contact": "Fax", "company": "Fax"},
    "emails": {"contact": "emails"},
    "websites": {"company": "websites"},
    "address": {"contact": "address", "company": "address"},
    "StateCode": {"contact": "MailingStateCode", "company": "BillingStateCode"},
    "source": {"contact": "source", "deal": "source"},
    "comments": {"contact": "comments"},
    "currency": {"contact": "CurrencyIsoCode", "company": "CurrencyIsoCode", "deal": "currency"},
    "owner_id": {"contact": "owner_id", "company": "owner_id", "deal": "owner_id"},
    "AnnualRevenue": {"company": "AnnualRevenue"},
    "NumberOfEmployees": {"company": "NumberOfEmployees"},
    "Industry": {"company": "Industry"},
    "Rating": {"company": "Rating"},
    "DoNotCall": {"contact": "DoNotCall"},
    "HasOptedOutOfEmail": {"contact": "HasOptedOutOfEmail"},
    "HasOptedOutOfFax": {"contact": "HasOptedOutOfFax"},
}


def converted(lead: Lead = LEAD) -> ConversionResult:
    """Convert a lead into all three."""
    return convert(lead, ["contact", "company", DEAL], rules=RULES, actor=ADMIN, at=AT)


class TestRules:
    def test_are_one_value(self) -> None:
        """They are built once, and survive pickling."""
        assert RULES is presets.salesforce()
        assert RULES == pickle.loads(pickle.dumps(RULES))  # noqa: S301 - our own

    def test_stages_are_those_of_a_new_organisation(self) -> None:
        """Leads have four statuses, opportunities ten stages; each end has its role."""
        leads_, deals = RULES.lead_pipeline, RULES.pipelines_of("deal")[0]
        assert "Open - Not Contacted" == leads_.first.id
        assert ["Closed - Converted"] == [one.id for one in leads_.in_role(StageRole.SUCCESS)]
        assert ["Closed - Not Converted"] == [one.id for one in leads_.in_role(StageRole.FAILURE)]
        assert 10 == len(deals.stages)
        assert ["Closed Won"] == [one.id for one in deals.in_role(StageRole.SUCCESS)]
        assert ["Closed Lost"] == [one.id for one in deals.in_role(StageRole.FAILURE)]

    def test_what_is_required_is_what_is_required_there(self) -> None:
        """A person needs a last name, an account a name, an opportunity one and a close date."""
        required = {
            kind.id: [field.id for field in kind.members.values() if field.required]
            for kind in RULES.kinds
        }
        assert {
            "contact": ["last_name"],
            "company": ["name"],
            "deal": ["title", "close_date"],
        } == required

    def test_every_field_of_a_lead_is_decided_on(self) -> None:
        """What a lead of theirs can hold is carried, or left behind by name."""
        other = {
            *("stage", "stage_description", "title", "birth_date", "messengers", "amount"),
            *("products", "source_description", "opened", "tags", "observer_ids"),
            *("originator_id", "origin_id", "stage_history", "conversions"),
            *("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
        }
        assert set() == {
            name for name in RULES.lead.members if not RULES.decides_on(name)
        }.difference(other)


class TestFieldMap:
    @pytest.mark.parametrize(("source", "into"), FIELD_MAP.items(), ids=str)
    def test_each_field_goes_where_it_goes_there(
        self, source: str, into: Mapping[str, str]
    ) -> None:
        """A field of the lead fills exactly these fields, each as it is."""
        result = converted()
        rows = [row for row in result.explain() if row.field == source]
        targets = {str(row.target) for row in rows if row.outcome == Outcome.CARRIED}
        assert {f"{kind} 1.{field}" for kind, field in into.items()} == targets
        by_id = {kind.id: kind for kind in RULES.kinds}
        for kind, field in into.items():
            [record] = result.all(kind)
            assert RULES.lead.read(LEAD, source) == by_id[kind].read(record, field)

    def test_nothing_of_a_full_lead_is_dropped(self) -> None:
        """What reaches nothing was left behind by name."""
        result = converted()
        left = {row.field for row in result.explain() if row.outcome == Outcome.LEFT_BEHIND}
        assert {"created_at", "created_by_id", "updated_at", "RecordTypeId"} == left
        assert () == result.dropped

    def test_the_records_point_at_each_other(self) -> None:
        """The contact belongs to the account, the opportunity to both, and all to the lead."""
        result = converted()
        assert result.company.id == result.contact.company_id
        assert (result.company.id, (result.contact.id,)) == (
            result.deal.company_id,
            result.deal.contact_ids,
        )
        assert {("00Q1",)} == {
            one.converted_from for one in (result.contact, result.company, result.deal)
        }
        assert ("Closed - Converted", 3) == (
            result.lead.stage,
            len(result.lead.conversions[0].targets),
        )

    def test_a_name_that_is_too_long_for_an_opportunity_is_cut_and_told(self) -> None:
        """The account keeps the whole name, and the row says that the opportunity does not."""
        result = converted(attrs.evolve(LEAD, company_name="E" * 200))
        assert ("E" * 200, "E" * 120) == (result.company.name, result.deal.title)
        carried = [row for row in result.explain() if row.outcome == Outcome.CARRIED]
        assert ["shortened"] == [row.reason for row in carried if row.target == "deal 1.title"]

    def test_a_lead_without_a_company_names_its_opportunity_after_the_person(self) -> None:
        """An account is asked for by its name, an opportunity gets that of the person."""
        person = attrs.evolve(LEAD, company_name=None)
        asked = plan(person, ["company", DEAL], rules=RULES, actor=ADMIN, at=AT)
        assert [("company", "name")] == [(one.kind, one.field) for one in asked.form]
        made = convert(person, [DEAL], rules=RULES, actor=ADMIN, at=AT)
        assert "Lovelace" == made.deal.title


class TestBehaviour:
    def test_the_close_date_is_asked_for(self) -> None:
        """Nobody guesses the end of the quarter; once given, the plan is complete."""
        asked = plan(LEAD, ["contact", "deal"], rules=RULES, actor=SALES, at=AT)
        assert [("deal", "close_date")] == [(one.kind, one.field) for one in asked.form]
        with pytest.raises(errors.MissingFieldsError, match="deal needs Close date"):
            asked.result()
        answered = plan(LEAD, ["contact", DEAL], rules=RULES, actor=SALES, at=AT)
        assert CLOSE == answered.result().deal.close_date

    def test_the_opportunity_is_optional(self) -> None:
        """A lead may become a contact and an account alone."""
        result = convert(LEAD, ["contact", "company"], rules=RULES, actor=SALES, at=AT)
        assert None is result.get(Deal)

    def test_merging_fills_what_is_empty_and_nothing_else(self) -> None:
        """An account and a contact that exist keep all they have, opt-outs included."""
        account = Company(
            id="001", name="Engines", owner_id="005A", custom={"Industry": "Mills", "Rating": ""}
        )
        contact = Contact(
            id="003",
            last_name="Byron",
            company_id="001",
            owner_id="005A",
            emails=[Channel("byron@example.com")],
            custom={"HasOptedOutOfFax": True},
        )
        result = convert(
            LEAD,
            [Merge("company", "001"), Merge("contact", "003")],
            rules=RULES,
            actor=SALES,
            at=AT,
            known=Known(records=[account, contact]),
        )
        assert ("Engines", "005A", "Mills", "Hot") == (
            result.company.name,
            result.company.owner_id,
            result.company.custom["Industry"],
            result.company.custom["Rating"],
        )
        assert ("Byron", "Ada", "005A") == (
            result.contact.last_name,
            result.contact.first_name,
            result.contact.owner_id,
        )
        assert (Channel("byron@example.com"),) == result.contact.emails
        held = result.contact.custom
        assert (True, None, None) == (
            held["HasOptedOutOfFax"],
            held.get("DoNotCall"),
            held.get("HasOptedOutOfEmail"),
        )
        assert {"name", "owner_id", "Industry"} <= {
            str(row.target).rpartition(".")[2] for row in result.unmerged
        }

    def test_a_converted_lead_is_read_only(self) -> None:
        """It is neither converted again nor moved."""
        done = converted().lead
        with pytest.raises(errors.AlreadyConvertedError):
            convert(done, ["contact"], rules=RULES, actor=ADMIN, at=AT)
        with pytest.raises(errors.ConversionError):
            advance(done, "Working - Contacted", rules=RULES, actor=ADMIN, at=AT)

    def test_activities_and_memberships_travel_along(self) -> None:
        """An activity belongs to all three as well, a campaign's member to the contact."""
        call = GenericRecord(
            kind="activity", id="00T1", custom={"subject": "Call", "lead_ids": ("00Q1",)}
        )
        member = GenericRecord(
            kind="campaign_member",
            id="00v1",
            custom={"campaign_id": "701", "lead_ids": ("00Q1",)},
        )
        result = convert(
            LEAD,
            ["contact", "company", DEAL],
            rules=RULES,
            actor=SALES,
            at=AT,
            known=Known(records=[call, member]),
        )
        travelled = {one.ref.id: [ref.kind for ref in one.targets] for one in result.children}
        assert {"00T1": ["contact", "company", "deal"], "00v1": ["contact"]} == {
            id_: sorted(kinds, key=["contact", "company", "deal"].index)
            for id_, kinds in travelled.items()
        }
        assert {"shared"} == {one.action for one in result.children}

    def test_sales_may_not_take_a_conversion_back(self) -> None:
        """There is no such right there; whoever may do everything has it."""
        asked = presets.salesforce().policy
        told = [
            role.id for role in asked.roles for one in role.grants if Action.REVERSE in one.actions
        ]
        assert ["admin"] == told


class TestEverythingElse:
    """What the library can do it can do with these rules as well."""

    @pytest.mark.parametrize("kind", ["memory", "sql"])
    def test_stores_keep_and_take_back(self, kind: str) -> None:
        """A lead is converted in a store, and that is taken back, record for record."""
        sql = SqlStore.from_url("sqlite://", rules=RULES)
        sql.create()
        store: MemoryStore | SqlStore = MemoryStore(RULES) if kind == "memory" else sql
        account = Company(id="001", name="Engines", owner_id="005B")
        store.apply(seed([LEAD, account], rules=RULES))
        result = convert_stored(
            store,
            "00Q1",
            ["contact", Merge("company", "001"), DEAL],
            rules=RULES,
            actor=SALES,
            at=AT,
        )
        assert "Engineering" == result.company.custom["Industry"]
        assert result.contact.id == presets.salesforce.converted(result.lead)["ConvertedContactId"]
        undone = reverse_stored(store, "00Q1", rules=RULES, actor=ADMIN, at=AT)
        assert (
            attrs.evolve(
                LEAD,
                revision=undone.lead.revision,
                stage_history=undone.lead.stage_history,
                conversions=undone.lead.conversions,
            )
            == undone.lead
        )
        gone = {Ref("contact", result.contact.id), Ref("deal", result.deal.id)}
        assert gone == set(undone.removed)
        [restored] = undone.restored
        assert presets.salesforce.to_json(account) == presets.salesforce.to_json(restored)
        sql.close()

    @settings(max_examples=40)
    @given(leads(RULES))
    def test_any_lead_is_converted_or_refused_with_reasons(self, lead: Lead) -> None:
        """Whatever a lead holds, the answer is whole, and tells of every filled field."""
        asked = plan(lead, ["contact", "company", DEAL], rules=RULES, actor=ADMIN, at=AT)
        assert asked.ok is not bool(asked.problems)
        if asked.ok:
            told = {row.field for row in asked.result().explain()}
            untold = {"stage", "stage_history", "conversions"}
            filled = {name for name, value in held(lead).items() if not is_empty(value)}
            assert set() == filled - told - untold

    @pytest.mark.parametrize("format_", ["toml", "json"])
    def test_the_rules_are_a_file_as_well(self, format_: Literal["toml", "json"]) -> None:
        """What is dumped is loaded as the same rules."""
        assert RULES == config.loads(config.dumps(RULES, format=format_), format=format_)

    def test_the_linter_finds_what_somebody_has_to_do(self) -> None:
        """The close date takes a person; what no lead of theirs has is the only thing unmapped."""
        found = lint(RULES)
        assert ["field deal.close_date"] == [
            one.place for one in found if one.code == "only_by_hand"
        ]
        names = {one.place for one in found if one.code == "unmapped"}
        assert set() == names & {f"field lead.{name}" for name in FIELD_MAP}
        assert {"unmapped", "only_by_hand", "may_be_empty"} == {one.code for one in found}

    @settings(max_examples=15)
    @given(leads(RULES))
    def test_a_database_gives_back_what_it_was_given(self, lead: Lead) -> None:
        """Every field of a lead, custom ones included, is stored and loaded as it was."""
        with SqlStore.from_url("sqlite://", rules=RULES) as store:
            store.create()
            store.apply(seed([lead], rules=RULES))
            [found] = store.load(Wanted(refs=(Ref("lead", lead.id),))).records
        assert held(lead) == held(found)

    def test_the_command_reads_and_converts(self, tmp_path: Path) -> None:
        """A file of their JSON is converted by these rules."""
        file, out = tmp_path / "leads.json", tmp_path / "out"
        data = {"totalSize": 1, "done": True, "records": [presets.salesforce.to_json(LEAD)]}
        file.write_text(json.dumps(data), "utf-8")
        asked = ["convert", str(file), "--from", "salesforce", "--rules", "salesforce"]
        assert 0 == main([*asked, "--into", "contact,company", "--out", str(out)])
        [line] = (out / "company.jsonl").read_text("utf-8").splitlines()
        assert "Analytical Engines" == json.loads(line)["name"]
