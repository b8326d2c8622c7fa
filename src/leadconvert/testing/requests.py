"""Hypothesis strategies for what is asked: leads that fit rules, and targets to make of them."""

from collections.abc import Iterable
from typing import cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import ConversionRules, Create, Kind, Lead, StageRole, Target
from leadconvert.testing.plain import amounts, channels, days, moments, texts, users, values


__all__ = ["leads", "targets"]


def _anything() -> SearchStrategy[object]:
    """Draw plain values that fit no field in particular."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        texts(),
        amounts(),
        days(),
        moments(),
        channels(),
        st.lists(texts(), max_size=2).map(tuple),
    )


def _undeclared(rules: ConversionRules) -> SearchStrategy[dict[str, object]]:
    """Draw custom values that the rules say nothing of, as systems have them."""
    names = [name for name in ("UF_OTHER_1", "UF_OTHER_2", "x") if name not in rules.lead.members]
    return st.dictionaries(st.sampled_from(names), _anything(), max_size=2)


def leads(
    rules: ConversionRules,
    *,
    stages: Iterable[str] | None = None,
    bound: bool = False,
    undeclared: bool = True,
) -> SearchStrategy[Lead]:
    """Draw leads that fit *rules*: any of their fields filled, declared custom ones among them.

    Args:
        rules: whose lead kind says what a lead has.
        stages: the stages a lead may stand in; those in process unless given.
        bound: whether leads may point at contacts and companies. To convert such a lead, hand over
            the records it points at in ``known=``.
        undeclared: whether leads may have custom fields that the rules say nothing of.

    Example:
        >>> from hypothesis import given, settings
        >>> from leadconvert import presets
        >>> from leadconvert.testing import leads
        >>> @settings(max_examples=3, database=None)
        ... @given(leads(presets.bitrix24(), stages=["NEW"]))
        ... def test_a_lead_is_new(lead):
        ...     assert lead.stage == "NEW"
        >>> test_a_lead_is_new()
    """
    in_process = (stage.id for stage in rules.lead_pipeline.in_role(StageRole.PROCESS))
    allowed = tuple(in_process if stages is None else stages)
    skipped = {rules.lead.stage, *(() if bound else rules.lead.references)}
    members = {name: field for name, field in rules.lead.members.items() if name not in skipped}
    other = _undeclared(rules) if undeclared else st.just(dict[str, object]())

    @st.composite
    def drawn(draw: st.DrawFn) -> Lead:
        number, stage = draw(st.integers(1, 99)), draw(st.sampled_from(allowed))
        names = draw(st.lists(st.sampled_from(list(members)), unique=True))
        held = {name: draw(_held(rules.lead, name)) for name in names}
        record = rules.lead.build(f"L-{number}", {"stage": stage} | held | draw(other))
        return cast("Lead", record)  # rules refuse any other class for leads

    return drawn()


def _held(kind: Kind, name: str) -> SearchStrategy[object]:
    """Draw what a field could hold; an owner is often one of the `users`."""
    fitting = values(kind.members[name])
    return users() | fitting if name == kind.owner else fitting


def targets(
    rules: ConversionRules,
    *,
    fitting: bool = False,
    repeated: bool = True,
    max_size: int = 4,
) -> SearchStrategy[list[str | Target]]:
    """Draw what may be asked for: kinds by name, and new records with supplied values.

    Nothing promises that the request can be met: required fields may be missing, and unless
    *fitting* kinds and fields may be unknown and values misfit. With *repeated* a kind may come
    several times.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import targets
        >>> find(targets(presets.bitrix24(), fitting=True), lambda into: len(into) == 2)
        ['contact', 'contact']
    """
    by_id = {kind.id: kind for kind in rules.kinds}
    names = list(by_id) if fitting else [*by_id, "nothing of the kind"]

    @st.composite
    def drawn(draw: st.DrawFn) -> list[str | Target]:
        found: list[str | Target] = []
        size = draw(st.integers(1, max_size))
        asked = st.lists(st.sampled_from(names), min_size=1, max_size=size, unique=not repeated)
        for name in draw(asked):
            given = draw(st.none() | _supplied(by_id.get(name), fitting=fitting))
            found.append(name if given is None else Create(name, values=given))
        return found

    return drawn()


def _supplied(kind: Kind | None, *, fitting: bool) -> SearchStrategy[dict[str, object]]:
    """Draw values as a user would supply them; where they are to fit, to no reference or stage."""
    members = {} if kind is None else dict(kind.members)
    if fitting and kind is not None:
        roles = {kind.stage, kind.pipeline, kind.converted_from, *kind.references}
        members = {name: field for name, field in members.items() if name not in roles}
    names = list(members) if fitting else [*members, "no such field", "nor this"]

    def held(name: str) -> SearchStrategy[object]:
        if kind is None or name not in members:
            return _anything()
        return _held(kind, name) if fitting else _held(kind, name) | _anything()

    return st.lists(st.sampled_from(names), unique=True, max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: held(name) for name in chosen})
    )
