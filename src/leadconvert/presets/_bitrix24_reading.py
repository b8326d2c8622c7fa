"""Reads leads, contacts, companies and deals from Bitrix24's REST JSON.

Two shapes tell one story: ``crm.lead.*`` and its likes in capitals, ``crm.item.*`` in camelCase
with all channels in ``fm``. Names of the second are turned into those of the first, then there is
one reader. What a value is read as follows from the field it goes into.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from leadconvert import Channel, ConversionRules, Field, FieldType, Kind, Product
from leadconvert.given import expect, named
from leadconvert.presets import _bitrix24_values as values
from leadconvert.presets._bitrix24_names import (
    ADDRESS_PARTS,
    CLIENTS,
    FLAT,
    MULTIFIELDS,
    NAMES,
    Names,
    ids_at,
)
from leadconvert.presets._bitrix24_rules import rules as own_rules
from leadconvert.presets._bitrix24_values import Taken, UnreadableError
from leadconvert.records import Record
from leadconvert.values import Address, attributes, is_empty


__all__ = ["contact_ids", "entries", "product_rows", "records"]

#: What the vendor wraps an answer in.
_WRAPPERS: Final = ("result", "items", "item")
#: Fields that are always lists of ids.
_ID_LISTS: Final = frozenset({"OBSERVER_IDS", "COMPANY_IDS"})
#: The one id that may be zero: that of the first pipeline.
_PIPELINE: Final = "CATEGORY_ID"
_IDENTITY: Final = "ID"
#: Where a lead stands: no lead is without.
_STAGE: Final = "STATUS_ID"


def records(data: object, kind: str, rules: ConversionRules | None) -> tuple[Record, ...]:
    """Return the records of *kind* in *data*, in their order; *rules* say what their fields are.

    Raises:
        ValueError: what is wrong, all of it, each with the field and the record.
    """
    if rules is not None:
        expect(("rules", rules, ConversionRules))
    names = NAMES[kind]
    if isinstance(data, Mapping) and isinstance(inner := data.get("entities"), Mapping):
        data = inner.get(names.plural, data)
    mistakes: list[str] = []
    reader = _Reader.of(names, rules)
    found = [
        reader.read(entry, number, mistakes)
        for number, entry in enumerate(entries(data, kind), start=1)
    ]
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return tuple(record for record in found if record is not None)


def product_rows(data: object) -> tuple[Product, ...]:
    """Return the product rows in *data*, as ``crm.*.productrows.get`` answers them.

    Raises:
        ValueError: a row cannot be read.
    """
    try:
        return values.products(entries(data, "product row", (*_WRAPPERS, "productRows")))
    except UnreadableError as error:
        raise ValueError(f"the answer {error}") from None


def contact_ids(data: object) -> tuple[str, ...]:
    """Return the ids in *data*, as ``crm.*.contact.items.get`` answers them, the primary first.

    Raises:
        ValueError: an entry cannot be read.
    """
    try:
        told = [
            (not values.flag(one.get("ISPRIMARY", "N")), values.maybe_id(one.get("CONTACTID")))
            for one in values.objects(entries(data, "contact"), "contacts")
        ]
    except UnreadableError as error:
        raise ValueError(f"the answer {error}") from None
    told.sort(key=lambda one: one[0])
    return tuple(id_ for _, id_ in told if id_ is not None)


def entries(data: object, what: str, wrappers: Iterable[str] = _WRAPPERS) -> list[object]:
    """Return the entries in *data*, whatever the vendor wraps them in.

    Raises:
        ValueError: it is neither an object nor a list.
    """
    match data:
        case list() | tuple():
            return list(data)
        case Mapping():
            inner = next((data[name] for name in wrappers if name in data), None)
            return [data] if inner is None else entries(inner, what, wrappers)
        case _:
            told = named(type(data))
            raise ValueError(
                f"a {what} is an object, several are a list of them, and this is {told}"
            )


@attrs.frozen
class _Reader:
    """Reads records of one kind."""

    names: Names
    kind: Kind
    #: What is known of their fields: by the user's rules, by the preset's, and of the vendor.
    fields: Mapping[str, Field]
    #: The standard fields here, which no field of theirs may pass for.
    reserved: frozenset[str]

    @classmethod
    def of(cls, names: Names, rules: ConversionRules | None) -> "_Reader":
        kind = _kinds(own_rules())[names.kind]
        given = {} if rules is None else _kinds(rules)
        own = given[names.kind].members if names.kind in given else {}
        fields = {**names.others, **kind.members, **own}
        return cls(names, kind, fields, frozenset(attributes(names.record)))

    def read(self, entry: object, number: int, mistakes: list[str]) -> Record | None:
        """Return the record that *entry* is, or None and add to the *mistakes*."""
        kind = self.names.kind
        if not isinstance(entry, Mapping):
            told = named(type(entry))
            mistakes.append(f"an object is needed, not {told} @ {kind} number {number}")
            return None
        taken = self._named(entry)
        if taken.take("entityTypeId", values.text) not in {None, self.names.number}:
            theirs = self.names.plural
            taken.mistakes.append(f"entityTypeId is not that of {theirs}, {self.names.number}")
        for name in self.names.derived:
            taken.values.pop(name, None)
        id_ = taken.demand(_IDENTITY, values.maybe_id, "")
        held = self._held(taken)
        at = f"{kind} {id_}" if id_ else f"{kind} number {number}"
        mistakes += (f"{mistake} @ {at}" for mistake in taken.mistakes)
        return None if taken.mistakes else self.kind.build(id_, held)

    def _named(self, entry: Mapping[object, object]) -> Taken:
        """Return what is filled, under the names in capitals where they are known."""
        taken = Taken({})
        for key, value in entry.items():
            name = self.names.capitals(str(key), self.fields)
            if values.is_blank(value):
                continue
            first = taken.values.setdefault(name, value)
            if first is not value and first != value:
                taken.mistakes.append(f"{name} stands twice, with different values")
        return taken

    def _held(self, taken: Taken) -> dict[str, object]:
        """Return everything but the id by field id."""
        channels = self._channels(taken)
        told = {one.value for some in channels.values() for one in some}
        held: dict[str, object] = {**channels, **self._clients(taken), **self._addresses(taken)}
        if _STAGE in self.names.standard:
            held["stage"] = taken.demand(_STAGE, values.text, "")
        for name, value in list(taken.values.items()):
            if not (name in FLAT and value in told):
                field = self.names.standard.get(name, name)
                if field == name and name in self.reserved:
                    taken.mistakes.append(f"{name} is a name with a meaning of its own here")
                held[field] = taken.take(name, self._reader(name, field))
        return {name: value for name, value in held.items() if not is_empty(value)}

    def _reader(self, name: str, field: str) -> Callable[[object], object]:
        """Return what reads field *name*, which is *field* here."""
        if name in _ID_LISTS:
            return values.ids
        known = self.fields.get(field)
        if ids_at(name) and name != _PIPELINE and (known is None or known.type is FieldType.TEXT):
            return values.some_ids if known and known.multiple else values.maybe_id
        return values.plain if known is None else partial(values.as_field, known)

    def _channels(self, taken: Taken) -> dict[str, tuple[Channel, ...]]:
        grouped = taken.take("fm", values.grouped) or {}
        found: dict[str, tuple[Channel, ...]] = {}
        for type_ in dict.fromkeys([*MULTIFIELDS, *grouped]):
            field = MULTIFIELDS.get(type_, type_)
            held = field if field in self.fields else type_
            alone = taken.take(type_, values.channels) if type_ in MULTIFIELDS else None
            found[held] = (*(alone or ()), *grouped.get(type_, ()))
        return found

    def _clients(self, taken: Taken) -> dict[str, tuple[str, ...]]:
        """Return whom a lead or a deal is with, the first one first."""
        if "contact_ids" not in self.fields:
            return {}
        one, several = CLIENTS
        primary = taken.take(one, values.maybe_id)
        contacts = (*([primary] if primary else []), *(taken.take(several, values.ids) or ()))
        return {"contact_ids": tuple(dict.fromkeys(contacts))}

    def _addresses(self, taken: Taken) -> dict[str, Address]:
        found: dict[str, Address] = {}
        for prefix in self.names.addresses:
            parts = {
                part: taken.take(f"{prefix}{end}", values.text)
                for part, end in ADDRESS_PARTS.items()
            }
            found[self.names.standard.get(prefix, prefix)] = Address(**parts)
        return found


def _kinds(rules: ConversionRules) -> Mapping[str, Kind]:
    return {kind.id: kind for kind in (rules.lead, *rules.kinds)}
