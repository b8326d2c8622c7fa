"""Any sequence of requests leaves in a store, and is refused by it, as in the one in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from leadconvert import (
    Actor,
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
    Create,
    Delete,
    Detach,
    Insert,
    Kind,
    Known,
    MatchKey,
    Receipt,
    Ref,
    Target,
    Update,
    Wanted,
    match_keys,
)
from leadconvert.changes import plain
from leadconvert.errors import LeadConvertError
from leadconvert.stores import MemoryStore, Store, convert_stored, reverse_stored
from leadconvert.testing._contract_bench import AT, Bench, Opened, Subject, same, told
from leadconvert.testing._contract_rules import RULES
from leadconvert.values import ids_in


__all__ = ["Modelled"]

#: The field by which a record of each kind is told.
_NAMES: Final = {
    "lead": "title",
    "contact": "last_name",
    "company": "name",
    "deal": "title",
    "visit": "place",
    "invoice": "number",
    "task": "subject",
    "note": "text",
}
#: What a record of each kind refers to.
_LINKS: Final = {
    "contact": "company_id",
    "deal": "contact_ids",
    "visit": "contact_id",
    "invoice": "payer_id",
    "task": "lead_id",
    "note": "lead_ids",
}
#: How many steps a sequence has at most.
_STEPS: Final = 20
_SAID: Final = ("Engines", "Zoë 👩🏽‍💻", "'x' %_\\", " blank ")
_ACTOR: Final = Actor("u-1")
_EMAILS: Final = ("ada@example.com", "bob@example.com")
_INTO: Final[tuple[tuple[str | Target, ...], ...]] = (
    ("contact",),
    ("deal",),
    ("contact", "company", "deal"),
    (Create("contact"), "visit"),
    ("company", "invoice"),
)


@attrs.define
class _Remembering:
    """A store that remembers the ids it gave, and what it applied."""

    store: Store
    ids: dict[Ref, str] = attrs.field(factory=dict)
    applied: list[ChangeSet] = attrs.field(factory=list)

    @property
    def owns_transaction(self) -> bool:
        return self.store.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = self.store.apply(changes)
        self.ids |= {new: stored.id for new, stored in receipt.ids}
        self.applied.append(changes)
        return receipt


@attrs.define
class _Side:
    """One of the two stores, and which revision each record had at first."""

    bench: Bench
    first: dict[Ref, str | None] = attrs.field(factory=dict)

    def revision(self, ref: Ref, *, late: bool) -> str | None:
        """Return the revision that somebody has read of a record that may be gone by now."""
        found = self.bench.found(Wanted(refs=(ref,)))
        return self.first[ref] if late or ref not in found else found[ref].revision


class _Sequence(RuleBasedStateMachine):
    """The same is asked of both stores; the one in memory takes over the ids of the other."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.stack, self.revisions = ExitStack(), subject.revisions
        opened = self.stack.enter_context(subject.open_store())
        self.under = _Remembering(opened.store)
        model = MemoryStore(RULES, new_id=lambda ref: self.under.ids.get(ref, ref.id))
        beside = Opened(model, lambda: model.records, lambda: model.events)
        self.real = _Side(Bench(attrs.evolve(opened, store=self.under)))
        self.model = _Side(Bench(beside))
        self.number = 0

    def teardown(self) -> None:
        self.stack.close()

    @property
    def refs(self) -> list[Ref]:
        """Every record that there was, in the order they came."""
        return list(self.model.first)

    def _ref(self, at: int, *kinds: str) -> Ref:
        """Return one of the records of these kinds, of which there were some from the start."""
        own = [ref for ref in self.refs if ref.kind in kinds]
        return own[at % len(own)]

    def _both(self, ask: Callable[[_Side], object]) -> None:
        """Ask both stores for the same, and compare what they say and all they hold."""
        real, model = (_answer(ask, side) for side in (self.real, self.model))
        same(model, real, "a store answers as the one in memory")
        worlds = [side.bench.world() for side in (self.real, self.model)]
        found, expected = ({ref: told(one) for ref, one in each.records.items()} for each in worlds)
        same(sorted(map(str, expected)), sorted(map(str, found)), "it holds the same records")
        for ref, record in expected.items():
            same(record, found[ref], f"it holds the same of {ref}")
        same(worlds[1].events, worlds[0].events, "it holds the same events")
        for side, world in zip((self.real, self.model), worlds, strict=True):
            for ref in sorted(world.records.keys() - side.first.keys(), key=str):
                side.first[ref] = world.records[ref].revision

    def _change(self, make: Callable[[_Side], Change]) -> None:
        self.number += 1
        key = f"change-{self.number}"
        self._both(
            lambda side: side.bench.store.apply(
                ChangeSet(key=key, fingerprint="asked", changes=[make(side)])
            )
        )

    def _claims(self, kind: str, values: dict[str, object], *, honest: bool) -> Iterator[Claim]:
        """Yield the claims of a record, with those that hold its keys, or with nobody."""
        given = {name: plain(value) for name, value in values.items()}
        for key in match_keys(_kind(kind).build("any", {"stage": "NEW"} | given), rules=RULES):
            if key.type in RULES.matching.sorts(kind):
                holders = self._holders(kind, key) if honest else ()
                yield Claim(key, holders)

    def _holders(self, kind: str, key: MatchKey) -> list[Ref]:
        wanted = Wanted(matches=((kind, key),))
        real, model = (
            sorted(side.bench.found(wanted), key=str) for side in (self.real, self.model)
        )
        same(model, real, "it finds the same records by a key")
        return model

    @initialize(said=st.sampled_from(_SAID), emails=st.lists(st.sampled_from(_EMAILS), max_size=1))
    def begin(self, said: str, emails: list[str]) -> None:
        """Two leads, and somebody who may be one of them, are there from the start."""
        self.make("lead", said, emails, at=0, honest=True)
        self.make("lead", _SAID[0], [_EMAILS[0]], at=0, honest=True)
        self.make("contact", said, [_EMAILS[0]], at=0, honest=True)

    @rule(
        kind=st.sampled_from(sorted(_NAMES)),
        said=st.sampled_from(_SAID),
        emails=st.lists(st.sampled_from(_EMAILS), max_size=2),
        at=st.integers(0, 9),
        honest=st.booleans(),
    )
    def make(self, kind: str, said: str, emails: list[str], at: int, honest: bool) -> None:
        values: dict[str, object] = {_NAMES[kind]: said}
        if kind == "lead":
            values |= {"stage": "NEW", "last_name": said, "company_name": said}
        if kind in {"lead", "contact"}:
            values["emails"] = tuple(map(Channel, emails))
        link = _LINKS.get(kind)
        field = _kind(kind).members.get(str(link))
        if field is not None and any(ref.kind == field.to for ref in self.refs):
            to = self._ref(at, str(field.to))
            values[field.id] = (to,) if field.multiple else to
        claims = list(self._claims(kind, values, honest=honest))
        new = Ref(kind, f"{kind}-{self.number}", provisional=True)
        self._change(lambda _: Insert(new, values, claims))

    @rule(at=st.integers(0, 99), said=st.sampled_from(_SAID), late=st.booleans())
    def update(self, at: int, said: str, late: bool) -> None:
        ref, late = self._ref(at, *_NAMES), late and self.revisions
        values = {_NAMES[ref.kind]: said}
        claims = list(self._claims(ref.kind, dict(values), honest=True))
        self._change(lambda side: Update(ref, side.revision(ref, late=late), values, claims))

    @rule(at=st.integers(0, 99), late=st.booleans(), seen=st.sampled_from((None, "all", "nobody")))
    def delete(self, at: int, late: bool, seen: str | None) -> None:
        ref, late = self._ref(at, *_NAMES, "attachment"), late and self.revisions
        record = self.model.bench.found(Wanted(refs=(ref,))).get(ref)
        attached: dict[str, list[Ref]] = {}
        for name, field in _kind(ref.kind).members.items() if record is not None and seen else ():
            if record is not None and field.to is not None and field.multiple:
                held = ids_in(_kind(ref.kind).read(record, name)) if seen == "all" else ()
                attached[name] = [Ref(field.to, one) for one in held]
        self._change(lambda side: Delete(ref, side.revision(ref, late=late), attached))

    @rule(at=st.integers(0, 9), leads=st.lists(st.integers(0, 9), max_size=3), out=st.booleans())
    def join(self, at: int, leads: list[int], out: bool) -> None:
        ref = self._ref(at, *(kind for kind in _LINKS if kind != "task"), "company")
        field = "lead_ids" if ref.kind == "note" else "converted_from"
        step, refs = Detach if out else Attach, [self._ref(lead, "lead") for lead in leads]
        self._change(lambda _: step(ref, field, refs))

    @rule(at=st.integers(0, 99), other=st.booleans())
    def again(self, at: int, other: bool) -> None:
        asked = self.under.applied[at % len(self.under.applied)]
        asked = attrs.evolve(asked, fingerprint="other") if other else asked
        self._both(lambda side: side.bench.store.apply(asked))

    @rule(at=st.integers(0, 9), into=st.sampled_from(_INTO), closing=st.booleans())
    def convert(self, at: int, into: tuple[str | Target, ...], closing: bool) -> None:
        id_ = self._ref(at, "lead").id
        self._both(
            lambda side: convert_stored(
                side.bench.store, id_, into, rules=RULES, actor=_ACTOR, at=AT, closing=closing
            )
        )

    @rule(at=st.integers(0, 9), keep=st.booleans())
    def take_back(self, at: int, keep: bool) -> None:
        id_ = self._ref(at, "lead").id
        self._both(
            lambda side: reverse_stored(
                side.bench.store, id_, rules=RULES, actor=_ACTOR, at=AT, keep=keep
            )
        )


def _kind(id_: str) -> Kind:
    return next(kind for kind in RULES.every_kind if kind.id == id_)


def _answer(ask: Callable[[_Side], object], side: _Side) -> str:
    """Tell what came of asking one of the two."""
    try:
        answer = ask(side)
    except LeadConvertError as refusal:
        return type(refusal).__name__
    replayed = isinstance(answer, Receipt) and answer.replayed
    return f"{type(answer).__name__}, replayed: {replayed}"


class Modelled(Subject):
    """Compared with `leadconvert.stores.MemoryStore`, step by step."""

    def test_any_sequence_ends_as_in_memory(self) -> None:
        """Whatever is asked, in any order: the answers, the records and the events are the same."""
        subject = self

        class Sequence(_Sequence):
            def __init__(self) -> None:
                super().__init__(subject)

        run_state_machine_as_test(
            Sequence,
            settings=settings(
                max_examples=self.examples,
                stateful_step_count=_STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
