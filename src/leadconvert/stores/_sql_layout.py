"""What the tables are called: told once, when they are made, and kept in the database."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from leadconvert import ConversionRules
from leadconvert.errors import SchemaVersionError
from leadconvert.stores._sql_places import Place, places_of


__all__ = ["VERSION", "KindLayout", "Layout", "from_data", "laid_out", "to_data"]

#: What this library makes and knows.
VERSION: Final = 1
#: Names longer than this are cut, so that what follows them has room in PostgreSQL.
_LENGTH: Final = 40
#: The tables that are not of a kind; these names are taken.
_TAKEN: Final = (
    "lc_schema",
    "lc_links",
    "lc_claims",
    "lc_receipts",
    "lc_traces",
    "lc_outbox",
)


@attrs.frozen
class KindLayout:
    """The table of one kind, and by field how it stands there and the name of its column."""

    table: str
    fields: Mapping[str, tuple[str, str]]


Layout = Mapping[str, KindLayout]


def laid_out(rules: ConversionRules, there: Layout) -> dict[str, KindLayout]:
    """Return a layout for the kinds of *rules*: what is *there* stays, what is missing is added.

    Raises:
        leadconvert.errors.SchemaVersionError: a field stands there in another form.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.stores._sql_layout import laid_out
        >>> laid_out(presets.bitrix24(), {})["deal"].fields["title"]
        ('text', 'title')
    """
    found = dict(there)
    for kind in rules.every_kind:
        places = {place.field: place for place in places_of(kind)}
        old = there.get(kind.id) or KindLayout(_table(kind.id, found.values()), {})
        _check(kind.id, places, old)
        found[kind.id] = attrs.evolve(old, fields=dict(_fields(places, old.fields)))
    return found


def _check(kind: str, places: Mapping[str, Place], old: KindLayout) -> None:
    for name, (form, _) in old.fields.items():
        if name in places and places[name].form.value != form:
            now = places[name].form.value
            raise SchemaVersionError(f"{kind}.{name} was made as {form}, and is {now} in the rules")


def _fields(
    places: Mapping[str, Place], old: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, tuple[str, str]]]:
    yield from old.items()
    taken = {"id", "revision", "extra"}
    for form, column in old.values():
        taken |= {column, f"{column}_offset"} if form == "moment" else {column}
    for name, place in places.items():
        if name not in old:
            column = _free(_plain(name), place.widths, taken)
            taken |= {column + width for width in place.widths}
            yield name, (place.form.value, column)


def _table(kind: str, there: Iterable[KindLayout]) -> str:
    return _free(f"lc_{_plain(kind)}", ("",), {*_TAKEN, *(one.table for one in there)})


def _plain(name: str) -> str:
    """Return *name* as it needs no quotes: databases do not agree on the size of letters."""
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")[:_LENGTH] or "x"


def _free(name: str, widths: Iterable[str], taken: set[str]) -> str:
    found, number = name, 1
    while not taken.isdisjoint(found + width for width in widths):
        number += 1
        found = f"{name}_{number}"
    return found


def to_data(layout: Layout) -> dict[str, object]:
    """Return *layout* as JSON data."""
    return {
        kind: {"table": one.table, "fields": {name: [*at] for name, at in one.fields.items()}}
        for kind, one in layout.items()
    }


def from_data(data: object) -> dict[str, KindLayout]:
    """Return the layout that `to_data` wrote.

    Raises:
        leadconvert.errors.SchemaVersionError: it is none.
    """
    try:
        return {
            kind: KindLayout(
                str(one["table"]),
                {name: (str(form), str(column)) for name, (form, column) in one["fields"].items()},
            )
            # what has no such items is refused below
            for kind, one in data.items()  # type: ignore[attr-defined]
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SchemaVersionError("what the tables are called cannot be read") from None
