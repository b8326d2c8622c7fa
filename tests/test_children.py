"""Rules for children: how each kind travels, and every mistake such a rule may have."""

import pickle
from collections.abc import Callable, Mapping

import attrs
import pytest

from leadconvert import (
    ChildRule,
    Contact,
    ConversionRules,
    Field,
    FrozenMap,
    GenericRecord,
    Grant,
    Kind,
    Pipeline,
    Policy,
    Role,
    Stage,
    Travel,
    errors,
)
from leadconvert.children import child_mistakes, pointers
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


TO_LEAD = Field("lead_id", "reference", to="lead")
REQUIRED = attrs.evolve(TO_LEAD, required=True)
TO_LEADS = Field("lead_ids", "reference", to="lead", multiple=True)
TO_DEAL = Field("deal_id", "reference", to="deal")
TO_CONTACTS = Field("contact_ids", "reference", to="contact", multiple=True)


def kind(*fields: Field) -> Kind:
    """A kind of tasks that has these fields."""
    return Kind("task", fields=fields)


TASK = kind(TO_LEAD, TO_DEAL, TO_CONTACTS, Field("completed", "boolean"), Field("text", "text"))


def told(*rules: ChildRule) -> list[str]:
    """What is wrong with rules for children, mistake by mistake."""
    return [str(one) for one in child_mistakes(rules, LEAD, [CONTACT, COMPANY, DEAL])]


def messages(rule: ChildRule, lead: Kind = LEAD) -> list[str]:
    """What is wrong with one rule, without its place and the remedy."""
    return [one.message for one in child_mistakes([rule], lead, [CONTACT, COMPANY, DEAL])]


def unchecked(kind: object, into: object = (), **more: object) -> Callable[[], ChildRule]:
    """What makes a rule of anything at all."""
    make: Callable[..., ChildRule] = ChildRule
    return lambda: make(kind, into, **more)


class TestRule:
    def test_into_keeps_its_order(self) -> None:
        """A child moves to the first kind there is, so two orders are two rules."""
        one = ChildRule(TASK, {"deal": "move", "contact": "share"})
        two = ChildRule(TASK, {"contact": "share", "deal": "move"})
        assert (("deal", Travel.MOVE), ("contact", Travel.SHARE)) == one.into
        assert (("contact", Travel.SHARE), ("deal", Travel.MOVE)) == two.into
        assert one != two

    def test_defaults(self) -> None:
        """Unless a rule says otherwise a child stays, as it is, and nobody changes it unasked."""
        rule = ChildRule(TASK)
        assert ((), {}, True) == (rule.into, rule.close, rule.asks)

    def test_it_is_a_value(self) -> None:
        """A rule is frozen throughout, can be hashed, pickled, and changed into another."""
        given: dict[str, object] = {"completed": True}
        rule = ChildRule(TASK, {"deal": "move"}, close=given)
        given["completed"] = False
        assert FrozenMap({"completed": True}) == rule.close
        assert rule == pickle.loads(pickle.dumps(rule))  # noqa: S301 - our own bytes
        assert hash(rule) == hash(ChildRule(TASK, {"deal": "move"}, close={"completed": True}))
        assert ChildRule(TASK, {"deal": "move"}) == attrs.evolve(rule, close={})

    def test_a_kind_is_a_kind(self) -> None:
        """The name of a kind is none: what a child is stands nowhere else."""
        with pytest.raises(TypeError):
            unchecked("task")()

    @pytest.mark.parametrize("into", ["deal", ["deal"]])
    def test_into_says_how(self, into: object) -> None:
        """A name alone does not say how a child travels there."""
        with pytest.raises(ValueError, match="unpack"):
            unchecked(TASK, into)()


class TestPointers:
    def test_every_field_that_points_there(self) -> None:
        """All references count, one that the kind names as its pointer back as well."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        assert ("lead_id", "lead_ids", "converted_from") == pointers(
            kind(TO_LEAD, TO_LEADS, TO_DEAL, back), "lead"
        )

    def test_none(self) -> None:
        """What points elsewhere does not count."""
        assert () == pointers(TASK, "company")


class TestMistakes:
    @pytest.mark.parametrize(
        "rule",
        [
            ChildRule(TASK),
            ChildRule(TASK, {"deal": "move"}),
            ChildRule(TASK, {"deal": "copy", "contact": "share"}, close={"completed": True}),
            ChildRule(TASK, {"contact": "move"}, close={"text": None, "completed": False}),
            ChildRule(kind(REQUIRED, TO_CONTACTS), {"contact": "share"}),
            ChildRule(Kind("task", fields=[TO_LEADS, TO_LEAD, TO_DEAL], converted_from=None)),
        ],
    )
    def test_none(self, rule: ChildRule) -> None:
        """What can be done is no mistake."""
        assert [] == told(rule)

    def test_the_kind_of_the_leads_by_its_own_id(self) -> None:
        """What counts is the id of the rules' own kind of leads."""
        enquiry = attrs.evolve(LEAD, id="enquiry")
        there = kind(Field("enquiry_id", "reference", to="enquiry"))
        assert [] == messages(ChildRule(there), enquiry)
        expected = "a child rule cannot be: no field points at kind enquiry"
        assert [expected] == messages(ChildRule(TASK), enquiry)

    @pytest.mark.parametrize(
        ("into", "expected"),
        [
            ({"dael": "move"}, "there is no kind 'dael', did you mean 'deal'?"),
            ({"lead": "move"}, "there is no kind 'lead'"),
            ({"deal": "mvoe"}, "there is no travel 'mvoe', did you mean 'move'?"),
            ({"deal": "leave"}, "there is no travel 'leave'"),
            ({"company": "move"}, "a child rule cannot be: no field points at kind company"),
            (
                {"deal": "share"},
                "a child rule cannot be: deal_id holds one deal only; to share, make it multiple",
            ),
            ((("deal", "move"), ("deal", "copy")), "kind 'deal' stands twice"),
        ],
    )
    def test_of_into(self, into: Mapping[str, str], expected: str) -> None:
        """Each target needs a kind of the rules, a way to travel, and one pointer that will do."""
        assert [expected] == messages(ChildRule(TASK, into))

    def test_several_pointers(self) -> None:
        """Where several fields point at a kind, which of them to fill is open."""
        two = kind(TO_LEAD, TO_DEAL, Field("other_id", "reference", to="deal"))
        expected = "a child rule cannot be: several fields point at kind deal: deal_id, other_id"
        assert [expected] == messages(ChildRule(two, {"deal": "copy"}))

    @pytest.mark.parametrize(
        ("close", "expected"),
        [
            ({"complete": 1}, "there is no field of task 'complete', did you mean 'completed'?"),
            ({"completed": "yes"}, "the value does not fit: wrong_type"),
            ({"deal_id": "D-5"}, "a child rule cannot be: deal_id is not to be set by closing"),
            ({"stage": "done"}, "a child rule cannot be: stage is not to be set by closing"),
            ({"pipeline": "0"}, "a child rule cannot be: pipeline is not to be set by closing"),
            ({"subject": " "}, "a child rule cannot be: subject is required, and would be empty"),
        ],
    )
    def test_of_closing(self, close: Mapping[str, object], expected: str) -> None:
        """Closing sets fields that there are to values that fit, but not where a child belongs."""
        more = [Field("subject", "text", required=True)]
        more += [Field("stage", "text"), Field("pipeline", "text")]
        staged = Kind("task", fields=[*TASK.fields, *more], stage="stage", pipeline="pipeline")
        assert [expected] == messages(ChildRule(staged, close=close))

    @pytest.mark.parametrize("travel", ["move", "copy"])
    def test_no_child_leaves_a_lead_it_requires(self, travel: str) -> None:
        """What cannot be without a lead can neither move nor be copied."""
        bound = kind(REQUIRED, TO_LEADS, TO_DEAL)
        expected = "a child rule cannot be: lead_id is required, and would be empty"
        assert [expected] == messages(ChildRule(bound, {"deal": travel}))

    @pytest.mark.parametrize("taken", ["lead", "deal"])
    def test_a_kind_of_the_rules(self, taken: str) -> None:
        """A child is of a kind of its own."""
        assert [f"children: kind '{taken}' stands twice (remove or rename one)"] == told(
            ChildRule(attrs.evolve(TASK, id=taken))
        )

    def test_two_rules_for_one_kind(self) -> None:
        """Of two rules for one kind nobody knows which counts."""
        assert ["children: kind 'task' stands twice (remove or rename one)"] == told(
            ChildRule(TASK), ChildRule(TASK, {"deal": "move"})
        )

    def test_all_at_once(self) -> None:
        """Every mistake of every rule is told, each once."""
        log = Kind("log")
        assert [
            "child rule for log: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            "child rule for log: there is no travel 'x' (correct the name)",
            "child rule for log: a child rule cannot be: no field points at kind deal (correct it)",
            "child rule for log: there is no field of log 'done' (correct the name)",
            "child rule for log: a child rule cannot be: no field points at kind lead (correct it)",
            "child rule for task: there is no kind 'x' (correct the name)",
        ] == told(
            ChildRule(log, {"dael": "move", "deal": "x"}, close={"done": None}),
            ChildRule(TASK, {"x": "move"}),
        )


class TestInTheRules:
    @staticmethod
    def rules(*children: ChildRule, policy: Policy | None = None) -> ConversionRules:
        """Small rules with children."""
        return ConversionRules(
            kinds=[CONTACT, DEAL],
            pipelines=[
                Pipeline("leads", "lead", ["new", Stage("done", "success")]),
                Pipeline("sales", "deal", ["open", Stage("won", "success")]),
            ],
            policy=policy or Policy(),
            children=children,
        )

    def test_they_find_the_kind_of_a_child(self) -> None:
        """A child is of the kind that its rule brings along, which nothing is converted into."""
        rules = self.rules(ChildRule(TASK))
        assert TASK == rules.kind_of(GenericRecord(kind="task", id="T-1"))
        assert CONTACT == rules.kind_of(Contact(id="C-3"))
        assert rules.kind_of(GenericRecord(kind="note", id="N-1")) is None
        assert rules.kind("task") is None

    def test_they_tell_its_mistakes(self) -> None:
        """Rules with a mistaken child rule are refused like any others."""
        with pytest.raises(errors.DefinitionError) as caught:
            self.rules(ChildRule(TASK, {"dael": "move"}))
        assert ["unknown"] == [problem.code for problem in caught.value.problems]

    def test_their_digest_tells_orders_apart(self) -> None:
        """Rules by which children travel elsewhere are other rules."""
        one = self.rules(ChildRule(TASK, {"deal": "move", "contact": "move"}))
        two = self.rules(ChildRule(TASK, {"contact": "move", "deal": "move"}))
        assert one.digest != two.digest

    def test_grants_may_name_them(self) -> None:
        """Rights on children are granted as any others."""
        role = Role("sales", [Grant("task", ["read", "update"])])
        rules = self.rules(ChildRule(TASK), policy=Policy([role]))
        assert rules.policy.roles == (role,)
