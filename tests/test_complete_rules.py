"""The strategy for rules that hold everything: each part there is, is drawn at some time."""

from collections.abc import Callable

import pytest
from hypothesis import Phase, find, settings

from leadconvert import ConversionRules, Kind, MatchKey, Plain
from leadconvert.testing import BOUND, Spelling, complete_rules
from leadconvert.testing._complete_parts import made_of


WANTED: dict[str, Callable[[ConversionRules], object]] = {
    "automation": lambda rules: rules.automation and rules.automation.rules,
    "conditions": lambda rules: any(one.when for one in rules.owners),
    "columns": lambda rules: rules.columns,
    "leftovers": lambda rules: rules.leftovers,
    "declined": lambda rules: rules.declined,
    "limits": lambda rules: rules.limits,
    "matching": lambda rules: rules.matching.rules,
    "a normalizer": lambda rules: rules.matching.normalizer != Plain(),
    "a comparison": lambda rules: rules.matching.same,
    "mergers by name": lambda rules: any(
        one.conflict in dict(rules.mergers) for one in rules.mappings
    ),
    "transforms by name": lambda rules: any(
        one.transform in dict(rules.transforms) for one in rules.mappings
    ),
    "templates": lambda rules: any(one.template for one in rules.mappings),
    "parts": lambda rules: any(one.parts for one in rules.mappings),
    "value maps": lambda rules: any(one.values for one in rules.mappings),
    "roles": lambda rules: any(role.forbids for role in rules.policy.roles),
    "required fields": lambda rules: any(one.required for one in rules.pipelines),
    "children": lambda rules: any(one.close for one in rules.children),
    "no leads": lambda rules: rules.automation and rules.automation.without_leads,
    "an end to undoing": lambda rules: rules.undo_within is not None,
}


@pytest.mark.parametrize("part", list(WANTED))
def test_each_part_is_drawn(part: str) -> None:
    """Nothing that rules can hold is never drawn."""
    patient = settings(max_examples=1000, database=None, phases=[Phase.generate])
    rules = find(complete_rules(), lambda rules: bool(WANTED[part](rules)), settings=patient)
    assert WANTED[part](rules)


def test_the_names_stand_for_functions_that_work() -> None:
    """What the drawn rules name can be called."""
    assert "Ada!" == BOUND["transforms"]["shouted"]("Ada")
    assert "old new" == BOUND["mergers"]["both"]("old", "new")
    assert BOUND["functions"]["_alike"](MatchKey("person", "ada l"), MatchKey("person", "ada b"))
    assert "Dr Ada" == Spelling("Dr ").name("Ada")


def test_what_does_not_go_together_is_not_made() -> None:
    """Parts that contradict themselves are none."""
    assert made_of(Kind, " ") is None
