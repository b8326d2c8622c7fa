"""Stores with one planted bug each: what the contract must catch.

Most are small subclasses of the store in memory; those at the end are of a storage that has neither
transactions nor revisions. `BUGS` says of each which tests of the contract catch it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import cast

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
    ConversionRules,
    Delete,
    Detach,
    FrozenMap,
    Insert,
    Known,
    MatchKey,
    Product,
    Receipt,
    Record,
    Ref,
    Update,
    Wanted,
    match_keys,
)
from leadconvert.changes import made
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    StoreError,
    UnavailableError,
    UnfitValueError,
)
from leadconvert.records import changed
from leadconvert.stores import MemoryStore
from leadconvert.stores._memory import _State, _Writing


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

    def __init__(
        self, rules: ConversionRules, *, new_id: Callable[[Ref], str] | None = None
    ) -> None:
        super().__init__(rules, new_id=new_id)
        self.begin()

    def begin(self) -> None:
        """Begin with nothing."""

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


def deeply(value: object, turn: Callable[[object], object]) -> object:
    """Return *value* with every part of it turned, however deep."""
    if isinstance(value, tuple):
        return turn(tuple(deeply(one, turn) for one in value))
    if isinstance(value, Mapping):
        return FrozenMap({name: deeply(one, turn) for name, one in value.items()})
    if isinstance(value, Ref) or not attrs.has(type(value)):
        return turn(value)
    parts = attrs.asdict(cast("attrs.AttrsInstance", value), recurse=False)
    return turn(type(value)(**{name: deeply(one, turn) for name, one in parts.items()}))


class Turned(Sabotaged):
    """A store that turns every value it writes into another one."""

    def turn(self, value: object) -> object:
        """Return what is written in place of *value*, which may be a part of another."""
        return value

    def field(self, name: str, value: object) -> object:
        """Return what is written in place of the *value* of a field."""
        del name
        return deeply(value, self.turn)

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        """Write other values."""
        turned = [
            attrs.evolve(one, values={n: self.field(n, v) for n, v in one.values.items()})
            if isinstance(one, Insert | Update)
            else one
            for one in changes.changes
        ]
        return super().write(attrs.evolve(changes, changes=turned))


# Writing: all or nothing


class NoRollback(Sabotaged):
    """What was written before a step is refused stays."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        writing = Writing(store=self, state=self._state, changes=changes)
        try:
            return writing.write()
        except StoreError:
            self._state = attrs.evolve(self._state, records=writing.records)
            raise


class EventsOutside(Sabotaged):
    """Events are sent before the transaction is begun."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        before = self._state
        self._state = attrs.evolve(before, events=(*before.events, *changes.events))
        state, receipt = super().write(changes)
        return attrs.evolve(state, events=state.events[: len(self._state.events)]), receipt


class TracesOutside(Sabotaged):
    """Traces are kept whatever becomes of their change set."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        traces = {**self._state.traces, **{one.id: one for one in changes.traces}}
        self._state = attrs.evolve(self._state, traces=traces)
        return super().write(changes)


class KeyBurnt(Sabotaged):
    """A key is remembered though its change set was refused."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        try:
            return super().write(changes)
        except StoreError:
            receipt = Receipt.of(changes, [(ref, ref.stored) for ref in made(changes)], [])
            receipts = {**self._state.receipts, changes.key: receipt}
            self._state = attrs.evolve(self._state, receipts=receipts)
            raise


class ConflictSwallowed(Sabotaged):
    """Who comes too late is told that all went well."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        try:
            return super().apply(changes)
        except ConflictError:
            ids = [(ref, ref.stored) for ref in made(changes)]
            return Receipt.of(changes, ids, [])


class MissingSwallowed(Sabotaged):
    """A change of what is gone does nothing, and says nothing."""

    def step(self, writing: Writing, change: Change) -> None:
        try:
            super().step(writing, change)
        except RecordNotFoundError:
            return


class EventsLost(Sabotaged):
    """Nothing is announced."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        return super().write(attrs.evolve(changes, events=[]))


class EventsSorted(Sabotaged):
    """Events are kept by their names, not in order."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        events = sorted(changes.events, key=lambda one: one.name)
        return super().write(attrs.evolve(changes, events=events))


class TracesLost(Sabotaged):
    """No trace is kept."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return attrs.evolve(state, traces=self._state.traces), receipt


class TracesWithoutValues(Sabotaged):
    """Traces are kept without what had been there before."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        traces = [
            attrs.evolve(one, steps=[attrs.evolve(step, before={}) for step in one.steps])
            for one in changes.traces
        ]
        return super().write(attrs.evolve(changes, traces=traces))


# Steps


class InsertOverwrites(Sabotaged):
    """A record is made over one that is there."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            writing.records.pop(change.ref, None)
        super().step(writing, change)


class UpdateReplaces(Sabotaged):
    """An update empties the fields that it does not name."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update) and change.ref.kind == "deal":
            there = writing.records.get(change.ref)
            if there is not None and there.revision == change.revision:
                bare = dict.fromkeys(("comments", "amount", "type", "address"))
                change = attrs.evolve(change, values={**bare, **change.values})
        super().step(writing, change)


class UpdateSkipsNone(Sabotaged):
    """A field cannot be emptied."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update):
            filled = {name: one for name, one in change.values.items() if one is not None}
            change = attrs.evolve(change, values=filled)
        super().step(writing, change)


class AttachOverwrites(Sabotaged):
    """What is added takes the place of what was there."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Attach) and there is not None:
            writing.records[change.ref] = changed(there, {change.field: ()})
        super().step(writing, change)


class AttachTwice(Sabotaged):
    """What is there already is added once more."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        super().step(writing, change)
        if isinstance(change, Attach) and there is not None:
            kind = self.kind(change.ref.kind)
            held = kind.read(there, change.field)
            before = held if isinstance(held, tuple) else ()
            ids = (*before, *(one.id for one in change.refs))
            writing.records[change.ref] = changed(there, {change.field: ids})


class AttachRevises(Sabotaged):
    """What is added to a record makes a new revision of it, so that many collide."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        if isinstance(change, Attach | Detach) and change.ref in writing.records:
            writing._put(change.ref, writing.records[change.ref])


class DetachTakesAll(Sabotaged):
    """What is taken out takes all else with it."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        if isinstance(change, Detach) and change.ref in writing.records:
            bare = changed(writing.records[change.ref], {change.field: ()})
            writing.records[change.ref] = bare


class DetachNeedsRecord(Sabotaged):
    """Nothing can be let go of what is gone."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Detach) and change.ref not in writing.records:
            raise RecordNotFoundError("there is no such record", [change.ref])
        super().step(writing, change)


class DeleteHides(Sabotaged):
    """A record that is removed is still there, though nobody can load it."""

    def begin(self) -> None:
        self.hidden: set[Ref] = set()

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        self.hidden |= {one.ref for one in changes.changes if isinstance(one, Delete)}
        return state, receipt


class AnyKind(Sabotaged):
    """A record of an unknown kind is thrown away, and all is well."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        known = [one for one in changes.changes if one.ref.kind != "nothing"]
        state, receipt = super().write(attrs.evolve(changes, changes=known))
        strange = [(ref, ref.stored) for ref in made(changes) if ref.kind == "nothing"]
        return state, attrs.evolve(receipt, ids=(*receipt.ids, *strange))


class AnyValue(Sabotaged):
    """A value that does not fit is left out, and all is well."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        try:
            return super().write(changes)
        except UnfitValueError:
            if any(one.ref.kind == "nothing" for one in changes.changes):
                raise
            odd = {"amount", "close_date"}
            fitting = [
                attrs.evolve(one, values={n: v for n, v in one.values.items() if n not in odd})
                if isinstance(one, Insert | Update)
                else one
                for one in changes.changes
            ]
            return super().write(attrs.evolve(changes, changes=fitting))


# Revisions


class RevisionIgnored(Sabotaged):
    """The last to update wins."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Update) and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


class RevisionOfNoneIgnored(Sabotaged):
    """Who says no revision may update whatever is there."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Update) and change.revision is None and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


class RevisionNeeded(Sabotaged):
    """What a change set has just made cannot be changed by it."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update) and change.revision is None:
            raise ConflictError("it was changed meanwhile", [change.ref])
        super().step(writing, change)


class DeleteIgnoresRevision(Sabotaged):
    """What was changed meanwhile is removed all the same."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Delete) and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


class RevisionKept(Sabotaged):
    """An update leaves the revision as it was."""

    def step(self, writing: Writing, change: Change) -> None:
        before = writing.records.get(change.ref)
        super().step(writing, change)
        if isinstance(change, Update) and before is not None:
            kept = {"revision": before.revision}
            writing.records[change.ref] = changed(writing.records[change.ref], kept)
            writing.revisions[change.ref] = str(before.revision)


class RevisionOfStore(Sabotaged):
    """Every change set gives all records another revision."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        if not changes.changes:
            return state, receipt
        new = str(state.written)
        records = {ref: changed(one, {"revision": new}) for ref, one in state.records.items()}
        told = [(ref, new) for ref, _ in receipt.revisions]
        receipt = attrs.evolve(receipt, revisions=told)
        receipts = {**state.receipts, changes.key: receipt}
        return attrs.evolve(state, records=records, receipts=receipts), receipt


# Once


class KeyIgnored(Sabotaged):
    """The same again is written again."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        self._state, receipt = self.write(changes)
        return receipt


class KeysFolded(Sabotaged):
    """Keys are compared without the size of letters."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        return super().apply(attrs.evolve(changes, key=changes.key.casefold()))

    def load(self, wanted: Wanted, /) -> Known:
        key = None if wanted.key is None else wanted.key.casefold()
        return super().load(attrs.evolve(wanted, key=key))


class KeysStripped(Sabotaged):
    """Keys are compared without the blanks around them."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(attrs.evolve(changes, key=changes.key.strip()))
        return attrs.evolve(receipt, key=changes.key)


class OtherRequestAccepted(Sabotaged):
    """Another request under a key gets the receipt of the first."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        before = self._state.receipts.get(changes.key)
        fingerprint = changes.fingerprint if before is None else str(before.fingerprint)
        return super().apply(attrs.evolve(changes, fingerprint=fingerprint))


class PlanCompared(Sabotaged):
    """One request that was decided differently the second time is taken for two."""

    def begin(self) -> None:
        self.plans: dict[str, ChangeSet] = {}

    def apply(self, changes: ChangeSet, /) -> Receipt:
        if self.plans.get(changes.key, changes).changes != changes.changes:
            return super().apply(attrs.evolve(changes, fingerprint="other"))
        receipt = super().apply(changes)
        self.plans[changes.key] = changes
        return receipt


class ReplayUntold(Sabotaged):
    """A receipt that comes again does not say so."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        return attrs.evolve(super().apply(changes), replayed=False)


class ReplayAnnounces(Sabotaged):
    """Events are sent whenever a change set comes."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        if receipt.replayed:
            events = (*self._state.events, *changes.events)
            self._state = attrs.evolve(self._state, events=events)
        return receipt


class ReplayForgets(Sabotaged):
    """The receipt that comes again does not know what was made."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        return attrs.evolve(receipt, ids=[]) if receipt.replayed else receipt


class NothingForgotten(Sabotaged):
    """A change set without changes is not remembered."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        if changes.changes or changes.events or changes.traces:
            return receipt
        return attrs.evolve(receipt, replayed=False)


class ReceiptWithoutIds(Sabotaged):
    """A receipt does not say what became of what was made."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return state, attrs.evolve(receipt, ids=receipt.ids[:1])


class ReceiptProvisional(Sabotaged):
    """A receipt tells stored refs as provisional ones."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        ids = [(new, attrs.evolve(ref, provisional=True)) for new, ref in receipt.ids]
        return state, attrs.evolve(receipt, ids=ids)


class ReceiptWithoutRevisions(Sabotaged):
    """A receipt does not tell the new revisions."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return state, attrs.evolve(receipt, revisions=[])


class ReceiptNotKept(Sabotaged):
    """A receipt is given, and cannot be looked up."""

    def load(self, wanted: Wanted, /) -> Known:
        return super().load(attrs.evolve(wanted, key=None))


# Claims


class ClaimsIgnored(Sabotaged):
    """Nobody looks who holds a key."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        del change, own


class KeysOnlyOfClaims(Sabotaged):
    """Only whoever claimed a key is known to hold it."""

    def begin(self) -> None:
        self.known: set[tuple[Ref, MatchKey]] = set()

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for one in changes.bound(dict(receipt.ids)).changes:
            if isinstance(one, Insert | Update):
                self.known |= {(one.ref, claim.key) for claim in one.claims}
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        keys = {key for _, key in wanted.matches}
        found = tuple(ref for ref, key in self.known if key in keys and ref in self.records)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *found), matches=()))


class ClaimsOfUpdatesIgnored(Sabotaged):
    """Only of new records anybody looks who holds their keys."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        if isinstance(change, Insert):
            super().check(writing, change, own)


class _Claims(Sabotaged):
    """Checks claims in another way."""

    def holders(self, writing: Writing, claim: Claim, kinds: Iterable[str]) -> set[Ref]:
        """Return who held a key before."""
        return {
            ref
            for ref, record in writing.state.records.items()
            if ref.kind in kinds and claim.key in match_keys(record, rules=self.rules)
        }


class KeysUnique(Sabotaged):
    """A key has one owner, whatever was decided."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        record = writing.records.get(change.ref)
        if not isinstance(change, Insert | Update) or record is None:
            return
        keys = match_keys(record, rules=self.rules)
        if change.ref.kind != "lead" and any(
            ref.kind == change.ref.kind and {*keys} & {*match_keys(other, rules=self.rules)}
            for ref, other in writing.state.records.items()
            if ref != change.ref
        ):
            raise ConflictError("others hold the key", [change.ref])


class ClaimsUniqueAtOnce(Sabotaged):
    """Two records of one change set cannot share a key."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        super().check(writing, change, own)
        for claim in change.claims if isinstance(change, Insert) else ():
            for other in writing.changes.changes:
                keys = [one.key for one in other.claims] if isinstance(other, Insert) else []
                stored = writing.ids.get(other.ref)
                if claim.key in keys and stored != change.ref:
                    raise ConflictError("others hold the key", [change.ref])


class ClaimsOnlyOfMore(_Claims):
    """Whoever was seen holding a key, and does not by now, is not missed."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            if self.holders(writing, claim, [change.ref.kind]) - own - {*claim.seen}:
                raise ConflictError("others hold the key", [change.ref])


class ClaimsOnlyOfFirst(_Claims):
    """Whoever saw one of those that hold a key is taken to have seen all."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            holders = self.holders(writing, claim, [change.ref.kind])
            seen = {*claim.seen} - own
            if bool(holders) != bool(seen) or (seen and not seen & holders):
                raise ConflictError("others hold the key", [change.ref])


class ClaimsOfAllKinds(_Claims):
    """A lead or a company that has an address keeps contacts from having it."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            kinds = [kind.id for kind in self.rules.every_kind]
            if self.holders(writing, claim, kinds) != {*claim.seen} - own:
                raise ConflictError("others hold the key", [change.ref])


class ClaimsForEver(Sabotaged):
    """A key stays claimed by whoever held it once."""

    def begin(self) -> None:
        self.claimed: dict[tuple[str, Claim], set[Ref]] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        whole = changes.bound(dict(receipt.ids))
        own = {ref for _, ref in receipt.ids}
        for one in whole.changes:
            for claim in one.claims if isinstance(one, Insert | Update) else ():
                held = self.claimed.setdefault((one.ref.kind, Claim(claim.key)), set())
                if held - {*claim.seen} - own:
                    raise ConflictError("others hold the key", [one.ref])
                held.add(one.ref)
        return state, receipt


# Refs


class AfterIgnored(Sabotaged):
    """What another change set makes is not waited for."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        there = [key for key in changes.after if key in self._state.receipts]
        return super().write(attrs.evolve(changes, after=there))


class AfterUnbound(Sabotaged):
    """What an earlier change set made is pointed at by its provisional ref."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        if set(changes.after) - self._state.receipts.keys():
            raise ConflictError("change sets are to be applied before")
        return super().write(attrs.evolve(changes, after=[]))


class AfterWithoutRevision(Sabotaged):
    """What an earlier change set made cannot be changed by a later one."""

    def step(self, writing: Writing, change: Change) -> None:
        if writing.changes.after and isinstance(change, Update):
            change = attrs.evolve(change, revision=None)
        super().step(writing, change)


class AfterIgnoresRevision(Sabotaged):
    """What an earlier change set made may be changed, whatever was done to it since."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        late = isinstance(change, Update | Delete) and writing.changes.after
        if late and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


class _Unbound(Sabotaged):
    """Leaves provisional refs in some part of what it stores."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        """Return what is stored with provisional refs left in it."""
        raise NotImplementedError

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return self.left(state, changes, dict(receipt.ids)), receipt


class ProvisionalInRecords(_Unbound):
    """A record refers to another by an id that this never got."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            if isinstance(one, Insert):
                told = {n: v.id for n, v in one.values.items() if isinstance(v, Ref)}
                records[ids[one.ref]] = changed(records[ids[one.ref]], told)
        return attrs.evolve(state, records=records)


class ProvisionalInLists(_Unbound):
    """A list refers to a record by an id that this never got."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            if isinstance(one, Attach):
                ref = ids.get(one.ref, one.ref)
                told = {one.field: tuple(ref.id for ref in one.refs)}
                records[ref] = changed(records[ref], told)
        return attrs.evolve(state, records=records)


class ProvisionalInHistory(_Unbound):
    """A lead remembers what it became by provisional refs."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            ref = ids.get(one.ref, one.ref)
            if isinstance(one, Update) and ref in records and "conversions" in one.values:
                told = {"conversions": one.values["conversions"]}
                records[ref] = changed(records[ref], told)
        return attrs.evolve(state, records=records)


class ProvisionalInEvents(_Unbound):
    """What is announced speaks of refs that nobody knows."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        del ids
        events = state.events[: len(state.events) - len(changes.events)]
        return attrs.evolve(state, events=(*events, *changes.events))


class ProvisionalInTraces(_Unbound):
    """What taking back needs speaks of refs that nobody knows."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        del ids
        traces = {**state.traces, **{one.id: one for one in changes.traces}}
        return attrs.evolve(state, traces=traces)


# Values


class EmojiMangled(Turned):
    """Characters beyond the first 65,536 become question marks."""

    def turn(self, value: object) -> object:
        if isinstance(value, str):
            return "".join("?" if ord(one) > 0xFFFF else one for one in value)
        return value


class NulDropped(Turned):
    """A NUL is left out of text."""

    def turn(self, value: object) -> object:
        return value.replace("\x00", "") if isinstance(value, str) else value


class TextCut(Turned):
    """Text is cut off where its column ends."""

    def turn(self, value: object) -> object:
        return value[:65_535] if isinstance(value, str) else value


class TextStripped(Turned):
    """Blanks around text are taken off."""

    def turn(self, value: object) -> object:
        return (value.strip() or value) if isinstance(value, str) else value


class TextNormalised(Turned):
    """Line ends are made those of the machine."""

    def turn(self, value: object) -> object:
        return value.replace("\r\n", "\n") if isinstance(value, str) else value


class DecimalsThroughFloats(Turned):
    """Amounts are kept as floating-point numbers."""

    def turn(self, value: object) -> object:
        return Decimal(str(float(value))) if isinstance(value, Decimal) else value


class DecimalsRounded(Turned):
    """Amounts are kept with two decimals."""

    def turn(self, value: object) -> object:
        return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value


class ZonesLost(Turned):
    """Moments are kept as the clock showed them, and read as UTC."""

    def turn(self, value: object) -> object:
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


class NaiveMoments(Turned):
    """Moments of data fields come back without a time zone."""

    def field(self, name: str, value: object) -> object:
        if name == "UF_MOMENT" and isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None)
        return value


class MicrosecondsLost(Turned):
    """Moments are kept to the second."""

    def turn(self, value: object) -> object:
        return value.replace(microsecond=0) if isinstance(value, datetime) else value


class DaysAreMoments(Turned):
    """Days of data fields become midnights."""

    def field(self, name: str, value: object) -> object:
        if name == "UF_DAY" and isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        return value


class EmptyIsMissing(Turned):
    """Blank text becomes None."""

    def field(self, name: str, value: object) -> object:
        return None if value == "" else value


class NaughtIsMissing(Turned):
    """Nought and False become None."""

    def field(self, name: str, value: object) -> object:
        return None if value in (0, False) else value


class DefaultsForgotten(Sabotaged):
    """A field that an insert does not name is None, whatever its class says."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert) and change.ref.kind == "visit":
            change = attrs.evolve(change, values={"hours": None, **change.values})
        super().step(writing, change)


class DefaultsInsisted(Sabotaged):
    """A field that was emptied on purpose is what its class says."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert) and change.ref.kind == "visit":
            filled = {name: one for name, one in change.values.items() if one is not None}
            change = attrs.evolve(change, values=filled)
        super().step(writing, change)


class UsesLost(Turned):
    """What a phone or an e-mail is used for is lost."""

    def turn(self, value: object) -> object:
        return Channel(value.value) if isinstance(value, Channel) else value


class LinesMerged(Turned):
    """Product lines that are equal become one."""

    def turn(self, value: object) -> object:
        lines = isinstance(value, tuple) and any(isinstance(one, Product) for one in value)
        return tuple(dict.fromkeys(cast("tuple[object]", value))) if lines else value


class LinksDropped(Sabotaged):
    """What a new record refers to by a list is lost."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            kept = {n: v for n, v in change.values.items() if n != "contact_ids"}
            change = attrs.evolve(change, values=kept)
        super().step(writing, change)


class LinksSorted(Turned):
    """What a record refers to by a list comes back in another order."""

    def turn(self, value: object) -> object:
        if isinstance(value, tuple) and all(isinstance(one, Ref) for one in value):
            return tuple(sorted(value, key=str))
        return value


class CustomLost(Sabotaged):
    """A custom field that refers is not kept."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            kept = {n: v for n, v in change.values.items() if n != "UF_PAYER"}
            change = attrs.evolve(change, values=kept)
        super().step(writing, change)


class HistoryCut(Turned):
    """What a lead remembers of being taken back is lost."""

    def turn(self, value: object) -> object:
        undone = getattr(value, "undone", None)
        return value if undone is None else attrs.evolve(cast("Conversion", value), undone=None)


# Reading


class SnapshotTorn(Sabotaged):
    """Each part of what is wanted is read as it is by then."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = super().load(Wanted(refs=tuple(wanted.refs)))
        matches = super().load(Wanted(matches=tuple(wanted.matches)))
        related = super().load(Wanted(related=tuple(wanted.related)))
        rest = super().load(Wanted(traces=tuple(wanted.traces), key=wanted.key))
        every = (*refs.records, *matches.records, *related.records)
        return attrs.evolve(rest, records=tuple(dict.fromkeys(every)))


class LoadsTwice(Sabotaged):
    """What is wanted in two ways is loaded twice."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = super().load(attrs.evolve(wanted, matches=(), related=()))
        rest = super().load(attrs.evolve(wanted, refs=()))
        return attrs.evolve(refs, records=(*refs.records, *rest.records))


class LoadsKindsAlike(Sabotaged):
    """A record is found by its id, of whatever kind it is."""

    def load(self, wanted: Wanted, /) -> Known:
        ids = {ref.id for ref in wanted.refs}
        alike = tuple(ref for ref in self.records if ref.id in ids)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *alike)))


class LoadsMore(Sabotaged):
    """Whoever asks for one record gets those that it refers to as well."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        more = {
            ref: record
            for ref, record in self.records.items()
            if ref.kind == "contact" and wanted.refs and record not in known.records
        }
        return attrs.evolve(known, records=(*known.records, *more.values()))


class LoadRaises(Sabotaged):
    """Whoever asks for what is not there gets an error."""

    def load(self, wanted: Wanted, /) -> Known:
        for ref in wanted.refs:
            if ref.kind != "nothing" and ref not in self.records:
                raise RecordNotFoundError("there is no such record", [ref])
        return super().load(wanted)


class LoadDecides(Sabotaged):
    """A store answers what it was not asked: that nobody may do anything."""

    def load(self, wanted: Wanted, /) -> Known:
        return attrs.evolve(super().load(wanted), decisions=[])


class LoadKnowsAnyKind(Sabotaged):
    """A kind that the store does not know is taken for one without records."""

    def load(self, wanted: Wanted, /) -> Known:
        known = {kind.id for kind in self.rules.every_kind}
        return super().load(
            attrs.evolve(
                wanted,
                refs=tuple(ref for ref in wanted.refs if ref.kind in known),
                matches=tuple(one for one in wanted.matches if one[0] in known),
                related=tuple(one for one in wanted.related if one[0] in known),
            )
        )


class MatchesParts(Sabotaged):
    """A key is found in a part of another."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = tuple(
            ref
            for ref, record in self.records.items()
            for kind, key in wanted.matches
            if kind == ref.kind
            and any(
                key.type == one.type and key.value in one.value
                for one in match_keys(record, rules=self.rules)
            )
        )
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs)))


class MatchesAsWritten(Sabotaged):
    """A key is looked for as it was written, not in its normal form."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        values = {key.value for _, key in wanted.matches if key.type == "email"}
        if not values:
            return known
        written = [
            record
            for record in known.records
            if values & {one.value for one in getattr(record, "emails", ())}
            or any(record == self.records.get(ref) for ref in wanted.refs)
        ]
        return attrs.evolve(known, records=written)


class MatchesOfFirst(Sabotaged):
    """Only the first e-mail of a record is one of its keys."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        values = {key.value for _, key in wanted.matches if key.type == "email"}
        if not values or wanted.refs:
            return known
        first = [
            record
            for record in known.records
            if getattr(record, "emails", ())
            and {one.value.strip().lower() for one in getattr(record, "emails", ())[:1]} & values
        ]
        return attrs.evolve(known, records=first)


class MatchesByEmail(Sabotaged):
    """Records are found by their e-mails alone."""

    def load(self, wanted: Wanted, /) -> Known:
        matches = tuple(one for one in wanted.matches if one[1].type == "email")
        return super().load(attrs.evolve(wanted, matches=matches))


class MatchesStale(Sabotaged):
    """Records are found by the keys they had at first."""

    def begin(self) -> None:
        self.first: dict[Ref, Record] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for ref, record in state.records.items():
            self.first.setdefault(ref, record)
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        refs = tuple(
            ref
            for ref in self.records
            for kind, key in wanted.matches
            if kind == ref.kind and key in match_keys(self.first[ref], rules=self.rules)
        )
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs), matches=()))


class RelatedIgnoresField(Sabotaged):
    """Whoever refers to a record by any field is found."""

    def load(self, wanted: Wanted, /) -> Known:
        every = tuple(
            (kind.id, name, to)
            for of, _, to in wanted.related
            for kind in self.rules.every_kind
            if kind.id == of
            for name, field in kind.members.items()
            if field.to == to.kind
        )
        return super().load(attrs.evolve(wanted, related=(*wanted.related, *every)))


class RelatedOfFirst(Sabotaged):
    """Only the first of what a list refers to is looked at."""

    def load(self, wanted: Wanted, /) -> Known:
        if wanted.refs or not wanted.related:
            return super().load(wanted)
        found = []
        for record in super().load(wanted).records:
            ids = [getattr(record, "contact_ids", ()), record.custom.get("lead_ids", ())]
            firsts = {one[0] for one in ids if one}
            to = {
                ref.id for _, field, ref in wanted.related if field in ("contact_ids", "lead_ids")
            }
            if not to or to & firsts:
                found.append(record)
        return Known(records=found)


class RelatedStandardOnly(Sabotaged):
    """A custom field that refers is not looked at."""

    def load(self, wanted: Wanted, /) -> Known:
        related = tuple(one for one in wanted.related if not one[1].startswith("UF_"))
        return super().load(attrs.evolve(wanted, related=related))


class RelatedStale(Sabotaged):
    """What was taken out of a list is found by it for ever."""

    def begin(self) -> None:
        self.ever: dict[tuple[str, str, str], set[Ref]] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for ref, record in state.records.items():
            for one in getattr(record, "converted_from", ()):
                self.ever.setdefault((ref.kind, "converted_from", one), set()).add(ref)
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        ever = (self.ever.get((kind, name, to.id), set()) for kind, name, to in wanted.related)
        refs = tuple(ref for each in ever for ref in each)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs)))


class AllTraces(Sabotaged):
    """Whoever asks for one trace gets all."""

    def load(self, wanted: Wanted, /) -> Known:
        traces = tuple(self._state.traces) if wanted.traces else ()
        return super().load(attrs.evolve(wanted, traces=traces))


class OwnsUntold(Sabotaged):
    """A store does not say whether it begins its own transactions."""

    @property
    def owns_transaction(self) -> bool:
        return None  # type: ignore[return-value]


# Many at once


class BulkStops(Sabotaged):
    """What is refused stops all that comes after it."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        answers: list[Receipt | StoreError] = []
        for one in sets:
            if answers and isinstance(answers[-1], StoreError):
                answers.append(answers[-1])
            else:
                answers += super().apply_many([one])
        return tuple(answers)


class BulkRaises(Sabotaged):
    """What is refused is raised, and nobody learns of the others."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        return tuple(self.apply(one) for one in sets)


class BulkUnordered(Sabotaged):
    """Answers come in another order than the change sets."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        return super().apply_many(sets)[::-1]


class BulkSeesBefore(Sabotaged):
    """All are checked against what was there before the first."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        listed = list(sets)
        first = self._state.receipts.keys()
        answers: list[Receipt | StoreError] = []
        for one in listed:
            if set(one.after) - first:
                answers.append(ConflictError("change sets are to be applied before"))
            else:
                answers += super().apply_many([one])
        return tuple(answers)


class BulkOfNone(Sabotaged):
    """Somebody who hands over nothing gets an error."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        listed = list(sets)
        if not listed:
            raise UnavailableError("there is nothing to apply")
        return super().apply_many(listed)


class BulkForgets(Sabotaged):
    """What was applied before is left out of the answers."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        answers = super().apply_many(sets)
        return tuple(one for one in answers if not isinstance(one, Receipt) or not one.replayed)


# A storage that has neither transactions nor revisions


class Service:
    """A store of a service that writes record by record and knows no revisions; it is no bug.

    What fails half-way is gone on with: each step is remembered under a key of its own, events and
    traces come with the last.
    """

    owns_transaction = True

    def __init__(self, rules: ConversionRules) -> None:
        numbers = count(1)
        self.inner = MemoryStore(rules, new_id=lambda _: str(next(numbers)))
        self.receipts: dict[str, Receipt] = {}

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is wanted; the revisions are the service's own and say nothing."""
        known = self.inner.load(attrs.evolve(wanted, key=None))
        records = [changed(one, {"revision": None}) for one in known.records]
        return attrs.evolve(known, records=records, receipt=self.receipts.get(str(wanted.key)))

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Take each step that was not taken yet."""
        if changes.key in self.receipts:
            return self.receipts[changes.key].again(changes)
        if set(changes.after) - self.receipts.keys():
            raise ConflictError("change sets are to be applied before")
        after = [key for one in changes.after for key in self.keys(one)]
        ids: dict[Ref, Ref] = {}
        for number, step in enumerate(self.steps(changes)):
            key = self.key(changes.key, number)
            one = self.step(attrs.evolve(step, key=key, after=after), ids, {*made(changes)})
            ids |= self.inner.apply(one).ids
            after.append(key)
        receipt = Receipt.of(changes, ids.items(), [])
        self.receipts[changes.key] = receipt
        return receipt

    def key(self, key: str, number: int) -> str:
        """Return the key of one step."""
        return f"{key}#{number}"

    def keys(self, key: str) -> list[str]:
        """Return the keys of all steps of a change set that was applied."""
        return [one for one in self.inner._state.receipts if one.rpartition("#")[0] == key]

    def steps(self, changes: ChangeSet) -> Iterator[ChangeSet]:
        """Yield each step as a change set, what is announced with the last."""
        bare = attrs.evolve(changes, events=[], traces=[])
        yield from (attrs.evolve(bare, changes=[one]) for one in changes.changes)
        yield attrs.evolve(changes, changes=[])

    def step(self, step: ChangeSet, ids: Mapping[Ref, Ref], new: set[Ref]) -> ChangeSet:
        """Return a step as the service takes it: with its revision, and its claims so far."""
        own = new | {*ids.values()}
        rewritten = [self.rewritten(one, own) for one in step.bound(ids).changes]
        return attrs.evolve(step, changes=rewritten)

    def rewritten(self, change: Change, own: set[Ref]) -> Change:
        """Return one change as the service takes it, given what its change set makes."""
        there = self.inner.records.get(change.ref)
        if there is not None and isinstance(change, Update | Delete):
            change = attrs.evolve(change, revision=there.revision)
        if isinstance(change, Insert | Update):
            claims = [self.claim(change.ref.kind, one, own) for one in change.claims]
            change = attrs.evolve(change, claims=claims)
        return change

    def claim(self, kind: str, claim: Claim, own: set[Ref]) -> Claim:
        """Return a claim that has seen what its change set has made by now."""
        found = self.inner.load(Wanted(matches=((kind, claim.key),))).records
        mine = {Ref(kind, one.id) for one in found} & own
        return Claim(claim.key, [*({*claim.seen} - own), *mine])


class ServiceLeadFirst(Service):
    """The lead is closed before anything is made of it."""

    def steps(self, changes: ChangeSet) -> Iterator[ChangeSet]:
        return iter(sorted(super().steps(changes), key=self._last))

    def _last(self, step: ChangeSet) -> bool:
        return not any(one.ref.kind == "lead" for one in step.changes)


class ServiceAnnouncesFirst(Service):
    """What is not done yet is announced."""

    def steps(self, changes: ChangeSet) -> Iterator[ChangeSet]:
        steps = list(super().steps(changes))
        yield from (*steps[-1:], *steps[:-1])


class ServiceAgain(Service):
    """What fails half-way is begun anew, and what was made is made twice."""

    tries = 0

    def apply(self, changes: ChangeSet, /) -> Receipt:
        self.tries += 1
        return super().apply(changes)

    def key(self, key: str, number: int) -> str:
        return f"{key}/{self.tries}#{number}"

    def keys(self, key: str) -> list[str]:
        return [one for one in self.inner._state.receipts if one.rpartition("/")[0] == key]


class ServiceGivesUp(Service):
    """What failed half-way is refused for ever."""

    def __init__(self, rules: ConversionRules) -> None:
        super().__init__(rules)
        self.failed: set[str] = set()

    def apply(self, changes: ChangeSet, /) -> Receipt:
        if changes.key in self.failed:
            raise ConflictError("it failed before")
        try:
            return super().apply(changes)
        except StoreError:
            self.failed.add(changes.key)
            raise


class ServiceWritesRecords(Service):
    """An update writes the whole record as it was when it was read first."""

    def __init__(self, rules: ConversionRules) -> None:
        super().__init__(rules)
        self.read: dict[Ref, Record] = {}

    def load(self, wanted: Wanted, /) -> Known:
        for ref in wanted.refs:
            if ref in self.inner.records:
                self.read.setdefault(ref, self.inner.records[ref])
        return super().load(wanted)

    def rewritten(self, change: Change, own: set[Ref]) -> Change:
        there = self.read.get(change.ref)
        if isinstance(change, Update) and there is not None and change.ref.kind == "deal":
            whole = {n: getattr(there, n) for n in ("title", "comments", "tags")}
            change = attrs.evolve(change, values={**whole, **change.values})
        return super().rewritten(change, own)


class ServiceWantsRevisions(Service):
    """An update needs a revision, though there are none."""

    def rewritten(self, change: Change, own: set[Ref]) -> Change:
        if isinstance(change, Update) and change.ref.kind == "deal" and change.revision is None:
            raise ConflictError("it was changed meanwhile", [change.ref])
        return super().rewritten(change, own)


class ServiceTears(Service):
    """What is written is seen by some ways of looking, and not by others."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        return attrs.evolve(known, traces=[]) if wanted.related else known
