"""Transient at 100 ps over hours of a fast simulator: ``python -m tests.benchmarks.time_zero_drift [PS_PER_H]``.

Time zero of the default scenario drifts by 10 ps an hour. At 400 times the speed of life a minute is nearly seven
hours, after which a scan measures at a later delay than it says. The argument is another drift.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from beamline.session.simulators import simulated_beamline
from beamline.studies.expectation import ask_expectation
from tests.helpers.ioc_process import write_scenario

SPEEDUP, SCANS, HOUR = 400.0, 20, 3600.0
WHITE_LINE, DELAY, FLUENCE = 13.472, 100.0, 8.8


def main(drift: str = "10") -> None:
    """Print the transient of the scenario, and that of one scan after the other."""
    with tempfile.TemporaryDirectory() as name:
        values = {"sample": {"br_k": {"transient_fraction": -0.1}}, "delay": {"drift_ps_per_h": float(drift)}}
        scenario = write_scenario(values, Path(name) / "scenario.toml")
        truth = ask_expectation(scenario, np.array([WHITE_LINE]), DELAY, FLUENCE)
        pumped = (np.arange(truth["mu_on"].shape[1]) - int(truth["laser_phase"])) % int(truth["divider"]) == 0
        size = truth["mu_on"][0, pumped].mean() / truth["mu_off"][0, pumped].mean() - 1
        print(f"scenario: {100 * size:.2f} %")
        with simulated_beamline(scenario, SPEEDUP, 3) as environment:
            os.environ.update(environment)
            scan(Path(name), float(size))


def scan(folder: Path, size: float) -> None:
    """Two delays, over and over."""
    from beamline.config.models import load
    from beamline.session.session import Session, start  # Channel Access reads the environment when it is imported

    config = load(
        "simulated", data={"root": str(folder / "data"), "min_free_gb": 0.01}, display={"live_figure": "off"},
        clock_rate=SPEEDUP, suspenders=(), connect_timeout=120.0,
    )  # fmt: skip
    began = time.perf_counter()
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        plan, settings = session.scans.plans["delay_scan"], {"reference": "shutter"}
        for _ in range(SCANS):
            session.RE(plan(edge="Br_K", delays=[-900.0, DELAY], pattern=(1, 0, 0, 1) * 8, settings=settings))
            found, hours = session.reducer.result(), (time.perf_counter() - began) * SPEEDUP / HOUR
            value, error = (100 * float(each[0, 1]) for each in (found.transient, found.transient_stddev))
            print(f"after {hours:.1f} h: {value:.2f} +- {error:.2f} %, {value / size / 100:.2f} of it", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
