"""`SqlStore` when the database does not play along: errors of ours, and nothing half-written."""

import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from secrets import token_hex

import pytest
from databases import DATABASES, Inside, database, empty_schema, waiting
from sqlalchemy import URL, Engine, create_engine, event, exc, text
from sqlalchemy.orm import Session

from leadconvert import (
    Change,
    ChangeSet,
    Deal,
    Insert,
    Ref,
    Trace,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.errors import (
    ConflictError,
    SchemaVersionError,
    StoreError,
    UnavailableError,
    UnfitValueError,
)
from leadconvert.stores import AsyncSqlStore, SqlStore
from leadconvert.stores._sql_errors import translated


RULES = presets.bitrix24()
DEAL = Ref("deal", "D-5")


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database, once of each sort."""
    with database(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def postgresql() -> Iterator[URL]:
    """The URL of an empty database of PostgreSQL."""
    with empty_schema() as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database of SQLite."""
    with database("sqlite", tmp_path) as found:
        yield found


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port of this machine at which nobody listens, and nobody else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def filled(url: URL) -> SqlStore:
    """A store with a deal."""
    store = SqlStore.from_url(url, rules=RULES)
    store.apply(seed([Deal(id="D-5", title="Engine")], rules=RULES, key="seed"))
    return store


def engine_of(store: SqlStore) -> Engine:
    """The engine of a store."""
    assert isinstance(store.where, Engine)
    return store.where


def change_set(*changes: Change) -> ChangeSet:
    """A change set under a key of its own."""
    return ChangeSet(key=token_hex(8), fingerprint="f", changes=changes)


def new_deal(id_: str = "D-6", title: str = "Engine") -> Insert:
    """A deal to make."""
    return Insert(Ref("deal", id_, provisional=True), {"title": title})


class Refusal(Exception):  # noqa: N818 - none of ours
    """What a driver raises."""

    def __init__(self, sqlstate: str | None = None, code: int | None = None) -> None:
        self.sqlstate = sqlstate
        self.sqlite_errorcode = code


class TestTelling:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("08006", UnavailableError("the connection was lost")),
            ("22003", UnfitValueError("a value that the database cannot hold")),
            ("23505", ConflictError("somebody else was quicker")),
            ("25006", StoreError("the database is read-only")),
            ("25P02", StoreError("the transaction has failed: roll it back")),
            ("40001", ConflictError("somebody else was quicker")),
            ("40003", UnavailableError("the connection was lost")),
            ("42501", StoreError("the database does not permit it")),
            ("42P01", SchemaVersionError("the tables are not as they were made")),
            ("53100", StoreError("the database is full")),
            ("53200", UnavailableError("the database has no resources left")),
            ("54000", UnfitValueError("a value that the database cannot hold")),
            ("55P03", ConflictError("somebody else was quicker")),
            ("57014", UnavailableError("the database broke it off")),
            ("XX000", StoreError("the database refused it")),
        ],
    )
    def test_postgresql(self, state: str, expected: StoreError) -> None:
        """Each class of SQLSTATE has an error of ours."""
        with pytest.raises(StoreError) as told, translated():
            raise exc.DBAPIError("SELECT", {}, Refusal(state))
        assert expected == told.value

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (1, SchemaVersionError("the tables are not as they were made")),
            (5, UnavailableError("somebody else is writing to the database")),
            (262, UnavailableError("somebody else is using the table")),
            (517, ConflictError("somebody else was quicker")),
            (1032, StoreError("the database is read-only")),
            (778, UnavailableError("the disk does not answer")),
            (13, StoreError("the database is full")),
            (14, UnavailableError("the database cannot be opened")),
            (18, UnfitValueError("a value that the database cannot hold")),
            (1555, ConflictError("somebody else was quicker")),
            (26, StoreError("the database refused it")),
        ],
    )
    def test_sqlite(self, code: int, expected: StoreError) -> None:
        """Each result code has an error of ours."""
        with pytest.raises(StoreError) as told, translated():
            raise exc.DBAPIError("SELECT", {}, Refusal(code=code))
        assert expected == told.value

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (exc.OperationalError("", {}, Refusal()), UnavailableError("the connection was lost")),
            (
                exc.DataError("", {}, Refusal()),
                UnfitValueError("a value that the database cannot hold"),
            ),
            (exc.NotSupportedError("", {}, Refusal()), StoreError("the database refused it")),
            (exc.TimeoutError(), UnavailableError("no connection is free")),
            (exc.ResourceClosedError(), StoreError("the connection is closed")),
            (
                exc.PendingRollbackError(),
                StoreError("the transaction has failed: roll it back"),
            ),
            (
                exc.InvalidRequestError(),
                StoreError("the connection cannot be used as it is"),
            ),
            (exc.CompileError(), StoreError("the database refused it")),
        ],
        ids=lambda told: type(told).__name__,
    )
    def test_drivers(self, error: exc.SQLAlchemyError, expected: StoreError) -> None:
        """What a driver refuses, or SQLAlchemy itself, has an error of ours."""
        with pytest.raises(StoreError) as told, translated():
            raise error
        assert expected == told.value

    @pytest.mark.parametrize(
        ("statement", "is_lost", "expected"),
        [
            (None, False, "the database cannot be reached"),
            (None, True, "the connection was lost"),
            ("SELECT", False, "the connection was lost"),
            ("SELECT", True, "the connection was lost"),
        ],
    )
    def test_nobody_answers(self, statement: str | None, is_lost: bool, expected: str) -> None:
        """What cannot be reached was never lost: nothing was asked of it, and nothing broke."""
        with pytest.raises(UnavailableError) as told, translated():
            raise exc.OperationalError(statement, None, Refusal(), connection_invalidated=is_lost)
        assert expected == str(told.value)


class TestClosed:
    def test_a_closed_store(self, url: URL) -> None:
        """A store that was closed does nothing more."""
        store = filled(url)
        store.close()
        before = Inside(url, RULES).rows()
        for call in (
            store.create,
            lambda: store.load(Wanted()),
            lambda: store.apply(change_set(new_deal())),
            lambda: store.apply_many([change_set(new_deal())]),
            lambda: store.apply_many([]),
        ):
            with pytest.raises(StoreError) as refused:
                call()
            assert StoreError("the store is closed") == refused.value
        assert before == Inside(url, RULES).rows()

    def test_a_closed_connection(self, url: URL) -> None:
        """Nor does one on a connection that was closed, or whose transaction failed."""
        with filled(url) as store:
            with engine_of(store).connect() as connection:
                mine = store.within(connection)
            for call in (lambda: mine.load(Wanted()), lambda: mine.apply(change_set())):
                with pytest.raises(StoreError) as refused:
                    call()
                assert "the connection is closed" == str(refused.value)

    def test_what_was_passed_in_stays_open(self, url: URL) -> None:
        """Who closes a store does not close the engine that somebody else made."""
        with filled(url) as store:
            with SqlStore(engine_of(store), rules=RULES) as other:
                other.load(Wanted())
            assert 1 == len(store.load(Wanted(refs=(DEAL,))).records)

    def test_a_failed_transaction(self, postgresql: URL) -> None:
        """In a transaction that has failed nothing can be done until it is rolled back."""
        with filled(postgresql) as store, engine_of(store).connect() as connection:
            with pytest.raises(exc.ProgrammingError):
                connection.execute(text("SELECT nothing"))
            with pytest.raises(StoreError) as refused:
                store.within(connection).apply(change_set(new_deal()))
            assert "the transaction has failed: roll it back" == str(refused.value)
            connection.rollback()


#: What a receipt is not, as JSON data.
NO_RECEIPTS = (
    "5",
    "null",
    "[]",
    '"x"',
    '{"key": 5, "fingerprint": "f"}',
    '{"key": "k", "fingerprint": "f", "ids": 5}',
    '{"key": "k", "fingerprint": "f", "ids": [[{"kind": "deal"}, {}]]}',
    '{"key": "k", "fingerprint": "f", "revisions": [[{"kind": "deal", "id": "D-5"}, 1]]}',
    '{"key": "k", "fingerprint": "f", "more": 5}',
)
UNREADABLE = StoreError("what is stored cannot be read")


class TestUnreadable:
    def spoil(self, url: URL, table: str, column: str, value: str) -> None:
        """Write JSON data, or what is none, past the store."""
        with Inside(url, RULES).engine.begin() as connection:
            is_data = connection.dialect.name == "postgresql"
            given = "CAST(:value AS jsonb)" if is_data else ":value"
            said = f"UPDATE {table} SET {column} = {given}"  # noqa: S608 - names of ours
            connection.execute(text(said), {"value": value})

    def refused(self, url: URL, store: SqlStore, expected: StoreError) -> None:
        """Fail unless whatever needs the receipt of k is refused, and nothing is written."""
        before = Inside(url, RULES).rows()
        for call in (
            lambda: store.apply(ChangeSet(key="k", fingerprint="f", changes=[new_deal()])),
            lambda: store.apply(ChangeSet(key="l", fingerprint="f", after=["k"])),
            lambda: store.load(Wanted(refs=(DEAL,), key="k")),
        ):
            with pytest.raises(StoreError) as refused:
                call()
            assert expected == refused.value
        assert before == Inside(url, RULES).rows()

    @pytest.mark.parametrize("value", NO_RECEIPTS)
    def test_what_is_no_receipt(self, url: URL, value: str) -> None:
        """What stands in the place of a receipt, and is none, is refused wherever it is needed."""
        with filled(url) as store:
            store.apply(ChangeSet(key="k", fingerprint="f"))
            self.spoil(url, "lc_receipts", "receipt", value)
            self.refused(url, store, UNREADABLE)

    @pytest.mark.parametrize("value", ['{"key": "x", "fingerprint": "f"}', "{}"])
    def test_a_receipt_of_another(self, url: URL, value: str) -> None:
        """A receipt is refused under a key that is not its own."""
        with filled(url) as store:
            store.apply(ChangeSet(key="k", fingerprint="f"))
            self.spoil(url, "lc_receipts", "receipt", value)
            told = "what is stored under the key 'k' is no receipt of it"
            self.refused(url, store, StoreError(told))

    def test_what_is_no_data(self, sqlite: URL) -> None:
        """SQLite holds any text in the place of data."""
        with filled(sqlite) as store:
            store.apply(ChangeSet(key="k", fingerprint="f"))
            self.spoil(sqlite, "lc_receipts", "receipt", "{")
            before = Inside(sqlite, RULES).count("lc_deal")
            with pytest.raises(StoreError, match="what is stored cannot be read"):
                store.apply(ChangeSet(key="k", fingerprint="f", changes=[new_deal()]))
        assert before == Inside(sqlite, RULES).count("lc_deal")

    def test_of_many_just_that_one_is_refused(self, url: URL) -> None:
        """What cannot be read is refused alone; the others are applied."""
        with filled(url) as store:
            store.apply(ChangeSet(key="k", fingerprint="f"))
            with Inside(url, RULES).engine.begin() as connection:
                connection.execute(text("UPDATE lc_receipts SET key = 'l' WHERE key = 'k'"))
            sets = [change_set(new_deal("D-6")), ChangeSet(key="l", fingerprint="f")]
            one, two, three = store.apply_many([*sets, change_set(new_deal("D-7"))])
        assert StoreError("what is stored under the key 'l' is no receipt of it") == two
        assert [sets[0].key, "Receipt"] == [getattr(one, "key", None), type(three).__name__]
        assert 3 == Inside(url, RULES).count("lc_deal")

    def test_what_is_no_trace(self, url: URL) -> None:
        """What stands in the place of a trace, and is none, is told when it is asked for."""
        with filled(url) as store:
            store.apply(ChangeSet(key="k", fingerprint="f", traces=[Trace(id="L-7.1")]))
            self.spoil(url, "lc_traces", "trace", "5")
            with pytest.raises(StoreError) as refused:
                store.load(Wanted(traces=("L-7.1",)))
            assert UNREADABLE == refused.value
            assert 1 == len(store.load(Wanted(refs=(DEAL,))).records)

    def test_what_is_no_record(self, url: URL) -> None:
        """What stands beside the columns of a record, and is nothing, is told by whoever reads."""
        with filled(url) as store:
            [deal] = store.load(Wanted(refs=(DEAL,))).records
            self.spoil(url, "lc_deal", "extra", "5")
            with pytest.raises(StoreError) as refused:
                store.load(Wanted(refs=(DEAL,)))
            assert UNREADABLE == refused.value
            with pytest.raises(StoreError) as refused:
                store.apply(change_set(Update(DEAL, deal.revision, {"title": "New"})))
            assert UNREADABLE == refused.value

    def test_what_is_no_number(self, sqlite: URL) -> None:
        """SQLite holds any text in the place of an amount."""
        with filled(sqlite) as store:
            self.spoil(sqlite, "lc_deal", "amount", "much")
            with pytest.raises(StoreError) as refused:
                store.load(Wanted(refs=(DEAL,)))
        assert UNREADABLE == refused.value


def read_only(url: URL) -> URL:
    """The URL of the same database, only to be read."""
    if url.get_backend_name() == "sqlite":
        only = URL.create("sqlite", database=f"file:{url.database}")
        return only.update_query_dict({"mode": "ro", "uri": "true"})
    options = f"{url.query['options']} -cdefault_transaction_read_only=on"
    return url.update_query_dict({"options": options})


class TestReadOnly:
    def test_a_database_that_can_only_be_read(self, url: URL) -> None:
        """It is read, and nothing is written."""
        filled(url).close()
        before = Inside(url, RULES).rows()
        with SqlStore.from_url(read_only(url), rules=RULES) as store:
            assert 1 == len(store.load(Wanted(refs=(DEAL,))).records)
            with pytest.raises(StoreError) as refused:
                store.apply(change_set(new_deal()))
            assert StoreError("the database is read-only") == refused.value
            told = [StoreError("the database is read-only")] * 2
            assert told == list(store.apply_many([change_set(new_deal()), change_set()]))
        assert before == Inside(url, RULES).rows()

    def test_a_database_without_tables(self, url: URL) -> None:
        """Where they cannot be made that is told too."""
        if url.get_backend_name() == "sqlite":
            sqlite3.connect(str(url.database)).close()
        with SqlStore.from_url(read_only(url), rules=RULES) as store:
            for call in (store.create, lambda: store.load(Wanted())):
                with pytest.raises(StoreError) as refused:
                    call()
                assert StoreError("the database is read-only") == refused.value


class TestFull:
    @pytest.mark.parametrize("own", [True, False])
    def test_a_full_database(self, sqlite: URL, own: bool) -> None:
        """What does not go in is not there in part."""
        with filled(sqlite) as store:
            engine = engine_of(store)

            @event.listens_for(engine, "checkout")
            def no_more(connection: sqlite3.Connection, *_: object) -> None:
                [pages] = connection.execute("PRAGMA page_count").fetchone()
                connection.execute(f"PRAGMA max_page_count = {pages}")

            large = change_set(new_deal(), new_deal("D-7", "x" * 10**6))
            with engine.connect() as connection:
                if not own:
                    connection.begin()
                    store.within(connection).apply(change_set(new_deal("D-8")))
                with pytest.raises(StoreError) as refused:
                    store.within(connection).apply(large)
                # SQLite has undone all of it: what comes later must not be kept without it
                with nullcontext() if own else pytest.raises(exc.PendingRollbackError):
                    connection.execute(text("DELETE FROM lc_deal WHERE id = 'D-8'"))
                connection.rollback()
            assert StoreError("the database is full") == refused.value
        assert [DEAL] == Inside(sqlite, RULES).refs()


class TestUnreachable:
    def test_what_is_no_database(self, tmp_path: Path) -> None:
        """A file that is something else is left alone."""
        (tmp_path / "crm.db").write_text("Dear diary, " * 100)
        with (
            SqlStore.from_url(f"sqlite:///{tmp_path}/crm.db", rules=RULES) as store,
            pytest.raises(StoreError, match="the database refused it"),
        ):
            store.load(Wanted())
        assert "Dear diary, " * 100 == (tmp_path / "crm.db").read_text()

    def test_where_nothing_is(self, tmp_path: Path) -> None:
        """A folder or a server that is not there is one that does not answer."""
        for where in (
            f"sqlite:///{tmp_path}/nothing/crm.db",
            f"postgresql:///crm?host={tmp_path}",
        ):
            with SqlStore.from_url(where, rules=RULES) as store, pytest.raises(UnavailableError):
                store.load(Wanted())

    def test_where_nobody_listens(self, unused_port: int) -> None:
        """A server that is not there cannot be reached: no connection was lost."""
        where = f"postgresql://user@127.0.0.1:{unused_port}/crm"
        told = UnavailableError("the database cannot be reached")
        with SqlStore.from_url(where, rules=RULES) as store:
            for call in (
                store.create,
                lambda: store.load(Wanted()),
                lambda: store.apply(change_set(new_deal())),
                lambda: store.apply_many([change_set(new_deal())]),
                lambda: store.within(Session(engine_of(store))).load(Wanted()),
            ):
                with pytest.raises(StoreError) as refused:
                    call()
                assert told == refused.value
        with waiting(where, RULES) as awaited:
            for call in (
                lambda: awaited.load(Wanted()),
                lambda: awaited.apply(change_set(new_deal())),
            ):
                with pytest.raises(StoreError) as refused:
                    call()
                assert told == refused.value

    def test_who_is_not_let_in(self, postgresql: URL) -> None:
        """A server that lets nobody into a database cannot be reached either."""
        with (
            SqlStore.from_url(postgresql.set(database="no_such_database"), rules=RULES) as store,
            pytest.raises(UnavailableError, match="the database cannot be reached"),
        ):
            store.load(Wanted())

    def test_no_connection_is_free(self, sqlite: URL) -> None:
        """Who waits too long for a connection may try again."""
        filled(sqlite).close()
        engine = create_engine(sqlite, pool_size=1, max_overflow=0, pool_timeout=0)
        with engine.connect(), pytest.raises(UnavailableError, match="no connection is free"):
            SqlStore(engine, rules=RULES).load(Wanted())
        engine.dispose()

    def test_somebody_writes_for_too_long(self, sqlite: URL) -> None:
        """Who waits too long for another to write may try again."""
        filled(sqlite).close()
        engine = create_engine(sqlite, connect_args={"timeout": 0})
        store = SqlStore(engine, rules=RULES)
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError, match="somebody else is writing"):
                store.apply(change_set(new_deal()))
            connection.rollback()
        store.apply(change_set(new_deal()))
        engine.dispose()

    @pytest.mark.parametrize(
        ("option", "expected"),
        [
            ("lock_timeout", ConflictError("somebody else was quicker", [])),
            ("statement_timeout", UnavailableError("the database broke it off")),
        ],
    )
    def test_somebody_locks_for_too_long(
        self, postgresql: URL, option: str, expected: StoreError
    ) -> None:
        """Limits that the server sets are kept, and told."""
        filled(postgresql).close()
        options = f"{postgresql.query['options']} -c{option}=500"
        hasty = postgresql.update_query_dict({"options": options})
        with SqlStore.from_url(hasty, rules=RULES) as store:
            [deal] = store.load(Wanted(refs=(DEAL,))).records
            with Inside(postgresql, RULES).engine.begin() as connection:
                connection.execute(text("SELECT id FROM lc_deal FOR UPDATE"))
                with pytest.raises(StoreError) as refused:
                    store.apply(change_set(Update(DEAL, deal.revision, {"title": "New"})))
        assert expected == refused.value

    def test_an_old_state_of_postgresql(self, postgresql: URL) -> None:
        """Who works on an old state is told once somebody has changed it."""
        with filled(postgresql) as store, engine_of(store).connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                mine = store.within(connection)
                [deal] = mine.load(Wanted(refs=(DEAL,))).records
                update = Update(DEAL, deal.revision, {"title": "New"})
                store.apply(change_set(update))
                with pytest.raises(ConflictError, match="somebody else was quicker"):
                    mine.apply(change_set(update))


class TestDrivers:
    @pytest.mark.parametrize(
        ("cls", "url", "driver", "told"),
        [
            (
                SqlStore,
                "postgresql://user@host/crm",
                "psycopg",
                "PostgreSQL needs: pip install 'psycopg[binary]'",
            ),
            (
                AsyncSqlStore,
                "postgresql://user@host/crm",
                "psycopg",
                "PostgreSQL needs: pip install 'psycopg[binary]'",
            ),
            (
                AsyncSqlStore,
                "sqlite:///crm.db",
                "aiosqlite",
                "AsyncSqlStore on SQLite needs: pip install aiosqlite",
            ),
        ],
        ids=["psycopg", "psycopg awaited", "aiosqlite"],
    )
    def test_a_driver_that_is_missing(
        self,
        cls: type[SqlStore | AsyncSqlStore],
        url: str,
        driver: str,
        told: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Without the driver of a database it is said what to install."""
        monkeypatch.setitem(sys.modules, driver, None)
        with pytest.raises(ModuleNotFoundError) as missing:
            cls.from_url(url, rules=RULES)
        assert (told, driver) == (str(missing.value), missing.value.name)

    def test_what_a_driver_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What else cannot be imported is told as it is."""
        monkeypatch.delitem(sys.modules, "psycopg", raising=False)
        monkeypatch.setitem(sys.modules, "psycopg.pq", None)
        with pytest.raises(ModuleNotFoundError, match=r"psycopg\.pq"):
            SqlStore.from_url("postgresql://user@host/crm", rules=RULES)

    def test_sqlite_needs_none(self, sqlite: URL, monkeypatch: pytest.MonkeyPatch) -> None:
        """SQLite comes with Python: the drivers of other databases may be missing."""
        for driver in ("psycopg", "aiosqlite"):
            monkeypatch.setitem(sys.modules, driver, None)
        with filled(sqlite) as store:
            assert 1 == len(store.load(Wanted(refs=(DEAL,))).records)

    @pytest.mark.parametrize("prepares", [True, False])
    def test_statements_that_are_prepared(self, postgresql: URL, prepares: bool) -> None:
        """Behind a pooler nothing may be prepared: the driver is told so, and keeps to it."""
        options = {} if prepares else {"prepare_threshold": None}
        engine = create_engine(postgresql, pool_size=1, max_overflow=0, connect_args=options)
        store = SqlStore(engine, rules=RULES)
        store.apply(seed([Deal(id="D-5", title="Engine")], rules=RULES))
        [deal] = store.load(Wanted(refs=(DEAL,))).records
        update = Update(DEAL, deal.revision, {"title": "New"})
        store.apply_many([change_set(update), change_set(new_deal())])
        with engine.connect() as connection:
            prepared = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
        engine.dispose()
        assert (prepares, 2) == (prepared > 0, Inside(postgresql, RULES).count("lc_deal"))


class TestPrivacy:
    def test_no_value_is_told(self, postgresql: URL) -> None:
        """What the database says of a refusal does not hold what was to be written."""
        with filled(postgresql) as store:
            with Inside(postgresql, RULES).engine.begin() as connection:
                connection.execute(text("ALTER TABLE lc_deal ADD CHECK (title <> 'secret')"))
            with pytest.raises(ConflictError) as refused:
                store.apply(change_set(new_deal(title="secret")))
        assert "secret" not in str(refused.value)
