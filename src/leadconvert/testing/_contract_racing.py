"""What comes of it when several decide at once: races, stepped by hand."""

from collections.abc import Callable, Iterable

import attrs

from leadconvert import (
    Address,
    ChangeSet,
    Channel,
    Company,
    Contact,
    ConversionResult,
    Known,
    Link,
    Receipt,
    Ref,
    Target,
    Wanted,
)
from leadconvert.errors import (
    AlreadyConvertedError,
    ConflictError,
    LeadConvertError,
    NotReversibleError,
    RecordNotFoundError,
)
from leadconvert.stores import Store
from leadconvert.testing._contract_bench import Bench, Subject, benched, same
from leadconvert.testing._contract_driving import (
    ADA,
    Asked,
    a_lead,
    closed,
    converting,
    kinds,
    reversing,
)


__all__ = ["Racing", "RacingRevised"]


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


def raced(bench: Bench, *asked: Asked) -> list[object]:
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
            lead, into = bench.put_one(a_lead()), ["contact", "company", "deal"]
            outcomes = raced(
                bench,
                converting(lead, into),
                converting(lead, into, "u-2"),
                converting(lead, into),
            )
            promise = "two people who ask for the same get the same"
            same(["ConversionResult"] * 3, _names(outcomes), promise)
            ids = {
                one.deal.id: one.contact.id for one in outcomes if isinstance(one, ConversionResult)
            }
            same(1, len(ids), promise)
            same(["company", "contact", "deal", "lead"], kinds(bench), "it is done once")
            closings = [one for one in bench.opened.events() if one.name == "lead.converted"]
            same(1, len(closings), "it is announced once")
            closed(bench, lead)

    def test_race_of_twins(self) -> None:
        """Two leads of one person and one company become one contact, one company, two deals."""
        with benched(self) as bench:
            leads, into = bench.put(a_lead(1), a_lead(2)), ["contact", "company", "deal"]
            outcomes = raced(bench, *(converting(lead, into) for lead in leads))
            won, lost = _won(bench, outcomes, "twins share their records")
            expected = ["company", "contact", *["deal"] * len(won), "lead", "lead"]
            same(expected, kinds(bench), "twins share their records")
            late = [] if bench.store.owns_transaction else ["ConflictError"] * len(lost)
            same(late, _names(lost), "whoever decided too early decides again")
            shared = {(one.contact.id, one.company.id) for one in won}
            same(1, len(shared), "twins share their records")
            for one in won:
                closed(bench, Ref("lead", one.lead.id))

    def test_race_with_a_newcomer(self) -> None:
        """Somebody makes a contact by hand while a lead is being converted: there is one."""
        with benched(self) as bench:
            lead = bench.put_one(a_lead())

            def by_hand(store: Store, /) -> None:
                contact = Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)])
                bench.beside(store).put_one(contact)

            outcomes = raced(bench, converting(lead, ["contact"]), by_hand)
            expected = ConversionResult if bench.store.owns_transaction else ConflictError
            names = ["NoneType", expected.__name__]
            same(names, _names(outcomes), "a newcomer is noticed")
            same(["contact", "lead"], kinds(bench), "a newcomer is found")

    def test_race_for_a_hot_record(self) -> None:
        """Many leads may point at one company at once, and none of them fails."""
        with benched(self) as bench:
            company = bench.put_one(Company(id="CO-1", name="Engines"))
            leads = bench.put(*(attrs.evolve(a_lead(n), emails=[]) for n in range(1, 6)))
            into: list[str | Target] = [Link("company", company.id), "deal"]
            outcomes = raced(bench, *(converting(lead, into) for lead in leads))
            promise = "many may point at one record"
            same(["ConversionResult"] * 5, _names(outcomes), promise)
            held = bench.read(company, "converted_from")
            ids = sorted(held) if isinstance(held, tuple) else []
            same(sorted(lead.id for lead in leads), ids, promise)
            deals = bench.found(Wanted(related=(("deal", "company_id", company),)))
            same(5, len(deals), promise)

    def test_race_of_undo_and_link(self) -> None:
        """Another lead links what an undo is to remove: who comes first wins, and none is lost."""
        promise = "of an undo and a link whoever comes first wins"
        for undone in (False, True):
            with benched(self) as bench:
                one, two = bench.put(a_lead(1), a_lead(2))
                converting(one, ["company"])(bench.store)
                undo, link = reversing(one), converting(two, ["company"])
                if undone:
                    # what it was to be attached to is gone: asked again it makes one of its own
                    outcomes, again = raced(bench, link, undo), bench.store.owns_transaction
                    expected = ConversionResult if again else RecordNotFoundError
                    same(["Reversal", expected.__name__], _names(outcomes), promise)
                    if not again:
                        same("NEW", bench.read(two, "stage"), promise)
                        link(bench.store)
                else:
                    outcomes = raced(bench, undo, link)
                    again = bench.store.owns_transaction
                    refusal = NotReversibleError if again else ConflictError
                    same(["ConversionResult", refusal.__name__], _names(outcomes), promise)
                    closed(bench, one)
                same(["company", "lead", "lead"], kinds(bench), promise)
                closed(bench, two)


class RacingRevised(Subject):
    """Races that only a store with revisions can decide."""

    def test_race_for_one_lead_into_different_records(self) -> None:
        """Two ask for different things of one lead: one gets it, the other learns of it."""
        with benched(self) as bench:
            lead = bench.put_one(a_lead())
            outcomes = raced(bench, converting(lead, ["contact"]), converting(lead, ["deal"]))
            promise = "of two decisions on one lead one is taken"
            expected = AlreadyConvertedError if bench.store.owns_transaction else ConflictError
            same(["ConversionResult", expected.__name__], _names(outcomes), promise)
            same(["deal", "lead"], kinds(bench), promise)
            closed(bench, lead)

    def test_race_with_an_edit(self) -> None:
        """Somebody fills in what a conversion was about to fill: neither is lost."""
        with benched(self) as bench:
            contact = Contact(id="C-1", last_name="Lovelace", emails=[Channel(ADA)])
            ref = bench.put_one(contact)
            lead = bench.put_one(attrs.evolve(a_lead(), job_title="by lead"))

            def edit(store: Store, /) -> None:
                bench.beside(store).update(
                    ref, {"job_title": "by hand", "address": Address(city="London")}
                )

            raced(bench, converting(lead, ["contact"]), edit)
            promise = "an edit that comes between is not lost"
            same("by hand", bench.read(ref, "job_title"), promise)
            same(Address(city="London"), bench.read(ref, "address"), promise)

    def test_race_to_take_back(self) -> None:
        """A conversion is taken back once, however many ask for it."""
        with benched(self) as bench:
            lead = bench.put_one(a_lead())
            converting(lead, ["deal"])(bench.store)
            outcomes = raced(bench, reversing(lead), reversing(lead))
            same(["Reversal", "Reversal"], _names(outcomes), "it is taken back once")
            same(["lead"], kinds(bench), "it is taken back once")
            names = [one.name for one in bench.opened.events()]
            same(1, names.count("lead.reversed"), "it is announced once")
