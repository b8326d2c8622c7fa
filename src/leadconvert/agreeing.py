"""Do the targets go together with each other, and with what is there."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from leadconvert.fields import Field
from leadconvert.limits import Made, open_records
from leadconvert.linking import Links
from leadconvert.problems import Cause, Problem
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled
from leadconvert.values import Ref, ids_in


__all__ = ["already_open", "disagreements"]


#: Tells whether the actor may see a field of a record.
Sees = Callable[[Ref, str], bool]


@attrs.frozen
class _Clash:
    """A record points at one of kind *to* by a *field*, its *client* at another by *its_field*."""

    to: str
    field: str
    one: str
    client: Ref
    its_field: str
    two: str


def disagreements(
    rules: ConversionRules,
    refs: Mapping[int, Ref],
    records: Mapping[Ref, Record],
    links: Links,
    sees: Sees = lambda _ref, _field: True,
) -> Iterator[tuple[Problem, bool]]:
    """Yield where a target points at one record, and another that it points at to a second one.

    With each comes whether the actor *sees* the two fields that disagree. *refs* are those of the
    targets by index, *records* what they will be. A client that points at nothing agrees with
    everything, and what stood like that before is not told again.

    Example:
        >>> from leadconvert import Actor, Contact, Deal, Policy, Ref, presets
        >>> from leadconvert.agreeing import disagreements
        >>> from leadconvert.linking import Links
        >>> from leadconvert.rights import Rights
        >>> rules, everything = presets.bitrix24(), Policy.allow_all()
        >>> rights = Rights(actor=Actor("u-7"), authorizer=everything, rules=rules)
        >>> there = {Ref("contact", "C-3"): Contact(id="C-3", company_id="CO-1")}
        >>> ref = Ref("deal", "D-5", provisional=True)
        >>> deal = Deal(id="D-5", contact_ids=["C-3"], company_id="CO-9")
        >>> links = Links(rights=rights, there=there)
        >>> [one.message for one, _ in disagreements(rules, {0: ref}, {ref: deal}, links)]
        ["the deal would have the company 'CO-9', but its contact has 'CO-1'"]
    """
    will_be = {ref.stored: one for ref, one in records.items()}

    def after(ref: Ref) -> Record | None:
        return will_be[ref] if ref in will_be else links.readable(ref)

    for index, ref in sorted(refs.items()):
        own = ref.stored
        before = [*_clashes(rules, own, links.readable)]
        for clash in _clashes(rules, own, after):
            if clash not in before:
                facts = {"other": clash.to, "one": clash.one}
                facts |= {"via": clash.client.kind, "two": clash.two}
                problem = Problem(
                    cause=Cause.INVALID_TARGET,
                    code="clients_disagree",
                    target=index,
                    kind=own.kind,
                    params=facts,
                )
                yield problem, sees(own, clash.field) and sees(clash.client, clash.its_field)


def _clashes(
    rules: ConversionRules, ref: Ref, read: Callable[[Ref], Record | None]
) -> Iterator[_Clash]:
    ours = _pointers(rules, ref, read)
    for field, id_ in ours:
        client = Ref(str(field.to), id_)
        theirs = _pointers(rules, client, read)
        for to in dict.fromkeys(str(one.to) for one, _ in ours):
            mine, others = _single(ours, to), _single(theirs, to)
            # whoever stands above one of its own kind is no client of it
            is_above = to in {ref.kind, client.kind}
            if mine and others and not is_above and _ids(mine).isdisjoint(_ids(others)):
                yield _Clash(to, *mine[0], client, *others[0])


def _pointers(
    rules: ConversionRules, ref: Ref, read: Callable[[Ref], Record | None]
) -> list[tuple[Field, str]]:
    """Return at whom a record points, each with the field that does."""
    kind, record = rules.kind(ref.kind), read(ref)
    if kind is None or record is None:
        return []
    fields = kind.references.items()
    return [(field, id_) for name, field in fields for id_ in ids_in(kind.read(record, name))]


def _single(pointers: Iterable[tuple[Field, str]], to: str) -> list[tuple[str, str]]:
    return [(field.id, id_) for field, id_ in pointers if field.to == to and not field.multiple]


def _ids(pointers: Iterable[tuple[str, str]]) -> set[str]:
    """Return whom they point at: of several, one in common is enough."""
    return {id_ for _, id_ in pointers}


def already_open(
    rules: ConversionRules,
    settled: Mapping[int, Settled],
    records: Mapping[Ref, Record],
    links: Links,
) -> Iterator[Problem]:
    """Yield where the rules make one only if its client has none open, and the client has.

    Example:
        >>> from leadconvert import Actor, presets
        >>> from leadconvert.agreeing import already_open
        >>> from leadconvert.linking import Links
        >>> from leadconvert.rights import Rights
        >>> rules = presets.bitrix24()
        >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
        >>> list(already_open(rules, {}, {}, Links(rights=rights, there={})))
        []
    """
    limited = {one.kind for one in rules.limits if one.made is Made.NO_OPEN}
    for index, one in sorted(settled.items()):
        kind, record = rules.kind(one.ref.kind), records.get(one.ref)
        if kind is None or kind.id not in limited or one.action != "create" or record is None:
            continue
        clients = [
            Ref(str(field.to), id_)
            for name, field in kind.references.items()
            for id_ in ids_in(kind.read(record, name))
        ]
        same = {ref: there for ref, there in links.there.items() if ref.kind == kind.id}
        readable = {ref: there for ref, there in same.items() if links.readable(ref) is not None}
        open_ones = open_records(kind, rules.pipelines_of(kind.id), clients, readable)
        found = next(open_ones, None)
        if found is not None:
            yield Problem(
                cause=Cause.INVALID_TARGET,
                code="has_open",
                target=index,
                kind=kind.id,
                params={"client": found[1].kind, "id": found[0].id},
            )
