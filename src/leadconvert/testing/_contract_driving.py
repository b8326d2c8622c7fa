"""What comes of whole requests, as hosts make them by the drivers."""

from collections.abc import Iterable
from typing import Protocol

import attrs

from leadconvert import (
    Actor,
    Channel,
    Contact,
    ConversionResult,
    Create,
    GenericRecord,
    Lead,
    Link,
    Record,
    Ref,
    Reversal,
    Target,
    Wanted,
)
from leadconvert.stores import (
    Store,
    advance_stored,
    arrive_stored,
    convert_stored,
    reverse_stored,
)
from leadconvert.testing._contract_bench import AT, Bench, Subject, benched, same, told


__all__ = ["ADA", "Asked", "Driven", "a_lead", "closed", "converting", "kinds", "reversing"]

ADA = "ada@example.com"


class Asked(Protocol):
    """What is asked of a store in one go."""

    def __call__(self, store: Store, /) -> object: ...


def converting(lead: Ref, into: Iterable[str | Target], actor: str = "u-1") -> Asked:
    """Return what converts a lead."""

    def ask(store: Store, /) -> ConversionResult:
        return convert_stored(store, lead.id, into, rules=Subject.rules, actor=Actor(actor), at=AT)

    return ask


def reversing(lead: Ref) -> Asked:
    """Return what takes the newest conversion of a lead back."""

    def ask(store: Store, /) -> Reversal:
        return reverse_stored(store, lead.id, rules=Subject.rules, actor=Actor("u-1"), at=AT)

    return ask


def kinds(bench: Bench) -> list[str]:
    """Return the kinds of all records in the store, one for each."""
    return sorted(ref.kind for ref in bench.opened.refs())


def a_lead(number: int = 1) -> Lead:
    """Return one of several leads of one person and one company."""
    return Lead(
        id=f"L-{number}",
        stage="NEW",
        title="Engine",
        last_name="Lovelace",
        company_name="Engines",
        emails=[Channel(ADA)],
    )


def closed(bench: Bench, lead: Ref) -> None:
    """Fail unless a lead is converted, once, into records that are there."""
    record = bench.record(lead)
    made = record.conversions if isinstance(record, Lead) else ()
    same(("DONE", 1), (bench.read(lead, "stage"), len(made)), "a lead is converted once")
    targets = [ref for one in made for ref in one.targets]
    same([], [str(ref) for ref in targets if ref.provisional], "it remembers stored refs")
    found = bench.found(Wanted(refs=tuple(targets)))
    same(len(targets), len(found), "what it was converted into is there")


def _world(bench: Bench) -> tuple[Ref, ...]:
    """Store a lead with children."""
    return bench.put(
        attrs.evolve(a_lead(), amount=5000, currency="EUR", custom={"UF_TAGS": ("b", "a")}),
        GenericRecord(kind="task", id="T-1", custom={"subject": "call", "lead_id": "L-1"}),
        GenericRecord(kind="note", id="N-1", custom={"text": "x", "lead_ids": ("L-1",)}),
        GenericRecord(kind="attachment", id="A-1", custom={"file": "f", "lead_id": "L-1"}),
    )


class Driven(Subject):
    """Whole requests, as hosts make them."""

    def test_a_conversion_is_stored_as_it_was_decided(self) -> None:
        """What a driver returns is what the store holds, in every record and every field."""
        with benched(self) as bench:
            lead, task, note, attachment = _world(bench)
            result = convert_stored(
                bench.store,
                lead.id,
                ["contact", "company", "deal", "visit", "invoice"],
                rules=bench.rules,
                actor=Actor("u-1"),
                at=AT,
            )
            for outcome in result.outcomes:
                _same_record(outcome.record, bench.record(outcome.ref))
            _same_record(result.lead, bench.record(lead))
            same(result.deal.id, bench.read(task, "deal_id"), "a child moves along")
            same((result.contact.id,), bench.read(note, "contact_ids"), "a child is shared")
            same(lead.id, bench.read(attachment, "lead_id"), "a child that is copied stays")
            expected = ["attachment", "attachment", "company", "contact", "deal", "invoice"]
            same([*expected, "lead", "note", "task", "visit"], kinds(bench), "children travel")
            closed(bench, lead)

    def test_a_conversion_can_be_taken_back(self) -> None:
        """Afterwards every record is as it was, but for what the lead remembers."""
        with benched(self) as bench:
            contact = bench.put_one(Contact(id="C-1", last_name="Byron", emails=[Channel(ADA)]))
            lead, *children = _world(bench)
            refs = (contact, lead, *children)
            before = {ref: told(bench.record(ref)) for ref in refs}
            converting(lead, ["contact", "company", "deal"])(bench.store)
            reversing(lead)(bench.store)
            promise = "a conversion can be taken back"
            same(sorted(map(str, refs)), sorted(map(str, bench.opened.refs())), promise)
            for ref in refs:
                after = told(bench.record(ref))
                for name in ("stage_history", "conversions"):
                    after.pop(name, None)
                same(before[ref], after, f"{promise} ({ref})")
            converting(lead, ["deal"])(bench.store)
            same("DONE", bench.read(lead, "stage"), "what was taken back can be done again")

    def test_a_request_with_a_key_is_made_once(self) -> None:
        """The same key again gives the first result, as the records stand now."""
        with benched(self) as bench:
            lead = bench.put_one(a_lead())

            def ask() -> ConversionResult:
                actor = Actor("u-1")
                return convert_stored(
                    bench.store,
                    lead.id,
                    ["deal"],
                    rules=bench.rules,
                    actor=actor,
                    at=AT,
                    key="once",
                )

            first = ask()
            bench.update(Ref("deal", first.deal.id), {"title": "New"})
            second = ask()
            same((first.deal.id, "New"), (second.deal.id, second.deal.title), "a key is for once")
            same(["deal", "lead"], kinds(bench), "a key is for once")

    def test_duplicates_on_purpose_can_be_made(self) -> None:
        """A new contact is made on purpose though there are others, who may share a phone."""
        with benched(self) as bench:
            phones = [Channel("030 123456")]
            one, two = bench.put(
                Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)], phones=phones),
                Contact(id="C-2", last_name="Byron", phones=phones),
            )
            first, second = bench.put(a_lead(1), attrs.evolve(a_lead(2), job_title="Countess"))
            made = convert_stored(
                bench.store,
                first.id,
                [Create("contact")],
                rules=bench.rules,
                actor=Actor("u"),
                at=AT,
            )
            same(False, made.contact.id in {one.id, two.id}, "a duplicate is made on purpose")
            into: list[str | Target] = [Link("contact", two.id), "deal"]
            linked = convert_stored(
                bench.store, second.id, into, rules=bench.rules, actor=Actor("u"), at=AT
            )
            same((two.id,), linked.deal.contact_ids, "a duplicate is no obstacle")

    def test_a_lead_arrives_and_moves_on(self) -> None:
        """A lead that arrives is made, and moved, and both are remembered."""
        with benched(self) as bench:
            arrived = arrive_stored(bench.store, a_lead(), rules=bench.rules, at=AT)
            ref = Ref("lead", arrived.lead.id)
            _same_record(arrived.lead, bench.record(ref))
            moved = advance_stored(
                bench.store, ref, "WORK", rules=bench.rules, actor=Actor("u-1"), at=AT
            )
            _same_record(moved.record, bench.record(ref))
            names = [one.name for one in bench.opened.events()]
            same(["record.created"], names[:1], "what arrives is announced")


def _same_record(expected: Record, actual: Record) -> None:
    """Fail unless both say the same, revisions included."""
    promise = f"{type(expected).__name__} {expected.id} is stored as it was decided"
    same(expected.id, actual.id, promise)
    same(told(expected), told(actual), promise)
    same(expected.revision, actual.revision, f"{promise}, with its revision")
