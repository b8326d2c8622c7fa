"""The recipe for Django: a store in the tables of a project, which keeps the whole contract."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import django
import pytest
from django.conf import settings
from django.db import connections, models, transaction, utils
from django.db.models.signals import post_save

from leadconvert import (
    Actor,
    Channel,
    Company,
    Contact,
    ConversionResult,
    Deal,
    Event,
    Insert,
    Kind,
    Lead,
    Matching,
    MatchKey,
    MatchRule,
    Ref,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.changes import ChangeSet
from leadconvert.codec import Codec
from leadconvert.errors import (
    ConflictError,
    StoreError,
    UnavailableError,
    UnfitValueError,
)
from leadconvert.stores import convert_stored, reverse_stored
from leadconvert.testing import Opened, StoreContract


if not settings.configured:  # the page with the recipe may have been quicker
    _MEMORY: Final = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(DATABASES={"default": _MEMORY, "contract": _MEMORY}, USE_TZ=True)
    django.setup()

# models need settings, and so do those of the recipe
from docs.recipes.django_store import DjangoTables, Found, Kept, Stored  # noqa: E402
from docs.recipes.tables import TableStore, translated  # noqa: E402


USING: Final = "contract"
