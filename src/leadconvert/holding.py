"""Whether a condition can hold at all, whatever a record holds: for lint.

A condition asks of each field whether some of its values meet something and none of them something
else. Of all values there are only those count that its own values tell apart.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, product
from typing import Final, TypeAlias

from leadconvert.conditions import AllOf, Comparison, Condition, Not, Where
from leadconvert.fields import Field, FieldType
from leadconvert.kinds import Kind
from leadconvert.values import Channel


__all__ = ["can_hold"]

#: A part of a condition, and whether it must hold or must not.
_Demand: TypeAlias = tuple[Where, bool]
#: More ways than these are not looked through: then it may hold.
_MOST: Final = 512
#: Stands between texts, and in no text of a condition.
_STRANGE: Final = "\x00\uffff"


def can_hold(condition: Condition, kind: Kind) -> bool:
    """Tell whether *condition* could hold for any record of *kind*.

    Where that takes too long to find out, it could.

    Example:
        >>> from leadconvert import AllOf, Where
        >>> from leadconvert.kinds import LEAD
        >>> from leadconvert.holding import can_hold
        >>> can_hold(AllOf([Where("amount", "less", 5), Where("amount", "greater", 5)]), LEAD)
        False
    """
    ways = _ways(condition, holds=True)
    return ways is None or any(_agrees(way, kind) for way in ways)


def _ways(condition: Condition, *, holds: bool) -> list[tuple[_Demand, ...]] | None:
    """Return the ways in which *condition* holds, or does not; None if they are too many."""
    match condition:
        case Where():
            return [((condition, holds),)]
        case Not():
            return _ways(condition.negated, holds=not holds)
        case AllOf():
            parts, together = condition.all_of, holds
        case _:
            parts, together = condition.any_of, not holds
    both: list[tuple[_Demand, ...]] = [()]
    either: list[tuple[_Demand, ...]] = []
    for part in parts:
        ways = _ways(part, holds=holds)
        if ways is None or len(either) + len(ways) * len(both) > _MOST:
            return None
        if together:
            both = [(*one, *other) for one, other in product(both, ways)]
        else:
            either += ways
    return both if together else either


def _agrees(way: Iterable[_Demand], kind: Kind) -> bool:
    """Whether one record could meet all demands, field by field."""
    by_field: dict[str, list[_Demand]] = {}
    for where, holds in way:
        by_field.setdefault(where.field, []).append((where, holds))
    return all(_possible(kind.members[name], demands) for name, demands in by_field.items())


def _possible(field: Field, demands: list[_Demand]) -> bool:
    """Whether a field could hold what meets all *demands*."""
    if _meets(None, demands):
        return True
    every = _candidates(field, demands)
    if not field.multiple:
        return any(_meets(one, demands) for one in every)
    # of several values each may meet another demand, and none may be one that is ruled out
    fine = tuple(one for one in every if all(_allows(one, demand) for demand in demands))
    return _meets(fine, demands)


def _meets(value: object, demands: Iterable[_Demand]) -> bool:
    return all(where.holds(lambda _: value) is holds for where, holds in demands)


def _allows(value: object, demand: _Demand) -> bool:
    """Whether *value* may stand among others: no demand that none be such speaks of it."""
    where, holds = demand
    none_of = holds is (where.comparison in {Comparison.NOT_EQUALS, Comparison.EMPTY})
    return not none_of or where.holds(lambda _: value) is holds


def _candidates(field: Field, demands: Iterable[_Demand]) -> list[object]:
    """Return values of every sort that the *demands* tell apart."""
    if field.options:
        return [option.id for option in field.options]
    if field.type is FieldType.BOOLEAN:
        return [True, False]
    listed = list(demands)
    told = [one for where, _ in listed for one in _several(where.value)]
    parts = [
        str(one)
        for where, holds in listed
        for one in _several(where.value)
        if holds and where.comparison is Comparison.CONTAINS
    ]
    around = list(_around(told))
    if field.type is FieldType.INTEGER:
        around = [one for one in around if not isinstance(one, Decimal) or one == int(one)]
    return [*told, _STRANGE.join(["", *parts, ""]), *around]


def _several(value: object) -> tuple[object, ...]:
    items = value if isinstance(value, tuple) else (value,)
    return tuple(one.value if isinstance(one, Channel) else one for one in items)


def _around(values: Iterable[object]) -> Iterator[object]:
    """Yield what stands below, between and above numbers, days and moments."""
    listed = list(values)
    numbers = sorted({Decimal(one) for one in listed if isinstance(one, int | Decimal)})
    days = sorted({one for one in listed if isinstance(one, date)})
    for number in numbers:
        yield from (number - 1, number + 1)
    for day in days:
        for step in (timedelta(days=-1), timedelta(days=1)):
            with suppress(OverflowError):  # nothing comes before the first day of all
                yield day + step
    yield from (one + (other - one) / 2 for one, other in pairwise(numbers))
    yield from (one + (other - one) / 2 for one, other in pairwise(days))
