"""A session that does what it is told on its standard input, a line of JSON each, and says what it announced.

Arguments: data root, PV prefix, clock rate. Each event is said after the journal has it.
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


def say(**entries: Any) -> None:
    print(json.dumps(entries), flush=True)


class Shift:
    """What the session is asked to do."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._run: dict[str, str] = {}
        self._moments: list[float] = []
        session.RE.subscribe(self.announce)
        session.listen_reduced(self.announce, "the list of reduced events")

    def announce(self, name: str, doc: Mapping[str, Any]) -> None:
        """Say a document that the journal has."""
        if name == "start":
            say(said="start", uid=doc["uid"], raw="analysis_of" not in doc)
        elif name == "descriptor":
            self._run[doc["uid"]] = doc["run_start"]
        elif name == "event":
            if "segment" in doc["data"]:
                self._moments.append(time.perf_counter())
            quality = doc["data"].get("quality") if "segment" in doc["data"] else None
            run = self._run[doc["descriptor"]]
            say(said="event", uid=doc["uid"], run=run, at=time.monotonic(), seq=doc["seq_num"], quality=quality)
        elif name == "stop":
            say(said="stop", run=doc["run_start"], status=doc["exit_status"], reason=doc.get("reason", ""))

    def scan(self) -> None:
        """One pass over a short grid; whatever it raises is said."""
        RE = self._session.RE
        self._run.clear()
        try:
            RE(self._session.scans.plans["energy_scan"](energies=ENERGIES, dwell=DWELL, passes=1))
            say(said="ended", status="success", error="")
        except RunEngineInterrupted:
            if RE.state == "paused":
                RE.abort("paused by the campaign")
            say(said="ended", status="abort", error="interrupted")
        except Exception as error:  # noqa: BLE001 whatever it is, the campaign looks at it
            say(said="ended", status="fail", error=f"{type(error).__name__}: {error}")

    def measure(self) -> None:
        """Say what this process holds, and how long an event took lately."""
        gc.collect()
        steps = sorted(np.diff(self._moments).tolist())
        self._moments.clear()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        say(
            said="measured",
            memory=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            event=1e3 * steps[len(steps) // 2],
        )

    def clock(self, offset: float) -> None:
        """The clock of this process goes wrong from now on."""
        true = getattr(time.time, "true", time.time)

        def wrong() -> float:
            return float(true() + offset)

        wrong.true = true  # type: ignore[attr-defined]
        time.time = wrong  # type: ignore[assignment]
        say(said="clock", offset=offset)


def main(root: str, prefix: str, clock_rate: str) -> None:
    config = configuration(Path(root), prefix, float(clock_rate), waiting=True)
    signal.signal(signal.SIGINT, lambda *_: None)  # pressed between scans; while one runs the RunEngine listens
    with start(config, notify=lambda sentence: say(said="told", sentence=str(sentence))) as session:
        if not isinstance(session, Session):
            say(said="read only")
            return
        shift = Shift(session)
        say(said="ready", writer=session._filler._process.pid if session._filler else 0)
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "close":
                break
            getattr(shift, order.pop("do"))(**order)
    say(said="closed")


if __name__ == "__main__":
    main(*sys.argv[1:])
