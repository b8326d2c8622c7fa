"""`SqlStore` when one statement goes wrong: each statement in turn of whatever is written.

Nothing here knows how many statements there are, or which: what is beneath the store counts them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import attrs
import pytest
from databases import Inside, Waiting, empty_schema, waiting
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from storms.disk import Disk
from storms.fault import Fault
from storms.wire import Wire, wire
from storms.world import ACTORS, AT, INTO, RULES, person

from leadconvert import (
    ChangeSet,
    Company,
    ConversionResult,
    Known,
    Lead,
    MatchKey,
    Receipt,
    Ref,
    Wanted,
    convert,
    seed,
    wanted,
)
from leadconvert.errors import ConflictError, StoreError, UnavailableError
from leadconvert.stores import SqlStore, Store, convert_stored


T = TypeVar("T")

LOST = UnavailableError("the connection was lost")
QUICKER = ConflictError("somebody else was quicker")
FULL = StoreError("the database is full")
FAILED = StoreError("the transaction has failed: roll it back")
NO_DISK = UnavailableError("the disk does not answer")
#: By database, what goes wrong before a statement is done, and what is told of it.
BEFORE = (
    ("postgresql", "ended", LOST),
    ("postgresql", "40001", QUICKER),
    ("postgresql", "40P01", QUICKER),
    ("postgresql", "53100", FULL),
    ("postgresql", "57014", UnavailableError("the database broke it off")),
    ("sqlite", "failed", NO_DISK),
    ("sqlite", "busy", UnavailableError("somebody else is writing to the database")),
)
#: Of these, one of each answer there is; and one of each sort.
MOST = tuple(one for one in BEFORE if one[1] in {"ended", "40001", "53100", "failed"})
SOME = tuple(one for one in BEFORE if one[1] in {"ended", "40001", "busy"})
#: By database, what is told where a statement is done, and its answer is lost.
AFTER = (("postgresql", LOST), ("sqlite", NO_DISK))


@attrs.define
class World:
    """A store, what is beneath it, and what is inside."""

    store: SqlStore | Waiting
    beneath: Disk | Wire
    inside: Inside

    def fresh(self, size: int = 1) -> list[ChangeSet]:
        """Make the world new, with so many leads; return what it takes to convert them."""
        self.inside.empty()
        leads = [person(f"L-{n}", n, "Works") for n in range(size)]
        self.store.apply(seed([Company(id="CO-9", name="Works"), *leads], rules=RULES))
        refs = [Ref("lead", lead.id) for lead in leads]
        found = self.store.load(Wanted(refs=tuple(refs))).records
        return [self._conversion(lead) for lead in found if isinstance(lead, Lead)]

    def _conversion(self, lead: Lead) -> ChangeSet:
        known = self.store.load(wanted(lead, INTO, rules=RULES))
        return convert(lead, INTO, rules=RULES, actor=ACTORS[0], at=AT, known=known).changes

    @contextmanager
    def fault(self, how: str, nth: int) -> Iterator[Fault]:
        """Let the *nth* statement from now on go wrong."""
        fault = self.beneath.fault = Fault(how, nth)
        yield fault
        self.beneath.fault = None

    def counts(self) -> dict[str, int]:
        """How many rows each table has, if it has any."""
        rows = self.inside.rows()
        return {name: len(rows[name]) for name in sorted(rows) if rows[name]}


#: What is in the world when it is new, and once its lead is converted.
NEW = {"lc_claims": 5, "lc_company": 1, "lc_lead": 1, "lc_receipts": 1, "lc_schema": 1}
DONE = {
    "lc_claims": 8,
    "lc_company": 1,
    "lc_contact": 1,
    "lc_deal": 1,
    "lc_lead": 1,
    "lc_links": 4,
    "lc_outbox": 4,
    "lc_receipts": 2,
    "lc_schema": 1,
    "lc_traces": 1,
}


def told(do: Callable[[], T]) -> T | StoreError:
    """Do it, or say why not."""
    try:
        return do()
    except StoreError as refused:
        return refused


@contextmanager
def world_in(name: str, folder: Path) -> Iterator[World]:
    """Yield a world in one of the databases."""
    if name == "sqlite":
        url, disk = make_url(f"sqlite:///{folder}/crm.db"), Disk()
        with SqlStore.from_url(url, rules=RULES) as store:
            disk.under(store)
            store.create()
            yield World(store, disk, Inside(url, RULES))
    else:
        opened = waiting if name == "awaited" else SqlStore.from_url
        with (
            empty_schema() as url,
            wire(url.render_as_string(hide_password=False)) as between,
            opened(between.url, rules=RULES) as store,
        ):
            with SqlStore.from_url(url, rules=RULES) as other:
                other.create()
            yield World(store, between, Inside(url, RULES))


class Worlds:
    """A world in each database, made when it is first asked for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.made: dict[str, World] = {}

    def __getitem__(self, name: str) -> World:
        if name not in self.made:
            self.made[name] = self.stack.enter_context(world_in(name, self.folder))
        return self.made[name]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """The worlds."""
    with ExitStack() as stack:
        yield Worlds(tmp_path_factory.mktemp("world"), stack)


class TestOne:
    @pytest.mark.parametrize(("name", "how", "expected"), [*BEFORE, ("awaited", "ended", LOST)])
    def test_before_a_statement(
        self, worlds: Worlds, name: str, how: str, expected: StoreError
    ) -> None:
        """Nothing at all is written, and to apply the same again writes all of it."""
        world = worlds[name]
        for nth in count(1):
            [changes] = world.fresh()
            before = world.inside.rows()
            with world.fault(how, nth) as fault:
                answer = told(lambda: world.store.apply(changes))  # noqa: B023 - it is called now
            if not fault.happened:
                break
            assert expected == answer
            assert before == world.inside.rows()
            assert not world.store.apply(changes).replayed
            assert DONE == world.counts()
        # what is left undone here would go unseen: so many there are at least
        assert 5 < nth
        assert isinstance(answer, Receipt)

    @pytest.mark.parametrize(("name", "expected"), [*AFTER, ("awaited", LOST)])
    def test_after_a_statement(self, worlds: Worlds, name: str, expected: StoreError) -> None:
        """All is written or nothing, and to apply the same again tells which."""
        world, done = worlds[name], 0
        for nth in count(1):
            [changes] = world.fresh()
            before = world.inside.rows()
            with world.fault("unanswered", nth) as fault:
                answer = told(lambda: world.store.apply(changes))  # noqa: B023 - it is called now
            if not fault.happened:
                break
            assert expected == answer
            untold = before != world.inside.rows()
            done += untold
            assert (DONE if untold else NEW) == world.counts()
            receipt = world.store.apply(changes)
            assert untold == receipt.replayed
            assert {one.kind for one, _ in receipt.ids} == {"contact", "deal"}
            assert {one.kind for one, _ in receipt.revisions} == {"contact", "deal", "lead"}
            assert DONE == world.counts()
        assert 5 < nth
        # it was the commit
        assert 1 == done


class TestMany:
    @pytest.mark.parametrize(("name", "how", "expected"), SOME)
    def test_before_a_statement(
        self, worlds: Worlds, name: str, how: str, expected: StoreError
    ) -> None:
        """Nobody knows what is written, or all is: then the batch was applied one by one."""
        world = worlds[name]
        for nth in count(1):
            sets = world.fresh(2)
            before = world.inside.rows()
            with world.fault(how, nth) as fault:
                answers = told(lambda: world.store.apply_many(sets))  # noqa: B023 - called now
            if isinstance(expected, UnavailableError) and fault.happened:
                assert expected == answers
                assert before == world.inside.rows()
                answers = world.store.apply_many(sets)
            assert isinstance(answers, tuple)
            assert [one.key for one in sets] == [getattr(one, "key", None) for one in answers]
            assert not any(getattr(one, "replayed", True) for one in answers)
            assert self.done() == world.counts()
            if not fault.happened:
                break
        assert 5 < nth

    @pytest.mark.parametrize(("name", "expected"), AFTER)
    def test_after_a_statement(self, worlds: Worlds, name: str, expected: StoreError) -> None:
        """To apply the same values again tells what was written."""
        world, done = worlds[name], 0
        for nth in count(1):
            sets = world.fresh(2)
            before = world.inside.rows()
            with world.fault("unanswered", nth) as fault:
                answers = told(lambda: world.store.apply_many(sets))  # noqa: B023 - called now
            if not fault.happened:
                break
            assert expected == answers
            untold = before != world.inside.rows()
            done += untold
            again = world.store.apply_many(sets)
            assert [untold] * 2 == [getattr(one, "replayed", None) for one in again]
            assert self.done() == world.counts()
        assert 1 == done

    def done(self) -> dict[str, int]:
        """What is there once two are converted."""
        alone = {"lc_claims": 1, "lc_company": 1, "lc_receipts": 1, "lc_schema": 1}
        return {name: 2 * number - alone.get(name, 0) for name, number in DONE.items()}


class TestWithin:
    @pytest.mark.parametrize(("name", "how", "expected"), MOST)
    def test_a_transaction_of_the_caller(
        self, worlds: Worlds, name: str, how: str, expected: StoreError
    ) -> None:
        """It is refused at once; what can still be committed holds nothing of it."""
        world, went_on = worlds[name], 0
        assert isinstance(world.store, SqlStore)
        assert isinstance(world.store.where, Engine)
        for nth in count(1):
            [changes] = world.fresh()
            with world.store.where.connect() as connection:
                connection.begin()
                mine = world.store.within(connection)
                mine.apply(ChangeSet(key="mine", fingerprint="f"))
                with world.fault(how, nth) as fault:
                    answer = told(lambda: mine.apply(changes))  # noqa: B023 - it is called now
                if not fault.happened:
                    break
                # where the savepoint itself is not made, or not given up, the whole has failed
                assert answer in (expected, FAILED)
                went_on += self.goes_on(connection)
            assert NEW == world.counts() or NEW | {"lc_receipts": 2} == world.counts()
        assert 5 < nth
        assert (went_on > 5) == (how != "ended")

    def goes_on(self, connection: Connection) -> bool:
        """Commit what can be committed; tell whether it could."""
        try:
            connection.execute(text("SELECT 1"))
            connection.commit()
        except SQLAlchemyError:
            connection.rollback()
            return False
        return True


class TestLoading:
    @pytest.mark.parametrize(("name", "how", "expected"), SOME)
    def test_before_a_statement(
        self, worlds: Worlds, name: str, how: str, expected: StoreError
    ) -> None:
        """Nothing is told of what could not be read, and the next one reads it."""
        world = worlds[name]
        [changes] = world.fresh()
        world.store.apply(changes)
        refs = Ref("lead", "L-0"), Ref("deal", "L-0.1.deal.1")
        whole = Wanted(
            refs=refs,
            matches=(("contact", MatchKey("email", "ada0@example.com")),),
            related=(("deal", "converted_from", refs[0]),),
            traces=("L-0.1",),
            key=changes.key,
        )
        read = world.store.load(whole)
        assert 3 == len(read.records)
        for nth in count(1):
            with world.fault(how, nth) as fault:
                answer = told(lambda: world.store.load(whole))
            assert read == world.store.load(whole)
            if not fault.happened:
                break
            # to end what is only read may well fail unseen
            assert answer in (expected, read)
        assert 3 < nth
        assert read == answer


class Watched:
    """A store that says what it is asked to apply, and what it answers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.answers: list[Receipt | StoreError] = []

    @property
    def owns_transaction(self) -> bool:
        """As the store's."""
        return self.store.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        """As the store does."""
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """As the store does."""
        answer = told(lambda: self.store.apply(changes))
        self.answers.append(answer)
        if isinstance(answer, StoreError):
            raise answer
        return answer


class TestDriver:
    @pytest.mark.parametrize("how", ["40001", "40P01"])
    def test_whoever_was_too_late_decides_again(self, worlds: Worlds, how: str) -> None:
        """A serialization failure or a deadlock at a statement that writes goes unseen."""
        world, again = worlds["postgresql"], 0
        for nth in count(1):
            world.fresh()
            watched = Watched(world.store)
            with world.fault(how, nth) as fault:
                result = told(lambda: self.convert(watched))  # noqa: B023 - it is called now
            if not fault.happened:
                break
            if watched.answers:
                assert isinstance(result, ConversionResult)
                assert [Receipt] == [type(one) for one in watched.answers if one != QUICKER]
                again += len(watched.answers) - 1
                assert result.conversion == self.convert(watched).conversion
                assert DONE == world.counts()
            else:
                # a server does not do this to who only reads
                assert result == QUICKER or isinstance(result, ConversionResult)
        assert 5 < again

    def convert(self, store: Watched) -> ConversionResult:
        """Convert the lead."""
        return convert_stored(store, "L-0", INTO, rules=RULES, actor=ACTORS[0], at=AT, key="k")
