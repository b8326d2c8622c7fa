"""Leads that arrive, with rules and without leads; going over to the mode without leads."""

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    AllOf,
    Automation,
    AutomationRule,
    Change,
    Channel,
    Contact,
    Conversion,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Event,
    Field,
    Grant,
    Insert,
    Known,
    Lead,
    MoveResult,
    Pipeline,
    Policy,
    Ref,
    Rejected,
    Required,
    Role,
    Stage,
    StageChange,
    Update,
    Where,
    WithoutLeads,
    arrive,
    convert_unfinished,
    errors,
    presets,
    testing,
)
from leadconvert.codec import Codec


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ROBOT: Final = Actor("robot", roles=["robot"])
BITRIX: Final = presets.bitrix24()
NEW: Final = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace", created_by_id="u-7")
LEAD: Final = Ref("lead", "L-7", provisional=True)
MADE: Final = Conversion(
    id="L-7.1", at=AT, actor_id="u-7", targets=[Ref("deal", "D-5")], rules="9f2c"
)


def rules(*acting: AutomationRule, **others: Any) -> ConversionRules:  # noqa: ANN401
    """The preset, in which these automation rules act as the robot."""
    automation = Automation(ROBOT, acting, without_leads=others.pop("without_leads", None))
    return attrs.evolve(BITRIX, automation=automation, transforms={}, **others)


def arrived(lead: Lead, *acting: AutomationRule, **others: Any) -> MoveResult:  # noqa: ANN401
    """What becomes of a lead that arrives where these rules act."""
    return arrive(lead, rules=rules(*acting, **others), at=AT)


def rule(
    id: str,  # noqa: A002
    into: Iterable[str | Create] = (),
    **others: Any,  # noqa: ANN401
) -> AutomationRule:
    """A rule that waits for arrivals and leaves the lead open, unless told otherwise."""
    given_: dict[str, Any] = {"closing": False, **others}
    return AutomationRule(id, into, **given_)


def acted(result: MoveResult) -> list[str | None]:
    """The rules that converted, in the order in which they did."""
    return [one.conversion.rule for one in result.conversions]


def why(result: MoveResult) -> list[tuple[str, list[str]]]:
    """Which rules were refused, for which reasons."""
    return [(one.rule, [problem.code for problem in one.error.problems]) for one in result.refused]


def written(change: Change) -> Mapping[str, object]:
    """The values that an insert or an update writes."""
    assert isinstance(change, Insert | Update)
    return change.values


class TestArrival:
    def test_without_automation(self) -> None:
        """A lead that nothing acts on is made as it is: its filled fields, in one insert."""
        result = arrive(NEW, rules=BITRIX, at=AT)

        assert (NEW, (), ()) == (result.lead, result.conversions, result.refused)
        assert (
            Insert(
                LEAD,
                {
                    "stage": "NEW",
                    "title": "Engine",
                    "last_name": "Lovelace",
                    "created_by_id": "u-7",
                },
            ),
        ) == result.changes.changes
        assert (
            Event(name="record.created", ref=LEAD, at=AT, actor_id="u-7"),
        ) == result.changes.events

    def test_nobody_knows_who_made_it(self) -> None:
        """A lead whose author nobody knows is made by nobody."""
        lead = attrs.evolve(NEW, created_by_id=None)

        assert [None] == [one.actor_id for one in arrived(lead).changes.events]

    def test_nothing_of_it_is_lost(self) -> None:
        """All is written as it arrived, blank or not: custom fields nobody declared, the past."""
        step = StageChange(to_stage="NEW", at=AT)
        lead = Lead(
            id="L-7",
            stage="CONVERTED",
            comments="  ",
            amount=Decimal("0.00"),
            opened=False,
            contact_ids=["C-3"],
            company_id="CO-9",
            emails=[Channel("ada@example.com")],
            custom={"UF_X": "blue", "UF_NONE": None},
            stage_history=[step],
            conversions=[MADE],
        )
        [change] = arrived(lead).changes.changes

        assert {
            "stage": "CONVERTED",
            "comments": "  ",
            "amount": Decimal(0),
            "opened": False,
            "contact_ids": (Ref("contact", "C-3"),),
            "company_id": Ref("company", "CO-9"),
            "emails": (Channel("ada@example.com"),),
            "UF_X": "blue",
            "UF_NONE": None,
            "stage_history": (step,),
            "conversions": (MADE,),
        } == written(change)

    def test_a_blank_id_points_at_nothing(self) -> None:
        """Where an id is blank there is no record, so nothing points at one."""
        lead = attrs.evolve(NEW, contact_ids=["", "C-3", " "], company_id=" ")
        [change] = arrived(lead).changes.changes

        assert (Ref("contact", "C-3"),) == written(change)["contact_ids"]
        assert "company_id" not in written(change)

    def test_rules_on_arrival_then_those_of_the_stage(self) -> None:
        """First act the rules for arrivals, then those of the stage in which it arrives."""
        result = arrived(
            NEW,
            rule("c", ["contact"], on="NEW"),
            rule("d", ["deal"], on="IN_PROCESS"),
            rule("a", ["deal"]),
            rule("b", ["company"]),
        )

        assert ["a", "b", "c"] == acted(result)
        assert "NEW" == result.lead.stage
        assert () == result.lead.stage_history

    def test_its_stage_has_its_turn_once_it_was_moved_on(self) -> None:
        """A rule on arrival that moves the lead on leaves the stage left without a turn."""
        result = arrived(
            NEW,
            rule("here", ["deal"], on="NEW"),
            rule("on arrival", to="IN_PROCESS"),
            rule("late", ["deal"]),
            rule("there", ["contact"], on="IN_PROCESS"),
        )

        assert ["there"] == acted(result)
        assert ["IN_PROCESS"] == [one.to_stage for one in result.lead.stage_history]

    def test_moved_to_where_it_arrives(self) -> None:
        """A rule that would move the lead to where it stands has nothing to do, or refuse."""
        result = arrived(NEW, rule("a", to="NEW"), rule("b", ["deal"], to="NEW"))

        assert (["b"], []) == (acted(result), why(result))
        assert () == result.lead.stage_history

    def test_closed_on_arrival(self) -> None:
        """A closing rule closes the lead, and its history says so."""
        result = arrived(NEW, rule("a", ["deal"], closing=True), rule("b", ["contact"], on="NEW"))

        assert ["a"] == acted(result)
        assert [("NEW", "CONVERTED", "robot", "a")] == [
            (one.from_stage, one.to_stage, one.actor_id, one.rule)
            for one in result.lead.stage_history
        ]

    def test_in_success(self) -> None:
        """A lead that arrives in success counts as converted elsewhere: nothing acts."""
        lead = attrs.evolve(NEW, stage="CONVERTED")
        for mode in (None, WithoutLeads()):
            result = arrived(lead, rule("a", ["deal"]), without_leads=mode)
            assert (lead, (), ()) == (result.lead, result.conversions, result.refused)
            assert [Insert] == [type(one) for one in result.changes.changes]

    def test_in_failure(self) -> None:
        """A lead that arrives in failure is not converted, and that is told, not raised."""
        lead = attrs.evolve(NEW, stage="JUNK")

        assert [("a", ["in_failure_stage"])] == why(
            arrived(lead, rule("a", ["deal"], closing=True))
        )
        assert [("mode without leads", ["in_failure_stage"])] == why(
            arrived(lead, without_leads=WithoutLeads())
        )
        assert "NEW" == arrived(lead, rule("a", to="NEW")).lead.stage

    def test_in_no_known_stage(self) -> None:
        """A lead in a stage nobody has is made as it is, and the reason is told."""
        lead = attrs.evolve(NEW, stage="nwe")
        for result in (
            arrived(lead, rule("a", ["deal"])),
            arrived(lead, without_leads=WithoutLeads()),
        ):
            assert [["unknown_stage"]] == [codes for _, codes in why(result)]
            assert lead == result.lead
            assert "nwe" == written(result.changes.changes[0])["stage"]

    def test_converted_by_record(self) -> None:
        """A lead that brings a conversion of its own is not converted again."""
        lead = attrs.evolve(NEW, conversions=[MADE])

        assert () == arrived(lead, rule("a", ["deal"])).conversions
        assert () == arrived(lead, without_leads=WithoutLeads()).conversions

    def test_refused(self) -> None:
        """What is refused is in the result; the lead is stored all the same."""
        lead = attrs.evolve(NEW, title=None)
        result = arrived(lead, rule("a", ["deal"]), rule("b", ["contact"]))

        assert [("a", ["required"])] == why(result)
        assert ["b"] == acted(result)
        assert LEAD == result.changes.changes[0].ref

    def test_conditions(self) -> None:
        """Rules on arrival have conditions as any other."""
        wants = AllOf([Where("title", "contains", "Eng"), Where("FACE_ID", "empty")])

        assert ["a"] == acted(arrived(NEW, rule("a", ["deal"], when=wants)))
        seen = attrs.evolve(NEW, custom={"FACE_ID": "5"})
        assert [] == acted(arrived(seen, rule("a", ["deal"], when=wants)))

    def test_key(self) -> None:
        """The key is the caller's, or stands for the lead that arrives."""
        first = arrived(NEW).changes
        other = arrived(attrs.evolve(NEW, title="Oil")).changes

        assert (first.key, first.fingerprint) == (arrived(NEW).changes.key, first.fingerprint)
        assert f"L-7/arrival/{first.fingerprint}" == first.key
        assert first.key != other.key
        assert "mine" == arrive(NEW, rules=BITRIX, at=AT, key="mine").changes.key

    def test_decided_by_an_authorizer(self) -> None:
        """Whoever decides about access decides about the robot."""
        acting = rules(rule("a", ["deal"]))
        result = arrive(NEW, rules=acting, at=AT, authorizer=Policy())

        assert [("a", ["no_grant"] * 3)] == why(result)

    def test_known(self) -> None:
        """What the store knows is there for the rules."""
        lead = attrs.evolve(NEW, contact_ids=["C-3"])
        acting = rules(rule("a", ["deal"]))
        there = Known(records=[Contact(id="C-3", last_name="Lovelace")])

        assert [("a", ["unknown_record"])] == why(arrive(lead, rules=acting, at=AT))
        result = arrive(lead, rules=acting, at=AT, known=there)
        assert ("C-3",) == result.conversion.deal.contact_ids


class TestChanges:
    def test_the_lead_first_and_everything_points_at_it(self) -> None:
        """The lead is made first; every ref to it is its provisional one, in values and events."""
        result = arrived(NEW, rule("a", ["contact", "deal"], to="IN_PROCESS"))
        contact = Ref("contact", "L-7.1.contact.1", provisional=True)
        deal = Ref("deal", "L-7.1.deal.1", provisional=True)
        first, second, third, last = result.changes.changes

        assert [LEAD, contact, deal, LEAD] == [one.ref for one in (first, second, third, last)]
        assert isinstance(last, Update)
        assert last.revision is None
        assert (LEAD,) == written(second)["converted_from"]
        assert (LEAD,) == written(third)["converted_from"]
        assert (contact,) == written(third)["contact_ids"]
        assert {"stage", "stage_history", "conversions"} == last.values.keys()
        assert [
            ("record.created", LEAD, "u-7", {}),
            ("record.created", contact, "robot", {"lead": LEAD}),
            ("record.created", deal, "robot", {"lead": LEAD}),
            (
                "lead.converted",
                LEAD,
                "robot",
                {
                    "conversion": "L-7.1",
                    "targets": (contact, deal),
                    "closing": False,
                    "supplement": False,
                    "rule": "a",
                    "close_activities": True,
                },
            ),
            ("record.moved", LEAD, "robot", {"from": "NEW", "to": "IN_PROCESS"}),
        ] == [(one.name, one.ref, one.actor_id, one.params) for one in result.changes.events]

    def test_a_move_alone(self) -> None:
        """A lead that a rule moves on arrival is made where it arrived, then moved."""
        first, last = arrived(NEW, rule("a", to="JUNK")).changes.changes

        assert ("NEW", "JUNK") == (written(first)["stage"], written(last)["stage"])

    def test_each_conversion_has_the_whole(self) -> None:
        """Every conversion of an arrival has all its changes."""
        result = arrived(NEW, rule("a", ["deal"]), rule("b", ["contact"]))

        assert [result.changes] * 2 == [one.changes for one in result.conversions]

    def test_plain(self) -> None:
        """Arrivals survive pickle and JSON."""
        result = arrived(NEW, rule("a", ["deal"], to="IN_PROCESS"), rule("b", ["company"]))
        codec = Codec(BITRIX)
        data = json.loads(json.dumps(codec.to_data(result)))

        assert result == pickle.loads(pickle.dumps(result))  # noqa: S301 - our own
        assert result == codec.from_data(data, MoveResult)


class TestWithoutLeads:
    def test_deal_and_contact(self) -> None:
        """Every lead becomes a deal and a contact, and is closed; the mode is the rule that did."""
        result = arrived(NEW, without_leads=WithoutLeads())
        contact, deal = result.conversion.contact, result.conversion.deal

        assert "CONVERTED" == result.lead.stage
        assert ("Lovelace", "Engine") == (contact.last_name, deal.title)
        assert (contact.id,) == deal.contact_ids
        assert ("robot", "mode without leads", True) == (
            result.conversion.conversion.actor_id,
            result.conversion.conversion.rule,
            result.conversion.conversion.closing,
        )
        assert ["mode without leads"] == [one.rule for one in result.lead.stage_history]

    @pytest.mark.parametrize(
        ("into", "kinds"),
        [
            ([], ["contact", "deal"]),
            (["company"], ["company", "deal"]),
            (["deal"], ["contact", "deal"]),
            (["deal", "company", "contact"], ["company", "contact", "deal"]),
        ],
    )
    def test_kinds(self, into: list[str], kinds: list[str]) -> None:
        """A deal always, and a contact unless another client is chosen."""
        result = arrived(NEW, without_leads=WithoutLeads(into=into))

        assert kinds == sorted(one.ref.kind for one in result.conversion.outcomes)

    @pytest.mark.parametrize("close", [True, False])
    def test_activities(self, close: bool) -> None:
        """The event says whether activities end with the lead."""
        result = arrived(NEW, without_leads=WithoutLeads(close_activities=close))

        assert close == result.changes.events[-1].params["close_activities"]

    def test_no_other_rule_acts(self) -> None:
        """In this mode no rule on arrival acts, nor one of the stage."""
        result = arrived(
            NEW,
            rule("a", ["company"]),
            rule("b", ["company"], on="NEW"),
            without_leads=WithoutLeads(),
        )

        assert ["mode without leads"] == acted(result)

    def test_placeholder(self) -> None:
        """What has no name is called by the placeholder, each kind in its own field."""
        bare = Lead(id="L-7", stage="NEW", title=" ", last_name="")
        mode = WithoutLeads(into=["contact", "company"], placeholder="Nameless")
        made = arrived(bare, without_leads=mode).conversion

        assert ("Nameless", "Nameless", "Nameless") == (
            made.contact.last_name,
            made.company.name,
            made.deal.title,
        )
        assert "No name" == arrived(bare, without_leads=WithoutLeads()).conversion.deal.title

    @pytest.mark.parametrize(
        ("lead", "expected"),
        [
            (Lead(id="L-7", stage="NEW", title="Engine"), ("No name", None, "Engine")),
            (Lead(id="L-7", stage="NEW", last_name="Byron"), ("Byron", None, "No name")),
            (Lead(id="L-7", stage="NEW", first_name="Ada"), (None, "Ada", "No name")),
        ],
        ids=["title", "last name", "first name"],
    )
    def test_placeholder_only_where_a_name_is_missing(
        self, lead: Lead, expected: tuple[str | None, str | None, str]
    ) -> None:
        """Whatever has a name of its own keeps it; a first name is a name."""
        made = arrived(lead, without_leads=WithoutLeads()).conversion

        assert expected == (made.contact.last_name, made.contact.first_name, made.deal.title)

    def test_the_lead_itself_stays_nameless(self) -> None:
        """The placeholder is for what is made, not for the lead."""
        bare = Lead(id="L-7", stage="NEW")
        result = arrived(bare, without_leads=WithoutLeads())

        assert (None, None) == (result.lead.title, result.lead.last_name)

    def test_what_else_is_missing_is_told(self) -> None:
        """Nothing but a name is made up: the rest is refused, and the lead stored."""
        lead = Lead(id="L-7", stage="NEW", amount=5)
        result = arrived(lead, without_leads=WithoutLeads())

        assert [("mode without leads", ["currency_required"])] == why(result)
        assert lead == result.lead
        assert 1 == len(result.changes.changes)

    def test_a_name_required_by_stage(self) -> None:
        """A placeholder fills a name that only the first stage asks for."""
        deal = attrs.evolve(
            BITRIX.kinds[2],
            fields=[
                attrs.evolve(one, required=False) if one.id == "title" else one
                for one in BITRIX.kinds[2].fields
            ],
        )
        deals = attrs.evolve(
            BITRIX.pipelines_of("deal")[0], required=[Required(["title", "close_date"])]
        )
        changed: dict[str, Any] = {
            "kinds": [*BITRIX.kinds[:2], deal],
            "pipelines": [BITRIX.lead_pipeline, deals],
        }
        result = arrived(Lead(id="L-7", stage="NEW"), without_leads=WithoutLeads(), **changed)

        assert [("mode without leads", ["required_at"])] == why(result)
        assert ["close_date"] == [one.field for one in result.refused[0].error.problems]

    def test_what_the_lead_requires_is_not_made_up(self) -> None:
        """A lead that lacks what its own success stage requires is refused, name or no name."""
        leads = attrs.evolve(BITRIX.lead_pipeline, required=[Required("title", since="CONVERTED")])
        result = arrived(
            Lead(id="L-7", stage="NEW"),
            without_leads=WithoutLeads(),
            pipelines=[leads, *BITRIX.pipelines_of("deal")],
        )

        assert [("mode without leads", ["required_at"])] == why(result)

    def test_rights(self) -> None:
        """The mode may do what its actor may, and nothing else."""
        policy = Policy([Role("robot", [Grant("lead", ["read", "update", "convert", "move"])])])
        result = arrived(NEW, without_leads=WithoutLeads(), policy=policy)

        assert [("mode without leads", ["no_grant", "no_grant"])] == why(result)
        assert NEW == result.lead

    def test_a_kind_without_a_name(self) -> None:
        """A kind that says nothing of names gets none, and what it lacks is told."""
        contact = attrs.evolve(BITRIX.kinds[0], name=None)
        result = arrived(
            Lead(id="L-7", stage="NEW", title="Engine"),
            without_leads=WithoutLeads(),
            kinds=[contact, *BITRIX.kinds[1:]],
        )

        assert [("mode without leads", ["any_required"])] == why(result)

    def test_a_name_that_is_not_its_to_fill(self) -> None:
        """A name that the mode's actor may not see is not made up; that is told, not raised."""
        contact = attrs.evolve(
            BITRIX.kinds[0],
            fields=[*BITRIX.kinds[0].fields, Field("last_name", "text", sensitive=True)],
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine")
        result = arrived(lead, without_leads=WithoutLeads(), kinds=[contact, *BITRIX.kinds[1:]])

        assert [("mode without leads", ["any_required"])] == why(result)
        assert {"labels": ("First name",), "fields": ("first_name",)} == {
            name: one
            for name, one in result.refused[0].error.problems[0].params.items()
            if name in {"labels", "fields"}
        }


WILD: Final = rules(
    rule("a", ["deal"], when=Where("amount", "greater", 5)),
    rule("b", ["contact", "deal"], on="NEW", when=Where("WEBFORM_ID", "equals", "5")),
    rule("c", to="JUNK", when=Where("LINK", "contains", "x")),
)
OLD: Final = rules(without_leads=WithoutLeads(into=["contact", "company"]))
ANYTHING: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(st.characters(), max_size=5),
    st.dates(),
    st.datetimes(),
    st.lists(st.integers() | st.decimals(allow_nan=True) | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.floats(), max_size=2),
    st.just(Decimal("sNaN")),
)
NAMES: Final = ["WEBFORM_ID", "LINK", "FACE_ID", "UF_X", " "]


class TestNeverRaises:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        testing.leads(BITRIX, stages=["NEW", "JUNK", "CONVERTED", "no stage", ""], bound=True),
        st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4),
        st.sampled_from([WILD, OLD, BITRIX]),
    )
    def test_whatever_the_lead_is_like(
        self, lead: Lead, custom: dict[str, object], acting: ConversionRules
    ) -> None:
        """Whatever a lead holds, it is made; what cannot be done with it is told."""
        lead = attrs.evolve(lead, custom=custom)
        result = arrive(lead, rules=acting, at=AT)

        assert Ref("lead", lead.id, provisional=True) == result.changes.changes[0].ref
        assert lead.id == result.lead.id
        assert all(one.error.problems for one in result.refused)

    def test_what_is_no_number(self) -> None:
        """A value that equals nothing, not even itself, is written once and changes nothing."""
        lead = attrs.evolve(NEW, custom={"UF_X": Decimal("sNaN"), "UF_Y": float("nan")})
        result = arrived(lead, rule("a", to="JUNK"))

        assert {"stage", "stage_history"} == written(result.changes.changes[-1]).keys()

    def test_misuse(self) -> None:
        """A misused signature is an ordinary TypeError or ValueError."""
        with pytest.raises(ValueError, match="time zone"):
            arrive(NEW, rules=BITRIX, at=datetime(2027, 1, 31))  # noqa: DTZ001 - what is refused
        for wrong, told in (
            ({"lead": Deal(id="D-5")}, "lead is a Lead, not a Deal"),
            ({"rules": presets.bitrix24}, "rules is a ConversionRules, not a Bitrix24"),
            ({"known": [NEW]}, "known is a Known, not a list"),
        ):
            given_: dict[str, Any] = {"lead": NEW, "rules": BITRIX, "at": AT, **wrong}
            with pytest.raises(TypeError, match=told):
                arrive(**given_)


WITHOUT: Final = rules(without_leads=WithoutLeads())


class TestConvertUnfinished:
    def test_each_unfinished_one(self) -> None:
        """Leads in process are converted or refused, one by one and in order; others are left."""
        leads = [
            NEW,
            Lead(id="L-8", stage="JUNK", title="x"),
            Lead(id="L-9", stage="PROCESSED", amount=5),
            Lead(id="L-10", stage="CONVERTED", title="x"),
            attrs.evolve(NEW, id="L-11", conversions=[MADE]),
            Lead(id="L-12", stage="no stage", title="x"),
            attrs.evolve(NEW, id="L-13", conversions=[attrs.evolve(MADE, closing=False)]),
        ]
        before = Known(records=[Deal(id="D-5", title="Engine")])
        found = list(convert_unfinished(leads, rules=WITHOUT, at=AT, known=before))

        assert ["L-7", "L-9", "L-13"] == [
            one.result.lead.id if isinstance(one, Converted) else one.lead_id for one in found
        ]
        first, refused, third = found
        assert isinstance(first, Converted)
        assert isinstance(refused, Rejected)
        assert isinstance(third, Converted)
        assert ("CONVERTED", "mode without leads") == (
            first.result.lead.stage,
            first.result.conversion.rule,
        )
        assert isinstance(refused.error, errors.MissingFieldsError)
        assert ["currency_required"] == [one.code for one in refused.error.problems]
        assert 2 == len(third.result.lead.conversions)
        assert "D-5" == third.result.deal.id

    def test_stored_leads_are_updated(self) -> None:
        """These leads are in the store: each is updated on its revision, and nothing inserts it."""
        stored = attrs.evolve(NEW, revision="3")
        [one] = convert_unfinished([stored], rules=WITHOUT, at=AT)
        assert isinstance(one, Converted)
        changes = one.result.changes.changes

        assert ["contact", "deal", "lead"] == [change.ref.kind for change in changes]
        last = changes[-1]
        assert isinstance(last, Update)
        assert (Ref("lead", "L-7"), "3") == (last.ref, last.revision)

    def test_nothing_is_kept(self) -> None:
        """Leads are taken only when asked for, from a stream of any length."""
        taken: list[str] = []

        def stream() -> Iterator[Lead]:
            for number in range(10**9):
                taken.append(f"L-{number}")
                yield Lead(id=f"L-{number}", stage="NEW")

        found = convert_unfinished(stream(), rules=WITHOUT, at=AT)
        assert [] == taken
        assert isinstance(next(found), Converted)
        assert ["L-0"] == taken

    def test_rules_without_the_mode(self) -> None:
        """Rules that know no such mode are refused at once, before the first lead is taken."""
        for other in (BITRIX, rules(rule("a", ["deal"]))):
            with pytest.raises(ValueError, match="no mode without leads"):
                convert_unfinished([], rules=other, at=AT)

    def test_misuse(self) -> None:
        """A naive moment and rules not called are refused at once."""
        with pytest.raises(ValueError, match="time zone"):
            convert_unfinished([], rules=WITHOUT, at=datetime(2027, 1, 31))  # noqa: DTZ001
        with pytest.raises(TypeError, match="rules is a ConversionRules"):
            convert_unfinished([], rules=presets.bitrix24, at=AT)  # type: ignore[arg-type]

    def test_the_same_as_arriving(self) -> None:
        """Going over makes of a lead what the mode makes of it when it arrives."""
        [one] = convert_unfinished([NEW], rules=WITHOUT, at=AT)
        assert isinstance(one, Converted)

        arriving = arrive(NEW, rules=WITHOUT, at=AT)
        assert arriving.lead == one.result.lead
        assert arriving.conversion.records == one.result.records

    def test_of_other_pipelines(self) -> None:
        """What is unfinished is told by role, whatever the stages are called."""
        leads = Pipeline(
            "leads", "lead", ["a", Stage("NEW", "failure"), Stage("z", "success"), "b"]
        )
        named = attrs.evolve(
            WITHOUT, pipelines=[leads, *BITRIX.pipelines_of("deal")], transforms={}
        )
        some = [Lead(id=stage, stage=stage, title="x") for stage in ("a", "NEW", "z", "b")]

        assert ["a", "b"] == [
            one.result.lead.id
            for one in convert_unfinished(some, rules=named, at=AT)
            if isinstance(one, Converted)
        ]
