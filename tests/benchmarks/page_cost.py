"""What twenty viewers of the page add to the time of an event, and how long a dwell takes to the screen.

Run it with ``python -m tests.benchmarks.page_cost [--rounds N] [--passes N]``. The page runs all the time; its twenty
viewers, in a process of their own at the lowest priority, since they stand for other machines, pull as browsers do or
are frozen, as the live figure is in `live_figure_cost`. The time to the screen is that from a dwell to the point drawn
by a real Chromium, in a scan of many passes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.benchmarks.live_figure_cost import journal_and_reducer, scan

VIEWERS, EVERY = 20, 0.4
PASSES = 200
DWELLS = 40


@contextlib.contextmanager
def page(root: Path) -> Iterator[str]:
    """The address of a page of a data root, served by `trxas web`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("trxas")), "web", "--port", str(port), "--data", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if "spectra" in httpx.get(f"{url}/state").json()["parts"]:
                    break
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def viewers(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Twenty viewers of a page."""
    with page(root) as url:
        process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.page_cost", "--view", url])
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait()


async def view(url: str, viewers: int = VIEWERS) -> None:
    """Pull for ever, each viewer with what it has."""

    async def one(client: httpx.AsyncClient, number: int) -> None:
        await asyncio.sleep(EVERY * number / viewers)
        version = ""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get("/state", params={"since": version})
                version = answer.json()["version"] if answer.status_code == 200 else version
            await asyncio.sleep(EVERY)

    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        await asyncio.gather(*(one(client, number) for number in range(viewers)))


def to_the_screen(passes: int) -> None:
    """Seconds from a dwell to its point on the screen."""
    from playwright.sync_api import sync_playwright

    from tests.beamline.raw_scans import Acquisition, scan_set_of

    with tempfile.TemporaryDirectory() as folder, Acquisition(Path(folder)) as session:
        *earlier, last = scan_set_of(passes, planned=passes)
        for documents in earlier:
            session.take(documents)
        session.take(last[:2])
        with page(Path(folder)) as url, sync_playwright() as playwright:
            options = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
            seconds = _dwells(session, last, browser.new_page(), url)
            browser.close()
    print(f"\ndata to the screen, pass {passes}: median {np.median(seconds):.2f} s, longest {max(seconds):.2f} s")


def _dwells(session: Any, last: list[Any], shown: Any, url: str) -> list[float]:
    shown.goto(url)
    drawn = "document.getElementById('passes').textContent + [...document.querySelectorAll('.main-svg')].length"
    while "pass" not in shown.evaluate(drawn):
        time.sleep(0.1)
    time.sleep(5.0)  # map and drift of all passes are read by then
    seconds = []
    provisional = "document.getElementById('spectra').data.filter((each) => each.marker?.symbol === 'circle-open')"
    points = f"{provisional}[0]?.x.length ?? 0"
    for number in range(0, DWELLS, 4):
        before, began = shown.evaluate(points), time.perf_counter()
        session.take(last[2 + number : 6 + number])
        while shown.evaluate(points) == before:
            time.sleep(0.005)
        seconds.append(time.perf_counter() - began)
        time.sleep(0.7)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--only", choices=("event", "scan", "screen"))
    parser.add_argument("--view", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.view:
        os.nice(19)  # viewers are other machines: here they give way
        asyncio.run(view(options.view))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    if options.only in (None, "event"):
        journal_and_reducer(options.rounds, viewers, "twenty viewers")
    if options.only in (None, "scan"):
        scan(options.rounds, viewers, "twenty viewers")
    if options.only in (None, "screen"):
        to_the_screen(options.passes)


if __name__ == "__main__":
    main()
