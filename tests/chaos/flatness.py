"""Memory, threads, open files and time per event over a long shift: ``python -m tests.chaos.flatness``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.driven_session import ViolationError
from tests.helpers.ports import PortBlock

WARM = 40
"""Runs until everything is loaded and compiled."""
AROUND = 20
"""Runs over which one measurement is taken."""
LARGEST_RATIO = 1.05
UNITS = {"memory": "MB", "threads": "", "files": "", "event": "ms"}


def flatness(root: Path, pool: Any, runs: int, events: int, notify: Callable[[str], None] = print) -> None:
    """Scan repeatedly, and compare the resources of the session with those after `WARM` runs.

    Raises
    ------
    ViolationError
        If any has grown by more than 5 % after `runs` runs, or after `events` events.
    """
    from tests.chaos.shift import Shift
    from tests.chaos.walk import DWELLS

    shift = Shift(root, pool)
    try:
        shift.begin()
        measured = {}
        done = 0
        for mark in (WARM, max(runs, WARM + AROUND), max(events // DWELLS, WARM + AROUND)):
            while done < mark:
                shift.begin_scan(0)
                ended = shift.end_scan()
                if ended is None or ended["status"] != "success":
                    raise ViolationError(f"run {done} ended so: {ended}")
                done += 1
                if done == mark - AROUND:
                    _measure(shift)  # clears earlier event times
            measured[done] = _measure(shift)
            figures = ", ".join(f"{key} {measured[done][key]:.4g} {UNITS[key]}".strip() for key in UNITS)
            notify(f"after {done} runs, {done * DWELLS} events: {figures}")
        shift.close()
    finally:
        shift.abandon()
    first = measured[WARM]
    for count, later in measured.items():
        grown = [key for key in UNITS if later[key] > LARGEST_RATIO * first[key]]
        if grown:
            raise ViolationError(f"after {count} runs there is more of {', '.join(grown)}: {later}, at first {first}")


def _measure(shift: Any) -> dict[str, float]:
    shift.running.command("measure")
    report = shift.running.wait_for(lambda entry: entry["kind"] == "measured", 60.0)
    shift.collect()
    shift.running.reports.clear()
    shift.forget()
    if report is None:
        raise ViolationError("the session died")
    return {key: float(report[key]) for key in UNITS}


def main() -> int:
    """Measure and print; exit status 0 if nothing grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flatness", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    ports = PortBlock()
    os.environ.update(ports.client_environment())  # before the import of epics
    from tests.helpers.ioc_process import IocPool

    pool = IocPool(ports)
    with tempfile.TemporaryDirectory(prefix="flat-") as folder:
        try:
            flatness(Path(folder), pool, options.runs, options.events)
        except ViolationError as violation:
            print(f"NOT FLAT: {violation}", flush=True)
            return 1
        finally:
            pool.stop_all()
    print("flat")
    return 0


if __name__ == "__main__":
    sys.exit(main())
