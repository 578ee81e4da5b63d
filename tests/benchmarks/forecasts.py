"""Time of a forecast against scans of the simulated beamline that stop at their target.

Run it with ``python -m tests.benchmarks.forecasts [--scans N]``. A short scan measures the noise of a dwell; spectrum
and transient of the forecast file are those of the scenario, as from an earlier measurement. The time of a scan is that
of its dwells, moves and travels of the shutter at the costs of the forecast, since messages over Channel Access at 400
times the speed of life take longer than dwells.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beamline.config.forecast import read_forecast
from beamline.records.forecast.rates import photons_a_pulse
from beamline.records.forecast.times import costs_of, forecast_of
from beamline.studies.expectation import ask_expectation
from plans.compilation.edges import find_edge
from reduction.allocation.problem import TimeCosts
from reduction.spectra.ratios import comparison_parameter
from reduction.spectra.spectrum import Spectrum

SPEEDUP, DWELL, DELAY, FLUENCE = 400.0, 1.5, 100.0, 8.8
EDGE = find_edge("Br_K")
ENERGY = np.array(EDGE.energies)
TARGETS = {"C(slot=0)": "6 %", "transient(slot=0, energy=13.472)": "8 %"}
FILE = """
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
[targets]
"{quantity}" = "{wanted}"
"""


def write_forecast(folder: Path, quantity: str, noise: float) -> Path:
    """The default scenario as a user would write it: spectra in edge steps, the flux that gives its photons."""
    truth = ask_expectation("default", ENERGY, DELAY, FLUENCE)
    slot = (np.arange(truth["mu_on"].shape[1]) - int(truth["laser_phase"])) % int(truth["divider"])
    off, on = truth["mu_off"].mean(axis=1), truth["mu_on"][:, slot == 0].mean(axis=1)
    pre = off[(EDGE.pre_edge[0] <= ENERGY) & (EDGE.pre_edge[1] >= ENERGY)].mean()
    step = off[-1] - pre
    np.savetxt(folder / "spectrum.txt", np.stack([ENERGY, (off - pre) / step], axis=1))
    np.savetxt(folder / "transient.txt", np.stack([ENERGY, (on - off) / step], axis=1))
    file, entries = folder / "forecast.toml", {"background": pre / step, "noise": noise, "dwell": DWELL}
    entries |= {"quantity": quantity, "wanted": TARGETS[quantity]}
    file.write_text(FILE.format(flux=1e9, **entries))
    file.write_text(FILE.format(flux=1e9 * step / photons_a_pulse(read_forecast(file), EDGE), **entries))
    return file


def error_of(quantity: str, spectrum: Spectrum) -> float:
    """Quoted standard error."""
    value, covariance = spectrum.transient[0], spectrum.transient_covariance[0]
    if quantity.startswith("C("):
        assert EDGE.comparison is not None
        return float(comparison_parameter(ENERGY, value, covariance, *EDGE.comparison).stddev)
    at = int(np.abs(ENERGY - 13.472).argmin())
    return float(np.sqrt(covariance[at, at]))


def seconds_of(visits: Mapping[tuple[str, int], int], pattern: tuple[int, ...], costs: TimeCosts) -> float:
    """Time of the dwells of each point in each run."""
    return sum(visits.values()) / len(pattern) * costs.of_cycle(pattern, DWELL) + costs.move * len(visits)


def scanned(session: Any, pattern: tuple[int, ...], **options: Any) -> dict[tuple[str, int], int]:
    """Dwells of each point in each run of a scan."""
    visits: dict[tuple[str, int], int] = {}

    def count(name: str, doc: Mapping[str, Any]) -> None:
        if name == "event" and "point_index" in doc["data"]:
            key = doc["descriptor"], int(doc["data"]["point_index"])
            visits[key] = visits.get(key, 0) + 1

    token = session.RE.subscribe(count)
    session.RE(session.energy_scan(edge="Br_K", delay=DELAY, dwell=DWELL, pattern=pattern, **options))
    session.RE.unsubscribe(token)
    return visits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=int, default=4)
    number = parser.parse_args().scans
    from beamline.config.models import load
    from beamline.session.simulators import simulated_beamline

    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with simulated_beamline("default", SPEEDUP) as environment, tempfile.TemporaryDirectory() as name:
        os.environ.update(environment)
        from beamline.session.session import Session, start  # Channel Access reads the environment when it is imported

        folder = Path(name)
        data = {"root": str(folder / "data"), "min_free_gb": 0.01}
        config = load(
            "simulated",
            data=data,
            display={"live_figure": "off"},
            clock_rate=SPEEDUP,
            suspenders=(),
            connect_timeout=120.0,
        )
        with start(config, fill_catalogue=False, notify=lambda _: None) as session:
            assert isinstance(session, Session)
            scanned(session, (1, 0, 0, 1))
            noise = float(session.reducer.result().dwell_noise)
            print(f"noise of a dwell: {100 * noise:.2f} %")
            for quantity in TARGETS:
                file = write_forecast(folder, quantity, noise)
                forecast = read_forecast(file)
                found, costs = forecast_of(forecast, EDGE).allocation, costs_of(forecast)
                options = {"passes": forecast.passes, "forecast": str(file), "longest": 3e4}
                for _ in range(number):
                    visits = scanned(session, found.pattern, target={quantity: TARGETS[quantity]}, **options)
                    taken = seconds_of(visits, found.pattern, costs)
                    error, wanted = error_of(quantity, session.reducer.result()), found.targets[0].wanted
                    print(
                        f"{quantity}: forecast {found.seconds:.0f} s, taken {taken:.0f} s, forecast / taken"
                        f" {found.seconds / taken:.2f}, error / wanted {error / wanted:.2f}", flush=True,
                    )  # fmt: skip


if __name__ == "__main__":
    main()
