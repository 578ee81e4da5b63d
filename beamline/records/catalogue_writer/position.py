"""Records which runs are in the catalogue, so that a restart need not read every file again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beamline.config.own_files import read_own
from beamline.records.catalogue_writer.status import replace_json


class WriterPosition:
    """Runs complete in one catalogue: the sizes of their journal files, and documents left out.

    Stored in one JSON file per process. It only saves work: an entry is valid while the catalogue has the run, so an
    emptied or another catalogue is filled again.

    Parameters
    ----------
    directory : Path
        Directory of the files.
    catalogue : str
        Entries of other catalogues are ignored.
    writer : str
        Name of the writing process; the files of all processes are read.
    """

    def __init__(self, directory: Path, catalogue: str, writer: str = "filler") -> None:
        self._directory, self._catalogue = directory, catalogue
        self._path = directory / f"position-{writer}.json"
        self._entries: dict[str, dict[str, Any]] = {}
        self.reload()

    def reload(self) -> None:
        """Read the files of all processes."""
        for path in sorted(self._directory.glob("position-*.json")):
            try:
                content = json.loads(read_own(path))
                ours = content["complete"] if content["catalogue"] == self._catalogue else {}
                self._entries |= {
                    str(uid): {"size": int(entry["size"]), "left_out": [str(each) for each in entry["left_out"]]}
                    for uid, entry in ours.items()
                }
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue  # at worst, runs are stored again

    def confirm(self, present: set[str]) -> None:
        """Drop runs that the catalogue does not have."""
        self._entries = {uid: entry for uid, entry in self._entries.items() if uid in present}

    def complete(self, uid: str, size: int) -> bool:
        """Whether the catalogue has this run in the current state of its file."""
        return uid in self._entries and self._entries[uid]["size"] == size

    def known(self, uid: str) -> bool:
        """Whether this run was complete in the catalogue in an earlier state of its file."""
        return uid in self._entries

    def left_out(self) -> dict[str, list[str]]:
        """Documents of complete runs that are in the journal only, by uid."""
        return {uid: entry["left_out"] for uid, entry in self._entries.items() if entry["left_out"]}

    def record(self, uid: str, size: int, left_out: list[str]) -> None:
        """Record a run that is complete in the catalogue."""
        self._entries[uid] = {"size": size, "left_out": left_out}
        replace_json(self._path, {"catalogue": self._catalogue, "complete": self._entries})
