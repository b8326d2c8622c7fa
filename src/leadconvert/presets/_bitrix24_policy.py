"""Expands Bitrix24's role settings into a policy.

There a role says of each entity and operation how far it reaches, and may say it again for single
stages. Here each of these is a grant.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Generic, TypeVar

import attrs

from leadconvert import Action, Grant, Policy, Role, Scope
from leadconvert.errors import DefinitionError, Problem
from leadconvert.problems import mistake, unknown
from leadconvert.values import is_empty


__all__ = ["policy"]

T = TypeVar("T")
_Reach = frozenset[Scope]
#: The stages one may move to; None for any.
_Stages = frozenset[str] | None

#: The entities that need no entry in kinds=, and what they are here.
_KINDS: Final = {"LEAD": "lead", "CONTACT": "contact", "COMPANY": "company", "DEAL": "deal"}
_SMART_PROCESS: Final = re.compile(r"DYNAMIC_[0-9]+")
#: The entities with pipelines; DEAL_C5 is pipeline 5 of the deals.
_PIPELINED: Final = re.compile(rf"(DEAL|{_SMART_PROCESS.pattern})(?:_C([1-9][0-9]*))?")

_ACTIONS: Final[Mapping[str, tuple[Action, ...]]] = {
    "READ": (Action.READ, Action.LINK),
    "ADD": (Action.CREATE, Action.ASSIGN),
    "WRITE": (Action.UPDATE, Action.MERGE),
    "DELETE": (Action.DELETE,),
}
_TRANSITION: Final = "TRANSITION"
_PASSED_OVER: Final = ("EXPORT", "IMPORT", "AUTOMATION", "HIDE_SUM", "MYCARDVIEW")
_OPERATIONS: Final = (*_ACTIONS, _TRANSITION, *_PASSED_OVER)

_OWN: Final = frozenset({Scope.OWN})
_DEPARTMENT: Final = _OWN | {Scope.DEPARTMENT}
_SUBDEPARTMENTS: Final = _DEPARTMENT | {Scope.SUBDEPARTMENTS}
_OPENED: Final = frozenset({Scope.OPENED})
_NOTHING: Final[_Reach] = frozenset()
_LETTERS: Final[Mapping[str, _Reach]] = {
    "": _NOTHING,
    "A": _OWN,
    "D": _DEPARTMENT,
    "F": _SUBDEPARTMENTS,
    "O": _SUBDEPARTMENTS | _OPENED,
    "X": frozenset({Scope.ALL}),
}
_NAMES: Final = {
    "SELF": Scope.OWN,
    "DEPARTMENT": Scope.DEPARTMENT,
    "SUBDEPARTMENTS": Scope.SUBDEPARTMENTS,
    "TEAM": Scope.TEAM,
    "SUBTEAMS": Scope.SUBTEAMS,
    "OPEN": Scope.OPENED,
    "ALL": Scope.ALL,
}
#: The name of the newer editor for no right at all.
_NONE: Final = "0"
_ANY, _BLOCKED, _INHERIT = "ANY", "BLOCKED", "INHERIT"


def policy(
    roles: object, *, combine: str, cumulative: bool, kinds: Mapping[str, str] | None
) -> Policy:
    """Return the policy that *roles* amount to; see `Bitrix24.policy`.

    Raises:
        DefinitionError: what is wrong, all of it, each with its place.
    """
    letters = _LETTERS if cumulative else {**_LETTERS, "O": _OPENED}
    reading = _Reading(kinds={**_KINDS, **(kinds or {})}, letters=letters)
    made = reading.read(roles)
    if reading.mistakes:
        raise DefinitionError(reading.mistakes)
    return Policy(made, combine=combine)


@attrs.frozen
class _Entity:
    """What an entity of theirs is here."""

    kind: str
    pipeline: str | None
    #: The field their settings for single stages stand under; None if it has no stages.
    stage_field: str | None
    is_lead: bool


@attrs.frozen
class _Said(Generic[T]):
    """What is said of one operation: for every stage, and for some otherwise."""

    everywhere: T
    stages: Mapping[str, T]

    def at(self, stage: str | None) -> T:
        return self.everywhere if stage is None else self.stages.get(stage, self.everywhere)


_ANYWHERE: Final[_Said[_Stages]] = _Said(None, {})
_NOWHERE: Final[_Said[_Reach]] = _Said(_NOTHING, {})


@attrs.define
class _Reading:
    """Reads settings as they come, and collects what is wrong with them."""

    kinds: Mapping[str, str]
    letters: Mapping[str, _Reach]
    #: The types of which some role names a pipeline.
    divided: frozenset[str] = attrs.field(default=frozenset(), init=False)
    mistakes: list[Problem] = attrs.field(factory=list, init=False)

    def read(self, roles: object) -> list[Role]:
        for name in self.kinds:
            if name not in _KINDS and not _SMART_PROCESS.fullmatch(name):
                self.mistakes.append(unknown("entity", name, _KINDS, "policy kinds"))
        named = {
            role: dict(self._items(entities, f"policy {role}"))
            for role, entities in self._items(roles, "policy")
        }
        types = [_divided(name) for entities in named.values() for name in entities]
        self.divided = frozenset(type_ for type_, pipeline in types if pipeline)
        if any(map(is_empty, named)):
            self.mistakes.append(mistake("blank_id", "policy", what="role"))
        return [
            Role(role, self._grants(entities, f"policy {role}")) for role, entities in named.items()
        ]

    def _grants(self, entities: Mapping[str, object], place: str) -> Iterator[Grant]:
        for name, operations in entities.items():
            entity = self._entity(name, place)
            if entity is not None:
                yield from self._of_entity(entity, operations, f"{place}.{name}")

    def _entity(self, name: str, place: str) -> _Entity | None:
        type_, pipeline = _divided(name)
        if type_ not in self.kinds:
            what = "kind in kinds= for" if _SMART_PROCESS.fullmatch(type_) else "entity"
            self.mistakes.append(unknown(what, name, self.kinds, place))
            return None
        if pipeline is None and (type_ == "DEAL" or type_ in self.divided):
            pipeline = "0"
        without_stages = type_ in {"CONTACT", "COMPANY"}
        is_lead = type_ == "LEAD"
        stage_field = None if without_stages else "STATUS_ID" if is_lead else "STAGE_ID"
        return _Entity(self.kinds[type_], pipeline, stage_field, is_lead)

    def _of_entity(self, entity: _Entity, operations: object, place: str) -> Iterator[Grant]:
        levels: dict[str, _Said[_Reach]] = {}
        moves: _Said[_Stages] | None = None
        for name, value in self._items(operations, place):
            at = f"{place}.{name}"
            if name in _ACTIONS:
                levels[name] = self._said(value, entity, at, self._reach)
            elif name == _TRANSITION and entity.stage_field is not None:
                moves = self._said(value, entity, at, self._stages)
            elif name == _TRANSITION:
                self._misplaced(name, "about a kind without stages", place)
            elif name not in _PASSED_OVER:
                self.mistakes.append(unknown("operation", name, _OPERATIONS, place))
        for name, level in levels.items():
            actions = _ACTIONS[name]
            if name == "WRITE" and entity.is_lead:
                actions += (Action.CONVERT, Action.REOPEN)
            if name == "WRITE" and entity.stage_field is not None and moves is None:
                actions += (Action.MOVE,)
            yield from _granted(entity, actions, level, _ANYWHERE)
        if moves is not None:
            yield from _granted(entity, (Action.MOVE,), levels.get("WRITE", _NOWHERE), moves)

    def _said(
        self, value: object, entity: _Entity, place: str, read: Callable[[object, str], T]
    ) -> _Said[T]:
        if not isinstance(value, Mapping):
            return _Said(read(value, place), {})
        everywhere = read("", place)
        stages: dict[str, T] = {}
        for name, item in self._items(value, place):
            at = f"{place}.{name}"
            if name == "-":
                everywhere = read(item, at)
            elif entity.stage_field is None:
                self._misplaced(name, "about a kind without stages", place)
            elif name != entity.stage_field:
                self.mistakes.append(unknown("stage field", name, [entity.stage_field], place))
            else:
                for stage, level in self._items(item, at):
                    if level not in ("-", _INHERIT, [_INHERIT]):
                        stages[stage] = read(level, f"{at}.{stage}")
        return _Said(everywhere, stages)

    def _reach(self, value: object, place: str) -> _Reach:
        if isinstance(value, str) and value in self.letters:
            return self.letters[value]
        names = self._texts(value, "a level", place)
        if names == [_NONE]:
            return _NOTHING
        strange = [name for name in names if name not in _NAMES]
        self.mistakes += [unknown("level", name, _NAMES, place) for name in strange]
        return frozenset(_NAMES[name] for name in names if name in _NAMES)

    def _stages(self, value: object, place: str) -> _Stages:
        if value == "":
            return frozenset()
        names = self._texts(value, "a list of stages", place)
        if names == [_ANY]:
            return None
        if names == [_BLOCKED]:
            return frozenset()
        if isinstance(value, str):
            self.mistakes.append(unknown("transition", value, [_ANY, _BLOCKED], place))
        for name in (_ANY, _BLOCKED, _INHERIT):
            if isinstance(value, list | tuple) and name in names:
                self._misplaced(name, "among stages", place)
        return frozenset(names)

    def _items(self, value: object, place: str) -> Iterator[tuple[str, object]]:
        if not isinstance(value, Mapping):
            self._misshapen("a mapping", value, place)
            return
        for name, item in value.items():
            if isinstance(name, str):
                yield name, item
            else:
                self._misshapen("a text as a name", name, place)

    def _texts(self, value: object, what: str, place: str) -> list[str]:
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list | tuple):
            self._misshapen(what, value, place)
            return []
        for item in value:
            if not isinstance(item, str):
                self._misshapen("a text", item, place)
        return [item for item in value if isinstance(item, str)]

    def _misplaced(self, what: str, where: str, place: str) -> None:
        self.mistakes.append(mistake("misplaced_in_grant", place, what=what, where=where))

    def _misshapen(self, what: str, value: object, place: str) -> None:
        given = type(value).__name__
        self.mistakes.append(mistake("wrong_shape", place, what=what, given=given))


def _divided(entity: str) -> tuple[str, str | None]:
    """Return the type of an entity, and the pipeline that its name tells."""
    found = _PIPELINED.fullmatch(entity)
    return (found[1], found[2]) if found else (entity, None)


def _granted(
    entity: _Entity, actions: tuple[Action, ...], level: _Said[_Reach], moves: _Said[_Stages]
) -> Iterator[Grant]:
    """Yield a grant for every stage, and one for each stage of which something else is said."""
    for stage in (None, *dict.fromkeys([*level.stages, *moves.stages])):
        scope, to = level.at(stage), moves.at(stage)
        if to == frozenset():
            scope = _NOTHING  # may move nowhere
        if scope or stage is not None:
            yield Grant(
                entity.kind,
                actions,
                scope,
                pipeline=entity.pipeline,
                stage=stage,
                to=to if scope else None,
            )
