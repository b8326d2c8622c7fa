"""A request made before is told again only to whoever may make it now."""

from datetime import UTC, datetime
from typing import Final

import pytest

from leadconvert import Actor, ConversionResult, Lead, Reversal, errors, presets, seed
from leadconvert.stores import MemoryStore, convert_stored, reverse_stored


AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
RULES: Final = presets.bitrix24()
BOSS: Final = Actor("u-1", roles=["admin"])
STRANGER: Final = Actor("u-9")


def convert(store: MemoryStore, actor: Actor) -> ConversionResult:
    """Convert the one lead under the one key."""
    return convert_stored(store, "L-7", ["deal"], rules=RULES, actor=actor, at=AT, key="k-1")


def reverse(store: MemoryStore, actor: Actor) -> Reversal:
    """Take it back under another key."""
    return reverse_stored(store, "L-7", rules=RULES, actor=actor, at=AT, key="k-2")


@pytest.fixture
def store() -> MemoryStore:
    """A store with one lead."""
    made = MemoryStore(RULES)
    made.apply(seed([Lead(id="L-7", stage="NEW", title="Engine")], rules=RULES))
    return made


class TestReplay:
    def test_by_whoever_made_it(self, store: MemoryStore) -> None:
        """The first result comes back, though the lead cannot be converted again."""
        first = convert(store, BOSS)
        assert first.deal == convert(store, BOSS).deal
        assert "NEW" == reverse(store, BOSS).lead.stage == reverse(store, BOSS).lead.stage

    def test_by_a_stranger(self, store: MemoryStore) -> None:
        """Who knows the key and has no rights learns nothing."""
        convert(store, BOSS)
        with pytest.raises(errors.AccessDeniedError) as denied:
            convert(store, STRANGER)
        assert {"no_grant"} == {problem.code for problem in denied.value.problems}
        reverse(store, BOSS)
        with pytest.raises(errors.AccessDeniedError):
            reverse(store, STRANGER)
