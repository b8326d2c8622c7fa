"""Leads out of a table: CSV with a header, read row by row by the columns of the rules.

A million rows take no more room than one. Whatever is wrong is told with its line and column and
without the value that stands there.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import BinaryIO, Final, NoReturn, cast

import attrs

from leadconvert.columns import ID, Column, Filled, filled_by
from leadconvert.fields import MisfitError
from leadconvert.problems import Cause, Problem, twice, unknown
from leadconvert.records import Lead
from leadconvert.rules import ConversionRules
from leadconvert.values import Address, is_empty


__all__ = [
    "DELIMITERS",
    "Row",
    "RowRefused",
    "Table",
    "TableError",
    "all_leads",
    "leads",
    "undecided",
]

#: What may stand between cells, if nobody says what does.
DELIMITERS: Final = (",", ";", "\t", "|")

#: How many characters a cell may have, which is what the csv module reads, and a row.
_LONGEST_CELL: Final = 131_072
_LONGEST_ROW: Final = 1_048_576
#: How many lines decide what stands between cells.
_SAMPLED: Final = 50
#: Where a byte that is no text was read.
_BYTE: Final = re.compile("[\udc80-\udcff]")
_ENCODINGS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TableError(ValueError):
    """A table cannot be read: every mistake at once, each with its line and column.

    Example:
        >>> from io import BytesIO
        >>> from leadconvert.tables import Table, TableError
        >>> try:
        ...     Table(BytesIO(b""))
        ... except TableError as error:
        ...     print(error)
        line 1: no table can be read: it is empty (correct the file, or say what separates cells)
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(map(str, self.problems))


@attrs.frozen
class Row:
    """One row of a table: the line it starts at, and its cells.

    Example:
        >>> from leadconvert.tables import Row
        >>> Row(2, ("L-7", "Ada")).cells[1]
        'Ada'
    """

    line: int
    cells: tuple[str, ...]


@attrs.frozen
class RowRefused:
    """A row that is no lead, and all that is wrong with it.

    Example:
        >>> from leadconvert.tables import RowRefused
        >>> RowRefused(7, ()).line
        7
    """

    line: int
    problems: tuple[Problem, ...]


class Table:
    r"""A table with a header: CSV in UTF-8, or in UTF-16 with a byte-order mark.

    What stands between cells is the *delimiter*, or else what the first lines show of `DELIMITERS`.
    `headers` stand in `line`. Its rows are those below that hold anything; they can be read once,
    as they come out of *stream*.

    Raises:
        leadconvert.tables.TableError: there is no header, its text cannot be read, or several
            delimiters are possible.

    Example:
        >>> from io import BytesIO
        >>> from leadconvert.tables import Table
        >>> table = Table(BytesIO("Vorname;Ort\nZoë;Köln\n".encode()))
        >>> table.headers, [row.cells for row in table]
        (('Vorname', 'Ort'), [('Zoë', 'Köln')])
    """

    def __init__(self, stream: BinaryIO, *, delimiter: str | None = None) -> None:
        self._lines = _Lines(stream)
        self.delimiter: str = delimiter or _delimiter(*self._lines.sample())
        self._rows = self._read()
        header = next(self._rows, None)
        if header is None:
            _no_table(1, "it is empty")
        self.line: int = header.line
        self.headers: tuple[str, ...] = tuple(cell.strip() for cell in header.cells)
        if any(_BYTE.search(one) for one in self.headers):
            _no_table(self.line, "it is not UTF-8")

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def _read(self) -> Iterator[Row]:
        reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        line = 1
        while True:
            try:
                cells = next(reader, None)
            except UnicodeDecodeError:
                _no_table(line, "it is neither UTF-8 nor UTF-16 with a byte-order mark")
            except csv.Error as error:
                _no_table(line, _why(str(error)))
            if cells is None:
                return
            if any(map(str.strip, cells)):
                yield Row(line, tuple(cells))
            line = reader.line_num + 1
            self._lines.next_row()


class _Lines:
    """The lines of a table as text; a row of too many of them is refused."""

    def __init__(self, stream: BinaryIO) -> None:
        bytes_ = BufferedReader(cast("RawIOBase", stream))
        head = bytes_.peek(4)[:4]
        encoding = next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8")
        if encoding == "utf-8" and b"\0" in head:
            _no_table(1, "it is neither UTF-8 nor UTF-16 with a byte-order mark")
        # what is no UTF-8 is told where it stands, UTF-16 has no such way
        errors = "strict" if encoding == "utf-16" else "surrogateescape"
        self._text = TextIOWrapper(bytes_, encoding, errors=errors, newline="")
        self._seen: deque[str] = deque()
        self._size = 0
        self._line = 0

    def sample(self) -> tuple[list[str], bool]:
        """Return the first lines, which will be read all the same, and whether there are more."""
        size = 0
        try:
            while len(self._seen) < _SAMPLED and size <= _LONGEST_ROW:
                line = self._readline()
                if not line:
                    return list(self._seen), False
                self._seen.append(line)
                size += len(line)
        except UnicodeDecodeError:
            _no_table(1, "it is neither UTF-8 nor UTF-16 with a byte-order mark")
        return list(self._seen), True

    def next_row(self) -> None:
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._seen.popleft() if self._seen else self._readline()
        self._line += 1
        self._size += len(line)
        if self._size > _LONGEST_ROW:
            _no_table(self._line, f"a row has more than {_LONGEST_ROW} characters")
        if not line:
            raise StopIteration
        return line

    def _readline(self) -> str:
        return self._text.readline(_LONGEST_ROW + 1)


def _no_table(line: int, why: str) -> NoReturn:
    raise TableError([_problem("no_table", f"line {line}", why=why)]) from None


def _why(error: str) -> str:
    if "limit" in error:
        return f"a cell has more than {_LONGEST_CELL} characters"
    if "end of data" in error:
        return "a quote is opened and not closed"
    return "a quote is closed in the middle of a cell"


def _problem(
    code: str, place: str, kind: str | None = None, field: str | None = None, **params: object
) -> Problem:
    return Problem(
        cause=Cause.INVALID, code=code, place=place, kind=kind, field=field, params=params
    )


def _delimiter(sample: Sequence[str], goes_on: bool) -> str:
    """Return what separates the cells of the first lines, or refuse to guess."""
    shapes = {one: _widths(sample, one, goes_on) for one in DELIMITERS}
    found = [one for one, widths in shapes.items() if widths[:1] > [1]]
    if len(found) > 1:
        found = [one for one in found if len(set(shapes[one])) == 1]
        if len(found) != 1:
            _no_table(1, "it could be separated in several ways")
    return found[0] if found else DELIMITERS[0]


def _widths(sample: Sequence[str], delimiter: str, goes_on: bool) -> list[int]:
    """Return how many cells the rows of *sample* have, but for a last one that may go on."""
    rows: list[int] = []
    reader = csv.reader(sample, delimiter=delimiter, strict=True)
    try:
        rows.extend(len(cells) for cells in reader if any(map(str.strip, cells)))
    except csv.Error:  # told when the rows are read
        return rows
    return rows[:-1] if goes_on else rows


@attrs.frozen
class _Source:
    """Where the value of a field comes from: a column, and the cell of a row it reads."""

    column: Column
    index: int | None
    filled: Filled


def undecided(headers: Iterable[str], columns: Iterable[Column]) -> tuple[str, ...]:
    """Return the headers that no column names, neither to read it nor to leave it unread.

    Example:
        >>> from leadconvert import Column
        >>> from leadconvert.tables import undecided
        >>> undecided(["No", "Note"], [Column("No", "id")])
        ('Note',)
    """
    named = {column.header for column in columns}
    return tuple(header for header in headers if header and header not in named)


def leads(table: Table, *, rules: ConversionRules) -> Iterator[Lead | RowRefused]:
    r"""Read the rows of a table one by one, by the columns of the rules.

    A lead without a stage stands in the first one. A refused row stops nothing.

    Raises:
        leadconvert.tables.TableError: the rules have no columns, or the table lacks one of them or
            has it twice (all mistakes at once); later, the text itself cannot be read any further.

    Example:
        >>> from io import BytesIO
        >>> import attrs
        >>> from leadconvert import Column, presets
        >>> from leadconvert.tables import Table, leads
        >>> columns = [Column("No", "id"), Column("Mail", "emails"), Column("Worth", "amount")]
        >>> rules = attrs.evolve(presets.bitrix24(), columns=columns)
        >>> table = Table(BytesIO(b"No,Mail,Worth\nL-7,ada@example.com,much\n"))
        >>> [refused] = leads(table, rules=rules)
        >>> print(refused.problems[0].place)
        line 2, column Worth
    """
    sources = _sources(table, rules)
    reader = _Reader(rules, table.headers, sources)
    return (reader.read(number, row) for number, row in enumerate(table, start=1))


def all_leads(table: Table, *, rules: ConversionRules) -> tuple[Lead, ...]:
    r"""Read a whole table, or refuse it with every mistake of every row.

    Raises:
        leadconvert.tables.TableError: any row is refused, or the table cannot be read.

    Example:
        >>> from io import BytesIO
        >>> import attrs
        >>> from leadconvert import Column, presets
        >>> from leadconvert.tables import Table, all_leads
        >>> columns = [Column("No", "id"), Column("Mail", "emails", use="work")]
        >>> rules = attrs.evolve(presets.bitrix24(), columns=columns)
        >>> [ada] = all_leads(Table(BytesIO(b"No,Mail\nL-7,ada@example.com\n")), rules=rules)
        >>> ada.stage, ada.emails[0].use
        ('NEW', 'work')
    """
    found: list[Lead] = []
    problems: list[Problem] = []
    try:
        for one in leads(table, rules=rules):
            if isinstance(one, RowRefused):
                problems += one.problems
            else:
                found.append(one)
    except TableError as error:
        problems += error.problems
    if problems:
        raise TableError(problems)
    return tuple(found)


def _sources(table: Table, rules: ConversionRules) -> tuple[_Source, ...]:
    headers, place = table.headers, f"line {table.line}"
    if not rules.columns:
        raise TableError([_problem("no_columns", place)])
    known = [header for header in headers if header]
    named = dict.fromkeys(column.header for column in rules.columns if column.header is not None)
    problems = [unknown("column", name, known, place) for name in named if name not in known]
    read = {column.header for column in rules.columns if column.field is not None}
    problems += twice("column", [header for header in known if header in read], place)
    if problems:
        raise TableError(problems)
    return tuple(
        _Source(column, None if column.header is None else headers.index(column.header), filled)
        for column in rules.columns
        if column.field is not None and (filled := filled_by(column.field, rules.lead)) is not None
    )


@attrs.frozen
class _Reader:
    """Reads one row after the other by the same columns."""

    rules: ConversionRules
    headers: tuple[str, ...]
    sources: tuple[_Source, ...]

    def read(self, number: int, row: Row) -> Lead | RowRefused:
        # where cells are missing or too many, nobody knows which is which
        problems = list(self._flaws(row))
        values: dict[str, object] = {}
        for source in () if problems else self.sources:
            try:
                found = _found(source, number, row)
            except MisfitError as misfit:
                problems.append(self._misfit(source, row, misfit))
            else:
                _put(source.filled, found, values)
        if not problems and is_empty(values.get(ID)):
            problems.append(_problem("no_id", f"line {row.line}"))
        if not problems:
            try:
                return self._lead(values)
            except Exception as error:  # noqa: BLE001 - a lead's fields may be refined to anything
                facts = {"kind": self.rules.lead.id, "error": type(error).__name__}
                problems.append(_problem("constructor_failed", f"line {row.line}", **facts))
        return RowRefused(row.line, tuple(problems))

    def _flaws(self, row: Row) -> Iterator[Problem]:
        place, expected = f"line {row.line}", len(self.headers)
        if len(row.cells) < expected:
            yield _problem("short_row", place, count=len(row.cells), expected=expected)
        for index, cell in enumerate(row.cells):
            if cell.strip() and (index >= expected or not self.headers[index]):
                yield _problem("no_header", f"{place}, column {index + 1}")

    def _misfit(self, source: _Source, row: Row, misfit: MisfitError) -> Problem:
        header = source.column.header
        place = f"line {row.line}" if header is None else f"line {row.line}, column {header}"
        name = source.filled.id
        if source.filled.part is not None:
            name = f"{name}.{source.filled.part}"
        return _problem(misfit.code, place, self.rules.lead.id, name, **misfit.params)

    def _lead(self, values: Mapping[str, object]) -> Lead:
        kind, filled = self.rules.lead, dict(values)
        id_ = str(filled.pop(ID))
        for name, value in values.items():
            if isinstance(value, dict):
                filled[name] = kind.members[name].accept(Address(**value))
        filled.setdefault(str(kind.stage), self.rules.lead_pipeline.first.id)
        return cast("Lead", kind.build(id_, filled))


def _found(source: _Source, number: int, row: Row) -> tuple[object, ...]:
    if source.index is not None:
        text = row.cells[source.index]
    else:
        text = str(number) if source.column.counts else ""
    if _BYTE.search(text):
        raise MisfitError("not_text", {})
    return source.column.read(text, source.filled.cell)


def _put(filled: Filled, found: tuple[object, ...], values: dict[str, object]) -> None:
    """Put what was found beside what other columns gave for the same field."""
    there = values.get(filled.id)
    if filled.part is not None and found:
        values[filled.id] = {**(there if isinstance(there, dict) else {}), filled.part: found[0]}
    elif filled.cell.multiple:
        values[filled.id] = (*(there if isinstance(there, tuple) else ()), *found)
    elif found:
        values[filled.id] = found[0]
