"""The end of a session that nobody typed: signals of the operating system, Ctrl-C on the command line."""

from __future__ import annotations

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
"""Seconds for a plan to clean up after itself, and then for the RunEngine to go without."""
LONGEST_END = 20.0
"""Seconds from the signal after which the process ends whatever it waits for: a disk that hangs may never answer."""
PAUSE = 0.02


class EndRequest(SystemExit):
    """The process has been asked to end: with which exit status, and for which reason in the stop document."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number
        super().__init__(self.status)
        self.reason = "ended with Ctrl-C" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


class OrderlyEnd:
    """While it is entered, a signal that asks the process to end raises `EndRequest` in the main thread, once.

    So `with` blocks and `finally` clauses do what they do at any other end. Further signals change nothing, until the
    process has ended. For the main thread.

    Parameters
    ----------
    *numbers : int
        Signals beside `ENDING`.
    close : callable, optional
        `Session.close`, for a process whose main thread belongs to somebody who would catch the exception: called in
        its place, and the process ends.
    """

    def __init__(self, *numbers: int, close: Callable[..., None] | None = None) -> None:
        self._close = close
        self._numbers = (*ENDING, *numbers)
        self._before: dict[int, Any] = {}
        self.request: EndRequest | None = None
        """What has been asked; None as long as nothing has."""
        self.deadline: threading.Timer | None = None
        """Ends the process if its end takes too long."""

    def __enter__(self) -> OrderlyEnd:
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup wants no end with the terminal
                self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.request is not None:
            return  # the process is about to end, and further signals still change nothing
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self.request is not None:
            return
        self.request = EndRequest(number)
        if number == signal.SIGHUP:
            _leave_the_terminal()
        self.deadline = threading.Timer(LONGEST_END, os._exit, [self.request.status])
        self.deadline.daemon = True
        self.deadline.start()
        if self._close is None:
            raise self.request
        try:
            self._close(self.request.reason, hurry=True)
        finally:
            os._exit(self.request.status)


def _leave_the_terminal() -> None:
    """Say what there is still to say to nobody: printing to a terminal that has gone fails, and would end the end."""
    nobody = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nobody, descriptor)
    os.close(nobody)


def end_plan(engine: RunEngine, why: str) -> bool:
    """Abort a plan that runs or is paused and wait until it has cleaned up; where that takes too long, halt it.

    Parameters
    ----------
    engine : bluesky.RunEngine
    why : str
        For the stop document.

    Returns
    -------
    bool
        Whether the RunEngine is idle; its thread may hang in a write.
    """
    for end, seconds in ((partial(engine.abort, why), CLEAN_UP), (engine.halt, HALT)):
        if engine.state in ("idle", "panicked"):
            break
        threading.Thread(target=_quietly, args=(end,), name="end of the plan", daemon=True).start()
        deadline = time.monotonic() + seconds
        while engine.state != "idle" and time.monotonic() < deadline:
            time.sleep(PAUSE)
    return bool(engine.state == "idle")


def _quietly(end: Callable[[], object]) -> None:
    """What the plan raised at its end is nobody's any more; the RunEngine has logged it."""
    try:
        end()
    except Exception:  # it may have ended by itself in between
        logger.debug("the plan ended otherwise", exc_info=True)
