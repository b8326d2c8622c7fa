"""What is beneath a store, where its statements are seen and go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

from storms.disk import Disk
from storms.wire import Wire, wire
from storms.world import RULES

from leadconvert.stores import SqlStore


__all__ = ["Beneath", "beneath"]

Beneath = Disk | Wire


@contextmanager
def beneath(url: str, options: str = "") -> Iterator[tuple[SqlStore, Beneath]]:
    """Yield a store, and what is beneath it; *options* are for a session of PostgreSQL."""
    if url.startswith("sqlite"):
        disk = Disk()
        with SqlStore.from_url(url, rules=RULES) as store:
            disk.under(store)
            yield store, disk
        return
    with wire(url) as between:
        told = f"{between.url.query.get('options', '')} {options}".strip()
        here = between.url.update_query_dict({"options": told} if told else {})
        with SqlStore.from_url(here, rules=RULES) as store:
            yield store, between
