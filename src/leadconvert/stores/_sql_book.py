"""A database as a store: what begins and ends its transactions, and the order of what is done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import Any, Final, TypeVar

import attrs
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from leadconvert import ChangeSet, ConversionRules, Insert, Known, Receipt, Ref, Wanted
from leadconvert.codec import Codec
from leadconvert.errors import ConflictError, SchemaVersionError, StoreError, UnavailableError
from leadconvert.stores import _sql_reading as reading
from leadconvert.stores._sql_errors import translated
from leadconvert.stores._sql_rows import Reader, Writer, chunks
from leadconvert.stores._sql_tables import Tables, create, found
from leadconvert.stores._sql_writing import write


__all__ = ["Book", "Place", "begun", "drivers"]
