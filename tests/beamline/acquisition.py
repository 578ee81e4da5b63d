"""A scanning session in a separate process that prints its events; for tests that kill it.

Arguments: data root, PV prefix, clock rate, passes. Each event is printed after the journal has
it, as by a later subscriber.
"""

from __future__ import annotations

import sys
from pathlib import Path

from beamline.session.session import Session, start
from tests.beamline.configurations import ENERGIES, configuration


def main(root: str, prefix: str, clock_rate: str, passes: str) -> None:
    config = configuration(Path(root), prefix, float(clock_rate))
    with start(config, fill_catalogue=False, notify=lambda line: print("told", line, flush=True)) as session:
        assert isinstance(session, Session)

        def announce(name: str, doc: dict) -> None:
            if name == "event" and "laser_on" in doc["data"]:
                print("event", doc["descriptor"], doc["seq_num"], doc["data"]["laser_on"], flush=True)
            elif name == "stop":
                print("stop", doc["exit_status"], flush=True)

        session.RE.subscribe(announce)
        session.RE(session.energy_scan(energies=ENERGIES, dwell=2.0, passes=int(passes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
