"""Where a lead's values go: one mapping for each target field, and the transforms they name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import attrs

from leadconvert.errors import DefinitionError
from leadconvert.problems import Problem, mistake
from leadconvert.values import Channel, FrozenMap, freeze, is_empty, texts


__all__ = ["TRANSFORMS", "FieldMapping", "Transform", "TransformError"]

#: Turns one value into another, looking at nothing else.
Transform = Callable[[object], object]


def _first(value: object) -> object:
    return value[0] if isinstance(value, tuple) else value


def _join(value: object) -> object:
    items = value if isinstance(value, tuple) else (value,)
    return ", ".join(item.value if isinstance(item, Channel) else str(item) for item in items)


def _strip(value: object) -> object:
    return str(value).strip()


def _lower(value: object) -> object:
    return str(value).lower()


def _upper(value: object) -> object:
    return str(value).upper()


#: The transforms that every set of rules knows by name.
TRANSFORMS: Final[Mapping[str, Transform]] = {
    "first": _first,
    "join": _join,
    "lower": _lower,
    "strip": _strip,
    "upper": _upper,
}


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
    """One lead field to one target field of one kind.

    *target* is the same name unless given. *fallbacks* are tried in order where the source is
    empty. The value found goes through the *transform* named, then through the value map *values*
    (what the map does not list stays as it is; a list is mapped item by item). *conflict* names the
    rule by which it is merged into a record that exists: a `Conflict`, or a merger of the rules.

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

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "values", FrozenMap(self.values))
        if self.target is None and self.kind is not None:
            object.__setattr__(self, "target", self.source)
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)

    def _mistakes(self) -> Iterable[Problem]:
        place = f"mapping {self}"
        if self.source is None and is_empty(self.constant):
            yield mistake("incomplete_mapping", place, what="neither a source nor a constant")
        if self.source is not None and self.constant is not None:
            yield mistake("incomplete_mapping", place, what="a source and a constant as well")
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

    @property
    def leaves_behind(self) -> bool:
        """Whether this is a mapping to nothing."""
        return self.kind is None

    @property
    def sources(self) -> tuple[str, ...]:
        """The lead's fields this mapping may take its value from, in order."""
        return () if self.source is None else (self.source, *self.fallbacks)

    def __str__(self) -> str:
        told = " or ".join(self.sources) or "constant"
        told = f"{told} → {self.kind}.{self.target}" if self.kind else f"{told} → nothing"
        return f"{told} by {self.transform}" if self.transform else told

    def turned(self, value: object, transforms: Mapping[str, Transform]) -> object:
        """Return what *value* of the source becomes, before the target field looks at it.

        Raises:
            leadconvert.mapping.TransformError: the transform raised.

        Example:
            >>> from leadconvert import FieldMapping
            >>> from leadconvert.mapping import TRANSFORMS
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
