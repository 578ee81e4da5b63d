"""Run the chaos campaign from the command line: ``python -m tests.chaos --faults 1000 --seed 7``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from math import inf
from pathlib import Path

from tests.helpers.ports import PortBlock


def main() -> int:
    """Run the campaign and print the result; exit status 0 without a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, help="by default one of each kind")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--short", action="store_true", help="the 15 faults of the short form")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="kinds of fault whose names contain one of these")
    parser.add_argument("--skip", nargs="+", metavar="NAME", default=[], help="omit those")
    parser.add_argument("--from", type=int, dest="first", default=1, metavar="N", help="begin at fault N of the walk")
    parser.add_argument("--list", action="store_true", help="print the kinds of fault")
    parser.add_argument("--catalogue", choices=("embedded", "server", "sample"), default="embedded")
    parser.add_argument("--minutes", type=float, default=inf, metavar="M", help="end the shift after so many")
    parser.add_argument("--folder", type=Path, help="keep the shift here, or go on with the one that is here")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    options = parser.parse_args()
    ports = PortBlock()
    os.environ.update(ports.client_environment())  # before the import of epics
    from tests.chaos.faults import FAULTS, SHORT
    from tests.chaos.violation import ViolationError
    from tests.chaos.walk import random_faults, walk
    from tests.helpers.ioc_process import IocPool

    kinds = [
        fault for fault in FAULTS if _named(fault.name, options.only or [""]) and not _named(fault.name, options.skip)
    ]
    if options.list:
        print("\n".join(fault.name for fault in kinds))
        return 0
    faults = SHORT if options.short else random_faults(options.seed, options.faults or len(kinds), kinds)
    pool = IocPool(ports)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # everything is stopped on the way out
    with _kept(options.folder) if options.folder else tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        try:
            walk(
                options.seed,
                faults,
                Path(folder),
                pool,
                first=options.first,
                catalogue=options.catalogue,
                keep_going=options.keep_going,
                minutes=options.minutes,
                to_be_continued=options.folder is not None,
            )
        except ViolationError as violation:
            print(f"VIOLATION, {violation}", flush=True)
            log = Path(folder) / "session.log"
            print("\n".join(log.read_text().splitlines()[-40:]) if log.exists() else "")
            return 1
        finally:
            pool.stop_all()
    print("everything held")
    return 0


def _kept(folder: Path) -> AbstractContextManager[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return nullcontext(str(folder.resolve()))


def _named(name: str, parts: list[str]) -> bool:
    return any(part in name for part in parts)


if __name__ == "__main__":
    sys.exit(main())
