"""Lint: what it finds in rules, each with the smallest rules that show it and some that do not."""

import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import attrs
import pytest
from lint_leads import shown

from leadconvert import (
    Actor,
    AllOf,
    Automation,
    AutomationRule,
    ConversionRules,
    Field,
    FieldMapping,
    Finding,
    Grant,
    Kind,
    Limit,
    Matching,
    MatchRule,
    Not,
    OwnerRule,
    Pipeline,
    Policy,
    Role,
    Severity,
    Stage,
    Where,
    WithoutLeads,
    lint,
    presets,
)
from leadconvert.codec import Codec
from leadconvert.findings import ADVICE
from leadconvert.kinds import LEAD


ROOT: Final = Path(__file__).resolve().parents[1]
BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
LEADS: Final = Pipeline(
    "leads", "lead", ["new", Stage("done", "success"), Stage("junk", "failure")]
)
ROBOT: Final = Actor("robot", roles=["robot"])
#: A choice, with which much is shown.
HEAT: Final = Field("heat", "enumeration", options=["cold", "hot"])


def ruled(
    *mappings: FieldMapping,
    lead: Iterable[Field] = (),
    thing: Iterable[Field] = (),
    unmapped: Iterable[str] = (),
    **more: object,
) -> ConversionRules:
    """Return rules by which leads become things; what no mapping names is left behind on purpose.

    *lead* and *thing* are their fields, *unmapped* those of the lead that nobody decided on.
    """
    kind = Kind("thing", fields=[*thing, BACK])
    leads = attrs.evolve(LEAD, custom=lead)
    parts: dict[str, object] = {
        "lead": leads,
        "kinds": [kind],
        "pipelines": [LEADS],
        "policy": Policy.allow_all(),
        **more,
    }
    named = {name for one in mappings for name in one.sources} | {*unmapped}
    rest = [name for name in leads.members if name not in {*named, leads.stage}]
    parts["mappings"] = [*mappings, *map(FieldMapping.leave, rest)]
    return ConversionRules(**parts)  # type: ignore[arg-type]


def told(rules: ConversionRules) -> list[tuple[str, str]]:
    """Return the code and the place of everything found."""
    return [(finding.code, finding.place) for finding in lint(rules)]


def the_one(rules: ConversionRules) -> Finding:
    """Return what is found, of which there must be one."""
    [finding] = lint(rules)
    return finding


class TestPresets:
    def test_bitrix24_is_short_and_deliberate(self) -> None:
        """The preset reports observers as the vendor loses them, and what a bare lead lacks."""
        expected = (
            # nobody has decided on purpose: see the preset
            "warning: field lead.observer_ids: no mapping says where Observer ids of a lead goes"
            " (map it, or leave it behind on purpose with FieldMapping.leave())\n"
            # a lead may have no name, no title and no currency, and then people are asked
            "note: kind contact: a new contact needs Last name or First name, and whatever fills it"
            " may be empty (give it a fallback or a default, or let people fill it)\n"
            "note: field company.name: a new company needs Name, and whatever fills it may be empty"
            " (give it a fallback or a default, or let people fill it)\n"
            "note: field deal.title: a new deal needs Title, and whatever fills it may be empty"
            " (give it a fallback or a default, or let people fill it)\n"
            "note: field deal.amount: Amount of a deal may be filled where its currency is empty"
            " (give the currency a default)"
        )
        assert expected == "\n".join(map(str, lint(presets.bitrix24())))

    def test_rules_with_nothing_to_say(self) -> None:
        """The rules that these tests start from have no findings of their own."""
        assert () == lint(ruled())

    def test_a_preset_that_was_not_called(self) -> None:
        """What is no rules is told at once."""
        with pytest.raises(TypeError, match="rules is a ConversionRules"):
            lint(presets.bitrix24)  # type: ignore[arg-type]


class TestFindings:
    def test_severities_have_an_order(self) -> None:
        """They compare by how much they matter, with plain texts too, not as texts do."""
        note, warning, error = Severity.NOTE, Severity.WARNING, Severity.ERROR
        assert [note, warning, error] == sorted([warning, error, note])
        assert note < warning < error
        assert error > "warning"
        assert warning >= "warning"
        assert note <= "note"
        assert not note < Severity.NOTE
        assert "error" == error

    def test_the_most_severe_come_first(self) -> None:
        """And equally severe ones stand in the order of the rules."""
        rules = ruled(
            FieldMapping("title", "thing", "count"),
            FieldMapping("comments", "thing", "note"),
            thing=[Field("count", "integer"), Field("note", "text", required=True)],
            unmapped=["tags", "opened"],
        )
        expected = [
            ("wrong_type", "mapping title → thing.count"),
            ("unmapped", "field lead.opened"),
            ("unmapped", "field lead.tags"),
            ("may_be_empty", "field thing.note"),
        ]
        assert expected == told(rules)

    def test_a_finding_is_a_plain_value(self) -> None:
        """It compares by content, pickles, and goes through JSON data."""
        rules = presets.bitrix24()
        codec = Codec(rules)
        for finding in lint(rules):
            assert finding == pickle.loads(pickle.dumps(finding))  # noqa: S301 - our own
            assert finding == codec.from_data(codec.to_data(finding), Finding)
        assert 5 == len(set(lint(rules)))

    def test_a_code_nobody_knows_is_told_as_it_is(self) -> None:
        """A finding of a later version can still be shown."""
        later = Finding(code="later", severity="note", place="kind deal")
        assert "note: kind deal: later (later)" == str(later)

    @pytest.mark.parametrize("code", list(ADVICE))
    def test_every_code_is_found_somewhere(self, code: str) -> None:
        """No code is there that lint never finds; each has words, without loose ends."""
        findings = [one for case in CASES if case.code == code for one in lint(case.shows())]
        [finding, *_] = [one for one in findings if one.code == code]
        for text in (finding.message, finding.remedy):
            assert not {"{", "}"} & set(text)
            assert "None" not in text


@attrs.frozen
class Case:
    """Rules that show a code, what is found there, and rules that are alike and do not."""

    code: str
    place: str
    shows: Callable[[], ConversionRules]
    fine: Callable[[], ConversionRules]


def heat(*options: str) -> Field:
    """Return a choice."""
    return Field("heat", "enumeration", options=options)


TEXT: Final = Field("note", "text")
SHORT: Final = Field("note", "text", max_length=5)
TEXTS: Final = Field("notes", "text", multiple=True)
UF: Final = Field("UF_X", "text")
UFS: Final = Field("UF_X", "text", multiple=True)


def one(
    source: Field, target: Field, transform: str | None = None, **more: object
) -> ConversionRules:
    """Return rules with one mapping, from *source* to *target*."""
    mapping = FieldMapping(source.id, "thing", target.id, transform=transform, **more)  # type: ignore[arg-type]
    return ruled(mapping, lead=[source], thing=[target])


def joined(template: str, target: Field, **more: object) -> ConversionRules:
    """Return rules with one mapping, a template."""
    mapping = FieldMapping(None, "thing", target.id, template=template, **more)  # type: ignore[arg-type]
    return ruled(mapping, lead=[UF, attrs.evolve(SHORT, id="UF_SHORT")], thing=[target])


def needing(*mappings: FieldMapping, thing: Iterable[Field] = (TEXT,)) -> ConversionRules:
    """Return rules by which a thing needs a note."""
    return ruled(
        *mappings, lead=[UF], thing=[attrs.evolve(field, required=True) for field in thing]
    )


def priced(*mappings: FieldMapping, currency: Field) -> ConversionRules:
    """Return rules by which a thing has a price."""
    fields = [Field("price", "money", currency="currency"), currency]
    cost = Field("UF_COST", "money", currency="UF_CURRENCY")
    lead = [cost, Field("UF_CURRENCY", "text")]
    return ruled(*mappings, lead=lead, thing=fields)


def staged(*stages: str | Stage) -> ConversionRules:
    """Return rules in which leads have these stages."""
    return ruled(pipelines=[Pipeline("leads", "lead", stages)])


def permitted(*grants: Grant, forbids: Iterable[Grant] = ()) -> ConversionRules:
    """Return rules with one role that may do these things, and what conversions take."""
    usual = [Grant("lead", ["read", "update", "convert", "move"]), Grant("thing", "create")]
    return ruled(policy=Policy([Role("sales", [*usual, *grants], forbids=forbids)]))


def automated(rule: AutomationRule, **more: object) -> ConversionRules:
    """Return rules with one automation rule."""
    mode = more.pop("without_leads", None)
    automation = Automation(ROBOT, [rule], without_leads=mode)  # type: ignore[arg-type]
    return ruled(**{"automation": automation, **more})  # type: ignore[arg-type]


def robot(*actions: str, kind: str = "thing") -> dict[str, object]:
    """Return a policy by which the robot may do *actions* with a *kind*, and convert leads."""
    grants = [Grant("lead", ["read", "update", "convert", "move"]), Grant(kind, actions)]
    everybody = Role("admin", [Grant("*", ["read", "update", "convert", "create"])])
    return {"policy": Policy([Role("robot", grants), everybody])}


def owned(*owners: OwnerRule) -> ConversionRules:
    """Return rules that say whose things are."""
    kind = Kind("thing", fields=[Field("owner_id", "text"), BACK], owner="owner_id")
    return ruled(kinds=[kind], owners=owners)


def matched(*rules: MatchRule, filled: bool = True) -> ConversionRules:
    """Return rules by which things are found by their e-mails, phones and notes."""
    fields = [Field("emails", "email", multiple=True), Field("phones", "phone"), TEXT, BACK]
    kind = Kind("thing", fields=fields, keys={"person": ["note"]})
    mappings = [FieldMapping("emails", "thing"), FieldMapping("phones", "thing", transform="join")]
    mappings.append(FieldMapping("title", "thing", "note"))
    return ruled(*(mappings if filled else ()), kinds=[kind], matching=Matching(rules))


def dealing(
    *pipelines: Pipeline, mapping: FieldMapping, lead: Iterable[Field] = ()
) -> ConversionRules:
    """Return rules by which things stand in stages of several pipelines."""
    fields = [Field("stage", "text"), Field("line", "text"), BACK]
    kind = Kind("thing", fields=fields, stage="stage", pipeline="line")
    return ruled(mapping, lead=lead, kinds=[kind], pipelines=[LEADS, *pipelines])


SALES: Final = Pipeline("sales", "thing", ["new", Stage("won", "success")], default=True)
SERVICE: Final = Pipeline("service", "thing", ["open", Stage("won", "success")])
STAGES: Final = attrs.evolve(heat("open", "won"), id="UF_S")
NEVER: Final = AllOf([Where("title", "filled"), Where("title", "empty")])
ALL: Final = AutomationRule("all", ["thing"], on="new")

CASES: Final = [
    Case(
        "unmapped",
        "field lead.tags",
        lambda: ruled(unmapped=["tags"]),
        ruled,
    ),
    Case(
        "first_only",
        "mapping UF_X → thing.note by first",
        lambda: one(UFS, TEXT, "first"),
        lambda: one(UFS, TEXT, "join"),
    ),
    Case(
        "part_only",
        "mapping UF_X → thing.note by given_name",
        lambda: one(UF, TEXT, "given_name"),
        lambda: ruled(
            FieldMapping("UF_X", "thing", "note", transform="given_name"),
            FieldMapping("UF_X", "thing", "name", transform="family_name"),
            lead=[UF],
            thing=[TEXT, Field("name", "text")],
        ),
    ),
    Case(
        "as_text",
        "mapping products → thing.note by join",
        lambda: ruled(FieldMapping("products", "thing", "note", transform="join"), thing=[TEXT]),
        lambda: ruled(
            FieldMapping("products", "thing"), thing=[Field("products", "product", multiple=True)]
        ),
    ),
    Case(
        "vanishes",
        "mapping heat → thing.note",
        lambda: one(HEAT, TEXT, values={"cold": " "}),
        lambda: one(HEAT, TEXT, values={"cold": "-"}),
    ),
    Case(
        "wrong_type",
        "mapping UF_X → thing.count",
        lambda: one(UF, Field("count", "integer")),
        lambda: one(Field("UF_X", "integer"), Field("count", "decimal")),
    ),
    Case(
        "wrong_reference",
        "mapping UF_X → thing.thing_id",
        lambda: one(UF, Field("thing_id", "reference", to="thing")),
        lambda: one(
            Field("UF_X", "reference", to="thing"), Field("thing_id", "reference", to="thing")
        ),
    ),
    Case(
        "bad_transform",
        "mapping UF_X → thing.note by upper",
        lambda: one(UFS, TEXT, "upper"),
        lambda: one(UF, TEXT, "upper"),
    ),
    Case(
        "several",
        "mapping UF_X → thing.note",
        lambda: one(UFS, TEXT),
        lambda: one(UFS, TEXTS),
    ),
    Case(
        "too_long",
        "mapping UF_X → thing.note",
        lambda: one(UF, SHORT),
        lambda: one(UF, SHORT, overflow="shorten"),
    ),
    Case(
        "always_too_long",
        "mapping UF_SHORT → thing.note",
        lambda: joined("order: {UF_SHORT}", SHORT, overflow="shorten"),
        lambda: joined("of {UF_SHORT}", SHORT, overflow="shorten"),
    ),
    Case(
        "free_text",
        "mapping UF_X → thing.heat",
        lambda: one(UF, HEAT),
        lambda: one(attrs.evolve(HEAT, id="UF_X"), HEAT),
    ),
    Case(
        "no_counterpart",
        "mapping heat → thing.heat",
        lambda: one(HEAT, heat("hot")),
        lambda: one(HEAT, heat("hot"), values={"cold": "hot"}),
    ),
    Case(
        "unused_value",
        "mapping heat → thing.note",
        lambda: one(HEAT, TEXT, values={"warm": "hot"}),
        lambda: one(UF, TEXT, values={"warm": "hot"}),
    ),
    Case(
        "no_such_stage",
        "mapping UF_S → thing.stage",
        lambda: dealing(SALES, mapping=FieldMapping("UF_S", "thing", "stage"), lead=[STAGES]),
        lambda: dealing(
            SALES,
            mapping=FieldMapping("UF_S", "thing", "stage", values={"open": "new"}),
            lead=[STAGES],
        ),
    ),
    Case(
        "only_by_hand",
        "field thing.note",
        needing,
        lambda: needing(FieldMapping.fixed("thing", "note", "x")),
    ),
    Case(
        "may_be_empty",
        "field thing.note",
        lambda: needing(FieldMapping("UF_X", "thing", "note")),
        lambda: needing(FieldMapping("stage", "thing", "note")),
    ),
    Case(
        "no_currency",
        "field thing.price",
        lambda: priced(
            FieldMapping("amount", "thing", "price"), currency=Field("currency", "text")
        ),
        lambda: priced(
            FieldMapping("amount", "thing", "price"),
            currency=Field("currency", "text", default="EUR"),
        ),
    ),
    Case(
        "currency_may_be_empty",
        "field thing.price",
        lambda: priced(
            FieldMapping("amount", "thing", "price"),
            FieldMapping("currency", "thing"),
            currency=Field("currency", "text"),
        ),
        lambda: priced(FieldMapping("currency", "thing"), currency=Field("currency", "text")),
    ),
    Case(
        "other_currency",
        "mapping UF_COST → thing.price",
        lambda: priced(
            FieldMapping("UF_COST", "thing", "price"),
            FieldMapping("currency", "thing"),
            currency=Field("currency", "text", default="EUR"),
        ),
        lambda: priced(
            FieldMapping("UF_COST", "thing", "price"),
            FieldMapping("UF_CURRENCY", "thing", "currency"),
            currency=Field("currency", "text", default="EUR"),
        ),
    ),
    Case(
        "exposed",
        "mapping UF_X → thing.note",
        lambda: one(attrs.evolve(UF, sensitive=True), TEXT),
        lambda: one(attrs.evolve(UF, sensitive=True), attrs.evolve(TEXT, sensitive=True)),
    ),
    Case(
        "unreachable_stage",
        "pipeline leads",
        lambda: staged(Stage("new", to=["done"]), "old", Stage("done", "success")),
        lambda: staged(Stage("new", to=["done"]), Stage("done", "success")),
    ),
    Case(
        "pointless_grant",
        "role sales",
        lambda: permitted(Grant("lead", "read", "own")),
        lambda: permitted(Grant("lead", "read", "own", stage="new")),
    ),
    Case(
        "pointless_role",
        "role sales",
        lambda: ruled(policy=Policy([Role("sales", [Grant("lead", "read")])], unrestricted=True)),
        lambda: ruled(
            policy=Policy([Role("sales", forbids=[Grant("lead", "read")])], unrestricted=True)
        ),
    ),
    Case(
        "nobody_may",
        "policy",
        lambda: ruled(
            policy=Policy([Role("sales", [Grant("lead", ["read", "update", "convert"])])])
        ),
        permitted,
    ),
    Case(
        "never_holds",
        "automation rule all",
        lambda: automated(attrs.evolve(ALL, when=NEVER)),
        lambda: automated(attrs.evolve(ALL, when=Not(NEVER))),
    ),
    Case(
        "never_entered",
        "automation rule all",
        lambda: automated(
            attrs.evolve(ALL, on="old"),
            pipelines=[
                Pipeline(
                    "leads", "lead", [Stage("new", to=["done"]), "old", Stage("done", "success")]
                )
            ],
        ),
        lambda: automated(ALL),
    ),
    Case(
        "no_arrivals",
        "automation rule all",
        lambda: automated(attrs.evolve(ALL, on=None), without_leads=WithoutLeads(into=["thing"])),
        lambda: automated(ALL, without_leads=WithoutLeads(into=["thing"])),
    ),
    Case(
        "always_refused",
        "automation rule all",
        lambda: automated(attrs.evolve(ALL, on="junk")),
        lambda: automated(ALL),
    ),
    Case(
        "refused_if_new",
        "automation rule all",
        lambda: automated(ALL, limits=[Limit("thing", "never")]),
        lambda: automated(ALL, limits=[Limit("thing", "always")]),
    ),
    Case(
        "shadowed",
        "owner rule for thing",
        lambda: owned(OwnerRule("*", "actor"), OwnerRule("thing", "mapped")),
        lambda: owned(OwnerRule("*", "actor", when=NEVER.all_of[0]), OwnerRule("thing", "mapped")),
    ),
    Case(
        "unfilled_key",
        "match rule for thing",
        lambda: matched(MatchRule("thing", ["email"]), filled=False),
        lambda: matched(MatchRule("thing", ["email"])),
    ),
]


class TestPage:
    """docs/lint.md."""

    def test_every_code_stands_there_with_its_words(self) -> None:
        """The table has every code, how severe it is, and the words the library itself uses."""
        lines = (ROOT / "docs" / "lint.md").read_text("utf-8").splitlines()
        rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
        expected = [
            [f"`{code}`", severity.value, told.replace("!r}", "}"), remedy]
            for code, (severity, told, remedy) in ADVICE.items()
        ]
        assert expected == rows


class TestEachCode:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
    def test_it_is_found(self, case: Case) -> None:
        """The smallest rules show it, and where; it is as severe as is written."""
        [finding] = [found_ for found_ in lint(case.shows()) if found_.code == case.code]
        assert case.place == finding.place
        assert ADVICE[case.code][0] is finding.severity

    @pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
    def test_it_is_not_found(self, case: Case) -> None:
        """Rules that are nearly the same do not show it."""
        assert case.code not in {finding.code for finding in lint(case.fine())}

    @pytest.mark.parametrize("case", CASES[:19], ids=lambda case: str(case.code))
    def test_a_lead_shows_it(self, case: Case) -> None:
        """What is said of a lead's values, and of what a record needs, a lead can show."""
        if case.code != "unused_value":
            rules = case.shows()
            [finding] = [found_ for found_ in lint(rules) if found_.code == case.code]
            assert None is not shown(finding, rules)
