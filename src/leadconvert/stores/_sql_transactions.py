"""Where a transaction begins and ends: the store's own, or a savepoint inside another's."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from leadconvert.errors import StoreError
from leadconvert.stores._sql_errors import translated


__all__ = ["Where", "owned", "reading", "writing"]

#: What a store works on.
Where = Engine | Connection | Session


def owned(where: Where) -> bool:
    """Tell whether a transaction on *where* would be the store's own."""
    return isinstance(where, Engine) or not where.in_transaction()


@contextmanager
def reading(where: Where) -> Iterator[Connection]:
    """Yield a connection in a transaction that sees one state of the database.

    In a transaction of the caller it sees what that one does: on PostgreSQL at READ COMMITTED each
    statement sees what is there by then.

    Raises:
        leadconvert.errors.StoreError: the database does not play along.
    """
    level = "REPEATABLE READ"
    with translated(), _begun(where, level) as (connection, own):
        if connection.dialect.name == "sqlite":
            _begin(connection, "BEGIN")
        else:
            _begin_at(connection, level, own=own)
        yield connection


@contextmanager
def writing(where: Where) -> Iterator[Connection]:
    """Yield a connection in a transaction, or under a savepoint in one of the caller.

    On SQLite nobody else writes from now on; on PostgreSQL each statement sees what is there by
    then, so that whoever waited for another sees what that one did.

    Raises:
        leadconvert.errors.StoreError: the database does not play along.
    """
    level = "READ COMMITTED"
    with translated(), _begun(where, level) as (connection, own):
        if connection.dialect.name == "sqlite":
            _begin(connection, "BEGIN IMMEDIATE")
        else:
            _begin_at(connection, level, own=own)
        if own:
            yield connection
        else:
            with _savepoint(connection):
                yield connection


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """Undo just what is done inside, if that fails."""
    point = connection.begin_nested()
    try:
        with translated():
            yield
    except BaseException:
        try:
            point.rollback()
        except SQLAlchemyError:
            # the database has undone the whole: nothing more may be written as part of it
            connection.invalidate()
        raise
    point.commit()


@contextmanager
def _begun(where: Where, level: str) -> Iterator[tuple[Connection, bool]]:
    """Yield a connection in a transaction, and whether that was begun here."""
    own = owned(where)
    match where:
        case Engine():
            with where.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execution_options(isolation_level=level)
                with connection.begin():
                    yield connection, own
        case Session() if own:
            with where.begin():
                yield where.connection(), own
        case Session():
            yield where.connection(), own
        case _ if own:
            with where.begin():
                yield where, own
        case _:
            yield where, own


def _begin(connection: Connection, statement: str) -> None:
    """Begin a transaction of SQLite, unless there is one: the driver itself begins too late."""
    driver = connection.connection.driver_connection
    if driver is not None and not driver.in_transaction:
        connection.exec_driver_sql(statement)


def _begin_at(connection: Connection, level: str, *, own: bool) -> None:
    """See to it that a transaction of PostgreSQL is one, and at that level if it is our own."""
    if getattr(connection.connection.dbapi_connection, "autocommit", False):
        raise StoreError("the connection commits each statement: nothing would be all or nothing")
    if own and connection.get_execution_options().get("isolation_level") != level:
        connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL {level}")
