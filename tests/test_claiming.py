"""Claims: which keys a record will hold once it is written, and whom the decision saw holding them."""

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
    ConversionRules,
    Converted,
    Create,
    Deal,
    Exceptions,
    FieldMapping,
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
    plan,
)
from leadconvert.claiming import claims
from leadconvert.fields import COMPANY, CONTACT, DEAL
from leadconvert.records import changed


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
            FieldMapping("emails", "contact", conflict="append"),
            FieldMapping("phones", "contact", conflict="append"),
            FieldMapping("company_name", "company", "name"),
            FieldMapping("title", "deal"),
        ],
        policy=Policy.allow_all(),
        matching=Matching(by, exceptions=exceptions or Exceptions()),
    )


BY_EMAIL: Final = rules(MatchRule("contact", ["email"], "merge"))
LEAD: Final = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    first_name="Ada",
    last_name="Lovelace",
    emails=[Channel("ADA@example.com")],
)
NEW: Final = Ref("contact", "L-7.1.contact.1", provisional=True)


def contact(id_: str, *emails: str, **more: object) -> Contact:
    """A contact with e-mails."""
    one = Contact(id=id_, revision="1", last_name="Byron", emails=[Channel(at) for at in emails])
    return changed(one, more)


def ref(id_: str, kind: str = "contact", *, provisional: bool = False) -> Ref:
    """The ref of a contact, unless it is another kind."""
    return Ref(kind, id_, provisional)


def claimed(changes: ChangeSet) -> list[tuple[str, Ref, tuple[Claim, ...]]]:
    """What each insert and update of the change set claims, but for those of leads and deals."""
    return [
        (type(one).__name__, one.ref, one.claims)
        for one in changes.changes
        if isinstance(one, Insert | Update) and one.ref.kind in {"contact", "company"}
    ]


def converted(
    into: Iterable[str | Target], *known: Record, by: ConversionRules = BY_EMAIL, lead: Lead = LEAD
) -> ChangeSet:
    """The changes of a conversion."""
    records = Known(records=known)
    return convert(lead, into, rules=by, actor=ADA, at=AT, known=records).changes


class TestWhichKeys:
    def test_only_the_sorts_a_rule_names(self) -> None:
        """A record claims the keys by which a rule would find it, and no others it has."""
        ada = changed(LEAD_CONTACT, {"phones": [Channel("030 123456")]})
        assert [Claim(EMAIL)] == list(claims(BY_EMAIL, CONTACT, ada, {}))

    def test_of_every_rule_of_the_kind(self) -> None:
        """All sorts of all rules of its kind count, those that go together as well, in order."""
        by = rules(
            MatchRule("contact", ["email"]),
            MatchRule("contact", [["phone", "person"]]),
            MatchRule("company", ["company"]),
        )
        ada = changed(LEAD_CONTACT, {"phones": [Channel("030 123456")]})
        assert [Claim(EMAIL), Claim(PERSON), Claim(PHONE)] == list(claims(by, CONTACT, ada, {}))

    def test_none_without_a_rule_of_the_kind(self) -> None:
        """A record of a kind that no rule finds claims nothing."""
        company = Company(id="CO-9", name="Engines", emails=[Channel("ada@example.com")])
        assert [] == list(claims(BY_EMAIL, COMPANY, company, {}))
        assert [] == list(claims(rules(), CONTACT, LEAD_CONTACT, {}))

    def test_none_without_a_key(self) -> None:
        """A record that has no key claims nothing, however many are there."""
        there: dict[Ref, Record] = {ref("C-3"): contact("C-3", "ada@example.com")}
        assert [] == list(claims(BY_EMAIL, CONTACT, contact("C-4"), there))

    def test_what_is_excepted_is_no_key(self) -> None:
        """What is on the list of exceptions is claimed by nobody."""
        by = rules(
            MatchRule("contact", ["email"]), exceptions=Exceptions(emails=["ada@example.com"])
        )
        two = contact("C-3", "ada@example.com", "other@example.com")
        assert [Claim(OTHER)] == list(claims(by, CONTACT, two, {}))


class TestWhoHolds:
    def test_all_who_are_there(self) -> None:
        """Whoever is there and holds the key is told in order, and whoever does not is not."""
        there: dict[Ref, Record] = {
            ref("C-5"): contact("C-5", "x@example.com", "Ada@Example.com"),
            ref("C-4"): contact("C-4", "x@example.com"),
            ref("C-3"): contact("C-3", "ada@example.com"),
            ref("L-1.1.contact.1", provisional=True): contact("L-1.1.contact.1", "ada@example.com"),
        }
        seen = [ref("C-3"), ref("C-5"), ref("L-1.1.contact.1", provisional=True)]
        assert [Claim(EMAIL, seen)] == list(claims(BY_EMAIL, CONTACT, LEAD_CONTACT, there))

    def test_others_of_its_kind_alone(self) -> None:
        """A company or a lead that has the same e-mail is nobody to be counted."""
        there: dict[Ref, Record] = {
            ref("CO-9", "company"): Company(id="CO-9", emails=[Channel("ada@example.com")]),
            ref("L-7", "lead"): LEAD,
        }
        assert [Claim(EMAIL)] == list(claims(BY_EMAIL, CONTACT, LEAD_CONTACT, there))

    def test_each_key_has_its_own(self) -> None:
        """Of each key it is told apart who holds it."""
        there: dict[Ref, Record] = {
            ref("C-3"): contact("C-3", "ada@example.com"),
            ref("C-4"): contact("C-4", "other@example.com"),
        }
        two = contact("C-9", "ada@example.com", "other@example.com")
        assert [Claim(EMAIL, [ref("C-3")]), Claim(OTHER, [ref("C-4")])] == list(
            claims(BY_EMAIL, CONTACT, two, there)
        )


LEAD_CONTACT: Final = Contact(
    id="C-1", first_name="Ada", last_name="Lovelace", emails=[Channel("ada@example.com")]
)


class TestInAConversion:
    def test_a_new_record(self) -> None:
        """A new record claims its keys, which nobody was seen to hold."""
        assert [("Insert", NEW, (Claim(EMAIL),))] == claimed(converted(["contact"]))

    def test_a_plan_shows_them(self) -> None:
        """A plan's result is that of the conversion, claims and all."""
        decided = plan(LEAD, ["contact"], rules=BY_EMAIL, actor=ADA, at=AT)
        assert converted(["contact"]) == decided.result().changes

    def test_new_on_purpose(self) -> None:
        """Made new on purpose, it says who was seen to hold the key before it."""
        ada = contact("C-3", "ada@example.com")
        assert [("Insert", NEW, (Claim(EMAIL, [ref("C-3")]),))] == claimed(
            converted([Create("contact")], ada, contact("C-4"))
        )

    def test_two_at_once(self) -> None:
        """Two records made at once that share a key did not see each other."""
        two = [Create("contact"), Create("contact")]
        second = ref("L-7.1.contact.2", provisional=True)
        assert [
            ("Insert", NEW, (Claim(EMAIL),)),
            ("Insert", second, (Claim(EMAIL),)),
        ] == claimed(converted(two))

    def test_a_merged_record(self) -> None:
        """A record merged into claims all keys it will hold; of those it held it was seen."""
        old = contact("C-3", "other@example.com")
        merge = [Merge("contact", "C-3")]
        assert [("Update", ref("C-3"), (Claim(EMAIL), Claim(OTHER, [ref("C-3")])))] == claimed(
            converted(merge, old)
        )

    def test_a_record_that_keeps_its_keys(self) -> None:
        """One that gets other fields claims the keys it holds as well."""
        old = contact("C-3", "ada@example.com")
        [(what, whom, told)] = claimed(converted(["contact"], old))
        assert ("Update", ref("C-3"), (Claim(EMAIL, [ref("C-3")]),)) == (what, whom, told)

    def test_a_linked_record(self) -> None:
        """What is only pointed at is not written, and claims nothing."""
        old = contact("C-3", "ada@example.com")
        changes = converted([Link("contact", "C-3")], old)
        assert [] == claimed(changes)
        assert [Attach(ref("C-3"), "converted_from", [ref("L-7", "lead")])] == [
            one for one in changes.changes if isinstance(one, Attach)
        ]

    def test_leads_and_deals(self) -> None:
        """What no rule finds claims nothing: neither the lead nor the deal."""
        told = {
            one.ref.kind: one.claims
            for one in converted(["contact", "company", "deal"], lead=COMPANYS).changes
            if isinstance(one, Insert | Update)
        }
        assert {"contact": (Claim(EMAIL),), "company": (), "deal": (), "lead": ()} == told


COMPANYS: Final = attrs.evolve(LEAD, company_name="Engines")


def batch(
    into: Iterable[str | Target], *leads: Lead, by: ConversionRules = BY_EMAIL
) -> list[ChangeSet]:
    """The change sets of a whole batch."""
    done = convert_batch(leads, into, rules=by, actor=ADA, at=AT)
    return [one.result.changes for one in done if isinstance(one, Converted)]


class TestInABatch:
    def test_what_an_earlier_one_makes(self) -> None:
        """A record that another change set makes is seen by its provisional ref."""
        twin = attrs.evolve(LEAD, id="L-8", phones=[Channel("030 123456")])
        first, second = batch(["contact"], LEAD, twin)
        assert [("Insert", NEW, (Claim(EMAIL),))] == claimed(first)
        assert [("Update", NEW, (Claim(EMAIL, [NEW]),))] == claimed(second)
        assert (first.key,) == second.after

    def test_whoever_is_seen_comes_before(self) -> None:
        """A change set that saw what an earlier one makes comes after it, if only to be counted."""
        first, second = batch([Create("contact")], LEAD, attrs.evolve(LEAD, id="L-8"))
        new = ref("L-8.1.contact.1", provisional=True)
        assert [("Insert", new, (Claim(EMAIL, [NEW]),))] == claimed(second)
        assert ((), (first.key,)) == (first.after, second.after)

    def test_whoever_was_not_seen_does_not(self) -> None:
        """A change set that shares no key with the others stands alone."""
        other = attrs.evolve(LEAD, id="L-8", emails=[Channel("other@example.com")])
        first, second = batch([Create("contact")], LEAD, other)
        assert ((), ()) == (first.after, second.after)


def automatic(*acting: AutomationRule) -> ConversionRules:
    """Rules by which a person is known by phone or e-mail, and that act by themselves."""
    by = rules(MatchRule("contact", ["phone", "email"], "merge"))
    return attrs.evolve(by, automation=Automation(Actor("robot"), acting), staged=True)


CALLED: Final = attrs.evolve(LEAD, phones=[Channel("030 123456")])
CALLER: Final = contact("C-3", phones=[Channel("030 123456")])


class TestInAMove:
    def test_into_the_success_stage(self) -> None:
        """A move that converts claims what the conversion claims."""
        moved = advance(LEAD, "DONE", ["contact"], rules=BY_EMAIL, actor=ADA, at=AT)
        assert [("Insert", NEW, (Claim(EMAIL),))] == claimed(moved.changes)

    def test_another_move(self) -> None:
        """A move that converts nothing claims nothing."""
        moved = advance(LEAD, "WORK", rules=BY_EMAIL, actor=ADA, at=AT)
        assert [] == claimed(moved.changes)
        deal = Deal(id="D-5", pipeline="sales", stage="open")
        assert [] == claimed(advance(deal, "won", rules=BY_EMAIL, actor=ADA, at=AT).changes)

    def test_an_arrival(self) -> None:
        """A lead that arrives and is converted at once claims what the conversion claims."""
        by = automatic(AutomationRule("all", ["contact"]))
        moved = arrive(CALLED, rules=by, at=AT, known=Known(records=[CALLER]))
        phone = Claim(PHONE, [ref("C-3")])
        assert [("Update", ref("C-3"), (Claim(EMAIL), phone))] == claimed(moved.changes)

    def test_two_rules_update_one_record(self) -> None:
        """One update is left of two, which claims every key once, as it was before both."""
        more = attrs.evolve(
            CONTACT_TWICE,
            mappings=[*CONTACT_TWICE.mappings, FieldMapping("title", "contact", "source")],
        )
        moved = arrive(CALLED, rules=more, at=AT, known=Known(records=[CALLER]))
        assert ["contact C-3", "contact C-3"] == [
            str(one.outcomes[0].ref) for one in moved.conversions
        ]
        assert [("Update", ref("C-3"), (Claim(EMAIL), Claim(PHONE, [ref("C-3")])))] == claimed(
            moved.changes
        )

    def test_a_key_that_an_earlier_rule_brought(self) -> None:
        """Who got a key by an earlier rule of the same move did not hold it before."""
        by = automatic(
            AutomationRule("first", ["contact"], closing=False),
            AutomationRule("then", [Create("contact")]),
        )
        moved = arrive(CALLED, rules=by, at=AT, known=Known(records=[CALLER]))
        both = (Claim(EMAIL), Claim(PHONE, [ref("C-3")]))
        new = ref("L-7.2.contact.1", provisional=True)
        assert [("Update", ref("C-3"), both), ("Insert", new, both)] == claimed(moved.changes)

    @pytest.mark.parametrize("kind", ["contact", "company"])
    def test_keys_are_those_of_their_kind(self, kind: str) -> None:
        """One e-mail, claimed for a contact and for a company, is two claims."""
        by = attrs.evolve(
            automatic(
                AutomationRule("first", ["company"], closing=False),
                AutomationRule("then", ["contact"]),
            ),
            matching=Matching([MatchRule("contact", ["email"]), MatchRule("company", ["email"])]),
        )
        by = attrs.evolve(by, mappings=[*by.mappings, FieldMapping("emails", "company")])
        old = {
            "contact": contact("X-1", "ada@example.com"),
            "company": Company(id="X-1", revision="1", emails=[Channel("ada@example.com")]),
        }
        given = attrs.evolve(LEAD, company_name="Engines")
        moved = arrive(given, rules=by, at=AT, known=Known(records=[old[kind]]))
        told = {whom.kind: one for _, whom, one in claimed(moved.changes)}
        assert {
            one: (Claim(EMAIL, [ref("X-1", one)] if one == kind else []),)
            for one in ("contact", "company")
        } == told


CONTACT_TWICE: Final = automatic(
    AutomationRule("first", [Merge("contact", "C-3")], closing=False),
    AutomationRule("then", [Merge("contact", "C-3", values={"job_title": "Countess"})]),
)
