"""Stores: the port that an adapter fills, a store in memory, and the drivers that use any of them.

A driver loads what `wanted` lists, decides, applies, and decides again on fresh data when somebody
was quicker. It adds no logic of its own.
"""

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


__all__ = [
    "AsyncStore",
    "BulkStore",
    "MemoryStore",
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
