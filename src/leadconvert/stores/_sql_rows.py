"""Records as rows, and rows as records."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

import attrs
from sqlalchemy import select

from leadconvert import ConversionRules, FrozenMap, GenericRecord, Kind, Record, Ref
from leadconvert.codec import Codec
from leadconvert.errors import UnfitValueError
from leadconvert.stores._sql_places import IDENTITY, MISSING, Place
from leadconvert.stores._sql_sending import AT_ONCE, Batch
from leadconvert.stores._sql_sent import Statement
from leadconvert.stores._sql_tables import Shape, Tables
from leadconvert.stores._sql_values import Unholdable, check
from leadconvert.values import attributes


__all__ = ["MARK", "Reader", "Row", "Writer", "build", "chunks", "held_in", "keys_of", "told"]

T = TypeVar("T")

#: A link that only says that its field is there.
MARK: Final = -1


@attrs.frozen
class Row:
    """A record as it is stored; *extra* are the fields of it that stand in no column."""

    record: Record
    extra: frozenset[str] = frozenset()


def chunks(values: Iterable[str]) -> Iterator[Sequence[str]]:
    """Yield *values* in order, each once, as many as go into one statement."""
    found = sorted(set(values))
    for start in range(0, len(found), AT_ONCE):
        yield found[start : start + AT_ONCE]


def build(kind: Kind, ref: Ref, revision: str, values: Mapping[str, object]) -> Record:
    """Return the record with *ref* that holds *values*.

    Raises:
        leadconvert.errors.UnfitValueError: its class refuses them.
    """
    if kind.cls is None:
        return GenericRecord(kind=kind.id, id=ref.id, revision=revision, custom=values)
    try:
        return kind.build(ref.id, {**values, "revision": revision})
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything
        # what the class says may hold the value
        raise UnfitValueError(f"a value does not fit ({type(error).__name__})", [ref]) from None


def keys_of(rules: ConversionRules, kind: Kind, record: Record) -> frozenset[str]:
    """Return what stands in the table of claims for the keys of a *record*."""
    keys = rules.matching.keys(kind, record)
    return frozenset(told(kind.id, key.type, key.value) for key in keys)


def told(kind: str, sort: str, value: str) -> str:
    """Return what stands for a key of records of a *kind*: 32 digits, whatever its length."""
    # it stands in the tables, and there are many of them: this takes a fraction of digest()
    return hashlib.sha256(json.dumps((kind, sort, value)).encode()).hexdigest()[:32]


@attrs.frozen
class Reader:
    """Reads rows as records."""

    tables: Tables
    codec: Codec

    def ask(
        self, batch: Batch, wanted: Mapping[str, Iterable[str]], *, lock: bool = False
    ) -> Callable[[], dict[Ref, Row]]:
        """Ask for the rows with the ids *wanted* by kind; they are to be had once that is sent.

        They come in the order of kinds and ids. *lock* keeps others from changing them, but not
        from adding to them, until the transaction ends: always in that order, so that nobody waits
        in a circle.
        """
        asked: list[tuple[str, Sequence[str], list[Sequence[Any]]]] = []
        kinds = sorted(kind for kind in wanted if self.tables.shapes[kind].linked)
        for kind in sorted(wanted):
            shape = self.tables.shapes[kind]
            statement = self._by_id(batch, shape, lock=lock)
            asked += (
                (kind, shape.names, batch.ask(statement, {"ids": ids}))
                for ids in chunks(wanted[kind])
            )
        links = [
            batch.ask(self._links_of(batch), {"kinds": kinds, "ids": ids})
            for ids in chunks(id_ for kind in kinds for id_ in wanted[kind])
        ]

        def read() -> dict[Ref, Row]:
            found = {
                Ref(kind, row[0]): dict(zip(names, row, strict=True))
                for kind, names, rows in asked
                for row in rows
            }
            by_field = self._by_field(row for rows in links for row in rows)
            return {ref: self._row(ref, row, by_field) for ref, row in found.items()}

        return read

    def _by_id(self, batch: Batch, shape: Shape, *, lock: bool) -> Statement:
        def make() -> Statement:
            table = shape.table
            found = select(table).where(batch.among(table.c.id, "ids")).order_by(table.c.id)
            return Statement(found.with_for_update(key_share=True) if lock else found)

        return self.tables.once("rows", shape.kind.id, lock, make=make)

    def _links_of(self, batch: Batch) -> Statement:
        table = self.tables.links
        return self.tables.once(
            "links",
            make=lambda: Statement(
                select(table.c.kind, table.c.id, table.c.field, table.c.ref, table.c.copy)
                .where(batch.among(table.c.kind, "kinds"), batch.among(table.c.id, "ids"))
                .order_by(table.c.n)
            ),
        )

    @staticmethod
    def _by_field(links: Iterable[Sequence[Any]]) -> dict[tuple[Ref, str], list[str]]:
        """Return what is linked, by record and field, in order; the fields that are there."""
        found: dict[tuple[Ref, str], list[str]] = {}
        for kind, id_, field, ref, copy in links:
            held = found.setdefault((Ref(kind, id_), field), [])
            if copy != MARK:
                held.append(ref)
        return found

    def _row(
        self, ref: Ref, row: Mapping[str, Any], links: Mapping[tuple[Ref, str], Sequence[str]]
    ) -> Row:
        shape = self.tables.shapes[ref.kind]
        extra: Mapping[str, object] = {}
        if row["extra"] is not None:
            extra = self.codec.from_data(row["extra"], FrozenMap)
        values: dict[str, object] = {}
        for name, place in shape.places.items():
            stood = tuple(row[column] for column in shape.columns[name])
            if stood and stood[0] is not None:
                values[name] = self._read(ref, place, stood)
            elif (ref, name) in links:
                values[name] = tuple(links[ref, name])
            elif place.needed:
                values[name] = None
        values |= {name: value for name, value in extra.items() if values.get(name) is None}
        return Row(build(shape.kind, ref, row["revision"], values), frozenset(extra))

    def _read(self, ref: Ref, place: Place, stood: tuple[Any, ...]) -> object:
        try:
            return place.read(stood, self.codec)
        except (TypeError, ValueError) as why:
            raise UnfitValueError(f"what stands in {place.field} is unreadable", [ref]) from why


@attrs.frozen
class Writer:
    """Writes records as rows; *nul* says whether the database's text may hold a NUL."""

    tables: Tables
    codec: Codec
    nul: bool

    def columns(self, ref: Ref, record: Record, names: Iterable[str]) -> dict[str, object]:
        """Return what is to stand in the columns for the fields with these *names* of a *record*.

        Raises:
            leadconvert.errors.UnfitValueError: the database cannot hold a value.
        """
        shape = self.tables.shapes[ref.kind]
        blank = dict.fromkeys(one for name in names for one in shape.columns.get(name, ()))
        return {**blank, "extra": None, **self.filled(ref, record, names)}

    def filled(self, ref: Ref, record: Record, names: Iterable[str]) -> dict[str, object]:
        """Return the same without the columns that hold nothing, as most of a new record do.

        Raises:
            leadconvert.errors.UnfitValueError: the database cannot hold a value.
        """
        shape, held = self.tables.shapes[ref.kind], held_in(record)
        found: dict[str, object] = {"revision": record.revision}
        extra: dict[str, object] = {}
        for name in names:
            place, value = shape.places.get(name), held.get(name, MISSING)
            if value is MISSING or (
                (value is None or value == ()) and place is not None and value == place.blank
            ):
                continue
            stood = None if place is None else self._stood(ref, name, place, value)
            if stood is None:
                data = self.data(FrozenMap({name: value}), [ref], f" in {name}")
                extra |= cast("dict[str, object]", data)
            else:
                found |= zip(shape.columns[name], stood, strict=True)
        if extra:
            found["extra"] = extra
        return found

    def data(self, value: object, refs: Iterable[Ref] = (), place: str = "") -> object:
        """Return *value* as JSON data; *refs* and *place* say in an error where it stands.

        Raises:
            leadconvert.errors.UnfitValueError: the database cannot hold it.
        """
        try:
            data = self.codec.to_data(value)
        except TypeError as why:
            raise UnfitValueError(f"{why}{place}", refs) from None
        return self.held(data, refs, place)

    def held(self, value: T, refs: Iterable[Ref] = (), place: str = "") -> T:
        """Return *value* if the database can hold it.

        Raises:
            leadconvert.errors.UnfitValueError: it cannot.
        """
        try:
            check(value, nul=self.nul)
        except Unholdable as why:
            raise UnfitValueError(f"{why}{place}", refs) from None
        return value

    def _stood(self, ref: Ref, name: str, place: Place, value: object) -> tuple[object, ...] | None:
        try:
            stood = place.written(value, self.codec)
            for one in stood or ():
                check(one, nul=self.nul)
        except Unholdable as why:
            raise UnfitValueError(f"{why} in {name}", [ref]) from None
        return stood


def held_in(record: Record) -> dict[str, object]:
    """Return all that a *record* holds by field id, but what it computes itself."""
    if isinstance(record, GenericRecord):
        return dict(record.custom)
    own = {name: getattr(record, name) for name in _stored(type(record))}
    return own | dict(record.custom)


@cache
def _stored(cls: type) -> tuple[str, ...]:
    own = attributes(cls).values()
    return tuple(one.name for one in own if one.init and one.name not in IDENTITY)
