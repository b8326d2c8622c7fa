"""What an error says over HTTP: a problem document of RFC 9457, as plain JSON data."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Channel,
    Contact,
    Create,
    Known,
    Lead,
    Matching,
    MatchRule,
    Ref,
    Target,
    convert,
    errors,
    presets,
)
from leadconvert.errors import Cause, ConversionError, LeadConvertError, Problem
from leadconvert.problems import mistake


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
REQUIRED: Final = Problem(
    cause=Cause.MISSING,
    code="required",
    target=0,
    kind="deal",
    field="title",
    params={"label": "Title", "more": "private"},
)
DEAL: Final = Ref("deal", "D-5")
ADMIN: Final = Actor("u-1", roles=["admin"])
RULES: Final = attrs.evolve(
    presets.bitrix24(), matching=Matching([MatchRule("contact", ["email"])])
)
PRIVATE: Final = "private@example.com"
EMAILS: Final = [Channel(PRIVATE, PRIVATE)]
ADA: Final = Contact(id="C-1", last_name=PRIVATE, emails=EMAILS)
LEAD: Final = Lead(
    id="L-7",
    stage="NEW",
    title=PRIVATE,
    last_name=PRIVATE,
    comments=PRIVATE,
    emails=EMAILS,
    custom={"UF_X": PRIVATE},
)

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
    ("invalid-target", "Invalid target", 409, errors.InvalidTargetError("L-7", [REQUIRED])),
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


def problem(code: str = "required", target: int | None = None, field: str | None = None) -> Problem:
    """Return a problem somewhere in a request."""
    return Problem(cause=Cause.MISSING, code=code, target=target, kind="deal", field=field)


def pointer_to(target: int | None, field: str | None) -> object:
    """Return the pointer to a problem there."""
    error = errors.MissingFieldsError("L-7", [problem("x", target, field)])
    [told] = list_of(error.problem_details()["errors"])
    return told["pointer"]


def list_of(value: object) -> list[dict[str, object]]:
    """Return *value*, which is a list of objects."""
    assert isinstance(value, list)
    return value


def refused(lead: Lead, into: list[str | Target], known: Known | None = None) -> ConversionError:
    """Return the error that a request is refused with."""
    with pytest.raises(ConversionError) as caught:
        convert(lead, into, rules=RULES, actor=ADMIN, at=AT, known=known)
    return caught.value


class TestEveryClass:
    def test_each_class_stands_in_the_table(self) -> None:
        """There is no error without its type, and none that somebody has forgotten here."""
        assert set(classes_of(LeadConvertError)) == {type(error) for *_, error in CLASSES}

    def test_types_differ(self) -> None:
        """Clients tell errors apart by their types."""
        assert len(CLASSES) == len({error.problem_details()["type"] for *_, error in CLASSES})

    @pytest.mark.parametrize(("type_", "title", "status", "error"), CLASSES)
    def test_type_title_and_status(
        self, type_: str, title: str, status: int, error: LeadConvertError
    ) -> None:
        """Type, title and status belong to the class, and never change."""
        told = error.problem_details()
        assert (f"urn:leadconvert:{type_}", title, status) == (
            told["type"],
            told["title"],
            told["status"],
        )

    @pytest.mark.parametrize("error", [error for *_, error in CLASSES])
    def test_it_is_plain_json(self, error: LeadConvertError) -> None:
        """What is read from the JSON is what was written, in the members that RFC 9457 names."""
        told = error.problem_details()
        assert told == json.loads(json.dumps(told, allow_nan=False))
        assert ["type", "title", "status", "detail", "errors"] == list(told)
        assert str(error) == told["detail"]

    @pytest.mark.parametrize("error", [error for *_, error in CLASSES])
    def test_who_changes_it_changes_no_error(self, error: LeadConvertError) -> None:
        """A host may add members of its own; the next document is as it was."""
        expected = json.dumps(error.problem_details())
        told = error.problem_details()
        told["instance"] = "/leads/L-7"
        list_of(told["errors"]).append({})
        assert expected == json.dumps(error.problem_details())


class TestErrors:
    def test_each_problem_is_listed(self) -> None:
        """Every problem comes with its code, in words, with a way out, and with its place."""
        denied = Problem(
            cause=Cause.TARGET_ACCESS,
            code="no_grant",
            target=1,
            kind="company",
            params={"actor": "u-7", "action": "create"},
        )
        error = errors.AccessDeniedError("L-7", [REQUIRED, denied])
        expected = [
            {
                "code": "required",
                "detail": "deal needs Title",
                "remedy": "supply it in values=",
                "pointer": "/into/0/values/title",
            },
            {
                "code": "no_grant",
                "detail": "u-7 may not create company: no role of theirs permits it",
                "remedy": "ask for a role that may, or leave it out",
                "pointer": "/into/1",
            },
        ]
        assert expected == error.problem_details()["errors"]

    @pytest.mark.parametrize("error", [errors.StoreError("full"), errors.IdempotencyError("k")])
    def test_a_store_has_no_problems_to_list(self, error: LeadConvertError) -> None:
        """What a store refuses is about records, not about places in a request."""
        assert [] == error.problem_details()["errors"]


class TestPointers:
    @pytest.mark.parametrize(
        ("expected", "target", "field"),
        [
            ("", None, None),
            ("/into/0", 0, None),
            ("/into/12/values/title", 12, "title"),
            ("/values/title", None, "title"),
            ("/values/a~1b", None, "a/b"),
            ("/values/a~0b", None, "a~b"),
            ("/values/~01", None, "~1"),
            ("/values/~0~1~1", None, "~//"),
            ("/values/", None, ""),
            ("/values/UF_ß 🦄", None, "UF_ß 🦄"),
        ],
    )
    def test_a_pointer_leads_to_the_place(
        self, expected: str, target: int | None, field: str | None
    ) -> None:
        """A pointer is escaped as RFC 6901 says; that of the whole request is empty."""
        assert expected == pointer_to(target, field)

    @pytest.mark.parametrize("field", ["a/b", "~", "~1", "~0", "/", "", "a", "~01/~10"])
    def test_who_follows_it_arrives(self, field: str) -> None:
        """Read back as RFC 6901 says, a pointer names the field."""
        told = pointer_to(0, field)
        assert isinstance(told, str)
        steps = [step.replace("~1", "/").replace("~0", "~") for step in told.split("/")]
        assert ["", "into", "0", "values", field] == steps

    def test_a_request_is_pointed_into(self) -> None:
        """A value that is refused is named by the place it was given at."""
        error = refused(
            Lead(id="L-7", stage="NEW", title="Engine"),
            ["contact", Create("deal", values={"amount": "much"})],
        )
        pointers = [one["pointer"] for one in list_of(error.problem_details()["errors"])]
        assert "/into/1/values/amount" in pointers


class TestSecrets:
    @pytest.mark.parametrize(
        ("lead", "into", "known"),
        [
            # of another type, too long, no option, several, unknown
            (LEAD, [Create("deal", values={"amount": PRIVATE, "close_date": PRIVATE})], None),
            (LEAD, [Create("deal", values={"opened": PRIVATE, "contact_ids": [PRIVATE]})], None),
            (
                LEAD,
                [Create("deal", values={"title": [PRIVATE, PRIVATE], "no_such": PRIVATE})],
                None,
            ),
            # several match
            (LEAD, ["contact"], Known(records=[ADA, attrs.evolve(ADA, id="C-2")])),
            # it cannot go where it is to go
            (attrs.evolve(LEAD, stage="JUNK"), ["deal"], None),
            (attrs.evolve(LEAD, stage="CONVERTED"), ["deal"], None),
        ],
    )
    def test_no_value_is_told(
        self, lead: Lead, into: list[str | Target], known: Known | None
    ) -> None:
        """Whatever is refused, no value of a record or of the request gets into the document."""
        error = refused(lead, into, known)
        assert error.problems
        assert PRIVATE not in json.dumps(error.problem_details())

    def test_params_are_not_told(self) -> None:
        """Params are for who builds texts of their own: the document has the words alone."""
        told = json.dumps(errors.MissingFieldsError("L-7", [REQUIRED]).problem_details())
        assert "private" not in told
