"""Type-checks the python blocks of the pages, each page as one module, and the recipes, strictly.

Run it with ``uv run --group types python tests/typing/check_docs.py``; it tells the page and the
line of each mistake, and exits with 1 where there is any.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final


ROOT: Final = Path(__file__).resolve().parents[2]


def pages() -> list[Path]:
    """Return the pages whose blocks are checked."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def module_of(page: str) -> str:
    """Return the python blocks of a page as a module, every line where it stands in the page."""
    return "\n".join(_lines(page.splitlines())) + "\n"


def _lines(lines: Iterable[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("```"):
            inside = line.strip() == "```python"
            yield ""
        else:
            yield line if inside else ""


def main() -> int:
    """Check every page and print each mistake as page:line."""
    with tempfile.TemporaryDirectory() as folder:
        page_of: dict[str, str] = {}
        for page in pages():
            relative = page.relative_to(ROOT)
            name = "page_" + "_".join(relative.with_suffix("").parts).lower() + ".py"
            Path(folder, name).write_text(module_of(page.read_text("utf-8")), "utf-8")
            page_of[name] = str(relative)
        shutil.copytree(ROOT / "docs" / "recipes", Path(folder, "docs", "recipes"))
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-incremental"]
        command += ["--explicit-package-bases"]  # recipes are imported as docs.recipes.name
        checked = subprocess.run(  # noqa: S603 - the command is written out above
            [*command, *page_of, "docs"], cwd=folder, capture_output=True, text=True, check=False
        )
    told = checked.stdout
    for name, shown in page_of.items():
        told = told.replace(f"{name}:", f"{shown}:")
    sys.stdout.write(told + checked.stderr)
    return checked.returncode


if __name__ == "__main__":
    sys.exit(main())
