"""Hypothesis strategies for rules that use everything rules can hold, as rules files have to."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    Actor,
    Automation,
    AutomationRule,
    ChildRule,
    Conflict,
    ConversionRules,
    Exceptions,
    Field,
    FieldMapping,
    FieldType,
    Kind,
    Leftovers,
    Limit,
    Losses,
    Made,
    Matching,
    MatchKey,
    MatchRule,
    Option,
    OwnerRule,
    Ownership,
    Pipeline,
    Plain,
    Required,
    Stage,
    Then,
    WithoutLeads,
)
from leadconvert.errors import DefinitionError
from leadconvert.testing._complete_parts import (
    SIMPLE,
    columns,
    conditions,
    made_of,
    raw,
    some_target,
    sorts,
    special,
)
from leadconvert.testing.access import policies
from leadconvert.testing.plain import texts, users, values
from leadconvert.testing.rules import Project, conversion_rules


__all__ = ["BOUND", "Spelling", "complete_rules"]


@attrs.frozen
class Spelling(Plain):
    """A normalizer as a user might write it: names as they are spelt, behind a *prefix*.

    `complete_rules` draws rules that match by it.

    Example:
        >>> from leadconvert.testing import Spelling
        >>> Spelling("Dr ").name("Ada")
        'Dr Ada'
    """

    prefix: str = ""

    def name(self, value: str, /) -> str | None:
        """Return the name behind the prefix.

        Example:
            >>> from leadconvert.testing import Spelling
            >>> Spelling().name("Ada")
            'Ada'
        """
        return f"{self.prefix}{value}"


def _shouted(value: object) -> object:
    return f"{value}!"


def _both(old: object, new: object) -> object:
    return f"{old} {new}"


def _alike(one: MatchKey, other: MatchKey) -> bool:
    return one.value[:3] == other.value[:3]


#: What the names stand for in a file of the rules that `complete_rules` draws.
BOUND: Final[Mapping[str, Mapping[str, Any]]] = {
    "transforms": {"shouted": _shouted, "shouted again": _shouted},
    "mergers": {"both": _both, "both again": _both},
    "classes": {"Project": Project, "Spelling": Spelling},
    "functions": {"_alike": _alike},
}


def complete_rules() -> SearchStrategy[ConversionRules]:
    """Draw rules that hold together and may use anything there is: `conversion_rules`, and more.

    Automation with conditions, matching, owners, limits, losses, columns, templates, transforms and
    mergers by name, classes of a user's own, policies, and values and labels of any text. What
    stands for the names is in `leadconvert.testing.BOUND`.

    Example:
        >>> from hypothesis import given, settings
        >>> from leadconvert.testing import complete_rules
        >>> @settings(max_examples=3, database=None)
        ... @given(complete_rules())
        ... def test_they_hold_together(rules):
        ...     assert rules.digest
        >>> test_they_hold_together()
    """
    return conversion_rules().flatmap(_completed)


@st.composite
def _completed(draw: st.DrawFn, rules: ConversionRules) -> ConversionRules:
    """Draw what *rules* do not have yet; of what does not go together the first stays."""
    steps: tuple[Callable[[ConversionRules], SearchStrategy[Mapping[str, object]]], ...] = (
        _names,
        _lead,
        _pipelines,
        _functions,
        _plain_parts,
        lambda rules: st.fixed_dictionaries({"mappings": _mappings(rules)}),
        lambda rules: st.fixed_dictionaries({"mappings": _mappings(rules)}),
        lambda rules: st.fixed_dictionaries({"matching": _matching(rules)}),
        lambda rules: st.fixed_dictionaries({"owners": _owners(rules)}),
        lambda rules: st.fixed_dictionaries({"leftovers": _leftovers(rules)}),
        lambda rules: st.fixed_dictionaries({"columns": columns(rules)}),
        lambda rules: st.fixed_dictionaries({"children": _children(rules)}),
        lambda rules: st.fixed_dictionaries({"policy": policies(rules)}),
        lambda rules: st.fixed_dictionaries({"automation": _automation(rules)}),
    )
    for step in steps:
        if draw(st.integers(0, 3)):
            rules = _if_it_goes(rules, draw(step(rules)))
    return rules


def _if_it_goes(rules: ConversionRules, parts: Mapping[str, object]) -> ConversionRules:
    functions = {"transforms": dict(rules.transforms), "mergers": dict(rules.mergers)}
    try:
        evolve: Callable[..., ConversionRules] = attrs.evolve
        return evolve(rules, **{**functions, **parts})
    except DefinitionError:
        return rules


@st.composite
def _names(draw: st.DrawFn, rules: ConversionRules) -> Mapping[str, object]:
    """Draw labels and ids of kinds that no program would choose."""
    labelled = [attrs.evolve(kind, label=draw(texts())) for kind in rules.kinds]
    name = draw(texts(filled=True))
    back = Field("back", "reference", to="lead", multiple=True)
    own = [back, Field(draw(texts(filled=True)), "text", label=draw(texts()))]
    strange = made_of(Kind, name, fields=own, converted_from="back", any_of=[["back"]])
    added = [] if strange is None or not draw(st.booleans()) else [strange]
    return {"kinds": [*labelled, *added]}


@st.composite
def _lead(draw: st.DrawFn, rules: ConversionRules) -> Mapping[str, object]:
    options = draw(st.lists(texts(filled=True), unique=True, min_size=1, max_size=3))
    choice = Field(
        "UF choice",
        "enumeration",
        options=[Option(one, draw(st.none() | texts())) for one in options],
        multiple=draw(st.booleans()),
    )
    choice = attrs.evolve(choice, default=draw(st.none() | values(choice, filled=True)))
    every = [
        Field(f"UF {type_}", type_, default=draw(st.none() | raw(Field("x", type_))))
        for type_ in draw(st.lists(st.sampled_from(SIMPLE), unique=True, max_size=4))
    ]
    custom = [*rules.lead.custom, choice, *every]
    lead = attrs.evolve(rules.lead, custom=custom)
    if draw(st.booleans()):
        lead = attrs.evolve(lead, owner=None, name=None)
    return {"lead": lead, "declined": draw(st.sampled_from([{}, {"UF choice": [*rules.order]}]))}


@st.composite
def _pipelines(draw: st.DrawFn, rules: ConversionRules) -> Mapping[str, object]:
    return {"pipelines": [draw(_pipeline(one, rules)) for one in rules.pipelines]}


@st.composite
def _pipeline(draw: st.DrawFn, pipeline: Pipeline, rules: ConversionRules) -> Pipeline:
    names = [stage.id for stage in pipeline.stages]
    some = st.lists(st.sampled_from(names), unique=True, max_size=2)
    stages = [
        Stage(one.id, one.role, label=draw(st.none() | texts()), to=draw(st.none() | some))
        for one in pipeline.stages
    ]
    kind = next(kind for kind in rules.every_kind if kind.id == pipeline.kind)
    fields = st.lists(st.sampled_from([*kind.members]), unique=True, min_size=1, max_size=2)
    required = [Required(draw(fields), failures=draw(st.booleans()))]
    required += [Required(draw(fields), since=draw(st.none() | st.sampled_from(names)))]
    made = made_of(
        attrs.evolve,
        pipeline,
        stages=stages,
        label=draw(st.none() | texts()),
        forward_only=draw(st.booleans()),
        required=required[: draw(st.integers(0, 2))],
    )
    return pipeline if made is None else made


@st.composite
def _functions(draw: st.DrawFn, rules: ConversionRules) -> Mapping[str, object]:
    """Draw which functions the rules have, whether any mapping names them or not."""
    del rules
    return {
        what: {name: BOUND[what][name] for name in draw(st.sets(st.sampled_from([*BOUND[what]])))}
        for what in ("transforms", "mergers")
    }


@st.composite
def _plain_parts(draw: st.DrawFn, rules: ConversionRules) -> Mapping[str, object]:
    spans = st.timedeltas(timedelta(-5), timedelta(5000))
    limited = draw(st.sets(st.sampled_from(rules.order), max_size=2))
    staged = [kind.id for kind in rules.kinds if kind.stage is not None]
    made = [
        Limit(
            name,
            draw(st.sampled_from([Made.ALWAYS, Made.NEVER, *[Made.NO_OPEN] * (name in staged)])),
        )
        for name in sorted(limited)
    ]
    return {
        "staged": draw(st.booleans()),
        "undo_within": draw(st.none() | spans),
        "losses": draw(st.sampled_from(Losses)),
        "limits": made,
    }


@st.composite
def _mappings(draw: st.DrawFn, rules: ConversionRules) -> list[FieldMapping]:
    """Draw the mappings there are, some of them saying more, and some that say something else."""
    changed = [draw(_refined(one, rules)) for one in rules.mappings]
    added = draw(st.lists(special(rules), max_size=3))
    found = list[FieldMapping]()
    for one in (*changed, *added):
        places = {(each.kind, each.target) for each in found if each.kind is not None}
        if one is not None and (one.kind, one.target) not in places:
            found.append(one)
    return found


@st.composite
def _refined(draw: st.DrawFn, mapping: FieldMapping, rules: ConversionRules) -> FieldMapping:
    if mapping.kind is None or draw(st.booleans()):
        return mapping
    own = rules.kind(mapping.kind)
    field = None if own is None else own.members[str(mapping.target)]
    rule = draw(
        st.sampled_from([Conflict.FILL, Conflict.KEEP, Conflict.TAKE, *dict(rules.mergers)])
    )
    told = texts() if field is None else (raw(field) | texts())
    meanings = st.dictionaries(texts(), st.none() | told, max_size=2)
    transforms = st.sampled_from([mapping.transform, *dict(rules.transforms)])
    made = made_of(
        attrs.evolve,
        mapping,
        conflict=rule,
        values=draw(meanings),
        transform=draw(transforms),
        overflow=draw(st.sampled_from(["refuse", "shorten"])),
    )
    return mapping if made is None else made


@st.composite
def _matching(draw: st.DrawFn, rules: ConversionRules) -> Matching:
    lead = sorts(rules.lead)
    found: list[MatchRule] = []
    for kind in rules.kinds:
        shared = sorted(lead & sorts(kind))
        is_matched: bool = draw(st.booleans())
        if shared and is_matched:
            several = st.lists(st.sampled_from(shared), min_size=1, unique=True)
            by = draw(st.lists(several, min_size=1, max_size=3))
            found.append(MatchRule(kind.id, by, draw(st.sampled_from(Then))))
    return Matching(
        found,
        enrich=draw(st.booleans()),
        exceptions=Exceptions(
            emails=draw(st.lists(texts(), max_size=2)), phones=draw(st.lists(texts(), max_size=2))
        ),
        normalizer=draw(st.just(Plain()) | st.builds(Spelling, texts())),
        same=draw(st.sampled_from([None, _alike])),
    )


@st.composite
def _owners(draw: st.DrawFn, rules: ConversionRules) -> list[OwnerRule]:
    owned = ["*", *(kind.id for kind in rules.kinds if kind.owner is not None)]
    found: list[OwnerRule] = []
    for _ in range(draw(st.integers(0, 3))):
        how = draw(st.sampled_from(Ownership))
        listed = how in {Ownership.LISTED, Ownership.ROTATED}
        among = draw(st.lists(users(), min_size=1, unique=True)) if listed else []
        when = draw(st.none() | conditions(rules))
        found.append(OwnerRule(draw(st.sampled_from(owned)), how, among=among, when=when))
    return found


@st.composite
def _leftovers(draw: st.DrawFn, rules: ConversionRules) -> list[Leftovers]:
    found: list[Leftovers] = []
    for kind in rules.kinds:
        roles = (kind.stage, kind.pipeline, kind.owner)
        fits = [
            one.id
            for one in kind.members.values()
            if one.type is FieldType.TEXT and not one.multiple and one.id not in roles
        ]
        if draw(st.booleans()):
            field = draw(st.none() | st.sampled_from(fits)) if fits else None
            found.append(
                Leftovers(kind.id, field, overflow=draw(st.sampled_from(["refuse", "shorten"])))
            )
    return found


@st.composite
def _children(draw: st.DrawFn, rules: ConversionRules) -> list[ChildRule]:
    """Draw what an open child of a lead is closed with, in any of the types there are."""
    closing = [
        Field(f"closed {type_}", type_)
        for type_ in draw(st.lists(st.sampled_from(SIMPLE), unique=True, max_size=3))
    ]
    note = Kind(
        "note",
        fields=[Field("lead_id", "reference", to=rules.lead.id), *closing],
        label=draw(texts()),
        converted_from=None,
    )
    close = {field.id: draw(raw(field)) for field in closing}
    return [*rules.children, ChildRule(note, close=close, asks=draw(st.booleans()))]


@st.composite
def _automation(draw: st.DrawFn, rules: ConversionRules) -> Automation:
    roles = [role.id for role in rules.policy.roles]
    actor = Actor(
        draw(texts(filled=True)),
        draw(st.sets(st.sampled_from(roles))) if roles else (),
        department=draw(st.sets(users())),
        subteams=draw(st.sets(users())),
    )
    stages = [stage.id for stage in rules.lead_pipeline.stages]
    found: list[AutomationRule] = []
    for name in draw(st.lists(texts(filled=True), unique=True, max_size=3)):
        into = draw(st.lists(some_target(rules), max_size=2))
        moves = not into or draw(st.booleans())
        found.append(
            AutomationRule(
                name,
                into,
                on=draw(st.none() | st.sampled_from(stages)),
                when=draw(st.none() | conditions(rules)),
                to=draw(st.sampled_from(stages)) if moves else None,
                closing=not moves,
                close_activities=draw(st.booleans()),
            )
        )
    mode = st.builds(
        WithoutLeads,
        into=st.sets(st.sampled_from(rules.order), min_size=1, max_size=2).map(sorted),
        placeholder=texts(filled=True),
        close_activities=st.booleans(),
    )
    every = Automation(actor, found, without_leads=draw(st.none() | mode))
    # a rule that could not act is left out, so that the others are there
    kept = [one for one in found if _goes(rules, attrs.evolve(every, rules=[one]))]
    return attrs.evolve(every, rules=kept)


def _goes(rules: ConversionRules, automation: Automation) -> bool:
    return _if_it_goes(rules, {"automation": automation}) is not rules
