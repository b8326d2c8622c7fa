"""The tables of a database: one of each kind, and those that keep the books."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

from leadconvert import ConversionRules, Kind
from leadconvert.errors import SchemaVersionError
from leadconvert.stores._sql_layout import (
    VERSION,
    KindLayout,
    Layout,
    from_data,
    laid_out,
    to_data,
)
from leadconvert.stores._sql_places import Place, places_of
from leadconvert.stores._sql_sent import Statement
from leadconvert.stores._sql_values import Data, Form
from leadconvert.values import digest


__all__ = ["Shape", "Tables", "create", "found"]


@attrs.frozen(eq=False)
class Shape:
    """The table of one kind, and where each field stands in it; *extra* holds what has no column.

    These are fields that the rules do not know, and values that are not of their field's type.
    """

    kind: Kind
    table: Table
    places: Mapping[str, Place]
    #: By field, the names of its columns.
    columns: Mapping[str, tuple[str, ...]]
    #: The names of all columns, in order.
    names: tuple[str, ...] = attrs.field(init=False)
    #: The fields that stand in the table of links.
    linked: tuple[Place, ...] = attrs.field(init=False)
    #: The fields that say by which keys a record is found.
    keyed: frozenset[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.table.c))
        linked = (place for place in self.places.values() if place.form is Form.LINKS)
        object.__setattr__(self, "linked", tuple(linked))
        object.__setattr__(self, "keyed", self.kind.keyed)


@attrs.frozen(eq=False)
class Tables:
    """All tables: the *shapes* by kind, and those that keep the books."""

    layout: Layout
    metadata: MetaData
    shapes: Mapping[str, Shape]
    schema: Table
    links: Table
    claims: Table
    receipts: Table
    traces: Table
    outbox: Table
    _statements: dict[tuple[object, ...], Statement] = attrs.field(factory=dict, init=False)

    def once(self, *key: object, make: Callable[[], Statement]) -> Statement:
        """Return the statement of that *key*, which is made when it is first asked for."""
        if key not in self._statements:
            self._statements[key] = make()
        return self._statements[key]

    @classmethod
    def of(cls, layout: Layout, rules: ConversionRules) -> "Tables":
        """Return the tables that *layout* names, for the kinds of *rules*."""
        metadata = MetaData()
        return cls(
            layout=layout,
            metadata=metadata,
            shapes={kind.id: _shape(kind, layout[kind.id], metadata) for kind in rules.every_kind},
            schema=_schema(metadata),
            links=Table(
                "lc_links",
                metadata,
                # in which order they were added
                Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
                Column("kind", Text, nullable=False),
                Column("id", Text, nullable=False),
                Column("field", Text, nullable=False),
                # without one: the field is there, be it empty
                Column("ref", Text, nullable=False),
                # a list may name a record twice
                Column("copy", Integer, nullable=False),
                UniqueConstraint("kind", "id", "field", "ref", "copy"),
                Index("lc_links_ref", "ref", "kind", "field"),
            ),
            claims=Table(
                "lc_claims",
                metadata,
                # stands for kind, sort and value, which may be long, and are somebody's data
                Column("digest", Text, primary_key=True),
                Column("kind", Text, primary_key=True),
                Column("id", Text, primary_key=True),
                Index("lc_claims_record", "kind", "id"),
            ),
            receipts=Table(
                "lc_receipts",
                metadata,
                Column("key", Text, primary_key=True),
                Column("receipt", Data, nullable=False),
            ),
            traces=Table(
                "lc_traces",
                metadata,
                Column("id", Text, primary_key=True),
                Column("trace", Data, nullable=False),
            ),
            outbox=Table(
                "lc_outbox",
                metadata,
                Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
                # by these two whoever listens knows an event that comes twice
                Column("key", Text, nullable=False),
                Column("place", Integer, nullable=False),
                Column("name", Text, nullable=False),
                Column("event", Data, nullable=False),
            ),
        )


def _schema(metadata: MetaData) -> Table:
    return Table(
        "lc_schema",
        metadata,
        Column("version", Integer, primary_key=True),
        Column("layout", Data, nullable=False),
    )


def _shape(kind: Kind, layout: KindLayout, metadata: MetaData) -> Shape:
    columns: list[Column[object]] = []
    indexes: list[Index] = []
    names: dict[str, tuple[str, ...]] = {}
    places = {place.field: place for place in places_of(kind)}
    for name, place in places.items():
        column = layout.fields[name][1]
        names[name] = tuple(column + width for width in place.widths)
        columns += place.columns(column)
        if place.form is Form.REFERENCE:
            indexes.append(Index(f"lc_{digest((layout.table, column))[:24]}", column))
    table = Table(
        layout.table,
        metadata,
        Column("id", Text, primary_key=True),
        Column("revision", Text, nullable=False),
        Column("extra", Data),
        *columns,
        *indexes,
    )
    return Shape(kind=kind, table=table, places=places, columns=names)


def found(connection: Connection, rules: ConversionRules) -> Tables | None:
    """Return the tables that are in the database, or None where none are.

    Raises:
        leadconvert.errors.SchemaVersionError: they are of another version, or not for all *rules*.
    """
    there = _there(connection)
    if there is None:
        return None
    layout = laid_out(rules, there)
    if layout != there:
        lacking = ", ".join(_lacking(layout, there))
        raise SchemaVersionError(f"the tables have no place for {lacking}: add it with create()")
    return Tables.of(layout, rules)


def create(
    connection: Connection, rules: ConversionRules
) -> tuple[Tables, dict[str, frozenset[str]]]:
    """Make the tables for *rules*, or whatever they lack; nothing that is there is changed.

    Return them, and which fields are new to the tables of kinds that had one.

    Raises:
        leadconvert.errors.SchemaVersionError: they are of another version, or a field stands there
            in another form.
    """
    if connection.dialect.name == "postgresql":
        # two that begin at once would both make them
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('leadconvert schema'))"))
    there = _there(connection) or {}
    tables = Tables.of(laid_out(rules, there), rules)
    new = {
        kind: frozenset(shape.places.keys() - there[kind].fields.keys())
        for kind, shape in tables.shapes.items()
        if kind in there
    }
    for kind, fields in new.items():
        _add(connection, tables.shapes[kind], fields)
    tables.metadata.create_all(connection)
    connection.execute(tables.schema.delete())
    row = {"version": VERSION, "layout": to_data(tables.layout)}
    connection.execute(tables.schema.insert(), row)
    return tables, {kind: fields for kind, fields in new.items() if fields}


def _there(connection: Connection) -> Layout | None:
    schema = _schema(MetaData())
    if not inspect(connection).has_table(schema.name):
        return None
    try:
        row = connection.execute(select(schema.c.version, schema.c.layout)).first()
    except ValueError:
        raise SchemaVersionError("what the tables are called cannot be read") from None
    if row is None:
        raise SchemaVersionError("the database does not say what its tables are called")
    if row.version != VERSION:
        raise SchemaVersionError(
            f"the schema has version {row.version}, this library knows {VERSION}"
        )
    return from_data(row.layout)


def _add(connection: Connection, shape: Shape, new: AbstractSet[str]) -> None:
    """Add the columns of fields that are *new* to a table."""
    names = {column for field in new for column in shape.columns[field]}
    quoted = connection.dialect.identifier_preparer.format_table(shape.table)
    for column in shape.table.columns:
        if column.name in names:
            told = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN {told}")
    for index in shape.table.indexes:
        if names.intersection(column.name for column in index.columns):
            index.create(connection)


def _lacking(layout: Layout, there: Layout) -> Iterator[str]:
    for kind, one in layout.items():
        if kind not in there:
            yield kind
        else:
            yield from (f"{kind}.{name}" for name in one.fields if name not in there[kind].fields)
