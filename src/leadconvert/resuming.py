"""Stopping at a form and going on later: what was asked and answered, decided again as of now."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.errors import InvalidFieldsError
from leadconvert.given import expect
from leadconvert.planning import plan
from leadconvert.plans import Plan
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Lead
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Known, Request
from leadconvert.values import FrozenMap, digest, is_empty


__all__ = ["Changed", "Inquiry", "Resumed", "inquire", "resume"]

#: By index of the target (None for the lead itself) and by field, what was answered.
Answers = Mapping[int | None, Mapping[str, object]]


class Changed(NamedTuple):
    """A field of the lead that is another than when it was asked about, and how: a plain tuple.

    *how* is `filled`, `emptied` or `changed`.

    Example:
        >>> from leadconvert import Changed
        >>> Changed("title", "filled").how
        'filled'
    """

    field: str
    how: str


@attrs.frozen(kw_only=True)
class Inquiry:
    """A plan's open questions and the answers so far, as plain data to keep and go on with.

    Of the lead it holds no value: a digest of each filled field that the actor may see, and nothing
    at all where they may not convert the lead.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, inquire, plan, presets, resume
        >>> rules, ada = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> lead, at = Lead(id="L-7", stage="NEW"), datetime(2027, 1, 31, tzinfo=UTC)
        >>> inquiry = inquire(plan(lead, ["deal"], rules=rules, actor=ada, at=at), rules)
        >>> inquiry = inquiry.answered({0: {"title": "Engine"}})
        >>> resume(inquiry, lead, rules=rules, actor=ada, at=at).plan.result().deal.title
        'Engine'
    """

    request: Request
    #: What was asked for, by target and field.
    asked: tuple[tuple[int | None, str], ...]
    #: The custom fields of the lead that nobody had decided on.
    questions: tuple[str, ...]
    #: By field of the lead, what stands for its value then; "" for a sensitive one that was empty.
    seen: Mapping[str, str] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "seen", FrozenMap(self.seen))

    def answered(self, answers: Answers | None = None, carry: Carry | None = None) -> "Inquiry":
        """Return this inquiry with more answers: ``{index of a target: {field: answer}}``.

        The lead's own fields stand under None. *carry* answers the questions, as in `plan`. An
        answer given again replaces the first. Whether it fits is decided when the inquiry is
        resumed.

        Raises:
            leadconvert.errors.InvalidFieldsError: something was answered that nobody asked (all of
                it at once).
            TypeError: the answers have another shape.

        Example:
            >>> from leadconvert import Create, Inquiry, Request
            >>> inquiry = Inquiry(
            ...     request=Request(lead_id="L-7", targets=(Create("deal"),)),
            ...     asked=((0, "title"),), questions=(), seen={},
            ... )
            >>> inquiry.answered({0: {"title": "Engine"}}).request.targets[0].values["title"]
            'Engine'
        """
        given, carried = {} if answers is None else answers, {} if carry is None else carry
        if not (_is_nested(given) and all(isinstance(one, int | None) for one in given)):
            raise TypeError("answers are {index of the target, or None for the lead: {field: ...}}")
        if not _is_nested(carried):
            raise TypeError("carry= maps a lead field to {kind: target field}")
        if problems := [*self._not_asked(given), *self._not_questioned(carried)]:
            raise InvalidFieldsError(self.request.lead_id, problems)
        targets = [
            attrs.evolve(target, values={**target.values, **given.get(index, {})})
            for index, target in enumerate(self.request.targets)
        ]
        request = attrs.evolve(
            self.request,
            targets=tuple(targets),
            values={**self.request.values, **given.get(None, {})},
            carry={**self.request.carry, **carried},
        )
        return attrs.evolve(self, request=request)

    def _not_asked(self, answers: Answers) -> Iterator[Problem]:
        kinds = {index: target.kind for index, target in enumerate(self.request.targets)}
        for index in sorted(answers, key=lambda one: -1 if one is None else one):
            asked = [field for target, field in self.asked if target == index]
            kind = None if index is None else kinds.get(index)
            target = f"target {index}" if kind is None else f"target {index} ({kind})"
            what = "the lead" if index is None else target
            for name in sorted(answers[index].keys() - set(asked)):
                facts = {"name": name, "what": what, **did_you_mean(name, asked)}
                yield _not_asked(index, kind, name, facts)

    def _not_questioned(self, carry: Carry) -> Iterator[Problem]:
        for name in sorted(carry.keys() - set(self.questions)):
            hint = did_you_mean(name, self.questions)
            yield _not_asked(None, None, name, {"name": name, "what": "the lead in carry=", **hint})


def _is_nested(answers: object) -> bool:
    return isinstance(answers, Mapping) and all(
        isinstance(one, Mapping) for one in answers.values()
    )


def _not_asked(
    target: int | None, kind: str | None, name: str, params: Mapping[str, object]
) -> Problem:
    return Problem(
        cause=Cause.INVALID,
        code="not_asked",
        target=target,
        kind=kind,
        field=name,
        params=params,
    )


def inquire(plan: Plan, rules: ConversionRules) -> Inquiry:
    """Return what *plan* asks for, as plain data that a user may answer today or tomorrow.

    Of a move that is a conversion take its `conversion`.

    Raises:
        TypeError: *plan* or *rules* is something else.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, inquire, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW"), ["deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> inquire(p, presets.bitrix24()).asked
        ((0, 'title'),)
    """
    expect(("plan", plan, Plan), ("rules", rules, ConversionRules))
    return Inquiry(
        request=plan.request,
        asked=tuple((field.target, field.field) for field in plan.form),
        questions=tuple(question.field for question in plan.questions),
        seen=_seen(plan, rules),
    )


@attrs.frozen(kw_only=True)
class Resumed:
    """An inquiry taken up again: the plan as of now, and what changed in between.

    *changed* lists the lead's fields that are other than they were, as far as they could be seen
    then and may be seen now; whatever else is new stands in the plan's problems and form.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, inquire, plan, presets, resume
        >>> rules, ada = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> lead, at = Lead(id="L-7", stage="NEW"), datetime(2027, 1, 31, tzinfo=UTC)
        >>> inquiry = inquire(plan(lead, ["deal"], rules=rules, actor=ada, at=at), rules)
        >>> now = Lead(id="L-7", stage="NEW", title="Engine")
        >>> again = resume(inquiry, now, rules=rules, actor=ada, at=at)
        >>> again.plan.ok, again.changed
        (True, (Changed(field='title', how='filled'),))
    """

    plan: Plan
    changed: tuple[Changed, ...]


def resume(  # noqa: PLR0913 - as plan()
    inquiry: Inquiry,
    lead: Lead,
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
    reason: str | None = None,
) -> Resumed:
    """Decide an inquiry again, with the answers so far, against the *lead* as it is now.

    A lead that was converted in between, a kind or a field that is gone, a right that was taken:
    each is a problem of the new plan, like any other. The arguments are those of `plan`.

    Raises:
        ValueError: the inquiry is about another lead, or *at* is naive.
        TypeError: the signature is misused.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, inquire, plan, presets, resume
        >>> rules, ada = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> lead, at = Lead(id="L-7", stage="NEW"), datetime(2027, 1, 31, tzinfo=UTC)
        >>> inquiry = inquire(plan(lead, ["deal"], rules=rules, actor=ada, at=at), rules)
        >>> junk = Lead(id="L-7", stage="JUNK")
        >>> [one.code for one in resume(inquiry, junk, rules=rules, actor=ada, at=at).plan.problems]
        ['in_failure_stage', 'required']
    """
    expect(("inquiry", inquiry, Inquiry), ("lead", lead, Lead))
    request = inquiry.request
    if lead.id != request.lead_id:
        raise ValueError(f"the inquiry is about lead {request.lead_id}, not {lead.id}")
    decided = plan(
        lead,
        request.asked,
        rules=rules,
        actor=actor,
        at=at,
        known=known,
        carry=request.carry,
        key=request.key,
        authorizer=authorizer,
        values=request.values,
        closing=request.closing,
        mode=request.mode,
        reason=reason,
    )
    return Resumed(
        plan=decided, changed=tuple(_changed(inquiry.seen, _seen(decided, rules), rules))
    )


def _changed(
    before: Mapping[str, str], now: Mapping[str, str], rules: ConversionRules
) -> Iterator[Changed]:
    """Yield what differs, of what could be seen then and can be now."""
    if not before or not now:  # the lead was denied then, or is now
        return
    sensitive = _sensitive(rules)
    for name in sorted(before.keys() | now.keys()):
        compares = name not in sensitive or (name in before and name in now)
        was, is_ = before.get(name, ""), now.get(name, "")
        if compares and was != is_:
            yield Changed(name, "emptied" if not is_ else "changed" if was else "filled")


def _seen(decided: Plan, rules: ConversionRules) -> dict[str, str]:
    """Return by field what stands for its value, for what the plan's actor may see of the lead.

    A sensitive field that is empty has its place too, so that none tells a hidden one.
    """
    if any(problem.cause is Cause.LEAD_ACCESS for problem in decided.problems):
        return {}
    lead, kind, sensitive = decided.lead, rules.lead, _sensitive(rules)
    values = {name: kind.read(lead, name) for name in kind.members} | {**lead.custom}
    return {
        name: "" if is_empty(value) else digest(value)
        for name, value in values.items()
        if name not in decided.unseen and (name in sensitive or not is_empty(value))
    }


def _sensitive(rules: ConversionRules) -> set[str]:
    return {name for name, field in rules.lead.members.items() if field.sensitive}
