"""Time of a forecast against scans of the simulated beamline that stop at their target.

Run it with ``python -m tests.benchmarks.forecasts [--scans N] [--seed S] [--speed V] [CASE ...]``: each scan in a
process of its own, with a simulator of its own seed, through Channel Access. Spectrum and transient of the forecast
file are those of the scenario, as from an earlier measurement, and a scan beforehand gives the noise of a dwell.

The time of a scan is that of its dwells, moves and travels of the shutter at the costs of the forecast: at many times
the speed of life messages take longer than dwells. The last column has the beamline's own clock, and a forecast that
reckons with such messages; it means something on a quiet machine only. Dwells are apart by messages too, so that the
noise of the jet is faster here than a few dwells, and time zero does not drift: minutes are hours of the beamline.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from beamline.config.forecast import read_forecast
from beamline.records.forecast.rates import photons_a_pulse
from beamline.records.forecast.times import costs_of, forecast_of
from beamline.studies.expectation import ask_expectation
from plans.compilation.edges import find_edge
from plans.compilation.monitors import Monitors
from plans.protocols import MoveTimes
from reduction.allocation.allocate import Allocation
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.predicted import predicted
from reduction.allocation.problem import TimeCosts
from reduction.live.scan_result import fit_kinetics
from reduction.spectra.ratios import comparison_parameter
from reduction.spectra.spectrum import Spectrum
from reduction.traces.delay import DelayScan
from reduction.traces.linear_range import saturation
from tests.helpers.ioc_process import write_scenario

DELAY, FLUENCE = 100.0, 8.8
EDGE = replace(find_edge("Br_K"), energies=find_edge("Br_K").energies[::2])
ENERGY = np.array(EDGE.energies)
LATE = (200.0, 300.0, 450.0, 700.0, 1100.0, 2000.0, 5000.0, 20e3, 60e3, 110e3)
DELAYS = (-900.0, -600.0, *np.arange(-100.0, 151.0, 25.0).tolist(), *LATE)
FLUENCES = (0.5, 2.0, 4.0, 6.0, 8.0, 9.0, 10.0, 11.0, 12.0, 12.4, 13.0)
EVEN, PASSES = (1, 0, 0, 1), 8
"""Rhythm and passes of the scan beforehand."""


@dataclass(frozen=True)
class Case:
    """A scan with its target.

    Attributes
    ----------
    plan, quantity, wanted : str
    grid : mapping
        Of the plan and of the forecast file.
    scenario : mapping
    dwell : float, s
    """

    plan: str
    quantity: str
    wanted: str
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    scenario: Mapping[str, Any] = field(default_factory=dict)
    dwell: float = 1.5


STEADY = {
    "delay": {"drift_ps_per_h": 0.0},
    "jet": {"thickness_rms": 0.01, "low_Hz": 0.3, "pass_to_pass_rms": 0.0},
    "laser": {"background_per_gate": 0.0},  # as after a background run
}
STRONG = {"sample": {"br_k": {"transient_fraction": -0.1}}, "fluence": {"sharpness": 4.0}, **STEADY}
CASES = {
    "lifetime": Case("delay_scan", "lifetime(1)", "5 %", {"delay_scan": DELAYS}, scenario=STRONG),
    "saturation": Case("fluence_scan", "saturation", "2 %", {"fluences": FLUENCES}, scenario=STRONG),
    "C": Case("energy_scan", "C(slot=0)", "3 %", scenario=STEADY),
    "transient": Case("energy_scan", "transient(slot=0, energy=13.472)", "2 %", scenario=STEADY),
}
FILE = """
delays = {delays}
delay_scan = {delay_scan}
fluences = {fluences}
[sample]
edge = "Br_K"
spectrum = "spectrum.txt"
background = {background}
[beam]
flux = {flux}
[detector]
noise = {noise}
dwell = {dwell}
[transient]
file = "transient.txt"
fraction = 1.0
saturation = 11.0
[targets]
"{quantity}" = "{wanted}"
"""


def write_forecast(folder: Path, case: Case, noise: float) -> Path:
    """The scenario as a user would write it: spectra in edge steps, the flux that gives its photons."""
    highest = max(case.grid.get("fluences", (FLUENCE,)))
    truth = ask_expectation(write_scenario(case.scenario, folder / "scenario.toml"), ENERGY, DELAY, highest)
    slot = (np.arange(truth["mu_on"].shape[1]) - int(truth["laser_phase"])) % int(truth["divider"])
    off, on = truth["mu_off"].mean(axis=1), truth["mu_on"][:, slot == 0].mean(axis=1)
    pre = off[(EDGE.pre_edge[0] <= ENERGY) & (EDGE.pre_edge[1] >= ENERGY)].mean()
    step = off[-1] - pre
    np.savetxt(folder / "spectrum.txt", np.stack([ENERGY, (off - pre) / step], axis=1))
    np.savetxt(folder / "transient.txt", np.stack([ENERGY, (on - off) / step], axis=1))
    file, entries = folder / "forecast.toml", {"background": pre / step, "noise": noise, "dwell": case.dwell}
    entries |= {"quantity": case.quantity, "wanted": case.wanted}
    entries |= {name: list(case.grid.get(name, ())) for name in ("delay_scan", "fluences")}
    entries["delays"] = [] if case.grid else [DELAY]
    file.write_text(FILE.format(flux=1e9, **entries))
    file.write_text(FILE.format(flux=1e9 * step / photons_a_pulse(read_forecast(file), EDGE), **entries))
    return file


def quoted(case: Case, result: Any, settings: Any) -> tuple[float, float]:
    """Value and standard error that the reduction gives."""
    if isinstance(result, DelayScan):
        fit, why = fit_kinetics(result, settings)
        assert fit is not None, why
        return float(fit.lifetimes[0]), float(fit.lifetimes_stddev[0])
    if not isinstance(result, Spectrum):
        found = saturation(result.fluence, result.transient[0], result.transient_covariance[0])
        return found.saturates_at, (found.interval[1] - found.interval[0]) / 2
    value, covariance = result.transient[0], result.transient_covariance[0]
    if case.quantity.startswith("C("):
        assert EDGE.comparison is not None
        ratio = comparison_parameter(ENERGY, value, covariance, *EDGE.comparison)
        return float(ratio.value), float(ratio.stddev)
    at = int(np.abs(ENERGY - 13.472).argmin())
    return float(value[at]), float(np.sqrt(covariance[at, at]))


def visits_of(
    session: Any, case: Case, pattern: tuple[int, ...], **options: Any
) -> tuple[dict[tuple[str, int], int], int]:
    """Dwells of each point in each run of a scan, and those at monitor energies."""
    visits: dict[tuple[str, int], int] = {}
    monitors: dict[str, int] = {}

    def count(name: str, doc: Mapping[str, Any]) -> None:
        if name == "descriptor" and doc["name"] == "monitor":
            monitors[doc["uid"]] = 0
        elif name == "event" and doc["descriptor"] in monitors:
            monitors[doc["descriptor"]] += 1
        elif name == "event" and "point_index" in doc["data"]:
            key = doc["descriptor"], int(doc["data"]["point_index"])
            visits[key] = visits.get(key, 0) + 1

    arguments: dict[str, Any] = {"delays" if name == "delay_scan" else name: grid for name, grid in case.grid.items()}
    if case.plan != "delay_scan":
        arguments["delay"] = DELAY
    plan, token = session.scans.plans[case.plan], session.RE.subscribe(count)
    session.RE(plan(edge=EDGE, dwell=case.dwell, pattern=pattern, **arguments, **options))
    session.RE.unsubscribe(token)
    return visits, sum(monitors.values())


def seconds_of(visits: Mapping[tuple[str, int], int], pattern: tuple[int, ...], case: Case, costs: TimeCosts) -> float:
    """Time of the dwells of each point in each run."""
    return sum(visits.values()) / len(pattern) * costs.of_cycle(pattern, case.dwell) + costs.move * len(visits)


def of_prediction(
    visits: Mapping[tuple[str, int], int], pattern: tuple[int, ...], grid: ExpectedGrid, result: Any
) -> float:
    """Median of the errors of the points, over those that are predicted for the dwells that they had."""
    dwells = np.zeros(grid.points)
    for (_, point), number in visits.items():
        dwells[point] += number
    one = predicted(grid, pattern, dwells / len(pattern))
    return float(np.median(result.transient_stddev[0] / np.sqrt(one.variance(one.unit(0)).total)))


def of_clock(found: Allocation, case: Case, speed: float) -> float:
    """Forecast with messages that take `speed` times as long, s."""
    times, (cycles,) = MoveTimes(), found.cycles
    move = {"energy_scan": times.energy_settle, "delay_scan": times.delay, "fluence_scan": times.fluence}[case.plan]
    costs = TimeCosts(move + speed * times.message, times.laser_shutter, speed * times.dwell, passes=4)
    return costs.of_cycle(found.pattern, case.dwell) * float(cycles.sum()) + costs.of_visits(cycles)


def one_scan(case: Case, folder: Path, speed: float) -> list[str]:
    """Columns of a scan."""
    from beamline.config.models import load
    from beamline.session.session import Session, start  # Channel Access reads the environment when it is imported

    config = load(
        "simulated", data={"root": str(folder / "data"), "min_free_gb": 0.01}, display={"live_figure": "off"},
        clock_rate=speed, suspenders=(), connect_timeout=120.0,
    )  # fmt: skip
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        visits_of(session, case, EVEN, passes=PASSES if case.grid else 1)
        before = float(session.reducer.result().dwell_noise)
        forecast = read_forecast(file := write_forecast(folder, case, before))
        found, costs = forecast_of(forecast, EDGE).allocation, costs_of(forecast)
        options = {"passes": forecast.passes, "forecast": str(file), "longest": 3e4}
        began = time.perf_counter()
        visits, monitors = visits_of(session, case, found.pattern, target={case.quantity: case.wanted}, **options)
        clock = speed * (time.perf_counter() - began)
        result = session.reducer.result()
        value, error = quoted(case, result, session.reducer.settings)
    after, aim, taken = float(result.dwell_noise), found.targets[0], seconds_of(visits, found.pattern, case, costs)
    taken += monitors * Monitors.of_allocated(EDGE).seconds_a_dwell(EDGE.energies, case.dwell, MoveTimes())
    same = forecast_of(read_forecast(write_forecast(folder, case, after)), EDGE)
    same_noise, of_predicted = same.allocation.seconds, of_prediction(visits, found.pattern, same.grids[0], result)
    return [
        f"{found.cycles[0].sum() / found.cycles[0].size:.1f}", f"{found.seconds:.0f}", f"{taken:.0f}",
        f"{found.seconds / taken:.2f}", f"{100 * before:.2f}, {100 * after:.2f}", f"{same_noise / taken:.2f}",
        f"{value:.4g} +- {error:.2g}", f"{aim.value:.4g}", f"{error / aim.wanted:.2f}", f"{of_predicted:.3f}",
        f"{of_clock(found, case, speed) / clock:.2f}",
    ]  # fmt: skip


HEADER = (
    "scan, seed", "cycles / least", "forecast (s)", "taken (s)", "forecast / taken", "noise before, in it (%)",
    "the same with this noise", "found", "expected", "error / wanted", "errors / predicted",
    "by the clock",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the first scan")
    parser.add_argument("--speed", type=float, default=100.0, help="times the speed of life")
    parser.add_argument("--one", help="this case in this process")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    given = parser.parse_args()
    if given.one is None:
        print(f"| {' | '.join(HEADER)} |\n|{' --- |' * len(HEADER)}", flush=True)
        for name in given.cases:
            for seed in range(given.seed, given.seed + given.scans):
                own = ["--one", name, "--seed", str(seed), "--speed", f"{given.speed:g}"]
                subprocess.run([sys.executable, "-m", "tests.benchmarks.forecasts", *own], check=True)
        return
    from beamline.session.simulators import simulated_beamline

    case = CASES[given.one]
    with tempfile.TemporaryDirectory() as name:
        scenario = write_scenario(case.scenario, Path(name) / "scenario.toml")
        with simulated_beamline(scenario, given.speed, given.seed) as environment:
            os.environ.update(environment)
            columns = one_scan(case, Path(name), given.speed)
    print(f"| {given.one}, {given.seed} | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
