"""What `Store.apply` promises of each step, of events, and of the receipt."""

from leadconvert import (
    Attach,
    Change,
    Company,
    Deal,
    Delete,
    Detach,
    Event,
    GenericRecord,
    Insert,
    Lead,
    Ref,
    Trace,
    Update,
)
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    UnfitValueError,
)
from leadconvert.testing._contract_bench import (
    AT,
    Subject,
    benched,
    same,
    unchanged,
)


__all__ = ["Applying"]


class Applying(Subject):
    """Each step, the events, and applying again."""

    def test_owns_transaction_is_told(self) -> None:
        """A store says whether it begins and ends its own transactions."""
        with benched(self) as bench:
            same(True, isinstance(bench.store.owns_transaction, bool), "owns_transaction is a bool")

    def test_an_insert_overwrites_nothing(self) -> None:
        """A record whose id is taken is refused, or gets another id; the first one stays."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="first"))
            before, promise = bench.world(), "an insert overwrites nothing"
            second = Ref("deal", ref.id, provisional=True)
            asked = bench.changes(Insert(second, {"title": "second"}))
            try:
                made = bench.made(asked)
            except ConflictError:
                unchanged(before, bench.world(), promise)
            else:
                same("second", bench.read(made[second], "title"), promise)
            same("first", bench.read(ref, "title"), promise)

    def test_what_is_gone_is_not_changed(self) -> None:
        """An update, a delete or an addition to a record that is gone says that it is not there."""
        with benched(self) as bench:
            gone, lead = bench.gone(), bench.put_one(Lead(id="L-1", stage="NEW"))
            changes: tuple[Change, ...] = (
                Update(gone, "1", {"title": "New"}),
                Delete(gone, "1"),
                Attach(gone, "converted_from", [lead]),
            )
            for change in changes:
                promise = f"{type(change).__name__} of what is gone is refused"
                refusal = bench.refused(bench.changes(change), RecordNotFoundError, promise)
                same((gone,), refusal.refs, f"{promise}, and named")

    def test_taking_out_of_what_is_gone_does_nothing(self) -> None:
        """What is to be let go of a record that is gone is let go."""
        with benched(self) as bench:
            gone, lead = bench.gone(), bench.put_one(Lead(id="L-1", stage="NEW"))
            before = bench.world()
            bench.apply(Detach(gone, "converted_from", [lead]))
            unchanged(before, bench.world(), "taking out of what is gone does nothing")

    def test_attach_adds_what_is_not_there(self) -> None:
        """Refs are added after those that are there, each once; nothing else changes."""
        with benched(self) as bench:
            one, two, three = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2, 3)))
            company = bench.put_one(
                Company(id="CO-1", name="Engines", tags=["a"], converted_from=[two.id])
            )
            promise = "attach adds what is not there"
            for refs, held in (([one], [two, one]), ([one, three, two], [two, one, three])):
                bench.apply(Attach(company, "converted_from", refs))
                ids = tuple(ref.id for ref in held)
                same(ids, bench.read(company, "converted_from"), promise)
            same(("a",), bench.read(company, "tags"), f"{promise}, and nothing else")
            note = bench.put_one(GenericRecord(kind="note", id="N-1", custom={"text": "x"}))
            bench.apply(Attach(note, "lead_ids", [three]))
            same((three.id,), bench.read(note, "lead_ids"), f"{promise}, where nothing was")

    def test_detach_takes_out_what_it_names(self) -> None:
        """Just the refs named are taken out; the others stay in their order."""
        with benched(self) as bench:
            leads = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2, 3, 4)))
            one, two, three, four = leads
            ids = [three.id, one.id, two.id]
            company = bench.put_one(Company(id="CO-1", name="Engines", converted_from=ids))
            promise = "detach takes out what it names"
            for refs, held in (([one, four], [three, two]), ([two], [three]), ([three], [])):
                bench.apply(Detach(company, "converted_from", refs))
                left = tuple(ref.id for ref in held)
                same(left, bench.read(company, "converted_from"), promise)

    def test_a_kind_it_was_not_made_for_is_refused(self) -> None:
        """A record of a kind that the store has no place for is refused."""
        with benched(self) as bench:
            asked = bench.changes(Insert(bench.new("nothing"), {"title": "x"}))
            bench.refused(asked, UnfitValueError, "an unknown kind is refused")

    def test_steps_follow_each_other(self) -> None:
        """Each step of a change set finds what the steps before it made."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            company, deal = bench.new("company"), bench.new("deal")
            asked = bench.changes(
                Insert(company, {"name": "Engines"}),
                Attach(company, "converted_from", [lead]),
                Insert(deal, {"title": "Engine", "company_id": company}),
                Update(company, None, {"comments": "new"}),
                Update(lead, bench.revision(lead), {"stage": "DONE"}),
            )
            ids, promise = bench.made(asked), "steps follow each other"
            made = ids[company]
            same((lead.id,), bench.read(made, "converted_from"), promise)
            same(
                ("Engines", "new"),
                (bench.read(made, "name"), bench.read(made, "comments")),
                promise,
            )
            same(made.id, bench.read(ids[deal], "company_id"), promise)
            same("DONE", bench.read(lead, "stage"), promise)

    def test_events_are_kept_in_order(self) -> None:
        """The events of each change set are kept as they are, in order, once."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            events = [
                Event(name="record.created", ref=lead, at=AT),
                Event(
                    name="lead.converted",
                    ref=lead,
                    at=AT,
                    actor_id="u-1",
                    params={
                        "targets": (lead,),
                        "conversion": "L-1.1",
                        "close": False,
                        "rule": None,
                    },
                ),
                Event(name="record.created", ref=lead, at=AT, params={"lead": lead}),
            ]
            bench.store.apply(bench.changes(events=events[:2]))
            bench.store.apply(bench.changes(events=events[2:]))
            same(tuple(events), tuple(bench.opened.events()), "events are kept in order")

    def test_the_receipt_tells_what_was_written(self) -> None:
        """It names key, request, conversions, and the stored ref of whatever was made."""
        with benched(self) as bench:
            deal, task = bench.new("deal"), bench.new("task")
            asked = bench.changes(
                Insert(deal, {"title": "Engine"}),
                Insert(task, {"subject": "call", "deal_id": deal}),
                traces=[Trace(id="L-1.1"), Trace(id="L-1.2")],
            )
            receipt, promise = bench.store.apply(asked), "the receipt tells what was written"
            same(
                (asked.key, "asked", False),
                (receipt.key, receipt.fingerprint, receipt.replayed),
                promise,
            )
            same(("L-1.1", "L-1.2"), receipt.conversions, promise)
            same(
                sorted(map(str, (deal, task))), sorted(str(new) for new, _ in receipt.ids), promise
            )
            stored = [ref for _, ref in receipt.ids]
            same(
                [False, False],
                [ref.provisional for ref in stored],
                "stored refs are not provisional",
            )
            same(sorted(map(str, stored)), sorted(map(str, bench.opened.refs())), promise)
