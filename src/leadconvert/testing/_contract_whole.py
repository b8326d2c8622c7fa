"""What `Store.apply` promises of change sets that fail: all or nothing, or to go on with."""

from collections.abc import Iterator

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Delete,
    Event,
    Insert,
    Lead,
    MatchKey,
    Ref,
    Trace,
    Update,
    Wanted,
)
from leadconvert.errors import (
    ConflictError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.testing._contract_bench import (
    AT,
    Bench,
    Subject,
    benched,
    raised,
    same,
)


__all__ = ["Atomic", "Resumable"]


def _wrong(bench: Bench, *, revisions: bool) -> Iterator[tuple[Change, type[StoreError]]]:
    """Yield steps that no store may take, each with what it raises."""
    if revisions:
        late = bench.put_one(Company(id="CO-late", name="Late"))
        yield Update(late, "no such", {"name": "New"}), ConflictError
        yield Delete(late, "no such"), ConflictError
    held = MatchKey("email", "held@example.com")
    holder = {"last_name": "Holder", "emails": (Channel(held.value),)}
    bench.insert("contact", holder, Claim(held))
    gone = bench.gone()
    yield Attach(gone, "converted_from", [Ref("lead", "L-1")]), RecordNotFoundError
    yield Insert(bench.new("contact"), holder, [Claim(held)]), ConflictError
    yield Insert(bench.new("nothing"), {"title": "x"}), UnfitValueError
    yield Insert(bench.new("deal"), {"title": "x", "amount": "much"}), UnfitValueError


class Atomic(Subject):
    """A store that writes a change set all or nothing."""

    def test_all_or_nothing_at_each_step(self) -> None:
        """Wherever a change set fails, nothing of it is written: no record, event or trace."""
        with benched(self) as bench:
            good = bench.scene()
            for wrong, error in _wrong(bench, revisions=self.revisions):
                for at in range(len(good.changes) + 1):
                    changes = (*good.changes[:at], wrong, *good.changes[at:])
                    asked = attrs.evolve(good, changes=changes)
                    promise = f"all or nothing, failing at step {at + 1} of {len(changes)}"
                    bench.refused(asked, error, promise)
            same(False, bench.store.apply(good).replayed, "what was refused can be applied")

    def test_claims_of_what_is_refused_are_free(self) -> None:
        """The keys that a refused change set would have claimed are nobody's."""
        with benched(self) as bench:
            key, gone = MatchKey("email", "ada@example.com"), bench.gone()
            values = {"last_name": "Ada", "emails": (Channel(key.value),)}
            asked = bench.changes(
                Insert(bench.new("contact"), values, [Claim(key)]),
                Attach(gone, "converted_from", [Ref("lead", "L-1")]),
            )
            bench.refused(asked, RecordNotFoundError, "what is refused claims nothing")
            same(
                {},
                bench.found(Wanted(matches=(("contact", key),))),
                "what is refused claims nothing",
            )
            bench.insert("contact", values, Claim(key))


def _half(bench: Bench) -> tuple[ChangeSet, Ref, Ref]:
    """Return a change set that fails in the middle, its lead, and whom to remove to mend it."""
    key = MatchKey("email", "ada@example.com")
    values = {"last_name": "Ada", "emails": (Channel(key.value),)}
    holder = bench.insert("contact", values, Claim(key))
    lead = bench.put_one(Lead(id="L-1", stage="NEW"))
    company, contact, deal = (bench.new(kind) for kind in ("company", "contact", "deal"))
    asked = bench.changes(
        Insert(company, {"name": "Engines"}),
        Insert(contact, {**values, "company_id": company}, [Claim(key)]),
        Insert(deal, {"title": "Engine", "company_id": company, "contact_ids": (contact,)}),
        Update(lead, bench.revision(lead), {"stage": "DONE"}),
        events=[Event(name="lead.converted", ref=lead, at=AT, params={"targets": (deal,)})],
        traces=[Trace(id="half")],
    )
    return asked, lead, holder


class Resumable(Subject):
    """A store without transactions: what fails half-way can be gone on with."""

    def test_without_transactions_the_lead_comes_last(self) -> None:
        """While anything is missing the lead is not changed, nor is anything announced."""
        with benched(self) as bench:
            asked, lead, _ = _half(bench)
            before = bench.record(lead)
            raised(lambda: bench.store.apply(asked), ConflictError, "what fails half-way says so")
            same(before, bench.record(lead), "the lead comes last")
            same((), tuple(bench.opened.events()), "what is not done is not announced")
            same(None, bench.receipt(asked.key), "what is not done has no receipt")

    def test_without_transactions_again_makes_nothing_twice(self) -> None:
        """However often it fails, what was made before is not made again."""
        with benched(self) as bench:
            asked, _, _ = _half(bench)
            promise = "what was made is not made twice"
            raised(lambda: bench.store.apply(asked), ConflictError, promise)
            before = sorted(map(str, bench.opened.refs()))
            raised(lambda: bench.store.apply(asked), ConflictError, promise)
            same(before, sorted(map(str, bench.opened.refs())), promise)

    def test_without_transactions_again_completes(self) -> None:
        """Once nothing is in the way, the same change set again does what is left, once."""
        with benched(self) as bench:
            asked, lead, holder = _half(bench)
            promise = "the same again completes it"
            raised(lambda: bench.store.apply(asked), ConflictError, promise)
            bench.apply(Delete(holder, bench.revision(holder)))
            receipt = bench.store.apply(asked)
            made = sorted(str(ref) for _, ref in receipt.ids)
            same(3, len(made), promise)
            same(sorted([*made, str(lead)]), sorted(map(str, bench.opened.refs())), promise)
            same("DONE", bench.read(lead, "stage"), promise)
            same(1, len(tuple(bench.opened.events())), promise)
            same(True, bench.store.apply(asked).replayed, promise)
