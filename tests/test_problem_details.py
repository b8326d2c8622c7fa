"""What an error says over HTTP: a problem document of RFC 9457, as plain JSON data."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest

from leadconvert import (
    Actor,
    Channel,
    Create,
    FieldMapping,
    Lead,
    Pipeline,
    Ref,
    convert,
    errors,
    presets,
)
from leadconvert.errors import Cause, LeadConvertError, Problem
from leadconvert.problems import mistake


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
REQUIRED: Final = Problem(
    cause=Cause.MISSING, code="required", target=0, kind="deal", field="title",
    params={"label": "Title"},
)
DEAL: Final = Ref("deal", "D-5")

#: Every class, with what clients may rely on.
CLASSES: Final[list[tuple[str, str, int, LeadConvertError]]] = [
    ("error", "Error", 500, LeadConvertError("anything")),
    (
        "rules-contradict-themselves",
        "Rules contradict themselves",
        500,
        errors.DefinitionError([mistake("no_process", "pipeline p")]),
    ),
    ("refused", "Refused", 422, errors.ConversionError("L-7", [REQUIRED])),
    ("access-denied", "Access denied", 403, errors.AccessDeniedError("L-7", [REQUIRED])),
    (
        "already-converted",
        "Already converted",
        409,
        errors.AlreadyConvertedError("L-7", [REQUIRED]),
    ),
    (
        "stage-not-allowed",
        "Stage not allowed",
        409,
        errors.StageNotAllowedError("L-7", [REQUIRED]),
    ),
    ("targets-required", "Targets required", 422, errors.TargetsRequiredError("L-7", [REQUIRED])),
    ("unknown-target", "Unknown target", 422, errors.UnknownTargetError("L-7", [REQUIRED])),
    ("ambiguous-match", "Ambiguous match", 409, errors.AmbiguousMatchError("L-7", [REQUIRED])),
    ("invalid-target", "Invalid target", 422, errors.InvalidTargetError("L-7", [REQUIRED])),
    ("missing-fields", "Missing fields", 422, errors.MissingFieldsError("L-7", [REQUIRED])),
    ("invalid-fields", "Invalid fields", 422, errors.InvalidFieldsError("L-7", [REQUIRED])),
    ("not-reversible", "Not reversible", 409, errors.NotReversibleError("L-7", [REQUIRED])),
    ("store-error", "Store error", 500, errors.StoreError("the database is full")),
    ("record-not-found", "Record not found", 404, errors.RecordNotFoundError("gone", [DEAL])),
    ("changed-meanwhile", "Changed meanwhile", 409, errors.ConflictError("changed", [DEAL])),
    (
        "key-used-for-another-request",
        "Key used for another request",
        422,
        errors.IdempotencyError("k-1"),
    ),
    ("store-unavailable", "Store unavailable", 503, errors.UnavailableError("lost")),
    ("value-cannot-be-stored", "Value cannot be stored", 422, errors.UnfitValueError("x", [DEAL])),
    (
        "schema-of-another-version",
        "Schema of another version",
        500,
        errors.SchemaVersionError("the schema has version 9"),
    ),
]


def classes_of(cls: type[LeadConvertError]) -> Iterator[type[LeadConvertError]]:
    """Yield every error of the library's own."""
    yield cls
    for sub in cls.__subclasses__():
        if sub.__module__ == "leadconvert.errors":
            yield from classes_of(sub)
