"""A seeded random walk of faults over a simulated shift, with a scan after each: ``python -m tests.chaos``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from beamline.records.catalogue.client import close_catalogue, open_catalogue
from tests.beamline.tiled_process import API_KEY, TiledProcess
from tests.chaos.at_the_end import nothing_is_left, shift_is_whole
from tests.chaos.driven_session import ViolationError
from tests.chaos.ends import ENDS, after_a_scan
from tests.chaos.fault import Fault
from tests.chaos.faults import FAULTS
from tests.chaos.flagged import dwells, nothing_spoilt_counts, numbers_agree
from tests.chaos.leftovers import MARK, environment, threads
from tests.chaos.session_process import DWELLS
from tests.chaos.shift import Shift
from tests.helpers.ioc_process import IocPool

LAST_DWELLS = 6
"""No fault begins in these of a scan."""


def walk(
    seed: int,
    faults: Sequence[Fault],
    folder: Path,
    pool: IocPool,
    notify: Callable[[str], None] = print,
    *,
    embedded: bool = False,
    keep_going: bool = False,
) -> list[str]:
    """Cause the faults one after the other in a shift; returns the history.

    Parameters
    ----------
    seed : int
    faults : sequence of Fault
    folder : Path
        Empty; the shift writes nowhere else.
    pool : IocPool
    notify : callable
        Takes a line for each fault.
    embedded : bool
        Use a catalogue that is embedded in its writer instead of a Tiled server.
    keep_going : bool
        Print a violation after a fault and go on, as long as the session lives.

    Raises
    ------
    ViolationError
        At the first violated invariant, with seed and history.
    """
    notify(f"chaos: seed {seed}, {len(faults)} faults")
    (folder / "temporary").mkdir()
    mark = f"{folder} {time.time_ns()}"
    with ExitStack() as stack:
        stack.enter_context(environment(**{MARK: mark, "TMPDIR": str(folder / "temporary"), "TILED_API_KEY": API_KEY}))
        shift = Shift(folder, pool, None if embedded else tiled_server(folder))
        stack.callback(shift.abandon)
        try:
            before = threads()
            took = go_through(shift, faults, random.Random(seed), notify, keep_going)
            shift_is_whole(shift)
            shift.stop_servers()
            nothing_is_left(shift, before)
        except Exception as error:
            history = "\n".join(shift.history[-60:])
            raise ViolationError(f"seed {seed}: {type(error).__name__}: {error}\nhistory:\n{history}") from error
    notify(f"{len(faults)} faults, {len(shift.events)} events: {took:.1f} s a fault, seed {seed}")
    return shift.history


def tiled_server(folder: Path) -> TiledProcess:
    """A Tiled server with an empty catalogue, running."""
    close_catalogue(open_catalogue(folder / "empty"))
    return TiledProcess(folder / "server", folder / "empty").start()


def go_through(
    shift: Shift, faults: Sequence[Fault], rng: random.Random, notify: Callable[[str], None], keep_going: bool
) -> float:
    """Cause the faults, then close the session; returns the mean time of a fault, s."""
    shift.begin()
    shift.scan_well()
    first = time.monotonic()
    for number, fault in enumerate(faults, 1):
        began = time.monotonic()
        try:
            step(shift, fault, rng)
        except ViolationError as violation:
            if not keep_going or shift.running.process.poll() is not None:
                raise
            shift.note(f"VIOLATION, {violation}")
        notify(f"{number:4d} {shift.history[-1]} ({time.monotonic() - began:.1f} s)")
    took = (time.monotonic() - first) / len(faults)
    shift.close()
    return took


def step(shift: Shift, fault: Fault, rng: random.Random) -> None:
    """Run a scan with a fault, and one after it."""
    moment = rng.randrange(1, DWELLS - LAST_DWELLS)
    shift.begin_step()
    shift.begin_scan(moment)
    shift.note(f"{fault.name}, after {moment} dwells")
    fault.cause(shift, rng)
    how = ENDS[fault.session](shift, fault)
    after_a_scan(shift)
    disturbed = list(dwells(shift, shift.runs))
    shift.scan_well()
    nothing_spoilt_counts(shift, fault, disturbed)
    numbers_agree(disturbed, dwells(shift, shift.runs))
    shift.note(f"{fault.name}, after {moment} dwells: {how[:150]}; the next scan succeeds")


def random_faults(seed: int, number: int) -> list[Fault]:
    """So many faults, by rng."""
    rng = random.Random(seed ^ 0xFA17)
    return [rng.choice(FAULTS) for _ in range(number)]
