# mypy: disable-error-code="import-untyped,misc"
"""The store of the Django recipe for `stores.py`, in tables of a host's own on PostgreSQL."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.db import connections, models
from sqlalchemy import URL

from leadconvert import ConversionRules, FieldType, Kind


sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

__all__ = ["django_store"]

#: What fields of a type are kept in; the rest is kept as JSON beside them.
_COLUMNS: Final[Mapping[FieldType, Callable[[], Any]]] = {
    FieldType.TEXT: lambda: models.TextField(null=True),
    FieldType.ENUMERATION: lambda: models.TextField(null=True),
    FieldType.MONEY: lambda: models.DecimalField(max_digits=20, decimal_places=2, null=True),
    FieldType.BOOLEAN: lambda: models.BooleanField(null=True),
    FieldType.REFERENCE: lambda: models.BigIntegerField(null=True),
}


def django_store(url: URL, rules: ConversionRules) -> Any:  # noqa: ANN401 - Django has no types
    """Return the store of the recipe, in a schema of PostgreSQL."""
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.database,
                "USER": url.username,
                "PASSWORD": url.password or "",
                "HOST": url.host or str(url.query.get("host", "")),
                "PORT": url.port or "",
                "OPTIONS": {"options": str(url.query["options"])},
            }
        },
        USE_TZ=True,
    )
    django.setup()
    # models need settings, and so does the recipe
    from docs.recipes import django_store as recipe  # noqa: PLC0415
    from docs.recipes.tables import TableStore  # noqa: PLC0415

    own = {kind.id: _model(kind, recipe.Stored) for kind in rules.every_kind}
    with connections["default"].schema_editor() as editor:
        for model in (recipe.Kept, recipe.Found, *own.values()):
            editor.create_model(model)
    return TableStore(rules, recipe.DjangoTables(own))


def _model(kind: Kind, stored: type) -> type:
    columns = {
        name: _COLUMNS[field.type]()
        for name, field in kind.members.items()
        if field.type in _COLUMNS and not field.multiple
    }
    meta = type("Meta", (), {"app_label": "host"})
    return type(kind.id, (stored,), {"__module__": __name__, "Meta": meta, **columns})
