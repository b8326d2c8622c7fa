"""Who owns what is made: as mapped, the actor, one person, or several, spread or by turns."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import attrs
from attrs import validators

from leadconvert.access import ANY
from leadconvert.conditions import AllOf, AnyOf, Condition, Not, Where
from leadconvert.errors import chosen
from leadconvert.given import is_a, texts
from leadconvert.kinds import Kind
from leadconvert.problems import Problem, mistake, unknown
from leadconvert.records import Lead
from leadconvert.values import digest, is_empty


__all__ = ["OwnerRule", "Ownership", "next_in_turn", "owner_mistakes", "rule_for", "spread"]


class Ownership(StrEnum):
    """Whose a new record is: as the mappings say, the actor's, or one of those who are listed.

    Those who are `listed` share by the lead's id alone; those who are `rotated` take turns over a
    batch.

    Example:
        >>> from leadconvert import Ownership
        >>> Ownership("actor") is Ownership.ACTOR
        True
    """

    MAPPED = "mapped"
    ACTOR = "actor"
    LISTED = "listed"
    ROTATED = "rotated"


def _ownership(value: str) -> Ownership:
    return chosen(Ownership, value, "ownership", "owner rule")


@attrs.frozen
class OwnerRule:
    """Whose a new record of *kind* (``"*"`` for every kind) is, where *when* holds for the lead.

    Of several *among* whom it is spread evenly, by the lead's id alone: each lead has its person,
    whatever comes before it, and who leaves hands over their own leads and nobody else's. If it is
    `rotated`, whoever has got the fewest leads so far is next, in the order of the list, wherever
    that is counted: by `convert_batch`, or by you in `Known.load`.

    Example:
        >>> from leadconvert import OwnerRule
        >>> OwnerRule("deal", "listed", among=["u-1", "u-2"]).among
        ('u-1', 'u-2')
    """

    kind: str = attrs.field(validator=is_a(str))
    to: Ownership = attrs.field(converter=_ownership)
    among: tuple[str, ...] = attrs.field(default=(), converter=texts, kw_only=True)
    when: Condition | None = attrs.field(
        default=None,
        validator=validators.optional(is_a(Where, AllOf, AnyOf, Not)),
        kw_only=True,
    )

    def holds(self, lead: Lead, lead_kind: Kind, kind: Kind) -> bool:
        """Tell whether this rule is about a record of *kind* made of *lead*.

        Example:
            >>> from leadconvert import Lead, OwnerRule
            >>> from leadconvert.kinds import DEAL, LEAD
            >>> OwnerRule("*", "actor").holds(Lead(id="L-7", stage="NEW"), LEAD, DEAL)
            True
        """
        if self.kind not in {ANY, kind.id}:
            return False
        return self.when is None or self.when.holds(lambda name: lead_kind.read(lead, name))


def rule_for(
    rules: Iterable[OwnerRule], lead: Lead, lead_kind: Kind, kind: Kind
) -> OwnerRule | None:
    """Return the rule that says whose a new record of *kind* is: the first that holds, or None.

    Example:
        >>> from leadconvert import Lead, OwnerRule
        >>> from leadconvert.kinds import CONTACT, DEAL, LEAD
        >>> from leadconvert.owning import rule_for
        >>> rules = [OwnerRule("contact", "actor"), OwnerRule("*", "mapped")]
        >>> rule_for(rules, Lead(id="L-7", stage="NEW"), LEAD, DEAL).to
        <Ownership.MAPPED: 'mapped'>
    """
    return next((rule for rule in rules if rule.holds(lead, lead_kind, kind)), None)


def spread(lead_id: str, among: Iterable[str]) -> str | None:
    """Return who of several owns what is made of a lead, or None if there is nobody.

    The same lead has the same owner as long as they are among them.

    Example:
        >>> from leadconvert.owning import spread
        >>> owner = spread("L-7", ["u-1", "u-2", "u-3"])
        >>> owner == spread("L-7", ["u-3", owner])
        True
    """
    return max(set(among), key=lambda owner: digest((lead_id, owner)), default=None)


def next_in_turn(load: Mapping[str, int], among: Iterable[str]) -> str | None:
    """Return who of several is next: the first of those with the least *load*, or None.

    Example:
        >>> from leadconvert.owning import next_in_turn
        >>> next_in_turn({"u-1": 1, "u-3": 1}, ["u-1", "u-2", "u-3"])
        'u-2'
    """
    return min(among, key=lambda owner: load.get(owner, 0), default=None)


def owner_mistakes(
    rules: Iterable[OwnerRule], lead: Kind, kinds: Iterable[Kind]
) -> Iterator[Problem]:
    """Yield every owner rule that names what the rules do not have, or says nothing.

    Example:
        >>> from leadconvert import OwnerRule
        >>> from leadconvert.kinds import DEAL, LEAD
        >>> from leadconvert.owning import owner_mistakes
        >>> print(*owner_mistakes([OwnerRule("dael", "actor")], LEAD, [DEAL]))
        owner rule for dael: there is no kind 'dael', did you mean 'deal'? (correct the name)
    """
    by_id: Mapping[str, Kind] = {kind.id: kind for kind in kinds}
    for rule in rules:
        place = f"owner rule for {rule.kind}"
        if rule.kind not in {ANY, *by_id}:
            yield unknown("kind", rule.kind, by_id, place)
        elif rule.kind != ANY and by_id[rule.kind].owner is None:
            yield mistake("bad_owner_rule", place, why="the kind has no owner")
        needs_list = rule.to in {Ownership.LISTED, Ownership.ROTATED}
        if needs_list != bool(rule.among):
            why = "nobody is listed" if needs_list else "a list says nothing here"
            yield mistake("bad_owner_rule", place, why=why)
        if any(map(is_empty, rule.among)):
            yield mistake("blank_id", place, what="listed owner")
        if rule.when is not None:
            yield from rule.when.mistakes(lead, place)
