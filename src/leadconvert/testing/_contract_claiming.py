"""What `Store.apply` promises about claims: nobody has come in between unseen."""

from collections.abc import Mapping
from typing import Final

from leadconvert import (
    Channel,
    Claim,
    Company,
    Contact,
    Delete,
    Insert,
    Lead,
    MatchKey,
    Ref,
    Update,
    Wanted,
)
from leadconvert.errors import ConflictError
from leadconvert.testing._contract_bench import Bench, Subject, benched, same


__all__ = ["Claiming"]

ADA: Final = MatchKey("email", "ada@example.com")
NEW: Final = MatchKey("email", "new@example.com")


def _person(*keys: MatchKey) -> dict[str, object]:
    return {"last_name": "Lovelace", "emails": tuple(Channel(key.value) for key in keys)}


def _seen(*keys: MatchKey, by: Mapping[MatchKey, tuple[Ref, ...]] | None = None) -> list[Claim]:
    """Return claims to *keys*, which *by* whom was seen to hold them."""
    return [Claim(key, (by or {}).get(key, ())) for key in keys]


def _holders(bench: Bench, key: MatchKey) -> list[str]:
    return sorted(map(str, bench.found(Wanted(matches=(("contact", key),)))))


class Claiming(Subject):
    """A key is claimed by whoever will hold it, with whom the decision saw holding it."""

    def test_a_key_that_nobody_holds_can_be_claimed(self) -> None:
        """A record whose keys are nobody's is made, and found by them."""
        with benched(self) as bench:
            ref = bench.insert("contact", _person(ADA, NEW), *_seen(ADA, NEW))
            for key in (ADA, NEW):
                same([str(ref)], _holders(bench, key), "a key that nobody holds can be claimed")

    def test_who_claims_nothing_holds_a_key_all_the_same(self) -> None:
        """Keys are held by what a record says: one made on purpose or by hand claims nothing."""
        with benched(self) as bench:
            made = bench.insert("contact", _person(ADA))
            changed = bench.insert("contact", _person())
            bench.update(changed, _person(NEW))
            for key, ref in ((ADA, made), (NEW, changed)):
                promise = "who claims nothing holds a key all the same"
                same([str(ref)], _holders(bench, key), promise)
                asked = bench.changes(Insert(bench.new("contact"), _person(key), _seen(key)))
                bench.refused(asked, ConflictError, promise)

    def test_a_key_that_somebody_has_got_meanwhile_is_refused(self) -> None:
        """A record is not made for a key that was nobody's and is somebody's by now."""
        with benched(self) as bench:
            bench.insert("contact", _person(ADA), *_seen(ADA))
            promise = "a key that somebody has got meanwhile is refused"
            for keys in ((ADA,), (NEW, ADA), (ADA, NEW)):
                asked = bench.changes(Insert(bench.new("contact"), _person(*keys), _seen(*keys)))
                bench.refused(asked, ConflictError, promise)

    def test_duplicates_on_purpose_are_legal(self) -> None:
        """Whoever saw all that hold a key may make one more."""
        with benched(self) as bench:
            refs: tuple[Ref, ...] = ()
            for _ in range(3):
                claims = _seen(ADA, by={ADA: refs})
                refs = (*refs, bench.insert("contact", _person(ADA), *claims))
                promise = "duplicates on purpose are legal"
                same(sorted(map(str, refs)), _holders(bench, ADA), promise)

    def test_one_more_duplicate_is_seen(self) -> None:
        """Whoever saw only some of those that hold a key decides again."""
        with benched(self) as bench:
            first = bench.insert("contact", _person(ADA), *_seen(ADA))
            second = bench.insert("contact", _person(ADA), *_seen(ADA, by={ADA: (first,)}))
            for seen in ((), (first,), (second,)):
                claims = _seen(ADA, by={ADA: seen})
                asked = bench.changes(Insert(bench.new("contact"), _person(ADA), claims))
                bench.refused(asked, ConflictError, "one more duplicate is seen")

    def test_who_no_longer_holds_a_key_is_missed(self) -> None:
        """Whoever was seen holding a key, and does not by now, is a reason to decide again."""
        with benched(self) as bench:
            gone, changed = (
                bench.insert("contact", _person(ADA), *_seen(ADA)),
                bench.insert("contact", _person(NEW), *_seen(NEW)),
            )
            bench.apply(Delete(gone, bench.revision(gone)))
            bench.update(changed, {"emails": ()})
            for key, seen in ((ADA, gone), (NEW, changed)):
                claims = _seen(key, by={key: (seen,)})
                asked = bench.changes(Insert(bench.new("contact"), _person(key), claims))
                bench.refused(asked, ConflictError, "who no longer holds a key is missed")

    def test_a_key_that_is_held_no_longer_is_free(self) -> None:
        """A key whose record was removed or changed can be claimed as nobody's."""
        with benched(self) as bench:
            gone, changed = (
                bench.insert("contact", _person(ADA), *_seen(ADA)),
                bench.insert("contact", _person(NEW), *_seen(NEW)),
            )
            bench.apply(Delete(gone, bench.revision(gone)))
            bench.update(changed, {"emails": ()})
            ref = bench.insert("contact", _person(ADA, NEW), *_seen(ADA, NEW))
            for key in (ADA, NEW):
                same([str(ref)], _holders(bench, key), "a key that is held no longer is free")

    def test_an_update_claims_as_well(self) -> None:
        """A record is not given a key that somebody else has got meanwhile."""
        with benched(self) as bench:
            ref = bench.insert("contact", _person(NEW), *_seen(NEW))
            bench.insert("contact", _person(ADA), *_seen(ADA))
            claims = _seen(NEW, ADA, by={NEW: (ref,)})
            asked = bench.changes(Update(ref, bench.revision(ref), _person(NEW, ADA), claims))
            bench.refused(asked, ConflictError, "an update claims as well")

    def test_a_record_may_hold_what_it_holds(self) -> None:
        """A record that is updated keeps its own keys, and shares those it was seen to share."""
        with benched(self) as bench:
            ref = bench.insert("contact", _person(ADA), *_seen(ADA))
            twin = bench.insert("contact", _person(ADA), *_seen(ADA, by={ADA: (ref,)}))
            claims = _seen(ADA, NEW, by={ADA: (ref, twin)})
            bench.update(ref, _person(ADA, NEW), *claims)
            promise = "a record may hold what it holds"
            same(sorted(map(str, (ref, twin))), _holders(bench, ADA), promise)
            same([str(ref)], _holders(bench, NEW), promise)

    def test_records_of_one_change_set_may_share_a_key(self) -> None:
        """Whom a change set makes itself is no stranger, whether it saw them or not."""
        with benched(self) as bench:
            one, two = bench.new("contact"), bench.new("contact")
            receipt = bench.apply(
                Insert(one, _person(ADA, NEW), [Claim(ADA, [two]), Claim(NEW)]),
                Insert(two, _person(ADA, NEW), [Claim(ADA, [one]), Claim(NEW)]),
            )
            expected = sorted(str(ref) for _, ref in receipt.ids)
            for key in (ADA, NEW):
                same(expected, _holders(bench, key), "records of one change set may share a key")

    def test_a_key_of_another_kind_is_another_one(self) -> None:
        """A lead or a company with the same address is no stranger who holds a contact's key."""
        with benched(self) as bench:
            bench.put(
                Lead(id="L-1", stage="NEW", emails=[Channel(ADA.value)]),
                Contact(id="C-1", first_name="Engines", last_name="Sons"),
            )
            bench.put_one(Company(id="CO-1", name="Lovelace", emails=[Channel(ADA.value)]))
            ref = bench.insert("contact", _person(ADA), *_seen(ADA))
            same([str(ref)], _holders(bench, ADA), "a key of another kind is another one")
            key = MatchKey("company", "engines sons")
            bench.insert("company", {"name": "Engines & Sons"}, Claim(key))
