"""Who asks the same again under the same key gets the first result; another request is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Automation,
    AutomationRule,
    ChangeSet,
    Channel,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    Find,
    Known,
    Lead,
    Link,
    Matching,
    MatchRule,
    Merge,
    MoveResult,
    Pipeline,
    Policy,
    Ref,
    Reversal,
    Stage,
    Update,
    Wanted,
    WithoutLeads,
    inquire,
    plan,
    resume,
    seed,
)
from leadconvert.errors import IdempotencyError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import Record
from leadconvert.stores import (
    MemoryStore,
    SqlStore,
    Store,
    advance_stored,
    arrive_stored,
    convert_stored,
    reverse_stored,
)


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
BOSS: Final = Actor("u-1", roles=["b", "a"])
ROBOT: Final = Actor("robot")
RULES: Final = ConversionRules(
    lead=attrs.evolve(
        LEAD,
        custom=[Field("UF_X", "text"), Field("UF_N", "decimal"), Field("UF_AT", "datetime")],
    ),
    kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[Field("UF_PAYER", "text")])],
    pipelines=[
        Pipeline(
            "leads", "lead", ["NEW", "WORK", Stage("DONE", "success"), Stage("JUNK", "failure")]
        ),
        Pipeline("sales", "deal", ["open", "offer", Stage("won", "success")]),
    ],
    mappings=[
        FieldMapping("last_name", "contact"),
        FieldMapping("emails", "contact", conflict="append"),
        FieldMapping("company_name", "company", "name"),
        FieldMapping("title", "deal"),
        FieldMapping.leave("UF_N"),
        FieldMapping.leave("UF_AT"),
    ],
    policy=Policy.allow_all(),
    matching=Matching(
        [MatchRule("contact", ["email"], "merge"), MatchRule("company", ["company"], "link")],
        enrich=True,
    ),
)
#: The rules act when a lead arrives, and in two stages.
ACTING: Final = attrs.evolve(
    RULES,
    automation=Automation(
        ROBOT,
        [
            AutomationRule("clients", ["company", "contact"], closing=False),
            AutomationRule("working", ["deal"], on="WORK"),
        ],
    ),
)
AT_ONCE: Final = attrs.evolve(RULES, automation=Automation(ROBOT, without_leads=WithoutLeads()))
NEW: Final = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    emails=[Channel("ada@example.com")],
    custom={"UF_N": Decimal(5), "UF_AT": AT},
)
ADA: Final = Contact(id="C-3", last_name="Byron", emails=[Channel("ada@example.com")])
ENGINES: Final = Company(id="CO-9", name="Engines")
DEAL_5: Final = Deal(id="D-5", title="Old", pipeline="sales", stage="open")
BOUND: Final = attrs.evolve(NEW, company_id="CO-9", contact_ids=["C-3"])
LEAD_REF: Final = Ref("lead", "L-7")

Result = ConversionResult | MoveResult | Reversal
Call = Callable[[Store], Result]


def converting(into: Any, *, rules: ConversionRules = RULES, **more: Any) -> Call:  # noqa: ANN401
    """A conversion of the lead under the key."""
    given = {"actor": BOSS, "at": AT, "key": "k-1", **more}
    return lambda store: convert_stored(store, "L-7", into, rules=rules, **given)


def advancing(
    record: Ref | str,
    to: str,
    into: Any = (),  # noqa: ANN401 - whatever a driver takes
    *,
    rules: ConversionRules = RULES,
    **more: Any,  # noqa: ANN401
) -> Call:
    """A move under the key."""
    given = {"actor": BOSS, "at": AT, "key": "k-1", **more}
    return lambda store: advance_stored(store, record, to, into, rules=rules, **given)


def arriving(lead: Lead = NEW, *, rules: ConversionRules = RULES, **more: Any) -> Call:  # noqa: ANN401
    """A lead that arrives under the key."""
    given = {"at": AT, "key": "k-1", **more}
    return lambda store: arrive_stored(store, lead, rules=rules, **given)


def reversing(*, rules: ConversionRules = RULES, **more: Any) -> Call:  # noqa: ANN401
    """Taking back under the key what was converted before."""
    given = {"actor": BOSS, "at": AT, "key": "k-1", **more}
    return lambda store: reverse_stored(store, "L-7", rules=rules, **given)


@attrs.frozen(kw_only=True)
class Case:
    """A request, the same in other words, and requests that are others."""

    first: Call
    same: tuple[Call, ...] = ()
    others: tuple[Call, ...] = ()
    records: tuple[Record, ...] = (NEW,)
    #: What was done before, under no key.
    before: tuple[Call, ...] = ()
    rules: ConversionRules = RULES


ENGINES_REF: Final = Ref("company", "CO-9")
DEAL_REF: Final = Ref("deal", "D-5")
NOBODY_ELSE: Final = Known(records=[ADA, ENGINES])
LATER: Final[dict[str, Any]] = {
    "at": AT.replace(year=2028),
    "actor": Actor("u-1", roles=["a", "b"]),
    "reason": "asked again",
}
CASES: Final = {
    "a name": Case(
        first=converting(["deal"]),
        same=(converting([Find("deal")]), converting(("deal",), **LATER), converting({"deal"})),
        others=(
            converting(["contact"]),
            converting(["deal", "deal"]),
            converting([Create("deal")]),
            converting(["deal"], closing=False),
            converting(["deal"], mode="supplement"),
            converting(["deal"], values={"title": "Other"}),
            converting(["deal"], values={"title": None}),
            converting(["deal"], carry={"UF_X": {}}),
            converting(["company", "deal"]),
            advancing("L-7", "WORK"),
            arriving(),
            reversing(),
        ),
    ),
    "in another order": Case(
        first=converting(["contact", "deal", "company"]),
        same=(converting(("company", "contact", "deal")),),
        others=(converting(["contact", "deal"]),),
    ),
    "clients that are bound fill their gaps": Case(
        first=converting(["deal"]),
        others=(converting(["deal", "contact"]), converting(["deal", "company"])),
        records=(BOUND, ADA, ENGINES),
    ),
    "clients that are bound on the way": Case(
        first=converting(["deal"], values={"company_id": "CO-9", "contact_ids": ["C-3"]}),
        same=(converting(["deal"], values={"contact_ids": "C-3", "company_id": "CO-9"}),),
        others=(converting(["deal"], values={"company_id": "CO-9"}),),
        records=(NEW, ADA, ENGINES),
    ),
    "who matches": Case(
        first=converting(["deal", "contact", "company"]), records=(NEW, ADA, ENGINES)
    ),
    "who was chosen": Case(
        first=converting([Link("company", "CO-9", revision=None), Merge("contact", "C-3")]),
        same=(converting([Merge("contact", "C-3"), Link("company", "CO-9")]),),
        others=(
            converting([Merge("company", "CO-9"), Merge("contact", "C-3")]),
            converting([Link("company", "CO-9"), Merge("contact", "C-4")]),
        ),
        records=(NEW, ADA, ENGINES),
    ),
    "an id": Case(
        first=converting([Create("deal", id="D-77")]), others=(converting([Create("deal")]),)
    ),
    "values of a target": Case(
        first=converting([Find("deal", values={"amount": 5, "currency": "EUR"})]),
        same=(
            converting([Find("deal", values={"currency": "EUR", "amount": Decimal("5.00")})]),
            converting([Find("deal", values={"currency": ["EUR"], "amount": Decimal(5)})]),
        ),
        others=(
            converting([Find("deal", values={"amount": 6, "currency": "EUR"})]),
            converting([Find("deal", values={"amount": 5, "currency": "USD"})]),
        ),
    ),
    "values of the lead": Case(
        first=converting(["deal"], values={"UF_N": 7, "emails": ["x@example.com"], "UF_AT": AT}),
        same=(
            converting(
                ["deal"],
                values={
                    "emails": (Channel("x@example.com"),),
                    "UF_AT": AT.astimezone(timezone(timedelta(hours=3))),
                    "UF_N": Decimal("7.0"),
                },
            ),
        ),
        others=(converting(["deal"], values={"UF_N": 7, "emails": ["x@example.com"]}),),
    ),
    "nothing given": Case(
        first=converting(["deal"]),
        same=(converting(["deal"], values={}, carry={}, eligible_owners=["u-1"]),),
    ),
    "an answer": Case(
        first=converting(["deal"], carry={"UF_X": {"deal": "UF_PAYER"}}),
        others=(converting(["deal"]), converting(["deal"], carry={"UF_X": {}})),
        records=(attrs.evolve(NEW, custom={"UF_X": "blue"}),),
    ),
    "left open": Case(
        first=converting(["contact"], closing=False), others=(converting(["contact"]),)
    ),
    "a supplement": Case(
        before=(converting(["contact", "deal"], key=None),),
        first=converting(["deal"], mode="supplement"),
        others=(converting(["deal"]),),
    ),
    "a move": Case(
        first=advancing("L-7", "WORK", values={"UF_N": 7}),
        same=(
            advancing(LEAD_REF, "WORK", values={"UF_N": Decimal("7.0")}),
            advancing("L-7", "WORK", (), values={"UF_N": 7}, **LATER),
        ),
        others=(
            advancing("L-7", "JUNK", values={"UF_N": 7}),
            advancing("L-7", "WORK"),
            advancing("L-7", "WORK", ["deal"], values={"UF_N": 7}),
            advancing(DEAL_REF, "WORK", values={"UF_N": 7}),
        ),
        records=(NEW, DEAL_5),
    ),
    "a move of a deal": Case(
        first=advancing(DEAL_REF, "offer", values={"amount": 5, "currency": "EUR"}),
        same=(advancing(DEAL_REF, "offer", values={"amount": Decimal(5), "currency": "EUR"}),),
        others=(advancing(DEAL_REF, "won", values={"amount": 5, "currency": "EUR"}),),
        records=(DEAL_5,),
    ),
    "a move that is a conversion": Case(
        first=advancing("L-7", "DONE", ["deal", "contact"]),
        same=(advancing(LEAD_REF, "DONE", [Find("contact"), "deal"], **LATER),),
        others=(advancing("L-7", "DONE", ["deal"]),),
        records=(BOUND, ADA, ENGINES),
    ),
    "a move in which rules act": Case(
        first=advancing("L-7", "WORK", rules=ACTING),
        same=(advancing("L-7", "WORK", rules=ACTING, **LATER),),
        records=(BOUND, ADA, ENGINES),
        rules=ACTING,
    ),
    "an arrival": Case(
        first=arriving(),
        same=(
            arriving(at=AT.replace(year=2028)),
            arriving(attrs.evolve(NEW, custom={"UF_AT": AT, "UF_N": 5})),
        ),
        others=(
            arriving(attrs.evolve(NEW, id="L-8")),
            arriving(attrs.evolve(NEW, title="Other")),
            arriving(attrs.evolve(NEW, custom={"UF_AT": AT, "UF_N": 6})),
        ),
        records=(),
    ),
    "an arrival in which rules act": Case(
        first=arriving(rules=ACTING), records=(ADA, ENGINES), rules=ACTING
    ),
    "an arrival without leads": Case(first=arriving(rules=AT_ONCE), records=(ADA,), rules=AT_ONCE),
    "taking back": Case(
        before=(converting(["contact", "deal"], key=None),),
        first=reversing(),
        same=(reversing(**LATER),),
        others=(reversing(partial=True), reversing(keep=True), reversing(conversion="L-7.1")),
    ),
    "taking back what rules made": Case(
        before=(advancing("L-7", "WORK", rules=ACTING, key=None),),
        first=reversing(rules=ACTING, conversion="L-7.1"),
        records=(NEW, ADA),
        rules=ACTING,
    ),
    "reopening": Case(
        before=(converting(["contact", "deal"], key=None),),
        first=reversing(keep=True, to="WORK"),
        same=(reversing(to="WORK", keep=True),),
        others=(reversing(keep=True), reversing(keep=True, to="NEW")),
    ),
}


@contextmanager
def opened(kind: str, case: Case) -> Iterator[Store]:
    """A store of a kind that holds the records, after what was done before."""
    with (
        nullcontext(MemoryStore(case.rules))
        if kind == "memory"
        else SqlStore.from_url("sqlite://", rules=case.rules)
    ) as store:
        store.apply(seed(case.records, rules=case.rules))
        for call in case.before:
            call(store)
        yield store


def told(result: Result) -> list[object]:
    """What a result says that can be read back."""
    match result:
        case ConversionResult():
            refs = {(one.ref, one.record.revision) for one in result.outcomes}
            return [result.lead, result.conversion, refs]
        case MoveResult():
            return [result.record, *(told(one) for one in result.conversions)]
        case Reversal():
            return [result.lead]


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("name", CASES)
class TestRetries:
    def test_the_same_again(self, store: str, name: str) -> None:
        """The same, in the same words or in others, gives the first result and writes nothing."""
        case = CASES[name]
        for again in (case.first, *case.same):
            with opened(store, case) as crm:
                first = case.first(crm)
                assert told(first) == told(again(crm)) == told(again(crm))

    def test_another_request(self, store: str, name: str) -> None:
        """Another request under the key is refused, and changes nothing."""
        case = CASES[name]
        with opened(store, case) as crm:
            first = told(case.first(crm))
            for other in case.others:
                with pytest.raises(IdempotencyError):
                    other(crm)
            assert first == told(case.first(crm))


class TestWhatChangedSince:
    def test_the_lead_was_bound(self) -> None:
        """Whom the lead was bound to after the request makes no other request of it."""
        store, call = MemoryStore(RULES), converting(["deal"])
        store.apply(seed([NEW, ADA, ENGINES], rules=RULES))
        first = call(store)
        bound = Update(LEAD_REF, store.records[LEAD_REF].revision, {"company_id": ENGINES_REF})
        store.apply(ChangeSet(key="bound", fingerprint="f", changes=[bound]))
        again = call(store)
        assert isinstance(first, ConversionResult)
        assert isinstance(again, ConversionResult)
        assert ("CO-9", first.conversion) == (again.lead.company_id, again.conversion)

    @pytest.mark.parametrize("answers", [{}, {0: {"title": "Answered"}}], ids=["none", "one"])
    def test_an_inquiry_that_is_resumed_again(
        self, answers: dict[int | None, dict[str, str]]
    ) -> None:
        """A form that is sent twice is one request, though clients came along the first time."""
        untitled = attrs.evolve(BOUND, title=None)
        store = MemoryStore(RULES)
        store.apply(seed([untitled, ADA, ENGINES], rules=RULES))
        known = store.load(Wanted(refs=(LEAD_REF, Ref("contact", "C-3"), ENGINES_REF)))
        [lead] = (one for one in known.records if isinstance(one, Lead))
        looked = plan(lead, ["deal"], rules=RULES, actor=BOSS, at=AT, known=known, key="k-1")
        inquiry = inquire(looked, RULES)
        assert ["deal", "contact", "company"] == [one.kind for one in inquiry.request.targets]
        assert (Find("deal"),) == inquiry.request.asked
        answered = inquiry.answered(answers)
        unbound = attrs.evolve(lead, company_id=None, contact_ids=())
        prints = {
            resume(answered, one, rules=RULES, actor=BOSS, at=AT, known=known).plan.fingerprint
            for one in (lead, unbound)
        }
        assert 1 == len(prints)
        assert (not answers) == (prints == {looked.fingerprint})

    def test_an_answer_for_who_came_along(self) -> None:
        """What was answered for a client that came along is part of the request."""
        looked = plan(BOUND, ["deal"], rules=RULES, actor=BOSS, at=AT, known=NOBODY_ELSE)
        request = looked.request
        deal, contact, company = request.targets
        filled = attrs.evolve(contact, values={"last_name": "King"})
        answered = attrs.evolve(request, targets=(deal, filled, company))
        assert ((deal,), (deal, filled)) == (request.asked, answered.asked)
        assert request.fingerprint != answered.fingerprint
