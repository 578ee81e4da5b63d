"""bluesky-queueserver's manager, which executes no code from clients, and a worker that shuts down in order."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from bluesky_queueserver.manager import start_manager
from bluesky_queueserver.manager.manager import RunEngineManager
from bluesky_queueserver.manager.worker import RunEngineWorker

END_OF_WORKER = 25.0
"""Seconds for a worker to close its session."""
LOCKED = "The queue of this beamline runs plans alone: functions, scripts and permissions are locked"


class LockedManager(RunEngineManager):  # type: ignore[misc]
    """A manager that refuses scripts, functions and changes of permissions from every client."""

    async def _locked(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"success": False, "msg": LOCKED, "item": None, "task_uid": None}

    _script_upload_handler = _function_execute_handler = _locked
    _permissions_set_handler = _permissions_reload_handler = _locked


class OrderlyWorker(RunEngineWorker):  # type: ignore[misc]
    """A worker that closes its session: shuts the laser shutter, ends the run, releases the lock."""

    def _worker_shutdown_code(self) -> None:
        session = (self._re_namespace or {}).get("session")
        if session is not None:
            session.close("the queue's environment was closed", hurry=True)
        super()._worker_shutdown_code()

    def kill(self) -> None:
        """Send SIGTERM to the worker; kill it if it does not exit in time."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)
            self.join(END_OF_WORKER)
        super().kill()


def main() -> None:
    """Run `start-re-manager` with these classes; SIGHUP (a closed terminal) acts as SIGTERM."""
    signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    start_manager.WatchdogProcess = partial(
        start_manager.WatchdogProcess, cls_run_engine_manager=LockedManager, cls_run_engine_worker=OrderlyWorker
    )
    start_manager.start_manager()


if __name__ == "__main__":
    main()
