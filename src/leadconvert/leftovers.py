"""What of a lead reaches nothing, why, and where it is kept: nothing is lost in silence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import attrs

from leadconvert.carrying import question_about
from leadconvert.earlier import Earlier
from leadconvert.fields import MisfitError
from leadconvert.kinds import Kind
from leadconvert.losses import Leftovers, Losses
from leadconvert.mapping import FieldMapping, Overflow
from leadconvert.plans import Draft, Question
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead, Record
from leadconvert.results import Outcome, Row, dropped
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry
from leadconvert.templates import shortened, worded
from leadconvert.values import is_empty


__all__ = ["Keeping", "Kept", "Leaving", "leftovers", "notes"]


@attrs.define(kw_only=True)
class Leaving:
    """Decides what becomes of all that reaches nothing: asked about, kept, refused or told.

    Afterwards *kept* is what the record that keeps it holds, and *withheld* are the problems that
    the actor may not know of.

    Example:
        >>> from leadconvert import Actor, Known, Lead, presets
        >>> from leadconvert.earlier import Earlier
        >>> from leadconvert.leftovers import Leaving
        >>> from leadconvert.rights import Rights
        >>> rules, lead = presets.bitrix24(), Lead(id="L-7", stage="NEW", tags=["new"])
        >>> leaving = Leaving(
        ...     lead=lead, carry={}, reached=set(), drafts=[], there={}, closing=True,
        ...     rights=Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules),
        ...     earlier=Earlier(lead=lead, rules=rules, known=Known()),
        ... )
        >>> leaving.leave()
        >>> [str(row.outcome) for row in leaving.rows]
        ['dropped']
    """

    lead: Lead
    carry: Carry
    rights: Rights
    #: The fields of the lead that reached something.
    reached: AbstractSet[str | None]
    drafts: Sequence[Draft]
    #: By target, the record that exists.
    there: Mapping[int, Record]
    earlier: Earlier
    closing: bool

    rows: list[Row] = attrs.field(factory=list, init=False)
    questions: list[Question] = attrs.field(factory=list, init=False)
    problems: list[Problem] = attrs.field(factory=list, init=False)
    withheld: list[Problem] = attrs.field(factory=list, init=False)
    kept: "Kept | None" = attrs.field(default=None, init=False)

    def leave(self) -> None:
        """Decide on every field that reached nothing; called once."""
        kinds = {draft.ref.kind for draft in self.drafts if draft.action != "link"}
        left = tuple(leftovers(self.lead, self._rules, self.carry, self.reached, kinds))
        lost, losses = dropped(left), self._rules.losses
        if losses is not Losses.LENIENT:
            self._ask(lost)
        self._keep(lost)
        if self.kept is not None:
            left = tuple(row for row in left if row not in lost)
        elif losses is Losses.LENIENT:
            left = tuple(
                row._replace(outcome=Outcome.LEFT_BEHIND) if row in lost else row for row in left
            )
        elif losses is Losses.STRICT and self.closing:
            self._refuse(lost)
        self.rows += left

    @property
    def _rules(self) -> ConversionRules:
        return self.rights.rules

    @property
    def _hidden(self) -> AbstractSet[str]:
        """The fields of the lead that the actor may not see."""
        return self.rights.sight(self._rules.lead).hidden

    def _ask(self, lost: Iterable[Row]) -> None:
        """Ask where custom fields go that nobody has decided on."""
        allowed = {draft.ref.kind for draft in self.drafts if not draft.denied}
        chosen = [kind for kind in self._rules.kinds if kind.id in allowed]
        for row in lost:
            if row.reason == "undecided" and row.field not in self._hidden:
                name = str(row.field)
                self.questions.append(
                    question_about(name, self.lead, self._rules, chosen, self.rights.sight)
                )

    def _keep(self, lost: Iterable[Row]) -> None:
        keeping = Keeping(
            lead=self.lead,
            rules=self._rules,
            drafts=self.drafts,
            there=self.there,
            hidden=self._hidden,
        )
        self.kept = keeping.keep([str(row.field) for row in lost])
        if self.kept is not None:
            self.problems += self.kept.problems
            self.rows += self.kept.rows

    def _refuse(self, lost: Iterable[Row]) -> None:
        """Refuse to close a lead of which something would be lost; earlier records count."""
        lead = self._rules.lead
        for row in lost:
            into = {one.kind for one in self._rules.mappings if row.field in one.sources}
            if any(self.earlier.became(str(kind)) for kind in into):
                continue
            facts = {"source": row.field, "why": row.reason}
            one = Problem(
                cause=Cause.INVALID, code="would_drop", kind=lead.id, field=row.field, params=facts
            )
            if row.field in self._hidden:
                self.withheld.append(one)
                one = self.rights.hidden(Cause.INVALID, lead.id)
            self.problems.append(one)


def leftovers(
    lead: Lead,
    rules: ConversionRules,
    carry: Carry,
    reached: AbstractSet[str | None],
    kinds: AbstractSet[str],
) -> Iterator[Row]:
    """Yield a row for each filled field of the lead but its stage that is not among the *reached*.

    *kinds* are those chosen.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.leftovers import leftovers
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine", tags=["new"])
        >>> [row.reason for row in leftovers(lead, presets.bitrix24(), {}, {"tags"}, {"contact"})]
        ['no_target']
    """
    for name in _filled(lead, rules):
        if name in reached:
            continue
        mappings = [one for one in rules.mappings if name in one.sources]
        if any(one.leaves_behind for one in mappings):
            yield Row(name, None, Outcome.LEFT_BEHIND, str(FieldMapping.leave(name)), None)
        elif name in carry and not carry[name]:
            yield Row(name, None, Outcome.LEFT_BEHIND, "carry", None)
        elif kinds and kinds <= {*rules.declined.get(name, ())}:
            yield Row(name, None, Outcome.LEFT_BEHIND, "declined", None)
        elif any(one.kind in kinds for one in mappings):
            yield Row(name, None, Outcome.DROPPED, None, "transform_empty")
        elif mappings or name in carry:
            yield Row(name, None, Outcome.DROPPED, None, "no_target")
        else:
            reason = "undecided" if name in lead.custom else "no_mapping"
            yield Row(name, None, Outcome.DROPPED, None, reason)


def _filled(lead: Lead, rules: ConversionRules) -> Iterable[str]:
    """Return every filled field of the lead but its stage, in an order that is no dict's."""
    kind = rules.lead
    names = (*kind.members, *sorted(lead.custom.keys() - kind.members.keys()))
    return [one for one in names if one != kind.stage and not is_empty(kind.read(lead, one))]


def notes(lead: Lead, kind: Kind, names: Iterable[str]) -> str:
    """Return the filled fields of that *lead* with these *names* as lines of ``label: value``.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.kinds import LEAD
        >>> from leadconvert.leftovers import notes
        >>> print(notes(Lead(id="L-7", stage="NEW", tags=["new", "big"]), LEAD, ["tags"]))
        Tags: new, big
    """
    labels = {name: field.label for name, field in kind.members.items()}
    told = ((labels.get(name, name), worded(kind.read(lead, name))) for name in names)
    # a line that goes on is set off, so that each field still begins a line of its own
    return "\n".join(f"{label}: {text}".replace("\n", "\n    ") for label, text in told)


@attrs.frozen(kw_only=True)
class Kept:
    """What is kept of a lead: the draft that holds it by now, its rows, and what is wrong with it.

    Example:
        >>> from leadconvert import Draft, Ref
        >>> from leadconvert.leftovers import Kept
        >>> Kept(draft=Draft(target=0, ref=Ref("deal", "D-5"), name="deal 1", values={})).rows
        ()
    """

    draft: Draft
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()


@attrs.frozen(kw_only=True)
class Keeping:
    """Keeps what would be lost in the one record that the rules name for it, if it is made.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.leftovers import Keeping
        >>> lead = Lead(id="L-7", stage="NEW", tags=["new"])
        >>> rules = presets.bitrix24()
        >>> keeping = Keeping(lead=lead, rules=rules, drafts=[], there={}, hidden=set())
        >>> keeping.keep(["tags"]) is None
        True
    """

    lead: Lead
    rules: ConversionRules
    drafts: Sequence[Draft]
    #: By target, the record that exists.
    there: Mapping[int, Record]
    #: The fields of the lead that the actor may not see.
    hidden: AbstractSet[str]

    def keep(self, names: Sequence[str]) -> Kept | None:
        """Return how the fields with these *names* are kept, or None if they are not.

        Example:
            >>> import attrs
            >>> from leadconvert import Draft, Lead, Leftovers, Ref, presets
            >>> from leadconvert.leftovers import Keeping
            >>> kept = [Leftovers("deal", "comments")]
            >>> keeping = Keeping(
            ...     lead=Lead(id="L-7", stage="NEW", tags=["new"]),
            ...     rules=attrs.evolve(presets.bitrix24(), leftovers=kept), there={}, hidden=set(),
            ...     drafts=[Draft(target=0, ref=Ref("deal", "D-5"), name="deal 1", values={})],
            ... )
            >>> dict(keeping.keep(["tags"]).draft.values)
            {'comments': 'Tags: new'}
        """
        for one in self.rules.leftovers if names else ():
            for draft in self.drafts:
                if draft.ref.kind == one.kind and draft.action != "link" and not draft.denied:
                    return self._kept(one, draft, names)
        return None

    def _kept(self, one: Leftovers, draft: Draft, names: Sequence[str]) -> Kept:
        lead = self.rules.lead
        if one.field is None:
            values = {f"{lead.id}.{name}": lead.read(self.lead, name) for name in names}
            return self._held(one, draft, names, values)
        problems: list[Problem] = []
        [kind] = (kind for kind in self.rules.kinds if kind.id == one.kind)
        text = self._below(one, kind, draft, notes(self.lead, lead, names))
        try:
            kind.members[one.field].accept(text)
        except MisfitError as misfit:
            problem = Problem(
                cause=Cause.INVALID,
                code=misfit.code,
                target=draft.target,
                kind=kind.id,
                field=one.field,
                params=misfit.params,
            )
            problems.append(problem)
        return self._held(one, draft, names, {one.field: text}, problems)

    def _below(self, one: Leftovers, kind: Kind, draft: Draft, lines: str) -> str:
        """Return the *lines* below what stands in the field already."""
        name, stored = str(one.field), self.there.get(draft.target)
        old = draft.values.get(name, None if stored is None else kind.read(stored, name))
        text = lines if is_empty(old) else f"{old}\n\n{lines}"
        length = kind.members[name].max_length
        if length is None or one.overflow is not Overflow.SHORTEN:
            return text
        return shortened(text, length)

    def _held(
        self,
        one: Leftovers,
        draft: Draft,
        names: Sequence[str],
        values: Mapping[str, object],
        problems: Sequence[Problem] = (),
    ) -> Kept:
        wheres = [*values] if one.field is None else [one.field] * len(names)
        hidden = {where for name, where in zip(names, wheres, strict=True) if name in self.hidden}
        outcome = Outcome.REFUSED if problems else Outcome.CARRIED
        return Kept(
            draft=attrs.evolve(
                draft,
                values={**draft.values, **values},
                unseen=draft.unseen | hidden,
            ),
            rows=tuple(
                Row(name, f"{draft.name}.{where}", outcome, str(one), "leftovers")
                for name, where in zip(names, wheres, strict=True)
            ),
            problems=tuple(problems),
        )
