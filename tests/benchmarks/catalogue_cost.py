"""What the catalogue adds to the time of an event, healthy or not: all conditions shuffled in one run.

Run it with ``python -m tests.benchmarks.catalogue_cost [--rounds N]``. The time is that which the acquisition spends in
journal and live reducer, a dwell each 10 ms, while a writer follows the journal. The catalogue is embedded and healthy,
dead (nobody listens), frozen (connections are taken and never answered) or erring (each request is answered with 500).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from tests.beamline.raw_scans import Acquisition, scan_set_of
from tests.helpers.writer import writer_command

PAUSE = 0.01
"""Seconds between events, a hundred times faster than dwells come."""
PASSES = 3
NONE = "no catalogue writer"


class _Erring(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(500)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - names that http.server asks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def listening(backlog: int) -> Iterator[str]:
    """Address of a port: with a backlog of 0 no server listens, else none replies."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if backlog:
            server.listen(backlog)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def erring() -> Iterator[str]:
    """Address of a server that answers each request with an error."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Erring) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextlib.contextmanager
def writer(root: Path, address: str) -> Iterator[None]:
    """A catalogue writer that follows the journal of `root`."""
    process = subprocess.Popen(writer_command(root, address), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measure(condition: str, address: str, seed: int) -> list[float]:
    """Milliseconds that each event of a scan set takes."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        if condition != NONE:
            stack.enter_context(writer(root, address or str(root / "catalogue")))
            time.sleep(3)  # it has started and tried
        session = stack.enter_context(Acquisition(root))
        session.reducer.warm_up()
        milliseconds = []
        for document in [each for documents in scan_set_of(PASSES, seed=seed) for each in documents]:
            began = time.perf_counter()
            session.take([document])
            if document[0] == "event":
                milliseconds.append(1e3 * (time.perf_counter() - began))
                time.sleep(PAUSE)
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    rng = np.random.default_rng()
    with listening(0) as dead, listening(1) as frozen, erring() as errs:
        addresses = {NONE: "", "embedded": "", "dead": dead, "frozen": frozen, "erring": errs}
        found: dict[str, list[np.ndarray]] = {name: [] for name in addresses}
        for number in range(rounds):
            for name in map(str, rng.permutation(list(addresses))):
                found[name].append(np.array(measure(name, addresses[name], number)))
    alone = np.array([np.median(each) for each in found[NONE]])
    print(f"{'catalogue':>10} {'median / ms':>12} {'99 % / ms':>10} {'added / ms':>20}")
    for name, each_round in found.items():
        median, high = np.percentile(np.concatenate(each_round), (50, 99))
        added = np.array([np.median(each) for each in each_round]) - alone
        error = added.std(ddof=1) / np.sqrt(rounds) if rounds > 1 else np.nan
        print(f"{name:>10} {median:>12.3f} {high:>10.3f} {added.mean():>+10.3f} +- {error:.3f}")


if __name__ == "__main__":
    main()
