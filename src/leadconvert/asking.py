"""What a target is still missing, and the form that asks a person for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from leadconvert.filling import Filler
from leadconvert.kinds import Kind
from leadconvert.plans import FormField
from leadconvert.problems import Cause, Problem
from leadconvert.values import is_empty


__all__ = ["form_field", "form_fields", "missing"]


def missing(filler: Filler) -> Iterator[Problem]:
    """Yield what a filled target lacks: required fields, one of a group, a currency to an amount.

    A field whose value was refused is a problem already, and not told twice.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.asking import missing
        >>> from leadconvert.kinds import COMPANY, LEAD
        >>> from leadconvert.filling import Filler
        >>> filler = Filler(
        ...     lead=Lead(id="L-7", stage="NEW"), lead_kind=LEAD, kind=COMPANY, index=0,
        ...     name="company 1", supplied={}, made={}, mappings={}, transforms={},
        ... )
        >>> [problem.field for problem in missing(filler)]
        ['name']
    """
    refused = {one.field for one in filler.problems if one.code != "unknown_field"}
    yield from _required(filler, refused)
    yield from _required_at_stage(filler, refused)
    yield from _any_required(filler, refused)
    yield from _currencies(filler, refused)


def _required(filler: Filler, refused: set[str | None]) -> Iterator[Problem]:
    for name, field in filler.kind.members.items():
        if not _touched(filler, [name]):
            continue
        if field.required and is_empty(filler.final.get(name)) and name not in refused:
            if name in filler.sight.locked:
                yield _lacking_from_others(filler, [name])
            else:
                facts = {"label": field.label, "sources": filler.sources_of(name)}
                yield _lacking(filler, "required", name, facts)


def _required_at_stage(filler: Filler, refused: set[str | None]) -> Iterator[Problem]:
    """Yield what the stage of the record asks for; what the actor cannot see is not demanded."""
    if filler.pipeline is None:
        return
    stage = str(filler.final[str(filler.kind.stage)])
    for name in filler.pipeline.required_at(stage):
        field = filler.kind.members[name]
        told = field.required or name in refused or name in filler.sight.hidden
        if is_empty(filler.final.get(name)) and not told:
            if name in filler.sight.locked:
                yield _lacking_from_others(filler, [name])
            else:
                facts = {"label": field.label, "stage": stage}
                yield _lacking(filler, "required_at", name, facts)


def _any_required(filler: Filler, refused: set[str | None]) -> Iterator[Problem]:
    members, sight = filler.kind.members, filler.sight
    for group in filler.kind.any_of:
        if not _touched(filler, group) or refused & set(group):
            continue
        if all(is_empty(filler.final.get(name)) for name in group):
            seen = [name for name in group if name not in sight.hidden] or group
            names = [name for name in seen if name not in sight.locked]
            if names:
                facts = {"labels": [members[name].label for name in names], "fields": names}
                yield _lacking(filler, "any_required", names[0], facts)
            else:
                yield _lacking_from_others(filler, seen)


def _currencies(filler: Filler, refused: set[str | None]) -> Iterator[Problem]:
    members, values = filler.kind.members, filler.final
    for name, field in members.items():
        currency = field.currency
        if currency is None or is_empty(values.get(name)) or currency in refused:
            continue
        if not _touched(filler, [name, currency]):
            continue
        if is_empty(values.get(currency)) and not members[currency].required:
            # where the amount is hidden it is told of the amount, so that it is hidden as well
            lacks = name if name in filler.unseen else currency
            if lacks in filler.sight.locked:
                yield _lacking_from_others(filler, [lacks])
            else:
                facts = {"label": members[currency].label, "amount_label": field.label}
                yield _lacking(filler, "currency_required", lacks, facts)


def _touched(filler: Filler, names: Iterable[str]) -> bool:
    """Whether any of the fields is written: what a record lacked before is not asked for now."""
    return filler.existing is None or not filler.values.keys().isdisjoint(names)


def _lacking(filler: Filler, code: str, name: str, facts: Mapping[str, object]) -> Problem:
    return Problem(
        cause=Cause.MISSING,
        code=code,
        target=filler.index,
        kind=filler.kind.id,
        field=name,
        params=facts,
    )


def _lacking_from_others(filler: Filler, names: Sequence[str]) -> Problem:
    labels = [filler.kind.members[name].label for name in names]
    facts = {"labels": labels, "actor": filler.sight.actor_id}
    return _lacking(filler, "required_of_others", names[0], facts)


def form_fields(filler: Filler, problems: Iterable[Problem]) -> Iterator[FormField]:
    """Yield the fields that a person must fill or correct to remedy *problems* of a target.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.asking import form_fields, missing
        >>> from leadconvert.kinds import CONTACT, LEAD
        >>> from leadconvert.filling import Filler
        >>> filler = Filler(
        ...     lead=Lead(id="L-7", stage="NEW"), lead_kind=LEAD, kind=CONTACT, index=0,
        ...     name="contact 1", supplied={}, made={}, mappings={}, transforms={},
        ... )
        >>> [field.field for field in form_fields(filler, missing(filler))]
        ['last_name', 'first_name']
    """
    kind, asked = filler.kind, set[str]()
    for problem in problems:
        names = problem.params.get("fields", (problem.field,))
        assert isinstance(names, tuple)  # noqa: S101 - as missing() makes it
        for name in names:
            if name not in kind.members or name == kind.converted_from:
                continue
            if name in asked or not filler.sight.fillable(name):
                continue
            asked.add(name)
            yield form_field(
                kind,
                name,
                target=filler.index,
                value=filler.final.get(name),
                sources=filler.sources_of(name),
                why=problem.code,
            )


def form_field(  # noqa: PLR0913 - what a form needs to know of a field
    kind: Kind,
    name: str,
    *,
    target: int | None,
    value: object,
    sources: tuple[str, ...],
    why: str,
) -> FormField:
    """Return the question for one field of a record of *kind*.

    Example:
        >>> from leadconvert.asking import form_field
        >>> from leadconvert.kinds import DEAL
        >>> form_field(DEAL, "title", target=0, value=None, sources=(), why="required").label
        'Title'
    """
    field = kind.members[name]
    return FormField(
        target=target,
        kind=kind.id,
        field=field.id,
        label=field.label,
        type=field.type,
        multiple=field.multiple,
        max_length=field.max_length,
        options=field.options,
        sensitive=field.sensitive,
        value=value,
        sources=sources,
        why=why,
    )
