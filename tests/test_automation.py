"""Automation as data: what a rule says, what it may not say, and that it survives every journey."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Actor,
    AllOf,
    AnyOf,
    Automation,
    AutomationRule,
    Condition,
    Create,
    Field,
    Find,
    FrozenMap,
    Kind,
    Not,
    Pipeline,
    Policy,
    Role,
    Stage,
    Where,
    WithoutLeads,
    presets,
)
from leadconvert.automation import automation_mistakes
from leadconvert.codec import Codec
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


ROBOT = Actor("robot", roles=["automation"])
LEADS = Pipeline(
    "leads",
    "lead",
    ["new", "offer", "talk", "late", Stage("done", "success"), Stage("junk", "failure")],
)
POLICY = Policy([Role("automation"), Role("sales")])
INVOICE = Kind("invoice", fields=[Field("converted_from", "reference", to="lead", multiple=True)])


@attrs.frozen(kw_only=True)
class Bargain:
    """A deal of a class of one's own."""

    id: str
    revision: str | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


BARGAIN = Kind("bargain", Bargain)


def told(
    *rules: AutomationRule,
    actor: Actor = ROBOT,
    mode: WithoutLeads | None = None,
    kinds: tuple[Kind, ...] = (CONTACT, COMPANY, DEAL),
    policy: Policy = POLICY,
) -> list[str]:
    """What is wrong with an automation, mistake by mistake."""
    automation = Automation(actor, rules, without_leads=mode)
    return [str(one) for one in automation_mistakes(automation, LEAD, kinds, LEADS, policy)]


class TestRule:
    def test_what_a_rule_says_by_itself(self) -> None:
        """A rule acts on arrival, always, closes the lead and its activities, and moves nothing."""
        rule = AutomationRule("all", ["contact", Create("deal", values={"title": "T"})])
        assert (Find("contact"), Create("deal", values={"title": "T"})) == rule.into
        assert (None, None, None) == (rule.on, rule.when, rule.to)
        assert rule.closing
        assert rule.close_activities

    def test_what_a_rule_may_say(self) -> None:
        """Everything of these is right."""
        assert [] == told(
            AutomationRule("arrival", ["deal"]),
            AutomationRule("into the first stage", to="new"),
            AutomationRule("stage", ["contact", "deal"], on="offer"),
            AutomationRule("several", ["deal", "deal"], on="talk"),
            AutomationRule("open", ["deal"], on="new", closing=False),
            AutomationRule("open, and on", ["deal"], on="new", to="offer", closing=False),
            AutomationRule("move", on="offer", to="junk"),
            AutomationRule("revive", on="junk", to="late", when=Where("tags", "contains", "vip")),
            AutomationRule("owner", [Create("deal", values={"owner_id": "u-1"})]),
        )

    @pytest.mark.parametrize(
        ("id_", "more", "expected"),
        [
            (5, {}, "id"),
            ("x", {"into": "deal"}, "into= is a list of kinds or targets"),
            ("x", {"into": [5]}, "into= holds an int"),
            ("x", {"when": "title"}, "when"),
            ("x", {"when": [Where("title", "filled")]}, "when"),
        ],
    )
    def test_a_misused_signature(self, id_: object, more: dict[str, object], expected: str) -> None:
        """Ids are text, targets a list, and a condition is one of the four."""
        loose: Callable[..., object] = AutomationRule
        with pytest.raises(TypeError, match=expected):
            loose(id_, **more)

    @pytest.mark.parametrize(
        "when",
        [
            Where("title", "filled"),
            AllOf([Where("title", "filled")]),
            AnyOf([Where("title", "filled")]),
            Not(Where("title", "filled")),
        ],
        ids=lambda when: type(when).__name__,
    )
    def test_any_condition(self, when: Condition) -> None:
        """A rule may ask any of the four conditions."""
        assert when is AutomationRule("x", ["deal"], when=when).when


class TestMistakesOfRules:
    def test_names_that_do_not_exist(self) -> None:
        """Unknown stages, kinds, fields and roles are told together, each with a guess."""
        place, out = "automation rule all: ", "(correct the name)"
        assert [
            f"{place}there is no stage of lead 'nwe', did you mean 'new'? {out}",
            f"{place}there is no stage of lead 'zzz' {out}",
            f"{place}there is no kind 'dael', did you mean 'deal'? {out}",
            f"{place}there is no kind 'lead' {out}",
            f"{place}there is no field of company 'zzz' {out}",
            f"{place}there is no field of deal 'amuont', did you mean 'amount'? {out}",
            f"{place}there is no field of deal 'titel', did you mean 'title'? {out}",
            f"{place}there is no field of lead 'surce', did you mean 'source'? {out}",
            f"automation: there is no role 'automtion', did you mean 'automation'? {out}",
            f"automation: there is no role 'zzz' {out}",
        ] == told(
            AutomationRule(
                "all",
                [
                    "dael",
                    "contact",
                    "lead",
                    Create("company", values={"zzz": 1, "name": "N"}),
                    Create("deal", values={"titel": "T", "amuont": 1}),
                ],
                on="nwe",
                to="zzz",
                when=Not(Where("surce", "filled")),
                closing=False,
            ),
            actor=Actor("robot", roles=["zzz", "sales", "automtion"]),
        )

    @pytest.mark.parametrize(
        ("rule", "why"),
        [
            (
                AutomationRule("x", ["deal"], on="done"),
                "acts where the lead is converted already",
            ),
            (
                AutomationRule("x", ["deal"], on="new", to="done", closing=False),
                "moves to the success stage, which is a conversion: name targets",
            ),
            (
                AutomationRule("x", to="done"),
                "moves to the success stage, which is a conversion: name targets",
            ),
            (AutomationRule("x", on="new", to="new"), "moves to where the lead stands"),
            (
                AutomationRule("x", ["deal"], on="new", to="new", closing=False),
                "moves to where the lead stands",
            ),
            (AutomationRule("x"), "does nothing"),
            (AutomationRule("x", on="new", closing=False), "does nothing"),
            (
                AutomationRule("x", ["deal"], on="new", to="offer"),
                "closes the lead and moves it on",
            ),
            (AutomationRule("x", ["deal"], to="offer"), "closes the lead and moves it on"),
        ],
    )
    def test_what_a_rule_cannot_do(self, rule: AutomationRule, why: str) -> None:
        """A rule that could not act as it says is refused, with the reason and nothing else."""
        assert [f"automation rule x: the rule {why} (correct or remove it)"] == told(rule)

    def test_several_reasons(self) -> None:
        """All reasons of a rule are told."""
        place, out = "automation rule x: the rule", "(correct or remove it)"
        assert [
            f"{place} acts where the lead is converted already {out}",
            f"{place} moves to the success stage, which is a conversion: name targets {out}",
            f"{place} moves to where the lead stands {out}",
            f"{place} closes the lead and moves it on {out}",
        ] == told(AutomationRule("x", ["deal"], on="done", to="done"))

    def test_ids(self) -> None:
        """Each rule has an id of its own that is not blank."""
        assert [
            "automation: automation rule 'a' stands twice (remove or rename one)",
            "automation: automation rule 'a' stands twice (remove or rename one)",
            "automation: a rule needs an id that is not blank (give it one)",
            "automation rule  : the rule does nothing (correct or remove it)",
        ] == told(
            AutomationRule("a", ["deal"]),
            AutomationRule("a", ["deal"], on="new"),
            AutomationRule(" "),
            AutomationRule("a", ["contact"]),
        )

    def test_conditions_that_cannot_be(self) -> None:
        """Every mistake in a condition is told with the rule it belongs to."""
        cannot, out = "a condition on", "(correct it)"
        assert [
            f"automation rule one: {cannot} title cannot be: text has no order {out}",
            f"automation rule two: {cannot} amount cannot be: in takes a list {out}",
            f"automation rule two: {cannot} all or any cannot be: it has no conditions {out}",
        ] == told(
            AutomationRule("one", ["deal"], when=Where("title", "greater", "A")),
            AutomationRule("two", ["deal"], when=AllOf([Where("amount", "in", 5), AnyOf([])])),
        )


class TestCircles:
    @pytest.mark.parametrize(
        ("moves", "expected"),
        [
            ("a:new>offer", ""),
            ("a:new>offer b:offer>talk c:talk>late", ""),
            ("a:new>talk b:offer>talk c:new>offer", ""),
            ("a:new>offer b:new>talk c:offer>late d:talk>late", ""),
            ("a:new>offer b:offer>new", "a, b"),
            ("b:offer>new a:new>offer", "b, a"),
            ("a:new>offer b:offer>talk c:talk>new", "a, b, c"),
            ("in:late>new a:new>offer b:offer>new", "a, b"),
            ("a:new>offer b:offer>new out:offer>late", "a, b"),
            ("in:late>new a:new>offer b:offer>new out:new>junk", "a, b"),
            ("a:new>offer b:offer>new twin:new>offer", "a, b, twin"),
            ("a:new>offer b:offer>new bridge:offer>talk c:talk>late d:late>talk", "a, b, c, d"),
            ("a:new>junk b:junk>new", "a, b"),
        ],
    )
    def test_moves_without_end(self, moves: str, expected: str) -> None:
        """Rules whose moves lead back to them are told; what only leads in or out is not."""
        rules = []
        for move in moves.split():
            id_, way = move.split(":")
            on, to = way.split(">")
            rules.append(AutomationRule(id_, on=on, to=to))
        circle = f"automation: rules move a lead in a circle: {expected} (remove one of the moves)"
        assert ([circle] if expected else []) == told(*rules)

    def test_whatever_else_they_do(self) -> None:
        """Conditions, targets and ids make no circle better; an arrival is in none."""
        circle = "automation: rules move a lead in a circle: a, a (remove one of the moves)"
        assert [
            "automation: automation rule 'a' stands twice (remove or rename one)",
            circle,
        ] == told(
            AutomationRule("arrives", to="new"),
            AutomationRule("a", ["deal"], on="new", to="offer", closing=False),
            AutomationRule("a", on="offer", to="new", when=Where("title", "empty")),
        )

    def test_a_rule_that_stays_is_no_circle(self) -> None:
        """A move to where the lead stands is one mistake, not two."""
        assert [
            "automation rule a: the rule moves to where the lead stands (correct or remove it)",
        ] == told(
            AutomationRule("a", on="new", to="new"), AutomationRule("b", on="new", to="offer")
        )


class TestActor:
    def test_roles_of_the_policy(self) -> None:
        """The actor's roles are those of the policy."""
        assert [] == told(actor=Actor("robot"))
        assert ["automation: there is no role 'x' (correct the name)"] == told(
            actor=Actor("robot", roles=["x", "sales"])
        )

    def test_a_policy_that_permits_everything(self) -> None:
        """Where everything is permitted no role is needed, and none is wrong."""
        assert [] == told(actor=Actor("robot", roles=["x"]), policy=Policy.allow_all())

    @pytest.mark.parametrize(
        ("actor", "more"),
        [("robot", {}), (None, {}), (ROBOT, {"without_leads": True}), (ROBOT, {"rules": 5})],
    )
    def test_a_misused_signature(self, actor: object, more: dict[str, object]) -> None:
        """An automation acts as an actor, and its mode is one or none."""
        loose: Callable[..., object] = Automation
        with pytest.raises(TypeError):
            loose(actor, **more)

    def test_rules_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no automation; the order is kept."""
        rules = [AutomationRule("b", ["deal"]), AutomationRule("a", ["deal"])]
        automation = Automation(ROBOT, rules)
        rules.clear()
        assert ["b", "a"] == [rule.id for rule in automation.rules]


class TestWithoutLeads:
    @pytest.mark.parametrize(
        ("into", "kinds", "expected"),
        [
            # a deal always, a contact unless another client is chosen, in the order of the kinds
            ([], (CONTACT, COMPANY, DEAL), "contact deal"),
            ([], (DEAL, COMPANY, CONTACT), "deal contact"),
            (["deal"], (CONTACT, COMPANY, DEAL), "contact deal"),
            (["contact"], (CONTACT, COMPANY, DEAL), "contact deal"),
            (["company"], (CONTACT, COMPANY, DEAL), "company deal"),
            (["company", "contact"], (CONTACT, COMPANY, DEAL), "contact company deal"),
            (["deal", "company"], (CONTACT, COMPANY, DEAL), "company deal"),
            (["invoice"], (INVOICE, CONTACT, COMPANY, DEAL), "invoice contact deal"),
            (["invoice", "company"], (INVOICE, CONTACT, COMPANY, DEAL), "invoice company deal"),
            # kinds that lack one of them
            ([], (CONTACT, COMPANY), "contact"),
            ([], (COMPANY, DEAL), "deal"),
            (["company"], (COMPANY, DEAL), "company deal"),
            ([], (CONTACT,), "contact"),
            ([], (COMPANY,), ""),
            ([], (INVOICE, BARGAIN), ""),
            (["bargain"], (INVOICE, BARGAIN), "bargain"),
            (["bargain"], (CONTACT, BARGAIN), "contact bargain"),
            # by class, whatever the kinds are called
            (
                [],
                (attrs.evolve(CONTACT, id="person"), COMPANY, attrs.evolve(DEAL, id="job")),
                "person job",
            ),
            (
                ["firm"],
                (CONTACT, attrs.evolve(COMPANY, id="firm"), attrs.evolve(DEAL, id="job")),
                "firm job",
            ),
            # a kind that there is not
            (["zzz"], (CONTACT, COMPANY, DEAL), "contact deal"),
        ],
    )
    def test_targets(self, into: list[str], kinds: tuple[Kind, ...], expected: str) -> None:
        """A deal always, a contact unless another client is chosen, and whatever else is."""
        assert tuple(expected.split()) == WithoutLeads(into=into).targets(iter(kinds))

    def test_by_itself(self) -> None:
        """The mode names nothing, has a placeholder, and leaves activities open."""
        mode = WithoutLeads()
        assert ((), "No name", False) == (mode.into, mode.placeholder, mode.close_activities)

    @pytest.mark.parametrize("more", [{"into": "company"}, {"into": [5]}, {"placeholder": None}])
    def test_a_misused_signature(self, more: dict[str, object]) -> None:
        """Kinds are a list of texts, a placeholder is a text."""
        loose: Callable[..., object] = WithoutLeads
        with pytest.raises(TypeError):
            loose(**more)

    def test_mistakes(self) -> None:
        """Unknown kinds and a blank placeholder are told together."""
        place = "mode without leads: "
        assert [
            f"{place}there is no kind 'compnay', did you mean 'company'? (correct the name)",
            f"{place}there is no kind 'zzz' (correct the name)",
            f"{place}the rule needs a placeholder that is not blank (correct or remove it)",
        ] == told(mode=WithoutLeads(into=["compnay", "deal", "zzz"], placeholder=" "))

    def test_into_nothing(self) -> None:
        """A mode that converts into nothing is refused."""
        nothing = "mode without leads: the rule converts into nothing (correct or remove it)"
        assert [nothing] == told(mode=WithoutLeads(), kinds=(COMPANY, INVOICE))
        assert ["mode without leads: there is no kind 'zzz' (correct the name)"] == told(
            mode=WithoutLeads(into=["zzz"]), kinds=(COMPANY, INVOICE)
        )
        assert [] == told(mode=WithoutLeads(into=["invoice"]), kinds=(COMPANY, INVOICE))
        assert [] == told(mode=WithoutLeads(), kinds=(CONTACT,))

    def test_beside_rules(self) -> None:
        """All mistakes of rules, actor and mode are told at once, in this order."""
        assert [
            "automation rule x: the rule does nothing (correct or remove it)",
            "automation: rules move a lead in a circle: a, b (remove one of the moves)",
            "automation: there is no role 'zzz' (correct the name)",
            "mode without leads: there is no kind 'zzz' (correct the name)",
        ] == told(
            AutomationRule("x"),
            AutomationRule("a", on="new", to="offer"),
            AutomationRule("b", on="offer", to="new"),
            actor=Actor("robot", roles=["zzz"]),
            mode=WithoutLeads(into=["zzz"]),
        )


class TestTravels:
    BIG = AutomationRule(
        "big",
        [
            "contact",
            Create("deal", values={"amount": Decimal("5.00"), "close_date": date(2027, 1, 31)}),
        ],
        on="PROCESSED",
        when=AnyOf([Where("amount", "greater", 1000), Not(AllOf([Where("tags", "in", ["vip"])]))]),
        closing=False,
        close_activities=False,
    )

    @pytest.mark.parametrize(
        "value",
        [
            BIG,
            AutomationRule("plain", ["deal"]),
            AutomationRule("moves", on="NEW", to="PROCESSED", when=Not(Where("title", "empty"))),
            WithoutLeads(),
            WithoutLeads(into=["company"], placeholder="Nameless", close_activities=True),
            Automation(ROBOT),
            Automation(Actor("robot"), [BIG], without_leads=WithoutLeads(into=["contact"])),
        ],
        ids=str,
    )
    def test_comes_back_equal(self, value: object) -> None:
        """Rules, modes and automations pickle, copy and go through JSON into equal ones."""
        codec = Codec(presets.bitrix24())
        text = json.dumps(codec.to_data(value))
        for again in (
            pickle.loads(pickle.dumps(value)),  # noqa: S301 - our own bytes
            copy.copy(value),
            copy.deepcopy(value),
            codec.from_data(json.loads(text), type(value)),
        ):
            assert value == again
            assert hash(value) == hash(again)
            assert repr(value) == repr(again)
