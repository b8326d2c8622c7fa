"""Hypothesis strategies for the small parts of rules: values, mappings, conditions, targets."""

from collections.abc import Callable
from typing import Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    AllOf,
    AnyOf,
    Column,
    Comparison,
    Condition,
    ConversionRules,
    Create,
    Field,
    FieldMapping,
    FieldType,
    Find,
    Kind,
    Link,
    Merge,
    Not,
    Target,
    Where,
)
from leadconvert.errors import DefinitionError
from leadconvert.testing.plain import ids, texts, values


__all__ = ["SIMPLE", "columns", "conditions", "made_of", "raw", "some_target", "sorts", "special"]

SIMPLE: Final = [
    one for one in FieldType if one not in {FieldType.ENUMERATION, FieldType.REFERENCE}
]


def raw(field: Field) -> SearchStrategy[object]:
    """Draw a value that fits *field* in any of the forms that it accepts."""
    one = values(field, filled=True)
    text = texts(filled=True)
    if field.type in {FieldType.URL, FieldType.EMAIL, FieldType.PHONE, FieldType.MESSENGER}:
        return one | text
    if field.type in {FieldType.MONEY, FieldType.DECIMAL}:
        return one | st.integers(-5, 5)
    return one


def special(rules: ConversionRules) -> SearchStrategy[FieldMapping | None]:
    """Draw mappings that make one value of several fields."""
    lead = [name for name in rules.lead.members if not {*name} & {*"{}"}]
    sources = st.lists(st.sampled_from(lead), min_size=1, max_size=3)
    places = [(kind.id, field) for kind in rules.kinds for field in kind.members.values()]
    into = st.sampled_from(places)
    between = texts(max_length=5).map(lambda text: text.replace("{", "{{").replace("}", "}}"))
    templates = st.builds(
        lambda names, glue: glue.join(f"{{{name}}}" for name in names), sources, between
    )
    joined = st.builds(
        lambda place, text: made_of(FieldMapping.joined, place[0], place[1].id, text),
        into,
        templates,
    )
    parts = st.dictionaries(
        st.sampled_from(["city", "street", "country"]), st.sampled_from(lead), min_size=1
    )
    gathered = st.builds(
        lambda place, parts: made_of(FieldMapping.gathered, place[0], place[1].id, parts),
        into,
        parts,
    )
    constant = into.filter(lambda place: place[1].type is not FieldType.REFERENCE).flatmap(
        lambda place: raw(place[1]).map(
            lambda value: made_of(FieldMapping.fixed, place[0], place[1].id, value)
        )
    )
    return joined | gathered | constant


def sorts(kind: Kind) -> set[str]:
    """Return the sorts of keys by which records of a kind are known."""
    types = {field.type for field in kind.members.values()} & {FieldType.EMAIL, FieldType.PHONE}
    return {*(type_.value for type_ in types), *kind.keys}


def conditions(rules: ConversionRules, depth: int = 2) -> SearchStrategy[Condition]:
    """Draw conditions on the lead, of which some are made of others."""
    fields = [one for one in rules.lead.members.values() if one.type is not FieldType.ADDRESS]
    lead = rules.lead

    @st.composite
    def where(draw: st.DrawFn) -> Where:
        field = draw(st.sampled_from(fields))
        how = draw(st.sampled_from(Comparison))
        single = attrs.evolve(field, multiple=False, default=None, max_length=None)
        value: object = None
        if how is Comparison.IN:
            value = draw(st.lists(raw(single), min_size=1, max_size=2))
        elif how not in {Comparison.FILLED, Comparison.EMPTY}:
            value = draw(raw(single))
        one = Where(field.id, how, value)
        return Where(field.id, "filled") if [*one.mistakes(lead, "")] else one

    if not depth:
        return where()
    inner = conditions(rules, depth - 1)
    several = st.lists(inner, min_size=1, max_size=2)
    return where() | several.map(AllOf) | several.map(AnyOf) | inner.map(Not)


@st.composite
def some_target(draw: st.DrawFn, rules: ConversionRules) -> Target:
    """Draw a target of any sort, with values for some of its fields."""
    kind = draw(st.sampled_from(rules.kinds))
    roles = (kind.stage, kind.pipeline, kind.converted_from)
    own = [field for name, field in kind.members.items() if name not in roles and field.to is None]
    chosen = (
        draw(st.lists(st.sampled_from(own), unique_by=lambda one: one.id, max_size=2))
        if own
        else []
    )
    given = {field.id: draw(st.none() | raw(field)) for field in chosen}
    return draw(
        st.just(Find(kind.id, values=given))
        | st.builds(lambda id_: Create(kind.id, values=given, id=id_), st.none() | ids())
        | ids().map(lambda id_: Link(kind.id, id_))
        | st.builds(lambda id_, seen: Merge(kind.id, id_, revision=seen), ids(), st.none() | ids())
    )


def made_of(make: Callable[..., Any], *given: object, **named: object) -> Any:  # noqa: ANN401
    """Return what *make* makes, or None where the parts do not go together."""
    try:
        return make(*given, **named)
    except (DefinitionError, ValueError):
        return None


@st.composite
def columns(draw: st.DrawFn, rules: ConversionRules) -> list[Column]:
    """Draw how a table is read into leads."""
    header = texts(filled=True)
    found = [
        draw(
            st.builds(Column, header, st.just("id"), prefix=st.none() | texts())
            | texts().map(Column.numbered)
        )
    ]
    for name, field in rules.lead.members.items():
        if draw(st.integers(0, 9)) == 0:
            made = made_of(
                Column,
                draw(header),
                name,
                separator=draw(st.sampled_from([None, ";"])) if field.multiple else None,
                default=draw(st.none() | texts()) if field.type is FieldType.TEXT else None,
            )
            found += [] if made is None else [made]
    return [*found, *map(Column.leave, draw(st.lists(header, unique=True, max_size=2)))]
