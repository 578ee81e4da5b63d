"""Tasks of Dask workers in the tests: those that wait to be killed, end their worker, or fail."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from beamline.records.shot_files.dwells import DwellShots, DwellTask, reduce_dwell


def interrupted_dwell(task: DwellTask) -> DwellShots:
    """Reduce a dwell; the first attempt at the second row of a file writes its process id beside it and waits."""
    marker = Path(task.path).with_suffix(".pid")
    if task.first == 1 and not marker.exists():
        part = marker.with_suffix(".part")
        part.write_text(str(os.getpid()))
        part.rename(marker)
        signal.pause()
    return reduce_dwell(task)


def failing(number: int) -> int:
    """Twice the number; of 3, an error."""
    if number == 3:
        raise ValueError("three is refused")
    return 2 * number


def deadly(marker: str) -> str:
    """End the worker in mid-task, until a file exists."""
    if not Path(marker).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
