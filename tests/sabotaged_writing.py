"""Planted bugs in what a store writes: each step, and all of them or none."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

import attrs
from sabotage import Sabotaged, Writing, caught_by

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Delete,
    Detach,
    Insert,
    Receipt,
    Ref,
    Update,
)
from leadconvert.changes import made
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.records import changed
from leadconvert.stores._memory import _State


@caught_by("test_all_or_nothing_at_each_step", "test_claims_of_what_is_refused_are_free")
class NoRollback(Sabotaged):
    """What was written before a step is refused stays."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        writing = Writing(store=self, state=self._state, changes=changes)
        try:
            return writing.write()
        except StoreError:
            self._state = attrs.evolve(self._state, records=writing.records)
            raise


@caught_by("test_all_or_nothing_at_each_step")
class EventsOutside(Sabotaged):
    """Events are sent before the transaction is begun."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        before = self._state
        self._state = attrs.evolve(before, events=(*before.events, *changes.events))
        state, receipt = super().write(changes)
        return attrs.evolve(state, events=state.events[: len(self._state.events)]), receipt


@caught_by("test_all_or_nothing_at_each_step")
class TracesOutside(Sabotaged):
    """Traces are kept whatever becomes of their change set."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        traces = {**self._state.traces, **{one.id: one for one in changes.traces}}
        self._state = attrs.evolve(self._state, traces=traces)
        return super().write(changes)


@caught_by("test_what_is_refused_can_be_asked_again")
class KeyBurnt(Sabotaged):
    """A key is remembered though its change set was refused."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        try:
            return super().write(changes)
        except StoreError:
            receipt = Receipt.of(changes, [(ref, ref.stored) for ref in made(changes)], [])
            receipts = {**self._state.receipts, changes.key: receipt}
            self._state = attrs.evolve(self._state, receipts=receipts)
            raise


@caught_by("test_a_late_update_is_refused")
class ConflictSwallowed(Sabotaged):
    """Who comes too late is told that all went well."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        try:
            return super().apply(changes)
        except ConflictError:
            ids = [(ref, ref.stored) for ref in made(changes)]
            return Receipt.of(changes, ids, [])


@caught_by("test_what_is_gone_is_not_changed")
class MissingSwallowed(Sabotaged):
    """A change of what is gone does nothing, and says nothing."""

    def step(self, writing: Writing, change: Change) -> None:
        try:
            super().step(writing, change)
        except RecordNotFoundError:
            return


@caught_by("test_what_is_gone_is_not_changed")
class MissingIsConflict(Sabotaged):
    """What is gone is told as changed meanwhile, so that it is decided again in vain."""

    def step(self, writing: Writing, change: Change) -> None:
        try:
            super().step(writing, change)
        except RecordNotFoundError as gone:
            raise ConflictError("it was changed meanwhile", gone.refs) from gone


@caught_by("test_events_are_kept_in_order")
class EventsLost(Sabotaged):
    """Nothing is announced."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        return super().write(attrs.evolve(changes, events=[]))


@caught_by("test_events_are_kept_in_order")
class EventsSorted(Sabotaged):
    """Events are kept by their names, not in order."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        events = sorted(changes.events, key=lambda one: one.name)
        return super().write(attrs.evolve(changes, events=events))


@caught_by("test_load_returns_the_traces_asked_for")
class TracesLost(Sabotaged):
    """No trace is kept."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return attrs.evolve(state, traces=self._state.traces), receipt


@caught_by("test_load_returns_the_traces_asked_for")
class TracesWithoutValues(Sabotaged):
    """Traces are kept without what had been there before."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        traces = [
            attrs.evolve(one, steps=[attrs.evolve(step, before={}) for step in one.steps])
            for one in changes.traces
        ]
        return super().write(attrs.evolve(changes, traces=traces))


@caught_by("test_an_insert_overwrites_nothing")
class InsertOverwrites(Sabotaged):
    """A record is made over one that is there."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Insert):
            writing.records.pop(change.ref, None)
        super().step(writing, change)


@caught_by("test_an_update_changes_only_what_it_names")
class UpdateReplaces(Sabotaged):
    """An update empties the fields that it does not name."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update) and change.ref.kind == "deal":
            there = writing.records.get(change.ref)
            if there is not None and there.revision == change.revision:
                bare = dict.fromkeys(("comments", "amount", "type", "address"))
                change = attrs.evolve(change, values={**bare, **change.values})
        super().step(writing, change)


@caught_by("test_an_update_can_empty_a_field", "test_a_conversion_can_be_taken_back")
class UpdateSkipsNone(Sabotaged):
    """A field cannot be emptied."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update):
            filled = {name: one for name, one in change.values.items() if one is not None}
            change = attrs.evolve(change, values=filled)
        super().step(writing, change)


@caught_by("test_attach_adds_what_is_not_there", "test_race_for_a_hot_record")
class AttachOverwrites(Sabotaged):
    """What is added takes the place of what was there."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Attach) and there is not None:
            writing.records[change.ref] = changed(there, {change.field: ()})
        super().step(writing, change)


@caught_by("test_attach_adds_what_is_not_there")
class AttachTwice(Sabotaged):
    """What is there already is added once more."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        super().step(writing, change)
        if isinstance(change, Attach) and there is not None:
            kind = self.kind(change.ref.kind)
            held = kind.read(there, change.field)
            before = held if isinstance(held, tuple) else ()
            ids = (*before, *(one.id for one in change.refs))
            writing.records[change.ref] = changed(there, {change.field: ids})


@caught_by("test_adding_and_taking_out_collide_with_nobody")
class AttachRevises(Sabotaged):
    """What is added to a record makes a new revision of it, so that many collide."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        if isinstance(change, Attach | Detach) and change.ref in writing.records:
            writing._put(change.ref, writing.records[change.ref])


@caught_by("test_detach_takes_out_what_it_names")
class DetachTakesAll(Sabotaged):
    """What is taken out takes all else with it."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        if isinstance(change, Detach) and change.ref in writing.records:
            bare = changed(writing.records[change.ref], {change.field: ()})
            writing.records[change.ref] = bare


@caught_by("test_taking_out_of_what_is_gone_does_nothing")
class DetachNeedsRecord(Sabotaged):
    """Nothing can be let go of what is gone."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Detach) and change.ref not in writing.records:
            raise RecordNotFoundError("there is no such record", [change.ref])
        super().step(writing, change)


@caught_by("test_delete_removes_one_record")
class DeleteHides(Sabotaged):
    """A record that is removed is still there, though nobody can load it."""

    def begin(self) -> None:
        self.hidden: set[Ref] = set()

    @property
    def every_ref(self) -> set[Ref]:
        return super().every_ref | self.hidden

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        self.hidden |= {one.ref for one in changes.changes if isinstance(one, Delete)}
        return state, receipt


@caught_by("test_a_kind_it_was_not_made_for_is_refused")
class AnyKind(Sabotaged):
    """A record of an unknown kind is thrown away, and all is well."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        known = [one for one in changes.changes if one.ref.kind != "nothing"]
        state, receipt = super().write(attrs.evolve(changes, changes=known))
        strange = [(ref, ref.stored) for ref in made(changes) if ref.kind == "nothing"]
        return state, attrs.evolve(receipt, ids=(*receipt.ids, *strange))


@caught_by("test_a_value_that_no_field_holds_is_refused")
class AnyValue(Sabotaged):
    """A value that does not fit is left out, and all is well."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        try:
            return super().write(changes)
        except UnfitValueError:
            if any(one.ref.kind == "nothing" for one in changes.changes):
                raise
            odd = {"amount", "close_date"}
            fitting = [
                attrs.evolve(one, values={n: v for n, v in one.values.items() if n not in odd})
                if isinstance(one, Insert | Update)
                else one
                for one in changes.changes
            ]
            return super().write(attrs.evolve(changes, changes=fitting))
