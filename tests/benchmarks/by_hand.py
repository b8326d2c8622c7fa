"""What somebody would write by hand to store the conversions that `stores.py` times.

It stores just these: it knows which fields their records have, and that nobody is in its way.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from leadconvert import ChangeSet, Conversion, Insert, Product, Ref, StageChange, Trace, Update
from leadconvert.stores._sql_tables import Tables


__all__ = ["ByCore", "ByPsycopg", "Rows", "rows_of"]

#: Rows by table.
Rows = Mapping[str, Sequence[Mapping[str, Any]]]

_PLAIN: Final = (
    "comments",
    "name",
    "first_name",
    "last_name",
    "title",
    "type",
    "amount",
    "currency",
    "pipeline",
    "stage",
)


def rows_of(changes: ChangeSet) -> Rows:
    """Return the rows that a conversion into a company, a contact and a deal comes to."""
    company, contact, deal, closed = cast("tuple[Insert, Insert, Insert, Update]", changes.changes)
    key, lead, made = changes.key, closed.ref.id, (company, contact, deal)
    stages = cast("tuple[StageChange]", closed.values["stage_history"])
    conversions = cast("tuple[Conversion]", closed.values["conversions"])
    return {
        "lc_company": [_record(company)],
        "lc_contact": [{**_record(contact), "company_id": company.ref.id}],
        "lc_deal": [
            {
                **_record(deal),
                "company_id": company.ref.id,
                "products": [
                    {"name": one.name, "price": str(one.price), "quantity": str(one.quantity)}
                    for one in cast("tuple[Product, ...]", deal.values["products"])
                ],
            }
        ],
        "lc_lead": [
            {
                "id": lead,
                "revision": "1",
                "stage": closed.values["stage"],
                "stage_history": [
                    {
                        "actor_id": one.actor_id,
                        "at": one.at.isoformat(),
                        "from_stage": one.from_stage,
                        "to_stage": one.to_stage,
                    }
                    for one in stages
                ],
                "conversions": [
                    {
                        "actor_id": one.actor_id,
                        "at": one.at.isoformat(),
                        "closing": True,
                        "id": one.id,
                        "rules": one.rules,
                        "supplement": False,
                        "targets": [_ref(ref) for ref in one.targets],
                    }
                    for one in conversions
                ],
            }
        ],
        "lc_claims": [
            *_claims(company, "company", ["name"]),
            *_claims(contact, "person", ["first_name", "last_name"]),
        ],
        "lc_links": [
            *(_link(one, "converted_from", lead) for one in made),
            _link(deal, "contact_ids", contact.ref.id),
        ],
        "lc_traces": [{"id": one.id, "trace": _trace(one)} for one in changes.traces],
        "lc_outbox": [
            {
                "key": key,
                "place": place,
                "name": one.name,
                "event": {
                    "actor_id": one.actor_id,
                    "at": one.at.isoformat(),
                    "name": one.name,
                    "params": {name: _value(value) for name, value in one.params.items()},
                    "ref": _ref(one.ref),
                },
            }
            for place, one in enumerate(changes.events)
        ],
        "lc_receipts": [
            {
                "key": key,
                "receipt": {
                    "conversions": [one.id for one in conversions],
                    "fingerprint": changes.fingerprint,
                    "ids": [
                        [{**_ref(one.ref), "provisional": True}, _ref(one.ref)] for one in made
                    ],
                    "key": key,
                    "replayed": False,
                    "revisions": [[_ref(one.ref), "1"] for one in (*made, closed)],
                },
            }
        ],
    }


def _record(change: Insert) -> dict[str, Any]:
    values = change.values
    row = {name: values[name] for name in _PLAIN if name in values}
    for name in ("emails", "phones"):
        if name in values:
            row[name] = [{"value": one.value} for one in cast("Any", values[name])]
    return {"id": change.ref.id, "revision": "1", **row}


def _claims(change: Insert, sort: str, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    values = cast("Mapping[str, Any]", change.values)
    keys = [(sort, " ".join(values[name].lower() for name in names))]
    keys += (("email", one.value.strip().lower()) for one in values["emails"])
    keys += (("phone", one.value.replace(" ", "")) for one in values["phones"])
    for told, value in keys:
        whole = json.dumps((change.ref.kind, told, value)).encode()
        digest = hashlib.sha256(whole).hexdigest()[:32]
        yield {"digest": digest, "kind": change.ref.kind, "id": change.ref.id}


def _link(change: Insert, field: str, ref: str) -> Mapping[str, Any]:
    return {"kind": change.ref.kind, "id": change.ref.id, "field": field, "ref": ref, "copy": 0}


def _trace(trace: Trace) -> Mapping[str, Any]:
    steps = []
    for step in trace.steps:
        told: dict[str, Any] = {
            "action": step.action,
            "before": {name: _value(value) for name, value in step.before.items()},
            "ref": _ref(step.ref),
            "written": {name: _value(value) for name, value in step.written.items()},
        }
        if step.attached:
            told["attached"] = [[field, _ref(ref)] for field, ref in step.attached]
        steps.append(told)
    return {"id": trace.id, "steps": steps}


def _ref(ref: Ref) -> dict[str, Any]:
    return {"id": ref.id, "kind": ref.kind, "provisional": False}


def _value(value: object) -> object:
    if isinstance(value, Ref):
        return {"$ref": _ref(value)}
    return [_value(one) for one in value] if isinstance(value, tuple) else value


@attrs.frozen
class ByCore:
    """By hand on SQLAlchemy Core: a statement for each table, one transaction."""

    engine: Engine
    tables: Tables
    sets: Mapping[str, ChangeSet]

    def __call__(self, ids: Sequence[str]) -> None:
        """Store the conversions of the leads *ids* one by one."""
        for id_ in ids:
            with self.engine.begin() as connection:
                self._store(connection, [id_])

    def at_once(self, ids: Sequence[str]) -> None:
        """Store them all in one transaction."""
        with self.engine.begin() as connection:
            self._store(connection, ids)

    def _store(self, connection: Connection, ids: Sequence[str]) -> None:
        leads = self.tables.shapes["lead"].table
        connection.execute(select(leads.c.id).where(leads.c.id.in_(ids)).with_for_update())
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for id_ in ids:
            for name, some in rows_of(self.sets[id_]).items():
                rows.setdefault(name, []).extend(some)
        for table in self.tables.metadata.sorted_tables:
            if table is leads:
                told = [{**row, "_id": row["id"]} for row in rows[table.name]]
                values: dict[str, Any] = {
                    name: bindparam(name) for name in rows[table.name][0] if name != "id"
                }
                by_id = leads.c.id == bindparam("_id")
                connection.execute(update(leads).where(by_id).values(values), told)
            elif table.name in rows:
                connection.execute(insert(table), rows[table.name])


@attrs.frozen
class ByPsycopg:
    """By hand on psycopg: the same statements, written as text; at will in a pipeline.

    Without *books* it writes no more than the records, as most CRMs do.
    """

    connection: psycopg.Connection[Any]
    tables: Tables
    sets: Mapping[str, ChangeSet]
    piped: bool = False
    books: bool = True

    def __call__(self, ids: Sequence[str]) -> None:
        """Store the conversions of the leads *ids* one by one."""
        for id_ in ids:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                if self.piped:
                    with self.connection.pipeline():
                        self._store(cursor, id_)
                else:
                    self._store(cursor, id_)

    def _store(self, cursor: psycopg.Cursor[Any], id_: str) -> None:
        kinds = {one.table.name for one in self.tables.shapes.values()}
        cursor.execute("SELECT id FROM lc_lead WHERE id = %s FOR UPDATE", [id_])
        for name, rows in rows_of(self.sets[id_]).items():
            columns = list(rows[0])
            if name == "lc_lead":
                told = ", ".join(f"{one} = %s" for one in columns)
                values = [*map(_held, rows[0].values()), id_]
                text = f"UPDATE lc_lead SET {told} WHERE id = %s"  # noqa: S608 - no user's text
                cursor.execute(text, values)
            elif name in kinds or self.books:
                marks = ", ".join(["%s"] * len(columns))
                text = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
                cursor.executemany(text, [list(map(_held, row.values())) for row in rows])


def _held(value: object) -> object:
    return Jsonb(value) if isinstance(value, (dict, list)) else value
