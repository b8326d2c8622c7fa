"""Taking a conversion back: what is restored, removed and let go, and what stands in the way."""

import copy
import json
import pickle
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, cast

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Authorizer,
    Automation,
    AutomationRule,
    Change,
    ChangeSet,
    Channel,
    ChildRule,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Deal,
    Decision,
    Delete,
    Detach,
    Event,
    Field,
    FieldMapping,
    Find,
    GenericRecord,
    Insert,
    Kind,
    Known,
    Lead,
    Link,
    Matching,
    MatchRule,
    Merge,
    Pipeline,
    Policy,
    Product,
    Receipt,
    Record,
    Ref,
    Reversal,
    ReversalPlan,
    Stage,
    StageChange,
    Target,
    Trace,
    TraceStep,
    Undoing,
    Undone,
    Update,
    advance,
    arrive,
    convert,
    errors,
    history,
    plan_reversal,
    presets,
    reverse,
    wanted_reversal,
)
from leadconvert.changes import bind, plain
from leadconvert.codec import Codec
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import COMPANY, CONTACT, DEAL
from leadconvert.records import changed, held


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LATER: Final = AT + timedelta(days=1)
ADA: Final = Actor("u-7")

TO_LEAD: Final = Field("lead_id", "reference", to="lead")
TO_LEADS: Final = Field("lead_ids", "reference", to="lead", multiple=True)
TO_DEAL: Final = Field("deal_id", "reference", to="deal")
TO_DEALS: Final = Field("deal_ids", "reference", to="deal", multiple=True)
TO_CONTACTS: Final = Field("contact_ids", "reference", to="contact", multiple=True)


def child_kind(name: str, *fields: Field) -> Kind:
    """A kind of children."""
    return Kind(name, fields=fields, converted_from=None)


TASK: Final = child_kind(
    "task", Field("subject", "text"), Field("completed", "boolean"), TO_LEAD, TO_DEAL
)
MAIL: Final = child_kind("mail", Field("subject", "text"), TO_LEADS, TO_CONTACTS, TO_DEALS)
NOTE: Final = child_kind("note", Field("text", "text"), TO_LEAD, TO_DEAL)
CALL: Final = child_kind("call", Field("completed", "boolean"), TO_LEAD)
CHILDREN: Final = (
    ChildRule(TASK, {"deal": "move"}, close={"completed": True}),
    ChildRule(MAIL, {"deal": "share", "contact": "share"}),
    ChildRule(NOTE, {"deal": "copy"}),
    ChildRule(CALL, close={"completed": True}),
)
LEADS: Final = Pipeline(
    "leads", "lead", ["new", "talk", Stage("done", "success"), Stage("lost", "failure")]
)
SALES: Final = Pipeline("sales", "deal", ["open", "hot", Stage("won", "success")])
RULES: Final = ConversionRules(
    kinds=[CONTACT, COMPANY, DEAL],
    pipelines=[LEADS, SALES],
    mappings=[
        FieldMapping("company_name", "company", "name"),
        FieldMapping("last_name", "contact"),
        FieldMapping("comments", "contact", conflict="take"),
        FieldMapping("emails", "contact", conflict="append"),
        FieldMapping("title", "deal"),
        FieldMapping("amount", "deal", conflict="take"),
        FieldMapping("currency", "deal", conflict="take"),
        FieldMapping("products", "deal"),
        FieldMapping("contact_ids", "deal"),
    ],
    children=CHILDREN,
    policy=Policy.allow_all(),
)

EMAIL: Final = Channel("ada@example.com")
OLD_EMAIL: Final = Channel("ada@example.org")
LEAD: Final = Lead(
    id="L-7",
    revision="1",
    stage="talk",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    comments="urgent",
    emails=[EMAIL],
    amount=Decimal(5000),
    currency="EUR",
)
ADA_OF_OLD: Final = Contact(
    id="C-3", revision="1", last_name="Lovelace", comments="met in 2026", emails=[OLD_EMAIL]
)
L_7: Final = Ref("lead", "L-7")
C_3: Final = Ref("contact", "C-3")
NEW_CONTACT: Final = Ref("contact", "L-7.1.contact.1")
NEW_COMPANY: Final = Ref("company", "L-7.1.company.1")
NEW_DEAL: Final = Ref("deal", "L-7.1.deal.1")


@attrs.frozen
class AllBut:
    """Allows everything but what is listed: an action, a kind, and an id or a field."""

    denied: tuple[tuple[str, str, str | None], ...]

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return the answer."""
        asked = (request.action.value, request.kind, request.id or request.field)
        no = asked in self.denied
        code = "denied" if no else "granted"
        return Decision(actor_id=actor.id, request=request, allowed=not no, code=code)


def denying(*what: tuple[str, str, str | None]) -> Authorizer:
    """An engine that denies these."""
    return AllBut(what)


def ref_of(record: Record) -> Ref:
    """The ref of a record as it is stored."""
    name = record.kind if isinstance(record, GenericRecord) else type(record).__name__.lower()
    return Ref(name, record.id)


def by_ref(records: Iterable[Record]) -> dict[Ref, Record]:
    """Records by their refs."""
    return {ref_of(one): one for one in records}


@attrs.define
class Shelf:
    """A store in memory that does what change sets say, under ids of its own if told so."""

    records: dict[Ref, Record] = attrs.field(converter=by_ref)
    rules: ConversionRules = attrs.field(default=RULES, kw_only=True)
    own_ids: bool = attrs.field(default=False, kw_only=True)
    merged: list[tuple[Ref, Ref]] = attrs.field(factory=list, init=False)
    traces: dict[str, Trace] = attrs.field(factory=dict, init=False)
    #: The receipt of what was applied last.
    receipt: Receipt = attrs.field(factory=Receipt, init=False)

    @property
    def lead(self) -> Lead:
        """The one lead, or the first."""
        return next(one for one in self.records.values() if isinstance(one, Lead))

    @property
    def known(self) -> Known:
        """All that there is."""
        records, traces = self.records.values(), self.traces.values()
        return Known(records=records, traces=traces, merged=self.merged)

    @property
    def contents(self) -> dict[str, dict[str, object]]:
        """All that there is, without revisions, and what is empty is not told."""
        return {
            str(ref): {name: one for name, one in held(record).items() if one not in (None, ())}
            for ref, record in sorted(self.records.items(), key=str)
        }

    def convert(self, into: Iterable[str | Target], **more: Any) -> ConversionResult:  # noqa: ANN401
        """Convert the lead, and store it."""
        given: dict[str, Any] = {"rules": self.rules, "actor": ADA, "at": AT, **more}
        made = convert(self.lead, into, known=self.known, **given)
        self.apply(made.changes)
        return made.stored(self.receipt)

    def look(self, **more: Any) -> ReversalPlan:  # noqa: ANN401
        """Look at what taking the newest conversion back would do."""
        given: dict[str, Any] = {"rules": self.rules, "actor": ADA, "at": LATER}
        return plan_reversal(self.lead, **{**given, "known": self.known, **more})

    def reverse(self, **more: Any) -> Reversal:  # noqa: ANN401
        """Take the newest conversion back, and store that."""
        undone = self.look(**more).result()
        self.apply(undone.changes)
        return undone.stored(self.receipt)

    def edit(self, ref: Ref, **values: object) -> None:
        """Let somebody change a record."""
        kind, record = self.kind(ref), self.records[ref]
        given = {"custom": {**record.custom, **values}} if kind.cls is None else values
        self.records[ref] = changed(record, {"revision": "edited", **given})

    def apply(self, changes: ChangeSet) -> None:
        """Do what a change set says, each change on the revision it names."""
        ids: dict[Ref, Ref] = {}
        written: dict[Ref, None] = {}
        for change in changes.changes:
            if isinstance(change, Insert):
                number = len(self.records)
                stored = Ref(change.ref.kind, f"own-{number}" if self.own_ids else change.ref.id)
                ids[change.ref] = stored
            ref = ids.get(change.ref, change.ref)
            self._do(change, ref, ids)
            written[ref] = None
        for trace in changes.traces:
            self.traces[trace.id] = cast("Trace", bind(trace, ids))
        revisions = [
            (ref, str(self.records[ref].revision)) for ref in written if ref in self.records
        ]
        self.receipt = Receipt(ids=ids.items(), revisions=revisions)

    def _do(self, change: Change, ref: Ref, ids: dict[Ref, Ref]) -> None:
        kind, record = self.kind(ref), self.records.get(ref)
        if isinstance(change, Insert):
            assert record is None
            values = {name: plain(bind(one, ids)) for name, one in change.values.items()}
            self.records[ref] = changed(kind.build(ref.id, values), {"revision": "1"})
            return
        if isinstance(change, Detach) and record is None:
            return
        assert record is not None
        if isinstance(change, Update):
            assert change.revision in (None, record.revision)
            written = {name: plain(bind(one, ids)) for name, one in change.values.items()}
        elif isinstance(change, Delete):
            assert change.revision == record.revision
            assert change.sees(partial(kind.read, record))
            sets = {name for name, one in kind.members.items() if one.to and one.multiple}
            assert sets == change.attached.keys()
            del self.records[ref]
            return
        else:
            there = cast("tuple[str, ...]", kind.read(record, change.field) or ())
            refs = [ids.get(one, one).id for one in change.refs]
            if isinstance(change, Detach):
                written = {change.field: tuple(one for one in there if one not in refs)}
            else:
                written = {change.field: tuple(dict.fromkeys((*there, *refs)))}
        if kind.cls is None:
            written = {"custom": {**record.custom, **written}}
        revision = f"{record.revision}+"
        self.records[ref] = changed(record, {**written, "revision": revision})

    def kind(self, ref: Ref) -> Kind:
        """The kind of a record."""
        return next(one for one in self.rules.every_kind if one.id == ref.kind)


def child(kind: str, id_: str, **custom: object) -> GenericRecord:
    """A child as the store holds it."""
    return GenericRecord(kind=kind, id=id_, revision="1", custom=custom)


def told(problems: Iterable[Problem]) -> list[tuple[str, str, str | None]]:
    """Of each problem its code, and which record it is about."""
    return [(one.code, str(one.kind), cast("str | None", one.params.get("id"))) for one in problems]


def but_for_history(lead: Lead) -> Lead:
    """The lead without revision and what only grows."""
    return attrs.evolve(lead, revision=None, stage_history=(), conversions=())


def fully() -> Shelf:
    """A lead that became a new company, an old contact and a new deal."""
    shelf = Shelf([LEAD, ADA_OF_OLD])
    shelf.convert(["company", Merge("contact", "C-3"), "deal"])
    return shelf


class TestNewRecords:
    """A conversion that made all it became."""

    def test_the_lead_is_as_before(self) -> None:
        """But for its history, which says that it went there and back."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact", "company", "deal"], reason="signed")
        undone = shelf.reverse(reason="too early")
        there = StageChange(
            from_stage="talk", to_stage="done", at=AT, actor_id="u-7", reason="signed"
        )
        back = StageChange(
            from_stage="done", to_stage="talk", at=LATER, actor_id="u-7", reason="too early"
        )

        assert but_for_history(LEAD) == but_for_history(undone.lead)
        assert (there, back) == undone.lead.stage_history
        assert shelf.lead == undone.lead

    def test_the_conversion_stays_marked(self) -> None:
        """What the lead became is not forgotten, only out of force."""
        shelf = Shelf([LEAD])
        made = shelf.convert(["contact", "company", "deal"]).conversion
        undone = shelf.reverse(reason="too early")
        marked = Undone(how="reversed", at=LATER, actor_id="u-7", reason="too early")

        assert (attrs.evolve(made, undone=marked),) == undone.lead.conversions
        assert undone.lead.conversions == undone.conversions
        assert not undone.lead.conversions[0].in_force

    def test_exactly_the_new_ones_are_removed(self) -> None:
        """The three that it made, each after whoever refers to it; others stay."""
        shelf = Shelf([LEAD, Deal(id="D-1", title="Other"), ADA_OF_OLD])
        before = shelf.contents
        shelf.convert(["contact", "company", "deal"])
        undone = shelf.reverse()

        assert (NEW_DEAL, NEW_CONTACT, NEW_COMPANY) == undone.removed
        assert ((), (), ()) == (undone.restored, undone.released, undone.kept)
        assert before.keys() == shelf.contents.keys()
        assert before["deal D-1"] == shelf.contents["deal D-1"]
        assert before["contact C-3"] == shelf.contents["contact C-3"]

    def test_what_is_written(self) -> None:
        """Each is removed on the revision that was read; the lead comes last."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        shelf.records[NEW_DEAL] = attrs.evolve(cast("Deal", shelf.records[NEW_DEAL]), revision="9")
        undone = shelf.look().result()

        assert (
            Delete(NEW_DEAL, "9", {"contact_ids": (), "converted_from": (L_7,)}),
            Update(
                L_7,
                "1+",
                {
                    "stage": "talk",
                    "stage_history": undone.lead.stage_history,
                    "conversions": undone.lead.conversions,
                },
            ),
        ) == undone.changes.changes
        assert ((), ()) == (undone.changes.traces, undone.changes.after)

    def test_repr(self) -> None:
        """It says what is removed, and shows no data."""
        shelf = Shelf([LEAD])
        shelf.convert(["company", "deal"])
        p = shelf.look()

        assert "<ReversalPlan for lead L-7: ok>" == repr(p)
        assert "<Reversal of lead L-7: removed deal L-7.1.deal.1, company L-7.1.company.1>" == repr(
            p.result()
        )

    def test_stored(self) -> None:
        """With the receipt, the lead and what was restored have the store's new revisions."""
        shelf = fully()
        undone = shelf.look().result()
        receipt = Receipt(revisions=[(C_3, "8"), (L_7, "9")])
        stored = undone.stored(receipt)

        assert ["8"] == [one.revision for one in stored.restored]
        assert "9" == stored.lead.revision
        assert undone == undone.stored(Receipt())

    def test_events(self) -> None:
        """Whoever listens hears of each record, then of the lead."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert([Merge("contact", "C-3"), "deal"])

        def event(name: str, ref: Ref, **params: object) -> Event:
            return Event(name=name, ref=ref, at=LATER, actor_id="u-7", params=params)

        assert (
            event("record.restored", C_3, lead=L_7),
            event("record.released", C_3, lead=L_7),
            event("record.removed", NEW_DEAL, lead=L_7),
            event("lead.reversed", L_7, conversions=("L-7.1",)),
        ) == shelf.look().result().changes.events

    def test_the_history_tells_it(self) -> None:
        """Whoever reads what happened to the lead finds it there."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        shelf.reverse(reason="too early")

        assert "2027-02-01 12:00 UTC: u-7 took conversion L-7.1 back, reason: 'too early'" == str(
            history(shelf.lead)[-1]
        )

    def test_nothing_given_is_changed(self) -> None:
        """It is a decision: the lead, what is known, and the trace are as they were."""
        shelf = fully()
        given = (shelf.lead, shelf.known, shelf.rules)
        before = copy.deepcopy(given)
        one, other = shelf.look(), shelf.look()

        assert before == given
        assert one == other
        assert one.result() == other.result()


class TestRecordsThatExisted:
    """What was merged into is given back what it held; what was linked is let go."""

    def test_merged(self) -> None:
        """Fields that were filled, taken and appended to are as before, and nothing is removed."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        before = shelf.contents["contact C-3"]
        shelf.convert(["company", Merge("contact", "C-3")])
        assert {
            "comments": "urgent",
            "emails": (OLD_EMAIL, EMAIL),
            "last_name": "Lovelace",
            "company_id": "L-7.1.company.1",
            "converted_from": ("L-7",),
        } == shelf.contents["contact C-3"]
        undone = shelf.reverse()

        assert before == shelf.contents["contact C-3"]
        assert (NEW_COMPANY,) == undone.removed
        assert ((C_3,), ()) == (undone.released, undone.kept)
        assert [attrs.evolve(ADA_OF_OLD, revision="1++++")] == list(undone.restored)

    def test_what_was_empty_is_empty_again(self) -> None:
        """Also where values= had emptied a field, or filled one of data."""
        kinds = [attrs.evolve(CONTACT, custom=[Field("UF_X", "text")]), COMPANY, DEAL]
        shelf = Shelf(
            [LEAD, attrs.evolve(ADA_OF_OLD, tags=["vip"])], rules=attrs.evolve(RULES, kinds=kinds)
        )
        before = shelf.contents["contact C-3"]
        values = {"tags": [], "job_title": "Countess", "UF_X": "x"}
        shelf.convert([Merge("contact", "C-3", values=values)])
        assert "tags" not in shelf.contents["contact C-3"]
        shelf.reverse()

        assert {**before, "UF_X": None} == {
            "UF_X": cast("Contact", shelf.records[C_3]).custom["UF_X"],
            **shelf.contents["contact C-3"],
        }

    def test_merged_and_nothing_was_written(self) -> None:
        """Nothing is restored then, so nobody need be allowed to."""
        shelf = Shelf([Lead(id="L-7", stage="new", last_name="Lovelace"), ADA_OF_OLD])
        shelf.convert([Merge("contact", "C-3")])
        undone = shelf.reverse(authorizer=denying(("update", "contact", "C-3")))

        assert ((), (C_3,)) == (undone.restored, undone.released)
        assert (Detach(C_3, "converted_from", [L_7]),) == undone.changes.changes[:-1]

    def test_linked(self) -> None:
        """It is let go of, and stays as it is."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        before = shelf.contents["contact C-3"]
        shelf.convert([Link("contact", "C-3"), "deal"])
        shelf.edit(C_3, comments="changed since")
        undone = shelf.reverse()

        assert {**before, "comments": "changed since"} == shelf.contents["contact C-3"]
        assert ((NEW_DEAL,), (C_3,)) == (undone.removed, undone.released)
        assert (
            Detach(C_3, "converted_from", [L_7]),
            Delete(NEW_DEAL, "1", {"contact_ids": (C_3,), "converted_from": (L_7,)}),
        ) == undone.changes.changes[:-1]

    def test_linked_and_gone_since(self) -> None:
        """There is nothing to take back of it."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert([Link("contact", "C-3"), "deal"])
        del shelf.records[C_3]

        assert ((NEW_DEAL,), ()) == (shelf.look().result().removed, shelf.look().problems)
        shelf.reverse()
        assert {L_7} == shelf.records.keys()

    @pytest.mark.parametrize("target", [Link("contact", "C-3"), Merge("contact", "C-3")])
    def test_a_pointer_that_was_there_before_stays(self, target: Target) -> None:
        """What the conversion did not add it does not take away."""
        old = attrs.evolve(ADA_OF_OLD, converted_from=["L-1", "L-7"])
        shelf = Shelf([LEAD, old])
        before = shelf.contents["contact C-3"]
        shelf.convert([target])
        undone = shelf.reverse()

        assert before == shelf.contents["contact C-3"]
        assert () == undone.released

    def test_others_pointers_stay(self) -> None:
        """Of the leads a record came from only this one is taken out."""
        shelf = Shelf([LEAD, attrs.evolve(ADA_OF_OLD, converted_from=["L-1"])])
        shelf.convert([Link("contact", "C-3")])
        shelf.edit(C_3, converted_from=("L-1", "L-7", "L-9"))
        shelf.reverse()

        assert ("L-1", "L-9") == shelf.contents["contact C-3"]["converted_from"]

    def test_money_of_a_deal(self) -> None:
        """Amount and currency of a deal are as before, both of them."""
        deal = Deal(id="D-1", revision="1", title="Old", amount=Decimal(3000), currency="USD")
        shelf = Shelf([LEAD, deal])
        shelf.convert([Merge("deal", "D-1")])
        assert Decimal(5000) == shelf.contents["deal D-1"]["amount"]
        shelf.reverse()

        assert deal == attrs.evolve(cast("Deal", shelf.records[Ref("deal", "D-1")]), revision="1")

    def test_the_references_of_old_to_whoever_survived(self) -> None:
        """What a record referred to, and was merged away since, is its survivor by now."""
        old = attrs.evolve(ADA_OF_OLD, company_id="CO-1")
        mappings = [*RULES.mappings, FieldMapping("company_id", "contact", conflict="take")]
        shelf = Shelf(
            [attrs.evolve(LEAD, company_id="CO-9"), old, Company(id="CO-1"), Company(id="CO-9")],
            rules=attrs.evolve(RULES, mappings=mappings),
        )
        shelf.convert([Merge("contact", "C-3")])
        taken = shelf.contents
        assert "CO-9" == taken["contact C-3"]["company_id"]
        del shelf.records[Ref("company", "CO-1")]
        shelf.records[Ref("company", "CO-2")] = Company(id="CO-2")
        shelf.merged = [(Ref("company", "CO-1"), Ref("company", "CO-2"))]
        shelf.reverse()

        assert "CO-2" == shelf.contents["contact C-3"]["company_id"]


class TestTheLead:
    """What conversions fill in the lead, and its stage."""

    def test_what_was_filled_is_empty_again(self) -> None:
        """Fields filled with values= on the way are as they were before."""
        shelf = Shelf([attrs.evolve(LEAD, comments=None, source="web")])
        before = shelf.contents["lead L-7"]
        shelf.convert(["deal"], values={"comments": "by phone", "source": "fair"})
        assert ("by phone", "fair") == (shelf.lead.comments, shelf.lead.source)
        undone = shelf.reverse()

        now = shelf.contents["lead L-7"]
        assert before == {
            name: one for name, one in now.items() if name not in {"conversions", "stage_history"}
        }
        update = undone.changes.changes[-1]
        assert isinstance(update, Update)
        assert {"comments", "source", "stage", "stage_history", "conversions"} == set(update.values)

    def test_a_reference_is_told_as_a_ref(self) -> None:
        """A store finds a ref wherever one record refers to another."""
        shelf = Shelf(
            [attrs.evolve(LEAD, company_id="CO-1"), Company(id="CO-1"), Company(id="CO-2")]
        )
        shelf.convert(["deal"], values={"company_id": "CO-2"})
        assert "CO-2" == shelf.lead.company_id
        undone = shelf.reverse()

        update = undone.changes.changes[-1]
        assert isinstance(update, Update)
        assert Ref("company", "CO-1") == update.values["company_id"]
        assert "CO-1" == shelf.lead.company_id == undone.lead.company_id

    def test_what_was_changed_since(self) -> None:
        """It stands in the way; with partial=True it stays, and the rest is restored."""
        shelf = Shelf([attrs.evolve(LEAD, comments=None)])
        shelf.convert(["deal"], values={"comments": "by phone", "source": "fair"})
        shelf.edit(L_7, comments="by mail")
        p = shelf.look()

        assert [("changed_since", "lead", "L-7")] == told(p.problems)
        assert ("comments",) == p.problems[0].params["fields"]
        undone = shelf.reverse(partial=True)
        assert ("by mail", None, "talk") == (
            shelf.lead.comments,
            shelf.lead.source,
            shelf.lead.stage,
        )
        assert p.problems == undone.kept
        assert (NEW_DEAL,) == undone.removed

    def test_other_fields_may_change(self) -> None:
        """What the conversion did not fill is not its business."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        shelf.edit(L_7, title="Analytical engine")
        shelf.reverse()

        assert "Analytical engine" == shelf.lead.title

    def test_moved_by_somebody_since(self) -> None:
        """A lead that no longer stands where the conversion put it stays where it stands."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        shelf.edit(L_7, stage="lost")
        undone = shelf.reverse()

        assert ("lost", 1) == (shelf.lead.stage, len(shelf.lead.stage_history))
        assert not undone.lead.conversions[0].in_force

    def test_a_stage_that_is_no_more(self) -> None:
        """Where it came from a stage the rules have dropped since it goes to the first one."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        leads = Pipeline("leads", "lead", ["fresh", Stage("done", "success")])
        shelf.rules = attrs.evolve(RULES, pipelines=[leads, SALES])
        shelf.reverse()

        assert "fresh" == shelf.lead.stage

    @pytest.mark.parametrize("mode", ["convert", "supplement"])
    def test_a_field_of_others_called_stage(self, mode: str) -> None:
        """Only the lead's own trace says where it stood."""
        contact = attrs.evolve(CONTACT, custom=[Field("stage", "text")])
        shelf = Shelf(
            [LEAD, attrs.evolve(ADA_OF_OLD, custom={"stage": "cold"})],
            rules=attrs.evolve(RULES, kinds=[contact, COMPANY, DEAL]),
        )
        if mode == "supplement":
            shelf.convert(["deal"])
        shelf.convert([Merge("contact", "C-3", values={"stage": "hot"})], mode=mode)
        shelf.reverse()

        assert ("talk" if mode == "convert" else "done") == shelf.lead.stage
        assert "cold" == shelf.records[C_3].custom["stage"]

    def test_bound_to_what_is_removed(self) -> None:
        """A host may have bound the lead to what it became; it is bound to nothing removed."""
        shelf = Shelf([attrs.evolve(LEAD, contact_ids=["C-3"]), ADA_OF_OLD])
        shelf.convert([Merge("contact", "C-3"), "company", "deal"])
        shelf.edit(L_7, contact_ids=("C-3", "C-4"), company_id=NEW_COMPANY.id)
        undone = shelf.reverse()

        assert (("C-3", "C-4"), None) == (shelf.lead.contact_ids, shelf.lead.company_id)
        update = undone.changes.changes[-1]
        assert isinstance(update, Update)
        assert "contact_ids" not in update.values
        assert (NEW_DEAL, NEW_COMPANY) == undone.removed

    def test_bound_to_several(self) -> None:
        """Of several it is bound to only what is removed is taken out."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert(["contact"])
        shelf.edit(L_7, contact_ids=(NEW_CONTACT.id, "C-3"))
        shelf.reverse()

        assert ("C-3",) == shelf.lead.contact_ids


class TestSeveralConversions:
    """Only the newest conversion in force is taken back."""

    @staticmethod
    def twice() -> Shelf:
        """A lead that became a contact and a deal, and one more deal of the same contact."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact", "deal"])
        shelf.convert(["contact", "deal"], mode="supplement")
        return shelf

    def test_the_supplement_first_then_the_first(self) -> None:
        """Each takes back what it made, and the pointer stays while another holds the record."""
        shelf = self.twice()
        before = shelf.contents["contact L-7.1.contact.1"]
        second = shelf.reverse()

        assert (Ref("deal", "L-7.2.deal.1"),) == second.removed
        assert ["L-7.2"] == [one.id for one in second.conversions]
        assert ("done", [True, False]) == (
            shelf.lead.stage,
            [one.in_force for one in shelf.lead.conversions],
        )
        assert before == shelf.contents["contact L-7.1.contact.1"]
        first = shelf.reverse()
        assert (NEW_DEAL, NEW_CONTACT) == first.removed
        assert ["L-7.1"] == [one.id for one in first.conversions]
        assert ("talk", {L_7}) == (shelf.lead.stage, set(shelf.records))

    def test_what_a_supplement_took_is_free_again(self) -> None:
        """Products of a deal that is taken back can go into another."""
        engine = Product(name="Engine", price=Decimal(5), quantity=Decimal(3))
        shelf = Shelf([attrs.evolve(LEAD, products=[engine])])
        shelf.convert(["deal"], values={"products": [attrs.evolve(engine, quantity=Decimal(1))]})
        shelf.edit(L_7, products=(engine,))
        two = attrs.evolve(engine, quantity=Decimal(2))
        assert (two,) == shelf.convert(["deal"], mode="supplement").deal.products
        shelf.reverse()

        assert (two,) == shelf.convert(["deal"], mode="supplement").deal.products

    def test_the_newest_by_its_name(self) -> None:
        """To name the one that is taken back anyway makes no difference to what is done."""
        shelf = self.twice()
        assert shelf.look().result().lead == shelf.look(conversion="L-7.2").result().lead

    def test_an_older_one(self) -> None:
        """The newer ones are named, the newest first."""
        shelf = self.twice()
        shelf.convert(["deal"], mode="supplement")
        p = shelf.look(conversion="L-7.1")

        assert ["newer_first"] == [one.code for one in p.problems]
        assert {"conversion": "L-7.1", "newer": ("L-7.3", "L-7.2")} == dict(p.problems[0].params)
        assert not p.partial
        assert p.problems == shelf.look(conversion="L-7.1", partial=True).problems
        assert ("L-7.3",) == shelf.look(conversion="L-7.2").problems[0].params["newer"]

    def test_an_unknown_one(self) -> None:
        """There is a guess, and a list to choose from."""
        p = self.twice().look(conversion="L-71")

        assert ["unknown_conversion"] == [one.code for one in p.problems]
        assert {
            "conversion": "L-71",
            "conversions": ("L-7.1", "L-7.2"),
            "did_you_mean": "L-7.1",
        } == dict(p.problems[0].params)

    def test_one_undone_already(self) -> None:
        """Whatever else is in force, it is told so."""
        shelf = self.twice()
        shelf.reverse()
        p = shelf.look(conversion="L-7.2")

        assert ["undone_already"] == [one.code for one in p.problems]
        assert {"conversion": "L-7.2", "how": "reversed"} == dict(p.problems[0].params)

    @pytest.mark.parametrize("keep", [False, True])
    def test_nothing_left(self, keep: bool) -> None:
        """A lead without a conversion in force has nothing to take back, and is not reopened."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"])
        shelf.reverse()

        assert ["nothing_to_undo"] == [one.code for one in shelf.look(keep=keep).problems]
        assert ["nothing_to_undo"] == [
            one.code for one in shelf.look(keep=keep, partial=True).problems
        ]
        with pytest.raises(errors.NotReversibleError) as caught:
            reverse(LEAD, rules=RULES, actor=ADA, at=LATER, keep=keep)
        assert "L-7" == caught.value.lead_id

    def test_staged(self) -> None:
        """What left the lead open is taken back where the lead stands: its stage is untouched."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"], closing=False)
        undone = shelf.reverse()

        assert (LEAD.stage, ()) == (shelf.lead.stage, shelf.lead.stage_history)
        assert (NEW_CONTACT,) == undone.removed

    def test_a_closing_one_after_a_staged_one(self) -> None:
        """The closing one opens the lead again, and what was staged stays."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"], closing=False)
        before = shelf.contents["contact L-7.1.contact.1"]
        shelf.convert(["contact", "deal"])
        undone = shelf.reverse()

        assert (Ref("deal", "L-7.2.deal.1"),) == undone.removed
        assert ("talk", before) == (shelf.lead.stage, shelf.contents["contact L-7.1.contact.1"])
        assert [True, False] == [one.in_force for one in shelf.lead.conversions]

    def test_a_record_that_another_one_in_force_holds(self) -> None:
        """Its pointer back stays, even if it was added by the one that is taken back."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert([Link("contact", "C-3")], closing=False)
        shelf.edit(C_3, converted_from=())  # somebody cut it
        shelf.convert([Link("contact", "C-3"), "deal"])
        undone = shelf.reverse()

        assert ("L-7",) == shelf.contents["contact C-3"]["converted_from"]
        assert () == undone.released
        assert (C_3,) == shelf.reverse().released

    def test_held_by_another_through_a_merge(self) -> None:
        """What the first one made was merged into what the second found: that holds its pointer."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert(["contact"], closing=False)
        shelf.convert([Link("contact", "C-3"), "deal"])
        del shelf.records[NEW_CONTACT]
        shelf.edit(Ref("deal", "L-7.2.deal.1"), contact_ids=("C-3",))
        shelf.merged = [(NEW_CONTACT, C_3)]
        shelf.reverse()

        assert ("L-7",) == shelf.contents["contact C-3"]["converted_from"]
        p = shelf.look()
        assert [("merged_away", "contact", NEW_CONTACT.id)] == told(p.problems)
        assert (C_3,) == shelf.reverse(partial=True).released
        assert "converted_from" not in shelf.contents["contact C-3"]

    def test_made_here_and_held_by_another_through_a_merge(self) -> None:
        """What the second one made took in what the first one had: it is not removed."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert([Link("contact", "C-3")], closing=False)
        other = attrs.evolve(RULES, kinds=[attrs.evolve(CONTACT, any_of=[]), COMPANY, DEAL])
        made = convert(
            attrs.evolve(shelf.lead, conversions=()),
            ["contact"],
            rules=other,
            actor=ADA,
            at=AT,
        )
        second = attrs.evolve(made.conversion, id="L-7.2")
        shelf.records[NEW_CONTACT] = made.contact
        shelf.records[L_7] = attrs.evolve(made.lead, conversions=[*shelf.lead.conversions, second])
        shelf.traces["L-7.2"] = attrs.evolve(made.changes.traces[0], id="L-7.2")
        del shelf.records[C_3]
        shelf.merged = [(C_3, NEW_CONTACT)]
        p = shelf.look()

        assert [("has_others", "contact", NEW_CONTACT.id)] == told(p.problems)
        undone = shelf.look(partial=True).result()
        assert ((), ()) == (undone.removed, undone.released)


@attrs.frozen
class Way:
    """What was done since, the problems, and what partial=True makes of it all the same."""

    since: Callable[[Shelf], object]
    problems: list[tuple[str, str, str | None]]
    removed: list[Ref] = attrs.field(factory=list)
    restored: list[str] = attrs.field(factory=list)
    released: list[Ref] = attrs.field(factory=list)
    authorizer: Authorizer | None = None
    facts: dict[str, object] = attrs.field(factory=dict)


def drop(ref: Ref, into: Ref | None = None) -> Callable[[Shelf], object]:
    """What removes a record, or merges it into another."""

    def since(shelf: Shelf) -> None:
        del shelf.records[ref]
        if into is not None:
            shelf.merged = [(ref, into)]

    return since


def add(*records: Record) -> Callable[[Shelf], object]:
    """What puts records there."""
    return lambda shelf: shelf.records.update({ref_of(one): one for one in records})


def edited(ref: Ref, **values: object) -> Callable[[Shelf], object]:
    """What changes a record."""
    return lambda shelf: shelf.edit(ref, **values)


def company_merged(shelf: Shelf) -> None:
    """Merge the new company into another, which whoever refers to it refers to by now."""
    shelf.records[Ref("company", "CO-2")] = Company(id="CO-2", converted_from=["L-7"])
    drop(NEW_COMPANY, Ref("company", "CO-2"))(shelf)
    shelf.edit(NEW_DEAL, company_id="CO-2")
    shelf.edit(C_3, company_id="CO-2")


def contact_merged(shelf: Shelf) -> None:
    """Merge the old contact into another, which takes over what it has."""
    add(Contact(id="C-5", converted_from=["L-7"], company_id=NEW_COMPANY.id))(shelf)
    drop(C_3, Ref("contact", "C-5"))(shelf)
    shelf.edit(NEW_DEAL, contact_ids=("C-5",))


COMPANY_STAYS: Final = [
    ("has_others", "company", NEW_COMPANY.id),
]
#: A lead became a new company, an old contact and a new deal; then somebody did this.
WAYS: Final = {
    "a field of a new record was changed": Way(
        edited(NEW_DEAL, title="Bigger engine"),
        [("changed_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "fields": ("title",)},
    ),
    "a field of a new record was filled": Way(
        edited(NEW_DEAL, comments="call back", close_date=AT.date()),
        [("changed_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "fields": ("close_date", "comments")},
    ),
    "a field of a new record was emptied": Way(
        edited(NEW_DEAL, amount=None),
        [("changed_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "fields": ("amount",)},
    ),
    "a field was filled that the rules do not know": Way(
        edited(NEW_DEAL, custom={"UF_SECRET": "x", "UF_BLANK": " "}),
        [("changed_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "fields": ("UF_SECRET",)},
    ),
    "a new deal was moved": Way(
        edited(NEW_DEAL, stage="hot"),
        [("changed_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "fields": ("stage",)},
    ),
    "a merged field was changed": Way(
        edited(C_3, comments="met in 2027"),
        [("changed_since", "contact", "C-3")],
        removed=[NEW_DEAL, NEW_COMPANY],
        restored=["C-3"],
        released=[C_3],
        facts={"id": "C-3", "fields": ("comments",)},
    ),
    "a merged reference was changed": Way(
        edited(C_3, company_id="CO-9"),
        [("changed_since", "contact", "C-3")],
        removed=[NEW_DEAL, NEW_COMPANY],
        restored=["C-3"],
        released=[C_3],
        facts={"id": "C-3", "fields": ("company_id",)},
    ),
    "all merged fields were changed": Way(
        edited(C_3, company_id="CO-9", comments=None, emails=()),
        [("changed_since", "contact", "C-3")],
        removed=[NEW_DEAL, NEW_COMPANY],
        released=[C_3],
        facts={"id": "C-3", "fields": ("comments", "company_id", "emails")},
    ),
    "others refer to a new record": Way(
        add(Deal(id="D-9", company_id=NEW_COMPANY.id), Contact(id="C-9")),
        [("has_others", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, NEW_COMPANY],
        facts={"id": NEW_COMPANY.id, "count": 1, "others": ("deal D-9",)},
    ),
    "children were added to a new record": Way(
        add(
            child("task", "T-1", deal_id=NEW_DEAL.id), child("mail", "M-1", deal_ids=(NEW_DEAL.id,))
        ),
        [("has_others", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        facts={"id": NEW_DEAL.id, "count": 2, "others": ("task T-1", "mail M-1")},
    ),
    "another lead is bound to a new record": Way(
        add(Lead(id="L-8", stage="new", company_id=NEW_COMPANY.id)),
        [("has_others", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, NEW_COMPANY],
        facts={"id": NEW_COMPANY.id, "count": 1, "others": ("lead L-8",)},
    ),
    "another lead came to a new record": Way(
        edited(NEW_COMPANY, converted_from=("L-7", "L-8")),
        [("has_others", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, NEW_COMPANY],
        facts={"id": NEW_COMPANY.id, "count": 1, "others": ()},
    ),
    "others were merged into a new record": Way(
        lambda shelf: shelf.merged.append((Ref("company", "CO-1"), NEW_COMPANY)),
        [("has_others", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, NEW_COMPANY],
        facts={"id": NEW_COMPANY.id, "count": 1, "others": ()},
    ),
    "others refer to it that nobody may see": Way(
        add(Deal(id="D-8", company_id=NEW_COMPANY.id), Deal(id="D-9", company_id=NEW_COMPANY.id)),
        [("has_others", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, NEW_COMPANY],
        authorizer=denying(("read", "deal", "D-8")),
        facts={"id": NEW_COMPANY.id, "count": 2, "others": ("deal D-9",)},
    ),
    "a new record was merged into another": Way(
        company_merged,
        [("merged_away", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, Ref("company", "CO-2")],
        facts={"id": NEW_COMPANY.id, "survivor": "CO-2"},
    ),
    "a new record was merged into one that nobody may see": Way(
        company_merged,
        [("gone_since", "company", NEW_COMPANY.id)],
        removed=[NEW_DEAL],
        restored=["C-3"],
        released=[C_3, Ref("company", "CO-2")],
        authorizer=denying(("read", "company", "CO-2")),
        facts={"id": NEW_COMPANY.id},
    ),
    "a new record was removed": Way(
        drop(NEW_DEAL),
        [("gone_since", "deal", NEW_DEAL.id)],
        removed=[NEW_COMPANY],
        restored=["C-3"],
        released=[NEW_DEAL, C_3],
        facts={"id": NEW_DEAL.id},
    ),
    "a merged record was removed": Way(
        drop(C_3),
        [("gone_since", "contact", "C-3")],
        removed=[NEW_DEAL, NEW_COMPANY],
        released=[C_3],
        facts={"id": "C-3"},
    ),
    "a merged record was merged into another": Way(
        contact_merged,
        [("merged_away", "contact", "C-3"), *COMPANY_STAYS],
        removed=[NEW_DEAL],
        released=[Ref("contact", "C-5"), NEW_COMPANY],
        facts={"id": "C-3", "survivor": "C-5"},
    ),
    "one may not remove a new record": Way(
        lambda _: None,
        [("denied", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        authorizer=denying(("delete", "deal", NEW_DEAL.id)),
        facts={"id": NEW_DEAL.id, "actor": "u-7", "action": "delete"},
    ),
    "one may not change a merged record": Way(
        lambda _: None,
        [("denied", "contact", "C-3"), *COMPANY_STAYS],
        removed=[NEW_DEAL],
        released=[C_3, NEW_COMPANY],
        authorizer=denying(("update", "contact", "C-3")),
        facts={"id": "C-3", "actor": "u-7", "action": "update"},
    ),
    "one may not see a new record": Way(
        lambda _: None,
        [("gone_since", "deal", NEW_DEAL.id), *COMPANY_STAYS],
        restored=["C-3"],
        released=[NEW_DEAL, C_3, NEW_COMPANY],
        authorizer=denying(("read", "deal", NEW_DEAL.id)),
        facts={"id": NEW_DEAL.id},
    ),
    "one may not see a merged record": Way(
        lambda _: None,
        [("gone_since", "contact", "C-3"), *COMPANY_STAYS],
        removed=[NEW_DEAL],
        released=[C_3, NEW_COMPANY],
        authorizer=denying(("read", "contact", "C-3"), ("update", "contact", "C-3")),
        facts={"id": "C-3"},
    ),
}


class TestInTheWay:
    """What was changed since stands in the way, unless one goes on without it."""

    @pytest.mark.parametrize("name", WAYS)
    def test_it_is_refused(self, name: str) -> None:
        """All that stands in the way is told, and nothing is decided."""
        way, shelf = WAYS[name], fully()
        way.since(shelf)
        p = shelf.look(authorizer=way.authorizer)

        assert way.problems == told(p.problems)
        assert way.facts == dict(p.problems[0].params)
        assert {Cause.REVERSAL} == {one.cause for one in p.problems}
        assert (None, True, False, ()) == (p.reversal, p.partial, p.ok, p.kept)
        with pytest.raises(errors.NotReversibleError) as caught:
            p.result()
        assert p.problems == caught.value.problems

    @pytest.mark.parametrize("name", WAYS)
    def test_the_rest_is_taken_back(self, name: str) -> None:
        """With partial=True it stays, let go of, and the reasons are in the result."""
        way, shelf = WAYS[name], fully()
        way.since(shelf)
        p = shelf.look(authorizer=way.authorizer, partial=True)
        undone = shelf.reverse(authorizer=way.authorizer, partial=True)

        assert way.problems == told(undone.kept)
        assert ((), undone.kept, True, True) == (p.problems, p.kept, p.partial, p.ok)
        assert way.removed == list(undone.removed)
        assert way.restored == [one.id for one in undone.restored]
        assert way.released == list(undone.released)
        assert ("talk", False) == (shelf.lead.stage, shelf.lead.conversions[0].in_force)
        assert shelf.records.keys().isdisjoint(undone.removed)
        pointing = [one.id for one in shelf.records.values() if "L-7" in back_of(one)]
        assert [] == pointing
        assert list(undone.restored) == [shelf.records[ref_of(one)] for one in undone.restored]

    def test_nothing_stands_in_the_way_of_that(self) -> None:
        """With partial=True, where all can be taken back, all is."""
        undone = fully().reverse(partial=True)

        assert ((), (NEW_DEAL, NEW_COMPANY)) == (undone.kept, undone.removed)

    def test_partly_restored(self) -> None:
        """A field that was changed keeps its value; the other fields of the record are restored."""
        shelf = fully()
        shelf.edit(C_3, comments="met in 2027", job_title="Countess")
        shelf.reverse(partial=True)

        assert {
            "comments": "met in 2027",
            "emails": (OLD_EMAIL,),
            "job_title": "Countess",
            "last_name": "Lovelace",
        } == shelf.contents["contact C-3"]

    def test_several_at_once(self) -> None:
        """A record may have been changed, and have others as well: both are told."""
        shelf = fully()
        shelf.edit(NEW_COMPANY, name="Engines & Sons")
        add(Deal(id="D-9", company_id=NEW_COMPANY.id))(shelf)

        assert [
            ("changed_since", "company", NEW_COMPANY.id),
            ("has_others", "company", NEW_COMPANY.id),
        ] == told(shelf.look().problems)

    def test_one_of_another_kind_with_that_id(self) -> None:
        """Whoever refers to another kind's record of the same id does not refer to this one."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"])
        add(Deal(id="D-9", company_id=NEW_CONTACT.id, contact_ids=["C-9"]))(shelf)

        assert (NEW_CONTACT,) == shelf.reverse().removed

    def test_changed_and_changed_back(self) -> None:
        """What counts is what it holds, not how often it was written."""
        shelf = fully()
        shelf.edit(NEW_DEAL, title="Bigger engine")
        shelf.edit(NEW_DEAL, title="Engine", amount=Decimal("5000.00"), comments="  ")

        assert shelf.look().ok

    def test_another_lead_was_converted_into_a_new_record(self) -> None:
        """What this lead made belongs to that one as well, and is not taken from under it."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"])
        second = Lead(id="L-8", revision="1", stage="new", last_name="Lovelace")
        result = convert(
            second,
            [Link("contact", NEW_CONTACT.id)],
            rules=RULES,
            actor=ADA,
            at=AT,
            known=shelf.known,
        )
        shelf.records[Ref("lead", "L-8")] = second
        shelf.apply(result.changes)
        p = shelf.look()

        assert [("has_others", "contact", NEW_CONTACT.id)] == told(p.problems)
        assert {"id": NEW_CONTACT.id, "count": 1, "others": ("lead L-8",)} == dict(
            p.problems[0].params
        )
        shelf.reverse(partial=True)
        assert ("L-8",) == shelf.contents["contact L-7.1.contact.1"]["converted_from"]

    def test_a_lead_that_was_merged_into_this_one(self) -> None:
        """Pointers at it are pointers at this one by now."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"])
        shelf.edit(NEW_CONTACT, converted_from=("L-6", "L-7"))
        shelf.merged = [(Ref("lead", "L-6"), L_7)]

        assert (NEW_CONTACT,) == shelf.reverse().removed

    def test_a_kind_that_is_no_more(self) -> None:
        """Of a record whose kind the rules have dropped nothing can be taken back."""
        shelf = fully()
        known = shelf.known
        fewer = attrs.evolve(
            RULES,
            kinds=[CONTACT, COMPANY],
            pipelines=[LEADS],
            mappings=[one for one in RULES.mappings if one.kind != "deal"],
            children=(),
        )
        p = shelf.look(rules=fewer, known=known)

        assert [("gone_since", "deal", NEW_DEAL.id)] == told(p.problems)
        assert (NEW_COMPANY,) == shelf.look(rules=fewer, known=known, partial=True).result().removed


def back_of(record: Record) -> tuple[str, ...]:
    """The leads a record came from."""
    return cast("tuple[str, ...]", held(record).get("converted_from", ()))


class TestMoney:
    """An amount means something with its currency only, and with the lines it adds up."""

    FEE: Final = Field("fee", "money", currency="currency")
    RULES: Final = attrs.evolve(
        RULES, kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[FEE, Field("tip", "money")])]
    )
    D_1: Final = Ref("deal", "D-1")

    def merged(self, **values: object) -> Shelf:
        """A deal into which a lead was merged, with these values."""
        given = {"amount": Decimal(5000), "currency": "EUR", **values}
        deal = Deal(
            id="D-1",
            revision="1",
            title="Old",
            amount=Decimal(30),
            currency="USD",
            custom={"fee": Decimal(3), "tip": Decimal(2)},
        )
        shelf = Shelf([Lead(id="L-7", revision="1", stage="new"), deal], rules=self.RULES)
        shelf.convert([Merge("deal", "D-1", values=given)])
        return shelf

    def money(self, shelf: Shelf) -> tuple[object, ...]:
        """The amount, the currency, the fee and the tip of the deal."""
        deal = shelf.contents["deal D-1"]
        return tuple(deal.get(name) for name in ("amount", "currency", "fee", "tip"))

    @pytest.mark.parametrize(
        ("since", "fields", "left"),
        [
            ({"amount": Decimal(6000)}, ("amount", "currency"), (6000, "EUR", 3, 2)),
            ({"currency": "GBP"}, ("amount", "currency"), (5000, "GBP", 3, 2)),
            ({"title": "New"}, (), (30, "USD", 3, 2)),
        ],
    )
    def test_with_its_currency_or_not_at_all(
        self, since: dict[str, object], fields: tuple[str, ...], left: tuple[object, ...]
    ) -> None:
        """If one of the two was changed, neither is restored."""
        shelf = self.merged()
        shelf.edit(self.D_1, **since)
        undone = shelf.reverse(partial=True)

        assert [one.params["fields"] for one in undone.kept] == [fields] * bool(fields)
        assert left == self.money(shelf)

    @pytest.mark.parametrize("name", ["amount", "fee"])
    def test_of_two_amounts_in_one_currency(self, name: str) -> None:
        """Whichever was changed, all amounts in that currency stay; other money does not."""
        shelf = self.merged(fee=Decimal(500), tip=Decimal(7))
        if name == "amount":
            shelf.edit(self.D_1, amount=Decimal(6000))
        else:
            deal = cast("Deal", shelf.records[self.D_1])
            shelf.edit(self.D_1, custom={**deal.custom, "fee": Decimal(600)})
        undone = shelf.reverse(partial=True)

        assert [("amount", "currency", "fee")] == [one.params["fields"] for one in undone.kept]
        assert ((6000, "EUR", 500, 2) if name == "amount" else (5000, "EUR", 600, 2)) == self.money(
            shelf
        )

    def test_an_amount_alone(self) -> None:
        """Where the currency was the same already, the amount alone is restored."""
        shelf = self.merged(currency="USD")
        shelf.reverse()

        assert (30, "USD", 3, 2) == self.money(shelf)

    def test_with_the_lines_it_adds_up(self) -> None:
        """Lines that were changed keep the amount that they add up to, and its currency."""
        engine = Product(name="Engine", price=Decimal(5))
        shelf = Shelf(
            [
                Lead(id="L-7", revision="1", stage="new", products=[engine], currency="EUR"),
                Deal(id="D-1", revision="1", title="Old"),
            ]
        )
        shelf.convert([Merge("deal", "D-1")])
        assert Decimal(5) == shelf.contents["deal D-1"]["amount"]
        gift = Product(name="Gift", price=Decimal(0))
        shelf.edit(self.D_1, products=(engine, gift))
        undone = shelf.reverse(partial=True)

        assert [("amount", "currency", "products")] == [one.params["fields"] for one in undone.kept]
        assert (Decimal(5), "EUR") == (
            shelf.contents["deal D-1"]["amount"],
            shelf.contents["deal D-1"]["currency"],
        )


class TestHiddenFields:
    """What the actor may not see is not named."""

    RULES: Final = attrs.evolve(
        RULES,
        kinds=[
            CONTACT,
            COMPANY,
            attrs.evolve(DEAL, custom=[Field("margin", "decimal", sensitive=True)]),
        ],
    )
    BLIND: Final = denying(("read", "deal", "margin"))

    def converted(self) -> Shelf:
        """A lead that became a deal."""
        shelf = Shelf([LEAD], rules=self.RULES)
        shelf.convert(["deal"])
        return shelf

    def test_changed_alone(self) -> None:
        """That something stands in the way is told, not what."""
        shelf = self.converted()
        shelf.edit(NEW_DEAL, custom={"margin": Decimal(3)})
        [problem] = shelf.look(authorizer=self.BLIND).problems

        assert ("changed_unseen", {"id": NEW_DEAL.id, "actor": "u-7"}) == (
            problem.code,
            dict(problem.params),
        )
        assert "margin" not in str(problem)
        [seen] = shelf.look().problems
        assert ("changed_since", ("margin",)) == (seen.code, seen.params["fields"])

    def test_changed_with_others(self) -> None:
        """The fields they may see are named, and no others."""
        shelf = self.converted()
        shelf.edit(NEW_DEAL, custom={"margin": Decimal(3)}, title="Bigger engine")
        [problem] = shelf.look(authorizer=self.BLIND).problems

        assert ("changed_since", ("title",)) == (problem.code, problem.params["fields"])

    def test_not_changed(self) -> None:
        """Whoever may not see a field may take back what filled it."""
        shelf = Shelf([LEAD], rules=self.RULES)
        shelf.convert([deal_with(margin=Decimal(3))])

        assert (NEW_DEAL,) == shelf.reverse(authorizer=self.BLIND).removed


def deal_with(**values: object) -> Target:
    """A new deal with values of its own."""
    return Find("deal", values=values)


class TestRights:
    """Which rights it takes."""

    @pytest.mark.parametrize("action", ["read", "update", "reverse"])
    def test_on_the_lead(self, action: str) -> None:
        """Whoever lacks one learns of that alone, and the error is one of access."""
        shelf = fully()
        shelf.edit(NEW_DEAL, title="Bigger engine")
        p = shelf.look(authorizer=denying((action, "lead", "L-7")), partial=True)

        assert [("denied", "lead", None)] == told(p.problems)
        assert [Cause.LEAD_ACCESS] == [one.cause for one in p.problems]
        assert (False, None) == (p.partial, p.reversal)
        with pytest.raises(errors.AccessDeniedError):
            p.result()

    def test_the_conversion_meant_is_not_looked_at(self) -> None:
        """Who may not take anything back does not learn what there is to take back."""
        nobody = denying(("reverse", "lead", "L-7"))

        assert ["denied"] == [
            one.code for one in fully().look(conversion="x", authorizer=nobody).problems
        ]

    @pytest.mark.parametrize("action", ["read", "update", "reopen"])
    def test_to_reopen(self, action: str) -> None:
        """Reopening is a right of its own."""
        shelf = fully()
        p = shelf.look(authorizer=denying((action, "lead", "L-7")), keep=True)

        assert [("denied", "lead", None)] == told(p.problems)
        assert {"actor": "u-7", "action": action} == dict(p.problems[0].params)

    def test_one_without_the_other(self) -> None:
        """Who may reverse need not be able to reopen, and the other way round."""
        shelf = fully()
        assert shelf.look(authorizer=denying(("reopen", "lead", "L-7"))).ok
        assert shelf.look(authorizer=denying(("reverse", "lead", "L-7")), keep=True).ok

    def test_what_is_asked(self) -> None:
        """The rights on the lead, then of each record that is changed or removed."""
        assert [
            ("read", "lead", "L-7"),
            ("update", "lead", "L-7"),
            ("reverse", "lead", "L-7"),
            ("delete", "deal", NEW_DEAL.id),
            ("read", "deal", NEW_DEAL.id),
            ("update", "contact", "C-3"),
            ("read", "contact", "C-3"),
            ("delete", "company", NEW_COMPANY.id),
            ("read", "company", NEW_COMPANY.id),
        ] == [(one.action.value, one.kind, one.id) for one in fully().look().required_access]

    def test_nothing_more_is_asked_to_reopen(self) -> None:
        """What is let go of is neither changed nor removed."""
        assert ["read", "update", "reopen"] == [
            one.action.value for one in fully().look(keep=True).required_access
        ]

    def test_a_remote_engine(self) -> None:
        """It answers for the lead first, and then for all records at once."""
        shelf = fully()

        def answered(questions: Iterable[AccessRequest]) -> list[Decision]:
            return [
                Decision(actor_id="u-7", request=one, allowed=True, code="granted")
                for one in questions
            ]

        decisions = answered(wanted_reversal(shelf.lead, rules=RULES).access)
        first = shelf.look(known=attrs.evolve(shelf.known, decisions=decisions))
        assert not first.ok
        assert ["gone_since"] * 3 == [one.code for one in first.problems]
        decisions += answered(first.required_access)
        second = shelf.look(known=attrs.evolve(shelf.known, decisions=decisions))
        assert (True, ()) == (second.ok, second.required_access)

    def test_what_a_remote_engine_has_not_answered(self) -> None:
        """Is denied, and listed."""
        p = fully().look(known=Known(decisions=[]))

        assert ["not_answered"] * 3 == [one.code for one in p.problems]
        assert ["read", "update", "reverse"] == [one.action.value for one in p.required_access]

    def test_the_roles_of_a_preset(self) -> None:
        """Sales may convert there, and only admins take it back."""
        rules = presets.bitrix24()
        lead = Lead(id="L-7", stage="NEW", title="Engine", owner_id="u-7")
        sales, admin = Actor("u-7", roles=["sales"]), Actor("u-1", roles=["admin"])
        made = convert(lead, ["deal"], rules=rules, actor=sales, at=AT)
        known = Known(records=made.records, traces=made.changes.traces)

        def look(actor: Actor) -> ReversalPlan:
            return plan_reversal(made.lead, rules=rules, actor=actor, at=AT, known=known)

        assert ["no_grant"] == [one.code for one in look(sales).problems]
        assert look(admin).ok


class TestWindow:
    """The rules may say how long one can take back."""

    @pytest.mark.parametrize(("days", "ok"), [(29, True), (30, True), (31, False)])
    def test_within(self, days: int, ok: bool) -> None:
        """To the moment itself, and no longer."""
        shelf = fully()
        shelf.rules = attrs.evolve(RULES, undo_within=timedelta(days=30))

        assert ok == shelf.look(at=AT + timedelta(days=days)).ok

    @pytest.mark.parametrize("partial", [False, True])
    def test_too_late(self, partial: bool) -> None:
        """It is told how long ago that was; nothing of it can be taken back."""
        shelf = fully()
        shelf.rules = attrs.evolve(RULES, undo_within=timedelta(days=30))
        p = shelf.look(at=AT + timedelta(days=30, seconds=1.5), partial=partial)

        assert ["too_late"] == [one.code for one in p.problems]
        assert {
            "conversion": "L-7.1",
            "age": "30 days, 0:00:01",
            "within": "30 days, 0:00:00",
        } == dict(p.problems[0].params)
        assert not p.partial

    def test_of_the_newest(self) -> None:
        """Each conversion has its own moment."""
        shelf = Shelf([LEAD], rules=attrs.evolve(RULES, undo_within=timedelta(days=30)))
        shelf.convert(["contact", "deal"])
        shelf.convert(["deal"], mode="supplement", at=AT + timedelta(days=30))
        late = AT + timedelta(days=40)
        shelf.reverse(at=late)

        assert ["too_late"] == [one.code for one in shelf.look(at=late).problems]

    def test_reopening_is_never_too_late(self) -> None:
        """It removes nothing."""
        shelf = fully()
        shelf.rules = attrs.evolve(RULES, undo_within=timedelta(0))

        assert shelf.look(keep=True, at=AT + timedelta(days=999)).ok


class TestTraces:
    """What a store keeps beside the lead, and hands over again."""

    @pytest.mark.parametrize("partial", [False, True])
    @pytest.mark.parametrize("keep", [False, True])
    def test_missing(self, partial: bool, keep: bool) -> None:
        """Without it nobody knows what to take back, in part or not."""
        shelf = fully()
        shelf.traces = {"L-7.2": Trace(id="L-7.2")}
        p = shelf.look(partial=partial, keep=keep)

        assert ["no_trace"] == [one.code for one in p.problems]
        assert {"conversion": "L-7.1"} == dict(p.problems[0].params)
        assert (False, None) == (p.partial, p.reversal)

    @pytest.mark.parametrize("own_ids", [False, True])
    def test_bound_to_the_store(self, own_ids: bool) -> None:
        """A store may keep the ids or give its own: it binds the traces to them."""
        shelf = Shelf(
            [
                LEAD,
                ADA_OF_OLD,
                child("task", "T-1", subject="Call", lead_id="L-7", completed=False),
                child("mail", "M-1", lead_ids=("L-7",)),
                child("note", "N-1", text="In a hurry", lead_id="L-7"),
            ],
            own_ids=own_ids,
        )
        before = shelf.contents
        shelf.convert(["company", Merge("contact", "C-3"), "deal"])
        made = next(ref for ref in shelf.records if ref.kind == "deal")
        assert ("own-6" if own_ids else "L-7.1.deal.1") == made.id
        undone = shelf.reverse()

        assert 3 == len(undone.removed)
        assert made in undone.removed
        assert before == shelf.contents | {"lead L-7": before["lead L-7"]}

    def test_not_bound(self) -> None:
        """A store that keeps the ids may keep the traces as they are, provisional refs and all."""
        result = convert(
            LEAD,
            ["company", Merge("contact", "C-3"), "deal"],
            rules=RULES,
            actor=ADA,
            at=AT,
            known=Known(records=[ADA_OF_OLD]),
        )
        [trace] = result.changes.traces
        assert trace.steps[0].ref.provisional
        undone = reverse(
            result.lead,
            rules=RULES,
            actor=ADA,
            at=LATER,
            known=Known(records=result.records, traces=[trace]),
        )

        assert (NEW_DEAL, NEW_COMPANY) == undone.removed
        assert not any(one.ref.provisional for one in undone.changes.changes)
        assert not any(one.ref.provisional for one in undone.changes.events)
        assert [ADA_OF_OLD] == list(undone.restored)

    def test_of_another_lead(self) -> None:
        """Leads that arrived under one id have conversions of one id: no trace is mistaken."""
        leads = [attrs.evolve(LEAD, id=id_) for id_ in ("88", "89")]
        records: list[Record] = []
        traces: list[Trace] = []
        for lead in leads:
            made = convert(lead, ["deal"], rules=RULES, actor=ADA, at=AT)
            conversion = attrs.evolve(made.conversion, id="new.1")
            records += [attrs.evolve(made.lead, conversions=[conversion]), made.deal]
            traces.append(attrs.evolve(made.changes.traces[0], id="new.1"))
        known = Known(records=records, traces=reversed(traces))

        def look(known: Known) -> ReversalPlan:
            lead = cast("Lead", records[0])
            return plan_reversal(lead, rules=RULES, actor=ADA, at=LATER, known=known)

        assert (Ref("deal", "88.1.deal.1"),) == look(known).result().removed
        wrong = attrs.evolve(known, traces=traces[1:])
        assert ["no_trace"] == [one.code for one in look(wrong).problems]

    def test_of_a_lead_that_was_merged_into_this_one(self) -> None:
        """Its conversions may have come along, with their traces."""
        shelf = Shelf([attrs.evolve(LEAD, id="L-6")])
        shelf.convert(["deal"])
        lead = attrs.evolve(shelf.lead, id="L-7")
        merged = [(Ref("lead", "L-6"), L_7)]
        known = attrs.evolve(shelf.known, merged=merged)
        undone = reverse(lead, rules=RULES, actor=ADA, at=LATER, known=known)

        assert (Ref("deal", "L-6.1.deal.1"),) == undone.removed

    def test_no_values_but_those_of_before(self) -> None:
        """What was written stands there as digests; refs as they are."""
        shelf = fully()
        written = {
            str(step.ref): dict(step.written)
            for step in shelf.traces["L-7.1"].steps
            if step.action != "created"
        }

        assert NEW_COMPANY == written["contact C-3"]["company_id"]
        assert "urgent" not in str(written)
        assert "ada@example.com" not in str(written)

    def test_a_trace_that_was_lost(self) -> None:
        """An empty one in its place lets the lead go, and leaves what it became as it is."""
        shelf = fully()
        shelf.traces = {"L-7.1": Trace(id="L-7.1")}
        undone = shelf.reverse(keep=True)

        assert ((), (), ()) == (undone.removed, undone.restored, undone.released)
        assert ("talk", False) == (shelf.lead.stage, shelf.lead.conversions[0].in_force)


class TestWanted:
    """What to load."""

    def test_to_reverse(self) -> None:
        """The newest trace, the records it speaks of, who refers to what it made, and rights."""
        shelf = fully()
        shelf.convert(
            [Merge("contact", "C-3", values={"job_title": "x"}), "deal"], mode="supplement"
        )
        wanted = wanted_reversal(shelf.lead, rules=RULES)
        deal = Ref("deal", "L-7.2.deal.1")

        assert ("L-7.2",) == wanted.traces
        assert (C_3, deal) == wanted.refs
        assert ["read", "update", "reverse"] == [one.action.value for one in wanted.access]
        assert {("lead", "L-7")} == {(one.kind, one.id) for one in wanted.access}
        assert (
            ("task", "deal_id", deal),
            ("task", "lead_id", L_7),
            ("mail", "contact_ids", C_3),
            ("mail", "deal_ids", deal),
            ("mail", "lead_ids", L_7),
            ("note", "deal_id", deal),
            ("note", "lead_id", L_7),
            ("call", "lead_id", L_7),
        ) == wanted.related
        assert () == wanted.matches

    def test_what_the_traces_speak_of(self) -> None:
        """Asked again with the traces: whom records referred to before, and where children went."""
        there = Company(id="CO-1", name="Looms")
        bound = attrs.evolve(ADA_OF_OLD, company_id="CO-1")
        shelf = Shelf([LEAD, there, bound, child("task", "T-1", subject="Call", lead_id="L-7")])
        values = {"company_id": "CO-9"}
        add(Company(id="CO-9", name="Engines"))(shelf)
        shelf.convert([Merge("contact", "C-3", values=values), "deal"])
        first = wanted_reversal(shelf.lead, rules=RULES)
        found = Known(traces=shelf.traces.values())
        again = wanted_reversal(shelf.lead, rules=RULES, known=found)

        assert (C_3, NEW_DEAL) == first.refs
        spoken_of = [Ref("company", "CO-1"), Ref("company", "CO-9"), Ref("task", "T-1")]
        assert {*first.refs, *spoken_of} == {*again.refs}
        assert attrs.evolve(first, refs=again.refs) == again
        other = Known(traces=[attrs.evolve(one, id="L-8.1") for one in shelf.traces.values()])
        assert first == wanted_reversal(shelf.lead, rules=RULES, known=other)

    def test_who_may_refer_to_what_was_made(self) -> None:
        """Leads, records and children alike."""
        shelf = Shelf([LEAD], rules=attrs.evolve(RULES, children=()))
        shelf.convert(["contact", "company"])
        related = wanted_reversal(shelf.lead, rules=shelf.rules).related

        assert (
            ("lead", "company_id", NEW_COMPANY),
            ("lead", "contact_ids", NEW_CONTACT),
            ("contact", "company_id", NEW_COMPANY),
            ("deal", "company_id", NEW_COMPANY),
            ("deal", "contact_ids", NEW_CONTACT),
        ) == related

    def test_to_reopen(self) -> None:
        """All traces in force, the newest last, and the right to reopen."""
        shelf = TestSeveralConversions.twice()
        wanted = wanted_reversal(shelf.lead, rules=RULES, keep=True)

        assert ("L-7.1", "L-7.2") == wanted.traces
        assert (NEW_CONTACT, NEW_DEAL, Ref("deal", "L-7.2.deal.1")) == wanted.refs
        assert ["read", "update", "reopen"] == [one.action.value for one in wanted.access]

    def test_before_it_is_stored(self) -> None:
        """Refs are told as a store that keeps the ids would."""
        result = convert(LEAD, ["deal"], rules=RULES, actor=ADA, at=AT)

        assert (NEW_DEAL,) == wanted_reversal(result.lead, rules=RULES).refs

    def test_nothing(self) -> None:
        """A lead that was never converted wants no records, but its children."""
        wanted = wanted_reversal(LEAD, rules=attrs.evolve(RULES, children=()))
        assert ((), (), ()) == (wanted.refs, wanted.related, wanted.traces)

    def test_children_that_point_with_what_others_point_back_with(self) -> None:
        """Whatever the field is called by which a child belongs to a lead, it is asked for."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        rule = ChildRule(Kind("visit", fields=[back, TO_DEAL]), {"deal": "move"})
        shelf = Shelf([LEAD], rules=attrs.evolve(RULES, children=[rule]))
        shelf.convert(["deal"])

        assert ("visit", "converted_from", L_7) in wanted_reversal(
            shelf.lead, rules=shelf.rules
        ).related

    def test_it_is_enough(self) -> None:
        """What it asks for is all that is needed to see what stands in the way."""
        everything = Shelf(
            [
                LEAD,
                ADA_OF_OLD,
                child("task", "T-1", subject="Call", lead_id="L-7"),
                child("mail", "M-1", lead_ids=("L-7",)),
                child("note", "N-1", text="In a hurry", lead_id="L-7"),
                child("call", "K-1", lead_id="L-7"),
                child("note", "N-2", text="Of another", lead_id="L-8"),
                Contact(id="C-8", last_name="Other"),
            ]
        )
        everything.convert(["company", Merge("contact", "C-3"), "deal"])
        add(Deal(id="D-9", company_id=NEW_COMPANY.id))(everything)
        wanted = wanted_reversal(everything.lead, rules=RULES)
        records = [everything.records[ref] for ref in wanted.refs]
        for kind, name, ref in wanted.related:
            records += (
                one
                for one in everything.records.values()
                if ref_of(one).kind == kind and ref.id in str(held(one).get(name))
            )
        known = Known(records=records, traces=[everything.traces[one] for one in wanted.traces])

        assert (
            everything.look(partial=True).result()
            == everything.look(known=known, partial=True).result()
        )
        assert [("has_others", "company", NEW_COMPANY.id)] == told(everything.look().problems)


class TestChildren:
    """What hangs on the lead goes back where it came from."""

    TASK: Final = child("task", "T-1", subject="Call", lead_id="L-7", completed=False)
    MAIL: Final = child("mail", "M-1", subject="Hello", lead_ids=("L-7", "L-8"))
    NOTE: Final = child("note", "N-1", text="In a hurry", lead_id="L-7")
    CALL: Final = child("call", "K-1", lead_id="L-7")
    COPY: Final = Ref("note", "L-7.1.note.1")
    T_1: Final = Ref("task", "T-1")
    M_1: Final = Ref("mail", "M-1")

    def converted(self, *children: GenericRecord, **more: Any) -> Shelf:  # noqa: ANN401
        """A lead with children that became a contact and a deal."""
        shelf = Shelf([LEAD, *(children or (self.TASK, self.MAIL, self.NOTE, self.CALL))])
        shelf.convert(["contact", "deal"], **more)
        return shelf

    def test_all_go_back(self) -> None:
        """What was moved, shared, copied and closed is as before; only copies are removed."""
        before = Shelf([self.TASK, self.MAIL, self.NOTE, self.CALL]).contents
        shelf = self.converted()
        assert {
            "subject": "Call",
            "lead_id": None,
            "deal_id": NEW_DEAL.id,
            "completed": True,
        } == dict(shelf.records[self.T_1].custom)
        assert ((NEW_CONTACT.id,), (NEW_DEAL.id,)) == (
            shelf.contents["mail M-1"]["contact_ids"],
            shelf.contents["mail M-1"]["deal_ids"],
        )
        assert {"text": "In a hurry", "deal_id": NEW_DEAL.id} == dict(
            shelf.records[self.COPY].custom
        )
        assert {"lead_id": "L-7", "completed": True} == dict(
            shelf.records[Ref("call", "K-1")].custom
        )
        undone = shelf.reverse()

        assert before == {name: one for name, one in shelf.contents.items() if name != "lead L-7"}
        assert (self.COPY, NEW_DEAL, NEW_CONTACT) == undone.removed
        assert ["K-1", "T-1"] == [one.id for one in undone.restored]
        assert (self.M_1,) == undone.released

    def test_what_is_written(self) -> None:
        """Children leave a record before it is removed."""
        assert [
            ("Update", "K-1"),
            ("Update", "T-1"),
            ("Detach", "M-1"),
            ("Detach", "M-1"),
            ("Delete", "L-7.1.note.1"),
            ("Delete", NEW_DEAL.id),
            ("Delete", NEW_CONTACT.id),
            ("Update", "L-7"),
        ] == [
            (type(one).__name__, one.ref.id)
            for one in self.converted().look().result().changes.changes
        ]

    def test_what_was_done_to_a_moved_one_stays(self) -> None:
        """It goes back with whatever was written into its other fields."""
        shelf = self.converted(self.TASK)
        shelf.edit(self.T_1, subject="Call again")
        shelf.reverse()

        assert {
            "subject": "Call again",
            "lead_id": "L-7",
            "deal_id": None,
            "completed": False,
        } == dict(shelf.records[self.T_1].custom)

    def test_opened_again_since(self) -> None:
        """It goes back, and what somebody decided of it stays."""
        shelf = self.converted(self.TASK)
        shelf.edit(self.T_1, completed=None)
        assert [("changed_since", "task", "T-1")] == told(shelf.look().problems)
        undone = shelf.reverse(partial=True)

        assert {"subject": "Call", "lead_id": "L-7", "deal_id": None, "completed": None} == dict(
            shelf.records[self.T_1].custom
        )
        assert (NEW_DEAL, NEW_CONTACT) == undone.removed

    @pytest.mark.parametrize(
        "since",
        [{"deal_id": "D-9"}, {"deal_id": None}, {"lead_id": "L-9"}],
    )
    def test_moved_on_since(self, since: dict[str, object]) -> None:
        """Somebody has put it elsewhere: it stays there, and never belongs to two."""
        shelf = self.converted(self.TASK)
        shelf.edit(self.T_1, **since)
        p = shelf.look()
        undone = shelf.reverse(partial=True)

        assert {"id": "T-1", "fields": ("deal_id", "lead_id")} == dict(p.problems[0].params)
        assert ("changed_since", "task", "T-1") == told(undone.kept)[0]
        assert {"lead_id": None, "deal_id": NEW_DEAL.id, **since} == {
            name: shelf.records[self.T_1].custom[name] for name in ("lead_id", "deal_id")
        }

    def test_moved_on_and_holding_the_deal(self) -> None:
        """A child that stays with a deal keeps it."""
        shelf = self.converted(self.TASK)
        shelf.edit(self.T_1, lead_id="L-9")

        assert [
            ("changed_since", "task", "T-1"),
            ("has_others", "deal", NEW_DEAL.id),
            ("has_others", "contact", NEW_CONTACT.id),
        ] == told(shelf.look().problems)
        undone = shelf.reverse(partial=True)
        assert ((), (NEW_DEAL, NEW_CONTACT)) == (undone.removed, undone.released)

    def test_a_copy_that_was_changed(self) -> None:
        """It stays, and with it the deal that it belongs to, and the contact of that."""
        shelf = self.converted(self.NOTE)
        shelf.edit(self.COPY, text="In no hurry")
        p = shelf.look()

        assert [
            ("changed_since", "note", self.COPY.id),
            ("has_others", "deal", NEW_DEAL.id),
            ("has_others", "contact", NEW_CONTACT.id),
        ] == told(p.problems)
        assert (f"note {self.COPY.id}",) == p.problems[1].params["others"]
        undone = shelf.reverse(partial=True)
        assert ((), (NEW_DEAL, NEW_CONTACT)) == (undone.removed, undone.released)

    def test_a_copy_of_more_than_the_rules_know(self) -> None:
        """A child is copied with all that it holds, so such fields are no change."""
        note = child("note", "N-1", text="In a hurry", lead_id="L-7", colour="red")
        shelf = self.converted(note)
        assert "red" == shelf.records[self.COPY].custom["colour"]

        assert (self.COPY, NEW_DEAL, NEW_CONTACT) == shelf.reverse().removed

    def test_one_more_was_shared_with(self) -> None:
        """Only what the conversion added is taken out."""
        shelf = self.converted(self.MAIL)
        shelf.edit(self.M_1, deal_ids=(NEW_DEAL.id, "D-9"))
        shelf.reverse()

        assert ("D-9",) == shelf.contents["mail M-1"]["deal_ids"]

    def test_shared_with_one_that_was_merged_since(self) -> None:
        """It is taken out of the survivor that the child points at by now."""
        shelf = Shelf([LEAD, ADA_OF_OLD, self.MAIL])
        shelf.convert([Link("contact", "C-3")])
        shelf.merged = [(C_3, Ref("contact", "C-9"))]
        del shelf.records[C_3]
        add(Contact(id="C-9", converted_from=["L-7"]))(shelf)
        shelf.edit(self.M_1, contact_ids=("C-9",))
        shelf.reverse()

        assert "contact_ids" not in shelf.contents["mail M-1"]
        assert "converted_from" not in shelf.contents["contact C-9"]

    @pytest.mark.parametrize("keep", [False, True])
    def test_gone_since(self, keep: bool) -> None:
        """Of children that are gone those that were shared are not missed."""
        shelf = self.converted()
        for ref in (self.T_1, self.M_1):
            del shelf.records[ref]

        assert [("gone_since", "task", "T-1")] == told(shelf.look(keep=keep).problems)
        shelf.reverse(keep=keep, partial=True)
        assert {self.T_1, self.M_1}.isdisjoint(shelf.records)

    def test_rights(self) -> None:
        """To take a child back one must be allowed to change it, and to remove a copy."""
        shelf = self.converted(self.TASK, self.NOTE)
        nobody = denying(("update", "task", "T-1"), ("delete", "note", self.COPY.id))

        assert [
            ("denied", "note", self.COPY.id),
            ("denied", "task", "T-1"),
            ("has_others", "deal", NEW_DEAL.id),
            ("has_others", "contact", NEW_CONTACT.id),
        ] == told(shelf.look(authorizer=nobody).problems)
        asked = [one.action.value for one in shelf.look().required_access if one.kind == "task"]
        assert ["update", "read"] == asked

    def test_of_which_nobody_is_asked(self) -> None:
        """Where the rules ask no rights of children, none are needed to take them back."""
        rules = [attrs.evolve(one, asks=False) for one in CHILDREN]
        shelf = Shelf([LEAD, self.TASK, self.NOTE], rules=attrs.evolve(RULES, children=rules))
        shelf.convert(["deal"])
        nobody = denying(
            *(
                (action, kind, id_)
                for action in ("read", "update", "delete")
                for kind, id_ in (("task", "T-1"), ("note", "N-1"), ("note", self.COPY.id))
            )
        )

        assert (self.COPY, NEW_DEAL) == shelf.reverse(authorizer=nobody).removed
        assert "L-7" == shelf.contents["task T-1"]["lead_id"]

    def test_one_that_nobody_may_see_holds_a_record_all_the_same(self) -> None:
        """It counts, and is not named."""
        shelf = self.converted(self.TASK)
        p = shelf.look(authorizer=denying(("read", "task", "T-1")))

        assert ("gone_since", "task", "T-1") == told(p.problems)[0]
        assert {"id": NEW_DEAL.id, "count": 1, "others": ()} == dict(p.problems[1].params)

    def test_of_a_lead_that_stayed_open(self) -> None:
        """Children travel with a staged conversion too, and are not closed: they go back."""
        shelf = self.converted(self.TASK, closing=False)
        assert False is shelf.records[self.T_1].custom["completed"]
        shelf.reverse()

        assert {**self.TASK.custom, "deal_id": None} == dict(shelf.records[self.T_1].custom)

    def test_of_a_store_that_keeps_nothing_empty(self) -> None:
        """Whether an empty field is None, an empty list or not there at all is the same."""
        many = child_kind("task", TO_LEADS, TO_DEAL)
        shelf = Shelf(
            [LEAD, child("task", "T-1", lead_ids=("L-7",))],
            rules=attrs.evolve(RULES, children=[ChildRule(many, {"deal": "move"})]),
        )
        shelf.convert(["deal"])
        assert () == shelf.records[self.T_1].custom["lead_ids"]
        shelf.records[self.T_1] = child("task", "T-1", deal_id=NEW_DEAL.id)
        shelf.reverse()

        assert ("L-7",) == shelf.contents["task T-1"]["lead_ids"]


class TestFieldsCalledAsAttributesAre:
    """A kind of data may have fields of any name."""

    THING: Final = Kind(
        "thing",
        fields=[
            Field("kind", "text"),
            Field("custom", "text"),
            Field("converted_from", "reference", to="lead", multiple=True),
        ],
    )

    def test_merged(self) -> None:
        """A field called kind is restored like any other, and the record is what it was."""
        mappings = [*RULES.mappings, FieldMapping("title", "thing", "kind", conflict="take")]
        rules = attrs.evolve(RULES, kinds=[*RULES.kinds, self.THING], mappings=mappings)
        held_before = {"kind": "old", "custom": "mine"}
        thing = GenericRecord(kind="thing", id="X-1", custom=held_before)
        result = convert(
            LEAD,
            [Merge("thing", "X-1")],
            rules=rules,
            actor=ADA,
            at=AT,
            known=Known(records=[thing]),
        )
        known = Known(records=result.records, traces=result.changes.traces)
        undone = reverse(result.lead, rules=rules, actor=ADA, at=LATER, known=known)

        [restored] = undone.restored
        assert (
            GenericRecord(kind="thing", id="X-1", custom={**held_before, "converted_from": ()})
            == restored
        )


class TestMoves:
    """A conversion that a move or an arrival brought about is like any other."""

    AUTOMATED: Final = attrs.evolve(
        RULES,
        automation=Automation(
            Actor("robot"), [AutomationRule("hot", ["contact", "deal"], on="talk")]
        ),
    )

    def test_by_a_move(self) -> None:
        """To enter the success stage is to convert; values filled on the way go as well."""
        shelf = Shelf([LEAD])
        moved = advance(
            LEAD, "done", ["deal"], rules=RULES, actor=ADA, at=AT, values={"source": "fair"}
        )
        shelf.apply(moved.changes)
        undone = shelf.reverse()

        assert but_for_history(LEAD) == but_for_history(shelf.lead)
        assert (NEW_DEAL,) == undone.removed

    def test_by_a_rule(self) -> None:
        """The lead goes back to the stage in which the rule acted."""
        new = attrs.evolve(LEAD, stage="new")
        shelf = Shelf([new], rules=self.AUTOMATED)
        moved = advance(new, "talk", rules=self.AUTOMATED, actor=ADA, at=AT)
        shelf.apply(moved.changes)
        assert ("done", "hot") == (shelf.lead.stage, shelf.lead.conversions[0].rule)
        undone = shelf.reverse()

        assert ("talk", ["new", "talk", "done"]) == (
            shelf.lead.stage,
            [one.from_stage for one in shelf.lead.stage_history],
        )
        assert (NEW_DEAL, NEW_CONTACT) == undone.removed

    @pytest.mark.parametrize("own_ids", [False, True])
    def test_of_an_arrival(self, own_ids: bool) -> None:
        """A lead that was made and converted at once stays, under whatever id it got."""
        arrival = arrive(attrs.evolve(LEAD, revision=None), rules=self.AUTOMATED, at=AT)
        shelf = Shelf([], rules=self.AUTOMATED, own_ids=own_ids)
        shelf.apply(arrival.changes)
        assert ("own-0" if own_ids else "L-7", "done") == (shelf.lead.id, shelf.lead.stage)
        assert 3 == len(shelf.records)
        undone = shelf.reverse()

        assert ("talk", 2) == (shelf.lead.stage, len(undone.removed))
        assert 1 == len(shelf.records)
        assert but_for_history(LEAD) == attrs.evolve(but_for_history(shelf.lead), id="L-7")

    @pytest.mark.parametrize("own_ids", [False, True])
    def test_of_a_chain_of_rules(self, own_ids: bool) -> None:
        """Of several conversions in one move the newest goes first, then the one before."""
        acting = [
            AutomationRule("first", ["contact"], on="talk", closing=False),
            AutomationRule("then", ["contact", "deal"], on="talk"),
        ]
        rules = attrs.evolve(RULES, automation=Automation(Actor("robot"), acting))
        new = attrs.evolve(LEAD, stage="new")
        shelf = Shelf([new], rules=rules, own_ids=own_ids)
        shelf.apply(advance(new, "talk", rules=rules, actor=ADA, at=AT).changes)
        assert ["L-7.1", "L-7.2"] == [one.id for one in shelf.lead.conversions]
        second = shelf.reverse()
        assert ["deal"] == [one.kind for one in second.removed]
        assert "talk" == shelf.lead.stage
        first = shelf.reverse()

        assert ["contact"] == [one.kind for one in first.removed]
        assert {L_7} == shelf.records.keys()


class TestReopening:
    """To reopen a lead is to let go of all that it became, and to keep it."""

    def test_everything_is_kept(self) -> None:
        """Nothing is removed or restored; no record points back at the lead."""
        shelf = fully()
        before = shelf.contents
        undone = shelf.reverse(keep=True, reason="signed too early")
        now = shelf.contents

        for name in ("contact C-3", f"company {NEW_COMPANY.id}", f"deal {NEW_DEAL.id}"):
            assert ("L-7",) == before[name].pop("converted_from")
            assert before[name] == now[name]
        assert ((), (), ()) == (undone.removed, undone.restored, undone.kept)
        assert (NEW_DEAL, C_3, NEW_COMPANY) == undone.released

    def test_the_lead(self) -> None:
        """It goes back to the stage where it stood before, and its conversion is marked."""
        shelf = fully()
        undone = shelf.reverse(keep=True, reason="signed too early")
        marked = Undone(how="reopened", at=LATER, actor_id="u-7", reason="signed too early")

        assert ("talk", marked) == (shelf.lead.stage, shelf.lead.conversions[0].undone)
        assert Undoing.REOPENED is undone.conversions[0].undone.how  # type: ignore[union-attr]
        assert (
            StageChange(
                from_stage="done",
                to_stage="talk",
                at=LATER,
                actor_id="u-7",
                reason="signed too early",
            )
            == shelf.lead.stage_history[-1]
        )
        assert (
            Event(
                name="lead.reopened",
                ref=L_7,
                at=LATER,
                actor_id="u-7",
                params={"conversions": ["L-7.1"]},
            )
            == undone.changes.events[-1]
        )

    def test_whatever_was_changed_since(self) -> None:
        """Changes and others that refer do not stand in the way: all stays as it is."""
        shelf = fully()
        shelf.edit(NEW_DEAL, title="Bigger engine")
        shelf.edit(C_3, comments="met in 2027")
        add(Deal(id="D-9", company_id=NEW_COMPANY.id))(shelf)

        assert shelf.look(keep=True).ok

    def test_what_values_filled_stays(self) -> None:
        """The lead keeps what was learnt of it."""
        shelf = Shelf([LEAD])
        shelf.convert(["deal"], values={"source": "fair"})
        shelf.reverse(keep=True)

        assert "fair" == shelf.lead.source

    def test_to_another_stage(self) -> None:
        """One may say in which stage to go on."""
        shelf = fully()
        shelf.reverse(keep=True, to="new")

        assert "new" == shelf.lead.stage

    @pytest.mark.parametrize(("to", "guess"), [("nwe", "new"), ("done", None), ("lost", None)])
    def test_to_no_stage_of_work(self, to: str, guess: str | None) -> None:
        """Only a stage in process will do; the error is one of the stage."""
        p = fully().look(keep=True, to=to, partial=True)

        assert ["unknown_target_stage"] == [one.code for one in p.problems]
        assert {"pipeline": "leads", "stages": ("new", "talk")} == {
            name: one for name, one in p.problems[0].params.items() if name != "did_you_mean"
        }
        assert guess == p.problems[0].params.get("did_you_mean")
        with pytest.raises(errors.StageNotAllowedError):
            p.result()

    def test_where_it_came_from_is_no_more(self) -> None:
        """Then the first stage will do, as it does where no history says anything."""
        shelf = fully()
        shelf.edit(L_7, stage_history=())
        assert "new" == shelf.look(keep=True).result().lead.stage
        lost = StageChange(from_stage="gone", to_stage="done", at=AT)
        shelf.edit(L_7, stage_history=(lost,))
        assert "new" == shelf.look(keep=True).result().lead.stage

    def test_where_it_came_from_last(self) -> None:
        """Of several times that it was converted the last one counts."""
        shelf = Shelf([attrs.evolve(LEAD, stage="new")])
        shelf.convert(["deal"])
        shelf.reverse(keep=True, to="talk")
        shelf.convert(["deal"])
        shelf.reverse(keep=True)

        assert "talk" == shelf.lead.stage

    def test_all_conversions_in_force(self) -> None:
        """Every one is let go of, whichever made a record or found it."""
        shelf = Shelf([LEAD, ADA_OF_OLD])
        shelf.convert([Link("contact", "C-3")], closing=False)
        shelf.convert(["contact", "deal"])
        shelf.convert(["deal"], mode="supplement")
        undone = shelf.reverse(keep=True)

        assert ["L-7.1", "L-7.2", "L-7.3"] == [one.id for one in undone.conversions]
        assert ("L-7.1", "L-7.2", "L-7.3") == undone.changes.events[-1].params["conversions"]
        assert not any(one.in_force for one in shelf.lead.conversions)
        assert not any(back_of(one) for one in shelf.records.values())
        assert 4 == len(shelf.records)

    def test_in_their_order(self) -> None:
        """Ten or more are told in the order in which they happened."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact", "deal"])
        for _ in range(10):
            shelf.convert(["deal"], mode="supplement")
        undone = shelf.reverse(keep=True)

        assert (
            tuple(f"L-7.{n}" for n in range(1, 12))
            == (undone.changes.events[-1].params["conversions"])
        )

    def test_what_was_undone_before_is_left_alone(self) -> None:
        """A conversion is undone once, and keeps how."""
        shelf = TestSeveralConversions.twice()
        shelf.reverse()
        shelf.reverse(keep=True)

        assert [Undoing.REOPENED, Undoing.REVERSED] == [
            one.undone.how for one in shelf.lead.conversions if one.undone is not None
        ]

    def test_children(self) -> None:
        """They go back to the lead; copies stay with what they were made for."""
        shelf = TestChildren().converted()
        undone = shelf.reverse(keep=True)

        assert ("L-7", False) == (
            shelf.records[Ref("task", "T-1")].custom["lead_id"],
            shelf.records[Ref("task", "T-1")].custom["completed"],
        )
        assert {"subject": "Hello", "lead_ids": ("L-7", "L-8")} == {
            name: one for name, one in shelf.contents["mail M-1"].items() if name != "kind"
        }
        assert NEW_DEAL.id == shelf.contents["note L-7.1.note.1"]["deal_id"]
        assert ["K-1", "T-1"] == [one.id for one in undone.restored]
        assert () == undone.removed

    def test_children_that_were_changed(self) -> None:
        """They stand in the way here too, and stay with partial=True."""
        shelf = TestChildren().converted(TestChildren.TASK)
        shelf.edit(Ref("task", "T-1"), deal_id="D-9")

        assert [("changed_since", "task", "T-1")] == told(shelf.look(keep=True).problems)
        undone = shelf.reverse(keep=True, partial=True)
        assert "D-9" == shelf.contents["task T-1"]["deal_id"]
        assert [("changed_since", "task", "T-1")] == told(undone.kept)

    def test_without_any_conversion(self) -> None:
        """A lead that was put into its success stage elsewhere can be reopened."""
        came = StageChange(from_stage="talk", to_stage="done", at=AT)
        lead = attrs.evolve(LEAD, stage="done", stage_history=[came])
        undone = reverse(lead, rules=RULES, actor=ADA, at=LATER, keep=True)

        assert ("talk", (), ()) == (undone.lead.stage, undone.conversions, undone.lead.conversions)
        assert "<Reversal of lead L-7: removed nothing>" == repr(undone)
        assert ["nothing_to_undo"] == [
            one.code for one in plan_reversal(lead, rules=RULES, actor=ADA, at=LATER).problems
        ]

    def test_of_a_lead_that_stands_elsewhere(self) -> None:
        """Staged conversions are let go of, and the lead stays where it stands, whatever *to*."""
        shelf = Shelf([LEAD])
        shelf.convert(["contact"], closing=False)
        undone = shelf.look(keep=True, to="new").result()

        assert ("talk", ()) == (undone.lead.stage, undone.lead.stage_history)
        assert (NEW_CONTACT,) == undone.released

    def test_twice(self) -> None:
        """A lead that is open again is not reopened."""
        shelf = fully()
        shelf.reverse(keep=True)

        assert ["nothing_to_undo"] == [one.code for one in shelf.look(keep=True).problems]
        p = shelf.look(conversion="L-7.1")
        assert {"conversion": "L-7.1", "how": "reopened"} == dict(p.problems[0].params)

    def test_converting_again(self) -> None:
        """That is a new conversion, and matching finds what was kept."""
        matching = Matching([MatchRule("contact", ["email"], "merge")])
        shelf = Shelf([LEAD], rules=attrs.evolve(RULES, matching=matching))
        shelf.convert(["contact", "deal"])
        shelf.reverse(keep=True)
        again = shelf.convert(["contact", "deal"], at=LATER)

        assert ("L-7.2", NEW_CONTACT.id, "L-7.2.deal.1") == (
            again.conversion.id,
            again.contact.id,
            again.deal.id,
        )
        assert ("unchanged", ("L-7",)) == (again.outcomes[0].action, again.contact.converted_from)
        undone = shelf.reverse()
        assert (Ref("deal", "L-7.2.deal.1"),) == undone.removed
        assert "converted_from" not in shelf.contents[f"contact {NEW_CONTACT.id}"]


class TestKeys:
    """What makes a retry harmless."""

    def test_the_same_again(self) -> None:
        """One request on one lead has one key, whoever asks, whenever, and whyever."""
        shelf = fully()
        one = shelf.look().result().changes
        other = (
            shelf.look(at=LATER + timedelta(hours=1), actor=Actor("u-9"), reason="again")
            .result()
            .changes
        )

        assert (one.key, one.fingerprint) == (other.key, other.fingerprint)
        assert f"L-7/2/{one.fingerprint}" == one.key
        assert 32 == len(one.fingerprint)

    def test_a_key_of_ones_own(self) -> None:
        """It is taken as it is, and the fingerprint still stands for the request."""
        shelf = fully()
        one, other = shelf.look().result().changes, shelf.look(key="k-1").result().changes

        assert ("k-1", one.fingerprint) == (other.key, other.fingerprint)

    def test_other_requests(self) -> None:
        """Whoever asks for something else has another fingerprint and another key."""
        shelf = fully()
        asked: list[dict[str, Any]] = [
            {},
            {"partial": True},
            {"keep": True},
            {"keep": True, "to": "new"},
            {"conversion": "L-7.1"},
        ]
        decided = [shelf.look(**one).result().changes for one in asked]

        assert 5 == len({one.fingerprint for one in decided})
        assert 5 == len({one.key for one in decided})

    def test_another_lead(self) -> None:
        """Its id is part of both."""
        other = attrs.evolve(LEAD, id="L-8", stage="done")
        lead = attrs.evolve(LEAD, stage="done")
        one, two = (
            reverse(record, rules=RULES, actor=ADA, at=AT, keep=True).changes
            for record in (lead, other)
        )

        assert one.fingerprint != two.fingerprint
        assert ("L-7/0/", "L-8/0/") == (one.key[:6], two.key[:6])

    @pytest.mark.parametrize("keep", [False, True])
    def test_after_it(self, keep: bool) -> None:
        """The same done again later is another change: converting and taking back have new keys."""
        shelf = Shelf([LEAD])
        keys: list[str] = []
        ids: list[str] = []
        for _ in range(3):
            made = shelf.convert(["deal"])
            undone = shelf.reverse(keep=keep)
            keys += [made.changes.key, undone.changes.key]
            ids.append(made.conversion.id)

        assert 6 == len(set(keys))
        assert ["L-7.1", "L-7.2", "L-7.3"] == ids

    def test_of_staged_ones(self) -> None:
        """Also where the stage says nothing of it."""
        shelf = Shelf([LEAD])
        keys: list[str] = []
        for _ in range(3):
            made = shelf.convert(["contact"], closing=False)
            keys += [made.changes.key, shelf.reverse().changes.key]

        assert 6 == len(set(keys))


class TestSignature:
    """A misused signature is an ordinary error."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"lead": ADA_OF_OLD}, "lead is a Lead, not a Contact"),
            (
                {"rules": presets.bitrix24},
                (
                    "rules is a ConversionRules, not a Bitrix24,"
                    " it is to be called: write () behind it"
                ),
            ),
            ({"known": [LEAD]}, "known is a Known, not a list"),
            ({"actor": "u-7"}, "actor is an Actor, not a str"),
        ],
    )
    @pytest.mark.parametrize("function", [plan_reversal, reverse])
    def test_types(
        self, function: Callable[..., object], given: dict[str, object], expected: str
    ) -> None:
        """Each thing is what it should be."""
        usual: dict[str, object] = {"lead": LEAD, "rules": RULES, "actor": ADA, "at": AT}
        with pytest.raises(TypeError) as caught:
            function(**{**usual, **given})
        assert expected == str(caught.value)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"to": "new"}, "to= says where to reopen a lead: it goes with keep=True"),
            (
                {"keep": True, "conversion": "L-7.1"},
                "keep=True lets go of all conversions: leave conversion= out",
            ),
        ],
    )
    def test_arguments_that_do_not_go_together(self, given: dict[str, Any], expected: str) -> None:
        """They are refused, whatever the lead."""
        with pytest.raises(ValueError, match=r"keep=True") as caught:
            reverse(LEAD, rules=RULES, actor=ADA, at=AT, **given)
        assert expected == str(caught.value)

    def test_a_moment_without_a_zone(self) -> None:
        """Nobody knows when that is."""
        with pytest.raises(ValueError, match="time zone"):
            reverse(LEAD, rules=RULES, actor=ADA, at=AT.replace(tzinfo=None))

    def test_both_who_decide(self) -> None:
        """Either an engine decides, or it has decided."""
        with pytest.raises(TypeError, match="not both"):
            reverse(
                LEAD,
                rules=RULES,
                actor=ADA,
                at=AT,
                authorizer=Policy.allow_all(),
                known=Known(decisions=[]),
            )


class TestPlainValues:
    """Plans, results and traces survive pickle, copy and JSON."""

    @staticmethod
    def values() -> list[object]:
        """Everything there is, filled as far as it can be."""
        shelf = fully()
        good = shelf.look()
        shelf.edit(NEW_DEAL, title="Bigger engine")
        children = TestChildren().converted()
        return [
            good,
            good.result(),
            good.result().changes,
            shelf.look(),
            shelf.look(partial=True),
            shelf.look(partial=True).result(),
            shelf.look(keep=True).result(),
            shelf.traces["L-7.1"],
            children.traces["L-7.1"],
            children.look().result(),
            children.known,
            wanted_reversal(shelf.lead, rules=RULES),
        ]

    @pytest.mark.parametrize("index", range(12))
    def test_json(self, index: int) -> None:
        """What is written as JSON is read back equal."""
        value, codec = self.values()[index], Codec(RULES)
        data = json.loads(json.dumps(codec.to_data(value)))

        assert value == codec.from_data(data, type(value))

    @pytest.mark.parametrize("index", range(12))
    def test_pickle_and_copy(self, index: int) -> None:
        """Equal all the same."""
        value = self.values()[index]

        assert value == pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
        assert value == copy.deepcopy(value)

    def test_a_trace_that_was_json(self) -> None:
        """A store may keep it as JSON: it takes back as much."""
        shelf, codec = fully(), Codec(RULES)
        expected = shelf.look().result()
        text = json.dumps(codec.to_data(shelf.traces["L-7.1"]))
        shelf.traces["L-7.1"] = codec.from_data(json.loads(text), Trace)

        assert expected == shelf.look().result()

    def test_the_error(self) -> None:
        """It carries its problems through pickle and JSON."""
        shelf = fully()
        shelf.edit(NEW_DEAL, title="Bigger engine")
        with pytest.raises(errors.NotReversibleError) as caught:
            shelf.reverse()
        error, codec = caught.value, Codec(RULES)

        assert error == pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert error == codec.from_data(codec.to_data(error), errors.ConversionError)

    def test_steps_are_values(self) -> None:
        """What a trace was made of can change, and the trace does not."""
        before, attached = {"title": "Old"}, [("converted_from", L_7)]
        step = TraceStep(ref=NEW_DEAL, action="merged", before=before, attached=attached)
        steps = [step]
        trace = Trace(id="L-7.1", steps=steps)
        before["title"] = "New"
        attached.clear()
        steps.clear()

        assert {"title": "Old"} == dict(trace.steps[0].before)
        assert (("converted_from", L_7),) == trace.steps[0].attached
        assert hash(trace) == hash(Trace(id="L-7.1", steps=[step]))
        assert "Old" not in repr(trace)
