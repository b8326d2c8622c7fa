"""The readable engine: what converting a lead would do, decided in the order it happens.

Who may, is the lead ready, what is there already, what each target gets, what is missing, what
changes. This file is the specification of a conversion; whatever else converts must agree with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from typing import Final

import attrs

from leadconvert.access import AccessRequest, Action, Actor, Authorizer
from leadconvert.agreeing import already_open, disagreements
from leadconvert.asking import form_fields, missing
from leadconvert.assigning import Assigning
from leadconvert.automation import AutomationRule
from leadconvert.carrying import Carrying, mapped, question_about
from leadconvert.changes import ChangeSet, Insert, Update
from leadconvert.choosing import Choices, choose
from leadconvert.closing import Closing, key_of
from leadconvert.earlier import Earlier
from leadconvert.fields import MisfitError
from leadconvert.filling import Filler
from leadconvert.kinds import Kind
from leadconvert.leftovers import Keeping, leftovers
from leadconvert.linking import Links, there
from leadconvert.losses import Losses
from leadconvert.moving import Step
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft, FormField, Plan, Question
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, Record, changed
from leadconvert.results import ConversionResult, Outcome, Row, dropped
from leadconvert.rights import Rights, rights_on_lead
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled, Settling
from leadconvert.targets import Carry, Known, Mode, Pending, Request, Target, targets_of
from leadconvert.travelling import Travelled, Travelling
from leadconvert.values import FrozenMap, Ref, aware, expect, ids_in, is_empty
from leadconvert.wanting import asked_for


__all__ = ["meant", "plan"]

#: What no choice of targets can remedy.
_OF_THE_LEAD: Final = frozenset({Cause.ALREADY_CONVERTED, Cause.STAGE})
#: Of more kinds than these the combinations, which double with each, are not listed in a problem.
_LISTED: Final = 8


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
    values: Mapping[str, object] | None = None,
    closing: bool = True,
    reason: str | None = None,
    rule: AutomationRule | None = None,
    mode: str = Mode.CONVERT,
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
        values: fields of the lead itself that are filled on the way; what maps them finds them.
        closing: False leaves the lead open, in the stage where it stands, if the rules are
            `staged`; what it is converted into later goes with what was made now.
        reason: why, in the actor's words; the lead's history keeps it.
        rule: the automation rule on whose behalf this is decided.
        mode: ``"supplement"`` makes more of a lead that is converted already, such as another deal
            with the clients of the first, and leaves it where it stands.
        authorizer: who decides about access instead of the rules' policy: an engine of your own, or
            a policy over an organisation.

    Raises:
        TypeError: the signature is misused: *into* is one text, *rules* a preset not called.
        ValueError: *at* is naive, or there is no such *mode*.

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
    expect(("lead", lead, Lead), ("rules", rules, ConversionRules), ("known", known, Known))
    for answer in (carry or {}).values():
        if not isinstance(answer, Mapping):
            raise TypeError("carry= maps a lead field to {kind: target field}")
    own = targets_of(into)
    targets = asked_for(lead, own, rules)
    planner = _Planner(
        lead=lead,
        targets=targets,
        along=len(targets) - len(own),
        rules=rules,
        actor=actor,
        at=aware(at),
        known=known,
        carry=carry or {},
        key=key,
        rights=Rights.of(actor, rules, known.decisions, authorizer),
        values=FrozenMap(values or {}),
        closing=closing and mode == Mode.CONVERT,
        reason=reason,
        rule=rule,
        mode=Mode(mode),
    )
    return planner.plan()


def meant(kind: Kind, values: Mapping[str, object]) -> dict[str, object]:
    """Return *values* for a record of *kind* in the form of its fields: one thing, said one way.

    What does not fit its field stays as it is.

    Example:
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.planning import meant
        >>> meant(DEAL, {"amount": 5, "contact_ids": "C-3", "nothing": 1})
        {'amount': Decimal('5'), 'contact_ids': ('C-3',), 'nothing': 1}
    """
    said = dict(values)
    for name, value in values.items():
        if value is not None and name in kind.members:
            with suppress(MisfitError):
                said[name] = kind.members[name].accept(value)
    return said


@attrs.define(kw_only=True)
class _Planner:
    lead: Lead
    targets: tuple[Target, ...]
    along: int
    rules: ConversionRules
    actor: Actor
    at: datetime
    known: Known
    carry: Carry
    key: str | None
    rights: Rights
    values: FrozenMap[object]
    closing: bool
    reason: str | None
    rule: AutomationRule | None
    mode: Mode

    problems: list[Problem] = attrs.field(factory=list, init=False)
    withheld: list[Problem] = attrs.field(factory=list, init=False)
    rows: list[Row] = attrs.field(factory=list, init=False)
    form: list[FormField] = attrs.field(factory=list, init=False)
    questions: list[Question] = attrs.field(factory=list, init=False)
    drafts: list[Draft] = attrs.field(factory=list, init=False)
    records: dict[Ref, Record] = attrs.field(factory=dict, init=False)
    refs: dict[int, Ref] = attrs.field(factory=dict, init=False)
    settled: dict[int, Settled] = attrs.field(factory=dict, init=False)
    choices: Choices | None = attrs.field(default=None, init=False)
    filled: dict[str, object] = attrs.field(factory=dict, init=False)
    kinds: dict[str, Kind] = attrs.field(init=False)
    #: The lead as it was handed over, with nothing filled on the way.
    before: Lead = attrs.field(init=False)

    @kinds.default
    def _kinds_by_id(self) -> dict[str, Kind]:
        return {kind.id: kind for kind in self.rules.kinds}

    def plan(self) -> Plan:
        self.before = self.lead
        self.who_may_convert()
        known = self.what_is_there_already()
        self.is_the_lead_ready(known)
        self.what_is_asked_for(known)
        carrying = Carrying(
            lead=self.lead, rules=self.rules, carry=self.carry, sight=self.rights.sight
        )
        carrying.read()
        self.problems += carrying.problems
        for index in sorted(self.refs, key=self._place_in_order):
            self.what_a_target_gets(index, known, carrying)
        self.do_they_agree(known)
        self.problems += already_open(self.rules, self.settled, self.records, self._links(known))
        self.what_reaches_nothing()
        travelled = self.what_comes_along()
        told = self.what_the_actor_may_know()
        return Plan(
            lead=self.before,
            request=self.request,
            problems=told,
            withheld=tuple(self.withheld),
            targets=tuple(self.drafts),
            form=tuple(sorted(self.form, key=_place)),
            questions=tuple(self.questions),
            rows=tuple(self.rows),
            required_access=self.rights.open_questions,
            unseen=self.rights.sight(self.rules.lead).hidden,
            choices=self.choices,
            children=travelled.outcomes,
            conversion=None if told else self.what_changes(travelled),
        )

    @property
    def request(self) -> Request:
        return Request(
            lead_id=self.lead.id,
            targets=tuple(self._meant(target) for target in self.targets),
            carry=self.carry,
            values=meant(self.rules.lead, self.values),
            closing=self.closing,
            mode=self.mode,
            key=self.key,
            along=self.along,
        )

    def _meant(self, target: Target) -> Target:
        kind = self.kinds.get(target.kind)
        if kind is None or not target.values:
            return target
        return attrs.evolve(target, values=meant(kind, target.values))

    def what_changes(self, travelled: Travelled) -> ConversionResult:
        result = Closing(
            lead=self.lead,
            rules=self.rules,
            actor=self.actor,
            at=self.at,
            records=self.records,
            drafts=self.drafts,
            settled={one.ref: one for one in self.settled.values()},
            rows=tuple(self.rows),
            request=self.request,
            pending={attrs.evolve(ref, provisional=True) for ref in self._pending_refs},
            values=self.filled,
            before=self.before,
            travelled=travelled,
            there=self._told(),
            reason=self.reason,
            rule=self.rule,
        ).result()
        if not self.known.pending:
            return result
        after = self._keys_before(result.changes)
        return attrs.evolve(result, changes=attrs.evolve(result.changes, after=after))

    @property
    def earlier(self) -> Earlier:
        return Earlier(lead=self.lead, rules=self.rules, known=self.known, mode=self.mode)

    @property
    def assigning(self) -> Assigning:
        return Assigning(
            lead=self.lead,
            rules=self.rules,
            actor=self.actor,
            eligible=self.known.eligible_owners,
            load=self.known.load,
        )

    def _told(self) -> dict[Ref, Record]:
        """Return what is there already by the refs of a change set: provisional, if not stored."""
        pending = there(self.rules, [one.record for one in self._pending])
        known = there(self.rules, self.known.records)
        return known | {attrs.evolve(ref, provisional=True): one for ref, one in pending.items()}

    @property
    def _pending(self) -> list[Pending]:
        """What other change sets make; what this one itself made before is not there yet."""
        own = key_of(self.request, self.lead) if self.known.pending else ""
        return [one for one in self.known.pending if one.key != own]

    @property
    def _pending_refs(self) -> AbstractSet[Ref]:
        return there(self.rules, [one.record for one in self._pending]).keys()

    def _keys_before(self, changes: ChangeSet) -> tuple[str, ...]:
        """Return the keys of the change sets that make or change what this one refers to or saw."""
        used = {one.ref.stored for one in self.settled.values()}
        for change in changes.changes:
            if isinstance(change, Insert | Update):
                used |= {ref.stored for claim in change.claims for ref in claim.seen}
        used |= {
            Ref(str(field.to), id_)
            for draft in self.drafts
            for name, field in self.kinds[draft.ref.kind].references.items()
            for id_ in ids_in(draft.values.get(name))
        }
        pending = ((one.key, there(self.rules, [one.record])) for one in self._pending)
        return tuple(dict.fromkeys(key for key, refs in pending if not used.isdisjoint(refs)))

    # -- who may ----------------------------------------------------------------------------------

    def who_may_convert(self) -> None:
        for request in rights_on_lead(self.lead, self.rules, closing=self.closing):
            self._require(request, Cause.LEAD_ACCESS)

    def _require(self, request: AccessRequest, cause: Cause, target: int | None = None) -> bool:
        denial = self.rights.denial(request, cause, target)
        if denial is not None:
            self.problems.append(denial)
        return denial is None

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
        closed = {ref.kind for ref in self.refs.values()} - self._open_kinds
        told: list[Problem] = []
        for one in self.problems:
            of_denied = one.target in denied if one.target is not None else one.kind in closed
            may_know = (
                one.cause is Cause.LEAD_ACCESS
                if lead_denied
                else one.cause is Cause.TARGET_ACCESS or not of_denied
            )
            (told if may_know else self.withheld).append(one)
        if lead_denied:
            self.form, self.questions = [], []
        return tuple(sorted(told, key=_place))

    @property
    def _open_kinds(self) -> set[str]:
        """The kinds of which the actor may make a target asked for."""
        return {draft.ref.kind for draft in self.drafts if not draft.denied}

    # -- is the lead ready ------------------------------------------------------------------------

    def is_the_lead_ready(self, known: Mapping[Ref, Record]) -> None:
        pipeline, kind = self.rules.lead_pipeline, self.rules.lead
        success = pipeline.in_role(StageRole.SUCCESS)[0].id
        facts: dict[str, object] = {"stage": self.lead.stage}
        closed = [made for made in self.lead.conversions if made.closes]
        if self.mode is Mode.SUPPLEMENT and not closed and self.lead.stage != success:
            self._problem(Cause.STAGE, "not_converted", kind=kind.id)
        elif closed and self.mode is Mode.CONVERT:
            became = [str(target) for made in closed for target in made.targets]
            # in the wrong stage or not, it is never converted twice
            code = "converted" if self.lead.stage == success else "stage_disagrees"
            facts |= {"became": became, "success": success}
            self._problem(Cause.ALREADY_CONVERTED, code, kind=kind.id, params=facts)
        elif self.lead.stage == success and self.mode is Mode.CONVERT:
            self._problem(Cause.ALREADY_CONVERTED, "in_success_stage", kind=kind.id, params=facts)
        elif not (self.closing or self.rules.staged or self.mode is Mode.SUPPLEMENT):
            self._problem(Cause.STAGE, "not_staged", kind=kind.id)
        else:
            step = Step(
                kind=kind,
                pipeline=pipeline,
                record=self.lead,
                to=success,
                goes=self.closing,
                values=self.values,
                links=Links(rights=self.rights, there=known),
            )
            step.take()
            self.problems += step.problems
            self.form += step.form
            self.filled = step.accepted
            self.lead = changed(self.lead, step.accepted)

    # -- what is there already --------------------------------------------------------------------

    def what_is_there_already(self) -> dict[Ref, Record]:
        pending = (one.record for one in self._pending)
        return there(self.rules, [*pending, *self.known.records, self.lead])

    # -- what is asked for ------------------------------------------------------------------------

    def what_is_asked_for(self, known: Mapping[Ref, Record]) -> None:
        if not self.targets:
            self.what_is_open()
        settling = Settling(
            lead=self.lead,
            rules=self.rules,
            targets=self.targets,
            links=Links(rights=self.rights, there=known),
            earlier=self.earlier,
            pending=self._pending_refs,
        )
        settling.settle()
        self.problems += settling.problems
        self.settled = settling.settled
        self.refs = {index: one.ref for index, one in settling.settled.items()}

    def what_is_open(self) -> None:
        """Say what the actor may choose, where nothing was chosen."""
        denied = tuple(one for one in self.problems if one.cause is Cause.LEAD_ACCESS)
        of_lead = denied or tuple(one for one in self.problems if one.cause in _OF_THE_LEAD)
        if of_lead:
            self.choices = Choices(lead_id=self.lead.id, problems=of_lead)
        else:
            clients = {str(field.to) for field in self.rules.lead.references.values()}
            belongs = any(self.earlier.became(one) for one in clients)
            self.choices = choose(self.lead, self.rules, self._denials, belongs=belongs)
        kinds = self.choices.kinds
        if any(one.cause is Cause.ALREADY_CONVERTED for one in of_lead):
            return  # what to choose is no question then
        if kinds or of_lead:
            facts: dict[str, object] = {"kinds": sorted(kinds or self.rules.order)}
            if len(self.choices.offered) <= _LISTED:
                facts["combinations"] = tuple(self.choices.combinations())
            self._problem(Cause.TARGETS_REQUIRED, "no_targets", params=facts)
        else:
            facts = {"actor": self.actor.id, "kinds": sorted(self.rules.order)}
            self._problem(Cause.TARGETS_REQUIRED, "nothing_open", params=facts)

    def _denials(self, kind: str, made: Iterable[str]) -> list[Problem]:
        """Return what is denied of a new record of *kind* if others are made along with it."""
        asked = (kind, *made)
        looked = attrs.evolve(self, targets=asked_for(self.lead, asked, self.rules)).plan()
        denied = (one for one in looked.problems if one.cause is Cause.TARGET_ACCESS)
        # what is made along is judged for itself; a client that is merged into is not
        return [one for one in denied if one.target not in range(1, len(asked))]

    def _links(self, known: Mapping[Ref, Record]) -> Links:
        return Links(rights=self.rights, there=known, made=frozenset(self.refs.values()))

    def _place_in_order(self, index: int) -> tuple[int, int]:
        return self.rules.order.index(self.refs[index].kind), index

    def _ordinal(self, index: int) -> int:
        kind = self.refs[index].kind
        return sum(ref.kind == kind for at, ref in self.refs.items() if at <= index)

    # -- what each target gets --------------------------------------------------------------------

    def what_a_target_gets(
        self,
        index: int,
        known: Mapping[Ref, Record],
        carrying: Carrying,
    ) -> None:
        ref = self.refs[index]
        kind = self.kinds[ref.kind]
        own = {
            field: mapping
            for (name, field), mapping in carrying.mappings.items()
            if name == kind.id
        }
        settled = self.settled[index]
        mappings = mapped(self.rules, kind.id) | own
        assigned = self.assigning.mapping(kind) if settled.action == "create" else {}
        lead = self.earlier.left(kind, mappings, known, self.drafts, self.targets[index + 1 :])
        filler = Filler(
            lead=lead,
            lead_kind=self.rules.lead,
            kind=kind,
            index=index,
            name=f"{kind.id} {self._ordinal(index)}",
            supplied=self.targets[index].values,
            made=self._made(),
            mappings=mappings | assigned,
            transforms=self.rules.transforms_by_name(),
            pipelines=self.rules.pipelines_of(kind.id),
            existing=settled.record,
            mergers=dict(self.rules.mergers),
            sight=self.rights.sight(kind),
            lead_sight=self.rights.sight(self.rules.lead),
        )
        before = len(self.problems)
        if settled.action != "link":
            filler.fill()
        denied = (one.target for one in self.problems if one.cause is Cause.TARGET_ACCESS)
        allowed = index not in denied
        allowed &= self._may_write(index, kind, settled, filler.values)
        wrong = list(filler.problems)
        links, cause = self._links(known), Cause.TARGET_ACCESS
        for one in links.problems(kind, filler.values, cause, index, settled.record):
            (wrong if one.cause is Cause.INVALID else self.problems).append(one)
            allowed &= one.cause is Cause.INVALID
        wrong += missing(filler) if settled.action != "link" else ()
        wrong += self.assigning.problems(kind, filler.values, index)
        self._tell(filler, wrong)
        self.rows += filler.rows
        self.rows += self._taken(filler, lead)
        self.rows += self.assigning.rows(
            filler.name, [mappings[one] for one in assigned if one in mappings]
        )
        self.drafts.append(
            Draft(
                target=index,
                ref=ref,
                name=filler.name,
                values=filler.values,
                action=settled.action,
                denied=not allowed,
                unseen=filler.unseen,
            )
        )
        if len(self.problems) == before:
            self._build(index, kind, settled, filler.values)
        if allowed:
            self.form += form_fields(filler, self.problems[before:])

    def _tell(self, filler: Filler, wrong: Iterable[Problem]) -> None:
        """Add what is wrong with a target; what its actor may not see is one thing without name."""
        hidden: list[Problem] = []
        for one in wrong:
            (hidden if filler.hides(one) else self.problems).append(one)
        if hidden:
            gravest = min((one.cause for one in hidden), key=list(Cause).index)
            self._hide(gravest, filler.index, filler.kind.id)
        self.withheld += hidden

    def _hide(self, cause: Cause, target: int | None, kind: str | None) -> None:
        facts = {"actor": self.actor.id}
        self._problem(cause, "hidden", target=target, kind=kind, params=facts)

    def _taken(self, filler: Filler, left: Lead) -> Iterator[Row]:
        """Yield the product lines of the lead that others took, so that this target gets none."""
        kind = self.rules.lead
        for target, mapping in filler.mappings.items():
            for name in mapping.sources:
                if is_empty(kind.read(left, name)) and not is_empty(kind.read(self.lead, name)):
                    where = f"{filler.name}.{target}"
                    yield Row(name, where, Outcome.TAKEN, str(mapping), None)

    def _made(self) -> dict[str, tuple[str, ...]]:
        """Return by kind what this conversion makes, or else what earlier ones made."""
        chosen = {ref.kind for ref in self.refs.values()}
        before = {kind: self.earlier.became(kind) for kind in self.rules.order}
        made = {kind: ids for kind, ids in before.items() if ids and kind not in chosen}
        for _, ref in sorted(self.refs.items()):
            made[ref.kind] = (*made.get(ref.kind, ()), ref.id)
        return made

    def _may_write(
        self, index: int, kind: Kind, settled: Settled, values: Mapping[str, object]
    ) -> bool:
        """Whether a target may be made as it would be written, and given to its owner."""
        allowed, owner = True, values.get(str(kind.owner))
        asked = self.rights.with_values(kind, values, Action.CREATE)
        if settled.action == "create":
            allowed = self._require(asked, Cause.TARGET_ACCESS, index)
        lead_owner = self.rules.lead.read(self.lead, self.rules.lead.owner)
        if not is_empty(owner) and owner not in {self.actor.id, lead_owner}:
            if settled.record is not None:
                asked = self.rights.with_record(kind, settled.record, Action.ASSIGN)
            given = attrs.evolve(asked, action=Action.ASSIGN)
            allowed &= self._require(given, Cause.TARGET_ACCESS, index)
        return allowed

    def _build(
        self, index: int, kind: Kind, settled: Settled, values: Mapping[str, object]
    ) -> None:
        try:
            if settled.record is None:
                self.records[settled.ref] = kind.build(settled.ref.id, values)
            else:
                back = str(kind.converted_from)
                leads = dict.fromkeys((*ids_in(kind.read(settled.record, back)), self.lead.id))
                written = {**values, back: tuple(leads)}
                if kind.cls is None:  # a field of data may be called as an attribute is
                    written = {"custom": {**settled.record.custom, **written}}
                self.records[settled.ref] = changed(settled.record, written)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything
            facts = {"error": type(error).__name__}
            self._problem(
                Cause.INVALID, "constructor_failed", target=index, kind=kind.id, params=facts
            )

    # -- do the targets agree ---------------------------------------------------------------------

    def do_they_agree(self, known: Mapping[Ref, Record]) -> None:
        drafts = {one.ref.stored: one for one in self.drafts}
        links = self._links(known)

        def sees(ref: Ref, field: str) -> bool:
            if ref in drafts:
                return field not in drafts[ref].unseen
            return field not in self.rights.sight(self.kinds[ref.kind]).hidden

        for one, seen in disagreements(self.rules, self.refs, self.records, links, sees):
            if seen:
                self.problems.append(one)
            else:
                self.withheld.append(one)
                self._hide(one.cause, one.target, one.kind)

    # -- what reaches nothing ---------------------------------------------------------------------

    def what_reaches_nothing(self) -> None:
        kinds = {one.ref.kind for one in self.settled.values() if one.action != "link"}
        reached = {row.field for row in self.rows}
        left = tuple(leftovers(self.lead, self.rules, self.carry, reached, kinds))
        lost = dropped(left)
        self.what_is_asked_about(lost)
        kept = self.what_is_kept(lost)
        if kept or self.rules.losses is Losses.LENIENT:
            lost = ()
        elif self.rules.losses is Losses.STRICT and self.closing:
            self.what_must_not_be_lost(lost)
        self.rows += kept
        for row in left:
            if row.outcome != Outcome.DROPPED or row in lost:
                self.rows.append(row)
            elif not kept:
                self.rows.append(row._replace(outcome=Outcome.LEFT_BEHIND))

    def what_is_asked_about(self, lost: Iterable[Row]) -> None:
        """Ask where custom fields go that nobody has decided on."""
        if self.rules.losses is Losses.LENIENT:
            return
        chosen = [kind for kind in self.rules.kinds if kind.id in self._open_kinds]
        hidden = self.rights.sight(self.rules.lead).hidden
        for row in lost:
            if row.reason == "undecided" and row.field not in hidden:
                self.questions.append(
                    question_about(str(row.field), self.lead, self.rules, chosen, self.rights.sight)
                )

    def what_is_kept(self, lost: Iterable[Row]) -> tuple[Row, ...]:
        keeping = Keeping(
            lead=self.lead,
            rules=self.rules,
            drafts=self.drafts,
            there={at: one.record for at, one in self.settled.items() if one.record is not None},
            hidden=self.rights.sight(self.rules.lead).hidden,
        )
        kept = keeping.keep([str(row.field) for row in lost])
        if kept is None:
            return ()
        draft = kept.draft
        self.problems += kept.problems
        self.drafts = [draft if one.target == draft.target else one for one in self.drafts]
        if draft.ref in self.records:
            kind = self.kinds[draft.ref.kind]
            self._build(draft.target, kind, self.settled[draft.target], draft.values)
        return kept.rows

    def what_must_not_be_lost(self, lost: Iterable[Row]) -> None:
        """Refuse to close a lead of which something would be lost; earlier records count."""
        lead, hidden = self.rules.lead, self.rights.sight(self.rules.lead).hidden
        for row in lost:
            into = {one.kind for one in self.rules.mappings if row.field in one.sources}
            if any(self.earlier.became(str(kind)) for kind in into):
                continue
            facts = {"source": row.field, "why": row.reason}
            one = Problem(
                cause=Cause.INVALID, code="would_drop", kind=lead.id, field=row.field, params=facts
            )
            if row.field in hidden:
                self.withheld.append(one)
                self._hide(Cause.INVALID, None, lead.id)
            else:
                self.problems.append(one)

    # -- what comes along -------------------------------------------------------------------------

    def what_comes_along(self) -> Travelled:
        """Decide on activities, files and whatever else hangs on the lead."""
        if any(one.cause is Cause.LEAD_ACCESS for one in self.problems):
            return Travelled()  # whoever is denied on the lead learns only that
        return Travelling(
            lead=self.lead,
            rules=self.rules,
            rights=self.rights,
            records=self.known.records,
            targets=[draft.ref for draft in self.drafts],
            number=len(self.lead.conversions) + 1,
            closes=self.closing and (self.rule is None or self.rule.close_activities),
        ).travel()


def _place(one: Problem | FormField) -> int:
    return -1 if one.target is None else one.target
