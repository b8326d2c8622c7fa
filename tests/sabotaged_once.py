"""Planted bugs in revisions, in keys and receipts, and in many change sets at once."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

from collections.abc import Iterable

import attrs
from sabotage import Sabotaged, Writing, caught_by

from leadconvert import (
    Change,
    ChangeSet,
    Delete,
    Known,
    Receipt,
    Update,
    Wanted,
)
from leadconvert.errors import (
    ConflictError,
    StoreError,
    UnavailableError,
)
from leadconvert.records import changed
from leadconvert.stores._memory import _State


@caught_by("test_a_late_update_is_refused", "test_race_for_one_lead_into_different_records")
class RevisionIgnored(Sabotaged):
    """The last to update wins."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Update) and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


@caught_by("test_an_update_of_an_unknown_revision_is_refused")
class RevisionOfNoneIgnored(Sabotaged):
    """Who says no revision may update whatever is there."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Update) and change.revision is None and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


@caught_by("test_steps_follow_each_other")
class RevisionNeeded(Sabotaged):
    """What a change set has just made cannot be changed by it."""

    def step(self, writing: Writing, change: Change) -> None:
        if isinstance(change, Update) and change.revision is None:
            raise ConflictError("it was changed meanwhile", [change.ref])
        super().step(writing, change)


@caught_by("test_a_late_delete_is_refused")
class DeleteIgnoresRevision(Sabotaged):
    """What was changed meanwhile is removed all the same."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Delete) and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


@caught_by("test_an_update_makes_another_revision", "test_race_with_an_edit")
class RevisionKept(Sabotaged):
    """An update leaves the revision as it was."""

    def step(self, writing: Writing, change: Change) -> None:
        before = writing.records.get(change.ref)
        super().step(writing, change)
        if isinstance(change, Update) and before is not None:
            kept = {"revision": before.revision}
            writing.records[change.ref] = changed(writing.records[change.ref], kept)
            writing.revisions[change.ref] = str(before.revision)


@caught_by("test_an_update_makes_another_revision")
class RevisionOfStore(Sabotaged):
    """Every change set gives all records another revision."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        if not changes.changes:
            return state, receipt
        new = str(state.written)
        records = {ref: changed(one, {"revision": new}) for ref, one in state.records.items()}
        told = [(ref, new) for ref, _ in receipt.revisions]
        receipt = attrs.evolve(receipt, revisions=told)
        receipts = {**state.receipts, changes.key: receipt}
        return attrs.evolve(state, records=records, receipts=receipts), receipt


@caught_by("test_again_changes_nothing")
class KeyIgnored(Sabotaged):
    """The same again is written again."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        self._state, receipt = self.write(changes)
        return receipt


@caught_by("test_keys_are_told_apart")
class KeysFolded(Sabotaged):
    """Keys are compared without the size of letters."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        return super().apply(attrs.evolve(changes, key=changes.key.casefold()))

    def load(self, wanted: Wanted, /) -> Known:
        key = None if wanted.key is None else wanted.key.casefold()
        return super().load(attrs.evolve(wanted, key=key))


@caught_by("test_keys_are_told_apart")
class KeysStripped(Sabotaged):
    """Keys are compared without the blanks around them."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(attrs.evolve(changes, key=changes.key.strip()))
        return attrs.evolve(receipt, key=changes.key)


@caught_by("test_another_request_under_a_key_is_refused")
class OtherRequestAccepted(Sabotaged):
    """Another request under a key gets the receipt of the first."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        before = self._state.receipts.get(changes.key)
        fingerprint = changes.fingerprint if before is None else str(before.fingerprint)
        return super().apply(attrs.evolve(changes, fingerprint=fingerprint))


@caught_by("test_again_with_another_plan", "test_race_for_one_lead")
class PlanCompared(Sabotaged):
    """One request that was decided differently the second time is taken for two."""

    def begin(self) -> None:
        self.plans: dict[str, ChangeSet] = {}

    def apply(self, changes: ChangeSet, /) -> Receipt:
        if self.plans.get(changes.key, changes).changes != changes.changes:
            return super().apply(attrs.evolve(changes, fingerprint="other"))
        receipt = super().apply(changes)
        self.plans[changes.key] = changes
        return receipt


@caught_by("test_again_changes_nothing")
class ReplayUntold(Sabotaged):
    """A receipt that comes again does not say so."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        return attrs.evolve(super().apply(changes), replayed=False)


@caught_by("test_again_changes_nothing")
class ReplayAnnounces(Sabotaged):
    """Events are sent whenever a change set comes."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        if receipt.replayed:
            events = (*self._state.events, *changes.events)
            self._state = attrs.evolve(self._state, events=events)
        return receipt


@caught_by("test_again_changes_nothing", "test_again_after_all_has_changed")
class ReplayForgets(Sabotaged):
    """The receipt that comes again does not know what was made."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        return attrs.evolve(receipt, ids=[]) if receipt.replayed else receipt


@caught_by("test_nothing_is_a_change_set_too")
class NothingForgotten(Sabotaged):
    """A change set without changes is not remembered."""

    def apply(self, changes: ChangeSet, /) -> Receipt:
        receipt = super().apply(changes)
        if changes.changes or changes.events or changes.traces:
            return receipt
        return attrs.evolve(receipt, replayed=False)


@caught_by("test_the_receipt_tells_what_was_written", "test_refs_in_records_are_bound")
class ReceiptWithoutIds(Sabotaged):
    """A receipt does not say what became of what was made."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return state, attrs.evolve(receipt, ids=receipt.ids[:1])


@caught_by("test_the_receipt_tells_what_was_written")
class ReceiptProvisional(Sabotaged):
    """A receipt tells stored refs as provisional ones."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        ids = [(new, attrs.evolve(ref, provisional=True)) for new, ref in receipt.ids]
        return state, attrs.evolve(receipt, ids=ids)


@caught_by("test_the_receipt_tells_the_revisions", "test_a_lead_arrives_and_moves_on")
class ReceiptWithoutRevisions(Sabotaged):
    """A receipt does not tell the new revisions."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return state, attrs.evolve(receipt, revisions=[])


@caught_by("test_load_returns_the_receipt_of_a_key", "test_a_request_with_a_key_is_made_once")
class ReceiptNotKept(Sabotaged):
    """A receipt is given, and cannot be looked up."""

    def load(self, wanted: Wanted, /) -> Known:
        return super().load(attrs.evolve(wanted, key=None))


@caught_by("test_what_is_refused_stops_no_other")
class BulkStops(Sabotaged):
    """What is refused stops all that comes after it."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        answers: list[Receipt | StoreError] = []
        for one in sets:
            if answers and isinstance(answers[-1], StoreError):
                answers.append(answers[-1])
            else:
                answers += super().apply_many([one])
        return tuple(answers)


@caught_by("test_what_is_refused_stops_no_other")
class BulkRaises(Sabotaged):
    """What is refused is raised, and nobody learns of the others."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        return tuple(self.apply(one) for one in sets)


@caught_by("test_many_are_answered_in_order")
class BulkUnordered(Sabotaged):
    """Answers come in another order than the change sets."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        return super().apply_many(sets)[::-1]


@caught_by("test_a_later_one_may_refer_to_an_earlier_one")
class BulkSeesBefore(Sabotaged):
    """All are checked against what was there before the first."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        listed = list(sets)
        first = self._state.receipts.keys()
        answers: list[Receipt | StoreError] = []
        for one in listed:
            if set(one.after) - first:
                answers.append(ConflictError("change sets are to be applied before"))
            else:
                answers += super().apply_many([one])
        return tuple(answers)


@caught_by("test_many_of_none")
class BulkOfNone(Sabotaged):
    """Somebody who hands over nothing gets an error."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        listed = list(sets)
        if not listed:
            raise UnavailableError("there is nothing to apply")
        return super().apply_many(listed)


@caught_by("test_apply_many_is_declared")
class BulkUntold(Sabotaged):
    """Nobody says that many can be applied at once, so that nobody tests it."""

    bulk = False


@caught_by("test_many_again")
class BulkForgets(Sabotaged):
    """What was applied before is left out of the answers."""

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        answers = super().apply_many(sets)
        return tuple(one for one in answers if not isinstance(one, Receipt) or not one.replayed)
