"""Reads a Bitrix24's dictionaries: stages into pipelines, everything else into options."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from leadconvert import Option, Pipeline, Stage, StageRole
from leadconvert.errors import DefinitionError
from leadconvert.presets._bitrix24_values import UnreadableError, flag, is_blank, text
from leadconvert.problems import Problem, mistake, unknown


__all__ = ["Dictionaries", "as_count", "as_text", "each"]

_WRAPPERS: Final = ("result", "categories", "category", "fields")
_LEAD_STAGES: Final = "STATUS"
_DEAL_STAGES: Final = re.compile(r"DEAL_STAGE(?:_([0-9]+))?")
_FIRST: Final = "0"
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_DEALS: Final = "2"
_ROLES: Final[Mapping[str, StageRole]] = {
    "": StageRole.PROCESS,
    "P": StageRole.PROCESS,
    "process": StageRole.PROCESS,
    "S": StageRole.SUCCESS,
    "success": StageRole.SUCCESS,
    "F": StageRole.FAILURE,
    "failure": StageRole.FAILURE,
    "apology": StageRole.FAILURE,
}


def each(data: object, place: str, mistakes: list[Problem]) -> Iterator[Mapping[str, object]]:
    """Yield the entries of an answer, of several, or of a bare list of entries."""
    if isinstance(data, Mapping):
        inner = next((data[name] for name in _WRAPPERS if name in data), None)
        if inner is None:
            yield {str(name): value for name, value in data.items()}
        else:
            yield from each(inner, place, mistakes)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from each(item, place, mistakes)
    else:
        given = type(data).__name__
        mistakes.append(mistake("wrong_shape", place, what="an object or a list", given=given))


def as_text(value: object) -> str:
    """Return a text, or a number as one; blank where it is neither."""
    try:
        return text(value)
    except UnreadableError:
        return ""


def as_count(value: object) -> int:
    """Return a whole number from zero on, which is told as a number or a text; zero otherwise."""
    told = as_text(value)
    return int(told) if _COUNT.fullmatch(told) else 0


@attrs.frozen
class _Category:
    id: str
    label: str | None
    default: bool


@attrs.define
class Dictionaries:
    """What is in the dictionaries, and what is wrong with them."""

    options: dict[str, tuple[Option, ...]] = attrs.field(factory=dict)
    pipelines: list[Pipeline] = attrs.field(factory=list)
    mistakes: list[Problem] = attrs.field(factory=list)

    @classmethod
    def read(cls, statuses: object, categories: object) -> "Dictionaries":
        """Return what the answers of ``crm.status.list`` and ``crm.category.list`` say."""
        found = cls()
        by_dictionary: dict[str, list[Mapping[str, object]]] = {}
        for entry in each(statuses, "statuses", found.mistakes):
            by_dictionary.setdefault(found._dictionary(entry), []).append(entry)
        stages: dict[str, list[Stage]] = {}
        for name, entries in by_dictionary.items():
            ordered = sorted(entries, key=lambda one: as_count(one.get("SORT")))
            if name == _LEAD_STAGES or _DEAL_STAGES.fullmatch(name):
                stages[name] = [found._stage(entry, name) for entry in ordered]
            else:
                found.options[name] = tuple(
                    Option(found._id(entry, name), _label(entry)) for entry in ordered
                )
        found._piped(stages, found._categories(categories))
        return found

    def _dictionary(self, entry: Mapping[str, object]) -> str:
        """Return the dictionary of an entry; of a deal's stages with its pipeline."""
        name, category = as_text(entry.get("ENTITY_ID")), as_text(entry.get("CATEGORY_ID"))
        told = _DEAL_STAGES.fullmatch(name)
        if not name:
            self.mistakes.append(mistake("blank_id", "statuses", what="dictionary"))
        return f"DEAL_STAGE_{told[1] or category or _FIRST}" if told else name

    def _id(self, entry: Mapping[str, object], dictionary: str) -> str:
        id_ = as_text(entry.get("STATUS_ID"))
        if is_blank(id_):
            what = "dictionary entry"
            self.mistakes.append(mistake("blank_id", f"statuses {dictionary}", what=what))
        return id_

    def _stage(self, entry: Mapping[str, object], dictionary: str) -> Stage:
        extra = entry.get("EXTRA")
        told = entry.get("SEMANTICS")
        if is_blank(told) and isinstance(extra, Mapping):
            told = extra.get("SEMANTICS")
        id_, semantics = self._id(entry, dictionary), as_text(told)
        if semantics not in _ROLES:
            place = f"statuses {dictionary}.{id_}"
            self.mistakes.append(unknown("semantics", semantics, filter(None, _ROLES), place))
        return Stage(id_, _ROLES.get(semantics, StageRole.PROCESS), label=_label(entry))

    def _categories(self, data: object) -> list[_Category]:
        found: list[tuple[int, _Category]] = []
        for entry in each(data, "categories", self.mistakes):
            if as_text(entry.get("entityTypeId", _DEALS)) == _DEALS:
                id_, label = as_text(entry.get("id")), as_text(entry.get("name"))
                if is_blank(id_):
                    self.mistakes.append(mistake("blank_id", "categories", what="category"))
                default = self._is(entry.get("isDefault"), f"categories {id_}")
                found.append((as_count(entry.get("sort")), _Category(id_, label or None, default)))
        return [category for _, category in sorted(found, key=lambda one: one[0])]

    def _is(self, value: object, place: str) -> bool:
        try:
            return not is_blank(value) and flag(value)
        except UnreadableError:
            given = type(value).__name__
            self.mistakes.append(mistake("wrong_shape", place, what="Y or N", given=given))
            return False

    def _piped(self, stages: dict[str, list[Stage]], categories: list[_Category]) -> None:
        """Make the pipelines: the leads' one, and one for each category of deals."""
        if _LEAD_STAGES in stages:
            self._pipeline("leads", "lead", stages.pop(_LEAD_STAGES))
        of_deals = {name.removeprefix("DEAL_STAGE_"): some for name, some in stages.items()}
        if not categories:
            first = _FIRST if _FIRST in of_deals else next(iter(of_deals), None)
            categories = [_Category(id_, None, id_ == first) for id_ in of_deals]
        known = [category.id for category in categories]
        self.mistakes += (
            unknown("category", id_, known, f"statuses DEAL_STAGE_{id_}")
            for id_ in of_deals
            if id_ not in known
        )
        for one in categories:
            some = of_deals.get(one.id, [])
            self._pipeline(one.id, "deal", some, label=one.label, default=one.default)

    def _pipeline(
        self,
        id_: str,
        kind: str,
        stages: list[Stage],
        *,
        label: str | None = None,
        default: bool = False,
    ) -> None:
        try:
            self.pipelines.append(Pipeline(id_, kind, stages, label=label, default=default))
        except DefinitionError as error:
            self.mistakes += error.problems


def _label(entry: Mapping[str, object]) -> str | None:
    return as_text(entry.get("NAME")) or None
