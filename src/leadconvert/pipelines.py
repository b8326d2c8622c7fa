"""Stages and pipelines: where a record may stand, told by role and never by name."""

from collections.abc import Iterable
from enum import StrEnum

import attrs

from leadconvert.errors import DefinitionError, chosen
from leadconvert.given import texts
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.values import is_empty


__all__ = ["Pipeline", "Required", "Stage", "StageRole"]


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
    return chosen(StageRole, value, "stage role", "stage")


@attrs.frozen
class Stage:
    """One stage of a pipeline; *to* lists the stages one may move to from it, if not any.

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
    to: tuple[str, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(texts), kw_only=True
    )


def _field_names(values: Iterable[str] | str) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else texts(values)


@attrs.frozen
class Required:
    """Fields that must be filled while a record stands in certain stages of its pipeline.

    *since* is the first of these stages and *until* the last, both included, in the order of the
    stages that are no failure; without them it is all of those. *failures* makes it the set for the
    failure stages instead. (`Field.required` is about making a record, this about moving one and
    about making it in a stage.)

    Example:
        >>> from leadconvert import Pipeline, Required, Stage
        >>> sales = Pipeline(
        ...     "sales", "deal", ["new", "offer", Stage("won", "success")],
        ...     required=[Required("amount", since="offer")],
        ... )
        >>> sales.required_at("new"), sales.required_at("won")
        ((), ('amount',))
    """

    fields: tuple[str, ...] = attrs.field(converter=_field_names)
    since: str | None = attrs.field(default=None, kw_only=True)
    until: str | None = attrs.field(default=None, kw_only=True)
    failures: bool = attrs.field(default=False, kw_only=True)


def _required(values: Iterable[Required]) -> tuple[Required, ...]:
    return tuple(values)


def _stages(values: Iterable[Stage | str]) -> tuple[Stage, ...]:
    if isinstance(values, str):
        raise TypeError("a list of stages is needed here: write [...] around it")
    return tuple(value if isinstance(value, Stage) else Stage(value) for value in values)


@attrs.frozen
class Pipeline:
    """The ordered stages of one kind of record. A new record starts in the first one in process.

    Where a kind has several pipelines, one is the *default*. One may move from any stage to any
    other, from a failure to a success only where that is listed. *forward_only* allows no move
    back, but into a failure or out of it; a stage that lists its moves allows just these.
    *required* says what must be filled in which stages.

    Raises:
        leadconvert.errors.DefinitionError: a stage stands twice, none is in process, a stage that
            is named does not exist, or a range of stages runs backwards (all mistakes at once).

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
    forward_only: bool = attrs.field(default=False, kw_only=True)
    required: tuple[Required, ...] = attrs.field(default=(), converter=_required, kw_only=True)

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
        ids = [stage.id for stage in self.stages]
        named = [name for stage in self.stages for name in stage.to or ()]
        named += [name for one in self.required for name in (one.since, one.until) if name]
        strange = [name for name in dict.fromkeys(named) if name not in ids]
        yield from (unknown("stage", name, ids, place) for name in strange)
        for one in self.required:
            yield from self._range_mistakes(one, place)

    def _range_mistakes(self, required: Required, place: str) -> Iterable[Problem]:
        if not required.fields:
            yield mistake("misplaced_range", place, what="no field", why="there is nothing to fill")
        for what, name in (("since", required.since), ("until", required.until)):
            stage = self.stage(name)
            if name is not None and required.failures:
                why = "the failure stages have no order"
                yield mistake("misplaced_range", place, what=what, why=why)
            elif stage is not None and stage.role is StageRole.FAILURE:
                why = f"{name!r} is a failure stage; use failures=True"
                yield mistake("misplaced_range", place, what=what, why=why)
        order = self._in_order()
        both = required.since in order and required.until in order
        if both and order.index(str(required.since)) > order.index(str(required.until)):
            facts = {"since": required.since, "until": required.until}
            yield mistake("backward_range", place, **facts)

    def _in_order(self) -> list[str]:
        return [stage.id for stage in self.stages if stage.role is not StageRole.FAILURE]

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

    def required_at(self, id: str) -> tuple[str, ...]:  # noqa: A002
        """Return the fields that must be filled in the stage with *id*.

        Example:
            >>> from leadconvert import Pipeline, Required, Stage
            >>> Pipeline(
            ...     "p", "deal", ["a", Stage("b", "failure")],
            ...     required=[Required(["comments"], failures=True)],
            ... ).required_at("b")
            ('comments',)
        """
        order, failures = self._in_order(), self.in_role(StageRole.FAILURE)
        failed = id in [stage.id for stage in failures]
        found: list[str] = []
        for one in self.required:
            first = order.index(one.since) if one.since else 0
            last = order.index(one.until) if one.until else len(order)
            counts = failed if one.failures else id in order[first : last + 1]
            found += one.fields if counts else ()
        return tuple(dict.fromkeys(found))

    def why_not(self, start: Stage, end: Stage) -> str | None:
        """Return the code of what forbids to move from one stage to the other, or None.

        Example:
            >>> from leadconvert import Pipeline, Stage
            >>> sales = Pipeline("p", "deal", ["a", "b"], forward_only=True)
            >>> sales.why_not(Stage("b"), Stage("a"))
            'backwards'
        """
        ids = [stage.id for stage in self.stages]
        if start.id == end.id:
            return "already_there"
        if start.role is StageRole.SUCCESS:
            return "leaves_success"
        if start.to is not None:
            return None if end.id in start.to else "not_listed"
        if start.role is StageRole.FAILURE and end.role is StageRole.SUCCESS:
            return "in_failure_stage"
        goes_back = ids.index(end.id) < ids.index(start.id)
        failure = StageRole.FAILURE in {start.role, end.role}  # which have no order
        return "backwards" if self.forward_only and goes_back and not failure else None
