"""What has gone wrong elsewhere when leads met records that exist, and must not happen here.

Each test is one story: first those of whole conversions into what exists, then what must never
happen, by what it does: the wrong record is linked, a record is made twice, a value gets lost.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import attrs
import pytest

from leadconvert import (
    Actor,
    Address,
    Attach,
    Automation,
    AutomationRule,
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
    Find,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchRule,
    Merge,
    Plan,
    Policy,
    Product,
    Record,
    Ref,
    Rejected,
    Role,
    Target,
    Update,
    advance,
    arrive,
    convert,
    convert_batch,
    convert_many,
    errors,
    plan,
    presets,
)
from leadconvert.values import is_empty


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
ADA = Actor("u-7", roles=["sales"])
ON_LEADS = Grant("lead", ["read", "update", "convert", "move"])

#: One e-mail is one person, and so is one phone with one name; one name is one company.
MATCHING = Matching(
    [
        MatchRule("contact", ["email", ["phone", "person"]]),
        MatchRule("company", ["company"]),
    ]
)
APPENDED = {"phones", "emails", "websites", "messengers", "tags"}


def crm(  # noqa: PLR0913 - the parts of rules
    *,
    matching: Matching = MATCHING,
    policy: Policy | None = None,
    automation: Automation | None = None,
    mappings: Iterable[FieldMapping] = (),
    custom: Iterable[Field] = (),
    kinds: Iterable[Kind] = (),
    limits: Iterable[Limit] = (),
) -> ConversionRules:
    """A usual CRM: channels and tags are added to those there are, the rest fills gaps."""
    base = presets.bitrix24()
    own = {kind.id: kind for kind in kinds}
    usual = [
        attrs.evolve(one, conflict="append")
        if one.target in APPENDED and one.kind in {"contact", "company"}
        else one
        for one in base.mappings
    ]
    given = {(one.kind, one.target) for one in mappings}
    return attrs.evolve(
        base,
        lead=attrs.evolve(base.lead, custom=[*base.lead.custom, *custom]),
        kinds=[own.get(kind.id, kind) for kind in base.kinds],
        mappings=[*(one for one in usual if (one.kind, one.target) not in given), *mappings],
        matching=matching,
        automation=automation,
        limits=limits,
        policy=policy or Policy.allow_all(),
    )


CRM = crm()
LEAD = Lead(
    id="L-7",
    stage="NEW",
    title="Analytical Engine",
    first_name="Ada",
    last_name="Lovelace",
    company_name="Analytical Engines",
    emails=[Channel("ada@example.com", "work")],
    phones=[Channel("+49 30 123456")],
)
STORED = Contact(
    id="C-3",
    revision="3",
    owner_id="u-8",
    first_name="Ada",
    last_name="Lovelace",
    emails=[Channel("ADA@example.com")],
)
ENGINES = Company(id="CO-9", revision="9", owner_id="u-8", name="Analytical Engines")
STRANGER = Contact(
    id="C-1",
    revision="1",
    owner_id="u-8",
    first_name="Jane",
    last_name="Doe",
    emails=[Channel("jane@example.com")],
    phones=[Channel("+49 30 123456")],
)
ALL: list[str | Target] = ["contact", "company", "deal"]


def look(
    into: Iterable[str | Target],
    *records: Record,
    lead: Lead = LEAD,
    rules: ConversionRules = CRM,
    actor: Actor = ADMIN,
) -> Plan:
    """The plan of a conversion, given what is stored."""
    return plan(lead, into, rules=rules, actor=actor, at=AT, known=Known(records=records))


def done(result: ConversionResult) -> list[tuple[str, str]]:
    """What became of each target: what was done, and with whom."""
    return [(one.action, str(one.ref)) for one in result.outcomes]


def touched(result: ConversionResult, ref: Ref) -> list[object]:
    """What a store is to do to one record."""
    return [one for one in result.changes.changes if one.ref == ref]


def refused(p: Plan) -> list[str]:
    """The codes of a plan that may not go on, which then has nothing to be written."""
    assert p.conversion is None
    return [one.code for one in p.problems]


def made(results: Iterable[Converted | Rejected]) -> list[ConversionResult]:
    """The results of a batch in which nothing is refused."""
    found: list[ConversionResult] = []
    for one in results:
        assert isinstance(one, Converted)
        found.append(one.result)
    return found


class TestIntoWhatExists:
    def test_everything_new_beside_strangers(self) -> None:
        """Nobody who is stored is linked or touched where all targets are new."""
        lead = attrs.evolve(LEAD, amount=500_000, currency="EUR")
        result = look(ALL, STRANGER, lead=lead).result()
        assert [
            ("created", "company L-7.1.company.1"),
            ("created", "contact L-7.1.contact.1"),
            ("created", "deal L-7.1.deal.1"),
        ] == sorted(done(result))
        assert (result.contact.id,) == result.deal.contact_ids
        assert result.company.id == result.deal.company_id == result.contact.company_id
        clients = (result.contact, result.company, result.deal)
        assert [("L-7",)] * 3 == [one.converted_from for one in clients]
        assert {one.ref for one in result.outcomes} == set(result.lead.conversions[0].targets)

    def test_existing_records_win_over_what_the_lead_says(self) -> None:
        """Chosen records are pointed at, and neither they nor the lead take each other's values."""
        contact = Contact(id="C-5", last_name="Api", emails=[Channel("contact@example.com")])
        company = Company(id="CO-5", name="Api Ltd", custom={"revenue": 1_500_000})
        lead = attrs.evolve(LEAD, company_name="Should be replaced")
        result = look(
            [Link("contact", "C-5"), Link("company", "CO-5"), "deal"], contact, company, lead=lead
        ).result()
        assert [("linked", "company CO-5"), ("linked", "contact C-5")] == sorted(done(result))[1:]
        assert (("C-5",), "CO-5") == (result.deal.contact_ids, result.deal.company_id)
        assert attrs.evolve(contact, converted_from=["L-7"]) == result.contact
        assert attrs.evolve(company, converted_from=["L-7"]) == result.company
        assert "Should be replaced" == result.lead.company_name
        assert lead.emails == result.lead.emails
        assert 1 == sum(isinstance(one, Insert) for one in result.changes.changes)

    def test_a_shared_phone_is_another_person(self) -> None:
        """One phone alone makes nobody somebody else: a new contact is made."""
        john = attrs.evolve(LEAD, first_name="John", last_name="Doe", emails=())
        result = look(["contact"], STRANGER, lead=john).result()
        assert "John" == result.contact.first_name
        assert "created" == result.outcomes[0].action
        assert [] == touched(result, Ref("contact", "C-1"))

    def test_two_addresses_in_one_text(self) -> None:
        """A text of two addresses is none, and does not make the name alone a match."""
        zed = attrs.evolve(
            LEAD, phones=(), emails=[Channel("zed@zeta.example,zed.work@zeta.example")]
        )
        namesake = attrs.evolve(STORED, emails=[Channel("unrelated@else.example")])
        assert [("created", "contact L-7.1.contact.1")] == done(
            look(["contact"], namesake, lead=zed).result()
        )

    def test_an_original_and_its_duplicate_in_one_batch(self) -> None:
        """Two leads of one person make one contact, each with its answer, in whatever order."""
        later = attrs.evolve(LEAD, id="L-8", title="The same again", phones=())
        found = set[tuple[tuple[str, str], ...]]()
        for order in permutations([LEAD, later]):
            results = made(convert_batch(order, ["contact", "deal"], rules=CRM, actor=ADMIN, at=AT))
            assert [one.id for one in order] == [one.lead.id for one in results]
            by_lead = sorted(results, key=lambda one: one.lead.id)
            found.add(tuple((one.contact.id, one.deal.id) for one in by_lead))
            assert (by_lead[0].changes.key,) == by_lead[1].changes.after
        assert {(("L-7.1.contact.1", "L-7.1.deal.1"), ("L-7.1.contact.1", "L-8.1.deal.1"))} == found

    @pytest.mark.parametrize("stage", ["JUNK", "CONVERTED"])
    def test_a_lead_that_is_finished(self, stage: str) -> None:
        """Where a lead may not be converted no client is linked or merged into either."""
        lead = attrs.evolve(LEAD, stage=stage)
        for target in ("contact", Link("contact", "C-3"), Merge("contact", "C-3")):
            p = look([target], STORED, lead=lead)
            assert [
                {"JUNK": "in_failure_stage", "CONVERTED": "in_success_stage"}[stage]
            ] == refused(p)

    def test_one_lost_lead_in_a_batch(self) -> None:
        """A lead that is refused leaves the others as they are, and its client untouched."""
        leads = [attrs.evolve(LEAD, id=f"L-{n}") for n in (1, 2, 3, 4)]
        leads[1] = attrs.evolve(leads[1], stage="JUNK")
        known = Known(records=[STORED])
        outcomes = list(
            convert_many(leads, ["contact", "deal"], rules=CRM, actor=ADMIN, at=AT, known=known)
        )
        assert [Converted, Rejected, Converted, Converted] == [type(one) for one in outcomes]
        results = made(one for one in outcomes if isinstance(one, Converted))
        assert [("C-3",)] * 3 == [one.deal.contact_ids for one in results]

    @pytest.mark.parametrize("target", ["contact", Link("contact", "C-3"), Merge("contact", "C-3")])
    def test_a_client_with_nothing_but_a_name(self, target: str | Target) -> None:
        """A client's gaps erase nothing of the lead, and what it has stays as it is."""
        client = Contact(id="C-3", last_name="Lovelace", source="en_US")
        lead = attrs.evolve(
            LEAD,
            contact_ids=["C-3"],
            source="fr_FR",
            address=Address(street="my street", city="my city"),
        )
        result = look([target], client, lead=lead).result()
        assert (
            attrs.evolve(
                lead,
                stage=result.lead.stage,
                stage_history=result.lead.stage_history,
                conversions=result.lead.conversions,
            )
            == result.lead
        )
        assert "en_US" == result.contact.source

    def test_cannot_see_it_cannot_link_it(self) -> None:
        """A client the actor may not see is no match, is not to be chosen, and stays unseen."""
        own = ["read", "create", "update", "link", "merge"]
        policy = Policy(
            [
                Role(
                    "sales",
                    [ON_LEADS, *(Grant(one, own, "own") for one in ("contact", "company", "deal"))],
                )
            ]
        )
        rules, lead = crm(policy=policy), attrs.evolve(LEAD, owner_id="u-7")
        result = look(ALL, STORED, ENGINES, lead=lead, rules=rules, actor=ADA).result()
        assert {"created"} == {one.action for one in result.outcomes}
        assert [] == touched(result, Ref("company", "CO-9"))
        p = look([Link("company", "CO-9")], ENGINES, lead=lead, rules=rules, actor=ADA)
        assert (
            look([Link("company", "CO-9")], lead=lead, rules=rules, actor=ADA).shown() == p.shown()
        )

    def test_everything_that_is_missing_and_unclear_at_once(self) -> None:
        """Two companies of one name stop everything, and what else is missing is told as well."""
        twins = [attrs.evolve(ENGINES, id=one) for one in ("CO-1", "CO-2")]
        lead = attrs.evolve(LEAD, first_name=None, last_name=None, title=None, emails=(), phones=())
        p = look(["company", "contact", "deal"], *twins, lead=lead)
        assert ["several_matches", "any_required", "required"] == refused(p)
        with pytest.raises(errors.AmbiguousMatchError):
            p.result()

    def test_a_question_after_something_new(self) -> None:
        """A company that would be new is not made where the contact is a question."""
        namesakes = [STORED, attrs.evolve(STORED, id="C-4")]
        assert ["several_matches"] == refused(look(["company", "contact"], *namesakes))

    @pytest.mark.parametrize(
        "contact", ["contact", Link("contact", "C-3"), Merge("contact", "C-3")]
    )
    @pytest.mark.parametrize("records", [[], [STORED]])
    def test_one_deal_with_one_contact(self, contact: str | Target, records: list[Contact]) -> None:
        """There is exactly one deal, its contact stands in it once, and first."""
        if not records and contact != "contact":
            assert ["record_not_there"] == refused(look([contact, "deal"], *records))
            return
        result = look([contact, "deal"], *records).result()
        assert 1 == len(result.all(Deal))
        assert (result.contact.id,) == result.deal.contact_ids

    def test_a_returning_customer(self) -> None:
        """A bound lead makes a deal with all its clients, in their order, and no client."""
        second = Contact(id="C-4", last_name="Babbage")
        lead = attrs.evolve(LEAD, contact_ids=["C-4", "C-3"], company_id="CO-9")
        result = look(["deal"], STORED, second, ENGINES, lead=lead).result()
        assert [("created", "deal L-7.1.deal.1")] == done(result)
        assert (("C-4", "C-3"), "CO-9") == (result.deal.contact_ids, result.deal.company_id)

    def test_a_returning_customer_who_is_filled_in(self) -> None:
        """Where every lead fills the gaps of its clients nothing they have is overwritten."""
        rules = crm(matching=attrs.evolve(MATCHING, enrich=True))
        client = attrs.evolve(STORED, last_name="King", job_title="Countess")
        lead = attrs.evolve(LEAD, contact_ids=["C-3"], job_title="Analyst", source="WEB")
        result = look(["deal"], client, lead=lead, rules=rules).result()
        assert ("King", "Countess", "WEB") == (
            result.contact.last_name,
            result.contact.job_title,
            result.contact.source,
        )
        assert {"last_name", "job_title"} <= {row.field for row in result.unmerged}

    def test_into_an_existing_deal(self) -> None:
        """Several leads may come to one deal, which then remembers each of them once."""
        deal = Deal(id="D-5", revision="5", title="Engine", stage="PREPARATION", pipeline="0")
        first = look([Link("deal", "D-5")], deal).result().deal
        again = attrs.evolve(LEAD, id="L-8")
        second = look([Link("deal", "D-5")], first, lead=again).result().deal
        assert ("L-7", "L-8") == second.converted_from
        assert attrs.evolve(deal, converted_from=("L-7", "L-8")) == second


class TestTheWrongRecord:
    @pytest.mark.parametrize(
        ("name", "channel"),
        [
            ("", ""),
            (" ", " "),
            ("\t", "\u200b"),
            ("-", "-"),
            ("?", "n/a"),
            ("\u200b", "@"),
            ("...", "0"),
            ("🚀", "00000000"),
            ("\u3164", "none"),
        ],
    )
    def test_immune_to_empty_keys(self, name: str, channel: str) -> None:
        """A blank, or what people write for one, never makes a stranger of a lead's."""
        rules = crm(
            matching=Matching(
                [
                    MatchRule("contact", ["email", "phone", "person"]),
                    MatchRule("company", ["company", "email", "phone"]),
                ]
            )
        )
        same = [Channel(channel)]
        lead = attrs.evolve(LEAD, first_name=name, company_name=name, emails=same, phones=same)
        contact = Contact(id="C-1", first_name=name, last_name="Lovelace", emails=same, phones=same)
        company = Company(id="CO-1", name=name, emails=same, phones=same)
        p = look(["contact", "company"], contact, company, lead=lead, rules=rules)
        assert ["create", "create"] == [one.action for one in p.targets]

    def test_immune_to_nothing_on_either_side(self) -> None:
        """A record without any e-mail or phone is nobody that a lead without any could be."""
        rules = crm(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        bare = attrs.evolve(LEAD, emails=(), phones=())
        result = look(
            ["contact"], Contact(id="C-1", last_name="X"), lead=bare, rules=rules
        ).result()
        assert "created" == result.outcomes[0].action

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("Engines", "Analytical Engines"),
            ("Analytical Engines", "Engines"),
            ("Ana", "Ana Ltd"),
            ("3", "3M"),
            ("सीता", "सेतु"),
        ],
    )
    def test_immune_to_a_part_of_a_name(self, ours: str, theirs: str) -> None:
        """A company whose name holds another's, or but for vowels is alike, is another company."""
        lead = attrs.evolve(LEAD, company_name=ours)
        result = look(["company"], attrs.evolve(ENGINES, name=theirs), lead=lead).result()
        assert ("created", ours) == (result.outcomes[0].action, result.company.name)

    def test_immune_to_an_extension_that_makes_another_number(self) -> None:
        """A number with an extension is not that of a stranger who has the digits in a row."""
        rules = crm(matching=Matching([MatchRule("contact", ["phone"])]))
        lead = attrs.evolve(LEAD, phones=[Channel("+49 30 123456 ext. 7")])
        stranger = attrs.evolve(STRANGER, phones=[Channel("+49 30 1234567")])
        assert (
            "created"
            == look(["contact"], stranger, lead=lead, rules=rules).result().outcomes[0].action
        )

    def test_immune_to_erasing_what_the_lead_says(self) -> None:
        """An empty value of a client, linked or merged into, never comes back to the lead."""
        bare = Contact(id="C-3", last_name="Lovelace")
        for target in (Link("contact", "C-3"), Merge("contact", "C-3")):
            lead = look([target], bare).result().lead
            assert (LEAD.emails, LEAD.phones, LEAD.first_name) == (
                lead.emails,
                lead.phones,
                lead.first_name,
            )

    @pytest.mark.parametrize("owner", ["u-7", None])
    def test_immune_to_taking_over_an_existing_client(self, owner: str | None) -> None:
        """Whose a client is does not change because a lead of somebody else's came in."""
        lead = attrs.evolve(LEAD, owner_id=owner)
        result = look(ALL, STORED, ENGINES, lead=lead).result()
        assert ("u-8", "u-8") == (result.contact.owner_id, result.company.owner_id)
        assert owner == result.deal.owner_id

    def test_immune_to_values_of_another_lead_in_the_batch(self) -> None:
        """Each contact of a batch has the phone of its own lead, and no other's."""
        leads = [
            attrs.evolve(
                LEAD,
                id=f"L-{n}",
                last_name=f"Person {n}",
                emails=[Channel(f"{n}@example.com")],
                phones=[Channel(f"+49 30 10000{n}")],
            )
            for n in (1, 2, 3)
        ]
        stored = [
            Contact(id=f"C-{n}", last_name=f"Person {n}", emails=[Channel(f"{n}@example.com")])
            for n in (3, 2, 1)
        ]
        results = made(
            convert_many(
                leads, ["contact"], rules=CRM, actor=ADMIN, at=AT, known=Known(records=stored)
            )
        )
        assert [
            ("C-1", (Channel("+49 30 100001"),)),
            ("C-2", (Channel("+49 30 100002"),)),
            ("C-3", (Channel("+49 30 100003"),)),
        ] == [(one.contact.id, one.contact.phones) for one in results]

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_immune_to_ignoring_who_was_chosen(self, cls: type[Link | Merge]) -> None:
        """Whoever is chosen is meant, though somebody else matches and the lead is bound."""
        chosen = Contact(id="C-5", last_name="Chosen")
        lead = attrs.evolve(LEAD, contact_ids=["C-1"])
        p = look([cls("contact", "C-5"), "deal"], STORED, STRANGER, chosen, lead=lead)
        assert "C-5" == p.result().contact.id
        assert "C-5" == p.result().deal.contact_ids[0]

    def test_immune_to_linking_what_was_not_to_be_linked(self) -> None:
        """A new record on purpose is a new one, and whoever matches is not even mentioned."""
        result = look([Create("contact"), Create("company"), "deal"], STORED, ENGINES).result()
        assert {"created"} == {one.action for one in result.outcomes}
        assert [] == [
            *touched(result, Ref("contact", "C-3")),
            *touched(result, Ref("company", "CO-9")),
        ]
        assert not {"C-3", "CO-9"} & {*result.deal.contact_ids, result.deal.company_id}

    def test_immune_to_linking_who_was_not_asked_for(self) -> None:
        """A conversion into a deal alone links no client, however well one matches."""
        result = look(["deal"], STORED, ENGINES).result()
        assert ((), None) == (result.deal.contact_ids, result.deal.company_id)

    def test_immune_to_ignoring_the_owner_in_bulk(self) -> None:
        """In a batch each new record has the owner that was given, as it would alone."""
        leads = [attrs.evolve(LEAD, id=f"L-{n}", owner_id=f"u-{n}") for n in (1, 2)]
        given = [Create("deal", values={"owner_id": "u-9"}), Create("contact")]
        results = made(convert_many(leads, given, rules=CRM, actor=ADMIN, at=AT))
        assert ["u-9", "u-9"] == [one.deal.owner_id for one in results]
        assert ["u-1", "u-2"] == [one.contact.owner_id for one in results]

    def test_immune_to_fields_of_the_conversion_before(self) -> None:
        """What one lead of a batch gave to its deal is not in the next one's."""
        rich = attrs.evolve(
            LEAD, id="L-1", comments="first", amount=100, currency="EUR", source="WEB"
        )
        bare = Lead(id="L-2", stage="NEW", title="Bare")
        together = made(convert_many([rich, bare], ["deal"], rules=CRM, actor=ADMIN, at=AT))[1]
        assert look(["deal"], lead=bare).result() == together
        assert (None, None, None) == (
            together.deal.comments,
            together.deal.amount,
            together.deal.source,
        )

    def test_immune_to_an_empty_link_after_a_match(self) -> None:
        """Whoever was found is whom the deal and the contact point at."""
        result = look(ALL, STORED, ENGINES).result()
        assert ("C-3", "CO-9") == (result.contact.id, result.company.id)
        assert (("C-3",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)
        assert "CO-9" == result.contact.company_id
        update = next(
            one for one in touched(result, Ref("contact", "C-3")) if isinstance(one, Update)
        )
        assert Ref("company", "CO-9") == update.values["company_id"]

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_immune_to_moving_a_client_to_another_company(self, cls: type[Link | Merge]) -> None:
        """A contact of one company is not given to another: where that matters it is a problem."""
        elsewhere = attrs.evolve(STORED, company_id="CO-1")
        other = Company(id="CO-1", name="Other")
        p = look([cls("contact", "C-3"), Link("company", "CO-9")], elsewhere, other, ENGINES)
        if p.ok:
            assert "CO-1" == p.result().contact.company_id
        p = look(
            [cls("contact", "C-3"), Link("company", "CO-9"), "deal"], elsewhere, other, ENGINES
        )
        assert "clients_disagree" in refused(p)

    def test_immune_to_moving_a_deal_to_another_client(self) -> None:
        """An existing deal keeps its company and its contacts, and its stage."""
        deal = Deal(
            id="D-5", title="T", stage="PREPARATION", company_id="CO-1", contact_ids=["C-1"]
        )
        other = Company(id="CO-1", name="Other")
        linked = look(["contact", Link("deal", "D-5")], deal, STORED, STRANGER, other).result().deal
        assert ("PREPARATION", "CO-1", ("C-1",)) == (
            linked.stage,
            linked.company_id,
            linked.contact_ids,
        )
        merged = (
            look(["contact", Merge("deal", "D-5")], deal, STORED, STRANGER, other).result().deal
        )
        assert ("PREPARATION", "CO-1", ("C-1", "C-3")) == (
            merged.stage,
            merged.company_id,
            merged.contact_ids,
        )

    def test_immune_to_copying_what_is_merely_called_the_same(self) -> None:
        """A field that both happen to have reaches nothing unless somebody mapped it."""
        flag = Field("disabled", "boolean")
        rules = attrs.evolve(
            CRM,
            lead=attrs.evolve(CRM.lead, custom=[*CRM.lead.custom, flag]),
            kinds=[attrs.evolve(one, custom=[*one.custom, flag]) for one in CRM.kinds],
        )
        lead = attrs.evolve(LEAD, custom={"disabled": True})
        p = look(ALL, STORED, lead=lead, rules=rules)
        assert [{}, {}, {}] == [dict(one.record.custom) for one in p.result().outcomes]
        assert [("disabled", "undecided")] == [(row.field, row.reason) for row in p.dropped]
        assert ["disabled"] == [one.field for one in p.questions]

    def test_immune_to_copying_who_a_record_is(self) -> None:
        """Neither id, revision, stage nor history of a lead becomes that of a record."""
        lead = attrs.evolve(LEAD, revision="lead-1", title="Engine")
        result = look([*ALL], STORED, ENGINES, lead=lead).result()
        assert ("C-3", "3", "CO-9", "9") == (
            result.contact.id,
            result.contact.revision,
            result.company.id,
            result.company.revision,
        )
        assert ("L-7.1.deal.1", None, "NEW") == (
            result.deal.id,
            result.deal.revision,
            result.deal.stage,
        )
        assert () == result.deal.stage_history

    def test_immune_to_rights_that_grow(self) -> None:
        """Converting gives nobody a right, an owner or an observer on a record that exists."""
        lead = attrs.evolve(LEAD, owner_id="u-7", observer_ids=["u-7"], opened=True)
        closed = attrs.evolve(STORED, opened=False)
        result = look(["contact", Link("company", "CO-9")], closed, ENGINES, lead=lead).result()
        for before, after in ((closed, result.contact), (ENGINES, result.company)):
            assert (before.owner_id, before.observer_ids, before.opened) == (
                after.owner_id,
                after.observer_ids,
                after.opened,
            )

    def test_immune_to_taking_the_lead_for_its_own_duplicate(self) -> None:
        """No lead, least of all the one that is converted, stands in the way of a new client."""
        refusing = Matching([MatchRule("contact", ["email"], "refuse")])
        twin = attrs.evolve(LEAD, id="L-8")
        assert look(["contact"], LEAD, twin, rules=crm(matching=refusing)).ok

    def test_immune_to_a_warning_that_cannot_be_dismissed(self) -> None:
        """Who is asked, or warned, may make a new record all the same."""
        for then in ("ask", "refuse"):
            rules = crm(matching=Matching([MatchRule("contact", ["email"], then)]))
            assert refused(look(["contact"], STORED, rules=rules))
            assert look([Create("contact")], STORED, rules=rules).ok

    def test_immune_to_removing_what_existed_before(self) -> None:
        """A conversion adds to what exists and changes it: it never removes a record."""
        result = look([*ALL], STORED, ENGINES).result()
        assert {Insert, Update, Attach} >= {type(one) for one in result.changes.changes}
        inserted = {one.ref.kind for one in result.changes.changes if isinstance(one, Insert)}
        assert {"deal"} == inserted


class TestDuplicates:
    def test_immune_to_a_double_click(self) -> None:
        """The same request, made twice on the same lead, is one change set under one key."""
        first, second = (look(ALL, STORED).result() for _ in range(2))
        assert first == second
        assert (first.changes.key, first.changes.fingerprint) == (
            second.changes.key,
            second.changes.fingerprint,
        )

    def test_immune_to_a_retry_after_a_timeout(self) -> None:
        """A retry that knows its key has it, though what is stored has changed in between."""
        keys = set[tuple[str, str]]()
        for records in ((), (STORED,), (attrs.evolve(STORED, revision="4"), ENGINES)):
            known = Known(records=records)
            changes = convert(
                LEAD, ALL, rules=CRM, actor=ADMIN, at=AT, known=known, key="click-1"
            ).changes
            keys.add((changes.key, changes.fingerprint))
        assert 1 == len(keys)

    def test_immune_to_converting_what_is_converted(self) -> None:
        """A converted lead makes nothing and touches nobody, and says what it became."""
        lead = look(ALL, STORED).result().lead
        for into in (ALL, ["deal"], [Link("contact", "C-3")], [Merge("contact", "C-3")]):
            p = look(into, STORED, lead=lead)
            assert ["converted"] == refused(p)
            assert "contact C-3" in str(p.problems[0].params["became"])

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("Queen's University", "Queen\u2019s University"),
            ("Queens University", "QUEEN`S UNIVERSITY"),
            ("D'Unger", "D\u02bcunger"),
            ("Café Müller", "CAFE MULLER"),
            ("Smith-Jones, Ltd.", "Smith Jones Ltd"),
            ("Engines  &  Sons", "engines & sons"),
            ("Ελληνικά ΕΠΕ", "ΕΛΛΗΝΙΚΆ επε"),
        ],
    )
    def test_immune_to_how_a_name_is_written(self, ours: str, theirs: str) -> None:
        """An apostrophe, an accent or a comma makes no second company."""
        lead = attrs.evolve(LEAD, company_name=ours)
        result = look(["company"], attrs.evolve(ENGINES, name=theirs), lead=lead).result()
        assert ("CO-9", theirs) == (result.company.id, result.company.name)

    @pytest.mark.parametrize(
        "written",
        ["ADA@EXAMPLE.COM", " ada@example.com ", "Ada@Example.com", "\u200bada@example.com"],
    )
    def test_immune_to_how_an_address_is_written(self, written: str) -> None:
        """An address in other letters makes no second contact, and no second address."""
        lead = attrs.evolve(LEAD, emails=[Channel(written)], phones=())
        stored = attrs.evolve(STORED, emails=[Channel("ada@example.com")])
        result = look(["contact"], stored, lead=lead).result()
        assert "C-3" == result.contact.id

    def test_immune_to_the_same_channel_twice(self) -> None:
        """What a client has in another writing is not added again."""
        stored = attrs.evolve(STORED, phones=[Channel("0049 (30) 12-34-56")])
        result = look(["contact"], stored).result()
        assert (stored.phones, stored.emails) == (result.contact.phones, result.contact.emails)

    @pytest.mark.parametrize("blank", [None, "", " ", "\t\n", "\u00a0"])
    def test_immune_to_clients_without_a_name(self, blank: str | None) -> None:
        """Nobody is made whose name is blank, be it mapped or supplied: the name is asked for."""
        named = {"company": "name", "contact": "last_name", "deal": "title"}
        lead = attrs.evolve(
            LEAD, first_name=blank, last_name=blank, company_name=blank, title=blank
        )
        p = look(named, lead=lead)
        assert [("company", "name"), ("contact", "last_name"), ("deal", "title")] == sorted(
            (one.kind, one.field) for one in p.problems
        )
        assert {"any_required", "required"} == {*refused(p)}
        for kind, name in named.items():
            values = {name: blank} | ({"first_name": blank} if kind == "contact" else {})
            assert [name] == [one.field for one in look([Create(kind, values=values)]).problems]

    def test_immune_to_two_contacts_for_one_person(self) -> None:
        """One lead, asked twice for its contact, makes a problem of it and not a ghost."""
        assert ["two_on_one"] == refused(look(["contact", "contact", "deal"], STORED))
        lead = attrs.evolve(LEAD, contact_ids=["C-3"])
        assert ["two_on_one"] == refused(look(["contact", Find("contact")], STORED, lead=lead))

    @pytest.mark.parametrize("target", ["contact", Link("contact", "C-3"), Merge("contact", "C-3")])
    def test_immune_to_one_contact_twice_on_a_deal(self, target: str | Target) -> None:
        """A contact that the lead is bound to and that is a target as well stands there once."""
        lead = attrs.evolve(LEAD, contact_ids=["C-1", "C-3"])
        into: list[str | Target] = [target, "deal"]
        result = look(into, STORED, STRANGER, lead=lead).result()
        assert sorted({"C-1", "C-3"}) == sorted(result.deal.contact_ids)
        assert result.contact.id == result.deal.contact_ids[0]

    def test_immune_to_one_record_for_each_mapping(self) -> None:
        """However many mappings lead into a kind, one record comes of them."""
        assert 1 < len(CRM.mappings_into("deal"))
        assert 1 == len(look(["deal"]).result().all(Deal))

    def test_immune_to_remembering_a_lead_twice(self) -> None:
        """A record that came from the lead before remembers it once."""
        stored = attrs.evolve(STORED, converted_from=["L-7", "L-1"])
        for target in (Link("contact", "C-3"), Merge("contact", "C-3")):
            result = look([target], stored).result()
            assert ("L-7", "L-1") == result.contact.converted_from
            assert Attach not in {type(one) for one in result.changes.changes}

    def test_immune_to_several_companies_for_one_batch(self) -> None:
        """The leads of one company in one batch make it once, and none of them fails for it."""
        leads = [
            attrs.evolve(
                LEAD,
                id=f"L-{n}",
                company_name=name,
                last_name=f"P{n}",
                emails=[Channel(f"{n}@example.com")],
            )
            for n, name in ((1, "Engines"), (2, "ENGINES"), (3, "engines."))
        ]
        results = made(convert_batch(leads, ALL, rules=CRM, actor=ADMIN, at=AT))
        assert ["L-1.1.company.1"] * 3 == [one.company.id for one in results]
        assert ["L-1.1.company.1"] * 3 == [one.deal.company_id for one in results]
        assert 3 == len({one.contact.id for one in results})
        inserts = [
            one for made_ in results for one in made_.changes.changes if isinstance(one, Insert)
        ]
        assert 1 == sum(one.ref.kind == "company" for one in inserts)

    def test_immune_to_merging_a_lead_with_another_one_s_twin(self) -> None:
        """In a batch each lead meets its own client, in whatever order they come."""
        others = [
            attrs.evolve(
                LEAD,
                id="L-8",
                last_name="Doe",
                first_name="Jane",
                company_name=None,
                emails=[Channel("jane@example.com")],
            ),
            LEAD,
        ]
        for order in permutations(others):
            results = made(
                convert_batch(
                    order,
                    ["contact"],
                    rules=CRM,
                    actor=ADMIN,
                    at=AT,
                    known=Known(records=[STORED, STRANGER]),
                )
            )
            assert {"L-7": "C-3", "L-8": "C-1"} == {one.lead.id: one.contact.id for one in results}

    def test_immune_to_a_second_open_deal(self) -> None:
        """Where a client may have one open deal the second is refused; the first may be linked."""
        rules = crm(limits=[Limit("deal", "no_open")])
        deal = Deal(id="D-5", title="T", stage="NEW", pipeline="0", company_id="CO-9")
        lead = attrs.evolve(LEAD, company_id="CO-9")
        assert ["has_open"] == refused(look(["deal"], ENGINES, deal, lead=lead, rules=rules))
        assert look([Link("deal", "D-5")], ENGINES, deal, lead=lead, rules=rules).ok

    def test_immune_to_rules_that_only_make(self) -> None:
        """What a rule of automation converts finds whom a person's conversion would find."""
        rules = self.automated()
        known = Known(records=[STORED, ENGINES])
        arrival = arrive(LEAD, rules=rules, at=AT, known=known)
        by_hand = look(ALL, STORED, ENGINES, rules=rules).result()
        assert [] == list(arrival.refused)
        assert done(by_hand) == done(arrival.conversion)
        moved = advance(LEAD, "CONVERTED", into=ALL, rules=crm(), actor=ADMIN, at=AT, known=known)
        assert done(by_hand) == done(moved.conversion)
        assert touched(by_hand, Ref("contact", "C-3")) == [
            one for one in moved.changes.changes if one.ref == Ref("contact", "C-3")
        ]

    @pytest.mark.parametrize("door", ["arrival", "stage"])
    def test_immune_to_rules_that_forget_the_client(self, door: str) -> None:
        """Whom a rule finds is told to the store: what was merged, and which lead it came from."""
        known = Known(records=[STORED, ENGINES])
        if door == "arrival":
            rules = self.automated()
            changes = arrive(LEAD, rules=rules, at=AT, known=known).changes.changes
        else:
            rules = self.automated(on="IN_PROCESS")
            moved = advance(LEAD, "IN_PROCESS", rules=rules, actor=ADMIN, at=AT, known=known)
            changes = moved.changes.changes
        updated = {one.ref for one in changes if isinstance(one, Update)}
        attached = {one.ref for one in changes if isinstance(one, Attach)}
        assert Ref("contact", "C-3") in updated
        assert {Ref("contact", "C-3"), Ref("company", "CO-9")} == attached

    @staticmethod
    def automated(on: str | None = None) -> ConversionRules:
        """Rules under which every lead is converted on arrival, or in a stage."""
        rule = AutomationRule("all", ["contact", "company", "deal"], on=on)
        return crm(automation=Automation(Actor("robot"), [rule]))

    def test_immune_to_a_question_that_loses_the_lead(self) -> None:
        """Where a rule meets several matches the lead is stored, and the question is told."""
        namesakes = Known(records=[STORED, attrs.evolve(STORED, id="C-4")])
        arrival = arrive(LEAD, rules=self.automated(), at=AT, known=namesakes)
        assert ["several_matches"] == [
            problem.code for one in arrival.refused for problem in one.error.problems
        ]
        assert [Insert] == [type(one) for one in arrival.changes.changes]


class TestLostValues:
    def test_immune_to_the_wrong_side_s_type(self) -> None:
        """What a value must be is asked of the field it goes to: it is refused, never dropped."""
        number = Field("UF_N", "integer")
        deal = attrs.evolve(CRM.kinds[2], custom=[*CRM.kinds[2].custom, number])
        rules = attrs.evolve(
            CRM,
            kinds=[*CRM.kinds[:2], deal],
            mappings=[*CRM.mappings, FieldMapping("title", "deal", "UF_N")],
        )
        p = look(["deal"], rules=rules)
        assert ["wrong_type"] == refused(p)
        assert ("refused", "deal 1.UF_N") in {(row.outcome, row.target) for row in p.rows}

    def test_immune_to_losing_names_and_titles(self) -> None:
        """Every part of a name, the job and the title reach what they are mapped to."""
        lead = attrs.evolve(
            LEAD,
            honorific="Countess",
            middle_name="King",
            job_title="Analyst",
            birth_date=date(1815, 12, 10),
            tags=["maths"],
            comments="knows numbers",
            source="WEB",
            address=Address(city="London"),
        )
        for records in ((), (Contact(id="C-3", emails=LEAD.emails),)):
            contact = look(["contact"], *records, lead=lead).result().contact
            for name in (
                "honorific",
                "first_name",
                "middle_name",
                "last_name",
                "job_title",
                "birth_date",
                "tags",
                "comments",
                "source",
                "address",
                "phones",
            ):
                assert getattr(lead, name) == getattr(contact, name)

    @pytest.mark.parametrize("value", [False, 0, Decimal("0.00")])
    def test_immune_to_taking_false_and_zero_for_nothing(self, value: object) -> None:
        """False and zero fill a gap, and are no gap themselves."""
        type_ = {bool: "boolean", int: "integer", Decimal: "money"}[type(value)]
        field = Field("UF_F", type_)
        contact = attrs.evolve(CRM.kinds[0], custom=[field])
        rules = attrs.evolve(
            CRM,
            lead=attrs.evolve(CRM.lead, custom=[*CRM.lead.custom, field]),
            kinds=[contact, *CRM.kinds[1:]],
            mappings=[
                *(one for one in CRM.mappings if one.target not in {"FACE_ID", "LINK"}),
                FieldMapping("UF_F", "contact"),
                FieldMapping("LINK", "company"),
            ],
        )
        other = not value if isinstance(value, bool) else 7
        filled = attrs.evolve(LEAD, custom={"UF_F": value})
        contact_of = look(["contact"], STORED, lead=filled, rules=rules).result().contact
        assert value == contact_of.custom["UF_F"]
        said = attrs.evolve(LEAD, custom={"UF_F": other})
        stored = attrs.evolve(STORED, custom={"UF_F": value})
        result = look(["contact"], stored, lead=said, rules=rules).result()
        assert value == result.contact.custom["UF_F"]
        assert "UF_F" in {row.field for row in result.unmerged}

    def test_immune_to_taking_back_consent(self) -> None:
        """A yes that a client gave is not made a no by a lead, nor a no a yes."""
        for theirs, ours in ((True, False), (False, True)):
            stored = attrs.evolve(STORED, opened=theirs)
            lead = attrs.evolve(LEAD, opened=ours)
            assert theirs is look(["contact"], stored, lead=lead).result().contact.opened
        lead = attrs.evolve(LEAD, opened=False)
        assert look(["contact"], STORED, lead=lead).result().contact.opened is False

    def test_immune_to_losing_those_who_follow(self) -> None:
        """Whoever observes a lead is carried where that is mapped, and else told as dropped."""
        lead = attrs.evolve(LEAD, observer_ids=["u-2", "u-3"])
        p = look(["contact"], STORED, lead=lead)
        assert ("observer_ids", "no_mapping") in {(row.field, row.reason) for row in p.dropped}
        rules = crm(mappings=[FieldMapping("observer_ids", "contact", conflict="append")])
        stored = attrs.evolve(STORED, observer_ids=["u-1", "u-2"])
        result = look(["contact"], stored, lead=lead, rules=rules).result()
        assert ("u-1", "u-2", "u-3") == result.contact.observer_ids

    def test_immune_to_losing_what_nobody_decided_on(self) -> None:
        """A photo, or any custom field without a mapping, is a question and told as dropped."""
        photo = Field("UF_PHOTO", "file")
        rules = crm(custom=[photo])
        lead = attrs.evolve(LEAD, custom={"UF_PHOTO": "F-1"})
        p = look(["contact"], STORED, lead=lead, rules=rules)
        assert ["UF_PHOTO"] == [one.field for one in p.questions]
        assert "UF_PHOTO" in {row.field for row in p.dropped}

    @pytest.mark.parametrize("target", ["contact", Link("contact", "C-3"), Create("contact")])
    def test_immune_to_a_link_on_one_side(self, target: str | Target) -> None:
        """The lead says what it became, and each of these where it came from."""
        result = look([target, "deal"], STORED).result()
        for outcome in result.outcomes:
            assert outcome.ref in result.lead.conversions[0].targets
            assert "L-7" in outcome.record.converted_from  # type: ignore[attr-defined]  # standard

    def test_immune_to_forgetting_where_a_client_came_from(self) -> None:
        """A client that came from other leads remembers these as well."""
        stored = attrs.evolve(STORED, converted_from=["L-1", "L-2"])
        for target in (Link("contact", "C-3"), Merge("contact", "C-3")):
            result = look([target], stored).result()
            assert ("L-1", "L-2", "L-7") == result.contact.converted_from
            [attach] = [one for one in result.changes.changes if isinstance(one, Attach)]
            assert (Ref("lead", "L-7"),) == attach.refs

    def test_immune_to_a_mapping_to_a_field_that_is_gone(self) -> None:
        """A mapping to or from what does not exist is refused when the rules are built."""
        for mapping in (
            FieldMapping("title", "contact", "titel"),
            FieldMapping("titel", "contact", "comments"),
        ):
            with pytest.raises(errors.DefinitionError, match="titel"):
                attrs.evolve(CRM, mappings=[mapping])

    def test_immune_to_keeping_quiet_about_what_was_not_merged(self) -> None:
        """What a record that exists did not take is listed, each field with its mapping."""
        stored = attrs.evolve(STORED, last_name="King", job_title="Countess", comments="old")
        lead = attrs.evolve(LEAD, job_title="Analyst", comments="new")
        result = look(["contact"], stored, lead=lead).result()
        assert {
            ("last_name", "contact 1.last_name"),
            ("job_title", "contact 1.job_title"),
            ("comments", "contact 1.comments"),
        } == {(row.field, row.target) for row in result.unmerged}
        assert all(row.mapping for row in result.unmerged)

    def test_immune_to_losing_all_but_the_first_channel(self) -> None:
        """Every phone and e-mail of a lead that a client lacks is added, with its use."""
        lead = attrs.evolve(
            LEAD,
            emails=[
                Channel("ada@example.com", "home"),
                Channel("ada@example.org", "work"),
                Channel("countess@example.com"),
            ],
        )
        result = look(["contact"], STORED, lead=lead).result()
        assert (
            Channel("ADA@example.com"),
            Channel("ada@example.org", "work"),
            Channel("countess@example.com"),
        ) == result.contact.emails
        assert LEAD.phones == result.contact.phones

    def test_immune_to_an_amount_without_its_currency(self) -> None:
        """Of an amount and its currency never one alone is merged into a deal that has others."""
        lead = attrs.evolve(LEAD, amount=1000, currency="EUR")
        for amount, currency, expected in (
            (None, None, (Decimal(1000), "EUR")),
            (Decimal(5), "USD", (Decimal(5), "USD")),
            (Decimal(5), "EUR", (Decimal(5), "EUR")),
        ):
            deal = Deal(id="D-5", title="T", amount=amount, currency=currency)
            result = look([Merge("deal", "D-5")], deal, lead=lead).result()
            assert expected == (result.deal.amount, result.deal.currency)

    def test_immune_to_products_that_are_replaced(self) -> None:
        """The lines of an existing deal stay, and those of the lead are told."""
        engine = Product(name="Engine", price=Decimal(5000))
        cards = Product(name="Punched cards", price=Decimal("0.05"), quantity=1000)
        lead = attrs.evolve(LEAD, products=[cards])
        deal = Deal(id="D-5", title="T", products=[engine])
        result = look([Merge("deal", "D-5")], deal, lead=lead).result()
        assert (engine,) == result.deal.products
        assert "products" in {row.field for row in result.unmerged}

    @pytest.mark.parametrize("into", [ALL, ["contact"], [Link("contact", "C-3"), "deal"]])
    @pytest.mark.parametrize("records", [[STORED], [STORED, ENGINES]])
    def test_immune_to_silence(self, into: list[str | Target], records: list[Record]) -> None:
        """Every filled field of a lead is in one row at least, whatever it met."""
        lead = attrs.evolve(
            LEAD,
            comments="c",
            tags=["t"],
            observer_ids=["u-2"],
            source="WEB",
            middle_name="King",
            address=Address(city="London"),
            custom={"UF_X": 0, "UF_Y": " "},
        )
        p = look(into, *records, lead=lead)
        told = {row.field for row in p.result().rows}
        filled = {
            one
            for one in (*CRM.lead.members, "UF_X", "UF_Y")
            if one != "stage" and not is_empty(CRM.lead.read(lead, one))
        }
        assert filled == told - {None}
