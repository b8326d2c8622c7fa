"""What one field of a record holds, and what a value of it must be.

A value is checked, and where nothing is lost brought into form, by `Field.accept` alone.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from leadconvert.errors import DefinitionError, chosen
from leadconvert.given import texts
from leadconvert.problems import Problem, mistake, twice
from leadconvert.values import Address, Channel, FrozenMap, Product, freeze, is_empty


__all__ = ["PYTHON_TYPES", "Field", "FieldType", "MisfitError", "Option", "readable"]


class FieldType(StrEnum):
    """What a field holds. A multiple field holds a tuple of it.

    Enumerations hold an option's id, references and files an id, money a Decimal; e-mails, phones,
    urls and messengers are `Channel`s.

    Example:
        >>> from leadconvert import FieldType
        >>> FieldType("money") is FieldType.MONEY
        True
    """

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    ENUMERATION = "enumeration"
    URL = "url"
    EMAIL = "email"
    PHONE = "phone"
    MESSENGER = "messenger"
    ADDRESS = "address"
    PRODUCT = "product"
    FILE = "file"
    REFERENCE = "reference"


#: What one value of a field of each type is.
PYTHON_TYPES: Final[Mapping[FieldType, type]] = {
    FieldType.TEXT: str,
    FieldType.INTEGER: int,
    FieldType.DECIMAL: Decimal,
    FieldType.MONEY: Decimal,
    FieldType.BOOLEAN: bool,
    FieldType.DATE: date,
    FieldType.DATETIME: datetime,
    FieldType.ENUMERATION: str,
    FieldType.URL: Channel,
    FieldType.EMAIL: Channel,
    FieldType.PHONE: Channel,
    FieldType.MESSENGER: Channel,
    FieldType.ADDRESS: Address,
    FieldType.PRODUCT: Product,
    FieldType.FILE: str,
    FieldType.REFERENCE: str,
}


class MisfitError(ValueError):
    """A value does not fit a field; *code* and *params* say why, without the value.

    Example:
        >>> from leadconvert import Field
        >>> from leadconvert.fields import MisfitError
        >>> try:
        ...     Field("title", "text", max_length=3).accept("long")
        ... except MisfitError as misfit:
        ...     misfit.code, dict(misfit.params)
        ('too_long', {'max_length': 3, 'length': 4})
    """

    def __init__(self, code: str, params: Mapping[str, object]) -> None:
        self.code: str = code
        self.params: FrozenMap[object] = FrozenMap(params)
        super().__init__(code, self.params)


@attrs.frozen
class Option:
    """One choice of an enumeration: its stable id, and the label people see.

    Example:
        >>> from leadconvert import Option
        >>> Option("hot", "Very interested").id
        'hot'
    """

    id: str
    label: str | None = None


def _options(values: Iterable[Option | str]) -> tuple[Option, ...]:
    if isinstance(values, str):
        texts(values)
    return tuple(value if isinstance(value, Option) else Option(value) for value in values)


def readable(id_: str) -> str:
    """Return the label of what has this id and no label of its own.

    Example:
        >>> from leadconvert.fields import readable
        >>> readable("first_name")
        'First name'
    """
    words = id_.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _field_type(value: FieldType | str) -> FieldType:
    return chosen(FieldType, value, "field type", "field")


@attrs.frozen
class Field:
    """One field of a kind: what it holds, what it is called, and what it demands.

    *max_length* counts characters. *to* is the kind a reference points at; *currency* the field
    that holds the currency of a money field, demanded whenever that is filled; *sums* the field of
    product lines that a money field adds up, wherever there are any. *default* is used where
    nothing else fills the field. A *sensitive* field is seen, and filled by hand, only by
    those to whom the policy names it.

    Raises:
        leadconvert.errors.DefinitionError: the description contradicts itself (all mistakes).

    Example:
        >>> from leadconvert import Field
        >>> heat = Field("heat", "enumeration", options=["cold", "hot"], label="Interest")
        >>> heat.accept("hot")
        'hot'
    """

    id: str
    type: FieldType = attrs.field(converter=_field_type)
    label: str = attrs.field(
        default=attrs.Factory(lambda self: readable(self.id.removesuffix("_id")), takes_self=True),
        kw_only=True,
    )
    required: bool = attrs.field(default=False, kw_only=True)
    multiple: bool = attrs.field(default=False, kw_only=True)
    max_length: int | None = attrs.field(default=None, kw_only=True)
    options: tuple[Option, ...] = attrs.field(default=(), converter=_options, kw_only=True)
    default: object = attrs.field(default=None, converter=freeze, kw_only=True, repr=False)
    sensitive: bool = attrs.field(default=False, kw_only=True)
    to: str | None = attrs.field(default=None, kw_only=True)
    currency: str | None = attrs.field(default=None, kw_only=True)
    sums: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)

    def _mistakes(self) -> Iterable[Problem]:
        place = f"field {self.id}"
        if is_empty(self.id):
            yield mistake("blank_id", "field", what="field")
        yield from twice("option", [option.id for option in self.options], place)
        is_enumeration = self.type is FieldType.ENUMERATION
        if is_enumeration and not self.options:
            yield mistake("no_options", place)
        if self.type is FieldType.REFERENCE and self.to is None:
            yield mistake("no_kind_of_reference", place)
        if self.max_length is not None and self.max_length < 1:
            yield mistake("bad_length", place)
        for what, given, belongs in (
            ("options", bool(self.options), is_enumeration),
            ("to", self.to is not None, self.type is FieldType.REFERENCE),
            ("currency", self.currency is not None, self.type is FieldType.MONEY),
            ("sums", self.sums is not None, self.type is FieldType.MONEY),
            ("max_length", self.max_length is not None, self.type is FieldType.TEXT),
        ):
            if given and not belongs:
                yield mistake("misplaced", place, what=what, type=self.type.value)
        if self.default is not None:
            try:
                self.accept(self.default)
            except MisfitError as misfit:
                yield mistake("bad_default", place, why=misfit.code)

    def accept(self, value: object) -> object:
        """Return *value* as this field holds it, or refuse it.

        Only what loses nothing is brought into form: an int where a Decimal belongs, a text where a
        channel belongs, one value where several may be, one of a list where one belongs.

        Raises:
            leadconvert.fields.MisfitError: the value does not fit.

        Example:
            >>> from leadconvert import Field
            >>> Field("amount", "money").accept(5)
            Decimal('5')
        """
        frozen = freeze(value)
        if self.multiple:
            items = frozen if isinstance(frozen, tuple) else () if frozen is None else (frozen,)
            return tuple(self._accept_one(item) for item in items if not is_empty(item))
        if isinstance(frozen, tuple):
            if len(frozen) > 1:
                raise MisfitError("several_values", {"count": len(frozen)})
            frozen = frozen[0] if frozen else None
        return None if frozen is None else self._accept_one(frozen)

    def _accept_one(self, value: object) -> object:
        expected = PYTHON_TYPES[self.type]
        # bool is an int, and datetime a date, to Python; not to a CRM
        lookalike = (isinstance(value, bool) and expected is not bool) or (
            isinstance(value, datetime) and expected is not datetime
        )
        if expected is Decimal and isinstance(value, int) and not lookalike:
            value = Decimal(value)
        elif expected is Channel and isinstance(value, str):
            value = Channel(value)
        if lookalike or not isinstance(value, expected):
            given = type(value).__name__
            raise MisfitError("wrong_type", {"expected": self.type.value, "given": given})
        if isinstance(value, Decimal) and not value.is_finite():
            raise MisfitError("not_finite", {})
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise MisfitError("naive_moment", {})
        if isinstance(value, str):
            self._check_text(value)
        return value

    def _check_text(self, value: str) -> None:
        if self.max_length is not None and len(value) > self.max_length:
            raise MisfitError("too_long", {"max_length": self.max_length, "length": len(value)})
        if self.options and value not in {option.id for option in self.options}:
            raise MisfitError("unknown_option", {"options": [option.id for option in self.options]})

    def fits(self, source: "Field") -> bool:
        """Tell whether any value of *source* can be carried into this field unchanged.

        Example:
            >>> from leadconvert import Field
            >>> Field("a", "text").fits(Field("b", "text", multiple=True))
            False
        """
        return (
            self.type is source.type
            and self.to == source.to
            and (self.multiple or not source.multiple)
            and (
                self.max_length is None
                or (source.max_length is not None and source.max_length <= self.max_length)
            )
            and {option.id for option in source.options} <= {option.id for option in self.options}
        )
