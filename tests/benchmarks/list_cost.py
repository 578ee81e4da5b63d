"""Time in which a page of many runs is listed, with 1,000 to 100,000 runs.

Run it with ``python -m tests.benchmarks.list_cost``: of a journal, with the time in which its index is made; of a
catalogue, embedded on SQLite, and, where PostgreSQL is installed, on a Tiled server with it. Nodes are put into the
database directly, with start and stop documents of the size of real ones, of four beamlines with fifty proposals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from beamline.records.catalogue.client import close_catalogue, open_catalogue
from beamline.records.catalogue.wanted import Wanted
from beamline.records.journal import Journal
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run_index import FILE
from beamline.records.runs.search import search
from beamline.records.runs.store import CatalogueRuns, RunStore
from tests.beamline.facility_server import READER, Facility, FacilityServer
from tests.helpers.postgres import PostgresError

SIZES = (1_000, 10_000, 100_000)
SHOWN = 20
UIDS = "0000000"
"""Begins the uids of runs in the journal, which are hexadecimal."""
COLUMNS = ("parent", "key", "structure_family", "metadata", "specs")
TAGGED = """
insert into node_access_tags_association (node_id, tag_id)
select nodes.id, tags.id from nodes, access_tags as tags where parent = 0 and tags.name = 'beamline:7-ID-D'
on conflict do nothing
"""
"""The scientist of the documentation's roles may read all runs."""
Row = tuple[int, str, str, str, str]
Put = Callable[[int, int], None]
Pages = dict[str, tuple[Wanted, Callable[[int], int]]]
PAGES: Pages = {
    "newest": (Wanted(), lambda size: 1),
    "last page": (Wanted(), lambda size: size // 2 // SHOWN),
    "a proposal": (Wanted(proposal="GUP-17"), lambda size: 1),
    "a sample of a beamline": (Wanted(beamline="25-ID", sample="bromide 7"), lambda size: 1),
    "nothing": (Wanted(note="unicorn"), lambda size: 1),
    "a uid": (Wanted(uid="u500-"), lambda size: 1),
}


def rows(first: int, last: int) -> Iterator[Row]:
    """Runs, a raw and a reduced one in turn."""
    settings = {f"setting_{n}": [0.1 * n] * 8 for n in range(20)}
    spec = json.dumps([{"name": "BlueskyRun", "version": "3.0"}])
    for n in range(first, last):
        start: dict[str, Any] = {"uid": f"u{n}-", "time": 1.7e9 + n, "plan_name": "energy_scan", "settings": settings}
        run = n // 2
        start |= {"beamline_name": f"{(7, 25, 20, 11)[run % 4]}-ID", "proposal": f"GUP-{run % 50}", "edge": "Br K"}
        start |= {"sample": f"bromide {run % 13}"}
        start |= {"analysis_of": f"u{n - 1}-"} if n % 2 else {"scan_id": run}
        metadata = {"start": start, "stop": {"exit_status": "success", "num_events": {"primary": 100}}}
        yield 0, f"u{n}-", "container", json.dumps(metadata), spec


def into_sqlite(catalogue: Path) -> Put:
    """Puts runs into the embedded catalogue."""

    def put(first: int, last: int) -> None:
        with sqlite3.connect(catalogue / "catalogue.db") as database:
            command = f"insert into nodes ({', '.join(COLUMNS)}) values (?, ?, ?, ?, ?)"
            database.executemany(command, rows(first, last))

    return put


def into_postgresql(uri: str) -> Put:
    """Puts runs into the database of a server."""

    async def insert(first: int, last: int) -> None:
        connection = await asyncpg.connect(uri)
        command = f"insert into nodes ({', '.join(COLUMNS)}) values ($1, $2, $3, $4, $5)"
        await connection.executemany(command, rows(first, last))
        await connection.execute(TAGGED)
        await connection.execute("analyze")
        await connection.close()

    return lambda first, last: asyncio.run(insert(first, last))


def into_journal(root: Path) -> Put:
    """Puts runs into a journal."""

    def put(first: int, last: int) -> None:
        journal = Journal(root, min_free_bytes=0)
        for _, _, _, content, _ in rows(first, last):
            documents = json.loads(re.sub(r'"u(?=\d)', f'"{UIDS}', content))
            journal("start", documents["start"])
            journal("stop", {"uid": "stop", "run_start": documents["start"]["uid"], "time": 1.8e9, **documents["stop"]})
        journal.close()
        (root / FILE).unlink(missing_ok=True)

    return put


def measure(open_store: Callable[[], RunStore], put: Put, sizes: list[int]) -> None:
    """Print the times for one store, which is empty."""
    before = 0
    print(f"{'runs':>7}" + "".join(f"{name:>24}" for name in ("first time", *PAGES)), flush=True)
    for size in sizes:
        put(before, size)
        before = size
        store = open_store()
        began = time.perf_counter()
        search(store, Wanted(), SHOWN)
        first = time.perf_counter() - began
        seconds = [first, *(timed(open_store, wanted, page(size)) for wanted, page in PAGES.values())]
        store.close()
        print(f"{size:>7}" + "".join(f"{number:>22.3f} s" for number in seconds), flush=True)


def timed(open_store: Callable[[], RunStore], wanted: Wanted, page: int) -> float:
    """Time of one page of a store that was just opened, s; the shorter one of two."""
    found = []
    for _ in range(2):
        store = open_store()
        began = time.perf_counter()
        search(store, wanted, SHOWN, page)
        found.append(time.perf_counter() - began)
        store.close()
    return min(found)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    with tempfile.TemporaryDirectory() as folder:
        print("journal")
        measure(lambda: JournalRuns(folder), into_journal(Path(folder)), sizes)
        embedded = Path(folder) / "catalogue"
        close_catalogue(open_catalogue(embedded))
        print("embedded, SQLite")
        measure(lambda: CatalogueRuns(embedded), into_sqlite(embedded), sizes)
        try:
            facility = Facility()
        except PostgresError as error:
            print(error)
            return
        server = FacilityServer(Path(folder) / "server", facility)
        server.start()
        try:
            print("Tiled server, PostgreSQL")
            key = server.new_key(READER, "scientist")
            measure(lambda: CatalogueRuns(server.uri, key), into_postgresql(server.runs), sizes)
        finally:
            server.kill()
            facility.postgres.close()


if __name__ == "__main__":
    main()
