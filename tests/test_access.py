"""Access: nothing without a grant, the widest grant wins, and mistakes are told at once."""

from collections.abc import Callable
from itertools import permutations

import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Decision,
    Grant,
    Policy,
    Role,
    Scope,
    errors,
)


OWN = Grant("deal", ["read", "create"], "own")
ALL = Grant("deal", "read")
ANY = Grant("*", "link", ["own", "all"])
POLICY = Policy([Role("sales", [OWN]), Role("viewer", [ALL]), Role("linker", [ANY])])
READ_MINE = AccessRequest(action="read", kind="deal", owner_id="u-7")
READ_THEIRS = AccessRequest(action="read", kind="deal", owner_id="u-8")


class TestActor:
    def test_roles_are_a_set(self) -> None:
        """Roles come in any collection and have no order."""
        assert Actor("u-7", roles={"a", "b"}) == Actor("u-7", roles=["b", "a", "a"])
        assert frozenset() == Actor("u-7").roles

    def test_one_text_as_roles(self) -> None:
        """One text where roles belong is refused, so that no letter is a role."""
        loose: Callable[..., object] = Actor
        with pytest.raises(TypeError, match="not one text"):
            loose("u-7", roles="sales")

    def test_an_id_that_is_no_text(self) -> None:
        """Ids are text."""
        loose: Callable[..., object] = Actor
        with pytest.raises(TypeError):
            loose(7)


class TestGrant:
    def test_one_name_or_several(self) -> None:
        """Actions and scope take one name or several."""
        assert frozenset({Action.READ}) == Grant("deal", "read").actions
        assert frozenset({Scope.ALL}) == Grant("deal", "read").scope
        assert frozenset({Scope.OWN, Scope.ALL}) == Grant("deal", "read", ["own", "all"]).scope

    def test_unknown_actions_all_at_once(self) -> None:
        """Every unknown action is told, with a guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Grant("deal", ["reed", "create", "convrt"])
        assert [
            "grant: there is no action 'reed', did you mean 'read'? (correct the name)",
            "grant: there is no action 'convrt', did you mean 'convert'? (correct the name)",
        ] == [str(problem) for problem in caught.value.problems]

    def test_an_unknown_scope(self) -> None:
        """An unknown scope is told; without a likely one there is no guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Grant("deal", "read", "department")
        assert "grant: there is no scope 'department' (correct the name)" == str(caught.value)

    def test_an_unknown_action_in_a_request(self) -> None:
        """A request for an action that does not exist is a misused signature."""
        loose: Callable[..., object] = AccessRequest
        with pytest.raises(ValueError, match="explode"):
            loose(action="explode", kind="deal")

    def test_what_a_grant_is_about(self) -> None:
        """A grant speaks of its kind, or of all, and of its actions only."""
        assert OWN.is_about(READ_MINE)
        assert not OWN.is_about(AccessRequest(action="update", kind="deal"))
        assert not OWN.is_about(AccessRequest(action="read", kind="lead"))
        assert ANY.is_about(AccessRequest(action="link", kind="company"))

    def test_whom_a_grant_reaches(self) -> None:
        """Own reaches the actor's records, never those of nobody."""
        nobodys = AccessRequest(action="read", kind="deal")
        ada = Actor("u-7")
        assert OWN.reaches(ada, READ_MINE)
        assert not OWN.reaches(ada, READ_THEIRS)
        assert not OWN.reaches(ada, nobodys)
        assert ALL.reaches(ada, nobodys)
        assert not Grant("deal", "read", []).reaches(ada, READ_MINE)


class TestPolicy:
    def test_nothing_without_a_grant(self) -> None:
        """An empty policy, and an actor without roles, permit nothing."""
        expected = Decision(allowed=False, code="no_grant", request=READ_MINE)
        assert expected == Policy().decide(Actor("u-7", roles=["sales"]), READ_MINE)
        assert expected == POLICY.decide(Actor("u-7"), READ_MINE)
        assert expected == POLICY.decide(Actor("u-7", roles=["unheard_of"]), READ_MINE)

    def test_granted_says_by_what(self) -> None:
        """A permission names the role and the grant that decided."""
        expected = Decision(
            allowed=True, code="granted", request=READ_MINE, role="sales", grant=OWN
        )
        assert expected == POLICY.decide(Actor("u-7", roles=["sales"]), READ_MINE)

    def test_out_of_scope(self) -> None:
        """A grant that does not reach says so."""
        expected = Decision(allowed=False, code="out_of_scope", request=READ_THEIRS)
        assert expected == POLICY.decide(Actor("u-7", roles=["sales"]), READ_THEIRS)

    @pytest.mark.parametrize("roles", list(permutations(["sales", "viewer", "linker"])))
    def test_the_widest_grant_wins(self, roles: tuple[str, ...]) -> None:
        """Of all roles the widest grant wins, whatever their order."""
        decision = POLICY.decide(Actor("u-7", roles=roles), READ_THEIRS)
        assert (True, "viewer", ALL) == (decision.allowed, decision.role, decision.grant)

    def test_allow_all(self) -> None:
        """Permitting everything is an explicit choice that says so."""
        expected = Decision(allowed=True, code="unrestricted", request=READ_THEIRS)
        assert expected == Policy.allow_all().decide(Actor("u-7"), READ_THEIRS)

    def test_all_mistakes_at_once(self) -> None:
        """A role that stands twice and one without an id are told together."""
        with pytest.raises(errors.DefinitionError) as caught:
            Policy([Role("sales"), Role(""), Role("sales")])
        assert [
            "policy: role 'sales' stands twice (remove or rename one)",
            "policy: a role needs an id that is not blank (give it one)",
        ] == [str(problem) for problem in caught.value.problems]
