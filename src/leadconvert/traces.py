"""What taking a conversion back needs to know: what stood there before, and what was written.

A trace is kept beside the lead and not in it, so that reading a lead shows no client's data.
"""

from collections.abc import Iterable, Mapping

import attrs

from leadconvert.given import all_of, is_a
from leadconvert.values import FrozenMap, Ref, digest, is_empty


__all__ = ["Trace", "TraceStep", "marked"]


def _attached(values: Iterable[tuple[str, Ref]]) -> tuple[tuple[str, Ref], ...]:
    return tuple((field, ref) for field, ref in values)


@attrs.frozen(kw_only=True)
class TraceStep:
    """What a conversion did to one record: it was `created`, `merged`, `linked`, ...

    *action* is one of these, or `filled` of the lead itself, or what became of a child: `moved`,
    `copied` (the copy), `shared`, `closed`. *before* holds the fields it changed as they were,
    *written* what stands for the values it wrote: a digest, or the refs where a record is referred
    to. *attached* lists what it added to which field.

    Example:
        >>> from leadconvert import Ref, TraceStep
        >>> TraceStep(ref=Ref("deal", "D-5"), action="merged", before={"title": None}).action
        'merged'
    """

    ref: Ref = attrs.field(validator=is_a(Ref))
    action: str = attrs.field(validator=is_a(str))
    before: Mapping[str, object] = attrs.field(factory=FrozenMap, repr=False)
    written: Mapping[str, object] = attrs.field(factory=FrozenMap, repr=False)
    attached: tuple[tuple[str, Ref], ...] = attrs.field(default=(), converter=_attached)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "before", FrozenMap(self.before))
        object.__setattr__(self, "written", FrozenMap(self.written))


def _steps(values: Iterable[TraceStep]) -> tuple[TraceStep, ...]:
    return all_of(values, TraceStep)


@attrs.frozen(kw_only=True)
class Trace:
    """What one conversion did to each record, in order; *id* is the conversion's.

    Example:
        >>> from leadconvert import Trace
        >>> Trace(id="L-7.1").steps
        ()
    """

    id: str = attrs.field(validator=is_a(str))
    steps: tuple[TraceStep, ...] = attrs.field(default=(), converter=_steps)


def marked(values: Mapping[str, object]) -> dict[str, object]:
    """Return what stands for *values* in a trace: refs as they are, of all else a digest.

    Refs become those of the store when the change set is applied, which no digest could.

    Example:
        >>> from leadconvert import Ref
        >>> from leadconvert.traces import marked
        >>> marked({"company_id": Ref("company", "CO-9")})["company_id"].id
        'CO-9'
        >>> len(marked({"title": "Engine"})["title"])
        32
    """
    return {name: _mark(value) for name, value in values.items()}


def _mark(value: object) -> object:
    if is_empty(value):
        return None  # stores tell nothing in more than one way
    return value if _refers(value) else digest(value)


def _refers(value: object) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, Ref) for item in items)
