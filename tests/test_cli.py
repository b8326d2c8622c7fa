"""The command line: what is read, what is shown, what is written, and what is refused how."""

import io
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadconvert.cli import main
from leadconvert.cli._text import visible


EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "examples" / "leads.json"
ADA = '{"id": "L-7", "stage": "NEW", "title": "Engine", "last_name": "Lovelace"}'
JUNK = '{"id": "L-8", "stage": "JUNK", "title": "Prize", "last_name": "Winner"}'
AT = "2027-01-31T12:00:00Z"

Capsys = pytest.CaptureFixture[str]
Write = Callable[[str | bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return what writes a file of leads and gives its name."""

    def written(content: str | bytes) -> str:
        path = tmp_path / "leads.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


def rows_of(table: str) -> list[list[str]]:
    """Return the cells of the lines that tell of a lead."""
    lines = [line for line in table.splitlines() if line.startswith(" ") or line[:1] == "L"]
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]
    return [row for row in cells if row and row[0].startswith("L-")]


def lines_of(path: Path) -> list[dict[str, object]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def names_in(directory: Path) -> list[str]:
    """Return the names of all that is in *directory*, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


class TestTable:
    """What a run prints, and its exit code."""

    def test_all_converted(self, write: Write, capsys: Capsys) -> None:
        """The row says what was made, the code is 0, and nothing is told on stderr."""
        assert main(["convert", write(ADA), "--into", "contact,deal", "--at", AT]) == 0
        out, err = capsys.readouterr()
        assert rows_of(out) == [
            ["L-7", "Lovelace", "converted", "contact Lovelace, deal Engine"],
        ]
        assert out.endswith("\n1 converted, 0 refused\n")
        assert err == ""

    def test_one_refused(self, write: Write, capsys: Capsys) -> None:
        """A refusal stops nothing, and the code is 1."""
        assert main(["convert", write(f"[{JUNK}, {ADA}]"), "--into", "deal"]) == 1
        out = capsys.readouterr().out
        why = (
            "the lead stands in the failure stage 'JUNK' (move it back to a stage in process first)"
        )
        assert [
            ["L-8", "Winner", "refused", why],
            ["L-7", "Lovelace", "converted", "deal Engine"],
        ] == rows_of(out)
        assert out.endswith("\n1 converted, 1 refused\n")

    def test_every_problem_has_its_line(self, write: Write, capsys: Capsys) -> None:
        """All reasons are shown in full, each in one line, where no terminal sets the width."""
        assert main(["convert", write('{"id": "L-9", "stage": "NEW"}')]) == 1
        out = capsys.readouterr().out
        assert "contact needs one of Last name, First name (supply one in values=)" in out
        assert "company needs Name (supply it in values=)" in out
        assert "deal needs Title (supply it in values=)" in out
        assert rows_of(out) == [
            ["L-9", "refused", "contact needs one of Last name, First name (supply one in values=)"]
        ]

    def test_sales_may_convert_own_leads_only(self, write: Write, capsys: Capsys) -> None:
        """The role decides: a lead that is somebody else's is refused to sales."""
        assert main(["convert", write(ADA), "--role", "sales"]) == 1
        assert "cli may not read this lead" in capsys.readouterr().out

    def test_no_leads_at_all(self, write: Write, capsys: Capsys) -> None:
        """An empty list is usable: nothing is refused."""
        assert main(["convert", write("[]")]) == 0
        assert capsys.readouterr().out.endswith("\n0 converted, 0 refused\n")

    def test_a_long_name_is_cut(self, write: Write, capsys: Capsys) -> None:
        """A name of any length leaves the table readable."""
        lead = {"id": "L-7", "stage": "NEW", "title": "x" * 1_000_000}
        main(["convert", write(json.dumps(lead)), "--into", "company"])
        out = capsys.readouterr().out
        assert "x" * 59 + "…" in out
        assert "x" * 60 not in out

    def test_bitrix24(self, write: Write, capsys: Capsys) -> None:
        """Bitrix24's own JSON is read with --from bitrix24."""
        data = '{"result": [{"ID": "L-7", "STATUS_ID": "NEW", "TITLE": "Engine"}]}'
        assert main(["convert", write(data), "--from", "bitrix24", "--into", "deal"]) == 0
        assert rows_of(capsys.readouterr().out) == [["L-7", "Engine", "converted", "deal Engine"]]

    def test_the_example(self, capsys: Capsys) -> None:
        """Of the twelve leads that come with the project four are refused, each for its reason."""
        assert main(["convert", str(EXAMPLE)]) == 1
        out = capsys.readouterr().out
        refused = [(row[0], row[-1]) for row in rows_of(out) if "refused" in row]
        assert refused == [
            (
                "L-5",
                (
                    "the lead stands in the success stage 'CONVERTED', so it counts as converted"
                    " (work with the records it became, or make more of it with mode='supplement')"
                ),
            ),
            (
                "L-6",
                (
                    "the lead stands in the failure stage 'JUNK'"
                    " (move it back to a stage in process first)"
                ),
            ),
            ("L-7", "contact needs one of Last name, First name (supply one in values=)"),
            (
                "L-8",
                "deal has an amount in Amount but no currency (supply Currency in values=)",
            ),
        ]
        assert out.endswith("\n8 converted, 4 refused\n")


class TestTerminal:
    """What is shown cannot corrupt where it is shown."""

    def test_control_characters_are_told_by_their_codes(self, write: Write, capsys: Capsys) -> None:
        """Escapes, direction overrides and lone surrogates of a lead never reach the output."""
        title = r"\u001b[31mred \u202eleft \ud800 [bold]plain[/bold] a\nb"
        main(["convert", write(f'{{"id": "L-7\\u0007", "stage": "NEW", "title": "{title}"}}')])
        out = capsys.readouterr().out
        assert r"\x1b[31mred \u202eleft \ud800 [bold]plain[/bold] a b" in out
        assert r"L-7\x07" in out
        assert not {"\x1b", "\u202e", "\ud800", "\x07"} & set(out)

    def test_a_problem_is_told_the_same_way(self, write: Write, capsys: Capsys) -> None:
        """A reason may quote the lead's stage, which is anybody's text."""
        main(["convert", write(r'{"id": "L-7", "stage": "\u009b2J"}')])
        out = capsys.readouterr().out
        assert "\x9b" not in out

    def test_a_sentence_on_stderr_is_told_the_same_way(self, capsys: Capsys) -> None:
        """The name of a file may be anybody's text as well."""
        assert main(["convert", "no\x1b[2Jfile"]) == 2
        assert capsys.readouterr().err == (
            r"leadconvert: no\x1b[2Jfile: cannot be read (No such file or directory)" + "\n"
        )

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Zoë Соколова 花子", "Zoë Соколова 花子"),
            ("नम\u200dस्ते", "नम\u200dस्ते"),
            ("\t\r\n\x00\x7f\x85", r"\t\r\n\x00\x7f\x85"),
            ("\u061c\u200e\u200f\u2066\u2069", r"\u061c\u200e\u200f\u2066\u2069"),
            ("\u2028\u2029\ufeff\udfff", r"\u2028\u2029\ufeff\udfff"),
            ("\U000e0041", r"\U000e0041"),
        ],
    )
    def test_visible(self, text: str, shown: str) -> None:
        """Letters of all scripts stay; what cannot be seen is told by its code."""
        assert shown == visible(text)

    def test_an_encoding_without_the_letters(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name is told by its codes where the output cannot spell it."""
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
        lead = '{"id": "L-7", "stage": "NEW", "title": "Østre"}'
        assert main(["convert", write(lead), "--into", "deal"]) == 0
        sys.stdout.flush()
        assert rb"deal \xd8stre" in raw.getvalue()

    def test_an_output_that_is_no_file(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any stream of text will do as stdout."""
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["convert", write(ADA), "--into", "deal"]) == 0
        assert [["L-7", "Lovelace", "converted", "deal Engine"]] == rows_of(out.getvalue())

    def test_a_progress_bar_on_a_terminal(
        self, write: Write, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A terminal on stderr gets a bar, and stdout nothing of it."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        assert main(["convert", write(ADA), "--into", "deal"]) == 0
        out, err = capsys.readouterr()
        assert "converting" in err
        assert "converting" not in out
        assert rows_of(out) == [["L-7", "Lovelace", "converted", "deal Engine"]]

    def test_a_table_on_a_terminal_has_its_width(
        self, write: Write, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a terminal nothing is wider than it, and nothing is cut."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        main(["convert", write(JUNK), "--into", "deal"])
        lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
        assert max(map(len, lines)) <= 40
        told = "".join("".join(lines).split())
        assert "refusedtheleadstandsinthefailurestage" in told


class TestReading:
    """What is accepted as a file of leads."""

    @pytest.mark.parametrize(
        "content",
        [
            ADA,
            f"[{ADA}]",
            f"\ufeff{ADA}",
            f"\n{ADA}\n",
            ADA.replace(", ", ",\r\n"),
        ],
        ids=["object", "list", "byte-order mark", "blank lines", "several lines"],
    )
    def test_one_lead(self, content: str, write: Write, capsys: Capsys) -> None:
        """One lead, however it is wrapped, is one lead."""
        assert main(["convert", write(content), "--into", "deal"]) == 0
        assert capsys.readouterr().out.endswith("\n1 converted, 0 refused\n")

    def test_json_lines(self, write: Write, capsys: Capsys) -> None:
        """Several objects, one on each line, blank lines between or not, are several leads."""
        separator = ADA.replace("Engine", "a\u2028b")
        file = write(f"{ADA}\n\n{separator}\r\n{JUNK}")
        assert main(["convert", file, "--into", "deal"]) == 1
        assert capsys.readouterr().out.endswith("\n2 converted, 1 refused\n")

    def test_two_leads_with_one_id(self, write: Write, capsys: Capsys) -> None:
        """The same lead may stand in a file twice."""
        assert main(["convert", write(f"[{ADA}, {ADA}]"), "--into", "deal"]) == 0
        assert capsys.readouterr().out.endswith("\n2 converted, 0 refused\n")


DEEP = "[" * 200_000
UNUSABLE = [
    (b"", "FILE: is empty, it should hold leads as JSON or JSON lines"),
    (b"\xef\xbb\xbf \n", "FILE: is empty, it should hold leads as JSON or JSON lines"),
    (b'[\n{"id": "L-7",', "FILE: line 2, column 14: the JSON ends too early"),
    (b'{"id": "L-', "FILE: line 1, column 8: the JSON ends too early"),
    (b"id;title\n", "FILE: line 1, column 1: no JSON, Expecting value"),
    (b'{"a": 1}\n{"a":\n', "FILE: line 2, column 6: the JSON ends too early"),
    (b'{"a": 1}\n\n7\n', "FILE: line 3, column 1: is no JSON object"),
    (b'{"a": 1}\n{"a": NaN}', "FILE: line 2, column 7: NaN is no number that JSON has"),
    (b"7", "FILE: line 1, column 1: is no JSON object and no list of them"),
    (b"[{}, 7]", "FILE: item 2 of the list is no JSON object"),
    (b'{"NaN": "\\"NaN",\n "a": NaN}', "FILE: line 2, column 7: NaN is no number that JSON has"),
    (b"[-Infinity]", "FILE: line 1, column 2: -Infinity is no number that JSON has"),
    (b'{"a": 1, "a": 2}', "FILE: an object has the key 'a' twice"),
    (b'{"a": 1}\n{"a": 1, "a": 2}', "FILE: line 2: an object has the key 'a' twice"),
    (
        b'{"a": 1e99999999999999999999}',
        "FILE: the number 1e99999999999999999999 is out of range",
    ),
    (b'{\n"a": "\xff"}', "FILE: line 2, column 7: byte 0xff is not UTF-8, save the file in UTF-8"),
    (DEEP.encode(), "FILE: line 1: is nested too deeply"),
    (b"{}\n" + DEEP.encode(), "FILE: line 2: is nested too deeply"),
]


class TestUnusableInput:
    """Input that is no use: one sentence on stderr, code 2, and nothing is written."""

    @pytest.mark.parametrize(
        ("content", "sentence"), UNUSABLE, ids=[f"{number}" for number in range(len(UNUSABLE))]
    )
    def test_content(
        self, content: bytes, sentence: str, write: Write, tmp_path: Path, capsys: Capsys
    ) -> None:
        """The sentence names the file, and the line and column where that is known."""
        file = write(content)
        assert main(["convert", file, "--out", str(tmp_path / "out")]) == 2
        assert ("", f"leadconvert: {sentence.replace('FILE', file)}\n") == capsys.readouterr()
        assert names_in(tmp_path) == ["leads.json"]

    def test_leads_that_are_none(self, write: Write, capsys: Capsys) -> None:
        """Objects that are no leads are refused with all that is wrong with them, in one line."""
        file = write('[{"id": "L-7"}, {"id": "L-8", "stage": "NEW", "amount": "many"}]')
        assert main(["convert", file]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"leadconvert: {file}: ")
        assert "stage" in err
        assert "amount" in err
        assert err.count("\n") == 1

    def test_bitrix24_leads_that_are_none(self, write: Write, capsys: Capsys) -> None:
        """The same holds for Bitrix24's JSON."""
        file = write('{"result": 7}')
        assert main(["convert", file, "--from", "bitrix24"]) == 2
        assert capsys.readouterr().err.startswith(f"leadconvert: {file}: ")

    @pytest.mark.parametrize(("depth", "code"), [(62, 0), (63, 2)])
    def test_depth(self, depth: int, code: int, write: Write, capsys: Capsys) -> None:
        """A lead, its custom fields and what is in them may stand 64 deep, and no deeper."""
        value = "[" * depth + "]" * depth
        lead = f'{{"id": "L-7", "stage": "NEW", "title": "Engine", "custom": {{"UF_X": {value}}}}}'
        file = write(lead)
        assert code == main(["convert", file, "--into", "deal"])
        sentence = f"leadconvert: {file}: line 1: is nested too deeply\n"
        assert (sentence if code else "") == capsys.readouterr().err

    def test_a_missing_file(self, tmp_path: Path, capsys: Capsys) -> None:
        """A file that is not there is named."""
        file = str(tmp_path / "none.json")
        assert main(["convert", file]) == 2
        assert capsys.readouterr().err == (
            f"leadconvert: {file}: cannot be read (No such file or directory)\n"
        )

    def test_a_directory(self, tmp_path: Path, capsys: Capsys) -> None:
        """A directory is no file of leads."""
        assert main(["convert", str(tmp_path)]) == 2
        assert capsys.readouterr().err == (
            f"leadconvert: {tmp_path}: cannot be read (Is a directory)\n"
        )

    def test_a_name_no_file_can_have(self, capsys: Capsys) -> None:
        """What the system would not even look for is unusable too."""
        assert main(["convert", "a\0b"]) == 2
        assert capsys.readouterr().err.startswith(r"leadconvert: a\x00b: cannot be read (")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ["--into", "deal,dael"],
                "--into: there is no kind 'dael', choose among contact, company, deal",
            ),
            (["--into", ""], "--into: there is no kind '', choose among contact, company, deal"),
            (
                ["--role", "boss"],
                "--role: there is no role 'boss', choose among admin, robot, sales",
            ),
            (
                ["--at", "tomorrow"],
                "--at: 'tomorrow' is no moment, write it as in 2027-01-31T12:00:00+01:00",
            ),
            (
                ["--at", "2027-01-31T12:00:00"],
                (
                    "--at: '2027-01-31T12:00:00' says no time zone,"
                    " add Z or an offset as in 2027-01-31T12:00:00+01:00"
                ),
            ),
        ],
    )
    def test_arguments(
        self, arguments: list[str], sentence: str, write: Write, tmp_path: Path, capsys: Capsys
    ) -> None:
        """The sentence names the argument and the way out."""
        assert main(["convert", write(ADA), *arguments, "--out", str(tmp_path / "out")]) == 2
        assert ("", f"leadconvert: {sentence}\n") == capsys.readouterr()
        assert names_in(tmp_path) == ["leads.json"]

    @pytest.mark.parametrize("arguments", [[], ["convert"], ["convert", "f", "--from", "xml"]])
    def test_arguments_not_understood(self, arguments: list[str], capsys: Capsys) -> None:
        """What is no command at all ends with code 2 and the usage."""
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith("usage: leadconvert")

    def test_without_rich(
        self, write: Write, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra the command says how to get it."""
        monkeypatch.setitem(sys.modules, "rich", None)
        assert main(["convert", write(ADA)]) == 2
        assert capsys.readouterr().err == (
            "leadconvert: the command needs: pip install 'leadconvert[cli]'\n"
        )

    def test_interrupted(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C ends with the code a shell expects."""

        def interrupt(_: Path) -> bytes:
            raise KeyboardInterrupt

        file = write(ADA)
        monkeypatch.setattr(Path, "read_bytes", interrupt)
        assert main(["convert", file]) == 130


class TestOut:
    """--out: complete files or none."""

    @pytest.fixture
    def out(self, tmp_path: Path) -> Path:
        """Return a directory that is not there yet, nor its parent."""
        return tmp_path / "new" / "out"

    def test_every_record_is_written(self, write: Write, out: Path) -> None:
        """Leads are written as they are after, records by kind, refusals with their problems."""
        leads = write(f"[{ADA}, {JUNK}]")
        arguments = ["convert", leads, "--into", "contact,deal,deal", "--at", AT]
        assert main([*arguments, "--out", str(out)]) == 1
        assert names_in(out) == ["contact.jsonl", "deal.jsonl", "leads.jsonl", "refused.jsonl"]
        [lead] = lines_of(out / "leads.jsonl")
        assert (lead["id"], lead["stage"]) == ("L-7", "CONVERTED")
        assert [
            (one["id"], one["last_name"], one["converted_from"])
            for one in lines_of(out / "contact.jsonl")
        ] == [("L-7.1.contact.1", "Lovelace", ["L-7"])]
        assert [
            (one["id"], one["title"], one["contact_ids"]) for one in lines_of(out / "deal.jsonl")
        ] == [
            ("L-7.1.deal.1", "Engine", ["L-7.1.contact.1"]),
            ("L-7.1.deal.2", "Engine", ["L-7.1.contact.1"]),
        ]
        [refused] = lines_of(out / "refused.jsonl")
        assert (refused["lead_id"], refused["error"]) == ("L-8", "StageNotAllowedError")
        assert '"in_failure_stage"' in json.dumps(refused["problems"])

    def test_what_is_written_can_be_read_again(self, write: Write, out: Path) -> None:
        """The leads written are leads of the library's own: converted, and refused as such."""
        main(["convert", write(ADA), "--into", "deal", "--out", str(out)])
        assert main(["convert", str(out / "leads.jsonl"), "--out", str(out / "again")]) == 1
        [refused] = lines_of(out / "again" / "refused.jsonl")
        assert refused["error"] == "AlreadyConvertedError"

    def test_letters_are_written_as_they_are(self, write: Write, out: Path) -> None:
        """Files are UTF-8 and not full of escapes, but where UTF-8 has no way to spell it."""
        lead = r'{"id": "L-7", "stage": "NEW", "title": "%s"}'
        names = ("Соколова", r"ë \ud800")
        file = write("\n".join(lead % name for name in names))
        assert main(["convert", file, "--into", "deal", "--out", str(out)]) == 0
        first, second = (out / "deal.jsonl").read_text("utf-8").splitlines()
        assert '"Соколова"' in first
        assert r'"\u00eb \ud800"' in second

    def test_files_of_an_earlier_run_are_replaced(self, write: Write, out: Path) -> None:
        """Nothing of an earlier run is left beside this one's; other files are not touched."""
        out.mkdir(parents=True)
        (out / "deal.jsonl").write_text("old")
        (out / "notes.txt").write_text("mine")
        assert main(["convert", write(JUNK), "--into", "deal", "--out", str(out)]) == 1
        assert (out / "deal.jsonl").read_text() == ""
        assert (out / "notes.txt").read_text() == "mine"
        assert names_in(out) == ["deal.jsonl", "leads.jsonl", "notes.txt", "refused.jsonl"]

    def test_a_file_where_the_directory_should_be(
        self, write: Write, tmp_path: Path, capsys: Capsys
    ) -> None:
        """A directory that cannot be made is named, and nothing is printed as if done."""
        file = tmp_path / "out"
        file.write_text("mine")
        assert main(["convert", write(ADA), "--out", str(file)]) == 2
        sentence = f"leadconvert: --out: {file} cannot be written (File exists)\n"
        assert ("", sentence) == capsys.readouterr()
        assert file.read_text() == "mine"

    def test_a_name_no_directory_can_have(self, write: Write, capsys: Capsys) -> None:
        """A name the system refuses is unusable too."""
        assert main(["convert", write(ADA), "--out", "a\0b"]) == 2
        assert capsys.readouterr().err.startswith(r"leadconvert: --out: a\x00b cannot be written (")

    def test_a_directory_in_the_way_of_a_file(
        self, write: Write, out: Path, capsys: Capsys
    ) -> None:
        """Where one file cannot be replaced, none is."""
        (out / "deal.jsonl").mkdir(parents=True)
        assert main(["convert", write(ADA), "--into", "deal", "--out", str(out)]) == 2
        assert capsys.readouterr().err == (
            f"leadconvert: --out: {out} cannot be written (deal.jsonl in it is a directory)\n"
        )
        assert names_in(out) == ["deal.jsonl"]

    def test_a_disk_that_is_full(
        self, write: Write, out: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the last file cannot be written, the first is not there either, and the old stay."""
        out.mkdir(parents=True)
        (out / "leads.jsonl").write_text("old")
        answers: Iterator[OSError | None] = iter(
            [None, None, OSError(28, "No space left on device")]
        )

        def fsync(_: int) -> None:
            if error := next(answers):
                raise error

        monkeypatch.setattr(os, "fsync", fsync)
        assert main(["convert", write(ADA), "--into", "deal", "--out", str(out)]) == 2
        assert capsys.readouterr().err == (
            f"leadconvert: --out: {out} cannot be written (No space left on device)\n"
        )
        assert names_in(out) == ["leads.jsonl"]
        assert (out / "leads.jsonl").read_text() == "old"


class TestEntryPoint:
    """The command as it is started."""

    def test_python_m(self) -> None:
        """``python -m leadconvert`` is the command."""
        done = subprocess.run(
            [sys.executable, "-m", "leadconvert", "--version"],
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout == "leadconvert 0.1.0\n"

    @pytest.mark.parametrize("name", ["__main__", "leadconvert.__main__"])
    def test_main_module(self, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
        """The module runs the command when started, and nothing when imported."""
        monkeypatch.delitem(sys.modules, "leadconvert.__main__", raising=False)
        monkeypatch.setattr(sys, "argv", ["leadconvert", "--help"])
        if name == "__main__":
            with pytest.raises(SystemExit) as ended:
                runpy.run_module("leadconvert", run_name=name)
            assert ended.value.code == 0
        else:
            runpy.run_module("leadconvert.__main__", run_name=name)
        assert capsys.readouterr().out.startswith("usage: ") == (name == "__main__")
