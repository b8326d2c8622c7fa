"""Converting again: supplements, product lines as difference, amounts, conversion in parts."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import MAX_EMAX, Decimal
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Attach,
    Automation,
    AutomationRule,
    Channel,
    Company,
    Contact,
    Conversion,
    ConversionResult,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    GenericRecord,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    Mode,
    MoveResult,
    Outcome,
    Pending,
    Pipeline,
    Plan,
    Policy,
    Product,
    Receipt,
    Record,
    Ref,
    Request,
    Role,
    Row,
    Stage,
    StageChange,
    Target,
    Undone,
    Update,
    advance,
    arrive,
    can_convert,
    convert,
    errors,
    inquire,
    plan,
    presets,
    resume,
    wanted,
)
from leadconvert.codec import Codec
from leadconvert.errors import Cause
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.products import remaining
from leadconvert.values import is_empty


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-7", roles=["sales"])
BITRIX: Final = attrs.evolve(presets.bitrix24(), policy=Policy.allow_all())
LEADS: Final = Pipeline(
    "leads", "lead", ["new", "talk", Stage("done", "success"), Stage("lost", "failure")]
)
SALES: Final = Pipeline("sales", "deal", ["open", Stage("won", "success")])
MAPPINGS: Final = (
    FieldMapping("last_name", "contact"),
    FieldMapping("emails", "contact"),
    FieldMapping("company_name", "company", "name"),
    FieldMapping("title", "deal"),
    FieldMapping("amount", "deal"),
    FieldMapping("currency", "deal"),
    FieldMapping("products", "deal"),
    FieldMapping("contact_ids", "deal"),
    FieldMapping("company_id", "deal"),
)

SEATS: Final = Product(name="Seat", price=10, quantity=5)
DESK: Final = Product(name="Desk", price=50)
ENQUIRY: Final = Lead(
    id="L-7",
    revision="1",
    stage="new",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    owner_id="u-7",
)
PRICED: Final = attrs.evolve(ENQUIRY, amount=500, currency="EUR", products=[SEATS, DESK])
ALL: Final = ("contact", "company", "deal")
LEAD_REF: Final = Ref("lead", "L-7")


def own_rules(*more: FieldMapping, **others: Any) -> ConversionRules:  # noqa: ANN401
    """Rules with as little in them as these tests need."""
    given: dict[str, Any] = {
        "kinds": [CONTACT, COMPANY, DEAL],
        "pipelines": [LEADS, SALES],
        "mappings": [*MAPPINGS, *more],
        "policy": Policy.allow_all(),
        **others,
    }
    return ConversionRules(**given)


RULES: Final = own_rules()


def looked(lead: Lead, *into: str | Target, known: Known | None = None, **others: Any) -> Plan:  # noqa: ANN401
    """What is planned."""
    given: dict[str, Any] = {"rules": RULES, "actor": ADA, "at": AT, "known": known, **others}
    return plan(lead, into, **given)


def more(lead: Lead, *into: str | Target, known: Known | None = None, **others: Any) -> Plan:  # noqa: ANN401
    """What is planned as a supplement."""
    return looked(lead, *into, known=known, mode="supplement", **others)


def kept(*results: ConversionResult, there: Iterable[Record] = ()) -> tuple[Lead, Known]:
    """The lead and all records as a store returns them, with ids of its own."""
    records = list(there)
    for result in results:
        short = {"contact": "C", "company": "CO", "deal": "D"}
        made = [one.ref for one in result.outcomes if one.ref.provisional]
        ids = [
            (
                ref,
                Ref(
                    ref.kind,
                    short[ref.kind] + ref.id.removeprefix("L-7.").replace(f"{ref.kind}.", ""),
                ),
            )
            for ref in made
        ]
        number = len(result.lead.conversions) + 1
        stored = result.stored(Receipt(ids=ids, revisions=[(LEAD_REF, str(number))]))
        changed = {(type(one), one.id) for one in stored.records}
        records = [one for one in records if (type(one), one.id) not in changed]
        records += stored.records
        lead = stored.lead
    return lead, Known(records=records)


def converted(lead: Lead = ENQUIRY, *into: str | Target, **others: Any) -> tuple[Lead, Known]:  # noqa: ANN401
    """A lead that is converted, and what there is then."""
    there = others.pop("there", ())
    result = looked(lead, *(into or ALL), known=Known(records=there), **others).result()
    return kept(result, there=there)


def codes(decided: Plan) -> list[tuple[str | None, str | None, str]]:
    """What is wrong, and where."""
    return [(one.kind, one.field, one.code) for one in decided.problems]


def lines(deal: Deal) -> dict[str, int]:
    """How much of what a deal has."""
    return {one.name: int(one.quantity) for one in deal.products}


def told(rows: Iterable[Row], target: str) -> list[tuple[str | None, str, str | None]]:
    """What is said of one field of a target: the lead's field, what became of it, and why."""
    return [(row.field, str(row.outcome), row.reason) for row in rows if row.target == target]


def made(*targets: Ref, number: int = 1, **others: Any) -> Conversion:  # noqa: ANN401
    """A conversion as a lead remembers it."""
    return Conversion(
        id=f"L-7.{number}", at=AT, actor_id="u-7", targets=targets, rules="9f2c", **others
    )


class TestConvertedAlready:
    def test_refused_with_what_it_became_and_the_way_on(self) -> None:
        """A converted lead is never converted twice, and the supplement is named as what to do."""
        lead, known = converted()
        p = looked(lead, "deal", known=known)
        assert [
            (
                "the lead is converted already, into company CO1.1, contact C1.1, deal D1.1"
                " (work with those records, or make more of it with mode='supplement')"
            )
        ] == [str(problem) for problem in p.problems]
        with pytest.raises(errors.AlreadyConvertedError):
            p.result()

    def test_also_without_closing_it(self) -> None:
        """To leave it open is no way around."""
        lead, known = converted()
        assert [("lead", None, "converted")] == codes(
            looked(lead, "deal", known=known, closing=False)
        )

    def test_what_a_supplement_made_is_not_among_it(self) -> None:
        """What the lead became is what the conversion made that closed it."""
        lead, known = converted()
        lead, known = kept(more(lead, "deal", known=known).result(), there=known.records)
        [problem] = looked(lead, "deal", known=known).problems
        assert ("company CO1.1", "contact C1.1", "deal D1.1") == problem.params["became"]


class TestAnotherDeal:
    def test_attached_to_the_clients_of_the_first(self) -> None:
        """A second deal points at the contact and the company that the first conversion made."""
        lead, known = converted()
        result = more(lead, "deal", known=known).result()
        assert (("C1.1",), "CO1.1") == (result.deal.contact_ids, result.deal.company_id)
        assert ("L-7",) == result.deal.converted_from
        assert "Engine" == result.deal.title
        assert [("created", "deal")] == [(one.action, one.ref.kind) for one in result.outcomes]

    def test_to_every_contact(self) -> None:
        """Where there are several contacts the deal has all of them, in their order."""
        lead, known = converted(
            ENQUIRY, "contact", Create("contact", values={"last_name": "King"}), "deal"
        )
        result = more(lead, "deal", known=known).result()
        assert ("C1.1", "C1.2") == result.deal.contact_ids

    def test_to_those_that_had_existed(self) -> None:
        """A client that was linked or merged into is the lead's client as well."""
        there = [Contact(id="C-3", last_name="King"), Company(id="CO-9", name="Engines")]
        lead, known = converted(
            ENQUIRY, Link("contact", "C-3"), Merge("company", "CO-9"), "deal", there=there
        )
        result = more(lead, "deal", known=known).result()
        assert (("C-3",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)

    def test_to_those_of_an_earlier_stage(self) -> None:
        """The clients of every conversion in force count, also of those that did not close."""
        first = looked(ENQUIRY, "contact", closing=False).result()
        lead, known = kept(first)
        second = looked(lead, Create("contact"), "company", "deal", known=known).result()
        lead, known = kept(second, there=known.records)
        result = more(lead, "deal", known=known).result()
        assert (("C1.1", "C2.1"), "CO2.1") == (result.deal.contact_ids, result.deal.company_id)

    def test_to_those_of_an_earlier_supplement(self) -> None:
        """A client that a supplement added is a client from then on; the first company stays."""
        lead, known = converted()
        second = more(lead, Create("contact"), known=known).result()
        lead, known = kept(second, there=known.records)
        result = more(lead, "deal", known=known).result()
        assert (("C1.1", "C2.1"), "CO1.1") == (result.deal.contact_ids, result.deal.company_id)

    def test_where_there_are_two_companies(self) -> None:
        """Clients of two companies go into no one deal, so it is said which are meant."""
        lead, known = converted()
        second = more(lead, Create("contact"), Create("company"), known=known).result()
        lead, known = kept(second, there=known.records)
        assert [("deal", None, "clients_disagree")] == codes(more(lead, "deal", known=known))
        into = (Link("contact", "C2.1"), Link("company", "CO2.1"), "deal")
        result = more(lead, *into, known=known).result()
        assert (("C2.1",), "CO2.1") == (result.deal.contact_ids, result.deal.company_id)

    def test_to_those_the_lead_is_bound_to(self) -> None:
        """Whom the lead was bound to before comes after whom it became."""
        there = [Contact(id="C-3", last_name="King"), Company(id="CO-9", name="Engines")]
        bound = attrs.evolve(ENQUIRY, contact_ids=["C-3"], company_id="CO-9")
        lead, known = converted(bound, Create("contact"), "deal", there=there)
        result = more(lead, "deal", known=known).result()
        assert (("C1.1", "C-3"), "CO-9") == (result.deal.contact_ids, result.deal.company_id)

    def test_under_ids_and_a_key_of_its_own(self) -> None:
        """What a supplement makes is never taken for what was made before, and a retry is one."""
        lead, known = converted()
        result = more(lead, "deal", known=known).result()
        again = more(lead, "deal", known=known).result()
        assert "L-7.2.deal.1" == result.deal.id
        assert "L-7.2" == result.conversion.id
        assert again == result
        lead, known = kept(result, there=known.records)
        third = more(lead, "deal", known=known).result()
        assert ("L-7.3.deal.1", "L-7.3") == (third.deal.id, third.conversion.id)
        assert third.changes.key != result.changes.key
        assert third.changes.fingerprint == result.changes.fingerprint

    def test_several_at_once(self) -> None:
        """Two deals in one supplement are two, both with the clients."""
        lead, known = converted()
        result = more(lead, "deal", "deal", known=known).result()
        assert [("L-7.2.deal.1", ("C1.1",)), ("L-7.2.deal.2", ("C1.1",))] == [
            (deal.id, deal.contact_ids) for deal in result.all(Deal)
        ]

    def test_another_kind(self) -> None:
        """Whatever refers to the clients gets them, and whatever refers to a deal the first one."""
        invoice = Kind(
            "invoice",
            fields=[
                Field("deal_id", "reference", to="deal"),
                Field("payer_ids", "reference", to="contact", multiple=True),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
        )
        rules = own_rules(kinds=[CONTACT, COMPANY, DEAL, invoice])
        lead, known = converted(rules=rules)
        result = more(lead, "invoice", known=known, rules=rules).result()
        [record] = result.all("invoice")
        assert isinstance(record, GenericRecord)
        assert ("D1.1", ("C1.1",)) == (record.custom["deal_id"], record.custom["payer_ids"])

    def test_what_it_changes(self) -> None:
        """The deal is made, the lead remembers it, and nobody else is touched."""
        lead, known = converted()
        result = more(lead, "deal", known=known).result()
        insert, update = result.changes.changes
        assert isinstance(insert, Insert)
        assert (Ref("contact", "C1.1"),) == insert.values["contact_ids"]
        assert Ref("company", "CO1.1") == insert.values["company_id"]
        assert Update(LEAD_REF, "2", {"conversions": result.lead.conversions}) == update
        deal = Ref("deal", "L-7.2.deal.1", provisional=True)
        assert [
            ("record.created", deal, {"lead": LEAD_REF}),
            (
                "lead.converted",
                LEAD_REF,
                {
                    "conversion": "L-7.2",
                    "targets": (deal,),
                    "closing": False,
                    "supplement": True,
                },
            ),
        ] == [(one.name, one.ref, dict(one.params)) for one in result.changes.events]
        [trace] = result.changes.traces
        assert "L-7.2" == trace.id
        assert [(deal, "created"), (LEAD_REF, "filled")] == [
            (step.ref, step.action) for step in trace.steps
        ]

    def test_how_the_lead_remembers_it(self) -> None:
        """A supplement says that it is one, that it closed nothing, by whom and why."""
        lead, known = converted()
        result = more(lead, "deal", known=known, reason="they want a second one").result()
        expected = Conversion(
            id="L-7.2",
            at=AT,
            actor_id="u-7",
            targets=[Ref("deal", "L-7.2.deal.1", provisional=True)],
            rules=RULES.digest,
            closing=False,
            supplement=True,
            reason="they want a second one",
        )
        assert (*lead.conversions, expected) == result.lead.conversions
        assert (True, False) == (expected.in_force, expected.closes)

    def test_the_lead_stays_where_it_stands(self) -> None:
        """A supplement never moves the lead, however it is asked."""
        lead, known = converted()
        for closing in (True, False):
            result = more(lead, "deal", known=known, closing=closing).result()
            assert "done" == result.lead.stage
            assert lead.stage_history == result.lead.stage_history
            assert not result.conversion.closing
        assert more(lead, "deal", known=known, closing=True).result() == result

    def test_as_stored(self) -> None:
        """With the store's ids the lead, the deal and the conversion name the same record."""
        lead, known = converted()
        result = more(lead, "deal", known=known).result()
        lead, known = kept(result, there=known.records)
        assert (Ref("deal", "D2.1"),) == lead.conversions[1].targets
        deals = {one.id: one for one in known.records if isinstance(one, Deal)}
        assert {"D1.1", "D2.1"} == deals.keys()
        assert ("C1.1",) == deals["D2.1"].contact_ids

    def test_by_convert_as_by_plan(self) -> None:
        """To convert with that mode is to plan with it and to take the result."""
        lead, known = converted()
        result = convert(
            lead, ["deal"], rules=RULES, actor=ADA, at=AT, known=known, mode=Mode.SUPPLEMENT
        )
        assert more(lead, "deal", known=known).result() == result

    def test_limits_hold(self) -> None:
        """Where a client may have one open deal the first stands in the way of a second."""
        lead, known = converted()
        limited = own_rules(limits=[Limit("deal", "no_open")])
        assert [("deal", None, "has_open")] == codes(more(lead, "deal", known=known, rules=limited))
        won = [
            attrs.evolve(one, stage="won") if isinstance(one, Deal) else one
            for one in known.records
        ]
        assert more(lead, "deal", known=Known(records=won), rules=limited).ok

    def test_clients_that_parted_are_told(self) -> None:
        """A contact who went to another company since is a question to a person."""
        lead, known = converted()
        away = [
            attrs.evolve(one, company_id="CO-9") if isinstance(one, Contact) else one
            for one in known.records
        ]
        there = Known(records=[*away, Company(id="CO-9", name="Looms")])
        [problem] = more(lead, "deal", known=there).problems
        assert "clients_disagree" == problem.code
        result = more(lead, Link("company", "CO-9"), "deal", known=there).result()
        assert (("C1.1",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)


class TestIsItReady:
    @pytest.mark.parametrize(
        "conversions",
        [
            (),
            (made(Ref("contact", "C-3"), closing=False),),
            (made(Ref("contact", "C-3"), undone=Undone(how="reversed", at=AT, actor_id="u-7")),),
        ],
        ids=["open", "in parts", "taken back"],
    )
    def test_not_converted(self, conversions: tuple[Conversion, ...]) -> None:
        """There is nothing to add to a lead that is open, whatever it has been through."""
        lead = attrs.evolve(ENQUIRY, conversions=conversions)
        known = Known(records=[Contact(id="C-3", last_name="King")])
        p = more(lead, "deal", known=known)
        assert [
            (
                "the lead is not converted yet, so there is nothing to add to"
                " (convert it, without mode='supplement')"
            )
        ] == [str(problem) for problem in p.problems]
        with pytest.raises(errors.StageNotAllowedError):
            p.result()

    def test_in_the_success_stage_without_a_conversion(self) -> None:
        """A lead that another system closed counts as converted, and its clients are known."""
        lead = attrs.evolve(ENQUIRY, stage="done", contact_ids=["C-3"], company_id="CO-9")
        known = Known(records=[Contact(id="C-3"), Company(id="CO-9", name="Engines")])
        assert [("lead", None, "in_success_stage")] == codes(looked(lead, "deal", known=known))
        result = more(lead, "deal", known=known).result()
        assert (("C-3",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)
        assert "L-7.1" == result.conversion.id
        assert "done" == result.lead.stage

    def test_converted_but_not_in_the_success_stage(self) -> None:
        """Where history and stage disagree history counts, and the stage stays as it is."""
        lead, known = converted()
        moved = attrs.evolve(lead, stage="talk")
        assert [("lead", None, "stage_disagrees")] == codes(looked(moved, "deal", known=known))
        result = more(moved, "deal", known=known).result()
        assert "talk" == result.lead.stage

    def test_in_a_failure_stage(self) -> None:
        """Nothing is added to a lead that is lost."""
        lead, known = converted()
        lost = attrs.evolve(lead, stage="lost")
        assert [("lead", None, "in_failure_stage")] == codes(more(lost, "deal", known=known))

    def test_rules_that_know_no_stages(self) -> None:
        """A supplement leaves nothing open, so rules without staged conversion allow it."""
        rules = own_rules(staged=False)
        lead, known = converted(rules=rules)
        assert more(lead, "deal", known=known, rules=rules).ok

    def test_filled_on_the_way(self) -> None:
        """Values of the lead may be filled, and the new deal finds them."""
        lead, known = converted()
        result = more(lead, "deal", known=known, values={"title": "Second engine"}).result()
        assert ("Second engine", "Second engine") == (result.lead.title, result.deal.title)

    def test_there_is_no_other_mode(self) -> None:
        """A mode nobody knows is a mistake of the program that asks."""
        lead, known = converted()
        for mode in ("", "again", "Supplement"):
            with pytest.raises(ValueError, match="Mode"):
                looked(lead, "deal", known=known, mode=mode)
            with pytest.raises(ValueError, match="Mode"):
                wanted(lead, ["deal"], rules=RULES, mode=mode)
            with pytest.raises(ValueError, match="Mode"):
                can_convert(lead, ADA, RULES, mode=mode)


class TestRights:
    @staticmethod
    def asked(decided: Plan) -> list[tuple[str, str, str | None]]:
        """What was asked about whom."""
        return [(str(one.action), one.kind, one.id) for one in decided.required_access]

    def test_what_is_asked(self) -> None:
        """To read, update and convert the lead, to make the deal, to link the clients; no move."""
        lead, known = converted()
        assert [
            ("read", "lead", "L-7"),
            ("update", "lead", "L-7"),
            ("convert", "lead", "L-7"),
            ("create", "deal", None),
            ("read", "contact", "C1.1"),
            ("link", "contact", "C1.1"),
            ("read", "company", "CO1.1"),
            ("link", "company", "CO1.1"),
        ] == self.asked(more(lead, "deal", known=known))

    @staticmethod
    def of_role(*grants: Grant) -> ConversionRules:
        """Rules in which sales may do so much."""
        return own_rules(policy=Policy([Role("sales", grants)]))

    def test_whoever_may_not_move_may_supplement(self) -> None:
        """The right to move the lead is not needed where it is not moved."""
        lead, known = converted()
        grants = [
            Grant("lead", ["read", "update", "convert"]),
            Grant("*", ["read", "create", "link"]),
        ]
        assert more(lead, "deal", known=known, rules=self.of_role(*grants)).ok

    @pytest.mark.parametrize("missing", ["read", "update", "convert"])
    def test_each_right_on_the_lead_is_needed(self, missing: str) -> None:
        """Whoever lacks a right on the lead learns only that."""
        lead, known = converted()
        rights = [one for one in ("read", "update", "convert", "move") if one != missing]
        rules = self.of_role(Grant("lead", rights), Grant("deal", ["create"]))
        [problem] = more(lead, "deal", known=known, rules=rules).problems
        assert (Cause.LEAD_ACCESS, missing) == (problem.cause, problem.params["action"])

    def test_to_link_the_clients(self) -> None:
        """A client that exists is linked only by whoever may."""
        lead, known = converted()
        grants = [Grant("lead", ["read", "update", "convert"]), Grant("*", ["read", "create"])]
        p = more(lead, "deal", known=known, rules=self.of_role(*grants))
        assert [("contact", "link"), ("company", "link")] == [
            (one.kind, one.params["action"]) for one in p.problems
        ]

    def test_a_client_one_may_not_read(self) -> None:
        """A client that the actor may not read is told as one that is not there."""
        lead, known = converted()
        grants = [
            Grant("lead", ["read", "update", "convert"]),
            *(Grant(kind, ["read", "create", "link"]) for kind in ("deal", "company")),
        ]
        p = more(lead, "deal", known=known, rules=self.of_role(*grants))
        assert [("deal", "contact_ids", "unknown_record")] == codes(p)


class TestClientsByName:
    def test_means_the_first_one(self) -> None:
        """A contact asked for by name is the one there is, and its gaps are filled."""
        lead, known = converted()
        lead = attrs.evolve(lead, emails=[Channel("ada@example.com")])
        result = more(lead, "contact", "deal", known=known).result()
        assert [("merged", "C1.1"), ("created", "L-7.2.deal.1")] == [
            (one.action, one.ref.id) for one in result.outcomes
        ]
        assert (Channel("ada@example.com"),) == result.contact.emails
        assert ("L-7",) == result.contact.converted_from
        assert not [one for one in result.changes.changes if isinstance(one, Attach)]
        assert ("C1.1",) == result.deal.contact_ids
        assert (Ref("contact", "C1.1"),) == result.conversion.merged

    def test_the_first_of_several(self) -> None:
        """Of several contacts the first one is meant, and the deal has this one alone."""
        lead, known = converted(ENQUIRY, "contact", Create("contact"), "deal")
        result = more(lead, "contact", "deal", known=known).result()
        assert ("C1.1", ("C1.1",)) == (result.contact.id, result.deal.contact_ids)

    def test_create_makes_a_new_one(self) -> None:
        """A new contact on purpose is new, and the deal is theirs."""
        lead, known = converted()
        result = more(
            lead, Create("contact", values={"last_name": "King"}), "deal", known=known
        ).result()
        assert ("L-7.2.contact.1", "King") == (result.contact.id, result.contact.last_name)
        assert ("L-7.2.contact.1",) == result.deal.contact_ids
        assert "CO1.1" == result.contact.company_id

    def test_link_takes_another(self) -> None:
        """Another contact that exists stands in place of the first."""
        lead, known = converted()
        there = Known(records=[*known.records, Contact(id="C-9", last_name="King")])
        result = more(lead, Link("contact", "C-9"), "deal", known=there).result()
        assert ("C-9",) == result.deal.contact_ids

    def test_the_deals_own_values_win(self) -> None:
        """Whom a person names for the deal is its contact."""
        lead, known = converted()
        there = Known(records=[*known.records, Contact(id="C-9", last_name="King")])
        target = Create("deal", values={"contact_ids": ["C-9"], "company_id": None})
        result = more(lead, target, known=there).result()
        assert (("C-9",), None) == (result.deal.contact_ids, result.deal.company_id)

    def test_a_client_there_was_none_of(self) -> None:
        """A company that the first conversion did not make is made by the supplement."""
        lead, known = converted(ENQUIRY, "contact", "deal")
        result = more(lead, "company", "deal", known=known).result()
        assert [("created", "L-7.2.company.1"), ("created", "L-7.2.deal.1")] == [
            (one.action, one.ref.id) for one in result.outcomes
        ]
        assert (("C1.1",), "L-7.2.company.1") == (
            result.deal.contact_ids,
            result.deal.company_id,
        )

    def test_earlier_beats_matched(self) -> None:
        """Somebody who matches is looked for only where there is none from before."""
        rules = own_rules(
            matching=Matching([MatchRule("contact", ["email"]), MatchRule("company", ["company"])])
        )
        there = [
            Contact(id="C-9", last_name="Lovelace", emails=[Channel("ada@example.com")]),
            Company(id="CO-9", name="Engines"),
        ]
        lead, known = converted(ENQUIRY, "contact", "deal", rules=rules)
        lead = attrs.evolve(lead, emails=[Channel("ada@example.com")])
        known = Known(records=[*known.records, *there])
        result = more(lead, "contact", "company", "deal", known=known, rules=rules).result()
        assert [("company", "CO-9"), ("contact", "C1.1"), ("deal", "L-7.2.deal.1")] == sorted(
            (one.ref.kind, one.ref.id) for one in result.outcomes
        )

    def test_one_name_twice(self) -> None:
        """Two names that mean one record are refused as ever."""
        lead, known = converted()
        assert [("contact", None, "two_on_one")] == codes(
            more(lead, "contact", "contact", known=known)
        )

    def test_a_deal_by_name_is_another(self) -> None:
        """What the lead cannot be bound to is made anew; to fill the first one, name it."""
        lead, known = converted()
        result = more(lead, Merge("deal", "D1.1"), "deal", known=known).result()
        assert [("unchanged", "D1.1"), ("created", "L-7.2.deal.1")] == [
            (one.action, one.ref.id) for one in result.outcomes
        ]


class TestGoneSince:
    """What became of the clients is known from known= alone."""

    def without(self, known: Known, *ids: str) -> Known:
        """What there is when some were deleted."""
        return Known(records=[one for one in known.records if one.id not in ids])

    def test_a_client_that_was_deleted(self) -> None:
        """A deal for a client that is gone is refused, with what to do about it."""
        lead, known = converted()
        p = more(lead, "deal", known=self.without(known, "C1.1"))
        assert [
            (
                "deal.contact_ids points at a contact that was not handed over in known="
                " (load what wanted() lists, or point at another record)"
            )
        ] == [str(problem) for problem in p.problems]
        with pytest.raises(errors.InvalidFieldsError):
            p.result()

    def test_ways_out(self) -> None:
        """Another one, a new one, or none at all: each of them is a deal again."""
        lead, known = converted()
        there = self.without(known, "C1.1")
        other = Known(records=[*there.records, Contact(id="C-9", last_name="King")])
        linked = more(lead, Link("contact", "C-9"), "deal", known=other).result()
        assert ("C-9",) == linked.deal.contact_ids
        created = more(lead, Create("contact"), "deal", known=there).result()
        assert ("L-7.2.contact.1",) == created.deal.contact_ids
        none = more(lead, Create("deal", values={"contact_ids": None}), known=there).result()
        assert ((), "CO1.1") == (none.deal.contact_ids, none.deal.company_id)

    def test_asked_for_by_name(self) -> None:
        """A client that is gone is not made anew in silence, and its name is told."""
        lead, known = converted()
        p = more(lead, "contact", known=self.without(known, "C1.1"))
        assert [
            (
                "there is no contact 'C1.1' to work with"
                " (load what wanted() lists, or choose another record)"
            )
        ] == [str(problem) for problem in p.problems]
        with pytest.raises(errors.UnknownTargetError):
            p.result()
        assert more(lead, Create("contact"), known=self.without(known, "C1.1")).ok

    def test_one_of_two(self) -> None:
        """That one of several contacts is gone is told as well; without it, name the others."""
        lead, known = converted(ENQUIRY, "contact", Create("contact"), "deal")
        there = self.without(known, "C1.1")
        assert [("deal", "contact_ids", "unknown_record")] == codes(more(lead, "deal", known=there))
        result = more(lead, Link("contact", "C1.2"), "deal", known=there).result()
        assert ("C1.2",) == result.deal.contact_ids

    def test_the_deal_that_was_deleted(self) -> None:
        """That the first deal is gone keeps nobody from a second one."""
        lead, known = converted()
        assert more(lead, "deal", known=self.without(known, "D1.1")).ok

    def test_nobody_handed_over(self) -> None:
        """A supplement without what wanted() lists is refused, and makes no deal without client."""
        lead, _ = converted()
        assert [
            ("deal", "contact_ids", "unknown_record"),
            ("deal", "company_id", "unknown_record"),
        ] == codes(more(lead, "deal"))


class TestMergedAway:
    GONE: Final = Ref("contact", "C1.1")
    MIDDLE: Final = Ref("contact", "C-8")
    SURVIVOR: Final = Ref("contact", "C-9")

    def world(self, known: Known, *merged: tuple[Ref, Ref]) -> Known:
        """What there is when the first contact was merged into another."""
        records = [one for one in known.records if not isinstance(one, Contact)]
        survivor = Contact(id="C-9", last_name="Byron")
        return Known(records=[*records, survivor], merged=merged or [(self.GONE, self.SURVIVOR)])

    def test_the_survivor_is_the_client(self) -> None:
        """A deal for a client that was merged away is the survivor's."""
        lead, known = converted()
        result = more(lead, "deal", known=self.world(known)).result()
        assert (("C-9",), "CO1.1") == (result.deal.contact_ids, result.deal.company_id)

    def test_through_several_merges(self) -> None:
        """The last survivor counts, in whatever order the merges are told."""
        lead, known = converted()
        world = self.world(known, (self.MIDDLE, self.SURVIVOR), (self.GONE, self.MIDDLE))
        assert ("C-9",) == more(lead, "deal", known=world).result().deal.contact_ids

    def test_asked_for_by_name(self) -> None:
        """The contact meant by name is the survivor, which remembers the lead from now on."""
        lead, known = converted()
        result = more(lead, "contact", "deal", known=self.world(known)).result()
        assert [("merged", "C-9"), ("created", "L-7.2.deal.1")] == [
            (one.action, one.ref.id) for one in result.outcomes
        ]
        assert ("Byron", "CO1.1") == (result.contact.last_name, result.contact.company_id)
        assert Attach(self.SURVIVOR, "converted_from", [LEAD_REF]) in result.changes.changes

    def test_two_contacts_that_are_one_by_now(self) -> None:
        """The survivor stands once on the deal."""
        lead, known = converted(ENQUIRY, "contact", Create("contact"), "deal")
        second = Ref("contact", "C1.2")
        world = self.world(known, (self.GONE, self.SURVIVOR), (second, self.SURVIVOR))
        assert ("C-9",) == more(lead, "deal", known=world).result().deal.contact_ids

    def test_of_a_client_the_lead_is_bound_to(self) -> None:
        """A lead bound to a client that was merged away is the survivor's, converted or not."""
        bound = attrs.evolve(ENQUIRY, contact_ids=["C1.1"])
        world = self.world(Known())
        result = looked(bound, "deal", known=world).result()
        assert ("C-9",) == result.deal.contact_ids
        assert ("C1.1",) == result.lead.contact_ids  # the lead's own field is not ours to mend
        there = [Contact(id="C1.1", last_name="Lovelace")]
        lead, known = converted(bound, "contact", "deal", there=there)
        again = more(lead, "deal", known=self.world(known)).result()
        assert ("C-9",) == again.deal.contact_ids

    def test_a_survivor_nobody_loaded(self) -> None:
        """To say who survived is not enough: the record is needed as well."""
        lead, known = converted()
        there = attrs.evolve(known, merged=[(self.GONE, self.SURVIVOR)])
        assert [("deal", "contact_ids", "unknown_record")] == codes(more(lead, "deal", known=there))

    def test_products_of_a_deal_that_was_merged_away(self) -> None:
        """What the survivor of a deal holds is taken, so that nothing is sold twice."""
        lead, known = converted(PRICED)
        [deal] = [one for one in known.records if isinstance(one, Deal)]
        rest = [one for one in known.records if not isinstance(one, Deal)]
        world = Known(
            records=[*rest, attrs.evolve(deal, id="D-9", products=[SEATS])],
            merged=[(Ref("deal", "D1.1"), Ref("deal", "D-9"))],
        )
        assert {"Desk": 1} == lines(more(lead, "deal", known=world).result().deal)


class TestUndone:
    def test_counts_for_nothing(self) -> None:
        """After that the lead is converted afresh: new ids, free products, no old client."""
        lead, known = converted(PRICED)
        [first] = lead.conversions
        undone = Undone(how="reopened", at=AT, actor_id="u-7")
        reopened = attrs.evolve(
            lead, stage="talk", conversions=[attrs.evolve(first, undone=undone)]
        )
        assert [("lead", None, "not_converted")] == codes(more(reopened, "deal", known=known))
        result = looked(reopened, "deal", known=known).result()
        assert ("L-7.2.deal.1", (), None) == (
            result.deal.id,
            result.deal.contact_ids,
            result.deal.company_id,
        )
        assert {"Seat": 5, "Desk": 1} == lines(result.deal)
        assert "done" == result.lead.stage

    def test_a_supplement_that_was_taken_back(self) -> None:
        """What an undone supplement took is free for the next one."""
        lead, known = converted(PRICED, "contact", Create("deal", values={"products": [DESK]}))
        second = more(lead, "deal", known=known).result()
        lead, known = kept(second, there=known.records)
        assert {} == lines(more(lead, "deal", known=known).result().deal)
        undone = Undone(how="reversed", at=AT, actor_id="u-7")
        first, last = lead.conversions
        back = attrs.evolve(lead, conversions=[first, attrs.evolve(last, undone=undone)])
        third = more(back, "deal", known=known).result()
        assert {"Seat": 5} == lines(third.deal)
        assert "L-7.3.deal.1" == third.deal.id
        assert third.changes.key != second.changes.key


class TestChoices:
    def test_what_is_open(self) -> None:
        """A converted lead is open to a supplement, to whoever may."""
        lead, known = converted()
        assert () == can_convert(lead, ADA, RULES, known=known).kinds
        choices = can_convert(lead, ADA, RULES, known=known, mode="supplement")
        assert ALL == choices.kinds
        assert () == choices.problems

    def test_nothing_before_it_is_converted(self) -> None:
        """A lead that is open is not open to a supplement."""
        choices = can_convert(ENQUIRY, ADA, RULES, mode="supplement")
        assert (False, ["not_converted"]) == (
            bool(choices),
            [one.code for one in choices.problems],
        )

    def test_what_the_actor_may(self) -> None:
        """Whoever may not link the clients may make no deal for them, but a client."""
        lead, known = converted()
        grants = [Grant("lead", ["read", "update", "convert"]), Grant("*", ["read", "create"])]
        rules = own_rules(policy=Policy([Role("sales", grants)]))
        choices = can_convert(lead, ADA, rules, known=known, mode="supplement")
        assert "deal" not in choices.kinds

    def test_without_a_choice_the_plan_says_what_there_is(self) -> None:
        """A supplement into nothing is a question, as a conversion into nothing is."""
        lead, known = converted()
        [problem] = more(lead, known=known).problems
        assert ("no_targets", ("company", "contact", "deal")) == (
            problem.code,
            problem.params["kinds"],
        )


class TestWanted:
    def refs(self, lead: Lead, *into: str | Target, **others: Any) -> list[str]:  # noqa: ANN401
        """What is to be loaded."""
        given: dict[str, Any] = {"rules": RULES, "mode": "supplement", **others}
        return [str(ref) for ref in wanted(lead, into, **given).refs]

    def test_all_that_the_lead_became(self) -> None:
        """To load are the clients to attach, and the deals that may have taken products."""
        lead, known = converted()
        lead, _ = kept(more(lead, "deal", known=known).result(), there=known.records)
        expected = ["company CO1.1", "contact C1.1", "deal D1.1", "deal D2.1"]
        assert expected == sorted(self.refs(lead, "deal"))

    def test_by_name_it_comes_first(self) -> None:
        """Whom a name means is among it once, and nobody who matches is looked for."""
        lead, _ = converted(attrs.evolve(ENQUIRY, emails=[Channel("ada@example.com")]))
        rules = own_rules(matching=Matching([MatchRule("contact", ["email"])]))
        asked = wanted(lead, ["contact"], rules=rules, mode="supplement")
        assert ["contact C1.1", "company CO1.1", "deal D1.1"] == [str(ref) for ref in asked.refs]
        assert () == asked.matches
        free = wanted(
            attrs.evolve(lead, conversions=()), ["contact"], rules=rules, mode="supplement"
        )
        assert (("contact", MatchKey("email", "ada@example.com")),) == free.matches

    def test_nothing_for_a_lead_that_is_refused(self) -> None:
        """To convert a converted lead is refused, so there is nothing to load for it."""
        lead, _ = converted()
        assert [] == self.refs(lead, "deal", mode="convert")
        assert [] == self.refs(lead)

    def test_survivors(self) -> None:
        """Once it is known who was merged away, the survivors are to be loaded."""
        bound, there = attrs.evolve(ENQUIRY, contact_ids=["C-3"]), [Contact(id="C-3")]
        lead, _ = converted(bound, Create("contact"), "deal", there=there)
        assert ["contact C-3", "contact C1.1", "deal D1.1"] == self.refs(lead, "deal")
        merged = [
            (Ref("contact", "C1.1"), Ref("contact", "C-9")),
            (Ref("contact", "C-3"), Ref("contact", "C-8")),
        ]
        assert ["contact C-8", "contact C-9", "deal D1.1"] == self.refs(
            lead, "deal", known=Known(merged=merged)
        )

    def test_rights_to_read_them(self) -> None:
        """A remote engine is asked about each of them, and about no move."""
        lead, _ = converted()
        asked = wanted(lead, ["deal"], rules=RULES, mode="supplement").access
        assert {"C1.1", "CO1.1", "D1.1"} <= {one.id for one in asked if one.action == "read"}

    def test_is_enough(self) -> None:
        """With what is listed, and nothing else, the supplement is decided as with everything."""
        lead, known = converted(
            PRICED, "contact", "company", Create("deal", values={"products": [DESK]})
        )
        strangers = [Contact(id="C-9", last_name="x"), Deal(id="D-9", products=[SEATS])]
        listed = {ref.id for ref in wanted(lead, ["deal"], rules=RULES, mode="supplement").refs}
        records = [*known.records, *strangers]
        some = Known(records=[one for one in records if one.id in listed])
        assert more(lead, "deal", known=Known(records=records)) == more(lead, "deal", known=some)

    def test_traces_of_deals_that_were_merged_into(self) -> None:
        """Which lines a deal had of its own only the trace tells, so it is to be loaded."""
        there = [Deal(id="D-5", title="Old", products=[DESK]), Contact(id="C-3", last_name="x")]
        lead, _ = converted(PRICED, Merge("contact", "C-3"), Merge("deal", "D-5"), there=there)
        assert ("L-7.1",) == wanted(lead, ["deal"], rules=RULES, mode="supplement").traces
        assert () == wanted(lead, ["contact"], rules=RULES, mode="supplement").traces
        assert () == wanted(lead, ["deal"], rules=RULES).traces


class TestTheRequest:
    def test_another_mode_is_another_request(self) -> None:
        """A supplement is never taken for a conversion that was stored under one key."""
        one = Request(lead_id="L-7", targets=(Create("deal"),), closing=False)
        other = Request(lead_id="L-7", targets=(Create("deal"),), closing=False, mode="supplement")
        assert one.fingerprint != other.fingerprint
        assert one != other

    def test_kept_by_an_inquiry(self) -> None:
        """A supplement that stopped at a form goes on as a supplement."""
        lead, known = converted()
        untitled = attrs.evolve(lead, title=None)
        p = more(untitled, "deal", known=known)
        assert [("deal", "title", "required")] == codes(p)
        asked = inquire(p, RULES)
        assert Mode.SUPPLEMENT is asked.request.mode
        answered = asked.answered({0: {"title": "Second"}})
        again = resume(answered, untitled, rules=RULES, actor=ADA, at=AT, known=known)
        result = again.plan.result()
        assert ("Second", True) == (result.deal.title, result.conversion.supplement)
        assert () == again.changed

    def test_an_inquiry_about_a_lead_that_was_taken_back(self) -> None:
        """A supplement that waits for answers is refused once there is nothing to add to."""
        lead, known = converted()
        asked = inquire(more(lead, "deal", known=known), RULES)
        back = attrs.evolve(lead, stage="new", conversions=())
        again = resume(asked, back, rules=RULES, actor=ADA, at=AT, known=known)
        assert [("lead", None, "not_converted")] == codes(again.plan)

    def test_as_json(self) -> None:
        """Request, plan and result of a supplement survive JSON, and so do its outcomes."""
        lead, known = converted(PRICED)
        codec = Codec(RULES)
        p = more(lead, "deal", Create("deal", values={"products": [DESK]}), known=known)
        assert p.ok
        for value, cls in ((p.request, Request), (p, Plan), (p.result(), ConversionResult)):
            text = json.dumps(codec.to_data(value))
            assert value == codec.from_data(json.loads(text), cls)
        assert {"taken", "summed"} <= {str(row.outcome) for row in p.rows}
        asked = inquire(p, RULES)
        text = json.dumps(codec.to_data(asked))
        assert asked == codec.from_data(json.loads(text), type(asked))

    def test_a_request_from_before(self) -> None:
        """A request that was written without a mode is a conversion."""
        codec = Codec(RULES)
        data = codec.to_data(Request(lead_id="L-7", targets=(Create("deal"),)))
        assert isinstance(data, dict)
        data.pop("mode", None)
        assert Mode.CONVERT is codec.from_data(data, Request).mode


class TestProducts:
    def test_the_first_deal_gets_all(self) -> None:
        """Where nobody took any, all lines of the lead go to the deal."""
        result = looked(PRICED, *ALL).result()
        assert (SEATS, DESK) == result.deal.products

    def test_what_the_first_did_not_take(self) -> None:
        """A supplement carries only what is left."""
        first = Create("deal", values={"products": [attrs.evolve(SEATS, quantity=2)]})
        lead, known = converted(PRICED, "contact", first)
        result = more(lead, "deal", known=known).result()
        assert {"Seat": 3, "Desk": 1} == lines(result.deal)
        assert [("products", "carried", None)] == told(result.rows, "deal 1.products")

    def test_nothing_is_left(self) -> None:
        """Where all is taken the next deal has no products, and the explanation says why."""
        lead, known = converted(PRICED)
        result = more(lead, "deal", known=known).result()
        assert () == result.deal.products
        assert [("products", "taken", None)] == told(result.rows, "deal 1.products")
        assert "products" not in {row.field for row in result.dropped}

    def test_three_in_a_row(self) -> None:
        """Each supplement takes of what all before it left, and the last one what there is."""
        one = [attrs.evolve(SEATS, quantity=1)]
        lead, known = converted(PRICED, "contact", Create("deal", values={"products": one}))
        for taken in (one, [DESK]):
            target = Create("deal", values={"products": taken})
            result = more(lead, target, known=known).result()
            lead, known = kept(result, there=known.records)
        result = more(lead, "deal", known=known).result()
        assert {"Seat": 3} == lines(result.deal)
        lead, known = kept(result, there=known.records)
        assert () == more(lead, "deal", known=known).result().deal.products

    def test_what_the_deal_holds_by_now(self) -> None:
        """Lines a person took out of the first deal are free, those they put in are not."""
        lead, known = converted(PRICED)
        changed = [
            attrs.evolve(one, products=[DESK, attrs.evolve(SEATS, quantity=1)])
            if isinstance(one, Deal)
            else one
            for one in known.records
        ]
        result = more(lead, "deal", known=Known(records=changed)).result()
        assert {"Seat": 4} == lines(result.deal)

    def test_lines_added_to_the_lead_since(self) -> None:
        """What was added to the lead after the first deal goes to the second."""
        lead, known = converted(PRICED)
        lamp = Product(name="Lamp", price=5, quantity=3)
        lead = attrs.evolve(lead, products=[attrs.evolve(SEATS, quantity=7), DESK, lamp])
        result = more(lead, "deal", known=known).result()
        assert {"Seat": 2, "Lamp": 3} == lines(result.deal)

    def test_two_deals_at_once(self) -> None:
        """In one conversion the first deal gets what there is, and the second the rest."""
        result = looked(PRICED, "deal", "deal").result()
        assert [{"Seat": 5, "Desk": 1}, {}] == [lines(deal) for deal in result.all(Deal)]
        assert [("products", "taken", None)] == told(result.rows, "deal 2.products")

    @pytest.mark.parametrize("first", [True, False])
    def test_what_a_person_gives_to_one_is_not_the_others(self, first: bool) -> None:
        """Supplied lines are taken, wherever the deal stands among those asked for."""
        given = Create("deal", values={"products": [attrs.evolve(SEATS, quantity=2)]})
        into = (given, "deal") if first else ("deal", given)
        deals = looked(PRICED, *into).result().all(Deal)
        expected = [{"Seat": 2}, {"Seat": 3, "Desk": 1}]
        assert expected == [lines(deal) for deal in (deals if first else reversed(deals))]

    def test_more_supplied_than_there_is(self) -> None:
        """A person may sell more than the lead asked for; then nothing of it is left."""
        given = Create("deal", values={"products": [attrs.evolve(SEATS, quantity=9)]})
        result = looked(PRICED, given, "deal").result()
        assert [{"Seat": 9}, {"Desk": 1}] == [lines(deal) for deal in result.all(Deal)]

    def test_a_deal_that_is_merged_into_keeps_its_own(self) -> None:
        """Lines that a deal had before do not count as the lead's."""
        own = Deal(id="D-5", title="Old", products=[attrs.evolve(SEATS, quantity=2)])
        known = Known(records=[own])
        result = looked(PRICED, Merge("deal", "D-5"), Create("deal"), known=known).result()
        assert [{"Seat": 2}, {"Seat": 5, "Desk": 1}] == [lines(deal) for deal in result.all(Deal)]
        assert [("products", "unmerged", None)] == told(result.rows, "deal 1.products")

    def test_a_deal_without_lines_takes_them(self) -> None:
        """A deal that had none is filled, and the next one gets nothing."""
        known = Known(records=[Deal(id="D-5", title="Old")])
        result = looked(PRICED, Merge("deal", "D-5"), Create("deal"), known=known).result()
        assert [{"Seat": 5, "Desk": 1}, {}] == [lines(deal) for deal in result.all(Deal)]

    def test_lines_that_are_appended(self) -> None:
        """Where a rule appends, only what came on top was the lead's."""
        rules = own_rules(
            mappings=[
                attrs.evolve(one, conflict="append") if one.source == "products" else one
                for one in MAPPINGS
            ]
        )
        known = Known(records=[Deal(id="D-5", title="Old", currency="EUR", products=[DESK])])
        into = (Merge("deal", "D-5"), Create("deal"))
        result = looked(PRICED, *into, known=known, rules=rules).result()
        assert [{"Desk": 1, "Seat": 5}, {"Desk": 1}] == [lines(deal) for deal in result.all(Deal)]

    def test_a_linked_deal_takes_nothing(self) -> None:
        """A deal that is only linked leaves all lines to the others, now and later."""
        known = Known(records=[Deal(id="D-5", title="Old", products=[SEATS, DESK])])
        result = looked(PRICED, Link("deal", "D-5"), Create("deal"), known=known).result()
        assert {"Seat": 5, "Desk": 1} == lines(result.all(Deal)[1])
        lead, known = converted(PRICED, Link("deal", "D-5"), there=known.records)
        assert {"Seat": 5, "Desk": 1} == lines(more(lead, "deal", known=known).result().deal)

    def test_a_deal_that_was_merged_into_before(self) -> None:
        """With the trace its own lines do not count later either; without it they do."""
        there = [Deal(id="D-5", title="Old", products=[SEATS], currency="EUR")]
        first = looked(PRICED, Merge("deal", "D-5"), known=Known(records=there)).result()
        lead, known = kept(first, there=there)
        assert {"Desk": 1} == lines(more(lead, "deal", known=known).result().deal)
        traced = attrs.evolve(known, traces=first.changes.traces)
        assert {"Seat": 5, "Desk": 1} == lines(more(lead, "deal", known=traced).result().deal)

    def test_a_deal_the_actor_may_not_read(self) -> None:
        """What somebody else's deal took is taken, whoever asks."""
        lead, known = converted(PRICED)
        grants = [
            Grant("lead", ["read", "update", "convert"]),
            *(Grant(kind, ["read", "link"]) for kind in ("contact", "company")),
            Grant("deal", ["create"]),
        ]
        rules = own_rules(policy=Policy([Role("sales", grants)]))
        assert {} == lines(more(lead, "deal", known=known, rules=rules).result().deal)

    def test_zero_and_negative_quantities_travel_once(self) -> None:
        """A line of nothing, or of a return, goes to one deal."""
        gift = Product(name="Gift", price=0, quantity=0)
        back = Product(name="Return", price=10, quantity=-2)
        lead = attrs.evolve(PRICED, products=[gift, back, SEATS])
        deals = looked(lead, Create("deal", values={"products": [back]}), "deal").result().all(Deal)
        assert [{"Return": -2}, {"Gift": 0, "Seat": 5}] == [lines(deal) for deal in deals]

    def test_every_filled_field_has_a_row(self) -> None:
        """Also where products are taken nothing of the lead is left untold."""
        lead, known = converted(PRICED)
        for p in (
            more(lead, "deal", known=known),
            more(lead, "contact", known=known),
            more(lead, Link("deal", "D1.1"), known=known),
            looked(PRICED, "deal", "deal"),
        ):
            filled = {
                name
                for name in LEAD.members
                if name not in ("stage", "stage_history", "conversions")
                and not is_empty(LEAD.read(p.lead, name))
            }
            assert filled <= {row.field for row in p.rows}

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=4))
    def test_quantities_never_exceed_the_leads(self, deals: list[tuple[int, int]]) -> None:
        """Whatever people take in whatever many supplements, a plain deal gets just the rest."""
        first = Create("deal", values={"products": []})
        lead, known = converted(PRICED, "contact", first)
        taken: list[Product] = []
        for some_seats, desks in deals:
            given_lines = [
                attrs.evolve(one, quantity=many)
                for one, many in ((SEATS, some_seats), (DESK, desks))
                if many
            ]
            taken += given_lines
            target = Create("deal", values={"products": given_lines})
            result = more(lead, target, known=known).result()
            lead, known = kept(result, there=known.records)
        rest = more(lead, "deal", known=known).result().deal.products
        assert remaining(PRICED.products, taken) == rest


class TestAmount:
    def test_what_the_products_add_up_to(self) -> None:
        """A deal's amount is the sum of its products, and the lead's is told as overridden."""
        result = looked(PRICED, *ALL).result()
        assert (Decimal(100), "EUR") == (result.deal.amount, result.deal.currency)
        assert [("amount", "overridden", "products"), (None, "summed", None)] == told(
            result.rows, "deal 1.amount"
        )

    def test_of_those_it_gets(self) -> None:
        """A supplement's amount is that of what was left for it."""
        first = Create("deal", values={"products": [attrs.evolve(SEATS, quantity=2)]})
        lead, known = converted(PRICED, "contact", first)
        [before] = [one for one in known.records if isinstance(one, Deal)]
        assert Decimal(20) == before.amount
        assert Decimal(80) == more(lead, "deal", known=known).result().deal.amount

    def test_where_all_is_taken(self) -> None:
        """Once all lines are taken the lead's amount is taken with them, and told so."""
        lead, known = converted(PRICED, "contact", "deal")
        result = more(lead, "deal", known=known).result()
        assert (None, ()) == (result.deal.amount, result.deal.products)
        assert [("amount", "taken", None)] == told(result.rows, "deal 1.amount")
        twice = looked(PRICED, "deal", "deal").result()
        assert [Decimal(100), None] == [deal.amount for deal in twice.all(Deal)]

    def test_without_products_the_leads(self) -> None:
        """A lead that has no product lines has its own amount to give."""
        result = looked(attrs.evolve(PRICED, products=()), "deal").result()
        assert (Decimal(500), "EUR") == (result.deal.amount, result.deal.currency)
        assert [("amount", "carried", None)] == told(result.rows, "deal 1.amount")

    def test_of_a_deal_that_is_to_have_none(self) -> None:
        """No products on purpose are none, so the amount is the lead's."""
        result = looked(PRICED, Create("deal", values={"products": []})).result()
        assert ((), Decimal(500)) == (result.deal.products, result.deal.amount)

    def test_with_products_alone(self) -> None:
        """Where the lead says no amount its products do."""
        result = looked(attrs.evolve(PRICED, amount=None), "deal").result()
        assert Decimal(100) == result.deal.amount
        assert [(None, "summed", None)] == told(result.rows, "deal 1.amount")

    def test_products_that_cost_nothing(self) -> None:
        """Zero is an amount as well, and never replaced by the lead's."""
        gift = Product(name="Gift", price=0, quantity=3)
        result = looked(attrs.evolve(PRICED, products=[gift]), "deal").result()
        assert Decimal(0) == result.deal.amount

    @pytest.mark.parametrize("amount", [Decimal(7), None])
    def test_supplied_wins(self, amount: Decimal | None) -> None:
        """What a person gives as the amount is the amount, be it none."""
        result = looked(PRICED, Create("deal", values={"amount": amount})).result()
        assert amount == result.deal.amount
        assert [(None, "supplied", None), ("amount", "overridden", "supplied")] == told(
            result.rows, "deal 1.amount"
        )

    def test_of_supplied_products(self) -> None:
        """Lines that a person gives are summed like any others."""
        result = looked(PRICED, Create("deal", values={"products": [DESK]})).result()
        assert Decimal(50) == result.deal.amount

    def test_a_constant_gives_way_too(self) -> None:
        """An amount that a mapping gives to every deal stands only where there are no lines."""
        rules = own_rules(
            mappings=[
                *(one for one in MAPPINGS if one.target != "amount"),
                FieldMapping.fixed("deal", "amount", 1),
            ]
        )
        assert Decimal(100) == looked(PRICED, "deal", rules=rules).result().deal.amount

    def test_never_without_its_currency(self) -> None:
        """A sum is an amount, so a currency is asked for where there is none."""
        lead = attrs.evolve(PRICED, amount=None, currency=None)
        p = looked(lead, "deal")
        assert [("deal", "currency", "currency_required")] == codes(p)
        assert ["currency"] == [field.field for field in p.form]
        assert looked(lead, Create("deal", values={"currency": "EUR"})).ok

    def test_beyond_all_numbers(self) -> None:
        """Lines that no number holds together are a problem of the deal, not an exception."""
        endless = Product(name="x", price=Decimal(f"9E{MAX_EMAX}"), quantity=10**9)
        lead = attrs.evolve(PRICED, products=[endless])
        p = looked(lead, "deal")
        assert [("deal", "amount", "not_finite")] == codes(p)
        assert looked(lead, Create("deal", values={"amount": 1})).ok

    def test_other_kinds_sum_only_if_they_say_so(self) -> None:
        """Without `sums` an amount is the lead's, whatever lines there are."""
        plain = attrs.evolve(
            DEAL,
            fields=[
                attrs.evolve(one, sums=None) if one.id == "amount" else one for one in DEAL.fields
            ],
        )
        rules = own_rules(kinds=[CONTACT, COMPANY, plain])
        result = looked(PRICED, "deal", rules=rules).result()
        assert (Decimal(500), (SEATS, DESK)) == (result.deal.amount, result.deal.products)

    def test_rounded_nowhere(self) -> None:
        """Prices of many digits add up exactly."""
        exact = Product(name="x", price=Decimal("0.333333333333333333333333333333"), quantity=3)
        lead = attrs.evolve(PRICED, products=[exact])
        assert (
            Decimal("0.999999999999999999999999999999") == looked(lead, "deal").result().deal.amount
        )


class TestAmountOfADealThatExists:
    def merged(self, deal: Deal, *mappings: FieldMapping, lead: Lead = PRICED) -> ConversionResult:
        """The lead merged into a deal."""
        replaced = {one.target for one in mappings}
        kept_ = [one for one in MAPPINGS if one.kind != "deal" or one.target not in replaced]
        rules = own_rules(mappings=[*kept_, *mappings])
        return looked(lead, Merge("deal", "D-5"), known=Known(records=[deal]), rules=rules).result()

    def test_an_empty_one_gets_the_sum(self) -> None:
        """A deal without lines and amount gets both, and the currency."""
        result = self.merged(Deal(id="D-5", title="Old"))
        assert (Decimal(100), "EUR") == (result.deal.amount, result.deal.currency)
        assert [("amount", "overridden", "products"), (None, "summed", None)] == told(
            result.rows, "deal 1.amount"
        )

    def test_what_stands_there_stays(self) -> None:
        """An amount that somebody agreed on is not changed by lines that are filled in."""
        result = self.merged(Deal(id="D-5", title="Old", amount=70, currency="EUR"))
        assert (Decimal(70), (SEATS, DESK)) == (result.deal.amount, result.deal.products)
        assert [("amount", "unmerged", None)] == told(result.rows, "deal 1.amount")

    def test_its_own_lines_say_the_amount(self) -> None:
        """Where a deal has lines of its own and no amount, it is not the lead's that it gets."""
        result = self.merged(Deal(id="D-5", title="Old", currency="EUR", products=[DESK]))
        assert (Decimal(50), (DESK,)) == (result.deal.amount, result.deal.products)
        assert [("amount", "overridden", "products"), (None, "summed", None)] == told(
            result.rows, "deal 1.amount"
        )

    def test_without_lines_on_either_side(self) -> None:
        """Where there are no lines at all an empty amount becomes the lead's."""
        result = self.merged(Deal(id="D-5", title="Old"), lead=attrs.evolve(PRICED, products=()))
        assert (Decimal(500), "EUR") == (result.deal.amount, result.deal.currency)

    def test_what_is_not_written_is_not_summed(self) -> None:
        """A lead that gives neither lines nor an amount changes neither."""
        lead = attrs.evolve(PRICED, amount=None, products=())
        result = self.merged(
            Deal(id="D-5", title="Old", currency="EUR", products=[DESK]), lead=lead
        )
        assert None is result.deal.amount
        assert [] == told(result.rows, "deal 1.amount")

    def test_with_lines_of_both(self) -> None:
        """Where lines are appended an empty amount becomes the sum of all of them."""
        lamp = Product(name="Lamp", price=5, quantity=3)
        result = self.merged(
            Deal(id="D-5", title="Old", currency="EUR", products=[lamp]),
            FieldMapping("products", "deal", conflict="append"),
        )
        assert (Decimal(115), (lamp, SEATS, DESK)) == (result.deal.amount, result.deal.products)

    def test_an_amount_that_gives_way(self) -> None:
        """Where the lead's amount is taken over, it is that of the lines the deal has then."""
        result = self.merged(
            Deal(id="D-5", title="Old", amount=70, currency="EUR"),
            FieldMapping("amount", "deal", conflict="take"),
        )
        assert Decimal(100) == result.deal.amount

    def test_supplied_wins(self) -> None:
        """What a person gives as the amount is the amount."""
        deal = Deal(id="D-5", title="Old", amount=70, currency="EUR")
        merge = Merge("deal", "D-5", values={"amount": 80})
        result = looked(PRICED, merge, known=Known(records=[deal])).result()
        assert Decimal(80) == result.deal.amount

    def test_lines_given_by_hand_say_the_amount(self) -> None:
        """Lines that a person gives are in the currency of the deal, whatever the lead says."""
        deal = Deal(id="D-5", title="Old", currency="USD")
        merge = Merge("deal", "D-5", values={"products": [DESK]})
        for lead in (PRICED, attrs.evolve(PRICED, amount=None, currency=None, products=())):
            result = looked(lead, merge, known=Known(records=[deal])).result()
            assert (Decimal(50), "USD") == (result.deal.amount, result.deal.currency)

    def test_lines_given_by_hand_need_a_currency(self) -> None:
        """Lines that a person gives to a deal without currency ask for one."""
        merge = Merge("deal", "D-5", values={"products": [DESK]})
        lead = attrs.evolve(PRICED, amount=None, currency=None, products=())
        found = looked(lead, merge, known=Known(records=[Deal(id="D-5", title="Old")]))
        assert ["currency_required"] == [problem.code for problem in found.problems]

    @pytest.mark.parametrize("products", [(), (DESK,)])
    def test_in_another_currency_all_of_it_stays(self, products: tuple[Product, ...]) -> None:
        """Lines, amount and currency go together, or none of them does, and the rows say so."""
        result = self.merged(Deal(id="D-5", title="Old", currency="USD", products=products))
        deal = result.deal
        assert (None, "USD", products) == (deal.amount, deal.currency, deal.products)
        for name in ("amount", "currency", "products"):
            assert [(name, "unmerged", None)] == told(result.rows, f"deal 1.{name}")

    def test_lines_without_a_currency_get_none_from_a_lead(self) -> None:
        """Own lines of a deal without currency are not made euros by a lead."""
        result = self.merged(Deal(id="D-5", title="Old", products=[DESK]))
        assert (None, None, (DESK,)) == (
            result.deal.amount,
            result.deal.currency,
            result.deal.products,
        )


class TestHidden:
    """Products that an actor may not see hide what could be told from them."""

    DEALS: Final = attrs.evolve(
        DEAL, fields=[*DEAL.fields, Field("products", "product", multiple=True, sensitive=True)]
    )
    LEADS: Final = attrs.evolve(
        LEAD, fields=[*LEAD.fields, Field("products", "product", multiple=True, sensitive=True)]
    )

    def rules(self, lead: Kind = LEAD, deal: Kind = DEAL) -> ConversionRules:
        """Rules in which the seller may do everything but see sensitive fields."""
        every = Grant("*", ["read", "update", "create", "link", "convert", "move"])
        return own_rules(
            lead=lead, kinds=[CONTACT, COMPANY, deal], policy=Policy([Role("sales", [every])])
        )

    @pytest.mark.parametrize("where", ["deal", "lead"])
    def test_the_sum_of_hidden_products(self, where: str) -> None:
        """The amount travels, but whoever may not see the lines is not shown their sum."""
        rules = self.rules(deal=self.DEALS) if where == "deal" else self.rules(lead=self.LEADS)
        p = looked(PRICED, "deal", rules=rules)
        assert Decimal(100) == p.result().deal.amount
        [draft] = p.shown().targets
        assert {"amount", "products"}.isdisjoint(draft.values)
        assert {"deal 1.amount", "deal 1.products"}.isdisjoint(row.target for row in p.shown().rows)

    def test_an_amount_that_is_no_sum_is_shown(self) -> None:
        """An amount given by hand tells nothing of the lines."""
        p = looked(PRICED, Create("deal", values={"amount": 7}), rules=self.rules(lead=self.LEADS))
        [draft] = p.shown().targets
        assert Decimal(7) == draft.values["amount"]
        assert "products" not in draft.values

    def test_a_currency_that_the_hidden_sum_needs(self) -> None:
        """What is missing for a hidden amount is told without its name."""
        lead = attrs.evolve(PRICED, amount=None, currency=None)
        p = looked(lead, "deal", rules=self.rules(lead=self.LEADS))
        assert [("deal", None, "hidden")] == codes(p)
        assert [("deal", "amount", "currency_required")] == [
            (one.kind, one.field, one.code) for one in p.withheld
        ]

    def test_that_hidden_products_were_taken(self) -> None:
        """Whoever may not see the lead's lines is not told that others took them."""
        rules = self.rules(lead=self.LEADS)
        lead, known = converted(PRICED, rules=rules)
        p = more(lead, "deal", known=known, rules=rules)
        assert [("products", "taken", None)] == told(p.rows, "deal 1.products")
        assert [] == told(p.shown().rows, "deal 1.products")


class TestStaged:
    def test_contact_now_deal_later(self) -> None:
        """A lead may be converted in parts: it stays open until a conversion closes it."""
        first = looked(ENQUIRY, "contact", closing=False, reason="met at the fair").result()
        lead, known = kept(first)
        assert ("new", (), "met at the fair") == (
            lead.stage,
            lead.stage_history,
            first.conversion.reason,
        )
        assert (False, False, True) == (
            first.conversion.closing,
            first.conversion.supplement,
            first.conversion.in_force,
        )
        last = looked(lead, "deal", known=known).result()
        assert "done" == last.lead.stage
        assert ("C1.1",) == last.deal.contact_ids
        assert "L-7.2.deal.1" == last.deal.id
        assert [StageChange(from_stage="new", to_stage="done", at=AT, actor_id="u-7")] == list(
            last.lead.stage_history
        )
        lead, known = kept(last, there=known.records)
        [problem] = looked(lead, "deal", known=known).problems
        assert ("converted", ("deal D2.1",)) == (problem.code, problem.params["became"])

    def test_in_as_many_parts_as_one_likes(self) -> None:
        """Every part finds those before it, and each is numbered."""
        lead, known = kept(looked(ENQUIRY, "company", closing=False).result())
        lead, known = kept(
            looked(lead, "contact", known=known, closing=False).result(), there=known.records
        )
        result = looked(lead, "deal", known=known, closing=False).result()
        assert (("C2.1",), "CO1.1") == (result.deal.contact_ids, result.deal.company_id)
        [contact] = [one for one in known.records if isinstance(one, Contact)]
        assert "CO1.1" == contact.company_id
        assert ["L-7.1", "L-7.2", "L-7.3"] == [one.id for one in result.lead.conversions]
        assert "new" == result.lead.stage

    def test_a_name_means_what_was_made(self) -> None:
        """What an earlier part made is merged into, of whatever kind, and not made twice."""
        lead, known = kept(looked(ENQUIRY, "contact", "deal", closing=False).result())
        lead = attrs.evolve(lead, emails=[Channel("ada@example.com")])
        result = looked(lead, *ALL, known=known).result()
        assert [("created", "L-7.2.company.1"), ("merged", "C1.1"), ("merged", "D1.1")] == sorted(
            ((one.action, one.ref.id) for one in result.outcomes),
        )
        assert "L-7.2.company.1" == result.deal.company_id == result.contact.company_id
        assert (Ref("contact", "C1.1"), Ref("deal", "D1.1")) == result.conversion.merged

    def test_another_on_purpose(self) -> None:
        """Whoever wants a second deal in the meantime says so, and it gets the rest."""
        first = Create("deal", values={"products": [DESK]})
        lead, known = kept(looked(PRICED, "contact", first, closing=False).result())
        result = looked(lead, Create("deal"), known=known, closing=False).result()
        assert ("L-7.2.deal.1", {"Seat": 5}) == (result.deal.id, lines(result.deal))

    def test_what_an_earlier_part_made_is_gone(self) -> None:
        """A record deleted in between is told, and made anew only if somebody says so."""
        lead, _ = kept(looked(ENQUIRY, "contact", closing=False).result())
        assert [("contact", None, "record_not_there")] == codes(looked(lead, "contact"))
        assert [("deal", "contact_ids", "unknown_record")] == codes(looked(lead, "deal"))
        assert looked(lead, Create("contact"), "deal").ok

    def test_merged_away_in_between(self) -> None:
        """The survivor of what an earlier part made goes on."""
        lead, _ = kept(looked(ENQUIRY, "contact", closing=False).result())
        world = Known(
            records=[Contact(id="C-9", last_name="King")],
            merged=[(Ref("contact", "C1.1"), Ref("contact", "C-9"))],
        )
        result = looked(lead, "contact", "deal", known=world).result()
        assert ("C-9", ("C-9",)) == (result.contact.id, result.deal.contact_ids)

    def test_no_supplement_in_between(self) -> None:
        """A lead that is converted in part is open, so there is nothing to supplement."""
        lead, known = kept(looked(ENQUIRY, "contact", closing=False).result())
        assert [("lead", None, "not_converted")] == codes(more(lead, "deal", known=known))

    def test_closed_by_a_move(self) -> None:
        """To move the lead into its success stage closes it, with what was made before."""
        lead, known = kept(looked(ENQUIRY, "contact", closing=False).result())
        moved = advance(lead, "done", ["deal"], rules=RULES, actor=ADA, at=AT, known=known)
        assert ("C1.1",) == moved.conversion.deal.contact_ids
        assert moved.conversion.conversion.closes

    def test_wanted_lists_what_was_made(self) -> None:
        """What earlier parts made is to be loaded for the next."""
        lead, _ = kept(looked(ENQUIRY, "contact", closing=False).result())
        asked = wanted(lead, ["deal"], rules=RULES)
        assert (Ref("contact", "C1.1"),) == asked.refs

    def test_no_right_to_move_is_asked(self) -> None:
        """Who leaves the lead open needs no right to close it."""
        asked = looked(ENQUIRY, "contact", closing=False).required_access
        assert ["read", "update", "convert", "create"] == [str(one.action) for one in asked]

    def test_rules_that_do_not_allow_it(self) -> None:
        """Where the rules convert a lead as a whole, none stays open."""
        whole = own_rules(staged=False)
        p = looked(ENQUIRY, "contact", closing=False, rules=whole)
        assert [
            "the rules convert a lead as a whole, so it cannot stay open (leave closing=False out)"
        ] == [str(problem) for problem in p.problems]
        with pytest.raises(errors.StageNotAllowedError):
            p.result()
        assert looked(ENQUIRY, "contact", rules=whole).ok
        assert not can_convert(ENQUIRY, ADA, whole, closing=False)

    def test_one_that_is_converted_is_told_so(self) -> None:
        """What a lead became matters more than that it could not stay open."""
        whole = own_rules(staged=False)
        lead, known = converted(rules=whole)
        assert [("lead", None, "converted")] == codes(
            looked(lead, "deal", known=known, closing=False, rules=whole)
        )

    def test_rules_of_automation_that_do_not_allow_it(self) -> None:
        """An automation rule that leaves the lead open contradicts such rules."""
        robot = Actor("robot")
        acting = [
            AutomationRule("open", ["contact"], on="talk", closing=False),
            AutomationRule("closes", ["contact"], on="talk"),
            AutomationRule("only moves", to="talk", on="new", closing=False),
        ]
        with pytest.raises(errors.DefinitionError) as refused:
            own_rules(staged=False, automation=Automation(robot, acting))
        assert [
            (
                "automation rule open: the rule leaves the lead open, which the rules do not allow"
                " (correct or remove it)"
            )
        ] == [str(problem) for problem in refused.value.problems]
        assert own_rules(automation=Automation(robot, acting)).staged

    def test_rules_that_differ_in_it_differ(self) -> None:
        """Whether leads may be converted in parts is part of what a conversion remembers."""
        assert own_rules(staged=False).digest != RULES.digest


class TestChainsOfRules:
    """Automation rules that act one after the other in one decision."""

    @staticmethod
    def rules(*acting: AutomationRule, **others: Any) -> ConversionRules:  # noqa: ANN401
        """Rules in which these automation rules act."""
        return own_rules(automation=Automation(Actor("robot"), acting), **others)

    CLIENTS: Final = AutomationRule("clients", ["contact", "company"], on="talk", closing=False)
    BUSINESS: Final = AutomationRule("business", ["deal"], on="talk")

    def moved(self, *acting: AutomationRule, lead: Lead = PRICED, **others: Any) -> MoveResult:  # noqa: ANN401
        """What comes of a move into the stage for which the rules wait."""
        known = others.pop("known", None)
        rules = self.rules(*acting, **others)
        return advance(lead, "talk", rules=rules, actor=ADA, at=AT, known=known)

    def test_a_later_rule_attaches_what_an_earlier_one_made(self) -> None:
        """The deal of the second rule is for the clients of the first."""
        result = self.moved(self.CLIENTS, self.BUSINESS)
        assert () == result.refused
        deal = result.conversions[1].deal
        assert (("L-7.1.contact.1",), "L-7.1.company.1") == (deal.contact_ids, deal.company_id)
        assert "done" == result.lead.stage

    def test_in_the_changes_they_are_made_there(self) -> None:
        """Nobody is pointed at who is not there: what is provisional is so wherever it stands."""
        result = self.moved(self.CLIENTS, self.BUSINESS)
        inserts = [one for one in result.changes.changes if isinstance(one, Insert)]
        made_here = {one.ref for one in inserts}
        assert all(ref.provisional for ref in made_here)
        [deal] = [one for one in inserts if one.ref.kind == "deal"]
        assert (Ref("contact", "L-7.1.contact.1", provisional=True),) == deal.values["contact_ids"]
        assert Ref("company", "L-7.1.company.1", provisional=True) == deal.values["company_id"]
        [_, trace] = result.changes.traces
        [step] = [one for one in trace.steps if one.ref == deal.ref]
        assert deal.values["contact_ids"] == step.written["contact_ids"]

    def test_as_stored_both_sides_agree(self) -> None:
        """With the store's ids the deal names the clients as they are stored."""
        result = self.moved(self.CLIENTS, self.BUSINESS)
        ids = [
            (one.ref, Ref(one.ref.kind, f"{number}"))
            for number, one in enumerate(result.changes.changes, 10)
            if isinstance(one, Insert)
        ]
        stored = result.stored(Receipt(ids=ids))
        first, second = stored.conversions
        assert (first.contact.id,) == second.deal.contact_ids
        assert first.company.id == second.deal.company_id
        assert {Ref("company", "10"), Ref("contact", "11")} == set(
            stored.lead.conversions[0].targets
        )

    def test_of_a_lead_that_arrives(self) -> None:
        """A lead that no store has yet is converted in parts alike."""
        acting = [attrs.evolve(one, on=None) for one in (self.CLIENTS, self.BUSINESS)]
        result = arrive(PRICED, rules=self.rules(*acting), at=AT)
        assert () == result.refused
        [deal] = [one for one in result.changes.changes if one.ref.kind == "deal"]
        assert isinstance(deal, Insert)
        assert (Ref("contact", "L-7.1.contact.1", provisional=True),) == deal.values["contact_ids"]
        assert (Ref("lead", "L-7", provisional=True),) == deal.values["converted_from"]

    def test_the_whole_waits_for_nobody(self) -> None:
        """A change set never names its own parts as what must be applied before."""
        other = Pending(Company(id="CO-9", name="Engines"), "other")
        for known, after in ((None, ()), (Known(pending=[other]), ("other",))):
            others = [] if known is None else [Link("company", "CO-9")]
            first = AutomationRule("clients", ["contact", *others], on="talk", closing=False)
            second = AutomationRule("business", ["contact", "deal"], on="talk")
            result = self.moved(first, second, known=known)
            assert () == result.refused
            assert after == result.changes.after

    def test_a_later_rule_fills_what_an_earlier_one_made(self) -> None:
        """A contact asked for again is the one that was just made, and made once."""
        second = AutomationRule("more", ["contact", "deal"], on="talk")
        result = self.moved(self.CLIENTS, second)
        assert () == result.refused
        assert [["created", "created"], ["unchanged", "created"]] == [
            [one.action for one in part.outcomes] for part in result.conversions
        ]
        assert 1 == sum(
            isinstance(one, Insert) and one.ref.kind == "contact" for one in result.changes.changes
        )

    def test_products_are_what_the_earlier_rule_left(self) -> None:
        """Two rules that make a deal each share the lead's lines."""
        one = Create("deal", values={"products": [DESK]})
        first = AutomationRule("first", [one], on="talk", closing=False)
        second = AutomationRule("second", [Create("deal")], on="talk")
        result = self.moved(first, second)
        assert [{"Desk": 1}, {"Seat": 5}] == [lines(part.deal) for part in result.conversions]

    def test_a_deal_that_had_lines_of_its_own(self) -> None:
        """What an earlier rule found in a deal is known to the later ones: it is not the lead's."""
        there = Known(records=[Deal(id="D-5", title="Old", currency="EUR", products=[SEATS])])
        first = AutomationRule("first", [Merge("deal", "D-5")], on="talk", closing=False)
        second = AutomationRule("second", [Create("deal")], on="talk")
        result = self.moved(first, second, known=there)
        assert {"Seat": 5, "Desk": 1} == lines(result.conversions[1].deal)

    def test_a_link_finds_what_was_just_made(self) -> None:
        """A later rule may name a record by the id that an earlier one gave it."""
        first = AutomationRule("first", [Create("contact", id="C-new")], on="talk", closing=False)
        second = AutomationRule("second", [Link("contact", "C-new"), "deal"], on="talk")
        result = self.moved(first, second)
        assert () == result.refused
        assert ("C-new",) == result.conversions[1].deal.contact_ids

    def test_by_hand_after_the_rules(self) -> None:
        """What rules made in parts a person closes, when all of it is stored."""
        result = self.moved(self.CLIENTS)
        ids = [
            (one.ref, Ref(one.ref.kind, f"{number}"))
            for number, one in enumerate(result.changes.changes, 10)
            if isinstance(one, Insert)
        ]
        stored = result.stored(Receipt(ids=ids))
        known = Known(records=stored.conversions[0].records)
        last = looked(stored.lead, "deal", known=known).result()
        assert (("11",), "10") == (last.deal.contact_ids, last.deal.company_id)
        assert ("clients", None) == tuple(one.rule for one in last.lead.conversions)

    def test_no_rule_supplements(self) -> None:
        """Automation leaves a lead alone that is converted: it waits for none, and acts on none."""
        second = AutomationRule("more", [Create("deal")], on="talk")
        result = self.moved(self.BUSINESS, second)
        assert ["business"] == [one.conversion.rule for one in result.conversions]
        assert () == result.refused


class TestSums:
    """`Field(sums=)` in the definition of a kind."""

    @staticmethod
    def mistakes(*fields: Field) -> list[str]:
        """What is wrong with a kind of these fields."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        with pytest.raises(errors.DefinitionError) as refused:
            Kind("order", fields=[*fields, back])
        return [str(problem) for problem in refused.value.problems]

    LINES: Final = Field("lines", "product", multiple=True)

    def test_a_field_that_is_not_there(self) -> None:
        """The field of lines must be one of the kind's."""
        wrong = Field("total", "money", sums="lnies")
        assert [
            "kind order: there is no field 'lnies', did you mean 'lines'? (correct the name)"
        ] == self.mistakes(self.LINES, wrong)

    @pytest.mark.parametrize(
        "lines_", [Field("lines", "product"), Field("lines", "money", multiple=True)]
    )
    def test_a_field_that_holds_no_lines(self, lines_: Field) -> None:
        """Only several products are lines to add up."""
        [told_] = self.mistakes(lines_, Field("total", "money", sums="lines"))
        assert "no product lines" in told_

    def test_no_money(self) -> None:
        """Only money is a sum of product lines."""
        with pytest.raises(errors.DefinitionError) as refused:
            Field("total", "decimal", sums="lines")
        assert ["misplaced"] == [problem.code for problem in refused.value.problems]

    def test_a_kind_of_ones_own(self) -> None:
        """A kind that is data sums its lines as a deal does, each amount those it names."""
        order = Kind(
            "order",
            fields=[
                self.LINES,
                Field("extras", "product", multiple=True),
                Field("total", "money", sums="lines"),
                Field("extra", "money", sums="extras"),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
        )
        rules = own_rules(
            FieldMapping("products", "order", "lines"),
            FieldMapping("amount", "order", "extra"),
            kinds=[CONTACT, COMPANY, DEAL, order],
        )
        result = looked(PRICED, "order", "order", rules=rules).result()
        one, two = result.all("order")
        assert (Decimal(100), Decimal(500)) == (one.custom["total"], one.custom["extra"])
        assert ("total" in two.custom, "lines" in two.custom) == (False, False)
        lead, _ = kept_generic(result)
        assert [("products", "taken", None)] == told(
            more(lead, "order", known=Known(records=result.records), rules=rules).rows,
            "order 1.lines",
        )

    def test_deals_take_nothing_of_orders(self) -> None:
        """What records of one kind took is not taken of another."""
        order = Kind(
            "order",
            fields=[self.LINES, Field("converted_from", "reference", to="lead", multiple=True)],
        )
        rules = own_rules(
            FieldMapping("products", "order", "lines"), kinds=[CONTACT, COMPANY, DEAL, order]
        )
        result = looked(PRICED, "order", "deal", rules=rules).result()
        [made_] = result.all("order")
        assert ((SEATS, DESK), (SEATS, DESK)) == (made_.custom["lines"], result.deal.products)


def kept_generic(result: ConversionResult) -> tuple[Lead, Mapping[Ref, Record]]:
    """The lead as stored by a store that keeps the ids it is given."""
    ids = [(one.ref, one.ref.stored) for one in result.outcomes if one.ref.provisional]
    stored = result.stored(Receipt(ids=ids))
    return stored.lead, {one.ref: one.record for one in stored.outcomes}


class TestThePreset:
    def test_of_start_to_end(self) -> None:
        """With the rules of a real CRM: a deal, a second for the rest, and then nothing is left."""
        lead = attrs.evolve(PRICED, stage="NEW")
        first = Create("deal", values={"products": [DESK]})
        lead, known = converted(lead, "contact", "company", first, rules=BITRIX)
        second = more(lead, "deal", known=known, rules=BITRIX).result()
        assert ({"Seat": 5}, Decimal(50), "EUR") == (
            lines(second.deal),
            second.deal.amount,
            second.deal.currency,
        )
        assert (("C1.1",), "CO1.1", "u-7") == (
            second.deal.contact_ids,
            second.deal.company_id,
            second.deal.owner_id,
        )
        lead, known = kept(second, there=known.records)
        third = more(lead, "deal", known=known, rules=BITRIX).result()
        assert () == third.deal.products
        assert Outcome.TAKEN in {row.outcome for row in third.rows}
        assert "CONVERTED" == third.lead.stage
