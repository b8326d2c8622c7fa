"""A store in memory: what every other store is measured against."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from threading import RLock

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    ConversionRules,
    Delete,
    Detach,
    Event,
    Insert,
    Kind,
    Known,
    MatchKey,
    Receipt,
    Record,
    Ref,
    Trace,
    Update,
    Wanted,
    match_keys,
)
from leadconvert.changes import made, plain
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.given import expect
from leadconvert.records import changed
from leadconvert.values import ids_in


__all__ = ["MemoryStore"]


@attrs.frozen
class _State:
    """All that is stored; another one takes its place when a change set is applied."""

    records: Mapping[Ref, Record] = attrs.field(factory=dict)
    receipts: Mapping[str, Receipt] = attrs.field(factory=dict)
    traces: Mapping[str, Trace] = attrs.field(factory=dict)
    events: tuple[Event, ...] = ()
    written: int = 0


@attrs.define
class MemoryStore:
    """Keeps records in memory, for tests and to try things out; safe to use from many threads.

    A record keeps the id it was inserted with, unless *new_id* gives another for its ref.

    Raises:
        TypeError: *rules* is a preset not called.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, Ref, presets, seed
        >>> from leadconvert.stores import MemoryStore, convert_stored
        >>> rules = presets.bitrix24()
        >>> store = MemoryStore(rules)
        >>> receipt = store.apply(seed([Lead(id="L-7", stage="NEW", title="Engine")], rules=rules))
        >>> result = convert_stored(
        ...     store, "L-7", ["deal"], rules=rules, actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> store.records[Ref("deal", result.deal.id)].title
        'Engine'
    """

    rules: ConversionRules
    new_id: Callable[[Ref], str] | None = attrs.field(default=None, kw_only=True)
    _state: _State = attrs.field(factory=_State, init=False, repr=False)
    _lock: RLock = attrs.field(factory=RLock, init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        expect(("rules", self.rules, ConversionRules))

    @property
    def owns_transaction(self) -> bool:
        """It does: nothing but `apply` writes."""
        return True

    @property
    def records(self) -> Mapping[Ref, Record]:
        """Every record by its ref."""
        return self._state.records

    @property
    def events(self) -> tuple[Event, ...]:
        """Every event, in order."""
        return self._state.events

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, as it is now."""
        for kind in _kinds_in(wanted):
            self.kind(kind)
        state = self._state
        found = {ref: state.records[ref] for ref in wanted.refs if ref in state.records}
        keys = {(kind, key) for kind, key in wanted.matches}
        related = set(wanted.related)
        if keys or related:
            found |= {
                ref: record
                for ref, record in state.records.items()
                if self._matches(ref, record, keys) or self._refers(ref, record, related)
            }
        return Known(
            records=found.values(),
            traces=[state.traces[one] for one in wanted.traces if one in state.traces],
            receipt=None if wanted.key is None else state.receipts.get(wanted.key),
        )

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes*, all or nothing."""
        with self._lock:
            before = self._state.receipts.get(changes.key)
            if before is not None:
                return before.again(changes)
            writing = _Writing(store=self, state=self._state, changes=changes)
            self._state, receipt = writing.write()
            return receipt

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        """Apply each of *sets*, in order."""
        return tuple(self._tried(one) for one in sets)

    def _tried(self, changes: ChangeSet) -> Receipt | StoreError:
        try:
            return self.apply(changes)
        except StoreError as refused:
            return refused

    def _matches(self, ref: Ref, record: Record, keys: set[tuple[str, MatchKey]]) -> bool:
        if all(kind != ref.kind for kind, _ in keys):
            return False
        return any((ref.kind, key) in keys for key in match_keys(record, rules=self.rules))

    def _refers(self, ref: Ref, record: Record, related: set[tuple[str, str, Ref]]) -> bool:
        kind = self.kind(ref.kind)
        return any(
            ref.kind == of and to.id in ids_in(kind.read(record, field))
            for of, field, to in related
        )

    def kind(self, id: str, refs: Iterable[Ref] = ()) -> Kind:  # noqa: A002
        """Return the kind with *id*; *refs* are the records that are said to be of it.

        Raises:
            leadconvert.errors.UnfitValueError: the rules have no such kind.
        """
        for kind in self.rules.every_kind:
            if kind.id == id:
                return kind
        raise UnfitValueError(f"the store has no kind {id!r}", refs)


def _kinds_in(wanted: Wanted) -> set[str]:
    """Return the kinds of all that is wanted."""
    asked = {ref.kind for ref in wanted.refs} | {kind for kind, _ in wanted.matches}
    return asked | {kind for kind, _, _ in wanted.related}


@attrs.define(kw_only=True)
class _Writing:
    """One change set on its way into the store; the store is left alone until it is whole."""

    store: MemoryStore
    state: _State
    changes: ChangeSet
    ids: dict[Ref, Ref] = attrs.field(factory=dict, init=False)
    records: dict[Ref, Record] = attrs.field(init=False)
    revisions: dict[Ref, str] = attrs.field(factory=dict, init=False)
    number: int = attrs.field(init=False)

    def write(self) -> tuple[_State, Receipt]:
        changes, state = self.changes, self.state
        self.records, self.number = dict(state.records), state.written
        left: dict[Ref, str] = {}
        for key in changes.after:
            if key not in state.receipts:
                raise ConflictError(f"change set {key!r} is to be applied before")
            self.ids.update(state.receipts[key].ids)
            left.update(state.receipts[key].revisions)
        own = {ref: self._stored(ref) for ref in made(changes)}
        self.ids |= own
        whole = changes.bound(self.ids, left)
        for change in whole.changes:
            self._check_claims(change, set(own.values()))
        for change in whole.changes:
            self._write(change)
        receipt = Receipt.of(changes, own.items(), self.revisions.items())
        return (
            _State(
                records=self.records,
                receipts={**state.receipts, changes.key: receipt},
                traces={**state.traces, **{trace.id: trace for trace in whole.traces}},
                events=(*state.events, *whole.events),
                written=self.number,
            ),
            receipt,
        )

    def _stored(self, ref: Ref) -> Ref:
        return ref.stored if self.store.new_id is None else Ref(ref.kind, self.store.new_id(ref))

    def _check_claims(self, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            holders = {
                ref
                for ref, record in self.state.records.items()
                if ref.kind == change.ref.kind
                and claim.key in match_keys(record, rules=self.store.rules)
            }
            if holders != {ref for ref in claim.seen if ref not in own}:
                raise ConflictError(f"others hold the key {claim.key.type} by now", [change.ref])

    def _write(self, change: Change) -> None:
        ref, kind = change.ref, self.store.kind(change.ref.kind, [change.ref])
        there = self.records.get(ref)
        if isinstance(change, Insert):
            if there is not None:
                raise ConflictError("there is such a record already", [ref])
            given = {name: plain(value) for name, value in change.values.items()}
            self._put(ref, _fitting(ref, lambda: kind.build(ref.id, given)))
            return
        if isinstance(change, Detach) and there is None:
            return
        if there is None:
            raise RecordNotFoundError("there is no such record", [ref])
        stale = isinstance(change, Update | Delete) and change.revision != there.revision
        if stale and ref not in self.revisions:
            raise ConflictError("it was changed meanwhile", [ref])
        match change:
            case Update():
                given = {name: plain(value) for name, value in change.values.items()}
                self._put(ref, _fitting(ref, lambda: changed(there, given)))
            case Delete():
                if not change.sees(partial(kind.read, there)):
                    raise ConflictError("others are attached by now", [ref])
                del self.records[ref]
                self.revisions.pop(ref, None)  # it has none any more
            case _:
                held = ids_in(kind.read(there, change.field))
                named = tuple(one.id for one in change.refs)
                left = (
                    dict.fromkeys((*held, *named))
                    if isinstance(change, Attach)
                    else [one for one in held if one not in named]
                )
                # it makes no new revision: many may add to one record at once
                added = {change.field: tuple(left)}
                self.records[ref] = _fitting(ref, lambda: changed(there, added))

    def _put(self, ref: Ref, record: Record) -> None:
        self.number += 1
        self.revisions[ref] = str(self.number)
        self.records[ref] = changed(record, {"revision": str(self.number)})


def _fitting(ref: Ref, make: Callable[[], Record]) -> Record:
    """Return the record that is made, or say that its class refuses a value."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything
        name = type(error).__name__
        # what the class says may hold the value
        raise UnfitValueError(f"a value does not fit ({name})", [ref]) from None
