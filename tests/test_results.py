"""What a decision gives back: looking at it, storing it, and the errors of a plan with problems."""

from datetime import UTC, datetime

import attrs
import pytest

from leadconvert import (
    Actor,
    Contact,
    ConversionResult,
    ConversionRules,
    Converted,
    Create,
    Deal,
    Event,
    Field,
    GenericRecord,
    Kind,
    Lead,
    Pipeline,
    Policy,
    Receipt,
    Ref,
    Rejected,
    Stage,
    StageChange,
    Update,
    convert,
    convert_many,
    errors,
    plan,
    presets,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
LEAD = Lead(
    id="L-7",
    revision="3",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
)


@attrs.frozen(kw_only=True)
class Project:
    """A record of a user's own, with an attribute that is written otherwise when it is made."""

    id: str
    revision: str | None = None
    custom: dict[str, object] = attrs.field(factory=dict, hash=False)
    name: str
    _deal_id: str | None = attrs.field(default=None, alias="deal")
    converted_from: tuple[str, ...] = ()


def result(into: list[str | Create]) -> ConversionResult:
    """The conversion of one lead under the preset."""
    return convert(LEAD, into, rules=presets.bitrix24(), actor=ADMIN, at=AT)


class TestLooking:
    def test_one_of_each(self) -> None:
        """The one record of a class is an attribute, or found by class or kind."""
        made = result(["deal", "company", "contact"])

        assert ("Engine", "Lovelace", "Engines") == (
            made.deal.title,
            made.contact.last_name,
            made.company.name,
        )
        assert made.deal is made.get(Deal) is made.get("deal")
        assert ("company", "contact", "deal") == tuple(one.ref.kind for one in made.outcomes)
        assert {"created"} == {one.action for one in made.outcomes}

    def test_none(self) -> None:
        """What was not made is None to get, and an attribute says what there is."""
        made = result(["deal"])

        assert made.get(Contact) is None
        assert () == made.all("contact")
        with pytest.raises(LookupError, match=r"no Contact, only deal L-7\.1\.deal\.1"):
            _ = made.contact

    @pytest.mark.parametrize("kind", [Deal, "deal"])
    def test_several(self, kind: type[Deal] | str) -> None:
        """Of several none is the one."""
        with pytest.raises(LookupError, match=r"2 records of [Dd]eal: use all\(\)"):
            result(["deal", "deal"]).get(kind)

    def test_repr_shows_no_values(self) -> None:
        """A plan and a result tell what, not whose."""
        p = plan(LEAD, ["deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT)
        bad = plan(LEAD, [], rules=presets.bitrix24(), actor=ADMIN, at=AT)

        assert "<Plan for lead L-7: ok>" == repr(p)
        assert "<Plan for lead L-7: no_targets>" == repr(bad)
        assert "<ConversionResult of lead L-7: created deal L-7.1.deal.1>" == repr(p.result())
        assert "Engine" not in repr(p.targets) + repr(p.result().changes.changes)


class TestTheLeadRemembers:
    def test_stage_history_and_conversion(self) -> None:
        """The lead stands in its success stage and knows who made what of it, when."""
        lead = result(["deal"]).lead

        assert "CONVERTED" == lead.stage
        assert (
            StageChange(from_stage="NEW", to_stage="CONVERTED", at=AT, actor_id="u-1"),
        ) == lead.stage_history
        [conversion] = lead.conversions
        assert ("L-7.1", AT, "u-1", True) == (
            conversion.id,
            conversion.at,
            conversion.actor_id,
            conversion.closing,
        )
        assert (Ref("deal", "L-7.1.deal.1", provisional=True),) == conversion.targets
        assert presets.bitrix24().digest == conversion.rules

    def test_changes_and_events(self) -> None:
        """The lead is updated last, on the revision read; events tell what happened."""
        changes = result(["deal", "contact"]).changes
        deal = Ref("deal", "L-7.1.deal.1", provisional=True)
        contact = Ref("contact", "L-7.1.contact.1", provisional=True)
        lead = Ref("lead", "L-7")

        assert [contact, deal, lead] == [change.ref for change in changes.changes]
        last = changes.changes[-1]
        assert isinstance(last, Update)
        assert {"stage", "stage_history", "conversions"} == set(last.values)
        assert "3" == last.revision
        assert (
            Event(name="record.created", ref=contact, at=AT, actor_id="u-1", params={"lead": lead}),
            Event(name="record.created", ref=deal, at=AT, actor_id="u-1", params={"lead": lead}),
            Event(
                name="lead.converted",
                ref=lead,
                at=AT,
                actor_id="u-1",
                params={"conversion": "L-7.1", "targets": (contact, deal)},
            ),
        ) == changes.events

    def test_the_key(self) -> None:
        """A key given is kept; one derived starts with the lead and the length of its history."""
        given = convert(LEAD, ["deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT, key="k-1")
        moved = attrs.evolve(LEAD, stage_history=[StageChange(to_stage="NEW", at=AT)])
        later = convert(moved, ["deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT)

        assert "k-1" == given.changes.key
        assert f"L-7/0/{given.changes.fingerprint}" == result(["deal"]).changes.key
        assert f"L-7/1/{given.changes.fingerprint}" == later.changes.key


class TestStored:
    def test_ids_and_revisions(self) -> None:
        """Every id becomes the store's, wherever it stands, and nothing is provisional any more."""
        made = result(["contact", "company", "deal"])
        ids = [
            (Ref("company", "L-7.1.company.1", provisional=True), Ref("company", "10")),
            (Ref("contact", "L-7.1.contact.1", provisional=True), Ref("contact", "11")),
            (Ref("deal", "L-7.1.deal.1", provisional=True), Ref("deal", "12")),
        ]
        stored = made.stored(
            Receipt(ids=ids, revisions=[(Ref("deal", "12"), "1"), (Ref("lead", "L-7"), "4")])
        )

        assert ("10", "11", "12") == (stored.company.id, stored.contact.id, stored.deal.id)
        assert ("10", ("11",), "10") == (
            stored.contact.company_id,
            stored.deal.contact_ids,
            stored.deal.company_id,
        )
        assert ("1", None, "4") == (
            stored.deal.revision,
            stored.contact.revision,
            stored.lead.revision,
        )
        assert (Ref("company", "10"), Ref("contact", "11"), Ref("deal", "12")) == (
            stored.lead.conversions[0].targets
        )
        assert stored.conversion == stored.lead.conversions[0]
        assert "L-7.1.deal.1" == made.deal.id

    def test_users_kinds(self) -> None:
        """Own classes and records of fields alone are bound as well."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        project = Kind("project", Project, fields=[Field("_deal_id", "reference", to="deal"), back])
        invoice = Kind(
            "invoice", fields=[Field("deal_id", "reference", to="deal"), Field("no", "text"), back]
        )
        rules = ConversionRules(
            kinds=[CONTACT, COMPANY, DEAL, project, invoice],
            pipelines=[
                Pipeline("l", "lead", ["NEW", Stage("OK", "success")]),
                Pipeline("d", "deal", ["open"]),
            ],
            policy=Policy.allow_all(),
        )
        made = convert(
            LEAD,
            [
                Create("invoice", values={"no": "1"}),
                Create("project", values={"name": "P"}),
                Create("deal", values={"title": "T"}),
            ],
            rules=rules,
            actor=ADMIN,
            at=AT,
        )
        receipt = Receipt(
            ids=[(outcome.ref, Ref(outcome.ref.kind, "9")) for outcome in made.outcomes]
        )
        stored = made.stored(receipt)

        assert ("L-7.1.deal.1", "9") == (
            made.all(Project)[0]._deal_id,
            stored.all(Project)[0]._deal_id,
        )
        assert GenericRecord(
            kind="invoice", id="9", custom={"deal_id": "9", "no": "1", "converted_from": ["L-7"]}
        ) == stored.get("invoice")

    def test_a_receipt_that_does_not_fit(self) -> None:
        """A receipt that is silent on a record is no receipt of this conversion."""
        with pytest.raises(ValueError, match=r"says nothing of deal L-7\.1\.deal\.1"):
            result(["deal"]).stored(Receipt())


class TestRefusals:
    def test_the_gravest_cause_decides(self) -> None:
        """The class is that of the first cause; all problems are carried."""
        junk = attrs.evolve(LEAD, stage="JUNK", title=None)
        with pytest.raises(errors.StageNotAllowedError) as caught:
            convert(junk, ["deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT)

        assert ["in_failure_stage", "required"] == [one.code for one in caught.value.problems]
        assert (
            "lead L-7: the lead stands in the failure stage 'JUNK' (move it back to a stage in"
            in str(caught.value)
        )

    def test_many(self) -> None:
        """Each lead gets its own answer, in order, and a misuse is told before the first."""
        leads = iter([LEAD, Lead(id="L-8", stage="JUNK"), LEAD])
        done = list(convert_many(leads, ["deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT))

        assert [Converted, Rejected, Converted] == [type(one) for one in done]
        assert isinstance(done[1], Rejected)
        assert "L-8" == done[1].lead_id
        with pytest.raises(TypeError):
            convert_many([], "deal", rules=presets.bitrix24(), actor=ADMIN, at=AT)
