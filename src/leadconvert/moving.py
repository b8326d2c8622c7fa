"""One record on its way to a stage: may it go there, what must be filled, how it stands then."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import attrs

from leadconvert.access import Action
from leadconvert.asking import form_field
from leadconvert.fields import MisfitError
from leadconvert.kinds import Kind
from leadconvert.linking import Links
from leadconvert.past import StageChange
from leadconvert.pipelines import Pipeline, Stage, StageRole
from leadconvert.plans import FormField
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Record, changed
from leadconvert.rights import Sight
from leadconvert.rules import ConversionRules
from leadconvert.values import is_empty


__all__ = ["MOVING", "Step", "pipeline_of"]

#: What one must be allowed to do with a record to move it.
MOVING: Final = (Action.READ, Action.UPDATE, Action.MOVE)


@attrs.define(kw_only=True)
class Step:
    """Takes one record to stage *to*, with *values* filled on the way.

    Afterwards *accepted* holds what was filled, *problems* and *form* what stands in the way.

    Example:
        >>> from leadconvert import Actor, Lead, Pipeline, Required, Stage, presets
        >>> from leadconvert.linking import Links
        >>> from leadconvert.moving import Step
        >>> from leadconvert.rights import Rights
        >>> leads = Pipeline(
        ...     "leads", "lead", ["new", Stage("done", "success")],
        ...     required=[Required("amount", since="done")],
        ... )
        >>> rules = presets.bitrix24()
        >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
        >>> step = Step(
        ...     kind=rules.lead, pipeline=leads, record=Lead(id="L", stage="new"), to="done",
        ...     values={}, links=Links(rights=rights, there={}),
        ... )
        >>> step.take()
        >>> [problem.field for problem in step.problems]
        ['amount']
    """

    kind: Kind
    pipeline: Pipeline | None
    record: Record
    to: str
    values: Mapping[str, object]
    links: Links
    #: False fills the record and leaves it where it stands.
    goes: bool = True
    #: Rights to ask for first; whoever lacks one learns nothing else.
    asks: tuple[Action, ...] = ()
    accepted: dict[str, object] = attrs.field(factory=dict, init=False)
    problems: list[Problem] = attrs.field(factory=list, init=False)
    form: list[FormField] = attrs.field(factory=list, init=False)

    def take(self) -> None:
        """Fill what is supplied, and find what stands in the way; called once."""
        for name in sorted(self.values):
            self._supply(name)
        self.problems += self.links.problems(self.kind, self.accepted, Cause.LEAD_ACCESS)
        self._give_away()
        self._go(self.to)
        if not self.problems:
            self._try()
        denied = [one for one in self._denials() if one is not None]
        self.problems = denied or self.problems
        asked = {str(problem.field): problem.code for problem in self.problems}  # each field once
        for name, why in asked.items():
            if name in self.kind.members.keys() - self._reserved and self.sight.fillable(name):
                self.form.append(
                    form_field(
                        self.kind, name, target=None, value=self._value(name), sources=(), why=why
                    )
                )

    def written(
        self, at: datetime, actor_id: str, reason: str | None = None, rule: str | None = None
    ) -> dict[str, object]:
        """Return what the move changes, by field id: what was filled, the stage, the history."""
        stage = str(self.kind.stage)
        written: dict[str, object] = {**self.accepted, stage: self.to}
        history = self.kind.read(self.record, "stage_history")
        if isinstance(history, tuple):
            moved = StageChange(
                from_stage=str(self.kind.read(self.record, stage)),
                to_stage=self.to,
                at=at,
                actor_id=actor_id,
                reason=reason,
                rule=rule,
            )
            written["stage_history"] = (*history, moved)
        return written

    def _denials(self) -> Iterator[Problem | None]:
        rights = self.links.rights
        asked = rights.with_record(self.kind, self.record, Action.READ)
        for action in self.asks:
            to = self.to if action is Action.MOVE else None
            request = attrs.evolve(asked, action=action, to_stage=to)
            yield rights.denial(request, Cause.LEAD_ACCESS)

    def _supply(self, name: str) -> None:
        kind = self.kind
        visible = [member for member in kind.members if member not in self.sight.hidden]
        if name not in visible:
            self._refuse(Cause.INVALID, "unknown_field", name, did_you_mean(name, visible))
        elif name in self._reserved:
            self._refuse(Cause.INVALID, "reserved_field", name, {})
        elif not self.sight.fillable(name):
            self._refuse(Cause.INVALID, "not_editable", name, {"actor": self.sight.actor_id})
        else:
            value = self.values[name]
            try:
                self.accepted[name] = kind.members[name].accept(None if is_empty(value) else value)
            except MisfitError as misfit:
                self._refuse(Cause.INVALID, misfit.code, name, misfit.params)

    def _give_away(self) -> None:
        """Ask whether the record may be given to another owner, if it is."""
        rights, kind = self.links.rights, self.kind
        before = kind.read(self.record, kind.owner)
        owner = self.accepted.get(str(kind.owner), before)
        if owner not in {before, rights.actor.id}:
            asked = rights.with_record(kind, self.record, Action.ASSIGN)
            denial = rights.denial(asked, Cause.LEAD_ACCESS)
            self.problems += [] if denial is None else [denial]

    def _try(self) -> None:
        """Find out whether the record can stand as it would be written."""
        there = {str(self.kind.stage): self.to} if self.goes else {}
        try:
            changed(self.record, {**self.accepted, **there})
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything
            facts = {"error": type(error).__name__}
            self._refuse(Cause.INVALID, "constructor_failed", None, facts)

    def _value(self, name: str) -> object:
        """Return what the record holds in a field, or is filled with."""
        return self.accepted.get(name, self.kind.read(self.record, name))

    @property
    def sight(self) -> Sight:
        """What the actor may not see or fill."""
        return self.links.rights.sight(self.kind)

    @property
    def _reserved(self) -> frozenset[str | None]:
        """The fields that nobody fills by hand."""
        return frozenset({self.kind.stage, self.kind.pipeline, self.kind.converted_from})

    def _go(self, to: str) -> None:
        facts: dict[str, object]
        if self.kind.stage is None:
            self._refuse(Cause.STAGE, "no_stages_here", None, {})
            return
        if self.pipeline is None:
            own = self.links.rights.rules.pipelines_of(self.kind.id)
            known = [pipeline.id for pipeline in own]
            named = str(self.kind.read(self.record, self.kind.pipeline))
            facts = {"pipelines": known, **did_you_mean(named, known)}
            self._refuse(Cause.STAGE, "unknown_pipeline", self.kind.pipeline, facts)
            return
        ids = [stage.id for stage in self.pipeline.stages]
        stands = self.kind.read(self.record, self.kind.stage)
        now = stands if isinstance(stands, str) else None
        start, end = self.pipeline.stage(now), self.pipeline.stage(to)
        if start is None:
            facts = {"stage": now, "pipeline": self.pipeline.id, **did_you_mean(now or "", ids)}
            self._refuse(Cause.STAGE, "unknown_stage", None, facts)
        elif end is None:
            facts = {"pipeline": self.pipeline.id, "stages": ids, **did_you_mean(to, ids)}
            self._refuse(Cause.STAGE, "unknown_target_stage", None, facts)
        elif not self.goes:
            if start.role is StageRole.FAILURE:
                self._refuse(Cause.STAGE, "in_failure_stage", None, {"stage": now})
        elif (code := self.pipeline.why_not(start, end)) is not None:
            facts = {"stage": now, "to": to, "pipeline": self.pipeline.id, "listed": start.to or ()}
            self._refuse(Cause.STAGE, code, None, facts)
        else:
            self.problems += self._lacking(self.pipeline, end)

    def _lacking(self, pipeline: Pipeline, end: Stage) -> Iterator[Problem]:
        """Yield what the record lacks there; a field the actor cannot see is not demanded of them.

        (Help article "Pflichtfelder": a field that a user cannot see is not required of them.)
        """
        refused = {problem.field for problem in self.problems}
        for name in pipeline.required_at(end.id):
            if name in self.sight.hidden or name in refused:
                continue
            if is_empty(self._value(name)):
                yield self._lacks(name, end)

    def _lacks(self, name: str, end: Stage) -> Problem:
        label = self.kind.members[name].label
        if name in self.sight.locked:
            code, facts = "required_of_others", {"labels": [label], "actor": self.sight.actor_id}
        else:
            code, facts = "required_at", {"label": label, "stage": end.id}
        return self._problem(Cause.MISSING, code, name, facts)

    def _refuse(
        self, cause: Cause, code: str, field: str | None, params: Mapping[str, object]
    ) -> None:
        self.problems.append(self._problem(cause, code, field, params))

    def _problem(
        self, cause: Cause, code: str, field: str | None, params: Mapping[str, object]
    ) -> Problem:
        return Problem(cause=cause, code=code, kind=self.kind.id, field=field, params=params)


def pipeline_of(rules: ConversionRules, kind: Kind, record: Record) -> Pipeline | None:
    """Return the pipeline in which *record* stands, or None if the rules have no such one.

    Example:
        >>> from leadconvert import Deal, presets
        >>> from leadconvert.moving import pipeline_of
        >>> rules = presets.bitrix24()
        >>> pipeline_of(rules, rules.kind("deal"), Deal(id="D-5", pipeline="0")).label
        'General'
    """
    own = rules.pipelines_of(kind.id)
    if kind.pipeline is None:
        return own[0] if own else None
    named = kind.read(record, kind.pipeline)
    return next((one for one in own if one.id == named), None)
