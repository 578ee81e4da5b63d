"""Copies corrections of the logbook to the catalogue, beside the start documents, which stay as they were written."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beamline.records.catalogue.client import json_exact, node_of_run, plain
from beamline.records.logbook import Correction, LogbookReader

logger = logging.getLogger(__name__)


class CorrectionCopy:
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
        """Uids of raw runs with corrections that were not copied yet."""
        self._waiting |= {each.run for each in self._logbook.poll() if isinstance(each, Correction)}
        return set(self._waiting)

    def copy(self, client: Any, runs: Iterable[str]) -> None:
        """Copy the corrections of these runs, of those that have any; after a failure they keep waiting."""
        self.waiting()
        corrected = {each.run for each in self._logbook.corrections}
        for uid in sorted(corrected.intersection(runs)):
            try:
                self._copy(client, uid)
            except Exception as error:  # noqa: BLE001 one run or a dead server must not stop the rest
                logger.warning("corrections of run %s: %s: %s", uid, type(error).__name__, error)

    def _copy(self, client: Any, uid: str) -> None:
        documents = [json_exact(each.document()) for each in self._logbook.corrections if each.run == uid]
        node = node_of_run(client, uid)
        if node is None:
            return
        if plain(node.metadata).get("corrections") != documents:
            node.update_metadata(metadata={"corrections": documents}, drop_revision=True)
        self._waiting.discard(uid)
