"""The store in memory: what the port promises, each rule by itself."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from threading import Barrier, Thread
from typing import Final

import attrs
import pytest

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Channel,
    ChildRule,
    Claim,
    Company,
    Contact,
    Conversion,
    Deal,
    Delete,
    Detach,
    Event,
    Field,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Lead,
    Matching,
    MatchKey,
    MatchRule,
    Receipt,
    Record,
    Ref,
    Trace,
    TraceStep,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.errors import (
    ConflictError,
    IdempotencyError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.stores import BulkStore, MemoryStore, Store


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
EMAIL: Final = MatchKey("email", "ada@example.com")
TASK: Final = Kind(
    "task",
    fields=[
        Field("subject", "text"),
        Field("lead_id", "reference", to="lead"),
        Field("deal_id", "reference", to="deal"),
    ],
)
RULES: Final = attrs.evolve(
    presets.bitrix24(),
    children=[ChildRule(TASK, {"deal": "move"})],
    matching=Matching([MatchRule("contact", ["email"])]),
)


def ref(kind: str, id_: str, *, provisional: bool = False) -> Ref:
    """The ref of a record."""
    return Ref(kind, id_, provisional)


LEAD: Final = ref("lead", "L-7")
ADA: Final = ref("contact", "C-3")
ENGINES: Final = ref("company", "CO-9")
DEAL: Final = ref("deal", "D-5")
CALL: Final = ref("task", "T-1")
NEW: Final = ref("deal", "new", provisional=True)

ENGINE: Final = Deal(id="D-5", title="Engine", company_id="CO-9", contact_ids=["C-3"])
RECORDS: Final[tuple[Record, ...]] = (
    Lead(id="L-7", stage="NEW", title="Engine"),
    Contact(id="C-3", last_name="Lovelace", emails=[Channel("Ada@Example.com")]),
    Company(id="CO-9", name="Engines", converted_from=["L-7"]),
    ENGINE,
    GenericRecord(kind="task", id="T-1", custom={"subject": "call", "lead_id": "L-7"}),
)


@pytest.fixture
def store() -> MemoryStore:
    """A store that has one record of each kind, with the revisions 1 to 5."""
    found = MemoryStore(RULES)
    found.apply(seed(RECORDS, rules=RULES))
    return found


NUMBERS: Final = count(1)


def changes(
    *of: Change,
    key: str | None = None,
    after: Iterable[str] = (),
    events: Iterable[Event] = (),
    traces: Iterable[Trace] = (),
) -> ChangeSet:
    """A change set under a key of its own, unless one is given."""
    return ChangeSet(
        key=key or f"k-{next(NUMBERS)}",
        fingerprint="asked",
        changes=of,
        after=after,
        events=events,
        traces=traces,
    )


def refs_of(store: MemoryStore, wanted: Wanted) -> list[Ref]:
    """The refs of the records that are loaded, each as often as it comes."""
    kinds = ((RULES.kind_of(record), record) for record in store.load(wanted).records)
    return sorted((Ref(kind.id, one.id) for kind, one in kinds if kind is not None), key=str)


def refused(store: MemoryStore, asked: ChangeSet, error: type[StoreError]) -> StoreError:
    """The error with which the store refuses a change set, of which it writes nothing at all."""
    before = (store.records, store.events, store.load(Wanted(key=asked.key)))
    with pytest.raises(error) as caught:
        store.apply(asked)
    assert before == (store.records, store.events, store.load(Wanted(key=asked.key)))
    assert type(caught.value) is error
    assert () == store.load(Wanted(traces=tuple(one.id for one in asked.traces))).traces
    return caught.value


class TestPort:
    def test_it_fills_the_port(self) -> None:
        """It can stand wherever a store is needed, one that takes many sets included."""
        one: Store = MemoryStore(RULES)
        many: BulkStore = MemoryStore(RULES)
        assert (True, True) == (one.owns_transaction, many.owns_transaction)

    def test_it_shows_no_record(self, store: MemoryStore) -> None:
        """What it holds is private and is in no repr."""
        assert "Lovelace" not in repr(store)


class TestLoad:
    def test_records(self, store: MemoryStore) -> None:
        """The records asked for are returned as they are, each once."""
        known = store.load(Wanted(refs=(DEAL, CALL, DEAL)))
        task = {"subject": "call", "lead_id": "L-7"}
        assert (
            attrs.evolve(ENGINE, revision="4"),
            GenericRecord(kind="task", id="T-1", revision="5", custom=task),
        ) == known.records

    def test_what_is_not_there(self, store: MemoryStore) -> None:
        """What is not there is left out: records, traces and receipts."""
        wanted = Wanted(
            refs=(ref("deal", "D-6"), ref("contact", "D-5")),
            matches=(("contact", MatchKey("email", "x@example.com")),),
            related=(("deal", "contact_ids", ref("contact", "C-4")),),
            traces=("L-7.1",),
            key="k",
        )
        assert Known() == store.load(wanted)

    def test_nothing(self, store: MemoryStore) -> None:
        """Whoever asks for nothing gets nothing."""
        assert Known() == store.load(Wanted())

    def test_a_provisional_ref(self, store: MemoryStore) -> None:
        """A ref that is provisional names no record that is stored."""
        assert [] == refs_of(store, Wanted(refs=(attrs.evolve(DEAL, provisional=True),)))

    def test_matches(self, store: MemoryStore) -> None:
        """Whoever of the kind holds the key is found, however it is written; others are not."""
        others = [
            Contact(id="C-4", emails=[Channel("x@example.com"), Channel("ADA@example.com")]),
            Contact(id="C-5", emails=[Channel("x@example.com")]),
            Company(id="CO-8", emails=[Channel("ada@example.com")]),
            Lead(id="L-8", stage="NEW", emails=[Channel("ada@example.com")]),
        ]
        store.apply(seed(others, rules=RULES))
        assert [ADA, ref("contact", "C-4")] == refs_of(store, Wanted(matches=(("contact", EMAIL),)))
        company = MatchKey("company", "engines")
        assert [ENGINES] == refs_of(store, Wanted(matches=(("company", company),)))
        assert [ADA, ENGINES, ref("contact", "C-4")] == sorted(
            refs_of(store, Wanted(matches=(("contact", EMAIL), ("company", company)))),
            key=lambda one: one.id.replace("C-4", "Z"),
        )

    @pytest.mark.parametrize(
        ("kind", "field", "to", "expected"),
        [
            ("deal", "company_id", ENGINES, [DEAL]),
            ("deal", "contact_ids", ADA, [DEAL]),
            ("company", "converted_from", LEAD, [ENGINES]),
            ("task", "lead_id", LEAD, [CALL]),
            ("deal", "company_id", ref("company", "C-3"), []),
            ("deal", "converted_from", LEAD, []),
            ("contact", "company_id", ENGINES, []),
            ("task", "deal_id", DEAL, []),
        ],
    )
    def test_related(
        self, store: MemoryStore, kind: str, field: str, to: Ref, expected: list[Ref]
    ) -> None:
        """Whoever refers to a record by the field named is found, and nobody else."""
        assert expected == refs_of(store, Wanted(related=((kind, field, to),)))

    def test_several_ways(self, store: MemoryStore) -> None:
        """A record that is asked for in several ways comes once."""
        wanted = Wanted(
            refs=(DEAL, ADA),
            matches=(("contact", EMAIL),),
            related=(("deal", "contact_ids", ADA), ("deal", "company_id", ENGINES)),
        )
        assert [ADA, DEAL] == refs_of(store, wanted)

    def test_traces(self, store: MemoryStore) -> None:
        """The traces asked for are returned, and no others."""
        one, two = Trace(id="L-7.1"), Trace(id="L-7.2")
        store.apply(changes(traces=[one, two]))
        assert (two,) == store.load(Wanted(traces=("L-7.2", "L-7.3"))).traces

    def test_a_receipt(self, store: MemoryStore) -> None:
        """The receipt of a key is what apply answered."""
        given = store.apply(changes(Update(DEAL, "4", {"title": "New"}), key="k-1"))
        assert given == store.load(Wanted(key="k-1")).receipt
        assert store.load(Wanted()).receipt is None

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted(refs=(ref("dael", "D-5"),)),
            Wanted(matches=(("dael", EMAIL),)),
            Wanted(related=(("dael", "contact_ids", ADA),)),
        ],
        ids=["refs", "matches", "related"],
    )
    def test_an_unknown_kind(self, store: MemoryStore, wanted: Wanted) -> None:
        """A kind that the store was not made for cannot be asked for."""
        with pytest.raises(UnfitValueError, match="the store has no kind 'dael'"):
            store.load(wanted)

    def test_a_snapshot(self, store: MemoryStore) -> None:
        """What was loaded or looked at stays as it was, whatever is applied afterwards."""
        known, records, events = store.load(Wanted(refs=(DEAL,))), store.records, store.events
        event = Event(name="x", ref=DEAL, at=AT)
        store.apply(changes(Delete(DEAL, "4"), events=[event]))
        assert (attrs.evolve(ENGINE, revision="4"),) == known.records
        assert 5 == len(records)
        assert () == events
        assert ((event,), 4) == (store.events, len(store.records))


class TestInsert:
    def test_a_record(self, store: MemoryStore) -> None:
        """A record is made of its values, with ids in place of refs, under its own id."""
        values = {"title": "Engine", "amount": Decimal(5), "contact_ids": (ADA,), "UF_X": 1}
        receipt = store.apply(changes(Insert(NEW, values), key="k-1"))
        stored = ref("deal", "new")
        assert (
            Receipt(ids=[(NEW, stored)], revisions=[(stored, "6")], key="k-1", fingerprint="asked")
            == receipt
        )
        assert (
            Deal(
                id="new", revision="6", title="Engine", amount=5, contact_ids=["C-3"],
                custom={"UF_X": 1},
            )
            == store.records[stored]
        )  # fmt: skip

    def test_what_refers_to_each_other(self, store: MemoryStore) -> None:
        """Records of one set may refer to each other, before they are made as well."""
        company = ref("company", "made", provisional=True)
        store.apply(changes(Insert(NEW, {"company_id": company}), Insert(company, {"name": "x"})))
        found = store.records[ref("deal", "new")]
        assert isinstance(found, Deal)
        assert "made" == found.company_id

    def test_an_id_that_is_taken(self, store: MemoryStore) -> None:
        """No record is overwritten, be it stored or made by the same set."""
        taken = attrs.evolve(DEAL, provisional=True)
        error = refused(store, changes(Insert(taken, {"title": "x"})), ConflictError)
        assert "there is such a record already: deal D-5" == str(error)
        refused(store, changes(Insert(NEW, {}), Insert(NEW, {})), ConflictError)

    def test_ids_of_the_store(self) -> None:
        """With new_id the store gives every new record an id, once, and tells which."""
        numbers, asked = count(1), list[Ref]()

        def number(given: Ref) -> str:
            asked.append(given)
            return str(next(numbers))

        store = MemoryStore(RULES, new_id=number)
        company = ref("company", "made", provisional=True)
        event = Event(name="x", ref=NEW, at=AT, params={"of": (company,)})
        step = TraceStep(ref=NEW, action="created", written={"company_id": company})
        receipt = store.apply(
            changes(
                Insert(company, {"name": "Engines"}),
                Insert(NEW, {"company_id": company}),
                Attach(company, "converted_from", [ref("lead", "L-7")]),
                Update(NEW, None, {"title": "Engine"}),
                events=[event],
                traces=[Trace(id="L-7.1", steps=[step])],
            )
        )
        one, two = ref("company", "1"), ref("deal", "2")
        assert [company, NEW] == asked
        assert ((company, one), (NEW, two)) == receipt.ids
        assert {one: "1", two: "3"} == dict(receipt.revisions)
        assert {
            one: Company(id="1", revision="1", name="Engines", converted_from=["L-7"]),
            two: Deal(id="2", revision="3", title="Engine", company_id="1"),
        } == store.records
        assert (Event(name="x", ref=two, at=AT, params={"of": (one,)}),) == store.events
        [trace] = store.load(Wanted(traces=("L-7.1",))).traces
        assert (TraceStep(ref=two, action="created", written={"company_id": one}),) == trace.steps
        assert ("L-7.1",) == receipt.conversions

    def test_an_id_of_the_store_that_is_taken(self) -> None:
        """An id that is given twice is a conflict like any other."""
        store = MemoryStore(RULES, new_id=lambda _: "1")
        store.apply(changes(Insert(NEW, {})))
        refused(store, changes(Insert(NEW, {"title": "x"})), ConflictError)


class TestUpdate:
    def test_the_fields_it_names(self, store: MemoryStore) -> None:
        """The fields it names are changed, emptied where it says None, all others stay."""
        values = {"title": None, "company_id": None, "contact_ids": (), "UF_X": (ADA,)}
        receipt = store.apply(changes(Update(DEAL, "4", values)))
        assert ((DEAL, "6"),) == receipt.revisions
        assert () == receipt.ids
        assert Deal(id="D-5", revision="6", custom={"UF_X": ("C-3",)}) == store.records[DEAL]

    @pytest.mark.parametrize("revision", ["3", "", None, " 4"])
    def test_another_revision(self, store: MemoryStore, revision: str | None) -> None:
        """A revision that is not the current one is a conflict, and so is none."""
        error = refused(store, changes(Update(DEAL, revision, {"title": "x"})), ConflictError)
        assert "it was changed meanwhile: deal D-5" == str(error)
        refused(store, changes(Delete(DEAL, revision)), ConflictError)

    def test_each_makes_another_revision(self, store: MemoryStore) -> None:
        """Each update makes another revision; the one before is no longer current."""
        store.apply(changes(Update(DEAL, "4", {"title": "a"})))
        refused(store, changes(Update(DEAL, "4", {"title": "b"})), ConflictError)
        store.apply(changes(Update(DEAL, "6", {"title": "a"})))
        assert "7" == store.records[DEAL].revision

    def test_twice_in_one_set(self, store: MemoryStore) -> None:
        """What a set has updated itself it may update again, by the revision it knows."""
        twice = [Update(DEAL, "4", {"title": "a"}), Update(DEAL, "4", {"comments": "b"})]
        receipt = store.apply(changes(*twice))
        found = store.records[DEAL]
        assert isinstance(found, Deal)
        assert ("a", "b", "7") == (found.title, found.comments, found.revision)
        assert {DEAL: "7"} == dict(receipt.revisions)

    def test_what_the_same_set_made(self, store: MemoryStore) -> None:
        """What a set has made itself needs no revision."""
        store.apply(changes(Insert(NEW, {"title": "a"}), Update(NEW, None, {"comments": "b"})))
        found = store.records[ref("deal", "new")]
        assert isinstance(found, Deal)
        assert ("a", "b") == (found.title, found.comments)

    def test_of_whoever_is_gone(self, store: MemoryStore) -> None:
        """A record to update, to remove or to add to that is gone is not found."""
        gone = ref("deal", "D-6")
        for change in (
            Update(gone, "1", {"title": "x"}),
            Delete(gone, "1"),
            Attach(gone, "converted_from", [LEAD]),
        ):
            error = refused(store, changes(change), RecordNotFoundError)
            assert ("there is no such record", (gone,)) == (error.message, error.refs)


class TestAttach:
    def held(self, store: MemoryStore) -> tuple[str, ...]:
        """The leads that the company came from."""
        found = store.records[ENGINES]
        assert isinstance(found, Company)
        return found.converted_from

    def test_it_adds(self, store: MemoryStore) -> None:
        """Refs are added behind those that are there, each once, and need no revision."""
        eight, nine = ref("lead", "L-8"), ref("lead", "L-9")
        receipt = store.apply(changes(Attach(ENGINES, "converted_from", [nine, LEAD, eight, nine])))
        assert ("L-7", "L-9", "L-8") == self.held(store)
        assert () == receipt.revisions

    def test_it_takes_out(self, store: MemoryStore) -> None:
        """Just the refs named are taken out, whether they are there or not."""
        store.apply(changes(Attach(ENGINES, "converted_from", [ref("lead", "L-8")])))
        store.apply(changes(Detach(ENGINES, "converted_from", [LEAD, ref("lead", "L-9")])))
        assert ("L-8",) == self.held(store)

    def test_no_new_revision(self, store: MemoryStore) -> None:
        """Neither makes a new revision, so that an update decided before them is no conflict."""
        store.apply(changes(Attach(ENGINES, "converted_from", [ref("lead", "L-8")])))
        store.apply(changes(Detach(ENGINES, "converted_from", [LEAD])))
        assert "3" == store.records[ENGINES].revision
        store.apply(changes(Update(ENGINES, "3", {"name": "New"})))
        assert ("L-8",) == self.held(store)

    def test_taking_out_of_what_is_gone(self, store: MemoryStore) -> None:
        """Whatever is gone lets go by itself."""
        before = store.records
        store.apply(changes(Detach(ref("company", "CO-8"), "converted_from", [LEAD])))
        assert before == store.records

    def test_a_field_of_data(self, store: MemoryStore) -> None:
        """A field that is nothing but data holds several as well."""
        store.apply(changes(Attach(DEAL, "UF_LEADS", [LEAD])))
        assert ("L-7",) == store.records[DEAL].custom["UF_LEADS"]


class TestDelete:
    def test_it_removes(self, store: MemoryStore) -> None:
        """A record that is removed is there no longer, and needs no revision any more."""
        receipt = store.apply(changes(Delete(DEAL, "4")))
        assert DEAL not in store.records
        assert () == receipt.revisions
        refused(store, changes(Delete(DEAL, "4")), RecordNotFoundError)

    def test_its_id_is_free(self, store: MemoryStore) -> None:
        """The id of a record that is removed may be given again."""
        taken = attrs.evolve(DEAL, provisional=True)
        store.apply(changes(Delete(DEAL, "4"), Insert(taken, {"title": "New"})))
        assert Deal(id="D-5", revision="6", title="New") == store.records[DEAL]

    def test_who_is_attached(self, store: MemoryStore) -> None:
        """Nobody is lost who was added meanwhile, or by this very change set."""
        seen: dict[str, list[Ref]] = {"converted_from": [LEAD]}
        other = ref("lead", "L-8")
        attach, detach = (
            step(ENGINES, "converted_from", [one])
            for step, one in ((Attach, other), (Detach, LEAD))
        )
        asked = changes(attach, Delete(ENGINES, "3", seen))
        gone = ConflictError("others are attached by now", [ENGINES])
        assert gone == refused(store, asked, ConflictError)
        assert gone == refused(store, changes(detach, Delete(ENGINES, "3", seen)), ConflictError)
        store.apply(changes(attach, detach, Delete(ENGINES, "3", {"converted_from": [other]})))
        assert ENGINES not in store.records

    def test_no_revision_is_told(self, store: MemoryStore) -> None:
        """What is updated or made, and removed at once, has no revision; what is made again has."""
        again = attrs.evolve(DEAL, provisional=True)
        receipt = store.apply(
            changes(
                Update(DEAL, "4", {"title": "x"}),
                Delete(DEAL, "4"),
                Insert(NEW, {"title": "y"}),
                Delete(NEW, None),
            )
        )
        assert ((NEW, NEW.stored),) == receipt.ids
        assert () == receipt.revisions
        receipt = store.apply(
            changes(Insert(again, {}), Delete(DEAL, None), Insert(again, {"title": "z"}))
        )
        assert ((DEAL, "9"),) == receipt.revisions
        assert "9" == store.records[DEAL].revision


class TestUnfit:
    @pytest.mark.parametrize(
        "change",
        [
            Insert(NEW, {"title": "secret", "amount": "secret"}),
            Update(DEAL, "4", {"close_date": "secret"}),
            Attach(DEAL, "title", [ref("lead", "secret")]),
        ],
        ids=["insert", "update", "attach"],
    )
    def test_a_value(self, store: MemoryStore, change: Change) -> None:
        """A value that no field holds is refused, and not told."""
        error = refused(store, changes(change), UnfitValueError)
        assert (change.ref.stored,) == error.refs
        assert "a value does not fit (TypeError)" == error.message
        assert error.__cause__ is None
        assert error.__suppress_context__

    def test_a_kind(self, store: MemoryStore) -> None:
        """A record of a kind that the store was not made for is refused, and named."""
        unknown = ref("dael", "D-5", provisional=True)
        error = refused(store, changes(Insert(unknown, {})), UnfitValueError)
        assert "the store has no kind 'dael': dael D-5" == str(error)
        refused(store, changes(Detach(unknown.stored, "x", [])), UnfitValueError)


def person(*emails: str) -> dict[str, object]:
    """The values of a contact."""
    return {"last_name": "Byron", "emails": tuple(Channel(one) for one in emails)}


class TestClaims:
    MADE: Final = ref("contact", "made", provisional=True)

    def test_whoever_was_seen(self, store: MemoryStore) -> None:
        """A key can be claimed if just those hold it that were seen."""
        store.apply(changes(Insert(self.MADE, person("ada@example.com"), [Claim(EMAIL, [ADA])])))
        assert 2 == len(refs_of(store, Wanted(matches=(("contact", EMAIL),))))

    @pytest.mark.parametrize(
        "seen", [[], [ref("contact", "C-4")], [ADA, ref("contact", "C-4")], [ref("company", "C-3")]]
    )
    def test_whoever_was_not(self, store: MemoryStore, seen: list[Ref]) -> None:
        """If others hold it, or fewer than were seen, it is to be decided again."""
        claim = Claim(EMAIL, seen)
        asked = changes(Insert(self.MADE, person("ada@example.com"), [claim]))
        error = refused(store, asked, ConflictError)
        assert "others hold the key email by now: contact made" == str(error)
        assert "ada" not in str(error)

    def test_by_the_records_themselves(self, store: MemoryStore) -> None:
        """Whoever holds a key by its values holds it, claimed or not."""
        given = person("x@example.com")
        store.apply(changes(Insert(self.MADE, given)))
        other = ref("contact", "other", provisional=True)
        claim = Claim(MatchKey("email", "x@example.com"))
        refused(store, changes(Insert(other, given, [claim])), ConflictError)

    def test_an_update(self, store: MemoryStore) -> None:
        """An update claims as an insert does, its own keys included."""
        seen, unseen = Claim(EMAIL, [ADA]), Claim(EMAIL)
        refused(store, changes(Update(ADA, "2", {"job_title": "x"}, [unseen])), ConflictError)
        store.apply(changes(Update(ADA, "2", {"job_title": "x"}, [seen])))

    def test_as_it_was_before(self, store: MemoryStore) -> None:
        """Who holds a key is asked before the set is written, not in the midst of it."""
        store.apply(
            changes(
                Update(ADA, "2", {"emails": ()}),
                Insert(self.MADE, person("ada@example.com"), [Claim(EMAIL, [ADA])]),
            )
        )
        assert [ref("contact", "made")] == refs_of(store, Wanted(matches=(("contact", EMAIL),)))

    def test_what_the_set_makes_itself(self, store: MemoryStore) -> None:
        """Whom a set makes itself is no stranger, whether it was seen or not."""
        other, free = ref("contact", "other", provisional=True), MatchKey("email", "x@example.com")
        given = person("x@example.com")
        store.apply(
            changes(
                Insert(self.MADE, given, [Claim(free)]),
                Insert(other, given, [Claim(free, [self.MADE])]),
            )
        )
        assert 2 == len(refs_of(store, Wanted(matches=(("contact", free),))))

    def test_another_kind(self, store: MemoryStore) -> None:
        """A lead or company that has the same e-mail holds no contact's key."""
        free = MatchKey("email", "x@example.com")
        mail = [Channel("x@example.com")]
        store.apply(
            seed(
                [Company(id="1", emails=mail), Lead(id="1", stage="NEW", emails=mail)], rules=RULES
            )
        )
        store.apply(changes(Insert(self.MADE, person("x@example.com"), [Claim(free)])))


class TestOnce:
    def test_the_same_again(self, store: MemoryStore) -> None:
        """The same again gives the first receipt, marked, and writes nothing."""
        event = Event(name="x", ref=DEAL, at=AT)
        asked = changes(Insert(NEW, {}), events=[event], traces=[Trace(id="L-7.1")])
        first = store.apply(asked)
        before = store.records
        assert attrs.evolve(first, replayed=True) == store.apply(asked)
        assert (before, (event,)) == (store.records, store.events)
        assert first == store.load(Wanted(key=asked.key)).receipt

    def test_after_all_has_changed(self, store: MemoryStore) -> None:
        """It does so even if nothing of it could be applied any more."""
        asked = changes(Insert(NEW, {}), Update(DEAL, "4", {"title": "x"}))
        first = store.apply(asked)
        store.apply(changes(Delete(ref("deal", "new"), "6"), Delete(DEAL, "7")))
        assert attrs.evolve(first, replayed=True) == store.apply(asked)

    def test_another_plan_for_the_request(self, store: MemoryStore) -> None:
        """One request is one, though something else was decided on it meanwhile."""
        asked = changes(Update(DEAL, "4", {"title": "x"}))
        store.apply(asked)
        other = attrs.evolve(asked, changes=[Delete(DEAL, "6")])
        assert store.apply(other).replayed
        assert DEAL in store.records

    def test_another_request(self, store: MemoryStore) -> None:
        """Another request under the same key is refused, and says under which."""
        asked = changes(Update(DEAL, "4", {"title": "x"}), key="k-1")
        store.apply(asked)
        other = attrs.evolve(asked, fingerprint="other")
        assert IdempotencyError("k-1") == refused(store, other, IdempotencyError)

    def test_what_was_refused(self, store: MemoryStore) -> None:
        """A set that was refused is not remembered: put right, it can be applied."""
        asked = changes(Update(DEAL, "3", {"title": "x"}))
        refused(store, asked, ConflictError)
        right = attrs.evolve(asked, changes=[Update(DEAL, "4", {"title": "x"})])
        assert not store.apply(right).replayed

    def test_nothing_to_do(self, store: MemoryStore) -> None:
        """A set without changes is applied and remembered as well."""
        asked = changes()
        assert [False, True] == [store.apply(asked).replayed for _ in range(2)]


class TestAllOrNothing:
    def test_wherever_it_fails(self, store: MemoryStore) -> None:
        """Wherever a set fails, nothing of it is left: no record, event, trace or receipt."""
        good: tuple[Change, ...] = (
            Insert(NEW, {"title": "x"}),
            Update(ADA, "2", {"job_title": "Countess"}),
            Attach(ADA, "converted_from", [LEAD]),
            Detach(ENGINES, "converted_from", [LEAD]),
            Delete(CALL, "5"),
            Update(LEAD, "1", {"stage": "CONVERTED"}),
        )
        events, traces = [Event(name="x", ref=LEAD, at=AT)], [Trace(id="L-7.1")]
        wrong: dict[Change, type[StoreError]] = {
            Update(DEAL, "0", {}): ConflictError,
            Delete(ref("deal", "D-6"), "1"): RecordNotFoundError,
            Insert(ref("deal", "D-7", provisional=True), {"amount": "x"}): UnfitValueError,
            Insert(ref("contact", "C-7"), {}, [Claim(EMAIL)]): ConflictError,
        }
        for change, error in wrong.items():
            for at in range(len(good) + 1):
                asked = changes(*good[:at], change, *good[at:], events=events, traces=traces)
                refused(store, asked, error)
        store.apply(changes(*good, events=events, traces=traces))


class TestAfter:
    """What an earlier change set makes is referred to by its provisional ref."""

    COMPANY: Final = ref("company", "made", provisional=True)
    PERSON: Final = ref("contact", "made", provisional=True)

    @pytest.fixture
    def first(self) -> ChangeSet:
        """A change set that makes a company and a contact."""
        return changes(
            Insert(self.COMPANY, {"name": "Engines"}),
            Insert(self.PERSON, person("x@example.com")),
            key="first",
        )

    @pytest.fixture(params=["ids of its own", "as they come"])
    def store(self, request: pytest.FixtureRequest) -> MemoryStore:
        """An empty store, of either sort."""
        numbers = count(1)
        own = request.param == "ids of its own"
        return MemoryStore(RULES, new_id=(lambda _: str(next(numbers))) if own else None)

    def test_in_every_place(self, store: MemoryStore, first: ChangeSet) -> None:
        """It is replaced in values, claims, refs, events and traces."""
        ids = dict(store.apply(first).ids)
        company, contact = ids[self.COMPANY], ids[self.PERSON]
        claim = Claim(MatchKey("email", "x@example.com"), [self.PERSON])
        lead = ref("lead", "new", provisional=True)
        made = Conversion(id="L-7.1", at=AT, actor_id="u", targets=[self.COMPANY], rules="9f2c")
        step = TraceStep(ref=self.COMPANY, action="linked", attached=[("x", self.PERSON)])
        receipt = store.apply(
            changes(
                Insert(NEW, {"company_id": self.COMPANY, "contact_ids": (self.PERSON,)}),
                Insert(lead, {"stage": "NEW", "conversions": (made,)}),
                Update(self.PERSON, None, {"company_id": self.COMPANY}, [claim]),
                Attach(self.COMPANY, "converted_from", [lead]),
                events=[Event(name="x", ref=self.COMPANY, at=AT, params={"a": self.PERSON})],
                traces=[Trace(id="L-7.1", steps=[step])],
                after=["first"],
            )
        )
        own = dict(receipt.ids)
        assert {NEW, lead} == own.keys()
        deal, held = store.records[own[NEW]], store.records[own[lead]]
        assert isinstance(deal, Deal)
        assert (company.id, (contact.id,)) == (deal.company_id, deal.contact_ids)
        assert isinstance(held, Lead)
        assert (company,) == held.conversions[0].targets
        assert (Event(name="x", ref=company, at=AT, params={"a": contact}),) == store.events
        [trace] = store.load(Wanted(traces=("L-7.1",))).traces
        assert (TraceStep(ref=company, action="linked", attached=[("x", contact)]),) == trace.steps
        added = store.records[company]
        assert isinstance(added, Company)
        assert (own[lead].id,) == added.converted_from

    def test_not_applied_yet(self, store: MemoryStore, first: ChangeSet) -> None:
        """A set that comes too early is a conflict, and names what is to come before."""
        second = changes(Update(self.COMPANY, None, {}), after=["first"])
        error = refused(store, second, ConflictError)
        assert "change set 'first' is to be applied before" == str(error)
        store.apply(first)
        store.apply(second)

    def test_as_the_last_of_them_left_it(self, store: MemoryStore, first: ChangeSet) -> None:
        """What several sets made and changed is changed as the last of those named left it."""
        company = dict(store.apply(first).ids)[self.COMPANY]
        renamed = changes(Update(self.COMPANY, None, {"name": "a"}), after=["first"], key="second")
        store.apply(renamed)
        third = changes(Update(self.COMPANY, None, {"name": "b"}), after=["first", "second"])
        store.apply(third)
        found = store.records[company]
        assert isinstance(found, Company)
        assert "b" == found.name

    def test_changed_by_others_since(self, store: MemoryStore, first: ChangeSet) -> None:
        """What somebody else has changed meanwhile is a conflict, to update and to remove."""
        receipt = store.apply(first)
        company = dict(receipt.ids)[self.COMPANY]
        store.apply(changes(Update(company, dict(receipt.revisions)[company], {"name": "other"})))
        for change in (Update(self.COMPANY, None, {"name": "b"}), Delete(self.COMPANY, None)):
            refused(store, changes(change, after=["first"]), ConflictError)

    def test_removed(self, store: MemoryStore, first: ChangeSet) -> None:
        """What an earlier one made can be removed as it was left."""
        company = dict(store.apply(first).ids)[self.COMPANY]
        store.apply(changes(Delete(self.COMPANY, None), after=["first"]))
        assert company not in store.records


class TestMany:
    def test_one_answer_for_each(self, store: MemoryStore) -> None:
        """Each gets its receipt or its error, in order, and the rest is applied."""
        asked = [
            changes(Update(DEAL, "4", {"title": "a"})),
            changes(Update(DEAL, "4", {"title": "b"})),
            changes(Update(ref("deal", "D-6"), "1", {})),
            changes(Insert(NEW, {}), key="last"),
        ]
        first, late, gone, last = store.apply_many(iter(asked))
        assert isinstance(first, Receipt)
        assert ConflictError("it was changed meanwhile", [DEAL]) == late
        assert RecordNotFoundError("there is no such record", [ref("deal", "D-6")]) == gone
        assert last == store.load(Wanted(key="last")).receipt

    def test_what_comes_after_another(self, store: MemoryStore) -> None:
        """One that comes after another may refer to it, and falls with it."""
        good = changes(Insert(NEW, {}), key="good")
        onto = changes(Update(NEW, None, {"title": "x"}), after=["good"])
        bad = changes(Insert(attrs.evolve(DEAL, provisional=True), {}), key="bad")
        falls = changes(Insert(ref("deal", "other"), {}), after=["bad"])
        answers = store.apply_many([good, onto, bad, falls])
        assert [Receipt, Receipt, ConflictError, ConflictError] == [type(one) for one in answers]
        assert ref("deal", "other") not in store.records

    def test_the_same_again(self, store: MemoryStore) -> None:
        """Applied once more, each gives what it gave."""
        asked = [changes(Insert(NEW, {})), changes(Update(DEAL, "4", {"title": "a"}))]
        first, again = store.apply_many(asked), store.apply_many(asked)
        assert [attrs.evolve(one, replayed=True) for one in first if isinstance(one, Receipt)] == [
            *again
        ]
        assert () == store.apply_many([])


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def at_once(jobs: Sequence[Callable[[], object]]) -> list[object]:
    """What each job returns, or the store error it raises, all begun at the same moment."""
    barrier, outcomes = Barrier(len(jobs)), list[object]()

    def work(job: Callable[[], object]) -> None:
        barrier.wait()
        try:
            outcomes.append(job())
        except StoreError as error:
            outcomes.append(error)

    threads = [Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.usefixtures("hasty")
class TestThreads:
    def test_one_wins(self, store: MemoryStore) -> None:
        """Of threads that apply conflicting sets just one wins, each time."""
        for number in range(40):
            revision = store.records[DEAL].revision
            sets = [changes(Update(DEAL, revision, {"title": f"{number}.{at}"})) for at in (1, 2)]
            outcomes = at_once([partial(store.apply, one) for one in sets])
            assert {Receipt, ConflictError} == {type(one) for one in outcomes}

    def test_nothing_is_lost(self, store: MemoryStore) -> None:
        """What threads add to one record at once is all there, and so is what they make."""
        for number in range(20):
            sets = [
                changes(
                    Attach(ENGINES, "converted_from", [ref("lead", f"{number}.{at}")]),
                    Insert(ref("deal", f"{number}.{at}", provisional=True), {}),
                    events=[Event(name="x", ref=DEAL, at=AT)],
                )
                for at in range(4)
            ]
            answers = at_once([partial(store.apply, one) for one in sets])
            assert [Receipt] * 4 == [type(one) for one in answers]
        company = store.records[ENGINES]
        assert isinstance(company, Company)
        assert (81, 85, 80) == (
            len(company.converted_from),
            len(store.records),
            len(store.events),
        )

    def test_one_request_is_applied_once(self, store: MemoryStore) -> None:
        """One set that several threads apply at once is applied once, and replayed to the rest."""
        for _ in range(20):
            asked = changes(Attach(DEAL, "converted_from", [LEAD]))
            outcomes = at_once([partial(store.apply, asked)] * 3)
            answers = [one for one in outcomes if isinstance(one, Receipt)]
            assert [False, True, True] == sorted(one.replayed for one in answers)
