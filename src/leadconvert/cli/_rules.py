"""Rules that a command is given: a file, or the name of a preset; and what depends on them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leadconvert import Actor, ConversionRules, config, presets
from leadconvert.cli._text import UnusableError, listed
from leadconvert.errors import DefinitionError


__all__ = ["MOMENT", "PRESETS", "RULES", "actor_of", "kinds_of", "moment_of", "rules_of"]

#: Every preset by its name, as the rules it gives.
PRESETS: Final[Mapping[str, Callable[[], ConversionRules]]] = {
    name: getattr(presets, name) for name in presets.__all__ if name.islower()
}
#: What may stand where rules are asked for.
RULES: Final = f"a TOML or JSON file, or a preset: {listed(PRESETS)}"
MOMENT: Final = "2027-01-31T12:00:00+01:00"
_ADMIN: Final = "admin"
_FORMATS: Final = (".toml", ".json")


def rules_of(name: str) -> ConversionRules:
    """Return the rules that *name* stands for.

    Raises:
        UnusableError: there is no such file, or it holds no rules: every mistake in it.
    """
    if name in PRESETS:
        return PRESETS[name]()
    if Path(name).suffix not in _FORMATS:
        raise UnusableError(f"{name}: is neither a preset ({listed(PRESETS)}) nor a .toml or .json")
    try:
        return config.load(name)
    except DefinitionError as error:
        raise UnusableError(*map(str, error.problems)) from None
    except (ImportError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnusableError(f"{name}: cannot be read ({reason})") from None


def kinds_of(text: str | None, rules: ConversionRules) -> list[str]:
    """Return the kinds that *text* lists, every kind of the rules unless given.

    Raises:
        UnusableError: the rules have no such kind.
    """
    known = [kind.id for kind in rules.kinds]
    names = known if text is None else [name.strip() for name in text.split(",")]
    if strange := [name for name in names if name not in known]:
        raise UnusableError(
            f"--into: there is no kind {strange[0]!r}, choose among {listed(known)}"
        )
    return names


def actor_of(role: str | None, rules: ConversionRules) -> Actor:
    """Return who runs the command: in *role*, or as the administrator if the rules have one.

    Raises:
        UnusableError: the rules have no such role, or it has to be said which.
    """
    known = [one.id for one in rules.policy.roles]
    if role is None and _ADMIN not in known:
        if rules.policy.unrestricted:
            return Actor("cli")
        raise UnusableError(
            f"--role: the rules have no role {_ADMIN!r}, choose among {listed(known)}"
        )
    name = role or _ADMIN
    if name not in known:
        raise UnusableError(f"--role: there is no role {name!r}, choose among {listed(known)}")
    return Actor("cli", roles=[name])


def moment_of(text: str | None) -> datetime:
    """Return the moment that *text* tells, now unless given.

    Raises:
        UnusableError: it is none, or says no time zone.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UnusableError(f"--at: {text!r} is no moment, write it as in {MOMENT}") from None
    if moment.utcoffset() is None:
        raise UnusableError(f"--at: {text!r} says no time zone, add Z or an offset as in {MOMENT}")
    return moment
