"""A request made before is told again to whoever made it and might again, and who may now."""

from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Channel,
    ConversionResult,
    ConversionRules,
    Deal,
    Grant,
    Lead,
    Matching,
    MatchRule,
    Policy,
    Ref,
    Reversal,
    Role,
    errors,
    presets,
    seed,
)
from leadconvert.stores import MemoryStore, advance_stored, convert_stored, reverse_stored


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


ALL: Final = ("read", "update", "convert", "move", "reverse", "reopen")
#: Rights on leads that are not converted yet, and to make contacts, but not to change any.
SELLER: Final = Role(
    "seller",
    [
        Grant("lead", ALL, "all", stage="NEW"),
        Grant("deal", ["create", "read", "update", "move"], "all", stage="NEW"),
        Grant("contact", ["create", "read"], "all"),
    ],
)
#: Rights on leads that are converted.
KEEPER: Final = Role("keeper", [Grant("lead", ALL, "all", stage="CONVERTED")])
SALES: Final = attrs.evolve(
    RULES,
    policy=Policy([SELLER, KEEPER]),
    matching=Matching([MatchRule("contact", ["email"], "merge")]),
)
ADA: Final = Actor("u-7", roles=["seller"])
BOB: Final = Actor("u-8", roles=["seller"])
KIM: Final = Actor("u-9", roles=["keeper"])


def sales(rules: ConversionRules = SALES) -> MemoryStore:
    """A store with one lead, and one deal."""
    made = MemoryStore(rules)
    emails = [Channel("ada@example.com")]
    lead = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace", emails=emails)
    deal = Deal(id="D-5", title="Old", pipeline="0", stage="NEW")
    made.apply(seed([lead, deal], rules=rules))
    return made


class TestRightsThatGoByTheStage:
    def test_who_converted_it(self) -> None:
        """Who may not see the lead where the conversion took it is still told of the conversion."""
        store = sales()
        given: dict[str, Any] = {"rules": SALES, "at": AT, "key": "k-1"}
        first = convert_stored(store, "L-7", ["deal"], actor=ADA, **given)
        again = convert_stored(store, "L-7", ["deal"], actor=ADA, **given)
        assert (first.lead, first.deal) == (again.lead, again.deal)
        for other in (BOB, attrs.evolve(ADA, roles=[])):
            with pytest.raises(errors.AccessDeniedError) as denied:
                convert_stored(store, "L-7", ["deal"], actor=other, **given)
            assert {"lead"} <= {one.kind for one in denied.value.problems}

    def test_what_it_made(self) -> None:
        """Who may make a contact, and change none, is told of the one that they made."""
        store = sales()
        given: dict[str, Any] = {"rules": SALES, "at": AT, "key": "k-1", "closing": False}
        first = convert_stored(store, "L-7", ["contact"], actor=ADA, **given)
        again = convert_stored(store, "L-7", ["contact"], actor=ADA, **given)
        assert (first.lead, first.contact) == (again.lead, again.contact)
        with pytest.raises(errors.AccessDeniedError) as denied:
            convert_stored(store, "L-7", ["contact"], actor=BOB, **given)
        assert {"contact"} == {one.kind for one in denied.value.problems}

    def test_who_moved_it(self) -> None:
        """The same goes for whoever moved a lead or a deal out of their sight."""
        store = sales()
        for record, to in ((Ref("lead", "L-7"), "JUNK"), (Ref("deal", "D-5"), "WON")):
            given: dict[str, Any] = {"rules": SALES, "at": AT, "key": f"k-{to}"}
            first = advance_stored(store, record, to, actor=ADA, **given)
            assert first.record == advance_stored(store, record, to, actor=ADA, **given).record
            with pytest.raises(errors.AccessDeniedError):
                advance_stored(store, record, to, actor=BOB, **given)

    def test_who_took_it_back(self) -> None:
        """And for whoever took a conversion back, after which the lead stands where it was."""
        store = sales()
        convert_stored(store, "L-7", ["deal"], actor=ADA, rules=SALES, at=AT)
        given: dict[str, Any] = {"rules": SALES, "at": AT, "key": "k-1", "keep": True}
        first = reverse_stored(store, "L-7", actor=KIM, **given)
        assert first.lead == reverse_stored(store, "L-7", actor=KIM, **given).lead
        assert first.lead == reverse_stored(store, "L-7", actor=BOB, **given).lead
        with pytest.raises(errors.AccessDeniedError):
            reverse_stored(store, "L-7", actor=attrs.evolve(KIM, id="u-10"), **given)
