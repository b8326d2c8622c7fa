"""The command ``leadconvert``: checks rules, explains them, and converts leads out of files.

Exit codes: 0 all is well, 1 something was refused or differs, 2 the input or the output cannot be
used, 130 interrupted. Each command says more of its own.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from leadconvert.cli import _check, _columns, _convert, _diff, _explain, _schema
from leadconvert.cli._text import UnusableError, complain, ready


__all__ = ["main"]

#: What a shell calls commands that were ended by a signal: of Ctrl-C, and of a closed pipe.
_INTERRUPTED = 130
_UNREAD = 141


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
    ready()
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read it has seen enough, and Python would flush once more at the end
        with Path(os.devnull).open("w", encoding="utf-8") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return _UNREAD
    except UnusableError as error:
        complain(map(str, error.args))
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadconvert",
        description="Convert CRM leads into contacts, companies and deals, and check the rules.",
    )
    parser.add_argument(
        "--version", action="version", version=f"leadconvert {version('leadconvert')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (_convert, _explain, _check, _diff, _columns, _schema):
        command.add(commands)
    return parser
