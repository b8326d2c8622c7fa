"""What comes of it when several decide at once: races, stepped by hand."""

from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from leadconvert import (
    Actor,
    Address,
    ChangeSet,
    Channel,
    Company,
    Contact,
    ConversionResult,
    Create,
    GenericRecord,
    Known,
    Lead,
    Link,
    Receipt,
    Record,
    Ref,
    Reversal,
    Target,
    Wanted,
)
from leadconvert.errors import AlreadyConvertedError, ConflictError, LeadConvertError
from leadconvert.stores import (
    Store,
    advance_stored,
    arrive_stored,
    convert_stored,
    reverse_stored,
)
from leadconvert.testing._contract_bench import AT, Bench, Subject, benched, same, told


__all__ = ["Driven", "Racing", "RacingRevised"]

ADA = "ada@example.com"


class _Asked(Protocol):
    """What is asked of a store in one go."""

    def __call__(self, store: Store, /) -> object: ...


@attrs.define
class _Stepped:
    """A store that lets others go first, once, when something is about to be applied to it."""

    store: Store
    others: Callable[[], None]

    @property
    def owns_transaction(self) -> bool:
        return self.store.owns_transaction

    def load(self, wanted: Wanted, /) -> Known:
        return self.store.load(wanted)

    def apply(self, changes: ChangeSet, /) -> Receipt:
        others, self.others = self.others, _nobody
        others()
        return self.store.apply(changes)


def _nobody() -> None:
    pass


def raced(bench: Bench, *asked: _Asked) -> list[object]:
    """Return what each comes to: all have decided before the first of them is applied.

    The last one is applied first. Where there is another store on the storage, every second one
    uses that.
    """
    outcomes: list[object] = []
    stores = (bench.store, bench.opened.other or bench.store)

    def go(number: int) -> None:
        if number == len(asked):
            return
        store = _Stepped(stores[number % 2], lambda: go(number + 1))
        try:
            outcomes.append(asked[number](store))
        except LeadConvertError as refusal:
            outcomes.append(refusal)

    go(0)
    return outcomes


def _converting(lead: Ref, into: Iterable[str | Target], actor: str = "u-1") -> _Asked:
    def ask(store: Store, /) -> ConversionResult:
        return convert_stored(store, lead.id, into, rules=Subject.rules, actor=Actor(actor), at=AT)

    return ask


def _reversing(lead: Ref) -> _Asked:
    def ask(store: Store, /) -> Reversal:
        return reverse_stored(store, lead.id, rules=Subject.rules, actor=Actor("u-1"), at=AT)

    return ask


def _kinds(bench: Bench) -> list[str]:
    """Return the kinds of all records in the store, one for each."""
    return sorted(ref.kind for ref in bench.opened.refs())


def _lead(number: int = 1) -> Lead:
    return Lead(
        id=f"L-{number}",
        stage="NEW",
        title="Engine",
        last_name="Lovelace",
        company_name="Engines",
        emails=[Channel(ADA)],
    )


def _closed(bench: Bench, lead: Ref) -> None:
    """Fail unless a lead is converted, once, into records that are there."""
    record = bench.record(lead)
    made = record.conversions if isinstance(record, Lead) else ()
    same(("DONE", 1), (bench.read(lead, "stage"), len(made)), "a lead is converted once")
    targets = [ref for one in made for ref in one.targets]
    same([], [str(ref) for ref in targets if ref.provisional], "it remembers stored refs")
    found = bench.found(Wanted(refs=tuple(targets)))
    same(len(targets), len(found), "what it was converted into is there")


def _names(outcomes: Iterable[object]) -> list[str]:
    return [type(one).__name__ for one in outcomes]


def _won(
    bench: Bench, outcomes: Iterable[object], promise: str
) -> tuple[list[ConversionResult], list[object]]:
    """Return the results and what else came; all are results where one can decide again."""
    listed = list(outcomes)
    won = [one for one in listed if isinstance(one, ConversionResult)]
    expected = len(listed) if bench.store.owns_transaction else 1
    same(expected, len(won), f"{promise}: {_names(listed)}")
    return won, [one for one in listed if one not in won]


class Racing(Subject):
    """Decisions that know nothing of each other, and are applied one after the other."""

    def test_race_for_one_lead(self) -> None:
        """Two people ask for the same at once: it is done once, and both get the result."""
        with benched(self) as bench:
            lead, into = bench.put_one(_lead()), ["contact", "company", "deal"]
            outcomes = raced(
                bench,
                _converting(lead, into),
                _converting(lead, into, "u-2"),
                _converting(lead, into),
            )
            promise = "two people who ask for the same get the same"
            same(["ConversionResult"] * 3, _names(outcomes), promise)
            ids = {
                one.deal.id: one.contact.id for one in outcomes if isinstance(one, ConversionResult)
            }
            same(1, len(ids), promise)
            same(["company", "contact", "deal", "lead"], _kinds(bench), "it is done once")
            closings = [one for one in bench.opened.events() if one.name == "lead.converted"]
            same(1, len(closings), "it is announced once")
            _closed(bench, lead)

    def test_race_of_twins(self) -> None:
        """Two leads of one person and one company become one contact, one company, two deals."""
        with benched(self) as bench:
            leads, into = bench.put(_lead(1), _lead(2)), ["contact", "company", "deal"]
            outcomes = raced(bench, *(_converting(lead, into) for lead in leads))
            won, lost = _won(bench, outcomes, "twins share their records")
            expected = ["company", "contact", *["deal"] * len(won), "lead", "lead"]
            same(expected, _kinds(bench), "twins share their records")
            late = [] if bench.store.owns_transaction else ["ConflictError"] * len(lost)
            same(late, _names(lost), "whoever decided too early decides again")
            shared = {(one.contact.id, one.company.id) for one in won}
            same(1, len(shared), "twins share their records")
            for one in won:
                _closed(bench, Ref("lead", one.lead.id))

    def test_race_with_a_newcomer(self) -> None:
        """Somebody makes a contact by hand while a lead is being converted: there is one."""
        with benched(self) as bench:
            lead = bench.put_one(_lead())

            def by_hand(store: Store, /) -> None:
                contact = Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)])
                bench.beside(store).put_one(contact)

            outcomes = raced(bench, _converting(lead, ["contact"]), by_hand)
            expected = ConversionResult if bench.store.owns_transaction else ConflictError
            names = ["NoneType", expected.__name__]
            same(names, _names(outcomes), "a newcomer is noticed")
            same(["contact", "lead"], _kinds(bench), "a newcomer is found")

    def test_race_for_a_hot_record(self) -> None:
        """Many leads may point at one company at once, and none of them fails."""
        with benched(self) as bench:
            company = bench.put_one(Company(id="CO-1", name="Engines"))
            leads = bench.put(*(attrs.evolve(_lead(n), emails=[]) for n in range(1, 6)))
            into: list[str | Target] = [Link("company", company.id), "deal"]
            outcomes = raced(bench, *(_converting(lead, into) for lead in leads))
            promise = "many may point at one record"
            same(["ConversionResult"] * 5, _names(outcomes), promise)
            held = bench.read(company, "converted_from")
            ids = sorted(held) if isinstance(held, tuple) else []
            same(sorted(lead.id for lead in leads), ids, promise)
            deals = bench.found(Wanted(related=(("deal", "company_id", company),)))
            same(5, len(deals), promise)


class RacingRevised(Subject):
    """Races that only a store with revisions can decide."""

    def test_race_for_one_lead_into_different_records(self) -> None:
        """Two ask for different things of one lead: one gets it, the other learns of it."""
        with benched(self) as bench:
            lead = bench.put_one(_lead())
            outcomes = raced(bench, _converting(lead, ["contact"]), _converting(lead, ["deal"]))
            promise = "of two decisions on one lead one is taken"
            expected = AlreadyConvertedError if bench.store.owns_transaction else ConflictError
            same(["ConversionResult", expected.__name__], _names(outcomes), promise)
            same(["deal", "lead"], _kinds(bench), promise)
            _closed(bench, lead)

    def test_race_with_an_edit(self) -> None:
        """Somebody fills in what a conversion was about to fill: neither is lost."""
        with benched(self) as bench:
            contact = Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)])
            ref = bench.put_one(contact)
            lead = bench.put_one(attrs.evolve(_lead(), job_title="by lead"))

            def edit(store: Store, /) -> None:
                bench.beside(store).update(
                    ref, {"job_title": "by hand", "address": Address(city="London")}
                )

            raced(bench, _converting(lead, ["contact"]), edit)
            promise = "an edit that comes between is not lost"
            same("by hand", bench.read(ref, "job_title"), promise)
            same(Address(city="London"), bench.read(ref, "address"), promise)

    def test_race_to_take_back(self) -> None:
        """A conversion is taken back once, however many ask for it."""
        with benched(self) as bench:
            lead = bench.put_one(_lead())
            _converting(lead, ["deal"])(bench.store)
            outcomes = raced(bench, _reversing(lead), _reversing(lead))
            same(["Reversal", "Reversal"], _names(outcomes), "it is taken back once")
            same(["lead"], _kinds(bench), "it is taken back once")
            names = [one.name for one in bench.opened.events()]
            same(1, names.count("lead.reversed"), "it is announced once")


def _world(bench: Bench) -> tuple[Ref, ...]:
    """Store a lead with children."""
    return bench.put(
        attrs.evolve(_lead(), amount=5000, currency="EUR", custom={"UF_TAGS": ("b", "a")}),
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
            kinds = ["attachment", "attachment", "company", "contact", "deal", "invoice"]
            same([*kinds, "lead", "note", "task", "visit"], _kinds(bench), "children travel")
            _closed(bench, lead)

    def test_a_conversion_can_be_taken_back(self) -> None:
        """Afterwards every record is as it was, but for what the lead remembers."""
        with benched(self) as bench:
            contact = bench.put_one(Contact(id="C-1", last_name="Byron", emails=[Channel(ADA)]))
            lead, *children = _world(bench)
            refs = (contact, lead, *children)
            before = {ref: told(bench.record(ref)) for ref in refs}
            _converting(lead, ["contact", "company", "deal"])(bench.store)
            _reversing(lead)(bench.store)
            promise = "a conversion can be taken back"
            same(sorted(map(str, refs)), sorted(map(str, bench.opened.refs())), promise)
            for ref in refs:
                after = told(bench.record(ref))
                for name in ("stage_history", "conversions"):
                    after.pop(name, None)
                same(before[ref], after, f"{promise} ({ref})")
            _converting(lead, ["deal"])(bench.store)
            same("DONE", bench.read(lead, "stage"), "what was taken back can be done again")

    def test_a_request_with_a_key_is_made_once(self) -> None:
        """The same key again gives the first result, as the records stand now."""
        with benched(self) as bench:
            lead = bench.put_one(_lead())

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
            same(["deal", "lead"], _kinds(bench), "a key is for once")

    def test_duplicates_on_purpose_can_be_made(self) -> None:
        """A new contact is made on purpose though there are others, who may share a phone."""
        with benched(self) as bench:
            phones = [Channel("030 123456")]
            one, two = bench.put(
                Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)], phones=phones),
                Contact(id="C-2", last_name="Byron", phones=phones),
            )
            first, second = bench.put(_lead(1), attrs.evolve(_lead(2), job_title="Countess"))
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
            arrived = arrive_stored(bench.store, _lead(), rules=bench.rules, at=AT)
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
