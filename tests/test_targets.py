"""Targets: what may be asked for, and what is refused as no list of them."""

from collections.abc import Callable
from datetime import date

import pytest

from leadconvert import Company, Create, Known, Ref, Target, Wanted
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


class TestTargetsOf:
    def test_names_and_targets(self) -> None:
        """A plain name is short for a new record of that kind."""
        deal = Create("deal", id="D-5")
        assert (Create("contact"), deal) == targets_of(["contact", deal])
        assert () == targets_of([])

    @pytest.mark.parametrize("into", ["deal", Create("deal")])
    def test_one_instead_of_a_list(self, into: object) -> None:
        """One name or one target where a list belongs is refused."""
        loose: Callable[..., object] = targets_of
        with pytest.raises(TypeError, match=r"into= is a list .* write \[\.\.\.\] around it"):
            loose(into)

    @pytest.mark.parametrize(
        ("one", "told"), [(5, "int"), (None, "NoneType"), (Target("deal"), "Target")]
    )
    def test_something_else_inside(self, one: object, told: str) -> None:
        """What is neither a name nor a target is refused."""
        loose: Callable[..., object] = targets_of
        with pytest.raises(TypeError, match=f"into= holds a {told}, which is no kind"):
            loose([one])


class TestKnownAndWanted:
    def test_plain_values(self) -> None:
        """What a store is asked, and what it answers, are plain values."""
        assert Known() == Known(records=[])
        assert (Company(id="CO-9"),) == Known(records=iter([Company(id="CO-9")])).records
        assert () == Wanted().refs
        assert 1 == len({Wanted(refs=(Ref("a", "b"),)), Wanted(refs=(Ref("a", "b"),))})
