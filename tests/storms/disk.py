"""SQLite on a disk that fails: at one statement, or once that is done."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, Self

import attrs
from sqlalchemy import event
from storms.fault import Fault

from leadconvert.stores import SqlStore


__all__ = ["Disk"]

#: What is raised, by how it goes wrong.
_RAISED: Final = {
    "failed": ("disk I/O error", sqlite3.SQLITE_IOERR),
    "unanswered": ("disk I/O error", sqlite3.SQLITE_IOERR),
    "busy": ("database is locked", sqlite3.SQLITE_BUSY),
}


@attrs.define(eq=False)
class Disk:
    """Beneath a store; each statement and commit meets its *fault*."""

    fault: Fault | None = None

    def under(self, store: SqlStore) -> None:
        """Be what the store writes to."""
        event.listen(store.where, "do_connect", self._connected)

    def _connected(
        self, _: object, __: object, args: Iterable[Any], options: dict[str, Any]
    ) -> sqlite3.Connection:
        connection = sqlite3.connect(*args, **options, factory=_Connection)
        connection.disk = self
        return connection

    def met(self) -> str | None:
        """Return what is to go wrong after this statement; raise what goes wrong before it."""
        how = None if self.fault is None else self.fault.met()
        if how in ("failed", "busy"):
            raise _error(how)
        return how


def _error(how: str) -> sqlite3.OperationalError:
    words, code = _RAISED[how]
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


class _Cursor(sqlite3.Cursor):
    def execute(self, *args: Any) -> Self:  # noqa: ANN401 - as the driver has it
        return self._done(super().execute, *args)

    def executemany(self, *args: Any) -> Self:  # noqa: ANN401 - as the driver has it
        return self._done(super().executemany, *args)

    def _done(self, do: Any, *args: Any) -> Self:  # noqa: ANN401 - as the driver has it
        connection: Any = self.connection
        how = connection.disk.met()
        do(*args)
        if how is not None:
            raise _error(how)
        return self


class _Connection(sqlite3.Connection):
    disk: Disk

    def cursor(self, factory: Any = _Cursor) -> Any:  # noqa: ANN401 - as the driver has it
        return super().cursor(factory)

    def commit(self) -> None:
        how = self.disk.met()
        super().commit()
        if how is not None:
            raise _error(how)
