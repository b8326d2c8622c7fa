"""Twins: leads of one company or person in one batch or stream share the one record they make."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import permutations
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Attach,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    FieldMapping,
    Find,
    Grant,
    Insert,
    Known,
    Lead,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Pending,
    Pipeline,
    Policy,
    Receipt,
    Record,
    Ref,
    Rejected,
    Role,
    Stage,
    Target,
    Update,
    convert,
    convert_batch,
    convert_many,
)
from leadconvert.changes import bind, plain
from leadconvert.kinds import COMPANY, CONTACT, DEAL
from leadconvert.records import changed
from leadconvert.twins import Twins


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA = Actor("u-1", roles=["r"])
ALL = ("contact", "company", "deal")
MAILS = ("", "x@example.com", "y@example.com", "z@example.com")


def rules(
    contact: str = "merge", company: str = "link", policy: Policy | None = None
) -> ConversionRules:
    """Rules by which a person is known by e-mail, and a company by its name."""
    return ConversionRules(
        kinds=[CONTACT, COMPANY, DEAL],
        pipelines=[
            Pipeline("leads", "lead", ["NEW", Stage("DONE", "success"), Stage("JUNK", "failure")]),
            Pipeline("sales", "deal", ["open", Stage("won", "success")]),
        ],
        mappings=[
            FieldMapping("last_name", "contact"),
            FieldMapping("job_title", "contact"),
            FieldMapping("emails", "contact", conflict="append"),
            FieldMapping("tags", "contact", conflict="append"),
            FieldMapping("owner_id", "contact"),
            FieldMapping("company_name", "company", "name", fallbacks=["title"]),
            FieldMapping("title", "deal"),
        ],
        policy=Policy.allow_all() if policy is None else policy,
        matching=Matching(
            [
                MatchRule("contact", ["email"], contact),
                MatchRule("company", ["company"], company),
            ]
        ),
    )


RULES = rules()


def lead(id_: str, company: str | None = "Engines", mail: str = "", **more: object) -> Lead:
    """A lead of a company, or of a person with an e-mail."""
    known = {"title": f"Enquiry {id_}", "last_name": "Byron", "company_name": company}
    emails = [Channel(mail)] if mail else []
    return changed(Lead(id=id_, stage="NEW", emails=emails), known | more)


def batch(
    leads: Iterable[Lead],
    into: Iterable[str | Target] = ALL,
    *,
    by: ConversionRules = RULES,
    known: Iterable[Record] = (),
) -> tuple[Converted | Rejected, ...]:
    """What comes of a whole batch."""
    return convert_batch(leads, into, rules=by, actor=ADA, at=AT, known=Known(records=known))


def stream(
    leads: Iterable[Lead],
    into: Iterable[str | Target] = ALL,
    *,
    twins: int,
    by: ConversionRules = RULES,
) -> Iterator[Converted | Rejected]:
    """What comes of a stream that remembers so many records."""
    return convert_many(leads, into, rules=by, actor=ADA, at=AT, twins=twins)


def results(outcomes: Iterable[Converted | Rejected]) -> list[ConversionResult]:
    """The results, of which there must be one each."""
    found = []
    for one in outcomes:
        assert isinstance(one, Converted)
        found.append(one.result)
    return found


def actions(result: ConversionResult) -> dict[str, tuple[str, str]]:
    """By kind, what was done to which record."""
    return {one.ref.kind: (one.action, one.ref.id) for one in result.outcomes}


@attrs.define
class Store:
    """A store of its own ids and revisions, as small as can be: it applies, or it raises."""

    records: dict[Ref, Record]
    ids: dict[Ref, Ref] = attrs.field(factory=dict)
    applied: dict[str, Receipt] = attrs.field(factory=dict)

    @classmethod
    def of(cls, *records: Record) -> "Store":
        """Return a store that holds just these."""
        kinds = {Lead: "lead", Contact: "contact", Company: "company", Deal: "deal"}
        return cls({Ref(kinds[type(one)], one.id): one for one in records})

    def apply(self, changes: ChangeSet) -> Receipt:
        """Apply *changes* whole; what it comes after must have been applied."""
        if changes.key in self.applied:
            return attrs.evolve(self.applied[changes.key], replayed=True)
        assert set(changes.after) <= self.applied.keys(), "applied before what it comes after"
        used: dict[Ref, Ref] = {}
        for one in changes.changes:
            if isinstance(one, Insert):
                self.ids[one.ref] = Ref(one.ref.kind, f"{one.ref.kind}-{len(self.ids) + 100}")
            stored = self.ids.get(one.ref, one.ref)
            assert not stored.provisional, f"nobody made {stored}"
            if one.ref.provisional:
                used[one.ref] = stored
            self._write(one, stored)
        receipt = Receipt(ids=used.items())
        self.applied[changes.key] = receipt
        return receipt

    def _write(self, one: Insert | Update | Attach, stored: Ref) -> None:
        kind = RULES.kind(stored.kind) or RULES.lead
        if isinstance(one, Attach):
            record = self.records[stored]
            refs = (*tuple(kind.read(record, one.field) or ()), *(ref.id for ref in one.refs))  # type: ignore[arg-type]
            self.records[stored] = changed(record, {one.field: tuple(dict.fromkeys(refs))})
            return
        values = {name: plain(bind(value, self.ids)) for name, value in one.values.items()}
        if isinstance(one, Insert):
            self.records[stored] = kind.build(stored.id, values)
        else:
            assert one.revision in {None, self.records[stored].revision}, f"{stored} is stale"
            self.records[stored] = changed(self.records[stored], values)

    def world(self) -> dict[Ref, Record]:
        """Everything it holds, and it holds together: both sides agree, and nobody is missing."""
        for ref, record in self.records.items():
            kind = RULES.kind(ref.kind) or RULES.lead
            for name, field in kind.references.items():
                value = kind.read(record, name)
                for id_ in value if isinstance(value, tuple) else [value] if value else []:
                    assert Ref(str(field.to), str(id_)) in self.records, f"{ref}.{name} is nobody"
            if isinstance(record, Lead):
                for target in (one for made in record.conversions for one in made.targets):
                    back = getattr(self.records[target], "converted_from", ())
                    assert record.id in back, f"{target} does not point back at {ref}"
            else:
                for id_ in getattr(record, "converted_from", ()):
                    origin = self.records[Ref("lead", id_)]
                    assert isinstance(origin, Lead)
                    assert ref in origin.conversions[-1].targets, f"{origin} forgot {ref}"
        return self.records

    def all(self, cls: type[Record]) -> list[Record]:
        """Return all records of a class."""
        return [one for one in self.records.values() if isinstance(one, cls)]


def stored(leads: Sequence[Lead], found: Iterable[ConversionResult], *more: Record) -> Store:
    """A store that has applied the change sets in this order, and holds together."""
    store = Store.of(*leads, *more)
    for result in found:
        store.apply(result.changes)
    store.world()
    return store


class TestSharing:
    LEADS = (lead("L-1"), lead("L-2"))

    def test_one_company(self) -> None:
        """The first lead makes the company, the second is linked to it; each has its own deal."""
        first, second = results(batch(self.LEADS))

        assert {
            "company": ("created", "L-1.1.company.1"),
            "contact": ("created", "L-1.1.contact.1"),
            "deal": ("created", "L-1.1.deal.1"),
        } == actions(first)
        assert {
            "company": ("linked", "L-1.1.company.1"),
            "contact": ("created", "L-2.1.contact.1"),
            "deal": ("created", "L-2.1.deal.1"),
        } == actions(second)
        assert ("company",) == second.outcomes[0].matched_by
        assert ("L-1", "L-2") == second.company.converted_from
        assert "L-1.1.company.1" == second.contact.company_id == second.deal.company_id

    def test_the_change_set_of_the_later_one(self) -> None:
        """It comes after the first, attaches itself, and refers to what is not stored yet."""
        first, second = results(batch(self.LEADS))
        company = Ref("company", "L-1.1.company.1", provisional=True)
        attach, contact, deal, _ = second.changes.changes

        assert () == first.changes.after
        assert (first.changes.key,) == second.changes.after
        assert Attach(company, "converted_from", [Ref("lead", "L-2")]) == attach
        assert isinstance(contact, Insert)
        assert isinstance(deal, Insert)
        assert company == contact.values["company_id"] == deal.values["company_id"]
        assert company in second.lead.conversions[0].targets

    def test_one_person(self) -> None:
        """Two leads of one person share the contact: the later one fills its gaps."""
        leads = [
            lead("L-1", None, "ada@example.com", tags=["a"]),
            lead("L-2", None, "ADA@example.com", tags=["b"], job_title="Countess"),
        ]
        first, second = results(batch(leads, ["contact"]))
        contact = Ref("contact", "L-1.1.contact.1", provisional=True)

        assert {"contact": ("merged", "L-1.1.contact.1")} == actions(second)
        assert ("Countess", ("a", "b")) == (second.contact.job_title, second.contact.tags)
        assert {"job_title": None, "tags": ("a",)} == second.outcomes[0].before
        email = Claim(MatchKey("email", "ada@example.com"), [contact])
        assert (
            Update(contact, None, {"job_title": "Countess", "tags": ("a", "b")}, [email])
            == (second.changes.changes[0])
        )
        [stored_contact] = stored(leads, [first, second]).all(Contact)
        assert isinstance(stored_contact, Contact)
        assert ("Countess", ("a", "b"), ("L-1", "L-2")) == (
            stored_contact.job_title,
            stored_contact.tags,
            stored_contact.converted_from,
        )

    def test_immune_to_a_company_for_every_lead_of_it(self) -> None:
        """PP14: five leads of one company make one, however they write it."""
        names = ("Engines", "ENGINES", " engines ", "Éngines", "Engine's")
        leads = [lead(f"L-{number}", name) for number, name in enumerate(names)]
        store = stored(leads, results(batch(leads)))

        assert 1 == len(store.all(Company))
        assert 5 == len(store.all(Deal))

    def test_several_companies(self) -> None:
        """Each has its own; whoever has none shares with nobody."""
        leads = [
            lead("L-1", "A"), lead("L-2", "B"), lead("L-3", "A"), lead("L-4", "B"),
            lead("L-5", None, title="Alone"), lead("L-6", None, title="Alone too"),
        ]  # fmt: skip
        store = stored(leads, results(batch(leads)))

        assert ["A", "B", "Alone", "Alone too"] == [
            one.name for one in store.all(Company) if isinstance(one, Company)
        ]

    def test_new_on_purpose(self) -> None:
        """Who asks for new records gets them, twins or not."""
        found = results(batch(self.LEADS, [Create("company")]))

        assert ["created", "created"] == [one.outcomes[0].action for one in found]
        assert [(), ()] == [one.changes.after for one in found]

    def test_without_a_rule(self) -> None:
        """Without a match rule nobody is anybody's twin."""
        plain_rules = attrs.evolve(RULES, matching=Matching())
        found = results(batch(self.LEADS, by=plain_rules))

        assert ["created", "created"] == [actions(one)["company"][0] for one in found]

    def test_a_stored_one_comes_first(self) -> None:
        """Where one is stored already both are linked to that, and depend on nobody."""
        engines = Company(id="CO-9", name="Engines")
        found = results(batch(self.LEADS, known=[engines]))

        assert {("linked", "CO-9")} == {actions(one)["company"] for one in found}
        assert [(), ()] == [one.changes.after for one in found]
        store = stored(self.LEADS, found, engines)
        assert ("L-1", "L-2") == getattr(store.all(Company)[0], "converted_from", None)

    def test_what_may_not_be_read(self) -> None:
        """A record of another's the actor could not read is no match, not even in a batch."""
        grants = [
            Grant("lead", ["read", "update", "convert", "move"]),
            Grant("contact", ["read", "update", "merge"], "own"),
            Grant("contact", "create"),
        ]
        policy = Policy([Role("r", grants)])
        mail = "ada@example.com"
        theirs = [lead(id_, None, mail, owner_id="u-2") for id_ in ("L-1", "L-2")]
        mine = [lead(id_, None, mail, owner_id="u-1") for id_ in ("L-1", "L-2")]

        assert ["created", "created"] == [
            actions(one)["contact"][0]
            for one in results(batch(theirs, ["contact"], by=rules(policy=policy)))
        ]
        assert ["created", "unchanged"] == [
            actions(one)["contact"][0]
            for one in results(batch(mine, ["contact"], by=rules(policy=policy)))
        ]

    @pytest.mark.parametrize(
        ("then", "code"), [("ask", "match_to_decide"), ("refuse", "match_refused")]
    )
    def test_where_a_person_decides(self, then: str, code: str) -> None:
        """A rule that asks or refuses says so of a twin as well, and of which record."""
        first, second = batch(self.LEADS, by=rules(company=then))

        assert isinstance(first, Converted)
        assert isinstance(second, Rejected)
        [problem] = second.error.problems
        assert code == problem.code
        assert ({"id": "L-1.1.company.1", "by": ("company",)},) == problem.params["candidates"]


class TestOrder:
    LEADS = (
        lead("L-1", "A", "ada@example.com", tags=["1"]),
        lead("L-2", "B", "ada@example.com", tags=["2"]),
        lead("L-3", "A", "king@example.com", tags=["3"], job_title="Baron"),
        lead("L-4", "B", "king@example.com", tags=["4"], job_title="Count"),
        lead("L-5", "A", "ada@example.com", stage="JUNK"),
    )

    def test_of_the_batch(self) -> None:
        """However a batch is put in order, each lead gets the same answer, in its own place."""
        alone = {one.id: answer for one, answer in zip(self.LEADS, batch(self.LEADS), strict=True)}
        every = [*permutations(self.LEADS)]

        assert 120 == len(every)
        for leads in every[::7]:
            assert tuple(alone[one.id] for one in leads) == batch(leads)

    def test_who_makes_it(self) -> None:
        """The one with the least id makes the record."""
        found = results(batch([lead("L-9"), lead("L-10"), lead("L-8")], ["company"]))

        assert ["linked", "created", "linked"] == [one.outcomes[0].action for one in found]
        assert {"L-10.1.company.1"} == {one.outcomes[0].ref.id for one in found}

    def test_of_applying_them(self) -> None:
        """Every order in which each comes after those it names ends in one and the same world."""
        leads = [
            lead("L-1", None, "ada@example.com", tags=["1"]),
            lead("L-2", None, "ada@example.com", tags=["2"]),
            lead("L-3", None, "ada@example.com", tags=["1"]),
            lead("L-4", None, "ada@example.com", tags=["4"], job_title="Countess"),
        ]
        found = results(batch(leads, ["contact", "deal"]))
        worlds = []
        for order in permutations(found):
            keys = [one.changes.key for one in order]
            if all(set(one.changes.after) <= {*keys[:place]} for place, one in enumerate(order)):
                [contact] = stored(leads, order).all(Contact)
                assert isinstance(contact, Contact)
                worlds.append((contact.tags, contact.job_title, {*contact.converted_from}))

        assert [(("1", "2", "4"), "Countess", {"L-1", "L-2", "L-3", "L-4"})] * 2 == worlds

    def test_who_depends_on_whom(self) -> None:
        """A change set comes after all that make or change what it builds on, not after links."""
        leads = [
            lead("L-1", None, "ada@example.com", tags=["1"]),
            lead("L-2", None, "ada@example.com", tags=["2"]),
            lead("L-3", None, "ada@example.com", tags=["1"]),
            lead("L-4", None, "ada@example.com", tags=["4"]),
        ]
        one, two, three, four = (r.changes for r in results(batch(leads, ["contact"])))

        assert () == one.after
        assert (one.key,) == two.after
        assert (one.key, two.key) == three.after
        assert (one.key, two.key) == four.after

    def test_two_records_of_two_leads(self) -> None:
        """Whose company one lead made and whose contact another made comes after both."""
        leads = [
            lead("L-1", "A", "one@example.com"),
            lead("L-2", "B", "two@example.com"),
            lead("L-3", "A", "three@example.com"),
        ]
        apart = results(batch(leads))
        assert (apart[0].changes.key,) == apart[2].changes.after

        both = [*leads[:2], lead("L-3", "A", "two@example.com")]
        answers = batch(both)
        assert isinstance(answers[2], Rejected)
        assert ["clients_disagree"] == [one.code for one in answers[2].error.problems]
        third = results(batch(both, [Find("contact"), Find("company")]))[2]
        assert {one.changes.key for one in results(answers[:2])} != {*third.changes.after}
        assert 2 == len(third.changes.after)

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["A", "B", None]), st.sampled_from(MAILS), st.sampled_from("123")
            ),
            min_size=1,
            max_size=6,
        ),
        st.randoms(use_true_random=False),
        st.sampled_from(["merge", "link"]),
    )
    def test_of_any_batch(
        self, drawn: list[tuple[str | None, str, str]], random: Random, then: str
    ) -> None:
        """Whatever the leads: the order changes nothing, and what is stored holds together."""
        by = rules(contact=then, company=then)
        leads = [
            lead(f"L-{number}", company, mail, tags=[tag])
            for number, (company, mail, tag) in enumerate(drawn)
        ]
        shuffled = [*leads]
        random.shuffle(shuffled)
        answers = batch(leads, by=by)
        again = dict(zip((one.id for one in shuffled), batch(shuffled, by=by), strict=True))

        assert answers == tuple(again[one.id] for one in leads)
        done = [one for one in answers if isinstance(one, Converted)]
        store = stored(leads, results(done))
        keys = [
            tag.value
            for one in store.all(Contact)
            if isinstance(one, Contact)
            for tag in one.emails
        ]
        assert len({*keys}) == len(keys) or any(isinstance(one, Rejected) for one in answers)


class TestOnAStream:
    def test_within_the_window(self) -> None:
        """A later lead shares with an earlier one whose record is still remembered."""
        leads = [lead("L-3", "A"), lead("L-2", "B"), lead("L-1", "A")]
        wide = results(stream(leads, ["company"], twins=2))
        narrow = results(stream(leads, ["company"], twins=1))

        assert ["created", "created", "linked"] == [one.outcomes[0].action for one in wide]
        assert ["created", "created", "created"] == [one.outcomes[0].action for one in narrow]
        assert (wide[0].changes.key,) == wide[2].changes.after

    def test_without_a_window(self) -> None:
        """A stream that remembers nothing shares nothing."""
        found = results(stream([lead("L-1"), lead("L-2")], ["company"], twins=0))

        assert ["created", "created"] == [one.outcomes[0].action for one in found]

    def test_what_is_used_stays(self) -> None:
        """What was shared last is forgotten last."""
        leads = [lead(f"L-{n}", name) for n, name in enumerate(["A", "B", "A", "C", "A", "B"])]
        found = results(stream(leads, ["company"], twins=2))

        assert ["created", "created", "linked", "created", "linked", "created"] == [
            one.outcomes[0].action for one in found
        ]

    def test_one_by_one(self) -> None:
        """Leads are taken as they come: what is asked for first is answered first."""
        taken: list[str] = []

        def leads() -> Iterator[Lead]:
            for id_ in ("L-1", "L-2", "L-3"):
                taken.append(id_)
                yield lead(id_)

        many = stream(leads(), ["company"], twins=5)
        assert [] == taken
        next(many)
        assert ["L-1"] == taken

    @pytest.mark.parametrize("twins", [-1, -100])
    def test_less_than_nothing(self, twins: int) -> None:
        """A negative window is refused at once, before the first lead is taken."""
        with pytest.raises(ValueError, match="twins= is how many records to remember: 0 or more"):
            stream(iter([]), ["company"], twins=twins)

    def test_what_the_host_has_pending(self) -> None:
        """Records that earlier change sets of the host make are matched and named as well."""
        pending = Pending(Company(id="X-1", name="engines", converted_from=["L-0"]), "of the host")
        known = Known(pending=[pending])
        first, second = results(
            convert_many(
                [lead("L-1"), lead("L-2")],
                ["company"],
                rules=rules(company="merge"),
                actor=ADA,
                at=AT,
                known=known,
                twins=5,
            )
        )

        assert [("unchanged", "X-1"), ("unchanged", "X-1")] == [
            actions(one)["company"] for one in (first, second)
        ]
        assert ("of the host",) == first.changes.after == second.changes.after
        assert Ref("company", "X-1", provisional=True) == first.outcomes[0].ref

    def test_what_is_not_there_to_match(self) -> None:
        """Records of kinds that no rule speaks of are not remembered."""
        remembered = Twins(rules=RULES, window=10)
        remembered.remember(
            lead("L-1"), convert(lead("L-1"), ["deal"], rules=RULES, actor=ADA, at=AT)
        )
        assert () == remembered.known(Known()).pending

        remembered.remember(
            lead("L-1"), convert(lead("L-1"), ["company"], rules=RULES, actor=ADA, at=AT)
        )
        assert ["L-1.1.company.1"] == [one.record.id for one in remembered.known(Known()).pending]

    def test_what_is_stored_is_not_pending(self) -> None:
        """A record that a store has is no pending one, whatever became of it."""
        remembered = Twins(rules=RULES, window=10)
        engines = Known(records=[Company(id="CO-9", name="Engines")])
        for target in ("company", Link("company", "CO-9")):
            result = convert(lead("L-1"), [target], rules=RULES, actor=ADA, at=AT, known=engines)
            remembered.remember(lead("L-1"), result)

        assert Known() == remembered.known(Known())


class TestRefused:
    def test_in_between(self) -> None:
        """A twin that is refused leaves nothing behind, and stands in nobody's way."""
        leads = [lead("L-1"), lead("L-2", stage="JUNK"), lead("L-3")]
        first, second, third = batch(leads)

        assert isinstance(second, Rejected)
        assert ("L-2", ["in_failure_stage"]) == (
            second.lead_id,
            [one.code for one in second.error.problems],
        )
        one, three = results([first, third])
        assert ("linked", "L-1.1.company.1") == actions(three)["company"]
        assert (one.changes.key,) == three.changes.after
        stored(leads, [one, three])

    def test_the_first(self) -> None:
        """Where the first is refused, the next one makes the record."""
        leads = [lead("L-1", stage="JUNK"), lead("L-2"), lead("L-3")]
        _, two, three = batch(leads)

        assert [("created", "L-2.1.company.1"), ("linked", "L-2.1.company.1")] == [
            actions(one)["company"] for one in results([two, three])
        ]

    def test_one_that_matches_two(self) -> None:
        """A lead that brings two together is a question, and both are told."""
        leads = [
            lead("L-1", None, "one@example.com"),
            lead("L-2", None, "two@example.com"),
            lead("L-3", None, emails=[Channel("one@example.com"), Channel("two@example.com")]),
        ]
        third = batch(leads, ["contact"])[2]

        assert isinstance(third, Rejected)
        [problem] = third.error.problems
        assert "several_matches" == problem.code
        assert ("L-1.1.contact.1", "L-2.1.contact.1") == tuple(
            one["id"]
            for one in problem.params["candidates"]  # type: ignore[attr-defined]  # as it is made
        )


class TestEqualIds:
    @pytest.mark.parametrize("then", ["merge", "link"])
    def test_one_lead_twice(self, then: str) -> None:
        """A lead that comes twice is no twin of itself: its change set depends on no own record."""
        by = rules(company=then)
        first, second = results(batch([lead("L-1")] * 2, by=by))

        assert first == second
        assert () == second.changes.after
        store = Store.of(lead("L-1"))
        receipt = store.apply(first.changes)
        assert attrs.evolve(receipt, replayed=True) == store.apply(second.changes)
        assert 1 == len(store.all(Company))
        assert first.stored(receipt) == second.stored(store.apply(second.changes))

    def test_on_a_stream(self) -> None:
        """It is so on a stream, and beside real twins as well."""
        leads = [lead("L-1"), lead("L-1"), lead("L-2"), lead("L-2")]
        one, again, two, twice = results(stream(leads, twins=10))

        assert (one, two) == (again, twice)
        assert (one.changes.key,) == two.changes.after
        stored(leads, [one, again, two, twice])

    def test_forgotten(self) -> None:
        """Beyond the window it is decided again, and makes what it made before under one key."""
        leads = [lead("L-1", "A"), lead("L-2", "B"), lead("L-1", "A")]
        one, _, again = results(stream(leads, ["company"], twins=1))

        assert one == again

    def test_two_versions_of_a_lead(self) -> None:
        """Two leads with one id are decided each as it stands; neither builds on the other."""
        versions = [lead("L-1", "A"), lead("L-1", "A", title="Changed")]

        assert [(), ()] == [one.changes.after for one in results(batch(versions))]


class TestBatchIsMap:
    def test_law_11_for_leads_that_are_no_twins(self) -> None:
        """Converting many is converting each: nothing of one leaks into the next."""
        leads = [
            lead(f"L-{number}", f"Company {number}", f"{number}@example.com", tags=[str(number)])
            for number in range(8)
        ]
        leads[3] = attrs.evolve(leads[3], stage="JUNK")
        answers = batch(leads)

        assert answers == tuple(stream(leads, twins=100)) == tuple(stream(leads, twins=0))
        for one, answer in zip(leads, answers, strict=True):
            if isinstance(answer, Converted):
                assert convert(one, ALL, rules=RULES, actor=ADA, at=AT) == answer.result
        assert ["L-3"] == [one.lead_id for one in answers if isinstance(one, Rejected)]

    def test_more_targets_than_kinds(self) -> None:
        """However many records a lead makes, a batch remembers them all."""
        extra = [Create("contact", values={"last_name": str(n), "emails": []}) for n in range(8)]
        leads = [lead("L-1"), lead("L-2", "B"), lead("L-3")]
        one, two, three = results(batch(leads, ["company", *extra]))

        assert ["created", "created", "linked"] == [
            actions(r)["company"][0] for r in (one, two, three)
        ]
        assert (one.changes.key,) == three.changes.after

    def test_targets_that_can_be_read_once(self) -> None:
        """It makes no difference how leads and targets are handed over."""
        leads = [lead("L-1"), lead("L-2")]

        assert batch(leads, ["company", "deal"]) == batch(iter(leads), iter(["company", "deal"]))

    def test_nothing(self) -> None:
        """Of nothing comes nothing; a misused signature is told all the same."""
        assert () == batch([])
        with pytest.raises(TypeError, match=r"write \[...\] around it"):
            batch([], "deal")


class TestStored:
    LEADS = (lead("L-1"), lead("L-2"))

    def test_as_stored(self) -> None:
        """With the store's receipts each result is bound: nothing provisional is left in it."""
        first, second = results(batch(self.LEADS))
        store = Store.of(*self.LEADS)
        receipts = [store.apply(one.changes) for one in (first, second)]
        [company] = store.all(Company)
        after = second.stored(receipts[1])

        assert company.id == after.company.id == after.contact.company_id == after.deal.company_id
        assert not any(one.ref.provisional for one in after.outcomes)
        assert not any(one.provisional for one in after.lead.conversions[0].targets)
        assert store.records[Ref("lead", "L-2")] == after.lead
        assert {Ref("company", company.id)} < {one.ref for one in after.outcomes}

    def test_a_receipt_that_is_silent(self) -> None:
        """A receipt that says nothing of the shared record leaves it nowhere, and is refused."""
        second = results(batch(self.LEADS))[1]
        own = [
            (one.ref, attrs.evolve(one.ref, provisional=False))
            for one in second.outcomes
            if one.ref.kind != "company"
        ]

        with pytest.raises(ValueError, match=r"says nothing of company L-1\.1\.company\.1"):
            second.stored(Receipt(ids=own))
