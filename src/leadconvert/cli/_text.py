"""Text for people: what cannot be used, said in a sentence, and no control over their terminal."""

import sys
import unicodedata
from collections.abc import Iterable
from io import TextIOWrapper


__all__ = ["UnusableError", "complain", "listed", "ready", "visible"]

#: Joiners are part of how some scripts are spelled; every other mark of format is told by its code.
_JOINERS = "\u200c\u200d"
#: Control characters, marks of format (bidi overrides among them), surrogates, separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: More lines than this nobody reads.
_MOST = 100


class UnusableError(Exception):
    """What is given, or is to be written to, cannot be used; each argument says why in a line."""


def complain(sentences: Iterable[str]) -> None:
    """Say on stderr what is wrong, each sentence in a line of its own."""
    every = list(sentences)
    for sentence in every[:_MOST]:
        sys.stderr.write(f"leadconvert: {visible(sentence)}\n")
    if len(every) > _MOST:
        sys.stderr.write(f"leadconvert: and {len(every) - _MOST} more\n")


def ready() -> None:
    """Let stdout spell what its encoding has no letters for, rather than stop at it."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them."""
    return ", ".join(names)


def visible(text: str) -> str:
    r"""Return *text* with whatever could move a cursor or turn the direction told by its code.

    Example:
        >>> from leadconvert.cli._text import visible
        >>> print(visible("red\x1b[31m, \u202eleft"))
        red\x1b[31m, \u202eleft
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
