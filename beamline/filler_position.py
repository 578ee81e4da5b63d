"""Which runs are in the catalogue already, so that a restart need not read every file again."""

from __future__ import annotations

import json
from pathlib import Path

from beamline.filler_status import replace_json


class Position:
    """Runs that are complete in one catalogue, with the size of their journal files, kept in a JSON file.

    The file only saves work: an entry counts when the catalogue still has the run, so an emptied or another catalogue
    is filled again.
    """

    def __init__(self, directory: Path, catalogue: str) -> None:
        self._path = directory / "position.json"
        self._catalogue = catalogue
        self._sizes: dict[str, int] = self._load()

    def confirm(self, present: set[str]) -> None:
        """Forget the runs that the catalogue does not have."""
        self._sizes = {uid: size for uid, size in self._sizes.items() if uid in present}

    def complete(self, uid: str, size: int) -> bool:
        """Whether this run is in the catalogue as the file now stands."""
        return self._sizes.get(uid) == size

    def record(self, uid: str, size: int) -> None:
        """A run is complete in the catalogue."""
        self._sizes[uid] = size
        replace_json(self._path, {"catalogue": self._catalogue, "complete": self._sizes})

    def _load(self) -> dict[str, int]:
        try:
            content = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError:
            return {}  # the worst that follows is that runs are looked at again
        return content["complete"] if content.get("catalogue") == self._catalogue else {}
