"""Whose a new record is: as mapped, the actor's, one person's, or spread evenly over several."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    AllOf,
    Company,
    Contact,
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
    Merge,
    Not,
    OwnerRule,
    Ownership,
    Pipeline,
    Plan,
    Policy,
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
from leadconvert.fields import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.owning import spread
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
                OwnerRule("deal", "actor", among=["u-1"]),
                OwnerRule("deal", "mapped", among=["u-1"]),
                OwnerRule("deal", "listed", among=["u-1", " "]),
                OwnerRule("*", "actor", when=Where("amuont", "filled")),
                OwnerRule("*", "actor", when=AllOf([])),
            )

        assert [
            "owner rule for dael: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            (
                "owner rule for note: an owner rule cannot be: the kind has no owner"
                " (correct or remove it)"
            ),
            (
                "owner rule for deal: an owner rule cannot be: nobody is listed"
                " (correct or remove it)"
            ),
            *[
                (
                    "owner rule for deal: an owner rule cannot be: a list says nothing here"
                    " (correct or remove it)"
                )
            ]
            * 2,
            "owner rule for deal: a listed owner needs an id that is not blank (give it one)",
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
