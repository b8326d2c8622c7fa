"""What a decision without problems changes: the lead that remembers it, and a store's to-do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

import attrs

from leadconvert.access import Actor
from leadconvert.automation import AutomationRule
from leadconvert.changes import Attach, Change, ChangeSet, Event, Insert, Update
from leadconvert.claiming import claims
from leadconvert.kinds import Kind
from leadconvert.matching import MatchKey
from leadconvert.past import Conversion, StageChange
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft
from leadconvert.records import Lead, Record, changed, held
from leadconvert.results import ConversionResult, Row, TargetOutcome
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled
from leadconvert.targets import Mode, Request
from leadconvert.traces import Trace, TraceStep, marked
from leadconvert.travelling import Travelled
from leadconvert.values import FrozenMap, Ref, ids_in, is_empty


__all__ = ["Closing", "key_of", "referring", "so_far"]

#: What became of a target, by what was to be done with it.
_DONE: Final = {"create": "created", "link": "linked", "merge": "merged"}
#: What only grows.
_HISTORY: Final = frozenset({"conversions", "stage_history"})


@attrs.frozen(kw_only=True)
class Closing:
    """Closes one lead into its targets, or leaves it open where the request says so.

    *values* are those of the lead that were filled on the way; *rule* is the automation rule that
    acts, if one does.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Create, Deal, Draft, Lead, Ref, Request, presets
        >>> from leadconvert.closing import Closing
        >>> made, deal = Ref("deal", "D-5", True), Deal(id="D-5")
        >>> closing = Closing(
        ...     lead=Lead(id="L-7", stage="NEW"), rules=presets.bitrix24(), actor=Actor("u-1"),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC), records={made: deal},
        ...     drafts=[Draft(target=0, ref=made, name="deal 1", values={})], rows=(),
        ...     request=Request(lead_id="L-7", targets=(Create("deal"),), carry={}),
        ... )
        >>> closing.result().lead.stage
        'CONVERTED'
    """

    lead: Lead
    rules: ConversionRules
    actor: Actor
    at: datetime
    records: Mapping[Ref, Record]
    drafts: Sequence[Draft]
    #: By ref, what each target came down to; a new record unless it says otherwise.
    settled: Mapping[Ref, Settled] = attrs.field(factory=dict)
    rows: tuple[Row, ...]
    request: Request
    values: Mapping[str, object] = attrs.field(factory=FrozenMap)
    #: The lead before these were filled; as it is, unless given.
    before: Lead = attrs.field(default=attrs.Factory(lambda self: self.lead, takes_self=True))
    travelled: Travelled = attrs.field(factory=Travelled)
    #: The records that were known, by their refs as a change set tells them.
    there: Mapping[Ref, Record] = attrs.field(factory=dict)
    #: What other change sets make, and no store has yet.
    pending: AbstractSet[Ref] = frozenset()
    reason: str | None = None
    rule: AutomationRule | None = None

    def result(self) -> ConversionResult:
        """Return the result: the lead as it will be, and the changes that make it so."""
        rule = None if self.rule is None else self.rule.id
        conversion = Conversion(
            id=f"{self.lead.id}.{len(self.lead.conversions) + 1}",
            at=self.at,
            actor_id=self.actor.id,
            targets=self.records,
            linked=[draft.ref for draft in self.drafts if draft.action == "link"],
            merged=[draft.ref for draft in self.drafts if draft.action == "merge"],
            rules=self.rules.digest,
            closing=self.request.closing,
            supplement=self.request.mode is Mode.SUPPLEMENT,
            reason=self.reason,
            rule=rule,
        )
        written: dict[str, object] = dict(self.values)
        if self.request.closing:
            success = self.rules.lead_pipeline.in_role(StageRole.SUCCESS)[0]
            moved = StageChange(
                from_stage=self.lead.stage,
                to_stage=success.id,
                at=self.at,
                actor_id=self.actor.id,
                reason=self.reason,
                rule=rule,
            )
            written |= {"stage": success.id, "stage_history": (*self.lead.stage_history, moved)}
        written["conversions"] = (*self.lead.conversions, conversion)
        lead = changed(self.lead, written)
        outcomes = tuple(self._outcome(draft, self.records[draft.ref]) for draft in self.drafts)
        return ConversionResult(
            lead=lead,
            outcomes=outcomes,
            conversion=conversion,
            changes=self._changes(conversion, written),
            rows=self.rows,
            children=self.travelled.outcomes,
        )

    def _changes(self, conversion: Conversion, written: Mapping[str, object]) -> ChangeSet:
        lead, lead_ref = self.lead, Ref(self.rules.lead.id, self.lead.id)
        changes: list[Change] = [one for draft in self.drafts for one in self._steps(draft)]
        changes += self.travelled.changes
        changes.append(Update(lead_ref, lead.revision, referring(self.rules.lead, written)))
        events = [
            self._event(f"record.{_DONE[draft.action]}", draft.ref, {"lead": lead_ref})
            for draft in self.drafts
        ]
        facts: dict[str, object] = {"conversion": conversion.id, "targets": conversion.targets}
        if not conversion.closing:
            facts |= {"closing": False, "supplement": conversion.supplement}
        if self.rule is not None:
            facts |= {"rule": self.rule.id, "close_activities": self.rule.close_activities}
        events.append(self._event("lead.converted", lead_ref, facts))
        return ChangeSet(
            key=key_of(self.request, lead),
            fingerprint=self.request.fingerprint,
            changes=changes,
            events=events,
            traces=[Trace(id=conversion.id, steps=self._traced(changes, written))],
        )

    def _outcome(self, draft: Draft, record: Record) -> TargetOutcome:
        settled = self.settled.get(draft.ref)
        if settled is None or settled.record is None:
            return TargetOutcome(ref=draft.ref, action="created", record=record)
        kind, old = self._kind(draft), settled.record
        before = {name: kind.read(old, name) for name in draft.values}
        done = "linked" if draft.action == "link" else "merged" if before else "unchanged"
        pointing = kind.references if draft.ref in self.pending else {}
        return TargetOutcome(
            ref=draft.ref,
            action=done,
            record=record,
            before=before,
            matched_by=settled.matched_by,
            refers={name: str(field.to) for name, field in pointing.items()},
        )

    def _steps(self, draft: Draft) -> Iterator[Change]:
        """Yield what a store does to one target: nothing is written twice that stands there."""
        kind, settled = self._kind(draft), self.settled.get(draft.ref)
        values = referring(kind, draft.values, self._provisional)
        sought = frozenset[MatchKey]() if settled is None else settled.sought
        claimed = claims(self.rules, kind, self.records[draft.ref], sought, self.there)
        if settled is None or settled.record is None:
            yield Insert(draft.ref, values, claimed)
            return
        if values:
            yield Update(draft.ref, settled.record.revision, values, claimed)
        back = kind.converted_from
        if back is not None and self.lead.id not in ids_in(kind.read(settled.record, back)):
            yield Attach(draft.ref, back, [Ref(self.rules.lead.id, self.lead.id)])

    def _traced(
        self, changes: Iterable[Change], written: Mapping[str, object]
    ) -> Iterator[TraceStep]:
        """Yield what taking this conversion back needs to know, in the order it is written."""
        attached = {
            one.ref: [(one.field, ref) for ref in one.refs]
            for one in changes
            if isinstance(one, Attach)
        }
        lead_ref = Ref(self.rules.lead.id, self.lead.id)
        for draft in self.drafts:
            kind, settled = self._kind(draft), self.settled.get(draft.ref)
            values, before = draft.values, dict[str, object]()
            if settled is None or settled.record is None:
                attached[draft.ref] = [(str(kind.converted_from), lead_ref)]
                made = self.records[draft.ref]
                names = dict.fromkeys((*kind.members, *sorted(made.custom)))  # leftovers included
                names.pop(str(kind.converted_from), None)
                read = {name: kind.read(made, name) for name in names}
                values = {name: one for name, one in read.items() if not is_empty(one)}
            else:
                old = {name: kind.read(settled.record, name) for name in draft.values}
                before = referring(kind, old)
                # an amount is restored only if its currency is still the same
                written_to = (kind.members[one] for one in draft.values if one in kind.members)
                currencies = {field.currency for field in written_to} - {None}
                record = self.records[draft.ref]
                values = {**{str(one): kind.read(record, one) for one in currencies}, **values}
            yield TraceStep(
                ref=draft.ref,
                action=_DONE[draft.action],
                before=before,
                written=marked(referring(kind, values, self._provisional)),
                attached=attached.get(draft.ref, ()),
            )
        yield from self.travelled.steps
        filled = {name: one for name, one in written.items() if name not in _HISTORY}
        kind = self.rules.lead
        before = referring(kind, {name: kind.read(self.before, name) for name in filled})
        yield TraceStep(
            ref=lead_ref,
            action="filled",
            before=before,
            written=marked(referring(kind, filled)),
        )

    @property
    def _provisional(self) -> AbstractSet[Ref]:
        return self.records.keys() | self.pending

    def _kind(self, draft: Draft) -> Kind:
        return next(kind for kind in self.rules.kinds if kind.id == draft.ref.kind)

    def _event(self, name: str, ref: Ref, params: Mapping[str, object]) -> Event:
        return Event(name=name, ref=ref, at=self.at, actor_id=self.actor.id, params=params)


def key_of(request: Request, lead: Lead) -> str:
    """Return what makes a retry of *request* harmless, now that *lead* has come this far.

    Example:
        >>> from leadconvert import Lead, Request
        >>> from leadconvert.closing import key_of
        >>> key_of(Request(lead_id="L-7", targets=(), key="k-1"), Lead(id="L-7", stage="NEW"))
        'k-1'
    """
    return request.key or f"{lead.id}/{so_far(lead)}/{request.fingerprint}"


def so_far(record: Record) -> int | str | None:
    """Return what tells a decision on *record* from the same one taken again later.

    It is how much has happened to it already, or its revision where it keeps no history.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.closing import so_far
        >>> so_far(Lead(id="L-7", stage="NEW"))
        0
    """
    everything = held(record)
    lists = [everything.get(name) for name in ("conversions", "stage_history")]
    kept = [one for entries in lists if isinstance(entries, tuple) for one in entries]
    undone = [one for one in kept if isinstance(one, Conversion) and not one.in_force]
    keeps = any(isinstance(entries, tuple) for entries in lists)
    return len(kept) + len(undone) if keeps else record.revision


def referring(
    kind: Kind, values: Mapping[str, object], made: AbstractSet[Ref] = frozenset()
) -> dict[str, object]:
    """Return *values* of a record of *kind* with a ref wherever a record is referred to.

    Example:
        >>> from leadconvert.closing import referring
        >>> from leadconvert.kinds import DEAL
        >>> referring(DEAL, {"title": "Engine", "company_id": "CO-9"})["company_id"]
        Ref(kind='company', id='CO-9', provisional=False)
    """

    def ref_of(to: str, value: object) -> object:
        if isinstance(value, tuple):
            return tuple(ref_of(to, item) for item in value if not is_empty(item))
        ref = Ref(to, str(value), provisional=True)
        return ref if ref in made else Ref(to, str(value))

    found = dict(values)
    for name, value in values.items():
        to = kind.members[name].to if name in kind.members else None
        if to is not None and not is_empty(value):
            found[name] = ref_of(to, value)
    return found
