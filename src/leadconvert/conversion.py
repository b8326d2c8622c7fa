"""Converting: one lead, refused with a typed error or decided whole, and many, each on its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.choosing import Choices
from leadconvert.errors import ConversionError
from leadconvert.planning import plan
from leadconvert.records import Lead
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Known, Mode, Target, targets_of
from leadconvert.twins import Turns, Twins


__all__ = ["Converted", "Rejected", "can_convert", "convert", "convert_batch", "convert_many"]

#: What is open to an actor does not depend on when it would be done.
_ANY_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)


def convert(  # noqa: PLR0913 - as plan()
    lead: Lead,
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    key: str | None = None,
    authorizer: Authorizer | None = None,
    values: Mapping[str, object] | None = None,
    closing: bool = True,
    reason: str | None = None,
    mode: str = Mode.CONVERT,
) -> ConversionResult:
    """Decide the conversion of *lead*, or refuse it; change nothing. It is ``plan(...).result()``.

    The arguments are those of `plan`; *at* is a moment with a time zone.

    Raises:
        leadconvert.errors.ConversionError: something is wrong. Its class is that of the gravest
            cause, its `problems` are all there are.
        TypeError: the signature is misused: *into* is one text, *rules* a preset not called.
        ValueError: *at* is naive.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, presets
        >>> result = convert(
        ...     Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace"),
        ...     ["contact", "deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> result.deal.contact_ids == (result.contact.id,)
        True
    """
    return plan(
        lead,
        into,
        rules=rules,
        actor=actor,
        at=at,
        known=known,
        carry=carry,
        key=key,
        authorizer=authorizer,
        values=values,
        closing=closing,
        reason=reason,
        mode=mode,
    ).result()


@attrs.frozen
class Converted:
    """One lead of many, converted.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Converted, Lead, convert, presets
        >>> one = Converted(
        ...     convert(
        ...         Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... )
        >>> match one:
        ...     case Converted(result):
        ...         print(result.deal.title)
        Engine
    """

    result: ConversionResult


@attrs.frozen
class Rejected:
    """One lead of many, refused, and why.

    Example:
        >>> from leadconvert import Rejected
        >>> from leadconvert.errors import refusal
        >>> from leadconvert.problems import Problem
        >>> nothing = Problem(cause="targets_required", code="no_targets", params={"kinds": "deal"})
        >>> match Rejected("L-7", refusal("L-7", [nothing])):
        ...     case Rejected(lead_id, error):
        ...         print(lead_id, error.problems[0].code)
        L-7 no_targets
    """

    lead_id: str
    error: ConversionError


def convert_many(  # noqa: PLR0913 - as plan()
    leads: Iterable[Lead],
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    authorizer: Authorizer | None = None,
    twins: int = 0,
) -> Iterator[Converted | Rejected]:
    """Yield for each lead, in order, what `convert` decides; a refusal stops nothing.

    Leads are taken one by one, so a stream of any length will do. Of the records made it remembers
    the last *twins*, for later leads to match by the rules' `Matching`: such a lead's change set
    refers to a record of an earlier one, whose key it names in `after`, with those of the others
    that changed this record. Owners take turns only where `Known.load` says how much each has got.

    Raises:
        TypeError: the signature is misused; at once, before the first lead is taken.
        ValueError: *twins* is negative; at once as well.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Converted, Lead, convert_many, presets
        >>> leads = [Lead(id="L-7", stage="NEW", title="Engine"), Lead(id="L-8", stage="JUNK")]
        >>> many = convert_many(
        ...     leads, ["deal"], rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> [isinstance(one, Converted) for one in many]
        [True, False]
    """
    if twins < 0:
        raise ValueError("twins= is how many records to remember: 0 or more")
    decide = partial(convert, rules=rules, actor=actor, at=at, carry=carry, authorizer=authorizer)
    targets, remembered = targets_of(into), Twins(rules=rules, window=twins)
    there = known or Known()
    turns = None if there.load is None else Turns(rules=rules)
    return _one_by_one(leads, partial(decide, into=targets), remembered, there, turns)


def _one_by_one(
    leads: Iterable[Lead],
    decide: Callable[..., ConversionResult],
    twins: Twins,
    known: Known,
    turns: Turns | None = None,
) -> Iterator[Converted | Rejected]:
    for lead in leads:
        again = twins.answer(lead)
        if again is not None:
            yield Converted(again)
            continue
        there = twins.known(known if turns is None else turns.known(known))
        try:
            result = decide(lead, known=there)
        except ConversionError as error:
            yield Rejected(lead.id, error)
        else:
            if twins.window:
                twins.remember(lead, result)
            if turns is not None:
                turns.count(lead, result)
            yield Converted(result)


def convert_batch(  # noqa: PLR0913 - as plan()
    leads: Iterable[Lead],
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    authorizer: Authorizer | None = None,
) -> tuple[Converted | Rejected, ...]:
    """Return for each lead of a whole batch, in order, what becomes of it; twins share.

    They are decided in the order of their ids, so that the order of the batch makes no difference:
    the record of several twins is made for the one with the least id, and owners who take turns by
    a rule do so in that order, beginning with who has the least in `Known.load`. Apply the change
    sets in an order in which each comes after those it names in `after`.

    Raises:
        TypeError: the signature is misused.

    Example:
        >>> import attrs
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, MatchRule, Matching, convert_batch, presets
        >>> matching = Matching([MatchRule("company", ["company"], "link")])
        >>> leads = [Lead(id=one, stage="NEW", company_name="Engines") for one in ("L-8", "L-7")]
        >>> two = convert_batch(
        ...     leads, ["company"], rules=attrs.evolve(presets.bitrix24(), matching=matching),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> [one.result.company.id for one in two]
        ['L-7.1.company.1', 'L-7.1.company.1']
    """
    decide = partial(convert, rules=rules, actor=actor, at=at, carry=carry, authorizer=authorizer)
    batch, targets = list(leads), targets_of(into)
    order = sorted(range(len(batch)), key=lambda index: batch[index].id)
    in_order = [batch[index] for index in order]
    twins = Twins(rules=rules, window=len(batch) * len(targets))
    decide = partial(decide, into=targets)
    many = _one_by_one(in_order, decide, twins, known or Known(), Turns(rules=rules))
    done = dict(zip(order, many, strict=True))
    return tuple(done[index] for index in range(len(batch)))


def can_convert(  # noqa: PLR0913 - as plan()
    lead: Lead,
    actor: Actor,
    rules: ConversionRules,
    *,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
    closing: bool = True,
    mode: str = Mode.CONVERT,
) -> Choices:
    """Return what *actor* may convert *lead* into, or the reasons why it is nothing.

    It is the answer of `plan` to no targets at all: what is asked about is access and the lead's
    stage, not what is missing, as that can still be filled. The arguments are those of `plan`.

    Example:
        >>> from leadconvert import Actor, Lead, can_convert, presets
        >>> lead = Lead(id="L-7", stage="JUNK")
        >>> choices = can_convert(lead, Actor("u-1", roles=["admin"]), presets.bitrix24())
        >>> bool(choices), choices.problems[0].message
        (False, "the lead stands in the failure stage 'JUNK'")
    """
    looked = plan(
        lead,
        (),
        rules=rules,
        actor=actor,
        at=_ANY_MOMENT,
        known=known,
        authorizer=authorizer,
        closing=closing,
        mode=mode,
    )
    assert looked.choices is not None  # noqa: S101 - a plan without targets has them
    return looked.choices
