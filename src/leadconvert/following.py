"""Where everything is now that a lead became: still there, merged into another, or gone."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import attrs

from leadconvert.given import named
from leadconvert.records import Lead, Record
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, survivor
from leadconvert.values import Ref, ids_in


__all__ = ["Fate", "Followed", "Whereabouts", "follow"]


class Fate(StrEnum):
    """What became of a record: it is there, merged into another, or gone.

    Example:
        >>> from leadconvert import Fate
        >>> Fate("merged") is Fate.MERGED
        True
    """

    THERE = "there"
    MERGED = "merged"
    GONE = "gone"


@attrs.frozen(kw_only=True)
class Whereabouts:
    """Where a record is by now.

    *now* is its own *ref* while it is there, the survivor's once it was merged away, and None where
    it is gone. *record* is the one that *now* means, if it was handed over.

    Example:
        >>> from leadconvert import Ref, Whereabouts
        >>> Whereabouts(ref=Ref("contact", "C-3"), now=Ref("contact", "C-8")).fate
        <Fate.MERGED: 'merged'>
    """

    ref: Ref
    now: Ref | None = None
    record: Record | None = attrs.field(default=None, repr=False)

    @property
    def fate(self) -> Fate:
        """Whether it is there, merged into another, or gone."""
        if self.now is None:
            return Fate.GONE
        return Fate.THERE if self.now == self.ref else Fate.MERGED


@attrs.frozen(kw_only=True)
class Followed:
    """What became of a lead and of everything it became, as far as a store knows it.

    *targets* holds each record once: first those that the lead remembers, in the order in which
    they were made, then those that point back at it.

    Example:
        >>> from leadconvert import Followed, Ref, Whereabouts
        >>> Followed(lead=Whereabouts(ref=Ref("lead", "L-7")), targets=()).lead.fate
        <Fate.GONE: 'gone'>
    """

    lead: Whereabouts
    targets: tuple[Whereabouts, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """What the lead became, as it is now: each record that was handed over, once."""
        found = {one.now: one.record for one in self.targets if one.record is not None}
        return tuple(found.values())


def follow(lead_id: str, *, rules: ConversionRules, known: Known) -> Followed:
    """Return where the lead is by now, and everything that it became.

    Hand over in *known* what the store has: the lead; the targets of its conversions; every record
    whose kind's `converted_from` field holds the id of the lead, which alone is left to go by once
    the lead is gone; and in `Known.merged` what was merged into what since, with the survivors.
    What the lead made and *known* does not hold is gone.

    Conversions that were taken back count no more. A record that points back, because another one
    was merged into it that did, is told as that one's survivor alone. `Known.pending` plays no
    part: no store has it. This is for the host: it asks for no rights.

    Raises:
        TypeError: *lead_id* is no text, such as the lead itself.

    Example:
        >>> from leadconvert import Contact, Known, Ref, follow, presets
        >>> known = Known(
        ...     records=[Contact(id="C-3", converted_from=["L-7"]), Contact(id="C-8")],
        ...     merged=[(Ref("contact", "C-3"), Ref("contact", "C-8"))],
        ... )
        >>> found = follow("L-7", rules=presets.bitrix24(), known=known)
        >>> found.lead.fate.value, [(str(one.now), one.fate.value) for one in found.targets]
        ('gone', [('contact C-8', 'merged')])
    """
    if not isinstance(lead_id, str):
        raise TypeError(f"follow() takes the id of a lead, not {named(type(lead_id))}")
    there = dict(_there(rules, known))
    lead = _whereabouts(Ref(rules.lead.id, lead_id), there, known)
    own = there.get(lead.ref)
    remembered = list(_remembered(own)) if isinstance(own, Lead) else []
    pointing = [ref for ref, record in there.items() if _points(rules, record, lead_id)]
    found = {ref: _whereabouts(ref, there, known) for ref in (*remembered, *pointing)}
    survivors = {one.now for one in found.values() if one.fate is Fate.MERGED}
    return Followed(
        lead=lead,
        targets=tuple(
            one for ref, one in found.items() if ref in remembered or ref not in survivors
        ),
    )


def _there(rules: ConversionRules, known: Known) -> Iterator[tuple[Ref, Record]]:
    for record in known.records:
        kind = rules.kind_of(record)
        if kind is not None:
            yield Ref(kind.id, record.id), record


def _whereabouts(ref: Ref, there: Mapping[Ref, Record], known: Known) -> Whereabouts:
    last = survivor(ref, known.merged)
    now = last if last != ref or ref in there else None
    return Whereabouts(ref=ref, now=now, record=there.get(last))


def _remembered(lead: Lead) -> Iterator[Ref]:
    for conversion in lead.conversions:
        if conversion.in_force:
            yield from (ref.stored for ref in conversion.targets)


def _points(rules: ConversionRules, record: Record, lead_id: str) -> bool:
    kind = rules.kind_of(record)
    return kind is not None and lead_id in ids_in(kind.read(record, kind.converted_from))
