"""Rehearses all stations, each beside its simulator, and draws and compares what they have measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from beamline.session.simulators import simulated_beamline
from beamline.studies.rehearsal.programme import StationPart, programme

SPEEDUP = 1000.0


class RehearsalError(RuntimeError):
    """A station did not come to its end; its output has the reason."""


def rehearse(folder: Path, share: float, notify: Callable[[str], None]) -> list[Path]:
    """Go through the programme, or go on with it, and return the data roots.

    Parameters
    ----------
    folder : Path
        Of the data of all stations.
    share : float
        Of the passes of the published programme.
    notify : callable
        Called with progress messages.

    Raises
    ------
    RehearsalError
        If a station did not come to its end; called again, the rehearsal goes on there.
    """
    roots = []
    for name, part in programme(share).items():
        notify(f"{name}: {len(part.steps)} steps")
        _station(name, part, folder, share, notify)
        roots.append(folder / part.config)
    return roots


def _station(name: str, part: StationPart, folder: Path, share: float, notify: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "beamline.studies.rehearsal.station", "--station", name]
    command += ["--folder", str(folder), "--share", repr(share), "--rate", f"{SPEEDUP:g}"]
    with simulated_beamline(part.scenario, SPEEDUP) as environment:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        last = ""
        try:
            for line in process.stdout:
                last = line.rstrip()
                notify(last)
            status = process.wait()
        finally:  # after Ctrl-C, which the session has got too: it ends its scan and shuts the shutter
            process.wait()
    if status:
        raise RehearsalError(f"{name} ended with status {status}: {last}; call the rehearsal again to go on")
