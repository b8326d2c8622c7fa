"""One request on its way through a store: the steps it takes, and who walks them."""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, Protocol, TypeVar

import attrs

from leadconvert import ChangeSet, ConversionRules, Known, Lead, Receipt, Record, Ref, Wanted
from leadconvert.errors import (
    AccessDeniedError,
    ConflictError,
    ConversionError,
    IdempotencyError,
    RecordNotFoundError,
    StoreError,
    UnavailableError,
)
from leadconvert.stores._port import AsyncStore, Store


__all__ = ["Apply", "Driver", "Load", "Steps", "by_ref", "found", "run", "run_async"]

R = TypeVar("R")

#: What is wanted may lead to more, which may lead to more; nothing needs so many rounds.
_ROUNDS: Final = 10


@attrs.frozen
class Load:
    """A store is to load what is *wanted*."""

    wanted: Wanted


@attrs.frozen
class Apply:
    """A store is to apply *changes*."""

    changes: ChangeSet


#: What is asked of a store, one after the other, and what it comes to.
Steps = Generator[Load | Apply, Known | Receipt, R]


def run(steps: Steps[R], store: Store) -> R:
    """Walk the *steps* with a store."""
    try:
        step = next(steps)
        while True:
            try:
                answer = _asked(step, store)
            except StoreError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: R = done.value
        return result


def _asked(step: Load | Apply, store: Store) -> Known | Receipt:
    return store.load(step.wanted) if isinstance(step, Load) else store.apply(step.changes)


async def run_async(steps: Steps[R], store: AsyncStore) -> R:
    """Walk the *steps* with a store that is awaited."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await _asked_async(step, store)
            except StoreError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        result: R = done.value
        return result


async def _asked_async(step: Load | Apply, store: AsyncStore) -> Known | Receipt:
    if isinstance(step, Load):
        return await store.load(step.wanted)
    return await store.apply(step.changes)


class Result(Protocol):
    """What a decision gives: changes to apply, and itself as it is stored."""

    @property
    def changes(self) -> ChangeSet:
        """What a store is to do."""
        ...


D = TypeVar("D", bound=Result)
D_co = TypeVar("D_co", bound=Result, covariant=True)


class Plan(Protocol[D_co]):
    """What looking first gives: the fingerprint of the request, and the result or a refusal."""

    @property
    def fingerprint(self) -> str:
        """Stands for the request."""
        ...

    def result(self) -> D_co:
        """Return the result, or raise what is wrong."""
        ...


@attrs.frozen(kw_only=True)
class Driver:
    """One request about one record that is stored, or about one that arrives: then *ref* is None.

    *ask* says what else to load for it; a conflict is decided again, *attempts* times in all, where
    the store begins its own transactions.
    """

    ref: Ref | None
    rules: ConversionRules
    ask: Callable[[Known], Wanted]
    key: str | None
    attempts: int
    owns_transaction: bool

    def steps(
        self,
        decide: Callable[[Known], Plan[D]],
        stored: Callable[[D, Receipt], D],
        read: Callable[[Known, Ref, Receipt], D],
    ) -> Steps[D]:
        """Yield what to load and apply; return the result as stored, or as it is *read* back."""
        left = self.attempts if self.owns_transaction else 1
        while True:
            left -= 1
            known = yield from self._gathered()
            decided = decide(known)
            if known.receipt is not None:
                if known.receipt.fingerprint != decided.fingerprint:
                    raise IdempotencyError(str(self.key))
                _still_allowed(decided)
                return (yield from self._again(read, known.receipt))
            result = decided.result()
            try:
                receipt = yield Apply(result.changes)
            except ConflictError:
                if left <= 0:
                    raise
                continue
            assert isinstance(receipt, Receipt)  # noqa: S101 - the answer to what was asked
            if receipt.replayed:
                return (yield from self._again(read, receipt))
            return stored(result, receipt)

    def _gathered(self) -> Generator[Load | Apply, Known | Receipt, Known]:
        """Load what is wanted, until nothing more is."""
        own = () if self.ref is None else (self.ref,)
        asked = Wanted(refs=own, key=self.key)
        for _ in range(_ROUNDS):
            known = yield from _loaded(asked)
            need = self.ask(known)
            refs = (*own, *_of_kinds(need.refs, self.rules))
            more = attrs.evolve(need, refs=refs, key=self.key)
            if _covers(asked, more):
                return known
            asked = more
        raise UnavailableError("it changes faster than it can be read", own)

    def _again(self, read: Callable[[Known, Ref, Receipt], D], receipt: Receipt) -> Steps[D]:
        """Return what a request made before came to, as the records stand now."""
        lead = self.rules.lead.id
        # what arrived was made by it
        ref = self.ref or next(stored for _, stored in receipt.ids if stored.kind == lead)
        known = yield from _loaded(Wanted(refs=(ref,)))
        record = found(known, ref, self.rules)
        made = record.conversions if isinstance(record, Lead) else ()
        refs = _of_kinds((one for each in made for one in each.targets), self.rules)
        return read((yield from _loaded(Wanted(refs=(ref, *refs)))), ref, receipt)


def _still_allowed(decided: Plan[D]) -> None:
    """Refuse to tell of a request made before whoever may not make it now.

    That it cannot be made again, since it was made, is no reason.
    """
    try:
        decided.result()
    except AccessDeniedError:
        raise
    except ConversionError:
        return


def _loaded(wanted: Wanted) -> Generator[Load | Apply, Known | Receipt, Known]:
    known = yield Load(wanted)
    assert isinstance(known, Known)  # noqa: S101 - the answer to what was asked
    return known


def found(known: Known, ref: Ref, rules: ConversionRules) -> Record:
    """Return the record with *ref* among those that are known.

    Raises:
        leadconvert.errors.RecordNotFoundError: it is not there.
    """
    record = by_ref(known, rules).get(ref)
    if record is None:
        raise RecordNotFoundError("there is no such record", [ref])
    return record


def by_ref(known: Known, rules: ConversionRules) -> dict[Ref, Record]:
    """Return the records that are known by their refs."""
    kinds = ((rules.kind_of(record), record) for record in known.records)
    return {Ref(kind.id, record.id): record for kind, record in kinds if kind is not None}


def _of_kinds(refs: Iterable[Ref], rules: ConversionRules) -> Iterator[Ref]:
    """Yield what is of a kind of the rules: no store has what these knew once, or never knew."""
    kinds = {kind.id for kind in rules.every_kind}
    yield from (ref for ref in refs if ref.kind in kinds)


def _covers(asked: Wanted, need: Wanted) -> bool:
    """Whether all that is needed was asked for."""
    return all(
        set(getattr(need, name)) <= set(getattr(asked, name))
        for name in ("refs", "matches", "related", "traces")
    )
