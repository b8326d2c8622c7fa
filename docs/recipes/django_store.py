# ruff: noqa: ANN401, D106, DJ008, INP001 - beside a page, to be copied into a project
# mypy: disable-error-code="import-untyped,misc"
"""What `TableStore` needs of Django: base classes for models of your own, and `DjangoTables`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from django.db import connections, models, transaction, utils
from docs.recipes.tables import Among, translated  # wherever you copied it to


__all__ = ["DjangoTables", "Found", "Kept", "Stored"]


class Stored(models.Model):
    """What a model of yours has besides its own columns, which may all be NULL."""

    revision = models.PositiveBigIntegerField(default=1)
    custom = models.JSONField(default=dict)

    class Meta:
        abstract = True


class Kept(models.Model):
    """Receipts, traces and events; the events, by their ids, are the outbox."""

    shelf = models.CharField(max_length=20)
    key = models.TextField()
    data = models.JSONField()

    class Meta:
        app_label = "crm"  # yours
        unique_together = (("shelf", "key"),)


class Found(models.Model):
    """By which marks records are found."""

    mark = models.CharField(max_length=64)
    kind = models.CharField(max_length=100)
    holder = models.BigIntegerField()

    class Meta:
        app_label = "crm"
        unique_together = (("mark", "kind", "holder"),)
        indexes = (models.Index(fields=["kind", "holder"], name="found_by_holder"),)


@attrs.frozen
class DjangoTables:
    """The tables of *models*, by the ids of their kinds, in the database *using*."""

    models: Mapping[str, Any]
    using: str = "default"

    @property
    def owns_transaction(self) -> bool:
        """It does, unless it is called inside ``transaction.atomic``."""
        with translated(utils):
            return bool(transaction.get_autocommit(self.using))

    @contextmanager
    def whole(self, *, reading: bool) -> Iterator[None]:
        """Begin a transaction, or set a savepoint in yours."""
        own, connection = self.owns_transaction, connections[self.using]
        # outside of atomic: what is caught inside leaves a broken transaction
        with translated(utils), transaction.atomic(self.using):
            if reading and own and connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    def columns(self, table: str) -> Collection[str]:
        """Name the columns; that of a foreign key ends in ``_id``, as fields that refer do."""
        return {field.attname for field in self._model(table)._meta.concrete_fields}  # noqa: SLF001

    def select(self, table: str, among: Among, *, lock: bool = False) -> Any:
        """Return rows as dicts."""
        rows = self._rows(table, among).order_by("id").values()
        return rows.select_for_update() if lock else rows

    def insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> Sequence[int]:
        """Insert rows; no signals are sent, as none are by `update`."""
        model = self._model(table)
        made = model.objects.using(self.using).bulk_create([model(**row) for row in rows])
        return [one.id for one in made]

    def update(self, table: str, among: Among, row: Mapping[str, object]) -> int:
        """Change rows."""
        return int(self._rows(table, among).update(**row))

    def delete(self, table: str, among: Among) -> int:
        """Remove rows, and do what your ``on_delete`` says."""
        return int(self._rows(table, among).delete()[0])

    def _model(self, table: str) -> Any:
        return {"kept": Kept, "found": Found, **self.models}[table]

    def _rows(self, table: str, among: Among) -> Any:
        where = {f"{name}__in": list(values) for name, values in among.items()}
        return self._model(table).objects.using(self.using).filter(**where)
