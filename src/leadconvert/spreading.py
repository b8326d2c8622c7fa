"""Where the custom fields of a lead go: decided once for all, declined, and thought of again.

Help article "Leads konvertieren": the user chooses in which elements a lead's custom fields are to
be created, and where the information goes.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, TypeAlias

import attrs

from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, Option
from leadconvert.given import texts
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.problems import Problem, mistake, unknown
from leadconvert.rules import ConversionRules
from leadconvert.values import FrozenMap


__all__ = [
    "NEW",
    "AddOptions",
    "CreateField",
    "Existing",
    "Placement",
    "SchemaChange",
    "Spread",
    "custom_field",
    "declining",
    "is_open",
    "made",
    "misfits",
    "reconsider",
    "spread",
]


class Placement(Enum):
    """Where a spread field goes, if not into a field that exists.

    Example:
        >>> from leadconvert import NEW
        >>> NEW
        <Placement.NEW: 'new'>
    """

    NEW = "new"


#: In `spread`: into a new field, made like the lead's.
NEW: Final = Placement.NEW


def _values(values: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(values)


def _options(values: Iterable[Option]) -> tuple[Option, ...]:
    return tuple(values)


@attrs.frozen
class Existing:
    """Where a spread field goes: into *field*, which exists.

    *values* says which option there each option of the lead's field becomes, by their ids. What the
    field lacks of the options it would need is added with *add_options*, and refused without.

    Example:
        >>> from leadconvert import Existing
        >>> Existing("UF_HEAT", values={"45": "very"}, add_options=True).field
        'UF_HEAT'
    """

    field: str
    values: Mapping[str, str] = attrs.field(factory=FrozenMap, converter=_values, kw_only=True)
    add_options: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen(kw_only=True)
class CreateField:
    """A change of schema that a host must make: create *field* in *kind*.

    Example:
        >>> from leadconvert import CreateField, Field
        >>> CreateField(kind="deal", field=Field("UF_X", "text")).field.id
        'UF_X'
    """

    kind: str
    field: Field

    def applied_to(self, kind: Kind) -> Kind:
        """Return *kind* with this change made, or as it is if the change is about another.

        Raises:
            leadconvert.errors.DefinitionError: the kind cannot have such a field.

        Example:
            >>> from leadconvert import CreateField, Field
            >>> from leadconvert.kinds import DEAL
            >>> change = CreateField(kind="deal", field=Field("UF_X", "text"))
            >>> "UF_X" in change.applied_to(DEAL).members
            True
        """
        if kind.id != self.kind:
            return kind
        return attrs.evolve(kind, custom=[*kind.custom, self.field])


@attrs.frozen(kw_only=True)
class AddOptions:
    """A change of schema that a host must make: add *options* to the enumeration *field* of *kind*.

    Example:
        >>> from leadconvert import AddOptions, Option
        >>> change = AddOptions(kind="deal", field="UF_HEAT", options=[Option("hot", "Very warm")])
        >>> [option.label for option in change.options]
        ['Very warm']
    """

    kind: str
    field: str
    options: tuple[Option, ...] = attrs.field(converter=_options)

    def applied_to(self, kind: Kind) -> Kind:
        """Return *kind* with this change made, or as it is if the change is about another.

        Raises:
            leadconvert.errors.DefinitionError: the kind has no such enumeration, or it has one of
                the options already.

        Example:
            >>> import attrs
            >>> from leadconvert import AddOptions, Field, Option
            >>> from leadconvert.kinds import DEAL
            >>> heat = Field("UF_HEAT", "enumeration", options=["cold"])
            >>> change = AddOptions(kind="deal", field="UF_HEAT", options=[Option("hot")])
            >>> changed = change.applied_to(attrs.evolve(DEAL, custom=[heat]))
            >>> [option.id for option in changed.members["UF_HEAT"].options]
            ['cold', 'hot']
        """
        if kind.id != self.kind:
            return kind
        if self.field not in kind.members:
            raise DefinitionError(
                [unknown(f"field of {kind.id}", self.field, kind.members, "added options")]
            )
        old = kind.members[self.field]
        new = attrs.evolve(old, options=[*old.options, *self.options])
        refined = [new if field.id == new.id else field for field in kind.fields]
        custom = [new if field.id == new.id else field for field in kind.custom]
        return attrs.evolve(kind, fields=refined, custom=custom)


#: What a host must change so that its fields are those of the rules.
SchemaChange: TypeAlias = CreateField | AddOptions


@attrs.frozen(kw_only=True)
class Spread:
    """What spreading a field gives: the new rules, and what a host must change to match them.

    The rules have the changes made already.

    Example:
        >>> from leadconvert import CreateField, Field, Spread, presets
        >>> change = CreateField(kind="deal", field=Field("UF_X", "text"))
        >>> spread = Spread(rules=presets.bitrix24(), schema_changes=(change,))
        >>> [f"create {change.field.id} in {change.kind}" for change in spread.schema_changes]
        ['create UF_X in deal']
    """

    rules: ConversionRules
    schema_changes: tuple[SchemaChange, ...]


#: Where a field is to go: into the field of that id, into a new one like the lead's, into exactly
#: this new one, or into one that exists, with more to say about it.
Into: TypeAlias = str | Placement | Field | Existing


def spread(rules: ConversionRules, source: str, into: Mapping[str, Into]) -> Spread:
    """Decide where a custom field of the lead goes from now on, and where it is to be created.

    *into* says for each chosen kind where to: the id of a field that exists there, or `Existing` to
    say how; `NEW` for a new field made like the lead's, or the `Field` itself, where it is to have
    another id, label, length or more options. A kind not named gets neither field nor value, and an
    empty *into* leaves the field behind on purpose: both stand in the new rules, so that nobody is
    asked again, until `reconsider`.

    Raises:
        leadconvert.errors.DefinitionError: a name is unknown, a field does not fit, or where
            *source* goes is decided already (all mistakes at once).

    Example:
        >>> import attrs
        >>> from leadconvert import NEW, Field, presets, spread
        >>> rules = presets.bitrix24()
        >>> size = Field("UF_SIZE", "integer")
        >>> lead = attrs.evolve(rules.lead, custom=[*rules.lead.custom, size])
        >>> decided = spread(attrs.evolve(rules, lead=lead), "UF_SIZE", into={"deal": NEW})
        >>> [(change.kind, change.field.id) for change in decided.schema_changes]
        [('deal', 'UF_SIZE')]
        >>> dict(decided.rules.declined)
        {'UF_SIZE': ('company', 'contact')}
    """
    field = custom_field(rules, source, f"spread of {source}")
    carried = made(rules, field, into)
    if not into:
        declined = {name: kinds for name, kinds in rules.declined.items() if name != source}
        mappings = [*rules.mappings, FieldMapping.leave(source)]
        return Spread(
            rules=attrs.evolve(rules, mappings=mappings, declined=declined), schema_changes=()
        )
    rest = [kind.id for kind in rules.kinds if kind.id not in into and is_open(rules, source, kind)]
    return attrs.evolve(carried, rules=declining(carried.rules, source, rest))


def made(rules: ConversionRules, field: Field, into: Mapping[str, Into]) -> Spread:
    """Return the rules with mappings and fields as *into* says, and nothing else decided.

    Raises:
        leadconvert.errors.DefinitionError: as `spread` does.

    Example:
        >>> from leadconvert import Field, presets
        >>> from leadconvert.spreading import made
        >>> rules = presets.bitrix24()
        >>> made(rules, Field("UF_X", "text"), {}).rules == rules
        True
    """
    place = f"spread of {field.id}"
    mistakes = [*_undecided_mistakes(rules, field, into, place)]
    mappings: list[FieldMapping] = []
    changes: list[SchemaChange] = []
    kinds = {kind.id: kind for kind in rules.kinds}
    for name, where in into.items():
        kind = rules.kind(name)
        if kind is None:
            mistakes.append(unknown("kind", name, kinds, place))
            continue
        wrong = [*_placement_mistakes(field, kind, where, place)]
        mistakes += wrong
        if not wrong:
            mapping, own = _placed(field, kind, where)
            mappings.append(mapping)
            changes += own
            for change in own:
                kinds[name] = change.applied_to(kinds[name])
    if mistakes:
        raise DefinitionError(mistakes)
    return Spread(
        rules=attrs.evolve(
            rules, kinds=list(kinds.values()), mappings=[*rules.mappings, *mappings]
        ),
        schema_changes=tuple(changes),
    )


def _undecided_mistakes(
    rules: ConversionRules, field: Field, into: Mapping[str, Into], place: str
) -> Iterator[Problem]:
    left = FieldMapping.leave(field.id) in rules.mappings
    if left or (not into and rules.decides_on(field.id)):
        yield mistake("decided_already", place, name=field.id)
        return
    for name in into:
        kind = rules.kind(name)
        if kind is not None and not is_open(rules, field.id, kind):
            yield mistake("decided_already", place, name=f"{field.id} for {name}")


def _placement_mistakes(field: Field, kind: Kind, where: Into, place: str) -> Iterator[Problem]:
    if isinstance(where, Placement | Field):
        new = _like(field, kind) if isinstance(where, Placement) else where
        if new.id in kind.members:
            yield mistake("duplicate", place, what=f"field of {kind.id}", name=new.id)
            return
        try:
            CreateField(kind=kind.id, field=new).applied_to(kind)
        except DefinitionError as error:
            yield from error.problems
        yield from _misfit_mistakes(field, new, {}, place)
        return
    existing = Existing(where) if isinstance(where, str) else where
    if existing.field not in kind.members:
        yield unknown(f"field of {kind.id}", existing.field, kind.members, place)
        return
    target = kind.members[existing.field]
    if existing.add_options:
        target = attrs.evolve(target, options=[*target.options, *_missing(field, target, existing)])
    yield from _misfit_mistakes(field, target, existing.values, place)


def _misfit_mistakes(
    source: Field, target: Field, values: Mapping[str, str], place: str
) -> Iterator[Problem]:
    reasons = misfits(source, target, values)
    if reasons:
        why = "; ".join(reasons.values())
        yield mistake("does_not_fit", place, name=target.id, other=source.id, why=why)


def _placed(field: Field, kind: Kind, where: Into) -> tuple[FieldMapping, list[SchemaChange]]:
    """Return the mapping that *where* means, and what is to be changed for it."""
    if isinstance(where, Placement | Field):
        new = _like(field, kind) if isinstance(where, Placement) else where
        return FieldMapping(field.id, kind.id, new.id), [CreateField(kind=kind.id, field=new)]
    existing = Existing(where) if isinstance(where, str) else where
    mapping = FieldMapping(field.id, kind.id, existing.field, values=existing.values)
    options = _missing(field, kind.members[existing.field], existing)
    if not options:
        return mapping, []
    return mapping, [AddOptions(kind=kind.id, field=existing.field, options=options)]


def _like(field: Field, kind: Kind) -> Field:
    """Return a field like the lead's, without what it says of fields that *kind* does not have."""
    there = {*kind.members, None}
    return attrs.evolve(
        field,
        currency=field.currency if field.currency in there else None,
        sums=field.sums if field.sums in there else None,
    )


def _missing(source: Field, target: Field, existing: Existing) -> list[Option]:
    """Return the options that *target* lacks of those that values of *source* become."""
    if source.type is not target.type:
        return []
    there = {option.id for option in target.options}
    wanted = {existing.values.get(option.id, option.id): option for option in source.options}
    return [Option(id_, option.label) for id_, option in wanted.items() if id_ not in there]


def misfits(
    source: Field, target: Field, values: Mapping[str, object] = FrozenMap()
) -> dict[str, str]:
    """Say why some values of *source* could not be carried into *target*, by what is the matter.

    *values* is the value map of options. Empty where all could (as `Field.fits` says, without a
    map). The keys are ``type``, ``to``, ``multiple``, ``max_length`` and ``options``.

    Example:
        >>> from leadconvert import Field
        >>> from leadconvert.spreading import misfits
        >>> misfits(Field("a", "text"), Field("b", "text", max_length=50))
        {'max_length': 'it holds 50 characters only'}
    """
    if source.type is not target.type:
        return {"type": f"{target.type.value} against {source.type.value}"}
    found: dict[str, str] = {}
    if source.to != target.to:
        found["to"] = f"it points at kind {target.to}, not {source.to}"
    if source.multiple and not target.multiple:
        found["multiple"] = "it holds one value only"
    if target.max_length is not None and (
        source.max_length is None or source.max_length > target.max_length
    ):
        found["max_length"] = f"it holds {target.max_length} characters only"
    there = {option.id for option in target.options}
    wanted = (values.get(option.id, option.id) for option in source.options)
    if lacking := [str(id_) for id_ in wanted if id_ not in there]:
        found["options"] = f"it has no option {', '.join(map(repr, lacking))}"
    return found


def custom_field(rules: ConversionRules, name: str, place: str) -> Field:
    """Return the lead's custom field of that *name*.

    Raises:
        leadconvert.errors.DefinitionError: there is none; said to be at *place*.

    Example:
        >>> from leadconvert import errors, presets
        >>> from leadconvert.spreading import custom_field
        >>> try:
        ...     custom_field(presets.bitrix24(), "UF_X", "spread")
        ... except errors.DefinitionError as error:
        ...     print(error)
        spread: there is no custom field 'UF_X' (correct the name)
    """
    own = {field.id: field for field in rules.lead.custom}
    if name not in own:
        raise DefinitionError([unknown("custom field", name, own, place)])
    return own[name]


def is_open(rules: ConversionRules, source: str, kind: Kind) -> bool:
    """Tell whether nobody has decided yet if the lead's field *source* goes into *kind*.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.spreading import is_open
        >>> is_open(presets.bitrix24(), "title", DEAL)
        False
    """
    decided = (one for one in rules.mappings if one.kind in (None, kind.id))
    return kind.id not in rules.declined.get(source, ()) and not any(
        source in one.sources for one in decided
    )


def declining(rules: ConversionRules, source: str, kinds: Iterable[str]) -> ConversionRules:
    """Return the rules in which *source* is declined for these *kinds* as well.

    Raises:
        leadconvert.errors.DefinitionError: there is no such field or kind, or it is mapped there.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.spreading import declining
        >>> rules = presets.bitrix24()
        >>> declining(rules, "UF_X", []) == rules
        True
    """
    named = [*rules.declined.get(source, ()), *kinds]
    return attrs.evolve(rules, declined=dict(rules.declined) | {source: named})


def reconsider(
    rules: ConversionRules, source: str, kinds: Iterable[str] | None = None
) -> ConversionRules:
    """Take back that a custom field of the lead was left behind, or declined for some kinds.

    It is a question again, and suggested again, for the *kinds* named, or for all of them. What it
    was spread into stays.

    Raises:
        leadconvert.errors.DefinitionError: a name is unknown, or nothing of it was declined.

    Example:
        >>> import attrs
        >>> from leadconvert import Field, presets, reconsider, spread
        >>> rules = presets.bitrix24()
        >>> lead = attrs.evolve(rules.lead, custom=[*rules.lead.custom, Field("UF_X", "text")])
        >>> left = spread(attrs.evolve(rules, lead=lead), "UF_X", into={}).rules
        >>> left.decides_on("UF_X"), reconsider(left, "UF_X").decides_on("UF_X")
        (True, False)
    """
    place = f"reconsidering {source}"
    custom_field(rules, source, place)
    leave = FieldMapping.leave(source)
    ids = [kind.id for kind in rules.kinds]
    declined = ids if leave in rules.mappings else list(rules.declined.get(source, ()))
    back = declined if kinds is None else list(texts(kinds))
    mistakes = [unknown("kind", name, ids, place) for name in back if name not in ids]
    never = [f"{source} for {name}" for name in back if name in ids and name not in declined]
    if not declined and kinds is None:
        never = [source]
    mistakes += (mistake("not_declined", place, name=name) for name in never)
    if mistakes:
        raise DefinitionError(mistakes)
    rest = {source: tuple(name for name in declined if name not in back)}
    return attrs.evolve(
        rules,
        mappings=[mapping for mapping in rules.mappings if mapping != leave],
        declined=dict(rules.declined) | rest,
    )
