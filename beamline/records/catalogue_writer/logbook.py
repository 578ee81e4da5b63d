"""Copies notes and corrections of the logbook to the catalogue, beside the start documents, which stay as written.

A run is found by its corrected entries and by its notes: see `beamline.records.catalogue.run_table`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

from beamline.records.catalogue.client import json_exact, node_of_run, plain
from beamline.records.catalogue.wanted import SEARCH
from beamline.records.logbook import Correction, LogbookReader, Note

logger = logging.getLogger(__name__)


class LogbookCopy:
    """Follows the logbook of a journal.

    Parameters
    ----------
    root : path
        The data root (or its journal folder).
    """

    def __init__(self, root: str | Path) -> None:
        self._logbook = LogbookReader(root)
        self._waiting: set[str] = set()

    def waiting(self) -> set[str]:
        """Uids of raw runs with notes or corrections that were not copied yet."""
        self._waiting |= {each.run for each in self._logbook.poll() if each.run}
        return set(self._waiting)

    def copy(self, client: Any, runs: Collection[str]) -> None:
        """Copy what the logbook has of these runs; after a failure it keeps waiting."""
        self.waiting()
        notes = self._logbook.notes_by_run()
        corrections: dict[str, list[Correction]] = {}
        for each in self._logbook.corrections:
            corrections.setdefault(each.run, []).append(each)
        for uid in sorted({*notes, *corrections}.intersection(runs)):
            try:
                self._copy(client, uid, _entries(corrections.get(uid, ()), notes.get(uid, ())))
            except Exception as error:  # noqa: BLE001 one run or a dead server must not stop the rest
                logger.warning("logbook of run %s: %s: %s", uid, type(error).__name__, error)

    def _copy(self, client: Any, uid: str, entries: dict[str, Any]) -> None:
        node = node_of_run(client, uid)
        if node is None:
            return
        held = plain(node.metadata)
        if any(held.get(key) != value for key, value in entries.items()):
            node.update_metadata(metadata=entries, drop_revision=True)
        self._waiting.discard(uid)


def _entries(corrections: Collection[Correction], notes: Collection[Note]) -> dict[str, Any]:
    """What the metadata of a run have of the logbook."""
    corrected = {key: value for each in corrections for key, value in each.entries.items()}
    found: dict[str, Any] = {SEARCH: {**corrected, "note": "\n".join(note.searched() for note in notes)}}
    if corrections:
        found["corrections"] = [each.document() for each in corrections]
    if notes:
        found["logbook"] = [each.document() for each in notes]
    exact: dict[str, Any] = json_exact(found)
    return exact
