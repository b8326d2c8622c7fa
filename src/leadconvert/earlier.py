"""What a lead belongs to already: what earlier conversions made of it, and whom it is bound to."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from leadconvert.fields import FieldType
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.past import Conversion
from leadconvert.plans import Draft
from leadconvert.products import remaining
from leadconvert.records import Lead, Record, changed
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Merge, Mode, Target, survivor
from leadconvert.values import Product, Ref, ids_in


__all__ = ["Earlier", "bound_ids"]


@attrs.frozen(kw_only=True)
class Earlier:
    """Says what became of a lead by its conversions in force, and what of it is left to take.

    A record that was merged away counts as the one that survived.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Conversion, Known, Lead, Ref, presets
        >>> from leadconvert.earlier import Earlier
        >>> made = Conversion(
        ...     id="L-7.1", at=datetime(2027, 1, 31, tzinfo=UTC), actor_id="u-7", rules="9f2c",
        ...     targets=[Ref("contact", "C-3")], closing=False,
        ... )
        >>> lead = Lead(id="L-7", stage="NEW", conversions=[made])
        >>> Earlier(lead=lead, rules=presets.bitrix24(), known=Known()).became("contact")
        ('C-3',)
    """

    lead: Lead
    rules: ConversionRules
    known: Known
    mode: Mode = Mode.CONVERT

    def became(self, kind: str) -> tuple[str, ...]:
        """Return the ids of the records of *kind* that the lead was converted into, in order."""
        return tuple(dict.fromkeys(ref.id for ref in self._refs() if ref.kind == kind))

    def meant(self, kind: Kind) -> tuple[str, ...]:
        """Return the ids of whom a plain name of *kind* means, the primary one first.

        A supplement makes more of what a lead cannot be bound to, such as another deal.
        """
        clients = {field.to for field in self.rules.lead.references.values()}
        is_more = self.mode is Mode.SUPPLEMENT and kind.id not in clients
        became = () if is_more else self.became(kind.id)
        bound = (
            survivor(Ref(kind.id, one), self.known.merged).id
            for one in bound_ids(self.lead, self.rules.lead, kind)
        )
        return tuple(dict.fromkeys((*became, *bound)))

    def pointing(self) -> Lead:
        """Return the lead with whoever survived in place of whom it is bound to.

        Example:
            >>> from leadconvert import Known, Lead, Ref, presets
            >>> from leadconvert.earlier import Earlier
            >>> gone = (Ref("contact", "C-3"), Ref("contact", "C-9"))
            >>> lead = Lead(id="L-7", stage="NEW", contact_ids=["C-3", "C-4"])
            >>> earlier = Earlier(lead=lead, rules=presets.bitrix24(), known=Known(merged=[gone]))
            >>> earlier.pointing().contact_ids
            ('C-9', 'C-4')
        """
        kind, found = self.rules.lead, dict[str, object]()
        for name, field in kind.references.items():
            value = kind.read(self.lead, name)
            refs = (Ref(str(field.to), one) for one in ids_in(value))
            now = (survivor(ref, self.known.merged).id for ref in refs)
            if ids := tuple(dict.fromkeys(now)):
                found[name] = ids if isinstance(value, tuple) else ids[0]
        return changed(self.lead, found) if self.known.merged else self.lead

    def traced(self, kind: Kind) -> tuple[str, ...]:
        """Return the conversions whose traces say which product lines a record had of its own.

        They are those that merged into records of *kind*, if these hold product lines.

        Example:
            >>> from leadconvert import Known, Lead, presets
            >>> from leadconvert.earlier import Earlier
            >>> rules, lead = presets.bitrix24(), Lead(id="L-7", stage="NEW")
            >>> Earlier(lead=lead, rules=rules, known=Known()).traced(rules.kind("deal"))
            ()
        """
        if not any(_holds_products(kind, name) for name in kind.members):
            return ()
        merging = (
            made for made in self._in_force() if kind.id in {ref.kind for ref in made.merged}
        )
        return tuple(made.id for made in merging)

    def left(
        self,
        kind: Kind,
        mappings: Mapping[str, FieldMapping],
        there: Mapping[Ref, Record],
        drafts: Iterable[Draft] = (),
        others: Iterable[Target] = (),
    ) -> Lead:
        """Return the lead as a record of *kind* gets it: without the product lines others took.

        These are the records that earlier conversions made of it, the *drafts* of this one, and
        those *others* yet to come that are supplied with lines of their own. Where they took all,
        they took the lead's amount with them.
        """
        left: dict[str, object] = {}
        for target, mapping in mappings.items():
            for name in mapping.sources:
                if _holds_products(kind, target) and _holds_products(self.rules.lead, name):
                    taken = [*self._taken(kind, target, there)]
                    taken += _taken_now(kind, target, there, drafts, others)
                    lines = _lines(self.rules.lead.read(self.lead, name))
                    left[name] = rest = remaining(lines, taken)
                    if lines and not rest:
                        left |= dict.fromkeys(_amounts(kind, target, mappings))
        lead = self.pointing()
        return changed(lead, left) if left else lead

    def _taken(self, kind: Kind, field: str, there: Mapping[Ref, Record]) -> Iterator[Product]:
        """Yield the lines that records of *kind* took in earlier conversions."""
        for ref in dict.fromkeys(self._refs()):
            if ref.kind == kind.id and ref in there:
                lines = _lines(kind.read(there[ref], field))
                yield from remaining(lines, self._own(ref, field, lines))

    def _own(self, ref: Ref, field: str, lines: tuple[Product, ...]) -> tuple[Product, ...]:
        """Return which of its *lines* a record had before, as far as anybody knows."""
        traces = {trace.id: trace.steps for trace in self.known.traces}
        before: list[object] = []
        for made in self._in_force():
            for one in made.targets:
                if survivor(one.stored, self.known.merged) != ref or one in made.linked:
                    continue
                if one not in made.merged or made.id not in traces:
                    return ()
                steps = (step for step in traces[made.id] if step.ref.stored == one.stored)
                before += (step.before[field] for step in steps if field in step.before)
        return _lines(before[0]) if before else lines

    def _in_force(self) -> tuple[Conversion, ...]:
        if self.mode is Mode.CONVERT and any(made.closes for made in self.lead.conversions):
            return ()  # it is refused, and what it became is no question
        return tuple(made for made in self.lead.conversions if made.in_force)

    def _refs(self) -> Iterator[Ref]:
        for made in self._in_force():
            yield from (survivor(ref.stored, self.known.merged) for ref in made.targets)


def _taken_now(
    kind: Kind,
    field: str,
    there: Mapping[Ref, Record],
    drafts: Iterable[Draft],
    others: Iterable[Target],
) -> Iterator[Product]:
    """Yield the lines that records of *kind* take in this conversion, but for their own."""
    taking = [(one.ref.stored, one.values) for one in drafts if one.ref.kind == kind.id]
    for other in others:
        if other.kind == kind.id:
            id_ = other.id if isinstance(other, Merge) else ""
            taking.append((Ref(kind.id, id_), other.values))
    for ref, values in taking:
        if field in values:
            had = _lines(kind.read(there[ref], field)) if ref in there else ()
            yield from remaining(_lines(values[field]), had)


def _amounts(kind: Kind, lines: str, mappings: Mapping[str, FieldMapping]) -> Iterator[str]:
    """Yield the lead's fields that fill the amounts which product *lines* add up to."""
    for name, field in kind.members.items():
        if field.sums == lines and name in mappings:
            yield from mappings[name].sources


def bound_ids(lead: Lead, lead_kind: Kind, kind: Kind) -> tuple[str, ...]:
    """Return the ids of the records of *kind* that the lead is bound to, the primary one first.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.earlier import bound_ids
        >>> from leadconvert.kinds import CONTACT, LEAD
        >>> bound_ids(Lead(id="L-7", stage="NEW", contact_ids=["C-3", "C-4"]), LEAD, CONTACT)
        ('C-3', 'C-4')
    """
    fields = (name for name, field in lead_kind.references.items() if field.to == kind.id)
    return tuple(one for name in fields for one in ids_in(lead_kind.read(lead, name)))


def _holds_products(kind: Kind, name: str) -> bool:
    field = kind.members.get(name)
    return field is not None and field.type is FieldType.PRODUCT and field.multiple


def _lines(value: object) -> tuple[Product, ...]:
    items = value if isinstance(value, tuple) else (value,)
    return tuple(item for item in items if isinstance(item, Product))
