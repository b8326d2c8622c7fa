"""Mappings: where a value goes, what becomes of it on the way, and mappings that say nothing."""

from collections.abc import Callable

import pytest

from leadconvert import Channel, FieldMapping, errors
from leadconvert.mapping import TransformError
from leadconvert.transforms import TRANSFORMS


def fail(value: object) -> object:
    """A transform that raises."""
    raise KeyError(value)


def to_set(value: object) -> object:
    """A transform that gives what no record can hold."""
    return {value}


class TestFieldMapping:
    def test_the_same_name_unless_given(self) -> None:
        """A mapping goes to the field of the same name unless it says another."""
        assert "title" == FieldMapping("title", "deal").target
        assert "name" == FieldMapping("title", "company", "name").target

    @pytest.mark.parametrize(
        ("mapping", "told", "sources"),
        [
            (FieldMapping("title", "deal"), "title → deal.title", ("title",)),
            (
                FieldMapping("a", "deal", "b", fallbacks=["c", "d"], transform="upper"),
                "a or c or d → deal.b by upper",
                ("a", "c", "d"),
            ),
            (FieldMapping.fixed("deal", "type", "SALE"), "constant → deal.type", ()),
            (FieldMapping.leave("created_at"), "created_at → nothing", ("created_at",)),
        ],
    )
    def test_tells_itself(self, mapping: FieldMapping, told: str, sources: tuple[str, ...]) -> None:
        """A mapping says from where to where, and knows its sources in order."""
        assert told == str(mapping)
        assert sources == mapping.sources

    def test_to_nothing(self) -> None:
        """A mapping to nothing leaves its source behind on purpose."""
        assert FieldMapping.leave("a").leaves_behind
        assert not FieldMapping("a", "deal").leaves_behind
        assert FieldMapping.leave("a").target is None

    def test_values_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no mapping."""
        values: dict[str, object] = {"WEB": ["a"]}
        constant = ["a"]
        mapping = FieldMapping("source", "deal", values=values)
        fixed = FieldMapping.fixed("deal", "tags", constant)
        values["CALL"] = "b"
        constant.append("b")
        assert {"WEB": ("a",)} == mapping.values
        assert ("a",) == fixed.constant
        assert hash(mapping) == hash(FieldMapping("source", "deal", values={"WEB": ["a"]}))

    def test_one_text_as_fallbacks(self) -> None:
        """One text where fallbacks belong is refused."""
        loose: Callable[..., object] = FieldMapping
        with pytest.raises(TypeError, match="not one text"):
            loose("a", "deal", fallbacks="title")

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (
                lambda: FieldMapping(None, "deal", "name"),
                (
                    "mapping constant → deal.name: a mapping has neither a source nor a constant"
                    " (correct it)"
                ),
            ),
            (
                lambda: FieldMapping.fixed("deal", "type", " "),
                (
                    "mapping constant → deal.type: a mapping has neither a source nor a constant"
                    " (correct it)"
                ),
            ),
            (
                lambda: FieldMapping("a", "deal", constant=0),
                "mapping a → deal.a: a mapping has a source and a constant as well (correct it)",
            ),
            (
                lambda: FieldMapping(None, "deal", constant=5),
                (
                    "mapping constant → deal.None: a mapping has a kind but no field of it"
                    " (correct it)"
                ),
            ),
            (
                lambda: FieldMapping("a", None, transform="upper"),
                (
                    "mapping a → nothing by upper: a mapping has no kind, yet something to do there"
                    " (correct it)"
                ),
            ),
            (
                lambda: FieldMapping(None, None, constant=5),
                (
                    "mapping constant → nothing: a mapping has no kind, yet something to do there"
                    " (correct it)"
                ),
            ),
        ],
    )
    def test_incomplete_mappings(self, make: Callable[[], FieldMapping], expected: str) -> None:
        """A mapping that is incomplete, or says two things at once, is refused."""
        with pytest.raises(errors.DefinitionError) as caught:
            make()
        assert [expected] == [str(problem) for problem in caught.value.problems]

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of a mapping is told."""
        with pytest.raises(errors.DefinitionError) as caught:
            FieldMapping(None, None, "title", values={"a": "b"})
        assert [
            "a mapping has neither a source nor a constant",
            "a mapping has no kind, yet something to do there",
        ] == [problem.message for problem in caught.value.problems]


class TestTurned:
    @pytest.mark.parametrize(
        ("transform", "value", "expected"),
        [
            (None, " Web ", " Web "),
            (None, 0, 0),
            ("upper", "web", "WEB"),
            ("lower", "WEB", "web"),
            ("strip", " web ", "web"),
            ("first", ("a", "b"), "a"),
            ("first", "a", "a"),
            ("join", ("a", "b"), "a, b"),
            ("join", (Channel("+44"), 5), "+44, 5"),
            ("join", "a", "a"),
        ],
    )
    def test_transforms(self, transform: str | None, value: object, expected: object) -> None:
        """A value goes through the transform named."""
        mapping = FieldMapping("a", "deal", transform=transform)
        assert expected == mapping.turned(value, TRANSFORMS)

    def test_value_maps(self) -> None:
        """A value map comes after the transform, item by item; what it does not list stays."""
        mapping = FieldMapping("a", "deal", values={"WEB": "site", "CALL": 5}, transform="first")
        plain = FieldMapping("a", "deal", values={"WEB": "site", "CALL": 5})
        assert "site" == mapping.turned(("WEB", "CALL"), TRANSFORMS)
        assert ("site", 5, "OTHER", 7) == plain.turned(("WEB", "CALL", "OTHER", 7), TRANSFORMS)
        assert Channel("WEB") == plain.turned(Channel("WEB"), TRANSFORMS)

    @pytest.mark.parametrize(("transform", "error"), [(fail, "KeyError"), (to_set, "TypeError")])
    def test_transforms_that_fail(self, transform: Callable[[object], object], error: str) -> None:
        """A transform that raises, or gives what no record can hold, is told by name alone."""
        mapping = FieldMapping("a", "deal", transform="own")
        with pytest.raises(TransformError) as caught:
            mapping.turned("secret", {"own": transform})
        assert f"transform own raised {error}" == str(caught.value)
        assert ("own", error) == (caught.value.transform, caught.value.error)
        assert error == type(caught.value.__cause__).__name__

    def test_first_of_nothing(self) -> None:
        """An empty list never reaches a transform; asked for its first, it is a failure."""
        with pytest.raises(TransformError, match="IndexError"):
            FieldMapping("a", "deal", transform="first").turned((), TRANSFORMS)
