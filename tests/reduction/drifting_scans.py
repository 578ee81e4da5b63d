"""Energy scans of a drifting jet, by a forward model of their own: ``python -m tests.reduction.drifting_scans``.

Thickness, light and counts are drawn here in plain numpy; nothing comes from the reduction or the simulator. Printed is
the width of the pulls of the static spectrum and of slot 0's transient for each case, with drift "off" for comparison.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.rows import DwellRows, PointRates, point_rates
from reduction.settings import Settings
from reduction.spectra.spectrum import Spectrum, reduce_spectrum

Array = NDArray[np.float64]

ENERGY = np.array(
    [13.450, 13.455, 13.460, 13.465, 13.4675, 13.469, 13.470, 13.471, 13.472, 13.473, 13.4745, 13.4765, 13.48, 13.485,
     13.49, 13.497, 13.508, 13.52, 13.535, 13.55, 13.57]
)  # fmt: skip
MONITORS = np.array([13.455, 13.49])
SHOWN = (4, 8, 11, 16)
SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.465, 13.570), i0_noise=1e-3, reference="paper")
PATTERN = np.array([1, 0, 0, 1])
HELD = np.array([1.0, 0.35, 0.12, 0.04, 0.01])
"""Transient of each slot."""
DWELL, GAP, MOVE, GATES = 1.5, 0.1, 0.6, 1_950_000
"""Seconds of a dwell, between dwells and for a move; gates of a slot in a dwell."""
OTHERS = 20.0
"""Seconds between two points: for each of these, a real grid has three more, and lasts ten minutes."""


@dataclass(frozen=True)
class Case:
    """One kind of measurement: passes, order, visits of monitor energies; drift, jet and light."""

    drift: str = "none"
    size: float = 0.0
    jet: float = 0.0
    mu: float = 0.15
    passes: int = 1
    order: str = "ascending"
    visits: int = 14

    @property
    def name(self) -> str:
        """In one line."""
        how = f"{self.visits} visits" if self.visits else "no monitors"
        return (
            f"{self.drift:>6} {100 * self.size:4.0f} %, jet {100 * self.jet:3.1f} %, mu {self.mu:4.2f},"
            f" {self.passes} {self.order:<11}, {how}"
        )


def absorption(energy: Array) -> Array:
    """Light relative to the edge step: background, edge, white line."""
    x = 1e3 * (energy - 13.470)
    return np.asarray(0.5 + 0.5 + np.arctan(x / 1.1) / np.pi + 0.9 / (1 + ((x - 2.0) / 1.4) ** 2))


def transient(energy: Array) -> Array:
    """Change of it by the laser."""
    x = 1e3 * (energy - 13.472)
    return np.asarray(0.03 * (0.5 * np.exp(-(((x + 4) / 1.5) ** 2)) - np.exp(-((x / 1.3) ** 2))))


def flicker(rng: np.random.Generator, time: Array, low: float, rms: float, window: float) -> Array:
    """1/f noise from `low` to 100 Hz as means over dwells, of this rms about the mean of a window (s)."""
    edges = np.geomspace(low, 100.0, 2 + int(48 * np.log10(100.0 / low)))
    tone = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.random(edges.size - 1)
    size = rms / np.sqrt(0.5 * (1 - np.sinc(tone * window) ** 2).sum())
    waves = np.cos(2 * np.pi * tone * time[:, None] + rng.uniform(0, 2 * np.pi, tone.size))
    return np.asarray(size * (waves * np.sinc(tone * DWELL)).sum(axis=1))


@dataclass(frozen=True)
class Dwells:
    """Dwells in the order of time: pass, energy (monitors after the points), segment or number, laser, time (s)."""

    scan: NDArray[np.int64]
    place: NDArray[np.int64]
    segment: NDArray[np.int64]
    laser: NDArray[np.int64]
    time: Array


def dwells_of(case: Case, rng: np.random.Generator) -> Dwells:
    """When everything is counted."""
    taken, now = [], 0.0
    before = np.rint(np.linspace(0, ENERGY.size, case.visits)).astype(int) if case.visits else []
    for scan in range(case.passes):
        order = np.arange(ENERGY.size)
        if case.order == "random":
            order = rng.permutation(order)
        if case.order == "alternating" and scan % 2:
            order = order[::-1]
        visit = 0
        for number in range(ENERGY.size + 1):
            while visit < len(before) and before[visit] == number:
                now += MOVE
                taken.append((scan, ENERGY.size + visit % MONITORS.size, visit, 0, now + DWELL / 2))
                now += DWELL + MOVE
                visit += 1
            for segment, laser in enumerate(PATTERN) if number < ENERGY.size else ():
                taken.append((scan, order[number], segment, laser, now + DWELL / 2))
                now += DWELL + GAP
            now += OTHERS
        now += 30.0
    *labels, time = zip(*taken, strict=True)
    return Dwells(*(np.array(each) for each in labels), np.array(time))  # type: ignore[arg-type]


def thickness(case: Case, dwells: Dwells, rng: np.random.Generator) -> Array:
    """Of the jet in each dwell: drift in each pass, noise, and another mean in each pass."""
    found = 1 + flicker(rng, dwells.time, 0.02, case.jet, 60.0)
    if case.drift == "1/f":
        found *= np.exp(flicker(rng, dwells.time, 1e-4, case.size, float(np.ptp(dwells.time[dwells.scan == 0]))))
    sign = rng.choice([-1.0, 1.0])
    for scan in range(case.passes):
        mine = dwells.scan == scan
        since = dwells.time[mine] - dwells.time[mine][0]
        position = 2 * since / since[-1] - 1
        found[mine] *= 1 + 0.05 * rng.uniform(-1, 1)
        if case.drift == "linear":
            found[mine] *= 1 + np.sqrt(3) * sign * case.size * position
        if case.drift == "walk":
            steps = rng.standard_normal(mine.sum()) * np.sqrt(np.diff(since, prepend=0.0) / since[-1])
            found[mine] *= np.exp(case.size * np.sqrt(6) * np.cumsum(steps))  # of unit variance about its mean
    return found


def measured(case: Case, seed: int) -> PointRates:
    """One measurement."""
    rng = np.random.default_rng([1987, seed])
    dwells = dwells_of(case, rng)
    thick = thickness(case, dwells, rng)
    energy = np.concatenate([ENERGY, MONITORS])
    light = absorption(energy)[dwells.place, None] + transient(energy)[dwells.place, None] * np.outer(
        dwells.laser, HELD
    )  # fmt: skip
    mu = case.mu / absorption(np.array([13.472])) * light * thick[:, None]
    hits = rng.binomial(GATES, -np.expm1(-mu))
    variance = hits / (GATES * (GATES - hits))
    found = -np.log1p(-hits / GATES) - variance / 2
    flux = 1 + 1e-3 * rng.standard_normal(len(mu))
    monitor = dwells.place >= ENERGY.size
    rows = _rows(dwells, ~monitor, dwells.place, dwells.scan * PATTERN.size + dwells.segment, found, variance, flux)
    rates = point_rates(rows, SETTINGS.i0_noise, np.zeros(24, np.int64))
    if not monitor.any():
        return rates
    number = np.cumsum(monitor) - 1
    return replace(
        rates, monitors=_rows(dwells, monitor, dwells.place - ENERGY.size, number, found, variance, flux)
    )  # fmt: skip


def _rows(
    dwells: Dwells, chosen: Any, place: Any, row: Any, mu: Array, variance: Array, flux: Array
) -> DwellRows:  # fmt: skip
    at = place[chosen], row[chosen]
    shape = (int(at[0].max()) + 1, int(at[1].max()) + 1)
    scan = np.zeros(shape[1], np.int64)
    scan[at[1]] = dwells.scan[chosen]
    state, weight, flux_of, time = np.full(shape, -1, np.int8), np.zeros(shape), np.ones(shape), np.full(shape, np.nan)
    slot_mu, slot_var = np.full((*shape, HELD.size), np.nan), np.full((*shape, HELD.size), np.nan)
    state[at], weight[at], flux_of[at], time[at] = dwells.laser[chosen], GATES, flux[chosen], dwells.time[chosen]
    slot_mu[at], slot_var[at] = mu[chosen], variance[chosen]
    return DwellRows(scan, state, weight, flux_of, slot_mu, slot_var, np.zeros((*slot_mu.shape, 0)), time)


def normalised(rate: Array) -> Array:
    """Spectrum less its mean before the edge, over its mean above it, by trapezoids."""
    above = rate - rate[..., :3].mean(axis=-1, keepdims=True)
    edge = slice(3, None)
    mean = np.trapezoid(above[..., edge], ENERGY[edge]) / np.ptp(ENERGY[edge])
    return np.asarray(above / mean[..., None])


STATIC = normalised(absorption(ENERGY))
TRANSIENT = normalised(absorption(ENERGY) + HELD[:, None] * transient(ENERGY)) - STATIC


def spectrum_of(case: Case, seed: int, **settings: Any) -> Spectrum:
    """One measurement, reduced."""
    return reduce_spectrum(ENERGY, measured(case, seed), replace(SETTINGS, **settings))


def pulls(case: Case, repeats: int, **settings: Any) -> tuple[Array, Array]:
    """Of the static spectrum and of slot 0's transient at `SHOWN`, both shape (repeats, 4)."""
    static, changed = [], []
    for seed in range(repeats):
        found = spectrum_of(case, seed, **settings)
        static.append(((found.static - STATIC) / found.static_stddev)[list(SHOWN)])
        changed.append(((found.transient[0] - TRANSIENT[0]) / found.transient_stddev[0])[list(SHOWN)])
    return np.array(static), np.array(changed)


DRIFTS = [("none", 0.0), ("linear", 0.03), ("linear", 0.1), ("1/f", 0.03), ("walk", 0.03), ("walk", 0.1)]
WITH_MONITORS = [
    *(Case(kind, size, jet) for kind, size in DRIFTS for jet in (0.0, 0.01)),
    Case("linear", 0.1, 0.03), Case("linear", 0.1, 0.01, 0.05), Case("linear", 0.1, 0.003, 2.0),
    Case("walk", 0.1, 0.003, 0.05), Case("walk", 0.05, 0.003, 2.0), Case("walk", 0.05, 0.01, passes=4),
    Case("linear", 0.1, 0.01, passes=4), Case("none", 0.0, 0.0, passes=4),
]  # fmt: skip
ALTERNATING = [
    *(Case(kind, size, jet, passes=4, order="alternating", visits=0) for kind, size in DRIFTS for jet in (0.0, 0.01)),
    Case("linear", 0.1, 0.03, passes=2, order="alternating", visits=0),
    Case("linear", 0.1, 0.003, 2.0, passes=8, order="alternating", visits=0),
    Case("walk", 0.05, 0.003, passes=4, order="random", visits=0),
    Case("walk", 0.05, 0.003, passes=4, visits=0),
]


def main(repeats: str = "40", first: str = "0", last: str = "1000") -> None:
    """Print the table."""
    for case in [*WITH_MONITORS, *ALTERNATING][int(first) : int(last)]:
        widths = []
        for drift in ("auto", "off"):
            found = pulls(case, int(repeats), drift=drift)
            widths += [f"{np.sqrt((each**2).mean()):7.2f}" for each in found]
            if drift == "auto":
                means = [f"{each.mean():+6.2f}" for each in found]
        print(case.name, "| static, transient", *widths[:2], "mean", *means, "| off", *widths[2:], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
