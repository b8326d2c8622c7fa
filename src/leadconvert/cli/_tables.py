"""Rows for people: aligned, plain, and the same wherever they are shown."""

from collections.abc import Iterable, Sequence

from leadconvert.cli._text import visible


__all__ = ["shown"]


def shown(titles: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Return *rows* under their *titles*, as lines; None is a dash.

    Example:
        >>> from leadconvert.cli._tables import shown
        >>> print(shown(("Lead", "Who"), [("L-7", "Ada"), ("L-1000", None)]), end="")
        Lead    Who
        L-7     Ada
        L-1000  -
    """
    cells = [tuple(titles), *(tuple(visible(cell or "-") for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
