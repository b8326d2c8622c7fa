"""What a target is still missing, and the form that asks a person for it."""

from collections.abc import Iterable, Iterator

from leadconvert.errors import Cause, Problem
from leadconvert.filling import Filler
from leadconvert.results import FormField
from leadconvert.values import is_empty


__all__ = ["form_fields", "missing"]


def missing(filler: Filler) -> Iterator[Problem]:
    """Yield what a filled target lacks: required fields, one of a group, a currency to an amount.

    A field whose value was refused is a problem already, and not told twice.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.asking import missing
        >>> from leadconvert.fields import COMPANY, LEAD
        >>> from leadconvert.filling import Filler
        >>> filler = Filler(
        ...     lead=Lead(id="L-7", stage="NEW"), lead_kind=LEAD, kind=COMPANY, index=0,
        ...     name="company 1", supplied={}, made={}, mappings={}, transforms={},
        ... )
        >>> [problem.field for problem in missing(filler)]
        ['name']
    """
    kind, values, members = filler.kind, filler.values, filler.kind.members
    refused = {problem.field for problem in filler.problems}

    def lacking(code: str, name: str, **facts: object) -> Problem:
        return Problem(
            cause=Cause.MISSING,
            code=code,
            target=filler.index,
            kind=kind.id,
            field=name,
            params=facts,
        )

    for name, field in members.items():
        if field.required and is_empty(values.get(name)) and name not in refused:
            sources = filler.sources_of(name)
            yield lacking("required", name, label=field.label, sources=sources)
    for group in kind.any_of:
        if all(is_empty(values.get(name)) for name in group) and not refused & set(group):
            labels = [members[name].label for name in group]
            yield lacking("any_required", group[0], labels=labels, fields=group)
    for name, field in members.items():
        currency = field.currency
        if currency is None or is_empty(values.get(name)) or currency in refused:
            continue
        if is_empty(values.get(currency)) and not members[currency].required:
            label = members[currency].label
            yield lacking("currency_required", currency, label=label, amount_label=field.label)


def form_fields(filler: Filler, problems: Iterable[Problem]) -> Iterator[FormField]:
    """Yield the fields that a person must fill or correct to remedy *problems* of a target.

    Example:
        >>> from leadconvert import Lead
        >>> from leadconvert.asking import form_fields, missing
        >>> from leadconvert.fields import CONTACT, LEAD
        >>> from leadconvert.filling import Filler
        >>> filler = Filler(
        ...     lead=Lead(id="L-7", stage="NEW"), lead_kind=LEAD, kind=CONTACT, index=0,
        ...     name="contact 1", supplied={}, made={}, mappings={}, transforms={},
        ... )
        >>> [field.field for field in form_fields(filler, missing(filler))]
        ['last_name', 'first_name']
    """
    kind = filler.kind
    for problem in problems:
        names = problem.params.get("fields", (problem.field,))
        assert isinstance(names, tuple)  # noqa: S101 - as missing() makes it
        for name in names:
            if name not in kind.members or name == kind.converted_from:
                continue
            field = kind.members[name]
            yield FormField(
                target=filler.index,
                kind=kind.id,
                field=field.id,
                label=field.label,
                type=field.type,
                multiple=field.multiple,
                max_length=field.max_length,
                options=field.options,
                sensitive=field.sensitive,
                value=filler.values.get(field.id),
                sources=filler.sources_of(field.id),
                why=problem.code,
            )
