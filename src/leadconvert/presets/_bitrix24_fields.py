"""Reads what fields a Bitrix24 has into kinds: the vendor's own, and those its users made."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from leadconvert import Field, FieldType, Kind, Option
from leadconvert.errors import DefinitionError
from leadconvert.presets._bitrix24_dictionaries import as_count, as_text, each
from leadconvert.presets._bitrix24_names import ADDRESS_PARTS, CLIENTS, MULTIFIELDS, NAMES, Names
from leadconvert.presets._bitrix24_values import UnreadableError, as_field, flag, is_blank
from leadconvert.problems import Problem, mistake, unknown


__all__ = ["Fields"]

#: What theirs are here. What is not among them has no type here, and is no field of the kind; what
#: holds two things in one (money and its currency, an address and where it lies) is text.
_TYPES: Final[Mapping[str, FieldType]] = {
    **dict.fromkeys(["string", "text", "money", "address", "user", "employee"], FieldType.TEXT),
    **dict.fromkeys(["location", "iblock_element", "iblock_section"], FieldType.TEXT),
    **dict.fromkeys(["hlblock", "crm", "crm_status", "crm_currency"], FieldType.TEXT),
    **dict.fromkeys(["crm_category", "crm_entity", "crm_lead", "crm_deal"], FieldType.TEXT),
    **dict.fromkeys(["crm_contact", "crm_company", "crm_quote"], FieldType.TEXT),
    **dict.fromkeys(["char", "boolean"], FieldType.BOOLEAN),
    "integer": FieldType.INTEGER,
    "double": FieldType.DECIMAL,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "enumeration": FieldType.ENUMERATION,
    "file": FieldType.FILE,
    "url": FieldType.URL,
}
#: The standard fields that a dictionary has the options of.
_DICTIONARIES: Final = {"honorific": "HONORIFIC", "source": "SOURCE", "type": "DEAL_TYPE"}
#: Never fields of their own: what crm.item.* has for clients, and takes no value for.
_SERVICE: Final = frozenset({*CLIENTS, "ID", "contacts", "companies", "CONTACTS", "COMPANIES"})
_LABELS: Final = ("formLabel", "listLabel", "filterLabel", "title")
_OWN_LABELS: Final = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL")
#: The types whose default is a plain value.
_DEFAULTS: Final = frozenset({"string", "integer", "double", "boolean", "date", "datetime"})


@attrs.frozen
class _Told:
    """What an answer says of one field, whichever method answered."""

    name: str
    type: str
    label: str | None
    required: bool
    multiple: bool
    choices: object
    dictionary: str
    settings: Mapping[str, object]


@attrs.define
class Fields:
    """Makes kinds of what is told of their fields, and collects what is wrong with that."""

    options: Mapping[str, tuple[Option, ...]]
    mistakes: list[Problem] = attrs.field(factory=list)

    def kinds(
        self, base: Mapping[str, Kind], fields: Mapping[str, object], userfields: object
    ) -> dict[str, Kind]:
        """Return the *base* kinds with the fields that the answers tell."""
        for kind in fields:
            if kind not in NAMES:
                self.mistakes.append(unknown("kind", kind, NAMES, "fields"))
        own: dict[str, dict[str, _Told]] = {kind: {} for kind in NAMES}
        standard: dict[str, list[_Told]] = {kind: [] for kind in NAMES}
        for kind, names in NAMES.items():
            for told in self._described(names, fields.get(kind)):
                if told.name.startswith("UF_"):
                    own[kind][told.name] = told
                else:
                    standard[kind].append(told)
        for entry in each(userfields, "userfields", self.mistakes):
            entity = as_text(entry.get("ENTITY_ID"))
            kind = entity.removeprefix("CRM_").lower()
            known = [f"CRM_{name.upper()}" for name in NAMES]
            if entity not in known:
                self.mistakes.append(unknown("entity", entity, known, "userfields"))
            else:
                told = self._own(entry, f"userfields {entity}")
                own[kind][told.name] = told
        return {
            kind: self._kind(NAMES[kind], one, standard[kind], own[kind].values())
            for kind, one in base.items()
        }

    def _described(self, names: Names, answer: object) -> Iterator[_Told]:
        """Yield what ``crm.*.fields`` tells."""
        place = f"fields {names.kind}"
        for key, told in self._items({} if answer is None else answer, place):
            at = f"{place}.{key}"
            if not isinstance(told, Mapping):
                self._misshapen("an object", told, at)
            elif not self._is(told.get("isReadOnly"), at):
                name = names.capitals(key, ())
                name = as_text(told.get("upperName")) or name if name == key else name
                label = next((text for one in _LABELS if (text := as_text(told.get(one)))), None)
                yield _Told(
                    name=name,
                    type=as_text(told.get("type")),
                    label=None if label in (name, key) else label,
                    # what is required of the vendor's own fields is not told by this answer
                    required=name.startswith("UF_") and self._is(told.get("isRequired"), at),
                    multiple=self._is(told.get("isMultiple"), at),
                    choices=told.get("items"),
                    dictionary=as_text(told.get("statusType")),
                    settings=_settings(told.get("settings")),
                )

    def _own(self, entry: Mapping[str, object], place: str) -> _Told:
        """Return what ``crm.*.userfield.list`` tells of one field."""
        name = as_text(entry.get("FIELD_NAME"))
        if is_blank(name):
            self.mistakes.append(mistake("blank_id", place, what="field"))
        at = f"{place}.{name}"
        settings = _settings(entry.get("SETTINGS"))
        return _Told(
            name=name,
            type=as_text(entry.get("USER_TYPE_ID")),
            label=next((text for one in _OWN_LABELS if (text := _label(entry.get(one)))), None),
            required=self._is(entry.get("MANDATORY"), at),
            multiple=self._is(entry.get("MULTIPLE"), at),
            choices=entry.get("LIST"),
            dictionary=as_text(settings.get("ENTITY_TYPE")),
            settings=settings,
        )

    def _kind(
        self, names: Names, base: Kind, standard: Iterable[_Told], own: Iterable[_Told]
    ) -> Kind:
        """Return *base* with its standard fields refined, and with all others added."""
        refined: dict[str, Field] = {}
        custom = {field.id: field for field in base.custom}
        for told in standard:
            field = names.standard.get(told.name) or MULTIFIELDS.get(told.name, told.name)
            if field in custom:
                custom[field] = _labelled(custom[field], told)
            elif field in base.members:
                refined[field] = _labelled(base.members[field], told)
            elif not self._passed_over(names, told.name):
                added = self._field(told, names.others.get(told.name), f"fields {names.kind}")
                custom |= {} if added is None else {told.name: added}
        for field, dictionary in _DICTIONARIES.items():
            if field in base.members and (options := self.options.get(dictionary)):
                plain = refined.get(field, base.members[field])
                refined[field] = attrs.evolve(plain, type="enumeration", options=options)
        for told in own:
            added = self._field(told, None, f"fields {names.kind}")
            custom |= {} if added is None else {told.name: added}
        fields = {field.id: field for field in base.fields} | refined
        return attrs.evolve(base, fields=fields.values(), custom=custom.values())

    def _passed_over(self, names: Names, name: str) -> bool:
        parts = {f"{one}{end}" for one in names.addresses for end in ADDRESS_PARTS.values()}
        return name in (names.derived | _SERVICE | parts) - {*names.others}

    def _field(self, told: _Told, known: Field | None, place: str) -> Field | None:
        """Return the field that *told* is, or None where it has no type here."""
        at = f"{place}.{told.name}"
        type_ = _TYPES.get(told.type) if known is None else known.type
        options = self._choices(told, at)
        if told.type in {"enumeration", "crm_status"}:
            # a list with nothing in it holds nothing, and a dictionary may not be at hand
            type_ = FieldType.ENUMERATION if options else FieldType.TEXT
        if type_ is None or is_blank(told.name):
            return None
        longest = as_count(told.settings.get("MAX_LENGTH")) if told.type == "string" else 0
        try:
            field = Field(
                told.name,
                type_,
                label=told.label or told.name,
                required=told.required,
                multiple=told.multiple or (known is not None and known.multiple),
                options=options,
                max_length=longest or None,
            )
            return attrs.evolve(field, default=self._default(told, field))
        except DefinitionError as error:
            self.mistakes += (attrs.evolve(one, place=at) for one in error.problems)
            return None

    def _choices(self, told: _Told, place: str) -> tuple[Option, ...]:
        if told.type == "crm_status":
            return self.options.get(told.dictionary, ())
        if told.type != "enumeration" or is_blank(told.choices):
            return ()
        entries = each(told.choices, place, self.mistakes)
        return tuple(
            Option(as_text(one.get("ID")), as_text(one.get("VALUE")) or None) for one in entries
        )

    def _default(self, told: _Told, field: Field) -> object:
        """Return what a new record holds where nothing is given, or None."""
        if told.type == "enumeration":
            entries = each(told.choices or [], told.name, [])
            chosen = [as_text(one.get("ID")) for one in entries if one.get("DEF") == "Y"]
            return chosen if field.multiple else next(iter(chosen), None)
        value = told.settings.get("DEFAULT_VALUE")
        if isinstance(value, Mapping):  # of a day: a certain one, or that of making the record
            value = value.get("VALUE") if value.get("TYPE") == "FIXED" else None
        if told.type not in _DEFAULTS or is_blank(value):
            return None
        try:
            return as_field(field, value)
        except UnreadableError as error:
            raise DefinitionError(
                [mistake("bad_default", f"field {field.id}", why=str(error))]
            ) from None

    def _items(self, answer: object, place: str) -> Iterator[tuple[str, object]]:
        while isinstance(answer, Mapping) and "result" in answer:
            answer = answer["result"]
        if isinstance(answer, Mapping) and isinstance(inner := answer.get("fields"), Mapping):
            answer = inner
        if isinstance(answer, Mapping):
            yield from ((str(name), told) for name, told in answer.items())
        else:
            self._misshapen("an object", answer, place)

    def _is(self, value: object, place: str) -> bool:
        try:
            return not is_blank(value) and flag(value)
        except UnreadableError:
            self._misshapen("yes or no", value, place)
            return False

    def _misshapen(self, what: str, value: object, place: str) -> None:
        given = type(value).__name__
        self.mistakes.append(mistake("wrong_shape", place, what=what, given=given))


def _settings(value: object) -> Mapping[str, object]:
    """Return settings; where there are none, the vendor has an empty list."""
    return {str(k): item for k, item in value.items()} if isinstance(value, Mapping) else {}


def _label(value: object) -> str:
    """Return a label, of several languages the first that is filled."""
    some = value.values() if isinstance(value, Mapping) else [value]
    return next((told for one in some if (told := as_text(one).strip())), "")


def _labelled(field: Field, told: _Told) -> Field:
    return attrs.evolve(field, label=told.label) if told.label else field
