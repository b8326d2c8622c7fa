"""What `Store.load` promises."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeVar

import attrs

from leadconvert import (
    Channel,
    Company,
    Contact,
    Deal,
    Delete,
    Detach,
    GenericRecord,
    Insert,
    Known,
    Lead,
    MatchKey,
    Receipt,
    Ref,
    Trace,
    TraceStep,
    Update,
    Wanted,
)
from leadconvert.errors import UnfitValueError
from leadconvert.testing._contract_bench import Bench, Subject, benched, raised, same
from leadconvert.testing._contract_rules import Visit


__all__ = ["Loading"]

T = TypeVar("T")

ADA = "ada@example.com"


def _ada(id_: str = "C-1", email: str = ADA) -> Contact:
    return Contact(id=id_, last_name="Lovelace", emails=[Channel(email)])


def _by_email(value: str) -> Wanted:
    return Wanted(matches=(("contact", MatchKey("email", value)),))


def _finds(bench: Bench, wanted: Wanted, expected: Iterable[Ref], promise: str) -> None:
    """Fail unless just the *expected* records are loaded."""
    found = sorted(map(str, bench.found(wanted)))
    same(sorted(map(str, expected)), found, promise)


class Loading(Subject):
    """The records, traces and receipts that a store is asked for."""

    def test_load_returns_the_records_asked_for(self) -> None:
        """Whoever asks for records by their refs gets just these."""
        with benched(self) as bench:
            refs = bench.put(
                Lead(id="L-1", stage="NEW"),
                _ada(),
                Company(id="CO-1", name="Engines"),
                GenericRecord(kind="task", id="T-1", custom={"subject": "call"}),
            )
            for asked in (refs[:1], refs[1:3], refs):
                _finds(bench, Wanted(refs=asked), asked, "load returns the records asked for")

    def test_load_leaves_out_what_is_not_there(self) -> None:
        """A record, trace or receipt that is not there is left out, and is no error."""
        with benched(self) as bench:
            ref = bench.put_one(_ada())
            wanted = Wanted(
                refs=(ref, Ref("contact", "no such"), Ref("deal", ref.id)),
                matches=(("contact", MatchKey("email", "nobody@example.com")),),
                related=(("deal", "contact_ids", ref),),
                traces=("no such",),
                key="no such",
            )
            _finds(bench, wanted, [ref], "load leaves out what is not there")
            known = bench.store.load(wanted)
            same(((), None), (known.traces, known.receipt), "load leaves out what is not there")

    def test_load_says_nothing_it_was_not_asked(self) -> None:
        """What only others know, such as decisions about access, is left to them."""
        with benched(self) as bench:
            ref = bench.put_one(_ada())
            known = bench.store.load(Wanted(refs=(ref,)))
            same(Known(records=known.records), known, "load says nothing it was not asked")
            same(Known(), bench.store.load(Wanted()), "whoever asks for nothing gets nothing")

    def test_load_returns_each_record_once(self) -> None:
        """A record asked for in several ways comes once."""
        with benched(self) as bench:
            ada, company = bench.put(
                _ada(), Company(id="CO-1", name="Engines", phones=[Channel("030 123456")])
            )
            [deal] = bench.put(
                Deal(id="D-1", title="Engine", contact_ids=[ada.id], company_id=company.id)
            )
            wanted = Wanted(
                refs=(ada, deal, ada),
                matches=(("contact", MatchKey("email", ADA)), ("contact", MatchKey("email", ADA))),
                related=(("deal", "contact_ids", ada), ("deal", "company_id", company)),
            )
            _finds(bench, wanted, [ada, deal], "each record is loaded once")

    def test_load_tells_kinds_apart(self) -> None:
        """A record of another kind is another record, though it has the same id."""
        with benched(self) as bench:
            refs = bench.put(
                Contact(id="7", last_name="Lovelace"),
                Company(id="7", name="Engines"),
                GenericRecord(kind="task", id="7", custom={"subject": "call"}),
                GenericRecord(kind="note", id="7", custom={"text": "called"}),
            )
            for ref in refs:
                _finds(bench, Wanted(refs=(ref,)), [ref], "kinds are told apart")
            same("Lovelace", bench.read(refs[0], "last_name"), "kinds are told apart")
            same("call", bench.read(refs[2], "subject"), "kinds are told apart")

    def test_matches_find_whoever_holds_a_key(self) -> None:
        """Every record of the kind that holds the key is found, in whatever form it was written."""
        with benched(self) as bench:
            ada, other = bench.put(
                attrs.evolve(
                    _ada(), emails=[Channel("x@example.com"), Channel(" ADA@Example.com")]
                ),
                _ada("C-2"),
            )
            bench.put(
                _ada("C-3", "someone@example.com"),
                Lead(id="L-1", stage="NEW", emails=[Channel(ADA)]),
                Company(id="CO-1", name="ada@example.com", emails=[Channel(ADA)]),
            )
            _finds(bench, _by_email(ADA), [ada, other], "whoever holds a key is found")
            _finds(bench, _by_email("x@example.com"), [ada], "every key of a record is one")

    def test_matches_find_by_any_sort_of_key(self) -> None:
        """Records are found by their phone, by the name of a person and by that of a company."""
        with benched(self) as bench:
            ada = Contact(id="C-1", first_name="Áda", last_name="Lovelace")
            person, company = bench.put(
                attrs.evolve(ada, phones=[Channel("+44 20 7946 0000")]),
                Company(id="CO-1", name="Engines & Sons"),
            )
            for kind, key, ref in (
                ("contact", MatchKey("phone", "+442079460000"), person),
                ("contact", MatchKey("person", "ada lovelace"), person),
                ("company", MatchKey("company", "engines sons"), company),
            ):
                wanted = Wanted(matches=((kind, key),))
                _finds(bench, wanted, [ref], f"whoever holds a key of sort {key.type} is found")

    def test_matches_find_by_whole_keys_of_their_sort(self) -> None:
        """A part of a key, another size of letters or a key of another sort finds nobody."""
        with benched(self) as bench:
            bench.put(
                _ada(),
                Contact(id="C-2", first_name="under_score", last_name="100%"),
                Company(id="CO-1", name="Engines"),
            )
            for kind, key in (
                ("contact", MatchKey("email", "a@example.com")),
                ("contact", MatchKey("email", "ada@example.co")),
                ("contact", MatchKey("email", "%@example.com")),
                ("contact", MatchKey("email", "ada_example.com")),
                ("contact", MatchKey("email", "ADA@EXAMPLE.COM")),
                ("contact", MatchKey("person", ADA)),
                ("company", MatchKey("company", "engine")),
                ("company", MatchKey("company", "")),
                ("company", MatchKey("email", ADA)),
            ):
                wanted = Wanted(matches=((kind, key),))
                _finds(bench, wanted, [], f"{key.type} {key.value!r} finds nobody")

    def test_matches_follow_an_update(self) -> None:
        """A record is found by the keys it holds now, and no longer by those it held."""
        with benched(self) as bench:
            ref = bench.put_one(_ada())
            emails = {"emails": (Channel("new@example.com"),)}
            bench.update(ref, emails)
            _finds(bench, _by_email(ADA), [], "a key that is held no longer finds nobody")
            _finds(bench, _by_email("new@example.com"), [ref], "a new key finds its record")
            bench.update(ref, {"job_title": "Countess"})
            _finds(bench, _by_email("new@example.com"), [ref], "keys stay where others change")
            bench.apply(Delete(ref, bench.revision(ref)))
            _finds(bench, _by_email("new@example.com"), [], "who is removed is found no longer")

    def test_related_finds_whoever_refers_to_a_record(self) -> None:
        """Records of any kind are found by any field that refers, whichever place it holds."""
        with benched(self) as bench:
            ada, bob, company, lead = bench.put(
                _ada(),
                _ada("C-2", "bob@example.com"),
                Company(id="CO-1", name="Engines"),
                Lead(id="L-1", stage="NEW"),
            )
            deal, visit, invoice, task, note = bench.put(
                Deal(
                    id="D-1",
                    title="Engine",
                    contact_ids=[bob.id, ada.id],
                    converted_from=[lead.id],
                    custom={"UF_PAYER": company.id, "UF_PARTNERS": (bob.id,)},
                ),
                Visit(id="V-1", place="London", contact_id=ada.id),
                GenericRecord(
                    kind="invoice", id="I-1", custom={"number": "1", "payer_id": company.id}
                ),
                GenericRecord(
                    kind="task", id="T-1", custom={"subject": "call", "lead_id": lead.id}
                ),
                GenericRecord(kind="note", id="N-1", custom={"lead_ids": (lead.id,)}),
            )
            for kind, field, to, ref in (
                ("deal", "contact_ids", ada, deal),
                ("deal", "contact_ids", bob, deal),
                ("deal", "converted_from", lead, deal),
                ("deal", "UF_PAYER", company, deal),
                ("deal", "UF_PARTNERS", bob, deal),
                ("visit", "contact_id", ada, visit),
                ("invoice", "payer_id", company, invoice),
                ("task", "lead_id", lead, task),
                ("note", "lead_ids", lead, note),
            ):
                promise = f"a {kind} is found by what its {field} refers to"
                _finds(bench, Wanted(related=((kind, field, to),)), [ref], promise)

    def test_related_looks_at_the_field_named(self) -> None:
        """Who refers to the record by another field, or to another record, is not found."""
        with benched(self) as bench:
            ada, bob, engines, others = bench.put(
                _ada(),
                _ada("C-2", "bob@example.com"),
                Company(id="CO-1", name="Engines"),
                Company(id="CO-2", name="Others"),
            )
            bench.put(
                Deal(
                    id="D-1",
                    title=ada.id,
                    company_id=engines.id,
                    contact_ids=[bob.id],
                    custom={"UF_PAYER": others.id, "UF_PARTNERS": (ada.id,)},
                ),
                Visit(id="V-1", place="London", company_id=engines.id),
            )
            for kind, field, to in (
                ("deal", "UF_PAYER", engines),
                ("deal", "company_id", others),
                ("deal", "contact_ids", ada),
                ("deal", "UF_PARTNERS", bob),
                ("invoice", "company_id", engines),
            ):
                promise = f"no {kind} refers to it by {field}"
                _finds(bench, Wanted(related=((kind, field, to),)), [], promise)

    def test_related_follows_changes(self) -> None:
        """Who no longer refers to a record is no longer found."""
        with benched(self) as bench:
            lead, engines, others = bench.put(
                Lead(id="L-1", stage="NEW"),
                Company(id="CO-1", name="Engines"),
                Company(id="CO-2", name="Others"),
            )
            deal = bench.put_one(
                Deal(id="D-1", title="Engine", company_id=engines.id, converted_from=[lead.id])
            )
            by_company, by_lead = (
                ("deal", "company_id", engines),
                ("deal", "converted_from", lead),
            )
            bench.apply(Update(deal, bench.revision(deal), {"company_id": others}))
            _finds(bench, Wanted(related=(by_company,)), [], "who refers elsewhere is not found")
            bench.apply(Detach(deal, "converted_from", [lead]))
            _finds(bench, Wanted(related=(by_lead,)), [], "what is taken out is found no longer")

    def test_load_returns_the_traces_asked_for(self) -> None:
        """Traces are kept as they were written, and found by the ids of their conversions."""
        with benched(self) as bench:
            ref = bench.put_one(Lead(id="L-1", stage="NEW"))
            traces = [Trace(id=f"{ref.id}.{number}", steps=_steps(ref)) for number in (1, 2, 3)]
            bench.store.apply(bench.changes(traces=traces[:1]))
            bench.store.apply(bench.changes(traces=traces[1:]))
            for asked in (traces[:1], traces[1:], traces):
                wanted = Wanted(traces=tuple(one.id for one in asked))
                found = sorted(bench.store.load(wanted).traces, key=lambda one: one.id)
                same(asked, found, "load returns the traces asked for")

    def test_load_returns_the_receipt_of_a_key(self) -> None:
        """The receipt of a change set that was applied is found by its key."""
        with benched(self) as bench:
            new = Ref("deal", "D-1", provisional=True)
            asked = bench.changes(
                Insert(new, {"title": "Engine"}), traces=[Trace(id="L-1.1")], fingerprint="9f2c"
            )
            given = bench.store.apply(asked)
            bench.apply()
            kept = bench.receipt(asked.key)
            same(_bare(given), kept and _bare(kept), "load returns the receipt of a key")
            same(None, bench.store.load(Wanted()).receipt, "no receipt comes unasked")

    def test_load_refuses_a_kind_it_was_not_made_for(self) -> None:
        """Whoever asks for a kind that the store does not know is told so."""
        with benched(self) as bench:
            for wanted in (
                Wanted(refs=(Ref("nothing", "1"),)),
                Wanted(matches=(("nothing", MatchKey("email", ADA)),)),
                Wanted(related=(("nothing", "lead_id", Ref("lead", "1")),)),
            ):
                promise = "an unknown kind is refused"
                raised(partial(bench.store.load, wanted), UnfitValueError, promise)


def _steps(ref: Ref) -> Iterator[TraceStep]:
    yield TraceStep(ref=ref, action="filled", before={"title": None}, written={"title": "9f2c"})
    yield TraceStep(
        ref=Ref("contact", "C-1"),
        action="merged",
        before={
            "emails": (Channel("ada@example.com", "work"),),
            "last_name": "",
            "company_id": Ref("company", "CO-1"),
        },
        written={"company_id": Ref("company", "CO-2"), "emails": "0a1b"},
        attached=[("converted_from", ref)],
    )


def _bare(receipt: Receipt) -> Receipt:
    """Return a receipt without what differs from time to time."""
    ids, revisions = sorted(receipt.ids, key=str), sorted(receipt.revisions, key=str)
    return attrs.evolve(receipt, ids=ids, revisions=revisions, replayed=False)
