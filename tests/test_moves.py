"""Moving records between stages: what may go where, what must be filled, what a move gives."""

import copy
import json
import pickle
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Automation,
    AutomationRule,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Create,
    Deal,
    Decision,
    Event,
    Field,
    FieldMapping,
    FrozenMap,
    GenericRecord,
    Grant,
    Kind,
    Known,
    Lead,
    MovePlan,
    MoveResult,
    Pipeline,
    Policy,
    Record,
    Ref,
    Required,
    Role,
    Stage,
    StageChange,
    Target,
    Update,
    advance,
    convert,
    errors,
    plan,
    plan_move,
    presets,
)
from leadconvert.codec import Codec
from leadconvert.errors import Cause
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-7", roles=["sales"])
BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
LEADS: Final = Pipeline(
    "leads", "lead", ["new", "offer", "talk", Stage("done", "success"), Stage("lost", "failure")]
)
SALES: Final = Pipeline(
    "sales", "deal", ["open", "hot", Stage("won", "success"), Stage("off", "failure")]
)
MAPPINGS: Final = [
    FieldMapping("title", "deal"),
    FieldMapping("title", "company", "name"),
    FieldMapping("last_name", "contact"),
    FieldMapping("company_id", "deal"),
]
MOVES: Final = Grant("*", ["read", "update", "move"])
ON_LEADS: Final = Grant("lead", ["read", "update", "move", "convert"])


@attrs.frozen(kw_only=True)
class Ticket:
    """A class of one's own, with stages and nothing that remembers them."""

    id: str
    revision: str | None = None
    state: str = "asked"
    owner_id: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])
    converted_from: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.state == "closed" and self.owner_id is None:
            raise ValueError("somebody has closed it")


TICKET: Final = Kind("ticket", Ticket, fields=[BACK], owner="owner_id", stage="state")
TICKETS: Final = Pipeline("tickets", "ticket", ["asked", "told", Stage("closed", "success")])
NOTE: Final = Kind("note", fields=[Field("text", "text"), BACK])
PARCEL: Final = Kind("parcel", fields=[Field("state", "text"), BACK], stage="state")
PARCELS: Final = Pipeline("parcels", "parcel", ["packed", Stage("there", "success")])


def rules(
    *,
    leads: Pipeline = LEADS,
    sales: Pipeline = SALES,
    policy: Policy | None = None,
    lead: Kind = LEAD,
    automation: Automation | None = None,
) -> ConversionRules:
    """Rules with kinds of every sort, under which everybody may do everything unless told so."""
    return ConversionRules(
        lead=lead,
        kinds=[CONTACT, COMPANY, DEAL, TICKET, NOTE, PARCEL],
        pipelines=[leads, sales, TICKETS, PARCELS],
        mappings=MAPPINGS,
        policy=policy or Policy.allow_all(),
        automation=automation,
    )


def sales(*grants: Grant) -> Policy:
    """A policy with the one role that Ada has."""
    return Policy([Role("sales", grants)])


EASY: Final = rules()
NEW: Final = Lead(id="L-7", stage="new", title="Engine", revision="3", owner_id="u-7")
OPEN: Final = Deal(id="D-5", pipeline="sales", stage="open", revision="8", title="Engine")
MADE: Final = Conversion(
    id="L-7.1", at=AT, actor_id="u-7", targets=[Ref("deal", "D-5")], rules="9f2c"
)


def looked(record: Record, to: str, into: Iterable[str | Target] = (), **others: Any) -> MovePlan:  # noqa: ANN401
    """The plan of a move of Ada's, under easy rules unless others are given."""
    given: dict[str, Any] = {"rules": EASY, "actor": ADA, "at": AT, **others}
    return plan_move(record, to, into, **given)


def moved(record: Record, to: str, **others: Any) -> MoveResult:  # noqa: ANN401
    """The result of a move of Ada's, which must be allowed."""
    return looked(record, to, **others).result()


def codes(found: MovePlan) -> list[tuple[str | None, str]]:
    """The field and the code of each problem."""
    return [(one.field, one.code) for one in found.problems]


def asked(found: MovePlan) -> list[tuple[int | None, str, str]]:
    """What the form asks for: of which target, which field, and why."""
    return [(one.target, one.field, one.why) for one in found.form]


class TestOneMove:
    def test_of_a_lead(self) -> None:
        """The lead stands in the new stage, and its history says who moved it, when and why."""
        result = moved(NEW, "offer", reason="they rang back")
        step = StageChange(
            from_stage="new", to_stage="offer", at=AT, actor_id="u-7", reason="they rang back"
        )

        assert attrs.evolve(NEW, stage="offer", stage_history=[step]) == result.record
        assert result.record == result.lead
        assert () == result.conversions
        assert () == result.refused

    def test_what_is_written(self) -> None:
        """One update, of just what changed, on the revision it was decided on."""
        changes = moved(NEW, "offer").changes
        step = StageChange(from_stage="new", to_stage="offer", at=AT, actor_id="u-7")

        assert (
            Update(Ref("lead", "L-7"), "3", {"stage": "offer", "stage_history": (step,)}),
        ) == changes.changes
        assert (
            Event(
                name="record.moved",
                ref=Ref("lead", "L-7"),
                at=AT,
                actor_id="u-7",
                params={"from": "new", "to": "offer"},
            ),
        ) == changes.events

    def test_history_grows(self) -> None:
        """A second move is added behind the first."""
        first = moved(NEW, "offer").lead
        second = moved(first, "lost", reason="no budget").lead

        assert [("new", "offer", None), ("offer", "lost", "no budget")] == [
            (one.from_stage, one.to_stage, one.reason) for one in second.stage_history
        ]
        assert {None} == {one.rule for one in second.stage_history}

    def test_of_a_deal(self) -> None:
        """A deal moves within its own pipeline, and to its success without any conversion."""
        result = moved(OPEN, "won", reason="signed")
        step = StageChange(
            from_stage="open", to_stage="won", at=AT, actor_id="u-7", reason="signed"
        )

        assert attrs.evolve(OPEN, stage="won", stage_history=[step]) == result.record
        assert Ref("deal", "D-5") == result.changes.changes[0].ref
        assert [("record.moved", {"from": "open", "to": "won"})] == [
            (one.name, one.params) for one in result.changes.events
        ]

    def test_of_a_kind_of_ones_own(self) -> None:
        """A record that keeps no history is moved all the same."""
        result = moved(Ticket(id="T-1", revision="2"), "told")

        assert Ticket(id="T-1", revision="2", state="told") == result.record
        assert (Update(Ref("ticket", "T-1"), "2", {"state": "told"}),) == result.changes.changes

    def test_of_a_kind_defined_by_fields_alone(self) -> None:
        """The stage of such a record is among its custom fields."""
        parcel = GenericRecord(kind="parcel", id="P-1", custom={"state": "packed"})
        result = moved(parcel, "there")

        assert attrs.evolve(parcel, custom={"state": "there"}) == result.record
        assert {"state": "there"} == changed_by(result)

    def test_a_history_among_the_fields_is_kept(self) -> None:
        """Where such a record has a history, it grows as any other."""
        parcel = GenericRecord(
            kind="parcel", id="P-1", custom={"state": "packed", "stage_history": ()}
        )
        after = moved(parcel, "there").record
        step = StageChange(from_stage="packed", to_stage="there", at=AT, actor_id="u-7")

        assert {"state": "there", "stage_history": (step,)} == after.custom


def changed_by(result: MoveResult) -> Mapping[str, object]:
    """What the one update of a move writes."""
    [change] = result.changes.changes
    assert isinstance(change, Update)
    return change.values


STRICT: Final = Pipeline(
    "leads",
    "lead",
    [
        Stage("new", to=["talk", "lost"]),
        "offer",
        Stage("talk", to=[]),
        Stage("done", "success"),
        Stage("lost", "failure", to=["new"]),
    ],
)
ONWARD: Final = attrs.evolve(LEADS, forward_only=True)


class TestWhichMoves:
    @pytest.mark.parametrize(
        ("leads", "start", "to", "why_not"),
        [
            (LEADS, "new", "offer", None),
            (LEADS, "new", "talk", None),
            (LEADS, "talk", "new", None),
            (LEADS, "new", "lost", None),
            (LEADS, "lost", "new", None),
            (LEADS, "new", "new", "already_there"),
            (LEADS, "lost", "lost", "already_there"),
            (LEADS, "done", "new", "leaves_success"),
            (LEADS, "done", "lost", "leaves_success"),
            (STRICT, "new", "talk", None),
            (STRICT, "new", "offer", "not_listed"),
            (STRICT, "offer", "new", None),
            (STRICT, "talk", "new", "not_listed"),
            (STRICT, "talk", "lost", "not_listed"),
            (STRICT, "lost", "new", None),
            (STRICT, "lost", "talk", "not_listed"),
            (ONWARD, "new", "talk", None),
            (ONWARD, "talk", "new", "backwards"),
            (ONWARD, "talk", "lost", None),
            (ONWARD, "lost", "new", None),
        ],
    )
    def test_of_a_lead(self, leads: Pipeline, start: str, to: str, why_not: str | None) -> None:
        """Any, listed, or forward only: a move is allowed or told with the reason."""
        found = looked(attrs.evolve(NEW, stage=start), to, rules=rules(leads=leads))

        assert ([] if why_not is None else [(None, why_not)]) == codes(found)
        assert (why_not is None) == found.ok
        assert {Cause.STAGE} >= {one.cause for one in found.problems}

    @pytest.mark.parametrize(
        ("start", "to", "why_not"),
        [
            ("open", "hot", None),
            ("hot", "open", None),
            ("open", "won", None),
            ("open", "off", None),
            ("off", "open", None),
            ("off", "won", "in_failure_stage"),
            ("won", "open", "leaves_success"),
            ("hot", "hot", "already_there"),
        ],
    )
    def test_of_a_deal(self, start: str, to: str, why_not: str | None) -> None:
        """From failure straight to success only where that is listed; else as with leads."""
        found = looked(attrs.evolve(OPEN, stage=start), to)

        assert ([] if why_not is None else [(None, why_not)]) == codes(found)

    def test_listed_from_failure_to_success(self) -> None:
        """What a failure stage lists may be a success."""
        leads = attrs.evolve(
            LEADS,
            stages=[*LEADS.stages[:-1], Stage("lost", "failure", to=["done"])],
        )
        found = looked(attrs.evolve(NEW, stage="lost"), "done", ["deal"], rules=rules(leads=leads))

        assert "done" == found.result().lead.stage

    def test_the_class_of_the_refusal(self) -> None:
        """A move that is not allowed is a StageNotAllowedError, which knows what was moved."""
        with pytest.raises(errors.StageNotAllowedError) as caught:
            advance(attrs.evolve(OPEN, stage="won"), "open", rules=EASY, actor=ADA, at=AT)

        assert ("D-5", "deal") == (caught.value.lead_id, caught.value.kind)
        assert str(caught.value).startswith("deal D-5: the deal stands in the success stage 'won'")

    def test_a_stage_nobody_has(self) -> None:
        """An unknown stage is told with those there are, and the likeliest meant."""
        [problem] = looked(NEW, "ofer").problems

        assert "unknown_target_stage" == problem.code
        assert {
            "pipeline": "leads",
            "stages": ("new", "offer", "talk", "done", "lost"),
            "did_you_mean": "offer",
        } == problem.params

    def test_a_stage_of_another_pipeline(self) -> None:
        """A deal knows no stage of the leads."""
        assert [(None, "unknown_target_stage")] == codes(looked(OPEN, "done"))

    def test_a_record_in_a_stage_nobody_has(self) -> None:
        """Where a record stands must be known before it can go anywhere."""
        for to in ("offer", "done"):
            found = looked(attrs.evolve(NEW, stage="nwe"), to, ["deal"] if to == "done" else [])
            [problem] = found.problems
            assert ("unknown_stage", "new") == (problem.code, problem.params["did_you_mean"])

    def test_a_pipeline_nobody_has(self) -> None:
        """A deal of a pipeline that the rules do not have cannot be moved."""
        found = looked(attrs.evolve(OPEN, pipeline="other"), "won")

        assert [("pipeline", "unknown_pipeline")] == codes(found)
        with pytest.raises(errors.StageNotAllowedError):
            found.result()

    def test_of_several_pipelines_its_own(self) -> None:
        """Where a kind has several pipelines, a record moves within the one it stands in."""
        more = [
            attrs.evolve(SALES, default=True),
            Pipeline("service", "deal", ["waits", Stage("served", "success")]),
        ]
        several = attrs.evolve(EASY, pipelines=[LEADS, TICKETS, PARCELS, *more], transforms={})
        waits = Deal(id="D-5", pipeline="service", stage="waits")

        assert "served" == moved(waits, "served", rules=several).changes.events[0].params["to"]
        assert [(None, "unknown_target_stage")] == codes(looked(waits, "won", rules=several))

    def test_a_kind_without_stages(self) -> None:
        """What has no stages cannot be moved, and that is told."""
        found = looked(GenericRecord(kind="note", id="N-1"), "done")

        assert [(None, "no_stages_here")] == codes(found)
        assert "records of kind note have no stages" == found.problems[0].message


FILLED: Final = attrs.evolve(NEW, amount=Decimal(0), comments="rang twice")
NEEDS: Final = attrs.evolve(
    LEADS,
    required=[
        Required("comments"),
        Required(["amount", "source"], since="offer", until="talk"),
        Required("stage_description", failures=True),
    ],
)


class TestRequired:
    @pytest.mark.parametrize(
        ("to", "lacking"),
        [
            ("offer", ["comments", "amount", "source"]),
            ("talk", ["comments", "amount", "source"]),
            ("done", ["comments"]),
            ("lost", ["stage_description"]),
        ],
    )
    def test_by_stage(self, to: str, lacking: list[str]) -> None:
        """Always, in a range of stages, and for failures: all that is missing, with its form."""
        into = ["deal"] if to == "done" else []
        found = looked(NEW, to, into, rules=rules(leads=NEEDS))

        assert [(name, "required_at") for name in lacking] == codes(found)
        assert [(None, name, "required_at") for name in lacking] == asked(found)
        with pytest.raises(errors.MissingFieldsError):
            found.result()

    def test_zero_is_filled_and_blank_is_not(self) -> None:
        """A zero amount fills its field; blank text fills nothing."""
        lead = attrs.evolve(FILLED, source="  ")

        assert [("source", "required_at")] == codes(looked(lead, "offer", rules=rules(leads=NEEDS)))

    def test_what_is_missing_elsewhere_is_not_asked(self) -> None:
        """Only the stage entered counts, not those passed over or left."""
        lead = attrs.evolve(NEW, stage="talk", comments="x")

        assert looked(lead, "new", rules=rules(leads=NEEDS)).ok

    def test_the_form_of_a_field(self) -> None:
        """A form says what to fill, with its type and label, and why."""
        kind = attrs.evolve(
            LEAD, custom=[Field("UF_HEAT", "enumeration", options=["hot"], label="Interest")]
        )
        leads = attrs.evolve(LEADS, required=[Required("UF_HEAT", since="offer")])
        [field] = looked(NEW, "offer", rules=rules(lead=kind, leads=leads)).form

        assert (None, "lead", "UF_HEAT", "Interest", "enumeration", None, "required_at") == (
            field.target,
            field.kind,
            field.field,
            field.label,
            field.type,
            field.value,
            field.why,
        )
        assert ["hot"] == [option.id for option in field.options]

    def test_filled_on_the_way(self) -> None:
        """What is supplied with the move counts, and is written with it."""
        result = moved(
            NEW,
            "offer",
            rules=rules(leads=NEEDS),
            values={"comments": "x", "amount": 5, "source": "WEB"},
        )
        written = {key: one for key, one in changed_by(result).items() if key != "stage_history"}

        assert ("x", Decimal(5), "WEB") == (
            result.lead.comments,
            result.lead.amount,
            result.lead.source,
        )
        assert {
            "stage": "offer",
            "comments": "x",
            "amount": Decimal(5),
            "source": "WEB",
        } == written

    def test_emptied_on_the_way(self) -> None:
        """A value taken away is missing where it is required."""
        found = looked(FILLED, "new", rules=rules(leads=NEEDS), values={"comments": " "})
        back = attrs.evolve(FILLED, stage="talk")

        assert [(None, "already_there")] == codes(found)
        assert [("comments", "required_at")] == codes(
            looked(back, "new", rules=rules(leads=NEEDS), values={"comments": " "})
        )

    def test_of_a_deal_by_its_pipeline(self) -> None:
        """Each pipeline asks for its own."""
        needs = attrs.evolve(SALES, required=[Required("close_date", since="won")])

        assert [("close_date", "required_at")] == codes(
            looked(OPEN, "won", rules=rules(sales=needs))
        )
        assert looked(OPEN, "hot", rules=rules(sales=needs)).ok

    def test_conversion_and_lead_together(self) -> None:
        """Entering success asks for what the lead lacks and what the targets lack, at once."""
        untitled = attrs.evolve(NEW, title=None)
        found = looked(untitled, "done", ["deal"], rules=rules(leads=NEEDS))

        assert [("comments", "required_at"), ("title", "required")] == codes(found)
        assert [(None, "comments", "required_at"), (0, "title", "required")] == asked(found)

    def test_a_value_of_the_lead_reaches_the_target(self) -> None:
        """What is filled on the way into a conversion is there for the mappings."""
        untitled = attrs.evolve(NEW, title=None)
        result = moved(untitled, "done", into=["deal"], values={"title": "Engine"})

        assert ("Engine", "Engine") == (result.lead.title, result.conversion.deal.title)


class TestSupplied:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"colour": "red"}, [("colour", "unknown_field")]),
            ({"stage": "talk"}, [("stage", "reserved_field")]),
            ({"conversions": ()}, [("conversions", "unknown_field")]),
            ({"stage_history": ()}, [("stage_history", "unknown_field")]),
            ({"amount": "much"}, [("amount", "wrong_type")]),
            (
                {"title": 5, "amount": "much", "z": 1},
                [("amount", "wrong_type"), ("title", "wrong_type"), ("z", "unknown_field")],
            ),
        ],
    )
    def test_misfits(self, values: dict[str, object], expected: list[tuple[str, str]]) -> None:
        """Whatever does not fit is told, all of it, in an order that is no dict's."""
        found = looked(NEW, "offer", values=values)

        assert expected == codes(found)
        assert not found.ok
        with pytest.raises(errors.InvalidFieldsError):
            found.result()

    def test_reserved_in_a_deal(self) -> None:
        """Neither pipeline nor origin of a deal is filled by moving it."""
        found = looked(OPEN, "won", values={"pipeline": "x", "converted_from": ["L-1"]})

        assert [("converted_from", "reserved_field"), ("pipeline", "reserved_field")] == codes(
            found
        )

    def test_a_misfit_is_not_told_as_missing_as_well(self) -> None:
        """A required field whose value was refused is one problem, not two."""
        found = looked(NEW, "lost", rules=rules(leads=NEEDS), values={"stage_description": 5})

        assert [("stage_description", "wrong_type")] == codes(found)
        assert [(None, "stage_description", "wrong_type")] == asked(found)

    def test_a_reference(self) -> None:
        """A record supplied must be there, and is written as a ref."""
        there = Known(records=[Company(id="CO-9")])
        values = {"company_id": "CO-9"}

        assert [("company_id", "unknown_record")] == codes(looked(NEW, "offer", values=values))
        assert (
            Ref("company", "CO-9")
            == changed_by(moved(NEW, "offer", values=values, known=there))["company_id"]
        )

    @pytest.mark.parametrize(
        ("action", "expected"),
        [
            (["read", "link"], []),
            (["link"], [("company_id", "unknown_record")]),
            (["read"], [(None, "no_grant")]),
            ([], [("company_id", "unknown_record")]),
        ],
    )
    def test_a_reference_needs_rights(
        self, action: list[str], expected: list[tuple[str | None, str]]
    ) -> None:
        """To point at a record needs its link right; one not to be read is not there."""
        policy = sales(ON_LEADS, *([Grant("company", action)] if action else []))
        found = looked(
            NEW,
            "offer",
            rules=rules(policy=policy),
            values={"company_id": "CO-9"},
            known=Known(records=[Company(id="CO-9")]),
        )

        assert expected == codes(found)

    @pytest.mark.parametrize(
        ("owner", "to", "may_assign", "allowed"),
        [
            ("u-7", "u-9", False, False),
            ("u-7", "u-9", True, True),
            ("u-7", "u-7", False, True),
            ("u-7", None, False, False),
            ("u-7", None, True, True),
            ("u-9", "u-7", False, True),
            (None, "u-9", False, False),
            (None, None, False, True),
        ],
    )
    def test_an_owner(
        self, owner: str | None, to: str | None, may_assign: bool, allowed: bool
    ) -> None:
        """Giving a record to another or to nobody needs its right; to keep or take it does not."""
        policy = sales(ON_LEADS, *([Grant("lead", "assign")] if may_assign else []))
        lead = attrs.evolve(NEW, owner_id=owner)
        found = looked(lead, "offer", rules=rules(policy=policy), values={"owner_id": to})

        assert allowed == found.ok
        if allowed:
            assert to == found.result().lead.owner_id
        else:
            assert [("no_grant", "assign")] == [
                (one.code, one.params["action"]) for one in found.problems
            ]

    def test_a_class_that_refuses(self) -> None:
        """What a class of one's own refuses is a problem like any other, stage and values alike."""
        ticket = Ticket(id="T-1")
        found = looked(ticket, "closed")

        assert [(None, "constructor_failed")] == codes(found)
        assert "ValueError" == found.problems[0].params["error"]
        assert looked(ticket, "closed", values={"owner_id": "u-7"}).ok
        assert looked(ticket, "told").ok

    def test_the_owner_of_a_deal(self) -> None:
        """A deal given away needs the right of deals."""
        policy = sales(MOVES, Grant("lead", "assign"))
        found = looked(OPEN, "won", rules=rules(policy=policy), values={"owner_id": "u-9"})

        assert [("deal", "assign")] == [(one.kind, one.params["action"]) for one in found.problems]


SECRET: Final = attrs.evolve(LEAD, custom=[Field("UF_MARGIN", "money", sensitive=True)])
SECRET_LEADS: Final = attrs.evolve(LEADS, required=[Required("UF_MARGIN", since="offer")])


class TestSensitive:
    @pytest.mark.parametrize(
        ("rights", "expected", "form"),
        [
            ([], [], []),
            (["read"], [("UF_MARGIN", "required_of_others")], []),
            (
                ["read", "update"],
                [("UF_MARGIN", "required_at")],
                [(None, "UF_MARGIN", "required_at")],
            ),
        ],
    )
    def test_demanded_of_those_who_see(
        self,
        rights: list[str],
        expected: list[tuple[str, str]],
        form: list[tuple[int | None, str, str]],
    ) -> None:
        """What an actor cannot see is not demanded, what they cannot fill is not in the form."""
        grants = [Grant("lead", rights, fields="UF_MARGIN")] if rights else []
        easy = rules(lead=SECRET, leads=SECRET_LEADS, policy=sales(ON_LEADS, *grants))

        for to in ("offer", "done"):
            found = looked(NEW, to, rules=easy)
            of_lead = [one for one in codes(found) if one[1] != "nothing_open"]
            assert expected == of_lead
            assert form == asked(found)

    @pytest.mark.parametrize(
        ("rights", "code"), [([], "unknown_field"), (["read"], "not_editable")]
    )
    def test_not_filled_by_others(self, rights: list[str], code: str) -> None:
        """Who may not fill a field cannot supply it; who may not see it is told it is unknown."""
        grants = [Grant("lead", rights, fields="UF_MARGIN")] if rights else []
        easy = rules(lead=SECRET, policy=sales(ON_LEADS, *grants))
        found = looked(NEW, "offer", rules=easy, values={"UF_MARGIN": 5})

        assert [("UF_MARGIN", code)] == codes(found)
        assert () == found.form

    def test_unknown_hints_at_no_secret(self) -> None:
        """A slip of a hidden name is told without the name."""
        easy = rules(lead=SECRET, policy=sales(ON_LEADS))
        found = looked(NEW, "offer", rules=easy, values={"UF_MARGI": 5})

        assert "UF_MARGIN" not in repr(found.problems)


class TestDenied:
    @pytest.mark.parametrize("lacking", ["read", "update", "move"])
    def test_tells_only_that(self, lacking: str) -> None:
        """Whoever may not do one of the three learns which, and nothing else."""
        may = [one for one in ("read", "update", "move") if one != lacking]
        policy = sales(Grant("lead", may))
        found = looked(
            attrs.evolve(NEW, stage="done", conversions=[MADE]),
            "no stage",
            ["deal"],
            rules=rules(leads=NEEDS, policy=policy),
            values={"amount": "much"},
        )

        assert [("lead", lacking)] == [(one.kind, one.params["action"]) for one in found.problems]
        assert () == found.form
        with pytest.raises(errors.AccessDeniedError):
            found.result()

    @pytest.mark.parametrize("to", ["offer", "done"])
    @pytest.mark.parametrize(
        ("values", "action"),
        [({"owner_id": "u-9"}, "assign"), ({"company_id": "CO-9"}, "link")],
    )
    def test_a_supplied_value_that_is_denied(
        self, to: str, values: dict[str, object], action: str
    ) -> None:
        """Who may not give the lead away, or not link, learns that alone, through either door."""
        policy = sales(ON_LEADS, Grant("company", "read"), Grant("deal", "create"))
        found = looked(
            NEW,
            to,
            ["deal"],
            rules=rules(leads=NEEDS, policy=policy),
            values={**values, "amount": "much"},
            known=Known(records=[Company(id="CO-9")]),
        )

        assert [(Cause.LEAD_ACCESS, action)] == [
            (one.cause, one.params["action"]) for one in found.problems
        ]
        assert () == found.form

    def test_of_a_deal(self) -> None:
        """The rights asked for are those on the record that is moved."""
        found = looked(OPEN, "won", rules=rules(policy=sales(ON_LEADS)))

        assert [("deal", "read"), ("deal", "update"), ("deal", "move")] == [
            (one.kind, one.params["action"]) for one in found.problems
        ]
        with pytest.raises(errors.AccessDeniedError) as caught:
            found.result()
        assert ("D-5", "deal") == (caught.value.lead_id, caught.value.kind)

    def test_a_stage_the_role_does_not_list(self) -> None:
        """A role may list the stages to move to."""
        policy = sales(Grant("lead", ["read", "update"]), Grant("lead", "move", to=["talk"]))
        easy = rules(policy=policy)

        assert looked(NEW, "talk", rules=easy).ok
        assert [(None, "stage_not_listed")] == codes(looked(NEW, "offer", rules=easy))

    def test_judged_as_it_is_stored(self) -> None:
        """The owner a lead is given with the move does not count for the right to move it."""
        grants = [Grant("lead", ["read", "update", "move"], "own"), Grant("lead", "assign")]
        easy = rules(policy=sales(*grants))
        theirs = attrs.evolve(NEW, owner_id="u-9")

        assert looked(NEW, "offer", rules=easy, values={"owner_id": "u-9"}).ok
        assert ["out_of_scope"] * 3 == [
            one.code
            for one in looked(theirs, "offer", rules=easy, values={"owner_id": "u-7"}).problems
        ]

    def test_required_access(self) -> None:
        """The plan lists every question it asked, even behind a denial."""
        found = looked(NEW, "offer", rules=rules(policy=Policy()))
        about: dict[str, Any] = {
            "kind": "lead",
            "id": "L-7",
            "owner_id": "u-7",
            "pipeline": "leads",
        }

        assert (
            AccessRequest(action="read", stage="new", **about),
            AccessRequest(action="update", stage="new", **about),
            AccessRequest(action="move", stage="new", to_stage="offer", **about),
        ) == found.required_access

    def test_decisions_made_before(self) -> None:
        """With the decisions of a remote engine nothing else decides, and all is asked at once."""
        first = looked(NEW, "offer", rules=rules(policy=Policy()), known=Known(decisions=[]))
        yes = [
            Decision(actor_id="u-7", request=one, allowed=True, code="granted")
            for one in first.required_access
        ]
        second = looked(NEW, "offer", rules=rules(policy=Policy()), known=Known(decisions=yes))

        assert ["not_answered"] * 3 == [one.code for one in first.problems]
        assert 3 == len(first.required_access)
        assert () == second.required_access
        assert "offer" == second.result().lead.stage

    def test_an_authorizer_of_ones_own(self) -> None:
        """An authorizer decides in place of the policy."""
        strict = rules(policy=Policy())

        assert looked(NEW, "offer", rules=strict, authorizer=Policy.allow_all()).ok
        assert not looked(NEW, "offer", authorizer=Policy()).ok


class TestConverted:
    @pytest.mark.parametrize("to", ["offer", "lost"])
    def test_converted_and_in_success(self, to: str) -> None:
        """A converted lead is reopened, not moved."""
        lead = attrs.evolve(NEW, stage="done", conversions=[MADE])

        assert [(None, "leaves_success")] == codes(looked(lead, to))

    @pytest.mark.parametrize("into", [[], ["deal"]])
    def test_converted_again(self, into: list[str]) -> None:
        """Entering success once more is refused with what the lead became."""
        lead = attrs.evolve(NEW, stage="done", conversions=[MADE])
        found = looked(lead, "done", into)
        first = found.problems[0]

        assert ("converted", ("deal D-5",)) == (first.code, first.params["became"])
        with pytest.raises(errors.AlreadyConvertedError):
            found.result()

    def test_arrived_in_success(self) -> None:
        """A lead that was converted elsewhere counts as converted, record or not."""
        lead = attrs.evolve(NEW, stage="done")

        assert [(None, "in_success_stage")] == codes(looked(lead, "done", ["deal"]))
        assert [(None, "leaves_success")] == codes(looked(lead, "new"))

    @pytest.mark.parametrize(
        ("to", "others"),
        [
            ("done", []),
            ("offer", []),
            ("lost", []),
            ("new", ["already_there"]),
            ("no stage", ["unknown_target_stage"]),
        ],
    )
    def test_stage_and_record_disagree(self, to: str, others: list[str]) -> None:
        """Converted by record, yet not by stage: that is told, and never converted twice."""
        lead = attrs.evolve(NEW, conversions=[MADE])
        found = looked(lead, to, ["deal"] if to == "done" else [])
        first = found.problems[0]

        assert ["stage_disagrees", *others] == [one.code for one in found.problems]
        assert (("deal D-5",), "new", "done") == (
            first.params["became"],
            first.params["stage"],
            first.params["success"],
        )
        with pytest.raises(errors.AlreadyConvertedError):
            found.result()

    def test_a_conversion_that_did_not_close(self) -> None:
        """A lead left open by its conversions moves on, and may be closed."""
        lead = attrs.evolve(NEW, conversions=[attrs.evolve(MADE, closing=False)])

        assert "offer" == moved(lead, "offer").lead.stage
        before = Known(records=[Deal(id="D-5", title="Engine", stage="open")])
        closed = moved(lead, "done", into=["deal"], known=before).conversion
        assert ("L-7.2", "D-5") == (closed.conversion.id, closed.deal.id)


class TestEnteringSuccess:
    def test_without_targets(self) -> None:
        """It is refused with the combinations there are."""
        with pytest.raises(errors.TargetsRequiredError) as caught:
            advance(NEW, "done", rules=EASY, actor=ADA, at=AT)
        [problem] = caught.value.problems

        assert "no_targets" == problem.code
        assert ("company", "contact", "deal", "note", "parcel", "ticket") == problem.params["kinds"]

    def test_without_targets_only_what_this_actor_may(self) -> None:
        """The combinations are those of this actor."""
        policy = sales(ON_LEADS, Grant("contact", "create"), Grant("deal", "create"))
        found = looked(NEW, "done", rules=rules(policy=policy))
        [problem] = found.problems

        assert (("contact",), ("deal",), ("contact", "deal")) == problem.params["combinations"]
        assert found.conversion is not None
        assert found.conversion.choices is not None
        assert ("contact", "deal") == found.conversion.choices.kinds

    def test_without_targets_and_nothing_open(self) -> None:
        """Who may make nothing is told so."""
        found = looked(NEW, "done", rules=rules(policy=sales(ON_LEADS)))

        assert [(None, "nothing_open")] == codes(found)

    def test_with_targets_it_is_a_conversion(self) -> None:
        """It gives exactly what convert gives: result, lead, changes, key and all."""
        into: list[str | Target] = [
            "contact",
            Create("deal", values={"amount": 5, "currency": "EUR"}),
        ]
        lead = attrs.evolve(NEW, last_name="Lovelace", custom={"UF_X": "blue"})
        asked_for: dict[str, Any] = {
            "rules": EASY,
            "actor": ADA,
            "at": AT,
            "known": Known(records=[Contact(id="C-1")]),
            "carry": {"UF_X": {}},
            "values": {"source": "WEB"},
            "reason": "signed",
        }
        result = advance(lead, "done", into, **asked_for)
        converted = convert(lead, into, **asked_for)

        assert (converted,) == result.conversions
        assert converted == result.conversion
        assert converted.lead == result.record
        assert converted.changes == result.changes
        assert () == result.refused
        assert "signed" == result.lead.stage_history[0].reason

    def test_the_plan_is_that_of_the_conversion(self) -> None:
        """Problems, form and access of the move are those of the plan of the conversion."""
        policy = sales(ON_LEADS, Grant("deal", "create"))
        needy = rules(policy=policy, leads=NEEDS)
        found = looked(NEW, "done", ["deal", "dael", "company"], rules=needy)
        planned = plan(NEW, ["deal", "dael", "company"], rules=needy, actor=ADA, at=AT)

        assert planned == found.conversion
        assert (planned.problems, planned.form, planned.required_access) == (
            found.problems,
            found.form,
            found.required_access,
        )
        assert NEW == found.record

    def test_a_key_of_the_callers(self) -> None:
        """The caller's key is the key, through either door."""
        assert "mine" == moved(NEW, "done", into=["deal"], key="mine").changes.key
        assert "mine" == moved(NEW, "offer", key="mine").changes.key

    def test_targets_on_another_move(self) -> None:
        """Targets belong to the success stage alone."""
        for record, to in ((NEW, "offer"), (OPEN, "won")):
            found = looked(record, to, ["deal"])
            [problem] = found.problems
            assert ("no_conversion_there", "done", to) == (
                problem.code,
                problem.params["success"],
                problem.params["to"],
            )
            with pytest.raises(errors.StageNotAllowedError):
                found.result()

    def test_other_moves_are_no_conversion(self) -> None:
        """The plan of an ordinary move holds no other plan."""
        assert looked(NEW, "offer").conversion is None

    def test_the_success_of_a_deal_is_none(self) -> None:
        """A stage of another kind that has the name of the leads' success converts nothing."""
        named = Pipeline("sales", "deal", ["open", Stage("done", "success")])
        result = moved(OPEN, "done", rules=rules(sales=named))

        assert () == result.conversions


class TestKeys:
    def test_same_request_same_key(self) -> None:
        """Who moves it, when, why and of which revision makes no other request of it."""
        other = attrs.evolve(NEW, revision="4")
        first = moved(NEW, "offer", values={"title": "x", "source": "y"}).changes
        again = moved(
            other,
            "offer",
            values={"source": "y", "title": "x"},
            actor=Actor("u-9"),
            at=datetime(2028, 1, 1, tzinfo=UTC),
            reason="because",
        ).changes

        assert (first.key, first.fingerprint) == (again.key, again.fingerprint)

    def test_another_request(self) -> None:
        """Another stage, value, record or kind makes another fingerprint."""
        found = [
            moved(NEW, "offer"),
            moved(NEW, "talk"),
            moved(NEW, "offer", values={"title": "x"}),
            moved(NEW, "offer", values={"title": "y"}),
            moved(attrs.evolve(NEW, id="L-8"), "offer"),
            moved(attrs.evolve(OPEN, id="L-7"), "hot"),
            moved(NEW, "done", into=["deal"]),
        ]

        assert 7 == len({one.changes.fingerprint for one in found})
        assert 7 == len({one.changes.key for one in found})

    def test_one_id_and_stage_in_two_kinds(self) -> None:
        """A lead and a deal of one id may move to stages of one name."""
        named = Pipeline("sales", "deal", ["open", "offer"])
        deal = moved(attrs.evolve(OPEN, id="L-7"), "offer", rules=rules(sales=named))

        assert moved(NEW, "offer").changes.key != deal.changes.key

    @pytest.mark.parametrize(
        ("record", "there"),
        [(NEW, "offer"), (OPEN, "hot")],
        ids=["lead", "deal"],
    )
    def test_done_again_after_moving_back(self, record: Lead | Deal, there: str) -> None:
        """The same move later is another one, which no store may take for a retry."""
        here = str(record.stage)
        first = moved(record, there)
        back = moved(first.record, here)
        again = moved(back.record, there)

        assert first.changes.fingerprint == again.changes.fingerprint
        assert 3 == len({one.changes.key for one in (first, back, again)})

    def test_done_again_without_a_history(self) -> None:
        """Of a record that keeps no history the revision tells one move from the next."""
        first = moved(Ticket(id="T-1", revision="1"), "told")
        again = moved(Ticket(id="T-1", revision="3"), "told")
        retried = moved(Ticket(id="T-1", revision="1"), "told")

        assert first.changes.key != again.changes.key
        assert first.changes == retried.changes
        assert first.changes.fingerprint == again.changes.fingerprint

    def test_done_again_by_fields_alone(self) -> None:
        """A history among the custom fields counts as any other."""
        parcel = GenericRecord(
            kind="parcel", id="P-1", custom={"state": "packed", "stage_history": ()}
        )
        first = moved(parcel, "there")
        later = attrs.evolve(
            parcel,
            custom={"state": "packed", "stage_history": first.record.custom["stage_history"]},
        )

        assert first.changes.key != moved(later, "there").changes.key

    def test_one_history_for_both_doors(self) -> None:
        """A conversion after a move has another key than one before it."""
        later = moved(moved(NEW, "offer").lead, "new").lead

        assert (
            moved(NEW, "done", into=["deal"]).changes.key
            != moved(later, "done", into=["deal"]).changes.key
        )


ROBOT: Final = Automation(
    Actor("robot"),
    [
        AutomationRule("first", ["deal"], on="offer", closing=False),
        AutomationRule("second", ["company"], on="offer", closing=False),
    ],
)
ROBOTIC: Final = rules(automation=ROBOT)
POWERLESS: Final = rules(policy=sales(MOVES), automation=ROBOT)
PACKED: Final = GenericRecord(kind="parcel", id="P-1", custom={"state": "packed"})


class TestValues:
    def test_repr(self) -> None:
        """What is shown says what was moved and what went wrong, and no values."""
        assert "<MovePlan for lead L-7: ok>" == repr(looked(NEW, "offer"))
        assert "<MovePlan for deal D-5: already_there>" == repr(looked(OPEN, "open"))
        assert "<MoveResult of lead L-7>" == repr(moved(NEW, "offer"))
        assert (
            "<MoveResult of lead L-7, <ConversionResult of lead L-7: created deal L-7.1.deal.1>>"
        ) == repr(moved(NEW, "done", into=["deal"]))

    def test_lead_of_another_record(self) -> None:
        """A result that moved a deal has no lead to give."""
        with pytest.raises(LookupError, match="a Deal was moved, not a lead"):
            _ = moved(OPEN, "won").lead

    def test_conversion_where_there_is_none(self) -> None:
        """The one conversion is there only if there is one."""
        with pytest.raises(LookupError, match="there are 0 conversions"):
            _ = moved(NEW, "offer").conversion
        with pytest.raises(LookupError, match="there are 2 conversions"):
            _ = moved(NEW, "offer", rules=ROBOTIC).conversion

    @pytest.mark.parametrize(
        ("record", "to", "into", "others"),
        [
            pytest.param(NEW, "offer", (), {"values": {"amount": 5}}, id="moved"),
            pytest.param(NEW, "offer", (), {"rules": rules(leads=NEEDS)}, id="form"),
            pytest.param(NEW, "done", (), {}, id="no targets"),
            pytest.param(NEW, "done", ("deal", "company"), {}, id="converted"),
            pytest.param(OPEN, "won", (), {}, id="deal"),
            pytest.param(OPEN, "nowhere", (), {}, id="deal refused"),
            pytest.param(Ticket(id="T-1"), "told", (), {}, id="class of one's own"),
            pytest.param(PACKED, "there", (), {}, id="fields alone"),
            pytest.param(NEW, "offer", (), {"rules": ROBOTIC}, id="rules acted"),
            pytest.param(NEW, "offer", (), {"rules": POWERLESS}, id="rules refused"),
        ],
    )
    def test_plain(
        self, record: Record, to: str, into: tuple[str, ...], others: dict[str, Any]
    ) -> None:
        """Plans, results and errors of moves survive pickle, copy and JSON."""
        codec, found = Codec(EASY), looked(record, to, into, **others)

        assert found == pickle.loads(pickle.dumps(found))  # noqa: S301 - our own
        assert found == copy.deepcopy(found)
        assert found == codec.from_data(json.loads(json.dumps(codec.to_data(found))), MovePlan)
        if found.moved is not None:
            data = json.loads(json.dumps(codec.to_data(found.moved)))
            assert found.moved == codec.from_data(data, MoveResult)
        else:
            with pytest.raises(errors.ConversionError) as caught:
                found.result()
            data = json.loads(json.dumps(codec.to_data(caught.value)))
            assert caught.value == codec.from_data(data, errors.ConversionError)

    def test_inputs_unchanged(self) -> None:
        """Nothing handed over is changed, and nothing keeps hold of it."""
        tags = ["vip"]
        values: dict[str, object] = {"tags": tags}
        found = looked(NEW, "offer", values=values)
        tags.append("late")

        assert {"tags": ["vip", "late"]} == values
        assert ("vip",) == found.result().lead.tags


class TestMisuse:
    def test_a_naive_moment(self) -> None:
        """A moment says its time zone, whatever else is wrong."""
        naive = datetime(2027, 1, 31)  # noqa: DTZ001 - what is refused
        for record, to in ((NEW, "offer"), (NEW, "nowhere"), (NEW, "done"), (OPEN, "open")):
            with pytest.raises(ValueError, match="time zone"):
                looked(record, to, at=naive)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"rules": presets.bitrix24}, "rules is a ConversionRules, not a Bitrix24"),
            ({"known": [OPEN]}, "known is a Known, not a list"),
            ({"actor": "u-7"}, "actor is an Actor, not a str"),
            ({"record": "L-7"}, "the rules have no kind of a str"),
            ({"into": "deal"}, r"write \[...\] around it"),
            ({"values": {"no such field": {1, 2}}}, "a set is no plain value"),
        ],
        ids=["rules", "known", "actor", "record", "into", "values"],
    )
    def test_a_value_of_another_class(self, wrong: dict[str, Any], told: str) -> None:
        """What is handed over in place of something else is named, through either door."""
        right: dict[str, Any] = {"record": NEW, "rules": EASY, "actor": ADA, "at": AT}
        for to in ("offer", "done"):
            with pytest.raises(TypeError, match=told):
                plan_move(to=to, **{**right, **wrong})

    def test_a_record_of_no_kind(self) -> None:
        """A record of a kind that the rules do not have is refused."""
        with pytest.raises(TypeError, match="no kind of a GenericRecord"):
            looked(GenericRecord(kind="letter", id="X"), "done")

    def test_advance_is_the_result_of_the_plan(self) -> None:
        """Both handles give one answer, be it a result or a refusal."""
        given: dict[str, Any] = {"rules": EASY, "actor": ADA, "at": AT, "values": {"title": "x"}}

        assert plan_move(NEW, "offer", **given).result() == advance(NEW, "offer", **given)
        with pytest.raises(errors.StageNotAllowedError) as caught:
            advance(NEW, "new", **given)
        assert plan_move(NEW, "new", **given).problems == caught.value.problems
