"""The organisation of a company: who belongs where, hence whose records are near to whom.

It changes daily, so it is no part of the rules. `Organisation.expand` gives an actor what they have
through it; `Organisation.over` is an authorizer that does so before every answer.
"""

from collections.abc import Iterable, Iterator, Mapping

import attrs
from attrs import validators

from leadconvert.access import AccessRequest, Actor, Authorizer, Decision
from leadconvert.errors import DefinitionError
from leadconvert.given import all_of, is_a, texts
from leadconvert.policy import Policy
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.values import is_empty


__all__ = ["Member", "Organisation", "Organised", "Unit"]


def _names(values: Iterable[str]) -> frozenset[str]:
    return frozenset(texts(values))


@attrs.frozen
class Unit:
    """A department, a team or a group: the unit above it, who heads it, and the roles it gives.

    *heads* are ids of users; a head is a member of the unit, whether listed as one or not. *roles*
    are given to the unit's members; *roles_below* to the members of every unit below it, however
    far below, but not to its own.

    Raises:
        TypeError: *heads*, *roles* or *roles_below* is one text instead of a list.

    Example:
        >>> from leadconvert import Unit
        >>> Unit("north", "sales", heads=["u-1"], roles=["seller"]).parent
        'sales'
    """

    id: str = attrs.field(validator=is_a(str))
    parent: str | None = attrs.field(default=None, validator=validators.optional(is_a(str)))
    heads: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    roles: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    roles_below: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)


@attrs.frozen
class Member:
    """A user: their id, the ids of the units they belong to, and roles of their own.

    Raises:
        TypeError: one text stands where a list belongs.

    Example:
        >>> from leadconvert import Member
        >>> Member("u-7", departments=["north"], roles=["analyst"]).id
        'u-7'
    """

    id: str = attrs.field(validator=is_a(str))
    departments: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    teams: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    groups: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)
    roles: frozenset[str] = attrs.field(default=frozenset(), converter=_names, kw_only=True)


@attrs.frozen
class _Tree:
    """The units of one sort: what stands below each, who belongs to it, and what that gives."""

    units: Mapping[str, Unit]
    below: Mapping[str, list[str]]
    people: Mapping[str, set[str]]
    #: The roles its members have through each unit, those given from above included.
    roles: Mapping[str, frozenset[str]]
    units_of: Mapping[str, list[str]]

    def roles_of(self, user: str) -> frozenset[str]:
        """The roles *user* has through these units."""
        nothing: frozenset[str] = frozenset()
        return nothing.union(*(self.roles[unit] for unit in self.units_of.get(user, ())))

    def beside(self, user: str) -> set[str]:
        """Who belongs to the same units, less the heads of those that *user* does not head."""
        found: set[str] = set()
        for unit in self.units_of.get(user, ()):
            heads = self.units[unit].heads
            found |= self.people[unit] if user in heads else self.people[unit] - heads
        return found

    def beneath(self, user: str) -> set[str]:
        """Who belongs to a unit below one that *user* belongs to."""
        found: set[str] = set()
        seen: set[str] = set()
        left = [one for unit in self.units_of.get(user, ()) for one in self.below[unit]]
        while left:
            unit = left.pop()
            if unit not in seen:  # else it stands below two of theirs
                seen.add(unit)
                found |= self.people[unit]
                left += self.below[unit]
        return found


def _units(values: Iterable[Unit]) -> tuple[Unit, ...]:
    return tuple(sorted(all_of(values, Unit), key=lambda unit: unit.id))


def _members(values: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(all_of(values, Member), key=lambda member: member.id))


@attrs.frozen(kw_only=True)
class Organisation:
    """The departments, teams and groups of a company, and its members; in no order.

    Departments and teams say whose records are near, groups give roles only. A user is known who is
    listed in *members* or heads a unit; whoever is not known gets nothing.

    A superior's records are not near to their staff: the heads of a unit are left out of what its
    other members reach. Whom one reaches through another unit as well, one does reach.

    Raises:
        leadconvert.errors.DefinitionError: a unit or a member stands twice or has no id, a unit
            that is named does not exist, or parents form a circle (all mistakes at once).
        TypeError: something else than units or members stands in their lists.

    Example:
        >>> from leadconvert import Actor, Member, Organisation, Unit
        >>> company = Organisation(
        ...     departments=[Unit("north", heads=["u-1"], roles=["seller"]), Unit("port", "north")],
        ...     members=[Member("u-7", departments=["north"]), Member("u-8", departments=["port"])],
        ... )
        >>> boss, ada = company.expand(Actor("u-1")), company.expand(Actor("u-7"))
        >>> sorted(boss.department), sorted(boss.subdepartments)
        (['u-1', 'u-7'], ['u-1', 'u-7', 'u-8'])
        >>> sorted(ada.department), sorted(ada.subdepartments), sorted(ada.roles)
        (['u-7'], ['u-7', 'u-8'], ['seller'])
    """

    departments: tuple[Unit, ...] = attrs.field(default=(), converter=_units)
    teams: tuple[Unit, ...] = attrs.field(default=(), converter=_units)
    groups: tuple[Unit, ...] = attrs.field(default=(), converter=_units)
    members: tuple[Member, ...] = attrs.field(default=(), converter=_members)
    _department_tree: _Tree = attrs.field(init=False, eq=False, repr=False)
    _team_tree: _Tree = attrs.field(init=False, eq=False, repr=False)
    _group_tree: _Tree = attrs.field(init=False, eq=False, repr=False)
    _own_roles: Mapping[str, frozenset[str]] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if mistakes := list(self._mistakes()):
            raise DefinitionError(mistakes)
        users = self.members
        departments = _tree(self.departments, {user.id: user.departments for user in users})
        teams = _tree(self.teams, {user.id: user.teams for user in users})
        groups = _tree(self.groups, {user.id: user.groups for user in users})
        object.__setattr__(self, "_department_tree", departments)
        object.__setattr__(self, "_team_tree", teams)
        object.__setattr__(self, "_group_tree", groups)
        object.__setattr__(self, "_own_roles", {user.id: user.roles for user in users})

    def _sorts(self) -> tuple[tuple[str, tuple[Unit, ...]], ...]:
        return (("department", self.departments), ("team", self.teams), ("group", self.groups))

    def _mistakes(self) -> Iterator[Problem]:
        known: dict[str, frozenset[str]] = {}
        for what, units in self._sorts():
            known[what] = frozenset(unit.id for unit in units)
            yield from _unit_mistakes(what, units, known[what])
        yield from twice("member", [member.id for member in self.members], "members")
        if any(is_empty(member.id) for member in self.members):
            yield mistake("blank_id", "members", what="member")
        for member in self.members:
            belonging = (member.departments, member.teams, member.groups)
            for (what, ids), own in zip(known.items(), belonging, strict=True):
                for name in sorted(own - ids):
                    yield unknown(what, name, ids, f"member {member.id}")

    def expand(self, actor: Actor) -> Actor:
        """Return *actor* with what they have through the organisation added to what they brought.

        That is the roles of their own and of their units, and whose records are near to them:
        *department* and *team* are the members of their departments and teams, *subdepartments*
        adds the members of all departments below, *subteams* is the members of all teams below
        alone. Heads of units below are among them; heads of one's own units are not, but for their
        fellow heads: a superior's records are not near to their staff. Every scope told by owners
        reaches one's own records, whoever is listed here.

        An actor whom the organisation does not know comes back unchanged.

        Example:
            >>> from leadconvert import Actor, Member, Organisation, Unit
            >>> company = Organisation(
            ...     teams=[Unit("east", heads=["u-1"])],
            ...     members=[Member("u-7", teams=["east"]), Member("u-8", teams=["east"])],
            ... )
            >>> sorted(company.expand(Actor("u-7")).team)
            ['u-7', 'u-8']
            >>> company.expand(Actor("u-9")) == Actor("u-9")
            True
        """
        user, departments, teams = actor.id, self._department_tree, self._team_tree
        beside = departments.beside(user)
        return attrs.evolve(
            actor,
            roles=actor.roles.union(
                self._own_roles.get(user, ()),
                departments.roles_of(user),
                teams.roles_of(user),
                self._group_tree.roles_of(user),
            ),
            department=actor.department | beside,
            subdepartments=actor.subdepartments | beside | departments.beneath(user),
            team=actor.team | teams.beside(user),
            subteams=actor.subteams | teams.beneath(user),
        )

    def over(self, authorizer: Authorizer) -> Authorizer:
        """Return the authorizer that decides as *authorizer* does, for the expanded actor.

        It expands the actor for every question. Whoever has many questions for one actor expands
        them once, and asks *authorizer* itself.

        Raises:
            leadconvert.errors.DefinitionError: *authorizer* is a policy, and the organisation gives
                roles which that policy does not have (all mistakes at once).

        Example:
            >>> from leadconvert import (
            ...     AccessRequest, Actor, Grant, Member, Organisation, Policy, Role, Unit
            ... )
            >>> policy = Policy([Role("seller", [Grant("deal", "read", "department")])])
            >>> company = Organisation(
            ...     departments=[Unit("north", roles=["seller"])],
            ...     members=[
            ...         Member("u-7", departments=["north"]), Member("u-8", departments=["north"])
            ...     ],
            ... )
            >>> request = AccessRequest(action="read", kind="deal", owner_id="u-8")
            >>> company.over(policy).decide(Actor("u-7"), request).allowed
            True
        """
        if isinstance(authorizer, Policy):
            known = frozenset(role.id for role in authorizer.roles)
            mistakes = [
                unknown("role", name, known, place)
                for place, roles in self._given_roles()
                for name in sorted(roles - known)
            ]
            if mistakes:
                raise DefinitionError(mistakes)
        return Organised(self, authorizer)

    def _given_roles(self) -> Iterator[tuple[str, frozenset[str]]]:
        for what, units in self._sorts():
            for unit in units:
                yield f"{what} {unit.id}", unit.roles | unit.roles_below
        for member in self.members:
            yield f"member {member.id}", member.roles


@attrs.frozen
class Organised:
    """Decides as *authorizer* does, for the actor as *organisation* expands them.

    `Organisation.over` makes it, and checks the roles.

    Example:
        >>> from leadconvert import AccessRequest, Actor, Member, Organisation, Policy
        >>> from leadconvert.organisation import Organised
        >>> asked = AccessRequest(action="read", kind="deal")
        >>> Organised(Organisation(), Policy()).decide(Actor("u-7"), asked).actor_id
        'u-7'
    """

    organisation: Organisation
    authorizer: Authorizer

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return whether the expanded *actor* may do what *request* asks.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Organisation, Policy
            >>> company = Organisation().over(Policy.allow_all())
            >>> company.decide(Actor("u-7"), AccessRequest(action="read", kind="deal")).code
            'unrestricted'
        """
        return self.authorizer.decide(self.organisation.expand(actor), request)


def _tree(units: Iterable[Unit], belonging: Mapping[str, frozenset[str]]) -> _Tree:
    """Index *units*, given the units each user belongs to by the user's id."""
    by_id = {unit.id: unit for unit in units}
    people = {unit.id: set(unit.heads) for unit in by_id.values()}
    for user, own in belonging.items():
        for name in own:
            people[name].add(user)
    below: dict[str, list[str]] = {name: [] for name in by_id}
    for unit in by_id.values():
        if unit.parent is not None:
            below[unit.parent].append(unit.id)
    units_of: dict[str, list[str]] = {}
    for name, users in people.items():
        for user in users:
            units_of.setdefault(user, []).append(name)
    return _Tree(by_id, below, people, _roles_through(by_id, below), units_of)


def _roles_through(
    units: Mapping[str, Unit], below: Mapping[str, list[str]]
) -> dict[str, frozenset[str]]:
    """Return the roles each unit's members have through it, from the top of each tree down."""
    found: dict[str, frozenset[str]] = {}
    nothing: frozenset[str] = frozenset()
    left = [(unit, nothing) for unit in units.values() if unit.parent is None]
    while left:
        unit, from_above = left.pop()
        found[unit.id] = from_above | unit.roles
        handed_down = from_above | unit.roles_below
        left += [(units[name], handed_down) for name in below[unit.id]]
    return found


def _unit_mistakes(what: str, units: tuple[Unit, ...], known: frozenset[str]) -> Iterator[Problem]:
    place = f"{what}s"
    yield from twice(what, [unit.id for unit in units], place)
    if any(map(is_empty, known)):
        yield mistake("blank_id", place, what=what)
    for unit in units:
        if unit.parent is not None and unit.parent not in known:
            yield unknown(what, unit.parent, known - {unit.id}, f"{what} {unit.id}")
        if any(map(is_empty, unit.heads)):
            yield mistake("blank_id", f"{what} {unit.id}", what="head")
    for circle in _circles({unit.id: unit.parent for unit in units}):
        yield mistake("parent_cycle", place, what=place, names=circle)


def _circles(parents: Mapping[str, str | None]) -> Iterator[list[str]]:
    """Yield each circle of parents once, from its first name on, each followed by its parent."""
    seen: set[str] = set()
    for start in parents:
        path: list[str] = []
        name: str | None = start
        while name is not None and name in parents and name not in seen:
            path.append(name)
            seen.add(name)
            name = parents[name]
        if name in path:
            circle = path[path.index(name) :]
            first = circle.index(min(circle))
            yield circle[first:] + circle[:first]
