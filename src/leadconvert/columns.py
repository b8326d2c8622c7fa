"""How the columns of a table are read into the fields of a lead, as data."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs
from attrs import validators

from leadconvert import cells
from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, FieldType, MisfitError
from leadconvert.given import is_a
from leadconvert.kinds import Kind
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.values import Address, Channel, FrozenMap, attributes, is_empty


__all__ = ["ID", "Column", "Filled", "column_mistakes", "filled_by", "names_of"]

#: The lead's own id, which a column fills like any field.
ID: Final = "id"

_CHANNELS: Final = {FieldType.URL, FieldType.EMAIL, FieldType.PHONE, FieldType.MESSENGER}
_NUMBERS: Final = {FieldType.INTEGER, FieldType.DECIMAL, FieldType.MONEY}
_DAYS: Final = {FieldType.DATE, FieldType.DATETIME}
_PARTS: Final = tuple(attributes(Address))
#: What may stand between thousands; to Python they differ, some of them not to the eye.
_THOUSANDS: Final = {".", ",", "'", "\u2019", " ", "\u00a0", "\u2009", "\u202f"}
#: What a column says of its cells.
_SAID: Final = ("use", "separator", "values", "default", "format", "zone", "thousands", "prefix")

_maybe_text = validators.optional(is_a(str))


def _meanings(values: Mapping[str, str]) -> Mapping[str, str]:
    found = FrozenMap(values)
    for value in found.values():
        if not isinstance(value, str):
            raise TypeError(f"what a cell means is told as text, not as {type(value).__name__}")
    return found


@attrs.frozen
class Column:
    """How one column of a table is read: its *header*, and the *field* of the lead it fills.

    A field is named by its id, a part of an address as ``address.city``, the lead's own id as
    ``id``. Several columns may fill a field that holds several values. Without a header the column
    is not in the file: every row has the *default*, which also stands for an empty cell. Without a
    field the column is left unread on purpose.

    *separator* stands between several values in a cell. *values* says what a value written there
    means, such as ``{"ja": "true"}``, the id of an option, or ``""`` for nothing. *use* is that of
    a channel. Dates and moments have the form *format* of `strptime`, that of ISO 8601 unless
    given; *zone* is the time zone of moments that say none. In numbers *decimal* stands before the
    fraction, and *thousands* may stand between the thousands. *prefix* stands before an id; an id
    with a prefix and without a header is the number of the row.

    Raises:
        leadconvert.errors.DefinitionError: the column says nothing, or contradicts itself.

    Example:
        >>> from leadconvert import Column
        >>> str(Column("E-Mail", "emails", use="work"))
        'E-Mail → emails'
    """

    header: str | None = attrs.field(validator=_maybe_text)
    field: str | None = attrs.field(default=None, validator=_maybe_text)
    use: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    separator: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    values: Mapping[str, str] = attrs.field(factory=FrozenMap, converter=_meanings, kw_only=True)
    default: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    format: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    zone: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    decimal: str = attrs.field(default=".", validator=is_a(str), kw_only=True)
    thousands: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)
    prefix: str | None = attrs.field(default=None, validator=_maybe_text, kw_only=True)

    def __attrs_post_init__(self) -> None:
        flaws = [*self._flaws(), *self._flaws_of_marks()]
        if flaws:
            place = f"column {self}"
            raise DefinitionError([mistake("bad_column", place, why=flaw) for flaw in flaws])

    def _flaws(self) -> Iterator[str]:
        says = self.decimal != "." or any(getattr(self, name) for name in _SAID)
        if self.header is not None and is_empty(self.header):
            yield "its header is blank"
        if self.field is None and (self.header is None or says):
            yield "it fills no field, yet says how"
        if self.header is None and is_empty(self.default) and self.prefix is None:
            yield "it has neither a header nor a default"
        if self.prefix is not None and self.field not in {ID, None}:
            yield "an id alone has a prefix"

    def _flaws_of_marks(self) -> Iterator[str]:
        if self.separator is not None and not self.separator:
            yield "its separator is empty"
        if self.decimal not in {".", ","}:
            yield "its decimal mark is neither a point nor a comma"
        if self.thousands is not None and self.thousands not in _THOUSANDS:
            yield "its thousands mark is none that is in use"
        if self.thousands == self.decimal:
            yield "its thousands mark is its decimal mark"
        if self.zone is not None:
            try:
                cells.time_zone(self.zone)
            except ValueError:
                yield f"there is no time zone {self.zone!r}"

    @classmethod
    def leave(cls, header: str) -> "Column":
        """Return the column that is left unread on purpose.

        Example:
            >>> from leadconvert import Column
            >>> str(Column.leave("Internal note"))
            'Internal note → nothing'
        """
        return cls(header)

    @classmethod
    def numbered(cls, prefix: str) -> "Column":
        """Return the column that makes an id of the number of each row, behind a *prefix*.

        Example:
            >>> from leadconvert import Column
            >>> str(Column.numbered("FAIR-"))
            'the number of the row → id'
        """
        return cls(None, ID, prefix=prefix)

    @property
    def counts(self) -> bool:
        """Whether this makes an id of the number of each row."""
        return self.header is None and self.prefix is not None and is_empty(self.default)

    def __str__(self) -> str:
        without = "the number of the row" if self.counts else "every row"
        return f"{self.header or without} → {self.field or 'nothing'}"

    def read(self, text: str, field: Field) -> tuple[object, ...]:
        """Return the values that stand in a cell, as *field* holds them one by one.

        Raises:
            leadconvert.fields.MisfitError: what stands there is none.

        Example:
            >>> from leadconvert import Column, Field
            >>> heat = Field("heat", "enumeration", options=["cold", "hot"])
            >>> Column("Interesse", "heat", values={"heiß": "hot"}).read(" heiß ", heat)
            ('hot',)
        """
        filled = self.default if self.default is not None and is_empty(text) else text
        meant = (self.values.get(piece, piece) for piece in cells.pieces(filled, self.separator))
        found = tuple(self._value(one, field.type) for one in meant if not is_empty(one))
        held = field.accept(found)
        return held if isinstance(held, tuple) else found and (held,)

    def _value(self, text: str, type_: FieldType) -> object:  # noqa: PLR0911 - a table of types
        match type_:
            case FieldType.DATE:
                return cells.day(text, self.format)
            case FieldType.DATETIME:
                return cells.moment(text, self.format, self.zone)
            case FieldType.INTEGER:
                return cells.integer(text, self.thousands)
            case FieldType.DECIMAL | FieldType.MONEY:
                return cells.decimal(text, self.decimal, self.thousands)
            case FieldType.BOOLEAN:
                return cells.boolean(text)
            case _ if type_ in _CHANNELS:
                return Channel(text, self.use)
            case _:
                return f"{self.prefix or ''}{text}"


@attrs.frozen
class Filled:
    """What a column fills: a field of the lead, one *part* of it perhaps, and what a cell holds.

    Example:
        >>> from leadconvert.columns import filled_by
        >>> from leadconvert.kinds import LEAD
        >>> filled = filled_by("address.city", LEAD)
        >>> filled.id, filled.part, filled.cell.type.value
        ('address', 'city', 'text')
    """

    id: str
    part: str | None
    cell: Field


def filled_by(name: str, lead: Kind) -> Filled | None:
    """Return what a column fills that names *name*, or None if the lead has no such field.

    Example:
        >>> from leadconvert.columns import filled_by
        >>> from leadconvert.kinds import LEAD
        >>> filled_by("address.town", LEAD) is None
        True
    """
    if name == ID:
        return Filled(ID, None, Field(ID, FieldType.TEXT))
    if name in lead.members:
        return Filled(name, None, lead.members[name])
    whole, _, part = name.rpartition(".")
    if whole in _addresses(lead) and part in _PARTS:
        return Filled(whole, part, Field(part, FieldType.TEXT))
    return None


def names_of(lead: Kind) -> tuple[str, ...]:
    """Return every name by which a column can say what it fills.

    Example:
        >>> from leadconvert.columns import names_of
        >>> from leadconvert.kinds import LEAD
        >>> names_of(LEAD)[:3]
        ('id', 'owner_id', 'observer_ids')
    """
    addresses = _addresses(lead)
    whole = (
        name
        for name, field in lead.members.items()
        if field.type is not FieldType.PRODUCT and name not in addresses
    )
    return (ID, *whole, *(f"{name}.{part}" for name in addresses for part in _PARTS))


def _addresses(lead: Kind) -> tuple[str, ...]:
    return tuple(name for name, one in lead.members.items() if one.type is FieldType.ADDRESS)


def column_mistakes(columns: Iterable[Column], lead: Kind) -> Iterator[Problem]:
    """Yield every column that names what the lead does not have, or says what it cannot hold.

    Example:
        >>> from leadconvert import Column
        >>> from leadconvert.columns import column_mistakes
        >>> from leadconvert.kinds import LEAD
        >>> [mistake] = column_mistakes([Column("No", "id"), Column("Mail", "emial")], LEAD)
        >>> mistake.message
        "there is no field of lead 'emial', did you mean 'emails'?"
    """
    every = tuple(columns)
    for column in every:
        yield from _mistakes_of(column, lead)
    yield from twice("column", map(str, every), "columns")
    left = {column.header for column in every if column.field is None}
    for header in sorted({column.header for column in every if column.field} & left, key=str):
        yield mistake("decided_twice", "columns", name=header)
    named = [column.field for column in every if column.field is not None]
    for name in sorted({one for one in named if named.count(one) > 1}):
        filled = filled_by(name, lead)
        if filled is not None and not filled.cell.multiple:
            yield mistake("bad_column", "columns", why=f"two fill {name}, which holds one value")
    if every and ID not in named:
        why = "none fills the id; name the one that does, or number the rows: prefix="
        yield mistake("bad_column", "columns", why=why)


def _mistakes_of(column: Column, lead: Kind) -> Iterator[Problem]:
    if column.field is None:
        return
    place = f"column {column}"
    filled = filled_by(column.field, lead)
    if filled is None:
        yield unknown(f"field of {lead.id}", column.field, names_of(lead), place)
    elif filled.cell.type is FieldType.PRODUCT:
        yield mistake("bad_column", place, why="product lines do not stand in a cell")
    elif filled.cell.type is FieldType.ADDRESS:
        why = f"it does not say which part, as in {filled.id}.city"
        yield mistake("bad_column", place, why=why)
    else:
        yield from _mistakes_with(column, filled.cell, place)


def _mistakes_with(column: Column, field: Field, place: str) -> Iterator[Problem]:
    type_ = field.type
    told = type_.value if field.multiple else f"{type_.value} that holds one value"
    for what, given, belongs in (
        ("use", column.use is not None, type_ in _CHANNELS),
        ("separator", column.separator is not None, field.multiple),
        ("format", column.format is not None, type_ in _DAYS),
        ("zone", column.zone is not None, type_ is FieldType.DATETIME),
        ("decimal", column.decimal != ".", type_ in _NUMBERS),
        ("thousands", column.thousands is not None, type_ in _NUMBERS),
    ):
        if given and not belongs:
            yield mistake("misplaced", place, what=what, type=told)
    if column.format is not None and type_ in _DAYS:
        timed = type_ is FieldType.DATETIME
        flaw = cells.format_flaw(column.format, timed=timed, zoned=column.zone is not None)
        if flaw is not None:
            yield mistake("bad_column", place, why=flaw)
            return
    # what the column itself says must be what a cell may hold
    bare = attrs.evolve(column, header=str(column), values={}, separator=None, default=None)
    said = [(bare, text) for text in column.values.values()]
    for reader, text in [*said, *([(column, "")] if column.default else [])]:
        try:
            reader.read(text, field)
        except MisfitError as misfit:
            yield mistake("bad_default", place, why=misfit.code)
