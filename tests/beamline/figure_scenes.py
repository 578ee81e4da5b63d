"""Journals at several stages of a measurement, for pictures to be inspected.

``python -m tests.beamline.figure_scenes faults DIR`` writes one; `trxas figure --data DIR` draws it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.beamline.axis_runs import two_passes
from tests.beamline.example_runs import Documents
from tests.beamline.raw_scans import DWELLS, SEGMENTS, Acquisition, acquire, scan_set_of

LONG = "CsPbBr3 nanocrystals in toluene, batch 17b, washed twice, 4.2 mM, new jet nozzle, second bottle $\\frac{"
MACHINE = {"ring_current": 101.9, "laser_lock_error": 0.3, "laser_locked": 1}
FAULTS = ("beam lost", "laser not locked: 12.4 ps", "jet stopped", "no I0", "the X-ray shutter was shut for a top-up")


def nothing(root: Path) -> None:
    """No run yet."""
    root.mkdir(exist_ok=True)


def first_point(root: Path) -> None:
    """Four dwells of the first pass."""
    take(root, with_machine(scan_set_of(1, planned=3)), upto=2 + len(SEGMENTS))


def half_a_pass(root: Path) -> None:
    """The first pass, half way."""
    take(root, with_machine(scan_set_of(1, planned=3)), upto=2 + DWELLS // 2)


def three_passes(root: Path) -> None:
    """A finished scan."""
    acquire(root, with_machine(scan_set_of(3)))


def delay_scan(root: Path) -> None:
    """Two passes over the delay."""
    acquire(root, with_machine(two_passes("laser_delay")))


def fluence_scan(root: Path) -> None:
    """Two passes over the fluence."""
    acquire(root, with_machine(two_passes("laser_fluence")))


def faults(root: Path) -> None:
    """Bad dwells of five kinds, in one pass retaken; a saturated bunch; a pass and points left out; one aborted."""
    passes = with_machine(scan_set_of(4, planned=6, sample=LONG))
    rng = np.random.default_rng(3)
    for documents in passes[:3]:
        for number in rng.choice(np.arange(8, 2 + DWELLS), 9, replace=False):
            data = documents[number][1]["data"]
            data["quality"] = FAULTS[number % len(FAULTS)]
            data["laser_locked"] = int("lock" not in data["quality"])
    full = passes[1][30][1]["data"]
    full["fpga_counts"][7] = full["fpga_gates"][7]
    start = passes[3][0][1]
    stop = {**passes[3][-1][1], "exit_status": "abort", "reason": "somebody needed the beam: " + 12 * "very urgent, "}
    with Acquisition(root) as session:
        session.take(taken_again(passes[0]))
        session.reducer.exclusions.leave_out(passes[0][0][1]["uid"], 3, "outlier", "laser off: +9.1 % (+14 deviations)")
        session.reducer.exclusions.leave_out(passes[0][0][1]["uid"], 4, "by hand", "I hit the table, see the log book")
        session.take(passes[1])
        session.reducer.exclusions.leave_out(passes[1][0][1]["uid"], None, "by hand", "the wrong sample was in the jet")
        session.take(passes[2])
        session.take([("start", start), *passes[3][1:20], ("stop", stop)])


SCENES: dict[str, Callable[[Path], None]] = {
    each.__name__: each for each in (nothing, first_point, half_a_pass, three_passes, delay_scan, fluence_scan, faults)
}


def taken_again(documents: Documents) -> Documents:
    """The same pass with each bad dwell retaken at once."""
    found: Documents = []
    for name, doc in documents:
        found.append((name, doc))
        if name == "event" and doc["data"]["quality"] != "good":
            found.append((name, {**doc, "data": {**doc["data"], "quality": "good", "attempt": 1}}))
    return found


def with_machine(passes: list[Documents]) -> list[Documents]:
    """The same runs with readings of ring and laser, which drift a little."""
    for documents in passes:
        for number, (name, doc) in enumerate(documents):
            if name == "event":
                swing = 0.3 * np.sin(number / 9)
                doc["data"].update(MACHINE, ring_current=101.9 + swing, laser_lock_error=float(swing))
    return passes


def take(root: Path, passes: list[Documents], upto: int) -> None:
    """The beginning of a pass; the session is still there."""
    with Acquisition(root) as session:
        session.take(passes[0][:upto])


if __name__ == "__main__":
    SCENES[sys.argv[1]](Path(sys.argv[2]))
