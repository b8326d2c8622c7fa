"""ConversionRules: everything that decides a conversion, as one value, checked when it is built."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

import attrs

from leadconvert.access import ANY
from leadconvert.automation import Automation, automation_mistakes
from leadconvert.children import ChildRule, child_mistakes
from leadconvert.columns import Column, column_mistakes
from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, FieldType, MisfitError
from leadconvert.given import all_of, is_a, texts
from leadconvert.kinds import LEAD, Kind
from leadconvert.limits import Limit, limit_mistakes
from leadconvert.losses import Leftovers, Losses, leftover_mistakes, losses_of
from leadconvert.mapping import FieldMapping
from leadconvert.matching import Matching, match_mistakes
from leadconvert.merging import CONFLICTS, Merger, misfit
from leadconvert.owning import OwnerRule, owner_mistakes
from leadconvert.pipelines import Pipeline, StageRole
from leadconvert.policy import Policy, grant_mistakes
from leadconvert.problems import Problem, did_you_mean, mistake, twice, unknown
from leadconvert.records import GenericRecord, Lead, Record
from leadconvert.transforms import TRANSFORMS, Transform
from leadconvert.values import FrozenMap, attributes, digest, is_empty


__all__ = ["ConversionRules"]


#: What a field may hold that is made as a text.
_WRITTEN: Final = {
    FieldType.TEXT,
    FieldType.URL,
    FieldType.EMAIL,
    FieldType.PHONE,
    FieldType.MESSENGER,
}


def _kinds(values: Iterable[Kind]) -> tuple[Kind, ...]:
    return all_of(values, Kind)


def _pipelines(values: Iterable[Pipeline]) -> tuple[Pipeline, ...]:
    return all_of(values, Pipeline)


def _mappings(values: Iterable[FieldMapping]) -> tuple[FieldMapping, ...]:
    return all_of(values, FieldMapping)


def _transforms(values: Mapping[str, Transform]) -> tuple[tuple[str, Transform], ...]:
    return tuple(sorted(dict(values).items()))


def _owner_rules(values: Iterable[OwnerRule]) -> tuple[OwnerRule, ...]:
    return all_of(values, OwnerRule)


def _children(values: Iterable[ChildRule]) -> tuple[ChildRule, ...]:
    return all_of(values, ChildRule)


def _declined(values: Mapping[str, Iterable[str]]) -> Mapping[str, tuple[str, ...]]:
    named = {name: tuple(sorted({*texts(kinds)})) for name, kinds in values.items()}
    return FrozenMap({name: kinds for name, kinds in named.items() if kinds})


def _leftovers(values: Iterable[Leftovers]) -> tuple[Leftovers, ...]:
    return all_of(values, Leftovers)


def _columns(values: Iterable[Column]) -> tuple[Column, ...]:
    return all_of(values, Column)


def _limits(values: Iterable[Limit]) -> tuple[Limit, ...]:
    return all_of(values, Limit)


def _mergers(values: Mapping[str, Merger]) -> tuple[tuple[str, Merger], ...]:
    return tuple(sorted(dict(values).items()))


@attrs.frozen(kw_only=True)
class ConversionRules:
    """The kinds, pipelines, mappings, policy and transforms of a CRM; attrs.evolve changes them.

    *lead* is the kind of the leads, *kinds* are those one may convert into. *matching* finds the
    records that exist already; *owners* says whose a new record is, *limits* how many there may be;
    *children* says how activities, files and whatever else hangs on a lead travels along;
    *automation* acts when leads arrive and move. *transforms* and *mergers* are your own functions
    by name: what turns a value, beside those of `leadconvert.transforms`, and
    what merges two of them, beside those of `Conflict`. They must be pure and stand in a module, so
    that rules can be pickled.

    Raises:
        leadconvert.errors.DefinitionError: the parts contradict each other (all mistakes at once).

    Example:
        >>> from leadconvert import ConversionRules, FieldMapping, Kind, Pipeline, Policy, Stage
        >>> from leadconvert.kinds import COMPANY
        >>> rules = ConversionRules(
        ...     kinds=[COMPANY],
        ...     pipelines=[Pipeline("leads", "lead", ["new", Stage("done", "success")])],
        ...     mappings=[FieldMapping("company_name", "company", "name")],
        ...     policy=Policy.allow_all(),
        ... )
        >>> rules.order
        ('company',)
    """

    lead: Kind = LEAD
    kinds: tuple[Kind, ...] = attrs.field(converter=_kinds)
    pipelines: tuple[Pipeline, ...] = attrs.field(converter=_pipelines)
    mappings: tuple[FieldMapping, ...] = attrs.field(default=(), converter=_mappings)
    policy: Policy = attrs.field(factory=Policy)
    automation: Automation | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_a(Automation))
    )
    matching: Matching = attrs.field(factory=Matching, validator=is_a(Matching))
    children: tuple[ChildRule, ...] = attrs.field(default=(), converter=_children)
    #: Whether a lead may be converted in parts, staying open in between.
    staged: bool = True
    #: How long after a conversion it can be taken back; None for ever.
    undo_within: timedelta | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_a(timedelta))
    )
    owners: tuple[OwnerRule, ...] = attrs.field(default=(), converter=_owner_rules)
    limits: tuple[Limit, ...] = attrs.field(default=(), converter=_limits)
    #: By custom field of the lead, the kinds it is not to be suggested for again; see `spread`.
    declined: Mapping[str, tuple[str, ...]] = attrs.field(factory=FrozenMap, converter=_declined)
    #: What is done about values of a lead that reach nothing, and where they are kept.
    losses: Losses = attrs.field(default=Losses.REPORT, converter=losses_of)
    leftovers: tuple[Leftovers, ...] = attrs.field(default=(), converter=_leftovers)
    #: How the columns of a table are read into leads.
    columns: tuple[Column, ...] = attrs.field(default=(), converter=_columns)
    mergers: tuple[tuple[str, Merger], ...] = attrs.field(
        factory=dict[str, Merger], converter=_mergers
    )
    transforms: tuple[tuple[str, Transform], ...] = attrs.field(
        factory=dict[str, Transform], converter=_transforms
    )
    #: The ids of the kinds, each after those its records refer to.
    order: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)
    #: Stands for these rules, on every machine; a conversion remembers it.
    digest: str = attrs.field(init=False, eq=False, repr=False)
    _kinds_by_id: Mapping[str, Kind] = attrs.field(init=False, eq=False, repr=False)
    _mappings_into: Mapping[str, tuple[FieldMapping, ...]] = attrs.field(
        init=False, eq=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        by_id = FrozenMap({kind.id: kind for kind in self.kinds})
        object.__setattr__(self, "_kinds_by_id", by_id)
        if mistakes := [*_mistakes(self)]:
            raise DefinitionError(mistakes)
        into = {kind.id: [m for m in self.mappings if m.kind == kind.id] for kind in self.kinds}
        object.__setattr__(self, "_mappings_into", FrozenMap(into))
        order, _ = _ordered(self.kinds)
        object.__setattr__(self, "order", tuple(order))
        own = (attribute.name for attribute in attributes(type(self)).values() if attribute.init)
        parts = tuple(getattr(self, name) for name in own)
        object.__setattr__(self, "digest", digest(parts))

    def kind(self, id: str) -> Kind | None:  # noqa: A002
        """Return the kind with *id* that one may convert into, or None.

        Example:
            >>> from leadconvert import presets
            >>> presets.bitrix24().kind("deal").label
            'Deal'
        """
        return self._kinds_by_id.get(id)

    def kind_of(self, record: Record) -> Kind | None:
        """Return the kind *record* is of, the lead's included, or None.

        Example:
            >>> from leadconvert import Deal, presets
            >>> presets.bitrix24().kind_of(Deal(id="D-5")).id
            'deal'
        """
        if isinstance(record, GenericRecord):
            every = {kind.id: kind for kind in self.every_kind}
            found = every.get(record.kind)
            return found if found is not None and found.cls is None else None
        return next((kind for kind in self.every_kind if kind.cls is type(record)), None)

    @property
    def every_kind(self) -> tuple[Kind, ...]:
        """The kind of the leads, those one may convert into, and those of children."""
        return (self.lead, *self.kinds, *(rule.kind for rule in self.children))

    def mappings_into(self, kind: str) -> tuple[FieldMapping, ...]:
        """Return the mappings into records of *kind*, in their order.

        Example:
            >>> from leadconvert import presets
            >>> str(presets.bitrix24().mappings_into("company")[0])
            'company_name or title → company.name'
        """
        return self._mappings_into[kind]

    def pipelines_of(self, kind: str) -> tuple[Pipeline, ...]:
        """Return the pipelines of *kind*, the default one first.

        Example:
            >>> from leadconvert import presets
            >>> presets.bitrix24().pipelines_of("lead")[0].first.id
            'NEW'
        """
        found = [pipeline for pipeline in self.pipelines if pipeline.kind == kind]
        return tuple(sorted(found, key=lambda pipeline: not pipeline.default))

    @property
    def lead_pipeline(self) -> Pipeline:
        """The one pipeline of the leads."""
        return self.pipelines_of(self.lead.id)[0]

    def transforms_by_name(self) -> Mapping[str, Transform]:
        """Return every transform a mapping may name.

        Example:
            >>> from leadconvert import presets
            >>> [*presets.bitrix24().transforms_by_name()][:5]
            ['first', 'join', 'lower', 'strip', 'upper']
        """
        return {**TRANSFORMS, **dict(self.transforms)}

    def decides_on(self, source: str) -> bool:
        """Tell whether any mapping says where the lead's field *source* goes, or that it stays.

        Example:
            >>> from leadconvert import presets
            >>> presets.bitrix24().decides_on("UF_X")
            False
        """
        return any(source in mapping.sources for mapping in self.mappings)


def _mistakes(rules: ConversionRules) -> Iterator[Problem]:
    yield from _kind_mistakes(rules)
    yield from _pipeline_mistakes(rules)
    for mapping in rules.mappings:
        yield from _mapping_mistakes(rules, mapping)
    yield from _clashes(rules.mappings)
    yield from _declined_mistakes(rules)
    yield from grant_mistakes(rules.policy, rules.every_kind, rules.pipelines, rules.lead.id)
    yield from match_mistakes(rules.matching, rules.lead, rules.kinds)
    yield from child_mistakes(rules.children, rules.lead, rules.kinds)
    yield from owner_mistakes(rules.owners, rules.lead, rules.kinds)
    yield from limit_mistakes(rules.limits, rules.kinds)
    yield from leftover_mistakes(rules.leftovers, rules.kinds)
    yield from column_mistakes(rules.columns, rules.lead)
    own = [pipeline for pipeline in rules.pipelines if pipeline.kind == rules.lead.id]
    if rules.automation is not None and own:
        yield from automation_mistakes(
            rules.automation, rules.lead, rules.kinds, own[0], rules.policy
        )
        yield from _automation_mistakes(rules, rules.automation)
    for what, functions, taken in (
        ("merger", rules.mergers, CONFLICTS),
        ("transform", rules.transforms, TRANSFORMS),
    ):
        for name, function in functions:
            if name in taken:
                yield mistake("duplicate", f"{what}s", what=what, name=name)
            if "<" in getattr(function, "__qualname__", "<none>"):
                yield mistake("lambda", f"{what}s", what=what, name=name)


def _kind_mistakes(rules: ConversionRules) -> Iterator[Problem]:
    lead, everything = rules.lead, (rules.lead, *rules.kinds)
    ids = [kind.id for kind in everything]
    yield from twice("kind", ids, "kinds")
    yield from _reference_mistakes(rules, ids)
    if lead.cls is not Lead:
        yield mistake("lead_class", f"kind {lead.id}")
    if ANY in ids:
        yield mistake("reserved_id", "kinds", name=ANY)
    classes = {kind.cls for kind in everything if kind.cls is not None}
    for cls in sorted(classes, key=lambda cls: cls.__qualname__):
        names = [kind.id for kind in everything if kind.cls is cls]
        if len(names) > 1:
            yield mistake("shared_class", "kinds", names=names, class_name=cls.__qualname__)


def _reference_mistakes(rules: ConversionRules, ids: list[str]) -> Iterator[Problem]:
    lead = rules.lead
    for kind in (lead, *rules.kinds):
        for name, field in kind.members.items():
            # a CRM has more kinds than these rules; a name nearly one of theirs is a slip
            if field.to is not None and field.to not in ids and did_you_mean(field.to, ids):
                yield unknown("kind", field.to, ids, f"field {kind.id}.{name}")
    for kind in rules.kinds:
        back = kind.members.get(kind.converted_from or "")
        if back is None or back.to != lead.id:
            yield mistake("no_back_pointer", f"kind {kind.id}")
        elif not back.multiple:
            yield mistake("single_back_pointer", f"kind {kind.id}", name=kind.converted_from)
    _, circle = _ordered(rules.kinds)
    if circle:
        yield mistake("cycle", "kinds", names=circle)


def _ordered(kinds: tuple[Kind, ...]) -> tuple[list[str], list[str]]:
    """Return the ids in dependency order, and those that no order can hold.

    A kind that refers to itself is no circle: a company may have a parent company.
    """
    ids = {kind.id for kind in kinds}
    needs = {
        kind.id: {field.to for field in kind.references.values() if field.to in ids - {kind.id}}
        for kind in kinds
    }
    order: list[str] = []
    while ready := [id_ for id_ in needs if id_ not in order and needs[id_] <= set(order)]:
        order.append(ready[0])
    return order, [id_ for id_ in needs if id_ not in order]


def _pipeline_mistakes(rules: ConversionRules) -> Iterator[Problem]:
    everything = (rules.lead, *rules.kinds)
    by_id = {kind.id: kind for kind in everything}
    for pipeline in rules.pipelines:
        if pipeline.kind in by_id:
            yield from _required_mistakes(by_id[pipeline.kind], pipeline)
        else:
            yield unknown("kind", pipeline.kind, by_id, f"pipeline {pipeline.id}")
    for kind in everything:
        place = f"kind {kind.id}"
        own = rules.pipelines_of(kind.id)
        defaults = sum(pipeline.default for pipeline in own)
        yield from twice("pipeline", [pipeline.id for pipeline in own], place)
        if own and kind.stage is None:
            yield mistake("no_stages", place, name=kind.id)
        if (kind.stage is not None or kind is rules.lead) and not own:
            yield mistake("no_pipeline", place, name=kind.id)
        if len(own) > 1 and (kind is rules.lead or kind.pipeline is None):
            yield mistake("one_pipeline", place, name=kind.id, count=len(own))
        elif defaults > 1 or (len(own) > 1 and not defaults):
            yield mistake("one_default", place, name=kind.id, count=len(own), defaults=defaults)
    for pipeline in rules.pipelines_of(rules.lead.id):
        count = len(pipeline.in_role(StageRole.SUCCESS))
        if count != 1:
            yield mistake("one_success", f"pipeline {pipeline.id}", count=count)


def _required_mistakes(kind: Kind, pipeline: Pipeline) -> Iterator[Problem]:
    for required in pipeline.required:
        for name in required.fields:
            if name not in kind.members:
                place = f"pipeline {pipeline.id}"
                yield unknown(f"field of {kind.id}", name, kind.members, place)


def _mapping_mistakes(rules: ConversionRules, mapping: FieldMapping) -> Iterator[Problem]:
    place = f"mapping {mapping}"
    for source in mapping.sources:
        if source not in rules.lead.members:
            yield unknown(f"field of {rules.lead.id}", source, rules.lead.members, place)
    transforms = rules.transforms_by_name()
    if mapping.transform is not None and mapping.transform not in transforms:
        yield unknown("transform", mapping.transform, transforms, place)
    if mapping.kind is None or mapping.target is None:
        return
    kind = rules.kind(mapping.kind)
    if kind is None:
        yield unknown("kind", mapping.kind, [kind.id for kind in rules.kinds], place)
    elif mapping.target not in kind.members:
        yield unknown(f"field of {kind.id}", mapping.target, kind.members, place)
    elif mapping.target == kind.converted_from:
        yield mistake("unmappable", place, name=f"{kind.id}.{mapping.target}")
    else:
        yield from _target_mistakes(rules, mapping, kind, kind.members[mapping.target])


def _target_mistakes(
    rules: ConversionRules, mapping: FieldMapping, kind: Kind, field: Field
) -> Iterator[Problem]:
    place = f"mapping {mapping}"
    if mapping.combines and not _takes(field, mapping):
        what = "parts of an address" if mapping.parts else "a template"
        why = f"it holds {field.type.value}"
        yield mistake("does_not_fit", place, name=field.id, other=what, why=why)
    elif (why_not := _misfit(rules, field, mapping.conflict)) is not None:
        facts = {"name": field.id, "rule": mapping.conflict, "why": why_not}
        yield mistake("bad_conflict", place, **facts)
    elif not is_empty(mapping.constant):
        yield from _value_mistakes(rules, kind, field, mapping.constant, place)


def _takes(field: Field, mapping: FieldMapping) -> bool:
    """Whether *field* can hold what is made of several; what a transform makes, nobody knows."""
    if mapping.transform is not None:
        return field.to is None
    return field.type is FieldType.ADDRESS if mapping.parts else field.type in _WRITTEN


def _declined_mistakes(rules: ConversionRules) -> Iterator[Problem]:
    own, kinds = [field.id for field in rules.lead.custom], [kind.id for kind in rules.kinds]
    for name, declined in sorted(rules.declined.items()):
        place = f"declined {name}"
        if name not in own:
            yield unknown("custom field", name, own, place)
        mapped = {one.kind for one in rules.mappings if name in one.sources}
        for kind in declined:
            if kind not in kinds:
                yield unknown("kind", kind, kinds, place)
            elif kind in mapped:
                yield mistake("decided_twice", place, name=f"{name} for {kind}")


def _automation_mistakes(rules: ConversionRules, automation: Automation) -> Iterator[Problem]:
    for rule in automation.rules:
        if rule.into and not (rule.closing or rules.staged):
            why = "leaves the lead open, which the rules do not allow"
            yield mistake("bad_rule", f"automation rule {rule.id}", why=why)
        for target in rule.into:
            kind, place = rules.kind(target.kind), f"automation rule {rule.id}"
            for name, value in () if kind is None else sorted(target.values.items()):
                if kind is not None and name == kind.converted_from:
                    why = f"supplies {kind.id}.{name}, which the conversion sets itself"
                    yield mistake("bad_rule", place, why=why)
                elif kind is not None and name in kind.members and not is_empty(value):
                    yield from _value_mistakes(rules, kind, kind.members[name], value, place)


def _misfit(rules: ConversionRules, field: Field, conflict: str) -> str | None:
    known = [*CONFLICTS, *dict(rules.mergers)]
    if conflict not in known:
        hint = did_you_mean(conflict, known).get("did_you_mean")
        return "there is no such rule" + (f", did you mean {hint!r}?" if hint else "")
    return misfit(field, conflict)


def _value_mistakes(
    rules: ConversionRules, kind: Kind, field: Field, given: object, place: str
) -> Iterator[Problem]:
    try:
        value = field.accept(given)
    except MisfitError as misfit:
        yield mistake("bad_default", place, why=misfit.code)
        return
    pipelines = rules.pipelines_of(kind.id)
    if field.id == kind.pipeline and value not in [pipeline.id for pipeline in pipelines]:
        yield unknown("pipeline", str(value), [pipeline.id for pipeline in pipelines], place)
    stages = [stage.id for pipeline in pipelines for stage in pipeline.stages]
    if field.id == kind.stage and value not in stages:
        yield unknown("stage", str(value), stages, place)


def _clashes(mappings: tuple[FieldMapping, ...]) -> Iterator[Problem]:
    left = {mapping.source for mapping in mappings if mapping.leaves_behind}
    used = {
        name
        for one in mappings
        if not one.leaves_behind
        for name in (one.sources if one.combines else one.sources[:1])
    }
    for name in sorted(left & used, key=str):
        yield mistake("decided_twice", "mappings", name=name)
    targets = [(mapping.kind, mapping.target) for mapping in mappings if mapping.kind is not None]
    for kind, target in sorted({one for one in targets if targets.count(one) > 1}, key=str):
        same = [one for one in mappings if (one.kind, one.target) == (kind, target)]
        names = [next(iter(one.sources), "constant") for one in same]
        yield mistake("two_mappings", "mappings", names=names, name=f"{kind}.{target}")
