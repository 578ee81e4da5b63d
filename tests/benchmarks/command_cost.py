"""Processor time of commands that read a journal, against its number of runs.

Run it with ``python -m tests.benchmarks.command_cost``. Each command is a process of its own, as a user starts it; the
shortest of some repeats counts. A session's start is its part that depends on the journal: sealing what a crash left
open.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from beamline.records.journal import seal
from beamline.records.runs.run_index import RunIndex
from beamline.session.nights.progress import NightProgress
from tests.benchmarks.list_cost import UIDS, into_journal

SIZES = (100, 1_000, 10_000)
RUN = [sys.executable, "-c", "from beamline.app.cli import main; main()"]


def command(*words: str) -> Callable[[], object]:
    """A command of `trxas`."""
    return lambda: subprocess.run([*RUN, *words], env=os.environ, capture_output=True, check=True)


def completion(folder: str, typed: str) -> Callable[[], object]:
    """What a shell runs to complete the uid of `trxas show`."""
    words = ["trxas", "show", "--data", folder, typed]
    shell = {"_TRXAS_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    return lambda: subprocess.run(RUN, env={**os.environ, **shell}, capture_output=True, check=True)


def shortest(work: Callable[[], object], repeats: int) -> float:
    """Processor seconds of the quickest of some calls, in this process and those that it starts."""
    seconds = []
    for _ in range(repeats):
        began = sum(os.times()[:4])
        work()
        seconds.append(sum(os.times()[:4]) - began)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    names = ("help", "list", "show", "a uid completed", "start, in process", "night, in process")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; processor seconds, shortest of each")
    print(f"{'runs':>7}" + "".join(f"{name:>19}" for name in names), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        root, before = Path(folder), 0
        for size in sorted(options.sizes):
            into_journal(root)(before, size)
            before = size
            time.sleep(2.5)  # after which the index trusts the folder's time
            RunIndex(root).listed()
            works = (
                command("--help"),
                command("list", "--data", folder),
                command("show", f"{UIDS}{size - 2}-", "--data", folder),
                completion(folder, f"{UIDS}{size - 2}"),
                lambda: seal(root, unstopped=(index := RunIndex(root)).unstopped(), odd=index.odd_paths()),
                lambda: NightProgress.of(root, "tonight"),
            )
            print(f"{size:>7}" + "".join(f"{shortest(work, options.repeats):>19.3f}" for work in works), flush=True)


if __name__ == "__main__":
    main()
