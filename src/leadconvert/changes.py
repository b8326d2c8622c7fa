"""What a store is to do, all or nothing, and what it answers: plain values that name no store.

Every reference in a change is a `Ref`. The ids of records to insert are provisional: a store may
keep them or give its own, and says which in its receipt.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import attrs

from leadconvert.errors import IdempotencyError
from leadconvert.given import all_of, aware, is_a, texts
from leadconvert.matching import MatchKey
from leadconvert.past import Conversion
from leadconvert.traces import Trace, TraceStep
from leadconvert.values import FrozenMap, Ref, ids_in


__all__ = [
    "Attach",
    "Change",
    "ChangeSet",
    "Claim",
    "Delete",
    "Detach",
    "Event",
    "Insert",
    "Receipt",
    "Update",
    "bind",
    "bound",
    "made",
    "plain",
]


def _refs(values: Iterable[Ref]) -> tuple[Ref, ...]:
    return tuple(values)


def _attached(values: Mapping[str, Iterable[Ref]]) -> FrozenMap[tuple[Ref, ...]]:
    return FrozenMap({field: _refs(refs) for field, refs in values.items()})


@attrs.frozen
class Claim:
    """A key by which a record was sought, and will be found, and who was *seen* holding it.

    A store refuses the change if others hold the key by now, or fewer: the decision was about them.
    What was made new on purpose was not sought, and claims nothing.

    Example:
        >>> from leadconvert import Claim, MatchKey, Ref
        >>> Claim(MatchKey("email", "ada@example.com"), [Ref("contact", "C-3")]).seen[0].id
        'C-3'
    """

    key: MatchKey
    seen: tuple[Ref, ...] = attrs.field(default=(), converter=_refs)


def _claims(values: Iterable[Claim]) -> tuple[Claim, ...]:
    return all_of(values, Claim)


@attrs.frozen
class Insert:
    """Make a record: its provisional ref, and its filled fields by field id.

    *claims* are the keys by which it was sought, and is found from now on.

    Example:
        >>> from leadconvert import Insert, Ref
        >>> Insert(Ref("deal", "L-7.1.deal.1", provisional=True), {"title": "Engine"}).ref.kind
        'deal'
    """

    ref: Ref
    values: Mapping[str, object] = attrs.field(repr=False)
    claims: tuple[Claim, ...] = attrs.field(default=(), converter=_claims)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))


@attrs.frozen
class Update:
    """Change a record, if *revision* is still its current one: the changed fields by field id.

    Example:
        >>> from leadconvert import Ref, Update
        >>> Update(Ref("lead", "L-7"), "3", {"stage": "CONVERTED"}).revision
        '3'
    """

    ref: Ref
    revision: str | None
    values: Mapping[str, object] = attrs.field(repr=False)
    claims: tuple[Claim, ...] = attrs.field(default=(), converter=_claims)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))


@attrs.frozen
class Attach:
    """Add refs to a field that is a set of them, such as the leads a record came from.

    It needs no revision: many may add to one record, and it fails only if the record is gone.

    Example:
        >>> from leadconvert import Attach, Ref
        >>> Attach(Ref("company", "CO-9"), "converted_from", [Ref("lead", "L-7")]).refs[0].id
        'L-7'
    """

    ref: Ref
    field: str
    refs: tuple[Ref, ...] = attrs.field(converter=_refs)


@attrs.frozen
class Detach:
    """Take refs out of a field that is a set of them: what `Attach` added, and nothing else.

    It needs no revision, and does nothing to a record that is gone.

    Example:
        >>> from leadconvert import Detach, Ref
        >>> Detach(Ref("company", "CO-9"), "converted_from", [Ref("lead", "L-7")]).field
        'converted_from'
    """

    ref: Ref
    field: str
    refs: tuple[Ref, ...] = attrs.field(converter=_refs)


@attrs.frozen
class Delete:
    """Remove a record, if *revision* is still its current one.

    `Attach` makes no revision, so *attached* tells, by field id, whom the decision saw in each
    field that is a set of refs: a store refuses the change if others are there by now, or fewer.

    Example:
        >>> from leadconvert import Delete, Ref
        >>> Delete(Ref("deal", "D-5"), "1", {"converted_from": [Ref("lead", "L-7")]}).attached
        FrozenMap({'converted_from': (Ref(kind='lead', id='L-7', provisional=False),)})
    """

    ref: Ref
    revision: str | None
    attached: Mapping[str, tuple[Ref, ...]] = attrs.field(factory=FrozenMap, converter=_attached)

    def sees(self, held: Callable[[str], object]) -> bool:
        """Tell whether just those are attached that were seen; *held* reads a field by its id.

        Example:
            >>> from leadconvert import Company, Delete, Ref
            >>> from leadconvert.kinds import COMPANY
            >>> company = Company(id="CO-9", converted_from=["L-7", "L-8"])
            >>> seen = {"converted_from": [Ref("lead", "L-7")]}
            >>> Delete(Ref("company", "CO-9"), "1", seen).sees(lambda f: COMPANY.read(company, f))
            False
        """
        return all(
            {*ids_in(held(field))} == {ref.id for ref in refs}
            for field, refs in self.attached.items()
        )


#: One step of a change set.
Change = Insert | Update | Attach | Detach | Delete


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened, for whoever listens: ``lead.converted`` or ``record.created``.

    *at* is a moment with a time zone; *actor_id* is None where nobody knows who it was.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Event, Ref
        >>> Event(
        ...     name="record.created", ref=Ref("deal", "D-5"), actor_id="u-7",
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... ).name
        'record.created'
    """

    name: str
    ref: Ref
    at: datetime = attrs.field(converter=aware)
    actor_id: str | None = None
    params: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "params", FrozenMap(self.params))


def _changes(values: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(values)


def _traces(values: Iterable[Trace]) -> tuple[Trace, ...]:
    return all_of(values, Trace)


def _events(values: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class ChangeSet:
    """Everything one decision writes, in dependency order, the lead last.

    The *key* makes a retry harmless: a store that knows it answers with its first receipt. The
    *fingerprint* stands for the request, so that a store can refuse another request under one key.

    Example:
        >>> from leadconvert import ChangeSet
        >>> len(ChangeSet(key="L-7/0/9f2c", fingerprint="9f2c").changes)
        0
    """

    key: str = attrs.field(validator=is_a(str))
    fingerprint: str
    changes: tuple[Change, ...] = attrs.field(default=(), converter=_changes)
    #: The keys of the change sets that must be applied before, as they make what this refers to.
    after: tuple[str, ...] = attrs.field(default=(), converter=texts)
    events: tuple[Event, ...] = attrs.field(default=(), converter=_events)
    #: What taking the conversions back needs: to be kept with their ids, apart from the lead.
    traces: tuple[Trace, ...] = attrs.field(default=(), converter=_traces)

    def bound(
        self, ids: Mapping[Ref, Ref], revisions: Mapping[Ref, str] | None = None
    ) -> "ChangeSet":
        """Return these changes with every provisional ref as it is stored, by *ids*.

        *revisions* are those in the receipts of the change sets named in `after`, by stored ref:
        what changes a record that one of them made means the record as they left it.

        Example:
            >>> from leadconvert import ChangeSet, Insert, Ref
            >>> new, five = Ref("deal", "L-7.1.deal.1", provisional=True), Ref("deal", "5")
            >>> changes = ChangeSet(key="k", fingerprint="f", changes=[Insert(new, {})])
            >>> str(changes.bound({new: five}).changes[0].ref)
            'deal 5'
        """
        return attrs.evolve(
            self,
            changes=[_bound_change(change, ids, revisions or {}) for change in self.changes],
            events=[_bound_event(event, ids) for event in self.events],
            traces=[bound(trace, ids) for trace in self.traces],
        )


def _ids(values: Iterable[tuple[Ref, Ref]]) -> tuple[tuple[Ref, Ref], ...]:
    return tuple((provisional, stored) for provisional, stored in values)


def _revisions(values: Iterable[tuple[Ref, str]]) -> tuple[tuple[Ref, str], ...]:
    return tuple((stored, revision) for stored, revision in values)


@attrs.frozen(kw_only=True)
class Receipt:
    """A store's answer: which stored ref each provisional one became, and the new revisions.

    *key* and *fingerprint* are those of the change set. *replayed* says that it had been applied
    before, and nothing was written now.

    Example:
        >>> from leadconvert import Receipt, Ref
        >>> Receipt(ids=[(Ref("deal", "L-7.1.deal.1", True), Ref("deal", "5"))]).ids[0][1].id
        '5'
    """

    ids: tuple[tuple[Ref, Ref], ...] = attrs.field(default=(), converter=_ids)
    revisions: tuple[tuple[Ref, str], ...] = attrs.field(default=(), converter=_revisions)
    replayed: bool = False
    key: str | None = None
    fingerprint: str | None = None
    #: The ids of the conversions that were written.
    conversions: tuple[str, ...] = attrs.field(default=(), converter=texts)

    @classmethod
    def of(
        cls,
        changes: ChangeSet,
        ids: Iterable[tuple[Ref, Ref]],
        revisions: Iterable[tuple[Ref, str]],
    ) -> "Receipt":
        """Return the receipt for *changes*, given what a store made of them.

        Example:
            >>> from leadconvert import ChangeSet, Receipt
            >>> Receipt.of(ChangeSet(key="k-1", fingerprint="9f2c"), ids=[], revisions=[]).key
            'k-1'
        """
        return cls(
            ids=ids,
            revisions=revisions,
            key=changes.key,
            fingerprint=changes.fingerprint,
            conversions=[trace.id for trace in changes.traces],
        )

    def again(self, changes: ChangeSet) -> "Receipt":
        """Return this receipt for the same *changes* applied once more: nothing is written.

        Raises:
            leadconvert.errors.IdempotencyError: another request comes under the same key.

        Example:
            >>> from leadconvert import ChangeSet, Receipt
            >>> changes = ChangeSet(key="k-1", fingerprint="9f2c")
            >>> Receipt(key="k-1", fingerprint="9f2c").again(changes).replayed
            True
        """
        if self.fingerprint != changes.fingerprint:
            raise IdempotencyError(changes.key)
        return attrs.evolve(self, replayed=True)


def made(changes: ChangeSet) -> tuple[Ref, ...]:
    """Return the refs of the records to insert: those a receipt must name.

    Example:
        >>> from leadconvert import ChangeSet, Insert, Ref
        >>> from leadconvert.changes import made
        >>> new = Ref("deal", "L-7.1.deal.1", provisional=True)
        >>> changes = ChangeSet(key="k", fingerprint="f", changes=[Insert(new, {})])
        >>> [str(ref) for ref in made(changes)]
        ['deal L-7.1.deal.1']
    """
    return tuple(change.ref for change in changes.changes if isinstance(change, Insert))


def bind(value: object, stored: Mapping[Ref, Ref]) -> object:  # noqa: PLR0911 - a table
    """Return *value* with every ref replaced by the one it is *stored* under, however deep.

    Example:
        >>> from leadconvert import Ref
        >>> from leadconvert.changes import bind
        >>> bind((Ref("deal", "x", True),), {Ref("deal", "x", True): Ref("deal", "5")})
        (Ref(kind='deal', id='5', provisional=False),)
    """
    if type(value) is str or value is None:  # as most are
        return value
    match value:
        case Ref():
            return stored.get(value, value)
        case tuple():
            return tuple(bind(item, stored) for item in value)
        case Mapping():
            return FrozenMap({name: bind(item, stored) for name, item in value.items()})
        case Conversion():
            return attrs.evolve(
                value,
                targets=[stored.get(ref, ref) for ref in value.targets],
                linked=[stored.get(ref, ref) for ref in value.linked],
                merged=[stored.get(ref, ref) for ref in value.merged],
            )
        case Trace():
            return bound(value, stored)
        case _:
            return value


def bound(trace: Trace, stored: Mapping[Ref, Ref]) -> Trace:
    """Return *trace* with every ref replaced by the one it is *stored* under.

    Example:
        >>> from leadconvert import Ref, Trace, TraceStep
        >>> from leadconvert.changes import bound
        >>> made, five = Ref("deal", "x", provisional=True), Ref("deal", "5")
        >>> trace = Trace(id="L-7.1", steps=[TraceStep(ref=made, action="created")])
        >>> str(bound(trace, {made: five}).steps[0].ref)
        'deal 5'
    """
    return attrs.evolve(trace, steps=[_bound_step(step, stored) for step in trace.steps])


def _bound_change(change: Change, ids: Mapping[Ref, Ref], revisions: Mapping[Ref, str]) -> Change:
    ref = ids.get(change.ref, change.ref)
    if isinstance(change, Update | Delete) and change.ref.provisional and change.revision is None:
        change = attrs.evolve(change, revision=revisions.get(ref))
    match change:
        case Insert() | Update():
            values = {name: bind(value, ids) for name, value in change.values.items()}
            claims = [
                Claim(one.key, [ids.get(seen, seen) for seen in one.seen]) for one in change.claims
            ]
            if isinstance(change, Insert):
                return Insert(ref, values, claims)
            return Update(ref, change.revision, values, claims)
        case Attach() | Detach():
            return attrs.evolve(change, ref=ref, refs=[ids.get(one, one) for one in change.refs])
        case _:
            attached = {
                field: [ids.get(one, one) for one in refs]
                for field, refs in change.attached.items()
            }
            return attrs.evolve(change, ref=ref, attached=attached)


def _bound_event(event: Event, ids: Mapping[Ref, Ref]) -> Event:
    params = {name: bind(value, ids) for name, value in event.params.items()}
    return Event(
        name=event.name,
        ref=ids.get(event.ref, event.ref),
        at=event.at,
        actor_id=event.actor_id,
        params=params,
    )


def _bound_step(step: TraceStep, stored: Mapping[Ref, Ref]) -> TraceStep:
    return TraceStep(
        action=step.action,
        ref=stored.get(step.ref, step.ref),
        before={name: bind(value, stored) for name, value in step.before.items()},
        written={name: bind(value, stored) for name, value in step.written.items()},
        attached=[(field, stored.get(ref, ref)) for field, ref in step.attached],
    )


def plain(value: object) -> object:
    """Return *value* as a record holds it: the id in place of a ref, in place of many their ids.

    Example:
        >>> from leadconvert import Ref
        >>> from leadconvert.changes import plain
        >>> plain((Ref("contact", "C-3"),))
        ('C-3',)
    """
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return value.id if isinstance(value, Ref) else value
