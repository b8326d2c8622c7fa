"""Seeding: records brought into a store as they are, by the one way there is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    ChangeSet,
    Channel,
    ChildRule,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Deal,
    Field,
    FrozenMap,
    GenericRecord,
    Insert,
    Kind,
    Lead,
    Matching,
    MatchRule,
    Record,
    Ref,
    StageChange,
    presets,
    seed,
)
from leadconvert.records import changed
from leadconvert.stores import MemoryStore


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Visit:
    """A class of the host's, which says something unless it is told otherwise."""

    id: str
    place: str
    revision: str | None = None
    hours: int | None = 1
    keywords: tuple[str, ...] = attrs.field(factory=tuple)
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])


TASK: Final = Kind(
    "task",
    fields=[
        Field("subject", "text"),
        Field("kind", "text"),
        Field("lead_id", "reference", to="lead"),
        Field("deal_id", "reference", to="deal"),
    ],
)
BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
BARE: Final = presets.bitrix24()
RULES: Final[ConversionRules] = attrs.evolve(
    BARE,
    kinds=[*BARE.kinds, Kind("visit", Visit, fields=[BACK])],
    children=[ChildRule(TASK, {"deal": "move"})],
    matching=Matching([MatchRule("contact", ["email"])]),
)


def new(kind: str, id_: str) -> Ref:
    """The ref of a record that is to be inserted."""
    return Ref(kind, id_, provisional=True)


def values(*records: Record) -> dict[str, Mapping[str, object]]:
    """What is inserted, by the id of each record."""
    changes = seed(records, rules=RULES).changes
    return {one.ref.id: one.values for one in changes if isinstance(one, Insert)}


class TestSeed:
    def test_one_insert_for_each(self) -> None:
        """Each record is inserted with what it says, in order, and without its revision."""
        changes = seed(
            [
                Deal(id="D-5", revision="9", title="Engine", custom={"UF_X": 1}),
                Contact(id="C-3", last_name="Lovelace", emails=[Channel("ada@example.com")]),
            ],
            rules=RULES,
            key="k",
        )
        assert (
            ChangeSet(
                key="k",
                fingerprint=changes.fingerprint,
                changes=[
                    Insert(new("deal", "D-5"), {"title": "Engine", "UF_X": 1}),
                    Insert(
                        new("contact", "C-3"),
                        {"last_name": "Lovelace", "emails": (Channel("ada@example.com"),)},
                    ),
                ],
            )
            == changes
        )

    def test_it_claims_nothing(self) -> None:
        """Nobody was sought, so records may share a key with whomever."""
        twins = [Contact(id=one, emails=[Channel("ada@example.com")]) for one in ("C-3", "C-4")]
        changes = seed(twins, rules=RULES).changes
        assert [(), ()] == [one.claims for one in changes if isinstance(one, Insert)]

    def test_what_refers_to_each_other(self) -> None:
        """Where one refers to another of them it will be as that is stored, in any order."""
        told = values(
            Deal(id="D-5", company_id="CO-9", contact_ids=["C-3", "C-4"], converted_from=["L-7"]),
            Contact(id="C-4", company_id="CO-8"),
            Company(id="CO-9", name="Engines"),
        )
        assert {
            "company_id": new("company", "CO-9"),
            "contact_ids": (Ref("contact", "C-3"), new("contact", "C-4")),
            "converted_from": (Ref("lead", "L-7"),),
        } == told["D-5"]
        assert {"company_id": Ref("company", "CO-8")} == told["C-4"]

    def test_what_a_lead_remembers(self) -> None:
        """The conversions of a lead point at what is stored as well, and its history stays."""
        made = Conversion(
            id="L-7.1",
            at=AT,
            actor_id="u-1",
            targets=[Ref("deal", "D-5"), Ref("contact", "C-3")],
            linked=[Ref("contact", "C-3")],
            rules="9f2c",
        )
        moved = StageChange(to_stage="CONVERTED", at=AT)
        lead = Lead(id="L-7", stage="CONVERTED", conversions=[made], stage_history=[moved])
        told = values(lead, Deal(id="D-5"))["L-7"]
        targets = [new("deal", "D-5"), Ref("contact", "C-3")]
        assert {
            "stage": "CONVERTED",
            "stage_history": (moved,),
            "conversions": (attrs.evolve(made, targets=targets),),
        } == told

    def test_blank_is_not_missing(self) -> None:
        """What is blank or an empty part is written as it is, and what is missing is not."""
        deal = Deal(id="D-5", title="", comments=" ", tags=["", "a"], custom={"UF_X": None})
        assert {"title": "", "comments": " ", "tags": ("", "a"), "UF_X": None} == (
            values(deal)["D-5"]
        )

    def test_what_a_class_would_say(self) -> None:
        """What a class says of itself need not be written, unless the record says nothing there."""
        usual = Visit(id="V-1", place="London")
        silent = Visit(id="V-2", place="Paris", hours=None, keywords=("a",))
        told = values(usual, silent)
        assert "hours" not in told["V-1"]
        assert {"place": "Paris", "hours": None, "keywords": ("a",)} == told["V-2"]

    def test_a_record_of_a_kind_alone(self) -> None:
        """A record of data is written by its fields, one of which may be called kind."""
        bare = GenericRecord(kind="task", id="T-1", custom={"subject": "call", "lead_id": "L-7"})
        odd = GenericRecord(kind="task", id="T-2", custom={"kind": "call"})
        told = values(bare, odd, Lead(id="L-7", stage="NEW"))
        assert {"subject": "call", "lead_id": new("lead", "L-7")} == told["T-1"]
        assert {"kind": "call"} == told["T-2"]

    def test_a_record_of_no_kind(self) -> None:
        """A record that the rules do not know is a mistake of the caller's."""
        strange = GenericRecord(kind="invoice", id="I-1")
        with pytest.raises(TypeError, match="no kind of a GenericRecord"):
            seed([Deal(id="D-5"), strange], rules=RULES)

    def test_its_key(self) -> None:
        """The same records have the same key on every day, others have another."""
        deal, other = Deal(id="D-5", title="Engine"), Deal(id="D-5", title="Engines")
        one, again = seed([deal], rules=RULES), seed(iter([deal]), rules=RULES)
        assert one == again
        assert f"seed/{one.fingerprint}" == one.key
        assert 3 == len({seed(some, rules=RULES).key for some in ([deal], [other], [])})
        named = seed([deal], rules=RULES, key="k-1")
        assert ("k-1", one.fingerprint) == (named.key, named.fingerprint)


class TestStored:
    RECORDS: Final = (
        Lead(id="L-7", stage="NEW", title="Engine", comments="", company_id="CO-9"),
        Company(id="CO-9", name="Engines", converted_from=["L-7"]),
        Deal(id="D-5", title="Engine", company_id="CO-9"),
        Visit(id="V-1", place="London", hours=None, converted_from=("L-7",)),
        GenericRecord(kind="task", id="T-1", custom={"subject": "call", "lead_id": "L-7"}),
    )

    def test_as_they_were(self) -> None:
        """A store has the records as they were, but for the revision."""
        store = MemoryStore(RULES)
        store.apply(seed(self.RECORDS, rules=RULES))
        told = [changed(one, {"revision": None}) for one in store.records.values()]
        assert [*self.RECORDS] == told

    def test_under_ids_of_the_store(self) -> None:
        """A store that gives ids of its own gives them wherever a record is referred to."""
        numbers = count(1)
        store = MemoryStore(RULES, new_id=lambda _: str(next(numbers)))
        store.apply(seed(self.RECORDS, rules=RULES))
        lead, company, deal, visit, task = store.records.values()
        assert ["1", "2", "3", "4", "5"] == [ref.id for ref in store.records]
        assert "2" == RULES.lead.read(lead, "company_id")
        assert isinstance(company, Company)
        assert isinstance(deal, Deal)
        assert isinstance(visit, Visit)
        assert (("1",), "2", ("1",), "1") == (
            company.converted_from,
            deal.company_id,
            visit.converted_from,
            task.custom["lead_id"],
        )

    def test_those_that_share_a_key_one_after_the_other(self) -> None:
        """Duplicates are brought in as they are, together or not."""
        store = MemoryStore(RULES)
        for id_ in ("C-3", "C-4"):
            ada = Contact(id=id_, emails=[Channel("ada@example.com")])
            store.apply(seed([ada], rules=RULES))
        assert ["C-3", "C-4"] == [ref.id for ref in store.records]

    def test_rules_that_were_not_called(self) -> None:
        """A preset is to be called, which whoever forgets it is told, by stores as well."""
        told = "rules is a ConversionRules, not a Bitrix24, it is to be called: write () behind it"
        uncalled: Any = presets.bitrix24
        for make in (lambda: seed([], rules=uncalled), lambda: MemoryStore(uncalled)):
            with pytest.raises(TypeError) as refused:
                make()
            assert told == str(refused.value)
