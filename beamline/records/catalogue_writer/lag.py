"""Whether the catalogue has what the journal has, told from the filler's own files: no catalogue is opened."""

from __future__ import annotations

from pathlib import Path

from beamline.records.catalogue_writer.position import Position
from beamline.records.catalogue_writer.status import STOPPED, filler_directory, read_status
from beamline.records.journal import run_files, uid_of
from beamline.records.journal.ends import is_being_written


def catalogue_lag(root: str | Path, catalogue: str | Path) -> str:
    """One line: up to date, or how many runs the catalogue does not have whole, and what the filler last said.

    Parameters
    ----------
    root : path
        The data root.
    catalogue : str or path
        Address of the catalogue.
    """
    status = read_status(root)
    if status is None:
        return "The catalogue lags: nothing has been carried to it yet (no filler has run for this journal)."
    behind = runs_behind(root, catalogue)
    running = [path for path in behind if is_being_written(path)]
    ended = len(behind) - len(running)
    going = f" {len(running)} runs are being written." if running else ""
    if not ended:
        return f"The catalogue has every run that has ended.{going}"
    later = " The next session goes on with it." if status.state == STOPPED else ""
    return f"The catalogue lags: {ended} runs are not whole in it yet ({status}).{going}{later}"


def runs_behind(root: str | Path, catalogue: str | Path) -> list[Path]:
    """Files of the runs that the catalogue does not have whole, those that are being written among them."""
    position = Position(filler_directory(root), str(catalogue))
    return [path for path in run_files(root) if not position.complete(uid_of(path), path.stat().st_size)]
