"""Workers that are killed at random moments of a batch; afterwards the batch is run again."""

import random
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

import attrs
from storms.beneath import beneath
from storms.crowd import context
from storms.fault import Fault
from storms.world import ACTORS, AT, INTO, RULES, Report, census, emptied, person

from leadconvert import Lead, Receipt, Ref, Wanted, convert, seed, wanted
from leadconvert.errors import AlreadyConvertedError, LeadConvertError
from leadconvert.stores import SqlStore, convert_stored


__all__ = ["all_at_once", "crash"]

#: Tells that a lead is converted.
Tell = Callable[[str], object]
Work = Callable[[SqlStore, Sequence[str], Tell], None]


def crash(url: str, kills: int, batch: int, chance: random.Random) -> Report:
    """Kill a worker *kills* times amid a batch of leads; look, run the batch again, look again.

    Every other batch is converted lead by lead, the others by one `apply_many`. Half of the workers
    are killed from outside, whatever they do just then, half at a random statement or commit. A
    worker says which leads it was told are converted: these must be.
    """
    ids = [f"L-{n}" for n in range(batch)]
    leads = [person(one, n) for n, one in enumerate(ids)]
    found = dict.fromkeys(_COUNTED, 0)
    with SqlStore.from_url(url, rules=RULES) as store:
        store.create()
        fresh = partial(_fresh, url, store, leads)
        works: list[Work] = [_one_by_one, all_at_once]
        spans = [_span(url, ids, work, fresh) for work in works]
        while found["killed"] < kills:
            fresh()
            work, (seconds, statements) = works[found["killed"] % 2], spans[found["killed"] % 2]
            if found["killed"] // 2 % 2:
                ended = _worker(url, ids, work, seconds=chance.uniform(0, seconds))
            else:
                fault = Fault("killed", chance.randint(1, statements))
                ended = _worker(url, ids, work, fault=fault)
            if not ended.killed:
                # it was through already: sooner next time
                spans[found["killed"] % 2] = seconds * 0.9, statements
                continue
            left = census(url)
            try:
                work(store, ids, _nobody)
            except LeadConvertError as error:
                traceback.print_exception(error)
                found["refused at the rerun"] += 1
            now = census(url)
            found["killed"] += 1
            found["of these with nothing converted yet"] += not left.converted
            found["of these with all converted"] += len(left.converted) == batch
            found["half, double or orphaned before the rerun"] += left.wrong
            found["half, double or orphaned after the rerun"] += now.wrong
            found["told as converted, but not"] += len(ended.told - left.converted.keys())
            found["not converted after the rerun"] += batch - len(now.converted)
    promised = {name: 0 for name in _COUNTED if not name.startswith("of these")}
    return Report(found, {**promised, "killed": kills})


_COUNTED: Final = (
    "killed",
    "of these with nothing converted yet",
    "of these with all converted",
    "half, double or orphaned before the rerun",
    "half, double or orphaned after the rerun",
    "told as converted, but not",
    "refused at the rerun",
    "not converted after the rerun",
)


def _nobody(_: str) -> None:
    """Nobody listens."""


def _fresh(url: str, store: SqlStore, leads: Sequence[Lead]) -> None:
    emptied(url)
    store.apply(seed(leads, rules=RULES))


@attrs.frozen
class _Ended:
    """A worker that is no more: what it told, and in how many seconds and statements."""

    told: frozenset[str]
    killed: bool
    seconds: float
    statements: int


def _span(url: str, ids: Sequence[str], work: Work, fresh: Callable[[], None]) -> tuple[float, int]:
    """Return how many seconds and statements it takes a worker that is left alone."""
    fresh()
    seconds = _worker(url, ids, work).seconds
    fresh()
    return seconds, _worker(url, ids, work, fault=Fault()).statements


def _worker(
    url: str,
    ids: Sequence[str],
    work: Work,
    *,
    seconds: float | None = None,
    fault: Fault | None = None,
) -> _Ended:
    """Let a process work, and kill it after so many *seconds*, or have a *fault* do that."""
    started = context()
    reader, writer = started.Pipe(duplex=False)
    process = started.Process(target=_run, args=(url, list(ids), work, fault, writer))
    process.start()
    try:
        writer.close()
        reader.recv()  # it begins now
        begun = time.monotonic()
        process.join(seconds)
        taken = time.monotonic() - begun
    finally:
        # whatever happens here: nobody is left at work on a database that goes away
        process.kill()
        process.join()
    killed = process.exitcode == -signal.SIGKILL
    if not killed and process.exitcode:
        raise RuntimeError("a worker broke down by itself")
    process.close()
    said: list[str | int] = []
    with reader, suppress(EOFError):
        while True:
            said.append(reader.recv())
    told = frozenset(one for one in said if isinstance(one, str))
    return _Ended(told, killed, taken, sum(one for one in said if isinstance(one, int)))


def _run(
    url: str, ids: Sequence[str], work: Work, fault: Fault | None, answers: Connection
) -> None:
    if fault is None:
        with SqlStore.from_url(url, rules=RULES) as store:
            _begun(store, answers)
            work(store, ids, answers.send)
        return
    with beneath(url) as (store, under):
        _begun(store, answers)
        under.fault = fault
        work(store, ids, answers.send)
    answers.send(fault.passed)


def _begun(store: SqlStore, answers: Connection) -> None:
    store.load(Wanted())  # the connection stands
    answers.send(None)


def _one_by_one(store: SqlStore, ids: Sequence[str], tell: Tell) -> None:
    for one in ids:
        try:
            convert_stored(store, one, INTO, rules=RULES, actor=ACTORS[0], at=AT)
        except AlreadyConvertedError:
            continue
        tell(one)


def all_at_once(store: SqlStore, ids: Sequence[str], tell: Tell) -> None:
    """Convert those that are not converted by one `apply_many`."""
    refs = [Ref("lead", one) for one in ids]
    leads = [
        one
        for one in store.load(Wanted(refs=tuple(refs))).records
        if isinstance(one, Lead) and not one.conversions
    ]
    asked = [wanted(lead, INTO, rules=RULES) for lead in leads]
    known = store.load(Wanted(matches=tuple(match for one in asked for match in one.matches)))
    sets = [
        convert(lead, INTO, rules=RULES, actor=ACTORS[0], at=AT, known=known).changes
        for lead in leads
    ]
    for lead, answer in zip(leads, store.apply_many(sets), strict=True):
        if not isinstance(answer, Receipt):
            raise answer
        tell(lead.id)
