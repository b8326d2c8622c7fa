# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""Names that are nearly the same count as the same: a function for ``Matching(same=...)``.

It is built on rapidfuzz. E-mails, phones and whatever else is no name must be equal.
"""

from typing import Final

from rapidfuzz.distance import OSA

from leadconvert import MatchKey


__all__ = ["alike"]

#: The sorts of keys that are names, which people misspell.
_NAMES: Final = frozenset({"person", "company"})
#: One letter in so many may be wrong, missing, too many, or changed places with the next.
_LETTERS_PER_SLIP: Final = 8


def alike(one: MatchKey, other: MatchKey) -> bool:
    """Tell whether two keys of one sort stand for the same, whatever the order of their words.

    Names of fewer than eight letters must be equal, and so must all numbers in longer ones.
    """
    if one.type != other.type or one.type not in _NAMES:
        return one == other
    ours, theirs = sorted(one.value.split()), sorted(other.value.split())
    if _numbers(ours) != _numbers(theirs):
        return False
    return _nearly(one.value, other.value) or _nearly(" ".join(ours), " ".join(theirs))


def _nearly(one: str, other: str) -> bool:
    slips = min(len(one), len(other)) // _LETTERS_PER_SLIP
    return OSA.distance(one, other, score_cutoff=slips) <= slips


def _numbers(words: list[str]) -> list[str]:
    return [word for word in words if any(one.isdigit() for one in word)]
