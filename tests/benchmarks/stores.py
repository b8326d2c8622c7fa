"""Times what storing a conversion costs, next to scripts written by hand that write the same rows.

Run it with ``uv run python tests/benchmarks/stores.py``; it prints conversions per second and
ratios, and exits with 1 where `SqlStore.apply` on PostgreSQL falls short of what is promised: one
by one 0.85 of SQLAlchemy Core by hand and 0.4 of psycopg by hand, a thousand at once 0.5 of Core.

Every way has tables of its own, filled with the same leads. The scripts get ready made the very
rows that the store writes; they neither decide, nor check, nor look for duplicates. In each round
all ways take turns with the same leads; a ratio is the median of the rounds. In the end all tables
must hold the same.
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
from psycopg.types.json import Jsonb
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)


sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from databases import empty_schema

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
from leadconvert.stores import AsyncSqlStore, SqlStore, convert_stored
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

#: The rows of one table that belong to one lead.
Rows = Mapping[str, Sequence[Mapping[str, Any]]]
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


def work_of(url: URL, ids: Sequence[str]) -> dict[str, Rows]:
    """Return for each lead the rows that its conversion comes to, by table."""
    with SqlStore.from_url(url, rules=RULES) as store:
        fill(store, ids)
        sets = decided(store, ids)
        before = {name: set(map(repr, rows)) for name, rows in every_row(url).items()}
        store.apply_many(sets.values())
    rows: dict[str, dict[str, list[Mapping[str, Any]]]] = {id_: {} for id_ in ids}
    for name, after in every_row(url).items():
        for row in after:
            if repr(row) not in before[name]:
                told = {column: one for column, one in row.items() if one is not None}
                rows[owner(row)].setdefault(name, []).append(told)
    return rows


def owner(row: Mapping[str, Any]) -> str:
    """Return the id of the lead that a row is about."""
    told: str = row.get("id") or row["key"]
    return told.split(".", maxsplit=1)[0].split("/", maxsplit=1)[0]


def fill(store: SqlStore, ids: Sequence[str]) -> None:
    """Store the leads."""
    store.apply_many(seed([lead(id_)], rules=RULES) for id_ in ids)


def decided(store: SqlStore, ids: Sequence[str]) -> dict[str, ChangeSet]:
    """Return the change set of each conversion."""
    known = store.load(Wanted(refs=[Ref("lead", id_) for id_ in ids]))
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


@attrs.frozen
class ByCore:
    """The script by hand on SQLAlchemy Core: a statement for each table, one transaction."""

    engine: Engine
    tables: Tables
    work: Mapping[str, Rows]

    def __call__(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            with self.engine.begin() as connection:
                self.store(connection, [id_])

    def at_once(self, ids: Sequence[str]) -> None:
        """Store many conversions in one transaction."""
        with self.engine.begin() as connection:
            self.store(connection, ids)

    def store(self, connection: Connection, ids: Sequence[str]) -> None:
        """Lock the leads, insert what is new, and update the leads."""
        leads = self.tables.shapes["lead"].table
        connection.execute(select(leads.c.id).where(leads.c.id.in_(ids)).with_for_update())
        for table in self.tables.metadata.sorted_tables:
            rows = [row for id_ in ids for row in self.work[id_].get(table.name, ())]
            if rows and table is leads:
                self.close(connection, leads, rows)
            elif rows:
                drawn = {"revision": "1"} if "revision" in table.c else {}
                connection.execute(insert(table), [{**row, **drawn} for row in rows])

    @staticmethod
    def close(connection: Connection, leads: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what a conversion changes in its lead."""
        names = ("stage", "stage_history", "conversions")
        told = [{"_id": row["id"], "revision": "1", **{n: row[n] for n in names}} for row in rows]
        values = {name: bindparam(name) for name in ("revision", *names)}
        connection.execute(update(leads).where(leads.c.id == bindparam("_id")).values(values), told)


@attrs.frozen
class ByPsycopg:
    """The script by hand on psycopg: the same statements, written as text; at will in a pipeline.

    Without *books* it writes no more than the records, as most CRMs do.
    """

    connection: psycopg.Connection[Any]
    tables: Tables
    work: Mapping[str, Rows]
    piped: bool = False
    books: bool = True

    def __call__(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                if self.piped:
                    with self.connection.pipeline():
                        self.store(cursor, id_)
                else:
                    self.store(cursor, id_)

    def store(self, cursor: psycopg.Cursor[Any], id_: str) -> None:
        """Lock the lead, insert what is new, and update the lead."""
        shapes = self.tables.shapes
        kinds, leads = {one.table.name for one in shapes.values()}, shapes["lead"].table.name
        cursor.execute(f"SELECT id FROM {leads} WHERE id = %s FOR UPDATE", [id_])
        for name, rows in self.work[id_].items():
            if name == leads:
                row = rows[0]
                cursor.execute(
                    f"UPDATE {leads} SET revision = '1', stage = %s, stage_history = %s,"
                    " conversions = %s WHERE id = %s",
                    [row["stage"], Jsonb(row["stage_history"]), Jsonb(row["conversions"]), id_],
                )
            elif name in kinds or self.books:
                drawn = {"revision": "1"} if name in kinds else {}
                columns = [*rows[0], *drawn]
                statement = (
                    f"INSERT INTO {name} ({', '.join(columns)})"
                    f" VALUES ({', '.join(['%s'] * len(columns))})"
                )
                told = [[held(one) for one in (*row.values(), *drawn.values())] for row in rows]
                if len(told) == 1:
                    cursor.execute(statement, told[0])
                else:
                    cursor.executemany(statement, told)


def held(value: object) -> object:
    """Return *value* as psycopg takes it."""
    return Jsonb(value) if isinstance(value, (dict, list)) else value


@attrs.define
class Bench:
    """All ways to do one piece of work, each with tables of its own that hold the same leads."""

    work: Mapping[str, Rows]
    stack: ExitStack
    urls: dict[str, URL] = attrs.field(factory=dict)
    ways: dict[str, Way] = attrs.field(factory=dict)

    @classmethod
    def of(cls, stack: ExitStack, ids: Sequence[str]) -> "Bench":
        """Find out what there is to be stored."""
        return cls(work_of(stack.enter_context(empty_schema()), ids), stack)

    def filled(self, name: str, url: URL | None = None) -> SqlStore:
        """Return a store with the leads in it, on PostgreSQL unless *url* says where."""
        self.urls[name] = url or self.stack.enter_context(empty_schema())
        store = self.stack.enter_context(SqlStore.from_url(self.urls[name], rules=RULES))
        fill(store, list(self.work))
        return store

    def by_core(self, name: str) -> ByCore:
        """Return the script on SQLAlchemy Core."""
        self.filled(name)
        engine = create_engine(self.urls[name], isolation_level="READ COMMITTED")
        self.stack.callback(engine.dispose)
        return ByCore(engine, tables_of(engine), self.work)

    def by_psycopg(self, name: str, *, piped: bool = False, books: bool = True) -> ByPsycopg:
        """Return the script on psycopg."""
        store = self.filled(name)
        url = self.urls[name].set(drivername="postgresql").render_as_string(hide_password=False)
        connection = self.stack.enter_context(psycopg.connect(url, autocommit=True))
        return ByPsycopg(connection, tables_of(engine_of(store)), self.work, piped, books)

    def run(self, rounds: int, leads: int) -> dict[str, list[float]]:
        """Return for each way how many conversions it stored per second, round by round."""
        ids = list(self.work)
        found_: dict[str, list[float]] = {name: [] for name in self.ways}
        # what stands ready is not looked through again whenever something new is made
        gc.collect()
        gc.freeze()
        # the first round warms up, and does not count
        for turn in range(rounds + 1):
            mine = ids[turn * leads : (turn + 1) * leads]
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
    bench = Bench.of(stack, [f"L{n}" for n in range((rounds + 1) * leads)])
    runner = stack.enter_context(asyncio.Runner())

    def applied(store: SqlStore) -> Way:
        sets = decided(store, list(bench.work))
        return lambda ids: [store.apply(sets[id_]) for id_ in ids]

    def awaited(name: str) -> Way:
        sets = decided(bench.filled(name), list(bench.work))
        store = AsyncSqlStore.from_url(bench.urls[name], rules=RULES)
        stack.callback(lambda: runner.run(store.close()))

        async def apply(ids: Sequence[str]) -> None:
            for id_ in ids:
                await store.apply(sets[id_])

        return lambda ids: runner.run(apply(ids))

    def driven(store: SqlStore) -> Way:
        return lambda ids: [
            convert_stored(store, id_, INTO, rules=RULES, actor=ACTOR, at=AT) for id_ in ids
        ]

    sqlite = URL.create("sqlite", database=f"{folder}/one.db")
    bench.ways = {
        "SqlStore.apply": applied(bench.filled("SqlStore.apply")),
        "Core by hand": bench.by_core("Core by hand"),
        "psycopg by hand": bench.by_psycopg("psycopg by hand"),
        "psycopg by hand, in a pipeline": bench.by_psycopg("in a pipeline", piped=True),
        "psycopg by hand, no books kept": bench.by_psycopg("no books", books=False),
        "convert_stored, which loads and decides": driven(bench.filled("convert_stored")),
        "AsyncSqlStore.apply": awaited("AsyncSqlStore.apply"),
        "SqlStore.apply on SQLite": applied(bench.filled("SQLite", sqlite)),
    }
    # it has written less
    del bench.urls["no books"]
    return bench


def at_once(stack: ExitStack, folder: str) -> Bench:
    """Return all ways to store many conversions at once."""
    rounds, leads = AT_ONCE
    bench = Bench.of(stack, [f"L{n}" for n in range((rounds + 1) * leads)])

    def applied(store: SqlStore) -> Way:
        sets = decided(store, list(bench.work))
        return lambda ids: store.apply_many(sets[id_] for id_ in ids)

    sqlite = URL.create("sqlite", database=f"{folder}/many.db")
    bench.ways = {
        "SqlStore.apply_many": applied(bench.filled("SqlStore.apply_many")),
        "Core by hand": bench.by_core("Core by hand").at_once,
        "SqlStore.apply_many on SQLite": applied(bench.filled("SQLite", sqlite)),
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
