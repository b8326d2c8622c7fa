"""The text of a rules file to plain data: its size, its syntax, its depth."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from leadconvert.config import _paths
from leadconvert.errors import DefinitionError, Problem
from leadconvert.problems import mistake, no_choice


__all__ = ["DEEPEST", "FORMATS", "LARGEST", "NOTHING", "format_of", "parsed", "text_of"]

FORMATS: Final = ("toml", "json")
#: Nobody writes so many rules by hand: a megabyte, and lists in lists in lists.
LARGEST: Final = 1_000_000
DEEPEST: Final = 32
#: What stands for None in TOML, which has no word for it.
NOTHING: Final[Mapping[str, object]] = {"$none": True}

_AT: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
#: A text or a comment, which is passed over; a point between keys; the end of a key.
_TOKEN: Final = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|\'{3}.*?\'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|(\.)|([=\[\]{},\n])''',
    re.DOTALL,
)
_BOM: Final = "\ufeff"


def format_of(path: Path) -> str:
    """Return the format that the name of a file tells.

    Raises:
        DefinitionError: it tells none.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise DefinitionError([no_choice("format", suffix, FORMATS, path.name)])
    return suffix


def text_of(path: Path) -> str:
    """Return the text of a file.

    Raises:
        DefinitionError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise _refused("too_large", path.name, limit=LARGEST)
        text = data.decode()
    except UnicodeDecodeError:
        raise _refused("unreadable", path.name, why="it is not in UTF-8") from None
    except FileNotFoundError:
        raise _refused("unreadable", path.name, why="there is no such file") from None
    except IsADirectoryError:
        raise _refused("unreadable", path.name, why="it is a folder") from None
    except (OSError, ValueError) as error:  # no right to, or a name that no file has
        why = getattr(error, "strerror", None) or "it has no such name"
        raise _refused("unreadable", path.name, why=str(why)) from None
    return text


def parsed(text: str, format_: str, name: str) -> dict[str, object]:
    """Return what *text* says; *name* is that of its file.

    Raises:
        DefinitionError: it is too large, has mistakes of syntax, or is nested too deep.
    """
    # half a character has no bytes; it is found out by whoever parses
    if len(text.encode(errors="surrogatepass")) > LARGEST:
        raise _refused("too_large", name, limit=LARGEST)
    if text.startswith(_BOM):
        raise _refused("unreadable", name, why="it begins with a byte order mark")
    parse = {"toml": _toml, "json": _json}[format_]
    try:
        data = parse(text, name)
    except RecursionError:
        raise _refused("too_deep", name, limit=DEEPEST) from None
    if _is_too_deep(data):
        raise _refused("too_deep", name, limit=DEEPEST)
    if repeated := [*_repeated(data, name)]:
        raise DefinitionError(repeated)
    if not isinstance(data, dict):
        raise _refused(
            "wrong_shape",
            name,
            what="a table",
            given="list" if isinstance(data, list) else "plain value",
        )
    return {key: _plain(one) for key, one in data.items()}


def _refused(code: str, place: str, **facts: object) -> DefinitionError:
    return DefinitionError([mistake(code, place or "rules", **facts)])


def _toml(text: str, name: str) -> object:
    if _has_endless_keys(text):  # the parser would take hours
        raise RecursionError
    try:
        return tomllib.loads(text, parse_float=_number)
    except ValueError as error:
        told = str(error)
        found = _AT.search(told)
        why = told[: found.start()] if found else told
        line, column = (found[1], found[2]) if found and found[1] else _end(text)
        raise _misspelt("TOML", name, line, column, why) from None


def _has_endless_keys(text: str) -> bool:
    """Tell whether a key of TOML, ``a.b.c``, goes deeper than any may."""
    parts = 0
    for found in _TOKEN.finditer(text):
        dot, end = found.groups()
        parts = parts + 1 if dot else 0 if end else parts
        if parts > DEEPEST:
            return True
    return False


def _json(text: str, name: str) -> object:
    try:
        return json.loads(
            text, parse_float=_number, parse_constant=_number, object_pairs_hook=_Table
        )
    except json.JSONDecodeError as error:
        raise _misspelt("JSON", name, error.lineno, error.colno, error.msg) from None
    except ValueError as error:  # such as a number with too many digits
        raise _misspelt("JSON", name, *_end(text), str(error)) from None


def _misspelt(format_: str, name: str, line: object, column: object, why: str) -> DefinitionError:
    place = f"{name}: line {line}, column {column}" if name else f"line {line}, column {column}"
    return _refused("bad_syntax", place, format=format_, why=why[:1].lower() + why[1:])


def _end(text: str) -> tuple[int, int]:
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _number(text: str) -> Decimal:
    """Read a number with a fraction, exactly."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError("a number must be finite")
    return number


class _Table(dict[str, object]):
    """An object of JSON, which may say a thing twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.repeated: list[str] = []
        for key, _ in pairs:
            if key in seen:
                self.repeated.append(key)
            seen.add(key)


def _is_too_deep(data: object) -> bool:
    layer = [data]
    for _ in range(DEEPEST + 1):
        layer = [inner for one in layer for inner in _held(one)]
    return bool(layer)


def _held(data: object) -> list[object]:
    if isinstance(data, dict):
        return [*data.values()]
    return data if isinstance(data, list) else []


def _repeated(data: object, name: str) -> Iterator[Problem]:
    for path, one in _paths.entries(data):
        for key in one.repeated if isinstance(one, _Table) else ():
            place = f"{name}: {_paths.told((*path, key))}" if name else _paths.told((*path, key))
            yield mistake("duplicate", place, what="key", name=key)


def _plain(data: object) -> object:
    """Return *data* with None where TOML says so, and dicts of no other class."""
    if isinstance(data, dict):
        told = {key: _plain(one) for key, one in data.items()}
        return None if told == NOTHING else told
    return [_plain(one) for one in data] if isinstance(data, list) else data
