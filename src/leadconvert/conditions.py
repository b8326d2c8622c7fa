"""Conditions on a record, as data: a closed set of values, and nothing in them is code."""

import operator
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar, cast

import attrs

from leadconvert.errors import chosen
from leadconvert.fields import Field, FieldType, MisfitError
from leadconvert.given import named
from leadconvert.kinds import Kind
from leadconvert.problems import Problem, mistake, unknown
from leadconvert.values import Channel, freeze, is_empty


__all__ = ["AllOf", "AnyOf", "Comparison", "Condition", "Not", "Where"]


class Comparison(StrEnum):
    """How a field is compared with a value. *filled* and *empty* take none, *in* takes a list.

    A field with several values *equals* and *contains* by any one of them; text contains text,
    letter by letter. A channel is compared by its value alone. What is empty compares with nothing,
    so it is *not_equals* to everything.

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


def _contains(found: object, wanted: object) -> bool:
    both_texts = isinstance(found, str) and isinstance(wanted, str)
    return found == wanted or (both_texts and str(wanted) in str(found))


_ORDERS: Final = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_OR_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_OR_EQUAL: operator.ge,
}
#: What compares one value of a record with one value of the condition.
_COMPARES: Final = {
    **_ORDERS,
    Comparison.EQUALS: operator.eq,
    Comparison.NOT_EQUALS: operator.eq,
    Comparison.IN: operator.eq,
    Comparison.CONTAINS: _contains,
}

T = TypeVar("T")
#: Returns what a record holds in a field.
Read: TypeAlias = Callable[[str], object]


def _conditions(values: Iterable["Condition"]) -> tuple["Condition", ...]:
    return tuple(values)


def _only_conditions(self: object, attribute: "attrs.Attribute[T]", value: T) -> None:
    del self, attribute
    for one in value if isinstance(value, tuple) else (value,):
        if not isinstance(one, Condition):
            raise TypeError(f"a condition is needed here, not {named(type(one))}")


def _comparison(value: str) -> Comparison:
    return chosen(Comparison, value, "comparison", "condition")


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

    def holds(self, read: Read) -> bool:
        """Tell whether the record whose fields *read* returns meets this condition.

        Example:
            >>> from leadconvert import Where
            >>> Where("tags", "contains", "vip").holds({"tags": ("new", "vip")}.get)
            True
        """
        found = [one for one in _values(read(self.field)) if not is_empty(one)]
        if self.comparison in _ALONE:
            return bool(found) is (self.comparison is Comparison.FILLED)
        wanted = _values(self.value)
        meets = any(_compares(one, self.comparison, value) for one in found for value in wanted)
        return meets is not (self.comparison is Comparison.NOT_EQUALS)

    def mistakes(self, kind: Kind, place: str) -> Iterator[Problem]:
        """Yield what is wrong with this condition on records of *kind*.

        Example:
            >>> from leadconvert import Where
            >>> from leadconvert.kinds import LEAD
            >>> print(*Where("amuont", "filled").mistakes(LEAD, "rule big"))
            rule big: there is no field of lead 'amuont', did you mean 'amount'? (correct the name)
        """
        field = kind.members.get(self.field)
        if field is None:
            yield unknown(f"field of {kind.id}", self.field, kind.members, place)
            return
        several = isinstance(self.value, tuple)
        if self.comparison in _ORDERS and field.type not in _ORDERED:
            why = f"{field.type.value} has no order"
            yield mistake("bad_condition", place, name=self.field, why=why)
        elif self.comparison in _ALONE:
            if self.value is not None:
                why = f"{self.comparison.value} takes no value"
                yield mistake("bad_condition", place, name=self.field, why=why)
        elif several is not (self.comparison is Comparison.IN):
            takes = "one value, not a list" if several else "a list"
            why = f"{self.comparison.value} takes {takes}"
            yield mistake("bad_condition", place, name=self.field, why=why)
        else:
            values = self.value if isinstance(self.value, tuple) and self.value else (self.value,)
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


def _values(value: object) -> list[object]:
    """Return each of the values in a field or a condition, a channel as its text."""
    items = value if isinstance(value, tuple) else (value,)
    return [one.value if isinstance(one, Channel) else one for one in items]


def _compares(found: object, comparison: Comparison, wanted: object) -> bool:
    compare = cast("Callable[[object, object], bool]", _COMPARES[comparison])
    try:
        return compare(found, wanted)
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

    all_of: "tuple[Condition, ...]" = attrs.field(converter=_conditions, validator=_only_conditions)

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

    any_of: "tuple[Condition, ...]" = attrs.field(converter=_conditions, validator=_only_conditions)

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

    negated: "Condition" = attrs.field(validator=_only_conditions)

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
