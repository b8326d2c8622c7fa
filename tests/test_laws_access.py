"""The laws of access: who decides what, and what nobody learns who may not.

Each is a property. Where a law needs to know what is right, this file says it in its own words.
"""

import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Final, TypeVar

import attrs
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Address,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Create,
    Decision,
    Field,
    FieldMapping,
    FieldType,
    FrozenMap,
    Grant,
    Kind,
    Known,
    Lead,
    Option,
    Pipeline,
    Plan,
    Policy,
    Product,
    Record,
    Required,
    Role,
    Scope,
    Stage,
    Target,
    errors,
    plan,
    presets,
    testing,
    wanted,
)
from leadconvert.codec import Codec
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import DEAL, LEAD


T = TypeVar("T")

AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
BITRIX: Final = presets.bitrix24()
#: The preset with a second pipeline of deals, and sensitive fields in every kind: the owner, one of
#: the references, a custom one.
CRM: Final = attrs.evolve(
    BITRIX,
    kinds=[
        attrs.evolve(
            kind,
            fields=[
                *(attrs.evolve(one, sensitive=one.id == "contact_ids") for one in kind.fields),
                Field("owner_id", "text", sensitive=True),
            ],
            custom=[*kind.custom, Field("UF_MARGIN", "money", sensitive=True)],
        )
        for kind in BITRIX.kinds
    ],
    pipelines=[
        *BITRIX.pipelines,
        Pipeline("partners", "deal", ["NEW", "SIGNED", Stage("WON", "success")]),
    ],
    policy=Policy([Role("r-1"), Role("r-2"), Role("r-3")]),
    transforms={},
)
laws = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
quick = settings(laws, max_examples=80)
thorough = settings(laws, max_examples=120)


# -- what is right, in this file's own words ------------------------------------------------------


def speaks(grant: Grant, asked: AccessRequest) -> bool:
    """Tell whether a grant says anything about what is asked."""
    if asked.action not in grant.actions or grant.kind not in {"*", asked.kind}:
        return False
    if asked.field is not None:
        return bool({"*", asked.field} & (grant.fields or frozenset()))
    return (
        not grant.fields
        and grant.pipeline in {None, asked.pipeline}
        and grant.stage in {None, asked.stage}
    )


def within(grant: Grant, actor: Actor, asked: AccessRequest) -> bool:
    """Tell whether a grant that speaks of it reaches the record, and where it is to move."""
    owners = {
        "own": {actor.id},
        "department": {actor.id, *actor.department},
        "subdepartments": {actor.id, *actor.subdepartments},
        "team": {actor.id, *actor.team},
        "subteams": {actor.id, *actor.subteams},
    }
    near = any(asked.owner_id in owners.get(scope, ()) for scope in grant.scope)
    there = "all" in grant.scope or ("opened" in grant.scope and asked.opened) or near
    listed = asked.action != "move" or grant.to is None or asked.to_stage in grant.to
    return there and listed


def counting(policy: Policy, roles: Iterable[str], asked: AccessRequest) -> list[Grant]:
    """Return the grants that count: what is said of the stage itself overrides the rest."""
    said = {
        role.id: [grant for grant in role.grants if speaks(grant, asked)]
        for role in policy.roles
        if role.id in set(roles)
    }
    of_stage = {
        role: [grant for grant in grants if grant.stage is not None]
        for role, grants in said.items()
    }
    if policy.combine == "stage_explicit" and any(of_stage.values()):
        return list(chain.from_iterable(of_stage.values()))
    return list(chain.from_iterable(of_stage[role] or said[role] for role in said))


def permitted(policy: Policy, actor: Actor, asked: AccessRequest) -> bool:
    """Tell what a policy permits."""
    forbidden = (
        grant
        for role in policy.roles
        if role.id in actor.roles
        for grant in role.forbids
        if speaks(grant, asked)
    )
    if any(within(grant, actor, asked) for grant in forbidden):
        return False
    counts = counting(policy, actor.roles, asked)
    return policy.unrestricted or any(within(grant, actor, asked) for grant in counts)


# -- decisions ------------------------------------------------------------------------------------


@attrs.frozen
class Case:
    """One question to one policy."""

    policy: Policy
    actor: Actor
    asked: AccessRequest

    def decide(self, policy: Policy | None = None, actor: Actor | None = None) -> Decision:
        """Return the answer, of another policy or for another actor if given."""
        return (policy or self.policy).decide(actor or self.actor, self.asked)


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    combine: Sequence[str] = ("widest", "stage_explicit"),
    forbids: bool = True,
    overrides: bool = True,
) -> Case:
    """Draw a policy, an actor, and a question: any, or one that some role speaks of."""
    policy = draw(testing.policies(CRM, combine=combine, forbids=forbids, overrides=overrides))
    said = [grant for role in policy.roles for grant in (*role.grants, *role.forbids)]
    asked = draw(testing.access_requests(CRM))
    of_stage = [grant for grant in said if grant.stage is not None]
    if said and draw(st.integers(0, 3)) > 0:
        about = draw(st.sampled_from(said) | st.sampled_from(of_stage or said))
        asked = draw(spoken_of(about))
    actor = draw(testing.actors(CRM))
    if draw(st.booleans()):
        actor = attrs.evolve(actor, roles=["r-1", "r-2", "r-3"])
    return Case(policy, actor, asked)


@st.composite
def spoken_of(draw: st.DrawFn, grant: Grant) -> AccessRequest:
    """Draw a question that *grant* speaks of, as most questions drawn blindly are not."""
    action = draw(st.sampled_from(sorted(grant.actions)))
    if grant.fields:
        name = draw(st.sampled_from(["owner_id", "UF_MARGIN"]))
        return AccessRequest(action=action, kind="deal", field=name)
    kinds = ["lead", "contact", "company", "deal"] if grant.kind == "*" else [grant.kind]
    stages = [None, "NEW", "IN_PROCESS", "WON", "SIGNED"]
    return AccessRequest(
        action=action,
        kind=draw(st.sampled_from(kinds)),
        owner_id=draw(st.none() | testing.users()),
        opened=draw(st.booleans()),
        pipeline=grant.pipeline or draw(st.sampled_from([None, "leads", "0", "partners"])),
        stage=grant.stage or draw(st.sampled_from(stages)),
        to_stage=draw(st.sampled_from(stages)) if action is Action.MOVE else None,
    )


def with_clauses(
    policy: Policy, name: str, *, permits: Iterable[Grant] = (), forbids: Iterable[Grant] = ()
) -> Policy:
    """Return the policy with more in the role of that name, which is new if there is none."""
    old = next((role for role in policy.roles if role.id == name), Role(name))
    role = Role(name, [*old.grants, *permits], forbids=[*old.forbids, *forbids])
    try:
        return attrs.evolve(policy, roles=[*(one for one in policy.roles if one != old), role])
    except errors.DefinitionError:
        reject()  # the role would forbid all that a grant of its own permits


def with_role(actor: Actor, role: str) -> Actor:
    """Return the actor with one role more."""
    return attrs.evolve(actor, roles=[*actor.roles, role])


ROLES: Final = st.sampled_from(["r-1", "r-2", "r-3"])


class TestDecisions:
    @settings(laws, max_examples=400)
    @given(
        testing.actors(CRM),
        st.sets(st.sampled_from(list(Scope)), max_size=2),
        st.none() | testing.users(),
        st.booleans(),
    )
    def test_scopes_reach_what_their_words_say(
        self, actor: Actor, scope: set[Scope], owner: str | None, opened: bool
    ) -> None:
        """A scope reaches the records of those near to the actor in that way, and no others."""
        grant = Grant("deal", "read", scope, stage="NEW")
        asked = AccessRequest(action="read", kind="deal", owner_id=owner, opened=opened)

        assert within(grant, actor, asked) == grant.reaches(actor, asked)

    @settings(laws, max_examples=150)
    @given(cases())
    def test_are_those_of_the_reference(self, case: Case) -> None:
        """A policy permits exactly what the words of its grants, forbids and overrides say."""
        assert permitted(case.policy, case.actor, case.asked) == case.decide().allowed

    @quick
    @given(cases())
    def test_no_grants_no_rights(self, case: Case) -> None:
        """Without grants, and without roles, nothing is permitted to anybody."""
        bare = Policy([Role(role.id, forbids=role.forbids) for role in case.policy.roles])
        unbound = attrs.evolve(case.policy, unrestricted=False)
        nobody = attrs.evolve(case.actor, roles=[])

        assert "no_grant" == case.decide(Policy()).code
        assert "no_grant" == case.decide(unbound, nobody).code
        assert case.decide(bare).code in {"no_grant", "forbidden"}

    @quick
    @given(cases(combine=["widest"], overrides=False), ROLES, st.data())
    def test_a_permit_never_denies(self, case: Case, name: str, data: st.DataObject) -> None:
        """With one grant more whatever was allowed still is: widest wins, no stage overrides."""
        grant = data.draw(testing.grants(CRM, overrides=False))
        wider = with_clauses(case.policy, name, permits=[grant])

        assert case.decide(wider).allowed or not case.decide().allowed

    @quick
    @given(cases(), ROLES, testing.grants(CRM))
    def test_a_forbid_never_allows(self, case: Case, name: str, grant: Grant) -> None:
        """With one forbid more nothing is allowed that was not, however roles combine."""
        narrower = with_clauses(case.policy, name, forbids=[grant])

        assert case.decide().allowed or not case.decide(narrower).allowed

    @quick
    @given(cases(combine=["widest"]), ROLES)
    def test_a_role_never_takes_away(self, case: Case, name: str) -> None:
        """With one role more whatever was allowed still is: widest wins, it forbids nothing."""
        roles = [
            attrs.evolve(role, forbids=[]) if role.id == name else role
            for role in case.policy.roles
        ]
        policy = attrs.evolve(case.policy, roles=roles)

        before, after = case.decide(policy), case.decide(policy, with_role(case.actor, name))
        assert after.allowed or not before.allowed

    @quick
    @given(cases(combine=["stage_explicit"]), ROLES, ROLES, st.sets(st.sampled_from(list(Scope))))
    def test_what_is_said_of_a_stage_counts_alone(
        self, case: Case, name: str, other: str, scope: set[Scope]
    ) -> None:
        """Where a role names the stage, a grant of any role that does not changes nothing."""
        actor = attrs.evolve(case.actor, roles=[name, other])
        asked = attrs.evolve(case.asked, kind="deal", stage="WON", field=None)
        of_stage = Grant("deal", asked.action, scope, stage="WON")
        policy = with_clauses(case.policy, name, permits=[of_stage])
        wider = with_clauses(policy, other, permits=[Grant("deal", asked.action)])

        assert policy.decide(actor, asked).allowed == wider.decide(actor, asked).allowed

    @quick
    @given(cases(forbids=False), st.sets(st.sampled_from(list(Scope))))
    def test_all_implies_every_scope(self, case: Case, scope: set[Scope]) -> None:
        """What any scope reaches, all reaches, in a grant and in a policy."""
        roles = [
            Role(
                role.id,
                [grant if grant.fields else reaching(grant, {"all"}) for grant in role.grants],
            )
            for role in case.policy.roles
        ]
        wider = attrs.evolve(case.policy, roles=roles)
        grant = Grant(case.asked.kind, case.asked.action, stage="NEW")

        assert case.decide(wider).allowed or not case.decide().allowed
        assert not reaching(grant, scope).reaches(case.actor, case.asked) or grant.reaches(
            case.actor, case.asked
        )

    @quick
    @given(cases(), st.randoms(use_true_random=False))
    def test_have_no_order(self, case: Case, random: Random) -> None:
        """Roles, grants and forbids in any order make the same policy and the same decision."""
        roles = [
            Role(one.id, shuffled(one.grants, random), forbids=shuffled(one.forbids, random))
            for one in shuffled(case.policy.roles, random)
        ]
        other = attrs.evolve(case.policy, roles=roles)
        actor = attrs.evolve(case.actor, roles=shuffled(sorted(case.actor.roles), random))

        assert case.policy == other
        assert case.decide() == case.decide(other, actor)

    @quick
    @given(cases())
    def test_say_why(self, case: Case) -> None:
        """The code, the role and the grant say what decided, and agree with the answer."""
        decision = case.decide()
        roles = {role.id: role for role in case.policy.roles}
        counts = counting(case.policy, case.actor.roles, case.asked)
        reaching_anywhere = [
            one for one in counts if within(attrs.evolve(one, to=None), case.actor, case.asked)
        ]

        assert (case.actor.id, case.asked) == (decision.actor_id, decision.request)
        assert (decision.code in {"granted", "unrestricted"}) == decision.allowed
        match decision.code:
            case "granted" | "forbidden":
                role = roles[str(decision.role)]
                clauses = role.grants if decision.allowed else role.forbids
                assert role.id in case.actor.roles
                assert decision.grant in clauses
                assert speaks(decision.grant, case.asked)
                assert within(decision.grant, case.actor, case.asked)
            case "unrestricted":
                assert case.policy.unrestricted
            case "stage_not_listed":
                assert Action.MOVE == case.asked.action
                assert reaching_anywhere
            case "out_of_scope":
                assert counts
                assert not reaching_anywhere
            case code:
                assert "no_grant" == code
                assert not counts
        if decision.code not in {"granted", "forbidden"}:
            assert (None, None) == (decision.role, decision.grant)
        if not decision.allowed and decision.code != "forbidden":
            assert tuple(sorted(case.actor.roles - roles.keys())) == decision.unknown_roles

    @quick
    @given(cases())
    def test_who_could_is_true(self, case: Case) -> None:
        """Each role named as one that could permits it, and no other single role does."""
        decision = case.decide()
        others = {role.id for role in case.policy.roles} - case.actor.roles
        would = [
            role
            for role in sorted(others)
            if permitted(case.policy, with_role(case.actor, role), case.asked)
        ]

        assert tuple([] if decision.allowed else would) == decision.could


def reaching(grant: Grant, scope: Iterable[str]) -> Grant:
    """Return the grant with another scope."""
    return attrs.evolve(grant, scope=frozenset(map(Scope, scope)))


def shuffled(items: Sequence[T], random: Random) -> list[T]:
    """Return the items in some order."""
    found = list(items)
    random.shuffle(found)
    return found


# -- plans ----------------------------------------------------------------------------------------


@attrs.frozen
class Asked:
    """Everything a plan depends on but the moment."""

    rules: ConversionRules
    lead: Lead
    into: tuple[Create, ...]
    actor: Actor
    records: tuple[Record, ...] = ()
    carry: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    values: Mapping[str, object] = attrs.field(factory=dict)

    def plan(self, decisions: Iterable[Decision] | None = None) -> Plan:
        """Return what the library decides, by the policy or by decisions made before."""
        known = Known(records=self.records, decisions=decisions)
        return plan(
            self.lead,
            self.into,
            rules=self.rules,
            actor=self.actor,
            at=AT,
            known=known,
            carry=self.carry,
            values=self.values,
        )

    def wanted(self) -> tuple[AccessRequest, ...]:
        """Return what is to be asked before there is a plan."""
        return wanted(self.lead, self.into, rules=self.rules, carry=self.carry).access


#: Rights that most plans need; roles are drawn beside them.
LEAD_RIGHTS: Final = Grant("lead", ["read", "update", "convert", "move"])
TARGET_RIGHTS: Final = Grant("*", ["read", "create", "link", "assign"])
FIELD_RIGHTS: Final = Grant("*", ["read", "update"], fields="*")


@st.composite
def requests(draw: st.DrawFn, *, fitting: bool = False) -> Asked:
    """Draw rules with a policy, a lead, targets, whoever asks, and what the store has of it all.

    A *fitting* request may often be met: little is forbidden, and every record is there.
    """
    rules = draw(st.just(CRM) | testing.conversion_rules())
    scope = draw(st.sampled_from(["all", "own", "department", "team"]))
    actions = draw(st.sampled_from([TARGET_RIGHTS.actions, TARGET_RIGHTS.actions - {"assign"}]))
    base = [LEAD_RIGHTS, FIELD_RIGHTS, Grant("*", actions, scope)]
    if not fitting:
        base = draw(st.lists(st.sampled_from(base), unique=True))
    drawn = draw(testing.policies(rules, forbids=not fitting))
    policy = attrs.evolve(drawn, roles=[*drawn.roles, Role("base", base)])
    rules = attrs.evolve(rules, policy=policy, transforms={})
    actor = with_role(draw(testing.actors(rules)), "base")
    lead = draw(testing.leads(rules, bound=True))
    if draw(st.booleans()):
        lead = attrs.evolve(lead, owner_id=actor.id)
    into = tuple(
        draw(poked(rules, one, fitting=fitting))
        for one in draw(testing.targets(rules, fitting=fitting, max_size=3))
    )
    places = [(ref.kind, ref.id) for ref in wanted(lead, into, rules=rules).refs]
    places += [(one.kind, one.id) for one in into if one.id is not None]
    records = [
        draw(stored(kind, id_))
        for name, id_ in dict.fromkeys(places)
        if (kind := rules.kind(name)) is not None and (fitting or draw(st.booleans()))
    ]
    return Asked(rules, lead, into, actor, tuple(records))


@st.composite
def poked(draw: st.DrawFn, rules: ConversionRules, one: str | Target, *, fitting: bool) -> Create:
    """Draw a target with values where access decides: owners, references, sensitive fields."""
    target = one if isinstance(one, Create) else Create(str(one))
    kind = rules.kind(target.kind)
    if kind is None:
        return target
    delicate = {name: field for name, field in kind.members.items() if field.sensitive}
    delicate |= {name: kind.members[name] for name in (*kind.references, kind.owner) if name}
    delicate = {
        name: field
        for name, field in delicate.items()
        if name not in {kind.converted_from, kind.stage, kind.pipeline}
    }
    values: dict[str, object] = dict(target.values)
    for name in draw(_some_of(delicate)):
        field = delicate[name]
        one_of = testing.users() if name == kind.owner else st.sampled_from(["1", "2"])
        fits = name == kind.owner or field.to is not None
        values[name] = draw(one_of if fits else testing.values(field, filled=True))
    id_ = None if fitting else draw(st.sampled_from([None, None, "1", "2"]))
    return Create(target.kind, values=values, id=id_)


def _some_of(names: Iterable[str]) -> st.SearchStrategy[list[str]]:
    items = list(names)
    return (
        st.lists(st.sampled_from(items), unique=True, min_size=1, max_size=3)
        if items
        else st.just([])
    )


@st.composite
def stored(draw: st.DrawFn, kind: Kind, id_: str) -> Record:
    """Draw what the store has under that id: owned by anybody, opened or not, in any stage."""
    owner, opened = draw(st.none() | testing.users()), draw(st.booleans())
    stage = draw(st.sampled_from([None, "NEW", "WON"]))
    parts = {kind.owner: owner, kind.opened: opened, kind.stage: stage}
    return kind.build(id_, {part: value for part, value in parts.items() if part is not None})


def question(
    asked: Asked, action: str, kind_id: str, read: Callable[[str], object], **more: str | None
) -> AccessRequest:
    """Return the question about a record that holds these values."""
    rules = asked.rules
    kind = rules.lead if kind_id == "lead" else rules.kind(kind_id)
    assert kind is not None
    pipelines = [one.id for one in rules.pipelines if one.kind == kind_id]

    def text(name: str | None) -> str | None:
        value = read(name) if name else None
        return value if isinstance(value, str) and value.strip() else None

    return AccessRequest(
        action=Action(action),
        kind=kind_id,
        owner_id=text(kind.owner),
        opened=bool(kind.opened and read(kind.opened) is True),
        pipeline=text(kind.pipeline) if kind.pipeline else next(iter(pipelines), None),
        stage=text(kind.stage),
        **more,
    )


def holding(record: Record) -> Callable[[str], object]:
    """Return what reads a record's attributes and custom fields."""
    return lambda name: record.custom.get(name, getattr(record, name, None))


def right(asked: Asked, question: AccessRequest) -> bool:
    """Tell whether the actor may, by the reference."""
    return permitted(asked.rules.policy, asked.actor, question)


def complete(asked: Asked, data: st.DataObject) -> Asked:
    """Return the request with values for what it lacks, as far as that can be supplied."""
    values = [dict(one.values) for one in asked.into]
    for draft in asked.plan().targets:
        kind = asked.rules.kind(draft.ref.kind)
        assert kind is not None
        lacking = [name for name, field in kind.members.items() if field.required]
        lacking += [name for group in kind.any_of for name in group]
        lacking += [field.currency for field in kind.members.values() if field.currency]
        for name in lacking:
            if name not in draft.values and name not in {kind.stage, kind.pipeline}:
                given_ = data.draw(testing.values(kind.members[name], filled=True))
                values[draft.target][name] = given_
    into = [attrs.evolve(one, values=more) for one, more in zip(asked.into, values, strict=True)]
    return attrs.evolve(asked, into=tuple(into))


class TestPlans:
    @laws
    @given(requests())
    def test_access_comes_first(self, asked: Asked) -> None:
        """Who is denied on the lead learns that alone; every denial told is true, and no other."""
        found = asked.plan()
        read = holding(asked.lead)
        success = next(
            stage.id for stage in asked.rules.lead_pipeline.stages if stage.role == "success"
        )
        needed = [(action, None) for action in ("read", "update", "convert")]
        denied = [
            action
            for action, to in [*needed, ("move", success)]
            if not right(asked, question(asked, action, "lead", read, to_stage=to))
        ]
        told = [one.params["action"] for one in found.problems if one.cause is Cause.LEAD_ACCESS]

        assert denied == told
        if denied:
            shown = found.shown()
            assert len(denied) == len(found.problems)
            assert ((), (), (), ()) == (found.form, found.questions, shown.targets, shown.rows)
        else:
            refused = {one.target for one in found.problems if one.cause is Cause.TARGET_ACCESS}
            others = [one for one in found.problems if one.cause is not Cause.TARGET_ACCESS]
            assert refused.isdisjoint({one.target for one in others})
            assert refused.isdisjoint({one.target for one in found.form})
            for draft in found.targets:
                asks = question(asked, "create", draft.ref.kind, draft.values.get)
                told_so = [
                    one.code
                    for one in found.problems
                    if (one.target, one.params.get("action")) == (draft.target, "create")
                ]
                assert right(asked, asks) == (not told_so)

    @laws
    @given(requests(fitting=True), st.data())
    def test_nothing_without_a_permit(self, asked: Asked, data: st.DataObject) -> None:
        """Whatever a plan that is ok creates, gives away or points at, the reference permits."""
        asked = complete(asked, data)
        found = asked.plan()
        assume(found.ok)
        there = {(type(one), one.id): one for one in asked.records}
        made = {(one.ref.kind, one.ref.id) for one in found.result().outcomes}
        for outcome in found.result().outcomes:
            kind, read = asked.rules.kind(outcome.ref.kind), holding(outcome.record)
            assert kind is not None
            asks = question(asked, "create", kind.id, read)
            assert right(asked, asks)
            if asks.owner_id not in {None, asked.actor.id, asked.lead.owner_id}:
                assert right(asked, attrs.evolve(asks, action=Action.ASSIGN))
            for name, field in kind.references.items():
                value = read(name)
                for id_ in value if isinstance(value, tuple) else filter(None, [value]):
                    to = asked.rules.kind(str(field.to))
                    if (field.to, id_) in made or to is None or not str(id_).strip():
                        continue
                    assert to.cls is not None
                    target = holding(there[to.cls, str(id_)])
                    for action in ("read", "link"):
                        assert right(asked, question(asked, action, to.id, target))

    @laws
    @given(requests(), st.randoms(use_true_random=False))
    def test_have_no_order(self, asked: Asked, random: Random) -> None:
        """Targets of different kinds, roles, grants and records in any order: one plan."""
        kinds = shuffled([one.kind for one in asked.into], random)
        left = {
            kind: iter([n for n, one in enumerate(asked.into) if one.kind == kind])
            for kind in kinds
        }
        order = [next(left[kind]) for kind in kinds]
        roles = [
            Role(one.id, shuffled(one.grants, random), forbids=shuffled(one.forbids, random))
            for one in shuffled(asked.rules.policy.roles, random)
        ]
        policy = attrs.evolve(asked.rules.policy, roles=roles)
        other = Asked(
            attrs.evolve(asked.rules, policy=policy, transforms={}),
            asked.lead,
            tuple(asked.into[index] for index in order),
            attrs.evolve(asked.actor, roles=shuffled(sorted(asked.actor.roles), random)),
            tuple(shuffled(asked.records, random)),
        )
        first, second = asked.plan(), other.plan()

        def as_asked_first(one: Problem) -> Problem:
            return one if one.target is None else attrs.evolve(one, target=order[one.target])

        assert Counter(first.problems) == Counter(map(as_asked_first, second.problems))
        assert Counter(first.withheld) == Counter(map(as_asked_first, second.withheld))
        assert Counter(first.rows) == Counter(second.rows)
        assert set(first.required_access) == set(second.required_access)
        assert first.questions == second.questions
        assert Counter(one.ref for one in first.targets) == Counter(
            one.ref for one in second.targets
        )
        assert len(first.form) == len(second.form)
        assert first.conversion == second.conversion
        assert refused_as(first) is refused_as(second)


def refused_as(found: Plan) -> type[Exception] | None:
    """Return the class of the error that a plan amounts to, if any."""
    return None if found.ok else type(errors.refusal(found.lead.id, found.problems))


class TestDecisionsMadeBefore:
    @laws
    @given(requests())
    def test_two_rounds_are_enough(self, asked: Asked) -> None:
        """What wanted() and then required_access ask, answered by the policy: the same plan."""
        first = answers(asked, asked.wanted())
        second = answers(asked, asked.plan(first).required_access)
        direct, found = asked.plan(), asked.plan([*first, *second])

        assert () == found.required_access
        assert attrs.evolve(direct, required_access=()) == found

    @laws
    @given(requests(fitting=True), st.data(), st.randoms(use_true_random=False))
    def test_no_answer_is_no_permission(
        self, asked: Asked, data: st.DataObject, random: Random
    ) -> None:
        """With some questions unanswered nothing is ok that is not with all of them answered."""
        asked = complete(asked, data)
        first = answers(asked, asked.wanted())
        every = [*first, *answers(asked, asked.plan(first).required_access)]
        some = [one for one in every if random.random() < 0.9]
        found = asked.plan(some)

        assert not asked.plan([]).ok
        assert asked.plan(every).ok or not found.ok
        needed = [one for one in every if one.request.action in {"create", "convert"}]
        assert not found.ok or all(one in some for one in needed)


def answers(asked: Asked, requests: Iterable[AccessRequest]) -> list[Decision]:
    """Answer as a remote engine does, which has the records whose ids it is told."""
    there = {(asked.rules.kind_of(one), one.id): one for one in asked.records}
    found: list[Decision] = []
    for one in requests:
        record = there.get((asked.rules.kind(one.kind), str(one.id)))
        known = one
        if record is not None:
            known = question(asked, one.action, one.kind, holding(record), to_stage=one.to_stage)
        decision = asked.rules.policy.decide(asked.actor, known)
        found.append(attrs.evolve(decision, request=one))
    return found


# -- what nobody learns who may not ---------------------------------------------------------------

WRITES: Final = Codec(BITRIX)


def told(found: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield everything a plan has for its actor, in every form in which it could reach them."""
    things: dict[str, object] = {
        "problems": found.problems,
        "form": found.form,
        "questions": found.questions,
        "choices": found.choices,
        "shown": found.shown(),
    }
    if not found.ok:
        things["error"] = errors.refusal(found.lead.id, found.problems)
    yield "plan as repr", repr(found).encode()
    for name, thing in things.items():
        yield f"{name} as repr", repr(thing).encode()
        yield f"{name} as text", str(thing).encode()
        yield f"{name} as JSON", json.dumps(WRITES.to_data(thing)).encode()
        for protocol in (0, pickle.HIGHEST_PROTOCOL):
            yield f"{name} as pickle {protocol}", pickle.dumps(thing, protocol)


class TestUnreadable:
    @laws
    @given(
        st.sampled_from(["supplied", "bound", "both", "collides", "collides and is linked"]),
        testing.policies(CRM),
        testing.users(),
        st.booleans(),
    )
    def test_unreadable_is_as_if_not_there(
        self, how: str, policy: Policy, owner: str, opened: bool
    ) -> None:
        """A record not to be read is answered byte for byte as one that does not exist."""
        needs = Grant("*", ["create", "update", "convert", "move", "assign"])
        hides = Grant("*", "read", ["own", "opened", "all"])
        roles = [
            Role("base", [needs, Grant("lead", "read"), FIELD_RIGHTS]),
            Role(
                "blind", forbids=[attrs.evolve(hides, kind=kind) for kind in ("contact", "company")]
            ),
            *policy.roles,
        ]
        rules = attrs.evolve(CRM, policy=attrs.evolve(policy, roles=roles), transforms={})
        actor = Actor("u-1", roles=["base", "blind", "r-1", "r-2", "r-3"])
        lead = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace", owner_id=owner)
        pointing: dict[str, object] = {"contact_ids": ["C-3"], "company_id": "CO-9"}
        into = [Create("deal")]
        if how in {"supplied", "both"}:
            into = [Create("deal", values=pointing)]
        if how in {"bound", "both"}:
            lead = attrs.evolve(lead, contact_ids=["C-3"], company_id="CO-9")
        if how.startswith("collides"):
            into = [Create("contact", id="C-3"), Create("company", id="CO-9")]
        if how.endswith("linked"):
            into += [Create("deal")]
        there = (
            Contact(id="C-3", last_name="x", owner_id=owner, opened=opened),
            Company(id="CO-9", name="x", owner_id=owner, opened=opened),
        )
        asked = Asked(rules, lead, tuple(into), actor)
        absent, unreadable = asked.plan(), attrs.evolve(asked, records=there).plan()

        assert dict(told(absent)) == dict(told(unreadable))
        assert absent.ok == unreadable.ok


@attrs.frozen(kw_only=True)
class Offer:
    """A class of one's own whose standard fields have names to look for."""

    id: str
    revision: str | None = None
    owner_id: str | None = None
    x901q_margin: Decimal | None = None
    x902q_unit: str | None = None
    x903q_notes: tuple[str, ...] = ()
    x904q_reason: str | None = None
    x905q_until: date | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])


def explode(value: object) -> object:
    """Raise what a careless transform raises: an error that tells the value."""
    raise ValueError(f"cannot turn {value!r}")


#: A field of a kind, by the ids of both.
Place = tuple[str, str]


@attrs.define
class Garden:
    """Plants words that stand nowhere else, and remembers to which field each belongs."""

    number: int = 1000
    planted: dict[Place, list[object]] = attrs.field(factory=dict)

    def word(self, letter: str = "w") -> str:
        """Return a text that is no part of any other."""
        self.number += 1
        return f"{letter}{self.number}q"

    def plant(self, place: Place, thing: T) -> T:
        """Remember what belongs to a field, and return it."""
        self.planted.setdefault(place, []).append(thing)
        return thing

    def value(self, place: Place, field: Field) -> object:
        """Return a value for a field that can be told from every other."""
        self.number += 1
        word, one = f"v{self.number}q", field.type
        if field.options:
            value: object = field.options[-1].id
        elif one in {FieldType.MONEY, FieldType.DECIMAL}:
            value = Decimal(f"{self.number}77.25")
        elif one is FieldType.INTEGER:
            value = int(f"{self.number}7713")
        elif one is FieldType.DATE:
            value = date(2000 + self.number, 7, 17)
        elif one in {FieldType.EMAIL, FieldType.PHONE}:
            value = Channel(word)
        elif one is FieldType.ADDRESS:
            value = Address(city=word)
        elif one is FieldType.PRODUCT:
            value = Product(name=word, price=1)
        else:
            value = word
        return self.plant(place, (value,) if field.multiple else value)


def traces(thing: object) -> Iterator[bytes]:
    """Yield the bytes by which a planted thing would be found, in any form told() writes."""
    match thing:
        case str():
            yield thing.encode()
        case Decimal():
            yield str(thing).encode()
        case int():
            yield str(thing).encode()
            yield thing.to_bytes(5, "little").rstrip(b"\0")
        case date():
            yield thing.isoformat().encode()
            yield f"{thing.year}, {thing.month}, {thing.day}".encode()
            yield bytes([*thing.year.to_bytes(2, "big"), thing.month, thing.day])
        case Channel(value) | Address(city=str(value)) | Product(name=value):
            yield value.encode()
        case tuple():
            for item in thing:
                yield from traces(item)


@attrs.frozen
class Hiding:
    """A request of somebody from whom much is hidden, and all that is planted in its rules."""

    asked: Asked
    planted: Mapping[Place, Sequence[object]]
    hidden: frozenset[Place]
    #: Names the actor gave, which may come back to them.
    typed: frozenset[str]

    @property
    def seer(self) -> Asked:
        """The same request of somebody who may do no more, but sees and fills every field."""
        seeing = attrs.evolve(self.asked.actor, roles=[*self.asked.actor.roles, "seer"])
        return attrs.evolve(self.asked, actor=seeing)

    def hides(self, kind: str, name: str) -> bool:
        """Tell whether a target's field is hidden, or may come from a hidden one of the lead."""
        return (kind, name) in self.hidden or bool(self._sources(kind, name) & self.hidden)

    def shows_some(self, kind: str, name: str) -> bool:
        """Tell whether a target's field is seen, and may come from a seen one of the lead."""
        return (kind, name) not in self.hidden and bool(self._sources(kind, name) - self.hidden)

    def _sources(self, kind: str, name: str) -> set[Place]:
        return {
            ("lead", source)
            for mapping in self.asked.rules.mappings
            if (mapping.kind, mapping.target) == (kind, name)
            for source in mapping.sources
        }

    def secrets(self, found: Plan) -> Iterator[tuple[Place, bytes]]:
        """Yield what the actor must not find: hidden fields, denied targets, or all of it."""
        lead_denied = any(one.cause is Cause.LEAD_ACCESS for one in found.problems)
        drafts = [(draft.ref.kind, draft.denied) for draft in found.targets]
        denied = {kind for kind, _ in drafts} - {kind for kind, no in drafts if not no}
        for place, things in self.planted.items():
            if lead_denied or place in self.hidden or place[0] in denied:
                for thing in things:
                    if thing not in self.typed:
                        yield from ((place, trace) for trace in traces(thing))


_TYPES: Final = {
    "text": "text",
    "short": "text",
    "money": "money",
    "count": "integer",
    "day": "date",
    "heat": "enumeration",
    "heats": "enumeration",
}


def custom_fields(garden: Garden, kind: str) -> list[Field]:
    """Return custom fields of many types, with planted ids, labels and options."""
    found: list[Field] = []
    for name, type_ in _TYPES.items():
        id_ = f"{garden.word('i')}_{name}"
        place = (kind, garden.plant((kind, id_), id_))
        options = [
            Option(garden.plant(place, garden.word("o")), garden.plant(place, garden.word("l")))
            for _ in range(2 * (type_ == "enumeration"))
        ]
        label = garden.plant(place, garden.word("l"))
        length = 4 if name == "short" else None
        found.append(
            Field(
                id_,
                type_,
                label=label,
                options=options,
                max_length=length,
                multiple=name == "heats",
            )
        )
    return found


def labelled(garden: Garden, kind: Kind, names: Iterable[str]) -> Kind:
    """Return the kind with planted labels for some of its standard fields."""
    described = {field.id: field for field in kind.fields}
    for name in names:
        label = garden.plant((kind.id, name), garden.word("l"))
        described[name] = attrs.evolve(kind.members[name], label=label)
    return attrs.evolve(kind, fields=described.values())


_LEAD_FIELDS: Final = (
    "title",
    "comments",
    "source_description",
    "amount",
    "currency",
    "birth_date",
    "emails",
    "address",
    "products",
    "tags",
)
_DEAL_FIELDS: Final = ("title", "comments", "amount", "currency", "begin_date")
_CHOSEN: Final = (["deal"], ["offer"], ["deal", "offer"], ["offer", "deal", "offer"])
_OFFER: Final = Kind(
    "offer",
    Offer,
    fields=[
        Field("x901q_margin", "money", currency="x902q_unit"),
        Field("x904q_reason", "text", max_length=4),
        Field("converted_from", "reference", to="lead", multiple=True),
    ],
    owner="owner_id",
)


@st.composite
def hidings(draw: st.DrawFn, *, typing: bool = True) -> Hiding:
    """Draw rules full of planted words, somebody who sees few of them, and what they ask."""
    garden = Garden()
    own = [name for name in _OFFER.members if name.startswith("x9")]
    for name in own:
        garden.plant(("offer", name), name)
    kinds = {
        kind.id: attrs.evolve(labelled(garden, kind, names), custom=custom_fields(garden, kind.id))
        for kind, names in ((LEAD, _LEAD_FIELDS), (DEAL, _DEAL_FIELDS), (_OFFER, own))
    }
    candidates = {
        "lead": [*_LEAD_FIELDS, *(one.id for one in kinds["lead"].custom)],
        "deal": [*_DEAL_FIELDS, *(one.id for one in kinds["deal"].custom)],
        "offer": [*own, *(one.id for one in kinds["offer"].custom)],
    }
    some = {name: _several(draw, names, 8, at_least=3) for name, names in candidates.items()}
    sensitive = {(kind, name) for kind, names in some.items() for name in names}
    seen = {place for place in sorted(sensitive) if not draw(st.integers(0, 3))}
    kinds = {
        name: demanding(draw, garden, kind, some[name], candidates[name])
        for name, kind in kinds.items()
    }
    lead_pipeline, *pipelines = stages(draw, garden, candidates)
    rules = ConversionRules(
        lead=kinds["lead"],
        kinds=[kinds["deal"], kinds["offer"]],
        pipelines=[lead_pipeline, *pipelines],
        mappings=mappings(draw, garden, kinds, candidates),
        policy=Policy(roles(draw, sensitive & seen)),
        transforms={"explode": explode},
    )
    lead = planted_lead(draw, garden, rules, candidates["lead"])
    hidden = frozenset(sensitive - seen)
    names = known_names(draw, candidates) if typing else {}
    asked = Asked(
        rules,
        lead,
        tuple(
            Create(kind, values=typed_values(draw, names.get(kind, [])))
            for kind in draw(st.sampled_from([*_CHOSEN, *_CHOSEN, []]))
        ),
        Actor("u-1", roles=["base"]),
        carry=typed_carry(draw, names) if typing else {},
        values=typed_values(draw, names.get("lead", [])),
    )
    typed = {*asked.carry, *asked.values, *(name for one in asked.into for name in one.values)}
    typed |= {name for answer in asked.carry.values() for name in answer.values()}
    return Hiding(asked, garden.planted, hidden, frozenset(typed))


def _several(
    draw: st.DrawFn, names: Sequence[str], at_most: int, *, at_least: int = 0
) -> list[str]:
    several = st.lists(
        st.sampled_from(list(names)), unique=True, min_size=at_least, max_size=at_most
    )
    return draw(several)


def demanding(
    draw: st.DrawFn, garden: Garden, kind: Kind, sensitive: Sequence[str], names: Sequence[str]
) -> Kind:
    """Return the kind with sensitive fields, required ones, defaults and groups."""
    required = [] if kind.id == "lead" else _several(draw, names, 3)
    with_default = [] if kind.id == "lead" else _several(draw, names, 3)

    def refined(field: Field) -> Field:
        default = field.default
        if field.id in with_default and field.max_length is None:
            default = garden.value((kind.id, field.id), field)
        return attrs.evolve(
            field,
            sensitive=field.id in sensitive,
            required=field.id in required,
            default=default,
        )

    described = {field.id: field for field in kind.fields}
    described |= {name: kind.members[name] for name in names if name not in described}
    for field in kind.custom:
        described.pop(field.id, None)
    groups = draw(st.lists(st.lists(st.sampled_from(names), unique=True, min_size=1), max_size=2))
    return attrs.evolve(
        kind,
        fields=[refined(field) for field in described.values()],
        custom=[refined(field) for field in kind.custom],
        any_of=[] if kind.id == "lead" else groups,
    )


def stages(
    draw: st.DrawFn, garden: Garden, candidates: Mapping[str, Sequence[str]]
) -> list[Pipeline]:
    """Return pipelines with planted stages: one of the leads, and two of deals."""
    found: list[Pipeline] = []
    for kind, default in (("lead", False), ("deal", True), ("deal", False)):
        words = [garden.word("s") for _ in range(3)]
        needs = _several(draw, candidates[kind], 2)
        found.append(
            Pipeline(
                garden.word("p"),
                kind,
                [words[0], Stage(words[1], "success"), Stage(words[2], "failure")],
                default=default,
                required=[Required(needs)] if needs else [],
            )
        )
    return found


def mappings(
    draw: st.DrawFn,
    garden: Garden,
    kinds: Mapping[str, Kind],
    candidates: Mapping[str, Sequence[str]],
) -> list[FieldMapping]:
    """Draw mappings that fit or do not, with fallbacks, transforms, value maps and constants."""
    found: list[FieldMapping] = []
    sources = list(candidates["lead"])
    transforms = st.sampled_from([None, None, None, "first", "join", "upper", "strip", "explode"])
    for kind in ("deal", "offer"):
        amount = "amount" if kind == "deal" else "x901q_margin"
        chosen = _several(draw, candidates[kind], 8, at_least=3)
        for target in dict.fromkeys([*chosen, amount]):
            field = kinds[kind].members[target]
            alike = [name for name in sources if field.fits(kinds["lead"].members[name])]
            pool = alike if alike and draw(st.integers(0, 3)) > 0 else sources
            source, *fallbacks = draw(
                st.lists(st.sampled_from(pool), unique=True, min_size=1, max_size=3)
            )
            if not draw(st.integers(0, 5)) and field.max_length is None:
                constant = garden.value((kind, target), field)
                found.append(FieldMapping.fixed(kind, target, constant))
            else:
                found.append(
                    FieldMapping(
                        source, kind, target, fallbacks=fallbacks, transform=draw(transforms)
                    )
                )
    used = {name for mapping in found for name in mapping.sources}
    left = [name for name in sources if name not in used]
    return [*found, *map(FieldMapping.leave, _several(draw, left, 2) if left else [])]


def roles(draw: st.DrawFn, seen: Iterable[Place]) -> list[Role]:
    """Draw what the actor may do, and which fields they may see or fill; a seer sees them all."""
    grants = [Grant(kind, ["create", "assign"]) for kind in ("deal", "offer") if draw(_mostly())]
    grants += [LEAD_RIGHTS] if draw(_mostly()) else [Grant("lead", ["read", "convert"])]
    for kind, name in sorted(seen):
        actions = draw(st.sampled_from([["read"], ["read", "update"]]))
        grants.append(Grant(kind, actions, fields=name))
    return [Role("base", grants), Role("seer", [FIELD_RIGHTS])]


def _mostly() -> st.SearchStrategy[int]:
    return st.sampled_from([1, 1, 1, 0])


def planted_lead(
    draw: st.DrawFn, garden: Garden, rules: ConversionRules, names: Sequence[str]
) -> Lead:
    """Return a lead with a planted value in most of its fields, in any stage."""
    values: dict[str, object] = {}
    for name in names:
        if draw(_mostly()):
            values[name] = garden.value(("lead", name), rules.lead.members[name])
    stage = draw(st.sampled_from([0, 0, 0, 1, 2]))
    values["stage"] = garden.plant(("lead", "stage"), rules.lead_pipeline.stages[stage].id)
    record = rules.lead.build("L-7", values)
    assert isinstance(record, Lead)
    return record


def known_names(draw: st.DrawFn, candidates: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Draw names to type for each kind: those of fields, and others that are nearly the same."""
    found: dict[str, list[str]] = {}
    for kind, names in candidates.items():
        chosen = _several(draw, names, 4)
        found[kind] = [
            draw(st.sampled_from([name, f"{name[:3]}{name[4:]}", name[:-1]])) for name in chosen
        ]
    return found


def typed_values(draw: st.DrawFn, names: Sequence[str]) -> dict[str, object]:
    """Draw values as a person types them: right, wrong or empty."""
    typed = st.sampled_from(["typed", 5, None, ("typed", "too")])
    return {name: draw(typed) for name in names}


def typed_carry(draw: st.DrawFn, names: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Draw where a person wants fields of the lead to go."""
    found: dict[str, dict[str, str]] = {}
    for source in names["lead"]:
        places = [(kind, name) for kind in ("deal", "offer") for name in names[kind]]
        found[source] = dict(_places(draw, places)) if places else {}
    return found


def _places(draw: st.DrawFn, places: Sequence[Place]) -> list[Place]:
    return draw(st.lists(st.sampled_from(list(places)), max_size=2))


class TestSecrets:
    @thorough
    @given(hidings())
    def test_nothing_hidden_is_told(self, hiding: Hiding) -> None:
        """No id, label, option or value of what is hidden or denied is in anything told."""
        found = hiding.asked.plan()
        secrets = list(hiding.secrets(found))
        for how, said in told(found):
            leaked = [place for place, secret in secrets if secret.lower() in said.lower()]
            assert (how, []) == (how, leaked)

    @laws
    @given(st.sampled_from([*_TYPES.values(), "email", "address", "product"]), st.booleans())
    def test_the_search_finds_what_is_told(self, type_: str, multiple: bool) -> None:
        """A planted value of any type is found wherever an actor who may see it is shown it."""
        options = ["o901q", "o902q"] if type_ == "enumeration" else []
        field = Field("UF_S", type_, multiple=multiple, options=options)
        value = Garden().value(("deal", "UF_S"), field)
        rules = guarded(None)
        kinds = [attrs.evolve(DEAL, custom=[field])]
        rules = attrs.evolve(rules, kinds=kinds, transforms={})
        lead = Lead(id="L-7", stage="NEW", title="Engine")
        into = (Create("deal", values={"UF_S": value}),)
        found = Asked(rules, lead, into, Actor("u-1", roles=["base"])).plan()
        told_in = {how for how, said in told(found) for trace in traces(value) if trace in said}

        highest = pickle.HIGHEST_PROTOCOL
        assert {"shown as JSON", f"shown as pickle {highest}"} <= told_in

    @laws
    @given(hidings(typing=False))
    def test_hidden_values_travel(self, hiding: Hiding) -> None:
        """Who sees less converts the same: values, rows and records are those a seer gets.

        Only what a stage demands is not demanded of who cannot see it.
        """
        found, seen = hiding.asked.plan(), hiding.seer.plan()

        assert found.ok or not seen.ok
        assert seen.ok == found.ok or {"required_at"} == {one.code for one in seen.problems}
        assert seen.rows == found.rows
        assert [one.values for one in seen.targets] == [one.values for one in found.targets]
        if seen.ok:
            assert seen.result() == found.result()

    @laws
    @given(st.data(), st.sampled_from([t for t in FieldType if t is not FieldType.REFERENCE]))
    def test_hidden_values_arrive(self, data: st.DataObject, type_: FieldType) -> None:
        """A value hidden in the lead, in the target, or in both is in the record all the same."""
        field = Field("UF_S", type_, options=["a", "b"] if type_ == "enumeration" else [])
        value = data.draw(testing.values(field, filled=True))
        of_lead, of_deal = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))
        deal = attrs.evolve(DEAL, custom=[attrs.evolve(field, sensitive=of_deal)])
        rules = attrs.evolve(
            BITRIX,
            lead=attrs.evolve(LEAD, custom=[attrs.evolve(field, sensitive=of_lead)]),
            kinds=[deal],
            children=(),
            mappings=[FieldMapping("title", "deal"), FieldMapping("UF_S", "deal")],
            policy=Policy([Role("base", [LEAD_RIGHTS, TARGET_RIGHTS])]),
            transforms={},
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_S": value})
        found = Asked(rules, lead, (Create("deal"),), Actor("u-1", roles=["base"])).plan()

        assert value == found.result().deal.custom["UF_S"]
        assert "UF_S" not in found.shown().targets[0].values

    @laws
    @given(hidings(typing=False))
    def test_what_is_hidden_is_one_problem(self, hiding: Hiding) -> None:
        """What is wrong with hidden fields is one problem of its target, which names nothing."""
        found, seen = hiding.asked.plan(), hiding.seer.plan()
        assume(all(one.cause is not Cause.LEAD_ACCESS for one in found.problems))
        for draft in found.targets:
            if draft.denied:
                continue
            of_it = [one for one in found.problems if one.target == draft.target]
            hidden = [one for one in of_it if one.code == "hidden"]
            withheld = [one for one in found.withheld if one.target == draft.target]
            demanded = [
                one
                for one in seen.problems
                if one.target == draft.target
                and not (one.code == "required_at" and (one.kind, one.field) in hiding.hidden)
            ]

            assert [(None, {"actor": "u-1"})] * bool(withheld) == [
                (one.field, dict(one.params)) for one in hidden
            ]
            assert Counter(one.cause for one in demanded) == Counter(
                one.cause for one in [*of_it, *withheld] if one not in hidden
            )
            assert all(hiding.hides(draft.ref.kind, str(one.field)) for one in withheld)
            misfits = [one for one in of_it if one.cause is Cause.INVALID and one.field]
            assert all(hiding.shows_some(draft.ref.kind, str(one.field)) for one in misfits)

    @laws
    @given(
        st.sampled_from(["values", "carry from", "carry to", "values of the lead"]),
        st.booleans(),
        st.booleans(),
    )
    def test_a_hidden_name_is_no_name(self, where: str, required: bool, mapped: bool) -> None:
        """To name a hidden field is answered exactly like naming one that does not exist."""
        rules = guarded("jzqvxw", required=required, mapped=mapped)
        hidden, nothing = (naming(where, name, rules) for name in ("jzqvxw", "wxvqzj"))
        renamed = {how: said.replace(b"jzqvxw", b"wxvqzj") for how, said in told(hidden)}

        assert {"unknown_field", "carry_unknown_source"} & {one.code for one in hidden.problems}
        assert renamed == dict(told(nothing))

    @laws
    @given(
        st.sampled_from(["values", "carry from", "carry to", "values of the lead"]),
        st.sampled_from(["UF_HIDDEN", "UF_HIDDE", "UF_HIDDEM", "title", "nothing like it"]),
    )
    def test_what_is_hidden_might_as_well_not_exist(self, where: str, typed: str) -> None:
        """A hidden field that nothing needs changes nothing in what its kind's users are told."""
        there = naming(where, typed, guarded("UF_HIDDEN"))
        absent = naming(where, typed, guarded(None))

        assert dict(told(absent)) == dict(told(there))
        assert absent.ok == there.ok

    @laws
    @given(
        testing.values(Field("f", "text"), filled=False), st.sampled_from(["required", "any_of"])
    )
    def test_a_hidden_required_field_is_one_problem(self, value: object, how: str) -> None:
        """Whoever does not see what is required is told that something is, and the host what."""
        rules = guarded("UF_HIDDEN", required=how == "required", mapped=True)
        if how == "any_of":
            [deal] = rules.kinds
            deal = attrs.evolve(deal, any_of=[["UF_HIDDEN"]])
            rules = attrs.evolve(rules, kinds=[deal], transforms={})
        custom = {} if value is None else {"UF_HIDDEN": value}
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom=custom)
        found = Asked(rules, lead, (Create("deal"),), Actor("u-1", roles=["base"])).plan()

        if value is None or not str(value).strip():
            assert [("hidden", None, {"actor": "u-1"})] == [
                (one.code, one.field, dict(one.params)) for one in found.problems
            ]
            assert ["UF_HIDDEN"] == [one.field for one in found.withheld]
            assert () == found.form
        else:
            assert value == found.result().deal.custom["UF_HIDDEN"]

    @laws
    @given(st.booleans(), st.booleans(), st.booleans())
    def test_a_currency_for_a_hidden_amount(self, of_lead: bool, of_deal: bool, seen: bool) -> None:
        """What a hidden amount needs is not asked for, nor what it needs it for."""
        [title, amount, *others] = DEAL.fields
        amount = attrs.evolve(amount, sensitive=of_deal, label="Bounty")
        known_as = attrs.evolve(LEAD.members["amount"], sensitive=of_lead)
        rules = guarded(None)
        grants = [LEAD_RIGHTS, TARGET_RIGHTS, *([FIELD_RIGHTS] if seen else [])]
        rules = attrs.evolve(
            rules,
            lead=attrs.evolve(
                rules.lead,
                fields=[known_as if one.id == "amount" else one for one in LEAD.fields],
            ),
            kinds=[attrs.evolve(DEAL, fields=[title, amount, *others])],
            mappings=[*rules.mappings, FieldMapping("amount", "deal")],
            policy=Policy([Role("base", grants)]),
            transforms={},
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine", amount=Decimal(5000))
        found = Asked(rules, lead, (Create("deal"),), Actor("u-1", roles=["base"])).plan()
        hidden = (of_lead or of_deal) and not seen

        assert ["hidden" if hidden else "currency_required"] == [one.code for one in found.problems]
        assert hidden != bool(found.form)
        assert hidden != any(b"Bounty" in said for _, said in told(found))

    @laws
    @given(
        st.sampled_from(["values", "carry from", "carry to", "values of the lead"]),
        st.sampled_from(["UF_PLAIM", "UF_PLAIN", "UF_SIZE", "titel", "nothing like it"]),
    )
    def test_a_denied_target_might_have_any_fields(self, where: str, typed: str) -> None:
        """Whoever may not make a deal learns nothing of its fields, whatever they type."""
        denied = Policy([Role("base", [LEAD_RIGHTS])])
        rules = attrs.evolve(guarded(None), policy=denied, transforms={})
        fields = [Field("UF_SIZE", "text", required=True), Field("UF_PLAIM", "text")]
        other = attrs.evolve(rules, kinds=[attrs.evolve(DEAL, custom=fields)], transforms={})
        found, same = naming(where, typed, rules), naming(where, typed, other)

        assert "no_grant" in {one.code for one in found.problems}
        assert refusals(found) == refusals(same)
        shown = {said for how, said in told(same) if how.startswith("shown")}
        names = {"UF_PLAIM", "UF_SIZE"} - {typed}
        assert not any(name.encode() in said for said in shown for name in names)


def refusals(found: Plan) -> dict[str, bytes]:
    """Return all that is told of a plan but its rows."""
    return {how: said for how, said in told(found) if not how.startswith("shown")}


def guarded(name: str | None, *, required: bool = False, mapped: bool = False) -> ConversionRules:
    """Return rules whose leads and deals have a field that nobody sees, under that name."""
    custom = [] if name is None else [Field(name, "text", sensitive=True)]
    of_deal = [attrs.evolve(field, required=required) for field in custom]
    return attrs.evolve(
        BITRIX,
        lead=attrs.evolve(LEAD, custom=[*custom, Field("UF_SEEN", "text")]),
        kinds=[attrs.evolve(DEAL, custom=[*of_deal, Field("UF_PLAIN", "text")])],
        children=(),
        mappings=[
            FieldMapping("title", "deal"),
            *(FieldMapping(field.id, "deal") for field in custom if mapped),
        ],
        policy=Policy([Role("base", [LEAD_RIGHTS, TARGET_RIGHTS])]),
        transforms={},
    )


def carry_of(where: str, name: str) -> dict[str, dict[str, str]]:
    """Return where somebody who types that name wants fields of the lead to go."""
    if where == "carry from":
        return {name: {"deal": "UF_PLAIN"}}
    return {"UF_SEEN": {"deal": name}} if where == "carry to" else {}


def naming(where: str, name: str, rules: ConversionRules) -> Plan:
    """Return the plan of somebody who types that name."""
    lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_SEEN": "blue"})
    values = {name: "typed"} if where == "values" else {}
    return Asked(
        rules,
        lead,
        (Create("deal", values=values),),
        Actor("u-1", roles=["base"]),
        carry=carry_of(where, name),
        values={name: "typed"} if where == "values of the lead" else {},
    ).plan()
