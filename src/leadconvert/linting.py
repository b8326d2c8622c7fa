"""Checks rules before any lead comes: what would be lost, refused, asked for or never act."""

from collections.abc import Iterator

from leadconvert.findings import Finding
from leadconvert.fitting import lost, misfits
from leadconvert.given import expect
from leadconvert.idling import (
    idle_automation,
    idle_grants,
    idle_matching,
    idle_owners,
    idle_stages,
)
from leadconvert.needing import needs
from leadconvert.rules import ConversionRules


__all__ = ["lint"]


def lint(rules: ConversionRules) -> tuple[Finding, ...]:
    """Return what is wrong in *rules*, or questionable, the most severe first.

    Rules that contradict themselves cannot be built; these can, and lose data, ask for what nobody
    mapped, or say what never happens. Each finding has a stable code, a place and a remedy; those
    that are equally severe stand in the order of the rules. Only descriptions are looked at: what
    a transform of your own gives, and what custom fields there are besides, nobody knows.

    Raises:
        TypeError: *rules* are none, such as a preset that was not called.

    Example:
        >>> from leadconvert import lint, presets
        >>> for finding in lint(presets.bitrix24()):
        ...     print(finding.severity.value, finding.code, finding.kind, finding.field)
        warning unmapped lead observer_ids
        note may_be_empty contact last_name
        note may_be_empty company name
        note may_be_empty deal title
        note currency_may_be_empty deal currency
    """
    expect(("rules", rules, ConversionRules))
    return tuple(sorted(_findings(rules), key=lambda one: one.severity, reverse=True))


def _findings(rules: ConversionRules) -> Iterator[Finding]:
    """Yield everything that is found, in the order of the rules."""
    yield from lost(rules)
    for mapping in rules.mappings:
        yield from misfits(rules, mapping)
    for kind in rules.kinds:
        yield from needs(rules, kind)
    yield from idle_stages(rules)
    yield from idle_grants(rules)
    yield from idle_matching(rules)
    yield from idle_owners(rules)
    yield from idle_automation(rules)
