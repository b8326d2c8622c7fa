"""Plain values: what they refuse, that they never change, and their one canonical form."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Address,
    Channel,
    FrozenMap,
    Kind,
    Lead,
    Product,
    Ref,
    StageRole,
)
from leadconvert.values import attributes, canonical, digest, freeze, is_empty


BERLIN = timezone(timedelta(hours=1))
#: Texts that break careless code: control characters, a right-to-left mark, a lone surrogate.
STRANGE = ["\x00\x1b[31m", "\u202eevil", "\ud800", "\u0000", "e\u0301"]


@attrs.frozen
class Point:
    """A frozen class of a user's own."""

    x: int
    note: str = attrs.field(default="", eq=False)


@attrs.define
class Open:
    """A class whose values may change."""

    x: int = 0


@attrs.define(eq=False)
class OpenByIdentity:
    """A class whose values may change, though they hash by identity."""

    x: int = 0


def plain_values() -> st.SearchStrategy[object]:
    """Values of every type a custom field may hold, nested."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(st.characters()),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.dates(),
        st.datetimes(timezones=st.just(UTC)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )


class TestFrozenMap:
    def test_reads_as_a_mapping(self) -> None:
        """A FrozenMap reads as any mapping does."""
        given_map = FrozenMap({"a": 1, "b": 2})
        assert 1 == given_map["a"]
        assert ["a", "b"] == list(given_map)
        assert 2 == len(given_map)
        assert "b" in given_map
        assert given_map.get("c") is None
        assert {} == FrozenMap()

    def test_takes_pairs(self) -> None:
        """Pairs will do in place of a mapping."""
        assert FrozenMap({"a": 1}) == FrozenMap([("a", 1)])

    def test_equal_whatever_the_order(self) -> None:
        """The order of keys counts neither for equality nor for the hash."""
        one, other = FrozenMap({"a": 1, "b": 2}), FrozenMap({"b": 2, "a": 1})
        assert one == other
        assert hash(one) == hash(other)
        assert one == {"b": 2, "a": 1}
        assert one != {"a": 1}
        assert one != 5

    def test_values_changed_afterwards(self) -> None:
        """What was handed over and is changed later changes nothing inside."""
        inner = ["a"]
        outer: dict[str, object] = {"list": inner, "map": {"deep": inner}}
        frozen = FrozenMap(outer)
        inner.append("b")
        outer["more"] = 1
        assert {"list": ("a",), "map": {"deep": ("a",)}} == frozen

    def test_cannot_be_changed(self) -> None:
        """No attribute of a FrozenMap can be set."""
        change: Callable[..., None] = setattr
        with pytest.raises(AttributeError, match="cannot be changed"):
            change(FrozenMap({"a": 1}), "more", 1)

    def test_a_key_that_is_no_text(self) -> None:
        """Keys are text."""
        loose: Callable[..., object] = FrozenMap
        with pytest.raises(TypeError, match="a key must be text, not int"):
            loose({1: "a"})

    def test_survives_pickle_and_copy(self) -> None:
        """A FrozenMap pickles and copies into an equal one."""
        frozen = FrozenMap({"a": [1], "b": {"c": Decimal("1.5")}})
        assert frozen == pickle.loads(pickle.dumps(frozen))  # noqa: S301 - our own bytes
        assert frozen == copy.copy(frozen)
        assert frozen == copy.deepcopy(frozen)

    def test_repr(self) -> None:
        """The repr tells what is inside."""
        assert "FrozenMap({'a': (1,)})" == repr(FrozenMap({"a": [1]}))


class TestSmallValues:
    def test_ref(self) -> None:
        """A ref tells its kind and id, and is stored unless it says otherwise."""
        assert "deal D-5" == str(Ref("deal", "D-5"))
        assert Ref("deal", "D-5") != Ref("deal", "D-5", provisional=True)

    def test_parts_that_are_no_text(self) -> None:
        """Kinds, ids, channels and address parts are text."""
        wrong: list[tuple[Callable[..., object], list[object]]] = [
            (Ref, ["deal", 5]),
            (Ref, [None, "5"]),
            (Channel, [5]),
            (Channel, ["a", 5]),
        ]
        for make, arguments in wrong:
            with pytest.raises(TypeError):
                make(*arguments)
        loose: Callable[..., object] = Address
        with pytest.raises(TypeError):
            loose(city=5)

    def test_product(self) -> None:
        """A product line has exact numbers, one piece unless told."""
        product = Product(name="Engine", price=Decimal("99.50"), tax_percent=19)
        assert Decimal(1) == product.quantity
        assert Decimal(19) == product.tax_percent
        assert Product(name="Engine", price=1).tax_percent is None

    def test_product_with_inexact_numbers(self) -> None:
        """Floats and NaN are refused in a product line too."""
        loose: Callable[..., object] = Product
        with pytest.raises(TypeError):
            loose(name="Engine", price=0.1)
        with pytest.raises(TypeError):
            loose(name="Engine", price=1, quantity=0.5)
        with pytest.raises(ValueError, match="finite"):
            Product(name="Engine", price=1, tax_percent=Decimal("NaN"))

    @pytest.mark.parametrize(
        "value",
        [Ref("deal", "5"), Channel("a"), Address(), Product(name="a", price=1), FrozenMap()],
    )
    def test_hashable(self, value: object) -> None:
        """Every value may be in a set."""
        assert 1 == len({value, copy.deepcopy(value)})


class TestFreeze:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (["a", ["b", ("c",)]], ("a", ("b", ("c",)))),
            ({"a": [1]}, FrozenMap({"a": (1,)})),
            (MappingProxyType({"a": 1}), FrozenMap({"a": 1})),
            (None, None),
            (True, True),
            (1.5, 1.5),
            (date(2027, 1, 31), date(2027, 1, 31)),
            (Channel("a"), Channel("a")),
            (Point(1), Point(1)),
            (StageRole.SUCCESS, "success"),
        ],
    )
    def test_plain_values(self, value: object, expected: object) -> None:
        """Lists become tuples, mappings FrozenMaps, the rest stays."""
        assert expected == freeze(value)

    def test_a_frozen_map_is_kept(self) -> None:
        """A FrozenMap need not be frozen again."""
        frozen = FrozenMap({"a": 1})
        assert frozen is freeze(frozen)

    @pytest.mark.parametrize(
        "value",
        [
            {"a", "b"},
            frozenset({"a"}),
            b"bytes",
            bytearray(b"bytes"),
            object(),
            Open(),
            OpenByIdentity(),
            [{"a"}],
            {"a": {"b"}},
        ],
    )
    def test_what_could_change_or_has_no_order(self, value: object) -> None:
        """Sets have no order, other objects could change later: both are refused, however deep."""
        with pytest.raises(TypeError, match="is no plain value"):
            freeze(value)


class TestIsEmpty:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            " \t\n\u00a0",
            (),
            ("", None),
            {},
            {"a": ""},
            FrozenMap(),
            Channel(" "),
            Channel("", "work"),
            (Channel(""),),
            Address(),
            Address(city=" "),
        ],
    )
    def test_empty(self, value: object) -> None:
        """None, blank text and collections of nothing else say nothing."""
        assert is_empty(value)

    @pytest.mark.parametrize(
        "value",
        [
            0,
            False,
            Decimal("0.00"),
            0.0,
            "no",
            ("", "a"),
            {"a": 0},
            Channel("a"),
            Address(city="London"),
            Product(name="", price=0),
            date(2027, 1, 31),
        ],
    )
    def test_filled(self, value: object) -> None:
        """Zero, False and a zero amount are values."""
        assert not is_empty(value)


class TestAttributes:
    def test_by_name_in_order(self) -> None:
        """The attributes of an attrs class come by name, in order."""
        assert ["x", "note"] == list(attributes(Point))

    def test_no_attrs_class(self) -> None:
        """A class that is not of attrs is refused."""
        with pytest.raises(attrs.exceptions.NotAnAttrsClassError):
            attributes(int)


class TestCanonical:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, b"()"),
            (True, b"('bool', 1)"),
            ("ü", b"('text', '\\xfc')"),
            ("\ud800", b"('text', '\\ud800')"),
            (255, b"('int', '0xff')"),
            (1.5, b"('float', '1.5')"),
            (Decimal("-1.50"), b"('decimal', 1, '15', -1)"),
            (Decimal("0.00"), b"('decimal', 0, '', 0)"),
            (Decimal("Infinity"), b"('decimal', 'Infinity')"),
            (date(2027, 1, 31), b"('day', '2027-01-31')"),
            ((1, "a"), b"('list', ('int', '0x1'), ('text', 'a'))"),
            (frozenset({"b", "a"}), b"('set', ('text', 'a'), ('text', 'b'))"),
            ({"b": 1, "a": 2}, b"('map', ('a', ('int', '0x2')), ('b', ('int', '0x1')))"),
            (Point(1, "unseen"), b"('Point', ('x', ('int', '0x1')))"),
            (Kind, b"('name', 'leadconvert.kinds', 'Kind')"),
            (digest, b"('name', 'leadconvert.values', 'digest')"),
        ],
    )
    def test_the_form_of_each_type(self, value: object, expected: bytes) -> None:
        """Each type has its own form, the same for ever: digests are stored."""
        assert expected == canonical(value)

    def test_the_zone_makes_no_difference(self) -> None:
        """One moment told in two zones has one form, a naive one another."""
        noon = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
        naive = datetime(2027, 1, 31, 12, 0)  # noqa: DTZ001 - the difference under test
        assert canonical(noon) == canonical(noon.astimezone(BERLIN))
        assert canonical(noon) != canonical(noon + timedelta(microseconds=1))
        assert canonical(noon) != canonical(naive)

    @pytest.mark.parametrize(
        ("day", "hours", "expected"),
        [
            ((1, 1, 1, 11), 12, "days=-1, seconds=82800"),
            ((1, 1, 1, 11), -12, "seconds=82800"),
            ((9999, 12, 31, 13), 12, "days=3652058, seconds=3600"),
            ((9999, 12, 31, 13), -12, "days=3652059, seconds=3600"),
        ],
    )
    def test_moments_at_the_ends_of_time(
        self, day: tuple[int, int, int, int], hours: int, expected: str
    ) -> None:
        """A moment whose UTC is out of range has a form as well."""
        told = datetime(*day, tzinfo=timezone(timedelta(hours=hours)))
        assert f"('moment', 'datetime.timedelta({expected})')" == canonical(told).decode()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Decimal("1.50"), Decimal("1.5")),
            (Decimal(100), Decimal("1E+2")),
            (Decimal("0.0"), Decimal("-0")),
            (["a"], ("a",)),
            ({"a": 1, "b": 2}, FrozenMap({"b": 2, "a": 1})),
            (StageRole.SUCCESS, "success"),
        ],
    )
    def test_equal_values(self, one: object, other: object) -> None:
        """Values that say the same have one form."""
        assert canonical(one) == canonical(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, "1"),
            (1, True),
            ("", None),
            ((), None),
            (("a", "b"), ("ab",)),
            (("a", "b"), ("b", "a")),
            ({"a": 1}, {"a": 2}),
            (Decimal("0.1"), Decimal(1)),
            (date(2027, 1, 31), datetime(2027, 1, 31, tzinfo=UTC)),
            (Ref("a", "b"), Ref("a", "b", provisional=True)),
            (Channel("a"), "a"),
        ],
    )
    def test_different_values(self, one: object, other: object) -> None:
        """Values that differ have different forms."""
        assert canonical(one) != canonical(other)

    def test_numbers_of_any_length(self) -> None:
        """An int of more digits than Python prints has a form."""
        assert 10**5000 == int(canonical(10**5000).decode().split("'")[3], 16)

    @pytest.mark.parametrize("text", [*STRANGE, "x" * 1_000_000])
    def test_strange_texts(self, text: str) -> None:
        """Control characters, marks, lone surrogates and long texts have a form and a digest."""
        assert canonical(text).isascii()
        assert 32 == len(digest(Lead(id="L-7", stage="NEW", title=text)))

    @settings(max_examples=50, deadline=None)
    @given(plain_values())
    def test_freezing_changes_no_form(self, value: object) -> None:
        """A value and its frozen form have one canonical form."""
        assert canonical(value) == canonical(freeze(value))

    @settings(max_examples=50, deadline=None)
    @given(st.dictionaries(st.text(), plain_values(), max_size=4))
    def test_the_order_of_keys_makes_no_difference(self, value: dict[str, object]) -> None:
        """A mapping read backwards has the same form, hash and equality."""
        backwards = dict(reversed(value.items()))
        assert canonical(value) == canonical(backwards)
        assert FrozenMap(value) == FrozenMap(backwards)
        assert hash(FrozenMap(value)) == hash(FrozenMap(backwards))


class TestDigest:
    def test_stays_the_same_for_ever(self) -> None:
        """A digest is the first half of the SHA-256 of the canonical form, on every machine."""
        assert "fafb87631afec3bc70b2b59ab4af91f0" == digest("x")
