"""Do the targets go together with each other, and with what is there."""

from collections.abc import Iterator, Mapping

import attrs

from leadconvert.errors import Cause, Problem
from leadconvert.fields import Kind
from leadconvert.limits import Made, open_records
from leadconvert.linking import Links
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.settling import Settled
from leadconvert.values import Ref, ids_in


__all__ = ["already_open", "disagreements"]


def disagreements(
    rules: ConversionRules,
    refs: Mapping[int, Ref],
    records: Mapping[Ref, Record],
    known: Mapping[Ref, Record],
) -> Iterator[Problem]:
    """Yield where a target points at one record, and another that it points at to a second one.

    *refs* are those of the targets by index, *records* what they will be, *known* what is there. A
    client that points at nothing agrees with everything.

    Example:
        >>> from leadconvert import Contact, Deal, Ref, presets
        >>> from leadconvert.agreeing import disagreements
        >>> deal = Deal(id="D-5", contact_ids=["C-3"], company_id="CO-9")
        >>> there = {Ref("contact", "C-3"): Contact(id="C-3", company_id="CO-1")}
        >>> ref = Ref("deal", "D-5", provisional=True)
        >>> found = disagreements(presets.bitrix24(), {0: ref}, {ref: deal}, there)
        >>> [problem.message for problem in found]
        ["the deal would have the company 'CO-9', but its contact has 'CO-1'"]
    """
    will_be = {attrs.evolve(ref, provisional=False): one for ref, one in records.items()}
    found = {**known, **will_be}
    for index, ref in sorted(refs.items()):
        kind, record = rules.kind(ref.kind), records.get(ref)
        if kind is not None and record is not None:
            for name, field in kind.references.items():
                for id_ in ids_in(kind.read(record, name)):
                    client = found.get(Ref(str(field.to), id_))
                    if client is not None:
                        yield from _between(rules, index, kind, record, client)


def _between(
    rules: ConversionRules, index: int, kind: Kind, record: Record, client: Record
) -> Iterator[Problem]:
    own = {field.to: name for name, field in kind.references.items() if not field.multiple}
    via = rules.kind_of(client)
    for name, field in ({} if via is None else via.references).items():
        if via is None or field.multiple or field.to not in own:
            continue
        ours, theirs = ids_in(kind.read(record, own[field.to])), ids_in(via.read(client, name))
        if ours and theirs and ours != theirs:
            facts = {"other": field.to, "one": ours[0], "via": via.id, "two": theirs[0]}
            yield Problem(
                cause=Cause.INVALID_TARGET,
                code="clients_disagree",
                target=index,
                kind=kind.id,
                params=facts,
            )


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
                params={"client": found[1].kind},
            )
