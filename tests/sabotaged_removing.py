"""Planted bugs in what is removed, and who is attached to it by then."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

from collections.abc import Iterable, Mapping

import attrs
from sabotage import Sabotaged, Writing, caught_by

from leadconvert import Change, ChangeSet, Delete, Receipt, Record, Ref, Update
from leadconvert.errors import ConflictError, StoreError
from leadconvert.stores._memory import _State
from leadconvert.values import ids_in


class _Removing(Sabotaged):
    """Looks in another way at who is attached."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Delete) and there is not None:
            attached = self.looked_at(writing, change, there)
            change = attrs.evolve(change, attached=attached)
        super().step(writing, change)

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        """Return whom the store takes a delete to have seen."""
        raise NotImplementedError

    def held(self, ref: Ref, record: Record, field: str) -> tuple[str, ...]:
        """Return the ids that a record holds in a field."""
        return ids_in(self.kind(ref.kind).read(record, field))


@caught_by("test_a_delete_sees_who_was_attached", "test_race_of_undo_and_link")
class AttachedIgnored(_Removing):
    """A record is removed, whoever has been attached to it meanwhile."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del writing, change, there
        return {}


@caught_by("test_a_delete_sees_who_was_attached")
class AttachedOnlyBack(_Removing):
    """Only the leads that a record came from are looked at."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del writing, there
        return {name: refs for name, refs in change.attached.items() if name == "converted_from"}


@caught_by("test_a_delete_sees_who_was_attached")
class AttachedOnlyToSome(_Removing):
    """Where nobody was seen nobody is looked for."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del writing, there
        return {name: refs for name, refs in change.attached.items() if refs}


@caught_by("test_a_delete_sees_who_was_taken_out")
class AttachedOnlyMore(_Removing):
    """Whoever was seen attached to a record, and is not by now, is not missed."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del writing
        return {
            name: [one for one in refs if one.id in self.held(change.ref, there, name)]
            for name, refs in change.attached.items()
        }


@caught_by("test_a_delete_asks_for_whom_it_names")
class AttachedInOrder(Sabotaged):
    """Whoever is attached in another order than was seen is somebody else."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        for name, refs in change.attached.items() if isinstance(change, Delete) else ():
            held = () if there is None else ids_in(self.kind(change.ref.kind).read(there, name))
            if held != tuple(one.id for one in refs):
                raise ConflictError("others are attached by now", [change.ref])
        super().step(writing, change)


@caught_by("test_a_delete_asks_for_whom_it_names")
class AttachedUnnamed(_Removing):
    """A field that nothing was said of is to be empty."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del writing, there
        members = self.kind(change.ref.kind).members.items()
        names = [name for name, field in members if field.to is not None and field.multiple]
        return {**dict.fromkeys(names, ()), **change.attached}


@caught_by("test_a_delete_is_checked_in_its_place")
class AttachedBefore(_Removing):
    """Who is attached is looked up before a change set begins."""

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        before = writing.state.records.get(change.ref, there)
        if all(
            {*self.held(change.ref, before, name)} == {one.id for one in refs}
            for name, refs in change.attached.items()
        ):
            return {}
        raise ConflictError("others are attached by now", [change.ref])


@caught_by("test_refs_of_a_delete_are_bound")
class AttachedUnbound(_Removing):
    """Whom a delete has seen is told by refs that nobody ever got."""

    own_ids = True

    def looked_at(
        self, writing: Writing, change: Delete, there: Record
    ) -> Mapping[str, Iterable[Ref]]:
        del there
        given = {stored: new for new, stored in writing.ids.items()}
        return {
            name: [given.get(one, one) for one in refs] for name, refs in change.attached.items()
        }


@caught_by("test_the_receipt_tells_no_revision_of_what_is_gone")
class ReceiptOfTheGone(Sabotaged):
    """A receipt tells the revision of a record that it tells to be gone."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        gone = {one.ref for one in changes.changes if isinstance(one, Delete)}
        more = [
            (one.ref, str(state.written))
            for one in changes.changes
            if isinstance(one, Update) and one.ref in gone
        ]
        return state, attrs.evolve(receipt, revisions=[*receipt.revisions, *more])


@caught_by("test_many_see_who_was_attached")
class BulkAttachedBefore(Sabotaged):
    """Who is attached is looked up before the first of many."""

    def begin(self) -> None:
        self.before: Mapping[Ref, Record] = {}

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        self.before = self.records
        try:
            return super().apply_many(sets)
        finally:
            self.before = {}

    def step(self, writing: Writing, change: Change) -> None:
        before = self.before.get(change.ref)
        if isinstance(change, Delete) and before is not None:
            kind = self.kind(change.ref.kind)
            if not change.sees(lambda name: kind.read(before, name)):
                raise ConflictError("others are attached by now", [change.ref])
            change = attrs.evolve(change, attached={})
        super().step(writing, change)
