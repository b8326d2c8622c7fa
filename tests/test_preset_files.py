"""The presets as files: what stands in docs/examples is what Python says, to the letter."""

from pathlib import Path

import pytest

from leadconvert import ConversionRules, config, presets


EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


@pytest.mark.parametrize(
    ("name", "rules"),
    [("bitrix24", presets.bitrix24()), ("salesforce", presets.salesforce())],
    ids=["bitrix24", "salesforce"],
)
class TestFiles:
    def test_they_are_the_preset(self, name: str, rules: ConversionRules) -> None:
        """The file gives the rules of the preset."""
        assert rules == config.load(EXAMPLES / f"{name}.toml")

    def test_they_are_written_from_it(self, name: str, rules: ConversionRules) -> None:
        """The file is what the preset is written as, under the line for editors."""
        first, _, rest = (EXAMPLES / f"{name}.toml").read_text("utf-8").split("\n", 2)
        assert first.startswith("#:schema ")
        assert config.dumps(rules) == rest


def test_built_once() -> None:
    """A preset is one value, however often it is asked for."""
    assert presets.bitrix24() is presets.bitrix24()
    assert presets.salesforce() is presets.salesforce()
