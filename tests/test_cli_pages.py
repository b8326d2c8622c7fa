"""The pages that show the command: what they print is what it prints."""

import re
import shlex
from pathlib import Path

import pytest

from leadconvert.cli import main


ROOT = Path(__file__).resolve().parents[1]
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in (ROOT / "docs" / "cli.md", ROOT / "docs" / "csv.md")
    for number, block in enumerate(CONSOLE.findall(page.read_text("utf-8")), start=1)
]


def commands_of(block: str) -> list[tuple[str, list[str]]]:
    """Return each command of a block, and the lines that follow it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


class TestPages:
    @pytest.mark.parametrize("block", BLOCKS)
    def test_what_is_shown_is_printed(
        self, block: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each command prints what stands below it, as far as that goes, and ends as it says."""
        monkeypatch.chdir(ROOT)
        code = None
        for command, shown in commands_of(block):
            if command == "echo $?":
                assert shown == [str(code)]
                continue
            program, *arguments = shlex.split(command)
            assert "leadconvert" == program
            code = main(arguments)
            out, err = capsys.readouterr()
            printed = [line.rstrip() for line in f"{out}{err}".splitlines()]
            if shown[-1:] == ["..."]:
                assert shown[:-1] == printed[: len(shown) - 1]
            else:
                assert shown == printed

    def test_every_command_is_shown(self) -> None:
        """A command that is new has its place on the page."""
        page = (ROOT / "docs" / "cli.md").read_text("utf-8")
        for name in ("convert", "explain", "check", "diff", "columns", "schema"):
            assert f"| `{name}" in page
            assert f"$ leadconvert {name}" in page
