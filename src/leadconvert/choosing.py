"""What is open to an actor: the answer behind a button, and behind the dialog it opens."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, combinations

import attrs

from leadconvert.given import texts
from leadconvert.kinds import Kind
from leadconvert.problems import Problem
from leadconvert.records import Lead
from leadconvert.rules import ConversionRules
from leadconvert.values import FrozenMap, ids_in


__all__ = ["Choices", "choose"]


@attrs.frozen(kw_only=True)
class Choices:
    """What one actor may convert one lead into; false if it is nothing.

    *kinds* are those that may be made, in the order of the rules. *needs* says for each what must
    be made along with it: any one of the sets listed, mostly the empty one. *offered* are those to
    offer: no more clients for a lead that is bound to one, unless nothing else may be made.
    *problems* are the reasons why nothing may be made, or why the other kinds may not.

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
    offered: tuple[str, ...] = attrs.field(
        default=attrs.Factory(lambda self: self.kinds, takes_self=True)
    )
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

    def combinations(self, first: Iterable[str] = ()) -> Iterator[tuple[str, ...]]:
        """Yield every combination to offer that may be made together, the smallest first.

        *first* is one to offer before all others, such as the user's last (`Request.kinds`), if it
        is among them. Their number doubles with each kind, so take what you need.

        Example:
            >>> from leadconvert import Choices
            >>> choices = Choices(
            ...     lead_id="L-7", kinds=("contact", "deal"), offered=("contact", "deal"),
            ...     needs={"contact": [()], "deal": [("contact",)]},
            ... )
            >>> list(choices.combinations())
            [('contact',), ('contact', 'deal')]
        """
        wanted = set(texts(first))
        preferred = tuple(kind for kind in self.offered if kind in wanted)
        whole = preferred if len(preferred) == len(wanted) and self.allows(preferred) else ()
        if whole:
            yield whole
        for chosen in _subsets(self.offered):
            if chosen != whole and self.allows(chosen):
                yield chosen


def choose(
    lead: Lead,
    rules: ConversionRules,
    denials: Callable[[str, Iterable[str]], Iterable[Problem]],
    *,
    belongs: bool = False,
) -> Choices:
    """Return what may be made of *lead*, given what is denied of a kind if others are made with it.

    *belongs* says that the lead was made into a client before, which is as good as being bound.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.choosing import choose
        >>> bound = Lead(id="L-7", stage="NEW", company_id="CO-9")
        >>> choose(bound, presets.bitrix24(), lambda kind, made: ()).offered
        ('deal',)
    """
    needs: dict[str, list[tuple[str, ...]]] = {kind.id: [] for kind in rules.kinds}
    for kind in rules.kinds:
        # what is made along is linked to without a right; whatever else is bound needs one
        partners = {str(field.to) for field in kind.references.values()} - {kind.id}
        for made in _subsets(sorted(partners & needs.keys()), smallest=0):
            known_enough = any(set(made).issuperset(need) for need in needs[kind.id])
            if not known_enough and not any(denials(kind.id, made)):
                needs[kind.id].append(made)
    possible = _possible(needs)
    reasons = (denials(kind, ()) for kind in needs if kind not in possible)
    return Choices(
        lead_id=lead.id,
        kinds=tuple(possible),
        offered=tuple(_without_clients(lead, rules.lead, possible, belongs) or possible),
        needs=possible,
        problems=tuple(attrs.evolve(one, target=None) for one in chain.from_iterable(reasons)),
    )


def _without_clients(
    lead: Lead, kind: Kind, possible: Mapping[str, tuple[tuple[str, ...], ...]], belongs: bool
) -> Iterable[str]:
    """Return what may be made without a client, if the lead has one already."""
    if not (belongs or any(ids_in(kind.read(lead, name)) for name in kind.references)):
        return possible
    clients = {field.to for field in kind.references.values()}
    return _possible({name: needs for name, needs in possible.items() if name not in clients})


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
