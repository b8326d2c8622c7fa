"""What one target gets: a value for each of its fields, and where that value came from.

What wins: supplied, then a record made in the same conversion, then mapped, then the default.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs

from leadconvert.fields import Field, MisfitError
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping, Overflow, TransformError
from leadconvert.merging import Conflict, Merger, merged
from leadconvert.pipelines import Pipeline
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.products import total
from leadconvert.records import Lead, Record
from leadconvert.results import Outcome, Row
from leadconvert.rights import Sight
from leadconvert.templates import shortened
from leadconvert.transforms import Transform
from leadconvert.values import Product, is_empty


__all__ = ["Filler"]


@attrs.define(kw_only=True)
class Filler:
    """Fills one target; afterwards *values*, *rows* and *problems* say how.

    Example:
        >>> from leadconvert import FieldMapping, Lead, Pipeline
        >>> from leadconvert.kinds import DEAL, LEAD
        >>> from leadconvert.filling import Filler
        >>> filler = Filler(
        ...     lead=Lead(id="L-7", stage="NEW", title="Engine"), lead_kind=LEAD, kind=DEAL,
        ...     index=0, name="deal 1", supplied={}, made={}, transforms={},
        ...     pipelines=(Pipeline("p", "deal", ["new"]),),
        ...     mappings={"title": FieldMapping("title", "deal")},
        ... )
        >>> filler.fill()
        >>> filler.values["title"], filler.values["converted_from"]
        ('Engine', ('L-7',))
    """

    lead: Lead
    lead_kind: Kind
    kind: Kind
    #: The target's index in what was asked for, and its name in an explanation.
    index: int
    name: str
    supplied: Mapping[str, object]
    #: By kind, the ids of the records made in this conversion.
    made: Mapping[str, tuple[str, ...]]
    #: By target field, the mapping that fills it.
    mappings: Mapping[str, FieldMapping]
    transforms: Mapping[str, Transform]
    #: The pipelines of the kind, the default one first.
    pipelines: tuple[Pipeline, ...] = ()
    #: The record that exists, if it is merged into, and the functions that mappings name for that.
    existing: Record | None = None
    mergers: Mapping[str, Merger] = attrs.field(factory=dict)
    #: What the actor may not see or fill, of the kind and of the lead.
    sight: Sight = attrs.field(factory=Sight)
    lead_sight: Sight = attrs.field(factory=Sight)
    values: dict[str, object] = attrs.field(factory=dict, init=False)
    #: The pipeline and stage it is put into, if there are any and they are right.
    pipeline: Pipeline | None = attrs.field(default=None, init=False)
    rows: list[Row] = attrs.field(factory=list, init=False)
    problems: list[Problem] = attrs.field(factory=list, init=False)
    #: What the lead has for each field of a record that exists.
    _offered: dict[str, object] = attrs.field(factory=dict, init=False)

    def fill(self) -> None:
        """Fill every field of the target's kind; called once."""
        self._look_at_supplied()
        for field in self.kind.members.values():
            if field.id == self.kind.converted_from:
                if self.existing is None:
                    self.values[field.id] = (self.lead.id,)
            elif self.existing is not None:
                self._merge(field, self.existing)
            else:
                value = self._accepted(field, *self._found(field))
                given = field.id in self.supplied and self.sight.fillable(field.id)
                if given or not is_empty(value):
                    self.values[field.id] = value
        self._sum_up()
        if self.existing is not None:
            self._keep_money_whole(self.existing)
        elif self.kind.stage is not None:
            self._place_in_pipeline(self.kind.stage)

    def _look_at_supplied(self) -> None:
        visible = [name for name in self.kind.members if name not in self.sight.hidden]
        for name in sorted(self.supplied):  # not the order of a dict
            if name not in visible:
                self.refuse("unknown_field", name, did_you_mean(name, visible))
            elif name in self._reserved:
                self.refuse("reserved_field", name, {})
            elif not self.sight.fillable(name):
                self.refuse("not_editable", name, {"actor": self.sight.actor_id})

    @property
    def _reserved(self) -> frozenset[str | None]:
        """What the conversion alone sets; a record that exists is not moved by merging."""
        back = {self.kind.converted_from}
        return frozenset(back | {self.kind.stage, self.kind.pipeline} if self.existing else back)

    @property
    def final(self) -> Mapping[str, object]:
        """All that the record will hold: of one that exists also what is not merged."""
        if self.existing is None:
            return self.values
        kept = {name: self.kind.read(self.existing, name) for name in self.kind.members}
        return kept | self.values

    def _merge(self, field: Field, record: Record) -> None:
        """Merge into one field of *record*; `values` gets what changes."""
        mapping, old = self.mappings.get(field.id), self.kind.read(record, field.id)
        if field.id in self._reserved:
            where, told = f"{self.name}.{field.id}", str(mapping)
            self.rows += (
                Row(name, where, Outcome.UNMERGED, told, None)
                for name in self._filled_sources(mapping)
            )
            return
        found, rows = self._found(field)
        before = len(self.rows)
        given = field.id in self.supplied and self.sight.fillable(field.id)
        by = "fill" if mapping is None else mapping.conflict
        if field.multiple and self._made_for(field):
            by = Conflict.APPEND  # a record made along is pointed at, whatever the rule
        stays = by == Conflict.KEEP or (by == Conflict.FILL and not is_empty(old))
        if stays and not given and not _fits(field, found):
            # nothing is wrong with a value that is not written
            self.rows += _untaken(rows, Outcome.UNMERGED)
            return
        value = self._accepted(field, found, rows)
        self._offered[field.id] = value
        if given:
            if value != old:
                self.values[field.id] = value
            return
        try:
            one = merged(
                field,
                old,
                value,
                by=by,
                mergers=self.mergers,
                is_newer=self._is_newer(record),
            )
        except Exception as error:  # noqa: BLE001 - a merger of the user's may raise anything
            facts = {"merger": by, "error": type(error).__name__}
            self.refuse("merge_failed", field.id, facts)
            self.rows[before:] = _untaken(self.rows[before:], Outcome.REFUSED)
            return
        if one.outcome == Outcome.CARRIED:
            self.values[field.id] = one.value
        else:
            self.rows[before:] = _untaken(self.rows[before:], Outcome(one.outcome))

    def _sum_up(self) -> None:
        """Let an amount be what the product lines add up to, unless it is given or stands there."""
        summing = {name: one for name, one in self.kind.members.items() if one.sums is not None}
        for name, field in summing.items():
            written = not self.values.keys().isdisjoint({name, str(field.sums)})
            lines = self.final.get(str(field.sums)) if written else None
            given = name in self.supplied and self.sight.fillable(name)
            stands = name not in self.values and not is_empty(self.final.get(name))
            if given or stands or not isinstance(lines, tuple) or not lines:
                continue
            where = f"{self.name}.{name}"
            self.rows[:] = [
                row._replace(outcome=Outcome.OVERRIDDEN, reason="products")
                if row.outcome == Outcome.CARRIED and row.target == where
                else row
                for row in self.rows
                if row.target != where or row.field is not None
            ]
            summed = total(line for line in lines if isinstance(line, Product))
            value = self._accepted(field, summed, [Row(None, where, Outcome.SUMMED, None, None)])
            self.values[name] = self._offered[name] = value

    def _keep_money_whole(self, record: Record) -> None:
        """Leave amounts and their currency alone where one of each would make another sum."""
        amounts: dict[str, list[str]] = {}
        for name, field in self.kind.members.items():
            if field.currency is not None:
                summed = () if field.sums is None else (field.sums,)
                amounts.setdefault(field.currency, []).extend((name, *summed))
        for currency, names in amounts.items():
            if any(self._is_torn(name, currency, record) for name in names):
                kept = [one for one in (currency, *names) if not self._is_by_hand(one)]
                for one in kept:
                    self.values.pop(one, None)
                where = {f"{self.name}.{one}" for one in kept}
                self.rows[:] = [
                    row._replace(outcome=Outcome.UNMERGED, reason=None)
                    if row.target in where and _is_undone(row)
                    else row
                    for row in self.rows
                    if row.target not in where or row.outcome != Outcome.SUMMED
                ]

    def _is_torn(self, name: str, currency: str, record: Record) -> bool:
        """Whether the record has another currency than the lead, and would not get both of it."""
        new = (self._offered.get(name), self._offered.get(currency))
        will_be = (self.final.get(name), self.final.get(currency))
        return self.kind.read(record, currency) != new[1] and will_be != new

    def _is_by_hand(self, name: str) -> bool:
        """Whether a value was supplied, or follows from product lines that were."""
        return name in self.supplied or self.kind.members[name].sums in self.supplied

    def _is_newer(self, record: Record) -> bool:
        ours = self.lead.updated_at
        theirs = self.kind.read(record, "updated_at")
        if ours is None or not isinstance(theirs, datetime) or theirs.utcoffset() is None:
            return False
        return ours > theirs

    def refuse(self, code: str, field: str, params: Mapping[str, object]) -> None:
        """Add the problem that a value of *field* is not to be had."""
        self.problems.append(
            Problem(
                cause=Cause.INVALID,
                code=code,
                target=self.index,
                kind=self.kind.id,
                field=field,
                params=params,
            )
        )

    def sources_of(self, field: str) -> tuple[str, ...]:
        """Return the lead's fields that could have filled *field*, but for hidden ones."""
        mapping = self.mappings.get(field)
        sources = () if mapping is None else mapping.sources
        return tuple(name for name in sources if name not in self.lead_sight.hidden)

    @property
    def unseen(self) -> frozenset[str]:
        """The fields that are hidden, and those whose value comes from a hidden one of the lead."""
        hidden = self.lead_sight.hidden
        told = self.sight.hidden.union(
            str(row.target).removeprefix(f"{self.name}.")
            for row in (self.rows if hidden else ())
            if row.field in hidden and row.outcome in {Outcome.CARRIED, Outcome.REFUSED}
        )
        summed = {row.target for row in self.rows if row.outcome == Outcome.SUMMED}
        return told.union(
            name
            for name, field in self.kind.members.items()
            if field.sums in told and f"{self.name}.{name}" in summed
        )

    def hides(self, problem: Problem) -> bool:
        """Tell whether *problem* is about something the actor may not see.

        A name they gave themselves is told as one that does not exist.
        """
        if problem.code == "unknown_field":
            return False
        sources = {problem.params.get("source")}
        return problem.field in self.unseen or bool(sources & self.lead_sight.hidden)

    def _place_in_pipeline(self, stage_field: str) -> None:
        """Put the record into the pipeline asked for, or the default one, and its first stage."""
        named, ids = self.kind.pipeline, [pipeline.id for pipeline in self.pipelines]
        asked = None if named is None else self.values.get(named)
        if named is None or is_empty(asked):
            pipeline = self.pipelines[0]
            self._default(named, pipeline.id)
        elif asked in ids:
            pipeline = self.pipelines[ids.index(str(asked))]
        else:
            facts = {"pipelines": ids, **did_you_mean(str(asked), ids)}
            self.refuse("unknown_pipeline", named, facts)
            return
        stage, stages = self.values.get(stage_field), [one.id for one in pipeline.stages]
        if is_empty(stage):
            self._default(stage_field, pipeline.first.id)
        elif stage not in stages:
            facts = {"pipeline": pipeline.id, "stages": stages, **did_you_mean(str(stage), stages)}
            self.refuse("unknown_target_stage", stage_field, facts)
            return
        self.pipeline = pipeline

    def _default(self, field: str | None, value: str) -> None:
        if field is not None:
            self.values[field] = value
            self.rows.append(Row(None, f"{self.name}.{field}", Outcome.DEFAULT, None, None))

    def _accepted(self, field: Field, value: object, rows: Iterable[Row]) -> object:
        try:
            accepted = field.accept(None if is_empty(value) else value)
        except MisfitError as misfit:
            self.refuse(misfit.code, field.id, misfit.params)
            self.rows += (
                row._replace(outcome=Outcome.REFUSED, reason=None)
                if row.outcome == Outcome.CARRIED
                else row
                for row in rows
            )
            return None
        self.rows += rows
        return accepted

    def _found(self, field: Field) -> tuple[object, list[Row]]:
        where = f"{self.name}.{field.id}"
        mapping = self.mappings.get(field.id)
        sources = self._filled_sources(mapping)
        made = self._made_for(field)
        if field.id in self.supplied and self.sight.fillable(field.id):
            supplied = Row(None, where, Outcome.SUPPLIED, None, None)
            return self.supplied[field.id], [
                supplied,
                *_overridden(sources, where, mapping, "supplied"),
            ]
        linked = [Row(None, where, Outcome.LINKED, None, None)] if made else []
        if made and not field.multiple:
            return made[0], [*linked, *_overridden(sources, where, mapping, "made_here")]
        value, rows = self._mapped(field, mapping, sources, where)
        if made:
            rest = value if isinstance(value, tuple) else () if value is None else (value,)
            return tuple(dict.fromkeys((*made, *rest))), [*linked, *rows]
        if is_empty(value) and field.default is not None and self.existing is None:
            return field.default, [*rows, Row(None, where, Outcome.DEFAULT, None, None)]
        return value, rows

    def _made_for(self, field: Field) -> tuple[str, ...]:
        """Return the ids of the records made here that *field* points at, but for its own kind."""
        is_reference = field.id in self.kind.references and field.to != self.kind.id
        return self.made.get(str(field.to), ()) if is_reference else ()

    def _filled_sources(self, mapping: FieldMapping | None) -> list[str]:
        sources = () if mapping is None else mapping.sources
        return [name for name in sources if not is_empty(self.lead_kind.read(self.lead, name))]

    def _mapped(
        self, field: Field, mapping: FieldMapping | None, sources: list[str], where: str
    ) -> tuple[object, list[Row]]:
        if mapping is None:
            return None, []
        told = str(mapping)
        if not mapping.sources:
            return mapping.constant, [Row(None, where, Outcome.CONSTANT, told, None)]
        found = {name: self.lead_kind.read(self.lead, name) for name in sources}
        rest = list(found)
        for values in _tries(mapping, found):
            rest = rest[len(values) :]
            try:
                value = mapping.drawn(values, self.transforms)
            except TransformError as error:
                facts = {"transform": error.transform, "source": next(iter(values))}
                self.refuse("transform_failed", field.id, {**facts, "error": error.error})
                return None, [
                    Row(name, where, Outcome.REFUSED, told, "transform_failed") for name in values
                ]
            if not is_empty(value):
                way = mapping.way(values)
                if mapping.overflow is Overflow.SHORTEN and (cut := _cut(field, value)) != value:
                    value, way = cut, "shortened"
                return value, [
                    *(Row(name, where, Outcome.CARRIED, told, way) for name in values),
                    *(Row(name, where, Outcome.NOT_NEEDED, told, None) for name in rest),
                ]
        return None, []


def _overridden(
    sources: list[str], where: str, mapping: FieldMapping | None, reason: str
) -> list[Row]:
    return [Row(name, where, Outcome.OVERRIDDEN, str(mapping), reason) for name in sources]


def _untaken(rows: Iterable[Row], outcome: Outcome) -> list[Row]:
    """Return what the *rows* of a field say where its record did not take the value carried."""
    return [
        row._replace(outcome=outcome, reason=None) if row.outcome == Outcome.CARRIED else row
        for row in rows
        if row.field is not None
    ]


def _is_undone(row: Row) -> bool:
    """Whether it tells of what does not happen where a record keeps its own money after all."""
    return row.outcome == Outcome.CARRIED or (row.outcome, row.reason) == (
        Outcome.OVERRIDDEN,
        "products",
    )


def _tries(mapping: FieldMapping, found: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return what there is to make a value of, in order: all at once, or one after the other."""
    if mapping.combines:
        return [found] if found else []
    return [{name: value} for name, value in found.items()]


def _cut(field: Field, value: object) -> object:
    """Return *value* with every text cut to what the field holds."""
    if isinstance(value, tuple):
        return tuple(_cut(field, item) for item in value)
    if isinstance(value, str) and field.max_length is not None:
        return shortened(value, field.max_length)
    return value


def _fits(field: Field, value: object) -> bool:
    try:
        field.accept(None if is_empty(value) else value)
    except MisfitError:
        return False
    return True
