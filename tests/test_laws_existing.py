"""The laws where records exist already, as properties, and over the life of a small world."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import attrs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from leadconvert import (
    Actor,
    Address,
    Attach,
    ChangeSet,
    Channel,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Field,
    FieldMapping,
    FieldType,
    Find,
    Insert,
    Kind,
    Known,
    Lead,
    Link,
    Matching,
    MatchRule,
    Merge,
    Plan,
    Product,
    Record,
    Ref,
    Rejected,
    Target,
    Update,
    convert,
    convert_batch,
    convert_many,
    errors,
    plan,
    presets,
    testing,
    wanted,
)
from leadconvert.changes import bind, plain
from leadconvert.errors import Cause
from leadconvert.merging import Conflict, misfit
from leadconvert.records import changed


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA: Final = Actor("u-1", roles=["admin", "r-1"])
BITRIX: Final = presets.bitrix24()
laws = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

#: One value that fits, by type, to supply where something is missing.
FITTING: Final[Mapping[FieldType, object]] = {
    FieldType.TEXT: "x",
    FieldType.INTEGER: 1,
    FieldType.DECIMAL: 1,
    FieldType.MONEY: 1,
    FieldType.BOOLEAN: True,
    FieldType.DATE: AT.date(),
    FieldType.DATETIME: AT,
    FieldType.URL: Channel("x"),
    FieldType.EMAIL: Channel("x"),
    FieldType.PHONE: Channel("x"),
    FieldType.MESSENGER: Channel("x"),
    FieldType.ADDRESS: Address(city="x"),
    FieldType.PRODUCT: Product(name="x", price=1),
    FieldType.FILE: "x",
}


def filled(value: object) -> bool:
    """Tell what the design calls filled, in this file's own words."""
    match value:
        case None:
            return False
        case str():
            return value.strip() != ""
        case tuple():
            return any(map(filled, value))
        case Channel():
            return value.value.strip() != ""
        case Address():
            return any(filled(part) for part in attrs.astuple(value))
        case _:
            return True


def several(value: object) -> tuple[object, ...]:
    """The filled values in a field, be it one or several."""
    return tuple(one for one in (value if isinstance(value, tuple) else (value,)) if filled(one))


def written(value: object) -> object:
    """What is left of a value but for how it is written."""
    told = value.value if isinstance(value, Channel) else value
    if not isinstance(told, str):
        return told
    folded = unicodedata.normalize("NFKC", told).casefold()
    return "".join(one for one in folded if one.isalnum()).removeprefix("00")


def has_all(there: object, values: object) -> bool:
    """Tell whether a field has all of some values, however they are written."""
    return {*map(written, several(values))} <= {*map(written, several(there))}


def filled_fields(lead: Lead) -> dict[str, object]:
    """A lead's filled fields, without its identity, its stage and its history."""
    skipped = {"id", "revision", "stage", "stage_history", "conversions", "custom"}
    names = {one.name for one in attrs.fields(Lead)} - skipped
    found = {name: getattr(lead, name) for name in names} | {**lead.custom}
    return {name: value for name, value in found.items() if filled(value)}


@attrs.frozen
class Asked:
    """One request, and the records that are there."""

    rules: ConversionRules = attrs.field(repr=False)
    lead: Lead
    into: tuple[Target, ...]
    records: tuple[Record, ...]

    def plan(self) -> Plan:
        """Return what the library decides."""
        there = Known(records=self.records)
        return plan(self.lead, self.into, rules=self.rules, actor=ADA, at=AT, known=there)

    def before(self, ref: Ref) -> Record | None:
        """Return the record as it was, if it was there."""
        found = [one for one in self.records if one.id == ref.id]
        return next((one for one in found if self.kind(ref).id == kind_of(self.rules, one)), None)

    def kind(self, ref: Ref) -> Kind:
        """Return the kind of a target."""
        kind = self.rules.kind(ref.kind)
        assert kind is not None
        return kind


def kind_of(rules: ConversionRules, record: Record) -> str:
    """The id of a record's kind."""
    kind = rules.kind_of(record)
    assert kind is not None
    return kind.id


@st.composite
def conflicting(draw: st.DrawFn) -> ConversionRules:
    """Draw rules whose mappings merge by any rule that fits their field."""
    rules = draw(st.just(BITRIX) | testing.conversion_rules())

    def merging(mapping: FieldMapping) -> FieldMapping:
        kind = rules.kind(mapping.kind or "")
        if kind is None:
            return mapping
        field = kind.members[str(mapping.target)]
        fitting = [one.value for one in Conflict if misfit(field, one) is None]
        return attrs.evolve(mapping, conflict=draw(st.sampled_from(fitting)))

    return attrs.evolve(
        rules, mappings=list(map(merging, rules.mappings)), transforms=dict(rules.transforms)
    )


@st.composite
def existing(draw: st.DrawFn, kind: Kind, id_: str) -> Record:
    """Draw a record of a kind as a store may hold it; it points at nobody."""
    names = [name for name in kind.members if name not in {*kind.references, kind.converted_from}]
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=6))
    values = {name: draw(testing.values(kind.members[name])) for name in chosen}
    earlier = draw(st.sampled_from([(), ("L-0",), ("L-0", "L-00")]))
    record = kind.build(id_, {**values, str(kind.converted_from): earlier})
    return changed(record, {"revision": draw(st.sampled_from([None, "7"]))})


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """Draw rules, a lead, records, and targets that find, make, link and merge into them."""
    rules = draw(conflicting())
    lead = draw(testing.leads(rules))
    records: list[Record] = []
    into: list[Target] = []
    for kind in draw(st.permutations(rules.kinds)):
        for number in range(draw(st.integers(0, 2))):
            record = draw(existing(kind, f"{kind.id}-{number}"))
            records.append(record)
            [asked] = draw(testing.targets(rules, fitting=True, max_size=1))
            of_kind = isinstance(asked, Create) and asked.kind == kind.id
            values = asked.values if isinstance(asked, Create) and of_kind else {}
            chosen = [Link(kind.id, record.id), Merge(kind.id, record.id, values=values)]
            into += [draw(st.sampled_from(chosen))] if draw(st.booleans()) else []
        into += draw(st.sampled_from([[], [], [Find(kind.id)], [Create(kind.id)]]))
    assume(into)
    return Asked(rules, lead, tuple(into), tuple(records))


def complete(asked: Asked) -> Asked:
    """Return the request with everything supplied that it lacks; there may be nothing else."""
    for _ in range(60):
        problems = asked.plan().problems
        if not problems:
            return asked
        assume({Cause.MISSING} == {one.cause for one in problems})
        first, into = problems[0], list(asked.into)
        assert first.target is not None
        assert first.field is not None
        field = asked.kind(Ref(str(first.kind), "")).members[first.field]
        one = field.options[0].id if field.options else FITTING[field.type]
        values = {**into[first.target].values, first.field: (one,) if field.multiple else one}
        into[first.target] = attrs.evolve(into[first.target], values=values)
        asked = attrs.evolve(asked, into=tuple(into))
    raise AssertionError("supplying what is missing never ends")


def answerable() -> st.SearchStrategy[Asked]:
    """Draw requests that can be met."""
    return requests().map(complete)


class TestLaw5NothingIsLost:
    """Every filled field of the lead is accounted for, also where records exist already."""

    @laws
    @given(answerable())
    def test_law_5_every_field_is_told(self, asked: Asked) -> None:
        """Each filled field has a row, and what a row says of it is true."""
        result = asked.plan().result()
        outcomes = {
            draft.name: outcome
            for draft, outcome in zip(asked.plan().targets, result.outcomes, strict=True)
        }
        rows = [row for row in result.explain() if row.field is not None]
        # these make another value of it
        others = {
            str(one)
            for one in asked.rules.mappings
            if one.transform or one.combines or one.overflow == "shorten"
        }
        assert filled_fields(asked.lead).keys() == {row.field for row in rows}
        for row in rows:
            if row.target is None:
                assert row.outcome in {"left_behind", "dropped"}
                continue
            name, _, field = row.target.partition(".")
            outcome = outcomes[name]
            kind, before = asked.kind(outcome.ref), asked.before(outcome.ref)
            value = filled_fields(asked.lead)[str(row.field)]
            after = kind.read(outcome.record, field)
            turned = row.mapping in others or row.reason == "leftovers"
            assert "linked" != outcome.action
            if row.outcome == "carried":
                assert filled(after)
                assert turned or has_all(after, value)
            elif row.outcome == "already_there":
                assert before is not None
                assert turned or has_all(kind.read(before, field), value)
            elif row.outcome == "unmerged":
                assert before is not None
                assert kind.read(before, field) == after
            elif row.outcome == "taken":
                # each product line is for one record only
                assert "products" == row.field
                assert any("carried" == one.outcome for one in rows if one.field == row.field)
            else:
                assert row.outcome in {"overridden", "not_needed"}
        assert {row.field for row in result.unmerged} <= {row.field for row in rows}


def _lines(kind: Kind, record: Record, field: Field) -> object:
    """Return what this field sums up, if it does."""
    return None if field.sums is None else kind.read(record, field.sums)


def _total(lines: object) -> Decimal:
    """Return what they come to: an amount follows its lines, which have rules of their own."""
    products = [one for one in several(lines) if isinstance(one, Product)]
    return sum((one.price * one.quantity for one in products), Decimal())


def _settled(rule: str | None, old: object, new: object) -> None:
    """What stands there is overwritten only as the rule of its field says."""
    if old == new or (rule != "keep" and not filled(old)):
        return
    assert rule in {"take", "append", "longest", "newest"}
    if rule == "append":
        assert several(old) == several(new)[: len(several(old))]
    if rule == "longest":
        assert len(str(new)) > len(str(old).strip())


class TestLaw6ExistingDataIsSafe:
    """What is there stays, unless a rule or a person says otherwise."""

    @laws
    @given(answerable())
    def test_law_6_filled_fields_stay(self, asked: Asked) -> None:
        """A filled field is overwritten only by its rule or by a value given; the rest stays."""
        result = asked.plan().result()
        for draft, outcome in zip(asked.plan().targets, result.outcomes, strict=True):
            before = asked.before(outcome.ref)
            if before is None:
                assert "created" == outcome.action
                continue
            kind, given_values = asked.kind(outcome.ref), asked.into[draft.target].values
            by = {one.target: one.conflict for one in asked.rules.mappings_into(kind.id)}
            below = {one.field for one in asked.rules.leftovers if one.kind == kind.id}
            for name, field in kind.members.items():
                old, new = kind.read(before, name), kind.read(outcome.record, name)
                if name in below and new != old:
                    assert str(new).startswith(str(old) if filled(old) else "")
                elif name == kind.converted_from:
                    assert tuple(dict.fromkeys((*several(old), asked.lead.id))) == new
                elif outcome.action in {"linked", "unchanged"}:
                    assert old == new
                elif name in given_values:
                    continue
                elif _lines(kind, outcome.record, field) != _lines(kind, before, field):
                    stood = [old] if filled(old) else []
                    assert new in [*stood, _total(_lines(kind, outcome.record, field))]
                elif name not in kind.references or (filled(old) and not field.multiple):
                    _settled(by.get(name), old, new)

    @laws
    @given(answerable())
    def test_law_6_just_what_changes_is_written(self, asked: Asked) -> None:
        """Before holds what changed, as it was; a store writes just that, in that revision."""
        result = asked.plan().result()
        updates = {one.ref: one for one in result.changes.changes[:-1] if isinstance(one, Update)}
        attached = {one.ref for one in result.changes.changes if isinstance(one, Attach)}
        for outcome in result.outcomes:
            kind, before = asked.kind(outcome.ref), asked.before(outcome.ref)
            if before is None:
                assert {} == outcome.before
                assert outcome.ref not in updates
                continue
            names = {*kind.members, *outcome.record.custom} - {kind.converted_from}
            differ = {
                name: kind.read(before, name)
                for name in names
                if kind.read(before, name) != kind.read(outcome.record, name)
            }
            assert differ == outcome.before
            assert (outcome.action == "merged") == bool(differ)
            assert (outcome.ref in updates) == bool(differ)
            if differ:
                assert before.revision == updates[outcome.ref].revision
                assert differ.keys() == updates[outcome.ref].values.keys()
            is_new = asked.lead.id not in several(kind.read(before, kind.converted_from))
            assert (outcome.ref in attached) == is_new

    @laws
    @given(answerable())
    def test_law_6_the_others_are_untouched(self, asked: Asked) -> None:
        """No change is about a record that was not asked for."""
        result = asked.plan().result()
        asked_for = {(one.kind, one.id) for one in asked.into if isinstance(one, Link | Merge)}

        assert asked_for | {("lead", asked.lead.id)} >= {
            (one.ref.kind, one.ref.id)
            for one in result.changes.changes
            if not isinstance(one, Insert)
        }


class TestLaw8BothSidesAgree:
    """The lead knows its targets and they know it, before storing and after."""

    @laws
    @given(answerable())
    def test_law_8_both_sides_agree(self, asked: Asked) -> None:
        """Applied to a store, every target of the lead points back at it, and only they."""
        result = asked.plan().result()
        store = Store.of(asked.rules, asked.lead, *asked.records)
        store.apply(result.changes)

        assert tuple(one.ref for one in result.outcomes) == result.conversion.targets
        assert len(asked.into) == len(result.outcomes)
        [lead] = [one for one in store.records.values() if isinstance(one, Lead)]
        [conversion] = lead.conversions
        kinds = {kind.id: kind for kind in asked.rules.kinds}
        pointing = {
            ref
            for ref, record in store.records.items()
            if ref.kind in kinds
            and lead.id in several(kinds[ref.kind].read(record, kinds[ref.kind].converted_from))
        }
        assert pointing == {*conversion.targets}
        assert not any(ref.provisional for ref in conversion.targets)


class TestLaw11BatchIsMap:
    """Converting many is converting each, but for twins."""

    MATCHING = Matching(
        [
            MatchRule("contact", ["email", "phone"], "merge"),
            MatchRule("company", ["company"], "link"),
        ]
    )
    RULES = attrs.evolve(BITRIX, matching=MATCHING)

    @laws
    @given(st.data())
    def test_law_11_batch_is_map(self, data: st.DataObject) -> None:
        """Leads that share no key are decided in a batch, and on a stream, as each alone."""
        leads = data.draw(
            st.lists(testing.leads(self.RULES), max_size=5, unique_by=lambda one: one.id)
        )
        keys = [key for one in leads for key in self.RULES.matching.keys(self.RULES.lead, one)]
        assume(len(keys) == len({*keys}))
        into: list[str | Target] = data.draw(
            st.sampled_from([["contact"], ["contact", "company", "deal"], [Merge("deal", "D-5")]])
        )
        known = Known(records=[Deal(id="D-5", title="Old"), Contact(id="C-3", last_name="B")])
        alone: list[Converted | Rejected] = []
        for one in leads:
            try:
                result = convert(one, into, rules=self.RULES, actor=ADA, at=AT, known=known)
                alone.append(Converted(result))
            except errors.ConversionError as error:
                alone.append(Rejected(one.id, error))

        batch = convert_batch(leads, into, rules=self.RULES, actor=ADA, at=AT, known=known)
        stream = convert_many(
            iter(leads), into, rules=self.RULES, actor=ADA, at=AT, known=known, twins=9
        )
        assert tuple(alone) == batch == tuple(stream)


class StaleError(Exception):
    """A record has changed since a change set was decided."""


@attrs.define
class Store:
    """A store with ids and revisions of its own: it applies whole, or it raises."""

    rules: ConversionRules
    records: dict[Ref, Record]
    ids: dict[Ref, Ref] = attrs.field(factory=dict)
    applied: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, rules: ConversionRules, *records: Record) -> "Store":
        """Return a store that holds just these."""
        return cls(rules, {Ref(kind_of(rules, one), one.id): one for one in records})

    def kind(self, ref: Ref) -> Kind:
        """Return the kind of a record, the lead's included."""
        return self.rules.kind(ref.kind) or self.rules.lead

    def apply(self, changes: ChangeSet) -> None:
        """Apply *changes* all or nothing, each set once, and after those it comes after."""
        if changes.key in self.applied:
            assert self.applied[changes.key] == changes.fingerprint
            return
        assert {*changes.after} <= self.applied.keys()
        records, ids = {**self.records}, {**self.ids}
        for one in changes.changes:
            if isinstance(one, Insert):
                ids[one.ref] = Ref(one.ref.kind, f"{one.ref.kind}-{len(ids) + 100}")
            ref = ids.get(one.ref, one.ref)
            assert not ref.provisional
            records[ref] = self._written(records.get(ref), one, ref, ids)
        self.records, self.ids = records, ids
        self.applied[changes.key] = changes.fingerprint

    def _written(
        self, record: Record | None, one: Insert | Update | Attach, ref: Ref, ids: dict[Ref, Ref]
    ) -> Record:
        kind = self.kind(ref)
        if isinstance(one, Attach):
            assert record is not None
            refs = (*several(kind.read(record, one.field)), *(each.id for each in one.refs))
            return self.put(record, {one.field: tuple(dict.fromkeys(refs))})
        values = {name: plain(bind(value, ids)) for name, value in one.values.items()}
        if isinstance(one, Insert):
            assert record is None
            return changed(kind.build(ref.id, values), {"revision": "1"})
        assert record is not None
        if one.revision is not None and one.revision != record.revision:
            raise StaleError(str(ref))
        return self.put(record, values)

    @staticmethod
    def put(record: Record, values: Mapping[str, object]) -> Record:
        """Return a record with other values, in its next revision."""
        revision = str(int(record.revision or "0") + 1)
        return changed(changed(record, values), {"revision": revision})


MAILS: Final = ("", " ", "n/a", "ada@example.com", "ADA@example.com", "king@example.com")
FIRMS: Final = (None, " ", "Engines", "ENGINES", "Looms")
#: What a lead or a client may hold, by field of both.
TEXTS: Final[Mapping[str, tuple[object, ...]]] = {
    "comments": (None, " ", "one", "two"),
    "source": (None, "WEB", "CALL"),
    "tags": ((), ("a",), ("b", "a")),
    "phones": ((), (Channel("+49 30 123456"),), (Channel("0049 30 123456"), Channel("110"))),
}
APPENDED: Final = frozenset({"emails", "tags", "phones", "contact_ids"})
LEADS: Final = st.fixed_dictionaries(
    {
        "emails": st.sampled_from(MAILS).map(lambda mail: (Channel(mail),)),
        "company_name": st.sampled_from(FIRMS),
        "last_name": st.sampled_from([None, "Byron", "King"]),
        **{name: st.sampled_from(some) for name, some in TEXTS.items()},
    }
)
CLIENTS: Final = st.tuples(
    st.sampled_from(["contact", "company"]),
    st.sampled_from(MAILS),
    st.sampled_from([*FIRMS, "Mills"]),
)


def world_rules(then: str, *, enrich: bool) -> ConversionRules:
    """The preset, by which people are known by e-mail and companies by name."""
    return attrs.evolve(
        BITRIX,
        matching=Matching(
            [MatchRule("contact", ["email"], then), MatchRule("company", ["company"], then)],
            enrich=enrich,
        ),
        mappings=[
            attrs.evolve(one, conflict="append") if one.target in APPENDED else one
            for one in BITRIX.mappings
        ],
    )


class World(RuleBasedStateMachine):
    """Leads, clients and deals, what users do to them by hand, and conversions into them."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(BITRIX, {})
        self.done: list[ChangeSet] = []
        self.count = 0

    @initialize(
        then=st.sampled_from(["merge", "link"]),
        enrich=st.booleans(),
        leads=st.lists(LEADS, min_size=3, max_size=8),
        clients=st.lists(CLIENTS, min_size=1, max_size=4),
    )
    def begin(
        self,
        then: str,
        enrich: bool,
        leads: list[dict[str, object]],
        clients: list[tuple[str, str, str | None]],
    ) -> None:
        """Say what follows from a match, whether conversions fill the clients, and who is there."""
        self.store.rules = world_rules(then, enrich=enrich)
        for one in leads:
            self.a_lead_arrives(one)
        for client in clients:
            self.a_client_is_made(client)

    # -- what users do by hand ---------------------------------------------------------------------

    @rule(values=LEADS)
    def a_lead_arrives(self, values: dict[str, object]) -> None:
        """A lead arrives, with little or much, some of it blank."""
        self.count += 1
        id_ = f"L-{self.count}"
        lead = Lead(id=id_, revision="1", stage="NEW", title=f"Enquiry {self.count}")
        self.store.records[Ref("lead", id_)] = changed(lead, values)

    @rule(client=CLIENTS)
    def a_client_is_made(self, client: tuple[str, str, str | None]) -> None:
        """A user makes a contact or a company by hand, maybe one that is there already."""
        self.count += 1
        (kind, mail, firm), id_ = client, f"X-{self.count}"
        if kind == "company":
            record: Record = Company(id=id_, revision="1", name=firm, emails=[Channel(mail)])
        else:
            firms = [one for one in self.store.records.values() if isinstance(one, Company)]
            of = next((one.id for one in firms if one.name == firm), None)
            record = Contact(id=id_, revision="1", last_name="Known", emails=[Channel(mail)])
            record = changed(record, {"company_id": of})
        self.store.records[Ref(kind, id_)] = record

    @precondition(lambda self: self.refs("contact", "company", "deal"))
    @rule(data=st.data())
    def a_record_is_edited(self, data: st.DataObject) -> None:
        """A user fills, changes or empties a field."""
        ref = data.draw(st.sampled_from(self.refs("contact", "company", "deal")))
        names = [name for name in TEXTS if name in self.store.kind(ref).members]
        name = data.draw(st.sampled_from(names))
        value = data.draw(st.sampled_from(TEXTS[name]))
        self.store.records[ref] = Store.put(self.store.records[ref], {name: value})

    @precondition(lambda self: self.open_leads() and self.refs("contact", "company"))
    @rule(data=st.data())
    def a_lead_is_bound(self, data: st.DataObject) -> None:
        """A user binds a lead to clients that are there."""
        lead = data.draw(st.sampled_from(self.open_leads()))
        there = self.ids("contact")
        some = data.draw(st.lists(st.sampled_from(there), unique=True, max_size=2)) if there else []
        company = data.draw(st.sampled_from([None, *self.ids("company")]))
        ref = Ref("lead", lead.id)
        self.store.records[ref] = Store.put(lead, {"contact_ids": some, "company_id": company})

    # -- conversions -------------------------------------------------------------------------------

    @precondition(lambda self: self.open_leads())
    @rule(data=st.data())
    def a_lead_is_converted(self, data: st.DataObject) -> None:
        """A lead is converted by name, or into whom a user chooses; or refused, and nothing is."""
        lead = data.draw(st.sampled_from(self.open_leads()))
        into = [self.target(kind, data) for kind in data.draw(st.sampled_from(SHAPES))]
        decided = self.decide(lead, into)
        if decided.conversion is not None:
            self.keep(decided.conversion, decided)

    @precondition(lambda self: 1 < len(self.open_leads()))
    @rule(
        kinds=st.sampled_from([["contact"], ["company", "contact"], ["deal", "contact", "company"]])
    )
    def all_leads_are_converted(self, kinds: list[str]) -> None:
        """All open leads are converted in one batch; what is stale by then is decided again."""
        leads = self.open_leads()
        everything = Known(records=self.store.records.values())
        rules = self.store.rules
        answers = convert_batch(leads, kinds, rules=rules, actor=ADA, at=AT, known=everything)
        waiting = [one.result for one in answers if isinstance(one, Converted)]
        again: list[str] = []
        while waiting:
            ready = [one for one in waiting if {*one.changes.after} <= self.store.applied.keys()]
            waiting = [one for one in waiting if one not in ready]
            for result in ready:
                try:
                    self.keep(result)
                except StaleError:
                    again.append(result.lead.id)
            if not ready:
                again += [one.lead.id for one in waiting]
                break
        for id_ in again:
            lead = self.store.records[Ref("lead", id_)]
            assert isinstance(lead, Lead)
            decided = self.decide(lead, [Find(kind) for kind in kinds])
            if decided.conversion is not None:
                self.keep(decided.conversion, decided)

    @precondition(lambda self: self.open_leads() and self.refs("contact"))
    @rule(data=st.data())
    def a_client_changes_in_between(self, data: st.DataObject) -> None:
        """What was decided on a record as it was is not written once that has changed."""
        lead = data.draw(st.sampled_from(self.open_leads()))
        ref = data.draw(st.sampled_from(self.refs("contact")))
        result = self.decide(lead, [Merge("contact", ref.id)]).conversion
        self.store.records[ref] = Store.put(self.store.records[ref], {"comments": "in between"})
        if result is not None and any(one.ref == ref and one.before for one in result.outcomes):
            before = {**self.store.records}
            try:
                self.store.apply(result.changes)
            except StaleError:
                assert before == self.store.records
            else:
                raise AssertionError("a stale record was written")

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def a_change_set_comes_again(self, data: st.DataObject) -> None:
        """A retry changes nothing."""
        before = {**self.store.records}
        self.store.apply(data.draw(st.sampled_from(self.done)))
        assert before == self.store.records

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def a_converted_lead_is_converted_again(self, data: st.DataObject) -> None:
        """It is refused, with what it became."""
        lead = self.store.records[data.draw(st.sampled_from(self.done)).changes[-1].ref]
        assert isinstance(lead, Lead)
        decided = self.decide(lead, [Find("deal")])
        assert "converted" == decided.problems[0].code
        assert lead.conversions[0].targets

    def decide(self, lead: Lead, into: Iterable[Target]) -> Plan:
        """Plan with just what `wanted` lists; a host that loads everything learns the same."""
        rules, targets = self.store.rules, tuple(into)
        loaded: dict[Ref, Record] = {}
        for _ in range(3):  # what was found may refer to more
            known = Known(records=loaded.values())
            asked = wanted(lead, targets, rules=rules, known=known)
            matches = {
                ref: record
                for ref, record in self.store.records.items()
                for kind in rules.kinds
                if ref.kind == kind.id
                and {(kind.id, key) for key in rules.matching.keys(kind, record)} & {*asked.matches}
            }
            loaded = matches | {
                ref: self.store.records[ref] for ref in asked.refs if ref in self.store.records
            }
        some, everything = (
            plan(lead, targets, rules=rules, actor=ADA, at=AT, known=Known(records=there.values()))
            for there in (loaded, self.store.records)
        )
        assert attrs.evolve(some, required_access=()) == attrs.evolve(
            everything, required_access=()
        )
        return some

    def keep(self, result: ConversionResult, decided: Plan | None = None) -> None:
        """Apply a result, and see that it did what it may and no more."""
        before = {**self.store.records}
        self.store.apply(result.changes)
        self.done.append(result.changes)
        ids = self.store.ids
        lead = before[Ref("lead", result.lead.id)]
        assert isinstance(lead, Lead)
        targets = {} if decided is None else {
            ids.get(draft.ref, draft.ref): decided.request.targets[draft.target]
            for draft in decided.targets
        }  # fmt: skip
        outcomes = {ids.get(one.ref, one.ref): one for one in result.outcomes}
        for ref, old in before.items():
            new = self.store.records[ref]
            if ref not in outcomes:
                assert ref == Ref("lead", lead.id) or old == new, f"{ref} was changed unasked"
                continue
            target = targets.get(ref, Find(ref.kind))
            if isinstance(target, Find):
                assert self.is_known(lead, ref, old), f"{ref} is a stranger"
            self.is_safe(self.store.kind(ref), old, new, target, outcomes[ref].action)
        self.is_told(lead, result)

    @staticmethod
    def is_safe(kind: Kind, old: Record, new: Record, target: Target, action: str) -> None:
        """See that no filled field was overwritten, and a linked record not touched."""
        for name in kind.members:
            was, now = kind.read(old, name), kind.read(new, name)
            if name == kind.converted_from:
                assert several(was) == several(now)[: len(several(was))]
            elif was != now:
                assert action == "merged", f"{name} of a record that was {action}"
                assert name in target.values or not filled(was) or name in APPENDED
                if name in APPENDED and name not in target.values:
                    assert several(was) == several(now)[: len(several(was))]

    @staticmethod
    def is_told(lead: Lead, result: ConversionResult) -> None:
        """See that every filled field of the lead is accounted for, and that it is true."""
        rows = [row for row in result.explain() if row.field is not None]
        values = filled_fields(lead)
        assert values.keys() == {row.field for row in rows}
        by_kind = {one.ref.kind: one.record for one in result.outcomes}
        for row in rows:
            if row.target is not None and row.outcome in {"carried", "already_there"}:
                name, _, field = row.target.partition(".")
                there = getattr(by_kind[name.partition(" ")[0]], field)
                assert has_all(there, values[str(row.field)])

    @staticmethod
    def is_known(lead: Lead, ref: Ref, record: Record) -> bool:
        """Whether a lead is bound to a record, or shares an address or a name with it."""
        bound = {*lead.contact_ids, lead.company_id}
        if ref.id in bound:
            return True
        if isinstance(record, Contact):
            ours, theirs = (
                {each.value.strip().lower() for each in one.emails if "@" in each.value}
                for one in (lead, record)
            )
            return bool(ours & theirs)
        assert isinstance(record, Company)
        names = [(lead.company_name or "").strip().lower(), (record.name or "").strip().lower()]
        return names[0] == names[1] != ""

    # -- what is there -----------------------------------------------------------------------------

    def refs(self, *kinds: str) -> list[Ref]:
        """The records of some kinds."""
        return [ref for ref in self.store.records if ref.kind in kinds]

    def ids(self, kind: str) -> list[str]:
        """The ids of one kind."""
        return [ref.id for ref in self.refs(kind)]

    def open_leads(self) -> list[Lead]:
        """The leads that are not converted."""
        records = self.store.records.values()
        return [one for one in records if isinstance(one, Lead) and not one.conversions]

    def target(self, kind: str, data: st.DataObject) -> Target:
        """A target of a kind: by name, new, or one that is there, with or without a value."""
        ids = self.ids(kind)
        said: list[dict[str, object]] = [{}, {}, {"comments": "said"}, {"comments": None}]
        values = data.draw(st.sampled_from(said))
        sorts: list[Target] = [Find(kind), Find(kind), Create(kind, values=values)]
        if ids:
            id_ = data.draw(st.sampled_from(ids))
            revision = self.store.records[Ref(kind, id_)].revision
            sorts += [Link(kind, id_), Merge(kind, id_, values=values, revision=revision)]
        return data.draw(st.sampled_from(sorts))

    @invariant()
    def both_sides_agree(self) -> None:
        """Every lead and its targets know each other, and whoever is pointed at is there."""
        for ref, record in self.store.records.items():
            kind = self.store.kind(ref)
            assert not ref.provisional
            for name, field in kind.references.items():
                for id_ in several(kind.read(record, name)):
                    assert Ref(str(field.to), str(id_)) in self.store.records
            back = several(kind.read(record, kind.converted_from))
            assert len(back) == len({*back})
            for id_ in back:
                lead = self.store.records[Ref("lead", str(id_))]
                assert isinstance(lead, Lead)
                assert ref in lead.conversions[0].targets
            if isinstance(record, Lead):
                assert len(record.conversions) <= 1
                assert (record.stage == "CONVERTED") == bool(record.conversions)
                for target in (one for made in record.conversions for one in made.targets):
                    client = self.store.records[target]
                    assert record.id in getattr(client, "converted_from", ())


SHAPES: Final = (
    ["deal"],
    ["contact", "deal"],
    ["contact", "company", "deal"],
    ["company"],
    ["contact", "company"],
)

TestWorld = World.TestCase
TestWorld.settings = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
