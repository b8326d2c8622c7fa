"""What becomes of a lead's values that reach nothing: told, refused, or kept in one place."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs
from attrs import validators

from leadconvert.errors import chosen
from leadconvert.fields import FieldType
from leadconvert.given import is_a
from leadconvert.kinds import Kind
from leadconvert.mapping import Overflow, overflow_of
from leadconvert.problems import Problem, mistake, twice, unknown


__all__ = ["Leftovers", "Losses", "leftover_mistakes", "losses_of"]


class Losses(StrEnum):
    """What is done about values of a lead that reach nothing.

    * `lenient`: they are left behind; `explain` alone tells of them, and nobody is asked where a
      custom field goes.
    * `report`: they are in the plan's and the result's `dropped`.
    * `strict`: a conversion that closes the lead is refused if it would drop any.

    Example:
        >>> from leadconvert import Losses
        >>> Losses("strict") is Losses.STRICT
        True
    """

    LENIENT = "lenient"
    REPORT = "report"
    STRICT = "strict"


def losses_of(value: str) -> Losses:
    """Return the member of that name.

    Raises:
        leadconvert.errors.DefinitionError: there is none.

    Example:
        >>> from leadconvert.losses import losses_of
        >>> losses_of("report")
        <Losses.REPORT: 'report'>
    """
    return chosen(Losses, value, "choice", "losses")


@attrs.frozen
class Leftovers:
    """Where values of a lead that reach nothing are kept: in a record of *kind*.

    In a text *field* they are lines of ``label: value``, below what stands there; *overflow* says
    what becomes of a text that is too long for the field then. Without a field they are kept as
    they are in the record's `custom`, each under the lead's kind and its own name, such as
    ``lead.UF_X``. The first target of the first such kind gets them all.

    Example:
        >>> from leadconvert import Leftovers
        >>> Leftovers("deal", "comments").field
        'comments'
    """

    kind: str = attrs.field(validator=is_a(str))
    field: str | None = attrs.field(default=None, validator=validators.optional(is_a(str)))
    overflow: Overflow = attrs.field(default=Overflow.REFUSE, converter=overflow_of, kw_only=True)

    def __str__(self) -> str:
        return f"leftovers → {self.kind}" + (f".{self.field}" if self.field else "")


def leftover_mistakes(kept: Iterable[Leftovers], kinds: Iterable[Kind]) -> Iterator[Problem]:
    """Yield every place for leftovers that there is not, or that holds no such text.

    Example:
        >>> from leadconvert import Leftovers
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.losses import leftover_mistakes
        >>> print(*leftover_mistakes([Leftovers("dael")], [DEAL]))
        leftovers → dael: there is no kind 'dael', did you mean 'deal'? (correct the name)
    """
    by_id, listed = {kind.id: kind for kind in kinds}, list(kept)
    yield from twice("kind", [one.kind for one in listed], "leftovers")
    for one in listed:
        kind = by_id.get(one.kind)
        if kind is None:
            yield unknown("kind", one.kind, by_id, str(one))
        elif one.field is None:
            continue
        elif one.field not in kind.members:
            yield unknown(f"field of {kind.id}", one.field, kind.members, str(one))
        elif (field := kind.members[one.field]).type is not FieldType.TEXT or field.multiple:
            why = "it holds no single text"
            yield mistake("does_not_fit", str(one), name=field.id, other="leftovers", why=why)
        elif field.id in (kind.stage, kind.pipeline, kind.owner):
            why = "it says more than text"
            yield mistake("does_not_fit", str(one), name=field.id, other="leftovers", why=why)
