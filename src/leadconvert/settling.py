"""Which record each target means: chosen, else one the lead belongs to, matched, or new."""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs

from leadconvert.access import Action
from leadconvert.earlier import Earlier
from leadconvert.kinds import Kind
from leadconvert.limits import Made
from leadconvert.linking import Links
from leadconvert.matching import Match, MatchKey, Then
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Lead, Record
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create, Link, Merge, Target
from leadconvert.values import Ref


__all__ = ["Settled", "Settling"]


@attrs.frozen(kw_only=True)
class Settled:
    """What one target comes down to: `create`, `link` or `merge`, and the record that exists.

    Example:
        >>> from leadconvert import Ref
        >>> from leadconvert.settling import Settled
        >>> Settled(ref=Ref("deal", "L-7.1.deal.1", provisional=True), action="create").record
    """

    ref: Ref
    action: str
    record: Record | None = None
    matched_by: tuple[str, ...] = ()
    #: The keys by which it was looked for, whoever was found.
    sought: frozenset[MatchKey] = frozenset()


@attrs.define(kw_only=True)
class Settling:
    """Settles the targets of one lead; afterwards *settled* holds each by its index.

    Example:
        >>> from leadconvert import Actor, Find, Known, Lead, Policy, presets
        >>> from leadconvert.rights import Rights
        >>> from leadconvert.settling import Settling
        >>> rules, lead = presets.bitrix24(), Lead(id="L-7", stage="NEW")
        >>> rights = Rights(actor=Actor("u-7"), authorizer=Policy.allow_all(), rules=rules)
        >>> settling = Settling(
        ...     lead=lead, rules=rules, targets=(Find("deal"),),
        ...     links=Links(rights=rights, there={}),
        ...     earlier=Earlier(lead=lead, rules=rules, known=Known()),
        ... )
        >>> settling.settle()
        >>> settling.settled[0].ref.id
        'L-7.1.deal.1'
    """

    lead: Lead
    rules: ConversionRules
    targets: tuple[Target, ...]
    links: Links
    earlier: Earlier
    #: The records that exist in no store yet, as other change sets make them.
    pending: AbstractSet[Ref] = frozenset()
    settled: dict[int, Settled] = attrs.field(factory=dict, init=False)
    problems: list[Problem] = attrs.field(factory=list, init=False)
    _count: Counter[str] = attrs.field(factory=Counter, init=False)

    def settle(self) -> None:
        """Settle every target, in the order in which they were asked for."""
        kinds = sorted(self.rules.order)
        for index, target in enumerate(self.targets):
            kind = self.rules.kind(target.kind)
            if kind is None:
                facts = {"wanted": target.kind, "kinds": kinds, **did_you_mean(target.kind, kinds)}
                self._refuse(Cause.UNKNOWN_TARGET, "unknown_kind", index, None, facts)
                continue
            match target:
                case Link() | Merge():
                    self._choose(index, kind, target)
                case Create():
                    self._create(index, kind, target.id)
                case _:
                    self._find(index, kind)

    def _choose(self, index: int, kind: Kind, target: Link | Merge) -> None:
        record = self.links.readable(Ref(kind.id, target.id))
        facts: dict[str, object] = {"id": target.id}
        if record is None:
            self._refuse(Cause.UNKNOWN_TARGET, "record_not_there", index, kind, facts)
            return
        if target.revision is not None and target.revision != record.revision:
            facts |= {"now": record.revision, "wanted": target.revision}
            self._refuse(Cause.INVALID_TARGET, "stale_target", index, kind, facts)
        action = "link" if isinstance(target, Link) else "merge"
        self._take(index, kind, action, record)

    def _create(self, index: int, kind: Kind, id: str | None) -> None:  # noqa: A002
        if any(one.kind == kind.id and one.made is Made.NEVER for one in self.rules.limits):
            self._refuse(Cause.INVALID_TARGET, "never_made", index, kind, {})
        self._count[kind.id] += 1
        number = len(self.lead.conversions) + 1
        derived = f"{self.lead.id}.{number}.{kind.id}.{self._count[kind.id]}"
        ref = Ref(kind.id, id or derived, provisional=True)
        there = self.links.readable(ref.stored)
        if there is not None or ref in {one.ref for one in self.settled.values()}:
            self._refuse(Cause.INVALID_TARGET, "duplicate_id", index, kind, {"id": ref.id})
        self.settled[index] = Settled(ref=ref, action="create")

    def _find(self, index: int, kind: Kind) -> None:
        """Settle a target by whom the lead belongs to, or by who matches it."""
        if bound := self.earlier.meant(kind):
            record = self.links.readable(Ref(kind.id, bound[0]))
            if record is None:
                self._refuse(
                    Cause.UNKNOWN_TARGET, "record_not_there", index, kind, {"id": bound[0]}
                )
            else:
                self._take(index, kind, "merge", record)
            return
        sought = self._sought(kind)
        then, matches = self._matches(kind, sought)
        if then is Then.NONE:
            self._create(index, kind, None)
        elif len(matches) > 1:
            facts = {"count": len(matches), "candidates": list(_told(matches))}
            self._refuse(Cause.AMBIGUOUS, "several_matches", index, kind, facts)
        elif then is Then.ASK:
            facts = {"candidates": list(_told(matches))}
            self._refuse(Cause.AMBIGUOUS, "match_to_decide", index, kind, facts)
        elif then is Then.REFUSE:
            facts = {"candidates": list(_told(matches))}
            self._refuse(Cause.INVALID_TARGET, "match_refused", index, kind, facts)
        else:
            [match] = matches
            self._take(index, kind, then.value, match.record, match.by)
        if index in self.settled:
            self.settled[index] = attrs.evolve(self.settled[index], sought=sought)

    def _sought(self, kind: Kind) -> frozenset[MatchKey]:
        """Return the keys of the lead by which a rule could find a record of *kind*."""
        matching = self.rules.matching
        sorts = matching.sorts(kind.id)
        keys = matching.keys(self.rules.lead, self.lead) if sorts else frozenset[MatchKey]()
        return frozenset(key for key in keys if key.type in sorts)

    def _matches(self, kind: Kind, sought: frozenset[MatchKey]) -> tuple[Then, tuple[Match, ...]]:
        """Return who matches: a record the actor may read, and never the lead itself."""
        if not sought:
            return Then.NONE, ()
        readable = (self.links.readable(ref) for ref in self.links.there if ref.kind == kind.id)
        return self.rules.matching.matches(
            sought, kind, [one for one in readable if one is not None]
        )

    def _take(
        self,
        index: int,
        kind: Kind,
        action: str,
        record: Record,
        matched_by: tuple[str, ...] = (),
    ) -> None:
        ref = Ref(kind.id, record.id)
        ref = attrs.evolve(ref, provisional=ref in self.pending)
        if ref in {one.ref for one in self.settled.values()}:
            self._refuse(Cause.INVALID_TARGET, "two_on_one", index, kind, {"id": ref.id})
        if action == "link" and self.targets[index].values:
            self._refuse(Cause.INVALID_TARGET, "link_with_values", index, kind, {"id": ref.id})
        needed = (Action.LINK,) if action == "link" else (Action.UPDATE, Action.MERGE)
        rights = self.links.rights
        for one in needed:
            asked = rights.with_record(kind, record, one)
            denial = rights.denial(asked, Cause.TARGET_ACCESS, index)
            self.problems += [] if denial is None else [denial]
        self.settled[index] = Settled(ref=ref, action=action, record=record, matched_by=matched_by)

    def _refuse(
        self,
        cause: Cause,
        code: str,
        index: int,
        kind: Kind | None,
        params: Mapping[str, object],
    ) -> None:
        named = None if kind is None else kind.id
        self.problems.append(
            Problem(cause=cause, code=code, target=index, kind=named, params=params)
        )


def _told(matches: tuple[Match, ...]) -> Iterator[dict[str, object]]:
    for match in matches:
        yield {"id": match.record.id, "by": match.by}
