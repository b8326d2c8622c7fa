"""What never acts: stages out of reach, grants in vain, rules that wait for nothing: for lint."""

from collections.abc import Iterable, Iterator

from leadconvert.access import ANY, NOT_BY_OWNER, Action, Grant, Scope
from leadconvert.automation import Automation, AutomationRule
from leadconvert.fields import FieldType
from leadconvert.findings import Finding, found
from leadconvert.holding import can_hold
from leadconvert.kinds import Kind
from leadconvert.limits import Made
from leadconvert.matching import MatchRule
from leadconvert.needing import Filled, needs
from leadconvert.owning import OwnerRule
from leadconvert.pipelines import Pipeline, Stage, StageRole
from leadconvert.rules import ConversionRules
from leadconvert.targets import Create, Find, Target


__all__ = [
    "covered",
    "idle_automation",
    "idle_grants",
    "idle_matching",
    "idle_owners",
    "idle_stages",
]


# -- stages ---------------------------------------------------------------------------------------


def idle_stages(rules: ConversionRules) -> Iterator[Finding]:
    """Yield every stage to which no move leads from where records start.

    Example:
        >>> import attrs
        >>> from leadconvert import Pipeline, Stage, presets
        >>> from leadconvert.idling import idle_stages
        >>> leads = Pipeline(
        ...     "leads", "lead", [Stage("new", to=["won"]), "old", Stage("won", "success")]
        ... )
        >>> _, deals = presets.bitrix24().pipelines
        >>> rules = attrs.evolve(presets.bitrix24(), pipelines=[leads, deals])
        >>> [finding.params["stage"] for finding in idle_stages(rules)]
        ['old']
    """
    for pipeline in rules.pipelines:
        reached = _reached(rules, pipeline)
        for stage in pipeline.stages:
            if stage.id not in reached:
                place = f"pipeline {pipeline.id}"
                yield found("unreachable_stage", place, kind=pipeline.kind, stage=stage.id)


def _reached(rules: ConversionRules, pipeline: Pipeline) -> set[str]:
    """Return the stages that a record may come to from the one where it starts."""
    reached = {stage.id for stage in _starts(rules, pipeline)}
    while (
        more := {
            end.id
            for start in pipeline.stages
            for end in pipeline.stages
            if start.id in reached and pipeline.why_not(start, end) is None
        }
        - reached
    ):
        reached |= more
    return reached


def _starts(rules: ConversionRules, pipeline: Pipeline) -> Iterator[Stage]:
    """Yield where new records start: the first stage, and whatever a mapping or rule names."""
    yield pipeline.first
    kind = rules.kind(pipeline.kind)
    if kind is None or kind.stage is None:
        return
    automated = () if rules.automation is None else rules.automation.rules
    named = {target.values.get(kind.stage) for rule in automated for target in rule.into}
    for mapping in rules.mappings_into(kind.id):
        if mapping.target == kind.stage:
            if mapping.sources:
                yield from pipeline.stages
            named.add(mapping.constant)
    yield from (stage for stage in pipeline.stages if stage.id in named)


# -- grants ---------------------------------------------------------------------------------------


def idle_grants(rules: ConversionRules) -> Iterator[Finding]:
    """Yield every grant said in vain, and what no role may do that conversions need.

    Example:
        >>> import attrs
        >>> from leadconvert import Grant, Policy, Role, presets
        >>> from leadconvert.idling import idle_grants
        >>> role = Role("sales", [Grant("*", "read"), Grant("deal", "read", "own")])
        >>> rules = attrs.evolve(presets.bitrix24(), policy=Policy([role]))
        >>> [finding.code for finding in idle_grants(rules)][0]
        'pointless_grant'
    """
    policy = rules.policy
    for role in policy.roles:
        place = f"role {role.id}"
        if policy.unrestricted and role.grants:
            yield found("pointless_role", place)
            continue
        for grant in (*covered(role.grants), *covered(role.forbids)):
            told = f"{', '.join(sorted(grant.actions))} on {grant.kind}"
            yield found("pointless_grant", place, kind=grant.kind, grant=told)
    if policy.roles and not policy.unrestricted:
        yield from _granted_to_nobody(rules)


def covered(grants: Iterable[Grant]) -> Iterator[Grant]:
    """Yield the grants of which another says all; a grant for a stage overrides, and stands.

    Example:
        >>> from leadconvert import Grant
        >>> from leadconvert.idling import covered
        >>> narrow = Grant("deal", "read", "own")
        >>> list(covered([Grant("*", "read"), narrow])) == [narrow]
        True
    """
    listed = list(grants)
    for grant in listed:
        others = [one for one in listed if one is not grant and one.stage == grant.stage]
        if any(_says_all(one, grant) for one in others):
            yield grant


def _says_all(one: Grant, grant: Grant) -> bool:
    """Whether *one* speaks of everything that *grant* speaks of, and reaches as far."""
    fields, moves = grant.fields or frozenset(), Action.MOVE in grant.actions
    return (
        one.kind in (ANY, grant.kind)
        and grant.actions <= one.actions
        and one.pipeline in (None, grant.pipeline)
        and bool(grant.scope)
        and _reaches_as_far(one.scope, grant.scope)
        and (one.fields is None) == (grant.fields is None)
        and (ANY in (one.fields or ()) or fields <= (one.fields or frozenset()))
        and (not moves or one.to is None or (grant.to is not None and grant.to <= one.to))
    )


def _reaches_as_far(wide: frozenset[Scope], scope: frozenset[Scope]) -> bool:
    own = {Scope.OWN} if wide - NOT_BY_OWNER else set[Scope]()  # all told by owners reach it
    return Scope.ALL in wide or scope <= wide | own


def _granted_to_nobody(rules: ConversionRules) -> Iterator[Finding]:
    grants = [grant for role in rules.policy.roles for grant in role.grants]
    of_lead = (Action.READ, Action.UPDATE, Action.CONVERT)
    for action in of_lead:
        if not _granted(grants, rules.lead.id, [action]):
            yield _nobody(rules.lead.id, [action])
    making = (Action.CREATE, Action.LINK, Action.MERGE)
    for kind in rules.kinds:
        if not _granted(grants, kind.id, making):
            yield _nobody(kind.id, making)


def _nobody(kind: str, actions: Iterable[Action]) -> Finding:
    told = " or ".join(action.value for action in actions)
    return found("nobody_may", "policy", kind=kind, actions=told)


def _granted(grants: Iterable[Grant], kind: str, actions: Iterable[Action]) -> bool:
    """Whether one of the *grants* permits one of the *actions* on some record of *kind*."""
    wanted = set(actions)
    return any(
        grant.kind in (ANY, kind) and grant.scope and not grant.fields and wanted & grant.actions
        for grant in grants
    )


# -- automation -----------------------------------------------------------------------------------


def idle_automation(rules: ConversionRules) -> Iterator[Finding]:
    """Yield every automation rule that can never act, and why.

    Example:
        >>> import attrs
        >>> from leadconvert import Actor, Automation, AutomationRule, AllOf, Where, presets
        >>> from leadconvert.idling import idle_automation
        >>> never = AllOf([Where("title", "empty"), Where("title", "filled")])
        >>> rule = AutomationRule("all", ["deal"], on="PROCESSED", when=never)
        >>> automation = Automation(Actor("robot", roles=["robot"]), [rule])
        >>> rules = attrs.evolve(presets.bitrix24(), automation=automation)
        >>> [finding.code for finding in idle_automation(rules)]
        ['never_holds']
    """
    automation = rules.automation
    if automation is None:
        return
    reached = _reached(rules, rules.lead_pipeline)
    for rule in automation.rules:
        place = f"automation rule {rule.id}"
        if rule.when is not None and not can_hold(rule.when, rules.lead):
            yield found("never_holds", place)
        if rule.on is None and automation.without_leads is not None:
            yield found("no_arrivals", place)
        if rule.on is not None and rule.on not in reached:
            yield found("never_entered", place, stage=rule.on)
        why = _why_no_move(rules.lead_pipeline, rule) or _why_denied(rules, automation, rule)
        if why is not None:
            yield found("always_refused", place, why=why)
        for target in rule.into:
            yield from _unmade(rules, target, place)
    if automation.without_leads is not None:
        mode, place = automation.without_leads, "mode without leads"
        for name in mode.targets(rules.kinds):
            kind = rules.kind(name)
            named = {} if kind is None or kind.name is None else {kind.name: mode.placeholder}
            yield from _unmade(rules, Find(name, values=named), place)


def _why_no_move(pipeline: Pipeline, rule: AutomationRule) -> str | None:
    """Say why the stage in which a rule acts forbids what it does, whatever the lead."""
    [success] = pipeline.in_role(StageRole.SUCCESS)
    starts = [one for one in pipeline.stages if one.role is not StageRole.SUCCESS]
    if rule.on is not None:
        starts = [one for one in starts if one.id == rule.on]
    if rule.into and not rule.closing:
        starts = [one for one in starts if one.role is not StageRole.FAILURE]
        if not starts:
            return f"a lead in failure stage {rule.on!r} is not converted"
    end = success if rule.into and rule.closing else pipeline.stage(rule.to)
    if end is None or any(pipeline.why_not(start, end) is None for start in starts):
        return None
    return f"no move leads from {rule.on or 'any stage'} to {end.id}"


def _why_denied(rules: ConversionRules, automation: Automation, rule: AutomationRule) -> str | None:
    """Say what the automation's actor may not do that a rule needs."""
    policy, lead = rules.policy, rules.lead.id
    if policy.unrestricted or not policy.roles:
        return None  # where there are no roles an engine of the host's decides
    roles = [role for role in policy.roles if role.id in automation.actor.roles]
    grants = [grant for role in roles for grant in role.grants]
    needed: list[tuple[str, tuple[Action, ...]]] = [
        (lead, (Action.READ,)),
        (lead, (Action.UPDATE,)),
    ]
    if rule.into:
        needed.append((lead, (Action.CONVERT,)))
    if rule.to is not None or rule.closing:
        needed.append((lead, (Action.MOVE,)))
    for target in rule.into:
        making = (Action.CREATE,)
        found_ = (*making, Action.LINK, Action.MERGE)
        needed.append((target.kind, making if isinstance(target, Create) else found_))
    for kind, actions in needed:
        if not _granted(grants, kind, actions):
            told = " or ".join(action.value for action in actions)
            return f"{automation.actor.id} may not {told} a {kind}"
    return None


def _unmade(rules: ConversionRules, target: Target, place: str) -> Iterator[Finding]:
    """Yield why a rule makes no new record of a target's kind."""
    kind = rules.kind(target.kind)
    why = None if kind is None else _why_unmade(rules, kind, target)
    if kind is None or why is None:
        return
    if isinstance(target, Create):
        yield found("always_refused", place, kind=kind.id, why=why)
    elif isinstance(target, Find):
        yield found("refused_if_new", place, kind=kind.id, why=why)


def _why_unmade(rules: ConversionRules, kind: Kind, target: Target) -> str | None:
    never = any(one.kind == kind.id and one.made is Made.NEVER for one in rules.limits)
    sought = any(rule.kind == kind.id for rule in rules.matching.rules)
    if never and (isinstance(target, Create) or not sought):
        return f"the limits let no new {kind.id} be made"
    elsewhere = not target.values.keys().isdisjoint({kind.stage, kind.pipeline})
    for finding in needs(rules, kind):
        if finding.code != "only_by_hand" or (elsewhere and "stage" in finding.params):
            continue
        names = finding.params["fields"]
        if isinstance(names, tuple) and target.values.keys().isdisjoint(names):
            return f"a new {kind.id} needs {finding.params['label']}, which nothing fills"
    return None


# -- matching and owners --------------------------------------------------------------------------


def idle_matching(rules: ConversionRules) -> Iterator[Finding]:
    """Yield match rules that others decide before, and keys that no new record has.

    Example:
        >>> import attrs
        >>> from leadconvert import Matching, MatchRule, presets
        >>> from leadconvert.idling import idle_matching
        >>> matching = Matching([
        ...     MatchRule("contact", ["email"]), MatchRule("contact", [["email", "phone"]]),
        ... ])
        >>> rules = attrs.evolve(presets.bitrix24(), matching=matching)
        >>> [finding.code for finding in idle_matching(rules)]
        ['shadowed']
    """
    earlier: list[MatchRule] = []
    for rule in rules.matching.rules:
        place = f"match rule for {rule.kind}"
        above = [by for one in earlier if one.kind == rule.kind for by in one.by]
        if all(any(by <= keys for by in above) for keys in rule.by):
            yield found("shadowed", place, kind=rule.kind)
        earlier.append(rule)
    for kind in rules.kinds:
        for key in sorted(rules.matching.sorts(kind.id)):
            yield from _unfilled(rules, kind, key)


def _unfilled(rules: ConversionRules, kind: Kind, key: str) -> Iterator[Finding]:
    """Yield that no new record of *kind* is known by a key, since nothing fills what it is of."""
    filled, place = Filled(rules, kind), f"match rule for {kind.id}"
    if key in kind.keys:
        lacking = [name for name in kind.keys[key] if not filled.ever(name)]
    else:
        names = [name for name, one in kind.channels.items() if one.type is FieldType(key)]
        lacking = [] if any(map(filled.ever, names)) else names
    if lacking:
        labels = " and ".join(kind.members[name].label for name in lacking)
        yield found("unfilled_key", place, kind=kind.id, field=lacking[0], key=key, labels=labels)


def idle_owners(rules: ConversionRules) -> Iterator[Finding]:
    """Yield owner rules that never hold, or above which another decides for every lead.

    Example:
        >>> import attrs
        >>> from leadconvert import OwnerRule, presets
        >>> from leadconvert.idling import idle_owners
        >>> owners = [OwnerRule("*", "actor"), OwnerRule("deal", "mapped")]
        >>> rules = attrs.evolve(presets.bitrix24(), owners=owners)
        >>> [finding.code for finding in idle_owners(rules)]
        ['shadowed']
    """
    earlier: list[OwnerRule] = []
    for rule in rules.owners:
        place = f"owner rule for {rule.kind}"
        if rule.when is not None and not can_hold(rule.when, rules.lead):
            yield found("never_holds", place)
        if any(_decides_before(one, rule) for one in earlier):
            yield found("shadowed", place)
        earlier.append(rule)


def _decides_before(one: OwnerRule, other: OwnerRule) -> bool:
    """Whether *one*, which stands above the *other*, holds wherever that does."""
    return one.kind in (ANY, other.kind) and one.when in (None, other.when)
