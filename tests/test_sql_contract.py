"""The contract of a store, on SQLite and on PostgreSQL, waited for and awaited."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from databases import Inside, empty_schema, waiting
from sqlalchemy import URL, Engine, make_url

from leadconvert.stores import SqlStore
from leadconvert.testing import Opened, StoreContract


class OnTables(StoreContract):
    """Opens a store on the same tables each time, without what was in them."""

    bulk = True
    opened: ClassVar[Opened]
    inside: ClassVar[Inside]

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """The same tables, empty."""
        self.inside.empty()
        yield self.opened

    @classmethod
    @contextmanager
    def on(cls, url: URL) -> Iterator[None]:
        """Open stores at *url*."""
        with (
            SqlStore.from_url(url, rules=cls.rules) as store,
            SqlStore.from_url(url, rules=cls.rules) as other,
        ):
            store.create()
            cls.inside = inside = Inside(url, cls.rules)
            cls.opened = Opened(store, inside.refs, inside.events, other=other)
            yield

    @classmethod
    @contextmanager
    def awaited_on(cls, url: URL) -> Iterator[None]:
        """Open a store that is awaited at *url*; while it loads nobody else can be awaited."""
        with cls.on(url), waiting(url, cls.rules) as store:
            cls.opened = attrs.evolve(cls.opened, store=store)
            yield


class TestSqlite(OnTables):
    examples = 15

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _open(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with cls.on(in_folder(tmp_path_factory.mktemp("sqlite"))):
            yield


class TestSqliteAwaited(OnTables):
    examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _open(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with cls.awaited_on(in_folder(tmp_path_factory.mktemp("sqlite"))):
            yield


class TestSqliteInMemory(OnTables):
    shared = False
    examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _open(cls) -> Iterator[None]:
        with SqlStore.from_url("sqlite://", rules=cls.rules) as store:
            store.create()
            assert isinstance(store.where, Engine)
            cls.inside = inside = Inside(store.where, cls.rules)
            cls.opened = Opened(store, inside.refs, inside.events)
            yield


class TestPostgresql(OnTables):
    examples = 15

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _open(cls) -> Iterator[None]:
        with empty_schema() as url, cls.on(url):
            yield


class TestPostgresqlAwaited(OnTables):
    examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _open(cls) -> Iterator[None]:
        with empty_schema() as url, cls.awaited_on(url):
            yield


def in_folder(folder: Path) -> URL:
    """The URL of a database in a file."""
    return make_url(f"sqlite:///{folder}/crm.db")
