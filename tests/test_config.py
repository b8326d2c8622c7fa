"""Rules files: what is written reads back the same, and looks as people would write it."""

import importlib
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from leadconvert import (
    Actor,
    Address,
    AllOf,
    AnyOf,
    Automation,
    AutomationRule,
    Channel,
    ChildRule,
    ConversionRules,
    Create,
    Field,
    FieldMapping,
    Find,
    Grant,
    Kind,
    Link,
    Matching,
    MatchRule,
    Merge,
    Not,
    Option,
    OwnerRule,
    Pipeline,
    Plain,
    Policy,
    Product,
    Ref,
    Required,
    Role,
    Severity,
    Stage,
    Where,
    config,
    lint,
    presets,
)
from leadconvert.config import _layout, _schema, _versions
from leadconvert.config._paths import entries
from leadconvert.errors import DefinitionError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.testing import BOUND, Project, Spelling


ROOT = Path(__file__).resolve().parents[1]
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
DEALS = Pipeline("0", "deal", ["new", Stage("won", "success")])
MINUTES = timezone(timedelta(hours=5, minutes=30))
SECONDS = timezone(timedelta(hours=1, seconds=30))


def rules(**parts: Any) -> ConversionRules:  # noqa: ANN401 - any parts
    """Rules with these parts, and what they cannot do without."""
    given: dict[str, Any] = {"kinds": [CONTACT, COMPANY, DEAL], "pipelines": [LEADS, DEALS]}
    return ConversionRules(**{**given, **parts})


def with_fields(*fields: Field) -> ConversionRules:
    """Rules whose leads have these custom fields."""
    return rules(lead=attrs.evolve(LEAD, custom=fields))


def told(text: str) -> dict[str, Any]:
    """What a text of TOML says."""
    return tomllib.loads(text)


def both_ways(one: ConversionRules) -> None:
    """Write the rules in both formats, and read them back."""
    for form in ("toml", "json"):
        again = config.loads(config.dumps(one, form), form, **BOUND)
        assert one == again
        assert one.digest == again.digest


def refused(**parts: Any) -> list[str]:  # noqa: ANN401 - any parts
    """What is wrong with writing rules with these parts."""
    with pytest.raises(DefinitionError) as error:
        config.dumps(rules(**parts))
    return [str(one) for one in error.value.problems]


def shouted(value: object) -> object:
    """Say it louder."""
    return f"{value}!"


class TestValues:
    @pytest.mark.parametrize(
        ("field", "form"),
        [
            (Field("a", "money", default=Decimal("5.00")), "5.00"),
            (Field("a", "money", default=5), 5),
            (Field("a", "decimal", default=Decimal("-1E+3")), "-1E+3"),
            (Field("a", "text", default="a\n\"b\" 'c' \\ \t\x00\x1f\x7f 😀 é"), None),
            (Field("a", "text", default="2027-01-31"), "2027-01-31"),
            (Field("a", "boolean", default=False), False),
            (Field("a", "integer", default=10**30), 10**30),
            (Field("a", "date", default=date(2027, 1, 31)), date(2027, 1, 31)),
            (Field("a", "datetime", default=datetime(2027, 1, 31, 9, 30, tzinfo=UTC)), None),
            (
                Field("a", "datetime", default=datetime(2027, 1, 31, 9, 30, 1, 5, tzinfo=MINUTES)),
                None,
            ),
            (
                Field("a", "datetime", default=datetime(2027, 1, 31, tzinfo=SECONDS)),
                "2027-01-31T00:00:00+01:00:30",
            ),
            (Field("a", "enumeration", options=["x", "y"], default="y"), "y"),
            (Field("a", "email", default="a@example.com"), "a@example.com"),
            (
                Field("a", "email", default=Channel("a@example.com", "work")),
                {"value": "a@example.com", "use": "work"},
            ),
            (Field("a", "email", default=Channel("a@example.com")), {"value": "a@example.com"}),
            (
                Field("a", "phone", multiple=True, default=["1", Channel("2")]),
                ["1", {"value": "2"}],
            ),
            (Field("a", "address", default=Address(city="Köln")), {"city": "Köln"}),
            (Field("a", "address", default=Address()), {}),
            (
                Field("a", "product", default=Product(name="x", price=5)),
                {"name": "x", "price": "5", "quantity": "1"},
            ),
            (Field("a", "text", multiple=True, default=["x"]), ["x"]),
            (Field("a", "text", multiple=True, default="x"), "x"),
        ],
    )
    def test_a_default_is_told_plainly(self, field: Field, form: object) -> None:
        """A field says its type, so its default needs no tag, and comes back as it was."""
        one = with_fields(field)
        both_ways(one)
        [custom] = told(config.dumps(one))["lead"]["custom"]
        assert custom["default"] == (field.default if form is None else form)

    @pytest.mark.parametrize(
        ("value", "form"),
        [
            ("x", {"$text": "x"}),
            (5, 5),
            (True, True),
            (None, {"$none": True}),
            (Decimal("5.00"), "5.00"),
            (1.5, {"$float": "1.5"}),
            ("5.00", {"$text": "5.00"}),
            (date(2027, 1, 31), date(2027, 1, 31)),
            ((1, "5"), [1, {"$text": "5"}]),
            (
                {"a": Decimal(1), "b": None},
                {"$map": {"a": {"$decimal": "1"}, "b": {"$none": True}}},
            ),
            (Channel("x"), {"$channel": {"value": "x"}}),
            (Ref("deal", "D-5"), {"$ref": {"kind": "deal", "id": "D-5", "provisional": False}}),
        ],
    )
    def test_what_its_field_does_not_say_is_told_by_a_tag(
        self, value: object, form: object
    ) -> None:
        """A value map may hold anything; what its field would read otherwise has a tag."""
        one = rules(mappings=[FieldMapping("amount", "deal", values={"x": value})])
        both_ways(one)
        assert form == told(config.dumps(one))["mappings"][0]["values"]["x"]

    def test_a_moment_needs_a_tag_in_json_alone(self) -> None:
        """TOML has dates of its own; in JSON a tag says what they are where no field does."""
        one = rules(mappings=[FieldMapping("title", "deal", values={"x": date(2027, 1, 31)})])
        both_ways(one)
        written = json.loads(config.dumps(one, "json"))["mappings"][0]["values"]
        assert {"x": {"$date": "2027-01-31"}} == written

    def test_numbers_with_a_fraction_are_exact(self) -> None:
        """A number in a file is read to the last digit."""
        head = 'schema_version = 1\n[[kinds]]\nlike = "company"\n'
        head += '[[pipelines]]\nid = "l"\nkind = "lead"\n'
        text = head + 'stages = ["a", { id = "b", role = "success" }]\n[lead]\nlike = "lead"\n'
        text += 'custom = [{ id = "x", type = "money", default = 0.10000000000000000000000001 }]\n'
        [field] = config.loads(text).lead.custom
        assert Decimal("0.10000000000000000000000001") == field.default

    def test_a_value_of_a_class_of_ones_own_is_refused(self) -> None:
        """What a file cannot hold is not written, and said with its class."""

        @attrs.frozen
        class Mine:
            pass

        mapping = FieldMapping("title", "deal", values={"x": Mine()})
        [only] = refused(mappings=[mapping])
        assert only.startswith("rules: a TestValues.")
        assert only.endswith("(leave it out)")

    def test_half_a_character_is_refused(self) -> None:
        """Text that no file could hold is not written."""
        assert [
            "rules: a text has no form in a file: it holds half a character (leave it out)"
        ] == (refused(kinds=[attrs.evolve(COMPANY, label="\ud800")], pipelines=[LEADS]))

    def test_a_number_without_end_is_refused(self) -> None:
        """A number that nobody could read back is not written."""
        mapping = FieldMapping("title", "deal", values={"x": 10**5000})
        assert ["rules: a number has no form in a file: it is too long (leave it out)"] == refused(
            mappings=[mapping]
        )


class TestForms:
    @pytest.mark.parametrize("preset", [presets.bitrix24, presets.salesforce])
    def test_the_presets(self, preset: Callable[[], ConversionRules]) -> None:
        """The rules of every system come back as they are."""
        both_ways(preset())

    def test_a_file_of_a_preset(self) -> None:
        """Bitrix24's rules are written in a few plain lines."""
        lines = config.dumps(presets.bitrix24()).splitlines()
        assert {
            "like": "company",
            "custom": [{"id": "LINK", "type": "url", "label": "Links", "multiple": True}],
        } in (told(config.dumps(presets.bitrix24()))["kinds"])
        assert 120 >= max(map(len, lines))
        assert 220 > len(lines)

    def test_standard_kinds_are_told_by_their_differences(self) -> None:
        """A kind that is like a standard one says that, and what differs."""
        source = Field("source", "enumeration", options=["web", Option("fair", "Trade fair")])
        deal = attrs.evolve(
            DEAL,
            id="order",
            label="Order",
            fields=[*DEAL.fields, source],
            owner=None,
            any_of=[["title"]],
        )
        one = rules(kinds=[deal], pipelines=[LEADS, attrs.evolve(DEALS, kind="order")])
        both_ways(one)
        assert [
            {
                "like": "deal",
                "id": "order",
                "fields": [
                    {
                        "id": "source",
                        "type": "enumeration",
                        "options": ["web", {"id": "fair", "label": "Trade fair"}],
                    }
                ],
                "any_of": [["title"]],
                "label": "Order",
                "owner": False,
            }
        ] == told(config.dumps(one))["kinds"]

    def test_a_changed_field_takes_the_place_of_the_standard_one(self) -> None:
        """A field of a standard kind is replaced where it stands; others follow."""
        name = Field("name", "text", required=True, max_length=50)
        fields = [name if one.id == "name" else one for one in COMPANY.fields]
        one = rules(kinds=[attrs.evolve(COMPANY, fields=fields)], pipelines=[LEADS])
        both_ways(one)
        [kind] = told(config.dumps(one))["kinds"]
        assert ["name"] == [field["id"] for field in kind["fields"]]

    def test_a_standard_class_with_other_fields_is_told_in_full(self) -> None:
        """What cannot be said by differences is said in full."""
        one = rules(kinds=[attrs.evolve(COMPANY, fields=COMPANY.fields[::-1])], pipelines=[LEADS])
        both_ways(one)
        [kind] = told(config.dumps(one))["kinds"]
        assert ("company", "Company") == (kind["id"], kind["class"])

    def test_classes_of_ones_own_are_names(self) -> None:
        """A class is bound where the file is read; the file names it."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        project = Kind("project", Project, fields=[back])
        one = rules(kinds=[project], pipelines=[LEADS])
        both_ways(one)
        assert {"id": "project", "class": "Project"} == {
            key: value
            for key, value in told(config.dumps(one))["kinds"][0].items()
            if key != "fields"
        }

    def test_two_classes_of_one_name_are_refused(self) -> None:
        """A name stands for one class."""
        other = attrs.make_class("Project", {}, bases=(Project,), frozen=True)
        back = Field("converted_from", "reference", to="lead", multiple=True)
        kinds = [Kind("a", Project, fields=[back]), Kind("b", other, fields=[back])]
        assert [
            "rules: class Project has no form in a file: another has that name (leave it out)"
        ] == refused(kinds=kinds, pipelines=[LEADS])

    def test_mappings_that_say_nothing_special_stand_together(self) -> None:
        """Fields of the same name, and those left behind, are lists; the order is kept."""
        mappings = [
            FieldMapping("title", "deal"),
            FieldMapping("amount", "deal"),
            FieldMapping("title", "company", "name", fallbacks=["company_name"]),
            FieldMapping("comments", "deal"),
            FieldMapping.fixed("deal", "type", "SALE"),
            FieldMapping.joined("deal", "source", "{source} {{!}}"),
            FieldMapping.gathered("deal", "address", {"city": "company_name"}),
            FieldMapping.leave("tags"),
            FieldMapping.leave("opened"),
        ]
        one = rules(mappings=mappings)
        both_ways(one)
        assert [
            {"kind": "deal", "same": ["title", "amount"]},
            {"source": "title", "kind": "company", "target": "name", "fallbacks": ["company_name"]},
            {"source": "comments", "kind": "deal"},
            {"kind": "deal", "target": "type", "constant": "SALE"},
            {"kind": "deal", "target": "source", "template": "{source} {{!}}"},
            {"kind": "deal", "target": "address", "parts": {"city": "company_name"}},
            {"leave": ["tags", "opened"]},
        ] == told(config.dumps(one))["mappings"]

    def test_pipelines(self) -> None:
        """A stage that is plain is a text, and so is a field alone."""
        stages: list[str | Stage] = [
            "new",
            Stage("won", "success", label="Won"),
            Stage("lost", "failure", to=[]),
        ]
        required = [Required("title", since="won"), Required(["title", "amount"], failures=True)]
        deals = Pipeline("0", "deal", stages, label="All", forward_only=True, required=required)
        one = rules(pipelines=[LEADS, deals])
        both_ways(one)
        assert {
            "id": "0",
            "kind": "deal",
            "stages": [
                "new",
                {"id": "won", "role": "success", "label": "Won"},
                {"id": "lost", "role": "failure", "to": []},
            ],
            "label": "All",
            "forward_only": True,
            "required": [
                {"fields": "title", "since": "won"},
                {"fields": ["title", "amount"], "failures": True},
            ],
        } == told(config.dumps(one))["pipelines"][1]

    def test_policies(self) -> None:
        """Actions and scopes stand in the order in which people name them; one is a text."""
        grants = [Grant("deal", ["move", "read"], ["opened", "own"], to=["won"], stage="new")]
        one = rules(
            policy=Policy(
                [Role("r", grants, forbids=[Grant("*", "delete")])], combine="stage_explicit"
            )
        )
        both_ways(one)
        assert {
            "combine": "stage_explicit",
            "roles": [
                {
                    "id": "r",
                    "grants": [
                        {
                            "kind": "deal",
                            "actions": ["read", "move"],
                            "scope": ["own", "opened"],
                            "stage": "new",
                            "to": "won",
                        }
                    ],
                    "forbids": [{"kind": "*", "actions": "delete"}],
                }
            ],
        } == told(config.dumps(one))["policy"]

    def test_automation_and_owners(self) -> None:
        """Conditions and targets are short."""
        big = Where("amount", "greater", Decimal("10.5"))
        early = Where("birth_date", "less", date(2000, 1, 1))
        when = AllOf([big, AnyOf([early, Not(Where("title", "empty"))])])
        into = [
            Find("contact"),
            Find("company", values={"name": None}),
            Create("deal", values={"close_date": date(2027, 1, 31)}, id="D-1"),
        ]
        linked = [Link("company", "CO-9"), Merge("contact", "C-3", revision="7")]
        acting = [
            AutomationRule("big", into, on="new", when=when),
            AutomationRule("link", linked, closing=False),
        ]
        one = rules(
            automation=Automation(Actor("robot", ["a", "b"]), acting),
            owners=[OwnerRule("*", "listed", among=["u-1"], when=big)],
        )
        both_ways(one)
        written = told(config.dumps(one))
        assert {"id": "robot", "roles": ["a", "b"]} == written["automation"]["actor"]
        first, second = written["automation"]["rules"]
        assert {
            "all_of": [
                ["amount", "greater", "10.5"],
                {"any_of": [["birth_date", "less", date(2000, 1, 1)], {"not": ["title", "empty"]}]},
            ]
        } == first["when"]
        assert [
            "contact",
            {"find": "company", "values": {"name": {"$none": True}}},
            {"create": "deal", "id": "D-1", "values": {"close_date": date(2027, 1, 31)}},
        ] == first["into"]
        assert [
            {"link": "company", "id": "CO-9"},
            {"merge": "contact", "id": "C-3", "revision": "7"},
        ] == second["into"]
        assert {
            "kind": "*",
            "to": "listed",
            "among": ["u-1"],
            "when": ["amount", "greater", "10.5"],
        } == written["owners"][0]

    def test_the_order_of_kinds_a_child_goes_to_is_kept(self) -> None:
        """To which kind a child moves is told by the order of a table."""
        fields = [
            Field(f"{name}_id", "reference", to=name)
            for name in ("lead", "contact", "deal", "company")
        ]
        task = Kind("task", fields=[*fields, Field("done", "boolean")], converted_from=None)
        for order in (["deal", "contact", "company"], ["company", "deal", "contact"]):
            rule = ChildRule(task, dict.fromkeys(order, "move"), close={"done": True}, asks=False)
            one = rules(children=[rule])
            both_ways(one)
            assert order == [*told(config.dumps(one))["children"][0]["into"]]

    def test_matching(self) -> None:
        """What matches is short; what compares is named."""
        [alike] = BOUND["functions"].values()
        by = [
            MatchRule("contact", ["email", ["phone", "person"]], "ask"),
            MatchRule("company", ["company"]),
        ]
        one = rules(matching=Matching(by, normalizer=Spelling("Dr"), same=alike, enrich=True))
        both_ways(one)
        assert {
            "rules": [
                {"kind": "contact", "by": ["email", ["person", "phone"]], "then": "ask"},
                {"kind": "company", "by": ["company"]},
            ],
            "enrich": True,
            "normalizer": {"class": "Spelling", "prefix": "Dr"},
            "same": "_alike",
        } == told(config.dumps(one))["matching"]
        plain = rules(matching=Matching(normalizer=Spelling()))
        both_ways(plain)
        assert {"normalizer": "Spelling"} == told(config.dumps(plain))["matching"]

    @pytest.mark.parametrize(
        ("span", "form"),
        [
            (timedelta(days=14), {"days": 14}),
            (timedelta(0), {"days": 0}),
            (timedelta(-1, 5, 7), {"days": -1, "seconds": 5, "microseconds": 7}),
            (timedelta(hours=25, minutes=1), {"days": 1, "hours": 1, "minutes": 1}),
        ],
    )
    def test_spans(self, span: timedelta, form: Mapping[str, int]) -> None:
        """A span of time is told exactly, in units that people use."""
        one = rules(undo_within=span, staged=False)
        both_ways(one)
        assert form == told(config.dumps(one))["undo_within"]

    def test_the_line_for_editors(self) -> None:
        """Where the schema is can be said, and is read over."""
        one = rules()
        text = config.dumps(one, schema="./rules.schema.json")
        assert "#:schema ./rules.schema.json" == text.splitlines()[0]
        assert one == config.loads(text)
        text = config.dumps(one, "json", schema="./rules.schema.json")
        assert "./rules.schema.json" == json.loads(text)["$schema"]
        assert one == config.loads(text, "json")


class TestNames:
    def test_what_is_used_or_listed_is_bound(self) -> None:
        """A file takes those functions that it names, and no others."""
        one = rules(
            mappings=[FieldMapping("title", "deal", transform="loud", conflict="mine")],
            transforms={"loud": shouted, "unused": shouted},
            mergers={"mine": shouted},
        )
        text = config.dumps(one)
        assert ["unused"] == told(text)["transforms"]
        bound = {"loud": shouted, "unused": shouted, "more": shouted}
        mergers: Any = {"mine": shouted, "more": shouted}
        assert one == config.loads(text, transforms=bound, mergers=mergers)

    def test_what_nobody_bound_is_told(self) -> None:
        """A name without a function is a mistake like any other."""
        one = rules(
            mappings=[FieldMapping("title", "deal", transform="loud")],
            transforms={"loud": shouted, "b": shouted},
        )
        with pytest.raises(DefinitionError) as error:
            config.loads(config.dumps(one), transforms={"lood": shouted})
        assert [
            (
                "transforms[0]: nobody has bound the transform 'b'"
                " (correct the name, or hand it over in transforms=)"
            ),
            (
                "mappings[0].transform: nobody has bound the transform 'loud', did you mean 'lood'?"
                " (correct the name, or hand it over in transforms=)"
            ),
        ] == [str(one) for one in error.value.problems]

    def test_lambdas_are_refused(self) -> None:
        """What has no name of its own is no part of rules."""
        mapping = FieldMapping("title", "deal", transform="loud")
        text = config.dumps(rules(mappings=[mapping], transforms={"loud": shouted}))
        with pytest.raises(DefinitionError) as error:
            config.loads(text, transforms={"loud": lambda value: value})
        assert [
            (
                "mappings[0].transform: transform 'loud' is a lambda or a local function"
                " (define it in a module)"
            )
        ] == [str(one) for one in error.value.problems]

    def test_a_normalizer_needs_a_class(self) -> None:
        """A normalizer is named by its class, which is one of attrs."""
        head = config.dumps(rules())
        for told, expected in (
            ("{ prefix = 'x' }", "matching.normalizer: the key 'class' is missing (add it)"),
            (
                "'Mine'",
                "matching.normalizer: Mine is no attrs class (decorate it with @attrs.frozen)",
            ),
        ):
            with pytest.raises(DefinitionError) as error:
                config.loads(
                    f"{head}\n[matching]\nnormalizer = {told}",
                    classes={"Mine": type("Mine", (), {})},
                )
            assert [expected] == [str(one) for one in error.value.problems]

    def test_plain_is_the_normalizer_unless_told(self) -> None:
        """The normalizer that needs nothing goes without saying."""
        assert Plain() == config.loads(config.dumps(rules())).matching.normalizer


class TestFiles:
    @pytest.mark.parametrize("name", ["crm.toml", "crm.json", "CRM.TOML"])
    def test_there_and_back(self, name: str, tmp_path: Path) -> None:
        """The name of a file says its format."""
        config.dump(presets.bitrix24(), tmp_path / name)
        assert presets.bitrix24() == config.load(tmp_path / name)
        assert presets.bitrix24() == config.load(str(tmp_path / name))

    def test_the_sample(self) -> None:
        """The sample of the docs is read, checks against the schema, and names the one we ship."""
        path = ROOT / "docs" / "examples" / "crm.toml"
        both_ways(config.load(path))
        first = path.read_text("utf-8").splitlines()[0]
        assert "#:schema ../../src/leadconvert/config/rules.schema.json" == first
        # the same name beside the code, which stands elsewhere once it is installed
        shipped = Path(config.__file__).with_name("rules.schema.json")
        assert config.schema() == json.loads(shipped.read_text("utf-8"))
        data = json.loads(json.dumps(told(path.read_text("utf-8")), default=str))
        assert [] == [*Draft202012Validator(config.schema()).iter_errors(data)]

    def test_the_sample_has_nothing_to_mend(self) -> None:
        """Lint has notes on the sample, and nothing graver."""
        found = lint(config.load(ROOT / "docs" / "examples" / "crm.toml"))
        assert {Severity.NOTE} == {one.severity for one in found}

    def test_nothing_is_written_of_what_has_no_form(self, tmp_path: Path) -> None:
        """A refusal leaves the file as it was."""
        path = tmp_path / "crm.toml"
        path.write_text("mine")
        with pytest.raises(DefinitionError):
            config.dump(
                rules(mappings=[FieldMapping("title", "deal", values={"x": 10**5000})]), path
            )
        assert "mine" == path.read_text()

    def test_without_the_library_that_writes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reading TOML needs nothing; writing it says what to install."""
        text = config.dumps(rules())
        monkeypatch.setattr(_layout, "tomli_w", None)
        assert rules() == config.loads(text)
        assert rules() == config.loads(config.dumps(rules(), "json"), "json")
        with pytest.raises(ImportError, match=r"pip install 'leadconvert\[toml\]'"):
            config.dumps(rules())

    def test_where_it_is_not_there_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The library that writes TOML may be missing from the start."""
        monkeypatch.setitem(sys.modules, "tomli_w", None)
        importlib.reload(_layout)
        with pytest.raises(ImportError, match=r"pip install 'leadconvert\[toml\]'"):
            config.dumps(rules())
        monkeypatch.undo()
        importlib.reload(_layout)
        assert rules() == config.loads(config.dumps(rules()))

    def test_misused(self) -> None:
        """A call that makes no sense is an ordinary error."""
        with pytest.raises(ValueError, match="a format is one of toml, json"):
            config.loads("", "yaml")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="a format is one of toml, json"):
            config.dumps(rules(), "yaml")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="rules is a ConversionRules, not a Bitrix24"):
            config.dumps(presets.bitrix24)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="text is a str, not a bytes"):
            config.loads(b"")  # type: ignore[arg-type]

    def test_golden(self) -> None:
        """Files of every version there was are still read, as what they were."""
        golden = ROOT / "tests" / "golden"
        files = sorted(golden.glob("rules-*.toml"))
        assert [f"rules-{number}.toml" for number in range(1, _versions.PRESENT + 1)] == [
            path.name for path in files
        ]
        for path in files:
            found = config.load(path, **BOUND)
            present = golden / f"rules-{_versions.PRESENT}.toml"
            assert present.read_text("utf-8") == config.dumps(found)


class TestVersions:
    def test_an_older_file_is_brought_up_to_date(self) -> None:
        """Each step makes the next version of a file; there are none yet, so these are made up."""

        def second(data: dict[str, object]) -> dict[str, object]:
            return {**data, "pipelines": data["funnels"], "funnels": None}

        def third(data: dict[str, object]) -> dict[str, object]:
            return {key: one for key, one in data.items() if one is not None}

        old: dict[str, object] = {"schema_version": 1, "funnels": []}
        found = _versions.upgraded(old, "", present=3, upgrades={1: second, 2: third})
        assert {"schema_version": 3, "pipelines": []} == found
        assert {"schema_version": 1, "funnels": []} == old

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            ("2", "newer_version"),
            ("0", "bad_version"),
            ("-1", "bad_version"),
            ("true", "bad_version"),
            ('"1"', "bad_version"),
            ("1.0", "bad_version"),
        ],
    )
    def test_other_versions_are_refused(self, version: str, expected: str) -> None:
        """Neither newer files are guessed at, nor what is no version."""
        with pytest.raises(DefinitionError) as error:
            config.loads(f"schema_version = {version}")
        [only] = error.value.problems
        assert (expected, "schema_version") == (only.code, only.place)


class TestSchema:
    def test_it_is_up_to_date(self) -> None:
        """What is shipped is what the classes say; ``_schema.write()`` brings it up to date."""
        assert _schema.generated() == config.schema()

    def test_it_is_written_as_it_is_shipped(self, tmp_path: Path) -> None:
        """What brings it up to date writes the very file."""
        _schema.write(tmp_path / "schema.json")
        shipped = Path(_schema.__file__).with_name(_schema.FILE)
        assert shipped.read_bytes() == (tmp_path / "schema.json").read_bytes()

    def test_it_is_a_schema(self) -> None:
        """It is valid by the draft that it names."""
        Draft202012Validator.check_schema(config.schema())

    def test_it_is_closed(self) -> None:
        """No table takes a key that nobody knows."""
        tables = [
            one
            for path, one in entries(config.schema())
            if isinstance(one, dict) and one.get("type") == "object"
        ]
        assert tables
        assert [] == [one for one in tables if one.get("additionalProperties", True) is True]
