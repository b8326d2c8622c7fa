"""Everything that can be wrong, as values, and the errors that carry them.

A `Problem` is one thing wrong. It holds plain facts and never a record's value, so it may be shown,
logged, sent and pickled. `ConversionError` and its classes mean that this request cannot be met;
`DefinitionError` that the rules contradict themselves. A misused signature (a naive moment, one
text where a list belongs) is an ordinary `TypeError` or `ValueError`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, TypeVar, cast

from leadconvert.problems import Cause, Problem, no_choice
from leadconvert.values import Ref


__all__ = [
    "AccessDeniedError",
    "AlreadyConvertedError",
    "AmbiguousMatchError",
    "Cause",
    "ConflictError",
    "ConversionError",
    "DefinitionError",
    "IdempotencyError",
    "InvalidFieldsError",
    "InvalidTargetError",
    "LeadConvertError",
    "MissingFieldsError",
    "NotReversibleError",
    "Problem",
    "RecordNotFoundError",
    "SchemaVersionError",
    "StageNotAllowedError",
    "StoreError",
    "TargetsRequiredError",
    "UnavailableError",
    "UnfitValueError",
    "UnknownTargetError",
    "refusal",
]

E = TypeVar("E", bound=StrEnum)


def _detailed(problem: Problem) -> dict[str, object]:
    """Return one problem as JSON data, without its params: they are for who builds texts."""
    steps = [] if problem.target is None else ["into", str(problem.target)]
    if problem.field is not None:
        steps += ["values", problem.field]
    escaped = (step.replace("~", "~0").replace("/", "~1") for step in steps)
    return {
        "code": problem.code,
        "detail": problem.message,
        "remedy": problem.remedy,
        "pointer": "".join(f"/{step}" for step in escaped),
    }


class LeadConvertError(Exception):
    """Whatever this library raises on purpose, but for a misused signature.

    Errors compare by content, and survive pickle and copy.

    Example:
        >>> from leadconvert import errors
        >>> issubclass(errors.AccessDeniedError, errors.LeadConvertError)
        True
    """

    #: The status that a service over HTTP would answer with, and what it is called there.
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Error"

    def problem_details(self) -> dict[str, object]:
        """Return this error as a problem document of RFC 9457: plain JSON data.

        *errors* lists each problem with its code, and with a JSON pointer to the place in the
        request that it is about: ``/into/0/values/title``, or ``/values/title`` of the lead itself.

        Example:
            >>> from leadconvert import errors
            >>> details = errors.ConflictError("it was changed meanwhile").problem_details()
            >>> details["type"], details["status"]
            ('urn:leadconvert:changed-meanwhile', 409)
        """
        return {
            "type": f"urn:leadconvert:{self.title.lower().replace(' ', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": str(self),
            "errors": [_detailed(problem) for problem in getattr(self, "problems", ())],
        }

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class DefinitionError(LeadConvertError):
    """Rules contradict themselves: every mistake at once, each with its place.

    Example:
        >>> from leadconvert import Pipeline, Stage, errors
        >>> try:
        ...     Pipeline("sales", "deal", [Stage("NEW"), Stage("NEW")])
        ... except errors.DefinitionError as error:
        ...     print(error)
        pipeline sales: stage 'NEW' stands twice (remove or rename one)
    """

    status = 500
    title = "Rules contradict themselves"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


def chosen(cls: type[E], value: object, what: str, place: str) -> E:
    """Return the member of *cls* that *value* is or names; *what* says in a refusal what it is.

    Raises:
        leadconvert.errors.DefinitionError: it is none.

    Example:
        >>> from leadconvert import Overflow
        >>> from leadconvert.errors import chosen
        >>> chosen(Overflow, "shorten", "choice", "mapping")
        <Overflow.SHORTEN: 'shorten'>
    """
    try:
        return cls(cast("str", value))  # whatever it is, what is no member is refused
    except ValueError:
        raise DefinitionError([no_choice(what, str(value), list(cls), place)]) from None


class ConversionError(LeadConvertError):
    """This lead cannot be converted as asked; nothing was decided to be written.

    `problems` holds everything the actor may know, not only what decided the class. Where a record
    of another *kind* cannot be moved as asked, `lead_id` is its id.

    Example:
        >>> from leadconvert.errors import Cause, Problem, TargetsRequiredError
        >>> error = TargetsRequiredError(
        ...     "L-7",
        ...     [Problem(cause="targets_required", code="no_targets", params={"kinds": ["deal"]})],
        ... )
        >>> print(error)
        lead L-7: nothing to convert into was chosen (choose among deal)
    """

    status = 422
    title = "Refused"

    def __init__(self, lead_id: str, problems: Iterable[Problem], kind: str = "lead") -> None:
        self.lead_id: str = lead_id
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.kind: str = kind
        super().__init__(self.lead_id, self.problems, self.kind)

    def __str__(self) -> str:
        return f"{self.kind} {self.lead_id}: " + "; ".join(map(str, self.problems))


class AccessDeniedError(ConversionError):
    """The actor lacks a right: on the lead (then nothing else is told) or on any target.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW"), ["deal"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1"), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.AccessDeniedError as error:
        ...     print(error.problems[0].message)
        u-1 may not read lead: no role of theirs permits it
    """

    status = 403
    title = "Access denied"


class AlreadyConvertedError(ConversionError):
    """The lead is converted already; the problem's params say what it became.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="CONVERTED"), ["deal"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.AlreadyConvertedError as error:
        ...     print(error.problems[0].code)
        in_success_stage
    """

    status = 409
    title = "Already converted"


class StageNotAllowedError(ConversionError):
    """The lead cannot go to its success stage from where it stands.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="JUNK"), ["deal"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.StageNotAllowedError as error:
        ...     print(error.problems[0].remedy)
        move it back to a stage in process first
    """

    status = 409
    title = "Stage not allowed"


class TargetsRequiredError(ConversionError):
    """Nothing to convert into was chosen.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW"), [], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.TargetsRequiredError as error:
        ...     print(error.problems[0].remedy)
        choose among company, contact, deal
    """

    status = 422
    title = "Targets required"


class UnknownTargetError(ConversionError):
    """A chosen kind does not exist in the rules.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW"), ["dael"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.UnknownTargetError as error:
        ...     print(error.problems[0].message)
        there is no kind 'dael' to convert into, did you mean 'deal'?
    """

    status = 422
    title = "Unknown target"


class AmbiguousMatchError(ConversionError):
    """Several records match, or a rule leaves the choice to a person: all candidates are named.

    Example:
        >>> import attrs
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Channel, Contact, Known, Lead, MatchRule, Matching
        >>> from leadconvert import Actor, convert, errors, presets
        >>> matching = Matching([MatchRule("contact", ["email"])])
        >>> ada = [Channel("ada@example.com")]
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW", emails=ada), ["contact"],
        ...         rules=attrs.evolve(presets.bitrix24(), matching=matching),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...         known=Known(records=[Contact(id=one, emails=ada) for one in ("C-3", "C-4")]),
        ...     )
        ... except errors.AmbiguousMatchError as error:
        ...     [candidate["id"] for candidate in error.problems[0].params["candidates"]]
        ['C-3', 'C-4']
    """

    status = 409
    title = "Ambiguous match"


class InvalidTargetError(ConversionError):
    """The chosen targets do not go together, such as two records with one id.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Create, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW", title="Enquiry"),
        ...         [Create("deal", id="D-1"), Create("deal", id="D-1")], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.InvalidTargetError as error:
        ...     print(error.problems[0].message)
        two records of kind deal would have the id 'D-1'
    """

    status = 409
    title = "Invalid target"


class MissingFieldsError(ConversionError):
    """Required fields are empty: all of them, over all targets.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW"), ["company", "deal"], rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.MissingFieldsError as error:
        ...     [(problem.kind, problem.field) for problem in error.problems]
        [('company', 'name'), ('deal', 'title')]
    """

    status = 422
    title = "Missing fields"


class InvalidFieldsError(ConversionError):
    """Values do not fit their fields: all of them, over all targets.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Create, Lead, convert, errors, presets
        >>> try:
        ...     convert(
        ...         Lead(id="L-7", stage="NEW", title="Enquiry"),
        ...         [Create("deal", values={"close_date": "soon", "colour": "red"})],
        ...         rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...         at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.InvalidFieldsError as error:
        ...     [(problem.field, problem.code) for problem in error.problems]
        [('colour', 'unknown_field'), ('close_date', 'wrong_type')]
    """

    status = 422
    title = "Invalid fields"


class NotReversibleError(ConversionError):
    """A conversion cannot be taken back, or not as a whole: everything that stands in the way.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, errors, presets, reverse
        >>> try:
        ...     reverse(
        ...         Lead(id="L-7", stage="NEW"), rules=presets.bitrix24(),
        ...         actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ...     )
        ... except errors.NotReversibleError as error:
        ...     print(error.problems[0].message)
        no conversion of the lead is in force
    """

    status = 409
    title = "Not reversible"


class StoreError(LeadConvertError):
    """A store cannot do what it was asked; nothing of it is written. Raised by stores alone.

    *message* says what is wrong, *refs* which records it is about.

    Example:
        >>> from leadconvert import Ref, errors
        >>> error = errors.ConflictError("it was changed meanwhile", [Ref("deal", "D-5")])
        >>> isinstance(error, errors.StoreError), str(error)
        (True, 'it was changed meanwhile: deal D-5')
    """

    status = 500
    title = "Store error"

    def __init__(self, message: str, refs: Iterable[Ref] = ()) -> None:
        self.message: str = message
        self.refs: tuple[Ref, ...] = tuple(refs)
        super().__init__(self.message, self.refs)

    def __str__(self) -> str:
        return ": ".join([self.message, *([", ".join(map(str, self.refs))] if self.refs else [])])


class RecordNotFoundError(StoreError):
    """A record that is to be read or changed is not there.

    If it is gone only since it was decided on, decide again.

    Example:
        >>> from leadconvert import Ref, errors
        >>> print(errors.RecordNotFoundError("there is no such record", [Ref("lead", "L-7")]))
        there is no such record: lead L-7
    """

    status = 404
    title = "Record not found"


class ConflictError(StoreError):
    """What was decided on has changed meanwhile. Decide again.

    That is a revision, who holds a key, or an id that was free; or a record is to be removed, and
    others have been attached to it since.

    Example:
        >>> from leadconvert import Ref, errors
        >>> print(errors.ConflictError("it was changed meanwhile", [Ref("lead", "L-7")]))
        it was changed meanwhile: lead L-7
    """

    status = 409
    title = "Changed meanwhile"


class IdempotencyError(StoreError):
    """Another request was made under the same key. Choose another key.

    Example:
        >>> from leadconvert import errors
        >>> print(errors.IdempotencyError("k-1"))
        another request was made under the key 'k-1'
    """

    status = 422
    title = "Key used for another request"

    def __init__(self, key: str) -> None:
        self.key: str = key
        super().__init__(f"another request was made under the key {key!r}")
        self.args: tuple[object, ...] = (key,)


class UnavailableError(StoreError):
    """Nobody knows whether it was written. Apply the same change set again, never decide again.

    Example:
        >>> from leadconvert import errors
        >>> print(errors.UnavailableError("the connection was lost"))
        the connection was lost
    """

    status = 503
    title = "Store unavailable"


class UnfitValueError(StoreError):
    """The store has no place for a kind, or cannot hold a value; *refs* say of which record.

    Example:
        >>> from leadconvert import Ref, errors
        >>> print(errors.UnfitValueError("text holds a NUL in title", [Ref("deal", "D-5")]))
        text holds a NUL in title: deal D-5
    """

    status = 422
    title = "Value cannot be stored"


class SchemaVersionError(StoreError):
    """The database was made by another version of the library, or for other kinds.

    Example:
        >>> from leadconvert import errors
        >>> print(errors.SchemaVersionError("the schema has version 9, this library knows 1"))
        the schema has version 9, this library knows 1
    """

    status = 500
    title = "Schema of another version"


_CLASS_OF: dict[Cause, type[ConversionError]] = {
    Cause.LEAD_ACCESS: AccessDeniedError,
    Cause.ALREADY_CONVERTED: AlreadyConvertedError,
    Cause.STAGE: StageNotAllowedError,
    Cause.TARGETS_REQUIRED: TargetsRequiredError,
    Cause.TARGET_ACCESS: AccessDeniedError,
    Cause.UNKNOWN_TARGET: UnknownTargetError,
    Cause.AMBIGUOUS: AmbiguousMatchError,
    Cause.INVALID_TARGET: InvalidTargetError,
    Cause.MISSING: MissingFieldsError,
    Cause.INVALID: InvalidFieldsError,
    Cause.REVERSAL: NotReversibleError,
}


def refusal(lead_id: str, problems: Iterable[Problem], kind: str = "lead") -> ConversionError:
    """Return the error that *problems* amount to: the first of their causes decides its class.

    Example:
        >>> from leadconvert.errors import Cause, Problem, refusal
        >>> missing = Problem(cause=Cause.MISSING, code="required", kind="deal", field="title")
        >>> denied = Problem(cause=Cause.TARGET_ACCESS, code="no_grant", kind="deal")
        >>> type(refusal("L-7", [missing, denied])).__name__
        'AccessDeniedError'
    """
    found = tuple(problems)
    causes = {problem.cause for problem in found}
    gravest = next(cause for cause in Cause if cause in causes)
    return _CLASS_OF[gravest](lead_id, found, kind)
