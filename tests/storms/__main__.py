"""Runs one storm, prints what came of it, and exits with 1 if anything is not as promised.

Such as ``uv run python tests/storms race --leads 200 --processes 8``. It runs on SQLite and on
PostgreSQL, started for it, unless ``--url`` names an empty database.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final


# what the tests share
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from databases import DATABASES, database
from storms.crash import crash
from storms.faults import faults
from storms.races import hot, race, twins
from storms.slips import mutations
from storms.world import Report


#: The arguments of each storm, with the sizes that the docs show.
_SIZES: Final = {
    "race": {"leads": 200, "processes": 8},
    "twins": {"pairs": 200},
    "hot": {"leads": 200, "processes": 10},
    "crash": {"kills": 200, "batch": 10},
    "faults": {"requests": 5, "every": 1},
    "mutations": {"files": 10_000},
}


def main() -> int:
    """Run the storm that is asked for."""
    parser = argparse.ArgumentParser(prog="storms", description=__doc__)
    storms = parser.add_subparsers(dest="storm", required=True)
    for storm, sizes in _SIZES.items():
        one = storms.add_parser(storm)
        one.add_argument("--url", help="an empty database")
        for name, size in sizes.items():
            one.add_argument(f"--{name}", type=int, default=size)
        if storm == "twins":
            one.add_argument("--no-claims", action="store_true", help="then it must fail")
        if storm in {"crash", "mutations"}:
            one.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    # the driver tells of each pipeline that broke: they are made to
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    failed = False
    no_database = [("files", "")]
    for name, url in no_database if asked.storm == "mutations" else _urls(asked.url):
        _print(f"{asked.storm} on {name}")
        for part, report in _run(asked, url).items():
            if part:
                _print(f" {part}")
            for what, n in report.found.items():
                told = f" (promised: {report.promised[what]})" if what in report.broken else ""
                _print(f"  {what}: {n}{told}")
            failed |= bool(report.broken)
    _print("failed" if failed else "as promised")
    return failed


def _print(line: str) -> None:
    # at once: a storm may take minutes
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _urls(told: str | None) -> Iterator[tuple[str, str]]:
    if told is not None:
        yield told.partition(":")[0], told
        return
    for name in DATABASES:
        with tempfile.TemporaryDirectory() as folder, database(name, Path(folder)) as url:
            yield name, url.render_as_string(hide_password=False)


def _run(asked: argparse.Namespace, url: str) -> Mapping[str, Report]:
    """Return what came of the storm, or of each part of it by its name."""
    match asked.storm:
        case "race":
            return {"": race(url, asked.leads, asked.processes)}
        case "twins":
            return {"": twins(url, asked.pairs, claims=not asked.no_claims)}
        case "hot":
            return {"": hot(url, asked.leads, asked.processes)}
        case "crash":
            chance = random.Random(asked.seed)  # noqa: S311 - moments are no secrets
            return {"": crash(url, asked.kills, asked.batch, chance)}
        case "mutations":
            return {"": mutations(asked.files, asked.seed)}
        case _:
            return faults(url, asked.requests, asked.every)


if __name__ == "__main__":
    sys.exit(main())
