"""What one actor may do and see in one decision: every question asked of whoever decides."""

from collections.abc import Callable, Iterable, Mapping

import attrs

from leadconvert.access import AccessRequest, Action, Actor, Authorizer, Decision
from leadconvert.given import expect
from leadconvert.kinds import Kind
from leadconvert.pipelines import StageRole
from leadconvert.problems import Cause, Problem, did_you_mean
from leadconvert.records import Lead, Record
from leadconvert.rules import ConversionRules
from leadconvert.values import is_empty


__all__ = ["Answers", "Rights", "Sight", "about", "rights_on_lead"]


@attrs.frozen
class Answers:
    """The authorizer that knows only what was decided before; the rest is denied.

    An answer about a record that exists answers every question about it with that action. Answers
    for another actor count for nothing, and of two that disagree the denial counts.

    Example:
        >>> from leadconvert import AccessRequest, Actor
        >>> from leadconvert.rights import Answers
        >>> Answers(()).decide(Actor("u-7"), AccessRequest(action="read", kind="deal")).code
        'not_answered'
    """

    decisions: tuple[Decision, ...]
    _by_question: Mapping[object, Decision] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        found: dict[object, Decision] = {}
        for decision in sorted(self.decisions, key=lambda one: not one.allowed):
            found[decision.actor_id, _question(decision.request)] = decision  # a denial comes last
        object.__setattr__(self, "_by_question", found)

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return what was decided before, or a denial with the code `not_answered`.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Decision
            >>> from leadconvert.rights import Answers
            >>> asked = AccessRequest(action="read", kind="deal", id="D-5")
            >>> yes = Decision(actor_id="u-7", request=asked, allowed=True, code="granted")
            >>> Answers((yes,)).decide(Actor("u-7"), asked).allowed
            True
        """
        found = self._by_question.get((actor.id, _question(request)))
        if found is not None:
            return found
        return Decision(actor_id=actor.id, request=request, allowed=False, code="not_answered")


def _question(request: AccessRequest) -> object:
    """Return what makes two questions one: about a record that exists, its id says it all."""
    if request.id is None:
        return request
    return request.action, request.kind, request.id, request.to_stage


def about(
    rules: ConversionRules,
    kind: Kind,
    action: Action,
    read: Callable[[str], object],
    id: str | None = None,  # noqa: A002
) -> AccessRequest:
    """Return the question about a record of *kind* whose fields *read* returns.

    A kind without a field for its pipeline stands in its only one.

    Example:
        >>> from leadconvert import Action, Deal, presets
        >>> from leadconvert.rights import about
        >>> rules, deal = presets.bitrix24(), Deal(id="D-5", owner_id="u-7", stage="NEW")
        >>> kind = rules.kind("deal")
        >>> about(rules, kind, Action.READ, lambda name: kind.read(deal, name), "D-5").owner_id
        'u-7'
    """

    def text(part: str | None) -> str | None:
        value = None if part is None else read(part)
        return value if isinstance(value, str) and not is_empty(value) else None

    pipelines = rules.pipelines_of(kind.id)
    only = pipelines[0].id if kind.pipeline is None and pipelines else None
    return AccessRequest(
        action=action,
        kind=kind.id,
        id=id,
        owner_id=text(kind.owner),
        opened=kind.opened is not None and read(kind.opened) is True,
        pipeline=text(kind.pipeline) or only,
        stage=text(kind.stage),
    )


def rights_on_lead(
    lead: Lead, rules: ConversionRules, *, closing: bool = True
) -> tuple[AccessRequest, ...]:
    """Return what whoever converts a lead must be allowed to do with it.

    Example:
        >>> from leadconvert import Lead, presets
        >>> from leadconvert.rights import rights_on_lead
        >>> lead = Lead(id="L-7", stage="NEW")
        >>> [str(asked.action) for asked in rights_on_lead(lead, presets.bitrix24())]
        ['read', 'update', 'convert', 'move']
    """
    kind = rules.lead
    asked = about(rules, kind, Action.READ, lambda name: kind.read(lead, name), lead.id)
    actions = (Action.READ, Action.UPDATE, Action.CONVERT)
    success = rules.lead_pipeline.in_role(StageRole.SUCCESS)[0].id
    moved = attrs.evolve(asked, action=Action.MOVE, to_stage=success)
    return (
        *(attrs.evolve(asked, action=action) for action in actions),
        *([moved] if closing else []),
    )


@attrs.frozen(kw_only=True)
class Sight:
    """Which sensitive fields of one kind are hidden from an actor, or seen but not theirs to fill.

    Example:
        >>> from leadconvert.rights import Sight
        >>> Sight(actor_id="u-7", hidden=frozenset({"margin"})).fillable("title")
        True
    """

    actor_id: str = ""
    hidden: frozenset[str] = frozenset()
    locked: frozenset[str] = frozenset()

    def fillable(self, field: str) -> bool:
        """Tell whether the actor may supply a value for *field*.

        Example:
            >>> from leadconvert.rights import Sight
            >>> Sight(actor_id="u-7", locked=frozenset({"margin"})).fillable("margin")
            False
        """
        return field not in self.hidden and field not in self.locked


@attrs.define(kw_only=True)
class Rights:
    """Asks an authorizer what one actor may do, each question once, and remembers the answers.

    Example:
        >>> from leadconvert import Action, Actor, Lead, presets
        >>> from leadconvert.rights import Rights
        >>> rules = presets.bitrix24()
        >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
        >>> lead = Lead(id="L-7", stage="NEW")
        >>> rights.may(rights.with_record(rules.lead, lead, Action.READ))
        False
    """

    actor: Actor
    authorizer: Authorizer
    rules: ConversionRules
    asked: dict[AccessRequest, Decision] = attrs.field(factory=dict, init=False)
    _sights: dict[str, Sight] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(
        cls,
        actor: Actor,
        rules: ConversionRules,
        decisions: Iterable[Decision] | None,
        authorizer: Authorizer | None,
    ) -> "Rights":
        """Return the rights of *actor*, as whoever decides sees them.

        That is the *authorizer*, or the *decisions* it made before, or else the rules' policy.

        Raises:
            TypeError: *actor* is none, or both an authorizer and decisions are given.

        Example:
            >>> from leadconvert import Actor, presets
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> Rights.of(Actor("u-7"), rules, None, None).authorizer == rules.policy
            True
        """
        expect(("actor", actor, Actor))
        if authorizer is not None and decisions is not None:
            raise TypeError("give authorizer= or decisions in known=, not both")
        decides: Authorizer = rules.policy if authorizer is None else authorizer
        if decisions is not None:
            decides = Answers(tuple(decisions))
        return cls(actor=actor, authorizer=decides, rules=rules)

    @property
    def open_questions(self) -> tuple[AccessRequest, ...]:
        """What was asked; of what a remote engine answers, what it has not answered yet."""
        if isinstance(self.authorizer, Answers):
            answers = self.asked.items()
            return tuple(asked for asked, one in answers if one.code == "not_answered")
        return tuple(self.asked)

    def with_record(self, kind: Kind, record: Record, action: Action) -> AccessRequest:
        """Return the question about *record* as it is stored.

        Example:
            >>> from leadconvert import Action, Actor, Deal, presets
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> rights.with_record(rules.kind("deal"), Deal(id="D-5"), Action.LINK).id
            'D-5'
        """
        return about(self.rules, kind, action, lambda name: kind.read(record, name), record.id)

    def with_values(
        self, kind: Kind, values: Mapping[str, object], action: Action
    ) -> AccessRequest:
        """Return the question about a record as it would be written.

        Example:
            >>> from leadconvert import Action, Actor, presets
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> rights.with_values(rules.kind("deal"), {"stage": "NEW"}, Action.CREATE).stage
            'NEW'
        """
        return about(self.rules, kind, action, values.get)

    def decide(self, request: AccessRequest) -> Decision:
        """Return the answer to *request*.

        Raises:
            TypeError: the authorizer returns something else than a decision.

        Example:
            >>> from leadconvert import AccessRequest, Actor, presets
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> rights.decide(AccessRequest(action="read", kind="deal")).code
            'no_grant'
        """
        found = self.asked.get(request)
        if found is None:
            answer: object = self.authorizer.decide(self.actor, request)
            if not isinstance(answer, Decision):  # a host's own engine may break its promise
                name = type(answer).__name__
                raise TypeError(f"an authorizer returns a Decision, this one returned a {name}")
            found = self.asked[request] = answer
        return found

    def may(self, request: AccessRequest) -> bool:
        """Tell whether the actor may do what *request* asks.

        Example:
            >>> from leadconvert import AccessRequest, Actor, Policy, presets
            >>> from leadconvert.rights import Rights
            >>> rights = Rights(
            ...     actor=Actor("u-7"), authorizer=Policy.allow_all(), rules=presets.bitrix24()
            ... )
            >>> rights.may(AccessRequest(action="read", kind="deal"))
            True
        """
        return self.decide(request).allowed

    def denial(
        self, request: AccessRequest, cause: Cause, target: int | None = None
    ) -> Problem | None:
        """Return the problem that the actor may not do what *request* asks, or None if they may.

        Example:
            >>> from leadconvert import AccessRequest, Actor, presets
            >>> from leadconvert.problems import Cause
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> asked = AccessRequest(action="read", kind="deal")
            >>> print(rights.denial(asked, Cause.TARGET_ACCESS).remedy)
            ask for a role that may (such as admin, robot), or leave it out
        """
        decision = self.decide(request)
        if decision.allowed:
            return None
        facts: dict[str, object] = {"actor": self.actor.id, "action": request.action.value}
        if decision.role is not None:
            facts["role"] = decision.role
        if decision.could:
            facts["could"] = decision.could
        if decision.unknown_roles:
            facts["unknown_roles"] = decision.unknown_roles
            for role in decision.unknown_roles:
                facts |= did_you_mean(role, decision.could)
        return Problem(
            cause=cause, code=decision.code, target=target, kind=request.kind, params=facts
        )

    def hidden(self, cause: Cause, kind: str | None, target: int | None = None) -> Problem:
        """Return what the actor is told of a problem with a field that they may not see.

        Example:
            >>> from leadconvert import Actor, presets
            >>> from leadconvert.problems import Cause
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> rights.hidden(Cause.MISSING, "deal").field is None
            True
        """
        facts = {"actor": self.actor.id}
        return Problem(cause=cause, code="hidden", target=target, kind=kind, params=facts)

    def sight(self, kind: Kind) -> Sight:
        """Return which fields of *kind* the actor may not see, or not fill.

        Example:
            >>> from leadconvert import Actor, Field, Kind, presets
            >>> from leadconvert.rights import Rights
            >>> rules = presets.bitrix24()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> kind = Kind("invoice", fields=[Field("margin", "money", sensitive=True)])
            >>> sorted(rights.sight(kind).hidden)
            ['margin']
        """
        found = self._sights.get(kind.id)
        if found is None:
            sensitive = [name for name, field in kind.members.items() if field.sensitive]
            # both are asked at once, so that a remote engine needs no third batch
            seen = {name for name in sensitive if self._may_field(Action.READ, kind, name)}
            filled = {name for name in sensitive if self._may_field(Action.UPDATE, kind, name)}
            found = self._sights[kind.id] = Sight(
                actor_id=self.actor.id,
                hidden=frozenset(sensitive).difference(seen),
                locked=frozenset(seen - filled),
            )
        return found

    def _may_field(self, action: Action, kind: Kind, name: str) -> bool:
        return self.may(AccessRequest(action=action, kind=kind.id, field=name))
