"""How statements get to a database: SQLite takes them one by one, PostgreSQL many in one go."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import ARRAY, Column, Connection, Text, any_, bindparam
from sqlalchemy.sql import ColumnElement

from leadconvert.stores._sql_sent import Sent, Statement, Values


__all__ = ["AT_ONCE", "Batch", "send"]

#: So many ids at most go into one statement: SQLite does not take any number of parameters.
AT_ONCE: Final = 10_000


def send(connection: Connection, statements: Iterable[Sent]) -> None:
    """Send *statements* in order, each as soon as it is told, and take in the answers.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: what the database or its driver says is wrong.
    """
    if connection.dialect.name == "postgresql":
        # only who uses it has its driver
        from leadconvert.stores._sql_pipeline import exchange  # noqa: PLC0415

        exchange(connection, statements)
        return
    for one in statements:
        # each row is to name all columns
        blank = dict.fromkeys(name for values in one.given for name in values)
        rows = [blank | dict(values) for values in one.given]
        result = connection.execute(one.statement.executable, rows)
        one.count = result.rowcount
        if one.asks:
            one.answer.extend(result.all())


@attrs.frozen(eq=False)
class Batch:
    """Questions that do not depend on each other's answers, and are sent together, in order."""

    connection: Connection
    _asked: list[Sent] = attrs.field(factory=list, init=False)

    def ask(self, statement: Statement, values: Values) -> list[Sequence[Any]]:
        """Return the list that the rows of the answer stand in once the batch is sent."""
        asked = Sent(statement, [values], asks=True)
        self._asked.append(asked)
        return asked.answer

    def among(self, column: Column[Any], name: str) -> ColumnElement[bool]:
        """Return the condition that *column* is one of what is given by *name*, at most `AT_ONCE`.

        PostgreSQL is given an array, as the text of a statement must not depend on how many.
        """
        if self.connection.dialect.name == "postgresql":
            return column == any_(bindparam(name, type_=ARRAY(Text)))
        return column.in_(bindparam(name, expanding=True))

    def send(self) -> None:
        """Send what there is, and take in the answers, as `send` does."""
        send(self.connection, self._asked)
