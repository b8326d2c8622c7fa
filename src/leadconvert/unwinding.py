"""Taking back what a conversion did, step by step, as far as nothing stands in the way."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs

from leadconvert.access import Action
from leadconvert.changes import Change, Delete, Detach, Update, plain
from leadconvert.closing import referring
from leadconvert.fields import FieldType
from leadconvert.kinds import Kind
from leadconvert.problems import Cause, Problem
from leadconvert.records import Record, changed
from leadconvert.rights import Rights
from leadconvert.targets import survivor
from leadconvert.traces import TraceStep, marked
from leadconvert.values import Ref, ids_in, is_empty


__all__ = ["Unwinding"]


@attrs.define(kw_only=True)
class Unwinding:
    """Takes the steps of conversions back; afterwards *changes* and *problems* say how far.

    What is a problem stays as it is, but for its pointer back at the lead.

    Example:
        >>> from leadconvert import Actor, Deal, Policy, Ref, TraceStep, presets
        >>> from leadconvert.rights import Rights
        >>> from leadconvert.unwinding import Unwinding
        >>> rules, deal = presets.bitrix24(), Ref("deal", "D-5")
        >>> rights = Rights(actor=Actor("u-7"), authorizer=Policy.allow_all(), rules=rules)
        >>> unwinding = Unwinding(rights=rights, there={deal: Deal(id="D-5", title="Engine")})
        >>> unwinding.unwind([TraceStep(ref=deal, action="created")])
        >>> [problem.code for problem in unwinding.problems]
        ['changed_since']
    """

    rights: Rights
    there: Mapping[Ref, Record]
    merged: Iterable[tuple[Ref, Ref]] = ()
    #: What other conversions in force made or found, which points back at the lead for them.
    held: AbstractSet[Ref] = frozenset()
    #: Whether what was made and merged stays, and is only let go.
    keep: bool = False
    problems: list[Problem] = attrs.field(factory=list, init=False)
    _updates: dict[Ref, dict[str, object]] = attrs.field(factory=dict, init=False)
    _detached: list[Detach] = attrs.field(factory=list, init=False)
    _deleted: list[Delete] = attrs.field(factory=list, init=False)
    #: Every record as it will be.
    _after: dict[Ref, Record] = attrs.field(
        init=False, default=attrs.Factory(lambda self: dict(self.there), takes_self=True)
    )

    @property
    def changes(self) -> tuple[Change, ...]:
        """What a store is to do, each record updated once, and removed when nobody needs it."""
        updates = [
            Update(ref, self.there[ref].revision, values) for ref, values in self._updates.items()
        ]
        return (*updates, *self._detached, *self._deleted)

    @property
    def restored(self) -> tuple[Record, ...]:
        """The records that are given back what they held before, as they will be."""
        return tuple(self._after[ref] for ref in self._updates)

    @property
    def removed(self) -> tuple[Ref, ...]:
        """What is removed, as the conversion had made it."""
        return tuple(one.ref for one in self._deleted)

    @property
    def released(self) -> tuple[Ref, ...]:
        """What is let go, and stays."""
        return tuple(dict.fromkeys(one.ref for one in self._detached))

    def unwind(self, steps: Iterable[TraceStep]) -> None:
        """Take *steps* back, the last one first; what they did to the lead is not looked at."""
        for step in reversed(tuple(steps)):
            match step.action:
                case "created" | "copied":
                    self._remove(step)
                case "merged" | "linked":
                    self._give_back(step, restores=step.action == "merged" and not self.keep)
                case "moved" | "closed":
                    self._give_back(step, restores=True)
                case "shared":
                    self._let_go(step)

    def unchanged(self, step: TraceStep, kind: Kind, record: Record) -> dict[str, object]:
        """Return what to restore of *record*: what stood there before, where it is as written.

        Money is restored with its currency and product lines, or not at all; so are the references
        of a child that moved, or else it would belong to two. None is restored to what is gone.
        """
        now = {name: kind.read(record, name) for name in step.written}
        differing = set(self._differing(kind, now, step.written))
        wholes = list(_wholes(kind, step))
        for whole in wholes:
            if not differing.isdisjoint(whole):
                differing |= whole & step.written.keys()
        self._tell_changed(step.ref.stored, kind, differing)
        kept = (one for one in step.before.items() if one[0] not in differing)
        values = {name: self._by_now(value) for name, value in kept}
        gone = dict(self._gone(kind, record, values))
        for ref in dict.fromkeys(gone.values()):
            self._stays("gone_since", ref)
        lost = set(gone).union(*(whole for whole in wholes if not whole.isdisjoint(gone)))
        return {name: one for name, one in values.items() if name not in lost}

    def _remove(self, step: TraceStep) -> None:
        ref, kind = step.ref.stored, self._kind(step.ref)
        if self.keep:
            self._let_go(step)
            return
        record, before = self._found(ref, kind, Action.DELETE), len(self.problems)
        if record is not None and kind is not None:
            # of a copy the trace knows no other fields; into a new record none were written
            beyond = () if step.action == "copied" else record.custom
            filled = {name: kind.read(record, name) for name in (*kind.members, *beyond)}
            now = {name: one for name, one in filled.items() if not is_empty(one)}
            now.pop(str(kind.converted_from), None)
            self._tell_changed(ref, kind, set(self._differing(kind, now, step.written)))
            if others := list(dict.fromkeys(self._others(step, kind, record))):
                named = [str(one) for one in others if self._may_read(one)]
                self._stays("has_others", ref, count=len(others), others=named)
        if record is None or kind is None or len(self.problems) > before:
            self._let_go(step)
            return
        attached = dict(_attached(kind, self._after.pop(ref)))
        self._deleted.append(Delete(ref, record.revision, attached))

    def _give_back(self, step: TraceStep, *, restores: bool) -> None:
        """Restore what a record held before, and let go of it."""
        ref, kind = step.ref.stored, self._kind(step.ref)
        if restores and step.before:
            record = self._found(ref, kind, Action.UPDATE)
            if record is not None and kind is not None:
                values = self.unchanged(step, kind, self._after[ref])
                self._after[ref] = _with(kind, self._after[ref], values)
                if values:
                    self._updates.setdefault(ref, {}).update(values)
        self._let_go(step)

    def _let_go(self, step: TraceStep) -> None:
        """Take out what the conversion added, unless another one in force holds the record."""
        ref = survivor(step.ref.stored, self.merged)
        kind = self._kind(ref)
        if kind is None:
            return  # the rules have given it up, and no store knows it
        for field, added in step.attached:
            if field == kind.converted_from and ref in self.held:
                continue
            gone = survivor(added.stored, self.merged)
            self._detached.append(Detach(ref, field, [gone]))
            if ref in self._after:
                left = [one for one in ids_in(kind.read(self._after[ref], field)) if one != gone.id]
                self._after[ref] = _with(kind, self._after[ref], {field: tuple(left)})

    def _found(self, ref: Ref, kind: Kind | None, action: Action) -> Record | None:
        """Return the record to change or remove, or say why it is not to be had."""
        last, record = survivor(ref, self.merged), self.there.get(ref)
        if last != ref and self._may_read(last):
            self._stays("merged_away", ref, survivor=last.id)
            return None
        if last != ref or record is None or kind is None:
            self._stays("gone_since", ref)
            return None
        asked = self.rights.with_record(kind, record, action)
        # both are asked at once, so that a remote engine needs no third batch
        denial = self.rights.denial(asked, Cause.REVERSAL) if self._asks(kind) else None
        if not self._may_read(ref):
            self._stays("gone_since", ref)
            return None
        if denial is not None:
            named = {"id": ref.id, **denial.params}
            self.problems.append(attrs.evolve(denial, params=named))
            return None
        return record

    def _differing(
        self, kind: Kind, now: Mapping[str, object], written: Mapping[str, object]
    ) -> Iterator[str]:
        marks = marked(referring(kind, now))
        for name in {*marks, *written}:
            if plain(self._by_now(marks.get(name))) != plain(self._by_now(written.get(name))):
                yield name

    def _by_now(self, value: object) -> object:
        """Return *value* with the survivors in place of the refs that were merged away."""
        match value:
            case Ref():
                return survivor(value.stored, self.merged)
            case (Ref(), *_):
                return tuple(dict.fromkeys(self._by_now(one) for one in value))
            case _:
                return value

    def _gone(
        self, kind: Kind, record: Record, values: Mapping[str, object]
    ) -> Iterator[tuple[str, Ref]]:
        """Yield the fields by which *record* would point at what is gone, each with that."""
        for name, value in values.items():
            now = ids_in(kind.read(record, name))
            for ref in value if isinstance(value, tuple) else (value,):
                if isinstance(ref, Ref) and ref.id not in now and self._is_gone(ref):
                    yield name, ref

    def _is_gone(self, ref: Ref) -> bool:
        """Tell whether a record is not there; of leads, and of kinds not ours, nobody asks."""
        is_lead = ref.kind == self.rights.rules.lead.id
        return not is_lead and self._kind(ref) is not None and ref not in self._after

    def _others(self, step: TraceStep, kind: Kind, record: Record) -> Iterator[Ref]:
        """Yield who will still refer to a record, came from elsewhere, or was merged into it."""
        ref = step.ref.stored
        for one, other in self._after.items():
            its = self._kind(one)
            fields = {} if its is None else its.references
            for name, field in fields.items():
                points = its is not None and ref.id in ids_in(its.read(other, name))
                if field.to == ref.kind and points and one != ref:
                    yield one
                    break
        # what another conversion in force holds is not this one's alone
        own = set() if ref in self.held else {self._by_now(added) for _, added in step.attached}
        for id_ in ids_in(kind.read(record, kind.converted_from)):
            lead = Ref(self.rights.rules.lead.id, id_)
            if self._by_now(lead) not in own:
                yield lead
        yield from (gone for gone, _ in self.merged if gone != ref and self._by_now(gone) == ref)

    def _may_read(self, ref: Ref) -> bool:
        kind, record = self._kind(ref), self.there.get(ref)
        if kind is None or record is None:
            return False
        asked = self.rights.with_record(kind, record, Action.READ)
        return not self._asks(kind) or self.rights.may(asked)

    def _asks(self, kind: Kind) -> bool:
        """Tell whether rights count for records of *kind*: of children the rules say so."""
        rules = self.rights.rules.children
        return next((rule.asks for rule in rules if rule.kind is kind), True)

    def _kind(self, ref: Ref) -> Kind | None:
        return next((kind for kind in self.rights.rules.every_kind if kind.id == ref.kind), None)

    def _tell_changed(self, ref: Ref, kind: Kind, fields: AbstractSet[str]) -> None:
        """Say which fields were changed since; of those that the actor may not see only that."""
        seen = sorted(fields - self.rights.sight(kind).hidden) if fields else []
        if seen:
            self._stays("changed_since", ref, fields=seen)
        elif fields:
            self._stays("changed_unseen", ref, actor=self.rights.actor.id)

    def _stays(self, code: str, ref: Ref, **params: object) -> None:
        facts = {"id": ref.id, **params}
        self.problems.append(Problem(cause=Cause.REVERSAL, code=code, kind=ref.kind, params=facts))


def _wholes(kind: Kind, step: TraceStep) -> Iterator[AbstractSet[str]]:
    """Yield the fields that say something together only."""
    money: dict[str, set[str]] = {}
    for name, field in kind.members.items():
        if field.type is FieldType.MONEY:
            whole = money.setdefault(field.currency or name, set())
            whole |= {one for one in (name, field.currency, field.sums) if one is not None}
    yield from money.values()
    if step.action == "moved":
        yield {name for name, field in kind.members.items() if field.to is not None}


def _attached(kind: Kind, record: Record) -> Iterator[tuple[str, tuple[Ref, ...]]]:
    """Yield each field that is a set of refs, with those that *record* holds in it."""
    for name, field in kind.members.items():
        if field.to is not None and field.multiple:
            yield name, tuple(Ref(field.to, one) for one in ids_in(kind.read(record, name)))


def _with(kind: Kind, record: Record, values: Mapping[str, object]) -> Record:
    """Return *record* with other *values*, as a store will hold it."""
    given = {name: plain(one) for name, one in values.items()}
    if kind.cls is None:  # a field of data may be called as an attribute is
        given = {"custom": {**record.custom, **given}}
    return changed(record, given)
