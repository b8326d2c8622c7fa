"""Leads that show what lint found: for each finding about data a lead that loses or lacks it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final, cast

import attrs

from leadconvert import (
    Actor,
    Address,
    Channel,
    ConversionRules,
    Create,
    Field,
    FieldMapping,
    FieldType,
    Finding,
    Lead,
    Outcome,
    Plan,
    Product,
    plan,
)


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-1")
#: What is refused of a value, by the code of the finding that said so.
REFUSED: Final[Mapping[str, set[str]]] = {
    "wrong_type": {"wrong_type", "several_values"},
    "several": {"several_values"},
    "too_long": {"too_long"},
    "free_text": {"unknown_option", "unknown_target_stage", "unknown_pipeline"},
    "no_counterpart": {"unknown_option"},
    "no_such_stage": {"unknown_target_stage", "unknown_pipeline"},
    "wrong_reference": {"unknown_record", "record_not_there"},
    "only_by_hand": {"required", "any_required", "required_at"},
    "may_be_empty": {"required", "any_required", "required_at"},
    "no_currency": {"currency_required"},
    "currency_may_be_empty": {"currency_required"},
}
LONG: Final = 200
#: The longest moment there is to tell.
_ZONE: Final = timezone(timedelta(hours=-23, minutes=-59, seconds=-59, microseconds=-1))
_ONE: Final[Mapping[FieldType, tuple[object, ...]]] = {
    FieldType.INTEGER: (1, 10**LONG),
    FieldType.DECIMAL: (Decimal(1), Decimal(10**LONG)),
    FieldType.MONEY: (Decimal(1), Decimal(10**LONG)),
    FieldType.BOOLEAN: (True, False),
    FieldType.DATE: (date(2027, 1, 31),),
    FieldType.DATETIME: (AT, datetime(2027, 1, 31, 1, 1, 1, 1, tzinfo=_ZONE)),
    FieldType.ADDRESS: (
        Address(country="x" * LONG, city="y"),
        Address(street="x"),
        Address(**{one.name: "x" * LONG for one in attrs.fields(Address)}),
    ),
    FieldType.PRODUCT: (Product(name="x" * LONG, price=1),),
}


def shown(finding: Finding, rules: ConversionRules) -> Lead | None:
    """Return a lead that shows what was found, or None if none of those tried does."""
    return next((lead for lead in tried(finding, rules) if shows(finding, lead, rules)), None)


def shows(finding: Finding, lead: Lead, rules: ConversionRules) -> bool:
    """Tell whether converting *lead* shows what was found."""
    kinds = [str(finding.kind)] if rules.kind(str(finding.kind)) is not None else rules.order
    made = plan(lead, [Create(kind) for kind in kinds], rules=rules, actor=ADA, at=AT)
    source = finding.params.get("source")
    match finding.code:
        case "unmapped":
            return finding.field in {row.field for row in made.dropped}
        case "first_only" | "part_only" | "as_text":
            whole = mapping_of(finding, rules).combines and finding.code == "part_only"
            return is_in_part("as_text" if whole else finding.code, str(source), made)
        case "vanishes":
            return is_gone(str(source), made)
        case "bad_transform":
            return is_nonsense(mapping_of(finding, rules), lead, rules)
        case "always_too_long":
            cut = any(row.reason == "shortened" for row in made.explain())
            return cut or "too_long" in codes(made, finding)
        case _:
            return not REFUSED[finding.code].isdisjoint(codes(made, finding))


def codes(made: Plan, finding: Finding) -> set[str]:
    """Return the codes of what is wrong with the field of a finding."""
    names = {finding.field, *cast("tuple[str, ...]", finding.params.get("fields", ()))}
    return {one.code for one in made.problems if one.field in names}


def is_in_part(code: str, source: str, made: Plan) -> bool:
    """Whether the plan says that only a part of a source is carried, or nothing at all."""
    way = {"first_only": "first", "part_only": "split", "as_text": "joined"}[code]
    rows = [row for row in made.explain() if row.field == source]
    gone = {Outcome.DROPPED, Outcome.REFUSED}
    return any(row.reason == way or row.outcome in gone for row in rows) or (
        code == "as_text" and any(row.outcome == Outcome.CARRIED for row in rows)
    )


def is_gone(source: str, made: Plan) -> bool:
    """Whether nothing of a filled source is carried anywhere."""
    rows = [row for row in made.explain() if row.field == source]
    return all(row.outcome != Outcome.CARRIED for row in rows)


def is_nonsense(mapping: FieldMapping, lead: Lead, rules: ConversionRules) -> bool:
    """Whether a transform makes nothing of a value, or the way Python writes it."""
    found = {name: rules.lead.read(lead, name) for name in mapping.sources}
    filled = {name: value for name, value in found.items() if value not in (None, (), "")}
    value = mapping.drawn(filled, rules.transforms_by_name()) if filled else "x"
    return value is None or not {"(", ")"}.isdisjoint(str(value))


def mapping_of(finding: Finding, rules: ConversionRules) -> FieldMapping:
    """Return the mapping that a finding is about."""
    [found] = [
        one for one in rules.mappings if (one.kind, one.target) == (finding.kind, finding.field)
    ]
    return found


def tried(finding: Finding, rules: ConversionRules) -> Iterator[Lead]:
    """Yield leads that might show it: an empty one, and some with one or all sources filled."""
    yield lead_with(rules, {})
    lead = rules.lead
    if finding.code == "unmapped":
        names = [[str(finding.field)]]
    elif finding.params.get("source") in lead.members:
        source = str(finding.params["source"])
        # where it is a fallback as well, that must not be needed
        first = [one.source for one in rules.mappings if source in one.fallbacks]
        names = [[source], [source, *filter(None, first)]]
    else:
        names = [
            list(one.sources) for one in rules.mappings if one.kind == finding.kind and one.sources
        ]
    for group in names:
        for choice in range(8):
            values = {name: pick(lead.members[name], choice) for name in group}
            yield lead_with(rules, values)


def lead_with(rules: ConversionRules, values: Mapping[str, object]) -> Lead:
    """Return a lead in its first stage that holds *values* and whatever else must be there."""
    stage = {str(rules.lead.stage): rules.lead_pipeline.first.id}
    return cast("Lead", rules.lead.build("L-7", stage | dict(values)))


def pick(field: Field, choice: int) -> object:
    """Return one of the values of a field that are telling, whatever number is asked for."""
    ones = telling(field)
    one = ones[choice % len(ones)]
    if not field.multiple:
        return one
    return (one,) if choice >= len(ones) else (one, ones[-1])


def telling(field: Field) -> list[object]:
    """Return telling values of a field: each option, texts as long as they may be."""
    if field.options:
        return [option.id for option in field.options]
    if field.type in _ONE:
        return list(_ONE[field.type])
    long = field.max_length or LONG
    # what grows when it is written large or small, and names of two parts
    texts = [
        text[:long]
        for text in ("x" * LONG, "ΐ" * LONG, "İ" * LONG, "," + "x" * LONG, "a", "b", "c")
    ]
    is_plain = field.type in {FieldType.TEXT, FieldType.FILE, FieldType.REFERENCE}
    return [text if is_plain else Channel(text) for text in texts]
