"""What a record remembers of its past: the stages it passed, and what it was converted into."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import attrs
from attrs import validators

from leadconvert.given import all_of, aware, is_a
from leadconvert.values import Ref


__all__ = ["Conversion", "StageChange", "Undoing", "Undone"]

_text = is_a(str)
_maybe_text = validators.optional(_text)


@attrs.frozen(kw_only=True)
class StageChange:
    """One step in the life of a record: from which stage to which, when, and by whom.

    *at* is a moment with a time zone; *from_stage* is None for the first stage. *reason* is what
    the actor said, *rule* the automation rule that acted, if one did.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import StageChange
        >>> StageChange(to_stage="WON", at=datetime(2027, 1, 31, tzinfo=UTC)).to_stage
        'WON'
    """

    from_stage: str | None = attrs.field(default=None, validator=_maybe_text)
    to_stage: str = attrs.field(validator=_text)
    at: datetime = attrs.field(converter=aware)
    actor_id: str | None = attrs.field(default=None, validator=_maybe_text)
    reason: str | None = attrs.field(default=None, validator=_maybe_text)
    rule: str | None = attrs.field(default=None, validator=_maybe_text)


class Undoing(StrEnum):
    """How a conversion was taken back: with what it made, or so that all of that stays.

    Example:
        >>> from leadconvert import Undoing
        >>> Undoing("reversed") is Undoing.REVERSED
        True
    """

    REVERSED = "reversed"
    REOPENED = "reopened"


@attrs.frozen(kw_only=True)
class Undone:
    """That a conversion is no longer in force: how it was taken back, when, by whom, and why.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Undone
        >>> at = datetime(2027, 2, 1, tzinfo=UTC)
        >>> Undone(how="reopened", at=at, actor_id="u-7").how
        <Undoing.REOPENED: 'reopened'>
    """

    how: Undoing = attrs.field(converter=Undoing)
    at: datetime = attrs.field(converter=aware)
    actor_id: str = attrs.field(validator=_text)
    reason: str | None = attrs.field(default=None, validator=_maybe_text)


def _refs(values: Iterable[Ref]) -> tuple[Ref, ...]:
    return all_of(values, Ref)


@attrs.frozen(kw_only=True)
class Conversion:
    """What a lead remembers of its conversion: who, when, into what, and by which rules.

    Of the *targets* those *linked* and *merged* had existed before. *rules* is the digest of the
    rules that decided. A *closing* conversion put the lead into its success stage; a *supplement*
    made more of a lead that was converted already. *reason* is what the actor said, *rule* the
    automation rule that acted, if one did. *undone* says that it was taken back.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Conversion, Ref
        >>> made = Conversion(
        ...     id="L-7.1", at=datetime(2027, 1, 31, tzinfo=UTC), actor_id="u-7",
        ...     targets=[Ref("deal", "D-5"), Ref("company", "CO-9")],
        ...     linked=[Ref("company", "CO-9")], rules="9f2c",
        ... )
        >>> made.in_force, [str(ref) for ref in made.created]
        (True, ['deal D-5'])
    """

    id: str = attrs.field(validator=_text)
    at: datetime = attrs.field(converter=aware)
    actor_id: str = attrs.field(validator=_text)
    targets: tuple[Ref, ...] = attrs.field(converter=_refs)
    linked: tuple[Ref, ...] = attrs.field(default=(), converter=_refs)
    merged: tuple[Ref, ...] = attrs.field(default=(), converter=_refs)
    rules: str = attrs.field(validator=_text)
    closing: bool = True
    supplement: bool = False
    reason: str | None = attrs.field(default=None, validator=_maybe_text)
    rule: str | None = attrs.field(default=None, validator=_maybe_text)
    undone: Undone | None = attrs.field(default=None, validator=validators.optional(is_a(Undone)))

    @property
    def in_force(self) -> bool:
        """Whether it was not taken back."""
        return self.undone is None

    @property
    def closes(self) -> bool:
        """Whether the lead counts as converted by it: it is closing, and in force."""
        return self.closing and self.in_force

    @property
    def created(self) -> tuple[Ref, ...]:
        """The targets that it made."""
        existed = {*self.linked, *self.merged}
        return tuple(ref for ref in self.targets if ref not in existed)
