"""Rules for one Bitrix24, made of what its REST answers."""

from collections.abc import Mapping

import attrs

from leadconvert import ConversionRules, FieldMapping, Kind, Option, Pipeline
from leadconvert.errors import DefinitionError
from leadconvert.presets._bitrix24_dictionaries import Dictionaries
from leadconvert.presets._bitrix24_fields import Fields
from leadconvert.presets._bitrix24_rules import rules as own_rules


__all__ = ["kinds", "options", "pipelines", "portal"]

_DEAL_TYPES = "DEAL_TYPE"


def options(statuses: object) -> Mapping[str, tuple[Option, ...]]:
    """Return the options of each dictionary; see `Bitrix24.options`."""
    return _checked(Dictionaries.read(statuses, ())).options


def pipelines(statuses: object, categories: object) -> tuple[Pipeline, ...]:
    """Return the pipelines; see `Bitrix24.pipelines`."""
    return tuple(_checked(Dictionaries.read(statuses, categories)).pipelines)


def kinds(fields: Mapping[str, object], userfields: object, statuses: object) -> tuple[Kind, ...]:
    """Return the kinds of the leads, contacts, companies and deals; see `Bitrix24.kinds`."""
    told = Dictionaries.read(statuses, ())
    return tuple(_kinds(told, fields, userfields))


def portal(
    fields: Mapping[str, object], userfields: object, statuses: object, categories: object
) -> ConversionRules:
    """Return the preset's rules with a portal's kinds, pipelines and types; see `Bitrix24.portal`.

    Raises:
        DefinitionError: what is wrong, all of it, each with its place.
    """
    told = Dictionaries.read(statuses, categories)
    lead, *others = _kinds(told, fields, userfields)
    base = own_rules()
    known = {pipeline.kind for pipeline in told.pipelines}
    kept = [pipeline for pipeline in base.pipelines if pipeline.kind not in known]
    types = told.options.get(_DEAL_TYPES, ())
    mappings = [
        FieldMapping.fixed("deal", "type", types[0].id)
        if types and (mapping.kind, mapping.target) == ("deal", "type")
        else mapping
        for mapping in base.mappings
    ]
    return attrs.evolve(
        base, lead=lead, kinds=others, pipelines=[*kept, *told.pipelines], mappings=mappings
    )


def _kinds(told: Dictionaries, fields: Mapping[str, object], userfields: object) -> list[Kind]:
    made = Fields(told.options)
    base = own_rules()
    found = made.kinds({kind.id: kind for kind in (base.lead, *base.kinds)}, fields, userfields)
    if mistakes := [*told.mistakes, *made.mistakes]:
        raise DefinitionError(mistakes)
    return list(found.values())


def _checked(told: Dictionaries) -> Dictionaries:
    if told.mistakes:
        raise DefinitionError(told.mistakes)
    return told
