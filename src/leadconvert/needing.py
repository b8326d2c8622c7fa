"""What a new record needs that nothing fills, or that may be missing: for lint."""

from collections.abc import Iterator, Mapping

import attrs

from leadconvert.access import ANY
from leadconvert.fields import Field
from leadconvert.findings import Finding, found
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.owning import Ownership
from leadconvert.pipelines import Pipeline, StageRole
from leadconvert.rules import ConversionRules
from leadconvert.transforms import SPLITTING, TRANSFORMS
from leadconvert.values import is_empty


__all__ = ["Filled", "needs", "started"]


def started(rules: ConversionRules, kind: Kind) -> tuple[Pipeline, ...]:
    """Return the pipelines in which a new record of *kind* may start.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.needing import started
        >>> rules = presets.bitrix24()
        >>> [pipeline.id for pipeline in started(rules, rules.kind("deal"))]
        ['0']
    """
    pipelines = rules.pipelines_of(kind.id)
    by = _mapping(rules, kind, kind.pipeline)
    if by is None:
        return pipelines[:1]
    return tuple(one for one in pipelines if by.sources or one.id == by.constant)


def _mapping(rules: ConversionRules, kind: Kind, field: str | None) -> FieldMapping | None:
    return next((one for one in rules.mappings_into(kind.id) if one.target == field), None)


@attrs.frozen
class Filled:
    """Tells of the fields of a new record of one *kind* whether anything fills them.

    A lead's own field is filled for certain where the lead's kind or its success stage require it.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.needing import Filled
        >>> rules = presets.bitrix24()
        >>> filled = Filled(rules, rules.kind("deal"))
        >>> filled.ever("title"), filled.always("title"), filled.ever("close_date")
        (True, False, False)
    """

    rules: ConversionRules
    kind: Kind

    def ever(self, name: str) -> bool:
        """Tell whether anything but a person could fill a field."""
        field = self.kind.members[name]
        others = {kind.id for kind in self.rules.kinds} - {self.kind.id}
        made_along = name in self.kind.references and field.to in others
        return (
            self.always(name)
            or _mapping(self.rules, self.kind, name) is not None
            or made_along
            or (field.sums is not None and self.ever(field.sums))
            or (name == self.kind.owner and any(self._assigned()))
        )

    def always(self, name: str) -> bool:
        """Tell whether it is filled whatever the lead holds."""
        kind, mapping = self.kind, _mapping(self.rules, self.kind, name)
        places = (kind.converted_from, kind.stage, kind.stage and kind.pipeline)
        if name in places or not is_empty(kind.members[name].default):
            return True
        if mapping is not None and (not mapping.sources or self._carries(mapping)):
            return True
        return name == kind.owner and all(self._assigned() or [False])

    def _carries(self, mapping: FieldMapping) -> bool:
        """Whether one of the sources is filled for certain, and nothing makes it empty."""
        lead, pipeline = self.rules.lead, self.rules.lead_pipeline
        [success] = pipeline.in_role(StageRole.SUCCESS)
        certain = {lead.stage, *pipeline.required_at(success.id)}
        certain |= {name for name, field in lead.members.items() if field.required}
        whole = mapping.transform not in {"first", *SPLITTING}
        library = mapping.transform is None or mapping.transform in TRANSFORMS
        return (
            not certain.isdisjoint(mapping.sources)
            and whole
            and library
            and not any(map(is_empty, mapping.values.values()))
        )

    def _assigned(self) -> list[bool]:
        """Return for each owner rule that may decide whether it names somebody."""
        found_: list[bool] = []
        for rule in self.rules.owners:
            if rule.kind in (ANY, self.kind.id):
                found_.append(rule.to is not Ownership.MAPPED)
                if rule.when is None:
                    return found_
        return [*found_, False]


def needs(rules: ConversionRules, kind: Kind) -> Iterator[Finding]:
    """Yield what a new record of *kind* needs that a person may have to fill.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.needing import needs
        >>> rules = presets.bitrix24()
        >>> [(finding.code, finding.field) for finding in needs(rules, rules.kind("deal"))]
        [('may_be_empty', 'title'), ('currency_may_be_empty', 'currency')]
    """
    filled = Filled(rules, kind)
    told = {name for name, field in kind.members.items() if field.required}
    for name in kind.members:
        if name in told:
            yield from _lacking(filled, (name,), f"field {kind.id}.{name}", {})
    for group in kind.any_of:
        yield from _lacking(filled, group, f"kind {kind.id}", {})
    for pipeline, stage in _stages(rules, kind):
        for name in pipeline.required_at(stage):
            if name not in told:
                told.add(name)
                yield from _lacking(filled, (name,), f"pipeline {pipeline.id}", {"stage": stage})
    for field in kind.members.values():
        yield from _currency(filled, field)


def _stages(rules: ConversionRules, kind: Kind) -> Iterator[tuple[Pipeline, str]]:
    """Yield each stage in which a new record may stand, with its pipeline."""
    by = _mapping(rules, kind, kind.stage)
    for pipeline in started(rules, kind):
        for stage in pipeline.stages:
            first = stage == pipeline.first and (by is None or bool(by.sources))
            named = by is not None and (bool(by.sources) or by.constant == stage.id)
            if first or named:
                yield pipeline, stage.id


def _lacking(
    filled: Filled, names: tuple[str, ...], place: str, params: Mapping[str, object]
) -> Iterator[Finding]:
    """Yield that nothing, or nothing for certain, fills one of the fields *names*."""
    kind = filled.kind
    if any(map(filled.always, names)):
        return
    code = "may_be_empty" if any(map(filled.ever, names)) else "only_by_hand"
    label = " or ".join(kind.members[name].label for name in names)
    facts = {**params, "label": label, "fields": names}
    yield found(code, place, kind=kind.id, field=names[0], params=facts)


def _currency(filled: Filled, field: Field) -> Iterator[Finding]:
    """Yield that an amount may stand without its currency, or with another."""
    kind, name = filled.kind, field.currency
    if name is None or not filled.ever(field.id):
        return
    place, required = f"field {kind.id}.{field.id}", kind.members[name].required
    if not required and not filled.always(name):
        code = "currency_may_be_empty" if filled.ever(name) else "no_currency"
        facts = {"label": field.label, "amount": field.id}
        yield found(code, place, kind=kind.id, field=name, params=facts)
    amount = _mapping(filled.rules, kind, field.id)
    money = _mapping(filled.rules, kind, name)
    for source in amount.sources if amount is not None and filled.ever(name) else ():
        theirs = filled.rules.lead.members[source].currency
        if theirs is not None and (money is None or theirs not in money.sources):
            facts = {"source": source, "currency": theirs}
            place = f"mapping {amount}"
            yield found("other_currency", place, kind=kind.id, field=field.id, params=facts)
