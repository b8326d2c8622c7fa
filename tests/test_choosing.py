"""What is open to an actor: the kinds, which of them together, and why not the others."""

import copy
import pickle
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain, combinations, islice

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Channel,
    Choices,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Decision,
    Field,
    FieldMapping,
    GenericRecord,
    Grant,
    Kind,
    Known,
    Lead,
    Matching,
    MatchRule,
    Pipeline,
    Policy,
    Record,
    Ref,
    Role,
    Stage,
    can_convert,
    plan,
    presets,
    testing,
    wanted,
)
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA = Actor("u-7", roles=["sales"])
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success"), Stage("lost", "failure")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
BACK = Field("converted_from", "reference", to="lead", multiple=True)
ON_LEADS = Grant("lead", ["read", "update", "convert", "move"])
NEW = Lead(id="L-7", stage="new")
BOUND = attrs.evolve(NEW, company_id="CO-9")
KNOWN = Known(records=[Company(id="CO-9"), Contact(id="C-1")])


def rules(*grants: Grant, mappings: Iterable[FieldMapping] = ()) -> ConversionRules:
    """Rules under which sales may work on leads and do what is granted."""
    return ConversionRules(
        kinds=[CONTACT, COMPANY, DEAL],
        pipelines=[LEADS, SALES],
        mappings=mappings,
        policy=Policy([Role("sales", [ON_LEADS, *grants])]),
    )


def why(choices: Choices) -> list[tuple[str | None, str, object]]:
    """The kind, code and action of each reason."""
    return [(one.kind, one.code, one.params.get("action")) for one in choices.problems]


def together(choices: Choices) -> list[str]:
    """What may be made together, as words."""
    return [" ".join(chosen) for chosen in choices.combinations()]


class TestWhichKinds:
    def test_all(self) -> None:
        """Whoever may make every kind has every choice, in the order of the rules."""
        choices = can_convert(NEW, ADA, rules(Grant("*", "create")))

        assert choices
        assert (
            Choices(
                lead_id="L-7",
                kinds=("contact", "company", "deal"),
                needs={"contact": ((),), "company": ((),), "deal": ((),)},
            )
            == choices
        )
        assert [
            "contact",
            "company",
            "deal",
            "contact company",
            "contact deal",
            "company deal",
            "contact company deal",
        ] == together(choices)

    def test_some(self) -> None:
        """The others are told with the reason."""
        choices = can_convert(NEW, ADA, rules(Grant("contact", "create"), Grant("deal", "create")))

        assert choices
        assert ("contact", "deal") == choices.kinds
        assert ["contact", "deal", "contact deal"] == together(choices)
        assert [("company", "no_grant", "create")] == why(choices)
        assert choices.allows(["deal"])
        assert not choices.allows(["company"])
        assert not choices.allows(["company", "deal"])

    def test_none(self) -> None:
        """Whoever may convert but make nothing is told why of each kind."""
        choices = can_convert(NEW, ADA, rules(Grant("deal", "create", "own")))

        assert not choices
        assert () == choices.kinds
        assert [] == together(choices)
        assert [
            ("contact", "no_grant", "create"),
            ("company", "no_grant", "create"),
            ("deal", "out_of_scope", "create"),
        ] == why(choices)

    def test_reasons_are_of_no_target(self) -> None:
        """Nothing was asked for yet, so no reason has the index of a target."""
        choices = can_convert(NEW, ADA, rules())

        assert [None, None, None] == [problem.target for problem in choices.problems]
        assert [Cause.TARGET_ACCESS] * 3 == [problem.cause for problem in choices.problems]

    def test_judged_as_it_would_be_written(self) -> None:
        """The owner, pipeline and stage that a mapping or the rules give decide."""
        owned = [FieldMapping("owner_id", kind) for kind in ("contact", "company", "deal")]
        by = rules(
            Grant("*", "create", "own"),
            Grant("deal", "create", stage="won"),
            Grant("deal", "create", stage="open", scope="opened"),
            mappings=owned,
        )
        mine, theirs = (attrs.evolve(NEW, owner_id=owner) for owner in ("u-7", "u-8"))

        assert ("contact", "company") == can_convert(mine, ADA, by).kinds
        assert () == can_convert(theirs, ADA, by).kinds

    def test_what_is_missing_does_not_matter(self) -> None:
        """A lead without anything may be converted: fields can still be filled."""
        by = rules(Grant("*", "create"))

        assert plan(NEW, ["contact", "deal"], rules=by, actor=ADA, at=AT).problems
        assert can_convert(NEW, ADA, by).allows(["contact", "deal"])

    def test_what_is_hidden_does_not_matter(self) -> None:
        """Fields are not looked at, and those that are hidden are not told."""
        margin = Field("margin", "money", required=True, sensitive=True)
        by = attrs.evolve(
            rules(Grant("*", "create")), kinds=[attrs.evolve(DEAL, custom=[margin])], transforms={}
        )
        choices = can_convert(NEW, ADA, by)

        assert (("deal",), ()) == (choices.kinds, choices.problems)


class TestTheLead:
    def test_denied(self) -> None:
        """Whoever may not convert the lead is told that, and nothing of the kinds."""
        policy = Policy([Role("sales", [Grant("lead", ["read", "move"]), Grant("*", "create")])])
        by = attrs.evolve(rules(), policy=policy, transforms={})
        choices = can_convert(attrs.evolve(NEW, stage="lost"), ADA, by)

        assert not choices
        assert ((), {}) == (choices.kinds, choices.needs)
        assert [("lead", "no_grant", "update"), ("lead", "no_grant", "convert")] == why(choices)

    @pytest.mark.parametrize(
        ("stage", "code"),
        [("done", "in_success_stage"), ("lost", "in_failure_stage"), ("nwe", "unknown_stage")],
    )
    def test_not_ready(self, stage: str, code: str) -> None:
        """A lead that does not stand in process is told as such, once."""
        choices = can_convert(attrs.evolve(NEW, stage=stage), ADA, rules(Grant("*", "create")))

        assert not choices
        assert [("lead", code, None)] == why(choices)
        assert [] == together(choices)

    def test_converted(self) -> None:
        """A converted lead says what it became."""
        made = Conversion(id="L-7.1", at=AT, actor_id="u-1", targets=[Ref("deal", "D")], rules="x")
        choices = can_convert(
            attrs.evolve(NEW, stage="done", conversions=[made]), ADA, rules(Grant("*", "create"))
        )

        assert not choices
        assert [("lead", "converted", None)] == why(choices)
        assert ("deal D",) == choices.problems[0].params["became"]


class TestBoundRecords:
    MAPPINGS = (FieldMapping("company_id", "deal"), FieldMapping("contact_ids", "deal"))

    def test_merged_along_instead_of_linked_to(self) -> None:
        """Who may merge into the lead's company but not link it makes a deal along with it only."""
        by = rules(
            Grant("*", ["create", "read"]),
            Grant("company", ["update", "merge"]),
            mappings=self.MAPPINGS,
        )
        choices = can_convert(BOUND, ADA, by, known=KNOWN)

        assert ("contact", "company", "deal") == choices.kinds
        assert {"contact": ((),), "company": ((),), "deal": (("company",),)} == choices.needs
        assert not choices.allows(["deal"])
        assert not choices.allows(["contact", "deal"])
        assert choices.allows(["company", "deal"])
        assert [
            "contact",
            "company",
            "contact company",
            "company deal",
            "contact company deal",
        ] == (together(choices))
        assert () == choices.problems

    def test_linked_to(self) -> None:
        """Who may link it needs nothing along."""
        by = rules(Grant("*", ["create", "read", "link"]), mappings=self.MAPPINGS)

        assert can_convert(BOUND, ADA, by, known=KNOWN).allows(["deal"])

    def test_a_bound_client_is_merged_into(self) -> None:
        """A kind the lead is bound to is no new record: to choose it takes the rights to merge."""
        choices = can_convert(BOUND, ADA, rules(Grant("*", ["create", "read"])), known=KNOWN)

        assert ("contact", "deal") == choices.kinds
        assert [("company", "no_grant", "update"), ("company", "no_grant", "merge")] == (
            why(choices)
        )

    def test_a_partner_that_cannot_be_merged_into(self) -> None:
        """Where the company may not be merged into either, there is no deal; all reasons count."""
        by = rules(
            Grant("*", "read"),
            Grant("deal", "create"),
            Grant("contact", "create"),
            mappings=self.MAPPINGS,
        )
        choices = can_convert(BOUND, ADA, by, known=KNOWN)

        assert ("contact",) == choices.kinds
        assert [
            ("company", "no_grant", "update"),
            ("company", "no_grant", "merge"),
            ("company", "no_grant", "link"),
        ] == why(choices)
        assert [None, None, None] == [problem.target for problem in choices.problems]
        assert not choices.allows(["company", "deal"])

    def test_pointed_at_beside_a_new_one(self) -> None:
        """Merging into the primary contact spares no right on the others a deal points at."""
        lead = attrs.evolve(NEW, contact_ids=["C-1", "C-2"])
        by = rules(
            Grant("*", ["create", "read"]),
            Grant("contact", ["update", "merge"]),
            mappings=self.MAPPINGS,
        )
        known = Known(records=[Contact(id="C-1"), Contact(id="C-2")])
        choices = can_convert(lead, ADA, by, known=known)

        assert ("contact", "company") == choices.kinds
        assert [("contact", "no_grant", "link"), ("contact", "no_grant", "link")] == why(choices)

    @pytest.mark.parametrize("known", [None, Known()], ids=["nothing known", "not handed over"])
    def test_not_handed_over(self, known: Known | None) -> None:
        """A record nobody loaded is no matter of access."""
        by = rules(Grant("*", ["create", "read"]), mappings=self.MAPPINGS)

        assert can_convert(BOUND, ADA, by, known=known).allows(["deal"])

    def test_not_to_be_read(self) -> None:
        """A record the actor may not read is told as one that is not there."""
        by = rules(Grant("*", "create"), mappings=self.MAPPINGS)

        assert can_convert(BOUND, ADA, by) == can_convert(BOUND, ADA, by, known=KNOWN)

    def test_gaps_that_every_conversion_fills(self) -> None:
        """Where every conversion fills the client's gaps, nothing is open without that right."""
        enriching = Matching(enrich=True)
        link = Grant("*", ["create", "read", "link"])
        merge = Grant("company", ["update", "merge"])
        without = attrs.evolve(rules(link), matching=enriching)
        within = attrs.evolve(rules(link, merge), matching=enriching)

        assert not can_convert(BOUND, ADA, without, known=KNOWN)
        assert {("company", "no_grant", "update"), ("company", "no_grant", "merge")} == {
            *why(can_convert(BOUND, ADA, without, known=KNOWN))
        }
        assert can_convert(BOUND, ADA, within, known=KNOWN).allows(["deal"])

    def test_two_partners_at_once(self) -> None:
        """Where two records are not to be linked to, both are merged into along."""
        by = chained("b", "c", a=["b", "c"])
        choices = can_convert(IN_CHAINS, ADA, by, known=CHAIN)

        assert {"a": (("b", "c"),), "b": ((),), "c": ((),)} == choices.needs
        assert ["b", "c", "b c", "a b c"] == together(choices)

    def test_a_chain(self) -> None:
        """A kind needs one that needs another."""
        choices = can_convert(IN_CHAINS, ADA, chained("b", "c", a=["b"], b=["c"]), known=CHAIN)

        assert {"a": (("b",),), "b": (("c",),), "c": ((),)} == choices.needs
        assert ["c", "b c", "a b c"] == together(choices)
        assert () == choices.problems

    def test_a_broken_chain(self) -> None:
        """Where the last of a chain cannot be made nothing can, and each link says why."""
        choices = can_convert(IN_CHAINS, ADA, chained("b", a=["b"], b=["c"]), known=CHAIN)

        assert not choices
        assert [
            ("b", "no_grant", "link"),
            ("c", "no_grant", "link"),
            ("c", "no_grant", "update"),
            ("c", "no_grant", "merge"),
        ] == why(choices)

    def test_a_record_of_its_own_kind(self) -> None:
        """A new record does not stand in for another of its kind."""
        parent = Field("a", "reference", to="a", default="A-1")
        by = chained("b", "c")
        kinds = [Kind("a", fields=[BACK, parent]), *by.kinds[1:]]
        choices = can_convert(IN_CHAINS, ADA, attrs.evolve(by, kinds=kinds), known=CHAIN)

        assert ("b", "c") == choices.kinds
        assert [("a", "no_grant", "link")] == why(choices)


class TestMatchedRecords:
    ADA_AGAIN = attrs.evolve(NEW, emails=[Channel("ada@example.com")])
    THERE = Known(records=[Contact(id="C-3", emails=[Channel("ada@example.com")])])

    @staticmethod
    def by(then: str) -> ConversionRules:
        """Rules under which a lead is known by its e-mail, and all but merging is granted."""
        matching = Matching([MatchRule("contact", ["email"], then)])
        given = rules(Grant("*", ["create", "read", "link"]))
        return attrs.evolve(given, matching=matching)

    def test_to_be_merged_into(self) -> None:
        """Whoever matches is merged into, so making it takes these rights, not that to create."""
        choices = can_convert(self.ADA_AGAIN, ADA, self.by("merge"), known=self.THERE)

        assert ("company", "deal") == choices.kinds
        assert [("contact", "no_grant", "update"), ("contact", "no_grant", "merge")] == (
            why(choices)
        )

    @pytest.mark.parametrize("then", ["link", "ask", "refuse", "none"])
    def test_otherwise(self, then: str) -> None:
        """What is linked needs that right; what is still to be decided is no matter of access."""
        choices = can_convert(self.ADA_AGAIN, ADA, self.by(then), known=self.THERE)

        assert ("contact", "company", "deal") == choices.kinds


IN_CHAINS = attrs.evolve(NEW, custom={"B": "B-1", "C": "C-1"})
CHAIN = Known(records=[GenericRecord(kind=kind, id=f"{kind.upper()}-1") for kind in "abc"])


def chained(*makes: str, **refers: Iterable[str]) -> ConversionRules:
    """Rules of kinds a, b, c: *makes* may be merged into where the lead is bound to them."""
    kinds = [
        Kind(name, fields=[BACK, *(Field(to, "reference", to=to) for to in refers.get(name, ()))])
        for name in "abc"
    ]
    custom = [Field(name.upper(), "reference", to=name) for name in "bc"]
    merged = (Grant(kind, ["update", "merge"]) for kind in makes)
    grants = [ON_LEADS, Grant("*", "read"), Grant("a", "create"), *merged]
    return ConversionRules(
        lead=attrs.evolve(LEAD, custom=custom),
        kinds=kinds,
        pipelines=[LEADS],
        mappings=[
            FieldMapping(to.upper(), kind, to) for kind, others in refers.items() for to in others
        ],
        policy=Policy([Role("sales", grants)]),
    )


@attrs.frozen
class Engine:
    """An engine of a host's that denies one kind."""

    denies: str

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Permit everything else."""
        allowed = request.kind != self.denies
        code = "granted" if allowed else "denied"
        return Decision(actor_id=actor.id, request=request, allowed=allowed, code=code)


class TestWhoDecides:
    def test_an_authorizer(self) -> None:
        """Another engine decides instead of the policy, both ways."""
        by = rules(Grant("contact", "create"))
        choices = can_convert(NEW, ADA, by, authorizer=Engine("contact"))

        assert ("company", "deal") == choices.kinds
        assert [("contact", "denied", "create")] == why(choices)
        assert [("lead", "denied", "read")] == why(
            can_convert(NEW, ADA, by, authorizer=Engine("lead"))
        )[:1]

    def test_decisions_made_before(self) -> None:
        """Decisions of a remote engine count alone; what they do not answer is no choice."""
        by = rules(Grant("*", "create"))
        asked = plan(NEW, ["contact", "deal"], rules=by, actor=ADA, at=AT).required_access
        answers = [
            Decision(actor_id="u-7", request=one, allowed=one.kind != "contact", code="denied")
            for one in asked
        ]
        choices = can_convert(NEW, ADA, by, known=Known(decisions=answers))

        assert ("deal",) == choices.kinds
        assert [("contact", "denied", "create"), ("company", "not_answered", "create")] == (
            why(choices)
        )

    def test_no_decisions_made_before(self) -> None:
        """Where nothing is answered nothing is open."""
        choices = can_convert(NEW, ADA, rules(Grant("*", "create")), known=Known(decisions=[]))

        assert not choices
        assert ["not_answered"] * 4 == [problem.code for problem in choices.problems]

    def test_the_policy_as_the_authorizer(self) -> None:
        """The rules' own policy, handed over, answers the same."""
        by = rules(Grant("*", ["create", "read"]), mappings=TestBoundRecords.MAPPINGS)

        assert can_convert(BOUND, ADA, by, known=KNOWN) == can_convert(
            BOUND, ADA, by, known=KNOWN, authorizer=by.policy
        )

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"lead": "L-7"}, "lead is a Lead, not a str"),
            ({"actor": "u-7"}, "actor is an Actor, not a str"),
            ({"rules": presets.bitrix24}, "rules is a ConversionRules"),
            ({"known": [Company(id="CO-9")]}, "known is a Known, not a list"),
            (
                {"known": Known(decisions=[]), "authorizer": Engine("deal")},
                "authorizer= or decisions",
            ),
        ],
    )
    def test_a_misused_signature(self, wrong: dict[str, object], told: str) -> None:
        """What plan() refuses is refused here."""
        loose: Callable[..., object] = can_convert
        right: dict[str, object] = {"lead": NEW, "actor": ADA, "rules": rules()}
        with pytest.raises(TypeError, match=told):
            loose(**right | wrong)


class TestChoices:
    CHOICES = Choices(
        lead_id="L-7",
        kinds=("a", "b", "c", "d"),
        needs={
            "a": ((),),
            "b": (("a",),),
            "c": (("a",), ("d",)),
            "d": (("a", "b"), ("c",)),
        },
    )

    @pytest.mark.parametrize(
        ("kinds", "expected"),
        [
            ("", False),
            ("a", True),
            ("b", False),
            ("a b", True),
            ("b a b", True),
            ("c", False),
            ("a c", True),
            ("c d", True),
            ("a d", False),
            ("a b d", True),
            ("b c d", False),
            ("a b c d", True),
            ("e", False),
            ("a e", False),
        ],
    )
    def test_allows(self, kinds: str, expected: bool) -> None:
        """Each kind has along with it one whole set of those it needs; no other kind will do."""
        assert expected == self.CHOICES.allows(kinds.split())
        assert expected == self.CHOICES.allows(reversed(kinds.split()))
        assert expected == self.CHOICES.allows(set(kinds.split()))

    def test_one_text(self) -> None:
        """One text where several kinds belong is refused, so that no letter is a kind."""
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            self.CHOICES.allows("a")

    def test_nothing_open(self) -> None:
        """Where nothing is open no combination is, and the value is false."""
        nothing = Choices(lead_id="L-7")

        assert not nothing
        assert not nothing.allows([])
        assert not nothing.allows(["deal"])
        assert [] == list(nothing.combinations())

    def test_combinations_smallest_first(self) -> None:
        """Smaller combinations come first, each in the order of the kinds, none twice."""
        assert ["a", "a b", "a c", "c d", "a b c", "a b d", "a c d", "a b c d"] == together(
            self.CHOICES
        )

    def test_combinations_one_by_one(self) -> None:
        """Of more combinations than anybody could hold the first are had at once."""
        names = tuple(f"k-{number}" for number in range(200))
        many = Choices(lead_id="L-7", kinds=names, needs=dict.fromkeys(names, ((),)))
        found = many.combinations()

        assert [("k-0",), ("k-1",)] == list(islice(found, 2))
        assert ("k-0", "k-1") == next(islice(found, 198, None))

    def test_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no choice."""
        loose: Callable[..., Choices] = Choices
        needs: dict[str, list[tuple[str, ...]]] = {"deal": [()]}
        choices = loose(lead_id="L-7", kinds=("deal",), needs=needs)
        needs["deal"].clear()

        assert choices.allows(["deal"])

    def test_travels(self) -> None:
        """Choices pickle and copy into equal ones."""
        choices = can_convert(BOUND, ADA, rules(Grant("*", "create")))
        again = pickle.loads(pickle.dumps(choices))  # noqa: S301 - our own bytes

        assert choices == again == copy.deepcopy(choices)
        assert hash(choices) == hash(again)


@attrs.frozen
class Asked:
    """Everything that an answer depends on."""

    lead: Lead
    rules: ConversionRules
    actor: Actor
    known: Known

    def in_the_way(self, into: Iterable[str]) -> list[Problem]:
        """What `plan` has against making these kinds that no field remedies."""
        causes = {Cause.LEAD_ACCESS, Cause.ALREADY_CONVERTED, Cause.STAGE, Cause.TARGET_ACCESS}
        planned = plan(self.lead, into, rules=self.rules, actor=self.actor, at=AT, known=self.known)
        return [problem for problem in planned.problems if problem.cause in causes]


@st.composite
def everything(draw: st.DrawFn) -> Asked:
    """Draw rules and a policy, a lead in any stage, and some of the records it is bound to."""
    drawn = draw(st.just(presets.bitrix24()) | testing.conversion_rules())
    convert = Grant("lead", ["read", "update", "convert", "move"])
    make = Grant("*", [Action.CREATE, Action.READ, Action.UPDATE, Action.MERGE])
    policy = draw(testing.policies(drawn))
    some = draw(st.sampled_from([[], [convert], [convert, make]]))
    by = attrs.evolve(
        drawn,
        policy=attrs.evolve(policy, roles=[*policy.roles, Role("more", some)]),
        matching=Matching(enrich=draw(st.booleans())),
        transforms=dict(drawn.transforms),
    )
    stages = [stage.id for stage in by.lead_pipeline.stages]
    lead = draw(testing.leads(by, bound=True) | testing.leads(by, stages=stages, undeclared=False))
    actor = attrs.evolve(draw(testing.actors(by)), id=draw(st.sampled_from(["u-1", "u-2"])))
    there: list[Record] = []
    for ref in wanted(lead, [kind.id for kind in by.kinds], rules=by).refs:
        kind = by.kind(ref.kind)
        if kind is not None and draw(st.sampled_from([True, True, False])):
            owner = (
                {} if kind.owner is None else {kind.owner: draw(st.sampled_from(["u-1", "u-2"]))}
            )
            there.append(kind.build(ref.id, owner))
    return Asked(lead, by, attrs.evolve(actor, roles=[*actor.roles, "more"]), Known(records=there))


class TestAgreesWithPlan:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(everything())
    def test_for_every_combination(self, asked: Asked) -> None:
        """What may be made together is just what a plan has nothing against but fields."""
        choices = can_convert(asked.lead, asked.actor, asked.rules, known=asked.known)
        names = [kind.id for kind in asked.rules.kinds]
        every = chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))
        free = [chosen for chosen in every if not asked.in_the_way(chosen)]

        assert free == [
            chosen
            for size in range(1, len(names) + 1)
            for chosen in combinations(names, size)
            if choices.allows(chosen)
        ]
        assert set(choices.combinations()) <= set(free)
        assert bool(free) == bool(list(choices.combinations()))
        assert bool(free) == bool(choices)
        assert {name for chosen in free for name in chosen} == set(choices.kinds)
        assert bool(choices.problems) == (set(choices.kinds) != set(names))
