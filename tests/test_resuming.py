"""Stopping at a form and going on later: answers, plain data, and what changed in between."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from leadconvert import (
    Actor,
    Changed,
    Channel,
    Company,
    Conversion,
    ConversionRules,
    Create,
    Decision,
    Field,
    Grant,
    Inquiry,
    Known,
    Lead,
    Pipeline,
    Plan,
    Policy,
    Ref,
    Request,
    Required,
    Resumed,
    Role,
    Stage,
    can_convert,
    inquire,
    plan,
    plan_move,
    presets,
    resume,
)
from leadconvert.codec import Codec
from leadconvert.errors import AlreadyConvertedError, InvalidFieldsError
from leadconvert.values import FrozenMap, digest


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(days=1)
ADA = Actor("u-7", roles=["sales"])
EVE = Actor("u-8", roles=["sales", "controlling"])
NOBODY = Actor("u-9")

_BITRIX24 = presets.bitrix24()
_MARGIN = Field("margin", "money", sensitive=True)
_SIZE = Field("UF_SIZE", "integer")
_SEATS = Field("UF_SEATS", "integer")
_WORK = ["read", "update", "create", "link", "convert", "move"]


def _kinds() -> list[Any]:
    return [
        attrs.evolve(kind, custom=[*kind.custom, _SEATS]) if kind.id == "deal" else kind
        for kind in _BITRIX24.kinds
    ]


#: The lead needs comments to be converted; nobody has decided where UF_SIZE goes.
RULES = attrs.evolve(
    _BITRIX24,
    lead=attrs.evolve(_BITRIX24.lead, custom=[_SIZE, _MARGIN]),
    kinds=_kinds(),
    pipelines=[
        Pipeline(
            "leads",
            "lead",
            ["new", "warm", Stage("done", "success"), Stage("lost", "failure")],
            required=[Required("comments", since="done")],
        ),
        *(one for one in _BITRIX24.pipelines if one.kind == "deal"),
    ],
    mappings=[
        one
        for one in _BITRIX24.mappings
        if one.source in {None, "title", "last_name", "comments", "owner_id", "company_id"}
    ],
    policy=Policy(
        [
            Role("sales", [Grant("*", _WORK)]),
            Role("controlling", [Grant("lead", ["read", "update"], fields=["margin"])]),
        ]
    ),
)
CODEC = Codec(RULES)
LEAD = Lead(id="L-7", stage="new", owner_id="u-7", custom={"UF_SIZE": 40})
INTO = [Create("contact"), Create("deal", values={"close_date": date(2027, 3, 1)})]


def planned(lead: Lead = LEAD, actor: Actor = ADA, **given: Any) -> Plan:  # noqa: ANN401 - plan()'s own
    """Return the plan of *lead* into a contact and a deal."""
    return plan(lead, given.pop("into", INTO), rules=RULES, actor=actor, at=AT, **given)


def asked(lead: Lead = LEAD, actor: Actor = ADA, **given: Any) -> Inquiry:  # noqa: ANN401 - plan()'s own
    """Return what is asked of *actor* about *lead*."""
    return inquire(planned(lead, actor, **given), RULES)


def later(
    inquiry: Inquiry,
    lead: Lead = LEAD,
    actor: Actor = ADA,
    rules: ConversionRules = RULES,
    **given: Any,  # noqa: ANN401 - resume()'s own
) -> Resumed:
    """Take an inquiry up again on the next day."""
    return resume(inquiry, lead, rules=rules, actor=actor, at=LATER, **given)


def through_json(inquiry: Inquiry) -> Inquiry:
    """Return the inquiry as it comes back from wherever a host keeps it."""
    kept = json.dumps(CODEC.to_data(inquiry))
    return CODEC.from_data(json.loads(kept), Inquiry)


ANSWERS: Mapping[int | None, Mapping[str, object]] = {
    0: {"last_name": "Hopper"},
    1: {"title": "Compiler"},
    None: {"comments": "called back"},
}
CARRY = {"UF_SIZE": {"deal": "UF_SEATS"}}


class TestInquire:
    def test_it_asks_what_form_and_questions_ask(self) -> None:
        """The fields to fill, of the lead and of each target, and the custom fields undecided."""
        inquiry = asked()
        assert (
            (None, "comments"),
            (0, "last_name"),
            (0, "first_name"),
            (1, "title"),
        ) == inquiry.asked
        assert ("UF_SIZE",) == inquiry.questions

    def test_it_holds_the_request(self) -> None:
        """Targets, values, key: whatever was asked for is kept."""
        inquiry = asked(key="k-1", closing=False, values={"title": "Enquiry"}, carry=CARRY)
        request = Request(
            lead_id="L-7",
            targets=tuple(INTO),
            carry=CARRY,
            values={"title": "Enquiry"},
            closing=False,
            key="k-1",
        )
        assert request == inquiry.request

    def test_it_keeps_digests_of_what_is_filled(self) -> None:
        """No value of the lead is kept, and nothing at all of what is empty."""
        lead = attrs.evolve(LEAD, title="Enquiry", tags=["new"], custom={"UF_Y": 1, "UF_Z": ""})
        seen = {
            "owner_id": digest("u-7"),
            "stage": digest("new"),
            "tags": digest(("new",)),
            "title": digest("Enquiry"),
            "UF_Y": digest(1),
        }
        inquiry = asked(lead)
        assert seen == inquiry.seen
        assert "Enquiry" not in json.dumps(CODEC.to_data(inquiry))
        assert "seen" not in repr(inquiry)

    def test_it_keeps_nothing_of_what_is_hidden(self) -> None:
        """Nobody can tell from an inquiry that there is a field they may not see."""
        lead = attrs.evolve(LEAD, custom={"margin": Decimal(5)})
        inquiry = asked(lead)
        assert {"owner_id", "stage"} == inquiry.seen.keys()
        assert "margin" not in json.dumps(CODEC.to_data(inquiry))

    def test_a_sensitive_field_that_is_seen_has_its_place(self) -> None:
        """Seen and empty is something else than hidden."""
        assert "" == asked(actor=EVE).seen["margin"]
        filled = attrs.evolve(LEAD, custom={"margin": Decimal(5)})
        assert digest(Decimal(5)) == asked(filled, EVE).seen["margin"]

    def test_whoever_is_denied_the_lead_learns_nothing_of_it(self) -> None:
        """Nothing is asked of them, and no digest is kept."""
        assert Inquiry(
            request=Request(lead_id="L-7", targets=tuple(INTO)), asked=(), questions=(), seen={}
        ) == asked(actor=NOBODY)

    def test_a_move_that_is_a_conversion(self) -> None:
        """A kanban can stop at the form as well."""
        move = plan_move(LEAD, "done", INTO, rules=RULES, actor=ADA, at=AT)
        assert move.conversion is not None
        assert asked() == inquire(move.conversion, RULES)

    def test_it_is_made_of_a_plan(self) -> None:
        """Whatever else is handed in, the message says what is needed."""
        move = plan_move(LEAD, "done", INTO, rules=RULES, actor=ADA, at=AT)
        with pytest.raises(TypeError, match=r"^plan is a Plan, not a MovePlan$"):
            inquire(cast("Plan", move), RULES)
        with pytest.raises(TypeError, match=r"^rules is a ConversionRules, not a Bitr"):
            inquire(planned(), cast("ConversionRules", presets.bitrix24))


class TestAnswered:
    def test_answers_for_the_targets_and_for_the_lead(self) -> None:
        """Each answer stands in the request, beside what the host supplied itself."""
        request = asked().answered(ANSWERS).request
        assert (
            Create("contact", values={"last_name": "Hopper"}),
            Create("deal", values={"close_date": date(2027, 3, 1), "title": "Compiler"}),
        ) == request.targets
        assert {"comments": "called back"} == request.values

    def test_answers_may_come_one_by_one(self) -> None:
        """What was answered before stays answered."""
        inquiry = asked()
        for index, answer in ANSWERS.items():
            inquiry = inquiry.answered({index: answer})
        inquiry = inquiry.answered(carry=CARRY)
        assert asked().answered(ANSWERS, carry=CARRY) == inquiry

    def test_an_answer_to_a_question(self) -> None:
        """Where a custom field goes is an answer too; an empty one leaves it behind."""
        assert CARRY == asked().answered(carry=CARRY).request.carry
        assert {"UF_SIZE": {}} == asked().answered(carry={"UF_SIZE": {}}).request.carry

    def test_answers_to_several_questions(self) -> None:
        """An answer to one question leaves those to the others."""
        two = asked(attrs.evolve(LEAD, custom={"UF_SIZE": 40, "UF_Y": 1}))
        both = two.answered(carry=CARRY).answered(carry={"UF_Y": {}})
        assert {**CARRY, "UF_Y": {}} == both.request.carry

    def test_an_answer_given_again_replaces_the_first(self) -> None:
        """Whoever changes their mind is heard."""
        first = asked().answered({0: {"last_name": "Hoper"}, None: {"comments": "called"}}, CARRY)
        again = first.answered(
            {0: {"last_name": "Hopper"}, None: {"comments": None}}, {"UF_SIZE": {}}
        )
        assert {"last_name": "Hopper"} == again.request.targets[0].values
        assert {"comments": None} == again.request.values
        assert {"UF_SIZE": {}} == again.request.carry

    def test_no_answer(self) -> None:
        """Nothing answered is nothing changed; nor does an answer change what it is given to."""
        inquiry = asked()
        assert inquiry == inquiry.answered()
        assert inquiry == inquiry.answered({}, {}).answered({0: {}, None: {}, 9: {}})
        inquiry.answered(ANSWERS, CARRY)
        assert asked() == inquiry

    def test_what_was_never_asked(self) -> None:
        """Everything that nobody asked is told at once, with what may have been meant."""
        with pytest.raises(InvalidFieldsError) as refused:
            asked().answered(
                {
                    5: {"title": "Compiler"},
                    1: {"titel": "Compiler", "close_date": None, "title": "Compiler"},
                    None: {"coments": "called back"},
                    -1: {"title": "Compiler"},
                },
                carry={"UF_SIZ": {}, "colour": {}, "UF_SIZE": {}},
            )
        assert "L-7" == refused.value.lead_id
        way_out = "(answer what the form and the questions ask)"
        assert [
            f"nobody asked for coments of the lead, did you mean 'comments'? {way_out}",
            f"nobody asked for title of target -1 {way_out}",
            f"nobody asked for close_date of target 1 (deal) {way_out}",
            f"nobody asked for titel of target 1 (deal), did you mean 'title'? {way_out}",
            f"nobody asked for title of target 5 {way_out}",
            f"nobody asked for UF_SIZ of the lead in carry=, did you mean 'UF_SIZE'? {way_out}",
            f"nobody asked for colour of the lead in carry= {way_out}",
        ] == [str(problem) for problem in refused.value.problems]
        assert {("not_asked", "invalid")} == {
            (problem.code, problem.cause.value) for problem in refused.value.problems
        }
        assert [
            (None, None, "coments"),
            (-1, None, "title"),
            (1, "deal", "close_date"),
            (1, "deal", "titel"),
            (5, None, "title"),
            (None, None, "UF_SIZ"),
            (None, None, "colour"),
        ] == [(problem.target, problem.kind, problem.field) for problem in refused.value.problems]

    def test_a_field_of_another_target_was_not_asked_of_this_one(self) -> None:
        """What the deal lacks is no answer for the contact."""
        with pytest.raises(InvalidFieldsError, match="nobody asked for title of target 0"):
            asked().answered({0: {"title": "Compiler"}})

    def test_whoever_is_denied_can_answer_nothing(self) -> None:
        """Where nothing was asked there is nothing to answer."""
        with pytest.raises(InvalidFieldsError, match="nobody asked for title of target 1"):
            asked(actor=NOBODY).answered({1: {"title": "Compiler"}})

    @pytest.mark.parametrize(
        "answers",
        [
            {"title": "Compiler"},
            {1: "Compiler"},
            {"deal": {"title": "Compiler"}},
            {"1": {"title": "Compiler"}},
            [{"title": "Compiler"}],
            "title",
        ],
    )
    def test_answers_of_another_shape(self, answers: object) -> None:
        """The message says how answers are told: by index, as JSON has them as text."""
        expected = "answers are {index of the target, or None for the lead: {field: ...}}"
        with pytest.raises(TypeError) as refused:
            asked().answered(cast("Any", answers))
        assert expected == str(refused.value)

    @pytest.mark.parametrize("carry", [{"UF_SIZE": "UF_SEATS"}, "UF_SIZE", ["UF_SIZE"]])
    def test_carry_of_another_shape(self, carry: object) -> None:
        """The message is that of a plan."""
        with pytest.raises(TypeError, match=r"^carry= maps a lead field to {kind: target field}$"):
            asked().answered(carry=cast("Any", carry))


class TestPlainData:
    @pytest.mark.parametrize(
        "inquiry",
        [
            asked(),
            asked(actor=EVE),
            asked(actor=NOBODY),
            asked(closing=False, key="k-1"),
            asked().answered(ANSWERS, CARRY),
            Inquiry(
                request=Request(
                    lead_id="L-7",
                    targets=(
                        Create(
                            "deal",
                            id="D-5",
                            values={
                                "amount": Decimal("5.00"),
                                "close_date": date(2027, 3, 1),
                                "begun": AT,
                                "phones": [Channel("0711", "work")],
                                "tags": ["a", "b"],
                                "opened": False,
                                "type": None,
                            },
                        ),
                    ),
                ),
                asked=((None, "comments"), (0, "title")),
                questions=("UF_X",),
                seen={"title": "f00"},
            ),
        ],
    )
    def test_it_survives_json(self, inquiry: Inquiry) -> None:
        """What was kept is read back equal, the answers with their types."""
        assert inquiry == through_json(inquiry)

    def test_it_is_kept_as_plain_data(self) -> None:
        """The data holds what was asked for, what was asked and answered, and digests."""
        bare = attrs.evolve(LEAD, custom={}, owner_id=None)
        inquiry = asked(bare, into=["deal"]).answered({0: {"title": "Compiler"}})
        assert {
            "request": {
                "lead_id": "L-7",
                "targets": [{"do": "find", "kind": "deal", "values": {"title": "Compiler"}}],
                "carry": {},
                "values": {},
                "closing": True,
                "mode": "convert",
                "along": 0,
            },
            "asked": [[None, "comments"], [0, "title"]],
            "questions": [],
            "seen": {"stage": digest("new")},
        } == json.loads(json.dumps(CODEC.to_data(inquiry)))

    def test_resuming_what_was_kept_is_the_same_plan(self) -> None:
        """Nothing answered and nothing changed: the plan is the one the inquiry came from."""
        again = resume(through_json(asked()), LEAD, rules=RULES, actor=ADA, at=AT)
        assert Resumed(plan=planned(), changed=()) == again

    def test_resuming_with_answers_is_the_plan_with_these_answers(self) -> None:
        """Answers in a wizard decide what the same values in a call decide."""
        inquiry = through_json(through_json(asked()).answered(ANSWERS, CARRY))
        direct = planned(
            into=[
                Create("contact", values={"last_name": "Hopper"}),
                Create("deal", values={"close_date": date(2027, 3, 1), "title": "Compiler"}),
            ],
            values={"comments": "called back"},
            carry=CARRY,
        )
        again = resume(inquiry, LEAD, rules=RULES, actor=ADA, at=AT)
        assert Resumed(plan=direct, changed=()) == again
        result = again.plan.result()
        assert ("Compiler", 40) == (result.deal.title, result.deal.custom["UF_SEATS"])
        assert ("Hopper", "called back") == (result.contact.last_name, result.lead.comments)

    def test_changed_is_a_plain_tuple(self) -> None:
        """A host may show it as it is."""
        assert ("title", "filled") == Changed("title", "filled")


def _converted(lead: Lead) -> Lead:
    made = Conversion(id="L-7.1", at=AT, actor_id="u-8", targets=[Ref("deal", "D-5")], rules="9f2c")
    return attrs.evolve(lead, stage="done", conversions=[made])


def _without(kind: str) -> ConversionRules:
    return attrs.evolve(
        RULES,
        kinds=[
            attrs.evolve(one, fields=[field for field in one.fields if field.to != kind])
            for one in RULES.kinds
            if one.id != kind
        ],
        pipelines=[one for one in RULES.pipelines if one.kind != kind],
        mappings=[one for one in RULES.mappings if one.kind != kind],
        children=(),
    )


def _with_seats(seats: Field) -> ConversionRules:
    kinds = (attrs.evolve(one, custom=[seats]) if one.id == "deal" else one for one in RULES.kinds)
    return attrs.evolve(RULES, kinds=kinds)


def _told(resumed: Resumed) -> list[tuple[int | None, str | None, str]]:
    return [(one.target, one.field, one.code) for one in resumed.plan.problems]


class TestResume:
    @pytest.mark.parametrize(
        ("before", "now", "changed"),
        [
            ({}, {}, []),
            ({}, {"title": "Enquiry"}, [("title", "filled")]),
            ({"title": "Enquiry"}, {}, [("title", "emptied")]),
            ({"title": "Enquiry"}, {"title": "  "}, [("title", "emptied")]),
            ({"title": "Enquiry"}, {"title": "Question"}, [("title", "changed")]),
            ({"title": "Enquiry"}, {"title": "Enquiry"}, []),
            ({"title": None}, {"title": "  "}, []),
            ({"amount": Decimal(5)}, {"amount": Decimal(0)}, [("amount", "changed")]),
            ({}, {"stage": "warm"}, [("stage", "changed")]),
            ({}, {"emails": [Channel("a@b.c")]}, [("emails", "filled")]),
            ({"custom": {"UF_SIZE": 1}}, {"custom": {}}, [("UF_SIZE", "emptied")]),
            ({"custom": {}}, {"custom": {"UF_SIZE": 1}}, [("UF_SIZE", "filled")]),
            ({"custom": {"UF_Y": 1}}, {"custom": {"UF_Y": 2}}, [("UF_Y", "changed")]),
            ({"custom": {"UF_Y": 1}}, {"custom": {"UF_Y": ()}}, [("UF_Y", "emptied")]),
            (
                {"title": "Enquiry", "source": "WEB", "custom": {"UF_Y": 1}},
                {"title": "Question", "last_name": "Hopper", "custom": {"UF_Y": 1}},
                [("last_name", "filled"), ("source", "emptied"), ("title", "changed")],
            ),
        ],
    )
    def test_what_changed_in_between(
        self, before: dict[str, Any], now: dict[str, Any], changed: list[tuple[str, str]]
    ) -> None:
        """Each field of the lead that is other than it was is told, and how; standard or not."""
        inquiry = through_json(asked(attrs.evolve(LEAD, **before)))
        again = later(inquiry, attrs.evolve(LEAD, **{**dict.fromkeys(before), **now}))
        assert tuple(changed) == again.changed

    def test_revision_and_history_are_no_fields(self) -> None:
        """That the lead was stored anew is nothing a user needs to know."""
        moved = plan_move(LEAD, "warm", rules=RULES, actor=ADA, at=AT).result().lead
        stored = attrs.evolve(moved, revision="2")
        assert (Changed("stage", "changed"),) == later(asked(), stored).changed

    def test_answers_are_no_changes(self) -> None:
        """What the user answered for the lead is not told as if another had changed it."""
        assert () == later(asked().answered(ANSWERS)).changed
        assert () == later(asked(values={"title": "Enquiry"})).changed

    def test_a_change_may_make_an_answer_needless_and_the_answer_still_counts(self) -> None:
        """Whoever was asked is heard, whatever the lead says by now."""
        inquiry = asked().answered(ANSWERS)
        again = later(inquiry, attrs.evolve(LEAD, title="Enquiry", last_name="Hoper"))
        result = again.plan.result()
        assert ("Compiler", "Hopper") == (result.deal.title, result.contact.last_name)
        assert (Changed("last_name", "filled"), Changed("title", "filled")) == again.changed

    def test_a_change_may_fill_what_was_asked(self) -> None:
        """What the lead has by now is asked no more."""
        now = attrs.evolve(LEAD, title="Enquiry", last_name="Hopper", comments="called back")
        again = later(asked(), now)
        assert again.plan.ok
        assert () == again.plan.form


class TestSight:
    """Sensitive fields in between: *seen* says who asked, *now* who goes on."""

    @pytest.mark.parametrize(
        ("before", "now", "changed"),
        [
            (None, Decimal(5), ("filled",)),
            (Decimal(5), None, ("emptied",)),
            (Decimal(5), Decimal(6), ("changed",)),
            (Decimal(5), Decimal(5), ()),
            (None, None, ()),
        ],
    )
    def test_whoever_sees_a_field_learns_of_it(
        self, before: object, now: object, changed: tuple[str, ...]
    ) -> None:
        """A sensitive field is told to those who may see it, like any other."""
        start, end = (attrs.evolve(LEAD, custom={"margin": value}) for value in (before, now))
        again = later(through_json(asked(start, EVE)), end, EVE)
        assert tuple(Changed("margin", how) for how in changed) == again.changed

    @pytest.mark.parametrize(("seen", "now"), [(ADA, ADA), (ADA, EVE), (EVE, ADA)])
    @pytest.mark.parametrize("before", [None, Decimal(5)])
    @pytest.mark.parametrize("after", [None, Decimal(5), Decimal(6)])
    def test_whoever_could_not_or_cannot_see_it_does_not(
        self, seen: Actor, now: Actor, before: object, after: object
    ) -> None:
        """A hidden field is not told, nor one of which nobody can say what it was."""
        start, end = (attrs.evolve(LEAD, custom={"margin": value}) for value in (before, after))
        again = later(through_json(asked(start, seen)), end, now)
        assert () == again.changed

    def test_whoever_is_denied_by_now_learns_only_that(self) -> None:
        """A right on the lead that was taken hides what became of it."""
        now = attrs.evolve(LEAD, title="Enquiry", stage="lost")
        again = later(asked().answered(ANSWERS, CARRY), now, NOBODY)
        assert () == again.changed
        assert [(None, None, "no_grant")] * 4 == _told(again)

    def test_whoever_was_denied_then_is_told_no_changes(self) -> None:
        """Nobody can say what changed of a lead that was not seen."""
        again = later(through_json(asked(actor=NOBODY)), attrs.evolve(LEAD, title="Enquiry"))
        assert () == again.changed
        assert [(None, "comments", "required_at"), (0, "last_name", "any_required")] == _told(again)


class TestStale:
    """What is gone in between is a problem of the new plan."""

    def test_converted_in_between(self) -> None:
        """Nobody converts a lead twice, whenever they started; they are told what it became."""
        again = later(asked().answered(ANSWERS, CARRY), _converted(LEAD))
        assert (Changed("stage", "changed"),) == again.changed
        assert [(None, None, "converted")] == _told(again)
        with pytest.raises(AlreadyConvertedError) as refused:
            again.plan.result()
        assert ("deal D-5",) == refused.value.problems[0].params["became"]

    def test_given_up_in_between(self) -> None:
        """From a failure stage nothing is converted."""
        again = later(asked().answered(ANSWERS), attrs.evolve(LEAD, stage="lost"))
        assert [(None, None, "in_failure_stage")] == _told(again)

    def test_a_kind_that_is_gone(self) -> None:
        """A target of a kind that the rules lost is an unknown one."""
        again = later(asked().answered(ANSWERS), rules=_without("deal"))
        assert [(1, None, "unknown_kind")] == _told(again)

    def test_a_field_that_is_gone(self) -> None:
        """An answer for a field that the rules lost is told, and one that carries into it."""
        needed = _with_seats(attrs.evolve(_SEATS, required=True))
        inquiry = inquire(plan(LEAD, INTO, rules=needed, actor=ADA, at=AT), needed)
        filled = inquiry.answered(ANSWERS).answered({1: {"UF_SEATS": 4}})
        without = attrs.evolve(RULES, kinds=_BITRIX24.kinds)
        assert [(1, "UF_SEATS", "unknown_field")] == _told(later(filled, rules=without))
        carried = inquiry.answered(ANSWERS, CARRY)
        assert [(None, "UF_SEATS", "unknown_field")] == _told(later(carried, rules=without))

    def test_a_right_that_was_taken(self) -> None:
        """A target that one may no longer make is denied."""
        taken = attrs.evolve(
            RULES,
            policy=Policy([Role("sales", [Grant("lead", _WORK), Grant("contact", _WORK)])]),
        )
        again = later(asked().answered(ANSWERS, CARRY), rules=taken)
        assert [(1, None, "no_grant")] == _told(again)

    def test_a_requirement_that_is_new(self) -> None:
        """What is asked by now stands in the new form, for an inquiry of its own."""
        stricter = _with_seats(attrs.evolve(_SEATS, required=True))
        again = later(asked().answered(ANSWERS), rules=stricter)
        assert [(1, "UF_SEATS", "required")] == _told(again)
        more = inquire(again.plan, stricter)
        assert ((1, "UF_SEATS"),) == more.asked
        assert later(more.answered({1: {"UF_SEATS": 4}}), rules=stricter).plan.ok

    def test_an_answer_that_does_not_fit(self) -> None:
        """It is refused when decided on, and asked again."""
        answers = {**ANSWERS, 1: {"title": 5}}
        again = later(asked().answered(answers))
        assert [(1, "title", "wrong_type")] == _told(again)
        assert [(1, "title", "wrong_type")] == [
            (one.target, one.field, one.why) for one in again.plan.form
        ]

    def test_another_lead(self) -> None:
        """Answers about one lead are none about another."""
        with pytest.raises(ValueError, match=r"^the inquiry is about lead L-7, not L-8$"):
            later(asked(), attrs.evolve(LEAD, id="L-8"))

    def test_a_naive_moment(self) -> None:
        """A moment says its time zone."""
        with pytest.raises(ValueError, match=r"^a moment needs a time zone"):
            resume(asked(), LEAD, rules=RULES, actor=ADA, at=datetime(2027, 2, 1))  # noqa: DTZ001

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (
                lambda: later(cast("Inquiry", CODEC.to_data(asked()))),
                "inquiry is an Inquiry, not a dict",
            ),
            (
                lambda: later(cast("Inquiry", planned())),
                "inquiry is an Inquiry, not a Plan",
            ),
            (lambda: later(asked(), cast("Lead", "L-7")), "lead is a Lead, not a str"),
        ],
    )
    def test_a_misused_signature(self, call: Callable[[], object], message: str) -> None:
        """Data is read before it is resumed, and the message says what is needed."""
        with pytest.raises(TypeError) as refused:
            call()
        assert message == str(refused.value)


class TestRequest:
    """What an inquiry passes on, as it was asked for first."""

    def test_the_key_is_kept(self) -> None:
        """A retry after a pause is the same retry."""
        inquiry = through_json(asked(key="k-1")).answered(ANSWERS)
        assert "k-1" == later(inquiry).plan.result().changes.key

    def test_a_lead_that_stays_open_stays_open(self) -> None:
        """Whether the conversion closes the lead was decided at first."""
        inquiry = through_json(asked(closing=False))
        assert ((0, "last_name"), (0, "first_name"), (1, "title")) == inquiry.asked
        result = later(inquiry.answered({0: ANSWERS[0], 1: ANSWERS[1]})).plan.result()
        assert ("new", False) == (result.lead.stage, result.conversion.closing)

    def test_the_moment_is_that_of_the_decision(self) -> None:
        """A conversion happens when it is decided, not when somebody began to fill a form."""
        result = later(asked().answered(ANSWERS)).plan.result()
        assert LATER == result.conversion.at

    def test_the_reason_is_given_anew(self) -> None:
        """Why the lead moves is said where it moves."""
        result = later(asked().answered(ANSWERS), reason="they called").plan.result()
        assert "they called" == result.lead.stage_history[0].reason

    def test_known_records_are_given_anew(self) -> None:
        """What only the store knows is loaded as of now."""
        bound = attrs.evolve(LEAD, company_id="CO-9")
        company = Company(id="CO-9", name="Compilers & Sons")
        inquiry = asked(bound, known=Known(records=[company])).answered(ANSWERS)
        assert ["unknown_record"] * 2 == [one.code for one in later(inquiry, bound).plan.problems]
        assert later(inquiry, bound, known=Known(records=[company])).plan.ok

    def test_another_engine_decides(self) -> None:
        """Who decides about access is said anew as well."""
        inquiry = asked().answered(ANSWERS)
        assert later(inquiry, actor=NOBODY, authorizer=Policy.allow_all()).plan.ok
        unanswered = Known(decisions=())
        assert {"not_answered"} == {code for *_, code in _told(later(inquiry, known=unanswered))}
        answered = tuple(
            Decision(actor_id="u-7", request=one, allowed=True, code="granted")
            for one in planned().required_access
        )
        assert later(inquiry, known=Known(decisions=answered)).plan.ok


class TestRemembering:
    """The last choice of targets, offered first."""

    def test_the_kinds_chosen(self) -> None:
        """Each kind is remembered once, in the order of the choice, as plain data."""
        into = ["deal", Create("contact", values={"last_name": "Hopper"}), "deal"]
        kinds = asked(into=into).request.kinds
        assert ("deal", "contact") == kinds
        assert ["deal", "contact"] == json.loads(json.dumps(kinds))

    def test_nothing_chosen(self) -> None:
        """Where nothing was chosen there is nothing to remember."""
        assert () == asked(into=[]).request.kinds

    def test_the_last_choice_is_offered_first(self) -> None:
        """It comes first, each combination once, in the order of the rules."""
        combinations = can_convert(LEAD, ADA, RULES).combinations(first=["deal", "contact"])
        assert [
            ("contact", "deal"),
            ("contact",),
            ("company",),
            ("deal",),
            ("contact", "company"),
            ("company", "deal"),
            ("contact", "company", "deal"),
        ] == list(combinations)

    @pytest.mark.parametrize(
        "last", [(), ("project",), ("deal", "project")], ids=["none", "gone", "one of two gone"]
    )
    def test_a_choice_that_is_open_no_more(self, last: tuple[str, ...]) -> None:
        """It is passed over, and nobody is offered half of it first."""
        choices = can_convert(LEAD, ADA, RULES)
        assert list(choices.combinations()) == list(choices.combinations(first=last))

    def test_a_choice_that_is_not_offered_for_this_lead(self) -> None:
        """For a lead bound to a client deals alone are offered, whatever the last choice was."""
        bound = attrs.evolve(LEAD, company_id="CO-9")
        known = Known(records=[Company(id="CO-9", name="Compilers & Sons")])
        choices = can_convert(bound, ADA, RULES, known=known)
        assert [("deal",)] == list(choices.combinations(first=["contact", "deal"]))

    def test_kinds_are_a_list(self) -> None:
        """One text would be a list of letters."""
        with pytest.raises(TypeError, match="not one text"):
            list(can_convert(LEAD, ADA, RULES).combinations(first="deal"))


def test_the_map_of_seen_is_frozen() -> None:
    """An inquiry is a value: nobody changes what was seen, nor what it is compared by."""
    seen = {"title": "f00"}
    inquiry = Inquiry(request=asked().request, asked=(), questions=(), seen=seen)
    seen["title"] = "bar"
    assert FrozenMap({"title": "f00"}) == inquiry.seen
    assert hash(inquiry) == hash(attrs.evolve(inquiry))
