"""From a row of the digitiser's file to the updated point, and peak memory of reducing a large file."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from beamline.records.shot_files.file import COLUMNS, ROWS, ShotReader
from beamline.records.shot_files.live import LiveShots, ShotUpdate
from beamline.studies.bench import cores, row_ways
from beamline.studies.bench.rows import BenchRow
from beamline.studies.bench.shots import BUNCH_RATE, NUM_PHASES, THRESHOLD, ExampleShots, read_words
from beamline.studies.bench.timing import interleaved, ratio
from beamline.studies.bench.updates import Point
from reduction.shots.block import Block

SETTINGS = {"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57]}
TO_POINT = "1 s of int16 in an HDF5 row to updated point"
BIG_ROWS = 76
"""Number of one-second rows in 1 GB."""
MEMORY = r"""
import pathlib, re, sys
from beamline.records.shot_files.dwells import DwellTask, reduce_dwell
shots = reduce_dwell(DwellTask(sys.argv[1], 0, int(sys.argv[2]), 120, 900))
assert not shots.left_out
print(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def write_file(path: Path, heights: np.ndarray, rows: int) -> None:
    """Write a file of shots as the instrument does, with the same heights in every row."""
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("shots")
        group.attrs["num_phases"] = NUM_PHASES
        shape = (rows, heights.size)
        for name in ROWS:
            data = group.create_dataset(name, shape=shape, dtype="<i2", chunks=(1, heights.size))
            for row in range(rows if name == ROWS[0] else 0):
                data.id.write_direct_chunk((row, 0), heights.tobytes())
        number = np.arange(rows)
        columns = (number, number * heights.size % NUM_PHASES, np.full(rows, heights.size), np.zeros(rows, int))
        for name, values in zip(COLUMNS, columns, strict=True):
            group.create_dataset(name, data=values, maxshape=(None,), chunks=(1024,))


def documents(path: Path) -> dict[str, Any]:
    """The documents of a run with one point, up to the first event."""
    keys = (
        "point_index",
        "segment",
        "attempt",
        "laser_on",
        "quality",
        "laser_phase",
        "i0",
        "i0_time",
        "i0_gain",
        "i0_dark",
    )
    arrays = ("fpga_counts", "fpga_gates")
    data: dict[str, Any] = dict(zip(keys, (0, 0, 0, 1, "good", 0, 1e6, 1.0, 1.0, 0.0), strict=True))
    data |= dict.fromkeys(arrays, np.ones(NUM_PHASES, np.int64))
    timing = {"timing_num_bunches": 24, "timing_laser_divider": 5, "timing_bunch_rate": BUNCH_RATE}
    described = {key: {"shape": [NUM_PHASES] if key in arrays else []} for key in data}
    start = {"uid": "run", "scan_set": "set", "scan_index": 0, "grid": [13.47], "pattern": [1], "settings": SETTINGS}
    return {
        "start": {**start, "edge": "Br_K", "pump_delay": 100.0},
        "descriptor": {
            "uid": "d", "name": "primary", "run_start": "run", "data_keys": described,
            "configuration": {"timing": {"data": timing}},
        },
        "stream_resource": {"uid": "r", "uri": f"file://localhost{path}", "parameters": {"dataset": "/shots/heights"}},
        "event": {
            "descriptor": "d", "seq_num": 1,
            "data": {**data, "first_block": 0, "num_blocks": 1, "shots_dropped": 0},
        },
        "stream_datum": {"stream_resource": "r", "indices": {"start": 0, "stop": 1}},
    }  # fmt: skip


def measure(second: ExampleShots, rounds: int) -> list[BenchRow]:
    """Rows of the update from a file and of memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.h5"
        write_file(path, second.heights, 1)
        rows = [*from_a_row(path, rounds), *row_ways.measure(second.heights, Path(folder), rounds // 2)]
        big = Path(folder) / "big.h5"
        write_file(big, second.heights, BIG_ROWS)
        rows += cores.measure(big, BIG_ROWS)
        command = [sys.executable, "-c", MEMORY, str(big), str(BIG_ROWS)]
        output = subprocess.run(command, capture_output=True, text=True, check=True)
        size = big.stat().st_size / 1e9
    name = f"peak memory of a process that reduces {size:.1f} GB of shots"
    return [*rows, BenchRow(name, float(output.stdout), 300.0, None, "MB", True)]


class FromRow:
    """Reduces a row repeatedly, as a live session does when its StreamDatum arrives.

    Attributes
    ----------
    seconds : list of float
        From StreamDatum to the published point, for each repeat.
    last : ShotUpdate
    """

    last: ShotUpdate

    def __init__(self, path: Path) -> None:
        self.seconds: list[float] = []
        self._live = LiveShots(THRESHOLD, self._take)
        self._documents = documents(path)
        self._began = 0.0
        for name in ("start", "descriptor", "stream_resource"):
            self._live(name, self._documents[name])

    def _take(self, update: ShotUpdate) -> None:
        self.seconds.append(time.perf_counter() - self._began)
        self.last = update

    def reduce(self) -> None:
        """Reduce one dwell of one row."""
        self._live("event", self._documents["event"])
        self._began = time.perf_counter()
        self._live("stream_datum", self._documents["stream_datum"])

    def close(self) -> None:
        """Close the file."""
        self._live.close()


def from_a_row(path: Path, rounds: int) -> list[BenchRow]:
    """Time from StreamDatum to the updated point, all slots and errors, with the file in the page cache.

    Interleaved with mapping and reading the row, which any reduction needs, and with a plain file copy.
    """
    point = FromRow(path)
    buffer = bytearray(path.stat().st_size)
    with ShotReader(path) as reader, path.open("rb", buffering=0) as raw:
        shots = reader.block(0, with_monitor=False).shots
        words = shots[: shots.size // 4 * 4].view(np.uint64)
        in_memory, kept = Point(), Block(0, 0, shots.copy())
        seconds = interleaved(
            {
                "point": point.reduce,
                "map": partial(reader.block, 0, with_monitor=False),
                "words": partial(read_words, words),
                "memory": lambda: in_memory.update(kept),
                "copy": lambda: (raw.seek(0), raw.readinto(buffer)),
            },
            rounds,
        )
    point.close()
    assert np.isfinite(point.last.point.rate[1]).all()
    seconds["point"] = np.array(point.seconds[2::2])  # the others are warm-up calls
    median = {name: float(np.median(each)) * 1e3 for name, each in seconds.items()}
    note = f"fastest {seconds['point'].min() * 1e3:.2f} ms"
    over_words, of_memory = (ratio(seconds, name, "words") for name in ("point", "memory"))
    because = (
        f"the update of the same block in memory alone takes {of_memory:.2f} times reading its words (hits, sums, pairs"
        f" and the point), mapping its pages the rest: the words {median['words']:.2f} ms, the block in memory"
        f" {median['memory']:.2f}, the row {median['point']:.2f}"
    )
    return [
        BenchRow(f"{TO_POINT} / reading its words on one core", over_words, 2.0, 1.5, "", True, because=because),
        BenchRow("for comparison, the same block in memory / reading its words", of_memory),
        BenchRow(f"{TO_POINT}, median", median["point"], unit="ms", smaller_is_better=True, note=note),
        BenchRow("the same, p99", float(np.percentile(seconds["point"], 99)) * 1e3, unit="ms"),
        BenchRow("of it, finding and mapping the row, median", median["map"], unit="ms"),
        BenchRow("for comparison, reading the words of the row on one core, median", median["words"], unit="ms"),
        BenchRow("for comparison, a plain read() of the file into memory, median", median["copy"], unit="ms"),
    ]
