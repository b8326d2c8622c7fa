"""Diff: every difference between two sets of rules is a row, the most important first."""

import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Automation,
    AutomationRule,
    ChildRule,
    Column,
    Combine,
    Company,
    ConversionRules,
    Create,
    Difference,
    Exceptions,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Leftovers,
    Limit,
    Matching,
    MatchRule,
    OwnerRule,
    Pipeline,
    Policy,
    Required,
    Role,
    Stage,
    Where,
    WithoutLeads,
    diff,
    errors,
    presets,
    testing,
)
from leadconvert.codec import Codec
from leadconvert.kinds import LEAD


BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
LEADS: Final = Pipeline("leads", "lead", ["new", Stage("done", "success")])
HEAT: Final = Field("heat", "enumeration", options=["cold", "hot"])
NOTE: Final = Field("note", "text")
THING: Final = Kind("thing", fields=[BACK, NOTE, HEAT])
NOTES: Final = Kind("memo", fields=[Field("lead_id", "reference", to="lead")])
ROBOT: Final = Actor("robot")
RULES: Final = ConversionRules(
    kinds=[THING],
    pipelines=[LEADS],
    mappings=[FieldMapping("title", "thing", "note"), FieldMapping.leave("tags")],
    policy=Policy([Role("sales", [Grant("lead", "read"), Grant("thing", "create")])]),
)


def shout(value: object) -> object:
    """Stand for a transform of the host's own."""
    return f"{value}!"


def whisper(value: object) -> object:
    """Stand for another one."""
    return f"{value}..."


def longer(old: object, new: object) -> object:
    """Stand for a merger of the host's own."""
    return max(old, new, key=lambda one: len(str(one)))


def again(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return another function of the same name."""

    def other(*values: object) -> object:
        return values

    other.__module__, other.__qualname__ = function.__module__, function.__qualname__
    return other


def kinds(**changes: object) -> dict[str, object]:
    """Return a thing that is changed, as what rules are changed by."""
    untyped: dict[str, Any] = changes
    return {"kinds": [attrs.evolve(THING, **untyped)]}


def lines(**changes: object) -> list[str]:
    """Return how rules differ from `RULES` that are changed so, as a person reads it."""
    untyped: dict[str, Any] = {"transforms": {}, "mergers": {}, **changes}
    return [str(one) for one in diff(RULES, attrs.evolve(RULES, **untyped))]


FIELDS: Final = [BACK, NOTE, HEAT]
MAPPINGS: Final = list(RULES.mappings)
DELETE: Final = Grant("lead", "delete", "own")
GRANTS: Final = list(RULES.policy.roles[0].grants)


class TestRows:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (
                {"policy": Policy([Role("sales", GRANTS[:1])])},
                ["removed role sales, grants: kind 'thing', actions 'create'"],
            ),
            (
                {"policy": Policy([Role("sales", GRANTS, forbids=[DELETE])])},
                ["added role sales, forbids: kind 'lead', actions 'delete', scope 'own'"],
            ),
            (
                {"policy": Policy([*RULES.policy.roles, Role("x", [Grant("lead", "delete")])])},
                ["added role x: id 'x', grants (kind 'lead', actions 'delete')"],
            ),
            (
                {"policy": attrs.evolve(RULES.policy, combine=Combine.STAGE_EXPLICIT)},
                ["changed policy, combine: 'widest' → 'stage_explicit'"],
            ),
            (
                kinds(fields=[BACK, attrs.evolve(NOTE, sensitive=True), HEAT]),
                ["changed field thing.note, sensitive: false → true"],
            ),
            (
                kinds(fields=[BACK, attrs.evolve(NOTE, max_length=5, label="Text"), HEAT]),
                [
                    "changed field thing.note, max_length: nothing → 5",
                    "changed field thing.note, label: 'Note' → 'Text'",
                ],
            ),
            (
                kinds(fields=[BACK, NOTE, attrs.evolve(HEAT, options=["cold", "warm"])]),
                [
                    "removed option hot of field thing.heat: id 'hot'",
                    "added option warm of field thing.heat: id 'warm'",
                ],
            ),
            (
                kinds(fields=[BACK, HEAT, NOTE]),
                [
                    (
                        "changed kind thing, order of fields: 'field thing.note',"
                        " 'field thing.heat' → 'field thing.heat', 'field thing.note'"
                    )
                ],
            ),
            (
                kinds(custom=[Field("UF_X", "date")], keys={"word": ["note"]}),
                [
                    "added field thing.UF_X: id 'UF_X', type 'date'",
                    "changed kind thing, keys: nothing → word 'note'",
                ],
            ),
            (
                {"kinds": [THING, Kind("other", fields=[BACK])]},
                [
                    (
                        "added kind other: id 'other', fields (id 'converted_from', type"
                        " 'reference', multiple true, to 'lead')"
                    )
                ],
            ),
            (
                {"lead": attrs.evolve(LEAD, custom=[NOTE])},
                ["added field lead.note: id 'note', type 'text'"],
            ),
            (
                {"mappings": [attrs.evolve(MAPPINGS[0], fallbacks=["comments"]), MAPPINGS[1]]},
                ["changed mapping → thing.note, fallbacks: nothing → 'comments'"],
            ),
            (
                {"mappings": [MAPPINGS[0], FieldMapping.leave("opened")]},
                [
                    "removed mapping tags → nothing: source 'tags'",
                    "added mapping opened → nothing: source 'opened'",
                ],
            ),
            (
                {"mappings": [*MAPPINGS, MAPPINGS[1]]},
                ["added mapping tags → nothing: source 'tags'"],
            ),
            (
                {"mappings": MAPPINGS[::-1]},
                [
                    (
                        "changed rules, order of mappings: 'mapping → thing.note', 'mapping tags →"
                        " nothing' → 'mapping tags → nothing', 'mapping → thing.note'"
                    )
                ],
            ),
            (
                {"pipelines": [attrs.evolve(LEADS, stages=["new", "old", LEADS.stages[1]])]},
                ["added stage old of pipeline leads of lead: id 'old'"],
            ),
            (
                {"pipelines": [attrs.evolve(LEADS, required=[Required("title", since="done")])]},
                ["added pipeline leads of lead, required: fields 'title', since 'done'"],
            ),
            (
                {"matching": Matching([MatchRule("thing", ["email"], "link")], enrich=True)},
                [],
            ),
            (
                {"matching": Matching(exceptions=Exceptions(emails=["a@b.c"]))},
                ["changed exceptions, emails: nothing → 'a@b.c'"],
            ),
            (
                {"limits": [Limit("thing", "never")]},
                ["added limit for thing: kind 'thing', made 'never'"],
            ),
            (
                {"children": [ChildRule(NOTES)]},
                [
                    (
                        "added child rule for memo: kind (id 'memo', fields (id 'lead_id', type"
                        " 'reference', to 'lead'))"
                    )
                ],
            ),
            (
                {"undo_within": timedelta(days=3), "staged": False},
                [
                    "changed rules, staged: true → false",
                    "changed rules, undo_within: nothing → '3 days, 0:00:00'",
                ],
            ),
            (
                {"losses": "strict", "leftovers": [Leftovers("thing", "note")]},
                [
                    "changed rules, losses: 'report' → 'strict'",
                    "added leftovers in thing: kind 'thing', field 'note'",
                ],
            ),
            (
                {"columns": [Column("Id", "id")]},
                ["added column Id → id: header 'Id', field 'id'"],
            ),
            (
                {"transforms": {"shout": shout}, "mergers": {"longer": longer}},
                [
                    f"added merger longer: '{__name__}.longer'",
                    f"added transform shout: '{__name__}.shout'",
                ],
            ),
            (
                {"automation": Automation(ROBOT, [AutomationRule("all", to="new")])},
                ["added automation: actor (id 'robot'), rules (id 'all', to 'new')"],
            ),
        ],
    )
    def test_a_difference_reads_well(self, changes: dict[str, object], expected: list[str]) -> None:
        """Each change is told by its place, in one line."""
        if "matching" in changes and not expected:
            fields = [*FIELDS, Field("emails", "email", multiple=True)]
            changes = {**changes, "kinds": [attrs.evolve(THING, fields=fields)]}
            expected = [
                "added match rule for thing: kind 'thing', by 'email', then 'link'",
                "changed matching, enrich: false → true",
                "added field thing.emails: id 'emails', type 'email', multiple true",
            ]
        assert expected == lines(**changes)

    def test_what_is_gone(self) -> None:
        """What one has and the other has not is added one way, and removed the other."""
        automation = Automation(ROBOT, without_leads=WithoutLeads(into=["thing"]))
        other = attrs.evolve(RULES, automation=automation)
        [added], [removed] = diff(RULES, other), diff(other, RULES)
        assert ("added", "automation") == (added.what, added.place)
        assert ("removed", "automation") == (removed.what, removed.place)
        assert added.after == removed.before
        told = "actor (id 'robot'), without_leads (into 'thing')"
        assert f"removed automation: {told}" == str(removed)

    def test_within_automation(self) -> None:
        """Rules are told by their ids, the mode by itself."""
        rules = [AutomationRule("all", ["thing"], on="new")]
        one = attrs.evolve(RULES, automation=Automation(ROBOT, rules))
        target = Create("thing", values={"note": "x"})
        when = Where("title", "filled")
        changed = [attrs.evolve(rules[0], into=[target], when=when)]
        mode = WithoutLeads(into=["thing"])
        automation = Automation(Actor("other"), changed, without_leads=mode)
        expected = [
            "changed automation, actor: id 'robot' → id 'other'",
            "changed automation rule all, into: (kind 'thing') → (kind 'thing', values (note 'x'))",
            "changed automation rule all, when: nothing → field 'title', comparison 'filled'",
            "added mode without leads: into 'thing'",
        ]
        other = attrs.evolve(RULES, automation=automation)
        assert expected == list(map(str, diff(one, other)))

    def test_what_has_no_name(self) -> None:
        """Owner rules and match rules are there or not; in another order they differ."""
        kind = attrs.evolve(THING, owner="note")
        first = OwnerRule("thing", "actor", when=Where("title", "filled"))
        last = OwnerRule("*", "mapped")
        one = attrs.evolve(RULES, kinds=[kind], owners=[first, last])
        [row] = diff(one, attrs.evolve(one, owners=[last, first]))
        assert ("changed", "rules", "order of owners") == (row.what, row.place, row.attribute)
        assert (row.before[0], row.before[1]) == (row.after[1], row.after[0])  # type: ignore[index]
        [row] = diff(one, attrs.evolve(one, owners=[last]))
        assert ("removed", "owner rule for thing") == (row.what, row.place)
        [row] = diff(one, attrs.evolve(one, owners=[first, last, last]))
        assert ("added", "owner rule for *") == (row.what, row.place)

    def test_only_what_moved_is_told(self) -> None:
        """Of another order just the part that is another."""
        fields = [Field(name, "text") for name in "abcd"]
        one = attrs.evolve(RULES, kinds=[attrs.evolve(THING, custom=fields)])
        swapped = [fields[0], fields[2], fields[1], fields[3]]
        [row] = diff(one, attrs.evolve(RULES, kinds=[attrs.evolve(THING, custom=swapped)]))
        assert ("field thing.b", "field thing.c") == row.before
        assert ("field thing.c", "field thing.b") == row.after

    def test_another_class(self) -> None:
        """A kind of another class is told by the names of the classes."""
        one = attrs.evolve(
            RULES,
            kinds=[Kind("thing", fields=[BACK]), Kind("b", Company, fields=[BACK])],
            mappings=[],
        )
        other = attrs.evolve(one, kinds=[one.kinds[0], Kind("b", fields=[BACK])])
        [row] = diff(one, other)
        assert ("kind b", "cls", "leadconvert.records.Company", None) == (
            row.place,
            row.attribute,
            row.before,
            row.after,
        )


class TestFunctions:
    def test_by_their_names(self) -> None:
        """A function is another if its name is; what it does nobody looks at."""
        one = attrs.evolve(RULES, transforms={"loud": shout})
        [row] = diff(one, attrs.evolve(one, transforms={"loud": whisper}))
        assert f"changed transform loud: '{__name__}.shout' → '{__name__}.whisper'" == str(row)
        [row] = diff(one, attrs.evolve(one, transforms={}))
        assert ("removed", "transform loud") == (row.what, row.place)
        assert () == diff(one, attrs.evolve(one, transforms={"loud": again(shout)}))

    def test_of_matching(self) -> None:
        """The function by which keys are the same is compared by its name too."""
        one = attrs.evolve(RULES, matching=Matching(same=same_key))
        [row] = diff(RULES, one)
        assert ("matching", "same", f"{__name__}.same_key") == (row.place, row.attribute, row.after)
        other = attrs.evolve(RULES, matching=Matching(same=again(same_key)))
        assert () == diff(one, other)


def same_key(one: object, other: object) -> bool:
    """Stand for a function of the host's own."""
    return one is other


class TestOrder:
    def test_the_most_important_first(self) -> None:
        """Rights, then where data goes, what is done, what there is, columns, and labels last."""
        secret = attrs.evolve(NOTE, sensitive=True, label="Secret", max_length=9)
        changed = attrs.evolve(
            RULES,
            kinds=[attrs.evolve(THING, fields=[BACK, secret, HEAT], label="Stuff")],
            columns=[Column("Id", "id")],
            limits=[Limit("thing", "never")],
            mappings=MAPPINGS[:1],
            policy=Policy.allow_all(),
        )
        expected = [
            "field thing.note, sensitive",
            "role sales",
            "policy, unrestricted",
            "mapping tags → nothing",
            "limit for thing",
            "field thing.note, max_length",
            "column Id → id",
            "field thing.note, label",
            "kind thing, label",
        ]
        rows = diff(RULES, changed)
        assert expected == [
            row.place if row.attribute is None else f"{row.place}, {row.attribute}" for row in rows
        ]


class TestRow:
    def test_a_difference_is_a_plain_value(self) -> None:
        """It compares, pickles, and goes through JSON data."""
        other = attrs.evolve(RULES, policy=Policy.allow_all(), undo_within=timedelta(1))
        codec = Codec(presets.bitrix24())
        for row in diff(RULES, other):
            assert row == pickle.loads(pickle.dumps(row))  # noqa: S301 - our own
            assert row == codec.from_data(codec.to_data(row), Difference)
            assert hash(row) == hash(pickle.loads(pickle.dumps(row)))  # noqa: S301

    def test_there_are_three_sorts(self) -> None:
        """Nothing else can happen to a part of rules."""
        with pytest.raises(ValueError, match="'what' must be in"):
            Difference("moved", "kind deal")

    def test_a_preset_that_was_not_called(self) -> None:
        """What is no rules is told at once."""
        with pytest.raises(TypeError, match="b is a ConversionRules"):
            diff(RULES, presets.bitrix24)  # type: ignore[arg-type]


def changed(draw: st.DrawFn, rules: ConversionRules, other: ConversionRules) -> ConversionRules:
    """Return *rules* with a part of *other* ones, or in another order, where they hold together."""
    name = draw(
        st.sampled_from(["pipelines", "policy", "children", "matching", "owners", "limits"])
    )
    shuffled = draw(st.permutations(rules.mappings))
    functions: dict[str, Any] = {"transforms": {}, "mergers": {}}
    try:
        return attrs.evolve(rules, **{name: getattr(other, name), **functions})
    except errors.DefinitionError:
        return attrs.evolve(rules, mappings=shuffled, **functions)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[ConversionRules, ConversionRules]:
    """Draw two sets of rules, often nearly the same."""
    rules = st.just(presets.bitrix24()) | testing.conversion_rules(restricted=True)
    one, other = draw(rules), draw(rules)

    def near() -> ConversionRules:
        return changed(draw, one, other)

    return one, draw(st.sampled_from([lambda: one, lambda: other, near]))()


class TestLaws:
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(pairs())
    def test_empty_exactly_where_equal(self, pair: tuple[ConversionRules, ConversionRules]) -> None:
        """There are rows exactly where rules differ; both ways as many, and always the same."""
        one, other = pair
        rows = diff(one, other)
        assert (one == other) is (rows == ())
        assert rows == diff(one, other)
        assert len(rows) == len(diff(other, one))
        assert all(str(row) for row in rows)
