"""Product lines: what they add up to, and what is left when others have taken some."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Final

import attrs

from leadconvert.values import Product


__all__ = ["remaining", "total"]

#: Exact for any amount of money, the same whatever the caller's context, and it raises nothing.
_EXACT: Final = Context(prec=100, Emin=MIN_EMIN, Emax=MAX_EMAX, clamp=0, traps=[])


def total(lines: Iterable[Product]) -> Decimal:
    """Return what product *lines* add up to: price times quantity, of all.

    Beyond any number there is, that is infinite or no number at all.

    Example:
        >>> from decimal import Decimal
        >>> from leadconvert import Product
        >>> from leadconvert.products import total
        >>> total([Product(name="Engine", price=Decimal("99.50"), quantity=2)])
        Decimal('199.00')
    """
    summed = Decimal(0)
    for line in lines:
        summed = _EXACT.add(summed, _EXACT.multiply(line.price, line.quantity))
    return summed


def remaining(lines: Iterable[Product], taken: Iterable[Product]) -> tuple[Product, ...]:
    """Return the *lines* without what was *taken* of them: quantities subtracted, never below zero.

    A line is the same by its product and price, or by its name and price if it has no product. One
    whose quantity is not above zero is taken as a whole, or not at all.

    Example:
        >>> from leadconvert import Product
        >>> from leadconvert.products import remaining
        >>> lead = [Product(name="Seat", price=10, quantity=5), Product(name="Set-up", price=90)]
        >>> deal = [Product(name="Seat", price=10, quantity=2), Product(name="Set-up", price=90)]
        >>> [(line.name, line.quantity) for line in remaining(lead, deal)]
        [('Seat', Decimal('3'))]
    """
    gone = defaultdict[object, Decimal](Decimal)
    for line in taken:
        key = _key(line)
        gone[key] = _EXACT.add(gone[key], _counted(line))
    left: list[Product] = []
    for line in lines:
        key = _key(line)
        took = min(gone[key], _counted(line))
        gone[key] = _EXACT.subtract(gone[key], took)
        if not took:
            left.append(line)
        elif took < line.quantity:
            left.append(attrs.evolve(line, quantity=_EXACT.subtract(line.quantity, took)))
    return tuple(left)


def _counted(line: Product) -> Decimal:
    return line.quantity if line.quantity > 0 else Decimal(1)


def _key(line: Product) -> object:
    named = (line.product_id, None) if line.product_id else (None, line.name)
    # what is no quantity to subtract from must be as it was
    return (*named, line.price, line.quantity if line.quantity <= 0 else None)
