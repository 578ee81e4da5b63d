"""The status of something that ends at once."""

from __future__ import annotations

from collections.abc import Callable


class Done:
    """A status that has succeeded when it is made.

    An ophyd status has a thread of its own, which a value kept in this process does not need.
    """

    done = True
    success = True

    def add_callback(self, callback: Callable[[Done], None]) -> None:
        """Call back at once."""
        callback(self)

    def wait(self, timeout: float | None = None) -> None:
        """Return at once."""

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        """None: nothing failed."""
        return None
