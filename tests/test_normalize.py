"""The standard normalizer: what the numbering plans and the rules of e-mail say, beside `Plain`.

No number here is anybody's: they come from the ranges kept for examples, or are made up.
"""

import copy
import pickle
import socket
from collections.abc import Callable

import attrs
import pytest

from leadconvert import (
    Channel,
    Contact,
    ConversionRules,
    Matching,
    MatchKey,
    MatchRule,
    Pipeline,
    Plain,
    Policy,
    Stage,
    Then,
    errors,
)
from leadconvert.kinds import CONTACT
from leadconvert.normalize import Standard


class TestPhones:
    @pytest.mark.parametrize(
        ("written", "in_germany", "without_region", "plain"),
        [
            # the same number, however it is written
            ("+49 30 123456", "+4930123456", "+4930123456", "+4930123456"),
            ("+49 (30) 12 34 56", "+4930123456", "+4930123456", "+4930123456"),
            ("+49 (0) 30 123456", "+4930123456", "+4930123456", "+49030123456"),
            ("tel:+49-30-123456", "+4930123456", "+4930123456", "+4930123456"),
            ("\u202a+49 30 123456\u202c", "+4930123456", "+4930123456", "+4930123456"),
            ("0049 30 123456", "+4930123456", None, "+4930123456"),
            ("030 123456", "+4930123456", None, "030123456"),
            ("(030) 12 34 56", "+4930123456", None, "030123456"),
            ("030/123456", "+4930123456", None, "030123456"),
            ("٠٣٠ ١٢٣٤٥٦", "+4930123456", None, "030123456"),
            # an extension belongs to no number
            ("+49 30 123456 ext. 7", "+4930123456", "+4930123456", "+4930123456"),
            ("+49 30 123456 x7", "+4930123456", "+4930123456", "+4930123456"),
            ("+49 30 123456;ext=7", "+4930123456", "+4930123456", "+4930123456"),
            ("030 123456 ext. 7", "+4930123456", None, "030123456"),
            # a number of elsewhere
            ("+44 20 7946 0958", "+442079460958", "+442079460958", "+442079460958"),
            ("0044 20 7946 0958", "+442079460958", None, "+442079460958"),
            ("+39 06 1234567", "+39061234567", "+39061234567", "+39061234567"),
            ("+1 212 555 0100", "+12125550100", "+12125550100", "+12125550100"),
            # possible by its length, though nobody has it
            ("+1 200 000 0000", "+12000000000", "+12000000000", "+12000000000"),
            # no country, too short or too long, no area code
            ("+999 123456", None, None, "+999123456"),
            ("+49 30 1", None, None, "+49301"),
            ("+1 234 567 890 123 456 78", None, None, "+123456789012345678"),
            ("+1 555 0100", None, None, "+15550100"),
            # nothing
            ("", None, None, None),
            ("+49", None, None, None),
            ("12", None, None, None),
            ("n/a", None, None, None),
            ("00000000", None, None, None),
            ("+49 0000000", None, None, "+490000000"),
            ("1111111", None, None, None),
        ],
    )
    def test_beside_plain(
        self, written: str, in_germany: str | None, without_region: str | None, plain: str | None
    ) -> None:
        """One number has one form, told with a region, without one, and without numbering plans."""
        assert (in_germany, without_region, plain) == (
            Standard("DE").phone(written),
            Standard().phone(written),
            Plain().phone(written),
        )

    @pytest.mark.parametrize(
        ("written", "region", "normal"),
        [
            ("020 7946 0958", "GB", "+442079460958"),
            ("020 7946 0958", "US", None),
            ("(212) 555-0100", "US", "+12125550100"),
            ("011 49 30 123456", "US", "+4930123456"),
            ("555 0100", "US", None),
            ("1-800-FLOWERS", "US", "+18003569377"),
            ("06 1234567", "IT", "+39061234567"),
            ("4002", "NU", "+6834002"),
        ],
    )
    def test_regions(self, written: str, region: str, normal: str | None) -> None:
        """What is no international number belongs where the region says, and is none elsewhere."""
        assert normal == Standard(region).phone(written)

    def test_an_international_number_in_any_region(self) -> None:
        """A number with its country is the same from everywhere."""
        found = {Standard(one).phone("+49 30 123456") for one in ("DE", "GB", "US", "JP", None)}
        assert {"+4930123456"} == found

    @pytest.mark.parametrize(
        ("region", "told"),
        [
            ("de", "normalizer: there is no region 'de' (correct the name)"),
            ("", "normalizer: there is no region '' (correct the name)"),
            ("XX", "normalizer: there is no region 'XX'"),
            ("Germany", "normalizer: there is no region 'Germany'"),
        ],
    )
    def test_no_region(self, region: str, told: str) -> None:
        """A region that is none is refused at once: by it no number would ever match."""
        with pytest.raises(errors.DefinitionError) as caught:
            Standard(region)
        assert str(caught.value).startswith(told)


class TestEmails:
    @pytest.mark.parametrize(
        ("written", "standard", "plain"),
        [
            ("ada@example.com", "ada@example.com", "ada@example.com"),
            (" ADA@Example.COM\n", "ada@example.com", "ada@example.com"),
            ("\u200bada@example.com", "ada@example.com", "ada@example.com"),
            ("ada+crm@example.com", "ada+crm@example.com", "ada+crm@example.com"),
            # an internationalised domain, as people write it and as machines do
            ("ada@münchen.de", "ada@münchen.de", "ada@münchen.de"),
            ("ADA@MÜNCHEN.DE", "ada@münchen.de", "ada@münchen.de"),
            ("ada@mu\u0308nchen.de", "ada@münchen.de", "ada@münchen.de"),
            ("ada@xn--mnchen-3ya.de", "ada@münchen.de", "ada@xn--mnchen-3ya.de"),
            ("ada@XN--MNCHEN-3YA.DE", "ada@münchen.de", "ada@xn--mnchen-3ya.de"),
            ("ada@例え.jp", "ada@例え.jp", "ada@例え.jp"),
            ("ada@xn--r8jz45g.jp", "ada@例え.jp", "ada@xn--r8jz45g.jp"),
            # two domains, not one
            ("ada@faß.de", "ada@faß.de", "ada@faß.de"),
            ("ada@fass.de", "ada@fass.de", "ada@fass.de"),
            # an internationalised name
            ("JÖRG@example.com", "jörg@example.com", "jörg@example.com"),
            ("ольга@пример.рф", "ольга@пример.рф", "ольга@пример.рф"),
            # what could be one, but is none
            ("ada@localhost", None, "ada@localhost"),
            ("ada@example.invalid", None, "ada@example.invalid"),
            ("ada..lovelace@example.com", None, "ada..lovelace@example.com"),
            (".ada@example.com", None, ".ada@example.com"),
            ("ada@ex_ample.com", None, "ada@ex_ample.com"),
            ("ada@-example.com", None, "ada@-example.com"),
            ("ada@example.com.", None, "ada@example.com."),
            ("ada@[127.0.0.1]", None, "ada@[127.0.0.1]"),
            # nothing
            ("", None, None),
            ("ada", None, None),
            ("ada@lovelace@example.com", None, None),
            ("Ada Lovelace <ada@example.com>", None, None),
            ('"ada lovelace"@example.com', None, None),
        ],
    )
    def test_beside_plain(self, written: str, standard: str | None, plain: str | None) -> None:
        """What Plain takes for an address is one only if the rules of e-mail allow it."""
        assert (standard, plain) == (Standard("DE").email(written), Plain().email(written))

    def test_nothing_is_looked_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whether a domain or a number exists is asked of nobody."""

        def asked(*_: object, **__: object) -> None:
            raise AssertionError

        for name in ("getaddrinfo", "gethostbyname", "create_connection", "socket"):
            monkeypatch.setattr(socket, name, asked)
        expected = "ada@no-such-domain-anywhere.example.com"
        assert expected == Standard().email(expected.upper())
        assert "+4930123456" == Standard("DE").phone("030 123456")


class TestNames:
    @pytest.mark.parametrize(
        "name", ["D'Arc", "José  Müller-Lüdenscheidt", " - ", "", "山田 太郎", "सीता", "❤\ufe0f"]
    )
    def test_as_plain(self, name: str) -> None:
        """Names have one form, whichever of the two normalizers says it."""
        assert Plain().name(name) == Standard("DE").name(name)


LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])


def rules(region: str | None) -> ConversionRules:
    """Rules that match by the numbering plan of a region."""
    return ConversionRules(
        kinds=[CONTACT],
        pipelines=[LEADS],
        policy=Policy.allow_all(),
        matching=Matching([MatchRule("contact", ["email", "phone"])], normalizer=Standard(region)),
    )


class TestInRules:
    def test_matches_what_is_written_in_another_form(self) -> None:
        """A number at home and the same from abroad are one, and so are two forms of a domain."""
        matching = rules("DE").matching
        one = Contact(
            id="C-1", phones=[Channel("030 123456")], emails=[Channel("ada@xn--mnchen-3ya.de")]
        )
        by_phone = frozenset({MatchKey("phone", "+4930123456")})
        by_mail = frozenset({MatchKey("email", "ada@münchen.de")})
        assert by_phone | by_mail == matching.keys(CONTACT, one)
        for keys, sort in ((by_phone, "phone"), (by_mail, "email")):
            then, [match] = matching.matches(keys, CONTACT, [one])
            assert (Then.MERGE, "C-1", (sort,)) == (then, match.record.id, match.by)

    def test_plain_values(self) -> None:
        """Rules with it are plain values, and the region stands in their digest."""
        made = rules("DE")
        for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):  # noqa: S301 - our own
            assert (made, made.digest) == (again, again.digest)
        assert 4 == len({rules(one).digest for one in ("DE", "GB", None)} | {without().digest})

    def test_a_region_that_is_no_text(self) -> None:
        """A region is a text."""
        loose: Callable[..., object] = Standard
        with pytest.raises(TypeError):
            loose(49)


def without() -> ConversionRules:
    """The same rules without numbering plans."""
    made = rules(None)
    return attrs.evolve(made, matching=attrs.evolve(made.matching, normalizer=Plain()))
