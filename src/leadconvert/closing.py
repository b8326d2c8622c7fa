"""What a decision without problems changes: the lead that remembers it, and a store's to-do."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from leadconvert.access import Actor
from leadconvert.carrying import Carry
from leadconvert.changes import Change, ChangeSet, Event, Insert, Update
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft
from leadconvert.records import Conversion, Lead, Record, StageChange
from leadconvert.results import ConversionResult, Row, TargetOutcome
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create
from leadconvert.values import Ref, digest


__all__ = ["Closing", "Request"]


@attrs.frozen(kw_only=True)
class Request:
    """What was asked: it makes the fingerprint of a change set, and its key unless one is given.

    Example:
        >>> from leadconvert import Create
        >>> from leadconvert.closing import Request
        >>> one = Request(lead_id="L-7", targets=(Create("deal"), Create("contact")), carry={})
        >>> two = Request(lead_id="L-7", targets=(Create("contact"), Create("deal")), carry={})
        >>> one.fingerprint == two.fingerprint
        True
    """

    lead_id: str
    targets: tuple[Create, ...]
    carry: Carry
    key: str | None = None

    @property
    def fingerprint(self) -> str:
        """Stands for the request: never for who asked, when, or what was found."""
        targets = sorted(self.targets, key=lambda target: target.kind)  # stable: order of a kind
        asked = [(target.kind, target.id, target.values) for target in targets]
        return digest(("convert", self.lead_id, asked, self.carry))


@attrs.frozen(kw_only=True)
class Closing:
    """Closes one lead into its targets.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Create, Deal, Draft, Lead, Ref, presets
        >>> from leadconvert.closing import Closing, Request
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

    def result(self) -> ConversionResult:
        """Return the result: the lead in its success stage, and the changes that make it so."""
        conversion = Conversion(
            id=f"{self.lead.id}.{len(self.lead.conversions) + 1}",
            at=self.at,
            actor_id=self.actor.id,
            targets=self.records,
            rules=self.rules.digest,
        )
        success = self.rules.lead_pipeline.in_role(StageRole.SUCCESS)[0]
        moved = StageChange(
            from_stage=self.lead.stage, to_stage=success.id, at=self.at, actor_id=self.actor.id
        )
        lead = attrs.evolve(
            self.lead,
            stage=success.id,
            stage_history=[*self.lead.stage_history, moved],
            conversions=[*self.lead.conversions, conversion],
        )
        outcomes = tuple(
            TargetOutcome(ref=ref, action="created", record=record)
            for ref, record in self.records.items()
        )
        return ConversionResult(
            lead=lead,
            outcomes=outcomes,
            conversion=conversion,
            changes=self._changes(lead, conversion),
            rows=self.rows,
        )

    def _changes(self, lead: Lead, conversion: Conversion) -> ChangeSet:
        lead_ref = Ref(self.rules.lead.id, lead.id)
        changes: list[Change] = [Insert(draft.ref, self._written(draft)) for draft in self.drafts]
        written = {
            "stage": lead.stage,
            "stage_history": lead.stage_history,
            "conversions": lead.conversions,
        }
        changes.append(Update(lead_ref, lead.revision, written))
        events = [self._event("record.created", ref, {"lead": lead_ref}) for ref in self.records]
        facts = {"conversion": conversion.id, "targets": conversion.targets}
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
        members = next(kind.members for kind in self.rules.kinds if kind.id == draft.ref.kind)
        return {
            name: self._referring(members[name].to, value) for name, value in draft.values.items()
        }

    def _referring(self, to: str | None, value: object) -> object:
        if to is None or value is None:
            return value
        if isinstance(value, tuple):
            return tuple(self._referring(to, item) for item in value)
        made = Ref(to, str(value), provisional=True)
        return made if made in self.records else Ref(to, str(value))
