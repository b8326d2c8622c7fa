"""What `Store.apply` promises of revisions: nothing is changed that was not read as it is."""

from leadconvert import (
    Attach,
    Company,
    Deal,
    Delete,
    Detach,
    GenericRecord,
    Insert,
    Lead,
    Update,
)
from leadconvert.errors import (
    ConflictError,
)
from leadconvert.testing._contract_bench import (
    Subject,
    benched,
    same,
)


__all__ = ["Revised", "Unrevised"]


class Revised(Subject):
    """A store that notices an update or a delete that comes too late."""

    def test_an_update_makes_another_revision(self) -> None:
        """Each update gives its record another revision, and leaves those of others alone."""
        with benched(self) as bench:
            ref, twin = bench.put(*(Deal(id=f"D-{n}", title="Engine") for n in (1, 2)))
            kept, seen = bench.revision(twin), {bench.revision(ref)}
            for title in ("a", "b", "c"):
                bench.update(ref, {"title": title})
                revision = bench.revision(ref)
                same(False, revision in seen, "an update makes another revision")
                same(True, isinstance(revision, str), "a revision is text")
                seen.add(revision)
            same(kept, bench.revision(twin), "an update leaves other revisions alone")

    def test_the_receipt_tells_the_revisions(self) -> None:
        """Of whatever is made or updated it tells the revision that can be loaded."""
        with benched(self) as bench:
            receipt = bench.store.apply(bench.scene())
            told, promise = dict(receipt.revisions), "the receipt tells the revisions"
            for ref, revision in told.items():
                same(bench.revision(ref), revision, f"{promise} ({ref})")
            written = {"contact", "deal", "lead"} - {ref.kind for ref in told}
            same([], sorted(written), promise)

    def test_the_receipt_tells_no_revision_of_what_is_gone(self) -> None:
        """What a change set makes or updates, and then removes, has no revision to be told."""
        with benched(self) as bench:
            ref, new = bench.put_one(Deal(id="D-1", title="Engine")), bench.new("deal")
            seen = bench.revision(ref)
            receipt = bench.apply(
                Insert(new, {"title": "New"}),
                Update(ref, seen, {"title": "late"}),
                Delete(ref, seen),
                Delete(new, None),
            )
            same((), receipt.revisions, "the receipt tells no revision of what is gone")
            same([], list(bench.opened.refs()), "what is made can be removed at once")

    def test_a_late_update_is_refused(self) -> None:
        """Whoever updates what somebody else has updated meanwhile is told so."""
        with benched(self) as bench:
            for record in (
                Lead(id="L-1", stage="NEW"),
                Deal(id="D-1", title="Engine"),
                GenericRecord(kind="task", id="T-1", custom={"subject": "call"}),
            ):
                ref = bench.put_one(record)
                seen = bench.revision(ref)
                field = "subject" if ref.kind == "task" else "title"
                bench.update(ref, {field: "first"})
                late = bench.changes(Update(ref, seen, {field: "second"}))
                refusal = bench.refused(late, ConflictError, "a late update is refused")
                same((ref,), refusal.refs, "a late update is refused, and named")

    def test_an_update_of_an_unknown_revision_is_refused(self) -> None:
        """A revision that the record does not have is not its current one, nor is None."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="Engine"))
            for revision in (None, "", "no such"):
                asked = bench.changes(Update(ref, revision, {"title": "New"}))
                bench.refused(asked, ConflictError, f"revision {revision!r} is refused")

    def test_what_comes_after_can_be_late_as_well(self) -> None:
        """What an earlier change set made, and somebody has updated since, is not as it left it."""
        with benched(self) as bench:
            new = bench.new("deal")
            first = bench.changes(Insert(new, {"title": "first"}))
            ref = bench.made(first)[new]
            bench.update(ref, {"title": "by hand"})
            for late in (Update(new, None, {"title": "second"}), Delete(new, None)):
                asked = bench.changes(late, after=[first.key])
                bench.refused(asked, ConflictError, "what was changed since is not as it was left")

    def test_a_late_delete_is_refused(self) -> None:
        """Whoever removes what somebody else has updated meanwhile is told so."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="Engine"))
            seen = bench.revision(ref)
            bench.update(ref, {"title": "first"})
            refusal = bench.refused(
                bench.changes(Delete(ref, seen)), ConflictError, "a late delete is refused"
            )
            same((ref,), refusal.refs, "a late delete is refused, and named")

    def test_adding_and_taking_out_collide_with_nobody(self) -> None:
        """What is attached or detached makes no new revision, and needs none."""
        with benched(self) as bench:
            one, two = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2)))
            company = bench.put_one(Company(id="CO-1", name="Engines", converted_from=[one.id]))
            seen, promise = bench.revision(company), "adding and taking out collide with nobody"
            bench.apply(Attach(company, "converted_from", [two]))
            same(seen, bench.revision(company), promise)
            bench.apply(Detach(company, "converted_from", [one]))
            same(seen, bench.revision(company), promise)
            bench.apply(Update(company, seen, {"name": "New"}))
            same((two.id,), bench.read(company, "converted_from"), promise)


class Unrevised(Subject):
    """A store that cannot notice that an update comes too late."""

    def test_without_revisions_a_late_update_leaves_other_fields_alone(self) -> None:
        """Of two updates decided on one reading both are written, each in its own fields."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="Engine", tags=["a"]))
            seen, promise = bench.revision(ref), "a late update leaves other fields alone"
            bench.apply(Update(ref, seen, {"comments": "first"}))
            bench.apply(Update(ref, seen, {"UF_TEXT": "second"}))
            for field, value in (
                ("comments", "first"),
                ("UF_TEXT", "second"),
                ("title", "Engine"),
                ("tags", ("a",)),
            ):
                same(value, bench.read(ref, field), promise)

    def test_without_revisions_none_is_needed(self) -> None:
        """An update or a delete without a revision is written."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="Engine"))
            bench.apply(Update(ref, None, {"title": "New"}))
            same("New", bench.read(ref, "title"), "no revision is needed to update")
            bench.apply(Delete(ref, None))
            same([], [str(one) for one in bench.opened.refs()], "no revision is needed to delete")
