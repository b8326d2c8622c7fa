"""The command with a store: leads are stored, converted once, and left alone by the next run."""

import importlib.util
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from leadconvert import ChangeSet, Company, Delete, Lead, Ref, Wanted, presets, seed
from leadconvert.cli import main
from leadconvert.stores import SqlStore


ADA = '{"id": "L-7", "stage": "NEW", "title": "Engine", "last_name": "Lovelace"}'
JUNK = '{"id": "L-8", "stage": "JUNK", "title": "Prize", "last_name": "Winner"}'
BOUND = '{"id": "L-9", "stage": "NEW", "title": "Looms", "company_id": "CO-9"}'
RULES = presets.bitrix24()

Capsys = pytest.CaptureFixture[str]
Run = Callable[..., int]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the database is to be."""
    return tmp_path / "crm.db"


@pytest.fixture
def run(tmp_path: Path, database: Path) -> Run:
    """Return what converts leads in the database."""

    def ran(leads: str, into: str = "deal", *more: str) -> int:
        path = tmp_path / "leads.json"
        path.write_text(leads, encoding="utf-8")
        url = f"sqlite:///{database}"
        return main(["convert", str(path), "--into", into, "--store", url, *more])

    return ran


def count(database: Path, kind: str) -> int:
    """How many records of a kind a database holds, as another program sees it."""
    with closing(sqlite3.connect(database)) as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master")]
        [table] = [name for name in names if name.endswith(f"_{kind}") or name == kind]
        [[number]] = connection.execute(f'select count(*) from "{table}"')  # noqa: S608 - our own
    return int(number)


class TestStored:
    def test_the_first_run(self, run: Run, database: Path, capsys: Capsys) -> None:
        """Leads are stored, and what is made of them beside them."""
        assert 0 == run(ADA, "contact,deal")
        assert capsys.readouterr().out.endswith("\n1 converted, 0 refused\n")
        assert (1, 1, 1) == tuple(count(database, one) for one in ("lead", "contact", "deal"))

    def test_the_same_again(self, run: Run, database: Path, capsys: Capsys) -> None:
        """Running it again changes nothing, and says so."""
        run(ADA)
        assert 0 == run(ADA)
        out = capsys.readouterr().out
        assert out.endswith(
            "\n0 converted, 0 refused, 1 unchanged, as an earlier run had converted them\n"
        )
        assert "unchanged   deal Engine" in out
        assert 1 == count(database, "deal")

    def test_into_something_else(self, run: Run, database: Path, capsys: Capsys) -> None:
        """A lead that was converted is not converted into something else by another run."""
        run(ADA)
        assert 1 == run(ADA, "contact")
        assert "the lead is converted already, into deal L-7.1.deal.1" in capsys.readouterr().out
        assert 0 == count(database, "contact")

    def test_in_another_order(self, run: Run, database: Path, capsys: Capsys) -> None:
        """The order in which kinds are named makes no other run."""
        assert (0, 0) == (run(ADA, "contact,deal"), run(ADA, "deal,contact"))
        assert "0 converted, 0 refused, 1 unchanged" in capsys.readouterr().out
        assert (1, 1) == (count(database, "deal"), count(database, "contact"))

    def test_what_the_store_refuses(
        self, run: Run, database: Path, capsys: Capsys, tmp_path: Path
    ) -> None:
        """A lead that the database cannot hold, or that was removed since, stops no other."""
        half = '{"id": "L-1", "stage": "NEW", "title": "\\ud83d"}'
        gone = '{"id": "L-2", "stage": "NEW", "title": "Gone"}'
        assert 0 == run(gone)
        with SqlStore.from_url(f"sqlite:///{database}", rules=RULES) as store:
            ref = Ref("lead", "L-2")
            [lead] = store.load(Wanted(refs=(ref,))).records
            removed = [Delete(ref, lead.revision)]
            store.apply(ChangeSet(key="gone", fingerprint="f", changes=removed))
        capsys.readouterr()
        assert 1 == run(f"[{half}, {gone}, {ADA}]", "deal", "--out", str(tmp_path / "out"))
        out = capsys.readouterr().out
        assert out.endswith("\n1 converted, 2 refused\n")
        assert "there is no such record: lead L-2" in out
        lines = (tmp_path / "out" / "refused.jsonl").read_text("utf-8").splitlines()
        told = [(one["error"], one["lead_id"], one["problems"]) for one in map(json.loads, lines)]
        assert [("UnfitValueError", "L-1", []), ("RecordNotFoundError", "L-2", [])] == told

    def test_what_is_refused_is_stored(self, run: Run, database: Path) -> None:
        """A lead that cannot be converted is there all the same."""
        assert 1 == run(f"[{JUNK}, {ADA}]")
        assert (2, 1) == (count(database, "lead"), count(database, "deal"))

    def test_what_is_there_counts(self, run: Run, database: Path, capsys: Capsys) -> None:
        """A lead that is stored is converted as it is there, with the clients that are there."""
        with SqlStore.from_url(f"sqlite:///{database}", rules=RULES) as store:
            there = [
                Lead(id="L-9", stage="NEW", title="Power looms", company_id="CO-9"),
                Company(id="CO-9", name="Looms"),
            ]
            store.apply(seed(there, rules=RULES))
        assert 0 == run(BOUND)
        assert "deal Power looms" in capsys.readouterr().out
        with SqlStore.from_url(f"sqlite:///{database}", rules=RULES) as store:
            [deal] = store.load(Wanted(refs=(Ref("deal", "L-9.1.deal.1"),))).records
        assert "CO-9" == getattr(deal, "company_id", None)

    def test_with_files_as_well(self, run: Run, tmp_path: Path) -> None:
        """What came of each lead is written, be it of this run or of an earlier one."""
        out = tmp_path / "out"
        run(ADA)
        assert 0 == run(ADA, "deal", "--out", str(out))
        [line] = (out / "deal.jsonl").read_text("utf-8").splitlines()
        assert "Engine" == json.loads(line)["title"]


class TestUnusable:
    def test_another_database(self, capsys: Capsys, tmp_path: Path) -> None:
        """What is neither SQLite nor PostgreSQL is told in one line."""
        path = tmp_path / "leads.json"
        path.write_text(ADA, encoding="utf-8")
        assert 2 == main(["convert", str(path), "--store", "mysql://localhost/crm"])
        err = capsys.readouterr().err
        assert err.startswith("leadconvert: --store: that is no URL of a SQLite or PostgreSQL")
        assert 1 == err.count("\n")

    def test_no_way_there(self, run: Run, database: Path, capsys: Capsys) -> None:
        """A database that cannot be opened is told in one line."""
        database.mkdir()
        assert 2 == run(ADA)
        assert "leadconvert: --store: the database cannot be opened\n" == capsys.readouterr().err

    def test_without_the_extra(
        self, run: Run, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without SQLAlchemy the command says what to install."""
        found = importlib.util.find_spec

        def without(name: str, package: str | None = None) -> ModuleSpec | None:
            return None if name == "sqlalchemy" else found(name, package)

        monkeypatch.setattr("leadconvert.cli._convert.find_spec", without)
        assert 2 == run(ADA)
        assert (
            "leadconvert: --store needs: pip install 'leadconvert[cli,sql]'\n"
            == capsys.readouterr().err
        )

    def test_without_the_driver(
        self, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Without the driver of that database the command says what to install."""
        path = tmp_path / "leads.json"
        path.write_text(ADA, encoding="utf-8")
        monkeypatch.setitem(sys.modules, "psycopg", None)
        assert 2 == main(["convert", str(path), "--store", "postgresql://user@host/crm"])
        assert (
            "leadconvert: --store: PostgreSQL needs: pip install 'psycopg[binary]'\n"
            == capsys.readouterr().err
        )
