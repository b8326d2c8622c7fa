"""Changes: what a store is to do and what it answers, as values that nothing changes."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Claim,
    Conversion,
    Delete,
    Detach,
    Event,
    FrozenMap,
    Insert,
    MatchKey,
    Receipt,
    Ref,
    Trace,
    TraceStep,
    Update,
)
from leadconvert.changes import bind, bound, made, plain
from leadconvert.errors import IdempotencyError


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
MADE = Ref("deal", "L-7.1.deal.1", provisional=True)
STORED = Ref("deal", "5")
OTHER = Ref("contact", "C-3")
LEAD = Ref("lead", "L-7")
CLAIM = Claim(MatchKey("email", "ada@example.com"), [OTHER])
STEP = TraceStep(
    ref=MADE,
    action="created",
    before={"contact_ids": (MADE,)},
    written={"title": "9f2c", "company_id": MADE},
    attached=[("converted_from", MADE), ("converted_from", LEAD)],
)


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            Insert(MADE, {"title": "Engine", "contact_ids": [OTHER]}),
            Update(LEAD, "3", {"stage": "CONVERTED"}),
            Event(name="lead.converted", ref=LEAD, at=AT, actor_id="u-7", params={"a": [MADE]}),
            Attach(OTHER, "converted_from", [LEAD]),
            Detach(OTHER, "converted_from", [LEAD]),
            Delete(OTHER, "3"),
            Delete(OTHER, "3", {"converted_from": [LEAD], "deal_ids": []}),
            CLAIM,
            Insert(MADE, {"title": "Engine"}, [CLAIM]),
            Update(LEAD, "3", {"stage": "CONVERTED"}, [CLAIM]),
            ChangeSet(
                key="k",
                fingerprint="f",
                changes=[Delete(OTHER, None)],
                traces=[Trace(id="L-7.1", steps=[STEP])],
            ),
            ChangeSet(key="k", fingerprint="f", changes=[Update(LEAD, None, {})], after=["j"]),
            Receipt(ids=[(MADE, STORED)], revisions=[(STORED, "1")], replayed=True),
            Receipt(key="k", fingerprint="f", conversions=["L-7.1"]),
        ],
    )
    def test_travel(self, value: object) -> None:
        """Every change, event and receipt is hashable, pickles and copies into an equal one."""
        assert value == pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
        assert value == copy.deepcopy(value)
        assert 1 == len({value, copy.deepcopy(value)})

    def test_values_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes nothing."""
        values: dict[str, object] = {"tags": ["a"]}
        insert, update = Insert(MADE, values), Update(LEAD, None, values)
        event = Event(name="x", ref=LEAD, at=AT, actor_id="u-7", params=values)
        values["more"] = 1
        assert {"tags": ("a",)} == insert.values == update.values == event.params

    def test_values_are_in_no_repr(self) -> None:
        """The values written may be private and are in no repr."""
        assert "secret" not in repr(Insert(MADE, {"title": "secret"}))
        assert "secret" not in repr(Update(LEAD, "3", {"title": "secret"}))

    def test_a_set_is_refused(self) -> None:
        """Values without an order are refused."""
        with pytest.raises(TypeError, match="set is no plain value"):
            Insert(MADE, {"tags": {"a", "b"}})

    def test_a_naive_moment(self) -> None:
        """An event happens at a moment with a time zone."""
        with pytest.raises(ValueError, match="time zone"):
            Event(name="x", ref=LEAD, at=datetime(2027, 1, 31), actor_id="u")  # noqa: DTZ001

    def test_one_key_instead_of_a_list(self) -> None:
        """One key where a list of them belongs is refused, so that no letter is a key."""
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            ChangeSet(key="k", fingerprint="f", after="L-7/0/9f2c")

    def test_lists_become_tuples(self) -> None:
        """Lists are kept as tuples."""
        event = Event(name="x", ref=LEAD, at=AT, actor_id="u-7")
        changes = ChangeSet(key="k", fingerprint="f", changes=[Insert(MADE, {})], events=[event])
        assert (Insert(MADE, {}),) == changes.changes
        assert (event,) == changes.events
        assert (LEAD,) == Attach(OTHER, "converted_from", iter([LEAD])).refs
        assert (LEAD,) == Detach(OTHER, "converted_from", iter([LEAD])).refs
        attached = {"converted_from": [LEAD], "deal_ids": []}
        delete = Delete(OTHER, None, attached)
        attached["deal_ids"] = [LEAD]
        assert FrozenMap({"converted_from": (LEAD,), "deal_ids": ()}) == delete.attached
        assert FrozenMap() == Delete(OTHER, None).attached
        assert (OTHER,) == Claim(CLAIM.key, iter([OTHER])).seen
        assert () == Claim(CLAIM.key).seen
        assert (CLAIM,) == Insert(MADE, {}, iter([CLAIM])).claims
        assert (CLAIM,) == Update(LEAD, None, {}, iter([CLAIM])).claims
        assert () == Insert(MADE, {}).claims == Update(LEAD, None, {}).claims
        receipt = Receipt(ids=iter([(MADE, STORED)]), revisions=iter([(STORED, "1")]))
        assert ((MADE, STORED),) == receipt.ids
        assert ((STORED, "1"),) == receipt.revisions
        assert Receipt() == Receipt(ids=[], revisions=[], replayed=False)

    @pytest.mark.parametrize("wrong", [CLAIM.key, "ada@example.com", None])
    def test_what_is_no_claim(self, wrong: object) -> None:
        """What is no claim is no claim of a change."""
        claims: list[Claim] = [wrong]  # type: ignore[list-item]
        for make in (lambda: Insert(MADE, {}, claims), lambda: Update(LEAD, None, {}, claims)):
            with pytest.raises(TypeError, match="Claim"):
                make()


class TestSees:
    """Whether a delete finds whom it has seen, in each field that it names."""

    SEEN: Final = {"contact_ids": [OTHER, Ref("contact", "C-4")], "converted_from": []}

    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ({"contact_ids": ("C-3", "C-4")}, True),
            ({"contact_ids": ("C-4", "C-3", "C-4"), "converted_from": ()}, True),
            ({"contact_ids": ("C-3", "C-4"), "UF_LEADS": ("L-7",)}, True),
            ({"contact_ids": ("C-3", "C-4"), "converted_from": ("L-7",)}, False),
            ({"contact_ids": ("C-3", "C-4", "C-5")}, False),
            ({"contact_ids": ("C-3",)}, False),
            ({"contact_ids": ()}, False),
            ({}, False),
        ],
    )
    def test_whom_it_names(self, held: dict[str, object], expected: bool) -> None:
        """Just these, in any order; of a field that it does not name nobody asks."""
        assert expected == Delete(OTHER, "3", self.SEEN).sees(held.get)
        assert Delete(OTHER, "3").sees(held.get)


class TestBind:
    def test_however_deep(self) -> None:
        """Every ref is replaced by the one it is stored under, in lists, maps and conversions."""
        made = Conversion(id="L-7.1", at=AT, actor_id="u-7", targets=[MADE, OTHER], rules="9f2c")
        stored = {MADE: STORED}
        assert STORED == bind(MADE, stored)
        assert OTHER == bind(OTHER, stored)
        assert (STORED, ("x", STORED)) == bind((MADE, ("x", MADE)), stored)
        assert FrozenMap({"a": STORED}) == bind({"a": MADE}, stored)
        bound = Conversion(id="L-7.1", at=AT, actor_id="u-7", targets=[STORED, OTHER], rules="9f2c")
        assert (bound,) == bind((made,), stored)
        step = TraceStep(ref=MADE, action="created")
        trace = Trace(id="L-7.1", steps=[step])
        assert Trace(id="L-7.1", steps=[attrs.evolve(step, ref=STORED)]) == bind(trace, stored)
        assert 5 == bind(5, stored)
        assert bind(None, stored) is None


class TestPlain:
    def test_ids_in_place_of_refs(self) -> None:
        """A record holds the id in place of a ref."""
        assert "L-7.1.deal.1" == plain(MADE)
        assert ("C-3", ("L-7",), 5) == plain((OTHER, (LEAD,), 5))
        assert "text" == plain("text")
        assert plain(None) is None


class TestBound:
    IDS: Final = {MADE: STORED}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (
                Insert(MADE, {"deal_ids": [MADE, OTHER], "title": "x"}, [Claim(CLAIM.key, [MADE])]),
                Insert(
                    STORED,
                    {"deal_ids": [STORED, OTHER], "title": "x"},
                    [Claim(CLAIM.key, [STORED])],
                ),
            ),
            (
                Update(OTHER, "3", {"deal_id": MADE}, [CLAIM, Claim(CLAIM.key, [MADE, OTHER])]),
                Update(OTHER, "3", {"deal_id": STORED}, [CLAIM, Claim(CLAIM.key, [STORED, OTHER])]),
            ),
            (Update(MADE, None, {}), Update(STORED, None, {})),
            (Attach(MADE, "x", [MADE, LEAD]), Attach(STORED, "x", [STORED, LEAD])),
            (Detach(MADE, "x", [LEAD, MADE]), Detach(STORED, "x", [LEAD, STORED])),
            (Delete(MADE, "1"), Delete(STORED, "1")),
            (Delete(OTHER, None), Delete(OTHER, None)),
            (
                Delete(OTHER, None, {"deal_ids": [MADE, STORED], "converted_from": [LEAD]}),
                Delete(OTHER, None, {"deal_ids": [STORED, STORED], "converted_from": [LEAD]}),
            ),
        ],
    )
    def test_a_change(self, change: Change, expected: Change) -> None:
        """Every ref in a change is as it is stored: its own, in values, lists and claims."""
        asked = ChangeSet(key="k", fingerprint="f", changes=[change], after=["j"])
        assert ChangeSet(key="k", fingerprint="f", changes=[expected], after=["j"]) == asked.bound(
            self.IDS
        )

    def test_all_else(self) -> None:
        """So it is in events and traces; whatever is not named stays as it is."""
        event = Event(name="x", ref=MADE, at=AT, params={"lead": LEAD, "made": (MADE,)})
        trace = Trace(id="L-7.1", steps=[STEP])
        whole = ChangeSet(key="k", fingerprint="f", events=[event], traces=[trace])
        expected = TraceStep(
            ref=STORED,
            action="created",
            before={"contact_ids": (STORED,)},
            written={"title": "9f2c", "company_id": STORED},
            attached=[("converted_from", STORED), ("converted_from", LEAD)],
        )
        told = Event(name="x", ref=STORED, at=AT, params={"lead": LEAD, "made": (STORED,)})
        found = whole.bound(self.IDS)
        assert ((told,), (Trace(id="L-7.1", steps=[expected]),)) == (found.events, found.traces)
        assert Trace(id="L-7.1", steps=[expected]) == bound(trace, self.IDS)
        assert whole == whole.bound({})

    def test_as_it_was_left(self) -> None:
        """What changes a record that an earlier set made means the revision of its receipt."""
        changes: list[Change] = [
            Update(MADE, None, {}),
            Delete(MADE, None),
            Update(MADE, "5", {}),
            Update(STORED, None, {}),
            Delete(OTHER, None),
        ]
        whole = ChangeSet(key="k", fingerprint="f", changes=changes)
        assert (
            Update(STORED, "7", {}),
            Delete(STORED, "7"),
            Update(STORED, "5", {}),
            Update(STORED, None, {}),
            Delete(OTHER, None),
        ) == whole.bound(self.IDS, {STORED: "7", OTHER: "8"}).changes
        assert Update(STORED, None, {}) == whole.bound(self.IDS, {OTHER: "8"}).changes[0]


class TestMade:
    def test_the_inserts(self) -> None:
        """What is made are the records to insert, in order."""
        two = Ref("contact", "x", provisional=True)
        changes: list[Change] = [
            Insert(two, {}),
            Update(LEAD, None, {}),
            Insert(MADE, {}),
            Delete(OTHER, None),
        ]
        assert (two, MADE) == made(ChangeSet(key="k", fingerprint="f", changes=changes))
        assert () == made(ChangeSet(key="k", fingerprint="f"))


class TestReceipt:
    ASKED: Final = ChangeSet(
        key="k",
        fingerprint="f",
        changes=[Insert(MADE, {})],
        traces=[Trace(id="L-7.1"), Trace(id="L-7.2")],
    )

    def test_of_a_change_set(self) -> None:
        """A receipt names the key, the request, the conversions, and what a store made of it."""
        assert Receipt(
            ids=[(MADE, STORED)],
            revisions=[(STORED, "1")],
            key="k",
            fingerprint="f",
            conversions=["L-7.1", "L-7.2"],
        ) == Receipt.of(self.ASKED, ids=iter([(MADE, STORED)]), revisions=iter([(STORED, "1")]))

    def test_again(self) -> None:
        """The same request again gives the same receipt, marked, whatever was decided on it."""
        first = Receipt.of(self.ASKED, ids=[(MADE, STORED)], revisions=[])
        other = attrs.evolve(self.ASKED, changes=[Delete(OTHER, None)], traces=[])
        for asked in (self.ASKED, other):
            assert attrs.evolve(first, replayed=True) == first.again(asked)
        assert first.again(self.ASKED) == first.again(self.ASKED).again(self.ASKED)
        assert not first.replayed

    def test_another_request(self) -> None:
        """Another request under the key is refused, and says under which."""
        first = Receipt.of(self.ASKED, ids=[], revisions=[])
        with pytest.raises(IdempotencyError) as caught:
            first.again(attrs.evolve(self.ASKED, fingerprint="g"))
        assert IdempotencyError("k") == caught.value
