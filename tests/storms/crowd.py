"""Processes that work at once on one database, and meet before each request."""

import multiprocessing
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from typing import Final

import attrs
from storms.world import ACTORS, AT, INTO, RULES, story

from leadconvert import ChangeSet, Insert, Known, Receipt, Target, Update, Wanted
from leadconvert.errors import LeadConvertError
from leadconvert.stores import SqlStore, convert_stored


__all__ = ["Answer", "Request", "at_once", "context", "refusals"]

#: Somebody who never comes to a meeting has broken down: the others need not wait for ever.
_PATIENCE: Final = 120


def context() -> ForkServerContext:
    """Return what starts processes: each is a copy of one that has only imported the library."""
    started = multiprocessing.get_context("forkserver")
    started.set_forkserver_preload(["leadconvert.stores.sql", "leadconvert.presets", "psycopg"])
    return started


@attrs.frozen(kw_only=True)
class Request:
    """One conversion; all meet before they begin, or *late*: decided, and nothing yet applied."""

    lead_id: str
    actor: int = 0
    into: tuple[str | Target, ...] = INTO
    key: str | None = None
    late: bool = True


@attrs.frozen
class Answer:
    """What somebody got: the story of a conversion, or the name of what was raised."""

    lead_id: str
    story: str | None = None
    error: str | None = None


def refusals(answers: Sequence[Answer]) -> dict[str, int]:
    """Return how often each error was raised."""
    return dict(sorted(Counter(one.error for one in answers if one.error).items()))


@attrs.define
class _Meeting:
    """A store before which all wait for each other, once; without *claims* it drops these."""

    store: SqlStore
    barrier: Barrier
    claims: bool
    waits: bool

    @property
    def owns_transaction(self) -> bool:
        return self.store.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        if self.waits:
            self.waits = False
            self.barrier.wait(_PATIENCE)
        return self.store.apply(changes if self.claims else _unclaimed(changes))


def _unclaimed(changes: ChangeSet) -> ChangeSet:
    without = [
        attrs.evolve(one, claims=()) if isinstance(one, Insert | Update) else one
        for one in changes.changes
    ]
    return attrs.evolve(changes, changes=without)


def at_once(
    url: str, work: Sequence[Sequence[Request]], meeting: int, *, claims: bool = True
) -> list[Answer]:
    """Give each list of requests to a process, and return all answers.

    Processes that are next to each other meet, *meeting* of them; their lists are equally long.
    """
    started, readers, answers = context(), list[Connection](), list[Answer]()
    processes = []
    barriers = [started.Barrier(meeting) for _ in range(0, len(work), meeting)]
    for place, requests in enumerate(work):
        reader, writer = started.Pipe(duplex=False)
        args = (url, list(requests), (barriers[place // meeting], claims, place), writer)
        processes.append(started.Process(target=_convert, args=args))
        processes[-1].start()
        writer.close()
        readers.append(reader)
    try:
        for reader in readers:
            # who breaks down has no answers, and they are missed
            with reader, suppress(EOFError):
                answers += reader.recv()
    except BaseException:
        # nobody is left at work on a database that goes away
        for process in processes:
            process.kill()
        raise
    for process in processes:
        process.join()
        process.close()
    return answers


def _convert(
    url: str, requests: Sequence[Request], told: tuple[Barrier, bool, int], answers: Connection
) -> None:
    barrier, claims, place = told
    with SqlStore.from_url(url, rules=RULES) as store, answers:
        meetings = [_Meeting(store, barrier, claims, one.late) for one in requests]
        both = zip(meetings, requests, strict=True)
        answers.send([_answer(meeting, one, place) for meeting, one in both])


def _answer(meeting: _Meeting, asked: Request, place: int) -> Answer:
    try:
        if not asked.late:
            meeting.barrier.wait(_PATIENCE)
        result = convert_stored(
            meeting,
            asked.lead_id,
            asked.into,
            rules=RULES,
            actor=ACTORS[asked.actor],
            at=AT + timedelta(seconds=place),
            key=asked.key,
        )
    except LeadConvertError as error:
        return Answer(asked.lead_id, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
        traceback.print_exception(error)
        meeting.barrier.abort()
        return Answer(asked.lead_id, error=f"untyped {type(error).__name__}")
    return Answer(asked.lead_id, story(result.conversion))
