"""What a run shows: a table of what came of each lead, and a bar while it is at work."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from leadconvert import Converted, Lead, Record, Rejected
from leadconvert.cli._outcomes import Before, Outcome, Unstored
from leadconvert.cli._text import visible


__all__ = ["print_outcomes", "watched"]

#: Wide enough for a reason to stay in one line where no terminal sets the width.
_WIDE = 500
#: A name longer than this is cut: it is shown to be recognised, not to be read.
_LONGEST_NAME = 60
#: What came of a lead, and in which colour that is said.
_OUTCOMES: Final = {
    Converted: ("converted", "green"),
    Before: ("unchanged", "cyan"),
    Rejected: ("refused", "red"),
    Unstored: ("refused", "red"),
}
#: What a record is called, the likeliest first.
_NAMES = (("first_name", "middle_name", "last_name"), ("name",), ("title",), ("company_name",))


def watched(outcomes: Iterable[Outcome], count: int) -> Iterator[Outcome]:
    """Yield *outcomes*, with a progress bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield from outcomes
    else:
        yield from track(
            outcomes,
            "converting",
            total=count,
            console=Console(file=sys.stderr),
            transient=True,
        )


def print_outcomes(leads: Sequence[Lead], outcomes: Sequence[Outcome]) -> None:
    """Print what came of each of *leads*, and how many were converted and refused."""
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("Lead", "Who", "Outcome", "Made / Why"):
        table.add_column(title, overflow="fold")
    for lead, outcome in zip(leads, outcomes, strict=True):
        what, colour = _OUTCOMES[type(outcome)]
        table.add_row(
            Text(_short(lead.id)),
            Text(_name(lead)),
            Text(what, colour),
            Text(_why(outcome)),
        )
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)
    counts = Counter(_OUTCOMES[type(outcome)][0] for outcome in outcomes)
    told = [f"{counts['converted']} converted", f"{counts['refused']} refused"]
    if counts["unchanged"]:
        told.append(f"{counts['unchanged']} unchanged, as an earlier run had converted them")
    console.print(Text(", ".join(told)))


def _why(outcome: Outcome) -> str:
    match outcome:
        case Rejected():
            return "\n".join(visible(str(problem)) for problem in outcome.error.problems)
        case Unstored():
            return visible(str(outcome.error))
        case _:
            made = outcome.result.outcomes
            return ", ".join(f"{one.ref.kind} {_name(one.record)}" for one in made)


def _name(record: Lead | Record) -> str:
    for attributes in _NAMES:
        words = [getattr(record, attribute, None) or "" for attribute in attributes]
        if name := " ".join(" ".join(words).split()):
            return _short(name)
    return ""


def _short(text: str) -> str:
    return visible(text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…")
