"""Plain data to rules, or to every mistake in it, each with its path.

What cannot be read is told and taken out, and the rest is read again, until nothing is left to
tell; then the rules look at how the parts go together. What merely follows from a part that was
taken out is not told.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, cast

import attrs
from cattrs.errors import ForbiddenExtraKeysError

from leadconvert import ConversionRules
from leadconvert.config._forms import PARTS
from leadconvert.config._paths import GONE, Path, at, entries, located, told, without
from leadconvert.config._reading import Bound, Reader
from leadconvert.config._wrong import FollowsError, below
from leadconvert.errors import DefinitionError, Problem
from leadconvert.problems import did_you_mean, mistake, unknown


__all__ = ["gathered"]

#: Where the parts stand that a place names; the key by which it names them.
_PLACES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "kind": (("lead", "kinds", "children"), "id"),
    "field": (("lead", "kinds", "children"), "id"),
    "pipeline": (("pipelines",), "id"),
    "role": (("policy",), "id"),
    "match rule for": (("matching",), "kind"),
    "child rule for": (("children",), "id"),
    "owner rule for": (("owners",), "kind"),
    "automation rule": (("automation",), "id"),
    "mode without leads": (("automation", "without_leads"), ""),
    "limits": (("limits",), ""),
    "leftovers →": (("leftovers",), "kind"),
}
#: Which key a mistake is about, where the mistake does not name it.
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_conflict": ("conflict",),
    "bad_default": ("default", "constant"),
    "bad_length": ("max_length",),
    "bad_template": ("template",),
    "blank_id": ("id",),
    "no_options": ("type",),
    "no_kind_of_reference": ("type",),
}

_SAYS_NO_FIELDS: Final = frozenset((key,) for key in (*PARTS, "label", "any_of", "keys"))
#: Mistakes that follow from nothing but a name that stands in them.
_BY_NAME: Final = frozenset(
    {
        "bad_conflict",
        "bad_template",
        "decided_twice",
        "duplicate",
        "incomplete_mapping",
        "two_mappings",
        "unknown",
    }
)
#: Mistakes that may follow from a part that no field plays, or from a pipeline that is gone.
_BY_PARTS: Final = frozenset(
    {
        "bad_limit",
        "bad_match_rule",
        "bad_owner_rule",
        "bad_rule",
        "never_applies",
        "no_back_pointer",
        "no_pipeline",
        "no_stages",
        "one_default",
        "one_pipeline",
        "one_success",
    }
)
#: Mistakes that a part has as a whole, though its name stands in it.
_OF_WHOLE: Final = frozenset(
    {"no_pipeline", "no_stages", "one_pipeline", "one_default", "not_attrs"}
)
_DEFINING: Final = frozenset({("lead",), ("kinds",), ("pipelines",), ("children",)})


def gathered(data: dict[str, object], bound: Bound, name: str) -> ConversionRules:
    """Return the rules that *data* tells; *name* is that of its file.

    Raises:
        DefinitionError: every mistake there is.
    """
    return _Gathering(data, Reader(bound), name).rules()


@attrs.define
class _Gathering:
    data: dict[str, object]
    reader: Reader
    name: str
    mistakes: list[Problem] = attrs.field(factory=list, init=False)
    #: Names that would be known, if everything could be read.
    tainted: set[str] = attrs.field(factory=set, init=False)
    #: Names of kinds of which only a part could not be read that some field plays.
    parts: set[str] = attrs.field(factory=set, init=False)
    #: Whether there are kinds and pipelines to go by.
    whole: bool = attrs.field(default=True, init=False)
    #: The file as it was.
    original: dict[str, object] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.original = deepcopy(self.data)

    def rules(self) -> ConversionRules:
        parts = self._parts()
        if self.whole:
            try:
                rules = cast("Callable[..., ConversionRules]", ConversionRules)(**parts)
            except Exception as error:  # noqa: BLE001 - a file is never worse than refused
                self._tell_across(error, parts)
            else:
                if not self.mistakes:
                    return rules
        raise DefinitionError(self.mistakes)

    def _parts(self) -> dict[str, object]:
        """Return what rules are made of, without what cannot be read."""
        while True:
            try:
                return self.reader.rules(self.data)
            except Exception as error:  # noqa: BLE001 - a class of the host's may refuse with any
                found = [*below(error)]
            for path, one in found:
                self._take(path, one)
            taken = [self._take_out(path, one) for path, one in found]
            if not any(taken):
                self.whole = False  # there is nothing left to take out
                return {}

    def _take(self, path: Path, error: Exception) -> None:
        """Tell what is wrong at *path*, unless it follows from something else."""
        match error:
            case KeyError():
                if not self._is_broken(path[:-1]):
                    self._tell(path[:-1], mistake("missing_key", "", name=str(path[-1])))
            case ForbiddenExtraKeysError():
                self._tell(path, unknown("key", str(path[-1]), _keys(error.cl), ""))
            case FollowsError():
                pass
            case DefinitionError():
                for problem in error.problems:
                    of_parts = problem.place or problem.code == "bad_value"
                    if not self._follows(problem) and not (of_parts and self._is_broken(path)):
                        self._tell(self._refined(path, problem), problem)
                    if problem.params.get("what") == "standard kind":
                        # what it was meant to be is not to be wondered at either
                        meant = problem.params.get("did_you_mean")
                        self.tainted.update([str(meant)] if meant else [])
            case _:
                why = str(error.args[0] if error.args else type(error).__name__)
                self._tell(path, mistake("bad_value", "", why=why))

    def _take_out(self, path: Path, error: Exception) -> bool:
        """Take out of the data what cannot be read, and remember what was to be known by it."""
        if isinstance(error, KeyError) and len(path) == 1:
            self.data[str(path[0])], self.whole = [], False
            return True
        where = path[:-1] if isinstance(error, KeyError) else path
        problems = error.problems if isinstance(error, DefinitionError) else ()
        taken = False
        for one in {self._refined(where, problem) for problem in problems} or {where}:
            self._taint(one)
            self.whole &= one not in {("lead",), ("kinds",), ("pipelines",)}
            taken |= without(self.data, one) or without(self.data, where)
        return taken

    def _taint(self, path: Path) -> None:
        """Remember what is not to be wondered at, now that what stands at *path* is gone."""
        # a field is one of many, and so is a grant; a kind or a pipeline is as good as gone
        whole = path[:1] in _DEFINING
        fields = (end + 1 for end, step in enumerate(path) if step in {"fields", "custom"})
        start = next(fields, 0 if whole else len(path))
        # a part that a field plays, or a pipeline, has no say in which fields there are
        named = self.parts if path[-1:] in _SAYS_NO_FIELDS else self.tainted
        for end in range(start, len(path) + 1):
            holder = at(self.original, path[:end])
            named.update(_ids(holder))
            if path[:1] == ("pipelines",):
                self.parts.update(_ids(holder, "kind"))

    def _is_broken(self, path: Path) -> bool:
        """Tell whether something at *path* was taken out, which has been told."""
        there = at(self.original, path) is not GONE
        return there and any(one is GONE for _, one in entries(at(self.data, path)))

    def _tell(self, path: Path, problem: Problem) -> None:
        while at(self.original, path) is GONE:
            path = path[:-1]
        place = ": ".join(one for one in (self.name, told(path)) if one)
        problem = attrs.evolve(problem, place=place or "rules")
        if problem not in self.mistakes:
            self.mistakes.append(problem)

    def _follows(self, problem: Problem) -> bool:
        """Tell whether *problem* is about something that could not be read."""
        params = problem.params
        what = str(params.get("what"))
        by_name = problem.code in _BY_NAME
        told = " ".join(map(str, [*params.values(), *([] if by_name else [problem.place])]))
        by_parts = problem.code in _BY_PARTS or what.startswith(("stage", "pipeline", "key"))
        where = f"{told} {problem.place}"
        return any(_names(told, one) for one in self.tainted) or (
            by_parts and any(_names(where, one) for one in self.parts)
        )

    # -- how the parts go together ----------------------------------------------------------------

    def _tell_across(self, error: Exception, parts: Mapping[str, object]) -> None:
        if not isinstance(error, DefinitionError):
            self._take((), error)
            return
        for problem in error.problems:
            if self._follows(problem):
                continue
            path = self._path_of(problem, parts)
            if problem.code not in _BY_NAME and self._is_broken(path):
                continue
            if problem.code == "unknown" and problem.params.get("what") == "transform":
                hint = did_you_mean(str(problem.params["name"]), self.reader.bound.transforms)
                params = {**problem.params, **hint, "argument": "transforms"}
                self._tell(path, attrs.evolve(problem, code="unbound", params=params))
            else:
                self._tell(path, problem)

    def _path_of(self, problem: Problem, parts: Mapping[str, object]) -> Path:
        """Return the path to what *problem* is about: to the value, the entry or the list."""
        place = str(problem.place)
        if place.startswith(("mapping ", "transforms", "mergers")):
            every = [("mappings", *path) for path in self.reader.origins]
            return self._among(every, self.reader.made, place, problem)
        if place.startswith("declined "):
            return ("declined", place.removeprefix("declined "))
        if place.startswith("column "):
            columns = cast("tuple[object, ...]", parts["columns"])
            left = [path for path, _ in self._items("columns")]
            return self._among(left, columns, place, problem)
        for start, (sections, key) in _PLACES.items():
            if place == start or place.startswith(f"{start} "):
                id_ = place[len(start) :].strip()
                named = [*self._named(sections, key, id_)]
                if start == "child rule for":  # its kind has the id
                    named = [path[:2] for path in named]
                return self._best(named, problem) or sections[:1]
        return self._refined((place,), problem)

    def _among(
        self, paths: list[Path], made: Iterable[object], place: str, problem: Problem
    ) -> Path:
        """Return which of the *paths* is meant, where *place* tells what was *made* of each."""
        _, _, told_as = place.partition(" ")
        meant = [path for path, one in zip(paths, made, strict=True) if str(one) == told_as]
        return self._best(meant or [path for path in paths if self._says(path, problem)], problem)

    def _says(self, path: Path, problem: Problem) -> bool:
        return self._refined(path, problem) != path

    def _items(self, section: str) -> Iterator[tuple[Path, object]]:
        there = self.data.get(section)
        for index, one in enumerate(there if isinstance(there, list) else ()):
            if one is not GONE:
                yield (section, index), one

    def _named(self, sections: tuple[str, ...], key: str, id_: str) -> Iterator[Path]:
        """Yield where in *sections* the parts stand that *id_* names."""
        if key == "":
            yield sections
            return
        kind, _, field = id_.partition(".")
        for section in sections:
            for path, one in entries(self.original.get(section, GONE), (section,)):
                if isinstance(one, dict):
                    names = _ids(one, key)
                    if id_ in names or (field and kind in names):
                        yield path

    def _best(self, among: list[Path], problem: Problem) -> Path:
        """Return the path that says most of those *among* which *problem* may be about."""
        refined = [(path, self._refined(path, problem)) for path in among]
        deeper = [inner for path, inner in refined if inner != path]
        found = deeper or [path for path, _ in refined]
        return (found[-1] if problem.code == "duplicate" else found[0]) if found else ()

    def _refined(self, path: Path, problem: Problem) -> Path:
        """Return where below *path* the very value stands that *problem* is about."""
        holder = at(self.original, path)
        what = problem.params.get("what")
        keys = (*_KEYS.get(problem.code, ()), *([what] if problem.code == "misplaced" else []))
        for key in keys:
            if isinstance(holder, dict) and key in holder and holder[key] is not GONE:
                return (*path, cast("str", key))
        if problem.place and path:
            kind, _, id_ = problem.place.partition(" ")
            below_it = [*self._below(path, id_)] if kind in _PLACES else []
            path = below_it[0] if below_it else path
        name = None if problem.code in _OF_WHOLE else problem.params.get("name")
        if not isinstance(name, str) or not isinstance(at(self.original, path), (dict, list)):
            return path
        last = problem.code == "duplicate"
        return located(self.original, path, name, last=last) or path

    def _below(self, path: Path, id_: str) -> Iterator[Path]:
        for where, one in entries(at(self.original, path), path):
            if where != path and isinstance(one, dict) and one.get("id") == id_:
                yield where


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _ids(data: object, key: str = "id") -> list[str]:
    if not isinstance(data, dict):
        return []
    found = [data.get(key), *([data.get("like")] if key == "id" else [])]
    return [one for one in found if isinstance(one, str) and one]


def _keys(cls: Any) -> list[str]:  # noqa: ANN401
    return [one.alias or one.name for one in attrs.fields(cls) if one.init]
