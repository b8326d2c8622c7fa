"""Custom fields no mapping decides on: the questions they raise, and what the answers amount to.

Help article "Leads konvertieren": the user chooses in which elements a lead's custom fields are
to be, and where the information goes.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs

from leadconvert.fields import Field, MisfitError
from leadconvert.kinds import Kind
from leadconvert.mapping import FieldMapping
from leadconvert.plans import Question
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Lead
from leadconvert.rights import Sight
from leadconvert.rules import ConversionRules
from leadconvert.suggesting import suggestion_for
from leadconvert.targets import Carry


__all__ = ["Carrying", "mapped", "question_about"]


@attrs.define(kw_only=True)
class Carrying:
    """Reads the answers; afterwards *mappings* says by kind and field what fills it from where.

    Example:
        >>> import attrs
        >>> from leadconvert import Field, Lead, presets
        >>> from leadconvert.carrying import Carrying
        >>> rules = presets.bitrix24()
        >>> carrying = Carrying(
        ...     lead=Lead(id="L-7", stage="NEW", custom={"UF_X": "blue"}), rules=rules,
        ...     carry={"UF_X": {"deal": "comments"}},
        ... )
        >>> carrying.read()
        >>> [problem.code for problem in carrying.problems]
        ['carry_conflict']
    """

    lead: Lead
    rules: ConversionRules
    carry: Carry
    #: What the actor may not see or fill, of any kind; everything is seen unless given.
    sight: Callable[[Kind], Sight] = attrs.field(default=lambda _: Sight())
    mappings: dict[tuple[str, str], FieldMapping] = attrs.field(factory=dict, init=False)
    problems: list[Problem] = attrs.field(factory=list, init=False)

    def read(self) -> None:
        """Turn every answer into a mapping or a problem, in an order that is no dict's."""
        own = {*self.lead.custom, *(field.id for field in self.rules.lead.custom)}
        own -= self.sight(self.rules.lead).hidden
        for source in sorted(self.carry):
            if source not in own:
                self._refuse("carry_unknown_source", source, did_you_mean(source, own))
            elif self.rules.decides_on(source):
                self._refuse("carry_not_asked", source, {})
            else:
                for name, target in sorted(self.carry[source].items()):
                    self._read_one(source, name, target)

    def into(self, kind: str) -> dict[str, FieldMapping]:
        """Return, by target field, what fills a record of *kind*: by the rules and the answers.

        Example:
            >>> from leadconvert import Lead, presets
            >>> from leadconvert.carrying import Carrying
            >>> lead, rules = Lead(id="L-7", stage="NEW"), presets.bitrix24()
            >>> str(Carrying(lead=lead, rules=rules, carry={}).into("deal")["title"])
            'title → deal.title'
        """
        answered = {field: one for (name, field), one in self.mappings.items() if name == kind}
        return mapped(self.rules, kind) | answered

    def _read_one(self, source: str, name: str, target: str) -> None:
        kind = self.rules.kind(name)
        if kind is None:
            ids = sorted(self.rules.order)
            facts = {"wanted": name, "kinds": ids, **did_you_mean(name, ids)}
            self._refuse("carry_unknown_kind", source, facts)
        elif target not in (visible := kind.members.keys() - self.sight(kind).hidden):
            hint = did_you_mean(target, sorted(visible))
            self._refuse("unknown_field", source, hint, (name, target))
        elif target == kind.converted_from:
            self._refuse("reserved_field", source, {}, (name, target))
        elif not self.sight(kind).fillable(target):
            facts = {"actor": self.sight(kind).actor_id}
            self._refuse("not_editable", source, facts, (name, target))
        elif (name, target) in self.mappings or target in mapped(self.rules, name):
            self._refuse("carry_conflict", source, {}, (name, target))
        else:
            self.mappings[name, target] = FieldMapping(source, name, target)

    def _refuse(
        self,
        code: str,
        source: str,
        facts: Mapping[str, object],
        place: tuple[str | None, str | None] = (None, None),
    ) -> None:
        kind, field = place
        self.problems.append(
            Problem(
                cause=Cause.INVALID,
                code=code,
                kind=kind,
                field=field,
                params={"source": source, **facts},
            )
        )


def mapped(rules: ConversionRules, kind: str) -> dict[str, FieldMapping]:
    """Return, by target field, the mappings into *kind*.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.carrying import mapped
        >>> str(mapped(presets.bitrix24(), "deal")["title"])
        'title → deal.title'
    """
    return {str(mapping.target): mapping for mapping in rules.mappings_into(kind)}


def question_about(
    name: str,
    lead: Lead,
    rules: ConversionRules,
    chosen: Iterable[Kind],
    sight: Callable[[Kind], Sight],
) -> Question:
    """Return the question where the lead's custom field *name* is to go among the kinds *chosen*.

    In a kind for which it was declined there is nothing to choose; elsewhere its namesake is first,
    if it is plain which that is.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.carrying import question_about
        >>> from leadconvert.rights import Sight
        >>> lead = Lead(id="L-7", stage="NEW", custom={"UF_X": "blue"})
        >>> question_about("UF_X", lead, presets.bitrix24(), [], lambda kind: Sight()).field
        'UF_X'
    """
    source = rules.lead.members.get(name)
    choices: dict[str, tuple[str, ...]] = {}
    suggested: dict[str, str] = {}
    for kind in chosen:
        found = [
            field.id
            for field in kind.custom
            if kind.id not in rules.declined.get(name, ())
            and field.id not in mapped(rules, kind.id)
            and sight(kind).fillable(field.id)
            and _takes(field, lead.custom[name], source)
        ]
        namesake = suggestion_for(rules, name, kind)
        # an answer has no value map, so only what fits without one can be one
        if namesake is not None and namesake.target in found and not namesake.values:
            suggested[kind.id] = str(namesake.target)
            found = [str(namesake.target), *(one for one in found if one != namesake.target)]
        choices[kind.id] = tuple(found)
    label = name if source is None else source.label
    return Question(field=name, label=label, choices=choices, suggested=suggested)


def _takes(field: Field, value: object, source: Field | None) -> bool:
    """Whether *field* could take a value of *source*, or this one where nobody described it."""
    if source is not None:
        return field.fits(source)
    try:
        field.accept(value)
    except MisfitError:
        return False
    return True
