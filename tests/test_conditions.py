"""Conditions: what each comparison says of each sort of value, and what cannot be one."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Address,
    AllOf,
    AnyOf,
    Channel,
    Comparison,
    Condition,
    Deal,
    Field,
    FieldType,
    FrozenMap,
    Lead,
    Not,
    Product,
    Where,
    errors,
    presets,
)
from leadconvert.codec import Codec
from leadconvert.kinds import DEAL, LEAD


NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
#: The same moment, told where it is three hours later.
THERE = NOON.astimezone(timezone(timedelta(hours=3)))
NAIVE = NOON.replace(tzinfo=None)
DAY = date(2027, 1, 31)
MAILS = (Channel("ada@example.com", "work"), Channel("b@example.org"))

ALIKE = ("equals", "not_equals", "in", "contains", "filled", "empty")
ORDERS = ("less", "less_or_equal", "greater", "greater_or_equal")


def holding(found: object, wanted: object, comparisons: tuple[str, ...]) -> str:
    """The comparisons that hold between what a field holds and what a condition says."""

    def holds(name: str) -> bool:
        values = {"in": [wanted], "filled": None, "empty": None}
        return Where("x", name, values.get(name, wanted)).holds({"x": found}.get)

    return " ".join(name for name in comparisons if holds(name))


def told(condition: Condition) -> list[str]:
    """What is wrong with a condition on leads."""
    return [str(problem) for problem in condition.mistakes(FIELDS, "rule big")]


FIELDS = attrs.evolve(
    LEAD,
    custom=[
        Field("UF_COUNT", "integer"),
        Field("UF_RATE", "decimal"),
        Field("UF_DAY", "date"),
        Field("UF_AT", "datetime"),
        Field("UF_FLAG", "boolean"),
        Field("UF_HEAT", "enumeration", options=["cold", "hot"]),
        Field("UF_FILE", "file"),
        Field("UF_SHORT", "text", max_length=3, default="abc"),
        Field("UF_COUNTS", "integer", multiple=True, default=[1, 2]),
    ],
)


class TestWhereAlike:
    """What is the same, what contains, what is filled: whatever the sort of value."""

    SAME = "equals in contains filled"
    OTHER = "not_equals filled"
    WITHIN = "not_equals contains filled"
    NOTHING = "not_equals empty"

    @pytest.mark.parametrize(
        ("found", "wanted", "expected"),
        [
            # text, letter by letter
            ("engine", "engine", SAME),
            ("engine", "gin", WITHIN),
            ("engine", "engines", OTHER),
            ("engine", "Engine", OTHER),
            ("engine ", "engine", WITHIN),
            # numbers, whatever their class; zero is a value
            (5, 5, SAME),
            (5, 55, OTHER),
            (55, 5, OTHER),
            (0, 0, SAME),
            (0, 1, OTHER),
            (Decimal("5.00"), 5, SAME),
            (5, Decimal("5.00"), SAME),
            (Decimal("5.00"), Decimal(5), SAME),
            (Decimal("0.00"), 0, SAME),
            (Decimal("0.00"), Decimal("0.01"), OTHER),
            (Decimal("NaN"), 5, OTHER),
            (Decimal("sNaN"), 5, OTHER),
            # numbers and text are not of one sort
            ("5", 5, OTHER),
            (5, "5", OTHER),
            # booleans; False is a value
            (True, True, SAME),
            (False, False, SAME),
            (False, True, OTHER),
            (True, False, OTHER),
            # days and moments
            (DAY, DAY, SAME),
            (DAY, date(2027, 2, 1), OTHER),
            (DAY, NOON, OTHER),
            (NOON, DAY, OTHER),
            (NOON, NOON, SAME),
            (NOON, THERE, SAME),
            (NOON, NOON + timedelta(microseconds=1), OTHER),
            (NAIVE, NOON, OTHER),
            (NOON, NAIVE, OTHER),
            # several values: any one of them
            (("new", "vip"), "vip", SAME),
            (("new", "vip"), "new", SAME),
            (("new", "vip"), "old", OTHER),
            (("new", "vip"), "ew", WITHIN),
            (("", None, "vip"), "vip", SAME),
            ((0, 7), 7, SAME),
            ((0,), 0, SAME),
            ((0,), 7, OTHER),
            # channels: their value alone
            (MAILS, "b@example.org", SAME),
            (MAILS, "ada@example.com", SAME),
            (MAILS, "example.org", WITHIN),
            (MAILS, "work", OTHER),
            (MAILS, Channel("b@example.org"), SAME),
            (MAILS, Channel("ada@example.com", "home"), SAME),
            (MAILS, Channel("example.org"), WITHIN),
            (MAILS, Channel("c@example.org"), OTHER),
            (Channel("+44 20"), "+44 20", SAME),
            (Channel("+44 20"), "+44", WITHIN),
            # whole values
            (Address(city="London"), Address(city="London"), SAME),
            (Address(city="London"), Address(city="Paris"), OTHER),
            (Address(city="London"), "London", OTHER),
            ((Product(name="Cog", price=1),), Product(name="Cog", price=1), SAME),
            (FrozenMap({"a": 1}), 1, OTHER),
            # what is empty compares with nothing
            (None, "x", NOTHING),
            ("", "x", NOTHING),
            (" \n", "x", NOTHING),
            ((), "x", NOTHING),
            (("", None, ()), "x", NOTHING),
            (Channel(" "), "x", NOTHING),
            ((Channel(""),), "x", NOTHING),
            (Address(), "x", NOTHING),
            (FrozenMap({}), "x", NOTHING),
            (None, 0, NOTHING),
            ((), False, NOTHING),
        ],
        ids=repr,
    )
    def test_every_sort_of_value(self, found: object, wanted: object, expected: str) -> None:
        """Each comparison says of each sort of value what the table says."""
        assert expected == holding(found, wanted, ALIKE)

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ("cold", True),
            ("hot", True),
            ("ho", False),
            ("warm", False),
            (None, False),
            ("", False),
            (("warm", "hot"), True),
            (("warm", "mild"), False),
            (Channel("hot"), True),
        ],
    )
    def test_in_several(self, found: object, expected: bool) -> None:
        """A value is in a list if the list has it whole; of several values one is enough."""
        where = Where("x", "in", ["cold", Channel("hot")])
        assert expected is where.holds({"x": found}.get)

    def test_in_nothing(self) -> None:
        """Nothing is in an empty list."""
        assert not Where("x", "in", []).holds({"x": "a"}.get)


class TestWhereOrders:
    """Less and greater: between values of one sort alone."""

    BELOW = "less less_or_equal"
    EVEN = "less_or_equal greater_or_equal"
    ABOVE = "greater greater_or_equal"
    NONE = ""

    @pytest.mark.parametrize(
        ("found", "wanted", "expected"),
        [
            (4, 5, BELOW),
            (5, 5, EVEN),
            (6, 5, ABOVE),
            (0, 1, BELOW),
            (0, 0, EVEN),
            (0, -1, ABOVE),
            (-1, 0, BELOW),
            (Decimal("4.99"), 5, BELOW),
            (Decimal("5.00"), 5, EVEN),
            (Decimal("5.01"), 5, ABOVE),
            (5, Decimal("5.01"), BELOW),
            (5, Decimal("5.0"), EVEN),
            (5, Decimal("4.99"), ABOVE),
            (Decimal("Infinity"), 5, ABOVE),
            (date(2027, 1, 30), DAY, BELOW),
            (DAY, DAY, EVEN),
            (date(2027, 2, 1), DAY, ABOVE),
            (NOON - timedelta(microseconds=1), NOON, BELOW),
            (THERE, NOON, EVEN),
            (NOON, THERE, EVEN),
            (NOON + timedelta(microseconds=1), THERE, ABOVE),
            # several values: any one of them
            ((4, 6), 5, f"{BELOW} {ABOVE}"),
            ((4, 3), 5, BELOW),
            ((None, 6), 5, ABOVE),
            # of two sorts, or no number
            (NAIVE, NOON, NONE),
            (NOON, NAIVE, NONE),
            (DAY, NOON, NONE),
            (NOON, DAY, NONE),
            ("4", 5, NONE),
            (4, "5", NONE),
            (MAILS, 5, NONE),
            (Address(city="London"), 5, NONE),
            (("four", 4), 5, BELOW),
            (Decimal("NaN"), 5, NONE),
            (Decimal("sNaN"), 5, NONE),
            # what is empty compares with nothing
            (None, 5, NONE),
            ("", 5, NONE),
            ((), 5, NONE),
            ((None, ""), 5, NONE),
        ],
        ids=repr,
    )
    def test_every_sort_of_value(self, found: object, wanted: object, expected: str) -> None:
        """Each comparison says of each sort of value what the table says."""
        assert expected.split() == holding(found, wanted, ORDERS).split()


class TestWhereOnRecords:
    RECORD = Lead(
        id="L-7",
        stage="NEW",
        emails=MAILS,
        amount=Decimal("0.00"),
        opened=False,
        tags=["new"],
        custom={"UF_COUNT": 0, "UF_DAY": DAY, "UF_HEAT": " ", "UF_COUNTS": [3, 9]},
    )

    @pytest.mark.parametrize(
        ("field", "comparison", "value", "expected"),
        [
            ("amount", "filled", None, True),
            ("amount", "less", 1, True),
            ("opened", "filled", None, True),
            ("opened", "equals", False, True),
            ("emails", "contains", "@example.com", True),
            ("phones", "empty", None, True),
            ("title", "empty", None, True),
            ("title", "contains", "engine", False),
            ("stage", "in", ["NEW", "OLD"], True),
            ("tags", "not_equals", "old", True),
            ("UF_COUNT", "filled", None, True),
            ("UF_COUNT", "equals", 0, True),
            ("UF_COUNTS", "greater", 8, True),
            ("UF_COUNTS", "in", [1, 3], True),
            ("UF_DAY", "less_or_equal", DAY, True),
            ("UF_HEAT", "empty", None, True),
            ("UF_AT", "empty", None, True),
            ("UF_AT", "greater", NOON, False),
        ],
    )
    def test_standard_and_custom_fields(
        self, field: str, comparison: str, value: object, expected: bool
    ) -> None:
        """A condition reads standard and custom fields alike; what is missing is empty."""
        where = Where(field, comparison, value)
        assert [] == told(where)
        assert expected is where.holds(lambda name: FIELDS.read(self.RECORD, name))


class TestWhereMistakes:
    def test_every_comparison(self) -> None:
        """Comparisons are a closed list."""
        assert [
            "equals", "not_equals", "in", "less", "less_or_equal", "greater", "greater_or_equal",
            "filled", "empty", "contains",
        ] == [one.value for one in Comparison]  # fmt: skip

    def test_an_unknown_comparison(self) -> None:
        """A comparison that does not exist comes with a guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Where("title", "eqals", "x")
        assert (
            "condition: there is no comparison 'eqals', did you mean 'equals'? (correct the name)"
        ) == str(caught.value)

    def test_a_value_that_could_change(self) -> None:
        """What is no plain value is refused."""
        with pytest.raises(TypeError, match="a set is no plain value"):
            Where("title", "in", {"a", "b"})

    @pytest.mark.parametrize("type_", list(FieldType))
    @pytest.mark.parametrize("comparison", ORDERS)
    def test_what_has_an_order(self, type_: FieldType, comparison: str) -> None:
        """Numbers, days and moments have an order, and nothing else has."""
        ordered: Mapping[FieldType, object] = {
            FieldType.INTEGER: 5,
            FieldType.DECIMAL: Decimal(5),
            FieldType.MONEY: 5,
            FieldType.DATE: DAY,
            FieldType.DATETIME: NOON,
        }
        more: dict[FieldType, dict[str, object]] = {
            FieldType.ENUMERATION: {"options": ["hot"]},
            FieldType.REFERENCE: {"to": "deal"},
        }
        make: Callable[..., Field] = Field
        kind = attrs.evolve(LEAD, custom=[make("UF_X", type_, **more.get(type_, {}))])
        why = f"a condition on UF_X cannot be: {type_.value} has no order (correct it)"
        expected = [] if type_ in ordered else [f"rule big: {why}"]
        where = Where("UF_X", comparison, ordered.get(type_, "x"))
        assert expected == [str(problem) for problem in where.mistakes(kind, "rule big")]

    @pytest.mark.parametrize(
        ("where", "why"),
        [
            (Where("title", "less", "M"), "title cannot be: text has no order"),
            (Where("emails", "greater", "a@b"), "emails cannot be: email has no order"),
            (Where("UF_FLAG", "less", value=True), "UF_FLAG cannot be: boolean has no order"),
            (Where("title", "filled", "x"), "title cannot be: filled takes no value"),
            (Where("title", "empty", value=False), "title cannot be: empty takes no value"),
            (Where("title", "in", "x"), "title cannot be: in takes a list"),
            (Where("title", "in"), "title cannot be: in takes a list"),
            (
                Where("tags", "equals", ["vip"]),
                "tags cannot be: equals takes one value, not a list",
            ),
            (
                Where("tags", "contains", []),
                "tags cannot be: contains takes one value, not a list",
            ),
            (
                Where("tags", "not_equals", ["a", "b"]),
                "tags cannot be: not_equals takes one value, not a list",
            ),
            (
                Where("amount", "greater_or_equal", [5]),
                "amount cannot be: greater_or_equal takes one value, not a list",
            ),
            (
                Where("amount", "equals", "5"),
                "amount cannot be: the value does not fit: wrong_type",
            ),
            (Where("amount", "less", 5.5), "amount cannot be: the value does not fit: wrong_type"),
            (
                Where("amount", "less", Decimal("NaN")),
                "amount cannot be: the value does not fit: not_finite",
            ),
            (
                Where("UF_COUNT", "equals", value=True),
                "UF_COUNT cannot be: the value does not fit: wrong_type",
            ),
            (
                Where("UF_COUNTS", "contains", "1"),
                "UF_COUNTS cannot be: the value does not fit: wrong_type",
            ),
            (
                Where("UF_FLAG", "equals", 1),
                "UF_FLAG cannot be: the value does not fit: wrong_type",
            ),
            (
                Where("UF_HEAT", "equals", "warm"),
                "UF_HEAT cannot be: the value does not fit: unknown_option",
            ),
            (
                Where("tags", "in", [["a", "b"]]),
                "tags cannot be: the value does not fit: several_values",
            ),
            (Where("UF_DAY", "less", NOON), "UF_DAY cannot be: the value does not fit: wrong_type"),
            (Where("UF_AT", "less", DAY), "UF_AT cannot be: the value does not fit: wrong_type"),
            (
                Where("UF_AT", "less", NAIVE),
                "UF_AT cannot be: the value does not fit: naive_moment",
            ),
        ],
        ids=str,
    )
    def test_what_cannot_be(self, where: Where, why: str) -> None:
        """A condition that could never hold as it is meant is refused, with the reason."""
        assert [f"rule big: a condition on {why} (correct it)"] == told(where)

    @pytest.mark.parametrize(
        "where",
        [
            Where("title", "equals"),
            Where("title", "not_equals", " "),
            Where("emails", "contains", Channel("")),
            Where("amount", "less"),
            Where("title", "in", []),
        ],
        ids=str,
    )
    def test_nothing_to_compare_with(self, where: Where) -> None:
        """What is empty compares with nothing, so no condition asks for it."""
        why = "an empty value compares with nothing; use filled or empty"
        name = where.field
        assert [f"rule big: a condition on {name} cannot be: {why} (correct it)"] == told(where)

    def test_all_values_of_a_list(self) -> None:
        """Every value of a list that cannot be is told."""
        assert [
            (
                "rule big: a condition on UF_HEAT cannot be: the value does not fit: unknown_option"
                " (correct it)"
            ),
            (
                "rule big: a condition on UF_HEAT cannot be: an empty value compares with nothing;"
                " use filled or empty (correct it)"
            ),
            (
                "rule big: a condition on UF_HEAT cannot be: the value does not fit: wrong_type"
                " (correct it)"
            ),
        ] == told(Where("UF_HEAT", "in", ["hot", "warm", "", 5]))

    @pytest.mark.parametrize(
        "where",
        [
            Where("amount", "equals", 5),
            Where("UF_RATE", "in", [5, Decimal("5.5")]),
            Where("UF_SHORT", "equals", "longer"),
            Where("UF_SHORT", "contains", "a"),
            Where("UF_COUNTS", "contains", 1),
            Where("UF_HEAT", "in", ["cold", "hot"]),
            Where("UF_FILE", "filled"),
            Where("UF_AT", "greater", THERE),
            Where("emails", "equals", Channel("a@b")),
            Where("address", "equals", Address(city="London")),
            Where("contact_ids", "contains", "C-3"),
            Where("opened", "equals", value=False),
        ],
        ids=str,
    )
    def test_what_can_be(self, where: Where) -> None:
        """A value of the field's type is right, in several fields one of them, and any length."""
        assert [] == told(where)

    def test_fields_of_another_kind(self) -> None:
        """What a field is called depends on the kind of the records."""
        where = Where("pipeline", "filled")
        assert ["rule big: there is no field of lead 'pipeline' (correct the name)"] == told(where)
        assert [] == list(where.mistakes(DEAL, "rule big"))
        assert where.holds(lambda name: DEAL.read(Deal(id="D-5", pipeline="0"), name))


class TestNested:
    YES, NO = Where("yes", "filled"), Where("no", "filled")

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (AllOf([YES]), True),
            (AllOf([NO]), False),
            (AllOf([YES, YES]), True),
            (AllOf([YES, NO]), False),
            (AllOf([NO, YES]), False),
            (AllOf([NO, NO]), False),
            (AnyOf([YES]), True),
            (AnyOf([NO]), False),
            (AnyOf([YES, YES]), True),
            (AnyOf([YES, NO]), True),
            (AnyOf([NO, YES]), True),
            (AnyOf([NO, NO]), False),
            (Not(YES), False),
            (Not(NO), True),
            (Not(Not(YES)), True),
            (Not(AllOf([YES, NO])), True),
            (Not(AnyOf([YES, NO])), False),
            (AllOf([AnyOf([NO, YES]), Not(NO)]), True),
            (AllOf([AnyOf([NO, NO]), Not(NO)]), False),
            (AnyOf([AllOf([YES, NO]), Not(AllOf([YES, YES]))]), False),
            (AnyOf([AllOf([YES, NO]), Not(AnyOf([NO, AllOf([NO])]))]), True),
        ],
    )
    def test_all_any_and_not(self, condition: Condition, expected: bool) -> None:
        """All, any and not mean what they say, one within the other."""
        assert expected is condition.holds({"yes": 1}.get)

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake within is told, in order, and what has nothing within is one."""
        condition = AllOf(
            [
                Where("titel", "filled"),
                AnyOf([Not(Where("amount", "less", "much")), Where("title", "equals", "x")]),
                Not(AllOf([])),
                AnyOf([]),
                Not(Not(Where("zzz", "empty"))),
            ]
        )
        within = "rule big: a condition on all or any cannot be: it has no conditions (correct it)"
        assert [
            (
                "rule big: there is no field of lead 'titel', did you mean 'title'?"
                " (correct the name)"
            ),
            (
                "rule big: a condition on amount cannot be: the value does not fit: wrong_type"
                " (correct it)"
            ),
            within,
            within,
            "rule big: there is no field of lead 'zzz' (correct the name)",
        ] == told(condition)

    @pytest.mark.parametrize("make", [AllOf, AnyOf, Not])
    @pytest.mark.parametrize(
        ("within", "name"), [("yes", "a str"), ([None], "None"), ([("a", "filled")], "a tuple")]
    )
    def test_something_else_within(
        self, make: Callable[..., object], within: object, name: str
    ) -> None:
        """What is no condition is refused where it is written."""
        name = "a list" if make is Not and isinstance(within, list) else name
        with pytest.raises(TypeError, match=f"a condition is needed here, not {name}"):
            make(within)

    def test_a_list_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no condition."""
        within: list[Condition] = [self.YES]
        values = ["a"]
        condition, where = AllOf(within), Where("x", "in", values)
        within.clear()
        values.clear()
        assert (self.YES,) == condition.all_of
        assert ("a",) == where.value


class TestTravels:
    @pytest.mark.parametrize(
        "condition",
        [
            Where("title", "filled"),
            Where("amount", "less", Decimal("5.00")),
            Where("opened", "equals", value=False),
            Where("UF_DAY", "in", [DAY, date(2027, 2, 1)]),
            Where("UF_AT", "greater", THERE),
            Where("emails", "equals", Channel("a@b", "work")),
            Where("address", "equals", Address(city="London")),
            Not(Where("title", "empty")),
            Not(Not(Where("title", "empty"))),
            AllOf([]),
            AllOf([Where("title", "filled"), AnyOf([Where("amount", "equals", 0)])]),
            AnyOf([AllOf([Not(Where("tags", "contains", "vip"))]), Where("tags", "empty")]),
        ],
        ids=str,
    )
    def test_comes_back_equal(self, condition: Condition) -> None:
        """A condition pickles, copies and goes through JSON into an equal one, hash and all."""
        codec = Codec(presets.bitrix24())
        text = json.dumps(codec.to_data(condition))
        for again in (
            pickle.loads(pickle.dumps(condition)),  # noqa: S301 - our own bytes
            copy.copy(condition),
            copy.deepcopy(condition),
            codec.from_data(json.loads(text), type(condition)),
        ):
            assert condition == again
            assert hash(condition) == hash(again)
            assert repr(condition) == repr(again)

    def test_plain_data(self) -> None:
        """A condition is data that a person can read and write."""
        condition = AllOf([Where("title", "filled"), Not(Where("amount", "less", Decimal(5)))])
        assert {
            "all_of": [
                {"field": "title", "comparison": "filled"},
                {
                    "negated": {
                        "field": "amount",
                        "comparison": "less",
                        "value": {"$decimal": "5"},
                    }
                },
            ]
        } == Codec(presets.bitrix24()).to_data(condition)

    def test_what_is_no_condition(self) -> None:
        """Data that is none is refused with its place."""
        codec = Codec(presets.bitrix24())
        with pytest.raises(ValueError, match=r"no such choice, .* @ \$\.all_of\[0\]\.comparison"):
            codec.from_data({"all_of": [{"field": "a", "comparison": "eqals"}]}, AllOf)
