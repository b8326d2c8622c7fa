"""What a conversion gives back: the lead and its targets as they will be, and what became of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar, overload

import attrs

from leadconvert.changes import Attach, ChangeSet, Insert, Receipt, Update, bind, plain
from leadconvert.past import Conversion
from leadconvert.records import Company, Contact, Deal, Lead, Record, changed, held
from leadconvert.values import FrozenMap, Ref, ids_in


__all__ = ["ChildOutcome", "ConversionResult", "Outcome", "Row", "TargetOutcome", "dropped"]

R = TypeVar("R", bound=Record)


class Outcome(StrEnum):
    """What became of a lead's field, or where a target's field came from if not from the lead.

    Of a lead's field: `carried`, `already_there` in a record that exists, `unmerged` where that
    record kept its own, `overridden` by a supplied value, a record made here or the sum of the
    products, `not_needed` as a fallback, `taken` by an earlier record (product lines),
    `left_behind` by a mapping that says so, `dropped`, or `refused` where its value is a problem.
    Of a target's field: `supplied`, `constant`, `default`, `linked`, or `summed` of its product
    lines.

    Example:
        >>> from leadconvert import Outcome
        >>> Outcome("carried") is Outcome.CARRIED
        True
    """

    CARRIED = "carried"
    ALREADY_THERE = "already_there"
    UNMERGED = "unmerged"
    OVERRIDDEN = "overridden"
    NOT_NEEDED = "not_needed"
    TAKEN = "taken"
    LEFT_BEHIND = "left_behind"
    DROPPED = "dropped"
    REFUSED = "refused"
    SUPPLIED = "supplied"
    CONSTANT = "constant"
    DEFAULT = "default"
    LINKED = "linked"
    SUMMED = "summed"


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
class TargetOutcome:
    """What became of one target: its ref, what was done, and the record as it will be.

    *action* is `created`, `merged`, `linked` or `unchanged` (merged, but nothing was new). *before*
    holds what merging changed, as it was; *matched_by* the sorts of keys by which it was found.

    Example:
        >>> from leadconvert import Deal, Ref, TargetOutcome
        >>> TargetOutcome(ref=Ref("deal", "D-5"), action="created", record=Deal(id="D-5")).action
        'created'
    """

    ref: Ref
    action: str
    record: Record
    before: Mapping[str, object] = attrs.field(factory=FrozenMap, repr=False)
    matched_by: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "before", FrozenMap(self.before))


@attrs.frozen(kw_only=True)
class ChildOutcome:
    """What became of one child: whether it travelled, where it belongs by now, and if not, why.

    *action* is `moved`, `copied`, `shared` or `left`, the first of these where there are several.
    *targets* are the records that the child, or a copy of it, travelled to; *copies* the refs of
    the copies. *closed* says that it was open, and was closed with the lead. What was left has a
    *reason*: `by_rule`, `no_target` of the kinds the rule names, `denied` to the actor, or
    `no_rule` for its kind.

    Example:
        >>> from leadconvert import ChildOutcome, Ref
        >>> ChildOutcome(ref=Ref("task", "T-1"), action="left", reason="by_rule").closed
        False
    """

    ref: Ref
    action: str
    targets: tuple[Ref, ...] = ()
    copies: tuple[Ref, ...] = ()
    closed: bool = False
    reason: str | None = None


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
    #: What became of what hangs on the lead.
    children: tuple[ChildOutcome, ...] = ()

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
        return dropped(self.rows)

    @property
    def unmerged(self) -> tuple[Row, ...]:
        """The filled fields of the lead that records which exist did not take."""
        return tuple(row for row in self.rows if row.outcome == Outcome.UNMERGED)

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
            ValueError: the receipt says nothing of a record this conversion made, or of one that
                it points at and an earlier one made.

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
        written = self._written(ids)
        provisional = [outcome.ref for outcome in self.outcomes if outcome.ref.provisional]
        if missing := [str(ref) for ref in provisional if ref not in ids]:
            raise ValueError(f"the receipt says nothing of {', '.join(missing)}")
        outcomes = [
            attrs.evolve(
                outcome,
                ref=ids.get(outcome.ref, outcome.ref),
                record=_rebound(
                    outcome.record,
                    written.get(outcome.ref, {}),
                    ids,
                    ids.get(outcome.ref, outcome.ref),
                    revisions,
                ),
            )
            for outcome in self.outcomes
        ]
        lead_ref = self.changes.changes[-1].ref
        stored_lead = ids.get(lead_ref, lead_ref)
        conversions = [
            attrs.evolve(
                made,
                targets=[ids.get(ref, ref) for ref in made.targets],
                linked=[ids.get(ref, ref) for ref in made.linked],
                merged=[ids.get(ref, ref) for ref in made.merged],
            )
            for made in self.lead.conversions
        ]
        lead = attrs.evolve(
            self.lead,
            id=stored_lead.id,
            revision=revisions.get(stored_lead, self.lead.revision),
            conversions=conversions,
        )
        [conversion] = (made for made in conversions if made.id == self.conversion.id)
        children = (
            attrs.evolve(
                child,
                targets=tuple(ids.get(ref, ref) for ref in child.targets),
                copies=tuple(ids.get(ref, ref) for ref in child.copies),
            )
            for child in self.children
        )
        return attrs.evolve(
            self,
            lead=lead,
            outcomes=tuple(outcomes),
            conversion=conversion,
            children=tuple(children),
        )

    def _written(self, ids: Mapping[Ref, Ref]) -> dict[Ref, Mapping[str, object]]:
        """Return by ref what is written, with refs wherever a record holds ids."""
        records = {outcome.ref: outcome.record for outcome in self.outcomes}
        written: dict[Ref, Mapping[str, object]] = {}
        for change in self.changes.changes:
            if isinstance(change, Insert | Update):
                written[change.ref] = {**written.get(change.ref, {}), **change.values}
            elif isinstance(change, Attach) and change.ref in records and change.refs:
                kind = change.refs[0].kind
                held_ids = ids_in(held(records[change.ref]).get(change.field))
                made = (Ref(kind, one, provisional=True) for one in held_ids)
                refs = tuple(one if one in ids else Ref(kind, one.id) for one in made)
                written[change.ref] = {**written.get(change.ref, {}), change.field: refs}
        return written

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
    moved = {
        name: plain(bound) for name, value in values.items() if (bound := bind(value, ids)) != value
    }
    identity = {"id": ref.id, "revision": revisions.get(ref, record.revision)}
    return changed(record, moved | identity)


def dropped(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Return the rows of the filled fields that reached nothing.

    Example:
        >>> from leadconvert import Row
        >>> from leadconvert.results import dropped
        >>> dropped((Row("tags", None, "dropped", None, "no_mapping"),))[0].field
        'tags'
    """
    return tuple(row for row in rows if row.outcome == Outcome.DROPPED)
