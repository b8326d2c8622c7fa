"""Pipelines and stages: found by role, what is required where, which moves are allowed."""

import copy
import json
import pickle
from collections.abc import Callable, Iterable

import attrs
import pytest

from leadconvert import Pipeline, Required, Stage, StageRole, errors, presets
from leadconvert.codec import Codec


#: Two stages of each role and one more in process; a failure stands in the middle, one at the end.
STAGES = (
    Stage("a"),
    Stage("b"),
    Stage("x", "failure"),
    Stage("c"),
    Stage("won", "success"),
    Stage("paid", "success"),
    Stage("y", "failure"),
)
SALES = Pipeline("sales", "deal", STAGES)

#: What the signs in the grids below stand for.
SIGNS = {
    None: ".",
    "already_there": "=",
    "leaves_success": "S",
    "in_failure_stage": "F",
    "backwards": "<",
    "not_listed": "-",
}


def listing(to: dict[str, list[str]]) -> list[Stage]:
    """The stages, some of which list where one may move to."""
    return [attrs.evolve(stage, to=to.get(stage.id)) for stage in STAGES]


def grid(pipeline: Pipeline) -> list[str]:
    """What forbids each move: a row for each stage moved from, a sign for each moved to."""
    return [
        f"{start.id:4} " + " ".join(SIGNS[pipeline.why_not(start, end)] for end in pipeline.stages)
        for start in pipeline.stages
    ]


def required(pipeline: Pipeline, field: str) -> str:
    """The stages in which *field* is required, in one text."""
    stages = pipeline.stages
    return " ".join(stage.id for stage in stages if field in pipeline.required_at(stage.id))


def told(make: Callable[[], object]) -> list[str]:
    """What the refusal of *make* says, mistake by mistake."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


class TestStage:
    def test_in_process_unless_told(self) -> None:
        """A stage is in process unless it says otherwise."""
        assert StageRole.PROCESS is Stage("NEW").role
        assert StageRole.FAILURE is Stage("LOST", "failure").role

    def test_an_unknown_role(self) -> None:
        """An unknown role comes with a guess."""
        assert [
            "stage: there is no stage role 'sucess', did you mean 'success'? (correct the name)"
        ] == told(lambda: Stage("WON", "sucess"))

    def test_moves_listed(self) -> None:
        """A stage lists no moves unless told; no moves at all is something else."""
        assert Stage("NEW").to is None
        assert () == Stage("NEW", to=[]).to
        assert ("a", "b") == Stage("NEW", to=["a", "b"]).to

    @pytest.mark.parametrize("to", ["WON", [5]])
    def test_moves_are_a_list_of_texts(self, to: object) -> None:
        """One text where a list belongs is refused, and so is what is no text."""
        loose: Callable[..., object] = Stage
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            loose("NEW", to=to)


class TestRequired:
    def test_one_field_or_several(self) -> None:
        """One name of a field is as good as a list of one."""
        assert Required(["amount"]) == Required("amount")
        assert ("amount", "title") == Required(["amount", "title"]).fields

    def test_names_are_texts(self) -> None:
        """What is no text is no name of a field."""
        loose: Callable[..., object] = Required
        with pytest.raises(TypeError, match="a list of texts is needed here, it holds an int"):
            loose([5])


class TestPipeline:
    def test_found_by_role(self) -> None:
        """Stages are found by role, in order, and by id."""
        sales = Pipeline("sales", "deal", [Stage("won", "success"), "new", "offer"])
        assert "new" == sales.first.id
        assert (Stage("new"), Stage("offer")) == sales.in_role(StageRole.PROCESS)
        assert (Stage("won", "success"),) == sales.in_role(StageRole.SUCCESS)
        assert () == sales.in_role(StageRole.FAILURE)
        assert Stage("offer") == sales.stage("offer")
        assert sales.stage("other") is None
        assert sales.stage(None) is None

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of a pipeline is told, with its place."""
        stages = [Stage("a", "success"), Stage("a", "failure"), Stage(" ", "success")]
        assert [
            "pipeline: a pipeline needs an id that is not blank (give it one)",
            "pipeline  : a stage needs an id that is not blank (give it one)",
            "pipeline  : stage 'a' stands twice (remove or rename one)",
            "pipeline  : a pipeline needs a stage in process (add one)",
        ] == told(lambda: Pipeline(" ", "deal", stages))

    def test_all_mistakes_in_moves_and_ranges_at_once(self) -> None:
        """Unknown stages are told once each, then each range that cannot be, in order."""
        stages = [
            Stage("new", to=["ofer", "lost"]),
            Stage("offer", to=["ofer", "zzz"]),
            Stage("lost", "failure"),
            Stage("won", "success"),
        ]
        wrong = [
            Required([], since="nwe"),
            Required("amount", since="wno", until="ofer"),
            Required("amount", since="won", until="new"),
            Required("amount", since="lost"),
            Required("amount", until="lost"),
            Required("amount", since="new", until="offer", failures=True),
            Required("amount", since="lost", failures=True),
            Required("amount", since="offer", until="new"),
        ]
        place, out = "pipeline sales: ", "(correct the name)"
        cannot = f"{place}a range of stages cannot have"
        lost = "'lost' is a failure stage; use failures=True (correct it)"
        order = "the failure stages have no order (correct it)"
        assert [
            f"{place}there is no stage 'ofer', did you mean 'offer'? {out}",
            f"{place}there is no stage 'zzz' {out}",
            f"{place}there is no stage 'nwe', did you mean 'new'? {out}",
            f"{place}there is no stage 'wno', did you mean 'won'? {out}",
            f"{cannot} no field: there is nothing to fill (correct it)",
            f"{place}the stages from 'won' to 'new' run backwards (turn them round)",
            f"{cannot} since: {lost}",
            f"{cannot} until: {lost}",
            f"{cannot} since: {order}",
            f"{cannot} until: {order}",
            f"{cannot} since: {order}",
            f"{place}the stages from 'offer' to 'new' run backwards (turn them round)",
        ] == told(lambda: Pipeline("sales", "deal", stages, required=wrong))

    def test_a_range_of_one_stage(self) -> None:
        """A range may begin and end in one stage, and go round a failure stage."""
        ranges = [Required("amount", since="c", until="c"), Required("title", since="b", until="c")]
        assert tuple(ranges) == attrs.evolve(SALES, required=ranges).required

    def test_no_stages_at_all(self) -> None:
        """A pipeline without stages has none in process."""
        assert ["pipeline sales: a pipeline needs a stage in process (add one)"] == told(
            lambda: Pipeline("sales", "deal", [])
        )

    def test_one_text(self) -> None:
        """One text where the stages belong is refused."""
        loose: Callable[..., object] = Pipeline
        with pytest.raises(TypeError, match=r"a list of stages is needed here: write \[\.\.\.\]"):
            loose("sales", "deal", "new")

    def test_travels(self) -> None:
        """A pipeline pickles, copies and goes through JSON into an equal one."""
        stages = listing({"a": ["b", "won"], "b": []})
        pipeline = Pipeline(
            "sales", "deal", stages, forward_only=True, required=[Required("amount", since="b")]
        )
        codec = Codec(presets.bitrix24())
        text = json.dumps(codec.to_data(pipeline))
        assert pipeline == pickle.loads(pickle.dumps(pipeline))  # noqa: S301 - our own bytes
        assert pipeline == copy.deepcopy(pipeline)
        assert pipeline == codec.from_data(json.loads(text), Pipeline)

    def test_lists_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no pipeline."""
        stages, ranges = list(STAGES), [Required("amount")]
        pipeline = Pipeline("sales", "deal", stages, required=ranges)
        stages.clear()
        ranges.clear()
        assert STAGES == pipeline.stages
        assert (Required("amount"),) == pipeline.required


class TestRequiredAt:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            (Required("amount"), "a b c won paid"),
            (Required("amount", since="a"), "a b c won paid"),
            (Required("amount", since="b"), "b c won paid"),
            (Required("amount", since="won"), "won paid"),
            (Required("amount", since="paid"), "paid"),
            (Required("amount", until="a"), "a"),
            (Required("amount", until="b"), "a b"),
            (Required("amount", until="paid"), "a b c won paid"),
            (Required("amount", since="b", until="c"), "b c"),
            (Required("amount", since="b", until="won"), "b c won"),
            (Required("amount", since="c", until="c"), "c"),
            (Required("amount", since="a", until="paid"), "a b c won paid"),
            (Required("amount", failures=True), "x y"),
        ],
        ids=str,
    )
    def test_one_range(self, rule: Required, expected: str) -> None:
        """A range counts in its stages, both ends included, and never in a failure stage."""
        assert expected == required(attrs.evolve(SALES, required=[rule]), "amount")

    @pytest.mark.parametrize(
        ("stage", "expected"),
        [
            ("a", "first second last"),
            ("b", "first second more last"),
            ("x", "lost second"),
            ("c", "more first last"),
            ("won", "more last"),
            ("paid", "more last"),
            ("y", "lost second"),
        ],
    )
    def test_ranges_that_overlap(self, stage: str, expected: str) -> None:
        """Each field is told once, in the order of the ranges."""
        ranges = [
            Required(["first", "second"], until="b"),
            Required("more", since="b"),
            Required(["lost", "second"], failures=True),
            Required(["first", "more"], since="b", until="c"),
            Required(["last", "last"]),
        ]
        pipeline = attrs.evolve(SALES, required=ranges)
        assert tuple(expected.split()) == pipeline.required_at(stage)

    def test_failures_stand_anywhere(self) -> None:
        """Where the failure stages stand changes nothing for the others."""
        ranges = [Required("amount", since="b", until="won"), Required("why", failures=True)]
        orders: Iterable[tuple[Stage, ...]] = (
            STAGES,
            tuple(sorted(STAGES, key=lambda stage: stage.role is StageRole.FAILURE)),
            tuple(sorted(STAGES, key=lambda stage: stage.role is not StageRole.FAILURE)),
        )
        for stages in orders:
            pipeline = Pipeline("sales", "deal", stages, required=ranges)
            assert "b c won" == required(pipeline, "amount")
            assert "x y" == required(pipeline, "why")

    def test_nothing_required(self) -> None:
        """A pipeline that requires nothing says so of every stage."""
        assert {()} == {SALES.required_at(stage.id) for stage in STAGES}

    def test_a_stage_of_another_pipeline(self) -> None:
        """A stage that the pipeline does not have requires nothing, and is no failure stage."""
        ranges = [Required("amount"), Required("why", failures=True)]
        assert () == attrs.evolve(SALES, required=ranges).required_at("other")


class TestWhyNot:
    """A row for each stage moved from, a column for each moved to: a b x c won paid y."""

    def test_any_move(self) -> None:
        """Any move is allowed, but out of a success, and from a failure to a success."""
        assert [
            "a    = . . . . . .",
            "b    . = . . . . .",
            "x    . . = . F F .",
            "c    . . . = . . .",
            "won  S S S S = S S",
            "paid S S S S S = S",
            "y    . . . . F F =",
        ] == grid(SALES)

    def test_forward_only(self) -> None:
        """Nothing goes back, but into a failure or out of it."""
        assert [
            "a    = . . . . . .",
            "b    < = . . . . .",
            "x    . . = . F F .",
            "c    < < . = . . .",
            "won  S S S S = S S",
            "paid S S S S S = S",
            "y    . . . . F F =",
        ] == grid(attrs.evolve(SALES, forward_only=True))

    #: One stage lists some moves, one none, a failure a success; a success lists what is no use.
    LISTED = listing({"a": ["b", "won"], "b": [], "x": ["a", "paid"], "won": ["a"], "y": ["x"]})

    def test_listed(self) -> None:
        """A stage that lists its moves allows just these, from a failure to a success too."""
        assert [
            "a    = . - - . - -",
            "b    - = - - - - -",
            "x    . - = - - . -",
            "c    . . . = . . .",
            "won  S S S S = S S",
            "paid S S S S S = S",
            "y    - - . - - - =",
        ] == grid(Pipeline("sales", "deal", self.LISTED))

    def test_listed_and_forward_only(self) -> None:
        """A listed move may go back; a stage that lists none goes forward."""
        assert [
            "a    = . - - . - -",
            "b    - = - - - - -",
            "x    . - = - - . -",
            "c    < < . = . . .",
            "won  S S S S = S S",
            "paid S S S S S = S",
            "y    - - . - - - =",
        ] == grid(Pipeline("sales", "deal", self.LISTED, forward_only=True))

    def test_found_by_role(self) -> None:
        """The same stages under other names allow the same moves."""
        names = {stage.id: f"s{number}" for number, stage in enumerate(reversed(STAGES))}
        stages = [attrs.evolve(stage, id=names[stage.id]) for stage in STAGES]
        renamed = Pipeline("p", "deal", stages, forward_only=True)
        signs = [row[5:] for row in grid(attrs.evolve(SALES, forward_only=True))]
        assert signs == [row[5:] for row in grid(renamed)]
