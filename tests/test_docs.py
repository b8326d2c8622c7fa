"""The pages keep up with the code: every code of a problem, every error, every name is there."""

import inspect
import re
from pathlib import Path

import pytest

import leadconvert
from leadconvert import errors
from leadconvert.wording import SENTENCES


ROOT = Path(__file__).resolve().parents[1]
ERRORS = (ROOT / "docs" / "errors.md").read_text("utf-8")
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def rows_of(page: str) -> dict[str, list[str]]:
    """Return the rows of a page's tables by their first cell, which stands in backticks."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return {first.strip("`"): [cell.strip() for cell in rest] for first, *rest in rows}


def as_on_the_page(sentence: str) -> str:
    """Return a sentence as a reader sees it: facts in braces, no guesses."""
    plain = sentence.replace("{hint}", "").replace("!r}", "}")
    return plain.replace("{{", "{").replace("}}", "}")


class TestErrorsPage:
    """docs/errors.md."""

    @pytest.mark.parametrize("code", list(SENTENCES))
    def test_every_code_stands_there_with_its_sentence_and_remedy(self, code: str) -> None:
        """Each code is listed, with the words the library itself uses."""
        told, remedy = SENTENCES[code]
        assert [as_on_the_page(told), as_on_the_page(remedy)] == rows_of(ERRORS).get(code)

    def test_no_code_stands_there_that_the_library_does_not_know(self) -> None:
        """A code that is gone is gone from the page too."""
        listed = {name for name in rows_of(ERRORS) if not name.endswith("Error")}
        assert set(SENTENCES) == listed

    def test_every_error_stands_there(self) -> None:
        """Each error that can be raised has its row; each row says what is left unchanged."""
        raised = {
            name
            for name, one in inspect.getmembers(errors, inspect.isclass)
            if issubclass(one, errors.LeadConvertError) and one is not errors.LeadConvertError
        }
        rows = {name: row for name, row in rows_of(ERRORS).items() if name.endswith("Error")}
        assert raised == set(rows)
        unknown = rows.pop("UnavailableError")
        assert "everything or nothing: nobody knows" == unknown[1]
        assert {"everything"} == {row[1] for row in rows.values()}


class TestConceptsPage:
    """docs/concepts.md."""

    @pytest.mark.parametrize("outcome", list(leadconvert.Outcome))
    def test_every_outcome_stands_there(self, outcome: leadconvert.Outcome) -> None:
        """Whatever explain() may answer is explained."""
        assert f"`{outcome.value}`" in PAGES["docs/concepts.md"]


class TestReadme:
    """README.md."""

    @pytest.mark.parametrize(
        "command",
        [
            "python -m pip install -q uv && uv run leadconvert convert docs/examples/leads.json",
            "python -m pip install -q uv && uv run pytest",
            "python -m venv .venv",
        ],
    )
    def test_the_commands_stand_on_lines_of_their_own(self, command: str) -> None:
        """Whoever copies a line gets a whole command."""
        assert command in PAGES["README.md"].splitlines()


class TestLinks:
    """Links between the pages."""

    @pytest.mark.parametrize("page", list(PAGES))
    def test_links_lead_to_files_of_the_project(self, page: str) -> None:
        """Every relative link of a page has its file."""
        links = re.findall(r"\]\(([^)#:]+)\)", PAGES[page])
        known = {"CONTRIBUTING.md"}  # for those who have a checkout; not part of a release
        missing = [
            link
            for link in links
            if link not in known and not (ROOT / page).parent.joinpath(link).exists()
        ]
        assert not missing
