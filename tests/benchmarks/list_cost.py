"""Time in which the newest of many runs of a catalogue are listed, with 1,000 to 100,000 runs.

Run it with ``python -m tests.benchmarks.list_cost``. The catalogue is the embedded one; its nodes are put into the
database directly, with start and stop documents of the size of real ones.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from pathlib import Path

from beamline.records.catalogue.client import close_catalogue, open_catalogue
from beamline.records.runs.store import CatalogueRuns

SIZES = (1_000, 10_000, 100_000)
SHOWN = 20


def put(catalogue: Path, first: int, last: int) -> None:
    """Runs, a raw and a reduced one in turn."""
    settings = {f"setting_{n}": [0.1 * n] * 8 for n in range(20)}

    def metadata(number: int) -> str:
        start = {"uid": f"u{number}", "time": 1.7e9 + number, "plan_name": "energy_scan", "settings": settings}
        start |= {"analysis_of": f"u{number - 1}"} if number % 2 else {"scan_id": number}
        return json.dumps({"start": start, "stop": {"exit_status": "success", "num_events": {"primary": 100}}})

    spec = json.dumps([{"name": "BlueskyRun", "version": "3.0"}])
    rows = ((f"u{n}", metadata(n), spec) for n in range(first, last))
    with sqlite3.connect(catalogue / "catalogue.db") as database:
        database.executemany(
            "insert into nodes (parent, key, structure_family, metadata, specs) values (0, ?, 'container', ?, ?)", rows
        )


def main() -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Path(folder) / "catalogue"
        close_catalogue(open_catalogue(catalogue))
        before = 0
        for size in SIZES:
            put(catalogue, before, size)
            before = size
            store = CatalogueRuns(catalogue)
            store.runs(SHOWN)
            began = time.perf_counter()
            listed = len(store.runs(SHOWN))
            took = time.perf_counter() - began
            store.close()
            print(f"{size:>7} runs: the newest {listed} listed in {took:.2f} s", flush=True)


if __name__ == "__main__":
    main()
