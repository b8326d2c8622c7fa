"""Every example of the docs runs: python blocks of the pages, doctests of the docstrings."""

from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser


# No test is about time, and a busy machine draws slowly.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Before Python 3.13 a ** in a pattern stands for exactly one folder, hence the two forms of each.
_PAGES = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md", "docs/*.md", "docs/**/*.md"]
)
_DOCSTRINGS = Sybil(
    parsers=[DocTestParser()],
    patterns=["src/leadconvert/*.py", "src/leadconvert/**/*.py"],
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (_PAGES + _DOCSTRINGS).pytest()
