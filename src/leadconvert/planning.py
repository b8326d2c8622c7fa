"""The readable engine: what converting a lead would do, decided in the order it happens.

Who may, is the lead ready, what is there already, what each target gets, what is missing, what
changes. This file is the specification of a conversion; whatever else converts must agree with it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import attrs

from leadconvert.access import AccessRequest, Action, Actor, Decision
from leadconvert.asking import form_fields, missing
from leadconvert.carrying import Carry, Carrying, mapped, question_about
from leadconvert.closing import Closing, Request
from leadconvert.errors import Cause, Problem, did_you_mean
from leadconvert.fields import Kind
from leadconvert.filling import Filler
from leadconvert.mapping import FieldMapping
from leadconvert.pipelines import StageRole
from leadconvert.records import Lead, Record
from leadconvert.results import ConversionResult, Draft, FormField, Outcome, Plan, Question, Row
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create, Known, Target, Wanted, targets_of
from leadconvert.values import Ref, aware, is_empty


__all__ = ["plan", "wanted"]


def plan(  # noqa: PLR0913 - each is a thing a decision depends on, and all but two are named
    lead: Lead,
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
    known: Known | None = None,
    carry: Carry | None = None,
    key: str | None = None,
) -> Plan:
    """Decide what converting *lead* would do, and change nothing.

    Nothing is raised for what is wrong with the conversion: every problem of every target is in the
    plan, with what would remedy it.

    Args:
        lead: the lead, as the store last returned it.
        into: what to make: names of kinds, or targets with values of their own. Several of one kind
            make several records.
        rules: what decides.
        actor: who asks. (Help article "Leads konvertieren": no conversion into what one has no
            access to.)
        at: the moment of the conversion, with a time zone.
        known: the records that `wanted` asks for.
        carry: for custom fields no mapping decides on, where each goes: ``{"UF_X": {"deal":
            "UF_D"}}``; an empty answer leaves it behind.
        key: what makes a retry harmless; derived from the lead, the length of its history and the
            request unless given.

    Raises:
        TypeError: the signature is misused: *into* is one text, *rules* a preset not called.
        ValueError: *at* is naive.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan, presets
        >>> p = plan(
        ...     Lead(id="L-7", stage="NEW", title="Engine"), ["company", "deal"],
        ...     rules=presets.bitrix24(), actor=Actor("u-1", roles=["admin"]),
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p.ok, p.result().company.name
        (True, 'Engine')
    """
    known = Known() if known is None else known
    for name, value, cls in (
        ("lead", lead, Lead),
        ("rules", rules, ConversionRules),
        ("actor", actor, Actor),
        ("known", known, Known),
    ):
        if not isinstance(value, cls):
            raise TypeError(f"{name} is a {cls.__name__}, not a {type(value).__name__}")
    for answer in (carry or {}).values():
        if not isinstance(answer, Mapping):
            raise TypeError("carry= maps a lead field to {kind: target field}")
    planner = _Planner(
        lead=lead,
        targets=targets_of(into),
        rules=rules,
        actor=actor,
        at=aware(at),
        known=known,
        carry=carry or {},
        key=key,
    )
    return planner.plan()


def wanted(
    lead: Lead,
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    carry: Carry | None = None,
) -> Wanted:
    """Return what a store is to load before `plan`: whatever record the targets may point at.

    Raises:
        TypeError: *into* is one text or one target.

    Example:
        >>> from leadconvert import Lead, presets, wanted
        >>> lead = Lead(id="L-7", stage="NEW", company_id="CO-9")
        >>> wanted(lead, ["deal"], rules=presets.bitrix24()).refs
        (Ref(kind='company', id='CO-9', provisional=False),)
    """
    carrying = Carrying(lead=lead, rules=rules, carry=carry or {})
    carrying.read()
    refs: list[Ref] = []
    for target in targets_of(into):
        kind = rules.kind(target.kind)
        for name, field in ({} if kind is None else kind.references).items():
            mapping = mapped(rules, target.kind).get(name)
            mapping = carrying.mappings.get((target.kind, name), mapping)
            values = [target.values.get(name), field.default]
            if mapping is not None:
                read = (rules.lead.read(lead, source) for source in mapping.sources)
                values += [mapping.constant, *read]
            refs += (Ref(str(field.to), id_) for value in values for id_ in _ids(value))
    return Wanted(refs=tuple(dict.fromkeys(refs)))


def _ids(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in items if isinstance(item, str) and not is_empty(item))


@attrs.define(kw_only=True)
class _Planner:
    lead: Lead
    targets: tuple[Create, ...]
    rules: ConversionRules
    actor: Actor
    at: datetime
    known: Known
    carry: Carry
    key: str | None

    problems: list[Problem] = attrs.field(factory=list, init=False)
    rows: list[Row] = attrs.field(factory=list, init=False)
    form: list[FormField] = attrs.field(factory=list, init=False)
    questions: list[Question] = attrs.field(factory=list, init=False)
    required: list[AccessRequest] = attrs.field(factory=list, init=False)
    drafts: list[Draft] = attrs.field(factory=list, init=False)
    records: dict[Ref, Record] = attrs.field(factory=dict, init=False)
    refs: dict[int, Ref] = attrs.field(factory=dict, init=False)
    kinds: dict[str, Kind] = attrs.field(init=False)

    @kinds.default
    def _kinds_by_id(self) -> dict[str, Kind]:
        return {kind.id: kind for kind in self.rules.kinds}

    def plan(self) -> Plan:
        self.who_may_convert()
        self.is_the_lead_ready()
        there = self.what_is_there_already()
        self.what_is_asked_for(there)
        carrying = Carrying(lead=self.lead, rules=self.rules, carry=self.carry)
        carrying.read()
        self.problems += carrying.problems
        for index in sorted(self.refs, key=self._place_in_order):
            self.what_a_target_gets(index, there, carrying)
        self.what_reaches_nothing()
        problems = self._visible_problems()
        return Plan(
            lead=self.lead,
            problems=problems,
            targets=tuple(self.drafts),
            form=tuple(sorted(self.form, key=lambda field: field.target)),
            questions=tuple(self.questions),
            rows=tuple(self.rows),
            required_access=tuple(dict.fromkeys(self.required)),
            conversion=None if problems else self.what_changes(),
        )

    def what_changes(self) -> ConversionResult:
        request = Request(
            lead_id=self.lead.id, targets=self.targets, carry=self.carry, key=self.key
        )
        return Closing(
            lead=self.lead,
            rules=self.rules,
            actor=self.actor,
            at=self.at,
            records=self.records,
            drafts=self.drafts,
            rows=tuple(self.rows),
            request=request,
        ).result()

    # -- who may ----------------------------------------------------------------------------------

    def who_may_convert(self) -> None:
        kind, pipeline = self.rules.lead, self.rules.lead_pipeline
        asked = self._about(kind, self.lead, Action.READ)
        for action in (Action.READ, Action.UPDATE, Action.CONVERT):
            self._require(attrs.evolve(asked, action=action), Cause.LEAD_ACCESS)
        success = pipeline.in_role(StageRole.SUCCESS)[0].id
        moved = attrs.evolve(asked, action=Action.MOVE, to_stage=success)
        self._require(moved, Cause.LEAD_ACCESS)

    def _about(self, kind: Kind, record: Record, action: Action) -> AccessRequest:
        parts = (kind.owner, kind.pipeline, kind.stage)
        owner, pipeline, stage = (_text(kind.read(record, part)) for part in parts)
        return AccessRequest(
            action=action,
            kind=kind.id,
            id=record.id,
            owner_id=owner,
            pipeline=pipeline,
            stage=stage,
        )

    def _decided(self, request: AccessRequest) -> Decision:
        self.required.append(request)
        return self.rules.policy.decide(self.actor, request)

    def _require(self, request: AccessRequest, cause: Cause, target: int | None = None) -> bool:
        decision = self._decided(request)
        if not decision.allowed:
            facts = {"actor": self.actor.id, "action": request.action.value}
            self._problem(cause, decision.code, target=target, kind=request.kind, params=facts)
        return decision.allowed

    def _problem(  # noqa: PLR0913 - the parts of a problem
        self,
        cause: Cause,
        code: str,
        *,
        target: int | None = None,
        kind: str | None = None,
        field: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> None:
        self.problems.append(
            Problem(
                cause=cause, code=code, target=target, kind=kind, field=field, params=params or {}
            )
        )

    def _visible_problems(self) -> tuple[Problem, ...]:
        """Whoever is denied on the lead, or on a target, learns only that of it."""
        if lead_denied := [one for one in self.problems if one.cause is Cause.LEAD_ACCESS]:
            return tuple(lead_denied)
        denied = {one.target for one in self.problems if one.cause is Cause.TARGET_ACCESS}
        told = [
            one
            for one in self.problems
            if one.target not in denied or one.cause is Cause.TARGET_ACCESS
        ]
        return tuple(sorted(told, key=lambda one: -1 if one.target is None else one.target))

    # -- is the lead ready ------------------------------------------------------------------------

    def is_the_lead_ready(self) -> None:
        pipeline, kind = self.rules.lead_pipeline, self.rules.lead
        stage = pipeline.stage(self.lead.stage)
        closing = [made for made in self.lead.conversions if made.closing]
        if closing:
            became = [str(target) for made in closing for target in made.targets]
            facts: dict[str, object] = {"became": became}
            self._problem(Cause.ALREADY_CONVERTED, "converted", kind=kind.id, params=facts)
        elif stage is None:
            hint = did_you_mean(self.lead.stage, [stage.id for stage in pipeline.stages])
            facts = {"stage": self.lead.stage, "pipeline": pipeline.id, **hint}
            self._problem(Cause.STAGE, "unknown_stage", kind=kind.id, params=facts)
        elif stage.role is StageRole.SUCCESS:
            facts = {"stage": stage.id}
            self._problem(Cause.ALREADY_CONVERTED, "in_success_stage", kind=kind.id, params=facts)
        elif stage.role is StageRole.FAILURE:
            facts = {"stage": stage.id}
            self._problem(Cause.STAGE, "in_failure_stage", kind=kind.id, params=facts)

    # -- what is there already --------------------------------------------------------------------

    def what_is_there_already(self) -> dict[Ref, Record]:
        there: dict[Ref, Record] = {Ref(self.rules.lead.id, self.lead.id): self.lead}
        for record in self.known.records:
            kind = self.rules.kind_of(record)
            if kind is not None:
                there[Ref(kind.id, record.id)] = record
        return there

    # -- what is asked for ------------------------------------------------------------------------

    def what_is_asked_for(self, there: Mapping[Ref, Record]) -> None:
        kinds = sorted(self.rules.order)
        if not self.targets:
            self._problem(Cause.TARGETS_REQUIRED, "no_targets", params={"kinds": kinds})
        count: Counter[str] = Counter()
        number = len(self.lead.conversions) + 1
        for index, target in enumerate(self.targets):
            if self.rules.kind(target.kind) is None:
                facts = {"wanted": target.kind, "kinds": kinds, **did_you_mean(target.kind, kinds)}
                self._problem(Cause.UNKNOWN_TARGET, "unknown_kind", target=index, params=facts)
                continue
            count[target.kind] += 1
            derived = f"{self.lead.id}.{number}.{target.kind}.{count[target.kind]}"
            ref = Ref(target.kind, target.id or derived, provisional=True)
            if ref in self.refs.values() or attrs.evolve(ref, provisional=False) in there:
                facts = {"id": ref.id}
                self._problem(
                    Cause.INVALID_TARGET, "duplicate_id", target=index, kind=ref.kind, params=facts
                )
            self.refs[index] = ref

    def _place_in_order(self, index: int) -> tuple[int, int]:
        return self.rules.order.index(self.refs[index].kind), index

    def _ordinal(self, index: int) -> int:
        kind = self.refs[index].kind
        return sum(ref.kind == kind for at, ref in self.refs.items() if at <= index)

    # -- what each target gets --------------------------------------------------------------------

    def what_a_target_gets(
        self,
        index: int,
        there: Mapping[Ref, Record],
        carrying: Carrying,
    ) -> None:
        ref = self.refs[index]
        kind = self.kinds[ref.kind]
        own = {
            field: mapping
            for (name, field), mapping in carrying.mappings.items()
            if name == kind.id
        }
        filler = Filler(
            lead=self.lead,
            lead_kind=self.rules.lead,
            kind=kind,
            index=index,
            name=f"{kind.id} {self._ordinal(index)}",
            supplied=self.targets[index].values,
            made=self._made(),
            mappings=mapped(self.rules, kind.id) | own,
            transforms=self.rules.transforms_by_name(),
            pipelines=self.rules.pipelines_of(kind.id),
        )
        filler.fill()
        before = len(self.problems)
        self.problems += filler.problems
        allowed = self._may_create(index, kind, filler.values)
        for name, field in kind.references.items():
            for id_ in _ids(filler.values.get(name)):
                allowed &= self._may_link(index, kind, name, Ref(str(field.to), id_), there)
        self.problems += missing(filler)
        self.rows += filler.rows
        self.drafts.append(Draft(target=index, ref=ref, values=filler.values))
        if len(self.problems) == before:
            self._build(index, kind, ref, filler.values)
        if allowed:
            self.form += form_fields(filler, self.problems[before:])

    def _made(self) -> dict[str, tuple[str, ...]]:
        made: dict[str, tuple[str, ...]] = {}
        for _, ref in sorted(self.refs.items()):
            made[ref.kind] = (*made.get(ref.kind, ()), ref.id)
        return made

    def _may_create(self, index: int, kind: Kind, values: Mapping[str, object]) -> bool:
        parts = (kind.owner, kind.pipeline, kind.stage)
        owner, pipeline, stage = (_text(values.get(part or "")) for part in parts)
        request = AccessRequest(
            action=Action.CREATE, kind=kind.id, owner_id=owner, pipeline=pipeline, stage=stage
        )
        return self._require(request, Cause.TARGET_ACCESS, index)

    def _may_link(
        self, index: int, kind: Kind, name: str, ref: Ref, there: Mapping[Ref, Record]
    ) -> bool:
        """Whether the target may point at *ref*; one not to be read is told as one not there."""
        if attrs.evolve(ref, provisional=True) in self.refs.values():
            return True
        record = there.get(ref)
        linked = self.rules.lead if ref.kind == self.rules.lead.id else self.rules.kind(ref.kind)
        if (
            record is None
            or linked is None
            or not self._decided(self._about(linked, record, Action.READ)).allowed
        ):
            self._problem(
                Cause.INVALID,
                "unknown_record",
                target=index,
                kind=kind.id,
                field=name,
                params={"to": ref.kind},
            )
            return True
        return self._require(self._about(linked, record, Action.LINK), Cause.TARGET_ACCESS, index)

    def _build(self, index: int, kind: Kind, ref: Ref, values: Mapping[str, object]) -> None:
        try:
            self.records[ref] = kind.build(ref.id, values)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything
            facts = {"error": type(error).__name__}
            self._problem(
                Cause.INVALID, "constructor_failed", target=index, kind=kind.id, params=facts
            )

    # -- what reaches nothing ---------------------------------------------------------------------

    def what_reaches_nothing(self) -> None:
        reached = {row.field for row in self.rows}
        kinds = {ref.kind for ref in self.refs.values()}
        for name in self._filled_fields():
            if name in reached:
                continue
            mappings = [one for one in self.rules.mappings if name in one.sources]
            if any(one.leaves_behind for one in mappings):
                told = str(FieldMapping.leave(name))
                self.rows.append(Row(name, None, Outcome.LEFT_BEHIND, told, None))
            elif name in self.carry and not self.carry[name]:
                self.rows.append(Row(name, None, Outcome.LEFT_BEHIND, "carry", None))
            else:
                reason = "no_mapping"
                if mappings:
                    chosen = any(one.kind in kinds for one in mappings)
                    reason = "transform_empty" if chosen else "no_target"
                elif name in self.carry:
                    reason = "no_target"
                elif name in self.lead.custom:
                    reason = "undecided"
                    chosen_kinds = [kind for kind in self.rules.kinds if kind.id in kinds]
                    self.questions.append(question_about(name, self.lead, self.rules, chosen_kinds))
                self.rows.append(Row(name, None, Outcome.DROPPED, None, reason))

    def _filled_fields(self) -> Iterator[str]:
        """Yield every filled field of the lead but its stage, in an order that is no dict's."""
        lead, members = self.lead, self.rules.lead.members
        for name in (*members, *sorted(lead.custom.keys() - members.keys())):
            if name != self.rules.lead.stage and not is_empty(self.rules.lead.read(lead, name)):
                yield name


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and not is_empty(value) else None
