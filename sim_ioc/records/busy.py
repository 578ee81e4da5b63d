"""The busy record: a put of 1 with completion completes when the work has ended and the value is 0 again.

Semantics follow the documentation of the synApps busy module: the client writes 1, the work writes 0, and only then
does the record finish processing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sim_ioc.records.channels import EnumChannel
from sim_ioc.records.fields import states


class BusyRecord:
    """A busy record and the pending puts.

    Parameters
    ----------
    start, stop
        Called when a client starts or aborts the work. The work calls `done`.
    """

    def __init__(
        self, start: Callable[[], None], stop: Callable[[], None], names: tuple[str, str], rtyp: str, meaning: str
    ) -> None:
        self._start = start
        self._stop = stop
        self._names = names
        self._idle = asyncio.Event()
        self._idle.set()
        self.record: EnumChannel = states(names[0], names, rtyp, meaning)
        self.record.writable = True
        self.record.handler = self._put

    @property
    def is_busy(self) -> bool:
        """Whether the work is still running."""
        return not self._idle.is_set()

    async def _put(self, name: str) -> None:
        wanted = name == self._names[1]
        if wanted and not self.is_busy:
            self._idle.clear()
            self._start()
        elif not wanted and self.is_busy:
            # The value is 0 already, as on a real record; the work still has its results to write.
            self._stop()
        await self._idle.wait()

    async def done(self) -> None:
        """Report that the work has ended and all its results are posted."""
        await self.record.post(self._names[0])
        self._idle.set()
