"""What is read: all that somebody wants to know, and all that change sets are decided on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    literal,
    select,
    text,
    union_all,
)

from leadconvert import (
    Attach,
    ChangeSet,
    ConversionRules,
    Delete,
    Detach,
    Insert,
    Known,
    Receipt,
    Ref,
    Trace,
    Update,
    Wanted,
)
from leadconvert.errors import StoreError, UnfitValueError
from leadconvert.stores._sql_ledger import Entry, Ledger
from leadconvert.stores._sql_rows import Reader, chunks, told
from leadconvert.stores._sql_sending import Batch
from leadconvert.stores._sql_sent import Statement
from leadconvert.stores._sql_tables import Shape, Tables
from leadconvert.stores._sql_values import Form, Unholdable, check


__all__ = ["known", "opened"]

#: So many locks stand for all keys: PostgreSQL has room for few thousand at a time.
_LOCKS: Final = 1_024
#: The first half of each lock, which is this library's.
_OURS: Final = 0x1EAD


def known(connection: Connection, reader: Reader, wanted: Wanted) -> Known:
    """Return what is *wanted*, given a transaction that sees one state of the database.

    Raises:
        leadconvert.errors.UnfitValueError: a kind is asked for that the tables are not made for.
    """
    shapes = reader.tables.shapes
    refs = dict.fromkeys(wanted.refs)
    asked = [*refs, *(Ref(kind, "") for kind, _ in wanted.matches)]
    asked += (Ref(kind, "") for kind, _, _ in wanted.related)
    for ref in asked:
        if ref.kind not in shapes:
            raise UnfitValueError(f"the store has no kind {ref.kind!r}", [ref] if ref.id else ())
    refs |= dict.fromkeys(_found(connection, reader.tables, wanted))
    batch = Batch(connection)
    rows_of = reader.ask(batch, _by_kind(refs, reader.tables))
    traces_of = _traces(batch, reader, wanted.traces)
    receipts_of = _receipts(batch, reader, [] if wanted.key is None else [wanted.key])
    batch.send()
    rows, traces = rows_of(), traces_of()
    return Known(
        records=[rows[ref].record for ref in refs if ref in rows],
        traces=[traces[id_] for id_ in dict.fromkeys(wanted.traces) if id_ in traces],
        receipt=next(iter(receipts_of().values()), None),
    )


def opened(
    connection: Connection, reader: Reader, rules: ConversionRules, sets: Sequence[ChangeSet]
) -> Ledger:
    """Return the ledger for *sets*, all that it needs locked until the transaction ends.

    Raises:
        leadconvert.errors.StoreError: the transaction is one that does not see whoever came first.
    """
    tables, batch = reader.tables, Batch(connection)
    changes = [change for one in sets for change in one.changes]
    claims = [
        told(change.ref.kind, claim.key.type, claim.key.value)
        for change in changes
        if isinstance(change, Insert | Update)
        for claim in change.claims
    ]
    removed = {one.ref.stored for one in changes if isinstance(one, Delete) and one.attached}
    whole = {change.ref.stored for change in changes if isinstance(change, Update | Delete)}
    added = {change.ref.stored for change in changes if isinstance(change, Attach | Detach)}
    check = _lock(batch, tables, claims) if claims or removed else None
    # before their links are read: whoever adds to them was here first, or finds them gone
    _there(batch, tables, removed, removed=True)
    rows = reader.ask(batch, _by_kind(whole, tables), lock=True)
    there = _there(batch, tables, added - whole)
    holders = _holders(batch, tables, claims)
    # last: whoever waited for another to apply the same finds the receipt
    receipts = _receipts(batch, reader, [key for one in sets for key in (one.key, *one.after)])
    batch.send()
    if check is not None:
        check()
    return Ledger(
        rules=rules,
        shapes=tables.shapes,
        entries={ref: Entry(was=row, row=row) for ref, row in rows().items()},
        there=there(),
        holders=holders(),
        receipts=receipts(),
    )


def _by_kind(refs: Iterable[Ref], tables: Tables) -> dict[str, list[str]]:
    """Return the ids of *refs* by kind; what no table could hold is left out."""
    found: dict[str, list[str]] = {}
    for ref in refs:
        if ref.kind in tables.shapes and _holdable(ref.id):
            found.setdefault(ref.kind, []).append(ref.id)
    return found


def _holdable(value: str) -> bool:
    """Whether any of our databases holds *value*: else nothing is there under it."""
    try:
        check(value, nul=False)
    except Unholdable:
        return False
    return True


def _lock(batch: Batch, tables: Tables, claims: Iterable[str]) -> Callable[[], None]:
    """Wait until nobody else is claiming any of these keys, which may be none.

    Whether it was worth while is to be told once it is sent. On SQLite nobody else writes anyway.
    """
    if batch.connection.dialect.name != "postgresql":
        return lambda: None
    locks = sorted({int(digest[:8], 16) % _LOCKS for digest in claims})
    statement = tables.once(
        "lock",
        make=lambda: Statement(
            text(
                "SELECT current_setting('transaction_isolation'),"
                " (SELECT count(pg_advisory_xact_lock(:ours, lock)) FROM unnest(:locks) AS lock)"
            ).bindparams(bindparam("locks", type_=ARRAY(Integer)), bindparam("ours", type_=Integer))
        ),
    )
    rows = batch.ask(statement, {"ours": _OURS, "locks": locks})

    def check() -> None:
        [(level, _)] = rows
        if level != "read committed":
            raise StoreError(
                f"{'claims' if locks else 'removals'} need a transaction at READ COMMITTED, which"
                f" sees whoever came first, not {level.upper()}"
            )

    return check


def _there(
    batch: Batch, tables: Tables, refs: Iterable[Ref], *, removed: bool = False
) -> Callable[[], frozenset[Ref]]:
    """Ask which of *refs* are there, and keep others from removing them.

    What is to be *removed* is kept from being added to as well.
    """
    asked = [
        (kind, batch.ask(_by_id(batch, tables, kind, removed=removed), {"ids": ids}))
        for kind, wanted in sorted(_by_kind(refs, tables).items())
        for ids in chunks(wanted)
    ]
    return lambda: frozenset(Ref(kind, id_) for kind, rows in asked for (id_,) in rows)


def _by_id(batch: Batch, tables: Tables, kind: str, *, removed: bool) -> Statement:
    def make() -> Statement:
        table = tables.shapes[kind].table
        found = select(table.c.id).where(batch.among(table.c.id, "ids")).order_by(table.c.id)
        return Statement(found.with_for_update(read=not removed, key_share=not removed))

    return tables.once("there", kind, removed, make=make)


def _holders(
    batch: Batch, tables: Tables, claims: Iterable[str]
) -> Callable[[], dict[str, frozenset[Ref]]]:
    found: dict[str, set[Ref]] = {digest: set() for digest in claims}
    asked = _by_key(batch, tables, tables.claims, found)

    def read() -> dict[str, frozenset[Ref]]:
        for digest, kind, id_ in asked():
            found[digest].add(Ref(kind, id_))
        return {digest: frozenset(refs) for digest, refs in found.items()}

    return read


def _receipts(
    batch: Batch, reader: Reader, keys: Iterable[str]
) -> Callable[[], dict[str, Receipt]]:
    asked = _by_key(batch, reader.tables, reader.tables.receipts, filter(_holdable, keys))
    return lambda: {key: reader.codec.from_data(one, Receipt) for key, one in asked()}


def _traces(batch: Batch, reader: Reader, ids: Iterable[str]) -> Callable[[], dict[str, Trace]]:
    asked = _by_key(batch, reader.tables, reader.tables.traces, filter(_holdable, ids))
    return lambda: {id_: reader.codec.from_data(one, Trace) for id_, one in asked()}


def _by_key(
    batch: Batch, tables: Tables, table: Table, keys: Iterable[str]
) -> Callable[[], Iterator[Sequence[Any]]]:
    """Ask for the rows of a *table* whose first column is one of *keys*."""
    by = table.columns[0]
    statement = tables.once(
        "by key", table.name, make=lambda: Statement(select(table).where(batch.among(by, "keys")))
    )
    asked = [batch.ask(statement, {"keys": some}) for some in chunks(keys)]
    return lambda: (row for rows in asked for row in rows)


def _found(connection: Connection, tables: Tables, wanted: Wanted) -> Iterator[Ref]:
    """Yield whoever holds a wanted key, or refers to a wanted record."""
    matches = [told(kind, key.type, key.value) for kind, key in wanted.matches]
    claims = tables.claims
    parts: list[Select[Any]] = []
    if matches:
        parts.append(select(claims.c.kind, claims.c.id).where(claims.c.digest.in_(matches)))
    related: dict[tuple[str, str], set[str]] = {}
    for kind, field, ref in wanted.related:
        if _holdable(ref.id):
            related.setdefault((kind, field), set()).add(ref.id)
    for (kind, field), ids in sorted(related.items()):
        parts += _referring(tables, tables.shapes[kind], field, sorted(ids))
    if parts:
        statement = union_all(*parts)
        found = sorted({(kind, id_) for kind, id_ in connection.execute(statement)})
        yield from (Ref(kind, id_) for kind, id_ in found)


def _referring(
    tables: Tables, shape: Shape, field: str, ids: Sequence[str]
) -> Iterator[Select[Any]]:
    place, kind = shape.places.get(field), shape.kind.id
    if place is not None and place.form is Form.LINKS:
        links = tables.links
        yield select(links.c.kind, links.c.id).where(
            links.c.ref.in_(ids), links.c.kind == kind, links.c.field == field
        )
    elif place is not None and place.form in (Form.REFERENCE, Form.TEXT):
        column = shape.table.c[shape.columns[field][0]]
        yield select(literal(kind).label("kind"), shape.table.c.id).where(column.in_(ids))
