"""Pipelines and stages: found by role, and every mistake in them at once."""

from collections.abc import Callable

import pytest

from leadconvert import Pipeline, Stage, StageRole, errors


class TestStage:
    def test_in_process_unless_told(self) -> None:
        """A stage is in process unless it says otherwise."""
        assert StageRole.PROCESS is Stage("NEW").role
        assert StageRole.FAILURE is Stage("LOST", "failure").role

    def test_an_unknown_role(self) -> None:
        """An unknown role comes with a guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Stage("WON", "sucess")
        expected = (
            "stage: there is no stage role 'sucess', did you mean 'success'? (correct the name)"
        )
        assert expected == str(caught.value)


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
        with pytest.raises(errors.DefinitionError) as caught:
            Pipeline(" ", "deal", stages)
        assert [
            "pipeline: a pipeline needs an id that is not blank (give it one)",
            "pipeline  : a stage needs an id that is not blank (give it one)",
            "pipeline  : stage 'a' stands twice (remove or rename one)",
            "pipeline  : a pipeline needs a stage in process (add one)",
        ] == [str(problem) for problem in caught.value.problems]

    def test_no_stages_at_all(self) -> None:
        """A pipeline without stages has none in process."""
        with pytest.raises(errors.DefinitionError) as caught:
            Pipeline("sales", "deal", [])
        assert ["no_process"] == [problem.code for problem in caught.value.problems]

    def test_one_text(self) -> None:
        """One text where the stages belong is refused."""
        loose: Callable[..., object] = Pipeline
        with pytest.raises(TypeError, match=r"a list of stages is needed here: write \[\.\.\.\]"):
            loose("sales", "deal", "new")
