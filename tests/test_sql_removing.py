"""`SqlStore` on PostgreSQL, where one removes a record while another adds to it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from secrets import token_hex

import pytest
from databases import Inside, empty_schema
from sqlalchemy import URL, Engine, text

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Deal,
    Delete,
    Detach,
    Receipt,
    Ref,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.errors import ConflictError, RecordNotFoundError, StoreError
from leadconvert.stores import SqlStore


RULES = presets.bitrix24()
DEAL, OTHER = Ref("deal", "D-5"), Ref("deal", "D-6")
L_1, L_2 = Ref("lead", "L-1"), Ref("lead", "L-2")
CONFLICT = ConflictError("others are attached by now", [DEAL])


@pytest.fixture
def url() -> Iterator[URL]:
    """The URL of an empty database of PostgreSQL."""
    with empty_schema() as found:
        yield found


@pytest.fixture
def store(url: URL) -> Iterator[SqlStore]:
    """A store with two deals that came from one lead."""
    with SqlStore.from_url(url, rules=RULES) as made:
        deals = [Deal(id=ref.id, title="x", converted_from=["L-1"]) for ref in (DEAL, OTHER)]
        made.apply(seed(deals, rules=RULES))
        yield made


def engine_of(store: SqlStore) -> Engine:
    """The engine of a store."""
    assert isinstance(store.where, Engine)
    return store.where


def change_set(*changes: Change) -> ChangeSet:
    """A change set under a key of its own."""
    return ChangeSet(key=token_hex(8), fingerprint="f", changes=changes)


def removal(store: SqlStore, *seen: Ref, ref: Ref = DEAL) -> Delete:
    """The removal of a deal as it is, of which these were seen to be attached."""
    [deal] = store.load(Wanted(refs=(ref,))).records
    return Delete(ref, deal.revision, {"converted_from": seen, "contact_ids": ()})


def answer(store: SqlStore, changes: ChangeSet) -> Receipt | StoreError:
    """What a store says to a change set."""
    [told] = store.apply_many([changes])
    return told


def wait_until_blocked(store: SqlStore, late: "Future[Receipt | StoreError]") -> None:
    """Wait until somebody waits for somebody else in the database, however long that takes."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    waiting = 0
    while not waiting and not late.done():
        with engine_of(store).connect() as connection:
            waiting = connection.scalar(asked) or 0
    assert waiting, f"it was done without waiting: {late.result()}"


def second(store: SqlStore, first: ChangeSet, late: ChangeSet) -> Receipt | StoreError:
    """Apply *first*, and while it is not committed *late*, which waits; return its answer."""
    with ThreadPoolExecutor() as pool:
        with engine_of(store).begin() as connection:
            store.within(connection).apply(first)
            told = pool.submit(answer, store, late)
            wait_until_blocked(store, told)
        return told.result()


class TestTwoAtOnce:
    def test_what_is_being_added_is_seen(self, store: SqlStore, url: URL) -> None:
        """Who removes waits for whoever adds, and finds that others are attached by now."""
        change = change_set(removal(store, L_1))
        told = second(store, change_set(Attach(DEAL, "converted_from", [L_2])), change)
        assert CONFLICT == told
        [deal] = store.load(Wanted(refs=(DEAL,))).records
        assert isinstance(deal, Deal)
        assert ("L-1", "L-2") == deal.converted_from
        assert 3 == Inside(url, RULES).count("lc_links")

    def test_nothing_is_added_to_what_is_being_removed(self, store: SqlStore, url: URL) -> None:
        """Who adds waits for whoever removes, and finds that the record is gone."""
        late = change_set(Attach(DEAL, "converted_from", [L_2]))
        told = second(store, change_set(removal(store, L_1)), late)
        assert RecordNotFoundError("there is no such record", [DEAL]) == told
        assert 1 == Inside(url, RULES).count("lc_links")

    def test_nothing_is_added_while_it_is_looked_at(self, store: SqlStore) -> None:
        """Who removes keeps others from adding before it reads who is attached, and until the end.

        The removal itself is refused, and is not even tried: the lock alone is held.
        """
        refused = change_set(removal(store), Update(OTHER, "no such", {"title": "y"}))
        late = change_set(Attach(DEAL, "converted_from", [L_2]))
        with ThreadPoolExecutor() as pool:
            with engine_of(store).begin() as connection:
                told = store.within(connection).apply_many([refused, change_set()])
                added = pool.submit(answer, store, late)
                wait_until_blocked(store, added)
            assert CONFLICT == told[0]
            assert isinstance(added.result(), Receipt)

    def test_who_adds_to_another_waits_for_nobody(self, store: SqlStore) -> None:
        """Only the record that is removed is locked."""
        with engine_of(store).begin() as one, engine_of(store).begin() as two:
            store.within(one).apply(change_set(removal(store, L_1)))
            store.within(two).apply(change_set(Attach(OTHER, "converted_from", [L_2])))
        [deal] = store.load(Wanted(refs=(DEAL, OTHER))).records
        assert isinstance(deal, Deal)
        assert ("D-6", ("L-1", "L-2")) == (deal.id, deal.converted_from)


class TestTransactions:
    @pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
    def test_who_came_first_must_be_seen(self, store: SqlStore, level: str) -> None:
        """In a transaction that sees an old state nobody sees who was attached: it is refused."""
        change = removal(store, L_1)
        with engine_of(store).connect() as connection:
            connection.execution_options(isolation_level=level)
            with connection.begin():
                mine = store.within(connection)
                mine.apply(change_set(Detach(OTHER, "converted_from", [L_1])))
                with pytest.raises(StoreError) as refused:
                    mine.apply(change_set(change))
        assert (
            "removals need a transaction at READ COMMITTED, which sees whoever came first,"
            f" not {level}" == str(refused.value)
        )
        assert 2 == len(store.load(Wanted(refs=(DEAL, OTHER))).records)


class TestManyAtOnce:
    def test_each_sees_whom_those_before_it_attached(self, store: SqlStore, url: URL) -> None:
        """Added, taken out or written whole: what comes later finds it so."""
        seen = removal(store, L_1).revision
        told = store.apply_many(
            [
                change_set(Attach(DEAL, "converted_from", [L_2])),
                change_set(removal(store, L_1)),
                change_set(Detach(DEAL, "converted_from", [L_1])),
                change_set(removal(store, L_1, L_2)),
                change_set(
                    Update(DEAL, seen, {"converted_from": (L_1, L_2)}),
                    Detach(DEAL, "converted_from", [L_2]),
                    Attach(DEAL, "contact_ids", [Ref("contact", "C-3")]),
                    Detach(DEAL, "contact_ids", [Ref("contact", "C-3")]),
                    removal(store, L_1),
                ),
                change_set(removal(store, L_1, ref=OTHER)),
            ]
        )
        names = [type(one).__name__ for one in told]
        assert ["Receipt", "ConflictError"] * 2 + ["Receipt"] * 2 == names
        assert [(), ()] == [one.revisions for one in told[4:] if isinstance(one, Receipt)]
        assert (0, 0) == (
            len(list(Inside(url, RULES).refs())),
            Inside(url, RULES).count("lc_links"),
        )
