"""What is read: all that somebody wants to know, and all that change sets are decided on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    Select,
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
    rows = reader.rows(connection, _by_kind(refs, reader.tables))
    traces = _traces(connection, reader, wanted.traces)
    key = [] if wanted.key is None else [wanted.key]
    receipts = _receipts(connection, reader, key)
    return Known(
        records=[rows[ref].record for ref in refs if ref in rows],
        traces=[traces[id_] for id_ in dict.fromkeys(wanted.traces) if id_ in traces],
        receipt=next(iter(receipts.values()), None),
    )


def opened(
    connection: Connection, reader: Reader, rules: ConversionRules, sets: Sequence[ChangeSet]
) -> Ledger:
    """Return the ledger for *sets*, all that it needs locked until the transaction ends.

    Raises:
        leadconvert.errors.StoreError: the transaction is one in which claims cannot be kept.
    """
    tables = reader.tables
    changes = [change for one in sets for change in one.changes]
    claims = [
        told(change.ref.kind, claim.key.type, claim.key.value)
        for change in changes
        if isinstance(change, Insert | Update)
        for claim in change.claims
    ]
    if claims and connection.dialect.name == "postgresql":
        _lock(connection, claims)
    whole = {change.ref.stored for change in changes if isinstance(change, Update | Delete)}
    added = {change.ref.stored for change in changes if isinstance(change, Attach | Detach)}
    rows = reader.rows(connection, _by_kind(whole, tables), lock=True)
    there = _there(connection, tables, added - whole)
    keys = (key for one in sets for key in (one.key, *one.after))
    return Ledger(
        rules=rules,
        shapes=tables.shapes,
        entries={ref: Entry(was=row, row=row) for ref, row in rows.items()},
        there=there,
        holders=_holders(connection, tables, claims),
        # last: whoever waited for another to apply the same finds the receipt
        receipts=_receipts(connection, reader, keys),
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


def _lock(connection: Connection, claims: Iterable[str]) -> None:
    """Wait until nobody else is claiming any of these keys."""
    locks = sorted({int(digest[:8], 16) % _LOCKS for digest in claims})
    statement = text(
        "SELECT pg_advisory_xact_lock(:ours, lock), current_setting('transaction_isolation')"
        " FROM unnest(:locks) AS lock"
    ).bindparams(bindparam("locks", type_=ARRAY(Integer)), bindparam("ours", type_=Integer))
    rows = connection.execute(statement, {"ours": _OURS, "locks": locks}).all()
    if rows[0][1] != "read committed":
        raise StoreError(
            f"claims need a transaction at READ COMMITTED, which sees whoever came first,"
            f" not {str(rows[0][1]).upper()}"
        )


def _there(connection: Connection, tables: Tables, refs: Iterable[Ref]) -> frozenset[Ref]:
    """Return which of *refs* are there, and keep others from removing them."""
    found: list[Ref] = []
    for kind, wanted in sorted(_by_kind(refs, tables).items()):
        table = tables.shapes[kind].table
        statement = (
            select(table.c.id)
            .where(table.c.id.in_(bindparam("ids", expanding=True)))
            .order_by(table.c.id)
            .with_for_update(read=True, key_share=True)
        )
        for ids in chunks(wanted):
            found += (Ref(kind, id_) for id_ in connection.scalars(statement, {"ids": ids}))
    return frozenset(found)


def _holders(
    connection: Connection, tables: Tables, claims: Iterable[str]
) -> dict[str, frozenset[Ref]]:
    table = tables.claims
    found: dict[str, set[Ref]] = {digest: set() for digest in claims}
    statement = select(table).where(table.c.digest.in_(bindparam("digests", expanding=True)))
    for digests in chunks(found):
        for digest, kind, id_ in connection.execute(statement, {"digests": digests}):
            found[digest].add(Ref(kind, id_))
    return {digest: frozenset(refs) for digest, refs in found.items()}


def _receipts(connection: Connection, reader: Reader, keys: Iterable[str]) -> dict[str, Receipt]:
    table = reader.tables.receipts
    found: dict[str, Receipt] = {}
    statement = select(table).where(table.c.key.in_(bindparam("keys", expanding=True)))
    for some in chunks(filter(_holdable, keys)):
        for key, receipt in connection.execute(statement, {"keys": some}):
            found[key] = reader.codec.from_data(receipt, Receipt)
    return found


def _traces(connection: Connection, reader: Reader, ids: Iterable[str]) -> dict[str, Trace]:
    table = reader.tables.traces
    found: dict[str, Trace] = {}
    statement = select(table).where(table.c.id.in_(bindparam("ids", expanding=True)))
    for some in chunks(filter(_holdable, ids)):
        for id_, trace in connection.execute(statement, {"ids": some}):
            found[id_] = reader.codec.from_data(trace, Trace)
    return found


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
