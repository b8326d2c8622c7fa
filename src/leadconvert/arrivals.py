"""Leads that arrive, and going over to a CRM without leads: none is lost, whatever is refused."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from leadconvert.access import Authorizer
from leadconvert.acting import Chain
from leadconvert.conversion import Converted, Rejected
from leadconvert.given import aware, expect
from leadconvert.pipelines import StageRole
from leadconvert.records import Lead, held
from leadconvert.rules import ConversionRules
from leadconvert.targets import Known
from leadconvert.values import digest
from leadconvert.whole import MoveResult, Whole


__all__ = ["arrive", "convert_unfinished"]


def arrive(  # noqa: PLR0913 - as plan()
    lead: Lead,
    *,
    rules: ConversionRules,
    at: datetime,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
    key: str | None = None,
) -> MoveResult:
    """Decide what becomes of a new *lead*, which no store has yet.

    Nothing is raised for what is wrong. In the mode without leads it is converted at once. Else the
    automation rules act that wait for arrivals, then those of the stage in which it arrives. What
    is refused is in the result, and the lead is stored all the same: its change set makes the lead
    first. A lead that arrives in a success stage counts as converted elsewhere: nothing acts.

    Raises:
        TypeError: the signature is misused.
        ValueError: *at* is naive.

    Example:
        >>> import attrs
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Automation, Lead, WithoutLeads, arrive, presets
        >>> robot = Actor("robot", roles=["robot"])
        >>> rules = attrs.evolve(
        ...     presets.bitrix24(), automation=Automation(robot, without_leads=WithoutLeads())
        ... )
        >>> arrival = arrive(
        ...     Lead(id="L-7", stage="NEW", title="Enquiry"), rules=rules,
        ...     at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> arrival.conversion.contact.last_name, arrival.conversion.deal.title
        ('No name', 'Enquiry')
    """
    known = Known() if known is None else known
    expect(("lead", lead, Lead), ("rules", rules, ConversionRules), ("known", known, Known))
    chain = Chain(lead=lead, rules=rules, at=aware(at), known=known, authorizer=authorizer)
    automation = rules.automation
    if automation is not None and automation.without_leads is not None:
        chain.without_leads(automation.without_leads, automation.actor)
    else:
        chain.enter(None)
        chain.enter(lead.stage)
    fingerprint = digest(("arrive", lead.id, rules.lead.in_form(held(lead))))
    whole = Whole(
        kind=rules.lead,
        before=lead,
        key=key or f"{lead.id}/arrival/{fingerprint}",
        fingerprint=fingerprint,
    )
    return whole.arrival(chain, at, lead.created_by_id)


def convert_unfinished(
    leads: Iterable[Lead],
    *,
    rules: ConversionRules,
    at: datetime,
    known: Known | None = None,
    authorizer: Authorizer | None = None,
) -> Iterator[Converted | Rejected]:
    """Yield what becomes of each unfinished lead when a CRM goes over to the mode without leads.

    Leads that are converted, or stand in a success or failure stage, are left as they are, and
    nothing is yielded for them. Leads are taken one by one and nothing is kept.

    Raises:
        TypeError: *rules* is a preset not called; at once.
        ValueError: the rules have no mode without leads, or *at* is naive; at once.

    Example:
        >>> import attrs
        >>> from datetime import UTC, datetime
        >>> from leadconvert import (
        ...     Actor, Automation, Lead, WithoutLeads, convert_unfinished, presets
        ... )
        >>> robot = Actor("robot", roles=["robot"])
        >>> rules = attrs.evolve(
        ...     presets.bitrix24(), automation=Automation(robot, without_leads=WithoutLeads())
        ... )
        >>> leads = [Lead(id="L-7", stage="NEW", title="Enquiry"), Lead(id="L-8", stage="JUNK")]
        >>> at = datetime(2027, 1, 31, tzinfo=UTC)
        >>> [one.result.lead.id for one in convert_unfinished(leads, rules=rules, at=at)]
        ['L-7']
    """
    known = Known() if known is None else known
    expect(("rules", rules, ConversionRules), ("known", known, Known))
    automation = rules.automation
    mode = None if automation is None else automation.without_leads
    if automation is None or mode is None:
        raise ValueError("the rules have no mode without leads: give them an automation that has")
    actor, moment = automation.actor, aware(at)
    unfinished = {stage.id for stage in rules.lead_pipeline.in_role(StageRole.PROCESS)}

    def each() -> Iterator[Converted | Rejected]:
        for lead in leads:
            if lead.stage in unfinished and not any(made.closes for made in lead.conversions):
                chain = Chain(lead=lead, rules=rules, at=moment, known=known, authorizer=authorizer)
                chain.without_leads(mode, actor)
                for refused in chain.refused:
                    yield Rejected(lead.id, refused.error)
                for made in chain.conversions:
                    yield Converted(made)

    return each()
