"""Who may do what, written out by hand: every scope and relation, and what several roles amount to.

The cells are thought through from what the words mean; nothing here was printed by the code.
"""

from collections.abc import Iterator
from itertools import combinations

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Authorizer,
    Decision,
    Grant,
    Member,
    Organisation,
    Policy,
    Role,
    Scope,
    Unit,
)


# company, headed by carl: cleo                 region, headed by rex: roy
# ├── sales (mona, mike): ada, kim, sue         ├── east (mona, tess): ada, kim, tom
# │   └── north (nora): ned                     │   └── east-1 (tim): tina
# │       └── port (nobody): pia                │       └── east-1-1 (nobody): tia
# └── service (sara): seth                      └── west (wanda): wes
COMPANY = Organisation(
    departments=[
        Unit("company", heads=["carl"]),
        Unit("sales", "company", heads=["mona", "mike"]),
        Unit("north", "sales", heads=["nora"]),
        Unit("port", "north"),
        Unit("service", "company", heads=["sara"]),
    ],
    teams=[
        Unit("region", heads=["rex"]),
        Unit("east", "region", heads=["mona", "tess"]),
        Unit("east-1", "east", heads=["tim"]),
        Unit("east-1-1", "east-1"),
        Unit("west", "region", heads=["wanda"]),
    ],
    members=[
        Member("ada", departments=["sales"], teams=["east"]),
        Member("kim", departments=["sales"], teams=["east"]),
        Member("sue", departments=["sales"]),
        Member("ned", departments=["north"]),
        Member("pia", departments=["port"]),
        Member("seth", departments=["service"]),
        Member("cleo", departments=["company"]),
        Member("tom", teams=["east"]),
        Member("tina", teams=["east-1"]),
        Member("tia", teams=["east-1-1"]),
        Member("wes", teams=["west"]),
        Member("roy", teams=["region"]),
        Member("zoe"),
    ],
)

#: What ada reaches, a plain member of sales and east.
OF_A_MEMBER = """
record of                           | owner       | none own dept subdepts team subteams opened all
oneself                             | ada         | no   yes yes  yes      yes  yes      no     yes
oneself, opened to everyone         | ada opened  | no   yes yes  yes      yes  yes      yes    yes
same department                     | sue         | no   no  yes  yes      no   no       no     yes
head of own department              | mike        | no   no  no   no       no   no       no     yes
head of own department, opened      | mike opened | no   no  no   no       no   no       yes    yes
department below                    | ned         | no   no  no   yes      no   no       no     yes
head of a department below          | nora        | no   no  no   yes      no   no       no     yes
department two levels below         | pia         | no   no  no   yes      no   no       no     yes
sibling department                  | seth        | no   no  no   no       no   no       no     yes
head of a sibling department        | sara        | no   no  no   no       no   no       no     yes
department above                    | cleo        | no   no  no   no       no   no       no     yes
head of the department above        | carl        | no   no  no   no       no   no       no     yes
same team                           | tom         | no   no  no   no       yes  no       no     yes
head of own team                    | tess        | no   no  no   no       no   no       no     yes
team below                          | tina        | no   no  no   no       no   yes      no     yes
head of a team below                | tim         | no   no  no   no       no   yes      no     yes
team two levels below               | tia         | no   no  no   no       no   yes      no     yes
sibling team                        | wes         | no   no  no   no       no   no       no     yes
head of a sibling team              | wanda       | no   no  no   no       no   no       no     yes
team above                          | roy         | no   no  no   no       no   no       no     yes
head of the team above              | rex         | no   no  no   no       no   no       no     yes
same department and same team       | kim         | no   no  yes  yes      yes  no       no     yes
head of own department and own team | mona        | no   no  no   no       no   no       no     yes
stranger                            | zoe         | no   no  no   no       no   no       no     yes
stranger, opened to everyone        | zoe opened  | no   no  no   no       no   no       yes    yes
somebody never heard of             | xx          | no   no  no   no       no   no       no     yes
nobody                              | -           | no   no  no   no       no   no       no     yes
nobody, opened to everyone          | - opened    | no   no  no   no       no   no       yes    yes
"""

#: What mona reaches, who heads sales and east with another each.
OF_A_HEAD = """
record of                           | owner       | none own dept subdepts team subteams opened all
oneself                             | mona        | no   yes yes  yes      yes  yes      no     yes
fellow head of own department       | mike        | no   no  yes  yes      no   no       no     yes
member of own department            | sue         | no   no  yes  yes      no   no       no     yes
department below                    | ned         | no   no  no   yes      no   no       no     yes
head of a department below          | nora        | no   no  no   yes      no   no       no     yes
department two levels below         | pia         | no   no  no   yes      no   no       no     yes
sibling department                  | seth        | no   no  no   no       no   no       no     yes
head of a sibling department        | sara        | no   no  no   no       no   no       no     yes
department above                    | cleo        | no   no  no   no       no   no       no     yes
head of the department above        | carl        | no   no  no   no       no   no       no     yes
fellow head of own team             | tess        | no   no  no   no       yes  no       no     yes
member of own team                  | tom         | no   no  no   no       yes  no       no     yes
team below                          | tina        | no   no  no   no       no   yes      no     yes
head of a team below                | tim         | no   no  no   no       no   yes      no     yes
team two levels below               | tia         | no   no  no   no       no   yes      no     yes
sibling team                        | wes         | no   no  no   no       no   no       no     yes
team above                          | roy         | no   no  no   no       no   no       no     yes
head of the team above              | rex         | no   no  no   no       no   no       no     yes
member of own department and team   | ada         | no   no  yes  yes      yes  no       no     yes
stranger                            | zoe         | no   no  no   no       no   no       no     yes
stranger, opened to everyone        | zoe opened  | no   no  no   no       no   no       yes    yes
nobody                              | -           | no   no  no   no       no   no       no     yes
"""

#: What zoe reaches, who belongs nowhere: neither departments nor teams bring anybody near.
OF_A_STRANGER = """
record of                           | owner       | none own dept subdepts team subteams opened all
oneself                             | zoe         | no   yes yes  yes      yes  yes      no     yes
somebody with a department and team | ada         | no   no  no   no       no   no       no     yes
somebody never heard of             | xx          | no   no  no   no       no   no       no     yes
nobody                              | -           | no   no  no   no       no   no       no     yes
nobody, opened to everyone          | - opened    | no   no  no   no       no   no       yes    yes
"""

ACTIONS = list(Action)
#: A role for each scope; "none" has everything, but nothing where a deal is open, as ours are.
BY_SCOPE = (
    Role("none", [Grant("deal", ACTIONS, "all"), Grant("deal", ACTIONS, [], stage="open")]),
    *(Role(scope.value, [Grant("deal", ACTIONS, scope)]) for scope in Scope),
)
LEVELS = COMPANY.over(Policy(BY_SCOPE))
YES_OR_NO = {"yes": True, "no": False}


@attrs.frozen
class Line:
    """One line of a table of scopes: who asks, about whose record, and what each scope says."""

    actor: str
    record_of: str
    owner: str | None
    opened: bool
    cells: dict[str, bool]

    def asked(self, action: Action) -> AccessRequest:
        """The question about the record."""
        return AccessRequest(
            action=action, kind="deal", owner_id=self.owner, opened=self.opened, stage="open"
        )


def cells(table: str) -> Iterator[list[str]]:
    """Yield the cells of each line of a table."""
    for line in table.strip().splitlines():
        yield [cell.strip() for cell in line.split("|")]


def lines(actor: str, table: str) -> Iterator[Line]:
    """Yield the lines of a table of scopes."""
    (_, _, heading), *rest = cells(table)
    for record_of, owner, answers in rest:
        name, *flags = owner.split()
        scopes = heading.replace("dept", "department").split()
        said = zip(scopes, answers.split(), strict=True)
        yield Line(
            actor,
            record_of,
            None if name == "-" else name,
            flags == ["opened"],
            {scope: YES_OR_NO[answer] for scope, answer in said},
        )


LINES = [*lines("ada", OF_A_MEMBER), *lines("mona", OF_A_HEAD), *lines("zoe", OF_A_STRANGER)]


def title(line: Line) -> str:
    """How a line is called in a report."""
    return f"{line.actor}: {line.record_of}"


class TestScopes:
    def test_the_tables_are_whole(self) -> None:
        """Every scope has a column, and every person of the company a line for ada."""
        columns = ["none", *Scope]
        assert [columns] * len(LINES) == [list(line.cells) for line in LINES]
        people = {member.id for member in COMPANY.members}
        units = (*COMPANY.departments, *COMPANY.teams)
        people |= {head for unit in units for head in unit.heads}
        assert people == {line.owner for line in LINES if line.actor == "ada"} - {"xx", None}

    @pytest.mark.parametrize("line", LINES, ids=title)
    def test_each_scope(self, line: Line) -> None:
        """Each scope reaches the records it says, for every action alike."""
        for action in Action:
            decided = {
                scope: LEVELS.decide(Actor(line.actor, [scope]), line.asked(action)).allowed
                for scope in line.cells
            }
            assert line.cells == decided

    @pytest.mark.parametrize("line", LINES, ids=title)
    def test_scopes_combined(self, line: Line) -> None:
        """Two scopes reach what either does, whether one grant has both or two roles."""
        asked = line.asked(Action.READ)
        for one, other in combinations(Scope, 2):
            expected = line.cells[one] or line.cells[other]
            both = COMPANY.over(Policy([Role("both", [Grant("deal", "read", [one, other])])]))
            assert expected == both.decide(Actor(line.actor, ["both"]), asked).allowed
            assert expected == LEVELS.decide(Actor(line.actor, [one, other]), asked).allowed


ROLES = (
    # permits
    Role("own", [Grant("deal", "read", "own")]),
    Role("all", [Grant("deal", "read")]),
    Role("any_kind", [Grant("*", "read")]),
    Role("any_kind_own_deal", [Grant("*", "read"), Grant("deal", "read", "own")]),
    # another scope where a deal is won: narrower, none, wider; and a scope there alone
    Role("own_if_won", [Grant("deal", "read"), Grant("deal", "read", "own", stage="won")]),
    Role("none_if_won", [Grant("deal", "read"), Grant("deal", "read", [], stage="won")]),
    Role("all_if_won", [Grant("deal", "read", "own"), Grant("deal", "read", stage="won")]),
    Role("only_if_won", [Grant("deal", "read", stage="won")]),
    Role(
        "edit_unless_won",
        [Grant("deal", ["read", "update"]), Grant("deal", "update", [], stage="won")],
    ),
    # forbids
    Role("never", forbids=[Grant("deal", "read")]),
    Role("never_won", forbids=[Grant("deal", "read", stage="won")]),
    Role("never_own", forbids=[Grant("deal", "read", "own")]),
    Role("all_never_won", [Grant("deal", "read")], forbids=[Grant("deal", "read", stage="won")]),
    Role(
        "never_twice",
        forbids=[Grant("deal", "read"), Grant("deal", "read", "own", stage="won")],
    ),
    # pipelines
    Role("retail", [Grant("deal", "read", pipeline="retail")]),
    Role("own_or_retail", [Grant("deal", "read", "own"), Grant("deal", "read", pipeline="retail")]),
    Role(
        "all_own_retail", [Grant("deal", "read"), Grant("deal", "read", "own", pipeline="retail")]
    ),
    Role(
        "none_if_won_retail",
        [Grant("deal", "read"), Grant("deal", "read", [], pipeline="retail", stage="won")],
    ),
    Role(
        "retail_unless_won",
        [Grant("deal", "read", pipeline="retail"), Grant("deal", "read", [], stage="won")],
    ),
    Role(
        "own_won_retail",
        [
            Grant("deal", "read", [], stage="won"),
            Grant("deal", "read", "own", pipeline="retail", stage="won"),
        ],
    ),
    Role("never_retail", forbids=[Grant("deal", "read", pipeline="retail")]),
    # moves
    Role("mover", [Grant("deal", "move")]),
    Role("stayer", [Grant("deal", "move", to=[])]),
    Role("closer", [Grant("deal", "move", to=["won", "lost"])]),
    Role("own_closer", [Grant("deal", "move", "own", to=["won", "lost"])]),
    Role("open_to_won", [Grant("deal", "move"), Grant("deal", "move", stage="open", to=["won"])]),
    Role("stays_if_won", [Grant("deal", "move"), Grant("deal", "move", stage="won", to=[])]),
    Role("none_moved_if_won", [Grant("deal", "move"), Grant("deal", "move", [], stage="won")]),
    Role("never_to_lost", forbids=[Grant("deal", "move", to=["lost"])]),
    Role("never_from_won", forbids=[Grant("deal", "move", stage="won")]),
)

#: Ada asks; "mine" is hers. A star marks the role that decided. "either" stands for both ways to
#: combine roles, "explicit" for "stage_explicit".
TOGETHER = """
roles held                  | policy       | request                       | may | code

-                           | either       | read mine                     | no  | no_grant
unheard_of                  | either       | read mine                     | no  | no_grant
own*                        | either       | read mine                     | yes | granted
own                         | either       | read theirs                   | no  | out_of_scope
own                         | either       | read nobodys                  | no  | out_of_scope
own                         | either       | update mine                   | no  | no_grant
all*                        | either       | read nobodys                  | yes | granted
any_kind*                   | either       | read theirs                   | yes | granted
any_kind_own_deal*          | either       | read theirs                   | yes | granted

own all*                    | either       | read theirs                   | yes | granted
all* unheard_of             | either       | read theirs                   | yes | granted
own any_kind*               | either       | read theirs                   | yes | granted
own mover                   | either       | read theirs                   | no  | out_of_scope

own_if_won*                 | either       | read theirs at open           | yes | granted
own_if_won                  | either       | read theirs at won            | no  | out_of_scope
own_if_won*                 | either       | read mine at won              | yes | granted
own_if_won*                 | either       | read theirs                   | yes | granted
none_if_won*                | either       | read theirs at open           | yes | granted
none_if_won                 | either       | read mine at won              | no  | out_of_scope
all_if_won                  | either       | read theirs at open           | no  | out_of_scope
all_if_won*                 | either       | read theirs at won            | yes | granted
only_if_won                 | either       | read mine at open             | no  | no_grant
only_if_won                 | either       | read mine                     | no  | no_grant
only_if_won*                | either       | read theirs at won            | yes | granted
edit_unless_won*            | either       | read theirs at won            | yes | granted
edit_unless_won*            | either       | update theirs at open         | yes | granted
edit_unless_won             | either       | update mine at won            | no  | out_of_scope

all* own_if_won             | widest       | read theirs at won            | yes | granted
all own_if_won              | explicit     | read theirs at won            | no  | out_of_scope
all own_if_won*             | explicit     | read mine at won              | yes | granted
own own_if_won*             | either       | read theirs at open           | yes | granted
all* none_if_won            | widest       | read mine at won              | yes | granted
all none_if_won             | explicit     | read mine at won              | no  | out_of_scope
own* none_if_won            | widest       | read mine at won              | yes | granted
own none_if_won             | widest       | read theirs at won            | no  | out_of_scope
own none_if_won             | explicit     | read mine at won              | no  | out_of_scope
own none_if_won*            | either       | read theirs at open           | yes | granted
own all_if_won*             | either       | read theirs at won            | yes | granted
own all_if_won              | either       | read theirs at open           | no  | out_of_scope
all all_if_won*             | explicit     | read theirs at won            | yes | granted
all* all_if_won             | either       | read theirs at open           | yes | granted
own_if_won* none_if_won     | either       | read mine at won              | yes | granted
own_if_won none_if_won      | either       | read theirs at won            | no  | out_of_scope
none_if_won all_if_won*     | either       | read theirs at won            | yes | granted
own edit_unless_won*        | either       | read theirs at won            | yes | granted
all edit_unless_won         | either       | update theirs at won          | no  | out_of_scope
any_kind* none_if_won       | widest       | read theirs at won            | yes | granted
any_kind none_if_won        | explicit     | read theirs at won            | no  | out_of_scope
all* own_if_won none_if_won | widest       | read theirs at won            | yes | granted
all own_if_won none_if_won  | explicit     | read theirs at won            | no  | out_of_scope
own only_if_won*            | explicit     | read mine at won              | yes | granted
own only_if_won             | either       | read theirs at open           | no  | out_of_scope
all own_if_won* none_if_won | explicit     | read mine at won              | yes | granted

never*                      | either       | read mine                     | no  | forbidden
never                       | either       | update mine                   | no  | no_grant
all never*                  | either       | read theirs                   | no  | forbidden
own never*                  | either       | read theirs                   | no  | forbidden
any_kind never*             | either       | read theirs                   | no  | forbidden
all_if_won never*           | either       | read theirs at won            | no  | forbidden
edit_unless_won* never      | either       | update theirs at open         | yes | granted
all never_won*              | either       | read mine at won              | no  | forbidden
all* never_won              | either       | read theirs at open           | yes | granted
all* never_won              | either       | read theirs                   | yes | granted
own never_won               | either       | read theirs at open           | no  | out_of_scope
all_if_won never_won*       | either       | read theirs at won            | no  | forbidden
all_never_won*              | either       | read theirs at won            | no  | forbidden
all_never_won*              | either       | read theirs at open           | yes | granted
all all_never_won*          | either       | read mine at won              | no  | forbidden
all never_own*              | either       | read mine                     | no  | forbidden
all* never_own              | either       | read theirs                   | yes | granted
all* never_own              | either       | read nobodys                  | yes | granted
own never_own*              | either       | read mine                     | no  | forbidden
own never_own               | either       | read theirs                   | no  | out_of_scope
all never_own never_won*    | either       | read theirs at won            | no  | forbidden
all never_own* never_won    | either       | read mine at open             | no  | forbidden
all* never_own never_won    | either       | read theirs at open           | yes | granted
all never_twice*            | either       | read theirs at won            | no  | forbidden

-                           | unrestricted | read nobodys                  | yes | unrestricted
unheard_of                  | unrestricted | read theirs                   | yes | unrestricted
own                         | unrestricted | read theirs                   | yes | unrestricted
none_if_won                 | unrestricted | read theirs at won            | yes | unrestricted
never*                      | unrestricted | read mine                     | no  | forbidden
never                       | unrestricted | update mine                   | yes | unrestricted
never_won*                  | unrestricted | read mine at won              | no  | forbidden
never_won                   | unrestricted | read mine at open             | yes | unrestricted
never_own*                  | unrestricted | read mine                     | no  | forbidden
never_own                   | unrestricted | read theirs                   | yes | unrestricted
never_to_lost*              | unrestricted | move mine from open to lost   | no  | forbidden
never_to_lost               | unrestricted | move mine from open to won    | yes | unrestricted

retail*                     | either       | read theirs in retail         | yes | granted
retail                      | either       | read mine in trade            | no  | no_grant
retail                      | either       | read mine                     | no  | no_grant
own retail*                 | either       | read theirs in retail         | yes | granted
own retail                  | either       | read theirs in trade          | no  | out_of_scope
own* retail                 | either       | read mine in trade            | yes | granted
own_or_retail*              | either       | read theirs in retail         | yes | granted
own_or_retail               | either       | read theirs in trade          | no  | out_of_scope
own_or_retail*              | either       | read mine in trade            | yes | granted
all_own_retail*             | either       | read theirs in retail         | yes | granted
none_if_won_retail          | either       | read mine at won in retail    | no  | out_of_scope
none_if_won_retail*         | either       | read theirs at won in trade   | yes | granted
none_if_won_retail*         | either       | read theirs at open in retail | yes | granted
retail_unless_won*          | either       | read theirs at open in retail | yes | granted
retail_unless_won           | either       | read mine at won in retail    | no  | out_of_scope
retail_unless_won           | either       | read mine at open in trade    | no  | no_grant
own_won_retail*             | either       | read mine at won in retail    | yes | granted
own_won_retail              | either       | read mine at won in trade     | no  | out_of_scope
all* none_if_won_retail     | widest       | read theirs at won in retail  | yes | granted
all none_if_won_retail      | explicit     | read theirs at won in retail  | no  | out_of_scope
own none_if_won_retail*     | explicit     | read theirs at won in trade   | yes | granted
all own_won_retail          | explicit     | read theirs at won in retail  | no  | out_of_scope
all never_retail*           | either       | read mine in retail           | no  | forbidden
all* never_retail           | either       | read theirs in trade          | yes | granted
retail never_retail*        | either       | read mine in retail           | no  | forbidden

own                         | either       | move mine from open to won    | no  | no_grant
mover*                      | either       | move theirs from open to won  | yes | granted
mover*                      | either       | move theirs to won            | yes | granted
stayer                      | either       | move mine from open to won    | no  | stage_not_listed
closer*                     | either       | move theirs from open to won  | yes | granted
closer*                     | either       | move theirs from open to lost | yes | granted
closer                      | either       | move mine from won to open    | no  | stage_not_listed
own_closer*                 | either       | move mine from open to won    | yes | granted
own_closer                  | either       | move mine from won to open    | no  | stage_not_listed
own_closer                  | either       | move theirs from open to won  | no  | out_of_scope
own_closer                  | either       | move theirs from won to open  | no  | out_of_scope
open_to_won*                | either       | move theirs from open to won  | yes | granted
open_to_won                 | either       | move mine from open to lost   | no  | stage_not_listed
open_to_won*                | either       | move theirs from won to lost  | yes | granted
stays_if_won                | either       | move mine from won to open    | no  | stage_not_listed
stays_if_won*               | either       | move theirs from open to won  | yes | granted
none_moved_if_won           | either       | move mine from won to open    | no  | out_of_scope
none_moved_if_won*          | either       | move theirs from open to won  | yes | granted
mover* closer               | either       | move theirs from won to open  | yes | granted
own_closer stayer           | either       | move theirs from open to won  | no  | stage_not_listed
own_closer* stayer          | either       | move mine from open to won    | yes | granted
mover* open_to_won          | widest       | move theirs from open to lost | yes | granted
mover open_to_won           | explicit     | move theirs from open to lost | no  | stage_not_listed
mover open_to_won*          | explicit     | move theirs from open to won  | yes | granted
closer* open_to_won         | widest       | move theirs from open to lost | yes | granted
closer open_to_won          | explicit     | move theirs from open to lost | no  | stage_not_listed
closer open_to_won*         | either       | move theirs from won to open  | yes | granted
mover* stays_if_won         | widest       | move theirs from won to open  | yes | granted
mover stays_if_won          | explicit     | move theirs from won to open  | no  | stage_not_listed
mover* none_moved_if_won    | widest       | move theirs from won to open  | yes | granted
mover none_moved_if_won     | explicit     | move mine from won to open    | no  | out_of_scope
mover never_to_lost*        | either       | move mine from open to lost   | no  | forbidden
mover* never_to_lost        | either       | move theirs from open to won  | yes | granted
closer never_to_lost*       | either       | move theirs from open to lost | no  | forbidden
mover never_from_won*       | either       | move mine from won to open    | no  | forbidden
mover* never_from_won       | either       | move theirs from open to won  | yes | granted
"""

WIDEST = Policy(ROLES)
EXPLICIT = Policy(ROLES, combine="stage_explicit")
#: The policies that a line holds for.
POLICIES = {
    "widest": [WIDEST],
    "explicit": [EXPLICIT],
    "either": [WIDEST, EXPLICIT],
    "unrestricted": [attrs.evolve(policy, unrestricted=True) for policy in (WIDEST, EXPLICIT)],
}
OWNERS = {"mine": "ada", "theirs": "bob", "nobodys": None}
PARTS = {"at": "stage", "from": "stage", "in": "pipeline", "to": "to_stage"}


@attrs.frozen
class Case:
    """One line of the table of roles: what is held, asked and expected."""

    held: tuple[str, ...]
    policy: str
    words: str
    allowed: bool
    code: str
    by: str | None

    def request(self) -> AccessRequest:
        """The question, read from its words: an action, whose, and where."""
        action, whose, *where = self.words.split()
        said = {PARTS[word]: name for word, name in zip(where[::2], where[1::2], strict=True)}
        return AccessRequest(
            action=Action(action),
            kind="deal",
            owner_id=OWNERS[whose],
            stage=said.get("stage"),
            pipeline=said.get("pipeline"),
            to_stage=said.get("to_stage"),
        )


def cases() -> Iterator[Case]:
    """Yield the lines of the table of roles."""
    _, *rest = (line for line in cells(TOGETHER) if line != [""])
    for held, policy, words, may, code in rest:
        roles = held.replace("-", "").split()
        starred = [role.removesuffix("*") for role in roles if role.endswith("*")]
        yield Case(
            tuple(role.removesuffix("*") for role in roles),
            policy,
            words,
            YES_OR_NO[may],
            code,
            starred[0] if starred else None,
        )


CASES = list(cases())


def called(case: Case) -> str:
    """How a case is called in a report."""
    return f"{' + '.join(case.held) or 'nothing'} ({case.policy}): {case.words}"


def answer(authorizer: Authorizer, actor: Actor, case: Case) -> tuple[bool, str, str | None]:
    """What is answered, by code and role."""
    decision: Decision = authorizer.decide(actor, case.request())
    assert ("ada", case.request()) == (decision.actor_id, decision.request)
    return decision.allowed, decision.code, decision.role


class TestRolesTogether:
    def test_the_table_is_whole(self) -> None:
        """Every role is held in some line, no line stands twice, and no role is made up."""
        held = {role for case in CASES for role in case.held}
        assert {role.id for role in ROLES} | {"unheard_of"} == held
        assert len(CASES) == len({called(case) for case in CASES})

    @pytest.mark.parametrize("case", CASES, ids=called)
    def test_each_line(self, case: Case) -> None:
        """Roles decide together as the line says, and name the one that decided."""
        expected = (case.allowed, case.code, case.by)
        for policy in POLICIES[case.policy]:
            assert expected == answer(policy, Actor("ada", case.held), case)

    def test_in_another_order(self) -> None:
        """The order of roles, of grants and of what is forbidden makes no difference."""
        turned = Policy(
            Role(role.id, role.grants[::-1], forbids=role.forbids[::-1]) for role in ROLES[::-1]
        )
        assert WIDEST == turned
        for case in CASES:
            if WIDEST in POLICIES[case.policy]:
                expected = (case.allowed, case.code, case.by)
                assert expected == answer(turned, Actor("ada", case.held[::-1]), case)

    @pytest.mark.parametrize("case", CASES, ids=called)
    def test_through_an_organisation(self, case: Case) -> None:
        """It is the same whether a user, a department, a team or a group gives the roles."""
        expected = (case.allowed, case.code, case.by)
        given = Unit("a", roles=case.held)
        for company in (
            Organisation(members=[Member("ada", roles=case.held)]),
            Organisation(departments=[given], members=[Member("ada", departments=["a"])]),
            Organisation(teams=[given], members=[Member("ada", teams=["a"])]),
            Organisation(groups=[given], members=[Member("ada", groups=["a"])]),
        ):
            for policy in POLICIES[case.policy]:
                assert expected == answer(policy, company.expand(Actor("ada")), case)
