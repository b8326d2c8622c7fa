"""What a ledger comes to, as statements: their number does not grow with what a record holds."""

from collections.abc import Iterator, Mapping

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from leadconvert import Ref
from leadconvert.errors import ConflictError
from leadconvert.stores._sql_ledger import Entry, Ledger, Links
from leadconvert.stores._sql_rows import MARK, Writer
from leadconvert.stores._sql_sending import send
from leadconvert.stores._sql_sent import Sent, Values
from leadconvert.stores._sql_statements import Statements
from leadconvert.stores._sql_tables import Shape


__all__ = ["write"]


@attrs.frozen
class _Write:
    """One statement with its rows; *made* are the records that it makes, each with its table."""

    sent: Sent
    made: Mapping[Ref, str] = attrs.field(factory=dict)
    #: Whether each row must be met by one in the table.
    counted: bool = False


def write(connection: Connection, writer: Writer, ledger: Ledger) -> None:
    """Write what *ledger* has taken in, in one order whoever writes.

    What is changed or removed was locked when it was read, and is as it was, unless the database
    keeps the store from it.

    Raises:
        leadconvert.errors.ConflictError: a record is there already, or was kept from being changed.
        leadconvert.errors.UnfitValueError: the database cannot hold a value.
    """
    statements = Statements(writer.tables, connection.dialect.name)
    writes: list[_Write] = []

    def told() -> Iterator[Sent]:
        for one in _writes(statements, writer, ledger):
            if one.sent.given:
                writes.append(one)
                yield one.sent

    try:
        send(connection, told())
    except IntegrityError as error:
        place = _place(error)
        refs = [ref for one in writes for ref, table in one.made.items() if table in place]
        if not refs:
            raise
        raise ConflictError("there is such a record already", refs) from error
    if any(one.counted and one.sent.count != len(one.sent.given) for one in writes):
        raise ConflictError("it was changed meanwhile")


def _place(error: IntegrityError) -> str:
    """Return what says which table it was."""
    told = getattr(error.orig, "diag", None)
    return str(error.orig if told is None else told.table_name)


def _writes(statements: Statements, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    entries = dict(sorted(ledger.entries.items(), key=lambda item: str(item[0])))
    by_kind: dict[str, dict[Ref, Entry]] = {}
    for ref, entry in entries.items():
        by_kind.setdefault(ref.kind, {})[ref] = entry
    for kind, some in by_kind.items():
        yield from _records(statements, ledger.shapes[kind], writer, some)
    yield from _claims(statements, ledger, entries)
    yield from _links(statements, writer, ledger)
    yield from _books(statements, writer, ledger)


def _records(
    statements: Statements, shape: Shape, writer: Writer, entries: Mapping[Ref, Entry]
) -> Iterator[_Write]:
    gone: list[Values] = []
    new: dict[Ref, Values] = {}
    changed: dict[tuple[str, ...], list[Values]] = {}
    for ref, entry in entries.items():
        was, row = entry.was, entry.row
        if row is None and was is not None:
            gone.append({"_id": ref.id})
        elif row is not None and was is None:
            id_ = writer.held(ref.id, [ref])
            new[ref] = {"id": id_, **writer.filled(ref, row.record, entry.names)}
        elif row is not None and was is not None and row is not was:
            columns = writer.columns(ref, row.record, sorted(entry.names | was.extra))
            changed.setdefault(tuple(columns), []).append({**columns, "_id": ref.id})
    table = shape.table
    yield _Write(Sent(statements.delete(table, "id"), gone), counted=True)
    made = dict.fromkeys(new, table.name)
    yield _Write(Sent(statements.insert(table), list(new.values())), made)
    for names, rows in changed.items():
        yield _Write(Sent(statements.update(table, names), rows), counted=True)


def _claims(
    statements: Statements, ledger: Ledger, entries: Mapping[Ref, Entry]
) -> Iterator[_Write]:
    lost: list[Values] = []
    got: list[Values] = []
    for ref, entry in entries.items():
        if not ledger.may_change_keys(ref, entry.was, entry.row, entry.names):
            continue
        before, after = ledger.keys(ref, entry.was), ledger.keys(ref, entry.row)
        if before != after and before:
            lost.append({"_kind": ref.kind, "_id": ref.id})
        if before != after:
            got += ({"digest": one, "kind": ref.kind, "id": ref.id} for one in sorted(after))
    claims = statements.tables.claims
    yield _Write(Sent(statements.delete(claims, "kind", "id"), lost))
    yield _Write(Sent(statements.insert(claims), got))


def _links(statements: Statements, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    gone: list[Values] = [
        {"_kind": ref.kind, "_id": ref.id}
        for ref, entry in ledger.entries.items()
        if entry.row is None and entry.was is not None and ledger.shapes[ref.kind].linked
    ]
    whole: list[Values] = []
    removed: list[Values] = []
    added: list[Values] = []
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
    table = statements.tables.links
    yield _Write(Sent(statements.delete(table, "kind", "id"), gone))
    yield _Write(Sent(statements.delete(table, "kind", "id", "field"), whole))
    yield _Write(Sent(statements.delete(table, "kind", "id", "field", "ref"), removed))
    yield _Write(Sent(statements.link(), added))


def _linked(ref: Ref, field: str, links: Links, writer: Writer) -> Iterator[dict[str, object]]:
    at = {"kind": ref.kind, "id": ref.id, "field": field}
    if links.there and writer.tables.shapes[ref.kind].places[field].marked:
        yield {**at, "ref": "", "copy": MARK}
    copies: dict[str, int] = {}
    for id_ in links.added:
        copies[id_] = copies.get(id_, -1) + 1
        held = writer.held(id_, [ref], f" in {field}")
        yield {**at, "ref": held, "copy": copies[id_]}


def _books(statements: Statements, writer: Writer, ledger: Ledger) -> Iterator[_Write]:
    tables, held, data = statements.tables, writer.held, writer.data
    traces = [{"id": held(id_), "trace": data(one)} for id_, one in ledger.traces.items()]
    yield _Write(Sent(statements.trace(), traces))
    events: list[Values] = [
        {
            "key": held(key),
            "place": place,
            "name": held(event.name),
            "event": data(event, [event.ref]),
        }
        for key, place, event in ledger.events
    ]
    yield _Write(Sent(statements.insert(tables.outbox, drawn="n"), events))
    receipts = [{"key": held(key), "receipt": data(one)} for key, one in ledger.given.items()]
    yield _Write(Sent(statements.insert(tables.receipts), receipts))
