"""What to find out first: by what a record is known, and what counts for a client that matched."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Exceptions,
    Field,
    Find,
    GenericRecord,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    Plan,
    Policy,
    Record,
    Ref,
    Target,
    Wanted,
    match_keys,
    plan,
    presets,
    wanted,
)
from leadconvert.kinds import CONTACT, LEAD


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN = Actor("u-1")
MATCHING = Matching(
    [
        MatchRule("contact", ["email", ["phone", "person"]], "link"),
        MatchRule("company", ["company"], "link"),
    ]
)
RULES = attrs.evolve(
    presets.bitrix24(),
    children=(),
    matching=MATCHING,
    limits=[Limit("deal", "no_open")],
    policy=Policy.allow_all(),
)
NEW = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    first_name="Ada",
    last_name="Lovelace",
    company_name="Engines Ltd.",
    emails=[Channel(" ADA@example.com ", "work"), Channel("ada@home.example")],
    phones=[Channel("+49 30 / 12 34 56")],
)
ADA = Contact(id="C-3", last_name="King", emails=[Channel("Ada@Example.com")])
ENGINES = Company(id="CO-9", name="ENGINES LTD")
ALL: tuple[str | Target, ...] = ("contact", "company", "deal")
DEAL = Deal(id="D-5", title="Old", pipeline="0", stage="NEW")


def keys(*pairs: tuple[str, str]) -> tuple[MatchKey, ...]:
    """Keys, of sorts and normal forms."""
    return tuple(MatchKey(sort, value) for sort, value in pairs)


class TestMatchKeys:
    def test_a_lead(self) -> None:
        """A lead is known by all its addresses, its person's name and its company's, in order."""
        assert keys(
            ("company", "engines ltd"),
            ("email", "ada@example.com"),
            ("email", "ada@home.example"),
            ("person", "ada lovelace"),
            ("phone", "+4930123456"),
        ) == match_keys(NEW, rules=RULES)

    def test_a_contact(self) -> None:
        """A contact is known by its addresses, and by its name if that is whole."""
        contact = Contact(
            id="C-3", first_name="José", last_name="D\u2019Arc", phones=[Channel("0049 30 123456")]
        )

        assert keys(("person", "jose darc"), ("phone", "+4930123456")) == match_keys(
            contact, rules=RULES
        )
        assert keys(("email", "ada@example.com")) == match_keys(ADA, rules=RULES)

    def test_a_company(self) -> None:
        """A company is known by its name and its addresses."""
        company = attrs.evolve(ENGINES, emails=[Channel("info@engines.example")])

        assert keys(("company", "engines ltd"), ("email", "info@engines.example")) == match_keys(
            company, rules=RULES
        )

    def test_what_nobody_knows_it_by(self) -> None:
        """A deal is known by nothing."""
        assert () == match_keys(DEAL, rules=RULES)

    def test_kinds_of_ones_own(self) -> None:
        """A kind says by which of its fields its records are known."""
        project = Kind(
            "project",
            fields=[
                Field("number", "text"),
                Field("mail", "email"),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
            keys={"number": ["number"]},
        )
        by = attrs.evolve(RULES, kinds=[*RULES.kinds, project])
        one = GenericRecord(
            kind="project", id="P-1", custom={"number": "A-17", "mail": "A@b.example"}
        )

        assert keys(("email", "a@b.example"), ("number", "a 17")) == match_keys(one, rules=by)

    def test_exceptions(self) -> None:
        """What is on the list of exceptions is no key, of a lead or of anybody."""
        listed = attrs.evolve(
            MATCHING,
            exceptions=Exceptions(emails=["ada@EXAMPLE.com"], phones=["+49 (30) 123456"]),
        )
        by = attrs.evolve(RULES, matching=listed)

        assert keys(
            ("company", "engines ltd"), ("email", "ada@home.example"), ("person", "ada lovelace")
        ) == match_keys(NEW, rules=by)
        assert () == match_keys(ADA, rules=by)

    @pytest.mark.parametrize(
        "record",
        [
            Lead(id="L-1", stage="NEW"),
            Lead(id="L-1", stage="NEW", first_name=" ", last_name="Byron", company_name="-"),
            Lead(
                id="L-1",
                stage="NEW",
                emails=[Channel(" "), Channel("n/a")],
                phones=[Channel("\u200b"), Channel("00000")],
            ),
            Contact(id="C-1", first_name="Ada", last_name="..."),
            Company(id="CO-1", name="\u3164"),
        ],
    )
    def test_nothing_is_no_key(self, record: Record) -> None:
        """What is empty, blank, or no such thing at all is no key."""
        assert () == match_keys(record, rules=RULES)

    def test_without_rules_to_match_by(self) -> None:
        """A record's keys are its own, whether or not any rule looks for it by them."""
        nothing = attrs.evolve(RULES, matching=Matching())

        assert match_keys(NEW, rules=RULES) == match_keys(NEW, rules=nothing)

    def test_as_the_rules_match(self) -> None:
        """They are the keys by which the rules match, and those that `wanted` lists."""
        assert {*match_keys(NEW, rules=RULES)} == MATCHING.keys(LEAD, NEW)
        assert {*match_keys(ADA, rules=RULES)} == MATCHING.keys(CONTACT, ADA)
        listed = wanted(NEW, ["contact", "company"], rules=RULES).matches
        assert {*match_keys(NEW, rules=RULES)} == {key for _, key in listed}

    @pytest.mark.parametrize(
        ("record", "name"),
        [
            (GenericRecord(kind="project", id="P-1"), "a GenericRecord"),
            (GenericRecord(kind="contact", id="C-1"), "a GenericRecord"),
            (Company(id="CO-9"), "a Company"),
            ("ada@example.com", "a str"),
            (None, "None"),
        ],
    )
    def test_no_kind_of_ours(self, record: object, name: str) -> None:
        """A record of a kind the rules do not have is a mistake of who asks."""
        loose: Callable[..., object] = match_keys
        base = attrs.evolve(presets.bitrix24(), children=())
        few = ConversionRules(kinds=[base.kind("contact") or CONTACT], pipelines=base.pipelines[:1])
        with pytest.raises(TypeError, match=f"^the rules have no kind of {name}$"):
            loose(record, rules=few)


def asked(
    *into: str | Target,
    found: Iterable[Record] | None = None,
    lead: Lead = NEW,
    rules: ConversionRules = RULES,
) -> Wanted:
    """What is wanted, the first time or with what was found."""
    known = None if found is None else Known(records=found)
    return wanted(lead, into, rules=rules, known=known)


def clients(found: Wanted) -> list[str]:
    """Whose open deals are asked for, each once."""
    return list(dict.fromkeys(str(client) for _, _, client in found.related))


class TestWhatMatched:
    def test_nobody_matched_yet(self) -> None:
        """The first time nobody is known, so nobody's deals are asked for."""
        assert () == asked(*ALL).related == asked(*ALL, found=[]).related

    def test_who_matched(self) -> None:
        """With what was found, the deals of those who match are asked for, by every field."""
        assert (
            ("deal", "contact_ids", Ref("contact", "C-3")),
            ("deal", "company_id", Ref("company", "CO-9")),
        ) == asked(*ALL, found=[ENGINES, ADA]).related

    def test_all_else_as_before(self) -> None:
        """What was asked the first time is asked again, and no more of it."""
        first, second = asked(*ALL), asked(*ALL, found=[ENGINES, ADA])

        assert first == attrs.evolve(second, related=())
        assert () == second.refs

    def test_beside_who_is_chosen_and_bound(self) -> None:
        """Whoever is bound or chosen comes along, and is told once."""
        bound = attrs.evolve(NEW, company_id="CO-1")

        assert ["company CO-1", "contact C-3"] == sorted(
            clients(asked(*ALL, found=[ADA, ENGINES], lead=bound))
        )
        chosen = Link("contact", "C-3")
        assert ["contact C-3", "company CO-9"] == clients(
            asked(chosen, "company", "deal", found=[ADA, ENGINES])
        )

    @pytest.mark.parametrize(
        "stranger",
        [
            Contact(id="C-4", last_name="Byron"),
            Contact(id="C-4", first_name="Ada", last_name="Lovelace"),
            Contact(id="C-4", phones=[Channel("+4930123456")]),
            Contact(id="C-4", emails=[Channel(" ")]),
            Company(id="CO-1", name="Engines"),
            Company(id="CO-1", name="X", emails=[Channel("ada@example.com")]),
            Contact(id="C-4", custom={"name": "Engines Ltd"}),
            Deal(id="D-1", title="Engines Ltd"),
            Lead(id="L-8", stage="NEW", emails=NEW.emails, company_name="Engines Ltd"),
            NEW,
            GenericRecord(kind="contact", id="C-4", custom={"emails": "ada@example.com"}),
        ],
    )
    def test_strangers(self, stranger: Record) -> None:
        """Who matches by no whole rule is not asked about, nor is a record of another kind."""
        assert () == asked(*ALL, found=[stranger]).related

    def test_several(self) -> None:
        """Of several who match all are asked about: whoever is chosen, the deals are there."""
        double = Contact(id="C-1", emails=[Channel("ada@home.example")])

        assert ["contact C-1", "contact C-3"] == clients(asked(*ALL, found=[ADA, double]))

    def test_the_first_rule_that_matches(self) -> None:
        """Only those count whom the rule finds that decides."""
        rules = [MatchRule("contact", ["email"]), MatchRule("contact", ["person"])]
        by = attrs.evolve(RULES, matching=Matching(rules))
        namesake = Contact(id="C-1", first_name="Ada", last_name="Lovelace")

        assert ["contact C-3"] == clients(asked(*ALL, found=[ADA, namesake], rules=by))
        assert ["contact C-1"] == clients(asked(*ALL, found=[namesake], rules=by))

    def test_who_is_new_all_the_same(self) -> None:
        """Where a rule says to make a new one, whoever matches is no client of it."""
        by = attrs.evolve(
            RULES,
            matching=Matching([MatchRule("contact", ["email"], "none"), *MATCHING.rules]),
        )

        assert ["company CO-9"] == clients(asked(*ALL, found=[ADA, ENGINES], rules=by))

    @pytest.mark.parametrize("then", ["ask", "refuse"])
    def test_who_is_to_be_chosen(self, then: str) -> None:
        """Where a person is to choose, the deals are there for when they have."""
        by = attrs.evolve(RULES, matching=Matching([MatchRule("contact", ["email"], then)]))

        assert ["contact C-3"] == clients(asked(*ALL, found=[ADA], rules=by))

    def test_exceptions(self) -> None:
        """Nobody matches by what is on the list of exceptions."""
        listed = attrs.evolve(MATCHING, exceptions=Exceptions(emails=["ada@example.com"]))
        by = attrs.evolve(RULES, matching=listed)

        assert () == asked(*ALL, found=[ADA], rules=by).related

    @pytest.mark.parametrize(
        "target", [Create("contact"), Link("contact", "C-1"), Merge("contact", "C-1")]
    )
    def test_who_is_not_looked_for(self, target: Target) -> None:
        """Who matches does not count where a record is chosen, or new on purpose."""
        named = [] if isinstance(target, Create) else ["contact C-1"]

        assert named == clients(asked(target, "deal", found=[ADA]))

    def test_bound_beats_matched(self) -> None:
        """A lead that is bound to a contact is matched with no other."""
        bound = attrs.evolve(NEW, contact_ids=["C-1"])

        assert ["contact C-1"] == clients(asked("contact", "deal", found=[ADA], lead=bound))

    def test_only_clients_that_are_asked_for(self) -> None:
        """Who matches counts for a deal only with a target of its kind."""
        assert () == asked("deal", found=[ADA, ENGINES]).related
        assert ["company CO-9"] == clients(asked("company", "deal", found=[ADA, ENGINES]))
        assert ["contact C-3"] == clients(asked(Find("contact"), "deal", found=[ADA, ENGINES]))

    def test_nothing(self) -> None:
        """Where nothing is asked for there is nobody to find out about."""
        bound = attrs.evolve(NEW, company_id="CO-9", contact_ids=["C-3"])
        found = asked(found=[ADA, ENGINES], lead=bound)

        assert ((), (), ()) == (found.refs, found.matches, found.related)

    def test_without_a_limit(self) -> None:
        """Where deals are not limited, or none is made, nobody's are asked for."""
        free = attrs.evolve(RULES, limits=[])

        assert () == asked(*ALL, found=[ADA, ENGINES], rules=free).related
        assert () == asked("contact", "company", found=[ADA, ENGINES]).related


#: Everything there is: the two clients, a stranger, their deals and somebody else's.
STORED: tuple[Record, ...] = (
    ADA,
    ENGINES,
    Contact(id="C-4", last_name="Byron", emails=[Channel("byron@example.com")]),
    attrs.evolve(DEAL, contact_ids=["C-3"], amount=Decimal(5), currency="EUR"),
    attrs.evolve(DEAL, id="D-6", stage="WON", company_id="CO-9"),
    attrs.evolve(DEAL, id="D-7", contact_ids=["C-4"]),
)


def stored(found: Wanted, rules: ConversionRules, there: Iterable[Record]) -> Known:
    """What a store hands over: who has a key that is listed, is named, or refers to a client."""
    records = []
    for record in there:
        kind = rules.kind_of(record)
        assert kind is not None
        refers = {
            (kind.id, name, Ref(str(field.to), id_))
            for name, field in kind.references.items()
            for value in [kind.read(record, name)]
            for id_ in (value if isinstance(value, tuple) else [value])
            if isinstance(id_, str)
        }
        has = {(kind.id, key) for key in match_keys(record, rules=rules)}
        if (
            Ref(kind.id, record.id) in found.refs
            or not has.isdisjoint(found.matches)
            or not refers.isdisjoint(found.related)
        ):
            records.append(record)
    return Known(records=records)


def look(known: Known, *into: str | Target) -> Plan:
    """The plan with what was handed over."""
    return plan(NEW, into, rules=RULES, actor=ADMIN, at=AT, known=known)


class TestTwoRounds:
    def test_a_client_that_matched_and_has_an_open_deal(self) -> None:
        """Asked again with who matched, a host loads what stands in the way, and it is told."""
        found = stored(wanted(NEW, ALL, rules=RULES), RULES, STORED)
        assert ["C-3", "CO-9"] == [one.id for one in found.records]
        assert look(found, *ALL).ok  # nothing that is not handed over is open

        again = stored(wanted(NEW, ALL, rules=RULES, known=found), RULES, STORED)
        assert ["C-3", "CO-9", "D-5", "D-6"] == [one.id for one in again.records]
        [problem] = look(again, *ALL).problems
        assert (2, "deal", "has_open", {"client": "contact", "id": "D-5"}) == (
            problem.target,
            problem.kind,
            problem.code,
            problem.params,
        )
        assert look(again, "contact", "company", Link("deal", "D-5")).ok

    def test_clients_whose_deals_are_closed(self) -> None:
        """Where none of them is open a deal is made, of the clients that matched."""
        there = [one for one in STORED if one.id != "D-5"]
        found = stored(wanted(NEW, ALL, rules=RULES), RULES, there)
        again = stored(wanted(NEW, ALL, rules=RULES, known=found), RULES, there)
        made = look(again, *ALL).result().deal

        assert ["C-3", "CO-9", "D-6"] == [one.id for one in again.records]
        assert (("C-3",), "CO-9") == (made.contact_ids, made.company_id)

    def test_a_third_round_says_nothing_new(self) -> None:
        """What was loaded for the second answer changes nothing in a third."""
        found = stored(wanted(NEW, ALL, rules=RULES), RULES, STORED)
        second = wanted(NEW, ALL, rules=RULES, known=found)

        assert second == wanted(NEW, ALL, rules=RULES, known=stored(second, RULES, STORED))

    def test_of_several_one_is_chosen(self) -> None:
        """A question first, and with the answer what counts for whom was chosen."""
        double = Contact(id="C-1", last_name="King", emails=[Channel("ada@home.example")])
        there = [*STORED, double]
        found = stored(wanted(NEW, ALL, rules=RULES), RULES, there)
        again = stored(wanted(NEW, ALL, rules=RULES, known=found), RULES, there)

        assert ["several_matches"] == [one.code for one in look(again, *ALL).problems]
        assert look(again, Link("contact", "C-1"), "company", "deal").ok
        assert ["has_open"] == [
            one.code for one in look(again, Link("contact", "C-3"), "company", "deal").problems
        ]


class TestRights:
    def test_on_sensitive_fields(self) -> None:
        """To read and to write a sensitive field is asked beforehand, of the kinds that count."""
        secret = Field("UF_TAX", "text", sensitive=True)
        kinds = [
            attrs.evolve(kind, custom=[*kind.custom, secret])
            if kind.id in {"contact", "company"}
            else kind
            for kind in RULES.kinds
        ]
        by = attrs.evolve(RULES, kinds=kinds)
        on_fields = [one for one in wanted(NEW, ["contact"], rules=by).access if one.field]

        assert [
            AccessRequest(action="read", kind="contact", field="UF_TAX"),
            AccessRequest(action="update", kind="contact", field="UF_TAX"),
        ] == on_fields

    def test_on_those_who_matched(self) -> None:
        """Only who is named is asked about beforehand: who matches is judged when it is planned."""
        first = wanted(NEW, ALL, rules=RULES)
        known = Known(records=STORED)

        assert first.access == wanted(NEW, ALL, rules=RULES, known=known).access
        named = wanted(NEW, [Link("contact", "C-3")], rules=RULES, known=known)
        assert AccessRequest(action="read", kind="contact", id="C-3") in named.access


class TestPointedAt:
    def test_whom_a_record_that_is_merged_refers_to(self) -> None:
        """Once the deal is known its contact is wanted too, since all must agree in the end."""
        into = [Merge("deal", "D-5"), Create("company", values={"name": "Looms"})]
        deal = Deal(id="D-5", title="Engine", contact_ids=["C-9"])
        elsewhere = Contact(id="C-9", last_name="Byron", company_id="CO-1")
        rules = attrs.evolve(RULES, limits=[])

        assert (Ref("deal", "D-5"),) == wanted(NEW, into, rules=rules).refs
        asked = wanted(NEW, into, rules=rules, known=Known(records=[deal]))
        assert (Ref("deal", "D-5"), Ref("contact", "C-9")) == asked.refs
        known = Known(records=[deal, elsewhere])
        found = plan(NEW, into, rules=rules, actor=ADMIN, at=AT, known=known)
        assert ["clients_disagree"] == [problem.code for problem in found.problems]
