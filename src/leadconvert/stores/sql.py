"""Stores in a database: SQLite for one machine, PostgreSQL for many."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import attrs
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from leadconvert import ChangeSet, ConversionRules, Known, Receipt, Wanted
from leadconvert.errors import StoreError
from leadconvert.given import expect, named
from leadconvert.stores._sql_book import Book
from leadconvert.stores._sql_errors import driven, translated
from leadconvert.stores._sql_transactions import Where, owned


__all__ = ["AsyncSqlStore", "SqlStore"]

T = TypeVar("T")

#: What stores are made on.
_SYNC: Final = (Engine, Connection, Session)
_ASYNC: Final = (AsyncEngine, AsyncConnection, AsyncSession)
#: How many seconds somebody waits while another writes to the same SQLite database.
_PATIENCE: Final = 30
#: The drivers, by database: for code that waits, and for code that is awaited.
_DRIVERS: Final = {
    "sqlite": ("sqlite+pysqlite", "sqlite+aiosqlite"),
    "postgresql": ("postgresql+psycopg", "postgresql+psycopg"),
}


@attrs.define(eq=False)
class SqlStore:
    """Keeps records in a database that SQLAlchemy reaches: SQLite or PostgreSQL.

    *where* is an engine, or a connection or session of yours. Is that inside a transaction, `apply`
    works under a savepoint in it, and you commit; else the store begins and ends its own. A store
    takes a while to make: keep one, and use it `within` your connections and sessions.

    A record keeps the id it was inserted with. The tables are made on first use; `create` adds what
    they lack when the rules have got new kinds or fields.

    Raises:
        TypeError: *where* is none of these, or *rules* a preset not called.
        ValueError: it is another database, or another driver than ``pysqlite`` or ``psycopg``.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, seed
        >>> from leadconvert.stores import SqlStore, convert_stored
        >>> rules = presets.bitrix24()
        >>> with SqlStore.from_url("sqlite://", rules=rules) as store:
        ...     lead = Lead(id="L-7", stage="NEW", title="Engine")
        ...     receipt = store.apply(seed([lead], rules=rules))
        ...     result = convert_stored(
        ...         store, "L-7", ["deal"], rules=rules, actor=Actor("u-1", roles=["admin"]),
        ...         at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        >>> result.lead.stage
        'CONVERTED'
    """

    where: Where
    rules: ConversionRules = attrs.field(kw_only=True)
    _book: Book = attrs.field(
        default=attrs.Factory(lambda self: _book(self, _SYNC), takes_self=True),
        kw_only=True,
        alias="_book",
        repr=False,
    )
    _owns_engine: bool = attrs.field(default=False, init=False, repr=False)
    _is_closed: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    def from_url(cls, url: str | URL, *, rules: ConversionRules) -> Self:
        """Return a store in the database at *url*, such as ``sqlite:///crm.db``.

        ``sqlite://`` is a database in memory, which is gone when the store is closed.

        Raises:
            ImportError: the driver of that database is missing.
            ValueError: it is no URL of a SQLite or PostgreSQL database.

        Example:
            >>> from leadconvert import presets
            >>> from leadconvert.stores import SqlStore
            >>> store = SqlStore.from_url("sqlite://", rules=presets.bitrix24())
            >>> store.owns_transaction
            True
            >>> store.close()
        """
        told = _url(url, 0)
        with driven():
            engine = create_engine(told, hide_parameters=True, **_options(told, QueuePool))
        _listen(engine, told)
        store = cls(engine, rules=rules)
        store._owns_engine = True
        return store

    @property
    def owns_transaction(self) -> bool:
        """It does, unless *where* is inside a transaction."""
        return owned(self.where)

    def create(self) -> None:
        """Make the tables, or add what they lack for these rules; what is there stays as it is.

        Raises:
            leadconvert.errors.SchemaVersionError: they were made by another version, or a field
                stands there as something else.

        Example:
            >>> from leadconvert import presets
            >>> from leadconvert.stores import SqlStore
            >>> with SqlStore.from_url("sqlite://", rules=presets.bitrix24()) as store:
            ...     store.create()
        """
        self._book.create(self._open)

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, as `Store.load` says."""
        return self._book.load(self._open, wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes*, as `Store.apply` says."""
        return self._book.apply(self._open, changes)

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        """Apply each of *sets*, as `BulkStore.apply_many` says."""
        return self._book.apply_many(self._open, sets)

    def within(self, where: Connection | Session) -> "SqlStore":
        """Return this store on a connection or session of yours, to the same database.

        Example:
            >>> from leadconvert import Deal, Ref, Wanted, presets, seed
            >>> from leadconvert.stores import SqlStore
            >>> from sqlalchemy import create_engine
            >>> rules, engine = presets.bitrix24(), create_engine("sqlite://")
            >>> store = SqlStore(engine, rules=rules)
            >>> with engine.begin() as connection:
            ...     mine = store.within(connection)
            ...     receipt = mine.apply(seed([Deal(id="D-5", title="Engine")], rules=rules))
            >>> len(store.load(Wanted(refs=(Ref("deal", "D-5"),))).records)
            1
        """
        return SqlStore(where, rules=self.rules, _book=self._book)

    def close(self) -> None:
        """Let go of the database; what was passed in stays open.

        Example:
            >>> from leadconvert import Wanted, errors, presets
            >>> from leadconvert.stores import SqlStore
            >>> store = SqlStore.from_url("sqlite://", rules=presets.bitrix24())
            >>> store.close()
            >>> try:
            ...     store.load(Wanted())
            ... except errors.StoreError as error:
            ...     print(error)
            the store is closed
        """
        self._is_closed = True
        if self._owns_engine and isinstance(self.where, Engine):
            self.where.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _open(self) -> Where:
        if self._is_closed:
            raise StoreError("the store is closed")
        return self.where


@attrs.define(eq=False)
class AsyncSqlStore:
    """A `SqlStore` whose methods are awaited, by ``aiosqlite`` or ``psycopg``.

    *where* is an `AsyncEngine`, or an `AsyncConnection` or `AsyncSession` of yours.

    Raises:
        TypeError: *where* is none of these, or *rules* a preset not called.
        ValueError: it is another database, or another driver.

    Example:
        >>> import asyncio
        >>> from leadconvert import Lead, Ref, Wanted, presets, seed
        >>> from leadconvert.stores import AsyncSqlStore
        >>> rules = presets.bitrix24()
        >>> async def stored() -> str:
        ...     async with AsyncSqlStore.from_url("sqlite://", rules=rules) as store:
        ...         await store.apply(seed([Lead(id="L-7", stage="NEW")], rules=rules))
        ...         known = await store.load(Wanted(refs=(Ref("lead", "L-7"),)))
        ...     return known.records[0].id
        >>> asyncio.run(stored())
        'L-7'
    """

    where: AsyncEngine | AsyncConnection | AsyncSession
    rules: ConversionRules = attrs.field(kw_only=True)
    _book: Book = attrs.field(
        default=attrs.Factory(lambda self: _book(self, _ASYNC), takes_self=True),
        kw_only=True,
        alias="_book",
        repr=False,
    )
    _owns_engine: bool = attrs.field(default=False, init=False, repr=False)
    _is_closed: bool = attrs.field(default=False, init=False, repr=False)

    @classmethod
    def from_url(cls, url: str | URL, *, rules: ConversionRules) -> Self:
        """Return a store in the database at *url*, as `SqlStore.from_url` does.

        Raises:
            ImportError: the driver of that database is missing.
            ValueError: it is no URL of a SQLite or PostgreSQL database.

        Example:
            >>> from leadconvert import presets
            >>> from leadconvert.stores import AsyncSqlStore
            >>> AsyncSqlStore.from_url("sqlite://", rules=presets.bitrix24()).owns_transaction
            True
        """
        told = _url(url, 1)
        options = _options(told, AsyncAdaptedQueuePool)
        with driven():
            engine = create_async_engine(told, hide_parameters=True, **options)
        _listen(engine.sync_engine, told)
        store = cls(engine, rules=rules)
        store._owns_engine = True
        return store

    @property
    def owns_transaction(self) -> bool:
        """It does, unless *where* is inside a transaction."""
        return isinstance(self.where, AsyncEngine) or not self.where.in_transaction()

    async def create(self) -> None:
        """Make the tables, as `SqlStore.create` does."""
        await self._run(self._book.create)

    async def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, as `Store.load` says."""
        return await self._run(lambda where: self._book.load(where, wanted))

    async def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes*, as `Store.apply` says."""
        return await self._run(lambda where: self._book.apply(where, changes))

    async def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        """Apply each of *sets*, as `BulkStore.apply_many` says."""
        return await self._run(lambda where: self._book.apply_many(where, sets))

    def within(self, where: AsyncConnection | AsyncSession) -> "AsyncSqlStore":
        """Return this store on a connection or session of yours, as `SqlStore.within` does."""
        return AsyncSqlStore(where, rules=self.rules, _book=self._book)

    async def close(self) -> None:
        """Let go of the database; what was passed in stays open."""
        self._is_closed = True
        if self._owns_engine and isinstance(self.where, AsyncEngine):
            await self.where.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        cls: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, work: Callable[[Where], T]) -> T:
        if self._is_closed:
            raise StoreError("the store is closed")
        with translated():
            if isinstance(self.where, AsyncEngine):
                async with self.where.connect() as connection:
                    return await connection.run_sync(work)
            return await self.where.run_sync(work)


def _book(store: SqlStore | AsyncSqlStore, classes: tuple[type, ...]) -> Book:
    where = store.where
    if not isinstance(where, classes):
        names = " or ".join(map(named, classes))
        hint = ": use from_url()" if isinstance(where, str | URL) else ""
        raise TypeError(f"a store is made on {names}, not on {named(type(where))}{hint}")
    expect(("rules", store.rules, ConversionRules))
    bind = where.get_bind() if isinstance(where, Session | AsyncSession) else where
    dialect = bind.dialect
    if dialect.driver not in {"pysqlite", "aiosqlite", "psycopg"}:
        raise ValueError(
            f"a store needs SQLite by pysqlite or aiosqlite, or PostgreSQL by psycopg,"
            f" not {dialect.name} by {dialect.driver}"
        )
    return Book(store.rules, nul=dialect.name == "sqlite")


def _url(url: str | URL, style: int) -> URL:
    try:
        told = make_url(url)
        drivers = _DRIVERS[told.get_backend_name()]
    except (ArgumentError, KeyError):
        raise ValueError(
            "that is no URL of a SQLite or PostgreSQL database: write sqlite:///crm.db"
            " or postgresql://user@host/crm"
        ) from None
    return told.set(drivername=drivers[style])


def _in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _options(url: URL, pool: type[QueuePool]) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        return {}
    options: dict[str, Any] = {"connect_args": {"timeout": _PATIENCE}}
    if _in_memory(url):
        # a connection is the database: all take turns at it
        options["connect_args"]["check_same_thread"] = False
        options |= {"poolclass": pool, "pool_size": 1, "max_overflow": 0}
    return options


def _listen(engine: Engine, url: URL) -> None:
    if url.get_backend_name() == "sqlite" and not _in_memory(url):
        event.listen(engine, "connect", _write_ahead)


def _write_ahead(connection: Any, _: object) -> None:  # noqa: ANN401 - a driver's own
    """Let SQLite's readers see one state while somebody writes; a database keeps to it."""
    cursor = connection.cursor()
    with suppress(sqlite3.OperationalError):  # it can only be read, or another does it just now
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()
