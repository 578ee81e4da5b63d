"""Memory, threads, open files and time per event over a long shift: ``python -m tests.chaos.flatness``.

Resources of a session are compared with those after its first runs, its time per event with that of a new session: both
scan in turns, so that other programs on the machine slow down both.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.helpers.ports import PortBlock

WARM = 40
"""Runs until everything is loaded and compiled."""
SETTLED = 160
"""Runs until the garbage collector has made its first full round: it waits until a quarter of all objects is new."""
AROUND = 40
"""Runs over which times are measured."""
LONG = 20
"""So many times longer are the points of runs that are there for their events."""
DWELL = 0.5
"""Seconds of beamline time."""
LARGEST_RATIO = 1.05
RESOURCES = {
    "memory": "resident memory, MB",
    "objects": "objects alive",
    "threads": "threads",
    "files": "open files",
}
TIMES = {"wall": "time of an event, ms", "processor": "of which in the processor, ms"}


def flatness(folder: Path, pool: Any, runs: int, events: int, notify: Callable[[str], None] = print) -> None:
    """Scan repeatedly, and compare the resources of the session with those after `SETTLED` runs.

    Raises
    ------
    ViolationError
        If any has grown by more than 5 % after `runs` runs, or after `events` events.
    """
    from tests.chaos.session_process import DWELLS
    from tests.chaos.violation import ViolationError

    with ExitStack() as stack:
        old = _shift(folder / "old", pool, stack)
        _scan(old, SETTLED)
        measured = {f"{SETTLED} runs, {SETTLED * DWELLS} events": _measure(old)}
        _scan(old, runs - SETTLED)
        measured[f"{runs} runs, {runs * DWELLS} events"] = _measure(old)
        many = max(0, events - runs * DWELLS) // (LONG * DWELLS) + 1
        _scan(old, many, LONG)
        _scan(old, WARM)
        done = (runs + WARM) * DWELLS + many * LONG * DWELLS
        measured[f"{runs + many + WARM} runs, {done} events"] = _measure(old)
        new = _shift(folder / "new", pool, stack)
        _scan(new, WARM)
        _measure(new), _measure(old)  # clears the times of earlier events
        for _ in range(AROUND):
            _scan(old, 1)
            _scan(new, 1)
        times = {"new session": _measure(new), "this session": _measure(old)}
        old.close()
        new.close()
    grown = [*_table(measured, RESOURCES, notify), *_table(times, TIMES, notify)]
    if grown:
        raise ViolationError(f"grown by more than 5 %: {', '.join(grown)}")


def _shift(folder: Path, pool: Any, stack: ExitStack) -> Any:
    """A shift with a running session."""
    from tests.chaos.leftovers import MARK, environment
    from tests.chaos.shift import Shift

    folder.mkdir()
    with environment(**{MARK: str(folder)}):
        shift = Shift(folder, pool, stores=False)  # the catalogue writer is another process, and the slower one
        stack.callback(shift.abandon)
        shift.begin()
    return shift


def _scan(shift: Any, runs: int, repeats: int = 1) -> None:
    for _ in range(runs):
        shift.scan_well(repeats=repeats, dwell=DWELL)
        shift.forget()


def _measure(shift: Any) -> dict[str, float]:
    report = shift.ask("measure", "measured")
    shift.forget()
    print(f"{time.strftime('%H:%M:%S')} {report}", flush=True)
    return {key: float(report[key]) for key in (*RESOURCES, *TIMES)}


def _table(measured: dict[str, dict[str, float]], rows: dict[str, str], notify: Callable[[str], None]) -> list[str]:
    """Print figures and their ratio to the first column; returns the names of those that have grown."""
    notify(f"| | {' | '.join(measured)} | largest / first |")
    notify("|---" * (len(measured) + 2) + "|")
    grown = []
    for key, title in rows.items():
        values = [column[key] for column in measured.values()]
        ratio = max(values[1:]) / values[0]
        notify(f"| {title} | {' | '.join(f'{value:.4g}' for value in values)} | {ratio:.3f} |")
        if ratio > LARGEST_RATIO:
            grown.append(title)
    return grown


def main() -> int:
    """Measure and print; exit status 0 if nothing grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flatness", description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    ports = PortBlock()
    os.environ.update(ports.client_environment())  # before the import of epics
    from tests.chaos.violation import ViolationError
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
