"""Whether the catalogue is up to date with the journal, from the filler's files, without opening the catalogue."""

from __future__ import annotations

from pathlib import Path

from beamline.records.catalogue_writer.position import Position
from beamline.records.catalogue_writer.status import STOPPED, filler_directory, read_status
from beamline.records.journal import run_files, uid_of
from beamline.records.journal.ends import is_being_written


def catalogue_lag(root: str | Path, catalogue: str | Path) -> str:
    """One line: up to date, or the number of incomplete runs in the catalogue and the last status of the filler.

    Parameters
    ----------
    root : path
        The data root.
    catalogue : str or path
        Address of the catalogue.
    """
    status = read_status(root)
    if status is None:
        return "The catalogue lags: nothing has been copied to it yet (no filler has run for this journal)."
    behind = runs_behind(root, catalogue)
    running = [path for path in behind if is_being_written(path)]
    ended = len(behind) - len(running)
    going = f" {len(running)} runs are being written." if running else ""
    if not ended:
        return f"The catalogue has every completed run.{going}"
    later = " The next session resumes this." if status.state == STOPPED else ""
    return f"The catalogue lags: {ended} runs are not complete in it yet ({status}).{going}{later}"


def runs_behind(root: str | Path, catalogue: str | Path) -> list[Path]:
    """Files of runs that are incomplete in the catalogue, including those still being written."""
    position = Position(filler_directory(root), str(catalogue))
    return [path for path in run_files(root) if not position.complete(uid_of(path), path.stat().st_size)]
