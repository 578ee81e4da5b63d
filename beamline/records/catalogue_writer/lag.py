"""Whether the catalogue is up to date with the journal, from the writer's files, without opening the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from beamline.records.catalogue_writer.position import WriterPosition
from beamline.records.catalogue_writer.status import STOPPED, read_status, writer_directory
from beamline.records.journal import journal_directory, uid_of
from beamline.records.journal.ends import is_being_written
from beamline.records.journal.files import FileState, run_states

FEW = 3
"""Runs that are named one by one."""


def catalogue_lag(root: str | Path, catalogue: str | Path) -> str:
    """One line: up to date, or the number of incomplete runs in the catalogue and the last status of the writer.

    Parameters
    ----------
    root : path
        The data root.
    catalogue : str or path
        Address of the catalogue.
    """
    status = read_status(root)
    if status is None:
        return "The catalogue lags: nothing has been copied to it yet (no catalogue writer has run for this journal)."
    position, states = WriterPosition(writer_directory(root), str(catalogue)), run_states(root)
    behind = _behind(root, position, states)
    running = [path for path in behind if is_being_written(path)]
    ended = len(behind) - len(running)
    going = f" {len(running)} runs are being written." if running else ""
    lacking = describe_incomplete(_incomplete(position, states))
    if not ended:
        return " ".join(filter(None, (f"The catalogue has every completed run.{going}", lacking)))
    later = " The next session resumes this." if status.state == STOPPED else ""
    return f"The catalogue lags: {ended} runs are not complete in it yet ({status}).{going}{later} {lacking}".rstrip()


def runs_behind(root: str | Path, catalogue: str | Path) -> list[Path]:
    """Files of runs that are incomplete in the catalogue, including those still being written."""
    return _behind(root, WriterPosition(writer_directory(root), str(catalogue)), run_states(root))


def _behind(root: str | Path, position: WriterPosition, states: Mapping[str, FileState]) -> list[Path]:
    folder = journal_directory(root)
    return [folder / name for name, state in states.items() if not position.complete(uid_of(name), state.size)]


def incomplete_runs(root: str | Path, catalogue: str | Path) -> dict[str, str]:
    """Runs that stay incomplete in the catalogue, by uid, with the reason; the journal has them in full."""
    return _incomplete(WriterPosition(writer_directory(root), str(catalogue)), run_states(root))


def _incomplete(position: WriterPosition, states: Iterable[str]) -> dict[str, str]:
    here = set(map(uid_of, states))
    return {uid: "; ".join(reasons) for uid, reasons in position.left_out().items() if uid in here}


def describe_incomplete(runs: Mapping[str, str]) -> str:
    """A sentence on runs that are incomplete in the catalogue; empty if there are none."""
    if not runs:
        return ""
    few = [f"{uid[:8]} ({reason})" for uid, reason in list(runs.items())[-FEW:]]
    more = f" and {len(runs) - FEW} earlier ones" if len(runs) > FEW else ""
    return f"Incomplete in the catalogue, whole in the journal: {', '.join(few)}{more}."
