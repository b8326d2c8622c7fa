"""Small worlds, all of them: every pipeline of up to four stages, every move, every right.

What is to be expected stands in tables written by hand, one for each factor, and in one rule that
says how the factors go together. Nothing of it is computed by the code under test.

**The rule.** Whoever is denied on the record learns the denials and nothing else. For others the
first of these that stands in the way of the move is told, and no other of them: it is there
already; it stands in a success; its stage lists others; the roles do not go together; its pipeline
moves forward only. What the stage entered requires is told where none of these is. Where the move
is a conversion (a lead's to its success stage), whatever is wrong with each target is told besides,
or that there are none; where it is not, that there are targets. Where nothing is told, it happens.
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
REQUIRED: Final = {"filled": [], "empty": ["required_at"]}
#: Of the record: whether the actor has the rights asked for. To convert asks for one more.
RIGHTS: Final = {
    ("move", "allowed"): [],
    ("move", "denied"): ["no_grant"] * 3,
    ("conversion", "allowed"): [],
    ("conversion", "denied"): ["no_grant"] * 4,
}
#: A move to where it stands already, by its role. A lead in success is told that it is converted.
THERE: Final = {
    "deal": {"p": "already_there", "f": "already_there", "s": "already_there"},
    "lead": {"p": "already_there", "f": "already_there", "s": "in_success_stage"},
}


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


def in_the_way(move: Move, kind: str) -> list[str]:
    """Apply the rule as far as it is about the move alone."""
    start, end = move.roles[move.start], move.roles[move.end]
    if move.start == move.end:
        return [THERE[kind][end]]
    told = "leaves_success" if start == "s" else None
    if told is None and move.listed != "nothing":
        told = LISTED[move.listed]
    elif told is None:
        way = "on" if move.start < move.end else "back"
        direction = FORWARD_ONLY[f"{way} {end}"] if move.forward_only else None
        told = BETWEEN_ROLES[start + end] or direction
    return [] if told is None else [told]


def expected_of(move: Move, kind: str, rights: str, comments: str) -> list[str]:
    """Apply the rule as far as it is about the record that is moved."""
    converts = kind == "lead" and move.into_success
    denied = RIGHTS["conversion" if converts else "move", rights]
    return denied or in_the_way(move, kind) or REQUIRED[comments]


# -- the worlds -----------------------------------------------------------------------------------


def pipelines(kind: str, sizes: Iterable[int]) -> Iterator[str]:
    """Yield every valid pipeline by its roles; one of leads has exactly one success."""
    for size in sizes:
        for roles in map("".join, product("psf", repeat=size)):
            if "p" in roles and (kind == "deal" or roles.count("s") == 1):
                yield roles


def moves(kind: str, sizes: Iterable[int] = (1, 2, 3, 4)) -> Iterator[Move]:
    """Yield every move in every pipeline, a stage to itself among them."""
    for roles in pipelines(kind, sizes):
        yield from (Move(roles, *ends) for ends in product(range(len(roles)), repeat=2))


def paths(move: Move) -> Iterator[Move]:
    """Yield the same move where it is free, forward only, listed, and not listed."""
    yield move
    yield attrs.evolve(move, forward_only=True)
    yield attrs.evolve(move, forward_only=True, listed="this")
    yield attrs.evolve(move, listed="another")


BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
TARGETS: Final = [Kind(one, fields=[Field("name", "text", required=True), BACK]) for one in KINDS]
#: Clients would add kinds that nothing here is about.
LEADS: Final = attrs.evolve(LEAD, fields=[one for one in LEAD.fields if one.to is None])
DEALS: Final = attrs.evolve(DEAL, fields=[one for one in DEAL.fields if one.to in {None, "lead"}])
MOVER: Final = Role("mover", [Grant("*", ["read", "update", "move"]), Grant("lead", "convert")])
POLICY: Final = Policy([MOVER, *(Role(one, [Grant(one, "create")]) for one in KINDS)])


def rules_of(pipeline: Pipeline) -> ConversionRules:
    """Return rules with three kinds of targets, and with deals that only move."""
    leads = Pipeline("leads", "lead", ["new", Stage("done", "success")])
    deals = Pipeline("deals", "deal", ["new"])
    return ConversionRules(
        lead=LEADS,
        kinds=[*TARGETS, DEALS],
        pipelines=[pipeline, deals if pipeline.kind == "lead" else leads],
        policy=POLICY,
    )


def record_of(move: Move, kind: str, comments: str = "filled") -> Lead | Deal:
    """Return what is moved."""
    stage, text = f"{move.start}", "x" if comments == "filled" else None
    if kind == "lead":
        return Lead(id="R", stage=stage, comments=text)
    return Deal(id="R", pipeline="p", stage=stage, comments=text)


def told(found: MovePlan) -> list[str]:
    """Return the codes of what is told, those of a target with its index."""
    return [
        one.code if one.target is None else f"{one.target} {one.code}" for one in found.problems
    ]


def check(found: MovePlan, expected: Iterable[str], move: Move, made: Iterable[str] = ()) -> None:
    """Check that just this is told; and that the move happens if nothing is, else nothing does."""
    codes = sorted(expected)
    assert codes == sorted(told(found)), (move, found)
    assert (not codes) == found.ok == (found.moved is not None)
    if found.moved is None:
        return
    after, kinds = found.moved.record, tuple(made)
    assert isinstance(after, Lead | Deal)
    assert f"{move.end}" == after.stage
    assert [(f"{move.start}", f"{move.end}")] == [
        (one.from_stage, one.to_stage) for one in after.stage_history
    ]
    closed = [one.closing for one in getattr(after, "conversions", ())]
    assert ([True] if kinds else []) == closed
    assert [kinds] * bool(kinds) == [
        tuple(one.ref.kind for one in result.outcomes) for result in found.moved.conversions
    ]


#: What a kind may be in a choice of targets: whether chosen, and then whether filled; whether the
#: actor may make it.
CHOICES: Final = tuple(product(("left out", "filled", "empty"), ("allowed", "denied")))
#: As far as there is no time for more: left out, in order, and neither allowed nor filled.
FEW_CHOICES: Final = (("left out", "allowed"), ("filled", "allowed"), ("empty", "denied"))


def world_of_targets(move: Move, choice: tuple[tuple[str, str], ...]) -> None:
    """Check one conversion: the same kinds for every pipeline, each in one of its states."""
    states = dict(zip(KINDS, choice, strict=True))
    chosen = [one for one in KINDS if states[one][0] != "left out"]
    may = [one for one in KINDS if states[one][1] == "allowed"]
    values = {"filled": {"name": "x"}, "empty": {}}
    found = plan_move(
        record_of(move, "lead"),
        f"{move.end}",
        [Create(one, values=values[states[one][0]]) for one in chosen],
        rules=RULES[move.roles],
        actor=Actor("u", roles=["mover", *may]),
        at=AT,
    )
    expected = in_the_way(move, "lead")
    if not chosen:
        expected = [*expected, "no_targets" if expected or may else "nothing_open"]
        check(found, expected, move)
        offered = (
            [some for size in range(1, 4) for some in combinations(may, size)]
            if not in_the_way(move, "lead")
            else []
        )
        assert offered == [*found.problems[-1].params.get("combinations", ())]
        return
    for at, one in enumerate(chosen):
        filled, right = states[one]
        expected = [*expected, *(f"{at} {code}" for code in TARGET[right, filled])]
    check(found, expected, move, chosen)


RULES: Final = {
    roles: rules_of(Move(roles, 0, 0).pipeline("lead")) for roles in pipelines("lead", range(5))
}


class TestEveryMove:
    def test_how_many(self) -> None:
        """Nothing is left out: so many pipelines there are, and so many moves."""
        assert [0, 2, 9, 28] == [len([*pipelines("lead", [size])]) for size in (1, 2, 3, 4)]
        assert [1, 5, 19, 65] == [len([*pipelines("deal", [size])]) for size in (1, 2, 3, 4)]
        assert 537 == len([*moves("lead")])
        assert 1232 == len([*moves("deal")])

    def test_of_a_deal(self) -> None:
        """Every move of a deal, on every sort of path, with and without rights and fields."""
        for move in chain.from_iterable(map(paths, moves("deal"))):
            rules = rules_of(move.pipeline("deal", required=True))
            for rights, comments in product(("allowed", "denied"), REQUIRED):
                found = plan_move(
                    record_of(move, "deal", comments),
                    f"{move.end}",
                    rules=rules,
                    actor=Actor("u", roles=["mover"] if rights == "allowed" else []),
                    at=AT,
                )
                check(found, expected_of(move, "deal", rights, comments), move)

    def test_of_a_lead(self) -> None:
        """Every move of a lead, a conversion or not, with targets and without."""
        for move in chain.from_iterable(map(paths, moves("lead"))):
            rules = rules_of(move.pipeline("lead", required=True))
            for rights, comments in product(("allowed", "denied"), REQUIRED):
                targets = [Create("a", values={"name": "x"})] if comments == "filled" else []
                found = plan_move(
                    record_of(move, "lead", comments),
                    f"{move.end}",
                    targets,
                    rules=rules,
                    actor=Actor("u", roles=["a", *(["mover"] if rights == "allowed" else [])]),
                    at=AT,
                )
                expected = expected_of(move, "lead", rights, comments)


class TestEveryChoice:
    def test_of_three_kinds(self) -> None:
        """Every move into success in up to three stages, with every state of three kinds."""
        worlds = product(entering((1, 2, 3)), product(CHOICES, repeat=3))
        assert 31 * 6**3 == sum(1 for one in worlds if world_of_targets(*one) is None)
