"""Claims: keys by which a record was sought and will be found, and who was seen holding them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Attach,
    Automation,
    AutomationRule,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Exceptions,
    FieldMapping,
    Find,
    Insert,
    Known,
    Lead,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    Pipeline,
    Policy,
    Record,
    Ref,
    Stage,
    Target,
    Update,
    advance,
    arrive,
    convert,
    convert_batch,
    convert_many,
    plan,
    wanted,
)
from leadconvert.claiming import claims
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import changed
from leadconvert.whole import Whole


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-1", roles=["r"])
EMAIL: Final = MatchKey("email", "ada@example.com")
OTHER: Final = MatchKey("email", "other@example.com")
PHONE: Final = MatchKey("phone", "030123456")
PERSON: Final = MatchKey("person", "ada lovelace")


def rules(*by: MatchRule, exceptions: Exceptions | None = None) -> ConversionRules:
    """Rules that find records as the match rules say."""
    return ConversionRules(
        kinds=[CONTACT, COMPANY, DEAL],
        pipelines=[
            Pipeline("leads", "lead", ["NEW", "WORK", Stage("DONE", "success")]),
            Pipeline("sales", "deal", ["open", Stage("won", "success")]),
        ],
        mappings=[
            FieldMapping("first_name", "contact"),
            FieldMapping("last_name", "contact"),
            FieldMapping("comments", "contact"),
            FieldMapping("emails", "contact", conflict="append"),
            FieldMapping("phones", "contact", conflict="append"),
            FieldMapping("company_name", "company", "name"),
            FieldMapping("title", "deal"),
        ],
        policy=Policy.allow_all(),
        matching=Matching(by, exceptions=exceptions or Exceptions()),
    )


BY_EMAIL: Final = rules(MatchRule("contact", ["email"], "merge"))
BY_ANY: Final = rules(
    MatchRule("contact", ["email"], "merge"),
    MatchRule("contact", [["phone", "person"]], "merge"),
    MatchRule("company", ["company"], "link"),
)
NEW: Final = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    first_name="Ada",
    last_name="Lovelace",
    company_name="Engines",
    emails=[Channel("ADA@example.com")],
)
CALLED: Final = attrs.evolve(NEW, phones=[Channel("030 123456")])


def ref(id_: str, kind: str = "contact", *, provisional: bool = False) -> Ref:
    """The ref of a contact, unless it is of another kind."""
    return Ref(kind, id_, provisional)


MADE: Final = ref("L-7.1.contact.1", provisional=True)


def contact(id_: str, *emails: str, **more: object) -> Contact:
    """A contact with e-mails."""
    one = Contact(id=id_, revision="1", last_name="Byron", emails=[Channel(at) for at in emails])
    return changed(one, more)


def claimed(changes: ChangeSet) -> list[tuple[str, Ref, tuple[Claim, ...]]]:
    """What each insert and update of a contact or company claims."""
    return [
        (type(one).__name__, one.ref, one.claims)
        for one in changes.changes
        if isinstance(one, Insert | Update) and one.ref.kind in {"contact", "company"}
    ]


def converted(
    into: Iterable[str | Target], *known: Record, by: ConversionRules = BY_EMAIL, lead: Lead = NEW
) -> ConversionResult:
    """The result of a conversion."""
    return convert(lead, into, rules=by, actor=ADA, at=AT, known=Known(records=known))


class TestClaims:
    RECORD: Final = contact("C-9", "ada@example.com", "other@example.com")

    def test_keys_it_was_sought_by(self) -> None:
        """A record claims those of its keys by which it was sought, in order."""
        both, more = {OTHER, EMAIL}, {EMAIL, PHONE}
        assert [Claim(EMAIL), Claim(OTHER)] == [*claims(BY_EMAIL, CONTACT, self.RECORD, both, {})]
        assert [Claim(EMAIL)] == [*claims(BY_EMAIL, CONTACT, self.RECORD, more, {})]

    def test_none(self) -> None:
        """One that was not sought, or by keys it does not hold, claims nothing."""
        there: dict[Ref, Record] = {ref("C-3"): contact("C-3", "ada@example.com")}
        assert [] == [*claims(BY_EMAIL, CONTACT, self.RECORD, frozenset(), there)]
        assert [] == [*claims(BY_EMAIL, CONTACT, self.RECORD, {PHONE}, there)]

    def test_all_who_hold_it(self) -> None:
        """Whoever is there and holds the key is told in order, and whoever does not is not."""
        pending = ref("L-1.1.contact.1", provisional=True)
        there: dict[Ref, Record] = {
            ref("C-5"): contact("C-5", "x@example.com", "Ada@Example.com"),
            ref("C-4"): contact("C-4", "other@example.com"),
            ref("C-3"): contact("C-3", "ada@example.com"),
            pending: contact("L-1.1.contact.1", "ada@example.com"),
        }
        assert [
            Claim(EMAIL, [ref("C-3"), ref("C-5"), pending]),
            Claim(OTHER, [ref("C-4")]),
        ] == [*claims(BY_EMAIL, CONTACT, self.RECORD, {EMAIL, OTHER}, there)]

    def test_others_of_its_kind_alone(self) -> None:
        """A company or a lead that has the same e-mail is nobody to be counted."""
        there: dict[Ref, Record] = {
            ref("C-3", "company"): Company(id="C-3", emails=[Channel("ada@example.com")]),
            ref("L-7", "lead"): NEW,
        }
        assert [Claim(EMAIL)] == [*claims(BY_EMAIL, CONTACT, self.RECORD, {EMAIL}, there)]


class TestInAConversion:
    def test_a_new_record(self) -> None:
        """A new record claims the key of the lead that nobody was seen to hold."""
        assert [("Insert", MADE, (Claim(EMAIL),))] == claimed(converted(["contact"]).changes)

    def test_a_plan_shows_them(self) -> None:
        """A plan's result is that of the conversion, claims and all."""
        decided = plan(NEW, ["contact"], rules=BY_EMAIL, actor=ADA, at=AT)
        assert converted(["contact"]).changes == decided.result().changes

    def test_only_the_sorts_that_a_rule_of_the_kind_names(self) -> None:
        """A phone, a name or a company by which no rule finds a contact is not claimed."""
        assert [("Insert", MADE, (Claim(EMAIL),))] == claimed(
            converted(["contact"], lead=CALLED).changes
        )

    def test_of_every_rule_of_the_kind(self) -> None:
        """All sorts of all rules of its kind count, also those that count only together."""
        company = ref("L-7.1.company.1", "company", provisional=True)
        assert {
            MADE: (Claim(EMAIL), Claim(PERSON), Claim(PHONE)),
            company: (Claim(MatchKey("company", "engines")),),
        } == {
            whom: told
            for _, whom, told in claimed(
                converted(["contact", "company"], by=BY_ANY, lead=CALLED).changes
            )
        }

    def test_none_without_a_rule_of_the_kind(self) -> None:
        """Where no rule finds records of a kind nobody was sought, whoever has the e-mail."""
        ada = contact("C-3", "ada@example.com")
        assert [("Insert", MADE, ())] == claimed(converted(["contact"], ada, by=rules()).changes)
        by = rules(MatchRule("company", ["email"]))
        assert [("Insert", MADE, ())] == claimed(converted(["contact"], ada, by=by).changes)

    def test_none_without_a_key(self) -> None:
        """A lead without an e-mail claims none."""
        lead = attrs.evolve(NEW, emails=[])
        assert [("Insert", MADE, ())] == claimed(converted(["contact"], lead=lead).changes)

    def test_what_is_excepted_is_no_key(self) -> None:
        """What is on the list of exceptions is claimed by nobody."""
        by = rules(
            MatchRule("contact", ["email"]), exceptions=Exceptions(emails=["ada@example.com"])
        )
        lead = attrs.evolve(NEW, emails=[Channel("ada@example.com"), Channel("other@example.com")])
        assert [("Insert", MADE, (Claim(OTHER),))] == claimed(
            converted(["contact"], by=by, lead=lead).changes
        )

    def test_who_shares_a_part_of_what_counts_together(self) -> None:
        """Whoever has the phone but not the name is no match, and was seen."""
        other = contact("C-3", phones=[Channel("030 123456")])
        [(what, whom, told)] = claimed(
            converted(["contact"], other, by=BY_ANY, lead=CALLED).changes
        )
        assert ("Insert", MADE) == (what, whom)
        assert (Claim(EMAIL), Claim(PERSON), Claim(PHONE, [ref("C-3")])) == told

    def test_a_rule_that_makes_a_new_one_all_the_same(self) -> None:
        """Where the rule makes a new one whoever matches, it says who was seen."""
        by = rules(MatchRule("contact", ["email"], "none"))
        ada = contact("C-3", "ada@example.com")
        assert [("Insert", MADE, (Claim(EMAIL, [ref("C-3")]),))] == claimed(
            converted(["contact"], ada, by=by).changes
        )

    def test_new_on_purpose(self) -> None:
        """What is made new on purpose depends on nobody, so others may hold its keys."""
        ada = contact("C-3", "ada@example.com")
        assert [("Insert", MADE, ())] == claimed(converted([Create("contact")], ada).changes)

    def test_a_value_supplied(self) -> None:
        """An e-mail given by hand was not sought by, and one that is not taken is not held."""
        given = Find("contact", values={"emails": [Channel("other@example.com")]})
        assert [("Insert", MADE, ())] == claimed(converted([given]).changes)

    def test_a_matched_record(self) -> None:
        """One that matches is updated if it alone holds what it was seen to hold."""
        lead = attrs.evolve(NEW, emails=[Channel("ada@example.com"), Channel("other@example.com")])
        ada = contact("C-3", "ada@example.com", "third@example.com")
        both = (Claim(EMAIL, [ref("C-3")]), Claim(OTHER))
        assert [("Update", ref("C-3"), both)] == claimed(
            converted(["contact"], ada, lead=lead).changes
        )

    def test_a_matched_record_that_learns_nothing(self) -> None:
        """What is not written claims nothing: it is only pointed at."""
        ada = contact("C-3", "ada@example.com", first_name="Ada")
        changes = converted(["contact"], ada).changes
        assert [] == claimed(changes)
        assert [Attach(ref("C-3"), "converted_from", [ref("L-7", "lead")])] == [
            one for one in changes.changes if isinstance(one, Attach)
        ]

    @pytest.mark.parametrize(
        ("chosen", "lead"),
        [
            ([Merge("contact", "C-3")], NEW),
            ([Link("contact", "C-3")], NEW),
            (["contact"], attrs.evolve(NEW, contact_ids=["C-3"])),
        ],
        ids=["merged", "linked", "bound"],
    )
    def test_a_record_that_was_named(self, chosen: list[str | Target], lead: Lead) -> None:
        """A record that somebody chose, or that the lead is bound to, was not sought."""
        changes = converted(chosen, contact("C-3"), contact("C-4", "ada@example.com"), lead=lead)
        assert {()} >= {told for _, _, told in claimed(changes.changes)}

    def test_leads_and_deals(self) -> None:
        """What no rule finds claims nothing: neither the lead nor the deal."""
        told = {
            one.ref.kind: one.claims
            for one in converted(["contact", "company", "deal"]).changes.changes
            if isinstance(one, Insert | Update)
        }
        assert {"contact": (Claim(EMAIL),), "company": (), "deal": (), "lead": ()} == told

    def test_all_that_is_claimed_was_asked_for(self) -> None:
        """Whoever loads what is wanted has seen everybody who holds a key that is claimed."""
        for into in (["contact", "company"], [Create("contact"), Find("company")]):
            asked = wanted(CALLED, into, rules=BY_ANY).matches
            changes = converted(into, by=BY_ANY, lead=CALLED).changes
            keys = {(whom.kind, one.key) for _, whom, told in claimed(changes) for one in told}
            assert keys <= {*asked}


class TestInABatch:
    TWIN: Final = attrs.evolve(CALLED, id="L-8")

    def batch(
        self, into: Iterable[str | Target], *leads: Lead, by: ConversionRules = BY_EMAIL
    ) -> list[ChangeSet]:
        """The change sets of a whole batch."""
        done = convert_batch(leads, into, rules=by, actor=ADA, at=AT)
        return [one.result.changes for one in done if isinstance(one, Converted)]

    def test_what_an_earlier_one_makes(self) -> None:
        """A record that another change set makes is seen by its provisional ref."""
        first, second = self.batch(["contact"], NEW, self.TWIN)
        assert [("Insert", MADE, (Claim(EMAIL),))] == claimed(first)
        assert [("Update", MADE, (Claim(EMAIL, [MADE]),))] == claimed(second)
        assert ((), (first.key,)) == (first.after, second.after)

    def test_in_a_stream(self) -> None:
        """A stream that remembers sees the same; one that does not sees nobody."""
        for window, seen in ((5, [MADE]), (0, [])):
            _, second = convert_many(
                [NEW, self.TWIN], ["contact"], rules=BY_EMAIL, actor=ADA, at=AT, twins=window
            )
            assert isinstance(second, Converted)
            [(_, _, told)] = claimed(second.result.changes)
            assert (Claim(EMAIL, seen),) == told

    def test_who_was_seen_comes_before(self) -> None:
        """Whoever saw that an earlier one's record shares a key comes after it, match or no."""
        namesake = attrs.evolve(NEW, id="L-8", emails=[], phones=[Channel("030 999999")])
        first, second = self.batch(["contact"], CALLED, namesake, by=BY_ANY)
        new = ref("L-8.1.contact.1", provisional=True)
        other = Claim(MatchKey("phone", "030999999"))
        assert [("Insert", new, (Claim(PERSON, [MADE]), other))] == claimed(second)
        assert ((), (first.key,)) == (first.after, second.after)

    def test_who_was_not_seen_does_not(self) -> None:
        """A change set that shares no key with the others stands alone."""
        other = attrs.evolve(NEW, id="L-8", emails=[Channel("other@example.com")])
        first, second = self.batch(["contact"], NEW, other)
        assert ((), ()) == (first.after, second.after)


CALLER: Final = contact("C-3", phones=[Channel("030 123456")])


def automatic(*acting: AutomationRule) -> ConversionRules:
    """Rules by which a person is known by phone or e-mail, and that act by themselves."""
    by = rules(MatchRule("contact", ["phone", "email"], "merge"), MatchRule("company", ["email"]))
    mappings = [*by.mappings, FieldMapping("emails", "company")]
    return attrs.evolve(
        by, automation=Automation(Actor("robot"), acting), staged=True, mappings=mappings
    )


class TestInAMove:
    def test_into_the_success_stage(self) -> None:
        """A move that converts claims what the conversion claims."""
        moved = advance(NEW, "DONE", ["contact"], rules=BY_EMAIL, actor=ADA, at=AT)
        assert [("Insert", MADE, (Claim(EMAIL),))] == claimed(moved.changes)

    def test_another_move(self) -> None:
        """A move that converts nothing claims nothing."""
        deal = Deal(id="D-5", pipeline="sales", stage="open")
        for record, to in ((NEW, "WORK"), (deal, "won")):
            moved = advance(record, to, rules=BY_EMAIL, actor=ADA, at=AT)
            assert [()] == [
                one.claims for one in moved.changes.changes if isinstance(one, Insert | Update)
            ]

    def test_a_rule_of_the_stage(self) -> None:
        """What a rule makes of a lead that is moved claims what its conversion claims."""
        by = automatic(AutomationRule("all", ["contact"], on="WORK"))
        moved = advance(NEW, "WORK", rules=by, actor=ADA, at=AT)
        assert [("Insert", MADE, (Claim(EMAIL),))] == claimed(moved.changes)

    def test_an_arrival(self) -> None:
        """A lead that arrives and is converted at once claims what the conversion claims."""
        by = automatic(AutomationRule("all", ["contact"]))
        moved = arrive(CALLED, rules=by, at=AT, known=Known(records=[CALLER]))
        phone = Claim(PHONE, [ref("C-3")])
        assert [("Update", ref("C-3"), (Claim(EMAIL), phone))] == claimed(moved.changes)

    def test_two_rules_write_one_record(self) -> None:
        """One update is left of two; it claims what the one claims that sought the record."""
        given = {"comments": "again"}
        by = automatic(
            AutomationRule("first", ["contact"], closing=False),
            AutomationRule("then", [Merge("contact", "C-3", values=given)]),
        )
        moved = arrive(CALLED, rules=by, at=AT, known=Known(records=[CALLER]))
        assert 2 == len(moved.conversions)
        both = (Claim(EMAIL), Claim(PHONE, [ref("C-3")]))
        assert [("Update", ref("C-3"), both)] == claimed(moved.changes)

    def test_what_the_same_move_made(self) -> None:
        """A new record that an earlier rule of the move made is meant, and sought no more."""
        by = automatic(
            AutomationRule("first", ["contact"], closing=False),
            AutomationRule("then", [Find("contact", values={"comments": "again"})]),
        )
        moved = arrive(NEW, rules=by, at=AT)
        assert [
            ("Insert", MADE, (Claim(EMAIL),)),
            ("Update", MADE, ()),
        ] == claimed(moved.changes)

    def test_keys_are_those_of_their_kind(self) -> None:
        """One e-mail, claimed for a contact and for a company, is two claims."""
        by = automatic(
            AutomationRule("first", ["company"], closing=False),
            AutomationRule("then", ["contact"]),
        )
        known = Known(records=[contact("X-1", "ada@example.com")])
        told = {
            whom.kind: one
            for _, whom, one in claimed(arrive(NEW, rules=by, at=AT, known=known).changes)
        }
        assert {"contact": (Claim(EMAIL, [ref("X-1")]),), "company": (Claim(EMAIL),)} == told

    def test_claims_of_two_updates(self) -> None:
        """Of two updates of one record every key is claimed once, as the first of them saw it."""
        first = Update(ref("C-3"), "1", {"comments": "a"}, [Claim(EMAIL)])
        second = Update(
            ref("C-3"), "1", {"tags": ("b",)}, [Claim(EMAIL, [ref("C-3")]), Claim(PHONE)]
        )
        whole = Whole(kind=LEAD, before=NEW, key="k", fingerprint="f")
        made = converted(["contact"])
        moved = whole.result(
            made.lead,
            [],
            [
                attrs.evolve(made, changes=attrs.evolve(made.changes, changes=[one]))
                for one in (first, second)
            ],
        )
        assert (
            Update(ref("C-3"), "1", {"comments": "a", "tags": ("b",)}, [Claim(EMAIL), Claim(PHONE)])
            == moved.changes.changes[0]
        )
