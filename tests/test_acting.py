"""Automation: which rules act on a lead, in which order, as whom, and what if one cannot."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    Actor,
    AllOf,
    Automation,
    AutomationRule,
    Company,
    Conversion,
    ConversionRules,
    Create,
    Deal,
    FieldMapping,
    Grant,
    Known,
    Lead,
    MoveResult,
    Not,
    Pipeline,
    Policy,
    Ref,
    Required,
    Role,
    RuleRefused,
    Stage,
    StageChange,
    Where,
    WithoutLeads,
    advance,
    errors,
)
from leadconvert.acting import Chain
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-7", roles=["sales"])
ROBOT: Final = Actor("robot", roles=["robot"])
LEADS: Final = Pipeline(
    "leads",
    "lead",
    ["new", "offer", "talk", "wait", Stage("done", "success"), Stage("lost", "failure")],
)
DEALS: Final = Pipeline("sales", "deal", ["open", Stage("won", "success")], default=True)
SERVICE: Final = Pipeline("service", "deal", ["asked", Stage("served", "success")])
EVERYTHING: Final = Grant("*", ["read", "create", "update", "move", "convert", "link", "assign"])
POLICY: Final = Policy([Role("sales", [EVERYTHING]), Role("robot", [EVERYTHING])])
NEW: Final = Lead(id="L-7", stage="new", title="Engine", last_name="Lovelace", amount=500)


def rules(
    *acting: AutomationRule,
    policy: Policy = POLICY,
    leads: Pipeline = LEADS,
    **others: Any,  # noqa: ANN401
) -> ConversionRules:
    """Rules in which these automation rules act as the robot."""
    return ConversionRules(
        lead=LEAD,
        kinds=[CONTACT, COMPANY, DEAL],
        pipelines=[leads, DEALS, SERVICE],
        mappings=[
            FieldMapping("title", "deal"),
            FieldMapping("company_name", "company", "name"),
            FieldMapping("last_name", "contact"),
            FieldMapping("company_id", "deal"),
        ],
        policy=policy,
        automation=Automation(ROBOT, acting, **others),
    )


def moved(to: str, *acting: AutomationRule, lead: Lead = NEW, **others: Any) -> MoveResult:  # noqa: ANN401
    """What Ada's move of a lead gives, with these rules."""
    known = others.pop("known", None)
    values = others.pop("values", None)
    return advance(
        lead,
        to,
        rules=rules(*acting, **others),
        actor=ADA,
        at=AT,
        known=known,
        values=values,
    )


def rule(
    id: str,  # noqa: A002
    into: Iterable[str | Create] = (),
    **others: Any,  # noqa: ANN401
) -> AutomationRule:
    """A rule that waits for the stage offer and leaves the lead open, unless told otherwise."""
    given: dict[str, Any] = {"on": "offer", "closing": False, **others}
    return AutomationRule(id, into, **given)


def acted(result: MoveResult) -> list[str | None]:
    """The rules that converted, in the order in which they did."""
    return [one.conversion.rule for one in result.conversions]


def steps(result: MoveResult) -> list[tuple[str | None, str, str | None, str | None]]:
    """The moves in the lead's history: from where to where, by whom, by which rule."""
    return [
        (one.from_stage, one.to_stage, one.actor_id, one.rule) for one in result.lead.stage_history
    ]


def why(result: MoveResult) -> list[tuple[str, str, list[str]]]:
    """Which rules were refused, with which error, for which reasons."""
    return [
        (one.rule, type(one.error).__name__, [problem.code for problem in one.error.problems])
        for one in result.refused
    ]


class TestOrder:
    def test_as_stated(self) -> None:
        """Rules act in the order in which they stand, one after the other on one lead."""
        a, b = rule("a", ["deal"]), rule("b", ["contact"])

        assert ["a", "b"] == acted(moved("offer", a, b))
        assert ["b", "a"] == acted(moved("offer", b, a))

    def test_each_on_what_the_last_one_left(self) -> None:
        """Each conversion has its own number, and the lead remembers them all."""
        result = moved("offer", rule("a", ["deal"]), rule("b", [Create("deal")]))

        assert ["L-7.1", "L-7.2"] == [one.conversion.id for one in result.conversions]
        assert ["L-7.1.deal.1", "L-7.2.deal.1"] == [one.deal.id for one in result.conversions]
        assert tuple(one.conversion for one in result.conversions) == result.lead.conversions
        assert [1, 2] == [len(one.lead.conversions) for one in result.conversions]
        assert result.lead == result.conversions[-1].lead

    def test_only_those_that_wait_for_the_stage(self) -> None:
        """A rule for another stage, or for arrivals, does not act."""
        others = [rule("a", ["deal"], on="talk"), rule("b", ["deal"], on=None)]

        assert [] == acted(moved("offer", *others))
        assert () == moved("offer", *others).refused

    def test_no_rules(self) -> None:
        """Without automation a move is a move."""
        plain = attrs.evolve(rules(), automation=None, transforms={})
        result = advance(NEW, "offer", rules=plain, actor=ADA, at=AT)

        assert ("offer", (), ()) == (result.lead.stage, result.conversions, result.refused)

    def test_closing_ends_it(self) -> None:
        """Once a rule has closed the lead, it is nobody's business any more."""
        result = moved("offer", rule("a", ["deal"], closing=True), rule("b", ["contact"]))

        assert ["a"] == acted(result)
        assert "done" == result.lead.stage
        assert [True] == [one.closing for one in result.lead.conversions]
        assert [] == why(result)

    def test_not_closing_leaves_it_open(self) -> None:
        """A rule that does not close leaves the lead where it was moved to."""
        result = moved("offer", rule("a", ["deal"]))

        assert "offer" == result.lead.stage
        assert [False] == [one.closing for one in result.lead.conversions]
        assert [("new", "offer", "u-7", None)] == steps(result)

    def test_at_a_failure_stage(self) -> None:
        """A rule may wait for a failure stage; what it may not convert there it tells."""
        result = moved("lost", rule("a", ["deal"], on="lost"))

        assert "lost" == result.lead.stage
        assert [("a", "StageNotAllowedError", ["in_failure_stage"])] == why(result)

    def test_not_after_a_conversion_by_hand(self) -> None:
        """Entering success by hand is the end: no rule acts on it."""
        acting = rule("a", ["contact"], on="new", closing=True)
        result = advance(NEW, "done", ["deal"], rules=rules(acting), actor=ADA, at=AT)

        assert [None] == acted(result)


class TestConditions:
    @pytest.mark.parametrize(
        ("when", "acts"),
        [
            (None, True),
            (Where("amount", "greater", 100), True),
            (Where("amount", "greater", 1000), False),
            (Where("title", "contains", "Eng"), True),
            (Not(Where("title", "contains", "Eng")), False),
            (AllOf([Where("amount", "filled"), Where("title", "empty")]), False),
            (Where("stage", "equals", "offer"), True),
            (Where("stage", "equals", "new"), False),
        ],
    )
    def test_of_the_lead(self, when: Any, acts: bool) -> None:  # noqa: ANN401
        """A rule acts where its condition holds of the lead as it stands after the move."""
        assert (["a"] if acts else []) == acted(moved("offer", rule("a", ["deal"], when=when)))

    def test_of_what_was_filled_on_the_way(self) -> None:
        """What was supplied with the move counts."""
        big = rule("a", ["deal"], when=Where("amount", "greater", 1000))

        assert ["a"] == acted(moved("offer", big, values={"amount": 5000}))

    def test_of_blank_text(self) -> None:
        """Blank text fills nothing."""
        titled = rule("a", ["deal"], when=Where("title", "filled"))

        assert [] == acted(moved("offer", titled, lead=attrs.evolve(NEW, title=" ")))

    def test_that_does_not_hold_is_no_refusal(self) -> None:
        """A rule that does not apply is not told at all."""
        assert () == moved("offer", rule("a", ["deal"], when=Where("title", "empty"))).refused


class TestOnce:
    def test_over_several_decisions(self) -> None:
        """A rule that has acted on a lead never acts on it again, by conversion or by move."""
        acting = [rule("a", ["deal"]), rule("b", to="talk", on="wait")]
        first = moved("offer", *acting)
        waits = moved("wait", *acting, lead=first.lead)
        back = moved("new", *acting, lead=waits.lead)
        again = moved("offer", *acting, lead=back.lead)
        waits_again = moved("wait", *acting, lead=again.lead)

        assert ["a"] == acted(first)
        assert [] == acted(again)
        assert "talk" == waits.lead.stage
        assert "wait" == waits_again.lead.stage
        assert [] == why(again) + why(waits_again)

    def test_a_refused_one_may_try_again(self) -> None:
        """What was refused has not acted: it is tried when the lead comes again."""
        acting = rule("a", ["deal"])
        untitled = attrs.evolve(NEW, title=None)
        first = moved("offer", acting, lead=untitled)
        back = moved("new", acting, lead=first.lead, values={"title": "Engine"})

        assert [("a", "MissingFieldsError", ["required"])] == why(first)
        assert ["a"] == acted(moved("offer", acting, lead=back.lead))

    def test_what_a_person_did_counts_for_nothing(self) -> None:
        """A conversion by hand, or by another rule, leaves a rule its turn."""
        by_hand = Conversion(
            id="L-7.1", at=AT, actor_id="u-7", targets=[], rules="9f2c", closing=False
        )
        other = attrs.evolve(by_hand, id="L-7.2", rule="another")
        lead = attrs.evolve(NEW, conversions=[by_hand, other])

        assert ["a"] == acted(moved("offer", rule("a", ["deal"]), lead=lead))


class TestMovingOn:
    def test_where_further_rules_act(self) -> None:
        """A rule moves the lead on to where the next one waits, until none does."""
        result = moved(
            "offer",
            rule("c", ["company"], on="wait", closing=True),
            rule("b", to="wait", on="talk"),
            rule("a", ["deal"], to="talk"),
            lead=attrs.evolve(NEW, company_name="Engines"),
        )

        assert ["a", "c"] == acted(result)
        assert [
            ("new", "offer", "u-7", None),
            ("offer", "talk", "robot", "a"),
            ("talk", "wait", "robot", "b"),
            ("wait", "done", "robot", "c"),
        ] == steps(result)
        assert () == result.refused

    def test_the_others_find_it_no_more(self) -> None:
        """Who waits for a stage does not act on a lead that a rule has moved on from there."""
        spam = rule("spam", to="lost", when=Where("title", "contains", "win"))
        review = rule("review", to="talk", when=Where("amount", "greater", 1000))
        rest = rule("rest", ["deal"], closing=True)

        for change, stage, by in (
            ({"title": "win now"}, "lost", []),
            ({"amount": 5000}, "talk", []),
            ({}, "done", ["rest"]),
        ):
            lead = attrs.evolve(NEW, **change)
            result = moved("offer", spam, review, rest, lead=lead)
            assert (stage, by, []) == (result.lead.stage, acted(result), why(result))

    def test_two_moves_for_one_stage(self) -> None:
        """Of two rules that move the lead on, the first does."""
        result = moved("offer", rule("a", to="talk"), rule("b", to="wait"))

        assert [("new", "offer", "u-7", None), ("offer", "talk", "robot", "a")] == steps(result)

    def test_to_a_failure(self) -> None:
        """A rule may give a lead up."""
        assert "lost" == moved("offer", rule("a", to="lost")).lead.stage

    def test_not_if_the_conversion_was_refused(self) -> None:
        """A rule that converts and moves on does neither if it cannot convert."""
        result = moved("offer", rule("a", ["company"], to="talk"))

        assert "offer" == result.lead.stage
        assert [("a", "MissingFieldsError", ["required"])] == why(result)

    def test_a_move_that_is_not_allowed(self) -> None:
        """The conversion stands where the move after it was refused."""
        strict = attrs.evolve(LEADS, stages=["new", Stage("offer", to=["done"]), *LEADS.stages[2:]])
        result = moved("offer", rule("a", ["deal"], to="talk"), leads=strict)

        assert (["a"], "offer") == (acted(result), result.lead.stage)
        assert [("a", "StageNotAllowedError", ["not_listed"])] == why(result)

    def test_what_the_next_stage_requires(self) -> None:
        """A rule moves a lead only where everything required is filled."""
        needs = attrs.evolve(LEADS, required=[Required("comments", since="talk")])
        acting = rule("a", to="talk")

        assert [("a", "MissingFieldsError", ["required_at"])] == why(
            moved("offer", acting, leads=needs)
        )
        filled = moved("offer", acting, leads=needs, values={"comments": "x"})
        assert "talk" == filled.lead.stage


class TestWhoActs:
    def test_in_the_records(self) -> None:
        """The move is the user's; what rules do is the robot's, with the rule's name."""
        result = moved("offer", rule("a", ["deal"], to="talk"), rule("b", to="wait", on="talk"))
        [made] = result.lead.conversions

        assert ("robot", "a") == (made.actor_id, made.rule)
        assert (
            StageChange(from_stage="new", to_stage="offer", at=AT, actor_id="u-7"),
            StageChange(from_stage="offer", to_stage="talk", at=AT, actor_id="robot", rule="a"),
            StageChange(from_stage="talk", to_stage="wait", at=AT, actor_id="robot", rule="b"),
        ) == result.lead.stage_history

    def test_a_closing_one_in_the_history(self) -> None:
        """The move to success is the rule's as well."""
        result = moved("offer", rule("a", ["deal"], closing=True))

        assert [("new", "offer", "u-7", None), ("offer", "done", "robot", "a")] == steps(result)

    def test_targets_as_the_rule_says(self) -> None:
        """The values of a rule's targets say in which pipeline and with which owner."""
        values = {"pipeline": "service", "owner_id": "u-9", "amount": 5, "currency": "EUR"}
        result = moved("offer", rule("a", [Create("deal", values=values)]))

        assert (
            Deal(
                id="L-7.1.deal.1",
                title="Engine",
                pipeline="service",
                stage="asked",
                owner_id="u-9",
                amount=Decimal(5),
                currency="EUR",
                converted_from=["L-7"],
            )
            == result.conversion.deal
        )

    def test_events(self) -> None:
        """Every step is told in order, each with who did it, and conversions with their rule."""
        result = moved(
            "offer",
            rule("a", ["deal"], to="talk", close_activities=False),
            rule("b", ["contact"], on="talk", closing=True),
        )
        deal = Ref("deal", "L-7.1.deal.1", provisional=True)
        contact = Ref("contact", "L-7.2.contact.1", provisional=True)
        lead = Ref("lead", "L-7")

        assert [
            ("record.moved", lead, "u-7", {"from": "new", "to": "offer"}),
            ("record.created", deal, "robot", {"lead": lead}),
            (
                "lead.converted",
                lead,
                "robot",
                {
                    "conversion": "L-7.1",
                    "targets": (deal,),
                    "closing": False,
                    "supplement": False,
                    "rule": "a",
                    "close_activities": False,
                },
            ),
            ("record.moved", lead, "robot", {"from": "offer", "to": "talk"}),
            ("record.created", contact, "robot", {"lead": lead}),
            (
                "lead.converted",
                lead,
                "robot",
                {
                    "conversion": "L-7.2",
                    "targets": (contact,),
                    "rule": "b",
                    "close_activities": True,
                },
            ),
        ] == [(one.name, one.ref, one.actor_id, one.params) for one in result.changes.events]
        assert {AT} == {one.at for one in result.changes.events}

    def test_by_hand_says_nothing_of_activities(self) -> None:
        """Whether activities end is a matter of rules; a conversion by hand does not say."""
        result = advance(NEW, "done", ["deal"], rules=rules(), actor=ADA, at=AT)

        assert {"conversion", "targets"} == result.changes.events[-1].params.keys()


CLIENT: Final = attrs.evolve(NEW, company_id="CO-9")


class TestRefused:
    @pytest.mark.parametrize(
        ("grants", "expected"),
        [
            ([], [("a", "AccessDeniedError", ["no_grant"] * 3)]),
            (
                [Grant("lead", ["read", "update", "convert"])],
                [("a", "AccessDeniedError", ["no_grant"])],
            ),
            ([Grant("lead", ["read", "update", "convert"]), Grant("deal", "create")], []),
        ],
    )
    def test_who_acts_needs_rights(
        self, grants: list[Grant], expected: list[tuple[str, str, list[str]]]
    ) -> None:
        """A rule may do what its actor may, and nothing else; the move itself stands."""
        policy = Policy([Role("sales", [EVERYTHING]), Role("robot", grants)])
        result = moved("offer", rule("a", ["deal"]), policy=policy)

        assert expected == why(result)
        assert "offer" == result.lead.stage
        assert [("new", "offer", "u-7", None)] == steps(result)

    def test_who_moves_needs_none_of_the_rules_rights(self) -> None:
        """A user who may make nothing may move a lead to where a rule makes something."""
        policy = Policy(
            [
                Role("sales", [Grant("lead", ["read", "update", "move"])]),
                Role("robot", [EVERYTHING]),
            ]
        )

        assert ["a"] == acted(moved("offer", rule("a", ["deal"], closing=True), policy=policy))

    def test_a_move_the_robot_may_not_make(self) -> None:
        """To move on is a right of its own."""
        policy = Policy(
            [
                Role("sales", [EVERYTHING]),
                Role("robot", [Grant("lead", ["read", "update"])]),
            ]
        )
        result = moved("offer", rule("a", to="talk"), policy=policy)

        assert [("a", "AccessDeniedError", ["no_grant"])] == why(result)
        assert ("offer", 1) == (result.lead.stage, len(result.lead.stage_history))

    def test_one_refusal_stops_no_other(self) -> None:
        """After a refusal the next rule has its turn."""
        result = moved("offer", rule("a", ["company"]), rule("b", ["deal"], closing=True))

        assert [("a", "MissingFieldsError", ["required"])] == why(result)
        assert ["b"] == acted(result)

    def test_says_everything(self) -> None:
        """The refusal is an error like any other, with all its problems, and is shown."""
        [refused] = moved("offer", rule("a", [Create("company"), "deal"]), lead=CLIENT).refused

        assert RuleRefused("a", refused.error) == refused
        assert "lead L-7: company needs Name (supply it in values=)" == str(refused.error)
        assert ("L-7", "lead") == (refused.error.lead_id, refused.error.kind)

    def test_in_the_repr_of_the_result(self) -> None:
        """Whoever looks at the result sees the refusal."""
        assert "RuleRefused(rule='a'" in repr(moved("offer", rule("a", ["company"])))

    def test_what_the_store_did_not_hand_over(self) -> None:
        """A client the lead is bound to has to be there for the rule as for a user."""
        there = Known(records=[Company(id="CO-9")])

        assert [("a", "InvalidFieldsError", ["unknown_record"])] == why(
            moved("offer", rule("a", ["deal"]), lead=CLIENT)
        )
        result = moved("offer", rule("a", ["deal"]), lead=CLIENT, known=there)
        assert "CO-9" == result.conversion.deal.company_id

    def test_two_rules_that_name_one_id(self) -> None:
        """What an earlier rule has made under an id, a later one cannot make again."""
        rules_ = [rule(name, [Create("deal", id="D-1")]) for name in ("a", "b")]
        result = moved("offer", *rules_)
        [refused] = result.refused

        assert (["a"], [("b", "InvalidTargetError", ["duplicate_id"])]) == (
            acted(result),
            why(result),
        )
        assert "two records of kind deal would have the id 'D-1'" in str(refused.error)

    def test_what_the_success_stage_requires(self) -> None:
        """A closing rule meets the requirements of success; one that leaves it open does not."""
        needs = attrs.evolve(LEADS, required=[Required("comments", since="done")])

        assert [("a", "MissingFieldsError", ["required_at"])] == why(
            moved("offer", rule("a", ["deal"], closing=True), leads=needs)
        )
        assert ["a"] == acted(moved("offer", rule("a", ["deal"]), leads=needs))

    def test_a_refused_move_acts_not_at_all(self) -> None:
        """Where the user's move is refused, no rule acts."""
        with pytest.raises(errors.StageNotAllowedError):
            moved("new", rule("a", ["deal"], on="new"))

    def test_an_authorizer_of_ones_own_decides_for_the_robot_too(self) -> None:
        """Whoever decides about access decides about the rules as well."""
        strict = rules(rule("a", ["deal"]), rule("b", to="talk"), policy=POLICY)
        nobody = Policy([Role("sales", [EVERYTHING]), Role("robot")])
        result = advance(NEW, "offer", rules=strict, actor=ADA, at=AT, authorizer=nobody)

        assert ["a", "b"] == [one.rule for one in result.refused]


class TestChain:
    def chain(self, lead: Lead, *acting: AutomationRule) -> Chain:
        """A chain on one lead."""
        return Chain(lead=lead, rules=rules(*acting), at=AT, known=Known(), authorizer=None)

    @pytest.mark.parametrize(
        "lead",
        [
            attrs.evolve(NEW, stage="done"),
            attrs.evolve(
                NEW,
                conversions=[
                    Conversion(id="L-7.1", at=AT, actor_id="u-7", targets=[], rules="9f2c")
                ],
            ),
        ],
        ids=["in success", "by record"],
    )
    def test_a_converted_lead(self, lead: Lead) -> None:
        """Nothing acts on a lead that is converted, by stage or by record."""
        chain = self.chain(lead, rule("a", ["deal"], on="new"), rule("b", ["deal"], on=None))
        chain.enter("new")
        chain.enter(None)
        chain.without_leads(WithoutLeads(), ROBOT)

        assert ([], [], []) == (chain.conversions, chain.refused, chain.events)
        assert lead == chain.lead

    def test_a_lead_in_no_known_stage(self) -> None:
        """Where nobody knows where it stands, rules for arrivals are refused with the reason."""
        chain = self.chain(
            attrs.evolve(NEW, stage="nwe"), rule("a", ["deal"], on=None, closing=True)
        )
        chain.enter(None)

        assert [["unknown_stage"]] == [
            [problem.code for problem in one.error.problems] for one in chain.refused
        ]
