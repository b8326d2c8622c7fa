"""Text made of several fields: what stands between them, and how a value is told there."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from string import Formatter
from typing import Final
from unicodedata import category

import attrs

from leadconvert.values import Address, Channel, Product, is_empty


__all__ = ["Template", "shortened", "worded"]

_PARSER: Final = Formatter()
_JOINER: Final = "\u200d"


@attrs.frozen
class Template:
    """A text with places for fields, such as ``"{company_name}: {title}"``.

    Text between two places stands only where there is something on both sides of it; text before
    the first place goes with the first, text after the last with the last. So a missing value
    leaves no loose colon behind. ``{{`` and ``}}`` are braces.

    Raises:
        ValueError: a brace is left open, a place is empty, or there is none.

    Example:
        >>> from leadconvert.templates import Template
        >>> template = Template("{company_name}: {title}")
        >>> template.fields
        ('company_name', 'title')
        >>> template.filled({"company_name": None, "title": "Engine"})
        'Engine'
    """

    text: str
    #: The fields it names, each once.
    fields: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)
    #: Each place with the text before it.
    _places: tuple[tuple[str, str], ...] = attrs.field(init=False, eq=False, repr=False)
    _end: str = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        places: list[tuple[str, str]] = []
        before = ""
        for text, name, form, conversion in _parsed(self.text):
            before += text
            if name is None:
                continue
            if form or conversion or not name.strip():
                raise ValueError("a place is a field's name in braces, and nothing else")
            places.append((before, name))
            before = ""
        if not places:
            raise ValueError("it has no place for a field: write {title}")
        object.__setattr__(self, "fields", tuple(dict.fromkeys(name for _, name in places)))
        object.__setattr__(self, "_places", tuple(places))
        object.__setattr__(self, "_end", before)

    def filled(self, values: Mapping[str, object]) -> str | None:
        """Return the text with *values* in its places, or None if there is none of them.

        Example:
            >>> from decimal import Decimal
            >>> from leadconvert.templates import Template
            >>> Template("{title} ({amount})").filled({"title": "Engine", "amount": Decimal(500)})
            'Engine (500)'
        """
        said = ""
        last = False
        for position, (before, name) in enumerate(self._places):
            value = values.get(name)
            last = not is_empty(value)
            if last:
                # the text before the first place has nothing to separate
                said += (before if said or position == 0 else "") + worded(value)
        return (said + self._end if last else said) or None


def _parsed(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(_PARSER.parse(text))
    except ValueError:
        raise ValueError("a brace is left open; a brace itself is written twice") from None


def worded(value: object) -> str:
    """Return *value* as a text says it: numbers and days plainly, several with commas between.

    An address is its filled parts, a channel its value, a product line its name.

    Example:
        >>> from leadconvert import Address, Channel
        >>> from leadconvert.templates import worded
        >>> worded((Channel("ada@example.com", "work"), Channel("ada@example.org")))
        'ada@example.com, ada@example.org'
        >>> worded(Address(city="London", street="12 St James's Square"))
        "12 St James's Square, London"
    """
    told: Callable[[object], str] | None = _TOLD.get(type(value))
    return str(value) if told is None else told(value)


def shortened(text: str, length: int) -> str:
    """Return *text* cut to *length* characters, blanks at its end and torn signs left out.

    Example:
        >>> from leadconvert.templates import shortened
        >>> shortened("Analytical Engine", 11)
        'Analytical'
    """
    if len(text) <= length:
        return text
    end = length
    while end > 1 and _belong(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() or text[:end]


def _belong(one: str, following: str) -> bool:
    """Whether two characters are parts of one sign: a letter and its accent, a joined emoji."""
    tones = "\U0001f3fb" <= following <= "\U0001f3ff"
    return tones or _JOINER in (one, following) or category(following).startswith("M")


def _several(values: object) -> str:
    assert isinstance(values, tuple)  # noqa: S101 - as _TOLD says
    return ", ".join(worded(item) for item in values if not is_empty(item))


#: By type, what else than `str` tells it.
_TOLD: Final[Mapping[type, Callable[..., str]]] = {
    bool: lambda value: "true" if value else "false",
    Decimal: lambda value: f"{value:f}",
    Channel: lambda channel: channel.value,
    Product: lambda line: line.name,
    Address: lambda address: _several(attrs.astuple(address)),
    tuple: _several,
}
