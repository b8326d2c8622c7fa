"""Converts leads in a store: each is stored if it is not there yet, and converted once."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from leadconvert import (
    Actor,
    ConversionRules,
    Converted,
    Lead,
    Ref,
    Rejected,
    Wanted,
    seed,
)
from leadconvert.cli._outcomes import Before, Outcome, Unstored
from leadconvert.cli._text import UnusableError
from leadconvert.errors import (
    ConflictError,
    ConversionError,
    LeadConvertError,
    RecordNotFoundError,
    UnfitValueError,
)
from leadconvert.stores import SqlStore, Store, convert_stored


__all__ = ["stored"]


def stored(  # noqa: PLR0913, PLR0917 - what a conversion depends on
    url: str,
    leads: Iterable[Lead],
    into: Sequence[str],
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
) -> Iterator[Outcome]:
    """Yield what came of each lead in the database at *url*.

    Raises:
        UnusableError: the database cannot be used.
    """
    try:
        with SqlStore.from_url(url, rules=rules) as store:
            for lead in leads:
                yield _one(store, lead, into, rules, actor, at)
    except (ImportError, LeadConvertError, ValueError) as error:
        raise UnusableError(f"--store: {error}") from None


def _one(  # noqa: PLR0913, PLR0917 - as stored()
    store: Store,
    lead: Lead,
    into: Sequence[str],
    rules: ConversionRules,
    actor: Actor,
    at: datetime,
) -> Outcome:
    # of kinds the order makes no difference
    key = f"leadconvert convert/{lead.id}/{','.join(sorted(into))}"
    try:
        known = store.load(Wanted(refs=(Ref(rules.lead.id, lead.id),), key=key))
        if not known.records:
            store.apply(seed([lead], rules=rules))
        result = convert_stored(store, lead.id, into, rules=rules, actor=actor, at=at, key=key)
    except ConversionError as error:
        return Rejected(lead.id, error)
    except (ConflictError, RecordNotFoundError, UnfitValueError) as error:
        return Unstored(lead.id, error)  # the others are no worse for it
    return Converted(result) if known.receipt is None else Before(result)
