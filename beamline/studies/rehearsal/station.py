"""One beam time of a rehearsal: ``python -m beamline.studies.rehearsal.station``, beside its running simulator.

It goes through the steps that the record does not have, resumes one that was begun, and meets faults on the way.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any, Protocol

from beamline.studies.rehearsal.programme import BeamTime, Step, programme
from beamline.studies.rehearsal.record import RehearsalRecord

FAULT_LASTS = 0.5
"""Seconds of wall time."""
FIRST_FAULT = 60
"""Events before the first fault, and from each fault to the next."""
GRAPHITE = "graphite"
PARENT_CHECK = 1.0
"""Seconds of wall time."""


class SteppingSession(Protocol):
    """The part of a session that the steps use."""

    RE: Any
    scans: Any


def go_through(session: SteppingSession, steps: tuple[Step, ...], record: RehearsalRecord, share: float,
               hook: Callable[[str], None] = lambda _: None) -> None:  # fmt: skip
    """Run the steps that are not complete; one that was begun is resumed.

    Parameters
    ----------
    session : SteppingSession
    steps : tuple of Step
    record : RehearsalRecord
    share : float
    hook : callable
        Called with the name of each step before it begins.
    """
    from beamline.session.scans.resume import CompleteError

    for step in steps:
        if step.name in record.done:
            continue
        hook(step.name)

        def note(name: str, doc: Mapping[str, Any], of: str = step.name) -> None:
            record.begin(of, str(doc.get("series") or doc["scan_set"]))

        token = session.RE.subscribe(note, "start")
        try:
            if step.name in record.begun:
                session.RE(session.scans.resume(record.begun[step.name]))
            else:
                session.RE(session.scans.plans[step.plan](**step.scaled(share)))
        except CompleteError:
            pass
        finally:
            session.RE.unsubscribe(token)
        record.end(step.name)


class Troubles:
    """Puts faults to the simulator while events come: a callback for event documents.

    Parameters
    ----------
    prefix : str
        Of the simulated records.
    names : tuple of str
        Faults in order.
    put : callable
        Takes a record and a value.
    """

    def __init__(self, prefix: str, names: tuple[str, ...], put: Callable[[str, int], None]) -> None:
        self._prefix, self._left, self._put, self._events = prefix, list(names), put, 0

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Count an event; begin a fault that is due, and end it after a while."""
        self._events += 1
        if self._left and self._events >= FIRST_FAULT:
            record = f"{self._prefix}Fault:{self._left.pop(0)}"
            self._events = 0
            self._put(record, 1)
            timer = Timer(FAULT_LASTS, self._put, (record, 0))
            timer.daemon = True
            timer.start()


def rehearse_station(part: BeamTime, root: Path, record: RehearsalRecord, share: float, rate: float) -> None:
    """Start a session on the simulated station and go through its steps."""
    from ophyd import EpicsSignal

    from beamline.config.models import load
    from beamline.session.session import Session, start

    roles = load(part.config).roles.model_dump()
    changes: dict[str, Any] = {
        "clock_rate": rate,
        "data": {"root": str(root), "min_free_gb": 0.2},
        "roles": {**roles, "counters": part.counters or roles["counters"], "put_logs": ()},  # nobody else puts
        "display": {"live_figure": "off"},
        "xray_shutter": {"reopen": True},
        "control": {"lock": str(root / "locks")},
    }
    with start(load(part.config, **changes), fill_catalogue=False, notify=_print) as session:
        if not isinstance(session, Session):
            raise RuntimeError(f"another rehearsal is writing to {root}; choose another folder")

        session.kinetics.close()  # nobody watches the fits after each point
        signals: dict[str, EpicsSignal] = {}

        def put(name: str, value: int) -> None:
            signals.setdefault(name, EpicsSignal(name, name="fault")).put(value, wait=False)

        def before(step: str) -> None:
            _print(step)
            if "cell" in session.beamline:
                put("sim:X10DA-ES1-CELL:Sample", int(step != GRAPHITE))

        session.RE.subscribe(Troubles("sim:", part.troubles, put), "event")
        go_through(session, part.steps, record, share, before)


def _print(text: str) -> None:
    print(text, flush=True)


def _end_with_parent(parent: int, ended: Event) -> None:
    """End in order when the parent has ended: its simulator ends too."""
    while os.getppid() == parent and not ended.wait(PARENT_CHECK):
        pass
    if not ended.is_set():
        os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: list[str] | None = None) -> int:
    """Rehearse one beam time; exit status 0, or 1 with a line on standard error."""
    from beamline.session.orderly_end import OrderlyEnd

    parser = argparse.ArgumentParser(prog="python -m beamline.studies.rehearsal.station")
    parser.add_argument("--beam-time", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--share", required=True, type=float)
    parser.add_argument("--rate", required=True, type=float)
    options = parser.parse_args(arguments)
    part = programme(options.share)[options.beam_time]
    root = options.folder.absolute() / options.beam_time
    logging.getLogger("bluesky").addHandler(logging.NullHandler())  # its traces of plans that were cut off
    ended = Event()
    Thread(target=_end_with_parent, args=(os.getppid(), ended), daemon=True, name="parent").start()
    try:
        with OrderlyEnd():
            record = RehearsalRecord(root, options.share)
            rehearse_station(part, root, record, options.share, options.rate)
    except Exception as error:  # noqa: BLE001 - the parent process reports it
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        ended.set()
    return 0


if __name__ == "__main__":
    sys.exit(main())
