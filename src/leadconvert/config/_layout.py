"""Plain data to the text of a rules file, laid out for people to read and to go on writing.

Every key and every value is written by the library for TOML; what stands on one line is ours: what
fits there, and each entry of a long list on a line of its own.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from leadconvert.config._texts import NOTHING


try:
    import tomli_w
except ImportError:  # only who writes TOML needs it
    tomli_w = None  # type: ignore[assignment]


__all__ = ["json_text", "toml_text"]

_WIDTH: Final = 120
_INDENT: Final = "    "
_Path = tuple[str, ...]


def toml_text(data: Mapping[str, object], schema: str | None) -> str:
    """Return *data* as TOML; the first line names the *schema* for editors, if there is one.

    Raises:
        ImportError: the library that writes TOML is not installed.
    """
    if tomli_w is None:
        raise ImportError("to write TOML, pip install 'leadconvert[toml]'")
    head = [] if schema is None else [f"#:schema {schema}", ""]
    return "\n".join([*head, *_table((), data)]) + "\n"


def json_text(data: Mapping[str, object], schema: str | None) -> str:
    """Return *data* as JSON."""
    head = {} if schema is None else {"$schema": schema}
    return json.dumps({**head, **data}, indent=2, ensure_ascii=False) + "\n"


def _table(path: _Path, table: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a table: what stands on one line, then lists, then what has a head."""
    lists: list[tuple[str, object]] = []
    blocks: list[tuple[_Path, Mapping[str, object], str]] = []
    for key, value in table.items():
        inner = (*path, key)
        head = ".".join(map(_key, inner))
        if isinstance(value, Mapping) and not _is_short(key, value):
            blocks.append((inner, value, f"[{head}]"))
        elif isinstance(value, list) and _is_blocks(path, value):
            blocks += ((inner, one, f"[[{head}]]") for one in value)
        elif isinstance(value, list):
            lists.append((key, value))
        else:
            yield from _lines(key, value)
    for key, value in lists:
        yield from _lines(key, value)
    for inner, value, head in blocks:
        lines = [*_table(inner, value)]
        # a head that only others follow goes without saying
        if head.startswith("[[") or not lines or lines[0]:
            yield from ("", head)
        yield from lines


def _is_short(key: str, value: Mapping[str, object]) -> bool:
    plain = not any(isinstance(one, Mapping | list) for one in value.values())
    return plain and len(f"{_key(key)} = {_inline(value)}") <= _WIDTH


def _is_blocks(path: _Path, items: list[object]) -> bool:
    """Tell whether each entry of a list has a head of its own, as long ones do."""
    if not items or not all(isinstance(one, Mapping) for one in items):
        return False
    return not path or any(len(f"{_INDENT}{_inline(one)},") > _WIDTH for one in items)


def _lines(key: str, value: object) -> Iterator[str]:
    line = f"{_key(key)} = {_inline(value)}"
    if isinstance(value, list) and (len(line) > _WIDTH or _holds_tables(value)):
        yield f"{_key(key)} = ["
        yield from _packed(value)
        yield "]"
    else:
        yield line


def _holds_tables(value: list[object]) -> bool:
    return len(value) > 1 and all(isinstance(one, Mapping) for one in value)


def _packed(items: list[object]) -> Iterator[str]:
    """Yield the entries of a long list: short texts side by side, anything else line by line."""
    line = ""
    for one in items:
        told = f"{_inline(one)},"
        if not line:
            line = f"{_INDENT}{told}"
        elif isinstance(one, Mapping | list) or len(line) + 1 + len(told) > _WIDTH:
            yield line
            line = f"{_INDENT}{told}"
        else:
            line = f"{line} {told}"
    yield line


def _inline(value: object) -> str:
    match value:
        case None:
            return _inline(NOTHING)
        case Mapping():
            inner = (f"{_key(key)} = {_inline(one)}" for key, one in value.items())
            return "{ " + ", ".join(inner) + " }" if value else "{}"
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case _:
            return tomli_w.dumps({"x": value}).removeprefix("x = ").removesuffix("\n")


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")
