"""Product lines: what they add up to, and what is left when others have taken some."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

import attrs

from leadconvert.values import Product


__all__ = ["remaining", "total"]


def total(lines: Iterable[Product]) -> Decimal:
    """Return what product *lines* add up to: price times quantity, of all.

    Example:
        >>> from decimal import Decimal
        >>> from leadconvert import Product
        >>> from leadconvert.products import total
        >>> total([Product(name="Engine", price=Decimal("99.50"), quantity=2)])
        Decimal('199.00')
    """
    return sum((line.price * line.quantity for line in lines), Decimal(0))


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
        gone[_key(line)] += line.quantity if line.quantity > 0 else 1
    left: list[Product] = []
    for line in lines:
        key = _key(line)
        took = min(gone[key], line.quantity if line.quantity > 0 else 1)
        gone[key] -= took
        if line.quantity <= 0 and not took:
            left.append(line)
        elif took < line.quantity:
            left.append(attrs.evolve(line, quantity=line.quantity - took))
    return tuple(left)


def _key(line: Product) -> object:
    named = (line.product_id, None) if line.product_id else (None, line.name)
    # what is no quantity to subtract from must be as it was
    return (*named, line.price, line.quantity if line.quantity <= 0 else None)
