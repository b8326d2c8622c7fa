"""Stopping at a form and going on later: what was asked and answered, decided again as of now."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.errors import Cause, InvalidFieldsError, Problem, did_you_mean
from leadconvert.planning import plan
from leadconvert.plans import Plan
from leadconvert.records import Lead
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Known, Request
from leadconvert.values import FrozenMap, digest, is_empty


__all__ = ["Changed", "Inquiry", "Resumed", "inquire", "resume"]

#: By target (None for the lead itself) and field, what was answered.
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

    Of the lead it holds a digest of each filled field that the actor may see, and no value.

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
    #: By field of the lead, what stands for its value then.
    seen: Mapping[str, str] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "seen", FrozenMap(self.seen))

    def answered(self, answers: Answers | None = None, carry: Carry | None = None) -> "Inquiry":
        """Return this inquiry with more answers: by target, None for the lead, and by field.

        *carry* answers the questions, as in `plan`. An answer given again replaces the first.

        Raises:
            leadconvert.errors.InvalidFieldsError: something was answered that nobody asked (all of
                it at once).

        Example:
            >>> from leadconvert import Create, Inquiry, Request
            >>> inquiry = Inquiry(
            ...     request=Request(lead_id="L-7", targets=(Create("deal"),)),
            ...     asked=((0, "title"),), questions=(), seen={},
            ... )
            >>> inquiry.answered({0: {"title": "Engine"}}).request.targets[0].values["title"]
            'Engine'
        """
        given = {} if answers is None else answers
        if problems := [*self._not_asked(given), *self._not_questioned(carry or {})]:
            raise InvalidFieldsError(self.request.lead_id, problems)
        targets = [
            attrs.evolve(target, values={**target.values, **given.get(index, {})})
            for index, target in enumerate(self.request.targets)
        ]
        request = attrs.evolve(
            self.request,
            targets=tuple(targets),
            values={**self.request.values, **given.get(None, {})},
            carry={**self.request.carry, **(carry or {})},
        )
        return attrs.evolve(self, request=request)

    def _not_asked(self, answers: Answers) -> Iterable[Problem]:
        for index, fields in answers.items():
            asked = [field for target, field in self.asked if target == index]
            known = index is not None and index < len(self.request.targets)
            kind = self.request.targets[index].kind if known and index is not None else None
            what = "the lead" if index is None else f"target {index}"
            for name in sorted(fields):
                if name not in asked:
                    facts = {"name": name, "what": what, **did_you_mean(name, asked)}
                    yield _not_asked(index, kind, name, facts)

    def _not_questioned(self, carry: Carry) -> Iterable[Problem]:
        for name in sorted(carry):
            if name not in self.questions:
                facts = {"name": name, "what": "carry=", **did_you_mean(name, self.questions)}
                yield _not_asked(None, None, name, facts)


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
    return Inquiry(
        request=plan.request,
        asked=tuple((field.target, field.field) for field in plan.form),
        questions=tuple(question.field for question in plan.questions),
        seen={
            name: value
            for name, value in _seen(plan.lead, rules).items()
            if name not in plan.unseen
        },
    )


@attrs.frozen(kw_only=True)
class Resumed:
    """An inquiry taken up again: the plan as of now, and what changed in between.

    *changed* lists the lead's fields that are other than they were, as far as the actor may see
    them; whatever else is new stands in the plan's problems and form.

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
) -> Resumed:
    """Decide an inquiry again, with the answers so far, against the *lead* as it is now.

    A lead that was converted in between, a kind or a field that is gone, a right that was taken:
    each is a problem of the new plan, like any other.

    Raises:
        ValueError: the inquiry is about another lead, or *at* is naive.

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
    request = inquiry.request
    if lead.id != request.lead_id:
        raise ValueError(f"the inquiry is about lead {request.lead_id}, not {lead.id}")
    decided = plan(
        lead,
        request.targets,
        rules=rules,
        actor=actor,
        at=at,
        known=known,
        carry=request.carry,
        key=request.key,
        authorizer=authorizer,
        values=request.values,
        closing=request.closing,
    )
    before, now = inquiry.seen, _seen(lead, rules)
    changed = [
        Changed(name, "emptied" if name not in now else "changed" if name in before else "filled")
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and name not in decided.unseen
    ]
    return Resumed(plan=decided, changed=tuple(changed))


def _seen(lead: Lead, rules: ConversionRules) -> dict[str, str]:
    """Return by field what stands for its value, for every filled field of *lead*."""
    values = {name: rules.lead.read(lead, name) for name in rules.lead.members} | {**lead.custom}
    return {name: digest(value) for name, value in values.items() if not is_empty(value)}
