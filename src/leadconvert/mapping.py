"""Where a lead's values go: one mapping for each target field."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

import attrs

from leadconvert.errors import DefinitionError, chosen
from leadconvert.given import texts
from leadconvert.problems import Problem, mistake, unknown
from leadconvert.templates import Template, worded
from leadconvert.transforms import SPLITTING, Transform
from leadconvert.values import Address, FrozenMap, freeze, is_empty


__all__ = ["FieldMapping", "Overflow", "TransformError", "overflow_of"]

_PARTS: Final = tuple(one.name for one in attrs.fields(Address))


class Overflow(StrEnum):
    """What becomes of a text that is too long for its field: it is refused, or shortened.

    Example:
        >>> from leadconvert import Overflow
        >>> Overflow("shorten") is Overflow.SHORTEN
        True
    """

    REFUSE = "refuse"
    SHORTEN = "shorten"


def overflow_of(value: str) -> Overflow:
    """Return the member of that name.

    Raises:
        leadconvert.errors.DefinitionError: there is none.

    Example:
        >>> from leadconvert.mapping import overflow_of
        >>> overflow_of("shorten")
        <Overflow.SHORTEN: 'shorten'>
    """
    return chosen(Overflow, value, "choice", "mapping")


class TransformError(Exception):
    """A transform raised; its own error is the `__cause__`.

    Example:
        >>> from leadconvert.mapping import TransformError
        >>> str(TransformError("shout", "AttributeError"))
        'transform shout raised AttributeError'
    """

    def __init__(self, transform: str, error: str) -> None:
        self.transform: str = transform
        self.error: str = error
        super().__init__(transform, error)

    def __str__(self) -> str:
        return f"transform {self.transform} raised {self.error}"


@attrs.frozen
class FieldMapping:
    """One lead field, or several together, to one target field of one kind.

    *target* is the same name unless given. *fallbacks* are tried in order where the source is
    empty. In place of a source there may be a *constant*, a *template* (a text made of several
    fields, see `joined`) or *parts* (an address made of several fields, see `gathered`).

    The value found goes through the *transform* named, then through the value map *values* (what
    the map does not list stays as it is; a list is mapped item by item). *overflow* says what
    becomes of a text that is longer than the target holds. *conflict* names the rule by which it is
    merged into a record that exists: a `Conflict`, or a merger of the rules.

    Raises:
        leadconvert.errors.DefinitionError: the mapping is incomplete, or says two things at once.

    Example:
        >>> from leadconvert import FieldMapping
        >>> str(FieldMapping("company_name", "company", "name", fallbacks=["title"]))
        'company_name or title → company.name'
    """

    source: str | None
    kind: str | None
    target: str | None = None
    fallbacks: tuple[str, ...] = attrs.field(default=(), converter=texts, kw_only=True)
    transform: str | None = attrs.field(default=None, kw_only=True)
    values: Mapping[str, object] = attrs.field(factory=FrozenMap, kw_only=True)
    constant: object = attrs.field(default=None, converter=freeze, kw_only=True)
    conflict: str = attrs.field(default="fill", converter=str, kw_only=True)
    template: str | None = attrs.field(default=None, kw_only=True)
    parts: Mapping[str, str] = attrs.field(factory=FrozenMap, kw_only=True)
    overflow: Overflow = attrs.field(default=Overflow.REFUSE, converter=overflow_of, kw_only=True)
    _made: Template | None = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))
        object.__setattr__(self, "parts", FrozenMap(self.parts))
        if self.target is None and self.kind is not None:
            object.__setattr__(self, "target", self.source)
        object.__setattr__(self, "_made", None)
        unreadable = None
        if self.template is not None:
            try:
                object.__setattr__(self, "_made", Template(self.template))
            except ValueError as error:
                unreadable = str(error)
        if mistakes := list(self._mistakes(unreadable)):
            raise DefinitionError(mistakes)

    def _mistakes(self, unreadable: str | None) -> Iterator[Problem]:
        place = f"mapping {self}"
        given = {
            "a source": self.source is not None,
            "a constant": not is_empty(self.constant),
            "a template": self.template is not None,
            "parts": bool(self.parts),
        }
        ways = [name for name, there in given.items() if there]
        if not ways:
            yield mistake("incomplete_mapping", place, what="neither a source nor a constant")
        if len(ways) > 1:
            yield mistake("incomplete_mapping", place, what=f"{' and '.join(ways)} as well")
        if self.fallbacks and self.source is None:
            yield mistake("incomplete_mapping", place, what="fallbacks of no source")
        if unreadable is not None:
            yield mistake("bad_template", place, why=unreadable)
        for name in self.parts:
            if name not in _PARTS:
                yield unknown("part of an address", name, _PARTS, place)
        if self.kind is not None and self.target is None:
            yield mistake("incomplete_mapping", place, what="a kind but no field of it")
        does = self.target or self.fallbacks or self.transform or self.values
        if self.kind is None and (does or self.source is None):
            yield mistake("incomplete_mapping", place, what="no kind, yet something to do there")

    @classmethod
    def fixed(cls, kind: str, target: str, value: object) -> "FieldMapping":
        """Return a mapping that puts the same *value* into a field of every record of *kind*.

        Example:
            >>> from leadconvert import FieldMapping
            >>> str(FieldMapping.fixed("deal", "type", "SALE"))
            'constant → deal.type'
        """
        return cls(None, kind, target, constant=value)

    @classmethod
    def leave(cls, source: str) -> "FieldMapping":
        """Return the mapping to nothing: *source* is left behind on purpose.

        Example:
            >>> from leadconvert import FieldMapping
            >>> str(FieldMapping.leave("created_at"))
            'created_at → nothing'
        """
        return cls(source, None)

    @classmethod
    def joined(cls, kind: str, target: str, template: str) -> "FieldMapping":
        """Return a mapping that makes one text of several fields.

        Text between two places stands only where there is something on both sides of it, text
        before the first place goes with the first, text after the last with the last. ``{{`` and
        ``}}`` are braces. Numbers and days are written plainly, several values with commas between,
        a choice as its id, an address as its parts.

        Raises:
            leadconvert.errors.DefinitionError: the template cannot be read.

        Example:
            >>> from leadconvert import FieldMapping
            >>> mapping = FieldMapping.joined("deal", "title", "{company_name}: {title}")
            >>> str(mapping), mapping.drawn({"title": "Engine"}, {})
            ('company_name and title → deal.title', 'Engine')
        """
        return cls(None, kind, target, template=template)

    @classmethod
    def gathered(cls, kind: str, target: str, parts: Mapping[str, str]) -> "FieldMapping":
        """Return a mapping that makes an address of several fields: ``{"city": "UF_CITY"}``.

        Raises:
            leadconvert.errors.DefinitionError: an address has no such part.

        Example:
            >>> from leadconvert import FieldMapping
            >>> mapping = FieldMapping.gathered("company", "address", {"city": "UF_CITY"})
            >>> mapping.drawn({"UF_CITY": "London"}, {}).city
            'London'
        """
        return cls(None, kind, target, parts=parts)

    @property
    def leaves_behind(self) -> bool:
        """Whether this is a mapping to nothing."""
        return self.kind is None

    @property
    def combines(self) -> bool:
        """Whether the value is made of all sources together; otherwise the first filled one is."""
        return self._made is not None or bool(self.parts)

    @property
    def sources(self) -> tuple[str, ...]:
        """The lead's fields this mapping may take its value from, in order."""
        if self._made is not None:
            return self._made.fields
        if self.parts:
            return tuple(dict.fromkeys(self.parts[name] for name in _PARTS if name in self.parts))
        return () if self.source is None else (self.source, *self.fallbacks)

    def __str__(self) -> str:
        made = "template" if self.template is not None else "parts" if self.parts else "constant"
        told = (" and " if self.combines else " or ").join(self.sources) or made
        told = f"{told} → {self.kind}.{self.target}" if self.kind else f"{told} → nothing"
        return f"{told} by {self.transform}" if self.transform else told

    def drawn(self, values: Mapping[str, object], transforms: Mapping[str, Transform]) -> object:
        """Return what *values* of sources become: all that are filled, or the one to be taken.

        Raises:
            leadconvert.mapping.TransformError: the transform raised.

        Example:
            >>> from leadconvert import FieldMapping
            >>> FieldMapping("title", "deal").drawn({"title": "Engine"}, {})
            'Engine'
        """
        if self._made is not None:
            value: object = self._made.filled(values)
        elif self.parts:
            told = {name: worded(values[one]) for name, one in self.parts.items() if one in values}
            value = Address(**told)
        else:
            [value] = values.values()
        return self.turned(value, transforms)

    def way(self, values: Mapping[str, object]) -> str | None:
        """Say how *values* of sources are carried, if not as they are.

        ``joined`` of several, the ``first`` of several, or ``split``: a part of it.

        Example:
            >>> from leadconvert import FieldMapping
            >>> FieldMapping("UF_CITIES", "deal", transform="first").way({"UF_CITIES": ("a", "b")})
            'first'
        """
        several = any(isinstance(one, tuple) and len(one) > 1 for one in values.values())
        if self.combines:
            return "joined" if len(values) > 1 or several else None
        if self.transform in SPLITTING:
            return "split"
        return {"join": "joined", "first": "first"}.get(str(self.transform)) if several else None

    def turned(self, value: object, transforms: Mapping[str, Transform]) -> object:
        """Return what *value* of the source becomes, before the target field looks at it.

        Raises:
            leadconvert.mapping.TransformError: the transform raised.

        Example:
            >>> from leadconvert import FieldMapping
            >>> from leadconvert.transforms import TRANSFORMS
            >>> mapping = FieldMapping("source", "deal", transform="upper", values={"WEB": "site"})
            >>> mapping.turned("web", TRANSFORMS)
            'site'
        """
        if self.transform is not None:
            try:
                value = freeze(transforms[self.transform](value))
            except Exception as error:
                raise TransformError(self.transform, type(error).__name__) from error
        if isinstance(value, tuple):
            return tuple(self._mapped(item) for item in value)
        return self._mapped(value)

    def _mapped(self, value: object) -> object:
        return self.values.get(value, value) if isinstance(value, str) else value
