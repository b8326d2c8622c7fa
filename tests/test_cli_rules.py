"""The commands about rules: what they check, explain, compare and propose, and how they end."""

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from leadconvert import (
    Column,
    ConversionRules,
    FieldMapping,
    Finding,
    Policy,
    Severity,
    config,
    presets,
)
from leadconvert.cli import main


ROOT = Path(__file__).resolve().parents[1]
FAIR = str(ROOT / "docs" / "examples" / "fair.toml")
BITRIX24 = presets.bitrix24()
ADA = '{"id": "L-7", "stage": "NEW", "title": "Engine", "last_name": "Love\\u001blace"}'
JUNK = '{"id": "L-8", "stage": "JUNK", "title": "Prize", "last_name": "Winner"}'
CSV = "No,Name,Day,Note\nL-7,Ada,2027-01-31,x\n"
COLUMNS = [Column("No", "id"), Column("Name", "last_name"), Column("Day", "birth_date")]

Capsys = pytest.CaptureFixture[str]
Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return what writes a file and gives its name."""

    def written(name: str, content: str) -> str:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return str(path)

    return written


@pytest.fixture
def dump(tmp_path: Path) -> Callable[[ConversionRules], str]:
    """Return what writes rules into a file and gives its name."""

    def dumped(rules: ConversionRules) -> str:
        path = tmp_path / "crm.toml"
        config.dump(rules, path)
        return str(path)

    return dumped


Dump = Callable[[ConversionRules], str]


def finding(severity: Severity) -> Finding:
    """Return a finding that severe."""
    return Finding(code="odd", severity=severity, place="field lead.\x1b", kind="lead", field="a")


class TestCheck:
    @pytest.mark.parametrize(
        ("severities", "code", "last"),
        [
            ([], 0, "0 errors, 0 warnings, 0 notes"),
            ([Severity.NOTE], 0, "0 errors, 0 warnings, 1 note"),
            ([Severity.NOTE, Severity.WARNING, Severity.NOTE], 1, "0 errors, 1 warning, 2 notes"),
            ([Severity.ERROR, Severity.NOTE], 2, "1 error, 0 warnings, 1 note"),
        ],
    )
    def test_the_gravest_decides(
        self,
        severities: list[Severity],
        code: int,
        last: str,
        capsys: Capsys,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The exit code is that of the gravest finding; the last line counts them."""
        found = [finding(one) for one in severities]
        monkeypatch.setattr("leadconvert.cli._check.lint", lambda _: tuple(found))
        assert code == main(["check", "bitrix24"])
        out, err = capsys.readouterr()
        assert (last, "") == (out.splitlines()[-1], err)
        assert "\x1b" not in out

    def test_a_file(self, capsys: Capsys) -> None:
        """Each finding has its line, with code, place, and the way out."""
        assert 0 == main(["check", FAIR])
        title, *lines, last = capsys.readouterr().out.splitlines()
        assert ["Severity", "Code", "Place", "What"] == title.split()
        assert lines
        assert all(re.match(r"note +\w+ +(kind|field) .*\(.*\)$", line) for line in lines)
        assert last.startswith("0 errors, 0 warnings, ")

    def test_for_a_program(self, capsys: Capsys) -> None:
        """As JSON the same is told in parts."""
        assert 1 == main(["check", "bitrix24", "--json"])
        told = json.loads(capsys.readouterr().out)
        assert [] == told["mistakes"]
        assert told["findings"][0] == {
            "severity": "warning",
            "code": "unmapped",
            "place": "field lead.observer_ids",
            "kind": "lead",
            "field": "observer_ids",
            "message": "no mapping says where Observer ids of a lead goes",
            "remedy": told["findings"][0]["remedy"],
        }

    def test_mistakes(self, write: Write, capsys: Capsys) -> None:
        """Every mistake of a file has a line of its own on stderr, with the place in the file."""
        file = write("crm.toml", 'schema_version = 1\nmodus = "x"\nlosess = "strict"\n')
        assert 2 == main(["check", file])
        out, err = capsys.readouterr()
        assert "" == out
        lines = err.splitlines()
        assert all(line.startswith("leadconvert: crm.toml: ") for line in lines)
        assert [True, True] == [any(name in line for line in lines) for name in ("modus", "losess")]

    def test_mistakes_for_a_program(self, write: Write, capsys: Capsys) -> None:
        """With --json mistakes are on stdout, so that a program reads one stream."""
        file = write("crm.toml", 'schema_version = 1\nmodus = "x"\n')
        assert 2 == main(["check", file, "--json"])
        out, err = capsys.readouterr()
        told = json.loads(out)
        assert ("", []) == (err, told["findings"])
        assert any("modus" in mistake for mistake in told["mistakes"])

    def test_more_mistakes_than_anybody_reads(self, write: Write, capsys: Capsys) -> None:
        """A hundred lines are told, then how many more there are."""
        keys = "".join(f"key_{number} = 1\n" for number in range(150))
        assert 2 == main(["check", write("crm.toml", f"schema_version = 1\n{keys}")])
        lines = capsys.readouterr().err.splitlines()
        assert 101 == len(lines)
        assert re.fullmatch(r"leadconvert: and \d+ more", lines[-1])

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("bitrix42", "is neither a preset (bitrix24, salesforce) nor a .toml or .json"),
            ("crm.yaml", "is neither a preset (bitrix24, salesforce) nor a .toml or .json"),
            ("no\x1bfile.toml", "no\\x1bfile.toml"),
            (".", "is neither a preset"),
            ("a\0b.toml", "a\\x00b.toml"),
        ],
    )
    def test_no_rules(self, name: str, told: str, capsys: Capsys) -> None:
        """What is neither a preset nor a file is told in one line."""
        assert 2 == main(["check", name])
        out, err = capsys.readouterr()
        assert ("", 1) == (out, err.count("\n"))
        assert told in err

    def test_what_a_file_cannot_hold(self, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever else stops the reading of a file is told, and is no traceback."""

        def refuse(_: str) -> ConversionRules:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(config, "load", refuse)
        assert 2 == main(["check", "crm.toml"])
        sentence = "leadconvert: crm.toml: cannot be read (Permission denied)\n"
        assert sentence == capsys.readouterr().err


class TestExplain:
    def test_a_lead(self, write: Write, capsys: Capsys) -> None:
        """Each field has its row: what it becomes, or why it reaches nothing, and by what."""
        lead = ADA.replace('"L-7"', '"L-7\\u001b"')
        file = write("lead.json", lead.replace("}", ', "tags": ["a"], "observer_ids": ["u-1"]}'))
        assert 0 == main(["explain", "bitrix24", file, "--into", "deal"])
        out = capsys.readouterr().out
        assert "lead L-7\\x1b\n" == out.splitlines(keepends=True)[0]
        rows = [re.split(r" {2,}", line) for line in out.splitlines()[2:]]
        assert ["Field", "Becomes", "Outcome", "Why", "By"] == rows[0]
        assert ["title", "deal 1.title", "carried", "-", "title → deal.title"] in rows
        assert ["observer_ids", "-", "dropped", "no_mapping", "-"] in rows
        assert "\x1b" not in out

    def test_no_value_is_told(self, write: Write, capsys: Capsys) -> None:
        """What a lead holds is not shown."""
        main(["explain", "bitrix24", write("lead.json", ADA)])
        assert "Engine" not in capsys.readouterr().out

    def test_what_cannot_be_converted(self, write: Write, capsys: Capsys) -> None:
        """The reasons follow the rows, and the code is 1 if it holds of any lead."""
        file = write("leads.json", f"[{JUNK}, {ADA}]")
        assert 1 == main(["explain", "bitrix24", file, "--into", "deal"])
        out = capsys.readouterr().out
        assert [1, 1] == [out.count("\nlead L-7\n"), out.count("It cannot be converted:")]
        assert "  the lead stands in the failure stage 'JUNK'" in out

    def test_a_role(self, write: Write, capsys: Capsys) -> None:
        """A role that may not see the lead is told that alone."""
        file = write("lead.json", ADA)
        assert 1 == main(["explain", "bitrix24", file, "--role", "sales"])
        out = capsys.readouterr().out
        assert "no field becomes anything" in out
        assert "cli may not read this lead" in out

    def test_salesforce(self, write: Write, capsys: Capsys) -> None:
        """Leads of another system are read by its preset."""
        lead = {"Id": "00Q000000000001AAA", "LastName": "Lovelace", "Company": "Looms"}
        file = write("lead.json", json.dumps({**lead, "Status": "Open - Not Contacted"}))
        main(["explain", "salesforce", file, "--from", "salesforce"])
        out = capsys.readouterr().out
        assert out.startswith("lead 00Q000000000001AAA\n")
        assert "company_name or last_name" in out or "company 1.name" in out


class TestDiff:
    def test_the_same(self, dump: Dump, capsys: Capsys) -> None:
        """Rules and the file dumped from them are the same: nothing is said."""
        assert 0 == main(["diff", "bitrix24", dump(BITRIX24)])
        assert ("", "") == capsys.readouterr()

    def test_what_changed(self, dump: Dump, capsys: Capsys) -> None:
        """Each difference has its line."""
        mappings = [*BITRIX24.mappings, FieldMapping.leave("observer_ids")]
        changed = dump(attrs.evolve(BITRIX24, mappings=mappings))
        assert 1 == main(["diff", "bitrix24", changed])
        sentence = "added mapping observer_ids → nothing: source 'observer_ids'\n"
        assert (sentence, "") == capsys.readouterr()

    def test_no_rules(self, capsys: Capsys) -> None:
        """A file that is not there has code 2, whichever it is."""
        assert 2 == main(["diff", "bitrix24", "none.toml"])
        assert "" == capsys.readouterr().out


class TestSchema:
    def test_it_is_printed(self, capsys: Capsys) -> None:
        """The schema is that of the library, as JSON."""
        assert 0 == main(["schema"])
        assert config.schema() == json.loads(capsys.readouterr().out)


class TestColumns:
    def test_what_is_proposed_can_be_pasted(
        self, write: Write, dump: Dump, capsys: Capsys, tmp_path: Path
    ) -> None:
        """What is proposed, behind the rules as they are, reads the file."""
        content = (
            '"Lead ID";Vorname;E-Mail privat;Geburtsdatum;Betrag;Währung\n'
            "L-7;Ada;ada@example.com;10.12.1815;1.234,50;EUR\n"
        )
        file = write("leads.csv", content)
        rules = dump(BITRIX24)
        assert 0 == main(["columns", file, "--rules", rules])
        proposed = capsys.readouterr().out
        assert "#" not in proposed
        with Path(rules).open("a", encoding="utf-8") as out:
            out.write(f"\n{proposed}")
        assert config.load(rules).columns == (
            Column("Lead ID", "id"),
            Column("Vorname", "first_name"),
            Column("E-Mail privat", "emails", use="home"),
            Column("Geburtsdatum", "birth_date", format="%d.%m.%Y"),
            Column("Betrag", "amount", decimal=",", thousands="."),
            Column("Währung", "currency"),
        )
        assert 0 == main(["convert", file, "--from", "csv", "--rules", rules, "--into", "contact"])
        assert "contact Ada" in capsys.readouterr().out
        assert ["crm.toml", "leads.csv"] == sorted(path.name for path in tmp_path.iterdir())

    def test_what_is_left_to_decide(self, write: Write, capsys: Capsys) -> None:
        """What is not plain is commented out, each with its reason and its candidates."""
        name = 'a\x1b\x7f"\\\n#'
        quoted = name.replace('"', '""')
        file = write("fair 1.csv", f'Name,"{quoted}",Interesse\nAda,x,ja\n')
        assert 0 == main(["columns", file])
        out = capsys.readouterr().out
        assert out == (
            '# "Name": it could fill several fields\n'
            "# [[columns]]\n"
            '# header = "Name"\n'
            '# field = "title"\n'
            "# [[columns]]\n"
            '# header = "Name"\n'
            '# field = "last_name"\n'
            "# [[columns]]\n"
            '# header = "Name"\n'
            '# field = "company_name"\n'
            "\n"
            '# "a\\u001b\\x7f\\"\\\\\\n#": no field is called so\n'
            "# [[columns]]\n"
            '# header = "a\\u001b\\u007f\\"\\\\\\n#"\n'
            "\n"
            '# "Interesse": no field is called so\n'
            "# [[columns]]\n"
            '# header = "Interesse"\n'
            "\n"
            "[[columns]]\n"
            'field = "id"\n'
            'prefix = "fair 1-"\n'
            "\n"
            "# 3 to decide: see the comments above.\n"
        )
        lines = (line.removeprefix("# ") for line in out.splitlines() if ": " not in line)
        [*_, odd, _, _] = tomllib.loads("\n".join(lines))["columns"]
        assert {"header": name} == odd

    def test_values(self, capsys: Capsys) -> None:
        """The meaning of values is asked for with those that are seen."""
        file = str(ROOT / "docs" / "examples" / "leads.csv")
        assert 0 == main(["columns", file, "--rules", FAIR])
        assert '# values = { hoch = "high", mittel = "some" }\n' in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["none.csv"], "none.csv: cannot be read (No such file or directory)"),
            (["."], ".: cannot be read (Is a directory)"),
            (["a\0b"], "a\\x00b: cannot be read ("),
            (["none.csv", "--delimiter", ""], "--delimiter: one character, such as ';', or tab"),
            (["none.csv", "--delimiter", '"'], "--delimiter: one character, such as ';', or tab"),
            (["none.csv", "--delimiter", "::"], "--delimiter: one character, such as ';', or tab"),
        ],
    )
    def test_no_file(self, arguments: list[str], told: str, capsys: Capsys) -> None:
        """A file that cannot be read, and a delimiter that is none, are told in one line."""
        assert 2 == main(["columns", *arguments])
        out, err = capsys.readouterr()
        assert "" == out
        assert err.startswith(f"leadconvert: {told}")
        assert 1 == err.count("\n")


class TestConvertCsv:
    def test_leads_of_a_table(self, write: Write, dump: Dump, capsys: Capsys) -> None:
        """A CSV file is read by the columns of the rules, and converted like any other."""
        rules = dump(attrs.evolve(BITRIX24, columns=[*COLUMNS, Column.leave("Note")]))
        file = write("leads.csv", CSV)
        arguments = ["convert", file, "--from", "csv", "--rules", rules, "--into", "contact"]
        assert 0 == main(arguments)
        out, err = capsys.readouterr()
        assert ("", True) == (err, "contact Ada" in out)

    @pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
    def test_a_delimiter(self, delimiter: str, write: Write, dump: Dump, capsys: Capsys) -> None:
        """What separates cells can be said, a tab by its name."""
        rules = dump(attrs.evolve(BITRIX24, columns=COLUMNS[:2]))
        file = write("leads.csv", "No\tName\nL-7\tAda, Zoë\n")
        more = ["--delimiter", delimiter, "--into", "contact"]
        assert 0 == main(["convert", file, "--from", "csv", "--rules", rules, *more])
        assert "contact Ada, Zoë" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("losses", "code", "told"),
        [("report", 0, True), ("lenient", 0, False), ("strict", 2, True)],
    )
    def test_columns_nobody_decided_on(  # noqa: PLR0913, PLR0917 - what it depends on
        self, losses: str, code: int, told: bool, write: Write, dump: Dump, capsys: Capsys
    ) -> None:
        """Columns that no rule names are told, are told of to nobody, or are refused."""
        rules = dump(attrs.evolve(BITRIX24, columns=COLUMNS, losses=losses))
        arguments = ["convert", write("leads.csv", CSV), "--from", "csv", "--rules", rules]
        assert code == main([*arguments, "--into", "contact"])
        out, err = capsys.readouterr()
        sentence = "leads.csv: line 1: not read, since no column of the rules names it: Note\n"
        assert told == err.endswith(sentence)
        assert (code == 0) == ("contact Ada" in out)

    def test_every_mistake(self, write: Write, dump: Dump, capsys: Capsys, tmp_path: Path) -> None:
        """Each mistake has its line, with its place and without the value; nothing is done."""
        rules = dump(attrs.evolve(BITRIX24, columns=COLUMNS))
        file = write("leads.csv", "No,Name,Day\nL-7,Ada,secret\n,Bob,2027-01-31\nL-9\n")
        out_of = str(tmp_path / "out")
        assert 2 == main(["convert", file, "--from", "csv", "--rules", rules, "--out", out_of])
        out, err = capsys.readouterr()
        assert "" == out
        places = [line.removeprefix(f"leadconvert: {file}: ") for line in err.splitlines()]
        assert ["line 2, column Day", "line 3", "line 4"] == [one.split(": ")[0] for one in places]
        assert "secret" not in err
        assert not Path(out_of).exists()

    def test_rules_without_columns(self, write: Write, capsys: Capsys) -> None:
        """Rules without columns say where to get them."""
        assert 2 == main(["convert", write("leads.csv", CSV), "--from", "csv"])
        err = capsys.readouterr().err
        assert "the rules say nothing of columns" in err
        assert "leadconvert columns" in err
        assert 1 == err.count("\n")

    def test_a_delimiter_of_json(self, write: Write, capsys: Capsys) -> None:
        """JSON has no cells to separate."""
        assert 2 == main(["convert", write("lead.json", ADA), "--delimiter", ";"])
        sentence = "--delimiter: JSON has no cells, leave it out or add --from csv"
        assert f"leadconvert: {sentence}\n" == capsys.readouterr().err


class TestWho:
    def test_rules_without_roles(self, write: Write, dump: Dump, capsys: Capsys) -> None:
        """Where everything is allowed nobody needs a role."""
        rules = dump(attrs.evolve(BITRIX24, policy=Policy.allow_all()))
        file = write("lead.json", ADA)
        assert 0 == main(["convert", file, "--rules", rules, "--into", "deal"])
        assert "deal Engine" in capsys.readouterr().out

    def test_rules_without_an_administrator(self, write: Write, dump: Dump, capsys: Capsys) -> None:
        """Where there is no administrator the role is to be said."""
        [seller] = [role for role in BITRIX24.policy.roles if role.id == "sales"]
        rules = dump(attrs.evolve(BITRIX24, policy=Policy([seller])))
        file = write("lead.json", ADA)
        assert 2 == main(["convert", file, "--rules", rules])
        sentence = "--role: the rules have no role 'admin', choose among sales"
        assert f"leadconvert: {sentence}\n" == capsys.readouterr().err
        assert 1 == main(["convert", file, "--rules", rules, "--role", "sales"])


class TestHelp:
    @pytest.mark.parametrize(
        "command", ["convert", "explain", "check", "diff", "columns", "schema"]
    )
    def test_every_command_has_its_help(self, command: str, capsys: Capsys) -> None:
        """The help says what a command does, and what its exit codes mean."""
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert 0 == ended.value.code
        told = " ".join(capsys.readouterr().out.split())
        assert f"usage: leadconvert {command}" in told
        assert "Exit code: 0" in told


class TestPipe:
    def test_whoever_reads_may_stop(self, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reader that has seen enough is no error to tell of."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8") as closed:
            monkeypatch.setattr(sys, "stdout", closed)
            assert 141 == main(["check", "bitrix24"])
        assert "" == capsys.readouterr().err
