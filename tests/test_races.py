"""What happens at once, in small: processes that race for a lead, and processes that are killed.

The storms themselves are commands of their own: ``python tests/storms race`` and so on.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import DATABASES, database
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from storms.crash import crash
from storms.races import hot, race, twins
from storms.world import ACTORS, AT, INTO, RULES, census, filled, person

from leadconvert.stores import SqlStore, convert_stored


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
