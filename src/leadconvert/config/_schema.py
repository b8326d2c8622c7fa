"""The JSON Schema of rules files, made from the classes that they are read into.

It stands beside this module, in the package; ``write()`` brings it up to date.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs

from leadconvert import (
    Address,
    Channel,
    ChildRule,
    Comparison,
    Condition,
    ConversionRules,
    FieldMapping,
    Kind,
    Normalizer,
    Option,
    Product,
    Ref,
    Required,
    Stage,
    Target,
    Travel,
)
from leadconvert.config._forms import CONDITIONS, LIKE, PARTS, TARGETS, UNITS
from leadconvert.config._texts import NOTHING
from leadconvert.config._versions import PRESENT


__all__ = ["FILE", "generated", "write"]

#: The file in the package that holds it.
FILE: Final = "rules.schema.json"
_PLACE: Final = Path(__file__).with_name(FILE)

_Schema = dict[str, Any]
_TEXT: Final[_Schema] = {"type": "string"}
_TEXTS: Final[_Schema] = {"type": "array", "items": _TEXT}
_ONE_OR_SEVERAL: Final[_Schema] = {"anyOf": [_TEXT, _TEXTS]}
_PLAIN: Final[Mapping[object, _Schema]] = {
    str: _TEXT,
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    Decimal: {"type": ["string", "number"]},
}


def generated() -> _Schema:
    """Return the schema, as the classes are now."""
    maker = _Maker()
    root = maker.of_rules()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:leadconvert:rules:{PRESENT}",
        **root,
        "$defs": dict(sorted(maker.definitions.items())),
    }


def write(path: Path = _PLACE) -> None:
    """Write the schema, as the classes are now, into the package."""
    text = json.dumps(generated(), indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


@attrs.define
class _Maker:
    """Makes the schema of each class once, and points at it from where it is used."""

    definitions: dict[str, _Schema] = attrs.field(factory=dict, init=False)

    def of_rules(self) -> _Schema:
        root = self._of_attributes(
            ConversionRules,
            mappings={"type": "array", "items": self._mapping()},
            transforms=_TEXTS,
            mergers=_TEXTS,
        )
        head = {"schema_version": {"const": PRESENT}, "$schema": _TEXT}
        root["title"] = "Rules for the conversion of leads"
        root["description"] = "What there is, where its values go, and who may do what."
        root["properties"] = head | root["properties"]
        root["required"] = ["schema_version", *root["required"]]
        return root

    def of_type(self, hint: Any) -> _Schema:  # noqa: ANN401, C901, PLR0911 - a table of types
        options = [one for one in get_args(hint) if one is not NoneType]
        origin = get_origin(hint)
        if all(one in options for one in get_args(Condition)):
            return self._named("condition", self._condition)
        if NoneType in get_args(hint):
            return self.of_type(options[0])
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        if hint is object:
            return self._named("value", self._value)
        if hint is timedelta:
            return self._named("span", self._span)
        if hint is Normalizer:
            return self._named("normalizer", self._normalizer)
        if hint is Target:
            return self._named("target", self._target)
        if origin is tuple:
            return {"type": "array", "items": self.of_type(options[0])}
        if origin is frozenset:
            one = self.of_type(options[0])
            return {"anyOf": [one, {"type": "array", "items": one}]}
        if origin is Mapping:
            return _map_of(self.of_type(options[1]))
        if origin is not None:
            return _TEXT  # a function, by its name
        return self._of_class(hint)

    def _named(self, name: str, make: Any, *given: object) -> _Schema:  # noqa: ANN401
        if name not in self.definitions:
            self.definitions[name] = {}  # it may hold itself
            self.definitions[name] = make(*given)
        return {"$ref": f"#/$defs/{name}"}

    def _of_class(self, cls: type) -> _Schema:
        name = _key(cls.__name__)
        if issubclass(cls, Enum):
            return self._named(name, _choices, cls)
        if cls in (Option, Stage):
            return {"anyOf": [_TEXT, self._named(name, self._of_attributes, cls)]}
        make = {Kind: self._kind, ChildRule: self._child_rule, Required: self._required}
        made = make.get(cls)
        return self._named(name, made) if made else self._named(name, self._of_attributes, cls)

    def _of_attributes(self, cls: Any, /, **otherwise: _Schema) -> _Schema:  # noqa: ANN401
        hints = get_type_hints(cls)
        own = [one for one in attrs.fields(cls) if one.init]
        said = {one.name: otherwise.get(one.name) or self.of_type(hints[one.name]) for one in own}
        needed = [
            one.name
            for one in own
            if one.default is attrs.NOTHING and NoneType not in get_args(hints[one.name])
        ]
        return {**_described(cls), **_table(said, needed)}

    def _kind(self) -> _Schema:
        part = {"anyOf": [_TEXT, {"const": False}]}
        made = self._of_attributes(Kind, cls=_TEXT, **dict.fromkeys(PARTS, part))
        own = made["properties"]
        del own["cls"]
        made["properties"] = {"like": {"enum": [*LIKE]}, "class": _TEXT, **own}
        del made["required"]
        return {**made, "anyOf": [{"required": ["like"]}, {"required": ["id"]}]}

    def _child_rule(self) -> _Schema:
        into = _map_of(self.of_type(Travel))
        return self._of_attributes(ChildRule, into=into)

    def _required(self) -> _Schema:
        return self._of_attributes(Required, fields=_ONE_OR_SEVERAL)

    def _mapping(self) -> _Schema:
        same = _table({"kind": _TEXT, "same": _TEXTS}, ["kind", "same"])
        leave = _table({"leave": _TEXTS}, ["leave"])
        told = (
            (same, "Several fields, each to the field of the same name."),
            (leave, "Fields that are left behind on purpose."),
        )
        short = [{"description": why, **one} for one, why in told]
        return {"anyOf": [self.of_type(FieldMapping), *short]}

    def _condition(self) -> _Schema:
        where = {
            "description": "A field, how it is compared, and with what.",
            "type": "array",
            "prefixItems": [_TEXT, self.of_type(Comparison), self.of_type(object)],
            "items": False,
            "minItems": 2,
        }
        one = {"$ref": "#/$defs/condition"}
        several = {"type": "array", "items": one}
        combined = [
            {**_described(cls), **_table({key: one if key == "not" else several}, [key])}
            for key, cls in CONDITIONS.items()
        ]
        return {"anyOf": [where, *combined]}

    def _target(self) -> _Schema:
        values = _map_of(self.of_type(object))
        made: list[_Schema] = [_TEXT]
        for way, cls in TARGETS.items():
            own = attrs.fields_dict(cls)
            others: tuple[str, ...] = ("id", "revision")
            said = {name: _TEXT for name in others if name in own}
            needed = [name for name in said if own[name].default is attrs.NOTHING]
            table = _table({way: _TEXT, **said, "values": values}, [way, *needed])
            made.append({**_described(cls), **table})
        return {"anyOf": made}

    def _normalizer(self) -> _Schema:
        table = {**_table({"class": _TEXT}, ["class"])}
        # what else it has is its own affair
        table["additionalProperties"] = self.of_type(object)
        return {**_described(Normalizer), "anyOf": [_TEXT, table]}

    def _span(self) -> _Schema:
        integer = {"type": "integer"}
        return {"description": "A span of time.", **_table(dict.fromkeys(UNITS, integer), [])}

    def _value(self) -> _Schema:
        one = {"$ref": "#/$defs/value"}
        plain = {"type": ["string", "number", "boolean", "null"]}
        own = {"$address": Address, "$channel": Channel, "$product": Product, "$ref": Ref}
        tags = dict.fromkeys(("$text", "$decimal", "$float", "$date", "$datetime"), _TEXT)
        tags |= {tag: self.of_type(cls) for tag, cls in own.items()}
        tags |= {"$map": _map_of(one)} | {tag: {"const": is_} for tag, is_ in NOTHING.items()}
        return {
            "description": "A value: plain where its field says what it is, else with a tag.",
            "anyOf": [
                plain,
                {"type": "array", "items": one},
                *(self.of_type(cls) for cls in (Address, Channel, Product)),
                *(_table({tag: inner}, [tag]) for tag, inner in tags.items()),
            ],
        }


def _table(said: Mapping[str, _Schema], needed: Iterable[str]) -> _Schema:
    required = {"required": [*needed]}
    closed = {"type": "object", "properties": dict(said), "additionalProperties": False}
    return {**closed, **required} if required["required"] else closed


def _map_of(one: _Schema) -> _Schema:
    return {"type": "object", "additionalProperties": one}


def _choices(cls: type[Enum]) -> _Schema:
    return {**_described(cls), "enum": [one.value for one in cls]}


def _described(cls: type) -> _Schema:
    """Return what the docstring of a class says of it, without what is for programmers."""
    text = inspect.getdoc(cls) or ""
    for end in ("Raises:", "Example:"):
        text = text.partition(end)[0]
    paragraphs = text.strip().split("\n\n")
    told = [" ".join(one.split()).replace("`", "").replace("*", "") for one in paragraphs]
    more = {"description": "\n\n".join(told[1:])} if told[1:] else {}
    return {"title": told[0].removesuffix("."), **more}


def _key(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).strip("_")
