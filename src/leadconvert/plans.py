"""What looking first gives back: the plan, with all that is wrong, and what its actor may see."""

from collections.abc import Mapping

import attrs

from leadconvert.access import AccessRequest
from leadconvert.choosing import Choices
from leadconvert.errors import refusal
from leadconvert.fields import FieldType, Option
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead
from leadconvert.results import ChildOutcome, ConversionResult, Row, dropped
from leadconvert.targets import Request
from leadconvert.values import FrozenMap, Ref


__all__ = ["Draft", "FormField", "Plan", "Question", "Shown"]


@attrs.frozen(kw_only=True)
class Draft:
    """A target as far as it is decided: its index in what was asked for, its ref, its values.

    *name* is what rows call it, such as ``deal 1``. *action* is `create`, `link` or `merge`; of a
    record to merge into, the values are those that change. *denied* says that the actor may not
    make it, *unseen* which of its values they may not see.

    Example:
        >>> from leadconvert import Draft, Ref
        >>> Draft(target=0, ref=Ref("deal", "D-5"), name="deal 1", values={"title": "Engine"}).name
        'deal 1'
    """

    target: int
    ref: Ref
    name: str
    values: Mapping[str, object] = attrs.field(repr=False)
    action: str = "create"
    denied: bool = False
    unseen: frozenset[str] = attrs.field(default=frozenset(), repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))

    def shows(self, row: Row) -> bool:
        """Tell whether the actor may see what *row* says of this target, if it does.

        Example:
            >>> from leadconvert import Draft, Ref, Row
            >>> unseen = frozenset({"margin"})
            >>> draft = Draft(
            ...     target=0, ref=Ref("deal", "D"), name="deal 1", values={}, unseen=unseen
            ... )
            >>> draft.shows(Row("margin", "deal 1.margin", "carried", None, None))
            False
        """
        if row.target is None or not row.target.startswith(f"{self.name}."):
            return True
        return not self.denied and row.target.removeprefix(f"{self.name}.") not in self.unseen


@attrs.frozen(kw_only=True)
class FormField:
    """One field a person must fill or correct: where it belongs, what it takes, why it is asked.

    *target* is the index in what was asked for, or None for the record that is converted or moved;
    *value* what stands there so far; *sources* the lead's fields that could have filled it; *why*
    the code of the problem that filling it remedies.

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

    target: int | None
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

    *choices* lists, for each kind chosen, the custom fields that could take it; *suggested* the one
    of them with the same label, where that is plain: it is the first. Nothing goes anywhere unless
    somebody answers, with ``carry={field: {kind: target_field}}``; an empty answer leaves it
    behind.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_X": "blue"}), ["deal"],
        ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> [(question.field, dict(question.choices)) for question in p.questions]
        [('UF_X', {'deal': ()})]
    """

    field: str
    label: str
    choices: Mapping[str, tuple[str, ...]]
    suggested: Mapping[str, str] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "choices", FrozenMap(self.choices))
        object.__setattr__(self, "suggested", FrozenMap(self.suggested))


@attrs.frozen(kw_only=True)
class Shown:
    """The part of a plan that its actor may see: nothing hidden from them, no denied target.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> shown = plan(
        ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
        ...     actor=Actor("u-1"), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... ).shown()
        >>> shown.ok, shown.rows, [problem.code for problem in shown.problems][0]
        (False, (), 'no_grant')
    """

    lead_id: str
    problems: tuple[Problem, ...]
    targets: tuple[Draft, ...] = ()
    form: tuple[FormField, ...] = ()
    questions: tuple[Question, ...] = ()
    rows: tuple[Row, ...] = ()
    children: tuple[ChildOutcome, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.problems

    @property
    def dropped(self) -> tuple[Row, ...]:
        """The filled fields of the lead that would reach nothing, each with the reason."""
        return dropped(self.rows)

    def explain(self) -> tuple[Row, ...]:
        """Return for each field where it would go or come from, by which mapping, or why not.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan, presets
            >>> shown = plan(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"],
            ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
            ...     at=datetime(2027, 1, 31, tzinfo=UTC),
            ... ).shown()
            >>> shown.explain()[0].target
            'deal 1.title'
        """
        return self.rows


@attrs.frozen(kw_only=True, repr=False)
class Plan:
    """The whole decision. It belongs to the host; `shown` is the part that its actor may see.

    *problems* are those the actor may know, *withheld* those they may not. *form* says what they
    must fill, *questions* which custom fields nobody has decided on: both hold only what they may
    see. *targets* are the prefilled targets, *rows* where each field goes. *required_access* lists
    every question about access, even behind a denial; of those that `Known.decisions` answer it
    lists only what is not answered yet.

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
    request: Request
    problems: tuple[Problem, ...]
    withheld: tuple[Problem, ...] = ()
    targets: tuple[Draft, ...]
    form: tuple[FormField, ...]
    questions: tuple[Question, ...]
    rows: tuple[Row, ...]
    required_access: tuple[AccessRequest, ...]
    #: The lead's fields that the actor may not see.
    unseen: frozenset[str] = frozenset()
    #: What is open to the actor, where no targets were asked for.
    choices: Choices | None = None
    #: What becomes of what hangs on the lead.
    children: tuple[ChildOutcome, ...] = ()
    #: The result, if there are no problems; `result()` returns it or raises.
    conversion: ConversionResult | None = None

    @property
    def fingerprint(self) -> str:
        """Stands for the request, as in the change set it comes to."""
        return self.request.fingerprint

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return self.conversion is not None

    @property
    def dropped(self) -> tuple[Row, ...]:
        """The filled fields of the lead that would reach nothing, each with the reason."""
        return dropped(self.rows)

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

    def shown(self) -> Shown:
        """Return what the actor may see of this plan: after a denial on the lead, only that.

        A value that came from a field they may not see is not shown either, wherever it goes.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan, presets
            >>> plan(
            ...     Lead(id="L-7", stage="NEW", title="Engine"), ["deal"], rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... ).shown().ok
            True
        """
        if any(problem.cause is Cause.LEAD_ACCESS for problem in self.problems):
            return Shown(lead_id=self.lead.id, problems=self.problems)
        denied = {draft.ref for draft in self.targets if draft.denied}
        hidden = self.unseen.union(*(draft.unseen for draft in self.targets))
        return Shown(
            lead_id=self.lead.id,
            problems=self.problems,
            targets=tuple(_shown_draft(draft) for draft in self.targets if not draft.denied),
            form=self.form,
            questions=self.questions,
            rows=tuple(
                row._replace(mapping=_shown_mapping(row.mapping, hidden))
                for row in self.rows
                if row.field not in self.unseen and all(one.shows(row) for one in self.targets)
            ),
            children=tuple(
                one
                for one in self.children
                if one.reason != "denied" and denied.isdisjoint(one.targets)
            ),
        )

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


def _shown_draft(draft: Draft) -> Draft:
    values = {name: value for name, value in draft.values.items() if name not in draft.unseen}
    return attrs.evolve(draft, values=values, unseen=frozenset())


def _shown_mapping(told: str | None, hidden: frozenset[str]) -> str | None:
    """Return the text of a mapping, or None if it may name a field that is hidden."""
    return None if told is None or any(name in told for name in hidden) else told
