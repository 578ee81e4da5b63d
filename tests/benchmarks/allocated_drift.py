"""Allocated energy scans of a jet that drifts, drawn with their times and reduced, with monitor energies and without.

``python -m tests.benchmarks.allocated_drift [WANTED [SCANS [VISITS]]]``: wanted error of the transient of bromine at
13.472 keV ("2.2 %"), number of scans, and visits of monitor energies in each pass (0 for none).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from beamline.studies.allocation.campaign import drawn_pass, joined
from beamline.studies.allocation.cases import COSTS, spectrum
from beamline.studies.allocation.estimate import of_point
from reduction.allocation.allocate import allocate
from reduction.allocation.expected import ExpectedGrid
from reduction.allocation.wanted import Target
from reduction.allocation.whole import cycles_of_pass
from reduction.counting.kernels import EMPTY, OFF
from reduction.counting.rows import DwellRows, PointRates, point_rates
from sim_ioc.physics.noise import PinkNoise

Array = NDArray[np.float64]
QUANTITY, PATTERN, PASSES, NOISE = "transient(slot=0, energy=13.472)", (1, 0, 0, 1), 4, 0.0065
MONITORS, WAY = (5, 90), 6.0
"""Points of the grid that serve as monitor energies; seconds there and back."""


class Jet:
    """Thickness: what means over dwells leave of 1/f noise of 1 % in 60 s, and changes of 5 % in 20 to 120 minutes."""

    def __init__(self, seed: int) -> None:
        self.parts = PinkNoise(0.006, 0.01, 0.3, 60.0, [seed, 1]), PinkNoise(0.05, 1 / 7200, 1 / 1200, 1e9, [seed, 2])

    def __call__(self, time: Array) -> Array:
        return 1 + sum(part(time) for part in self.parts)


def order_of(cycles: NDArray[np.int64], visits: int) -> Iterator[int]:
    """Points of a pass in ascending order, -1 for a monitor energy: as a scan leaves them out."""
    due, before = False, np.rint(np.linspace(0, cycles.size, visits)).astype(int)
    for point in range(cycles.size):
        due |= point in before
        if cycles[point]:
            yield from [-1] * due
            yield point
            due = False
    yield from [-1] * bool(visits)


def times_of(
    grid: ExpectedGrid, cycles: NDArray[np.int64], visits: int, now: float
) -> tuple[Array, Array, float]:  # fmt: skip
    """Times of the dwells of a pass, shape (N, R), and of its monitor dwells; its end."""
    number, monitors = np.arange(len(PATTERN) * int(cycles.max())), []
    time = np.full((grid.points, number.size), np.nan)
    each = COSTS.of_cycle(PATTERN, grid.dwell) / len(PATTERN)
    for point in order_of(cycles, visits):
        now += COSTS.move if point >= 0 else WAY
        if point < 0:
            monitors.append(now + grid.dwell / 2)
            now += grid.dwell
        else:
            taken = number < len(PATTERN) * cycles[point]
            time[point, taken] = now + each * (number[taken] + 0.5)
            now += each * taken.sum()
    return time, np.array(monitors), now


def thicker(rows: DwellRows, time: Array, jet: Jet, rng: np.random.Generator) -> DwellRows:
    """Dwells of a jet; counting noise stays that of the mean thickness, and a reading of I0 has 0.1 %."""
    factor = np.where(np.isnan(time), 1.0, jet(np.nan_to_num(time)))
    flux = 1 + 1e-3 * rng.standard_normal(time.shape)
    mu, variance = rows.slot_mu * factor[..., None], rows.slot_var * factor[..., None] ** 2
    return replace(rows, slot_mu=mu, slot_var=variance, flux=flux, time=time)


def monitor_rows(grid: ExpectedGrid, time: Array, rng: np.random.Generator) -> tuple[DwellRows, Array]:
    """Laser-off dwells of both energies in turn."""
    part = replace(grid, position=grid.position[list(MONITORS)], photons=grid.photons[:, :, list(MONITORS)])
    rows = drawn_pass(part, (OFF,), np.full(2, time.size), rng)
    mine = np.arange(time.size) % 2 == np.arange(2)[:, None]
    return replace(rows, state=np.where(mine, rows.state, np.int8(EMPTY))), np.where(mine, time, np.nan)


def together(passes: list[DwellRows]) -> DwellRows:
    return replace(joined(passes), time=np.concatenate([np.asarray(one.time) for one in passes], axis=1))


def scanned(grid: ExpectedGrid, cycles: Array, visits: int, seed: int) -> tuple[PointRates, float]:
    """A scan, and its end (s)."""
    rng, jet, now, done = np.random.default_rng([9, seed]), Jet(seed), 0.0, np.zeros(grid.points, np.int64)
    steady, passes, monitors = replace(grid, noise=0.0), [], []
    for left in range(PASSES, 0, -1):
        mine = np.maximum(cycles_of_pass(cycles, done, left), left == PASSES)
        time, returns, now = times_of(grid, mine, visits, now)
        passes.append(thicker(drawn_pass(steady, PATTERN, mine, rng), time, jet, rng))
        if visits:
            monitors.append(thicker(*monitor_rows(steady, returns, rng), jet, rng))
        done = done + mine
    rates = point_rates(together(passes), 1e-3, np.zeros(24, np.int64))
    return (replace(rates, monitors=together(monitors)) if visits else rates), now


def main(wanted: str = "2.2 %", scans: str = "10", visits: str = "10") -> None:
    """Print quoted over wanted error, width of the pulls, and scatter over wanted error."""
    grid = replace(spectrum(100.0), noise=NOISE)
    plan = allocate([grid], [Target(QUANTITY, wanted)], replace(COSTS, passes=PASSES), patterns=[PATTERN])
    found = [scanned(grid, plan.cycles[0], int(visits), seed) for seed in range(int(scans))]
    print(f"to {wanted}, {visits} visits of monitor energies a pass, {np.mean([end for _, end in found]):.0f} s")
    for drift in ("auto", "off"):
        each = [of_point(grid, rates, replace(grid.settings, drift=drift)) for rates, _ in found]
        error, off = (np.array([getattr(one, name) for one in each]) for name in ("error", "deviation"))
        goal = plan.targets[0].wanted
        print(
            f"  drift {drift:>4}: quoted / wanted {np.median(error) / goal:.2f}, width of the pulls"
            f" {np.sqrt(np.mean((off / error) ** 2)):.2f}, scatter / wanted {np.sqrt(np.mean(off**2)) / goal:.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
