"""What is open to an actor: the answer behind a button, and behind the dialog it opens."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, combinations
from typing import Final

import attrs

from leadconvert.access import Actor, Authorizer
from leadconvert.errors import Cause, Problem
from leadconvert.fields import Kind
from leadconvert.planning import plan
from leadconvert.records import Lead
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known
from leadconvert.values import FrozenMap, texts


__all__ = ["Choices", "can_convert"]

#: Nothing here depends on when it would be.
_ANY_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: What no choice of targets can remedy.
_OF_THE_LEAD: Final = frozenset({Cause.LEAD_ACCESS, Cause.ALREADY_CONVERTED, Cause.STAGE})


@attrs.frozen(kw_only=True)
class Choices:
    """What one actor may convert one lead into; false if it is nothing.

    *kinds* are those that may be made, in the order of the rules. *needs* says for each what must
    be made along with it: any one of the sets listed, mostly the empty one. *problems* are the
    reasons why nothing may be made, or why the other kinds may not.

    Example:
        >>> from leadconvert import Actor, Lead, can_convert, presets
        >>> choices = can_convert(
        ...     Lead(id="L-7", stage="NEW"), Actor("u-1", roles=["admin"]), presets.bitrix24()
        ... )
        >>> choices.kinds, bool(choices)
        (('contact', 'company', 'deal'), True)
    """

    lead_id: str
    kinds: tuple[str, ...] = ()
    needs: Mapping[str, tuple[tuple[str, ...], ...]] = attrs.field(factory=FrozenMap)
    problems: tuple[Problem, ...] = ()

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "needs", FrozenMap(self.needs))

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def allows(self, kinds: Iterable[str]) -> bool:
        """Tell whether just these *kinds* may be made together.

        Raises:
            TypeError: *kinds* is one text instead of a list.

        Example:
            >>> from leadconvert import Choices
            >>> choices = Choices(lead_id="L-7", kinds=("deal",), needs={"deal": [()]})
            >>> choices.allows(["deal"]), choices.allows(["contact", "deal"])
            (True, False)
        """
        chosen = set(texts(kinds))
        return bool(chosen) and all(
            any(chosen.issuperset(need) for need in self.needs.get(kind, ())) for kind in chosen
        )

    def combinations(self) -> Iterator[tuple[str, ...]]:
        """Yield every combination of kinds that may be made together, the smallest first.

        Their number doubles with each kind, so take what you need.

        Example:
            >>> from leadconvert import Choices
            >>> choices = Choices(
            ...     lead_id="L-7", kinds=("contact", "deal"),
            ...     needs={"contact": [()], "deal": [("contact",)]},
            ... )
            >>> list(choices.combinations())
            [('contact',), ('contact', 'deal')]
        """
        return (chosen for chosen in _subsets(self.kinds) if self.allows(chosen))


def can_convert(
    lead: Lead,
    actor: Actor,
    rules: ConversionRules,
    *,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
) -> Choices:
    """Return what *actor* may convert *lead* into, or the reasons why it is nothing.

    It asks what `plan` asks about access and the lead's stage. Fields are not looked at: what is
    missing can still be filled. *known* and *authorizer* are those of `plan`.

    Example:
        >>> from leadconvert import Actor, Lead, can_convert, presets
        >>> lead = Lead(id="L-7", stage="JUNK")
        >>> choices = can_convert(lead, Actor("u-1", roles=["admin"]), presets.bitrix24())
        >>> bool(choices), choices.problems[0].message
        (False, "the lead stands in the failure stage 'JUNK'")
    """

    def problems(*into: str) -> tuple[Problem, ...]:
        return plan(
            lead,
            into,
            rules=rules,
            actor=actor,
            at=_ANY_MOMENT,
            known=known,
            authorizer=authorizer,
        ).problems

    def denials(kind: Kind, made: Iterable[str]) -> tuple[Problem, ...]:
        return tuple(
            attrs.evolve(one, target=None)
            for one in problems(kind.id, *made)
            if one.cause is Cause.TARGET_ACCESS and one.target == 0
        )

    if of_lead := tuple(one for one in problems() if one.cause in _OF_THE_LEAD):
        return Choices(lead_id=lead.id, problems=of_lead)
    needs: dict[str, list[tuple[str, ...]]] = {kind.id: [] for kind in rules.kinds}
    for kind in rules.kinds:
        # what is made along is linked to without a right; whatever else is bound needs one
        partners = {str(field.to) for field in kind.references.values()} - {kind.id}
        for made in _subsets(sorted(partners & needs.keys()), smallest=0):
            known_enough = any(set(made).issuperset(need) for need in needs[kind.id])
            if not known_enough and not denials(kind, made):
                needs[kind.id].append(made)
    possible = _possible(needs)
    return Choices(
        lead_id=lead.id,
        kinds=tuple(possible),
        needs=possible,
        problems=tuple(
            chain.from_iterable(
                denials(kind, ()) for kind in rules.kinds if kind.id not in possible
            )
        ),
    )


def _possible(
    needs: Mapping[str, Iterable[tuple[str, ...]]],
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Keep what can be had: a kind that needs one which cannot be made cannot be made either."""
    kept = {kind: tuple(sets) for kind, sets in needs.items()}
    while True:
        can = {kind for kind, sets in kept.items() if sets}
        within = {
            kind: tuple(need for need in sets if can.issuperset(need))
            for kind, sets in kept.items()
            if sets
        }
        if within == kept:
            return kept
        kept = within


def _subsets(kinds: Iterable[str], smallest: int = 1) -> Iterator[tuple[str, ...]]:
    items = tuple(kinds)
    sizes = range(smallest, len(items) + 1)
    return chain.from_iterable(combinations(items, size) for size in sizes)
