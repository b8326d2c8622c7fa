"""Reads leads out of a file, or says in one sentence where it cannot be read."""

import argparse
import codecs
import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NoReturn

from leadconvert import ConversionRules, Lead, presets
from leadconvert.cli._csv import CSV, read_csv
from leadconvert.cli._rules import PRESETS
from leadconvert.cli._text import UnusableError
from leadconvert.codec import Codec


__all__ = ["add_source", "read_leads"]

_OWN: Final = "leadconvert"

#: How many objects and lists may stand within each other: more than any lead has, and less than
#: what stops a program that works on them.
_DEEPEST: Final = 64

#: A text, stepped over, or a number that JSON does not have.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<constant>NaN|-?Infinity)', re.DOTALL)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Let a command be told what sort of file its leads stand in."""
    parser.add_argument(
        "--from",
        dest="source",
        choices=sorted({_OWN, CSV, *PRESETS}),
        default=_OWN,
        help="whose JSON FILE is, or csv, by the columns of the rules (default: %(default)s)",
    )
    parser.add_argument(
        "--delimiter", metavar="CHAR", help="what separates the cells of a CSV file"
    )


def read_leads(
    file: str, source: str, rules: ConversionRules, delimiter: str | None = None
) -> tuple[Lead, ...]:
    """Return the leads of *file*: CSV, or JSON or JSON lines of the system *source*.

    Raises:
        UnusableError: the file cannot be read, is no such thing, or holds what is no lead.
    """
    if source == CSV:
        return read_csv(file, rules, delimiter)
    if delimiter is not None:
        raise UnusableError("--delimiter: JSON has no cells, leave it out or add --from csv")
    data = _data(file, _text(file))
    try:
        if source == _OWN:
            return Codec(rules).leads(data)
        read: Callable[..., tuple[Lead, ...]] = getattr(presets, source).leads
        return read(data, rules=rules)
    except ValueError as error:
        told = "; ".join(str(error).split("\n"))
        raise UnusableError(f"{file}: {told}") from None


def _text(file: str) -> str:
    try:
        raw = Path(file).read_bytes().removeprefix(codecs.BOM_UTF8)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnusableError(f"{file}: cannot be read ({reason})") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise UnusableError(
            f"{file}: {_at(before, len(before))}: byte 0x{raw[error.start]:02x} is not UTF-8,"
            " save the file in UTF-8"
        ) from None
    if not text.strip():
        raise UnusableError(f"{file}: is empty, it should hold leads as JSON or JSON lines")
    return text


def _data(file: str, text: str) -> object:
    try:
        data = _parsed(text)
    except (ValueError, RecursionError) as error:
        lines = text.split("\n")  # and at nothing else: a JSON text may hold other separators
        if not _is_json_lines(lines):
            raise UnusableError(f"{file}: {_place(error, text)}") from None
        return [_of_line(file, number, line) for number, line in _filled(lines)]
    if isinstance(data, list):
        for number, item in enumerate(data, start=1):
            if not isinstance(item, dict):
                raise UnusableError(f"{file}: item {number} of the list is no JSON object")
    elif not isinstance(data, dict):
        raise UnusableError(f"{file}: line 1, column 1: is no JSON object and no list of them")
    return data


def _filled(lines: list[str]) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _is_json_lines(lines: list[str]) -> bool:
    """Tell whether the first line is whole and others follow; else one JSON was meant."""
    (_, first), *more = _filled(lines)
    try:
        _parsed(first)
    except (ValueError, RecursionError):
        return False
    return bool(more)


def _of_line(file: str, number: int, line: str) -> object:
    try:
        data = _parsed(line)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"{file}: {_place(error, line, number)}") from None
    if not isinstance(data, dict):
        raise UnusableError(f"{file}: line {number}, column 1: is no JSON object")
    return data


def _parsed(text: str) -> object:
    data: object = json.loads(
        text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_once
    )
    if _is_deep(data):
        raise RecursionError
    return data


def _is_deep(data: object) -> bool:
    level = [data]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(data: object) -> Iterable[object]:
    match data:
        case dict():
            return data.values()
        case list():
            return data
        case _:
            return ()


class _ConstantError(ValueError):
    """JSON has no such number."""


def _no_constant(name: str) -> NoReturn:
    raise _ConstantError(f"{name} is no number that JSON has")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"the number {text} is out of range") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of *pairs*, refusing a key that would silently take another's place."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {name!r} twice")
    return found


def _place(error: ValueError | RecursionError, text: str, first_line: int = 1) -> str:
    """Return where *text*, which starts at *first_line*, is wrong if that is known, and how."""
    match error:
        case json.JSONDecodeError():
            where = f"{_at(text, error.pos, first_line)}: "
            reason = "the JSON ends too early" if _ends(text, error) else f"no JSON, {error.msg}"
        case _ConstantError():
            found = (match for match in _TOKEN.finditer(text) if match["constant"])
            where = f"{_at(text, next(found).start(), first_line)}: "
            reason = str(error)
        case RecursionError():
            where, reason = f"line {first_line}: ", "is nested too deeply"
        case _:
            where = "" if first_line == 1 else f"line {first_line}: "
            reason = str(error)
    return where + reason


def _ends(text: str, error: json.JSONDecodeError) -> bool:
    return not text[error.pos :].strip() or error.msg.startswith("Unterminated string")


def _at(text: str, position: int, first_line: int = 1) -> str:
    line = first_line + text.count("\n", 0, position)
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"
