"""Turns what Salesforce tells of its schema and its settings into fields and mappings."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from leadconvert import ConversionRules, Field, FieldMapping, FieldType, Kind, Option
from leadconvert.errors import DefinitionError, Problem
from leadconvert.presets._salesforce_names import LEAD, PARTS, SHAPES, Shape, field_of
from leadconvert.problems import mistake, unknown


__all__ = ["described", "mapped"]

_TYPES: Final[Mapping[str, FieldType]] = {
    "string": FieldType.TEXT,
    "textarea": FieldType.TEXT,
    "encryptedstring": FieldType.TEXT,
    "combobox": FieldType.TEXT,
    "time": FieldType.TEXT,
    "picklist": FieldType.ENUMERATION,
    "multipicklist": FieldType.ENUMERATION,
    "boolean": FieldType.BOOLEAN,
    "int": FieldType.INTEGER,
    "double": FieldType.DECIMAL,
    "percent": FieldType.DECIMAL,
    "currency": FieldType.MONEY,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "email": FieldType.EMAIL,
    "phone": FieldType.PHONE,
    "url": FieldType.URL,
    "reference": FieldType.REFERENCE,
}
_BY_OBJECT: Final = {shape.object: shape for shape in SHAPES}
#: A kind refers to those before it alone: records are made in this order.
_ORDER: Final = ("company", "contact", "deal")
_SETTINGS: Final = "LeadConvertSettings"


def described(rules: ConversionRules, answers: tuple[object, ...]) -> ConversionRules:
    """Return *rules* with the custom fields that the *answers* of describe calls list.

    Raises:
        DefinitionError: what is wrong with them, all of it, each with its place.
    """
    mistakes: list[Problem] = []
    own: dict[str, list[Field]] = {}
    for number, answer in enumerate(answers, start=1):
        name = answer.get("name") if isinstance(answer, Mapping) else None
        place = f"describe of {name}" if isinstance(name, str) else f"describe {number}"
        fields = answer.get("fields") if isinstance(answer, Mapping) else None
        if not isinstance(name, str) or not isinstance(fields, list | tuple):
            given = type(answer).__name__
            mistakes.append(
                mistake("wrong_shape", place, what="an object with name and fields", given=given)
            )
        elif name not in _BY_OBJECT:
            mistakes.append(unknown("object", name, _BY_OBJECT, place))
        else:
            shape = _BY_OBJECT[name]
            own.setdefault(shape.kind, []).extend(_fields(fields, shape, place, mistakes))
    if mistakes:
        raise DefinitionError(mistakes)
    return attrs.evolve(
        rules,
        lead=_grown(rules.lead, own),
        kinds=[_grown(kind, own) for kind in rules.kinds],
    )


def _grown(kind: Kind, own: Mapping[str, list[Field]]) -> Kind:
    """Return *kind* with the fields that are its own; one that is there is replaced."""
    fields = own.get(kind.id, [])
    named = {field.id for field in fields}
    kept = [field for field in kind.custom if field.id not in named]
    return attrs.evolve(kind, custom=[*kept, *fields])


def _fields(
    entries: list[object] | tuple[object, ...], shape: Shape, place: str, mistakes: list[Problem]
) -> Iterator[Field]:
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            given = type(entry).__name__
            at = f"{place}, field {number}"
            mistakes.append(mistake("wrong_shape", at, what="an object with a name", given=given))
        elif entry.get("custom") is True and (
            shape is LEAD or entry.get("createable") is not False
        ):
            try:
                made = _field(entry, shape)
            except DefinitionError as error:
                at = f"{place}, {entry['name']}"
                mistakes += (attrs.evolve(one, place=at) for one in error.problems)
            else:
                yield from made


def _field(entry: Mapping[str, object], shape: Shape) -> list[Field]:
    """Return the field of an entry, or none where it is made of others that stand by themselves."""
    name, type_ = str(entry["name"]), _TYPES.get(str(entry.get("type")))
    if type_ is None:
        return []
    label, length = entry.get("label"), entry.get("length")
    options = _options(entry.get("picklistValues"))
    to = _referred(entry.get("referenceTo"), shape)
    if (type_ is FieldType.REFERENCE and to is None) or (
        type_ is FieldType.ENUMERATION and not options
    ):
        type_, options, to = FieldType.TEXT, [], None
    is_text = type_ is FieldType.TEXT
    made = Field(
        name,
        type_,
        label=label if isinstance(label, str) else name,
        multiple=type_ is FieldType.ENUMERATION and entry.get("type") == "multipicklist",
        required=_is_required(entry, type_),
        max_length=length if is_text and isinstance(length, int) and length > 0 else None,
        options=options if type_ is FieldType.ENUMERATION else [],
        to=to if type_ is FieldType.REFERENCE else None,
    )
    return [made]


def _is_required(entry: Mapping[str, object], type_: FieldType) -> bool:
    filled = entry.get("defaultedOnCreate") is True or type_ is FieldType.BOOLEAN
    return entry.get("nillable") is False and not filled


def _options(values: object) -> list[Option]:
    found: list[Option] = []
    for one in values if isinstance(values, list | tuple) else []:
        value = one.get("value") if isinstance(one, Mapping) else None
        if isinstance(one, Mapping) and isinstance(value, str) and one.get("active") is not False:
            label = one.get("label")
            found.append(Option(value, label if isinstance(label, str) else None))
    return found


def _referred(objects: object, shape: Shape) -> str | None:
    """Return the kind that a lookup points at, or None where it has to be a text.

    That is where it may point at several kinds, or at one that is made later.
    """
    if not isinstance(objects, list | tuple) or len(objects) != 1:
        return None
    [name] = objects
    if name not in _BY_OBJECT:
        return str(name)
    kind = _BY_OBJECT[name].kind
    is_later = kind in _ORDER and shape.kind in _ORDER
    return None if is_later and _ORDER.index(kind) > _ORDER.index(shape.kind) else kind


def mapped(rules: ConversionRules, settings: object) -> ConversionRules:
    """Return *rules* that carry as the *settings* of lead conversion say.

    Raises:
        DefinitionError: what is wrong with them, all of it, each with its place.
    """
    mistakes: list[Problem] = []
    if not isinstance(settings, Mapping):
        what, given = "an object with objectMapping", type(settings).__name__
        raise DefinitionError([mistake("wrong_shape", _SETTINGS, what=what, given=given)])
    found = list(dict.fromkeys(_read(settings, mistakes)))
    if mistakes:
        raise DefinitionError(mistakes)
    filled = {(one.kind, one.target) for one in found}
    carried = {one.source for one in found}
    kept = [
        one
        for one in rules.mappings
        if (one.kind, one.target) not in filled
        and not (one.leaves_behind and one.source in carried)
    ]
    return attrs.evolve(rules, mappings=[*kept, *found])


def _read(settings: Mapping[object, object], mistakes: list[Problem]) -> Iterator[FieldMapping]:
    known = [name for name in _BY_OBJECT if name != LEAD.object]
    for number, one in enumerate(_listed(settings.get("objectMapping")), start=1):
        place = f"{_SETTINGS}, objectMapping {number}"
        if not isinstance(one, Mapping):
            what, given = "an object with outputObject", type(one).__name__
            mistakes.append(mistake("wrong_shape", place, what=what, given=given))
            continue
        target = str(one.get("outputObject"))
        if target not in known:
            mistakes.append(unknown("output object", target, known, place))
            continue
        for pair in _listed(one.get("mappingFields")):
            names = _pair(pair)
            if names is None:
                what, given = "a pair of inputField and outputField", type(pair).__name__
                mistakes.append(mistake("wrong_shape", place, what=what, given=given))
            else:
                yield _mapping(_BY_OBJECT[target], *names)


def _mapping(shape: Shape, source: str, target: str) -> FieldMapping:
    ours, theirs = field_of(LEAD, source), field_of(shape, target)
    is_part = ours in LEAD.addresses.values() and theirs not in shape.addresses.values()
    part = next((one for end, _, one in PARTS if end == source), None) if is_part else None
    return FieldMapping(ours, shape.kind, theirs, transform=part)


def _listed(value: object) -> list[object]:
    """Return a list as it is; one thing alone, as XML has it, is a list of itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _pair(entry: object) -> tuple[str, str] | None:
    if not isinstance(entry, Mapping):
        return None
    source, target = entry.get("inputField"), entry.get("outputField")
    return (source, target) if isinstance(source, str) and isinstance(target, str) else None
