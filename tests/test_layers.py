"""The house: a module imports only from those above it, and importing it loads nothing heavy."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import leadconvert
from leadconvert import errors


ROOT = Path(leadconvert.__file__).parent
#: Each imports only from those before it.
ORDER = (
    "given",
    "values",
    "products",
    "wording",
    "problems",
    "errors",
    "past",
    "records",
    "fields",
    "kinds",
    "pipelines",
    "access",
    "policy",
    "organisation",
    "templates",
    "transforms",
    "mapping",
    "matching",
    "merging",
    "children",
    "losses",
    "limits",
    "traces",
    "changes",
    "targets",
    "conditions",
    "owning",
    "automation",
    "cells",
    "columns",
    "rules",
    "spreading",
    "suggesting",
    "refitting",
    "refreshing",
    "tables",
    "proposing",
    "results",
    "choosing",
    "plans",
    "rights",
    "linking",
    "earlier",
    "settling",
    "carrying",
    "wanting",
    "filling",
    "asking",
    "leftovers",
    "moving",
    "travelling",
    "agreeing",
    "assigning",
    "drafting",
    "preceding",
    "claiming",
    "closing",
    "unwinding",
    "reverted",
    "reversal",
    "planning",
    "seeding",
    "twins",
    "conversion",
    "normalize",
    "resuming",
    "acting",
    "whole",
    "moves",
    "arrivals",
    "happenings",
    "following",
    "findings",
    "flowing",
    "needing",
    "holding",
    "fitting",
    "idling",
    "linting",
    "diffing",
    "reading",
    "codec",
)
#: What is outside the core uses public names only, so it proves that they are enough.
OUTSIDE = ("config", "presets", "testing", "stores", "cli")
PUBLIC = {
    "leadconvert",
    *(
        f"leadconvert.{name}"
        for name in (
            *(
                "errors",
                "problems",
                "changes",
                "fields",
                "kinds",
                "codec",
                "records",
                "values",
                "given",
            ),
            *("tables", "proposing"),
        )
    ),
}
#: Third parties, and where alone they are imported.
THIRD_PARTIES = {
    "attrs": {*ORDER, *OUTSIDE},
    "cattrs": {"codec", "config", "reading"},
    "typing_extensions": {*ORDER},
    "hypothesis": {"testing"},
    "phonenumbers": {"normalize"},
    "email_validator": {"normalize"},
    "rich": {"cli"},
    "tomli_w": {"config"},
    "sqlalchemy": {"stores"},
    "psycopg": {"stores"},
}
HEAVY = (
    "cattrs",
    "phonenumbers",
    "email_validator",
    "hypothesis",
    "sqlalchemy",
    "psycopg",
    "rich",
    "json",
    "uuid",
    "logging",
)

CORE = [path for path in sorted(ROOT.glob("*.py")) if path.stem in ORDER]
AROUND = [path for name in OUTSIDE for path in sorted((ROOT / name).rglob("*.py"))]


def name_of(path: Path) -> str:
    """The name of a module by its place in the package."""
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the name of every module that is imported, submodules by their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, "imports are absolute"
            if node.module == "leadconvert":
                known = {*ORDER, *OUTSIDE}
                for alias in node.names:
                    yield f"leadconvert.{alias.name}" if alias.name in known else "leadconvert"
            else:
                yield str(node.module)


def own_imports(path: Path) -> set[str]:
    """The modules of the library that a file imports."""
    found = imports(ast.parse(path.read_text(encoding="utf-8")))
    return {name for name in found if name.split(".")[0] == "leadconvert"}


class TestOrder:
    def test_every_module_has_a_place(self) -> None:
        """A new module needs a place in the order of the house."""
        found = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
        assert set() == found - set(ORDER)
        packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
        assert set() == packages - set(OUTSIDE)

    @pytest.mark.parametrize("path", CORE, ids=name_of)
    def test_only_from_above(self, path: Path) -> None:
        """A module of the core imports only from those above it."""
        above = {f"leadconvert.{name}" for name in ORDER[: ORDER.index(path.stem)]}
        assert set() == own_imports(path) - above

    def test_the_front_door(self) -> None:
        """The package itself imports none of the codec, presets, testing and cli."""
        inside = {
            f"leadconvert.{name}" for name in ORDER if name not in {"normalize", "reading", "codec"}
        }
        assert set() == own_imports(ROOT / "__init__.py") - inside

    @pytest.mark.parametrize("path", AROUND, ids=name_of)
    def test_public_names_only(self, path: Path) -> None:
        """Presets, testing and the command line use what everybody may."""
        package = f"leadconvert.{path.relative_to(ROOT).parts[0]}"
        allowed = {*PUBLIC, "leadconvert.config", "leadconvert.presets", "leadconvert.stores"}
        found = own_imports(path) - allowed
        assert set() == {
            name for name in found if name != package and not name.startswith(f"{package}.")
        }

    @pytest.mark.parametrize("path", CORE, ids=name_of)
    def test_no_import_hides_in_a_function(self, path: Path) -> None:
        """No lazy import hides a loop."""
        tree = ast.parse(path.read_text(encoding="utf-8"))
        hidden = [
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for name in imports(node)
        ]
        assert [] == hidden

    @pytest.mark.parametrize("path", [*CORE, *AROUND], ids=name_of)
    def test_third_parties_stay_in_their_rooms(self, path: Path) -> None:
        """A third party is imported where it belongs, and nowhere else."""
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        found = {name.split(".")[0] for name in imports(ast.parse(path.read_text("utf-8")))}
        strange = found - {"leadconvert", *sys.stdlib_module_names}
        assert set() == {name for name in strange if room not in THIRD_PARTIES.get(name, set())}


class TestLightness:
    def test_nothing_heavy_is_loaded(self) -> None:
        """Importing the library loads attrs and nothing heavier."""
        code = f"import sys, leadconvert; print([n for n in {HEAVY!r} if n in sys.modules])"
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        assert "[]" == done.stdout.strip()

    def test_stores_load_no_database(self) -> None:
        """Importing the stores loads no SQLAlchemy; asking for one of its stores does."""
        code = (
            "import sys; from leadconvert import stores; print('sqlalchemy' in sys.modules);"
            " stores.SqlStore, stores.AsyncSqlStore; print('sqlalchemy' in sys.modules)"
        )
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        )
        assert ["False", "True"] == done.stdout.split()


def public_objects() -> Iterator[tuple[str, object]]:
    """Yield every public class and function by its name."""
    for module in (leadconvert, errors):
        for name in module.__all__:
            value: object = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value


class TestDocumentation:
    def test_public_names_exist_and_are_sorted(self) -> None:
        """Every public name exists, and stands once."""
        for module in (leadconvert, errors):
            assert [] == [name for name in module.__all__ if not hasattr(module, name)]
            assert len(module.__all__) == len(set(module.__all__))

    @pytest.mark.parametrize("named", list(public_objects()), ids=lambda named: str(named[0]))
    def test_every_public_name_has_an_example(self, named: tuple[str, object]) -> None:
        """Every public class and function says what it is, and shows it."""
        assert ">>> " in (inspect.getdoc(named[1]) or "")
