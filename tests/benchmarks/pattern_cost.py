"""Cost of one dwell in the live callback for other patterns of bunches and laser, and its ratio to the default one's.

Run with ``python -m tests.benchmarks.pattern_cost``. Prints milliseconds and ratios, and the memory that dwells take;
passes nothing, fails nothing.
Each event has pair counters of five lags and, but for the default pattern, a current of each bunch.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import numpy as np

from reduction.documents.raw import PAIR_KEYS
from reduction.live.reducer import LiveReducer
from tests.reduction.raw_documents import GRID, Bench

PATTERNS = (
    ("default, 24/5", 24, 5),
    ("APS upgraded, 48/10", 48, 10),
    ("324/4", 324, 4),
    ("laser once a turn, 328/328", 328, 328),
    ("1,296 phases and slots, 324/1296", 324, 1296),
    ("1 kHz, 4/1420", 4, 1420),
)
PASSES = 6
LAGS = 5


class Readings:
    """Adds the readings that a counter with pair counters and a fill-pattern record give to the data of an event."""

    def __init__(self, bench: Bench, record: bool) -> None:
        self._bench, self._record = bench, record
        self._rng = np.random.default_rng(2)

    def __call__(self, data: dict[str, Any], number: int) -> None:
        shape = (LAGS, self._bench.phases)
        for name, key in PAIR_KEYS.items():
            counts = {"gates": "fpga_gates", "hits": "fpga_counts", "previous_hits": "fpga_counts"}.get(name)
            data[key] = np.zeros(shape, np.int32) if counts is None else np.broadcast_to(data[counts], shape).copy()
        data[PAIR_KEYS["coincidences"]] = data[PAIR_KEYS["hits"]] // 8
        if self._record:
            data["bunches_record"] = 1 + 1e-3 * self._rng.standard_normal(self._bench.bunches)


def costs(bunches: int, divider: int, record: bool) -> tuple[list[float], float]:
    """Milliseconds of each dwell after the first pass, and of the result."""
    bench = Bench(bunches, divider, gates=5_000)
    reducer = LiveReducer(lambda name, doc: None)
    spent = []
    for number in range(PASSES):
        roles = {"bunch_currents": "bunches"} if record else {}
        for name, doc in bench.a_pass(f"pass {number}", Readings(bench, record), scan_index=number, roles=roles):
            began = time.perf_counter()
            reducer(name, doc)
            if name == "event" and number:
                spent.append(1e3 * (time.perf_counter() - began))
    began = time.perf_counter()
    reducer.result()
    return spent, 1e3 * (time.perf_counter() - began)


def kept(bunches: int, divider: int) -> float:
    """Bytes that a phase of a dwell takes, of a pass after the first, with currents and pair counters."""
    bench = Bench(bunches, divider, gates=5_000)
    reducer, sizes = LiveReducer(lambda name, doc: None), []
    tracemalloc.start()
    for number in range(3):
        documents = bench.a_pass(f"pass {number}", Readings(bench, True), scan_index=number,
                                 roles={"bunch_currents": "bunches"})  # fmt: skip
        for name, doc in documents:
            reducer(name, doc)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return (sizes[2] - sizes[1]) / (len(GRID) * len(bench.pattern) * bench.phases)


def main() -> None:
    print(f"a dwell from raw to reduced document, {PASSES - 1} passes of 12 points")
    titles = ("phases", "slots", "median / ms", "p99 / ms", "ratio", "result / ms", "bytes/phase")
    print(f"{'pattern':>34} " + " ".join(f"{title:>11}" for title in titles))
    default = 0.0
    for name, bunches, divider in PATTERNS:
        spent, result = costs(bunches, divider, bool(default))
        median = float(np.median(spent))
        default = default or median
        columns = np.lcm(bunches, divider), divider, median, np.percentile(spent, 99), median / default, result
        columns = *columns, kept(bunches, divider)
        print(f"{name:>34} " + " ".join(f"{each:>11.4g}" for each in columns))


if __name__ == "__main__":
    main()
