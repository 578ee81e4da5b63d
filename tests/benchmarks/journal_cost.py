"""What the journal costs per event, and how fast the catalogue writer catches up.

Run it with ``python -m tests.benchmarks.journal_cost [--events N]``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.journal import Journal
from beamline.records.journal.format import frame
from tests.beamline.example_runs import Documents, raw_run, reduced_run
from tests.helpers.writer import writer_command

PASS = 250
"""Events in a pass over a grid."""
LAGS = 5
PAUSE = 0.005
"""Seconds between events: far faster than dwells, but not a burst that waits for the disk."""


def photon_event(descriptor: str, number: int) -> dict[str, Any]:
    """An event with all arrays of the photon counter, about 25 kB."""
    data: dict[str, Any] = {f"scalar_{i}": np.float64(i) for i in range(30)}
    data |= {key: np.arange(120) + number for key in ("counts", "gates")}
    pairs = ("pair_gates", "pair_counts", "prev_hits", "coincidences")
    data |= {key: np.arange(LAGS * 120).reshape(LAGS, 120) + number for key in pairs}
    stamps = dict.fromkeys(data, 1.5)
    uid = str(uuid.uuid4())
    return {
        "uid": uid, "descriptor": descriptor, "seq_num": number, "time": 1.5, "data": data, "timestamps": stamps
    }  # fmt: skip


def write_events(root: Path, events: int) -> tuple[list[float], int]:
    """Seconds for each event of a raw run, and the bytes of one."""
    start, descriptor, *_, stop = raw_run(0)
    journal = Journal(root, min_free_bytes=0)
    journal(*start)
    journal(*descriptor)
    seconds = []
    for number in range(1, events + 1):
        event = photon_event(descriptor[1]["uid"], number)
        began = time.perf_counter()
        journal("event", event)
        seconds.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    journal(*stop)
    journal.close()
    return seconds, len(frame("event", event))


def write_beside_a_writer(root: Path, events: int) -> list[float]:
    """Seconds for each event while a catalogue writer, in a thread of this process, finds no catalogue."""
    ended = threading.Event()
    writer = CatalogueWriter(root, "http://127.0.0.1:9", linger=0.05, timeout=1.5)
    thread = threading.Thread(target=writer.follow, args=(ended.is_set,))
    thread.start()
    try:
        return write_events(root, events)[0]
    finally:
        ended.set()
        thread.join()
        writer.close()


def write_plainly(root: Path, events: int, size: int) -> list[float]:
    """Seconds to hand as many bytes to the operating system without any journal: the floor."""
    block = bytes(size)
    seconds = []
    with (root / "plain").open("wb", buffering=0) as file:
        for _ in range(events):
            began = time.perf_counter()
            file.write(block)
            seconds.append(time.perf_counter() - began)
    return seconds


def fill_a_night(root: Path, events: int) -> float:
    """Seconds from the start of a catalogue writer process until a spooled night is in an embedded catalogue."""
    journal = Journal(root, min_free_bytes=0)
    for seed in range(events // PASS):
        runs: list[Documents] = [raw_run(PASS, seed=seed), reduced_run(PASS // 4, energies=60, seed=seed)]
        for documents in runs:
            for item in documents:
                journal(*item)
    journal.close()
    began = time.perf_counter()
    subprocess.run(writer_command(root, root / "catalogue", "--until-idle"), check=True)
    return time.perf_counter() - began


def report(label: str, seconds: list[float]) -> None:
    """One line: median, 99th percentile and largest, in ms."""
    p99 = float(np.percentile(seconds, 99))
    print(f"{label:32} median {statistics.median(seconds) * 1e3:6.3f} ms   p99 {p99 * 1e3:6.3f} ms")


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="events of the night that is caught up (10000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        seconds, size = write_events(root, 2000)
        report(f"journal, event of {size / 1e3:.0f} kB", seconds)
        report("the same, catalogue absent", write_beside_a_writer(root, 2000))
        report("bare write of as much", write_plainly(root, 2000, size))
    with tempfile.TemporaryDirectory() as folder:
        took = fill_a_night(Path(folder), options.events)
        count = options.events // PASS * PASS
        print(
            f"catalogue writer: {count} events in {count // PASS} raw and as many reduced runs in {took:.0f} s, "
            f"{count / took:.0f} events a second"
        )


if __name__ == "__main__":
    main()
