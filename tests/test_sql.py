"""`SqlStore`: what it writes, and who may write at once."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from functools import partial
from pathlib import Path
from secrets import token_hex

import attrs
import pytest
from databases import DATABASES, Inside, database
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, text
from storms.disk import Disk
from storms.fault import Fault
from storms.wire import Wire, wire

from leadconvert import (
    Actor,
    Address,
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
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
    Matching,
    MatchKey,
    MatchRule,
    Pipeline,
    Policy,
    Product,
    Receipt,
    Record,
    Ref,
    Stage,
    Trace,
    TraceStep,
    Update,
    Wanted,
    convert,
    presets,
    seed,
)
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import changed, held
from leadconvert.stores import (
    MemoryStore,
    SqlStore,
    advance_stored,
    arrive_stored,
    convert_stored,
    reverse_stored,
)
from leadconvert.testing import Project, leads
from leadconvert.values import canonical


AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
ADA = MatchKey("email", "ada@example.com")


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
    return store.apply(change_set(*changes, key=key))


def change_set(*changes: Change, key: str | None = None) -> ChangeSet:
    """A change set under a key of its own."""
    return ChangeSet(key=key or token_hex(8), fingerprint="f", changes=changes)


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
        for number, said in enumerate(
            ("0012.50", "null", " \t\r\n", "日本語 עברית 👩🏽‍💻", "x" * 10**5)
        ):
            kept(store, Deal(id=f"D-{number}", title=said, tags=[said], custom={"UF_other": said}))

    @pytest.mark.parametrize("field", ["title", "tags", "UF_other", "contact_ids"])
    def test_text_that_no_database_holds(self, store: SqlStore, inside: Inside, field: str) -> None:
        """Half a character is refused, with the field and the record, and nothing is written."""
        put(store, Deal(id="D-4", title="x"))
        before, now = inside.rows(), read(store, "deal", "D-4").revision
        value = "a\ud800" if field in {"title", "UF_other"} else ("a\ud800",)
        new, good = (Ref("deal", id_, provisional=True) for id_ in ("D-5", "D-6"))
        for id_, last in (
            ("D-5", Insert(new, {"title": "x", field: value})),
            ("D-4", Update(Ref("deal", "D-4"), now, {field: value})),
        ):
            with pytest.raises(UnfitValueError) as refused:
                applied(store, Insert(good, {"title": "x"}), last)
            assert f"text holds half a character in {field}: deal {id_}" == str(refused.value)
            assert before == inside.rows()

    @pytest.mark.parametrize("what", ["id", "link", "reference", "key"])
    def test_text_too_long_to_find(self, store: SqlStore, inside: Inside, what: str) -> None:
        """PostgreSQL finds nothing by a text so long: there it is refused whole."""
        long = token_hex(20_000)
        put(store, Deal(id="D-4", title="x"))
        before = inside.rows()
        new = Ref("deal", long if what == "id" else "D-5", provisional=True)
        values: dict[str, object] = {"title": "x"}
        values |= {"contact_ids": (long,)} if what == "link" else {}
        values |= {"company_id": long} if what == "reference" else {}
        asked = change_set(Insert(new, values), key=long if what == "key" else None)
        if on_sqlite(store):
            assert not store.apply(asked).replayed
            assert store.apply(asked).replayed
        else:
            with pytest.raises(UnfitValueError, match="a value that the database cannot hold"):
                store.apply(asked)
            assert before == inside.rows()
            # what is not there is not found either, and nothing is in the way of that
            company = Ref("company", long)
            wanted = Wanted(refs=(new,), key=long, related=(("deal", "company_id", company),))
            assert () == store.load(wanted).records

    def test_such_text_in_what_is_attached(self, store: SqlStore, inside: Inside) -> None:
        """Nor is it attached; what could not be attached cannot be taken out."""
        put(store, Deal(id="D-5", title="x", contact_ids=["C-1"]))
        before, deal = inside.rows(), Ref("deal", "D-5")
        half = Ref("contact", "a\ud800")
        good = Attach(deal, "contact_ids", [Ref("contact", "C-2")])
        with pytest.raises(UnfitValueError) as refused:
            applied(store, good, Attach(deal, "contact_ids", [half]))
        assert "text holds half a character in contact_ids: deal D-5" == str(refused.value)
        with pytest.raises(UnfitValueError):
            applied(store, good, Detach(deal, "contact_ids", [half]))
        assert before == inside.rows()

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
            (timezone(timedelta(seconds=1, microseconds=7)), timedelta(seconds=1, microseconds=7)),
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
            with pytest.raises(
                UnfitValueError, match="a Mood cannot be written as JSON data in UF"
            ):
                applied(store, Insert(Ref("deal", "D-5", provisional=True), values))
        anything = {"place": "London", "anything": Mood(Heat.HOT)}
        with pytest.raises(UnfitValueError, match=r"Mood .* in anything: visit"):
            applied(store, Insert(Ref("visit", "V-1", provisional=True), anything))
        event = Event(name="e", ref=Ref("deal", "D-5"), at=AT, params={"x": Mood(Heat.HOT)})
        with pytest.raises(UnfitValueError, match=r"Mood .* data: deal D-5"):
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

    def test_leads_drawn_at_random(self) -> None:
        """Whatever leads there are, a database makes of them what memory does."""
        rules = presets.bitrix24()

        @settings(max_examples=15, database=None, deadline=None)
        @given(st.lists(leads(rules), max_size=3, unique_by=lambda lead: lead.id))
        def check(drawn: list[Lead]) -> None:
            memory = MemoryStore(rules)
            with SqlStore.from_url("sqlite://", rules=rules) as store:
                memory.apply(seed(drawn, rules=rules))
                try:
                    store.apply(seed(drawn, rules=rules))
                except UnfitValueError:
                    return
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


CRM = attrs.evolve(
    presets.bitrix24(),
    matching=Matching([MatchRule("contact", ["email"]), MatchRule("company", ["company"])]),
)


@pytest.fixture
def crm(url: URL) -> Iterator[SqlStore]:
    """A store for rules by which leads are converted."""
    with SqlStore.from_url(url, rules=CRM) as made:
        made.create()
        yield made


@contextmanager
def counted(url: URL) -> Iterator[tuple[SqlStore, Callable[[Callable[[], object]], int]]]:
    """Yield a store, and what tells how many statements get to the database by something."""
    beneath: Disk | Wire

    def count(do: Callable[[], object]) -> int:
        never = beneath.fault = Fault("", 0)
        do()
        beneath.fault = None
        return never.passed

    if url.get_backend_name() == "sqlite":
        beneath = Disk()
        with SqlStore.from_url(url, rules=CRM) as store:
            beneath.under(store)
            store.create()
            yield store, count
    else:
        with (
            wire(url.render_as_string(hide_password=False)) as beneath,
            SqlStore.from_url(beneath.url, rules=CRM) as store,
        ):
            store.create()
            yield store, count


def lead_of(size: int) -> Lead:
    """A lead with *size* of whatever it may have several of."""
    return Lead(
        id=f"L-{size}",
        stage="NEW",
        title="Engine",
        last_name=f"Ada {size}",
        company_name=f"Engines {size}",
        emails=[Channel(f"{size}.{n}@example.com") for n in range(size)],
        products=[PRODUCT] * size,
        custom={f"UF_{n}": "x" for n in range(size)},
        observer_ids=["u-1"] * size,
        currency="EUR",
    )


class TestStatements:
    def test_they_do_not_grow(self, url: URL) -> None:
        """Their number is the same however much a record holds."""
        numbers = []
        with counted(url) as (store, count):
            for size in (1, 30):
                put(store, lead_of(size))
                [lead] = store.load(Wanted(refs=(Ref("lead", f"L-{size}"),))).records
                assert isinstance(lead, Lead)
                into = ["contact", "company", "deal"]
                decided = convert(lead, into, rules=CRM, actor=ADMIN, at=AT)
                numbers.append(count(partial(store.apply, decided.changes)))
        assert numbers[0] == numbers[1]
        assert 20 >= numbers[0]

    def test_many_go_into_few(self, url: URL) -> None:
        """Two hundred change sets cost little more statements than one."""
        sets = [
            change_set(
                Insert(Ref("contact", f"C-{n}", provisional=True), {"last_name": f"x {n}"}),
                Attach(Ref("contact", f"C-{n}"), "converted_from", [Ref("lead", "L-1")]),
            )
            for n in range(201)
        ]
        answers: list[Receipt | StoreError] = []
        with counted(url) as (store, count):
            alone = count(lambda: store.apply(sets[0]))
            many = count(lambda: answers.extend(store.apply_many(iter(sets[1:]))))
        assert [one.key for one in sets[1:]] == [getattr(one, "key", None) for one in answers]
        assert 4 * alone >= many


class TestApplying:
    def test_ids_are_kept(self, store: SqlStore) -> None:
        """A record is stored under the id it was inserted with."""
        new = Ref("deal", "L-7.1.deal.1", provisional=True)
        assert ((new, new.stored),) == applied(store, Insert(new, {"title": "Engine"})).ids

    def test_a_record_made_again_is_another_one(self, store: SqlStore) -> None:
        """Whoever saw a record that is gone cannot change the one that has its id now."""
        put(store, Deal(id="D-5", title="first"))
        ref, seen = Ref("deal", "D-5"), read(store, "deal", "D-5").revision
        applied(store, Delete(ref, seen))
        applied(store, Insert(attrs.evolve(ref, provisional=True), {"title": "second"}))
        with pytest.raises(ConflictError, match="it was changed meanwhile: deal D-5"):
            applied(store, Update(ref, seen, {"title": "third"}))

    def test_steps_on_one_record(self, store: SqlStore, inside: Inside) -> None:
        """Each step finds the record as those before it left it."""
        put(store, Lead(id="L-1", stage="NEW"), Lead(id="L-2", stage="NEW"))
        one, two = Ref("lead", "L-1"), Ref("lead", "L-2")
        new, ref = Ref("invoice", "I-1", provisional=True), Ref("invoice", "I-1")
        receipt = applied(
            store,
            Insert(new, {"UF_text": "a", "converted_from": (one,)}),
            Update(ref, None, {"UF_text": "b", "UF_other": 1}),
            Attach(ref, "converted_from", [two, one, two]),
            Update(ref, None, {"UF_integer": 1}),
        )
        custom = {"UF_text": "b", "UF_other": 1, "UF_integer": 1, "converted_from": ("L-1", "L-2")}
        same(GenericRecord(kind="invoice", id="I-1", custom=custom), read(store, "invoice", "I-1"))
        now = read(store, "invoice", "I-1").revision
        assert dict(receipt.revisions) == {ref: now}
        applied(
            store,
            Attach(ref, "converted_from", [one]),
            Detach(ref, "UFS_reference", [one]),
            Delete(ref, now),
            Insert(new, {"UF_boolean": True, "converted_from": (two,)}),
            Detach(ref, "converted_from", [two, one]),
            Attach(ref, "converted_from", [one]),
        )
        custom = {"UF_boolean": True, "converted_from": ("L-1",)}
        same(GenericRecord(kind="invoice", id="I-1", custom=custom), read(store, "invoice", "I-1"))
        other = Ref("deal", "D-5", provisional=True)
        applied(store, Insert(other, {"title": "x"}), Delete(other.stored, None))
        assert {one, two, ref} == set(inside.refs())

    def test_links_are_sets_that_remember(self, store: SqlStore) -> None:
        """What is added stands last and once; what was never there is taken out as well."""
        put(store, Deal(id="D-5", title="x", contact_ids=["C-2", "C-1", "C-2"]))
        ref = Ref("deal", "D-5")

        def held_now() -> object:
            return DEAL.read(read(store, "deal", "D-5"), "contact_ids")

        assert ("C-2", "C-1", "C-2") == held_now()
        applied(store, Attach(ref, "contact_ids", [Ref("contact", "C-1"), Ref("contact", "C-3")]))
        assert ("C-2", "C-1", "C-2", "C-3") == held_now()
        applied(
            store,
            Detach(ref, "contact_ids", [Ref("contact", "C-2"), Ref("contact", "C-9")]),
            Attach(ref, "contact_ids", [Ref("contact", "C-2")]),
        )
        assert ("C-1", "C-3", "C-2") == held_now()

    def test_a_field_that_is_data_is_there_once_it_was_a_set(self, store: SqlStore) -> None:
        """Custom links that were added to, or emptied, are there, be they empty."""
        put(store, Deal(id="D-5", title="x", custom={"UFS_reference": None}))
        ref, contact = Ref("deal", "D-5"), Ref("contact", "C-1")
        for change, expected in (
            (Attach(ref, "UFS_reference", [contact]), ("C-1",)),
            (Detach(ref, "UFS_reference", [contact]), ()),
            (Update(ref, read(store, "deal", "D-5").revision, {"UFS_reference": None}), None),
            (Detach(ref, "UFS_reference", [contact]), ()),
        ):
            applied(store, change)
            assert {"UFS_reference": expected} == dict(read(store, "deal", "D-5").custom)

    @pytest.mark.parametrize("field", ["company_id", "tags", "UF_reference", "nothing"])
    def test_a_field_that_is_no_set(self, store: SqlStore, field: str) -> None:
        """Only to several references can be added."""
        put(store, Deal(id="D-5", title="x"))
        for sort in (Attach, Detach):
            with pytest.raises(UnfitValueError, match=f"{field} is no set of references: deal D-5"):
                applied(store, sort(Ref("deal", "D-5"), field, [Ref("company", "CO-9")]))

    def test_what_is_deleted_leaves_nothing(self, store: SqlStore, inside: Inside) -> None:
        """A record goes with its links and its keys, and is found by nobody."""
        ada = Contact(id="C-1", last_name="L", emails=[Channel("ada@example.com")])
        put(store, attrs.evolve(ada, converted_from=["L-1"]), attrs.evolve(ada, id="C-2"))
        assert (1, 2) == (inside.count("lc_links"), inside.count("lc_claims"))
        put(store, Project(id="P-1", name="x"))
        refs = Ref("contact", "C-1"), Ref("project", "P-1")
        applied(store, *(Delete(ref, read(store, ref.kind, ref.id).revision) for ref in refs))
        assert [Ref("contact", "C-2")] == inside.refs()
        assert (0, 1) == (inside.count("lc_links"), inside.count("lc_claims"))

    def test_keys_follow_a_record(self, store: SqlStore) -> None:
        """Who changes is found by what they are known by then, though nobody claimed anything."""
        put(store, Contact(id="C-1", last_name="L", emails=[Channel("old@example.com")]))
        ref, now = Ref("contact", "C-1"), read(store, "contact", "C-1").revision
        applied(store, Update(ref, now, {"emails": (Channel("new@example.com"),)}))
        found = []
        for value in ("old@example.com", "new@example.com"):
            wanted = Wanted(matches=(("contact", MatchKey("email", value)),))
            found.append(len(store.load(wanted).records))
        assert [0, 1] == found

    @pytest.mark.parametrize("field", ["tags", "nothing"])
    def test_who_refers_by_what_is_no_reference(self, store: SqlStore, field: str) -> None:
        """Nobody refers to a record by a field that is no reference."""
        put(store, Deal(id="D-5", title="x", tags=["C-1"], custom={"nothing": "C-1"}))
        wanted = Wanted(related=(("deal", field, Ref("contact", "C-1")),))
        assert () == store.load(wanted).records

    @pytest.mark.parametrize(
        "change",
        [
            Insert(Ref("nothing", "N-1", provisional=True), {}, [Claim(ADA)]),
            Update(Ref("nothing", "N-1"), "1", {}, [Claim(ADA)]),
            Delete(Ref("nothing", "N-1"), "1"),
            Attach(Ref("nothing", "N-1"), "converted_from", [Ref("lead", "L-1")]),
            Detach(Ref("nothing", "N-1"), "converted_from", [Ref("lead", "L-1")]),
        ],
        ids=lambda change: type(change).__name__,
    )
    def test_a_kind_it_was_not_made_for(
        self, store: SqlStore, inside: Inside, change: Change
    ) -> None:
        """A kind without a table is refused, whatever is to be done, and nothing is written."""
        put(store, Deal(id="D-5", title="x"))
        before = inside.rows()
        new = Insert(Ref("deal", "D-6", provisional=True), {"title": "x"})
        expected = UnfitValueError("the store has no kind 'nothing'", [Ref("nothing", "N-1")])
        with pytest.raises(UnfitValueError) as refused:
            applied(store, new, change)
        assert expected.message == refused.value.message
        assert ["nothing N-1"] == [str(ref) for ref in refused.value.refs]
        assert before == inside.rows()

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted(refs=(Ref("deal", "D-5"), Ref("nothing", "N-1"))),
            Wanted(matches=(("nothing", ADA),)),
            Wanted(related=(("nothing", "company_id", Ref("company", "CO-9")),)),
        ],
        ids=["refs", "matches", "related"],
    )
    def test_a_kind_that_is_asked_for(self, store: SqlStore, wanted: Wanted) -> None:
        """Nor can be asked for what it was not made for."""
        put(store, Deal(id="D-5", title="x"))
        with pytest.raises(UnfitValueError, match="the store has no kind 'nothing'"):
            store.load(wanted)

    def test_who_is_there_already_is_named(self, store: SqlStore) -> None:
        """Of many records to insert just those are named whose ids are taken."""
        put(store, Deal(id="D-2", title="x"))
        with pytest.raises(ConflictError) as refused:
            put(store, *(Deal(id=f"D-{number}", title="x") for number in range(5)))
        assert "there is such a record already: deal D-2" == str(refused.value)

    def test_whom_only_an_addition_concerns_is_not_read(self, store: SqlStore) -> None:
        """A record that is added to is there, so it cannot be inserted."""
        put(store, Company(id="CO-9", name="x"))
        ref = Ref("company", "CO-9")
        with pytest.raises(ConflictError, match="there is such a record already: company CO-9"):
            applied(
                store,
                Attach(ref, "converted_from", [Ref("lead", "L-1")]),
                Insert(attrs.evolve(ref, provisional=True), {"name": "x"}),
            )

    @pytest.mark.parametrize("seen", [(), ("C-1",), ("C-1", "C-2"), ("C-1", "C-2", "C-3")])
    def test_a_claim_says_exactly_who_was_seen(
        self, store: SqlStore, inside: Inside, seen: tuple[str, ...]
    ) -> None:
        """Just those hold the key who were seen: neither more nor fewer."""
        emails = (Channel(ADA.value),)
        put(store, *(Contact(id=id_, last_name="L", emails=emails) for id_ in ("C-1", "C-2")))
        before = inside.rows()
        claim = Claim(ADA, [Ref("contact", id_) for id_ in seen])
        new = Insert(Ref("contact", "C-9", provisional=True), {"last_name": "L"}, [claim])
        if seen == ("C-1", "C-2"):
            assert not applied(store, new).replayed
        else:
            with pytest.raises(ConflictError, match="others hold the key email by now"):
                applied(store, new)
            assert before == inside.rows()

    def test_nothing_is_taken_out_of_what_is_not_there(
        self, store: SqlStore, inside: Inside
    ) -> None:
        """To take out of a record that is gone is no mistake; to add to it is one."""
        gone, contact = Ref("deal", "D-9"), Ref("contact", "C-1")
        assert () == applied(store, Detach(gone, "contact_ids", [contact])).revisions
        before = inside.rows()
        with pytest.raises(RecordNotFoundError, match="there is no such record: deal D-9"):
            applied(store, Attach(gone, "contact_ids", [contact]))
        assert before == inside.rows()
        assert [0, 1] == [inside.count("lc_links"), inside.count("lc_receipts")]

    def test_a_trace_is_told_anew(self, store: SqlStore) -> None:
        """The trace of a conversion that has the id of another takes its place."""
        for action in ("created", "linked"):
            trace = Trace(id="L-7.1", steps=[TraceStep(ref=Ref("deal", "D-5"), action=action)])
            store.apply(ChangeSet(key=action, fingerprint="f", traces=[trace]))
        [trace] = store.load(Wanted(traces=("L-7.1",))).traces
        assert "linked" == trace.steps[0].action

    def test_the_outbox(self, store: SqlStore, inside: Inside) -> None:
        """Each event stands there with its change set's key, its place in it and its name."""
        events = [Event(name=name, ref=Ref("deal", "D-5"), at=MOMENT) for name in ("a", "b")]
        store.apply(ChangeSet(key="k-1", fingerprint="f", events=events))
        with inside.engine.connect() as connection:
            rows = connection.execute(text("SELECT key, place, name FROM lc_outbox ORDER BY n"))
            assert [("k-1", 0, "a"), ("k-1", 1, "b")] == [tuple(row) for row in rows]
        assert events == inside.events()

    def test_an_update_that_the_database_swallows(self, store: SqlStore, inside: Inside) -> None:
        """A row that is not changed as it was to be is a conflict, whoever kept it from it."""
        put(store, Deal(id="D-5", title="Engine"))
        now = read(store, "deal", "D-5").revision
        with inside.engine.begin() as connection:
            for statement in SWALLOW[connection.dialect.name]:
                connection.execute(text(statement))
        with pytest.raises(ConflictError, match="it was changed meanwhile"):
            applied(store, Update(Ref("deal", "D-5"), now, {"title": "New"}), key="k")
        assert 1 == inside.count("lc_receipts")


#: A trigger that lets no deal be changed.
SWALLOW = {
    "sqlite": ["CREATE TRIGGER t BEFORE UPDATE ON lc_deal BEGIN SELECT RAISE(IGNORE); END"],
    "postgresql": [
        "CREATE FUNCTION swallow() RETURNS trigger AS 'BEGIN RETURN NULL; END' LANGUAGE plpgsql",
        "CREATE TRIGGER t BEFORE UPDATE ON lc_deal FOR EACH ROW EXECUTE FUNCTION swallow()",
    ],
}


class TestMany:
    def test_one_that_spoils_it_is_refused_alone(self, store: SqlStore, inside: Inside) -> None:
        """What the database itself refuses is answered alone; the others are applied."""
        put(store, Deal(id="D-0", title="x"))
        new = [Ref("deal", f"D-{number}", provisional=True) for number in range(4)]
        sets = [change_set(Insert(ref, {"title": "x"})) for ref in new]
        sets[2] = change_set(Insert(new[2], {"title": "a\ud800"}))
        answers = store.apply_many([*sets, sets[1]])
        assert [
            ConflictError("there is such a record already", [Ref("deal", "D-0")]),
            UnfitValueError("text holds half a character in title", [Ref("deal", "D-2")]),
        ] == [one for one in answers if isinstance(one, StoreError)]
        receipts = [one for one in answers if isinstance(one, Receipt)]
        assert [False, False, True] == [one.replayed for one in receipts]
        assert {"D-0", "D-1", "D-3"} == {ref.id for ref in inside.refs()}

    def test_each_is_decided_on_what_those_before_it_left(self, store: SqlStore) -> None:
        """In one batch a key can be claimed once, a record changed once, and one be made anew."""
        key = MatchKey("email", "ada@example.com")
        values = {"last_name": "L", "emails": (Channel(key.value),)}
        one, two, three = (Ref("contact", f"C-{n}", provisional=True) for n in (1, 2, 3))
        put(store, Deal(id="D-5", title="x"))
        deal, seen = Ref("deal", "D-5"), read(store, "deal", "D-5").revision
        sets = [
            change_set(Insert(one, values, [Claim(key)])),
            change_set(Insert(two, values, [Claim(key)])),
            change_set(Insert(three, values, [Claim(key, [one.stored])])),
            change_set(Update(deal, seen, {"title": "y"})),
            change_set(Update(deal, seen, {"title": "z"})),
            change_set(Attach(deal, "contact_ids", [one.stored])),
        ]
        first = sets[0].key
        gone = change_set(
            Update(one, None, {"emails": ()}),
            Delete(one, None),
            Detach(deal, "contact_ids", [one]),
            Attach(deal, "contact_ids", [three]),
        )
        sets.append(attrs.evolve(gone, after=[first, sets[2].key]))
        sets.append(attrs.evolve(change_set(Update(one, None, {})), after=[first]))
        sets.append(change_set(Insert(one, values, [Claim(key, [three.stored])])))
        answers = store.apply_many(sets)
        assert [
            "Receipt",
            "ConflictError",
            "Receipt",
            "Receipt",
            "ConflictError",
            "Receipt",
            "Receipt",
            "RecordNotFoundError",
            "Receipt",
        ] == [type(answer).__name__ for answer in answers]
        same(Deal(id="D-5", title="y", contact_ids=["C-3"]), read(store, "deal", "D-5"))


class TestDrivers:
    def test_a_lead_from_its_arrival_to_its_return(self, crm: SqlStore) -> None:
        """All drivers come to the same in a database as in memory."""
        memory, told = MemoryStore(CRM), []
        lead = attrs.evolve(lead_of(2), created_at=MOMENT)
        for store in (memory, crm):
            arrived = arrive_stored(store, lead, rules=CRM, at=AT)
            moved = advance_stored(store, lead.id, "IN_PROCESS", rules=CRM, actor=ADMIN, at=AT)
            into = ["contact", "company", "deal"]
            made = convert_stored(store, lead.id, into, rules=CRM, actor=ADMIN, at=AT, key="k")
            again = convert_stored(store, lead.id, into, rules=CRM, actor=ADMIN, at=AT, key="k")
            undone = reverse_stored(store, lead.id, rules=CRM, actor=ADMIN, at=AT)
            told.append(
                [
                    without_revision(record)
                    for record in (
                        *(arrived.record, moved.record, made.lead, made.contact, made.company),
                        *(made.deal, again.lead, again.deal, undone.lead),
                    )
                ]
            )
        assert told[0] == told[1]

    def test_duplicates_are_found(self, crm: SqlStore) -> None:
        """A second lead of the same person becomes the same contact, in the database too."""
        put(crm, lead_of(2), attrs.evolve(lead_of(2), id="L-9", company_name="Others"))
        for id_ in ("L-2", "L-9"):
            result = convert_stored(crm, id_, ["contact"], rules=CRM, actor=ADMIN, at=AT)
        assert "L-2.1.contact.1" == result.contact.id
        assert ("L-2", "L-9") == result.contact.converted_from


def without_revision(record: Record) -> Record:
    """A record but for its revision."""
    return changed(record, {"revision": None})
