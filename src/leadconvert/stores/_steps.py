"""One request on its way through a store: the steps it takes, and who walks them."""

from collections.abc import Callable, Generator, Iterable, Iterator
from inspect import isawaitable, iscoroutine
from typing import Final, Protocol, TypeVar

import attrs

from leadconvert import (
    ChangeSet,
    ConversionRules,
    Known,
    Lead,
    Receipt,
    Record,
    Ref,
    StageChange,
    Wanted,
    survivor,
)
from leadconvert.errors import (
    AccessDeniedError,
    ConflictError,
    ConversionError,
    IdempotencyError,
    RecordNotFoundError,
    StoreError,
    UnavailableError,
)
from leadconvert.given import named
from leadconvert.problems import Cause
from leadconvert.records import changed
from leadconvert.stores._port import AsyncStore, Store


__all__ = [
    "Apply",
    "Driver",
    "Load",
    "Steps",
    "by_ref",
    "found",
    "misfit",
    "of_kinds",
    "run",
    "run_async",
]

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
    asked = store.load(step.wanted) if isinstance(step, Load) else store.apply(step.changes)
    answer: object = asked
    if iscoroutine(answer):
        answer.close()  # it would be warned of as well
        raise TypeError("the store is awaited: use the driver that ends in _async")
    return _answer(step, answer)


def _answer(step: Load | Apply, answer: object) -> Known | Receipt:
    cls = Known if isinstance(step, Load) else Receipt
    if not isinstance(answer, cls):
        name = f"{type(step).__name__.lower()}()"
        raise TypeError(f"{name} of a store returns {named(cls)}, not {named(type(answer))}")
    return answer


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
    asked = store.load(step.wanted) if isinstance(step, Load) else store.apply(step.changes)
    answer: object = asked
    if not isawaitable(answer):
        raise TypeError("the store is not awaited: use the driver without _async")
    return _answer(step, await answer)


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

    *ask* says what else to load for it. Where the store begins its own transactions, what was
    decided on something that has changed or is gone is decided again, *attempts* times in all.
    """

    ref: Ref | None
    #: The id of who asks, if somebody does.
    actor_id: str | None
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
                if known.receipt.fingerprint not in self._fingerprints(decide, decided, known):
                    raise IdempotencyError(str(self.key))
                self._allow_telling(decide, decided, known, known.receipt)
                return (yield from self._again(read, known.receipt))
            result = decided.result()
            try:
                receipt = yield Apply(result.changes)
            except (ConflictError, RecordNotFoundError):
                # what was there when it was decided may be gone
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
            refs = (*own, *of_kinds(need.refs, self.rules))
            more = attrs.evolve(need, refs=refs, key=self.key)
            if _covers(asked, more):
                return known
            asked = more
        raise UnavailableError("it changes faster than it can be read", own)

    def _fingerprints(
        self, decide: Callable[[Known], Plan[D]], decided: Plan[D], known: Known
    ) -> Iterator[str | None]:
        """Yield what stands for the request, and for the same before its record was merged."""
        yield decided.fingerprint
        if self.ref is not None and survivor(self.ref, known.merged) != self.ref:
            before = changed(found(known, self.ref, self.rules), {"id": self.ref.id})
            yield decide(attrs.evolve(known, records=[before], merged=())).fingerprint

    def _allow_telling(
        self,
        decide: Callable[[Known], Plan[D]],
        decided: Plan[D],
        known: Known,
        receipt: Receipt,
    ) -> None:
        """Refuse to tell of a request made before whoever may not make it now.

        The request itself may have taken the lead to where its actor has no rights, and what it
        made may be no more theirs: they are told if they may still act on it where they found it.
        """
        denied = _denied(decided)
        if denied is None:
            return
        for found_then in self._as_found(known, receipt):
            then = _denied(decide(found_then))
            if then is None or all(one.cause is not Cause.LEAD_ACCESS for one in then.problems):
                return
        raise denied

    def _as_found(self, known: Known, receipt: Receipt) -> Iterator[Known]:
        """Yield what is known, the record standing wherever who asks has taken it from."""
        assert self.ref is not None  # noqa: S101 - nobody is denied that a lead arrives
        kind = next(one for one in self.rules.every_kind if one.id == self.ref.kind)
        record = found(known, self.ref, self.rules)
        history = kind.read(record, "stage_history")
        passed = history if isinstance(history, tuple) else ()
        moves = [one for one in passed if isinstance(one, StageChange)]
        stages = [one.from_stage for one in moves if one.actor_id == self.actor_id]
        if isinstance(record, Lead):
            made = (one for one in record.conversions if one.id in receipt.conversions)
            stages += [record.stage for one in made if one.actor_id == self.actor_id]
        others = [one for one in known.records if one is not record]
        for stage in dict.fromkeys(filter(None, stages)):
            yield attrs.evolve(known, records=[changed(record, {str(kind.stage): stage}), *others])

    def _again(self, read: Callable[[Known, Ref, Receipt], D], receipt: Receipt) -> Steps[D]:
        """Return what a request made before came to, as the records stand now."""
        ref = self.ref or self._arrived(receipt)
        known = yield from _loaded(Wanted(refs=(ref,)))
        record = found(known, ref, self.rules)
        made = record.conversions if isinstance(record, Lead) else ()
        named = (one for each in made for one in each.targets)
        changed_then = (one for one, _ in receipt.revisions)
        refs = dict.fromkeys(of_kinds((*named, *changed_then), self.rules))
        return read((yield from _loaded(Wanted(refs=tuple({ref: None, **refs})))), ref, receipt)

    def _arrived(self, receipt: Receipt) -> Ref:
        """Return which lead arrived: the request made it."""
        for _, stored in receipt.ids:
            if stored.kind == self.rules.lead.id:
                return stored
        raise misfit(receipt, "which lead arrived")


def misfit(receipt: Receipt, what: str, *refs: Ref) -> StoreError:
    """Return the error for a receipt that does not say *what* the request came to."""
    told = f"the receipt under the key {receipt.key!r} does not say {what}"
    return StoreError(told, refs)


def _denied(decided: Plan[D]) -> AccessDeniedError | None:
    """Return the denial, if that is what is wrong with a request.

    That it cannot be made again, since it was made, is none.
    """
    try:
        decided.result()
    except AccessDeniedError as denied:
        return denied
    except ConversionError:
        pass
    return None


def _loaded(wanted: Wanted) -> Generator[Load | Apply, Known | Receipt, Known]:
    known = yield Load(wanted)
    assert isinstance(known, Known)  # noqa: S101 - the answer to what was asked
    return known


def found(known: Known, ref: Ref, rules: ConversionRules) -> Record:
    """Return the record with *ref* among those that are known, or into which it was merged.

    Raises:
        leadconvert.errors.RecordNotFoundError: it is not there.
    """
    record = by_ref(known, rules).get(survivor(ref, known.merged))
    if record is None:
        raise RecordNotFoundError("there is no such record", [ref])
    return record


def by_ref(known: Known, rules: ConversionRules) -> dict[Ref, Record]:
    """Return the records that are known by their refs."""
    kinds = ((rules.kind_of(record), record) for record in known.records)
    return {Ref(kind.id, record.id): record for kind, record in kinds if kind is not None}


def of_kinds(refs: Iterable[Ref], rules: ConversionRules) -> Iterator[Ref]:
    """Yield what is of a kind of the rules: no store has what these knew once, or never knew."""
    kinds = {kind.id for kind in rules.every_kind}
    yield from (ref for ref in refs if ref.kind in kinds)


def _covers(asked: Wanted, need: Wanted) -> bool:
    """Whether all that is needed was asked for."""
    return all(
        set(getattr(need, name)) <= set(getattr(asked, name))
        for name in ("refs", "matches", "related", "traces")
    )
