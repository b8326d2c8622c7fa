"""Hypothesis strategies for who may do what: policies, actors, organisations, and questions."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Combine,
    ConversionRules,
    Field,
    Grant,
    Kind,
    Member,
    Organisation,
    Pipeline,
    Policy,
    Role,
    Scope,
    Unit,
)
from leadconvert.errors import DefinitionError
from leadconvert.testing.plain import ids, users


__all__ = ["access_requests", "actors", "grants", "organisations", "policies"]

T = TypeVar("T")

_ROLES: Final = ("r-1", "r-2", "r-3")
_OF_LEADS: Final = frozenset({Action.CONVERT, Action.REOPEN, Action.REVERSE})
_BY_OWNER: Final = frozenset(Scope) - {Scope.OPENED, Scope.ALL}


def _maybe(values: Sequence[T]) -> SearchStrategy[T | None]:
    return st.none() | st.sampled_from(values) if values else st.none()


def _some(values: Sequence[T], *, at_least: int = 0, at_most: int = 3) -> SearchStrategy[set[T]]:
    return st.sets(st.sampled_from(values), min_size=at_least, max_size=at_most)


def _users() -> SearchStrategy[set[str]]:
    return st.sets(users(), max_size=2)


def actors(rules: ConversionRules) -> SearchStrategy[Actor]:
    """Draw actors with any of the roles that *rules* know, and sometimes one they do not.

    Any of the `users` may be near to them, in their departments and teams.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import actors
        >>> find(actors(presets.bitrix24()), lambda actor: "sales" in actor.roles).id
        'u-1'
    """
    names = [*(role.id for role in rules.policy.roles), "a role of no policy"]
    return st.builds(
        Actor,
        users(),
        _some(names),
        department=_users(),
        subdepartments=_users(),
        team=_users(),
        subteams=_users(),
    )


def grants(
    rules: ConversionRules, *, overrides: bool = True, fields: bool = True
) -> SearchStrategy[Grant]:
    """Draw grants that a policy of *rules* may hold: none that can never apply.

    Args:
        rules: whose kinds, pipelines, stages and sensitive fields they speak of.
        overrides: whether grants may speak of one stage, and so override those that name none.
        fields: whether grants may speak of sensitive fields.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import grants
        >>> find(grants(presets.bitrix24()), lambda grant: grant.stage is not None).pipeline is None
        True
    """
    of_records = _grants_for_records(rules, overrides=overrides)
    return of_records | _grants_for_fields(rules) if fields else of_records


def _meant(rules: ConversionRules) -> dict[str, list[Kind]]:
    """Return the kinds that each name in a grant stands for."""
    every = [rules.lead, *rules.kinds]
    return {"*": every} | {kind.id: [kind] for kind in every}


def _pipelines(rules: ConversionRules, kinds: Iterable[Kind]) -> list[Pipeline]:
    return [pipeline for kind in kinds for pipeline in rules.pipelines_of(kind.id)]


def _stages(pipelines: Iterable[Pipeline]) -> list[str]:
    return [stage.id for pipeline in pipelines for stage in pipeline.stages]


@st.composite
def _grants_for_records(draw: st.DrawFn, rules: ConversionRules, *, overrides: bool) -> Grant:
    meant = _meant(rules)
    name = draw(st.sampled_from(list(meant)))
    pipelines = _pipelines(rules, meant[name])
    owned, opened = (
        any(kind.owner for kind in meant[name]),
        any(kind.opened for kind in meant[name]),
    )
    idle = set() if rules.lead in meant[name] else set(_OF_LEADS)
    idle |= set() if pipelines else {Action.MOVE}
    idle |= set() if owned else {Action.ASSIGN}
    one = draw(st.sampled_from([action for action in Action if action not in idle]))
    actions = {one, *draw(_some(list(Action)))}
    empty = set() if owned else set(_BY_OWNER)
    empty |= set() if opened else {Scope.OPENED}
    scopes = [scope for scope in Scope if scope not in empty]
    pipeline = draw(_maybe([pipeline.id for pipeline in pipelines]))
    stages = _stages(one for one in pipelines if pipeline in (None, one.id))
    stage = draw(_maybe(stages)) if overrides else None
    moves = Action.MOVE in actions and stages
    return Grant(
        name,
        actions,
        draw(_some(scopes, at_least=int(stage is None))),
        pipeline=pipeline,
        stage=stage,
        to=draw(st.none() | _some(stages)) if moves else None,
    )


@st.composite
def _grants_for_fields(draw: st.DrawFn, rules: ConversionRules) -> Grant:
    meant = _meant(rules)
    name = draw(st.sampled_from(list(meant)))
    names = [field.id for kind in meant[name] for field in _sensitive(kind)]
    actions = draw(_some([Action.READ, Action.UPDATE], at_least=1))
    chosen = draw(st.just({"*"}) | _some(names, at_least=1) if names else st.just({"*"}))
    return Grant(name, actions, fields=chosen)


def _sensitive(kind: Kind) -> Iterator[Field]:
    return (field for field in kind.members.values() if field.sensitive)


def policies(
    rules: ConversionRules,
    *,
    combine: Collection[str] = tuple(Combine),
    forbids: bool = True,
    overrides: bool = True,
    fields: bool = True,
) -> SearchStrategy[Policy]:
    """Draw policies over *rules*: no roles, a few with any `grants`, or everything permitted.

    Args:
        rules: whose kinds, pipelines, stages and sensitive fields the grants speak of.
        combine: what may count where an actor has several roles.
        forbids: whether roles may forbid something.
        overrides: whether grants may speak of one stage, and so override those that name none.
        fields: whether grants may speak of sensitive fields.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import policies
        >>> find(policies(presets.bitrix24()), lambda policy: len(policy.roles) == 1).roles[0]
        Role(id='r-1', grants=(), forbids=())
    """
    clauses = grants(rules, overrides=overrides, fields=fields)

    @st.composite
    def drawn(draw: st.DrawFn) -> Policy:
        roles = [
            _consistent(
                name,
                draw(st.lists(clauses, max_size=4)),
                draw(st.lists(clauses, max_size=2)) if forbids else [],
            )
            for name in draw(st.lists(st.sampled_from(_ROLES), unique=True))
        ]
        return Policy(
            roles,
            combine=draw(st.sampled_from(list(combine))),
            unrestricted=draw(st.sampled_from([False, False, False, True])),
        )

    return drawn()


def _consistent(name: str, permitted: list[Grant], forbidden: Iterable[Grant]) -> Role:
    """Return a role that does not forbid all of what it grants; other forbids are left out."""
    return Role(
        name, permitted, forbids=[one for one in forbidden if _leaves_something(one, permitted)]
    )


def _leaves_something(forbidden: Grant, permitted: list[Grant]) -> bool:
    try:
        Policy([Role("r", permitted, forbids=[forbidden])])
    except DefinitionError:
        return False
    return True


def access_requests(rules: ConversionRules) -> SearchStrategy[AccessRequest]:
    """Draw questions that *rules* make sense of: about records of their kinds, or sensitive fields.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert import presets
        >>> from leadconvert.testing import access_requests
        >>> asked = find(access_requests(presets.bitrix24()), lambda asked: asked.to_stage)
        >>> str(asked.action), asked.kind, asked.to_stage
        ('move', 'lead', 'NEW')
    """
    kinds = [rules.lead, *rules.kinds]
    sensitive = [(kind.id, field.id) for kind in kinds for field in _sensitive(kind)]

    @st.composite
    def about_records(draw: st.DrawFn) -> AccessRequest:
        kind, action = draw(st.sampled_from(kinds)), draw(st.sampled_from(list(Action)))
        pipelines = rules.pipelines_of(kind.id)
        pipeline = draw(_maybe(pipelines))
        stages = [] if pipeline is None else _stages([pipeline])
        return AccessRequest(
            action=action,
            kind=kind.id,
            id=None if action is Action.CREATE else draw(ids()),
            owner_id=draw(st.none() | users()) if kind.owner else None,
            opened=draw(st.booleans()) if kind.opened else False,
            pipeline=None if pipeline is None else pipeline.id,
            stage=draw(_maybe(stages)),
            to_stage=draw(_maybe(stages)) if action is Action.MOVE else None,
        )

    if not sensitive:
        return about_records()
    about_fields = st.builds(
        lambda action, place: AccessRequest(action=action, kind=place[0], field=place[1]),
        st.sampled_from([Action.READ, Action.UPDATE]),
        st.sampled_from(sensitive),
    )
    return about_records() | about_fields


def organisations(*, roles: Collection[str] = _ROLES) -> SearchStrategy[Organisation]:
    """Draw organisations of the `users`: trees of departments and teams, groups, who heads them.

    *roles* are those that units and members may give; give it those of your policy to put an
    organisation over it.

    Example:
        >>> from hypothesis import find
        >>> from leadconvert.testing import organisations
        >>> company = find(organisations(), lambda company: company.departments)
        >>> [unit.id for unit in company.departments]
        ['department-0']
    """
    some_roles = _some(list(roles), at_most=2) if roles else st.just(set[str]())

    @st.composite
    def units(draw: st.DrawFn, what: str) -> list[Unit]:
        names = [f"{what}-{number}" for number in range(draw(st.integers(0, 4)))]
        return [
            Unit(
                name,
                draw(_maybe(names[:number])),  # none stands above itself
                heads=draw(_users()),
                roles=draw(some_roles),
                roles_below=draw(some_roles),
            )
            for number, name in enumerate(names)
        ]

    @st.composite
    def drawn(draw: st.DrawFn) -> Organisation:
        departments, teams, groups = (draw(units(what)) for what in ("department", "team", "group"))
        members = [
            Member(
                name,
                departments=draw(_among(departments)),
                teams=draw(_among(teams)),
                groups=draw(_among(groups)),
                roles=draw(some_roles),
            )
            for name in draw(st.lists(users(), unique=True))
        ]
        return Organisation(departments=departments, teams=teams, groups=groups, members=members)

    return drawn()


def _among(units: Iterable[Unit]) -> SearchStrategy[set[str]]:
    names = [unit.id for unit in units]
    return _some(names, at_most=2) if names else st.just(set[str]())
