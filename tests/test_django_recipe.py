"""The recipe for Django: a store in the tables of a project."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import django
from django.conf import settings
from django.db import connection, models, transaction

from leadconvert import ConversionRules, Event, Kind, Ref
from leadconvert.codec import Codec
from leadconvert.testing import Opened, StoreContract


if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
    )
    django.setup()

from docs.recipes.django_store import DjangoTables, Found, Kept, Stored
from docs.recipes.tables import TableStore

COLUMNS: Final = {
    "text": lambda: models.TextField(null=True),
    "enumeration": lambda: models.CharField(max_length=20, null=True),
    "integer": lambda: models.BigIntegerField(null=True),
    "boolean": lambda: models.BooleanField(null=True),
    "date": lambda: models.DateField(null=True),
    "datetime": lambda: models.DateTimeField(null=True),
    "reference": lambda: models.BigIntegerField(null=True),
}


def model_of(kind: Kind) -> Any:
    columns = {
        name: COLUMNS[field.type]()
        for name, field in kind.members.items()
        if field.type in COLUMNS and not field.multiple
    }
    meta = type("Meta", (), {"app_label": "contract"})
    return type(kind.id.title(), (Stored,), {"__module__": __name__, "Meta": meta, **columns})

MODELS: Final = {kind.id: model_of(kind) for kind in StoreContract.rules.every_kind}

def create(*made):
    with connection.schema_editor() as editor:
        for model in made:
            if model._meta.db_table not in connection.introspection.table_names():
                editor.create_model(model)

create(Kept, Found, *MODELS.values())

def opened(rules):
    tables = DjangoTables(MODELS)
    store = TableStore(rules, tables)
    codec = Codec(rules)
    def refs():
        return [Ref(kind, str(pk)) for kind, model in MODELS.items() for pk in model.objects.values_list("pk", flat=True)]
    def events():
        return [codec.from_data(one.data, Event) for one in Kept.objects.filter(shelf="Event").order_by("id")]
    return Opened(store, refs, events)

class TestDjango(StoreContract):
    shared = False

    @contextmanager
    def open_store(self):
        for model in (Kept, Found, *MODELS.values()):
            model.objects.all().delete()
        yield opened(self.rules)

class TestDjangoInside(StoreContract):
    shared = False
    examples = 5

    @contextmanager
    def open_store(self):
        with transaction.atomic():
            for model in (Kept, Found, *MODELS.values()):
                model.objects.all().delete()
            try:
                yield opened(self.rules)
            finally:
                transaction.set_rollback(True)
