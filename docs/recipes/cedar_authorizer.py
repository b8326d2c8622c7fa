# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""Lets Cedar decide about access: an `Authorizer` on cedarpy.

The policies are a file that people write. An actor and a question reach Cedar as entities and
context alone, so no id, kind or stage is ever part of a policy's text.
"""

from collections.abc import Mapping
from pathlib import Path

import attrs
import cedarpy

from leadconvert import AccessRequest, Actor, Decision


__all__ = ["CedarAuthorizer"]


@attrs.frozen
class CedarAuthorizer:
    """Decides by a file of Cedar policies, which must fit a file with a Cedar schema.

    Raises:
        ValueError: the policies or the schema cannot be read, or do not fit each other.
    """

    policies: Path = attrs.field(converter=Path)
    schema: Path = attrs.field(converter=Path)
    _policies: cedarpy.PolicySet = attrs.field(init=False, eq=False, repr=False)
    _schema: cedarpy.Schema = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        text = self.policies.read_text("utf-8")
        schema = cedarpy.Schema.from_str(self.schema.read_text("utf-8"))
        if mistakes := cedarpy.validate_policies(text, schema).errors:
            raise ValueError("; ".join(str(mistake) for mistake in mistakes))
        object.__setattr__(self, "_policies", cedarpy.PolicySet.from_str(text))
        object.__setattr__(self, "_schema", schema)

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return Cedar's decision.

        Raises:
            RuntimeError: Cedar could not decide. It leaves out a policy that fails, so one that
                forbids would be lost: an answer with errors counts for nothing.
        """
        answer = self.answer(actor, request)
        if answer.decision is cedarpy.Decision.NoDecision or answer.diagnostics.errors:
            # without Cedar's own words: they quote the entities
            raise RuntimeError(f"Cedar could not decide about {request.action} {request.kind}")
        return Decision(
            actor_id=actor.id,
            request=request,
            allowed=answer.allowed,
            code="granted" if answer.allowed else "denied",
        )

    def answer(self, actor: Actor, request: AccessRequest) -> cedarpy.AuthzResult:
        """Return all that Cedar says: what it decided, by which policies, and its errors."""
        principal = {"type": "User", "id": actor.id}
        if request.field is None:
            resource = {"type": "Record", "id": request.id or ""}
            facts: dict[str, object] = {"kind": request.kind, "opened": request.opened}
            facts |= _filled({"pipeline": request.pipeline, "stage": request.stage})
            if request.owner_id is not None:
                facts["owner"] = _user(request.owner_id)
        else:
            resource = {"type": "Field", "id": request.field}
            facts = {"kind": request.kind, "name": request.field}
        near = {
            "department": actor.department,
            "subdepartments": actor.subdepartments,
            "team": actor.team,
            "subteams": actor.subteams,
        }
        return cedarpy.is_authorized(
            {
                "principal": principal,
                "action": {"type": "Action", "id": request.action.value},
                "resource": resource,
                "context": _filled({"to_stage": request.to_stage}),
            },
            self._policies,
            [
                {
                    "uid": principal,
                    "attrs": {name: [_user(id_) for id_ in ids] for name, ids in near.items()},
                    "parents": [{"type": "Role", "id": role} for role in actor.roles],
                },
                {"uid": resource, "attrs": facts, "parents": []},
            ],
            self._schema,
        )


def _user(id_: str) -> object:
    return {"__entity": {"type": "User", "id": id_}}


def _filled(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return what there is: Cedar asks with `has` and knows no null."""
    return {name: value for name, value in values.items() if value is not None}
