"""Columns: what a table's columns say, what they cannot say, and what a cell is read as."""

import copy
import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import Channel, Column, Field, FrozenMap, presets
from leadconvert.cells import format_flaw
from leadconvert.columns import column_mistakes, filled_by, names_of
from leadconvert.errors import DefinitionError
from leadconvert.fields import FieldType, MisfitError
from leadconvert.kinds import LEAD


NUMBER = Column("No", "id")
TEXT = Field("a", "text")
DAY = Field("a", "date")
MOMENT = Field("a", "datetime")
WHOLE = Field("a", "integer")
MONEY = Field("a", "money")
HEAT = Field("a", "enumeration", options=["cold", "hot"])
MAILS = Field("a", "email", multiple=True)
KIND = attrs.evolve(
    LEAD,
    custom=[
        Field("UF_HEAT", "enumeration", options=["cold", "hot"]),
        Field("UF_SITES", "address", multiple=True),
        Field("UF_ON", "boolean"),
        Field("UF_SIZE", "integer"),
    ],
)


def why(column: Column, *others: Column) -> list[tuple[str, object]]:
    """Return the code of each mistake, and the most telling of its facts."""
    found = column_mistakes([NUMBER, column, *others], KIND)
    return [(one.code, one.params.get("why", one.params.get("what"))) for one in found]


class TestColumn:
    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"header": " ", "field": "title"}, ["its header is blank"]),
            ({"header": "A", "use": "work"}, ["it fills no field, yet says how"]),
            ({"header": "A", "decimal": ","}, ["it fills no field, yet says how"]),
            (
                {"header": None},
                ["it fills no field, yet says how", "it has neither a header nor a default"],
            ),
            (
                {"header": None, "field": "title", "default": " "},
                ["it has neither a header nor a default"],
            ),
            ({"header": "A", "field": "title", "prefix": "x"}, ["an id alone has a prefix"]),
            ({"header": "A", "field": "tags", "separator": ""}, ["its separator is empty"]),
            (
                {"header": "A", "field": "amount", "decimal": ";"},
                ["its decimal mark is neither a point nor a comma"],
            ),
            (
                {"header": "A", "field": "amount", "thousands": "0"},
                ["its thousands mark is none that is in use"],
            ),
            (
                {"header": "A", "field": "amount", "thousands": "."},
                ["its thousands mark is its decimal mark"],
            ),
            (
                {"header": "A", "field": "created_at", "zone": "Europe/Berln"},
                ["there is no time zone 'Europe/Berln'"],
            ),
            ({"header": "A", "field": "created_at", "zone": ""}, ["there is no time zone ''"]),
            (
                {"header": "A", "field": "created_at", "zone": "../etc"},
                ["there is no time zone '../etc'"],
            ),
            (
                {"header": "A", "field": "created_at", "zone": "Europe"},
                ["there is no time zone 'Europe'"],
            ),
        ],
    )
    def test_what_contradicts_itself(self, given: Mapping[str, str], told: list[str]) -> None:
        """A column that says nothing, or two things at once, is refused with all its flaws."""
        with pytest.raises(DefinitionError) as refused:
            Column(**given)  # type: ignore[arg-type]
        assert told == [problem.params["why"] for problem in refused.value.problems]

    def test_what_is_no_text(self) -> None:
        """What a cell means is told as text, whatever it is read as."""
        with pytest.raises(TypeError, match="told as text, not as bool"):
            Column("A", "UF_ON", values={"ja": True})  # type: ignore[dict-item]

    @pytest.mark.parametrize(
        ("column", "told"),
        [
            (Column("E-Mail", "emails"), "E-Mail → emails"),
            (Column.leave("Note"), "Note → nothing"),
            (Column.numbered("FAIR-"), "the number of the row → id"),
            (Column(None, "currency", default="EUR"), "every row → currency"),
        ],
    )
    def test_told(self, column: Column, told: str) -> None:
        """A column is told by where it comes from and where it goes."""
        assert told == str(column)

    def test_a_plain_value(self) -> None:
        """A column survives pickle and copy, and is hashable."""
        column = Column("Heat", "UF_HEAT", values={"heiß": "hot"})
        assert {column} == {pickle.loads(pickle.dumps(column)), copy.deepcopy(column)}  # noqa: S301
        assert FrozenMap({"heiß": "hot"}) == column.values


class TestMistakes:
    def test_no_columns(self) -> None:
        """Rules without columns have no mistake."""
        assert [] == list(column_mistakes([], KIND))

    def test_nothing_wrong(self) -> None:
        """All that a column can say, said where it belongs."""
        columns = [
            Column.numbered("F-"),
            Column("Status", "stage", values={"neu": "NEW"}, default="neu"),
            Column("Mail", "emails", use="work", separator=";"),
            Column("Mail 2", "emails", use="home"),
            Column("City", "address.city"),
            Column("Site", "UF_SITES.city"),
            Column("Born", "birth_date", format="%d.%m.%Y"),
            Column("Made", "created_at", format="%d.%m.%y %I:%M %p", zone="Europe/Berlin"),
            Column("Worth", "amount", decimal=",", thousands="."),
            Column("Size", "UF_SIZE", thousands=" "),
            Column("Hot?", "UF_HEAT", values={"heiß": "hot", "-": ""}),
            Column("Both", "tags", separator=",", values={"beide": "a,b"}),
            Column("Name", "title"),
            Column("Name", "company_name"),
            Column.leave("Note"),
        ]
        assert [] == list(column_mistakes(columns, KIND))

    @pytest.mark.parametrize(
        ("column", "told"),
        [
            (Column("A", "titel"), ("unknown", "field of lead")),
            (Column("A", "address.town"), ("unknown", "field of lead")),
            (Column("A", "title.city"), ("unknown", "field of lead")),
            (Column("A", "revision"), ("unknown", "field of lead")),
            (Column("A", "products"), ("bad_column", "product lines do not stand in a cell")),
            (
                Column("A", "address"),
                ("bad_column", "it does not say which part, as in address.city"),
            ),
            (Column("A", "title", use="work"), ("misplaced", "use")),
            (Column("A", "title", separator=","), ("misplaced", "separator")),
            (Column("A", "address.city", separator=","), ("misplaced", "separator")),
            (Column("A", "title", format="%Y"), ("misplaced", "format")),
            (Column("A", "birth_date", zone="UTC"), ("misplaced", "zone")),
            (Column("A", "title", decimal=","), ("misplaced", "decimal")),
            (Column("A", "title", thousands=","), ("misplaced", "thousands")),
            (Column("A", "birth_date", format="%d.%m."), ("bad_column", "its form says no year")),
            (Column("A", "UF_HEAT", values={"heiß": "warm"}), ("bad_default", "unknown_option")),
            (Column("A", "UF_HEAT", default="warm"), ("bad_default", "unknown_option")),
            (Column(None, "UF_ON", default="ja"), ("bad_default", "other_form")),
            (Column("No", "title"), None),
            (
                Column("A", "id"),
                ("bad_column", "two fill id, which holds one value"),
            ),
            (Column("No", "id"), ("duplicate", "column")),
        ],
    )
    def test_one_column(self, column: Column, told: tuple[str, str] | None) -> None:
        """What a lead does not have, or cannot hold, is told with the column."""
        assert ([] if told is None else [told]) == why(column)[:1]

    def test_the_likeliest_meant(self) -> None:
        """A name nearly right is told with the name that is."""
        [problem] = column_mistakes([NUMBER, Column("A", "address.cty")], KIND)
        assert "address.city" == problem.params["did_you_mean"]

    def test_a_form_of_moments(self) -> None:
        """A form that says no time zone needs one besides."""
        flaw = "nothing says the time zone: give it zone="
        assert [("bad_column", flaw)] == why(Column("A", "created_at", format="%Y-%m-%d"))
        assert [] == why(Column("A", "created_at", format="%Y-%m-%d %H:%M %z"))

    def test_two_columns(self) -> None:
        """A field that holds one value is filled once; a part of an address as well."""
        told = ("bad_column", "two fill title, which holds one value")
        assert [told] == why(Column("A", "title"), Column("B", "title"))
        told = ("bad_column", "two fill address.city, which holds one value")
        assert [told] == why(Column("A", "address.city"), Column("B", "address.city"))
        assert ["unknown", "unknown"] == [
            code for code, _ in why(Column("A", "titel"), Column("B", "titel"))
        ]

    def test_left_and_read(self) -> None:
        """A header is read or left unread."""
        assert [("decided_twice", None)] == why(Column.leave("A"), Column("A", "title"))

    def test_no_id(self) -> None:
        """Leads need ids; there is a way without a column of them."""
        [problem] = column_mistakes([Column("A", "title")], KIND)
        assert problem.params["why"] == (
            "none fills the id; name the one that does, or number the rows: prefix="
        )

    def test_rules(self) -> None:
        """Rules with such columns are refused when they are built."""
        with pytest.raises(DefinitionError, match="there is no field of lead 'titel'"):
            attrs.evolve(presets.bitrix24(), columns=[NUMBER, Column("A", "titel")])


class TestNames:
    def test_every_name_fills_something(self) -> None:
        """Each name that is offered is one that a column can use, each with its type."""
        names = names_of(KIND)
        assert len(names) == len(set(names))
        assert [] == [name for name in names if filled_by(name, KIND) is None]
        assert {"id", "title", "UF_HEAT", "address.postal_code", "UF_SITES.city"} <= set(names)
        assert {"products", "address", "revision"}.isdisjoint(names)


class TestRead:
    @pytest.mark.parametrize(
        ("column", "field", "text", "values"),
        [
            (Column("A", "a"), TEXT, " Ada\nLovelace ", ("Ada\nLovelace",)),
            (Column("A", "a"), TEXT, " \t\n", ()),
            (Column("A", "a"), DAY, "2027-01-31", (date(2027, 1, 31),)),
            (Column("A", "a", format="%d.%m.%Y"), DAY, "31.1.2027", (date(2027, 1, 31),)),
            (
                Column("A", "a"),
                MOMENT,
                "2027-01-31T12:00:00Z",
                (datetime(2027, 1, 31, 12, tzinfo=UTC),),
            ),
            (
                Column("A", "a", zone="Europe/Berlin"),
                MOMENT,
                "2027-07-31 12:00",
                (datetime(2027, 7, 31, 10, tzinfo=UTC),),
            ),
            (
                Column("A", "a", zone="Europe/Berlin"),
                MOMENT,
                "2027-07-31 12:00+00:00",
                (datetime(2027, 7, 31, 12, tzinfo=UTC),),
            ),
            (
                Column("A", "a", zone="Europe/Berlin"),
                MOMENT,
                "2027-10-31 02:30",
                (datetime(2027, 10, 31, 0, 30, tzinfo=UTC),),
            ),
            (Column("A", "a"), MONEY, "1234.50", (Decimal("1234.50"),)),
            (Column("A", "a"), MONEY, "-0", (Decimal("-0"),)),
            (Column("A", "a", decimal=","), MONEY, "+5,5", (Decimal("5.5"),)),
            (
                Column("A", "a", decimal=",", thousands="."),
                MONEY,
                "1.234.567,50",
                (Decimal("1234567.50"),),
            ),
            (Column("A", "a", thousands=","), MONEY, "1234,567", None),
            (Column("A", "a", thousands=","), MONEY, "1234567", (Decimal(1234567),)),
            (Column("A", "a", thousands=" "), MONEY, "1\u202f234", (Decimal(1234),)),
            (Column("A", "a", thousands="\u00a0"), WHOLE, "1 234", (1234,)),
            (Column("A", "a", thousands="'"), WHOLE, "12'345", (12345,)),
            (Column("A", "a", decimal=",", thousands="."), WHOLE, "12.345", (12345,)),
            (Column("A", "a"), WHOLE, "007", (7,)),
            (Column("A", "a"), Field("a", "boolean"), "true", (True,)),
            (Column("A", "a", values={"nein": "false"}), Field("a", "boolean"), "nein", (False,)),
            (Column("A", "a"), HEAT, "hot", ("hot",)),
            (Column("A", "a", values={"heiß": "hot"}), HEAT, "heiß", ("hot",)),
            (Column("A", "a", values={"-": ""}), HEAT, "-", ()),
            (Column("A", "a", default="cold"), HEAT, " ", ("cold",)),
            (Column("A", "a", default="cold"), HEAT, "hot", ("hot",)),
            (Column("A", "id", prefix="OLD-"), TEXT, "7", ("OLD-7",)),
            (Column("A", "a", use="work"), MAILS, "a@b", (Channel("a@b", "work"),)),
            (
                Column("A", "a", separator=";"),
                MAILS,
                "a@b; c@d;;",
                (Channel("a@b"), Channel("c@d")),
            ),
        ],
    )
    def test_what_a_cell_holds(
        self, column: Column, field: Field, text: str, values: tuple[object, ...] | None
    ) -> None:
        """Each type is read as the column says, and nothing is guessed."""
        if values is None:
            with pytest.raises(MisfitError):
                column.read(text, field)
        else:
            assert values == column.read(text, field)
            assert list(map(type, values)) == list(map(type, column.read(text, field)))

    @pytest.mark.parametrize(
        ("column", "field", "text", "expected"),
        [
            (Column("A", "a"), DAY, "31.01.2027", "a date such as 2027-01-31"),
            (Column("A", "a", format="%d.%m.%y"), DAY, "x", "a date such as 23.11.27"),
            (Column("A", "a", format="%d.%m.%Y"), DAY, "31.02.2027", "a date such as 23.11.2027"),
            (Column("A", "a"), MOMENT, "x", "a moment such as 2027-01-31T12:00:00+00:00"),
            (Column("A", "a"), MOMENT, "2027-01-31 12:00", "a moment that says its time zone"),
            (
                Column("A", "a", format="%d.%m.%Y %H:%M", zone="UTC"),
                MOMENT,
                "23.11.2027",
                "a moment such as 23.11.2027 17:45",
            ),
            (Column("A", "a"), WHOLE, "1.0", "a whole number such as 1200"),
            (Column("A", "a"), WHOLE, "9" * 5000, "a whole number such as 1200"),
            (Column("A", "a"), WHOLE, "٣", "a whole number such as 1200"),
            (Column("A", "a"), MONEY, "1,5", "a number such as 1234.50"),
            (Column("A", "a"), MONEY, "1e5", "a number such as 1234.50"),
            (Column("A", "a"), MONEY, "NaN", "a number such as 1234.50"),
            (Column("A", "a"), MONEY, "5.", "a number such as 1234.50"),
            (
                Column("A", "a", decimal=",", thousands="."),
                MONEY,
                "1.23,5",
                "a number such as 1.234,50",
            ),
            (Column("A", "a"), Field("a", "boolean"), "True", "true or false"),
        ],
    )
    def test_what_is_refused(self, column: Column, field: Field, text: str, expected: str) -> None:
        """A cell that is read otherwise is refused, and told what it should be, not what it is."""
        with pytest.raises(MisfitError) as refused:
            column.read(text, field)
        assert ("other_form", {"expected": expected}) == (
            refused.value.code,
            dict(refused.value.params),
        )

    def test_what_the_field_refuses(self) -> None:
        """Options and lengths are the field's to check; a label is no option."""
        labelled = attrs.evolve(HEAT, options=[attrs.evolve(HEAT.options[1], label="Heiß")])
        for field, text, code in (
            (labelled, "Heiß", "unknown_option"),
            (Field("a", "text", max_length=3), "long", "too_long"),
        ):
            with pytest.raises(MisfitError) as refused:
                Column("A", "a").read(text, field)
            assert code == refused.value.code

    @pytest.mark.parametrize("type_", list(FieldType))
    def test_every_type(self, type_: FieldType) -> None:
        """A cell of any type is empty where it is blank."""
        facts: dict[str, object] = {"options": ["a"]} if type_ == "enumeration" else {}
        facts |= {"to": "contact"} if type_ == "reference" else {}
        assert () == Column("A", "a").read("", Field("a", type_, **facts))  # type: ignore[arg-type]


class TestForms:
    @pytest.mark.parametrize(
        ("form", "timed", "zoned", "flaw"),
        [
            ("%d.%m.%Y", False, False, None),
            ("%Y%m%d", False, False, None),
            ("%d.%m.", False, False, "its form says no year"),
            ("%m/%Y", False, False, "its form does not say the whole date"),
            ("%Y-%m-%d %Q", False, False, "its form is none that strptime knows"),
            ("%Y-%m-%d %I:%M", False, False, None),
            (
                "%Y-%m-%d %I:%M",
                True,
                True,
                "its form does not say whether the hour is before or after noon",
            ),
            ("%Y-%m-%d", True, True, None),
            ("%Y-%m-%d %H:%M", True, False, "nothing says the time zone: give it zone="),
            ("%Y-%m-%d %H:%M%z", True, False, None),
        ],
    )
    def test_flaws(self, form: str, timed: bool, zoned: bool, flaw: str | None) -> None:
        """A form says the whole date, and of a moment the hour and the zone."""
        assert flaw == format_flaw(form, timed=timed, zoned=zoned)
