"""Lint is sound: clean rules lose nothing, and whatever it says of data a lead can show."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import attrs
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from lint_leads import shown

from leadconvert import (
    Actor,
    Address,
    ConversionRules,
    Create,
    FieldMapping,
    FieldType,
    Finding,
    Kind,
    Lead,
    Leftovers,
    Outcome,
    Pipeline,
    Plan,
    Required,
    errors,
    lint,
    plan,
    presets,
    testing,
)
from leadconvert.problems import Cause
from leadconvert.records import changed
from leadconvert.transforms import TRANSFORMS


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-1")
#: What is said of a lead's values and of what a new record needs.
OF_DATA: Final = frozenset(
    {
        "unmapped",
        "first_only",
        "part_only",
        "as_text",
        "vanishes",
        "wrong_type",
        "wrong_reference",
        "bad_transform",
        "several",
        "too_long",
        "always_too_long",
        "free_text",
        "no_counterpart",
        "no_such_stage",
        "only_by_hand",
        "may_be_empty",
        "no_currency",
        "currency_may_be_empty",
    }
)
soundly = settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)

PARTS: Final = [one.name for one in attrs.fields(Address)]


@st.composite
def wild_mappings(draw: st.DrawFn, lead: Kind, kind: Kind) -> FieldMapping:
    """Draw a mapping that may fit or not: any sources, any transform, any value map."""
    target = draw(st.sampled_from([n for n in kind.members if n != kind.converted_from]))
    every = [name for name in lead.members if name != lead.stage]
    # what holds several values, or choices, goes wrong most
    risky = ["tags", "observer_ids", *(field.id for field in lead.custom)]
    names = st.sampled_from(risky) | st.sampled_from(every)
    values = draw(
        st.just({}) | st.dictionaries(st.sampled_from("abc"), st.sampled_from(["a", "x", "", 1]))
    )
    # not both: a number or a day told as text is none of these values
    transform = None if values else draw(st.none() | st.sampled_from([*TRANSFORMS]))
    overflow = draw(st.sampled_from(["refuse", "shorten"]))
    said = draw(st.sampled_from(["source", "source", "template", "parts"]))
    if said == "template":
        text = ": ".join(f"{{{name}}}" for name in draw(st.lists(names, min_size=1, max_size=3)))
        return FieldMapping(
            None, kind.id, target, template=text, transform=transform, overflow=overflow
        )
    if said == "parts":
        parts = draw(st.dictionaries(st.sampled_from(PARTS), names, min_size=1, max_size=3))
        return FieldMapping(None, kind.id, target, parts=parts)
    first, *rest = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    return FieldMapping(
        first,
        kind.id,
        target,
        fallbacks=rest,
        transform=transform,
        values=values,
        overflow=overflow,
    )


@st.composite
def wild_rules(draw: st.DrawFn) -> ConversionRules:
    """Draw rules whose mappings may do anything, whose stages and records may need anything."""
    rules = draw(testing.conversion_rules())
    kinds: list[Kind] = []
    for kind in rules.kinds:
        needed = draw(st.sets(st.sampled_from([one.id for one in kind.custom] or [""])))
        custom = [attrs.evolve(one, required=one.id in needed) for one in kind.custom]
        kinds.append(attrs.evolve(kind, custom=custom))
    drawn = [draw(wild_mappings(rules.lead, draw(st.sampled_from(kinds)))) for _ in range(4)]
    mappings: dict[tuple[str | None, str | None], FieldMapping] = {}
    mappings |= {(one.kind, one.target): one for one in rules.mappings if one.kind is not None}
    mappings |= {(one.kind, one.target): one for one in drawn}
    pipelines = [draw(demanding(one, rules)) for one in rules.pipelines]
    used = {source for one in mappings.values() for source in one.sources}
    left = [one for one in rules.mappings if one.leaves_behind and one.source not in used]
    try:
        return attrs.evolve(
            rules,
            kinds=kinds,
            mappings=[*mappings.values(), *left],
            pipelines=pipelines,
            losses=draw(st.sampled_from(["report", "strict"])),
            leftovers=(),
            transforms=dict(rules.transforms),
        )
    except errors.DefinitionError:
        assume(False)
        raise


@st.composite
def demanding(draw: st.DrawFn, pipeline: Pipeline, rules: ConversionRules) -> Pipeline:
    """Draw a pipeline that may ask for a field in all of its stages."""
    kind = rules.kind(pipeline.kind)
    if kind is None or draw(st.booleans()):
        return pipeline
    name = draw(st.sampled_from([n for n in kind.members if n != kind.converted_from]))
    return attrs.evolve(pipeline, required=[Required(name)])


@st.composite
def leads(draw: st.DrawFn, rules: ConversionRules) -> Lead:
    """Draw a lead that fits, often with all that mappings carry."""
    lead = draw(testing.leads(rules, undeclared=False))
    if draw(st.integers(0, 3)) == 3:
        return lead
    carried = {name for one in rules.mappings if not one.leaves_behind for name in one.sources}
    names = sorted(carried - {*rules.lead.references, str(rules.lead.stage)})
    members = rules.lead.members
    return changed(lead, {name: draw(testing.values(members[name], filled=True)) for name in names})


def amounts(finding: Finding, rules: ConversionRules) -> set[tuple[str | None, str | None]]:
    """Return the amount a finding is about, and the lines that it adds up, as kinds and fields."""
    kind, name = rules.kind(str(finding.kind)), finding.params.get("amount")
    if kind is None or not isinstance(name, str):
        return set()
    return {(kind.id, name), (kind.id, kind.members[name].sums)}


def is_staged(finding: Finding, rules: ConversionRules) -> bool:
    """Tell whether the lead says in which stage a record of the finding's kind starts."""
    [kind] = [kind for kind in rules.kinds if kind.id == finding.kind]
    into = [one for one in rules.mappings_into(kind.id) if one.sources]
    return not {kind.stage, kind.pipeline}.isdisjoint(one.target for one in into)


def converted(lead: Lead, rules: ConversionRules) -> Plan:
    """Return the plan to make a new record of every kind."""
    return plan(lead, [Create(kind) for kind in rules.order], rules=rules, actor=ADA, at=AT)


def of_data(rules: ConversionRules) -> list[Finding]:
    """Return what lint says of values and needs."""
    return [finding for finding in lint(rules) if finding.code in OF_DATA]


def repaired(rules: ConversionRules) -> tuple[ConversionRules, int]:
    """Return *rules* with everything remedied, as an administrator would, and in how many steps."""
    for step in range(20):
        findings = of_data(rules)
        if not findings:
            return rules, step
        rules = remedied(rules, findings)
    raise AssertionError(f"never clean: {findings[0]}")


def remedied(rules: ConversionRules, findings: Iterable[Finding]) -> ConversionRules:
    """Return *rules* with what is found left behind, unmapped, or given a default."""
    unfit = {(one.kind, one.field) for one in findings if one.place.startswith("mapping ")}
    mappings = [
        one for one in rules.mappings if (one.kind, one.target) not in unfit or not one.sources
    ]
    kinds = {kind.id: kind for kind in rules.kinds}
    pipelines = list(rules.pipelines)
    for finding in findings:
        if finding.code == "unmapped":
            mappings.append(FieldMapping.leave(str(finding.field)))
        elif "stage" in finding.params:
            pipelines = [
                attrs.evolve(one, required=()) if one.kind == finding.kind else one
                for one in pipelines
            ]
        elif finding.kind is not None and not finding.place.startswith("mapping "):
            kinds[finding.kind] = with_default(kinds[finding.kind], str(finding.field))
    return attrs.evolve(
        rules,
        mappings=mappings,
        kinds=kinds.values(),
        pipelines=pipelines,
        transforms=dict(rules.transforms),
    )


FITTING: Final = {
    FieldType.TEXT: "x",
    FieldType.INTEGER: 1,
    FieldType.DECIMAL: 1,
    FieldType.MONEY: 1,
    FieldType.BOOLEAN: False,
    FieldType.DATE: AT.date(),
    FieldType.DATETIME: AT,
    FieldType.URL: "x",
    FieldType.EMAIL: "x",
    FieldType.PHONE: "x",
    FieldType.MESSENGER: "x",
    FieldType.ADDRESS: Address(city="x"),
    FieldType.FILE: "x",
}


def with_default(kind: Kind, name: str) -> Kind:
    """Return *kind* with a default for one field, or without needing it where there is none."""
    field = kind.members[name]
    if field.type in FITTING or field.options:
        value = field.options[0].id if field.options else FITTING[field.type]
        changed = attrs.evolve(field, default=[value] if field.multiple else value)
    else:
        changed = attrs.evolve(field, required=False)
    custom = [changed if one.id == name else one for one in kind.custom]
    fields = [changed if one.id == name else one for one in kind.fields]
    if changed not in (*custom, *fields):
        fields.append(changed)
    return attrs.evolve(kind, fields=fields, custom=custom)


#: How a value is carried of which nothing is lost.
_WHOLE: Final = (None, "joined", "leftovers")


def assert_nothing_is_lost(made: Plan) -> None:
    """Fail where a value is dropped, refused or only partly taken, or a field is missing."""
    wrong = [one for one in made.problems if one.cause in {Cause.MISSING, Cause.INVALID}]
    assert [] == wrong
    assert () == made.dropped
    rows = made.explain()
    # the first of several is all right where all of them go elsewhere
    whole = {row.field for row in rows if row.outcome == Outcome.CARRIED and row.reason in _WHOLE}
    assert [] == [row for row in rows if row.reason == "first" and row.field not in whole]
    assert [] == [row for row in rows if row.outcome == Outcome.REFUSED]


class TestSound:
    """Under rules with nothing to say of their data nothing is lost."""

    @soundly
    @given(st.data())
    def test_clean_rules_lose_nothing(self, data: st.DataObject) -> None:
        """Whatever the lead, every kind can be made of it, and every value arrives."""
        rules, _ = repaired(data.draw(st.just(presets.bitrix24()) | wild_rules()))
        lead = data.draw(leads(rules))
        assert_nothing_is_lost(converted(lead, rules))

    @soundly
    @given(st.data())
    def test_every_finding_of_data_is_shown_by_a_lead(self, data: st.DataObject) -> None:
        """There is no false alarm: a lead loses, or lacks, what lint says it may."""
        rules = data.draw(wild_rules())
        findings = of_data(rules)
        unfit = {(one.kind, one.field) for one in findings if one.place.startswith("mapping ")}
        for finding in findings:
            # an amount that never arrives has no currency to lack, and who knows which stage it is
            untold = not unfit.isdisjoint(amounts(finding, rules))
            if not untold and not ("stage" in finding.params and is_staged(finding, rules)):
                assert None is not shown(finding, rules), finding

    @soundly
    @given(st.data())
    def test_leftovers_lose_nothing_either(self, data: st.DataObject) -> None:
        """Where leftovers are kept nobody need decide on any field."""
        rules, _ = repaired(data.draw(wild_rules()))
        kept = attrs.evolve(
            rules,
            mappings=[one for one in rules.mappings if not one.leaves_behind],
            leftovers=[Leftovers(rules.order[0])],
            transforms=dict(rules.transforms),
        )
        assert [] == of_data(kept)
        lead = data.draw(leads(kept))
        assert_nothing_is_lost(converted(lead, kept))

    def test_it_bites(self) -> None:
        """Most of the rules need repair, and under most that are clean leads carry values."""
        seen: Counter[str] = Counter()

        @settings(soundly, max_examples=40, derandomize=True, database=None)
        @given(st.data())
        def look(data: st.DataObject) -> None:
            rules, steps = repaired(data.draw(wild_rules()))
            rows = converted(data.draw(leads(rules)), rules).explain()
            seen["all"] += 1
            seen["repaired"] += steps > 0
            seen["mapped"] += any(one.sources and not one.leaves_behind for one in rules.mappings)
            seen["carried"] += any(row.outcome == Outcome.CARRIED for row in rows)

        look()
        assert seen["repaired"] > seen["all"] * 0.9
        assert seen["mapped"] > seen["all"] * 0.6
        assert seen["carried"] > seen["all"] * 0.3, seen
