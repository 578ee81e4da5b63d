"""Cost against size, each with its exponent, as the table of the documentation: ``python -m tests.benchmarks.sizes``.

Name some rows (``phases slots detectors energies passes runs viewers``) for these alone. Costs are medians or shortest
times of the other benchmarks; the exponent is the slope of their logarithm over that of the size.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reduction.live.reducer import LiveReducer
from tests.beamline.raw_scans import acquire, scan_set_of
from tests.benchmarks import reducer_cost
from tests.benchmarks.command_cost import command, shortest
from tests.benchmarks.list_cost import into_journal
from tests.benchmarks.page_cost import page, view
from tests.benchmarks.pattern_cost import costs

Row = dict[int, float]
WATCHED = 10.0
"""Seconds for which viewers look at the page."""
PHASES = 1_296


def phases() -> Row:
    """A dwell in the live reduction / ms, 4 slots."""
    return {number: float(np.median(costs(number, 4, False)[0])) for number in (24, 48, 324, 648, PHASES)}


def slots() -> Row:
    """A dwell in the live reduction / ms, 1,296 phases."""
    return {number: float(np.median(costs(PHASES, number, False)[0])) for number in (4, 36, 324, PHASES)}


def pass_cost(points: int, passes: int, second: bool = False) -> dict[str, float]:
    """Median milliseconds of an event of the last of some passes, and of its stop."""
    reducer_cost.POINTS = points
    samples = np.random.default_rng(1).binomial(80_000, 0.14, (64, 120))
    reducer = LiveReducer(lambda name, doc: None)
    for number in range(passes):
        found = reducer_cost.pass_costs(reducer, number, samples, second)
    return {name: float(np.median(values)) for name, values in found.items()}


def detectors() -> Row:
    """A dwell / ms, photon counters of 120 phases."""
    return {1 + second: pass_cost(50, 2, bool(second))["event"] for second in (0, 1)}


def energies() -> Row:
    """The end of a pass / ms, points of a scan."""
    return {points: pass_cost(points, 2)["stop"] for points in (50, 100, 200, 400)}


def energies_of_a_dwell() -> Row:
    """A dwell / ms, points of a scan."""
    return {points: pass_cost(points, 2)["event"] for points in (50, 100, 200, 400)}


def passes() -> Row:
    """A dwell / ms, passes of 50 points."""
    return {number: pass_cost(50, number)["event"] for number in (1, 4, 16, 64)}


def runs() -> Row:
    """`trxas list` / s of a processor, runs in the journal."""
    found: Row = {}
    with tempfile.TemporaryDirectory() as folder:
        for before, size in ((0, 100), (100, 1_000), (1_000, 10_000)):
            into_journal(Path(folder))(before, size)
            listing = command("list", "--data", folder)
            time.sleep(2.5)  # after which the index trusts the folder's time
            listing()
            found[size] = shortest(listing, 3)
    return found


def viewers() -> Row:
    """The page in the browser / processor seconds a second, viewers that pull it during a pass."""
    with tempfile.TemporaryDirectory() as folder:
        acquire(Path(folder), scan_set_of(1))
        idle = _page_seconds(Path(folder), 0)
        return {n: max(_page_seconds(Path(folder), n) - idle, 1e-4) / WATCHED for n in (1, 5, 20)}


def _page_seconds(root: Path, number: int) -> float:
    """Processor seconds of a page, start and end included, while so many look at it."""

    async def look(url: str) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(view(url, number), WATCHED)

    before = sum(os.times()[2:4])
    with page(root) as url:
        asyncio.run(look(url))
    return sum(os.times()[2:4]) - before


ROWS = {
    "phases": phases, "slots": slots, "detectors": detectors, "energies": energies_of_a_dwell,
    "energies, end of a pass": energies, "passes": passes, "runs": runs, "viewers": viewers,
}  # fmt: skip


def table(names: list[str]) -> Iterator[str]:
    """Lines of the table."""
    yield "| | cost | sizes | costs | exponent |\n|---|---|---|---|---|"
    for name, measure in ROWS.items():
        if not names or name.partition(",")[0] in names:
            found = measure()
            exponent = np.polyfit(*np.log([list(found), list(found.values())]), 1)[0]
            cost = (measure.__doc__ or "").rstrip(".")
            sizes, each = (", ".join(f"{value:{spec}}" for value in values) for spec, values in
                           ((",", found), (".3g", found.values())))  # fmt: skip
            yield f"| {name} | {cost} | {sizes} | {each} | {exponent:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for line in table(parser.parse_args().rows):
        print(line, flush=True)


if __name__ == "__main__":
    main()
