"""Into what exists already: linking and merging end to end, and what must never happen to it."""

import copy
import json
import pickle
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Attach,
    Channel,
    Company,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Event,
    Field,
    FieldMapping,
    Find,
    FrozenMap,
    GenericRecord,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    Pending,
    Pipeline,
    Plan,
    Policy,
    Receipt,
    Record,
    Ref,
    Rejected,
    Request,
    Role,
    Row,
    Stage,
    Target,
    Update,
    Wanted,
    can_convert,
    convert,
    convert_batch,
    convert_many,
    errors,
    plan,
    presets,
    wanted,
)
from leadconvert.codec import Codec
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.plans import Shown


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA = Actor("u-7", roles=["admin"])
BITRIX = presets.bitrix24()
LEADS = Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
BACK = Field("converted_from", "reference", to="lead", multiple=True)
ON_LEADS = Grant("lead", ["read", "update", "convert", "move"])

BARE = Lead(id="L-7", revision="3", stage="NEW")
ENQUIRY = attrs.evolve(
    BARE,
    title="Engine",
    first_name="Ada",
    last_name="Lovelace",
    company_name="Engines",
    owner_id="u-7",
)
BYRON = Contact(id="C-3", revision="7", last_name="Byron", owner_id="u-9", converted_from=["L-1"])
ENGINES = Company(id="CO-9", revision="2", name="Analytical Engines", owner_id="u-9")
OLD_DEAL = Deal(
    id="D-5",
    revision="4",
    title="Old",
    pipeline="0",
    stage="EXECUTING",
    type="SERVICE",
    owner_id="u-9",
)
THERE = (BYRON, ENGINES, OLD_DEAL)
LEAD_REF = Ref("lead", "L-7")
BYRON_REF, ENGINES_REF, DEAL_REF = Ref("contact", "C-3"), Ref("company", "CO-9"), Ref("deal", "D-5")


def looked(
    lead: Lead,
    *into: str | Target,
    known: Iterable[Record] = THERE,
    rules: ConversionRules = BITRIX,
    actor: Actor = ADA,
) -> Plan:
    """What is planned, given the records that are there."""
    there = Known(records=known)
    return plan(lead, into, rules=rules, actor=actor, at=AT, known=there)


def made(
    lead: Lead,
    *into: str | Target,
    known: Iterable[Record] = THERE,
    rules: ConversionRules = BITRIX,
) -> ConversionResult:
    """What comes of it, given the records that are there."""
    return looked(lead, *into, known=known, rules=rules).result()


def own_rules(
    *mappings: FieldMapping,
    lead: Kind = LEAD,
    kinds: Iterable[Kind] = (CONTACT, COMPANY, DEAL),
    grants: Iterable[Grant] | None = None,
    matching: Matching | None = None,
) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    return ConversionRules(
        lead=lead,
        kinds=kinds,
        pipelines=[LEADS, SALES],
        mappings=mappings,
        policy=(Policy.allow_all() if grants is None else Policy([Role("r", [ON_LEADS, *grants])])),
        matching=Matching() if matching is None else matching,
    )


CLERK = Actor("u-7", roles=["r"])


def codes(p: Plan) -> list[tuple[int | None, str | None, str | None, str]]:
    """Where each problem is, and what it is."""
    return [(one.target, one.kind, one.field, one.code) for one in p.problems]


def asked_of(p: Plan, kind: str, id_: str) -> list[str]:
    """What was asked about one record that exists."""
    return [str(one.action) for one in p.required_access if (one.kind, one.id) == (kind, id_)]


def outcomes(rows: Iterable[Row], target: str) -> dict[str, tuple[str | None, str]]:
    """By field of a target: the lead's field, and what became of it."""
    return {
        row.target.removeprefix(f"{target}."): (row.field, str(row.outcome))
        for row in rows
        if row.target is not None and row.target.startswith(f"{target}.")
    }


class TestLink:
    def test_untouched_but_for_the_lead_it_came_from(self) -> None:
        """A linked record stays as it is, with the lead added to those it came from."""
        [outcome] = made(ENQUIRY, Link("contact", "C-3")).outcomes

        assert attrs.evolve(BYRON, converted_from=["L-1", "L-7"]) == outcome.record
        assert (BYRON_REF, "linked", {}, ()) == (
            outcome.ref,
            outcome.action,
            outcome.before,
            outcome.matched_by,
        )

    def test_what_a_store_does(self) -> None:
        """The lead is attached to the record, without its revision, and updated itself at last."""
        attach, lead = made(ENQUIRY, Link("contact", "C-3")).changes.changes

        assert Attach(BYRON_REF, "converted_from", [LEAD_REF]) == attach
        assert isinstance(lead, Update)
        assert (LEAD_REF, "3") == (lead.ref, lead.revision)

    def test_a_lead_that_is_there_already(self) -> None:
        """What a record says already is not written again."""
        known = attrs.evolve(BYRON, converted_from=["L-1", "L-7"])
        result = made(ENQUIRY, Link("contact", "C-3"), known=[known])

        assert known == result.contact
        assert [LEAD_REF] == [change.ref for change in result.changes.changes]

    def test_events(self) -> None:
        """Who listens is told of the link, and of the conversion."""
        result = made(ENQUIRY, Link("contact", "C-3"))
        linked, converted = result.changes.events

        assert (
            Event(
                name="record.linked",
                ref=BYRON_REF,
                at=AT,
                actor_id="u-7",
                params={"lead": LEAD_REF},
            )
            == linked
        )
        assert ("lead.converted", (BYRON_REF,)) == (converted.name, converted.params["targets"])

    def test_the_lead_remembers_it(self) -> None:
        """What was linked is among what the lead became."""
        result = made(ENQUIRY, Link("contact", "C-3"), "deal")

        assert (BYRON_REF, Ref("deal", "L-7.1.deal.1", provisional=True)) == (
            result.lead.conversions[0].targets
        )

    def test_nothing_of_the_lead_goes_there(self) -> None:
        """No row is about a linked record; what would have gone there alone is told as dropped."""
        lead = attrs.evolve(ENQUIRY, honorific="Countess")
        result = made(lead, Link("contact", "C-3"), "deal")

        assert {} == outcomes(result.explain(), "contact 1")
        assert {"first_name", "last_name", "honorific", "company_name"} == {
            row.field for row in result.dropped
        }
        assert {"no_target"} == {row.reason for row in result.dropped}

    def test_two_of_a_kind(self) -> None:
        """Beside a linked record, a new one of its kind gets the lead's values."""
        result = made(ENQUIRY, Link("contact", "C-3"), Create("contact"))

        assert ["Byron", "Lovelace"] == [one.last_name for one in result.all(Contact)]
        assert {"company_name", "title"} == {row.field for row in result.dropped}

    def test_values_are_refused(self) -> None:
        """Linking changes nothing, so values for it are a problem, and not passed over."""
        p = looked(ENQUIRY, Link("contact", "C-3", values={"last_name": "King"}))

        assert [(0, "contact", None, "link_with_values")] == codes(p)
        assert p.problems[0].cause is Cause.INVALID_TARGET
        assert "contact 'C-3' is to be linked, which changes nothing in it" in str(p.problems[0])
        assert "leave values= out, or merge into it" in str(p.problems[0])

    def test_rights(self) -> None:
        """To link takes the rights to read and to link, and no other."""
        rules = own_rules(grants=[Grant("contact", ["read", "link"])])
        p = looked(BARE, Link("contact", "C-3"), rules=rules, actor=CLERK)

        assert p.ok
        assert ["read", "link"] == asked_of(p, "contact", "C-3")

    def test_without_the_right(self) -> None:
        """Who may read but not link is denied, by the record as it is stored."""
        grants = [Grant("contact", "read"), Grant("contact", "link", "own")]
        p = looked(BARE, Link("contact", "C-3"), rules=own_rules(grants=grants), actor=CLERK)

        assert [(0, "contact", None, "out_of_scope")] == codes(p)
        assert p.problems[0].cause is Cause.TARGET_ACCESS
        assert (
            AccessRequest(action="link", kind="contact", id="C-3", owner_id="u-9")
            == p.required_access[-1]
        )
        with pytest.raises(errors.AccessDeniedError):
            p.result()

    def test_an_existing_deal(self) -> None:
        """A deal under way is pointed at as it is, whoever is made beside it."""
        result = made(ENQUIRY, "contact", "company", Link("deal", "D-5"))

        assert attrs.evolve(OLD_DEAL, converted_from=["L-7"]) == result.deal
        assert ["created", "created", "linked"] == [one.action for one in result.outcomes]

    def test_nothing_is_demanded_of_it(self) -> None:
        """A linked record is not asked for what its kind requires."""
        bare = Deal(id="D-5", amount=5)
        p = looked(BARE, Link("deal", "D-5"), known=[bare])

        assert p.ok
        assert () == p.form


class TestWhichRecord:
    @pytest.mark.parametrize("target", [Link("contact", "C-4"), Merge("contact", "C-4")])
    def test_not_handed_over(self, target: Target) -> None:
        """A record the store did not hand over is not there; the way out names what to load."""
        p = looked(ENQUIRY, target)

        assert [(0, "contact", None, "record_not_there")] == codes(p)
        assert "there is no contact 'C-4' to work with (load what wanted() lists" in (
            str(p.problems[0])
        )
        with pytest.raises(errors.UnknownTargetError):
            p.result()

    @pytest.mark.parametrize("target", [Link("company", "C-3"), Merge("deal", "C-3")])
    def test_of_another_kind(self, target: Target) -> None:
        """The id of a record of another kind is that of none."""
        assert [(0, target.kind, None, "record_not_there")] == codes(looked(ENQUIRY, target))

    def test_a_lead(self) -> None:
        """One cannot convert a lead into a lead, nor into itself."""
        p = looked(ENQUIRY, Link("lead", "L-7"), Merge("lead", "L-7"))

        assert [(0, None, None, "unknown_kind"), (1, None, None, "unknown_kind")] == codes(p)

    @pytest.mark.parametrize("sort", [Link, Merge])
    def test_unreadable_and_unknown_are_answered_alike(self, sort: type[Link | Merge]) -> None:
        """A record the actor may not read is told just as one that does not exist, byte for byte.

        Whatever the actor gets to see is searched: the plan, its JSON, the error, its text.
        """
        secret = attrs.evolve(BYRON, last_name="SECRET", owner_id="u-SECRET")
        rules = own_rules(grants=[Grant("*", ["create", "link", "merge", "update"])])
        codec = Codec(rules)
        told: list[object] = []
        for known in ([secret], []):
            p = looked(BARE, sort("contact", "C-3"), known=known, rules=rules, actor=CLERK)
            with pytest.raises(errors.UnknownTargetError) as refused:
                p.result()
            shown = p.shown()
            told.append(
                (
                    json.dumps(codec.to_data(shown)),
                    json.dumps(codec.to_data(refused.value)),
                    repr(shown),
                    str(refused.value),
                    pickle.dumps(copy.deepcopy(refused.value)),
                )
            )
        assert told[0] == told[1]
        assert "SECRET" not in repr(told)

    @pytest.mark.parametrize("sort", [Link, Merge])
    def test_stale(self, sort: type[Link | Merge]) -> None:
        """A record chosen in another revision than it has now is looked at again."""
        p = looked(ENQUIRY, sort("contact", "C-3", revision="6"))

        assert [(0, "contact", None, "stale_target")] == codes(p)
        assert {"id": "C-3", "now": "7", "wanted": "6"} == p.problems[0].params
        assert p.problems[0].cause is Cause.INVALID_TARGET
        assert looked(ENQUIRY, sort("contact", "C-3", revision="7")).ok

    @pytest.mark.parametrize("second", [Link("contact", "C-3"), Merge("contact", "C-3")])
    def test_two_targets_on_one(self, second: Target) -> None:
        """Two targets that end on one record are a problem of the second."""
        p = looked(ENQUIRY, Merge("contact", "C-3"), second)

        assert [(1, "contact", None, "two_on_one")] == codes(p)
        with pytest.raises(errors.InvalidTargetError, match="two targets end on one record"):
            p.result()

    def test_two_targets_on_one_that_was_found(self) -> None:
        """A record may be chosen and found as well: that is two targets on one."""
        lead = attrs.evolve(ENQUIRY, contact_ids=["C-3"])

        assert [(1, "contact", None, "two_on_one")] == codes(
            looked(lead, Link("contact", "C-3"), "contact")
        )


class TestMerge:
    KNOWN = attrs.evolve(BYRON, first_name=None, tags=["old"])
    LEAD = attrs.evolve(ENQUIRY, tags=["new"], comments="wants one")

    def test_before_and_after(self) -> None:
        """Empty fields are filled; the outcome holds what was there before, and the record after.

        What the record has is kept: it is listed, and nothing is lost.
        """
        [outcome] = made(self.LEAD, Merge("contact", "C-3"), known=[self.KNOWN]).outcomes

        assert ("merged", {"first_name": None, "comments": None}) == (
            outcome.action,
            outcome.before,
        )
        assert (
            Contact(
                id="C-3",
                revision="7",
                owner_id="u-9",
                first_name="Ada",
                last_name="Byron",
                comments="wants one",
                tags=["old"],
                converted_from=["L-1", "L-7"],
            )
            == outcome.record
        )

    def test_what_a_store_does(self) -> None:
        """One update of just what is new, in the revision as stored; one attachment; the lead."""
        update, attach, lead = made(self.LEAD, Merge("contact", "C-3")).changes.changes

        assert (
            Update(BYRON_REF, "7", {"first_name": "Ada", "comments": "wants one", "tags": ("new",)})
            == update
        )
        assert Attach(BYRON_REF, "converted_from", [LEAD_REF]) == attach
        assert LEAD_REF == lead.ref

    def test_the_revision_as_stored(self) -> None:
        """A store that keeps no revisions gets none back."""
        known = attrs.evolve(BYRON, revision=None)
        update = made(self.LEAD, Merge("contact", "C-3"), known=[known]).changes.changes[0]

        assert isinstance(update, Update)
        assert update.revision is None

    def test_unchanged(self) -> None:
        """Where nothing is new the record is not written, but for the lead it came from."""
        lead = attrs.evolve(BARE, last_name="Byron")
        result = made(lead, Merge("contact", "C-3"))

        assert ("unchanged", {}) == (result.outcomes[0].action, result.outcomes[0].before)
        assert [Attach(BYRON_REF, "converted_from", [LEAD_REF])] == [*result.changes.changes[:-1]]

    def test_nothing_at_all(self) -> None:
        """Merged again from a lead it came from, a record is not written."""
        known = attrs.evolve(BYRON, converted_from=["L-7"])
        result = made(BARE, Merge("contact", "C-3"), known=[known])

        assert [LEAD_REF] == [change.ref for change in result.changes.changes]
        assert known == result.contact

    def test_rows(self) -> None:
        """Each filled field of the lead is carried, there already, or unmerged."""
        known = attrs.evolve(self.KNOWN, comments="wants two")
        result = made(self.LEAD, Merge("contact", "C-3"), known=[known])

        assert {
            "first_name": ("first_name", "carried"),
            "last_name": ("last_name", "unmerged"),
            "comments": ("comments", "unmerged"),
            "tags": ("tags", "unmerged"),
            "owner_id": ("owner_id", "unmerged"),
        } == outcomes(result.explain(), "contact 1")
        assert {"last_name", "comments", "tags", "owner_id"} == {
            row.field for row in result.unmerged
        }
        assert {"title", "company_name"} == {row.field for row in result.dropped}

    def test_there_already(self) -> None:
        """What the record has too is told as there already, and is no loss."""
        known = attrs.evolve(self.KNOWN, last_name="Lovelace", tags=["new", "old"])
        result = made(self.LEAD, Merge("contact", "C-3"), known=[known])
        found = outcomes(result.explain(), "contact 1")

        assert ("last_name", "already_there") == found["last_name"]
        assert ("tags", "already_there") == found["tags"]
        assert {"owner_id"} == {row.field for row in result.unmerged}

    def test_events(self) -> None:
        """Who listens is told of the merge."""
        names = [one.name for one in made(self.LEAD, Merge("contact", "C-3")).changes.events]

        assert ["record.merged", "lead.converted"] == names

    def test_a_rule_of_its_own_for_a_field(self) -> None:
        """Each mapping says how its field is merged."""
        rules = own_rules(
            FieldMapping("last_name", "contact", conflict="take"),
            FieldMapping("first_name", "contact", conflict="keep"),
            FieldMapping("tags", "contact", conflict="append"),
        )
        [outcome] = made(
            self.LEAD, Merge("contact", "C-3"), known=[self.KNOWN], rules=rules
        ).outcomes

        assert {"last_name": "Byron", "tags": ("old",)} == outcome.before
        assert isinstance(outcome.record, Contact)
        assert ("Lovelace", None, ("old", "new")) == (
            outcome.record.last_name,
            outcome.record.first_name,
            outcome.record.tags,
        )

    def test_defaults_fill_no_gaps(self) -> None:
        """A default is for new records; a constant that is mapped fills a gap like any value."""
        kind = attrs.evolve(
            CONTACT, custom=[Field("UF_A", "text", default="a"), Field("UF_B", "text")]
        )
        kinds = [kind, COMPANY, DEAL]
        rules = own_rules(FieldMapping.fixed("contact", "UF_B", "b"), kinds=kinds)

        assert {"UF_B": "b"} == made(BARE, Merge("contact", "C-3"), rules=rules).contact.custom

    def test_order(self) -> None:
        """Clients are written before what points at them, and the lead last."""
        result = made(self.LEAD, Merge("deal", "D-5"), Merge("contact", "C-3"), "company")

        assert [
            ("Insert", "company"),
            ("Update", "contact"),
            ("Attach", "contact"),
            ("Update", "deal"),
            ("Attach", "deal"),
            ("Update", "lead"),
        ] == [(type(one).__name__, one.ref.kind) for one in result.changes.changes]


class TestSupplied:
    def test_supplied_values_win(self) -> None:
        """A value given for the record replaces what stands there, and the lead's is overridden."""
        target = Merge("contact", "C-3", values={"last_name": "King", "job_title": "Countess"})
        result = made(ENQUIRY, target)

        assert ("King", "Countess") == (result.contact.last_name, result.contact.job_title)
        assert {"last_name": "Byron", "job_title": None, "first_name": None} == (
            result.outcomes[0].before
        )
        rows = [row for row in result.explain() if row.target == "contact 1.last_name"]
        assert [
            Row(None, "contact 1.last_name", "supplied", None, None),
            Row(
                "last_name",
                "contact 1.last_name",
                "overridden",
                "last_name → contact.last_name",
                "supplied",
            ),
        ] == rows

    def test_the_same_value(self) -> None:
        """What is given and stands there already is not written."""
        result = made(BARE, Merge("contact", "C-3", values={"last_name": "Byron"}))

        assert "unchanged" == result.outcomes[0].action

    def test_a_given_none_empties(self) -> None:
        """A field is emptied on purpose, be it one or several values, and a store learns it."""
        known = attrs.evolve(BYRON, comments="x", tags=["a"])
        target = Merge("contact", "C-3", values={"comments": None, "tags": None})
        result = made(attrs.evolve(BARE, comments="y", tags=["b"]), target, known=[known])

        assert (None, ()) == (result.contact.comments, result.contact.tags)
        assert Update(BYRON_REF, "7", {"comments": None, "tags": ()}) == result.changes.changes[0]

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"converted_from": ["L-1"]}, "reserved_field"),
            ({"stage": "WON"}, "reserved_field"),
            ({"pipeline": "0"}, "reserved_field"),
            ({"titel": "x"}, "unknown_field"),
            ({"amount": "much"}, "wrong_type"),
        ],
    )
    def test_refused(self, values: dict[str, object], code: str) -> None:
        """Merging neither moves a record nor says where it came from; what is wrong is told."""
        p = looked(ENQUIRY, Merge("deal", "D-5", values=values))

        assert [(0, "deal", next(iter(values)), code)] == codes(p)

    def test_a_reference(self) -> None:
        """Whom a value given points at must be there, and is linked with that right alone."""
        target = Merge("deal", "D-5", values={"company_id": "CO-9", "contact_ids": ["C-4"]})
        grants = [Grant("*", "read"), Grant("deal", ["update", "merge"])]
        denied = looked(ENQUIRY, target, rules=own_rules(grants=grants), actor=CLERK)

        assert [(0, "deal", "contact_ids", "unknown_record")] == codes(looked(ENQUIRY, target))
        assert [(0, "company", None, "no_grant")] == codes(denied)
        known = (*THERE, Contact(id="C-4", last_name="King"))
        result = made(ENQUIRY, target, known=known)
        update = result.changes.changes[0]
        assert isinstance(update, Update)
        assert {"company_id": ENGINES_REF, "contact_ids": (Ref("contact", "C-4"),)} == update.values


class TestWhatIsNotAsked:
    def test_required_fields(self) -> None:
        """What a record lacked before is not asked for now."""
        bare = (Deal(id="D-5", amount=5), Contact(id="C-3"), Company(id="CO-9"))
        p = looked(
            BARE,
            Merge("contact", "C-3"),
            Merge("company", "CO-9"),
            Merge("deal", "D-5"),
            known=bare,
        )

        assert p.ok
        assert () == p.form

    @pytest.mark.parametrize(
        ("target", "known", "expected"),
        [
            (
                Merge("deal", "D-5", values={"title": None}),
                Deal(id="D-5", title="Old"),
                (0, "deal", "title", "required"),
            ),
            (
                Merge("contact", "C-3", values={"last_name": ""}),
                Contact(id="C-3", last_name="Byron"),
                (0, "contact", "last_name", "any_required"),
            ),
            (
                Merge("deal", "D-5", values={"amount": 5}),
                Deal(id="D-5", title="Old"),
                (0, "deal", "currency", "currency_required"),
            ),
        ],
    )
    def test_unless_it_is_written(
        self, target: Merge, known: Record, expected: tuple[int, str, str, str]
    ) -> None:
        """Whoever empties what is required, or gives an amount, must leave the record whole."""
        p = looked(BARE, target, known=[known])

        assert [expected] == codes(p)
        assert expected[2] == p.form[0].field

    def test_an_amount_in_a_currency_that_stands_there(self) -> None:
        """What is there already counts as well."""
        known = Deal(id="D-5", title="Old", currency="EUR")
        result = made(BARE, Merge("deal", "D-5", values={"amount": 5}), known=[known])

        assert (Decimal(5), "EUR") == (result.deal.amount, result.deal.currency)


class TestWhatIsLeftAlone:
    def test_stage_and_pipeline(self) -> None:
        """A deal under way stays where it stands, whatever the mappings say of new ones."""
        rules = own_rules(
            FieldMapping.fixed("deal", "stage", "won"),
            FieldMapping.fixed("deal", "pipeline", "sales"),
            FieldMapping("title", "deal"),
        )
        known = Deal(id="D-5", pipeline="sales", stage="open")
        blank = Deal(id="D-5")

        assert {"title": "Engine"} == looked(
            ENQUIRY, Merge("deal", "D-5"), known=[known], rules=rules
        ).targets[0].values
        after = made(ENQUIRY, Merge("deal", "D-5"), known=[blank], rules=rules).deal
        assert (None, None) == (after.stage, after.pipeline)

    def test_owner(self) -> None:
        """A record keeps its owner; one without any gets that of the lead."""
        nobody = attrs.evolve(BYRON, owner_id=None)

        assert "u-9" == made(ENQUIRY, Merge("contact", "C-3")).contact.owner_id
        assert "u-7" == made(ENQUIRY, Merge("contact", "C-3"), known=[nobody]).contact.owner_id

    def test_immune_to_an_owner_overwritten_by_conversion(self) -> None:
        """The owner of a client is never changed unasked, not even where all else is taken."""
        rules = own_rules(FieldMapping("owner_id", "contact"))

        assert "u-9" == made(ENQUIRY, Merge("contact", "C-3"), rules=rules).contact.owner_id

    def test_immune_to_a_contact_moved_to_another_company(self) -> None:
        """A contact of one company does not become another's because the lead speaks of that."""
        contact = attrs.evolve(BYRON, company_id="CO-1")
        result = made(ENQUIRY, Merge("contact", "C-3"), "company", known=[contact])

        assert "CO-1" == result.contact.company_id
        assert "company_id" not in outcomes(result.explain(), "contact 1")

    def test_a_contact_without_a_company(self) -> None:
        """One that has none gets the company made here: that gap is filled."""
        result = made(ENQUIRY, Merge("contact", "C-3"), "company")

        assert "L-7.1.company.1" == result.contact.company_id
        update = result.changes.changes[1]
        assert isinstance(update, Update)
        assert Ref("company", "L-7.1.company.1", provisional=True) == update.values["company_id"]
        assert (None, "linked") == outcomes(result.explain(), "contact 1")["company_id"]

    def test_a_contact_moved_on_purpose(self) -> None:
        """Who says so moves it, by a value given or by a rule for that field."""
        contact = attrs.evolve(BYRON, company_id="CO-1")
        given = Merge("contact", "C-3", values={"company_id": "CO-9"})
        rules = own_rules(FieldMapping("company_id", "contact", conflict="take"))
        lead = attrs.evolve(BARE, company_id="CO-9")

        assert "CO-9" == made(BARE, given, known=[contact, ENGINES]).contact.company_id
        taken = made(lead, Merge("contact", "C-3"), known=[contact, ENGINES], rules=rules)
        assert "CO-9" == taken.contact.company_id

    def test_immune_to_the_lead_erased_by_the_client(self) -> None:
        """What the client says never goes back into the lead: it keeps every field it had."""
        lead = attrs.evolve(ENQUIRY, emails=[Channel("demo@example.com")], comments="mine")
        after = made(lead, Link("contact", "C-3"), Merge("company", "CO-9"), "deal").lead
        untouched = {
            one.name
            for one in attrs.fields(Lead)
            if one.name not in {"stage", "stage_history", "conversions"}
        }

        assert {name: getattr(lead, name) for name in untouched} == {
            name: getattr(after, name) for name in untouched
        }


class TestRightsToMerge:
    def test_asked(self) -> None:
        """To merge takes the rights to read, to update and to merge, on the record as stored."""
        rules = own_rules(grants=[Grant("contact", ["read", "update", "merge"])])
        p = looked(BARE, Merge("contact", "C-3"), rules=rules, actor=CLERK)

        assert p.ok
        assert ["read", "update", "merge"] == asked_of(p, "contact", "C-3")
        assert {"u-9"} == {one.owner_id for one in p.required_access if one.id == "C-3"}

    @pytest.mark.parametrize("lacking", ["update", "merge"])
    def test_denied(self, lacking: str) -> None:
        """Each of the two is needed, and a denial hides what else is wrong with that target."""
        actions = [one for one in ("read", "update", "merge", "create") if one != lacking]
        rules = own_rules(grants=[Grant("contact", actions)])
        target = Merge("contact", "C-3", values={"no such": 1})
        p = looked(BARE, target, rules=rules, actor=CLERK)

        assert [(0, "contact", None, "no_grant")] == codes(p)
        assert lacking == p.problems[0].params["action"]
        assert ["unknown_field"] == [one.code for one in p.withheld]
        assert () == p.shown().targets

    def test_giving_it_away(self) -> None:
        """To give it to somebody else than oneself or the lead's owner takes a right of its own."""
        grants = [Grant("contact", ["read", "update", "merge"])]
        to_me, to_her = (
            Merge("contact", "C-3", values={"owner_id": owner}) for owner in ("u-7", "u-8")
        )
        mine = looked(ENQUIRY, to_me, rules=own_rules(grants=grants), actor=CLERK)
        hers = looked(ENQUIRY, to_her, rules=own_rules(grants=grants), actor=CLERK)

        assert mine.ok
        assert [(0, "contact", None, "no_grant")] == codes(hers)
        assert "assign" == hers.problems[0].params["action"]
        assert ["read", "update", "merge", "assign"] == asked_of(hers, "contact", "C-3")

    def test_whom_it_points_at_already(self) -> None:
        """Contacts a deal has need neither be handed over nor a right, to have one more."""
        deal = attrs.evolve(OLD_DEAL, contact_ids=["C-1", "C-2"])
        grants = [Grant("deal", ["read", "update", "merge"]), Grant("contact", "create")]
        rules = own_rules(FieldMapping("last_name", "contact"), grants=grants)
        p = looked(ENQUIRY, "contact", Merge("deal", "D-5"), known=[deal], rules=rules, actor=CLERK)

        assert ("C-1", "C-2", "L-7.1.contact.1") == p.result().deal.contact_ids
        update = p.result().changes.changes[1]
        assert isinstance(update, Update)
        assert (
            Ref("contact", "C-1"),
            Ref("contact", "C-2"),
            Ref("contact", "L-7.1.contact.1", provisional=True),
        ) == update.values["contact_ids"]

    def test_immune_to_the_same_contact_twice_on_a_deal(self) -> None:
        """A contact that a deal has already is not added again."""
        deal = attrs.evolve(OLD_DEAL, contact_ids=["C-1", "C-3"])
        result = made(BARE, Link("contact", "C-3"), Merge("deal", "D-5"), known=[BYRON, deal])

        assert ("C-1", "C-3") == result.deal.contact_ids
        assert "unchanged" == result.outcomes[1].action


class TestReferences:
    def test_among_what_is_made_linked_and_merged(self) -> None:
        """A deal points at whom it was asked for with, whether made, linked or merged into."""
        result = made(
            ENQUIRY,
            Create("contact"),
            Merge("contact", "C-3"),
            Link("company", "CO-9"),
            "deal",
        )

        assert (("L-7.1.contact.1", "C-3"), "CO-9") == (
            result.deal.contact_ids,
            result.deal.company_id,
        )
        assert ["CO-9", "CO-9"] == [one.company_id for one in result.all(Contact)]
        insert = result.changes.changes[-2]
        assert isinstance(insert, Insert)
        assert (
            Ref("contact", "L-7.1.contact.1", provisional=True),
            BYRON_REF,
        ) == insert.values["contact_ids"]
        assert ENGINES_REF == insert.values["company_id"]

    def test_one_right_is_enough(self) -> None:
        """What is a target itself is not asked about again by those that point at it."""
        grants = [
            Grant("company", ["read", "update", "merge"]),
            Grant("deal", "create"),
            Grant("contact", "create"),
        ]
        rules = own_rules(
            FieldMapping("title", "deal"), FieldMapping("last_name", "contact"), grants=grants
        )
        p = looked(ENQUIRY, "contact", Merge("company", "CO-9"), "deal", rules=rules, actor=CLERK)

        assert p.ok
        assert ["read", "update", "merge"] == asked_of(p, "company", "CO-9")

    def test_both_sides_agree(self) -> None:
        """Every target points back at the lead, and the lead at every target."""
        result = made(ENQUIRY, Link("contact", "C-3"), Merge("company", "CO-9"), "deal")

        assert tuple(one.ref for one in result.outcomes) == result.conversion.targets
        assert [True, True, True] == [
            "L-7" in one.converted_from for one in (result.contact, result.company, result.deal)
        ]


class TestReturningCustomers:
    BOUND = attrs.evolve(
        BARE,
        title="Another engine",
        contact_ids=["C-3", "C-4"],
        company_id="CO-9",
        comments="again",
        phones=[Channel("+49 30 123456")],
    )
    KNOWN = (
        BYRON,
        Contact(id="C-4", last_name="King", phones=[Channel("1")]),
        ENGINES,
    )

    def test_deals_only(self) -> None:
        """A bound lead makes a deal that takes all its contacts, the first primary, and company."""
        result = made(self.BOUND, "deal", known=self.KNOWN)

        assert ["created"] == [one.action for one in result.outcomes]
        assert (("C-3", "C-4"), "CO-9") == (result.deal.contact_ids, result.deal.company_id)
        assert 2 == len(result.changes.changes)

    def test_a_client_by_name_is_the_bound_one(self) -> None:
        """A plain name means the client the lead is bound to: its gaps are filled, none is made."""
        result = made(self.BOUND, "contact", "company", "deal", known=self.KNOWN)

        assert ["merged", "merged", "created"] == [one.action for one in result.outcomes]
        assert ("C-3", "CO-9") == (result.contact.id, result.company.id)
        assert (("C-3", "C-4"), "CO-9") == (result.deal.contact_ids, result.deal.company_id)
        assert ("again", "Analytical Engines") == (result.company.comments, result.company.name)

    def test_create_is_new_on_purpose(self) -> None:
        """Who wants another contact says so, and it leads those the lead is bound to."""
        lead = attrs.evolve(self.BOUND, last_name="Babbage")
        result = made(lead, Create("contact"), "deal", known=self.KNOWN)

        assert ("L-7.1.contact.1", "C-3", "C-4") == result.deal.contact_ids
        assert "CO-9" == result.contact.company_id

    def test_a_bound_client_that_is_not_there(self) -> None:
        """A client nobody handed over, or that may not be read, is a problem, never a new one."""
        p = looked(self.BOUND, "contact", known=[ENGINES])

        assert [(0, "contact", None, "record_not_there")] == codes(p)
        assert {"id": "C-3"} == p.problems[0].params

    def test_several_deals(self) -> None:
        """One lead may make several deals with one client."""
        first, second = Create("deal", values={"title": "First"}), Create("deal")
        result = made(self.BOUND, first, second, known=self.KNOWN)

        assert ["First", "Another engine"] == [one.title for one in result.all(Deal)]
        assert {("C-3", "C-4")} == {one.contact_ids for one in result.all(Deal)}


ENRICHING = attrs.evolve(BITRIX, matching=Matching(enrich=True))


class TestEnriching:
    BOUND, KNOWN = TestReturningCustomers.BOUND, TestReturningCustomers.KNOWN

    def test_gaps_of_the_clients(self) -> None:
        """Every conversion of a bound lead fills the gaps of its clients and overwrites nothing."""
        known = [attrs.evolve(BYRON, comments="known"), *self.KNOWN[1:]]
        result = made(self.BOUND, "deal", known=known, rules=ENRICHING)

        assert [("company", "merged"), ("contact", "merged"), ("deal", "created")] == [
            (one.ref.kind, one.action) for one in result.outcomes
        ]
        assert ("known", (Channel("+49 30 123456"),)) == (
            result.contact.comments,
            result.contact.phones,
        )
        assert ("again", "CO-9") == (result.company.comments, result.contact.company_id)

    def test_without_targets(self) -> None:
        """Nothing asked for is nothing asked for."""
        p = looked(self.BOUND, known=self.KNOWN, rules=ENRICHING)

        assert [(None, None, None, "no_targets")] == codes(p)

    @pytest.mark.parametrize(
        "target", [Link("contact", "C-4"), Merge("contact", "C-4"), Create("contact")]
    )
    def test_a_choice_beats_it(self, target: Target) -> None:
        """Who is chosen, or made, of a kind is that one; the bound one is left alone."""
        lead = attrs.evolve(self.BOUND, last_name="Babbage")
        result = made(lead, target, "deal", known=self.KNOWN, rules=ENRICHING)

        assert "C-3" not in {one.ref.id for one in result.outcomes}
        assert 1 == len(result.all(Contact))

    def test_a_list_that_can_be_read_once(self) -> None:
        """It makes no difference how the list of targets is handed over."""
        known = Known(records=self.KNOWN)
        one, other = (
            plan(self.BOUND, into, rules=ENRICHING, actor=ADA, at=AT, known=known)
            for into in (["deal"], iter(["deal"]))
        )

        assert one == other

    def test_it_takes_the_rights_to_merge(self) -> None:
        """Who may not merge into a client is denied, and told of which kind."""
        grants = [Grant("*", ["read", "link", "create"])]
        rules = attrs.evolve(ENRICHING, policy=Policy([Role("r", [ON_LEADS, *grants])]))
        p = looked(self.BOUND, "deal", known=self.KNOWN, rules=rules, actor=CLERK)

        assert {("contact", "update"), ("contact", "merge"), ("company", "update")} < {
            (one.kind, one.params["action"]) for one in p.problems
        }
        assert not can_convert(self.BOUND, CLERK, rules, known=Known(records=self.KNOWN))

    def test_wanted_lists_the_clients(self) -> None:
        """Whom every conversion fills is among what a store is to load, whatever is asked for."""
        kinds = [*BITRIX.kinds, Kind("note", fields=[BACK])]
        rules = attrs.evolve(ENRICHING, kinds=kinds)

        assert {"C-3", "CO-9"} <= {one.id for one in wanted(self.BOUND, ["note"], rules=rules).refs}
        assert () == wanted(self.BOUND, ["note"], rules=attrs.evolve(BITRIX, kinds=kinds)).refs
        known = Known(records=self.KNOWN)
        assert plan(self.BOUND, ["note"], rules=rules, actor=ADA, at=AT, known=known).ok

    def test_an_unbound_lead(self) -> None:
        """Where the lead is bound to nobody there is nobody to fill, and nobody is made."""
        result = made(attrs.evolve(BARE, title="New"), "deal", rules=ENRICHING)

        assert ["deal"] == [one.ref.kind for one in result.outcomes]


class TestTheTriple:
    OF_ANOTHER = attrs.evolve(BYRON, company_id="CO-1")

    def test_two_companies(self) -> None:
        """A deal with one company, and a contact that has another, is a stated problem."""
        p = looked(
            ENQUIRY,
            Link("contact", "C-3"),
            Link("company", "CO-9"),
            "deal",
            known=[self.OF_ANOTHER, ENGINES],
        )

        [problem] = p.problems
        assert (Cause.INVALID_TARGET, "clients_disagree", 2, "deal") == (
            problem.cause,
            problem.code,
            problem.target,
            problem.kind,
        )
        assert {"other": "company", "one": "CO-9", "via": "contact", "two": "CO-1"} == (
            problem.params
        )
        assert "the deal would have the company 'CO-9', but its contact has 'CO-1'" == (
            problem.message
        )
        with pytest.raises(errors.InvalidTargetError):
            p.result()

    def test_immune_to_a_deal_at_a_company_its_contact_is_not_of(self) -> None:
        """A contact found at one company never ends on a deal with the company made here."""
        p = looked(ENQUIRY, Merge("contact", "C-3"), "company", "deal", known=[self.OF_ANOTHER])

        assert [(2, "deal", None, "clients_disagree")] == codes(p)
        assert ("L-7.1.company.1", "CO-1") == (
            p.problems[0].params["one"],
            p.problems[0].params["two"],
        )

    @pytest.mark.parametrize("company", [None, "CO-9"])
    def test_everyday_business(self, company: str | None) -> None:
        """A linked contact has no company, or just that one: nothing is wrong."""
        contact = attrs.evolve(BYRON, company_id=company)
        targets = [Link("contact", "C-3"), Link("company", "CO-9"), Find("deal")]

        assert looked(ENQUIRY, *targets, known=[contact, ENGINES]).ok

    def test_a_deal_without_a_company(self) -> None:
        """A contact's company is no problem where the deal has none."""
        assert looked(ENQUIRY, Link("contact", "C-3"), "deal", known=[self.OF_ANOTHER]).ok

    def test_bound_clients(self) -> None:
        """Every contact the lead is bound to is looked at."""
        lead = attrs.evolve(ENQUIRY, contact_ids=["C-1", "C-2", "C-3"], company_id="CO-9")
        known = [
            ENGINES,
            Contact(id="C-1", company_id="CO-9"),
            Contact(id="C-2"),
            self.OF_ANOTHER,
        ]

        assert [("contact", "CO-1")] == [
            (one.params["via"], one.params["two"])
            for one in looked(lead, "deal", known=known).problems
        ]

    def test_one_way_out(self) -> None:
        """Who moves the contact to the deal's company is through."""
        moved = Merge("contact", "C-3", values={"company_id": "CO-9"})
        targets = [moved, Link("company", "CO-9"), Find("deal")]

        assert looked(ENQUIRY, *targets, known=[self.OF_ANOTHER, ENGINES]).ok

    @pytest.mark.parametrize("sort", [Link, Merge])
    def test_what_stood_like_that_before(self, sort: type[Link | Merge]) -> None:
        """What users made of a deal before is not told of this lead."""
        deal = attrs.evolve(OLD_DEAL, contact_ids=["C-3"], company_id="CO-9")
        known = [deal, self.OF_ANOTHER, ENGINES]

        assert looked(ENQUIRY, sort("deal", "D-5"), known=known).ok
        assert looked(ENQUIRY, sort("deal", "D-5"), Link("contact", "C-3"), known=known).ok

    @pytest.mark.parametrize(
        "deal",
        [
            attrs.evolve(OLD_DEAL, company_id="CO-9"),
            attrs.evolve(OLD_DEAL, company_id="CO-9", contact_ids=["C-4"]),
        ],
    )
    def test_what_merging_brings_about(self, deal: Deal) -> None:
        """A contact that joins a deal of another company is told."""
        into = [Link("contact", "C-3"), Merge("deal", "D-5")]
        p = looked(ENQUIRY, *into, known=[deal, self.OF_ANOTHER, ENGINES])

        assert [(1, "deal", None, "clients_disagree")] == codes(p)

    def test_a_contact_moved_away_from_a_deal(self) -> None:
        """A linked deal is told of as well, if its contact is moved to another company here."""
        deal = attrs.evolve(OLD_DEAL, contact_ids=["C-3"], company_id="CO-1")
        moved = Merge("contact", "C-3", values={"company_id": "CO-9"})
        p = looked(ENQUIRY, moved, Link("deal", "D-5"), known=[deal, self.OF_ANOTHER, ENGINES])

        assert [(1, "deal", None, "clients_disagree")] == codes(p)
        assert ("CO-1", "CO-9") == (p.problems[0].params["one"], p.problems[0].params["two"])

    def test_a_company_above_its_own(self) -> None:
        """A parent company is no client: neither the deal nor the company must agree with it."""
        parent = Field("parent_id", "reference", to="company")
        rules = own_rules(
            FieldMapping("title", "deal"),
            FieldMapping("company_id", "deal"),
            kinds=[CONTACT, attrs.evolve(COMPANY, custom=[parent]), DEAL],
        )
        daughter = attrs.evolve(ENGINES, custom={"parent_id": "CO-1"})
        known = [daughter, Company(id="CO-1", name="Holding", custom={"parent_id": "CO-2"})]
        lead = attrs.evolve(ENQUIRY, company_id="CO-9")
        sister = Create("company", values={"name": "Sister", "parent_id": "CO-1"})

        assert looked(lead, "deal", known=known, rules=rules).ok
        assert looked(ENQUIRY, sister, known=known, rules=rules).ok

    @pytest.mark.parametrize(("of", "agrees"), [("CO-1", True), ("CO-9", True), ("CO-2", False)])
    def test_two_companies_of_one_kind(self, of: str, agrees: bool) -> None:
        """Where a record points at two of a kind, one in common is enough."""
        agency = Kind(
            "agency",
            fields=[
                Field("for_id", "reference", to="company"),
                Field("by_id", "reference", to="company"),
                Field("contact_id", "reference", to="contact"),
                BACK,
            ],
        )
        rules = own_rules(kinds=[CONTACT, COMPANY, DEAL, agency])
        known = [attrs.evolve(BYRON, company_id=of), ENGINES, Company(id="CO-1", name="One")]
        values = {"for_id": "CO-1", "by_id": "CO-9", "contact_id": "C-3"}
        p = looked(BARE, Create("agency", values=values), known=known, rules=rules)

        assert agrees == p.ok
        assert agrees or [(0, "agency", None, "clients_disagree")] == codes(p)

    def test_a_kind_the_rules_do_not_have(self) -> None:
        """What points at a record of a kind nobody described agrees with everything."""
        site = Field("site_id", "reference", to="location")
        rules = own_rules(kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=[site])])
        known = [attrs.evolve(OLD_DEAL, custom={"site_id": "S-1"}, company_id="CO-9"), ENGINES]

        assert looked(BARE, Merge("deal", "D-5"), known=known, rules=rules).ok

    def test_a_contact_that_may_not_be_read(self) -> None:
        """Whose company differs is not told of a contact the actor may not read."""
        deal = attrs.evolve(OLD_DEAL, contact_ids=["C-3"])
        lead = attrs.evolve(ENQUIRY, company_id="CO-9")
        grants = [Grant("deal", ["read", "update", "merge"]), Grant("company", ["read", "link"])]
        rules = own_rules(FieldMapping("company_id", "deal"), grants=grants)
        known = [deal, self.OF_ANOTHER, ENGINES]

        assert looked(lead, Merge("deal", "D-5"), known=known, rules=rules, actor=CLERK).ok
        assert [(0, "deal", None, "clients_disagree")] == codes(
            looked(lead, Merge("deal", "D-5"), known=known, rules=own_rules(*rules.mappings))
        )

    @pytest.mark.parametrize("where", ["contact", "deal", "lead"])
    def test_a_company_that_is_hidden(self, where: str) -> None:
        """Where either company is hidden from the actor neither is told, nor which field it is."""
        hidden = Field("company_id", "reference", to="company", sensitive=True)

        def guarded(kind: Kind) -> Kind:
            rest = [field for field in kind.fields if field.id != "company_id"]
            return attrs.evolve(kind, fields=[*rest, hidden]) if kind.id == where else kind

        rules = own_rules(
            FieldMapping("title", "deal"),
            FieldMapping("contact_ids", "deal"),
            FieldMapping("company_id", "deal"),
            lead=guarded(LEAD),
            kinds=[guarded(CONTACT), COMPANY, guarded(DEAL)],
            grants=[Grant("*", ["read", "link", "create"])],
        )
        lead = attrs.evolve(ENQUIRY, contact_ids=["C-3"], company_id="CO-SECRET")
        contact = attrs.evolve(BYRON, company_id="CO-SECRETS")
        known = [contact, Company(id="CO-SECRET", name="Secret")]
        p = looked(lead, "deal", known=known, rules=rules, actor=CLERK)

        assert [(0, "deal", None, "hidden")] == codes(p)
        assert p.problems[0].cause is Cause.INVALID_TARGET
        assert ["clients_disagree"] == [one.code for one in p.withheld]
        with pytest.raises(errors.InvalidTargetError) as refused:
            p.result()
        assert "SECRETS" not in str(refused.value) + repr(refused.value.problems)
        if where != "contact":
            assert "SECRET" not in str(Codec(rules).to_data(p.shown()))


@attrs.frozen(kw_only=True)
class Project:
    """A record of a user's own: written otherwise than it is read, and choosy about its name."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])
    name: str
    tags: tuple[str, ...] = ()
    _deal_id: str | None = attrs.field(default=None, alias="deal")
    owner: str | None = None
    converted_from: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what nobody could know beforehand."""
        if self.name == "forbidden":
            raise ValueError(self.name)


PROJECT = Kind(
    "project",
    Project,
    fields=[Field("_deal_id", "reference", to="deal"), BACK],
    custom=[Field("UF_SIZE", "integer")],
    owner="owner",
)
#: A kind of fields alone, some of them called as attributes of a record are.
INVOICE = Kind(
    "invoice",
    fields=[
        Field("number", "text", required=True),
        Field("kind", "text"),
        Field("revision", "text"),
        Field("deal_id", "reference", to="deal"),
        BACK,
    ],
)


class TestOwnKinds:
    RULES = own_rules(
        FieldMapping("title", "project", "name", conflict="take"),
        FieldMapping("tags", "project", conflict="append"),
        FieldMapping("title", "invoice", "number"),
        FieldMapping("source", "invoice", "kind"),
        FieldMapping("comments", "invoice", "revision"),
        FieldMapping("title", "deal"),
        kinds=[CONTACT, COMPANY, DEAL, PROJECT, INVOICE],
    )
    HOUSE = Project(id="P-1", revision="5", name="House", tags=("old",), custom={"UF_SIZE": 3})
    BILL = GenericRecord(
        kind="invoice", id="I-1", revision="6", custom={"number": "2027-001", "deal_id": "D-5"}
    )

    def test_a_class_of_ones_own(self) -> None:
        """A record of a user's class is merged into, and points at the deal made here."""
        lead = attrs.evolve(ENQUIRY, tags=["new"])
        result = made(lead, Merge("project", "P-1"), "deal", known=[self.HOUSE], rules=self.RULES)
        [outcome] = [one for one in result.outcomes if one.ref.kind == "project"]

        assert (
            Project(
                id="P-1",
                revision="5",
                name="Engine",
                tags=("old", "new"),
                deal="L-7.1.deal.1",
                custom={"UF_SIZE": 3},
                converted_from=("L-7",),
            )
            == outcome.record
        )
        assert {"name": "House", "tags": ("old",), "_deal_id": None} == outcome.before
        assert (
            Update(
                Ref("project", "P-1"),
                "5",
                {
                    "name": "Engine",
                    "tags": ("old", "new"),
                    "_deal_id": Ref("deal", "L-7.1.deal.1", provisional=True),
                },
            )
            in result.changes.changes
        )

    def test_a_kind_of_fields_alone(self) -> None:
        """Its fields may be called as attributes of a record are: they stay apart."""
        lead = attrs.evolve(ENQUIRY, source="WEB", comments="first")
        result = made(lead, Merge("invoice", "I-1"), known=[self.BILL], rules=self.RULES)

        assert GenericRecord(
            kind="invoice",
            id="I-1",
            revision="6",
            custom={
                "number": "2027-001",
                "deal_id": "D-5",
                "kind": "WEB",
                "revision": "first",
                "converted_from": ["L-7"],
            },
        ) == result.get("invoice")
        assert {"kind": None, "revision": None} == result.outcomes[0].before

    def test_linked(self) -> None:
        """Records of either sort are linked, untouched but for the lead."""
        result = made(
            ENQUIRY,
            Link("project", "P-1"),
            Link("invoice", "I-1"),
            known=[self.HOUSE, self.BILL],
            rules=self.RULES,
        )
        house, bill = result.records

        assert attrs.evolve(self.HOUSE, converted_from=("L-7",)) == house
        assert {**self.BILL.custom, "converted_from": ("L-7",)} == bill.custom
        assert [Attach, Attach, Update] == [type(one) for one in result.changes.changes]

    def test_a_class_that_refuses(self) -> None:
        """What a user's class refuses is a problem, and names the error but no value."""
        lead = attrs.evolve(ENQUIRY, title="forbidden")
        p = looked(lead, Merge("project", "P-1"), known=[self.HOUSE], rules=self.RULES)

        assert [(0, "project", None, "constructor_failed")] == codes(p)
        assert {"error": "ValueError"} == p.problems[0].params

    def test_required_fields(self) -> None:
        """A kind of fields alone is not asked for what it lacked before either."""
        known = [attrs.evolve(self.BILL, custom={})]

        assert looked(BARE, Merge("invoice", "I-1"), known=known, rules=self.RULES).ok


def explode(old: object, new: object) -> object:
    """A merger that raises, and says the values."""
    raise RuntimeError(old, new)


class TestHidden:
    SCORE = Field("UF_SCORE", "text")
    SENSITIVE = attrs.evolve(SCORE, sensitive=True)
    GRANTS = (Grant("*", ["read", "update", "merge", "link", "create"]),)
    LEAD = attrs.evolve(BARE, last_name="Lovelace", custom={"UF_SCORE": "SECRET of the lead"})
    KNOWN = attrs.evolve(BYRON, custom={"UF_SCORE": "SECRET of the client"})

    def rules(self, conflict: str, *, of_lead: bool = False) -> ConversionRules:
        """Rules that hide the score of the client, or that of the lead, from the clerk."""
        lead = self.SENSITIVE if of_lead else self.SCORE
        client = self.SCORE if of_lead else self.SENSITIVE
        return attrs.evolve(
            own_rules(
                FieldMapping("last_name", "contact"),
                kinds=[attrs.evolve(CONTACT, custom=[client]), COMPANY, DEAL],
                lead=attrs.evolve(LEAD, custom=[lead]),
                grants=self.GRANTS,
            ),
            mergers={"explode": explode},
            mappings=[
                FieldMapping("last_name", "contact"),
                FieldMapping("UF_SCORE", "contact", conflict=conflict),
            ],
        )

    @staticmethod
    def told(p: Plan, rules: ConversionRules) -> str:
        """Everything the actor gets to see, as one text."""
        shown = p.shown()
        error = ""
        if not p.ok:
            with pytest.raises(errors.ConversionError) as refused:
                p.result()
            error = f"{refused.value!r} {refused.value} {Codec(rules).to_data(refused.value)}"
        values = [dict(draft.values) for draft in shown.targets]
        return f"{shown!r} {shown} {Codec(rules).to_data(shown)} {values} {error}"

    @pytest.mark.parametrize(
        ("conflict", "expected"),
        [("take", "SECRET of the lead"), ("fill", "SECRET of the client")],
    )
    def test_of_the_client(self, conflict: str, expected: str) -> None:
        """A field hidden from the actor is merged all the same, and shown in no way."""
        rules = self.rules(conflict)
        p = looked(self.LEAD, Merge("contact", "C-3"), known=[self.KNOWN], rules=rules, actor=CLERK)

        assert {"UF_SCORE": expected} == p.result().contact.custom
        assert "SECRET" not in self.told(p, rules)
        assert "UF_SCORE" not in str([draft.values for draft in p.shown().targets])
        assert ["last_name"] == [row.field for row in p.shown().rows]
        assert {"last_name", "UF_SCORE"} == {row.field for row in p.rows}

    @pytest.mark.parametrize("conflict", ["take", "fill", "keep", "longest"])
    def test_of_the_lead(self, conflict: str) -> None:
        """A value of the lead that is hidden is not shown where it goes, nor that it went there."""
        rules = self.rules(conflict, of_lead=True)
        known = attrs.evolve(BYRON, custom={"UF_SCORE": "x"})
        p = looked(self.LEAD, Merge("contact", "C-3"), known=[known], rules=rules, actor=CLERK)
        travels = conflict in {"take", "longest"}

        assert {"UF_SCORE": "SECRET of the lead" if travels else "x"} == p.result().contact.custom
        assert "SECRET" not in self.told(p, rules)
        assert ["last_name"] == [row.field for row in p.shown().rows]

    @pytest.mark.parametrize("of_lead", [False, True])
    def test_a_merge_that_fails(self, of_lead: bool) -> None:
        """Where merging a hidden field fails, the actor learns that something does, and no more."""
        rules = self.rules("explode", of_lead=of_lead)
        p = looked(self.LEAD, Merge("contact", "C-3"), known=[self.KNOWN], rules=rules, actor=CLERK)

        assert [(0, "contact", None, "hidden")] == codes(p)
        assert ["merge_failed"] == [one.code for one in p.withheld]
        assert "SECRET" not in self.told(p, rules)
        assert () == p.form

    def test_a_merge_that_fails_in_sight(self) -> None:
        """Who may see the field is told what failed, and is asked for a value."""
        rules = attrs.evolve(self.rules("explode"), policy=Policy.allow_all())
        p = looked(self.LEAD, Merge("contact", "C-3"), known=[self.KNOWN], rules=rules)

        assert [(0, "contact", "UF_SCORE", "merge_failed")] == codes(p)
        assert {"merger": "explode", "error": "RuntimeError"} == p.problems[0].params
        assert [("UF_SCORE", "SECRET of the client")] == [(one.field, one.value) for one in p.form]

    def test_supplied(self) -> None:
        """What an actor cannot see they cannot supply: for them there is no such field."""
        target = Merge("contact", "C-3", values={"UF_SCORE": "mine"})
        rules = self.rules("fill")
        p = looked(BARE, target, known=[self.KNOWN], rules=rules, actor=CLERK)

        assert [(0, "contact", "UF_SCORE", "unknown_field")] == codes(p)
        assert "SECRET" not in self.told(p, rules)


class TestThePlan:
    def test_drafts(self) -> None:
        """A plan says of each target what is done, to which record, and what changes."""
        p = looked(ENQUIRY, Merge("contact", "C-3"), Link("company", "CO-9"), "deal")
        company, contact, deal = p.targets

        assert [("link", ENGINES_REF, 1), ("merge", BYRON_REF, 0)] == [
            (one.action, one.ref, one.target) for one in (company, contact)
        ]
        assert ({}, {"first_name": "Ada", "company_id": "CO-9"}) == (company.values, contact.values)
        assert ("create", True) == (deal.action, deal.ref.provisional)
        assert p.targets == p.shown().targets
        assert p.rows == p.shown().rows

    def test_a_form_for_a_merge(self) -> None:
        """The form of a record that exists shows what stands there, and asks what is wrong."""
        target = Merge("deal", "D-5", values={"amount": 5})
        p = looked(ENQUIRY, target)
        [field] = p.form

        assert (0, "deal", "currency", "currency_required", None) == (
            field.target,
            field.kind,
            field.field,
            field.why,
            field.value,
        )
        answered = Merge("deal", "D-5", values={"amount": 5, "currency": "EUR"})
        assert (Decimal(5), "EUR", "Old") == (
            (deal := made(ENQUIRY, answered).deal).amount,
            deal.currency,
            deal.title,
        )

    def test_repr_shows_no_values(self) -> None:
        """What a result and its outcomes tell of a record that exists holds none of its values."""
        result = made(ENQUIRY, Merge("contact", "C-3"), Link("company", "CO-9"))

        assert "<ConversionResult of lead L-7: linked company CO-9, merged contact C-3>" == (
            repr(result)
        )
        assert "before" not in repr(result.outcomes[1])
        assert "Ada" not in repr(result.changes)

    def test_which_is_refused_first(self) -> None:
        """Denied beats not there beats ambiguous beats unfit, whatever the order asked."""
        targets = [
            Link("contact", "C-3", values={"last_name": "x"}),
            Merge("company", "CO-404"),
            Create("deal", values={"title": None}),
        ]

        for into in (targets, targets[::-1]):
            with pytest.raises(errors.UnknownTargetError) as refused:
                looked(ENQUIRY, *into).result()
            assert {"link_with_values", "record_not_there", "required"} == {
                one.code for one in refused.value.problems
            }


MATCHING = Matching(
    [
        MatchRule("contact", ["email", ["phone", "person"]], "merge"),
        MatchRule("company", ["company"], "link"),
    ]
)
SEEKING = attrs.evolve(BITRIX, matching=MATCHING)


class TestFound:
    """What matching decides, end to end; how it decides stands with the keys and the rules."""

    LEAD = attrs.evolve(ENQUIRY, emails=[Channel("ada@example.com", "work")])
    ADA = attrs.evolve(BYRON, emails=[Channel("ADA@example.com")])
    FIRM = attrs.evolve(ENGINES, name="ENGINES")

    def test_merged_and_linked(self) -> None:
        """Who is found is merged into or linked as the rule says, and by what is told."""
        result = made(
            self.LEAD, "contact", "company", "deal", known=[self.ADA, self.FIRM], rules=SEEKING
        )

        assert [
            ("linked", "CO-9", ("company",)),
            ("merged", "C-3", ("email",)),
            ("created", "L-7.1.deal.1", ()),
        ] == [(one.action, one.ref.id, one.matched_by) for one in result.outcomes]
        assert (("C-3",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)

    def test_chosen_beats_bound_beats_found_beats_made(self) -> None:
        """Each is asked only where the one before says nothing."""
        other, third = Contact(id="C-4", last_name="King"), Contact(id="C-5", last_name="Byron")
        known = [self.ADA, other, third]
        bound = attrs.evolve(self.LEAD, contact_ids=["C-4"])
        unknown = attrs.evolve(self.LEAD, emails=[])

        def contact(lead: Lead, target: str | Target) -> str:
            return made(lead, target, known=known, rules=SEEKING).contact.id

        assert "C-5" == contact(bound, Link("contact", "C-5"))
        assert "C-4" == contact(bound, "contact")
        assert "C-3" == contact(self.LEAD, "contact")
        assert "L-7.1.contact.1" == contact(unknown, "contact")
        assert "L-7.1.contact.1" == contact(self.LEAD, Create("contact"))

    def test_several(self) -> None:
        """Several candidates are all told, before anything is decided to be written."""
        twin = attrs.evolve(self.ADA, id="C-2")
        p = looked(self.LEAD, "contact", "company", known=[self.ADA, twin], rules=SEEKING)

        assert [(0, "contact", None, "several_matches")] == codes(p)
        assert ({"id": "C-2", "by": ("email",)}, {"id": "C-3", "by": ("email",)}) == (
            p.problems[0].params["candidates"]
        )
        assert p.conversion is None
        with pytest.raises(errors.AmbiguousMatchError):
            p.result()

    def test_a_shared_phone_is_not_identity(self) -> None:
        """T3: a lead with the phone of somebody else makes a contact of its own."""
        phone = [Channel("+91 0000000099")]
        jane = Contact(id="C-1", first_name="Jane", last_name="Doe", phones=phone)
        john = attrs.evolve(BARE, first_name="John", last_name="Doe", phones=phone)

        assert "created" == made(john, "contact", known=[jane], rules=SEEKING).outcomes[0].action

    @pytest.mark.parametrize("blank", ["", "  ", "@", "n/a"])
    def test_an_empty_key_never_matches(self, blank: str) -> None:
        """T3: two blank e-mails make nobody the same, whatever the name."""
        stranger = Contact(id="C-1", last_name="Lovelace", emails=[Channel(blank)])
        lead = attrs.evolve(BARE, last_name="Lovelace", emails=[Channel(blank)])

        assert (
            "created" == made(lead, "contact", known=[stranger], rules=SEEKING).outcomes[0].action
        )

    def test_cannot_see_it_cannot_link_it(self) -> None:
        """T10: a match the actor may not read is none, and gives nobody access to anything."""
        grants = [Grant("contact", ["read", "update", "merge", "create"], "own")]
        rules = attrs.evolve(SEEKING, policy=Policy([Role("r", [ON_LEADS, *grants])]))
        p = looked(self.LEAD, "contact", known=[self.ADA], rules=rules, actor=CLERK)

        assert ["created"] == [one.action for one in p.result().outcomes]
        assert p.shown() == looked(self.LEAD, "contact", known=[], rules=rules, actor=CLERK).shown()

    def test_existing_records_win_over_the_leads_text(self) -> None:
        """T2: with both chosen one record is made and two are linked, and nobody is overwritten."""
        lead = attrs.evolve(self.LEAD, company_name="Should Be Replaced")
        result = made(lead, Link("contact", "C-3"), Link("company", "CO-9"), "deal", rules=SEEKING)

        assert ["linked", "linked", "created"] == [one.action for one in result.outcomes]
        assert ("Byron", "Analytical Engines") == (result.contact.last_name, result.company.name)
        assert ("Lovelace", "Should Be Replaced") == (
            result.lead.last_name,
            result.lead.company_name,
        )

    def test_a_client_with_a_name_only(self) -> None:
        """T7: the same existing client erases nothing of the lead, and keeps what it has."""
        partner = Contact(id="C-3", first_name="Ada", source="EN")
        lead = attrs.evolve(
            self.LEAD, contact_ids=["C-3"], source="FR", comments="my street", last_name=None
        )
        result = made(lead, "contact", known=[partner], rules=SEEKING)

        assert (lead.emails, "FR", "my street") == (
            result.lead.emails,
            result.lead.source,
            result.lead.comments,
        )
        assert ("EN", lead.emails) == (result.contact.source, result.contact.emails)

    def test_immune_to_a_chosen_record_that_is_ignored(self) -> None:
        """Who was chosen is taken, though another one matches."""
        other = Contact(id="C-4", last_name="King")
        result = made(self.LEAD, Merge("contact", "C-4"), known=[self.ADA, other], rules=SEEKING)

        assert "C-4" == result.contact.id

    def test_immune_to_a_company_kept_though_the_contact_is_ambiguous(self) -> None:
        """R7: where the contact is a question the company is not made either."""
        twin = attrs.evolve(self.ADA, id="C-2")
        outcome = next(
            convert_many(
                [self.LEAD],
                ["company", "contact"],
                rules=SEEKING,
                actor=ADA,
                at=AT,
                known=Known(records=[self.ADA, twin]),
            )
        )

        assert isinstance(outcome, Rejected)
        assert ["several_matches"] == [one.code for one in outcome.error.problems]

    def test_immune_to_the_id_being_copied(self) -> None:
        """Merging carries neither the lead's id nor its revision, stage or history."""
        contact = made(self.LEAD, "contact", known=[self.ADA], rules=SEEKING).contact

        assert ("C-3", "7") == (contact.id, contact.revision)


class TestMany:
    LEADS = tuple(
        attrs.evolve(ENQUIRY, id=id_, phones=[Channel(phone)], company_name=None)
        for id_, phone in (("L-1", "111111"), ("L-2", "222222"))
    )

    def many(self, *into: str | Target) -> list[Converted | Rejected]:
        """What comes of both leads."""
        known = Known(records=THERE)
        return list(convert_many(self.LEADS, into, rules=BITRIX, actor=ADA, at=AT, known=known))

    def test_one_client_for_all(self) -> None:
        """Many leads may be linked to one record: each adds itself, and none undoes another."""
        results = [
            one.result
            for one in self.many(Link("company", "CO-9"), "deal")
            if isinstance(one, Converted)
        ]

        assert [("L-1",), ("L-2",)] == [one.company.converted_from for one in results]
        assert [
            Attach(ENGINES_REF, "converted_from", [Ref("lead", "L-1")]),
            Attach(ENGINES_REF, "converted_from", [Ref("lead", "L-2")]),
        ] == [one.changes.changes[0] for one in results]

    def test_immune_to_the_first_leads_phone_on_every_contact(self) -> None:
        """Each item is decided by itself: nothing of one leaks into the next."""
        many = self.many(Merge("contact", "C-3"))
        alone = [
            convert(
                lead,
                [Merge("contact", "C-3")],
                rules=BITRIX,
                actor=ADA,
                at=AT,
                known=Known(records=THERE),
            )
            for lead in self.LEADS
        ]

        assert [Converted(one) for one in alone] == many
        assert [(Channel("111111"),), (Channel("222222"),)] == [one.contact.phones for one in alone]

    def test_a_whole_batch(self) -> None:
        """A batch in hand is decided alike, in its own order."""
        known = Known(records=THERE)
        batch = convert_batch(
            self.LEADS[::-1], [Link("contact", "C-3")], rules=BITRIX, actor=ADA, at=AT, known=known
        )

        assert tuple(self.many(Link("contact", "C-3"))[::-1]) == batch


class TestFingerprints:
    TARGETS = (
        Find("contact"),
        Create("contact"),
        Create("contact", id="C-3"),
        Link("contact", "C-3"),
        Merge("contact", "C-3"),
        Link("contact", "C-4"),
        Merge("contact", "C-4"),
        Merge("contact", "C-3", values={"last_name": "King"}),
        Find("contact", values={"last_name": "King"}),
        Create("contact", values={"last_name": "King"}),
    )

    def test_each_is_a_request_of_its_own(self) -> None:
        """To find, to make, to link and to merge are four requests; so are two ids, two values."""
        found = {Request(lead_id="L-7", targets=(one,)).fingerprint for one in self.TARGETS}

        assert len(self.TARGETS) == len(found)

    def test_not_of_what_was_found(self) -> None:
        """One request has one key and fingerprint, whomever it finds and whoever asks."""
        lead = attrs.evolve(ENQUIRY, emails=[Channel("ada@example.com")])
        there = attrs.evolve(BYRON, emails=[Channel("ada@example.com")])
        results = [
            made(lead, "contact", known=known, rules=SEEKING)
            for known in ([], [there], [attrs.evolve(there, revision="8", last_name="King")])
        ]

        assert ["created", "merged", "merged"] == [one.outcomes[0].action for one in results]
        assert 1 == len({one.changes.fingerprint for one in results})
        assert 1 == len({one.changes.key for one in results})

    def test_a_plain_name(self) -> None:
        """A plain name is short for finding, so both are one request."""
        plain, said = (looked(BARE, one).request.fingerprint for one in ("deal", Find("deal")))

        assert plain == said


class TestStored:
    def test_as_stored(self) -> None:
        """Ids that were there stay, new ones are bound everywhere, revisions are the store's."""
        result = made(ENQUIRY, Merge("contact", "C-3"), "company", Link("deal", "D-5"))
        company = Ref("company", "L-7.1.company.1", provisional=True)
        receipt = Receipt(
            ids=[(company, Ref("company", "10"))],
            revisions=[(BYRON_REF, "8"), (Ref("company", "10"), "1"), (LEAD_REF, "4")],
        )
        stored = result.stored(receipt)

        assert [("company", "10"), ("contact", "C-3"), ("deal", "D-5")] == [
            (one.ref.kind, one.ref.id) for one in stored.outcomes
        ]
        assert ("10", "8", "4", "4") == (
            stored.contact.company_id,
            stored.contact.revision,
            stored.deal.revision,
            stored.lead.revision,
        )
        assert ["created", "merged", "linked"] == [one.action for one in stored.outcomes]
        assert result.outcomes[1].before == stored.outcomes[1].before
        assert (Ref("company", "10"), BYRON_REF, DEAL_REF) == stored.conversion.targets

    def test_nothing_to_bind(self) -> None:
        """Where nothing was made the receipt may be silent."""
        result = made(ENQUIRY, Link("contact", "C-3"))

        assert result.records == result.stored(Receipt()).records


CODEC = Codec(SEEKING)


def carried(value: object, cls: type[Any]) -> object:
    """What comes back of a value that went through JSON as text."""
    return CODEC.from_data(json.loads(json.dumps(CODEC.to_data(value))), cls)


class TestTravels:
    FOUND = attrs.evolve(BYRON, emails=[Channel("ada@example.com")])
    LEAD = attrs.evolve(ENQUIRY, emails=[Channel("ada@example.com")])
    RESULT = made(
        LEAD,
        "contact",
        Link("company", "CO-9"),
        Merge("deal", "D-5"),
        known=[FOUND, *THERE[1:]],
        rules=SEEKING,
    )
    PENDING = Pending(attrs.evolve(BYRON, id="L-1.1.contact.1"), "L-1/0/9f2c")

    @pytest.mark.parametrize(
        "value",
        [
            RESULT,
            Converted(RESULT),
            *RESULT.outcomes,
            RESULT.changes,
            *RESULT.changes.changes[:2],
            Attach(BYRON_REF, "converted_from", [LEAD_REF]),
            attrs.evolve(RESULT.changes, after=["L-1/0/9f2c"]),
            MatchKey("email", "ada@example.com"),
            PENDING,
            Known(records=THERE, pending=[PENDING], eligible_owners=["u-1"], decisions=[]),
            Known(eligible_owners=[]),
            wanted(LEAD, ["contact", "deal", Merge("company", "CO-9")], rules=SEEKING),
            Wanted(related=(("deal", "company_id", ENGINES_REF),)),
            looked(LEAD, Link("contact", "C-4")).shown(),
            *looked(LEAD, Link("contact", "C-4"), "contact", rules=SEEKING).problems,
        ],
    )
    def test_there_and_back(self, value: Any) -> None:  # noqa: ANN401 - any value of the library
        """Whatever is new survives JSON, pickle and copy, and is told as equal."""
        assert value == carried(value, type(value))
        assert value == pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
        assert value == copy.deepcopy(value)

    @pytest.mark.parametrize("target", [*TestFingerprints.TARGETS, Link("deal", "D", revision="7")])
    def test_targets(self, target: Target) -> None:
        """A request comes back with its targets: to find is not to make, to link not to merge."""
        request = Request(lead_id="L-7", targets=(target,))

        assert request == carried(request, Request)
        assert request.fingerprint == getattr(carried(request, Request), "fingerprint", None)
        assert request == pickle.loads(pickle.dumps(request))  # noqa: S301 - our own bytes

    def test_plans(self) -> None:
        """A plan comes back with what was asked for, be it fine or not."""
        fine = looked(self.LEAD, "contact", Link("company", "CO-9"), rules=SEEKING)
        wrong = looked(self.LEAD, Merge("contact", "C-4"), rules=SEEKING)

        assert fine == carried(fine, Plan)
        assert wrong == carried(wrong, Plan)
        assert fine.shown() == carried(fine.shown(), Shown)

    def test_errors(self) -> None:
        """An ambiguity travels with all of its candidates."""
        twin = attrs.evolve(self.FOUND, id="C-2")
        with pytest.raises(errors.AmbiguousMatchError) as refused:
            made(self.LEAD, "contact", known=[self.FOUND, twin], rules=SEEKING)

        again = carried(refused.value, errors.AmbiguousMatchError)
        assert refused.value == again
        assert isinstance(again, errors.AmbiguousMatchError)
        [problem] = again.problems
        assert isinstance(problem, Problem)
        assert 2 == len(tuple(problem.params["candidates"]))  # type: ignore[arg-type]
