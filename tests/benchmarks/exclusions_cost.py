"""Time until a point that was left out is out of the sums, and of the whole spectrum: 200 points x 50 passes.

Run with ``python -m tests.benchmarks.exclusions_cost``. Prints milliseconds; passes nothing, fails nothing.
"""

from __future__ import annotations

import time

import numpy as np

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import Dwell
from reduction.counting.phases import Pattern
from reduction.diagnostics.exclusions import Exclusions
from reduction.settings import Settings
from reduction.spectra.spectrum import reduce_spectrum

POINTS, PASSES, PATTERN, SLOTS, REPEATS = 200, 50, (1, 0, 0, 1), 5, 15
SCANS = tuple(f"pass-{number}" for number in range(PASSES))


def dwells() -> CountingAccumulator:
    rng = np.random.default_rng(1)
    static = 0.1 * (0.5 + 1 / (1 + np.exp(-(np.arange(POINTS) - 40) / 5)))
    sums = CountingAccumulator(Pattern(24, SLOTS, 0, 6.5e6), POINTS, 1e-3)
    gates = np.full(24 * SLOTS, 50_000)
    for scan in SCANS:
        for point in range(POINTS):
            for segment, laser in enumerate(PATTERN):
                hits = rng.binomial(gates, -np.expm1(-static[point]))
                sums.add(Dwell(scan, point, segment, 0, bool(laser), "good", 1.0, hits, gates, 0))
    return sums


def main() -> None:
    energy = np.linspace(13.45, 13.57, POINTS)
    whole = dwells()
    sums: list[float] = []
    spectra: dict[str, list[float]] = {"paper": [], "combined": []}
    for number in range(REPEATS):
        exclusions = Exclusions()
        began = time.perf_counter()
        exclusions.leave_out(SCANS[number], number)
        left = whole.result(exclusions.mask(SCANS, whole.row_pass, POINTS))
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
