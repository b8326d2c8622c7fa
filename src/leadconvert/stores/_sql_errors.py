"""What a database says is wrong, as an error of a store: none of a driver's own gets out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from leadconvert.errors import (
    ConflictError,
    SchemaVersionError,
    StoreError,
    UnavailableError,
    UnfitValueError,
)


__all__ = ["driven", "translated"]

_Told = tuple[type[StoreError], str]

_LOST: Final = UnavailableError, "the connection was lost"
_UNREACHED: Final = UnavailableError, "the database cannot be reached"
_LATE: Final = ConflictError, "somebody else was quicker"
_UNFIT: Final = UnfitValueError, "a value that the database cannot hold"
_READ_ONLY: Final = StoreError, "the database is read-only"
_FULL: Final = StoreError, "the database is full"
_STRANGE: Final = SchemaVersionError, "the tables are not as they were made"
_FAILED: Final = StoreError, "the transaction has failed: roll it back"
_REFUSED: Final = StoreError, "the database refused it"

#: By the class of what SQLAlchemy itself refuses, the narrower first.
_SQLALCHEMY: Final[Mapping[type[exc.SQLAlchemyError], _Told]] = {
    exc.TimeoutError: (UnavailableError, "no connection is free"),
    exc.ResourceClosedError: (StoreError, "the connection is closed"),
    exc.PendingRollbackError: _FAILED,
    exc.InvalidRequestError: (StoreError, "the connection cannot be used as it is"),
}

#: By SQLite's primary result codes.
_SQLITE: Final[Mapping[int, _Told]] = {
    1: _STRANGE,
    5: (UnavailableError, "somebody else is writing to the database"),
    6: (UnavailableError, "somebody else is using the table"),
    8: _READ_ONLY,
    10: (UnavailableError, "the disk does not answer"),
    13: _FULL,
    14: (UnavailableError, "the database cannot be opened"),
    18: _UNFIT,
    19: _LATE,
}
#: What is read in a transaction of the caller is no longer what is there.
_BUSY_SNAPSHOT: Final = 517

#: By the first characters of PostgreSQL's SQLSTATE, the longest that fit.
_POSTGRESQL: Final[Mapping[str, _Told]] = {
    "08": _LOST,
    "22": _UNFIT,
    "23": _LATE,
    "25": _FAILED,
    "25006": _READ_ONLY,
    "40": _LATE,
    "40003": _LOST,
    "42": _STRANGE,
    "42501": (StoreError, "the database does not permit it"),
    "53": (UnavailableError, "the database has no resources left"),
    "53100": _FULL,
    "54": _UNFIT,
    "55P03": _LATE,
    "57": (UnavailableError, "the database broke it off"),
}


#: By the driver that is missing, what to install.
_DRIVERS: Final[Mapping[str, str]] = {
    "psycopg": "PostgreSQL needs: pip install 'psycopg[binary]'",
    "aiosqlite": "AsyncSqlStore on SQLite needs: pip install aiosqlite",
}


@contextmanager
def driven() -> Iterator[None]:
    """Say what to install where the driver of a database is missing.

    Raises:
        ModuleNotFoundError: it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        needed = _DRIVERS.get(str(error.name))
        if needed is None:
            raise
        raise ModuleNotFoundError(needed, name=error.name) from error


@contextmanager
def translated() -> Iterator[None]:
    """Raise as an error of a store whatever the database raises, or its driver."""
    try:
        yield
    except UnicodeEncodeError:
        # it holds the text, which nobody need see
        raise _UNFIT[0](_UNFIT[1]) from None
    except exc.SQLAlchemyError as error:
        cls, message = _told(error)
        raise cls(message) from error


def _told(error: exc.SQLAlchemyError) -> _Told:
    if isinstance(error, exc.DBAPIError):
        return _LOST if error.connection_invalidated else _told_by_driver(error)
    found = (told for cls, told in _SQLALCHEMY.items() if isinstance(error, cls))
    return next(found, _REFUSED)


def _told_by_driver(error: exc.DBAPIError) -> _Told:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _LATE if code == _BUSY_SNAPSHOT else _SQLITE.get(code & 0xFF, _REFUSED)
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        known = (state[:length] for length in (5, 2) if state[:length] in _POSTGRESQL)
        return _POSTGRESQL.get(next(known, ""), _REFUSED)
    # the driver itself refused, or nobody answered
    match error:
        case exc.OperationalError(statement=None):
            # of a connection that was made SQLAlchemy would say that it is lost
            return _UNREACHED
        case exc.OperationalError():
            return _LOST
        case exc.DataError():
            return _UNFIT
        case _:
            return _REFUSED
