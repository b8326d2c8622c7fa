"""Kinds: what a class says of its fields, what a description adds, and every mistake at once."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Address,
    Deal,
    Field,
    FieldType,
    FrozenMap,
    GenericRecord,
    Kind,
    Lead,
    Product,
    Record,
    errors,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


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
