"""Who may do what: actors, the grants of their roles, and decisions that say why.

Nothing is permitted unless a grant permits it.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, TypeVar

import attrs
from attrs import validators

from leadconvert.errors import DefinitionError, Problem, mistake, twice, unknown
from leadconvert.values import is_empty, texts


__all__ = [
    "ANY_KIND",
    "AccessRequest",
    "Action",
    "Actor",
    "Decision",
    "Grant",
    "Policy",
    "Role",
    "Scope",
]

#: In a grant: every kind.
ANY_KIND: Final = "*"


class Action(StrEnum):
    """What one may do with a record of a kind. To link is to point at a record that exists.

    Example:
        >>> from leadconvert import Action
        >>> Action("create") is Action.CREATE
        True
    """

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    CONVERT = "convert"
    MOVE = "move"
    LINK = "link"


class Scope(StrEnum):
    """Which records a grant reaches: the actor's own (by its owner), or all.

    Example:
        >>> from leadconvert import Scope
        >>> Scope("own") is Scope.OWN
        True
    """

    OWN = "own"
    ALL = "all"


E_ = TypeVar("E_", Action, Scope)


def _choices(values: Iterable[str] | str, choices: type[E_]) -> frozenset[E_]:
    names = [values] if isinstance(values, str) else list(values)
    place, what = "grant", choices.__name__.lower()
    strange = [name for name in names if name not in list(choices)]
    if strange:
        raise DefinitionError([unknown(what, name, list(choices), place) for name in strange])
    return frozenset(map(choices, names))


def _actions(values: Iterable[str] | str) -> frozenset[Action]:
    return _choices(values, Action)


def _scopes(values: Iterable[str] | str) -> frozenset[Scope]:
    return _choices(values, Scope)


def _roles(values: Iterable[str]) -> frozenset[str]:
    return frozenset(texts(values))


@attrs.frozen
class Actor:
    """Who asks: a user's id and the names of their roles.

    Raises:
        TypeError: *roles* is one text instead of a list.

    Example:
        >>> from leadconvert import Actor
        >>> Actor("u-7", roles=["sales"]).id
        'u-7'
    """

    id: str = attrs.field(validator=validators.instance_of(str))
    roles: frozenset[str] = attrs.field(default=frozenset(), converter=_roles)


@attrs.frozen(kw_only=True)
class AccessRequest:
    """One question to a policy: may this be done with a record that has these plain values?

    For a record to be created the values are those it would be written with, and *id* is None. For
    a move *to_stage* says where to.

    Example:
        >>> from leadconvert import AccessRequest
        >>> AccessRequest(action="create", kind="deal", owner_id="u-7", pipeline="0").action
        <Action.CREATE: 'create'>
    """

    action: Action = attrs.field(converter=Action)
    kind: str
    id: str | None = None
    owner_id: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    to_stage: str | None = None


@attrs.frozen
class Grant:
    """Permits actions on one kind (``"*"`` for every kind) within a scope.

    *actions* and *scope* take one name or several.

    Raises:
        leadconvert.errors.DefinitionError: an action or a scope is unknown.

    Example:
        >>> from leadconvert import Grant
        >>> Grant("deal", ["read", "create"], "own").scope
        frozenset({<Scope.OWN: 'own'>})
    """

    kind: str
    actions: frozenset[Action] = attrs.field(converter=_actions)
    scope: frozenset[Scope] = attrs.field(default=frozenset({Scope.ALL}), converter=_scopes)

    def is_about(self, request: AccessRequest) -> bool:
        """Tell whether this grant speaks of the request's kind and action at all.

        Example:
            >>> from leadconvert import AccessRequest, Grant
            >>> Grant("*", "read").is_about(AccessRequest(action="read", kind="deal"))
            True
        """
        return self.kind in (ANY_KIND, request.kind) and request.action in self.actions

    def reaches(self, actor: Actor, request: AccessRequest) -> bool:
        """Tell whether the record asked about is within this grant's scope for *actor*.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Grant
            >>> Grant("deal", "read", "own").reaches(
            ...     Actor("u-7"), AccessRequest(action="read", kind="deal", owner_id="u-8")
            ... )
            False
        """
        return Scope.ALL in self.scope or (Scope.OWN in self.scope and request.owner_id == actor.id)


def _grants(values: Iterable[Grant]) -> tuple[Grant, ...]:
    return tuple(values)


@attrs.frozen
class Role:
    """A named set of grants.

    Example:
        >>> from leadconvert import Grant, Role
        >>> Role("viewer", [Grant("*", "read")]).id
        'viewer'
    """

    id: str
    grants: tuple[Grant, ...] = attrs.field(default=(), converter=_grants)


def _role_tuple(values: Iterable[Role]) -> tuple[Role, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Decision:
    """A policy's answer, with the role and grant that decided, or none if nothing permits it.

    *code* is `granted`, `unrestricted`, `no_grant` or `out_of_scope`.

    Example:
        >>> from leadconvert import AccessRequest, Actor, Policy
        >>> Policy().decide(Actor("u-7"), AccessRequest(action="read", kind="deal")).code
        'no_grant'
    """

    allowed: bool
    code: str
    request: AccessRequest
    role: str | None = None
    grant: Grant | None = None


@attrs.frozen
class Policy:
    """Decides by roles and their grants. The widest grant of all an actor's roles wins.

    Raises:
        leadconvert.errors.DefinitionError: a role stands twice.

    Example:
        >>> from leadconvert import AccessRequest, Actor, Grant, Policy, Role
        >>> policy = Policy([Role("sales", [Grant("deal", "create", "own")])])
        >>> policy.decide(
        ...     Actor("u-7", roles=["sales"]),
        ...     AccessRequest(action="create", kind="deal", owner_id="u-7"),
        ... ).role
        'sales'
    """

    roles: tuple[Role, ...] = attrs.field(default=(), converter=_role_tuple)
    unrestricted: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)

    def _mistakes(self) -> Iterable[Problem]:
        yield from twice("role", [role.id for role in self.roles], "policy")
        if any(is_empty(role.id) for role in self.roles):
            yield mistake("blank_id", "policy", what="role")

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

    def decide(self, actor: Actor, request: AccessRequest) -> Decision:
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
        if self.unrestricted:
            return Decision(allowed=True, code="unrestricted", request=request)
        about = [
            (role, grant)
            for role in self.roles
            if role.id in actor.roles
            for grant in role.grants
            if grant.is_about(request)
        ]
        for role, grant in about:
            if grant.reaches(actor, request):
                return Decision(
                    allowed=True, code="granted", request=request, role=role.id, grant=grant
                )
        code = "out_of_scope" if about else "no_grant"
        return Decision(allowed=False, code=code, request=request)
