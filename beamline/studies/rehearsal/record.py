"""What a rehearsal has done so far, in a file, so that it goes on after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

from beamline.config.own_files import replace_file

FILE = "rehearsal.json"


class RehearsalRecord:
    """Steps that were begun, with the uid of what they measure, and those that are complete.

    Parameters
    ----------
    folder : Path
    share : float
        Of the campaign; a record of another share is refused.

    Raises
    ------
    ValueError
        If the folder has a rehearsal of another share, or the file is damaged.
    """

    def __init__(self, folder: Path, share: float) -> None:
        self._path = folder / FILE
        self.begun: dict[str, str] = {}
        self.done: list[str] = []
        if not self._path.exists():
            self._share = share
            return
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._share, self.begun, self.done = float(found["share"]), dict(found["begun"]), list(found["done"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self._path} is damaged: remove it, or choose another folder") from error
        if self._share != share:
            raise ValueError(f"{folder} has a rehearsal of {self._share:g} of the campaign, not {share:g}")

    @staticmethod
    def begun_in(folder: Path) -> dict[str, str]:
        """What the steps of a rehearsal in a folder measure; empty without one."""
        path = folder / FILE
        return dict(json.loads(path.read_text(encoding="utf-8"))["begun"]) if path.exists() else {}

    def begin(self, step: str, uid: str) -> None:
        """A step measures this series or scan set."""
        if self.begun.get(step) != uid:
            self.begun[step] = uid
            self._write()

    def end(self, step: str) -> None:
        """A step is complete."""
        self.done.append(step)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {"share": self._share, "begun": self.begun, "done": self.done}
        replace_file(self._path, json.dumps(content, indent=1).encode())
