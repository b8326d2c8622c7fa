"""What many conversions remember from lead to lead: records that twins share, and whose turn."""

from collections import Counter, OrderedDict
from itertools import chain
from typing import TypeVar

import attrs

from leadconvert.limits import Made
from leadconvert.owning import Ownership, rule_for
from leadconvert.records import Lead
from leadconvert.results import ConversionResult
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Pending
from leadconvert.values import Ref


__all__ = ["Turns", "Twins"]

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


@attrs.define(kw_only=True)
class Turns:
    """Counts how many leads of a batch each owner has got by a rule that lets them take turns.

    Example:
        >>> from leadconvert import Known, presets
        >>> from leadconvert.twins import Turns
        >>> Turns(rules=presets.bitrix24()).known(Known(load={"u-1": 3})).load
        FrozenMap({'u-1': 3})
    """

    rules: ConversionRules
    _load: Counter[str] = attrs.field(factory=Counter, init=False)

    def known(self, known: Known) -> Known:
        """Return what is *known*, with what each owner has got in the batch so far."""
        return attrs.evolve(known, load=self._load + Counter(known.load or {}))

    def count(self, lead: Lead, result: ConversionResult) -> None:
        """Count *lead* for whoever was given what was made of it, once."""
        given = set[str]()
        for outcome in result.outcomes:
            kind = self.rules.kind(outcome.ref.kind)
            if kind is None or outcome.action != "created":
                continue
            rule = rule_for(self.rules.owners, lead, self.rules.lead, kind)
            if rule is not None and rule.to is Ownership.ROTATED:
                given.add(str(kind.read(outcome.record, kind.owner)))
        self._load.update(given)


def _keep(remembered: OrderedDict[K, V], key: K, value: V, window: int) -> None:
    """Remember one more, and forget what was used longest ago."""
    remembered[key] = value
    remembered.move_to_end(key)
    while len(remembered) > window:
        remembered.popitem(last=False)
