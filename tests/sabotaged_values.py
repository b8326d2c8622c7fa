"""Planted bugs in what becomes of the values that a store keeps."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

import attrs
from sabotage import Sabotaged, Writing, caught_by

from leadconvert import (
    Change,
    ChangeSet,
    Channel,
    Conversion,
    FrozenMap,
    Insert,
    Product,
    Receipt,
    Ref,
    Update,
)
from leadconvert.errors import UnfitValueError
from leadconvert.stores._memory import _State


def deeply(value: object, turn: Callable[[object], object]) -> object:
    """Return *value* with every part of it turned, however deep."""
    if isinstance(value, tuple):
        return turn(tuple(deeply(one, turn) for one in value))
    if isinstance(value, Mapping):
        return FrozenMap({name: deeply(one, turn) for name, one in value.items()})
    if isinstance(value, Ref) or not attrs.has(type(value)):
        return turn(value)
    parts = attrs.asdict(cast("attrs.AttrsInstance", value), recurse=False)
    return turn(type(value)(**{name: deeply(one, turn) for name, one in parts.items()}))


class Turned(Sabotaged):
    """A store that turns every value it writes into another one."""

    def turn(self, value: object) -> object:
        """Return what is written in place of *value*, which may be a part of another."""
        return value

    def field(self, name: str, value: object) -> object:
        """Return what is written in place of the *value* of a field."""
        del name
        return deeply(value, self.turn)

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        """Write other values."""
        turned = [
            attrs.evolve(one, values={n: self.field(n, v) for n, v in one.values.items()})
            if isinstance(one, Insert | Update)
            else one
            for one in changes.changes
        ]
        return super().write(attrs.evolve(changes, changes=turned))


@caught_by(
    "test_text_comes_back_letter_by_letter",
    "test_any_values_are_held_or_refused",
    "test_any_sequence_ends_as_in_memory",
)
class EmojiMangled(Turned):
    """Characters beyond the first 65,536 become question marks."""

    def turn(self, value: object) -> object:
        if isinstance(value, str):
            return "".join("?" if ord(one) > 0xFFFF else one for one in value)
        return value


@caught_by("test_strange_text_is_held_or_refused")
class NulDropped(Turned):
    """A NUL is left out of text."""

    def turn(self, value: object) -> object:
        return value.replace("\x00", "") if isinstance(value, str) else value


@caught_by("test_strange_text_is_held_or_refused")
class TextCut(Turned):
    """Text is cut off where its column ends."""

    def turn(self, value: object) -> object:
        return value[:65_535] if isinstance(value, str) else value


@caught_by("test_text_comes_back_letter_by_letter")
class TextStripped(Turned):
    """Blanks around text are taken off."""

    def turn(self, value: object) -> object:
        return (value.strip() or value) if isinstance(value, str) else value


@caught_by("test_text_comes_back_letter_by_letter")
class TextNormalised(Turned):
    """Line ends are made those of the machine."""

    def turn(self, value: object) -> object:
        return value.replace("\r\n", "\n") if isinstance(value, str) else value


@caught_by("test_amounts_are_exact")
class DecimalsThroughFloats(Turned):
    """Amounts are kept as floating-point numbers."""

    def turn(self, value: object) -> object:
        return Decimal(str(float(value))) if isinstance(value, Decimal) else value


@caught_by("test_amounts_are_exact")
class DecimalsRounded(Turned):
    """Amounts are kept with two decimals."""

    def turn(self, value: object) -> object:
        return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value


@caught_by("test_moments_are_the_same_moments")
class ZonesLost(Turned):
    """Moments are kept as the clock showed them, and read as UTC."""

    def turn(self, value: object) -> object:
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@caught_by("test_moments_are_the_same_moments")
class NaiveMoments(Turned):
    """Moments of data fields come back without a time zone."""

    def field(self, name: str, value: object) -> object:
        if name == "UF_MOMENT" and isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None)
        return value


@caught_by("test_moments_are_the_same_moments")
class MicrosecondsLost(Turned):
    """Moments are kept to the second."""

    def turn(self, value: object) -> object:
        return value.replace(microsecond=0) if isinstance(value, datetime) else value


@caught_by("test_custom_fields_of_every_type_come_back")
class DaysAreMoments(Turned):
    """Days of data fields become midnights."""

    def field(self, name: str, value: object) -> object:
        if name == "UF_DAY" and isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        return value


@caught_by("test_empty_is_not_missing")
class EmptyIsMissing(Turned):
    """Blank text becomes None."""

    def field(self, name: str, value: object) -> object:
        del name
        return None if value == "" else value


@caught_by("test_empty_is_not_missing")
class NaughtIsMissing(Turned):
    """Nought and False become None."""

    def field(self, name: str, value: object) -> object:
        del name
        return None if value in (0, False) else value


@caught_by("test_what_is_not_given_is_as_the_class_says")
class DefaultsForgotten(Sabotaged):
    """A field that an insert does not name is None, whatever its class says."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert) and change.ref.kind == "visit":
            change = attrs.evolve(change, values={"hours": None, **change.values})
        super().step(writing, change)


@caught_by("test_what_is_not_given_is_as_the_class_says")
class DefaultsInsisted(Sabotaged):
    """A field that was emptied on purpose is what its class says."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert) and change.ref.kind == "visit":
            filled = {name: one for name, one in change.values.items() if one is not None}
            change = attrs.evolve(change, values=filled)
        super().step(writing, change)


@caught_by("test_empty_is_not_missing")
class UsesLost(Turned):
    """What a phone or an e-mail is used for is lost."""

    def turn(self, value: object) -> object:
        return Channel(value.value) if isinstance(value, Channel) else value


@caught_by("test_records_of_every_kind_come_back")
class LinesMerged(Turned):
    """Product lines that are equal become one."""

    def turn(self, value: object) -> object:
        lines = isinstance(value, tuple) and any(isinstance(one, Product) for one in value)
        return tuple(dict.fromkeys(cast("tuple[object]", value))) if lines else value


@caught_by("test_lists_keep_their_order")
class LinksDropped(Sabotaged):
    """What a new record refers to by a list is lost."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            kept = {n: v for n, v in change.values.items() if n != "contact_ids"}
            change = attrs.evolve(change, values=kept)
        super().step(writing, change)


@caught_by("test_lists_keep_their_order")
class LinksSorted(Turned):
    """What a record refers to by a list comes back in another order."""

    def turn(self, value: object) -> object:
        if isinstance(value, tuple) and all(isinstance(one, Ref) for one in value):
            return tuple(sorted(value, key=str))
        return value


@caught_by("test_refs_in_records_are_bound")
class CustomLost(Sabotaged):
    """A custom field that refers is not kept."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            kept = {n: v for n, v in change.values.items() if n != "UF_PAYER"}
            change = attrs.evolve(change, values=kept)
        super().step(writing, change)


@caught_by("test_history_comes_back")
class HistoryCut(Turned):
    """What a lead remembers of being taken back is lost."""

    def turn(self, value: object) -> object:
        return attrs.evolve(value, undone=None) if isinstance(value, Conversion) else value


class Picky(Turned):
    """A store that refuses text that it has no place for, as many do; it is no bug."""

    def fits(self, value: object) -> bool:
        """Tell whether there is a place for it."""
        return not isinstance(value, str) or ("\0" not in value and len(value) < 10_000)

    def field(self, name: str, value: object) -> object:
        if not self.fits(value):
            raise UnfitValueError(f"there is no place for such a text in {name}")
        return value


@caught_by("test_strange_text_is_held_or_refused")
class PickyTooLate(Picky):
    """What cannot be held is refused, and the rest of its record is there."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        try:
            return super().write(changes)
        except UnfitValueError:
            rest = [
                attrs.evolve(one, values={n: v for n, v in one.values.items() if self.fits(v)})
                for one in changes.changes
                if isinstance(one, Insert)
            ]
            self._state, _ = Sabotaged.write(self, attrs.evolve(changes, changes=rest, key="rest"))
            raise
