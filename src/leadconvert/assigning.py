"""Whose a target will be: what a rule says of a new record, and whether its owner may own it."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from leadconvert.access import Actor
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.owning import OwnerRule, Ownership, next_in_turn, rule_for, spread
from leadconvert.problems import Cause, Problem
from leadconvert.records import Lead
from leadconvert.results import Outcome, Row
from leadconvert.rules import ConversionRules
from leadconvert.values import is_empty


__all__ = ["Assigning"]


@attrs.frozen(kw_only=True)
class Assigning:
    """Says for one lead whose its targets will be, given who is *eligible* (None for everybody).

    Example:
        >>> import attrs
        >>> from leadconvert import Actor, Lead, OwnerRule, presets
        >>> from leadconvert.assigning import Assigning
        >>> rules = attrs.evolve(presets.bitrix24(), owners=[OwnerRule("*", "actor")])
        >>> assigning = Assigning(
        ...     lead=Lead(id="L-7", stage="NEW"), rules=rules, actor=Actor("u-7"), eligible=None
        ... )
        >>> assigning.mapping(rules.kind("deal"))["owner_id"].constant
        'u-7'
    """

    lead: Lead
    rules: ConversionRules
    actor: Actor
    eligible: frozenset[str] | None
    #: How many leads each owner has got so far; None where nobody counts.
    load: Mapping[str, int] | None = None

    def mapping(self, kind: Kind) -> dict[str, FieldMapping]:
        """Return what fills the owner of a new record of *kind*, if a rule says whose it is."""
        rules = self.rules
        rule, owner = rule_for(rules.owners, self.lead, rules.lead, kind), None
        if rule is not None and rule.to is Ownership.ACTOR:
            owner = self.actor.id
        elif rule is not None and rule.among:
            # where nobody listed is eligible one of all stands, and is refused for that
            among = self._eligible(rule) or rule.among
            if rule.to is Ownership.ROTATED and self.load is not None:
                owner = next_in_turn(self.load, among)
            else:
                owner = spread(self.lead.id, among)
        if owner is None or kind.owner is None:
            return {}
        return {kind.owner: FieldMapping.fixed(kind.id, kind.owner, owner)}

    def rows(self, name: str, mappings: Iterable[FieldMapping]) -> Iterator[Row]:
        """Yield what of the lead did not reach target *name*, as a rule says whose it is."""
        for mapping in mappings:
            for source in mapping.sources:
                if not is_empty(self.rules.lead.read(self.lead, source)):
                    where = f"{name}.{mapping.target}"
                    yield Row(source, where, Outcome.OVERRIDDEN, str(mapping), "owner_rule")

    def problems(self, kind: Kind, values: Mapping[str, object], target: int) -> Iterator[Problem]:
        """Yield that the owner a record with these *values* would have may own nothing now."""
        owner = values.get(str(kind.owner))
        if self.eligible is not None and not is_empty(owner) and owner not in self.eligible:
            yield Problem(
                cause=Cause.INVALID,
                code="not_eligible",
                target=target,
                kind=kind.id,
                field=kind.owner,
            )

    def _eligible(self, rule: OwnerRule) -> list[str]:
        return [one for one in rule.among if self.eligible is None or one in self.eligible]
