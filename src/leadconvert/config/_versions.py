"""The versions of the format: which one a file has, and how an older one becomes the present."""

from collections.abc import Callable, Mapping
from typing import Final

from leadconvert.config._paths import told
from leadconvert.errors import DefinitionError
from leadconvert.problems import mistake


__all__ = ["PRESENT", "UPGRADES", "Upgrade", "upgraded"]

#: Turns a whole file of one version into the same of the next; it changes nothing in place.
Upgrade = Callable[[dict[str, object]], dict[str, object]]

PRESENT: Final = 1
#: By the version that each starts from. There has been one version so far, so there are none; a new
#: version adds its step here, and a file of the old one to ``tests/golden``.
UPGRADES: Final[Mapping[int, Upgrade]] = {}


def upgraded(
    data: dict[str, object],
    name: str,
    *,
    present: int = PRESENT,
    upgrades: Mapping[int, Upgrade] = UPGRADES,
) -> dict[str, object]:
    """Return *data* as a file of the *present* version; *name* is that of its file.

    Raises:
        DefinitionError: it does not say its version, or has one that this release does not know.
    """
    where = f"{name}: {told(('schema_version',))}" if name else "schema_version"
    if "schema_version" not in data:
        raise DefinitionError([mistake("no_version", name or "rules", present=present)])
    version = data["schema_version"]
    if type(version) is not int or version < min([present, *upgrades]):
        raise DefinitionError([mistake("bad_version", where, present=present)])
    if version > present:
        facts = {"version": version, "present": present}
        raise DefinitionError([mistake("newer_version", where, **facts)])
    while version < present:
        data = upgrades[version](data)
        version += 1
    return {**data, "schema_version": present}
