# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""A store on the standard library's SQLite, one connection to a store: an adapter to learn from.

Records, receipts, traces and events are kept as JSON; whatever a record is found by, keys and
links, stands in a table of its own. What a host keeps in columns goes where `put` and `record` are.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    ConversionRules,
    Detach,
    Event,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Receipt,
    Record,
    Ref,
    Trace,
    Update,
    Wanted,
    match_keys,
)
from leadconvert.changes import made, plain
from leadconvert.codec import Codec
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    UnavailableError,
    UnfitValueError,
)
from leadconvert.records import changed
from leadconvert.values import ids_in


__all__ = ["SCHEMA", "SqliteStore"]

T = TypeVar("T")

SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS record (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id));
    CREATE TABLE IF NOT EXISTS found_by (kind TEXT, id TEXT, name TEXT, value TEXT);
    CREATE INDEX IF NOT EXISTS by_value ON found_by (kind, name, value);
    CREATE INDEX IF NOT EXISTS by_record ON found_by (kind, id);
    CREATE TABLE IF NOT EXISTS kept (sort TEXT, key TEXT, body TEXT, PRIMARY KEY (sort, key));
"""


@contextmanager
def transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Write all or nothing, and read one snapshot; speak the port's language of errors."""
    try:
        db.execute(begin)
        yield
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise UnavailableError(str(error)) from error
        if isinstance(error, UnicodeEncodeError):
            raise UnfitValueError("SQLite holds no half of a character") from error
        raise


@attrs.frozen
class SqliteStore:
    """Keeps the records of *rules* in a database opened with ``isolation_level=None``."""

    db: sqlite3.Connection
    rules: ConversionRules
    owns_transaction: bool = attrs.field(default=True, init=False)
    _codec: Codec = attrs.field(
        default=attrs.Factory(lambda self: Codec(self.rules), takes_self=True), init=False
    )

    def refs(self) -> list[Ref]:
        """Return every record there is."""
        return [Ref(*row) for row in self.db.execute("SELECT kind, id FROM record")]

    def events(self) -> list[Event]:
        """Return every event in order, for whoever sends them on."""
        rows = self.db.execute("SELECT body FROM kept WHERE sort = 'event' ORDER BY rowid")
        return [self._codec.from_data(json.loads(body), Event) for (body,) in rows]

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is wanted, in one snapshot."""
        with transaction(self.db, "BEGIN"):
            refs = dict.fromkeys(wanted.refs)
            for kind, key in wanted.matches:
                refs |= dict.fromkeys(self._found_by(kind, f"key {key.type}", key.value))
            for kind, field, to in wanted.related:
                refs |= dict.fromkeys(self._found_by(kind, field, to.id))
            records = [self._record(ref) for ref in refs]
            traces = [self._kept("trace", id_, Trace) for id_ in wanted.traces]
            return Known(
                records=[one for one in records if one is not None],
                traces=[one for one in traces if one is not None],
                receipt=None if wanted.key is None else self._kept("receipt", wanted.key, Receipt),
            )

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write the changes, all or nothing, once."""
        with transaction(self.db, "BEGIN IMMEDIATE"):
            before = self._kept("receipt", changes.key, Receipt)
            return self._applied(changes) if before is None else before.again(changes)

    def _applied(self, changes: ChangeSet) -> Receipt:
        ids, left = dict[Ref, Ref](), dict[Ref, str]()
        for key in changes.after:
            first = self._kept("receipt", key, Receipt)
            if first is None:
                raise ConflictError(f"change set {key!r} is to be applied before")
            ids |= dict(first.ids)
            left |= dict(first.revisions)
        own = {ref: ref.stored for ref in made(changes)}
        whole = changes.bound(ids | own, left)
        for change in whole.changes:
            self._check_claims(change, set(own.values()))
        revisions = dict[Ref, str]()
        for change in whole.changes:
            self._write(change, revisions)
        receipt = Receipt.of(changes, own.items(), revisions.items())
        self._keep("receipt", changes.key, receipt)
        for trace in whole.traces:
            self._keep("trace", trace.id, trace)
        for number, event in enumerate(whole.events):
            self._keep("event", f"{changes.key}/{number}", event)
        return receipt

    def _check_claims(self, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            name, value = f"key {claim.key.type}", claim.key.value
            if set(self._found_by(change.ref.kind, name, value)) != set(claim.seen) - own:
                raise ConflictError("others hold a key by now", [change.ref])

    def _write(self, change: Change, revisions: dict[Ref, str]) -> None:
        ref, kind, there = change.ref, self._kind(change.ref.kind), self._record(change.ref)
        if isinstance(change, Insert):
            if there is not None:
                raise ConflictError("there is such a record already", [ref])
            self._put(ref, self._revised(_fitting(ref, kind, None, change.values), ref, revisions))
        elif there is None:
            if not isinstance(change, Detach):
                raise RecordNotFoundError("there is no such record", [ref])
        elif isinstance(change, Attach | Detach):
            held, named = ids_in(kind.read(there, change.field)), [one.id for one in change.refs]
            if isinstance(change, Attach):
                left = tuple(dict.fromkeys((*held, *named)))
            else:
                left = tuple(one for one in held if one not in named)
            self._put(ref, changed(there, {change.field: left}))
        elif change.revision != there.revision and ref not in revisions:
            raise ConflictError("it was changed meanwhile", [ref])
        elif isinstance(change, Update):
            self._put(ref, self._revised(_fitting(ref, kind, there, change.values), ref, revisions))
        elif not change.sees(partial(kind.read, there)):
            raise ConflictError("others are attached by now", [ref])
        else:
            self._remove(ref)
            revisions.pop(ref, None)

    def _revised(self, record: Record, ref: Ref, revisions: dict[Ref, str]) -> Record:
        """Return a record with a revision that none ever had."""
        self.db.execute("INSERT OR IGNORE INTO kept VALUES ('revision', '', 0)")
        self.db.execute("UPDATE kept SET body = body + 1 WHERE sort = 'revision'")
        [(number,)] = self.db.execute("SELECT body FROM kept WHERE sort = 'revision'")
        revisions[ref] = str(number)
        return changed(record, {"revision": str(number)})

    def _put(self, ref: Ref, record: Record) -> None:
        self._remove(ref)
        kind, body = self._kind(ref.kind), json.dumps(self._codec.to_data(record))
        self.db.execute("INSERT INTO record VALUES (?, ?, ?)", (ref.kind, ref.id, body))
        keys = [(f"key {key.type}", key.value) for key in match_keys(record, rules=self.rules)]
        links = [
            (name, to)
            for name, field in kind.members.items()
            if field.to is not None
            for to in ids_in(kind.read(record, name))
        ]
        rows = ((ref.kind, ref.id, *one) for one in (*keys, *links))
        self.db.executemany("INSERT INTO found_by VALUES (?, ?, ?, ?)", rows)

    def _remove(self, ref: Ref) -> None:
        asked = (ref.kind, ref.id)
        self.db.execute("DELETE FROM record WHERE kind = ? AND id = ?", asked)
        self.db.execute("DELETE FROM found_by WHERE kind = ? AND id = ?", asked)

    def _record(self, ref: Ref) -> Record | None:
        kind = self._kind(ref.kind)
        select = "SELECT body FROM record WHERE kind = ? AND id = ?"
        row = self.db.execute(select, (ref.kind, ref.id)).fetchone()
        cls = kind.cls or GenericRecord
        return None if row is None else self._codec.from_data(json.loads(row[0]), cls)

    def _found_by(self, kind: str, name: str, value: str) -> list[Ref]:
        select = "SELECT id FROM found_by WHERE kind = ? AND name = ? AND value = ?"
        rows = self.db.execute(select, (self._kind(kind).id, name, value))
        return [Ref(kind, id_) for (id_,) in rows]

    def _keep(self, sort: str, key: str, value: object) -> None:
        body = json.dumps(self._codec.to_data(value))
        self.db.execute("INSERT INTO kept VALUES (?, ?, ?)", (sort, key, body))

    def _kept(self, sort: str, key: str, cls: type[T]) -> T | None:
        select = "SELECT body FROM kept WHERE sort = ? AND key = ?"
        row = self.db.execute(select, (sort, key)).fetchone()
        return None if row is None else self._codec.from_data(json.loads(row[0]), cls)

    def _kind(self, id_: str) -> Kind:
        for kind in self.rules.every_kind:
            if kind.id == id_:
                return kind
        raise UnfitValueError(f"the store has no kind {id_!r}")


def _fitting(ref: Ref, kind: Kind, there: Record | None, values: Mapping[str, object]) -> Record:
    """Return the record that holds *values*, and else what was there."""
    given = {name: plain(value) for name, value in values.items()}
    try:
        return kind.build(ref.id, given) if there is None else changed(there, given)
    except Exception as error:  # a class of one's own may raise anything
        raise UnfitValueError("a value does not fit", [ref]) from error
