"""``leadconvert explain``: what each field of a lead becomes under the rules."""

import argparse
import sys
from collections.abc import Sequence

from leadconvert import Plan, plan
from leadconvert.cli._reading import add_source, read_leads
from leadconvert.cli._rules import MOMENT, RULES, actor_of, kinds_of, moment_of, rules_of
from leadconvert.cli._tables import shown
from leadconvert.cli._text import visible


__all__ = ["add"]

_TITLES = ("Field", "Becomes", "Outcome", "Why", "By")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    explain = commands.add_parser(
        "explain",
        help="tell what each field of a lead becomes",
        description="Tell what each field of the leads of a file becomes, and what is in the way.",
        epilog="Exit code: 0 all could be converted, 1 some could not, 2 unusable input.",
    )
    explain.add_argument("rules", metavar="RULES", help=RULES)
    explain.add_argument("file", metavar="FILE", help="the leads: JSON, JSON lines or CSV")
    add_source(explain)
    explain.add_argument(
        "--into", metavar="KINDS", help="what to make of each lead (default: every kind)"
    )
    explain.add_argument("--role", help="the role that looks (default: admin)")
    explain.add_argument("--at", metavar="MOMENT", help=f"when, such as {MOMENT} (default: now)")
    explain.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    rules = rules_of(arguments.rules)
    into = kinds_of(arguments.into, rules)
    actor, at = actor_of(arguments.role, rules), moment_of(arguments.at)
    leads = read_leads(arguments.file, arguments.source, rules, arguments.delimiter)
    refused = False
    for number, lead in enumerate(leads):
        planned = plan(lead, into, rules=rules, actor=actor, at=at)
        refused = refused or not planned.ok
        title = f"{rules.lead.id} {lead.id}"
        sys.stdout.write("\n" if number else "")
        sys.stdout.write("".join(f"{line}\n" for line in _lines(title, planned)))
    return 1 if refused else 0


def _lines(title: str, planned: Plan) -> Sequence[str]:
    told = planned.shown()
    rows = [(row.field, row.target, str(row.outcome), row.reason, row.mapping) for row in told.rows]
    lines = [visible(title), ""]
    lines += shown(_TITLES, rows).splitlines() if rows else ["no field becomes anything"]
    if told.problems:
        lines += ["", "It cannot be converted:"]
        lines += [f"  {visible(str(problem))}" for problem in told.problems]
    return lines
