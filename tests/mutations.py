"""Rules files with one thing wrong, or none: each a change that somebody could make by a slip."""
# ruff: noqa: ANN401 - plain data is of any shape

import copy
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from leadconvert.config._layout import toml_text
from leadconvert.errors import Problem


__all__ = ["NOWHERE", "mutated", "path_of", "standing_at", "strange", "text_of"]

Path = tuple[str | int, ...]
#: Stands for what is not there.
NOWHERE: Final = object()
_STEP: Final = re.compile(r'\[(\d+)\]|\.?("(?:[^"\\]|\\.)*")|\.?([A-Za-z0-9_-]+)')
_OTHERS: Final[tuple[Any, ...]] = (
    "",
    "dael",
    7,
    -1,
    1.5,
    True,
    False,
    [],
    {},
    ["x"],
    {"x": 1},
    None,
    "$none",
    "*",
)


def _places(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, data
    pairs = data.items() if isinstance(data, dict) else []
    for step, one in enumerate(data) if isinstance(data, list) else pairs:
        yield from _places(one, (*path, step))


def standing_at(data: Any, path: Path) -> Any:
    """Return what stands at a path, or NOWHERE."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return NOWHERE
    return data


def path_of(place: str) -> Path:
    """Return the path that a place of a mistake tells, behind the name of the file."""
    _, colon, told = place.partition(": ")
    told = told if colon else ("" if place == "rules" else place)
    path: list[str | int] = []
    at = 0
    while at < len(told):
        found = _STEP.match(told, at)
        assert found is not None, place
        index, quoted, bare = found.groups()
        path.append(int(index) if index else json.loads(quoted) if quoted else bare)
        at = found.end()
    return tuple(path)


def _drop(holder: Any, step: Any, chance: random.Random) -> None:
    del chance, holder[step]


def _rename(holder: Any, step: Any, chance: random.Random) -> None:
    if isinstance(holder, dict):
        name = chance.choice([f"{step}s", step[:-1], step.upper(), "x", "like", "class", "$map"])
        holder[name] = holder.pop(step)


def _retype(holder: Any, step: Any, chance: random.Random) -> None:
    holder[step] = copy.deepcopy(chance.choice(_OTHERS))


def _misspell(holder: Any, step: Any, chance: random.Random) -> None:
    old = holder[step]
    if isinstance(old, str):
        holder[step] = chance.choice(
            [f"{old}x", old[1:], old.swapcase(), f"{old} ", "lead", old * 2]
        )


def _repeat(holder: Any, step: Any, chance: random.Random) -> None:
    del chance
    if isinstance(holder, list):
        holder.insert(step, copy.deepcopy(holder[step]))


def _wrap(holder: Any, step: Any, chance: random.Random) -> None:
    one = holder[step]
    holder[step] = chance.choice([[one], [[one]], {"x": one}, {"$map": one}, [one, one]])


def _unwrap(holder: Any, step: Any, chance: random.Random) -> None:
    del chance
    one = holder[step]
    if isinstance(one, list | dict) and one:
        holder[step] = next(iter(one.values() if isinstance(one, dict) else one))


def _swap(holder: Any, step: Any, chance: random.Random) -> None:
    other = chance.choice([*holder] if isinstance(holder, dict) else range(len(holder)))
    holder[step], holder[other] = holder[other], holder[step]


_SLIPS: Final[tuple[Callable[[Any, Any, random.Random], None], ...]] = (
    _drop,
    _rename,
    _retype,
    _misspell,
    _repeat,
    _wrap,
    _unwrap,
    _swap,
)


def mutated(data: dict[str, Any], chance: random.Random, slips: int = 1) -> dict[str, Any]:
    """Return *data* with so many slips, each anywhere."""
    other = copy.deepcopy(data)
    for _ in range(slips):
        path, _ = chance.choice([*_places(other)] or [(("kinds",), None)])
        holder = standing_at(other, path[:-1])
        if standing_at(other, path) is not NOWHERE:
            chance.choice(_SLIPS)(holder, path[-1], chance)
    return other


def text_of(data: dict[str, Any], form: str) -> str:
    """Return plain data as the text of a file."""
    return toml_text(data, None) if form == "toml" else json.dumps(data)


def strange(problems: Iterable[Problem], data: dict[str, Any]) -> list[str]:
    """Return the places that mistakes tell and that are not there."""
    places = [str(one.place) for one in problems]
    return [place for place in places if standing_at(data, path_of(place)) is NOWHERE]
