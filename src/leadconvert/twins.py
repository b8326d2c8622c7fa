"""Twins: several leads of one company or person share the one record made for the first of them."""

from collections import OrderedDict
from itertools import chain
from typing import TypeVar

import attrs

from leadconvert.limits import Made
from leadconvert.records import Lead
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Pending
from leadconvert.values import Ref


__all__ = ["Twins"]

K = TypeVar("K")
V = TypeVar("V")


@attrs.define(kw_only=True)
class Twins:
    """Remembers the last records that were made, so that a later lead can match them.

    *window* is how many it remembers. Only records of kinds are kept that a match rule speaks of,
    or of which a client may have but one open. So are as many answers, as a lead that comes again
    is no twin of itself.

    Example:
        >>> from leadconvert import Known, presets
        >>> from leadconvert.twins import Twins
        >>> Twins(rules=presets.bitrix24(), window=100).known(Known()).pending
        ()
    """

    rules: ConversionRules
    window: int
    #: By ref, the record as it will be, once with each change set that makes or changes it.
    _pending: OrderedDict[Ref, tuple[Pending, ...]] = attrs.field(factory=OrderedDict, init=False)
    _answers: OrderedDict[str, tuple[Lead, ConversionResult]] = attrs.field(
        factory=OrderedDict, init=False
    )

    def known(self, known: Known) -> Known:
        """Return what is *known*, with the records that are remembered."""
        if not self._pending:
            return known
        remembered = chain.from_iterable(self._pending.values())
        return attrs.evolve(known, pending=(*known.pending, *remembered))

    def answer(self, lead: Lead) -> ConversionResult | None:
        """Return what became of *lead* when it came before, just as it is now."""
        asked, result = self._answers.get(lead.id, (None, None))
        return result if asked == lead else None

    def remember(self, lead: Lead, result: ConversionResult) -> None:
        """Remember what *result* made of *lead*, or made of what was remembered."""
        _keep(self._answers, lead.id, (lead, result), self.window)
        kept = {rule.kind for rule in self.rules.matching.rules}
        kept |= {limit.kind for limit in self.rules.limits if limit.made is Made.NO_OPEN}
        for outcome in result.outcomes:
            if outcome.ref.provisional and outcome.ref.kind in kept:
                keys = [one.key for one in self._pending.get(outcome.ref, ())]
                if outcome.action in {"created", "merged"}:
                    keys.append(result.changes.key)
                once = dict.fromkeys(keys)
                pending = tuple(Pending(outcome.record, key) for key in once)
                _keep(self._pending, outcome.ref, pending, self.window)


def _keep(remembered: OrderedDict[K, V], key: K, value: V, window: int) -> None:
    """Remember one more, and forget what was used longest ago."""
    remembered[key] = value
    remembered.move_to_end(key)
    while len(remembered) > window:
        remembered.popitem(last=False)
