"""Fields: what a value must be, and every mistake in a description at once."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from leadconvert import (
    Address,
    Channel,
    Field,
    Option,
    Product,
    errors,
)
from leadconvert.fields import MisfitError


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
NAIVE = datetime(2027, 1, 31)  # noqa: DTZ001 - a mistake under test


def told(caught: pytest.ExceptionInfo[errors.DefinitionError]) -> list[str]:
    """What the error says, mistake by mistake."""
    return [str(problem) for problem in caught.value.problems]


def misfit(field: Field, value: object) -> tuple[str, dict[str, object]]:
    """How *field* refuses *value*."""
    with pytest.raises(MisfitError) as caught:
        field.accept(value)
    return caught.value.code, dict(caught.value.params)


class TestAccept:
    @pytest.mark.parametrize(
        ("type_", "value", "expected"),
        [
            ("text", "a", "a"),
            ("text", "  ", "  "),
            ("integer", 0, 0),
            ("decimal", 5, Decimal(5)),
            ("decimal", Decimal("0.10"), Decimal("0.10")),
            ("money", 5000, Decimal(5000)),
            ("boolean", False, False),
            ("date", date(2027, 1, 31), date(2027, 1, 31)),
            ("datetime", AT, AT),
            ("url", "https://example.com", Channel("https://example.com")),
            ("email", Channel("a@example.com", "work"), Channel("a@example.com", "work")),
            ("phone", "+44", Channel("+44")),
            ("messenger", "@ada", Channel("@ada")),
            ("address", Address(city="London"), Address(city="London")),
            ("product", Product(name="a", price=1), Product(name="a", price=1)),
            ("file", "F-1", "F-1"),
            ("text", None, None),
            ("text", [], None),
            ("text", ["a"], "a"),
            ("text", [None], None),
        ],
    )
    def test_one_value(self, type_: str, value: object, expected: object) -> None:
        """What fits is brought into form, where nothing is lost by it."""
        actual = Field("x", type_).accept(value)
        assert expected == actual
        assert type(expected) is type(actual)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, ()),
            ([], ()),
            ("a", ("a",)),
            (["a", "b"], ("a", "b")),
            (["a", None, " ", "b"], ("a", "b")),
        ],
    )
    def test_several_values(self, value: object, expected: object) -> None:
        """A multiple field takes one value or several, and passes over empty ones."""
        assert expected == Field("x", "text", multiple=True).accept(value)

    @pytest.mark.parametrize(
        ("type_", "value", "given_type"),
        [
            ("text", 5, "int"),
            ("text", Channel("a"), "Channel"),
            ("text", {"a": 1}, "FrozenMap"),
            ("integer", "5", "str"),
            ("integer", True, "bool"),
            ("integer", 5.0, "float"),
            ("decimal", 0.1, "float"),
            ("money", 0.1, "float"),
            ("money", False, "bool"),
            ("money", "5", "str"),
            ("boolean", 1, "int"),
            ("boolean", "Y", "str"),
            ("date", AT, "datetime"),
            ("date", "2027-01-31", "str"),
            ("datetime", date(2027, 1, 31), "date"),
            ("email", 5, "int"),
            ("address", "London", "str"),
            ("product", "Engine", "str"),
            ("file", 5, "int"),
        ],
    )
    def test_another_type(self, type_: str, value: object, given_type: str) -> None:
        """A value of another type is refused; a bool is no int, and a datetime no date."""
        expected = ("wrong_type", {"expected": type_, "given": given_type})
        assert expected == misfit(Field("x", type_), value)

    @pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
    @pytest.mark.parametrize("type_", ["money", "decimal"])
    def test_numbers_without_end(self, type_: str, amount: str) -> None:
        """NaN and infinity are refused."""
        assert ("not_finite", {}) == misfit(Field("x", type_), Decimal(amount))

    def test_a_naive_moment(self) -> None:
        """A moment without a zone is refused."""
        assert ("naive_moment", {}) == misfit(Field("x", "datetime"), NAIVE)

    def test_a_text_over_its_length(self) -> None:
        """A text may be as long as allowed, and no longer; its value is not told."""
        field = Field("x", "text", max_length=3)
        assert "abc" == field.accept("abc")
        expected = ("too_long", {"max_length": 3, "length": 1_000_000})
        assert expected == misfit(field, "x" * 1_000_000)

    def test_options(self) -> None:
        """An enumeration takes the ids of its options, one or several."""
        heat = Field("heat", "enumeration", options=["cold", Option("hot", "Hot!")])
        many = Field("heat", "enumeration", options=["cold", "hot"], multiple=True)
        assert "hot" == heat.accept("hot")
        assert ("unknown_option", {"options": ("cold", "hot")}) == misfit(heat, "Hot!")
        assert ("hot", "cold") == many.accept(["hot", "cold"])
        assert ("unknown_option", {"options": ("cold", "hot")}) == misfit(many, ["hot", "warm"])

    def test_several_where_one_belongs(self) -> None:
        """Several values where one belongs are refused, not cut."""
        assert ("several_values", {"count": 2}) == misfit(Field("x", "text"), ["a", "b"])

    def test_a_set(self) -> None:
        """A set has no order and is no value at all."""
        with pytest.raises(TypeError, match="set is no plain value"):
            Field("x", "text", multiple=True).accept({"a", "b"})

    @pytest.mark.parametrize("text", ["\x00\x1b", "\u202eevil", "\ud800", "x" * 1_000_000])
    def test_strange_texts(self, text: str) -> None:
        """Any text fits a text field without a length."""
        assert text == Field("x", "text").accept(text)


class TestField:
    @pytest.mark.parametrize(
        ("id_", "label"),
        [("close_date", "Close date"), ("owner_id", "Owner"), ("UF_X", "UF X"), ("über", "Über")],
    )
    def test_the_label_is_made_from_the_id(self, id_: str, label: str) -> None:
        """Where no label is given, the id is made readable."""
        assert label == Field(id_, "text").label
        assert "Mine" == Field(id_, "text", label="Mine").label

    def test_a_default_cannot_change(self) -> None:
        """A default is frozen, and in no repr."""
        tags = ["secret"]
        field = Field("tags", "text", multiple=True, default=tags)
        tags.append("more")
        assert ("secret",) == field.default
        assert "secret" not in repr(field)

    def test_an_unknown_type(self) -> None:
        """An unknown type comes with a guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Field("x", "txt")
        assert [
            "field: there is no field type 'txt', did you mean 'text'? (correct the name)"
        ] == told(caught)

    def test_all_mistakes_at_once(self) -> None:
        """Everything misplaced is told, each by its name."""
        with pytest.raises(errors.DefinitionError) as caught:
            Field(
                " ",
                "integer",
                options=["a", "a"],
                to="deal",
                currency="currency",
                max_length=0,
                default="five",
            )
        assert [
            "field: a field needs an id that is not blank (give it one)",
            "field  : option 'a' stands twice (remove or rename one)",
            "field  : max_length must be 1 or more (correct it)",
            "field  : options says nothing about a field of type integer (leave it out)",
            "field  : to says nothing about a field of type integer (leave it out)",
            "field  : currency says nothing about a field of type integer (leave it out)",
            "field  : max_length says nothing about a field of type integer (leave it out)",
            "field  : the value does not fit: wrong_type (correct it)",
        ] == told(caught)

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (
                lambda: Field("x", "enumeration"),
                "field x: an enumeration needs options (give it options=[...])",
            ),
            (
                lambda: Field("x", "reference"),
                "field x: a reference needs the kind it points at (give it to='...')",
            ),
            (
                lambda: Field("x", "enumeration", options=["a"], default="b"),
                "field x: the value does not fit: unknown_option (correct it)",
            ),
            (
                lambda: Field("x", "text", max_length=2, default="abc"),
                "field x: the value does not fit: too_long (correct it)",
            ),
            (
                lambda: Field("x", "datetime", default=NAIVE),
                "field x: the value does not fit: naive_moment (correct it)",
            ),
        ],
    )
    def test_single_mistakes(self, make: Callable[[], Field], expected: str) -> None:
        """A mistake is told with its place and the way out."""
        with pytest.raises(errors.DefinitionError) as caught:
            make()
        assert [expected] == told(caught)

    def test_one_text_as_options(self) -> None:
        """One text where options belong is refused, so that no letter is an option."""
        loose: Callable[..., object] = Field
        with pytest.raises(TypeError, match="not one text"):
            loose("x", "enumeration", options="hot")


class TestFits:
    @pytest.mark.parametrize(
        ("target", "source", "expected"),
        [
            (Field("a", "text"), Field("b", "text"), True),
            (Field("a", "text"), Field("b", "integer"), False),
            (Field("a", "text", multiple=True), Field("b", "text"), True),
            (Field("a", "text"), Field("b", "text", multiple=True), False),
            (Field("a", "text", max_length=3), Field("b", "text", max_length=3), True),
            (Field("a", "text", max_length=3), Field("b", "text", max_length=4), False),
            (Field("a", "text", max_length=3), Field("b", "text"), False),
            (Field("a", "reference", to="x"), Field("b", "reference", to="x"), True),
            (Field("a", "reference", to="x"), Field("b", "reference", to="y"), False),
            (
                Field("a", "enumeration", options=["x", "y"]),
                Field("b", "enumeration", options=["y"]),
                True,
            ),
            (
                Field("a", "enumeration", options=["x"]),
                Field("b", "enumeration", options=["x", "y"]),
                False,
            ),
        ],
    )
    def test_every_value_can_be_carried(self, target: Field, source: Field, expected: bool) -> None:
        """A field fits where any value of the source can be carried unchanged."""
        assert expected is target.fits(source)
