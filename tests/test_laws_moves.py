"""The laws of moves and automation: any pipeline, any rules, any moves by anybody, in any order."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from leadconvert import (
    Actor,
    AnyOf,
    Automation,
    AutomationRule,
    ChangeSet,
    Condition,
    ConversionRules,
    Converted,
    Field,
    FieldMapping,
    Grant,
    Insert,
    Lead,
    MoveResult,
    Not,
    Pipeline,
    Policy,
    Receipt,
    Record,
    Ref,
    Required,
    Role,
    Stage,
    StageChange,
    Update,
    Where,
    WithoutLeads,
    advance,
    arrive,
    convert,
    convert_unfinished,
    errors,
    plan_move,
    presets,
)
from leadconvert.changes import bind, plain
from leadconvert.codec import Codec
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import changed


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
KINDS: Final = ("contact", "company", "deal")
RIGHTS: Final[Mapping[str, Grant]] = {
    "move": Grant("lead", ["read", "update", "move"]),
    "convert": Grant("lead", ["read", "update", "move", "convert"]),
    **{kind: Grant(kind, "create") for kind in KINDS},
    "secrets": Grant("*", ["read", "update"], fields="*"),
}


# -- worlds, in which nothing has a name yet ------------------------------------------------------


@attrs.frozen(kw_only=True)
class Names:
    """What the stages, the roles and the custom fields of a world are called, by their numbers."""

    stages: tuple[str, ...]
    roles: tuple[str, ...]
    fields: tuple[str, ...]


PLAIN: Final = Names(
    stages=tuple(f"stage-{number}" for number in range(6)),
    roles=tuple(f"role-{number}" for number in range(3)),
    fields=("FIELD-NOTE", "MARGIN-7"),
)


@attrs.frozen(kw_only=True)
class Act:
    """An automation rule; its stages are numbers, and so is its condition."""

    on: int | None
    into: tuple[str, ...]
    closing: bool
    to: int | None
    when: int | None


@attrs.frozen(kw_only=True)
class World:
    """Leads' stages by their roles, who may do what, and what automation does."""

    roles: tuple[str, ...]
    listed: tuple[tuple[int, ...] | None, ...]
    forward_only: bool
    required: tuple[tuple[int | str, int | None, bool], ...]
    rights: tuple[frozenset[str], ...]
    robot: frozenset[int]
    acts: tuple[Act, ...]
    mode: tuple[str, ...] | None

    @property
    def success(self) -> int:
        """The one success stage."""
        return self.roles.index("success")

    def rules(self, names: Names) -> ConversionRules:
        """Return the rules of this world under these names."""
        note, margin = names.fields
        custom = [
            Field(note, "text", label="Note"),
            Field(margin, "money", label="Margin", sensitive=True),
        ]
        mapped = [(name, "deal") for name in ("title", "amount", note, margin)]
        mapped += [("last_name", "contact"), (note, "contact")]
        return ConversionRules(
            lead=attrs.evolve(LEAD, custom=custom),
            kinds=[
                attrs.evolve(CONTACT, custom=custom),
                COMPANY,
                attrs.evolve(DEAL, custom=custom),
            ],
            pipelines=[self._pipeline(names), Pipeline("sales", "deal", ["open"])],
            mappings=[
                *(FieldMapping(name, kind) for name, kind in mapped),
                FieldMapping.fixed("deal", "currency", "EUR"),
                FieldMapping("company_name", "company", "name"),
            ],
            policy=Policy(
                [
                    Role(name, [RIGHTS[right] for right in sorted(rights)])
                    for name, rights in zip(names.roles, self.rights, strict=True)
                ]
            ),
            automation=Automation(
                Actor("robot", [names.roles[number] for number in sorted(self.robot)]),
                [self._rule(number, act, names) for number, act in enumerate(self.acts)],
                without_leads=None if self.mode is None else WithoutLeads(into=self.mode),
            ),
        )

    def _pipeline(self, names: Names) -> Pipeline:
        return Pipeline(
            "leads",
            "lead",
            [
                Stage(
                    name, role, to=None if to is None else [names.stages[number] for number in to]
                )
                for name, role, to in zip(names.stages, self.roles, self.listed, strict=False)
            ],
            forward_only=self.forward_only,
            required=[
                Required(
                    names.fields[field] if isinstance(field, int) else field,
                    since=None if since is None or failures else names.stages[since],
                    failures=failures,
                )
                for field, since, failures in self.required
            ],
        )

    def _rule(self, number: int, act: Act, names: Names) -> AutomationRule:
        return AutomationRule(
            f"rule {number}",
            act.into,
            on=None if act.on is None else names.stages[act.on],
            to=None if act.to is None else names.stages[act.to],
            closing=act.closing,
            when=None if act.when is None else conditions(names)[act.when],
        )


def conditions(names: Names) -> list[Condition]:
    """What rules may ask of a lead."""
    return [
        Where("amount", "greater", 100),
        Where(names.fields[0], "filled"),
        Not(Where(names.fields[1], "less", 5)),
        AnyOf([Where("title", "contains", "a"), Where("stage", "equals", names.stages[0])]),
    ]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a world: every pipeline a lead may have, and rules that run in no circle."""
    others = draw(st.lists(st.sampled_from(["process", "process", "failure"]), max_size=4))
    roles = draw(st.permutations(["process", "success", *others]))
    numbers = range(len(roles))
    open_ = [number for number in numbers if roles[number] != "success"]
    ordered = [number for number in numbers if roles[number] != "failure"]
    some = st.sets(st.sampled_from(numbers)).map(sorted).map(tuple)

    @st.composite
    def acts(draw: st.DrawFn) -> Act:
        on = draw(st.none() | st.sampled_from(open_))
        into = draw(st.sets(st.sampled_from(KINDS), max_size=2).map(sorted).map(tuple))
        # from one number to a higher one: so no rules move a lead in a circle
        onward = [number for number in open_ if on is None or number > on]
        to = draw(st.none() | st.sampled_from(onward)) if onward else None
        return Act(
            on=on,
            into=into if into or to is not None else ("deal",),
            closing=draw(st.booleans()) and to is None,
            to=to,
            when=draw(st.none() | st.integers(0, 3)),
        )

    return World(
        roles=tuple(roles),
        listed=tuple(draw(st.none() | st.none() | some) for _ in numbers),
        forward_only=draw(st.booleans()),
        required=tuple(
            draw(
                st.lists(
                    st.tuples(
                        st.sampled_from(["comments", "amount", 0, 1]),
                        st.none() | st.sampled_from(ordered),
                        st.booleans(),
                    ),
                    max_size=2,
                )
            )
        ),
        rights=(
            frozenset(RIGHTS),
            *(draw(st.frozensets(st.sampled_from(sorted(RIGHTS)))) for _ in PLAIN.roles[1:]),
        ),
        robot=draw(actors()),
        acts=tuple(draw(st.lists(acts(), max_size=5))),
        mode=draw(st.none() | st.none() | st.sampled_from([(), ("company",)])),
    )


def filled() -> st.SearchStrategy[str]:
    """Draw what a lead may be called."""
    return st.sampled_from(["a", "Engine"])


def texts() -> st.SearchStrategy[str | None]:
    """Draw what somebody may type."""
    return st.sampled_from([None, " "]) | filled()


def values(names: Names = PLAIN) -> st.SearchStrategy[dict[str, object]]:
    """Draw what may be filled on the way; the last name is one that nobody has."""
    strategies: dict[str, st.SearchStrategy[object]] = {
        "title": texts(),
        "last_name": texts(),
        "company_name": texts(),
        "comments": texts(),
        "amount": st.sampled_from([None, 1, 5, 200, 500, "much"]),
        names.fields[0]: texts(),
        names.fields[1]: st.sampled_from([None, 1, 500]),
    }
    return st.just({}) | st.fixed_dictionaries({}, optional=strategies)


def leads(names: Names = PLAIN) -> st.SearchStrategy[dict[str, object]]:
    """Draw what a new lead holds, as far as it is filled: blanks are not stored."""
    fitting: dict[str, st.SearchStrategy[object]] = {
        **dict.fromkeys(["title", "last_name", "company_name", "comments"], filled()),
        "amount": st.sampled_from([1, 500]),
        names.fields[0]: filled(),
        names.fields[1]: st.sampled_from([1, 500]),
    }
    named = {name: st.just("Engine") for name in ("title", "last_name", "company_name")}
    return st.fixed_dictionaries({}, optional=fitting) | st.fixed_dictionaries(
        named, optional={name: one for name, one in fitting.items() if name not in named}
    )


def choices() -> st.SearchStrategy[list[str]]:
    """Draw targets; there may be none."""
    return st.just(["deal"]) | st.lists(st.sampled_from(KINDS), max_size=3)


def actors() -> st.SearchStrategy[frozenset[int]]:
    """Draw somebody by the numbers of their roles; the first may do everything."""
    return st.just(frozenset({0})) | st.frozensets(st.integers(0, 2))


# -- law: success and conversion are one ----------------------------------------------------------


class Moves(RuleBasedStateMachine):
    """Leads that arrive, move and convert in one random world; a store that holds them."""

    @initialize(world=worlds())
    def begin(self, world: World) -> None:
        """Begin with no leads."""
        self.world = world
        self.crm = world.rules(PLAIN)
        self.success = PLAIN.stages[world.success]
        self.leads: dict[str, Lead] = {}
        self.keys: list[str] = []
        self.records: dict[Ref, Record] = {}
        self.arrived = 0

    # -- what may happen --------------------------------------------------------------------------

    @precondition(lambda self: self.arrived < 5)
    @rule(held=leads(), stage=st.integers(0, 5))
    def a_lead_arrives(self, held: dict[str, object], stage: int) -> None:
        """A lead arrives in any stage but success."""
        self.arrived += 1
        open_ = [name for name in self.stages if name != self.success]
        lead = self.crm.lead.build(
            f"new-{self.arrived}", {**held, "stage": open_[stage % len(open_)]}
        )
        assert isinstance(lead, Lead)
        result = arrive(lead, rules=self.crm, at=AT)
        assert lead.stage == self.before(result, lead)
        stored = self.store(result)
        self.grown(lead, result.lead, result, by_hand=None)
        self.leads[stored.lead.id] = stored.lead

    @precondition(lambda self: self.leads)
    @rule(
        which=st.integers(0, 9),
        to=st.integers(0, 5) | st.integers(0, 1),
        into=choices(),
        roles=actors(),
        held=values(),
        reason=st.sampled_from([None, "because"]),
    )
    def a_lead_moves(  # noqa: PLR0913, PLR0917 - what a move is asked with
        self,
        which: int,
        to: int,
        into: list[str],
        roles: frozenset[int],
        held: dict[str, object],
        reason: str | None,
    ) -> None:
        """Anybody moves any lead anywhere, into success with targets or without."""
        lead, stage = self.some(which), [*self.stages, "no stage"][min(to, len(self.stages))]
        try:
            result = advance(
                lead,
                stage,
                into if stage == self.success else [],
                rules=self.crm,
                actor=self.actor(roles),
                at=AT,
                values=held,
                reason=reason,
            )
        except errors.ConversionError:
            return
        by_hand = StageChange(
            from_stage=lead.stage, to_stage=stage, at=AT, actor_id="u-7", reason=reason
        )
        assert stage in self.stages
        assert self.may(roles, "move", "convert")
        self.grown(lead, result.lead, result, by_hand=by_hand, roles=roles)
        self.leads[lead.id] = self.store(result).lead

    @precondition(lambda self: self.leads)
    @rule(which=st.integers(0, 9), into=choices(), roles=actors(), closing=st.booleans())
    def a_lead_is_converted(
        self, which: int, into: list[str], roles: frozenset[int], closing: bool
    ) -> None:
        """Anybody converts any lead, closing it or not."""
        lead = self.some(which)
        try:
            made = convert(
                lead, into, rules=self.crm, actor=self.actor(roles), at=AT, closing=closing
            )
        except errors.ConversionError:
            return
        result = MoveResult(record=made.lead, changes=made.changes, conversions=(made,))
        by_hand = StageChange(from_stage=lead.stage, to_stage=self.success, at=AT, actor_id="u-7")
        self.grown(lead, made.lead, result, by_hand=by_hand if closing else None, roles=roles)
        self.leads[lead.id] = self.store(result).lead

    @precondition(lambda self: self.world.mode is not None)
    @rule()
    def the_mode_without_leads_begins(self) -> None:
        """All unfinished leads are converted or refused, and no others are touched."""
        process = {
            name
            for name, role in zip(self.stages, self.world.roles, strict=True)
            if role == "process"
        }
        before = dict(self.leads)
        found = list(convert_unfinished(before.values(), rules=self.crm, at=AT))
        told = [one.result.lead.id if isinstance(one, Converted) else one.lead_id for one in found]
        assert [lead.id for lead in before.values() if lead.stage in process] == told
        for one in found:
            if isinstance(one, Converted):
                made = one.result
                lead = before[made.lead.id]
                result = MoveResult(record=made.lead, changes=made.changes, conversions=(made,))
                self.grown(lead, made.lead, result, by_hand=None)
                assert self.success == made.lead.stage
                self.leads[lead.id] = self.store(result).lead

    # -- what must hold of each -------------------------------------------------------------------

    def grown(
        self,
        before: Lead,
        after: Lead,
        result: MoveResult,
        *,
        by_hand: StageChange | None,
        roles: frozenset[int] = frozenset(),
    ) -> None:
        """Check that the lead's histories grew by exactly what happened, done by who did it."""
        steps, made = len(before.stage_history), len(before.conversions)
        assert before.stage_history == after.stage_history[:steps]
        assert before.conversions == after.conversions[:made]
        new, conversions = after.stage_history[steps:], after.conversions[made:]

        stands = before.stage
        for step in new:
            assert (stands, AT) == (step.from_stage, step.at)
            stands = step.to_stage
        assert stands == after.stage
        assert ([] if by_hand is None else [by_hand]) == [one for one in new if one.rule is None]
        assert all(one.actor_id == "robot" for one in new if one.rule is not None)

        assert len(result.conversions) == len(conversions)
        assert [one.to_stage for one in new].count(self.success) == [
            one.closing for one in conversions
        ].count(True)
        for one in conversions:
            by, needs = ("u-7", roles) if one.rule is None else ("robot", self.world.robot)
            assert (by, AT) == (one.actor_id, one.at)
            for right in ("convert", *(ref.kind for ref in one.targets)):
                assert self.may(needs, right)
            assert one.targets
        inserts = [one.ref for one in result.changes.changes if isinstance(one, Insert)]
        made_here = [ref for one in conversions for ref in one.targets]
        assert made_here == [ref for ref in inserts if ref.kind != "lead"]

    def before(self, result: MoveResult, lead: Lead) -> object:
        """Return in which stage an arriving lead is made."""
        first = result.changes.changes[0]
        assert isinstance(first, Insert)
        assert Ref("lead", lead.id, provisional=True) == first.ref
        return first.values["stage"]

    def store(self, result: MoveResult) -> MoveResult:
        """Apply the changes as a store would; it must hold what the result as stored says."""
        changes = result.changes
        receipt = self.apply(changes)
        stored = result.stored(receipt)
        expected: list[tuple[str, Record]] = [("lead", stored.record)]
        expected += (
            (outcome.ref.kind, outcome.record)
            for made in stored.conversions
            for outcome in made.outcomes
        )
        for kind, record in expected:
            assert record == self.records[Ref(kind, record.id)]
        self.keys.append(changes.key)
        return stored

    def apply(self, changes: ChangeSet) -> Receipt:
        """Insert and update, under ids of its own."""
        ids: dict[Ref, Ref] = {}
        revisions: list[tuple[Ref, str]] = []
        for change in changes.changes:
            assert isinstance(change, Insert | Update)
            if isinstance(change, Insert):
                ids[change.ref] = Ref(change.ref.kind, f"{1000 + len(self.records)}")
            ref = ids.get(change.ref, change.ref)
            kept = {name: plain(bind(one, ids)) for name, one in change.values.items()}
            if isinstance(change, Update):
                assert self.records[ref].revision == change.revision
                self.records[ref] = changed(self.records[ref], kept)
            else:
                kinds = (self.crm.lead, *self.crm.kinds)
                [kind] = (kind for kind in kinds if kind.id == ref.kind)
                self.records[ref] = kind.build(ref.id, kept)
        for ref in dict.fromkeys(ids.get(one.ref, one.ref) for one in changes.changes):
            revision = f"after {len(self.keys)}"
            self.records[ref] = changed(self.records[ref], {"revision": revision})
            revisions.append((ref, revision))
        return Receipt(ids=list(ids.items()), revisions=revisions)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages of the leads."""
        return PLAIN.stages[: len(self.world.roles)]

    def some(self, which: int) -> Lead:
        """Return any of the leads."""
        return list(self.leads.values())[which % len(self.leads)]

    def actor(self, roles: Iterable[int]) -> Actor:
        """Return somebody with these roles."""
        return Actor("u-7", [PLAIN.roles[number] for number in roles])

    def may(self, roles: Iterable[int], *rights: str) -> bool:
        """Tell whether any of the roles has any of the rights."""
        return any(right in self.world.rights[number] for number in roles for right in rights)

    # -- what must hold of all --------------------------------------------------------------------

    @invariant()
    def success_is_conversion(self) -> None:
        """A lead has a closing conversion exactly when it stands in success, and never two."""
        for lead in self.leads.values():
            closing = [made for made in lead.conversions if made.closing]
            assert (1 if lead.stage == self.success else 0) == len(closing)

    @invariant()
    def nobody_enters_success_otherwise(self) -> None:
        """Whoever stands in success has entered it once, by the actor and rule that converted."""
        for lead in self.leads.values():
            entered = [step for step in lead.stage_history if step.to_stage == self.success]
            closing = [made for made in lead.conversions if made.closing]
            assert [(made.actor_id, made.rule, made.at) for made in closing] == [
                (step.actor_id, step.rule, step.at) for step in entered
            ]

    @invariant()
    def each_rule_acts_once(self) -> None:
        """No rule has converted one lead twice, nor moved it twice."""
        for lead in self.leads.values():
            for acted in (lead.conversions, lead.stage_history):
                rules = [one.rule for one in acted if one.rule is not None]
                assert len(set(rules)) == len(rules)

    @invariant()
    def what_happened_is_told_apart(self) -> None:
        """Every conversion has an id of its own, and every decision a key."""
        ids = [made.id for lead in self.leads.values() for made in lead.conversions]
        assert len(set(ids)) == len(ids)
        assert len(set(self.keys)) == len(self.keys)


Moves.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSuccessIsConversion = Moves.TestCase


# -- law 9 ----------------------------------------------------------------------------------------

#: Fields and roles are sorted here and there, so their new names stand in the same order among all
#: others; and none is like another, since that would be a hint.
OTHER_NAMES: Final = (
    Names(
        stages=("CONVERTED", "JUNK", "NEW", "WON", "success", "process"),
        roles=("part-0", "part-1", "part-2"),
        fields=("HEAT", "MONEY"),
    ),
    Names(
        stages=("z", "y", "x", "é ", "0", "stage"),
        roles=("admin", "robot", "sales"),
        fields=("A", "B"),
    ),
)
#: What stands for rules and requests is another for other names.
DIGESTS: Final = {"key", "fingerprint", "rules", "written"}
#: Every world has the kinds of the preset, and writes them alike.
CODEC: Final = Codec(presets.bitrix24())


def as_text(value: object) -> str:
    """Return a value as JSON text, without what stands for its names."""

    def bare(data: object) -> object:
        if isinstance(data, dict):
            return {key: bare(one) for key, one in data.items() if key not in DIGESTS}
        return [bare(one) for one in data] if isinstance(data, list) else data

    return json.dumps(bare(CODEC.to_data(value)), ensure_ascii=False)


def renaming(names: Names) -> Callable[[str], str]:
    """Return what turns a text with plain names into one with these."""
    new = dict(zip(PLAIN.stages, names.stages, strict=True))
    new |= zip(PLAIN.roles, names.roles, strict=True)
    new |= zip(PLAIN.fields, names.fields, strict=True)
    pattern = re.compile("|".join(map(re.escape, new)))
    return lambda text: pattern.sub(lambda found: new[found[0]], text)


def ends(world: World) -> st.SearchStrategy[tuple[int, int]]:
    """Draw from where to where a lead moves; the last stage is one that nobody has."""
    count = len(world.roles)
    open_ = [number for number in range(count) if number != world.success]
    anywhere = st.integers(0, count)
    to_success = st.tuples(st.sampled_from(open_), st.just(world.success))
    return to_success | st.tuples(st.sampled_from(open_), anywhere) | st.tuples(anywhere, anywhere)


class TestLaw9ByRoleNotByName:
    """Other names of stages, roles and custom fields change nothing else."""

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        worlds().flatmap(lambda world: st.tuples(st.just(world), ends(world))),
        leads(),
        choices(),
        values(),
        actors(),
        st.sampled_from(OTHER_NAMES),
    )
    def test_law_9_by_role_not_by_name(  # noqa: PLR0913, PLR0917 - what a move is asked with
        self,
        where: tuple[World, tuple[int, int]],
        held: dict[str, object],
        into: list[str],
        given_values: dict[str, object],
        roles: frozenset[int],
        other: Names,
    ) -> None:
        """A move and an arrival under other names give the same, under other names."""
        world, (from_, to) = where
        written: list[list[str]] = []
        for names in (PLAIN, other):
            rules, rename = world.rules(names), renaming(names)
            stages = [*names.stages[: len(world.roles)], "nowhere"]
            end = stages[to]
            lead = rules.lead.build(
                "L-7", {"stage": stages[from_], **{rename(name): one for name, one in held.items()}}
            )
            assert isinstance(lead, Lead)
            moved = plan_move(
                lead,
                end,
                into if end == names.stages[world.success] else [],
                rules=rules,
                actor=Actor("u-7", [names.roles[number] for number in roles]),
                at=AT,
                values={rename(name): one for name, one in given_values.items()},
            )
            written.append([as_text(one) for one in (moved, arrive(lead, rules=rules, at=AT))])

        plain_, renamed = written
        assert list(map(renaming(other), plain_)) == renamed
