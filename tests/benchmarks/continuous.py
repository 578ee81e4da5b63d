"""Continuous energy scans against step scans: wall time, share of it that is counted, error of the transient an hour.

Run it with ``python -m tests.benchmarks.continuous [NAME ...]``. A session on the simulated beamline in real time,
with journal and live reduction; the simulator shares the processors with the session. Each scan is a pass over the
default grid of Br K from where the scan before has ended, if not named otherwise, `--passes` times each. The wall
time is that from the begin of the plan to its end, and consists of: counted, the dwell times the number of points for
each entry of the pattern; way, of the monochromator to the beginning of each sweep; ends, what a sweep takes more
(run-up, a step beyond the grid at both ends, slower steps where the grid changes); rest, messages, frames that are
collected, and the reduction. The error is the root mean square of the first slot's transient over the points above
the edge, as the reduction states it, times the square root of the wall time; with several passes their root mean
square.

``--pairs N`` instead compares N sweeps with laser on and off with as many step scans, 20 times faster than life, and
without noise of the jet: the width of the differences of their transients and static spectra over their errors, all
points and slots, and that of each kind of scan about its own mean. The error of a width is that of the mean over the
repeats: points and slots of one scan share references and normalisation. ``--repeatability`` is that of the energy of
a step, eV; 0.01 is the scenario's.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg
from rich.console import Console
from rich.table import Table

from plans.compilation.edges import find_edge
from plans.compilation.sweep import sweep_over

SCANS: dict[str, tuple[str, dict[str, Any]]] = {
    "survey, always on": ("continuous_scan", {"pattern": (1,), "dwell": 0.4}),
    "survey from its begin": ("continuous_scan", {"pattern": (1,), "dwell": 0.4}),
    "survey in steps": ("energy_scan", {"pattern": (1, 0), "dwell": 0.2, "reference": "slots"}),
    "sweeps, on and off": ("continuous_scan", {"pattern": (1, 0), "dwell": 0.8, "reference": "slots"}),
    "steps": ("energy_scan", {"pattern": (1, 0), "dwell": 0.7, "reference": "slots"}),
    "sweeps, combined": ("continuous_scan", {"pattern": (1, 0), "dwell": 0.8, "reference": "combined"}),
    "steps, combined": ("energy_scan", {"pattern": (1, 0), "dwell": 0.7, "reference": "combined"}),
    "one long sweep": ("continuous_scan", {"pattern": (1,), "dwell": 1.8}),
}
AT_BEGIN = ("survey from its begin",)
"""Scans before which the energy goes to the beginning of the sweep, which is not in their wall time."""
PAIRS_SPEEDUP = 20.0
QUIET = """[jet]
thickness_rms = 0.0
pass_to_pass_rms = 0.0
[monochromator]
repeatability_eV = {repeatability}
"""
"""Scenario of the pairs: neither noise of the jet nor the energy of a step is in the errors of static spectra."""


class Parts:
    """A RunEngine's message hook: wall seconds of the ways and of the sweeps of a plan."""

    def __init__(self) -> None:
        self.way = self.sweep = 0.0
        self._from = 0.0

    def __call__(self, message: Msg) -> None:
        """Process a message before the RunEngine does."""
        now = time.monotonic()
        if message.command == "wait" and message.kwargs.get("group") == "begin":
            self._from = now
        elif message.command == "kickoff":
            self.way, self._from = self.way + now - self._from, now
        elif message.command == "create" and self._from:
            self.sweep, self._from = self.sweep + now - self._from, 0.0


def measured(root: Path, names: Sequence[str], passes: int) -> Iterator[list[str]]:
    """Scans in turn, in one session; a row of the table each."""
    from beamline.config.models import load
    from beamline.session.session import Session, start

    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01}, display={"live_figure": "off"})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.RE(session.energy_scan(energies=[13.45, 13.46, 13.5, 13.55], dwell=0.1))  # everything has run once
        for name in names:
            taken = np.array([_one(session, name) for _ in range(passes)])
            wall, counted, way, sweep = taken[:, :4].mean(axis=0)
            error, hour = np.sqrt((taken[:, 4] ** 2).mean()), np.sqrt((taken[:, 4] ** 2 * taken[:, 0] / 3600).mean())
            ends = sweep - counted if sweep else 0.0
            numbers = [wall, counted, way, ends, wall - counted - way - ends]
            shown = [f"{each:.1f}" for each in numbers] if sweep else [f"{wall:.1f}", f"{counted:.1f}", "", "", ""]
            spread = f" +- {1e3 * taken[:, 4].std(ddof=1) / np.sqrt(passes):.2f}" if passes > 1 else ""
            yield [name, *shown, f"{counted / wall:.1%}", f"{1e3 * error:.2f}{spread}", f"{1e3 * hour:.3f}"]


def _one(session: Any, name: str) -> tuple[float, float, float, float, float]:
    """Wall seconds of a scan, those counted, of its ways and of its sweeps, and the error of its transient."""
    plan, kwargs = SCANS[name]
    made = partial(session.scans.plans[plan], edge="Br_K", **kwargs)
    if name in AT_BEGIN:
        session.RE(bps.mv(session.instruments.energy, sweep_over(find_edge("Br_K").grid(), 0.4, 0.1).energies[0]))
    session.RE.msg_hook = parts = Parts()
    begun = time.monotonic()
    session.RE(made())
    wall = time.monotonic() - begun
    session.RE.msg_hook = None
    spectrum = session.reducer.spectrum()
    counted = len(kwargs["pattern"]) * kwargs["dwell"] * spectrum.energy.size
    above = spectrum.energy > 13.465
    error = float(np.sqrt(np.nanmean(spectrum.transient_stddev[0][above] ** 2)))
    return wall, counted, parts.way, parts.sweep, error


def pull_widths(root: Path, number: int, reference: str) -> Iterator[list[str]]:
    """Differences of sweeps and step scans over their errors; a row of the table for each kind of spectrum."""
    from beamline.config.models import load
    from beamline.session.session import Session, start

    data, display = {"root": str(root), "min_free_gb": 0.01}, {"live_figure": "off"}
    config = load("simulated", data=data, display=display, clock_rate=PAIRS_SPEEDUP)
    kinds, taken = ("continuous_scan", "energy_scan"), []
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        for _ in range(number):
            for plan in kinds:
                session.RE(session.scans.plans[plan](edge="Br_K", pattern=(1, 0), dwell=0.4, reference=reference))
                taken.append(session.reducer.spectrum())
    for name in ("transient", "static"):
        values, errors = (
            np.array([getattr(each, key) for each in taken]).reshape(number, len(kinds), -1)
            for key in (name, f"{name}_stddev")
        )
        yield [
            name,
            "sweeps - steps",
            "",
            *_width((values[:, 0] - values[:, 1]) / np.hypot(errors[:, 0], errors[:, 1])),
        ]
        sizes = [f"{1e3 * np.sqrt(np.nanmean(errors[:, index] ** 2)):.2f}" for index in range(len(kinds))]
        about = (values - np.nanmean(values, axis=0)) / errors / np.sqrt(1 - 1 / number)
        for index, kind in enumerate(("sweeps", "steps")):
            yield [name, f"{kind} - their mean", sizes[index], *_width(about[:, index])]


def _width(pulls: np.ndarray) -> list[str]:
    """Number of values, their width with the error by repeats (first axis), and the largest."""
    of_each = np.nanmean(pulls**2, axis=1)
    width = np.sqrt(of_each.mean())
    error = of_each.std(ddof=1) / np.sqrt(of_each.size) / (2 * width)
    return [str(np.isfinite(pulls).sum()), f"{width:.3f} +- {error:.3f}", f"{np.nanmax(np.abs(pulls)):.1f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SCANS))
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--reference", default="slots")
    parser.add_argument("--repeatability", type=float, default=0.0)
    options = parser.parse_args()
    from beamline.session.simulators import simulated_beamline

    parts = ("wall s", "counted", "way", "ends", "rest")
    table = Table("scan", *parts, "counted / wall", "error, 1e-3", "error sqrt(hour), 1e-3")
    if options.pairs:
        table = Table("spectrum", "difference", "error, 1e-3", "values", "width of the pulls", "largest")
    with tempfile.TemporaryDirectory() as folder:
        root, scenario = Path(folder), "default"
        if options.pairs:
            (root / "quiet.toml").write_text(QUIET.format(repeatability=options.repeatability))
            scenario = str(root / "quiet.toml")
        with simulated_beamline(scenario, PAIRS_SPEEDUP if options.pairs else 1.0) as environment:
            os.environ.update(environment)
            names = options.names or list(SCANS)
            rows = (
                pull_widths(root, options.pairs, options.reference)
                if options.pairs
                else measured(root, names, options.passes)
            )
            for row in rows:
                table.add_row(*row)
    Console(width=130).print(table)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
