"""What a conversion gives back: the lead and its targets as they will be, and what became of it."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar, overload

import attrs

from leadconvert.changes import Attach, ChangeSet, Insert, Receipt, Update, bind, plain
from leadconvert.past import Conversion
from leadconvert.records import Company, Contact, Deal, Lead, Record, changed, held
from leadconvert.values import FrozenMap, Ref, ids_in


__all__ = [
    "ChildOutcome",
    "ConversionResult",
    "Outcome",
    "Row",
    "TargetOutcome",
    "check_given",
    "dropped",
    "given",
]

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
    #: Of a record that an earlier change set makes, the kinds its fields refer to, by field id.
    refers: Mapping[str, str] = attrs.field(factory=FrozenMap, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "before", FrozenMap(self.before))
        object.__setattr__(self, "refers", FrozenMap(self.refers))


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

    def stored(self, receipt: Receipt, earlier: Iterable[Receipt] = ()) -> "ConversionResult":
        """Return this result as stored: with the store's ids and revisions, nothing provisional.

        *earlier* are the receipts of the change sets that this one comes `after`, with others or
        without: all of a batch will do.

        Raises:
            ValueError: the receipts say nothing of a record this conversion made, or of one that
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
        ids, revisions = given(self.changes, receipt, earlier)
        written = self._written(ids)
        check_given([outcome.ref for outcome in self.outcomes], self.changes, ids)
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
        written: dict[Ref, Mapping[str, object]] = {
            outcome.ref: {
                name: _refs_in(held(outcome.record).get(name), kind, ids)
                for name, kind in outcome.refers.items()
            }
            for outcome in self.outcomes
        }
        for change in self.changes.changes:
            if isinstance(change, Insert | Update):
                written[change.ref] = {**written.get(change.ref, {}), **change.values}
            elif isinstance(change, Attach) and change.ref in records and change.refs:
                value = held(records[change.ref]).get(change.field)
                refs = _refs_in(value, change.refs[0].kind, ids)
                written[change.ref] = {**written.get(change.ref, {}), change.field: refs}
        return written

    def __repr__(self) -> str:
        done = ", ".join(f"{outcome.action} {outcome.ref}" for outcome in self.outcomes)
        return f"<ConversionResult of lead {self.lead.id}: {done}>"


def given(
    changes: ChangeSet, receipt: Receipt, earlier: Iterable[Receipt] = ()
) -> tuple[dict[Ref, Ref], dict[Ref, str]]:
    """Return the ids and revisions that a store gave to all that *changes* speak of.

    Example:
        >>> from leadconvert import ChangeSet, Receipt, Ref
        >>> from leadconvert.results import given
        >>> first = Receipt(key="k-1", revisions=[(Ref("company", "CO-9"), "1")])
        >>> other = Receipt(key="k-3", revisions=[(Ref("company", "CO-9"), "3")])
        >>> changes = ChangeSet(key="k-2", fingerprint="f", after=["k-1"])
        >>> given(changes, Receipt(key="k-2"), [first, other])[1]
        {Ref(kind='company', id='CO-9', provisional=False): '1'}
    """
    by_key = {one.key: one for one in earlier}
    # what others did later is not what is told here
    receipts = [*(by_key[key] for key in changes.after if key in by_key), receipt]
    ids = {new: stored for each in receipts for new, stored in each.ids}
    return ids, {stored: revision for each in receipts for stored, revision in each.revisions}


def check_given(refs: Iterable[Ref], changes: ChangeSet, ids: Mapping[Ref, Ref]) -> None:
    """Check that of *refs*, and of whom the *changes* of others refer to, none is left provisional.

    Raises:
        ValueError: *ids* say nothing of one.

    Example:
        >>> from leadconvert import ChangeSet, Ref
        >>> from leadconvert.results import check_given
        >>> check_given([Ref("deal", "D-5")], ChangeSet(key="k", fingerprint="f"), {})
    """
    writing = [one for one in changes.changes if isinstance(one, Insert | Update)]
    own = {one.ref for one in writing if isinstance(one, Insert)}
    values = (value for one in writing for value in one.values.values())
    pointed = (ref for value in values for ref in _provisional(value))
    wanted = [ref for ref in refs if ref.provisional]
    wanted += (ref for ref in pointed if ref not in own)
    if missing := [str(ref) for ref in dict.fromkeys(wanted) if ref not in ids]:
        also = ": give earlier= the receipts of what it comes after" if changes.after else ""
        raise ValueError(f"the receipt says nothing of {', '.join(missing)}{also}")


def _provisional(value: object) -> Iterator[Ref]:
    """Yield the provisional refs in a value of a change."""
    if isinstance(value, Ref) and value.provisional:
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _provisional(one)


def _refs_in(value: object, kind: str, ids: Mapping[Ref, Ref]) -> object:
    """Return *value* with refs in place of ids, provisional where *ids* have them so."""
    made = (Ref(kind, one, provisional=True) for one in ids_in(value))
    refs = tuple(one if one in ids else Ref(kind, one.id) for one in made)
    return refs if isinstance(value, tuple) else refs[0] if refs else value


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
