"""The time told beforehand against the time taken, for every plan.

Run it with ``python -m tests.benchmarks.told [--dwell S]``. A session on the simulated beamline at the speed of life,
with journal, live reduction, judge, suspenders and live table; the simulator shares the processors with the session.
What is left of the wall when dwells, axes and shutters are taken off as they were told is the overhead of a dwell:
``dwell`` and ``message`` of ``[times]`` in the configuration are there for it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from plans.estimate import Duration

ENERGIES = [13.455, 13.462, 13.468, 13.472, 13.480, 13.500]
SCANS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("energy_scan", (), {"energies": ENERGIES, "order": "alternating", "passes": 2}),
    ("energy_scan", (("Br_K", "Pb_L3"),), {"dwell": 0.1, "pattern": (1, 0)}),
    ("delay_series", ([100, 10_100],), {"energies": ENERGIES}),
    ("delay_scan", (), {"delays": [-200, -50, 0, 50, 200, 1000, 10_000, 100_000]}),
    ("fluence_scan", (), {"fluences": [0.5, 2.0, 5.0, 8.0, 12.0]}),
    ("background_run", (), {"repeats": 4}),
]


def measured(dwell: float, root: Path) -> Iterator[tuple[str, Duration, float, int]]:
    """Of each plan: its name, what was told, wall seconds, dwells."""
    from beamline.config import load
    from beamline.progress import LiveTable
    from beamline.session import Session, start

    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01}, display={"live_figure": "off"})
    with start(config, fill_catalogue=False, tell=lambda _: None) as session:
        assert isinstance(session, Session)
        session.listen_reduced(LiveTable(Console(file=io.StringIO(), force_terminal=True)), "the live table")
        plans = session.scans.plans
        session.RE(plans["energy_scan"](energies=ENERGIES[:2], dwell=0.2, pattern=(1, 0)))  # everything is warm
        for name, args, kwargs in SCANS:
            arguments = {"dwell": dwell} | kwargs
            with contextlib.redirect_stdout(io.StringIO()):
                told = session.scans.preview(plans[name], *args, **arguments)
            dwells = sum(one.dwells() for one in plans[name].program(*args, **arguments).passes)
            began = time.perf_counter()
            session.RE(plans[name](*args, **arguments))
            yield name, told, time.perf_counter() - began, dwells


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dwell", type=float, default=1.0)
    options = parser.parse_args()
    from beamline.simulators import simulated_beamline

    table = Table(title=f"dwells of {options.dwell:g} s unless said; {os.cpu_count()} processors")
    for header in ("plan", "dwells", "told / s", "taken / s", "told / taken", "overhead / ms a dwell", "told"):
        table.add_column(header, justify="left" if header == "plan" else "right")
    with simulated_beamline("demo", 1.0) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        for name, told, taken, dwells in measured(options.dwell, Path(folder)):
            overhead = (taken - told.dwells - told.axes - told.shutters) / dwells
            row = (f"{told.total:.2f}", f"{taken:.2f}", f"{told.total / taken:.3f}", f"{overhead * 1e3:.1f}")
            table.add_row(name, str(dwells), *row, f"{told.messages / dwells * 1e3:.1f}")
    Console(width=120).print(table)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
