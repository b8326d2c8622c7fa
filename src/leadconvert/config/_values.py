"""Values of fields in a rules file: plain where a field says what they are, tagged elsewhere."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from typing import Final

from leadconvert import (
    Address,
    Channel,
    ConversionRules,
    FieldType,
    FrozenMap,
    Pipeline,
    Product,
    Stage,
)
from leadconvert.codec import Codec
from leadconvert.config._wrong import a_list, each, misshapen, wrong


__all__ = ["TAGS", "read_value", "write_value"]

#: What may be told by a tag, beside text: what the codec has for it.
TAGS: Final = ("$decimal", "$float", "$date", "$datetime", "$map", "$address", "$channel")
_MORE_TAGS: Final = ("$product", "$ref")
_TEXT: Final = "$text"

_DECIMALS: Final = frozenset({FieldType.DECIMAL, FieldType.MONEY})
#: What is told as a table of its own where its field says so.
_TABLES: Final[Mapping[FieldType | None, type]] = {
    FieldType.URL: Channel,
    FieldType.EMAIL: Channel,
    FieldType.PHONE: Channel,
    FieldType.MESSENGER: Channel,
    FieldType.ADDRESS: Address,
    FieldType.PRODUCT: Product,
}


@cache
def _codec() -> Codec:
    """Return the codec; it asks for rules, and says nothing of them where there are no records."""
    leads = Pipeline("leads", "lead", ["new", Stage("done", "success")])
    return Codec(ConversionRules(kinds=[], pipelines=[leads]))


def read_value(data: object, type_: FieldType | None) -> object:
    """Return the value that *data* tells of a field of that type, None where nothing says it.

    Raises:
        DefinitionError: it tells none; the mistakes have their paths.
    """
    match data:
        case str():
            return _read_text(data, type_)
        case None | bool() | int() | Decimal() | date():
            return data
        case list():
            return tuple(each(a_list(data), partial(read_value, type_=type_)))
        case dict() if len(data) == 1 and next(iter(data)).startswith("$"):
            return _read_tagged(data)
        case dict() if type_ in _TABLES:
            return _coded({f"${_TABLES[type_].__name__.lower()}": data})
        case _:
            raise misshapen("a plain value, or one with a tag such as $decimal,", data)


def _read_text(data: str, type_: FieldType | None) -> object:
    if type_ in _DECIMALS:
        try:
            number = Decimal(data)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise misshapen("a number", data)
        return number
    if type_ is FieldType.DATE:
        try:
            return date.fromisoformat(data)
        except ValueError:
            raise misshapen("a date such as 2027-01-31", data) from None
    if type_ is FieldType.DATETIME:
        try:
            return datetime.fromisoformat(data)
        except ValueError:
            raise misshapen("a moment such as 2027-01-31T12:00:00Z", data) from None
    return data


def _read_tagged(data: dict[str, object]) -> object:
    [(tag, inner)] = data.items()
    if tag != _TEXT:
        return _coded(data)
    if not isinstance(inner, str):
        raise misshapen("text", inner)
    return inner


def _coded(data: dict[str, object]) -> object:
    """Read what the codec tells by a tag."""
    [tag] = data
    if tag not in (*TAGS, *_MORE_TAGS):
        raise wrong("bad_value", why=f"{tag!r} is no tag")
    try:
        return _codec().from_data({"it": data}, FrozenMap)["it"]
    except ValueError as error:
        why = "; ".join(line.partition(" @ ")[0] for line in str(error).splitlines())
        raise wrong("bad_value", why=why) from None


def write_value(  # noqa: PLR0911 - a table of types
    value: object, type_: FieldType | None, *, dates: bool
) -> object:
    """Return what tells *value* in a field of that type; with *dates* the format has such.

    Raises:
        DefinitionError: the value has no form in a file.
    """
    if isinstance(value, tuple):
        return [write_value(one, type_, dates=dates) for one in value]
    if isinstance(value, date) and dates and _is_plain(value):
        return value
    if (cls := _TABLES.get(type_)) is not None and type(value) is cls:
        [told] = _tagged(value).values()
        return told
    match value:
        case str():
            told = str.__str__(value)
            return told if _reads_as(told, type_, told) else {_TEXT: told}
        case None | bool():
            return value
        case int():
            return int(value)
        case Decimal() | date():
            text = str(value) if isinstance(value, Decimal) else value.isoformat()
            return text if _reads_as(text, type_, value) else _tagged(value)
        case _:
            return _tagged(value)


def _is_plain(value: date) -> bool:
    """Tell whether TOML can write it: the zone of a moment is a number of minutes."""
    offset = value.utcoffset() if isinstance(value, datetime) else None
    return offset is None or offset.total_seconds() % 60 == 0


def _reads_as(text: str, type_: FieldType | None, value: object) -> bool:
    try:
        found = _read_text(text, type_)
    except Exception:  # noqa: BLE001 - whatever it is, it is not what is to be written
        return False
    return type(found) is type(value) and found == value


def _tagged(value: object) -> dict[str, object]:
    try:
        data = _codec().to_data(FrozenMap({"it": value}))
    except (TypeError, ValueError):
        data = None
    told = data["it"] if isinstance(data, dict) else None
    if not isinstance(told, dict) or not {*told} <= {*TAGS, *_MORE_TAGS}:
        what = f"a {type(value).__qualname__}"
        raise wrong("unwritable", what=what, why="rules files hold plain values")
    return told
