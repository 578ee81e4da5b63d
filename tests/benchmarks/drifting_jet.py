"""What a jet that drifts slowly does to single passes: ``python -m tests.benchmarks.drifting_jet [RMS [SCANS [KEV]]]``.

Takes one-pass scans of the simulated beamline while the jet's thickness changes slowly, by 0.05 rms if not told else,
and prints each transient at the white line beside its quoted error and the truth. With monitor energies, as
``13.455,13.485``, each pass returns to them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from beamline.config.models import load
from beamline.session.simulators import simulated_beamline
from beamline.studies.expectation import ask_expectation, expected_spectrum
from tests.helpers.ioc_process import write_scenario

SPEEDUP = 200.0
DELAY, FLUENCE, WHITE_LINE = 100.0, 8.8, 13.472
ENERGIES = np.round(
    np.concatenate([[13.450, 13.455, 13.460], np.arange(13.464, 13.4805, 0.001), np.arange(13.49, 13.575, 0.01)]), 6
)


def main(drift: str = "0.05", scans: str = "6", monitors: str = "") -> None:
    """Print one case: rms of the slow changes, how many scans, monitor energies (keV)."""
    with TemporaryDirectory(prefix="trxas-") as folder:
        changes = {"jet": {"pass_to_pass_rms": float(drift)}, "delay": {"drift_ps_per_h": 0.0}}
        scenario = write_scenario(changes, Path(folder) / "scenario.toml")
        with simulated_beamline(scenario, SPEEDUP) as environment:
            os.environ.update(environment)
            energies = [float(energy) for energy in monitors.split(",") if energy]
            _scan(scenario, Path(folder) / "data", float(drift), int(scans), energies)


def _scan(scenario: Path, root: Path, drift: float, scans: int, monitors: list[float]) -> None:
    from beamline.session.session import Session, start

    data: dict[str, Any] = {"root": str(root), "min_free_gb": 0.1}
    config = load("simulated", clock_rate=SPEEDUP, data=data, display={"live_figure": "off"})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        print(f"slow changes of thickness {100 * drift:g} % rms; transient at {WHITE_LINE} keV / %")
        options: dict[str, Any] = {"monitor_energies": monitors} if monitors else {}
        pulls = []
        for number in range(scans):
            session.RE(session.energy_scan(edge="Br_K", delay=DELAY, energies=ENERGIES, dwell=6, **options))
            found = session.reducer.spectrum()
            expectation = ask_expectation(scenario, found.energy, DELAY, FLUENCE)
            truth = expected_spectrum(expectation, session.reducer.settings)
            at = int(np.argmin(np.abs(found.energy - WHITE_LINE)))
            value, error = 100 * found.transient[0, at], 100 * found.transient_stddev[0, at]
            true = 100 * truth.transient[0, at]
            pulls.append((value - true) / error)
            print(
                f"  scan {number}: {value:+.2f} +- {error:.2f}, truth {true:+.2f}, pull {pulls[-1]:+.1f}; "
                f"static there {found.static[at]:.2f}, truth {truth.static[at]:.2f}"
            )
        print(f"  rms of the pulls {np.sqrt(np.mean(np.square(pulls))):.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
