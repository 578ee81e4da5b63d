"""Time in which the time of a large measurement is allocated: fifty delays of two hundred energies.

Run it with ``python -m tests.benchmarks.allocation_cost``: for one quantity, and for one of each delay; before a
measurement with all rhythms of the laser compared, and after a pass with that of the scan.
"""

from __future__ import annotations

import time

import numpy as np

from reduction.allocation.allocate import PATTERNS, allocate
from reduction.allocation.problem import TimeCosts
from reduction.allocation.wanted import Target
from tests.reduction.expected_grids import energy_grid

COSTS = TimeCosts(move=1.0, shutter=0.05, message=0.02, passes=5)
REGIONS = ((13.450, 13.4595, 20), (13.464, 13.4785, 150), (13.48, 13.57, 30))
ENERGY = np.concatenate([np.linspace(*region) for region in REGIONS])
DELAYS = np.geomspace(50, 50e3, 50)
REPEATS = 3


def main() -> None:
    """Print seconds of wall time and of the processor."""
    grids = [energy_grid(delay=float(delay), energy=ENERGY) for delay in DELAYS]
    targets = [Target(f"C(slot=0, delay={delay} ps)", "10 %") for delay in DELAYS.tolist()]
    for title, wanted in (("one quantity", targets[:1]), ("fifty quantities", targets)):
        for when, patterns in (("before", PATTERNS), ("after a pass", PATTERNS[:1])):
            taken = []
            for _ in range(REPEATS):
                start = time.perf_counter(), time.process_time()
                allocate(grids, wanted, COSTS, patterns=patterns)
                taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            wall, processor = min(taken)
            print(f"{title}, {when}: {wall:.2f} s, in the processor {processor:.2f} s")


if __name__ == "__main__":
    main()
