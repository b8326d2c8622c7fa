"""The recipe for names that are nearly the same: what it takes for one, and what it never does."""

import pickle
from datetime import UTC, datetime
from typing import Final

import attrs
import pytest
from docs.recipes.fuzzy import alike
from hypothesis import given
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Converted,
    Known,
    Lead,
    Matching,
    MatchKey,
    MatchRule,
    convert,
    convert_batch,
    errors,
    presets,
)


AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
BOSS: Final = Actor("u-1", roles=["admin"])
LEAD: Final = Lead(id="L-7", stage="NEW", first_name="Grace", last_name="Hopper")

NAMES: Final = st.text(alphabet="abc 12", max_size=30)
KEYS: Final = st.builds(MatchKey, st.sampled_from(["person", "company", "email", "phone"]), NAMES)


def fuzzy(*rules: MatchRule) -> ConversionRules:
    """Rules of the preset that match by these, names alike."""
    return attrs.evolve(presets.bitrix24(), matching=Matching(rules, same=alike))


class TestAlike:
    @pytest.mark.parametrize(
        ("expected", "one", "other"),
        [
            (True, "grace hopper", "grace hopper"),
            (True, "grace hopper", "hopper grace"),
            (True, "grace hopper", "grace hoper"),  # missing
            (True, "grace hopper", "grace hoppper"),  # too many
            (True, "grace hopper", "grace hopped"),  # wrong
            (True, "grace hopper", "garce hopper"),  # changed places
            (True, "grace hopper", "irace hopper"),  # and where it changes the order of the words
            (False, "grace hopper", "grase hoper"),  # two slips in twelve letters
            (True, "analytical engines", "analitical engnes"),  # two in eighteen
            (False, "analytic engine", "analitic engines"),  # two: the shorter has but fifteen
            (False, "grace hopper", "hopper"),  # a part is not the whole
            (False, "grace hopper", "grace hopper gmbh"),
            (False, "jo lee", "jo leo"),  # too short to guess
            (True, "jo lee", "lee jo"),
            (False, "studio 54 berlin", "studio 55 berlin"),  # a number is no misspelling
            (False, "studio 54 berlin", "studio berlin"),
            (True, "studio 54 berlin", "studio 54 berlni"),
            (True, "søren kirkegård", "søren kirkegard"),
            (False, "", "x"),
            (True, "", ""),
        ],
    )
    def test_names(self, expected: bool, one: str, other: str) -> None:
        """A slip in eight letters is forgiven, in either direction, and nothing else."""
        for sort in ("person", "company"):
            assert expected is alike(MatchKey(sort, one), MatchKey(sort, other))
            assert expected is alike(MatchKey(sort, other), MatchKey(sort, one))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (MatchKey("email", "grace@example.com"), MatchKey("email", "grcae@example.com")),
            (MatchKey("phone", "+4930123456"), MatchKey("phone", "+4930123465")),
            (MatchKey("cluster", "analytical-17"), MatchKey("cluster", "analytical-71")),
            (MatchKey("person", "grace hopper"), MatchKey("company", "grace hopper")),
        ],
    )
    def test_what_is_no_name(self, one: MatchKey, other: MatchKey) -> None:
        """What is no name is equal or another, and sorts never mix."""
        assert alike(one, one)
        assert not alike(one, other)
        assert not alike(other, one)

    @given(KEYS, KEYS)
    def test_it_has_no_direction(self, one: MatchKey, other: MatchKey) -> None:
        """Every key is like itself, and of two the order makes no difference."""
        assert alike(one, one)
        assert alike(one, other) is alike(other, one)


class TestMatching:
    def test_a_misspelt_name_is_found(self) -> None:
        """A contact whose name is nearly the lead's is the one that is meant."""
        rules = fuzzy(MatchRule("contact", ["person"], "link"))
        there = [
            Contact(id="C-3", first_name="Grace", last_name="Hoper"),
            Contact(id="C-4", first_name="Horace", last_name="Cooper"),
        ]
        known = Known(records=there)
        result = convert(LEAD, ["contact"], rules=rules, actor=BOSS, at=AT, known=known)
        [outcome] = result.outcomes
        assert ("linked", "C-3", ("person",)) == (
            outcome.action,
            outcome.record.id,
            outcome.matched_by,
        )

    def test_other_keys_must_be_equal(self) -> None:
        """With a key beside the name, that key decides as it would without the recipe."""
        rules = fuzzy(MatchRule("contact", [["person", "phone"]], "link"))
        lead = attrs.evolve(LEAD, phones=[Channel("030 123456")])
        near = Contact(id="C-3", first_name="Grace", last_name="Hoper")
        for phone, expected in (("030/12 34 56", "linked"), ("030 123465", "created")):
            known = Known(records=[attrs.evolve(near, phones=[Channel(phone)])])
            result = convert(lead, ["contact"], rules=rules, actor=BOSS, at=AT, known=known)
            assert expected == result.outcomes[0].action

    def test_several_that_are_alike_are_a_question(self) -> None:
        """To be alike is a reason to ask, never to choose one of several."""
        rules = fuzzy(MatchRule("contact", ["person"], "link"))
        there = [
            Contact(id="C-4", first_name="Grace", last_name="Hopper"),
            Contact(id="C-3", first_name="Grace", last_name="Hoper"),
        ]
        with pytest.raises(errors.AmbiguousMatchError, match="'C-3', 'C-4'"):
            convert(LEAD, ["contact"], rules=rules, actor=BOSS, at=AT, known=Known(records=there))

    def test_an_equal_name_counts_as_ever(self) -> None:
        """A name too short to guess at matches where it is equal."""
        rules = fuzzy(MatchRule("company", ["company"]))
        lead = attrs.evolve(LEAD, company_name="Jo & Lee")
        for name, expected in (("JO LEE", "CO-9"), ("Jo Leo", "L-7.1.company.1")):
            known = Known(records=[Company(id="CO-9", name=name)])
            result = convert(lead, ["company"], rules=rules, actor=BOSS, at=AT, known=known)
            assert expected == result.company.id

    def test_twins_that_are_misspelt_share(self) -> None:
        """In a batch a lead with a slip in its name shares the record of the first."""
        rules = fuzzy(MatchRule("contact", ["person"]))
        leads = [LEAD, attrs.evolve(LEAD, id="L-8", last_name="Hoper")]
        batch = convert_batch(leads, ["contact"], rules=rules, actor=BOSS, at=AT)
        assert ["L-7.1.contact.1"] * 2 == [
            one.result.contact.id for one in batch if isinstance(one, Converted)
        ]

    def test_rules_with_it_are_plain_values(self) -> None:
        """A function of a module travels with the rules, and stands in their digest."""
        rules = fuzzy(MatchRule("contact", ["person"]))
        assert rules == pickle.loads(pickle.dumps(rules))  # noqa: S301 - our own bytes
        without = attrs.evolve(rules, matching=attrs.evolve(rules.matching, same=None))
        assert rules.digest != without.digest
