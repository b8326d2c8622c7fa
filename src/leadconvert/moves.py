"""Moving a record between its stages: one decision, whatever door it comes through.

Entering the success stage of a lead is a conversion; what automation makes of any other stage
belongs to the same decision and the same change set.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import attrs

from leadconvert.access import AccessRequest, Actor, Authorizer
from leadconvert.acting import Chain, moved_event
from leadconvert.closing import so_far
from leadconvert.errors import refusal
from leadconvert.given import aware, expect, named
from leadconvert.kinds import Kind
from leadconvert.linking import Links, there
from leadconvert.moving import MOVING, Step, pipeline_of
from leadconvert.pipelines import StageRole
from leadconvert.planning import plan
from leadconvert.plans import FormField, Plan
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, Record, changed
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Known, Target, targets_of
from leadconvert.values import FrozenMap, Ref, digest
from leadconvert.whole import MoveResult, Whole


__all__ = ["MovePlan", "advance", "plan_move"]


@attrs.frozen(kw_only=True, repr=False)
class MovePlan:
    """What moving a record would do, with every problem there is; `result` returns it or raises.

    *form* says what a person must fill. *conversion* is the plan of the conversion that the move
    is, if it is one. *required_access* lists every question about access.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan_move, presets
        >>> p = plan_move(
        ...     Lead(id="L-7", stage="NEW"), "CONVERTED", rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p.ok, p.problems[0].code
        (False, 'no_targets')
    """

    record: Record
    kind: str
    problems: tuple[Problem, ...]
    form: tuple[FormField, ...]
    required_access: tuple[AccessRequest, ...]
    #: Stands for the request, as in the change set it comes to.
    fingerprint: str
    conversion: Plan | None = None
    moved: MoveResult | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return self.moved is not None

    def result(self) -> MoveResult:
        """Return the result of a plan without problems.

        Raises:
            leadconvert.errors.ConversionError: there are problems; its class is that of the first
                cause among them, and it carries them all.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan_move, presets
            >>> plan_move(
            ...     Lead(id="L-7", stage="NEW"), "IN_PROCESS", rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... ).result().lead.stage
            'IN_PROCESS'
        """
        if self.moved is None:
            raise refusal(self.record.id, self.problems, self.kind)
        return self.moved

    def __repr__(self) -> str:
        wrong = ", ".join(problem.code for problem in self.problems)
        return f"<MovePlan for {self.kind} {self.record.id}: {wrong or 'ok'}>"


def plan_move(  # noqa: PLR0913 - as plan()
    record: Record,
    to: str,
    into: Iterable[str | Target] = (),
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    key: str | None = None,
    authorizer: Authorizer | None = None,
    values: Mapping[str, object] | None = None,
    reason: str | None = None,
) -> MovePlan:
    """Decide what moving a lead, a deal or any record with stages would do, and change nothing.

    To move a lead *to* its success stage is to convert it *into* targets: then this is `plan`, and
    without targets the problem says which there are to choose. After any other move the automation
    rules of the stage act, as the actor of their own. Nothing is raised for what is wrong.

    *values* are fields of the record that are filled on the way, *reason* is kept in its history;
    the other arguments are those of `plan`.

    Raises:
        TypeError: the signature is misused, or the rules have no kind of such records.
        ValueError: *at* is naive.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan_move, presets
        >>> p = plan_move(
        ...     Lead(id="L-7", stage="NEW", title="Engine"), "CONVERTED", ["deal"],
        ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p.result().conversion.deal.title
        'Engine'
    """
    known = Known() if known is None else known
    expect(("rules", rules, ConversionRules), ("known", known, Known))
    kind, targets, moment = rules.kind_of(record), targets_of(into), aware(at)
    if kind is None:
        raise TypeError(f"the rules have no kind of {named(type(record))}")
    supplied = FrozenMap(values or {})
    success = rules.lead_pipeline.in_role(StageRole.SUCCESS)[0].id
    if isinstance(record, Lead) and to == success:
        decided = plan(
            record,
            targets,
            rules=rules,
            actor=actor,
            at=moment,
            known=known,
            carry=carry,
            key=key,
            authorizer=authorizer,
            values=supplied,
            reason=reason,
        )
        return _of_conversion(decided, kind.id)
    rights = Rights.of(actor, rules, known.decisions, authorizer)
    step = Step(
        kind=kind,
        pipeline=pipeline_of(rules, kind, record),
        record=record,
        to=to,
        values=supplied,
        links=Links(rights=rights, there=there(rules, [record, *known.records])),
        asks=MOVING,
    )
    step.take()
    # whoever is denied on the record learns only that of it
    denied = [one for one in step.problems if one.cause is Cause.LEAD_ACCESS]
    beside = _beside_the_point(record, kind, to, success, targets)
    problems = denied or [*beside, *step.problems]
    asked = (kind.id, record.id, to, kind.in_form(supplied), *targets)
    moved, fingerprint = None, digest(("move", *asked))
    if not problems:
        whole = Whole(
            kind=kind,
            before=record,
            key=key or f"{record.id}/{so_far(record)}/{fingerprint}",
            fingerprint=fingerprint,
        )
        moved = _moved(step, whole, rules, known, authorizer, moment, reason)
    return MovePlan(
        record=record,
        kind=kind.id,
        problems=tuple(problems),
        form=() if denied else tuple(step.form),
        required_access=rights.open_questions,
        fingerprint=fingerprint,
        moved=moved,
    )


def _of_conversion(decided: Plan, kind: str) -> MovePlan:
    made = decided.conversion
    return MovePlan(
        record=decided.lead,
        kind=kind,
        problems=decided.problems,
        form=decided.form,
        required_access=decided.required_access,
        fingerprint=decided.fingerprint,
        conversion=decided,
        moved=None
        if made is None
        else MoveResult(record=made.lead, changes=made.changes, conversions=(made,)),
    )


def _beside_the_point(
    record: Record, kind: Kind, to: str, success: str, targets: tuple[Target, ...]
) -> Iterator[Problem]:
    """Yield what is wrong with a move that is no conversion, but for the move itself."""
    closed = (
        [made for made in record.conversions if made.closes] if isinstance(record, Lead) else []
    )
    if isinstance(record, Lead) and closed and record.stage != success:
        became = [str(target) for made in closed for target in made.targets]
        facts: dict[str, object] = {"became": became, "stage": record.stage, "success": success}
        yield Problem(
            cause=Cause.ALREADY_CONVERTED, code="stage_disagrees", kind=kind.id, params=facts
        )
    if targets:
        facts = {"to": to, "success": success}
        yield Problem(cause=Cause.STAGE, code="no_conversion_there", kind=kind.id, params=facts)


def _moved(  # noqa: PLR0913, PLR0917 - what plan_move() was given
    step: Step,
    whole: Whole,
    rules: ConversionRules,
    known: Known,
    authorizer: Authorizer | None,
    at: datetime,
    reason: str | None,
) -> MoveResult:
    """Return the move, and what the automation rules of the stage make of it."""
    actor_id = step.links.rights.actor.id
    after = changed(step.record, step.written(at, actor_id, reason))
    start = str(step.kind.read(step.record, step.kind.stage))
    event = moved_event(Ref(step.kind.id, step.record.id), start, step.to, at, actor_id)
    if not isinstance(after, Lead):
        return whole.result(after, [event])
    chain = Chain(lead=after, rules=rules, at=at, known=known, authorizer=authorizer)
    chain.enter(step.to)
    return whole.result(chain.lead, [event, *chain.events], chain.conversions, chain.refused)


def advance(  # noqa: PLR0913 - as plan_move()
    record: Record,
    to: str,
    into: Iterable[str | Target] = (),
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    key: str | None = None,
    authorizer: Authorizer | None = None,
    values: Mapping[str, object] | None = None,
    reason: str | None = None,
) -> MoveResult:
    """Decide to move *record* to another stage, or refuse it. It is ``plan_move(...).result()``.

    Raises:
        leadconvert.errors.ConversionError: something is wrong. Its class is that of the gravest
            cause, its `problems` are all there are.
        TypeError: the signature is misused, or the rules have no kind of such records.
        ValueError: *at* is naive.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, advance, presets
        >>> moved = advance(
        ...     Lead(id="L-7", stage="NEW"), "JUNK", rules=presets.bitrix24(), reason="a robot",
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> moved.lead.stage, moved.lead.stage_history[0].reason
        ('JUNK', 'a robot')
    """
    return plan_move(
        record,
        to,
        into,
        rules=rules,
        actor=actor,
        at=at,
        known=known,
        carry=carry,
        key=key,
        authorizer=authorizer,
        values=values,
        reason=reason,
    ).result()
