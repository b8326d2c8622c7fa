"""Records, plans, results, changes, receipts and errors to and from plain JSON data.

What is written is read back equal. Where a class says what stands in a place, the data is as plain
as can be; where anything may stand (custom fields, values, params) whatever JSON has no form for is
told by a tag, an object of one key: ``{"$decimal": "5.00"}``, ``{"$date": "2027-01-31"}``.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import (
    is_namedtuple,
    namedtuple_dict_structure_factory,
    namedtuple_dict_unstructure_factory,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from leadconvert import errors
from leadconvert.changes import Attach, Change, Delete, Detach, Insert, Update
from leadconvert.errors import ConversionError, DefinitionError, LeadConvertError
from leadconvert.fields import PYTHON_TYPES, Field
from leadconvert.given import aware
from leadconvert.past import Conversion, StageChange
from leadconvert.problems import Problem
from leadconvert.reading import (
    COLLECTIONS,
    INEXACT,
    Read,
    an_object,
    collection,
    day,
    decimal,
    each,
    exactly,
    moment,
    of_objects,
    parsed,
    structured,
    told,
)
from leadconvert.records import GenericRecord, Lead, Record
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create, Find, Link, Merge, Target
from leadconvert.values import Address, Channel, FrozenMap, Product, Ref


__all__ = ["Codec"]

T = TypeVar("T")

#: The library's own values that may stand anywhere, by their tags.
_VALUES: Final[Mapping[str, type]] = {
    "$address": Address,
    "$channel": Channel,
    "$conversion": Conversion,
    "$product": Product,
    "$ref": Ref,
    "$stage_change": StageChange,
}
_TAGS: Final[Mapping[type, str]] = {cls: tag for tag, cls in _VALUES.items()}

#: What there is to ask for, by what it does.
_TARGETS: Final[Mapping[str, type]] = {
    "find": Find,
    "create": Create,
    "link": Link,
    "merge": Merge,
}
#: What there is to do to a record.
_CHANGES: Final[Mapping[str, type]] = {
    "insert": Insert,
    "update": Update,
    "attach": Attach,
    "detach": Detach,
    "delete": Delete,
}

_ERRORS: Final[Mapping[str, type[LeadConvertError]]] = {
    name: cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, (ConversionError, DefinitionError))
}


@attrs.frozen
class Codec:
    """Writes the library's values, and records of your own classes, as JSON data, and reads them.

    *rules* say which classes of records there are. Text is written as it is, lone surrogates too,
    so let ``json.dumps`` escape it (it does unless told otherwise).

    Example:
        >>> from decimal import Decimal
        >>> from leadconvert import Deal, presets
        >>> from leadconvert.codec import Codec
        >>> codec = Codec(presets.bitrix24())
        >>> data = codec.to_data(Deal(id="D-5", amount=Decimal("5.00"), custom={"UF_X": 1}))
        >>> data
        {'id': 'D-5', 'custom': {'UF_X': 1}, 'amount': '5.00'}
        >>> codec.from_data(data, Deal)
        Deal(id='D-5', custom=['UF_X'], amount=Decimal('5.00'))
    """

    rules: ConversionRules
    _converter: Converter = attrs.field(init=False, eq=False, repr=False)
    #: Reads leads that a person wrote.
    _friendly: Converter = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_converter", self._new_converter())
        friendly = self._new_converter()
        friendly.register_structure_hook(datetime, lambda data, _: aware(moment(data)))
        custom = override(struct_hook=lambda data, _: self._read_custom(data))
        read_lead = make_dict_structure_fn(
            Lead, friendly, _cattrs_forbid_extra_keys=True, custom=custom
        )
        friendly.register_structure_hook(Lead, of_objects(read_lead))
        object.__setattr__(self, "_friendly", friendly)

    def to_data(self, value: object) -> object:
        """Return *value* as JSON data: dicts, lists, text, whole numbers, booleans and None.

        Raises:
            TypeError: it holds a value of a class nobody could read back.
            ValueError: it holds a record that is of none of the rules' kinds.

        Example:
            >>> from leadconvert import Ref, presets
            >>> from leadconvert.codec import Codec
            >>> Codec(presets.bitrix24()).to_data(Ref("deal", "D-5"))
            {'kind': 'deal', 'id': 'D-5', 'provisional': False}
        """
        return self._converter.unstructure(value)

    def from_data(self, data: object, cls: type[T]) -> T:
        """Return the value of class *cls* that `to_data` wrote as *data*.

        Raises:
            ValueError: the data is none of that class; all mistakes, each with its place.

        Example:
            >>> from leadconvert import Ref, presets
            >>> from leadconvert.codec import Codec
            >>> Codec(presets.bitrix24()).from_data({"kind": "deal", "id": "D-5"}, Ref)
            Ref(kind='deal', id='D-5', provisional=False)
        """
        return structured(self._converter, data, cls)

    def leads(self, data: object) -> tuple[Lead, ...]:
        """Read leads that a person or another program wrote: one object, or a list of them.

        A number may be a number or text, a channel an object or text, and a custom value is read by
        the type its field has in the rules. Parse JSON with ``parse_float=Decimal``: a float is not
        exact, and refused.

        Raises:
            ValueError: the data has another shape, or a value cannot be read; all mistakes, each
                with its place.

        Example:
            >>> from leadconvert import presets
            >>> from leadconvert.codec import Codec
            >>> codec = Codec(presets.bitrix24())
            >>> codec.leads({"id": "L-7", "stage": "NEW", "amount": 5000})
            (Lead(id='L-7', stage='NEW', amount=Decimal('5000')),)
            >>> codec.leads([{"id": "L-7", "stage": "NEW", "amuont": 5000}])
            Traceback (most recent call last):
            ...
            ValueError: there is no 'amuont', did you mean 'amount'? @ $[0]
        """
        match data:
            case Mapping():
                return (structured(self._friendly, data, Lead),)
            case list() | tuple():
                return structured(self._friendly, data, tuple[Lead, ...])
            case _:
                raise ValueError(
                    f"leads are an object or a list of objects, not {told(data)}: write"
                    ' {"id": ..., "stage": ...}'
                )

    def _new_converter(self) -> Converter:
        converter = Converter(
            unstruct_collection_overrides={tuple: list, set: _in_order, frozenset: _in_order},
            unstructure_fallback_factory=lambda _: self._write,
            structure_fallback_factory=lambda _: self._structure_any,
        )
        self._register_plain(converter)
        self._register_own(converter)
        return converter

    def _register_plain(self, converter: Converter) -> None:
        """Say how the values are written and read that JSON has, or nearly has."""
        for cls in (str, int, bool):
            converter.register_structure_hook(cls, exactly)
        converter.register_structure_hook(float, self._structure_any)
        converter.register_structure_hook(Decimal, lambda data, _: decimal(data))
        converter.register_structure_hook(date, lambda data, _: day(data))
        converter.register_structure_hook(datetime, lambda data, _: moment(data))
        converter.register_unstructure_hook(str, str.__str__)  # a StrEnum, as plain text
        converter.register_unstructure_hook(Decimal, str)
        converter.register_unstructure_hook(date, lambda day: day.isoformat())
        converter.register_structure_hook_factory(_is_collection, collection)
        converter.register_unstructure_hook_factory(
            is_namedtuple, namedtuple_dict_unstructure_factory
        )
        converter.register_structure_hook_factory(
            is_namedtuple,
            lambda cls: of_objects(
                namedtuple_dict_structure_factory(cls, converter, "from_converter", True)
            ),
        )
        converter.register_unstructure_hook_func(_is_untyped, self._write)
        converter.register_structure_hook_func(_is_untyped, self._structure_any)
        converter.register_unstructure_hook_func(_is_untyped_map, self._write_map)
        converter.register_structure_hook_func(
            _is_untyped_map, lambda data, _: self._read_map(data)
        )

    def _register_own(self, converter: Converter) -> None:
        """Say how attrs classes, records and errors are written and read."""
        converter.register_unstructure_hook_factory(
            attrs.has,
            lambda cls: make_dict_unstructure_fn(cls, converter, **_omissions(cls)),
        )
        converter.register_structure_hook_factory(
            attrs.has,
            lambda cls: of_objects(
                make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)
            ),
        )
        read_channel = of_objects(
            make_dict_structure_fn(Channel, converter, _cattrs_forbid_extra_keys=True)
        )
        converter.register_structure_hook(
            Channel,
            lambda data, _: Channel(data) if isinstance(data, str) else read_channel(data, Channel),
        )
        converter.register_unstructure_hook_func(_is_record, self._write_record)
        converter.register_structure_hook_func(
            _is_record, lambda data, _: self._read_record(an_object(data))
        )
        for is_one, among in ((_is_target, _TARGETS), (_is_change, _CHANGES)):
            converter.register_unstructure_hook_func(is_one, partial(self._write_deed, among))
            converter.register_structure_hook_func(is_one, partial(self._read_deed, among))
        converter.register_unstructure_hook_func(_is_error, self._write_error)
        converter.register_structure_hook_func(_is_error, self._read_error)

    def _write(self, value: object) -> object:  # noqa: C901, PLR0911 - a table of types
        """Write a value that stands where anything may."""
        match value:
            case None | bool():
                return value
            case str():
                return str.__str__(value)
            case int():
                return int(value)
            case float():
                return {"$float": repr(float(value))}
            case Decimal():
                return {"$decimal": str(value)}
            case datetime():
                return {"$datetime": value.isoformat()}
            case date():
                return {"$date": value.isoformat()}
            case tuple() | list():
                return [self._write(item) for item in value]
            case Mapping():
                return {"$map": self._write_map(value)}
            case _ if tag := _TAGS.get(type(value)):
                return {tag: self._converter.unstructure(value)}
            case _:
                raise TypeError(f"a {type(value).__qualname__} cannot be written as JSON data")

    def _write_map(self, value: Mapping[str, object]) -> dict[str, object]:
        return {str.__str__(key): self._write(item) for key, item in value.items()}

    def _read_any(self, data: object) -> object:
        """Read what `_write` wrote."""
        match data:
            case None | bool() | int() | str():
                return data
            case list() | tuple():
                return tuple(each((index, item, self._read_any) for index, item in enumerate(data)))
            case Mapping() if len(data) == 1:
                [(tag, inner)] = data.items()
                return self._read_tagged(tag, inner)
            case float():
                raise TypeError(INEXACT)
            case _:
                raise ValueError(f"{told(data)} needs a tag here, such as {{'$decimal': '5.00'}}")

    def _structure_any(self, data: object, _: object) -> object:
        return self._read_any(data)

    def _read_tagged(self, tag: object, data: object) -> object:
        match tag:
            case "$map":
                return self._read_map(data)
            case "$float":
                return parsed(float, data, "a number")
            case "$decimal":
                return parsed(Decimal, data, "a number")
            case "$datetime":
                return moment(data)
            case "$date":
                return day(data)
            case str() if tag in _VALUES:
                return self._converter.structure(data, _VALUES[tag])
            case _:
                known = ("$date", "$datetime", "$decimal", "$float", "$map", *_VALUES)
                raise ValueError(f"{tag!r} is no tag, only {', '.join(known)}")

    def _read_map(self, data: object) -> FrozenMap[object]:
        items = an_object(data)
        values = each((key, item, self._read_any) for key, item in items.items())
        return FrozenMap(zip(items, values, strict=True))

    def _write_record(self, record: Record) -> dict[str, object]:
        kind = self.rules.kind_of(record)
        if kind is None:
            name = getattr(record, "kind", type(record).__qualname__)
            raise ValueError(f"no kind of the rules is of the record's {name!r}: add one")
        return {_kind_key(type(record)): kind.id, **self._converter.unstructure(record)}

    def _read_record(self, data: Mapping[str, object]) -> object:
        tag = data.get("$kind", data.get("kind"))
        kinds = {kind.id: kind for kind in self.rules.every_kind}
        if not isinstance(tag, str) or tag not in kinds:
            raise ValueError(f"a record needs its kind, one of {', '.join(kinds)}")
        cls = kinds[tag].cls or GenericRecord
        own = {} if cls is GenericRecord else {_kind_key(cls)}
        fields = {key: item for key, item in data.items() if key not in own}
        return self._converter.structure(fields, cls)

    def _write_deed(self, among: Mapping[str, type], value: object) -> dict[str, object]:
        """Write one of several classes, told apart by what it does."""
        named = (name for name, cls in among.items() if type(value) is cls)
        return {"do": next(named), **self._converter.unstructure(value)}

    def _read_deed(self, among: Mapping[str, type], data: object, _: object) -> object:
        what = "target" if among is _TARGETS else "change"
        parts = an_object(data)
        cls = among.get(str(parts.get("do")))
        if cls is None:
            raise ValueError(f"'do' of a {what} is one of {', '.join(among)}")
        fields = {key: item for key, item in parts.items() if key != "do"}
        return self._converter.structure(fields, cls)

    def _write_error(self, error: ConversionError | DefinitionError) -> dict[str, object]:
        name = type(error).__name__
        if _ERRORS.get(name) is not type(error):
            raise TypeError(f"a {name} is no error of the library, so nobody could read it back")
        whose: dict[str, object] = {}
        if isinstance(error, ConversionError):
            whose = {"lead_id": error.lead_id, "kind": error.kind}
        return {"error": name, **whose, "problems": self._converter.unstructure(error.problems)}

    def _read_error(self, data: object, cls: type[LeadConvertError]) -> LeadConvertError:
        items = an_object(data)
        found = _ERRORS.get(str(items.get("error")))
        if found is None or not issubclass(found, cls):
            raise ValueError(f"'error' names no {cls.__name__}")
        if issubclass(found, ConversionError):
            refused = self._converter.structure(items, _Refused)
            return found(refused.lead_id, refused.problems, refused.kind)
        return found(self._converter.structure(items, _Mistaken).problems)

    def _read_custom(self, data: object) -> FrozenMap[object]:
        """Read the custom fields of a lead that a person wrote, each by its type in the rules."""
        items = an_object(data)
        declared = {field.id: field for field in self.rules.lead.custom}
        values = each(
            (key, item, self._reader(declared.get(key), item)) for key, item in items.items()
        )
        return FrozenMap(zip(items, values, strict=True))

    def _reader(self, field: Field | None, data: object) -> Read:
        """Return what reads *data*, which a person wrote, as a value of *field*."""
        if data is None or _tag_of(data) is not None:
            return self._read_any
        if field is None:
            return self._read_natural
        cls = PYTHON_TYPES[field.type]

        def read(one: object) -> object:
            return self._friendly.structure(one, cls)

        if not field.multiple:
            return read
        several = data if isinstance(data, list | tuple) else [data]
        return lambda _: tuple(each((at, one, read) for at, one in enumerate(several)))

    def _read_natural(self, data: object) -> object:
        """Read what a person wrote for a field the rules do not have, as it looks."""
        match data:
            case Decimal():
                return decimal(data)
            case list() | tuple():
                return tuple(each((at, item, self._read_natural) for at, item in enumerate(data)))
            case Mapping() if _tag_of(data) is None:
                values = each((key, item, self._read_natural) for key, item in data.items())
                return FrozenMap(zip(data, values, strict=True))
            case _:
                return self._read_any(data)


@attrs.frozen
class _Mistaken:
    """What is written of a `DefinitionError`."""

    error: str
    problems: tuple[Problem, ...]


@attrs.frozen
class _Refused(_Mistaken):
    """What is written of a `ConversionError`."""

    lead_id: str
    kind: str = "lead"


def _tag_of(data: object) -> str | None:
    """Return the tag that *data* is, if it is one."""
    keys = list(data) if isinstance(data, Mapping) else []
    return keys[0] if len(keys) == 1 and keys[0].startswith("$") else None


def _kind_key(cls: Any) -> str:  # noqa: ANN401
    """Return the key under which a record of *cls* tells its kind, other than its own fields."""
    taken = cls is not GenericRecord and "kind" in attrs.fields_dict(cls)
    return "$kind" if taken else "kind"


def _omissions(cls: Any) -> dict[str, Any]:  # noqa: ANN401
    """Leave out what is empty by default, since a record has many fields and few of them filled."""
    nothing: tuple[object, ...] = (None, (), frozenset())
    empty = (each.name for each in attrs.fields(cls) if each.default in nothing)
    return {name: override(omit_if_default=True) for name in empty}


def _in_order(items: Iterable[object]) -> list[object]:
    return sorted(items, key=repr)


def _is_record(cls: object) -> bool:
    return cls is Record


def _is_target(cls: object) -> bool:
    return cls is Target


def _is_change(cls: object) -> bool:
    return cls == Change


def _is_error(cls: object) -> bool:
    return isinstance(cls, type) and issubclass(cls, LeadConvertError)


def _is_collection(cls: object) -> bool:
    return (get_origin(cls) or cls) in COLLECTIONS


def _is_untyped(cls: object) -> bool:
    """Tell whether anything may stand here, or one of types that data cannot tell apart."""
    options = set(get_args(cls)) - {NoneType} if get_origin(cls) in {Union, UnionType} else set()
    return cls in (object, Any) or (len(options) > 1 and not all(map(attrs.has, options)))


def _is_untyped_map(cls: object) -> bool:
    if get_origin(cls) in {Mapping, FrozenMap}:
        return get_args(cls)[1] in (object, Any)
    return cls is FrozenMap
