"""A statement, and what goes with it to a database and comes back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import Select, TextClause
from sqlalchemy.sql.dml import UpdateBase


__all__ = ["ROWS", "Sent", "Statement", "Values"]

#: What a statement is given for one row.
Values = Mapping[str, object]

#: The parameter by which a statement is given all its rows.
ROWS: Final = "rows"


@attrs.frozen(eq=False)
class Statement:
    """A statement that is made once and sent often; *in_one* is given all its rows as JSON."""

    executable: Select[Any] | UpdateBase | TextClause
    in_one: bool = False
    #: What a driver gets, once that is known.
    texts: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)


@attrs.define(eq=False)
class Sent:
    """A statement on its way, with the rows it is given; then what the database answers."""

    statement: Statement
    given: Sequence[Values]
    asks: bool = False
    answer: list[Sequence[Any]] = attrs.field(factory=list, init=False)
    #: How many rows were changed.
    count: int = attrs.field(default=0, init=False)
