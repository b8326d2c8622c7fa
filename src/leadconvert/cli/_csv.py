"""Reads leads out of a CSV file, by the columns of the rules."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from leadconvert import ConversionRules, Lead, Losses
from leadconvert.cli._text import UnusableError, complain, listed
from leadconvert.tables import Table, TableError, all_leads, undecided


__all__ = ["CSV", "opened", "read_csv"]

CSV: Final = "csv"
#: What is written where a tab is meant.
_TABS: Final = {"\\t", "tab"}


def read_csv(file: str, rules: ConversionRules, delimiter: str | None) -> tuple[Lead, ...]:
    """Return the leads of *file*, and say which of its columns nobody has decided on.

    Raises:
        UnusableError: the file cannot be read, or holds rows that are no leads: every mistake; or
            there are such columns, and the rules lose nothing.
    """
    with opened(file, delimiter) as table:
        strange = undecided(table.headers, rules.columns)
        place = f"{file}: line {table.line}"
        told = f"{place}: not read, since no column of the rules names it: {listed(strange)}"
        if strange and rules.columns and rules.losses is Losses.STRICT:
            raise UnusableError(told)
        leads = all_leads(table, rules=rules)
        if strange and rules.losses is Losses.REPORT:
            complain([told])
    return leads


@contextmanager
def opened(file: str, delimiter: str | None) -> Iterator[Table]:
    """Open *file* as a table, and tell whatever is wrong with it.

    Raises:
        UnusableError: it cannot be read, or is no table.
    """
    separator = "\t" if delimiter in _TABS else delimiter
    if separator is not None and (len(separator) != 1 or separator in '\r\n"\0 '):
        raise UnusableError("--delimiter: one character, such as ';', or tab")
    try:
        with Path(file).open("rb") as stream:
            yield Table(stream, delimiter=separator)
    except TableError as error:
        raise UnusableError(*(f"{file}: {problem}" for problem in error.problems)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnusableError(f"{file}: cannot be read ({reason})") from None
