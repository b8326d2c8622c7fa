"""Small worlds, all of them: every pipeline of up to four stages, every move, every right.

What is to be expected stands in tables written by hand, one for each factor, and in one rule that
says how the factors go together. Nothing of it is computed by the code under test.

**The rule.** Whoever is denied on the record learns the denials and nothing else. For others the
first of these that stands in the way of the move is told, and no other of them: it is there
already; it stands in a success; its stage lists others; the roles do not go together; its pipeline
moves forward only. Where none of these is, what the stage entered requires is told. Then, whatever
was told of the record: where the move is a conversion (a lead's to its success stage), what is
wrong with each target, or that none was chosen; where it is not, that targets were. Where nothing
is told, it happens.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import chain, combinations, product
from typing import Final

import attrs

from leadconvert import (
    Actor,
    ConversionRules,
    Create,
    Deal,
    Field,
    Grant,
    Kind,
    Lead,
    MovePlan,
    Pipeline,
    Policy,
    Required,
    Role,
    Stage,
    plan_move,
)
from leadconvert.kinds import DEAL, LEAD


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)

# -- the tables -----------------------------------------------------------------------------------

#: From a stage in one role to another stage in another: what stands in the way, if nothing is
#: listed and any direction will do.
BETWEEN_ROLES: Final = {
    "pp": None,
    "ps": None,
    "pf": None,
    "fp": None,
    "ff": None,
    "fs": "in_failure_stage",
    "sp": "leaves_success",
    "ss": "leaves_success",
    "sf": "leaves_success",
}
#: To where it stands already, by its role. A lead in success is told that it is converted.
THERE: Final = {
    "deal p": "already_there",
    "deal s": "already_there",
    "deal f": "already_there",
    "lead p": "already_there",
    "lead s": "in_success_stage",
    "lead f": "already_there",
}
#: Whether the stage it leaves lists this one, or others alone.
LISTED: Final = {"this": None, "others": "not_listed"}
#: Where the pipeline moves forward only: what stands in the way of going back, by the roles.
#: Failures have no order.
BACK_BETWEEN_ROLES: Final = {
    "pp": "backwards",
    "ps": "backwards",
    "pf": None,
    "fp": None,
    "ff": None,
}
#: Whether what the stage entered requires is filled.
REQUIRED: Final = {"filled": [], "empty": ["required_at"]}
#: Whether the actor has the rights on the record; to convert asks for one more.
RIGHTS: Final = {
    "move allowed": [],
    "move denied": ["no_grant"] * 3,
    "conversion allowed": [],
    "conversion denied": ["no_grant"] * 4,
}
#: Of one target: whether its required field is filled, and whether the actor may make it.
TARGET: Final = {
    "filled allowed": [],
    "empty allowed": ["required"],
    "filled denied": ["no_grant"],
    "empty denied": ["no_grant"],
}
#: Where no target was chosen: whether the lead can be converted, and may be into anything. Once it
#: is converted, what to choose is no question.
NO_TARGET: Final = {
    "ready open": ["no_targets"],
    "ready closed": ["nothing_open"],
    "unready open": ["no_targets"],
    "unready closed": ["no_targets"],
    "converted open": [],
    "converted closed": [],
}


# -- the rule -------------------------------------------------------------------------------------


@attrs.frozen
class Move:
    """One move in one pipeline, which is told by the roles of its stages: ``"psf"``, 0 to 2."""

    kind: str
    roles: str
    start: int
    end: int
    listed: str | None = None
    forward_only: bool = False

    @property
    def converts(self) -> bool:
        """Whether it is a conversion."""
        return self.kind == "lead" and self.roles[self.end] == "s"


@attrs.frozen
class Target:
    """One kind in a choice of targets: whether it is chosen, and filled, and may be made."""

    kind: str
    chosen: bool
    filled: str
    right: str


def in_the_way(move: Move) -> list[str]:
    """Apply the rule as far as it is about the stages alone."""
    start, end = move.roles[move.start], move.roles[move.end]
    if move.start == move.end:
        told: str | None = THERE[f"{move.kind} {end}"]
    elif move.listed is not None and start != "s":
        told = LISTED[move.listed]
    else:
        told = BETWEEN_ROLES[start + end]
        if told is None and move.forward_only and move.end < move.start:
            told = BACK_BETWEEN_ROLES[start + end]
    return [] if told is None else [told]


def expected(move: Move, right: str, required: str, targets: Iterable[Target] = ()) -> list[str]:
    """Apply the whole rule."""
    if denied := RIGHTS[f"{'conversion' if move.converts else 'move'} {right}"]:
        return denied
    way = in_the_way(move)
    told = way or REQUIRED[required]
    chosen = [one for one in targets if one.chosen]
    if move.converts and chosen:
        for at, one in enumerate(chosen):
            told = [*told, *(f"{at} {code}" for code in TARGET[f"{one.filled} {one.right}"])]
    elif move.converts:
        is_open = any(one.right == "allowed" for one in targets)
        ready = "converted" if way == [THERE["lead s"]] else "unready" if way else "ready"
        told = [*told, *NO_TARGET[f"{ready} {'open' if is_open else 'closed'}"]]
    elif chosen:
        told = [*told, "no_conversion_there"]
    return told


# -- the worlds -----------------------------------------------------------------------------------


def pipelines(kind: str, size: int) -> Iterator[str]:
    """Yield every valid pipeline of that size by its roles; one of leads has just one success."""
    for roles in map("".join, product("psf", repeat=size)):
        if "p" in roles and (kind == "deal" or roles.count("s") == 1):
            yield roles


def moves(kind: str, *sizes: int) -> Iterator[Move]:
    """Yield every move in every pipeline, from a stage to itself among them."""
    for size in sizes:
        for roles in pipelines(kind, size):
            for start, end in product(range(size), repeat=2):
                yield Move(kind, roles, start, end)


def paths(move: Move) -> Iterator[Move]:
    """Yield the same move where any is free, or forward only, or it is listed, or others are."""
    yield move
    yield attrs.evolve(move, forward_only=True)
    yield attrs.evolve(move, forward_only=True, listed="this")
    yield attrs.evolve(move, listed="others")


def choices(*states: tuple[bool, str, str]) -> Iterator[tuple[Target, ...]]:
    """Yield every choice among three kinds, each of them in one of these *states*."""
    for some in product(states, repeat=3):
        yield tuple(Target(kind, *state) for kind, state in zip("abc", some, strict=True))


BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
TARGETS: Final = [Kind(one, fields=[Field("name", "text", required=True), BACK]) for one in "abc"]
#: Clients would add kinds that nothing here is about.
LEADS: Final = attrs.evolve(LEAD, fields=[one for one in LEAD.fields if one.to is None])
DEALS: Final = attrs.evolve(DEAL, fields=[one for one in DEAL.fields if one.to in {None, "lead"}])
MOVER: Final = Role("mover", [Grant("*", ["read", "update", "move"]), Grant("lead", "convert")])
POLICY: Final = Policy([MOVER, *(Role(one, [Grant(one, "create")]) for one in "abc")])
ROLES: Final = {"p": "process", "s": "success", "f": "failure"}
OTHERS: Final = {
    "lead": Pipeline("deals", "deal", ["new"]),
    "deal": Pipeline("leads", "lead", ["new", Stage("done", "success")]),
}
ALLOWED: Final = Target("a", chosen=True, filled="filled", right="allowed")
LEFT_OUT: Final = attrs.evolve(ALLOWED, chosen=False)


@cache
def rules_with(
    kind: str, roles: str, listed: tuple[str, ...] | None, *, forward_only: bool
) -> ConversionRules:
    """Return rules in which every stage lists these moves, and requires a comment."""
    stages = [Stage(f"{at}", ROLES[role], to=listed) for at, role in enumerate(roles)]
    required = [Required("comments"), Required("comments", failures=True)]
    pipeline = Pipeline("p", kind, stages, forward_only=forward_only, required=required)
    return ConversionRules(
        lead=LEADS,
        kinds=[*TARGETS, DEALS],
        pipelines=[pipeline, OTHERS[kind]],
        policy=POLICY,
    )


def rules_for(move: Move) -> ConversionRules:
    """Return the rules of a world."""
    listed = {None: None, "this": (f"{move.end}",), "others": ()}[move.listed]
    return rules_with(move.kind, move.roles, listed, forward_only=move.forward_only)


def decided(move: Move, right: str, required: str, targets: Iterable[Target] = ()) -> MovePlan:
    """Return what the library decides in a world."""
    stage, comments = f"{move.start}", "x" if required == "filled" else None
    lead = Lead(id="R", stage=stage, comments=comments)
    deal = Deal(id="R", pipeline="p", stage=stage, comments=comments)
    may = [one.kind for one in targets if one.right == "allowed"]
    return plan_move(
        lead if move.kind == "lead" else deal,
        f"{move.end}",
        [
            Create(one.kind, values={"name": "x"} if one.filled == "filled" else {})
            for one in targets
            if one.chosen
        ],
        rules=rules_for(move),
        actor=Actor("u", roles=["mover", *may] if right == "allowed" else may),
        at=AT,
    )


def check(move: Move, right: str, required: str, targets: Iterable[Target] = ()) -> None:
    """Check one world: just what is expected is told, and the move happens if nothing is."""
    found = decided(move, right, required, targets)
    codes = [
        one.code if one.target is None else f"{one.target} {one.code}" for one in found.problems
    ]
    world = (move, right, required, targets)
    wanted = expected(move, right, required, targets)
    assert sorted(wanted) == sorted(codes), world
    assert (wanted == []) == found.ok == (found.moved is not None), world
    if found.moved is None:
        return
    after = found.moved.record
    assert isinstance(after, Lead | Deal)
    assert f"{move.end}" == after.stage, world
    assert [(f"{move.start}", f"{move.end}")] == [
        (one.from_stage, one.to_stage) for one in after.stage_history
    ], world
    made = [tuple(one.kind for one in targets if one.chosen)] if move.converts else []
    conversions = after.conversions if isinstance(after, Lead) else ()
    assert made == [tuple(ref.kind for ref in one.targets) for one in conversions], world
    assert all(one.closing for one in conversions), world
    assert conversions == tuple(one.conversion for one in found.moved.conversions), world


class TestEveryMove:
    def test_nothing_is_left_out(self) -> None:
        """So many pipelines of one to four stages there are, and so many moves in them."""
        assert [0, 2, 9, 28] == [len([*pipelines("lead", size)]) for size in (1, 2, 3, 4)]
        assert [1, 5, 19, 65] == [len([*pipelines("deal", size)]) for size in (1, 2, 3, 4)]
        assert 537 == len([*moves("lead", 2, 3, 4)])
        assert 1232 == len([*moves("deal", 1, 2, 3, 4)])

    def test_of_a_deal(self) -> None:
        """Every move of a deal, on every path: allowed, lacking what is required, or denied."""
        for move in moves("deal", 1, 2, 3, 4):
            check(move, "denied", "empty")
            for path, required in product(paths(move), REQUIRED):
                check(path, "allowed", required)

    def test_of_a_lead(self) -> None:
        """Every move of a lead, on every path: the same, with a target and without."""
        for move in moves("lead", 2, 3, 4):
            check(move, "denied", "empty", [ALLOWED])
            for path, required, target in product(paths(move), REQUIRED, (ALLOWED, LEFT_OUT)):
                check(path, "allowed", required, [target])


class TestEveryChoice:
    def entering(self, *sizes: int) -> list[Move]:
        """Every way into the success stage of the leads."""
        return [move for move in moves("lead", *sizes) if move.converts]

    def test_of_three_kinds(self) -> None:
        """In up to three stages: each of three kinds chosen or not, filled or not, allowed or not.

        What is not chosen is not filled either way.
        """
        states = [
            *product([True], ["filled", "empty"], ["allowed", "denied"]),
            *product([False], ["empty"], ["allowed", "denied"]),
        ]
        assert (31, 216) == (len(self.entering(2, 3)), len([*choices(*states)]))
        for move in self.entering(2, 3):
            for targets in choices(*states):
                check(move, "allowed", "filled", targets)

    def test_of_three_kinds_in_four_stages(self) -> None:
        """In four stages: each of three kinds left out, as it should be, or denied and empty."""
        states = [
            (True, "filled", "allowed"),
            (True, "empty", "denied"),
            (False, "empty", "allowed"),
        ]
        assert (112, 27) == (len(self.entering(4)), len([*choices(*states)]))
        for move in self.entering(4):
            for targets in choices(*states):
                check(move, "allowed", "filled", targets)

    def test_combinations(self) -> None:
        """Whoever chose nothing is offered just the combinations of what they may make."""
        for move in self.entering(2, 3):
            for some in product(["allowed", "denied"], repeat=3):
                targets = [
                    Target(kind, chosen=False, filled="empty", right=right)
                    for kind, right in zip("abc", some, strict=True)
                ]
                may = [one.kind for one in targets if one.right == "allowed"]
                offered = chain.from_iterable(combinations(may, size) for size in (1, 2, 3))
                last = decided(move, "allowed", "filled", targets).problems[-1]
                assert (() if in_the_way(move) else tuple(offered)) == last.params.get(
                    "combinations", ()
                )
