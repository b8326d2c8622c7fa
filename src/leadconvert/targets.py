"""What is asked for: the targets of a conversion, and what only a store can know."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import attrs
from attrs import validators

from leadconvert.access import AccessRequest, Decision
from leadconvert.changes import Receipt
from leadconvert.given import all_of, is_a, named, texts
from leadconvert.matching import MatchKey
from leadconvert.records import Record
from leadconvert.traces import Trace
from leadconvert.values import FrozenMap, Ref, digest


__all__ = [
    "Carry",
    "Create",
    "Find",
    "Known",
    "Link",
    "Merge",
    "Mode",
    "Pending",
    "Request",
    "Target",
    "Wanted",
    "survivor",
    "targets_of",
]

#: Where a filled custom field of the lead goes: by lead field, by kind, the target field.
Carry = Mapping[str, Mapping[str, str]]


class Mode(StrEnum):
    """Whether a lead is converted, or more is made of one that is converted already.

    Example:
        >>> from leadconvert import Mode
        >>> Mode("supplement") is Mode.SUPPLEMENT
        True
    """

    CONVERT = "convert"
    SUPPLEMENT = "supplement"


@attrs.frozen
class Target:
    """One thing to convert into: a kind, and values for what no mapping can know.

    Example:
        >>> from leadconvert import Create, Target
        >>> isinstance(Create("deal"), Target)
        True
    """

    kind: str = attrs.field(validator=is_a(str))
    values: Mapping[str, object] = attrs.field(factory=FrozenMap, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))


@attrs.frozen
class Find(Target):
    """The record of *kind* that the lead belongs to; a plain kind name is short for this.

    That is the one the lead is bound to, else the one that matches, else a new one. A value
    supplied wins over any mapping; a supplied None stays empty.

    Raises:
        TypeError: a value could change later, such as an object of one's own class.

    Example:
        >>> from leadconvert import Find
        >>> Find("company", values={"name": "Engines"}).kind
        'company'
    """


@attrs.frozen
class Create(Target):
    """A new record of *kind*, on purpose: nothing is matched.

    Under *id* if given, else under one derived from the lead's.

    Raises:
        TypeError: a value could change later, such as an object of one's own class.

    Example:
        >>> from datetime import date
        >>> from leadconvert import Create
        >>> Create("deal", values={"close_date": date(2027, 1, 31)}).kind
        'deal'
    """

    id: str | None = attrs.field(
        default=None, validator=validators.optional(is_a(str)), kw_only=True
    )


@attrs.frozen
class _Existing(Target):
    """A record that exists, by its *id*; given a *revision*, only if it still has that one."""

    id: str = attrs.field(validator=is_a(str))
    revision: str | None = attrs.field(
        default=None, validator=validators.optional(is_a(str)), kw_only=True
    )


@attrs.frozen
class Link(_Existing):
    """A record that exists, which is pointed at and remembers the lead, and else stays as it is.

    Given a *revision*, only if it still has that one.

    Example:
        >>> from leadconvert import Link
        >>> Link("company", "CO-9").id
        'CO-9'
    """


@attrs.frozen
class Merge(_Existing):
    """A record that exists, into which the lead's values are merged by the rule of each mapping.

    A value supplied is taken. Given a *revision*, only if the record still has that one.

    Example:
        >>> from leadconvert import Merge
        >>> Merge("contact", "C-3", revision="7").revision
        '7'
    """


def targets_of(into: Iterable[str | Target]) -> tuple[Target, ...]:
    """Return what is asked for as targets; a plain name is short for `Find` with that kind.

    Raises:
        TypeError: *into* is one name or one target instead of a list of them.

    Example:
        >>> from leadconvert.targets import targets_of
        >>> targets_of(["contact", "deal"])[1].kind
        'deal'
    """
    if isinstance(into, str | Target):
        raise TypeError("into= is a list of kinds or targets: write [...] around it")
    found: list[Target] = []
    for one in into:
        if not isinstance(one, str | Find | Create | Link | Merge):
            raise TypeError(f"into= holds {named(type(one))}, which is no kind and no target")
        found.append(Find(one) if isinstance(one, str) else one)
    return tuple(found)


@attrs.frozen(kw_only=True)
class Request:
    """What was asked for, as plain data, the answers given so far included.

    It makes the fingerprint of a change set, and its key unless one is given.

    Example:
        >>> from leadconvert import Create, Request
        >>> one = Request(lead_id="L-7", targets=(Create("deal"), Create("contact")), carry={})
        >>> two = Request(lead_id="L-7", targets=(Create("contact"), Create("deal")), carry={})
        >>> one.fingerprint == two.fingerprint
        True
    """

    lead_id: str
    targets: tuple[Target, ...]
    carry: Carry = attrs.field(factory=FrozenMap)
    values: Mapping[str, object] = attrs.field(factory=FrozenMap, repr=False)
    closing: bool = True
    mode: Mode = attrs.field(default=Mode.CONVERT, converter=Mode)
    key: str | None = None
    #: How many of the targets, the last ones, nobody asked for: they came along to fill gaps.
    along: int = 0

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "carry", FrozenMap(self.carry))
        object.__setattr__(self, "values", FrozenMap(self.values))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds chosen: plain data to remember, and to offer first another time."""
        return tuple(dict.fromkeys(target.kind for target in self.targets))

    @property
    def asked(self) -> tuple[Target, ...]:
        """The targets without those that came along, unless something was answered for one."""
        first = len(self.targets) - self.along
        return tuple(one for at, one in enumerate(self.targets) if at < first or one.values)

    @property
    def fingerprint(self) -> str:
        """Stands for the request: never for who asked, when, or what was found."""
        targets = sorted(self.asked, key=lambda target: target.kind)  # stable: order of a kind
        asked = [
            (type(target).__name__, attrs.astuple(target, recurse=False)) for target in targets
        ]
        given = (self.carry, self.values, self.closing)
        return digest((self.mode.value, self.lead_id, asked, *given))


def _records(values: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(values)


@attrs.frozen
class Pending:
    """A record that another change set makes, and the key of that change set.

    Example:
        >>> from leadconvert import Company, Pending
        >>> Pending(Company(id="L-1.1.company.1"), "L-1/0/9f2c").key
        'L-1/0/9f2c'
    """

    record: Record
    key: str


def _pending(values: Iterable[Pending]) -> tuple[Pending, ...]:
    return tuple(values)


def _owners(values: Iterable[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(texts(values))


def _decisions(values: Iterable[Decision] | None) -> tuple[Decision, ...] | None:
    return None if values is None else tuple(values)


def _merged(values: Iterable[tuple[Ref, Ref]]) -> tuple[tuple[Ref, Ref], ...]:
    return tuple((gone, survivor) for gone, survivor in values)


def _traces(values: Iterable[Trace]) -> tuple[Trace, ...]:
    return all_of(values, Trace)


def _load(values: Mapping[str, int] | None) -> Mapping[str, int] | None:
    return None if values is None else FrozenMap(values)


@attrs.frozen(kw_only=True)
class Known:
    """What the store knows and a decision needs: the records that `wanted` asked for.

    *decisions* are those of a remote engine about access, made before. With them nothing else
    decides: what they do not answer is denied, and stands in the plan's `required_access`. None
    means that the rules' policy decides. *eligible_owners* are the users who may own something now;
    None means everybody. *pending* are records that earlier change sets make, and no store has yet.
    *merged* pairs records that were merged away with the one that survived, *traces* are what
    taking conversions back needs. *load* says how many leads each owner has got, for those who take
    turns; None where nobody counts.

    Example:
        >>> from leadconvert import Company, Known
        >>> len(Known(records=[Company(id="CO-9", name="Analytical Engines")]).records)
        1
    """

    records: tuple[Record, ...] = attrs.field(default=(), converter=_records)
    decisions: tuple[Decision, ...] | None = attrs.field(default=None, converter=_decisions)
    eligible_owners: frozenset[str] | None = attrs.field(default=None, converter=_owners)
    pending: tuple[Pending, ...] = attrs.field(default=(), converter=_pending)
    merged: tuple[tuple[Ref, Ref], ...] = attrs.field(default=(), converter=_merged)
    traces: tuple[Trace, ...] = attrs.field(default=(), converter=_traces)
    #: The receipt of the change set whose key was asked for, if there is one.
    receipt: Receipt | None = None
    load: Mapping[str, int] | None = attrs.field(default=None, converter=_load)


def survivor(ref: Ref, merged: Iterable[tuple[Ref, Ref]]) -> Ref:
    """Return what *ref* is by now: the last it was *merged* into, or itself if it never was.

    *merged* is `Known.merged`. It may go through several merges. Pairs that run in a circle name no
    survivor, so *ref* stays itself.

    Example:
        >>> from leadconvert import Ref, survivor
        >>> one, two, three = (Ref("contact", id) for id in ("C-1", "C-2", "C-3"))
        >>> survivor(one, [(two, three), (one, two)]).id
        'C-3'
    """
    into = {gone: kept for gone, kept in merged if gone != kept}
    last, passed = ref, {ref}
    while last in into:
        last = into[last]
        if last in passed:
            return ref
        passed.add(last)
    return last


@attrs.frozen(kw_only=True)
class Wanted:
    """What to find out before deciding: the records referred to, and the rights a plan starts from.

    *access* asks the rights on the lead, to read the records, and on sensitive fields: what a
    remote engine is to answer first. *matches* pairs kinds with keys: whoever has one of them may
    be meant. *related* names a kind, a field of it, and a record: load whoever refers to that.
    *traces* are the ids of the conversions whose traces are needed. Of a record that was merged
    away load the survivor, and say so in `Known.merged`.

    Example:
        >>> from leadconvert import Ref, Wanted
        >>> Wanted(refs=(Ref("company", "CO-9"),)).refs[0].id
        'CO-9'
    """

    refs: tuple[Ref, ...] = ()
    access: tuple[AccessRequest, ...] = ()
    matches: tuple[tuple[str, MatchKey], ...] = ()
    related: tuple[tuple[str, str, Ref], ...] = ()
    traces: tuple[str, ...] = ()
    #: The key of a change set whose receipt is to be looked up.
    key: str | None = None
