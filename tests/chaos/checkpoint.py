"""What another process needs to go on with a shift: the faults that were walked, and what the session announced."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from tests.chaos.shift import Shift
from tests.chaos.violation import ViolationError

FILE = "checkpoints"


class Checkpoints:
    """A line for each fault that was walked, in a file of the shift.

    Parameters
    ----------
    shift : Shift
        Takes the events and foreign files of the earlier faults.
    seed : int

    Attributes
    ----------
    walked : int
        Number of the last fault.

    Raises
    ------
    ViolationError
        If the folder holds a shift of another seed.
    """

    def __init__(self, shift: Shift, seed: int) -> None:
        self._shift, self._seed, self._path = shift, seed, shift.folder / FILE
        self.walked = 0
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            self._restore(json.loads(line))
        self._saved = len(shift.events)

    def add(self, number: int) -> None:
        """Keep a fault that was walked."""
        new = dict(islice(self._shift.events.items(), self._saved, None))
        foreign = [(str(path), str(target), content.hex()) for path, (target, content) in self._shift.foreign.items()]
        with self._path.open("a") as file:
            file.write(json.dumps({"seed": self._seed, "number": number, "events": new, "foreign": foreign}) + "\n")
        self.walked, self._saved = number, len(self._shift.events)

    def _restore(self, entry: dict[str, Any]) -> None:
        if entry["seed"] != self._seed:
            raise ViolationError(f"{self._path.parent} holds a shift of seed {entry['seed']}, not {self._seed}")
        self.walked = entry["number"]
        self._shift.events.update(entry["events"])
        self._shift.foreign.update(
            (Path(path), (Path(target), bytes.fromhex(content))) for path, target, content in entry["foreign"]
        )
