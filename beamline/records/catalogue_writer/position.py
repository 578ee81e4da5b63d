"""Which runs are in the catalogue already, so that a restart need not read every file again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beamline.records.catalogue_writer.status import replace_json


class Position:
    """Runs that are complete in one catalogue: the sizes of their journal files, and what of them was left out.

    Kept in a JSON file, one a process. It only saves work: an entry counts while the catalogue still has the run, so
    an emptied or another catalogue is filled again.

    Parameters
    ----------
    directory : Path
        Where the files are.
    catalogue : str
        Entries of other catalogues are not ours.
    writer : str
        Distinguishes the processes that write; all of their files are read.
    """

    def __init__(self, directory: Path, catalogue: str, writer: str = "filler") -> None:
        self._directory = directory
        self._catalogue = catalogue
        self._path = directory / f"position-{writer}.json"
        self._entries: dict[str, dict[str, Any]] = {}
        self.reload()

    def reload(self) -> None:
        """Take in what the other processes wrote."""
        for path in sorted(self._directory.glob("position-*.json")):
            try:
                content = json.loads(path.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                continue  # the worst that follows is that runs are stored anew
            if isinstance(content, dict) and content.get("catalogue") == self._catalogue:
                self._entries |= content["complete"]

    def confirm(self, present: set[str]) -> None:
        """Forget the runs that the catalogue does not have."""
        self._entries = {uid: entry for uid, entry in self._entries.items() if uid in present}

    def complete(self, uid: str, size: int) -> bool:
        """Whether this run is in the catalogue as the file now stands."""
        return uid in self._entries and self._entries[uid]["size"] == size

    def known(self, uid: str) -> bool:
        """Whether this run has been complete in the catalogue, as its file stood then."""
        return uid in self._entries

    def left_out(self) -> dict[str, list[str]]:
        """By uid, the documents of complete runs that are in the journal alone."""
        return {uid: entry["left_out"] for uid, entry in self._entries.items() if entry["left_out"]}

    def record(self, uid: str, size: int, left_out: list[str]) -> None:
        """A run is complete in the catalogue."""
        self._entries[uid] = {"size": size, "left_out": left_out}
        replace_json(self._path, {"catalogue": self._catalogue, "complete": self._entries})
