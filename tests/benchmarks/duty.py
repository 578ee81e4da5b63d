"""How much of a scan's time counts, with everything live, and where the rest goes.

Run it with ``python -m tests.benchmarks.duty [--points N] [--dwell S]``. A session on the simulated beamline at the
speed of life, with journal, live reduction, judge, suspenders, live table, live figure (PNG) and catalogue writer,
scans an edge with four dwells a point. Simulator, figure and writer share the processors with the session here.

Two figures: dwell / (wall - motion), where motion is that of axes and of the laser shutter, and dwell / wall.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from bluesky import Msg
from rich.console import Console

SHUTTERS = {"laser_shutter": "laser shutter", "xray_shutter": "X-ray shutter"}
SETTLING = ("mono", "laser_delay", "laser_fluence")


class Account:
    """Wall seconds of a scan by what the RunEngine was doing: a message lasts until the next one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.dwells = 0
        self._last: tuple[str, float] | None = None
        self._groups: dict[Any, str] = {}

    def __call__(self, msg: Msg) -> None:
        """Hook of the RunEngine."""
        now = time.perf_counter()
        if self._last is not None:
            self.seconds[self._last[0]] += now - self._last[1]
        self._last = (self._kind(msg), now)

    def _kind(self, msg: Msg) -> str:
        group = msg.kwargs.get("group") or (msg.args[0] if msg.command == "wait" and msg.args else None)
        name = getattr(msg.obj, "name", "")
        if msg.command == "set":
            kind = "axes" if name in SETTLING else SHUTTERS.get(name, "soft signals")
            if self._groups.get(group) is None or kind != "soft signals":
                self._groups[group] = kind
            return kind
        if msg.command == "trigger":
            self.dwells += name == "fpga"
            self._groups[group] = "dwell"
            return "trigger"
        if msg.command == "wait":
            return self._groups.get(group, "wait")
        return {"save": "save (journal, reduction, table)", "read": f"read {name}"}.get(msg.command, msg.command)

    def end(self) -> None:
        """The scan is over."""
        if self._last is not None:
            self.seconds[self._last[0]] += time.perf_counter() - self._last[1]
            self._last = None


def run(points: int, dwell: float, root: Path) -> tuple[Account, float, float]:
    """Account of one pass, its wall seconds, and those estimated beforehand."""
    from beamline.config.models import load
    from beamline.session.progress import show_progress
    from beamline.session.session import Session, start

    grid = np.concatenate([[13.455, 13.458], np.linspace(13.466, 13.48, points - 2)])
    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01}, display={"live_figure": "png"})
    account = Account()
    planned: list[float] = []
    with start(config, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        show_progress(session, Console(file=io.StringIO(), force_terminal=True))
        session.RE(
            session.energy_scan(energies=grid[:2], dwell=0.2, pattern=(1, 0))
        )  # everything is warm and drawn once
        session.RE.subscribe(lambda name, doc: planned.append(doc["estimated_time"]), "start")
        session.RE.msg_hook = account
        began = time.perf_counter()
        session.RE(session.energy_scan(energies=grid, dwell=dwell))
        account.end()
        wall = time.perf_counter() - began
    return account, wall, planned[-1]


def report(account: Account, wall: float, planned: float, dwell: float) -> None:
    """Print where the time went and the two figures."""
    counted = account.dwells * dwell
    spent = {
        **account.seconds,
        "dwell": counted,
        "counters: answer after the dwell": account.seconds["dwell"] - counted,
    }
    print(
        f"{account.dwells} dwells of {dwell:g} s in {wall:.1f} s; estimate {planned:.1f} s ({planned / wall - 1:+.1%})"
    )
    print(f"{'':36} {'s':>8} {'ms a dwell':>12} {'of the wall':>12}")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{name:36} {seconds:8.2f} {seconds / account.dwells * 1e3:12.2f} {seconds / wall:12.2%}")
    motion = account.seconds["axes"] + account.seconds["laser shutter"]
    print(f"dwell / (wall - motion of axes and laser shutter): {counted / (wall - motion):.2%}")
    print(f"dwell / wall:                                      {counted / wall:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--dwell", type=float, default=1.0)
    options = parser.parse_args()
    from beamline.session.simulators import simulated_beamline

    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with simulated_beamline("demo", 1.0) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        account, wall, planned = run(options.points, options.dwell, Path(folder))
    report(account, wall, planned, options.dwell)


if __name__ == "__main__":
    main()
