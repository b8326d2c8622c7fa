"""Stores: the port that an adapter fills, a store in memory, and the drivers that use any of them.

A driver loads what `wanted` lists, decides, applies, and decides again on fresh data when somebody
was quicker. It adds no logic of its own. `SqlStore` and `AsyncSqlStore` need ``leadconvert[sql]``.
"""

from typing import TYPE_CHECKING

from leadconvert.stores._drivers import (
    advance_stored,
    advance_stored_async,
    arrive_stored,
    arrive_stored_async,
    convert_stored,
    convert_stored_async,
    reverse_stored,
    reverse_stored_async,
)
from leadconvert.stores._memory import MemoryStore
from leadconvert.stores._port import AsyncStore, BulkStore, Store


if TYPE_CHECKING:
    from leadconvert.stores.sql import AsyncSqlStore, SqlStore

__all__ = [
    "AsyncSqlStore",
    "AsyncStore",
    "BulkStore",
    "MemoryStore",
    "SqlStore",
    "Store",
    "advance_stored",
    "advance_stored_async",
    "arrive_stored",
    "arrive_stored_async",
    "convert_stored",
    "convert_stored_async",
    "reverse_stored",
    "reverse_stored_async",
]


def __getattr__(name: str) -> object:
    """Load the stores that need SQLAlchemy when somebody asks for one."""
    if name in {"AsyncSqlStore", "SqlStore"}:
        try:
            from leadconvert.stores import sql  # noqa: PLC0415 - it is heavy, and may be missing
        except ModuleNotFoundError as error:
            if error.name != "sqlalchemy":
                raise
            needed = f"{name} needs: pip install 'leadconvert[sql]'"
            raise ModuleNotFoundError(needed, name=error.name) from error
        found: object = getattr(sql, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
