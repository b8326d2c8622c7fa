"""Automation as data: when a lead arrives or enters a stage and a condition holds, convert it."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import attrs
from attrs import validators

from leadconvert.access import Actor
from leadconvert.conditions import AllOf, AnyOf, Condition, Not, Where
from leadconvert.given import is_a, texts
from leadconvert.kinds import Kind
from leadconvert.pipelines import Pipeline, StageRole
from leadconvert.policy import Policy
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.records import Company, Contact, Deal
from leadconvert.targets import Target, targets_of
from leadconvert.values import is_empty


__all__ = ["Automation", "AutomationRule", "WithoutLeads", "automation_mistakes"]


def _targets(values: Iterable[str | Target]) -> tuple[Target, ...]:
    return targets_of(values)


@attrs.frozen
class AutomationRule:
    """When a lead enters stage *on* (arrives, if None) and *when* holds, convert it *into* targets.

    The targets' values say in which pipeline and with which owner. A *closing* conversion, the
    usual one, puts the lead into its success stage; one that does not leaves it open, and may move
    it on *to* another stage, where further rules may act. Without *close_activities* what hangs on
    the lead stays open, whatever its `ChildRule` says.

    Example:
        >>> from leadconvert import AutomationRule, Create, Where
        >>> rule = AutomationRule(
        ...     "big ones", ["contact", Create("deal", values={"owner_id": "u-1"})],
        ...     on="PROCESSED", when=Where("amount", "greater", 1000),
        ... )
        >>> [target.kind for target in rule.into]
        ['contact', 'deal']
    """

    id: str = attrs.field(validator=is_a(str))
    into: tuple[Target, ...] = attrs.field(default=(), converter=_targets)
    on: str | None = attrs.field(default=None, kw_only=True)
    when: Condition | None = attrs.field(
        default=None,
        validator=validators.optional(is_a(Where, AllOf, AnyOf, Not)),
        kw_only=True,
    )
    to: str | None = attrs.field(default=None, kw_only=True)
    closing: bool = attrs.field(default=True, kw_only=True)
    close_activities: bool = attrs.field(default=True, kw_only=True)


@attrs.frozen(kw_only=True)
class WithoutLeads:
    """The mode without leads: every lead that arrives is converted at once.

    Into a deal always, and into a contact unless *into* names another client. A record that needs
    a name, and gets none from the lead, is called *placeholder*. With *close_activities* what hangs
    on the lead is closed with it, as its `ChildRule` says.

    Example:
        >>> from leadconvert import WithoutLeads
        >>> WithoutLeads(into=["company"], placeholder="Nameless").into
        ('company',)
    """

    into: tuple[str, ...] = attrs.field(default=(), converter=texts)
    placeholder: str = attrs.field(default="No name", validator=is_a(str))
    close_activities: bool = False

    def targets(self, kinds: Iterable[Kind]) -> tuple[str, ...]:
        """Return the ids of the *kinds* to convert into, the deal and a client included.

        Example:
            >>> from leadconvert import WithoutLeads, presets
            >>> WithoutLeads().targets(presets.bitrix24().kinds)
            ('contact', 'deal')
        """
        named = list(kinds)
        clients = [kind.id for kind in named if kind.cls in (Contact, Company)]
        chosen = {*self.into, *(kind.id for kind in named if kind.cls is Deal)}
        if chosen.isdisjoint(clients):
            chosen.update(kind.id for kind in named if kind.cls is Contact)
        return tuple(kind.id for kind in named if kind.id in chosen)


def _rules(values: Iterable[AutomationRule]) -> tuple[AutomationRule, ...]:
    return tuple(values)


@attrs.frozen
class Automation:
    """The automation rules, in the order in which they are tried, and who they act as.

    *actor* is a user of the system's own: rules may do what its roles permit, and nothing else.
    Each rule acts at most once on a lead.

    Example:
        >>> from leadconvert import Actor, Automation, AutomationRule
        >>> robot = Actor("robot", roles=["automation"])
        >>> Automation(robot, [AutomationRule("all", ["deal"], on="PROCESSED")]).rules[0].id
        'all'
    """

    actor: Actor = attrs.field(validator=is_a(Actor))
    rules: tuple[AutomationRule, ...] = attrs.field(default=(), converter=_rules)
    without_leads: WithoutLeads | None = attrs.field(
        default=None,
        validator=validators.optional(is_a(WithoutLeads)),
        kw_only=True,
    )


def automation_mistakes(
    automation: Automation,
    lead: Kind,
    kinds: Iterable[Kind],
    pipeline: Pipeline,
    policy: Policy,
) -> Iterator[Problem]:
    """Yield every automation rule that names what the rules do not have, or that could not act.

    *lead* is the leads' kind and *pipeline* theirs.

    Example:
        >>> from leadconvert import Actor, Automation, AutomationRule, Pipeline, Policy, Stage
        >>> from leadconvert.automation import automation_mistakes
        >>> from leadconvert.kinds import DEAL, LEAD
        >>> automation = Automation(Actor("robot"), [AutomationRule("all", ["deal"], on="nwe")])
        >>> leads = Pipeline("leads", "lead", ["new", Stage("done", "success")])
        >>> print(*automation_mistakes(automation, LEAD, [DEAL], leads, Policy.allow_all()))
        automation rule all: there is no stage of lead 'nwe', did you mean 'new'? (correct the name)
    """
    by_id = {kind.id: kind for kind in kinds}
    yield from twice("automation rule", [rule.id for rule in automation.rules], "automation")
    for rule in automation.rules:
        place = f"automation rule {rule.id}"
        if is_empty(rule.id):
            yield mistake("blank_id", "automation", what="rule")
        yield from _stage_mistakes(rule, lead, pipeline, place)
        yield from _target_mistakes(rule, by_id, place)
        if rule.when is not None:
            yield from rule.when.mistakes(lead, place)
    if circle := _circle(automation.rules):
        yield mistake("rule_cycle", "automation", names=circle)
    yield from _actor_mistakes(automation.actor, policy)
    if automation.without_leads is not None:
        yield from _mode_mistakes(automation.without_leads, by_id)


def _actor_mistakes(actor: Actor, policy: Policy) -> Iterator[Problem]:
    roles = [role.id for role in policy.roles]  # none where an engine of the host's decides
    checked = roles and not policy.unrestricted
    for name in sorted(actor.roles.difference(roles)) if checked else ():
        yield unknown("role", name, roles, "automation")


def _mode_mistakes(mode: WithoutLeads, kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    for name in mode.into:
        if name not in kinds:
            yield unknown("kind", name, kinds, "mode without leads")
    if not mode.into and not mode.targets(kinds.values()):
        yield mistake("bad_rule", "mode without leads", why="converts into nothing")
    if is_empty(mode.placeholder):
        why = "needs a placeholder that is not blank"
        yield mistake("bad_rule", "mode without leads", why=why)


def _stage_mistakes(
    rule: AutomationRule, lead: Kind, pipeline: Pipeline, place: str
) -> Iterator[Problem]:
    ids = [stage.id for stage in pipeline.stages]
    success = [stage.id for stage in pipeline.in_role(StageRole.SUCCESS)]
    for name in (rule.on, rule.to):
        if name is not None and name not in ids:
            yield unknown(f"stage of {lead.id}", name, ids, place)
    reasons = (
        (rule.on in success, "acts where the lead is converted already"),
        (rule.to in success, "moves to the success stage, which is a conversion: name targets"),
        (rule.on is not None and rule.on == rule.to, "moves to where the lead stands"),
        (not rule.into and rule.to is None, "does nothing"),
        (rule.into and rule.closing and rule.to is not None, "closes the lead and moves it on"),
    )
    for wrong, why in reasons:
        if wrong:
            yield mistake("bad_rule", place, why=why)


def _target_mistakes(
    rule: AutomationRule, kinds: Mapping[str, Kind], place: str
) -> Iterator[Problem]:
    for target in rule.into:
        kind = kinds.get(target.kind)
        if kind is None:
            yield unknown("kind", target.kind, kinds, place)
        else:
            for name in sorted(target.values.keys() - kind.members.keys()):
                yield unknown(f"field of {kind.id}", name, kind.members, place)


def _circle(rules: Iterable[AutomationRule]) -> list[str]:
    """Return the ids of rules whose moves could bring a lead back to them without end."""
    moving = [rule for rule in rules if None not in (rule.on, rule.to) and rule.on != rule.to]
    return [rule.id for rule in moving if rule.on in _after(rule.to, moving)]


def _after(stage: str | None, moving: Collection[AutomationRule]) -> set[str | None]:
    """Return the stages to which *moving* rules could bring a lead that enters *stage*."""
    found = {stage}
    while more := {rule.to for rule in moving if rule.on in found} - found:
        found |= more
    return found
