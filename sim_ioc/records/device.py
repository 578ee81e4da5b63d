"""Base class of the simulated devices."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class SimDevice:
    """A device: its records by name (without prefix) and the tasks it runs.

    Attributes
    ----------
    records : dict[str, Any]
        Records by PV name, without the prefix of the server.
    """

    def __init__(self) -> None:
        self.records: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Background work, for as long as the server runs."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task and keep a reference until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{type(self).__name__} failed", "exception": error, "task": task}
            )
