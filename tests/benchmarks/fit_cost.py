"""Time of a global fit of delay traces with its profile intervals, as it runs after each point of a delay scan.

Run with ``python -m tests.benchmarks.fit_cost``. Prints milliseconds; passes nothing, fails nothing.
"""

from __future__ import annotations

import time

import numpy as np

from reduction.traces.kinetics.fit import Trace, fit_traces
from reduction.traces.kinetics.model import components

DELAYS = np.unique(np.concatenate([np.linspace(-300, 600, 31), np.geomspace(700, 130_000, 15)]))
NOISE, REPEATS = 0.01, 30


def main() -> None:
    rng = np.random.default_rng(1)
    truth = components(DELAYS, (120, 900, np.inf), 45.0) @ [0.60, 0.21, 0.19]
    for name, number, shared in (("one trace", 1, 0.0), ("two traces", 2, 0.0), ("two, full covariance", 2, 1e-6)):
        covariance = np.diag(np.full(number * DELAYS.size, NOISE**2)) + shared if shared else None
        spent = []
        for _ in range(REPEATS):
            traces = [
                Trace(DELAYS, truth + NOISE * rng.standard_normal(DELAYS.size), np.full(DELAYS.size, NOISE**2))
                for _ in range(number)
            ]
            began = time.perf_counter()
            fit_traces(traces, covariance=covariance)
            spent.append(1e3 * (time.perf_counter() - began))
        print(
            f"{name}: median {np.median(spent):.0f} ms, worst {max(spent):.0f} ms of {REPEATS} (68 and 95 % intervals)"
        )


if __name__ == "__main__":
    main()
