"""The contract of a store: what passes it, what it refuses, and every bug it is to catch."""

import asyncio
import re
import sqlite3
import subprocess
import sys
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import pytest
import sabotaged_once
import sabotaged_reading  # noqa: F401 - bugs are planted by importing them
import sabotaged_refs  # noqa: F401
import sabotaged_removing  # noqa: F401
import sabotaged_values
import sabotaged_writing  # noqa: F401
from docs.recipes.sqlite_store import SCHEMA, SqliteStore
from hypothesis import Phase, settings
from sabotage import BUGS, Bug, Sabotage
from sabotaged_service import Service, ServiceContract

from leadconvert import ChangeSet, Delete, Known, Lead, Receipt, Update, Wanted, seed
from leadconvert.errors import LeadConvertError
from leadconvert.stores import AsyncStore, MemoryStore
from leadconvert.testing import Opened, StoreContract


#: How many examples the stores are tried with that are much like one another.
FEW: Final = 5
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "adapters.md").read_text("utf-8")


class TestMemoryStore(StoreContract):
    bulk = True

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a store in memory, which may be used while it loads."""
        store = MemoryStore(self.rules)
        yield Opened(store, lambda: store.records, lambda: store.events, other=store)


class TestMemoryStoreOfOwnIds(StoreContract):
    bulk = True

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a store in memory that numbers its records itself."""
        numbers = count(1)
        store = MemoryStore(self.rules, new_id=lambda _: str(next(numbers)))
        yield Opened(store, lambda: store.records, lambda: store.events, other=store)


class Borrowed(MemoryStore):
    """A store inside a transaction that its caller owns."""

    @property
    def owns_transaction(self) -> bool:
        """It does not."""
        return False


class TestBorrowedTransaction(StoreContract):
    bulk = True
    shared = False
    examples = FEW

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a store that never decides again."""
        store = Borrowed(self.rules)
        yield Opened(store, lambda: store.records, lambda: store.events)


class Unrevised(MemoryStore):
    """A store with transactions that does not look at revisions."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply what was decided on whatever was read."""
        rewritten = [
            attrs.evolve(one, revision=self.records[one.ref].revision)
            if isinstance(one, Update | Delete) and one.ref in self.records
            else one
            for one in changes.changes
        ]
        return super().apply(attrs.evolve(changes, changes=rewritten))


class Copying(MemoryStore):
    """A store that makes copies of the lists it is given, as some libraries do."""

    def load(self, wanted: Wanted, /) -> Known:
        """Load by copies."""
        parts = {one: getattr(wanted, one) for one in ("refs", "matches", "related", "traces")}
        copies = {name: type(part)(part) for name, part in parts.items()}
        return super().load(attrs.evolve(wanted, **copies))


class TestUnrevised(StoreContract):
    bulk = True
    revisions = False
    examples = FEW

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a store that does not look at revisions."""
        store = Unrevised(self.rules)
        yield Opened(store, lambda: store.records, lambda: store.events, other=store)


class TestPicky(Sabotage):
    """A store that refuses what it has no place for passes as well."""

    bulk = True
    examples = FEW
    store = sabotaged_values.Picky


class TestService(ServiceContract):
    """A storage without transactions and revisions."""

    examples = FEW


class TestSabotage(Sabotage):
    """The store that bugs are planted in has none of its own."""

    bulk = True
    examples = FEW


class Later:
    """The store in memory for those who await."""

    owns_transaction = True

    def __init__(self) -> None:
        self.inner = MemoryStore(StoreContract.rules)

    async def load(self, wanted: Wanted, /) -> Known:
        """Load a little later."""
        await asyncio.sleep(0)
        return self.inner.load(wanted)

    async def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply a little later."""
        await asyncio.sleep(0)
        return self.inner.apply(changes)


@attrs.frozen
class Awaited:
    """A store whose methods are awaited, for those who do not await: as on the page."""

    store: AsyncStore
    runner: asyncio.Runner
    thread: ThreadPoolExecutor
    owns_transaction: bool = True

    def load(self, wanted: Wanted, /) -> Known:
        """Load, and wait for it."""
        return self.thread.submit(lambda: self.runner.run(self.store.load(wanted))).result()

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply, and wait for it."""
        return self.thread.submit(lambda: self.runner.run(self.store.apply(changes))).result()


@contextmanager
def awaited(store: AsyncStore) -> Iterator[Awaited]:
    """Wait for a store in a thread with one loop."""
    with asyncio.Runner() as runner, ThreadPoolExecutor(max_workers=1) as thread:
        yield Awaited(store, runner, thread)


class TestAsyncStore(StoreContract):
    examples = FEW

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a store that is awaited."""
        later = Later()
        with awaited(later) as store, awaited(later) as other:
            memory = later.inner
            yield Opened(store, lambda: memory.records, lambda: memory.events, other=other)


class TestSqliteStore(StoreContract):
    examples = FEW

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """Open a database with two connections to it."""
        with (
            TemporaryDirectory() as folder,
            closing(connected(folder)) as db,
            closing(connected(folder)) as beside,
        ):
            store, other = SqliteStore(db, self.rules), SqliteStore(beside, self.rules)
            yield Opened(store, store.refs, store.events, other=other)


def connected(folder: str) -> sqlite3.Connection:
    """Return a connection to a database that forgets nothing but a power cut."""
    db = sqlite3.connect(Path(folder, "crm.db"), isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + SCHEMA)
    return db


def names_of(contract: type[StoreContract]) -> set[str]:
    """Return the names of the tests that a contract has."""
    named = (name for name in dir(contract) if name.startswith("test_"))
    return {name for name in named if getattr(contract, name) is not None}


def memory(**declared: object) -> type[StoreContract]:
    """Return a contract of a store in memory with something declared."""
    return type("Memory", (TestMemoryStore,), declared)


class TestDeclaring:
    def test_what_is_not_declared_brings_other_tests(self) -> None:
        """Whatever a store cannot do, there are other tests in place of those it cannot pass."""
        for capability, gone, come in (
            ("transactions", "all_or_nothing_at_each_step", "without_transactions_again_completes"),
            ("revisions", "a_late_update_is_refused", "without_revisions_none_is_needed"),
            ("revisions", "race_with_an_edit", "without_revisions_none_is_needed"),
            ("shared", "load_is_one_snapshot", "alone_a_load_sees_whole_change_sets"),
            ("bulk", "many_again", "apply_many_is_declared"),
        ):
            able, unable = memory(**{capability: True}), memory(**{capability: False})
            assert {f"test_{gone}"} == {f"test_{gone}", f"test_{come}"} & names_of(able)
            assert {f"test_{come}"} == {f"test_{gone}", f"test_{come}"} & names_of(unable)

    def test_a_subclass_may_declare_otherwise(self) -> None:
        """What a class declares counts for it, whatever the class above it declares."""
        weak = memory(transactions=False)
        strong = type("Strong", (weak,), {"transactions": True})
        assert names_of(TestMemoryStore) == names_of(strong)
        assert names_of(weak) != names_of(strong)

    def test_shared_needs_another_store(self) -> None:
        """Who says that several may use the storage at once hands over another store."""

        class Lonely(StoreContract):
            @contextmanager
            def open_store(self) -> Iterator[Opened]:
                store = MemoryStore(self.rules)
                yield Opened(store, lambda: store.records, lambda: store.events)

        with pytest.raises(AssertionError, match=r"Opened\.other is missing"):
            Lonely().test_load_is_one_snapshot()

    def test_the_hook_is_needed(self) -> None:
        """Who has not said how to open a store is told what is missing."""
        with pytest.raises(NotImplementedError, match="open_store"):
            type("Empty", (StoreContract,), {})().test_again_changes_nothing()

    def test_the_rules_are_given(self) -> None:
        """A store is made for the contract's own rules, which have every sort of kind."""
        rules = StoreContract.rules
        kinds = {kind.id: kind for kind in rules.every_kind}
        assert ["lead", "contact", "company", "deal"] == list(kinds)[:4]
        assert kinds["visit"].cls is not None
        assert kinds["invoice"].cls is None
        assert ["task", "note", "attachment"] == [rule.kind.id for rule in rules.children]


class TestReplacing:
    @pytest.mark.parametrize("replaced", [lambda _: None, None])
    def test_no_test_is_replaced(self, replaced: object) -> None:
        """A subclass that defines a test of the contract, or takes it away, is refused."""
        with pytest.raises(TypeError, match="Other replaces test_again_changes_nothing: a test of"):
            type("Other", (StoreContract,), {"test_again_changes_nothing": replaced})
        with pytest.raises(TypeError, match="Other replaces test_again_changes_nothing"):
            type("Other", (TestMemoryStore,), {"test_again_changes_nothing": replaced})

    def test_no_test_is_replaced_from_beside(self) -> None:
        """A class beside the contract cannot replace a test either."""
        beside = type("Beside", (), {"test_again_changes_nothing": lambda _: None})
        with pytest.raises(TypeError, match="Beside replaces test_again_changes_nothing"):
            type("Other", (beside, StoreContract), {})

    def test_own_tests_are_welcome(self) -> None:
        """A subclass may have tests of its own."""
        own = type("Own", (StoreContract,), {"test_mine": lambda _: None})
        assert {"test_mine"} == names_of(own) - names_of(StoreContract)


class TestKnownFailures:
    def test_a_known_failure_is_skipped_with_its_reason(self) -> None:
        """A test that is known to fail is told as skipped, and why, while it fails."""
        planted = sabotaged_once.KeyIgnored.contract()
        failures = {"test_again_changes_nothing": "the service has no keys"}
        known = type("Known", (planted,), {"known_failures": failures})
        with pytest.raises(unittest.SkipTest, match="known to fail: the service has no keys"):
            known().test_again_changes_nothing()
        assert names_of(planted) == names_of(known)

    def test_a_known_failure_that_passes_fails(self) -> None:
        """A test that passes by now is no known failure any more."""
        known = memory(known_failures={"test_again_changes_nothing": "it was broken"})
        with pytest.raises(AssertionError, match="test_again_changes_nothing passes by now"):
            known().test_again_changes_nothing()

    @pytest.mark.parametrize(
        "failures", [{"test_no_such": "why"}, {"test_again_changes_nothing": " "}]
    )
    def test_a_known_failure_is_a_test_and_has_a_reason(self, failures: dict[str, str]) -> None:
        """A name that is no test, and a test without a reason, are mistakes."""
        with pytest.raises(TypeError, match=r"known_failures: 'test_.*' is no test, or has no"):
            memory(known_failures=failures)


class TestHandingOver:
    def test_what_is_wanted_can_be_copied(self) -> None:
        """A store may make other lists of those that it is given to load by."""

        class Copied(StoreContract):
            @contextmanager
            def open_store(self) -> Iterator[Opened]:
                store = Copying(self.rules)
                yield Opened(store, lambda: store.records, lambda: store.events, other=store)

        Copied().test_load_is_one_snapshot()


class TestRunners:
    def test_no_pytest_is_needed(self) -> None:
        """The contract is used without pytest: importing it loads none."""
        code = "import sys, leadconvert.testing; print('pytest' in sys.modules)"
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        assert "False" == done.stdout.strip()

    def test_unittest_runs_it(self) -> None:
        """Beside a TestCase it is a suite of unittest, which tells known failures as skipped."""
        failures = {"test_apply_many_is_declared": "it is not declared"}
        members = {"known_failures": failures, "bulk": False, "examples": 1}
        case = type("Case", (TestMemoryStore, unittest.TestCase), members)
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
        assert len(names_of(case)) == suite.countTestCases()
        result = unittest.TestResult()
        suite.run(result)
        assert ([], []) == (result.errors, result.failures)
        assert ["known to fail: it is not declared"] == [reason for _, reason in result.skipped]

    def test_the_contract_itself_is_no_test(self) -> None:
        """Whoever imports it has not said yet what is to be tested, so nothing is collected."""
        assert not StoreContract.__name__.startswith("Test")

    @pytest.mark.parametrize("name", sorted(names_of(StoreContract)))
    def test_every_test_says_what_it_promises(self, name: str) -> None:
        """Each test of the contract has a sentence."""
        assert re.fullmatch(r"[A-Z].*\.", str(getattr(StoreContract, name).__doc__))


class TestCatching:
    """Every planted bug is caught by each of the tests that are said to catch it."""

    @pytest.mark.parametrize("bug", list(BUGS), ids=lambda bug: str(bug.__name__))
    def test_every_planted_bug_is_caught(self, bug: type[Bug]) -> None:
        """Each test that is said to catch a bug fails, and says what is broken."""
        settings.register_profile("planted", phases=[Phase.generate], derandomize=True)
        settings.load_profile("planted")
        try:
            for name in BUGS[bug]:
                with pytest.raises((AssertionError, LeadConvertError)):
                    getattr(bug.contract()(), name)()
        finally:
            settings.load_profile("default")

    def test_every_test_catches_something(self) -> None:
        """No test of the contract is there in vain: each catches a bug by itself."""
        every = names_of(TestMemoryStore) | names_of(TestService)
        assert set() == every - {name for tests in BUGS.values() for name in tests}

    def test_the_list_is_published(self) -> None:
        """The page lists just these bugs, each in its own words, with what catches it."""
        rows = re.findall(r"^\| ([^|]+\.) \| (`test_[^|]+`) \|$", PAGE, re.MULTILINE)
        told = {bug.__doc__: " ".join(f"`{one}`" for one in tests) for bug, tests in BUGS.items()}
        assert told == dict(rows)
        assert f"{len(BUGS)} planted bugs" in PAGE

    def test_the_service_does_its_work(self) -> None:
        """The storage without transactions that bugs are planted in is a store."""
        store = Service(StoreContract.rules)
        store.apply(seed([Lead(id="L-1", stage="NEW")], rules=StoreContract.rules))
        assert ["lead 1"] == [str(ref) for ref in store.inner.records]
