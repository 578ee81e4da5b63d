"""What a tail that decays within a delay scan does to its lifetimes, if it is taken as flat and if not.

Run it with ``python -m tests.benchmarks.delay_tail [--traces N]``; half a minute. Lifetimes 120 and 900 ps, the tail a
fifth of the largest value, drawn on the default grid of a delay scan.
"""

from __future__ import annotations

import argparse

import numpy as np

from plans.compilation.grid import delay_grid
from reduction.traces.kinetics.fit import Trace, fit_traces
from reduction.traces.kinetics.model import components
from reduction.traces.kinetics.scan_fit import fit_scan

LIFETIMES, FRACTIONS, SIGMA = (120.0, 900.0), np.array([0.60, 0.21, 0.19]), 45.0
CASES = ((155_000.0, 0.007), (np.inf, 0.015))
"""Lifetime of the tail in ps, standard deviation of a point."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=int, default=60)
    number = parser.parse_args().traces
    delay = np.asarray(delay_grid())
    print(f"medians of {number} traces, lifetimes in ps    flat tail           as `fit_scan` takes it")
    for tail, noise in CASES:
        truth = components(delay, (*LIFETIMES, tail), SIGMA) @ FRACTIONS
        flat, taken = [], []
        for seed in range(number):
            value = truth + noise * np.random.default_rng(seed).standard_normal(delay.size)
            trace = Trace(delay, value, np.full(delay.size, noise**2))
            flat.append(fit_traces([trace], free=("time_zero",), levels=()).lifetimes[:2])
            taken.append(fit_scan(trace, levels=()).lifetimes)
        decays = sum(bool(np.isfinite(lifetimes[-1])) for lifetimes in taken)
        one, two = np.median(flat, axis=0), np.median([lifetimes[:2] for lifetimes in taken], axis=0)
        print(
            f"tail {tail / 1e3:>5.0f} ns, errors {noise:.1%}             {one[0]:6.0f} {one[1]:8.0f}     "
            f"{two[0]:6.0f} {two[1]:8.0f}, decays in {decays}"
        )


if __name__ == "__main__":
    main()
