"""How one value stands in a database, and what none can hold."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Boolean, Date, DateTime, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


__all__ = ["TYPES", "Data", "Form", "Unholdable", "check", "is_one", "offset_of", "zoned"]

#: What PostgreSQL's NUMERIC holds, before and after the point.
_BEFORE, _AFTER = 131_072, 16_383
#: Python reads no whole number of more digits out of JSON.
_LARGEST: Final = 10**4_300
#: The years whose moments every server tells, whatever its own time zone.
_YEARS: Final = range(2, 9_999)


class Form(StrEnum):
    """How a field stands in a table: in a column of one of these types, or as links."""

    TEXT = "text"
    #: Text with an index, since records are looked up by what they refer to.
    REFERENCE = "reference"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    JSON = "json"
    #: Rows of the table of links: many may add to one record at once.
    LINKS = "links"


class Unholdable(Exception):  # noqa: N818 - it never leaves the store
    """No database of ours can hold a value; what it says is followed by the field's name."""


class _Exact(TypeDecorator[Decimal]):
    """A number to the last digit: SQLite has none, so it is text there."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        return str(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        del dialect
        # what else the driver gives is None, or is it already
        return Decimal(value) if isinstance(value, str) else value  # type: ignore[return-value]


class _Instant(TypeDecorator[datetime]):
    """A moment as UTC: on SQLite text that sorts as the moments do."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(Text() if sqlite else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        if value is None or dialect.name != "sqlite":
            return value
        return value.isoformat(timespec="microseconds")

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        del dialect
        # as above
        return datetime.fromisoformat(value) if isinstance(value, str) else value  # type: ignore[return-value]


class Data(TypeDecorator[object]):
    """JSON data: on SQLite text, whose numbers no affinity of a column touches."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(Text() if sqlite else JSONB(none_as_null=True))

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        return json.dumps(value) if dialect.name == "sqlite" and value is not None else value

    def process_result_value(self, value: object, dialect: Dialect) -> object:
        return json.loads(value) if dialect.name == "sqlite" and isinstance(value, str) else value


#: The types of the columns; links have none.
TYPES: Final[Mapping[Form, TypeEngine[Any]]] = {
    Form.TEXT: Text(),
    Form.REFERENCE: Text(),
    Form.INTEGER: BigInteger(),
    Form.DECIMAL: _Exact(),
    Form.BOOLEAN: Boolean(),
    Form.DATE: Date(),
    Form.MOMENT: _Instant(),
    Form.JSON: Data(),
}


def is_one(value: object, cls: type) -> bool:
    """Tell whether *value* is of class *cls* to a CRM, to which True is no number."""
    if isinstance(value, bool) or cls is bool:
        return isinstance(value, bool) and cls is bool
    if isinstance(value, datetime) or cls is datetime:
        zone = value.utcoffset() if isinstance(value, datetime) else None
        return cls is datetime and zone is not None
    if isinstance(value, Decimal):
        return cls is Decimal and value.is_finite()
    return isinstance(value, cls)


def zoned(value: datetime) -> tuple[datetime, int] | None:
    """Return a moment as UTC and its offset in seconds, or None if it has no such form.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert.stores._sql_values import zoned
        >>> zoned(datetime(2027, 1, 31, tzinfo=UTC))[1]
        0
    """
    offset = value.utcoffset() or timedelta()
    if value.year not in _YEARS or offset.microseconds:
        return None
    return value.astimezone(UTC), round(offset.total_seconds())


def offset_of(seconds: int) -> timezone:
    """Return the time zone of an offset in seconds."""
    return timezone(timedelta(seconds=seconds))


def check(value: object, *, nul: bool) -> None:
    """Refuse what no column holds as it is; *nul* says whether text may hold a NUL.

    Raises:
        Unholdable: it is too long a number, or such text.
    """
    if isinstance(value, str):
        _check_text(value, nul=nul)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, nul=nul)
            check(item, nul=nul)
    elif isinstance(value, list):
        for item in value:
            check(item, nul=nul)
    elif isinstance(value, int):
        if abs(value) >= _LARGEST:
            raise Unholdable("a number is too long")
    elif isinstance(value, Decimal) and not _fits(value):
        raise Unholdable("a number is too long")


def _check_text(value: str, *, nul: bool) -> None:
    if not nul and "\x00" in value:
        raise Unholdable("text holds a NUL")
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unholdable("text holds half a character") from None


def _fits(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return value.adjusted() < _BEFORE and isinstance(exponent, int) and exponent >= -_AFTER
