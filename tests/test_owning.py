"""Whose a new record is: as mapped, the actor's, one person's, or several people's by turns."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import permutations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    AllOf,
    Channel,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Known,
    Lead,
    Link,
    Matching,
    MatchRule,
    Merge,
    Not,
    OwnerRule,
    Ownership,
    Pipeline,
    Plan,
    Policy,
    Rejected,
    Role,
    Row,
    Stage,
    Target,
    Where,
    convert,
    convert_batch,
    convert_many,
    errors,
    plan,
)
from leadconvert.errors import DefinitionError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.owning import next_in_turn, rule_for, spread
from leadconvert.testing import ids


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA = Actor("u-7", roles=["r"])
NOTE = Kind(
    "note",
    fields=[
        Field("text", "text"),
        Field("converted_from", "reference", to="lead", multiple=True),
    ],
)
KINDS = ("contact", "company", "deal")
NEW = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace", owner_id="u-9")


def rules(*owners: OwnerRule, policy: Policy | None = None, lead: Kind = LEAD) -> ConversionRules:
    """Rules that map the owner, and say otherwise as the owner rules do."""
    return ConversionRules(
        lead=lead,
        kinds=[CONTACT, COMPANY, DEAL, NOTE],
        pipelines=[
            Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
            Pipeline("sales", "deal", ["open", Stage("won", "success")]),
        ],
        mappings=[
            *(FieldMapping("owner_id", kind) for kind in KINDS),
            FieldMapping("title", "deal"),
            FieldMapping("last_name", "contact"),
        ],
        owners=owners,
        policy=Policy.allow_all() if policy is None else policy,
    )


def looked(
    by: ConversionRules,
    *into: str | Target,
    lead: Lead = NEW,
    eligible: Iterable[str] | None = None,
    known: Known | None = None,
) -> Plan:
    """What is planned, given who may own something now."""
    there = attrs.evolve(Known() if known is None else known, eligible_owners=eligible)
    return plan(lead, into, rules=by, actor=ADA, at=AT, known=there)


def owner(
    by: ConversionRules,
    target: str | Target = "deal",
    *,
    lead: Lead = NEW,
    eligible: Iterable[str] | None = None,
) -> object:
    """Whose the one record would be."""
    [draft] = looked(by, target, lead=lead, eligible=eligible).targets
    return draft.values.get("owner_id")


def codes(p: Plan) -> list[tuple[int | None, str | None, str]]:
    """Where each problem is, and what it is."""
    return [(one.target, one.field, one.code) for one in p.problems]


class TestWhose:
    def test_as_mapped(self) -> None:
        """Without a rule, or by one that says so, the owner is as the mappings say."""
        assert "u-9" == owner(rules())
        assert "u-9" == owner(rules(OwnerRule("deal", "mapped")))
        assert owner(rules(OwnerRule("deal", "mapped")), lead=attrs.evolve(NEW, owner_id=None)) is (
            None
        )

    def test_the_actor(self) -> None:
        """A record is whose who converts the lead."""
        assert "u-7" == owner(rules(OwnerRule("deal", "actor")))

    def test_one_person(self) -> None:
        """A list of one is that person's."""
        assert "u-1" == owner(rules(OwnerRule("deal", "listed", among=["u-1"])))

    def test_by_kind(self) -> None:
        """A rule speaks of one kind, or of every kind that has an owner."""
        by = rules(OwnerRule("deal", "listed", among=["u-1"]), OwnerRule("*", "actor"))
        p = looked(by, "deal", "contact", "note")

        assert {"contact": "u-7", "deal": "u-1", "note": None} == {
            one.ref.kind: one.values.get("owner_id") for one in p.targets
        }

    def test_the_first_that_holds(self) -> None:
        """Of several rules the first that holds decides, also if it leaves it to the mappings."""
        big = OwnerRule("deal", "listed", among=["u-1"], when=Where("amount", "greater", 1000))
        web = OwnerRule("deal", "mapped", when=Where("source", "equals", "WEB"))
        by = rules(big, web, OwnerRule("deal", "actor"))

        assert "u-1" == owner(by, lead=attrs.evolve(NEW, amount=5000, source="WEB"))
        assert "u-9" == owner(by, lead=attrs.evolve(NEW, amount=5, source="WEB"))
        assert "u-7" == owner(by, lead=attrs.evolve(NEW, amount=5))

    def test_conditions_on_what_is_filled_on_the_way(self) -> None:
        """A value given for the lead itself counts."""
        by = rules(OwnerRule("deal", "actor", when=Not(Where("source", "empty"))))
        p = plan(NEW, ["deal"], rules=by, actor=ADA, at=AT, values={"source": "WEB"})

        assert "u-7" == p.targets[0].values["owner_id"]
        assert "u-9" == owner(by)

    @pytest.mark.parametrize("given_owner", ["u-5", None])
    def test_a_supplied_owner_wins(self, given_owner: str | None) -> None:
        """Who is given for a record owns it, and nobody if that is said."""
        target = Create("deal", values={"owner_id": given_owner})

        assert given_owner == owner(rules(OwnerRule("*", "actor")), target)

    @pytest.mark.parametrize("sort", [Link, Merge])
    def test_what_exists_keeps_its_owner(self, sort: type[Link | Merge]) -> None:
        """A rule is about new records: a client that exists stays whose it is."""
        known = Known(records=[Contact(id="C-3", owner_id="u-5"), Company(id="CO-9", name="E")])
        by = rules(OwnerRule("*", "actor"))
        p = looked(by, sort("contact", "C-3"), sort("company", "CO-9"), known=known)

        assert "u-5" == p.result().contact.owner_id
        assert p.result().company.owner_id != "u-7"

    def test_whose_id_the_lead_had(self) -> None:
        """The lead's owner is told as overridden by the rule, not as lost."""
        p = looked(
            rules(OwnerRule("*", "actor")), "deal", Create("contact", values={"owner_id": "u-5"})
        )

        told = "owner_id → {}.owner_id"
        assert [
            Row("owner_id", f"{kind} 1.owner_id", "overridden", told.format(kind), "owner_rule")
            for kind in ("contact", "deal")
        ] == [row for row in p.rows if row.field == "owner_id"]
        assert () == p.dropped
        nobody = looked(
            rules(OwnerRule("*", "actor")), "deal", lead=attrs.evolve(NEW, owner_id=" ")
        )
        assert [] == [row for row in nobody.rows if row.field == "owner_id"]

    def test_an_owner_nobody_mapped(self) -> None:
        """Where no mapping fills the owner, the lead's reaches nothing, as without the rule."""
        by = attrs.evolve(rules(OwnerRule("*", "actor")), mappings=[FieldMapping("title", "deal")])
        p = looked(by, "deal")

        assert "u-7" == p.result().deal.owner_id
        assert [("owner_id", "no_mapping"), ("last_name", "no_mapping")] == [
            (row.field, row.reason) for row in p.dropped
        ]


class TestRights:
    def test_judged_as_it_would_be_written(self) -> None:
        """To make a record that a rule gives to a third person takes the right to assign it."""
        leads = Grant("lead", ["read", "update", "convert", "move"])
        listed = OwnerRule("deal", "listed", among=["u-1"])
        makes, gives = (
            Policy([Role("r", [leads, *grants])])
            for grants in (
                [Grant("deal", "create")],
                [Grant("deal", ["create", "assign"])],
            )
        )

        assert [(0, None, "no_grant")] == codes(looked(rules(listed, policy=makes), "deal"))
        assert looked(rules(listed, policy=gives), "deal").ok
        assert looked(rules(OwnerRule("deal", "actor"), policy=makes), "deal").ok


class TestEligible:
    LISTED = rules(OwnerRule("deal", "listed", among=["u-1", "u-2", "u-3"]))

    def test_only_who_may(self) -> None:
        """A record is spread over those alone who may own one now."""
        assert {"u-2", "u-3"} == {
            owner(self.LISTED, lead=attrs.evolve(NEW, id=f"L-{n}"), eligible=["u-2", "u-3", "u-8"])
            for n in range(20)
        }

    def test_nobody_listed(self) -> None:
        """Where none of them may, it is a problem of that target, with the way out."""
        p = looked(self.LISTED, "contact", "deal", eligible=["u-9"])

        assert [(1, "owner_id", "not_eligible")] == codes(p)
        assert (
            "the owner of the deal may not own one now (give it to somebody who may, with values=)"
            == str(p.problems[0])
        )
        assert [(1, "owner_id")] == [(one.target, one.field) for one in p.form]
        with pytest.raises(errors.InvalidFieldsError):
            p.result()

    @pytest.mark.parametrize(
        ("by", "eligible", "expected"),
        [
            (rules(), ["u-9"], True),
            (rules(), ["u-7"], False),
            (rules(OwnerRule("*", "actor")), ["u-7"], True),
            (rules(OwnerRule("*", "actor")), ["u-9"], False),
            (rules(OwnerRule("*", "actor")), [], False),
            (rules(OwnerRule("*", "actor")), None, True),
        ],
    )
    def test_however_they_became_it(
        self, by: ConversionRules, eligible: list[str] | None, expected: bool
    ) -> None:
        """The lead's owner and the actor are asked about as well; None is everybody."""
        assert expected == looked(by, "deal", eligible=eligible).ok

    def test_a_supplied_owner(self) -> None:
        """One that is given must be eligible; a record without an owner needs none."""
        stranger = Create("deal", values={"owner_id": "u-5"})
        nobody = Create("deal", values={"owner_id": None})

        assert [(0, "owner_id", "not_eligible")] == codes(
            looked(rules(), stranger, eligible=["u-9"])
        )
        assert looked(rules(), nobody, eligible=["u-9"]).ok

    def test_the_owner_of_what_exists(self) -> None:
        """Whose a client is already is no matter of today."""
        known = Known(records=[Contact(id="C-3", last_name="B", owner_id="gone")])

        assert looked(rules(), Merge("contact", "C-3"), eligible=["u-9"], known=known).ok
        assert looked(rules(), Link("contact", "C-3"), eligible=[], known=known).ok


class TestSpread:
    OWNERS = ("u-1", "u-2", "u-3", "u-4")
    IDS = tuple(f"L-{number}" for number in range(10_000))

    def test_evenly(self) -> None:
        """Of ten thousand leads each of four has a quarter, give or take one in twenty-five."""
        counts = Counter(spread(id_, self.OWNERS) for id_ in self.IDS)

        assert {*self.OWNERS} == counts.keys()
        assert all(2400 <= count <= 2600 for count in counts.values()), counts

    @pytest.mark.parametrize("gone", OWNERS)
    def test_who_leaves_hands_over_only_their_own(self, gone: str) -> None:
        """Without one of them nobody else's lead moves, and theirs are spread over the rest."""
        rest = [one for one in self.OWNERS if one != gone]
        before = {id_: spread(id_, self.OWNERS) for id_ in self.IDS}
        after = {id_: spread(id_, rest) for id_ in self.IDS}
        theirs = [id_ for id_ in self.IDS if before[id_] == gone]

        assert {**before, **{id_: after[id_] for id_ in theirs}} == after
        counts = Counter(after[id_] for id_ in theirs)
        assert all(700 <= counts[one] <= 970 for one in rest), counts

    @settings(max_examples=50, deadline=None)
    @given(ids(), st.lists(ids(), min_size=1, max_size=6))
    def test_by_the_lead_alone(self, lead_id: str, among: list[str]) -> None:
        """Neither the order of the list nor a name that stands twice makes a difference."""
        chosen = spread(lead_id, among)

        assert chosen in among
        assert chosen == spread(lead_id, sorted(among)) == spread(lead_id, [*among, *among[::-1]])

    def test_nobody(self) -> None:
        """Among nobody there is nobody."""
        assert spread("L-7", []) is None

    def test_a_batch_equals_its_parts(self) -> None:
        """Each lead has its person, alone or in any batch or stream, in any order."""
        by = rules(OwnerRule("*", "listed", among=self.OWNERS))
        leads = [attrs.evolve(NEW, id=f"L-{number}") for number in range(12)]
        alone = {
            lead.id: convert(lead, ["contact", "deal"], rules=by, actor=ADA, at=AT)
            for lead in leads
        }
        for some in (leads, leads[::-1], leads[3:7]):
            batch = convert_batch(some, ["contact", "deal"], rules=by, actor=ADA, at=AT)
            stream = tuple(convert_many(some, ["contact", "deal"], rules=by, actor=ADA, at=AT))
            assert tuple(Converted(alone[lead.id]) for lead in some) == batch == stream
        assert 1 < len({one.deal.owner_id for one in alone.values()})
        assert all(one.deal.owner_id == one.contact.owner_id for one in alone.values())


class TestRuleFor:
    RULES = (OwnerRule("contact", "actor"), OwnerRule("*", "mapped"), OwnerRule("deal", "actor"))

    def test_the_first_that_holds(self) -> None:
        """Of several rules the first that is about the record decides, and no other."""
        assert self.RULES[0] is rule_for(self.RULES, NEW, LEAD, CONTACT)
        assert self.RULES[1] is rule_for(self.RULES, NEW, LEAD, DEAL)

    def test_none(self) -> None:
        """Where no rule is about the record there is none."""
        assert rule_for(self.RULES[:1], NEW, LEAD, DEAL) is None
        assert rule_for([], NEW, LEAD, DEAL) is None


class TestNextInTurn:
    @pytest.mark.parametrize(
        ("load", "among", "expected"),
        [
            ({}, ["u-2", "u-1"], "u-2"),
            ({"u-2": 1}, ["u-2", "u-1"], "u-1"),
            ({"u-2": 1, "u-1": 1}, ["u-2", "u-1"], "u-2"),
            ({"u-2": 2, "u-1": 1}, ["u-2", "u-1"], "u-1"),
            ({"u-2": 0, "u-1": 0}, ["u-2", "u-1"], "u-2"),
            ({"u-9": 0}, ["u-2"], "u-2"),
            ({"u-2": 7}, ["u-2"], "u-2"),
            ({"u-2": 7}, [], None),
        ],
    )
    def test_table(self, load: dict[str, int], among: list[str], expected: str | None) -> None:
        """Who has the least is next, of several the first on the list; among nobody, nobody."""
        assert expected == next_in_turn(load, among)


def several(*ids: str, **more: object) -> list[Lead]:
    """Leads with these ids, and all else the same."""
    return [attrs.evolve(NEW, id=id_, **more) for id_ in ids]  # type: ignore[arg-type]  # as given


def batch(
    by: ConversionRules,
    leads: Iterable[Lead],
    *into: str | Target,
    known: Known | None = None,
) -> list[tuple[str, ConversionResult]]:
    """By the leads' ids, what is made of those of a batch that are not refused."""
    done = convert_batch(leads, into or ["deal"], rules=by, actor=ADA, at=AT, known=known)
    return sorted((one.result.lead.id, one.result) for one in done if isinstance(one, Converted))


def turns(
    by: ConversionRules,
    leads: Iterable[Lead],
    *into: str | Target,
    known: Known | None = None,
) -> list[tuple[str, str | None]]:
    """By the leads' ids, whose the deals are that a batch makes."""
    return [(id_, made.deal.owner_id) for id_, made in batch(by, leads, *into, known=known)]


class TestTurns:
    TEAM = ("u-1", "u-2", "u-3")
    BY = rules(OwnerRule("*", "rotated", among=TEAM))

    def test_one_after_the_other(self) -> None:
        """Owners follow each other in the order of the leads' ids, whatever that of the batch."""
        for leads in permutations(several("L-1", "L-2", "L-3", "L-4")):
            assert [("L-1", "u-1"), ("L-2", "u-2"), ("L-3", "u-3"), ("L-4", "u-1")] == turns(
                self.BY, leads
            )

    def test_in_the_order_of_the_list(self) -> None:
        """Who stands first on the list begins, whatever the names are."""
        by = rules(OwnerRule("deal", "rotated", among=["u-3", "u-1", "u-2"]))

        assert [("L-1", "u-3"), ("L-2", "u-1"), ("L-3", "u-2"), ("L-4", "u-3")] == turns(
            by, several("L-1", "L-2", "L-3", "L-4")
        )

    def test_one_person(self) -> None:
        """A list of one is that person's, as without turns."""
        by = rules(OwnerRule("deal", "rotated", among=["u-1"]))

        assert [("L-1", "u-1"), ("L-2", "u-1")] == turns(by, several("L-1", "L-2"))

    def test_a_refused_lead_takes_no_turn(self) -> None:
        """A lead that is refused is nobody's: the next one is for who would have had it."""
        leads = [*several("L-1", "L-3", "L-4"), *several("L-2", stage="DONE")]

        assert [("L-1", "u-1"), ("L-3", "u-2"), ("L-4", "u-3")] == turns(self.BY, leads)

    def test_a_lead_takes_one_turn(self) -> None:
        """Whoever gets a lead gets all that is made of it, and that is one turn."""
        made = batch(self.BY, several("L-1", "L-2", "L-3"), "contact", "deal", "deal")

        assert [["u-1"] * 3, ["u-2"] * 3, ["u-3"] * 3] == [
            [getattr(one.record, "owner_id", None) for one in result.outcomes] for _, result in made
        ]

    def test_a_list_for_each_team(self) -> None:
        """Each rule has turns of its own: who gets a lead of one team is not next in another."""
        by = rules(
            OwnerRule("*", "rotated", among=["u-1", "u-2"], when=Where("source", "equals", "WEB")),
            OwnerRule("*", "rotated", among=["u-5", "u-6"]),
        )
        leads = [*several("L-1", "L-3", "L-4", source="WEB"), *several("L-2", "L-5", "L-6")]

        assert [
            ("L-1", "u-1"),
            ("L-2", "u-5"),
            ("L-3", "u-2"),
            ("L-4", "u-1"),
            ("L-5", "u-6"),
            ("L-6", "u-5"),
        ] == turns(by, leads)

    def test_who_is_in_two_teams(self) -> None:
        """Who is on two lists is counted over both, and has no more leads than the others."""
        by = rules(
            OwnerRule("*", "rotated", among=["u-1", "u-2"], when=Where("source", "equals", "WEB")),
            OwnerRule("*", "rotated", among=["u-1", "u-3"]),
        )
        leads = [*several("L-1", "L-3", source="WEB"), *several("L-2", "L-4")]

        assert [("L-1", "u-1"), ("L-2", "u-3"), ("L-3", "u-2"), ("L-4", "u-1")] == turns(by, leads)

    def test_a_list_for_each_kind(self) -> None:
        """A lead of which two people get something takes a turn of each."""
        by = rules(
            OwnerRule("contact", "rotated", among=["u-5", "u-6"]),
            OwnerRule("deal", "rotated", among=self.TEAM),
        )
        made = batch(by, several("L-1", "L-2", "L-3"), "contact", "deal")

        assert [("u-5", "u-1"), ("u-6", "u-2"), ("u-5", "u-3")] == [
            (result.contact.owner_id, result.deal.owner_id) for _, result in made
        ]

    @pytest.mark.parametrize("other", [OwnerRule("contact", "mapped"), None])
    def test_what_is_given_by_no_turn(self, other: OwnerRule | None) -> None:
        """What the mappings give somebody is not counted as their turn."""
        by = rules(*([other] if other else []), OwnerRule("deal", "rotated", among=self.TEAM))
        leads = several("L-1", "L-2", "L-3", "L-4", owner_id="u-1")
        made = batch(by, leads, "contact", "deal")

        assert [("u-1", "u-1"), ("u-1", "u-2"), ("u-1", "u-3"), ("u-1", "u-1")] == [
            (result.contact.owner_id, result.deal.owner_id) for _, result in made
        ]

    def test_beside_what_nobody_owns(self) -> None:
        """A record of a kind without owners is made along, and takes no turn."""
        text = Create("note", values={"text": "x"})

        assert [("L-1", "u-1"), ("L-2", "u-2")] == turns(
            self.BY, several("L-1", "L-2"), text, "deal"
        )
        assert ["L-1", "L-2"] == [id_ for id_, _ in batch(self.BY, several("L-1", "L-2"), text)]

    def test_only_who_may(self) -> None:
        """Who may own nothing now is passed over."""
        present = Known(eligible_owners=["u-3", "u-1", "u-9"])

        assert [("L-1", "u-1"), ("L-2", "u-3"), ("L-3", "u-1")] == turns(
            self.BY, several("L-1", "L-2", "L-3"), known=present
        )

    def test_nobody_may(self) -> None:
        """Where none of them may, each lead is refused for that."""
        nobody = Known(eligible_owners=["u-9"])
        both = convert_batch(
            several("L-1", "L-2"), ["deal"], rules=self.BY, actor=ADA, at=AT, known=nobody
        )

        assert [[("owner_id", "not_eligible")]] * 2 == [
            [(problem.field, problem.code) for problem in one.error.problems]
            for one in both
            if isinstance(one, Rejected)
        ]

    def test_what_exists_takes_no_turn(self) -> None:
        """Who is merged into or linked stays whose it is, and that is nobody's turn."""
        theirs = Known(records=[Contact(id="C-3", last_name="Byron", owner_id="u-1")])
        leads = several("L-1", "L-2", "L-3", "L-4")
        for chosen in (Merge("contact", "C-3"), Link("contact", "C-3")):
            made = batch(self.BY, leads, chosen, "deal", known=theirs)
            assert [("u-1", "u-1"), ("u-1", "u-2"), ("u-1", "u-3"), ("u-1", "u-1")] == [
                (result.contact.owner_id, result.deal.owner_id) for _, result in made
            ]


class TestTurnsAndTwins:
    BY = attrs.evolve(
        rules(OwnerRule("*", "rotated", among=["u-1", "u-2", "u-3"])),
        matching=Matching([MatchRule("contact", ["email"])]),
    )
    BY = attrs.evolve(BY, mappings=[*BY.mappings, FieldMapping("emails", "contact")])
    SAME = (Channel("ada@example.com"),)

    def test_a_twin_that_makes_a_deal(self) -> None:
        """A shared contact is whose turn it was at first; the deal takes a turn like any lead."""
        leads = [*several("L-1", "L-2", emails=self.SAME), *several("L-3", "L-4")]
        made = batch(self.BY, leads, "contact", "deal")

        assert [
            ("L-1.1.contact.1", "u-1", "u-1"),
            ("L-1.1.contact.1", "u-1", "u-2"),
            ("L-3.1.contact.1", "u-3", "u-3"),
            ("L-4.1.contact.1", "u-1", "u-1"),
        ] == [
            (result.contact.id, result.contact.owner_id, result.deal.owner_id) for _, result in made
        ]

    def test_a_twin_that_makes_nothing(self) -> None:
        """A lead whose only record was made for its twin takes no turn."""
        leads = [*several("L-1", "L-2", emails=self.SAME), *several("L-3")]
        made = batch(self.BY, leads, "contact")

        assert [("created", "u-1"), ("unchanged", "u-1"), ("created", "u-2")] == [
            (result.outcomes[0].action, result.contact.owner_id) for _, result in made
        ]

    def test_a_lead_that_comes_twice(self) -> None:
        """It has its answer already, which is no second turn."""
        leads = several("L-2", "L-1", "L-3", "L-1", "L-2")

        assert [
            ("L-1", "u-1"),
            ("L-1", "u-1"),
            ("L-2", "u-2"),
            ("L-2", "u-2"),
            ("L-3", "u-3"),
        ] == sorted(turns(self.BY, leads))


class TestWhoCounts:
    TEAM = ("u-1", "u-2", "u-3")
    TURNS = rules(OwnerRule("deal", "rotated", among=TEAM))
    SPREAD = rules(OwnerRule("deal", "listed", among=TEAM))

    def test_where_a_batch_begins(self) -> None:
        """What each has got before is known: who has the least is first, until all are even."""
        load = {"u-1": 2, "u-2": 1, "u-9": 0}
        leads = several("L-1", "L-2", "L-3", "L-4", "L-5")

        assert [
            ("L-1", "u-3"),
            ("L-2", "u-2"),
            ("L-3", "u-3"),
            ("L-4", "u-1"),
            ("L-5", "u-2"),
        ] == turns(self.TURNS, leads, known=Known(load=load))
        assert {"u-1": 2, "u-2": 1, "u-9": 0} == load

    def test_each_batch_begins_anew(self) -> None:
        """What one batch counted is forgotten afterwards."""
        one = several("L-1")

        assert [("L-1", "u-1")] == turns(self.TURNS, one) == turns(self.TURNS, one)

    def test_nobody(self) -> None:
        """Where nobody counts it is spread by the lead's id, alone and on a stream."""
        leads = several(*(f"L-{number}" for number in range(12)))
        for lead in leads:
            assert owner(self.SPREAD, lead=lead) == owner(self.TURNS, lead=lead)
        turned, listed = (
            [
                one.result.deal.owner_id
                for one in convert_many(leads, ["deal"], rules=by, actor=ADA, at=AT)
                if isinstance(one, Converted)
            ]
            for by in (self.TURNS, self.SPREAD)
        )
        assert turned == listed
        assert {*self.TEAM} == {*turned}

    @pytest.mark.parametrize(
        ("load", "expected"),
        [({}, "u-1"), ({"u-1": 1}, "u-2"), ({"u-1": 1, "u-2": 1}, "u-3"), ({"u-9": 9}, "u-1")],
    )
    def test_the_host(self, load: dict[str, int], expected: str) -> None:
        """For one lead alone the host says what each has got; nothing is nothing so far."""
        p = looked(self.TURNS, "deal", known=Known(load=load))

        assert expected == p.result().deal.owner_id

    def test_those_who_do_not_take_turns(self) -> None:
        """A spread is by the lead's id, however much somebody has got."""
        much = Known(load={str(owner(self.SPREAD)): 100})

        assert owner(self.SPREAD) == looked(self.SPREAD, "deal", known=much).result().deal.owner_id

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(ids(), min_size=1, max_size=12, unique=True),
        st.lists(ids(), min_size=1, max_size=5, unique=True),
        st.data(),
    )
    def test_evenly(self, lead_ids: list[str], team: list[str], data: st.DataObject) -> None:
        """Whoever they are, the shares of a batch differ by one at most, in any order."""
        by = rules(OwnerRule("*", "rotated", among=team))
        leads = data.draw(st.permutations(several(*lead_ids)))
        found = turns(by, leads, "contact", "deal")

        assert found == [
            (id_, team[place % len(team)]) for place, id_ in enumerate(sorted(lead_ids))
        ]
        shares = Counter(dict.fromkeys(team, 0))
        shares.update(str(whose) for _, whose in found)
        assert max(shares.values()) - min(shares.values()) <= 1


class TestDefinition:
    @pytest.mark.parametrize("to", list(Ownership))
    def test_values(self, to: Ownership) -> None:
        """A rule is a plain value, by name or by member."""
        assert OwnerRule("deal", to) == OwnerRule("deal", to.value)
        assert OwnerRule("deal", to).to is to

    def test_an_unknown_ownership(self) -> None:
        """What nobody knows is told at once, with the likeliest."""
        with pytest.raises(DefinitionError) as refused:
            OwnerRule("deal", "actr")

        assert (
            "owner rule: there is no ownership 'actr', did you mean 'actor'? (correct the name)"
            == str(refused.value)
        )

    @pytest.mark.parametrize(
        ("given_parts", "more"),
        [
            ((DEAL, "actor"), {}),
            (("deal", "listed"), {"among": "u-1"}),
            (("deal", "listed"), {"among": [1]}),
            (("deal", "rotated"), {"among": "u-1"}),
            (("deal", "actor"), {"when": "source"}),
            (("deal", "listed", ["u-1"]), {}),
        ],
    )
    def test_bad_input(self, given_parts: tuple[object, ...], more: dict[str, object]) -> None:
        """A kind is text, a list a list of texts, and a condition a condition."""
        loose: Callable[..., object] = OwnerRule
        with pytest.raises(TypeError):
            loose(*given_parts, **more)

    def test_all_at_once(self) -> None:
        """Every mistake is told when the rules are built, word for word."""
        with pytest.raises(DefinitionError) as refused:
            rules(
                OwnerRule("dael", "actor"),
                OwnerRule("note", "actor"),
                OwnerRule("deal", "listed"),
                OwnerRule("deal", "rotated"),
                OwnerRule("deal", "rotated", among=[]),
                OwnerRule("deal", "actor", among=["u-1"]),
                OwnerRule("deal", "mapped", among=["u-1"]),
                OwnerRule("deal", "listed", among=["u-1", " "]),
                OwnerRule("deal", "rotated", among=["u-1", ""]),
                OwnerRule("*", "actor", when=Where("amuont", "filled")),
                OwnerRule("*", "actor", when=AllOf([])),
            )

        assert [
            "owner rule for dael: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            (
                "owner rule for note: an owner rule cannot be: the kind has no owner"
                " (correct or remove it)"
            ),
            *[
                (
                    "owner rule for deal: an owner rule cannot be: nobody is listed"
                    " (correct or remove it)"
                )
            ]
            * 3,
            *[
                (
                    "owner rule for deal: an owner rule cannot be: a list says nothing here"
                    " (correct or remove it)"
                )
            ]
            * 2,
            *["owner rule for deal: a listed owner needs an id that is not blank (give it one)"]
            * 2,
            (
                "owner rule for *: there is no field of lead 'amuont', did you mean 'amount'?"
                " (correct the name)"
            ),
            (
                "owner rule for *: a condition on all or any cannot be: it has no conditions"
                " (correct it)"
            ),
        ] == [str(one) for one in refused.value.problems]

    def test_a_kind_that_owns_nothing_under_a_rule_for_all(self) -> None:
        """A rule for every kind passes over those without an owner."""
        text = Create("note", values={"text": "x"})

        assert {"text": "x", "converted_from": ("L-7",)} == looked(
            rules(OwnerRule("*", "actor")), text
        ).targets[0].values

    def test_a_lead_of_ones_own(self) -> None:
        """Conditions speak of the lead's own custom fields as well."""
        heat = Field("UF_HEAT", "enumeration", options=["hot", "cold"])
        hot = OwnerRule("deal", "actor", when=Where("UF_HEAT", "equals", "hot"))
        by = rules(hot, lead=attrs.evolve(LEAD, custom=[heat]))

        assert "u-7" == owner(by, lead=attrs.evolve(NEW, custom={"UF_HEAT": "hot"}))
        assert "u-9" == owner(by, lead=attrs.evolve(NEW, custom={"UF_HEAT": "cold"}))
