"""Records: what they hold, what they refuse, and that nothing changes them."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Address,
    Channel,
    Company,
    Contact,
    Conversion,
    Deal,
    GenericRecord,
    Lead,
    Product,
    Ref,
    StageChange,
)


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
NAIVE = datetime(2027, 1, 31)  # noqa: DTZ001 - a mistake under test

FULL = Lead(
    id="L-7",
    revision="3",
    stage="NEW",
    honorific="Countess",
    first_name="Ada",
    birth_date=date(1815, 12, 10),
    phones=[Channel("+44 1", "work"), Channel("+44 2")],
    address=Address(city="London"),
    amount=5000,
    currency="EUR",
    products=[Product(name="Engine", price=1)],
    observer_ids=["u-1"],
    contact_ids=["C-3"],
    tags=["vip"],
    opened=True,
    created_at=AT,
    custom={"UF_X": ["a"]},
    stage_history=[StageChange(to_stage="NEW", at=AT)],
    conversions=[
        Conversion(id="L-7.1", at=AT, actor_id="u-7", targets=[Ref("deal", "D-5")], rules="9f2c")
    ],
)


class TestStandardRecords:
    @pytest.mark.parametrize(
        "record",
        [
            FULL,
            Contact(id="C-3"),
            Company(id="CO-9"),
            Deal(id="D-5"),
            GenericRecord(kind="k", id="1"),
        ],
    )
    def test_values_that_travel(self, record: object) -> None:
        """Every record is hashable, pickles and copies into an equal one."""
        assert record == pickle.loads(pickle.dumps(record))  # noqa: S301 - our own bytes
        assert record == copy.copy(record)
        assert record == copy.deepcopy(record)
        assert 1 == len({record, copy.deepcopy(record)})

    @pytest.mark.parametrize("cls", [Lead, Contact, Company, Deal, GenericRecord])
    def test_frozen_and_slotted(self, cls: type) -> None:
        """No attribute of a record can be set, and none added."""
        assert not hasattr(object.__new__(cls), "__dict__")
        change: Callable[..., None] = setattr
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            change(object.__new__(cls), "id", "other")

    def test_lists_become_tuples(self) -> None:
        """Lists are kept as tuples, and ints as exact amounts."""
        assert (Channel("+44 1", "work"), Channel("+44 2")) == FULL.phones
        assert ("vip",) == FULL.tags
        assert Decimal(5000) == FULL.amount
        assert {"UF_X": ("a",)} == FULL.custom

    def test_values_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no record."""
        tags, custom = ["a"], {"UF_X": ["a"]}
        lead = Lead(id="L-7", stage="NEW", tags=tags, custom=custom)
        generic = GenericRecord(kind="invoice", id="I-1", custom=custom)
        tags.append("b")
        custom["UF_X"].append("b")
        custom["UF_Y"] = []
        assert ("a",) == lead.tags
        assert {"UF_X": ("a",)} == lead.custom
        assert {"UF_X": ("a",)} == generic.custom

    def test_positional_arguments(self) -> None:
        """Records are made by keyword only."""
        loose: Callable[..., object] = Lead
        with pytest.raises(TypeError):
            loose("L-7", "NEW")

    @pytest.mark.parametrize("cls", [Lead, Contact, Company, Deal])
    def test_a_custom_field_with_a_standard_name(self, cls: Callable[..., object]) -> None:
        """A custom field cannot hide a standard one."""
        more = {"stage": "NEW"} if cls is Lead else {}
        with pytest.raises(ValueError, match=r"^comments, tags: a standard field, not a custom"):
            cls(id="1", custom={"tags": 1, "comments": 2, "UF_X": 3}, **more)


class TestBadInput:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"id": 7},
            {"stage": None},
            {"title": b"bytes"},
            {"phones": "x"},
            {"phones": Channel("x")},
            {"phones": ["x"]},
            {"tags": "x"},
            {"tags": [1]},
            {"contact_ids": "C-3"},
            {"observer_ids": "u-1"},
            {"products": Product(name="a", price=1)},
            {"products": [5]},
            {"stage_history": StageChange(to_stage="NEW", at=AT)},
            {"conversions": ["L-7.1"]},
            {"amount": 0.1},
            {"amount": "5000"},
            {"amount": True},
            {"birth_date": AT},
            {"birth_date": "1815-12-10"},
            {"created_at": date(2027, 1, 31)},
            {"updated_at": "2027-01-31"},
            {"opened": "Y"},
            {"opened": 1},
            {"address": "London"},
            {"custom": {"UF_X": {"a", "b"}}},
            {"custom": {"UF_X": object()}},
            {"custom": {1: "a"}},
        ],
    )
    def test_values_of_another_type(self, wrong: dict[str, object]) -> None:
        """A value that is not of its attribute's type is refused at once."""
        loose: Callable[..., object] = Lead
        with pytest.raises(TypeError):
            loose(**{"id": "L-7", "stage": "NEW"} | wrong)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"amount": Decimal("NaN")}, "finite"),
            ({"amount": Decimal("-Infinity")}, "finite"),
            ({"created_at": NAIVE}, "time zone"),
            ({"updated_at": NAIVE}, "time zone"),
        ],
    )
    def test_values_without_meaning(self, wrong: dict[str, object], told: str) -> None:
        """NaN, infinity and naive moments are refused."""
        loose: Callable[..., object] = Lead
        with pytest.raises(ValueError, match=told):
            loose(**{"id": "L-7", "stage": "NEW"} | wrong)

    def test_the_way_out_is_told(self) -> None:
        """One text where a list belongs is told with what to write instead."""
        loose: Callable[..., object] = Contact
        told = r"a list of Channel is needed here: write \[\.\.\.\] around it"
        with pytest.raises(TypeError, match=told):
            loose(id="C-3", phones="x")
        with pytest.raises(TypeError, match="a list of Channel holds an int"):
            loose(id="C-3", emails=[5])

    def test_naive_moments_elsewhere(self) -> None:
        """Stage changes and conversions refuse naive moments, too."""
        with pytest.raises(ValueError, match="time zone"):
            StageChange(to_stage="NEW", at=NAIVE)
        with pytest.raises(ValueError, match="time zone"):
            Conversion(id="1", at=NAIVE, actor_id="u", targets=[], rules="")
        loose: Callable[..., object] = Conversion
        with pytest.raises(TypeError):
            loose(id="1", at=AT, actor_id="u", targets=Ref("deal", "1"), rules="")

    @pytest.mark.parametrize(
        "text", ["x" * 1_000_000, "\x00\x1b", "\u202eevil", "\ud800", "  blank  "]
    )
    def test_strange_texts_are_kept(self, text: str) -> None:
        """A record keeps any text as it is: long, odd, or a half of a character."""
        lead = Lead(id="L-7", stage="NEW", title=text, custom={"UF_X": text}, tags=[text])
        assert text == lead.title
        assert text == lead.custom["UF_X"]
        assert (text,) == lead.tags
        assert lead == copy.deepcopy(lead)


class TestRepr:
    def test_filled_attributes_only(self) -> None:
        """A repr shows what is filled, falsy values included."""
        expected = "Deal(id='D-5', opened=False, title='', amount=Decimal('0'))"
        assert expected == repr(Deal(id="D-5", title="", amount=0, opened=False))

    def test_custom_fields_by_name_alone(self) -> None:
        """Values of custom fields are in no repr."""
        lead = Lead(id="L-7", stage="NEW", custom={"b": "secret", "a": "secret"})
        assert "Lead(id='L-7', custom=['a', 'b'], stage='NEW')" == repr(lead)
        generic = GenericRecord(kind="invoice", id="I-1", custom={"a": "secret"})
        assert "GenericRecord(kind='invoice', id='I-1', custom=['a'])" == repr(generic)
