"""Continuous energy scans against step scans: wall time, share of it that is counted, error of the transient an hour.

Run it with ``python -m tests.benchmarks.continuous [NAME ...]``. A session on the simulated beamline in real time, with
journal and live reduction; the simulator shares the processors with the session. Each scan is a pass over the default
grid of Br K from where the scan before has ended. The error is the root mean square of the first slot's transient over
the points above the edge, as the reduction states it, times the square root of the wall time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

SCANS: dict[str, tuple[str, dict[str, Any]]] = {
    "survey, always on": ("continuous_scan", {"pattern": (1,), "dwell": 0.4}),
    "survey in steps": ("energy_scan", {"pattern": (1, 0), "dwell": 0.2, "reference": "slots"}),
    "sweeps, on and off": ("continuous_scan", {"pattern": (1, 0), "dwell": 0.8, "reference": "slots"}),
    "steps": ("energy_scan", {"pattern": (1, 0), "dwell": 0.7, "reference": "slots"}),
    "one long sweep": ("continuous_scan", {"pattern": (1,), "dwell": 1.5}),
}


def measured(root: Path, names: Sequence[str]) -> Iterator[list[str]]:
    """Scans in turn, in one session; a row of the table each."""
    from beamline.config.models import load
    from beamline.session.session import Session, start

    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01}, display={"live_figure": "off"})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE(session.energy_scan(energies=[13.45, 13.46, 13.5, 13.55], dwell=0.1))  # everything has run once
        for name in names:
            plan, kwargs = SCANS[name]
            begun = time.monotonic()
            session.RE(session.scans.plans[plan](edge="Br_K", **kwargs))
            wall = time.monotonic() - begun
            spectrum = session.reducer.spectrum()
            counted = len(kwargs["pattern"]) * kwargs["dwell"] * spectrum.energy.size
            above = spectrum.energy > 13.465
            error = float(np.sqrt(np.nanmean(spectrum.transient_stddev[0][above] ** 2)))
            hour = error * np.sqrt(wall / 3600)
            yield [name, f"{wall:.1f}", f"{counted / wall:.1%}", f"{1e3 * error:.2f}", f"{1e3 * hour:.3f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SCANS))
    options = parser.parse_args()
    from beamline.session.simulators import simulated_beamline

    table = Table("scan", "wall s", "counted / wall", "error, 1e-3", "error sqrt(hour), 1e-3")
    with simulated_beamline("default", 1.0) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        for row in measured(Path(folder), options.names or list(SCANS)):
            table.add_row(*row)
    Console(width=100).print(table)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
