"""What becomes of the children of one lead: each moves, is shared, is copied, or stays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from leadconvert.access import AccessRequest, Action
from leadconvert.changes import Attach, Change, Insert, Update
from leadconvert.children import ChildRule, Travel, pointers
from leadconvert.kinds import Kind
from leadconvert.past import Undoing
from leadconvert.records import GenericRecord, Lead, Record
from leadconvert.results import ChildOutcome
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.traces import TraceStep, marked
from leadconvert.values import Ref, ids_in, is_empty


__all__ = ["Travelled", "Travelling"]

#: What became of a child, by how it travelled; of several the first counts.
_DONE: Final = {Travel.MOVE: "moved", Travel.COPY: "copied", Travel.SHARE: "shared"}


@attrs.frozen(kw_only=True)
class Travelled:
    """What becomes of the children, what a store does to them, and what taking it back needs.

    Example:
        >>> from leadconvert.travelling import Travelled
        >>> Travelled().changes
        ()
    """

    outcomes: tuple[ChildOutcome, ...] = ()
    changes: tuple[Change, ...] = ()
    steps: tuple[TraceStep, ...] = ()


@attrs.frozen(kw_only=True)
class Travelling:
    """Lets the children of one *lead* travel to the *targets* of its conversion.

    Children are those of the *records* that point at the lead and whose kind a child rule names. Of
    the others only those are told of whose kind the rules do not know. *number* is that of the
    conversion; *closes* says that open children are closed with the lead.

    Example:
        >>> import attrs
        >>> from leadconvert import Actor, ChildRule, Field, GenericRecord, Kind, Lead, Policy
        >>> from leadconvert import Ref, presets
        >>> from leadconvert.rights import Rights
        >>> from leadconvert.travelling import Travelling
        >>> call = Kind("call", fields=[
        ...     Field("lead_id", "reference", to="lead"), Field("deal_id", "reference", to="deal"),
        ... ])
        >>> rules = attrs.evolve(presets.bitrix24(), children=[ChildRule(call, {"deal": "move"})])
        >>> rights = Rights(actor=Actor("u-7"), authorizer=Policy.allow_all(), rules=rules)
        >>> travelled = Travelling(
        ...     lead=Lead(id="L-7", stage="NEW"), rules=rules, rights=rights, number=1, closes=True,
        ...     records=[GenericRecord(kind="call", id="A-1", custom={"lead_id": "L-7"})],
        ...     targets=[Ref("deal", "D-5")],
        ... ).travel()
        >>> [(one.action, str(one.targets[0])) for one in travelled.outcomes]
        [('moved', 'deal D-5')]
    """

    lead: Lead
    rules: ConversionRules
    rights: Rights
    records: Iterable[Record]
    targets: Sequence[Ref]
    number: int
    closes: bool

    def travel(self) -> Travelled:
        """Return what becomes of each child, in the order of the rules, then of the ids."""
        children, unknown = self._sorted_out()
        outcomes: list[ChildOutcome] = []
        changes: list[Change] = []
        steps: list[TraceStep] = []
        for rule in self.rules.children:
            ways, made = tuple(self._ways(rule)), 0
            for _, child in sorted(children[rule.kind.id].items()):
                journey = self._journey(rule, child, ways, made)
                if self._may(journey):
                    made += len(journey.copies)
                    outcomes.append(journey.outcome)
                    changes += journey.changes
                    steps += journey.steps
                else:
                    outcomes.append(ChildOutcome(ref=journey.ref, action="left", reason="denied"))
        outcomes += (ChildOutcome(ref=ref, action="left", reason="no_rule") for ref in unknown)
        return Travelled(outcomes=tuple(outcomes), changes=tuple(changes), steps=tuple(steps))

    def _sorted_out(self) -> tuple[dict[str, dict[str, Record]], list[Ref]]:
        """Return the children of the lead by kind and id, and what is of no kind of the rules."""
        children: dict[str, dict[str, Record]] = {rule.kind.id: {} for rule in self.rules.children}
        unknown: set[tuple[str, str]] = set()
        for record in self.records:
            kind = self.rules.kind_of(record)
            if kind is None:
                cls = type(record).__name__
                name = record.kind if isinstance(record, GenericRecord) else cls
                unknown.add((name, record.id))
            elif kind.id in children and self._is_of_lead(kind, record):
                children[kind.id][record.id] = record
        return children, [Ref(kind, id_) for kind, id_ in sorted(unknown)]

    def _is_of_lead(self, kind: Kind, record: Record) -> bool:
        names = pointers(kind, self.rules.lead.id)
        return any(self.lead.id in ids_in(kind.read(record, name)) for name in names)

    def _journey(
        self, rule: ChildRule, child: Record, ways: tuple[tuple[Travel, Ref], ...], made: int
    ) -> "_Journey":
        prefix = f"{self.lead.id}.{self.number}.{rule.kind.id}"
        copied = [ref for travel, ref in ways if travel is Travel.COPY]
        return _Journey(
            rule=rule,
            child=child,
            lead=Ref(self.rules.lead.id, self.lead.id),
            ways=ways,
            copies={
                Ref(rule.kind.id, f"{prefix}.{made + n}", provisional=True): ref
                for n, ref in enumerate(copied, start=1)
            },
            shared={ref for ref in self.targets if ref.provisional and self._had(ref)},
            closes=self.closes,
        )

    def _ways(self, rule: ChildRule) -> Iterator[tuple[Travel, Ref]]:
        """Yield how a child travels and where to: it moves to one target at most."""
        has_moved = False
        for kind, travel in rule.into:
            refs = [ref for ref in self.targets if ref.kind == kind]
            if travel is Travel.MOVE:
                refs = [] if has_moved else refs[:1]
                has_moved = has_moved or bool(refs)
            elif travel is Travel.COPY:
                refs = [ref for ref in refs if not self._had(ref)]
            yield from ((travel, ref) for ref in refs)

    def _had(self, target: Ref) -> bool:
        """Tell whether an earlier conversion had this target: children have travelled there."""
        kept = (
            made
            for made in self.lead.conversions
            if made.undone is None or made.undone.how is not Undoing.REVERSED
        )
        return any(target.stored == ref.stored for made in kept for ref in made.targets)

    def _may(self, journey: "_Journey") -> bool:
        if not journey.rule.asks or not journey.changes:
            return True
        # each is asked, so that a remote engine hears of all at once
        answers = [self.rights.may(asked) for asked in self._asked(journey)]
        return all(answers)

    def _asked(self, journey: "_Journey") -> Iterator[AccessRequest]:
        kind, child = journey.rule.kind, journey.child
        yield self.rights.with_record(kind, child, Action.READ)
        if journey.values or journey.attached:
            yield self.rights.with_record(kind, child, Action.UPDATE)
        if journey.copies:
            yield self.rights.with_values(kind, journey.held, Action.CREATE)


@attrs.frozen(kw_only=True)
class _Journey:
    """What becomes of one child, if nobody denies it."""

    rule: ChildRule
    child: Record
    lead: Ref
    ways: tuple[tuple[Travel, Ref], ...]
    #: By the ref of each copy, the target that it is for.
    copies: Mapping[Ref, Ref]
    #: Targets that no store has yet, with which an earlier conversion shares the child already.
    shared: AbstractSet[Ref]
    closes: bool
    #: What closes the child, unless it is closed already.
    closing: Mapping[str, object] = attrs.field(init=False)
    #: What is written into the child itself.
    values: Mapping[str, object] = attrs.field(init=False)
    #: What is added to which of its fields.
    attached: tuple[tuple[str, Ref], ...] = attrs.field(init=False)

    @closing.default
    def _what_closes(self) -> dict[str, object]:
        kind, given = self.rule.kind, self.rule.close if self.closes else {}
        accepted = {name: kind.members[name].accept(value) for name, value in given.items()}
        return {
            name: value
            for name, value in accepted.items()
            if not _same(value, kind.read(self.child, name))
        }

    @values.default
    def _what_is_written(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for target in self._to(Travel.MOVE):
            found |= self._without_lead()
            name = self._pointer_to(target)
            there = self._refs_in(name)
            if target not in there:
                found[name] = self._held(name, (*there, target))
        return {**found, **self.closing}

    @attached.default
    def _what_is_attached(self) -> tuple[tuple[str, Ref], ...]:
        new = (ref for ref in self._to(Travel.SHARE) if ref not in self.shared)
        fields = ((self._pointer_to(ref), ref) for ref in new)
        return tuple((name, ref) for name, ref in fields if ref not in self._refs_in(name))

    @property
    def ref(self) -> Ref:
        return Ref(self.rule.kind.id, self.child.id)

    @property
    def held(self) -> Mapping[str, object]:
        """What the child holds: its fields, and whatever else the host keeps in it."""
        kind = self.rule.kind
        fields = {name: kind.read(self.child, name) for name in kind.members}
        return {**fields, **self.child.custom}

    @property
    def action(self) -> str:
        return next((done for travel, done in _DONE.items() if self._to(travel)), "left")

    @property
    def outcome(self) -> ChildOutcome:
        why_not = "no_target" if self.rule.into else "by_rule"
        return ChildOutcome(
            ref=self.ref,
            action=self.action,
            targets=tuple(ref for _, ref in self.ways),
            copies=tuple(self.copies),
            closed=bool(self.closing),
            reason=None if self.ways else why_not,
        )

    @property
    def changes(self) -> tuple[Change, ...]:
        found: list[Change] = []
        if self.values:
            found.append(Update(self.ref, self.child.revision, self.values))
        for field in dict.fromkeys(name for name, _ in self.attached):
            refs = [ref for name, ref in self.attached if name == field]
            found.append(Attach(self.ref, field, refs))
        found += (Insert(ref, self._copied(target)) for ref, target in self.copies.items())
        return tuple(found)

    @property
    def steps(self) -> Iterator[TraceStep]:
        """What taking it back needs: one step for the child itself, and one for each copy."""
        kind = self.rule.kind
        if self.values or self.attached:
            written = "moved" if self._to(Travel.MOVE) else "closed"
            before = {name: kind.read(self.child, name) for name in self.values}
            yield TraceStep(
                ref=self.ref,
                action=written if self.values else "shared",
                before=_referring(kind, before),
                written=marked(self.values),
                attached=self.attached,
            )
        for ref, target in self.copies.items():
            values = self._copied(target)
            known = {name: value for name, value in values.items() if name in kind.members}
            yield TraceStep(ref=ref, action="copied", written=marked(known))

    def _copied(self, target: Ref) -> dict[str, object]:
        """Return what the copy for *target* holds: what the child held, but the leads."""
        kind, name = self.rule.kind, self._pointer_to(target)
        leads = pointers(kind, self.lead.kind)
        kept = {
            field: value
            for field, value in self.held.items()
            if field not in leads and not is_empty(value)
        }
        return _referring(kind, kept) | {name: self._held(name, (target,))}

    def _without_lead(self) -> Iterator[tuple[str, object]]:
        for name in pointers(self.rule.kind, self.lead.kind):
            there = self._refs_in(name)
            if self.lead in there:
                yield name, self._held(name, tuple(ref for ref in there if ref != self.lead))

    def _to(self, how: Travel) -> tuple[Ref, ...]:
        return tuple(ref for travel, ref in self.ways if travel is how)

    def _pointer_to(self, target: Ref) -> str:
        [name] = pointers(self.rule.kind, target.kind)
        return name

    def _refs_in(self, name: str) -> tuple[Ref, ...]:
        kind = self.rule.kind
        to = str(kind.members[name].to)
        return tuple(Ref(to, id_) for id_ in ids_in(kind.read(self.child, name)))

    def _held(self, name: str, refs: tuple[Ref, ...]) -> object:
        """Return *refs* as the field holds them: of one that holds one, the last."""
        if self.rule.kind.members[name].multiple:
            return refs
        return refs[-1] if refs else None


def _referring(kind: Kind, values: Mapping[str, object]) -> dict[str, object]:
    """Return *values* of a record that is stored, with a ref wherever it refers to another."""
    to = {name: field.to for name, field in kind.members.items()}
    return {name: _as_refs(to.get(name), value) for name, value in values.items()}


def _as_refs(to: str | None, value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_as_refs(to, item) for item in value)
    is_id = to is not None and isinstance(value, str) and not is_empty(value)
    return Ref(str(to), str(value)) if is_id else value


def _same(one: object, other: object) -> bool:
    return one == other or (is_empty(one) and is_empty(other))
