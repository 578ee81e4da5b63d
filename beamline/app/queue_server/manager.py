"""bluesky-queueserver's manager, which executes no code from clients, and a worker that shuts down in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import redis.asyncio
from bluesky_queueserver.manager import start_manager
from bluesky_queueserver.manager.manager import RunEngineManager
from bluesky_queueserver.manager.worker import RunEngineWorker

END_OF_WORKER = 25.0
"""Seconds for a worker to close its session."""
BY_TERMINAL = (signal.SIGINT, signal.SIGHUP)
"""Ctrl-C, and a terminal that is closed: they reach manager and worker as well as the process that ends both."""
SOCKET = "unix/"
"""Beginning of the address of a Redis server with a socket; bluesky-queueserver takes no address with ://."""
LOCKED = "The queue of this beamline runs plans alone: functions, scripts and permissions are locked"


class LockedManager(RunEngineManager):  # type: ignore[misc]
    """A manager that refuses scripts, functions and changes of permissions from every client."""

    async def _locked(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"success": False, "msg": LOCKED, "item": None, "task_uid": None}

    _script_upload_handler = _function_execute_handler = _locked
    _permissions_set_handler = _permissions_reload_handler = _locked

    def run(self) -> None:
        """Run until the process that has started it ends it; the terminal does not."""
        _leave_to_parent()
        super().run()


class OrderlyWorker(RunEngineWorker):  # type: ignore[misc]
    """A worker that closes its session: shuts the laser shutter, ends the run, releases the lock."""

    def run(self) -> None:
        """Run the plans; until the start-up module has its own handlers, SIGTERM alone ends the process."""
        _leave_to_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        super().run()

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
    """Run `start-re-manager` with these classes; Ctrl-C and SIGHUP (a closed terminal) act as SIGTERM, once."""
    for number in BY_TERMINAL:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: survives its terminal
            signal.signal(number, _end)
    redis.asyncio.from_url = partial(_redis, redis.asyncio.from_url)
    start_manager.WatchdogProcess = partial(
        start_manager.WatchdogProcess, cls_run_engine_manager=LockedManager, cls_run_engine_worker=OrderlyWorker
    )
    start_manager.start_manager()


def _redis(connect: Callable[..., Any], url: str, **options: Any) -> Any:
    """Connect to a Redis server, also to one with a socket."""
    return connect(url.replace(f"redis://{SOCKET}", "unix:///", 1), **options)


def _leave_to_parent() -> None:
    """Do nothing at Ctrl-C and SIGHUP; a handler, since what is ignored here stays so when a session starts."""
    for number in BY_TERMINAL:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)


def _end(number: int, frame: FrameType | None) -> None:
    """Pass the signal to the worker, which is the reason of its end, then end as by SIGTERM."""
    for each in BY_TERMINAL:
        signal.signal(each, signal.SIG_IGN)
    for child in multiprocessing.active_children():
        if isinstance(child, OrderlyWorker) and child.pid is not None:
            os.kill(child.pid, number)
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
