"""What the storms are about: leads, the rules they are converted by, and a count of what is there.

The count looks into the tables themselves. It knows records by their names, not by the keys that
the library matches by.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from leadconvert import (
    Actor,
    Channel,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Deal,
    Lead,
    Matching,
    MatchRule,
    Record,
    Ref,
    Wanted,
    presets,
    seed,
)
from leadconvert.stores import SqlStore
from leadconvert.stores._sql_tables import Tables, found


__all__ = [
    "ACTORS",
    "AT",
    "INTO",
    "RULES",
    "Census",
    "Report",
    "census",
    "emptied",
    "filled",
    "person",
]

AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
ACTORS: Final = tuple(Actor(f"u-{n}", roles=["admin"]) for n in range(10))
INTO: Final = ("contact", "company", "deal")
RULES: Final[ConversionRules] = attrs.evolve(
    presets.bitrix24(),
    matching=Matching(
        [
            MatchRule("contact", ["email", ["phone", "person"]], "merge"),
            MatchRule("company", ["company"], "link"),
        ]
    ),
)


def person(lead_id: str, who: int, company: str | None = None) -> Lead:
    """Return a lead of person number *who*, of a company of its own unless one is named."""
    return Lead(
        id=lead_id,
        stage="PROCESSED",
        title=f"Order {lead_id}",
        first_name="Ada",
        last_name=f"Number {who}",
        company_name=company or f"Works {who}",
        emails=[Channel(f"ada{who}@example.com")],
        phones=[Channel(f"+49 30 {1_000_000 + who}")],
    )


@attrs.frozen
class Report:
    """What came of a storm, and how much of it was *promised*."""

    found: Mapping[str, int]
    promised: Mapping[str, int]

    @property
    def broken(self) -> tuple[str, ...]:
        """What is not as it was promised."""
        return tuple(name for name, n in self.promised.items() if self.found[name] != n)


def emptied(url: str) -> None:
    """Remove all that is stored, but not the tables."""
    inside = _inside(url)
    with inside.engine.begin() as connection:
        for table in inside.tables.metadata.sorted_tables:
            if table is not inside.tables.schema:
                connection.execute(table.delete())


def filled(url: str, records: Iterable[Record]) -> None:
    """Make the tables, and put *records* into them."""
    with SqlStore.from_url(url, rules=RULES) as store:
        store.create()
        store.apply(seed(records, rules=RULES))


@attrs.frozen(kw_only=True)
class Census:
    """What became of the leads, and how many records there are of each kind.

    A conversion is *half* if the lead, its targets, the way back, the event, or what is kept for
    taking it back does not fit the rest. An *orphan* is a record no conversion knows of, or
    book-keeping about a record that is not there. *duplicates* are records too many of one name.
    """

    #: By the ids of the leads that are converted, what `story` tells.
    converted: Mapping[str, str]
    half: int
    orphans: int
    duplicates: int
    kinds: Counter[str]

    @property
    def wrong(self) -> int:
        """How much there is that must not be."""
        return self.half + self.orphans + self.duplicates


def story(conversion: Conversion) -> str:
    """Return who converted, when, and into what: no two conversions have the same."""
    targets = ", ".join(sorted(map(str, conversion.targets)))
    return f"{conversion.actor_id} at {conversion.at.isoformat()} into {targets}"


def census(url: str, seeded: Iterable[str] = ()) -> Census:
    """Count what is there, in one snapshot; the records with the ids *seeded* are no orphans."""
    inside = _inside(url)
    with inside.engine.connect() as connection:
        # one snapshot, whoever is still at work
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        return _Count.of(inside, connection, frozenset(seeded)).census()


@attrs.frozen
class _Inside:
    """A way into a database past the stores that are at work there."""

    engine: Engine
    store: SqlStore
    tables: Tables


@cache
def _inside(url: str) -> _Inside:
    told = make_url(url)
    driver = "sqlite+pysqlite" if told.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(told.set(drivername=driver), poolclass=NullPool)
    with engine.connect() as connection:
        tables = found(connection, RULES)
    assert tables is not None
    return _Inside(engine, SqlStore(engine, rules=RULES), tables)


@attrs.frozen
class _Count:
    """All that is there, and what it refers to."""

    records: dict[Ref, Record]
    seeded: frozenset[str]
    traces: Counter[str]
    events: Counter[str]
    receipts: int
    books: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, inside: _Inside, connection: Connection, seeded: frozenset[str]) -> "_Count":
        tables = inside.tables
        refs = [
            Ref(kind, id_)
            for kind, shape in tables.shapes.items()
            for id_ in connection.scalars(shape.table.select().with_only_columns(shape.table.c.id))
        ]
        known = inside.store.within(connection).load(Wanted(refs=tuple(refs)))
        kinds = ((RULES.kind_of(record), record) for record in known.records)
        events = tables.outbox.c
        named = connection.execute(tables.outbox.select().where(events.name == "lead.converted"))
        books = "SELECT kind, id FROM lc_claims UNION SELECT kind, id FROM lc_links"
        return cls(
            records={Ref(kind.id, record.id): record for kind, record in kinds if kind},
            seeded=seeded,
            traces=Counter(connection.scalars(text("SELECT id FROM lc_traces"))),
            events=Counter(row.key for row in named),
            receipts=len(list(connection.scalars(text("SELECT key FROM lc_receipts")))),
            books=frozenset((kind, id_) for kind, id_ in connection.execute(text(books))),
        )

    def census(self) -> Census:
        leads = [record for record in self.records.values() if isinstance(record, Lead)]
        converted = [lead for lead in leads if lead.conversions]
        made = {ref for lead in converted for ref in lead.conversions[0].targets}
        own = {ref for ref in self.records if ref.kind in INTO and ref.id not in self.seeded}
        there = {(ref.kind, ref.id) for ref in self.records}
        half = sum(not self._fits(lead) for lead in leads)
        # each has an event under the key of its own change set, and one receipt, as the seed has
        half += abs(len(self.events) - len(converted))
        half += abs(self.receipts - 1 - len(converted))
        names = Counter(_name(ref, record) for ref, record in self.records.items())
        return Census(
            converted={lead.id: story(lead.conversions[0]) for lead in converted},
            half=half,
            orphans=len(own - made) + len(self.books - there),
            duplicates=sum(names.values()) - len(names),
            kinds=Counter(ref.kind for ref in self.records),
        )

    def _fits(self, lead: Lead) -> bool:
        if not lead.conversions:
            return lead.stage == "PROCESSED"
        [conversion, *others] = lead.conversions
        kinds = tuple(sorted(ref.kind for ref in conversion.targets))
        return (
            not others
            and lead.stage == "CONVERTED"
            and kinds == tuple(sorted(INTO))
            and self.traces[conversion.id] == 1
            and all(lead.id in self._sources(ref) for ref in conversion.targets)
        )

    def _sources(self, ref: Ref) -> tuple[str, ...]:
        record: Any = self.records.get(ref)
        return () if record is None else record.converted_from


def _name(ref: Ref, record: Record) -> tuple[str, str]:
    """Return what a record is called: no two may be called the same."""
    match record:
        case Contact():
            return ref.kind, str(record.last_name)
        case Company():
            return ref.kind, str(record.name)
        case Deal():
            return ref.kind, str(record.title)
        case _:
            return ref.kind, record.id
