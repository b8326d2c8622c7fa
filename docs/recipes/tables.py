# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""Keeps records in tables of your own: a `Store`, all but what depends on your framework.

A row has an *id* that the database gives, a *revision* that counts, columns with the names of
fields, and *custom*, which holds as JSON whatever has no column. Two small tables serve every kind:
``kept`` for receipts, traces and events, ``found`` for the marks by which records are found.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, TypeVar

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    ConversionRules,
    Delete,
    Detach,
    Event,
    FrozenMap,
    Insert,
    Kind,
    Known,
    Receipt,
    Record,
    Ref,
    Trace,
    Update,
    Wanted,
    errors,
    match_keys,
)
from leadconvert.changes import made, plain
from leadconvert.codec import Codec
from leadconvert.records import changed, held
from leadconvert.values import canonical, ids_in


__all__ = ["Among", "TableStore", "Tables", "translated"]

T = TypeVar("T")
#: Which rows are meant: by column, the values it may have.
Among = Mapping[str, Collection[object]]

_NUMBER: Final = re.compile("[1-9][0-9]{0,17}")


class Tables(Protocol):
    """What your framework does with a table; it goes by the id of a kind, or is one of the two."""

    @property
    def owns_transaction(self) -> bool:
        """Whether `whole` begins a transaction and ends it."""

    def whole(self, *, reading: bool) -> AbstractContextManager[object]:
        """Do all or nothing; or read one snapshot. What the database raises is a StoreError."""

    def columns(self, table: str) -> Collection[str]:
        """Name the columns."""

    def select(
        self, table: str, among: Among, *, lock: bool = False
    ) -> Iterable[Mapping[str, Any]]:
        """Return rows by their ids in order; *lock* those that may be changed."""

    def insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> Sequence[int]:
        """Insert rows, and return their ids."""

    def update(self, table: str, among: Among, row: Mapping[str, object]) -> int:
        """Change rows, and return how many there were."""

    def delete(self, table: str, among: Among) -> int:
        """Remove rows, and return how many there were."""


@attrs.frozen
class TableStore:
    """Keeps the records of *rules* in *tables*."""

    rules: ConversionRules
    tables: Tables
    _codec: Codec = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_codec", Codec(self.rules))

    @property
    def owns_transaction(self) -> bool:
        """It does, unless the host has begun one."""
        return self.tables.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, in one snapshot."""
        marks = {_mark("key", kind, key.type, key.value): kind for kind, key in wanted.matches}
        marks |= {_mark("ref", kind, field, to.id): kind for kind, field, to in wanted.related}
        ids: dict[str, set[int]] = {kind: set() for kind in marks.values()}
        for ref in wanted.refs:
            ids.setdefault(ref.kind, set()).add(_number(ref.id))
        kinds = [self._kind(kind) for kind in ids]
        with self.tables.whole(reading=True):
            for row in self.tables.select("found", {"mark": marks}):
                ids.setdefault(row["kind"], set()).add(row["holder"])
            return Known(
                records=[one for kind in kinds for one in self._records(kind, ids[kind.id])],
                traces=self._kept(Trace, wanted.traces),
                receipt=self._receipt(wanted.key),
            )

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes*, all or nothing."""
        with self.tables.whole(reading=False):
            before = self._receipt(changes.key)
            if before is not None:
                return before.again(changes)
            ids, left, revisions = dict[Ref, Ref](), dict[Ref, str](), dict[Ref, str]()
            for key in changes.after:
                earlier = self._receipt(key)
                if earlier is None:
                    raise errors.ConflictError(f"change set {key!r} is to be applied before")
                ids |= dict(earlier.ids)
                left |= dict(earlier.revisions)
            self._check_claims(changes, ids)
            for change in changes.changes:
                # one by one: the next may refer to the id that the database gives
                alone = attrs.evolve(changes, changes=[change], events=[], traces=[])
                [step] = alone.bound(ids, left).changes
                ids[change.ref] = self._write(step, revisions)
            own = [(new, ids[new]) for new in made(changes)]
            receipt, whole = Receipt.of(changes, own, revisions.items()), changes.bound(ids)
            self._keep({changes.key: receipt})
            self._keep({one.id: one for one in whole.traces})
            self._keep({f"{changes.key}/{n}": one for n, one in enumerate(whole.events)})
            return receipt

    def touched(self, kind: str, id_: int) -> None:
        """Take note of a row that was written without the store: by a form, or by the admin."""
        with self.tables.whole(reading=False):
            for row in self.tables.select(kind, {"id": [id_]}, lock=True):
                self.tables.update(kind, {"id": [id_]}, {"revision": row["revision"] + 1})
            self._note(self._kind(kind), id_)

    def _kind(self, id_: str, refs: Iterable[Ref] = ()) -> Kind:
        for kind in self.rules.every_kind:
            if kind.id == id_:
                return kind
        raise errors.UnfitValueError(f"the store has no kind {id_!r}", refs)

    def _kept(self, cls: type[T], keys: Collection[str]) -> list[T]:
        rows = self.tables.select("kept", {"shelf": [cls.__name__], "key": keys})
        return [self._codec.from_data(row["data"], cls) for row in rows]

    def _receipt(self, key: str | None) -> Receipt | None:
        return next(iter(self._kept(Receipt, () if key is None else (key,))), None)

    def _keep(self, values: Mapping[str, Receipt | Trace | Event]) -> None:
        rows = [
            {"shelf": type(value).__name__, "key": key, "data": self._codec.to_data(value)}
            for key, value in values.items()
        ]
        self.tables.insert("kept", rows)

    def _records(self, kind: Kind, ids: Collection[int]) -> Iterator[Record]:
        for row in self.tables.select(kind.id, {"id": ids}):
            record = kind.build(str(row["id"]), self._values(kind, row))
            yield changed(record, {"revision": str(row["revision"])})

    def _columns(self, kind: Kind) -> set[str]:
        return {*self.tables.columns(kind.id)} & kind.members.keys()

    def _values(self, kind: Kind, row: Mapping[str, Any]) -> dict[str, object]:
        values = dict(self._codec.from_data(row["custom"], FrozenMap[object]))
        for name in self._columns(kind):
            is_id = kind.members[name].to is not None and row[name] is not None
            values[name] = str(row[name]) if is_id else row[name]
        return values

    def _row(self, kind: Kind, record: Record, values: Mapping[str, object]) -> dict[str, object]:
        columns = self._columns(kind)
        custom = {name: value for name, value in values.items() if name not in columns}
        row = {name: kind.read(record, name) for name in columns}
        return {**row, "custom": self._codec.to_data(FrozenMap(custom))}

    def _note(self, kind: Kind, id_: int, record: Record | None = None) -> None:
        """Note by which marks a record is found; see that it is stored as the *record* it was."""
        self.tables.delete("found", {"kind": [kind.id], "holder": [id_]})
        for back in self._records(kind, [id_]):
            if record is not None and _told(back) != _told(record):
                raise ValueError("a column gives back something else")
            keys = match_keys(back, rules=self.rules)
            marks = {_mark("key", kind.id, key.type, key.value) for key in keys} | {
                _mark("ref", kind.id, name, id_in)
                for name, field in kind.members.items()
                if field.to is not None
                for id_in in ids_in(kind.read(back, name))
            }
            rows = [{"mark": mark, "kind": kind.id, "holder": id_} for mark in marks]
            self.tables.insert("found", rows)

    def _check_claims(self, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> None:
        own, claims = set(made(changes)), list[tuple[str, set[int]]]()
        for change in changes.changes:
            for claim in change.claims if isinstance(change, Insert | Update) else ():
                mark = _mark("key", change.ref.kind, claim.key.type, claim.key.value)
                seen = {_number(ids.get(ref, ref).id) for ref in claim.seen if ref not in own}
                claims.append((mark, seen))
        holders: dict[str, set[int]] = {mark: set() for mark, _ in claims}
        # a row that nobody holds is there to be locked: whoever claims the same waits for us
        locks = {"mark": holders, "holder": (0,)}
        locked = {row["mark"] for row in self.tables.select("found", locks, lock=True)}
        new = sorted(holders.keys() - locked)
        self.tables.insert("found", [{"mark": mark, "kind": "", "holder": 0} for mark in new])
        for row in self.tables.select("found", {"mark": holders}):
            holders[row["mark"]] |= {row["holder"]} - {0}
        if any(holders[mark] != seen for mark, seen in claims):
            raise errors.ConflictError("others hold a key by now")

    def _write(self, change: Change, revisions: dict[Ref, str]) -> Ref:
        """Take one step; return its ref as it is stored."""
        ref, kind = change.ref, self._kind(change.ref.kind, [change.ref])
        if isinstance(change, Insert):
            given = {name: plain(value) for name, value in change.values.items()}
            with _fitting(ref):
                record = kind.build(ref.id, given)
                row = self._row(kind, record, given)
                [id_] = self.tables.insert(kind.id, [{**row, "revision": 1}])
                self._note(kind, id_, record)
            revisions[stored := Ref(kind.id, str(id_))] = "1"
            return stored
        rows = [*self.tables.select(kind.id, {"id": [_number(ref.id)]}, lock=True)]
        if rows:
            self._change(change, kind, rows[0], revisions)
        elif not isinstance(change, Detach):
            raise errors.RecordNotFoundError("there is no such record", [ref])
        return ref

    def _change(
        self,
        change: Update | Attach | Detach | Delete,
        kind: Kind,
        row: Mapping[str, Any],
        revisions: dict[Ref, str],
    ) -> None:
        ref, seen = change.ref, row["revision"]
        if isinstance(change, Update | Delete) and ref not in revisions:
            seen = _number(change.revision)
        there = {"id": [row["id"]], "revision": [seen]}
        with _fitting(ref):
            values = self._values(kind, row)
            if isinstance(change, Delete):
                sees = change.sees(values.get)
                done, record = sees and self.tables.delete(kind.id, there), None
                revisions.pop(ref, None)
            else:
                values |= _given(change, values)
                record = kind.build(ref.id, values)
                # what is attached makes no new revision
                new = {"revision": seen + isinstance(change, Update)}
                done = self.tables.update(kind.id, there, self._row(kind, record, values) | new)
            if not done:
                raise errors.ConflictError("it was changed meanwhile", [ref])
            self._note(kind, row["id"], record)
        if isinstance(change, Update):
            revisions[ref] = str(seen + 1)


def _number(text: str | None) -> int:
    """Return an id or a revision as the database has it; nothing stands under nought."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else 0


def _mark(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _told(record: Record) -> bytes:
    said = {name: value for name, value in held(record).items() if value not in (None, ())}
    return canonical(said)


def _given(change: Update | Attach | Detach, values: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that change, as they will be."""
    if isinstance(change, Update):
        return {name: plain(value) for name, value in change.values.items()}
    there, named = ids_in(values.get(change.field)), tuple(ref.id for ref in change.refs)
    if isinstance(change, Attach):
        return {change.field: tuple(dict.fromkeys((*there, *named)))}
    return {change.field: tuple(one for one in there if one not in named)}


@contextmanager
def _fitting(ref: Ref) -> Iterator[None]:
    """Say of which record a value does not fit, and not which value."""
    try:
        yield
    except (ArithmeticError, TypeError, ValueError) as error:
        name = type(error).__name__
        raise errors.UnfitValueError(f"a value does not fit ({name})", [ref]) from None


@contextmanager
def translated(library: Any) -> Iterator[None]:  # noqa: ANN401 - whatever has the names of PEP 249
    """Raise as an error of a store what a *library* raises by the names that all of them use."""
    try:
        yield
    except library.IntegrityError as error:
        raise errors.ConflictError("somebody else was quicker") from error
    except library.DataError as error:
        raise errors.UnfitValueError("a value that the database cannot hold") from error
    except (library.InterfaceError, library.OperationalError) as error:
        # PostgreSQL's class 40: a deadlock, or two transactions that cannot both be
        if str(getattr(error.__cause__, "sqlstate", None)).startswith("40"):
            raise errors.ConflictError("somebody else was quicker") from error
        raise errors.UnavailableError("the database does not answer") from error
    except library.DatabaseError as error:
        raise errors.StoreError("the database refused it") from error
