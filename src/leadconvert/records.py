"""The records: a lead, what it may become, and what it remembers of that.

A record is a frozen value. Its `id` is text; its `revision` is the store's own mark of a version,
never looked into here. Moments say their time zone, days are dates, money is Decimal. `custom`
holds the fields that exist as data only.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, TypeVar, cast

import attrs
from attrs import validators

from leadconvert.given import all_of, aware, is_a, money, named, texts
from leadconvert.past import Conversion, StageChange
from leadconvert.values import Address, Channel, FrozenMap, Product, attributes


__all__ = [
    "Company",
    "Contact",
    "Deal",
    "GenericRecord",
    "Lead",
    "Record",
    "changed",
    "held",
]


class Record(Protocol):
    """What any class of records must have; all of it may be read-only.

    Example:
        >>> from leadconvert import Contact, Record
        >>> record: Record = Contact(id="C-3")
        >>> record.id, record.revision, dict(record.custom)
        ('C-3', None, {})
    """

    @property
    def id(self) -> str:
        """The record's id, unique within its kind."""
        ...

    @property
    def revision(self) -> str | None:
        """The store's mark of the version that was read, or None."""
        ...

    @property
    def custom(self) -> Mapping[str, object]:
        """The values of custom fields, by field id."""
        ...


def _channels(values: Iterable[Channel]) -> tuple[Channel, ...]:
    return all_of(values, Channel)


def _products(values: Iterable[Product]) -> tuple[Product, ...]:
    return all_of(values, Product)


def _day(self: object, attribute: "attrs.Attribute[date | None]", value: date | None) -> None:
    del self
    if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
        raise TypeError(f"{attribute.name} is a date, not {named(type(value))}")


_text = is_a(str)
_maybe_text = validators.optional(_text)
_maybe_bool = validators.optional(is_a(bool))


def _maybe_money(amount: Decimal | int | None) -> Decimal | None:
    return None if amount is None else money(amount)


def _maybe_aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else aware(moment)


def _filled(record: object) -> Iterator[tuple[str, object]]:
    """Yield what a `repr` shows: filled attributes, custom fields by name alone.

    Custom fields are where hosts keep what not everybody may see.
    """
    for name in attributes(type(record)):
        value = getattr(record, name)
        if name == "custom":
            value = sorted(value)
        if value not in (None, (), []):
            yield name, value


def _told(self: object) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in _filled(self))
    return f"{type(self).__name__}({shown})"


def _changes(values: Iterable[StageChange]) -> tuple[StageChange, ...]:
    return all_of(values, StageChange)


def _conversions(values: Iterable[Conversion]) -> tuple[Conversion, ...]:
    return all_of(values, Conversion)


@attrs.frozen(kw_only=True)
class _Standard:
    """What all four standard records have."""

    id: str = attrs.field(validator=_text)
    revision: str | None = attrs.field(default=None, validator=_maybe_text)
    owner_id: str | None = attrs.field(default=None, validator=_maybe_text)
    observer_ids: tuple[str, ...] = attrs.field(default=(), converter=texts)
    #: Available to everyone; None where nobody has said.
    opened: bool | None = attrs.field(default=None, validator=_maybe_bool)
    comments: str | None = attrs.field(default=None, validator=_maybe_text)
    tags: tuple[str, ...] = attrs.field(default=(), converter=texts)
    address: Address | None = attrs.field(
        default=None, validator=validators.optional(is_a(Address))
    )
    #: The outside system a record came from, and its id there.
    originator_id: str | None = attrs.field(default=None, validator=_maybe_text)
    origin_id: str | None = attrs.field(default=None, validator=_maybe_text)
    utm_source: str | None = attrs.field(default=None, validator=_maybe_text)
    utm_medium: str | None = attrs.field(default=None, validator=_maybe_text)
    utm_campaign: str | None = attrs.field(default=None, validator=_maybe_text)
    utm_content: str | None = attrs.field(default=None, validator=_maybe_text)
    utm_term: str | None = attrs.field(default=None, validator=_maybe_text)
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "custom", FrozenMap(self.custom))
        own = attributes(type(self))
        if shadowed := sorted(name for name in self.custom if name in own):
            raise ValueError(f"{', '.join(shadowed)}: a standard field, not a custom one")

    __repr__ = _told


@attrs.frozen(kw_only=True, repr=False)
class Lead(_Standard):
    """Somebody who may become a customer, and all that is known of them.

    Amounts are exact Decimals in *currency* (ISO 4217); moments have a time zone. *contact_ids* and
    *company_id* are the clients the lead is bound to already. *conversions* only grows.

    Raises:
        TypeError: a value is not of its attribute's type (a float amount, one text as a list).
        ValueError: a moment is naive, an amount NaN or infinite, or a custom field has the name of
            a standard one.

    Example:
        >>> from leadconvert import Channel, Lead
        >>> Lead(id="L-7", stage="NEW", emails=[Channel("ada@example.com")])
        Lead(id='L-7', stage='NEW', emails=(Channel(value='ada@example.com', use=None),))
    """

    stage: str = attrs.field(validator=_text)
    stage_description: str | None = attrs.field(default=None, validator=_maybe_text)
    title: str | None = attrs.field(default=None, validator=_maybe_text)
    honorific: str | None = attrs.field(default=None, validator=_maybe_text)
    first_name: str | None = attrs.field(default=None, validator=_maybe_text)
    middle_name: str | None = attrs.field(default=None, validator=_maybe_text)
    last_name: str | None = attrs.field(default=None, validator=_maybe_text)
    birth_date: date | None = attrs.field(default=None, validator=_day)
    job_title: str | None = attrs.field(default=None, validator=_maybe_text)
    company_name: str | None = attrs.field(default=None, validator=_maybe_text)
    phones: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    emails: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    websites: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    messengers: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    amount: Decimal | None = attrs.field(default=None, converter=_maybe_money)
    currency: str | None = attrs.field(default=None, validator=_maybe_text)
    products: tuple[Product, ...] = attrs.field(default=(), converter=_products)
    source: str | None = attrs.field(default=None, validator=_maybe_text)
    source_description: str | None = attrs.field(default=None, validator=_maybe_text)
    contact_ids: tuple[str, ...] = attrs.field(default=(), converter=texts)
    company_id: str | None = attrs.field(default=None, validator=_maybe_text)
    created_at: datetime | None = attrs.field(default=None, converter=_maybe_aware)
    created_by_id: str | None = attrs.field(default=None, validator=_maybe_text)
    updated_at: datetime | None = attrs.field(default=None, converter=_maybe_aware)
    stage_history: tuple[StageChange, ...] = attrs.field(default=(), converter=_changes)
    conversions: tuple[Conversion, ...] = attrs.field(default=(), converter=_conversions)


@attrs.frozen(kw_only=True, repr=False)
class Contact(_Standard):
    """A person one does business with. *converted_from* holds the ids of the leads it came from.

    Raises:
        TypeError: a value is not of its attribute's type.

    Example:
        >>> from leadconvert import Contact
        >>> Contact(id="C-3", first_name="Ada", last_name="Lovelace", company_id="CO-9").company_id
        'CO-9'
    """

    honorific: str | None = attrs.field(default=None, validator=_maybe_text)
    first_name: str | None = attrs.field(default=None, validator=_maybe_text)
    middle_name: str | None = attrs.field(default=None, validator=_maybe_text)
    last_name: str | None = attrs.field(default=None, validator=_maybe_text)
    birth_date: date | None = attrs.field(default=None, validator=_day)
    job_title: str | None = attrs.field(default=None, validator=_maybe_text)
    phones: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    emails: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    websites: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    messengers: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    source: str | None = attrs.field(default=None, validator=_maybe_text)
    source_description: str | None = attrs.field(default=None, validator=_maybe_text)
    company_id: str | None = attrs.field(default=None, validator=_maybe_text)
    converted_from: tuple[str, ...] = attrs.field(default=(), converter=texts)


@attrs.frozen(kw_only=True, repr=False)
class Company(_Standard):
    """A company one does business with. *converted_from* holds the ids of the leads it came from.

    Raises:
        TypeError: a value is not of its attribute's type.

    Example:
        >>> from leadconvert import Company
        >>> Company(id="CO-9", name="Analytical Engines").name
        'Analytical Engines'
    """

    name: str | None = attrs.field(default=None, validator=_maybe_text)
    phones: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    emails: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    websites: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    messengers: tuple[Channel, ...] = attrs.field(default=(), converter=_channels)
    converted_from: tuple[str, ...] = attrs.field(default=(), converter=texts)


@attrs.frozen(kw_only=True, repr=False)
class Deal(_Standard):
    """Business in the making: what, for how much, with whom, and how far it has come.

    The amount is an exact Decimal in *currency* (ISO 4217); the dates are days. *converted_from*
    holds the ids of the leads it came from.

    Raises:
        TypeError: a value is not of its attribute's type.
        ValueError: the amount is NaN or infinite.

    Example:
        >>> from leadconvert import Deal
        >>> Deal(id="D-5", title="Engine", amount=5000, currency="EUR").amount
        Decimal('5000')
    """

    title: str | None = attrs.field(default=None, validator=_maybe_text)
    pipeline: str | None = attrs.field(default=None, validator=_maybe_text)
    stage: str | None = attrs.field(default=None, validator=_maybe_text)
    type: str | None = attrs.field(default=None, validator=_maybe_text)
    begin_date: date | None = attrs.field(default=None, validator=_day)
    close_date: date | None = attrs.field(default=None, validator=_day)
    amount: Decimal | None = attrs.field(default=None, converter=_maybe_money)
    currency: str | None = attrs.field(default=None, validator=_maybe_text)
    products: tuple[Product, ...] = attrs.field(default=(), converter=_products)
    source: str | None = attrs.field(default=None, validator=_maybe_text)
    source_description: str | None = attrs.field(default=None, validator=_maybe_text)
    contact_ids: tuple[str, ...] = attrs.field(default=(), converter=texts)
    company_id: str | None = attrs.field(default=None, validator=_maybe_text)
    stage_history: tuple[StageChange, ...] = attrs.field(default=(), converter=_changes)
    converted_from: tuple[str, ...] = attrs.field(default=(), converter=texts)


@attrs.frozen(kw_only=True, repr=False)
class GenericRecord:
    """A record of a kind that is defined by fields alone; all its values are in *custom*.

    Example:
        >>> from leadconvert import GenericRecord
        >>> invoice = GenericRecord(kind="invoice", id="I-1", custom={"number": "2027-001"})
        >>> invoice.custom["number"]
        '2027-001'
    """

    kind: str = attrs.field(validator=_text)
    id: str = attrs.field(validator=_text)
    revision: str | None = attrs.field(default=None, validator=_maybe_text)
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "custom", FrozenMap(self.custom))

    __repr__ = _told


R = TypeVar("R", bound=Record)


def changed(record: R, values: Mapping[str, object]) -> R:
    """Return *record* with other *values*, by field id; what is no attribute of it is custom.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.records import changed
        >>> changed(Lead(id="L-7", stage="NEW"), {"title": "Engine", "UF_X": 1})
        Lead(id='L-7', custom=['UF_X'], stage='NEW', title='Engine')
    """
    own = attributes(type(record))
    standard = {own[name].alias or name: value for name, value in values.items() if name in own}
    custom = {name: value for name, value in values.items() if name not in own}
    if custom:
        standard["custom"] = {**record.custom, **custom}
    evolve = cast("Callable[..., R]", attrs.evolve)
    return evolve(record, **standard)


def held(record: Record) -> dict[str, object]:
    """Return all that *record* holds by field id, standard fields first, but its id and revision.

    Example:
        >>> from leadconvert import GenericRecord
        >>> from leadconvert.records import held
        >>> held(GenericRecord(kind="invoice", id="I-1", custom={"number": "2027-001"}))["number"]
        '2027-001'
    """
    own = attributes(type(record)).keys() - {"id", "revision", "custom"}
    return {name: getattr(record, name) for name in sorted(own)} | dict(
        sorted(record.custom.items())
    )
