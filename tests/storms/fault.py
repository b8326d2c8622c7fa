"""What goes wrong at one statement."""

import os
import signal

import attrs


__all__ = ["Fault"]


@attrs.define
class Fault:
    """The *nth* statement from now goes wrong; without an *nth* the statements are only counted.

    *how* is for the database to understand. Only ``killed`` is not: it ends its own process.
    """

    how: str = "not at all"
    nth: int | None = None
    passed: int = 0

    @property
    def happened(self) -> bool:
        """Whether so many statements came."""
        return self.nth is not None and self.passed >= self.nth

    def met(self) -> str | None:
        """Count a statement, and return how it goes wrong, if it does."""
        self.passed += 1
        if self.passed != self.nth:
            return None
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return self.how
