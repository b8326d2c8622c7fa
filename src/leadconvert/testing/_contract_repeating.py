"""What `Store.apply` promises of the same change set again, and of one that comes after another."""

import attrs

from leadconvert import (
    Attach,
    Delete,
    Insert,
    Lead,
    Update,
)
from leadconvert.errors import (
    IdempotencyError,
    RecordNotFoundError,
)
from leadconvert.testing._contract_bench import (
    Subject,
    benched,
    same,
    unchanged,
)


__all__ = ["Repeating"]


class Repeating(Subject):
    """A key stands for one request, which is met once."""

    def test_again_changes_nothing(self) -> None:
        """The same change set again gives the first receipt, replayed, and writes nothing."""
        with benched(self) as bench:
            asked = bench.scene()
            first = bench.store.apply(asked)
            before = bench.world()
            again, promise = bench.store.apply(asked), "the same again changes nothing"
            same(True, again.replayed, f"{promise}, and says so")
            same(sorted(first.ids, key=str), sorted(again.ids, key=str), promise)
            same(sorted(first.revisions, key=str), sorted(again.revisions, key=str), promise)
            same(first.conversions, again.conversions, promise)
            unchanged(before, bench.world(), promise)

    def test_again_after_all_has_changed(self) -> None:
        """The first receipt comes back even if nothing of the change set could be applied now."""
        with benched(self) as bench:
            asked = bench.scene()
            made = [ref for _, ref in bench.store.apply(asked).ids]
            bench.apply(*(Delete(ref, bench.revision(ref)) for ref in made))
            before = bench.world()
            again, promise = bench.store.apply(asked), "the same again is the same for ever"
            same(True, again.replayed, promise)
            same(sorted(map(str, made)), sorted(str(ref) for _, ref in again.ids), promise)
            unchanged(before, bench.world(), promise)

    def test_again_with_another_plan(self) -> None:
        """One request under one key is one, though what was decided on it may differ by now."""
        with benched(self) as bench:
            asked = bench.scene()
            bench.store.apply(asked)
            before = bench.world()
            other = attrs.evolve(asked, changes=[Insert(bench.new("deal"), {"title": "Other"})])
            again = bench.store.apply(other)
            same(True, again.replayed, "one request under one key is one")
            unchanged(before, bench.world(), "one request under one key is one")

    def test_another_request_under_a_key_is_refused(self) -> None:
        """The same key for another request is a mistake of the caller, who is told so."""
        with benched(self) as bench:
            asked = bench.scene()
            bench.store.apply(asked)
            other = attrs.evolve(asked, fingerprint="other", traces=[], events=[])
            refusal = bench.refused(other, IdempotencyError, "another request is refused")
            same(asked.key, refusal.key, "another request is refused under its key")

    def test_keys_are_told_apart(self) -> None:
        """Keys that differ in the size of a letter, a blank or an accent are two."""
        with benched(self) as bench:
            for number, key in enumerate(("k", "K", "k ", " k", "k\u0301", "k%", "_", "ключ/7")):
                values = {"title": f"deal {number}"}
                asked = bench.changes(Insert(bench.new("deal"), values))
                receipt = bench.store.apply(attrs.evolve(asked, key=key))
                same(False, receipt.replayed, f"key {key!r} is another one")
                same(key, receipt.key, f"key {key!r} is kept as it is")

    def test_what_is_refused_can_be_asked_again(self) -> None:
        """A refused change set leaves its key free: put right, it is applied."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            gone = bench.gone()
            wrong = bench.changes(Attach(gone, "converted_from", [lead]))
            bench.refused(wrong, RecordNotFoundError, "what is gone is refused")
            deal = bench.insert("deal", {"title": "Engine"})
            right = attrs.evolve(wrong, changes=[Attach(deal, "converted_from", [lead])])
            same(False, bench.store.apply(right).replayed, "a refused key is free")
            same((lead.id,), bench.read(deal, "converted_from"), "a refused key is free")

    def test_what_comes_after_means_records_as_they_were_left(self) -> None:
        """A record that an earlier change set made can be changed as that one left it."""
        with benched(self) as bench:
            new, promise = bench.new("deal"), "a record is changed as it was left"
            first = bench.changes(Insert(new, {"title": "first"}))
            ref = bench.made(first)[new]
            second = bench.changes(Update(new, None, {"comments": "second"}), after=[first.key])
            bench.store.apply(second)
            found = (bench.read(ref, "title"), bench.read(ref, "comments"))
            same(("first", "second"), found, promise)

    def test_nothing_is_a_change_set_too(self) -> None:
        """A change set without changes is applied, and remembered."""
        with benched(self) as bench:
            asked = bench.changes()
            same(False, bench.store.apply(asked).replayed, "nothing is applied")
            same(True, bench.store.apply(asked).replayed, "nothing is remembered")
