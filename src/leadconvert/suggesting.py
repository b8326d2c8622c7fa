"""Which custom fields belong together by their labels: suggested where it is plain, never guessed.

Labels are looked at here alone, when rules are made; whatever is accepted says ids.
"""

import unicodedata
from collections.abc import Mapping
from enum import StrEnum

import attrs

from leadconvert.errors import DefinitionError
from leadconvert.fields import Field, Option
from leadconvert.given import texts
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.problems import mistake
from leadconvert.rules import ConversionRules
from leadconvert.spreading import (
    Existing,
    Spread,
    custom_field,
    declining,
    is_open,
    made,
    misfits,
    spread,
)
from leadconvert.values import FrozenMap


__all__ = ["Doubt", "Suggestion", "suggest", "suggestion_for"]


def _values(values: Mapping[str, str]) -> Mapping[str, str]:
    return FrozenMap(values)


class Doubt(StrEnum):
    """Why it is not plain where a field goes.

    *ambiguous*: several fields there have its label. *contested*: another field of the lead has it
    as well. *taken*: the field there is filled already. *misfit*: it could not hold every value.

    Example:
        >>> from leadconvert import Doubt
        >>> Doubt("ambiguous") is Doubt.AMBIGUOUS
        True
    """

    AMBIGUOUS = "ambiguous"
    CONTESTED = "contested"
    TAKEN = "taken"
    MISFIT = "misfit"


@attrs.frozen(kw_only=True)
class Suggestion:
    """That the custom field *source* of the lead goes into a field of *kind* with the same label.

    It names a *target* where that is plain, and then a value map, if the options have the same
    labels and other ids. Where it is not plain, *doubt* says why, and *candidates* which fields
    have the same label and hold the same. *rivals* are the lead's other fields that have it too, or
    that fill the only candidate.

    Example:
        >>> from leadconvert import Suggestion
        >>> suggestion = Suggestion(
        ...     source="UF_SIZE", kind="deal", target="UF_SEATS", candidates=("UF_SEATS",)
        ... )
        >>> print(suggestion, suggestion.clear)
        UF_SIZE → deal.UF_SEATS True
    """

    source: str
    kind: str
    target: str | None = None
    values: Mapping[str, str] = attrs.field(factory=FrozenMap, converter=_values)
    doubt: Doubt | None = attrs.field(default=None, converter=attrs.converters.optional(Doubt))
    candidates: tuple[str, ...] = attrs.field(converter=texts)
    rivals: tuple[str, ...] = attrs.field(default=(), converter=texts)

    @property
    def clear(self) -> bool:
        """Whether it can be accepted."""
        return self.target is not None

    def __str__(self) -> str:
        told = ", ".join(self.candidates)
        return f"{self.source} → {self.kind}.{self.target or f'? ({self.doubt}: {told})'}"

    def accepted(self, rules: ConversionRules) -> Spread:
        """Return the *rules* with the field mapped as suggested; other kinds stay undecided.

        Raises:
            leadconvert.errors.DefinitionError: it is not clear, or the rules are others by now.

        Example:
            >>> import attrs
            >>> from leadconvert import Field, presets, suggest
            >>> rules, size = presets.bitrix24(), Field("UF_1", "integer", label="Team size")
            >>> there = Field("UF_2", "integer", label="team  SIZE")
            >>> lead = attrs.evolve(rules.lead, custom=[*rules.lead.custom, size])
            >>> kinds = [
            ...     attrs.evolve(kind, custom=[*kind.custom, there]) if kind.id == "deal" else kind
            ...     for kind in rules.kinds
            ... ]
            >>> rules = attrs.evolve(rules, lead=lead, kinds=kinds)
            >>> [suggestion] = suggest(rules)
            >>> str(suggestion.accepted(rules).rules.mappings[-1])
            'UF_1 → deal.UF_2'
        """
        if self.target is None:
            raise DefinitionError(
                [
                    mistake(
                        "unclear",
                        f"suggestion for {self.source}",
                        name=self.source,
                        into=self.kind,
                        why=str(self.doubt),
                        names=self.candidates,
                    )
                ]
            )
        field = custom_field(rules, self.source, f"suggestion for {self.source}")
        return made(rules, field, {self.kind: Existing(self.target, values=self.values)})

    def declined(self, rules: ConversionRules) -> ConversionRules:
        """Return the *rules* in which the field is declined for this kind; for others it is open.

        Declined for every kind, it is left behind.

        Raises:
            leadconvert.errors.DefinitionError: the rules have no such field or kind, or map the
                field there by now.

        Example:
            >>> import attrs
            >>> from leadconvert import Field, Suggestion, presets
            >>> rules = presets.bitrix24()
            >>> lead = attrs.evolve(rules.lead, custom=[*rules.lead.custom, Field("UF_X", "text")])
            >>> suggestion = Suggestion(source="UF_X", kind="deal", candidates=("UF_A", "UF_B"))
            >>> dict(suggestion.declined(attrs.evolve(rules, lead=lead)).declined)
            {'UF_X': ('deal',)}
        """
        if FieldMapping.leave(self.source) in rules.mappings:
            return rules
        less = declining(rules, self.source, [self.kind])
        undecided = any(is_open(less, self.source, kind) for kind in rules.kinds)
        if undecided or rules.decides_on(self.source):
            return less
        return spread(rules, self.source, {}).rules


def suggest(rules: ConversionRules) -> tuple[Suggestion, ...]:
    """Return for each custom field of the lead, and each kind not decided on, what has its label.

    Labels are compared without the size of letters, spaces and forms of Unicode, once, when rules
    are made: what is accepted says ids, and a label that changes later changes nothing. Never is
    anything guessed: where it is not plain, the suggestion says so. A field without a namesake is
    not listed.

    Example:
        >>> from leadconvert import presets, suggest
        >>> suggest(presets.bitrix24())
        ()
    """
    every = (
        suggestion_for(rules, source.id, kind)
        for source in rules.lead.custom
        for kind in rules.kinds
    )
    return tuple(one for one in every if one is not None)


def suggestion_for(rules: ConversionRules, source: str, kind: Kind) -> Suggestion | None:
    """Return where in *kind* the lead's custom field *source* could go by its label, or None.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.suggesting import suggestion_for
        >>> suggestion_for(presets.bitrix24(), "UF_X", DEAL) is None
        True
    """
    field = next((one for one in rules.lead.custom if one.id == source), None)
    if field is None or not is_open(rules, source, kind):
        return None
    playing = {kind.converted_from, kind.pipeline, kind.stage}
    alike = [one for one in kind.custom if one.id not in playing and _alike(field, one)]
    if not alike:
        return None
    found = Suggestion(source=source, kind=kind.id, candidates=tuple(one.id for one in alike))
    if len(alike) > 1:
        return attrs.evolve(found, doubt=Doubt.AMBIGUOUS)
    return _one_candidate(rules, field, kind, alike[0], found)


def _one_candidate(
    rules: ConversionRules, field: Field, kind: Kind, target: Field, found: Suggestion
) -> Suggestion:
    """Say whether *field* may go into the one candidate there is."""
    filling = [one for one in rules.mappings_into(kind.id) if one.target == target.id]
    if filling:
        fields = tuple(dict.fromkeys(name for one in filling for name in one.sources))
        return attrs.evolve(found, doubt=Doubt.TAKEN, rivals=fields)
    rivals = tuple(
        one.id
        for one in rules.lead.custom
        if one.id != field.id and _alike(one, target) and is_open(rules, one.id, kind)
    )
    if rivals:
        return attrs.evolve(found, doubt=Doubt.CONTESTED, rivals=rivals)
    values = _same_options(field, target)
    if values is None or misfits(field, target, values):
        return attrs.evolve(found, doubt=Doubt.MISFIT)
    return attrs.evolve(found, target=target.id, values=values)


def _alike(one: Field, other: Field) -> bool:
    """Whether people would take both for the same: one label, and one sort of value."""
    said = _plain(one.label)
    return (
        bool(said)
        and said == _plain(other.label)
        and (one.type, one.multiple, one.to) == (other.type, other.multiple, other.to)
    )


def _plain(label: str) -> str:
    folded = unicodedata.normalize("NFKC", label).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _same_options(source: Field, target: Field) -> Mapping[str, str] | None:
    """Return the value map by which each option becomes the one that says the same, or None.

    An id says the same only where the labels do not deny it: in many systems ids are numbers.
    """
    ours, theirs = _by_label(source), _by_label(target)
    by_id = {option.id: option for option in target.options}
    if all(option.id in by_id and _agree(option, by_id[option.id]) for option in source.options):
        return {}
    if any(len(same) > 1 or len(theirs.get(told, ())) != 1 for told, same in ours.items()):
        return None
    pairs = {same[0]: theirs[told][0] for told, same in ours.items()}
    return {id_: other for id_, other in pairs.items() if id_ != other}


def _agree(one: Option, other: Option) -> bool:
    return None in (one.label, other.label) or _plain(str(one.label)) == _plain(str(other.label))


def _by_label(field: Field) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for option in field.options:
        found.setdefault(_plain(option.label or option.id), []).append(option.id)
    return found
