"""Stages and pipelines: where a record may stand, told by role and never by name."""

from collections.abc import Iterable
from enum import StrEnum

import attrs

from leadconvert.errors import DefinitionError, Problem, mistake, twice, unknown
from leadconvert.values import is_empty


__all__ = ["Pipeline", "Stage", "StageRole"]


class StageRole(StrEnum):
    """What standing in a stage means: still in process, ended in success, or ended in failure.

    Example:
        >>> from leadconvert import StageRole
        >>> StageRole("success") is StageRole.SUCCESS
        True
    """

    PROCESS = "process"
    SUCCESS = "success"
    FAILURE = "failure"


def _role(value: StageRole | str) -> StageRole:
    try:
        return StageRole(value)
    except ValueError:
        raise DefinitionError([unknown("stage role", value, list(StageRole), "stage")]) from None


@attrs.frozen
class Stage:
    """One stage of a pipeline.

    Raises:
        leadconvert.errors.DefinitionError: the role is unknown.

    Example:
        >>> from leadconvert import Stage
        >>> Stage("WON", "success").role
        <StageRole.SUCCESS: 'success'>
    """

    id: str
    role: StageRole = attrs.field(default=StageRole.PROCESS, converter=_role)
    label: str | None = attrs.field(default=None, kw_only=True)


def _stages(values: Iterable[Stage | str]) -> tuple[Stage, ...]:
    if isinstance(values, str):
        raise TypeError("a list of stages is needed here: write [...] around it")
    return tuple(value if isinstance(value, Stage) else Stage(value) for value in values)


@attrs.frozen
class Pipeline:
    """The ordered stages of one kind of record. A new record starts in the first one in process.

    Where a kind has several pipelines, one is the *default*.

    Raises:
        leadconvert.errors.DefinitionError: a stage stands twice, or none is in process.

    Example:
        >>> from leadconvert import Pipeline, Stage
        >>> sales = Pipeline("sales", "deal", ["new", Stage("won", "success")])
        >>> sales.first.id
        'new'
    """

    id: str
    kind: str
    stages: tuple[Stage, ...] = attrs.field(converter=_stages)
    label: str | None = attrs.field(default=None, kw_only=True)
    default: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)

    def _mistakes(self) -> Iterable[Problem]:
        place = f"pipeline {self.id}"
        if is_empty(self.id):
            yield mistake("blank_id", "pipeline", what="pipeline")
        if any(is_empty(stage.id) for stage in self.stages):
            yield mistake("blank_id", place, what="stage")
        yield from twice("stage", [stage.id for stage in self.stages], place)
        if not self.in_role(StageRole.PROCESS):
            yield mistake("no_process", place)

    def in_role(self, role: StageRole) -> tuple[Stage, ...]:
        """Return the stages that play *role*, in order.

        Example:
            >>> from leadconvert import Pipeline, Stage, StageRole
            >>> Pipeline("p", "deal", ["a", Stage("b", "failure")]).in_role(StageRole.FAILURE)[0].id
            'b'
        """
        return tuple(stage for stage in self.stages if stage.role is role)

    @property
    def first(self) -> Stage:
        """The stage in which a new record starts."""
        return self.in_role(StageRole.PROCESS)[0]

    def stage(self, id: str | None) -> Stage | None:  # noqa: A002
        """Return the stage with *id*, or None.

        Example:
            >>> from leadconvert import Pipeline
            >>> Pipeline("p", "deal", ["a"]).stage("b") is None
            True
        """
        return next((stage for stage in self.stages if stage.id == id), None)
