"""What a driver refuses before anything is loaded: a call that is misspelt, or no store."""

from collections.abc import Mapping
from typing import Final

from leadconvert import ConversionRules
from leadconvert.given import expect, named
from leadconvert.problems import did_you_mean


__all__ = ["check_call", "check_id"]

#: What a driver uses of a store.
_USED: Final = ("owns_transaction", "load", "apply")


def check_call(
    store: object, asked: Mapping[str, object], known: frozenset[str], required: frozenset[str]
) -> None:
    """Check what a driver was given by name, and the store.

    A signature that only a type checker sees would take a misspelt name, and do as if it was not
    there.

    Raises:
        TypeError: something is missing, is not known, or of another class.
        ValueError: it is to be decided less than once.
    """
    for name in sorted(asked.keys() - known):
        if name == "known":
            raise TypeError("known= is what the store answers: leave it out")
        hint = "".join(f", did you mean {one}=?" for one in did_you_mean(name, known).values())
        raise TypeError(f"there is no argument {name}={hint}")
    if missing := [f"{name}=" for name in sorted(required - asked.keys())]:
        raise TypeError(f"give {' and '.join(missing)} as well")
    expect(("rules", asked["rules"], ConversionRules))
    if not isinstance(key := asked.get("key"), str | None):
        raise TypeError(f"key is a text or None, not {named(type(key))}")
    attempts = asked.get("attempts", 1)
    expect(("attempts", attempts, int))
    if isinstance(attempts, int) and attempts < 1:
        raise ValueError("attempts= is how often it is decided in all: at least once")
    if isinstance(store, type):
        raise TypeError(f"a store is needed here, not its class: make a {store.__name__} first")
    if not all(hasattr(store, name) for name in _USED):
        what = type(store).__name__
        raise TypeError(f"a store is needed here, such as MemoryStore or SqlStore, not a {what}")


def check_id(id: object) -> None:  # noqa: A002 - it is one
    """Check that a lead is named by its id.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(id, str):
        hint = ": write .id behind it" if hasattr(id, "id") else ""
        raise TypeError(f"a lead is named by its id, a text, not {named(type(id))}{hint}")
