"""What `Store.apply` promises of removing: what was seen is removed, and nobody is lost with it."""

from collections.abc import Iterator
from functools import partial

from leadconvert import (
    Attach,
    Company,
    Contact,
    Deal,
    Delete,
    Detach,
    GenericRecord,
    Insert,
    Lead,
    Ref,
    Update,
    Wanted,
)
from leadconvert.errors import ConflictError
from leadconvert.testing._contract_bench import Bench, Subject, benched, raised, same
from leadconvert.testing._contract_rules import Visit


__all__ = ["Removing"]

_BACK = "converted_from"


def _leads(bench: Bench) -> tuple[Ref, ...]:
    return bench.put(*(Lead(id=f"L-{number}", stage="NEW") for number in (1, 2)))


def _sets(bench: Bench) -> Iterator[tuple[Ref, str, Ref, Ref]]:
    """Yield records with a field that is a set of refs, whom it holds, and one whom it does not."""
    leads = _leads(bench)
    people = bench.put(*(Contact(id=f"C-{number}", last_name="x") for number in (1, 2)))
    lead, person = ((refs[0].id,) for refs in (leads, people))
    invoice = {"number": "1", _BACK: lead}
    for record, field, refs in (
        (Company(id="CO-1", name="Engines", converted_from=lead), _BACK, leads),
        (Deal(id="D-1", title="Engine", contact_ids=person), "contact_ids", people),
        (Deal(id="D-2", title="Engine", custom={"UF_PARTNERS": person}), "UF_PARTNERS", people),
        (Visit(id="V-1", place="London", converted_from=lead), _BACK, leads),
        (GenericRecord(kind="invoice", id="I-1", custom=invoice), _BACK, leads),
        (GenericRecord(kind="note", id="N-1", custom={"lead_ids": lead}), "lead_ids", leads),
    ):
        held, other = refs
        yield bench.put_one(record), field, held, other


class Removing(Subject):
    """A record is removed if nobody else has been attached to it since it was looked at."""

    def test_delete_removes_one_record(self) -> None:
        """A record that is removed is there no longer, and all others are."""
        with benched(self) as bench:
            refs = bench.put(*(Deal(id=f"D-{n}", title="Engine") for n in (1, 2, 3)))
            bench.apply(Delete(refs[1], bench.revision(refs[1])))
            promise = "delete removes one record"
            left = sorted(map(str, (refs[0], refs[2])))
            same(left, sorted(map(str, bench.found(Wanted(refs=refs)))), promise)
            same(left, sorted(map(str, bench.opened.refs())), promise)

    def test_a_delete_sees_who_was_attached(self) -> None:
        """Whoever was attached to a record since it was looked at keeps it, by whichever field."""
        with benched(self) as bench:
            for ref, field, held, other in _sets(bench):
                asked = Delete(ref, bench.revision(ref), {field: [held]})
                bench.apply(Attach(ref, field, [other]))
                promise = f"a delete sees who was attached ({ref.kind}, {field})"
                refusal = bench.refused(bench.changes(asked), ConflictError, promise)
                same((ref,), refusal.refs, f"{promise}, and names the record")
            nobody = bench.put_one(Contact(id="C-3", last_name="x"))
            bench.apply(Attach(nobody, _BACK, [Ref("lead", "L-1")]))
            asked = Delete(nobody, bench.revision(nobody), {_BACK: []})
            bench.refused(bench.changes(asked), ConflictError, "a delete sees who came first")

    def test_a_delete_sees_who_was_taken_out(self) -> None:
        """Of a record that fewer are attached to than were seen something else was decided."""
        with benched(self) as bench:
            for ref, field, held, other in _sets(bench):
                bench.apply(Attach(ref, field, [other]))
                asked = Delete(ref, bench.revision(ref), {field: [held, other]})
                bench.apply(Detach(ref, field, [held]))
                promise = f"a delete sees who was taken out ({ref.kind}, {field})"
                bench.refused(bench.changes(asked), ConflictError, promise)

    def test_a_delete_asks_for_whom_it_names(self) -> None:
        """In whatever order they stand, and of fields that it does not name nobody asks."""
        with benched(self) as bench:
            ada, bob = bench.put(*(Contact(id=f"C-{n}", last_name="x") for n in (1, 2)))
            one, two = _leads(bench)
            deal = Deal(
                id="D-1",
                title="Engine",
                contact_ids=[bob.id, ada.id],
                custom={"UF_PARTNERS": (ada.id,)},
            )
            ref = bench.put_one(deal)
            note = bench.put_one(GenericRecord(kind="note", id="N-1", custom={"text": "x"}))
            bench.apply(Attach(note, "lead_ids", [one, two]))
            bench.apply(
                Delete(ref, bench.revision(ref), {"contact_ids": [ada, bob], _BACK: []}),
                Delete(note, bench.revision(note), {"contact_ids": [], "lead_ids": [two, one]}),
            )
            left = sorted(map(str, (ada, bob, one, two)))
            promise = "a delete asks for whom it names"
            same(left, sorted(map(str, bench.opened.refs())), promise)

    def test_a_delete_is_checked_in_its_place(self) -> None:
        """What the change set itself has added, taken out or written before counts."""
        with benched(self) as bench:
            one, two = _leads(bench)
            promise = "a delete is checked in its place"
            for number, written in ((1, False), (2, True)):
                old = Company(id=f"CO-{number}", name="Engines", converted_from=[one.id])
                ref = bench.put_one(old)
                for held in (one, two):
                    now = bench.revision(ref)
                    both = Update(ref, now, {_BACK: (two, one)})
                    asked = bench.changes(
                        both if written else Attach(ref, _BACK, [two]),
                        Detach(ref, _BACK, [one]),
                        Delete(ref, now, {_BACK: [held]}),
                    )
                    if held == one:
                        raised(partial(bench.store.apply, asked), ConflictError, promise)
                    else:
                        bench.store.apply(asked)
                    left = [ref] if held == one else []
                    same(left, list(bench.found(Wanted(refs=(ref,)))), promise)

    def test_refs_of_a_delete_are_bound(self) -> None:
        """Whom it saw may be made by the same change set, or by an earlier one."""
        with benched(self) as bench:
            lead, company, other = map(bench.new, ("lead", "company", "company"))
            first = bench.changes(
                Insert(lead, {"stage": "NEW"}),
                Insert(company, {"name": "Engines"}),
                Insert(other, {"name": "Others", _BACK: (lead,)}),
                Attach(company, _BACK, [lead]),
                Delete(other, None, {_BACK: [lead]}),
            )
            ids, promise = bench.made(first), "refs of a delete are bound"
            left = sorted(map(str, (ids[lead], ids[company])))
            same(left, sorted(map(str, bench.opened.refs())), promise)
            bench.store.apply(
                bench.changes(Delete(company, None, {_BACK: [lead]}), after=[first.key])
            )
            same([str(ids[lead])], sorted(map(str, bench.opened.refs())), promise)
