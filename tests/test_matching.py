"""Matching: the normal form of what people write, the keys of a record, what rules make of them.

The tables are thought through from what people write and mean, not printed by the code.
"""

import copy
import pickle
import unicodedata
from collections.abc import Callable, Iterable, Iterator

import attrs
import pytest

from leadconvert import (
    Channel,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Exceptions,
    Field,
    GenericRecord,
    Kind,
    Lead,
    Match,
    Matching,
    MatchKey,
    MatchRule,
    Pipeline,
    Plain,
    Policy,
    Record,
    Stage,
    Then,
    errors,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.matching import keys_of


LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
BACK = Field("converted_from", "reference", to="lead", multiple=True)


def rules(
    matching: Matching,
    *,
    lead: Kind = LEAD,
    kinds: tuple[Kind, ...] = (CONTACT, COMPANY, DEAL),
    pipelines: tuple[Pipeline, ...] = (LEADS, SALES),
) -> ConversionRules:
    """Rules with nothing but their matching."""
    return ConversionRules(
        lead=lead,
        kinds=kinds,
        pipelines=pipelines,
        policy=Policy.allow_all(),
        matching=matching,
    )


def told(make: Callable[[], object]) -> list[str]:
    """What the refusal of *make* says, mistake by mistake."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


def keys(*pairs: tuple[str, str]) -> frozenset[MatchKey]:
    """Keys out of their sorts and values."""
    return frozenset(MatchKey(sort, value) for sort, value in pairs)


def wide(text: str) -> str:
    """The same in the full width of East Asian scripts."""
    return "".join(one if one == " " else chr(ord(one) + 0xFEE0) for one in text)


def ids(found: Iterable[Match]) -> list[tuple[str, tuple[str, ...]]]:
    """Whom matches mean, and by what."""
    return [(one.record.id, one.by) for one in found]


@attrs.frozen
class Numbered:
    """A normalizer of a host's own: whatever it is told is one and the same."""

    def email(self, value: str, /) -> str | None:
        """Every address is the same."""
        del value
        return "mail"

    def phone(self, value: str, /) -> str | None:
        """No number is one."""
        return None if value else value

    def name(self, value: str, /) -> str | None:
        """A name of one word is none once it stands with others."""
        return None if value.count(" ") else value


class Loose:
    """A normalizer that is no value: nothing says whether two of them are the same."""

    email = phone = name = Plain.email


@attrs.define
class Changing:
    """A normalizer that may change after the rules were made."""

    email = phone = name = Plain.email


def alike(ours: MatchKey, theirs: MatchKey) -> bool:
    """Two keys are alike that begin with the same two letters."""
    return ours.value[:2] == theirs.value[:2]


def never(ours: MatchKey, theirs: MatchKey) -> bool:
    """No two keys are alike."""
    del ours, theirs
    return False


class TestEmails:
    @pytest.mark.parametrize(
        ("written", "normal"),
        [
            ("ada@example.com", "ada@example.com"),
            ("Ada@Example.COM", "ada@example.com"),
            ("ADA@EXAMPLE.COM", "ada@example.com"),
            ("  ada@example.com\t\n", "ada@example.com"),
            (wide("ada@example.com"), "ada@example.com"),
            ("\u200bada@example.com\ufeff", "ada@example.com"),
            ("ada@exam\u00adple.com", "ada@example.com"),
            ("ada.b+crm@sub.example.com", "ada.b+crm@sub.example.com"),
            ("jörg@example.com", "jörg@example.com"),
            ("JÖRG@MÜNCHEN.DE", "jörg@münchen.de"),
            ("jo\u0308rg@example.com", "jörg@example.com"),
            ("ольга@пример.рф", "ольга@пример.рф"),
            ("ada@localhost", "ada@localhost"),
        ],
    )
    def test_normal_form(self, written: str, normal: str) -> None:
        """Size, outer blanks, full width and what shows nothing make no difference."""
        assert normal == Plain().email(written)

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "   ",
            "\u200b",
            "ada",
            "@",
            "ada@",
            "@example.com",
            " @ ",
            "ada@lovelace@example.com",
            "ada@example.com,ada@example.org",
            "ada@example.com; ada@example.org",
            "ada @example.com",
            "ada@ example.com",
            "ada lovelace@example.com",
            "Ada Lovelace <ada@example.com>",
            "ada@exam\u00a0ple.com",
            "n/a",
            "-",
        ],
    )
    def test_none(self, written: str) -> None:
        """What has not one name and one domain is no address, however nearly it is one."""
        assert Plain().email(written) is None

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("ada@example.com", "ada@example.org"),
            ("ada@example.com", "ad@example.com"),
            ("a.da@example.com", "ada@example.com"),
            ("ada+x@example.com", "ada@example.com"),
            ("jorg@example.com", "jörg@example.com"),
            ("ada@faß.de", "ada@fass.de"),
        ],
    )
    def test_other_mailboxes(self, one: str, other: str) -> None:
        """Dots, accents and tags may be another's mailbox, and a sharp s another's domain."""
        assert Plain().email(one) != Plain().email(other)


class TestPhones:
    @pytest.mark.parametrize(
        ("written", "normal"),
        [
            ("+4930123456", "+4930123456"),
            ("004930123456", "+4930123456"),
            ("+49 30 12 34 56", "+4930123456"),
            ("0049 30 123456", "+4930123456"),
            ("00 49 30 123456", "+4930123456"),
            ("+49 (30) 123-456", "+4930123456"),
            ("+49/30/123.456", "+4930123456"),
            ("(+49) 30 123456", "+4930123456"),
            ("+ 49 30 123456", "+4930123456"),
            ("tel:+49-30-123456", "+4930123456"),
            ("Tel. +49 30 123456", "+4930123456"),
            ("+49 30 123456 (office)", "+4930123456"),
            ("+49 30 123456 ext. 7", "+4930123456"),
            ("+49 30 123456 x7", "+4930123456"),
            ("+49 30 123456;ext=7", "+4930123456"),
            ("\u202a+49 30 123456\u202c", "+4930123456"),
            ("+49\u00a030\u2009123456", "+4930123456"),
            (wide("+49 30 123456"), "+4930123456"),
            ("+٤٩ ٣٠ ١٢٣٤٥٦", "+4930123456"),
            ("+४९ ३० १२३४५६", "+4930123456"),
            ("+49 ٣٠ 123456", "+4930123456"),
            ("030 123456", "030123456"),
            ("(030) 12 34 56", "030123456"),
            ("030_123456", "030123456"),
            ("12345", "12345"),
            ("11112", "11112"),
        ],
    )
    def test_normal_form(self, written: str, normal: str) -> None:
        """What stands between the digits makes no difference, two zeros are a plus."""
        assert normal == Plain().phone(written)

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "   ",
            "+",
            "()",
            "n/a",
            "none",
            "unknown",
            "1234",
            "+1234",
            "12-34",
            "00000",
            "000000000",
            "+99999999999",
            "1 1 1 1 1",
            "1800-FLOWERS",
            "ask 4 Ada",
        ],
    )
    def test_none(self, written: str) -> None:
        """Too few digits, and one digit alone again and again, are nobody's number."""
        assert Plain().phone(written) is None

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("+49 30 123456", "+49 30 123457"),
            ("+49 30 123456", "030 123456"),
            ("+49 30 123456 ext. 7", "+49 30 1234567"),
            ("+49 ٣٠ 123456", "+49 123456"),
            ("030 123456", "30 123456"),
        ],
    )
    def test_other_numbers(self, one: str, other: str) -> None:
        """No digit is left out or added: with an extension it is not the longer number."""
        assert Plain().phone(one) != Plain().phone(other)


class TestNames:
    @pytest.mark.parametrize(
        ("written", "normal"),
        [
            ("Ada Lovelace", "ada lovelace"),
            ("  ADA \t lovelace\n", "ada lovelace"),
            ("José", "jose"),
            ("Jose\u0301", "jose"),
            ("Ångström", "angstrom"),
            ("Dvořák", "dvorak"),
            ("Nguyễn", "nguyen"),
            ("Çelik", "celik"),
            ("İnönü", "inonu"),
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("Søn", "søn"),
            ("ﬁnance", "finance"),
            (wide("ADA"), "ada"),
            ("Smith-Jones", "smith jones"),
            ("Smith\u2010Jones", "smith jones"),
            ("Smith \u2013 Jones", "smith jones"),
            ("Engines, Ltd.", "engines ltd"),
            ("Engines & Sons", "engines sons"),
            ("(Engines) [Berlin]", "engines berlin"),
            ("3M", "3m"),
            ("Ada\u200b Lovelace", "ada lovelace"),
            ("Ada\u00adLovelace", "adalovelace"),
            ("Ada ❤\ufe0f", "ada"),
            ("Ольга Иванова", "ольга иванова"),
            ("ОЛЬГА ИВАНОВА", "ольга иванова"),
            ("Фёдор", "федор"),
            ("Αλέξανδρος", "αλεξανδροσ"),
            ("ΑΛΕΞΑΝΔΡΟΣ", "αλεξανδροσ"),
            ("عَلِي", "علي"),
            ("דָּוִד", "דוד"),
            ("山田 太郎", "山田 太郎"),
            ("山田\u3000太郎", "山田 太郎"),
        ],
    )
    def test_normal_form(self, written: str, normal: str) -> None:
        """Accents, points, size, punctuation and the number of blanks make no difference."""
        assert normal == Plain().name(written)

    @pytest.mark.parametrize(
        "apostrophe",
        [
            "'",
            "`",
            "\u00b4",
            "\u02b9",
            "\u02bb",
            "\u02bc",
            "\u02bd",
            "\u055a",
            "\u05f3",
            "\u2018",
            "\u2019",
            "\u201b",
            "\u2032",
            "\ua78c",
            "\uff07",
            "\uff40",
            "",
        ],
    )
    def test_apostrophes(self, apostrophe: str) -> None:
        """An apostrophe of any sort is as good as any other, and as none."""
        assert "obrien" == Plain().name(f"O{apostrophe}Brien")
        assert "queens university" == Plain().name(f"Queen{apostrophe}s University")

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "   ",
            "-",
            " - ",
            "?!",
            "...",
            "'",
            "\u2019",
            "/",
            "\u200b",
            "\u00ad",
            "\u3164",
            "\u115f\u1160",
            "\u2800",
            "\ufe0f",
            "❤\ufe0f",
            "☀\ufe0f",
            "\U000e0100",
            "\u0301",
            "🚀",
        ],
    )
    def test_none(self, written: str) -> None:
        """What says nothing is no name, whatever it consists of."""
        assert Plain().name(written) is None

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Ada", "Adam"),
            ("Ada Lovelace", "Lovelace Ada"),
            ("Ada Lovelace", "Ada"),
            ("Søn", "Son"),
            ("सीता", "सेतु"),  # the vowels are marks that combine
            ("राम", "रिम"),
            ("कमल", "कम्ल"),
            ("กิน", "กัน"),
            ("ป่า", "ป้า"),  # so are the tones
            ("மணி", "மாணி"),
            ("がとう", "かとう"),  # and the voicing
            ("バス", "パス"),
            ("김", "감"),
            ("Ольга", "Olga"),
            ("山田", "山本"),
        ],
    )
    def test_other_names(self, one: str, other: str) -> None:
        """No letter is left out: not a vowel, a tone or a voicing that is written as a mark."""
        assert None not in {Plain().name(one), Plain().name(other)}
        assert Plain().name(one) != Plain().name(other)

    @pytest.mark.parametrize(
        "name", ["सीता शर्मा", "ป้า", "がとう", "김민준", "Nguyễn Văn Ánh", "עִבְרִית", "Łukasz"]
    )
    def test_however_it_is_composed(self, name: str) -> None:
        """Letters that are composed, and the same taken apart, are one name."""
        composed, apart = unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)
        assert Plain().name(composed) == Plain().name(apart)


class TestKeysOf:
    def test_a_lead(self) -> None:
        """A lead is known by every e-mail and phone, by its person and by its company."""
        lead = Lead(
            id="L-7",
            stage="new",
            title="Ada Lovelace",
            first_name="Ada",
            last_name="O'Brien",
            company_name="Engines, Ltd.",
            emails=[Channel("Ada@Example.com", "work"), Channel("ada@example.org")],
            phones=[Channel("0049 30 123456")],
        )
        assert keys(
            ("email", "ada@example.com"),
            ("email", "ada@example.org"),
            ("phone", "+4930123456"),
            ("person", "ada obrien"),
            ("company", "engines ltd"),
        ) == keys_of(LEAD, lead, Plain())

    def test_a_contact(self) -> None:
        """A contact is known by its person, and not by the use of a channel or the id."""
        ada = Contact(
            id="C-3",
            first_name="ADA",
            last_name="Lovelace",
            company_id="CO-9",
            emails=[Channel("ada@example.com", "home"), Channel("ADA@example.com", "work")],
        )
        assert keys(("email", "ada@example.com"), ("person", "ada lovelace")) == keys_of(
            CONTACT, ada, Plain()
        )

    def test_a_company(self) -> None:
        """A company is known by its name as a company, never as a person."""
        engines = Company(id="CO-9", name="Ada Lovelace", phones=[Channel("030 123456")])
        assert keys(("company", "ada lovelace"), ("phone", "030123456")) == keys_of(
            COMPANY, engines, Plain()
        )

    def test_a_deal(self) -> None:
        """A deal has nothing to be known by."""
        assert keys() == keys_of(DEAL, Deal(id="D-5", title="Engine"), Plain())

    @pytest.mark.parametrize(
        "record",
        [
            Contact(id="C-3"),
            Contact(id="C-3", first_name="", last_name=" "),
            Contact(id="C-3", first_name="Ada"),
            Contact(id="C-3", last_name="Lovelace"),
            Contact(id="C-3", first_name=" ", last_name="Lovelace"),
            Contact(id="C-3", first_name="-", last_name="Lovelace"),
            Contact(id="C-3", first_name="Ada", last_name="?"),
            Contact(id="C-3", first_name="\u3164", last_name="Lovelace"),
            Contact(id="C-3", emails=[Channel(""), Channel("  "), Channel("n/a")]),
            Contact(id="C-3", phones=[Channel(""), Channel("-"), Channel("000000")]),
        ],
    )
    def test_nothing_to_be_known_by(self, record: Contact) -> None:
        """Blanks, placeholders and half a name are no key."""
        assert keys() == keys_of(CONTACT, record, Plain())

    def test_custom_fields(self) -> None:
        """Custom e-mails and phones are keys as the standard ones are, one or several."""
        contact = attrs.evolve(
            CONTACT,
            custom=[
                Field("UF_MAIL", "email"),
                Field("UF_PHONES", "phone", multiple=True),
                Field("UF_TEXT", "text"),
                Field("UF_NUMBER", "text"),
            ],
        )
        ada = Contact(
            id="C-3",
            custom={
                "UF_MAIL": Channel("ada@example.com"),
                "UF_PHONES": [Channel("030 123456"), "030 654321"],
                "UF_TEXT": "ada@example.org, 030 777777",
                "UF_NUMBER": "030 777777",
                "UF_OTHER": Channel("ada@example.net"),
            },
        )
        assert keys(
            ("email", "ada@example.com"), ("phone", "030123456"), ("phone", "030654321")
        ) == keys_of(contact, ada, Plain())

    def test_a_custom_value_of_another_type(self) -> None:
        """What is neither text nor a channel is no key, and no error."""
        contact = attrs.evolve(CONTACT, custom=[Field("UF_MAIL", "email", multiple=True)])
        ada = Contact(id="C-3", custom={"UF_MAIL": [5, None, Channel("ada@example.com")]})
        assert keys(("email", "ada@example.com")) == keys_of(contact, ada, Plain())

    def test_a_kind_of_ones_own(self) -> None:
        """A kind of fields alone has the keys it names, each of all its fields together."""
        invoice = Kind(
            "invoice",
            fields=[
                Field("number", "text"),
                Field("year", "text"),
                Field("payer_mail", "email"),
                BACK,
            ],
            keys={"number": ["number"], "in_year": ["number", "year"]},
        )
        one = GenericRecord(
            kind="invoice",
            id="I-1",
            custom={"number": "A-17", "year": "2027", "payer_mail": "ada@example.com"},
        )
        assert keys(
            ("number", "a 17"), ("in_year", "a 17 2027"), ("email", "ada@example.com")
        ) == keys_of(invoice, one, Plain())
        yearless = attrs.evolve(one, custom={"number": "A-17"})
        assert keys(("number", "a 17")) == keys_of(invoice, yearless, Plain())

    def test_a_key_of_what_is_no_text(self) -> None:
        """A key is made of texts: numbers and several values make none."""
        invoice = Kind(
            "invoice",
            fields=[Field("number", "integer"), Field("tags", "text", multiple=True), BACK],
            keys={"number": ["number"], "tags": ["tags"], "nothing": []},
        )
        one = GenericRecord(kind="invoice", id="I-1", custom={"number": 17, "tags": ("a", "b")})
        assert keys() == keys_of(invoice, one, Plain())

    def test_a_normalizer_of_ones_own(self) -> None:
        """What the normalizer says is what counts, also that something is nothing."""
        ada = Contact(
            id="C-3",
            first_name="Ada",
            last_name="Lovelace",
            emails=[Channel("a"), Channel("b")],
            phones=[Channel("030 123456")],
        )
        assert keys(("email", "mail")) == keys_of(CONTACT, ada, Numbered())


class TestExceptions:
    def test_keys(self) -> None:
        """The list is brought into the same form as what it is compared with."""
        listed = Exceptions(
            emails=["NoReply@Example.com ", "n/a", ""], phones=["0049 30 123456", "none"]
        )
        assert keys(("email", "noreply@example.com"), ("phone", "+4930123456")) == listed.keys(
            Plain()
        )

    def test_nothing_matches_by_them(self) -> None:
        """What is listed is no key of a lead or a record, whatever else they have."""
        matching = Matching(
            [MatchRule("contact", ["email", "phone"])],
            exceptions=Exceptions(emails=["noreply@example.com"], phones=["030 123456"]),
        )
        lead = Lead(
            id="L-7",
            stage="new",
            first_name="Ada",
            last_name="Lovelace",
            emails=[Channel("NOREPLY@example.com"), Channel("ada@example.com")],
            phones=[Channel("(030) 123456")],
        )
        ours = matching.keys(LEAD, lead)
        assert keys(("email", "ada@example.com"), ("person", "ada lovelace")) == ours
        switchboard = Contact(
            id="C-1",
            emails=[Channel("noreply@example.com")],
            phones=[Channel("030 123456")],
        )
        assert (Then.NONE, ()) == matching.matches(ours, CONTACT, [switchboard])

    @pytest.mark.parametrize("wrong", [{"emails": "a@b.c"}, {"phones": "030"}, {"emails": [5]}])
    def test_one_text(self, wrong: dict[str, object]) -> None:
        """One text where a list of them belongs is refused."""
        loose: Callable[..., object] = Exceptions
        with pytest.raises(TypeError, match="a list of texts"):
            loose(**wrong)


ADA = Contact(
    id="C-1",
    first_name="Ada",
    last_name="Lovelace",
    emails=[Channel("ada@example.com")],
    phones=[Channel("030 123456")],
)
#: By which of its keys a lead is the one above.
MAIL = ("email", "ada@example.com")
PHONE = ("phone", "030123456")
PERSON = ("person", "ada lovelace")
COMPANY_KEY = ("company", "engines")
ALONE: list[str | list[str]] = ["email"]
EITHER: list[str | list[str]] = ["email", "phone"]
TOGETHER: list[str | list[str]] = [["phone", "person"]]
BOTH_WAYS: list[str | list[str]] = ["email", ["phone", "person"]]


class TestBy:
    @pytest.mark.parametrize(
        ("by", "ours", "matched_by"),
        [
            # one key alone
            (ALONE, [MAIL], ("email",)),
            (ALONE, [MAIL, PHONE, PERSON], ("email",)),
            (ALONE, [PHONE, PERSON], None),
            (ALONE, [], None),
            # one of several
            (EITHER, [MAIL], ("email",)),
            (EITHER, [PHONE], ("phone",)),
            (EITHER, [MAIL, PHONE], ("email", "phone")),
            (EITHER, [PERSON], None),
            # several together
            (TOGETHER, [PHONE, PERSON], ("person", "phone")),
            (TOGETHER, [PHONE], None),
            (TOGETHER, [PERSON], None),
            (TOGETHER, [MAIL], None),
            (TOGETHER, [MAIL, PHONE, PERSON], ("person", "phone")),
            # one alone, or several together
            (BOTH_WAYS, [MAIL], ("email",)),
            (BOTH_WAYS, [MAIL, PHONE], ("email",)),
            (BOTH_WAYS, [PHONE, PERSON], ("person", "phone")),
            (BOTH_WAYS, [MAIL, PHONE, PERSON], ("email", "person", "phone")),
            (BOTH_WAYS, [PHONE], None),
            # a key that differs is none
            (ALONE, [("email", "ada@example.org")], None),
            (TOGETHER, [PHONE, ("person", "tom lovelace")], None),
            (EITHER, [("email", "ada@example.org"), PHONE], ("phone",)),
            # one of several addresses is enough
            (ALONE, [("email", "ada@example.org"), MAIL], ("email",)),
            # keys of one sort are never those of another
            (["person"], [("company", "ada lovelace")], None),
        ],
    )
    def test_which_keys_must_agree(
        self,
        by: list[str | list[str]],
        ours: list[tuple[str, str]],
        matched_by: tuple[str, ...] | None,
    ) -> None:
        """A list in the list means all of its keys, otherwise one is enough."""
        matching = Matching([MatchRule("contact", by)])
        then, found = matching.matches(keys(*ours), CONTACT, [ADA])
        if matched_by is None:
            assert (Then.NONE, ()) == (then, found)
        else:
            assert (Then.MERGE, [("C-1", matched_by)]) == (then, ids(found))

    def test_a_person_of_another_company(self) -> None:
        """A shared phone is nobody unless a rule says so."""
        jane = Contact(id="C-2", first_name="Jane", last_name="Doe", phones=[Channel("030 123456")])
        matching = Matching([MatchRule("contact", BOTH_WAYS)])
        assert (Then.NONE, ()) == matching.matches(keys(PHONE, PERSON), CONTACT, [jane])

    def test_empty_keys_match_nothing(self) -> None:
        """Neither no keys on both sides nor a rule that names none is a match."""
        nobody = Contact(id="C-2", emails=[Channel("")], phones=[Channel(" ")])
        everything = Matching(
            [MatchRule("contact", [*BOTH_WAYS, "phone"]), MatchRule("contact", [[]])]
        )
        assert (Then.NONE, ()) == everything.matches(keys(), CONTACT, [nobody, ADA])
        assert (Then.NONE, ()) == everything.matches(keys(COMPANY_KEY), CONTACT, [nobody, ADA])

    @pytest.mark.parametrize(
        "ours",
        [
            ("person", "ada"),
            ("person", "ada lovelace byron"),
            ("email", "ada@example.co"),
            ("email", "da@example.com"),
            ("phone", "123456"),
            ("phone", "0301234567"),
        ],
    )
    def test_no_part_of_a_key(self, ours: tuple[str, str]) -> None:
        """What a key begins with, ends with or holds is not that key."""
        matching = Matching([MatchRule("contact", ["email", "phone", "person"])])
        assert (Then.NONE, ()) == matching.matches(keys(ours), CONTACT, [ADA])

    def test_sorts_of_keys_are_a_set(self) -> None:
        """The order in which keys are named together makes no difference."""
        one = MatchRule("contact", [["phone", "person"]])
        assert one == MatchRule("contact", [("person", "phone", "person")])
        assert hash(one) == hash(MatchRule("contact", iter([["person", "phone"]])))


class TestWhichRule:
    def test_the_first_that_matches_decides(self) -> None:
        """A later rule is not looked at, even where it would find more."""
        tom = Contact(id="C-2", phones=[Channel("030 123456")])
        matching = Matching(
            [
                MatchRule("company", ["email"], "refuse"),
                MatchRule("contact", ["email"], "link"),
                MatchRule("contact", ["phone"], "ask"),
            ]
        )
        then, found = matching.matches(keys(MAIL, PHONE), CONTACT, [tom, ADA])
        assert (Then.LINK, [("C-1", ("email",))]) == (then, ids(found))
        then, found = matching.matches(keys(PHONE), CONTACT, [tom, ADA])
        assert (Then.ASK, [("C-1", ("phone",)), ("C-2", ("phone",))]) == (then, ids(found))

    def test_a_rule_that_makes_a_new_one(self) -> None:
        """A rule may say that what follows is nothing, and then no later rule decides."""
        matching = Matching(
            [MatchRule("contact", ["email"], "none"), MatchRule("contact", ["phone"], "merge")]
        )
        then, found = matching.matches(keys(MAIL, PHONE), CONTACT, [ADA])
        assert (Then.NONE, [("C-1", ("email",))]) == (then, ids(found))

    def test_merging_unless_told(self) -> None:
        """Without a word a match is merged into."""
        assert Then.MERGE is MatchRule("contact", ["email"]).then

    @pytest.mark.parametrize(
        ("word", "then"),
        [
            ("none", Then.NONE),
            ("link", Then.LINK),
            ("merge", Then.MERGE),
            ("ask", Then.ASK),
            ("refuse", Then.REFUSE),
        ],
    )
    def test_words(self, word: str, then: Then) -> None:
        """Each word means what it says, as a member and as a text."""
        assert then is MatchRule("contact", ["email"], word).then
        assert MatchRule("contact", ["email"], word) == MatchRule("contact", ["email"], then)

    def test_all_that_match_by_id(self) -> None:
        """Several come in the order of their ids, in whatever order they were loaded."""
        several = [attrs.evolve(ADA, id=one) for one in ("C-3", "C-1", "C-2")]
        matching = Matching([MatchRule("contact", ["email"])])
        for order in (several, several[::-1]):
            _, found = matching.matches(keys(MAIL), CONTACT, order)
            assert ["C-1", "C-2", "C-3"] == [one.record.id for one in found]

    def test_nothing_is_read_without_a_rule(self) -> None:
        """Records of a kind that no rule speaks of are not even taken."""
        records: Iterator[Record] = iter([ADA])
        matching = Matching([MatchRule("company", ["email"])])
        assert (Then.NONE, ()) == matching.matches(keys(MAIL), CONTACT, records)
        assert [ADA] == list(records)


class TestSame:
    def test_alike_is_enough(self) -> None:
        """Where a function tells, keys that are not equal match."""
        matching = Matching([MatchRule("contact", ["person"])], same=alike)
        by_name_alone = attrs.evolve(ADA, emails=(), phones=())
        _, found = matching.matches(keys(("person", "ade l")), CONTACT, [by_name_alone])
        assert [("C-1", ("person",))] == ids(found)
        assert (Then.NONE, ()) == matching.matches(keys(("person", "bda")), CONTACT, [ADA])

    def test_equal_keys_always_match(self) -> None:
        """The function adds to what is equal, and takes nothing away."""
        matching = Matching([MatchRule("contact", ["email"])], same=never)
        _, found = matching.matches(keys(MAIL), CONTACT, [ADA])
        assert [("C-1", ("email",))] == ids(found)

    def test_keys_of_two_sorts(self) -> None:
        """A key is never compared with one of another sort."""
        matching = Matching([MatchRule("contact", ["email", "phone", "person"])], same=alike)
        by_mail_alone = Contact(id="C-2", emails=[Channel("ada@example.com")])
        for ours in (("company", "ada"), ("person", "ada lovelace"), ("phone", "ada")):
            found = matching.matches(keys(ours), CONTACT, [by_mail_alone])
            assert (Then.NONE, ()) == found

    @pytest.mark.parametrize("wrong", ["alike", 5, Plain()])
    def test_no_function(self, wrong: object) -> None:
        """What is no function is refused at once."""
        loose: Callable[..., object] = Matching
        with pytest.raises(TypeError):
            loose([], same=wrong)


class TestMisuse:
    @pytest.mark.parametrize("by", ["email", [5], [["email", 5]], 5])
    def test_what_is_no_list_of_keys(self, by: object) -> None:
        """One text where a list of keys belongs, and what is no text, are refused."""
        loose: Callable[..., object] = MatchRule
        with pytest.raises(TypeError):
            loose("contact", by)

    def test_what_is_no_kind(self) -> None:
        """A kind is named by its id."""
        loose: Callable[..., object] = MatchRule
        with pytest.raises(TypeError):
            loose(CONTACT, ["email"])

    def test_what_are_no_exceptions(self) -> None:
        """A bare list of exceptions does not say of what."""
        loose: Callable[..., object] = Matching
        with pytest.raises(TypeError):
            loose([], exceptions=["noreply@example.com"])

    def test_what_is_no_matching(self) -> None:
        """Rules take a Matching, not the rules in it."""
        loose: Callable[..., ConversionRules] = rules
        with pytest.raises(TypeError):
            loose([MatchRule("contact", ["email"])])


class TestMistakes:
    def test_a_consequence_that_is_none(self) -> None:
        """A slip in what follows is told with what was meant."""
        assert [
            "match rule: there is no consequence 'merg', did you mean 'merge'? (correct the name)"
        ] == told(lambda: MatchRule("contact", ["email"], "merg"))
        assert [
            "match rule: there is no consequence 'x' (choose among none, link, merge, ask, refuse)"
        ] == told(lambda: MatchRule("contact", ["email"], "x"))

    def test_all_at_once(self) -> None:
        """Every mistake of every rule is told, in the order of the rules."""
        matching = Matching(
            [
                MatchRule("contcat", ["email"]),
                MatchRule("lead", ["email"]),
                MatchRule("contact", ["e-mail", ["phone", "persons"], "vat"]),
                MatchRule("contact", []),
                MatchRule("company", ["email", []]),
                MatchRule("deal", ["email"]),
            ]
        )
        assert [
            "match rule for contcat: there is no kind 'contcat', did you mean 'contact'?",
            "match rule for lead: there is no kind 'lead'",
            "match rule for contact: there is no key 'e-mail', did you mean 'email'?",
            "match rule for contact: there is no key 'persons', did you mean 'person'?",
            "match rule for contact: there is no key 'vat'",
            "match rule for contact: a match rule cannot be: it names no keys (correct it)",
            "match rule for company: a match rule cannot be: it names no keys (correct it)",
            "match rule for deal: there is no key 'email'",
        ] == [one.removesuffix(" (correct the name)") for one in told(lambda: rules(matching))]

    def test_keys_that_no_lead_has(self) -> None:
        """A rule by what a lead does not have could never match."""
        company = attrs.evolve(
            COMPANY,
            custom=[Field("VAT", "text"), Field("TAX", "text")],
            keys={"company": ["name"], "vat": ["VAT"], "tax": ["TAX"]},
        )
        matching = Matching([MatchRule("company", ["email", ["vat", "company"], "tax"])])
        [found] = told(lambda: rules(matching, kinds=(company,), pipelines=(LEADS,)))
        assert (
            "match rule for company: a match rule cannot be: the lead's kind has no key"
            " 'tax', 'vat' (correct it)"
        ) == found
        lead = attrs.evolve(
            LEAD,
            custom=[Field("VAT", "text"), Field("TAX", "text")],
            keys={"vat": ["VAT"], "tax": ["TAX"], "company": ["company_name"]},
        )
        made = rules(matching, lead=lead, kinds=(company,), pipelines=(LEADS,))
        assert matching == made.matching

    def test_a_lead_without_phones(self) -> None:
        """The keys a kind has follow from the types of its fields."""
        thing = Kind("thing", fields=[Field("line", "phone"), BACK])
        matching = Matching([MatchRule("thing", ["phone"]), MatchRule("thing", ["email"])])
        assert ["match rule for thing: there is no key 'email' (correct the name)"] == told(
            lambda: rules(matching, kinds=(thing,), pipelines=(LEADS,))
        )

    def test_a_normalizer_that_is_no_value(self) -> None:
        """A normalizer is a frozen value, since rules are compared, kept and sent."""
        assert ["matching: Loose is no attrs class (decorate it with @attrs.frozen)"] == told(
            lambda: rules(Matching(normalizer=Loose()))
        )
        assert ["matching: Changing is not frozen (decorate it with @attrs.frozen)"] == told(
            lambda: rules(Matching(normalizer=Changing()))
        )

    def test_a_function_without_a_name(self) -> None:
        """A lambda cannot be told from another, and rules with it not be pickled."""
        assert [
            "matching: function 'same' is a lambda or a local function (define it in a module)"
        ] == told(lambda: rules(Matching(same=lambda one, other: one == other)))

    def test_a_kind_that_names_no_field(self) -> None:
        """A key out of fields that do not exist is a mistake of the kind."""
        assert [
            "kind thing: there is no field 'nmae', did you mean 'name'? (correct the name)"
        ] == told(lambda: Kind("thing", fields=[Field("name", "text"), BACK], keys={"x": ["nmae"]}))


FULL = Matching(
    [
        MatchRule("contact", ["email", ["phone", "person"]], "link"),
        MatchRule("company", ["company"]),
    ],
    enrich=True,
    exceptions=Exceptions(emails=["noreply@example.com"], phones=["030 000001"]),
    normalizer=Numbered(),
    same=alike,
)


class TestPlainValues:
    def test_survive(self) -> None:
        """Rules with matching survive pickle and copy, digest and all."""
        made = rules(FULL)
        for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):  # noqa: S301 - our own
            assert made == again
            assert made.digest == again.digest
        assert 1 == len({FULL, pickle.loads(pickle.dumps(FULL))})  # noqa: S301 - our own

    @pytest.mark.parametrize(
        "other",
        [
            attrs.evolve(FULL, enrich=False),
            attrs.evolve(FULL, rules=FULL.rules[:1]),
            attrs.evolve(FULL, rules=FULL.rules[::-1]),
            attrs.evolve(FULL, exceptions=Exceptions()),
            attrs.evolve(FULL, exceptions=Exceptions(emails=["noreply@example.com"])),
            attrs.evolve(FULL, normalizer=Plain()),
            attrs.evolve(FULL, same=never),
            attrs.evolve(FULL, same=None),
        ],
    )
    def test_other_matching_is_another_digest(self, other: Matching) -> None:
        """Whatever decides about matches stands in the digest of the rules."""
        assert rules(FULL).digest != rules(other).digest

    def test_the_same_matching_is_one_digest(self) -> None:
        """How the keys of a rule are listed together makes no difference to it."""
        one = Matching([MatchRule("contact", [["phone", "person"]])])
        other = Matching(iter([MatchRule("contact", [{"person", "phone"}])]))
        assert rules(one).digest == rules(other).digest

    def test_the_order_of_keys(self) -> None:
        """Keys sort by sort and value, so that what a store is asked has one order."""
        assert [
            MatchKey("email", "a"),
            MatchKey("email", "b"),
            MatchKey("person", "a"),
        ] == sorted(keys(("person", "a"), ("email", "b"), ("email", "a")))
