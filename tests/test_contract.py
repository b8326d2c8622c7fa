"""The contract of a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from leadconvert.stores import MemoryStore
from leadconvert.testing import Opened, StoreContract


class TestMemoryStore(StoreContract):
    bulk = True

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """A store in memory."""
        store = MemoryStore(self.rules)
        yield Opened(store, lambda: store.records, lambda: store.events, other=store)


class TestMemoryStoreOfOwnIds(StoreContract):
    bulk = True

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """A store in memory that gives ids of its own."""
        numbers = count(1)

        store = MemoryStore(self.rules, new_id=lambda _: str(next(numbers)))
        yield Opened(store, lambda: store.records, lambda: store.events, other=store)
