"""What a ledger comes to, as statements: their number does not grow with what a record holds."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
from sqlalchemy import Connection, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Executable

from leadconvert import Ref
from leadconvert.errors import ConflictError
from leadconvert.stores._sql_ledger import Entry, Ledger, Links
from leadconvert.stores._sql_rows import MARK, Writer
from leadconvert.stores._sql_tables import Shape, Tables


__all__ = ["write"]

#: How to insert what may be there already.
_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@attrs.frozen
class _Write:
    """One statement, and the rows it is sent with; *refs* are the records that are made by it."""

    statement: Executable
    rows: list[dict[str, object]]
    refs: tuple[Ref, ...] = ()
    #: Whether each row must be met by one in the table.
    counted: bool = False


def write(connection: Connection, writer: Writer, ledger: Ledger) -> None:
    """Write what *ledger* has taken in, in one order whoever writes.

    Raises:
        leadconvert.errors.ConflictError: a record is there already, or is another by now.
        leadconvert.errors.UnfitValueError: the database cannot hold a value.
    """
    # all of it is told before any of it is sent: so it can be sent at once one day
    for one in list(_writes(connection.dialect.name, writer, ledger)):
        try:
            result = connection.execute(one.statement, one.rows)
        except IntegrityError as error:
            if one.refs:
                raise ConflictError("there is such a record already", one.refs) from error
            raise
        if one.counted and result.rowcount != len(one.rows):
            raise ConflictError("it was changed meanwhile")


def _writes(dialect: str, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    entries = dict(sorted(ledger.entries.items(), key=lambda item: str(item[0])))
    by_kind: dict[str, dict[Ref, Entry]] = {}
    for ref, entry in entries.items():
        by_kind.setdefault(ref.kind, {})[ref] = entry
    for kind, some in by_kind.items():
        yield from _records(ledger.shapes[kind], writer, some)
    yield from _claims(writer.tables, ledger, entries)
    yield from _links(dialect, writer, ledger)
    yield from _books(dialect, writer, ledger)


def _records(shape: Shape, writer: Writer, entries: Mapping[Ref, Entry]) -> Iterator[_Write]:
    table = shape.table
    by_revision = table.c.id == bindparam("_id"), table.c.revision == bindparam("_revision")
    gone: list[dict[str, object]] = []
    new: dict[Ref, dict[str, object]] = {}
    changed: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for ref, entry in entries.items():
        was, row = entry.was, entry.row
        if row is None and was is not None:
            gone.append({"_id": ref.id, "_revision": was.record.revision})
        elif row is not None and was is None:
            id_ = writer.held(ref.id, [ref])
            new[ref] = {"id": id_, **writer.columns(ref, row.record, entry.names)}
        elif row is not None and was is not None and row is not was:
            columns = writer.columns(ref, row.record, entry.names | was.extra)
            old = {"_id": ref.id, "_revision": was.record.revision}
            changed.setdefault(tuple(columns), []).append(columns | old)
    if gone:
        yield _Write(delete(table).where(*by_revision), gone, counted=True)
    if new:
        yield _Write(insert(table), list(new.values()), refs=tuple(new))
    for names, rows in changed.items():
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        yield _Write(update(table).where(*by_revision).values(values), rows, counted=True)


def _claims(tables: Tables, ledger: Ledger, entries: Mapping[Ref, Entry]) -> Iterator[_Write]:
    table = tables.claims
    lost: list[dict[str, object]] = []
    got: list[dict[str, object]] = []
    for ref, entry in entries.items():
        before, after = ledger.keys(ref, entry.was), ledger.keys(ref, entry.row)
        if before != after and before:
            lost.append({"_kind": ref.kind, "_id": ref.id})
        if before != after:
            got += ({"digest": one, "kind": ref.kind, "id": ref.id} for one in sorted(after))
    if lost:
        mine = table.c.kind == bindparam("_kind"), table.c.id == bindparam("_id")
        yield _Write(delete(table).where(*mine), lost)
    if got:
        yield _Write(insert(table), got)


def _links(dialect: str, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    table = writer.tables.links
    gone: list[dict[str, object]] = [
        {"_kind": ref.kind, "_id": ref.id}
        for ref, entry in ledger.entries.items()
        if entry.row is None and entry.was is not None and any(ledger.shapes[ref.kind].linked)
    ]
    whole: list[dict[str, object]] = []
    removed: list[dict[str, object]] = []
    added: list[dict[str, object]] = []
    for (ref, field), links in ledger.links.items():
        entry = ledger.entries.get(ref)
        if entry is not None and entry.row is None:
            continue
        at: dict[str, object] = {"_kind": ref.kind, "_id": ref.id, "_field": field}
        if links.whole and entry is not None and entry.was is not None:
            whole.append(at)
        if not links.whole:
            removed += ({**at, "_ref": one} for one in sorted(links.removed))
        added += _linked(ref, field, links, writer)
    kind, id_ = table.c.kind == bindparam("_kind"), table.c.id == bindparam("_id")
    field_ = table.c.field == bindparam("_field")
    if gone:
        yield _Write(delete(table).where(kind, id_), gone)
    if whole:
        yield _Write(delete(table).where(kind, id_, field_), whole)
    if removed:
        ref_ = table.c.ref == bindparam("_ref"), table.c.copy != MARK
        yield _Write(delete(table).where(kind, id_, field_, *ref_), removed)
    if added:
        yield _Write(_INSERT[dialect](table).on_conflict_do_nothing(), added)


def _linked(ref: Ref, field: str, links: Links, writer: Writer) -> Iterator[dict[str, object]]:
    at = {"kind": ref.kind, "id": ref.id, "field": field}
    if links.there and writer.tables.shapes[ref.kind].places[field].marked:
        yield {**at, "ref": "", "copy": MARK}
    copies: dict[str, int] = {}
    for id_ in links.added:
        copies[id_] = copies.get(id_, -1) + 1
        held = writer.held(id_, [ref], f" in {field}")
        yield {**at, "ref": held, "copy": copies[id_]}


def _books(dialect: str, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    tables, held, data = writer.tables, writer.held, writer.data
    traces: list[dict[str, object]] = [
        {"id": held(id_), "trace": data(one)} for id_, one in ledger.traces.items()
    ]
    if traces:
        statement = _INSERT[dialect](tables.traces)
        again = {"trace": statement.excluded.trace}
        statement = statement.on_conflict_do_update(index_elements=["id"], set_=again)
        yield _Write(statement, traces)
    events: list[dict[str, object]] = [
        {
            "key": held(key),
            "place": place,
            "name": held(event.name),
            "event": data(event, [event.ref]),
        }
        for key, place, event in ledger.events
    ]
    if events:
        yield _Write(insert(tables.outbox), events)
    receipts = [{"key": held(key), "receipt": data(one)} for key, one in ledger.given.items()]
    if receipts:
        yield _Write(insert(tables.receipts), receipts)
