"""Text for people: what cannot be used, said in a sentence, and no control over their terminal."""

import unicodedata


__all__ = ["UnusableError", "visible"]

#: Joiners are part of how some scripts are spelled; every other mark of format is told by its code.
_JOINERS = "\u200c\u200d"
#: Control characters, marks of format (bidi overrides among them), surrogates, separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class UnusableError(Exception):
    """What the command was given, or is to write to, cannot be used; the sentence says why."""


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
