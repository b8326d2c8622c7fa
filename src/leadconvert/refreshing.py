"""Rules brought up to date with the custom fields a host has now, and what became of each part.

Nothing gets wider by it: a match rule never matches more than before, no grant permits more, and no
automation rule acts where it did not.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from typing import Final, TypeVar

import attrs

from leadconvert.access import ANY, Grant
from leadconvert.automation import Automation
from leadconvert.children import ChildRule
from leadconvert.columns import ID
from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, FieldType
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.matching import MatchRule
from leadconvert.pipelines import Pipeline
from leadconvert.policy import Policy, Role
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.refitting import changed, hindrances, lost_options, without
from leadconvert.rules import ConversionRules
from leadconvert.suggesting import Suggestion, suggest
from leadconvert.targets import Target
from leadconvert.values import attributes


__all__ = ["Adjusted", "Adjustment", "Refreshed", "refresh"]

T = TypeVar("T")

#: What makes a mapping of no use at all; what else does not fit, fits for some values.
_NEVER: Final = {"type", "to"}


class Adjusted(StrEnum):
    """What became of a field or a part of the rules.

    A field is *new*, *changed* or *vanished*, or *kept* as it was, since conversions need it. A
    part is *dropped*, or *reduced* to what there still is; or it is *doubtful*: it stands, and some
    values do not fit any more.

    Example:
        >>> from leadconvert import Adjusted
        >>> Adjusted("doubtful") is Adjusted.DOUBTFUL
        True
    """

    NEW = "new"
    CHANGED = "changed"
    VANISHED = "vanished"
    KEPT = "kept"
    DROPPED = "dropped"
    REDUCED = "reduced"
    DOUBTFUL = "doubtful"


@attrs.frozen(kw_only=True)
class Adjustment:
    """What became of one field, or of one part of the rules, at *place*.

    *names* are what changed of a field, what was taken out of a part, or what does not fit.
    *problems* say why a part cannot stand.

    Example:
        >>> from leadconvert import Adjustment
        >>> print(Adjustment(outcome="reduced", place="pipeline sales", names=("UF_X",)))
        pipeline sales: reduced (UF_X)
    """

    outcome: Adjusted = attrs.field(converter=Adjusted)
    place: str
    names: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        why = [*self.names, *(problem.message for problem in self.problems)]
        return f"{self.place}: {self.outcome}" + (f" ({'; '.join(why)})" if why else "")


@attrs.frozen(kw_only=True)
class Refreshed:
    """What a refresh gives: the new rules, what became of what, and what is suggested newly.

    Example:
        >>> from leadconvert import Field, presets, refresh
        >>> rules = presets.bitrix24()
        >>> refreshed = refresh(rules, {"deal": [Field("UF_X", "text")]}, prefix="UF_")
        >>> [str(one) for one in refreshed.adjustments], refreshed.dropped
        (['field deal.UF_X: new'], ())
    """

    rules: ConversionRules
    adjustments: tuple[Adjustment, ...]
    suggestions: tuple[Suggestion, ...]

    @property
    def dropped(self) -> tuple[Adjustment, ...]:
        """The parts of the rules that are gone."""
        return tuple(one for one in self.adjustments if one.outcome is Adjusted.DROPPED)


def refresh(
    rules: ConversionRules, fields: Mapping[str, Iterable[Field]], *, prefix: str = ""
) -> Refreshed:
    """Return *rules* with the custom *fields* that a host has now, by the ids of their kinds.

    A kind that is not named stays as it is, and so does a field that is not in its list and whose
    id does not begin with *prefix*: no list of such fields was asked for.

    Whatever names a field that vanished is dropped or
    reduced, and said; what still fits stays as it is. A mapping whose field holds something else
    now is dropped, one that some values do not fit any more stays. A sensitive field stays
    sensitive, whatever the host's list says. Labels are for suggestions alone.

    Raises:
        leadconvert.errors.DefinitionError: there is no such kind, or a kind cannot have the fields
            (one stands twice, it is a standard one, kinds would refer to each other in a circle).

    Example:
        >>> import attrs
        >>> from leadconvert import NEW, Field, presets, refresh, spread
        >>> rules = presets.bitrix24()
        >>> lead = attrs.evolve(rules.lead, custom=[*rules.lead.custom, Field("UF_X", "text")])
        >>> rules = spread(attrs.evolve(rules, lead=lead), "UF_X", into={"deal": NEW}).rules
        >>> for one in refresh(rules, {"deal": []}, prefix="UF_").adjustments:
        ...     print(one)
        field deal.UF_X: vanished
        mapping UF_X → deal.UF_X: dropped (there is no field of deal 'UF_X')
    """
    ids = [kind.id for kind in rules.every_kind]
    given = {name: tuple(values) for name, values in fields.items()}
    mistakes = [unknown("kind", name, ids, "refresh") for name in given if name not in ids]
    for name, values in given.items():
        mistakes += twice("field", [field.id for field in values], f"fields of {name}")
    if mistakes:
        raise DefinitionError(mistakes)
    work = _Refresh(before=rules, prefix=prefix)
    after = work.done(given)
    earlier = suggest(rules)
    return Refreshed(
        rules=after,
        adjustments=tuple(work.adjustments),
        suggestions=tuple(one for one in suggest(after) if one not in earlier),
    )


@attrs.define(kw_only=True)
class _Refresh:
    """Builds the rules anew, part by part, and notes what became of each."""

    before: ConversionRules
    prefix: str
    adjustments: list[Adjustment] = attrs.field(factory=list)
    #: By kind, the fields that vanished.
    gone: dict[str, frozenset[str]] = attrs.field(factory=dict)

    def done(self, given: Mapping[str, tuple[Field, ...]]) -> ConversionRules:
        """Return the new rules."""
        old = self.before
        kinds = {kind.id: self.kind(kind, given.get(kind.id)) for kind in old.every_kind}
        rules = attrs.evolve(
            old,
            lead=kinds[old.lead.id],
            kinds=[kinds[kind.id] for kind in old.kinds],
            pipelines=[self.pipeline(one) for one in old.pipelines],
            mappings=(),
            policy=Policy(),
            automation=None,
            matching=attrs.evolve(old.matching, rules=()),
            children=(),
            owners=(),
            leftovers=(),
            columns=(),
            declined={},
        )
        rules = self.children(rules, kinds)
        rules = self.mappings(rules)
        rules = self.policy(rules)
        rules = self.matching(rules)
        owners = self.standing(
            old.owners,
            lambda one: f"owner rule for {one.kind}",
            lambda kept: attrs.evolve(rules, owners=kept),
        )
        leftovers = self.standing(
            old.leftovers, str, lambda kept: attrs.evolve(rules, leftovers=kept)
        )
        columns = self.standing(
            sorted(old.columns, key=lambda one: one.field != ID),  # without which no others stand
            lambda one: f"column {one}",
            lambda kept: attrs.evolve(rules, columns=kept),
        )
        there = {field.id for field in rules.lead.custom}
        return attrs.evolve(
            rules,
            owners=owners,
            leftovers=leftovers,
            columns=[one for one in old.columns if one in columns],
            automation=self.automation(rules),
            declined={name: ids for name, ids in old.declined.items() if name in there},
        )

    def note(
        self,
        outcome: Adjusted,
        place: str,
        names: Iterable[str] = (),
        problems: Iterable[Problem] = (),
    ) -> None:
        """Note what became of what is at *place*."""
        self.adjustments.append(
            Adjustment(outcome=outcome, place=place, names=tuple(names), problems=tuple(problems))
        )

    def reduced(self, place: str, names: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
        """Return the *names* that are not *gone*, and note the others."""
        named, out = tuple(names), set(gone)
        if taken := [name for name in named if name in out]:
            self.note(Adjusted.REDUCED, place, taken)
        return tuple(name for name in named if name not in out)

    # -- kinds ------------------------------------------------------------------------------------

    def kind(self, kind: Kind, fields: tuple[Field, ...] | None) -> Kind:
        """Return *kind* with the custom *fields* there are now."""
        if fields is None:
            self.gone[kind.id] = frozenset()
            return kind
        custom = self.custom(kind, fields)
        ids = {field.id for field in custom}
        self.gone[kind.id] = gone = frozenset(one.id for one in kind.custom if one.id not in ids)
        standard = {name: one for name, one in kind.members.items() if name not in gone}
        members = standard | {field.id: field for field in custom}
        any_of, keys = [], {}
        for group in kind.any_of:
            left = self.reduced(f"one of {', '.join(group)} in {kind.id}", group, gone)
            any_of += [left] if left else []
        for name, parts in kind.keys.items():
            # a key of fewer fields would match more
            if gone.isdisjoint(parts):
                keys[name] = parts
            else:
                self.note(Adjusted.DROPPED, f"key {name} of {kind.id}", sorted(gone & {*parts}))
        return attrs.evolve(
            kind,
            fields=[self.described(kind, field, members) for field in kind.fields],
            custom=[self.described(kind, field, members) for field in custom],
            any_of=any_of,
            keys=keys,
            name=self.part(kind, "name", gone),
            owner=self.part(kind, "owner", gone),
            opened=self.part(kind, "opened", gone),
        )

    def part(self, kind: Kind, part: str, gone: Collection[str]) -> str | None:
        """Return the field that plays a *part* in *kind*, if it is still there."""
        field: str | None = getattr(kind, part)
        if field not in gone:
            return field
        self.note(Adjusted.DROPPED, f"{part} of {kind.id}", [str(field)])
        return None

    def custom(self, kind: Kind, fields: tuple[Field, ...]) -> list[Field]:
        """Return the custom fields of *kind* as they are now, in the order they have."""
        now = {field.id: field for field in fields}
        needed = {kind.converted_from, kind.pipeline, kind.stage}
        found: list[Field] = []
        for old in kind.custom:
            new = now.pop(old.id, None)
            place = f"field {kind.id}.{old.id}"
            if old.id in needed:
                found.append(old)
                if new is None or _differences(old, new):
                    self.note(Adjusted.KEPT, place)
            elif new is None and old.id.startswith(self.prefix):
                self.note(Adjusted.VANISHED, place)
            elif new is None:
                found.append(old)
            else:
                new = attrs.evolve(new, sensitive=old.sensitive or new.sensitive)
                found.append(new)
                if differs := _differences(old, new):
                    self.note(Adjusted.CHANGED, place, differs)
        for new in now.values():
            self.note(Adjusted.NEW, f"field {kind.id}.{new.id}")
            found.append(new)
        return found

    def described(self, kind: Kind, field: Field, members: Mapping[str, Field]) -> Field:
        """Return *field* without what it says of fields that are gone."""
        lines = members.get(field.sums or "")
        held = lines is not None and lines.type is FieldType.PRODUCT and lines.multiple
        now = attrs.evolve(
            field,
            currency=field.currency if field.currency in members else None,
            sums=field.sums if held else None,
        )
        if differs := _differences(field, now):
            self.note(Adjusted.REDUCED, f"field {kind.id}.{field.id}", differs)
        return now

    def pipeline(self, pipeline: Pipeline) -> Pipeline:
        """Return *pipeline*, whose stages require only what there is."""
        gone = self.gone.get(pipeline.kind, frozenset())
        required = []
        for one in pipeline.required:
            fields = self.reduced(f"pipeline {pipeline.id}", one.fields, gone)
            required += [attrs.evolve(one, fields=fields)] if fields else []
        return attrs.evolve(pipeline, required=required)

    # -- parts ------------------------------------------------------------------------------------

    def standing(
        self,
        parts: Iterable[T],
        told: Callable[[T], str],
        build: Callable[[list[T]], object],
    ) -> list[T]:
        """Return those of the *parts* that can stand together, as *build* tells."""
        every, kept = list(parts), list[T]()
        if _can(lambda: build(every)):
            return every
        for part in every:
            try:
                build([*kept, part])
            except DefinitionError as error:
                self.note(Adjusted.DROPPED, told(part), problems=error.problems)
            else:
                kept.append(part)
        return kept

    def children(self, rules: ConversionRules, kinds: Mapping[str, Kind]) -> ConversionRules:
        """Return *rules* with the rules for children, each with the ways there still are."""
        every = (
            self.travelling(rules, attrs.evolve(rule, kind=kinds[rule.kind.id]))
            for rule in self.before.children
        )
        kept = self.standing(
            every,
            lambda one: f"child rule for {one.kind.id}",
            lambda kept: attrs.evolve(rules, children=kept),
        )
        return attrs.evolve(rules, children=kept)

    def travelling(self, rules: ConversionRules, rule: ChildRule) -> ChildRule:
        """Return *rule* with the ways to travel and the values of closing that can stand."""
        bare = attrs.evolve(rule, into={}, close={})

        def stands(one: ChildRule) -> bool:
            return _can(lambda: attrs.evolve(rules, children=[one]))

        if stands(rule) or not stands(bare):
            return rule
        ways = {
            name: way for name, way in rule.into if stands(attrs.evolve(bare, into={name: way}))
        }
        close = {
            name: value
            for name, value in rule.close.items()
            if stands(attrs.evolve(bare, close={name: value}))
        }
        named = [*(name for name, _ in rule.into), *rule.close]
        self.reduced(f"child rule for {rule.kind.id}", named, {*named} - {*ways, *close})
        return attrs.evolve(rule, into=ways, close=close)

    def policy(self, rules: ConversionRules) -> ConversionRules:
        """Return *rules* with the roles, each with the grants that can ever apply."""
        old = self.before.policy
        roles = [self.role(role, rules) for role in old.roles]
        return attrs.evolve(rules, policy=attrs.evolve(old, roles=roles))

    def role(self, role: Role, rules: ConversionRules) -> Role:
        """Return *role* with what it can still forbid and grant."""
        place = f"role {role.id}"

        def alone(*, grants: Iterable[Grant] = (), forbids: Iterable[Grant] = ()) -> object:
            policy = Policy([Role(role.id, grants, forbids=forbids)])
            return attrs.evolve(rules, policy=policy)

        forbids = self.standing(
            [self.granting(one, rules, place) for one in role.forbids],
            lambda _: place,
            lambda kept: alone(forbids=kept),
        )
        grants = self.standing(
            [self.granting(one, rules, place) for one in role.grants],
            lambda _: place,
            lambda kept: alone(grants=kept, forbids=forbids),
        )
        return Role(role.id, grants, forbids=forbids)

    def granting(self, grant: Grant, rules: ConversionRules, place: str) -> Grant:
        """Return *grant* with those of its fields that there still are, if there are any."""
        meant = [kind for kind in rules.every_kind if grant.kind in (ANY, kind.id)]
        there = {ANY}.union(*(kind.members for kind in meant))
        if not (grant.fields and grant.fields & there):
            return grant
        fields = self.reduced(place, sorted(grant.fields), grant.fields - there)
        return attrs.evolve(grant, fields=fields)

    def matching(self, rules: ConversionRules) -> ConversionRules:
        """Return *rules* with the match rules, each with the keys there still are."""
        old = self.before.matching
        kept: list[MatchRule] = []
        for rule in old.rules:
            found = [by for by in rule.by if _matches(rules, attrs.evolve(rule, by=[by]))]
            lost = [" and ".join(sorted(by)) for by in rule.by if by not in found]
            if lost:
                outcome = Adjusted.REDUCED if found else Adjusted.DROPPED
                self.note(outcome, f"match rule for {rule.kind}", lost)
            if found:
                kept.append(attrs.evolve(rule, by=found))
        return attrs.evolve(rules, matching=attrs.evolve(old, rules=kept))

    def automation(self, rules: ConversionRules) -> Automation | None:
        """Return the automation with the rules that can stand, with the values that can."""
        old = self.before.automation
        if old is None:
            return None
        acting = [
            attrs.evolve(
                rule,
                into=[self.target(target, f"automation rule {rule.id}") for target in rule.into],
            )
            for rule in old.rules
        ]
        kept = self.standing(
            acting,
            lambda rule: f"automation rule {rule.id}",
            lambda kept: attrs.evolve(rules, automation=attrs.evolve(old, rules=kept)),
        )
        return attrs.evolve(old, rules=kept)

    def target(self, target: Target, place: str) -> Target:
        gone = self.gone.get(target.kind, frozenset())
        names = self.reduced(place, target.values, gone)
        return attrs.evolve(target, values={name: target.values[name] for name in names})

    # -- mappings ---------------------------------------------------------------------------------

    def mappings(self, rules: ConversionRules) -> ConversionRules:
        """Return *rules* with the mappings that can stand and still fit."""
        left = (self.fitting(old, rules) for old in self.before.mappings)
        kept = self.standing(
            (one for one in left if one is not None),
            lambda one: f"mapping {one}",
            lambda kept: attrs.evolve(rules, mappings=kept),
        )
        return attrs.evolve(rules, mappings=kept)

    def fitting(self, old: FieldMapping, rules: ConversionRules) -> FieldMapping | None:
        """Return what is left of a mapping, or None where no value of its sources fits any more.

        What names a field that is gone altogether is left as it is, for the rules to refuse.
        """
        kind = rules.kind(old.kind or "")
        if kind is not None and old.target not in kind.members:
            return old
        place, lead = f"mapping {old}", rules.lead.members
        vanished = [name for name in old.sources if name not in lead]
        unfit: dict[str, Problem] = {}
        doubts: list[str] = []
        for name in old.sources:
            if name in lead and old.kind is not None:
                was, now = hindrances(self.before, old, name), hindrances(rules, old, name)
                newly = {what: why for what, why in now.items() if was.get(what) != why}
                if what := next((what for what in newly if what in _NEVER), None):
                    facts = {"name": f"{old.kind}.{old.target}", "other": name}
                    unfit[name] = mistake("does_not_fit", place, **facts, why=newly[what])
                else:
                    doubts += newly
        mapping = without(old, {*vanished, *unfit})
        if mapping is None and unfit:
            self.note(Adjusted.DROPPED, place, vanished, unfit.values())
            return None
        if mapping is None:
            return old
        if mapping != old:
            self.note(Adjusted.REDUCED, place, [*vanished, *unfit])
        if lost := lost_options(self.before, rules, mapping):
            self.note(Adjusted.REDUCED, place, sorted(lost))
            left = {key: value for key, value in mapping.values.items() if key not in lost}
            mapping = attrs.evolve(mapping, values=left)
        doubts += changed(self.before, rules, mapping)
        if doubts and _can(lambda: attrs.evolve(rules, mappings=[mapping])):
            self.note(Adjusted.DOUBTFUL, place, dict.fromkeys(doubts))
        return mapping


def _can(build: Callable[[], object]) -> bool:
    """Whether what *build* makes contradicts nothing."""
    try:
        build()
    except DefinitionError:
        return False
    return True


def _matches(rules: ConversionRules, rule: MatchRule) -> bool:
    matching = attrs.evolve(rules.matching, rules=[rule])
    return _can(lambda: attrs.evolve(rules, matching=matching))


def _differences(old: Field, new: Field) -> list[str]:
    return [one for one in attributes(Field) if getattr(old, one) != getattr(new, one)]
