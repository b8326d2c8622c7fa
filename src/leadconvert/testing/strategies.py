"""Hypothesis strategies: plain values, leads that fit rules, requests, and whole sets of rules.

Each shrinks to something small. *filled* asks for values that say something; without it blank ones
are among those drawn, as they are in any real CRM.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final, cast

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    Action,
    Actor,
    Address,
    Channel,
    ConversionRules,
    Create,
    Field,
    FieldMapping,
    FieldType,
    FrozenMap,
    Grant,
    Kind,
    Lead,
    Pipeline,
    Policy,
    Product,
    Role,
    Scope,
    Stage,
    StageRole,
    Target,
)
from leadconvert.fields import COMPANY, CONTACT, DEAL, LEAD


__all__ = [
    "Project",
    "actors",
    "addresses",
    "amounts",
    "channels",
    "conversion_rules",
    "days",
    "leads",
    "moments",
    "policies",
    "products",
    "targets",
    "texts",
    "values",
]


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


_BLANKS: Final = ("", " ", "\t\n ")
# a lone surrogate is no text that could be sent or stored
_CHARACTERS: Final = st.characters(exclude_categories=["Cs"])
_LONGEST: Final = 40


def texts(*, filled: bool = False, max_length: int = _LONGEST) -> SearchStrategy[str]:
    """Draw texts of any script, with control and right-to-left characters, up to *max_length*.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import texts
        >>> find(texts(filled=True), lambda text: True)
        '0'
    """
    said = st.text(_CHARACTERS, min_size=1, max_size=max_length).filter(lambda text: text.strip())
    if filled:
        return said
    return st.sampled_from([blank for blank in _BLANKS if len(blank) <= max_length]) | said


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


def moments() -> SearchStrategy[datetime]:
    """Draw moments from 1900 to 2199, each with a time zone.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import moments
        >>> find(moments(), lambda moment: True).isoformat()
        '2000-01-01T00:00:00+00:00'
    """
    return st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone itself
        max_value=datetime(2199, 12, 31),  # noqa: DTZ001
        timezones=st.just(UTC) | st.integers(-14 * 60, 14 * 60).map(_zone),
    )


def days() -> SearchStrategy[date]:
    """Draw days from 1900 to 2199.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import days
        >>> find(days(), lambda day: True)
        datetime.date(2000, 1, 1)
    """
    return st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31))


def amounts() -> SearchStrategy[Decimal]:
    """Draw exact, finite amounts with two decimals, zero and negative ones among them.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import amounts
        >>> find(amounts(), lambda amount: amount > 1)
        Decimal('1.01')
    """
    return st.integers(-(10**11), 10**11).map(lambda cents: Decimal(cents).scaleb(-2))


def channels(*, filled: bool = False) -> SearchStrategy[Channel]:
    """Draw phones, e-mails and the like, with and without a use.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import channels
        >>> find(channels(filled=True), lambda channel: True)
        Channel(value='0', use=None)
    """
    uses = st.none() | st.sampled_from(["work", "home", "other"])
    return st.builds(Channel, texts(filled=filled), uses)


def addresses(*, filled: bool = False) -> SearchStrategy[Address]:
    """Draw postal addresses with any of their parts.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import addresses
        >>> find(addresses(filled=True), lambda address: True).city
        '0'
    """
    maybe = st.none() | texts()
    return st.builds(
        Address,
        street=maybe,
        city=texts(filled=True) if filled else maybe,
        postal_code=maybe,
        country=maybe,
        country_code=st.none() | st.sampled_from(["DE", "GB", "GR"]),
    )


def products() -> SearchStrategy[Product]:
    """Draw product lines.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import products
        >>> find(products(), lambda product: product.quantity > 1).quantity
        Decimal('2')
    """
    return st.builds(
        Product,
        name=texts(),
        price=amounts(),
        quantity=st.integers(0, 10**6),
        product_id=st.none() | _ids(),
        tax_percent=st.none() | st.integers(0, 100),
    )


def _ids() -> SearchStrategy[str]:
    return st.text("0123456789abcdefXYZ-_.", min_size=1, max_size=8)


def values(field: Field, *, filled: bool = False) -> SearchStrategy[object]:
    """Draw values that fit *field*, whatever its type: within its length, out of its options.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import Field
        >>> from leadconvert.testing import values
        >>> heat = Field("heat", "enumeration", options=["cold", "hot"], multiple=True)
        >>> find(values(heat, filled=True), lambda value: True)
        ('cold',)
    """
    one = _one(field, filled=filled)
    if field.multiple:
        return st.lists(one, min_size=int(filled), max_size=3).map(tuple)
    return one if filled else st.none() | one


def _one(field: Field, *, filled: bool) -> SearchStrategy[object]:
    """Draw what a single-valued field of this type could hold."""
    longest = min(field.max_length or _LONGEST, _LONGEST)
    of_type: dict[FieldType, SearchStrategy[object]] = {
        FieldType.TEXT: texts(filled=filled, max_length=longest),
        FieldType.INTEGER: st.integers(),
        FieldType.DECIMAL: amounts(),
        FieldType.MONEY: amounts(),
        FieldType.BOOLEAN: st.booleans(),
        FieldType.DATE: days(),
        FieldType.DATETIME: moments(),
        FieldType.ADDRESS: addresses(filled=filled),
        FieldType.PRODUCT: products(),
        FieldType.FILE: _ids(),
        FieldType.REFERENCE: _ids(),
    }
    if field.type is FieldType.ENUMERATION:
        return st.sampled_from([option.id for option in field.options])
    return of_type.get(field.type, channels(filled=filled))


def _anything() -> SearchStrategy[object]:
    """Draw plain values that fit no field in particular."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        texts(),
        amounts(),
        days(),
        moments(),
        channels(),
        st.lists(texts(), max_size=2).map(tuple),
    )


def _undeclared(rules: ConversionRules) -> SearchStrategy[dict[str, object]]:
    """Draw custom values that the rules say nothing of, as systems have them."""
    names = [name for name in ("UF_OTHER_1", "UF_OTHER_2", "x") if name not in rules.lead.members]
    return st.dictionaries(st.sampled_from(names), _anything(), max_size=2)


def leads(
    rules: ConversionRules,
    *,
    stages: Iterable[str] | None = None,
    bound: bool = False,
    undeclared: bool = True,
) -> SearchStrategy[Lead]:
    """Draw leads that fit *rules*: any of their fields filled, declared custom ones among them.

    Args:
        rules: whose lead kind says what a lead has.
        stages: the stages a lead may stand in; those in process unless given.
        bound: whether leads may point at contacts and companies. To convert such a lead, hand over
            the records it points at in ``known=``.
        undeclared: whether leads may have custom fields that the rules say nothing of.

    Example:
        >>> from hypothesis import given, settings
        >>> from leadconvert import presets
        >>> from leadconvert.testing import leads
        >>> @settings(max_examples=3, database=None)
        ... @given(leads(presets.bitrix24(), stages=["NEW"]))
        ... def test_a_lead_is_new(lead):
        ...     assert lead.stage == "NEW"
        >>> test_a_lead_is_new()
    """
    in_process = (stage.id for stage in rules.lead_pipeline.in_role(StageRole.PROCESS))
    allowed = tuple(in_process if stages is None else stages)
    skipped = {rules.lead.stage, *(() if bound else rules.lead.references)}
    members = {name: field for name, field in rules.lead.members.items() if name not in skipped}
    other = _undeclared(rules) if undeclared else st.just(dict[str, object]())

    @st.composite
    def drawn(draw: st.DrawFn) -> Lead:
        number, stage = draw(st.integers(1, 99)), draw(st.sampled_from(allowed))
        names = draw(st.lists(st.sampled_from(list(members)), unique=True))
        held = {name: draw(values(members[name])) for name in names}
        record = rules.lead.build(f"L-{number}", {"stage": stage} | held | draw(other))
        return cast("Lead", record)  # rules refuse any other class for leads

    return drawn()


_ROLES: Final = ("r-1", "r-2", "r-3")
_USERS: Final = ("u-1", "u-2", "u-3")


def actors(rules: ConversionRules) -> SearchStrategy[Actor]:
    """Draw actors with any of the roles that *rules* know, and sometimes one they do not.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import actors
        >>> find(actors(presets.bitrix24()), lambda actor: "sales" in actor.roles).id
        'u-1'
    """
    names = [*(role.id for role in rules.policy.roles), "a role of no policy"]
    return st.builds(Actor, st.sampled_from(_USERS), st.sets(st.sampled_from(names), max_size=3))


def policies(rules: ConversionRules) -> SearchStrategy[Policy]:
    """Draw policies over the kinds of *rules*: no roles, a few with any grants, or everything.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import policies
        >>> find(policies(presets.bitrix24()), lambda policy: len(policy.roles) == 1)
        Policy(roles=(Role(id='r-1', grants=()),), unrestricted=False)
    """
    kinds = ["*", rules.lead.id, *(kind.id for kind in rules.kinds)]
    scopes = st.sets(st.sampled_from(list(Scope)), min_size=1)
    actions = st.sets(st.sampled_from(list(Action)), min_size=1)
    grants = st.lists(st.builds(Grant, st.sampled_from(kinds), actions, scopes), max_size=4)
    some = st.lists(st.sampled_from(_ROLES), unique=True).flatmap(
        lambda names: st.tuples(*(st.builds(Role, st.just(name), grants) for name in names))
    )
    return some.map(Policy) | st.just(Policy.allow_all())


def targets(
    rules: ConversionRules,
    *,
    fitting: bool = False,
    repeated: bool = True,
    max_size: int = 4,
) -> SearchStrategy[list[str | Target]]:
    """Draw what may be asked for: kinds by name, and new records with supplied values.

    Nothing promises that the request can be met: required fields may be missing, and unless
    *fitting* kinds and fields may be unknown and values misfit. With *repeated* a kind may come
    several times.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import targets
        >>> find(targets(presets.bitrix24(), fitting=True), lambda into: len(into) == 2)
        ['contact', 'contact']
    """
    by_id = {kind.id: kind for kind in rules.kinds}
    names = list(by_id) if fitting else [*by_id, "nothing of the kind"]

    @st.composite
    def drawn(draw: st.DrawFn) -> list[str | Target]:
        found: list[str | Target] = []
        size = draw(st.integers(1, max_size))
        asked = st.lists(st.sampled_from(names), min_size=1, max_size=size, unique=not repeated)
        for name in draw(asked):
            given = draw(st.none() | _supplied(by_id.get(name), fitting=fitting))
            found.append(name if given is None else Create(name, values=given))
        return found

    return drawn()


def _supplied(kind: Kind | None, *, fitting: bool) -> SearchStrategy[dict[str, object]]:
    """Draw values as a user would supply them; where they are to fit, to no reference or stage."""
    members = {} if kind is None else dict(kind.members)
    if fitting and kind is not None:
        roles = {kind.stage, kind.pipeline, kind.converted_from, *kind.references}
        members = {name: field for name, field in members.items() if name not in roles}
    names = list(members) if fitting else [*members, "no such field", "nor this"]

    def held(name: str) -> SearchStrategy[object]:
        if name not in members:
            return _anything()
        return values(members[name]) if fitting else values(members[name]) | _anything()

    return st.lists(st.sampled_from(names), unique=True, max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: held(name) for name in chosen})
    )


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
    ids = draw(st.lists(_ids(), unique=True, min_size=size, max_size=size))
    return Pipeline(name, kind, list(map(Stage, ids, ordered)), default=default)


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
    return draw(st.one_of(choices))


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
                found += [(field.id, "upper"), (field.id, "lower"), (field.id, "strip")]
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


def conversion_rules(*, restricted: bool = False) -> SearchStrategy[ConversionRules]:
    """Draw rules that hold together: any stages, kinds, custom fields, mappings and pipelines.

    The kinds are standard ones, `Project` (a class of one's own) and ``invoice`` (fields alone).
    Everybody may do everything, unless *restricted* asks for `policies` as well.

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
            policy=Policy.allow_all(),
        )
        return attrs.evolve(rules, policy=draw(policies(rules))) if restricted else rules

    return drawn()


def _lead_among(kinds: Iterable[Kind], custom: Iterable[Field]) -> Kind:
    """Return the lead's kind; where there are no such clients, what would point at them is text."""
    there = {kind.id for kind in kinds}
    fields = [field for field in LEAD.fields if field.to is None or field.to in there]
    return attrs.evolve(LEAD, fields=fields, custom=custom)
