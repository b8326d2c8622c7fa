"""What the codes about records that exist are told for, and money that is merged as one value."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Automation,
    AutomationRule,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Exceptions,
    Field,
    FieldMapping,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    OwnerRule,
    Pipeline,
    Policy,
    Stage,
    Target,
    arrive,
    plan,
)
from leadconvert.errors import DefinitionError, Problem
from leadconvert.fields import COMPANY, CONTACT, DEAL
from leadconvert.wording import SENTENCES


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LEADS: Final = Pipeline(
    "leads", "lead", ["NEW", Stage("DONE", "success"), Stage("JUNK", "failure")]
)
SALES: Final = Pipeline("sales", "deal", ["open", Stage("won", "success")])
TITLED: Final = Lead(id="L-7", stage="NEW", title="Enquiry")
ADA: Final = Contact(id="C-3", revision="4", last_name="Byron", emails=[Channel("ada@example.com")])
MAILED: Final = attrs.evolve(TITLED, emails=[Channel("ADA@example.com")])


def fail_to_merge(ours: object, theirs: object) -> object:
    """A merger that raises."""
    raise KeyError(ours, theirs)


def rules(**more: object) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    loose: Callable[..., ConversionRules] = ConversionRules
    parts: dict[str, object] = {
        "kinds": [CONTACT, COMPANY, DEAL],
        "pipelines": [LEADS, SALES],
        "mappings": [FieldMapping("title", "deal")],
        "policy": Policy.allow_all(),
    }
    return loose(**parts | more)


def refused(make: Callable[[], object]) -> tuple[Problem, ...]:
    """The mistakes that *make* is refused for."""
    with pytest.raises(DefinitionError) as caught:
        make()
    return caught.value.problems


def planned(
    *into: str | Target,
    lead: Lead = TITLED,
    by: ConversionRules | None = None,
    known: Known | None = None,
) -> tuple[Problem, ...]:
    """The problems of a plan."""
    return plan(
        lead, into, rules=by or rules(), actor=Actor("u-7", roles=["sales"]), at=AT, known=known
    ).problems


def matched(then: str, *there: Contact) -> tuple[Problem, ...]:
    """The problems of a contact that is looked for by the lead's e-mail."""
    by = rules(matching=Matching([MatchRule("contact", ["email"], then)]))
    return planned("contact", lead=MAILED, by=by, known=Known(records=there))


#: As in tests/test_errors.py: for each code something it is told for, and the sentence expected.
PROVOKED: Mapping[str, tuple[Callable[[], Iterable[Problem]], str]] = {
    "record_not_there": (
        lambda: planned(Link("contact", "C-3")),
        (
            "there is no contact 'C-3' to work with"
            " (load what wanted() lists, or choose another record)"
        ),
    ),
    "stale_target": (
        lambda: planned(Merge("contact", "C-3", revision="3"), known=Known(records=[ADA])),
        (
            "contact 'C-3' has changed since: it has revision '4', not '3'"
            " (look at it again, and choose anew)"
        ),
    ),
    "two_on_one": (
        lambda: planned(
            Link("contact", "C-3"), Merge("contact", "C-3"), known=Known(records=[ADA])
        ),
        "two targets end on one record, contact 'C-3' (leave one of them out)",
    ),
    "link_with_values": (
        lambda: planned(
            Link("contact", "C-3", values={"comments": "x"}), known=Known(records=[ADA])
        ),
        (
            "contact 'C-3' is to be linked, which changes nothing in it"
            " (leave values= out, or merge into it)"
        ),
    ),
    "several_matches": (
        lambda: matched("merge", attrs.evolve(ADA, id="C-4"), ADA),
        (
            "2 records of kind contact match the lead: 'C-3', 'C-4'"
            " (choose one with Link or Merge, or make a new one with Create)"
        ),
    ),
    "match_to_decide": (
        lambda: matched("ask", ADA),
        (
            "the contact 'C-3' matches the lead"
            " (choose it with Link or Merge, or make a new one with Create)"
        ),
    ),
    "match_refused": (
        lambda: matched("refuse", ADA),
        (
            "the contact 'C-3' matches the lead, and the rules make no second one"
            " (choose it with Link or Merge)"
        ),
    ),
    "clients_disagree": (
        lambda: planned(
            Link("contact", "C-3"),
            Link("company", "CO-9"),
            "deal",
            known=Known(records=[attrs.evolve(ADA, company_id="CO-1"), Company(id="CO-9")]),
        ),
        (
            "the deal would have the company 'CO-9', but its contact has 'CO-1'"
            " (choose 'CO-1' with Link, or correct the contact)"
        ),
    ),
    "not_eligible": (
        lambda: planned(
            Create("deal", values={"owner_id": "u-2"}), known=Known(eligible_owners=["u-7"])
        ),
        ("the owner of the deal may not own one now (give it to somebody who may, with values=)"),
    ),
    "never_made": (
        lambda: planned("deal", by=rules(limits=[Limit("deal", "never")])),
        "the rules make no deal (leave it out, or choose one with Link)",
    ),
    "has_open": (
        lambda: planned(
            Link("contact", "C-3"),
            "deal",
            by=rules(limits=[Limit("deal", "no_open")]),
            known=Known(records=[ADA, Deal(id="D-5", stage="open", contact_ids=["C-3"])]),
        ),
        ("the contact has an open deal already, 'D-5' (choose it with Link, or close it first)"),
    ),
    "on_exceptions_list": (
        lambda: (
            arrive(
                MAILED,
                rules=rules(
                    matching=Matching(exceptions=Exceptions(emails=["ada@example.com"])),
                    automation=Automation(Actor("robot"), [AutomationRule("all", ["deal"])]),
                ),
                at=AT,
            )
            .refused[0]
            .error.problems
        ),
        (
            "a phone or an e-mail of the lead is on the list of exceptions"
            " (convert it by hand, or take it off the list)"
        ),
    ),
    "merge_failed": (
        lambda: planned(
            Merge("deal", "D-5"),
            by=rules(
                mappings=[FieldMapping("title", "deal", conflict="fail")],
                mergers={"fail": fail_to_merge},
            ),
            known=Known(records=[Deal(id="D-5", stage="open", title="Engine")]),
        ),
        (
            "merging by 'fail' could not make a value of deal.title (KeyError)"
            " (supply the value in values=)"
        ),
    ),
    "bad_owner_rule": (
        lambda: refused(lambda: rules(owners=[OwnerRule("deal", "listed")])),
        "owner rule for deal: an owner rule cannot be: nobody is listed (correct or remove it)",
    ),
    "bad_limit": (
        lambda: refused(lambda: rules(limits=[Limit("company", "no_open")])),
        ("limits: a limit cannot be: a company has no stages to be open in (correct or remove it)"),
    ),
    "bad_match_rule": (
        lambda: refused(lambda: rules(matching=Matching([MatchRule("contact", [])]))),
        "match rule for contact: a match rule cannot be: it names no keys (correct it)",
    ),
    "bad_conflict": (
        lambda: refused(lambda: rules(mappings=[FieldMapping("title", "deal", conflict="append")])),
        (
            "mapping title → deal.title: title cannot be merged by 'append': it holds one value"
            " (choose another rule)"
        ),
    ),
}


class TestSentences:
    @pytest.mark.parametrize("code", sorted(PROVOKED))
    def test_every_code_is_told_in_whole(self, code: str) -> None:
        """Each code is really used, and its sentence has a word for every fact in it."""
        provoke, expected = PROVOKED[code]
        told = [str(problem) for problem in provoke() if problem.code == code]
        assert told
        assert expected == told[0]
        assert code in SENTENCES

    def test_a_kind_that_lacks_a_key(self) -> None:
        """Where only one of the two kinds has a key, the mistake says which has not."""
        vat = attrs.evolve(COMPANY, keys={"vat": ["origin_id"]})
        matching = Matching([MatchRule("company", ["vat"])])
        [problem] = refused(lambda: rules(kinds=[vat, DEAL, CONTACT], matching=matching))
        assert "a match rule cannot be: the lead's kind has no key 'vat'" == problem.message

    def test_a_blank_owner(self) -> None:
        """A blank among those who are listed is told as one."""
        rule = OwnerRule("deal", "listed", among=["u-2", " "])
        [problem] = refused(lambda: rules(owners=[rule]))
        assert "a listed owner needs an id that is not blank" == problem.message


class TestMatching:
    @pytest.mark.parametrize("more", [{"exceptions": ["ada@example.com"]}, {"same": "alike"}])
    def test_what_is_none(self, more: Mapping[str, object]) -> None:
        """A list is no list of exceptions, and a name no function."""
        loose: Callable[..., object] = Matching
        with pytest.raises(TypeError):
            loose(**more)

    def test_same_is_asked_within_a_sort_only(self) -> None:
        """Keys of two sorts are never alike, and equal ones are, whatever the function says."""
        rule = MatchRule("contact", ["email"])
        keys = frozenset({MatchKey("person", "ada byron"), MatchKey("email", "ada@example.com")})
        for alike, expected in ((everything, ("C-3", "C-4")), (nothing, ("C-3",))):
            matching = Matching([rule], same=alike)
            other = attrs.evolve(ADA, id="C-4", emails=[Channel("x@example.com")])
            nameless = Contact(id="C-5", phones=[Channel("030 123456")])
            _, found = matching.matches(keys, CONTACT, [ADA, other, nameless])
            assert expected == tuple(match.record.id for match in found)


def everything(one: MatchKey, other: MatchKey) -> bool:
    """Find all keys alike, and be asked about those of one sort alone."""
    assert one.type == other.type
    return True


def nothing(one: MatchKey, other: MatchKey) -> bool:
    """Find no keys alike."""
    del one, other
    return False


EURO: Final = (Decimal(5000), "EUR")


class TestMoneyIsOneValue:
    @pytest.mark.parametrize(
        ("old", "conflict", "expected", "unmerged"),
        [
            # of the record nothing, of the lead both: filled
            ((None, None), "fill", (Decimal(5000), "EUR"), set()),
            # one of each would be another sum: neither is written
            ((None, "USD"), "fill", (None, "USD"), {"amount", "currency"}),
            ((Decimal(7), None), "fill", (Decimal(7), None), {"amount", "currency"}),
            # in one currency each goes its own way
            ((None, "EUR"), "fill", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "EUR"), "fill", (Decimal(7), "EUR"), {"amount"}),
            ((Decimal(7), "EUR"), "take", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "EUR"), "added", (Decimal(5007), "EUR"), set()),
            # in two the amount is taken with its currency, or not at all
            ((Decimal(7), "USD"), "fill", (Decimal(7), "USD"), {"amount", "currency"}),
            ((Decimal(7), "USD"), "take", (Decimal(7), "USD"), {"amount", "currency"}),
            ((Decimal(7), "USD"), "take both", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "USD"), "added", (Decimal(7), "USD"), {"amount", "currency"}),
            ((None, "USD"), "take both", (Decimal(5000), "EUR"), set()),
            # a currency says nothing without its amount
            ((None, None), "keep", (None, None), {"amount", "currency"}),
        ],
    )
    def test_merged_whole_or_not_at_all(
        self,
        old: tuple[Decimal | None, str | None],
        conflict: str,
        expected: tuple[Decimal | None, str | None],
        unmerged: set[str],
    ) -> None:
        """Five thousand euros never become five thousand dollars."""
        how = "take" if conflict == "take both" else conflict
        by = rules(
            mappings=[
                FieldMapping("title", "deal"),
                FieldMapping("amount", "deal", conflict=how),
                FieldMapping(
                    "currency", "deal", conflict="take" if conflict == "take both" else "fill"
                ),
            ],
            mergers={"added": added},
        )
        deal = Deal(id="D-5", stage="open", amount=old[0], currency=old[1])
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5")],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert expected == (result.deal.amount, result.deal.currency)
        assert unmerged == {row.field for row in result.unmerged}
        changed = {name for name in ("amount", "currency") if name in result.outcomes[0].before}
        assert changed == {
            name
            for name, before, after in zip(("amount", "currency"), old, expected, strict=True)
            if before != after
        }

    def test_two_amounts_in_one_currency(self) -> None:
        """Where one of two amounts cannot have the lead's currency, neither is merged."""
        cost = Field("cost", "money", currency="currency")
        by = rules(
            kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[cost])],
            mappings=[FieldMapping("amount", "deal"), FieldMapping("currency", "deal")],
        )
        deal = Deal(id="D-5", stage="open", title="Engine", custom={"cost": Decimal(3)})
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5")],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert (None, None, 3) == (
            result.deal.amount,
            result.deal.currency,
            result.deal.custom["cost"],
        )

    @pytest.mark.parametrize(
        ("supplied", "expected"),
        [
            ({"currency": "CHF"}, (Decimal(5000), "CHF")),
            ({"amount": 9}, (Decimal(9), "USD")),
            ({"amount": 9, "currency": "CHF"}, (Decimal(9), "CHF")),
        ],
    )
    def test_what_is_supplied_is_taken(
        self, supplied: Mapping[str, object], expected: tuple[Decimal, str]
    ) -> None:
        """A person who gives one of the two has decided, as with a new record."""
        by = rules(
            mappings=[FieldMapping("amount", "deal"), FieldMapping("currency", "deal")],
        )
        deal = Deal(id="D-5", stage="open", title="Engine", currency="USD")
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5", values=supplied)],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert expected == (result.deal.amount, result.deal.currency)


def added(ours: object, theirs: object) -> object:
    """A merger that adds two amounts."""
    assert isinstance(ours, Decimal)
    assert isinstance(theirs, Decimal)
    return ours + theirs
