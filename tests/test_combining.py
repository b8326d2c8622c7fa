"""Several fields into one, one field into several: templates, parts of an address, split names."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Actor,
    Address,
    Channel,
    Contact,
    ConversionResult,
    ConversionRules,
    Create,
    Field,
    FieldMapping,
    Known,
    Lead,
    Merge,
    Overflow,
    Pipeline,
    Plan,
    Policy,
    Product,
    Row,
    Stage,
    convert,
    plan,
)
from leadconvert.errors import DefinitionError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.templates import Template, shortened, worded
from leadconvert.transforms import TRANSFORMS


AT = datetime(2027, 1, 31, tzinfo=UTC)
ADA = Actor("u-7", roles=["sales"])
ADDRESS = Address(street="12 St James's Square", city="London", country_code="GB")
LONG = "Difference Engine No. 2"


def rules(*mappings: FieldMapping, **more: object) -> ConversionRules:
    """Rules with these mappings; a few custom fields are there to be mapped."""
    lead = attrs.evolve(
        LEAD,
        custom=[
            Field("UF_NAME", "text"),
            Field("UF_CITY", "text"),
            Field("UF_LAND", "text"),
            Field("UF_MANY", "text", multiple=True),
            Field("UF_DAY", "date"),
        ],
    )
    deal = attrs.evolve(
        DEAL,
        custom=[
            Field("UF_SHORT", "text", max_length=10),
            Field("UF_LIST", "text", max_length=3, multiple=True),
            Field("UF_ONE", "text"),
            Field("UF_NUMBER", "integer"),
        ],
    )
    parts: dict[str, object] = {
        "lead": lead,
        "kinds": [CONTACT, COMPANY, deal],
        "pipelines": [
            Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
            Pipeline("deals", "deal", ["NEW", Stage("WON", "success")]),
        ],
        "mappings": mappings,
        "policy": Policy.allow_all(),
    }
    return ConversionRules(**parts | more)  # type: ignore[arg-type]


def planned(into: str, lead: Lead, *mappings: FieldMapping) -> Plan:
    """Plan the conversion of *lead* into one kind."""
    return plan(lead, [into], rules=rules(*mappings), actor=ADA, at=AT)


def told(one: Plan | ConversionResult, *fields: str) -> list[tuple[str | None, str, str | None]]:
    """What the explanation says of fields of the lead."""
    return [(row.field, row.outcome, row.reason) for row in one.explain() if row.field in fields]


class TestTemplate:
    @pytest.mark.parametrize(
        ("text", "values", "expected"),
        [
            ("{a} - {b}", {"a": "x", "b": "y"}, "x - y"),
            ("{a} - {b}", {"a": "x"}, "x"),
            ("{a} - {b}", {"b": "y"}, "y"),
            ("{a} - {b}", {}, None),
            ("{a}, {b}; {c}", {"a": "x", "c": "z"}, "x; z"),
            ("Deal {a}", {"a": "x"}, "Deal x"),
            ("Deal {a}", {"a": "  "}, None),
            ("Deal {a} of {b}", {"b": "y"}, "y"),
            ("{a} ({b})", {"a": "x", "b": "y"}, "x (y)"),
            ("{a} ({b})", {"a": "x"}, "x"),
            ("{a}{b}", {"a": "x", "b": "y"}, "xy"),
            ("{a} {a}", {"a": "x"}, "x x"),
            ("{{{a}}} {{", {"a": "x"}, "{x} {"),
            ("{a}", {"a": 0}, "0"),
            ("{a}", {"a": False}, "false"),
            ("{a}", {"a": "{b}"}, "{b}"),
        ],
    )
    def test_what_stands_between(
        self, text: str, values: Mapping[str, object], expected: str | None
    ) -> None:
        """Text stands between two values, before the first place and after the last."""
        assert expected == Template(text).filled(values)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("{a", "a brace is left open; a brace itself is written twice"),
            ("a}", "a brace is left open; a brace itself is written twice"),
            ("{}", "a place is a field's name in braces, and nothing else"),
            ("{a!r}", "a place is a field's name in braces, and nothing else"),
            ("{a:>99}", "a place is a field's name in braces, and nothing else"),
            ("a", "it has no place for a field: write {title}"),
            ("", "it has no place for a field: write {title}"),
        ],
    )
    def test_what_cannot_be_read(self, text: str, why: str) -> None:
        """A template that is none says why; nothing in it is ever run or formatted."""
        with pytest.raises(ValueError, match=f"^{why}$".replace("{", r"\{").replace("}", r"\}")):
            Template(text)

    def test_its_fields(self) -> None:
        """Each field it names is told once, in the order of the text; a dot is part of a name."""
        assert ("b", "a.x") == Template("{b} {a.x} {b}").fields


class TestWorded:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("text", "text"),
            (7, "7"),
            (Decimal("5.00"), "5.00"),
            (Decimal("1E+3"), "1000"),
            (True, "true"),
            (date(2027, 1, 31), "2027-01-31"),
            (AT, "2027-01-31 00:00:00+00:00"),
            (Channel("ada@example.com", "work"), "ada@example.com"),
            (Product(name="Engine", price=5), "Engine"),
            (ADDRESS, "12 St James's Square, London, GB"),
            (("a", "", "b"), "a, b"),
        ],
    )
    def test_each_type(self, value: object, expected: str) -> None:
        """Each value is told plainly."""
        assert expected == worded(value)


class TestShortened:
    @pytest.mark.parametrize(
        ("text", "length", "expected"),
        [
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("ab cd", 3, "ab"),
            ("cafe\u0301s", 4, "caf"),
            ("a\U0001f468\u200d\U0001f469b", 2, "a"),
            ("a\U0001f468\u200d\U0001f469b", 3, "a"),
            ("a\U0001f44d\U0001f3fdb", 2, "a"),
            ("\u0301\u0301\u0301", 1, "\u0301"),
            ("   x", 2, "  "),
        ],
    )
    def test_where_it_is_cut(self, text: str, length: int, expected: str) -> None:
        """A letter keeps its accent, or goes with it, as joined signs do; blanks at the end go."""
        assert expected == shortened(text, length)


class TestNames:
    @pytest.mark.parametrize(
        ("full", "given", "family"),
        [
            ("Ada Lovelace", "Ada", "Lovelace"),
            ("Ada King Lovelace", "Ada King", "Lovelace"),
            ("Lovelace, Ada King", "Ada King", "Lovelace"),
            ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
            ("Otto von der Heide", "Otto", "von der Heide"),
            ("van Beethoven", "", "van Beethoven"),
            ("Lovelace", "", "Lovelace"),
            ("ada lovelace", "ada", "lovelace"),
            ("  Ada   Lovelace ", "Ada", "Lovelace"),
            ("", "", ""),
            (" , ", "", ","),
        ],
    )
    def test_split(self, full: str, given: str, family: str) -> None:
        """The family's name is the last word with what is small before it, or before a comma."""
        assert given == TRANSFORMS["given_name"](full)
        assert family == TRANSFORMS["family_name"](full)

    def test_split_by_the_engine(self) -> None:
        """One field of the lead fills two of the contact, and the explanation says how."""
        found = planned(
            "contact",
            Lead(id="L-7", stage="NEW", custom={"UF_NAME": "Ada Lovelace"}),
            FieldMapping("UF_NAME", "contact", "first_name", transform="given_name"),
            FieldMapping("UF_NAME", "contact", "last_name", transform="family_name"),
        )
        contact = found.result().contact
        assert ("Ada", "Lovelace") == (contact.first_name, contact.last_name)
        assert [("UF_NAME", "carried", "split")] * 2 == told(found, "UF_NAME")

    def test_joined_by_the_engine(self) -> None:
        """Two fields of the lead fill one, as a template says."""
        found = planned(
            "company",
            Lead(id="L-7", stage="NEW", first_name="Ada", last_name="Lovelace"),
            FieldMapping.joined("company", "name", "{first_name} {middle_name} {last_name}"),
        )
        assert "Ada Lovelace" == found.result().company.name
        expected = [
            (name, "company 1.name", "carried", mapping, "joined")
            for mapping in ["first_name and middle_name and last_name → company.name"]
            for name in ("first_name", "last_name")
        ]
        assert expected == [row for row in found.explain() if row.target == "company 1.name"]


class TestAddresses:
    def test_to_parts(self) -> None:
        """A part of an address fills a text."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", title="Engine", address=ADDRESS),
            FieldMapping("title", "deal"),
            FieldMapping("address", "deal", "UF_ONE", transform="city"),
        )
        assert "London" == found.result().deal.custom["UF_ONE"]
        assert [("address", "carried", "split")] == told(found, "address")

    def test_a_part_that_is_missing(self) -> None:
        """Where the address has no such part nothing is carried, and it is told."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", title="Engine", address=Address(city="London")),
            FieldMapping("title", "deal"),
            FieldMapping("address", "deal", "UF_ONE", transform="country"),
        )
        assert "UF_ONE" not in found.result().deal.custom
        assert [("address", "dropped", "transform_empty")] == told(found, "address")

    def test_of_what_is_no_address(self) -> None:
        """What is no address has no parts."""
        assert TRANSFORMS["city"]("London") is None

    def test_and_back(self) -> None:
        """Texts fill the parts of an address; what is empty leaves its part empty."""
        lead = Lead(id="L-7", stage="NEW", title="x", custom={"UF_CITY": "London", "UF_LAND": ""})
        found = planned(
            "company",
            lead,
            FieldMapping("title", "company", "name"),
            FieldMapping.gathered("company", "address", {"country": "UF_LAND", "city": "UF_CITY"}),
        )
        assert Address(city="London") == found.result().company.address
        assert [("UF_CITY", "carried", None)] == told(found, "UF_CITY", "UF_LAND")

    def test_back_from_nothing(self) -> None:
        """Where all of the texts are empty there is no address."""
        found = planned(
            "company",
            Lead(id="L-7", stage="NEW", title="x"),
            FieldMapping("title", "company", "name"),
            FieldMapping.gathered("company", "address", {"city": "UF_CITY"}),
        )
        assert found.result().company.address is None

    def test_in_the_order_of_an_address(self) -> None:
        """The sources of an address are told in the order of its parts."""
        mapping = FieldMapping.gathered("company", "address", {"country": "b", "street": "a"})
        assert ("a", "b") == mapping.sources


class TestWays:
    @pytest.mark.parametrize(
        ("transform", "value", "expected", "way"),
        [
            ("first", ("a", "b"), "a", "first"),
            ("first", ("a",), "a", None),
            ("join", ("a", "b"), "a, b", "joined"),
            ("join", ("a",), "a", None),
        ],
    )
    def test_several_into_one(
        self, transform: str, value: tuple[str, ...], expected: str, way: str | None
    ) -> None:
        """The first of many, or all in one text: the mapping says so, and so does the row."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_MANY": value}),
            FieldMapping("title", "deal"),
            FieldMapping("UF_MANY", "deal", "UF_ONE", transform=transform),
        )
        assert expected == found.result().deal.custom["UF_ONE"]
        assert [("UF_MANY", "carried", way)] == told(found, "UF_MANY")

    def test_several_inside_a_template(self) -> None:
        """Several values in one place are joined, and so is what they are carried as."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", custom={"UF_MANY": ("a", "b")}),
            FieldMapping.joined("deal", "title", "For {UF_MANY}"),
        )
        assert "For a, b" == found.result().deal.title
        assert [("UF_MANY", "carried", "joined")] == told(found, "UF_MANY")

    def test_a_template_through_a_transform_and_a_map(self) -> None:
        """What a template makes goes through the transform and the value map, as any value does."""
        mapping = FieldMapping(
            None, "deal", "title", template="{title}!", transform="upper", values={"A!": "B"}
        )
        found = planned("deal", Lead(id="L-7", stage="NEW", title="a"), mapping)
        assert "B" == found.result().deal.title

    def test_a_transform_that_raises(self) -> None:
        """It is a problem, told of the fields that went into it."""
        by = rules(
            FieldMapping(None, "deal", "title", template="{title}{UF_CITY}", transform="broken"),
            transforms={"broken": broken},
        )
        lead = Lead(id="L-7", stage="NEW", title="a", custom={"UF_CITY": "b"})
        found = plan(lead, ["deal"], rules=by, actor=ADA, at=AT)
        assert ["transform_failed"] == [one.code for one in found.problems]
        assert [
            ("title", "refused", "transform_failed"),
            ("UF_CITY", "refused", "transform_failed"),
        ] == told(found, "title", "UF_CITY")


def broken(value: object) -> object:
    """Fail, as a transform of a user's might."""
    raise LookupError(value)


class TestOverflow:
    def test_refused(self) -> None:
        """A text that is too long is a problem unless the mapping says otherwise."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", title=LONG),
            FieldMapping("title", "deal"),
            FieldMapping("title", "deal", "UF_SHORT"),
        )
        assert ["too_long"] == [one.code for one in found.problems]

    def test_shortened(self) -> None:
        """Shortened it is carried, and the row says so; what fits is carried as it is."""
        short = FieldMapping("title", "deal", "UF_SHORT", overflow="shorten")
        found = planned(
            "deal", Lead(id="L-7", stage="NEW", title=LONG), FieldMapping("title", "deal"), short
        )
        assert "Difference" == found.result().deal.custom["UF_SHORT"]
        assert [("title", "carried", None), ("title", "carried", "shortened")] == told(
            found, "title"
        )
        fits = planned("deal", Lead(id="L-7", stage="NEW", title="Engine"), short)
        assert [("title", "carried", None)] == told(fits, "title")

    def test_a_field_without_a_length(self) -> None:
        """There nothing is cut."""
        mapping = FieldMapping("title", "deal", overflow=Overflow.SHORTEN)
        found = planned("deal", Lead(id="L-7", stage="NEW", title=LONG), mapping)
        assert LONG == found.result().deal.title

    def test_each_of_several(self) -> None:
        """Of several texts each is cut by itself."""
        found = planned(
            "deal",
            Lead(id="L-7", stage="NEW", title="x", custom={"UF_MANY": ("abcd", "ab")}),
            FieldMapping("title", "deal"),
            FieldMapping("UF_MANY", "deal", "UF_LIST", overflow="shorten"),
        )
        assert ("abc", "ab") == found.result().deal.custom["UF_LIST"]

    def test_what_a_person_gives(self) -> None:
        """A value that is given is never cut: it is refused."""
        by = rules(
            FieldMapping("title", "deal"),
            FieldMapping("title", "deal", "UF_SHORT", overflow="shorten"),
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine")
        given = Create("deal", values={"UF_SHORT": LONG})
        found = plan(lead, [given], rules=by, actor=ADA, at=AT)
        assert ["too_long"] == [one.code for one in found.problems]


class TestMerging:
    def test_what_stands_there_stays(self) -> None:
        """A template fills what is empty, and leaves the rest; the row says what was not taken."""
        by = rules(FieldMapping.joined("contact", "comments", "{title}, {UF_CITY}"))
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_CITY": "London"})
        there = Contact(id="C-3", last_name="Lovelace", comments="old")
        result = convert(
            lead,
            [Merge("contact", "C-3")],
            rules=by,
            actor=ADA,
            at=AT,
            known=Known(records=[there]),
        )
        assert "old" == result.contact.comments
        mapping = "title and UF_CITY → contact.comments"
        assert [
            Row("title", "contact 1.comments", "unmerged", mapping, None),
            Row("UF_CITY", "contact 1.comments", "unmerged", mapping, None),
        ] == [row for row in result.explain() if row.field in {"title", "UF_CITY"}]


class TestMistakes:
    @pytest.mark.parametrize(
        ("made", "expected"),
        [
            (
                lambda: FieldMapping("title", "deal", "title", template="{title}"),
                (
                    "mapping title → deal.title: a mapping has a source and a template as well"
                    " (correct it)"
                ),
            ),
            (
                lambda: FieldMapping(None, "deal", "title", fallbacks=["x"], constant="y"),
                "mapping constant → deal.title: a mapping has fallbacks of no source (correct it)",
            ),
            (
                lambda: FieldMapping.gathered("company", "address", {"citi": "UF_CITY"}),
                (
                    "mapping parts → company.address: there is no part of an address 'citi',"
                    " did you mean 'city'? (correct the name)"
                ),
            ),
            (
                lambda: FieldMapping("title", "deal", overflow="cut"),
                "mapping: there is no choice 'cut' (choose among refuse, shorten)",
            ),
            (
                lambda: rules(FieldMapping.joined("deal", "amount", "{title}")),
                (
                    "mapping title → deal.amount: amount does not fit a template: it holds money"
                    " (choose a field of the same type)"
                ),
            ),
            (
                lambda: rules(FieldMapping.gathered("deal", "title", {"city": "UF_CITY"})),
                (
                    "mapping UF_CITY → deal.title: title does not fit parts of an address: it holds"
                    " text (choose a field of the same type)"
                ),
            ),
            (
                lambda: rules(FieldMapping.joined("deal", "title", "{titel}")),
                (
                    "mapping titel → deal.title: there is no field of lead 'titel', did you mean"
                    " 'title'? (correct the name)"
                ),
            ),
            (
                lambda: rules(
                    FieldMapping.joined("deal", "title", "{UF_CITY} {title}"),
                    FieldMapping.leave("title"),
                ),
                "mappings: title is mapped and left behind as well (keep one of the two)",
            ),
        ],
    )
    def test_each(self, made: object, expected: str) -> None:
        """What cannot be meant is told when it is written."""
        with pytest.raises(DefinitionError) as refused:
            made()  # type: ignore[operator]
        assert [expected] == [str(one) for one in refused.value.problems]

    def test_what_a_transform_makes(self) -> None:
        """Through a transform a template may fill a field of any type that refers to nothing."""
        by = rules(
            FieldMapping(None, "deal", "UF_NUMBER", template="{title}", transform="counted"),
            FieldMapping("title", "deal"),
            transforms={"counted": counted},
        )
        found = plan(Lead(id="L-7", stage="NEW", title="abc"), ["deal"], rules=by, actor=ADA, at=AT)
        assert 3 == found.result().deal.custom["UF_NUMBER"]


def counted(value: object) -> object:
    """Count the characters, as a transform of a user's might."""
    return len(str(value))
