"""Changes: what a store is to do and what it answers, as values that nothing changes."""

import copy
import pickle
from datetime import UTC, datetime

import pytest

from leadconvert import (
    Attach,
    ChangeSet,
    Conversion,
    Event,
    FrozenMap,
    Insert,
    Receipt,
    Ref,
    Update,
)
from leadconvert.changes import bind, plain


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
MADE = Ref("deal", "L-7.1.deal.1", provisional=True)
STORED = Ref("deal", "5")
OTHER = Ref("contact", "C-3")
LEAD = Ref("lead", "L-7")


class TestValues:
    @pytest.mark.parametrize(
        "value",
        [
            Insert(MADE, {"title": "Engine", "contact_ids": [OTHER]}),
            Update(LEAD, "3", {"stage": "CONVERTED"}),
            Event(name="lead.converted", ref=LEAD, at=AT, actor_id="u-7", params={"a": [MADE]}),
            Attach(OTHER, "converted_from", [LEAD]),
            ChangeSet(key="k", fingerprint="f", changes=[Update(LEAD, None, {})], after=["j"]),
            Receipt(ids=[(MADE, STORED)], revisions=[(STORED, "1")], replayed=True),
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
        receipt = Receipt(ids=iter([(MADE, STORED)]), revisions=iter([(STORED, "1")]))
        assert ((MADE, STORED),) == receipt.ids
        assert ((STORED, "1"),) == receipt.revisions
        assert Receipt() == Receipt(ids=[], revisions=[], replayed=False)


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
        assert 5 == bind(5, stored)
        assert bind(None, stored) is None


class TestPlain:
    def test_ids_in_place_of_refs(self) -> None:
        """A record holds the id in place of a ref."""
        assert "L-7.1.deal.1" == plain(MADE)
        assert ("C-3", ("L-7",), 5) == plain((OTHER, (LEAD,), 5))
        assert "text" == plain("text")
        assert plain(None) is None
