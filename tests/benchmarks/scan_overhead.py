"""Where the time of a scan goes: dwell, motion and everything else, on the simulated beamline.

Run with ``python -m tests.benchmarks.scan_overhead``. The simulator's clock runs 200 times faster than life, so a dwell
of 4 s is 20 ms of wall time; what is beyond dwell and motion is overhead of records, messages, journal and reduction.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

SPEEDUP, DWELL, POINTS = 200.0, 4.0, 25


def main() -> None:
    from beamline.simulators import simulated_beamline

    with simulated_beamline("demo", SPEEDUP) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        measure(Path(folder))


def measure(folder: Path) -> None:
    from beamline.config import load
    from beamline.session import Session, start

    config = load("simulated", clock_rate=SPEEDUP, data={"root": str(folder), "min_free_gb": 0.01})
    with start(config, fill_catalogue=False, tell=lambda _: None) as session:
        assert isinstance(session, Session)
        stamps: list[tuple[int, float]] = []

        def stamp(name: str, doc: dict) -> None:
            if name == "event":
                stamps.append((doc["data"]["segment"], time.perf_counter()))

        session.RE.subscribe(stamp)
        grid = np.linspace(13.46, 13.48, POINTS)
        session.RE(session.energy_scan(energies=grid, dwell=DWELL, settings={"pre_edge": [13.46, 13.462]}))
    steps = np.diff([moment for _, moment in stamps]) * 1e3
    within = np.array([segment != 0 for segment, _ in stamps[1:]])
    wall = DWELL / SPEEDUP * 1e3
    print(f"dwell {wall:.1f} ms of wall time; {len(stamps)} dwells, filler off")
    print(f"{'':>34} {'median / ms':>12} {'p90 / ms':>10}")
    for name, values in (("beyond the dwell, same point", steps[within]), ("with a step of energy", steps[~within])):
        print(f"{name:>34} {np.median(values) - wall:>12.1f} {np.percentile(values, 90) - wall:>10.1f}")


if __name__ == "__main__":
    main()
