"""The estimated against the real time of every plan.

Run it with ``python -m tests.benchmarks.estimated_time [--dwell S] [PLAN ...]``. A session on the simulated beamline
in real time, with journal, live reduction, stopping rule, suspenders and live table; the simulator shares the
processors with the session. The first line is that of the first scan of the session: nothing was run before it. Axes
and shutters are compared by themselves; the rest is messages and Channel Access, for which ``dwell``, ``message`` and
``run`` of ``[times]`` in the configuration stand.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from plans.compilation.estimate import Duration
from tests.benchmarks.duty import SHUTTERS, Account

ENERGIES = [13.455, 13.462, 13.468, 13.472, 13.480, 13.500]
SCANS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("energy_scan", (), {"energies": ENERGIES, "order": "alternating"}),
    ("delay_series", ([100, 10_100],), {"energies": ENERGIES}),
    ("delay_scan", (), {"delays": [-200, -50, 0, 50, 200, 1000, 10_000, 100_000]}),
    ("fluence_scan", (), {"fluences": [0.5, 2.0, 5.0, 8.0, 12.0]}),
    ("background_run", (), {"repeats": 4}),
]


@dataclass(frozen=True)
class Timed:
    """One plan: estimated and real time (wall seconds), with axes and shutters separately."""

    name: str
    estimate: Duration
    real: float
    account: Account
    dwells: int

    def row(self) -> list[str]:
        """For the table; milliseconds are those of a dwell."""
        estimate, seconds = self.estimate, self.account.seconds
        axes, shutters = seconds["axes"], sum(seconds[kind] for kind in SHUTTERS.values())
        rest = (self.real - estimate.dwells - axes - shutters) / self.dwells
        pairs = [(estimate.total, self.real), (estimate.axes, axes), (estimate.shutters, shutters)]
        cells = [f"{first:.1f} / {second:.1f}" for first, second in pairs]
        ratio = f"{estimate.total / self.real:.3f}"
        return [
            self.name,
            str(self.dwells),
            ratio,
            *cells,
            f"{estimate.messages / self.dwells * 1e3:.0f} / {rest * 1e3:.0f}",
        ]


def measured(dwell: float, root: Path, names: Sequence[str]) -> Iterator[Timed]:
    """Plans in turn, in one session."""
    from beamline.config.models import load
    from beamline.session.progress import LiveTable
    from beamline.session.session import Session, start

    config = load("simulated", data={"root": str(root), "min_free_gb": 0.01}, display={"live_figure": "off"})
    with start(config, fill_catalogue=False, notify=lambda _: None) as session:
        assert isinstance(session, Session)
        session.listen_reduced(LiveTable(Console(file=io.StringIO(), force_terminal=True)), "the live table")
        plans = session.scans.plans
        for name, args, kwargs in (scan for scan in SCANS if scan[0] in names):
            arguments = {"dwell": dwell} | kwargs
            with contextlib.redirect_stdout(io.StringIO()):
                estimate = session.scans.preview(plans[name], *args, **arguments)
            dwells = sum(one.dwells() for one in plans[name].compile(*args, **arguments).passes)
            session.RE.msg_hook = account = Account()
            began = time.perf_counter()
            session.RE(plans[name](*args, **arguments))
            account.end()
            yield Timed(name, estimate, time.perf_counter() - began, account, dwells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dwell", type=float, default=1.0)
    parser.add_argument("plans", nargs="*", default=list(dict.fromkeys(scan[0] for scan in SCANS)))
    options = parser.parse_args()
    from beamline.session.simulators import simulated_beamline

    table = Table(title=f"dwells of {options.dwell:g} s unless given; {os.cpu_count()} processors")
    heads = ("plan", "dwells", "estimated / real", "all / s", "axes / s", "shutters / s", "messages / ms a dwell")
    for head in heads:
        table.add_column(head, justify="left" if head == "plan" else "right")
    with simulated_beamline("demo", 1.0) as environment, tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment)
        for timed in measured(options.dwell, Path(folder), options.plans):
            table.add_row(*timed.row())
    Console(width=120).print(table)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
