"""Whether a mapping still fits after its fields changed, and what is left of it without some."""

from collections.abc import Collection
from string import Formatter

import attrs

from leadconvert.fields import Field
from leadconvert.mapping import FieldMapping
from leadconvert.rules import ConversionRules
from leadconvert.spreading import misfits


__all__ = ["changed", "hindrances", "lost_options", "without"]


def hindrances(rules: ConversionRules, mapping: FieldMapping, source: str) -> dict[str, str]:
    """Say why values of *source* do not fit the target, where they are carried as they are.

    Example:
        >>> from leadconvert import FieldMapping, presets
        >>> from leadconvert.refitting import hindrances
        >>> mapping = FieldMapping("tags", "deal", "comments")
        >>> hindrances(presets.bitrix24(), mapping, "tags")
        {'multiple': 'it holds one value only'}
    """
    if mapping.combines or mapping.transform is not None:
        return {}
    target = _target(rules, mapping)
    return misfits(rules.lead.members[source], target, mapping.values)


def changed(before: ConversionRules, after: ConversionRules, mapping: FieldMapping) -> list[str]:
    """Say what may not fit any more of a mapping that makes something else of its values.

    Example:
        >>> from leadconvert import FieldMapping, presets
        >>> from leadconvert.refitting import changed
        >>> rules = presets.bitrix24()
        >>> changed(rules, rules, FieldMapping("tags", "deal", "comments", transform="join"))
        []
    """
    if mapping.kind is None or not (mapping.combines or mapping.transform is not None):
        return []
    pairs = [(_target(before, mapping), _target(after, mapping))]
    if not mapping.combines:
        pairs += ((after.lead.members[name], before.lead.members[name]) for name in mapping.sources)
    return [what for one, holds in pairs for what in misfits(one, holds)]


def _target(rules: ConversionRules, mapping: FieldMapping) -> Field:
    kind = rules.kind(mapping.kind or "")
    assert kind is not None  # noqa: S101 - kinds never vanish
    return kind.members[str(mapping.target)]


def lost_options(
    before: ConversionRules, after: ConversionRules, mapping: FieldMapping
) -> set[str]:
    """Return the options that a value map speaks of, and that no source has any more.

    Example:
        >>> from leadconvert import FieldMapping, presets
        >>> from leadconvert.refitting import lost_options
        >>> rules = presets.bitrix24()
        >>> lost_options(rules, rules, FieldMapping("source", "deal", values={"WEB": "site"}))
        set()
    """
    now = [after.lead.members[name] for name in mapping.sources]
    if not all(field.options for field in now):
        return set()
    had = {one.id for name in mapping.sources for one in before.lead.members[name].options}
    has = {one.id for field in now for one in field.options}
    return (had - has).intersection(mapping.values)


def without(mapping: FieldMapping, gone: Collection[str]) -> FieldMapping | None:
    """Return *mapping* without some of its sources, or None if none is left.

    Example:
        >>> from leadconvert import FieldMapping
        >>> from leadconvert.refitting import without
        >>> mapping = FieldMapping.joined("deal", "title", "{company_name}: {UF_X} ({title})")
        >>> without(mapping, {"UF_X"}).template
        '{company_name} ({title})'
    """
    if not mapping.sources:
        return mapping
    left = [name for name in mapping.sources if name not in gone]
    if not left:
        return None
    if mapping.template is not None:
        return attrs.evolve(mapping, template=_shorter(mapping.template, gone))
    if mapping.parts:
        parts = {part: name for part, name in mapping.parts.items() if name not in gone}
        return attrs.evolve(mapping, parts=parts)
    return attrs.evolve(mapping, source=left[0], fallbacks=left[1:])


def _shorter(template: str, gone: Collection[str]) -> str:
    """Return *template* without some places: it says what it said where they were empty."""
    places: list[tuple[str, str]] = []
    end = ""
    for text, name, _, _ in Formatter().parse(template):
        end += text
        if name is not None:
            places.append((end, name))
            end = ""
    left = [at for at, (_, name) in enumerate(places) if name not in gone]
    said = ""
    for at in left:
        text, name = places[at]
        # text before the first place that is left stands only if nothing stood before
        before = text if at == 0 or said else ""
        said += f"{_braced(before)}{{{name}}}"
    return said + (_braced(end) if left[-1] == len(places) - 1 else "")


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
