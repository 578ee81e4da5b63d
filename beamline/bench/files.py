"""From a row of the digitiser's file to the updated point, and the memory that reducing a large file takes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from beamline.bench.rows import Row
from beamline.bench.shots import BUNCH_RATE, NUM_PHASES, THRESHOLD, Shots
from beamline.shots.file import COLUMNS, ROWS
from beamline.shots.live import LiveShots, ShotUpdate

SETTINGS = {"pre_edge": [13.45, 13.46], "integral": [13.46, 13.57]}
BIG_ROWS = 76
"""Rows of a second that make 1 GB."""
MEMORY = r"""
import pathlib, re, sys
from beamline.shots.dwells import DwellTask, reduce_dwell
shots = reduce_dwell(DwellTask(sys.argv[1], 0, int(sys.argv[2]), 120, 900))
assert not shots.left_out
print(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def write_file(path: Path, heights: np.ndarray, rows: int) -> None:
    """A file of shots with the same heights in every row."""
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
            group[name] = values


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


def measure(second: Shots, rounds: int) -> list[Row]:
    """Rows of the update from a file and of memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.h5"
        write_file(path, second.heights, 1)
        rows = from_a_row(path, rounds)
        big = Path(folder) / "big.h5"
        write_file(big, second.heights, BIG_ROWS)
        command = [sys.executable, "-c", MEMORY, str(big), str(BIG_ROWS)]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        size = big.stat().st_size / 1e9
    name = f"peak memory of a process that reduces {size:.1f} GB of shots"
    return [*rows, Row(name, float(told.stdout), 300.0, None, "MB", True)]


def from_a_row(path: Path, rounds: int) -> list[Row]:
    """Time from StreamDatum to the updated point, all slots and errors, with the file in the page cache."""
    updates: list[ShotUpdate] = []
    live = LiveShots(THRESHOLD, updates.append)
    docs = documents(path)
    for name in ("start", "descriptor", "stream_resource"):
        live(name, docs[name])
    seconds = []
    for _ in range(rounds + 1):
        live("event", docs["event"])
        began = time.perf_counter()
        live("stream_datum", docs["stream_datum"])
        seconds.append(time.perf_counter() - began)
    live.close()
    assert len(updates) == rounds + 1 and np.isfinite(updates[-1].point.rate[1]).all()
    taken = np.array(seconds[1:]) * 1e3
    note = f"fastest {taken.min():.2f} ms"
    return [
        Row(
            "1 s of int16 in an HDF5 row to updated point, median", float(np.median(taken)), 1.0, 0.5, "ms", True, note
        ),
        Row("the same, p99", float(np.percentile(taken, 99)), unit="ms"),
    ]
