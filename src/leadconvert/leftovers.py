"""What of a lead reaches nothing, and why: nothing is lost in silence."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from leadconvert.mapping import FieldMapping
from leadconvert.records import Lead
from leadconvert.results import Outcome, Row
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry
from leadconvert.values import is_empty


__all__ = ["leftovers"]


def leftovers(
    lead: Lead,
    rules: ConversionRules,
    carry: Carry,
    reached: AbstractSet[str | None],
    kinds: AbstractSet[str],
) -> Iterator[Row]:
    """Yield a row for each filled field of the lead but its stage that is not among the *reached*.

    *kinds* are those chosen.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.leftovers import leftovers
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine", tags=["new"])
        >>> [row.reason for row in leftovers(lead, presets.bitrix24(), {}, {"tags"}, {"contact"})]
        ['no_target']
    """
    for name in _filled(lead, rules):
        if name in reached:
            continue
        mappings = [one for one in rules.mappings if name in one.sources]
        if any(one.leaves_behind for one in mappings):
            yield Row(name, None, Outcome.LEFT_BEHIND, str(FieldMapping.leave(name)), None)
        elif name in carry and not carry[name]:
            yield Row(name, None, Outcome.LEFT_BEHIND, "carry", None)
        elif any(one.kind in kinds for one in mappings):
            yield Row(name, None, Outcome.DROPPED, None, "transform_empty")
        elif mappings or name in carry:
            yield Row(name, None, Outcome.DROPPED, None, "no_target")
        else:
            reason = "undecided" if name in lead.custom else "no_mapping"
            yield Row(name, None, Outcome.DROPPED, None, reason)


def _filled(lead: Lead, rules: ConversionRules) -> Iterable[str]:
    """Return every filled field of the lead but its stage, in an order that is no dict's."""
    kind = rules.lead
    names = (*kind.members, *sorted(lead.custom.keys() - kind.members.keys()))
    return [one for one in names if one != kind.stage and not is_empty(kind.read(lead, one))]
