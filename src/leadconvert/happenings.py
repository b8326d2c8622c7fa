"""What happened to a record, in order: how it moved, what it became, and what was taken back."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import attrs

from leadconvert.given import aware
from leadconvert.past import Conversion, StageChange
from leadconvert.records import Record, held
from leadconvert.values import Ref


__all__ = ["Happened", "Happening", "history"]

T = TypeVar("T")


class Happened(StrEnum):
    """What a happening was.

    Example:
        >>> from leadconvert import Happened
        >>> Happened("converted") is Happened.CONVERTED
        True
    """

    CREATED = "created"
    #: To another stage, or into the first one.
    MOVED = "moved"
    #: By a conversion that closes the lead.
    CONVERTED = "converted"
    #: More was made of a lead that was converted already.
    SUPPLEMENTED = "supplemented"
    #: By a conversion that leaves the lead open.
    STAGED = "staged"
    #: A conversion was taken back, with what it made.
    REVERSED = "reversed"
    #: A conversion was taken back, and what it made stays.
    REOPENED = "reopened"


_DEEDS: Final[Mapping[Happened, str]] = {
    Happened.CREATED: "created it",
    Happened.MOVED: "moved it from {one.from_stage!r} to {one.to_stage!r}",
    Happened.CONVERTED: "converted it into {targets}",
    Happened.SUPPLEMENTED: "supplemented it with {targets}",
    Happened.STAGED: "converted it into {targets} and left it open",
    Happened.REVERSED: "took conversion {one.conversion} back",
    Happened.REOPENED: "reopened it and kept what conversion {one.conversion} made",
}


@attrs.frozen(kw_only=True)
class Happening:
    """One thing that happened to a record: what, when, by whom, and why.

    *actor_id* is None where nobody knows who it was; *reason* is what the actor said, *rule* the
    automation rule that acted, if one did. A move has its stages. Where something was made or taken
    back, *conversion* is the id and *targets* are the refs, of which those *linked* and *merged*
    had existed before. `str()` tells it as one line of English, in UTC.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Happening
        >>> at = datetime(2027, 1, 31, 12, tzinfo=UTC)
        >>> print(Happening(what="moved", at=at, actor_id="u-7", from_stage="NEW", to_stage="JUNK"))
        2027-01-31 12:00 UTC: u-7 moved it from 'NEW' to 'JUNK'
    """

    what: Happened = attrs.field(converter=Happened)
    at: datetime = attrs.field(converter=aware)
    actor_id: str | None = None
    reason: str | None = None
    rule: str | None = None
    from_stage: str | None = None
    to_stage: str | None = None
    conversion: str | None = None
    targets: tuple[Ref, ...] = ()
    linked: tuple[Ref, ...] = ()
    merged: tuple[Ref, ...] = ()

    def __str__(self) -> str:
        rule = "" if self.rule is None else f" by rule {self.rule!r}"
        reason = "" if self.reason is None else f", reason: {self.reason!r}"
        return f"{_told(self.at)}: {self.actor_id or 'somebody'} {self._deed}{rule}{reason}"

    @property
    def _deed(self) -> str:
        entered = self.what is Happened.MOVED and self.from_stage is None
        deed = "put it into {one.to_stage!r}" if entered else _DEEDS[self.what]
        return deed.format(one=self, targets=self._targets)

    @property
    def _targets(self) -> str:
        *some, last = [f"{ref} ({self._how(ref)})" for ref in self.targets] or ["nothing"]
        return f"{', '.join(some)} and {last}" if some else last

    def _how(self, ref: Ref) -> str:
        return "merged" if ref in self.merged else "linked" if ref in self.linked else "created"


def _told(at: datetime) -> str:
    try:
        at = at.astimezone(UTC)
    except OverflowError:  # the first and the last day there are may be out of range in UTC
        return at.isoformat(" ", "minutes")
    return f"{at.replace(tzinfo=None).isoformat(' ', 'minutes')} UTC"


def history(record: Record) -> tuple[Happening, ...]:
    """Return what happened to *record*, the oldest first: refs and stages, no data of a client.

    That is its creation, where its moment is known, each entry of its `stage_history`, and of a
    lead each conversion and what became of that. Any record will do that has one of these; what has
    none of them has no history.

    Of one moment the creation comes first, then the moves, the conversions, and what was taken
    back: so a conversion follows the move that closed its lead. Moves and conversions keep their
    order; what was taken back at once was taken back from the newest to the oldest.

    Raises:
        ValueError: the record was created at a naive moment.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Conversion, Lead, Ref, history
        >>> deal, company = Ref("deal", "D-5"), Ref("company", "CO-9")
        >>> made = Conversion(
        ...     id="L-7.1", at=datetime(2027, 1, 31, 12, tzinfo=UTC), actor_id="u-7",
        ...     targets=[deal, company], linked=[company], rules="9f2c",
        ... )
        >>> for happening in history(Lead(id="L-7", stage="CONVERTED", conversions=[made])):
        ...     print(happening)
        2027-01-31 12:00 UTC: u-7 converted it into deal D-5 (created) and company CO-9 (linked)
    """
    return tuple(sorted(_happenings(record), key=_moment))


def _moment(happening: Happening) -> timedelta:
    """Return what orders moments of any zones: moments of one zone compare by its clock alone."""
    told = happening.at.replace(tzinfo=None) - datetime(1, 1, 1)  # noqa: DTZ001 - a difference
    return told - (happening.at.utcoffset() or timedelta())


def _happenings(record: Record) -> Iterator[Happening]:
    """Yield everything in the order that holds within one moment."""
    everything = held(record)
    created_at, created_by = everything.get("created_at"), everything.get("created_by_id")
    if isinstance(created_at, datetime):
        who = created_by if isinstance(created_by, str) else None
        yield Happening(what=Happened.CREATED, at=created_at, actor_id=who)
    yield from map(_move, _kept(everything.get("stage_history"), StageChange))
    conversions = _kept(everything.get("conversions"), Conversion)
    yield from map(_making, conversions)
    for conversion in reversed(conversions):
        yield from _undoing(conversion)


def _kept(entries: object, cls: type[T]) -> list[T]:
    """Return what a record's own history holds, whatever else a class of one's own keeps there."""
    return [one for one in entries if isinstance(one, cls)] if isinstance(entries, tuple) else []


def _move(change: StageChange) -> Happening:
    return Happening(
        what=Happened.MOVED,
        at=change.at,
        actor_id=change.actor_id,
        reason=change.reason,
        rule=change.rule,
        from_stage=change.from_stage,
        to_stage=change.to_stage,
    )


def _making(conversion: Conversion) -> Happening:
    if conversion.supplement:
        what = Happened.SUPPLEMENTED
    elif conversion.closing:
        what = Happened.CONVERTED
    else:
        what = Happened.STAGED
    return Happening(
        what=what,
        at=conversion.at,
        actor_id=conversion.actor_id,
        reason=conversion.reason,
        rule=conversion.rule,
        conversion=conversion.id,
        targets=conversion.targets,
        linked=conversion.linked,
        merged=conversion.merged,
    )


def _undoing(conversion: Conversion) -> Iterator[Happening]:
    if (undone := conversion.undone) is not None:
        yield Happening(
            what=Happened(undone.how.value),
            at=undone.at,
            actor_id=undone.actor_id,
            reason=undone.reason,
            conversion=conversion.id,
            targets=conversion.targets,
            linked=conversion.linked,
            merged=conversion.merged,
        )
