"""Hypothesis strategies for whole sets of rules; a class of records as a user might write it."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    ChildRule,
    ConversionRules,
    Field,
    FieldMapping,
    FieldType,
    FrozenMap,
    Kind,
    Leftovers,
    Losses,
    Overflow,
    Pipeline,
    Policy,
    Stage,
    StageRole,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.testing.access import policies
from leadconvert.testing.plain import ids, values


__all__ = ["Project", "conversion_rules"]


@attrs.frozen(kw_only=True)
class Project:
    """A class of records as a user might write it: no class of the library's above it.

    `conversion_rules` draws rules that convert into it.

    Example:
        >>> from leadconvert.testing import Project
        >>> Project(id="P-1", name="Engine").stage is None
        True
    """

    id: str
    name: str
    revision: str | None = None
    owner_id: str | None = None
    stage: str | None = None
    budget: Decimal | None = None
    starts_on: date | None = None
    keywords: tuple[str, ...] = ()
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])


_BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
_PROJECT: Final = Kind(
    "project",
    Project,
    fields=[Field("budget", "money"), _BACK],
    owner="owner_id",
    stage="stage",
)
#: Kinds that a CRM may have together: each with those it refers to.
_FAMILIES: Final[tuple[tuple[Kind, ...], ...]] = (
    (COMPANY,),
    (COMPANY, CONTACT),
    (COMPANY, CONTACT, DEAL),
    (DEAL, CONTACT, COMPANY),
    (_PROJECT,),
    (_PROJECT, COMPANY),
    (),
)
# an enumeration needs options and a reference a kind
_CUSTOM_TYPES: Final = [type_ for type_ in FieldType if type_ is not FieldType.REFERENCE]


@st.composite
def _custom_fields(draw: st.DrawFn, prefix: str, *, demanding: bool) -> list[Field]:
    fields: list[Field] = []
    for number, type_ in enumerate(draw(st.lists(st.sampled_from(_CUSTOM_TYPES), max_size=3))):
        options = ["a", "b", "c"] if type_ is FieldType.ENUMERATION else []
        field = Field(
            f"UF_{prefix}_{number}",
            type_,
            multiple=draw(st.booleans()),
            options=options[: draw(st.integers(1, 3))],
            max_length=draw(st.none() | st.integers(1, 20)) if type_ is FieldType.TEXT else None,
        )
        if demanding:
            default = draw(st.none() | values(field, filled=True))
            field = attrs.evolve(field, required=draw(st.booleans()), default=default)
        fields.append(field)
    return fields


@st.composite
def _pipelines(draw: st.DrawFn, name: str, kind: str, *, default: bool) -> Pipeline:
    """Draw stages with any names, exactly one of them a success."""
    roles = [
        StageRole.SUCCESS,
        StageRole.PROCESS,
        *draw(st.lists(st.sampled_from([StageRole.PROCESS, StageRole.FAILURE]), max_size=3)),
    ]
    ordered = draw(st.permutations(roles))
    size = len(ordered)
    names = draw(st.lists(ids(), unique=True, min_size=size, max_size=size))
    return Pipeline(name, kind, list(map(Stage, names, ordered)), default=default)


@st.composite
def _kinds(draw: st.DrawFn) -> list[Kind]:
    family = draw(st.sampled_from(_FAMILIES))
    kinds = [
        attrs.evolve(kind, custom=draw(_custom_fields(kind.id, demanding=True))) for kind in family
    ]
    if not family or draw(st.booleans()):
        refers = [Field("company_id", "reference", to="company")] if COMPANY in family else []
        own = [
            Field("number", "text", required=True, max_length=30),
            Field("total", "money", currency="currency"),
            Field("currency", "text"),
        ]
        custom = draw(_custom_fields("invoice", demanding=True))
        kinds.append(Kind("invoice", fields=[*own, *refers, _BACK], custom=custom))
    return kinds


@st.composite
def _guarded(draw: st.DrawFn, kind: Kind) -> Kind:
    """Draw *kind* with a few of its fields, standard and custom, marked as sensitive."""
    hideable = [name for name in kind.members if name not in {kind.stage, kind.pipeline}]
    custom_ids = [field.id for field in kind.custom] or hideable  # they are the few
    either = st.sampled_from(custom_ids) | st.sampled_from(hideable)
    names = draw(st.lists(either, unique=True, max_size=3))
    marked = {name: attrs.evolve(kind.members[name], sensitive=True) for name in names}
    custom = [marked.pop(field.id, field) for field in kind.custom]
    described = {field.id: field for field in kind.fields}
    return attrs.evolve(kind, fields=[*(described | marked).values()], custom=custom)


@st.composite
def _mapping(draw: st.DrawFn, lead: Kind, kind: Kind, target: Field) -> FieldMapping:
    """Draw a mapping that carries what fits, or a constant where nothing could."""
    sources = [field for field in lead.members.values() if field.id != lead.stage]
    fitting = [field.id for field in sources if target.fits(field)]
    choices: list[SearchStrategy[FieldMapping]] = []
    if fitting:
        order = st.lists(st.sampled_from(fitting), unique=True, min_size=1, max_size=3)
        choices.append(
            order.map(lambda ids: FieldMapping(ids[0], kind.id, target.id, fallbacks=ids[1:]))
        )
    together = _gathered(sources, kind, target)
    if together:
        choices.append(st.sampled_from(together))
    if target.to is None:
        constants = values(target, filled=True)
        choices.append(constants.map(lambda value: FieldMapping.fixed(kind.id, target.id, value)))
    turns = _turned(sources, target)
    if turns:
        choices.append(
            st.sampled_from(turns).map(
                lambda turn: FieldMapping(turn[0], kind.id, target.id, transform=turn[1])
            )
        )
    mapping = draw(st.one_of(choices))
    if mapping.constant is None and target.max_length is not None:
        mapping = attrs.evolve(mapping, overflow=draw(st.sampled_from(Overflow)))
    return mapping


def _gathered(sources: Iterable[Field], kind: Kind, target: Field) -> list[FieldMapping]:
    """Return mappings that make a text, or an address, of several fields."""
    names = [field.id for field in sources if field.type is FieldType.TEXT and not field.multiple]
    if target.multiple or len(names) < 2:  # noqa: PLR2004 - several are two
        return []
    first, second, *_ = names
    if target.type is FieldType.ADDRESS:
        return [FieldMapping.gathered(kind.id, target.id, {"city": first, "country": second})]
    if target.type is FieldType.TEXT and target.max_length is None:
        return [FieldMapping.joined(kind.id, target.id, f"{{{first}}} / {{{second}}}")]
    return []


def _turned(sources: Iterable[Field], target: Field) -> list[tuple[str, str]]:
    """Return the sources that a transform makes fit *target*, each with its name."""
    if target.multiple:
        return []
    found = [
        (field.id, "first")
        for field in sources
        if field.multiple and target.fits(attrs.evolve(field, multiple=False))
    ]
    if target.type is FieldType.TEXT and target.max_length is None:
        for field in sources:
            if field.multiple:
                found.append((field.id, "join"))
            elif field.type is FieldType.TEXT:
                found += [(field.id, one) for one in ("upper", "lower", "strip", "family_name")]
            elif field.type is FieldType.ADDRESS:
                found.append((field.id, "city"))
    return found


@st.composite
def _mappings(draw: st.DrawFn, lead: Kind, kinds: Iterable[Kind]) -> list[FieldMapping]:
    found: list[FieldMapping] = []
    for kind in kinds:
        roles = (kind.stage, kind.pipeline, kind.converted_from)
        names = [name for name in kind.members if name not in roles]
        for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=8)):
            found += [draw(_mapping(lead, kind, kind.members[name]))]
    used = {source for mapping in found for source in mapping.sources}
    rest = [name for name in lead.members if name not in {*used, lead.stage}]
    left = draw(st.lists(st.sampled_from(rest), unique=True, max_size=3))
    return [*found, *map(FieldMapping.leave, left)]


@st.composite
def _children(draw: st.DrawFn, kinds: Iterable[Kind]) -> list[ChildRule]:
    """Draw how activities travel, if there are any."""
    if not draw(st.booleans()):
        return []
    names = [kind.id for kind in kinds]
    refers = [Field(f"{name}_ids", "reference", to=name, multiple=True) for name in names]
    activity = Kind(
        "activity",
        fields=[
            Field("subject", "text"),
            Field("completed", "boolean"),
            Field("lead_ids", "reference", to="lead", multiple=True),
            *refers,
        ],
        converted_from=None,
    )
    travels = st.sampled_from(["move", "copy", "share", None])
    into = [(name, draw(travels)) for name in draw(st.permutations(names))]
    return [
        ChildRule(
            activity,
            {name: travel for name, travel in into if travel is not None},
            close=draw(st.sampled_from([{}, {"completed": True}])),
            asks=draw(st.booleans()),
        )
    ]


@st.composite
def _leftovers(draw: st.DrawFn, kinds: Iterable[Kind]) -> list[Leftovers]:
    """Draw where values that reach nothing are kept, if anywhere."""
    places = [Leftovers(kind.id, name) for kind in kinds for name in (None, *_noted(kind))]
    if not places or draw(st.booleans()):
        return []
    return [draw(st.sampled_from(places))]


def _noted(kind: Kind) -> list[str]:
    return [
        name
        for name, field in kind.members.items()
        if field.type is FieldType.TEXT
        and not field.multiple
        and field.max_length is None
        and name == "comments"
    ]


def conversion_rules(*, restricted: bool = False) -> SearchStrategy[ConversionRules]:
    """Draw rules that hold together: any stages, kinds, custom fields, mappings and pipelines.

    The kinds are standard ones, `Project` (a class of one's own) and ``invoice`` (fields alone);
    some have sensitive fields, and some rules have activities that travel along. Everybody may do
    everything, unless *restricted* asks for `policies` as well.

    Example:
        >>> from hypothesis import given, settings
        >>> from leadconvert.testing import conversion_rules
        >>> @settings(max_examples=3, database=None)
        ... @given(conversion_rules())
        ... def test_there_is_something_to_convert_into(rules):
        ...     assert rules.order
        >>> test_there_is_something_to_convert_into()
    """

    @st.composite
    def drawn(draw: st.DrawFn) -> ConversionRules:
        custom = draw(_custom_fields("lead", demanding=False))
        kinds = draw(_kinds())
        lead = _lead_among(kinds, custom)
        if draw(st.booleans()):
            lead, *kinds = (draw(_guarded(kind)) for kind in (lead, *kinds))
        pipelines = [draw(_pipelines("leads", "lead", default=False))]
        for kind in kinds:
            count = draw(st.integers(1, 2)) if kind.pipeline else int(kind.stage is not None)
            pipelines += (
                draw(_pipelines(f"{kind.id} {number}", kind.id, default=number == 0))
                for number in range(count)
            )
        rules = ConversionRules(
            lead=lead,
            kinds=kinds,
            pipelines=pipelines,
            mappings=draw(_mappings(lead, kinds)),
            children=draw(_children(kinds)),
            losses=draw(st.sampled_from([Losses.REPORT, Losses.LENIENT])),
            leftovers=draw(_leftovers(kinds)),
            policy=Policy.allow_all(),
        )
        return attrs.evolve(rules, policy=draw(policies(rules))) if restricted else rules

    return drawn()


def _lead_among(kinds: Iterable[Kind], custom: Iterable[Field]) -> Kind:
    """Return the lead's kind; where there are no such clients, what would point at them is text."""
    there = {kind.id for kind in kinds}
    fields = [field for field in LEAD.fields if field.to is None or field.to in there]
    return attrs.evolve(LEAD, fields=fields, custom=custom)
