"""Run the chaos campaign from the command line: ``python -m tests.chaos --faults 1000 --seed 7``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.ports import PortBlock


def main() -> int:
    """Run the campaign and print the result; exit status 0 without a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--short", action="store_true", help="the 15 faults of the short form")
    parser.add_argument("--only", help="faults whose names contain this")
    parser.add_argument("--skip", help="omit faults whose names contain this")
    parser.add_argument("--embedded", action="store_true", help="a catalogue without a server of its own")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    options = parser.parse_args()
    ports = PortBlock()
    os.environ.update(ports.client_environment())  # before the import of epics
    from tests.chaos.driven_session import ViolationError
    from tests.chaos.faults import FAULTS, SHORT
    from tests.chaos.walk import random_faults, walk
    from tests.helpers.ioc_process import IocPool

    faults = SHORT if options.short else random_faults(options.seed, options.faults)
    if options.only:
        faults = ([fault for fault in FAULTS if options.only in fault.name] * options.faults)[: options.faults]
    faults = [fault for fault in faults if not (options.skip and options.skip in fault.name)]
    pool = IocPool(ports)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # everything is stopped on the way out
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        try:
            walk(options.seed, faults, Path(folder), pool, embedded=options.embedded, keep_going=options.keep_going)
        except ViolationError as violation:
            print(f"VIOLATION, {violation}", flush=True)
            log = Path(folder) / "session.log"
            print("\n".join(log.read_text().splitlines()[-40:]) if log.exists() else "")
            return 1
        finally:
            pool.stop_all()
    print("everything held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
