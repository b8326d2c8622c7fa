"""Statements that go wrong, one after the other; afterwards the same is asked for again."""

import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, permutations
from typing import Final

import attrs
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from storms.beneath import Beneath, beneath
from storms.crash import all_at_once
from storms.fault import Fault
from storms.wire import Wire
from storms.world import ACTORS, AT, INTO, RULES, Census, Report, census, emptied, person, story

from leadconvert import Channel, Company, Contact, Record, seed
from leadconvert.errors import AlreadyConvertedError, LeadConvertError
from leadconvert.stores import SqlStore, convert_stored


__all__ = ["faults"]

#: What goes wrong at each statement, by how the database is made to do it.
_SQLITE: Final = {
    "failed": "the disk fails before each statement",
    "unanswered": "the disk fails after each statement",
    "busy": "the database is locked before each statement",
}
_POSTGRESQL: Final = {
    "ended": "the backend is ended before each statement",
    "unanswered": "the connection is lost after each statement",
    "40001": "a serialization failure at each statement",
    "40P01": "a deadlock reported at each statement",
}
_DEADLOCK: Final = "40P01"
#: Whether the others are broken off, when two wait for each other, and what that is called.
_CROSSED: Final = {
    False: "a deadlock with others, and the conversion is broken off",
    True: "a deadlock with others, and these are broken off",
}


def faults(url: str, requests: int, every: int) -> dict[str, Report]:
    """Return what came of each sort of fault at *every* so many statements, the last among them.

    A lead is converted, with a key of the caller's or without, its contact and company there
    already or new; or five leads by one `apply_many`: the first *requests* of these five. One
    statement goes wrong. Then the world is looked at, the same is asked for again of the same
    store, and the world is looked at again.
    """
    asked = _REQUESTS[:requests]
    sorts = _SQLITE if url.startswith("sqlite") else _POSTGRESQL
    # whoever waits for others who wait for it is soon broken off
    with beneath(url, "-cdeadlock_timeout=300ms") as (store, under):
        store.create()
        storm = _Storm(url, store, under)
        courses = {
            name: [one for request in asked for one in storm.each(request, how, every)]
            for how, name in sorts.items()
        }
        if isinstance(under, Wire):
            courses |= {
                name: [
                    one
                    for request in asked
                    for one in storm.crossed(under, request, others_fail=others_fail)
                ]
                for others_fail, name in _CROSSED.items()
            }
    # what is lost may be the answer to the commit, which is done by then
    done = {sorts["unanswered"]: len(asked)}
    return {name: _tally(some, done.get(name, 0)) for name, some in courses.items()}


@attrs.frozen
class _Request:
    """A conversion of lead L-0, or of many at once, and who is there when it is asked for."""

    key: str | None
    there: tuple[Record, ...] = ()
    leads: int = 1

    @property
    def ids(self) -> list[str]:
        """The leads."""
        return [f"L-{n}" for n in range(self.leads)]


_THERE: Final = (
    Contact(id="C-9", last_name="Number 0", emails=[Channel("ada0@example.com")]),
    Company(id="CO-9", name="Works 0"),
)
_REQUESTS: Final = (
    _Request("order 1", _THERE),
    _Request(None),
    _Request("order 1"),
    _Request(None, _THERE),
    _Request(None, leads=5),
)
#: The rows that a conversion needs, where contact and company are there.
_ROWS: Final = (("lc_lead", "L-0"), ("lc_contact", "C-9"), ("lc_company", "CO-9"))


@attrs.frozen
class _Answer:
    """What somebody got: the leads that were told to be converted, or the name of an error.

    Of each lead it may have been told what became of it.
    """

    told: Mapping[str, str | None] = attrs.Factory(dict)
    error: str | None = None


@attrs.frozen
class _Course:
    """How it went: what was answered, and what was there then, the first time and the second."""

    request: _Request
    first: _Answer
    left: Census
    second: _Answer
    now: Census

    @property
    def untold(self) -> bool:
        """Whether it was done, but whoever asked could not be told."""
        return self.first.error is not None and bool(self.left.converted)

    @property
    def untrue(self) -> bool:
        """Whether somebody was told of a conversion that is not there."""
        both = ((self.first, self.left), (self.second, self.now))
        return any(answer.told.keys() - there.converted.keys() for answer, there in both)

    @property
    def others(self) -> bool:
        """Whether another conversion was told of, or was there, than there is in the end."""
        told = (self.first.told, self.second.told, self.left.converted)
        return any(
            what not in (None, self.now.converted.get(lead))
            for one in told
            for lead, what in one.items()
        )

    @property
    def refused(self) -> bool:
        """Whether it was refused in the end; without a key, to be told it is done is no refusal."""
        done = self.request.key is None and bool(self.left.converted)
        return self.second.error not in (None, AlreadyConvertedError.__name__ if done else None)


@attrs.frozen
class _Storm:
    """A store, and what is beneath it."""

    url: str
    store: SqlStore
    under: Beneath

    def each(self, request: _Request, how: str, every: int) -> Iterator[_Course]:
        """Let statements go wrong in turn, until a conversion is through before the next."""
        whole = Fault()
        self._first(request, whole)
        for nth in count((whole.passed - 1) % every + 1, every):
            fault = Fault(how, nth)
            first = self._first(request, fault)
            if not fault.happened:
                return
            yield self._then(request, first)

    def crossed(self, between: Wire, request: _Request, *, others_fail: bool) -> Iterator[_Course]:
        """Let others lock one row, and another when the conversion waits for the first.

        If the conversion has locked that other one by then, neither can ever go on, and PostgreSQL
        breaks off whoever is sooner at the end of its patience.
        """
        engine = create_engine(between.server, poolclass=NullPool)
        patience = "10ms" if others_fail else "10s"
        for row, other in permutations(_ROWS, 2) if request.there else ():
            self._fresh(request)
            before = between.states[_DEADLOCK]
            with ThreadPoolExecutor(1) as threads, engine.connect() as others:
                others.execute(text(f"SET LOCAL deadlock_timeout = '{patience}'"))
                _locked(others, row)
                asked = threads.submit(self._ask, request)
                while not (asked.done() or _keeps_waiting(others)):
                    time.sleep(0.01)
                others_failed = not _locked(others, other)
                others.rollback()
                first = asked.result()
            if others_failed if others_fail else between.states[_DEADLOCK] > before:
                yield self._then(request, first)

    def _first(self, request: _Request, fault: Fault) -> _Answer:
        self._fresh(request)
        self.under.fault = fault
        answer = self._ask(request)
        self.under.fault = None
        return answer

    def _then(self, request: _Request, first: _Answer) -> _Course:
        """Look, ask again, look again."""
        left = self._look(request)
        second = self._ask(request)
        return _Course(request, first, left, second, self._look(request))

    def _fresh(self, request: _Request) -> None:
        emptied(self.url)
        leads = [person(one, n) for n, one in enumerate(request.ids)]
        self.store.apply(seed([*leads, *request.there], rules=RULES))

    def _look(self, request: _Request) -> Census:
        return census(self.url, seeded=[one.id for one in request.there])

    def _ask(self, request: _Request) -> _Answer:
        told: dict[str, str | None] = {}
        try:
            if request.leads > 1:
                all_at_once(self.store, request.ids, told.setdefault)
            else:
                result = convert_stored(
                    self.store, "L-0", INTO, rules=RULES, actor=ACTORS[0], at=AT, key=request.key
                )
                told["L-0"] = story(result.conversion)
        except LeadConvertError as error:
            return _Answer(told, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            traceback.print_exception(error)
            return _Answer(told, f"untyped {type(error).__name__}")
        return _Answer(told)


def _locked(connection: Connection, row: tuple[str, str]) -> bool:
    """Lock a row, and return whether it could be had."""
    table, id_ = row
    statement = text(f"SELECT 1 FROM {table} WHERE id = :id FOR UPDATE")  # noqa: S608 - one of ours
    try:
        connection.execute(statement, {"id": id_})
    except OperationalError:
        return False
    return True


def _keeps_waiting(connection: Connection) -> bool:
    """Whether somebody waits for a lock that is held here."""
    waiting = (
        "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    return connection.scalar(text(waiting)) is not None


def _tally(courses: Sequence[_Course], done: int) -> Report:
    """Count how it went; *done* of the requests must have been done untold at least once."""
    errors = Counter(one.first.error for one in courses)
    typed = ("UnavailableError", "ConflictError")
    found = {
        "faults": len(courses),
        "converted all the same": errors[None],
        **{f"refused by {name}": errors[name] for name in typed},
        "refused otherwise": len(courses) - sum(errors[name] for name in (None, *typed)),
        "of these done, though nobody was told": sum(one.untold for one in courses),
        "half, double or orphaned before asking again": sum(one.left.wrong for one in courses),
        "half, double or orphaned after asking again": sum(one.now.wrong for one in courses),
        "told as converted, but not": sum(one.untrue for one in courses),
        "told of another conversion than is there": sum(one.others for one in courses),
        "refused when asked again": sum(one.refused for one in courses),
        "not converted after asking again": sum(
            len(one.request.ids) - len(one.now.converted) for one in courses
        ),
        "requests of which one was done untold": len(
            {one.request for one in courses if one.untold}
        ),
        "never happened": int(not courses),
    }
    allowed = {
        "faults",
        "converted all the same",
        *(f"refused by {name}" for name in typed),
        "of these done, though nobody was told",
    }
    promised = {name: 0 for name in found if name not in allowed}
    return Report(found, {**promised, "requests of which one was done untold": done})
