"""Problems and errors: plain facts, told in whole sentences, that survive every journey."""

import copy
import pickle
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import attrs
import pytest

import leadconvert
from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Authorizer,
    Automation,
    AutomationRule,
    Channel,
    ChildRule,
    Column,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Create,
    Deal,
    Decision,
    Doubt,
    Exceptions,
    Field,
    FieldMapping,
    FrozenMap,
    Grant,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchRule,
    Merge,
    Organisation,
    OwnerRule,
    Pipeline,
    Policy,
    Record,
    Ref,
    Required,
    Role,
    Stage,
    Suggestion,
    Target,
    Trace,
    TraceStep,
    Undone,
    Unit,
    Where,
    advance,
    arrive,
    can_convert,
    config,
    errors,
    inquire,
    plan,
    plan_move,
    plan_reversal,
    presets,
    reconsider,
    resume,
    spread,
)
from leadconvert.errors import (
    Cause,
    ConversionError,
    DefinitionError,
    LeadConvertError,
    Problem,
    refusal,
)
from leadconvert.fields import MisfitError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.mapping import TransformError
from leadconvert.problems import did_you_mean, mistake, twice, unknown
from leadconvert.tables import Table, TableError, all_leads
from leadconvert.wording import SENTENCES


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ON_LEADS = Grant("lead", ["read", "update", "convert", "move"])
BACK = Field("converted_from", "reference", to="lead", multiple=True)
LEADS = Pipeline("leads", "lead", ["NEW", Stage("DONE", "success"), Stage("JUNK", "failure")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
STAYING = attrs.evolve(LEADS, stages=[Stage("NEW", to=[]), Stage("DONE", "success")])
OFFERED: list[Stage | str] = ["open", "offer", Stage("won", "success")]
TITLED = Lead(id="L-7", stage="NEW", title="Enquiry")
MADE = Conversion(
    id="L-7.1",
    at=AT,
    actor_id="u-1",
    targets=[Ref("contact", "C-3"), Ref("deal", "D-5")],
    rules="9f2c",
)
CLOSED = attrs.evolve(TITLED, stage="DONE", conversions=[MADE])
UNDONE = Undone(how="reopened", at=AT, actor_id="u-1")
MADE_DEAL = TraceStep(ref=Ref("deal", "D-5"), action="created")
ADA = Contact(id="C-3", revision="4", last_name="Byron", emails=[Channel("ada@example.com")])
MAILED = attrs.evolve(TITLED, emails=[Channel("ADA@example.com")])
SELLER = Actor("u-7", roles=["sales"])

REQUIRED = Problem(
    cause=Cause.MISSING,
    code="required",
    target=0,
    kind="deal",
    field="title",
    params={"label": "Title", "sources": ["title"]},
)
DENIED = Problem(
    cause=Cause.TARGET_ACCESS,
    code="no_grant",
    target=1,
    kind="company",
    params={"actor": "u-7", "action": "create"},
)
ERRORS: list[LeadConvertError] = [
    LeadConvertError("anything"),
    DefinitionError([mistake("no_process", "pipeline p")]),
    ConversionError("L-7", [REQUIRED]),
    errors.AccessDeniedError("L-7", [DENIED, REQUIRED]),
    errors.AlreadyConvertedError("L-7", []),
    errors.AmbiguousMatchError("L-7", [REQUIRED]),
    errors.InvalidFieldsError("L-7", [REQUIRED]),
    errors.InvalidTargetError("L-7", [REQUIRED]),
    errors.MissingFieldsError("L-7", [REQUIRED]),
    errors.NotReversibleError("L-7", [REQUIRED]),
    errors.StageNotAllowedError("L-7", [REQUIRED]),
    errors.TargetsRequiredError("L-7", [REQUIRED]),
    errors.UnknownTargetError("L-7", [REQUIRED]),
    errors.StoreError("the disk is full"),
    errors.ConflictError("it was changed meanwhile", [Ref("deal", "D-5"), Ref("lead", "L-7")]),
    errors.IdempotencyError("k-1"),
    errors.RecordNotFoundError("there is no such record", [Ref("deal", "D-5")]),
    errors.SchemaVersionError("the schema has version 9"),
    errors.UnavailableError("the connection was lost"),
    errors.UnfitValueError("text holds a NUL", iter([Ref("deal", "D-5")])),
]


@attrs.frozen(kw_only=True)
class Picky:
    """A class that refuses every value."""

    id: str
    revision: str | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        raise LookupError(self.id)


@attrs.frozen(kw_only=True)
class Bare:
    """A class that lacks what every record has."""

    riddle: object


@attrs.define(kw_only=True)
class Loose:
    """A record class whose values may change."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


class Unmade:
    """A class that is not of attrs."""


def fail(value: object) -> object:
    """A transform that raises."""
    raise KeyError(value)


def fail_to_merge(ours: object, theirs: object) -> object:
    """A merger that raises."""
    raise KeyError(ours, theirs)


def same(value: object) -> object:
    """A transform that changes nothing."""
    return value


def rules(**more: object) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    loose: Callable[..., ConversionRules] = ConversionRules
    parts: dict[str, object] = {
        "kinds": [CONTACT, COMPANY, DEAL],
        "pipelines": [LEADS, SALES],
        "mappings": [FieldMapping("title", "deal")],
        "policy": Policy.allow_all(),
    }
    return loose(**parts | more)


def refused(make: Callable[[], object]) -> tuple[Problem, ...]:
    """The mistakes that *make* is refused for."""
    with pytest.raises(DefinitionError) as caught:
        make()
    return caught.value.problems


def planned(
    *into: str | Target,
    lead: Lead = TITLED,
    by: ConversionRules | None = None,
    carry: Mapping[str, Mapping[str, str]] | None = None,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
) -> tuple[Problem, ...]:
    """The problems of a plan."""
    return plan(
        lead,
        into,
        rules=by or rules(),
        actor=SELLER,
        at=AT,
        carry=carry,
        known=known,
        authorizer=authorizer,
    ).problems


def matched(then: str, *there: Contact) -> tuple[Problem, ...]:
    """The problems of a contact that is looked for by the lead's e-mail."""
    by = rules(matching=Matching([MatchRule("contact", ["email"], then)]))
    return planned("contact", lead=MAILED, by=by, known=Known(records=there))


def moved(
    record: Record, to: str, *into: str, by: ConversionRules | None = None
) -> tuple[Problem, ...]:
    """The problems of a move, which advance() tells as well."""
    by = rules() if by is None else by
    with pytest.raises(ConversionError) as caught:
        advance(record, to, into, rules=by, actor=SELLER, at=AT)
    decided = plan_move(record, to, into, rules=by, actor=SELLER, at=AT)
    assert caught.value.problems == decided.problems
    return decided.problems


def resumed(lead: Lead) -> tuple[Problem, ...]:
    """The problems of a plan that is gone on with, the lead being another by now."""
    by = rules()
    inquiry = inquire(plan(TITLED, ["deal"], rules=by, actor=SELLER, at=AT), by)
    return resume(inquiry, lead, rules=by, actor=SELLER, at=AT).plan.problems


def answered(answers: Mapping[int | None, Mapping[str, object]]) -> tuple[Problem, ...]:
    """The problems of answers to a form that asks for the title of a deal."""
    by = rules()
    asked = plan(Lead(id="L-7", stage="NEW"), ["deal"], rules=by, actor=SELLER, at=AT)
    with pytest.raises(ConversionError) as caught:
        inquire(asked, by).answered(answers)
    return caught.value.problems


def taken_back(  # noqa: PLR0913 - what a reversal looks at
    lead: Lead,
    *records: Record,
    by: ConversionRules | None = None,
    conversion: str | None = None,
    trace: TraceStep | None = None,
    merged: Iterable[tuple[Ref, Ref]] = (),
    after: int = 0,
) -> tuple[Problem, ...]:
    """The problems of taking a conversion back, some days after it."""
    traces = [] if trace is None else [Trace(id="L-7.1", steps=[trace])]
    return plan_reversal(
        lead,
        rules=by or rules(),
        actor=SELLER,
        at=AT + timedelta(days=after),
        known=Known(records=records, traces=traces, merged=merged),
        conversion=conversion,
    ).problems


def automated(*acting: AutomationRule) -> Callable[[], object]:
    """What makes rules that act by themselves."""
    return lambda: rules(automation=Automation(Actor("robot"), acting))


def supplied(**values: object) -> tuple[Problem, ...]:
    """The problems of a deal for which *values* are supplied."""
    limited = attrs.evolve(
        DEAL,
        custom=[
            Field("UF_TEXT", "text", max_length=3),
            Field("UF_HEAT", "enumeration", options=["cold", "hot"]),
            Field("UF_MET", "datetime"),
        ],
    )
    by = rules(kinds=[CONTACT, COMPANY, limited])
    return planned(Create("deal", values=values), by=by)


def carried(source: str, into: Mapping[str, str]) -> tuple[Problem, ...]:
    """The problems of an answer about a custom field."""
    lead = attrs.evolve(TITLED, custom={"UF_X": "blue", "UF_Y": "red"})
    by = rules(
        lead=attrs.evolve(LEAD, custom=[Field("UF_Y", "text")]),
        mappings=[FieldMapping("title", "deal"), FieldMapping.leave("UF_Y")],
    )
    return planned("deal", lead=lead, by=by, carry={source: into})


def granted(*grants: Grant) -> ConversionRules:
    """Rules under which sales may do what is granted."""
    return rules(policy=Policy([Role("sales", grants)]))


class Closed:
    """An engine of a host's that permits nothing, and does not say why."""

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Deny whatever is asked."""
        return Decision(actor_id=actor.id, request=request, allowed=False, code="denied")


def guarded(*grants: Grant, required: bool = True) -> ConversionRules:
    """Rules under which sales convert, but see of a deal's margin only what is granted."""
    margin = Field("margin", "money", required=required, sensitive=True)
    every = Grant("*", ["read", "update", "convert", "move", "create"])
    return rules(
        kinds=[attrs.evolve(DEAL, custom=[margin])],
        policy=Policy([Role("sales", [every, *grants])]),
    )


def circle(id_: str, other: str) -> Kind:
    """One of two kinds that refer to each other."""
    return Kind(id_, fields=[BACK, Field(other, "reference", to=other)])


def loose_kind(cls: type) -> Callable[[], object]:
    """What makes a kind of any class at all."""
    make: Callable[..., object] = Kind
    return lambda: make("x", cls)


NO_AND_DAY = (Column("No", "id"), Column("Day", "birth_date"))


def of_table(content: bytes, columns: Iterable[Column] = NO_AND_DAY) -> Iterable[Problem]:
    """What is wrong with a table of ids and days."""
    try:
        all_leads(Table(BytesIO(content)), rules=attrs.evolve(rules(), columns=columns))
    except TableError as error:
        return error.problems
    return []


#: For each code something that it is told for, and the sentence expected.
PROVOKED: Mapping[str, tuple[Callable[[], Iterable[Problem]], str]] = {
    "no_grant": (
        lambda: planned("deal", by=granted(ON_LEADS)),
        (
            "u-7 may not create deal: no role of theirs permits it"
            " (ask for a role that may, or leave it out)"
        ),
    ),
    "out_of_scope": (
        lambda: planned(
            "deal",
            by=granted(ON_LEADS, Grant("*", "create", "own")),
        ),
        (
            "u-7 may not create this deal: their permission does not reach it"
            " (ask for a wider permission, or choose another owner)"
        ),
    ),
    "stage_not_listed": (
        lambda: planned(
            "deal",
            by=granted(
                Grant("lead", ["read", "update", "convert"]), Grant("lead", "move", to=["JUNK"])
            ),
        ),
        (
            "u-7 may not move this lead there: their permission lists other stages"
            " (ask for a wider permission)"
        ),
    ),
    "forbidden": (
        lambda: planned(
            "deal",
            by=rules(
                policy=Policy(
                    [Role("sales", forbids=[Grant("deal", "create", pipeline="sales")])],
                    unrestricted=True,
                )
            ),
        ),
        (
            "u-7 may not create this deal: role 'sales' forbids it"
            " (let somebody else do it, or leave it out)"
        ),
    ),
    "denied": (
        lambda: planned("deal", authorizer=Closed()),
        "u-7 may not read this lead (ask for the right, or leave it out)",
    ),
    "not_answered": (
        lambda: planned("deal", known=Known(decisions=[])),
        (
            "nobody has answered yet whether u-7 may read this lead"
            " (ask what required_access lists, and hand the decisions over in known=)"
        ),
    ),
    "hidden": (
        lambda: planned("deal", by=guarded()),
        (
            "deal needs something that u-7 may not see"
            " (let somebody convert it who may see it, or leave it out)"
        ),
    ),
    "converted": (
        lambda: planned(
            "deal",
            lead=attrs.evolve(TITLED, stage="DONE", conversions=[MADE]),
        ),
        (
            "the lead is converted already, into contact C-3, deal D-5"
            " (work with those records, or make more of it with mode='supplement')"
        ),
    ),
    "in_success_stage": (
        lambda: planned("deal", lead=attrs.evolve(TITLED, stage="DONE")),
        (
            "the lead stands in the success stage 'DONE', so it counts as converted"
            " (work with the records it became, or make more of it with mode='supplement')"
        ),
    ),
    "not_converted": (
        lambda: (
            plan(TITLED, ["deal"], rules=rules(), actor=SELLER, at=AT, mode="supplement").problems
        ),
        (
            "the lead is not converted yet, so there is nothing to add to"
            " (convert it, without mode='supplement')"
        ),
    ),
    "not_staged": (
        lambda: (
            plan(
                TITLED, ["deal"], rules=rules(staged=False), actor=SELLER, at=AT, closing=False
            ).problems
        ),
        ("the rules convert a lead as a whole, so it cannot stay open (leave closing=False out)"),
    ),
    "in_failure_stage": (
        lambda: planned("deal", lead=attrs.evolve(TITLED, stage="JUNK")),
        "the lead stands in the failure stage 'JUNK' (move it back to a stage in process first)",
    ),
    "stage_disagrees": (
        lambda: resumed(attrs.evolve(TITLED, conversions=[MADE])),
        (
            "the lead was converted into contact C-3, deal D-5, yet stands in 'NEW' instead of"
            " 'DONE' (put it into that stage, or take the conversion back)"
        ),
    ),
    "already_there": (
        lambda: moved(TITLED, "NEW"),
        "the lead stands in 'NEW' already (there is nothing to do)",
    ),
    "leaves_success": (
        lambda: moved(attrs.evolve(TITLED, stage="DONE"), "NEW"),
        "the lead stands in the success stage 'DONE' (reopen it instead of moving it)",
    ),
    "not_listed": (
        lambda: can_convert(TITLED, SELLER, rules(pipelines=[STAYING, SALES])).problems,
        (
            "no move of a lead from 'NEW' to 'DONE' is listed"
            " (choose one that is, or add it to the list)"
        ),
    ),
    "backwards": (
        lambda: moved(
            Deal(id="D-5", pipeline="sales", stage="offer"),
            "open",
            by=rules(pipelines=[LEADS, Pipeline("sales", "deal", OFFERED, forward_only=True)]),
        ),
        (
            "pipeline 'sales' moves forward only, not from 'offer' back to 'open'"
            " (list the move in the stage, or leave it)"
        ),
    ),
    "no_stages_here": (
        lambda: moved(Contact(id="C-3"), "NEW"),
        "records of kind contact have no stages (move something else)",
    ),
    "no_conversion_there": (
        lambda: moved(TITLED, "JUNK", "deal"),
        (
            "moving to 'JUNK' converts nothing, so there is nothing to convert into"
            " (leave the targets out, or move a lead to its success stage)"
        ),
    ),
    "unknown_stage": (
        lambda: planned("deal", lead=attrs.evolve(TITLED, stage="NWE")),
        (
            "the lead stands in 'NWE', which pipeline 'leads' does not have, did you mean 'NEW'?"
            " (correct the stage, or add it to the rules)"
        ),
    ),
    "no_targets": (
        planned,
        "nothing to convert into was chosen (choose among company, contact, deal)",
    ),
    "nothing_open": (
        lambda: moved(TITLED, "DONE", by=granted(ON_LEADS)),
        (
            "nothing to convert into was chosen, and u-7 may make nothing of it"
            " (ask for a role that may make one of company, contact, deal)"
        ),
    ),
    "unknown_kind": (
        lambda: planned("dael"),
        (
            "there is no kind 'dael' to convert into, did you mean 'deal'?"
            " (choose among company, contact, deal)"
        ),
    ),
    "record_not_there": (
        lambda: planned(Link("contact", "C-3")),
        (
            "there is no contact 'C-3' to work with"
            " (load what wanted() lists, or choose another record)"
        ),
    ),
    "stale_target": (
        lambda: planned(Merge("contact", "C-3", revision="3"), known=Known(records=[ADA])),
        (
            "contact 'C-3' has changed since: it has revision '4', not '3'"
            " (look at it again, and choose anew)"
        ),
    ),
    "two_on_one": (
        lambda: planned(
            Link("contact", "C-3"), Merge("contact", "C-3"), known=Known(records=[ADA])
        ),
        "two targets end on one record, contact 'C-3' (leave one of them out)",
    ),
    "link_with_values": (
        lambda: planned(
            Link("contact", "C-3", values={"comments": "x"}), known=Known(records=[ADA])
        ),
        (
            "contact 'C-3' is to be linked, which changes nothing in it"
            " (leave values= out, or merge into it)"
        ),
    ),
    "several_matches": (
        lambda: matched("merge", attrs.evolve(ADA, id="C-4"), ADA),
        (
            "2 records of kind contact match the lead: 'C-3', 'C-4'"
            " (choose one with Link or Merge, or make a new one with Create)"
        ),
    ),
    "match_to_decide": (
        lambda: matched("ask", ADA),
        (
            "the contact 'C-3' matches the lead"
            " (choose it with Link or Merge, or make a new one with Create)"
        ),
    ),
    "match_refused": (
        lambda: matched("refuse", ADA),
        (
            "the contact 'C-3' matches the lead, and the rules make no second one"
            " (choose it with Link or Merge)"
        ),
    ),
    "clients_disagree": (
        lambda: planned(
            Link("contact", "C-3"),
            Link("company", "CO-9"),
            "deal",
            known=Known(records=[attrs.evolve(ADA, company_id="CO-1"), Company(id="CO-9")]),
        ),
        (
            "the deal would have the company 'CO-9', but its contact has 'CO-1'"
            " (choose 'CO-1' with Link, or correct the contact)"
        ),
    ),
    "not_eligible": (
        lambda: planned(
            Create("deal", values={"owner_id": "u-2"}), known=Known(eligible_owners=["u-7"])
        ),
        ("the owner of the deal may not own one now (give it to somebody who may, with values=)"),
    ),
    "never_made": (
        lambda: planned("deal", by=rules(limits=[Limit("deal", "never")])),
        "the rules make no deal (leave it out, or choose one with Link)",
    ),
    "has_open": (
        lambda: planned(
            Link("contact", "C-3"),
            "deal",
            by=rules(limits=[Limit("deal", "no_open")]),
            known=Known(records=[ADA, Deal(id="D-5", stage="open", contact_ids=["C-3"])]),
        ),
        ("the contact has an open deal already, 'D-5' (choose it with Link, or close it first)"),
    ),
    "on_exceptions_list": (
        lambda: (
            arrive(
                MAILED,
                rules=rules(
                    matching=Matching(exceptions=Exceptions(emails=["ada@example.com"])),
                    automation=Automation(Actor("robot"), [AutomationRule("all", ["deal"])]),
                ),
                at=AT,
            )
            .refused[0]
            .error.problems
        ),
        (
            "a phone or an e-mail of the lead is on the list of exceptions"
            " (convert it by hand, or take it off the list)"
        ),
    ),
    "merge_failed": (
        lambda: planned(
            Merge("deal", "D-5"),
            by=rules(
                mappings=[FieldMapping("title", "deal", conflict="fail")],
                mergers={"fail": fail_to_merge},
            ),
            known=Known(records=[Deal(id="D-5", stage="open", title="Engine")]),
        ),
        (
            "merging by 'fail' could not make a value of deal.title (KeyError)"
            " (supply the value in values=)"
        ),
    ),
    "duplicate_id": (
        lambda: planned(Create("deal", id="D-5"), Create("deal", id="D-5")),
        "two records of kind deal would have the id 'D-5' (give each target its own id)",
    ),
    "required": (
        lambda: planned("company"),
        "company needs Name (supply it in values=)",
    ),
    "required_at": (
        lambda: moved(
            TITLED,
            "DONE",
            "deal",
            by=rules(
                pipelines=[attrs.evolve(LEADS, required=[Required("amount", since="DONE")]), SALES]
            ),
        ),
        "lead needs Amount to stand in 'DONE' (supply it in values=)",
    ),
    "any_required": (
        lambda: planned("contact"),
        "contact needs one of Last name, First name (supply one in values=)",
    ),
    "currency_required": (
        lambda: supplied(amount=5),
        "deal has an amount in Amount but no currency (supply Currency in values=)",
    ),
    "unknown_field": (
        lambda: supplied(titel="x"),
        (
            "deal has no field 'titel', did you mean 'title'?"
            " (correct the name, or add the field to the kind)"
        ),
    ),
    "reserved_field": (
        lambda: supplied(converted_from=["L-1"]),
        "deal.converted_from is set by the conversion itself (leave it out of values=)",
    ),
    "wrong_type": (
        lambda: supplied(opened="yes"),
        "deal.opened takes boolean, not a value of type str (correct the value)",
    ),
    "too_long": (
        lambda: supplied(UF_TEXT="x" * 1_000_000),
        "deal.UF_TEXT takes 3 characters, the value has 1000000 (shorten it)",
    ),
    "unknown_option": (
        lambda: supplied(UF_HEAT="warm"),
        (
            "deal.UF_HEAT has no option such as the given one, only cold, hot"
            " (choose among them, or map the value with values={...})"
        ),
    ),
    "several_values": (
        lambda: supplied(title=["a", "b"]),
        (
            "deal.title takes one value, not 2"
            " (map it with transform='first' or 'join', or supply one value)"
        ),
    ),
    "not_finite": (
        lambda: supplied(amount=Decimal("NaN")),
        "deal.amount takes a finite number (correct the value)",
    ),
    "naive_moment": (
        lambda: supplied(UF_MET=datetime(2027, 1, 31)),  # noqa: DTZ001 - the mistake under test
        (
            "deal.UF_MET takes a moment that says its time zone"
            " (give it one: datetime(..., tzinfo=UTC))"
        ),
    ),
    "unknown_record": (
        lambda: supplied(company_id="CO-9"),
        (
            "deal.company_id points at a company that was not handed over in known="
            " (load what wanted() lists, or point at another record)"
        ),
    ),
    "unknown_pipeline": (
        lambda: supplied(pipeline="slaes"),
        "deal has no pipeline as given, did you mean 'sales'? (choose among sales)",
    ),
    "unknown_target_stage": (
        lambda: supplied(stage="opne"),
        "pipeline 'sales' has no stage as given, did you mean 'open'? (choose among open, won)",
    ),
    "transform_failed": (
        lambda: planned(
            "deal",
            by=rules(
                mappings=[FieldMapping("title", "deal", transform="fail")],
                transforms={"fail": fail},
            ),
        ),
        (
            "transform 'fail' could not turn title into deal.title (KeyError)"
            " (supply the value in values=, or correct the lead)"
        ),
    ),
    "constructor_failed": (
        lambda: planned("picky", by=rules(kinds=[Kind("picky", Picky, fields=[BACK]), DEAL])),
        "the class of kind picky refused its values (LookupError) (supply values it accepts)",
    ),
    "not_editable": (
        lambda: planned(
            Create("deal", values={"margin": 5}),
            by=guarded(Grant("deal", "read", fields="margin"), required=False),
        ),
        ("deal.margin is not for u-7 to fill (leave it out, or let somebody fill it who may)"),
    ),
    "required_of_others": (
        lambda: planned("deal", by=guarded(Grant("deal", "read", fields="margin"))),
        "deal needs Margin, which u-7 may not fill (let somebody fill it who may)",
    ),
    "carry_unknown_source": (
        lambda: carried("UF_XX", {}),
        (
            "carry= names 'UF_XX', which is no custom field of the lead, did you mean 'UF_X'?"
            " (correct the name)"
        ),
    ),
    "carry_unknown_kind": (
        lambda: carried("UF_X", {"dael": "title"}),
        (
            "carry= sends UF_X to 'dael', which is no kind, did you mean 'deal'?"
            " (choose among company, contact, deal)"
        ),
    ),
    "carry_not_asked": (
        lambda: carried("UF_Y", {"deal": "type"}),
        (
            "carry= names UF_Y, which a mapping has decided on already"
            " (change the rules, or leave it out)"
        ),
    ),
    "carry_conflict": (
        lambda: carried("UF_X", {"deal": "title"}),
        "carry= sends UF_X to deal.title, which another field fills already (choose another field)",
    ),
    "would_drop": (
        lambda: (
            plan(
                attrs.evolve(TITLED, tags=("new",)),
                ["deal"],
                rules=rules(losses="strict"),
                actor=SELLER,
                at=AT,
            ).problems
        ),
        (
            "tags of the lead would be lost (map it, leave it behind on purpose, or choose a kind"
            " it goes to)"
        ),
    ),
    "nothing_to_undo": (
        lambda: taken_back(TITLED),
        "no conversion of the lead is in force (there is nothing to take back)",
    ),
    "unknown_conversion": (
        lambda: taken_back(CLOSED, conversion="L-7.l"),
        "the lead has no conversion 'L-7.l', did you mean 'L-7.1'? (choose among L-7.1)",
    ),
    "undone_already": (
        lambda: taken_back(
            attrs.evolve(TITLED, conversions=[attrs.evolve(MADE, undone=UNDONE)]),
            conversion="L-7.1",
        ),
        "conversion 'L-7.1' was reopened already (there is nothing to take back)",
    ),
    "newer_first": (
        lambda: taken_back(
            attrs.evolve(CLOSED, conversions=[MADE, attrs.evolve(MADE, id="L-7.2")]),
            conversion="L-7.1",
        ),
        "conversion 'L-7.1' is not the newest in force (take back L-7.2 first)",
    ),
    "too_late": (
        lambda: taken_back(CLOSED, by=rules(undo_within=timedelta(days=30)), after=31),
        (
            "conversion 'L-7.1' was made 31 days, 0:00:00 ago, and can be taken back within"
            " 30 days, 0:00:00 (reopen the lead with keep=True, or change the rules)"
        ),
    ),
    "no_trace": (
        lambda: taken_back(CLOSED),
        (
            "the trace of conversion 'L-7.1' was not handed over in known="
            " (load what wanted_reversal() lists)"
        ),
    ),
    "changed_since": (
        lambda: taken_back(CLOSED, Deal(id="D-5", title="Engine"), trace=MADE_DEAL),
        "deal 'D-5' has changed since, in title (let it stay with partial=True, or change it back)",
    ),
    "changed_unseen": (
        lambda: taken_back(
            CLOSED,
            Deal(id="D-5", custom={"margin": 7}),
            by=attrs.evolve(
                guarded(required=False), policy=Policy([Role("sales", [Grant("*", list(Action))])])
            ),
            trace=MADE_DEAL,
        ),
        (
            "deal 'D-5' has changed since, in something that u-7 may not see"
            " (let it stay with partial=True, or let somebody take it back who may see it)"
        ),
    ),
    "has_others": (
        lambda: taken_back(
            CLOSED,
            Contact(id="C-3"),
            Deal(id="D-9", contact_ids=["C-3"]),
            trace=TraceStep(ref=Ref("contact", "C-3"), action="created"),
        ),
        (
            "other records still refer to contact 'C-3': 1"
            " (let it stay with partial=True, or give them to another)"
        ),
    ),
    "merged_away": (
        lambda: taken_back(
            CLOSED,
            Deal(id="D-6"),
            trace=MADE_DEAL,
            merged=[(Ref("deal", "D-5"), Ref("deal", "D-6"))],
        ),
        "deal 'D-5' was merged into 'D-6' since (let that stay with partial=True)",
    ),
    "gone_since": (
        lambda: taken_back(CLOSED, trace=MADE_DEAL),
        (
            "deal 'D-5' is gone, or was not handed over in known="
            " (load what wanted_reversal() lists, or do without it with partial=True)"
        ),
    ),
    "not_asked": (
        lambda: answered({0: {"titel": "Engine"}}),
        (
            "nobody asked for titel of target 0 (deal), did you mean 'title'?"
            " (answer what the form and the questions ask)"
        ),
    ),
    "no_table": (
        lambda: of_table(b""),
        (
            "line 1: no table can be read: it is empty"
            " (correct the file, or say what separates cells)"
        ),
    ),
    "no_columns": (
        lambda: of_table(b"No\n", columns=[]),
        (
            "line 1: the rules say nothing of columns"
            " (add columns= to them; the command leadconvert columns proposes which)"
        ),
    ),
    "short_row": (
        lambda: of_table(b"No,Day\nL-7\n"),
        ("line 2: the row has 1 of 2 cells (quote the line breaks in its cells, or fill it up)"),
    ),
    "no_header": (
        lambda: of_table(b"No,Day\nL-7,,x\n"),
        (
            "line 2, column 3: a value stands in a column without a header"
            " (give the column one, or quote what separates cells)"
        ),
    ),
    "no_id": (
        lambda: of_table(b"No,Day\n,2027-01-31\n"),
        "line 2: the row has no id (fill it in, or number the rows: prefix=)",
    ),
    "not_text": (
        lambda: of_table(b"No,Day\n\xff,\n"),
        "line 2, column No: the cell holds a byte that is no UTF-8 (save the file in UTF-8)",
    ),
    "other_form": (
        lambda: of_table(b"No,Day\nL-7,soon\n"),
        (
            "line 2, column Day: lead.birth_date takes a date such as 2027-01-31, not what stands"
            " there (correct it, or say in the column how it is written)"
        ),
    ),
    "duplicate": (
        lambda: refused(lambda: Pipeline("p", "deal", ["a", "a"])),
        "pipeline p: stage 'a' stands twice (remove or rename one)",
    ),
    "unknown": (
        lambda: refused(lambda: Kind("invoice", fields=[BACK], owner="ownr")),
        "kind invoice: there is no field 'ownr' (correct the name)",
    ),
    "unknown_choice": (
        lambda: refused(lambda: Stage("a", "won")),
        "stage: there is no stage role 'won' (choose among process, success, failure)",
    ),
    "blank_id": (
        lambda: refused(lambda: Policy([Role(" ")])),
        "policy: a role needs an id that is not blank (give it one)",
    ),
    "reserved_id": (
        lambda: refused(lambda: rules(kinds=[DEAL, Kind("*", fields=[BACK])])),
        "kinds: '*' has a meaning of its own (choose another id)",
    ),
    "no_options": (
        lambda: refused(lambda: Field("x", "enumeration")),
        "field x: an enumeration needs options (give it options=[...])",
    ),
    "misplaced": (
        lambda: refused(lambda: Field("x", "text", to="deal")),
        "field x: to says nothing about a field of type text (leave it out)",
    ),
    "bad_default": (
        lambda: refused(lambda: Field("x", "text", default=5)),
        "field x: the value does not fit: wrong_type (correct it)",
    ),
    "bad_length": (
        lambda: refused(lambda: Field("x", "text", max_length=0)),
        "field x: max_length must be 1 or more (correct it)",
    ),
    "no_kind_of_reference": (
        lambda: refused(lambda: Field("x", "reference")),
        "field x: a reference needs the kind it points at (give it to='...')",
    ),
    "not_attrs": (
        lambda: refused(loose_kind(Unmade)),
        "kind x: Unmade is no attrs class (decorate it with @attrs.frozen)",
    ),
    "not_frozen": (
        lambda: refused(loose_kind(Loose)),
        "kind x: Loose is not frozen (decorate it with @attrs.frozen)",
    ),
    "no_member": (
        lambda: refused(loose_kind(Bare)),
        "kind x: Bare has no attribute 'id' (add it)",
    ),
    "no_type": (
        lambda: refused(loose_kind(Bare)),
        "kind x: nothing says what a value of 'riddle' is (describe it with Field('riddle', ...))",
    ),
    "custom_is_standard": (
        lambda: refused(lambda: attrs.evolve(DEAL, custom=[Field("type", "text")])),
        "kind deal: 'type' is an attribute of the class (describe it in fields=, not in custom=)",
    ),
    "never_hidden": (
        lambda: refused(
            lambda: attrs.evolve(DEAL, fields=[Field("stage", "text", sensitive=True)])
        ),
        (
            "kind deal: 'stage' says where a record stands, which cannot be hidden"
            " (do not mark it as sensitive)"
        ),
    ),
    "no_back_pointer": (
        lambda: refused(lambda: rules(kinds=[DEAL, Kind("x")])),
        (
            "kind x: nothing points back at the lead"
            " (add a multiple reference to the lead's kind, and name it in converted_from=)"
        ),
    ),
    "single_back_pointer": (
        lambda: refused(
            lambda: rules(
                kinds=[DEAL, Kind("x", fields=[Field("converted_from", "reference", to="lead")])]
            )
        ),
        (
            "kind x: 'converted_from' points back at one lead only"
            " (make it multiple: a record may come from several leads)"
        ),
    ),
    "lead_class": (
        lambda: refused(lambda: rules(lead=Kind("lead"))),
        "kind lead: the class of the leads is not leadconvert.Lead (use kinds.LEAD, refined)",
    ),
    "shared_class": (
        lambda: refused(lambda: rules(kinds=[DEAL, COMPANY, attrs.evolve(COMPANY, id="firm")])),
        "kinds: kinds company, firm share the class Company (give each kind its own class)",
    ),
    "cycle": (
        lambda: refused(lambda: rules(kinds=[DEAL, circle("a", "b"), circle("b", "a")])),
        "kinds: kinds refer to each other in a circle: a, b (remove one of the references)",
    ),
    "parent_cycle": (
        lambda: refused(lambda: Organisation(departments=[Unit("a", "b"), Unit("b", "a")])),
        (
            "departments: departments form a circle of parents: a, b"
            " (give one of them another parent, or none)"
        ),
    ),
    "one_success": (
        lambda: refused(lambda: rules(pipelines=[Pipeline("p", "lead", ["NEW"]), SALES])),
        (
            "pipeline p: a lead's pipeline has exactly one success stage, this one has 0"
            " (mark one stage as success)"
        ),
    ),
    "no_process": (
        lambda: refused(lambda: Pipeline("p", "deal", [])),
        "pipeline p: a pipeline needs a stage in process (add one)",
    ),
    "one_pipeline": (
        lambda: refused(lambda: rules(pipelines=[LEADS, attrs.evolve(LEADS, id="more"), SALES])),
        "kind lead: kind 'lead' needs exactly one pipeline, it has 2 (keep one)",
    ),
    "no_pipeline": (
        lambda: refused(lambda: rules(pipelines=[LEADS])),
        "kind deal: kind 'deal' has stages but no pipeline (add one)",
    ),
    "no_stages": (
        lambda: refused(
            lambda: rules(pipelines=[LEADS, SALES, Pipeline("p", "company", ["open"])])
        ),
        "kind company: kind 'company' has no stage field, yet a pipeline (name it in stage=)",
    ),
    "one_default": (
        lambda: refused(lambda: rules(pipelines=[LEADS, SALES, attrs.evolve(SALES, id="more")])),
        "kind deal: kind 'deal' has 2 pipelines and 0 defaults (mark one pipeline as default)",
    ),
    "empty_grant": (
        lambda: refused(lambda: Grant("deal", [])),
        ("grant on deal: a grant with no action says nothing (add what it lacks, or remove it)"),
    ),
    "misplaced_in_grant": (
        lambda: refused(lambda: Grant("deal", "read", to=["won"])),
        "grant on deal: to says nothing without the action move (leave it out)",
    ),
    "never_applies": (
        lambda: refused(lambda: granted(Grant("company", "move"))),
        (
            "role sales: a grant on 'company' can never apply: it has no stages to move between"
            " (correct or remove it)"
        ),
    ),
    "wrong_shape": (
        lambda: refused(lambda: presets.bitrix24.policy({"sales": ["LEAD"]})),
        "policy sales: a mapping is needed here, not a value of type list (correct it)",
    ),
    "misplaced_range": (
        lambda: refused(
            lambda: attrs.evolve(LEADS, required=[Required("amount", since="NEW", failures=True)])
        ),
        (
            "pipeline leads: a range of stages cannot have since: the failure stages have no order"
            " (correct it)"
        ),
    ),
    "backward_range": (
        lambda: refused(
            lambda: attrs.evolve(LEADS, required=[Required("amount", since="DONE", until="NEW")])
        ),
        ("pipeline leads: the stages from 'DONE' to 'NEW' run backwards (turn them round)"),
    ),
    "bad_owner_rule": (
        lambda: refused(lambda: rules(owners=[OwnerRule("deal", "listed")])),
        "owner rule for deal: an owner rule cannot be: nobody is listed (correct or remove it)",
    ),
    "bad_limit": (
        lambda: refused(lambda: rules(limits=[Limit("company", "no_open")])),
        ("limits: a limit cannot be: a company has no stages to be open in (correct or remove it)"),
    ),
    "bad_match_rule": (
        lambda: refused(lambda: rules(matching=Matching([MatchRule("contact", [])]))),
        "match rule for contact: a match rule cannot be: it names no keys (correct it)",
    ),
    "bad_column": (
        lambda: refused(lambda: Column(None, "title")),
        "column every row → title: a column cannot be: it has neither a header nor a default",
    ),
    "bad_child_rule": (
        lambda: refused(lambda: rules(children=[ChildRule(Kind("note"))])),
        "child rule for note: a child rule cannot be: no field points at kind lead (correct it)",
    ),
    "bad_conflict": (
        lambda: refused(lambda: rules(mappings=[FieldMapping("title", "deal", conflict="append")])),
        (
            "mapping title → deal.title: title cannot be merged by 'append': it holds one value"
            " (choose another rule)"
        ),
    ),
    "bad_condition": (
        lambda: refused(
            automated(AutomationRule("all", ["deal"], when=Where("title", "less", "M")))
        ),
        ("automation rule all: a condition on title cannot be: text has no order (correct it)"),
    ),
    "bad_rule": (
        lambda: refused(automated(AutomationRule("idle", on="NEW"))),
        "automation rule idle: the rule does nothing (correct or remove it)",
    ),
    "rule_cycle": (
        lambda: refused(
            automated(
                AutomationRule("out", on="NEW", to="JUNK"),
                AutomationRule("back", on="JUNK", to="NEW"),
            )
        ),
        "automation: rules move a lead in a circle: out, back (remove one of the moves)",
    ),
    "two_mappings": (
        lambda: refused(
            lambda: rules(
                mappings=[FieldMapping("title", "deal"), FieldMapping("source", "deal", "title")]
            )
        ),
        (
            "mappings: title, source are both mapped to deal.title"
            " (make one the fallback of the other)"
        ),
    ),
    "decided_twice": (
        lambda: refused(
            lambda: rules(mappings=[FieldMapping("title", "deal"), FieldMapping.leave("title")])
        ),
        "mappings: title is mapped and left behind as well (keep one of the two)",
    ),
    "unmappable": (
        lambda: refused(
            lambda: rules(mappings=[FieldMapping("contact_ids", "deal", "converted_from")])
        ),
        (
            "mapping contact_ids → deal.converted_from: deal.converted_from is set by the"
            " conversion itself (remove the mapping)"
        ),
    ),
    "bad_template": (
        lambda: refused(lambda: FieldMapping.joined("deal", "title", "{title")),
        (
            "mapping template → deal.title: a template cannot be read: a brace is left open;"
            " a brace itself is written twice (correct it)"
        ),
    ),
    "incomplete_mapping": (
        lambda: refused(lambda: FieldMapping(None, "deal", "title")),
        "mapping constant → deal.title: a mapping has neither a source nor a constant (correct it)",
    ),
    "lambda": (
        lambda: refused(lambda: rules(transforms={"own": lambda value: value})),
        "transforms: transform 'own' is a lambda or a local function (define it in a module)",
    ),
    "does_not_fit": (
        lambda: refused(
            lambda: spread(
                rules(lead=attrs.evolve(LEAD, custom=[Field("UF_X", "integer")])),
                "UF_X",
                into={"deal": "title"},
            )
        ),
        (
            "spread of UF_X: title does not fit UF_X: text against integer"
            " (choose a field of the same type)"
        ),
    ),
    "decided_already": (
        lambda: refused(
            lambda: spread(
                rules(
                    lead=attrs.evolve(LEAD, custom=[Field("UF_X", "integer")]),
                    mappings=[FieldMapping.leave("UF_X")],
                ),
                "UF_X",
                into={},
            )
        ),
        (
            "spread of UF_X: where UF_X goes is decided already"
            " (remove its mapping, or take back with reconsider() that it was declined)"
        ),
    ),
    "not_declined": (
        lambda: refused(
            lambda: reconsider(
                rules(lead=attrs.evolve(LEAD, custom=[Field("UF_X", "integer")])), "UF_X"
            )
        ),
        "reconsidering UF_X: UF_X was not declined (name what was)",
    ),
    "unclear": (
        lambda: refused(
            lambda: Suggestion(
                source="UF_X", kind="deal", doubt=Doubt.AMBIGUOUS, candidates=("UF_A", "UF_B")
            ).accepted(rules())
        ),
        (
            "suggestion for UF_X: where UF_X goes in deal is not plain (ambiguous: UF_A, UF_B)"
            " (say it with spread())"
        ),
    ),
    "bad_syntax": (
        lambda: refused(lambda: config.loads("a = ")),
        "line 1, column 5: this is no TOML: invalid value (correct it)",
    ),
    "unreadable": (
        lambda: refused(lambda: config.load("nowhere.toml")),
        (
            "nowhere.toml: the file cannot be read: there is no such file"
            " (name a file that can, in UTF-8)"
        ),
    ),
    "too_large": (
        lambda: refused(lambda: config.loads("#" * 1_000_001)),
        "rules: the file has more than 1000000 bytes (leave out what is no rule)",
    ),
    "too_deep": (
        lambda: refused(lambda: config.loads(f"a = {'[' * 40}{']' * 40}")),
        "rules: the file is nested deeper than 32 levels (make it flatter)",
    ),
    "no_version": (
        lambda: refused(lambda: config.loads("")),
        (
            "rules: the file does not say of which version it is"
            " (write schema_version = 1 at its top)"
        ),
    ),
    "bad_version": (
        lambda: refused(lambda: config.loads("schema_version = 0")),
        "schema_version: there is no such version (write schema_version = 1)",
    ),
    "newer_version": (
        lambda: refused(lambda: config.loads("schema_version = 2")),
        (
            "schema_version: the file is of version 2, this release knows 1"
            " (install a newer release)"
        ),
    ),
    "missing_key": (
        lambda: refused(lambda: config.loads("schema_version = 1\nkinds = []")),
        "rules: the key 'pipelines' is missing (add it)",
    ),
    "bad_value": (
        lambda: refused(
            lambda: config.loads("schema_version = 1\nundo_within = { days = 9999999999 }")
        ),
        "undo_within: this cannot be: that is longer than can be counted (correct it)",
    ),
    "unbound": (
        lambda: refused(lambda: config.loads("schema_version = 1\nmergers = ['mine']")),
        (
            "mergers[0]: nobody has bound the merger 'mine'"
            " (correct the name, or hand it over in mergers=)"
        ),
    ),
    "unwritable": (
        lambda: refused(
            lambda: config.dumps(
                rules(mappings=[FieldMapping("title", "deal", values={"x": 10**5000})])
            )
        ),
        "rules: a number has no form in a file: it is too long (leave it out)",
    ),
}


class TestSentences:
    @pytest.mark.parametrize("code", sorted(SENTENCES))
    def test_every_code_is_told_in_whole(self, code: str) -> None:
        """Each code is really used, and its sentence has a word for every fact in it."""
        provoke, expected = PROVOKED[code]
        told = [str(problem) for problem in provoke() if problem.code == code]
        assert told
        assert told[0].startswith(expected)
        assert all("{" not in one.replace("{...}", "") for one in told)

    def test_every_code_has_a_case_here(self) -> None:
        """A new sentence needs a case in this file."""
        assert sorted(SENTENCES) == sorted(PROVOKED)

    @pytest.mark.parametrize("code", sorted(SENTENCES))
    def test_every_code_is_used(self, code: str) -> None:
        """A sentence that no source file uses is none too few."""
        root = Path(leadconvert.__file__).parent
        files = [path for path in root.rglob("*.py") if path.name != "wording.py"]
        assert any(f'"{code}"' in path.read_text(encoding="utf-8") for path in files)


class TestProblem:
    def test_told_in_two_parts(self) -> None:
        """A problem tells what is wrong and the way out, with its place if it has one."""
        assert "deal needs Title" == REQUIRED.message
        assert "supply it in values=" == REQUIRED.remedy
        assert "deal needs Title (supply it in values=)" == str(REQUIRED)
        assert "pipeline p: a pipeline needs a stage in process (add one)" == str(
            mistake("no_process", "pipeline p")
        )

    def test_who_could(self) -> None:
        """A denial names the roles that would permit it, and a role misspelt."""
        could = {"could": ["boss", "saels"], "did_you_mean": "saels"}
        problem = attrs.evolve(DENIED, params={**DENIED.params, **could})
        assert (
            "u-7 may not create company: no role of theirs permits it, did you mean 'saels'?"
            " (ask for a role that may (such as boss, saels), or leave it out)"
        ) == str(problem)
        assert (
            "ask for a wider permission (such as boss, saels), or choose another owner"
        ) == attrs.evolve(problem, code="out_of_scope").remedy

    def test_an_unknown_code(self) -> None:
        """A code of a host's own is told by itself, whatever its params."""
        problem = Problem(cause=Cause.INVALID, code="odd", params={"a": 1})
        assert "odd (see the documentation of that code)" == str(problem)

    def test_params_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no problem."""
        params: dict[str, object] = {"label": "Title", "sources": ["title"]}
        problem = attrs.evolve(REQUIRED, params=params)
        params["label"] = "Other"
        assert REQUIRED == problem
        assert {"label": "Title", "sources": ("title",)} == problem.params
        assert 1 == len({REQUIRED, problem})

    def test_an_unknown_cause(self) -> None:
        """Causes are a closed list."""
        loose: Callable[..., object] = Problem
        with pytest.raises(ValueError, match="whim"):
            loose(cause="whim", code="x")

    def test_strange_names(self) -> None:
        """Braces, marks and lone surrogates in names break no sentence."""
        for name in ("{kind}", "{", "\ud800", "\u202e", "\x00"):
            told = str(mistake("duplicate", "kinds", what="kind", name=name))
            assert told == f"kinds: kind {name!r} stands twice (remove or rename one)"

    def test_a_value_is_never_told(self) -> None:
        """Problems tell where and why, never a record's value."""
        for problem in supplied(UF_TEXT="secret", UF_HEAT="secret", opened="secret", stage="open"):
            assert "secret" not in f"{problem!r} {problem}"


class TestErrors:
    def test_every_public_name_is_known_here(self) -> None:
        """A new error needs a sample in this file."""
        assert [
            "AccessDeniedError",
            "AlreadyConvertedError",
            "AmbiguousMatchError",
            "Cause",
            "ConflictError",
            "ConversionError",
            "DefinitionError",
            "IdempotencyError",
            "InvalidFieldsError",
            "InvalidTargetError",
            "LeadConvertError",
            "MissingFieldsError",
            "NotReversibleError",
            "Problem",
            "RecordNotFoundError",
            "SchemaVersionError",
            "StageNotAllowedError",
            "StoreError",
            "TargetsRequiredError",
            "UnavailableError",
            "UnfitValueError",
            "UnknownTargetError",
            "refusal",
        ] == errors.__all__
        sampled = {type(error).__name__ for error in ERRORS}
        assert sampled == {*errors.__all__} - {"Cause", "Problem", "refusal"}

    @pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
    def test_survives_every_journey(self, error: LeadConvertError) -> None:
        """Every error pickles and copies into one of the same class and content."""
        for again in (
            pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
            copy.copy(error),
            copy.deepcopy(error),
        ):
            assert error == again
            assert hash(error) == hash(again)
            assert type(error) is type(again)
            assert vars(error) == vars(again)
            assert str(error) == str(again)

    def test_equal_by_content_and_class(self) -> None:
        """Errors of one class with one content are equal, all others are not."""
        assert 20 == len({*ERRORS, *copy.deepcopy(ERRORS)})
        one = errors.MissingFieldsError("L-7", [REQUIRED])
        assert one == errors.MissingFieldsError("L-7", iter([REQUIRED]))
        assert one != errors.MissingFieldsError("L-8", [REQUIRED])
        assert one != errors.MissingFieldsError("L-7", [REQUIRED, DENIED])
        assert one != errors.InvalidFieldsError("L-7", [REQUIRED])
        assert one != ValueError("L-7", (REQUIRED,))

    def test_what_they_carry(self) -> None:
        """An error carries every problem and tells them all."""
        error = errors.AccessDeniedError("L-7", [DENIED, REQUIRED])
        assert "L-7" == error.lead_id
        assert (DENIED, REQUIRED) == error.problems
        assert (
            "lead L-7: u-7 may not create company: no role of theirs permits it"
            " (ask for a role that may, or leave it out);"
            " deal needs Title (supply it in values=)"
        ) == str(error)

    @pytest.mark.parametrize(
        "error",
        [
            MisfitError("too_long", {"max_length": 3, "length": 4}),
            TransformError("shout", "KeyError"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_inner_errors_travel_too(self, error: Exception) -> None:
        """What the lower rooms raise pickles with all it says."""
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert vars(error) == vars(again)
        assert str(error) == str(again)


class TestStoreErrors:
    def test_what_they_carry(self) -> None:
        """An error of a store says what is wrong, and with which records."""
        error = errors.ConflictError("it was changed meanwhile", iter([Ref("deal", "D-5")]))
        assert ("it was changed meanwhile", (Ref("deal", "D-5"),)) == (error.message, error.refs)
        assert "it was changed meanwhile: deal D-5" == str(error)
        both = [Ref("deal", "D-5"), Ref("lead", "L-7")]
        assert "gone: deal D-5, lead L-7" == str(errors.RecordNotFoundError("gone", both))
        bare = errors.UnavailableError("the connection was lost")
        assert ("the connection was lost", ()) == (str(bare), bare.refs)

    def test_the_key_of_another_request(self) -> None:
        """An error about a key carries the key, however it travels."""
        error = errors.IdempotencyError("it's k-1")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        for one in (error, again, copy.copy(error)):
            assert ("it's k-1", ()) == (one.key, one.refs)
            assert 'another request was made under the key "it\'s k-1"' == str(one) == one.message
        assert error != errors.IdempotencyError("k-2")

    def test_equal_by_content_and_class(self) -> None:
        """Errors of one class about the same are equal, all others are not."""
        one = errors.ConflictError("x", [Ref("deal", "D-5")])
        assert one == errors.ConflictError("x", (Ref("deal", "D-5"),))
        assert one != errors.ConflictError("x")
        assert one != errors.ConflictError("y", [Ref("deal", "D-5")])
        assert one != errors.RecordNotFoundError("x", [Ref("deal", "D-5")])

    def test_they_are_no_refusals(self) -> None:
        """Whoever catches refusals does not catch them, nor the other way round."""
        stores = [one for one in ERRORS if isinstance(one, errors.StoreError)]
        assert 7 == len(stores)
        assert [] == [one for one in stores if isinstance(one, ConversionError)]
        assert {errors.StoreError} == {
            type(one).__mro__[1] for one in stores if type(one) is not errors.StoreError
        }


class TestRefusal:
    @pytest.mark.parametrize(
        ("cause", "expected"),
        [
            ("lead_access", errors.AccessDeniedError),
            ("already_converted", errors.AlreadyConvertedError),
            ("stage", errors.StageNotAllowedError),
            ("targets_required", errors.TargetsRequiredError),
            ("target_access", errors.AccessDeniedError),
            ("unknown_target", errors.UnknownTargetError),
            ("ambiguous", errors.AmbiguousMatchError),
            ("invalid_target", errors.InvalidTargetError),
            ("missing", errors.MissingFieldsError),
            ("invalid", errors.InvalidFieldsError),
        ],
    )
    def test_a_class_for_each_cause(self, cause: str, expected: type[ConversionError]) -> None:
        """Each cause has its class, and keeps it beside every lesser one."""
        order = [one.value for one in Cause]
        lesser = order[order.index(cause) :]
        problems = [Problem(cause=Cause(one), code="x") for one in reversed(lesser)]
        error = refusal("L-7", problems)
        assert expected is type(error)
        assert tuple(problems) == error.problems
        assert "L-7" == error.lead_id

    def test_the_order_of_causes(self) -> None:
        """The gravest cause stands first, for ever."""
        assert [
            "definition",
            "lead_access",
            "already_converted",
            "stage",
            "targets_required",
            "target_access",
            "unknown_target",
            "ambiguous",
            "invalid_target",
            "missing",
            "invalid",
            "reversal",
        ] == [cause.value for cause in Cause]


class TestMistakes:
    def test_twice(self) -> None:
        """A name is told once for each time too many."""
        told = [str(one) for one in twice("stage", ["a", "b", "a", "a"], "p")]
        assert ["p: stage 'a' stands twice (remove or rename one)"] * 2 == told
        assert [] == list(twice("stage", ["a", "b"], "p"))

    def test_unknown(self) -> None:
        """An unknown name comes with the likeliest meant, if any is likely."""
        assert "p: there is no kind 'dael', did you mean 'deal'? (correct the name)" == str(
            unknown("kind", "dael", ["contact", "deal"], "p")
        )
        assert "p: there is no kind 'x' (correct the name)" == str(
            unknown("kind", "x", ["contact", "deal"], "p")
        )

    def test_did_you_mean(self) -> None:
        """A guess is one near name, as plain text."""
        assert {"did_you_mean": "deal"} == did_you_mean("dael", ["deal", "deals"])
        assert {} == did_you_mean("", ["deal"])
        guess = did_you_mean("misssing", list(Cause))["did_you_mean"]
        assert ("missing", str) == (guess, type(guess))
