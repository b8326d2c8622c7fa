"""Expands the profiles and permission sets of a Salesforce into a policy.

There a user has what any of their profile and permission sets grants, within what sharing leaves
open. Here each of these is a role, and the widest role wins.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from leadconvert import Action, ConversionRules, Grant, Policy, Role, Scope
from leadconvert.errors import DefinitionError, Problem
from leadconvert.presets._salesforce_names import SHAPES, field_of
from leadconvert.problems import mistake, twice, unknown
from leadconvert.values import is_empty


__all__ = ["policy"]

_Reach = frozenset[Scope]

_KINDS: Final = {shape.object: shape.kind for shape in SHAPES}
_BY_OBJECT: Final = {shape.object: shape for shape in SHAPES}
_OBJECT_PERMISSIONS: Final = (
    "allowCreate",
    "allowDelete",
    "allowEdit",
    "allowRead",
    "modifyAllRecords",
    "viewAllRecords",
    "viewAllFields",
)
_FIELD_PERMISSIONS: Final = ("readable", "editable")

_ALL: Final[_Reach] = frozenset({Scope.ALL})
#: One's own records, and those of whoever is below in the hierarchy.
_OWN: Final[_Reach] = frozenset({Scope.OWN, Scope.SUBDEPARTMENTS})
_PRIVATE, _BY_PARENT = "Private", "ControlledByParent"
#: What sharing leaves open to everybody: to read, to edit, to transfer.
_SHARING: Final[Mapping[str, tuple[_Reach, _Reach, _Reach]]] = {
    _PRIVATE: (_OWN, _OWN, _OWN),
    "Read": (_ALL, _OWN, _OWN),
    "ReadWrite": (_ALL, _ALL, _OWN),
    "ReadWriteTransfer": (_ALL, _ALL, _ALL),
    "FullAccess": (_ALL, _ALL, _ALL),
}


def policy(
    roles: object,
    *,
    sharing: Mapping[str, str],
    groups: Mapping[str, Iterable[str]],
    kinds: Mapping[str, str],
    rules: ConversionRules,
) -> Policy:
    """Return the policy that *roles* amount to; see `Salesforce.policy`.

    Raises:
        DefinitionError: what is wrong, all of it, each with its place.
    """
    reading = _Reading(kinds={**_KINDS, **kinds}, sharing=sharing, rules=rules)
    made = reading.read(roles, {group: tuple(members) for group, members in groups.items()})
    if reading.mistakes:
        raise DefinitionError(reading.mistakes)
    return Policy(made)


@attrs.define
class _Said:
    """What one role says: by object, by field, and of the system as a whole."""

    #: The permissions it has on each object.
    objects: dict[str, set[str]] = attrs.field(factory=dict)
    #: The permissions it has on each field, which tells its object as well.
    fields: dict[tuple[str, str], set[str]] = attrs.field(factory=dict)
    system: set[str] = attrs.field(factory=set)

    def add(self, other: "_Said") -> None:
        for name, said in other.objects.items():
            self.objects.setdefault(name, set()).update(said)
        for field, said in other.fields.items():
            self.fields.setdefault(field, set()).update(said)
        self.system |= other.system


@attrs.define
class _Reading:
    """Reads permissions as they come, and collects what is wrong with them."""

    kinds: Mapping[str, str]
    sharing: Mapping[str, str]
    rules: ConversionRules
    mistakes: list[Problem] = attrs.field(factory=list, init=False)

    def read(self, roles: object, groups: Mapping[str, tuple[str, ...]]) -> list[Role]:
        models = [*_SHARING, _BY_PARENT]
        for name, model in self.sharing.items():
            if name not in self.kinds:
                self.mistakes.append(unknown("object", name, self.kinds, "policy sharing"))
            if model not in models:
                self.mistakes.append(unknown("sharing model", model, models, "policy sharing"))
        said = {name: self._role(entry, f"policy {name}") for name, entry in self._named(roles)}
        if any(map(is_empty, [*said, *groups])):
            self.mistakes.append(mistake("blank_id", "policy", what="role"))
        self.mistakes += twice("role", [*said, *groups], "policy")
        for group, members in groups.items():
            both = _Said()
            for member in members:
                if member in said:
                    both.add(said[member])
                else:
                    self.mistakes.append(unknown("role", member, said, f"policy group {group}"))
            said = {**said, group: both}
        if self.mistakes:
            return []
        return [Role(name, self._grants(one)) for name, one in said.items()]

    def _named(self, roles: object) -> Iterator[tuple[str, object]]:
        if not isinstance(roles, Mapping):
            self._misshapen("a mapping", roles, "policy")
            return
        for name, entry in roles.items():
            if isinstance(name, str):
                yield name, entry
            else:
                self._misshapen("a text as a name", name, "policy")

    def _role(self, entry: object, place: str) -> _Said:
        said = _Said()
        if not isinstance(entry, Mapping):
            self._misshapen("a mapping", entry, place)
            return said
        for name, permissions in self._entries(
            entry, "objectPermissions", "object", _OBJECT_PERMISSIONS, place
        ):
            said.objects.setdefault(name, set()).update(permissions)
        for name, _ in self._entries(entry, "userPermissions", "name", ("enabled",), place):
            said.system.add(name)
        for name, permissions in self._entries(
            entry, "fieldPermissions", "field", _FIELD_PERMISSIONS, place
        ):
            object_, dot, field = name.partition(".")
            if dot and field:
                said.fields.setdefault((object_, field), set()).update(permissions)
            else:
                what = "an object and a field, such as Lead.Rating,"
                self._misshapen(what, name, f"{place}.fieldPermissions")
        return said

    def _entries(
        self,
        role: Mapping[object, object],
        section: str,
        named_by: str,
        known: tuple[str, ...],
        place: str,
    ) -> Iterator[tuple[str, set[str]]]:
        """Yield what each entry of a *section* is about, and what it permits of it."""
        listed = role.get(section) or ()
        for number, entry in enumerate(
            listed if isinstance(listed, list | tuple) else [listed], start=1
        ):
            at = f"{place}.{section} {number}"
            name = entry.get(named_by) if isinstance(entry, Mapping) else None
            if not isinstance(entry, Mapping) or not isinstance(name, str):
                self._misshapen(f"an object with {named_by}", entry, at)
                continue
            at = f"{place}.{section} {name}"
            for one in entry:
                if one not in {*known, named_by}:
                    self.mistakes.append(unknown("permission", str(one), known, at))
            permitted = {one for one in known if self._flag(entry.get(one), f"{at}.{one}")}
            if permitted:
                yield name, permitted

    def _flag(self, value: object, place: str) -> bool:
        # metadata is XML: what was read from there may have them as texts
        if not isinstance(value, bool | None) and value not in ("true", "false"):
            self._misshapen("true or false", value, place)
        return value is True or value == "true"

    def _grants(self, said: _Said) -> Iterator[Grant]:
        every = set[str]()
        if "ViewAllData" in said.system:
            every |= {"allowRead", "viewAllRecords"}
        if "ModifyAllData" in said.system:
            every |= {*_OBJECT_PERMISSIONS} - {"viewAllFields"}
        for name, kind in self.kinds.items():
            permissions = said.objects.get(name, set()) | every
            yield from self._of_object(name, kind, permissions, said.system)
            yield from self._of_fields(name, kind, permissions, said)
        if "ConvertLeads" in said.system:
            yield Grant(self.kinds["Lead"], Action.CONVERT)

    def _of_object(
        self, name: str, kind: str, permissions: set[str], system: set[str]
    ) -> Iterator[Grant]:
        read, edit, transfer = self._model(name)
        modifies = "modifyAllRecords" in permissions
        if modifies or "viewAllRecords" in permissions:
            read = _ALL
        if modifies:
            edit = transfer = _ALL
        if "TransferAnyEntity" in system or (name == "Lead" and "TransferAnyLead" in system):
            transfer = _ALL
        if "allowRead" in permissions:
            yield Grant(kind, [Action.READ, Action.LINK], read)
        if "allowEdit" in permissions:
            yield Grant(kind, [Action.UPDATE, Action.MERGE, Action.MOVE], edit)
            yield Grant(kind, Action.ASSIGN, transfer)
        if {"allowCreate", "allowEdit"} <= permissions:
            yield Grant(kind, Action.CREATE)
        if "allowDelete" in permissions:
            yield Grant(kind, Action.DELETE, _ALL if modifies else _OWN)

    def _model(self, name: str) -> tuple[_Reach, _Reach, _Reach]:
        model = self.sharing.get(name, _PRIVATE)
        if model == _BY_PARENT:
            model = self.sharing.get("Account", _PRIVATE)
        return _SHARING.get(model, _SHARING[_PRIVATE])

    def _of_fields(
        self, name: str, kind: str, permissions: set[str], said: _Said
    ) -> Iterator[Grant]:
        """Yield what is said of sensitive fields: others need no right of their own."""
        meant = next((one for one in self.rules.every_kind if one.id == kind), None)
        members = {} if meant is None else meant.members
        sensitive = {id_ for id_, field in members.items() if field.sensitive}
        shape = _BY_OBJECT.get(name)
        read, filled = set[str](), set[str]()
        for (object_, field), granted in said.fields.items():
            if object_ == name:
                id_ = field if shape is None else field_of(shape, field)
                read |= {id_} & sensitive  # whoever may edit may read
                filled |= {id_} & sensitive if "editable" in granted else set()
        if "viewAllFields" in permissions:
            read |= sensitive
        if read:
            yield Grant(kind, Action.READ, fields=read)
        if filled:
            yield Grant(kind, Action.UPDATE, fields=filled)

    def _misshapen(self, what: str, value: object, place: str) -> None:
        given = type(value).__name__
        self.mistakes.append(mistake("wrong_shape", place, what=what, given=given))
