"""What a lead belongs to already: what earlier conversions made of it, and whom it is bound to."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from leadconvert.fields import FieldType, Kind
from leadconvert.mapping import FieldMapping
from leadconvert.plans import Draft
from leadconvert.products import remaining
from leadconvert.records import Lead, Record, changed
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known, Mode, survivor
from leadconvert.values import Product, Ref, ids_in, is_empty


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

    def left(
        self,
        kind: Kind,
        mappings: Mapping[str, FieldMapping],
        there: Mapping[Ref, Record],
        drafts: Iterable[Draft],
    ) -> Lead:
        """Return the lead without the product lines that records of *kind* took already.

        These are the records that earlier conversions made of it, and the *drafts* of this one.
        """
        left: dict[str, object] = {}
        for target, mapping in mappings.items():
            for name in mapping.sources:
                if _holds_products(kind, target) and _holds_products(self.rules.lead, name):
                    taken = self._taken(kind, target, there, drafts)
                    lines = _lines(self.rules.lead.read(self.lead, name))
                    left[name] = remaining(lines, taken)
        return changed(self.lead, left) if left else self.lead

    def _taken(
        self,
        kind: Kind,
        field: str,
        there: Mapping[Ref, Record],
        drafts: Iterable[Draft],
    ) -> Iterator[Product]:
        for ref in dict.fromkeys(self._refs(linked=False)):
            if ref.kind == kind.id and ref in there:
                yield from _lines(kind.read(there[ref], field))
        for draft in drafts:
            if draft.ref.kind == kind.id and field in draft.values:
                before = there.get(draft.ref.stored)
                had = () if before is None else _lines(kind.read(before, field))
                yield from remaining(_lines(draft.values[field]), had)

    def _refs(self, *, linked: bool = True) -> Iterator[Ref]:
        closed = any(made.closes for made in self.lead.conversions)
        if closed and self.mode is Mode.CONVERT:
            return  # it is refused, and what it became is no question
        for made in self.lead.conversions:
            for ref in made.targets if made.in_force else ():
                if linked or ref not in made.linked:
                    yield survivor(ref.stored, self.known.merged)


def bound_ids(lead: Lead, lead_kind: Kind, kind: Kind) -> tuple[str, ...]:
    """Return the ids of the records of *kind* that the lead is bound to, the primary one first.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.earlier import bound_ids
        >>> from leadconvert.fields import CONTACT, LEAD
        >>> bound_ids(Lead(id="L-7", stage="NEW", contact_ids=["C-3", "C-4"]), LEAD, CONTACT)
        ('C-3', 'C-4')
    """
    fields = (name for name, field in lead_kind.references.items() if field.to == kind.id)
    return tuple(one for name in fields for one in ids_in(lead_kind.read(lead, name)))


def _holds_products(kind: Kind, name: str) -> bool:
    field = kind.members.get(name)
    return field is not None and field.type is FieldType.PRODUCT and field.multiple


def _lines(value: object) -> tuple[Product, ...]:
    items = () if is_empty(value) or not isinstance(value, tuple) else value
    return tuple(item for item in items if isinstance(item, Product))
