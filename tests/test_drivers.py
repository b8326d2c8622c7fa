"""The drivers: load, decide, apply, and decide again, with any store, awaited or not."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Automation,
    AutomationRule,
    ChangeSet,
    Channel,
    ChildRule,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Decision,
    Delete,
    Field,
    FieldMapping,
    Find,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    MoveResult,
    OwnerRule,
    Pending,
    Pipeline,
    Policy,
    Receipt,
    Record,
    Ref,
    Reversal,
    Stage,
    Target,
    Update,
    Wanted,
    WithoutLeads,
    advance,
    convert,
    convert_batch,
    presets,
    seed,
    stores,
)
from leadconvert.errors import (
    AccessDeniedError,
    AlreadyConvertedError,
    AmbiguousMatchError,
    ConflictError,
    ConversionError,
    IdempotencyError,
    InvalidFieldsError,
    InvalidTargetError,
    MissingFieldsError,
    NotReversibleError,
    RecordNotFoundError,
    StoreError,
    UnavailableError,
    UnfitValueError,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.records import changed
from leadconvert.stores import (
    BulkStore,
    MemoryStore,
    SqlStore,
    Store,
    advance_stored,
    advance_stored_async,
    arrive_stored,
    arrive_stored_async,
    convert_stored,
    convert_stored_async,
    reverse_stored,
    reverse_stored_async,
)


R = TypeVar("R")

AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
BOSS: Final = Actor("u-1")
ROBOT: Final = Actor("robot")
EMAIL: Final = MatchKey("email", "ada@example.com")
BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
TASK: Final = Kind(
    "task",
    fields=[
        Field("subject", "text"),
        Field("lead_id", "reference", to="lead"),
        Field("deal_id", "reference", to="deal"),
    ],
)
PARCEL: Final = Kind("parcel", fields=[Field("name", "text"), BACK], name="name")
RULES: Final = ConversionRules(
    lead=attrs.evolve(LEAD, custom=[Field("UF_QUOTE", "reference", to="quote")]),
    kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[Field("UF_PAYER", "text")]), PARCEL],
    pipelines=[
        Pipeline(
            "leads", "lead", ["NEW", "WORK", Stage("DONE", "success"), Stage("JUNK", "failure")]
        ),
        Pipeline("sales", "deal", ["open", "offer", Stage("won", "success")]),
    ],
    mappings=[
        FieldMapping("last_name", "contact"),
        FieldMapping("emails", "contact", conflict="append"),
        FieldMapping("phones", "contact", conflict="append"),
        FieldMapping("company_name", "company", "name"),
        FieldMapping("title", "deal"),
        FieldMapping("owner_id", "deal"),
        FieldMapping("title", "parcel", "name"),
    ],
    policy=Policy.allow_all(),
    matching=Matching(
        [
            MatchRule("contact", ["email"], "merge"),
            MatchRule("contact", ["phone"], "merge"),
            MatchRule("company", ["company"], "link"),
        ]
    ),
    children=[ChildRule(TASK, {"deal": "copy"})],
)
NEW: Final = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    emails=[Channel("ada@example.com")],
)
ADA: Final = Contact(id="C-3", last_name="Byron", emails=[Channel("Ada@example.com")])
ENGINES: Final = Company(id="CO-9", name="ENGINES")
LEAD_REF: Final = Ref("lead", "L-7")


@attrs.define
class Watched:
    """A store that remembers what it was asked, and fails or lets others go first if told so."""

    store: MemoryStore
    #: Raised instead of applying, one after the other.
    failing: list[StoreError] = attrs.field(factory=list)
    #: Done before applying, one after the other.
    others: list[Callable[[], object]] = attrs.field(factory=list)
    owns_transaction: bool = True
    loads: list[Wanted] = attrs.field(factory=list)
    applied: list[ChangeSet] = attrs.field(factory=list)

    def load(self, wanted: Wanted, /) -> Known:
        """Load what is wanted."""
        self.loads.append(wanted)
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply the changes, unless something comes in between."""
        self.applied.append(changes)
        if self.failing:
            raise self.failing.pop(0)
        if self.others:
            self.others.pop(0)()
        return self.store.apply(changes)

    def __getitem__(self, ref: Ref) -> Any:  # noqa: ANN401 - tests know which class it is
        """The record that is stored."""
        return self.store.records[ref]

    def refs(self, kind: str) -> list[str]:
        """The ids of all records of a kind."""
        return [ref.id for ref in self.store.records if ref.kind == kind]

    def update(self, ref: Ref, **values: object) -> None:
        """Somebody else changes a record."""
        change = Update(ref, self.store.records[ref].revision, values)
        key = f"other-{len(self.store.records)}-{change.revision}"
        self.store.apply(ChangeSet(key=key, fingerprint="f", changes=[change]))


@attrs.define
class Awaited:
    """A store that is awaited."""

    store: Store

    @property
    def owns_transaction(self) -> bool:
        """As that of the store."""
        return self.store.owns_transaction

    async def load(self, wanted: Wanted, /) -> Known:
        """Load what is wanted, in a while."""
        await asyncio.sleep(0)
        return self.store.load(wanted)

    async def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply the changes, in a while."""
        await asyncio.sleep(0)
        return self.store.apply(changes)


@attrs.frozen
class Drivers:
    """The four drivers, however they are called."""

    convert: Callable[..., ConversionResult]
    advance: Callable[..., MoveResult]
    arrive: Callable[..., MoveResult]
    reverse: Callable[..., Reversal]


def waiting(driver: Callable[..., Coroutine[None, None, R]]) -> Callable[..., R]:
    """Return what waits for a driver, with a store that is awaited."""

    def call(store: Store, *given: object, **asked: object) -> R:
        return asyncio.run(driver(Awaited(store), *given, **asked))

    return call


CALLED: Final = Drivers(convert_stored, advance_stored, arrive_stored, reverse_stored)
AWAITED: Final = Drivers(
    waiting(convert_stored_async),
    waiting(advance_stored_async),
    waiting(arrive_stored_async),
    waiting(reverse_stored_async),
)


@pytest.fixture(params=[CALLED, AWAITED], ids=["called", "awaited"])
def drivers(request: pytest.FixtureRequest) -> Drivers:
    """The drivers, called and awaited."""
    found: Drivers = request.param
    return found


def holding(
    *records: Record,
    rules: ConversionRules = RULES,
    new_id: Callable[[Ref], str] | None = None,
) -> Watched:
    """A store that holds records."""
    store = MemoryStore(rules, new_id=new_id)
    store.apply(seed(records, rules=rules))
    return Watched(store)


def asked(rules: ConversionRules = RULES, **more: object) -> dict[str, Any]:
    """What every driver that somebody asks is told."""
    return {"rules": rules, "actor": BOSS, "at": AT, **more}


def acting(*rules: AutomationRule) -> ConversionRules:
    """Rules that act by themselves."""
    return attrs.evolve(RULES, automation=Automation(ROBOT, rules))


class TestConvert:
    def test_it_is_stored(self, drivers: Drivers) -> None:
        """The result is what the store holds from now on: the lead, and all that was made."""
        store = holding(NEW)
        result = drivers.convert(store, "L-7", ["company", "contact", "deal"], **asked())
        assert ["created"] * 3 == [one.action for one in result.outcomes]
        assert store[LEAD_REF] == result.lead
        assert [store[one.ref] for one in result.outcomes] == [*result.records]
        assert ("DONE", "Lovelace") == (result.lead.stage, result.contact.last_name)
        assert 1 == len(store.applied)
        assert "lead.converted" == store.store.events[-1].name

    def test_what_is_loaded(self, drivers: Drivers) -> None:
        """First the lead, then all that is wanted, until nothing more is."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["contact"], **asked())
        first, second = store.loads
        assert Wanted(refs=(LEAD_REF,)) == first
        assert ((LEAD_REF,), (("contact", EMAIL),)) == (second.refs, second.matches)
        assert (("task", "lead_id", LEAD_REF),) == second.related

    def test_only_keys_are_wanted(self, drivers: Drivers) -> None:
        """Whoever matches is looked up though nothing else is to be loaded."""
        rules = attrs.evolve(RULES, children=[])
        store = holding(NEW, ADA, rules=rules)
        result = drivers.convert(store, "L-7", ["contact"], **asked(rules))
        assert ("C-3", 2) == (result.contact.id, len(store.loads))

    def test_nothing_more_is_wanted(self, drivers: Drivers) -> None:
        """What needs nothing but the lead loads once."""
        rules = attrs.evolve(RULES, children=[])
        store = holding(NEW, rules=rules)
        drivers.convert(store, "L-7", [Create("deal")], **asked(rules))
        assert 1 == len(store.loads)

    def test_ids_of_the_store(self, drivers: Drivers) -> None:
        """The ids that the store gives stand wherever the result names what was made."""
        numbers = count(11)
        task = GenericRecord(kind="task", id="T-1", custom={"subject": "x", "lead_id": "L-7"})
        store = holding(NEW, task, new_id=lambda _: str(next(numbers)))
        result = drivers.convert(store, "11", ["company", "contact", "deal"], **asked())
        [child] = result.children
        assert ["13", "14", "15"] == [one.ref.id for one in result.outcomes]
        assert ["13", "14", "15"] == [one.id for one in result.records]
        assert ["13", "14", "15"] == [one.id for one in result.conversion.targets]
        assert ("13", ("14",)) == (result.deal.company_id, result.deal.contact_ids)
        assert ("11",) == result.deal.converted_from
        assert ("11", "12", ["15"], ["16"]) == (
            result.lead.id,
            child.ref.id,
            [one.id for one in child.targets],
            [one.id for one in child.copies],
        )
        assert "15" == store[Ref("task", "16")].custom["deal_id"]
        assert store[Ref("lead", "11")] == result.lead
        assert [store[one.ref] for one in result.outcomes] == [*result.records]
        told = (*child.targets, *child.copies, *(one.ref for one in result.outcomes))
        assert not any(one.provisional for one in told)

    def test_whoever_matches(self, drivers: Drivers) -> None:
        """Records that exist are found by the store, and merged or linked as the rules say."""
        other = Contact(id="C-4", emails=[Channel("x@example.com")])
        store = holding(attrs.evolve(NEW, phones=[Channel("030 1")]), ADA, other, ENGINES)
        result = drivers.convert(store, "L-7", ["company", "contact", "deal"], **asked())
        assert [("linked", "CO-9"), ("merged", "C-3"), ("created", "L-7.1.deal.1")] == [
            (one.action, one.ref.id) for one in result.outcomes
        ]
        assert (Channel("030 1"),) == store[Ref("contact", "C-3")].phones

    def test_what_is_pointed_at(self, drivers: Drivers) -> None:
        """What a target names, or its values refer to, is loaded."""
        store = holding(NEW, ADA, ENGINES)
        into = [Link("company", "CO-9"), Create("deal", values={"contact_ids": ["C-3"]})]
        result = drivers.convert(store, "L-7", into, **asked())
        assert (("C-3",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)
        unknown = Create("deal", values={"contact_ids": ["C-4"]})
        with pytest.raises(InvalidFieldsError):
            drivers.convert(holding(NEW), "L-7", [unknown], **asked())

    def test_new_on_purpose(self, drivers: Drivers) -> None:
        """A duplicate that is made on purpose is made, whoever holds its keys."""
        store = holding(NEW, ADA, attrs.evolve(ADA, id="C-4"))
        into = [Create("contact"), Create("contact")]
        drivers.convert(store, "L-7", into, **asked())
        assert ["C-3", "C-4", "L-7.1.contact.1", "L-7.1.contact.2"] == store.refs("contact")
        assert 1 == len(store.applied)

    def test_merged_on_purpose(self, drivers: Drivers) -> None:
        """A record that somebody chose gets the e-mail, though another has it already."""
        store = holding(NEW, ADA, Contact(id="C-4", emails=[Channel("x@example.com")]))
        drivers.convert(store, "L-7", [Merge("contact", "C-4")], **asked())
        emails = store[Ref("contact", "C-4")].emails
        assert ["x@example.com", "ada@example.com"] == [one.value for one in emails]
        assert 1 == len(store.applied)

    def test_a_client_that_shares_another_key(self, drivers: Drivers) -> None:
        """Whoever matches may share what the lead does not know of with somebody else."""
        one = attrs.evolve(ADA, emails=[*ADA.emails, Channel("x@example.com")])
        other = Contact(id="C-4", emails=[Channel("x@example.com")])
        store = holding(attrs.evolve(NEW, phones=[Channel("030 1")]), one, other)
        result = drivers.convert(store, "L-7", ["contact"], **asked())
        assert ("merged", "C-3") == (result.outcomes[0].action, result.contact.id)
        assert 1 == len(store.applied)

    def test_wanted_in_rounds(self, drivers: Drivers) -> None:
        """Whose open deals count is known only once it is known who matches."""
        rules = attrs.evolve(RULES, limits=[Limit("deal", "no_open")])
        deal = Deal(id="D-5", title="Old", pipeline="sales", stage="open", contact_ids=["C-3"])
        store = holding(NEW, ADA, deal, rules=rules)
        with pytest.raises(InvalidTargetError) as refused:
            drivers.convert(store, "L-7", ["contact", "deal"], **asked(rules))
        assert ["has_open"] == [one.code for one in refused.value.problems]
        assert [0, 0, 1] == [
            sum(kind == "deal" for kind, _, _ in one.related) for one in store.loads
        ]

    @pytest.mark.parametrize(
        ("into", "more"),
        [
            (["deal"], {"closing": False}),
            (["deal"], {"reason": "they called"}),
            (["contact", "deal"], {"values": {"title": "New", "amount": 5, "currency": "EUR"}}),
            (["deal"], {"carry": {"UF_X": {"deal": "UF_PAYER"}}}),
            (["deal"], {"eligible_owners": ["u-7"]}),
            ([Find("deal", values={"amount": Decimal(5), "currency": "EUR"})], {"key": "k-1"}),
        ],
        ids=["closing", "reason", "values", "carry", "owners", "key"],
    )
    def test_as_convert_decides(
        self, drivers: Drivers, into: list[str | Target], more: dict[str, Any]
    ) -> None:
        """Whatever it is told, it decides what convert decides on all that is stored."""
        lead = attrs.evolve(NEW, owner_id="u-7", custom={"UF_X": "blue"})
        store = holding(lead, ADA, ENGINES)
        telling = dict(more)
        owners = telling.pop("eligible_owners", None)
        known = Known(records=store.store.records.values(), eligible_owners=owners)
        expected = convert(store[LEAD_REF], into, known=known, **asked(**telling))
        result = drivers.convert(store, "L-7", into, **asked(**more))
        assert [expected.changes] == store.applied
        assert expected.rows == result.rows

    def test_a_supplement(self, drivers: Drivers) -> None:
        """With mode="supplement" it makes more of a converted lead, for the same clients."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["contact", "deal"], **asked())
        more = drivers.convert(store, "L-7", ["deal"], **asked(mode="supplement"))
        assert "L-7.2.deal.1" == more.deal.id
        assert ("L-7.1.contact.1",) == more.deal.contact_ids
        assert ["L-7.1", "L-7.2"] == [one.id for one in more.lead.conversions]

    def test_who_decides_about_access(self, drivers: Drivers) -> None:
        """An authorizer decides instead of the policy; whoever is denied writes nothing."""

        class Nobody:
            def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
                return Decision(actor_id=actor.id, request=request, allowed=False, code="closed")

        store = holding(NEW)
        with pytest.raises(AccessDeniedError):
            drivers.convert(store, "L-7", ["deal"], **asked(authorizer=Nobody()))
        assert [] == store.applied

    def test_what_is_refused(self, drivers: Drivers) -> None:
        """A refusal is raised as it is, and nothing is applied."""
        store = holding(attrs.evolve(NEW, title=None), ADA, attrs.evolve(ADA, id="C-4"))
        with pytest.raises(MissingFieldsError):
            drivers.convert(store, "L-7", ["deal"], **asked())
        with pytest.raises(AmbiguousMatchError):
            drivers.convert(store, "L-7", ["contact"], **asked())
        assert [] == store.applied

    def test_a_misused_signature(self, drivers: Drivers) -> None:
        """One kind where a list belongs is refused in words."""
        store = holding(NEW)
        for one in ("deal", Create("deal")):
            misused: Any = one
            with pytest.raises(TypeError, match="into= is a list of kinds or targets"):
                drivers.convert(store, "L-7", misused, **asked())

    def test_a_lead_that_is_not_there(self, drivers: Drivers) -> None:
        """A lead that is not stored is not found, and named."""
        with pytest.raises(RecordNotFoundError) as caught:
            drivers.convert(holding(), "L-7", ["deal"], **asked())
        assert "there is no such record: lead L-7" == str(caught.value)


class TestValues:
    def test_what_they_refer_to(self, drivers: Drivers) -> None:
        """Values of the lead may refer to records, which are loaded."""
        store = holding(NEW, ADA, ENGINES)
        values = {"company_id": "CO-9", "contact_ids": ["C-3"]}
        result = drivers.convert(store, "L-7", ["company", "deal"], **asked(values=values))
        assert ("CO-9", ("C-3",)) == (result.lead.company_id, result.lead.contact_ids)
        assert "CO-9" == result.deal.company_id
        with pytest.raises(ConversionError):
            drivers.convert(holding(NEW), "L-7", ["deal"], **asked(values={"company_id": "CO-8"}))

    def test_whom_they_find(self, drivers: Drivers) -> None:
        """Whom a lead matches by a value that is given with the request is found as well."""
        store = holding(attrs.evolve(NEW, emails=[], last_name=None), ADA)
        values = {"emails": ["ada@example.com"]}
        result = drivers.convert(store, "L-7", ["contact"], **asked(values=values))
        assert "C-3" == result.contact.id
        assert ["C-3"] == store.refs("contact")

    def test_whom_they_find_in_a_move(self, drivers: Drivers) -> None:
        """The same goes for a move, and for what rules make of it."""
        rules = acting(AutomationRule("all", ["contact"], on="WORK"))
        store = holding(attrs.evolve(NEW, emails=[], last_name=None), ADA, rules=rules)
        values = {"emails": ["ada@example.com"]}
        moved = drivers.advance(store, "L-7", "WORK", **asked(rules, values=values))
        assert "C-3" == moved.conversion.contact.id

    @pytest.mark.parametrize(
        "values",
        [{"amount": "much"}, {"nothing": 1}, {"stage": "DONE"}, {"contact_ids": ["C-9"]}],
        ids=str,
    )
    def test_what_does_not_fit(self, drivers: Drivers, values: dict[str, object]) -> None:
        """Values that do not fit are refused as ever, and not stored."""
        store = holding(NEW)
        with pytest.raises(InvalidFieldsError):
            drivers.convert(store, "L-7", ["deal"], **asked(values=values))

    def test_none(self, drivers: Drivers) -> None:
        """A value of None asks for nothing."""
        store = holding(NEW, ADA)
        given = asked(values={"emails": None, "company_id": None})
        drivers.convert(store, "L-7", ["deal"], **given)
        assert 1 == len(store.applied)


class TestOwners:
    RULES: Final = attrs.evolve(RULES, owners=[OwnerRule("deal", "listed", among=["u-8", "u-9"])])

    @pytest.mark.parametrize("who", ["u-8", "u-9"])
    def test_only_the_eligible(self, drivers: Drivers, who: str) -> None:
        """Only those own something who may now, whoever they are, asked once or again."""
        store = holding(NEW, rules=self.RULES)
        store.failing = [ConflictError("x"), ConflictError("x")]
        result = drivers.convert(
            store, "L-7", ["deal"], **asked(self.RULES, eligible_owners=iter([who]))
        )
        assert who == result.deal.owner_id

    def test_everybody(self, drivers: Drivers) -> None:
        """Unless told otherwise everybody may, and if nobody may it is refused."""
        store = holding(NEW, rules=self.RULES)
        with pytest.raises(ConversionError):
            drivers.convert(
                store,
                "L-7",
                [Create("deal", values={"owner_id": "u-8"})],
                **asked(self.RULES, eligible_owners=[]),
            )
        result = drivers.convert(store, "L-7", ["deal"], **asked(self.RULES))
        assert result.deal.owner_id in {"u-8", "u-9"}

    def test_in_moves_and_arrivals(self, drivers: Drivers) -> None:
        """They count for what rules make as well."""
        by = attrs.evolve(
            self.RULES, automation=Automation(ROBOT, [AutomationRule("all", ["deal"])])
        )
        for who in ("u-8", "u-9"):
            moved = drivers.arrive(
                holding(rules=by), NEW, rules=by, at=AT, eligible_owners=iter([who])
            )
            assert who == moved.conversion.deal.owner_id
            result = drivers.advance(
                holding(NEW, rules=by), "L-7", "DONE", ["deal"],
                **asked(by, eligible_owners=iter([who])),
            )  # fmt: skip
            assert who == result.conversion.deal.owner_id


class TestKindsOfOthers:
    def test_a_reference_to_what_the_rules_do_not_have(self, drivers: Drivers) -> None:
        """What refers to a kind that is not in the rules is refused by them, not by the store."""
        store = holding(NEW)
        with pytest.raises(InvalidFieldsError) as refused:
            drivers.convert(store, "L-7", ["deal"], **asked(values={"UF_QUOTE": "Q-1"}))
        assert ["unknown_record"] == [one.code for one in refused.value.problems]

    def test_a_kind_that_is_there_no_more(self, drivers: Drivers) -> None:
        """What an earlier conversion made of a kind that was given up since is left out."""
        given, store = asked(key="k-1"), holding(NEW)
        drivers.convert(store, "L-7", ["deal", "parcel"], **given)
        parcel = Ref("parcel", "L-7.1.parcel.1")
        gone = Delete(parcel, store[parcel].revision)
        store.store.apply(ChangeSet(key="gone", fingerprint="f", changes=[gone]))
        fewer = attrs.evolve(
            RULES,
            kinds=[one for one in RULES.kinds if one.id != "parcel"],
            mappings=[one for one in RULES.mappings if one.kind != "parcel"],
        )
        store.store.rules = fewer
        again = drivers.convert(store, "L-7", ["deal", "parcel"], **(given | {"rules": fewer}))
        assert ["deal L-7.1.deal.1"] == [str(one.ref) for one in again.outcomes]
        assert 2 == len(again.conversion.targets)
        undone = drivers.reverse(store, "L-7", **asked(fewer, partial=True))
        assert ["gone_since"] == [one.code for one in undone.kept]
        assert ["deal L-7.1.deal.1"] == [str(one) for one in undone.removed]


class TestConflicts:
    def test_decided_again(self, drivers: Drivers) -> None:
        """When somebody was quicker it is decided again, on what they left."""
        store = holding(NEW)
        store.others = [lambda: store.update(LEAD_REF, title="Newer")]
        result = drivers.convert(store, "L-7", iter(["deal"]), **asked())
        assert ("Newer", "Newer") == (result.deal.title, result.lead.title)
        assert 2 == len(store.applied)
        assert ["L-7.1.deal.1"] == store.refs("deal")

    def test_decided_again_without_what_is_gone(self, drivers: Drivers) -> None:
        """When a record it was decided on is gone by then it is decided again, without that."""
        store = holding(NEW)
        store.failing = [RecordNotFoundError("there is no such record", [Ref("company", "CO-9")])]
        result = drivers.convert(store, "L-7", ["deal"], **asked())
        assert "L-7.1.deal.1" == result.deal.id
        assert 2 == len(store.applied)

    def test_refused_on_fresh_data(self, drivers: Drivers) -> None:
        """What somebody else has done may stand in the way, which is told as ever."""
        store = holding(NEW)
        store.others = [lambda: store.update(LEAD_REF, stage="DONE")]
        with pytest.raises(AlreadyConvertedError):
            drivers.convert(store, "L-7", ["deal"], **asked())
        assert [] == store.refs("deal")

    @pytest.mark.parametrize("attempts", [None, 1, 2, 7])
    def test_so_many_times(self, drivers: Drivers, attempts: int | None) -> None:
        """It is decided five times in all, or as often as is said, and then given up."""
        often = attempts or 5
        given = asked() if attempts is None else asked(attempts=attempts)
        store = holding(NEW)
        store.failing = [ConflictError(f"conflict {number}") for number in range(often)]
        with pytest.raises(ConflictError, match=f"conflict {often - 1}"):
            drivers.convert(store, "L-7", ["deal"], **given)
        assert often == len(store.applied)
        assert ([], []) == (store.refs("deal"), store.failing)

        store.failing = [ConflictError("conflict")] * (often - 1)
        assert "DONE" == drivers.convert(store, "L-7", ["deal"], **given).lead.stage

    def test_in_a_transaction_of_the_caller(self, drivers: Drivers) -> None:
        """Where the store does not begin its own transaction a conflict is raised at once."""
        store = holding(NEW)
        store.owns_transaction, store.failing = False, [ConflictError("x")]
        with pytest.raises(ConflictError):
            drivers.convert(store, "L-7", ["deal"], **asked(attempts=9))
        assert 1 == len(store.applied)
        assert "DONE" == drivers.convert(store, "L-7", ["deal"], **asked()).lead.stage

    @pytest.mark.parametrize(
        "error",
        [
            UnavailableError("the connection was lost"),
            UnfitValueError("text holds a NUL", [Ref("deal", "D-5")]),
            IdempotencyError("k-1"),
            StoreError("the disk is full"),
        ],
        ids=lambda one: type(one).__name__,
    )
    def test_whatever_else_a_store_says(self, drivers: Drivers, error: StoreError) -> None:
        """Any other error of a store passes through at once, and nothing is decided again."""
        store = holding(NEW)
        store.failing = [error]
        with pytest.raises(type(error)) as caught:
            drivers.convert(store, "L-7", ["deal"], **asked())
        assert error is caught.value
        assert 1 == len(store.applied)

    def test_a_store_that_cannot_be_read(self, drivers: Drivers) -> None:
        """An error in loading passes through as well, a conflict included."""

        class Closed(Watched):
            def load(self, wanted: Wanted, /) -> Known:
                self.loads.append(wanted)
                raise self.failing[0]

        for error in (UnavailableError("closed"), ConflictError("late")):
            closed = Closed(MemoryStore(RULES), failing=[error])
            with pytest.raises(StoreError) as caught:
                drivers.convert(closed, "L-7", ["deal"], **asked())
            assert error is caught.value
            assert [] == closed.applied

    def test_what_changes_faster_than_it_is_read(self, drivers: Drivers) -> None:
        """Where each look shows that more is wanted it is given up, and nothing is applied."""
        numbers = count(1)

        class Restless(Watched):
            def load(self, wanted: Wanted, /) -> Known:
                known = super().load(wanted)
                lead = changed(NEW, {"company_id": f"CO-{next(numbers)}"})
                return attrs.evolve(known, records=[lead])

        store = Restless(holding(NEW).store)
        with pytest.raises(UnavailableError) as caught:
            drivers.convert(store, "L-7", ["company"], **asked())
        assert "it changes faster than it can be read: lead L-7" == str(caught.value)
        assert (10, 0) == (len(store.loads), len(store.applied))


class TestRaces:
    """Each is brought to the point of applying; then the others apply first."""

    def test_the_same_request(self, drivers: Drivers) -> None:
        """Whoever asks the same as somebody quicker gets what they made, with nothing doubled."""
        store = holding(NEW)
        first = list[ConversionResult]()
        other = Actor("u-2")
        store.others = [
            lambda: first.append(
                convert_stored(
                    store.store, "L-7", ["contact", "deal"], rules=RULES, actor=other, at=AT
                )
            )
        ]
        result = drivers.convert(store, "L-7", ["contact", "deal"], **asked())
        assert first[0].lead == result.lead
        assert first[0].conversion == result.conversion
        assert "u-2" == result.conversion.actor_id
        assert {*first[0].records} == {*result.records}
        assert ["L-7.1.deal.1"] == store.refs("deal")
        assert 1 == len(store.applied)

    def test_another_request(self, drivers: Drivers) -> None:
        """Whoever asks something else is told that the lead was converted meanwhile."""
        store = holding(NEW)
        store.others = [lambda: convert_stored(store.store, "L-7", ["deal"], **asked())]
        with pytest.raises(AlreadyConvertedError):
            drivers.convert(store, "L-7", ["contact"], **asked())
        assert [] == store.refs("contact")

    def test_twins(self, drivers: Drivers) -> None:
        """Two leads of one person and one company that are converted at once share both."""
        store = holding(NEW, attrs.evolve(NEW, id="L-8", phones=[Channel("030 1")]))
        store.others = [
            lambda: convert_stored(store.store, "L-8", ["company", "contact"], **asked())
        ]
        result = drivers.convert(store, "L-7", ["company", "contact"], **asked())
        assert (["L-8.1.company.1"], ["L-8.1.contact.1"]) == (
            store.refs("company"),
            store.refs("contact"),
        )
        assert ("linked", "unchanged") == tuple(one.action for one in result.outcomes)
        for ref in (one.ref for one in result.outcomes):
            assert ("L-8", "L-7") == store[ref].converted_from

    def test_twins_that_arrive(self, drivers: Drivers) -> None:
        """The same goes for leads that arrive, and for those that are moved on."""
        rules = acting(
            AutomationRule("all", ["contact"]), AutomationRule("on", ["contact"], on="WORK")
        )
        twin = attrs.evolve(NEW, id="L-8")
        store = holding(rules=rules)
        store.others = [lambda: arrive_stored(store.store, twin, rules=rules, at=AT)]
        drivers.arrive(store, NEW, rules=rules, at=AT)
        assert ["L-8.1.contact.1"] == store.refs("contact")

        store = holding(NEW, twin, rules=rules)
        store.others = [lambda: advance_stored(store.store, "L-8", "WORK", **asked(rules))]
        drivers.advance(store, "L-7", "WORK", **asked(rules))
        assert ["L-8.1.contact.1"] == store.refs("contact")

    def test_many_link_to_one(self, drivers: Drivers) -> None:
        """Leads that link to one company at once are in nobody's way."""
        leads = [attrs.evolve(NEW, id=f"L-{number}") for number in range(5)]
        store = holding(*leads, ENGINES)

        def link() -> None:
            for one in leads[1:]:
                convert_stored(store.store, one.id, ["company"], **asked())

        store.others = [link]
        drivers.convert(store, "L-0", ["company"], **asked())
        assert 1 == len(store.applied)
        linked = ("L-1", "L-2", "L-3", "L-4", "L-0")
        assert linked == store[Ref("company", "CO-9")].converted_from


class TestOnce:
    def test_asked_again(self, drivers: Drivers) -> None:
        """Asked again under its key it returns what was made, and applies nothing."""
        store = holding(attrs.evolve(NEW, phones=[Channel("030 1")]), ADA, ENGINES)
        into, given = ["company", "contact", "deal"], asked(key="k-1")
        first = drivers.convert(store, "L-7", into, **given)
        again = drivers.convert(store, "L-7", into, **given)
        assert first.lead == again.lead
        assert first.conversion == again.conversion
        assert {(one.action, one.ref, one.record) for one in first.outcomes} == {
            (one.action, one.ref, one.record) for one in again.outcomes
        }
        assert ("k-1", first.changes.fingerprint) == (again.changes.key, again.changes.fingerprint)
        assert () == again.changes.changes
        assert 1 == len(store.applied)

    def test_by_somebody_else_at_another_time(self, drivers: Drivers) -> None:
        """Who asks and when makes no other request."""
        store = holding(NEW)
        first = drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        later = asked(key="k-1", actor=Actor("u-9"), at=AT.replace(year=2028), reason="again")
        assert first.lead == drivers.convert(store, "L-7", ["deal"], **later).lead

    def test_by_whoever_may_not(self, drivers: Drivers) -> None:
        """Whoever may not make the request now is not told what came of it."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        with pytest.raises(AccessDeniedError):
            drivers.convert(store, "L-7", ["deal"], **asked(key="k-1", authorizer=Policy()))

    def test_as_it_stands_now(self, drivers: Drivers) -> None:
        """What was changed since is as it is now, and what was removed is left out."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["contact", "deal"], **asked(key="k-1"))
        made, deal = Ref("contact", "L-7.1.contact.1"), Ref("deal", "L-7.1.deal.1")
        store.update(deal, title="Newer")
        store.update(LEAD_REF, comments="done")
        gone = Delete(made, store[made].revision)
        store.store.apply(ChangeSet(key="gone", fingerprint="f", changes=[gone]))
        again = drivers.convert(store, "L-7", ["contact", "deal"], **asked(key="k-1"))
        assert ("Newer", "done") == (again.deal.title, again.lead.comments)
        assert [deal] == [one.ref for one in again.outcomes]
        assert (made, deal) == again.conversion.targets

    def test_the_conversion_it_made(self, drivers: Drivers) -> None:
        """Of several conversions it is the one that the key stands for."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["contact"], **asked(key="k-1", closing=False))
        drivers.convert(store, "L-7", ["deal"], **asked(key="k-2"))
        for key, into, id_ in (("k-1", "contact", "L-7.1"), ("k-2", "deal", "L-7.2")):
            again = drivers.convert(store, "L-7", [into], **asked(key=key, closing=id_ == "L-7.2"))
            assert id_ == again.conversion.id
            assert [into] == [one.ref.kind for one in again.outcomes]

    def test_another_request_under_its_key(self, drivers: Drivers) -> None:
        """Another request under a key is a mistake, whatever else is wrong with it."""
        store = holding(NEW, attrs.evolve(NEW, id="L-8"))
        drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        for lead_id, into in (("L-7", ["contact"]), ("L-8", ["deal"]), ("L-7", ["dael"])):
            with pytest.raises(IdempotencyError) as caught:
                drivers.convert(store, lead_id, into, **asked(key="k-1"))
            assert "k-1" == caught.value.key
        with pytest.raises(IdempotencyError):
            drivers.advance(store, "L-8", "WORK", **asked(key="k-1"))
        with pytest.raises(IdempotencyError):
            drivers.arrive(store, attrs.evolve(NEW, id="L-9"), rules=RULES, at=AT, key="k-1")
        with pytest.raises(IdempotencyError):
            drivers.reverse(store, "L-7", **asked(key="k-1"))
        assert 1 == len(store.applied)

    def test_another_request_that_was_quicker(self, drivers: Drivers) -> None:
        """So it is if the other request came while this one was decided."""
        store = holding(NEW, attrs.evolve(NEW, id="L-8"))
        store.others = [lambda: convert_stored(store.store, "L-8", ["deal"], **asked(key="k-1"))]
        with pytest.raises(IdempotencyError):
            drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        assert ["L-8.1.deal.1"] == store.refs("deal")

    def test_a_lead_that_is_gone(self, drivers: Drivers) -> None:
        """Of a lead that was removed since nothing is told but that."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        gone = Delete(LEAD_REF, store[LEAD_REF].revision)
        store.store.apply(ChangeSet(key="gone", fingerprint="f", changes=[gone]))
        with pytest.raises(RecordNotFoundError):
            drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))

    def test_without_a_key_of_its_own(self, drivers: Drivers) -> None:
        """Without a key what was asked a moment ago is a new request, and refused as one."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked())
        with pytest.raises(AlreadyConvertedError):
            drivers.convert(store, "L-7", ["deal"], **asked())


@attrs.define
class Mistaken(Watched):
    """A store whose receipts of requests made before are not what they were."""

    instead: dict[str, Any] = attrs.field(factory=dict)

    def load(self, wanted: Wanted, /) -> Known:
        """Load what is wanted, the receipt as it is by now."""
        known = super().load(wanted)
        return attrs.evolve(known, receipt=known.receipt and self._spoilt(known.receipt))

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply the changes, and of what was applied before return the receipt as it is by now."""
        receipt = super().apply(changes)
        return self._spoilt(receipt) if receipt.replayed else receipt

    def _spoilt(self, receipt: Receipt) -> Receipt:
        return attrs.evolve(receipt, **self.instead)


def mistaken(
    *records: Record, rules: ConversionRules = RULES, **instead: tuple[object, ...]
) -> Mistaken:
    """A store that holds records, and whose receipts get other content."""
    return Mistaken(holding(*records, rules=rules).store, instead=instead)


class TestReceiptsThatDoNotFit:
    """What is stored as the receipt of the request is one, but of something else."""

    MADE: Final = "the receipt under the key 'k-1' does not say which conversion was made: lead L-7"
    ARRIVED: Final = "the receipt under the key 'k-1' does not say which lead arrived"

    @pytest.mark.parametrize(
        "names", [(), ("L-9.1",), ("L-7.1", "L-9.1"), ("L-7.1", "L-7.2")], ids=str
    )
    def test_convert(self, drivers: Drivers, names: tuple[str, ...]) -> None:
        """One that names no conversion of the lead, or several, is refused."""
        store = mistaken(NEW, conversions=names)
        given = asked(key="k-1", closing=False)
        again = partial(drivers.convert, store, "L-7", ["contact"], **given)
        again()
        drivers.convert(store, "L-7", ["deal"], **asked(key="k-2"))
        self.refused(store, again, self.MADE)

    @pytest.mark.parametrize("names", [(), ("L-9.1",), ("L-7.1", "L-9.1")], ids=str)
    def test_advance(self, drivers: Drivers, names: tuple[str, ...]) -> None:
        """So is one of a move that converts, if it names none, or one that the lead has not."""
        store = mistaken(NEW, conversions=names)
        again = partial(drivers.advance, store, "L-7", "DONE", ["deal"], **asked(key="k-1"))
        again()
        self.refused(store, again, self.MADE)

    def test_a_move_that_converts_nothing(self, drivers: Drivers) -> None:
        """A move into nothing may name no conversion, but none that the lead has not."""
        store = mistaken(NEW)
        again = partial(drivers.advance, store, "L-7", "WORK", **asked(key="k-1"))
        assert (again().record, ()) == (again().record, again().conversions)
        store.instead = {"conversions": ("L-7.1",)}
        self.refused(store, again, self.MADE)

    @pytest.mark.parametrize("key", ["k-1", None])
    def test_arrive(self, drivers: Drivers, key: str | None) -> None:
        """So is one of an arrival that names no lead, or a conversion that the lead has not."""
        rules = acting(AutomationRule("all", ["deal"]))
        contact = Ref("contact", "C-3")
        for instead, told in (
            ({"ids": ()}, self.ARRIVED),
            ({"ids": ((contact, contact),)}, self.ARRIVED),
            ({"conversions": ("L-9.1",)}, self.MADE),
        ):
            store = mistaken(rules=rules, **instead)
            again = partial(drivers.arrive, store, NEW, rules=rules, at=AT, key=key)
            first = again()
            self.refused(store, again, told.replace("k-1", str(first.changes.key)))

    def test_an_arrival_of_another(self, drivers: Drivers) -> None:
        """One that names a lead that is not there is told as of one that is gone."""
        other = Ref("lead", "L-9")
        store = mistaken(ids=((other, other),))
        drivers.arrive(store, NEW, rules=RULES, at=AT, key="k-1")
        with pytest.raises(RecordNotFoundError, match="there is no such record: lead L-9"):
            drivers.arrive(store, NEW, rules=RULES, at=AT, key="k-1")

    def test_reverse(self, drivers: Drivers) -> None:
        """One of taking back has nothing that is missed: the lead is told as it stands now."""
        store = mistaken(NEW, ids=(), revisions=())
        drivers.convert(store, "L-7", ["deal"], **asked())
        first, again = (drivers.reverse(store, "L-7", **asked(key="k-1")) for _ in range(2))
        assert (first.lead, first.removed) == (again.lead, again.removed)

    def test_after_a_merge(self, drivers: Drivers) -> None:
        """A lead that was merged into another may have left its conversions behind."""
        store = merging(NEW, attrs.evolve(NEW, id="L-8", stage="DONE"))
        rules = acting(AutomationRule("all", ["deal"]))
        lead = attrs.evolve(NEW, id="L-9")
        drivers.advance(store, "L-7", "DONE", ["deal"], **asked(key="k-1"))
        drivers.arrive(store, lead, rules=rules, at=AT, key="k-2")
        for id_ in ("L-7", "L-9"):
            store.merge(Ref("lead", id_), Ref("lead", "L-8"))
        moved = drivers.advance(store, "L-7", "DONE", ["deal"], **asked(key="k-1"))
        arrived = drivers.arrive(store, lead, rules=rules, at=AT, key="k-2")
        assert [("L-8", ())] * 2 == [(one.lead.id, one.conversions) for one in (moved, arrived)]

    def refused(self, store: Watched, call: Callable[[], object], told: str) -> None:
        """Fail unless a call is refused so, and nothing is written."""
        before, events = dict(store.store.records), store.store.events
        with pytest.raises(StoreError) as caught:
            call()
        assert (StoreError, told) == (type(caught.value), str(caught.value))
        assert (before, events) == (store.store.records, store.store.events)


class TestAdvance:
    DEAL: Final = Deal(id="D-5", title="Engine", pipeline="sales", stage="open")

    def test_a_lead(self, drivers: Drivers) -> None:
        """A lead is moved by its id, and what it is by now is what is stored."""
        store = holding(NEW)
        moved = drivers.advance(store, "L-7", "JUNK", **asked(reason="a robot"))
        assert store[LEAD_REF] == moved.lead
        assert ("JUNK", "a robot") == (moved.lead.stage, moved.lead.stage_history[0].reason)
        assert () == moved.conversions

    def test_any_record(self, drivers: Drivers) -> None:
        """Any record with stages is moved by its ref, and filled on the way."""
        store = holding(self.DEAL, ADA)
        deal = Ref("deal", "D-5")
        given = asked(values={"contact_ids": ["C-3"], "amount": 5, "currency": "EUR"})
        moved = drivers.advance(store, deal, "offer", **given)
        assert store[deal] == moved.record
        assert ("offer", ("C-3",), Decimal(5)) == (
            store[deal].stage, store[deal].contact_ids, store[deal].amount,
        )  # fmt: skip
        given = asked(values={"contact_ids": ["C-4"]})
        with pytest.raises(InvalidFieldsError):
            drivers.advance(store, deal, "won", **given)

    def test_as_advance_decides(self, drivers: Drivers) -> None:
        """It decides what advance decides on all that is stored."""
        store = holding(attrs.evolve(NEW, custom={"UF_X": "blue"}), ADA, ENGINES)
        known = Known(records=store.store.records.values())
        into = ["company", "contact", "deal"]
        carry = {"UF_X": {"deal": "UF_PAYER"}}
        given = asked(reason="x", key="k-1", values={"title": "New"}, carry=carry)
        expected = advance(store[LEAD_REF], "DONE", into, known=known, **given)
        drivers.advance(store, "L-7", "DONE", into, **given)
        assert [expected.changes] == store.applied

    def test_into_the_success_stage(self, drivers: Drivers) -> None:
        """To move a lead to its success stage is to convert it into what is chosen."""
        store = holding(NEW, ADA)
        moved = drivers.advance(store, "L-7", "DONE", ["contact", "deal"], **asked())
        assert "C-3" == moved.conversion.contact.id
        assert store[LEAD_REF] == moved.lead == moved.conversion.lead
        assert ("C-3",) == moved.conversion.deal.contact_ids
        misused: Any = "deal"
        with pytest.raises(TypeError, match="into= is a list of kinds or targets"):
            drivers.advance(store, "L-7", "DONE", misused, **asked())

    def test_rules_whose_targets_match(self, drivers: Drivers) -> None:
        """What a rule makes in the stage finds the records that exist."""
        rules = acting(
            AutomationRule("clients", ["company", "contact"], on="WORK", closing=False),
            AutomationRule("sale", ["deal"], on="WORK"),
        )
        numbers = count(11)
        store = holding(NEW, ADA, rules=rules, new_id=lambda _: str(next(numbers)))
        moved = drivers.advance(store, "11", "WORK", **asked(rules))
        assert ["clients", "sale"] == [one.conversion.rule for one in moved.conversions]
        first, second = moved.conversions
        assert ("created", "merged") == tuple(one.action for one in first.outcomes)
        assert ("13", "12") == (first.company.id, first.contact.id)
        assert ("13", ("12",)) == (second.deal.company_id, second.deal.contact_ids)
        assert store[Ref("lead", "11")] == moved.lead
        assert store[Ref("deal", second.deal.id)] == second.deal

    def test_decided_again(self, drivers: Drivers) -> None:
        """When somebody was quicker it is decided again; if it is no move any more, refused."""
        store = holding(self.DEAL)
        deal = Ref("deal", "D-5")
        store.others = [lambda: store.update(deal, title="Newer")]
        moved = drivers.advance(store, deal, "offer", **asked())
        assert ("Newer", "offer") == (store[deal].title, store[deal].stage)
        assert store[deal] == moved.record
        store.others = [lambda: store.update(deal, stage="won")]
        with pytest.raises(ConversionError):
            drivers.advance(store, deal, "won", **asked())

    def test_asked_again(self, drivers: Drivers) -> None:
        """Asked again under its key it returns the record as it is now, and its conversions."""
        store = holding(NEW, self.DEAL, ADA)
        deal = Ref("deal", "D-5")
        drivers.advance(store, deal, "offer", **asked(key="k-1"))
        store.update(deal, title="Newer")
        again = drivers.advance(store, deal, "offer", **asked(key="k-1"))
        assert (store[deal], ()) == (again.record, again.conversions)
        first = drivers.advance(store, "L-7", "DONE", ["contact", "deal"], **asked(key="k-2"))
        again = drivers.advance(store, "L-7", "DONE", ["contact", "deal"], **asked(key="k-2"))
        assert first.lead == again.lead
        assert first.conversion.conversion == again.conversion.conversion
        assert first.conversion.deal == again.conversion.deal
        assert ("k-2", 2) == (again.changes.key, len(store.applied))

    def test_somebody_was_quicker_with_the_same(self, drivers: Drivers) -> None:
        """The same move made by somebody quicker is what was asked for."""
        store = holding(NEW)
        store.others = [lambda: advance_stored(store.store, "L-7", "JUNK", **asked())]
        moved = drivers.advance(store, "L-7", "JUNK", **asked(actor=Actor("u-2")))
        assert store[LEAD_REF] == moved.record
        assert ["u-1"] == [one.actor_id for one in moved.lead.stage_history]

    def test_what_is_not_there(self, drivers: Drivers) -> None:
        """A record that is not stored is not found; a kind that there is not cannot be."""
        for record in ("L-7", Ref("deal", "D-5")):
            with pytest.raises(RecordNotFoundError):
                drivers.advance(holding(), record, "won", **asked())
        with pytest.raises(UnfitValueError):
            drivers.advance(holding(), Ref("dael", "D-5"), "won", **asked())


class TestArrive:
    def test_a_lead(self, drivers: Drivers) -> None:
        """A lead that arrives is stored."""
        store = holding()
        moved = drivers.arrive(store, NEW, rules=RULES, at=AT)
        assert store[LEAD_REF] == moved.lead == attrs.evolve(NEW, revision="1")
        assert ["record.created"] == [one.name for one in store.store.events]

    @pytest.mark.parametrize("kind", ["memory", "sqlite"])
    def test_as_it_arrived(self, drivers: Drivers, kind: str) -> None:
        """What is blank in a lead that arrives is stored as blank, and told so."""
        lead = attrs.evolve(
            NEW,
            title="",
            comments=" \n",
            phones=[Channel("")],
            custom={"UF_TEXT": "", "UF_NONE": None, "UF_MANY": ()},
        )
        rules = acting(AutomationRule("all", ["contact"], closing=False))
        opened = (
            MemoryStore(rules) if kind == "memory" else SqlStore.from_url("sqlite://", rules=rules)
        )
        with nullcontext(opened) if isinstance(opened, MemoryStore) else opened as store:
            moved = drivers.arrive(store, lead, rules=rules, at=AT)
            [found] = store.load(Wanted(refs=(LEAD_REF,))).records
            assert isinstance(found, Lead)
            assert found == moved.lead
            assert (lead.title, lead.comments, lead.phones) == (
                found.title, found.comments, found.phones,
            )  # fmt: skip
            assert lead.custom == found.custom

    def test_rules_whose_targets_match(self, drivers: Drivers) -> None:
        """What rules make of it finds the records that exist, and has the ids of the store."""
        rules = acting(
            AutomationRule("clients", ["contact"], closing=False),
            AutomationRule("sale", [Find("deal", values={"company_id": "CO-9"})], on="NEW"),
        )
        store = holding(attrs.evolve(ADA, last_name=None), ENGINES, rules=rules)
        numbers = count(11)
        store.store.new_id = lambda _: str(next(numbers))
        moved = drivers.arrive(store, NEW, rules=rules, at=AT)
        first, second = moved.conversions
        assert ("merged", "C-3") == (first.outcomes[0].action, first.contact.id)
        assert ("11", "12") == (moved.lead.id, second.deal.id)
        assert ("CO-9", ("C-3",), ("11",)) == (
            second.deal.company_id, second.deal.contact_ids, second.deal.converted_from,
        )  # fmt: skip
        assert store[Ref("lead", "11")] == moved.lead == second.lead
        assert ("11",) == store[Ref("contact", "C-3")].converted_from

    def test_without_leads(self, drivers: Drivers) -> None:
        """In the mode without leads it is converted at once, into whoever matches."""
        automation = Automation(ROBOT, without_leads=WithoutLeads())
        rules = attrs.evolve(RULES, automation=automation)
        store = holding(ADA, rules=rules)
        moved = drivers.arrive(store, NEW, rules=rules, at=AT)
        assert "C-3" == moved.conversion.contact.id
        assert ("DONE", store[LEAD_REF]) == (moved.lead.stage, moved.lead)

    def test_what_is_refused(self, drivers: Drivers) -> None:
        """A lead is stored whatever is refused, and it is told what was."""
        rules = acting(AutomationRule("all", ["contact"]))
        store = holding(ADA, attrs.evolve(ADA, id="C-4"), rules=rules)
        moved = drivers.arrive(store, NEW, rules=rules, at=AT)
        assert ["all"] == [one.rule for one in moved.refused]
        assert "NEW" == store[LEAD_REF].stage

    def test_who_decides_about_access(self, drivers: Drivers) -> None:
        """An authorizer decides what the rules may."""
        rules = attrs.evolve(acting(AutomationRule("all", ["deal"])), policy=Policy())
        moved = drivers.arrive(holding(rules=rules), NEW, rules=rules, at=AT)
        assert ([], 1) == ([*moved.conversions], len(moved.refused))
        moved = drivers.arrive(
            holding(rules=rules), NEW, rules=rules, at=AT, authorizer=Policy.allow_all()
        )
        assert (1, 0) == (len(moved.conversions), len(moved.refused))

    @pytest.mark.parametrize("key", ["k-1", None])
    def test_the_same_again(self, drivers: Drivers, key: str | None) -> None:
        """The same lead that arrives again is there already, under a key or not."""
        rules = acting(AutomationRule("all", ["contact", "deal"]))
        numbers = count(11)
        store = holding(rules=rules, new_id=lambda _: str(next(numbers)))
        given: dict[str, Any] = {"rules": rules, "at": AT, "key": key}
        first = drivers.arrive(store, NEW, **given)
        again = drivers.arrive(store, NEW, **(given | {"at": AT.replace(year=2028)}))
        assert ("11", first.lead) == (again.lead.id, again.lead)
        assert first.conversion.deal == again.conversion.deal
        assert ["11"] == store.refs("lead")
        assert (1 if key else 2) == len(store.applied)

    def test_another_lead(self, drivers: Drivers) -> None:
        """Another lead under its key is another request; one with its id is a conflict."""
        store = holding()
        drivers.arrive(store, NEW, rules=RULES, at=AT, key="k-1")
        other = attrs.evolve(NEW, title="Other")
        with pytest.raises(IdempotencyError):
            drivers.arrive(store, other, rules=RULES, at=AT, key="k-1")
        with pytest.raises(ConflictError, match="there is such a record already: lead L-7"):
            drivers.arrive(store, other, rules=RULES, at=AT)
        assert "Engine" == store[LEAD_REF].title

    def test_decided_again(self, drivers: Drivers) -> None:
        """When somebody was quicker it is decided again, so many times."""
        store = holding()
        store.failing = [ConflictError("x")] * 3
        with pytest.raises(ConflictError):
            drivers.arrive(store, NEW, rules=RULES, at=AT, attempts=2)
        assert "NEW" == drivers.arrive(store, NEW, rules=RULES, at=AT, attempts=2).lead.stage


class TestReverse:
    def test_taken_back(self, drivers: Drivers) -> None:
        """What a conversion made is removed, what it merged is as before, the lead is back."""
        numbers = count(11)
        lead = attrs.evolve(NEW, phones=[Channel("030 1")])
        task = GenericRecord(kind="task", id="T-1", custom={"subject": "x", "lead_id": "L-7"})
        store = holding(lead, ADA, task, new_id=lambda _: str(next(numbers)))
        before = {ref: changed(one, {"revision": None}) for ref, one in store.store.records.items()}
        drivers.convert(store, "11", ["company", "contact", "deal"], **asked())
        undone = drivers.reverse(store, "11", **asked(reason="by mistake"))
        assert ["company", "deal", "task"] == sorted(one.kind for one in undone.removed)
        assert store[Ref("lead", "11")] == undone.lead
        assert ("NEW", "by mistake") == (
            undone.lead.stage,
            undone.lead.stage_history[-1].reason,
        )
        assert [store[Ref("contact", "12")]] == [*undone.restored]
        after = {ref: changed(one, {"revision": None}) for ref, one in store.store.records.items()}
        history = {"conversions": (), "stage_history": ()}
        after[Ref("lead", "11")] = changed(after[Ref("lead", "11")], history)
        assert before == after

    def test_converted_once_more(self, drivers: Drivers) -> None:
        """Afterwards the same can be asked anew, and gives a conversion of its own."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked())
        drivers.reverse(store, "L-7", **asked())
        again = drivers.convert(store, "L-7", ["deal"], **asked())
        assert ("L-7.2", ["L-7.2.deal.1"]) == (again.conversion.id, store.refs("deal"))
        drivers.reverse(store, "L-7", **asked())
        assert [] == store.refs("deal")

    def test_reopened(self, drivers: Drivers) -> None:
        """With keep=True what was made stays, and the lead goes where it is told."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked())
        undone = drivers.reverse(store, "L-7", **asked(keep=True, to="WORK"))
        assert ("WORK", ["L-7.1.deal.1"]) == (undone.lead.stage, store.refs("deal"))
        assert () == store[Ref("deal", "L-7.1.deal.1")].converted_from

    def test_what_is_in_the_way(self, drivers: Drivers) -> None:
        """What was changed since is in the way, unless the rest will do."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["contact", "deal"], **asked())
        store.update(Ref("deal", "L-7.1.deal.1"), title="Newer")
        with pytest.raises(NotReversibleError) as refused:
            drivers.reverse(store, "L-7", **asked(conversion="L-7.1"))
        assert {"changed_since", "has_others"} >= {one.code for one in refused.value.problems}
        undone = drivers.reverse(store, "L-7", **asked(partial=True))
        assert "NEW" == undone.lead.stage
        assert "L-7.1.deal.1" in store.refs("deal")

    def test_whom_only_the_traces_know(self, drivers: Drivers) -> None:
        """A child that has gone elsewhere since is looked up once the traces have named it."""
        rules = attrs.evolve(RULES, children=[ChildRule(TASK, {"deal": "move"})])
        task = GenericRecord(kind="task", id="T-1", custom={"subject": "x", "lead_id": "L-7"})
        store = holding(NEW, task, Deal(id="D-5", title="Other"), rules=rules)
        drivers.convert(store, "L-7", ["deal"], **asked(rules))
        store.update(Ref("task", "T-1"), deal_id=Ref("deal", "D-5"))
        with pytest.raises(NotReversibleError) as refused:
            drivers.reverse(store, "L-7", **asked(rules))
        assert [("changed_since", "T-1")] == [
            (one.code, one.params["id"]) for one in refused.value.problems
        ]

    def test_changed_meanwhile(self, drivers: Drivers) -> None:
        """What is changed while it is decided is seen when it is decided again."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked())
        store.others = [lambda: store.update(Ref("deal", "L-7.1.deal.1"), title="Newer")]
        with pytest.raises(NotReversibleError):
            drivers.reverse(store, "L-7", **asked())
        store.others = [lambda: store.update(Ref("deal", "L-7.1.deal.1"), title="Engine")]
        store.update(Ref("deal", "L-7.1.deal.1"), title="Engine")
        assert "NEW" == drivers.reverse(store, "L-7", **asked()).lead.stage

    def test_asked_again(self, drivers: Drivers) -> None:
        """Asked again under its key it takes nothing back, and shows the lead as it is now."""
        store = holding(NEW)
        drivers.convert(store, "L-7", ["deal"], **asked())
        drivers.reverse(store, "L-7", **asked(key="k-1"))
        drivers.convert(store, "L-7", ["deal"], **asked())
        again = drivers.reverse(store, "L-7", **asked(key="k-1"))
        assert store[LEAD_REF] == again.lead
        assert ("DONE", ["L-7.2.deal.1"]) == (again.lead.stage, store.refs("deal"))
        assert (["L-7.1"], ()) == ([one.id for one in again.conversions], again.changes.changes)
        assert "k-1" == again.changes.key

    @pytest.mark.parametrize("more", [{}, {"conversion": "L-7.1"}], ids=["newest", "named"])
    def test_what_was_taken_back(self, drivers: Drivers, more: dict[str, Any]) -> None:
        """Asked again it tells what the first result told: restored, removed and released."""
        store = holding(attrs.evolve(NEW, phones=[Channel("030 1")]), ADA, ENGINES)
        drivers.convert(store, "L-7", ["company", "contact", "deal"], **asked())
        given = asked(key="k-1", **more)
        first, again = (drivers.reverse(store, "L-7", **given) for _ in range(2))
        assert (first.lead, first.conversions) == (again.lead, again.conversions)
        assert ([store[Ref("contact", "C-3")]], first.restored) == (
            [*again.restored],
            again.restored,
        )
        assert ((Ref("deal", "L-7.1.deal.1"),), first.removed) == (again.removed, again.removed)
        assert {Ref("company", "CO-9"), Ref("contact", "C-3")} == {*again.released}
        assert {*first.released} == {*again.released}

    def test_what_was_let_go(self, drivers: Drivers) -> None:
        """Of a lead that was reopened it tells all that was let go, by every conversion."""
        store = holding(NEW, ENGINES)
        drivers.convert(store, "L-7", ["company"], **asked(closing=False))
        drivers.convert(store, "L-7", ["deal"], **asked())
        given = asked(key="k-1", keep=True)
        first, again = (drivers.reverse(store, "L-7", **given) for _ in range(2))
        assert first.conversions == again.conversions
        assert ["L-7.1", "L-7.2"] == [one.id for one in again.conversions]
        assert {*first.released} == {*again.released}
        assert {"CO-9", "L-7.1.deal.1", "L-7.2.deal.1"} >= {one.id for one in again.released}
        assert ((), ()) == (again.removed, again.restored)

    def test_one_of_several(self, drivers: Drivers) -> None:
        """Which of several was meant is told if it was named; else only the lead is."""
        store = holding(NEW)
        for number in (1, 2):
            drivers.convert(store, "L-7", ["deal"], **asked())
            given = asked(conversion=f"L-7.{number}")
            drivers.reverse(store, "L-7", **given, key=f"k-{number}")
        again = drivers.reverse(store, "L-7", **asked(conversion="L-7.2", key="k-2"))
        assert ["L-7.2"] == [one.id for one in again.conversions]
        assert ["L-7.2.deal.1"] == [one.id for one in again.removed]
        drivers.convert(store, "L-7", ["deal"], **asked())
        for _ in range(2):
            again = drivers.reverse(store, "L-7", **asked(key="k-3"))
        assert ((), (), "NEW") == (again.conversions, again.removed, again.lead.stage)

    def test_what_is_linked_again(self, drivers: Drivers) -> None:
        """What points back at the lead again, or is of a kind given up since, is not let go."""
        store = holding(NEW, ENGINES)
        drivers.convert(store, "L-7", ["company", "parcel"], **asked())
        given = asked(key="k-1", partial=True)
        drivers.reverse(store, "L-7", **given)
        drivers.convert(store, "L-7", ["company"], **asked())
        again = drivers.reverse(store, "L-7", **given)
        assert (["L-7.1.parcel.1"], ()) == ([one.id for one in again.removed], again.released)
        fewer = attrs.evolve(
            RULES,
            kinds=[one for one in RULES.kinds if one.id != "parcel"],
            mappings=[one for one in RULES.mappings if one.kind != "parcel"],
        )
        store.store.rules = fewer
        again = drivers.reverse(store, "L-7", **(given | {"rules": fewer}))
        assert ((), ()) == (again.removed, again.released)

    def test_nothing_to_take_back(self, drivers: Drivers) -> None:
        """A lead that is not converted, or not there, is told as such."""
        with pytest.raises(NotReversibleError):
            drivers.reverse(holding(NEW), "L-7", **asked())
        with pytest.raises(RecordNotFoundError):
            drivers.reverse(holding(), "L-7", **asked())
        with pytest.raises(ValueError, match="keep=True"):
            drivers.reverse(holding(NEW), "L-7", **asked(to="WORK"))


class TestManyAtOnce:
    """Change sets of a batch, of which some come after others, in a store that gives ids."""

    LEADS: Final = (
        attrs.evolve(NEW, id="L-1"),
        attrs.evolve(NEW, id="L-2", phones=[Channel("030 1")]),
        attrs.evolve(NEW, id="L-3", last_name=None),
        attrs.evolve(NEW, id="L-4", phones=[Channel("030 2")]),
    )

    def batch(self, store: BulkStore, ids: list[str]) -> tuple[list[ConversionResult], list[Any]]:
        """What a batch decided of the leads, and what the store answered."""
        records = store.load(Wanted(refs=tuple(Ref("lead", id_) for id_ in ids))).records
        leads = sorted((one for one in records if isinstance(one, Lead)), key=lambda one: one.id)
        into = ["company", "contact", "deal"]
        decided = convert_batch(leads, into, rules=RULES, actor=BOSS, at=AT)
        results = [one.result for one in decided if isinstance(one, Converted)]
        return results, [*store.apply_many([one.changes for one in results])]

    @pytest.mark.parametrize("gives_ids", [True, False])
    def test_what_an_earlier_one_made(self, gives_ids: bool) -> None:
        """With the receipts of the batch each result is told as it was stored."""
        numbers = count(11)
        store = MemoryStore(RULES, new_id=(lambda _: str(next(numbers))) if gives_ids else None)
        store.apply(seed(self.LEADS, rules=RULES))
        results, receipts = self.batch(store, [ref.id for ref in store.records])
        assert [0, 1, 2, 2] == [len(one.changes.after) for one in results]
        stored = [
            one.stored(receipt, receipts) for one, receipt in zip(results, receipts, strict=True)
        ]
        first, second, third, last = stored
        ids = ("15", "16") if gives_ids else ("L-1.1.company.1", "L-1.1.contact.1")
        for one in stored:
            assert ids == (one.company.id, one.contact.id)
            assert (ids[0], (ids[1],)) == (one.deal.company_id, one.deal.contact_ids)
            told = (*one.conversion.targets, *(each.ref for each in one.outcomes))
            assert not any(ref.provisional for ref in told)
            assert store.records[Ref("lead", one.lead.id)] == one.lead
        # the first made it, the second changed it, the third found it so, the last changed it
        revisions = [one.contact.revision for one in stored]
        assert 3 == len(set(revisions))
        assert revisions[1] == revisions[2]
        assert second.contact.phones == third.contact.phones != last.contact.phones
        assert store.records[Ref("contact", ids[1])] == last.contact
        assert first.company.revision == last.company.revision

    def test_in_a_database(self) -> None:
        """So it is in a database."""
        with SqlStore.from_url("sqlite://", rules=RULES) as store:
            store.apply(seed(self.LEADS, rules=RULES))
            results, receipts = self.batch(store, ["L-1", "L-2", "L-3", "L-4"])
            last = results[3].stored(receipts[3], receipts)
            refs = tuple(one.ref for one in last.outcomes)
            known = store.load(Wanted(refs=refs))
            assert {*known.records} == {*last.records}

    def test_only_its_own_receipt(self) -> None:
        """Without the others' receipts a result that names what they made says what it lacks."""
        numbers = count(11)
        store = MemoryStore(RULES, new_id=lambda _: str(next(numbers)))
        store.apply(seed(self.LEADS, rules=RULES))
        results, receipts = self.batch(store, [ref.id for ref in store.records])
        with pytest.raises(ValueError, match=r"nothing of company 11\.1\.company\.1, contact"):
            results[1].stored(receipts[1])
        with pytest.raises(ValueError, match=r"nothing of .*: give earlier= the receipts of what"):
            results[1].stored(receipts[1], receipts[1:])

    def test_asked_again(self) -> None:
        """Applied once more they change nothing, and the receipts tell the same."""
        store = MemoryStore(RULES)
        store.apply(seed(self.LEADS, rules=RULES))
        results, receipts = self.batch(store, ["L-1", "L-2", "L-3"])
        again = [*store.apply_many([one.changes for one in results])]
        assert [attrs.evolve(one, replayed=True) for one in receipts] == again

    def test_whom_only_a_value_names(self) -> None:
        """What a value refers to is told as well, or is missed if the receipt is not there."""
        numbers = count(11)
        store = MemoryStore(RULES, new_id=lambda _: str(next(numbers)))
        store.apply(seed(self.LEADS[:2], rules=RULES))
        one, other = (each for each in store.records.values() if isinstance(each, Lead))
        first = convert(one, ["company"], **asked())
        pending = Pending(first.company, first.changes.key)
        into = [Create("deal", values={"company_id": first.company.id})]
        second = convert(other, into, known=Known(pending=[pending]), **asked())
        receipts = [*store.apply_many([first.changes, second.changes])]
        told = [each for each in receipts if isinstance(each, Receipt)]
        assert "13" == second.stored(told[1], told).deal.company_id
        with pytest.raises(
            ValueError, match=r"nothing of company 11\.1\.company\.1: give earlier="
        ):
            second.stored(told[1])

    def test_drivers_come_after_nothing(self, drivers: Drivers) -> None:
        """What a driver decides is decided on what is stored, so it needs no other receipt."""
        store = holding(*self.LEADS)
        for lead in self.LEADS:
            drivers.convert(store, lead.id, ["company", "contact", "deal"], **asked())
        assert [()] * 4 == [one.after for one in store.applied]


@attrs.define
class Merging(Watched):
    """A store that tells of merges: of what was merged away it loads the survivor."""

    merged: dict[Ref, Ref] = attrs.field(factory=dict)

    def merge(self, gone: Ref, kept: Ref) -> None:
        """Somebody merges a record into another, which takes over whoever refers to it."""
        self.merged[gone] = kept
        there = self.store.records[gone]
        removed = Delete(gone, there.revision)
        self.store.apply(ChangeSet(key=f"merged {gone}", fingerprint="f", changes=[removed]))

    def load(self, wanted: Wanted, /) -> Known:
        """Load what is wanted, and the survivors."""
        survivors = dict[Ref, None]()
        for ref in wanted.refs:
            while ref in self.merged:
                ref = self.merged[ref]  # noqa: PLW2901 - who it is by now
            survivors[ref] = None
        known = super().load(attrs.evolve(wanted, refs=tuple(survivors)))
        return attrs.evolve(known, merged=self.merged.items())


def merging(*records: Record, rules: ConversionRules = RULES) -> Merging:
    """A store that holds records, and tells of merges."""
    return Merging(holding(*records, rules=rules).store)


class TestMerged:
    C3, C4, C5 = (Ref("contact", f"C-{number}") for number in (3, 4, 5))
    BOUND: Final = attrs.evolve(NEW, contact_ids=["C-3"])
    OTHERS: Final = (ADA, Contact(id="C-4", last_name="King"), Contact(id="C-5", last_name="Ada"))

    def test_whom_a_lead_is_bound_to(self, drivers: Drivers) -> None:
        """A client that was merged away is the survivor, through as many merges as there were."""
        store = merging(self.BOUND, *self.OTHERS)
        store.merge(self.C3, self.C4)
        store.merge(self.C4, self.C5)
        result = drivers.convert(store, "L-7", ["contact", "deal"], **asked())
        assert ("C-5", ("C-5",)) == (result.contact.id, result.deal.contact_ids)
        assert ["C-5"] == store.refs("contact")

    def test_what_a_lead_became(self, drivers: Drivers) -> None:
        """A supplement is for whoever the client of the conversion is by now."""
        store = merging(NEW, *self.OTHERS)
        drivers.convert(store, "L-7", ["contact"], **asked())
        store.merge(self.C3, self.C4)
        more = drivers.convert(store, "L-7", ["deal"], **asked(mode="supplement"))
        assert ("C-4",) == more.deal.contact_ids

    def test_in_a_move(self, drivers: Drivers) -> None:
        """So it is for what rules make when a lead is moved, and for a move that converts."""
        rules = acting(AutomationRule("all", ["contact", "deal"], on="WORK", closing=False))
        store = merging(self.BOUND, *self.OTHERS, rules=rules)
        store.merge(self.C3, self.C4)
        moved = drivers.advance(store, "L-7", "WORK", **asked(rules))
        assert ("C-4", ("C-4",)) == (
            moved.conversion.contact.id,
            moved.conversion.deal.contact_ids,
        )
        moved = drivers.advance(store, "L-7", "DONE", ["contact"], **asked(rules))
        assert "C-4" == moved.conversion.contact.id

    def test_taken_back(self, drivers: Drivers) -> None:
        """What was made and merged away since stays; with partial=True the rest is taken back."""
        store = merging(NEW, *self.OTHERS)
        drivers.convert(store, "L-7", [Create("contact"), "deal"], **asked())
        made = Ref("contact", "L-7.1.contact.1")
        store.update(self.C5, converted_from=[LEAD_REF])
        store.update(Ref("deal", "L-7.1.deal.1"), contact_ids=[self.C5])
        store.merge(made, self.C5)
        with pytest.raises(NotReversibleError) as refused:
            drivers.reverse(store, "L-7", **asked())
        assert [("merged_away", "C-5")] == [
            (one.code, one.params["survivor"]) for one in refused.value.problems
        ]
        given = asked(partial=True, key="k-1")
        first, again = (drivers.reverse(store, "L-7", **given) for _ in range(2))
        assert () == store[self.C5].converted_from
        assert (first.lead, first.removed) == (again.lead, again.removed)
        assert ["L-7.1.deal.1"] == [one.id for one in again.removed]

    def test_a_record_of_its_own(self, drivers: Drivers) -> None:
        """A lead or a deal that was merged away is the survivor as well."""
        other = attrs.evolve(NEW, id="L-8", title="Other")
        deals = [Deal(id=id_, title=id_, pipeline="sales", stage="open") for id_ in ("D-5", "D-6")]
        store = merging(NEW, other, *deals)
        store.merge(LEAD_REF, Ref("lead", "L-8"))
        store.merge(Ref("deal", "D-5"), Ref("deal", "D-6"))
        result = drivers.convert(store, "L-7", ["deal"], **asked())
        assert ("L-8", "Other") == (result.lead.id, result.deal.title)
        assert "L-8" == drivers.reverse(store, "L-7", **asked()).lead.id
        moved = drivers.advance(store, Ref("deal", "D-5"), "offer", **asked())
        assert ("D-6", "offer") == (moved.record.id, store[Ref("deal", "D-6")].stage)
        deal = attrs.evolve(deals[0], id="D-7")
        store.store.apply(seed([deal], rules=RULES))
        store.merged = {Ref("deal", "D-6"): Ref("deal", "D-7"), **store.merged}
        moved = drivers.advance(store, Ref("deal", "D-5"), "offer", **asked())
        assert "D-7" == moved.record.id

    def test_what_was_made_is_the_survivor(self, drivers: Drivers) -> None:
        """Asked again a driver tells the survivor of what was made, and each record once."""
        store = merging(NEW, *self.OTHERS)
        into, given = [Create("contact"), Link("contact", "C-4"), "deal"], asked(key="k-1")
        drivers.convert(store, "L-7", into, **given)
        made = Ref("contact", "L-7.1.contact.1")
        store.merge(made, self.C5)
        again = drivers.convert(store, "L-7", into, **given)
        assert ["C-5", "C-4", "L-7.1.deal.1"] == [one.ref.id for one in again.outcomes]
        assert [store[self.C5], store[self.C4]] == [*again.all(Contact)]
        store.merge(self.C5, self.C4)
        again = drivers.convert(store, "L-7", into, **given)
        assert ["C-4", "L-7.1.deal.1"] == [one.ref.id for one in again.outcomes]
        assert (made, self.C4) == again.conversion.targets[:2]

    def test_asked_again_after_a_merge(self, drivers: Drivers) -> None:
        """What was asked of a record before it was merged is the same request afterwards."""
        store = merging(NEW, attrs.evolve(NEW, id="L-8"))
        first = drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        moved = store.store.records[LEAD_REF]
        store.update(Ref("lead", "L-8"), stage="DONE", conversions=first.lead.conversions)
        store.merge(LEAD_REF, Ref("lead", "L-8"))
        assert moved.id == "L-7"
        again = drivers.convert(store, "L-7", ["deal"], **asked(key="k-1"))
        assert ("L-8", first.conversion) == (again.lead.id, again.conversion)
        assert first.deal == again.deal
        for lead_id, into in (("L-7", "contact"), ("L-8", "deal")):
            with pytest.raises(IdempotencyError):
                drivers.convert(store, lead_id, [into], **asked(key="k-1"))
        later = drivers.advance(store, "L-7", "DONE", ["deal"], **asked(key="k-1"))
        assert later.conversion.conversion == first.conversion


@attrs.define
class Lossy(Watched):
    """A store that applies, and loses its answer as often as it is told."""

    lost: int = 1

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Apply the changes, and say nothing of it."""
        receipt = super().apply(changes)
        if self.lost:
            self.lost -= 1
            raise UnavailableError("the connection was lost")
        return receipt


Asking = Callable[[Drivers, Store, str | None], ConversionResult | MoveResult | Reversal]


class TestUnknownOutcomes:
    ASKED: Final[dict[str, Asking]] = {
        "convert": lambda drivers, store, key: drivers.convert(
            store, "L-7", ["contact", "deal"], **asked(key=key)
        ),
        "advance": lambda drivers, store, key: drivers.advance(
            store, "L-7", "WORK", **asked(key=key)
        ),
        "arrive": lambda drivers, store, key: drivers.arrive(
            store, attrs.evolve(NEW, id="L-9"), rules=RULES, at=AT, key=key
        ),
        "reverse": lambda drivers, store, key: drivers.reverse(
            store, "L-8", **asked(key=key)
        ),
    }  # fmt: skip

    def lossy(self) -> Lossy:
        """A store that loses an answer, with a lead, and another one that was converted."""
        store = holding(NEW, attrs.evolve(NEW, id="L-8", emails=[]))
        convert_stored(store, "L-8", ["deal"], **asked())
        return Lossy(store.store)

    @pytest.mark.parametrize("what", ASKED)
    def test_asked_again(self, drivers: Drivers, what: str) -> None:
        """The error passes unchanged after one attempt; the same key gives what was done."""
        store, ask = self.lossy(), self.ASKED[what]
        with pytest.raises(UnavailableError, match=r"^the connection was lost$"):
            ask(drivers, store, "k-1")
        assert 1 == len(store.applied)
        written, events = dict(store.store.records), store.store.events
        again = ask(drivers, store, "k-1")
        record = again.record if isinstance(again, MoveResult) else again.lead
        assert written[Ref("lead", record.id)] == record
        assert (written, events) == (store.store.records, store.store.events)
        assert (1, "k-1") == (len(store.applied), again.changes.key)

    @pytest.mark.parametrize("what", ASKED)
    def test_what_was_not_applied(self, drivers: Drivers, what: str) -> None:
        """If the lost one was never applied the same key does it now, once."""
        store, ask = self.lossy(), self.ASKED[what]
        store.lost, store.failing = 0, [UnavailableError("the connection was lost")]
        with pytest.raises(UnavailableError):
            ask(drivers, store, "k-1")
        assert 1 == len(store.applied)
        first = ask(drivers, store, "k-1")
        again = ask(drivers, store, "k-1")
        assert 2 == len(store.applied)
        for one in (first, again):
            record = one.record if isinstance(one, MoveResult) else one.lead
            assert store[Ref("lead", record.id)] == record


class TestCalls:
    """A call that is misspelt is refused in words, before anything is loaded."""

    @pytest.mark.parametrize(
        ("given", "error", "words"),
        [
            ({"reasn": "x"}, TypeError, "there is no argument reasn=, did you mean reason=?"),
            ({"zzz": 1}, TypeError, "there is no argument zzz="),
            ({"known": Known()}, TypeError, "known= is what the store answers: leave it out"),
            (
                {"rules": presets.bitrix24},
                TypeError,
                "rules is a ConversionRules, not a Bitrix24, it is to be called: write () behind",
            ),
            ({"rules": "bitrix24"}, TypeError, "rules is a ConversionRules, not a str"),
            ({"key": 17}, TypeError, "key is a text or None, not an int"),
            ({"attempts": "5"}, TypeError, "attempts is an int, not a str"),
            ({"attempts": 0}, ValueError, "attempts= is how often it is decided in all: at least"),
        ],
        ids=["misspelt", "unknown", "known", "preset", "rules", "key", "attempts", "never"],
    )
    def test_arguments(
        self, drivers: Drivers, given: dict[str, Any], error: type[Exception], words: str
    ) -> None:
        """Whatever is given by name is looked at, as in any other function."""
        store = holding(NEW)
        arriving = {"rules": RULES, "at": AT}
        calls: list[Callable[[], object]] = [
            lambda: drivers.convert(store, "L-7", ["deal"], **(asked() | given)),
            lambda: drivers.advance(store, "L-7", "WORK", **(asked() | given)),
            lambda: drivers.reverse(store, "L-7", **(asked() | given)),
        ]
        if "reasn" not in given:  # nobody gives a reason there
            calls.append(lambda: drivers.arrive(store, NEW, **(arriving | given)))
        for call in calls:
            with pytest.raises(error, match=f"^{re.escape(words)}"):
                call()
        assert ([], []) == (store.loads, store.applied)

    def test_what_is_missing(self, drivers: Drivers) -> None:
        """All that is missing is told at once."""
        with pytest.raises(TypeError, match=r"^give actor= and at= and rules= as well$"):
            drivers.convert(holding(NEW), "L-7", ["deal"])
        with pytest.raises(TypeError, match=r"^give at= as well$"):
            drivers.arrive(holding(NEW), NEW, rules=RULES)
        with pytest.raises(TypeError, match="there is no argument actor="):
            drivers.arrive(holding(NEW), NEW, **asked())
        with pytest.raises(TypeError, match="there is no argument values="):
            drivers.reverse(holding(NEW), "L-7", **asked(values={}))
        with pytest.raises(TypeError, match="there is no argument eligible_owners="):
            drivers.reverse(holding(NEW), "L-7", **asked(eligible_owners=["u-7"]))
        with pytest.raises(TypeError, match="there is no argument mode="):
            drivers.advance(holding(NEW), "L-7", "WORK", **asked(mode="convert"))

    def test_a_record_in_place_of_its_id(self, drivers: Drivers) -> None:
        """A lead is named by its id; a record that is moved also by its ref."""
        store = holding(NEW)
        for one in (NEW, LEAD_REF):
            words = f"^a lead is named by its id, a text, not a {type(one).__name__}: write .id"
            with pytest.raises(TypeError, match=words):
                drivers.convert(store, one, ["deal"], **asked())
            with pytest.raises(TypeError, match=words):
                drivers.reverse(store, one, **asked())
        with pytest.raises(TypeError, match=r"not a Lead: write .id behind it"):
            drivers.advance(store, NEW, "WORK", **asked())
        with pytest.raises(TypeError, match=r"^a lead is named by its id, a text, not an int$"):
            drivers.convert(store, 7, ["deal"], **asked())
        with pytest.raises(TypeError, match=r"^lead is a Lead, not a str$"):
            drivers.arrive(store, "L-7", rules=RULES, at=AT)
        assert [] == store.loads

    def test_no_store(self) -> None:
        """What is no store, or none yet, is refused."""
        store: Any = object()
        with pytest.raises(TypeError, match="such as MemoryStore or SqlStore, not a object"):
            convert_stored(store, "L-7", ["deal"], **asked())
        store = MemoryStore
        with pytest.raises(TypeError, match="not its class: make a MemoryStore first"):
            convert_stored(store, "L-7", ["deal"], **asked())

    def test_the_other_sort_of_store(self) -> None:
        """A store that is awaited has drivers of its own, and so has one that is not."""
        store: Any = Awaited(holding(NEW))
        with pytest.raises(TypeError, match="is awaited: use the driver that ends in _async"):
            convert_stored(store, "L-7", ["deal"], **asked())
        store = holding(NEW)
        with pytest.raises(TypeError, match="is not awaited: use the driver without _async"):
            asyncio.run(convert_stored_async(store, "L-7", ["deal"], **asked()))

    def test_a_store_that_answers_nothing(self, drivers: Drivers) -> None:
        """A store that forgets to return what it must is told so."""

        class Silent(Watched):
            def apply(self, changes: ChangeSet, /) -> Any:  # noqa: ANN401 - it is wrong
                super().apply(changes)

        class Dumb(Watched):
            def load(self, wanted: Wanted, /) -> Any:  # noqa: ANN401 - it is wrong
                return super().load(wanted).records

        for cls, words in (
            (Silent, r"^apply\(\) of a store returns a Receipt, not None$"),
            (Dumb, r"^load\(\) of a store returns a Known, not a tuple$"),
        ):
            with pytest.raises(TypeError, match=words):
                drivers.convert(cls(holding(NEW).store), "L-7", ["deal"], **asked())

    @pytest.mark.parametrize("name", ["SqlStore", "AsyncSqlStore"])
    def test_an_extra_that_is_missing(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without SQLAlchemy the stores that need it say what to install."""
        for module in ("sql", "_sql_errors"):
            monkeypatch.delitem(sys.modules, f"leadconvert.stores.{module}", raising=False)
            monkeypatch.delattr(stores, module, raising=False)
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "sqlalchemy", None)
            with pytest.raises(ModuleNotFoundError) as missing:
                getattr(stores, name)
            assert f"{name} needs: pip install 'leadconvert[sql]'" == str(missing.value)
        monkeypatch.setitem(sys.modules, "sqlalchemy.exc", None)
        with pytest.raises(ModuleNotFoundError, match=r"sqlalchemy\.exc"):
            getattr(stores, name)

    def test_a_name_that_is_misspelt(self) -> None:
        """Any other name is none of the package."""
        with pytest.raises(AttributeError, match="has no attribute 'SQLStore'"):
            _ = stores.SQLStore


class TestApart:
    def test_a_lead_made_by_others(self, drivers: Drivers) -> None:
        """A change set of one's own is stored beside those of the drivers."""
        store = holding()
        made = Insert(Ref("lead", "L-7", provisional=True), {"stage": "NEW", "title": "Engine"})
        store.store.apply(ChangeSet(key="mine", fingerprint="f", changes=[made]))
        assert "Engine" == drivers.convert(store, "L-7", ["deal"], **asked()).deal.title
