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
from leadconvert.records import changed, held
from leadconvert.stores import MemoryStore, SqlStore, convert_stored, reverse_stored
from leadconvert.testing import Project, leads
from leadconvert.values import canonical


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
    """Fail unless both are the same, types of values included, but for the revision."""
    assert changed(expected, {"revision": None}) == changed(actual, {"revision": None})
    assert canonical(held(expected)) == canonical(held(actual))


def kept(store: SqlStore, record: Record) -> None:
    """Fail unless a record comes back as it was stored, and as it was changed to."""
    kind = store.rules.kind_of(record)
    assert kind is not None
    put(store, record)
    same(record, read(store, kind.id, record.id))
    bare = {"title": "x", "stage": "NEW", "name": "x", "place": "x"}
    other = kind.build("other", {name: bare[name] for name in bare if name in kind.members})
    put(store, other)
    now = read(store, kind.id, "other")
    # what a class computes itself is not to be given
    values = {name: value for name, value in held(record).items() if name != "length"}
    applied(store, Update(Ref(kind.id, "other"), now.revision, values))
    same(changed(record, {"id": "other"}), read(store, kind.id, "other"))


class TestValues:
    def test_a_field_of_every_type(self, store: SqlStore) -> None:
        """Fields of every type hold their values, be they data of a class or data alone."""
        kept(store, Deal(id="D-5", title="Engine", custom=FILLED))
        kept(store, GenericRecord(kind="invoice", id="I-1", custom=FILLED))

    def test_a_class_of_ones_own(self, store: SqlStore) -> None:
        """A class that is none of the library's is kept whole, with what no field describes."""
        kept(store, Project(id="P-1", name="Engine", budget=Decimal("0.10"), keywords=("b", "a")))
        mood = Mood(Heat.HOT, date(2027, 1, 31))
        visit = Visit(id="V-1", place="London", hours=0, mood=mood, moods=(mood, Mood(Heat.HOT)))
        kept(store, attrs.evolve(visit, anything=Decimal("0.10"), notes=["a"], nickname="Town"))

    def test_none_is_no_default(self, store: SqlStore) -> None:
        """An attribute that is None comes back as None, though its class has another default."""
        visit = Visit(id="V-1", place="London", hours=None, notes=None, guests=())
        kept(store, visit)
        applied(store, Insert(Ref("visit", "V-2", provisional=True), {"place": "London"}))
        same(Visit(id="V-2", place="London"), read(store, "visit", "V-2"))

    def test_missing_is_not_empty(self, store: SqlStore) -> None:
        """A custom field that is there comes back, be it None or empty; others are not there."""
        empty = {"UF_text": None, "UFS_text": (), "UFS_reference": (), "UF_other": None}
        kept(store, Deal(id="D-5", title="", comments=" ", opened=False, custom=empty))
        kept(store, GenericRecord(kind="invoice", id="I-1", custom={"UFS_reference": None}))

    def test_text_is_held_as_it_is(self, store: SqlStore) -> None:
        """Any script, emoji, blanks, what looks like a number, and long text."""
        for number, said in enumerate(("0012.50", "null", " \t\r\n", "日本語 עברית 👩🏽‍💻", "x" * 10**5)):
            kept(store, Deal(id=f"D-{number}", title=said, tags=[said], custom={"UF_other": said}))

    @pytest.mark.parametrize("field", ["title", "tags", "UF_other", "contact_ids"])
    def test_text_that_no_database_holds(
        self, store: SqlStore, inside: Inside, field: str
    ) -> None:
        """Half a character is refused, with the field and the record, and nothing is written."""
        value = "a\ud800" if field in {"title", "UF_other"} else ("a\ud800",)
        new = Ref("deal", "D-5", provisional=True)
        with pytest.raises(UnfitValueError) as refused:
            applied(store, Insert(new, {"title": "x", field: value}))
        assert f"text holds half a character in {field}: deal D-5" == str(refused.value)
        assert [] == inside.refs()
        assert 0 == inside.count("lc_receipts")

    @pytest.mark.parametrize("field", ["title", "tags", "UF_other", "contact_ids"])
    def test_a_nul(self, store: SqlStore, field: str) -> None:
        """A NUL in a text is held by SQLite, and refused by PostgreSQL."""
        value = "a\x00b" if field in {"title", "UF_other"} else ("a\x00b",)
        asked = Insert(Ref("deal", "D-5", provisional=True), {"title": "x", field: value})
        if on_sqlite(store):
            applied(store, asked)
            assert value == DEAL.read(read(store, "deal", "D-5"), field)
        else:
            with pytest.raises(UnfitValueError) as refused:
                applied(store, asked)
            assert f"text holds a NUL in {field}: deal D-5" == str(refused.value)

    @pytest.mark.parametrize(
        "change_set",
        [
            ChangeSet(key="a\ud800", fingerprint="f"),
            ChangeSet(key="k", fingerprint="f", traces=[Trace(id="a\ud800")]),
            ChangeSet(
                key="k",
                fingerprint="f",
                events=[Event(name="a\ud800", ref=Ref("deal", "D-5"), at=AT)],
            ),
            ChangeSet(
                key="k",
                fingerprint="f",
                events=[Event(name="e", ref=Ref("deal", "D-5"), at=AT, params={"a\ud800": 1})],
            ),
            ChangeSet(
                key="k",
                fingerprint="f",
                changes=[Insert(Ref("deal", "a\ud800", provisional=True), {})],
            ),
        ],
        ids=["key", "trace", "event", "params", "id"],
    )
    def test_text_that_no_database_holds_elsewhere(
        self, store: SqlStore, change_set: ChangeSet
    ) -> None:
        """Nor is it held in keys, events, traces and ids."""
        with pytest.raises(UnfitValueError, match="half a character"):
            store.apply(change_set)

    def test_nothing_is_there_under_such_text(self, store: SqlStore) -> None:
        """Whoever asks for what could not be stored is told that it is not there."""
        half = Ref("deal", "a\ud800")
        wanted = Wanted(
            refs=(half,),
            related=(("deal", "company_id", half), ("deal", "contact_ids", half)),
            matches=(("contact", MatchKey("email", "a\ud800")),),
            traces=(half.id,),
            key=half.id,
        )
        known = store.load(wanted)
        assert ((), (), None) == (known.records, known.traces, known.receipt)
        with pytest.raises(ConflictError, match="is to be applied before"):
            store.apply(ChangeSet(key="k", fingerprint="f", after=[half.id]))

    def test_numbers_are_exact(self, store: SqlStore) -> None:
        """Amounts keep every digit, and whole numbers may be as large as a column is."""
        for number, amount in enumerate(("0.1", "-0.00", "1E+30", "1E-300", "9" * 80 + ".99")):
            custom = {"UF_decimal": Decimal(amount), "UF_integer": 2**63 - 1}
            custom["UF_other"] = Decimal(amount)
            kept(store, Deal(id=f"D-{number}", title="x", amount=amount_of(amount), custom=custom))

    @pytest.mark.parametrize(
        ("field", "value", "why"),
        [
            ("UF_integer", 2**63, "a number is too large"),
            ("UF_other", 10**4300, "a number is too long"),
            ("UFS_integer", (10**4300,), "a number is too long"),
            ("UF_decimal", Decimal("1E+131072"), "a number is too long"),
            ("UF_money", Decimal("1E-16384"), "a number is too long"),
        ],
        ids=["column", "beside", "list", "before the point", "after the point"],
    )
    def test_numbers_that_no_column_holds(
        self, store: SqlStore, inside: Inside, field: str, value: object, why: str
    ) -> None:
        """A number out of range is refused, and nothing is written."""
        with pytest.raises(UnfitValueError) as refused:
            put(store, Deal(id="D-5", title="Engine", custom={field: value}))
        assert f"{why} in {field}: deal D-5" == str(refused.value)
        assert [] == inside.refs()

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            (UTC, timedelta()),
            (timezone(timedelta(hours=-9, minutes=-30)), timedelta(hours=-9, minutes=-30)),
            (timezone(timedelta(seconds=3_607)), timedelta(seconds=3_607)),
            (timezone(timedelta(microseconds=7)), timedelta(microseconds=7)),
        ],
    )
    def test_moments_keep_their_offset(
        self, store: SqlStore, zone: timezone, expected: timedelta
    ) -> None:
        """A moment comes back to the microsecond, as the clock on the wall showed it."""
        for number, year in enumerate((1, 2, 2027, 9998, 9999)):
            at = datetime(year, 6, 1, 0, 30, 0, 1, tzinfo=zone)
            put(store, Lead(id=f"L-{number}", stage="NEW", created_at=at))
            record = read(store, "lead", f"L-{number}")
            assert isinstance(record, Lead)
            assert at == record.created_at
            assert expected == record.created_at.utcoffset()

    def test_values_of_another_type_are_kept(self, store: SqlStore) -> None:
        """A custom value that is not of its field's type stands beside, and comes back as it is."""
        strange: dict[str, object] = {
            "UF_text": 5,
            "UF_integer": True,
            "UF_decimal": 5,
            "UF_money": Decimal("Infinity"),
            "UF_boolean": 1,
            "UF_date": MOMENT,
            "UF_datetime": date(2027, 1, 31),
            "UF_email": "ada@example.com",
            "UF_reference": ("C-1", "C-2"),
            "UFS_text": "one",
            "UFS_reference": "C-1",
            "UFS_datetime": (MOMENT.replace(tzinfo=None),),
            "UF_other": {"deep": (1.5, Ref("deal", "D-1"))},
        }
        kept(store, Deal(id="D-5", title="Engine", custom=strange))

    def test_a_value_put_right_gets_into_its_column(self, store: SqlStore, url: URL) -> None:
        """What stood beside stands in its column once it is of the field's type."""
        put(store, Deal(id="D-5", title="Engine", custom={"UF_integer": "5", "UF_other": 1}))
        ref, now = Ref("deal", "D-5"), read(store, "deal", "D-5")
        applied(store, Update(ref, now.revision, {"UF_integer": 5}))
        same(
            Deal(id="D-5", title="Engine", custom={"UF_integer": 5, "UF_other": 1}),
            read(store, "deal", "D-5"),
        )
        with Inside(url, RULES).engine.connect() as connection:
            assert 5 == connection.scalar(text("SELECT uf_integer FROM lc_deal"))

    def test_enumerations_are_plain_values(self, store: SqlStore) -> None:
        """A member of an enumeration is stored as the text or number that it is."""
        put(store, Deal(id="D-5", title=Heat.HOT, custom={"UF_integer": Grade.FIRST}))
        same(Deal(id="D-5", title="hot", custom={"UF_integer": 1}), read(store, "deal", "D-5"))

    def test_a_value_that_no_data_can_tell(self, store: SqlStore) -> None:
        """A value of a class that nobody could read back is refused."""
        for values in ({"UF_other": Mood(Heat.HOT)}, {"UF_address": Mood(Heat.HOT)}):
            with pytest.raises(UnfitValueError, match="a Mood cannot be written as JSON data in UF"):
                applied(store, Insert(Ref("deal", "D-5", provisional=True), values))
        anything = {"place": "London", "anything": Mood(Heat.HOT)}
        with pytest.raises(UnfitValueError, match="a Mood cannot be written .* in anything: visit"):
            applied(store, Insert(Ref("visit", "V-1", provisional=True), anything))
        event = Event(name="e", ref=Ref("deal", "D-5"), at=AT, params={"x": Mood(Heat.HOT)})
        with pytest.raises(UnfitValueError, match="a Mood cannot be written .*: deal D-5"):
            store.apply(ChangeSet(key="k", fingerprint="f", events=[event]))

    def test_what_a_class_refuses(self, store: SqlStore) -> None:
        """A value that the class of its kind refuses is not stored, nor told."""
        with pytest.raises(UnfitValueError) as refused:
            applied(store, Insert(Ref("deal", "D-5", provisional=True), {"amount": "secret"}))
        assert "a value does not fit (TypeError): deal D-5" == str(refused.value)
        put(store, Deal(id="D-5", title="Engine"))
        now = read(store, "deal", "D-5")
        with pytest.raises(UnfitValueError) as refused:
            applied(store, Update(Ref("deal", "D-5"), now.revision, {"amount": "secret"}))
        assert "a value does not fit (TypeError): deal D-5" == str(refused.value)

    def test_what_somebody_else_wrote(self, store: SqlStore, inside: Inside) -> None:
        """A row that somebody spoiled is told by its record and field."""
        put(store, Deal(id="D-5", title="Engine", tags=["a"]))
        with inside.engine.begin() as connection:
            connection.execute(text("UPDATE lc_deal SET tags = '[5]'"))
        with pytest.raises(UnfitValueError) as refused:
            read(store, "deal", "D-5")
        assert "what stands in tags is unreadable: deal D-5" == str(refused.value)

    @pytest.mark.parametrize("number", range(2))
    def test_leads_drawn_at_random(self, tmp_path: Path, number: int) -> None:
        """Whatever leads there are, a database makes of them what memory does."""
        rules = presets.bitrix24()

        @settings(max_examples=20, database=None, deadline=None)
        @given(st.lists(leads(rules), max_size=3, unique_by=lambda lead: lead.id))
        def check(drawn: list[Lead]) -> None:
            memory = MemoryStore(rules)
            with SqlStore.from_url("sqlite://", rules=rules) as store:
                for one in (memory, store):
                    one.apply(seed(drawn, rules=rules))
                wanted = Wanted(refs=tuple(Ref("lead", lead.id) for lead in drawn))
                for expected, actual in zip(
                    memory.load(wanted).records, store.load(wanted).records, strict=True
                ):
                    same(expected, actual)

        check()


def on_sqlite(store: SqlStore) -> bool:
    """Whether a store is one in SQLite."""
    assert isinstance(store.where, Engine)
    return store.where.dialect.name == "sqlite"


def amount_of(told: str) -> Decimal:
    """An amount, as a class would take it."""
    return Decimal(told)
