"""The readable engine: what converting a lead would do, decided in the order it happens.

Who may, is the lead ready, what is there already, what each target gets, what is missing, what
changes. This file is the specification of a conversion; whatever else converts must agree with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from leadconvert.access import AccessRequest, Action, Actor, Authorizer
from leadconvert.asking import form_fields, missing
from leadconvert.carrying import Carry, Carrying, mapped, question_about
from leadconvert.closing import Closing, Request
from leadconvert.errors import Cause, Problem, did_you_mean
from leadconvert.fields import Kind
from leadconvert.filling import Filler
from leadconvert.leftovers import leftovers
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft, FormField, Plan, Question
from leadconvert.records import Lead, Record
from leadconvert.results import ConversionResult, Row
from leadconvert.rights import Answers, Rights, rights_on_lead
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create, Known, Target, targets_of
from leadconvert.values import Ref, aware
from leadconvert.wanting import ids_in


__all__ = ["plan"]


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
    authorizer: Authorizer | None = None,
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
        known: the records that `wanted` asks for, and decisions of a remote engine.
        carry: for custom fields no mapping decides on, where each goes: ``{"UF_X": {"deal":
            "UF_D"}}``; an empty answer leaves it behind.
        key: what makes a retry harmless; derived from the lead, the length of its history and the
            request unless given.
        authorizer: who decides about access instead of the rules' policy: an engine of your own, or
            a policy over an organisation.

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
    if authorizer is not None and known.decisions is not None:
        raise TypeError("give authorizer= or decisions in known=, not both")
    for answer in (carry or {}).values():
        if not isinstance(answer, Mapping):
            raise TypeError("carry= maps a lead field to {kind: target field}")
    decides: Authorizer = rules.policy if authorizer is None else authorizer
    if known.decisions is not None:
        decides = Answers(known.decisions)
    planner = _Planner(
        lead=lead,
        targets=targets_of(into),
        rules=rules,
        actor=actor,
        at=aware(at),
        known=known,
        carry=carry or {},
        key=key,
        rights=Rights(actor=actor, authorizer=decides, rules=rules),
    )
    return planner.plan()


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
    rights: Rights

    problems: list[Problem] = attrs.field(factory=list, init=False)
    withheld: list[Problem] = attrs.field(factory=list, init=False)
    rows: list[Row] = attrs.field(factory=list, init=False)
    form: list[FormField] = attrs.field(factory=list, init=False)
    questions: list[Question] = attrs.field(factory=list, init=False)
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
        carrying = Carrying(
            lead=self.lead, rules=self.rules, carry=self.carry, sight=self.rights.sight
        )
        carrying.read()
        self.problems += carrying.problems
        for index in sorted(self.refs, key=self._place_in_order):
            self.what_a_target_gets(index, there, carrying)
        self.what_reaches_nothing()
        told = self.what_the_actor_may_know()
        return Plan(
            lead=self.lead,
            problems=told,
            withheld=tuple(self.withheld),
            targets=tuple(self.drafts),
            form=tuple(sorted(self.form, key=lambda field: field.target)),
            questions=tuple(self.questions),
            rows=tuple(self.rows),
            required_access=self._open_questions(),
            unseen=self.rights.sight(self.rules.lead).hidden,
            conversion=None if told else self.what_changes(),
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
        for request in rights_on_lead(self.lead, self.rules):
            self._require(request, Cause.LEAD_ACCESS)

    def _require(self, request: AccessRequest, cause: Cause, target: int | None = None) -> bool:
        denial = self.rights.denial(request, cause, target)
        if denial is not None:
            self.problems.append(denial)
        return denial is None

    def _open_questions(self) -> tuple[AccessRequest, ...]:
        """Return what was asked; of what a remote engine answers, what it has not answered yet."""
        asked = self.rights.asked.items()
        if self.known.decisions is None:
            return tuple(request for request, _ in asked)
        return tuple(request for request, answer in asked if answer.code == "not_answered")

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

    # -- what the actor may know ------------------------------------------------------------------

    def what_the_actor_may_know(self) -> tuple[Problem, ...]:
        """Whoever is denied on the lead, or on a target, learns only that of it."""
        lead_denied = any(one.cause is Cause.LEAD_ACCESS for one in self.problems)
        denied = {one.target for one in self.problems if one.cause is Cause.TARGET_ACCESS}
        told: list[Problem] = []
        for one in self.problems:
            may_know = (
                one.cause is Cause.LEAD_ACCESS
                if lead_denied
                else one.cause is Cause.TARGET_ACCESS or one.target not in denied
            )
            (told if may_know else self.withheld).append(one)
        if lead_denied:
            self.form, self.questions = [], []
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
            if ref in self.refs.values() or self._is_there(ref, there):
                facts = {"id": ref.id}
                self._problem(
                    Cause.INVALID_TARGET, "duplicate_id", target=index, kind=ref.kind, params=facts
                )
            self.refs[index] = ref

    def _is_there(self, ref: Ref, there: Mapping[Ref, Record]) -> bool:
        """Whether a record has that id; one not to be read is told as one not there."""
        record = there.get(attrs.evolve(ref, provisional=False))
        if record is None:
            return False
        return self.rights.may(self.rights.with_record(self.kinds[ref.kind], record, Action.READ))

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
            sight=self.rights.sight(kind),
            lead_sight=self.rights.sight(self.rules.lead),
        )
        filler.fill()
        before = len(self.problems)
        allowed = self._may_create(index, kind, filler.values)
        wrong = list(filler.problems)
        for name, field in kind.references.items():
            for id_ in ids_in(filler.values.get(name)):
                linked = Ref(str(field.to), id_)
                if self._is_unknown(linked, there):
                    wrong.append(_unknown_record(index, kind, name, linked))
                else:
                    allowed &= self._may_link(index, linked, there)
        wrong += missing(filler)
        self._tell(filler, wrong)
        self.rows += filler.rows
        self.drafts.append(
            Draft(
                target=index,
                ref=ref,
                name=filler.name,
                values=filler.values,
                denied=not allowed,
                unseen=filler.unseen,
            )
        )
        if len(self.problems) == before:
            self._build(index, kind, ref, filler.values)
        if allowed:
            self.form += form_fields(filler, self.problems[before:])

    def _tell(self, filler: Filler, wrong: Iterable[Problem]) -> None:
        """Add what is wrong with a target; what its actor may not see is one thing without name."""
        hidden: list[Problem] = []
        for one in wrong:
            (hidden if filler.hides(one) else self.problems).append(one)
        if hidden:
            gravest = min((one.cause for one in hidden), key=list(Cause).index)
            facts = {"actor": self.actor.id}
            self._problem(gravest, "hidden", target=filler.index, kind=filler.kind.id, params=facts)
        self.withheld += hidden

    def _made(self) -> dict[str, tuple[str, ...]]:
        made: dict[str, tuple[str, ...]] = {}
        for _, ref in sorted(self.refs.items()):
            made[ref.kind] = (*made.get(ref.kind, ()), ref.id)
        return made

    def _may_create(self, index: int, kind: Kind, values: Mapping[str, object]) -> bool:
        """Whether the target may be made as it would be written, for whoever would own it."""
        request = self.rights.with_values(kind, values, Action.CREATE)
        allowed = self._require(request, Cause.TARGET_ACCESS, index)
        lead_owner = self.rules.lead.read(self.lead, self.rules.lead.owner)
        if request.owner_id not in {None, self.actor.id, lead_owner}:
            given = attrs.evolve(request, action=Action.ASSIGN)
            allowed &= self._require(given, Cause.TARGET_ACCESS, index)
        return allowed

    def _is_unknown(self, ref: Ref, there: Mapping[Ref, Record]) -> bool:
        """Whether *ref* points at nothing; one not to be read is told as one not there."""
        if attrs.evolve(ref, provisional=True) in self.refs.values():
            return False
        record, kind = there.get(ref), self._kind(ref)
        if record is None or kind is None:
            return True
        return not self.rights.may(self.rights.with_record(kind, record, Action.READ))

    def _may_link(self, index: int, ref: Ref, there: Mapping[Ref, Record]) -> bool:
        """Whether the target may point at *ref*; what is made here may be pointed at."""
        record, kind = there.get(ref), self._kind(ref)
        if record is None or kind is None:
            return True
        request = self.rights.with_record(kind, record, Action.LINK)
        return self._require(request, Cause.TARGET_ACCESS, index)

    def _kind(self, ref: Ref) -> Kind | None:
        return self.rules.lead if ref.kind == self.rules.lead.id else self.rules.kind(ref.kind)

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
        kinds = {ref.kind for ref in self.refs.values()}
        reached = {row.field for row in self.rows}
        chosen = [kind for kind in self.rules.kinds if kind.id in kinds]
        hidden = self.rights.sight(self.rules.lead).hidden
        for row in leftovers(self.lead, self.rules, self.carry, reached, kinds):
            self.rows.append(row)
            if row.reason == "undecided" and row.field not in hidden:
                self.questions.append(
                    question_about(str(row.field), self.lead, self.rules, chosen, self.rights.sight)
                )


def _unknown_record(index: int, kind: Kind, name: str, ref: Ref) -> Problem:
    return Problem(
        cause=Cause.INVALID,
        code="unknown_record",
        target=index,
        kind=kind.id,
        field=name,
        params={"to": ref.kind},
    )
