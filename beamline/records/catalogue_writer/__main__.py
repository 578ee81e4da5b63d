"""Fills the catalogue from the journal, as a separate process: ``python -m beamline.records.catalogue_writer``.

It tails the journal's directory and stores each run. Failures of the catalogue or of this process do not affect the
acquisition; missing documents are stored later, exactly once.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from beamline.config.secrets import SecretError, read_secret, refuse_secret

if TYPE_CHECKING:
    from beamline.records.catalogue_writer.loop import CatalogueWriter

TILED_PATIENCE = {"TILED_RETRY_ATTEMPTS": "4", "TILED_RETRY_TIMEOUT": "2"}
"""Environment set before Tiled is imported: a lost reply is retried at once, but a dead server must be detected soon;
the waiting is done here."""

LEAVING_PATIENCE = 5.0
"""Seconds to wait for an unavailable catalogue at the end of a session."""
KILLED_PATIENCE = 30.0
"""The same after a session that was killed: nobody waits for this process, but the next session needs its lock."""


def main(arguments: list[str] | None = None) -> int:
    """Run the catalogue writer; exit status 1 if something is stored in the journal only."""
    stop_requests = StopRequests()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_requests)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})  # blocked by the session until now
    options = _options(arguments)
    os.environ.update(TILED_PATIENCE)
    os.nice(5)  # the acquisition has priority

    try:
        refuse_secret(options.catalogue, "--catalogue", "TILED_API_KEY or --key-file")
        if options.key_file is not None:
            os.environ["TILED_API_KEY"] = read_secret(options.key_file)
        writer = _writer(options, stop_requests)
    except (RuntimeError, OSError, SecretError) as error:
        print(f"catalogue writer: {error}", file=sys.stderr)
        return 2
    if writer is None:
        return 0
    try:
        return _serve(writer, options, stop_requests)
    finally:
        writer.close()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m beamline.records.catalogue_writer", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--journal", required=True, metavar="DIR", help="the data root, or its journal folder")
    parser.add_argument("--catalogue", required=True, metavar="URI_OR_DIR", help="Tiled server, or directory")
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="file with the server's key, in place of TILED_API_KEY"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--until-idle", action="store_true", help="exit when everything is stored")
    how.add_argument("--once", action="store_true", help="try everything once, then exit")
    parser.add_argument(
        "--linger", type=float, default=1.0, metavar="S", help="seconds to collect events before storing (1)"
    )
    parser.add_argument(
        "--with-parent",
        type=int,
        metavar="PID",
        help="store everything and exit on a signal or after this parent process has ended",
    )
    parser.add_argument("--helper-lock", type=int, help=argparse.SUPPRESS)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s catalogue writer: %(message)s")
    return parser.parse_args(arguments)


class StopRequests:
    """Counts the signals that request this process to stop."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *_: object) -> None:
        self.times += 1


def _writer(options: argparse.Namespace, stop_requests: StopRequests) -> CatalogueWriter | None:
    """A catalogue writer; that of a session waits while another one serves the journal.

    That of an earlier session, which was killed, ends soon. A service of the system stays: the session can end when it
    has stored everything.
    """
    from beamline.records.catalogue_writer.lag import runs_behind
    from beamline.records.catalogue_writer.loop import CatalogueWriter, LockedError  # takes seconds

    helping = options.helper_lock is not None
    while True:
        try:
            return CatalogueWriter(options.journal, options.catalogue, options.linger, helping=helping)
        except LockedError:
            if stop_requests.times > 1 or options.with_parent is None or os.getppid() != options.with_parent:
                raise
            if stop_requests.times and not runs_behind(options.journal, options.catalogue):
                return None


def _serve(writer: CatalogueWriter, options: argparse.Namespace, stop_requests: StopRequests) -> int:
    if options.once:
        return 0 if writer.once() else 1
    if options.until_idle:
        return 0 if writer.until_idle(lambda: stop_requests.times > 0) else 1
    parent = options.with_parent  # passed as an argument, as the parent may have ended before os.getppid() is called
    writer.follow(lambda: stop_requests.times > 0 or (parent is not None and os.getppid() != parent))
    if parent is None:
        return 0
    # Last runs of a session: the first request stores them, a second one exits at once and leaves them to the next.
    patience = LEAVING_PATIENCE if stop_requests.times else KILLED_PATIENCE
    return 0 if writer.until_idle(lambda: stop_requests.times > 1, patience, new_runs=False) else 1


if __name__ == "__main__":
    sys.exit(main())
