"""Bitrix24's role settings: each letter, name, stage and transition as grants of ours."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Combine,
    ConversionRules,
    Create,
    Deal,
    Field,
    Grant,
    Kind,
    Known,
    Lead,
    Pipeline,
    Policy,
    Role,
    Stage,
    convert,
    errors,
    plan,
    presets,
)


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor(
    "ada",
    roles=["sales"],
    department=["ada", "peer"],
    subdepartments=["ada", "peer", "below"],
    team=["ada", "mate"],
    subteams=["junior"],
)
#: How a record stands to Ada: its owner, and whether it is opened to everyone.
RELATIONS: Final[Mapping[str, tuple[str | None, bool]]] = {
    "own": ("ada", False),
    "peer": ("peer", False),
    "below": ("below", False),
    "mate": ("mate", False),
    "junior": ("junior", False),
    "opened": ("stranger", True),
    "stranger": ("stranger", False),
    "nobody": (None, False),
}
#: What Ada reaches of all these through each letter.
LETTERS: Final = [
    ("", True, []),
    ("A", True, ["own"]),
    ("D", True, ["own", "peer"]),
    ("F", True, ["own", "peer", "below"]),
    ("O", True, ["own", "peer", "below", "opened"]),
    ("X", True, [*RELATIONS]),
    ("", False, []),
    ("A", False, ["own"]),
    ("D", False, ["own", "peer"]),
    ("F", False, ["own", "peer", "below"]),
    ("O", False, ["opened"]),
    ("X", False, [*RELATIONS]),
]
#: The same through the names of the newer editor.
NAMES: Final[list[tuple[object, list[str]]]] = [
    ([], []),
    ("0", []),
    (["0"], []),
    ("SELF", ["own"]),
    (["SELF"], ["own"]),
    (["SELF", "DEPARTMENT"], ["own", "peer"]),
    (["SELF", "DEPARTMENT", "SUBDEPARTMENTS"], ["own", "peer", "below"]),
    (["SELF", "TEAM"], ["own", "mate"]),
    (["SELF", "TEAM", "SUBTEAMS"], ["own", "mate", "junior"]),
    (["SELF", "OPEN"], ["own", "opened"]),
    (("TEAM", "OPEN"), ["own", "mate", "opened"]),
    (["SELF", "ALL"], [*RELATIONS]),
]
#: What each operation lets one do with a lead, a deal and a contact, if it reaches everything.
OPERATIONS: Final[Mapping[str, tuple[set[str], set[str], set[str]]]] = {
    "READ": ({"read", "link"}, {"read", "link"}, {"read", "link"}),
    "ADD": ({"create", "assign"}, {"create", "assign"}, {"create", "assign"}),
    "WRITE": (
        {"update", "merge", "move", "convert", "reopen"},
        {"update", "merge", "move"},
        {"update", "merge"},
    ),
    "DELETE": ({"delete"}, {"delete"}, {"delete"}),
    "EXPORT": (set(), set(), set()),
    "IMPORT": (set(), set(), set()),
    "AUTOMATION": (set(), set(), set()),
    "HIDE_SUM": (set(), set(), set()),
    "MYCARDVIEW": (set(), set(), set()),
}


def sales(**entities: object) -> Policy:
    """The policy of one role, *sales*."""
    return presets.bitrix24.policy({"sales": entities})


def granted(*grants: Grant) -> Policy:
    """The policy expected of one role, *sales*."""
    return Policy([Role("sales", grants)], combine="stage_explicit")


def told(make: Callable[[], object]) -> list[str]:
    """What is wrong with what *make* makes, each with its place."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [f"{problem.place}: {problem.message}" for problem in caught.value.problems]


def reached(policy: Policy, stage: str | None = None) -> list[str]:
    """How the deals stand to Ada that she may read."""
    found = []
    for relation, (owner, opened) in RELATIONS.items():
        asked = AccessRequest(
            action="read", kind="deal", owner_id=owner, opened=opened, pipeline="0", stage=stage
        )
        if policy.decide(ADA, asked).allowed:
            found.append(relation)
    return found


def may_move(policy: Policy, start: str, end: str, actor: Actor = ADA) -> bool:
    """Whether *actor* may move a deal of Ada's."""
    asked = AccessRequest(
        action="move", kind="deal", owner_id="ada", pipeline="0", stage=start, to_stage=end
    )
    return policy.decide(actor, asked).allowed


class TestLevels:
    @pytest.mark.parametrize(("letter", "cumulative", "expected"), LETTERS)
    def test_letters(self, letter: str, cumulative: bool, expected: list[str]) -> None:
        """A letter reaches what it reaches there, cumulative or not."""
        policy = presets.bitrix24.policy(
            {"sales": {"DEAL": {"READ": letter}}}, cumulative=cumulative
        )
        assert expected == reached(policy)

    @pytest.mark.parametrize(("names", "expected"), NAMES)
    def test_names(self, names: object, expected: list[str]) -> None:
        """Names of the newer editor reach what each of them reaches."""
        assert expected == reached(sales(DEAL={"READ": names}))

    def test_nothing_is_no_grant(self) -> None:
        """A level of nothing grants nothing, in each of its forms; the role is there."""
        forms: list[object] = ["", [], "0", {}, {"-": ""}, {"-": "", "STAGE_ID": {"WON": "-"}}]
        for nothing in forms:
            assert granted() == sales(DEAL={"READ": nothing})
        assert granted() == sales(DEAL={})
        assert granted() == sales()

    def test_no_roles(self) -> None:
        """No roles are a policy that grants nothing."""
        assert Policy([], combine="stage_explicit") == presets.bitrix24.policy({})

    def test_a_mapping_with_one_level(self) -> None:
        """A level under a dash is the same as the level alone."""
        assert sales(CONTACT={"READ": "F"}) == sales(CONTACT={"READ": {"-": "F"}})


class TestOperations:
    @pytest.mark.parametrize("operation", OPERATIONS)
    @pytest.mark.parametrize(("index", "entity"), [(0, "LEAD"), (1, "DEAL"), (2, "CONTACT")])
    def test_what_each_is_here(self, operation: str, index: int, entity: str) -> None:
        """An operation is these actions and no other, on its own kind alone."""
        policy = sales(**{entity: {operation: "X"}})
        allowed = {
            (kind, action.value)
            for action in Action
            for kind in ("lead", "deal", "contact", "company")
            if policy.decide(ADA, AccessRequest(action=action, kind=kind, pipeline="0")).allowed
        }
        expected = {(entity.lower(), action) for action in OPERATIONS[operation][index]}
        assert expected == allowed

    def test_nothing_grants_to_reverse(self) -> None:
        """All rights there are no right to take a conversion back."""
        every = dict.fromkeys(OPERATIONS, "X")
        asked = AccessRequest(action="reverse", kind="lead")
        assert "no_grant" == sales(LEAD=every).decide(ADA, asked).code

    def test_what_is_passed_over_may_say_anything(self) -> None:
        """What has no counterpart here is not looked into."""
        passed = {"EXPORT": None, "IMPORT": 7, "AUTOMATION": {"?": "?"}, "HIDE_SUM": ["INHERIT"]}
        assert granted() == sales(DEAL={**passed, "MYCARDVIEW": "Y"})

    def test_no_right_on_a_sensitive_field(self) -> None:
        """Rights on everything let nobody see or fill a sensitive field, until a role is added."""
        policy = sales(DEAL=dict.fromkeys(OPERATIONS, "X"))
        asked = AccessRequest(action="read", kind="deal", field="margin")
        assert "no_grant" == policy.decide(ADA, asked).code
        margins = Role("margins", [Grant("deal", "read", fields="margin")])
        wider = attrs.evolve(policy, roles=[*policy.roles, margins])
        assert wider.decide(attrs.evolve(ADA, roles=["sales", "margins"]), asked).allowed
        assert Combine.STAGE_EXPLICIT is wider.combine


class TestEntities:
    def test_a_pipeline_of_deals(self) -> None:
        """DEAL is pipeline 0 and DEAL_C5 pipeline 5; neither says anything of the other."""
        assert granted(
            Grant("deal", ["read", "link"], "own", pipeline="0"),
            Grant("deal", ["delete"], pipeline="5"),
        ) == sales(DEAL={"READ": "A"}, DEAL_C5={"DELETE": "X"})

    @pytest.mark.parametrize(
        ("entity", "pipeline", "allowed"),
        [
            ("DEAL", "0", True),
            ("DEAL", "5", False),
            ("DEAL", None, False),
            ("DEAL_C5", "0", False),
            ("DEAL_C5", "5", True),
            ("DEAL_C5", "50", False),
            ("DEAL_C5", None, False),
        ],
    )
    def test_pipelines_do_not_leak(self, entity: str, pipeline: str | None, allowed: bool) -> None:
        """A right in one pipeline is none in another, nor where no pipeline is told."""
        asked = AccessRequest(action="read", kind="deal", owner_id="ada", pipeline=pipeline)
        assert allowed is sales(**{entity: {"READ": "X"}}).decide(ADA, asked).allowed

    def test_leads_contacts_and_companies(self) -> None:
        """They have no pipelines to tell."""
        assert granted(
            Grant("lead", ["read", "link"], "own"),
            Grant("contact", ["create", "assign"], ["own", "department"]),
            Grant("company", ["update", "merge"]),
        ) == sales(LEAD={"READ": "A"}, CONTACT={"ADD": "D"}, COMPANY={"WRITE": "X"})

    def test_smart_processes(self) -> None:
        """A smart process is the kind it is said to be, whole where no role divides it."""
        kinds = {"DYNAMIC_128": "project"}
        whole = {"sales": {"DYNAMIC_128": {"WRITE": {"-": "A", "STAGE_ID": {"DONE": ""}}}}}
        actions = ["update", "merge", "move"]
        assert granted(
            Grant("project", actions, "own"), Grant("project", actions, [], stage="DONE")
        ) == presets.bitrix24.policy(whole, kinds=kinds)

    def test_pipelines_of_a_smart_process(self) -> None:
        """Where any role names a pipeline of it, its bare name is pipeline 0, as with deals."""
        roles = {
            "sales": {"DYNAMIC_128": {"READ": "X"}, "DYNAMIC_130": {"READ": "A"}},
            "heads": {"DYNAMIC_128_C7": {"READ": "A"}},
        }
        kinds = {"DYNAMIC_128": "project", "DYNAMIC_130": "visit"}
        expected = Policy(
            [
                Role(
                    "sales",
                    [
                        Grant("project", ["read", "link"], pipeline="0"),
                        Grant("visit", ["read", "link"], "own"),
                    ],
                ),
                Role("heads", [Grant("project", ["read", "link"], "own", pipeline="7")]),
            ],
            combine="stage_explicit",
        )
        assert expected == presets.bitrix24.policy(roles, kinds=kinds)

    def test_kinds_of_other_names(self) -> None:
        """A host that names its kinds otherwise says so; what is a lead stays one."""
        policy = presets.bitrix24.policy(
            {"sales": {"LEAD": {"WRITE": "A"}, "DEAL": {"DELETE": "A"}}},
            kinds={"LEAD": "enquiry", "DEAL": "opportunity"},
        )
        assert (
            granted(
                Grant("enquiry", ["update", "merge", "move", "convert", "reopen"], "own"),
                Grant("opportunity", "delete", "own", pipeline="0"),
            )
            == policy
        )


class TestStages:
    def test_overrides(self) -> None:
        """A stage with a level of its own is a grant of its own, be it nothing; others inherit."""
        stages = {"NEW": "-", "EXECUTING": "INHERIT", "FINAL": ["INHERIT"], "WON": "A", "LOSE": ""}
        policy = sales(DEAL={"READ": {"-": "X", "STAGE_ID": stages}})
        actions = ["read", "link"]
        assert (
            granted(
                Grant("deal", actions, pipeline="0"),
                Grant("deal", actions, "own", pipeline="0", stage="WON"),
                Grant("deal", actions, [], pipeline="0", stage="LOSE"),
            )
            == policy
        )
        everything = [*RELATIONS]
        assert [everything] * 3 == [reached(policy, stage) for stage in ("NEW", "FINAL", "OTHER")]
        assert ["own"] == reached(policy, "WON")
        assert [] == reached(policy, "LOSE")

    def test_a_stage_without_the_rest(self) -> None:
        """Where nothing is said of the rest, only the stage is reached."""
        policy = sales(DEAL={"READ": {"STAGE_ID": {"WON": "D"}}})
        assert ["own", "peer"] == reached(policy, "WON")
        assert [] == reached(policy, "NEW")

    def test_stages_of_leads(self) -> None:
        """Leads tell their stages under another field."""
        actions = ["update", "merge", "move", "convert", "reopen"]
        assert granted(
            Grant("lead", actions, "own"), Grant("lead", actions, [], stage="JUNK")
        ) == sales(LEAD={"WRITE": {"-": "A", "STATUS_ID": {"JUNK": []}}})

    def test_roles_are_combined_as_there(self) -> None:
        """The widest role wins, but what one of them says of the stage itself counts alone."""
        roles = {
            "sales": {"DEAL": {"READ": {"-": "A", "STAGE_ID": {"WON": ""}}}},
            "audit": {"DEAL": {"READ": "X"}},
        }
        both = attrs.evolve(ADA, roles=["sales", "audit"])

        def reads(stage: str, combine: str) -> bool:
            policy = presets.bitrix24.policy(roles, combine=combine)
            asked = AccessRequest(
                action="read", kind="deal", owner_id="stranger", pipeline="0", stage=stage
            )
            return policy.decide(both, asked).allowed

        assert reads("NEW", "stage_explicit")
        assert not reads("WON", "stage_explicit")
        assert reads("WON", "widest")
        assert Combine.STAGE_EXPLICIT is presets.bitrix24.policy(roles).combine


class TestTransitions:
    @pytest.mark.parametrize(
        ("transition", "expected"),
        [
            ("ANY", [True, True, True]),
            (["ANY"], [True, True, True]),
            ("BLOCKED", [False, False, False]),
            (["BLOCKED"], [False, False, False]),
            ("", [False, False, False]),
            ([], [False, False, False]),
            ({}, [False, False, False]),
            (["WON"], [True, False, True]),
            ({"-": ["WON", "LOSE"]}, [True, True, True]),
            ({"-": "ANY", "STAGE_ID": {"NEW": "BLOCKED"}}, [False, False, True]),
            ({"-": "ANY", "STAGE_ID": {"NEW": ""}}, [False, False, True]),
            ({"-": "ANY", "STAGE_ID": {"NEW": ["LOSE"]}}, [False, True, True]),
            ({"-": ["WON"], "STAGE_ID": {"NEW": "ANY"}}, [True, True, True]),
            ({"-": ["WON"], "STAGE_ID": {"NEW": "INHERIT"}}, [True, False, True]),
            ({"-": ["WON"], "STAGE_ID": {"NEW": ["INHERIT"]}}, [True, False, True]),
            ({"-": ["WON"], "STAGE_ID": {"NEW": "-"}}, [True, False, True]),
            ({"STAGE_ID": {"NEW": ["WON"]}}, [True, False, False]),
        ],
    )
    def test_where_one_may_move(self, transition: object, expected: list[bool]) -> None:
        """From a stage one may move where it says, else where is said in general, else nowhere."""
        policy = sales(DEAL={"WRITE": "A", "TRANSITION": transition})
        moves = [("NEW", "WON"), ("NEW", "LOSE"), ("EXECUTING", "WON")]
        assert expected == [may_move(policy, start, end) for start, end in moves]

    def test_without_any(self) -> None:
        """Without transitions one may move anywhere within the right to write."""
        policy = sales(DEAL={"WRITE": {"-": "A", "STAGE_ID": {"WON": ""}}})
        assert may_move(policy, "NEW", "LOSE")
        assert not may_move(policy, "WON", "LOSE")

    def test_within_the_right_to_write(self) -> None:
        """A transition permits nothing that one may not write, stage by stage."""
        stages = {"NEW": "X", "WON": "", "FINAL": "X"}
        move, other = "move", ["update", "merge"]
        assert granted(
            Grant("deal", other, "own", pipeline="0"),
            Grant("deal", other, pipeline="0", stage="NEW"),
            Grant("deal", other, [], pipeline="0", stage="WON"),
            Grant("deal", other, pipeline="0", stage="FINAL"),
            Grant("deal", move, "own", pipeline="0", to=["WON"]),
            Grant("deal", move, pipeline="0", stage="NEW", to=["WON"]),
            Grant("deal", move, [], pipeline="0", stage="WON"),
            Grant("deal", move, [], pipeline="0", stage="FINAL"),
            Grant("deal", move, "own", pipeline="0", stage="LOSE"),
        ) == sales(
            DEAL={
                "WRITE": {"-": "A", "STAGE_ID": stages},
                "TRANSITION": {
                    "-": ["WON"],
                    "STAGE_ID": {"WON": "ANY", "FINAL": "BLOCKED", "LOSE": "ANY"},
                },
            }
        )

    def test_a_role_that_may_not_write(self) -> None:
        """A stage that one role blocks stays blocked for who may write through another."""
        transition = {"-": "ANY", "STAGE_ID": {"NEW": "BLOCKED"}}
        assert granted(Grant("deal", "move", [], pipeline="0", stage="NEW")) == sales(
            DEAL={"TRANSITION": transition}
        )
        policy = presets.bitrix24.policy(
            {"sales": {"DEAL": {"TRANSITION": transition}}, "heads": {"DEAL": {"WRITE": "X"}}}
        )
        both = attrs.evolve(ADA, roles=["sales", "heads"])
        assert not may_move(policy, "NEW", "WON", both)
        assert may_move(policy, "EXECUTING", "WON", both)


class TestMistakes:
    def test_all_at_once(self) -> None:
        """Every mistake is told with its place, in their order, and with what may be meant."""
        roles: Mapping[str, object] = {
            "sales": {
                "LAED": {"READ": "A"},
                "LEAD_C5": {"READ": "A"},
                "DEAL": {
                    "REED": "A",
                    "READ": "Q",
                    "ADD": ["SELF", "SUBTEAM", "0"],
                    "WRITE": {"-": "C", "STAGE": {"NEW": "A"}, "STAGE_ID": {"NEW": 7, "WON": "a"}},
                    "DELETE": {"STAGE_ID": ["NEW"]},
                    "TRANSITION": {"-": "BLOKED", "STAGE_ID": {"NEW": ["WON", "ANY"], "WON": 7}},
                },
                "DEAL_C0": {},
                "DYNAMIC_128": {"READ": "A"},
                "CONTACT": {"READ": {"-": "INHERIT", "STAGE_ID": {}}, "TRANSITION": "ANY"},
                "COMPANY": "X",
            },
            "heads": ["LEAD"],
            "support": {"LEAD": {"READ": [["SELF"]], "WRITE": None, "TRANSITION": "INHERIT"}},
            " ": {},
        }
        kinds = {"DYNAMIC_182": "project", "QUOTE": "offer", "DYNAMIC_130_C7": "visit"}
        assert [
            "policy kinds: there is no entity 'QUOTE'",
            "policy kinds: there is no entity 'DYNAMIC_130_C7'",
            "policy heads: a mapping is needed here, not a value of type list",
            "policy: a role needs an id that is not blank",
            "policy sales: there is no entity 'LAED', did you mean 'LEAD'?",
            "policy sales: there is no entity 'LEAD_C5', did you mean 'LEAD'?",
            "policy sales.DEAL: there is no operation 'REED', did you mean 'READ'?",
            "policy sales.DEAL.READ: there is no level 'Q'",
            "policy sales.DEAL.ADD: there is no level 'SUBTEAM', did you mean 'SUBTEAMS'?",
            "policy sales.DEAL.ADD: there is no level '0'",
            "policy sales.DEAL.WRITE.-: there is no level 'C'",
            "policy sales.DEAL.WRITE: there is no stage field 'STAGE', did you mean 'STAGE_ID'?",
            "policy sales.DEAL.WRITE.STAGE_ID.NEW: a level is needed here, not a value of type int",
            "policy sales.DEAL.WRITE.STAGE_ID.WON: there is no level 'a'",
            "policy sales.DEAL.DELETE.STAGE_ID: a mapping is needed here, not a value of type list",
            (
                "policy sales.DEAL.TRANSITION.-: there is no transition 'BLOKED', did you mean"
                " 'BLOCKED'?"
            ),
            "policy sales.DEAL.TRANSITION.STAGE_ID.NEW: ANY says nothing among stages",
            (
                "policy sales.DEAL.TRANSITION.STAGE_ID.WON: a list of stages is needed here, not a"
                " value of type int"
            ),
            "policy sales: there is no entity 'DEAL_C0', did you mean 'DEAL'?",
            (
                "policy sales: there is no kind in kinds= for 'DYNAMIC_128', did you mean"
                " 'DYNAMIC_182'?"
            ),
            "policy sales.CONTACT.READ.-: there is no level 'INHERIT'",
            "policy sales.CONTACT.READ: STAGE_ID says nothing about a kind without stages",
            "policy sales.CONTACT: TRANSITION says nothing about a kind without stages",
            "policy sales.COMPANY: a mapping is needed here, not a value of type str",
            "policy support.LEAD.READ: a text is needed here, not a value of type list",
            "policy support.LEAD.WRITE: a level is needed here, not a value of type NoneType",
            "policy support.LEAD.TRANSITION: there is no transition 'INHERIT'",
        ] == told(lambda: presets.bitrix24.policy(roles, kinds=kinds))

    def test_no_mapping_at_all(self) -> None:
        """Roles that are no mapping, and names that are no text, are told."""
        loose: Callable[..., object] = presets.bitrix24.policy
        assert ["policy: a mapping is needed here, not a value of type list"] == told(
            lambda: loose([])
        )
        assert ["policy: a text as a name is needed here, not a value of type int"] == told(
            lambda: loose({7: {}})
        )

    def test_a_strange_way_to_combine(self) -> None:
        """An unknown way to combine roles is told as in any policy."""
        assert ["policy: there is no combination 'wides', did you mean 'widest'?"] == told(
            lambda: presets.bitrix24.policy({}, combine="wides")
        )

    def test_stages_the_rules_do_not_have(self) -> None:
        """Stages and pipelines are checked where the rules are built."""
        policy = sales(
            DEAL={"READ": {"STAGE_ID": {"WNO": "A"}}}, DEAL_C5={"READ": "A"}, LEAD={"READ": "A"}
        )
        assert [
            "role sales: there is no stage of deal 'WNO', did you mean 'WON'?",
            "role sales: there is no pipeline of deal '5'",
        ] == sorted(
            told(lambda: attrs.evolve(presets.bitrix24(), policy=policy)),
            key=lambda line: "pipeline" in line,
        )


def rules(**entities: object) -> ConversionRules:
    """The rules of Bitrix24 under a policy of one role, *sales*."""
    return attrs.evolve(presets.bitrix24(), policy=sales(**entities))


LEAD: Final = Lead(id="L-7", stage="NEW", title="Engine", first_name="Ada", owner_id="ada")
MANAGER: Final = {"READ": "A", "ADD": "A", "WRITE": "A", "DELETE": "", "EXPORT": "", "IMPORT": "A"}
MOVING: Final = {**MANAGER, "TRANSITION": ["ANY"]}


class TestConverting:
    def test_a_manager_converts(self) -> None:
        """Who reads, adds and writes their own converts their own lead."""
        by = rules(LEAD=MOVING, DEAL=MOVING, CONTACT=MANAGER)
        made = convert(LEAD, ["contact", "deal"], rules=by, actor=ADA, at=AT)
        assert ("Engine", "ada", "0") == (made.deal.title, made.deal.owner_id, made.deal.pipeline)
        assert "CONVERTED" == made.lead.stage

    def test_a_colleague_does_not(self) -> None:
        """Who reaches only their own may not convert the lead of somebody else."""
        by = rules(LEAD=MOVING, DEAL=MOVING)
        colleague = Actor("peer", roles=["sales"], department=["ada", "peer"])
        with pytest.raises(errors.AccessDeniedError) as caught:
            convert(LEAD, ["deal"], rules=by, actor=colleague, at=AT)
        assert {("lead", "out_of_scope")} == {(one.kind, one.code) for one in caught.value.problems}

    @pytest.mark.parametrize(
        ("lead", "deal", "expected"),
        [
            ({"READ": ""}, {}, [("lead", "read", "no_grant")]),
            (
                {"WRITE": ""},
                {},
                [
                    ("lead", "update", "no_grant"),
                    ("lead", "convert", "no_grant"),
                    ("lead", "move", "no_grant"),
                ],
            ),
            ({"TRANSITION": "BLOCKED"}, {}, [("lead", "move", "no_grant")]),
            ({"TRANSITION": ["PROCESSED"]}, {}, [("lead", "move", "stage_not_listed")]),
            (
                {"TRANSITION": {"-": "ANY", "STATUS_ID": {"NEW": "BLOCKED"}}},
                {},
                [("lead", "move", "out_of_scope")],
            ),
            ({}, {"ADD": ""}, [("deal", "create", "no_grant")]),
            (
                {},
                {"ADD": {"-": "A", "STAGE_ID": {"NEW": ""}}},
                [("deal", "create", "out_of_scope")],
            ),
        ],
    )
    def test_what_converting_needs(
        self,
        lead: Mapping[str, object],
        deal: Mapping[str, object],
        expected: list[tuple[str, str, str]],
    ) -> None:
        """Each right that is lacking is told, on the lead before the target."""
        by = rules(LEAD={**MOVING, **lead}, DEAL={**MOVING, **deal})
        problems = plan(LEAD, ["deal"], rules=by, actor=ADA, at=AT).problems
        assert expected == [(one.kind, one.params["action"], one.code) for one in problems]

    def test_only_in_the_pipeline(self) -> None:
        """Deals may be added in the pipeline that is named, and in no other."""
        more = Pipeline("5", "deal", ["C5:NEW", Stage("C5:WON", "success")])
        given = presets.bitrix24()
        by = attrs.evolve(
            given,
            pipelines=[*given.pipelines, more],
            policy=sales(LEAD=MOVING, DEAL_C5={"ADD": "A"}),
        )
        into = Create("deal", values={"pipeline": "5"})
        made = convert(LEAD, [into], rules=by, actor=ADA, at=AT)
        assert ("5", "C5:NEW") == (made.deal.pipeline, made.deal.stage)
        problems = plan(LEAD, ["deal"], rules=by, actor=ADA, at=AT).problems
        assert [("deal", "no_grant")] == [(one.kind, one.code) for one in problems]

    def test_into_a_smart_process(self) -> None:
        """A smart process without stages is converted into as any kind is."""
        project = Kind(
            "project",
            fields=[
                Field("deal_id", "reference", to="deal"),
                Field("owner", "text", default="ada"),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
            owner="owner",
        )
        given = presets.bitrix24()
        policy = presets.bitrix24.policy(
            {"sales": {"LEAD": MOVING, "DEAL": {"READ": "X"}, "DYNAMIC_128": MANAGER}},
            kinds={"DYNAMIC_128": "project"},
        )
        by = attrs.evolve(given, kinds=[*given.kinds, project], policy=policy)
        known = Known(records=[Deal(id="D-5", pipeline="0", stage="NEW", owner_id="stranger")])
        into = Create("project", values={"deal_id": "D-5"})
        made = convert(LEAD, [into], rules=by, actor=ADA, at=AT, known=known)
        assert ["D-5"] == [record.custom["deal_id"] for record in made.all("project")]


class TestPresetPolicy:
    def test_an_admin_sees_sensitive_fields(self) -> None:
        """The preset's admin may do everything, and sees and fills sensitive fields."""
        policy, admin = presets.bitrix24().policy, Actor("root", roles=["admin"])
        asked = [AccessRequest(action=action, kind="deal") for action in Action]
        asked += [
            AccessRequest(action=action, kind="deal", field="margin")
            for action in ("read", "update")
        ]
        assert all(policy.decide(admin, one).allowed for one in asked)

    def test_sales_does_not(self) -> None:
        """The preset's sales works on its own deals, and sees no sensitive field."""
        policy = presets.bitrix24().policy
        own = AccessRequest(action="update", kind="deal", owner_id="ada")
        margin = AccessRequest(action="read", kind="deal", field="margin")
        assert [True, False] == [policy.decide(ADA, one).allowed for one in (own, margin)]
