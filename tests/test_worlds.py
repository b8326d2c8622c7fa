"""Small worlds, all of them: every pipeline of up to four stages, every move, every right.

What is to be expected stands in tables written by hand, one for each factor, and in one rule that
says how the factors go together. Nothing here is computed by the code under test.

**The rule.** Whoever is denied on the record learns the denial and nothing else. For others the
first of these that stands in the way of the move is told, and no other of them: it is there
already; it stands in a success; its stage lists others; its roles forbid it; its pipeline moves
forward only. What the stage entered requires is told where none of these is. Where the move is a
conversion (a lead's to its success stage), what each target lacks is told besides, whatever else
is; where it is not, targets are. Nothing told means that it happens.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import combinations, product
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
from leadconvert.fields import DEAL, LEAD


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ROLES: Final = {"p": "process", "s": "success", "f": "failure"}
KINDS: Final = ("a", "b", "c")

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
#: Whether the stage lists others (not at all, this one, another one): what stands in the way.
LISTED: Final = {"nothing": None, "this": None, "another": "not_listed"}
#: Where a pipeline moves forward only: which way it goes, and into which role.
FORWARD_ONLY: Final = {
    "on p": None,
    "on s": None,
    "on f": None,
    "back p": "backwards",
    "back s": "backwards",
    "back f": None,
}
#: Of a target: whether the actor may make it, and whether its required field is filled.
TARGET: Final = {
    ("allowed", "filled"): [],
    ("allowed", "empty"): ["required"],
    ("denied", "filled"): ["no_grant"],
    ("denied", "empty"): ["no_grant"],
}
#: Of what the stage entered requires.
REQUIRED: Final = {"filled": [], "empty": ["required_at"], "nothing": []}
#: Of the record: which of the rights asked for are denied. To convert asks for one more.
DENIED: Final = {
    ("move", "allowed"): [],
    ("move", "denied"): ["no_grant"] * 3,
    ("conversion", "allowed"): [],
    ("conversion", "denied"): ["no_grant"] * 4,
}
#: A move to where it stands already. A lead in success is told that it is converted instead.
THERE: Final = {"p": "already_there", "f": "already_there", "s": "already_there"}
LEAD_THERE: Final = {**THERE, "s": "in_success_stage"}


@attrs.frozen
class Move:
    """One move in one pipeline, told by the roles of its stages: ``"psf"``, from 0 to 2."""

    roles: str
    start: int
    end: int
    listed: str = "nothing"
    forward_only: bool = False

    @property
    def into_success(self) -> bool:
        """Whether it enters a success stage."""
        return self.roles[self.end] == "s"

    def pipeline(self, kind: str, *, required: bool = False) -> Pipeline:
        """The pipeline it is made in."""
        stages = [Stage(f"{at}", ROLES[role]) for at, role in enumerate(self.roles)]
        lists = {"nothing": None, "this": [f"{self.end}"], "another": []}[self.listed]
        stages[self.start] = attrs.evolve(stages[self.start], to=lists)
        fails = self.roles[self.end] == "f"
        demands = Required("comments", failures=True) if fails else Required("comments")
        return Pipeline(
            "p",
            kind,
            stages,
            forward_only=self.forward_only,
            required=[demands] if required else [],
        )


def in_the_way(move: Move, there: dict[str, str]) -> list[str]:
    """The rule, as far as it is about the move alone."""
    start, end = move.roles[move.start], move.roles[move.end]
    if move.start == move.end:
        return [there[end]]
    if start == "s":
        return ["leaves_success"]
    if move.listed != "nothing":
        told = LISTED[move.listed]
    else:
        way = "on" if move.start < move.end else "back"
        direction = FORWARD_ONLY[f"{way} {end}"] if move.forward_only else None
        told = BETWEEN_ROLES[start + end] or direction
    return [] if told is None else [told]


# -- the worlds -----------------------------------------------------------------------------------


def pipelines(*, of_leads: bool) -> Iterator[str]:
    """Every valid pipeline of up to four stages; one of leads has exactly one success."""
    for size in range(1, 5):
        for roles in map("".join, product("psf", repeat=size)):
            if "p" in roles and (not of_leads or roles.count("s") == 1):
                yield roles


def moves(*, of_leads: bool) -> Iterator[Move]:
    """Every move in every pipeline, along every sort of path."""
    for roles in pipelines(of_leads=of_leads):
        for start, end in product(range(len(roles)), repeat=2):
            for listed, forward_only in product(LISTED, (False, True)):
                yield Move(roles, start, end, listed, forward_only)


BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
TARGETS: Final = [Kind(one, fields=[Field("name", "text", required=True), BACK]) for one in KINDS]
DEALS: Final = Pipeline("deals", "deal", ["new"])
BARE: Final = [field for field in LEAD.fields if field.to is None]
MOVER: Final = Role("mover", [Grant("*", ["read", "update", "move"]), Grant("lead", "convert")])
POLICY: Final = Policy([MOVER, *(Role(one, [Grant(one, "create")]) for one in KINDS)])


def rules_of(pipeline: Pipeline) -> ConversionRules:
    """Rules with three kinds of targets and this pipeline, of leads or of deals."""
    leads = Pipeline("leads", "lead", ["new", Stage("done", "success")])
    others = {"lead": [DEALS], "deal": [leads]}[pipeline.kind]
    deal = attrs.evolve(DEAL, fields=[one for one in DEAL.fields if one.to in {None, "lead"}])
    return ConversionRules(
        lead=attrs.evolve(LEAD, fields=BARE),
        kinds=[*TARGETS, deal],
        pipelines=[pipeline, *others],
        policy=POLICY,
    )


def told(found: MovePlan) -> list[str]:
    """What a plan tells, each with the index of its target."""
    return sorted(
        one.code if one.target is None else f"{one.target} {one.code}" for one in found.problems
    )


def happens(found: MovePlan, move: Move, made: Iterable[str] = ()) -> None:
    """Check that the move happens where nothing is told, and that nothing does where it is."""
    assert found.ok is (not found.problems)
    if found.moved is None:
        return
    after = found.moved.record
    assert isinstance(after, Lead | Deal)
    assert f"{move.end}" == after.stage
    assert [(f"{move.start}", f"{move.end}")] == [
        (one.from_stage, one.to_stage) for one in after.stage_history
    ]
    assert [tuple(made)] if made else [] == [
        tuple(one.ref.kind for one in result.outcomes) for result in found.moved.conversions
    ]
    closed = [one.closing for one in after.conversions] if isinstance(after, Lead) else []
    assert [True] * bool(made) == closed


class TestWorlds:
    def test_every_move_of_a_lead(self) -> None:
        """Every path, right and required field: what stands in the way is told, or it happens."""
        count = 0
        for move in moves(of_leads=True):
            entering = "conversion" if move.into_success else "move"
            ready, bare = (
                rules_of(move.pipeline("lead", required=required)) for required in (True, False)
            )
            for right, filled, targets in product(
                ("allowed", "denied"), REQUIRED, ([], [Create("a", values={"name": "x"})])
            ):
                count += 1
                lead = Lead(
                    id="L",
                    stage=f"{move.start}",
                    comments="x" if filled == "filled" else None,
                )
                found = plan_move(
                    lead,
                    f"{move.end}",
                    targets,
                    rules=bare if filled == "nothing" else ready,
                    actor=Actor("u", roles=["a", *(["mover"] if right == "allowed" else [])]),
                    at=AT,
                )
                expected = [*DENIED[entering, right]]
                if not expected:
                    expected = in_the_way(move, LEAD_THERE)
                    expected += REQUIRED[filled] if not expected else []
                    if not targets and move.into_success:
                        expected += ["no_targets"]
                    if targets and not move.into_success:
                        expected += ["no_conversion_there"]
                elif not targets and move.into_success:
                    expected = [*expected]
                assert sorted(expected) == told(found), (move, right, filled, targets)
                happens(found, move, [one.kind for one in targets])
        print(count)
