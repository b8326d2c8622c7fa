"""Policies: nothing without a grant, nothing that is forbidden, and every mistake told at once."""

import copy
import pickle
from collections.abc import Callable
from itertools import permutations

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Combine,
    ConversionRules,
    Decision,
    Field,
    Grant,
    Kind,
    Pipeline,
    Policy,
    Role,
    Scope,
    Stage,
    errors,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.values import digest


OWN = Grant("deal", ["read", "create"], "own")
ALL = Grant("deal", "read")
LINK = Grant("*", "link", ["own", "all"])
ALL_SERVICE = Grant("deal", "read", pipeline="service")
OTHER = Grant("invoice", "delete")
POLICY = Policy([Role("sales", [OWN]), Role("viewer", [ALL]), Role("linker", [LINK])])
MINE = AccessRequest(action="read", kind="deal", owner_id="u-7")
THEIRS = AccessRequest(action="read", kind="deal", owner_id="u-8")
MARGIN = AccessRequest(action="read", kind="deal", field="margin")


def asked(policy: Policy, roles: str, request: AccessRequest) -> Decision:
    """What *policy* decides for u-7 with these roles, given as words."""
    return policy.decide(Actor("u-7", roles=roles.split()), request)


def refused(make: Callable[[], object]) -> list[str]:
    """The mistakes that *make* is refused for, as they are told."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


class TestDecide:
    def test_nothing_without_a_grant(self) -> None:
        """An empty policy, and an actor without roles, permit nothing."""
        nothing = Decision(actor_id="u-7", request=MINE, allowed=False, code="no_grant")
        assert nothing == asked(Policy(), "", MINE)
        assert attrs.evolve(nothing, unknown_roles=("sales",)) == asked(Policy(), "sales", MINE)
        assert attrs.evolve(nothing, could=("sales", "viewer")) == asked(POLICY, "", MINE)
        assert attrs.evolve(nothing, could=("sales", "viewer")) == asked(POLICY, "linker", MINE)

    def test_granted_says_by_what(self) -> None:
        """A permission names the role and the grant that decided, and nobody who could."""
        expected = Decision(
            actor_id="u-7", request=MINE, allowed=True, code="granted", role="sales", grant=OWN
        )
        assert expected == asked(POLICY, "sales", MINE)
        assert expected == asked(POLICY, "sales nobody", MINE)

    def test_out_of_scope(self) -> None:
        """A grant that does not reach says so, and who could."""
        expected = Decision(
            actor_id="u-7", request=THEIRS, allowed=False, code="out_of_scope", could=("viewer",)
        )
        assert expected == asked(POLICY, "sales", THEIRS)

    def test_stage_not_listed(self) -> None:
        """Where the record is within reach but the stage is not listed, that is what is told."""
        listed = Grant("deal", "move", "own", to=["won"])
        policy = Policy([Role("sales", [listed]), Role("boss", [Grant("deal", "move")])])
        mine = AccessRequest(action="move", kind="deal", owner_id="u-7", to_stage="lost")
        theirs = attrs.evolve(mine, owner_id="u-8", to_stage="won")
        denied = Decision(
            actor_id="u-7", request=mine, allowed=False, code="stage_not_listed", could=("boss",)
        )
        assert denied == asked(policy, "sales", mine)
        assert attrs.evolve(denied, request=theirs, code="out_of_scope") == asked(
            policy, "sales", theirs
        )
        assert asked(policy, "sales", attrs.evolve(mine, to_stage="won")).allowed

    def test_forbidden(self) -> None:
        """What a role forbids no other permits; the role and what it forbids are named."""
        never = Grant("deal", "read", "own")
        policy = Policy([Role("a", [ALL]), Role("b", forbids=[never])])
        expected = Decision(
            actor_id="u-7", request=MINE, allowed=False, code="forbidden", role="b", grant=never
        )
        assert expected == asked(policy, "a b", MINE)
        assert ("granted", "a") == (
            asked(policy, "a b", THEIRS).code,
            asked(policy, "a b", THEIRS).role,
        )
        assert "granted" == asked(policy, "a", MINE).code
        assert "no_grant" == asked(policy, "b", THEIRS).code

    def test_forbidden_beside_no_restriction(self) -> None:
        """A forbid counts even where everything is permitted."""
        policy = Policy([Role("b", forbids=[Grant("deal", "read", "own")])], unrestricted=True)
        assert "forbidden" == asked(policy, "b", MINE).code
        assert "unrestricted" == asked(policy, "b", THEIRS).code
        assert "unrestricted" == asked(policy, "", MINE).code

    def test_unrestricted(self) -> None:
        """Permitting everything is an explicit choice that says so, and names no role."""
        expected = Decision(actor_id="u-7", request=THEIRS, allowed=True, code="unrestricted")
        assert expected == asked(Policy.allow_all(), "", THEIRS)
        assert expected == asked(attrs.evolve(POLICY, unrestricted=True), "viewer", THEIRS)

    @pytest.mark.parametrize("roles", list(permutations(["sales", "viewer", "linker"])))
    def test_the_widest_grant_wins(self, roles: tuple[str, ...]) -> None:
        """Of all roles the widest grant wins, whatever their order."""
        decision = POLICY.decide(Actor("u-7", roles=roles), THEIRS)
        assert (True, "viewer", ALL) == (decision.allowed, decision.role, decision.grant)

    def test_every_kind(self) -> None:
        """A grant on every kind counts for each, beside those that name one or not."""
        link = AccessRequest(action="link", kind="deal")
        assert (True, "linker", LINK) == (
            asked(POLICY, "linker", link).allowed,
            asked(POLICY, "linker", link).role,
            asked(POLICY, "linker", link).grant,
        )
        assert asked(POLICY, "linker", attrs.evolve(link, kind="invoice")).allowed
        assert not asked(POLICY, "sales", attrs.evolve(MINE, kind="invoice")).allowed


class TestCould:
    def test_in_order(self) -> None:
        """The roles that would permit it are told in the order of their names."""
        policy = Policy([Role("c", [ALL]), Role("a", [ALL]), Role("b", [LINK]), Role("d", [OWN])])
        assert ("a", "c", "d") == asked(policy, "b", MINE).could
        assert ("a", "c") == asked(policy, "d", THEIRS).could

    def test_not_whoever_is_forbidden_it(self) -> None:
        """A role that permits it and forbids it as well could not."""
        careful = Role("b", [ALL], forbids=[Grant("deal", "read", "own")])
        policy = Policy([careful, Role("c", [ALL])])
        assert ("c",) == asked(policy, "", MINE).could
        assert ("b", "c") == asked(policy, "", THEIRS).could

    def test_nobody_where_it_is_forbidden(self) -> None:
        """No role helps against what one of the actor's forbids."""
        policy = Policy([Role("a", forbids=[ALL]), Role("b", [ALL])])
        assert () == asked(policy, "a", MINE).could

    def test_with_the_roles_one_has(self) -> None:
        """Whoever would be held back by what they have in other roles is not helped."""
        grants = [Grant("deal", "read", "own", stage="won")]
        roles = [Role("a", grants), Role("b", [ALL])]
        won = attrs.evolve(THEIRS, stage="won")
        assert ("b",) == asked(Policy(roles), "a", won).could
        assert () == asked(Policy(roles, combine="stage_explicit"), "a", won).could

    def test_unknown_roles(self) -> None:
        """Roles of the actor that the policy does not have are told in order, with a denial."""
        assert ("nobody", "slaes") == asked(POLICY, "slaes linker nobody", MINE).unknown_roles
        assert () == asked(POLICY, "sales nobody", MINE).unknown_roles


class TestCombine:
    # one may edit all but own deals alone where they are won, another may edit every deal
    ROLES = (
        Role("a", [Grant("deal", "update"), Grant("deal", "update", "own", stage="won")]),
        Role("b", [Grant("deal", "update")]),
    )
    WON = AccessRequest(action="update", kind="deal", owner_id="u-8", stage="won")

    def test_widest_unless_said(self) -> None:
        """The widest right wins unless the other rule is chosen."""
        assert Combine.WIDEST is Policy().combine
        assert Combine.STAGE_EXPLICIT is Policy(combine="stage_explicit").combine

    def test_widest(self) -> None:
        """Each role decides by itself, with its own overrides, and one that permits is enough."""
        policy = Policy(self.ROLES)
        assert "out_of_scope" == asked(policy, "a", self.WON).code
        assert ("granted", "b") == (
            asked(policy, "a b", self.WON).code,
            asked(policy, "a b", self.WON).role,
        )

    def test_stage_explicit(self) -> None:
        """What any role says of the stage itself counts alone, even where it is narrower."""
        policy = Policy(self.ROLES, combine=Combine.STAGE_EXPLICIT)
        mine = attrs.evolve(self.WON, owner_id="u-7")
        assert "granted" == asked(policy, "b", self.WON).code
        assert "out_of_scope" == asked(policy, "a b", self.WON).code
        assert ("granted", "a") == (
            asked(policy, "a b", mine).code,
            asked(policy, "a b", mine).role,
        )
        assert "granted" == asked(policy, "a b", attrs.evolve(self.WON, stage="open")).code

    def test_an_unknown_rule(self) -> None:
        """Another name is refused with a guess, together with every other mistake."""
        assert [
            "policy: there is no combination 'widset', did you mean 'widest'? (correct the name)"
        ] == refused(lambda: Policy(combine="widset"))
        assert [
            "policy: there is no combination 'x' (choose among widest, stage_explicit)",
            "policy: role 'a' stands twice (remove or rename one)",
        ] == refused(lambda: Policy([Role("a"), Role("a")], combine="x"))


class TestStagesAndPipelines:
    @pytest.mark.parametrize(
        ("scope", "mine", "theirs"),
        [("all", True, True), ("own", True, False), ([], False, False)],
        ids=["wider", "narrower", "nothing"],
    )
    def test_a_stage_overrides(self, scope: str | list[str], mine: bool, theirs: bool) -> None:
        """A grant for a stage counts there in place of those that name none, and only there."""
        wide = Grant("deal", "read", ["own", "team"])
        policy = Policy([Role("a", [wide, Grant("deal", "read", scope, stage="won")])])
        actor = Actor("u-7", roles=["a"], team=["u-9"])
        stages: list[list[bool]] = [
            [
                policy.decide(actor, attrs.evolve(MINE, owner_id=owner, stage=stage)).allowed
                for owner in ("u-7", "u-8", "u-9")
            ]
            for stage in ("won", "open")
        ]
        assert [[mine, theirs, theirs], [True, False, True]] == stages

    def test_only_what_it_speaks_of(self) -> None:
        """An override holds for its own actions, kind and pipeline."""
        grants = [
            Grant("*", ["read", "update"]),
            Grant("deal", "update", [], pipeline="sales", stage="won"),
        ]
        policy = Policy([Role("a", grants)])
        won = AccessRequest(action="update", kind="deal", pipeline="sales", stage="won")
        assert not asked(policy, "a", won).allowed
        assert asked(policy, "a", attrs.evolve(won, action="read")).allowed
        assert asked(policy, "a", attrs.evolve(won, kind="lead")).allowed
        assert asked(policy, "a", attrs.evolve(won, pipeline="service")).allowed

    def test_a_pipeline_adds(self) -> None:
        """A grant for a pipeline adds to the others, and takes nothing away."""
        policy = Policy([Role("a", [Grant("deal", "read", "own"), ALL_SERVICE])])
        service = attrs.evolve(THEIRS, pipeline="service")
        narrow = Policy([Role("a", [ALL, Grant("deal", "read", "own", pipeline="service")])])
        assert ALL_SERVICE == asked(policy, "a", service).grant
        assert "out_of_scope" == asked(policy, "a", attrs.evolve(service, pipeline="sales")).code
        assert "granted" == asked(policy, "a", attrs.evolve(MINE, pipeline="sales")).code
        assert "granted" == asked(narrow, "a", service).code

    def test_a_stage_of_every_kind(self) -> None:
        """An override on every kind holds for each."""
        policy = Policy([Role("a", [ALL, Grant("*", "read", [], stage="won")])])
        assert not asked(policy, "a", attrs.evolve(MINE, stage="won")).allowed
        assert asked(policy, "a", attrs.evolve(MINE, stage="open")).allowed

    def test_forbids_override_nothing(self) -> None:
        """What is forbidden in a stage leaves the other grants as they are elsewhere."""
        forbids = [Grant("deal", "read", "own", stage="won")]
        policy = Policy([Role("a", [ALL], forbids=forbids)])
        assert "forbidden" == asked(policy, "a", attrs.evolve(MINE, stage="won")).code
        assert "granted" == asked(policy, "a", attrs.evolve(THEIRS, stage="won")).code
        assert "granted" == asked(policy, "a", attrs.evolve(MINE, stage="open")).code


class TestFields:
    def test_named_or_every(self) -> None:
        """A sensitive field is for those to whom a grant names it, or every field of the kind."""
        policy = Policy(
            [
                Role("named", [Grant("deal", "read", fields=["margin", "cost"])]),
                Role("every", [Grant("deal", ["read", "update"], fields="*")]),
                Role("other", [Grant("deal", "read", fields="cost")]),
                Role("anything", [Grant("*", list(Action))]),
            ]
        )
        assert {
            "named": "granted",
            "every": "granted",
            "other": "no_grant",
            "anything": "no_grant",
        } == {role.id: asked(policy, role.id, MARGIN).code for role in policy.roles}
        assert ("every", "named") == asked(policy, "anything", MARGIN).could
        to_fill = attrs.evolve(MARGIN, action="update")
        assert ("every",) == asked(policy, "named", to_fill).could

    def test_a_grant_for_fields_opens_no_record(self) -> None:
        """Whoever may see a field may not for that see a record."""
        policy = Policy([Role("a", [Grant("deal", "read", fields="*")])])
        assert "no_grant" == asked(policy, "a", MINE).code

    def test_forbidden_fields(self) -> None:
        """A field may be taken out of what is seen."""
        policy = Policy(
            [
                Role(
                    "a",
                    [Grant("deal", "read", fields="*")],
                    forbids=[Grant("deal", "read", fields="margin")],
                )
            ]
        )
        assert "forbidden" == asked(policy, "a", MARGIN).code
        assert "granted" == asked(policy, "a", attrs.evolve(MARGIN, field="cost")).code


class TestOrder:
    GRANTS = (OWN, ALL, LINK, Grant("deal", "update", stage="won"))

    def test_grants_of_a_role_are_a_set(self) -> None:
        """Neither order nor repetition of grants, and of what is forbidden, says anything."""
        one = Role("a", self.GRANTS, forbids=[ALL, LINK])
        for order in permutations(self.GRANTS):
            other = Role("a", [*order, order[0]], forbids=[LINK, ALL, LINK])
            assert one == other
            assert hash(one) == hash(other)
            assert digest(one) == digest(other)

    def test_roles_of_a_policy_are_a_set(self) -> None:
        """Policies of the same roles are equal, have one digest and give the same answer."""
        roles = [
            Role("a", [OWN, ALL]),
            Role("b", [ALL, OWN], forbids=[Grant("deal", "read", stage="won"), LINK]),
            Role("c", [Grant("*", "read"), ALL_SERVICE]),
        ]
        one = Policy(roles)
        for order in permutations(roles):
            other = Policy(
                Role(role.id, role.grants[::-1], forbids=role.forbids[::-1]) for role in order
            )
            assert one == other
            assert digest(one) == digest(other)
            for request in (MINE, THEIRS, attrs.evolve(MINE, stage="won")):
                assert asked(one, "c b a", request) == asked(other, "a b c", request)

    def test_what_makes_another_policy(self) -> None:
        """How roles combine, and what they forbid, are part of a policy and of its digest."""
        roles = [Role("a", [OWN])]
        others = [
            Policy(roles),
            Policy(roles, combine="stage_explicit"),
            Policy(roles, unrestricted=True),
            Policy([Role("a", forbids=[OWN])]),
            Policy([Role("a", [ALL])]),
        ]
        assert 5 == len(set(others)) == len({digest(policy) for policy in others})

    def test_travels(self) -> None:
        """A policy pickles and copies into an equal one that decides the same."""
        again = pickle.loads(pickle.dumps(POLICY))  # noqa: S301 - our own bytes
        assert POLICY == again == copy.deepcopy(POLICY)
        assert hash(POLICY) == hash(again)
        assert asked(POLICY, "sales", MINE) == asked(again, "sales", MINE)
        assert "Policy(roles=(), combine=<Combine.WIDEST: 'widest'>, unrestricted=False)" == repr(
            Policy()
        )


def forbidding(grant: Grant, *forbids: Grant) -> Callable[[], Policy]:
    """What makes a policy of one role that grants and forbids this."""
    return lambda: Policy([Role("a", [grant], forbids=forbids)])


class TestMistakesOfAPolicy:
    def test_all_at_once(self) -> None:
        """A role that stands twice, one without an id, and a grant in vain are told together."""
        vain = Role("vain", [OWN, LINK], forbids=[ALL, Grant("deal", ["read", "create"])])
        assert [
            "policy: role 'sales' stands twice (remove or rename one)",
            "policy: a role needs an id that is not blank (give it one)",
            (
                "role vain: a grant on 'deal' can never apply: the same role forbids all of it"
                " (correct or remove it)"
            ),
        ] == refused(lambda: Policy([Role("sales"), vain, Role(" "), Role("sales")]))

    @pytest.mark.parametrize(
        ("grant", "forbidden"),
        [
            (Grant("deal", "read"), Grant("deal", "read")),
            (Grant("deal", "read"), Grant("*", ["read", "link"])),
            (Grant("*", "read"), Grant("*", "read")),
            (Grant("deal", "read", "own"), Grant("deal", "read")),
            (Grant("deal", "read", "own"), Grant("deal", "read", ["own", "team"])),
            (Grant("deal", "read", "own"), Grant("deal", "read", "department")),
            (Grant("deal", "read", ["own", "opened"]), Grant("deal", "read", ["team", "opened"])),
            (Grant("deal", "read", pipeline="sales"), Grant("deal", "read")),
            (
                Grant("deal", "read", pipeline="sales", stage="won"),
                Grant("deal", "read", stage="won"),
            ),
            (Grant("deal", "move", to=["won"]), Grant("deal", "move")),
            (Grant("deal", "move", to=["won"]), Grant("deal", "move", to=["won", "lost"])),
            (Grant("deal", "read"), Grant("deal", ["read", "move"], to=["won"])),
            (Grant("deal", "read", fields="margin"), Grant("deal", "read", fields="*")),
            (
                Grant("deal", "read", fields="margin"),
                Grant("deal", ["read", "update"], fields=["margin", "cost"]),
            ),
        ],
    )
    def test_wholly_forbidden(self, grant: Grant, forbidden: Grant) -> None:
        """A grant all of which its own role forbids can never apply."""
        told = f"role a: a grant on {grant.kind!r} can never apply: the same role forbids all of it"
        assert [f"{told} (correct or remove it)"] == refused(forbidding(grant, OTHER, forbidden))

    @pytest.mark.parametrize(
        ("grant", "forbidden"),
        [
            (Grant("*", "read"), Grant("deal", "read")),
            (Grant("deal", ["read", "update"]), Grant("deal", "read")),
            (Grant("deal", "read"), Grant("deal", "read", "own")),
            (Grant("deal", "read", ["own", "opened"]), Grant("deal", "read", "own")),
            (Grant("deal", "read", "own"), Grant("deal", "read", "opened")),
            (Grant("deal", "read", "department"), Grant("deal", "read", ["own", "team"])),
            (Grant("deal", "read"), Grant("deal", "read", pipeline="sales")),
            (
                Grant("deal", "read", pipeline="sales"),
                Grant("deal", "read", pipeline="service"),
            ),
            (Grant("deal", "read"), Grant("deal", "read", stage="won")),
            (Grant("deal", "read", [], stage="won"), Grant("deal", "read")),
            (Grant("deal", "move"), Grant("deal", "move", to=["won"])),
            (Grant("deal", "move", to=["won", "open"]), Grant("deal", "move", to=["won", "lost"])),
            (Grant("deal", "move", stage="won", to=[]), Grant("deal", "move", to=["open"])),
            (Grant("deal", ["read", "move"]), Grant("deal", ["read", "move"], to=["won"])),
            (Grant("deal", "read"), Grant("deal", "read", fields="*")),
            (Grant("deal", "read", fields="*"), Grant("deal", "read")),
            (Grant("deal", "read", fields="*"), Grant("deal", "read", fields="margin")),
            (
                Grant("deal", "read", fields=["margin", "cost"]),
                Grant("deal", "read", fields="margin"),
            ),
        ],
    )
    def test_not_wholly_forbidden(self, grant: Grant, forbidden: Grant) -> None:
        """A grant of which anything is left, or that overrides for a stage, stays."""
        assert (grant,) == forbidding(grant, OTHER, forbidden)().roles[0].grants

    def test_another_role_may_forbid_all_of_it(self) -> None:
        """Not everybody has the role that forbids, so the grant applies to some."""
        assert Policy([Role("a", [ALL]), Role("b", forbids=[ALL])]).roles

    @pytest.mark.parametrize(
        "forbidden",
        [
            Grant("deal", "move", [], stage="won"),
            Grant("deal", "move", to=[]),
            Grant("deal", "move", stage="won", to=[]),
        ],
        ids=["no scope", "no stage", "no stage from a stage"],
    )
    def test_what_forbids_nothing(self, forbidden: Grant) -> None:
        """Nothing overrides in what is forbidden, so no scope there is a slip for every scope."""
        told = "role a: a grant on 'deal' can never apply: it reaches nothing that it could forbid"
        assert [f"{told} (correct or remove it)"] == refused(forbidding(ALL, forbidden))

    def test_what_forbids_something(self) -> None:
        """Beside a move to nowhere the other actions are forbidden."""
        policy = forbidding(ALL, Grant("deal", ["update", "move"], to=[]))()
        update = AccessRequest(action="update", kind="deal")
        assert "forbidden" == asked(policy, "a", update).code


BACK = Field("converted_from", "reference", to="lead", multiple=True)
#: Owned by nobody, opened to nobody, and without stages.
NOTE = Kind("note", fields=[BACK, Field("text", "text"), Field("rating", "integer")])
SECRET = attrs.evolve(DEAL, custom=[Field("margin", "money", sensitive=True)])
#: Opened to everyone, but owned by nobody.
PAGE = Kind("page", fields=[BACK, Field("public", "boolean")], opened="public")
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")], default=True)
SERVICE = Pipeline("service", "deal", ["asked", Stage("solved", "success")])


def rules(*grants: Grant, forbids: tuple[Grant, ...] = ()) -> ConversionRules:
    """Rules under which one role has these grants."""
    return ConversionRules(
        lead=LEAD,
        kinds=[CONTACT, COMPANY, SECRET, NOTE, PAGE],
        pipelines=[LEADS, SALES, SERVICE],
        policy=Policy([Role("a", grants, forbids=forbids)]),
    )


class TestGrantMistakes:
    @pytest.mark.parametrize(
        ("grant", "told"),
        [
            (Grant("dael", "read"), "kind 'dael', did you mean 'deal'?"),
            (Grant("xyz", "read", pipeline="x", stage="y"), "kind 'xyz'"),
            (
                Grant("deal", "read", pipeline="slaes"),
                "pipeline of deal 'slaes', did you mean 'sales'?",
            ),
            (Grant("lead", "read", pipeline="service"), "pipeline of lead 'service'"),
            (Grant("note", "read", pipeline="sales"), "pipeline of note 'sales'"),
            (Grant("*", "read", pipeline="salse"), "pipeline of * 'salse', did you mean 'sales'?"),
            (Grant("deal", "read", stage="wno"), "stage of deal 'wno', did you mean 'won'?"),
            (Grant("lead", "read", stage="won"), "stage of lead 'won'"),
            (Grant("note", "read", stage="open"), "stage of note 'open'"),
            (Grant("*", "read", stage="opne"), "stage of * 'opne', did you mean 'open'?"),
            (
                Grant("deal", "read", pipeline="service", stage="won"),
                "stage of deal 'won'",
            ),
            (Grant("deal", "move", to=["wonn"]), "stage of deal 'wonn', did you mean 'won'?"),
            (
                Grant("deal", "move", pipeline="sales", to=["won", "solved"]),
                "stage of deal 'solved'",
            ),
            (
                Grant("deal", "read", fields="magrin"),
                "field of deal 'magrin', did you mean 'margin'?",
            ),
            (Grant("lead", "read", fields=["margin"]), "field of lead 'margin'"),
            (Grant("*", "read", fields=["margni"]), "field of * 'margni', did you mean 'margin'?"),
        ],
    )
    def test_unknown_names(self, grant: Grant, told: str) -> None:
        """Kinds, pipelines, stages and fields are those of the rules, each where it belongs."""
        expected = [f"role a: there is no {told} (correct the name)"]
        assert expected == refused(lambda: rules(grant))
        assert expected == refused(lambda: rules(forbids=(grant,)))

    @pytest.mark.parametrize(
        ("grant", "why"),
        [
            (Grant("deal", "read", fields="title"), "none of its fields is sensitive"),
            (Grant("deal", "read", fields=["title", "amount"]), "none of its fields is sensitive"),
            (Grant("*", "read", fields="title"), "none of its fields is sensitive"),
            (Grant("deal", "convert"), "only leads are converted and taken back"),
            (Grant("deal", ["reopen", "reverse"]), "only leads are converted and taken back"),
            (Grant("note", "move"), "it has no stages to move between"),
            (Grant("contact", "move", "own"), "it has no stages to move between"),
            (Grant("note", "assign"), "it has no owner to assign"),
            (Grant("note", "read", "opened"), "no field says whether it is opened"),
            (Grant("note", "read", "own"), "it has no owner, by whom the scope is told"),
            (Grant("page", "read", ["team", "own"]), "it has no owner, by whom the scope is told"),
            (
                Grant("note", "read", ["own", "opened"]),
                "it has no owner, by whom the scope is told",
            ),
        ],
    )
    def test_what_can_never_apply(self, grant: Grant, why: str) -> None:
        """A grant that no question is ever about is told, with the reason."""
        told = f"role a: a grant on {grant.kind!r} can never apply: {why} (correct or remove it)"
        assert [told] == refused(lambda: rules(grant))
        assert [told] == refused(lambda: rules(forbids=(grant,)))

    @pytest.mark.parametrize(
        "grant",
        [
            Grant("lead", "convert", pipeline="leads", stage="new"),
            Grant("*", ["convert", "reverse"]),
            Grant("deal", ["convert", "read"]),
            Grant("deal", "move", stage="asked", to=["solved"]),
            Grant("deal", "move", stage="open", to=["solved"]),
            Grant("deal", "move", pipeline="sales", stage="open", to=[]),
            Grant("*", "move", stage="new", to=["won"]),
            Grant("*", "read", pipeline="service", stage="solved"),
            Grant("note", ["move", "read"]),
            Grant("note", ["assign", "create"]),
            Grant("*", "assign", "own"),
            Grant("*", "read", "opened"),
            Grant("note", "read", ["opened", "all"]),
            Grant("note", "read", ["own", "all"]),
            Grant("page", "read", ["opened", "own"]),
            Grant("contact", "read", ["opened", "own"]),
            Grant("deal", "read", fields=["margin", "title"]),
            Grant("*", ["read", "update"], fields=["margin", "rating"]),
            Grant("note", "read", fields="*"),
            Grant("deal", "update", [], stage="won"),
        ],
    )
    def test_near_misses(self, grant: Grant) -> None:
        """A grant that applies to anything at all is fine."""
        assert (grant,) == rules(grant).policy.roles[0].grants

    def test_every_scope_applies_to_what_is_owned_and_opened(self) -> None:
        """Leads and the standard kinds have an owner and may be opened."""
        grants = [Grant(kind, "read", scope) for kind in ("lead", "deal") for scope in Scope]
        assert 14 == len(rules(*grants).policy.roles[0].grants)

    def test_several_at_once(self) -> None:
        """Every mistake of every role, granted or forbidden, is in one error."""
        policy = Policy(
            [
                Role("b", [Grant("deal", "move", stage="wno", to=["opne", "won"])]),
                Role(
                    "a",
                    [Grant("dael", "read"), Grant("deal", "read", fields=["magrin", "titel"])],
                    forbids=[Grant("note", "assign"), Grant("deal", "convert")],
                ),
            ]
        )
        assert [
            "role a: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            "role a: there is no field of deal 'magrin', did you mean 'margin'? (correct the name)",
            "role a: there is no field of deal 'titel', did you mean 'title'? (correct the name)",
            (
                "role a: a grant on 'deal' can never apply: only leads are converted and taken"
                " back (correct or remove it)"
            ),
            (
                "role a: a grant on 'note' can never apply: it has no owner to assign"
                " (correct or remove it)"
            ),
            "role b: there is no stage of deal 'wno', did you mean 'won'? (correct the name)",
            "role b: there is no stage of deal 'opne', did you mean 'open'? (correct the name)",
        ] == refused(lambda: attrs.evolve(rules(), policy=policy, transforms={}))
