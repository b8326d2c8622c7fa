"""What happens at once, in small: processes that race, that are killed, and statements that fail.

The storms themselves are commands of their own: ``python tests/storms race`` and so on.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import attrs
import psycopg
import pytest
from databases import DATABASES, database, empty_schema
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from storms.crash import crash
from storms.fault import Fault
from storms.faults import faults
from storms.races import hot, race, twins
from storms.wire import Wire, wire
from storms.world import ACTORS, AT, INTO, RULES, census, filled, person

from leadconvert import ChangeSet, Company, Known, Limit, Receipt, Wanted
from leadconvert.errors import InvalidTargetError
from leadconvert.stores import SqlStore, Store, convert_stored


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    with database(request.param, tmp_path) as where:
        yield where.render_as_string(hide_password=False)


class TestCount:
    """What the storms count by sees what went wrong."""

    @pytest.mark.parametrize(
        ("damage", "half", "orphans", "duplicates"),
        [
            ("SELECT 1", 0, 0, 0),
            ("DELETE FROM lc_traces", 1, 0, 0),
            ("DELETE FROM lc_outbox", 1, 0, 0),
            ("DELETE FROM lc_receipts WHERE key LIKE 'L-1/%'", 1, 0, 0),
            ("UPDATE lc_lead SET stage = 'PROCESSED'", 1, 0, 0),
            ("DELETE FROM lc_links WHERE kind = 'deal' AND field = 'converted_from'", 1, 0, 0),
            ("DELETE FROM lc_deal", 1, 1, 0),
            ("UPDATE lc_lead SET conversions = NULL", 3, 3, 0),
            ("INSERT INTO lc_claims VALUES ('0', 'contact', 'C-3')", 0, 1, 0),
            ("INSERT INTO lc_deal (id, revision, title) VALUES ('D', '1', 'Order L-1')", 0, 1, 1),
        ],
    )
    def test_damage_is_counted(
        self, tmp_path: Path, damage: str, half: int, orphans: int, duplicates: int
    ) -> None:
        """Rows that are missing, too many, or do not fit the others."""
        url = f"sqlite:///{tmp_path}/crm.db"
        filled(url, [person("L-1", 1)])
        with SqlStore.from_url(url, rules=RULES) as store:
            convert_stored(store, "L-1", INTO, rules=RULES, actor=ACTORS[0], at=AT)
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(damage))
        there = census(url)
        assert (half, orphans, duplicates) == (there.half, there.orphans, there.duplicates)


class TestRace:
    def test_a_lead_that_two_convert_at_once_is_converted_once(self, url: str) -> None:
        """Each of the two gets the same result, or is refused as too late."""
        report = race(url, 8, 2)
        assert () == report.broken
        assert 8 == report.found["leads converted"]
        # which of the two happens depends on who was quicker
        answered = ("given the result that is stored", "refused as too late")
        assert 16 == sum(report.found[name] for name in answered)


class TestTwins:
    def test_two_leads_of_one_person_make_one_contact_and_one_company(self, url: str) -> None:
        """Whoever comes second decides again, and finds what the first has made."""
        report = twins(url, 3)
        assert () == report.broken
        assert [6, 3, 3, 6] == [
            report.found[name] for name in ("leads converted", "contacts", "companies", "deals")
        ]

    def test_without_claims_there_are_duplicates(self, url: str) -> None:
        """So it is the claims that keep them away, and the count sees what they keep away."""
        report = twins(url, 3, claims=False)
        assert ("contacts", "companies", "duplicates") == report.broken
        assert 6 == report.found["duplicates"]


class TestHotRecord:
    def test_all_link_to_one_company_and_none_fails(self, url: str) -> None:
        """To link needs no revision, so nobody is in another's way."""
        report = hot(url, 6, 3)
        assert () == report.broken
        assert (0, 6, 1) == tuple(
            report.found[name] for name in ("failed", "leads converted", "companies")
        )


class TestCrash:
    def test_a_worker_that_is_killed_leaves_nothing_half_done(self, url: str) -> None:
        """What it was told is there, and the rest is done when the batch runs again."""
        report = crash(url, 6, 2, random.Random(7))  # noqa: S311 - moments are no secrets
        assert () == report.broken
        assert 6 == report.found["killed"]


class TestWire:
    """What stands before PostgreSQL meets each statement, also those that are sent together."""

    @pytest.mark.parametrize(
        ("how", "nth", "raised", "passed", "there"),
        [
            # the first is the one that begins the transaction, the fifth the one that commits it
            ("not at all", 0, None, 5, 3),
            ("40001", 3, psycopg.errors.SerializationFailure, 4, 0),
            ("ended", 4, psycopg.OperationalError, 4, 0),
            ("ended", 5, psycopg.OperationalError, 5, 0),
            ("unanswered", 4, psycopg.OperationalError, 4, 0),
            ("unanswered", 5, psycopg.OperationalError, 5, 3),
        ],
    )
    def test_a_statement_of_a_pipeline_goes_wrong(
        self, how: str, nth: int, raised: type[Exception] | None, passed: int, there: int
    ) -> None:
        """Those before it are done by then, those after it never, and the commit is one of them."""
        with empty_schema() as url, wire(url.render_as_string(hide_password=False)) as between:
            told = between.url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(told) as connection:
                connection.execute("CREATE TABLE done (n integer)")
            fault = Fault(how, nth)
            with nullcontext() if raised is None else pytest.raises(raised):
                _three_at_once(told, between, fault)
            between.fault = None
            with psycopg.connect(told) as connection:
                assert there == len(connection.execute("SELECT n FROM done").fetchall())
            assert passed == fault.passed


def _three_at_once(url: str, between: Wire, fault: Fault) -> None:
    with psycopg.connect(url) as connection, connection.pipeline():
        between.fault = fault
        for n in range(3):
            connection.execute("INSERT INTO done VALUES (%s)", [n])
        connection.commit()


class TestFaults:
    def test_whatever_goes_wrong_is_made_good_by_asking_again(self, url: str) -> None:
        """No half conversion, no duplicate, and nothing lost; the commit is among what fails."""
        reports = faults(url, 1, 8)
        assert {} == {name: one.broken for name, one in reports.items() if one.broken}
        assert (3 if url.startswith("sqlite") else 6) == len(reports)


#: Of one client at most one deal is open.
_ONE_OPEN: Final = attrs.evolve(RULES, limits=[Limit("deal", "no_open")])


@attrs.define
class _Overtaken:
    """A store; when something is to be applied first, somebody else is quicker."""

    store: SqlStore
    quicker: Callable[[], object] | None
    owns_transaction: bool = True

    def load(self, wanted: Wanted, /) -> Known:
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        quicker, self.quicker = self.quicker, None
        if quicker is not None:
            quicker()
        return self.store.apply(changes)


def _deal(store: Store, lead_id: str) -> str | None:
    """Make a deal of a lead, and return its id; None if its client has an open one."""
    try:
        result = convert_stored(
            store, lead_id, ["company", "deal"], rules=_ONE_OPEN, actor=ACTORS[0], at=AT
        )
    except InvalidTargetError:
        return None
    return result.deal.id


class TestLimit:
    """How many open deals a client has is decided on what was read."""

    @pytest.mark.parametrize(("there", "first"), [(True, "L-1.1.deal.1"), (False, None)])
    def test_a_client_that_is_only_linked_may_get_two_open_deals(
        self, url: str, *, there: bool, first: str | None
    ) -> None:
        """A new client is found by who comes second; of an old one nothing tells there is news."""
        companies = [Company(id="CO-9", name="Works 1")] if there else []
        filled(url, [person("L-1", 1), person("L-2", 1), *companies])
        with SqlStore.from_url(url, rules=_ONE_OPEN) as store:
            second: list[str | None] = []
            overtaken = _Overtaken(store, lambda: second.append(_deal(store, "L-2")))
            assert first == _deal(overtaken, "L-1")
            assert ["L-2.1.deal.1"] == second

    def test_a_lock_of_your_own_lets_the_second_see_the_deal_of_the_first(self, url: str) -> None:
        """The client is locked before it is read, in the transaction that the deal is made in."""
        filled(url, [person("L-1", 1), person("L-2", 1), Company(id="CO-9", name="Works 1")])
        engine = create_engine(url, poolclass=NullPool)
        store = SqlStore(engine, rules=_ONE_OPEN)
        lock = {
            "sqlite": "BEGIN IMMEDIATE",
            "postgresql": "SELECT pg_advisory_xact_lock(hashtext('CO-9'))",
        }[engine.dialect.name]

        def locked(lead_id: str) -> str | None:
            with engine.begin() as connection:
                connection.exec_driver_sql(lock)
                return _deal(store.within(connection), lead_id)

        with ThreadPoolExecutor(1) as threads:
            with engine.begin() as connection:
                connection.exec_driver_sql(lock)
                second = threads.submit(locked, "L-2")
                first = _deal(store.within(connection), "L-1")
            assert ("L-1.1.deal.1", None) == (first, second.result())
