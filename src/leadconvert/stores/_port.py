"""The port: what any storage must do, two methods wide."""

from collections.abc import Iterable
from typing import Protocol

from leadconvert import ChangeSet, Known, Receipt, Wanted
from leadconvert.errors import StoreError


__all__ = ["AsyncStore", "BulkStore", "Store"]


class Store(Protocol):
    """What a storage must do to be used with this library; everything enters it through `apply`.

    A record is written by the fields of its kind, with refs where it refers to others. The store
    gives each record an opaque *revision*, another one whenever it is updated, and may give it an
    id of its own.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.stores import MemoryStore, Store
        >>> store: Store = MemoryStore(presets.bitrix24())
    """

    @property
    def owns_transaction(self) -> bool:
        """Whether `apply` begins and ends its own transaction.

        If not, it works under a savepoint inside the transaction of its caller, who alone can read
        afresh: then a conflict, or a record that is gone, is raised at once, and never decided
        again.
        """
        ...

    def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, in one snapshot: what is not there is left out.

        That is the records of `refs` and, of one that was merged away, the survivor, told in
        `merged`; whoever of a kind holds a key in `matches`; whoever refers to a record in
        `related`; the `traces`; and the receipt of the change set with that `key`.

        Raises:
            leadconvert.errors.UnavailableError: the storage does not answer.
            leadconvert.errors.UnfitValueError: a kind is asked for that it was not made for.
        """
        ...

    def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes* with their claims, events and traces, all or nothing.

        A key that was applied before changes nothing: the first receipt comes back, `replayed`.
        What another change set makes, as `after` says, is referred to by its provisional ref.

        Raises:
            leadconvert.errors.ConflictError: a revision is no longer current; a record to insert is
                there; a key is claimed that others hold than were seen; a record to delete has
                others attached to it than were seen; what `after` names is not applied yet.
            leadconvert.errors.RecordNotFoundError: a record to update, delete or add to is gone.
            leadconvert.errors.IdempotencyError: another request was made under the same key.
            leadconvert.errors.UnfitValueError: a kind or a value that it cannot hold.
            leadconvert.errors.UnavailableError: nobody knows whether it was written: apply the same
                value again.
        """
        ...


class BulkStore(Store, Protocol):
    """A store that applies many change sets faster than one by one.

    Example:
        >>> from leadconvert import presets
        >>> from leadconvert.stores import BulkStore, MemoryStore
        >>> store: BulkStore = MemoryStore(presets.bitrix24())
    """

    def apply_many(self, sets: Iterable[ChangeSet], /) -> tuple[Receipt | StoreError, ...]:
        """Apply each of *sets*, and return for each, in order, its receipt or why it was refused.

        A later one may refer to what an earlier one inserts. What is refused stops nothing but
        those that come after it.

        Raises:
            leadconvert.errors.UnavailableError: nobody knows what was written: apply the same
                values again.
        """
        ...


class AsyncStore(Protocol):
    """A `Store` whose methods are awaited.

    Example:
        >>> from leadconvert.stores import AsyncStore
        >>> def use(store: AsyncStore) -> bool:
        ...     return store.owns_transaction
    """

    @property
    def owns_transaction(self) -> bool:
        """As that of `Store`."""
        ...

    async def load(self, wanted: Wanted, /) -> Known:
        """Return what is *wanted*, as `Store.load` does."""
        ...

    async def apply(self, changes: ChangeSet, /) -> Receipt:
        """Write *changes*, as `Store.apply` does."""
        ...
