"""A seeded random walk of faults over a simulated shift, with a scan after each: ``python -m tests.chaos``."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.driven_session import ViolationError
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.invariants import after_a_good_scan, after_a_scan, at_the_end, nothing_spoilt_counts
from tests.chaos.shift import Shift
from tests.helpers.ioc_process import IocPool

DWELLS = 36
"""Number of dwells of the repeated scan."""


def walk(
    seed: int, faults: Sequence[Fault], root: Path, pool: IocPool, notify: Callable[[str], None] = print
) -> list[str]:
    """Cause the faults one after the other in a shift; returns the history.

    Raises
    ------
    ViolationError
        At the first violated invariant, with seed and history.
    """
    notify(f"chaos: seed {seed}, {len(faults)} faults")
    rng = random.Random(seed)
    shift = Shift(root, pool)
    try:
        shift.begin()
        shift.begin_scan(0)
        after_a_good_scan(shift, shift.end_scan())
        for number, fault in enumerate(faults, 1):
            began = time.monotonic()
            step(shift, fault, rng)
            notify(f"{number:4d} {shift.history[-1]} ({time.monotonic() - began:.1f} s)")
        shift.close()
        at_the_end(shift)
    except Exception as error:
        history = "\n".join(shift.history[-60:])
        raise ViolationError(f"seed {seed}: {type(error).__name__}: {error}\nhistory:\n{history}") from error
    finally:
        shift.abandon()
    return shift.history


def step(shift: Shift, fault: Fault, rng: random.Random) -> None:
    """Run a scan with a fault, and one after it."""
    moment = rng.randrange(1, DWELLS - 12)
    shift.spoilt = None
    shift.begin_scan(moment)
    shift.note(f"{fault.name}, after {moment} dwells")
    fault.cause(shift, rng)
    if fault.kills:
        messages = shift.lost_session()
        if not any("closed as interrupted" in sentence for sentence in messages):
            raise ViolationError(f"the run that was cut off is not reported at the next start: {messages}")
        if shift.get_shutter():
            shift.put("7idd:Laser:Shutter", 0)  # after a crash this is left to the user
        how = "session lost"
    else:
        ended = shift.end_scan()
        how = "session died" if ended is None else f"{ended['status']} {ended['error']}".strip()
        if ended is None or (ended["status"] != "success" and not fault.may_fail):
            raise ViolationError(f"the scan with the fault ended unexpectedly: {how}")
    after_a_scan(shift)
    if fault.spoils:
        nothing_spoilt_counts(shift)
    shift.begin_scan(0)
    after_a_good_scan(shift, shift.end_scan())
    shift.note(f"{fault.name}, after {moment} dwells: {how[:150]}; the next scan succeeds")


def random_faults(seed: int, number: int) -> list[Fault]:
    """So many faults, by rng."""
    rng = random.Random(seed ^ 0xFA17)
    return [rng.choice(FAULTS) for _ in range(number)]
