"""What one target gets: its values, what is wrong with them, and the record they make."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from leadconvert.access import AccessRequest, Action
from leadconvert.asking import form_fields, missing
from leadconvert.assigning import Assigning
from leadconvert.filling import Filler
from leadconvert.kinds import Kind
from leadconvert.linking import Links
from leadconvert.mapping import FieldMapping
from leadconvert.plans import Draft, FormField
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, Record, changed
from leadconvert.results import Outcome, Row
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled
from leadconvert.values import ids_in, is_empty


__all__ = ["Drafting", "built"]


@attrs.define(kw_only=True)
class Drafting:
    """Drafts the target with this *index* of one conversion.

    Afterwards *record* is what it makes, unless *problems* stand in the way; *withheld* are those
    its actor may not know of.

    Example:
        >>> from leadconvert import Actor, Lead, Policy, Ref, presets
        >>> from leadconvert.assigning import Assigning
        >>> from leadconvert.carrying import mapped
        >>> from leadconvert.drafting import Drafting
        >>> from leadconvert.linking import Links
        >>> from leadconvert.rights import Rights
        >>> from leadconvert.settling import Settled
        >>> actor, rules = Actor("u-7"), presets.bitrix24()
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine")
        >>> rights = Rights(actor=actor, authorizer=Policy.allow_all(), rules=rules)
        >>> drafting = Drafting(
        ...     index=0, name="deal 1", kind=rules.kind("deal"), supplied={}, lead=lead, left=lead,
        ...     settled=Settled(ref=Ref("deal", "new"), action="create"),
        ...     mappings=mapped(rules, "deal"), made={}, links=Links(rights=rights, there={}),
        ...     assigning=Assigning(lead=lead, rules=rules, actor=actor, eligible=None),
        ... )
        >>> drafting.draft().values["title"]
        'Engine'
    """

    index: int
    name: str
    kind: Kind
    settled: Settled
    supplied: Mapping[str, object]
    lead: Lead
    #: The lead as this target gets it: without what others took.
    left: Lead
    mappings: Mapping[str, FieldMapping]
    #: By kind, what this conversion or earlier ones made.
    made: Mapping[str, tuple[str, ...]]
    links: Links
    assigning: Assigning
    #: Whether the actor was refused this target before.
    denied: bool = False

    problems: list[Problem] = attrs.field(factory=list, init=False)
    withheld: list[Problem] = attrs.field(factory=list, init=False)
    rows: list[Row] = attrs.field(factory=list, init=False)
    form: list[FormField] = attrs.field(factory=list, init=False)
    record: Record | None = attrs.field(default=None, init=False)

    def draft(self) -> Draft:
        """Return what the target would hold; called once."""
        kind, settled = self.kind, self.settled
        assigned = self.assigning.mapping(kind) if settled.action == "create" else {}
        filler = self._filler(assigned)
        if settled.action != "link":
            filler.fill()
        values = filler.values
        allowed = not self.denied
        allowed &= self._may_write(values)
        wrong = list(filler.problems)
        cause = Cause.TARGET_ACCESS
        for one in self.links.problems(kind, values, cause, self.index, settled.record):
            (wrong if one.cause is Cause.INVALID else self.problems).append(one)
            allowed &= one.cause is Cause.INVALID
        wrong += missing(filler) if settled.action != "link" else ()
        wrong += self.assigning.problems(kind, values, self.index)
        self._tell(filler, wrong)
        self.rows += filler.rows
        self.rows += self._taken(filler)
        ruled_out = [self.mappings[one] for one in assigned if one in self.mappings]
        self.rows += self.assigning.rows(self.name, ruled_out)
        if not self.problems:
            self._build(values)
        if allowed:
            self.form += form_fields(filler, self.problems)
        return Draft(
            target=self.index,
            ref=settled.ref,
            name=self.name,
            values=values,
            action=settled.action,
            denied=not allowed,
            unseen=filler.unseen,
        )

    def _filler(self, assigned: Mapping[str, FieldMapping]) -> Filler:
        return Filler(
            lead=self.left,
            lead_kind=self._rules.lead,
            kind=self.kind,
            index=self.index,
            name=self.name,
            supplied=self.supplied,
            made=self.made,
            mappings={**self.mappings, **assigned},
            transforms=self._rules.transforms_by_name(),
            pipelines=self._rules.pipelines_of(self.kind.id),
            existing=self.settled.record,
            mergers=dict(self._rules.mergers),
            sight=self._rights.sight(self.kind),
            lead_sight=self._rights.sight(self._rules.lead),
        )

    @property
    def _rights(self) -> Rights:
        return self.links.rights

    @property
    def _rules(self) -> ConversionRules:
        return self._rights.rules

    def _may_write(self, values: Mapping[str, object]) -> bool:
        """Whether the target may be made as it would be written, and given to its owner."""
        kind, settled = self.kind, self.settled
        allowed, owner = True, values.get(str(kind.owner))
        asked = self._rights.with_values(kind, values, Action.CREATE)
        if settled.action == "create":
            allowed = self._require(asked)
        lead_owner = self._rules.lead.read(self.lead, self._rules.lead.owner)
        if not is_empty(owner) and owner not in {self._rights.actor.id, lead_owner}:
            if settled.record is not None:
                asked = self._rights.with_record(kind, settled.record, Action.ASSIGN)
            given = attrs.evolve(asked, action=Action.ASSIGN)
            allowed &= self._require(given)
        return allowed

    def _require(self, request: AccessRequest) -> bool:
        denial = self._rights.denial(request, Cause.TARGET_ACCESS, self.index)
        if denial is not None:
            self.problems.append(denial)
        return denial is None

    def _tell(self, filler: Filler, wrong: Iterable[Problem]) -> None:
        """Add what is wrong with the target; what its actor may not see is one thing, unnamed."""
        for one in wrong:
            (self.withheld if filler.hides(one) else self.problems).append(one)
        if self.withheld:
            gravest = min((one.cause for one in self.withheld), key=list(Cause).index)
            self.problems.append(self._rights.hidden(gravest, self.kind.id, self.index))

    def _taken(self, filler: Filler) -> Iterator[Row]:
        """Yield the product lines of the lead that others took, so that this target gets none."""
        kind = self._rules.lead
        for target, mapping in filler.mappings.items():
            for name in mapping.sources:
                if is_empty(kind.read(self.left, name)) and not is_empty(
                    kind.read(self.lead, name)
                ):
                    where = f"{self.name}.{target}"
                    yield Row(name, where, Outcome.TAKEN, str(mapping), None)

    def _build(self, values: Mapping[str, object]) -> None:
        made = built(self.index, self.kind, self.settled, values, self.lead)
        if isinstance(made, Problem):
            self.problems.append(made)
        else:
            self.record = made


def built(
    index: int, kind: Kind, settled: Settled, values: Mapping[str, object], lead: Lead
) -> Record | Problem:
    """Return the record that a target makes or becomes, or why its class refuses the *values*.

    Example:
        >>> from leadconvert import Lead, Ref
        >>> from leadconvert.drafting import built
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.settling import Settled
        >>> settled = Settled(ref=Ref("deal", "new"), action="create")
        >>> built(0, DEAL, settled, {"title": "Engine"}, Lead(id="L-7", stage="NEW"))
        Deal(id='new', title='Engine')
    """
    try:
        if settled.record is None:
            return kind.build(settled.ref.id, values)
        back = str(kind.converted_from)
        leads = dict.fromkeys((*ids_in(kind.read(settled.record, back)), lead.id))
        written = {**values, back: tuple(leads)}
        if kind.cls is None:  # a field of data may be called as an attribute is
            written = {"custom": {**settled.record.custom, **written}}
        return changed(settled.record, written)
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything
        facts = {"error": type(error).__name__}
        return Problem(
            cause=Cause.INVALID,
            code="constructor_failed",
            target=index,
            kind=kind.id,
            params=facts,
        )
