"""Runs a plan and ends it from another thread as soon as the RunEngine has come to a chosen message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from bluesky import Msg, RunEngine
from bluesky.run_engine import TransitionError
from bluesky.utils import MsgGenerator, RunEngineInterrupted


def interrupted_run(
    engine: RunEngine, plan: MsgGenerator[str], chosen: Callable[[int, Msg], bool], end: str = "abort"
) -> tuple[int, bool]:
    """How many messages there were, and whether the plan was interrupted.

    Parameters
    ----------
    engine : RunEngine
    plan : generator of messages
    chosen : callable
        Takes number and message; the first for which it says so is where the plan is ended.
    end : str
        ``abort`` or ``stop``.
    """
    count = 0
    threads: list[threading.Thread] = []

    def ask() -> None:
        with suppress(TransitionError):  # the scan was over before the pause
            getattr(engine, end)()

    def hook(msg: Msg) -> None:
        nonlocal count
        if not threads and chosen(count, msg):
            threads.append(threading.Thread(target=ask))
            threads[0].start()
            time.sleep(0.005)  # so that it reaches the engine at this message, not some messages later
        count += 1

    engine.msg_hook = hook
    interrupted = False
    try:
        engine(plan)
    except RunEngineInterrupted:
        interrupted = True
    for thread in threads:
        thread.join(30)
    assert engine.state == "idle"
    return count, interrupted
