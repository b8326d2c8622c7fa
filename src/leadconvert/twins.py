"""Twins: several leads of one company or person share the one record made for the first of them."""

from collections import OrderedDict

import attrs

from leadconvert.records import Record
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Pending
from leadconvert.values import Ref


__all__ = ["Twins"]


@attrs.define(kw_only=True)
class Twins:
    """Remembers the last records that were made, so that a later lead can match them.

    *window* is how many it remembers, or None for all. Only records of kinds that a match rule
    speaks of are kept.

    Example:
        >>> from leadconvert import Known, presets
        >>> from leadconvert.twins import Twins
        >>> Twins(rules=presets.bitrix24(), window=100).known(Known()).pending
        ()
    """

    rules: ConversionRules
    window: int | None
    _pending: OrderedDict[Ref, Pending] = attrs.field(factory=OrderedDict, init=False)

    def known(self, known: Known) -> Known:
        """Return what is *known*, with the records that are remembered."""
        if not self._pending:
            return known
        return attrs.evolve(known, pending=(*known.pending, *self._pending.values()))

    def remember(self, result: ConversionResult) -> None:
        """Remember what *result* made, or made of what was remembered."""
        matched = {rule.kind for rule in self.rules.matching.rules}
        for outcome in result.outcomes:
            if outcome.ref.provisional and outcome.ref.kind in matched:
                made = self._pending.get(outcome.ref)
                key = result.changes.key if made is None else made.key
                self._keep(outcome.ref, outcome.record, key)

    def _keep(self, ref: Ref, record: Record, key: str) -> None:
        self._pending[ref] = Pending(record, key)
        self._pending.move_to_end(ref)
        while self.window is not None and len(self._pending) > self.window:
            self._pending.popitem(last=False)
