"""The tables of `SqlStore`: made once, added to, and never mistaken for others."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from databases import DATABASES, Inside, database
from sqlalchemy import URL, inspect, text

from leadconvert import (
    Attach,
    ChangeSet,
    Contact,
    ConversionRules,
    Deal,
    Field,
    FrozenMap,
    GenericRecord,
    Kind,
    Pipeline,
    Policy,
    Record,
    Ref,
    Stage,
    Wanted,
    seed,
)
from leadconvert.errors import SchemaVersionError, UnfitValueError
from leadconvert.kinds import CONTACT, DEAL, LEAD
from leadconvert.stores import SqlStore


AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
BACK = Field("converted_from", "reference", to="lead", multiple=True)


def rules_of(*kinds: Kind) -> ConversionRules:
    """Rules with these kinds."""
    return ConversionRules(
        lead=LEAD,
        kinds=kinds,
        pipelines=[
            Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
            *(Pipeline("sales", "deal", ["NEW"]) for kind in kinds if kind.id == "deal"),
        ],
        policy=Policy.allow_all(),
    )


def thing(*fields: Field, id_: str = "thing") -> Kind:
    """A kind of data alone."""
    return Kind(id_, fields=[*fields, BACK])


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database, once of each sort."""
    with database(request.param, tmp_path) as found:
        yield found


def opened(url: URL, *kinds: Kind) -> SqlStore:
    """A store for rules with these kinds."""
    return SqlStore.from_url(url, rules=rules_of(*kinds))


def columns(url: URL, table: str) -> list[str]:
    """The names of the columns of a table."""
    return [str(one["name"]) for one in inspect(Inside(url, rules_of()).engine).get_columns(table)]


def run(url: URL, statement: str) -> None:
    """Run a statement past the store."""
    with Inside(url, rules_of()).engine.begin() as connection:
        connection.execute(text(statement))


def put(store: SqlStore, *records: Record) -> None:
    """Store records as they are."""
    store.apply(seed(records, rules=store.rules))


def custom(store: SqlStore, kind: str, id_: str) -> Mapping[str, object]:
    """The custom fields of a record."""
    [record] = store.load(Wanted(refs=(Ref(kind, id_),))).records
    return record.custom


@attrs.frozen(kw_only=True)
class Thing:
    """A class in place of mere data."""

    id: str
    name: str | None
    revision: str | None = None
    size: int = 7
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


class TestMaking:
    def test_tables_and_columns_have_plain_names(self, url: URL) -> None:
        """Kinds and fields of any name get tables and columns whose names need no quotes."""
        fields = [
            Field("UF_CRM_1", "text"),
            Field("uf_crm_1", "text"),
            Field("Größe (m²)", "decimal"),
            Field("***", "text"),
            Field("id", "text"),
            Field("revision", "text"),
            Field("extra", "text"),
            Field("at", "datetime"),
            Field("at_offset", "integer"),
            Field("AT", "datetime"),
            Field("n" * 60, "text"),
            Field("n" * 61, "text"),
            Field("order", "text"),
        ]
        with opened(url, thing(*fields), thing(id_="THING"), thing(id_="receipts")) as store:
            values: dict[str, object] = {field.id: f"in {field.id}" for field in fields}
            values |= {"Größe (m²)": 5, "at": AT, "AT": AT, "at_offset": 9}
            put(store, GenericRecord(kind="thing", id="T-1", custom=values))
            assert values == dict(custom(store, "thing", "T-1"))
        assert [
            *("id", "revision", "extra"),
            *("uf_crm_1", "uf_crm_1_2", "gr_e_m", "x", "id_2", "revision_2", "extra_2"),
            *("at", "at_offset", "at_offset_2", "at_2", "at_2_offset"),
            *("n" * 40, "n" * 40 + "_2", "order"),
        ] == columns(url, "lc_thing")
        for table in ("lc_thing_2", "lc_receipts_2"):
            assert ["id", "revision", "extra"] == columns(url, table)

    def test_making_again_changes_nothing(self, url: URL) -> None:
        """Whoever makes the tables again finds what is stored."""
        for _ in range(2):
            with opened(url, DEAL) as store:
                store.create()
                store.create()
                if not store.load(Wanted(refs=(Ref("deal", "D-5"),))).records:
                    put(store, Deal(id="D-5", title="Engine"))
        assert 1 == Inside(url, rules_of(DEAL)).count("lc_deal")

    def test_many_begin_at_once(self, url: URL) -> None:
        """Of stores that begin at once one makes the tables."""
        stores = [opened(url, DEAL) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda store: store.load(Wanted()), stores))
        for store in stores:
            store.close()
        assert 1 == Inside(url, rules_of(DEAL)).count("lc_schema")


class TestAdding:
    def test_a_kind_the_tables_were_not_made_for(self, url: URL) -> None:
        """A store says what the tables lack, and adds it when it is asked to."""
        with opened(url) as store:
            store.create()
        with opened(url, CONTACT, DEAL) as store:
            with pytest.raises(SchemaVersionError) as refused:
                store.load(Wanted())
            assert "the tables have no place for contact, deal: add it with create()" == str(
                refused.value
            )
            store.create()
            put(store, Deal(id="D-5", title="Engine"))
        with opened(url) as store:
            with pytest.raises(UnfitValueError, match="the store has no kind 'deal': deal D-5"):
                store.load(Wanted(refs=(Ref("deal", "D-5"),)))
            store.create()
        assert 1 == Inside(url, rules_of(DEAL)).count("lc_deal")

    def test_fields_the_tables_were_not_made_for(self, url: URL) -> None:
        """What was stored before a field was known moves into its column, and is found by it."""
        old = {"number": 5, "name": "x", "at": AT, "of": "C-1", "many": ("C-1",), "other": None}
        old |= {"odd": "text", "tags": ("a",)}
        with opened(url, CONTACT, thing()) as store:
            put(store, GenericRecord(kind="thing", id="T-1", custom=old))
            put(store, GenericRecord(kind="thing", id="T-2", custom={"other": 1}))
            put(store, GenericRecord(kind="thing", id="T-3"), Contact(id="C-1", last_name="x"))
            [kept] = store.load(Wanted(refs=(Ref("thing", "T-2"),))).records
        fields = [
            Field("number", "integer"),
            Field("at", "datetime"),
            Field("of", "reference", to="contact"),
            Field("many", "reference", to="contact", multiple=True),
            Field("odd", "integer"),
            Field("tags", "text", multiple=True),
        ]
        with opened(url, CONTACT, thing(*fields)) as store:
            with pytest.raises(SchemaVersionError, match=r"no place for thing.number, thing.at, "):
                store.load(Wanted())
            before = Inside(url, rules_of()).count("lc_receipts")
            store.create()
            # nobody asked for it, so there is no receipt
            assert before == Inside(url, rules_of()).count("lc_receipts")
            assert old == dict(custom(store, "thing", "T-1"))
            for field in ("of", "many"):
                related = Wanted(related=(("thing", field, Ref("contact", "C-1")),))
                assert ["T-1"] == [record.id for record in store.load(related).records]
            assert (kept,) == store.load(Wanted(refs=(Ref("thing", "T-2"),))).records
            added = Attach(Ref("thing", "T-1"), "many", [Ref("contact", "C-2")])
            store.apply(ChangeSet(key="k", fingerprint="f", changes=[added]))
            assert ("C-1", "C-2") == custom(store, "thing", "T-1")["many"]
        with Inside(url, rules_of()).engine.connect() as connection:
            assert 5 == connection.scalar(text("SELECT number FROM lc_thing WHERE id = 'T-1'"))
            extra = connection.scalar(text("SELECT extra FROM lc_thing WHERE id = 'T-1'"))
        beside = json.loads(extra) if isinstance(extra, str) else extra
        assert {"name": "x", "other": None, "odd": "text"} == beside

    def test_a_field_whose_name_is_taken(self, url: URL) -> None:
        """A field that comes later keeps away from both columns of a moment."""
        fields = [Field("at", "datetime"), Field("at_offset", "integer")]
        with opened(url, thing(fields[0])) as store:
            put(store, GenericRecord(kind="thing", id="T-1", custom={"at": AT}))
        with opened(url, thing(*fields)) as store:
            store.create()
            put(store, GenericRecord(kind="thing", id="T-2", custom={"at": AT, "at_offset": 9}))
            assert {"at": AT} == dict(custom(store, "thing", "T-1"))
            assert {"at": AT, "at_offset": 9} == dict(custom(store, "thing", "T-2"))
        assert ["at", "at_offset", "at_offset_2"] == columns(url, "lc_thing")[3:]

    def test_a_value_that_does_not_fit_its_new_column(self, url: URL) -> None:
        """Nothing is added where a value that is stored could not be held."""
        with opened(url, thing()) as store:
            put(store, GenericRecord(kind="thing", id="T-1", custom={"number": 2**63}))
        with (
            opened(url, thing(Field("number", "integer"))) as store,
            pytest.raises(UnfitValueError, match="too large in number: thing T-1"),
        ):
            store.create()
        assert ["id", "revision", "extra"] == columns(url, "lc_thing")

    def test_a_class_in_place_of_data(self, url: URL) -> None:
        """A class reads what data wrote; where that held nothing, its own defaults stand."""
        with opened(url, thing(Field("name", "text"))) as store:
            put(store, GenericRecord(kind="thing", id="T-1", custom={"name": "x"}))
            put(store, GenericRecord(kind="thing", id="T-2"))
        with opened(url, Kind("thing", Thing, fields=[BACK])) as store:
            store.create()
            refs = (Ref("thing", "T-1"), Ref("thing", "T-2"))
            one, two = store.load(Wanted(refs=refs)).records
            assert isinstance(one, Thing)
            assert isinstance(two, Thing)
            assert ("x", 7) == (one.name, one.size)
            assert two.name is None


class TestRefusing:
    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            ("text", "integer", "thing.a was made as text, and is integer in the rules"),
            ("text", "reference", "thing.a was made as text, and is reference in the rules"),
        ],
    )
    def test_a_field_that_is_something_else_by_now(
        self, url: URL, old: str, new: str, why: str
    ) -> None:
        """A column is never read as what it is not."""
        with opened(url, thing(Field("a", old))) as store:
            store.create()
        to = "lead" if new == "reference" else None
        with opened(url, thing(Field("a", new, to=to))) as store:
            for call in (store.create, lambda: store.load(Wanted())):
                with pytest.raises(SchemaVersionError) as refused:
                    call()
                assert why == str(refused.value)

    @pytest.mark.parametrize(
        ("statement", "why"),
        [
            (
                "UPDATE lc_schema SET version = 9",
                "the schema has version 9, this library knows 1",
            ),
            (
                "DELETE FROM lc_schema",
                "the database does not say what its tables are called",
            ),
            (
                "UPDATE lc_schema SET layout = '[]'",
                "what the tables are called cannot be read",
            ),
            (
                """UPDATE lc_schema SET layout = '{"lead": {"table": "x", "fields": {"a": []}}}'""",
                "what the tables are called cannot be read",
            ),
        ],
        ids=["version", "none", "list", "fields"],
    )
    def test_tables_that_are_not_ours(self, url: URL, statement: str, why: str) -> None:
        """Tables of another version, or of who knows whom, are left alone."""
        with opened(url) as store:
            store.create()
        run(url, statement)
        late = [ChangeSet(key=key, fingerprint="f") for key in ("a", "b")]
        with opened(url) as store:
            for call in (
                store.create,
                lambda: store.load(Wanted()),
                lambda: store.apply(late[0]),
            ):
                with pytest.raises(SchemaVersionError) as refused:
                    call()
                assert why == str(refused.value)
            assert [SchemaVersionError(why)] * 2 == list(store.apply_many(late))
        assert 0 == Inside(url, rules_of()).count("lc_receipts")

    def test_what_the_tables_are_called_is_no_data(self, tmp_path: Path) -> None:
        """SQLite holds any text in the place of data."""
        with database("sqlite", tmp_path) as url, opened(url) as store:
            store.create()
            run(url, "UPDATE lc_schema SET layout = '{'")
            with (
                opened(url) as other,
                pytest.raises(SchemaVersionError, match="tables are called cannot be read"),
            ):
                other.load(Wanted())

    def test_a_table_of_somebody_else(self, url: URL) -> None:
        """A table of ours by name alone is left alone."""
        run(url, "CREATE TABLE lc_schema (theirs INTEGER)")
        run(url, "INSERT INTO lc_schema VALUES (1)")
        with opened(url) as store:
            for call in (store.create, lambda: store.load(Wanted())):
                with pytest.raises(SchemaVersionError, match="not as they were made"):
                    call()
        assert ["theirs"] == columns(url, "lc_schema")

    def test_a_table_that_somebody_removed(self, url: URL) -> None:
        """A table that is gone is told, each time anew."""
        with opened(url, DEAL) as store:
            store.create()
            run(url, "DROP TABLE lc_deal")
            for _ in range(2):
                with pytest.raises(SchemaVersionError, match="not as they were made"):
                    store.load(Wanted(refs=(Ref("deal", "D-5"),)))
