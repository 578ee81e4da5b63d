"""How often intervals of the end of a linear range hold it, over bends of fluence scans that differ.

Run it with ``python -m tests.benchmarks.bends [DRAWS]``: scans of the allocation study with the time that is planned
for them, drawn from the covariance that is expected.
"""

from __future__ import annotations

import sys

import numpy as np

from beamline.studies.allocation.campaign import prepared
from beamline.studies.allocation.cases import FLUENCE, cases, fluences
from reduction.allocation.predicted import predicted
from reduction.traces.linear_range import saturation

BENDS = ((10.0, 4.0), (10.0, 1.5), (10.0, 2.5), (10.0, 8.0), (10.0, 16.0), (8.0, 1.7), (7.0, 4.0), (6.0, 4.0))
"""Where line and plateau meet (mJ/cm2), and sharpness."""


def main(draws: int) -> None:
    """Print percentages of truths inside of the intervals, below and above that of 68 %, and the bias in errors."""
    case = next(case for case in cases() if case.title == "linear range")
    plan = prepared(case)
    for number, (knee, sharpness) in enumerate(BENDS):
        scan = predicted(fluences(knee, sharpness), plan.pattern, plan.cycles[0])
        covariance, rng, rows = scan.covariance(0), np.random.default_rng([3, number]), []
        for y in rng.multivariate_normal(scan.transient[0], covariance, draws):
            found = saturation(FLUENCE, y, covariance)
            (low, high), (lowest, highest) = found.interval, found.wide
            held = (low <= knee <= high, lowest <= knee <= highest, knee < low, knee > high)
            rows.append((*held, found.saturates_at - knee, (high - low) / 2))
        values = np.array(rows)
        known = np.isfinite(values).all(axis=1)
        bias = values[known, 4].mean() / np.sqrt((values[known, 5] ** 2).mean())
        inside = "  ".join(f"{100 * one:5.1f}" for one in values[known, :4].mean(axis=0))
        print(f"{knee:5.1f} mJ/cm2, sharpness {sharpness:4.1f}: {inside}  bias {bias:+.3f}  ({known.sum()} draws)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
