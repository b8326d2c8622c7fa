"""Targets: what may be asked for, and what is refused as no list of them."""

from collections.abc import Callable
from datetime import date

import pytest

from leadconvert import (
    Company,
    Create,
    Find,
    Known,
    Link,
    MatchKey,
    Merge,
    Pending,
    Ref,
    Target,
    Wanted,
)
from leadconvert.targets import targets_of


class TestCreate:
    def test_values_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no target."""
        values: dict[str, object] = {"close_date": date(2027, 1, 31), "tags": ["a"]}
        target = Create("deal", values=values, id="D-5")
        values["more"] = 1
        assert {"close_date": date(2027, 1, 31), "tags": ("a",)} == target.values
        assert "D-5" == target.id
        assert 1 == len({target, Create("deal", values=dict(target.values), id="D-5")})

    def test_values_are_in_no_repr(self) -> None:
        """The values of a target may be private and are in no repr."""
        expected = "Create(kind='deal', id=None)"
        assert expected == repr(Create("deal", values={"title": "secret"}))

    @pytest.mark.parametrize(
        ("kind", "more"),
        [
            (5, {}),
            ("deal", {"id": 5}),
            ("deal", {"values": {"tags": {"a", "b"}}}),
            ("deal", {"values": {"x": object()}}),
            ("deal", {"values": {1: "a"}}),
        ],
    )
    def test_bad_input(self, kind: object, more: dict[str, object]) -> None:
        """Kinds and ids are text, and values are plain: no sets, no objects that could change."""
        loose: Callable[..., object] = Create
        with pytest.raises(TypeError):
            loose(kind, **more)


class TestOthers:
    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_records_that_exist(self, cls: type[Link] | type[Merge]) -> None:
        """A record that exists is named by its id, and by the revision it was chosen in."""
        one = cls("contact", "C-3", revision="7")
        assert ("contact", "C-3", "7") == (one.kind, one.id, one.revision)
        assert cls("contact", "C-3").revision is None

    @pytest.mark.parametrize(
        ("cls", "given"),
        [
            (Find, [5]),
            (Link, ["contact"]),
            (Link, ["contact", None]),
            (Link, ["contact", 5]),
            (Merge, ["contact", "C-3", "7"]),
        ],
    )
    def test_bad_input(self, cls: Callable[..., object], given: list[object]) -> None:
        """A kind and an id are text, and a revision is named."""
        with pytest.raises(TypeError):
            cls(*given)

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_a_bad_revision(self, cls: Callable[..., object]) -> None:
        """A revision is text."""
        with pytest.raises(TypeError):
            cls("contact", "C-3", revision=7)

    def test_values_are_in_no_repr(self) -> None:
        """The values of any target may be private and are in no repr."""
        values = {"title": "secret"}
        assert "Find(kind='deal')" == repr(Find("deal", values=values))
        assert "Merge(kind='deal', id='D-5', revision=None)" == repr(
            Merge("deal", "D-5", values=values)
        )

    def test_the_sort_of_target_counts(self) -> None:
        """Two sorts of targets with one kind are two requests."""
        every = {Find("deal"), Create("deal"), Link("deal", "D-5"), Merge("deal", "D-5")}
        assert 4 == len(every)


class TestTargetsOf:
    def test_names_and_targets(self) -> None:
        """A plain name is short for whichever record of that kind the lead belongs to."""
        deal = Create("deal", id="D-5")
        assert (Find("contact"), deal) == targets_of(["contact", deal])
        assert (Find("contact"), Link("company", "CO-9"), Merge("deal", "D-5")) == targets_of(
            [Find("contact"), Link("company", "CO-9"), Merge("deal", "D-5")]
        )
        assert () == targets_of([])

    @pytest.mark.parametrize("into", ["deal", Create("deal"), Find("deal"), Link("deal", "D-5")])
    def test_one_instead_of_a_list(self, into: object) -> None:
        """One name or one target where a list belongs is refused."""
        loose: Callable[..., object] = targets_of
        with pytest.raises(TypeError, match=r"into= is a list .* write \[\.\.\.\] around it"):
            loose(into)

    @pytest.mark.parametrize(
        ("one", "told"), [(5, "an int"), (None, "None"), (Target("deal"), "a Target")]
    )
    def test_something_else_inside(self, one: object, told: str) -> None:
        """What is neither a name nor a target is refused."""
        loose: Callable[..., object] = targets_of
        with pytest.raises(TypeError, match=f"into= holds {told}, which is no kind"):
            loose([one])


class TestKnownAndWanted:
    def test_plain_values(self) -> None:
        """What a store is asked, and what it answers, are plain values."""
        assert Known() == Known(records=[])
        assert (Company(id="CO-9"),) == Known(records=iter([Company(id="CO-9")])).records
        assert () == Wanted().refs
        assert ((), (), ()) == (Wanted().matches, Wanted().related, Known().pending)
        assert Known().eligible_owners is None
        assert frozenset({"u-1"}) == Known(eligible_owners=["u-1", "u-1"]).eligible_owners
        assert frozenset() == Known(eligible_owners=[]).eligible_owners
        later = Pending(Company(id="L-1.1.company.1"), "L-1/0/9f2c")
        assert (later,) == Known(pending=iter([later])).pending
        email = ("contact", MatchKey("email", "ada@example.com"))
        assert 1 == len({Wanted(matches=(email,)), Wanted(matches=(email,))})
        assert 1 == len({Wanted(refs=(Ref("a", "b"),)), Wanted(refs=(Ref("a", "b"),))})

    def test_one_owner_instead_of_a_list(self) -> None:
        """One id where a list of owners belongs is refused, so that no letter is an owner."""
        with pytest.raises(TypeError, match="a list of texts is needed here"):
            Known(eligible_owners="u-1")
