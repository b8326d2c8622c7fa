"""What automation makes of a lead that arrives or enters a stage, and the one change set of it."""

from collections.abc import Iterable
from datetime import datetime

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.automation import AutomationRule, WithoutLeads
from leadconvert.changes import Event
from leadconvert.errors import ConversionError, refusal
from leadconvert.linking import Links, there
from leadconvert.matching import keys_of
from leadconvert.moving import MOVING, Step
from leadconvert.pipelines import StageRole
from leadconvert.planning import plan
from leadconvert.plans import Plan
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, changed
from leadconvert.results import ConversionResult
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Pending, Target, targets_of
from leadconvert.values import Ref


__all__ = ["Chain", "RuleRefused", "moved_event"]


@attrs.frozen
class RuleRefused:
    """An automation rule that should have acted and could not, and why; the lead is not lost.

    Show it to the lead's owner: `error` says what is missing.

    Example:
        >>> from leadconvert import RuleRefused
        >>> from leadconvert.errors import refusal
        >>> from leadconvert.problems import Problem
        >>> nothing = Problem(cause="targets_required", code="no_targets", params={"kinds": "deal"})
        >>> RuleRefused("big ones", refusal("L-7", [nothing])).error.problems[0].code
        'no_targets'
    """

    rule: str
    error: ConversionError


@attrs.define(kw_only=True)
class Chain:
    """Lets the automation rules act on one lead, one after the other, each at most once.

    Example:
        >>> import attrs
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Automation, AutomationRule, Known, Lead, presets
        >>> from leadconvert.acting import Chain
        >>> robot = Actor("robot", roles=["admin"])
        >>> rules = attrs.evolve(
        ...     presets.bitrix24(),
        ...     automation=Automation(robot, [AutomationRule("all", ["deal"], on="PROCESSED")]),
        ... )
        >>> chain = Chain(
        ...     lead=Lead(id="L-7", stage="PROCESSED", title="Engine"), rules=rules, known=Known(),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC), authorizer=None,
        ... )
        >>> chain.enter("PROCESSED")
        >>> chain.lead.stage, [made.conversion.rule for made in chain.conversions]
        ('CONVERTED', ['all'])
    """

    lead: Lead
    rules: ConversionRules
    at: datetime
    known: Known
    authorizer: Authorizer | None
    conversions: list[ConversionResult] = attrs.field(factory=list, init=False)
    refused: list[RuleRefused] = attrs.field(factory=list, init=False)
    events: list[Event] = attrs.field(factory=list, init=False)

    def enter(self, stage: str | None) -> None:
        """Let the rules act that wait for this *stage*, or for an arrival if it is None.

        Once one of them has moved the lead on, the others find it there no more.
        """
        automation = self.rules.automation
        if automation is None:
            return
        entered = self.lead.stage if stage is None else stage
        for rule in automation.rules:
            stands = self.lead.stage == entered and self._is_open()
            if rule.on == stage and stands and self._applies(rule):
                self._act(rule, automation.actor)

    def without_leads(self, mode: WithoutLeads, actor: Actor) -> None:
        """Convert the lead at once, as the mode without leads says, unless that was done before."""
        if not self._is_open():
            return
        targets = targets_of(mode.targets(self.rules.kinds))
        rule = AutomationRule("mode without leads", targets, close_activities=mode.close_activities)
        if self._is_excepted(rule):
            return
        decided = self._plan(rule, targets, actor)
        named = _named(self.rules, targets, decided.problems, mode.placeholder)
        if named != targets:
            decided = self._plan(rule, named, actor)
        self._take(rule, decided)

    def _is_open(self) -> bool:
        """Whether there is anything left to act on: a closed lead is nobody's business."""
        stage = self.rules.lead_pipeline.stage(self.lead.stage)
        succeeded = stage is not None and stage.role is StageRole.SUCCESS
        return not succeeded and not any(made.closes for made in self.lead.conversions)

    def _applies(self, rule: AutomationRule) -> bool:
        acted = {made.rule for made in self.lead.conversions}
        acted |= {step.rule for step in self.lead.stage_history}
        if rule.id in acted:
            return False
        kind = self.rules.lead
        return rule.when is None or rule.when.holds(lambda name: kind.read(self.lead, name))

    def _is_excepted(self, rule: AutomationRule) -> bool:
        """Whether the lead has a phone or an e-mail that is never to become a client."""
        matching, kind = self.rules.matching, self.rules.lead
        theirs = keys_of(kind, self.lead, matching.normalizer)
        excepted = not theirs.isdisjoint(matching.exceptions.keys(matching.normalizer))
        if excepted:
            problem = Problem(cause=Cause.INVALID_TARGET, code="on_exceptions_list", kind=kind.id)
            self._refuse(rule, [problem])
        return excepted

    def _act(self, rule: AutomationRule, actor: Actor) -> None:
        if rule.into and self._is_excepted(rule):
            return
        if rule.into and not self._take(rule, self._plan(rule, rule.into, actor)):
            return
        if rule.to is not None and rule.to != self.lead.stage:
            self._move(rule, rule.to, actor)

    def _plan(self, rule: AutomationRule, targets: Iterable[Target], actor: Actor) -> Plan:
        return plan(
            self.lead,
            targets,
            rules=self.rules,
            actor=actor,
            at=self.at,
            known=self.known,
            authorizer=self.authorizer,
            closing=rule.closing,
            rule=rule,
        )

    def _take(self, rule: AutomationRule, decided: Plan) -> bool:
        if decided.conversion is None:
            self._refuse(rule, decided.problems)
            return False
        self.conversions.append(decided.conversion)
        self.events += decided.conversion.changes.events
        self.lead = decided.conversion.lead
        self._remember(decided.conversion)
        return True

    def _remember(self, result: ConversionResult) -> None:
        """Let later rules find the records as this conversion makes or leaves them."""
        changed_ = {one.ref: one.record for one in result.outcomes if not one.ref.provisional}
        records = there(self.rules, self.known.records) | changed_
        for child in result.children:
            if child.action == "moved":  # it hangs on the lead no more
                records.pop(child.ref, None)
        made = [one.record for one in result.outcomes if one.ref.provisional]
        pending = (Pending(record, result.changes.key) for record in made)
        self.known = attrs.evolve(
            self.known,
            records=records.values(),
            pending=[*self.known.pending, *pending],
            traces=[*self.known.traces, *result.changes.traces],
        )

    def _refuse(self, rule: AutomationRule, problems: Iterable[Problem]) -> None:
        error = refusal(self.lead.id, problems, self.rules.lead.id)
        self.refused.append(RuleRefused(rule.id, error))

    def _move(self, rule: AutomationRule, to: str, actor: Actor) -> None:
        step = Step(
            kind=self.rules.lead,
            pipeline=self.rules.lead_pipeline,
            record=self.lead,
            to=to,
            values={},
            links=Links(
                rights=Rights.of(actor, self.rules, self.known.decisions, self.authorizer),
                there=there(self.rules, self.known.records),
            ),
            asks=MOVING,
        )
        step.take()
        if step.problems:
            self._refuse(rule, step.problems)
            return
        ref, written = (
            Ref(self.rules.lead.id, self.lead.id),
            step.written(self.at, actor.id, rule=rule.id),
        )
        self.events.append(moved_event(ref, self.lead.stage, to, self.at, actor.id))
        self.lead = changed(self.lead, written)
        self.enter(to)


def _named(
    rules: ConversionRules,
    targets: tuple[Target, ...],
    problems: Iterable[Problem],
    placeholder: str,
) -> tuple[Target, ...]:
    """Return the *targets* with a *placeholder* where one lacks the name people know it by."""
    values: dict[int, dict[str, object]] = {}
    for problem in problems:
        kind = rules.kind(problem.kind or "")
        if kind is not None and problem.target is not None and problem.cause is Cause.MISSING:
            asked = problem.params.get("fields", (problem.field,))
            if kind.name is not None and isinstance(asked, tuple) and kind.name in asked:
                values[problem.target] = {kind.name: placeholder}
    return tuple(
        attrs.evolve(target, values=values.get(index, target.values))
        for index, target in enumerate(targets)
    )


def moved_event(ref: Ref, start: str, end: str, at: datetime, actor_id: str) -> Event:
    """Return the event that a record was moved.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Ref
        >>> from leadconvert.acting import moved_event
        >>> at = datetime(2027, 1, 31, tzinfo=UTC)
        >>> moved_event(Ref("deal", "D-5"), "new", "won", at, "u-7").name
        'record.moved'
    """
    params = {"from": start, "to": end}
    return Event(name="record.moved", ref=ref, at=at, actor_id=actor_id, params=params)
