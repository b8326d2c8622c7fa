"""Where each field of a kind stands: which column, or links, and how its values get there."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, cast, get_type_hints

import attrs
from sqlalchemy import Column, Integer

from leadconvert import Address, Channel, Kind, Product
from leadconvert.codec import Codec
from leadconvert.fields import PYTHON_TYPES, Field, FieldType
from leadconvert.stores._sql_values import TYPES, Form, Unholdable, is_one, offset_of, zoned
from leadconvert.values import attributes


__all__ = ["IDENTITY", "MISSING", "Place", "places_of"]

#: What every record has, beside its fields.
IDENTITY: Final = ("id", "revision", "custom")
#: Stands for a field that is not there at all, which is not the same as None.
MISSING: Final = object()
#: What an INTEGER column holds.
_WHOLE: Final = range(-(2**63), 2**63)

_TEXTS: Final = (Form.TEXT, Form.REFERENCE)
_FORMS: Final[Mapping[type, Form]] = {
    str: Form.TEXT,
    int: Form.INTEGER,
    Decimal: Form.DECIMAL,
    bool: Form.BOOLEAN,
    date: Form.DATE,
    datetime: Form.MOMENT,
    Channel: Form.JSON,
    Address: Form.JSON,
    Product: Form.JSON,
}


@attrs.frozen(kw_only=True)
class Place:
    """Where one field stands, and how.

    *type* is what one value is, or what a value of a class's own attribute is said to be. *blank*
    is what reads back where nothing stands.
    """

    field: str
    form: Form
    type: Any
    multiple: bool = False
    described: bool = True
    blank: object = MISSING
    #: Whether the class wants to be told even that there is nothing.
    needed: bool = False

    @property
    def widths(self) -> tuple[str, ...]:
        """What follows the name in the names of its columns."""
        match self.form:
            case Form.LINKS:
                return ()
            case Form.MOMENT:
                return ("", "_offset")
            case _:
                return ("",)

    @property
    def marked(self) -> bool:
        """Whether it must be said of links that the field is there, be it empty."""
        return self.form is Form.LINKS and self.blank != ()

    def columns(self, name: str) -> Iterator[Column[Any]]:
        """Yield its columns; *name* is that of the first."""
        if self.form is not Form.LINKS:
            yield Column(name, TYPES[self.form])
        if self.form is Form.MOMENT:
            # the instant alone does not say what the clock on the wall showed
            yield Column(f"{name}_offset", Integer)

    def written(self, value: object, codec: Codec) -> tuple[object, ...] | None:
        """Return what stands in the columns for *value*, or None where they cannot tell it.

        Raises:
            Unholdable: nothing can.
        """
        if type(value) is str and self.form in _TEXTS:
            return (value,)  # as most are
        if not self.holds(value):
            return None
        if self.form is Form.LINKS:
            return ()
        if self.form is Form.MOMENT:
            return zoned(cast("datetime", value))
        return (self._one(value, codec),)

    def _one(self, value: object, codec: Codec) -> object:
        match self.form:
            case Form.JSON:
                return self._data(value, codec)
            case Form.TEXT | Form.REFERENCE:
                return str.__str__(cast("str", value))
            case Form.INTEGER:
                # a range would look for what is no plain int one by one
                number = int(cast("int", value))
                if number not in _WHOLE:
                    raise Unholdable("a number is too large")
                return number
            case _:
                return value

    def read(self, stood: tuple[Any, ...], codec: Codec) -> object:
        """Return the value for which *stood* stands in the columns."""
        match self.form:
            case Form.MOMENT:
                instant, offset = stood
                return instant.astimezone(offset_of(offset))
            case Form.JSON if not self.described:
                return codec.from_data({"value": stood[0]}, self.type).value
            case Form.JSON:
                # a type that is known only while the program runs
                cls: Any = tuple[self.type, ...] if self.multiple else self.type  # type: ignore[name-defined]
                found: object = codec.from_data(stood[0], cls)
                return found
            case _:
                return stood[0]

    def holds(self, value: object) -> bool:
        """Whether *value* is what the field is said to hold."""
        if not self.described:
            return value is not None
        if not self.multiple:
            return is_one(value, self.type)
        return isinstance(value, tuple) and all(is_one(one, self.type) for one in value)

    def _data(self, value: object, codec: Codec) -> object:
        try:
            if self.described:
                return codec.to_data(value)
            return cast("dict[str, object]", codec.to_data(self.type(value)))["value"]
        except (TypeError, ValueError) as error:
            raise Unholdable(str(error)) from None


def places_of(kind: Kind) -> tuple[Place, ...]:
    """Return the place of each field of *kind*: those described, and its class's other attributes.

    Example:
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.stores._sql_places import places_of
        >>> {place.field: place.form.value for place in places_of(DEAL)}["contact_ids"]
        'links'
    """
    own = {} if kind.cls is None else attributes(kind.cls)
    hints = {} if kind.cls is None else get_type_hints(kind.cls)
    described = [_described(field, own.get(name)) for name, field in kind.members.items()]
    others = [
        Place(
            field=name,
            form=Form.JSON,
            type=attrs.make_class("Value", {"value": attrs.field(type=hints[name])}, frozen=True),
            described=False,
            blank=_blank(attribute),
            needed=attribute.default is attrs.NOTHING,
        )
        for name, attribute in own.items()
        if attribute.init and name not in {*IDENTITY, *kind.members}
    ]
    return (*described, *others)


def _described(field: Field, attribute: "attrs.Attribute[object] | None") -> Place:
    cls = PYTHON_TYPES[field.type]
    if field.type is FieldType.REFERENCE:
        form = Form.LINKS if field.multiple else Form.REFERENCE
    else:
        form = Form.JSON if field.multiple else _FORMS[cls]
    return Place(
        field=field.id,
        form=form,
        type=cls,
        multiple=field.multiple,
        blank=MISSING if attribute is None else _blank(attribute),
        needed=attribute is not None and attribute.default is attrs.NOTHING,
    )


def _blank(attribute: "attrs.Attribute[object]") -> object:
    """Return the default of an attribute, as far as it is known beforehand."""
    default = attribute.default
    if default is attrs.NOTHING:
        return None
    if isinstance(default, cast("type", attrs.Factory)):
        factory = cast("Any", default)
        return MISSING if factory.takes_self else factory.factory()
    return default
