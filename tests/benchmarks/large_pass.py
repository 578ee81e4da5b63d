"""Memory, journal and time of one reduced pass of many points: ``python -m tests.benchmarks.large_pass``.

Documents of a pass with 5 slots and 4 dwells a point, as the RunEngine would emit them, through the live reducer into
a journal.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from beamline.records.journal import Journal, journal_directory
from reduction.live.reducer import LiveReducer
from tests.benchmarks import reducer_cost

SIZES = (100, 300, 1_000)


def peak() -> float:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def one_pass(points: int, folder: Path) -> tuple[float, float, float]:
    """Memory that the pass adds (MB), its reduced journal (MB), and the time from the last event to the stop (s)."""
    reducer_cost.POINTS = points
    samples = np.random.default_rng(1).binomial(80_000, 0.14, (64, 120))
    journal = Journal(folder, min_free_bytes=0)
    reducer = LiveReducer(journal)
    reducer.warm_up()
    before = peak()
    for name, doc in reducer_cost.documents(0, samples):
        began = time.perf_counter()
        reducer(name, doc)
    seconds = time.perf_counter() - began
    journal.close()
    written = sum(path.stat().st_size for path in journal_directory(folder).rglob("*") if path.is_file())
    return peak() - before, written / 1e6, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    print(f"{'points':>7} {'memory / MB':>12} {'journal / MB':>13} {'stop / s':>9}")
    for points in sorted(parser.parse_args().sizes):
        with tempfile.TemporaryDirectory() as folder:
            memory, written, seconds = one_pass(points, Path(folder))
        print(f"{points:>7} {memory:>12.1f} {written:>13.2f} {seconds:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
