"""What the live figure adds to the time of an event: with and without it, interleaved in one run.

Run it with ``python -m tests.benchmarks.live_figure_cost [--rounds N]``. Two measurements:

- journal and live reducer alone, a dwell each 10 ms: the time that the acquisition spends in them;
- a scan on the simulated beamline, 200 times faster than life: the time between two dwells of one point, less the
  dwell. Simulator, session and figure share the processors here; at a beamline the hardware is elsewhere.

A round is a pass with the figure and one without, in an order drawn by lot, so that a slow change of the machine's load
cancels. Without means frozen: a stopped process uses no processor. The difference is that of the rounds' medians, with
its standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SPEEDUP, DWELL = 200.0, 4.0
PAUSE = 0.01
"""Seconds between events of the first measurement, a hundred times faster than dwells come."""
PASSES = 6
"""Passes of 48 dwells in a measurement without devices: some seconds, so that the figure is drawn several times."""
POINTS = 25
WITHOUT, WITH = "without", "with"


@contextlib.contextmanager
def live_figure(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A live figure at its default pace, from when it has drawn once."""
    png = root / "figure.png"
    command = [sys.executable, "-m", "beamline.outputs.live_figure", "--journal", str(root), "--png", str(png)]
    process = subprocess.Popen(command)
    try:
        while not png.exists():
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


Shown = Callable[[Path], contextlib.AbstractContextManager[subprocess.Popen[bytes]]]
"""Begins a process that shows a data root."""


def interleaved(
    rounds: int, root: Path, measure: Callable[[], list[float]], shown: Shown = live_figure
) -> dict[str, list[np.ndarray]]:
    """Milliseconds of each event, of each round, with and without a figure, or whatever is shown."""
    rng = np.random.default_rng()
    found: dict[str, list[np.ndarray]] = {WITHOUT: [], WITH: []}
    with shown(root) as figure:
        for _ in range(rounds):
            for condition in map(str, rng.permutation([WITHOUT, WITH])):
                figure.send_signal(signal.SIGCONT if condition == WITH else signal.SIGSTOP)
                found[condition].append(np.array(measure()) * 1e3)
    return found


def report(title: str, found: dict[str, list[np.ndarray]], what: str = "the figure") -> None:
    """Print median, 90 % and 99 % of each condition, and the difference of the rounds' medians."""
    print(f"\n{title}: {found[WITH][0].size} events a round, {len(found[WITH])} rounds")
    print(f"{what.split()[-1]:>10} {'median / ms':>12} {'90 % / ms':>12} {'99 % / ms':>12}")
    for condition, rounds in found.items():
        values = np.percentile(np.concatenate(rounds), (50, 90, 99))
        print(f"{condition:>10} " + " ".join(f"{value:>12.3f}" for value in values))
    medians = {condition: np.array([np.median(each) for each in rounds]) for condition, rounds in found.items()}
    difference = medians[WITH] - medians[WITHOUT]
    error = difference.std(ddof=1) / np.sqrt(difference.size) if difference.size > 1 else np.nan
    print(f"{what} adds {difference.mean():+.3f} +- {error:.3f} ms to an event (median)")


def journal_and_reducer(rounds: int, shown: Shown = live_figure, what: str = "the figure") -> None:
    """The first measurement."""
    from tests.beamline.raw_scans import Acquisition, scan_set_of

    with tempfile.TemporaryDirectory() as folder, Acquisition(Path(folder)) as session:
        session.reducer.warm_up()
        numbers = iter(range(2 * rounds))

        def measure() -> list[float]:
            seconds = []
            for document in [each for documents in scan_set_of(PASSES, seed=next(numbers)) for each in documents]:
                began = time.perf_counter()
                session.take([document])
                if document[0] == "event":
                    seconds.append(time.perf_counter() - began)
                    time.sleep(PAUSE)
            return seconds

        report("time in journal and live reducer", interleaved(rounds, Path(folder), measure, shown), what)


def scan(rounds: int, shown: Shown = live_figure, what: str = "the figure") -> None:
    """The second measurement."""
    from beamline.session.simulators import simulated_beamline

    with simulated_beamline("demo", SPEEDUP) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        _scan(rounds, Path(folder), shown, what)


def _scan(rounds: int, folder: Path, shown: Shown, what: str) -> None:
    from beamline.config.models import load
    from beamline.session.session import Session, start

    data = {"root": str(folder), "min_free_gb": 0.01}
    config = load("simulated", clock_rate=SPEEDUP, data=data, display={"live_figure": "off"})
    grid = np.concatenate([[13.455, 13.458], np.linspace(13.466, 13.48, POINTS - 2)])
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        stamps: list[tuple[int, float]] = []

        def stamp(name: str, doc: dict) -> None:
            if name == "event" and "segment" in doc["data"]:  # not the baseline
                stamps.append((doc["data"]["segment"], time.perf_counter()))

        session.RE.subscribe(stamp)

        def measure() -> list[float]:
            stamps.clear()
            session.RE(session.energy_scan(energies=grid, dwell=DWELL))
            steps = np.diff([moment for _, moment in stamps]) - DWELL / SPEEDUP
            return [float(step) for step, (segment, _) in zip(steps, stamps[1:], strict=True) if segment != 0]

        measure()
        report("time beyond the dwell, same point", interleaved(rounds, folder, measure, shown), what)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    journal_and_reducer(rounds)
    scan(rounds)


if __name__ == "__main__":
    main()
