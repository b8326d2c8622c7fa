"""Fields and kinds: what a value must be, what a class says, and every mistake at once."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Address,
    Channel,
    Deal,
    Field,
    FieldType,
    FrozenMap,
    GenericRecord,
    Kind,
    Lead,
    Option,
    Product,
    Record,
    errors,
)
from leadconvert.fields import MisfitError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
NAIVE = datetime(2027, 1, 31)  # noqa: DTZ001 - a mistake under test
BACK = Field("converted_from", "reference", to="lead", multiple=True)


@attrs.frozen(kw_only=True)
class Project:
    """A record class of a user's own, with an attribute of every derived type."""

    id: str
    revision: str | None = None
    name: str
    size: int | None = None
    cost: Decimal | None = None
    done: bool = False
    begin: date | None = None
    met: datetime | None = None
    place: Address | None = None
    parts: tuple[Product, ...] = ()
    tags: tuple[str, ...] = attrs.field(factory=tuple)
    priority: int = 0
    _team: str | None = None
    note: str | int = ""
    seen: str = attrs.field(init=False, default="")
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


@attrs.frozen(kw_only=True)
class Nameless:
    """A class that lacks what every record has."""

    name: str


class Unmade:
    """A class that is not of attrs."""


@attrs.frozen(kw_only=True)
class Riddle:
    """A class with attributes whose types do not say what they are."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)
    either: int | str
    several: list[str]
    pair: tuple[str, str]
    harmless: object = None


@attrs.frozen(kw_only=True)
class Misjudged:
    """A class whose own default does not fit."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)
    size: int = True


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


class TestKind:
    def test_fields_of_a_class(self) -> None:
        """The attributes of a class are its fields, as their types say."""
        kind = Kind("project", Project, fields=[BACK])
        expected = [
            ("name", FieldType.TEXT, False, True),
            ("size", FieldType.INTEGER, False, False),
            ("cost", FieldType.DECIMAL, False, False),
            ("done", FieldType.BOOLEAN, False, False),
            ("begin", FieldType.DATE, False, False),
            ("met", FieldType.DATETIME, False, False),
            ("place", FieldType.ADDRESS, False, False),
            ("parts", FieldType.PRODUCT, True, False),
            ("tags", FieldType.TEXT, True, False),
            ("priority", FieldType.INTEGER, False, False),
            ("_team", FieldType.TEXT, False, False),
            ("converted_from", FieldType.REFERENCE, True, False),
        ]
        assert expected == [
            (field.id, field.type, field.multiple, field.required)
            for field in kind.members.values()
        ]
        assert 0 == kind.members["priority"].default
        assert False is kind.members["done"].default
        assert kind.members["tags"].default is None
        assert kind.members["parts"].default is None
        assert "Project" == kind.label

    def test_reading_and_building(self) -> None:
        """What is built is read back, attributes and custom fields alike."""
        kind = Kind("project", Project, fields=[BACK], custom=[Field("UF_X", "text")])
        record = kind.build("P-1", {"name": "Engine", "_team": "blue", "UF_X": "x"})
        assert record == Project(id="P-1", name="Engine", team="blue", custom={"UF_X": "x"})
        assert "Engine" == kind.read(record, "name")
        assert "blue" == kind.read(record, "_team")
        assert "x" == kind.read(record, "UF_X")
        assert kind.read(record, "UF_Y") is None
        assert kind.read(record, None) is None

    def test_a_kind_of_fields_alone(self) -> None:
        """Without a class the records are generic and hold everything in custom."""
        kind = Kind("sales_order", fields=[BACK], custom=[Field("number", "text")])
        record = kind.build("I-1", {"number": "7"})
        assert record == GenericRecord(kind="sales_order", id="I-1", custom={"number": "7"})
        assert "7" == kind.read(record, "number")
        assert kind.read(record, "kind") is None
        assert ["converted_from", "number"] == list(kind.members)
        assert "Sales order" == kind.label

    def test_references(self) -> None:
        """References point at other kinds; the pointer back at the lead is none of them."""
        assert ["contact_ids", "company_id"] == list(DEAL.references)
        assert ["company_id"] == list(CONTACT.references)
        assert [] == list(COMPANY.references)

    def test_the_standard_kinds(self) -> None:
        """The standard kinds know who owns them and where they stand."""
        assert ("owner_id", None, "stage", None) == (
            LEAD.owner,
            LEAD.pipeline,
            LEAD.stage,
            LEAD.converted_from,
        )
        assert ("pipeline", "stage", "converted_from") == (
            DEAL.pipeline,
            DEAL.stage,
            DEAL.converted_from,
        )
        assert (("last_name", "first_name"),) == CONTACT.any_of
        assert () == Kind("invoice", fields=[BACK], any_of=[[]]).any_of
        assert "currency" == DEAL.members["amount"].currency
        assert FieldType.MONEY is LEAD.members["amount"].type
        assert Deal(id="D-5", title="Engine") == DEAL.build("D-5", {"title": "Engine"})
        assert "NEW" == LEAD.read(Lead(id="L-7", stage="NEW"), "stage")

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of a kind is told, with its place and a guess."""
        with pytest.raises(errors.DefinitionError) as caught:
            Kind(
                " ",
                Project,
                fields=[Field("nmae", "text"), Field("name", "text"), Field("name", "text")],
                custom=[Field("size", "text"), Field("UF_A", "money", currency="curency")],
                owner="ownr",
                pipeline="pipeline",
                stage="stage",
                any_of=[("name", "title")],
            )
        assert [
            "kind: a kind needs an id that is not blank (give it one)",
            "kind  : field 'name' stands twice (remove or rename one)",
            "kind  : there is no field 'nmae', did you mean 'name'? (correct the name)",
            "kind  : 'size' is an attribute of the class (describe it in fields=, not in custom=)",
            "kind  : there is no field 'ownr' (correct the name)",
            "kind  : there is no field 'pipeline' (correct the name)",
            "kind  : there is no field 'stage', did you mean 'tags'? (correct the name)",
            "kind  : there is no field 'title' (correct the name)",
            "kind  : there is no field 'curency' (correct the name)",
        ] == told(caught)

    def test_a_field_in_fields_and_in_custom(self) -> None:
        """A field described twice is told once."""
        with pytest.raises(errors.DefinitionError) as caught:
            Kind("project", Project, fields=[BACK], custom=[BACK])
        assert ["kind project: field 'converted_from' stands twice (remove or rename one)"] == told(
            caught
        )

    @pytest.mark.parametrize(
        ("cls", "expected"),
        [
            (
                Nameless,
                [
                    "kind x: Nameless has no attribute 'id' (add it)",
                    "kind x: Nameless has no attribute 'revision' (add it)",
                    "kind x: Nameless has no attribute 'custom' (add it)",
                ],
            ),
            (Unmade, ["kind x: Unmade is no attrs class (decorate it with @attrs.frozen)"]),
            (
                Riddle,
                [
                    (
                        "kind x: nothing says what a value of 'either' is"
                        " (describe it with Field('either', ...))"
                    ),
                    (
                        "kind x: nothing says what a value of 'several' is"
                        " (describe it with Field('several', ...))"
                    ),
                    (
                        "kind x: nothing says what a value of 'pair' is"
                        " (describe it with Field('pair', ...))"
                    ),
                ],
            ),
            (Misjudged, ["field size: the value does not fit: wrong_type (correct it)"]),
        ],
    )
    def test_classes_that_will_not_do(self, cls: type[Record], expected: list[str]) -> None:
        """A class is told what it lacks; an attribute with a default may stay a riddle."""
        with pytest.raises(errors.DefinitionError) as caught:
            Kind("x", cls)
        assert expected == told(caught)

    def test_a_riddle_described(self) -> None:
        """A field may say what an attribute's type does not."""
        fields = [Field(name, "text", multiple=True) for name in ("either", "several", "pair")]
        kind = Kind("riddle", Riddle, fields=fields)
        assert ["either", "several", "pair"] == list(kind.members)

    def test_one_text_as_a_group(self) -> None:
        """A group of fields is a list, too."""
        loose: Callable[..., object] = Kind
        with pytest.raises(TypeError, match="not one text"):
            loose("x", any_of=["last_name"])
