"""A storage that has neither transactions nor revisions, and bugs planted in it."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import ClassVar

import attrs
from sabotage import caught_by

from leadconvert import (
    Change,
    ChangeSet,
    Claim,
    ConversionRules,
    Delete,
    Insert,
    Known,
    Receipt,
    Record,
    Ref,
    Update,
    Wanted,
)
from leadconvert.changes import made
from leadconvert.errors import ConflictError, StoreError
from leadconvert.records import changed
from leadconvert.stores import MemoryStore
from leadconvert.testing import Opened, StoreContract


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

    @classmethod
    def contract(cls) -> type[StoreContract]:
        """Return the contract for such a service."""
        return type(f"Test{cls.__name__}", (ServiceContract,), {"service": cls})

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


@caught_by("test_without_transactions_the_lead_comes_last")
class ServiceLeadFirst(Service):
    """The lead is closed before anything is made of it."""

    def steps(self, changes: ChangeSet) -> Iterator[ChangeSet]:
        return iter(sorted(super().steps(changes), key=self._last))

    def _last(self, step: ChangeSet) -> bool:
        return not any(one.ref.kind == "lead" for one in step.changes)


@caught_by("test_without_transactions_the_lead_comes_last")
class ServiceAnnouncesFirst(Service):
    """What is not done yet is announced."""

    def steps(self, changes: ChangeSet) -> Iterator[ChangeSet]:
        steps = list(super().steps(changes))
        yield from (*steps[-1:], *steps[:-1])


@caught_by("test_without_transactions_again_makes_nothing_twice")
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


@caught_by("test_without_transactions_again_completes", "test_race_with_a_newcomer")
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


@caught_by("test_without_revisions_a_late_update_leaves_other_fields_alone")
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


@caught_by("test_without_revisions_none_is_needed")
class ServiceWantsRevisions(Service):
    """An update needs a revision, though there are none."""

    def rewritten(self, change: Change, own: set[Ref]) -> Change:
        if isinstance(change, Update) and change.ref.kind == "deal" and change.revision is None:
            raise ConflictError("it was changed meanwhile", [change.ref])
        return super().rewritten(change, own)


@caught_by("test_alone_a_load_sees_whole_change_sets")
class ServiceTears(Service):
    """What is written is seen by some ways of looking, and not by others."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        return attrs.evolve(known, traces=[]) if wanted.related else known


class ServiceContract(StoreContract):
    """The contract of a storage that has neither, and that one user has for itself."""

    transactions = False
    revisions = False
    shared = False
    service: ClassVar[type[Service]] = Service

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open the service."""
        store = self.service(self.rules)
        yield Opened(store, lambda: store.inner.records, lambda: store.inner.events)
