"""Conditions on a record, as data: a closed set of values, and nothing in them is code."""

import operator
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, TypeAlias, cast

import attrs

from leadconvert.errors import DefinitionError, Problem, mistake, unknown
from leadconvert.fields import Field, FieldType, Kind, MisfitError
from leadconvert.values import Channel, freeze, is_empty


__all__ = ["AllOf", "AnyOf", "Comparison", "Condition", "Not", "Where"]


class Comparison(StrEnum):
    """How a field is compared with a value. *filled* and *empty* take none, *in* takes a list.

    A field with several values *equals* and *contains* by any one of them; text contains text,
    letter by letter. What is empty compares with nothing.

    Example:
        >>> from leadconvert import Comparison
        >>> Comparison("filled") is Comparison.FILLED
        True
    """

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    FILLED = "filled"
    EMPTY = "empty"
    CONTAINS = "contains"


#: What has an order that everybody agrees on.
_ORDERED: Final = frozenset(
    {
        FieldType.INTEGER,
        FieldType.DECIMAL,
        FieldType.MONEY,
        FieldType.DATE,
        FieldType.DATETIME,
    }
)
_ALONE: Final = frozenset({Comparison.FILLED, Comparison.EMPTY})

_OPERATORS: Final = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}

#: Returns what a record holds in a field.
Read: TypeAlias = Callable[[str], object]


def _conditions(values: Iterable["Condition"]) -> tuple["Condition", ...]:
    return tuple(values)


def _comparison(value: str) -> Comparison:
    try:
        return Comparison(value)
    except ValueError:
        raise DefinitionError(
            [unknown("comparison", value, list(Comparison), "condition")]
        ) from None


@attrs.frozen
class Where:
    """Holds where *field* compares with *value* as *comparison* says.

    Raises:
        leadconvert.errors.DefinitionError: there is no such comparison.

    Example:
        >>> from leadconvert import Where
        >>> Where("amount", "greater", 1000).holds({"amount": 5000}.get)
        True
    """

    field: str
    comparison: Comparison = attrs.field(converter=_comparison)
    value: object = attrs.field(default=None, converter=freeze)

    def holds(self, read: Read) -> bool:  # noqa: PLR0911 - one line per comparison, a table
        """Tell whether the record whose fields *read* returns meets this condition.

        Example:
            >>> from leadconvert import Where
            >>> Where("tags", "contains", "vip").holds({"tags": ("new", "vip")}.get)
            True
        """
        found = read(self.field)
        items = [_bare(one) for one in (found if isinstance(found, tuple) else (found,))]
        items = [one for one in items if not is_empty(one)]
        match self.comparison:
            case Comparison.FILLED:
                return bool(items)
            case Comparison.EMPTY:
                return not items
            case Comparison.EQUALS:
                return self.value in items
            case Comparison.NOT_EQUALS:
                return self.value not in items
            case Comparison.IN:
                return isinstance(self.value, tuple) and any(one in self.value for one in items)
            case Comparison.CONTAINS:
                return any(
                    self.value == one
                    or (isinstance(self.value, str) and isinstance(one, str) and self.value in one)
                    for one in items
                )
            case _:
                return any(_compares(one, self.comparison, self.value) for one in items)

    def mistakes(self, kind: Kind, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this condition on records of *kind*.

        Example:
            >>> from leadconvert import Where
            >>> from leadconvert.fields import LEAD
            >>> print(*Where("amuont", "filled").mistakes(LEAD, "rule big"))
            rule big: there is no field of lead 'amuont', did you mean 'amount'? (correct the name)
        """
        field = kind.members.get(self.field)
        if field is None:
            yield unknown(f"field of {kind.id}", self.field, kind.members, place)
            return
        if self.comparison in _OPERATORS and field.type not in _ORDERED:
            why = f"{field.type.value} has no order"
            yield mistake("bad_condition", place, name=self.field, why=why)
        elif self.comparison in _ALONE:
            if self.value is not None:
                why = f"{self.comparison.value} takes no value"
                yield mistake("bad_condition", place, name=self.field, why=why)
        elif self.comparison is Comparison.IN and not isinstance(self.value, tuple):
            yield mistake("bad_condition", place, name=self.field, why="in takes a list")
        else:
            values = self.value if isinstance(self.value, tuple) else (self.value,)
            yield from _value_mistakes(field, values, place)


def _value_mistakes(field: Field, values: Iterable[object], place: str) -> Iterator[Problem]:
    single = attrs.evolve(field, multiple=False, max_length=None, default=None)
    for value in values:
        if is_empty(value):
            why = "an empty value compares with nothing; use filled or empty"
            yield mistake("bad_condition", place, name=field.id, why=why)
            continue
        try:
            single.accept(value)
        except MisfitError as misfit:
            why = f"the value does not fit: {misfit.code}"
            yield mistake("bad_condition", place, name=field.id, why=why)


def _bare(value: object) -> object:
    return value.value if isinstance(value, Channel) else value


def _compares(left: object, comparison: Comparison, right: object) -> bool:
    compare = cast("Callable[[object, object], bool]", _OPERATORS[comparison])
    try:
        return compare(left, right)
    except (TypeError, ArithmeticError):  # of two sorts, or no number at all
        return False


@attrs.frozen
class AllOf:
    """Holds where all of its conditions do.

    Example:
        >>> from leadconvert import AllOf, Where
        >>> AllOf([Where("title", "filled"), Where("amount", "empty")]).holds({"title": "T"}.get)
        True
    """

    all_of: tuple["Condition", ...] = attrs.field(converter=_conditions)

    def holds(self, read: Read) -> bool:
        """Tell whether the record whose fields *read* returns meets this condition."""
        return all(one.holds(read) for one in self.all_of)

    def mistakes(self, kind: Kind, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this condition on records of *kind*."""
        return _mistakes_of(self.all_of, kind, place)


@attrs.frozen
class AnyOf:
    """Holds where any of its conditions does.

    Example:
        >>> from leadconvert import AnyOf, Where
        >>> AnyOf([Where("title", "empty"), Where("amount", "empty")]).holds({"title": "T"}.get)
        True
    """

    any_of: tuple["Condition", ...] = attrs.field(converter=_conditions)

    def holds(self, read: Read) -> bool:
        """Tell whether the record whose fields *read* returns meets this condition."""
        return any(one.holds(read) for one in self.any_of)

    def mistakes(self, kind: Kind, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this condition on records of *kind*."""
        return _mistakes_of(self.any_of, kind, place)


@attrs.frozen
class Not:
    """Holds where its condition does not.

    Example:
        >>> from leadconvert import Not, Where
        >>> Not(Where("title", "filled")).holds({"title": "T"}.get)
        False
    """

    negated: "Condition"

    def holds(self, read: Read) -> bool:
        """Tell whether the record whose fields *read* returns meets this condition."""
        return not self.negated.holds(read)

    def mistakes(self, kind: Kind, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this condition on records of *kind*."""
        return self.negated.mistakes(kind, place)


#: What an automation rule may ask of a lead.
Condition: TypeAlias = Where | AllOf | AnyOf | Not


def _mistakes_of(conditions: tuple[Condition, ...], kind: Kind, place: str) -> Iterator[Problem]:
    if not conditions:
        yield mistake("bad_condition", place, name="all or any", why="it has no conditions")
    for one in conditions:
        yield from one.mistakes(kind, place)
