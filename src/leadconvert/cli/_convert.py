"""``leadconvert convert``: converts the leads of a file, and tells what came of each."""

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from leadconvert import Actor, ConversionRules, Lead, Rejected, convert_many
from leadconvert.cli._outcomes import Outcome, Unstored
from leadconvert.cli._reading import add_source, read_leads
from leadconvert.cli._rules import MOMENT, RULES, actor_of, kinds_of, moment_of, rules_of
from leadconvert.cli._text import UnusableError
from leadconvert.cli._writing import write_outcomes


__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    convert = commands.add_parser(
        "convert",
        help="convert the leads of a file",
        description="Convert the leads of a file, and tell what came of each.",
        epilog="Exit code: 0 all were converted, 1 some were refused, 2 unusable input.",
    )
    convert.add_argument(
        "file", metavar="FILE", help="the leads: JSON, JSON lines or CSV, in UTF-8"
    )
    convert.add_argument("--rules", default="bitrix24", help=f"{RULES} (default: %(default)s)")
    add_source(convert)
    convert.add_argument(
        "--into", metavar="KINDS", help="what to make of each lead (default: every kind)"
    )
    convert.add_argument("--role", help="the role that converts (default: admin)")
    convert.add_argument("--at", metavar="MOMENT", help=f"when, such as {MOMENT} (default: now)")
    convert.add_argument(
        "--store",
        metavar="URL",
        help="the database to convert them in, such as sqlite:///crm.db; what is there counts",
    )
    convert.add_argument(
        "--out", metavar="DIR", help="write leads, records and refusals there, as JSON lines"
    )
    convert.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if find_spec("rich") is None:
        raise UnusableError("the command needs: pip install 'leadconvert[cli]'")
    # rich is an extra: without it the sentence above is to be read, not a traceback
    from leadconvert.cli._table import print_outcomes, watched  # noqa: PLC0415

    rules = rules_of(arguments.rules)
    into = kinds_of(arguments.into, rules)
    actor = actor_of(arguments.role, rules)
    at = moment_of(arguments.at)
    leads = read_leads(arguments.file, arguments.source, rules, arguments.delimiter)
    many: Iterator[Outcome]
    if arguments.store is None:
        many = convert_many(leads, into, rules=rules, actor=actor, at=at)
    else:
        many = _stored(arguments.store, leads, into, rules, actor, at)
    outcomes = list(watched(many, len(leads)))
    if arguments.out is not None:
        write_outcomes(outcomes, into, Path(arguments.out), rules)
    print_outcomes(leads, outcomes)
    return 1 if any(isinstance(outcome, Rejected | Unstored) for outcome in outcomes) else 0


def _stored(  # noqa: PLR0913, PLR0917 - as stored()
    url: str,
    leads: Sequence[Lead],
    into: Sequence[str],
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
) -> Iterator[Outcome]:
    if find_spec("sqlalchemy") is None:
        raise UnusableError("--store needs: pip install 'leadconvert[cli,sql]'")
    # SQLAlchemy is an extra, as rich is
    from leadconvert.cli._storing import stored  # noqa: PLC0415

    return stored(url, leads, into, rules, actor, at)
