"""Orderly shutdown on signals of the operating system, and on Ctrl-C on the command line."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluesky import RunEngine

logger = logging.getLogger(__name__)

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals by which the operating system, a service manager or a closed terminal ends a program."""
CLEAN_UP, HALT = 4.0, 1.0
"""Seconds for a plan to clean up after an abort, and then for the RunEngine to halt."""
LONGEST_END = 20.0
"""Seconds from the signal until the process exits unconditionally: a disk may hang for ever."""
PAUSE = 0.02


class EndRequest(SystemExit):
    """Request to end the process, with its exit status and the reason for the stop document."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number
        super().__init__(self.status)
        self.reason = "ended with Ctrl-C" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


class OrderlyEnd:
    """Context in which the first terminating signal raises `EndRequest` in the main thread.

    So `with` blocks and `finally` clauses run as at any other exit. Further signals are ignored until the process has
    ended. To be entered in the main thread.

    Parameters
    ----------
    *numbers : int
        Signals in addition to `ENDING`.

    Attributes
    ----------
    close : callable or None
        `Session.close`, for a process whose main thread runs foreign code that would catch the exception: it is called
        instead, and the process exits.
    """

    def __init__(self, *numbers: int) -> None:
        self.close: Callable[..., None] | None = None
        self._numbers = (*ENDING, *numbers)
        self._before: dict[int, Any] = {}
        self.request: EndRequest | None = None
        """The request; None before the first signal."""
        self.deadline: threading.Timer | None = None
        """Terminates the process if its shutdown takes too long."""

    def __enter__(self) -> OrderlyEnd:
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: survives its terminal
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.request is not None:
            return  # the process is about to exit; signals stay ignored
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.request is not None:
            return
        self.request = EndRequest(number)
        if number == signal.SIGHUP:
            _detach_terminal()
        self.deadline = threading.Timer(LONGEST_END, os._exit, [self.request.status])
        self.deadline.daemon = True
        self.deadline.start()
        if self.close is None:
            raise self.request
        try:
            self.close(self.request.reason, hurry=True)
        finally:
            os._exit(self.request.status)


def _detach_terminal() -> None:
    """Redirect the standard streams to the null device: printing to a closed terminal would fail the shutdown."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def end_plan(engine: RunEngine, why: str) -> bool:
    """Abort a running or paused plan and wait for its clean-up; halt it if that takes too long.

    Parameters
    ----------
    engine : bluesky.RunEngine
    why : str
        Reason in the stop document.

    Returns
    -------
    bool
        Whether the RunEngine is idle; if not, its thread hangs, for example in a write.
    """
    silent = engine.state == "paused"  # nothing else prints then
    for end, seconds in ((partial(engine.abort, why), CLEAN_UP), (engine.halt, HALT)):
        if engine.state in ("idle", "panicked"):
            break
        threading.Thread(target=_quietly, args=(end, silent), name="end of the plan", daemon=True).start()
        deadline = time.monotonic() + seconds
        while engine.state != "idle" and time.monotonic() < deadline:
            time.sleep(PAUSE)
    return bool(engine.state == "idle")


def _quietly(end: Callable[[], object], silent: bool) -> None:
    """Ignore errors of the plan's clean-up, which the RunEngine has logged; `silent` drops what it prints."""
    try:
        with contextlib.redirect_stdout(io.StringIO()) if silent else contextlib.nullcontext():
            end()
    except Exception:  # the plan may have ended meanwhile
        logger.debug("the plan ended otherwise", exc_info=True)
