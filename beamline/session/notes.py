"""Notes from the prompt: `note("...")`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from beamline.records.logbook import LogbookError, Note, append, new_note, under_way
from beamline.records.runs.find import find
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import RunError
from beamline.records.runs.search import runs_named


def write_note(root: Path, text: str, *, tags: Iterable[str] = (), run: str = "", who: str = "") -> Note:
    """Write a note into the logbook of a data root.

    Parameters
    ----------
    root : Path
    text : str
        Words like ``#jet`` in it are tags.
    tags : iterable of str
        Further tags.
    run : str
        Uid of a run, its beginning, or ``last``; by default the run that is being measured, if there is one.
    who : str
        By default the account.

    Raises
    ------
    LogbookError
        If the note is refused; nothing is written.
    beamline.records.journal.JournalError
        If it cannot be stored.
    """
    note = new_note(text, tags=tags, who=who)
    uid, dwell = _named(root, run) if run else under_way(root)
    placed = Note(note.uid, note.time, note.who, note.text, note.tags, uid, dwell)
    append(root, placed)
    return placed


def _named(root: Path, name: str) -> tuple[str, int]:
    """Uid of the raw run of this name, and its dwells."""
    store = JournalRuns(root)
    try:
        found = find(runs_named(store, [name]), name)
    except RunError as error:
        raise LogbookError(str(error)) from error
    run = found.runs[-1]
    if run.raw_uid is not None:
        raise LogbookError(f"{name} is a reduced run; give its raw run {run.raw_uid[:8]}")
    return run.uid, store.num_events(run).get("primary", 0)


def note_for(root: Path) -> Callable[..., Note]:
    """The function `note` of a session, for its namespace."""

    def note(text: str, *, tags: Iterable[str] = (), run: str = "", who: str = "") -> Note:
        """Write a note into the logbook, about the run that is being measured: note("jet unstable #jet").

        Parameters
        ----------
        text : str
            Words like ``#jet`` in it are tags.
        tags : iterable of str
            Further tags.
        run : str
            About another run: its uid, the beginning of it, or ``last``.
        who : str
            Your name; by default that of the account.
        """
        return write_note(root, text, tags=tags, run=run, who=who)

    return note
