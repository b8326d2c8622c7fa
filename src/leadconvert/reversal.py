"""Taking a conversion back: undoing it, or reopening its lead and keeping what was made of it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import attrs

from leadconvert.access import AccessRequest, Action, Actor, Authorizer
from leadconvert.changes import Change, ChangeSet, Event, Update, plain
from leadconvert.children import pointers
from leadconvert.closing import referring, so_far
from leadconvert.given import aware, expect
from leadconvert.linking import there
from leadconvert.past import Conversion, StageChange, Undoing, Undone
from leadconvert.pipelines import Pipeline, StageRole
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Lead, changed
from leadconvert.reverted import Reversal, ReversalPlan
from leadconvert.rights import Rights, about
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Wanted, survivor
from leadconvert.traces import Trace, TraceStep
from leadconvert.unwinding import Unwinding
from leadconvert.values import Ref, digest, ids_in


__all__ = ["plan_reversal", "reverse", "wanted_reversal"]


def plan_reversal(  # noqa: PLR0913 - each is a thing a decision depends on, and all but one named
    lead: Lead,
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    conversion: str | None = None,
    partial: bool = False,
    keep: bool = False,
    to: str | None = None,
    reason: str | None = None,
    key: str | None = None,
    authorizer: Authorizer | None = None,
) -> ReversalPlan:
    """Decide what taking back the newest conversion of *lead* would do, and change nothing.

    The lead and the records merged into are given back what they held before, and what the
    conversion made is removed; what it linked is let go. What hangs on the lead goes back where it
    came from. Whatever was changed since, or has others that refer to it, stands in the way.

    Args:
        lead: the lead, as the store last returned it.
        rules: what decides.
        actor: who asks: they need the right to reverse the lead, or with *keep* to reopen it.
        at: the moment, with a time zone.
        known: the records and traces that `wanted_reversal` asks for.
        conversion: the id of the conversion meant: only the newest in force can be taken back, and
            is unless another is named.
        partial: True takes back what can be, and leaves the rest as it is.
        keep: True reopens the lead: it leaves its success stage and lets go of all that was made
            of it, by every conversion in force, and nothing is removed or restored.
        to: the stage to reopen it in; where it stood before unless given. A lead that stands in
            no success stage stays where it stands.
        reason: why, in the actor's words; the lead's history keeps it.
        key: what makes a retry harmless; derived unless given.
        authorizer: who decides about access instead of the rules' policy.

    Raises:
        TypeError: the signature is misused: *rules* is a preset not called.
        ValueError: *at* is naive, *to* is given without *keep*, or *conversion* with it.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Deal, Known, Lead, convert, plan_reversal, presets
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> at = datetime(2027, 1, 31, tzinfo=UTC)
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine")
        >>> made = convert(lead, ["deal"], rules=rules, actor=boss, at=at)
        >>> known = Known(records=made.records, traces=made.changes.traces)
        >>> p = plan_reversal(made.lead, rules=rules, actor=boss, at=at, known=known)
        >>> p.result().lead.stage, [str(ref) for ref in p.result().removed]
        ('NEW', ['deal L-7.1.deal.1'])
    """
    known = Known() if known is None else known
    expect(("lead", lead, Lead), ("rules", rules, ConversionRules), ("known", known, Known))
    if to is not None and not keep:
        raise ValueError("to= says where to reopen a lead: it goes with keep=True")
    if conversion is not None and keep:
        raise ValueError("keep=True lets go of all conversions: leave conversion= out")
    return _Reversing(
        lead=lead,
        rules=rules,
        at=aware(at),
        known=known,
        conversion=conversion,
        partial=partial,
        how=Undoing.REOPENED if keep else Undoing.REVERSED,
        to=to,
        reason=reason,
        key=key,
        rights=Rights.of(actor, rules, known.decisions, authorizer),
    ).plan()


def reverse(  # noqa: PLR0913 - as plan_reversal()
    lead: Lead,
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    conversion: str | None = None,
    partial: bool = False,
    keep: bool = False,
    to: str | None = None,
    reason: str | None = None,
    key: str | None = None,
    authorizer: Authorizer | None = None,
) -> Reversal:
    """Take back the newest conversion of *lead*, or refuse it. It is ``plan_reversal().result()``.

    The arguments are those of `plan_reversal`.

    Raises:
        leadconvert.errors.NotReversibleError: there is nothing to take back, or something stands in
            the way; its `problems` are all there are.
        leadconvert.errors.ConversionError: another cause is graver, such as access.
        TypeError: the signature is misused.
        ValueError: *at* is naive, *to* is given without *keep*, or *conversion* with it.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Known, Lead, convert, presets, reverse
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> at = datetime(2027, 1, 31, tzinfo=UTC)
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine")
        >>> made = convert(lead, ["deal"], rules=rules, actor=boss, at=at)
        >>> known = Known(records=made.records, traces=made.changes.traces)
        >>> undone = reverse(made.lead, rules=rules, actor=boss, at=at, known=known)
        >>> undone.lead.stage, undone.lead.conversions[0].in_force
        ('NEW', False)
    """
    return plan_reversal(
        lead,
        rules=rules,
        actor=actor,
        at=at,
        known=known,
        conversion=conversion,
        partial=partial,
        keep=keep,
        to=to,
        reason=reason,
        key=key,
        authorizer=authorizer,
    ).result()


def wanted_reversal(
    lead: Lead, *, rules: ConversionRules, keep: bool = False, known: Known | None = None
) -> Wanted:
    """Return what to find out before `plan_reversal`: traces, the records they speak of, rights.

    *related* asks for whatever refers to these records, and for what hangs on them or on the lead.

    Whom the records referred to before, and where a child has gone since, is not known before the
    traces are: ask again with them as *known*, and *refs* lists all that they speak of.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, presets, wanted_reversal
        >>> made = convert(
        ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> wanted_reversal(made.lead, rules=presets.bitrix24()).traces
        ('L-7.1',)
    """
    taken = _taken_back(lead, Undoing.REOPENED if keep else Undoing.REVERSED)
    refs = list(dict.fromkeys(ref.stored for made in taken for ref in made.targets))
    created = {ref.stored for made in taken for ref in made.created}
    own = Ref(rules.lead.id, lead.id)
    children = [rule.kind for rule in rules.children]
    related = [
        (kind.id, name, ref)
        for kind in rules.every_kind
        for ref in (*refs, own)
        if ref in created or kind in children
        for name in pointers(kind, ref.kind)
    ]
    ids = [made.id for made in taken]
    for trace in () if known is None else known.traces:
        refs += (ref for ref in _spoken_of(trace) if trace.id in ids and ref != own)
    return Wanted(
        refs=tuple(dict.fromkeys(refs)),
        access=_rights_on_lead(lead, rules, Action.REOPEN if keep else Action.REVERSE),
        related=tuple(related),
        traces=tuple(ids),
    )


def _spoken_of(trace: Trace) -> Iterator[Ref]:
    """Yield whom a trace speaks of: what was changed, and what that referred to."""
    for step in trace.steps:
        yield step.ref.stored
        for value in (*step.before.values(), *step.written.values()):
            refs = value if isinstance(value, tuple) else (value,)
            yield from (ref.stored for ref in refs if isinstance(ref, Ref))


def _taken_back(lead: Lead, how: Undoing) -> tuple[Conversion, ...]:
    """Return the conversions to take back: the newest in force, or to reopen a lead all of them."""
    in_force = tuple(made for made in lead.conversions if made.in_force)
    return in_force if how is Undoing.REOPENED else in_force[-1:]


def _rights_on_lead(
    lead: Lead, rules: ConversionRules, action: Action
) -> tuple[AccessRequest, ...]:
    kind = rules.lead
    return tuple(
        about(rules, kind, one, lambda name: kind.read(lead, name), lead.id)
        for one in (Action.READ, Action.UPDATE, action)
    )


@attrs.define(kw_only=True)
class _Reversing:
    lead: Lead
    rules: ConversionRules
    at: datetime
    known: Known
    conversion: str | None
    partial: bool
    how: Undoing
    to: str | None
    reason: str | None
    key: str | None
    rights: Rights
    problems: list[Problem] = attrs.field(factory=list, init=False)
    unwinding: Unwinding = attrs.field(init=False)

    def plan(self) -> ReversalPlan:
        keeps = self.how is Undoing.REOPENED
        self.problems += self._denied(Action.REOPEN if keeps else Action.REVERSE)
        taken = _taken_back(self.lead, self.how)
        if not self.problems:
            self.problems += self._which(taken)
            self.problems += self._when(taken)
            self.problems += self._where()
        traces = [] if self.problems else list(self._traces(taken))
        others = (made for made in self.lead.conversions if made.in_force and made not in taken)
        held = (ref.stored for made in others for ref in made.targets)
        known = there(self.rules, self.known.records)
        known.pop(self._ref, None)  # it is changed by itself, and last
        self.unwinding = Unwinding(
            rights=self.rights,
            there=known,
            merged=self.known.merged,
            held=frozenset(survivor(ref, self.known.merged) for ref in held),
            keep=keeps,
        )
        for trace in reversed(traces):
            self.unwinding.unwind(trace.steps)
        written = self._written(taken, traces) if not self.problems else {}
        in_the_way = self.unwinding.problems
        goes_on = not self.problems and (self.partial or not in_the_way)
        return ReversalPlan(
            lead=self.lead,
            problems=() if goes_on else (*self.problems, *in_the_way),
            partial=not self.problems,
            required_access=self.rights.open_questions,
            fingerprint=self.fingerprint,
            reversal=self._result(taken, written) if goes_on else None,
        )

    @property
    def fingerprint(self) -> str:
        asked = (self.how.value, self.lead.id, self.conversion, self.partial, self.to)
        return digest(("reverse", *asked))

    def _denied(self, action: Action) -> Iterator[Problem]:
        for request in _rights_on_lead(self.lead, self.rules, action):
            denial = self.rights.denial(request, Cause.LEAD_ACCESS)
            if denial is not None:
                yield denial

    def _which(self, taken: tuple[Conversion, ...]) -> Iterator[Problem]:
        """Yield that there is nothing to take back, or that another one is to be first."""
        named = {made.id: made for made in self.lead.conversions}
        meant = None if self.conversion is None else named.get(self.conversion)
        if self.conversion is not None and meant is None:
            facts = {"conversions": list(named), **did_you_mean(self.conversion, named)}
            yield self._problem("unknown_conversion", conversion=self.conversion, **facts)
        elif meant is not None and meant.undone is not None:
            how = meant.undone.how.value
            yield self._problem("undone_already", conversion=meant.id, how=how)
        elif not taken and (self.how is Undoing.REVERSED or not self._stands_in_success):
            yield self._problem("nothing_to_undo")
        elif meant is not None and meant not in taken:
            ids = [made.id for made in self.lead.conversions if made.in_force]
            newer = ids[: ids.index(meant.id) : -1]
            yield self._problem("newer_first", conversion=meant.id, newer=newer)

    def _when(self, taken: tuple[Conversion, ...]) -> Iterator[Problem]:
        within = self.rules.undo_within
        if within is None or self.how is Undoing.REOPENED:
            return
        for made in taken:
            if (age := self.at - made.at) > within:
                told = str(timedelta(seconds=int(age.total_seconds())))
                facts = {"age": told, "within": str(within)}
                yield self._problem("too_late", conversion=made.id, **facts)

    def _where(self) -> Iterator[Problem]:
        ids = [stage.id for stage in self._pipeline.in_role(StageRole.PROCESS)]
        if self.to is not None and self.to not in ids:
            facts = {"pipeline": self._pipeline.id, "stages": ids, **did_you_mean(self.to, ids)}
            yield Problem(
                cause=Cause.STAGE,
                code="unknown_target_stage",
                kind=self.rules.lead.id,
                params=facts,
            )

    def _traces(self, taken: tuple[Conversion, ...]) -> Iterator[Trace]:
        by_id = {trace.id: trace for trace in self.known.traces if self._is_own(trace)}
        for made in taken:
            if made.id in by_id:
                yield by_id[made.id]
            else:
                self.problems.append(self._problem("no_trace", conversion=made.id))

    def _is_own(self, trace: Trace) -> bool:
        """Tell whether a trace is of this lead: two that arrived may have had one id."""
        filled = (step.ref.stored for step in trace.steps if step.action == "filled")
        return all(survivor(ref, self.known.merged) == self._ref for ref in filled)

    def _written(self, taken: tuple[Conversion, ...], traces: list[Trace]) -> dict[str, object]:
        """Return what changes in the lead."""
        actor, kind = self.rights.actor.id, self.rules.lead
        undone = Undone(how=self.how, at=self.at, actor_id=actor, reason=self.reason)
        conversions = (
            attrs.evolve(made, undone=undone) if made in taken else made
            for made in self.lead.conversions
        )
        written: dict[str, object] = {}
        filled = [one for trace in traces for one in trace.steps if one.action == "filled"]
        if self.how is Undoing.REVERSED:
            for step in filled:
                before = {name: v for name, v in step.before.items() if name != kind.stage}
                marks = {name: v for name, v in step.written.items() if name != kind.stage}
                kept = attrs.evolve(step, before=before, written=marks)
                written |= self.unwinding.unchanged(kept, kind, self.lead)
            written |= self._unbound()
        back = self._back_to(filled)
        if back is not None:
            moved = StageChange(
                from_stage=self.lead.stage,
                to_stage=back,
                at=self.at,
                actor_id=actor,
                reason=self.reason,
            )
            written |= {"stage": back, "stage_history": (*self.lead.stage_history, moved)}
        return {**written, "conversions": tuple(conversions)}

    def _unbound(self) -> Iterator[tuple[str, object]]:
        """Yield the references of the lead without what is removed, to which a host bound it."""
        kind, removed = self.rules.lead, self.unwinding.removed
        for name, field in kind.references.items():
            ids = ids_in(kind.read(self.lead, name))
            left = tuple(one for one in ids if Ref(str(field.to), one) not in removed)
            if left != ids:
                yield name, left if field.multiple else None

    def _back_to(self, filled: Iterable[TraceStep]) -> str | None:
        """Return the stage the lead goes back to, or None if it stays where it stands."""
        if not self._stands_in_success:
            return None
        stage, success = str(self.rules.lead.stage), self.lead.stage
        came: list[object]
        if self.how is Undoing.REVERSED:
            came = [step.before[stage] for step in filled if stage in step.before]
            if not came:
                return None
        else:
            came = [one.from_stage for one in self.lead.stage_history if one.to_stage == success]
        process = [one.id for one in self._pipeline.in_role(StageRole.PROCESS)]
        before = str(came[-1]) if came and came[-1] in process else self._pipeline.first.id
        return self.to or before

    def _result(self, taken: tuple[Conversion, ...], written: Mapping[str, object]) -> Reversal:
        given = {name: plain(one) for name, one in written.items()}
        lead, unwinding = changed(self.lead, given), self.unwinding
        changes: list[Change] = [
            *unwinding.changes,
            Update(self._ref, self.lead.revision, referring(self.rules.lead, given)),
        ]
        ids = [made.id for made in taken]
        return Reversal(
            lead=lead,
            conversions=tuple(made for made in lead.conversions if made.id in ids),
            restored=unwinding.restored,
            removed=unwinding.removed,
            released=unwinding.released,
            kept=tuple(unwinding.problems),
            changes=ChangeSet(
                key=self.key or f"{self.lead.id}/{so_far(self.lead)}/{self.fingerprint}",
                fingerprint=self.fingerprint,
                changes=changes,
                events=self._events(ids),
            ),
        )

    def _events(self, ids: list[str]) -> Iterator[Event]:
        ref = self._ref
        updates = (one.ref for one in self.unwinding.changes if isinstance(one, Update))
        told = {
            "record.restored": tuple(updates),
            "record.released": self.unwinding.released,
            "record.removed": self.unwinding.removed,
        }
        for name, refs in told.items():
            yield from (self._event(name, one, {"lead": ref}) for one in refs)
        yield self._event(f"lead.{self.how}", ref, {"conversions": ids})

    def _event(self, name: str, ref: Ref, params: Mapping[str, object]) -> Event:
        actor_id = self.rights.actor.id
        return Event(name=name, ref=ref, at=self.at, actor_id=actor_id, params=params)

    @property
    def _ref(self) -> Ref:
        return Ref(self.rules.lead.id, self.lead.id)

    @property
    def _pipeline(self) -> Pipeline:
        return self.rules.lead_pipeline

    @property
    def _stands_in_success(self) -> bool:
        return self.lead.stage == self._pipeline.in_role(StageRole.SUCCESS)[0].id

    def _problem(self, code: str, **params: object) -> Problem:
        kind = self.rules.lead.id
        return Problem(cause=Cause.REVERSAL, code=code, kind=kind, params=params)
