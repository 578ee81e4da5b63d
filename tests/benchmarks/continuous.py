"""Continuous energy scans against step scans: wall time, share of it that is counted, error of the transient an hour.

Run it with ``python -m tests.benchmarks.continuous [NAME ...]``. A session on the simulated beamline in real time, with
journal and live reduction; the simulator shares the processors with the session. Each scan is a pass over the default
grid of Br K from where the scan before has ended. Counted is the dwell times the number of points, for each sweep; the
way is that of the monochromator before a sweep. The error is the root mean square of the first slot's transient over
the points above the edge, as the reduction states it, times the square root of the wall time.

``--pairs N`` instead compares N sweeps with laser on and off with as many step scans, 20 times faster than life: the
width of the differences of their transients and static spectra over their errors, all points and slots.
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
    "one long sweep": ("continuous_scan", {"pattern": (1,), "dwell": 1.8}),
}
SPEED_EV_S = 20.0
"""Of the simulated monochromator."""
PAIRS_SPEEDUP = 20.0
QUIET = "[jet]\nthickness_rms = 0.0\npass_to_pass_rms = 0.0\n"
"""Scenario of the pairs: noise of the jet is not in the errors of static spectra of one pass."""


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
            away = session.beamline.mono.energy.get(use_monitor=False)
            begun = time.monotonic()
            session.RE(session.scans.plans[plan](edge="Br_K", **kwargs))
            wall = time.monotonic() - begun
            spectrum = session.reducer.spectrum()
            counted = len(kwargs["pattern"]) * kwargs["dwell"] * spectrum.energy.size
            above = spectrum.energy > 13.465
            error = float(np.sqrt(np.nanmean(spectrum.transient_stddev[0][above] ** 2)))
            hour = error * np.sqrt(wall / 3600)
            way = (away - spectrum.energy[0]) * 1e3 / SPEED_EV_S
            yield [
                name, f"{wall:.1f}", f"{way:.1f}", f"{counted / wall:.1%}", f"{1e3 * error:.2f}", f"{1e3 * hour:.3f}"
            ]  # fmt: skip


def pull_widths(root: Path, number: int) -> Iterator[list[str]]:
    """Differences of sweeps and step scans over their errors; a row of the table for each kind of spectrum."""
    from beamline.config.models import load
    from beamline.session.session import Session, start

    data, display = {"root": str(root), "min_free_gb": 0.01}, {"live_figure": "off"}
    config = load("simulated", data=data, display=display, clock_rate=PAIRS_SPEEDUP)
    pulls: dict[str, list[np.ndarray]] = {"transient": [], "static": []}
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        for _ in range(number):
            found = []
            for plan in ("continuous_scan", "energy_scan"):
                session.RE(session.scans.plans[plan](edge="Br_K", pattern=(1, 0), dwell=0.4, reference="slots"))
                found.append(session.reducer.spectrum())
            for name, each in pulls.items():
                values, errors = ([getattr(one, key) for one in found] for key in (name, f"{name}_stddev"))
                pull = (values[0] - values[1]) / np.hypot(*errors)
                each.append(pull[np.isfinite(pull)])
    for name, each in pulls.items():
        found_pulls = np.concatenate(each)
        width, error = found_pulls.std(), 1 / np.sqrt(2 * found_pulls.size)
        yield [name, str(found_pulls.size), f"{width:.3f} +- {error:.3f}", f"{np.abs(found_pulls).max():.1f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SCANS))
    parser.add_argument("--pairs", type=int, default=0)
    options = parser.parse_args()
    from beamline.session.simulators import simulated_beamline

    table = Table("scan", "wall s", "way s", "counted / wall", "error, 1e-3", "error sqrt(hour), 1e-3")
    if options.pairs:
        table = Table("difference of", "points", "width of the pulls", "largest")
    with tempfile.TemporaryDirectory() as folder:
        root, scenario = Path(folder), "default"
        if options.pairs:
            (root / "quiet.toml").write_text(QUIET)
            scenario = str(root / "quiet.toml")
        with simulated_beamline(scenario, PAIRS_SPEEDUP if options.pairs else 1.0) as environment:
            os.environ.update(environment)
            names = options.names or list(SCANS)
            rows = pull_widths(root, options.pairs) if options.pairs else measured(root, names)
            for row in rows:
                table.add_row(*row)
    Console(width=100).print(table)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
