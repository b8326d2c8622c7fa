"""``leadconvert check``: every mistake in a rules file, or what is questionable in it."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable

from leadconvert import Finding, Severity, lint
from leadconvert.cli._rules import RULES, rules_of
from leadconvert.cli._tables import shown
from leadconvert.cli._text import UnusableError, visible


__all__ = ["add"]

#: What the gravest finding makes of the exit code.
_CODES = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    check = commands.add_parser(
        "check",
        help="tell what is wrong in a rules file",
        description="Tell every mistake in a rules file; if there is none, what is questionable.",
        epilog="Exit code: 0 nothing worse than notes, 1 warnings, 2 errors or unusable rules.",
    )
    check.add_argument("rules", metavar="RULES", help=RULES)
    check.add_argument("--json", action="store_true", help="as JSON, for a program")
    check.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        found = lint(rules_of(arguments.rules))
    except UnusableError as error:
        if not arguments.json:
            raise
        _write_json((), map(str, error.args))
        return 2
    if arguments.json:
        _write_json(found, ())
    else:
        _print(found)
    return max((_CODES[one.severity] for one in found), default=0)


def _print(found: Iterable[Finding]) -> None:
    every = list(found)
    rows = [
        (one.severity.value, one.code, one.place, f"{one.message} ({one.remedy})") for one in every
    ]
    if rows:
        sys.stdout.write(shown(("Severity", "Code", "Place", "What"), rows))
    counts = Counter(one.severity for one in every)
    told = [f"{counts[one]} {one.value}{'' if counts[one] == 1 else 's'}" for one in Severity]
    sys.stdout.write(f"{', '.join(told)}\n")


def _write_json(found: Iterable[Finding], mistakes: Iterable[str]) -> None:
    told = [
        {
            "severity": one.severity.value,
            "code": one.code,
            "place": one.place,
            "kind": one.kind,
            "field": one.field,
            "message": one.message,
            "remedy": one.remedy,
        }
        for one in found
    ]
    data = {"findings": told, "mistakes": [visible(one) for one in mistakes]}
    sys.stdout.write(f"{json.dumps(data, indent=2)}\n")
