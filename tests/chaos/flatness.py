"""Memory, threads, open files and the time of an event, over a long shift: ``python -m tests.chaos.flatness``."""

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
"""Runs until all that is loaded and compiled once is there."""
AROUND = 20
"""Runs between two measurements that belong together."""
LARGEST_RATIO = 1.05
UNITS = {"memory": "MB", "threads": "", "files": "", "event": "ms"}


def flatness(root: Path, pool: Any, runs: int, events: int, notify: Callable[[str], None] = print) -> None:
    """Scan again and again, and compare what the session holds with what it held at the start.

    Raises
    ------
    ViolationError
        If anything has grown by more than a twentieth after `runs` runs, or after `events` events.
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
                    _measure(shift)  # of the time of events: those of the last runs count
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
    shift.running.order("measure")
    said = shift.running.wait_for(lambda entry: entry["said"] == "measured", 60.0)
    shift.take_in()
    shift.running.said.clear()
    shift.forget()
    if said is None:
        raise ViolationError("the session died")
    return {key: float(said[key]) for key in UNITS}


def main() -> int:
    """Measure, and print; 0 if all is flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flatness", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    ports = PortBlock()
    os.environ.update(ports.client_environment())  # before epics is imported
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
