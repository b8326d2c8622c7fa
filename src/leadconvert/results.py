"""What a decision gives back: the plan, with all that is wrong, and the result if nothing is."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar, cast, overload

import attrs

from leadconvert.access import AccessRequest
from leadconvert.changes import ChangeSet, Insert, Receipt, bind, plain
from leadconvert.errors import Problem, refusal
from leadconvert.fields import FieldType, Option
from leadconvert.records import Company, Contact, Conversion, Deal, Lead, Record
from leadconvert.values import FrozenMap, Ref, attributes


__all__ = [
    "ConversionResult",
    "Draft",
    "FormField",
    "Outcome",
    "Plan",
    "Question",
    "Row",
    "TargetOutcome",
]

R = TypeVar("R", bound=Record)


class Outcome(StrEnum):
    """What became of a lead's field, or where a target's field came from if not from the lead.

    Of a lead's field: `carried`, `overridden` by a supplied value or a record made here,
    `not_needed` as a fallback, `left_behind` by a mapping that says so, `dropped`, or `refused`
    where its value is a problem. Of a target's field: `supplied`, `constant`, `default` or
    `linked`.

    Example:
        >>> from leadconvert import Outcome
        >>> Outcome("carried") is Outcome.CARRIED
        True
    """

    CARRIED = "carried"
    OVERRIDDEN = "overridden"
    NOT_NEEDED = "not_needed"
    LEFT_BEHIND = "left_behind"
    DROPPED = "dropped"
    REFUSED = "refused"
    SUPPLIED = "supplied"
    CONSTANT = "constant"
    DEFAULT = "default"
    LINKED = "linked"


class Row(NamedTuple):
    """One line of an explanation; a plain tuple.

    *field* is the lead's (None where the value is not the lead's), *target* such as ``deal
    1.title`` (None where it reached nothing), *mapping* the mapping that decided, *reason* why not.

    Example:
        >>> from leadconvert import Row
        >>> Row("tags", None, "dropped", None, "no_mapping").outcome
        'dropped'
    """

    field: str | None
    target: str | None
    outcome: str
    mapping: str | None
    reason: str | None


@attrs.frozen(kw_only=True)
class Draft:
    """A target as far as it is decided: its index in what was asked for, its ref, its values.

    Example:
        >>> from leadconvert import Draft, Ref
        >>> Draft(target=0, ref=Ref("deal", "D-5"), values={"title": "Engine"}).target
        0
    """

    target: int
    ref: Ref
    values: Mapping[str, object] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))


@attrs.frozen(kw_only=True)
class FormField:
    """One field a person must fill or correct: where it belongs, what it takes, why it is asked.

    *target* is the index in what was asked for; *value* what stands there so far; *sources* the
    lead's fields that could have filled it; *why* the code of the problem that filling it remedies.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW"), ["deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> [(field.kind, field.field, field.label, field.sources) for field in p.form]
        [('deal', 'title', 'Title', ('title',))]
    """

    target: int
    kind: str
    field: str
    label: str
    type: FieldType
    multiple: bool
    max_length: int | None
    options: tuple[Option, ...]
    sensitive: bool
    value: object = attrs.field(repr=False)
    sources: tuple[str, ...]
    why: str


@attrs.frozen(kw_only=True)
class Question:
    """A filled custom field of the lead that no mapping decides on: where is it to go?

    *choices* lists, for each kind chosen, the custom fields that could take it. Answer with
    ``carry={field: {kind: target_field}}``; an empty answer leaves it behind.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_X": "blue"}), ["deal"],
        ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p.questions
        (Question(field='UF_X', label='UF_X', choices=FrozenMap({'deal': ()})),)
    """

    field: str
    label: str
    choices: Mapping[str, tuple[str, ...]]

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "choices", FrozenMap(self.choices))


@attrs.frozen(kw_only=True)
class TargetOutcome:
    """What became of one target: its ref, what was done (`created`), and the record as it will be.

    Example:
        >>> from leadconvert import Deal, Ref, TargetOutcome
        >>> TargetOutcome(ref=Ref("deal", "D-5"), action="created", record=Deal(id="D-5")).action
        'created'
    """

    ref: Ref
    action: str
    record: Record


@attrs.frozen(kw_only=True, repr=False)
class ConversionResult:
    """A conversion, decided whole: the lead and its targets as they will be, and the changes.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Deal, Lead, convert, presets
        >>> result = convert(
        ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> result
        <ConversionResult of lead L-7: created deal L-7.1.deal.1>
        >>> result.deal.title, result.lead.stage
        ('Engine', 'CONVERTED')
    """

    lead: Lead
    outcomes: tuple[TargetOutcome, ...]
    conversion: Conversion
    changes: ChangeSet
    rows: tuple[Row, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of all targets, each after those it refers to."""
        return tuple(outcome.record for outcome in self.outcomes)

    @property
    def contact(self) -> Contact:
        """The one contact. Raises LookupError if there is none, or more than one."""
        return self._one(Contact)

    @property
    def company(self) -> Company:
        """The one company. Raises LookupError if there is none, or more than one."""
        return self._one(Company)

    @property
    def deal(self) -> Deal:
        """The one deal. Raises LookupError if there is none, or more than one."""
        return self._one(Deal)

    @property
    def dropped(self) -> tuple[Row, ...]:
        """The filled fields of the lead that reached nothing, each with the reason."""
        return _dropped(self.rows)

    def explain(self) -> tuple[Row, ...]:
        """Return for each field where it went or came from, by which mapping, or why not.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, convert, presets
            >>> result = convert(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> row = result.explain()[0]
            >>> row.field, row.target, str(row.outcome), row.mapping
            ('title', 'deal 1.title', 'carried', 'title → deal.title')
        """
        return self.rows

    @overload
    def all(self, kind: type[R]) -> tuple[R, ...]: ...
    @overload
    def all(self, kind: str) -> tuple[Record, ...]: ...
    def all(self, kind: type[R] | str) -> tuple[R, ...] | tuple[Record, ...]:
        """Return the records of *kind*, which is a class or a kind's id.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Deal, Lead, convert, presets
            >>> result = convert(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal", "deal"],
            ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
            ...     at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> [deal.id for deal in result.all(Deal)] == [deal.id for deal in result.all("deal")]
            True
        """
        if isinstance(kind, str):
            return tuple(outcome.record for outcome in self.outcomes if outcome.ref.kind == kind)
        return tuple(record for record in self.records if isinstance(record, kind))

    @overload
    def get(self, kind: type[R]) -> R | None: ...
    @overload
    def get(self, kind: str) -> Record | None: ...
    def get(self, kind: type[R] | str) -> R | Record | None:
        """Return the one record of *kind* (a class or a kind's id), or None if there is none.

        Raises:
            LookupError: there are several; `all` returns them.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Contact, Lead, convert, presets
            >>> result = convert(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> result.get(Contact) is None, result.get("deal").id
            (True, 'L-7.1.deal.1')
        """
        found = self.all(kind)
        if len(found) > 1:
            name = kind if isinstance(kind, str) else kind.__name__
            raise LookupError(f"there are {len(found)} records of {name}: use all()")
        return found[0] if found else None

    def _one(self, cls: type[R]) -> R:
        found = self.get(cls)
        if found is None:
            made = ", ".join(str(outcome.ref) for outcome in self.outcomes)
            raise LookupError(f"there is no {cls.__name__}, only {made}")
        return found

    def stored(self, receipt: Receipt) -> "ConversionResult":
        """Return this result as stored: with the store's ids and revisions, nothing provisional.

        Raises:
            ValueError: the receipt says nothing of a record this conversion made.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, Receipt, Ref, convert, presets
            >>> result = convert(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> made = result.conversion.targets[0]
            >>> stored = result.stored(Receipt(ids=[(made, Ref("deal", "5"))]))
            >>> stored.deal.id, stored.lead.conversions[0].targets[0].id
            ('5', '5')
        """
        ids, revisions = dict(receipt.ids), dict(receipt.revisions)
        values = {one.ref: one.values for one in self.changes.changes if isinstance(one, Insert)}
        if missing := [str(ref) for ref in values if ref not in ids]:
            raise ValueError(f"the receipt says nothing of {', '.join(missing)}")
        outcomes = [
            attrs.evolve(
                outcome,
                ref=ids[outcome.ref],
                record=_rebound(
                    outcome.record, values[outcome.ref], ids, ids[outcome.ref], revisions
                ),
            )
            for outcome in self.outcomes
        ]
        lead_ref = self.changes.changes[-1].ref
        targets = [ids.get(target, target) for target in self.conversion.targets]
        conversion = attrs.evolve(self.conversion, targets=targets)
        lead = attrs.evolve(
            self.lead,
            revision=revisions.get(lead_ref, self.lead.revision),
            conversions=[*self.lead.conversions[:-1], conversion],
        )
        return attrs.evolve(self, lead=lead, outcomes=tuple(outcomes), conversion=conversion)

    def __repr__(self) -> str:
        done = ", ".join(f"{outcome.action} {outcome.ref}" for outcome in self.outcomes)
        return f"<ConversionResult of lead {self.lead.id}: {done}>"


def _rebound(
    record: Record,
    values: Mapping[str, object],
    ids: Mapping[Ref, Ref],
    ref: Ref,
    revisions: Mapping[Ref, str],
) -> Record:
    own = attributes(type(record))
    changed = {
        name: plain(bound) for name, value in values.items() if (bound := bind(value, ids)) != value
    }
    custom = {name: value for name, value in changed.items() if name not in own}
    arguments = {own[name].alias or name: changed[name] for name in changed.keys() - custom.keys()}
    evolve = cast("Callable[..., Record]", attrs.evolve)
    return evolve(
        record,
        id=ref.id,
        revision=revisions.get(ref, record.revision),
        custom={**record.custom, **custom},
        **arguments,
    )


def _dropped(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.outcome == Outcome.DROPPED)


@attrs.frozen(kw_only=True, repr=False)
class Plan:
    """The whole decision, with every problem there is; it belongs to the host, who sees everything.

    *targets* are the prefilled targets, *form* what a person must fill, *questions* the custom
    fields nobody has decided on, *required_access* every question a policy was or would be asked.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW"), ["contact", "deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p.ok, [problem.message for problem in p.problems]
        (False, ['contact needs one of Last name, First name', 'deal needs Title'])
    """

    lead: Lead
    problems: tuple[Problem, ...]
    targets: tuple[Draft, ...]
    form: tuple[FormField, ...]
    questions: tuple[Question, ...]
    rows: tuple[Row, ...]
    required_access: tuple[AccessRequest, ...]
    #: The result, if there are no problems; `result()` returns it or raises.
    conversion: ConversionResult | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return self.conversion is not None

    @property
    def dropped(self) -> tuple[Row, ...]:
        """The filled fields of the lead that would reach nothing, each with the reason."""
        return _dropped(self.rows)

    def explain(self) -> tuple[Row, ...]:
        """Return for each field where it would go or come from, by which mapping, or why not.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan, presets
            >>> p = plan(
            ...     Lead(id="L-7", stage="NEW", title="Engine", tags=["new"]), ["deal"],
            ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
            ...     at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> [str(row.outcome) for row in p.explain() if row.field == "title"]
            ['carried']
        """
        return self.rows

    def result(self) -> ConversionResult:
        """Return the result of a plan without problems.

        Raises:
            leadconvert.errors.ConversionError: there are problems; its class is that of the first
                cause among them, and it carries them all.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan, presets
            >>> p = plan(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> p.result().deal.title
            'Engine'
        """
        if self.conversion is None:
            raise refusal(self.lead.id, self.problems)
        return self.conversion

    def __repr__(self) -> str:
        wrong = ", ".join(problem.code for problem in self.problems)
        return f"<Plan for lead {self.lead.id}: {wrong or 'ok'}>"
