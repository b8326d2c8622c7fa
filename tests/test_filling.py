"""What one target gets: an amount of money and its currency are merged as one value."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    ConversionRules,
    Deal,
    Field,
    FieldMapping,
    Known,
    Lead,
    Merge,
    Pipeline,
    Policy,
    Stage,
    plan,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LEADS: Final = Pipeline(
    "leads", "lead", ["NEW", Stage("DONE", "success"), Stage("JUNK", "failure")]
)
SALES: Final = Pipeline("sales", "deal", ["open", Stage("won", "success")])
TITLED: Final = Lead(id="L-7", stage="NEW", title="Enquiry")
EURO: Final = (Decimal(5000), "EUR")


def rules(**more: object) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    loose: Callable[..., ConversionRules] = ConversionRules
    parts: dict[str, object] = {
        "kinds": [CONTACT, COMPANY, DEAL],
        "pipelines": [LEADS, SALES],
        "mappings": [FieldMapping("title", "deal")],
        "policy": Policy.allow_all(),
    }
    return loose(**parts | more)


def added(ours: object, theirs: object) -> object:
    """A merger that adds two amounts."""
    assert isinstance(ours, Decimal)
    assert isinstance(theirs, Decimal)
    return ours + theirs


class TestMoneyIsOneValue:
    @pytest.mark.parametrize(
        ("old", "conflict", "expected", "unmerged"),
        [
            # of the record nothing, of the lead both: filled
            ((None, None), "fill", (Decimal(5000), "EUR"), set()),
            # one of each would be another sum: neither is written
            ((None, "USD"), "fill", (None, "USD"), {"amount", "currency"}),
            ((Decimal(7), None), "fill", (Decimal(7), None), {"amount", "currency"}),
            # in one currency each goes its own way
            ((None, "EUR"), "fill", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "EUR"), "fill", (Decimal(7), "EUR"), {"amount"}),
            ((Decimal(7), "EUR"), "take", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "EUR"), "added", (Decimal(5007), "EUR"), set()),
            # in two the amount is taken with its currency, or not at all
            ((Decimal(7), "USD"), "fill", (Decimal(7), "USD"), {"amount", "currency"}),
            ((Decimal(7), "USD"), "take", (Decimal(7), "USD"), {"amount", "currency"}),
            ((Decimal(7), "USD"), "take both", (Decimal(5000), "EUR"), set()),
            ((Decimal(7), "USD"), "added", (Decimal(7), "USD"), {"amount", "currency"}),
            ((None, "USD"), "take both", (Decimal(5000), "EUR"), set()),
            # a currency says nothing without its amount
            ((None, None), "keep", (None, None), {"amount", "currency"}),
        ],
    )
    def test_merged_whole_or_not_at_all(
        self,
        old: tuple[Decimal | None, str | None],
        conflict: str,
        expected: tuple[Decimal | None, str | None],
        unmerged: set[str],
    ) -> None:
        """Five thousand euros never become five thousand dollars."""
        how = "take" if conflict == "take both" else conflict
        by = rules(
            mappings=[
                FieldMapping("title", "deal"),
                FieldMapping("amount", "deal", conflict=how),
                FieldMapping(
                    "currency", "deal", conflict="take" if conflict == "take both" else "fill"
                ),
            ],
            mergers={"added": added},
        )
        deal = Deal(id="D-5", stage="open", amount=old[0], currency=old[1])
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5")],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert expected == (result.deal.amount, result.deal.currency)
        assert unmerged == {row.field for row in result.unmerged}
        changed = {name for name in ("amount", "currency") if name in result.outcomes[0].before}
        assert changed == {
            name
            for name, before, after in zip(("amount", "currency"), old, expected, strict=True)
            if before != after
        }

    def test_two_amounts_in_one_currency(self) -> None:
        """Where one of two amounts cannot have the lead's currency, neither is merged."""
        cost = Field("cost", "money", currency="currency")
        by = rules(
            kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[cost])],
            mappings=[FieldMapping("amount", "deal"), FieldMapping("currency", "deal")],
        )
        deal = Deal(id="D-5", stage="open", title="Engine", custom={"cost": Decimal(3)})
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5")],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert (None, None, 3) == (
            result.deal.amount,
            result.deal.currency,
            result.deal.custom["cost"],
        )

    @pytest.mark.parametrize(
        ("supplied", "expected"),
        [
            ({"currency": "CHF"}, (Decimal(5000), "CHF")),
            ({"amount": 9}, (Decimal(9), "USD")),
            ({"amount": 9, "currency": "CHF"}, (Decimal(9), "CHF")),
        ],
    )
    def test_what_is_supplied_is_taken(
        self, supplied: Mapping[str, object], expected: tuple[Decimal, str]
    ) -> None:
        """A person who gives one of the two has decided, as with a new record."""
        by = rules(
            mappings=[FieldMapping("amount", "deal"), FieldMapping("currency", "deal")],
        )
        deal = Deal(id="D-5", stage="open", title="Engine", currency="USD")
        lead = attrs.evolve(TITLED, amount=EURO[0], currency=EURO[1])
        result = plan(
            lead,
            [Merge("deal", "D-5", values=supplied)],
            rules=by,
            actor=Actor("u-7"),
            at=AT,
            known=Known(records=[deal]),
        ).result()
        assert expected == (result.deal.amount, result.deal.currency)
