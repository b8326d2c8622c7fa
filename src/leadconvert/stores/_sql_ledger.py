"""What change sets come to, decided in order on what was read: nothing is written here."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import count

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    ConversionRules,
    Detach,
    Event,
    Insert,
    Receipt,
    Record,
    Ref,
    Trace,
    Update,
)
from leadconvert.changes import made, plain
from leadconvert.errors import ConflictError, RecordNotFoundError, StoreError, UnfitValueError
from leadconvert.records import changed
from leadconvert.stores._sql_places import Place
from leadconvert.stores._sql_rows import Row, build, held_in, keys_of, told
from leadconvert.stores._sql_tables import Shape
from leadconvert.stores._sql_values import Form
from leadconvert.values import ids_in


__all__ = ["Entry", "Ledger", "Links"]


@attrs.frozen
class Links:
    """What becomes of one field that links: is it *whole*, the links that were there are gone."""

    added: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()
    whole: bool = False
    #: Whether the field is there now, be it empty.
    there: bool = True

    def with_more(self, ids: Iterable[str]) -> "Links":
        """Return it with *ids* added, each of which is there once."""
        new = dict.fromkeys(id_ for id_ in ids if id_ not in self.added)
        return attrs.evolve(self, added=(*self.added, *new), there=True)

    def without(self, ids: AbstractSet[str]) -> "Links":
        """Return it without *ids*."""
        left = tuple(id_ for id_ in self.added if id_ not in ids)
        return attrs.evolve(self, added=left, removed=self.removed | ids, there=True)


@attrs.frozen
class Entry:
    """One record on its way: the row as it *was* read, as it will be, and which fields differ."""

    was: Row | None
    row: Row | None
    names: frozenset[str] = frozenset()


@attrs.define
class Ledger:
    """Decides change sets, each on what those before it left.

    *there* are records that are not read, as nothing of them changes but what is added. *holders*
    are, for every key that is claimed, those who hold it.
    """

    rules: ConversionRules
    shapes: Mapping[str, Shape]
    entries: dict[Ref, Entry]
    there: frozenset[Ref] = frozenset()
    holders: dict[str, frozenset[Ref]] = attrs.field(factory=dict)
    receipts: dict[str, Receipt] = attrs.field(factory=dict)
    links: dict[tuple[Ref, str], Links] = attrs.field(factory=dict)
    traces: dict[str, Trace] = attrs.field(factory=dict)
    events: tuple[tuple[str, int, Event], ...] = ()
    #: What new revisions are made of.
    drawn: str = attrs.field(factory=lambda: secrets.token_hex(8), init=False)
    numbers: Iterator[int] = attrs.field(factory=count, init=False)
    #: The receipts that are new.
    given: dict[str, Receipt] = attrs.field(factory=dict)
    _keys: dict[tuple[Ref, str | None], frozenset[str]] = attrs.field(factory=dict, init=False)

    def keys(self, ref: Ref, row: Row | None) -> frozenset[str]:
        """Return what stands for the keys of a record."""
        if row is None:
            return frozenset()
        at = (ref, row.record.revision)
        if at not in self._keys:
            self._keys[at] = keys_of(self.rules, self.shapes[ref.kind].kind, row.record)
        return self._keys[at]

    def may_change_keys(
        self, ref: Ref, before: Row | None, after: Row | None, names: AbstractSet[str]
    ) -> bool:
        """Tell whether a record may have other keys with other values in the fields *names*."""
        is_new_or_gone = before is None or after is None
        return is_new_or_gone or not names.isdisjoint(self.shapes[ref.kind].keyed)

    def answer(self, changes: ChangeSet) -> Receipt | StoreError:
        """Take *changes* in, and return the receipt or why they are refused."""
        try:
            return self.take(changes)
        except StoreError as refused:
            return refused

    def take(self, changes: ChangeSet) -> Receipt:
        """Take *changes* in, if nothing stands in the way, and return the receipt.

        Raises:
            leadconvert.errors.StoreError: something does; then nothing of them is taken in.
        """
        before = self.receipts.get(changes.key)
        if before is not None:
            return before.again(changes)
        trial = _Trial.of(self, changes)
        self.entries |= trial.entries
        self.links |= trial.links
        self.holders |= trial.holders
        self.traces |= {trace.id: trace for trace in trial.whole.traces}
        events = enumerate(trial.whole.events)
        self.events += tuple((changes.key, place, event) for place, event in events)
        self.receipts[changes.key] = self.given[changes.key] = trial.receipt
        return trial.receipt


@attrs.define
class _Trial:
    """One change set, decided beside the ledger, which is left alone until it is whole."""

    ledger: Ledger
    whole: ChangeSet
    own: frozenset[Ref]
    entries: dict[Ref, Entry] = attrs.field(factory=dict)
    links: dict[tuple[Ref, str], Links] = attrs.field(factory=dict)
    holders: dict[str, frozenset[Ref]] = attrs.field(factory=dict)
    revisions: dict[Ref, str] = attrs.field(factory=dict)
    receipt: Receipt = attrs.field(init=False)

    @classmethod
    def of(cls, ledger: Ledger, changes: ChangeSet) -> "_Trial":
        """Decide *changes*."""
        ids: dict[Ref, Ref] = {}
        left: dict[Ref, str] = {}
        for key in changes.after:
            if key not in ledger.receipts:
                raise ConflictError(f"change set {key!r} is to be applied before")
            ids |= ledger.receipts[key].ids
            left |= ledger.receipts[key].revisions
        own = {ref: ref.stored for ref in made(changes)}
        trial = cls(ledger, changes.bound(ids | own, left), frozenset(own.values()))
        for change in trial.whole.changes:
            trial.check_claims(change)
        for change in trial.whole.changes:
            trial.take(change)
        trial.receipt = Receipt.of(changes, own.items(), trial.revisions.items())
        return trial

    def check_claims(self, change: Change) -> None:
        """Refuse a claim if others hold the key than were seen."""
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            digest = told(change.ref.kind, claim.key.type, claim.key.value)
            if self.ledger.holders[digest] != {ref for ref in claim.seen if ref not in self.own}:
                raise ConflictError(f"others hold the key {claim.key.type} by now", [change.ref])

    def take(self, change: Change) -> None:
        """Take one change, given those before it."""
        ref = change.ref
        shape = self.ledger.shapes.get(ref.kind)
        if shape is None:
            raise UnfitValueError(f"the store has no kind {ref.kind!r}", [ref])
        row = self._entry(ref).row
        is_there = row is not None or (ref not in self.entries and ref in self.ledger.there)
        if isinstance(change, Insert):
            if is_there:
                raise ConflictError("there is such a record already", [ref])
            self._insert(shape, change)
            return
        if not is_there:
            if isinstance(change, Detach):
                return
            raise RecordNotFoundError("there is no such record", [ref])
        if isinstance(change, Attach | Detach):
            self._link(shape, change)
            return
        assert row is not None  # noqa: S101 - what is updated or deleted was read
        if change.revision != row.record.revision and ref not in self.revisions:
            raise ConflictError("it was changed meanwhile", [ref])
        if isinstance(change, Update):
            self._update(shape, change, row)
            return
        if not change.sees(lambda field: self._attached(shape, row.record, ref, field)):
            raise ConflictError("others are attached by now", [ref])
        self._put(ref, None, ())
        self.revisions.pop(ref, None)  # it has none any more

    def _entry(self, ref: Ref) -> Entry:
        known = self.entries.get(ref) or self.ledger.entries.get(ref)
        return known or Entry(was=None, row=None)

    def _insert(self, shape: Shape, change: Insert) -> None:
        values = {name: plain(value) for name, value in change.values.items()}
        record = build(shape.kind, change.ref, self._revision(change.ref), values)
        held = held_in(record)
        self._put(change.ref, Row(record), {*shape.places, *held})
        for place in shape.linked:
            self._link_all(change.ref, place, held)

    def _update(self, shape: Shape, change: Update, row: Row) -> None:
        values: dict[str, object] = {name: plain(one) for name, one in change.values.items()}
        revision = self._revision(change.ref)
        try:
            record = changed(row.record, {**values, "revision": revision})
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything
            # what the class says may hold the value
            name = type(error).__name__
            raise UnfitValueError(f"a value does not fit ({name})", [change.ref]) from None
        self._put(change.ref, Row(record, row.extra), change.values)
        linked = [place for place in shape.linked if place.field in change.values]
        held = held_in(record) if linked else {}
        for place in linked:
            self._link_all(change.ref, place, held)

    def _revision(self, ref: Ref) -> str:
        # never the same again: a record may be made under the id of one that is gone
        self.revisions[ref] = f"{self.ledger.drawn}.{next(self.ledger.numbers)}"
        return self.revisions[ref]

    def _put(self, ref: Ref, row: Row | None, names: Iterable[str]) -> None:
        entry, named = self._entry(ref), frozenset(names)
        if self.ledger.may_change_keys(ref, entry.row, row, named):
            self._hold(ref, entry.row, row)
        self.entries[ref] = Entry(entry.was, row, entry.names | named)

    def _hold(self, ref: Ref, before: Row | None, after: Row | None) -> None:
        """See to it that later change sets know who holds what."""
        claimed = self.ledger.holders
        if claimed:
            got = self.ledger.keys(ref, after)
            for digest in (self.ledger.keys(ref, before) | got) & claimed.keys():
                others = self.holders.get(digest, claimed[digest]) - {ref}
                self.holders[digest] = others | {ref} if digest in got else others

    def _link_all(self, ref: Ref, place: Place, held: Mapping[str, object]) -> None:
        value = held.get(place.field)
        ids = value if isinstance(value, tuple) and place.holds(value) else None
        self.links[ref, place.field] = Links(ids or (), whole=True, there=ids is not None)

    def _attached(self, shape: Shape, record: Record, ref: Ref, field: str) -> tuple[str, ...]:
        """Return the ids that a record holds in a field, with what was added and taken out."""
        links = self._links((ref, field))
        held = ids_in(shape.kind.read(record, field))
        return (*(one for one in held if one not in links.removed), *links.added)

    def _links(self, at: tuple[Ref, str]) -> Links:
        return self.links.get(at) or self.ledger.links.get(at) or Links()

    def _link(self, shape: Shape, change: Attach | Detach) -> None:
        place = shape.places.get(change.field)
        if place is None or place.form is not Form.LINKS:
            raise UnfitValueError(f"{change.field} is no set of references", [change.ref])
        at = (change.ref, change.field)
        links = self._links(at)
        ids = [one.id for one in change.refs]
        add = isinstance(change, Attach)
        self.links[at] = links.with_more(ids) if add else links.without(frozenset(ids))
