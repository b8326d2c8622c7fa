"""The organisation: who is near to whom, which roles come from where, and mistakes told at once."""

import copy
import pickle
from collections.abc import Callable
from itertools import permutations

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Decision,
    Grant,
    Member,
    Organisation,
    Policy,
    Role,
    Unit,
    errors,
)
from leadconvert.organisation import Organised


# board, headed by max
# ├── sales (mona, mike): sam, sue
# │   ├── north (nora): ned
# │   │   └── port (nobody): pia
# │   └── south (sam): sid
# └── service (sara): seth
DEPARTMENTS = (
    Unit("board", heads=["max"], roles=["director"], roles_below=["employee"]),
    Unit("sales", "board", heads=["mona", "mike"], roles=["seller"], roles_below=["caller"]),
    Unit("north", "sales", heads=["nora"], roles=["northern"]),
    Unit("port", "north"),
    Unit("south", "sales", heads=["sam"]),
    Unit("service", "board", heads=["sara"]),
)
# east (tess): sue, ned; below it east-1 (tim): pia
TEAMS = (
    Unit("east", heads=["tess"], roles=["eastern"], roles_below=["junior"]),
    Unit("east-1", "east", heads=["tim"]),
)
GROUPS = (
    Unit("staff", roles=["voter"], roles_below=["insider"]),
    Unit("jury", "staff", heads=["sid"]),
)
MEMBERS = (
    Member("sam", departments=["sales"]),
    Member("sue", departments=["sales"], teams=["east"], roles=["analyst"]),
    Member("mona", departments=["sales"]),  # listed, though a head is a member anyway
    Member("ned", departments=["north"], teams=["east"], groups=["staff"]),
    Member("pia", departments=["port"], teams=["east-1"], groups=["jury"]),
    Member("sid", departments=["south"]),
    Member("seth", departments=["service"]),
    Member("lone"),
)
COMPANY = Organisation(departments=DEPARTMENTS, teams=TEAMS, groups=GROUPS, members=MEMBERS)
READ = AccessRequest(action="read", kind="deal", owner_id="sue")


def near(user: str, company: Organisation = COMPANY) -> dict[str, str]:
    """Whose records are near to *user*, by scope, as words in alphabetical order."""
    actor = company.expand(Actor(user))
    scopes = ("department", "subdepartments", "team", "subteams")
    return {scope: " ".join(sorted(getattr(actor, scope))) for scope in scopes}


def roles(user: str, company: Organisation = COMPANY) -> str:
    """The roles of *user* through the organisation, as words in alphabetical order."""
    return " ".join(sorted(company.expand(Actor(user)).roles))


def refused(make: Callable[[], object]) -> list[str]:
    """The mistakes that *make* is refused for, as they are told."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


class TestUnit:
    def test_sets(self) -> None:
        """Heads and roles come in any collection and have no order."""
        assert Unit("a", heads=["x", "y"]) == Unit("a", None, heads={"y", "x"})
        assert Unit("a", roles=["x", "y"]) == Unit("a", roles=("y", "x", "y"))
        assert Unit("a", roles_below=["x", "y"]) == Unit("a", roles_below=iter(["y", "x"]))

    @pytest.mark.parametrize("name", ["heads", "roles", "roles_below"])
    def test_one_text_where_a_list_belongs(self, name: str) -> None:
        """One text where a list belongs is refused, so that no letter is a head or a role."""
        loose: Callable[..., object] = Unit
        with pytest.raises(TypeError, match="not one text"):
            loose("a", **{name: "ada"})

    def test_an_id_or_a_parent_that_is_no_text(self) -> None:
        """Ids are text."""
        loose: Callable[..., object] = Unit
        with pytest.raises(TypeError):
            loose(7)
        with pytest.raises(TypeError):
            loose("a", 7)


class TestMember:
    def test_sets(self) -> None:
        """Units and roles come in any collection and have no order."""
        one = Member("u", departments=["x", "y"], teams=["x", "y"], groups=["a", "b"], roles=["r"])
        assert one == Member(
            "u", departments=("y", "x"), teams={"x", "y"}, groups=["b", "a"], roles={"r"}
        )

    @pytest.mark.parametrize("name", ["departments", "teams", "groups", "roles"])
    def test_one_text_where_a_list_belongs(self, name: str) -> None:
        """One text where a list belongs is refused, so that no letter is a unit or a role."""
        loose: Callable[..., object] = Member
        with pytest.raises(TypeError, match="not one text"):
            loose("u", **{name: "sales"})

    def test_an_id_that_is_no_text(self) -> None:
        """Ids are text."""
        loose: Callable[..., object] = Member
        with pytest.raises(TypeError):
            loose(7)


class TestMistakes:
    def test_everything_at_once(self) -> None:
        """Every mistake of every sort is told together, with what was probably meant."""
        assert [
            "departments: department 'sales' stands twice (remove or rename one)",
            "departments: a department needs an id that is not blank (give it one)",
            (
                "department north: there is no department 'slaes', did you mean 'sales'?"
                " (correct the name)"
            ),
            "department sales: a head needs an id that is not blank (give it one)",
            (
                "departments: departments form a circle of parents: a, b"
                " (give one of them another parent, or none)"
            ),
            "teams: team 'east' stands twice (remove or rename one)",
            "team east: there is no team 'nowhere' (correct the name)",
            "groups: a group needs an id that is not blank (give it one)",
            "members: member 'u-7' stands twice (remove or rename one)",
            "members: a member needs an id that is not blank (give it one)",
            "member u-1: there is no department 'nroth', did you mean 'north'? (correct the name)",
            "member u-1: there is no team 'easd', did you mean 'east'? (correct the name)",
            "member u-1: there is no team 'sales' (correct the name)",
            "member u-1: there is no group 'jury' (correct the name)",
        ] == refused(
            lambda: Organisation(
                departments=[
                    Unit("sales"),
                    Unit("sales", heads=[" "]),
                    Unit("north", "slaes"),
                    Unit(" "),
                    Unit("b", "a"),
                    Unit("a", "b"),
                ],
                teams=[Unit("east"), Unit("east", "nowhere")],
                groups=[Unit("")],
                members=[
                    Member("u-7"),
                    Member("u-7"),
                    Member(""),
                    Member("u-1", departments=["nroth"], teams=["easd", "sales"], groups=["jury"]),
                ],
            )
        )

    @pytest.mark.parametrize("order", list(permutations("abcde")))
    def test_each_circle_once(self, order: tuple[str, ...]) -> None:
        """Each circle is told once, from its first name on, whatever the order; tails are none."""
        units = {
            "a": Unit("a", "d"),  # leads into the circle
            "b": Unit("b", "d"),
            "c": Unit("c", "b"),
            "d": Unit("d", "c"),
            "e": Unit("e", "e"),
        }
        way_out = "(give one of them another parent, or none)"
        assert [
            f"teams: teams form a circle of parents: b, d, c {way_out}",
            f"teams: teams form a circle of parents: e {way_out}",
        ] == refused(lambda: Organisation(teams=[units[name] for name in order]))

    def test_the_circle_as_plain_facts(self) -> None:
        """A circle names its units, each followed by its parent."""
        with pytest.raises(errors.DefinitionError) as caught:
            Organisation(groups=[Unit("z", "y"), Unit("y", "x"), Unit("x", "z")])
        (problem,) = caught.value.problems
        assert "parent_cycle" == problem.code
        assert {"what": "groups", "names": ("x", "z", "y")} == problem.params

    def test_nobody_is_guessed_to_be_their_own_parent(self) -> None:
        """A unit whose parent is misspelt is not told that it might be meant itself."""
        assert ["department north: there is no department 'norht' (correct the name)"] == refused(
            lambda: Organisation(departments=[Unit("north", "norht")])
        )

    def test_each_sort_has_names_of_its_own(self) -> None:
        """A department, a team, a group and a member may share an id; a parent is of one's sort."""
        shared = [Unit("a")]
        assert Organisation(departments=shared, teams=shared, groups=shared, members=[Member("a")])
        assert ["team b: there is no team 'sales' (correct the name)"] == refused(
            lambda: Organisation(departments=[Unit("sales")], teams=[Unit("b", "sales")])
        )

    @pytest.mark.parametrize("name", ["departments", "teams", "groups", "members"])
    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ("sales", "is needed here: write"),
            (["sales"], "holds a str$"),
            ([None], "holds None$"),
        ],
    )
    def test_something_else_in_the_lists(self, name: str, value: object, told: str) -> None:
        """What is no unit or member is refused where it is handed over."""
        loose: Callable[..., object] = Organisation
        with pytest.raises(TypeError, match=f"^a list of (Unit|Member) {told}"):
            loose(**{name: value})


class Counted(dict[str, set[str]]):
    """A mapping that counts how often it is asked."""

    looked_up = 0

    def __getitem__(self, name: str) -> set[str]:
        self.looked_up += 1
        return super().__getitem__(name)


class TestExpand:
    @pytest.mark.parametrize("user", ["stranger", "lone", "sales", ""])
    def test_whom_it_does_not_know(self, user: str) -> None:
        """Whoever is in no unit gets nothing, and comes back unchanged."""
        plain = Actor(user, ["guest"], department=["x"], team=["y"])
        assert plain == COMPANY.expand(plain)
        assert plain == Organisation().expand(plain)

    def test_a_member(self) -> None:
        """A member reaches their peers, and everybody below; never their heads."""
        assert {
            "department": "sam sue",
            "subdepartments": "ned nora pia sam sid sue",
            "team": "ned sue",
            "subteams": "pia tim",
        } == near("sue")

    def test_a_head(self) -> None:
        """A head reaches the members, the fellow heads, and everybody below."""
        below = "mike mona ned nora pia sam sid sue"
        assert {
            "department": "mike mona sam sue",
            "subdepartments": below,
            "team": "",
            "subteams": "",
        } == near("mike")
        assert near("mike") == near("mona")
        assert {
            "department": "",
            "subdepartments": "",
            "team": "ned sue tess",
            "subteams": "pia tim",
        } == near("tess")

    def test_the_top_and_the_bottom(self) -> None:
        """The head of the topmost reaches everybody; nothing is above or beside a leaf."""
        everybody = "max mike mona ned nora pia sam sara seth sid sue"
        assert "max" == near("max")["department"]
        assert everybody == near("max")["subdepartments"]
        assert {
            "department": "pia",
            "subdepartments": "pia",
            "team": "pia",
            "subteams": "",
        } == near("pia")

    def test_head_of_one_and_member_of_another(self) -> None:
        """Each unit counts by itself: who heads one is a plain member of the other."""
        assert "sam sid sue" == near("sam")["department"]  # of sales but its heads, and of south
        assert "sid" == near("sid")["department"]  # sam heads south

    def test_a_superior_reached_through_another_unit(self) -> None:
        """A superior who is a plain member, or below, elsewhere is reached from there."""
        boss, ada = Unit("a", heads=["boss"]), Member("ada", departments=["a", "b"])
        beside = Organisation(
            departments=[boss, Unit("b")], members=[ada, Member("boss", departments=["b"])]
        )
        assert "ada boss" == near("ada", beside)["department"]
        below = Organisation(
            departments=[boss, Unit("c", "a", heads=["boss"])],
            members=[Member("ada", departments=["a"])],
        )
        assert "ada" == near("ada", below)["department"]
        assert "ada boss" == near("ada", below)["subdepartments"]

    def test_in_a_unit_and_in_one_below_it(self) -> None:
        """Who belongs to both reaches as a plain member of the one, and from above the other."""
        company = Organisation(
            teams=[Unit("a", heads=["ann"]), Unit("b", "a", heads=["bob"]), Unit("c", "b")],
            members=[Member("ada", teams=["a", "b"]), Member("cy", teams=["c"])],
        )
        assert "ada" == near("ada", company)["team"]
        assert "ada bob cy" == near("ada", company)["subteams"]

    def test_a_head_who_is_listed_as_a_member_too(self) -> None:
        """A head stays a superior, listed as a member or not."""
        listed = Organisation(
            departments=[Unit("a", heads=["boss"])],
            members=[Member("boss", departments=["a"]), Member("ada", departments=["a"])],
        )
        assert "ada" == near("ada", listed)["department"]
        assert "ada boss" == near("boss", listed)["department"]

    def test_groups_bring_nobody_nearer(self) -> None:
        """A group gives roles, and no owner's records."""
        company = Organisation(
            groups=[Unit("g", roles=["r"])],
            members=[Member("ada", groups=["g"]), Member("bob", groups=["g"])],
        )
        assert Actor("ada", ["r"]) == company.expand(Actor("ada"))

    @pytest.mark.parametrize(
        ("user", "expected"),
        [
            ("max", "director"),
            ("mike", "employee seller"),  # a head is a member, listed or not
            ("sue", "analyst eastern employee seller"),
            ("nora", "caller employee northern"),
            ("ned", "caller eastern employee northern voter"),
            ("pia", "caller employee insider junior"),  # roles of north are not for port
            ("sam", "caller employee seller"),
            ("sid", "caller employee insider"),
            ("sara", "employee"),
            ("tess", "eastern"),
            ("tim", "junior"),
            ("lone", ""),
        ],
    )
    def test_roles(self, user: str, expected: str) -> None:
        """One's own roles, those of one's units, and those every unit above hands down."""
        assert expected == roles(user)

    def test_it_only_adds(self) -> None:
        """What an actor brought stays, in every part."""
        brought = Actor(
            "sue", ["a"], department=["b"], subdepartments=["c"], team=["d"], subteams=["e"]
        )
        plain, added = COMPANY.expand(Actor("sue")), COMPANY.expand(brought)
        assert plain.roles | {"a"} == added.roles
        assert plain.department | {"b"} == added.department
        assert plain.subdepartments | {"c"} == added.subdepartments
        assert plain.team | {"d"} == added.team
        assert plain.subteams | {"e"} == added.subteams

    def test_twice_is_once(self) -> None:
        """To expand again changes nothing."""
        once = COMPANY.expand(Actor("sue", ["a"]))
        assert once == COMPANY.expand(once)

    def test_order_makes_no_difference(self) -> None:
        """Units and members in any order make the same organisation."""
        users = [member.id for member in MEMBERS] + ["max", "mike", "nora", "sara", "tess", "tim"]
        for departments in list(permutations(DEPARTMENTS))[::37]:
            turned = Organisation(
                departments=departments,
                teams=TEAMS[::-1],
                groups=GROUPS[::-1],
                members=MEMBERS[::-1],
            )
            assert COMPANY == turned
            assert repr(COMPANY.departments) == repr(turned.departments)
            for user in users:
                assert COMPANY.expand(Actor(user)) == turned.expand(Actor(user))

    def test_a_deep_tree(self) -> None:
        """A thousand levels are no deeper than two, for roles from above and for who is below."""
        company = Organisation(
            departments=[
                Unit(f"d-{level}", f"d-{level - 1}" if level else None, roles_below=[f"r-{level}"])
                for level in range(1000)
            ],
            members=[Member(f"u-{level}", departments=[f"d-{level}"]) for level in range(1000)],
        )
        top, bottom = company.expand(Actor("u-0")), company.expand(Actor("u-999"))
        assert frozenset({"u-0"}) == top.department
        assert 1000 == len(top.subdepartments)
        assert frozenset() == top.roles
        assert frozenset({"u-999"}) == bottom.subdepartments
        assert 999 == len(bottom.roles)
        assert company == pickle.loads(pickle.dumps(company))  # noqa: S301 - our own bytes

    def test_each_unit_is_looked_at_once(self) -> None:
        """Who belongs to every unit of a deep tree costs no more than the units there are."""
        company = Organisation(
            teams=[
                Unit(f"t-{level}", f"t-{level - 1}" if level else None) for level in range(1000)
            ],
            members=[Member("ada", teams=[f"t-{level}" for level in range(1000)])],
        )
        counted = Counted(company._team_tree.people)
        assert {"ada"} == attrs.evolve(company._team_tree, people=counted).beneath("ada")
        assert 999 == counted.looked_up

    def test_a_deep_circle(self) -> None:
        """A circle of a thousand is told as one."""
        units = [Unit(f"d-{level:03}", f"d-{(level + 1) % 1000:03}") for level in range(1000)]
        with pytest.raises(errors.DefinitionError) as caught:
            Organisation(departments=units)
        (problem,) = caught.value.problems
        assert tuple(unit.id for unit in units) == problem.params["names"]


class TestValue:
    @pytest.mark.parametrize(
        "again",
        [
            copy.copy(COMPANY),
            copy.deepcopy(COMPANY),
            pickle.loads(pickle.dumps(COMPANY)),  # noqa: S301 - our own bytes
            attrs.evolve(COMPANY),
        ],
        ids=["copied", "deep-copied", "pickled", "evolved"],
    )
    def test_a_plain_value(self, again: Organisation) -> None:
        """An organisation that travelled is equal, and expands alike."""
        assert COMPANY == again
        assert hash(COMPANY) == hash(again)
        assert near("mike") == near("mike", again)
        assert roles("pia") == roles("pia", again)

    def test_changed(self) -> None:
        """A changed organisation is another one, and knows of the change."""
        joined = attrs.evolve(COMPANY, members=[*MEMBERS, Member("new", departments=["port"])])
        assert joined != COMPANY
        assert "new pia" == near("pia", joined)["department"]
        assert "pia" == near("pia")["department"]

    def test_lists_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no organisation."""
        members = [Member("u-7")]
        company = Organisation(members=members)
        members.append(Member("u-8"))
        assert (Member("u-7"),) == company.members

    def test_what_it_shows(self) -> None:
        """The indexes are not shown."""
        assert "Organisation(departments=(), teams=(), groups=(), members=())" == repr(
            Organisation()
        )


SELLER = Grant("deal", "read", "department")
OTHERS = ("analyst", "caller", "director", "eastern", "employee", "insider", "junior", "northern")
POLICY = Policy([Role("seller", [SELLER]), Role("voter"), *map(Role, OTHERS)])


class Echo:
    """An engine of a host's: permits everything, and remembers nothing."""

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Permit, and tell the roles one has."""
        return Decision(
            actor_id=actor.id, request=request, allowed=True, code=" ".join(sorted(actor.roles))
        )


class TestOver:
    def test_decides_for_the_expanded_actor(self) -> None:
        """The answer is that of the policy about the expanded actor, with the actor's id."""
        granted = Decision(
            actor_id="sam", request=READ, allowed=True, code="granted", role="seller", grant=SELLER
        )
        company = COMPANY.over(POLICY)
        assert granted == company.decide(Actor("sam"), READ)
        assert granted == POLICY.decide(COMPANY.expand(Actor("sam")), READ)
        assert "no_grant" == POLICY.decide(Actor("sam"), READ).code

    def test_nothing_for_whom_it_does_not_know(self) -> None:
        """A stranger is denied, as without an organisation."""
        stranger = Actor("stranger", ["unheard_of"])
        denied = COMPANY.over(POLICY).decide(stranger, READ)
        assert POLICY.decide(stranger, READ) == denied
        assert ("stranger", False, "no_grant") == (denied.actor_id, denied.allowed, denied.code)
        assert ("unheard_of",) == denied.unknown_roles

    def test_every_scope_told_by_owners_reaches_ones_own(self) -> None:
        """A user reaches their own records within every such scope, listed anywhere or not."""
        for scope in ("own", "department", "subdepartments", "team", "subteams"):
            policy = Policy([Role("r", [Grant("deal", "read", scope)])])
            company = Organisation(members=[Member("sue", roles=["r"])]).over(policy)
            assert company.decide(Actor("sue"), READ).allowed

    def test_an_engine_of_ones_own(self) -> None:
        """Any authorizer can be asked for the expanded actor; its roles are its own affair."""
        decision = COMPANY.over(Echo()).decide(Actor("sara"), READ)
        assert ("sara", "employee", READ) == (decision.actor_id, decision.code, decision.request)

    def test_roles_the_policy_does_not_have(self) -> None:
        """Every role the policy does not have is told, with its place and what was meant."""
        company = Organisation(
            departments=[Unit("north", roles=["sellr", "seller"], roles_below=["odd"])],
            teams=[Unit("east", roles=["sellers"])],
            groups=[Unit("jury", roles_below=["voter"])],
            members=[Member("u-7", roles=["callr"]), Member("u-8", roles=["caller"])],
        )
        policy = Policy([Role("seller"), Role("caller")])
        assert [
            "department north: there is no role 'odd' (correct the name)",
            "department north: there is no role 'sellr', did you mean 'seller'? (correct the name)",
            "team east: there is no role 'sellers', did you mean 'seller'? (correct the name)",
            "group jury: there is no role 'voter' (correct the name)",
            "member u-7: there is no role 'callr', did you mean 'caller'? (correct the name)",
        ] == refused(lambda: company.over(policy))

    def test_a_policy_that_permits_everything(self) -> None:
        """It has no roles, so an organisation that gives any is told so."""
        company = Organisation(members=[Member("u-7", roles=["seller"])])
        assert ["member u-7: there is no role 'seller' (correct the name)"] == refused(
            lambda: company.over(Policy.allow_all())
        )
        decision = Organisation().over(Policy.allow_all()).decide(Actor("u-7"), READ)
        assert ("u-7", "unrestricted") == (decision.actor_id, decision.code)

    def test_a_plain_value(self) -> None:
        """The authorizer made is equal to any other of the same, and pickles."""
        company = COMPANY.over(POLICY)
        assert Organised(COMPANY, POLICY) == company
        assert company == pickle.loads(pickle.dumps(company))  # noqa: S301 - our own bytes
