"""Requests, bytes and time with which runs reach the catalogue, by batches and one node after another.

Run it with ``python -m tests.benchmarks.filling_cost [--runs N] [--events N]``: an outage of small runs, a night, and
a reduced pass with its covariances. The night is filled by the processes of a beamline, the rest in this process. The
catalogue is the embedded one, and a Tiled server on PostgreSQL where that is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import httpx

from beamline.records.catalogue_writer import loop
from beamline.records.catalogue_writer.loop import CatalogueWriter
from beamline.records.journal import Journal
from tests.beamline.example_runs import Documents, announced, raw_run, reduced_run
from tests.beamline.facility_server import WRITER, Facility, FacilityServer
from tests.beamline.raw_scans import acquire, scan_set_of
from tests.helpers.postgres import PostgresError
from tests.helpers.writer import writer_command

NIGHT_RUNS = 40
SINGLE_RUNS = 4
"""Runs that are stored one node after another, for comparison: it is slow."""


class Counted(CatalogueWriter):
    """Counts its requests and their bytes."""

    requests = 0
    bytes = 0

    def count(self) -> None:
        self._connect()
        self._client.context.http_client.event_hooks["request"].append(self._one)

    def _one(self, request: httpx.Request) -> None:
        self.requests += 1
        self.bytes += len(request.read())


def fill(root: Path, catalogue: str, batches: bool) -> tuple[int, int, int, float]:
    """Runs, requests, bytes and seconds of a journal that is stored in this process."""
    decide = contextlib.nullcontext() if batches else patch.object(loop, "takes_batches", lambda client: False)
    with decide:
        writer = Counted(root, catalogue, linger=0.0)
        writer.count()
    writer._helper.start = lambda: None  # type: ignore[method-assign]  # one process, whose requests are counted
    began = time.perf_counter()
    assert writer.until_idle(lambda: False)
    took = time.perf_counter() - began
    runs = len(writer._position._entries)
    writer.close()
    return runs, writer.requests, writer.bytes, took


def report(label: str, runs: int, requests: int, size: int, took: float) -> None:
    """One line, by run."""
    print(
        f"{label:44} {requests / runs:6.1f} requests {size / runs / 1e3:8.0f} kB {took / runs:7.3f} s a run", flush=True
    )


def spool(root: Path, runs: list[Documents]) -> None:
    """Write runs to the journal of `root`."""
    journal = Journal(root, min_free_bytes=0)
    for documents in runs:
        announced(journal, documents)
    journal.close()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def outage(label: str, address: str, passes: int, batches: bool) -> None:
    """Passes and their reduced runs."""
    with folder() as root:
        acquire(root, scan_set_of(passes, seed=3))
        report(label, *fill(root, address or str(root / "catalogue"), batches))


def single_pass(label: str, address: str) -> None:
    """A reduced pass of 100 energies with its covariances, in seconds."""
    with folder() as root:
        spool(root, [reduced_run(100, energies=100, seed=5)])
        report(label, *fill(root, address or str(root / "catalogue"), batches=True))


def night(label: str, address: str, events: int) -> None:
    """A night, by the processes of a beamline."""
    with folder() as root:
        pairs = [(raw_run(2 * events // NIGHT_RUNS, seed=n), reduced_run(60, seed=n)) for n in range(NIGHT_RUNS // 2)]
        spool(root, [run for pair in pairs for run in pair])
        began = time.perf_counter()
        subprocess.run(writer_command(root, address or root / "catalogue", "--until-idle"), check=True)
        took = time.perf_counter() - began
        print(f"{label:44} {events} events in {NIGHT_RUNS} runs: {took:.1f} s with start-up", flush=True)


def measure(where: str, address: str, runs: int, events: int) -> None:
    """All cases in one catalogue."""
    outage(f"{where}, single requests", address, SINGLE_RUNS // 2, batches=False)
    outage(f"{where}, batches", address, runs // 2, batches=True)
    single_pass(f"{where}, a reduced pass with covariances", address)
    night(f"{where}, a night", address, events)


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Address of a Tiled server on PostgreSQL; the key is in the environment."""
    facility = Facility()
    try:
        with folder() as root:
            tiled = FacilityServer(root / "server", facility)
            tiled.start()
            try:
                with patch.dict(os.environ, TILED_API_KEY=tiled.new_key(WRITER)):
                    yield tiled.uri
            finally:
                tiled.kill()
    finally:
        facility.postgres.close()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=33, help="small runs of the outage (33)")
    parser.add_argument("--events", type=int, default=10_000, help="events of the night (10000)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    measure("embedded", "", options.runs, options.events)
    try:
        with server() as address:
            measure("server", address, options.runs, options.events)
    except PostgresError as error:
        print(error)


if __name__ == "__main__":
    main()
