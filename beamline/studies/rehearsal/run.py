"""Rehearses all beam times at once, each beside a simulator of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from beamline.records.journal import run_files
from beamline.session.simulators import simulated_beamline
from beamline.studies.rehearsal.programme import BeamTime, programme
from beamline.studies.rehearsal.record import RehearsalRecord

SPEEDUP = 1000.0
FIRST_SEED, SEEDS = 20_210, 10_000
"""Of the noise: each beam time has so many."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Beam times share the processors: threads of one that wait for those of another would take their time."""

Notify = Callable[[str], None]


class RehearsalError(RuntimeError):
    """A beam time did not come to its end; its output has the reason."""


def rehearse(folder: Path, share: float, notify: Notify) -> dict[str, Path]:
    """Go through the programme, or go on with it, and return the data root of each beam time.

    Parameters
    ----------
    folder : Path
        Of the data of all beam times.
    share : float
        Of the passes of the published programme.
    notify : callable
        Called with progress messages, in threads.

    Raises
    ------
    RehearsalError
        If a beam time did not come to its end; called again, the rehearsal goes on there.
    ValueError
        If the folder has a rehearsal of another share.
    """
    parts = programme(share)
    roots = {name: folder / name for name in parts}
    running, ending = list[subprocess.Popen[str]](), Event()
    complete = [name for name, part in parts.items() if _is_complete(part, roots[name], share)]
    with ThreadPoolExecutor(len(parts)) as pool:
        jobs = [
            pool.submit(_beam_time, name, part, _seed(number, roots[name]), folder, share, notify, running, ending)
            for number, (name, part) in enumerate(parts.items())
            if name not in complete
        ]
        try:
            failures = [text for job in jobs if (text := job.result())]
        except KeyboardInterrupt:
            ending.set()
            for process in list(running):
                process.send_signal(signal.SIGTERM)
            raise
    if failures:
        raise RehearsalError(f"{'; '.join(failures)}; call the rehearsal again to go on")
    return roots


def _is_complete(part: BeamTime, root: Path, share: float) -> bool:
    done = RehearsalRecord(root, share).done
    return all(step.name in done for step in part.steps)


def _seed(number: int, root: Path) -> int:
    """Of the noise: what goes on after an interruption must not have that of its beginning once more."""
    return FIRST_SEED + number * SEEDS + len(list(run_files(root)))


def _beam_time(
    name: str,
    part: BeamTime,
    seed: int,
    folder: Path,
    share: float,
    notify: Notify,
    running: list[subprocess.Popen[str]],
    ending: Event,
) -> str:
    """Rehearse one beam time in a process; why it did not come to its end, or nothing."""
    command = [sys.executable, "-m", "beamline.studies.rehearsal.station", "--beam-time", name]
    command += ["--folder", str(folder), "--share", repr(share), "--rate", f"{SPEEDUP:g}"]
    with simulated_beamline(part.scenario, SPEEDUP, seed) as environment:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, **ONE_THREAD},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal reaches it through this process alone
        )
        running.append(process)
        if ending.is_set():  # Ctrl-C while the simulator started
            process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            last = line.rstrip()
            notify(f"{name}: {last}")
        status = process.wait()
    return f"{name} ended with status {status}: {last}" if status else ""
