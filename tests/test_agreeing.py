"""Do the targets go together: with each other, and with what stands open already."""

from collections.abc import Iterable

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Decision,
    Field,
    GenericRecord,
    Kind,
    Lead,
    Limit,
    Pipeline,
    Policy,
    Record,
    Ref,
    Stage,
)
from leadconvert.agreeing import already_open, disagreements
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import COMPANY, CONTACT, DEAL
from leadconvert.linking import Links, there
from leadconvert.rights import Rights
from leadconvert.settling import Settled


BACK = Field("converted_from", "reference", to="lead", multiple=True)
VISIT = Kind(
    "visit",
    fields=[
        Field("company_id", "reference", to="company"),
        Field("contact_id", "reference", to="contact"),
        Field("lead_id", "reference", to="lead"),
        Field("deal_ids", "reference", to="deal", multiple=True),
        Field("parent_id", "reference", to="visit"),
        Field("shop_id", "reference", to="shop"),
        BACK,
    ],
)
RULES = ConversionRules(
    kinds=[CONTACT, COMPANY, DEAL, VISIT],
    pipelines=[
        Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
        Pipeline("sales", "deal", ["open", Stage("won", "success"), Stage("lost", "failure")]),
    ],
    policy=Policy.allow_all(),
)
DEAL_REF = Ref("deal", "D-1", provisional=True)
VISIT_REF = Ref("visit", "V-1", provisional=True)


@attrs.frozen
class Blind:
    """An engine that lets nobody read one record, and permits everything else."""

    to: str

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Permit everything else."""
        allowed = request.action is not Action.READ or request.id != self.to
        return Decision(actor_id=actor.id, request=request, allowed=allowed, code="denied")


def links(*known: Record, rules: ConversionRules = RULES, blind_to: str = "") -> Links:
    """What is there, for an actor who may read all of it but one record."""
    rights = Rights(actor=Actor("u-1"), authorizer=Blind(blind_to), rules=rules)
    return Links(rights=rights, there=there(rules, known))


def visit(**values: object) -> GenericRecord:
    """A record of a kind that is defined by fields alone."""
    return GenericRecord(kind="visit", id="V-1", custom=values)


def told(found: Iterable[tuple[Problem, bool]]) -> list[tuple[int | None, object, object, object]]:
    """Each disagreement: of which target, its own, by whom, and theirs."""
    return [
        (one.target, one.params["one"], one.params["via"], one.params["two"]) for one, _ in found
    ]


class TestDisagreements:
    def test_of_each_target(self) -> None:
        """Every target is looked at, with everybody it points at, in the order asked for."""
        records: dict[Ref, Record] = {
            VISIT_REF: visit(company_id="CO-1", contact_id="C-1", deal_ids=["D-1", "D-2"]),
            DEAL_REF: Deal(id="D-1", company_id="CO-2", contact_ids=["C-1", "C-2", "C-3"]),
        }
        known = links(
            Contact(id="C-1", company_id="CO-3"),
            Contact(id="C-2"),
            Contact(id="C-3", company_id="CO-2"),
            Deal(id="D-2", company_id="CO-4"),
        )

        assert [
            (0, "CO-1", "contact", "CO-3"),
            (0, "CO-1", "deal", "CO-2"),
            (0, "CO-1", "deal", "CO-4"),
            (1, "CO-2", "contact", "CO-3"),
        ] == told(disagreements(RULES, {1: DEAL_REF, 0: VISIT_REF}, records, known))

    def test_the_problem(self) -> None:
        """It is about the target, and names both records and whom they come by."""
        records = {DEAL_REF: Deal(id="D-1", company_id="CO-2", contact_ids=["C-1"])}
        known = links(Contact(id="C-1", company_id="CO-3"))
        [(problem, seen)] = disagreements(RULES, {3: DEAL_REF}, records, known)

        assert (
            Problem(
                cause=Cause.INVALID_TARGET,
                code="clients_disagree",
                target=3,
                kind="deal",
                params={"other": "company", "one": "CO-2", "via": "contact", "two": "CO-3"},
            )
            == problem
        )
        assert seen

    @pytest.mark.parametrize(
        ("own", "theirs"),
        [
            ({}, {}),
            ({"company_id": "CO-1"}, {}),
            ({}, {"company_id": "CO-1"}),
            ({"company_id": "CO-1"}, {"company_id": "CO-1"}),
            ({"company_id": " "}, {"company_id": "CO-1"}),
        ],
    )
    def test_what_agrees(self, own: dict[str, str], theirs: dict[str, str]) -> None:
        """Who points at nobody, or at the same, agrees."""
        records = {VISIT_REF: visit(contact_id="C-1", **own)}
        known = links(Contact(id="C-1", **theirs))  # type: ignore[arg-type]  # as the cases have it

        assert [] == told(disagreements(RULES, {0: VISIT_REF}, records, known))

    @pytest.mark.parametrize(
        "values",
        [
            {"company_id": "CO-1", "lead_id": "L-1"},
            {"company_id": "CO-1", "shop_id": "S-1"},
            {"company_id": "CO-1", "contact_id": "C-404"},
            {"company_id": "CO-1", "parent_id": "V-2", "deal_ids": ["D-3"]},
            {"parent_id": "V-2"},
        ],
    )
    def test_who_is_no_client(self, values: dict[str, object]) -> None:
        """A lead, a record of a kind nobody described or nobody loaded, and one above it."""
        known = links(
            Lead(id="L-1", stage="NEW", company_id="CO-2"),
            Company(id="CO-1"),
            Deal(id="D-3", company_id="CO-1"),
            GenericRecord(kind="visit", id="V-2", custom={"parent_id": "V-3"}),
        )

        assert [] == told(disagreements(RULES, {0: VISIT_REF}, {VISIT_REF: visit(**values)}, known))

    def test_what_is_not_to_be_read(self) -> None:
        """A client the actor may not read says nothing."""
        records = {DEAL_REF: Deal(id="D-1", company_id="CO-2", contact_ids=["C-1"])}
        contact = Contact(id="C-1", company_id="CO-3")

        assert 1 == len(told(disagreements(RULES, {0: DEAL_REF}, records, links(contact))))
        assert [] == told(
            disagreements(RULES, {0: DEAL_REF}, records, links(contact, blind_to="C-1"))
        )

    def test_as_they_will_be(self) -> None:
        """A client that is a target itself counts as it will be, not as it was."""
        contact, moved = Contact(id="C-1", company_id="CO-3"), Contact(id="C-1", company_id="CO-2")
        deal = Deal(id="D-1", company_id="CO-2", contact_ids=["C-1"])
        refs = {0: Ref("contact", "C-1"), 1: DEAL_REF}
        records = {refs[0]: moved, DEAL_REF: deal}

        assert [] == told(disagreements(RULES, refs, records, links(contact)))

    def test_what_stood_like_that(self) -> None:
        """Two that disagreed before in just that way are not told; in another way they are."""
        ref = Ref("deal", "D-1")
        old = Deal(id="D-1", company_id="CO-2", contact_ids=["C-1"])
        contact = Contact(id="C-1", company_id="CO-3")
        now = attrs.evolve(old, company_id="CO-4")

        assert [] == told(disagreements(RULES, {0: ref}, {ref: old}, links(old, contact)))
        assert [(0, "CO-4", "contact", "CO-3")] == told(
            disagreements(RULES, {0: ref}, {ref: now}, links(old, contact))
        )

    @pytest.mark.parametrize(
        ("hidden", "expected"),
        [
            (set(), True),
            ({("deal", "title"), ("contact", "last_name")}, True),
            ({("deal", "company_id")}, False),
            ({("contact", "company_id")}, False),
        ],
    )
    def test_who_sees_it(self, hidden: set[tuple[str, str]], expected: bool) -> None:
        """It is seen by whoever sees the fields on both sides."""
        records = {DEAL_REF: Deal(id="D-1", company_id="CO-2", contact_ids=["C-1"])}
        found = disagreements(
            RULES,
            {0: DEAL_REF},
            records,
            links(Contact(id="C-1", company_id="CO-3")),
            lambda ref, field: (ref.kind, field) not in hidden,
        )

        assert [expected] == [seen for _, seen in found]

    def test_a_target_that_was_not_built(self) -> None:
        """What is wrong with a target otherwise leaves nothing to compare."""
        assert [] == told(disagreements(RULES, {0: DEAL_REF, 1: Ref("shop", "S")}, {}, links()))


class TestAlreadyOpen:
    LIMITED = attrs.evolve(RULES, limits=[Limit("deal", "no_open"), Limit("contact", "never")])
    NEW = Deal(id="D-1", stage="open", company_id="CO-1", contact_ids=["C-1", "C-2"])

    def found(
        self, *known: Record, action: str = "create", rules: ConversionRules | None = None
    ) -> list[Problem]:
        """What is open already of the clients of the new deal, or of a linked one."""
        by = self.LIMITED if rules is None else rules
        settled = {4: Settled(ref=DEAL_REF, action=action)}
        return list(already_open(by, settled, {DEAL_REF: self.NEW}, links(*known, rules=by)))

    def test_the_problem(self) -> None:
        """It names the sort of client and the record that is open."""
        assert [
            Problem(
                cause=Cause.INVALID_TARGET,
                code="has_open",
                target=4,
                kind="deal",
                params={"client": "contact", "id": "D-9"},
            )
        ] == self.found(Deal(id="D-9", stage="open", contact_ids=["C-2"]))

    @pytest.mark.parametrize(
        "known",
        [
            Deal(id="D-9", stage="won", company_id="CO-1"),
            Deal(id="D-9", stage="lost", company_id="CO-1"),
            Deal(id="D-9", stage="no such stage", company_id="CO-1"),
            Deal(id="D-9", company_id="CO-1"),
            Deal(id="D-9", stage="open", company_id="CO-2"),
            Deal(id="D-9", stage="open"),
            Company(id="CO-1"),
        ],
    )
    def test_what_does_not_count(self, known: Record) -> None:
        """A deal that is closed, or of somebody else, does not stand in the way."""
        assert [] == self.found(known)

    def test_one_is_enough(self) -> None:
        """Of several that are open one is told."""
        assert 1 == len(
            self.found(*(Deal(id=id_, stage="open", company_id="CO-1") for id_ in ("D-8", "D-9")))
        )

    @pytest.mark.parametrize("action", ["link", "merge"])
    def test_a_deal_that_exists(self, action: str) -> None:
        """What is chosen is no new record, however many are open."""
        known = Deal(id="D-9", stage="open", company_id="CO-1")

        assert [] == self.found(known, action=action)

    def test_other_kinds(self) -> None:
        """Kinds without that limit are not looked at."""
        assert [] == self.found(Deal(id="D-9", stage="open", company_id="CO-1"), rules=RULES)

    def test_one_that_may_not_be_read(self) -> None:
        """An open deal the actor may not read is not told of."""
        known = links(
            Deal(id="D-9", stage="open", company_id="CO-1"), rules=self.LIMITED, blind_to="D-9"
        )
        settled = {0: Settled(ref=DEAL_REF, action="create")}

        assert [] == list(already_open(self.LIMITED, settled, {DEAL_REF: self.NEW}, known))

    def test_what_was_not_built(self) -> None:
        """A target with other problems, or of no kind of the rules, is passed over."""
        settled = {
            0: Settled(ref=DEAL_REF, action="create"),
            1: Settled(ref=Ref("shop", "S"), action="create"),
        }

        assert [] == list(already_open(self.LIMITED, settled, {}, links(rules=self.LIMITED)))

    def test_the_lead_is_no_deal(self) -> None:
        """Records of other kinds with the same stage and client do not count."""
        assert [] == self.found(Lead(id="L-1", stage="open", company_id="CO-1"))
