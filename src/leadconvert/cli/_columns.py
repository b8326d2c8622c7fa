"""``leadconvert columns``: proposes how the columns of a CSV file are read, as TOML to paste."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from leadconvert import Column
from leadconvert.cli._csv import opened
from leadconvert.cli._rules import RULES, rules_of
from leadconvert.cli._text import visible
from leadconvert.proposing import Proposal, propose


__all__ = ["add"]

#: How many candidates are shown of one column.
_MOST: Final = 4
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    columns = commands.add_parser(
        "columns",
        help="propose how a CSV file is read",
        description=(
            "Propose which columns of a CSV file fill which fields of a lead, as TOML to paste into"
            " a rules file. What is not plain is commented out, for you to decide."
        ),
        epilog="Exit code: 0 it is proposed, 2 unusable input.",
    )
    columns.add_argument("file", metavar="FILE", help="CSV with a header")
    columns.add_argument("--rules", default="bitrix24", help=f"{RULES} (default: %(default)s)")
    columns.add_argument("--delimiter", metavar="CHAR", help="what separates cells")
    columns.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    rules = rules_of(arguments.rules)
    prefix = f"{Path(arguments.file).stem}-"
    with opened(arguments.file, arguments.delimiter) as table:
        proposals = propose(table, rules=rules, prefix=prefix)
    left = sum(not one.sure for one in proposals)
    sys.stdout.write("\n".join(_blocks(proposals)))
    if left:
        sys.stdout.write(f"\n# {left} to decide: see the comments above.\n")
    return 0


def _blocks(proposals: Iterable[Proposal]) -> Iterator[str]:
    for one in proposals:
        if one.sure:
            yield _block(one.columns[0])
            continue
        called = "no column" if one.header is None else json.dumps(one.header, ensure_ascii=False)
        told = [f"{visible(called)}: {visible(one.why)}"]
        if not one.columns:
            told += _block(Column.leave(str(one.header))).splitlines()
        for column in one.columns[:_MOST]:
            told += _block(column).splitlines()
        yield "".join(f"# {line}".rstrip() + "\n" for line in told)


def _block(column: Column) -> str:
    lines = ["[[columns]]"]
    for attribute in attrs.fields(Column):
        value = getattr(column, attribute.name)
        if value and value != attribute.default:
            lines.append(f"{attribute.name} = {_toml(value)}")
    return "".join(f"{line}\n" for line in lines)


def _toml(value: str | Mapping[str, str]) -> str:
    if isinstance(value, str):
        # what JSON escapes TOML does, and in the same way; but for one character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    pairs = ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items())
    return f"{{ {pairs} }}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _toml(key)
