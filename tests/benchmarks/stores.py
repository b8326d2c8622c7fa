"""Times what storing a conversion costs, next to scripts written by hand that write the same rows.

Run it with ``uv run python tests/benchmarks/stores.py``; it prints conversions per second and
ratios, and exits with 1 where `SqlStore.apply` on PostgreSQL falls short of what is promised: one
by one 0.85 of SQLAlchemy Core by hand and 0.4 of psycopg by hand, a thousand at once 0.5 of Core.

Every way has tables of its own, filled with the same leads, and is given the same conversions, all
decided beforehand. The scripts stand in ``by_hand.py``: they know what there is to be written,
check nothing, and look for no duplicates. In each round all ways take turns with the same leads; a
ratio is the median of the rounds. In the end all tables must hold the same.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import attrs
import psycopg
from sqlalchemy import URL, Engine, create_engine, select


sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from by_hand import ByCore, ByPsycopg
from databases import empty_schema
from in_django import django_store

from leadconvert import (
    Actor,
    ChangeSet,
    Channel,
    ConversionRules,
    Lead,
    Matching,
    MatchRule,
    Product,
    Ref,
    Wanted,
    convert,
    presets,
    seed,
)
from leadconvert.stores import AsyncSqlStore, SqlStore, Store, convert_stored
from leadconvert.stores._sql_tables import Tables, found


AT: Final = datetime(2027, 1, 31, tzinfo=UTC)
ACTOR: Final = Actor("u-1", roles=["admin"])
INTO: Final = ("contact", "company", "deal")
RULES: Final[ConversionRules] = attrs.evolve(
    presets.bitrix24(),
    matching=Matching(
        [MatchRule("contact", ["email"], "link"), MatchRule("company", ["company"], "link")]
    ),
)
#: So many rounds, and leads in each.
ONE_BY_ONE: Final = (9, 50)
AT_ONCE: Final = (5, 1_000)
#: The least of each that the store must come to.
WANTED: Final = {
    ("one by one", "Core by hand"): 0.85,
    ("one by one", "psycopg by hand"): 0.4,
    ("1000 at once", "Core by hand"): 0.5,
}

#: What is numbered by the database, or drawn by the store.
DRAWN: Final = frozenset({"n", "revision"})

#: A decided conversion by lead.
Sets = Mapping[str, ChangeSet]
#: What stores the conversions of some leads.
Way = Callable[[Sequence[str]], object]


def lead(id_: str) -> Lead:
    """Return a lead with two channels and two product lines."""
    return Lead(
        id=id_,
        stage="NEW",
        title=f"Engine for {id_}",
        first_name="Ada",
        last_name="Lovelace",
        company_name=f"Engines {id_}",
        emails=[Channel(f"{id_}@example.com")],
        phones=[Channel("+49 30 1234567")],
        amount=Decimal("1200.50"),
        currency="EUR",
        products=[
            Product(name="Engine", price=Decimal("1000.50")),
            Product(name="Wheel", price=Decimal(100), quantity=2),
        ],
        comments="Wants it soon.",
    )


def decided(store: Store, ids: Sequence[str]) -> Sets:
    """Return the change set of each conversion."""
    known = store.load(Wanted(refs=tuple(Ref("lead", id_) for id_ in ids)))
    return {
        one.id: convert(one, INTO, rules=RULES, actor=ACTOR, at=AT).changes
        for one in known.records
        if isinstance(one, Lead)
    }


def tables_of(engine: Engine) -> Tables:
    """Return the tables that a store has made."""
    with engine.connect() as connection:
        tables = found(connection, RULES)
    if tables is None:
        raise RuntimeError("no store has made tables here")
    return tables


def every_row(url: URL) -> dict[str, list[dict[str, Any]]]:
    """Return all that is in the tables, without what is numbered or drawn."""
    engine = create_engine(url)
    tables = tables_of(engine)
    with engine.connect() as connection:
        rows = {
            table.name: [
                {name: one for name, one in row.items() if name not in DRAWN}
                for row in connection.execute(select(table)).mappings()
            ]
            for table in tables.metadata.sorted_tables
            if table is not tables.schema
        }
    engine.dispose()
    return rows


@attrs.define
class Bench:
    """All ways to store the conversions of leads, each with tables of its own."""

    stack: ExitStack
    ids: Sequence[str]
    urls: dict[str, URL] = attrs.field(factory=dict)
    ways: dict[str, Way] = attrs.field(factory=dict)

    def filled(self, name: str, url: URL | None = None) -> tuple[SqlStore, Sets]:
        """Return a store with the leads in it, on PostgreSQL unless *url* says where."""
        self.urls[name] = url or self.stack.enter_context(empty_schema())
        store = self.stack.enter_context(SqlStore.from_url(self.urls[name], rules=RULES))
        store.apply_many(seed([lead(id_)], rules=RULES) for id_ in self.ids)
        return store, decided(store, self.ids)

    def by_core(self, name: str) -> ByCore:
        """Return the script on SQLAlchemy Core."""
        _, sets = self.filled(name)
        engine = create_engine(self.urls[name])
        self.stack.callback(engine.dispose)
        return ByCore(engine, tables_of(engine), sets)

    def by_psycopg(self, name: str, *, piped: bool = False, books: bool = True) -> ByPsycopg:
        """Return the script on psycopg."""
        store, sets = self.filled(name)
        url = self.urls[name].set(drivername="postgresql").render_as_string(hide_password=False)
        connection = self.stack.enter_context(psycopg.connect(url, autocommit=True))
        return ByPsycopg(connection, tables_of(engine_of(store)), sets, piped, books)

    def run(self, rounds: int, leads: int) -> dict[str, list[float]]:
        """Return for each way how many conversions it stored per second, round by round."""
        found_: dict[str, list[float]] = {name: [] for name in self.ways}
        # what stands ready is not looked through again whenever something new is made
        gc.collect()
        gc.freeze()
        # the first round warms up, and does not count
        for turn in range(rounds + 1):
            mine = self.ids[turn * leads : (turn + 1) * leads]
            for name, way in self.ways.items():
                start = perf_counter()
                way(mine)
                if turn:
                    found_[name].append(leads / (perf_counter() - start))
        return found_

    def check(self) -> None:
        """See to it that all ways have come to the same on PostgreSQL."""
        urls = {name: url for name, url in self.urls.items() if url.drivername != "sqlite"}
        expected, *others = ((name, told(every_row(url))) for name, url in urls.items())
        for name, rows in others:
            if rows != expected[1]:
                raise RuntimeError(f"{name} has stored something else")


def told(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[str]]:
    """Return *rows* so that they can be compared; what receipts say of revisions is drawn."""
    for row in rows["lc_receipts"]:
        row["receipt"].pop("revisions")
    return {name: sorted(map(repr, some)) for name, some in rows.items()}


def engine_of(store: SqlStore) -> Engine:
    """Return what a store is made on."""
    if not isinstance(store.where, Engine):
        raise TypeError("the store has no engine")
    return store.where


def one_by_one(stack: ExitStack, folder: str) -> Bench:
    """Return all ways to store conversions one by one."""
    rounds, leads = ONE_BY_ONE
    bench = Bench(stack, [f"L{n}" for n in range((rounds + 1) * leads)])
    runner = stack.enter_context(asyncio.Runner())

    def applied(name: str, url: URL | None = None) -> Way:
        store, sets = bench.filled(name, url)
        return lambda ids: [store.apply(sets[id_]) for id_ in ids]

    def awaited(name: str) -> Way:
        _, sets = bench.filled(name)
        store = AsyncSqlStore.from_url(bench.urls[name], rules=RULES)
        stack.callback(lambda: runner.run(store.close()))

        async def apply(ids: Sequence[str]) -> None:
            for id_ in ids:
                await store.apply(sets[id_])

        return lambda ids: runner.run(apply(ids))

    def driven(name: str) -> Way:
        store, _ = bench.filled(name)
        return lambda ids: [
            convert_stored(store, id_, INTO, rules=RULES, actor=ACTOR, at=AT) for id_ in ids
        ]

    def by_django() -> Way:
        store = django_store(stack.enter_context(empty_schema()), RULES)
        # its ids are the database's own
        stored = {
            id_: store.apply(seed([lead(id_)], rules=RULES)).ids[0][1].id for id_ in bench.ids
        }
        sets = decided(store, list(stored.values()))
        return lambda ids: [store.apply(sets[stored[id_]]) for id_ in ids]

    bench.ways = {
        "SqlStore.apply": applied("SqlStore.apply"),
        "Core by hand": bench.by_core("Core by hand"),
        "psycopg by hand": bench.by_psycopg("psycopg by hand"),
        "psycopg by hand, in a pipeline": bench.by_psycopg("in a pipeline", piped=True),
        "psycopg by hand, no books kept": bench.by_psycopg("no books", books=False),
        "convert_stored, which loads and decides": driven("convert_stored"),
        "AsyncSqlStore.apply": awaited("AsyncSqlStore.apply"),
        "the Django recipe": by_django(),
        "SqlStore.apply on SQLite": applied("SQLite", URL.create("sqlite", database=f"{folder}/1")),
    }
    # it has written less
    del bench.urls["no books"]
    return bench


def at_once(stack: ExitStack, folder: str) -> Bench:
    """Return all ways to store many conversions at once."""
    rounds, leads = AT_ONCE
    bench = Bench(stack, [f"L{n}" for n in range((rounds + 1) * leads)])

    def applied(name: str, url: URL | None = None) -> Way:
        store, sets = bench.filled(name, url)
        return lambda ids: store.apply_many(sets[id_] for id_ in ids)

    bench.ways = {
        "SqlStore.apply_many": applied("SqlStore.apply_many"),
        "Core by hand": bench.by_core("Core by hand").at_once,
        "SqlStore.apply_many on SQLite": applied(
            "SQLite", URL.create("sqlite", database=f"{folder}/2")
        ),
    }
    return bench


def compared(title: str, rates: Mapping[str, Sequence[float]]) -> bool:
    """Print what each way came to, and return whether ours comes to what is promised."""
    own = next(iter(rates.values()))
    sys.stdout.write(f"\n{title:42} per second   ours to it\n")
    enough = True
    for name, found_ in rates.items():
        ratio = median(mine / theirs for mine, theirs in zip(own, found_, strict=True))
        least = WANTED.get((title, name))
        mark = "" if least is None else f"  wanted {least}"
        enough = enough and (least is None or ratio >= least)
        sys.stdout.write(f"{name:42} {median(found_):10.0f} {ratio:12.2f}{mark}\n")
    return enough


def main() -> int:
    """Print the figures, and return 1 where ours falls short."""
    enough = []
    for title, make, size in (
        ("one by one", one_by_one, ONE_BY_ONE),
        ("1000 at once", at_once, AT_ONCE),
    ):
        with ExitStack() as stack:
            bench = make(stack, stack.enter_context(TemporaryDirectory()))
            rates = bench.run(*size)
            bench.check()
        enough.append(compared(title, rates))
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
