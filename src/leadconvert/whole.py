"""What a move or an arrival gives back: all that happened to one record, as one change set."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from leadconvert.acting import Chain, RuleRefused
from leadconvert.changes import (
    Attach,
    Change,
    ChangeSet,
    Event,
    Insert,
    Receipt,
    Update,
    bind,
    bound,
)
from leadconvert.closing import referring
from leadconvert.kinds import Kind
from leadconvert.records import Lead, Record, changed, held
from leadconvert.results import ConversionResult, check_given, given
from leadconvert.seeding import said
from leadconvert.traces import Trace
from leadconvert.values import Ref, is_empty


__all__ = ["MoveResult", "Whole"]


@attrs.frozen(kw_only=True, repr=False)
class MoveResult:
    """A move or an arrival, decided whole: the record as it will be, and the changes.

    *conversions* are those that it brought about, by hand or by rules, each with all the changes of
    the move; `conversion.rule` says which rule acted. *refused* are the rules that could not act.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Deal, advance, presets
        >>> moved = advance(
        ...     Deal(id="D-5", pipeline="0", stage="NEW"), "WON", rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> moved, moved.record.stage_history[0].to_stage
        (<MoveResult of deal D-5>, 'WON')
    """

    record: Record
    changes: ChangeSet
    conversions: tuple[ConversionResult, ...] = ()
    refused: tuple[RuleRefused, ...] = ()

    @property
    def lead(self) -> Lead:
        """The lead as it will be. Raises LookupError if another record was moved."""
        if not isinstance(self.record, Lead):
            name = type(self.record).__name__
            raise LookupError(f"a {name} was moved, not a lead")  # noqa: TRY004 - as the others
        return self.record

    @property
    def conversion(self) -> ConversionResult:
        """The one conversion. Raises LookupError if there is none, or more than one."""
        if len(self.conversions) != 1:
            raise LookupError(f"there are {len(self.conversions)} conversions: see conversions")
        return self.conversions[0]

    def stored(self, receipt: Receipt, earlier: Iterable[Receipt] = ()) -> "MoveResult":
        """Return this result as stored: with the store's ids and revisions, nothing provisional.

        *earlier* are the receipts of the change sets that this one comes `after`.

        Raises:
            ValueError: the receipts say nothing of a record that was made, or is referred to.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Deal, Receipt, Ref, advance, presets
            >>> moved = advance(
            ...     Deal(id="D-5", pipeline="0", stage="NEW"), "WON", rules=presets.bitrix24(),
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> moved.stored(Receipt(revisions=[(Ref("deal", "D-5"), "2")])).record.revision
            '2'
        """
        told = tuple(earlier)
        ids, revisions = given(self.changes, receipt, told)
        own = (one.ref for one in self.changes.changes if isinstance(one, Insert))
        check_given(own, self.changes, ids)
        conversions = tuple(one.stored(receipt, told) for one in self.conversions)
        last = self.changes.changes[-1].ref
        ref = ids.get(last, last)
        written: dict[str, object] = {
            "id": ref.id,
            "revision": revisions.get(ref, self.record.revision),
        }
        if isinstance(self.record, Lead):
            written["conversions"] = tuple(bind(made, ids) for made in self.record.conversions)
        record = changed(self.record, written)
        return attrs.evolve(self, record=record, conversions=conversions)

    def __repr__(self) -> str:
        done = "".join(f", {outcome!r}" for outcome in (*self.conversions, *self.refused))
        return f"<MoveResult of {self.changes.changes[-1].ref}{done}>"


@attrs.frozen(kw_only=True)
class Whole:
    """Makes the one change set of everything that happened to a record in one decision.

    Example:
        >>> from leadconvert import Deal
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.whole import Whole
        >>> whole = Whole(kind=DEAL, before=Deal(id="D-5", stage="NEW"), key="k", fingerprint="f")
        >>> whole.written(Deal(id="D-5", stage="WON"))
        {'stage': 'WON'}
    """

    kind: Kind
    before: Record
    key: str
    fingerprint: str

    def result(
        self,
        after: Record,
        events: Iterable[Event],
        conversions: Iterable[ConversionResult] = (),
        refused: Iterable[RuleRefused] = (),
    ) -> MoveResult:
        """Return the result: what was made, then the record as it is *after* all of it."""
        made = tuple(conversions)
        ref = Ref(self.kind.id, self.before.id)
        changes = [
            *self._steps(made),
            Update(ref, self.before.revision, self.written(after)),
        ]
        whole = ChangeSet(
            key=self.key,
            fingerprint=self.fingerprint,
            changes=changes,
            events=events,
            after=_keys_before(made),
            traces=_traces(made),
        )
        return MoveResult(
            record=after,
            changes=whole,
            conversions=tuple(attrs.evolve(one, changes=whole) for one in made),
            refused=tuple(refused),
        )

    def arrival(self, chain: Chain, at: datetime, actor_id: str | None) -> MoveResult:
        """Return the result for a lead that no store has yet: it is made first, then changed."""
        kind, new = self.kind, Ref(self.kind.id, self.before.id, provisional=True)
        made = {Ref(kind.id, self.before.id): new}
        arrived = said(kind, self.before).items()
        # as it arrived, blank or not; but a blank id points at no record
        first = {one: v for one, v in arrived if one not in kind.references or not is_empty(v)}
        changes: list[Change] = [Insert(new, referring(kind, first))]
        changes += (_bound_change(one, made) for one in self._steps(chain.conversions))
        if written := self.written(chain.lead):
            changes.append(Update(new, None, written))
        created = Event(name="record.created", ref=new, at=at, actor_id=actor_id)
        events = [
            attrs.evolve(
                event, ref=made.get(event.ref, event.ref), params=_bound(event.params, made)
            )
            for event in chain.events
        ]
        whole = ChangeSet(
            key=self.key,
            fingerprint=self.fingerprint,
            changes=changes,
            events=[created, *events],
            after=_keys_before(chain.conversions),
            traces=[bound(one, made) for one in _traces(chain.conversions)],
        )
        return MoveResult(
            record=chain.lead,
            changes=whole,
            conversions=tuple(attrs.evolve(one, changes=whole) for one in chain.conversions),
            refused=tuple(chain.refused),
        )

    def _steps(self, conversions: Iterable[ConversionResult]) -> list[Change]:
        """Return what the conversions do to all records but this one, each updated once."""
        own = Ref(self.kind.id, self.before.id)
        found: dict[object, Change] = {}
        for change in (one for made in conversions for one in made.changes.changes):
            if change.ref == own:
                continue
            added = (change.field, change.refs) if isinstance(change, Attach) else None
            key = (type(change), change.ref, added)
            first = found.get(key)
            if isinstance(change, Update) and isinstance(first, Update):
                values = {**first.values, **change.values}
                claimed = {one.key for one in first.claims}
                claims = [*first.claims, *(one for one in change.claims if one.key not in claimed)]
                found[key] = Update(first.ref, first.revision, values, claims)
            else:
                found.setdefault(key, change)
        return list(found.values())

    def written(self, after: Record) -> dict[str, object]:
        """Return the fields in which *after* differs, with refs in place of ids."""
        before = held(self.before)
        differing = {
            name: one
            for name, one in held(after).items()
            # what is no number equals nothing, not even itself
            if name not in before or (one is not before[name] and one != before[name])
        }
        return referring(self.kind, differing)


def _keys_before(conversions: Sequence[ConversionResult]) -> tuple[str, ...]:
    own = {made.changes.key for made in conversions}
    named = (key for made in conversions for key in made.changes.after if key not in own)
    return tuple(dict.fromkeys(named))


def _traces(conversions: Iterable[ConversionResult]) -> list[Trace]:
    return [trace for made in conversions for trace in made.changes.traces]


def _bound_change(change: Change, made: Mapping[Ref, Ref]) -> Change:
    """Return *change* with the refs of what is made here in place of those of what is there."""
    if isinstance(change, Attach):
        return attrs.evolve(change, refs=[made.get(ref, ref) for ref in change.refs])
    assert isinstance(change, Insert | Update)  # noqa: S101 - a conversion takes nothing away
    return attrs.evolve(change, values=_bound(change.values, made))


def _bound(values: Mapping[str, object], made: Mapping[Ref, Ref]) -> dict[str, object]:
    return {name: bind(value, made) for name, value in values.items()}
