"""The readable engine: what converting a lead would do, decided in the order it happens.

Who may, is the lead ready, what is there already, what each target gets, what is missing, what
changes. This file is the specification of a conversion; whatever else converts must agree with it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.agreeing import already_open, disagreements
from leadconvert.assigning import Assigning
from leadconvert.automation import AutomationRule
from leadconvert.carrying import Carrying
from leadconvert.choosing import Choices, choose
from leadconvert.closing import Closing, key_of
from leadconvert.drafting import Drafting, built
from leadconvert.earlier import Earlier
from leadconvert.given import aware, expect
from leadconvert.kinds import Kind
from leadconvert.leftovers import Leaving
from leadconvert.linking import Links, there
from leadconvert.moving import Step
from leadconvert.pipelines import StageRole
from leadconvert.plans import Draft, FormField, Plan, Question
from leadconvert.preceding import Preceding
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, Record, changed
from leadconvert.results import ConversionResult, Row
from leadconvert.rights import Rights, rights_on_lead
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled, Settling
from leadconvert.targets import Carry, Known, Mode, Request, Target, targets_of
from leadconvert.travelling import Travelled, Travelling
from leadconvert.values import FrozenMap, Ref
from leadconvert.wanting import asked_for


__all__ = ["plan"]

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
            targets=tuple(self._in_form(target) for target in self.targets),
            carry=self.carry,
            values=self.rules.lead.in_form(self.values),
            closing=self.closing,
            mode=self.mode,
            key=self.key,
            along=self.along,
        )

    def _in_form(self, target: Target) -> Target:
        kind = self.kinds.get(target.kind)
        if kind is None or not target.values:
            return target
        return attrs.evolve(target, values=kind.in_form(target.values))

    def what_changes(self, travelled: Travelled) -> ConversionResult:
        preceding = self.preceding
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
            pending=preceding.provisional.keys(),
            values=self.filled,
            before=self.before,
            travelled=travelled,
            there=there(self.rules, self.known.records) | preceding.provisional,
            reason=self.reason,
            rule=self.rule,
        ).result()
        settled = (one.ref for one in self.settled.values())
        after = preceding.keys(result.changes, settled, self.drafts)
        if not after:
            return result
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

    @property
    def preceding(self) -> Preceding:
        """What other change sets make; what this one itself made before is not there yet."""
        own = key_of(self.request, self.lead) if self.known.pending else ""
        pending = [one for one in self.known.pending if one.key != own]
        return Preceding(rules=self.rules, pending=pending)

    # -- who may ----------------------------------------------------------------------------------

    def who_may_convert(self) -> None:
        for request in rights_on_lead(self.lead, self.rules, closing=self.closing):
            denial = self.rights.denial(request, Cause.LEAD_ACCESS)
            self.problems += [] if denial is None else [denial]

    def _refuse(self, cause: Cause, code: str, params: Mapping[str, object]) -> None:
        of_lead = None if cause is Cause.TARGETS_REQUIRED else self.rules.lead.id
        self.problems.append(Problem(cause=cause, code=code, kind=of_lead, params=params))

    # -- what the actor may know ------------------------------------------------------------------

    def what_the_actor_may_know(self) -> tuple[Problem, ...]:
        """Whoever is denied on the lead, or on a target, learns only that of it."""
        lead_denied = any(one.cause is Cause.LEAD_ACCESS for one in self.problems)
        denied = {one.target for one in self.problems if one.cause is Cause.TARGET_ACCESS}
        opened = {draft.ref.kind for draft in self.drafts if not draft.denied}
        closed = {ref.kind for ref in self.refs.values()} - opened
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

    # -- is the lead ready ------------------------------------------------------------------------

    def is_the_lead_ready(self, known: Mapping[Ref, Record]) -> None:
        pipeline, kind = self.rules.lead_pipeline, self.rules.lead
        success = pipeline.in_role(StageRole.SUCCESS)[0].id
        facts: dict[str, object] = {"stage": self.lead.stage}
        closed = [made for made in self.lead.conversions if made.closes]
        if self.mode is Mode.SUPPLEMENT and not closed and self.lead.stage != success:
            self._refuse(Cause.STAGE, "not_converted", {})
        elif closed and self.mode is Mode.CONVERT:
            became = [str(target) for made in closed for target in made.targets]
            # in the wrong stage or not, it is never converted twice
            code = "converted" if self.lead.stage == success else "stage_disagrees"
            facts |= {"became": became, "success": success}
            self._refuse(Cause.ALREADY_CONVERTED, code, facts)
        elif self.lead.stage == success and self.mode is Mode.CONVERT:
            self._refuse(Cause.ALREADY_CONVERTED, "in_success_stage", facts)
        elif not (self.closing or self.rules.staged or self.mode is Mode.SUPPLEMENT):
            self._refuse(Cause.STAGE, "not_staged", {})
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
        known = there(self.rules, [*self.known.records, self.lead])
        return self.preceding.refs | known

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
            pending=self.preceding.refs.keys(),
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
            self._refuse(Cause.TARGETS_REQUIRED, "no_targets", facts)
        else:
            facts = {"actor": self.actor.id, "kinds": sorted(self.rules.order)}
            self._refuse(Cause.TARGETS_REQUIRED, "nothing_open", facts)

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
        self, index: int, known: Mapping[Ref, Record], carrying: Carrying
    ) -> None:
        settled = self.settled[index]
        kind = self.kinds[settled.ref.kind]
        mappings = carrying.into(kind.id)
        drafting = Drafting(
            index=index,
            name=f"{kind.id} {self._ordinal(index)}",
            kind=kind,
            settled=settled,
            supplied=self.targets[index].values,
            lead=self.lead,
            left=self.earlier.left(kind, mappings, known, self.drafts, self.targets[index + 1 :]),
            mappings=mappings,
            made=self._made(),
            links=self._links(known),
            assigning=self.assigning,
            denied=any(
                one.target == index and one.cause is Cause.TARGET_ACCESS for one in self.problems
            ),
        )
        self.drafts.append(drafting.draft())
        self.problems += drafting.problems
        self.withheld += drafting.withheld
        self.rows += drafting.rows
        self.form += drafting.form
        if drafting.record is not None:
            self.records[settled.ref] = drafting.record

    def _made(self) -> dict[str, tuple[str, ...]]:
        """Return by kind what this conversion makes, or else what earlier ones made."""
        chosen = {ref.kind for ref in self.refs.values()}
        before = {kind: self.earlier.became(kind) for kind in self.rules.order}
        made = {kind: ids for kind, ids in before.items() if ids and kind not in chosen}
        for _, ref in sorted(self.refs.items()):
            made[ref.kind] = (*made.get(ref.kind, ()), ref.id)
        return made

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
                self.problems.append(self.rights.hidden(one.cause, one.kind, one.target))

    # -- what reaches nothing ---------------------------------------------------------------------

    def what_reaches_nothing(self) -> None:
        leaving = Leaving(
            lead=self.lead,
            carry=self.carry,
            rights=self.rights,
            reached={row.field for row in self.rows},
            drafts=self.drafts,
            there={at: one.record for at, one in self.settled.items() if one.record is not None},
            earlier=self.earlier,
            closing=self.closing,
        )
        leaving.leave()
        self.rows += leaving.rows
        self.questions += leaving.questions
        self.problems += leaving.problems
        self.withheld += leaving.withheld
        if leaving.kept is not None:
            self._hold(leaving.kept.draft)

    def _hold(self, draft: Draft) -> None:
        """Put *draft*, which holds more than before, in the place of the one it was."""
        self.drafts = [draft if one.target == draft.target else one for one in self.drafts]
        if draft.ref in self.records:
            kind, settled = self.kinds[draft.ref.kind], self.settled[draft.target]
            made = built(draft.target, kind, settled, draft.values, self.lead)
            if isinstance(made, Problem):
                self.problems.append(made)
            else:
                self.records[draft.ref] = made

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
