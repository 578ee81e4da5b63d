"""Monte Carlo of the four references: error, bias and beam time of each, on simulated measurements.

A simulator process draws seeded measurements and writes them to a file; here they are reduced exactly as measured data.
Nothing here depends on the forward model except the noise-free rates in that file, which are the truth.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.rows import DwellRows, point_rates, rows_of_counts
from reduction.references.methods import reference_weights
from reduction.settings import REFERENCES, Settings
from reduction.spectra.normalise import normalise
from reduction.spectra.spectrum import reduce_spectrum

Array = NDArray[np.float64]

ENERGIES = np.round(
    np.concatenate([
        [13.450, 13.453, 13.456, 13.460],
        np.arange(13.464, 13.470, 0.0005),
        np.arange(13.470, 13.474, 0.00025),
        np.arange(13.474, 13.4785, 0.0005),
        [13.481, 13.485, 13.490, 13.497, 13.503, 13.508, 13.520, 13.540, 13.570],
    ]), 6,
)  # fmt: skip
"""keV; the bromine edge with fewer points in flat regions."""
WHITE_LINE = 13.472
AROUND = 0.00101
"""keV; the printed error is that of points this close to the white line."""
SLOT = 1
"""The printed slot: 163.5 ns at a delay of 10.1 ns."""
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.462, 13.570))
FLUENCE = 8.8
SECONDS_A_PASS = 12.0
PATTERNS: dict[str, tuple[tuple[int, ...], float]] = {
    "1:1": ((1, 0, 0, 1), 3.0),
    "2:1": ((1, 0, 1), 4.0),
}
"""Laser on (1) and off (0) dwells of a point and their seconds, by the ratio of on to off."""


class StudyError(Exception):
    """The study failed; the message has the reason."""


@dataclass(frozen=True)
class Case:
    """One condition: ratio of laser on to off, jet noise (rms over 60 s), slowest lifetime (ns)."""

    ratio: str
    jet: float
    lifetime: float


@dataclass(frozen=True)
class Conditions:
    """Conditions common to all cases.

    Attributes
    ----------
    measurements : int
        Number of measurements per case.
    passes : int
        Number of passes, 12 s per point each.
    mu : float
        Photons per pulse at the white line.
    delay : float
        Pump-probe delay of slot 0, ps.
    efficiency : float
        Spread (rms) of the slots' efficiencies.
    i0_noise : float
        Relative standard deviation of one I0 reading.
    seed : int
    """

    measurements: int = 60
    passes: int = 4
    mu: float = 0.3
    delay: float = 10_100.0
    efficiency: float = 0.004
    i0_noise: float = 0.0
    seed: int = 1

    def request(self, case: Case, number: int) -> dict[str, Any]:
        """Request to the simulator."""
        pattern, dwell = PATTERNS[case.ratio]
        return {
            "scenario": {
                "sample": {"mu_white_line": self.mu},
                "kinetics": {"lifetimes_ps": [120.0, 900.0, 1000 * case.lifetime], "fresh_spot": True},
                "jet": {"thickness_rms": case.jet},
                "i0": {"noise": self.i0_noise},
            },
            "energies_keV": ENERGIES.tolist(), "delay_ps": self.delay, "fluence_mJ_cm2": FLUENCE,
            "pattern": list(pattern), "dwell_s": dwell, "passes": self.passes, "measurements": self.measurements,
            "slot_efficiency_rms": self.efficiency, "seed": self.seed + number,
        }  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Result of one reference in one case, in units of the edge integral.

    Attributes
    ----------
    error, error_stddev : float
        Scatter of a point at the white line between measurements, and its uncertainty.
    quoted : float
        Error from the reduction.
    bias, bias_stddev : float
        Mean deviation from the truth at the white line (amplitude of the true shape over the edge).
    """

    error: float
    error_stddev: float
    quoted: float
    bias: float
    bias_stddev: float


@dataclass(frozen=True)
class CaseResult:
    """Results of all references in one case.

    Attributes
    ----------
    outcomes : dict
        By reference.
    signal : float
        True transient at the white line.
    clean : ndarray, shape (S,)
        Fraction of measurements in which each slot was found clean.
    held : float
        Mean residual transient in the reference slots of `slots`, at the white line.
    """

    case: Case
    outcomes: dict[str, Outcome]
    signal: float
    clean: Array
    held: float


def run_study(cases: list[Case], conditions: Conditions) -> Iterator[CaseResult]:
    """Yield results case by case; the simulator draws the next case meanwhile.

    Raises
    ------
    StudyError
        If the simulator fails, with the end of its output.
    """
    with TemporaryDirectory(prefix="trxas-") as name:
        folder = Path(name)
        drawing = [_draw(folder, number, conditions.request(case, number)) for number, case in enumerate(cases[:1])]
        try:
            for number, case in enumerate(cases):
                draws = _read_draws(folder, number, drawing.pop(0))
                if number + 1 < len(cases):
                    drawing.append(_draw(folder, number + 1, conditions.request(cases[number + 1], number + 1)))
                yield evaluate(case, draws, replace(SETTINGS, i0_noise=conditions.i0_noise))
        finally:
            for process in drawing:
                process.kill()
                process.communicate()


def _draw(folder: Path, number: int, request: dict[str, Any]) -> subprocess.Popen[str]:
    file = folder / f"request_{number}.json"
    file.write_text(json.dumps(request), encoding="utf-8")
    command = [sys.executable, "-m", "sim_ioc.sample", "--request", str(file), "--out", str(_file(folder, number))]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _file(folder: Path, number: int) -> Path:
    return folder / f"answer_{number}.npz"


def _read_draws(folder: Path, number: int, process: subprocess.Popen[str]) -> dict[str, Any]:
    _, stderr = process.communicate()
    if process.returncode:
        lines = stderr.strip().splitlines()[-1:] or ["nothing"]
        raise StudyError(f"the simulator failed: {lines[0]}")
    with np.load(_file(folder, number), allow_pickle=False) as arrays:
        draws = {name: arrays[name] for name in arrays.files}
    _file(folder, number).unlink()
    return draws


@dataclass
class _Found:
    """Results of one reference for all measurements of a case."""

    transient: list[Array] = field(default_factory=list)
    stddev: list[Array] = field(default_factory=list)
    truth: list[Array] = field(default_factory=list)


def evaluate(case: Case, draws: dict[str, Any], settings: Settings) -> CaseResult:
    """Reduce all measurements of a case by every reference and compare with the truth.

    `slots` measures a slot minus its reference slots, and is compared with that.
    """
    truth = Truth(draws, settings)
    found = {name: _Found() for name in REFERENCES}
    clean, held = [], []
    for hits, flux in zip(draws["hits"], draws["flux"], strict=True):
        rates = point_rates(rows(draws, hits, flux), settings.i0_noise, np.zeros(1, np.int64))
        for name in REFERENCES:
            spectrum = reduce_spectrum(ENERGIES, rates, replace(settings, reference=name), draws["slot_delays_ps"])
            found[name].transient.append(spectrum.transient[SLOT])
            found[name].stddev.append(spectrum.transient_stddev[SLOT])
            clean_slots = tuple(spectrum.clean_slots.tolist())
            found[name].truth.append(truth.against(clean_slots) if name == "slots" else truth.transient)
        clean.append(clean_slots)
        held.append(truth.transient - truth.against(clean_slots))
    at = int(np.argmin(np.abs(ENERGIES - WHITE_LINE)))
    return CaseResult(
        case,
        {name: _outcome(entries, truth.transient) for name, entries in found.items()},
        float(truth.transient[at]),
        np.mean(clean, axis=0),
        float(np.mean(held, axis=0)[at]),
    )


def rows(draws: dict[str, Any], hits: NDArray[np.int32], flux: Array) -> DwellRows:
    """One measurement in the form of the reduction."""
    gates = np.broadcast_to(np.int64(draws["gates"]), hits.shape)
    return rows_of_counts(
        hits.astype(np.int64), gates, flux, draws["laser_on"], draws["pass_of_row"], draws["slot_of_phase"]
    )


class Truth:
    """Transient of the printed slot without noise, through the same normalisation.

    Attributes
    ----------
    transient : ndarray, shape (E,)
        Against the same slot with the laser off.
    """

    def __init__(self, draws: dict[str, Any], settings: Settings) -> None:
        slot_of_phase = draws["slot_of_phase"]
        self._settings = settings
        self._off, self._on = (
            np.stack([draws[name][:, slot_of_phase == s].mean(axis=1) for s in range(slot_of_phase.max() + 1)])
            for name in ("mu_off", "mu_on")
        )
        self._last = int(np.argmax(draws["slot_delays_ps"]))
        self.transient = self._normalised(self._on[SLOT]) - self._normalised(self._off[SLOT])
        self.against = cache(self._against)

    def _normalised(self, rate: Array) -> Array:
        return normalise(rate, np.ones_like(rate), ENERGIES, self._settings).value

    def _against(self, clean: tuple[int, ...]) -> Array:
        """Transient of the slot minus that of its reference slots, for the slots found clean."""
        weights = reference_weights(np.array(clean, np.bool_), self._last)[SLOT]
        held = np.exp(weights @ np.log(self._on / self._off))
        return self._normalised(self._on[SLOT] / held) - self._normalised(self._off[SLOT])


def _outcome(found: _Found, shape: Array) -> Outcome:
    """Scatter and bias of many measurements against their truths."""
    away = np.array(found.transient) - np.array(found.truth)
    near = np.abs(ENERGIES - WHITE_LINE) < AROUND
    number = len(away)
    error = float(np.sqrt(away[:, near].var(axis=0, ddof=1).mean()))
    unit = shape / shape[np.argmin(np.abs(ENERGIES - WHITE_LINE))]
    bias = away @ unit / (unit @ unit)
    return Outcome(
        error=error,
        error_stddev=error / np.sqrt(2 * (number - 1) * near.sum()),
        quoted=float(np.sqrt((np.array(found.stddev)[:, near] ** 2).mean())),
        bias=float(bias.mean()),
        bias_stddev=float(bias.std(ddof=1) / np.sqrt(number)),
    )
