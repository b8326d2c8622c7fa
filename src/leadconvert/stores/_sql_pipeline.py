"""Statements for PostgreSQL past SQLAlchemy, in a pipeline: all are sent before any is answered.

SQLAlchemy would wait for each answer, and look at each statement for longer than the database does.
"""

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import date
from typing import Any, Final, cast

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from leadconvert.stores._sql_sent import ROWS, Sent, Statement, Values


__all__ = ["exchange"]

#: A statement as the driver gets it, and its parameters.
_Told = tuple[Sent, str, Values]


def exchange(connection: Connection, statements: Iterable[Sent]) -> None:
    """Send statements to PostgreSQL in order, and take in the answers.

    While one is being told, the database is at work on those before it.

    Raises:
        sqlalchemy.exc.DBAPIError: what the database or the driver says is wrong.
    """
    told = ((one, _text(connection, one.statement), _values(one)) for one in statements)
    driver = connection.connection.driver_connection
    try:
        if isinstance(driver, psycopg.AsyncConnection):
            adapted = cast("Any", connection.connection.dbapi_connection)
            adapted.run_async(lambda driver: _awaited(driver, told))
        else:
            _waited(driver, told)
    except psycopg.Error as error:
        raise _wrapped(connection, error) from error


def _text(connection: Connection, statement: Statement) -> str:
    if "psycopg" not in statement.texts:
        compiled = statement.executable.compile(dialect=connection.dialect)
        statement.texts["psycopg"] = str(compiled)
    return statement.texts["psycopg"]


def _values(sent: Sent) -> Values:
    """Return what a statement is given: the values of a row, or all rows as one document."""
    if not sent.statement.in_one:
        [values] = sent.given
        return values
    return {ROWS: _JSON.encode(sent.given)}


def _plain(value: object) -> str:
    """Return what PostgreSQL reads as a date, a moment or a number to the last digit."""
    return value.isoformat() if isinstance(value, date) else str(value)


#: Rows are data that was made here, and runs in no circle.
_JSON: Final = json.JSONEncoder(default=_plain, check_circular=False, separators=(",", ":"))


def _waited(driver: Any, told: Iterable[_Told]) -> None:  # noqa: ANN401 - the two share no type
    with ExitStack() as stack:
        steps = _steps(driver, told, stack.enter_context, stack.close)
        with suppress(StopIteration):
            answer = next(steps)
            while True:
                answer = steps.send(answer)


async def _awaited(driver: Any, told: Iterable[_Told]) -> None:  # noqa: ANN401 - as above
    async with AsyncExitStack() as stack:
        steps = _steps(driver, told, stack.enter_async_context, stack.aclose)
        with suppress(StopIteration):
            answer = next(steps)
            while True:
                answer = steps.send(await answer)


def _steps(
    driver: Any,  # noqa: ANN401 - as above
    told: Iterable[_Told],
    enter: Callable[[Any], Any],
    leave: Callable[[], Any],
) -> Generator[Any, Any, None]:
    """Yield what each step comes to, or what is to be awaited for it; it is sent back."""
    asked = []
    yield enter(driver.pipeline())
    for one, text, values in told:
        cursor = driver.cursor(row_factory=tuple_row)
        # from the first time on: a statement that the driver prepares later, and the server never
        # gets as one before it fails, would be taken for prepared
        yield cursor.execute(text, values, prepare=True)
        asked.append((one, cursor))
    yield leave()
    for one, cursor in asked:
        one.count = cursor.rowcount
        if one.asks:
            one.answer.extend((yield cursor.fetchall()))


def _wrapped(connection: Connection, error: psycopg.Error) -> DBAPIError:
    """Return an error as SQLAlchemy would raise it, and let go of a connection that is lost."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(
        cast("Any", error), connection.connection.dbapi_connection, None
    )
    wrapped = DBAPIError.instance(
        None,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )
    if is_lost:
        connection.invalidate(error)
    return cast("DBAPIError", wrapped)
