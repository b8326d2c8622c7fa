"""What `Store.apply` promises: each step, all or nothing, revisions, and once."""

from collections.abc import Iterator

import attrs

from leadconvert import (
    Attach,
    Change,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Contact,
    Deal,
    Delete,
    Detach,
    Event,
    GenericRecord,
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
    IdempotencyError,
    RecordNotFoundError,
    StoreError,
    UnfitValueError,
)
from leadconvert.testing._contract_bench import AT, Bench, Subject, benched, raised, same, unchanged


__all__ = ["Applying", "Atomic", "Resumable", "Revised", "Unrevised"]


def _gone(bench: Bench, kind: str = "deal") -> Ref:
    """Return the ref of a record that was there."""
    ref = bench.insert(kind, {"title": "Engine"})
    bench.apply(Delete(ref, bench.revision(ref)))
    return ref


class Applying(Subject):
    """Each step, the events, and applying again."""

    def test_owns_transaction_is_told(self) -> None:
        """A store says whether it begins and ends its own transactions."""
        with benched(self) as bench:
            same(True, isinstance(bench.store.owns_transaction, bool), "owns_transaction is a bool")

    def test_an_insert_overwrites_nothing(self) -> None:
        """A record whose id is taken is refused, or gets another id; the first one stays."""
        with benched(self) as bench:
            ref = bench.put_one(Deal(id="D-1", title="first"))
            before, promise = bench.world(), "an insert overwrites nothing"
            second = Ref("deal", ref.id, provisional=True)
            asked = bench.changes(Insert(second, {"title": "second"}))
            try:
                given = bench.store.apply(asked)
            except ConflictError:
                unchanged(before, bench.world(), promise)
            else:
                same("second", bench.read(dict(given.ids)[second], "title"), promise)
            same("first", bench.read(ref, "title"), promise)

    def test_what_is_gone_is_not_changed(self) -> None:
        """An update, a delete or an addition to a record that is gone says that it is not there."""
        with benched(self) as bench:
            gone, lead = _gone(bench), bench.put_one(Lead(id="L-1", stage="NEW"))
            changes: tuple[Change, ...] = (
                Update(gone, "1", {"title": "New"}),
                Delete(gone, "1"),
                Attach(gone, "converted_from", [lead]),
            )
            for change in changes:
                promise = f"{type(change).__name__} of what is gone is refused"
                refusal = bench.refused(bench.changes(change), RecordNotFoundError, promise)
                same((gone,), refusal.refs, f"{promise}, and named")

    def test_taking_out_of_what_is_gone_does_nothing(self) -> None:
        """What is to be let go of a record that is gone is let go."""
        with benched(self) as bench:
            gone, lead = _gone(bench), bench.put_one(Lead(id="L-1", stage="NEW"))
            before = bench.world()
            bench.apply(Detach(gone, "converted_from", [lead]))
            unchanged(before, bench.world(), "taking out of what is gone does nothing")

    def test_attach_adds_what_is_not_there(self) -> None:
        """Refs are added after those that are there, each once; nothing else changes."""
        with benched(self) as bench:
            one, two, three = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2, 3)))
            company = bench.put_one(
                Company(id="CO-1", name="Engines", tags=["a"], converted_from=[two.id])
            )
            promise = "attach adds what is not there"
            for refs, held in (([one], [two, one]), ([one, three, two], [two, one, three])):
                bench.apply(Attach(company, "converted_from", refs))
                ids = tuple(ref.id for ref in held)
                same(ids, bench.read(company, "converted_from"), promise)
            same(("a",), bench.read(company, "tags"), f"{promise}, and nothing else")
            note = bench.put_one(GenericRecord(kind="note", id="N-1", custom={"text": "x"}))
            bench.apply(Attach(note, "lead_ids", [three]))
            same((three.id,), bench.read(note, "lead_ids"), f"{promise}, where nothing was")

    def test_detach_takes_out_what_it_names(self) -> None:
        """Just the refs named are taken out; the others stay in their order."""
        with benched(self) as bench:
            leads = bench.put(*(Lead(id=f"L-{n}", stage="NEW") for n in (1, 2, 3, 4)))
            one, two, three, four = leads
            ids = [three.id, one.id, two.id]
            company = bench.put_one(Company(id="CO-1", name="Engines", converted_from=ids))
            promise = "detach takes out what it names"
            for refs, held in (([one, four], [three, two]), ([two], [three]), ([three], [])):
                bench.apply(Detach(company, "converted_from", refs))
                left = tuple(ref.id for ref in held)
                same(left, bench.read(company, "converted_from"), promise)

    def test_delete_removes_one_record(self) -> None:
        """A record that is removed is there no longer, and all others are."""
        with benched(self) as bench:
            refs = bench.put(*(Deal(id=f"D-{n}", title="Engine") for n in (1, 2, 3)))
            bench.apply(Delete(refs[1], bench.revision(refs[1])))
            promise = "delete removes one record"
            left = sorted(map(str, (refs[0], refs[2])))
            same(left, sorted(map(str, bench.found(Wanted(refs=refs)))), promise)
            same(left, sorted(map(str, bench.opened.refs())), promise)

    def test_a_kind_it_was_not_made_for_is_refused(self) -> None:
        """A record of a kind that the store has no place for is refused."""
        with benched(self) as bench:
            asked = bench.changes(Insert(bench.new("nothing"), {"title": "x"}))
            bench.refused(asked, UnfitValueError, "an unknown kind is refused")

    def test_steps_follow_each_other(self) -> None:
        """Each step of a change set finds what the steps before it made."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            company, deal = bench.new("company"), bench.new("deal")
            receipt = bench.apply(
                Insert(company, {"name": "Engines"}),
                Attach(company, "converted_from", [lead]),
                Insert(deal, {"title": "Engine", "company_id": company}),
                Update(company, None, {"comments": "new"}),
                Update(lead, bench.revision(lead), {"stage": "DONE"}),
            )
            ids, promise = dict(receipt.ids), "steps follow each other"
            made = ids[company]
            same((lead.id,), bench.read(made, "converted_from"), promise)
            same(
                ("Engines", "new"),
                (bench.read(made, "name"), bench.read(made, "comments")),
                promise,
            )
            same(made.id, bench.read(ids[deal], "company_id"), promise)
            same("DONE", bench.read(lead, "stage"), promise)

    def test_events_are_kept_in_order(self) -> None:
        """The events of each change set are kept as they are, in order, once."""
        with benched(self) as bench:
            lead = bench.put_one(Lead(id="L-1", stage="NEW"))
            events = [
                Event(name="record.created", ref=lead, at=AT),
                Event(
                    name="lead.converted",
                    ref=lead,
                    at=AT,
                    actor_id="u-1",
                    params={
                        "targets": (lead,),
                        "conversion": "L-1.1",
                        "close": False,
                        "rule": None,
                    },
                ),
                Event(name="record.created", ref=lead, at=AT, params={"lead": lead}),
            ]
            bench.store.apply(bench.changes(events=events[:2]))
            bench.store.apply(bench.changes(events=events[2:]))
            same(tuple(events), tuple(bench.opened.events()), "events are kept in order")

    def test_the_receipt_tells_what_was_written(self) -> None:
        """It names key, request, conversions, and the stored ref of whatever was made."""
        with benched(self) as bench:
            deal, task = bench.new("deal"), bench.new("task")
            asked = bench.changes(
                Insert(deal, {"title": "Engine"}),
                Insert(task, {"subject": "call", "deal_id": deal}),
                traces=[Trace(id="L-1.1"), Trace(id="L-1.2")],
            )
            receipt, promise = bench.store.apply(asked), "the receipt tells what was written"
            same(
                (asked.key, "asked", False),
                (receipt.key, receipt.fingerprint, receipt.replayed),
                promise,
            )
            same(("L-1.1", "L-1.2"), receipt.conversions, promise)
            same(
                sorted(map(str, (deal, task))), sorted(str(new) for new, _ in receipt.ids), promise
            )
            stored = [ref for _, ref in receipt.ids]
            same(
                [False, False],
                [ref.provisional for ref in stored],
                "stored refs are not provisional",
            )
            same(sorted(map(str, stored)), sorted(map(str, bench.opened.refs())), promise)

    def test_again_changes_nothing(self) -> None:
        """The same change set again gives the first receipt, replayed, and writes nothing."""
        with benched(self) as bench:
            asked = _scene(bench)
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
            asked = _scene(bench)
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
            asked = _scene(bench)
            bench.store.apply(asked)
            before = bench.world()
            other = attrs.evolve(asked, changes=[Insert(bench.new("deal"), {"title": "Other"})])
            again = bench.store.apply(other)
            same(True, again.replayed, "one request under one key is one")
            unchanged(before, bench.world(), "one request under one key is one")

    def test_another_request_under_a_key_is_refused(self) -> None:
        """The same key for another request is a mistake of the caller, who is told so."""
        with benched(self) as bench:
            asked = _scene(bench)
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
            gone = _gone(bench)
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
            ref = dict(bench.store.apply(first).ids)[new]
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


def _scene(bench: Bench) -> ChangeSet:
    """Return a change set of every sort of step, applied to records that are there."""
    lead, contact, company, old = bench.put(
        Lead(id="L-1", stage="NEW"),
        Contact(id="C-1", last_name="Lovelace"),
        Company(id="CO-1", name="Engines", converted_from=["L-1"]),
        GenericRecord(kind="task", id="T-1", custom={"subject": "call"}),
    )
    deal = bench.new("deal")
    return bench.changes(
        Insert(deal, {"title": "Engine", "contact_ids": (contact,)}),
        Update(contact, bench.revision(contact), {"job_title": "Countess"}),
        Attach(contact, "converted_from", [lead]),
        Detach(company, "converted_from", [lead]),
        Delete(old, bench.revision(old)),
        Update(lead, bench.revision(lead), {"stage": "DONE"}),
        events=[Event(name="lead.converted", ref=lead, at=AT, params={"targets": (deal,)})],
        traces=[Trace(id="scene")],
    )


def _wrong(bench: Bench, *, revisions: bool) -> Iterator[tuple[Change, type[StoreError]]]:
    """Yield steps that no store may take, each with what it raises."""
    if revisions:
        late = bench.put_one(Company(id="CO-late", name="Late"))
        yield Update(late, "no such", {"name": "New"}), ConflictError
        yield Delete(late, "no such"), ConflictError
    held = MatchKey("email", "held@example.com")
    holder = {"last_name": "Holder", "emails": (Channel(held.value),)}
    bench.insert("contact", holder, Claim(held))
    gone = _gone(bench)
    yield Attach(gone, "converted_from", [Ref("lead", "L-1")]), RecordNotFoundError
    yield Insert(bench.new("contact"), holder, [Claim(held)]), ConflictError
    yield Insert(bench.new("nothing"), {"title": "x"}), UnfitValueError
    yield Insert(bench.new("deal"), {"title": "x", "amount": "much"}), UnfitValueError


class Atomic(Subject):
    """A store that writes a change set all or nothing."""

    def test_all_or_nothing_at_each_step(self) -> None:
        """Wherever a change set fails, nothing of it is written: no record, event or trace."""
        with benched(self) as bench:
            good = _scene(bench)
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
            key, gone = MatchKey("email", "ada@example.com"), _gone(bench)
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
            receipt = bench.store.apply(_scene(bench))
            told, promise = dict(receipt.revisions), "the receipt tells the revisions"
            for ref, revision in told.items():
                same(bench.revision(ref), revision, f"{promise} ({ref})")
            same(["contact", "deal", "lead"], sorted(ref.kind for ref in told), promise)

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
            ref = dict(bench.store.apply(first).ids)[new]
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
