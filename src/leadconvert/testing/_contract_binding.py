"""What a store promises about refs: whatever was provisional is told by its stored id."""

from collections.abc import Mapping

import attrs

from leadconvert import (
    Attach,
    Channel,
    Claim,
    Company,
    Conversion,
    Detach,
    Event,
    Insert,
    Lead,
    MatchKey,
    Ref,
    Trace,
    TraceStep,
    Update,
    Wanted,
)
from leadconvert.changes import bind, bound
from leadconvert.errors import ConflictError
from leadconvert.testing._contract_bench import AT, Bench, Subject, benched, same


__all__ = ["Binding"]


class Binding(Subject):
    """A store may give records ids of its own: then they stand wherever they are referred to."""

    def test_refs_in_records_are_bound(self) -> None:
        """A field that refers holds the stored id, single or several, standard or custom."""
        with benched(self) as bench:
            company, ada, bob, deal = (
                bench.new(kind) for kind in ("company", "contact", "contact", "deal")
            )
            visit, invoice, task = (bench.new(kind) for kind in ("visit", "invoice", "task"))
            refers: Mapping[Ref, Mapping[str, object]] = {
                company: {},
                ada: {"company_id": company},
                bob: {},
                deal: {
                    "company_id": company,
                    "contact_ids": (bob, ada),
                    "UF_PAYER": company,
                    "UF_PARTNERS": (ada, bob),
                },
                visit: {"contact_id": ada},
                invoice: {"payer_id": company, "deal_ids": (deal,)},
                task: {"deal_id": deal},
            }
            needs = {"company": "name", "contact": "last_name", "visit": "place"}
            needs |= {"deal": "title", "invoice": "number", "task": "subject"}
            inserts = (Insert(ref, {needs[ref.kind]: "x", **held}) for ref, held in refers.items())
            ids = bench.made(bench.changes(*inserts))
            for ref, fields in refers.items():
                for name, value in fields.items():
                    stored = bind(value, ids)
                    refs = stored if isinstance(stored, tuple) else (stored,)
                    told = tuple(one.id for one in refs if isinstance(one, Ref))
                    expected = told if isinstance(value, tuple) else told[0]
                    found = bench.read(ids[ref], name)
                    same(expected, found, f"{name} of a {ref.kind} holds stored ids")

    def test_refs_in_history_are_bound(self) -> None:
        """What a lead was converted into is remembered by stored refs."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            company, deal = bench.new("company"), bench.new("deal")
            made = Conversion(
                id=f"{lead.id}.1", at=AT, actor_id="u-1", targets=[company, deal], rules="9f2c"
            )
            made = attrs.evolve(made, linked=[company], merged=[deal])
            asked = bench.changes(
                Insert(company, {"name": "Engines"}),
                Insert(deal, {"title": "Engine"}),
                Update(lead, bench.revision(lead), {"conversions": (made,)}),
            )
            expected = bind(made, bench.made(asked))
            same((expected,), bench.read(lead, "conversions"), "refs in history are bound")

    def test_refs_in_events_are_bound(self) -> None:
        """An event speaks of stored records, however deep in its params."""
        with benched(self) as bench:
            deal, task = bench.new("deal"), bench.new("task")
            params: Mapping[str, object] = {"targets": (deal, task), "first": {"ref": deal}}
            asked = bench.changes(
                Insert(deal, {"title": "Engine"}),
                Insert(task, {"subject": "call", "deal_id": deal}),
                events=[
                    Event(name="record.created", ref=deal, at=AT),
                    Event(name="lead.converted", ref=task, at=AT, params=params),
                ],
            )
            stored, call = bench.made(asked).values()
            told = {"targets": (stored, call), "first": {"ref": stored}}
            expected = (
                Event(name="record.created", ref=stored, at=AT),
                Event(name="lead.converted", ref=call, at=AT, params=told),
            )
            same(expected, tuple(bench.opened.events()), "refs in events are bound")

    def test_refs_in_traces_are_bound(self) -> None:
        """What taking back needs to know speaks of stored records."""
        with benched(self) as bench:
            company, deal = bench.new("company"), bench.new("deal")
            step = TraceStep(
                ref=deal,
                action="merged",
                before={"company_id": company},
                written={"contact_ids": (company,), "title": "9f2c"},
                attached=[("converted_from", company)],
            )
            trace = Trace(id="L-1.1", steps=[step, TraceStep(ref=company, action="created")])
            asked = bench.changes(
                Insert(company, {"name": "Engines"}), Insert(deal, {"title": "x"}), traces=[trace]
            )
            ids = bench.made(asked)
            found = bench.store.load(Wanted(traces=("L-1.1",))).traces
            same((bound(trace, ids),), found, "refs in traces are bound")

    def test_refs_in_lists_are_bound(self) -> None:
        """What is added to a list, or taken out, is the stored record."""
        with benched(self) as bench:
            lead, other = bench.new("lead"), bench.new("lead")
            company = bench.new("company")
            asked = bench.changes(
                Insert(lead, {"stage": "NEW"}),
                Insert(other, {"stage": "NEW"}),
                Insert(company, {"name": "Engines"}),
                Attach(company, "converted_from", [lead, other]),
                Detach(company, "converted_from", [lead]),
            )
            _, left, held = bench.made(asked).values()
            same((left.id,), bench.read(held, "converted_from"), "refs in lists are bound")

    def test_refs_to_an_earlier_change_set_are_bound(self) -> None:
        """What an earlier change set made is referred to by its provisional ref, in every place."""
        with benched(self) as bench:
            company, contact, lead = map(bench.new, ("company", "contact", "lead"))
            key = MatchKey("email", "ada@example.com")
            values = {"last_name": "Ada", "emails": (Channel(key.value),)}
            first = bench.changes(
                Insert(company, {"name": "Engines"}),
                Insert(contact, values, [Claim(key)]),
                Insert(lead, {"stage": "NEW"}),
            )
            ids = bench.made(first)
            twin, deal = bench.new("contact"), bench.new("deal")
            second = bench.changes(
                Insert(deal, {"title": "x", "company_id": company, "contact_ids": (contact,)}),
                Insert(twin, {**values, "company_id": company}, [Claim(key, [contact])]),
                Attach(company, "converted_from", [lead]),
                after=[first.key],
                events=[Event(name="record.linked", ref=company, at=AT, params={"by": lead})],
                traces=[Trace(id="t", steps=[TraceStep(ref=company, action="linked")])],
            )
            made, promise = bench.made(second), "refs to an earlier change set are bound"
            same(sorted(map(str, made)), _told(bench, second.key), promise)
            stored, by = ids[company], ids[lead]
            same(stored.id, bench.read(made[deal], "company_id"), promise)
            same((ids[contact].id,), bench.read(made[deal], "contact_ids"), promise)
            same((by.id,), bench.read(stored, "converted_from"), promise)
            event = Event(name="record.linked", ref=stored, at=AT, params={"by": by})
            same((event,), tuple(bench.opened.events()), promise)
            trace = Trace(id="t", steps=[TraceStep(ref=stored, action="linked")])
            same((trace,), bench.store.load(Wanted(traces=("t",))).traces, promise)

    def test_what_comes_after_waits(self) -> None:
        """A change set that comes after one that is not applied yet is refused until it is."""
        with benched(self) as bench:
            company, deal = bench.new("company"), bench.new("deal")
            first = bench.changes(Insert(company, {"name": "Engines"}))
            second = bench.changes(
                Insert(deal, {"title": "x", "company_id": company}), after=[first.key]
            )
            bench.refused(second, ConflictError, "what comes after waits")
            ids = bench.made(first)
            made = bench.made(second)[deal]
            same(ids[company].id, bench.read(made, "company_id"), "what comes after waits")
            bench.put_one(Company(id="CO-1", name="Others"))
            same(True, bench.store.apply(second).replayed, "what comes after is remembered")


def _told(bench: Bench, key: str) -> list[str]:
    """Return what the receipt under a key says was made."""
    receipt = bench.receipt(key)
    return [] if receipt is None else sorted(str(new) for new, _ in receipt.ids)
