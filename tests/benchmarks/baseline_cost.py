"""What the baseline costs a run: ``python -m tests.benchmarks.baseline_cost``."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

RUNS = 12


def main() -> None:
    from beamline.session.simulators import simulated_beamline

    with simulated_beamline(None, 10.0) as environment, tempfile.TemporaryDirectory() as root:
        os.environ.update(environment)
        measure(root)


def measure(root: str) -> None:
    """Print the time of a run without any event, with the baseline and without it."""
    import bluesky.plan_stubs as bps

    from beamline.config.models import load
    from beamline.session.baseline import SlowSettings
    from beamline.session.session import Session, start

    config = load("simulated", data={"root": root, "min_free_gb": 0.01}, display={"live_figure": "off"})

    def nothing() -> Any:
        yield from bps.open_run()
        yield from bps.close_run()

    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        keys = len(SlowSettings(session.beamline.devices()).signals)
        with_it = timed(lambda: session.RE(nothing()))
        session.RE.preprocessors.pop()
        without = timed(lambda: session.RE(nothing()))
    cost = [1e3 * (after - before) for after, before in zip(with_it, without, strict=True)]
    print(f"baseline of {keys} keys, read twice: {cost[0]:.0f} ms of wall, {cost[1]:.0f} ms of processor a run")


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of wall and of processor time."""
    run()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, processor = (statistics.median(each) for each in zip(*times, strict=True))
    return wall, processor


if __name__ == "__main__":
    main()
