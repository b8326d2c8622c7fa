"""The statements that write: each is made once, and the same for one row as for a thousand.

SQLite is given row after row. PostgreSQL is given all of them at once as one JSON document: that is
faster to tell than a parameter for each value, and needs no other text for more rows.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
from sqlalchemy import (
    JSON,
    Table,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from leadconvert.stores._sql_rows import MARK
from leadconvert.stores._sql_sent import ROWS, Statement
from leadconvert.stores._sql_tables import Tables


__all__ = ["Statements"]

#: How to insert what may be there already.
_INSERT: Final[Mapping[str, Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@attrs.frozen
class Statements:
    """The statements that write to *tables* of a *dialect*, made when they are first asked for."""

    tables: Tables
    dialect: str

    def insert(self, table: Table, *, drawn: str | None = None) -> Statement:
        """Return how to insert into a *table*, whose column *drawn* the database fills itself."""
        return self._made(
            "insert", table, make=lambda: self._insert(table, insert, lambda told: told, drawn)
        )

    def link(self) -> Statement:
        """Return how to add a link that others may have added."""
        links = self.tables.links
        return self._made(
            "link",
            links,
            make=lambda: self._insert(
                links, _INSERT[self.dialect], lambda told: told.on_conflict_do_nothing(), "n"
            ),
        )

    def trace(self) -> Statement:
        """Return how to keep a trace, instead of one of that id."""
        return self._made(
            "trace",
            self.tables.traces,
            make=lambda: self._insert(
                self.tables.traces,
                _INSERT[self.dialect],
                lambda told: told.on_conflict_do_update(
                    index_elements=["id"], set_={"trace": told.excluded.trace}
                ),
            ),
        )

    def update(self, table: Table, names: tuple[str, ...]) -> Statement:
        """Return how to change the columns *names* of the row whose id is given as ``_id``."""

        def make() -> Statement:
            if not self._in_one:
                values: dict[str, Any] = {name: bindparam(name) for name in names}
                return Statement(update(table).where(table.c.id == bindparam("_id")).values(values))
            rows = _rows([*(table.c[name] for name in names), column("_id", table.c.id.type)])
            values = {name: rows.c[name] for name in names}
            return Statement(update(table).where(table.c.id == rows.c["_id"]).values(values), True)

        return self._made("update", table, *names, make=make)

    def delete(self, table: Table, *names: str) -> Statement:
        """Return how to remove the rows with certain values, each given under its name after a _.

        What only says that a field of links is there is no link to a record, and stays.
        """

        def make() -> Statement:
            told = {name: f"_{name}" for name in names}
            given: Any = {under: bindparam(under) for under in told.values()}
            if self._in_one:
                given = _rows([column(under, table.c[name].type) for name, under in told.items()]).c
            where = [table.c[name] == given[under] for name, under in told.items()]
            if "ref" in names:
                where.append(table.c.copy != literal_column(str(MARK)))
            return Statement(delete(table).where(*where), in_one=self._in_one)

        return self._made("delete", table, *names, make=make)

    @property
    def _in_one(self) -> bool:
        return self.dialect == "postgresql"

    def _made(
        self, what: str, table: Table, *names: str, make: Callable[[], Statement]
    ) -> Statement:
        return self.tables.once(what, table.name, names, make=make)

    def _insert(
        self,
        table: Table,
        make: Callable[[Table], Any],
        clause: Callable[[Any], Any],
        drawn: str | None = None,
    ) -> Statement:
        """Return how to insert, with what a *clause* says of rows that are there."""
        if not self._in_one:
            return Statement(clause(make(table)))
        columns = [one for one in table.c if one.name != drawn]
        told = make(table).from_select([one.name for one in columns], select(_rows(columns)))
        return Statement(clause(told), in_one=True)


def _rows(columns: Iterable[Any]) -> Any:  # noqa: ANN401 - SQLAlchemy has no public name for it
    """Return the rows of a JSON document as a table."""
    told = func.json_to_recordset(bindparam(ROWS, type_=JSON))
    own = [column(one.name, one.type) for one in columns]
    return told.table_valued(*own).render_derived(with_types=True)
