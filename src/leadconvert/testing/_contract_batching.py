"""What `BulkStore.apply_many` promises."""

from typing import cast

from leadconvert import (
    Attach,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Delete,
    Detach,
    Insert,
    Lead,
    MatchKey,
    Receipt,
    Ref,
    Update,
)
from leadconvert.errors import ConflictError, IdempotencyError, RecordNotFoundError, StoreError
from leadconvert.stores import BulkStore
from leadconvert.testing._contract_bench import Bench, Subject, benched, same


__all__ = ["Bulk", "OneByOne"]


class OneByOne(Subject):
    """A store without `apply_many`."""

    def test_apply_many_is_declared(self) -> None:
        """A store that has `apply_many` says so, and is tested for it."""
        with benched(self) as bench:
            same(False, hasattr(bench.store, "apply_many"), "apply_many is declared by bulk = True")


def _answers(bench: Bench, *sets: ChangeSet) -> list[Receipt | StoreError]:
    store = cast("BulkStore", bench.store)  # bulk = True says so
    answers = store.apply_many(iter(sets))
    same(len(sets), len(answers), "there is one answer for each change set")
    return list(answers)


def _names(answers: list[Receipt | StoreError]) -> list[str]:
    return [type(one).__name__ for one in answers]


class Bulk(Subject):
    """A store that applies many change sets at once."""

    def test_many_are_answered_in_order(self) -> None:
        """Each change set has its own receipt, in the order they came."""
        with benched(self) as bench:
            sets = [
                bench.changes(Insert(bench.new("deal"), {"title": f"deal {number}"}))
                for number in range(5)
            ]
            answers = _answers(bench, *sets)
            for number, (asked, answer) in enumerate(zip(sets, answers, strict=True)):
                receipt = answer if isinstance(answer, Receipt) else Receipt()
                same(asked.key, receipt.key, "many are answered in order")
                [(_, made)] = receipt.ids
                same(f"deal {number}", bench.read(made, "title"), "many are answered in order")
            same(5, len(list(bench.opened.refs())), "many are applied")

    def test_many_of_none(self) -> None:
        """No change sets have no answers."""
        with benched(self) as bench:
            same([], _answers(bench), "no change sets have no answers")

    def test_what_is_refused_stops_no_other(self) -> None:
        """A change set that is refused is answered by its error, and the others are applied."""
        with benched(self) as bench:
            key = MatchKey("email", "ada@example.com")
            values = {"last_name": "Ada", "emails": (Channel(key.value),)}
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            gone = Attach(Ref("deal", "0"), "converted_from", [lead])
            one, two = bench.new("contact"), bench.new("contact")
            late = Update(lead, "no such" if self.revisions else None, {"title": "late"})
            used = bench.changes()
            bench.store.apply(used)
            sets = (
                bench.changes(Insert(one, values, [Claim(key)])),
                bench.changes(gone),
                bench.changes(Insert(two, values, [Claim(key)])),
                bench.changes(late),
                ChangeSet(key=used.key, fingerprint="other"),
                bench.changes(Insert(bench.new("deal"), {"title": "x"})),
            )
            expected = [
                "Receipt",
                RecordNotFoundError.__name__,
                ConflictError.__name__,
                ConflictError.__name__ if self.revisions else "Receipt",
                IdempotencyError.__name__,
                "Receipt",
            ]
            answers = _answers(bench, *sets)
            same(expected, _names(answers), "what is refused stops no other")
            kinds = sorted(ref.kind for ref in bench.opened.refs())
            same(["contact", "deal", "lead"], kinds, "what is refused stops no other")

    def test_a_later_one_may_refer_to_an_earlier_one(self) -> None:
        """What an earlier change set of the many makes is found by those that come after it."""
        with benched(self) as bench:
            company, deal, other = bench.new("company"), bench.new("deal"), bench.new("deal")
            first = bench.changes(Insert(company, {"name": "Engines"}))
            values = {"title": "x", "company_id": company}
            second = bench.changes(Insert(deal, values), after=[first.key])
            third = bench.changes(Insert(other, values), after=["no such", first.key])
            answers = _answers(bench, first, second, third)
            expected = ["Receipt", "Receipt", ConflictError.__name__]
            same(expected, _names(answers), "a later one may refer to an earlier one")
            ids = dict(pair for one in answers if isinstance(one, Receipt) for pair in one.ids)
            found = bench.read(ids[deal], "company_id")
            same(ids[company].id, found, "a later one may refer to an earlier one")

    def test_many_see_who_was_attached(self) -> None:
        """Whom an earlier one of the many has attached to a record keeps it from a later one."""
        with benched(self) as bench:
            one, two = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2)))
            company = bench.put_one(Company(id="CO-1", name="Engines", converted_from=[one.id]))
            field, seen = "converted_from", bench.revision(company)
            answers = _answers(
                bench,
                bench.changes(Attach(company, field, [two])),
                bench.changes(Delete(company, seen, {field: [one]})),
                bench.changes(Detach(company, field, [one])),
                bench.changes(Delete(company, seen, {field: [two]})),
            )
            expected = ["Receipt", ConflictError.__name__, "Receipt", "Receipt"]
            same(expected, _names(answers), "many see who was attached")
            kinds = sorted(ref.kind for ref in bench.opened.refs())
            same(["lead", "lead"], kinds, "many see who was attached")

    def test_many_again(self) -> None:
        """Those that were applied before are replayed, be it within the many."""
        with benched(self) as bench:
            one, two = (bench.changes(Insert(bench.new("deal"), {"title": "x"})) for _ in range(2))
            _answers(bench, one)
            answers = _answers(bench, one, two, two)
            replayed = [isinstance(answer, Receipt) and answer.replayed for answer in answers]
            same([True, False, True], replayed, "those that were applied before are replayed")
            same(2, len(list(bench.opened.refs())), "those that were applied before are replayed")
