# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""Lets Casbin decide about access: an `Authorizer` on pycasbin.

Model and policy are files that people write. An actor and a question reach Casbin as the arguments
of a call, so no id, kind or stage is ever part of an expression that it evaluates.
"""

from pathlib import Path
from typing import Any, Final

import attrs
import casbin  # type: ignore[import-untyped] # it comes without types

from leadconvert import AccessRequest, Action, Actor, Decision, Scope


__all__ = ["CasbinAuthorizer"]

_ACTIONS: Final = frozenset(Action)
_SCOPES: Final = frozenset(Scope)


@attrs.frozen
class CasbinAuthorizer:
    """Decides by the rules of a Casbin policy file, as its model file reads them.

    Raises:
        ValueError: the policy has no rules, or a line that Casbin would pass over in silence.
    """

    model: Path = attrs.field(converter=Path)
    policy: Path = attrs.field(converter=Path)
    _enforcer: Any = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        lines = [line.strip() for line in self.policy.read_text("utf-8").splitlines()]
        rules = [line for line in lines if line and not line.startswith("#")]
        if not rules:
            raise ValueError(f"{self.policy.name} has no rules")
        if strange := [line for line in rules if not _can_apply(line)]:
            raise ValueError(f"{self.policy.name} has rules that never apply: {strange}")
        object.__setattr__(self, "_enforcer", casbin.Enforcer(str(self.model), str(self.policy)))

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return Casbin's decision; whatever it raises is raised."""
        allowed = self._enforcer.enforce(actor, request) is True
        return Decision(
            actor_id=actor.id,
            request=request,
            allowed=allowed,
            code="granted" if allowed else "denied",
        )


def _can_apply(line: str) -> bool:
    """Whether it is a rule with names that exist: a misspelt denial would deny nothing."""
    cells = [cell.strip() for cell in line.split(",")]
    return (
        len(cells) == 11  # noqa: PLR2004 - what it is, and the ten columns of the model
        and cells[0] == "p"
        and cells[3] in _ACTIONS
        and cells[4] in _SCOPES
        and cells[10] in {"allow", "deny"}
    )
