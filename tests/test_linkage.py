"""The recipe for linkage at scale: who is one person, and what a conversion makes of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from docs.recipes import linkage

from leadconvert import (
    Actor,
    Channel,
    Contact,
    ConversionRules,
    Converted,
    Exceptions,
    Field,
    FieldMapping,
    GenericRecord,
    Kind,
    Known,
    Lead,
    Matching,
    MatchRule,
    Plain,
    Record,
    Ref,
    convert,
    convert_batch,
    errors,
    presets,
)


AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
BOSS: Final = Actor("u-1", roles=["admin"])

FIRST, LAST = (
    names.split()
    for names in (
        "Ada Alan Barbara Charles Donald Edsger Frances Grace Howard Jean John Katherine",
        (
            "Aiken Allen Backus Cerf Codd Cook Dahl Hoare Jones Kay Keller Knuth Liskov Milner "
            "Moore Perlman Reddy Ritchie Shannon Shaw Thompson Turing Wing Wirth Zuse"
        ),
    )
)


def ruled(*rules: MatchRule, exceptions: Exceptions = Exceptions()) -> ConversionRules:  # noqa: B008 - frozen
    """Rules of the preset that match by these, with the recipe's field as the key ``cluster``."""

    def keyed(kind: Kind) -> Kind:
        return attrs.evolve(
            kind,
            custom=[*kind.custom, Field(linkage.FIELD, "text")],
            keys={**kind.keys, "cluster": [linkage.FIELD]},
        )

    preset = presets.bitrix24()
    return attrs.evolve(
        preset,
        lead=keyed(preset.lead),
        kinds=[keyed(kind) if kind.id == "contact" else kind for kind in preset.kinds],
        mappings=[*preset.mappings, FieldMapping(linkage.FIELD, "contact")],
        matching=Matching(rules, exceptions=exceptions),
    )


RULES: Final = ruled(MatchRule("contact", ["cluster"], "link"))


def contact(id_: str, name: str = "", phone: str = "", email: str = "") -> Contact:
    """Return a contact of this name."""
    first, _, last = name.partition(" ")
    return Contact(
        id=id_,
        first_name=first,
        last_name=last,
        phones=[Channel(phone)] if phone else [],
        emails=[Channel(email)] if email else [],
    )


def lead(id_: str, name: str = "", phone: str = "", email: str = "") -> Lead:
    """Return a lead of a person of this name."""
    one = contact(id_, name, phone, email)
    return Lead(
        id=id_,
        stage="NEW",
        first_name=one.first_name,
        last_name=one.last_name,
        phones=one.phones,
        emails=one.emails,
    )


def population() -> list[Lead | Contact]:
    """Return 300 people, of whom every third is a lead as well.

    Of ten people two share a mailbox, and two more a phone. Of four leads one has a slip in the
    name, one another e-mail, one another phone, and one nothing that differs.
    """
    people: list[Lead | Contact] = []
    for n in range(300):
        first, last = FIRST[n % 12], LAST[n % 25]
        email = f"office{n // 10}@example.com" if n % 10 < 2 else f"{first}.{last}@example.com"
        phone = f"+49 30 2{n // 10:03}00" if n % 10 > 7 else f"+49 30 1{n:03}00"
        people.append(contact(f"C-{n}", f"{first} {last}", phone, email))
        if n % 3 == 0:
            differs = n // 3 % 4
            name = f"{first} {last[0]}{last[2:]}" if differs == 0 else f"{first} {last}"
            email = f"{first}{n}@example.org" if differs == 1 else email
            phone = f"+49 40 1{n:03}00" if differs == 2 else phone
            people.append(lead(f"L-{n}", name, phone, email))
    return people


PEOPLE: Final = population()

#: Are the contact and the lead one person?
PAIRS: Final[dict[str, tuple[bool, Contact, Lead]]] = {
    "a slip in the name, one phone": (
        True,
        contact("C", "Mary Jackson", "030 777001", "mary@example.net"),
        lead("L", "Mary Jakson", "030/77 70 01"),
    ),
    "two slips, one phone, another e-mail": (
        True,
        contact("C", "Dorothy Vaughan", "030 777002", "dorothy@example.net"),
        lead("L", "Dorthy Vaughn", "030 777002", "vaughan@example.org"),
    ),
    "a slip in the name, one e-mail": (
        True,
        contact("C", "Karen Jones", "030 777010", "jones@example.net"),
        lead("L", "Karen Jonas", email="jones@example.net"),
    ),
    "one name, one e-mail, another phone": (
        True,
        contact("C", "Hedy Lamarr", "030 777003", "hedy@example.net"),
        lead("L", "HEDY LAMARR", "040 777003", "Hedy@Example.net"),
    ),
    "no name, but both the e-mail and the phone": (
        True,
        contact("C", "Joan Clarke", "030 777004", "joan@example.net"),
        lead("L", "", "030 777004", "joan@example.net"),
    ),
    "a namesake": (
        False,
        contact("C", "Evelyn Berezin", "030 777005", "evelyn@example.net"),
        lead("L", "Evelyn Berezin", "040 777005", "berezin@example.org"),
    ),
    "one name, and nothing else is known": (
        False,
        contact("C", "Mavis Batey", "030 777006", "mavis@example.net"),
        lead("L", "Mavis Batey"),
    ),
    "a colleague at one phone": (
        False,
        contact("C", "Annie Easley", "030 777007", "annie@example.net"),
        lead("L", "Sophie Wilson", "030 777007", "sophie@example.net"),
    ),
    "a phone alone": (
        False,
        contact("C", "Roberta Williams", "030 777008", "roberta@example.net"),
        lead("L", "", "030 777008"),
    ),
    "a stranger": (
        False,
        contact("C", "Lynn Conway", "030 777009", "lynn@example.net"),
        lead("L", "Stephanie Shirley", "040 777009", "steve@example.org"),
    ),
    "nothing is known": (False, contact("C"), lead("L")),
}


@pytest.fixture(scope="module")
def model() -> dict[str, Any]:
    """What 400 records teach."""
    return linkage.train(PEOPLE, RULES)


@pytest.fixture(scope="module")
def found(model: dict[str, Any]) -> dict[Ref, str]:
    """The clusters of the population and all pairs."""
    pairs: list[Record] = []
    for n, (_, one, other) in enumerate(PAIRS.values()):
        pairs += [attrs.evolve(one, id=f"P-{n}"), attrs.evolve(other, id=f"P-{n}")]
    return linkage.clusters([*PEOPLE, *pairs], RULES, model)


class TestClusters:
    @pytest.mark.parametrize("name", PAIRS)
    def test_pairs(self, found: dict[Ref, str], name: str) -> None:
        """Several agreements outweigh a slip; one agreement is not enough."""
        expected, _, _ = PAIRS[name]
        n = [*PAIRS].index(name)
        ours, theirs = found.get(Ref("contact", f"P-{n}")), found.get(Ref("lead", f"P-{n}"))
        assert expected is (ours is not None)
        assert ours == theirs

    def test_everybody_is_found_and_nobody_else(self, found: dict[Ref, str]) -> None:
        """Each lead of the population is with its contact, and whoever is alone has no cluster."""
        ours = {ref: id_ for ref, id_ in found.items() if not ref.id.startswith("P-")}
        expected = {n: {Ref("contact", f"C-{n}"), Ref("lead", f"L-{n}")} for n in range(0, 300, 3)}
        assert {ref for refs in expected.values() for ref in refs} == ours.keys()
        for refs in expected.values():
            assert refs == {ref for ref, id_ in ours.items() if id_ == found[min(refs, key=str)]}

    def test_the_order_makes_no_difference(
        self, found: dict[Ref, str], model: dict[str, Any]
    ) -> None:
        """The same records teach the same and have the same clusters, in whatever order."""
        shuffled = [*PEOPLE[1::2], *reversed(PEOPLE[::2])]
        assert model == linkage.train(shuffled, RULES)
        again = linkage.clusters(shuffled, RULES, model)
        assert again.items() <= found.items()
        assert 200 == len(again)

    def test_a_model_is_kept_as_json(self, model: dict[str, Any]) -> None:
        """A model that was written to JSON and read again is the same."""
        kept = json.loads(json.dumps(model))
        assert model == kept
        assert "leadconvert" == kept["linker_uid"]  # nothing in it is drawn by lot
        assert 200 == len(linkage.clusters(PEOPLE, RULES, kept))

    def test_an_id_stays_while_others_come(self, model: dict[str, Any]) -> None:
        """Who joins a cluster gets its id, and those in it keep theirs."""
        mary, twin = contact("C-901", "Mary Jackson", "030 777001"), lead("L-901", "Mary Jackson")
        twin = attrs.evolve(twin, phones=mary.phones)
        before = linkage.clusters([*PEOPLE, mary, twin], RULES, model)
        third = attrs.evolve(twin, id="L-902", last_name="Jakson")
        after = linkage.clusters([*PEOPLE, third, mary, twin], RULES, model)
        id_ = before[Ref("contact", "C-901")]
        assert {**before, Ref("lead", "L-902"): id_} == after

    def test_an_id_is_a_key_as_it_stands(self, found: dict[Ref, str]) -> None:
        """Ids keep their difference when they are normalised as names."""
        assert {*found.values()} == {Plain().name(id_) for id_ in found.values()}

    def test_how_sure(self, model: dict[str, Any]) -> None:
        """Who asks for less certainty finds more."""
        [_, namesake, other] = PAIRS["a namesake"]
        for sure, expected in ((0.95, False), (0.001, True)):
            told = linkage.clusters([*PEOPLE, namesake, other], RULES, model, sure=sure)
            assert expected is (Ref("lead", "L") in told)

    @pytest.mark.parametrize(
        ("expected", "namesakes", "phone", "email"),
        [
            (True, 0, "040 777003", "hedy@example.net"),
            (False, 3, "040 777003", "hedy@example.net"),
            (True, 3, "", "hedy@example.net"),
            (False, 20, "", "hedy@example.net"),
            (True, 20, "030 777003", "hedy@example.net"),
            (False, 3, "030 777003", "hedy@example.org"),
            (True, 3, "030 777003", ""),
        ],
    )
    def test_a_common_name_says_less(
        self, model: dict[str, Any], expected: bool, namesakes: int, phone: str, email: str
    ) -> None:
        """What is enough for a rare name is not for a common one; the unknown denies nothing."""
        there = contact("C", "Hedy Lamarr", "030 777003", "hedy@example.net")
        others = [
            contact(f"N-{n}", "Hedy Lamarr", f"030 8880{n:02}", f"hedy{n}@example.net")
            for n in range(namesakes)
        ]
        ours = lead("L", "Hedy Lamarr", phone, email)
        told = linkage.clusters([*PEOPLE, *others, there, ours], RULES, model)
        assert expected is (Ref("lead", "L") in told)

    def test_nobody(self, model: dict[str, Any]) -> None:
        """Among no records, or one, nobody is anybody's twin; a record is none of its own."""
        ada = contact("C-3", "Ada Lovelace", "030 123456", "ada@example.com")
        for records in ([], [ada], [ada, ada]):
            assert {} == linkage.clusters(records, RULES, model)

    def test_a_column_may_be_empty(self, model: dict[str, Any]) -> None:
        """Where nobody has a phone, the rest counts."""
        there = contact("C-3", "Ada Lovelace", email="ada@example.com")
        records = [attrs.evolve(one, phones=[]) for one in PEOPLE]
        told = linkage.clusters(
            [*records, there, lead("L-7", "Ada Lovelace", email="ada@example.com")], RULES, model
        )
        assert told[Ref("contact", "C-3")] == told[Ref("lead", "L-7")]

    def test_exceptions_count_for_nothing(self, model: dict[str, Any]) -> None:
        """An address on the list of exceptions makes nobody one person."""
        rules = ruled(exceptions=Exceptions(phones=["030 777001"]))
        [_, there, misspelt] = PAIRS["a slip in the name, one phone"]
        told = linkage.clusters([*PEOPLE, there, misspelt], rules, model)
        assert Ref("lead", "L") not in told

    def test_nothing_is_written(
        self, model: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No file is left behind, since all of it is personal data."""
        monkeypatch.chdir(tmp_path)
        linkage.clusters(PEOPLE, RULES, model)
        assert [] == [*tmp_path.iterdir()]

    def test_a_record_of_no_kind(self, model: dict[str, Any]) -> None:
        """A record that the rules do not know is a mistake of the caller."""
        with pytest.raises(ValueError, match="no kind for a GenericRecord"):
            linkage.clusters([GenericRecord(kind="partner", id="P-1")], RULES, model)


class TestTrain:
    def test_what_no_record_shows(self) -> None:
        """A model that has not seen everything is refused: it would guess."""
        careful = [one for one in PEOPLE if not one.emails[0].value.startswith("office")]
        with pytest.raises(ValueError, match=r"shows: All other comparisons \(person\)$"):
            linkage.train(careful, RULES)


def night(
    model: dict[str, Any], arrived: Lead, *contacts: Contact
) -> tuple[Lead, tuple[Contact, ...]]:
    """Return them with their clusters, as the job of a night leaves them."""
    told = linkage.clusters([*PEOPLE, arrived, *contacts], RULES, model)
    return (
        linkage.marked(arrived, RULES, told),
        tuple(linkage.marked(one, RULES, told) for one in contacts),
    )


class TestMatching:
    def test_a_misspelt_twin_is_found(self, model: dict[str, Any]) -> None:
        """A lead with a slip in its name is linked to its contact, by the cluster alone."""
        [_, there, misspelt] = PAIRS["a slip in the name, one phone"]
        stranger = contact("C-9", "Lynn Conway", "030 777009", "lynn@example.net")
        ours, known = night(model, misspelt, stranger, there)
        result = convert(
            ours, ["contact"], rules=RULES, actor=BOSS, at=AT, known=Known(records=known)
        )
        [outcome] = result.outcomes
        assert ("linked", "C", ("cluster",)) == (
            outcome.action,
            outcome.record.id,
            outcome.matched_by,
        )

    def test_a_stranger_is_not(self, model: dict[str, Any]) -> None:
        """A lead that is nobody's twin makes a contact of its own, which has no cluster."""
        [_, there, stranger] = PAIRS["a colleague at one phone"]
        ours, known = night(model, stranger, there)
        result = convert(
            ours, ["contact"], rules=RULES, actor=BOSS, at=AT, known=Known(records=known)
        )
        assert "created" == result.outcomes[0].action
        assert None is result.contact.custom.get("UF_CLUSTER")

    def test_two_contacts_of_one_cluster_are_a_question(self, model: dict[str, Any]) -> None:
        """Nobody chooses among the contacts that are one person with the lead."""
        [_, there, misspelt] = PAIRS["a slip in the name, one phone"]
        twice = attrs.evolve(there, id="C-2", emails=[])
        ours, known = night(model, misspelt, there, twice)
        with pytest.raises(errors.AmbiguousMatchError, match="'C', 'C-2'") as told:
            convert(ours, ["contact"], rules=RULES, actor=BOSS, at=AT, known=Known(records=known))
        assert ["several_matches"] == [problem.code for problem in told.value.problems]

    def test_an_exact_key_comes_first(self, model: dict[str, Any]) -> None:
        """Where an e-mail decides, the cluster is not asked."""
        rules = ruled(
            MatchRule("contact", ["email"], "link"), MatchRule("contact", ["cluster"], "ask")
        )
        [_, there, twin] = PAIRS["one name, one e-mail, another phone"]
        ours, known = night(model, twin, there, attrs.evolve(there, id="C-2", emails=[]))
        result = convert(
            ours, ["contact"], rules=rules, actor=BOSS, at=AT, known=Known(records=known)
        )
        assert ("linked", "C", ("email",)) == (
            result.outcomes[0].action,
            result.contact.id,
            result.outcomes[0].matched_by,
        )

    def test_leads_of_one_cluster_share(self, model: dict[str, Any]) -> None:
        """In a batch, leads that are one person share one new contact, and it has their cluster."""
        one = lead("L-7", "Mary Jackson", "030 777001")
        two = lead("L-8", "Mary Jakson", "030 777001")
        told = linkage.clusters([*PEOPLE, one, two], RULES, model)
        twins = [linkage.marked(each, RULES, told) for each in (one, two)]
        batch = convert_batch(twins, ["contact"], rules=RULES, actor=BOSS, at=AT)
        results = [each.result for each in batch if isinstance(each, Converted)]
        assert ["L-7.1.contact.1"] * 2 == [result.contact.id for result in results]
        assert told[Ref("lead", "L-7")] == results[0].contact.custom["UF_CLUSTER"]


class TestMarked:
    def test_it_takes_the_place_of_what_was_there(self) -> None:
        """A cluster of another night goes, and what other fields hold stays."""
        there = attrs.evolve(lead("L-7"), custom={"UF_CLUSTER": "old", "UF_VAT": "DE1"})
        told = {Ref("lead", "L-7"): "new", Ref("contact", "C-7"): "theirs"}
        assert {"UF_CLUSTER": "new", "UF_VAT": "DE1"} == linkage.marked(there, RULES, told).custom
        assert {"UF_VAT": "DE1"} == linkage.marked(there, RULES, {}).custom

    def test_kinds_do_not_mix(self) -> None:
        """A contact with the id of a lead is another record."""
        told = {Ref("lead", "7"): "17"}
        assert {} == linkage.marked(contact("7"), RULES, told).custom
        assert {"UF_CLUSTER": "17"} == linkage.marked(lead("7"), RULES, told).custom
