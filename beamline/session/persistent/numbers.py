"""Scan numbers that continue across sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beamline.records.journal import run_files
from beamline.records.journal.ends import start_of
from beamline.session.persistent.state import StateFile


class ScanNumbers:
    """Source of scan ids for the RunEngine, one higher than the last of this data root.

    The last number is in the state file; if that is new or damaged, in the journal.

    Parameters
    ----------
    state_file : StateFile
    root : Path
        Data root of the journal.
    """

    def __init__(self, state_file: StateFile, root: Path) -> None:
        self._state_file = state_file
        if not state_file.found and (last := last_number(root)):
            state_file.update(scan_id=last)

    def __call__(self, metadata: Mapping[str, Any]) -> int:
        """Number of a new run, stored on disk before the run starts."""
        number = self._state_file.state.scan_id + 1
        self._state_file.update(scan_id=number)
        return number


def last_number(root: Path) -> int:
    """Highest scan number in a journal; 0 without one."""
    starts = (start_of(path) for path in run_files(root))
    numbers = (start.get("scan_id") for start in starts if start is not None)
    return max((number for number in numbers if isinstance(number, int)), default=0)
