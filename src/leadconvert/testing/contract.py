"""`StoreContract`: what every store promises, as tests that an adapter is put to."""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import ClassVar, Final
from unittest import SkipTest

from leadconvert.testing._contract_applying import Applying
from leadconvert.testing._contract_batching import Bulk, OneByOne
from leadconvert.testing._contract_bench import Opened, Subject
from leadconvert.testing._contract_binding import Binding
from leadconvert.testing._contract_claiming import Claiming
from leadconvert.testing._contract_driving import Driven
from leadconvert.testing._contract_keeping import Keeping
from leadconvert.testing._contract_loading import Loading
from leadconvert.testing._contract_machine import Modelled
from leadconvert.testing._contract_racing import Racing, RacingRevised
from leadconvert.testing._contract_removing import Removing
from leadconvert.testing._contract_repeating import Repeating
from leadconvert.testing._contract_revising import Revised, Unrevised
from leadconvert.testing._contract_snapshot import Alone, Shared
from leadconvert.testing._contract_whole import Atomic, Resumable


__all__ = ["Opened", "StoreContract"]

#: Which tests there are only where something is declared, or only where it is not.
_ONLY: Final[Mapping[type[Subject], tuple[str, bool]]] = {
    Atomic: ("transactions", True),
    Resumable: ("transactions", False),
    Revised: ("revisions", True),
    RacingRevised: ("revisions", True),
    Unrevised: ("revisions", False),
    Shared: ("shared", True),
    Alone: ("shared", False),
    Bulk: ("bulk", True),
    OneByOne: ("bulk", False),
}

_Test = Callable[[Subject], None]


class StoreContract(
    Loading,
    Shared,
    Alone,
    Keeping,
    Applying,
    Removing,
    Repeating,
    Atomic,
    Resumable,
    Revised,
    Unrevised,
    Binding,
    Claiming,
    RacingRevised,
    Racing,
    Bulk,
    OneByOne,
    Driven,
    Modelled,
):
    """The tests that any store must pass, for pytest as it is, for unittest beside a TestCase.

    An adapter's author fills `open_store`, which opens a store for `rules`, new and empty each
    time, and yields it as `Opened`. A storage that cannot write a change set all or nothing says
    ``transactions = False``; one that does not notice an update that comes too late says
    ``revisions = False``; one that nobody else can use at the same time says ``shared = False``. A
    store with `apply_many` says ``bulk = True``. Each brings other tests in place of some.

    No test can be replaced. One that is known to fail is named in *known_failures* with the reason:
    it is skipped with that reason for as long as it fails, and fails once it would pass.

    Raises:
        TypeError: a subclass redefines a test, names a failure of none, or gives no reason for it.

    Example:
        >>> from collections.abc import Iterator
        >>> from contextlib import contextmanager
        >>> from leadconvert.stores import MemoryStore
        >>> from leadconvert.testing import Opened, StoreContract
        >>> class TestMemoryStore(StoreContract):
        ...     bulk = True
        ...     @contextmanager
        ...     def open_store(self) -> Iterator[Opened]:
        ...         store = MemoryStore(self.rules)
        ...         yield Opened(store, lambda: store.records, lambda: store.events, other=store)
        >>> TestMemoryStore().test_again_changes_nothing()
    """

    #: Tests that are known to fail, each with the reason.
    known_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        tests = dict(_tests())
        for one in cls.__mro__:
            # a subclass that stands in between was looked at when it was made
            if one is not cls and issubclass(one, Subject):
                continue
            if replaced := sorted(tests.keys() & vars(one).keys()):
                raise TypeError(
                    f"{one.__name__} replaces {', '.join(replaced)}: a test of the contract stays;"
                    " name it in known_failures, with the reason"
                )
        for name, reason in cls.known_failures.items():
            if name not in tests or not reason.strip():
                raise TypeError(f"known_failures: {name!r} is no test, or has no reason")
        for name, (group, test) in tests.items():
            capability, declared = _ONLY.get(group, (None, True))
            if capability is not None and getattr(cls, capability) is not declared:
                setattr(cls, name, None)  # no runner takes it for a test
            elif name in cls.known_failures:
                setattr(cls, name, _known(test, cls.known_failures[name]))
            else:
                setattr(cls, name, test)


def _tests() -> Iterator[tuple[str, tuple[type[Subject], _Test]]]:
    """Yield every test by its name, with the group it belongs to."""
    for group in StoreContract.__mro__:
        for name, test in vars(group).items():
            if name.startswith("test_"):
                yield name, (group, test)


def _known(test: _Test, reason: str) -> _Test:
    """Return *test* as one that is known to fail."""

    @wraps(test)
    def known(self: Subject) -> None:
        try:
            test(self)
        except Exception as failure:
            raise SkipTest(f"known to fail: {reason}") from failure
        raise AssertionError(f"{test.__name__} passes by now: take it off known_failures")

    return known
