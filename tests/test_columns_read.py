"""Tables: what is read as a table, as a row and as a lead, and what is refused with its place."""

import codecs
import copy
import csv
import io
import pickle
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadconvert import Address, Channel, Column, ConversionRules, Field, Lead, presets
from leadconvert.tables import Row, RowRefused, Table, TableError, all_leads, leads, undecided


BITRIX24 = presets.bitrix24()
NUMBER = Column("No", "id")
NAME = Column("Name", "last_name")


def table(content: str | bytes, delimiter: str | None = None) -> Table:
    """Return the table of a file's content."""
    raw = content if isinstance(content, bytes) else content.encode()
    return Table(io.BytesIO(raw), delimiter=delimiter)


def read(content: str | bytes, *columns: Column, custom: tuple[Field, ...] = ()) -> list[Lead]:
    """Return the leads of a file."""
    return list(all_leads(table(content), rules=with_columns(*columns, custom=custom)))


def with_columns(*columns: Column, custom: tuple[Field, ...] = ()) -> ConversionRules:
    """Return rules that read such columns."""
    lead = attrs.evolve(BITRIX24.lead, custom=[*BITRIX24.lead.custom, *custom])
    return attrs.evolve(BITRIX24, lead=lead, columns=columns)


def refusal(content: str | bytes, *columns: Column) -> list[str]:
    """Return what is wrong with a file, without the remedies."""
    with pytest.raises(TableError) as refused:
        read(content, *columns)
    return [f"{one.place}: {one.message}" for one in refused.value.problems]


def cells(content: str | bytes, delimiter: str | None = None) -> list[tuple[str, ...]]:
    """Return the header and the rows of a file."""
    found = table(content, delimiter)
    return [found.headers, *(row.cells for row in found)]


class Endless(io.RawIOBase):
    """A file without an end."""

    def __init__(self, first: bytes, again: bytes) -> None:
        self.left, self.again, self.given = first, again, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Give what is asked for."""
        assert isinstance(buffer, memoryview)
        while len(self.left) < len(buffer):
            self.left += self.again * (len(buffer) // len(self.again) + 1)
        buffer[:], self.left = self.left[: len(buffer)], self.left[len(buffer) :]
        self.given += len(buffer)
        return len(buffer)


class TestTable:
    @pytest.mark.parametrize(
        "content",
        [
            "No,Name\nL-7,Zoë\n",
            "\ufeffNo,Name\r\nL-7,Zoë\r\n",
            "No;Name\rL-7;Zoë",
            "No\tName\nL-7\tZoë",
            "No|Name\nL-7|Zoë",
            "\n;;\nNo;Name\n\n ; \nL-7;Zoë\n\n",
            " \n\nNo;Name\nL-7;Zoë",
            '"No" ;"Name"\n"L-7";"Zoë"\n'.replace('" ;', '";'),
            " No , Name \nL-7,Zoë\n",
            codecs.BOM_UTF16_LE + "No,Name\nL-7,Zoë\n".encode("utf-16-le"),
            codecs.BOM_UTF16_BE + "No,Name\nL-7,Zoë\n".encode("utf-16-be"),
        ],
        ids=[
            "plain",
            "mark, CR LF",
            "CR alone",
            "tabs",
            "bars",
            "blank rows",
            "a blank first line",
            "quotes",
            "spaces in the header",
            "UTF-16 LE",
            "UTF-16 BE",
        ],
    )
    def test_one_table(self, content: str | bytes) -> None:
        """The same table, however it is written."""
        assert [("No", "Name"), ("L-7", "Zoë")] == cells(content)

    def test_the_lines_of_rows(self) -> None:
        """A row is told by the line it starts at, though cells hold line breaks."""
        found = table('No,Note\n\nL-1,"a\nb\n\nc"\nL-2,"""x"""\n')
        assert [Row(3, ("L-1", "a\nb\n\nc")), Row(7, ("L-2", '"x"'))] == list(found)

    @pytest.mark.parametrize(
        ("content", "delimiter"),
        [
            ("A,B,C\n1,2;3,4\n", ","),
            ("A;B;C\n1,5;2,5;3,5\n", ";"),
            ("Name;Worth, net;Day\nx;1;2\n", ";"),
            ("A\n1,5\n", ","),
            ('"A,x";B\n1;"2,3"\n', ";"),
            ("A;B|C\n1;2|3\n4;5\n", ";"),
        ],
    )
    def test_what_separates_cells(self, content: str, delimiter: str) -> None:
        """What separates all of the first rows alike separates them all."""
        assert delimiter == table(content).delimiter

    def test_what_separates_cells_is_said(self) -> None:
        """Whoever says what separates cells is believed."""
        assert [("a;b", "c"), ("d;e", "f")] == cells("a;b,c\nd;e,f\n", ",")
        assert [("a", "b"), ("c", "d")] == cells("a:b\nc:d\n", ":")

    def test_a_row_that_goes_on(self) -> None:
        """A long cell at the end of the sample does not disturb what it shows."""
        many = "a;b,c\n" + "1;2,3\n4;5\n" * 24 + '6;"7\n8";9\n'
        assert ";" == table(many).delimiter

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "it is empty"),
            (b"\xef\xbb\xbf\n \n\n", "it is empty"),
            (
                b"a;b,c\n1;2,3\n",
                "it could be separated in several ways",
            ),
            (
                b"a;b,c\n1;2\n1,3\n",
                "it could be separated in several ways",
            ),
            (b"Gr\xf6\xdfe,b\n", "it is not UTF-8"),
            (
                "a,b".encode("utf-16-le"),
                "it is neither UTF-8 nor UTF-16 with a byte-order mark",
            ),
            (
                codecs.BOM_UTF16_LE + b"\x00\xd8a\x00",
                "it is neither UTF-8 nor UTF-16 with a byte-order mark",
            ),
            (b'a,"b\n', "a quote is opened and not closed"),
            (
                b'a,"b"c\n',
                "a quote is closed in the middle of a cell",
            ),
        ],
    )
    def test_no_table(self, content: bytes, why: str) -> None:
        """What is no table is refused before any row is read."""
        with pytest.raises(TableError) as refused:
            table(content)
        [problem] = refused.value.problems
        assert f"line 1: no table can be read: {why}" == f"{problem.place}: {problem.message}"

    def test_no_text_later(self) -> None:
        """UTF-16 that breaks off in the middle is told when that is reached."""
        good = "No,Name\n" + "L-7,x\n" * 20_000
        content = codecs.BOM_UTF16_LE + good.encode("utf-16-le") + b"\x00\xd8a\x00"
        with pytest.raises(TableError, match="neither UTF-8 nor UTF-16"):
            list(table(content))

    @pytest.mark.parametrize(
        ("first", "again", "why"),
        [
            (b"No,Name\nL-7,", b"x", "a row has more than 1048576 characters"),
            (b"No,Name\n", b"L-7,", "a row has more than 1048576 characters"),
            (b'No,Name\nL-7,"', b"x\n", "a cell has more than 131072 characters"),
            (b"No,Name\nL-7", b',"\n"', "a row has more than 1048576 characters"),
            (b"", b"x", "a row has more than 1048576 characters"),
        ],
    )
    def test_no_end(self, first: bytes, again: bytes, why: str) -> None:
        """A cell or a row without an end is refused long before memory is."""
        endless = Endless(first, again)
        with pytest.raises(TableError, match=why):
            list(Table(io.BufferedReader(endless)))
        assert 10_000_000 > endless.given

    def test_a_stream(self) -> None:
        """Rows are read as they are asked for, out of a file that has no end."""
        endless = Table(io.BufferedReader(Endless(b"No,Name\n", b"L-7,Ada\n")))
        assert [("L-7", "Ada")] * 3 == [
            row.cells for _, row in zip(range(3), endless, strict=False)
        ]

    @given(
        st.lists(
            st.lists(st.text(st.characters(codec="utf-8"), max_size=9), min_size=3, max_size=3),
            max_size=5,
        )
    )
    def test_whatever_is_written_is_read(self, rows: list[list[str]]) -> None:
        """Any text that the csv module writes is read back as it was."""
        out = io.StringIO(newline="")
        csv.writer(out).writerows([["a", "b", "c"], *rows])
        filled = [tuple(row) for row in rows if any(map(str.strip, row))]
        assert [("a", "b", "c"), *filled] == cells(out.getvalue(), ",")

    @given(st.binary(max_size=60) | st.text('ab,;|\t"\n\r \ufeff', max_size=60).map(str.encode))
    def test_whatever_is_read(self, content: bytes) -> None:
        """Any bytes are a table, or refused as none; its rows are leads, or refused."""
        with suppress(TableError):
            found = table(content)
            by = with_columns(Column(found.headers[0] or "a", "id"))
            assert all(isinstance(one, Lead) or one.problems for one in leads(found, rules=by))


class TestLeads:
    def test_a_whole_lead(self) -> None:
        """Every sort of column at once."""
        content = (
            "No;Vorname;Nachname;E-Mail;Privat;Mobil;Ort;PLZ;Geboren;Angelegt;Wert;Heiß;Tags;Größe\n"
            'L-7;Ada;Lovelace;ada@example.com;"a@b.c, d@e.f";+44 20;London;W1;10.12.1815;'
            "31.01.2027 09:30;1.234,50;ja;x|y;7\n"
        )
        heat, size = Field("UF_HOT", "boolean"), Field("UF_SIZE", "integer")
        [lead] = read(
            content,
            NUMBER,
            Column("Vorname", "first_name"),
            Column("Nachname", "last_name"),
            Column("E-Mail", "emails", use="work"),
            Column("Privat", "emails", use="home", separator=","),
            Column("Mobil", "phones", use="mobile"),
            Column("Ort", "address.city"),
            Column("PLZ", "address.postal_code"),
            Column("Geboren", "birth_date", format="%d.%m.%Y"),
            Column("Angelegt", "created_at", format="%d.%m.%Y %H:%M", zone="Europe/Berlin"),
            Column("Wert", "amount", decimal=",", thousands="."),
            Column(None, "currency", default="EUR"),
            Column("Heiß", "UF_HOT", values={"ja": "true"}, default="false"),
            Column("Tags", "tags", separator="|"),
            Column("Größe", "UF_SIZE"),
            custom=(heat, size),
        )
        assert lead == Lead(
            id="L-7",
            stage="NEW",
            first_name="Ada",
            last_name="Lovelace",
            emails=[
                Channel("ada@example.com", "work"),
                Channel("a@b.c", "home"),
                Channel("d@e.f", "home"),
            ],
            phones=[Channel("+44 20", "mobile")],
            address=Address(city="London", postal_code="W1"),
            birth_date=date(1815, 12, 10),
            created_at=datetime(2027, 1, 31, 8, 30, tzinfo=UTC),
            amount=Decimal("1234.50"),
            currency="EUR",
            tags=["x", "y"],
            custom={"UF_HOT": True, "UF_SIZE": 7},
        )

    def test_what_is_empty(self) -> None:
        """Blank cells fill nothing: no empty address, no empty channel."""
        columns = [Column("Ort", "address.city"), Column("Mail", "emails"), NAME]
        assert [Lead(id="L-7", stage="NEW")] == read(
            "No,Ort,Mail,Name\nL-7, ,,\n", NUMBER, *columns
        )

    def test_the_stage(self) -> None:
        """A lead without a stage stands in the first; otherwise in the one that is said."""
        stage = Column("Status", "stage", values={"alt": "PROCESSED"})
        found = read("No,Status\n1,alt\n2,\n3,JUNK\n", NUMBER, stage)
        assert ["PROCESSED", "NEW", "JUNK"] == [lead.stage for lead in found]
        other = attrs.evolve(stage, default="alt")
        found = read("No,Status\n1,\n", NUMBER, other)
        assert ["PROCESSED"] == [lead.stage for lead in found]

    def test_ids(self) -> None:
        """Ids are as they stand, behind a prefix, or the numbers of the rows that hold anything."""
        content = "No,Name\n7,Ada\n\n8,Bob\n"
        assert ["7", "8"] == [lead.id for lead in read(content, NUMBER)]
        prefixed = Column("No", "id", prefix="OLD-")
        assert ["OLD-7", "OLD-8"] == [lead.id for lead in read(content, prefixed)]
        numbered = Column.numbered("FAIR-")
        assert ["FAIR-1", "FAIR-2"] == [lead.id for lead in read(content, numbered)]

    def test_an_address_of_several(self) -> None:
        """The parts of a field that holds several addresses make one of them."""
        sites = Field("UF_SITES", "address", multiple=True)
        content = "No,A,B\n1,Bonn,\n2,,\n"
        columns = [Column("A", "UF_SITES.city"), Column("B", "UF_SITES.region")]
        one, two = read(content, NUMBER, *columns, custom=(sites,))
        assert {"UF_SITES": (Address(city="Bonn"),)} == one.custom
        assert {} == two.custom

    def test_one_header_for_two_fields(self) -> None:
        """What stands in one column may fill two fields."""
        [lead] = read("No,Name\n1,Looms\n", NUMBER, NAME, Column("Name", "title"))
        assert ("Looms", "Looms") == (lead.title, lead.last_name)

    def test_every_mistake_at_once(self) -> None:
        """Each mistake of each row is told with its line and column, and never with the value."""
        content = (
            "No,Day,Worth,,Mail\n"
            "1,soon,much,,\n"
            ",2027-01-31,5,,\n"
            "2,2027-01-31\n"
            "3,,,secret,,secret\n"
            '4,"\n",5,,\n'
        )
        columns = [NUMBER, Column("Day", "birth_date"), Column("Worth", "amount")]
        told = refusal(content, *columns)
        assert told == [
            (
                "line 2, column Day: lead.birth_date takes a date such as 2027-01-31,"
                " not what stands there"
            ),
            (
                "line 2, column Worth: lead.amount takes a number such as 1234.50,"
                " not what stands there"
            ),
            "line 3: the row has no id",
            "line 4: the row has 2 of 5 cells",
            "line 5, column 4: a value stands in a column without a header",
            "line 5, column 6: a value stands in a column without a header",
        ]

    def test_mistakes_before_the_end(self) -> None:
        """Where a table cannot be read to its end, the mistakes before it are told as well."""
        told = refusal('No,Day\n1,soon\n2,"\n', NUMBER, Column("Day", "birth_date"))
        assert ["line 2, column Day", "line 3"] == [one.split(":")[0] for one in told]

    def test_bytes_that_are_no_text(self) -> None:
        """A byte that is no UTF-8 is told with its cell, in what is read alone."""
        content = b"No,Name,Note,City\nL-7,Z\xf6e,Z\xf6e,K\xf6ln\n"
        with pytest.raises(TableError) as refused:
            read(content, NUMBER, NAME, Column("City", "address.city"))
        assert [
            ("line 2, column Name", "not_text", "last_name"),
            ("line 2, column City", "not_text", "address.city"),
        ] == [(one.place, one.code, one.field) for one in refused.value.problems]

    def test_the_header(self) -> None:
        """Columns that are not there, or there twice, are all told before any row is read."""
        columns = [NUMBER, Column("Mail", "emails"), Column("Mial", "title"), NAME]
        told = refusal("\n\nNo,Mail,Name,Name,Note,Note\n", *columns)
        assert told == [
            "line 3: there is no column 'Mial', did you mean 'Mail'?",
            "line 3: column 'Name' stands twice",
        ]

    def test_rules_without_columns(self) -> None:
        """Rules that say nothing of columns read no table."""
        assert ["line 1: the rules say nothing of columns"] == refusal("No\n1\n")

    def test_a_lead_that_refuses(self) -> None:
        """A lead that refuses its values, since its fields were refined, is told without them."""
        odd = attrs.evolve(BITRIX24.lead, fields=[*BITRIX24.lead.fields, Field("title", "integer")])
        read_by = attrs.evolve(BITRIX24, lead=odd, columns=[NUMBER, Column("T", "title")])
        [refused] = leads(table("No,T\n1,5\n"), rules=read_by)
        assert isinstance(refused, RowRefused)
        assert ["constructor_failed"] == [one.code for one in refused.problems]

    def test_a_refused_row_stops_nothing(self) -> None:
        """Rows are leads or refused one by one, in their order."""
        content = "No,Day\n1,x\n2,2027-01-31\n"
        found = leads(table(content), rules=with_columns(NUMBER, Column("Day", "birth_date")))
        assert isinstance(found, Iterator)
        assert [RowRefused, Lead] == [type(one) for one in found]

    def test_a_million_rows_are_not_kept(self) -> None:
        """Leads come out of a file without an end."""
        endless = Table(io.BufferedReader(Endless(b"No,Name\n", b"L-7,Ada\n")))
        found = leads(endless, rules=with_columns(NUMBER, NAME))
        assert ["Ada", "Ada"] == [
            one.last_name for _, one in zip(range(2), found, strict=False) if isinstance(one, Lead)
        ]


class TestUndecided:
    def test_headers_nobody_decided_on(self) -> None:
        """What is neither read nor left unread is listed; a column without a header is not."""
        columns = [NUMBER, Column.leave("Note")]
        assert ("Name", "Day") == undecided(["No", "Name", "", "Note", "Day"], columns)


class TestTableError:
    def test_it_travels(self) -> None:
        """The error survives pickle and copy with its problems."""
        with pytest.raises(TableError) as refused:
            table("")
        for twin in (pickle.loads(pickle.dumps(refused.value)), copy.copy(refused.value)):  # noqa: S301
            assert refused.value.problems == twin.problems
            assert str(refused.value) == str(twin)
