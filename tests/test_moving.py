"""One step to a stage: what stands in its way, what is asked of whom, and what it writes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Action,
    Actor,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Field,
    FrozenMap,
    GenericRecord,
    Grant,
    Kind,
    Lead,
    Pipeline,
    Policy,
    Record,
    Required,
    Role,
    Stage,
    StageChange,
)
from leadconvert.errors import Cause
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.linking import Links, there
from leadconvert.moving import MOVING, Step, pipeline_of
from leadconvert.rights import Rights


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Project:
    """A record class of a user's own, which refuses some of its values."""

    id: str
    revision: str | None = None
    phase: str | None = None
    budget: int | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        if self.phase == "built" and self.budget is None:
            raise LookupError(self.id)
        if self.budget is not None and self.budget < 0:
            raise ArithmeticError(self.budget)


BACK = Field("converted_from", "reference", to="lead", multiple=True)
#: Records without a class, an owner or a field for their pipeline.
TICKET = Kind(
    "ticket",
    fields=[Field("state", "text"), Field("text", "text"), BACK],
    stage="state",
)
PROJECT = Kind("project", Project, custom=[], fields=[BACK], stage="phase")
BARGAIN = attrs.evolve(
    DEAL,
    custom=[
        Field("margin", "money", sensitive=True),
        Field("heat", "enumeration", options=["cold", "hot"]),
        Field("code", "text", max_length=3),
        Field("flag", "boolean"),
    ],
)
LEADS = Pipeline("leads", "lead", ["NEW", Stage("DONE", "success"), Stage("JUNK", "failure")])
SALES = Pipeline(
    "sales",
    "deal",
    ["open", "offer", Stage("lost", "failure"), Stage("won", "success")],
)
TICKETS = Pipeline("tickets", "ticket", ["asked", Stage("solved", "success")])
PROJECTS = Pipeline("projects", "project", ["drawn", Stage("built", "success")])
DEAL_5 = Deal(id="D-5", pipeline="sales", stage="open", owner_id="u-7")


def rules(
    *required: Required,
    sales: Pipeline = SALES,
    others: Iterable[Pipeline] = (),
    policy: Policy | None = None,
) -> ConversionRules:
    """Rules in which deals need what is *required*, and everybody may do everything."""
    return ConversionRules(
        lead=LEAD,
        kinds=[CONTACT, COMPANY, BARGAIN, TICKET, PROJECT],
        pipelines=[LEADS, TICKETS, PROJECTS, attrs.evolve(sales, required=required), *others],
        policy=policy or Policy.allow_all(),
    )


def granted(*grants: Grant) -> Policy:
    """What lets a seller do what is granted."""
    return Policy([Role("seller", grants)])


def step(  # noqa: PLR0913 - what a step depends on
    record: Record,
    to: str,
    values: Mapping[str, object] | None = None,
    *,
    by: ConversionRules | None = None,
    known: Iterable[Record] = (),
    goes: bool = True,
    asks: tuple[Action, ...] = (),
) -> Step:
    """The step of a seller, taken."""
    by = rules() if by is None else by
    kind = by.kind_of(record)
    assert kind is not None
    rights = Rights.of(Actor("u-7", roles=["seller"]), by, None, None)
    taken = Step(
        kind=kind,
        pipeline=pipeline_of(by, kind, record),
        record=record,
        to=to,
        values=values or {},
        links=Links(rights=rights, there=there(by, [record, *known])),
        goes=goes,
        asks=asks,
    )
    taken.take()
    return taken


def told(taken: Step) -> list[str]:
    """What stands in the way, in words."""
    return [str(problem) for problem in taken.problems]


def codes(taken: Step) -> list[tuple[str | None, str]]:
    """What stands in the way, by field."""
    return [(problem.field, problem.code) for problem in taken.problems]


def asked(taken: Step) -> list[str]:
    """The fields that the form asks for."""
    return [field.field for field in taken.form]


class TestGoing:
    def test_nothing_in_the_way(self) -> None:
        """A step that is right has no problems, asks for nothing and fills nothing."""
        taken = step(DEAL_5, "won")
        assert ([], [], {}) == (taken.problems, taken.form, taken.accepted)

    @pytest.mark.parametrize(
        ("start", "to", "sales", "expected"),
        [
            ("open", "open", SALES, "the deal stands in 'open' already (there is nothing to do)"),
            (
                "won",
                "open",
                SALES,
                "the deal stands in the success stage 'won' (reopen it instead of moving it)",
            ),
            (
                "lost",
                "won",
                SALES,
                (
                    "the deal stands in the failure stage 'lost'"
                    " (move it back to a stage in process first)"
                ),
            ),
            (
                "offer",
                "open",
                attrs.evolve(SALES, forward_only=True),
                (
                    "pipeline 'sales' moves forward only, not from 'offer' back to 'open'"
                    " (list the move in the stage, or leave it)"
                ),
            ),
            (
                "open",
                "won",
                attrs.evolve(
                    SALES,
                    stages=[Stage("open", to=["offer"]), "offer", Stage("won", "success")],
                ),
                (
                    "no move of a deal from 'open' to 'won' is listed"
                    " (choose one that is, or add it to the list)"
                ),
            ),
            (
                "opne",
                "won",
                SALES,
                (
                    "the deal stands in 'opne', which pipeline 'sales' does not have,"
                    " did you mean 'open'? (correct the stage, or add it to the rules)"
                ),
            ),
            (
                "open",
                "wno",
                SALES,
                (
                    "pipeline 'sales' has no stage as given, did you mean 'won'?"
                    " (choose among open, offer, lost, won)"
                ),
            ),
        ],
    )
    def test_what_forbids_a_move(self, start: str, to: str, sales: Pipeline, expected: str) -> None:
        """What the pipeline forbids is told in words that fit the record, and asks for nothing."""
        taken = step(attrs.evolve(DEAL_5, stage=start), to, by=rules(sales=sales))
        assert [expected] == told(taken)
        assert [(Cause.STAGE, "deal", None)] == [
            (one.cause, one.kind, one.target) for one in taken.problems
        ]
        assert [] == taken.form

    def test_the_facts(self) -> None:
        """Whoever tells it in another language knows from where, to where, and what is listed."""
        stages = [Stage("open", to=["offer", "lost"]), *SALES.stages[1:]]
        taken = step(DEAL_5, "won", by=rules(sales=attrs.evolve(SALES, stages=stages)))
        assert {
            "stage": "open",
            "to": "won",
            "pipeline": "sales",
            "listed": ("offer", "lost"),
        } == dict(taken.problems[0].params)

    def test_no_stages(self) -> None:
        """A record of a kind without stages goes nowhere."""
        assert ["records of kind contact have no stages (move something else)"] == told(
            step(Contact(id="C-3"), "won")
        )

    @pytest.mark.parametrize(
        ("named", "hint"), [("slaes", ", did you mean 'sales'?"), ("zzz", ""), (None, "")]
    )
    def test_no_pipeline(self, named: str | None, hint: str) -> None:
        """A record in no pipeline of its kind is told those that there are; no form can help."""
        more = Pipeline("more", "deal", ["a"], default=True)
        taken = step(attrs.evolve(DEAL_5, pipeline=named), "won", by=rules(others=[more]))
        assert [f"deal has no pipeline as given{hint} (choose among more, sales)"] == told(taken)
        assert [] == taken.form

    def test_only_to_be_filled(self) -> None:
        """A record that stays where it is needs no move, and nothing of another stage."""
        by = rules(Required("amount", since="won"), sales=attrs.evolve(SALES, forward_only=True))
        taken = step(DEAL_5, "won", {"title": "Engine"}, by=by, goes=False)
        assert ([], {"title": "Engine"}) == (taken.problems, taken.accepted)
        lost = attrs.evolve(DEAL_5, stage="lost")
        assert [(None, "in_failure_stage")] == codes(step(lost, "won", goes=False))
        assert [(None, "unknown_stage")] == codes(
            step(attrs.evolve(DEAL_5, stage="zzz"), "won", goes=False)
        )


class TestRequired:
    NEEDS = (
        Required(["amount", "close_date"], since="won"),
        Required(["code", "flag"], since="offer"),
        Required("comments", failures=True),
    )

    def test_what_the_stage_asks_for(self) -> None:
        """A record lacks what its new stage requires; the form asks for just that, in order."""
        taken = step(DEAL_5, "won", by=rules(*self.NEEDS))
        assert [
            "deal needs Amount to stand in 'won' (supply it in values=)",
            "deal needs Close date to stand in 'won' (supply it in values=)",
            "deal needs Code to stand in 'won' (supply it in values=)",
            "deal needs Flag to stand in 'won' (supply it in values=)",
        ] == told(taken)
        assert {Cause.MISSING} == {problem.cause for problem in taken.problems}
        assert ["amount", "close_date", "code", "flag"] == asked(taken)
        assert {("deal", None, "required_at")} == {
            (field.kind, field.target, field.why) for field in taken.form
        }

    @pytest.mark.parametrize(
        ("to", "expected"),
        [("offer", ["code", "flag"]), ("lost", ["comments"])],
    )
    def test_each_stage_asks_for_its_own(self, to: str, expected: list[str]) -> None:
        """Another stage requires something else."""
        assert expected == asked(step(DEAL_5, to, by=rules(*self.NEEDS)))

    def test_what_is_filled(self) -> None:
        """What the record holds counts, and so does what is supplied; zero and False are values."""
        deal = attrs.evolve(DEAL_5, close_date=date(2027, 1, 31), custom={"flag": False})
        taken = step(deal, "won", {"amount": 0, "code": "A"}, by=rules(*self.NEEDS))
        assert [] == taken.problems
        assert {"amount": Decimal(0), "code": "A"} == taken.accepted

    def test_what_is_emptied(self) -> None:
        """What is emptied on the way is missing."""
        deal = attrs.evolve(DEAL_5, amount=5, close_date=AT.date())
        values = {"amount": None, "close_date": "  "}
        taken = step(deal, "won", values, by=rules(self.NEEDS[0]))
        assert [("amount", "required_at"), ("close_date", "required_at")] == codes(taken)
        assert [None, None] == [field.value for field in taken.form]

    def test_a_value_that_was_refused(self) -> None:
        """A field whose value was refused is one problem, not two."""
        taken = step(DEAL_5, "won", {"amount": "much"}, by=rules(self.NEEDS[0]))
        assert [("amount", "wrong_type"), ("close_date", "required_at")] == codes(taken)

    @pytest.mark.parametrize(
        ("grants", "expected"),
        [
            ([], []),
            (
                [Grant("deal", "read", fields="margin")],
                ["deal needs Margin, which u-7 may not fill (let somebody fill it who may)"],
            ),
            (
                [Grant("deal", ["read", "update"], fields="margin")],
                ["deal needs Margin to stand in 'won' (supply it in values=)"],
            ),
        ],
    )
    def test_a_field_not_everybody_sees(self, grants: list[Grant], expected: list[str]) -> None:
        """What the actor cannot see is not demanded; what is not theirs is asked of others."""
        by = rules(Required("margin", since="won"), policy=granted(*grants))
        taken = step(DEAL_5, "won", by=by)
        assert expected == told(taken)
        fills = any(Action.UPDATE in grant.actions for grant in grants)
        assert (["margin"] if fills else []) == asked(taken)


class TestFilling:
    def test_brought_into_form(self) -> None:
        """Values are brought into the form their field has; what is blank empties it."""
        values = {
            "amount": 5,
            "tags": "vip",
            "comments": " ",
            "heat": "hot",
            "flag": False,
        }
        taken = step(attrs.evolve(DEAL_5, comments="old"), "won", values)
        assert [] == taken.problems
        assert {
            "amount": Decimal(5),
            "comments": None,
            "flag": False,
            "heat": "hot",
            "tags": ("vip",),
        } == taken.accepted
        lead = Lead(id="L-7", stage="NEW")
        filled = step(lead, "JUNK", {"emails": ["ada@example.com"]})
        assert {"emails": (Channel("ada@example.com"),)} == filled.accepted

    def test_all_that_is_wrong_at_once(self) -> None:
        """Every value that cannot be is told, by name, then what the stage is about."""
        values = {
            "titel": "Engine",
            "stage": "won",
            "pipeline": "sales",
            "converted_from": ["L-1"],
            "heat": "warm",
            "code": "ABCD",
            "comments": ["a", "b"],
            "amount": Decimal("NaN"),
        }
        taken = step(DEAL_5, "open", values)
        assert [
            ("amount", "not_finite"),
            ("code", "too_long"),
            ("comments", "several_values"),
            ("converted_from", "reserved_field"),
            ("heat", "unknown_option"),
            ("pipeline", "reserved_field"),
            ("stage", "reserved_field"),
            ("titel", "unknown_field"),
            (None, "already_there"),
        ] == codes(taken)
        assert (
            "deal has no field 'titel', did you mean 'title'?"
            " (correct the name, or add the field to the kind)"
        ) == told(taken)[-2]
        assert {} == taken.accepted

    def test_the_form_asks_for_what_can_be_answered(self) -> None:
        """What nobody fills by hand is in no form; a field stands there once."""
        values = {
            "stage": "won",
            "pipeline": "sales",
            "converted_from": ["L-1"],
            "titel": "Engine",
            "contact_ids": ["C-1", "C-2"],
            "amount": "much",
        }
        deal = attrs.evolve(DEAL_5, amount=5)
        taken = step(deal, "won", values)
        assert 2 == codes(taken).count(("contact_ids", "unknown_record"))
        assert ["amount", "contact_ids"] == asked(taken)
        amount, contacts = taken.form
        assert (Decimal(5), "wrong_type", "Amount") == (amount.value, amount.why, amount.label)
        assert (("C-1", "C-2"), "unknown_record") == (contacts.value, contacts.why)

    @pytest.mark.parametrize(
        ("grants", "code", "accepted"),
        [
            ([], "unknown_field", {}),
            ([Grant("deal", "read", fields="margin")], "not_editable", {}),
            ([Grant("deal", ["read", "update"], fields="*")], None, {"margin": Decimal(5)}),
        ],
    )
    def test_a_field_not_everybody_fills(
        self, grants: list[Grant], code: str | None, accepted: dict[str, object]
    ) -> None:
        """A hidden field is as good as none, a locked one is not theirs, and neither is asked."""
        taken = step(DEAL_5, "won", {"margin": 5}, by=rules(policy=granted(*grants)))
        assert ([] if code is None else [("margin", code)]) == codes(taken)
        assert accepted == taken.accepted
        assert [] == taken.form

    def test_a_hidden_field_is_in_no_guess(self) -> None:
        """A name nearly that of a hidden field is not told which it is."""
        taken = step(DEAL_5, "won", {"margn": 5}, by=rules(policy=granted()))
        assert [
            "deal has no field 'margn' (correct the name, or add the field to the kind)"
        ] == told(taken)

    def test_a_kind_without_a_class(self) -> None:
        """Records that are data alone are filled and moved like any other."""
        ticket = GenericRecord(kind="ticket", id="T-1", custom={"state": "asked"})
        taken = step(ticket, "solved", {"text": "Why?"})
        assert [] == taken.problems
        assert {"text": "Why?", "state": "solved"} == taken.written(AT, "u-7")


class TestOwnClasses:
    DRAWN = Project(id="P-1", phase="drawn")

    def test_values_it_accepts(self) -> None:
        """A record of a class of one's own is filled and moved."""
        taken = step(self.DRAWN, "built", {"budget": 5})
        assert ([], {"budget": 5}) == (taken.problems, taken.accepted)

    @pytest.mark.parametrize(
        ("values", "error"), [({}, "LookupError"), ({"budget": -1}, "ArithmeticError")]
    )
    def test_values_it_refuses(self, values: dict[str, object], error: str) -> None:
        """What the class refuses, its new stage included, is a problem and raises nothing."""
        taken = step(self.DRAWN, "built", values)
        assert [
            f"the class of kind project refused its values ({error}) (supply values it accepts)"
        ] == told(taken)
        assert Cause.INVALID is taken.problems[0].cause

    def test_where_it_stays(self) -> None:
        """A record that is only filled need not be fit for another stage."""
        assert [] == step(self.DRAWN, "built", goes=False).problems
        wrong = step(self.DRAWN, "built", {"budget": -1}, goes=False)
        assert [(None, "constructor_failed")] == codes(wrong)

    def test_beside_other_problems(self) -> None:
        """Of what is wrong already the class is not asked, and what is supplied is not missing."""
        needs = attrs.evolve(PROJECTS, required=[Required(["budget"])])
        by = attrs.evolve(
            rules(),
            pipelines=[LEADS, TICKETS, SALES, needs],
            transforms={},
        )
        assert [("zzz", "unknown_field")] == codes(
            step(self.DRAWN, "built", {"budget": -1, "zzz": 1}, by=by)
        )


class TestLinks:
    COMPANY_9 = Company(id="CO-9", owner_id="u-1")

    @pytest.mark.parametrize(
        ("grants", "expected"),
        [
            ([Grant("company", ["read", "link"])], []),
            (
                [Grant("company", "read")],
                [
                    (
                        "u-7 may not link company: no role of theirs permits it"
                        " (ask for a role that may, or leave it out)"
                    )
                ],
            ),
            (
                [Grant("company", "link")],
                [
                    (
                        "deal.company_id points at a company that was not handed over in known="
                        " (load what wanted() lists, or point at another record)"
                    )
                ],
            ),
        ],
    )
    def test_records_that_exist(self, grants: list[Grant], expected: list[str]) -> None:
        """A link needs the right to it; what cannot be read is as good as not there."""
        by = rules(policy=granted(*grants))
        taken = step(DEAL_5, "won", {"company_id": "CO-9"}, by=by, known=[self.COMPANY_9])
        assert expected == told(taken)
        absent = step(DEAL_5, "won", {"company_id": "CO-9"}, by=by)
        assert [("company_id", "unknown_record")] == codes(absent)

    def test_links_that_are_there_already(self) -> None:
        """What a record points at already is no matter of the move."""
        deal = attrs.evolve(DEAL_5, company_id="CO-9", contact_ids=["C-3"])
        assert [] == step(deal, "won", by=rules(policy=granted())).problems


class TestGivingAway:
    @pytest.mark.parametrize(
        ("before", "values", "asks"),
        [
            ("u-7", {"owner_id": "u-8"}, True),
            ("u-8", {"owner_id": "u-9"}, True),
            (None, {"owner_id": "u-8"}, True),
            ("u-7", {"owner_id": None}, True),
            ("u-8", {"owner_id": " "}, True),
            ("u-8", {"owner_id": "u-7"}, False),
            ("u-8", {"owner_id": "u-8"}, False),
            (None, {"owner_id": None}, False),
            ("u-8", {"title": "Engine"}, False),
            ("u-8", {}, False),
            ("u-8", {"owner_id": 5}, False),
        ],
    )
    def test_to_another_owner(
        self, before: str | None, values: dict[str, object], asks: bool
    ) -> None:
        """To give a record to another, or to nobody, needs a right; to take it does not."""
        deal = attrs.evolve(DEAL_5, owner_id=before)
        denied = step(deal, "won", values, by=rules(policy=granted()))
        denial = (
            "u-7 may not assign deal: no role of theirs permits it"
            " (ask for a role that may, or leave it out)"
        )
        assert asks is (denial in told(denied))
        allowed = step(deal, "won", values, by=rules(policy=granted(Grant("deal", "assign"))))
        assert denial not in told(allowed)

    def test_a_kind_without_owners(self) -> None:
        """Where nobody owns records nothing is given away."""
        ticket = GenericRecord(kind="ticket", id="T-1", custom={"state": "asked", "None": "x"})
        assert [] == step(ticket, "solved", by=rules(policy=granted())).problems


class TestAccess:
    EVERY = ("read", "update", "move")

    def test_with_every_right(self) -> None:
        """Whoever may read, update and move a record may take the step."""
        by = rules(policy=granted(Grant("deal", self.EVERY)))
        assert [] == step(DEAL_5, "won", by=by, asks=MOVING).problems

    @pytest.mark.parametrize("missing", EVERY)
    def test_without_one(self, missing: str) -> None:
        """Whoever lacks a right learns that alone, whatever else is wrong, and gets no form."""
        rights = [action for action in self.EVERY if action != missing]
        by = rules(Required("amount"), policy=granted(Grant("deal", rights)))
        taken = step(DEAL_5, "wno", {"titel": 1, "heat": "warm"}, by=by, asks=MOVING)
        assert [
            (
                f"u-7 may not {missing} deal: no role of theirs permits it"
                " (ask for a role that may, or leave it out)"
            )
        ] == told(taken)
        assert [Cause.LEAD_ACCESS] == [problem.cause for problem in taken.problems]
        assert [] == taken.form

    def test_without_any(self) -> None:
        """Every right that is lacking is told, in order."""
        taken = step(DEAL_5, "won", by=rules(policy=granted()), asks=MOVING)
        assert ["read", "update", "move"] == [one.params["action"] for one in taken.problems]

    def test_where_to(self) -> None:
        """A right to move may be one to certain stages alone."""
        may = [Grant("deal", ["read", "update"]), Grant("deal", "move", to=["offer"])]
        by = rules(policy=granted(*may))
        assert [] == step(DEAL_5, "offer", by=by, asks=MOVING).problems
        assert [(None, "stage_not_listed")] == codes(step(DEAL_5, "won", by=by, asks=MOVING))

    def test_as_it_is_stored(self) -> None:
        """The rights are asked on the record as it stands, not as it is filled."""
        own = granted(Grant("deal", ["read", "update", "move", "assign"], "own", stage="open"))
        taken = step(DEAL_5, "won", {"owner_id": "u-8"}, by=rules(policy=own), asks=MOVING)
        assert [] == taken.problems
        requests = [
            (str(one.action), one.id, one.owner_id, one.stage, one.to_stage)
            for one in taken.links.rights.open_questions
            if one.field is None
        ]
        assert [
            ("assign", "D-5", "u-7", "open", None),
            ("read", "D-5", "u-7", "open", None),
            ("update", "D-5", "u-7", "open", None),
            ("move", "D-5", "u-7", "open", "won"),
        ] == requests

    def test_nothing_asked(self) -> None:
        """Where somebody else has asked, a step asks no rights on the record again."""
        assert [] == step(DEAL_5, "won", by=rules(policy=granted()), asks=()).problems


class TestWritten:
    def test_history(self) -> None:
        """A move writes what is filled, the stage, and one more step of the history."""
        first = StageChange(to_stage="open", at=AT)
        deal = attrs.evolve(DEAL_5, stage_history=[first])
        taken = step(deal, "won", {"title": "Engine"})
        moved = StageChange(
            from_stage="open", to_stage="won", at=AT, actor_id="u-7", reason="signed", rule="r"
        )
        assert {
            "title": "Engine",
            "stage": "won",
            "stage_history": (first, moved),
        } == taken.written(AT, "u-7", "signed", "r")

    def test_no_reason_and_no_rule(self) -> None:
        """Reason and rule are None where there is none."""
        moved = StageChange(from_stage="NEW", to_stage="JUNK", at=AT, actor_id="u-7")
        taken = step(Lead(id="L-7", stage="NEW"), "JUNK")
        assert {"stage": "JUNK", "stage_history": (moved,)} == taken.written(AT, "u-7")

    def test_a_class_without_history(self) -> None:
        """A record that keeps no history gets none."""
        taken = step(Project(id="P-1", phase="drawn", budget=5), "built")
        assert {"phase": "built"} == taken.written(AT, "u-7", "done")


class TestPipelineOf:
    MORE = Pipeline("more", "deal", ["a"], default=True)

    @pytest.mark.parametrize(
        ("record", "expected"),
        [
            (Lead(id="L-7", stage="NEW"), "leads"),
            (Lead(id="L-7", stage="zzz"), "leads"),
            (DEAL_5, "sales"),
            (attrs.evolve(DEAL_5, pipeline="more"), "more"),
            (attrs.evolve(DEAL_5, pipeline="zzz"), None),
            (attrs.evolve(DEAL_5, pipeline="leads"), None),
            (attrs.evolve(DEAL_5, pipeline=None), None),
            (GenericRecord(kind="ticket", id="T-1"), "tickets"),
            (Contact(id="C-3"), None),
        ],
        ids=str,
    )
    def test_where_a_record_stands(self, record: Record, expected: str | None) -> None:
        """A record stands in the pipeline it names, or in the only one of its kind."""
        by = rules(others=[self.MORE])
        kind = by.kind_of(record)
        assert kind is not None
        found = pipeline_of(by, kind, record)
        assert expected == (None if found is None else found.id)
