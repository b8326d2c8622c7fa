"""What a decision without problems changes: the lead that remembers it, and a store's to-do."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

import attrs

from leadconvert.access import Actor
from leadconvert.automation import AutomationRule
from leadconvert.changes import Change, ChangeSet, Event, Insert, Update
from leadconvert.fields import Kind
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft
from leadconvert.records import Conversion, Lead, Record, StageChange, changed
from leadconvert.results import ConversionResult, Row, TargetOutcome
from leadconvert.rules import ConversionRules
from leadconvert.targets import Request
from leadconvert.values import FrozenMap, Ref, is_empty


__all__ = ["Closing", "referring"]


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
    drafts: Iterable[Draft]
    rows: tuple[Row, ...]
    request: Request
    values: Mapping[str, object] = attrs.field(factory=FrozenMap)
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
            rules=self.rules.digest,
            closing=self.request.closing,
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
        outcomes = tuple(
            TargetOutcome(ref=ref, action="created", record=record)
            for ref, record in self.records.items()
        )
        return ConversionResult(
            lead=lead,
            outcomes=outcomes,
            conversion=conversion,
            changes=self._changes(conversion, written),
            rows=self.rows,
        )

    def _changes(self, conversion: Conversion, written: Mapping[str, object]) -> ChangeSet:
        lead, lead_ref = self.lead, Ref(self.rules.lead.id, self.lead.id)
        changes: list[Change] = [Insert(draft.ref, self._written(draft)) for draft in self.drafts]
        changes.append(Update(lead_ref, lead.revision, referring(self.rules.lead, written)))
        events = [self._event("record.created", ref, {"lead": lead_ref}) for ref in self.records]
        facts: dict[str, object] = {"conversion": conversion.id, "targets": conversion.targets}
        if self.rule is not None:
            facts |= {"rule": self.rule.id, "close_activities": self.rule.close_activities}
        events.append(self._event("lead.converted", lead_ref, facts))
        fingerprint = self.request.fingerprint
        history = len(self.lead.conversions) + len(self.lead.stage_history)
        return ChangeSet(
            key=self.request.key or f"{lead.id}/{history}/{fingerprint}",
            fingerprint=fingerprint,
            changes=changes,
            events=events,
        )

    def _event(self, name: str, ref: Ref, params: Mapping[str, object]) -> Event:
        return Event(name=name, ref=ref, at=self.at, actor_id=self.actor.id, params=params)

    def _written(self, draft: Draft) -> dict[str, object]:
        """Return a draft's values with a ref wherever a record is referred to."""
        kind = next(kind for kind in self.rules.kinds if kind.id == draft.ref.kind)
        return referring(kind, draft.values, self.records.keys())


def referring(
    kind: Kind, values: Mapping[str, object], made: AbstractSet[Ref] = frozenset()
) -> dict[str, object]:
    """Return *values* of a record of *kind* with a ref wherever a record is referred to.

    Example:
        >>> from leadconvert.closing import referring
        >>> from leadconvert.fields import DEAL
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
