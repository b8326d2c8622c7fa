# ruff: noqa: ANN401, INP001, RUF012 - beside a page, to be copied into a project; no package
"""A service that converts leads: `TableStore` in a session of SQLAlchemy that is the host's own."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, cast

import attrs
import sqlalchemy as sa
from docs.recipes.tables import Among, TableStore, translated  # wherever you copied it to
from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from leadconvert import Actor, ConversionRules, Find, errors
from leadconvert.stores import convert_stored


__all__ = ["Base", "Found", "Kept", "SessionTables", "Stored", "create_app", "listen"]


class Base(DeclarativeBase):
    """All tables, each under ids that are never given twice."""

    __table_args__: Any = {"sqlite_autoincrement": True}
    type_annotation_map = {int: sa.BigInteger().with_variant(sa.Integer, "sqlite")}
    id: Mapped[int] = mapped_column(primary_key=True)


class Stored:
    """What a model of yours has besides its own columns, which may all be NULL."""

    revision: Mapped[int] = mapped_column(default=1)
    custom: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)


class Kept(Base):
    """Receipts, traces and events; the events, by their ids, are the outbox."""

    __tablename__ = "kept"
    __table_args__ = (sa.UniqueConstraint("shelf", "key"), Base.__table_args__)
    shelf: Mapped[str]
    key: Mapped[str]
    data: Mapped[Any] = mapped_column(sa.JSON)


class Found(Base):
    """By which marks records are found."""

    __tablename__ = "found"
    __table_args__ = (sa.UniqueConstraint("mark", "kind", "holder"), Base.__table_args__)
    mark: Mapped[str]
    kind: Mapped[str]
    holder: Mapped[int] = mapped_column(index=True)


@attrs.frozen
class SessionTables:
    """The tables of *models*, by the ids of their kinds, in a *session* that somebody else ends."""

    session: Session
    models: Mapping[str, Any]
    owns_transaction: bool = attrs.field(default=False, init=False)

    @contextmanager
    def whole(self, *, reading: bool) -> Iterator[None]:
        """Flush what the session holds, and set a savepoint."""
        del reading  # the caller has chosen what a transaction sees
        with translated(sa.exc), self.session.begin_nested():
            yield

    def columns(self, table: str) -> Collection[str]:
        """Name the columns."""
        return cast("Collection[str]", self._model(table).__table__.columns.keys())

    def select(self, table: str, among: Among, *, lock: bool = False) -> Any:
        """Return rows as they are, past the session's own objects."""
        model = self._model(table)
        query = sa.select(model.__table__).where(*_where(model, among)).order_by(model.id)
        return self.session.execute(query.with_for_update() if lock else query).mappings()

    def insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> Sequence[int]:
        """Insert rows."""
        model = self._model(table)
        statement = sa.insert(model).returning(model.id, sort_by_parameter_order=True)
        return self.session.scalars(statement, rows).all() if rows else ()

    def update(self, table: str, among: Among, row: Mapping[str, object]) -> int:
        """Change rows, and the session's own objects with them."""
        model = self._model(table)
        return self._done(sa.update(model).where(*_where(model, among)).values(**row))

    def delete(self, table: str, among: Among) -> int:
        """Remove rows, and from the session its own objects."""
        model = self._model(table)
        return self._done(sa.delete(model).where(*_where(model, among)))

    def _model(self, table: str) -> Any:
        return {"kept": Kept, "found": Found, **self.models}[table]

    def _done(self, statement: sa.Update | sa.Delete) -> int:
        return cast("sa.CursorResult[Any]", self.session.execute(statement)).rowcount


def _where(model: Any, among: Among) -> list[sa.ColumnElement[bool]]:
    return [getattr(model, name).in_(list(values)) for name, values in among.items()]


def listen(engine: sa.Engine) -> None:
    """Begin SQLite's transactions where the session does; the driver begins too late."""

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")


class Into(BaseModel):
    """A kind to convert into, with values for what no mapping can know."""

    kind: str
    values: dict[str, str | int | bool | None] = {}


class Asked(BaseModel):
    """What a client sends; pointers in a problem document lead into it."""

    into: list[Into]
    values: dict[str, str | int | bool | None] = {}


def create_app(
    sessions: sessionmaker[Session],
    rules: ConversionRules,
    models: Mapping[str, Any],
    who: Callable[..., Actor],
) -> FastAPI:
    """Return the service; *who* asks is a dependency of yours."""
    app = FastAPI()

    @app.post("/leads/{lead_id}/conversion")
    def convert(
        lead_id: str,
        asked: Asked,
        actor: Annotated[Actor, Depends(who)],
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> dict[str, Any]:
        # here it is committed, and not in a dependency: that ends when the answer is out
        with sessions.begin() as session:
            result = convert_stored(
                TableStore(rules, SessionTables(session, models)),
                lead_id,
                [Find(one.kind, values=one.values) for one in asked.into],
                rules=rules,
                actor=actor,
                at=datetime.now(UTC),
                values=asked.values,
                # another's key is another key
                key=idempotency_key and f"{actor.id}/{idempotency_key}",
            )
        made = [
            {"kind": one.ref.kind, "id": one.ref.id, "action": one.action}
            for one in result.outcomes
        ]
        return {"lead": {"id": result.lead.id, "stage": result.lead.stage}, "made": made}

    @app.exception_handler(errors.LeadConvertError)
    def refuse(_: Request, error: errors.LeadConvertError) -> Response:
        # escaped, as a client may send half a character, which JSONResponse cannot send back
        details = json.dumps(error.problem_details())
        return Response(details, error.status, media_type="application/problem+json")

    return app
