"""What the columns of a table probably are: by their headers, by their cells, or not at all."""

import io

import attrs
import pytest

from leadconvert import Column, ConversionRules, Field, Option, presets
from leadconvert.proposing import Proposal, propose
from leadconvert.tables import Table, all_leads


BITRIX24 = presets.bitrix24()
RULES = attrs.evolve(
    BITRIX24,
    lead=attrs.evolve(
        BITRIX24.lead,
        custom=[
            *BITRIX24.lead.custom,
            Field("UF_SIZE", "integer", label="Company size"),
            Field(
                "UF_HEAT",
                "enumeration",
                options=[Option("hot", "Heiß"), Option("cold", "Kalt")],
                label="Interest",
            ),
            Field("UF_NEWS", "boolean", label="Newsletter"),
            Field("UF_SITE", "address", label="Site"),
            Field("UF_ORT", "text", label="Place of work"),
            Field("UF_CODE", "text", label="Code", max_length=2),
        ],
    ),
)


def proposed(
    header: str, *values: str, others: str = "", rules: ConversionRules = RULES
) -> Proposal:
    """Return what is proposed for one column with such values."""
    lines = [f'"{header}"{others}', *(f'"{value}"{"|" * others.count("|")}' for value in values)]
    content = "\n".join(lines).encode()
    table = Table(io.BytesIO(content), delimiter="|")
    return next(one for one in propose(table, rules=rules, prefix="P-") if one.header == header)


def sure(header: str, *values: str) -> Column:
    """Return the one way a column is surely read."""
    one = proposed(header, *values)
    assert one.sure, one.why
    [column] = one.columns
    return column


class TestHeaders:
    @pytest.mark.parametrize(
        ("header", "field"),
        [
            ("first_name", "first_name"),
            ("First name", "first_name"),
            ("VORNAME", "first_name"),
            ("Nachname", "last_name"),
            ("Firma", "company_name"),
            ("Unternehmen", "company_name"),
            ("Company", "company_name"),
            ("E-Mail", "emails"),
            ("e_mail-Adresse", "emails"),
            ("Telefon", "phones"),
            ("Tel.", "phones"),
            ("Ort", "address.city"),
            ("PLZ", "address.postal_code"),
            ("Straße", "address.street"),
            ("STRASSE", "address.street"),
            ("Land", "address.country"),
            ("Länder-Code", "address.country_code"),
            ("address.city", "address.city"),
            ("Währung", "currency"),
            ("Wa\u0308hrung", "currency"),
            ("company_id", "company_id"),
            ("Company size", "UF_SIZE"),
            ("uf_size", "UF_SIZE"),
            ("Site city", "UF_SITE.city"),
            ("UF_SITE.city", "UF_SITE.city"),
            ("utm_source", "utm_source"),
            ("Schlagwörter", "tags"),
        ],
    )
    def test_a_name_that_says_it(self, header: str, field: str) -> None:
        """A field is known by its id, its label, or what people call it in two languages."""
        assert field == sure(header).field

    @pytest.mark.parametrize(
        ("header", "field", "use"),
        [
            ("E-Mail geschäftlich", "emails", "work"),
            ("Work e-mail", "emails", "work"),
            ("E-Mail (privat)", "emails", "home"),
            ("Telefon 2", "phones", None),
            ("Telefon mobil", "phones", "mobile"),
            ("Work mobile phone", "phones", None),
            ("Mobil", "phones", "mobile"),
            ("Handynummer", "phones", "mobile"),
            ("Fax", "phones", "fax"),
            ("Fax privat", "phones", None),
            ("Work website", "websites", "work"),
        ],
    )
    def test_what_a_channel_is_used_for(self, header: str, field: str, use: str | None) -> None:
        """The words beside the name of a channel say its use."""
        found = proposed(header)
        if header == "Fax privat":
            assert "no field is called so" == found.why
        else:
            assert (field, use) == (found.columns[0].field, found.columns[0].use)
            assert found.sure

    @pytest.mark.parametrize(
        ("header", "fields"),
        [
            ("Name", ["title", "last_name", "company_name"]),
            ("Title", ["title", "job_title"]),
        ],
    )
    def test_a_name_of_several(self, header: str, fields: list[str]) -> None:
        """What could be several fields is left to a person."""
        found = proposed(header, "x")
        assert "it could fill several fields" == found.why
        assert fields == [column.field for column in found.columns]

    def test_a_label_beside_a_common_name(self) -> None:
        """A custom field called like a standard one makes its name ambiguous."""
        called = Field("UF_TOWN", "text", label="Ort")
        lead = attrs.evolve(RULES.lead, custom=[*RULES.lead.custom, called])
        found = proposed("Ort", "Köln", rules=attrs.evolve(RULES, lead=lead))
        assert {"address.city", "UF_TOWN"} == {column.field for column in found.columns}
        assert not found.sure

    @pytest.mark.parametrize(
        ("values", "fields"),
        [
            (["ada@example.com", "b@c.de"], ["emails"]),
            (["https://example.com"], ["websites"]),
            (["x"], []),
            ([], []),
        ],
    )
    def test_an_unknown_name(self, values: list[str], fields: list[str]) -> None:
        """A header nobody knows is nothing; what its cells look like makes candidates."""
        found = proposed("Betreffende", *values)
        assert "no field is called so" == found.why
        assert fields == [column.field for column in found.columns]

    def test_numbers(self) -> None:
        """A column of numbers may be the id, or counts the rows of each file from 1."""
        found = proposed("Nr.", "1", "2")
        assert "no field is called so" == found.why
        assert (Column("Nr.", "id"),) == found.columns

    def test_two_of_one(self) -> None:
        """Two columns for one value are left to a person, several channels are not."""
        found = propose(
            Table(io.BytesIO(b"Vorname;First name;Mail;E-Mail;Note;Note\n")),
            rules=RULES,
            prefix="P-",
        )
        assert [
            ("Vorname", "so could First name; keep one"),
            ("First name", "so could Vorname; keep one"),
            ("Mail", ""),
            ("E-Mail", ""),
            ("Note", "the header stands twice in the file, rename one"),
            ("Note", "the header stands twice in the file, rename one"),
            (None, ""),
        ] == [(one.header, one.why) for one in found]


class TestCells:
    @pytest.mark.parametrize(
        ("header", "values", "expected"),
        [
            ("Geburtsdatum", [], Column("Geburtsdatum", "birth_date")),
            ("Geburtsdatum", ["1815-12-10"], Column("Geburtsdatum", "birth_date")),
            (
                "Geburtsdatum",
                ["10.12.1815", "1.2.1999"],
                Column("Geburtsdatum", "birth_date", format="%d.%m.%Y"),
            ),
            (
                "Birthday",
                ["01/02/2000", "01/31/2000"],
                Column("Birthday", "birth_date", format="%m/%d/%Y"),
            ),
            ("Wert", ["1234.5", "7"], Column("Wert", "amount")),
            ("Wert", ["1234,5"], Column("Wert", "amount", decimal=",")),
            (
                "Wert",
                ["1.234,50", "5"],
                Column("Wert", "amount", decimal=",", thousands="."),
            ),
            ("Wert", ["1,234.50"], Column("Wert", "amount", thousands=",")),
            ("Wert", ["1'234.50"], Column("Wert", "amount", thousands="'")),
            ("Wert", ["1 234,50"], Column("Wert", "amount", decimal=",", thousands=" ")),
            (
                "Company size",
                ["1.200"],
                Column("Company size", "UF_SIZE", decimal=",", thousands="."),
            ),
            ("Newsletter", ["true", "false"], Column("Newsletter", "UF_NEWS")),
            (
                "Newsletter",
                ["Ja", "Nein"],
                Column("Newsletter", "UF_NEWS", values={"Ja": "true", "Nein": "false"}),
            ),
            (
                "Newsletter",
                ["YES"],
                Column("Newsletter", "UF_NEWS", values={"YES": "true", "NO": "false"}),
            ),
            (
                "Newsletter",
                ["0"],
                Column("Newsletter", "UF_NEWS", values={"1": "true", "0": "false"}),
            ),
            (
                "Newsletter",
                ["x", ""],
                Column("Newsletter", "UF_NEWS", values={"x": "true"}, default="false"),
            ),
            ("Interest", ["hot", "cold"], Column("Interest", "UF_HEAT")),
            ("Status", ["NEW", "IN_PROCESS"], Column("Status", "stage")),
            ("owner_id", ["7"], Column("owner_id", "owner_id")),
            ("Erstellt", ["2027-01-31T12:00:00Z"], Column("Erstellt", "created_at")),
            ("Mail", ["a@b.de; c@d.de"], Column("Mail", "emails", separator=";")),
            ("Tags", ["a,b", "c"], Column("Tags", "tags", separator=",")),
            ("Website", ["www.a.de/x,y"], Column("Website", "websites")),
        ],
    )
    def test_cells_that_say_it(self, header: str, values: list[str], expected: Column) -> None:
        """The first rows show how dates, numbers, answers and lists are written."""
        assert expected == sure(header, *values)

    @pytest.mark.parametrize(
        ("header", "values", "why", "candidates"),
        [
            (
                "Birthday",
                ["03/03/2001"],
                "its values can be read in several ways",
                [
                    Column("Birthday", "birth_date", format="%d/%m/%Y"),
                    Column("Birthday", "birth_date", format="%m/%d/%Y"),
                ],
            ),
            (
                "Wert",
                ["1.234"],
                "its values can be read in several ways",
                [
                    Column("Wert", "amount"),
                    Column("Wert", "amount", decimal=",", thousands="."),
                ],
            ),
            (
                "Wert",
                ["5 EUR"],
                "its values are written in an unknown way",
                [Column("Wert", "amount")],
            ),
            (
                "Code",
                ["long"],
                "its values are written in an unknown way",
                [Column("Code", "UF_CODE")],
            ),
            (
                "Erstellt",
                ["31.01.2027 09:30"],
                "say the time zone of its moments",
                [Column("Erstellt", "created_at", format="%d.%m.%Y %H:%M", zone="UTC")],
            ),
            (
                "Erstellt",
                ["2027-01-31 09:30"],
                "say the time zone of its moments",
                [Column("Erstellt", "created_at", zone="UTC")],
            ),
            (
                "Interest",
                ["Heiß", "warm", "hot"],
                "say the id that each value means: hot, cold",
                [
                    Column(
                        "Interest",
                        "UF_HEAT",
                        values={"Heiß": "hot", "warm": "warm", "hot": "hot"},
                    )
                ],
            ),
            (
                "Betreuer",
                ["Max"],
                "say the id that each value means",
                [Column("Betreuer", "owner_id", values={"Max": "Max"})],
            ),
            (
                "Mail",
                ["a@b.de; c@d.de, e@f.de"],
                "say what separates its values",
                [Column("Mail", "emails", separator=";")],
            ),
            (
                "Mail",
                ["see website"],
                "its values look like something else",
                [Column("Mail", "emails")],
            ),
            (
                "Telefon",
                ["a@b.de"],
                "its values look like something else",
                [Column("Telefon", "phones")],
            ),
        ],
    )
    def test_cells_that_do_not(
        self, header: str, values: list[str], why: str, candidates: list[Column]
    ) -> None:
        """What can be read in two ways, or in none, is left to a person with its candidates."""
        found = proposed(header, *values)
        assert why == found.why
        assert candidates == list(found.columns)

    def test_many_values(self) -> None:
        """A person is asked for the meaning of the first values, not of thousands."""
        found = proposed("Interest", *(f"v{number}" for number in range(50)))
        assert 20 == len(found.columns[0].values)


class TestWhole:
    def test_ids(self) -> None:
        """An id is one only if every row has another; rows are numbered otherwise."""
        assert Column("Lead ID", "id") == sure("Lead ID", "L-1", "L-2")
        for values in (["L-1", "L-1"], ["L-1", ""]):
            table = Table(io.BytesIO("\n".join(["ID,A", *(f"{v},x" for v in values)]).encode()))
            ids, _, number = propose(table, rules=RULES, prefix="P-")
            assert "it is empty or repeated in some rows" == ids.why
            assert number.columns == (Column.numbered("P-"),)

    def test_the_currency(self) -> None:
        """Amounts without a column of currencies ask for one; one column of them is enough."""
        content = b"ID,Value,Currency,\nL-1,5,EUR,\n"
        found = propose(Table(io.BytesIO(content)), rules=RULES, prefix="P-")
        assert ["id", "amount", "currency"] == [one.columns[0].field for one in found]
        found = propose(Table(io.BytesIO(b"ID,Value\nL-1,5\n")), rules=RULES, prefix="P-")
        assert "say the currency of the amounts" == found[-1].why
        assert found[-1].columns == (Column(None, "currency", default="EUR"),)

    def test_short_rows(self) -> None:
        """A row that is too short is no reason to propose nothing."""
        table = Table(io.BytesIO(b"ID,Ort\nL-1\nL-2,Bonn\n"))
        found = propose(table, rules=RULES, prefix="P-")
        assert ["id", "address.city"] == [one.columns[0].field for one in found]

    def test_what_is_sure_is_read(self) -> None:
        """The sure proposals, taken as they are, read the table they were made of."""
        content = (
            "Lead-ID;Vorname;E-Mail privat;Geburtsdatum;Betrag;Währung;Newsletter\n"
            "L-7;Ada;ada@example.com;10.12.1815;1.234,50;EUR;ja\n"
        ).encode()
        found = propose(Table(io.BytesIO(content)), rules=RULES, prefix="P-")
        assert all(one.sure for one in found)
        columns = [column for one in found for column in one.columns]
        [lead] = all_leads(Table(io.BytesIO(content)), rules=attrs.evolve(RULES, columns=columns))
        assert ("L-7", "Ada", "home") == (lead.id, lead.first_name, lead.emails[0].use)
        assert (True, "1234.50") == (lead.custom["UF_NEWS"], str(lead.amount))
