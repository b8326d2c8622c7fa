"""Automation meets records that exist: what rules merge, and whom they never make a client."""

from datetime import UTC, datetime

import attrs
import pytest

from leadconvert import (
    Actor,
    Attach,
    Automation,
    AutomationRule,
    Channel,
    Contact,
    ConversionRules,
    Create,
    Exceptions,
    Find,
    Insert,
    Known,
    Lead,
    Matching,
    Ref,
    Request,
    Update,
    WithoutLeads,
    advance,
    arrive,
    presets,
)
from leadconvert.codec import Codec


AT = datetime(2027, 1, 31, 12, tzinfo=UTC)
ROBOT = Actor("robot", roles=["robot"])
LEAD = Lead(
    id="L-7",
    stage="NEW",
    title="Enquiry",
    contact_ids=["C-3"],
    emails=[Channel("ada@example.com")],
)
ADA = Contact(id="C-3", revision="4", last_name="Lovelace")


def rules(*acting: AutomationRule, mode: WithoutLeads | None = None) -> ConversionRules:
    """The preset with automation, and one address that is no client's."""
    return attrs.evolve(
        presets.bitrix24(),
        matching=Matching(exceptions=Exceptions(emails=["ADA@example.com"])),
        automation=Automation(ROBOT, acting, without_leads=mode),
    )


class TestExceptions:
    def test_in_the_mode_without_leads(self) -> None:
        """A lead on the list is stored and not converted, and that is told."""
        arrival = arrive(LEAD, rules=rules(mode=WithoutLeads()), at=AT)

        assert [Insert] == [type(change) for change in arrival.changes.changes]
        assert ["on_exceptions_list"] == [
            problem.code for one in arrival.refused for problem in one.error.problems
        ]

    def test_by_a_rule(self) -> None:
        """A rule that converts refuses it, one that only moves does not."""
        two = rules(
            AutomationRule("convert", ["deal"], on="IN_PROCESS"),
            AutomationRule("move", on="IN_PROCESS", to="PROCESSED"),
        )
        moved = advance(
            LEAD,
            "IN_PROCESS",
            rules=two,
            actor=Actor("u-1", roles=["admin"]),
            at=AT,
            known=Known(records=[ADA]),
        )

        assert ["convert"] == [one.rule for one in moved.refused]
        assert "PROCESSED" == moved.lead.stage


class TestOneClientTwice:
    def test_two_rules_merge_into_it(self) -> None:
        """What two rules merge into one record is one update, on the revision as stored."""
        lead = attrs.evolve(LEAD, emails=[])
        two = rules(
            AutomationRule(
                "first", [Find("contact", values={"comments": "a"})], on="IN_PROCESS", closing=False
            ),
            AutomationRule(
                "second",
                [Find("contact", values={"job_title": "b"}), Create("deal")],
                on="IN_PROCESS",
            ),
        )
        moved = advance(
            lead,
            "IN_PROCESS",
            rules=two,
            actor=Actor("u-1", roles=["admin"]),
            at=AT,
            known=Known(records=[ADA]),
        )

        client = Ref("contact", "C-3")
        assert () == moved.refused
        assert [
            Update(client, "4", {"comments": "a", "job_title": "b"}),
            Attach(client, "converted_from", [Ref("lead", "L-7")]),
        ] == [change for change in moved.changes.changes if change.ref == client]
        assert ("a", "b") == (
            moved.conversions[-1].contact.comments,
            moved.conversions[-1].contact.job_title,
        )


class TestTargetsAsData:
    def test_an_unknown_way(self) -> None:
        """A target says what it does with a record, in one of four words."""
        data = {"lead_id": "L-7", "targets": [{"do": "steal", "kind": "deal"}]}
        with pytest.raises(
            ValueError, match="'do' of a target is one of find, create, link, merge"
        ):
            Codec(presets.bitrix24()).from_data(data, Request)
