"""Planted bugs in what a store loads."""

# ruff: noqa: D102 - the class of a bug says what it does wrong

import attrs
from sabotage import Sabotaged, caught_by

from leadconvert import (
    ChangeSet,
    GenericRecord,
    Known,
    Receipt,
    Record,
    Ref,
    Wanted,
    match_keys,
)
from leadconvert.errors import RecordNotFoundError
from leadconvert.stores._memory import _State
from leadconvert.testing import Visit


@caught_by("test_load_is_one_snapshot")
class SnapshotTorn(Sabotaged):
    """Each part of what is wanted is read as it is by then."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = super().load(Wanted(refs=tuple(wanted.refs)))
        matches = super().load(Wanted(matches=tuple(wanted.matches)))
        related = super().load(Wanted(related=tuple(wanted.related)))
        rest = super().load(Wanted(traces=tuple(wanted.traces), key=wanted.key))
        every = (*refs.records, *matches.records, *related.records)
        return attrs.evolve(rest, records=tuple(dict.fromkeys(every)))


@caught_by("test_load_returns_each_record_once")
class LoadsTwice(Sabotaged):
    """What is wanted in two ways is loaded twice."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = super().load(attrs.evolve(wanted, matches=(), related=()))
        rest = super().load(attrs.evolve(wanted, refs=()))
        return attrs.evolve(refs, records=(*refs.records, *rest.records))


@caught_by("test_load_tells_kinds_apart")
class LoadsKindsAlike(Sabotaged):
    """A record is found by its id, of whatever kind it is."""

    def load(self, wanted: Wanted, /) -> Known:
        ids = {ref.id for ref in wanted.refs}
        alike = tuple(ref for ref in self.records if ref.id in ids)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *alike)))


@caught_by("test_load_returns_the_records_asked_for")
class LoadsMore(Sabotaged):
    """Whoever asks for one record gets those that it refers to as well."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        more = {
            ref: record
            for ref, record in self.records.items()
            if ref.kind == "contact" and wanted.refs and record not in known.records
        }
        return attrs.evolve(known, records=(*known.records, *more.values()))


@caught_by("test_load_leaves_out_what_is_not_there", "test_race_to_take_back")
class LoadRaises(Sabotaged):
    """Whoever asks for what is not there gets an error."""

    def load(self, wanted: Wanted, /) -> Known:
        for ref in wanted.refs:
            if ref.kind != "nothing" and ref not in self.records:
                raise RecordNotFoundError("there is no such record", [ref])
        return super().load(wanted)


@caught_by("test_load_says_nothing_it_was_not_asked")
class LoadDecides(Sabotaged):
    """A store answers what it was not asked: that nobody may do anything."""

    def load(self, wanted: Wanted, /) -> Known:
        return attrs.evolve(super().load(wanted), decisions=[])


@caught_by("test_load_refuses_a_kind_it_was_not_made_for")
class LoadKnowsAnyKind(Sabotaged):
    """A kind that the store does not know is taken for one without records."""

    def load(self, wanted: Wanted, /) -> Known:
        known = {kind.id for kind in self.rules.every_kind}
        return super().load(
            attrs.evolve(
                wanted,
                refs=tuple(ref for ref in wanted.refs if ref.kind in known),
                matches=tuple(one for one in wanted.matches if one[0] in known),
                related=tuple(one for one in wanted.related if one[0] in known),
            )
        )


@caught_by("test_matches_find_by_whole_keys_of_their_sort")
class MatchesParts(Sabotaged):
    """A key is found in a part of another."""

    def load(self, wanted: Wanted, /) -> Known:
        refs = tuple(
            ref
            for ref, record in self.records.items()
            for kind, key in wanted.matches
            if kind == ref.kind
            and any(
                key.type == one.type and key.value in one.value
                for one in match_keys(record, rules=self.rules)
            )
        )
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs)))


@caught_by("test_matches_find_whoever_holds_a_key", "test_a_conversion_is_stored_as_it_was_decided")
class MatchesAsWritten(Sabotaged):
    """A key is looked for as it was written, not in its normal form."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        values = {key.value for _, key in wanted.matches if key.type == "email"}
        if not values:
            return known
        written = [
            record
            for record in known.records
            if values & {one.value for one in getattr(record, "emails", ())}
            or any(record == self.records.get(ref) for ref in wanted.refs)
        ]
        return attrs.evolve(known, records=written)


@caught_by("test_matches_find_whoever_holds_a_key", "test_a_key_that_nobody_holds_can_be_claimed")
class MatchesOfFirst(Sabotaged):
    """Only the first e-mail of a record is one of its keys."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        values = {key.value for _, key in wanted.matches if key.type == "email"}
        if not values or wanted.refs:
            return known
        first = [
            record
            for record in known.records
            if getattr(record, "emails", ())
            and {one.value.strip().lower() for one in getattr(record, "emails", ())[:1]} & values
        ]
        return attrs.evolve(known, records=first)


@caught_by("test_matches_find_by_any_sort_of_key")
class MatchesByEmail(Sabotaged):
    """Records are found by their e-mails alone."""

    def load(self, wanted: Wanted, /) -> Known:
        matches = tuple(one for one in wanted.matches if one[1].type == "email")
        return super().load(attrs.evolve(wanted, matches=matches))


@caught_by("test_matches_follow_an_update", "test_a_record_may_hold_what_it_holds")
class MatchesStale(Sabotaged):
    """Records are found by the keys they had at first."""

    def begin(self) -> None:
        self.first: dict[Ref, Record] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for ref, record in state.records.items():
            self.first.setdefault(ref, record)
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        for kind, _ in wanted.matches:
            self.kind(kind)
        refs = tuple(
            ref
            for ref in self.records
            for kind, key in wanted.matches
            if kind == ref.kind and key in match_keys(self.first[ref], rules=self.rules)
        )
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs), matches=()))


@caught_by("test_related_looks_at_the_field_named")
class RelatedIgnoresField(Sabotaged):
    """Whoever refers to a record by any field is found."""

    def load(self, wanted: Wanted, /) -> Known:
        every = tuple(
            (kind.id, name, to)
            for of, _, to in wanted.related
            for kind in self.rules.every_kind
            if kind.id == of
            for name, field in kind.members.items()
            if field.to == to.kind
        )
        return super().load(attrs.evolve(wanted, related=(*wanted.related, *every)))


@caught_by("test_related_finds_whoever_refers_to_a_record")
class RelatedOfFirst(Sabotaged):
    """Only the first of what a list refers to is looked at."""

    def load(self, wanted: Wanted, /) -> Known:
        if wanted.refs or not wanted.related:
            return super().load(wanted)
        lists = [one for one in wanted.related if one[1] == "contact_ids"]
        to = {ref.id for _, _, ref in lists}
        found = super().load(wanted).records
        return Known(
            records=[
                one for one in found if not lists or to & {*getattr(one, "contact_ids", ())[:1]}
            ]
        )


@caught_by("test_related_finds_whoever_refers_to_a_record")
class RelatedStandardOnly(Sabotaged):
    """A custom field that refers is not looked at."""

    def load(self, wanted: Wanted, /) -> Known:
        related = tuple(one for one in wanted.related if not one[1].startswith("UF_"))
        return super().load(attrs.evolve(wanted, related=related))


@caught_by("test_related_follows_changes")
class RelatedStale(Sabotaged):
    """What was taken out of a list is found by it for ever."""

    def begin(self) -> None:
        self.ever: dict[tuple[str, str, str], set[Ref]] = {}

    def write(self, changes: ChangeSet) -> tuple[_State, Receipt]:
        state, receipt = super().write(changes)
        for ref, record in state.records.items():
            for one in getattr(record, "converted_from", ()):
                self.ever.setdefault((ref.kind, "converted_from", one), set()).add(ref)
        return state, receipt

    def load(self, wanted: Wanted, /) -> Known:
        ever = (self.ever.get((kind, name, to.id), set()) for kind, name, to in wanted.related)
        refs = tuple(ref for each in ever for ref in each)
        return super().load(attrs.evolve(wanted, refs=(*wanted.refs, *refs)))


@caught_by("test_load_returns_the_traces_asked_for")
class AllTraces(Sabotaged):
    """Whoever asks for one trace gets all."""

    def load(self, wanted: Wanted, /) -> Known:
        traces = tuple(self._state.traces) if wanted.traces else ()
        return super().load(attrs.evolve(wanted, traces=traces))


@caught_by("test_owns_transaction_is_told")
class OwnsUntold(Sabotaged):
    """A store does not say whether it begins its own transactions."""

    @property
    def owns_transaction(self) -> bool:
        # it is the bug that is planted
        return None  # type: ignore[return-value]


@caught_by("test_records_of_every_kind_come_back")
class LoadsSomeKinds(Sabotaged):
    """Records of one kind can be written, and not be loaded."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        return attrs.evolve(known, records=[one for one in known.records if type(one) is not Visit])


@caught_by("test_records_of_every_kind_come_back")
class LoadsBareRecords(Sabotaged):
    """A record of a class of its own is loaded as one of none."""

    def load(self, wanted: Wanted, /) -> Known:
        known = super().load(wanted)
        records = [
            GenericRecord(kind="visit", id=one.id) if type(one) is Visit else one
            for one in known.records
        ]
        return attrs.evolve(known, records=records)
