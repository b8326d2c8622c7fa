"""What was stored before its field was known moves into the column that it has got."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, select

from leadconvert import ChangeSet, ConversionRules, Update
from leadconvert.stores._sql_ledger import Entry, Ledger
from leadconvert.stores._sql_rows import Reader, Writer, held_in
from leadconvert.stores._sql_sending import Batch
from leadconvert.stores._sql_writing import write


__all__ = ["move"]


def move(
    connection: Connection,
    reader: Reader,
    writer: Writer,
    rules: ConversionRules,
    new: Mapping[str, AbstractSet[str]],
) -> None:
    """Write what records hold in fields that are *new* to the tables, by kind, where it belongs.

    Raises:
        leadconvert.errors.UnfitValueError: a value does not fit its column.
    """
    for kind, fields in new.items():
        table = reader.tables.shapes[kind].table
        ids = list(connection.scalars(select(table.c.id).where(table.c.extra.is_not(None))))
        batch = Batch(connection)
        found = reader.ask(batch, {kind: ids}, lock=True)
        batch.send()
        rows = {ref: row for ref, row in found().items() if row.extra & fields}
        ledger = Ledger(
            rules=rules,
            shapes=reader.tables.shapes,
            entries={ref: Entry(was=row, row=row) for ref, row in rows.items()},
        )
        changes = [
            Update(
                ref,
                row.record.revision,
                {name: held_in(row.record)[name] for name in row.extra & fields},
            )
            for ref, row in rows.items()
        ]
        ledger.take(ChangeSet(key=f"create {kind}", fingerprint="", changes=changes))
        # nobody asked for it
        ledger.given.clear()
        write(connection, writer, ledger)
