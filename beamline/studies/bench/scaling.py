"""Cost against the number of shots and against history, time of compilation, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from beamline.studies.bench.rows import Row
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, Shots
from beamline.studies.bench.timing import Work, interleaved, ratio
from reduction.shots.block import Block
from reduction.shots.sums import ShotAccumulator

SHARES = (8, 4, 2, 1)
HISTORY = 200
"""Dwells that are there before the last one is added."""
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


def measure(second: Shots, rounds: int) -> list[Row]:
    """All rows of this kind."""
    return [*against_shots(second, rounds), against_history(second, rounds), *compilation()]


def against_shots(second: Shots, rounds: int) -> list[Row]:
    """Nanoseconds a shot for an eighth of a second up to the whole."""

    def work(size: int) -> Work:
        def reduce() -> None:
            ShotAccumulator(NUM_PHASES, THRESHOLD).add("a", 0, 0, Block(0, 0, second.heights[:size]))

        return reduce

    sizes = {str(share): second.heights.size // share for share in SHARES}
    seconds = interleaved({name: work(size) for name, size in sizes.items()}, rounds)
    return [
        Row(f"int16 block of {size / 1e6:.1f} million shots", float(seconds[name].min()) / size * 1e9, unit="ns a shot")
        for name, size in sizes.items()
    ]


def against_history(second: Shots, rounds: int) -> Row:
    """Time of a dwell after many, over the time of the first."""
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
    return Row(f"dwell after {HISTORY} others / first dwell", ratio(seconds, "old", "new"))


def compilation() -> list[Row]:
    """Seconds until the kernels of a new process are there, with an empty cache and with a full one; its memory."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        told = [
            subprocess.run([sys.executable, "-c", WARM_UP], env=environment, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
    (cold, _), (warm, memory) = ([float(word) for word in each.stdout.split()] for each in told)
    return [
        Row("shot kernels ready, nothing cached", cold, unit="s"),
        Row("shot kernels ready, cached", warm, unit="s"),
        Row("peak memory of a process with the kernels", memory, unit="MB"),
    ]
