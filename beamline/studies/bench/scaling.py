"""Cost against number of shots and history, compilation time, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, ExampleShots
from beamline.studies.bench.timing import Work, interleaved, ratio
from reduction.shots.block import Block
from reduction.shots.sums import ShotAccumulator

FRACTIONS = (8, 4, 2, 1)
HISTORY = 200
"""Number of dwells before the last one is added."""
WARM_UP = r"""
import pathlib, re, time
import numpy, numba
began = time.perf_counter()
from reduction.shots.warm_up import warm_up
warm_up()
took = time.perf_counter() - began
status = pathlib.Path("/proc/self/status").read_text()
print(took, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)
"""


def measure(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """All rows of this kind."""
    return [*against_shots(second, rounds), against_history(second, rounds), *compilation()]


def against_shots(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Nanoseconds per shot, for an eighth of a second up to a full second."""

    def work(size: int) -> Work:
        def reduce() -> None:
            ShotAccumulator(NUM_PHASES, THRESHOLD).add("a", 0, 0, Block(0, 0, second.heights[:size]))

        return reduce

    sizes = {str(fraction): second.heights.size // fraction for fraction in FRACTIONS}
    seconds = interleaved({name: work(size) for name, size in sizes.items()}, rounds)
    return [
        BenchRow(
            f"int16 block of {size / 1e6:.1f} million shots", float(seconds[name].min()) / size * 1e9, unit="ns a shot"
        )
        for name, size in sizes.items()
    ]


def against_history(second: ExampleShots, rounds: int) -> BenchRow:
    """Time of a dwell after many others, over the time of the first."""
    block = Block(0, 0, second.heights[: second.heights.size // 8])
    short = Block(0, 0, second.heights[:1000].copy())
    long_accumulator = ShotAccumulator(NUM_PHASES, THRESHOLD)
    for point in range(HISTORY):
        long_accumulator.add("a", point, 0, short)

    def last(accumulator: ShotAccumulator) -> Work:
        def add() -> None:
            accumulator.begin("a", HISTORY, 0)
            accumulator.add("a", HISTORY, 0, block)

        return add

    seconds = interleaved({"new": last(ShotAccumulator(NUM_PHASES, THRESHOLD)), "old": last(long_accumulator)}, rounds)
    return BenchRow(f"dwell after {HISTORY} others / first dwell", ratio(seconds, "old", "new"))


def compilation() -> list[BenchRow]:
    """Seconds until the kernels of a new process are ready, with an empty and a full cache; its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        output = [
            subprocess.run([sys.executable, "-c", WARM_UP], env=environment, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
    (cold, _), (warm, memory) = ([float(word) for word in each.stdout.split()] for each in output)
    return [
        BenchRow("shot kernels ready, nothing cached", cold, unit="s"),
        BenchRow("shot kernels ready, cached", warm, unit="s"),
        BenchRow("peak memory of a process with the kernels", memory, unit="MB"),
    ]
