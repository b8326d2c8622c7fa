"""What lint finds in rules: each finding as a value, and the words for it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs

from leadconvert.given import is_a
from leadconvert.values import FrozenMap


__all__ = ["ADVICE", "Finding", "Severity", "found"]


class Severity(StrEnum):
    """How much a finding matters; the more it does, the greater it is.

    An *error*: something in the rules never does what it says. A *warning*: values of some leads
    are lost, refused, asked for or shown. A *note*: it depends on how well a lead is filled, or
    something is said in vain.

    Example:
        >>> from leadconvert import Severity
        >>> max(Severity.NOTE, Severity.WARNING, Severity.ERROR)
        <Severity.ERROR: 'error'>
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def _weight(self) -> int:
        return -list(Severity).index(self)

    # not as texts are compared, of which each is one
    def __lt__(self, other: str) -> bool:
        return self._weight < Severity(other)._weight

    def __le__(self, other: str) -> bool:
        return self._weight <= Severity(other)._weight

    def __gt__(self, other: str) -> bool:
        return self._weight > Severity(other)._weight

    def __ge__(self, other: str) -> bool:
        return self._weight >= Severity(other)._weight


_E: Final = Severity.ERROR
_W: Final = Severity.WARNING
_N: Final = Severity.NOTE

#: By code: how much it matters, what it says, and what to do.
ADVICE: Final[Mapping[str, tuple[Severity, str, str]]] = {
    # -- what of a lead is lost
    "unmapped": (
        _W,
        "no mapping says where {label} of a {kind} goes",
        "map it, or leave it behind on purpose with FieldMapping.leave()",
    ),
    "first_only": (
        _W,
        "only the first of several values of {source} is taken",
        "join them, or map them to a field that holds several",
    ),
    "part_only": (
        _W,
        "only a part of {source} is taken: {taken}",
        "map the other parts as well, or the whole",
    ),
    "as_text": (
        _W,
        "of the product lines in {source} only the names are taken",
        "map them to a field of product lines",
    ),
    "vanishes": (
        _W,
        "what {source} says is lost where it is {options}, which the value map turns into nothing",
        "let the value map say what it becomes",
    ),
    # -- what the target does not take
    "wrong_type": (
        _E,
        "{field} holds {expected}, and {source} gives {given}",
        "map it to another field, or name a transform",
    ),
    "wrong_reference": (
        _E,
        "{field} points at a {to}, and {source} does not",
        "map it to another field",
    ),
    "bad_transform": (
        _E,
        "{transform} is for {expected}, and {source} gives {given}",
        "name another transform, or none",
    ),
    "several": (
        _W,
        "{source} may have several values, and {field} holds one",
        "name the transform first or join, or let the field hold several",
    ),
    "too_long": (
        _W,
        "{source} may be longer than the {max_length} characters that {field} holds",
        'say overflow="shorten", or let the field hold more',
    ),
    "always_too_long": (
        _E,
        "the template makes at least {shortest} characters, and {field} holds {max_length}",
        "shorten the template, or let the field hold more",
    ),
    "free_text": (
        _W,
        "{source} may be any text, and {field} holds only {options}",
        "map a choice to it, or make it a text",
    ),
    "no_counterpart": (
        _W,
        "{field} has no {options}, which {source} may have",
        "add to the value map, or add the option",
    ),
    "unused_value": (
        _N,
        "the value map speaks of {options}, which {source} never has",
        "correct the value map",
    ),
    "no_such_stage": (
        _W,
        "{field} may become {options}, which is none of where a {kind} can stand",
        "add to the value map, or correct the value",
    ),
    # -- what a target lacks
    "only_by_hand": (
        _W,
        "a new {kind} needs {label}, and nothing fills it",
        "map it, give it a default, or let people fill it",
    ),
    "may_be_empty": (
        _N,
        "a new {kind} needs {label}, and whatever fills it may be empty",
        "give it a fallback or a default, or let people fill it",
    ),
    "no_currency": (
        _W,
        "{label} of a {kind} may be filled, and nothing fills its currency",
        "map the currency, or give it a default",
    ),
    "currency_may_be_empty": (
        _N,
        "{label} of a {kind} may be filled where its currency is empty",
        "give the currency a default",
    ),
    "other_currency": (
        _W,
        "{source} is in {currency}, and the currency of {field} comes from elsewhere",
        "map the currency along with the amount",
    ),
    # -- who sees it
    "exposed": (
        _W,
        "{source} is sensitive, and {field} shows it to everybody",
        "make that field sensitive too, or map it elsewhere",
    ),
    # -- what never acts
    "unreachable_stage": (
        _W,
        "no move leads from where a {kind} starts to stage {stage!r}",
        "list it among the moves of another stage, or remove it",
    ),
    "pointless_grant": (
        _N,
        "what it says of {grant} another grant of the role says already",
        "remove it",
    ),
    "pointless_role": (
        _N,
        "what it grants is permitted to everybody, as the policy is unrestricted",
        "remove its grants, or restrict the policy",
    ),
    "nobody_may": (
        _W,
        "no role may {actions} a {kind}",
        "grant it to a role",
    ),
    "never_holds": (
        _E,
        "its condition can never hold",
        "correct the condition",
    ),
    "never_entered": (
        _W,
        "no move leads to stage {stage!r}: it acts only where a lead arrives there",
        "let it act on another stage",
    ),
    "no_arrivals": (
        _E,
        "it waits for leads to arrive, which the mode without leads converts at once",
        "remove it, or the mode",
    ),
    "always_refused": (
        _E,
        "whatever it does is refused: {why}",
        "change the rule, or what stands in its way",
    ),
    "refused_if_new": (
        _W,
        "it acts only where there is a {kind} already: {why}",
        "change the rule, or what stands in its way",
    ),
    "shadowed": (
        _W,
        "a rule above it decides wherever this one could",
        "remove it, or move it up",
    ),
    "unfilled_key": (
        _N,
        "nothing fills {labels}, so a {kind} that was made is never found by {key!r}",
        "map it, or match by something else",
    ),
}


@attrs.frozen(kw_only=True)
class Finding:
    """What is wrong in rules, or questionable: a stable code, how severe, and where.

    *place* says where in the rules, *kind* and *field* which field it is about. *params* are plain
    facts, from which any language can tell it.

    Example:
        >>> from leadconvert import lint, presets
        >>> finding = lint(presets.bitrix24())[0]
        >>> finding.code, finding.severity, finding.kind, finding.field
        ('unmapped', <Severity.WARNING: 'warning'>, 'lead', 'observer_ids')
        >>> finding.message
        'no mapping says where Observer ids of a lead goes'
    """

    code: str
    severity: Severity = attrs.field(converter=Severity)
    place: str = attrs.field(validator=is_a(str))
    kind: str | None = None
    field: str | None = None
    params: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "params", FrozenMap(self.params))

    @property
    def message(self) -> str:
        """What was found, in English."""
        return self._told(1)

    @property
    def remedy(self) -> str:
        """What to do about it, in English."""
        return self._told(2)

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message} ({self.remedy})"

    def _told(self, part: int) -> str:
        sentence = str(ADVICE[self.code][part]) if self.code in ADVICE else self.code
        listed = {
            name: ", ".join(map(repr, value)) if isinstance(value, tuple) else value
            for name, value in self.params.items()
        }
        return sentence.format_map({"kind": self.kind, "field": self.field, **listed})


def found(  # noqa: PLR0913 - the parts of a finding
    code: str,
    place: str,
    *,
    kind: str | None = None,
    field: str | None = None,
    severity: Severity | None = None,
    params: Mapping[str, object] | None = None,
    **more: object,
) -> Finding:
    """Return the finding with that *code*, as severe as it usually is; *more* are params too.

    Example:
        >>> from leadconvert.findings import found
        >>> print(found("never_holds", "automation rule all"))
        error: automation rule all: its condition can never hold (correct the condition)
    """
    usual = ADVICE[code][0] if severity is None else severity
    facts = {**(params or {}), **more}
    return Finding(code=code, severity=usual, place=place, kind=kind, field=field, params=facts)
