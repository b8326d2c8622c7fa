"""The command ``leadconvert``: converts leads out of a file, and tells what came of each.

Exit codes: 0 all were converted, 1 some were refused, 2 the input or the output cannot be used,
130 interrupted.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from leadconvert import (
    Actor,
    ConversionRules,
    Lead,
    Rejected,
    convert_many,
    presets,
)
from leadconvert.cli._outcomes import Outcome, Unstored
from leadconvert.cli._reading import SOURCES, read_leads
from leadconvert.cli._text import UnusableError, visible
from leadconvert.cli._writing import write_outcomes


__all__ = ["main"]

_KINDS = "contact,company,deal"
_MOMENT = "2027-01-31T12:00:00+01:00"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with *argv* (those of the process unless given) and return its exit code.

    Raises:
        SystemExit: the arguments are not understood (2), or ask for the help or the version (0).

    Example:
        >>> from leadconvert.cli import main
        >>> main(["convert", "docs/examples/leads.json", "--role", "nobody"])
        2
    """
    arguments = _parser().parse_args(argv)
    try:
        return _convert(arguments)
    except UnusableError as error:
        print(f"leadconvert: {visible(str(error))}", file=sys.stderr)  # noqa: T201 - a command speaks
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadconvert", description="Convert CRM leads into contacts, companies and deals."
    )
    parser.add_argument(
        "--version", action="version", version=f"leadconvert {version('leadconvert')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    convert = commands.add_parser(
        "convert",
        help="convert the leads of a file",
        description="Convert the leads of a file under the Bitrix24 preset.",
        epilog="Exit code: 0 all were converted, 1 some were refused, 2 unusable input.",
    )
    convert.add_argument("file", metavar="FILE", help="the leads: JSON or JSON lines, in UTF-8")
    convert.add_argument(
        "--from",
        dest="source",
        choices=sorted(SOURCES),
        default="leadconvert",
        help="whose JSON FILE is (default: %(default)s)",
    )
    convert.add_argument(
        "--into",
        metavar="KINDS",
        default=_KINDS,
        help="what to make of each lead (default: %(default)s)",
    )
    convert.add_argument(
        "--role", default="admin", help="the role that converts (default: %(default)s)"
    )
    convert.add_argument("--at", metavar="MOMENT", help=f"when, such as {_MOMENT} (default: now)")
    convert.add_argument(
        "--store",
        metavar="URL",
        help="the database to convert them in, such as sqlite:///crm.db; what is there counts",
    )
    convert.add_argument(
        "--out", metavar="DIR", help="write leads, records and refusals there, as JSON lines"
    )
    return parser


def _convert(arguments: argparse.Namespace) -> int:
    if find_spec("rich") is None:
        raise UnusableError("the command needs: pip install 'leadconvert[cli]'")
    # rich is an extra: without it the sentence above is to be read, not a traceback
    from leadconvert.cli._table import print_outcomes, watched  # noqa: PLC0415

    rules = presets.bitrix24()
    into = _kinds(arguments.into, rules)
    actor = Actor("cli", roles=[_role(arguments.role, rules)])
    at = datetime.now(UTC) if arguments.at is None else _moment(arguments.at)
    leads = read_leads(arguments.file, arguments.source, rules)
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


def _kinds(text: str, rules: ConversionRules) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    known = [kind.id for kind in rules.kinds]
    if strange := [name for name in names if name not in known]:
        raise UnusableError(
            f"--into: there is no kind {strange[0]!r}, choose among {_listed(known)}"
        )
    return names


def _role(name: str, rules: ConversionRules) -> str:
    known = [role.id for role in rules.policy.roles]
    if name not in known:
        raise UnusableError(f"--role: there is no role {name!r}, choose among {_listed(known)}")
    return name


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnusableError(f"--at: {text!r} is no moment, write it as in {_MOMENT}") from None
    if moment.utcoffset() is None:
        raise UnusableError(f"--at: {text!r} says no time zone, add Z or an offset as in {_MOMENT}")
    return moment


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
