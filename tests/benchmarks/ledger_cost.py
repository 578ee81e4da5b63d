"""Time until a point that was left out is out of the sums, and of the whole spectrum: 200 points x 50 passes.

Run with ``python -m tests.benchmarks.ledger_cost``. Prints milliseconds; passes nothing, fails nothing.
"""

from __future__ import annotations

import time

import numpy as np

from reduction.counting.rows import DwellRows, point_rates
from reduction.diagnostics.exclusions import Exclusions
from reduction.settings import Settings
from reduction.spectra.spectrum import reduce_spectrum

POINTS, PASSES, PATTERN, SLOTS, REPEATS = 200, 50, (1, 0, 0, 1), 5, 15
SCANS = tuple(f"pass-{number}" for number in range(PASSES))


def rows() -> DwellRows:
    rng = np.random.default_rng(1)
    laser = np.tile(PATTERN, PASSES)
    shape = (POINTS, laser.size)
    static = 0.1 * (0.5 + 1 / (1 + np.exp(-(np.arange(POINTS) - 40) / 5)))
    mu = static[:, None, None] * (1 + 1e-3 * rng.standard_normal((*shape, SLOTS)))
    state = np.broadcast_to(laser, shape).astype(np.int8)
    full = np.ones(shape)
    scan = np.repeat(np.arange(PASSES), len(PATTERN))
    return DwellRows(scan, state, 1e5 * full, full, mu, (1e-3 * mu) ** 2, np.zeros((*shape, SLOTS, 0)))


def main() -> None:
    energy = np.linspace(13.45, 13.57, POINTS)
    whole = point_rates(rows(), 1e-3, np.zeros(24, np.int64), True)
    sums: list[float] = []
    spectra: dict[str, list[float]] = {"paper": [], "combined": []}
    for number in range(REPEATS):
        ledger = Exclusions()
        began = time.perf_counter()
        ledger.leave_out(SCANS[number], number)
        left = ledger.apply(SCANS, whole, 1e-3)
        sums.append(1e3 * (time.perf_counter() - began))
        for reference, spent in spectra.items():
            settings = Settings(pre_edge=(13.45, 13.46), integral=(13.46, 13.57), reference=reference)
            began = time.perf_counter()
            reduce_spectrum(energy, left, settings)
            spent.append(1e3 * (time.perf_counter() - began))
    print(f"left out and summed again: median {np.median(sums):.0f} ms, worst {max(sums):.0f} ms")
    for reference, spent in spectra.items():
        print(f"then the spectrum, reference {reference}: median {np.median(spent):.0f} ms, worst {max(spent):.0f} ms")


if __name__ == "__main__":
    main()
