"""What may come out of a lead's field on its way through a mapping, told by descriptions alone.

Nothing of the host's own is run: what a transform of theirs gives is not known before.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from leadconvert.fields import PYTHON_TYPES, Field, FieldType
from leadconvert.mapping import FieldMapping
from leadconvert.templates import Template
from leadconvert.transforms import TRANSFORMS
from leadconvert.values import Address, Channel


__all__ = ["NAMES", "PARTS", "Flow", "flows"]

#: The transforms that take a part of an address.
PARTS: Final = tuple(one.name for one in attrs.fields(Address))
#: The transforms that split a name.
NAMES: Final = ("given_name", "family_name")

_OF_TEXT: Final = ("lower", "strip", "upper", *NAMES)
_NO_TEXT: Final = frozenset({FieldType.ADDRESS, FieldType.PRODUCT})
#: How many letters one may become.
_GROWS: Final = {"upper": 3, "lower": 2}
#: How many letters go with the other part of a name at least: a comma.
_SPLIT_OFF: Final = {"given_name": 1}
#: How long what is no text can be, told as one.
_LONGEST: Final = {FieldType.BOOLEAN: 5, FieldType.DATE: 10, FieldType.DATETIME: 42}


@attrs.frozen(kw_only=True)
class Flow:
    """What may be on its way: of what type, whether several, how long, and which choices.

    Example:
        >>> from leadconvert import Field
        >>> from leadconvert.flowing import Flow
        >>> Flow.of(Field("title", "text", max_length=20)).longest
        20
    """

    type: FieldType
    several: bool = False
    #: How many characters one text may have; None for any number.
    longest: int | None = None
    #: All that it can be; None where it can be anything.
    options: tuple[str, ...] | None = None
    #: At what kind it points.
    to: str | None = None

    @classmethod
    def of(cls, field: Field) -> "Flow":
        """Return what *field* may hold.

        Example:
            >>> from leadconvert import Field
            >>> from leadconvert.flowing import Flow
            >>> Flow.of(Field("heat", "enumeration", options=["hot"])).options
            ('hot',)
        """
        return cls(
            type=field.type,
            several=field.multiple,
            longest=field.max_length,
            options=tuple(option.id for option in field.options) or None,
            to=field.to,
        )

    @property
    def is_text(self) -> bool:
        """Whether values are texts: ids of options, files and records are, channels are not."""
        return PYTHON_TYPES[self.type] is str

    @property
    def told(self) -> str:
        """What it is, in words."""
        return f"several of {self.type.value}" if self.several else self.type.value

    @property
    def length(self) -> int | None:
        """How many characters it may have as one text, or None for any number."""
        if self.several:
            return None
        if self.options is not None:
            return max(map(len, self.options))
        return self.longest if self.is_text else _LONGEST.get(self.type)

    def by(self, transform: str | None) -> "Flow | None":
        """Return what one of the library's transforms makes of it, or None where it does not fit.

        Example:
            >>> from leadconvert.fields import FieldType
            >>> from leadconvert.flowing import Flow
            >>> Flow(type=FieldType.EMAIL, several=True).by("upper") is None
            True
        """
        if transform is None:
            return self
        if transform == "first":
            return attrs.evolve(self, several=False)
        if transform == "join":
            options = None if self.several else self.options
            return Flow(type=FieldType.TEXT, longest=self.length, options=options)
        if transform in _OF_TEXT:
            structured = self.type in _NO_TEXT or PYTHON_TYPES[self.type] is Channel
            return None if self.several or structured else self._by(transform)
        fits = self.type is FieldType.ADDRESS and not self.several
        return Flow(type=FieldType.TEXT) if fits else None

    def _by(self, transform: str) -> "Flow":
        turn: Callable[[object], object] = TRANSFORMS[transform]
        if self.options is not None:
            turned = dict.fromkeys(str(turn(option)) for option in self.options)
            return Flow(type=FieldType.TEXT, options=tuple(turned))
        if self.length is None:
            return Flow(type=FieldType.TEXT)
        grown = self.length * _GROWS.get(transform, 1) - _SPLIT_OFF.get(transform, 0)
        return Flow(type=FieldType.TEXT, longest=grown)


def flows(mapping: FieldMapping, lead: Mapping[str, Field]) -> Iterator[tuple[str, Flow]]:
    """Yield what a *mapping* draws from the *lead*'s fields, each with what to call it.

    That is one thing where it combines them, and one for each source otherwise.

    Example:
        >>> from leadconvert import FieldMapping
        >>> from leadconvert.kinds import LEAD
        >>> from leadconvert.flowing import flows
        >>> mapping = FieldMapping("company_name", "company", "name", fallbacks=["title"])
        >>> [name for name, _ in flows(mapping, LEAD.members)]
        ['company_name', 'title']
    """
    if mapping.template is not None:
        yield "the template", Flow(type=FieldType.TEXT, longest=_longest(mapping.template, lead))
    elif mapping.parts:
        yield "the address", Flow(type=FieldType.ADDRESS)
    else:
        yield from ((name, Flow.of(lead[name])) for name in mapping.sources)


def _longest(text: str, lead: Mapping[str, Field]) -> int | None:
    """Return how long the text of a template can be, or None for any length."""
    template = Template(text)
    lengths = {name: Flow.of(lead[name]).length for name in template.fields}
    told = {name: "x" * length for name, length in lengths.items() if length is not None}
    return len(template.filled(told) or "") if len(told) == len(lengths) else None
