"""Access: actors, grants, questions and decisions, as values that say no more than they mean."""

import copy
import pickle
from collections.abc import Callable, Iterable

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Decision,
    Grant,
    Scope,
    errors,
)


READ_MINE = AccessRequest(action="read", kind="deal", owner_id="u-7")

# u-7 belongs to a department with ben, above that of dot; to a team with tom, above that of sue
NEAR = Actor(
    "u-7",
    department=["ben"],
    subdepartments=["ben", "dot"],
    team=["tom"],
    subteams=["sue"],
)


def refused(make: Callable[[], object]) -> list[str]:
    """The mistakes that *make* is refused for, as they are told."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


class TestActor:
    def test_names_are_sets(self) -> None:
        """Roles and near owners come in any collection and have no order."""
        assert Actor("u-7", roles={"a", "b"}) == Actor("u-7", roles=iter(["b", "a", "a"]))
        assert Actor("u-7", team={"a", "b"}) == Actor("u-7", team=["b", "a", "a"])
        assert Actor("u-7", team=["a"]) != Actor("u-7", subteams=["a"])

    def test_nobody_is_near_unless_said(self) -> None:
        """An actor has no roles, and nobody near, but what is given."""
        lone = Actor("u-7")
        assert [frozenset()] * 5 == [
            lone.roles,
            lone.department,
            lone.subdepartments,
            lone.team,
            lone.subteams,
        ]

    @pytest.mark.parametrize("name", ["roles", "department", "subdepartments", "team", "subteams"])
    @pytest.mark.parametrize("wrong", ["sales", [7]], ids=["one text", "no texts"])
    def test_one_text_or_none_where_texts_belong(self, name: str, wrong: object) -> None:
        """One text where several belong is refused, so that no letter is a role or an owner."""
        loose: Callable[..., object] = Actor
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            loose("u-7", **{name: wrong})

    def test_an_id_that_is_no_text(self) -> None:
        """Ids are text."""
        loose: Callable[..., object] = Actor
        with pytest.raises(TypeError):
            loose(7)

    def test_a_long_list_of_owners_is_not_shown(self) -> None:
        """The repr of an actor tells id and roles, not everybody near."""
        assert "Actor(id='u-7', roles=frozenset({'sales'}))" == repr(
            attrs.evolve(NEAR, roles=["sales"])
        )

    def test_travels(self) -> None:
        """An actor pickles and copies into an equal one."""
        again = pickle.loads(pickle.dumps(NEAR))  # noqa: S301 - our own bytes
        assert NEAR == again == copy.deepcopy(NEAR)
        assert hash(NEAR) == hash(again)


class TestNames:
    def test_actions(self) -> None:
        """The actions are these, for ever: rules that are stored name them."""
        assert [
            "read",
            "create",
            "update",
            "delete",
            "convert",
            "move",
            "reopen",
            "reverse",
            "link",
            "merge",
            "assign",
        ] == [action.value for action in Action]

    def test_scopes(self) -> None:
        """The scopes are these, for ever."""
        assert [
            "own",
            "department",
            "subdepartments",
            "team",
            "subteams",
            "opened",
            "all",
        ] == [scope.value for scope in Scope]


class TestGrant:
    def test_one_name_or_several(self) -> None:
        """Actions, scope, moves and fields take one name or several."""
        assert frozenset({Action.READ}) == Grant("deal", "read").actions
        assert frozenset({Action.READ, Action.LINK}) == Grant("deal", ["read", "link"]).actions
        assert frozenset({Scope.ALL}) == Grant("deal", "read").scope
        assert frozenset({Scope.OWN, Scope.ALL}) == Grant("deal", "read", ["own", "all"]).scope
        assert frozenset({"won"}) == Grant("deal", "move", to="won").to
        assert frozenset({"won", "lost"}) == Grant("deal", "move", to=["won", "lost"]).to
        assert frozenset({"margin"}) == Grant("deal", "read", fields="margin").fields

    def test_what_is_not_said(self) -> None:
        """A grant that names no pipeline, stage, move or field speaks of them all, or of none."""
        bare = Grant("deal", "move")
        assert (None, None, None, None) == (bare.pipeline, bare.stage, bare.to, bare.fields)
        assert frozenset() == Grant("deal", "move", stage="won", to=[]).to

    def test_order_says_nothing(self) -> None:
        """Grants that say the same are equal and have one hash."""
        one = Grant("deal", ["read", "link"], ["own", "team"])
        assert one == Grant("deal", ["link", "read", "read"], ["team", "own"])
        assert 1 == len({one, Grant("deal", ["link", "read"], ["team", "own"])})

    @pytest.mark.parametrize("name", ["to", "fields"])
    def test_names_that_are_no_texts(self, name: str) -> None:
        """Stages and fields are named by texts."""
        loose: Callable[..., object] = Grant
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            loose("deal", "move", **{name: [7]})

    def test_a_kind_that_is_no_text(self) -> None:
        """Kinds are named by texts."""
        loose: Callable[..., object] = Grant
        with pytest.raises(TypeError):
            loose(7, "read")

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (
                lambda: Grant("deal", []),
                ["grant on deal: a grant with no action says nothing"],
            ),
            (
                lambda: Grant("deal", "read", fields=[]),
                ["grant on deal: a grant with no field says nothing"],
            ),
            (
                lambda: Grant("*", "read", []),
                ["grant on *: a grant with no scope and no stage to override says nothing"],
            ),
            (
                lambda: Grant("deal", "read", [], pipeline="sales"),
                ["grant on deal: a grant with no scope and no stage to override says nothing"],
            ),
        ],
        ids=["no action", "no field", "no scope", "no scope in a pipeline"],
    )
    def test_a_grant_that_says_nothing(
        self, make: Callable[[], object], told: Iterable[str]
    ) -> None:
        """A grant has an action, and a scope unless it overrides a stage."""
        way_out = "add what it lacks, or remove it"
        assert [f"{one} ({way_out})" for one in told] == refused(make)

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            (
                lambda: Grant("deal", ["read", "update"], to=["won"]),
                "to says nothing without the action move",
            ),
            (
                lambda: Grant("deal", "update", stage="won", to=[]),
                "to says nothing without the action move",
            ),
            (
                lambda: Grant("deal", ["read", "create"], fields="margin"),
                "fields says nothing with other actions than read and update",
            ),
            (
                lambda: Grant("deal", "read", "own", fields="margin"),
                "scope, pipeline or stage says nothing together with fields",
            ),
            (
                lambda: Grant("deal", "read", ["own", "all"], fields="margin"),
                "scope, pipeline or stage says nothing together with fields",
            ),
            (
                lambda: Grant("deal", "read", pipeline="sales", fields="margin"),
                "scope, pipeline or stage says nothing together with fields",
            ),
            (
                lambda: Grant("deal", "read", stage="won", fields="margin"),
                "scope, pipeline or stage says nothing together with fields",
            ),
        ],
        ids=[
            "to without move",
            "to nowhere without move",
            "fields to create",
            "fields with a scope",
            "fields with all and a scope",
            "fields with a pipeline",
            "fields with a stage",
        ],
    )
    def test_a_grant_that_contradicts_itself(self, make: Callable[[], object], told: str) -> None:
        """What says nothing beside the rest is told."""
        assert [f"grant on deal: {told} (leave it out)"] == refused(make)

    def test_all_contradictions_at_once(self) -> None:
        """Every contradiction of a grant is told together with the others."""
        way_out = "(leave it out)"
        assert [
            (
                "grant on deal: a grant with no scope and no stage to override says nothing"
                " (add what it lacks, or remove it)"
            ),
            f"grant on deal: to says nothing without the action move {way_out}",
            (
                "grant on deal: fields says nothing with other actions than read and update"
                f" {way_out}"
            ),
            f"grant on deal: scope, pipeline or stage says nothing together with fields {way_out}",
        ] == refused(lambda: Grant("deal", ["read", "link"], [], to=["won"], fields=["margin"]))

    def test_near_misses(self) -> None:
        """What only looks like a contradiction is none."""
        assert 5 == len(
            {
                Grant("deal", "move", [], stage="won"),
                Grant("deal", ["read", "move"], to=["won"]),
                Grant("deal", "move", stage="won", to=[]),
                Grant("deal", ["read", "update"], fields=["margin", "*"]),
                Grant("*", "read", "all", fields="*"),
            }
        )

    def test_unknown_names_all_at_once(self) -> None:
        """Every unknown action and scope is told, with a guess where one is likely."""
        assert [
            "there is no action 'convrt', did you mean 'convert'? (correct the name)",
            "there is no action 'reed', did you mean 'read'? (correct the name)",
            "there is no scope 'onw', did you mean 'own'? (correct the name)",
            (
                "there is no scope 'xyz' (choose among own, department, subdepartments, team,"
                " subteams, opened, all)"
            ),
        ] == [
            told.removeprefix("grant on deal: ")
            for told in refused(
                lambda: Grant("deal", ["reed", "create", "convrt"], ["xyz", "own", "onw"])
            )
        ]

    def test_an_unknown_name_makes_no_other_mistake(self) -> None:
        """What follows from a slip is not told beside it."""
        assert [
            "grant on deal: there is no action 'mvoe', did you mean 'move'? (correct the name)"
        ] == refused(lambda: Grant("deal", "mvoe", to=["won"]))

    def test_travels(self) -> None:
        """A grant pickles and copies into an equal one."""
        one = Grant("deal", ["read", "move"], ["own", "team"], stage="new", to=["won", "lost"])
        assert one == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)  # noqa: S301 - our own bytes


class TestIsAbout:
    @pytest.mark.parametrize(
        ("grant", "expected"),
        [
            (Grant("deal", "read"), True),
            (Grant("deal", ["create", "read"], "own"), True),
            (Grant("*", "read"), True),
            (Grant("deal", "update"), False),
            (Grant("lead", "read"), False),
            (Grant("deal", "read", pipeline="sales"), True),
            (Grant("deal", "read", pipeline="service"), False),
            (Grant("deal", "read", stage="open"), True),
            (Grant("deal", "read", stage="won"), False),
            (Grant("deal", "read", pipeline="sales", stage="open"), True),
            (Grant("deal", "read", pipeline="service", stage="open"), False),
            (Grant("deal", "read", pipeline="sales", stage="won"), False),
            (Grant("deal", "read", fields="margin"), False),
            (Grant("*", "read", fields="*"), False),
        ],
    )
    def test_of_a_record(self, grant: Grant, expected: bool) -> None:
        """A grant speaks of its kind, actions, pipeline and stage; one for fields of no record."""
        request = AccessRequest(
            action="read", kind="deal", owner_id="u-8", pipeline="sales", stage="open"
        )
        assert expected == grant.is_about(request)

    @pytest.mark.parametrize(
        ("grant", "expected"),
        [
            (Grant("deal", "read"), True),
            (Grant("deal", "read", pipeline="sales"), False),
            (Grant("deal", "read", stage="open"), False),
        ],
    )
    def test_of_a_record_that_stands_nowhere(self, grant: Grant, expected: bool) -> None:
        """A record without pipeline and stage is in none that a grant names."""
        assert expected == grant.is_about(AccessRequest(action="read", kind="deal"))

    @pytest.mark.parametrize(
        ("grant", "expected"),
        [
            (Grant("deal", "read", fields="margin"), True),
            (Grant("deal", ["read", "update"], fields=["cost", "margin"]), True),
            (Grant("deal", "read", fields="*"), True),
            (Grant("*", "read", fields="margin"), True),
            (Grant("deal", "read", fields="cost"), False),
            (Grant("deal", "update", fields="margin"), False),
            (Grant("lead", "read", fields="*"), False),
            (Grant("deal", "read"), False),
            (Grant("*", "read", "all"), False),
        ],
    )
    def test_of_a_field(self, grant: Grant, expected: bool) -> None:
        """Only a grant that names the field, or every field, speaks of a sensitive one."""
        request = AccessRequest(action="read", kind="deal", field="margin")
        assert expected == grant.is_about(request)


class TestReaches:
    @pytest.mark.parametrize(
        ("scope", "expected"),
        [
            ("own", "u-7"),
            ("department", "u-7 ben"),
            ("subdepartments", "u-7 ben dot"),
            ("team", "u-7 tom"),
            ("subteams", "u-7 sue"),
            ("opened", ""),
            ("all", "u-7 ben dot tom sue zoe nobody"),
            (["own", "opened"], "u-7"),
            (["department", "subteams"], "u-7 ben sue"),
            (["team", "all"], "u-7 ben dot tom sue zoe nobody"),
            ([], ""),
        ],
        ids=str,
    )
    def test_by_owner(self, scope: str | list[str], expected: str) -> None:
        """Each scope reaches the records of the owners it is named for, and one's own."""
        grant = Grant("deal", "read", scope, stage="open")
        owners = {name: name for name in ("u-7", "ben", "dot", "tom", "sue", "zoe")}
        reached = [
            name
            for name, owner in {**owners, "nobody": None}.items()
            if grant.reaches(NEAR, AccessRequest(action="read", kind="deal", owner_id=owner))
        ]
        assert expected.split() == reached

    @pytest.mark.parametrize("owner", ["u-7", "zoe", None])
    def test_opened(self, owner: str | None) -> None:
        """What is opened to everyone is reached by that scope, whoever owns it, and by all."""
        request = AccessRequest(action="read", kind="deal", owner_id=owner, opened=True)
        assert Grant("deal", "read", "opened").reaches(Actor("u-7"), request)
        assert Grant("deal", "read", ["own", "opened"]).reaches(Actor("u-7"), request)
        assert Grant("deal", "read", "all").reaches(Actor("u-7"), request)
        assert ("u-7" == owner) == Grant("deal", "read", "own").reaches(Actor("u-7"), request)

    @pytest.mark.parametrize("scope", ["department", "subdepartments", "team", "subteams"])
    def test_ones_own_are_near_to_oneself(self, scope: str) -> None:
        """A scope told by owners reaches one's own records, even where nobody is near."""
        assert Grant("deal", "read", scope).reaches(Actor("u-7"), READ_MINE)

    @pytest.mark.parametrize(
        ("to", "expected"),
        [
            (None, [True, True, True, True]),
            (["won"], [True, True, False, False]),
            (["won", "lost"], [True, True, True, False]),
            ([], [True, False, False, False]),
        ],
        ids=["any", "one", "two", "none"],
    )
    def test_where_to(self, to: list[str] | None, expected: list[bool]) -> None:
        """A list of stages counts for moves alone, and then it must be said where to."""
        grant = Grant("deal", ["read", "move"], "own", stage="open", to=to)
        move = attrs.evolve(READ_MINE, action="move", stage="open")
        requests = [READ_MINE, *(attrs.evolve(move, to_stage=to) for to in ("won", "lost", None))]
        assert expected == [grant.reaches(Actor("u-7"), request) for request in requests]

    def test_where_to_and_whose(self) -> None:
        """A stage that is listed opens no record out of scope."""
        grant = Grant("deal", "move", "own", to=["won"])
        theirs = AccessRequest(action="move", kind="deal", owner_id="u-8", to_stage="won")
        assert not grant.reaches(Actor("u-7"), theirs)


class TestAccessRequest:
    def test_an_action_by_its_name(self) -> None:
        """An action is told by name or by its member."""
        assert AccessRequest(action="read", kind="deal") == AccessRequest(
            action=Action.READ, kind="deal"
        )

    def test_an_action_that_does_not_exist(self) -> None:
        """A request for an action that does not exist is a misused signature."""
        loose: Callable[..., object] = AccessRequest
        with pytest.raises(ValueError, match="explode"):
            loose(action="explode", kind="deal")

    def test_what_is_not_said(self) -> None:
        """A question holds nothing but what is given."""
        asked = AccessRequest(action="move", kind="deal")
        assert (None, None, False, None, None, None, None) == (
            asked.id,
            asked.owner_id,
            asked.opened,
            asked.pipeline,
            asked.stage,
            asked.to_stage,
            asked.field,
        )

    def test_equal_by_content(self) -> None:
        """Two questions that ask the same are one, on any journey."""
        again = pickle.loads(pickle.dumps(READ_MINE))  # noqa: S301 - our own bytes
        assert 1 == len({READ_MINE, again, copy.deepcopy(READ_MINE)})
        assert READ_MINE != attrs.evolve(READ_MINE, opened=True)


class TestDecision:
    def test_what_is_not_said(self) -> None:
        """A decision names no role and no grant unless one decided."""
        denied = Decision(actor_id="u-7", request=READ_MINE, allowed=False, code="denied")
        assert (None, None, (), ()) == (
            denied.role,
            denied.grant,
            denied.could,
            denied.unknown_roles,
        )

    def test_whose_it_is_must_be_said(self) -> None:
        """A decision is that of one actor, and counts for nobody else."""
        loose: Callable[..., object] = Decision
        with pytest.raises(TypeError, match="actor_id"):
            loose(request=READ_MINE, allowed=True, code="granted")

    def test_travels(self) -> None:
        """A decision pickles and copies into an equal one."""
        decision = Decision(
            actor_id="u-7",
            request=READ_MINE,
            allowed=True,
            code="granted",
            role="sales",
            grant=Grant("deal", "read", "own"),
        )
        again = pickle.loads(pickle.dumps(decision))  # noqa: S301 - our own bytes
        assert decision == again == copy.deepcopy(decision)
        assert hash(decision) == hash(again)
        assert decision != attrs.evolve(decision, actor_id="u-8")
