"""One change set for all that happens in a move or an arrival, and the result as stored."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Attach,
    Automation,
    AutomationRule,
    ChangeSet,
    Company,
    Contact,
    Conversion,
    Create,
    Deal,
    Field,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Lead,
    MoveResult,
    Pipeline,
    Receipt,
    Record,
    Ref,
    Stage,
    StageChange,
    Update,
    WithoutLeads,
    advance,
    arrive,
    presets,
)
from leadconvert.changes import bind, plain
from leadconvert.closing import so_far
from leadconvert.records import changed
from leadconvert.whole import Whole


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-7", roles=["admin"])
ROBOT: Final = Actor("robot", roles=["admin"])
PARCEL: Final = Kind(
    "parcel",
    fields=[
        Field("state", "text"),
        Field("deal_id", "reference", to="deal"),
        Field("converted_from", "reference", to="lead", multiple=True),
    ],
    stage="state",
)
RULES: Final = attrs.evolve(
    presets.bitrix24(),
    kinds=[*presets.bitrix24().kinds, PARCEL],
    pipelines=[
        *presets.bitrix24().pipelines,
        Pipeline("parcels", "parcel", ["packed", Stage("there", "success")]),
    ],
    transforms={},
)
NEW: Final = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    revision="r3",
    custom={"UF_X": "blue"},
)


@attrs.define
class Store:
    """As little of a store as shows what a change set means: it gives ids of its own."""

    records: dict[Ref, Record] = attrs.field(factory=dict)
    last: int = 100

    def put(self, *records: Record) -> None:
        """Keep records that are there already."""
        for record in records:
            kind = RULES.kind_of(record)
            assert kind is not None
            self.records[Ref(kind.id, record.id)] = record

    def apply(self, changes: ChangeSet) -> Receipt:
        """Do what the change set says, and say which ids and revisions there are now."""
        ids: dict[Ref, Ref] = {}
        for change in changes.changes:
            if isinstance(change, Insert):
                assert change.ref.provisional
                assert change.ref not in ids
                self.last += 1
                ids[change.ref] = Ref(change.ref.kind, f"{self.last}")
            ref = ids.get(change.ref, change.ref)
            if isinstance(change, Attach):
                self.attach(ref, change, ids)
                continue
            assert set(provisional(change.values)) <= ids.keys()
            values = {name: plain(bind(one, ids)) for name, one in change.values.items()}
            if isinstance(change, Update):
                before = self.records[ref]
                assert before.revision == change.revision
                self.records[ref] = changed(before, values)
            else:
                kind = next(kind for kind in (RULES.lead, *RULES.kinds) if kind.id == ref.kind)
                self.records[ref] = kind.build(ref.id, values)
        for event in changes.events:
            assert set(provisional((event.ref, event.params))) <= ids.keys()
        touched = {ids.get(change.ref, change.ref) for change in changes.changes}
        revisions = [(ref, f"new {ref.id}") for ref in sorted(touched, key=str)]
        for ref, revision in revisions:
            self.records[ref] = changed(self.records[ref], {"revision": revision})
        return Receipt(ids=list(ids.items()), revisions=revisions)

    def attach(self, ref: Ref, change: Attach, ids: Mapping[Ref, Ref]) -> None:
        """Add to a set-like field of a record that is there."""
        assert set(provisional(change.refs)) <= ids.keys()
        there: tuple[str, ...] = getattr(self.records[ref], change.field)
        added = [ids.get(one, one).id for one in change.refs]
        self.records[ref] = changed(self.records[ref], {change.field: (*there, *added)})


def provisional(value: object) -> Iterator[Ref]:
    """Yield every provisional ref in a value, however deep."""
    match value:
        case Ref():
            yield from [value] if value.provisional else []
        case Mapping():
            for one in value.values():
                yield from provisional(one)
        case tuple():
            for one in value:
                yield from provisional(one)
        case Conversion():
            yield from provisional(value.targets)


def acting(*rules: AutomationRule, mode: WithoutLeads | None = None) -> Any:  # noqa: ANN401
    """The rules, with automation."""
    return attrs.evolve(
        RULES, automation=Automation(ROBOT, rules, without_leads=mode), transforms={}
    )


OPEN_DEAL: Final = AutomationRule(
    "deal", ["contact", "deal"], on="IN_PROCESS", closing=False, to="PROCESSED"
)
CLOSE: Final = AutomationRule("rest", ["company", "parcel"], on="PROCESSED")
IMPOSSIBLE: Final = AutomationRule(
    "never", [Create("deal", values={"title": None})], on="IN_PROCESS", closing=False
)
ON_ARRIVAL: Final = AutomationRule("hello", ["contact"], closing=False, to="IN_PROCESS")
BOUND: Final = attrs.evolve(NEW, contact_ids=["C-3", "C-4"], company_id="CO-9")
WON: Final = Deal(id="D-5", pipeline="0", stage="NEW", revision="r1")
THERE: Final = (Contact(id="C-3"), Contact(id="C-4"), Company(id="CO-9"), WON)
PACKED: Final = GenericRecord(kind="parcel", id="P-1", custom={"state": "packed"})


def move(record: Record, to: str, into: tuple[str, ...] = (), **others: Any) -> MoveResult:  # noqa: ANN401
    """What a move of Ada's gives."""
    given: dict[str, Any] = {"rules": RULES, "actor": ADA, "at": AT, **others}
    return advance(record, to, into, known=Known(records=THERE), **given)


def arrival(lead: Lead, *rules: AutomationRule, mode: WithoutLeads | None = None) -> MoveResult:
    """What an arrival gives."""
    return arrive(lead, rules=acting(*rules, mode=mode), at=AT, known=Known(records=THERE))


@attrs.frozen
class Case:
    """What happens to a record, and which one a store has before."""

    before: Record | None
    decide: Callable[[], MoveResult]


def moving(record: Record, to: str, into: tuple[str, ...] = (), **others: Any) -> Case:  # noqa: ANN401
    """A move of a record that the store has."""
    return Case(record, lambda: move(record, to, into, **others))


def arriving(lead: Lead, *rules: AutomationRule, mode: WithoutLeads | None = None) -> Case:
    """An arrival of a lead that the store has not."""
    return Case(None, lambda: arrival(lead, *rules, mode=mode))


PAST: Final = attrs.evolve(
    NEW,
    stage_history=[StageChange(to_stage="NEW", at=AT)],
    conversions=[
        Conversion(
            id="L-7.1",
            at=AT,
            actor_id="u-7",
            targets=[Ref("deal", "D-5")],
            rules="9f2c",
            closing=False,
        )
    ],
)
ALL: Final = ("contact", "company", "deal", "parcel")
CASES: Final = {
    "move": moving(NEW, "IN_PROCESS", values={"company_id": "CO-9", "comments": "x"}),
    "emptied": moving(BOUND, "JUNK", values={"company_id": None, "contact_ids": []}),
    "bound": moving(BOUND, "JUNK", values={"contact_ids": ["C-4"]}),
    "deal": moving(WON, "WON", values={"contact_ids": ["C-3"], "company_id": "CO-9"}),
    "fields alone": moving(PACKED, "there"),
    "conversion": moving(BOUND, "CONVERTED", ALL),
    "second conversion": moving(PAST, "CONVERTED", ("deal",)),
    "chain": moving(NEW, "IN_PROCESS", rules=acting(IMPOSSIBLE, OPEN_DEAL, CLOSE)),
    "arrival": arriving(BOUND),
    "arrival and move": arriving(NEW, AutomationRule("spam", to="JUNK")),
    "arrival and chain": arriving(BOUND, ON_ARRIVAL, IMPOSSIBLE, OPEN_DEAL, CLOSE),
    "arrival without leads": arriving(BOUND, mode=WithoutLeads(into=["company"])),
    "arrival with a past": arriving(PAST, ON_ARRIVAL),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Each sort of thing that can happen."""
    return CASES[request.param]


class TestOneChangeSet:
    def test_a_store_has_what_the_result_says(self, case: Case) -> None:
        """A store that applies the changes holds just the records of the result as stored."""
        result, store = case.decide(), Store()
        store.put(*THERE, *([] if case.before is None else [case.before]))
        before = dict(store.records)
        stored = result.stored(store.apply(result.changes))
        touched = [one for ref, one in store.records.items() if one != before.get(ref)]
        told = [*(one for made in stored.conversions for one in made.records), stored.record]
        expected = {(type(one), one.id): one for one in told}.values()  # as the last leaves them

        assert len(expected) == len(touched)
        assert all(one in touched for one in expected)

    def test_the_record_comes_last(self, case: Case) -> None:
        """What is done to others comes first, each once, then one update of what was moved."""
        result = case.decide()
        *first, last = result.changes.changes

        own = [one for one in first if one.ref == last.ref]
        assert own == [one for one in first[:1] if case.before is None]
        assert len({(type(one), one.ref) for one in first}) == len(first)
        assert (result.record.id, case.before is not None) == (
            last.ref.id,
            not last.ref.provisional,
        )
        if case.before is None:
            assert last.ref == result.changes.changes[0].ref
        else:
            assert isinstance(last, Update)
            assert case.before.revision == last.revision

    def test_every_conversion_has_the_whole(self, case: Case) -> None:
        """Each conversion carries all the changes, so that none is applied alone."""
        result = case.decide()
        inserts = [one.ref for one in result.changes.changes if isinstance(one, Insert)]
        made = [outcome.ref for one in result.conversions for outcome in one.outcomes]

        assert all(one.changes == result.changes for one in result.conversions)
        assert [one for one in made if one.provisional] == [
            ref for ref in inserts if ref.kind != "lead"
        ]

    def test_nothing_provisional_is_left(self, case: Case) -> None:
        """As stored, nothing points at a provisional record, and all is of one lead."""
        result = case.decide()
        inserts = [one.ref for one in result.changes.changes if isinstance(one, Insert)]
        ids = [(ref, Ref(ref.kind, f"stored {ref.id}")) for ref in inserts]
        stored = result.stored(Receipt(ids=ids))

        assert [] == list(provisional(getattr(stored.record, "conversions", ())))
        for one in stored.conversions:
            assert [] == list(provisional(one.conversion))
            assert {outcome.record.id for outcome in one.outcomes} <= {
                "C-3",
                "CO-9",
                "D-5",
                *(ref.id for _, ref in ids),
            }
            assert stored.record.id == one.lead.id

    def test_a_receipt_that_says_nothing(self, case: Case) -> None:
        """A receipt must speak of every record that was made."""
        result = case.decide()
        if any(isinstance(one, Insert) for one in result.changes.changes):
            with pytest.raises(ValueError, match="the receipt says nothing of "):
                result.stored(Receipt())
        else:
            assert result == result.stored(Receipt())


class TestAsStored:
    def test_ids_and_revisions(self) -> None:
        """The lead has the store's id and revision, its conversions the stored refs."""
        result = arrival(NEW, AutomationRule("a", ["company", "deal"], closing=False))
        company, deal = (one.ref for one in result.conversion.outcomes)
        lead = Ref("lead", "L-7", provisional=True)
        receipt = Receipt(
            ids=[
                (lead, Ref("lead", "1")),
                (company, Ref("company", "2")),
                (deal, Ref("deal", "3")),
            ],
            revisions=[(Ref("lead", "1"), "v1"), (Ref("deal", "3"), "v3")],
        )
        stored = result.stored(receipt)

        assert ("1", "v1") == (stored.lead.id, stored.lead.revision)
        assert ((Ref("company", "2"), Ref("deal", "3")),) == tuple(
            one.targets for one in stored.lead.conversions
        )
        assert ("3", "v3", "2", ("1",)) == (
            stored.conversion.deal.id,
            stored.conversion.deal.revision,
            stored.conversion.deal.company_id,
            stored.conversion.deal.converted_from,
        )
        assert stored.lead == stored.conversion.lead
        assert result.changes == stored.changes

    def test_an_earlier_conversion_stays(self) -> None:
        """What the lead became before keeps its ref."""
        [change] = arrival(PAST).changes.changes
        stored = arrival(PAST).stored(Receipt(ids=[(change.ref, Ref("lead", "1"))]))

        assert PAST.conversions == stored.lead.conversions

    def test_without_a_revision(self) -> None:
        """A receipt without revisions leaves the one that was read."""
        assert "r3" == move(NEW, "JUNK").stored(Receipt()).lead.revision

    def test_what_is_missing_is_named(self) -> None:
        """The refs that the receipt forgot are told."""
        result = arrival(NEW, AutomationRule("a", ["deal"]))
        known = Receipt(ids=[(Ref("lead", "L-7", provisional=True), Ref("lead", "1"))])

        with pytest.raises(ValueError, match=r"^the receipt says nothing of deal L-7\.1\.deal\.1$"):
            result.stored(known)


class TestWritten:
    def test_only_what_changed(self) -> None:
        """What is as before is not written."""
        whole = Whole(kind=RULES.lead, before=NEW, key="k", fingerprint="f")
        after = attrs.evolve(
            NEW, revision="r4", title="Oil", last_name=None, custom={"UF_X": "blue", "UF_Y": 1}
        )

        assert {"title": "Oil", "last_name": None, "UF_Y": 1} == whole.written(after)

    def test_emptied_before_it_was_filled(self) -> None:
        """A custom field that is new on the record is written, even if it is empty."""
        whole = Whole(kind=RULES.lead, before=NEW, key="k", fingerprint="f")
        after = attrs.evolve(NEW, custom={"UF_X": None, "UF_Y": None})

        assert {"UF_X": None, "UF_Y": None} == whole.written(after)

    def test_refs_in_place_of_ids(self) -> None:
        """References are written as refs, one or many; what was emptied is empty."""
        whole = Whole(kind=RULES.lead, before=BOUND, key="k", fingerprint="f")
        after = attrs.evolve(BOUND, contact_ids=["C-4"], company_id=None)

        assert {"contact_ids": (Ref("contact", "C-4"),), "company_id": None} == whole.written(after)


class TestHistory:
    @pytest.mark.parametrize(
        ("record", "expected"),
        [
            (NEW, 0),
            (PAST, 2),
            (WON, 0),
            (attrs.evolve(WON, stage_history=[StageChange(to_stage="NEW", at=AT)]), 1),
            (PACKED, None),
            (attrs.evolve(PACKED, revision="r2"), "r2"),
            (attrs.evolve(PACKED, custom={"stage_history": ()}), 0),
        ],
    )
    def test_what_has_happened(self, record: Record, expected: object) -> None:
        """The length of the history, or the revision where none is kept."""
        assert expected == so_far(record)
