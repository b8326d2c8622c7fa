"""``leadconvert diff``: what changed between two sets of rules."""

import argparse
import sys

from leadconvert import diff
from leadconvert.cli._rules import RULES, rules_of
from leadconvert.cli._text import visible


__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    differ = commands.add_parser(
        "diff",
        help="tell what changed between two rules files",
        description="Tell what changed from one set of rules to another, most important first.",
        epilog="Exit code: 0 they are the same, 1 they differ, 2 unusable rules.",
    )
    differ.add_argument("before", metavar="A", help=RULES)
    differ.add_argument("after", metavar="B", help="the same")
    differ.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = diff(rules_of(arguments.before), rules_of(arguments.after))
    for difference in found:
        sys.stdout.write(f"{visible(str(difference))}\n")
    return 1 if found else 0
