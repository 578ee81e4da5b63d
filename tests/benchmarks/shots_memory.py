"""Memory that reducing a large file of shots takes, in this process and in those of Dask.

Run it with ``python -m tests.benchmarks.shots_memory [--gb 10] [--workers 1 2 3] [--folder FOLDER]``. It writes a file
of that size (by default to the folder of temporary files, where it is removed again), reduces it once with each number
of workers in a new process, and prints seconds, the peak of resident memory of each process, and whether all gave the
same bits. One block is damaged: it has to be named.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import h5py

from beamline.records.shot_files.dwells import DwellShots, DwellTask
from beamline.records.shot_files.workers import reduce_dwells
from beamline.studies.bench.files import write_file
from beamline.studies.bench.shots import NUM_PHASES, THRESHOLD, one_second
from reduction.shots.sums import ShotCounts

DAMAGED = 3
LOOK_EVERY = 0.05


def peak_mb(process: int) -> float | None:
    """Peak of resident memory of a process; None if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else None


def descendants(process: int) -> list[int]:
    """Processes below one."""
    children: list[int] = []
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # that thread has ended
            children += map(int, listed.read_text().split())
    return [each for child in children for each in (child, *descendants(child))]


class Watch(threading.Thread):
    """Notes the peaks of all processes below this one."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks: dict[int, float] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            for process in descendants(os.getpid()):
                if (peak := peak_mb(process)) is not None:
                    self.peaks[process] = peak

    def end(self) -> list[float]:
        """Peaks, the largest first."""
        self._over.set()
        self.join()
        return sorted(self.peaks.values(), reverse=True)


def digest(found: list[DwellShots]) -> str:
    """Hash of all sums."""
    hashed = hashlib.sha256()
    for each in found:
        counts = each.counts
        if isinstance(counts, ShotCounts):
            moments, pairs = vars(counts.moments).values(), vars(counts.pairs).values()
            for array in (counts.hits, counts.gates, counts.hit_sums, *moments, *pairs):
                hashed.update(array.tobytes())
    return hashed.hexdigest()[:16]


def reduce_once(path: Path, workers: int) -> None:
    """Print what one reduction took, as JSON."""
    with h5py.File(path, "r") as file:
        rows = file["shots/heights"].shape[0]
    tasks = [DwellTask(str(path), row, 1, NUM_PHASES, THRESHOLD) for row in range(rows)]
    watch = Watch()
    watch.start()
    began = time.perf_counter()
    found = reduce_dwells(tasks, workers, None, lambda done, number: None)
    result = {
        "seconds": time.perf_counter() - began,
        "this process": peak_mb(os.getpid()),
        "others": watch.end(),
        "sums": digest(found),
        "left out": [sentence for each in found for sentence in each.left_out],
    }
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--reduce", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reduce is not None:
        reduce_once(options.reduce, options.workers[0])
        return
    heights = one_second().heights
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "shots.h5"
        write_file(path, heights, max(DAMAGED + 1, round(options.gb * 1e9 / heights.nbytes)))
        with h5py.File(path, "r+") as file:
            file["shots/num_valid"][DAMAGED] = 0
        print(f"{path.stat().st_size / 1e9:.1f} GB")
        sums = set()
        for workers in options.workers:
            command = [sys.executable, "-m", "tests.benchmarks.shots_memory", "--reduce", str(path)]
            command += ["--workers", str(workers)]
            result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            sums.add(result["sums"])
            others = ", ".join(f"{peak:.0f}" for peak in result["others"]) or "none"
            print(
                f"{workers} workers: {result['seconds']:.1f} s, this process {result['this process']:.0f} MB,"
                f" others {others} MB; left out: {'; '.join(result['left out'])}"
            )
        print("the same bits" if len(sums) == 1 else f"DIFFERENT SUMS: {sums}")


if __name__ == "__main__":
    main()
