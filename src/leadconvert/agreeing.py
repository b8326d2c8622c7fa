"""Do the clients agree: a deal's company, and the company of the deal's contact."""

from collections.abc import Iterator, Mapping

import attrs

from leadconvert.errors import Cause, Problem
from leadconvert.fields import Kind
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.values import Ref, ids_in


__all__ = ["disagreements"]


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
