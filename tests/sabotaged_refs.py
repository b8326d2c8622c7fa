"""Planted bugs in how a store looks after claims and refs."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

from collections.abc import Iterable, Mapping

import attrs
from sabotage import Sabotaged, Writing, caught_by

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Claim,
    Delete,
    Insert,
    Known,
    MatchKey,
    Receipt,
    Ref,
    Update,
    Wanted,
    match_keys,
)
from leadconvert.errors import (
    ConflictError,
)
from leadconvert.records import changed
from leadconvert.stores._memory import _State


@caught_by("test_a_key_that_somebody_has_got_meanwhile_is_refused", "test_race_of_twins")
class ClaimsIgnored(Sabotaged):
    """Nobody looks who holds a key."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        del writing, change, own


@caught_by("test_who_claims_nothing_holds_a_key_all_the_same")
class KeysOnlyOfClaims(Sabotaged):
    """Only whoever claimed a key is known to hold it."""

    def begin(self) -> None:
        self.known: set[tuple[Ref, MatchKey]] = set()

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for one in changes.bound(dict(receipt.ids)).changes:
            if isinstance(one, Insert | Update):
                self.known |= {(one.ref, claim.key) for claim in one.claims}
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        for kind, _ in wanted.matches:
            self.kind(kind)
        keys = {key for _, key in wanted.matches}
        found = tuple(ref for ref, key in self.known if key in keys and ref in self.records)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *found), matches=()))


@caught_by("test_an_update_claims_as_well")
class ClaimsOfUpdatesIgnored(Sabotaged):
    """Only of new records anybody looks who holds their keys."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        if isinstance(change, Insert):
            super().check(writing, change, own)


class _Claims(Sabotaged):
    """Checks claims in another way."""

    def holders(self, writing: Writing, claim: Claim, kinds: Iterable[str]) -> set[Ref]:
        """Return who held a key before."""
        return {
            ref
            for ref, record in writing.state.records.items()
            if ref.kind in kinds and claim.key in match_keys(record, rules=self.rules)
        }


@caught_by("test_duplicates_on_purpose_are_legal", "test_duplicates_on_purpose_can_be_made")
class KeysUnique(Sabotaged):
    """A key has one owner, whatever was decided."""

    def step(self, writing: Writing, change: Change) -> None:
        super().step(writing, change)
        record = writing.records.get(change.ref)
        if not isinstance(change, Insert | Update) or record is None:
            return
        keys = match_keys(record, rules=self.rules)
        if change.ref.kind != "lead" and any(
            ref.kind == change.ref.kind and {*keys} & {*match_keys(other, rules=self.rules)}
            for ref, other in writing.state.records.items()
            if ref != change.ref
        ):
            raise ConflictError("others hold the key", [change.ref])


@caught_by("test_records_of_one_change_set_may_share_a_key")
class ClaimsUniqueAtOnce(Sabotaged):
    """Two records of one change set cannot share a key."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        super().check(writing, change, own)
        for claim in change.claims if isinstance(change, Insert) else ():
            for other in writing.changes.changes:
                keys = [one.key for one in other.claims] if isinstance(other, Insert) else []
                stored = writing.ids.get(other.ref)
                if claim.key in keys and stored != change.ref:
                    raise ConflictError("others hold the key", [change.ref])


@caught_by("test_who_no_longer_holds_a_key_is_missed")
class ClaimsOnlyOfMore(_Claims):
    """Whoever was seen holding a key, and does not by now, is not missed."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            if self.holders(writing, claim, [change.ref.kind]) - own - {*claim.seen}:
                raise ConflictError("others hold the key", [change.ref])


@caught_by("test_one_more_duplicate_is_seen")
class ClaimsOnlyOfFirst(_Claims):
    """Whoever saw one of those that hold a key is taken to have seen all."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            holders = self.holders(writing, claim, [change.ref.kind])
            seen = {*claim.seen} - own
            if bool(holders) != bool(seen) or (seen and not seen & holders):
                raise ConflictError("others hold the key", [change.ref])


@caught_by("test_a_key_of_another_kind_is_another_one")
class ClaimsOfAllKinds(_Claims):
    """A lead or a company that has an address keeps contacts from having it."""

    def check(self, writing: Writing, change: Change, own: set[Ref]) -> None:
        for claim in change.claims if isinstance(change, Insert | Update) else ():
            kinds = [kind.id for kind in self.rules.every_kind]
            if self.holders(writing, claim, kinds) != {*claim.seen} - own:
                raise ConflictError("others hold the key", [change.ref])


@caught_by("test_a_key_that_is_held_no_longer_is_free")
class ClaimsForEver(Sabotaged):
    """A key stays claimed by whoever held it once."""

    def begin(self) -> None:
        self.claimed: dict[tuple[str, Claim], set[Ref]] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        whole = changes.bound(dict(receipt.ids))
        own = {ref for _, ref in receipt.ids}
        for one in whole.changes:
            for claim in one.claims if isinstance(one, Insert | Update) else ():
                held = self.claimed.setdefault((one.ref.kind, Claim(claim.key)), set())
                if held - {*claim.seen} - own:
                    raise ConflictError("others hold the key", [one.ref])
                held.add(one.ref)
        return state, receipt


@caught_by("test_a_later_one_may_refer_to_an_earlier_one", "test_what_comes_after_waits")
class AfterIgnored(Sabotaged):
    """What another change set makes is not waited for."""

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        there = [key for key in changes.after if key in self._state.receipts]
        return super().write(attrs.evolve(changes, after=there))


@caught_by("test_refs_to_an_earlier_change_set_are_bound")
class AfterUnbound(Sabotaged):
    """What an earlier change set made is pointed at by its provisional ref."""

    own_ids = True

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        if set(changes.after) - self._state.receipts.keys():
            raise ConflictError("change sets are to be applied before")
        return super().write(attrs.evolve(changes, after=[]))


@caught_by("test_what_comes_after_means_records_as_they_were_left")
class AfterWithoutRevision(Sabotaged):
    """What an earlier change set made cannot be changed by a later one."""

    def step(self, writing: Writing, change: Change) -> None:
        if writing.changes.after and isinstance(change, Update):
            change = attrs.evolve(change, revision=None)
        super().step(writing, change)


@caught_by("test_what_comes_after_can_be_late_as_well")
class AfterIgnoresRevision(Sabotaged):
    """What an earlier change set made may be changed, whatever was done to it since."""

    def step(self, writing: Writing, change: Change) -> None:
        there = writing.records.get(change.ref)
        if isinstance(change, Update | Delete) and writing.changes.after and there is not None:
            change = attrs.evolve(change, revision=there.revision)
        super().step(writing, change)


class _Unbound(Sabotaged):
    """Leaves provisional refs in some part of what it stores."""

    own_ids = True

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        """Return what is stored with provisional refs left in it."""
        raise NotImplementedError

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        return self.left(state, changes, dict(receipt.ids)), receipt


@caught_by("test_refs_in_records_are_bound")
class ProvisionalInRecords(_Unbound):
    """A record refers to another by an id that this never got."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            if isinstance(one, Insert):
                told = {n: v.id for n, v in one.values.items() if isinstance(v, Ref)}
                records[ids[one.ref]] = changed(records[ids[one.ref]], told)
        return attrs.evolve(state, records=records)


@caught_by("test_refs_in_lists_are_bound")
class ProvisionalInLists(_Unbound):
    """A list refers to a record by an id that this never got."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            if isinstance(one, Attach):
                ref = ids.get(one.ref, one.ref)
                told = {one.field: tuple(ref.id for ref in one.refs)}
                records[ref] = changed(records[ref], told)
        return attrs.evolve(state, records=records)


@caught_by("test_refs_in_history_are_bound")
class ProvisionalInHistory(_Unbound):
    """A lead remembers what it became by provisional refs."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        records = dict(state.records)
        for one in changes.changes:
            ref = ids.get(one.ref, one.ref)
            if isinstance(one, Update) and ref in records and "conversions" in one.values:
                told = {"conversions": one.values["conversions"]}
                records[ref] = changed(records[ref], told)
        return attrs.evolve(state, records=records)


@caught_by("test_refs_in_events_are_bound")
class ProvisionalInEvents(_Unbound):
    """What is announced speaks of refs that nobody knows."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        del ids
        events = state.events[: len(state.events) - len(changes.events)]
        return attrs.evolve(state, events=(*events, *changes.events))


@caught_by("test_refs_in_traces_are_bound")
class ProvisionalInTraces(_Unbound):
    """What taking back needs speaks of refs that nobody knows."""

    def left(self, state: _State, changes: ChangeSet, ids: Mapping[Ref, Ref]) -> _State:
        del ids
        traces = {**state.traces, **{one.id: one for one in changes.traces}}
        return attrs.evolve(state, traces=traces)
