"""A database as a store: in which order things are done, and what follows when they fail."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from leadconvert import ChangeSet, ConversionRules, Known, Receipt, Wanted
from leadconvert.codec import Codec
from leadconvert.errors import (
    ConflictError,
    IdempotencyError,
    SchemaVersionError,
    StoreError,
    UnavailableError,
)
from leadconvert.stores._sql_moving import move
from leadconvert.stores._sql_reading import known, opened
from leadconvert.stores._sql_rows import Reader, Writer
from leadconvert.stores._sql_tables import Tables, create, found
from leadconvert.stores._sql_transactions import Where, owned, reading, writing
from leadconvert.stores._sql_writing import write


__all__ = ["Book"]

#: So many change sets go into one transaction: more would gain little, and lock for longer.
_AT_ONCE: Final = 100


@attrs.define(eq=False)
class Book:
    """What is done to a database for one set of rules, on whatever it is to be done.

    *nul* says whether the database's text may hold a NUL.
    """

    rules: ConversionRules
    nul: bool
    _codec: Codec = attrs.field(init=False)
    _tables: Tables | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._codec = Codec(self.rules)

    def create(self, where: Where) -> Tables:
        """Make the tables, or what they lack."""
        own = owned(where)
        with writing(where) as connection:
            tables, new = create(connection, self.rules)
            reader, writer = self._both(tables)
            with _readable():
                move(connection, reader, writer, self.rules, new)
        # whoever owns the transaction may yet undo it
        self._tables = tables if own else None
        return tables

    def load(self, where: Where, wanted: Wanted) -> Known:
        """Return what is *wanted*."""
        with self._opened(where) as tables, reading(where) as connection:
            with _readable():
                now = known(connection, Reader(tables, self._codec), wanted)
            if now.receipt is not None:
                _check(now.receipt, wanted.key)
            return now

    def apply(self, where: Where, changes: ChangeSet) -> Receipt:
        """Write *changes*, all or nothing."""
        [answer] = self._answers(where, [changes])
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def apply_many(
        self, where: Where, sets: Iterable[ChangeSet]
    ) -> tuple[Receipt | StoreError, ...]:
        """Write each of *sets*, many in one transaction."""
        left, answers = list(sets), list[Receipt | StoreError]()
        while left:
            answers += self._answers(where, left[:_AT_ONCE])
            left = left[_AT_ONCE:]
        return tuple(answers)

    @contextmanager
    def _opened(self, where: Where) -> Iterator[Tables]:
        """Yield the tables; they are made if there are none."""
        if self._tables is None:
            with reading(where) as connection:
                self._tables = found(connection, self.rules)
        try:
            yield self._tables or self.create(where)
        except SchemaVersionError:
            # somebody has changed them since: look again next time
            self._tables = None
            raise

    def _both(self, tables: Tables) -> tuple[Reader, Writer]:
        return Reader(tables, self._codec), Writer(tables, self._codec, self.nul)

    def _answers(self, where: Where, sets: Sequence[ChangeSet]) -> Sequence[Receipt | StoreError]:
        try:
            with self._opened(where) as tables, writing(where) as connection:
                reader, writer = self._both(tables)
                with _readable():
                    ledger = opened(connection, reader, self.rules, sets)
                for key, receipt in ledger.receipts.items():
                    _check(receipt, key)
                answers = [ledger.answer(one) for one in sets]
                write(connection, writer, ledger)
        except UnavailableError:
            raise
        except StoreError as refused:
            if len(sets) > 1:
                # one of them spoiled it for all: each for itself
                return [answer for one in sets for answer in self._answers(where, [one])]
            return [self._told(where, sets[0], refused)]
        return answers

    def _told(self, where: Where, changes: ChangeSet, refused: StoreError) -> Receipt | StoreError:
        """Return what is to be told of a refusal by the database."""
        if not isinstance(refused, ConflictError):
            return refused
        now = self.load(where, Wanted(key=changes.key, refs=refused.refs))
        if now.receipt is not None:
            # whoever was quicker applied the same
            try:
                return now.receipt.again(changes)
            except IdempotencyError as other:
                return other
        there = {record.id for record in now.records}
        return ConflictError(refused.message, [ref for ref in refused.refs if ref.id in there])


@contextmanager
def _readable() -> Iterator[None]:
    """Raise as an error of a store that what stands in the tables was not written by one."""
    try:
        yield
    except (ArithmeticError, ValueError) as error:
        raise StoreError("what is stored cannot be read") from error


def _check(receipt: Receipt, key: str | None) -> None:
    """Refuse a receipt that is not the one of the change set with a *key*."""
    if receipt.key != key:
        raise StoreError(f"what is stored under the key {key!r} is no receipt of it")
