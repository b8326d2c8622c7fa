"""What of a lead reaches nothing, or not whole, and what targets do not take: for lint."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from leadconvert.fields import PYTHON_TYPES, Field, FieldType, MisfitError
from leadconvert.findings import Finding, Severity, found
from leadconvert.flowing import NAMES, PARTS, Flow, flows
from leadconvert.kinds import Kind
from leadconvert.losses import Losses
from leadconvert.mapping import FieldMapping, Overflow
from leadconvert.needing import started
from leadconvert.rules import ConversionRules
from leadconvert.templates import Template, shortened
from leadconvert.transforms import SPLITTING, TRANSFORMS
from leadconvert.values import Channel, is_empty


__all__ = ["lost", "misfits"]

#: What takes the place of another type without loss.
_WIDER: Final = {str: {str, Channel}, int: {int, PYTHON_TYPES[FieldType.DECIMAL]}}
#: Transforms that together take the whole of a value.
_TOGETHER: Final = (frozenset(NAMES), frozenset(PARTS))
_UNMAPPED: Final = {
    Losses.LENIENT: Severity.NOTE,
    Losses.REPORT: Severity.WARNING,
    Losses.STRICT: Severity.ERROR,
}


def lost(rules: ConversionRules) -> Iterator[Finding]:
    """Yield what reaches nothing of the lead's fields, or only in part, field by field.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.fitting import lost
        >>> [finding.field for finding in lost(presets.bitrix24())]
        ['observer_ids']
    """
    lead = rules.lead
    for name, field in lead.members.items():
        if name == lead.stage:
            continue
        using = [one for one in rules.mappings if name in one.sources]
        if using:
            yield from _in_part(field, [one for one in using if not one.leaves_behind])
        elif not rules.leftovers:
            yield found(
                "unmapped",
                f"field {lead.id}.{name}",
                severity=_UNMAPPED[rules.losses],
                kind=lead.id,
                field=name,
                label=field.label,
            )
        elif field.sensitive:
            yield from _kept_openly(rules, field)


def _kept_openly(rules: ConversionRules, field: Field) -> Iterator[Finding]:
    for kept in rules.leftovers:
        kind = rules.kind(kept.kind)
        target = None if kind is None or kept.field is None else kind.members[kept.field]
        if target is None or not target.sensitive:
            where = kept.field or "custom"
            yield found("exposed", str(kept), kind=kept.kind, field=where, source=field.id)


def _in_part(field: Field, using: Iterable[FieldMapping]) -> Iterator[Finding]:
    """Yield what is lost of one field, unless one of the mappings *using* it takes all."""
    losing: list[tuple[FieldMapping, str]] = []
    for mapping in using:
        code = _loss(field, mapping)
        if code is not None:
            losing.append((mapping, code))
        elif mapping.combines or mapping.source == field.id:
            return
    taken = {str(mapping.transform) for mapping, code in losing if code == "part_only"}
    if any(every <= taken for every in _TOGETHER):
        return
    for mapping, code in losing:
        params = {"taken": tuple(sorted(taken))} if code == "part_only" else {}
        yield _about(code, mapping, field.id, **params)


def _loss(field: Field, mapping: FieldMapping) -> str | None:
    """Return the code of what *mapping* loses of a field, or None if it takes all of it."""
    if mapping.transform == "first" and field.multiple and not mapping.combines:
        return "first_only"
    if mapping.transform in SPLITTING:
        told = mapping.combines and (field.multiple or mapping.template != f"{{{field.id}}}")
        return "part_only" if told or _is_split(field, mapping) else None
    written = mapping.combines or mapping.transform == "join"
    return "as_text" if written and field.type is FieldType.PRODUCT else None


def _is_split(field: Field, mapping: FieldMapping) -> bool:
    """Whether a transform leaves anything out; of what does not fit nothing is taken at all."""
    flow, transform = Flow.of(field), str(mapping.transform)
    if flow.by(transform) is None:
        return False
    if flow.options is not None:
        return any(TRANSFORMS[transform](option) != option for option in flow.options)
    # of a single word, such as a number or a day, all is the family's
    several = flow.is_text or field.type in {FieldType.ADDRESS, FieldType.DATETIME}
    return several or transform == "given_name"


def misfits(rules: ConversionRules, mapping: FieldMapping) -> Iterator[Finding]:
    """Yield what the target of a *mapping* does not take, and what it shows to everybody.

    Example:
        >>> from leadconvert import FieldMapping, presets
        >>> from leadconvert.fitting import misfits
        >>> mapping = FieldMapping("emails", "deal", "comments", transform="upper")
        >>> [finding.code for finding in misfits(presets.bitrix24(), mapping)]
        ['bad_transform']
    """
    kind = rules.kind(mapping.kind or "")
    if kind is None:
        return
    target, lead = kind.members[str(mapping.target)], rules.lead.members
    for name in mapping.sources:
        if lead[name].sensitive and not target.sensitive:
            yield _about("exposed", mapping, name)
    if mapping.transform is not None and mapping.transform not in TRANSFORMS:
        return  # nobody knows what a function of the host's gives
    yield from _misplaced(rules, kind, mapping)
    used = set[str]()
    for name, flow in flows(mapping, lead):
        came = flow.by(mapping.transform)
        if came is None:
            expected = "an address" if mapping.transform in PARTS else "one text"
            facts: dict[str, object] = {"transform": mapping.transform, "expected": expected}
            yield _about("bad_transform", mapping, name, **facts, given=flow.told)
            return
        used.update(_keys(mapping, came))
        yield from _Arrival(mapping, name, came, target).misfits()
    if mapping.sources and not used >= mapping.values.keys():
        unused = tuple(one for one in mapping.values if one not in used)
        yield _about("unused_value", mapping, " or ".join(mapping.sources), options=unused)
    if mapping.template is not None and target.max_length is not None:
        shortest = _shortest(Template(mapping.template))
        if shortest > target.max_length:
            facts = {"shortest": shortest, "max_length": target.max_length}
            yield _about("always_too_long", mapping, "template", **facts)


def _about(code: str, mapping: FieldMapping, source: str, **params: object) -> Finding:
    place, facts = f"mapping {mapping}", {"source": source, **params}
    return found(code, place, kind=mapping.kind, field=mapping.target, params=facts)


def _keys(mapping: FieldMapping, flow: Flow) -> tuple[str, ...]:
    """Return what the value map says something of, among all that may come."""
    return tuple(
        one
        for one in (mapping.values if flow.is_text else ())
        if flow.options is None or one in flow.options
    )


def _given(mapping: FieldMapping, flow: Flow) -> list[object]:
    """Return all that is known to come out of the value map."""
    if flow.options is None:
        return [mapping.values[one] for one in _keys(mapping, flow)]
    return [mapping.values.get(one, one) for one in flow.options]


def _shortest(template: Template) -> int:
    """Return the length of the shortest text it makes: one field alone, of one letter."""
    return min(len(str(template.filled({name: "x"}))) for name in template.fields)


@attrs.frozen
class _Arrival:
    """What arrives at the target of a mapping."""

    mapping: FieldMapping
    source: str
    flow: Flow
    target: Field

    def misfits(self) -> Iterator[Finding]:
        """Yield why the target may refuse it."""
        flow, target = self.flow, self.target
        if flow.several and not target.multiple:
            yield self._about("several")
        gone = [one for one in _keys(self.mapping, flow) if is_empty(self.mapping.values[one])]
        if gone:
            yield self._about("vanishes", options=tuple(gone))
        codes = dict[str, list[str]]()
        for value in _given(self.mapping, flow):
            if not is_empty(value) and (misfit := self._misfit(value)) is not None:
                codes.setdefault(misfit, []).append(str(value))
        if flow.options is None:
            codes.setdefault(self._in_general() or "", [])
        yield from self._refused(codes)

    def _refused(self, codes: dict[str, list[str]]) -> Iterator[Finding]:
        target = self.target
        if "wrong_type" in codes:
            facts = {"expected": target.type.value, "given": self.flow.told}
            yield self._about("wrong_type", **facts)
        elif "wrong_reference" in codes:
            yield self._about("wrong_reference", to=target.to)
        elif "free_text" in codes:
            yield self._about("free_text", options=tuple(one.id for one in target.options))
        elif "unknown_option" in codes:
            yield self._about("no_counterpart", options=tuple(codes["unknown_option"]))
        if "too_long" in codes:
            yield self._about("too_long", max_length=target.max_length)

    def _about(self, code: str, **params: object) -> Finding:
        return _about(code, self.mapping, self.source, **params)

    def _misfit(self, value: object) -> str | None:
        """Return why the target refuses one value, or None."""
        single = attrs.evolve(self.target, multiple=False, default=None)
        one = single if self.flow.several else self.target
        try:
            one.accept(self._cut(value))
        except MisfitError as misfit:
            return "wrong_type" if misfit.code == "several_values" else misfit.code
        return None

    def _cut(self, value: object) -> object:
        longest = self.target.max_length
        if self._shortens and isinstance(value, str) and longest is not None:
            return shortened(value, longest)
        return value

    @property
    def _shortens(self) -> bool:
        return self.mapping.overflow is Overflow.SHORTEN

    def _in_general(self) -> str | None:
        """Return why the target may refuse what can be anything of its type, or None."""
        flow, target = self.flow, self.target
        comes, expected = PYTHON_TYPES[flow.type], PYTHON_TYPES[target.type]
        if expected not in _WIDER.get(comes, {comes}):
            return "wrong_type"
        if target.type is FieldType.REFERENCE and flow.to != target.to:
            return "wrong_reference"
        if target.options:
            return "free_text"
        longest = target.max_length
        if longest is None or self._shortens:
            return None
        return "too_long" if flow.longest is None or flow.longest > longest else None


def _misplaced(rules: ConversionRules, kind: Kind, mapping: FieldMapping) -> Iterator[Finding]:
    """Yield the stages and pipelines that a record may be put into, and that there are not."""
    if mapping.target not in (kind.stage, kind.pipeline):
        return
    pipelines = rules.pipelines_of(kind.id)
    there = [pipeline.id for pipeline in pipelines]
    if mapping.target == kind.stage:
        first, *others = [[stage.id for stage in one.stages] for one in started(rules, kind)]
        there = [one for one in first if all(one in ids for ids in others)]
    ways = [(name, flow.by(mapping.transform)) for name, flow in flows(mapping, rules.lead.members)]
    if not mapping.sources:
        constant = Flow(type=FieldType.TEXT, options=(str(mapping.constant),))
        ways = [("the constant", constant)]
    for name, flow in ways:
        if flow is None or not flow.is_text:
            continue  # which is told already
        given = [one for one in _given(mapping, flow) if isinstance(one, str) and one.strip()]
        if flow.options is None:
            yield _about("free_text", mapping, name, options=tuple(there))
        elif wrong := tuple(one for one in given if one not in there):
            yield _about("no_such_stage", mapping, name, options=wrong)
