"""Lint, code by code: what else is found, and what is not although it looks alike."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from lint_leads import shown
from test_lint import (
    ALL,
    BACK,
    HEAT,
    LEADS,
    NEVER,
    SALES,
    SERVICE,
    SHORT,
    STAGES,
    TEXT,
    TEXTS,
    UF,
    UFS,
    automated,
    dealing,
    heat,
    joined,
    matched,
    needing,
    one,
    owned,
    permitted,
    robot,
    ruled,
    staged,
    told,
)

from leadconvert import (
    Actor,
    Address,
    AllOf,
    AnyOf,
    Automation,
    AutomationRule,
    Condition,
    Create,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Lead,
    Leftovers,
    Limit,
    MatchRule,
    Merge,
    Not,
    OwnerRule,
    Pipeline,
    Policy,
    Required,
    Role,
    Severity,
    Stage,
    Where,
    WithoutLeads,
    errors,
    lint,
    testing,
)
from leadconvert.holding import can_hold
from leadconvert.idling import covered
from leadconvert.kinds import LEAD


INVOICE: Final = Field("UF_INVOICE", "enumeration", options=["yes", "no"])


WON: Final = attrs.evolve(heat("new", "won"), id="UF_S")
PARTS: Final = [part.name for part in attrs.fields(Address)]


def plain(name: str) -> Field:
    """Return a text field."""
    return Field(name, "text")


def shout(value: object) -> object:
    """Stand for a transform of the host's own."""
    return f"{value}!"


class TestUnmapped:
    @pytest.mark.parametrize(
        ("losses", "severity"),
        [("lenient", "note"), ("report", "warning"), ("strict", "error")],
    )
    def test_the_loss_policy_says_how_severe_it_is(self, losses: str, severity: str) -> None:
        """Where drops are refused it is an error, where nobody minds a note."""
        [finding] = lint(ruled(unmapped=["tags"], losses=losses))
        assert ("unmapped", severity) == (finding.code, finding.severity)

    def test_leftovers_keep_it(self) -> None:
        """What reaches nothing is kept there, so nothing is lost."""
        rules = ruled(unmapped=["tags"], thing=[TEXT], leftovers=[Leftovers("thing", "note")])
        assert [] == told(rules)

    @pytest.mark.parametrize("field", [None, "note"])
    def test_leftovers_show_what_is_sensitive(self, field: str | None) -> None:
        """A sensitive field that is kept with the rest is shown to everybody."""
        secret = attrs.evolve(UF, sensitive=True)
        kept = Leftovers("thing", field)
        rules = ruled(lead=[secret], thing=[TEXT], unmapped=["UF_X"], leftovers=[kept])
        assert [("exposed", str(kept))] == told(rules)

    def test_leftovers_in_a_sensitive_field_show_nothing(self) -> None:
        """There the sensitive field stays among those who may see it."""
        secret, note = attrs.evolve(UF, sensitive=True), attrs.evolve(TEXT, sensitive=True)
        kept = Leftovers("thing", "note")
        rules = ruled(lead=[secret], thing=[note], unmapped=["UF_X"], leftovers=[kept])
        assert [] == told(rules)


class TestLossy:
    def test_what_is_taken_whole_elsewhere_is_not_lost(self) -> None:
        """The first of several is enough where another mapping takes them all."""
        rules = ruled(
            FieldMapping("UF_X", "thing", "note", transform="first"),
            FieldMapping("UF_X", "thing", "notes"),
            lead=[UFS],
            thing=[TEXT, TEXTS],
        )
        assert [] == told(rules)

    def test_a_fallback_takes_nothing_while_it_is_not_needed(self) -> None:
        """Whoever is only a fallback for it does not take it whole."""
        rules = ruled(
            FieldMapping("UF_X", "thing", "note", transform="first"),
            FieldMapping("tags", "thing", "notes", fallbacks=["UF_X"]),
            lead=[UFS],
            thing=[TEXT, TEXTS],
        )
        [finding] = lint(rules)
        assert ("first_only", "mapping UF_X → thing.note by first") == (finding.code, finding.place)
        assert None is not shown(finding, rules)

    def test_every_part_of_an_address_is_the_whole(self) -> None:
        """An address that is split into all its parts is not lost; into fewer it is."""
        every = [FieldMapping("address", "thing", part, transform=part) for part in PARTS]
        fields = list(map(plain, PARTS))
        assert [] == told(ruled(*every, thing=fields))
        found = lint(ruled(*every[1:], thing=fields))
        assert {"part_only"} == {finding.code for finding in found}
        assert tuple(sorted(PARTS[1:])) == found[0].params["taken"]

    @pytest.mark.parametrize(
        ("source", "loses"),
        [
            (heat("very hot", "cold"), True),
            (HEAT, False),
            (Field("UF_X", "datetime"), True),
            (Field("UF_X", "date"), False),
            (Field("UF_X", "integer"), False),
        ],
    )
    def test_what_has_no_parts_is_not_split(self, source: Field, loses: bool) -> None:
        """Of what is one word the family name is all."""
        rules = one(source, TEXT, "family_name")
        assert (["part_only"] if loses else []) == [code for code, _ in told(rules)]
        assert all(shown(finding, rules) is not None for finding in lint(rules))

    def test_a_part_of_a_template(self) -> None:
        """Of several fields in a text one may be the part that is not taken."""
        lead = [Field("UF_A", "date"), Field("UF_B", "date")]
        both, one = ["part_only"] * 2, ["part_only"]
        for text, codes in (("{UF_A} {UF_B}", both), ("{UF_A}", []), ("{UF_A} x", one)):
            mapping = FieldMapping(None, "thing", "note", template=text, transform="family_name")
            rules = ruled(mapping, lead=lead, thing=[TEXT])
            assert codes == [code for code, _ in told(rules)]

    @pytest.mark.parametrize(
        ("source", "transform", "codes"),
        [
            (Field("UF_X", "integer"), "given_name", ["part_only"]),
            (Field("UF_X", "integer"), "family_name", []),
            (Field("UF_X", "enumeration", options=["hot"]), "given_name", ["part_only"]),
            (Field("UF_X", "enumeration", options=["hot"]), "family_name", []),
            (Field("UF_X", "enumeration", options=["so hot"]), "family_name", ["part_only"]),
        ],
    )
    def test_a_single_word(self, source: Field, transform: str, codes: list[str]) -> None:
        """Of a single word all is the family's name, and nothing is left for the given one."""
        mapping = FieldMapping("UF_X", "thing", "note", transform=transform)
        rules = ruled(mapping, lead=[source], thing=[TEXT])
        assert codes == [code for code, _ in told(rules)]

    def test_several_in_a_template(self) -> None:
        """Several values in one text are several words."""
        many = Field("UF_X", "date", multiple=True)
        mapping = FieldMapping(None, "thing", "note", template="{UF_X}", transform="family_name")
        rules = ruled(mapping, lead=[many], thing=[TEXT])
        assert ["part_only"] == [code for code, _ in told(rules)]

    def test_product_lines_in_a_template(self) -> None:
        """A template tells products by their names alone."""
        rules = ruled(FieldMapping.joined("thing", "note", "{products}"), thing=[TEXT])
        assert [("as_text", "mapping products → thing.note")] == told(rules)


class TestMisfits:
    def test_a_function_of_ones_own_is_trusted(self) -> None:
        """What it gives is not known, so nothing is said of it."""
        rules = one(UFS, Field("count", "integer"))
        [mapping, *rest] = rules.mappings
        own = attrs.evolve(mapping, transform="shout")
        rules = attrs.evolve(rules, mappings=[own, *rest], transforms={"shout": shout})
        assert [] == told(rules)

    @pytest.mark.parametrize(
        ("source", "target"),
        [
            (Field("UF_X", "integer"), Field("a", "money")),
            (Field("UF_X", "text"), Field("a", "email")),
            (Field("UF_X", "email", multiple=True), Field("a", "phone", multiple=True)),
            (HEAT, Field("a", "text")),
            (Field("UF_X", "file"), Field("a", "text")),
            (Field("UF_X", "reference", to="thing"), Field("a", "text")),
            (Field("UF_X", "text"), Field("a", "text", multiple=True)),
        ],
    )
    def test_what_is_brought_into_form_without_loss_fits(
        self, source: Field, target: Field
    ) -> None:
        """What the field itself accepts is no finding."""
        assert [] == told(one(source, target))

    @pytest.mark.parametrize(
        ("source", "target"),
        [
            (Field("UF_X", "boolean"), Field("a", "integer")),
            (Field("UF_X", "datetime"), Field("a", "date")),
            (Field("UF_X", "decimal"), Field("a", "integer")),
            (Field("UF_X", "email"), Field("a", "text")),
            (Field("UF_X", "integer"), Field("a", "text")),
            (HEAT, Field("a", "boolean")),
        ],
    )
    def test_other_types_do_not_fit(self, source: Field, target: Field) -> None:
        """A lookalike is no such type, and nothing is turned without a transform."""
        rules = one(source, target)
        [finding] = lint(rules)
        assert ("wrong_type", Severity.ERROR) == (finding.code, finding.severity)
        assert None is not shown(finding, rules)

    def test_a_choice_may_be_mapped_to_anything(self) -> None:
        """Where the value map says something of each option, that is what must fit."""
        paid = Field("paid", "boolean")
        assert [] == told(one(INVOICE, paid, values={"yes": True, "no": False}))
        assert ["wrong_type"] == [
            code for code, _ in told(one(INVOICE, paid, values={"yes": True, "no": "no"}))
        ]

    def test_several_are_mapped_one_by_one(self) -> None:
        """Each of several values goes through the value map, and must fit by itself."""
        many = attrs.evolve(INVOICE, multiple=True)
        flags = Field("flags", "boolean", multiple=True)
        assert [] == told(one(many, flags, values={"yes": True, "no": False}))
        lists = {"yes": [True, False], "no": [True]}
        assert ["wrong_type"] == [code for code, _ in told(one(many, flags, values=lists))]
        assert [] == told(one(INVOICE, flags, values=lists))
        usual = attrs.evolve(flags, default=[True, False])
        assert [] == told(one(many, usual, values={"yes": True, "no": False}))

    def test_a_list_for_one_value_does_not_fit(self) -> None:
        """A value map must not make several where one belongs."""
        rules = one(INVOICE, TEXT, values={"yes": ["a", "b"]})
        assert ["wrong_type"] == [code for code, _ in told(rules)]

    def test_lengths_of_options(self) -> None:
        """An option is as long as its id, or what it is mapped to."""
        assert [] == told(one(HEAT, SHORT))
        assert [] == told(one(heat("scorching"), SHORT, values={"scorching": "hot"}))
        assert [] == told(one(heat("scorching"), SHORT, overflow="shorten"))
        assert ["too_long"] == [code for code, _ in told(one(heat("scorching"), SHORT))]

    @pytest.mark.parametrize(
        ("length", "transform", "fits"),
        [
            (5, None, True),
            (6, None, False),
            (5, "strip", True),
            (1, "upper", True),
            (2, "upper", False),
            (2, "lower", True),
            (3, "lower", False),
            (6, "given_name", True),
            (7, "given_name", False),
            (6, "family_name", False),
        ],
    )
    def test_lengths_of_texts(self, length: int, transform: str | None, fits: bool) -> None:
        """Letters may become two or three when they are written large or small."""
        source = Field("UF_X", "text", max_length=length)
        rules = one(source, SHORT, transform)
        found = [finding for finding in lint(rules) if finding.code != "part_only"]
        assert ([] if fits else ["too_long"]) == [finding.code for finding in found]
        assert all(shown(finding, rules) is not None for finding in found)

    @pytest.mark.parametrize(
        ("source", "length"),
        [
            (Field("UF_X", "boolean"), 5),
            (Field("UF_X", "date"), 10),
            (Field("UF_X", "datetime"), 42),
            (HEAT, 4),
            (Field("UF_X", "text", max_length=7), 7),
        ],
    )
    def test_lengths_of_what_is_told_as_text(self, source: Field, length: int) -> None:
        """What has a longest form fits where that does."""
        fits = one(source, Field("note", "text", max_length=length), "join")
        assert [] == told(fits)
        short = one(source, Field("note", "text", max_length=length - 1), "join")
        [finding] = lint(short)
        assert "too_long" == finding.code
        assert None is not shown(finding, short)

    def test_lengths_of_templates(self) -> None:
        """A template is as long as all its places and what stands between."""
        assert [] == told(joined("{UF_SHORT}-{UF_SHORT}", attrs.evolve(SHORT, max_length=11)))
        rules = joined("{UF_SHORT}-{UF_SHORT}", attrs.evolve(SHORT, max_length=10))
        [finding] = lint(rules)
        assert "too_long" == finding.code
        assert None is not shown(finding, rules)
        assert ["too_long"] == [code for code, _ in told(joined("{UF_X}", SHORT))]

    def test_the_shortest_text_of_a_template(self) -> None:
        """What stands between two places is not needed where one is empty."""
        rules = joined("{UF_X} and of {UF_SHORT}", SHORT, overflow="shorten")
        assert [] == told(rules)
        assert [] == told(joined("{UF_X} of!", SHORT, overflow="shorten"))
        rules = joined("{UF_X} and of", SHORT, overflow="shorten")
        assert ["always_too_long"] == [code for code, _ in told(rules)]

    def test_an_address_of_parts(self) -> None:
        """It fits an address."""
        mapping = FieldMapping.gathered("thing", "place", {"city": "UF_X"})
        assert [] == told(ruled(mapping, lead=[UF], thing=[Field("place", "address")]))

    @pytest.mark.parametrize(
        ("source", "transform"),
        [
            (Field("UF_X", "email"), "lower"),
            (Field("UF_X", "address"), "upper"),
            (Field("UF_X", "product"), "strip"),
            (Field("UF_X", "text", multiple=True), "given_name"),
            (Field("UF_X", "text"), "city"),
            (Field("UF_X", "address", multiple=True), "city"),
        ],
    )
    def test_transforms_that_do_not_fit(self, source: Field, transform: str) -> None:
        """They would write a value as Python does, or make nothing of it."""
        rules = one(source, TEXT, transform)
        [finding] = lint(rules)
        assert ("bad_transform", Severity.ERROR) == (finding.code, finding.severity)
        assert None is not shown(finding, rules)

    def test_the_value_map_of_no_texts(self) -> None:
        """A value map speaks of texts; of anything else it never says anything."""
        rules = one(Field("UF_X", "integer"), Field("count", "integer"), values={"1": 2})
        [finding] = lint(rules)
        assert "the value map speaks of '1', which UF_X never has" == finding.message

    def test_the_value_map_after_a_transform(self) -> None:
        """It is asked for what the transform makes of an option."""
        assert [] == told(one(HEAT, TEXT, "upper", values={"HOT": "x"}))
        assert ["unused_value"] == [
            code for code, _ in told(one(HEAT, TEXT, "upper", values={"hot": "x"}))
        ]
        many = attrs.evolve(HEAT, multiple=True)
        assert [] == told(one(many, TEXT, "join", values={"cold, hot": "both"}))

    def test_references_to_another_kind(self) -> None:
        """A reference fits only one to the same kind; where options say whom, that is known."""
        to_thing = Field("thing_id", "reference", to="thing")
        rules = one(Field("UF_X", "reference", to="person"), to_thing)
        assert ["wrong_reference"] == [code for code, _ in told(rules)]
        assert [] == told(one(HEAT, to_thing, values={"cold": "T-1", "hot": "T-2"}))


class TestStagesOfTargets:
    def test_a_pipeline_that_is_mapped(self) -> None:
        """Which pipeline it will be must be one there is."""
        line = Field("UF_L", "enumeration", options=["sales", "service"])
        mapping = FieldMapping("UF_L", "thing", "line")
        assert [] == told(dealing(SALES, SERVICE, mapping=mapping, lead=[line]))
        rules = dealing(SALES, mapping=mapping, lead=[line])
        [finding] = lint(rules)
        assert ("no_such_stage", ("service",)) == (finding.code, finding.params["options"])
        assert None is not shown(finding, rules)

    def test_a_stage_of_another_pipeline(self) -> None:
        """A stage must be one of the pipeline in which records start."""
        mapping = FieldMapping.fixed("thing", "stage", "open")
        rules = dealing(SALES, SERVICE, mapping=mapping)
        assert ["no_such_stage"] == [code for code, _ in told(rules)]
        won = FieldMapping.fixed("thing", "stage", "won")
        assert [] == told(dealing(SALES, SERVICE, mapping=won))

    def test_a_stage_where_the_pipeline_is_not_known(self) -> None:
        """Where any pipeline may be meant, a stage must be one of each."""
        line = Field("UF_L", "enumeration", options=["sales", "service"])
        rules = dealing(
            SALES, SERVICE, mapping=FieldMapping("UF_L", "thing", "line"), lead=[line, STAGES]
        )
        stages = FieldMapping("UF_S", "thing", "stage", values={"open": "new"})
        left = [mapping for mapping in rules.mappings if mapping.source != "UF_S"]
        rules = attrs.evolve(rules, mappings=[stages, *left])
        [finding] = lint(rules)
        assert ("no_such_stage", ("new",)) == (finding.code, finding.params["options"])

    def test_a_stage_of_the_pipeline_that_is_named(self) -> None:
        """A constant pipeline says which stages there are."""
        rules = dealing(SALES, SERVICE, mapping=FieldMapping.fixed("thing", "stage", "open"))
        named = FieldMapping.fixed("thing", "line", "service")
        assert [] == told(attrs.evolve(rules, mappings=[*rules.mappings, named]))

    def test_any_text_as_a_stage(self) -> None:
        """A text may be no stage at all."""
        rules = dealing(SALES, mapping=FieldMapping("UF_X", "thing", "stage"), lead=[UF])
        [finding] = lint(rules)
        assert ("free_text", ("new", "won")) == (finding.code, finding.params["options"])
        assert None is not shown(finding, rules)

    def test_what_is_no_text_is_told_once(self) -> None:
        """A number as a stage is of the wrong type, and no more is said of it."""
        number = Field("UF_X", "integer")
        rules = dealing(SALES, mapping=FieldMapping("UF_X", "thing", "stage"), lead=[number])
        assert ["wrong_type"] == [code for code, _ in told(rules)]
        mapping = FieldMapping("UF_X", "thing", "stage", transform="city")
        assert ["bad_transform"] == [
            code for code, _ in told(dealing(SALES, mapping=mapping, lead=[number]))
        ]


class TestNeeds:
    @pytest.mark.parametrize(
        "field",
        [
            attrs.evolve(TEXT, default="x"),
            attrs.evolve(TEXT, id="owner_id"),
            attrs.evolve(TEXT, id="stage"),
            attrs.evolve(TEXT, id="line"),
        ],
    )
    def test_what_is_always_filled(self, field: Field) -> None:
        """Defaults, owners by a rule, stages and pipelines are there."""
        kind = Kind(
            "thing",
            fields=[
                *(one for one in map(plain, ["owner_id", "stage", "line"]) if one.id != field.id),
                attrs.evolve(field, required=True),
                BACK,
            ],
            owner="owner_id",
            stage="stage",
            pipeline="line",
        )
        rules = ruled(kinds=[kind], pipelines=[LEADS, SALES], owners=[OwnerRule("*", "actor")])
        assert [] == told(rules)

    @pytest.mark.parametrize(
        ("owners", "code"),
        [
            ([], "only_by_hand"),
            ([OwnerRule("*", "mapped")], "only_by_hand"),
            ([OwnerRule("other", "actor")], "only_by_hand"),
            ([OwnerRule("*", "actor", when=Where("title", "filled"))], "may_be_empty"),
            (
                [OwnerRule("*", "mapped", when=Where("title", "filled")), OwnerRule("*", "actor")],
                "may_be_empty",
            ),
        ],
    )
    def test_owners_that_rules_may_name(self, owners: list[OwnerRule], code: str) -> None:
        """An owner rule that may not hold, or names nobody, fills no owner for certain."""
        kind = Kind(
            "thing", fields=[Field("owner_id", "text", required=True), BACK], owner="owner_id"
        )
        other = Kind("other", fields=[Field("owner_id", "text"), BACK], owner="owner_id")
        assert [(code, "field thing.owner_id")] == told(ruled(kinds=[kind, other], owners=owners))

    def test_a_lead_that_must_have_it(self) -> None:
        """What a lead needs to be converted, or at all, is there."""
        mapping = FieldMapping("UF_X", "thing", "note")
        rules = needing(mapping)
        leads = attrs.evolve(LEADS, required=[Required("UF_X", since="done")])
        assert [] == told(attrs.evolve(rules, pipelines=[leads]))
        lead = attrs.evolve(rules.lead, custom=[attrs.evolve(UF, required=True)])
        assert [] == told(attrs.evolve(rules, lead=lead))
        early = attrs.evolve(LEADS, required=[Required("UF_X", until="new")])
        assert ["may_be_empty"] == [
            code for code, _ in told(attrs.evolve(rules, pipelines=[early]))
        ]

    @pytest.mark.parametrize(
        "more", [{"transform": "family_name"}, {"transform": "shout"}, {"values": {"a": ""}}]
    )
    def test_what_may_become_nothing_on_its_way(self, more: dict[str, object]) -> None:
        """A transform that takes a part, or is the host's own, or a value map may leave nothing."""
        mapping = FieldMapping("stage", "thing", "note", **more)  # type: ignore[arg-type]
        rules = ruled(
            mapping, thing=[attrs.evolve(TEXT, required=True)], transforms={"shout": shout}
        )
        assert "may_be_empty" in {code for code, _ in told(rules)}

    def test_a_template_of_what_is_always_there(self) -> None:
        """One filled place is enough for a template."""
        assert [] == told(needing(FieldMapping.joined("thing", "note", "{stage} {UF_X}")))

    def test_who_is_made_along_fills_a_reference(self) -> None:
        """A reference to a kind that may be made along is filled if it is."""
        owner = Kind("person", fields=[BACK])
        kind = Kind(
            "thing", fields=[Field("person_id", "reference", to="person", required=True), BACK]
        )
        assert [("may_be_empty", "field thing.person_id")] == told(ruled(kinds=[kind, owner]))
        parent = Field("parent_id", "reference", to="thing", required=True)
        assert [("only_by_hand", "field thing.parent_id")] == told(ruled(thing=[parent]))

    def test_a_sum_of_products(self) -> None:
        """An amount that adds up products is filled where these may be."""
        total = Field("total", "money", required=True, sums="products")
        products = Field("products", "product", multiple=True)
        rules = ruled(FieldMapping("products", "thing"), thing=[total, products])
        assert [("may_be_empty", "field thing.total")] == told(rules)
        assert [("only_by_hand", "field thing.total")] == told(ruled(thing=[total, products]))

    def test_one_of_a_group(self) -> None:
        """One field of a group that is filled is enough."""
        kind = Kind("thing", fields=[TEXT, Field("name", "text"), BACK], any_of=[("name", "note")])
        [finding] = lint(ruled(kinds=[kind]))
        assert ("only_by_hand", "kind thing") == (finding.code, finding.place)
        assert "a new thing needs Name or Note, and nothing fills it" == finding.message
        fixed = FieldMapping.fixed("thing", "note", "x")
        assert [] == told(ruled(fixed, kinds=[kind]))

    def test_what_the_first_stage_requires(self) -> None:
        """A new record must have what its stage requires, of whichever it may be."""
        sales = attrs.evolve(SALES, required=[Required("note", until="new")])
        won = attrs.evolve(SALES, required=[Required("note", since="won")])
        fields = [*map(plain, ["stage", "note"]), BACK]
        kind = Kind("thing", fields=fields, stage="stage")

        def places(pipeline: Pipeline, *mappings: FieldMapping) -> list[tuple[str, str]]:
            return told(ruled(*mappings, kinds=[kind], pipelines=[LEADS, pipeline], lead=[WON]))

        by_hand = [("only_by_hand", "pipeline sales")]
        assert by_hand == places(sales)
        assert [] == places(won)
        assert by_hand == places(won, FieldMapping("UF_S", "thing", "stage"))
        assert by_hand == places(won, FieldMapping.fixed("thing", "stage", "won"))
        assert [] == places(sales, FieldMapping.fixed("thing", "stage", "won"))

    def test_what_another_pipeline_requires(self) -> None:
        """What is not asked where records start is no need of a new one."""
        service = attrs.evolve(SERVICE, required=[Required("note")])
        fields = [*map(plain, ["stage", "line", "note"]), BACK]
        kind = Kind("thing", fields=fields, stage="stage", pipeline="line")
        rules = ruled(kinds=[kind], pipelines=[LEADS, SALES, service])
        assert [] == told(rules)
        named = FieldMapping.fixed("thing", "line", "service")
        rules = attrs.evolve(rules, mappings=[*rules.mappings, named])
        assert [("only_by_hand", "pipeline service")] == told(rules)

    def test_what_is_required_anyway_is_told_once(self) -> None:
        """A field that each record and each stage needs is one finding."""
        sales = attrs.evolve(SALES, required=[Required("note")])
        fields = [plain("stage"), attrs.evolve(TEXT, required=True), BACK]
        kind = Kind("thing", fields=fields, stage="stage")
        rules = ruled(kinds=[kind], pipelines=[LEADS, sales])
        assert [("only_by_hand", "field thing.note")] == told(rules)

    def test_a_currency_that_is_required(self) -> None:
        """It is missing whether there is an amount or not, and told as that."""
        price = Field("price", "money", currency="currency", default=Decimal(1))
        rules = ruled(thing=[price, Field("currency", "text", required=True)])
        assert [("only_by_hand", "field thing.currency")] == told(rules)


class TestStages:
    def test_forward_only(self) -> None:
        """Where nobody moves back, what stands before the first stage is out of reach."""
        stages = [Stage("done", "success"), Stage("new")]
        rules = ruled(pipelines=[Pipeline("leads", "lead", stages, forward_only=True)])
        assert [("unreachable_stage", "pipeline leads")] == told(rules)
        assert [] == told(staged(*stages))

    def test_reached_over_others(self) -> None:
        """One move after the other leads there."""
        way = [Stage("new", to=["a"]), Stage("a", to=["b"]), Stage("b", to=["done"])]
        assert [] == told(staged(*way, Stage("done", "success")))

    def test_where_records_are_made(self) -> None:
        """A stage in which records are made needs no move that leads there."""
        shut = attrs.evolve(SALES, stages=[Stage("new", to=[]), Stage("won", "success")])
        made = FieldMapping.fixed("thing", "stage", "won")
        some = FieldMapping("UF_S", "thing", "stage", values={"open": "new"})
        other = FieldMapping.fixed("thing", "line", "sales")
        assert [] == told(dealing(shut, mapping=made))
        assert [] == told(dealing(shut, mapping=some, lead=[STAGES]))
        assert ["unreachable_stage"] == [code for code, _ in told(dealing(shut, mapping=other))]
        target = Create("thing", values={"stage": "won"})
        automation = Automation(Actor("robot"), [attrs.evolve(ALL, into=[target])])
        rules = attrs.evolve(dealing(shut, mapping=other), automation=automation)
        assert [] == told(rules)


class TestGrants:
    @pytest.mark.parametrize(
        ("wide", "narrow"),
        [
            (Grant("*", "read"), Grant("lead", "read")),
            (Grant("lead", ["read", "delete"], "own"), Grant("lead", "delete", "own")),
            (Grant("lead", "delete", "team"), Grant("lead", "delete", "own")),
            (Grant("lead", "delete", ["own", "opened"]), Grant("lead", "delete", "opened")),
            (Grant("lead", "move"), Grant("lead", "move", to=["new"])),
            (
                Grant("lead", "move", "own", to=["new", "junk"], stage="new"),
                Grant("lead", "move", "own", to=["junk"], stage="new"),
            ),
        ],
    )
    def test_another_says_all(self, wide: Grant, narrow: Grant) -> None:
        """A grant of which another of the role says everything is said in vain; a ban as well."""
        assert "pointless_grant" in {code for code, _ in told(permitted(wide, narrow))}
        other = Grant("thing", "create")
        rules = ruled(policy=Policy([Role("x", forbids=[wide, narrow]), Role("y", [other])]))
        assert "pointless_grant" in {code for code, _ in told(rules)}

    @pytest.mark.parametrize(
        ("one_", "other"),
        [
            (Grant("thing", "delete"), Grant("lead", "delete")),
            (Grant("lead", "delete", "subteams"), Grant("lead", "delete", "team")),
            (Grant("lead", "delete", "opened"), Grant("lead", "delete", "own")),
            (Grant("lead", "delete"), Grant("lead", "delete", [], stage="new")),
            (Grant("lead", "delete", stage="new"), Grant("lead", "delete", [], stage="new")),
            (Grant("lead", "delete", pipeline="leads"), Grant("lead", "delete", "own")),
            (Grant("lead", "read"), Grant("lead", "read", fields="UF_X")),
            (Grant("lead", "move", to=["new"]), Grant("lead", "move", to=["junk"])),
            (Grant("lead", "move", "own", to=["new"]), Grant("lead", "move", "team", to=["junk"])),
        ],
    )
    def test_what_another_does_not_say(self, one_: Grant, other: Grant) -> None:
        """Whatever reaches farther, speaks of another thing, or overrides is not in vain."""
        lead = attrs.evolve(LEAD, custom=[attrs.evolve(UF, sensitive=True)])
        policy = Policy([Role("x", [one_, other])])
        rules = attrs.evolve(ruled(lead=[attrs.evolve(UF, sensitive=True)]), policy=policy)
        assert lead == rules.lead
        assert "pointless_grant" not in {code for code, _ in told(rules)}

    def test_sensitive_fields(self) -> None:
        """A grant for every field says what one for a single field does."""
        secret = attrs.evolve(UF, sensitive=True)
        every, single = Grant("lead", "read", fields="*"), Grant("lead", "read", fields="UF_X")
        policy = Policy([Role("x", [every, single])])
        rules = attrs.evolve(ruled(lead=[secret]), policy=policy)
        assert "pointless_grant" in {code for code, _ in told(rules)}

    def test_nobody_may(self) -> None:
        """What conversions need and no role may do is told for each kind."""
        rules = ruled(policy=Policy([Role("sales", [Grant("lead", "read")])]))
        expected = [
            "no role may update a lead",
            "no role may convert a lead",
            "no role may create or link or merge a thing",
        ]
        assert expected == [finding.message for finding in lint(rules)]

    def test_a_grant_that_reaches_nothing_is_none(self) -> None:
        """What only overrides, or speaks of fields, lets nobody make anything."""
        kind = Kind("thing", fields=[plain("stage"), BACK], stage="stage")
        grants = [Grant("thing", "create", [], stage="new")]
        usual = Grant("lead", ["read", "update", "convert"])
        rules = ruled(
            kinds=[kind],
            pipelines=[LEADS, SALES],
            policy=Policy([Role("sales", [usual, *grants])]),
        )
        assert [("nobody_may", "policy")] == told(rules)

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_taking_out_what_is_in_vain_changes_no_decision(self, data: st.DataObject) -> None:
        """Whatever is asked, without the grants in vain the answer is the same."""
        rules = data.draw(testing.conversion_rules(restricted=True))
        roles = [
            attrs.evolve(
                role,
                grants=[*role.grants, *(narrowed(grant) for grant in role.grants if grant.scope)],
            )
            for role in rules.policy.roles
        ]
        try:
            policy = attrs.evolve(rules.policy, roles=roles)
        except errors.DefinitionError:
            reject()  # the role forbids the narrower grant, which nobody may write down then
        lean = attrs.evolve(policy, roles=list(map(without_vain, roles)))
        for _ in range(5):
            actor = data.draw(testing.actors(rules))
            request = data.draw(testing.access_requests(rules))
            expected = policy.decide(actor, request).allowed
            assert expected == lean.decide(actor, request).allowed


def narrowed(grant: Grant) -> Grant:
    """Return a grant of which the other says everything, if it is for no fields."""
    return grant if grant.fields else attrs.evolve(grant, scope="own")


def without_vain(role: Role) -> Role:
    """Return *role* without the grants in vain, one after the other."""
    while vain := [one for one in covered(role.grants) if len(role.grants) > 1]:
        grants = list(role.grants)
        grants.remove(vain[0])
        role = attrs.evolve(role, grants=grants)
    return role


class TestMatching:
    def test_a_wider_rule_above(self) -> None:
        """A rule above that asks for less decides wherever the one below could."""
        rules = matched(MatchRule("thing", ["email"]), MatchRule("thing", [["email", "phone"]]))
        assert [("shadowed", "match rule for thing")] == told(rules)

    def test_a_wider_rule_below(self) -> None:
        """A rule that asks for less, or for something else, is needed below."""
        first = MatchRule("thing", [["email", "phone"]])
        assert [] == told(matched(first, MatchRule("thing", ["email"])))
        assert [] == told(matched(first, MatchRule("thing", [["email", "phone"], "person"])))

    def test_keys_of_several_fields(self) -> None:
        """A key of fields that nothing fills is had by no new record."""
        rules = matched(MatchRule("thing", ["person"]), filled=False)
        [finding] = lint(rules)
        expected = "nothing fills Note, so a thing that was made is never found by 'person'"
        assert expected == finding.message
        assert [] == told(matched(MatchRule("thing", ["person"])))


class TestOwners:
    def test_a_condition_that_never_holds(self) -> None:
        """An owner rule whose condition contradicts itself says nothing."""
        assert [("never_holds", "owner rule for thing")] == told(
            owned(OwnerRule("thing", "actor", when=NEVER))
        )

    def test_the_same_condition_above(self) -> None:
        """The same condition above decides before; for another kind it does not."""
        when = Where("title", "filled")
        first = OwnerRule("thing", "actor", when=when)
        second = OwnerRule("thing", "mapped", when=when)
        assert [("shadowed", "owner rule for thing")] == told(owned(first, second))
        assert [] == told(owned(first, OwnerRule("*", "mapped", when=when)))


class TestAutomation:
    @pytest.mark.parametrize(
        ("rule", "why"),
        [
            (
                attrs.evolve(ALL, on="junk"),
                "no move leads from junk to done",
            ),
            (
                attrs.evolve(ALL, on="junk", closing=False),
                "a lead in failure stage 'junk' is not converted",
            ),
            (
                AutomationRule("all", on="junk", to="shut"),
                "no move leads from junk to shut",
            ),
            (
                AutomationRule("all", to="shut"),
                "no move leads from any stage to shut",
            ),
        ],
    )
    def test_moves_that_nobody_makes(self, rule: AutomationRule, why: str) -> None:
        """Where the stages forbid what a rule does, it is refused each time."""
        stages = [
            Stage("new", to=["done", "junk"]),
            Stage("shut", to=["new"]),
            Stage("done", "success"),
            Stage("junk", "failure", to=["new"]),
        ]
        rules = automated(rule, pipelines=[Pipeline("leads", "lead", stages)])
        found = [one.params["why"] for one in lint(rules) if one.code == "always_refused"]
        assert [why] == found

    def test_moves_that_are_made(self) -> None:
        """A rule that can act in one of its stages is fine, and so is one on arrival."""
        for rule in (
            attrs.evolve(ALL, on=None),
            attrs.evolve(ALL, closing=False),
            AutomationRule("all", to="junk"),
            AutomationRule("all", ["thing"], on="new", closing=False, to="junk"),
        ):
            assert [] == told(automated(rule))

    @pytest.mark.parametrize(
        ("rule", "actions", "missing"),
        [
            (ALL, ["read"], "create or link or merge a thing"),
            (attrs.evolve(ALL, into=[Create("thing")]), ["link"], "create a thing"),
        ],
    )
    def test_an_actor_that_may_not(
        self, rule: AutomationRule, actions: list[str], missing: str
    ) -> None:
        """A robot that lacks a right is told before it is refused each time."""
        [finding] = lint(automated(rule, **robot(*actions)))
        assert f"whatever it does is refused: robot may not {missing}" == finding.message

    @pytest.mark.parametrize(
        ("lacks", "rule", "refused"),
        [
            ("read", ALL, True),
            ("update", ALL, True),
            ("convert", ALL, True),
            ("move", ALL, True),
            ("move", attrs.evolve(ALL, closing=False), False),
            ("convert", AutomationRule("all", on="new", to="junk"), False),
            ("move", AutomationRule("all", on="new", to="junk"), True),
        ],
    )
    def test_rights_on_leads(self, lacks: str, rule: AutomationRule, refused: bool) -> None:
        """Each right on the lead that a rule needs is looked for."""
        rights = {"read", "update", "convert", "move"} - {lacks}
        grants = [Grant("lead", rights), Grant("thing", "create")]
        others = Role("admin", [Grant("*", ["read", "update", "convert", "create"])])
        policy = Policy([Role("robot", grants), others])
        found = [("always_refused", "automation rule all")] if refused else []
        assert found == told(automated(rule, policy=policy))

    @pytest.mark.parametrize("policy", [Policy(), Policy([Role("robot")], unrestricted=True)])
    def test_where_rights_are_not_ours_to_tell(self, policy: Policy) -> None:
        """Without roles an engine of the host decides; where all is permitted nothing is amiss."""
        assert [] == told(automated(ALL, policy=policy))

    def test_limits(self) -> None:
        """A limit refuses what a rule makes, unless it finds what is there already."""
        never = [Limit("thing", "never")]
        made = attrs.evolve(ALL, into=[Create("thing")])
        assert ["always_refused"] == [code for code, _ in told(automated(made, limits=never))]
        rules = matched(MatchRule("thing", ["email"]))
        automation = Automation(Actor("robot"), [ALL])
        assert [] == told(attrs.evolve(rules, limits=never, automation=automation))

    def test_what_nothing_fills(self) -> None:
        """A rule does not fill a form; what it supplies itself is not missing."""
        rules = needing()
        for into, code in (
            (["thing"], ["refused_if_new"]),
            ([Create("thing")], ["always_refused"]),
            ([Create("thing", values={"note": "x"})], []),
            ([Merge("thing", "T-1")], []),
        ):
            automation = Automation(Actor("robot"), [attrs.evolve(ALL, into=into)])
            found = told(attrs.evolve(rules, automation=automation))
            assert {*code, "only_by_hand"} == {name for name, _ in found}

    def test_the_mode_without_leads(self) -> None:
        """It names a record that lacks a name, and fills nothing else."""
        for name, codes in (("note", []), (None, ["refused_if_new"])):
            kind = Kind("thing", fields=[attrs.evolve(TEXT, required=True), BACK], name=name)
            mode = WithoutLeads(into=["thing"])
            automation = Automation(Actor("robot"), without_leads=mode)
            found = {code for code, _ in told(ruled(kinds=[kind], automation=automation))}
            assert {*codes, "only_by_hand"} == found

    def test_another_stage_needs_other_things(self) -> None:
        """What the first stage requires is not needed where a rule says another."""
        sales = attrs.evolve(SALES, required=[Required("note", until="new")])
        kind = Kind("thing", fields=[plain("stage"), TEXT, BACK], stage="stage")
        target = Create("thing", values={"stage": "won"})
        automation = Automation(Actor("robot"), [attrs.evolve(ALL, into=[target])])
        rules = ruled(kinds=[kind], pipelines=[LEADS, sales], automation=automation)
        assert [("only_by_hand", "pipeline sales")] == told(rules)


A, B = Where("title", "equals", "a"), Where("title", "equals", "b")
TAGS_A, TAGS_B = Where("tags", "equals", "a"), Where("tags", "equals", "b")
COLD, HOT = Where("heat", "equals", "cold"), Where("heat", "equals", "hot")
KIND: Final = attrs.evolve(LEAD, custom=[HEAT, Field("flag", "boolean"), Field("n", "integer")])


class TestHolding:
    @pytest.mark.parametrize(
        "condition",
        [
            NEVER,
            AllOf([A, B]),
            AllOf([A, Not(A)]),
            Not(AnyOf([A, Not(A)])),
            AnyOf([AllOf([A, B]), NEVER]),
            AllOf([A, Where("title", "not_equals", "a")]),
            AllOf([A, Where("title", "in", ["b", "c"])]),
            AllOf([A, Where("title", "contains", "b")]),
            AllOf([Where("title", "contains", "ab"), Not(Where("title", "contains", "a"))]),
            AllOf([TAGS_A, Not(TAGS_A)]),
            AllOf([TAGS_A, Where("tags", "not_equals", "a")]),
            AllOf([TAGS_A, Where("tags", "empty")]),
            AllOf([Not(COLD), Not(HOT), Where("heat", "filled")]),
            AllOf([COLD, HOT]),
            AllOf(
                [Not(Where("flag", "equals", one_)) for one_ in (True, False)]
                + [Where("flag", "filled")]
            ),
            AllOf([Where("amount", "greater", 5), Where("amount", "less_or_equal", 5)]),
            AllOf([Where("n", "greater", 4), Where("n", "less", 5)]),
            AllOf([Where("emails", "equals", "a"), Where("emails", "not_equals", "a")]),
        ],
        ids=repr,
    )
    def test_never(self, condition: Condition) -> None:
        """It contradicts itself, or the options of its field."""
        assert not can_hold(condition, KIND)

    @pytest.mark.parametrize(
        "condition",
        [
            A,
            Not(A),
            AnyOf([A, B]),
            AllOf([Where("title", "contains", "a"), Where("title", "contains", "b")]),
            AllOf([Where("title", "contains", "a"), Where("title", "not_equals", "a")]),
            AllOf([Where("title", "contains", "a"), Not(Where("title", "contains", "aa"))]),
            AllOf([Not(A), Not(B), Where("title", "filled")]),
            AllOf([TAGS_A, TAGS_B]),
            AllOf([TAGS_A, Not(TAGS_B)]),
            AllOf([TAGS_A, Where("tags", "not_equals", "b")]),
            AllOf([Not(COLD), Not(HOT)]),
            AllOf([Not(COLD), Where("heat", "filled")]),
            AllOf([Where("amount", "greater", 4), Where("amount", "less", 5)]),
            AllOf([Where("n", "greater", 4), Where("n", "less", 6)]),
            Where("birth_date", "less", date.min + timedelta(days=1)),
            AllOf([Where("birth_date", "greater", date.min), Where("birth_date", "filled")]),
            Where("created_at", "greater", datetime(2027, 1, 31, tzinfo=UTC)),
            Not(Where("address", "equals", Address(city="x"))),
        ],
        ids=repr,
    )
    def test_sometimes(self, condition: Condition) -> None:
        """There is a lead for which it holds."""
        assert can_hold(condition, KIND)

    def test_too_many_ways(self) -> None:
        """What would take too long to find out could hold."""
        either = AnyOf([A, B, Where("tags", "filled")])
        assert can_hold(AllOf([*[either] * 9, NEVER]), KIND)
        assert can_hold(AnyOf([AllOf([*[either] * 9, NEVER]), NEVER]), KIND)

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_what_holds_for_a_lead_can_hold(self, data: st.DataObject) -> None:
        """No condition that holds for any lead is said never to hold."""
        condition = data.draw(conditions())
        values: dict[str, Any] = {
            "title": data.draw(st.sampled_from([None, "", "a", "ab", "b"])),
            "tags": data.draw(st.lists(st.sampled_from(["a", "b", "c"]), max_size=2)),
            "amount": data.draw(st.none() | st.integers(-1, 3)),
            "birth_date": data.draw(st.none() | st.dates(max_value=date(1, 1, 4))),
            "custom": {
                "heat": data.draw(st.sampled_from([None, "cold", "hot"])),
                "flag": data.draw(st.sampled_from([None, True, False])),
                "n": data.draw(st.none() | st.integers(-1, 3)),
            },
        }
        lead = Lead(id="L-7", stage="new", **values)
        if condition.holds(lambda name: KIND.read(lead, name)):
            assert can_hold(condition, KIND)


def conditions() -> st.SearchStrategy[Condition]:
    """Draw conditions that often contradict themselves."""
    texts = st.sampled_from(["equals", "not_equals", "contains"])
    orders = st.sampled_from(["equals", "less", "less_or_equal", "greater", "greater_or_equal"])
    letters, numbers = st.sampled_from(["a", "b", "ab"]), st.integers(0, 2)
    single: st.SearchStrategy[Condition] = st.one_of(
        st.builds(Where, st.sampled_from(["title", "tags"]), texts, letters),
        st.builds(Where, st.sampled_from(["amount", "n"]), orders, numbers),
        st.builds(Where, st.just("birth_date"), orders, st.dates(max_value=date(1, 1, 3))),
        st.builds(Where, st.just("heat"), st.sampled_from(["equals", "not_equals"]), HEATS),
        st.builds(Where, st.just("flag"), st.just("equals"), st.booleans()),
        st.builds(
            Where,
            st.sampled_from(["title", "tags", "heat", "n"]),
            st.sampled_from(["filled", "empty"]),
        ),
    )
    return st.recursive(
        single,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map(AllOf),
            st.lists(inner, min_size=1, max_size=4).map(AnyOf),
            inner.map(Not),
        ),
        max_leaves=8,
    )


HEATS: Final = st.sampled_from(["cold", "hot"])
