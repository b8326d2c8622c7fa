"""One thing wrong, as a value: why, where, and plain facts from which any language can tell it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum

import attrs

from leadconvert.values import FrozenMap
from leadconvert.wording import SENTENCES


__all__ = ["Cause", "Problem", "did_you_mean", "mistake", "no_choice", "twice", "unknown"]


class Cause(StrEnum):
    """Why something is refused, gravest first: the first cause decides the class of the error.

    Example:
        >>> from leadconvert.problems import Cause
        >>> list(Cause)[0]
        <Cause.DEFINITION: 'definition'>
    """

    DEFINITION = "definition"
    LEAD_ACCESS = "lead_access"
    ALREADY_CONVERTED = "already_converted"
    STAGE = "stage"
    TARGETS_REQUIRED = "targets_required"
    TARGET_ACCESS = "target_access"
    UNKNOWN_TARGET = "unknown_target"
    AMBIGUOUS = "ambiguous"
    INVALID_TARGET = "invalid_target"
    MISSING = "missing"
    INVALID = "invalid"
    REVERSAL = "reversal"


@attrs.frozen(kw_only=True)
class Problem:
    """One thing wrong: why, where, and the plain facts from which any language can tell it.

    `code` is stable. `target` is the index in what was asked for, `kind` and `field` say where in a
    record, `place` where in the rules. `params` never holds a value of a record.

    Example:
        >>> from leadconvert.problems import Cause, Problem
        >>> problem = Problem(
        ...     cause=Cause.MISSING, code="required", target=0, kind="deal", field="close_date",
        ...     params={"label": "Close date"},
        ... )
        >>> print(problem)
        deal needs Close date (supply it in values=)
    """

    cause: Cause = attrs.field(converter=Cause)
    code: str
    target: int | None = None
    kind: str | None = None
    field: str | None = None
    place: str | None = None
    params: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "params", FrozenMap(self.params))

    @property
    def message(self) -> str:
        """What is wrong, in English."""
        return self._told(0)

    @property
    def remedy(self) -> str:
        """The way out, in English."""
        return self._told(1)

    def __str__(self) -> str:
        at = f"{self.place}: " if self.place else ""
        return f"{at}{self.message} ({self.remedy})"

    def _told(self, part: int) -> str:
        sentence = SENTENCES.get(self.code, (self.code, "see the documentation of that code"))
        facts = {
            "kind": self.kind,
            "field": self.field,
            "place": self.place,
            "hint": "",
            "whom": "",
        }
        listed = {
            name: ", ".join(map(str, value)) if isinstance(value, tuple) else value
            for name, value in self.params.items()
        }
        if guess := listed.get("did_you_mean"):
            facts["hint"] = f", did you mean {guess!r}?"
        if could := listed.get("could"):
            facts["whom"] = f" (such as {could})"
        if isinstance(candidates := self.params.get("candidates"), tuple):
            facts["ids"] = ", ".join(repr(one["id"]) for one in candidates)
        return sentence[part].format_map(facts | listed)


def mistake(code: str, place: str, **params: object) -> Problem:
    """Return the problem that something in the rules is, at *place*.

    Example:
        >>> from leadconvert.problems import mistake
        >>> print(mistake("duplicate", "pipeline sales", what="stage", name="NEW"))
        pipeline sales: stage 'NEW' stands twice (remove or rename one)
    """
    return Problem(cause=Cause.DEFINITION, code=code, place=place, params=params)


def twice(what: str, names: Iterable[str], place: str) -> Iterable[Problem]:
    """Yield the mistake that a name stands twice, once for each time too many.

    Example:
        >>> from leadconvert.problems import twice
        >>> [str(mistake) for mistake in twice("stage", ["a", "b", "a"], "pipeline p")]
        ["pipeline p: stage 'a' stands twice (remove or rename one)"]
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield mistake("duplicate", place, what=what, name=name)
        seen.add(name)


def unknown(what: str, name: str, known: Iterable[str], place: str) -> Problem:
    """Return the mistake that *name* is not among the *known*, with the likeliest meant.

    Example:
        >>> from leadconvert.problems import unknown
        >>> print(unknown("kind", "dael", ["deal", "contact"], "mapping 3"))
        mapping 3: there is no kind 'dael', did you mean 'deal'? (correct the name)
    """
    return mistake("unknown", place, what=what, name=name, **did_you_mean(name, known))


def no_choice(what: str, name: str, choices: Iterable[str], place: str) -> Problem:
    """Return the mistake that *name* is none of the few *choices*: the likeliest, or else all.

    Example:
        >>> from leadconvert.problems import no_choice
        >>> print(no_choice("scope", "mine", ["own", "team", "all"], "grant on lead"))
        grant on lead: there is no scope 'mine' (choose among own, team, all)
    """
    listed = [str(one) for one in choices]
    if did_you_mean(name, listed):
        return unknown(what, name, listed, place)
    return mistake("unknown_choice", place, what=what, name=name, choices=listed)


def did_you_mean(name: str, known: Iterable[str]) -> dict[str, str]:
    """Return the param `did_you_mean` if *name* is close to one of the *known* names.

    Example:
        >>> from leadconvert.problems import did_you_mean
        >>> did_you_mean("contcat", ["contact", "deal"])
        {'did_you_mean': 'contact'}
    """
    guesses = get_close_matches(name, known, n=1)
    return {"did_you_mean": str(guesses[0])} if guesses else {}  # an enum's member as its text
