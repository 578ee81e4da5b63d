"""Factors of the advice against drawn scans with the numbers changed: ``python -m tests.benchmarks.advice_factors``.

A pass of each beamline below is measured with on-off-off-on at dwells of 1.5 s: three passes give rates, noise and its
variogram, from which the prediction says what each change would do to the time for the first slot's transient about the
white line, with an error that is a share of what is expected at each delay. Then scans are drawn with the numbers
changed (binomial counts, 1/f noise of the jet by Fourier transformation, noise of I0), reduced, and their scatter gives
the factor directly. An argument is their number.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from beamline.config.forecast import TransientForecast
from beamline.records.forecast.changes import DELAYS
from plans.compilation.edges import find_edge
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.predicted import predicted
from reduction.allocation.problem import TimeCosts
from reduction.counting.rows import DwellRows, point_rates, rows_of_counts
from reduction.references.noise_spectrum import NoiseSpectrum, variogram
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, reduce_spectrum

Array = NDArray[np.float64]
Rng = np.random.Generator

EDGE = find_edge("Br_K")
ENERGY = np.array(
    [
        13.45,
        13.454,
        13.458,
        13.46,
        13.463,
        13.466,
        *np.arange(13.4675, 13.479, 5e-4),
        13.482,
        13.485,
        13.49,
        13.5,
        13.53,
    ]
)
EV = 1e3 * (ENERGY - 13.472)
NEAR = np.abs(EV) < 2.6
STATIC = 0.8 + np.arctan(2 * (EV + 2) / 2.52) / np.pi + 0.6 * np.exp(-((EV / 2) ** 2))
CHANGE = 0.02 * (np.exp(-(((EV + 4.5) / 1.2) ** 2)) - np.exp(-((EV / 1.3) ** 2)))
DECAY = np.array([1.0, 0.24, 0.12, 0.06, 0.03])
SLOTS = DECAY.size
APART, KINETICS = 153_438.0, TransientForecast(shift=1.0)
GATES, FLUX, I0_NOISE, STEP = 6.5173e6 / SLOTS, 0.15, 1e-3, 0.01
COSTS = TimeCosts(move=0.3, shutter=0.05, message=0.02, passes=4)


@dataclass(frozen=True)
class Case:
    """Photons a pulse at the edge step, the jet (rms, lowest and highest Hz), and how it is measured."""

    photons: float
    jet: tuple[float, float, float]
    reference: str
    pattern: tuple[int, ...] = (1, 0, 0, 1)
    dwell: float = 1.5
    detectors: int = 1
    delay: float = 100.0
    """Of the first slot, ps."""

    @property
    def size(self) -> float:
        """Expected transient of the first slot over that at 100 ps."""
        return float(KINETICS.held(np.array(self.delay)))

    @property
    def decay(self) -> Array:
        """Transients of the slots; a tenth of a nanosecond more or less is nothing to those after the first."""
        return np.append(self.size, DECAY[1:])

    @property
    def slot_delays(self) -> Array:
        """Shape (SLOTS,), ps."""
        return self.delay + APART * np.arange(SLOTS)

    @property
    def cycle(self) -> float:
        """Seconds."""
        return COSTS.of_cycle(self.pattern, self.dwell)


CASES = {
    "3 % rms over 0.01 to 5 Hz, 0.05 photons, reference shutter": Case(0.05, (0.03, 0.01, 5.0), "shutter"),
    "0.1 % rms over 0.01 to 100 Hz, 0.02 photons, reference shutter": Case(0.02, (1e-3, 0.01, 100.0), "shutter"),
    "1 % rms over 0.01 to 100 Hz, 2.5 photons, reference slots": Case(2.5, (0.01, 0.01, 100.0), "slots"),
}


def changes(case: Case) -> dict[str, Case]:
    """What is compared with a case."""
    other = {"shutter": "slots", "slots": "shutter"}[case.reference]
    return {
        "3 times the flux": replace(case, photons=3 * case.photons),
        "0.3 times the flux": replace(case, photons=0.3 * case.photons),
        "laser on-off-on": replace(case, pattern=(1, 0, 1)),
        "laser off-on-off": replace(case, pattern=(0, 1, 0)),
        "laser on-on-off-on-on": replace(case, pattern=(1, 1, 0, 1, 1)),
        "dwells of 0.375 s": replace(case, dwell=0.375),
        "dwells of 6 s": replace(case, dwell=6.0),
        f"reference {other}": replace(case, reference=other),
        "twice the detectors": replace(case, detectors=2),
        **{f"a delay of {factor * case.delay:g} ps": replace(case, delay=factor * case.delay) for factor in DELAYS},
    }


def jet_of(rng: Rng, case: Case, number: int) -> Array:
    """Relative thickness in steps of `STEP`."""
    rms, low, high = case.jet
    frequency = np.fft.rfftfreq(number, STEP)
    within = (frequency >= low) & (frequency <= high)
    size = np.where(within, 1 / np.sqrt(np.where(within, frequency, 1.0)), 0.0)
    random = rng.standard_normal((2, frequency.size))
    series = np.fft.irfft(size * (random[0] + 1j * random[1]), number)
    return np.asarray(rms * series / (2 * np.sqrt((size**2).sum()) / number))


def drawn(rng: Rng, case: Case, passes: int = 1, cycles: int = 1) -> DwellRows:
    """Dwells of some passes."""
    states = np.array(case.pattern * cycles)
    spacing = case.cycle / len(case.pattern)
    each = spacing * states.size + COSTS.move
    begin = np.arange(ENERGY.size)[:, None] * each + np.arange(states.size) * spacing
    bare = STATIC[:, None] + np.multiply.outer(states, np.outer(CHANGE, case.decay)).transpose(1, 0, 2).reshape(
        ENERGY.size, -1
    )
    gates, thickness = int(GATES * case.dwell * case.detectors), []
    first, length = np.rint(begin / STEP).astype(int), round(case.dwell / STEP)
    for _ in range(passes):
        total = np.concatenate([[0.0], np.cumsum(jet_of(rng, case, int((each * ENERGY.size + 9) / STEP)))])
        thickness.append(1 + (total[first + length] - total[first]) / length)
    photons = case.photons * np.tile(bare.reshape(*begin.shape, SLOTS), (1, passes, 1))
    photons = photons * np.concatenate(thickness, axis=1)[..., None]
    hits = rng.binomial(gates, -np.expm1(-photons))
    flux = FLUX * (1 + I0_NOISE * rng.standard_normal(photons.shape[:2]))
    number = np.repeat(np.arange(passes), states.size)
    on = np.tile(states, passes).astype(bool)
    rows = rows_of_counts(hits, np.full(hits.shape, gates), flux, on, number, np.arange(SLOTS))
    return replace(rows, time=np.tile(begin, (1, passes)) + 1e5 * number)


def settings(case: Case) -> Settings:
    """Those of the reduction."""
    windows = {"pre_edge": (13.449, 13.461), "integral": EDGE.integral}
    return Settings.from_mapping({**windows, "reference": case.reference, "i0_noise": I0_NOISE, "drift": "off"})


def reduced(rows: DwellRows, case: Case) -> Spectrum:
    """A spectrum."""
    return reduce_spectrum(ENERGY, point_rates(rows, I0_NOISE, np.zeros(1, np.int64)), settings(case), case.slot_delays)


def scattered(seed: int, case: Case, number: int) -> float:
    """Variance of the transient, over what is expected, times seconds of a cycle, by the scatter of drawn scans."""
    rng = np.random.default_rng(seed)
    found = np.array([reduced(drawn(rng, case), case).transient[0, NEAR] for _ in range(number)])
    return float(found.var(axis=0, ddof=1).mean()) * case.cycle / case.size**2


def foreseen(case: Case, noise: float) -> float:
    """The same by the prediction."""
    off = case.photons * STATIC
    photons = np.stack([np.broadcast_to(off, (SLOTS, off.size)), off + case.photons * np.outer(case.decay, CHANGE)])
    none, phases = np.zeros((2, SLOTS)), np.full(SLOTS, float(case.detectors))
    grid = ExpectedGrid(
        "mono_energy", ENERGY, photons, none, none, GATES, phases, case.dwell, noise, settings(case), case.slot_delays
    )
    one = predicted(grid, case.pattern, np.ones(ENERGY.size))
    return float(one.variance(one.unit(0)[NEAR]).total.mean()) * case.cycle / case.size**2


def ratio(spectra: Sequence[NoiseSpectrum], case: Case, other: Case) -> float:
    """Noise of a dwell over that of now, the largest of the spectra that agree with the measured dwells."""

    def size(spectrum: NoiseSpectrum, one: Case) -> float:
        return spectrum.of_rhythm(one.pattern, one.dwell, one.cycle / len(one.pattern))

    return max((size(each, other) / (size(each, case) or 1.0) for each in spectra), default=1.0)


def main(number: str = "60") -> None:
    """Print a table for each beamline."""
    for title, case in CASES.items():
        table = Table("change", "times faster: advice", "by the best spectrum", "drawn", title=title)
        rows = drawn(np.random.default_rng(1), case, passes=3, cycles=2)
        noise = float(reduced(rows, case).dwell_noise)
        spectra = NoiseSpectrum.of(variogram(rows), case.dwell, I0_NOISE)
        now, direct = foreseen(case, noise), scattered(100, case, int(number))
        error = np.sqrt(4 / (int(number) - 1) / (0.7 * NEAR.sum()))  # neighbours share the normalisation
        for seed, (name, other) in enumerate(changes(case).items()):
            if case.photons * STATIC.max() > 2 and other.photons > case.photons:
                continue  # it would saturate
            both = [now / foreseen(other, noise * ratio(some, case, other)) for some in (spectra, spectra[:1])]
            found = direct / scattered(200 + seed, other, int(number))
            table.add_row(name, *(f"{each:.2f}" for each in both), f"{found:.2f} +- {found * error:.2f}")
        Console(width=100).print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
