"""Paths into a rules file: how they are told, what stands there, where something stands."""

import json
import re
from collections.abc import Iterator
from typing import Final


__all__ = ["GONE", "Path", "at", "entries", "located", "told", "without"]

#: The keys and indices that lead to a value of the file.
Path = tuple[str | int, ...]
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class _Gone:
    """Stands where something was that could not be read, so that what follows keeps its index."""


GONE: Final = _Gone()


def told(path: Path) -> str:
    """Return *path* as a person writes it: ``mappings[3].conflict``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            key = step if _BARE.fullmatch(step) else json.dumps(step, ensure_ascii=False)
            text += f".{key}" if text else key
    return text


def at(data: object, path: Path) -> object:
    """Return what stands in *data* at *path*; GONE where nothing does."""
    for step in path:
        if isinstance(data, dict) and isinstance(step, str):
            data = data.get(step, GONE)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return GONE
    return data


def without(data: object, path: Path) -> bool:
    """Take out of *data* what stands at *path*; tell whether there was anything."""
    if not path or at(data, path) is GONE:
        return False
    holder = at(data, path[:-1])
    holder[path[-1]] = GONE  # type: ignore[index]  # at() has found it there
    return True


def entries(data: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield everything in *data* with its path, each before what it holds."""
    yield path, data
    held: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(data, dict):
        held = iter(data.items())
    elif isinstance(data, list):
        held = iter(enumerate(data))
    for step, one in held:
        yield from entries(one, (*path, step))


def located(data: object, path: Path, name: object, *, last: bool = False) -> Path | None:
    """Return where *name* stands below *path*, as a value or as a key; or None.

    Where it stands several times, the first is meant, or the *last*.
    """
    below = [*entries(at(data, path), path)][1:]
    found = [where for where, one in below if type(one) is type(name) and one == name]
    found = found or [where for where, _ in below if where[-1] == name]
    return found[-1 if last else 0] if found else None
