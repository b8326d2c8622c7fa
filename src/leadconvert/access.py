"""Who asks for what: actors, the questions whether they may, and the decisions that answer them.

Whatever answers them is an `Authorizer`: a `Policy`, an engine of the host's own, or answers that a
remote engine gave before.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final, Protocol, TypeVar, cast

import attrs

from leadconvert.errors import DefinitionError
from leadconvert.given import is_a, texts
from leadconvert.problems import Problem, mistake, no_choice


__all__ = [
    "ANY",
    "NOT_BY_OWNER",
    "AccessRequest",
    "Action",
    "Actor",
    "Authorizer",
    "Decision",
    "Grant",
    "Scope",
]


#: In a grant: every kind, or every field.
ANY: Final = "*"


class Action(StrEnum):
    """What one may do with a record of a kind.

    To link is to point at a record that exists, to assign to give a record to another owner. To
    convert, reopen and reverse are rights on a lead; to move is to change the stage.

    Example:
        >>> from leadconvert import Action
        >>> Action("create") is Action.CREATE
        True
    """

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    CONVERT = "convert"
    MOVE = "move"
    REOPEN = "reopen"
    REVERSE = "reverse"
    LINK = "link"
    MERGE = "merge"
    ASSIGN = "assign"


class Scope(StrEnum):
    """Which records a grant reaches, told by who owns them; several may be combined.

    The actor's *own*; those of their *department*, or of that and all below it (*subdepartments*);
    those of their *team*, or of the teams below (*subteams*); those *opened* to everyone; *all*.
    Every scope told by owners reaches one's own records too. No scope reaches nothing.

    Example:
        >>> from leadconvert import Scope
        >>> Scope("own") is Scope.OWN
        True
    """

    OWN = "own"
    DEPARTMENT = "department"
    SUBDEPARTMENTS = "subdepartments"
    TEAM = "team"
    SUBTEAMS = "subteams"
    OPENED = "opened"
    ALL = "all"


#: The scopes that ask for something else than the owner.
NOT_BY_OWNER: Final = frozenset({Scope.OPENED, Scope.ALL})

E_ = TypeVar("E_", bound=StrEnum)


def _choices(values: Iterable[str] | str, among: type[E_]) -> frozenset[E_]:
    """Return the members meant; a name of none is kept, to be told with all other mistakes."""
    members = {member.value: member for member in among}
    names = [values] if isinstance(values, str) else values
    return frozenset(members.get(name, cast("E_", name)) for name in names)


def _names(values: Iterable[str]) -> frozenset[str]:
    return frozenset(texts(values))


@attrs.frozen
class Actor:
    """Who asks: a user's id, the names of their roles, and whose records are near to theirs.

    *department*, *subdepartments*, *team* and *subteams* hold the ids of the owners whose records
    the scope of that name reaches. `Organisation.expand` fills them, or a query of your own.

    Raises:
        TypeError: *roles* is one text instead of a list.

    Example:
        >>> from leadconvert import Actor
        >>> Actor("u-7", roles=["sales"], department=["u-7", "u-8"]).id
        'u-7'
    """

    id: str = attrs.field(validator=is_a(str))
    roles: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    department: frozenset[str] = attrs.field(
        default=frozenset(), converter=_names, kw_only=True, repr=False
    )
    subdepartments: frozenset[str] = attrs.field(
        default=frozenset(), converter=_names, kw_only=True, repr=False
    )
    team: frozenset[str] = attrs.field(
        default=frozenset(), converter=_names, kw_only=True, repr=False
    )
    subteams: frozenset[str] = attrs.field(
        default=frozenset(), converter=_names, kw_only=True, repr=False
    )


@attrs.frozen(kw_only=True)
class AccessRequest:
    """One question to an authorizer: may this be done with a record that has these plain values?

    For a record to be created the values are those it would be written with, and *id* is None. For
    a move *to_stage* says where to. With a *field* the question is whether that sensitive field may
    be seen (read) or filled (update) in records of the kind at all; then it holds nothing else.

    Example:
        >>> from leadconvert import AccessRequest
        >>> AccessRequest(action="create", kind="deal", owner_id="u-7", pipeline="0").action
        <Action.CREATE: 'create'>
    """

    action: Action = attrs.field(converter=Action)
    kind: str
    id: str | None = None
    owner_id: str | None = None
    opened: bool = False
    pipeline: str | None = None
    stage: str | None = None
    to_stage: str | None = None
    field: str | None = None


def _actions(values: Iterable[str] | str) -> frozenset[Action]:
    return _choices(values, Action)


def _scopes(values: Iterable[str] | str) -> frozenset[Scope]:
    return _choices(values, Scope)


def _maybe_names(values: Iterable[str] | str | None) -> frozenset[str] | None:
    if values is None:
        return None
    return frozenset(texts([values] if isinstance(values, str) else values))


@attrs.frozen
class Grant:
    """Permits actions on one kind (``"*"`` for every kind) within a scope; or forbids them.

    *actions*, *scope*, *to* and *fields* take one name or several. A grant may speak of one
    *pipeline* and one *stage* alone; a grant for a stage overrides those that name none, be its
    scope wider, narrower, or none at all (``scope=[]``). *to* lists the stages one may move to;
    None means any, and then it need not be said where to.

    A sensitive field may be read or updated by whom a grant names it to, in *fields* (``"*"`` for
    every field of the kind): such a grant has no scope, pipeline or stage, and says nothing else.

    Raises:
        leadconvert.errors.DefinitionError: a name is unknown, or the grant contradicts itself (all
            mistakes at once).

    Example:
        >>> from leadconvert import Grant
        >>> sorted(Grant("deal", ["read", "create"], "own").actions)
        [<Action.CREATE: 'create'>, <Action.READ: 'read'>]
        >>> stay = Grant("deal", "move", [], stage="won")
        >>> see_margins = Grant("deal", "read", fields="margin")
    """

    kind: str = attrs.field(validator=is_a(str))
    actions: frozenset[Action] = attrs.field(converter=_actions)
    scope: frozenset[Scope] = attrs.field(default=frozenset({Scope.ALL}), converter=_scopes)
    pipeline: str | None = attrs.field(default=None, kw_only=True)
    stage: str | None = attrs.field(default=None, kw_only=True)
    to: frozenset[str] | None = attrs.field(default=None, converter=_maybe_names, kw_only=True)
    fields: frozenset[str] | None = attrs.field(default=None, converter=_maybe_names, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)

    def _mistakes(self) -> Iterator[Problem]:
        place = f"grant on {self.kind}"
        strange = [
            no_choice(among.__name__.lower(), name, list(among), place)
            for among, names in ((Action, self.actions), (Scope, self.scope))
            for name in sorted(names.difference(among))
        ]
        if strange:
            yield from strange  # what would follow from a slip is not told
            return
        if not self.actions:
            yield mistake("empty_grant", place, what="no action")
        if not self.scope and self.stage is None:
            yield mistake("empty_grant", place, what="no scope and no stage to override")
        if self.to is not None and Action.MOVE not in self.actions:
            yield mistake("misplaced_in_grant", place, what="to", where="without the action move")
        if self.fields is not None and not self.fields:
            yield mistake("empty_grant", place, what="no field")
        if self.fields and not self.actions <= {Action.READ, Action.UPDATE}:
            where = "with other actions than read and update"
            yield mistake("misplaced_in_grant", place, what="fields", where=where)
        if self.fields and (self.scope != {Scope.ALL} or self.pipeline or self.stage):
            what = "scope, pipeline or stage"
            yield mistake("misplaced_in_grant", place, what=what, where="together with fields")

    def is_about(self, request: AccessRequest) -> bool:
        """Tell whether this grant speaks of what is asked at all.

        Example:
            >>> from leadconvert import AccessRequest, Grant
            >>> Grant("*", "read").is_about(AccessRequest(action="read", kind="deal"))
            True
        """
        if self.kind not in (ANY, request.kind) or request.action not in self.actions:
            return False
        if request.field is not None:
            return self.fields is not None and not self.fields.isdisjoint({request.field, ANY})
        if self.fields:
            return False
        return self.pipeline in (None, request.pipeline) and self.stage in (None, request.stage)

    def reaches(self, actor: Actor, request: AccessRequest) -> bool:
        """Tell whether the record, and the stage it would move to, are within this grant.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Grant
            >>> Grant("deal", "read", "own").reaches(
            ...     Actor("u-7"), AccessRequest(action="read", kind="deal", owner_id="u-8")
            ... )
            False
        """
        moves = request.action is Action.MOVE
        if moves and self.to is not None and request.to_stage not in self.to:
            return False
        scope, owner = self.scope, request.owner_id
        if Scope.ALL in scope or (request.opened and Scope.OPENED in scope):
            return True
        if owner is None:
            return False
        if owner == actor.id:
            return not scope <= NOT_BY_OWNER
        return (
            (owner in actor.department and Scope.DEPARTMENT in scope)
            or (owner in actor.subdepartments and Scope.SUBDEPARTMENTS in scope)
            or (owner in actor.team and Scope.TEAM in scope)
            or (owner in actor.subteams and Scope.SUBTEAMS in scope)
        )


@attrs.frozen(kw_only=True)
class Decision:
    """An answer: whether *actor_id* may do what *request* asks, and why.

    *code* says it in one word: `granted`, `unrestricted`, `forbidden`, `no_grant`, `out_of_scope`,
    `stage_not_listed`, `not_answered`, or `denied` by an engine of the host's. *role* and
    *grant* are those that decided; *could* lists the roles that would permit it, *unknown_roles*
    those of the actor's that do not exist.

    Example:
        >>> from leadconvert import AccessRequest, Actor, Policy
        >>> Policy().decide(Actor("u-7"), AccessRequest(action="read", kind="deal")).code
        'no_grant'
    """

    actor_id: str
    request: AccessRequest
    allowed: bool
    code: str
    role: str | None = None
    grant: Grant | None = None
    could: tuple[str, ...] = ()
    unknown_roles: tuple[str, ...] = ()


class Authorizer(Protocol):
    """Whatever decides about access; it must give the same answer to the same question.

    Example:
        >>> from leadconvert import AccessRequest, Actor, Authorizer, Decision
        >>> class Weekend:
        ...     def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        ...         return Decision(
        ...             actor_id=actor.id, request=request, allowed=False, code="denied"
        ...         )
        >>> closed: Authorizer = Weekend()
    """

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return whether *actor* may do what *request* asks."""
        ...
