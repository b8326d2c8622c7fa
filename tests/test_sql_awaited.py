"""`AsyncSqlStore`: what `SqlStore` does, awaited."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import attrs
import pytest
from databases import DATABASES, database
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from leadconvert import (
    Actor,
    ChangeSet,
    Channel,
    ConversionResult,
    Deal,
    Insert,
    Lead,
    Matching,
    MatchRule,
    Receipt,
    Record,
    Ref,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.errors import (
    AlreadyConvertedError,
    ConflictError,
    StoreError,
    UnavailableError,
)
from leadconvert.records import changed
from leadconvert.stores import (
    AsyncSqlStore,
    AsyncStore,
    MemoryStore,
    SqlStore,
    advance_stored,
    advance_stored_async,
    arrive_stored,
    arrive_stored_async,
    convert_stored,
    convert_stored_async,
    reverse_stored,
    reverse_stored_async,
)


AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
RULES = attrs.evolve(
    presets.bitrix24(), matching=Matching([MatchRule("contact", ["email"], "link")])
)
DEAL = Ref("deal", "D-5")
LEAD = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    emails=[Channel("ada@example.com")],
    created_at=AT,
)
INTO = ("contact", "company", "deal")


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database, once of each sort."""
    with database(request.param, tmp_path) as found:
        yield found


def awaited(url: URL, test: Callable[[AsyncSqlStore], Awaitable[None]]) -> None:
    """Run a test with a store."""

    async def run() -> None:
        async with AsyncSqlStore.from_url(url, rules=RULES) as store:
            await test(store)

    asyncio.run(run())


def engine_of(store: AsyncSqlStore) -> AsyncEngine:
    """The engine of a store."""
    assert isinstance(store.where, AsyncEngine)
    return store.where


def new_deal(id_: str = "D-5") -> ChangeSet:
    """A change set that makes a deal."""
    changes = [Insert(Ref("deal", id_, provisional=True), {"title": "Engine"})]
    return ChangeSet(key=token_hex(8), fingerprint="f", changes=changes)


async def titles(store: AsyncStore) -> dict[str, object]:
    """The titles of all deals there could be."""
    refs = tuple(Ref("deal", f"D-{number}") for number in range(10))
    records = (await store.load(Wanted(refs=refs))).records
    return {deal.id: deal.title for deal in records if isinstance(deal, Deal)}


def without_revision(record: Record) -> Record:
    """A record but for its revision."""
    return changed(record, {"revision": None})


class TestDrivers:
    def test_a_lead_from_its_arrival_to_its_return(self, url: URL) -> None:
        """All drivers come to the same, awaited in a database as waited for in memory."""
        memory = MemoryStore(RULES)
        expected = [
            arrive_stored(memory, LEAD, rules=RULES, at=AT).record,
            advance_stored(memory, "L-7", "IN_PROCESS", rules=RULES, actor=ADMIN, at=AT).record,
            convert_stored(memory, "L-7", INTO, rules=RULES, actor=ADMIN, at=AT).lead,
            reverse_stored(memory, "L-7", rules=RULES, actor=ADMIN, at=AT).lead,
        ]

        async def test(store: AsyncSqlStore) -> None:
            actual = [
                (await arrive_stored_async(store, LEAD, rules=RULES, at=AT)).record,
                (
                    await advance_stored_async(
                        store, "L-7", "IN_PROCESS", rules=RULES, actor=ADMIN, at=AT
                    )
                ).record,
                (
                    await convert_stored_async(store, "L-7", INTO, rules=RULES, actor=ADMIN, at=AT)
                ).lead,
                (await reverse_stored_async(store, "L-7", rules=RULES, actor=ADMIN, at=AT)).lead,
            ]
            assert [*map(without_revision, expected)] == [*map(without_revision, actual)]

        awaited(url, test)

    def test_many_at_once(self, url: URL) -> None:
        """Several conversions of one lead that are awaited together come to one."""

        async def test(store: AsyncSqlStore) -> None:
            await store.apply(seed([LEAD], rules=RULES))
            actors = [Actor(f"u-{number}", roles=["admin"]) for number in range(4)]
            results = await asyncio.gather(
                *(
                    convert_stored_async(store, "L-7", INTO, rules=RULES, actor=actor, at=AT)
                    for actor in actors
                ),
                return_exceptions=True,
            )
            done = [one for one in results if isinstance(one, ConversionResult)]
            assert {"L-7.1.deal.1"} == {result.deal.id for result in done}
            assert {"L-7.1"} == {result.conversion.id for result in done}
            # whoever comes to read when it is done is told so
            late = [one for one in results if isinstance(one, AlreadyConvertedError)]
            assert 4 == len(done) + len(late)

        awaited(url, test)

    def test_an_awaited_store_and_one_that_is_not(self, url: URL) -> None:
        """Both write the same tables."""

        async def test(store: AsyncSqlStore) -> None:
            await store.create()
            await store.apply(new_deal())

        awaited(url, test)
        with SqlStore.from_url(url, rules=RULES) as store:
            assert 1 == len(store.load(Wanted(refs=(DEAL,))).records)


class TestTransactions:
    def test_the_callers_transaction(self, url: URL) -> None:
        """Within a transaction of the caller nothing is kept until that one is committed."""

        async def test(store: AsyncSqlStore) -> None:
            await store.create()
            async with engine_of(store).connect() as connection:
                mine = store.within(connection)
                owns = [store.owns_transaction, mine.owns_transaction]
                for ends in (connection.rollback, connection.commit):
                    await connection.begin()
                    owns.append(mine.owns_transaction)
                    await mine.apply(new_deal())
                    with pytest.raises(ConflictError, match="already: deal D-5"):
                        await mine.apply(new_deal())
                    [answer] = await mine.apply_many([new_deal("D-6")])
                    assert isinstance(answer, Receipt)
                    assert {"D-5", "D-6"} == (await titles(mine)).keys()
                    await ends()
                    owns.append(mine.owns_transaction)
                assert [True, True, False, True, False, True] == owns
            assert {"D-5", "D-6"} == (await titles(store)).keys()

        awaited(url, test)

    def test_a_session(self, url: URL) -> None:
        """A session is used as a connection is, inside a transaction and outside."""

        async def test(store: AsyncSqlStore) -> None:
            await store.create()
            async with AsyncSession(engine_of(store)) as session:
                mine = AsyncSqlStore(session, rules=RULES)
                owns = [mine.owns_transaction]
                await mine.apply(new_deal())
                await session.execute(text("UPDATE lc_deal SET title = 'Mine'"))
                owns.append(mine.owns_transaction)
                await mine.apply(new_deal("D-6"))
                assert [True, False] == owns
                await session.rollback()
            assert {"D-5": "Engine"} == await titles(store)

        awaited(url, test)

    def test_a_store_in_memory(self) -> None:
        """A database in memory is one for all that share the store."""

        async def test(store: AsyncSqlStore) -> None:
            await asyncio.gather(*(store.apply(new_deal(f"D-{number}")) for number in range(8)))
            assert 8 == len(await titles(store))

        awaited(URL.create("sqlite"), test)


class TestFailures:
    def test_a_closed_store(self, url: URL) -> None:
        """A store that was closed does nothing more; what was passed in stays open."""

        async def test(store: AsyncSqlStore) -> None:
            async with AsyncSqlStore(engine_of(store), rules=RULES) as other:
                await other.apply(new_deal())
            for call in (other.create(), other.load(Wanted()), other.apply(new_deal())):
                with pytest.raises(StoreError, match="the store is closed"):
                    await call
            assert {"D-5": "Engine"} == await titles(store)

        awaited(url, test)

    def test_a_closed_connection(self, url: URL) -> None:
        """Nor does one on a connection that was closed."""

        async def test(store: AsyncSqlStore) -> None:
            await store.create()
            async with engine_of(store).connect() as connection:
                mine = store.within(connection)
            with pytest.raises(StoreError, match="the connection"):
                await mine.apply(new_deal())

        awaited(url, test)

    def test_a_server_that_is_not_there(self, tmp_path: Path) -> None:
        """Where nobody answers one may try again."""

        async def test(store: AsyncSqlStore) -> None:
            with pytest.raises(UnavailableError):
                await store.load(Wanted())

        awaited(make_url(f"postgresql:///crm?host={tmp_path}"), test)

    def test_somebody_who_gives_up(self, url: URL) -> None:
        """Of a change set that is cancelled nothing is written."""

        async def test(store: AsyncSqlStore) -> None:
            await store.apply(new_deal())
            async with engine_of(store).connect() as connection:
                mine = store.within(connection)
                [deal] = (await mine.load(Wanted(refs=(DEAL,)))).records
                await connection.begin()
                update = Update(DEAL, deal.revision, {"title": "New"})
                await mine.apply(ChangeSet(key="k-1", fingerprint="f", changes=[update]))
                late = ChangeSet(key="k-2", fingerprint="f", changes=[update])
                task = asyncio.create_task(store.apply(late))
                # it begins, and is likely to wait by then; it need not
                await asyncio.sleep(0.1)
                task.cancel()
                # what a driver is at on SQLite nobody can break off
                await connection.rollback()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert {"D-5": "Engine"} == await titles(store)
            await store.apply(late)

        awaited(url, test)

    def test_what_cannot_be_a_store(self, url: URL) -> None:
        """It is made on what is awaited."""
        with SqlStore.from_url(url, rules=RULES) as store, pytest.raises(TypeError) as refused:
            AsyncSqlStore(store.where, rules=RULES)  # type: ignore[arg-type]
        assert (
            "a store is made on an AsyncEngine or an AsyncConnection or an AsyncSession, "
            "not on an Engine" == str(refused.value)
        )
        with pytest.raises(ValueError, match="no URL of a SQLite or PostgreSQL database"):
            AsyncSqlStore.from_url("oracle://x", rules=RULES)
