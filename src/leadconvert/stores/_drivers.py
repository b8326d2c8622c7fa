"""The drivers: load what is wanted, decide, apply, and decide again when somebody was quicker."""

from collections.abc import Iterable
from typing import Unpack

from leadconvert import (
    ConversionResult,
    Lead,
    MoveResult,
    Ref,
    Reversal,
    Target,
)
from leadconvert.stores._asking import (
    Advancing,
    Arriving,
    Converting,
    Reversing,
    advancing,
    arriving,
    converting,
    reversing,
)
from leadconvert.stores._port import AsyncStore, Store
from leadconvert.stores._steps import run, run_async


__all__ = [
    "advance_stored",
    "advance_stored_async",
    "arrive_stored",
    "arrive_stored_async",
    "convert_stored",
    "convert_stored_async",
    "reverse_stored",
    "reverse_stored_async",
]


def convert_stored(
    store: Store, lead_id: str, into: Iterable[str | Target], **asked: Unpack[Converting]
) -> ConversionResult:
    """Convert a stored lead: load it and what is wanted, decide, apply, return what is stored.

    The other arguments are those of `convert`, but for *known*, which the store answers. If what it
    was decided on has changed meanwhile, or is gone, it is decided again on fresh data, five times
    in all unless *attempts* says otherwise.
    The same *key* again returns the first result, as the records stand now. *eligible_owners* are
    those who may own something now.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with the conversion.
        leadconvert.errors.StoreError: the store cannot do it; nothing is written, unless it is an
            `UnavailableError`.
        TypeError: the signature is misused, or the store is one to be awaited.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, seed
        >>> from leadconvert.stores import MemoryStore, convert_stored
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> store, at = MemoryStore(rules), datetime(2027, 1, 31, tzinfo=UTC)
        >>> receipt = store.apply(seed([Lead(id="L-7", stage="NEW", title="Engine")], rules=rules))
        >>> convert_stored(store, "L-7", ["deal"], rules=rules, actor=boss, at=at).lead.stage
        'CONVERTED'
    """
    return run(converting(store, lead_id, into, asked), store)


async def convert_stored_async(
    store: AsyncStore, lead_id: str, into: Iterable[str | Target], **asked: Unpack[Converting]
) -> ConversionResult:
    """Convert a stored lead, as `convert_stored` does, with a store that is awaited.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with the conversion.
        leadconvert.errors.StoreError: the store cannot do it.
    """
    return await run_async(converting(store, lead_id, into, asked), store)


def advance_stored(
    store: Store,
    record: Ref | str,
    to: str,
    into: Iterable[str | Target] = (),
    **asked: Unpack[Advancing],
) -> MoveResult:
    """Move a stored record to another stage; of a lead the id alone will do.

    The other arguments are those of `advance`, but for *known*, which the store answers. If what it
    was decided on has changed meanwhile, or is gone, it is decided again on fresh data, five times
    in all unless *attempts* says otherwise.
    The same *key* again returns the first result, as the records stand now. *eligible_owners* are
    those who may own something now.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with the move.
        leadconvert.errors.StoreError: the store cannot do it; nothing is written, unless it is an
            `UnavailableError`.
        TypeError: the signature is misused, or the store is one to be awaited.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, seed
        >>> from leadconvert.stores import MemoryStore, advance_stored
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> store, at = MemoryStore(rules), datetime(2027, 1, 31, tzinfo=UTC)
        >>> receipt = store.apply(seed([Lead(id="L-7", stage="NEW", title="Engine")], rules=rules))
        >>> advance_stored(store, "L-7", "JUNK", rules=rules, actor=boss, at=at).lead.stage
        'JUNK'
    """
    return run(advancing(store, record, to, into, asked), store)


async def advance_stored_async(
    store: AsyncStore,
    record: Ref | str,
    to: str,
    into: Iterable[str | Target] = (),
    **asked: Unpack[Advancing],
) -> MoveResult:
    """Move a stored record, as `advance_stored` does, with a store that is awaited.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with the move.
        leadconvert.errors.StoreError: the store cannot do it.
    """
    return await run_async(advancing(store, record, to, into, asked), store)


def arrive_stored(store: Store, lead: Lead, **asked: Unpack[Arriving]) -> MoveResult:
    """Store a lead that arrives, with all that the rules make of it at once.

    The other arguments are those of `arrive`, but for *known*, which the store answers. If what it
    was decided on has changed meanwhile, or is gone, it is decided again on fresh data, five times
    in all unless *attempts* says otherwise.
    The same *key* again returns the first result, as the records stand now. *eligible_owners* are
    those who may own something now.

    Raises:
        leadconvert.errors.StoreError: the store cannot do it; nothing is written, unless it is an
            `UnavailableError`.
        TypeError: the signature is misused, or the store is one to be awaited.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, seed
        >>> from leadconvert.stores import MemoryStore, arrive_stored
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> store, at = MemoryStore(rules), datetime(2027, 1, 31, tzinfo=UTC)
        >>> lead = Lead(id="L-7", stage="NEW", title="Engine")
        >>> arrive_stored(store, lead, rules=rules, at=at).lead.revision
        '1'
    """
    return run(arriving(store, lead, asked), store)


async def arrive_stored_async(
    store: AsyncStore, lead: Lead, **asked: Unpack[Arriving]
) -> MoveResult:
    """Store a lead that arrives, as `arrive_stored` does, with a store that is awaited.

    Raises:
        leadconvert.errors.StoreError: the store cannot do it.
    """
    return await run_async(arriving(store, lead, asked), store)


def reverse_stored(store: Store, lead_id: str, **asked: Unpack[Reversing]) -> Reversal:
    """Take back the newest conversion of a stored lead, or reopen it with ``keep=True``.

    The other arguments are those of `reverse`, but for *known*, which the store answers. If what it
    was decided on has changed meanwhile, or is gone, it is decided again on fresh data, five times
    in all unless *attempts* says otherwise.

    The same *key* again takes nothing back, and tells what was, as the records stand now: the lead;
    in `restored` what was given back what it held; and of the conversion, if it is named, or the
    only one that was ever taken back so, which of its targets are `removed` or `released`. What was
    `kept`, and what became of children, nobody remembers.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with taking it back.
        leadconvert.errors.StoreError: the store cannot do it; nothing is written, unless it is an
            `UnavailableError`.
        TypeError: the signature is misused, or the store is one to be awaited.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, seed
        >>> from leadconvert.stores import MemoryStore, convert_stored, reverse_stored
        >>> rules, boss = presets.bitrix24(), Actor("u-1", roles=["admin"])
        >>> store, at = MemoryStore(rules), datetime(2027, 1, 31, tzinfo=UTC)
        >>> receipt = store.apply(seed([Lead(id="L-7", stage="NEW", title="Engine")], rules=rules))
        >>> made = convert_stored(store, "L-7", ["deal"], rules=rules, actor=boss, at=at)
        >>> reverse_stored(store, "L-7", rules=rules, actor=boss, at=at).lead.stage
        'NEW'
    """
    return run(reversing(store, lead_id, asked), store)


async def reverse_stored_async(
    store: AsyncStore, lead_id: str, **asked: Unpack[Reversing]
) -> Reversal:
    """Take back the newest conversion, as `reverse_stored` does, with a store that is awaited.

    Raises:
        leadconvert.errors.ConversionError: something is wrong with taking it back.
        leadconvert.errors.StoreError: the store cannot do it.
    """
    return await run_async(reversing(store, lead_id, asked), store)
