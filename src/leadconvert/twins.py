"""Twins: several leads of one company or person share the one record made for the first of them."""

from collections import OrderedDict
from itertools import chain

import attrs

from leadconvert.limits import Made
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Pending
from leadconvert.values import Ref


__all__ = ["Twins"]


@attrs.define(kw_only=True)
class Twins:
    """Remembers the last records that were made, so that a later lead can match them.

    *window* is how many it remembers. Only records of kinds are kept that a match rule speaks of,
    or of which a client may have but one open.

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

    def known(self, known: Known) -> Known:
        """Return what is *known*, with the records that are remembered."""
        if not self._pending:
            return known
        remembered = chain.from_iterable(self._pending.values())
        return attrs.evolve(known, pending=(*known.pending, *remembered))

    def remember(self, result: ConversionResult) -> None:
        """Remember what *result* made, or made of what was remembered."""
        kept = {rule.kind for rule in self.rules.matching.rules}
        kept |= {limit.kind for limit in self.rules.limits if limit.made is Made.NO_OPEN}
        for outcome in result.outcomes:
            if outcome.ref.provisional and outcome.ref.kind in kept:
                keys = [one.key for one in self._pending.get(outcome.ref, ())]
                if outcome.action in {"created", "merged"}:
                    keys.append(result.changes.key)
                once = dict.fromkeys(keys)
                self._keep(outcome.ref, tuple(Pending(outcome.record, key) for key in once))

    def _keep(self, ref: Ref, pending: tuple[Pending, ...]) -> None:
        self._pending[ref] = pending
        self._pending.move_to_end(ref)
        while len(self._pending) > self.window:
            self._pending.popitem(last=False)
