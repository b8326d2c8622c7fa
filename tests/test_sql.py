"""`SqlStore`: what it writes, and who may write at once."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path

import attrs
import pytest
from databases import DATABASES, Inside, database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, event, text

from leadconvert import (
    Actor,
    Address,
    Attach,
    Change,
    ChangeSet,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Delete,
    Detach,
    Event,
    Field,
    FieldType,
    FrozenMap,
    GenericRecord,
    Insert,
    Kind,
    Lead,
    MatchKey,
    Pipeline,
    Policy,
    Product,
    Receipt,
    Record,
    Ref,
    Stage,
    Trace,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.errors import ConflictError, StoreError, UnfitValueError
from leadconvert.fields import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import changed
from leadconvert.stores import MemoryStore, SqlStore, convert_stored, reverse_stored
from leadconvert.testing import Project, leads


AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])


class Heat(StrEnum):
    HOT = "hot"


class Grade(IntEnum):
    FIRST = 1


@attrs.frozen
class Mood:
    """A value of a user's own."""

    heat: Heat
    since: date | None = None


@attrs.frozen(kw_only=True)
class Visit:
    """A class as a user might write it, with attributes no field describes, and defaults."""

    id: str
    place: str
    revision: str | None = None
    hours: int | None = 1
    mood: Mood | None = None
    moods: tuple[Mood, ...] = ()
    anything: object = None
    nickname: str = attrs.field(default=attrs.Factory(lambda self: self.place, takes_self=True))
    notes: list[str] | None = attrs.field(factory=list)
    guests: tuple[str, ...] | None = None
    length: int = attrs.field(init=False, default=0)
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


def fields_of(prefix: str, *, multiple: bool) -> Iterator[Field]:
    """A field of every type."""
    for type_ in FieldType:
        yield Field(
            f"{prefix}_{type_.value}",
            type_,
            multiple=multiple,
            options=["hot", "cold"] if type_ is FieldType.ENUMERATION else [],
            to="contact" if type_ is FieldType.REFERENCE else None,
        )


EVERY_FIELD = (*fields_of("UF", multiple=False), *fields_of("UFS", multiple=True))
BACK = Field("converted_from", "reference", to="lead", multiple=True)
RULES = ConversionRules(
    lead=LEAD,
    kinds=[
        CONTACT,
        COMPANY,
        attrs.evolve(DEAL, custom=EVERY_FIELD),
        Kind("invoice", fields=[*EVERY_FIELD, BACK]),
        Kind("project", Project, fields=[Field("budget", "money"), BACK], owner="owner_id"),
        Kind(
            "visit",
            Visit,
            fields=[BACK, Field("guests", "reference", to="contact", multiple=True)],
        ),
    ],
    pipelines=[
        Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
        Pipeline("sales", "deal", ["NEW"]),
    ],
    policy=Policy.allow_all(),
)
MOMENT = datetime(2027, 6, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
PRODUCT = Product(name="Engine", price=Decimal("99.50"), quantity=Decimal("0.3333"))
VALUES: Mapping[str, object] = {
    "text": "Zoë 👩🏽‍💻",
    "integer": -(2**63),
    "decimal": Decimal("0.10"),
    "money": Decimal("1234567890123456789.01"),
    "boolean": False,
    "date": date(2027, 1, 31),
    "datetime": MOMENT,
    "enumeration": "hot",
    "url": Channel("https://example.com"),
    "email": Channel("ada@example.com", "work"),
    "phone": Channel("030 123456", ""),
    "messenger": Channel("@ada"),
    "address": Address(street="", city="Köln"),
    "product": PRODUCT,
    "file": "file-1",
    "reference": "C-3",
}


def several(value: object) -> tuple[object, ...]:
    """More than one of it, and not in any order."""
    return (value, value) if isinstance(value, Channel | str) else (value,)


FILLED: Mapping[str, object] = {
    **{f"UF_{name}": value for name, value in VALUES.items()},
    **{f"UFS_{name}": several(value) for name, value in VALUES.items()},
}


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database, once of each sort."""
    with database(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def store(url: URL) -> Iterator[SqlStore]:
    """A store in an empty database."""
    with SqlStore.from_url(url, rules=RULES) as made:
        yield made


@pytest.fixture
def inside(url: URL) -> Inside:
    """A look into the database."""
    return Inside(url, RULES)


def applied(store: SqlStore, *changes: Change, key: str | None = None) -> Receipt:
    """Apply *changes* under a key of their own."""
    return store.apply(ChangeSet(key=key or f"key {id(changes)}", fingerprint="f", changes=changes))


def put(store: SqlStore, *records: Record) -> None:
    """Store records as they are."""
    store.apply(seed(records, rules=store.rules))


def read(store: SqlStore, kind: str, id_: str) -> Record:
    """Load one record."""
    [record] = store.load(Wanted(refs=(Ref(kind, id_),))).records
    return record


def same(expected: Record, actual: Record) -> None:
    """Fail unless both are the same to the type of each value, but for the revision."""
    assert repr(attrs.asdict(changed(expected, {"revision": None}))) == repr(
        attrs.asdict(changed(actual, {"revision": None}))
    )
    assert changed(expected, {"revision": None}) == changed(actual, {"revision": None})


class TestValues:
    def test_a_field_of_every_type(self, store: SqlStore) -> None:
        """Fields of every type hold their values, be they data of a class or data alone."""
        deal = Deal(id="D-5", title="Engine", custom=FILLED)
        invoice = GenericRecord(kind="invoice", id="I-1", custom=FILLED)
        put(store, deal, invoice)
        same(attrs.evolve(deal, custom=dict(sorted(FILLED.items()))), in_order(store, "deal", "D-5"))
        same(
            attrs.evolve(invoice, custom=dict(sorted(FILLED.items()))),
            in_order(store, "invoice", "I-1"),
        )


def in_order(store: SqlStore, kind: str, id_: str) -> Record:
    """Load one record, its custom fields in order of their names."""
    record = read(store, kind, id_)
    return attrs.evolve(record, custom=dict(sorted(record.custom.items())))  # type: ignore[misc]
