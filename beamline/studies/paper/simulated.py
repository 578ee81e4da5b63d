"""Measured numbers of the paper, from simulations with the published counting times.

Counting statistics only, without jet noise, so that errors are those that the published counting times allow. A
simulator process draws the counts; the reduction is that of real data.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.studies.paper.number import PaperNumber
from plans.compilation.edges import find_edge, main_feature
from plans.compilation.grid import FLUENCES, delay_grid
from reduction.counting.rows import PointRates, point_rates, rows_of_counts
from reduction.settings import Settings
from reduction.spectra.amplitudes import area, relative_amplitude
from reduction.spectra.ratios import comparison_parameter
from reduction.spectra.spectrum import Spectrum, reduce_spectrum
from reduction.traces.delay import reduce_delay_scan
from reduction.traces.fluence import reduce_fluence_scan
from reduction.traces.kinetics.fit import fit_traces
from reduction.traces.linear_range import saturation

PATTERN, DWELL = [1, 0, 0, 1], 1.5
"""6 s per point in each pass, as published."""
FLUENCE, SECOND = 8.8, 1
"""mJ/cm2; and the slot one pulse later, which is the 163.5 ns measurement."""
QUIET: dict[str, Any] = {"jet": {"thickness_rms": 0.0, "pass_to_pass_rms": 0.0}}
FRESH: dict[str, Any] = {"kinetics": {"fresh_spot": True}}
"""Default: the offset decays with 155 ns, so that it vanishes before time zero, 767 ns after the last pump."""
FLAT: dict[str, Any] = {"kinetics": {"fresh_spot": True, "lifetimes_ps": [120.0, 900.0, float("inf")]}}
"""The published kinetics: the offset does not decay."""
DECAYING: dict[str, Any] = {
    "kinetics": {
        "fresh_spot": True,
        "lifetimes_ps": [120.0, 900.0, 155135.0838],
        "amplitudes": [0.60, 0.21, 0.3774838233],
    }
}
"""As the scenario `area_factor`: amplitudes at the three delays from the published factors."""
BR = {"Br 100 ps": (100.0, 9), "Br 10.1 ns": (10_100.0, 11)}


class PaperError(RuntimeError):
    """The simulator failed; the message has the end of its output."""


@dataclass(frozen=True)
class Drawn:
    """Rates of one simulated measurement."""

    rates: PointRates
    slot_delays: NDArray[np.float64]


def draw(folder: Path, seed: int, energies: list[float], delays: Any, fluences: Any, passes: int, mu: float,
         changes: dict[str, Any]) -> Drawn:  # fmt: skip
    """Let the simulator draw one measurement.

    Raises
    ------
    PaperError
    """
    scenario = {**QUIET, **changes, "sample": {"mu_white_line": mu}}
    request = {
        "scenario": scenario, "energies_keV": energies, "delay_ps": delays, "fluence_mJ_cm2": fluences,
        "pattern": PATTERN, "dwell_s": DWELL, "passes": passes, "measurements": 1, "slot_efficiency_rms": 0.002,
        "seed": seed,
    }  # fmt: skip
    request_file, result_file = folder / "request.json", folder / "answer.npz"
    request_file.write_text(json.dumps(request), encoding="utf-8")
    command = [sys.executable, "-m", "sim_ioc.sample", "--request", str(request_file), "--out", str(result_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PaperError(f"the simulator failed: {(done.stderr.strip() or 'nothing')[-300:]}")
    with np.load(result_file, allow_pickle=False) as data:
        hits = data["hits"][0].astype(np.int64)
        gates = np.full(hits.shape, int(data["gates"]))
        rows = rows_of_counts(
            hits, gates, data["flux"][0], data["laser_on"], data["pass_of_row"], data["slot_of_phase"]
        )
        out = np.zeros(1, np.int64)
        return Drawn(point_rates(rows, 1e-3, out), data["slot_delays_ps"])


def settings_of(edge: str, reference: str = "combined") -> Settings:
    """Settings with the windows of an edge."""
    found = find_edge(edge)
    return Settings(pre_edge=found.pre_edge, integral=found.integral, reference=reference)


def simulated(mu: float, seed: int, notify: Callable[[str], None]) -> Iterator[PaperNumber]:
    """Simulate and reduce all parts.

    Parameters
    ----------
    mu : float
        Photons per pulse at the white line.
    seed : int
    notify : callable
        Called with progress messages.

    Raises
    ------
    PaperError
    """
    with TemporaryDirectory(prefix="trxas-") as name:
        folder = Path(name)
        notify("time trace, 36 s per point")
        yield from _kinetics(folder, mu, seed)
        notify("Br and Pb spectra")
        yield from _spectra(folder, mu, seed + 10)
        notify("spectra with the decay that the area factors ask for")
        yield from _area_factors(folder, mu, seed + 20)
        notify("fluence scan")
        yield from _fluence(folder, mu, seed + 30)


def _kinetics(folder: Path, mu: float, seed: int) -> Iterator[PaperNumber]:
    delays = delay_grid()
    energy = main_feature(find_edge("Br_K"))
    drawn = draw(folder, seed, [energy] * delays.size, delays.tolist(), FLUENCE, 6, mu, FRESH)
    scan = reduce_delay_scan(delays, drawn.rates, settings_of("Br_K"), drawn.slot_delays)
    fit = fit_traces([scan.trace()], tail="long")
    how = f"{delays.size} delays, 36 s each, mu {mu:g}; offset of 155 ns"
    for index, (published, error) in enumerate(((120.0, 20.0), (900.0, 300.0))):
        low, high = fit.intervals[0, index]
        half = (high - low) / 2 if np.isfinite(high - low) else fit.lifetimes_stddev[index]
        yield PaperNumber(
            f"tau{index + 1}", "ps", published, float(fit.lifetimes[index]), "p. 9", how, error, float(half)
        )
    for index, published in enumerate((60.0, 21.0, 19.0)):
        label = f"fraction of tau{index + 1}" if index < 2 else "fraction of the offset"
        ours, error = 100 * fit.fractions[0, index], 100 * fit.fractions_stddev[0, index]
        yield PaperNumber(label, "%", published, float(ours), "p. 9", how, error=float(error))


def _spectrum(folder: Path, mu: float, seed: int, edge: str, delay: float, passes: int,
              changes: dict[str, Any]) -> Spectrum:  # fmt: skip
    grid = find_edge(edge).grid()
    drawn = draw(folder, seed, grid.tolist(), delay, FLUENCE, passes, mu, changes)
    return reduce_spectrum(grid, drawn.rates, settings_of(edge), drawn.slot_delays)


def _spectra(folder: Path, mu: float, seed: int) -> Iterator[PaperNumber]:
    first = _spectrum(folder, mu, seed, "Br_K", *BR["Br 100 ps"], FLAT)
    later = _spectrum(folder, mu, seed + 1, "Br_K", *BR["Br 10.1 ns"], FLAT)
    lead = _spectrum(folder, mu, seed + 2, "Pb_L3", 100.0, 56, FLAT)
    for edge, spectrum, published in (("Br_K", first, 2.0), ("Pb_L3", lead, 0.4)):
        main = main_feature(find_edge(edge))
        at = int(np.argmin(np.abs(spectrum.energy - main)))
        size, error = abs(spectrum.transient[0, at]), spectrum.transient_stddev[0, at]
        yield PaperNumber(
            f"{edge[:2]} transient, 100 ps", "% of static", published, float(100 * size / spectrum.static[at]), "SI 2",
            f"at {main} keV", error=float(100 * error / spectrum.static[at]),
        )  # fmt: skip
    values = [(first, 0), (later, 0), (later, SECOND)]
    (reference, error), *others = (_c("Br_K", spectrum, slot) for spectrum, slot in values)
    for delay, (ratio, its) in zip(("10.1 ns", "163.5 ns"), others, strict=True):
        yield PaperNumber(
            f"C of Br at {delay} less that at 100 ps", "", 0.0, ratio - reference, "Fig. 3e",
            f"C at 100 ps is {reference:.2f} +- {error:.2f}", error=float(np.hypot(error, its)),
        )  # fmt: skip
    yield from _factors(values, "flat offset, 19 %")


def _c(edge: str, spectrum: Spectrum, slot: int) -> tuple[float, float]:
    """C with its symmetrised error."""
    windows = find_edge(edge).comparison
    assert windows is not None
    covariance = spectrum.transient_covariance[slot]
    ratio = comparison_parameter(spectrum.energy, spectrum.transient[slot], covariance, *windows)
    return ratio.value, (ratio.high - ratio.low) / 2 if ratio.bounded else float("inf")


def _area_factors(folder: Path, mu: float, seed: int) -> Iterator[PaperNumber]:
    first = _spectrum(folder, mu, seed, "Br_K", *BR["Br 100 ps"], DECAYING)
    later = _spectrum(folder, mu, seed + 1, "Br_K", *BR["Br 10.1 ns"], DECAYING)
    yield from _factors([(first, 0), (later, 0), (later, SECOND)], "38 % that decays with 155 ns")


def _factors(spectra: list[tuple[Spectrum, int]], kinetics: str) -> Iterator[PaperNumber]:
    """Factors of the later delays relative to the first, by projection and by area."""
    (first, slot), *later = spectra
    whole = area(first.energy, first.transient[slot], first.transient_covariance[slot])
    for (spectrum, its), published, delay in zip(later, (363.0, 976.0), ("10.1 ns", "163.5 ns"), strict=True):
        size, error = relative_amplitude(
            spectrum.transient[its], spectrum.transient_covariance[its],
            first.transient[slot], first.transient_covariance[slot],
        )  # fmt: skip
        factor = 155.0 / size
        yield PaperNumber(
            f"area factor {delay}", "", published, factor, "Fig. 2", f"projection; {kinetics}",
            error=factor * error / size,
        )  # fmt: skip
        own = area(spectrum.energy, spectrum.transient[its], spectrum.transient_covariance[its])
        ratio = 155.0 * whole.value / own.value
        relative = np.hypot(own.stddev / own.value, whole.stddev / whole.value)
        yield PaperNumber(
            f"area factor {delay}", "", published, ratio, "Fig. 2",
            f"|area|, of which noise {100 * own.noise / own.value:.0f} %; {kinetics}", error=float(ratio * relative),
        )  # fmt: skip


def _fluence(folder: Path, mu: float, seed: int) -> Iterator[PaperNumber]:
    grid = np.array(FLUENCES)
    energy = main_feature(find_edge("Br_K"))
    drawn = draw(folder, seed, [energy] * grid.size, 100.0, grid.tolist(), 9, mu, FLAT)
    scan = reduce_fluence_scan(grid, drawn.rates, settings_of("Br_K", "shutter"), drawn.slot_delays)
    bend = saturation(grid, scan.transient[0], scan.transient_covariance[0])
    low, high = bend.interval
    error = (high - low) / 2 if np.isfinite(high) else float("nan")
    yield PaperNumber("plateau begins", "mJ/cm2", 10.0, bend.saturates_at, "SI 3", "54 s a fluence", 1.0, error)
    yield PaperNumber("linear up to", "mJ/cm2", 10.0, bend.linear_up_to, "SI 3", "highest fluence on one line", 1.0)
