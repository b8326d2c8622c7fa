"""What callers hand over: what is taken, and the words of a refusal."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Actor,
    Automation,
    ConversionRules,
    Lead,
    OwnerRule,
    Ref,
    presets,
)
from leadconvert.given import all_of, aware, expect, money, named, texts


BERLIN = timezone(timedelta(hours=1))


class TestTexts:
    def test_a_tuple_of_texts(self) -> None:
        """Any iterable of texts becomes a tuple."""
        assert ("a", "b") == texts(iter(["a", "b"]))
        assert () == texts([])

    def test_one_text(self) -> None:
        """One text where a list belongs is refused, with the way out."""
        with pytest.raises(TypeError, match=r"not one text: write \[\.\.\.\] around it"):
            texts("sales")

    @pytest.mark.parametrize(("given_list", "told"), [([1], "an int"), ([None], "None")])
    def test_something_else_inside(self, given_list: list[object], told: str) -> None:
        """A list of something else is refused."""
        loose: Callable[..., object] = texts
        with pytest.raises(TypeError, match=f"it holds {told}"):
            loose(given_list)


class TestAware:
    def test_a_moment_with_a_zone(self) -> None:
        """A moment with a zone comes back unchanged."""
        moment = datetime(2027, 1, 31, 12, 0, tzinfo=BERLIN)
        assert moment is aware(moment)

    def test_a_naive_moment(self) -> None:
        """A naive moment is refused, with the way out."""
        naive = datetime(2027, 1, 31)  # noqa: DTZ001 - the mistake under test
        with pytest.raises(ValueError, match="needs a time zone"):
            aware(naive)

    @pytest.mark.parametrize("wrong", ["2027-01-31T00:00:00Z", date(2027, 1, 31), 0, None])
    def test_no_moment_at_all(self, wrong: object) -> None:
        """What is no datetime is refused."""
        loose: Callable[..., object] = aware
        with pytest.raises(TypeError, match="a datetime is needed here, not"):
            loose(wrong)


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "expected"),
        [
            (5000, Decimal(5000)),
            (0, Decimal(0)),
            (Decimal("0.10"), Decimal("0.10")),
            (-3, Decimal(-3)),
        ],
    )
    def test_exact_amounts(self, amount: Decimal | int, expected: Decimal) -> None:
        """Decimals and ints are exact."""
        assert expected == money(amount)
        assert str(expected) == str(money(amount))

    @pytest.mark.parametrize("wrong", [0.1, "5", True, None, float("nan")])
    def test_inexact_amounts(self, wrong: object) -> None:
        """A float, a text, a bool are no amounts."""
        loose: Callable[..., object] = money
        with pytest.raises(TypeError, match="an amount is a Decimal or an int, not"):
            loose(wrong)

    @pytest.mark.parametrize("wrong", ["NaN", "sNaN", "Infinity", "-Infinity"])
    def test_amounts_without_end(self, wrong: str) -> None:
        """NaN and infinity are no amounts."""
        with pytest.raises(ValueError, match="an amount must be finite"):
            money(Decimal(wrong))


class TestNamed:
    def test_with_its_article(self) -> None:
        """A class is named as in a sentence; None is just None."""
        assert ["a str", "an int", "an Actor", "a Lead", "None"] == [
            named(cls) for cls in (str, int, Actor, Lead, type(None))
        ]


class TestIsA:
    @pytest.mark.parametrize(
        ("cls", "given_values", "told"),
        [
            (Lead, {"id": 7, "stage": "NEW"}, "id of a Lead is a str, not an int"),
            (Lead, {"id": "L-7", "stage": None}, "stage of a Lead is a str, not None"),
            (Lead, {"id": "L-7", "stage": "NEW", "opened": 1}, "opened of a Lead is a bool, not"),
            (Actor, {"id": b"u-7"}, "id of an Actor is a str, not a bytes"),
            (
                Automation,
                {"rules": [], "actor": "robot"},
                "actor of an Automation is an Actor, not a str",
            ),
            (
                OwnerRule,
                {"kind": "deal", "to": "actor", "when": "amount > 5"},
                "when of an OwnerRule is a Where or an AllOf or an AnyOf or a Not, not a str",
            ),
        ],
    )
    def test_another_class(
        self, cls: Callable[..., object], given_values: dict[str, object], told: str
    ) -> None:
        """What is of another class is told by where it belongs and what it is."""
        with pytest.raises(TypeError, match=f"^{told}"):
            cls(**given_values)

    def test_the_value_is_not_told(self) -> None:
        """A value of another class may be one to hide, so it is never told."""
        loose: Callable[..., object] = Lead
        with pytest.raises(TypeError) as caught:
            loose(id="L-7", stage="NEW", title=b"a secret")
        assert ("title of a Lead is a str, not a bytes",) == caught.value.args


class TestExpect:
    def test_the_first_that_is_another(self) -> None:
        """An argument of another class is told by its name; the right ones pass."""
        actor = Actor("u-7")
        expect(("actor", actor, Actor))
        with pytest.raises(TypeError, match=r"^lead is a Lead, not an Actor$"):
            expect(("actor", actor, Actor), ("lead", actor, Lead))

    def test_not_called(self) -> None:
        """What is to be called first is told with the way out."""
        with pytest.raises(TypeError, match=r"not a Bitrix24, it is to be called: write \(\)"):
            expect(("rules", presets.bitrix24, ConversionRules))


class TestAllOf:
    def test_a_tuple(self) -> None:
        """Whatever can be walked through becomes a tuple."""
        assert (Ref("deal", "D-5"),) == all_of(iter([Ref("deal", "D-5")]), Ref)

    @pytest.mark.parametrize("wrong", ["deal", Ref("deal", "D-5")])
    def test_a_single_one(self, wrong: object) -> None:
        """A single one, or a text, is told with what to write instead."""
        loose: Callable[..., object] = all_of
        with pytest.raises(TypeError, match=r"a list of Ref is needed here: write \[\.\.\.\]"):
            loose(wrong, Ref)

    def test_something_else_inside(self) -> None:
        """A list that holds something else is refused."""
        loose: Callable[..., object] = all_of
        with pytest.raises(TypeError, match=r"^a list of Ref holds an int$"):
            loose([Ref("deal", "D-5"), 5], Ref)

    @pytest.mark.parametrize(
        "part", ["kinds", "pipelines", "mappings", "children", "owners", "limits", "leftovers"]
    )
    def test_parts_of_rules(self, part: str) -> None:
        """Parts of rules are lists of what they are made of, and a text inside is refused."""
        loose: Callable[..., object] = attrs.evolve
        with pytest.raises(TypeError, match=r"^a list of [A-Za-z]+ holds a str$"):
            loose(presets.bitrix24(), **{part: ["deal"]})
