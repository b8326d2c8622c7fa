"""`SqlStore` among others: whose transaction it is, and who wins where two write at once."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

import attrs
import pytest
from databases import DATABASES, Inside, database, empty_schema
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Deal,
    Delete,
    Insert,
    Matching,
    MatchKey,
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
    ConflictError,
    IdempotencyError,
    RecordNotFoundError,
    SchemaVersionError,
    StoreError,
    UnfitValueError,
)
from leadconvert.stores import SqlStore


T = TypeVar("T")

RULES = attrs.evolve(
    presets.bitrix24(), matching=Matching([MatchRule("contact", ["email"], "link")])
)
DEAL = Ref("deal", "D-5")
ADA = MatchKey("email", "ada@example.com")
PERSON = {"last_name": "Lovelace", "emails": (Channel(ADA.value),)}


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """The URL of an empty database, once of each sort."""
    with database(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def postgresql() -> Iterator[URL]:
    """The URL of an empty database of PostgreSQL."""
    with empty_schema() as found:
        yield found


@pytest.fixture
def store(url: URL) -> Iterator[SqlStore]:
    """A store in an empty database, with a deal."""
    with SqlStore.from_url(url, rules=RULES) as made:
        made.apply(seed([Deal(id="D-5", title="Engine")], rules=RULES))
        yield made


@pytest.fixture
def server(postgresql: URL) -> Iterator[SqlStore]:
    """A store in PostgreSQL, with a deal."""
    with SqlStore.from_url(postgresql, rules=RULES) as made:
        made.apply(seed([Deal(id="D-5", title="Engine")], rules=RULES))
        yield made


def engine_of(store: SqlStore) -> Engine:
    """The engine of a store."""
    assert isinstance(store.where, Engine)
    return store.where


def change_set(*changes: Change, key: str | None = None) -> ChangeSet:
    """A change set under a key of its own."""
    return ChangeSet(key=key or token_hex(8), fingerprint="f", changes=changes)


def new_deal(id_: str = "D-6") -> Insert:
    """A deal to make."""
    return Insert(Ref("deal", id_, provisional=True), {"title": "Engine"})


def titles(store: SqlStore) -> dict[str, object]:
    """The titles of all deals there could be."""
    refs = tuple(Ref("deal", f"D-{number}") for number in range(10))
    records = store.load(Wanted(refs=refs)).records
    return {deal.id: deal.title for deal in records if isinstance(deal, Deal)}


def revision(store: SqlStore, ref: Ref = DEAL) -> str | None:
    """The revision of a record."""
    [record] = store.load(Wanted(refs=(ref,))).records
    return record.revision


class TestTransactions:
    def test_an_engine_is_the_stores_own(self, store: SqlStore) -> None:
        """With an engine it begins and ends its own transactions."""
        with SqlStore(engine_of(store), rules=RULES) as other:
            assert other.owns_transaction
            other.apply(change_set(new_deal()))
        assert {"D-5", "D-6"} == titles(store).keys()

    @pytest.mark.parametrize("ends", ["commit", "rollback"])
    def test_the_callers_transaction(self, store: SqlStore, ends: str) -> None:
        """Within a transaction of the caller nothing is kept until that one is committed."""
        with engine_of(store).connect() as connection:
            transaction = connection.begin()
            mine = store.within(connection)
            assert not mine.owns_transaction
            mine.apply(change_set(new_deal()))
            mine.apply(change_set(Update(DEAL, revision(mine), {"title": "New"})))
            assert {"D-5": "New", "D-6": "Engine"} == titles(mine)
            assert mine.apply_many([change_set(new_deal("D-7"))])
            getattr(transaction, ends)()
        if ends == "commit":
            assert {"D-5": "New", "D-6": "Engine", "D-7": "Engine"} == titles(store)
        else:
            assert {"D-5": "Engine"} == titles(store)

    def test_a_refusal_leaves_the_callers_transaction_alone(self, store: SqlStore) -> None:
        """What was written before the refusal, by whomever, is still there to be committed."""
        with engine_of(store).begin() as connection:
            mine = store.within(connection)
            mine.apply(change_set(new_deal()))
            with pytest.raises(ConflictError, match="it was changed meanwhile"):
                mine.apply(change_set(new_deal("D-7"), Update(DEAL, "old", {})))
            with pytest.raises(ConflictError, match="there is such a record already: deal D-5"):
                mine.apply(change_set(new_deal("D-7"), new_deal("D-5")))
            with pytest.raises(UnfitValueError):
                mine.apply(change_set(new_deal("D-7"), new_deal("a\ud800")))
        assert {"D-5", "D-6"} == titles(store).keys()

    @pytest.mark.parametrize("before", range(3))
    def test_many_refusals_leave_the_connection_alone(self, store: SqlStore, before: int) -> None:
        """However often the database refuses, what comes next on the connection is done.

        A driver remembers what it has said often; it must not remember what was never heard.
        """
        for _ in range(before):
            store.apply(change_set())
        for number in range(8):
            with engine_of(store).begin() as connection:
                mine = store.within(connection)
                with pytest.raises(ConflictError, match="already: deal D-5"):
                    mine.apply(change_set(new_deal(), new_deal("D-5")))
                mine.apply(change_set(Update(DEAL, revision(mine), {"title": str(number)})))
            assert {"D-5": str(number)} == titles(store)

    def test_a_connection_that_is_in_no_transaction(self, store: SqlStore) -> None:
        """On a connection that has begun nothing the store begins and ends its own."""
        with engine_of(store).connect() as connection:
            mine = SqlStore(connection, rules=RULES)
            assert mine.owns_transaction
            mine.apply(change_set(new_deal()))
            assert {"D-5", "D-6"} == titles(mine).keys()
            assert not connection.in_transaction()
        assert {"D-5", "D-6"} == titles(store).keys()

    def test_a_session(self, store: SqlStore) -> None:
        """A session is used as a connection is, inside a transaction and outside."""
        with Session(engine_of(store)) as session:
            mine = SqlStore(session, rules=RULES)
            owns = [mine.owns_transaction]
            mine.apply(change_set(new_deal()))
            assert {"D-5", "D-6"} == titles(mine).keys()
            with pytest.raises(ConflictError):
                mine.apply(change_set(new_deal()))
            owns.append(mine.owns_transaction)
            session.execute(text("UPDATE lc_deal SET title = 'Mine' WHERE id = 'D-6'"))
            owns.append(mine.owns_transaction)
            mine.apply(change_set(new_deal("D-7")))
            assert [True, True, False] == owns
            session.rollback()
        assert {"D-5": "Engine", "D-6": "Engine"} == titles(store)

    def test_tables_made_in_the_callers_transaction(self, url: URL) -> None:
        """Tables that were made in a transaction that is undone are made again."""
        with SqlStore.from_url(url, rules=RULES) as store:
            with engine_of(store).connect() as connection, connection.begin() as transaction:
                store.within(connection).apply(change_set(new_deal()))
                transaction.rollback()
            assert {} == titles(store)

    def test_tables_found_in_the_callers_transaction(self, url: URL) -> None:
        """Tables that are gone, as they never were, are missed once and then made again."""
        with SqlStore.from_url(url, rules=RULES) as store:
            with engine_of(store).connect() as connection, connection.begin() as transaction:
                store.within(connection).create()
                assert {} == titles(store.within(connection))
                transaction.rollback()
            with pytest.raises(SchemaVersionError, match="the tables are not as they were made"):
                titles(store)
            assert {} == titles(store)

    @pytest.mark.parametrize("sort", [Engine, Connection, Session])
    def test_one_state_is_seen(
        self, store: SqlStore, url: URL, sort: type[Engine | Connection | Session]
    ) -> None:
        """What others write while somebody loads is not seen, in whatever the store works on."""
        engine = create_engine(url)
        written = change_set(
            Update(DEAL, revision(store), {"title": "New", "contact_ids": ("C-1",)}),
            Insert(Ref("deal", "D-6", provisional=True), {"title": "Other"}),
        )
        with Session(engine) as session, engine.connect() as connection:
            where = [one for one in (engine, connection, session) if isinstance(one, sort)]
            mine = SqlStore(where[0], rules=RULES)
            mine.load(Wanted())
            [deal] = read_while_it_is_written(mine, store, written)
        engine.dispose()
        assert isinstance(deal, Deal)
        assert ("Engine", ()) == (deal.title, deal.contact_ids)
        assert {"D-5": "New", "D-6": "Other"} == titles(store)

    def test_claims_need_to_see_who_came_first(self, server: SqlStore) -> None:
        """In a transaction that sees an old state claims are refused, and all else is applied."""
        for level in ("REPEATABLE READ", "SERIALIZABLE"):
            with engine_of(server).connect() as connection:
                connection.execution_options(isolation_level=level)
                with connection.begin():
                    mine = server.within(connection)
                    person = Insert(Ref("contact", "C-1", provisional=True), PERSON, [Claim(ADA)])
                    with pytest.raises(StoreError) as refused:
                        mine.apply(change_set(person))
                    assert (
                        "claims need a transaction at READ COMMITTED, which sees whoever came"
                        f" first, not {level}" == str(refused.value)
                    )
                    mine.apply(change_set(Update(DEAL, revision(mine), {"title": level})))
        assert {"D-5": "SERIALIZABLE"} == titles(server)

    def test_a_connection_that_commits_each_statement(self, server: SqlStore) -> None:
        """A connection on which nothing could be all or nothing is refused; an engine is not."""
        engine = engine_of(server).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection, pytest.raises(StoreError, match="all or nothing"):
            server.within(connection).apply(change_set(new_deal()))
        with pytest.raises(ConflictError):
            SqlStore(engine, rules=RULES).apply(change_set(new_deal(), new_deal("D-5")))
        assert {"D-5"} == titles(server).keys()

    def test_an_old_state_of_sqlite(self, tmp_path: Path) -> None:
        """Whoever has read, and then finds that others have written, is told at once."""
        with SqlStore.from_url(f"sqlite:///{tmp_path}/crm.db", rules=RULES) as store:
            store.apply(seed([Deal(id="D-5", title="Engine")], rules=RULES))
            with engine_of(store).connect() as connection, connection.begin():
                mine = store.within(connection)
                seen = revision(mine)
                store.apply(change_set(new_deal()))
                with pytest.raises(ConflictError, match="somebody else was quicker"):
                    mine.apply(change_set(Update(DEAL, seen, {"title": "New"})))

    def test_what_cannot_be_a_store(self, url: URL) -> None:
        """A store is made on what SQLAlchemy gives, by drivers that are known to do."""
        expected = "on an Engine or a Connection or a Session, not on a str: use from_url"
        with pytest.raises(TypeError, match=expected):
            SqlStore("sqlite://", rules=RULES)  # type: ignore[arg-type]
        for told in ("mysql://localhost/crm", "what is this", "postgresql"):
            with pytest.raises(ValueError, match="no URL of a SQLite or PostgreSQL database"):
                SqlStore.from_url(told, rules=RULES)
        engine = create_engine(url)
        engine.dialect.driver = "another"
        with pytest.raises(ValueError, match=f"not {engine.dialect.name} by another"):
            SqlStore(engine, rules=RULES)


def read_while_it_is_written(
    mine: SqlStore, store: SqlStore, written: ChangeSet
) -> tuple[Record, ...]:
    """Load two deals, and write once they are read, but not what is linked to them."""
    engine, wanted = engine_of(store), Wanted(refs=(DEAL, Ref("deal", "D-6")))
    if engine.dialect.name == "postgresql":
        with ThreadPoolExecutor() as pool, engine.begin() as connection:
            connection.execute(text("LOCK TABLE lc_links"))
            late = pool.submit(mine.load, wanted)
            wait_until_blocked(store, late)
            assert not late.done()
            store.within(connection).apply(written)
            connection.commit()
            return late.result().records
    left = [written]

    def write(*told: object) -> None:
        if left and str(told[2]).startswith("SELECT lc_deal"):
            store.apply(left.pop())

    event.listen(Engine, "after_cursor_execute", write)
    known = mine.load(wanted)
    event.remove(Engine, "after_cursor_execute", write)
    assert [] == left
    return known.records


def wait_until_blocked(store: SqlStore, late: Future[T]) -> None:
    """Wait until somebody who is late waits for a lock, or is through without."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND (query LIKE '%lc\\_%' OR query LIKE '%advisory%')"
    )
    with engine_of(store).connect() as connection:
        while not late.done() and not connection.scalar(asked):
            connection.rollback()
            time.sleep(0.01)


def answer(store: SqlStore, changes: ChangeSet) -> Receipt | StoreError:
    """Apply it, or say why not."""
    try:
        return store.apply(changes)
    except StoreError as refused:
        return refused


class TestRaces:
    @contextmanager
    def second(
        self, server: SqlStore, first: ChangeSet, second: ChangeSet
    ) -> Iterator[list[Receipt | StoreError]]:
        """Apply *first*, and while it is not committed *second*, which waits; tell its answer."""
        told: list[Receipt | StoreError] = []
        with ThreadPoolExecutor() as pool:
            with engine_of(server).begin() as connection:
                server.within(connection).apply(first)
                late = pool.submit(answer, server, second)
                wait_until_blocked(server, late)
            told.append(late.result())
        yield told

    def test_two_update_one_record(self, server: SqlStore) -> None:
        """The second waits for the first, and is told that it comes too late."""
        seen = revision(server)
        sets = [change_set(Update(DEAL, seen, {"title": title})) for title in "ab"]
        with self.second(server, *sets) as [told]:
            assert ConflictError("it was changed meanwhile", [DEAL]) == told
        assert {"D-5": "a"} == titles(server)

    def test_one_is_removed_while_another_updates(self, server: SqlStore) -> None:
        """The second waits for the first, and finds that there is nothing to update."""
        seen = revision(server)
        sets = change_set(Delete(DEAL, seen)), change_set(Update(DEAL, seen, {"title": "b"}))
        with self.second(server, *sets) as [told]:
            assert RecordNotFoundError("there is no such record", [DEAL]) == told

    def test_one_is_removed_while_another_adds(self, server: SqlStore) -> None:
        """Nothing is added to a record that is on its way out."""
        lead = Ref("lead", "L-1")
        sets = (
            change_set(Delete(DEAL, revision(server))),
            change_set(Attach(DEAL, "converted_from", [lead])),
        )
        with self.second(server, *sets) as [told]:
            assert RecordNotFoundError("there is no such record", [DEAL]) == told

    def test_one_adds_while_another_removes(self, server: SqlStore, postgresql: URL) -> None:
        """A record that is added to is removed with what was added."""
        lead = Ref("lead", "L-1")
        sets = (
            change_set(Attach(DEAL, "converted_from", [lead])),
            change_set(Delete(DEAL, revision(server))),
        )
        with self.second(server, *sets) as [told]:
            assert isinstance(told, Receipt)
        assert 0 == Inside(postgresql, RULES).count("lc_links")

    def test_two_claim_one_key(self, server: SqlStore) -> None:
        """The second waits for the first, and finds that the key is held."""
        sets = [
            change_set(Insert(Ref("contact", id_, provisional=True), PERSON, [Claim(ADA)]))
            for id_ in ("C-1", "C-2")
        ]
        with self.second(server, *sets) as [told]:
            assert (
                ConflictError("others hold the key email by now", [Ref("contact", "C-2")]) == told
            )

    def test_two_make_one_record(self, server: SqlStore) -> None:
        """The second waits for the first, and is told which record there is already."""
        with self.second(server, change_set(new_deal()), change_set(new_deal())) as [told]:
            assert ConflictError("there is such a record already", [Ref("deal", "D-6")]) == told

    @pytest.mark.parametrize(
        "changes",
        [
            [],
            [new_deal()],
            [Insert(Ref("contact", "C-1", provisional=True), PERSON, [Claim(ADA)])],
            [Attach(DEAL, "converted_from", [Ref("lead", "L-1")])],
            [Update(DEAL, "now", {"title": "New"}), new_deal()],
            [Delete(DEAL, "now")],
        ],
        ids=["nothing", "insert", "claim", "attach", "update", "delete"],
    )
    def test_two_apply_the_same(self, server: SqlStore, changes: list[Change]) -> None:
        """The second waits for the first, and gets its receipt."""
        now = revision(server)
        given = [
            attrs.evolve(one, revision=now) if isinstance(one, Update | Delete) else one
            for one in changes
        ]
        same = change_set(*given, key="k")
        with self.second(server, same, same) as [told]:
            assert isinstance(told, Receipt)
            assert told.replayed
            assert ("k", "f") == (told.key, told.fingerprint)

    def test_two_requests_under_one_key(self, server: SqlStore) -> None:
        """The second waits for the first, and is told that the key was another's."""
        first = change_set(new_deal(), key="k")
        with self.second(server, first, attrs.evolve(first, fingerprint="other")) as [told]:
            assert IdempotencyError("k") == told

    def test_many_add_to_one_record(self, server: SqlStore) -> None:
        """Who adds to a record waits for nobody: neither for others who add nor for an update."""
        ref = Ref("company", "CO-9")
        server.apply(seed([Company(id="CO-9", name="Engines")], rules=RULES))
        with engine_of(server).begin() as one, engine_of(server).begin() as two:
            now = revision(server, ref)
            server.within(one).apply(change_set(Update(ref, now, {"comments": "x"})))
            for connection, id_ in ((two, "L-1"), (one, "L-2"), (two, "L-3")):
                lead = Ref("lead", id_)
                server.within(connection).apply(change_set(Attach(ref, "converted_from", [lead])))
        [company] = server.load(Wanted(refs=(ref,))).records
        assert isinstance(company, Company)
        assert ({"L-1", "L-2", "L-3"}, "x") == ({*company.converted_from}, company.comments)

    def test_nobody_waits_in_a_circle(self, server: SqlStore) -> None:
        """Rows are locked in one order, whatever the order of the changes."""
        server.apply(change_set(new_deal()))
        other = Ref("deal", "D-6")
        changes = [Update(ref, revision(server, ref), {"title": "New"}) for ref in (DEAL, other)]
        with self.second(server, change_set(*changes), change_set(*changes[::-1])) as [told]:
            assert ConflictError("it was changed meanwhile", [other]) == told

    def test_a_circle_that_others_close(self, server: SqlStore) -> None:
        """Where the database breaks a deadlock by refusing us, that is a conflict."""
        server.apply(change_set(new_deal()))
        changes = [
            Update(ref, revision(server, ref), {"title": "New"})
            for ref in (DEAL, Ref("deal", "D-6"))
        ]
        with ThreadPoolExecutor() as pool, engine_of(server).begin() as connection:
            connection.execute(text("UPDATE lc_deal SET title = 'x' WHERE id = 'D-6'"))
            # whoever waits longer than this looks for a deadlock; the other one shall not
            connection.execute(text("SET LOCAL deadlock_timeout = '1h'"))
            late = pool.submit(answer, server, change_set(*changes))
            wait_until_blocked(server, late)
            lock = "SELECT id FROM lc_deal WHERE id = 'D-5' FOR UPDATE"
            connection.execute(text(lock))
            assert ConflictError("somebody else was quicker") == late.result()

    def test_threads_on_one_database(self, store: SqlStore) -> None:
        """Threads that make one record each, all for one key, agree on who was first."""
        sets = [
            change_set(Insert(Ref("contact", f"C-{n}", provisional=True), PERSON, [Claim(ADA)]))
            for n in range(8)
        ]
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda one: answer(store, one), sets))
        assert 1 == sum(isinstance(one, Receipt) for one in told)
        assert 7 == sum(isinstance(one, ConflictError) for one in told)
        assert 1 == len(store.load(Wanted(matches=(("contact", ADA),))).records)
