"""Converting: one lead, refused with a typed error or decided whole, and many, each on its own."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.choosing import Choices
from leadconvert.errors import ConversionError
from leadconvert.planning import plan
from leadconvert.records import Lead
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Known, Target, targets_of


__all__ = ["Converted", "Rejected", "can_convert", "convert", "convert_many"]

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
        >>> from leadconvert.errors import Problem, refusal
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
) -> Iterator[Converted | Rejected]:
    """Yield for each lead, in order, what `convert` decides; a refusal stops nothing.

    Leads are taken one by one and nothing is kept, so a stream of any length will do.

    Raises:
        TypeError: the signature is misused; at once, before the first lead is taken.

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
    targets = targets_of(into)

    def each() -> Iterator[Converted | Rejected]:
        for lead in leads:
            try:
                result = convert(
                    lead,
                    targets,
                    rules=rules,
                    actor=actor,
                    at=at,
                    known=known,
                    carry=carry,
                    authorizer=authorizer,
                )
            except ConversionError as error:
                yield Rejected(lead.id, error)
            else:
                yield Converted(result)

    return each()


def can_convert(  # noqa: PLR0913 - as plan()
    lead: Lead,
    actor: Actor,
    rules: ConversionRules,
    *,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
    closing: bool = True,
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
    )
    assert looked.choices is not None  # noqa: S101 - a plan without targets has them
    return looked.choices
