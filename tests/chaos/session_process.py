"""A session that executes commands from its standard input and reports on its standard output, as lines of JSON.

Arguments: data root, PV prefix, clock rate. Each event is reported after the journal has stored it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bluesky.utils import RunEngineInterrupted

from beamline.session.session import Session, start
from tests.beamline.configurations import ENERGIES, configuration

DWELL = 2.0


def report(**entries: Any) -> None:
    print(json.dumps(entries), flush=True)


class Shift:
    """The commands of the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run: dict[str, str] = {}
        self._moments: list[float] = []
        session.RE.subscribe(self.announce)
        session.listen_reduced(self.announce, "the list of reduced events")

    def announce(self, name: str, doc: Mapping[str, Any]) -> None:
        """Report a document that the journal has stored."""
        if name == "start":
            report(kind="start", uid=doc["uid"], raw="analysis_of" not in doc)
        elif name == "descriptor":
            self._run[doc["uid"]] = doc["run_start"]
        elif name == "event":
            if "segment" in doc["data"]:
                self._moments.append(time.perf_counter())
            quality = doc["data"].get("quality") if "segment" in doc["data"] else None
            run = self._run[doc["descriptor"]]
            report(kind="event", uid=doc["uid"], run=run, at=time.monotonic(), seq=doc["seq_num"], quality=quality)
        elif name == "stop":
            report(kind="stop", run=doc["run_start"], status=doc["exit_status"], reason=doc.get("reason", ""))

    def scan(self) -> None:
        """Run one pass over a short grid, and report its outcome."""
        RE = self._session.RE
        self._run.clear()
        try:
            RE(self._session.scans.plans["energy_scan"](energies=ENERGIES, dwell=DWELL, passes=1))
            report(kind="ended", status="success", error="")
        except RunEngineInterrupted:
            if RE.state == "paused":
                RE.abort("paused by the campaign")
            report(kind="ended", status="abort", error="interrupted")
        except Exception as error:  # noqa: BLE001 the campaign judges any error
            report(kind="ended", status="fail", error=f"{type(error).__name__}: {error}")

    def measure(self) -> None:
        """Report the resources of this process, and the median time of recent events."""
        gc.collect()
        steps = sorted(np.diff(self._moments).tolist())
        self._moments.clear()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        report(
            kind="measured",
            memory=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            event=1e3 * steps[len(steps) // 2],
        )

    def clock(self, offset: float) -> None:
        """Shift the clock of this process."""
        true = getattr(time.time, "true", time.time)

        def wrong() -> float:
            return float(true() + offset)

        wrong.true = true  # type: ignore[attr-defined]
        time.time = wrong  # type: ignore[assignment]
        report(kind="clock", offset=offset)


def main(root: str, prefix: str, clock_rate: str) -> None:
    config = configuration(Path(root), prefix, float(clock_rate), waiting=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # between scans; during one the RunEngine handles it
    with start(config, notify=lambda sentence: report(kind="message", sentence=str(sentence))) as session:
        if not isinstance(session, Session):
            report(kind="read only")
            return
        shift = Shift(session)
        report(kind="ready", writer=session._catalogue_writer._process.pid if session._catalogue_writer else 0)
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "close":
                break
            getattr(shift, command.pop("do"))(**command)
    report(kind="closed")


if __name__ == "__main__":
    main(*sys.argv[1:])
