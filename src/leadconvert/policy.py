"""Our own authorizer: roles, what they grant and forbid, and how several of them combine.

Nothing is permitted unless a grant permits it, and what is forbidden no grant permits.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import cast

import attrs

from leadconvert.access import (
    ANY,
    NOT_BY_OWNER,
    AccessRequest,
    Action,
    Actor,
    Decision,
    Grant,
    Scope,
)
from leadconvert.errors import DefinitionError
from leadconvert.kinds import Kind
from leadconvert.pipelines import Pipeline
from leadconvert.problems import Problem, mistake, no_choice, twice, unknown
from leadconvert.values import canonical, is_empty


__all__ = ["Combine", "Policy", "Role", "grant_mistakes"]

#: By kind and action, what the roles say of it.
_Index = Mapping[tuple[str, Action], tuple[tuple[str, Grant], ...]]


class Combine(StrEnum):
    """What counts where an actor has several roles.

    *widest*: each role decides by itself, with its own overrides for stages, and one that permits
    is enough. *stage_explicit*: where any of the roles says something of the stage itself, only
    what is said of the stage counts, even where that is narrower.

    Example:
        >>> from leadconvert import Combine
        >>> Combine("widest") is Combine.WIDEST
        True
    """

    WIDEST = "widest"
    STAGE_EXPLICIT = "stage_explicit"


def _combine(value: str) -> Combine:
    """Return the member meant; a name of none is kept, to be told with all other mistakes."""
    return Combine(value) if value in list(Combine) else cast("Combine", value)


def _grants(values: Iterable[Grant]) -> tuple[Grant, ...]:
    return tuple(sorted(set(values), key=canonical))


@attrs.frozen
class Role:
    """A named set of grants, and of what it forbids whatever else permits it.

    Both are sets: they are kept in an order of their own.

    Example:
        >>> from leadconvert import Grant, Role
        >>> Role("intern", [Grant("*", "read")], forbids=[Grant("deal", "read")]).id
        'intern'
    """

    id: str
    grants: tuple[Grant, ...] = attrs.field(default=(), converter=_grants)
    forbids: tuple[Grant, ...] = attrs.field(default=(), converter=_grants, kw_only=True)


def _roles(values: Iterable[Role]) -> tuple[Role, ...]:
    return tuple(sorted(values, key=lambda role: role.id))


@attrs.frozen
class Policy:
    """Decides by the roles of an actor; *combine* says how several of them do.

    Raises:
        leadconvert.errors.DefinitionError: the combination is unknown, a role stands twice or has
            no id, a grant can never apply since its own role forbids all of it, or what is
            forbidden is nothing (all mistakes at once).

    Example:
        >>> from leadconvert import AccessRequest, Actor, Grant, Policy, Role
        >>> policy = Policy([Role("sales", [Grant("deal", "create", "own")])])
        >>> policy.decide(
        ...     Actor("u-7", roles=["sales"]),
        ...     AccessRequest(action="create", kind="deal", owner_id="u-7"),
        ... ).role
        'sales'
    """

    roles: tuple[Role, ...] = attrs.field(default=(), converter=_roles)
    combine: Combine = attrs.field(default=Combine.WIDEST, converter=_combine, kw_only=True)
    unrestricted: bool = attrs.field(default=False, kw_only=True)
    _permits: _Index = attrs.field(init=False, eq=False, repr=False)
    _forbids: _Index = attrs.field(init=False, eq=False, repr=False)
    _has_overrides: bool = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)
        permits = [(role.id, grant) for role in self.roles for grant in role.grants]
        forbids = [(role.id, grant) for role in self.roles for grant in role.forbids]
        object.__setattr__(self, "_permits", _indexed(permits))
        object.__setattr__(self, "_forbids", _indexed(forbids))
        overrides = any(grant.stage is not None for _, grant in permits)
        object.__setattr__(self, "_has_overrides", overrides)

    def _mistakes(self) -> Iterator[Problem]:
        if self.combine not in list(Combine):
            yield no_choice("combination", self.combine, list(Combine), "policy")
        yield from twice("role", [role.id for role in self.roles], "policy")
        if any(is_empty(role.id) for role in self.roles):
            yield mistake("blank_id", "policy", what="role")
        for role in self.roles:
            for grant in role.grants:
                if any(_covers(forbidden, grant) for forbidden in role.forbids):
                    why = "the same role forbids all of it"
                    yield mistake("never_applies", f"role {role.id}", name=grant.kind, why=why)
            for forbidden in role.forbids:
                if _reaches_nothing(forbidden):
                    why = "it reaches nothing that it could forbid"
                    yield mistake("never_applies", f"role {role.id}", name=forbidden.kind, why=why)

    @classmethod
    def allow_all(cls) -> "Policy":
        """Return the policy that permits everything to everybody: an explicit choice.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Policy
            >>> request = AccessRequest(action="read", kind="deal")
            >>> Policy.allow_all().decide(Actor("u-7"), request).allowed
            True
        """
        return cls(unrestricted=True)

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return whether *actor* may do what *request* asks, and what decided it.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Grant, Policy, Role
            >>> policy = Policy([Role("sales", [Grant("lead", "convert", "own")])])
            >>> policy.decide(
            ...     Actor("u-7", roles=["sales"]),
            ...     AccessRequest(action="convert", kind="lead", owner_id="u-8"),
            ... ).code
            'out_of_scope'
        """
        code, role, grant = self._verdict(actor, actor.roles, request)
        if code is None:
            return self._denied(actor, request)
        return Decision(
            actor_id=actor.id,
            request=request,
            allowed=code != "forbidden",
            code=code,
            role=role,
            grant=grant,
        )

    def _verdict(
        self, actor: Actor, roles: frozenset[str], request: AccessRequest
    ) -> tuple[str | None, str | None, Grant | None]:
        """Return what decides if *actor* has these *roles*: a code, role and grant, or nothing."""
        if self._forbids:
            for role, grant in _about(self._forbids, roles, request):
                if grant.reaches(actor, request):
                    return "forbidden", role, grant
        if self.unrestricted:
            return "unrestricted", None, None
        for role, grant in self._counting(roles, request):
            if grant.reaches(actor, request):
                return "granted", role, grant
        return None, None, None

    def _counting(self, roles: frozenset[str], request: AccessRequest) -> list[tuple[str, Grant]]:
        """Return what *roles* permit of it, less what an override for the stage takes away."""
        about = _about(self._permits, roles, request)
        if not self._has_overrides or request.stage is None:
            return about
        explicit = {role for role, grant in about if grant.stage is not None}
        if explicit and self.combine is Combine.STAGE_EXPLICIT:
            explicit = set(roles)
        return [(role, one) for role, one in about if one.stage is not None or role not in explicit]

    def _denied(self, actor: Actor, request: AccessRequest) -> Decision:
        about = self._counting(actor.roles, request)
        anywhere = (attrs.evolve(grant, to=None) for _, grant in about)
        listed = any(grant.reaches(actor, request) for grant in anywhere)
        known = {role.id for role in self.roles}
        could = [
            role
            for role in sorted(known - actor.roles)
            if self._verdict(actor, actor.roles | {role}, request)[0] == "granted"
        ]
        return Decision(
            actor_id=actor.id,
            request=request,
            allowed=False,
            code="stage_not_listed" if listed else "out_of_scope" if about else "no_grant",
            could=tuple(could),
            unknown_roles=tuple(sorted(actor.roles - known)),
        )


def _indexed(clauses: Iterable[tuple[str, Grant]]) -> _Index:
    found: dict[tuple[str, Action], tuple[tuple[str, Grant], ...]] = {}
    clauses = list(clauses)
    for kind in {ANY, *(grant.kind for _, grant in clauses)}:
        for action in Action:
            said = tuple(
                (role, grant)
                for role, grant in clauses
                if grant.kind in (ANY, kind) and action in grant.actions
            )
            if said:
                found[kind, action] = said
    return found


def _about(index: _Index, roles: frozenset[str], request: AccessRequest) -> list[tuple[str, Grant]]:
    said = index.get((request.kind, request.action)) or index.get((ANY, request.action), ())
    return [said_by for said_by in said if said_by[0] in roles and said_by[1].is_about(request)]


def _reaches_nothing(grant: Grant) -> bool:
    """Whether *grant* permits nothing: it only overrides what is permitted in other stages."""
    return not grant.scope or (grant.actions == {Action.MOVE} and grant.to == frozenset())


def _fields(grant: Grant) -> frozenset[str]:
    return grant.fields or frozenset()


def _covers(forbidden: Grant, grant: Grant) -> bool:
    """Whether all that *grant* permits is forbidden by *forbidden*."""
    return (
        forbidden.kind in (ANY, grant.kind)
        and grant.actions <= forbidden.actions
        and not _reaches_nothing(grant)
        and _scope_covers(forbidden.scope, grant.scope)
        and forbidden.pipeline in (None, grant.pipeline)
        and forbidden.stage in (None, grant.stage)
        and _moves_cover(forbidden, grant)
        and (forbidden.fields is None) == (grant.fields is None)
        and (ANY in _fields(forbidden) or _fields(grant) <= _fields(forbidden))
    )


def _scope_covers(wider: frozenset[Scope], scope: frozenset[Scope]) -> bool:
    own = {Scope.OWN} if wider - NOT_BY_OWNER else set[Scope]()  # each of these reaches it
    return Scope.ALL in wider or scope <= wider | own


def _moves_cover(forbidden: Grant, grant: Grant) -> bool:
    if forbidden.to is None or Action.MOVE not in grant.actions:
        return True
    return grant.to is not None and grant.to <= forbidden.to


def grant_mistakes(
    policy: Policy, kinds: Iterable[Kind], pipelines: Iterable[Pipeline], lead: str
) -> Iterator[Problem]:
    """Yield every grant that names what the rules do not have, or that can never apply.

    *kinds* are those of the rules with the lead's, whose id *lead* is.

    Example:
        >>> from leadconvert import Grant, Policy, Role
        >>> from leadconvert.kinds import LEAD
        >>> from leadconvert.policy import grant_mistakes
        >>> policy = Policy([Role("sales", [Grant("leed", "read")])])
        >>> print(*grant_mistakes(policy, [LEAD], [], "lead"))
        role sales: there is no kind 'leed', did you mean 'lead'? (correct the name)
    """
    by_id, stages = {kind.id: kind for kind in kinds}, list(pipelines)
    for role in policy.roles:
        for grant in (*role.grants, *role.forbids):
            place = f"role {role.id}"
            if grant.kind not in {ANY, *by_id}:
                yield unknown("kind", grant.kind, by_id, place)
                continue
            meant = [kind for kind in by_id.values() if grant.kind in (ANY, kind.id)]
            own = [one for one in stages if one.kind in {kind.id for kind in meant}]
            named = [*_unknown_names(grant, meant, own, place)]
            yield from named
            if not named and (why := _why_never(grant, meant, own, lead)):
                yield mistake("never_applies", place, name=grant.kind, why=why)


def _unknown_names(
    grant: Grant, kinds: list[Kind], pipelines: list[Pipeline], place: str
) -> Iterator[Problem]:
    ids = [pipeline.id for pipeline in pipelines]
    if grant.pipeline is not None and grant.pipeline not in ids:
        yield unknown(f"pipeline of {grant.kind}", grant.pipeline, ids, place)
        return
    meant = [one for one in pipelines if grant.pipeline in (None, one.id)]
    stages = [stage.id for pipeline in meant for stage in pipeline.stages]
    named = [*([] if grant.stage is None else [grant.stage]), *sorted(grant.to or ())]
    for name in named:
        if name not in stages:
            yield unknown(f"stage of {grant.kind}", name, stages, place)
    members = {name for kind in kinds for name in kind.members}
    for name in sorted(_fields(grant) - {ANY}):
        if name not in members:
            yield unknown(f"field of {grant.kind}", name, sorted(members), place)


def _why_never(grant: Grant, kinds: list[Kind], pipelines: list[Pipeline], lead: str) -> str | None:
    """Say why no question that is ever asked is one *grant* speaks of, or None."""
    named = [kind.members[name] for kind in kinds for name in _fields(grant) & {*kind.members}]
    owned, opened = any(kind.owner for kind in kinds), any(kind.opened for kind in kinds)
    of_leads = grant.actions <= {Action.CONVERT, Action.REOPEN, Action.REVERSE}
    by_owner = bool(grant.scope - NOT_BY_OWNER) and Scope.ALL not in grant.scope
    by_opened = opened and Scope.OPENED in grant.scope
    reasons = (
        (named and not any(field.sensitive for field in named), "none of its fields is sensitive"),
        (of_leads and grant.kind not in (ANY, lead), "only leads are converted and taken back"),
        (grant.actions == {Action.MOVE} and not pipelines, "it has no stages to move between"),
        (grant.actions == {Action.ASSIGN} and not owned, "it has no owner to assign"),
        (grant.scope == {Scope.OPENED} and not opened, "no field says whether it is opened"),
        (by_owner and not owned and not by_opened, "it has no owner, by whom the scope is told"),
    )
    return next((why for never, why in reasons if never), None)
