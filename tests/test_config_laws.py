"""Laws of rules files, for any rules: nothing is lost, and nothing is worse than a refusal."""

import json
import random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from mutations import mutated, path_of, standing_at, strange, text_of

from leadconvert import ConversionRules, config
from leadconvert.errors import DefinitionError, Problem
from leadconvert.testing import BOUND, complete_rules


FORMS = st.sampled_from(["toml", "json"])
Form = Literal["toml", "json"]
SCHEMA = Draft202012Validator(config.schema())


@settings(max_examples=60)
@given(complete_rules(), FORMS)
def test_there_and_back(rules: ConversionRules, form: Form) -> None:
    """Rules come back as they were, to the digest; written again, the file is the same."""
    text = config.dumps(rules, form)
    again = config.loads(text, form, **BOUND)
    assert rules == again
    assert rules.digest == again.digest
    assert text == config.dumps(again, form)


@settings(max_examples=40)
@given(complete_rules())
def test_the_schema_takes_what_is_written(rules: ConversionRules) -> None:
    """Every file is valid by the schema that editors check it by."""
    assert [] == [*SCHEMA.iter_errors(json.loads(config.dumps(rules, "json")))]


def refusal(text: str, form: Form) -> tuple[Problem, ...]:
    """What is wrong with a text, if anything is; whatever else is raised goes through."""
    try:
        config.loads(text, form, **BOUND)
    except DefinitionError as error:
        return error.problems
    return ()


@settings(max_examples=40)
@given(complete_rules(), FORMS, st.randoms(use_true_random=False))
def test_slips(rules: ConversionRules, form: Form, chance: random.Random) -> None:
    """A file with slips is read, or refused at paths that exist; the schema knows no more keys."""
    data = json.loads(config.dumps(rules, "json"))
    for slips in (1, 1, 1, 1, 1, 2, 3, 4):
        other = mutated(data, chance, slips)
        found = refusal(text_of(other, form), form)
        assert [] == strange(found, other)
        named = ((path_of(str(one.place))[-1:], one.params.get("name")) for one in found)
        unheard = [
            name
            for one, (path, name) in zip(found, named, strict=True)
            if one.params.get("what") == "key" and path == (name,)
        ]
        assert not unheard or not SCHEMA.is_valid(other)


@settings(max_examples=300)
@given(st.text() | st.text("[]{}=\"'\\,.\n#$ a1-:T"), FORMS)
def test_any_text(text: str, form: Form) -> None:
    """Whatever a text says, nothing but a refusal comes of it."""
    for one in (text, f"schema_version = 1\n{text}", f'{{"schema_version": 1, {text}}}'):
        assert refusal(one, form)


@settings(max_examples=100)
@given(data=st.binary(), name=st.sampled_from(["crm.toml", "crm.json"]))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    """Whatever a file holds, nothing but a refusal comes of it."""
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    with pytest.raises(DefinitionError) as refused:
        config.load(path)
    assert all(str(one.place).startswith(name) for one in refused.value.problems)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN)
def test_any_data(data: object) -> None:
    """Whatever plain data stands in the place of any part, it is refused at a path that exists."""
    for name in ("kinds", "mappings", "policy", "automation", "matching", "lead"):
        whole = {"schema_version": 1, "kinds": [], "pipelines": [], name: data}
        assert [] == strange(refusal(json.dumps(whole), "json"), whole)


def test_paths_are_read_as_they_are_told() -> None:
    """The reader of paths in these tests reads what is told."""
    data = {"a": [{"b c": 1}], "": {'"': 2}}
    assert 1 == standing_at(data, path_of('crm.toml: a[0]."b c"'))
    assert 2 == standing_at(data, path_of('""."\\""'))
