"""``leadconvert schema``: prints the JSON Schema of rules files."""

import argparse
import json
import sys

from leadconvert import config


__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the *commands* there are."""
    schema = commands.add_parser(
        "schema",
        help="print the JSON Schema of rules files",
        description="Print the JSON Schema by which an editor completes and checks rules files.",
        epilog="Exit code: 0.",
    )
    schema.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    sys.stdout.write(f"{json.dumps(config.schema(), indent=2)}\n")
    return 0
