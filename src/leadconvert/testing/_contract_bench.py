"""What the tests of a store stand on: the store as it was opened, and how to look at all of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from datetime import UTC, datetime
from itertools import count
from typing import ClassVar, Final, TypeVar

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Claim,
    Company,
    Contact,
    ConversionRules,
    Delete,
    Detach,
    Event,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Lead,
    Receipt,
    Record,
    Ref,
    Trace,
    Update,
    Wanted,
    seed,
)
from leadconvert.changes import made
from leadconvert.errors import StoreError
from leadconvert.records import held
from leadconvert.stores import Store
from leadconvert.testing._contract_rules import RULES
from leadconvert.values import canonical


__all__ = ["AT", "Bench", "Opened", "Subject", "benched", "raised", "same", "told", "unchanged"]

E = TypeVar("E", bound=StoreError)

AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)


@attrs.frozen
class Opened:
    """A store that was opened for one test, and how to look into it past its port.

    *refs* tells every record it holds, and *events* every event in order, as they are now: with
    `load` alone nobody finds what was left behind. *other* is one more store on the same storage,
    such as another connection; it may be the same object if that can be used while it loads.

    Example:
        >>> from leadconvert.stores import MemoryStore
        >>> from leadconvert.testing import Opened, StoreContract
        >>> store = MemoryStore(StoreContract.rules)
        >>> opened = Opened(store, lambda: store.records, lambda: store.events, other=store)
        >>> list(opened.refs())
        []
    """

    store: Store
    refs: Callable[[], Iterable[Ref]]
    events: Callable[[], Iterable[Event]]
    other: Store | None = None


def same(expected: object, actual: object, promise: str) -> None:
    """Fail unless both are the same, types of values included; *promise* says what is broken."""
    if canonical(expected) != canonical(actual):
        raise AssertionError(f"{promise}: expected {expected!r}, found {actual!r}")


def told(record: Record | Mapping[str, object]) -> dict[str, object]:
    """Return what a record says: what is None or an empty list says nothing, blank text does."""
    values = record if isinstance(record, Mapping) else held(record)
    return {name: value for name, value in values.items() if value is not None and value != ()}


@attrs.frozen
class World:
    """All that a store holds."""

    records: Mapping[Ref, Record]
    events: tuple[Event, ...]


@attrs.define
class Bench:
    """A store under test, with what is done to it and looked up in it again and again."""

    opened: Opened
    rules: ConversionRules = RULES
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1), init=False)

    @property
    def store(self) -> Store:
        """The store under test."""
        return self.opened.store

    def beside(self, store: Store) -> "Bench":
        """Return the same bench for another *store* on the same storage."""
        beside = copy(self)
        beside.opened = attrs.evolve(self.opened, store=store)
        return beside

    def changes(
        self,
        *changes: Change,
        key: str | None = None,
        fingerprint: str = "asked",
        after: Iterable[str] = (),
        events: Iterable[Event] = (),
        traces: Iterable[Trace] = (),
    ) -> ChangeSet:
        """Return a change set under a key of its own, unless one is given."""
        return ChangeSet(
            key=key or f"k-{next(self._numbers)}",
            fingerprint=fingerprint,
            changes=changes,
            after=after,
            events=events,
            traces=traces,
        )

    def apply(self, *changes: Change) -> Receipt:
        """Apply *changes* as one change set."""
        return self.store.apply(self.changes(*changes))

    def made(self, changes: ChangeSet) -> dict[Ref, Ref]:
        """Apply *changes*; return what became of all that they made, in order."""
        ids = dict(self.store.apply(changes).ids)
        new = made(changes)
        if missing := [str(ref) for ref in new if ref not in ids]:
            raise AssertionError(f"the receipt names whatever was made: not {', '.join(missing)}")
        return {ref: ids[ref] for ref in new}

    def new(self, kind: str) -> Ref:
        """Return a provisional ref that nobody has used."""
        return Ref(kind, f"{kind}-new-{next(self._numbers)}", provisional=True)

    def insert(self, kind: str, values: Mapping[str, object], *claims: Claim) -> Ref:
        """Insert one record by its values; return its ref as stored."""
        new = self.new(kind)
        return self.made(self.changes(Insert(new, values, claims)))[new]

    def update(self, ref: Ref, values: Mapping[str, object], *claims: Claim) -> Receipt:
        """Update a record as it is now."""
        return self.apply(Update(ref, self.revision(ref), values, claims))

    def put(self, *records: Record) -> tuple[Ref, ...]:
        """Store *records* as they are; return their refs as stored, in order."""
        asked = seed(records, rules=self.rules, key=f"seed-{next(self._numbers)}")
        return tuple(self.made(asked).values())

    def put_one(self, record: Record) -> Ref:
        """Store one record; return its ref as stored."""
        [ref] = self.put(record)
        return ref

    def found(self, wanted: Wanted) -> dict[Ref, Record]:
        """Return the records that the store has of what is *wanted*, each of which comes once."""
        return self.by_ref(self.store.load(wanted))

    def by_ref(self, known: Known) -> dict[Ref, Record]:
        """Return the records that are known by their refs."""
        found: dict[Ref, Record] = {}
        for record in known.records:
            kind = self.rules.kind_of(record)
            if kind is None:
                raise AssertionError(f"a record of no kind was loaded: {record!r}")
            ref = Ref(kind.id, record.id)
            if ref in found:
                raise AssertionError(f"each record is loaded once: {ref} came twice")
            found[ref] = record
        return found

    def record(self, ref: Ref) -> Record:
        """Return a record that is there."""
        found = self.found(Wanted(refs=(ref,)))
        if ref not in found:
            raise AssertionError(f"what was stored can be loaded: {ref} is not there")
        return found[ref]

    def read(self, ref: Ref, field: str) -> object:
        """Return what a record that is there holds in one field."""
        return self.kind(ref).read(self.record(ref), field)

    def kind(self, ref: Ref) -> Kind:
        """Return the kind of a record."""
        return next(kind for kind in self.rules.every_kind if kind.id == ref.kind)

    def revision(self, ref: Ref) -> str | None:
        """Return the revision of a record that is there."""
        return self.record(ref).revision

    def receipt(self, key: str) -> Receipt | None:
        """Return the receipt that the store keeps under a key."""
        return self.store.load(Wanted(key=key)).receipt

    def gone(self) -> Ref:
        """Return the ref of a record that was there."""
        ref = self.insert("deal", {"title": "Engine"})
        self.apply(Delete(ref, self.revision(ref)))
        return ref

    def scene(self) -> ChangeSet:
        """Return a change set of every sort of step, applied to records that are there."""
        lead, contact, company, old = self.put(
            Lead(id="L-1", stage="NEW"),
            Contact(id="C-1", last_name="Lovelace"),
            Company(id="CO-1", name="Engines", converted_from=["L-1"]),
            GenericRecord(kind="task", id="T-1", custom={"subject": "call"}),
        )
        deal = self.new("deal")
        return self.changes(
            Insert(deal, {"title": "Engine", "contact_ids": (contact,)}),
            Update(contact, self.revision(contact), {"job_title": "Countess"}),
            Attach(contact, "converted_from", [lead]),
            Detach(company, "converted_from", [lead]),
            Delete(old, self.revision(old)),
            Update(lead, self.revision(lead), {"stage": "DONE"}),
            events=[Event(name="lead.converted", ref=lead, at=AT, params={"targets": (deal,)})],
            traces=[Trace(id="scene")],
        )

    def world(self) -> World:
        """Return all that the store holds, every record of which can be loaded."""
        refs = tuple(sorted(self.opened.refs(), key=str))
        found = self.found(Wanted(refs=refs)) if refs else {}
        same(refs, tuple(sorted(found, key=str)), "every record in the store can be loaded")
        return World(records=found, events=tuple(self.opened.events()))

    def refused(self, changes: ChangeSet, error: type[E], promise: str) -> E:
        """Fail unless the store refuses *changes* with just this *error*, and writes nothing."""
        before, receipt = self.world(), self.receipt(changes.key)
        refusal = raised(lambda: self.store.apply(changes), error, promise)
        unchanged(before, self.world(), promise)
        same(receipt, self.receipt(changes.key), f"{promise}, and leaves no receipt")
        traces = self.store.load(Wanted(traces=tuple(one.id for one in changes.traces))).traces
        same((), traces, f"{promise}, and leaves no trace")
        return refusal


def raised(call: Callable[[], object], error: type[E], promise: str) -> E:
    """Fail unless the call raises just this *error*; return it."""
    try:
        call()
    except StoreError as refusal:
        if type(refusal) is not error:
            name = type(refusal).__name__
            raise AssertionError(f"{promise}: expected {error.__name__}, got {name}") from refusal
        return refusal
    raise AssertionError(f"{promise}: expected {error.__name__}, nothing was raised")


def unchanged(before: World, after: World, promise: str) -> None:
    """Fail unless nothing was written: no record, no revision, no event."""
    refs = set(before.records) ^ set(after.records)
    same([], sorted(map(str, refs)), f"{promise}, and nothing is made or removed")
    for ref, record in before.records.items():
        same(record, after.records[ref], f"{promise}, and {ref} stays as it was")
    same(before.events, after.events, f"{promise}, and no event is written")


class Subject:
    """A store to be tested: how to open it, and what it can do. The tests are in its subclasses."""

    #: The rules to make each store for.
    rules: ClassVar[ConversionRules] = RULES
    #: Whether a change set is written all or nothing.
    transactions: ClassVar[bool] = True
    #: Whether an update or a delete that comes too late is noticed.
    revisions: ClassVar[bool] = True
    #: Whether several may use the storage at once: then `Opened.other` is one of them.
    shared: ClassVar[bool] = True
    #: Whether it has `apply_many`.
    bulk: ClassVar[bool] = False
    #: How many examples the tests that draw their values try.
    examples: ClassVar[int] = 25

    def open_store(self) -> AbstractContextManager[Opened]:
        """Open a store that is new and empty each time, made for `rules`; close it afterwards."""
        raise NotImplementedError("open_store() is to yield Opened(store, refs, events)")


@contextmanager
def benched(subject: Subject) -> Iterator[Bench]:
    """Open a store and put it on a bench."""
    with subject.open_store() as opened:
        yield Bench(opened)
