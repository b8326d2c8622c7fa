"""Product lines: what they add up to, and what is left of them when others have taken some."""

from collections import Counter
from collections.abc import Iterable
from decimal import MAX_EMAX, Decimal, localcontext

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import Product
from leadconvert.products import remaining, total


laws = settings(max_examples=200, deadline=None)


def line(
    name: str, price: int | str | Decimal, quantity: int | str = 1, product_id: str | None = None
) -> Product:
    """One product line, in few words."""
    return Product(
        name=name, price=Decimal(price), quantity=Decimal(quantity), product_id=product_id
    )


def left(lines: Iterable[Product], *taken: Product) -> list[tuple[str, str]]:
    """What is left, as names and quantities."""
    return [(one.name, str(one.quantity)) for one in remaining(lines, taken)]


class TestTotal:
    def test_price_times_quantity_of_all(self) -> None:
        """Lines add up to the price of each times its quantity."""
        lines = [line("Engine", "99.50", 2), line("Card", "0.05", 1000), line("Set-up", 90)]
        assert Decimal("339.00") == total(lines)

    def test_of_no_lines(self) -> None:
        """No lines add up to nothing."""
        assert Decimal(0) == total([])

    def test_a_discount_counts_against_the_rest(self) -> None:
        """A negative price or quantity is subtracted, and may leave less than nothing."""
        assert Decimal(80) == total([line("Engine", 100), line("Discount", -20)])
        assert Decimal(-50) == total([line("Engine", 100), line("Engine", 50, -3)])

    def test_tax_is_part_of_the_price(self) -> None:
        """What share of a price is tax makes no difference to the sum."""
        taxed = attrs.evolve(line("Engine", 100), tax_percent=19)
        assert Decimal(100) == total([taxed])

    def test_exact_to_the_last_digit(self) -> None:
        """No digit is rounded away, however long the numbers are that people write."""
        long = "1234567890123456789012345678901234.56"
        assert Decimal("1234567890123456789012345678901234.57") == total(
            [line("a", long), line("b", "0.01")]
        )

    def test_the_same_whatever_the_callers_context(self) -> None:
        """A caller who computes roughly gets the same sum, and no exception for being exact."""
        lines = [line("Engine", "99.51", 3)]
        with localcontext(prec=2) as rough:
            rough.traps = dict.fromkeys(rough.traps, True)
            assert Decimal("298.53") == total(lines)

    @pytest.mark.parametrize("sign", ["", "-"])
    def test_beyond_all_numbers(self, sign: str) -> None:
        """A sum that no number holds is infinite, and raises nothing."""
        lines = [line("a", f"{sign}9E{MAX_EMAX}", "9E9")]
        assert Decimal(f"{sign}Infinity") == total(lines)

    def test_infinitely_much_of_both(self) -> None:
        """What is infinitely much and infinitely little together is no number, and no error."""
        huge = f"9E{MAX_EMAX}"
        assert total([line("a", huge, "9E9"), line("a", f"-{huge}", "9E9")]).is_nan()


class TestRemaining:
    def test_quantities_are_subtracted(self) -> None:
        """What others took of a line is not left."""
        assert [("Seat", "3")] == left([line("Seat", 10, 5)], line("Seat", 10, 2))

    def test_what_is_taken_whole_is_gone(self) -> None:
        """A line of which nothing is left is no line of quantity zero."""
        assert [("Set-up", "1")] == left(
            [line("Seat", 10, 5), line("Set-up", 90)], line("Seat", 10, 5)
        )

    def test_never_below_zero(self) -> None:
        """Whoever took more than there was leaves nothing, and no debt to the other lines."""
        lines = [line("Seat", 10, 5), line("Chair", 10, 5)]
        assert [("Chair", "5")] == left(lines, line("Seat", 10, 50))

    def test_nothing_taken(self) -> None:
        """Where nobody took anything every line is left as it is."""
        lines = (line("Seat", 10, "5.00", "P-1"), line("Set-up", 90))
        assert lines == remaining(lines, [])
        assert "5.00" == str(remaining(lines, [])[0].quantity)

    def test_no_lines(self) -> None:
        """Of no lines nothing is left, whatever was taken."""
        assert () == remaining([], [line("Seat", 10)])

    def test_a_fraction(self) -> None:
        """Quantities need not be whole."""
        assert [("Cable", "0.75")] == left([line("Cable", 2, "1.25")], line("Cable", 2, "0.5"))

    def test_several_took_of_one_line(self) -> None:
        """What different records took of a line counts together."""
        taken = [line("Seat", 10, 2), line("Seat", 10), line("Seat", 10)]
        assert [("Seat", "1")] == left([line("Seat", 10, 5)], *taken)

    def test_one_took_of_several_lines(self) -> None:
        """The same line twice is taken from in order: the first, then the next."""
        lines = [line("Seat", 10, 2), line("Desk", 50), line("Seat", 10, 3)]
        assert [("Desk", "1"), ("Seat", "1")] == left(lines, line("Seat", 10, 4))

    def test_the_rest_stays_as_it_is(self) -> None:
        """Of a line that is left in part only the quantity is another."""
        seat = attrs.evolve(line("Seat", 10, 5, "P-1"), tax_percent=19)
        [rest] = remaining([seat], [line("Seat", 10, 2, "P-1")])
        assert attrs.evolve(seat, quantity=3) == rest


class TestSameLine:
    def test_by_product_and_price_whatever_the_name(self) -> None:
        """A product that was renamed in the deal is still that product."""
        lines = [line("Seat", 10, 5, "P-1")]
        assert [("Seat", "4")] == left(lines, line("Chair, red", 10, 1, "P-1"))

    def test_by_name_and_price_without_a_product(self) -> None:
        """A line that is no product of a catalogue is known by its name."""
        assert [("Seat", "4")] == left([line("Seat", 10, 5)], line("Seat", 10))
        assert [("Seat", "5")] == left([line("Seat", 10, 5)], line("seat", 10))

    def test_a_blank_product_is_none(self) -> None:
        """A product id that says nothing names no product."""
        assert [("Seat", "4")] == left([line("Seat", 10, 5, "")], line("Seat", 10))

    def test_another_price_is_another_line(self) -> None:
        """What was sold at another price was not taken of this."""
        assert [("Seat", "5")] == left([line("Seat", 10, 5, "P-1")], line("Seat", 9, 5, "P-1"))
        assert [("Seat", "5")] == left([line("Seat", 10, 5)], line("Seat", 9, 5))

    def test_a_price_however_it_is_written(self) -> None:
        """Zeros at the end of a price make no difference."""
        assert [] == left([line("Seat", "10.00", 5)], line("Seat", 10, "5.0"))

    def test_a_product_is_not_found_by_name(self) -> None:
        """A line with a product and one without are two, even under one name."""
        assert [("Seat", "5")] == left([line("Seat", 10, 5, "P-1")], line("Seat", 10, 5))
        assert [("Seat", "5")] == left([line("Seat", 10, 5)], line("Seat", 10, 5, "P-1"))

    def test_a_name_that_is_somebodys_product_id(self) -> None:
        """The name of one line is never taken for the product of another."""
        assert [("P-1", "5")] == left([line("P-1", 10, 5)], line("x", 10, 5, "P-1"))

    def test_tax_makes_no_difference(self) -> None:
        """A line is the same one at another rate of tax."""
        assert [] == left([attrs.evolve(line("Seat", 10), tax_percent=19)], line("Seat", 10))


class TestNotAboveZero:
    @pytest.mark.parametrize("quantity", [0, -2])
    def test_taken_as_a_whole(self, quantity: int) -> None:
        """A line of which there is none, or less, is gone once somebody has it."""
        lines = [line("Return", 10, quantity), line("Seat", 10)]
        assert [("Seat", "1")] == left(lines, line("Return", 10, quantity))

    @pytest.mark.parametrize("quantity", [0, -2])
    def test_or_not_at_all(self, quantity: int) -> None:
        """Nothing is subtracted from such a line, and such a line takes from no other."""
        lines = [line("Seat", 10, quantity), line("Seat", 10, 5)]
        assert [("Seat", str(quantity)), ("Seat", "1")] == left(lines, line("Seat", 10, 4))
        assert [("Seat", str(quantity)), ("Seat", "5")] == left(lines, line("Seat", 10, -7))

    def test_one_of_two(self) -> None:
        """Of two such lines one is taken by one."""
        lines = [line("Return", 10, -2), line("Return", 10, -2)]
        assert [("Return", "-2")] == left(lines, line("Return", 10, -2))
        assert [] == left(lines, line("Return", 10, -2), line("Return", 10, -2))


class TestExact:
    def test_long_quantities(self) -> None:
        """No digit of a quantity is rounded away, taken from or not."""
        long = "1234567890123456789012345678901234"
        assert [("a", long)] == left([line("a", 1, long)])
        assert [("a", "1234567890123456789012345678901233")] == left(
            [line("a", 1, long)], line("a", 1)
        )

    def test_the_same_whatever_the_callers_context(self) -> None:
        """A caller who computes roughly gets the same lines, and no exception for being exact."""
        with localcontext(prec=2) as rough:
            rough.traps = dict.fromkeys(rough.traps, True)
            found = remaining([line("a", 1, "1000.5")], [line("a", 1, "0.25"), line("a", 1, "900")])
        assert [Decimal("100.25")] == [one.quantity for one in found]

    def test_more_than_any_number_taken(self) -> None:
        """Quantities that no number holds together leave nothing, and raise nothing."""
        huge = line("a", 1, f"9.99E{MAX_EMAX}")
        assert [] == left([huge, line("a", 1)], huge, huge)


names = st.sampled_from(["Seat", "Desk"])
ids = st.sampled_from([None, None, "P-1", "P-2"])
prices = st.sampled_from([Decimal(10), Decimal("10.00"), Decimal("0.05"), Decimal(-3)])


def lines_of(quantities: st.SearchStrategy[int]) -> st.SearchStrategy[list[Product]]:
    """Some product lines, so few of a sort that many are the same."""
    one = st.builds(Product, name=names, price=prices, quantity=quantities, product_id=ids)
    return st.lists(one, max_size=6)


countable = lines_of(st.integers(1, 9))
anything = lines_of(st.integers(-2, 9))


@st.composite
def taken_from(draw: st.DrawFn) -> tuple[list[Product], list[Product]]:
    """Lines, and what somebody took of them who took no more than there was."""
    lines = draw(countable)
    taken = [
        attrs.evolve(one, quantity=part)
        for one in lines
        if (part := draw(st.integers(0, int(one.quantity)), "taken"))
    ]
    return lines, draw(st.permutations(taken))


def counted(lines: Iterable[Product]) -> Counter[tuple[str | None, str, Decimal]]:
    """How much there is of each line, and how many of those that are not above zero."""
    found: Counter[tuple[str | None, str, Decimal]] = Counter()
    for one in lines:
        name = "" if one.product_id else one.name
        sort = "" if one.quantity > 0 else f" {one.quantity}"
        many = int(one.quantity) if one.quantity > 0 else 1
        found[one.product_id, name + sort, one.price] += many
    return found


class TestLaws:
    @laws
    @given(taken_from())
    def test_taken_and_left_are_all_there_was(
        self, some: tuple[list[Product], list[Product]]
    ) -> None:
        """Where nobody takes more than there is, both add up to what there was."""
        lines, taken = some
        assert total(lines) == total(taken) + total(remaining(lines, taken))

    @laws
    @given(anything, anything)
    def test_line_by_line_what_was_not_taken(
        self, lines: list[Product], taken: list[Product]
    ) -> None:
        """Of each line as much is left as was not taken, and nothing else is."""
        assert counted(lines) - counted(taken) == counted(remaining(lines, taken))

    @laws
    @given(anything, anything)
    def test_what_is_left_stands_in_the_order_of_the_lines(
        self, lines: list[Product], taken: list[Product]
    ) -> None:
        """Nothing changes its place or anything but its quantity, and none has quantity zero."""
        rest = iter(lines)
        for one in remaining(lines, taken):
            # an iterator is used up by looking, so each is found after the last one
            assert any(attrs.evolve(was, quantity=one.quantity) == one for was in rest)
        assert all(one.quantity or one in lines for one in remaining(lines, taken))

    @laws
    @given(
        anything, anything.flatmap(lambda taken: st.tuples(st.just(taken), st.permutations(taken)))
    )
    def test_who_took_first_makes_no_difference(
        self, lines: list[Product], taken: tuple[list[Product], list[Product]]
    ) -> None:
        """The order of what was taken changes nothing."""
        one, other = taken
        assert remaining(lines, one) == remaining(lines, other)

    @laws
    @given(anything, anything, anything)
    def test_one_after_the_other_or_together(
        self, lines: list[Product], some: list[Product], more: list[Product]
    ) -> None:
        """Two who take one after the other leave what one leaves who takes all of it."""
        assert remaining(lines, [*some, *more]) == remaining(remaining(lines, some), more)

    @laws
    @given(anything)
    def test_all_of_it(self, lines: list[Product]) -> None:
        """Whoever takes everything leaves nothing, and whoever takes nothing all of it."""
        assert () == remaining(lines, lines)
        assert tuple(lines) == remaining(lines, [])
