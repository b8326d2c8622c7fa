"""Stores with one planted bug each: what the contract must catch, and which tests catch it.

The bugs stand in the modules beside this one; each is a small subclass of the store in memory, or
of a storage that has neither transactions nor revisions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import ClassVar, Protocol, TypeVar

from leadconvert import (
    Change,
    ChangeSet,
    ConversionRules,
    Receipt,
    Ref,
)
from leadconvert.stores import MemoryStore
from leadconvert.stores._memory import _State, _Writing
from leadconvert.testing import Opened, StoreContract


class Bug(Protocol):
    """A class of stores with a bug."""

    @classmethod
    def contract(cls) -> type[StoreContract]:
        """Return the contract for such a store."""
        ...


B = TypeVar("B", bound=type[Bug])

#: By planted bug, the tests of the contract that catch it.
BUGS: dict[type[Bug], tuple[str, ...]] = {}


def caught_by(*tests: str) -> Callable[[B], B]:
    """Plant a bug, which these tests catch, each by itself."""

    def plant(bug: B) -> B:
        BUGS[bug] = tests
        return bug

    return plant


class Writing(_Writing):
    """One change set on its way into a store that has a say in each step."""

    store: "Sabotaged"

    def _write(self, change: Change) -> None:
        self.store.step(self, change)

    def really_write(self, change: Change) -> None:
        """Write one change as the store in memory does."""
        super()._write(change)

    def _check_claims(self, change: Change, own: set[Ref]) -> None:
        self.store.check(self, change, own)

    def really_check(self, change: Change, own: set[Ref]) -> None:
        """Check the claims of one change as the store in memory does."""
        super()._check_claims(change, own)


class Sabotaged(MemoryStore):
    """A store in memory, open to bugs: in what it reads, in what it writes, and in how."""

    #: Whether it gives records ids of its own.
    own_ids: ClassVar[bool] = False
    #: Whether it is said to apply many at once.
    bulk: ClassVar[bool] = True

    def __init__(self, rules: ConversionRules) -> None:
        numbers = count(1)
        super().__init__(rules, new_id=(lambda _: str(next(numbers))) if self.own_ids else None)
        self.begin()

    @classmethod
    def contract(cls) -> type[StoreContract]:
        """Return the contract for such a store."""
        return type(f"Test{cls.__name__}", (Sabotage,), {"store": cls, "bulk": cls.bulk})

    def begin(self) -> None:
        """Begin with nothing."""

    @property
    def every_ref(self) -> set[Ref]:
        """Every record, those that nobody can load among them."""
        return set(self.records)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply *changes* as the store in memory does, in another way."""
        before = self._state.receipts.get(changes.key)
        if before is not None:
            return before.again(changes)
        self._state, receipt = self.write(changes)
        return receipt

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        """Return what is stored once *changes* are applied."""
        return Writing(store=self, state=self._state, changes=changes).write()

    def step(self, writing: Writing, change: Change) -> None:
        """Write one change."""
        writing.really_write(change)

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        """Check the claims of one change."""
        writing.really_check(change, own)


class Sabotage(StoreContract):
    """The contract of a store that is open to bugs."""

    store: ClassVar[type[Sabotaged]] = Sabotaged

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open the store, and look through it for what it hides."""
        store = self.store(self.rules)
        yield Opened(store, lambda: store.every_ref, lambda: store.events, other=store)
