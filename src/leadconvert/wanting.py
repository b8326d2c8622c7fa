"""What to find out before deciding: records a store is to load, rights to ask about first."""

from collections.abc import Iterable, Iterator
from itertools import chain

from leadconvert.access import AccessRequest, Action
from leadconvert.carrying import Carrying, mapped
from leadconvert.children import pointers
from leadconvert.earlier import Earlier, bound_ids
from leadconvert.given import named
from leadconvert.kinds import Kind
from leadconvert.limits import Made
from leadconvert.linking import there
from leadconvert.matching import MatchKey, Then
from leadconvert.records import Lead, Record
from leadconvert.rights import rights_on_lead
from leadconvert.rules import ConversionRules
from leadconvert.targets import Carry, Find, Known, Link, Merge, Mode, Target, Wanted, targets_of
from leadconvert.values import Ref, ids_in


__all__ = ["asked_for", "match_keys", "wanted"]


def asked_for(
    lead: Lead, into: Iterable[str | Target], rules: ConversionRules
) -> tuple[Target, ...]:
    """Return the targets meant, and after them the clients whose gaps every conversion fills.

    Raises:
        TypeError: *into* is one text or one target.

    Example:
        >>> import attrs
        >>> from leadconvert import Lead, Matching, presets
        >>> from leadconvert.wanting import asked_for
        >>> rules = attrs.evolve(presets.bitrix24(), matching=Matching(enrich=True))
        >>> lead = Lead(id="L-7", stage="NEW", company_id="CO-9")
        >>> [target.kind for target in asked_for(lead, ["deal"], rules)]
        ['deal', 'company']
    """
    targets = targets_of(into)
    chosen = {target.kind for target in targets}
    along = (
        Find(kind.id)
        for kind in rules.kinds
        if kind.id not in chosen and bound_ids(lead, rules.lead, kind)
    )
    return (*targets, *along) if rules.matching.enrich and chosen else targets


def match_keys(record: Record, *, rules: ConversionRules) -> tuple[MatchKey, ...]:
    """Return the keys by which *record*, a lead or any other, matches: normalised, none is empty.

    What is on the rules' list of exceptions is no key.

    Raises:
        TypeError: the rules have no kind of such records.

    Example:
        >>> from leadconvert import Channel, Lead, match_keys, presets
        >>> lead = Lead(id="L-7", stage="NEW", emails=[Channel(" Ada@Example.com ")])
        >>> [(key.type, key.value) for key in match_keys(lead, rules=presets.bitrix24())]
        [('email', 'ada@example.com')]
    """
    kind = rules.kind_of(record)
    if kind is None:
        raise TypeError(f"the rules have no kind of {named(type(record))}")
    return tuple(sorted(rules.matching.keys(kind, record)))


def wanted(  # noqa: PLR0913 - as plan()
    lead: Lead,
    into: Iterable[str | Target],
    *,
    rules: ConversionRules,
    carry: Carry | None = None,
    known: Known | None = None,
    mode: str = Mode.CONVERT,
) -> Wanted:
    """Return what to find out before `plan`: whatever record the targets may point at, and rights.

    A remote engine may answer the rights by the records' ids, before they are loaded. The rights on
    sensitive fields are among them: what may be filled in decides what is asked next.

    *matches* lists for each kind the keys that a record which exists may have in common with the
    lead: load whoever has one of them. Who matches is not known before that: ask again with what
    was found as *known*, and *related* lists whose open records count then as well, and *refs* whom
    the records that are linked and merged refer to.

    What earlier conversions made of the lead is among the records, and so, in *related*, is what
    hangs on it and travels along by a `ChildRule`. *traces* are of those that merged into records
    with product lines: they tell which lines these had of their own.

    Raises:
        TypeError: *into* is one text or one target.

    Example:
        >>> from leadconvert import Lead, presets, wanted
        >>> lead = Lead(id="L-7", stage="NEW", company_id="CO-9")
        >>> wanted(lead, ["deal"], rules=presets.bitrix24()).refs
        (Ref(kind='company', id='CO-9', provisional=False),)
    """
    carrying = Carrying(lead=lead, rules=rules, carry=carry or {})
    carrying.read()
    targets = asked_for(lead, into, rules)
    earlier = Earlier(lead=lead, rules=rules, known=known or Known(), mode=Mode(mode))
    pointing, traces = earlier.pointing(), list[str]()
    refs, sought, matched = list[Ref](), set[tuple[str, MatchKey]](), list[Ref]()
    existing = list[Ref]()
    for target in targets:
        kind = rules.kind(target.kind)
        if kind is None:
            continue
        traces += earlier.traced(kind)
        if isinstance(target, Link | Merge):
            existing.append(Ref(kind.id, target.id))
            refs.append(Ref(kind.id, target.id))
        if isinstance(target, Find):
            meant = earlier.meant(kind)
            existing += (Ref(kind.id, id_) for id_ in meant)
            refs += (Ref(kind.id, id_) for id_ in meant)
            if not meant:
                sought |= _sought(rules, kind, lead)
                matched += _matched(rules, kind, lead, known or Known())
        for name, field in kind.references.items():
            mapping = mapped(rules, target.kind).get(name)
            mapping = carrying.mappings.get((target.kind, name), mapping)
            values = [target.values.get(name), field.default]
            if mapping is not None:
                read = (rules.lead.read(pointing, source) for source in mapping.sources)
                values += [mapping.constant, *read]
            refs += (Ref(str(field.to), id_) for value in values for id_ in ids_in(value))
    refs += _pointed_at([*existing, *matched], rules, known or Known())
    if targets:
        refs += (Ref(kind, id_) for kind in rules.order for id_ in earlier.became(kind))
    clients = list(dict.fromkeys([*refs, *matched]))
    limited = {one.kind for one in rules.limits if one.made is Made.NO_OPEN}
    related = [
        (kind.id, name, ref)
        for kind in rules.kinds
        if kind.id in limited and kind.id in {target.kind for target in targets}
        for name, field in kind.references.items()
        for ref in clients
        if ref.kind == field.to
    ]
    related += (
        (rule.kind.id, name, Ref(rules.lead.id, lead.id))
        for rule in rules.children
        for name in pointers(rule.kind, rules.lead.id)
    )
    own, refs = Ref(rules.lead.id, lead.id), list(dict.fromkeys(refs))
    reading = [
        AccessRequest(action=Action.READ, kind=ref.kind, id=ref.id) for ref in refs if ref != own
    ]
    named = {rules.lead.id, *(target.kind for target in targets)}
    named.update(*(carry or {}).values())
    kinds = (kind for kind in (rules.lead, *rules.kinds) if kind.id in named)
    fields = chain.from_iterable(map(_rights_on_fields, kinds))
    return Wanted(
        refs=tuple(refs),
        access=(*rights_on_lead(lead, rules), *reading, *fields),
        matches=tuple(sorted(sought)),
        related=tuple(related),
        traces=tuple(dict.fromkeys(traces)),
    )


def _sought(rules: ConversionRules, kind: Kind, lead: Lead) -> set[tuple[str, MatchKey]]:
    """Return the keys of the lead by which a rule could find a record of *kind*."""
    sorts = rules.matching.sorts(kind.id)
    return {(kind.id, key) for key in match_keys(lead, rules=rules) if key.type in sorts}


def _matched(rules: ConversionRules, kind: Kind, lead: Lead, known: Known) -> Iterator[Ref]:
    """Yield who of those that are known matches the lead, unless a new one is made all the same."""
    same = [record for record in known.records if rules.kind_of(record) is kind]
    then, matches = rules.matching.matches(rules.matching.keys(rules.lead, lead), kind, same)
    if then is not Then.NONE:
        yield from (Ref(kind.id, match.record.id) for match in matches)


def _pointed_at(refs: Iterable[Ref], rules: ConversionRules, known: Known) -> Iterator[Ref]:
    """Yield whom the records that exist refer to: what is made of them must agree with that."""
    by_ref = there(rules, known.records)
    for ref in refs:
        kind, record = rules.kind(ref.kind), by_ref.get(ref)
        if kind is not None and record is not None:
            for name, field in kind.references.items():
                yield from (Ref(str(field.to), id_) for id_ in ids_in(kind.read(record, name)))


def _rights_on_fields(kind: Kind) -> Iterator[AccessRequest]:
    for name, field in kind.members.items():
        if field.sensitive:
            for action in (Action.READ, Action.UPDATE):
                yield AccessRequest(action=action, kind=kind.id, field=name)
