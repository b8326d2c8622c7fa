"""The laws of what comes after a conversion: again, along, and back, as properties and in a world.

The store in here is as simple as one can be. It gives its own ids, checks revisions, keeps traces
and keys, fails when told to, and hands over just what it is asked for.
"""

import contextlib
import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

import attrs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from leadconvert import (
    Actor,
    Address,
    Attach,
    Change,
    ChangeSet,
    Channel,
    ChildRule,
    Company,
    Contact,
    Conversion,
    ConversionResult,
    ConversionRules,
    Create,
    Deal,
    Delete,
    Detach,
    Fate,
    Field,
    FieldMapping,
    FieldType,
    Find,
    GenericRecord,
    Happened,
    Insert,
    Kind,
    Known,
    Lead,
    Link,
    Matching,
    MatchRule,
    Merge,
    Plan,
    Policy,
    Product,
    Receipt,
    Record,
    Ref,
    Reversal,
    ReversalPlan,
    StageChange,
    Target,
    Trace,
    Undoing,
    Undone,
    Update,
    Wanted,
    advance,
    convert,
    errors,
    follow,
    history,
    plan,
    plan_reversal,
    presets,
    testing,
    wanted,
    wanted_reversal,
)
from leadconvert.changes import bind, plain
from leadconvert.closing import key_of
from leadconvert.errors import Cause
from leadconvert.merging import Conflict, misfit
from leadconvert.records import changed, held


R = TypeVar("R", bound=Record)

AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LATER: Final = AT + timedelta(days=1)
ADA: Final = Actor("u-1", roles=["admin", "r-1"])
BITRIX: Final = presets.bitrix24()
laws = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
#: For what is the same in all requests.
few = settings(laws, max_examples=8)


# -- a store, in memory ----------------------------------------------------------------------------


class StaleError(Exception):
    """A record has changed since a change set was decided, or is gone."""


class BrokenError(Exception):
    """The store fails, as it was told to."""


def ids_in(value: object) -> tuple[str, ...]:
    """The ids in a field that refers to one record or to several."""
    return tuple(
        str(one) for one in (value if isinstance(value, tuple) else (value,)) if one is not None
    )


def filled(record: Record) -> dict[str, object]:
    """What a record holds, but for its revision: nothing and an empty list are the same."""
    everything = {"id": record.id, **held(record)}
    return {name: one for name, one in everything.items() if one is not None and one != ()}


@attrs.define
class Store:
    """A store with ids and revisions of its own: it applies whole, or it raises."""

    rules: ConversionRules
    records: dict[Ref, Record] = attrs.field(factory=dict)
    traces: dict[str, Trace] = attrs.field(factory=dict)
    #: What was merged into what.
    merged: dict[Ref, Ref] = attrs.field(factory=dict)
    applied: dict[str, tuple[str, Receipt]] = attrs.field(factory=dict)
    #: How many records it has made.
    count: int = 0

    @classmethod
    def of(cls, rules: ConversionRules, *records: Record) -> "Store":
        """Return a store that holds just these, each in its first revision."""
        store = cls(rules)
        for record in records:
            store.add(record)
        return store

    # -- what a conversion asks of it --------------------------------------------------------------

    def apply(self, changes: ChangeSet, *, fails_at: int | None = None) -> Receipt:
        """Apply *changes* all or nothing, each set once; with *fails_at* it fails at that one."""
        if changes.key in self.applied:
            fingerprint, receipt = self.applied[changes.key]
            assert changes.fingerprint == fingerprint
            return attrs.evolve(receipt, replayed=True)
        ids: dict[Ref, Ref] = {}
        records = {**self.records}
        for number, after in enumerate(self.states(changes, ids)):
            if number == fails_at:
                raise BrokenError
            records = after
        if fails_at == len(changes.changes):
            raise BrokenError  # when all that is left to write is the traces
        for trace in changes.traces:
            bound = bind(trace, ids)
            assert isinstance(bound, Trace)
            self.traces[trace.id] = bound
        written = [(ref, one) for ref, one in records.items() if one is not self.records.get(ref)]
        receipt = Receipt(
            ids=ids.items(), revisions=[(ref, str(one.revision)) for ref, one in written]
        )
        self.records, self.count = records, self.count + len(ids)
        self.applied[changes.key] = changes.fingerprint, receipt
        return receipt

    def states(
        self, changes: ChangeSet, ids: dict[Ref, Ref] | None = None
    ) -> Iterator[dict[Ref, Record]]:
        """Yield what a store without transactions would hold after each change."""
        ids = {} if ids is None else ids
        records = {**self.records}
        for change in changes.changes:
            if isinstance(change, Insert):
                number = self.count + len(ids) + 1
                ids[change.ref] = Ref(change.ref.kind, str(100 + number))
            self._write(records, change, ids)
            yield {**records}

    def _write(self, records: dict[Ref, Record], change: Change, ids: Mapping[Ref, Ref]) -> None:
        ref = ids.get(change.ref, change.ref)
        assert not ref.provisional
        kind, record = self.kind(ref), records.get(ref)
        if isinstance(change, Detach) and record is None:
            return
        if isinstance(change, Insert):
            assert record is None
            values = {name: plain(bind(value, ids)) for name, value in change.values.items()}
            records[ref] = changed(kind.build(ref.id, values), {"revision": "1"})
            return
        if record is None:
            raise StaleError(f"{ref} is gone")
        match change:
            case Update() | Delete() if change.revision != record.revision:
                raise StaleError(f"{ref} has changed")
            case Delete() if not change.sees(partial(kind.read, record)):
                raise StaleError(f"{ref} has others")
            case Delete():
                del records[ref]
            case Update():
                values = {name: plain(bind(value, ids)) for name, value in change.values.items()}
                records[ref] = self.put(record, values)
            case Attach() | Detach():
                named = [ids.get(one, one).id for one in change.refs]
                there = [one for one in ids_in(kind.read(record, change.field)) if one not in named]
                there += named if isinstance(change, Attach) else []
                records[ref] = self.put(record, {change.field: tuple(there)})

    # -- what a host asks of it --------------------------------------------------------------------

    def known(self, asked: Wanted) -> Known:
        """Return what is asked for, and no more."""
        refs = {self.now(ref) for ref in asked.refs}
        meant = refs | {self.now(ref) for _, _, ref in asked.related}
        for ref, record in self.records.items():
            kind = self.kind(ref)
            keys = {(kind.id, key) for key in self.rules.matching.keys(kind, record)}
            pointing = any(
                kind.id == name and self.now(to).id in ids_in(kind.read(record, field))
                for name, field, to in asked.related
            )
            refs |= {ref} if pointing or not keys.isdisjoint(asked.matches) else set()
        return Known(
            records=[self.records[ref] for ref in sorted(refs, key=str) if ref in self.records],
            traces=[self.traces[one] for one in asked.traces if one in self.traces],
            merged=[(gone, into) for gone, into in self.merged.items() if self.now(gone) in meant],
        )

    @property
    def everything(self) -> Known:
        """All there is."""
        return Known(
            records=self.records.values(),
            traces=self.traces.values(),
            merged=self.merged.items(),
        )

    def pointed_at(self, ref: Ref) -> set[Ref]:
        """Return whom a record points at, if it is there."""
        kind = self.kind(ref)
        return {
            Ref(str(field.to), id_)
            for name, field in (kind.references.items() if ref in self.records else ())
            for id_ in ids_in(kind.read(self.records[ref], name))
        }

    def pointing_back(self, lead_id: str) -> set[Ref]:
        """Return what says that it came from a lead."""
        return {
            ref
            for ref, record in self.records.items()
            if (back := self.kind(ref).converted_from) in self.kind(ref).members
            and lead_id in ids_in(self.kind(ref).read(record, back))
        }

    def now(self, ref: Ref) -> Ref:
        """Return what a record is by now."""
        while ref in self.merged:
            ref = self.merged[ref]
        return ref

    def kind(self, ref: Ref) -> Kind:
        """Return the kind of a record."""
        return next(kind for kind in self.rules.every_kind if kind.id == ref.kind)

    def lead(self, id_: str) -> Lead:
        """Return a lead."""
        lead = self.records[Ref("lead", id_)]
        assert isinstance(lead, Lead)
        return lead

    def converting(self, id_: str, into: Iterable[str | Target], **how: Any) -> Plan:  # noqa: ANN401
        """Look at converting a lead, with all there is."""
        asked: dict[str, Any] = {"rules": self.rules, "actor": ADA, "at": AT}
        return plan(self.lead(id_), into, **{**asked, "known": self.everything, **how})

    def undoing(self, id_: str, **how: Any) -> ReversalPlan:  # noqa: ANN401
        """Look at taking the newest conversion of a lead back, with just what that asks for."""
        lead, keep = self.lead(id_), how.get("keep", False)
        first = self.known(wanted_reversal(lead, rules=self.rules, keep=keep))
        wants = wanted_reversal(lead, rules=self.rules, keep=keep, known=first)
        asked: dict[str, Any] = {"rules": self.rules, "actor": ADA, "at": LATER}
        return plan_reversal(lead, **{**asked, "known": self.known(wants), **how})

    # -- what users do by hand ---------------------------------------------------------------------

    def add(self, record: Record) -> Ref:
        """Add a record."""
        kind = self.rules.kind_of(record)
        assert kind is not None
        ref = Ref(kind.id, record.id)
        self.records[ref] = changed(record, {"revision": "1"})
        return ref

    def edit(self, ref: Ref, values: Mapping[str, object]) -> None:
        """Write into a record."""
        self.records[ref] = self.put(self.records[ref], values)

    def delete(self, gone: Ref) -> set[Ref]:
        """Remove a record and clear what refers to it; return whatever did."""
        return self._replace(gone, None)

    def merge(self, gone: Ref, into: Ref) -> None:
        """Merge one record into another, to which all that refers to it refers from now on."""
        kind = self.kind(gone)
        back = str(kind.converted_from)
        leads = [id_ for ref in (into, gone) for id_ in ids_in(kind.read(self.records[ref], back))]
        self.edit(into, {back: tuple(dict.fromkeys(leads))})
        self.merged[gone] = into
        self._replace(gone, into)

    def _replace(self, gone: Ref, by: Ref | None) -> set[Ref]:
        del self.records[gone]
        referring = {ref for ref in self.records if gone in self.pointed_at(ref)}
        for ref in referring:
            for name, field in self.kind(ref).references.items():
                there = ids_in(self.kind(ref).read(self.records[ref], name))
                if field.to == gone.kind and gone.id in there:
                    new = [(by.id if by else None) if one == gone.id else one for one in there]
                    left = tuple(one for one in dict.fromkeys(new) if one is not None)
                    self.edit(ref, {name: left if field.multiple else next(iter(left), None)})
        return referring

    @staticmethod
    def put(record: Record, values: Mapping[str, object]) -> Record:
        """Return a record with other values, in its next revision."""
        revision = str(int(record.revision or "0") + 1)
        return changed(changed(record, values), {"revision": revision})


# -- a CRM in which everything travels -------------------------------------------------------------

TEXT: Final = Field("text", "text")
TO_LEAD: Final = Field("lead_id", "reference", to="lead")
TO_DEAL: Final = Field("deal_id", "reference", to="deal")
TO_CONTACT: Final = Field("contact_id", "reference", to="contact")
TO_MANY: Final = (
    Field("deal_ids", "reference", to="deal", multiple=True),
    Field("contact_ids", "reference", to="contact", multiple=True),
)
ACTIVITY: Final = Kind("activity", fields=[TEXT, Field("completed", "boolean"), TO_LEAD, *TO_MANY])
FILE: Final = Kind("file", fields=[TEXT, TO_LEAD, TO_DEAL, TO_CONTACT])
NOTE: Final = Kind("note", fields=[TEXT, TO_LEAD, TO_DEAL, TO_CONTACT])
CHILDREN: Final = (
    ChildRule(ACTIVITY, {"deal": "share", "contact": "share"}, close={"completed": True}),
    ChildRule(FILE, {"deal": "move", "contact": "move"}),
    ChildRule(NOTE, {"deal": "copy", "contact": "copy"}),
)
#: By which of its fields a child of each kind points at whom it may travel to.
POINTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "activity": {"lead": "lead_id", "deal": "deal_ids", "contact": "contact_ids"},
    "file": {"lead": "lead_id", "deal": "deal_id", "contact": "contact_id"},
    "note": {"lead": "lead_id", "deal": "deal_id", "contact": "contact_id"},
}


def crm(then: str = "merge", *, eager: bool = False, enrich: bool = False) -> ConversionRules:
    """The preset with children, by which people are known by e-mail and companies by name.

    With *eager* rules a merge overwrites texts, and adds to what holds several.
    """
    merging = {"comments": "take", "company_id": "take", "emails": "append", "products": "append"}
    return attrs.evolve(
        BITRIX,
        matching=Matching(
            [MatchRule("contact", ["email"], then), MatchRule("company", ["company"], then)],
            enrich=enrich,
        ),
        mappings=[
            attrs.evolve(one, conflict=merging[str(one.target)])
            if eager and one.target in merging
            else one
            for one in BITRIX.mappings
        ],
        children=CHILDREN,
        policy=Policy.allow_all(),
    )


CRM: Final = crm()
ENQUIRY: Final = Lead(
    id="L-7",
    stage="IN_PROCESS",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    emails=[Channel("ada@example.com")],
    products=[Product(name="Seat", price=10, quantity=5), Product(name="Set-up", price=90)],
    currency="EUR",
)


def child(kind: str, id_: str, **values: object) -> GenericRecord:
    """A child that hangs on the enquiry."""
    return GenericRecord(kind=kind, id=id_, custom={"text": id_, "lead_id": "L-7", **values})


def small_world() -> Store:
    """The enquiry with a child of each kind, and a client whom it matches."""
    return Store.of(
        CRM,
        ENQUIRY,
        Contact(id="C-3", last_name="Byron", emails=[Channel("ada@example.com")]),
        child("activity", "A-1", completed=False),
        child("file", "F-1"),
        child("note", "N-1"),
    )


# -- what may be done to the enquiry, in any order -------------------------------------------------


def deed(name: str, store: Store) -> ChangeSet:
    """Return what a store is to do for one of the deeds, or raise what refuses it."""
    how = DEEDS[name]
    if name.startswith("re"):
        return store.undoing("L-7", **how).result().changes
    if name == "move":
        lead = store.lead("L-7")
        to = "PROCESSED" if lead.stage == "IN_PROCESS" else "IN_PROCESS"
        return advance(lead, to, rules=store.rules, actor=ADA, at=AT).changes
    return store.converting("L-7", ["contact", "deal"], **how).result().changes


def deeds(store: Store) -> Iterator[tuple[str | None, ChangeSet]]:
    """Yield each deed that nothing refuses."""
    for name in DEEDS:
        with contextlib.suppress(errors.ConversionError):
            yield name, deed(name, store)


DEEDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "move": {},
    "stage": {"closing": False},
    "convert": {},
    "supplement": {"mode": "supplement"},
    "reverse": {},
    "reverse in part": {"partial": True},
    "reopen": {"keep": True},
    "reopen in part": {"keep": True, "partial": True},
}


#: One value that fits, by type, to supply where something is missing.
FITTING: Final[Mapping[FieldType, object]] = {
    FieldType.TEXT: "x",
    FieldType.INTEGER: 1,
    FieldType.DECIMAL: 1,
    FieldType.MONEY: 1,
    FieldType.BOOLEAN: True,
    FieldType.DATE: AT.date(),
    FieldType.DATETIME: AT,
    FieldType.URL: Channel("x"),
    FieldType.EMAIL: Channel("x"),
    FieldType.PHONE: Channel("x"),
    FieldType.MESSENGER: Channel("x"),
    FieldType.ADDRESS: Address(city="x"),
    FieldType.PRODUCT: Product(name="x", price=1),
    FieldType.FILE: "x",
}


# -- what is asked, under any rules ----------------------------------------------------------------


@attrs.frozen
class Asked:
    """One request, and the records that are there."""

    rules: ConversionRules = attrs.field(repr=False)
    lead: Lead
    into: tuple[Target, ...]
    records: tuple[Record, ...]
    closing: bool = True

    def store(self) -> Store:
        """Return a store in which all this is."""
        return Store.of(self.rules, self.lead, *self.records)

    def plan(self, **other: Any) -> Plan:  # noqa: ANN401
        """Return what the library decides, of a lead as it is stored."""
        how = {"closing": self.closing, **other}
        return self.store().converting(self.lead.id, self.into, **how)


@st.composite
def conflicting(draw: st.DrawFn, any_rules: st.SearchStrategy[ConversionRules]) -> ConversionRules:
    """Draw rules whose mappings merge by any rule that fits their field."""
    rules = draw(any_rules)

    def merging(mapping: FieldMapping) -> FieldMapping:
        kind = rules.kind(mapping.kind or "")
        if kind is None:
            return mapping
        field = kind.members[str(mapping.target)]
        fitting = [one.value for one in Conflict if misfit(field, one) is None]
        return attrs.evolve(mapping, conflict=draw(st.sampled_from(fitting)))

    return attrs.evolve(
        rules, mappings=list(map(merging, rules.mappings)), transforms=dict(rules.transforms)
    )


@st.composite
def existing(draw: st.DrawFn, /, kind: Kind, id_: str, **pointing: object) -> Record:
    """Draw a record of a kind as a store may hold it."""
    names = [name for name in kind.members if name not in {*kind.references, kind.converted_from}]
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=6))
    values = {name: draw(testing.values(kind.members[name])) for name in chosen}
    return kind.build(id_, values | pointing)


@st.composite
def children(draw: st.DrawFn, travels: ChildRule, lead: Lead, there: Iterable[Ref]) -> Record:
    """Draw a child of the lead, maybe of others too."""
    kind, pointing = travels.kind, dict[str, object]()
    for name, field in kind.references.items():
        own = [lead.id] if field.to == "lead" else []
        others = [ref.id for ref in there if ref.kind == field.to]
        some = draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else []
        refs = tuple(dict.fromkeys([*own, *some]))
        pointing[name] = refs if field.multiple else next(iter(refs), None)
    return draw(existing(kind, f"{kind.id}-{draw(st.integers(0, 9))}", **pointing))


@st.composite
def requests(draw: st.DrawFn, any_rules: st.SearchStrategy[ConversionRules]) -> Asked:
    """Draw rules, a lead with children, records, and targets: new, found, linked and merged."""
    rules = draw(conflicting(any_rules))
    lead = draw(testing.leads(rules))
    records: list[Record] = [Lead(id="L-0", stage=lead.stage)]
    into: list[Target] = []
    for kind in draw(st.permutations(rules.kinds)):
        for number in range(draw(st.integers(0, 2))):
            earlier = draw(st.sampled_from([(), (), ("L-0",), ("L-0", lead.id)]))
            pointing = {str(kind.converted_from): earlier}
            record = draw(existing(kind, f"{kind.id}-{number}", **pointing))
            records.append(record)
            chosen = [Link(kind.id, record.id), Merge(kind.id, record.id)]
            into += [draw(st.sampled_from(chosen))] if draw(st.booleans()) else []
        into += draw(st.sampled_from([[], [], [Find(kind.id)], [Create(kind.id)]]))
    assume(into)
    there = [Ref("lead", lead.id), *(Store(rules).add(one) for one in records)]
    for travels in rules.children:
        some = st.lists(children(travels, lead, there), max_size=2, unique_by=lambda one: one.id)
        records += draw(some)
    return Asked(rules, lead, tuple(into), tuple(records), closing=draw(st.booleans()))


def complete(asked: Asked) -> Asked:
    """Return the request with everything supplied that it lacks; there may be nothing else."""
    for _ in range(60):
        problems = asked.plan().problems
        if not problems:
            return asked
        assume({Cause.MISSING} == {one.cause for one in problems})
        first, into = problems[0], list(asked.into)
        kind = asked.rules.kind(str(first.kind))
        assert kind is not None
        assert first.target is not None
        field = kind.members[str(first.field)]
        one = field.options[0].id if field.options else FITTING[field.type]
        values = {**into[first.target].values, field.id: (one,) if field.multiple else one}
        into[first.target] = attrs.evolve(into[first.target], values=values)
        asked = attrs.evolve(asked, into=tuple(into))
    raise AssertionError("supplying what is missing never ends")


def answerable() -> st.SearchStrategy[Asked]:
    """Draw requests that can be met, under any rules."""
    return requests(st.just(CRM) | testing.conversion_rules()).map(complete)


def in_the_crm() -> st.SearchStrategy[Asked]:
    """Draw requests that can be met in the preset with its child kinds."""
    return requests(st.just(CRM)).map(complete)


# -- law 7: once -----------------------------------------------------------------------------------


def made_of(asked: Asked) -> tuple[Store, ConversionResult]:
    """Convert, and return the store and what came of it."""
    store, result = asked.store(), asked.plan().result()
    return store, result.stored(store.apply(result.changes))


class TestLaw7Once:
    @few
    @given(in_the_crm())
    def test_law_7_it_is_refused_with_what_it_became(self, asked: Asked) -> None:
        """A converted lead is refused with what it became; one that stayed open is not."""
        store, result = made_of(asked)
        known = store.everything
        again = plan(result.lead, asked.into, rules=asked.rules, actor=ADA, at=LATER, known=known)
        causes = {one.cause for one in again.problems}
        assert asked.closing == (Cause.ALREADY_CONVERTED in causes)
        if asked.closing:
            assert tuple(map(str, result.conversion.targets)) == again.problems[0].params["became"]
            with pytest.raises(errors.AlreadyConvertedError):
                again.result()

    @few
    @given(in_the_crm())
    def test_law_7_the_same_request_is_the_same_change_set(self, asked: Asked) -> None:
        """Decided twice and applied twice, it is done once."""
        store, result = made_of(asked)
        before = {**store.records}
        receipt = store.apply(asked.plan().result().changes)
        assert receipt.replayed
        assert before == store.records
        assert receipt.ids == store.applied[result.changes.key][1].ids

    @few
    @given(in_the_crm(), testing.moments())
    def test_law_7_the_fingerprint_is_of_the_request(self, asked: Asked, moment: datetime) -> None:
        """It is the same whoever asks, whenever, under any key; not for another request."""
        one = asked.plan()
        bob = Actor("u-9", roles=["admin"])
        later = attrs.evolve(one.lead, revision="9", comments="changed since")
        same = plan(later, asked.into, rules=CRM, actor=bob, at=moment, closing=asked.closing)
        assert one.request.fingerprint == same.request.fingerprint
        assert key_of(one.request, one.lead) == key_of(same.request, later)
        others = [
            asked.plan(closing=not asked.closing),
            asked.plan(mode="supplement"),
            asked.plan(values={"comments": "said"}),
            attrs.evolve(asked, into=(*asked.into, Create("deal"))).plan(),
            attrs.evolve(asked, lead=attrs.evolve(asked.lead, id="L-999")).plan(),
        ]
        prints = {other.request.fingerprint for other in (one, *others)}
        assert len(others) + 1 == len(prints)
        named, derived = (asked.plan(key=key).result().changes for key in ("k-1", None))
        assert ("k-1", derived.fingerprint) == (named.key, named.fingerprint)

    @laws
    @given(st.lists(st.sampled_from([*DEEDS, "move", "stage", "reverse"]), max_size=10))
    def test_law_7_keys_differ(self, names: list[str]) -> None:
        """Whatever is asked after anything that happened to the lead has a key of its own."""
        store = small_world()
        for name in (*names, None):
            possible = dict(deeds(store))
            assert store.applied.keys().isdisjoint(one.key for one in possible.values())
            assert len(possible) == len({one.key for one in possible.values()})
            if name in possible:
                store.apply(possible[name])

    @few
    @given(in_the_crm(), testing.moments())
    def test_law_7_so_it_is_for_taking_back(self, asked: Asked, moment: datetime) -> None:
        """Its fingerprint is that of the request alone: what is taken back, and how."""
        store, result = made_of(asked)
        id_ = result.lead.id
        one = store.undoing(id_).result().changes
        bob = Actor("u-1", roles=["admin"])
        same = store.undoing(id_, actor=bob, at=moment, reason="why", known=store.everything)
        other = same.result().changes
        assert (one.key, one.fingerprint) == (other.key, other.fingerprint)
        assert "k-1" == store.undoing(id_, key="k-1").result().changes.key
        made = result.conversion.id
        others: list[dict[str, Any]] = [{"partial": True}, {"keep": True}, {"conversion": made}]
        prints = {store.undoing(id_, **how).result().changes.fingerprint for how in others}
        assert len(others) == len(prints - {one.fingerprint})
        store.apply(one)
        before = {**store.records}
        assert store.apply(one).replayed
        assert before == store.records


# -- law 8: both sides agree -----------------------------------------------------------------------


class TestLaw8BothSidesAgree:
    @laws
    @given(answerable())
    def test_law_8_both_sides_agree(self, asked: Asked) -> None:
        """The lead, its targets and children know each other: decided, stored, taken back."""
        decided = asked.plan().result()
        assert tuple(one.ref for one in decided.outcomes) == decided.conversion.targets
        assert decided.conversion == decided.lead.conversions[-1]
        for outcome in decided.outcomes:
            kind = asked.rules.kind(outcome.ref.kind)
            assert kind is not None
            assert asked.lead.id in ids_in(kind.read(outcome.record, kind.converted_from))

        store = asked.store()
        before = store.pointing_back(asked.lead.id)
        result = decided.stored(store.apply(decided.changes))
        assert store.lead(asked.lead.id) == result.lead
        assert [store.records[one.ref] for one in result.outcomes] == [*result.records]
        assert before | {*result.conversion.targets} == store.pointing_back(asked.lead.id)
        for one in result.children:
            assert {*one.targets} <= {*result.conversion.targets}
            belongs = store.pointed_at(one.ref)
            copied = [store.pointed_at(ref) for ref in one.copies]
            assert {*one.targets} <= belongs.union(*copied)
            assert (Ref("lead", asked.lead.id) in belongs) == (one.action != "moved")

        store.apply(store.undoing(asked.lead.id).result().changes)
        assert before == store.pointing_back(asked.lead.id)


# -- law 10: reversible ----------------------------------------------------------------------------


def same(before: Mapping[Ref, Record], after: Mapping[Ref, Record], but: Ref) -> None:
    """See that all records are as before, but for their revisions; what but names is not seen."""
    assert before.keys() == after.keys()
    for ref, record in before.items():
        if ref != but:
            assert filled(record) == filled(after[ref]), ref


def as_before(before: Lead, after: Lead, made: Iterable[Conversion], how: Undoing) -> None:
    """See that a lead is as before, but that it remembers what was taken back."""
    past = {"stage_history": before.stage_history, "conversions": before.conversions}
    assert filled(before) == filled(changed(after, past))
    undone = Undone(how=how, at=LATER, actor_id=ADA.id)
    assert after.conversions == (
        *before.conversions,
        *(attrs.evolve(one, undone=undone) for one in made),
    )
    steps = after.stage_history[len(before.stage_history) :]
    assert before.stage_history == after.stage_history[: len(before.stage_history)]
    for there, back in zip(steps[::2], steps[1::2], strict=True):
        assert isinstance(there, StageChange)
        assert (there.from_stage, there.to_stage) == (back.to_stage, back.from_stage)


class TestLaw10Reversible:
    @laws
    @given(answerable())
    def test_law_10_all_is_as_before(self, asked: Asked) -> None:
        """What a conversion did is taken back, and nothing else is touched."""
        store = asked.store()
        before, lead = {**store.records}, store.lead(asked.lead.id)
        decided = asked.plan().result()
        receipt = store.apply(decided.changes)
        result, made = decided.stored(receipt), {ref for _, ref in receipt.ids}
        undone = store.undoing(lead.id).result()
        stored = undone.stored(store.apply(undone.changes))

        assert () == undone.kept
        assert made == {*undone.removed}
        same(before, store.records, but=Ref("lead", lead.id))
        as_before(lead, store.lead(lead.id), [result.conversion], Undoing.REVERSED)
        assert store.lead(lead.id) == stored.lead
        assert {*stored.restored} <= {*store.records.values()}

    @few
    @given(in_the_crm())
    def test_law_10_what_was_filled_on_the_way(self, asked: Asked) -> None:
        """Values that the lead was given on the way are taken back with the conversion."""
        store = asked.store()
        lead = store.lead(asked.lead.id)
        decided = asked.plan(values={"comments": "said", "title": "said"})
        assume(decided.ok)
        store.apply(decided.result().changes)
        store.apply(store.undoing(lead.id).result().changes)
        past = {"stage_history": lead.stage_history, "conversions": lead.conversions}
        assert filled(lead) == filled(changed(store.lead(lead.id), past))

    @laws
    @given(st.lists(st.sampled_from(["stage", "convert", "supplement"]), min_size=1, max_size=5))
    def test_law_10_one_after_the_other(self, names: list[str]) -> None:
        """Several conversions are taken back from the newest to the oldest, and no other way."""
        store = small_world()
        states = [{**store.records}]
        for name in names:
            try:
                store.apply(deed(name, store))
            except errors.ConversionError:
                continue
            states.append({**store.records})
        made = store.lead("L-7").conversions
        assume(made)
        for number, conversion in reversed([*enumerate(made)]):
            for first, older in enumerate(made[:number]):
                [problem] = store.undoing("L-7", conversion=older.id).problems
                newer = tuple(one.id for one in made[number:first:-1])
                assert ("newer_first", newer) == (problem.code, problem.params["newer"])
            store.apply(store.undoing("L-7", conversion=conversion.id).result().changes)
            same(states[number], store.records, but=Ref("lead", "L-7"))
            [problem] = store.undoing("L-7", conversion=conversion.id).problems
            assert "undone_already" == problem.code
        before = states[0][Ref("lead", "L-7")]
        assert isinstance(before, Lead)
        as_before(before, store.lead("L-7"), made, Undoing.REVERSED)

    @laws
    @given(answerable(), st.data())
    def test_law_10_or_it_says_what_stands_in_the_way(
        self, asked: Asked, data: st.DataObject
    ) -> None:
        """Of a target changed by hand it says so; in part all others are taken back."""
        store, result = made_of(asked)
        before = asked.store().records
        outcome = data.draw(st.sampled_from(result.outcomes))
        ref, kind = outcome.ref, store.kind(outcome.ref)
        step = next(one for one in store.traces[result.conversion.id].steps if one.ref == ref)
        roles = {*kind.references, kind.converted_from, kind.stage, kind.pipeline}
        name = data.draw(st.sampled_from([name for name in kind.members if name not in roles]))
        value = data.draw(testing.values(kind.members[name], filled=True))
        assume(value != kind.read(outcome.record, name))
        store.edit(ref, {name: value})

        looked = store.undoing(asked.lead.id)
        stands = outcome.action == "created" or name in step.written
        assert looked.ok != stands
        assert looked.partial
        told = {(one.code, one.kind, one.params["id"]) for one in looked.problems}
        assert ({("changed_since", ref.kind, ref.id)} if stands else set()) <= told
        undone = store.undoing(asked.lead.id, partial=True).result()
        assert looked.problems == undone.kept
        store.apply(undone.changes)
        assert value == kind.read(store.records[ref], name)
        kept = {Ref(str(one.kind), str(one.params["id"])) for one in undone.kept}
        assert {*before} | kept == {*store.records}
        assert store.pointing_back(asked.lead.id) == asked.store().pointing_back(asked.lead.id)
        for other, record in before.items():
            if other not in {*kept, ref, Ref("lead", asked.lead.id)}:
                assert filled(record) == filled(store.records[other])

    @laws
    @given(in_the_crm(), st.sampled_from(["pointed at", "converted", "merged"]), st.data())
    def test_law_10_others_stand_in_the_way(
        self, asked: Asked, how: str, data: st.DataObject
    ) -> None:
        """What others need by now stays: those who point at it, or came from it, or are it."""
        store, result = made_of(asked)
        made = [one.ref for one in result.outcomes if one.action == "created"]
        assume(made)
        ref = data.draw(st.sampled_from(made))
        if how == "pointed at" and ref.kind == "company":
            store.add(Contact(id="C-99", company_id=ref.id))
        elif how == "pointed at":
            values = {POINTERS["note"][ref.kind]: ref.id}
            store.add(GenericRecord(kind="note", id="N-99", custom=values))
        elif how == "converted":
            other = store.converting("L-0", [Link(ref.kind, ref.id)]).result()
            store.apply(other.changes)
        else:
            store.merge(store.add(store.kind(ref).build("X-99", {})), ref)

        lead_id = asked.lead.id
        problems = store.undoing(lead_id).problems
        assert ("has_others", ref.kind, ref.id) in {
            (one.code, one.kind, one.params["id"]) for one in problems
        }
        store.apply(store.undoing(lead_id, partial=True).result().changes)
        assert ref in store.records
        assert all(store.pointed_at(one) <= store.records.keys() for one in store.records)
        assert asked.store().pointing_back(lead_id) == store.pointing_back(lead_id)

    @laws
    @given(answerable())
    def test_law_10_reopening_keeps_and_unlinks(self, asked: Asked) -> None:
        """A reopened lead stands where it stood; what was made of it stays, as it is, unlinked."""
        store, _ = made_of(asked)
        lead = asked.store().lead(asked.lead.id)
        before = {**store.records}
        undone = store.undoing(lead.id, keep=True).result()
        store.apply(undone.changes)
        assert before.keys() == store.records.keys()
        assert () == undone.removed
        assert asked.store().pointing_back(lead.id) == store.pointing_back(lead.id)
        assert lead.stage == store.lead(lead.id).stage
        assert [Undoing.REOPENED] == [
            one.undone.how for one in store.lead(lead.id).conversions if one.undone is not None
        ]
        children = {rule.kind.id for rule in asked.rules.children}
        for ref, record in before.items():
            if ref.kind not in {*children, "lead"}:
                back = str(store.kind(ref).converted_from)
                old = {back: store.kind(ref).read(record, back)}
                assert filled(record) == filled(changed(store.records[ref], old))


# -- law 1: pure -----------------------------------------------------------------------------------


class TestLaw1Pure:
    @few
    @given(in_the_crm(), st.randoms(use_true_random=False), st.booleans())
    def test_law_1_taking_back_is_pure(self, asked: Asked, order: Random, keep: bool) -> None:
        """It is decided alike in whatever order things are handed over, and changes nothing."""
        store, result = made_of(asked)
        known = store.everything
        untouched = copy.deepcopy((result.lead, known, asked.rules))
        shuffled = [*known.records]
        order.shuffle(shuffled)
        other = Known(records=shuffled, traces=known.traces[::-1])
        rules, bob = copy.deepcopy(asked.rules), Actor("u-1", roles=["r-1", "admin"])
        one, two = (
            plan_reversal(result.lead, rules=crm_, actor=actor, at=LATER, known=told, keep=keep)
            for crm_, actor, told in ((asked.rules, ADA, known), (rules, bob, other))
        )
        assert one.result() == two.result()
        assert untouched == (result.lead, known, asked.rules)
        wants = [wanted_reversal(result.lead, rules=crm_) for crm_ in (asked.rules, rules)]
        assert wants[0] == wants[1]


# -- failure at every step -------------------------------------------------------------------------


def whole(store: Store, changes: ChangeSet) -> None:
    """See that a change set is applied whole or not at all, wherever the store fails."""
    records, traces, applied = {**store.records}, {**store.traces}, {**store.applied}
    before = attrs.evolve(store, records=records, traces=traces, applied=applied)
    for number in range(len(changes.changes) + 1):
        with pytest.raises(BrokenError):
            store.apply(changes, fails_at=number)
        assert before == store
    receipt = store.apply(changes)
    assert before.apply(changes) == receipt
    assert before == store


def in_order(store: Store, changes: ChangeSet) -> None:
    """See that without transactions the lead is last, and nobody ever points at nothing."""
    [*states, last] = store.states(changes)
    lead = changes.changes[-1].ref
    for state in (*states, last):
        so_far = attrs.evolve(store, records=state)
        assert all(so_far.pointed_at(ref) <= state.keys() for ref in state)
    assert all(store.records[lead] == state[lead] for state in states)
    assert store.records[lead] != last[lead]


class TestFailureAtEveryStep:
    @laws
    @given(in_the_crm(), st.booleans())
    def test_it_is_as_before(self, asked: Asked, keep: bool) -> None:
        """A conversion and its undoing leave all as it was wherever they fail, and then succeed."""
        store = asked.store()
        for decide in (asked.plan, lambda: store.undoing(asked.lead.id, keep=keep)):
            changes = decide().result().changes
            in_order(store, changes)
            whole(store, changes)

    @laws
    @given(st.lists(st.sampled_from([*DEEDS]), min_size=1, max_size=6))
    def test_so_it_is_after_anything(self, names: list[str]) -> None:
        """So it is for more of a lead, for reopening it, and for whatever comes after that."""
        store = small_world()
        for name in names:
            try:
                changes = deed(name, store)
            except errors.ConversionError:
                continue
            in_order(store, changes)
            whole(store, changes)


# -- the life of a small world ---------------------------------------------------------------------

MAILS: Final = (None, "ada@example.com", "ADA@example.com", "king@example.com")
FIRMS: Final = (None, "Engines", "ENGINES", "Looms")
SAID: Final = (None, "one", "two")
QUANTITIES: Final = (Decimal(1), Decimal(2), Decimal(5), Decimal("0.5"), Decimal(0))
LEADS: Final = st.fixed_dictionaries(
    {
        "emails": st.sampled_from(MAILS).map(lambda one: (Channel(one),) if one else ()),
        "company_name": st.sampled_from(FIRMS),
        "last_name": st.sampled_from(["Byron", "King"]),
        "comments": st.sampled_from(SAID),
        "amount": st.sampled_from([None, 0, 5000]),
    }
)
LINES: Final = st.lists(
    st.builds(
        Product,
        name=st.sampled_from("ab"),
        price=st.sampled_from([10, 20]),
        quantity=st.sampled_from(QUANTITIES),
        product_id=st.sampled_from([None, None, "P"]),
    ),
    max_size=3,
)
HANGING: Final = st.sets(st.sampled_from([*POINTERS]))
SHAPES: Final = (
    ["deal"],
    ["contact"],
    ["contact", "deal"],
    ["contact", "company", "deal"],
    ["company", "contact"],
    ["deal", "deal"],
    ["contact", "contact", "deal"],
)
CLIENTS: Final = ("contact", "company")
BY_HAND: Final = (*CLIENTS, "deal", *POINTERS)


def counted(lines: Iterable[Product]) -> Counter[object]:
    """How much there is of each product at each price; what is no quantity counts as one."""
    found = Counter[object]()
    for one in lines:
        product = (one.product_id or one.name, one.price)
        measured = one.quantity > 0
        found[product, measured] += int(one.quantity * 1000) if measured else 1
    return found


class AfterLife(RuleBasedStateMachine):
    """Leads, what becomes of them, and what users do to all that, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(CRM)
        self.clock = AT
        self.count = 0
        self.done: list[ChangeSet] = []
        #: By which conversion each record was made.
        self.made: dict[Ref, str] = {}
        #: What each conversion changed, as it was and as it became.
        self.changed: dict[str, dict[Ref, tuple[Record | None, Record]]] = {}
        #: Of each copy, of which note it is, and for whom.
        self.copies: dict[Ref, tuple[Ref, Ref]] = {}
        #: What could not be taken back.
        self.kept: set[Ref] = set()
        #: What users removed, and what pointed at it.
        self.gone: set[Ref] = set()
        self.orphans: set[Ref] = set()
        #: Who points at whom because users said so.
        self.said: set[tuple[Ref, Ref]] = set()

    @initialize(
        then=st.sampled_from(["merge", "link"]),
        eager=st.booleans(),
        enrich=st.booleans(),
        leads=st.lists(st.tuples(LEADS, LINES, HANGING), min_size=1, max_size=2),
    )
    def begin(
        self,
        then: str,
        eager: bool,
        enrich: bool,
        leads: list[tuple[dict[str, object], list[Product], set[str]]],
    ) -> None:
        """Say how records are merged, and which leads there are; no two ask for one product."""
        self.store.rules = crm(then, eager=eager, enrich=enrich)
        for number, (values, lines, kinds) in enumerate(leads, 1):
            products = [
                attrs.evolve(
                    one,
                    name=f"{one.name} {number}",
                    product_id=one.product_id and f"{one.product_id} {number}",
                )
                for one in lines
            ]
            lead = Lead(id=f"L-{number}", stage="NEW", title="Enquiry", currency="EUR")
            ref = self.store.add(changed(lead, {**values, "products": products}))
            for kind in sorted(kinds):
                self.hang(kind, ref)

    # -- what users do by hand ---------------------------------------------------------------------

    @rule(data=st.data())
    def a_client_or_a_deal_is_made(self, data: st.DataObject) -> None:
        """A user makes a client or a deal, or an import does, which points back at a lead."""
        kind = data.draw(st.sampled_from([*CLIENTS, "deal"]))
        mail, name = (data.draw(st.sampled_from(some)) for some in (MAILS, FIRMS))
        back = data.draw(st.none() | st.sampled_from(self.ids("lead")))
        contact, company = self.one("contact", data), self.one("company", data)
        values: dict[str, object] = {"company_id": company} if kind != "company" else {}
        values |= {"last_name": name or "Known"} if kind == "contact" else {}
        values |= {"name": name or "Known"} if kind == "company" else {}
        values |= {"title": "By hand", "stage": "NEW", "pipeline": "0"} if kind == "deal" else {}
        values |= {"emails": [Channel(mail)]} if mail and kind != "deal" else {}
        values |= {"contact_ids": [contact]} if contact and kind == "deal" else {}
        values |= {"converted_from": [back] if back else []}
        ref = self.store.add(self.store.kind(Ref(kind, "")).build(self.new(), values))
        self.said |= {(ref, Ref("lead", back))} if back else set()

    @rule(kind=st.sampled_from([*POINTERS]), data=st.data())
    def a_child_is_made(self, kind: str, data: st.DataObject) -> None:
        """A user adds an activity, a file or a note to a lead, a deal or a contact."""
        self.hang(kind, data.draw(st.sampled_from(self.some("lead", "deal", "contact"))))

    def hang(self, kind: str, to: Ref) -> None:
        """Add a child of a kind to a record."""
        values: dict[str, object] = {"text": "child", **self.pointing(kind, to)}
        values |= {"completed": False} if kind == "activity" else {}
        ref = self.store.add(GenericRecord(kind=kind, id=self.new(), custom=values))
        self.said.add((ref, to))

    @precondition(lambda self: self.refs(*BY_HAND))
    @rule(data=st.data(), text=st.sampled_from(SAID))
    def a_record_is_edited(self, data: st.DataObject, text: str | None) -> None:
        """A user writes a comment, or ticks off an activity."""
        ref = data.draw(st.sampled_from(self.some(*BY_HAND)))
        ticked: dict[str, object] = {"completed": data.draw(st.booleans())}
        name = "text" if ref.kind in POINTERS else "comments"
        self.store.edit(ref, ticked if ref.kind == "activity" else {name: text})

    @precondition(lambda self: any(one.products for one in self.all(Deal)))
    @rule(data=st.data(), half=st.booleans())
    def a_product_is_taken_out(self, data: st.DataObject, half: bool) -> None:
        """A user takes the first line out of a deal, or half of it."""
        deal = data.draw(st.sampled_from([one for one in self.all(Deal) if one.products]))
        first, *rest = deal.products
        halved = [attrs.evolve(first, quantity=first.quantity / 2)] if half else []
        self.store.edit(Ref("deal", deal.id), {"products": (*halved, *rest)})

    @precondition(lambda self: self.refs("file") and self.refs("deal", "contact"))
    @rule(data=st.data())
    def a_file_is_put_elsewhere(self, data: st.DataObject) -> None:
        """A user puts a file to a deal or a contact."""
        ref = data.draw(st.sampled_from(self.refs("file")))
        to = data.draw(st.sampled_from(self.some("deal", "contact")))
        nowhere = dict.fromkeys(POINTERS["file"].values())
        self.store.edit(ref, {**nowhere, **self.pointing("file", to)})
        self.said = {one for one in self.said if one[0] != ref} | {(ref, to)}

    @precondition(lambda self: self.refs(*CLIENTS))
    @rule(data=st.data())
    def a_lead_is_bound(self, data: st.DataObject) -> None:
        """A user binds a lead to clients that are there."""
        contact, company = self.one("contact", data), self.one("company", data)
        values = {"contact_ids": (contact,) if contact else (), "company_id": company}
        self.store.edit(data.draw(st.sampled_from(self.refs("lead"))), values)

    @precondition(lambda self: any(len(self.refs(kind)) > 1 for kind in CLIENTS))
    @rule(data=st.data())
    def clients_are_merged(self, data: st.DataObject) -> None:
        """A user merges one client into another."""
        kinds = [kind for kind in CLIENTS if len(self.refs(kind)) > 1]
        gone, into, *_ = data.draw(st.permutations(self.refs(data.draw(st.sampled_from(kinds)))))
        self.store.merge(gone, into)
        now = self.store.now
        self.said = {(now(ref), now(to)) for ref, to in self.said}

    @precondition(lambda self: self.refs(*BY_HAND))
    @rule(data=st.data())
    def a_record_is_deleted(self, data: st.DataObject) -> None:
        """A user deletes a record, and what pointed at it points nowhere."""
        ref = data.draw(st.sampled_from(self.some(*BY_HAND)))
        self.orphans |= self.store.delete(ref)
        self.gone.add(ref)

    # -- again -------------------------------------------------------------------------------------

    @precondition(lambda self: self.leads("open"))
    @rule(data=st.data())
    def a_lead_is_converted(self, data: st.DataObject) -> None:
        """A lead is converted and closed, or refused."""
        self.convert(data.draw(st.sampled_from(self.leads("open"))), data)

    @precondition(lambda self: self.leads("open"))
    @rule(data=st.data())
    def a_lead_is_converted_in_part(self, data: st.DataObject) -> None:
        """A lead is converted and left open, or refused."""
        self.convert(data.draw(st.sampled_from(self.leads("open"))), data, closing=False)

    @precondition(lambda self: self.leads("closed"))
    @rule(data=st.data())
    def a_lead_is_supplemented(self, data: st.DataObject) -> None:
        """More is made of a lead that is converted, but only on purpose."""
        lead = data.draw(st.sampled_from(self.leads("closed")))
        problem = self.decide(lead, [Find("deal")]).problems[0]
        became = [str(ref) for one in lead.conversions if one.closes for ref in one.targets]
        assert (Cause.ALREADY_CONVERTED, tuple(became)) == (problem.cause, problem.params["became"])
        self.convert(lead, data, mode="supplement")

    def convert(
        self, lead: Lead, data: st.DataObject, *, closing: bool = True, mode: str = "convert"
    ) -> None:
        """Convert into what is drawn, and see that it did what it may and no more."""
        into = [self.target(kind, data) for kind in data.draw(st.sampled_from(SHAPES))]
        values = data.draw(st.sampled_from([{}, {}, {"comments": "said"}]))
        decided = self.decide(lead, into, closing=closing, mode=mode, values=values)
        if not decided.ok:
            return
        result, before = decided.result(), {**self.store.records}
        receipt = self.apply(result.changes)
        stored, after = result.stored(receipt), self.store.records
        id_ = result.conversion.id
        assert stored.lead == after[Ref("lead", lead.id)]
        assert [after[one.ref] for one in stored.outcomes] == [*stored.records]
        self.made |= dict.fromkeys((ref for _, ref in receipt.ids), id_)
        assert before.keys().isdisjoint(ref for _, ref in receipt.ids)
        self.changed[id_] = {
            ref: (before.get(ref), new) for ref, new in after.items() if before.get(ref) != new
        }
        for one in stored.children:
            targets = (ref for ref in one.targets if ref not in self.store.pointed_at(one.ref))
            self.copies |= {
                copy: (one.ref, to) for copy, to in zip(one.copies, targets, strict=True)
            }
        told = {one.ref for one in stored.outcomes} | {one.ref for one in stored.children}
        assert self.changed[id_].keys() & before.keys() <= {*told, Ref("lead", lead.id)}

    def decide(self, lead: Lead, into: Iterable[Target], **how: Any) -> Plan:  # noqa: ANN401
        """Plan with what `wanted` lists; a host that loads everything learns the same."""
        rules, targets, mode = self.store.rules, tuple(into), how.get("mode", "convert")
        known = Known(merged=self.store.merged.items())
        for _ in range(2):  # what it lists depends on what was found before
            known = self.store.known(wanted(lead, targets, rules=rules, mode=mode, known=known))
        some, everything = (
            plan(lead, targets, rules=rules, actor=ADA, at=self.clock, known=found, **how)
            for found in (known, self.store.everything)
        )
        assert attrs.evolve(some, required_access=()) == attrs.evolve(
            everything, required_access=()
        )
        return some

    # -- back --------------------------------------------------------------------------------------

    @precondition(lambda self: self.leads("in force"))
    @rule(data=st.data(), partial=st.booleans())
    def a_conversion_is_reversed(self, data: st.DataObject, partial: bool) -> None:
        """The newest conversion of a lead is taken back, as far as may be, or refused."""
        lead = data.draw(st.sampled_from(self.leads("in force")))
        self.take_back(lead, partial=partial)

    @precondition(lambda self: self.leads("closed"))
    @rule(data=st.data(), partial=st.booleans())
    def a_lead_is_reopened(self, data: st.DataObject, partial: bool) -> None:
        """A lead is reopened, and what was made of it stays, or that is refused."""
        lead = data.draw(st.sampled_from(self.leads("closed")))
        to = data.draw(st.sampled_from([None, "PROCESSED"]))
        self.take_back(lead, partial=partial, keep=True, to=to)

    def take_back(self, lead: Lead, **how: Any) -> None:  # noqa: ANN401
        """Take back with what `wanted_reversal` lists; a host that loads everything agrees."""
        some, everything = (
            self.store.undoing(lead.id, at=self.clock, **known, **how)
            for known in ({}, {"known": self.store.everything})
        )
        told = [[(one.code, one.params["id"]) for one in p.problems] for p in (some, everything)]
        assert told[0] == told[1]
        if not some.ok:
            assert some.partial
            assert not how["partial"]
            assert {Cause.REVERSAL} == {one.cause for one in some.problems}
            return
        result = some.result()
        assert everything.result().changes == result.changes
        self.undo(lead, result)

    def undo(self, lead: Lead, result: Reversal) -> None:
        """Apply a reversal, and see that it did what it may and no more."""
        before, ids = {**self.store.records}, [one.id for one in result.conversions]
        stored = result.stored(self.apply(result.changes))
        after = self.store.records
        assert after[Ref("lead", lead.id)] == stored.lead
        assert {*stored.restored} <= {*after.values()}

        reopened = any(
            one.undone and one.undone.how is Undoing.REOPENED for one in result.conversions
        )
        kept = {Ref(str(one.kind), str(one.params["id"])) for one in result.kept}
        made = {ref for ref, id_ in self.made.items() if id_ in ids}
        removed = before.keys() - after.keys()
        assert after.keys() <= before.keys()
        assert (set() if reopened else made - kept) == removed == {*result.removed}
        self.kept |= made - removed
        spoken_of = {step.ref for id_ in ids for step in self.store.traces[id_].steps}
        touched = {self.store.now(ref) for ref in spoken_of}
        for ref, record in after.items():
            assert ref in touched or record == before[ref], f"{ref} was changed unasked"
        for id_ in ids:
            for ref, (old, new) in self.changed[id_].items():
                if old is not None and ref in after and ref not in kept:
                    self.is_restored(old, new, ref, reopened=reopened)

    def is_restored(self, old: Record, new: Record, ref: Ref, *, reopened: bool) -> None:
        """See that what was written into a record stands there no more, and what stood there does.

        To reopen a lead gives back children alone.
        """
        kind, now = self.store.kind(ref), self.store.records[ref]
        grows = {"conversions", "stage_history", "stage", kind.converted_from}
        added = {name for name, field in kind.references.items() if field.multiple}
        for name in (
            kind.members.keys() - grows - added if ref.kind in POINTERS or not reopened else ()
        ):
            was = kind.read(old, name)
            if was != kind.read(new, name) and not self.is_gone(kind.members[name], was):
                assert was == kind.read(now, name), f"{name} of {ref}"

    def is_gone(self, field: Field, value: object) -> bool:
        """Whether a reference would point at nothing."""
        refs = {Ref(str(field.to), id_) for id_ in ids_in(value)} if field.to else set()
        return not refs <= self.store.records.keys()

    # -- once --------------------------------------------------------------------------------------

    def apply(self, changes: ChangeSet) -> Receipt:
        """Apply what is new, see that no lead forgets anything, and that retries change nothing."""
        assert changes.key not in self.store.applied
        leads = {one.id: one for one in self.all(Lead)}
        receipt = self.store.apply(changes)
        after = {**self.store.records}
        self.done.append(changes)
        assert all(self.store.apply(one).replayed for one in self.done)
        assert after == self.store.records
        self.clock += timedelta(minutes=1)
        for id_, old in leads.items():
            new = self.store.lead(id_)
            assert old.stage_history == new.stage_history[: len(old.stage_history)]
            again = new.conversions[: len(old.conversions)]
            for one, other in zip(old.conversions, again, strict=True):
                assert one in {other, attrs.evolve(other, undone=None)}
        return receipt

    @precondition(lambda self: self.leads("in force"))
    @rule(data=st.data(), keep=st.booleans())
    def a_record_changes_in_between(self, data: st.DataObject, keep: bool) -> None:
        """What was decided on a record as it was is not written once that has changed."""
        lead = data.draw(st.sampled_from(self.leads("in force")))
        changes = self.store.undoing(lead.id, partial=True, keep=keep).result().changes
        of_a_revision = [one.ref for one in changes.changes if isinstance(one, Update | Delete)]
        ref = data.draw(st.sampled_from(of_a_revision))
        self.store.edit(ref, {"text" if ref.kind in POINTERS else "comments": "in between"})
        before = copy.copy(self.store.records)
        with pytest.raises(StaleError):
            self.store.apply(changes)
        assert before == self.store.records

    # -- what is there -----------------------------------------------------------------------------

    def new(self) -> str:
        """A new id."""
        self.count += 1
        return f"X-{self.count}"

    def refs(self, *kinds: str) -> list[Ref]:
        """The records of some kinds."""
        return [ref for kind in kinds for ref in self.store.records if ref.kind == kind]

    def some(self, *kinds: str) -> list[Ref]:
        """The records of some kinds; those that conversions made come twice."""
        found = self.refs(*kinds)
        return [*(ref for ref in found if ref in self.made), *found]

    def ids(self, kind: str) -> list[str]:
        """The ids of one kind."""
        return [ref.id for ref in self.refs(kind)]

    def one(self, kind: str, data: st.DataObject) -> str | None:
        """The id of some record of a kind, or none."""
        return data.draw(st.sampled_from([None, *(ref.id for ref in self.some(kind))]))

    def all(self, cls: type[R]) -> list[R]:
        """The records of a class."""
        return [one for one in self.store.records.values() if isinstance(one, cls)]

    def leads(self, which: str) -> list[Lead]:
        """The leads that are open, closed, or of which a conversion is in force."""
        wants: Mapping[str, Callable[[Lead], object]] = {
            "open": lambda lead: lead.stage != "CONVERTED",
            "closed": lambda lead: lead.stage == "CONVERTED",
            "in force": lambda lead: any(one.in_force for one in lead.conversions),
        }
        return [lead for lead in self.all(Lead) if wants[which](lead)]

    def became(self, lead: Lead) -> set[Ref]:
        """What a lead is by its conversions in force, as far as it is there."""
        made = (one for one in lead.conversions if one.in_force)
        now = {self.store.now(ref) for one in made for ref in one.targets}
        return now & self.store.records.keys()

    @staticmethod
    def pointing(kind: str, to: Ref) -> dict[str, object]:
        """What a child of a kind holds to point at a record."""
        name = POINTERS[kind][to.kind]
        return {name: (to.id,) if name in {field.id for field in TO_MANY} else to.id}

    def target(self, kind: str, data: st.DataObject) -> Target:
        """A target of a kind: by name, new, or one that is there."""
        sorts: list[Target] = [Find(kind), Find(kind), Create(kind)]
        if there := self.some(kind):
            id_ = data.draw(st.sampled_from(there)).id
            sorts += [Link(kind, id_), Merge(kind, id_), Merge(kind, id_, values={"tags": ("a",)})]
        return data.draw(st.sampled_from(sorts))

    # -- what holds after each step ----------------------------------------------------------------

    @invariant()
    def products_are_carried_once(self) -> None:
        """What deals took of a lead's products, and still have, is never more than it has.

        Of one product a deal had some before: what a user takes out is counted as the lead's first.
        """
        for lead in self.all(Lead):
            has, total = counted(lead.products), Counter[object]()
            taken: dict[Ref, Counter[object]] = {}
            own: dict[Ref, Counter[object]] = {}
            for one in (made for made in lead.conversions if made.in_force):
                for ref, (old, new) in self.changed[one.id].items():
                    if isinstance(new, Deal):
                        had = old.products if isinstance(old, Deal) else ()
                        own.setdefault(ref, counted(had))
                        took = counted(new.products) - counted(had)
                        taken[ref] = taken.get(ref, Counter()) + took
            for ref, took in taken.items():
                deal = self.store.records.get(ref)
                now = counted(deal.products if isinstance(deal, Deal) else ())
                total += took & (now - own[ref])
            assert all(total[product] <= has[product] for product in has)

    @invariant()
    def both_sides_agree(self) -> None:
        """A lead's targets point back at it, and nobody else does but by a user's will."""
        for lead in self.all(Lead):
            became, back = self.became(lead), self.store.pointing_back(lead.id)
            assert became <= back
            assert {(ref, Ref("lead", lead.id)) for ref in back - became} <= self.said
            assert (lead.stage == "CONVERTED") == any(one.closes for one in lead.conversions)
            found = follow(lead.id, rules=self.store.rules, known=self.store.everything)
            assert became <= {one.now for one in found.targets}
            for one in found.targets:
                now = self.store.now(one.ref)
                assert self.store.records.get(now) == one.record
                assert (one.fate is Fate.MERGED) == (now != one.ref)

    @invariant()
    def nobody_points_at_nothing(self) -> None:
        """Whoever is pointed at is there, and what a lead became, unless a user removed it."""
        there = {*self.store.records}
        for ref, record in self.store.records.items():
            assert not ref.provisional
            assert self.store.pointed_at(ref) <= there, f"{ref} points at nothing"
            for made in record.conversions if isinstance(record, Lead) else ():
                refs = {self.store.now(target) for target in made.targets}
                assert not made.in_force or refs <= there | self.gone
        assert {*map(self.store.now, self.store.merged)} <= there | self.gone

    @invariant()
    def amounts_have_a_currency(self) -> None:
        """No deal has an amount of nobody knows what."""
        assert all(deal.amount is None or deal.currency for deal in self.all(Deal))

    @invariant()
    def every_child_is_in_its_place(self) -> None:
        """A file is in one place, an activity where it was and where it is shared, a note at home.

        A copy of a note is with whom it was made for, and is the only one there.
        """
        for ref in self.refs(*POINTERS):
            places = self.store.pointed_at(ref)
            home = {to for one, to in self.said if one == ref}
            leads = {to for to in home if to.kind == "lead"}
            if ref in self.copies:
                expected, most = {self.store.now(self.copies[ref][1])}, 1
                leads = set()
            elif ref.kind == "file":
                assert len(places) == 1 or (not places and ref in self.orphans), f"{ref}: {places}"
                continue
            else:
                shared = (self.became(self.store.lead(to.id)) for to in leads)
                expected, most = home.union(*(shared if ref.kind == "activity" else ())), 99
            assert leads <= places <= expected, f"{ref} is in {places}"
            assert len(places) <= most
            assert places or ref in self.orphans
        notes = [ref for ref in self.refs("note") if ref in self.copies and ref not in self.kept]
        copies = [self.copies[ref] for ref in notes]
        assert len(copies) == len({*copies})


TestAfterLife = AfterLife.TestCase
TestAfterLife.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


# -- what has gone wrong elsewhere, and must not here ----------------------------------------------


def converted(store: Store, into: Iterable[str | Target], **how: Any) -> ConversionResult:  # noqa: ANN401
    """Convert the enquiry, with all that is known, and store what came of it."""
    result = store.converting("L-7", into, **how).result()
    return result.stored(store.apply(result.changes))


def undone(store: Store, **how: Any) -> Reversal:  # noqa: ANN401
    """Take the newest conversion of the enquiry back, and store that."""
    result = store.undoing("L-7", **how).result()
    return result.stored(store.apply(result.changes))


def kinds_of(store: Store) -> Counter[str]:
    """How many records of each kind there are."""
    return Counter(ref.kind for ref in store.records)


def deals(store: Store) -> list[Deal]:
    """The deals that there are."""
    return [one for one in store.records.values() if isinstance(one, Deal)]


def of(store: Store, kind: str) -> Iterator[Ref]:
    """The records of a kind."""
    return (ref for ref in store.records if ref.kind == kind)


class TestBothDoors:
    """To convert, and to move a lead into its success stage, are one thing (case T11)."""

    def test_immune_to_converting_twice(self) -> None:
        """Through either door the second time is refused, by name, and there is still one deal."""
        store = Store.of(CRM, ENQUIRY)
        made = converted(store, ["contact", "company", "deal"])
        how: dict[str, Any] = {"rules": CRM, "actor": ADA, "at": LATER, "known": store.everything}
        with pytest.raises(errors.AlreadyConvertedError) as refused:
            convert(made.lead, ["deal"], **how)
        with pytest.raises(errors.ConversionError):
            advance(made.lead, "CONVERTED", ["deal"], **how)

        became = tuple(map(str, made.conversion.targets))
        assert became == refused.value.problems[0].params["became"]
        assert {"lead": 1, "contact": 1, "company": 1, "deal": 1} == kinds_of(store)

    def test_immune_to_success_without_a_conversion(self) -> None:
        """Nobody moves a lead into success without saying into what it is converted."""
        with pytest.raises(errors.TargetsRequiredError):
            advance(ENQUIRY, "CONVERTED", rules=CRM, actor=ADA, at=AT)

        moved = advance(ENQUIRY, "CONVERTED", ["deal"], rules=CRM, actor=ADA, at=AT)
        direct = convert(ENQUIRY, ["deal"], rules=CRM, actor=ADA, at=AT)
        assert direct.lead == moved.lead
        assert direct.records == moved.conversions[0].records

    def test_immune_to_leaving_success_by_a_move(self) -> None:
        """A converted lead is moved nowhere; only to reopen it takes it out of success."""
        store = Store.of(CRM, ENQUIRY)
        lead = converted(store, ["deal"]).lead
        with pytest.raises(errors.StageNotAllowedError) as refused:
            advance(lead, "IN_PROCESS", rules=CRM, actor=ADA, at=LATER)

        assert "leaves_success" == refused.value.problems[0].code
        assert "IN_PROCESS" == undone(store, keep=True).lead.stage

    def test_immune_to_out_and_in_again(self) -> None:
        """A lead that was reopened and converted once more has one contact still, and new deals."""
        store = small_world()
        first = converted(store, ["contact", "deal"])
        undone(store, keep=True)
        second = converted(store, ["contact", "deal"])

        assert first.contact.id == second.contact.id == "C-3"
        assert {first.deal.id, second.deal.id} == {one.id for one in deals(store)}
        assert ("L-7",) == second.contact.converted_from
        assert [False, True] == [one.in_force for one in second.lead.conversions]

    def test_a_converted_lead_is_edited(self) -> None:
        """To rename a converted lead leaves it converted, and its name outlives the undoing."""
        store = Store.of(CRM, ENQUIRY)
        converted(store, ["deal"])
        store.edit(Ref("lead", "L-7"), {"first_name": "Augusta"})

        assert "CONVERTED" == store.lead("L-7").stage
        assert "Augusta" == undone(store).lead.first_name

    def test_a_closed_lead_comes_back(self) -> None:
        """A lead that came to nothing may be worked on again."""
        junk = attrs.evolve(ENQUIRY, stage="JUNK")
        moved = advance(junk, "IN_PROCESS", rules=CRM, actor=ADA, at=AT)
        assert "IN_PROCESS" == moved.lead.stage


REQUEST: Final = Kind(
    "request",
    fields=[
        TO_LEAD,
        Field("contact_ids", "reference", to="contact", multiple=True),
        Field("company_ids", "reference", to="company", multiple=True),
    ],
)


class TestAllAtOnce:
    """What is missing is told whole, and what is refused leaves nothing behind (case T13)."""

    def test_immune_to_one_complaint_at_a_time(self) -> None:
        """Every missing field of every target is told at once, with the target that lacks it."""
        base = attrs.evolve(BITRIX.lead, custom=[*BITRIX.lead.custom, Field("UF_MAIL", "text")])
        kinds = [
            attrs.evolve(kind, custom=[*kind.custom, Field("UF_MAIL", "text", required=True)])
            if kind.id in CLIENTS
            else kind
            for kind in BITRIX.kinds
        ]
        rules = attrs.evolve(CRM, lead=base, kinds=kinds)
        bare = Lead(id="L-7", stage="NEW", first_name="Michael")
        looked = plan(bare, ["contact", "company", "deal"], rules=rules, actor=ADA, at=AT)

        assert {
            (0, "UF_MAIL"),
            (1, "UF_MAIL"),
            (1, "name"),
            (2, "title"),
        } == {(one.target, one.field) for one in looked.problems}
        with pytest.raises(errors.MissingFieldsError):
            looked.result()

    def test_immune_to_half_a_conversion(self) -> None:
        """Of two companies that match neither is taken, and no contact is made on the way."""
        rules = crm()
        two = [Company(id=f"CO-{number}", name="Engines") for number in (1, 2)]
        looked = plan(
            ENQUIRY,
            ["contact", "company"],
            rules=rules,
            actor=ADA,
            at=AT,
            known=Known(records=two),
        )
        assert ["several_matches"] == [one.code for one in looked.problems]
        assert looked.conversion is None

    def test_a_request_goes_to_both_clients(self) -> None:
        """What is linked to the lead is linked to its contact and its company, until that ends."""
        rule_ = ChildRule(REQUEST, {"contact": "share", "company": "share"})
        rules = attrs.evolve(CRM, children=[rule_])
        asked = GenericRecord(kind="request", id="R-1", custom={"lead_id": "L-7"})
        store, ref = Store.of(rules, ENQUIRY, asked), Ref("request", "R-1")
        made = converted(store, ["contact", "company"])

        assert {Ref("lead", "L-7"), *made.conversion.targets} == store.pointed_at(ref)
        undone(store)
        assert {Ref("lead", "L-7")} == store.pointed_at(ref)


class TestTravelOnce:
    """What hangs on a lead arrives once, whatever comes after that (case T15)."""

    @staticmethod
    def full() -> Store:
        """The enquiry with a note, two activities, two files, and a client it matches."""
        store = small_world()
        store.add(child("activity", "A-2", completed=True))
        store.add(child("file", "F-2"))
        return store

    def test_immune_to_doubled_children(self) -> None:
        """After a conversion and two supplements there is one of each, and one copy for each."""
        store = self.full()
        made = [converted(store, ["contact", "deal"])]
        made += [converted(store, ["deal"], mode="supplement") for _ in range(2)]
        targets = {ref for one in made for ref in one.conversion.targets}
        home = Ref("lead", "L-7")

        assert (2, 2) == (kinds_of(store)["activity"], kinds_of(store)["file"])
        assert [{home, *targets}] * 2 == [store.pointed_at(ref) for ref in of(store, "activity")]
        first_deal = Ref("deal", made[0].deal.id)
        assert [{first_deal}] * 2 == [store.pointed_at(ref) for ref in of(store, "file")]
        places = [store.pointed_at(ref) for ref in of(store, "note")]
        assert sorted([{home}, *({one} for one in targets)], key=str) == sorted(places, key=str)

    def test_immune_to_children_left_behind(self) -> None:
        """Taken back and converted again, all have come along, and again just once."""
        store = self.full()
        before = {**store.records}
        for _ in range(3):
            deal = converted(store, ["deal"]).deal
            assert {Ref("deal", deal.id)} == store.pointed_at(Ref("file", "F-1"))
            assert 2 == kinds_of(store)["note"]
            undone(store)
            same(before, store.records, but=Ref("lead", "L-7"))

    def test_immune_to_two_contacts_of_one_deal(self) -> None:
        """A deal has the contact of its lead once, made along with it or there before."""
        fresh = converted(Store.of(CRM, ENQUIRY), ["contact", "deal"])
        found = converted(small_world(), ["contact", "deal"])

        assert (fresh.contact.id,) == fresh.deal.contact_ids
        assert ("C-3",) == found.deal.contact_ids

    def test_immune_to_the_resurrected_call(self) -> None:
        """A call that was deleted since stays deleted when the conversion is taken back."""
        store = self.full()
        converted(store, ["deal"])
        store.delete(Ref("activity", "A-1"))
        [kept] = undone(store, partial=True).kept

        assert ("gone_since", "A-1") == (kept.code, kept.params["id"])
        assert Ref("activity", "A-1") not in store.records

    def test_immune_to_closing_what_was_closed(self) -> None:
        """Open activities are closed with the lead, and only these are open again afterwards."""
        store = self.full()
        assert not any(one.closed for one in converted(store, ["contact"], closing=False).children)
        told = converted(store, ["deal"]).children
        assert {"A-1": True, "A-2": False} == {
            one.ref.id: one.closed for one in told if one.ref.kind == "activity"
        }
        undone(store)
        now = {ref.id: store.records[ref].custom["completed"] for ref in of(store, "activity")}
        assert {"A-1": False, "A-2": True} == now


class TestAfterTheConversion:
    def test_immune_to_a_lead_out_of_reach(self) -> None:
        """Its client deleted, a lead is still there, can be taken back, and blocks no new one."""
        store = Store.of(CRM, ENQUIRY)
        client = Ref("contact", converted(store, ["contact"]).contact.id)
        store.delete(client)
        again = attrs.evolve(ENQUIRY, id="L-8")
        imported = plan(again, ["contact"], rules=CRM, actor=ADA, at=LATER, known=store.everything)

        assert "created" == imported.result().outcomes[0].action
        found = follow("L-7", rules=CRM, known=store.everything)
        assert [(client, Fate.GONE)] == [(one.ref, one.fate) for one in found.targets]
        assert "IN_PROCESS" == undone(store, partial=True).lead.stage
        assert client.id != converted(store, ["contact"]).contact.id

    def test_immune_to_a_lost_lead(self) -> None:
        """A converted lead is not deleted, and keeps all it had."""
        made = converted(Store.of(CRM, ENQUIRY), ["contact", "deal"])
        past = {"stage": "IN_PROCESS", "stage_history": (), "conversions": ()}
        assert filled(ENQUIRY) == filled(changed(made.lead, past))

    def test_immune_to_a_lost_history(self) -> None:
        """What happened to a lead is told whole, also what was taken back and done again."""
        store = Store.of(CRM, ENQUIRY)
        converted(store, ["deal"])
        undone(store)
        converted(store, ["deal"])
        undone(store, keep=True)
        told = Counter(one.what for one in history(store.lead("L-7")))

        assert {
            Happened.MOVED: 4,
            Happened.CONVERTED: 2,
            Happened.REVERSED: 1,
            Happened.REOPENED: 1,
        } == told

    def test_immune_to_one_lead_for_each_deal(self) -> None:
        """Several leads become one deal that is there; to take one back leaves it to the others."""
        other = Lead(id="L-8", stage="NEW", title="Spare parts", currency="EUR")
        there = Deal(id="D-5", title="Engine", stage="NEW", pipeline="0")
        store, deal = Store.of(CRM, ENQUIRY, other, there), Ref("deal", "D-5")
        converted(store, [Merge("deal", "D-5")])
        known = store.everything
        into = [Link("deal", "D-5")]
        linked = convert(store.lead("L-8"), into, rules=CRM, actor=ADA, at=AT, known=known)
        store.apply(linked.changes)
        assert ("L-7", "L-8") == ids_in(getattr(store.records[deal], "converted_from", ()))

        undone(store)
        assert filled(there) | {"converted_from": ("L-8",)} == filled(store.records[deal])
        assert {deal} == store.pointing_back("L-8")

    def test_immune_to_naming_the_wrong_client(self) -> None:
        """Who is refused is told the very records, and follows them to whoever they are now."""
        store = small_world()
        made = converted(store, ["contact", "deal"])
        store.add(Contact(id="C-4", last_name="King"))
        store.merge(Ref("contact", "C-3"), Ref("contact", "C-4"))
        how: dict[str, Any] = {"rules": CRM, "known": store.everything}
        refused = plan(made.lead, ["contact"], actor=ADA, at=LATER, **how).problems[0]

        assert ("contact C-3", f"deal {made.deal.id}") == refused.params["became"]
        followed = follow("L-7", **how).targets[0]
        assert (Fate.MERGED, Ref("contact", "C-4")) == (followed.fate, followed.now)
        more = converted(store, ["deal"], mode="supplement")
        assert ("C-4",) == more.deal.contact_ids

    def test_immune_to_a_stage_of_no_return(self) -> None:
        """A lead goes back to where it stood, or where one says, and can be converted again."""
        store = Store.of(CRM, ENQUIRY)
        converted(store, ["deal"])
        assert "PROCESSED" == undone(store, keep=True, to="PROCESSED").lead.stage
        converted(store, ["deal"])
        assert "PROCESSED" == undone(store).lead.stage

    def test_immune_to_taking_away_what_was_there(self) -> None:
        """What was linked or merged is never removed with the rest, and neither is another's."""
        store = small_world()
        company = store.add(Company(id="CO-9", name="Looms"))
        made = converted(store, ["contact", Link("company", "CO-9"), "deal"])
        deal = Ref("deal", made.deal.id)
        store.add(child("note", "N-9", lead_id=None, deal_id=made.deal.id))
        looked = store.undoing("L-7")

        assert [("has_others", "deal")] == [(one.code, one.kind) for one in looked.problems]
        removed = undone(store, partial=True).removed
        assert ["note", "note"] == [one.kind for one in removed]  # the copies of N-1
        assert {deal, company, Ref("contact", "C-3")} <= store.records.keys()
        assert set() == store.pointing_back("L-7")

    def test_immune_to_letting_go_too_early(self) -> None:
        """A client whom an older conversion holds as well points back until that is undone too."""
        store = Store.of(CRM, ENQUIRY)
        first = Ref("contact", converted(store, [Create("contact")], closing=False).contact.id)
        second = store.add(Contact(id="C-9", last_name="Lovelace"))
        converted(store, [Link("contact", "C-9"), "deal"])
        store.merge(first, second)
        undone(store)

        assert {second} == store.pointing_back("L-7")
        assert ["merged_away"] == [one.code for one in undone(store, partial=True).kept]
        assert set() == store.pointing_back("L-7")

    def test_immune_to_a_file_in_two_places(self) -> None:
        """A file that somebody put elsewhere since stays there, and only there."""
        store = small_world()
        converted(store, ["deal"])
        file = Ref("file", "F-1")
        store.edit(file, {"deal_id": None, "contact_id": "C-3"})
        [kept] = undone(store, partial=True).kept

        assert ("changed_since", "F-1") == (kept.code, kept.params["id"])
        assert {Ref("contact", "C-3")} == store.pointed_at(file)

    def test_immune_to_pointing_at_what_is_gone(self) -> None:
        """No client is given back a company that went with the conversion of another lead."""
        store = Store.of(CRM, ENQUIRY, attrs.evolve(ENQUIRY, id="L-8"), Company(id="CO-9"))
        made = converted(store, ["company", "contact"])
        client = Ref("contact", made.contact.id)
        into = [Merge("contact", client.id, values={"company_id": "CO-9"})]
        store.apply(store.converting("L-8", into).result().changes)
        assert {"changed_since", "has_others"} == {
            one.code for one in undone(store, partial=True).kept
        }
        assert Ref("company", made.company.id) not in store.records

        [problem] = store.undoing("L-8").problems
        assert ("gone_since", made.company.id) == (problem.code, problem.params["id"])
        store.apply(store.undoing("L-8", partial=True).result().changes)
        assert {Ref("company", "CO-9")} == store.pointed_at(client)

    def test_immune_to_carrying_products_twice(self) -> None:
        """A supplement takes what is left; what a deleted or undone deal had is free again."""
        store = Store.of(CRM, ENQUIRY)
        first = converted(store, ["deal"]).deal
        assert (ENQUIRY.products, Decimal(140)) == (first.products, first.amount)
        assert () == converted(store, ["deal"], mode="supplement").deal.products

        some = [Product(name="Seat", price=10, quantity=2)]
        store.edit(Ref("deal", first.id), {"products": tuple(some)})
        rest = converted(store, ["deal"], mode="supplement").deal
        told = [(one.name, one.quantity) for one in rest.products]
        assert [("Seat", Decimal(3)), ("Set-up", Decimal(1))] == told
        assert Decimal(120) == rest.amount
        undone(store)
        store.delete(Ref("deal", first.id))
        last = converted(store, ["deal"], mode="supplement").deal
        assert ENQUIRY.products == last.products
