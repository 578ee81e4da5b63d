"""Processes that are killed, frozen, or asked to end."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

from tests.chaos.driven_session import stop_for
from tests.chaos.shift import END_TIMEOUT, START_TIMEOUT, Shift
from tests.chaos.violation import ViolationError

KILLING = (signal.SIGKILL, signal.SIGTERM)


def kill_session(shift: Shift, rng: random.Random) -> None:
    shift.running.kill()


def ask_session_to_end(shift: Shift, rng: random.Random) -> None:
    """The first of several signals counts."""
    for _ in range(rng.choice([1, 1, 3])):
        shift.running.signal(rng.choice([signal.SIGTERM, signal.SIGHUP]))
        time.sleep(rng.uniform(0.0, 0.1))


def freeze_session(shift: Shift, rng: random.Random) -> None:
    stop_for(shift.running.process.pid, rng.uniform(0.2, 5.0))


def ctrl_c(shift: Shift, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 2, 3, 10])):
        shift.running.signal(signal.SIGINT)
        time.sleep(0.15)


def kill_ioc(shift: Shift, rng: random.Random) -> None:
    shift.restart_ioc(rng.choice(KILLING), rng.uniform(0.0, 2.0))


def freeze_ioc(shift: Shift, rng: random.Random) -> None:
    stop_for(shift.ioc.process.pid, rng.uniform(0.2, 3.0))


def kill_catalogue(shift: Shift, rng: random.Random) -> None:
    """Kill the server of the catalogue, or without one the process that has it open."""
    if shift.server is None:
        return kill_writer(shift, rng)
    shift.server.kill()
    time.sleep(rng.uniform(0.0, 2.0))
    shift.server.start(wait=False)


def freeze_catalogue(shift: Shift, rng: random.Random) -> None:
    if shift.server is None:
        return freeze_writer(shift, rng)
    shift.server.signal(signal.SIGSTOP)
    time.sleep(rng.uniform(0.2, 5.0))
    shift.server.signal(signal.SIGCONT)


def kill_writer(shift: Shift, rng: random.Random) -> None:
    """The session must start another, also after the scan. On SIGTERM a writer would first store what is left."""
    writers = shift.writers()
    for pid in writers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT
    while not shift.writers() or set(shift.writers()) & set(writers):
        if time.monotonic() > deadline:
            raise ViolationError("no catalogue writer runs after the first was killed")
        time.sleep(0.05)


def freeze_writer(shift: Shift, rng: random.Random) -> None:
    for pid in shift.writers():
        stop_for(pid, rng.uniform(0.2, 3.0))


def kill_figure(shift: Shift, rng: random.Random) -> None:
    figure = shift.figure()
    time.sleep(rng.uniform(0.0, 3.0))
    figure.kill()
    figure.wait()


def freeze_figure(shift: Shift, rng: random.Random) -> None:
    """A figure that was frozen goes on, draws once more when it is asked to end, and ends."""
    figure = shift.figure()
    deadline = time.monotonic() + START_TIMEOUT
    while not shift.png.exists():
        if time.monotonic() > deadline:
            raise ViolationError("the live figure is not drawn")
        time.sleep(0.05)
    stop_for(figure.pid, rng.uniform(0.2, 2.0))
    shift.png.unlink()
    figure.terminate()
    if figure.wait(END_TIMEOUT) != 0 or not shift.png.exists():
        raise ViolationError(f"a figure that was frozen ended with status {figure.returncode}")
