"""What a kind of record consists of, and the standard kinds.

A kind's fields come from its attrs class, refined and extended by `Field`s that are data.
"""

import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Union, cast, get_args, get_origin, get_type_hints

import attrs

from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, FieldType, MisfitError, readable
from leadconvert.given import texts
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.records import Company, Contact, Deal, GenericRecord, Lead, Record
from leadconvert.values import Address, FrozenMap, Product, attributes, is_empty


__all__ = ["COMPANY", "CONTACT", "DEAL", "LEAD", "Kind"]

#: What an attribute's own type says of it; the other types need a Field.
_DERIVED: Final[Mapping[type, FieldType]] = {
    str: FieldType.TEXT,
    int: FieldType.INTEGER,
    Decimal: FieldType.DECIMAL,
    bool: FieldType.BOOLEAN,
    date: FieldType.DATE,
    datetime: FieldType.DATETIME,
    Address: FieldType.ADDRESS,
    Product: FieldType.PRODUCT,
}


def _fields(values: Iterable[Field]) -> tuple[Field, ...]:
    return tuple(values)


def _keys(values: Mapping[str, Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    return FrozenMap({name: texts(fields) for name, fields in values.items()})


def _groups(values: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    # of none at all nothing can be filled, so nothing is asked for
    return tuple(group for group in map(texts, values) if group)


@attrs.frozen
class Kind:
    """A sort of record: its id, its class, its fields, and the parts some of them play.

    With a class, *fields* refine its attributes and *custom* adds fields that are data. Without one
    the records are `GenericRecord`s and every field is data. *any_of* lists groups of fields of
    which at least one must be filled. *name* (by which people know a record), *owner*, *opened*
    (to everyone), *pipeline* and *stage* name the fields that play these parts; *converted_from*
    the multiple reference that points back at leads. *keys* says by which fields, taken together,
    a record is known besides its e-mails and phones: ``{"person": ["first_name", "last_name"]}``.

    Raises:
        leadconvert.errors.DefinitionError: the description contradicts itself (all mistakes).

    Example:
        >>> from leadconvert import Field, Kind
        >>> invoice = Kind("invoice", fields=[
        ...     Field("number", "text", required=True),
        ...     Field("converted_from", "reference", to="lead", multiple=True),
        ... ])
        >>> list(invoice.members)
        ['number', 'converted_from']
    """

    id: str
    cls: type[Record] | None = None
    fields: tuple[Field, ...] = attrs.field(default=(), converter=_fields, kw_only=True)
    custom: tuple[Field, ...] = attrs.field(default=(), converter=_fields, kw_only=True)
    any_of: tuple[tuple[str, ...], ...] = attrs.field(default=(), converter=_groups, kw_only=True)
    label: str = attrs.field(
        default=attrs.Factory(lambda self: readable(self.id), takes_self=True), kw_only=True
    )
    name: str | None = attrs.field(default=None, kw_only=True)
    owner: str | None = attrs.field(default=None, kw_only=True)
    opened: str | None = attrs.field(default=None, kw_only=True)
    pipeline: str | None = attrs.field(default=None, kw_only=True)
    stage: str | None = attrs.field(default=None, kw_only=True)
    converted_from: str | None = attrs.field(default="converted_from", kw_only=True)
    keys: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=FrozenMap, converter=_keys, kw_only=True
    )
    #: Every field by its id, in the order of the class, then of the data.
    members: Mapping[str, Field] = attrs.field(init=False, eq=False, repr=False)
    #: The fields that hold e-mails or phones, by their ids.
    channels: Mapping[str, Field] = attrs.field(init=False, eq=False, repr=False)
    _needed: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        place = f"kind {self.id}"
        mistakes: list[Problem] = []
        if is_empty(self.id):
            mistakes.append(mistake("blank_id", "kind", what="kind"))
        derived = self._derived(mistakes, place)
        named = [field.id for field in self.fields]
        mistakes += twice("field", [*named, *(field.id for field in self.custom)], place)
        if self.cls is not None:
            for name in named:
                if name not in derived:
                    mistakes.append(unknown("field", name, derived, place))
            for field in self.custom:
                if field.id in derived and field.id not in named:
                    mistakes.append(mistake("custom_is_standard", place, name=field.id))
        members = derived | {field.id: field for field in (*self.fields, *self.custom)}
        described = {name: field for name, field in members.items() if field is not None}
        mistakes += (
            mistake("no_type", place, name=name)
            for name, field in members.items()
            if field is None and self._needs(name)
        )
        parts = (
            self.name,
            self.owner,
            self.opened,
            self.pipeline,
            self.stage,
            *(name for group in (*self.any_of, *self.keys.values()) for name in group),
        )
        mistakes += (
            unknown("field", name, described, place)
            for name in parts
            if name is not None and name not in described
        )
        # every problem with a stage would tell it
        mistakes += (
            mistake("never_hidden", place, name=name)
            for name in (self.pipeline, self.stage)
            if name in described and described[name].sensitive
        )
        mistakes += (
            unknown("field", name, described, place)
            for field in described.values()
            for name in (field.currency, field.sums)
            if name is not None and name not in described
        )
        mistakes += (
            mistake("does_not_fit", place, name=field.id, other=field.sums, why="no product lines")
            for field in described.values()
            if field.sums in described and not _holds_lines(described[str(field.sums)])
        )
        if mistakes:
            raise DefinitionError(mistakes)
        channels = {name: one for name, one in described.items() if one.type in _REACHED_BY}
        object.__setattr__(self, "members", FrozenMap(described))
        object.__setattr__(self, "channels", FrozenMap(channels))
        object.__setattr__(self, "_needed", tuple(filter(self._needs, described)))

    def _derived(self, mistakes: list[Problem], place: str) -> dict[str, Field | None]:
        """Describe the attributes of the class; None where its type does not say what it is."""
        if self.cls is None:
            return {}
        name = self.cls.__qualname__
        if not attrs.has(self.cls):
            mistakes.append(mistake("not_attrs", place, name=name))
            return {}
        if not attrs.inspect(self.cls).is_frozen:
            mistakes.append(mistake("not_frozen", place, name=name))
        hints = get_type_hints(self.cls)
        found: dict[str, Field | None] = {}
        own = attributes(self.cls)
        for attribute in own.values():
            if attribute.init and attribute.name not in _IDENTITY:
                found[attribute.name] = _described(attribute, hints[attribute.name])
        mistakes += (
            mistake("no_member", place, name=name, member=member)
            for member in _IDENTITY
            if member not in own
        )
        return found

    def _needs(self, name: str) -> bool:
        own = {} if self.cls is None else attributes(self.cls)
        return name in own and own[name].default is attrs.NOTHING

    @property
    def references(self) -> Mapping[str, Field]:
        """The fields that point at records of other kinds, but for the pointer back at leads."""
        return {
            name: field
            for name, field in self.members.items()
            if field.to is not None and name != self.converted_from
        }

    @property
    def keyed(self) -> frozenset[str]:
        """The fields by which a record is known: its e-mails, its phones, and those of *keys*.

        Example:
            >>> from leadconvert.kinds import COMPANY
            >>> sorted(COMPANY.keyed)
            ['emails', 'name', 'phones']
        """
        return frozenset(self.channels).union(*self.keys.values())

    def read(self, record: Record, field: str | None) -> object:
        """Return what *record* holds in *field*, or None where it holds nothing.

        Example:
            >>> from leadconvert import Lead
            >>> from leadconvert.kinds import LEAD
            >>> LEAD.read(Lead(id="L-7", stage="NEW", custom={"UF_X": 1}), "UF_X")
            1
        """
        if field is None:
            return None
        if self.cls is not None and field in attributes(self.cls):
            value: object = getattr(record, field)
            return value
        return record.custom.get(field)

    def in_form(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return *values* by field in the form of the fields: one thing, said one way.

        What does not fit its field stays as it is.

        Example:
            >>> from leadconvert.kinds import DEAL
            >>> DEAL.in_form({"amount": 5, "contact_ids": "C-3", "nothing": 1})
            {'amount': Decimal('5'), 'contact_ids': ('C-3',), 'nothing': 1}
        """
        said = dict(values)
        for name, value in values.items():
            if value is not None and name in self.members:
                with suppress(MisfitError):
                    said[name] = self.members[name].accept(value)
        return said

    def build(self, id: str, values: Mapping[str, object]) -> Record:  # noqa: A002
        """Return the record of this kind with *id* that holds *values*, all by field id.

        Raises:
            Exception: whatever the class raises when it refuses its values.

        Example:
            >>> from leadconvert.kinds import DEAL
            >>> DEAL.build("D-5", {"title": "Engine"})
            Deal(id='D-5', title='Engine')
        """
        if self.cls is None:
            return GenericRecord(kind=self.id, id=id, custom=values)
        own = attributes(self.cls)
        given = dict.fromkeys(self._needed) | dict(values)
        arguments = {own[name].alias or name: value for name, value in given.items() if name in own}
        custom = {name: value for name, value in values.items() if name not in own}
        made = cast("Callable[..., Record]", self.cls)
        return made(id=id, custom=custom, **arguments)


_IDENTITY: Final = ("id", "revision", "custom")
_REACHED_BY: Final = (FieldType.EMAIL, FieldType.PHONE)


def _holds_lines(field: Field) -> bool:
    return field.type is FieldType.PRODUCT and field.multiple


def _described(attribute: "attrs.Attribute[object]", hint: object) -> Field | None:
    """Return the field an attribute is, or None where its annotation does not say."""
    optional = False
    if get_origin(hint) in {Union, types.UnionType}:
        some = [option for option in get_args(hint) if option is not type(None)]
        optional = len(some) < len(get_args(hint))
        [hint] = some if len(some) == 1 else [None]
    multiple = get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,)
    one: object = get_args(hint)[0] if multiple else hint
    type_ = _DERIVED.get(one) if isinstance(one, type) else None
    if type_ is None:
        return None
    default = attribute.default
    has_default = default is not attrs.NOTHING
    is_made = isinstance(default, cast("type", attrs.Factory))
    return Field(
        attribute.name,
        type_,
        multiple=multiple,
        required=not (has_default or optional),
        default=None if is_made or default in (attrs.NOTHING, ()) else default,
    )


def _channels(**types_of: str) -> list[Field]:
    return [Field(name, FieldType(type_), multiple=True) for name, type_ in types_of.items()]


_CHANNELS = _channels(phones="phone", emails="email", websites="url", messengers="messenger")
_COMPANY_ID = Field("company_id", FieldType.REFERENCE, to="company")
_CONTACT_IDS = Field(
    "contact_ids", FieldType.REFERENCE, to="contact", multiple=True, label="Contacts"
)
_AMOUNT = Field("amount", FieldType.MONEY)
_BACK = Field("converted_from", FieldType.REFERENCE, to="lead", multiple=True)

#: The kind of `Lead`: standard fields, owned, with a stage.
LEAD: Final = Kind(
    "lead",
    Lead,
    fields=[*_CHANNELS, _CONTACT_IDS, _COMPANY_ID, _AMOUNT],
    name="title",
    keys={"person": ["first_name", "last_name"], "company": ["company_name"]},
    owner="owner_id",
    opened="opened",
    stage="stage",
    converted_from=None,
)
#: The kind of `Contact`: needs a first or a last name.
CONTACT: Final = Kind(
    "contact",
    Contact,
    fields=[*_CHANNELS, _COMPANY_ID, _BACK],
    any_of=[("last_name", "first_name")],
    name="last_name",
    keys={"person": ["first_name", "last_name"]},
    owner="owner_id",
    opened="opened",
)
#: The kind of `Company`: needs a name.
COMPANY: Final = Kind(
    "company",
    Company,
    fields=[*_CHANNELS, Field("name", FieldType.TEXT, required=True), _BACK],
    name="name",
    keys={"company": ["name"]},
    owner="owner_id",
    opened="opened",
)
#: The kind of `Deal`: needs a title, and a currency wherever it has an amount, which is what its
#: products add up to, if it has any.
DEAL: Final = Kind(
    "deal",
    Deal,
    fields=[
        Field("title", FieldType.TEXT, required=True),
        Field("amount", FieldType.MONEY, currency="currency", sums="products"),
        _CONTACT_IDS,
        _COMPANY_ID,
        _BACK,
    ],
    name="title",
    owner="owner_id",
    opened="opened",
    pipeline="pipeline",
    stage="stage",
)
