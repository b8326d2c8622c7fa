"""The changelog keeps up with the version, and names what can be imported."""

import importlib.metadata
import pkgutil
import re
from datetime import date
from pathlib import Path


CHANGELOG = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text("utf-8")


class TestChangelog:
    """CHANGELOG.md."""

    def test_the_current_version_has_a_dated_entry(self) -> None:
        """Nobody releases a version without saying what is in it."""
        version = re.escape(importlib.metadata.version("leadconvert"))
        entry = re.search(rf"^## \[{version}\] - (\S+)$", CHANGELOG, re.MULTILINE)
        assert entry is not None
        assert date(2026, 11, 23) <= date.fromisoformat(entry.group(1))

    def test_the_first_version_was_dated_when_it_was_made(self) -> None:
        """A date in the changelog does not move."""
        assert "## [0.1.0] - 2026-11-23" in CHANGELOG.splitlines()

    def test_every_symbol_named_exists(self) -> None:
        """A name in the changelog can be copied into an import."""
        names = re.findall(r"`(leadconvert(?:\.\w+)+)", CHANGELOG)
        assert names
        for name in names:
            assert pkgutil.resolve_name(name) is not None
