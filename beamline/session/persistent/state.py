"""The state file of a beamline: small JSON below the data root, replaced atomically."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from beamline.config.own_files import read_own

STATE_FILE = "session.json"


class AboutEntries(BaseModel):
    """Proposal, sample and users."""

    model_config = ConfigDict(frozen=True)

    proposal: str = ""
    sample: str = ""
    users: tuple[str, ...] = ()


class StoredFinding(BaseModel):
    """A finding: of which run, when (seconds since 1970), and what became of it; a bad one has no value."""

    model_config = ConfigDict(frozen=True)

    name: str
    uid: str
    time: float
    value: FiniteFloat | None = None
    stddev: FiniteFloat | None = None
    unit: str = ""
    verdict: str = ""
    reason: str = ""
    outcome: str = ""


class SavedPlace(BaseModel):
    """Positions of axes under a name: when they were saved (seconds since 1970), and where, by dotted names."""

    model_config = ConfigDict(frozen=True)

    time: float
    positions: dict[str, FiniteFloat]


class State(BaseModel):
    """What outlives a session. Unknown entries, of a later version, are preserved.

    Attributes
    ----------
    scan_id : int
        Number of the last run.
    signals : dict
        Soft signals of the session by their dotted names, each in its own unit.
    entered, configured : AboutEntries or None
        What the user entered last, and what the configuration had then; None before the first prompt. Files of older
        versions have ``said`` for ``entered``.
    findings, findings_in_use : dict
        By name, the latest finding, and the latest that was set.
    places : dict
        By name, what was saved under it, the newest last.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    scan_id: int = Field(default=0, ge=0)
    signals: dict[str, FiniteFloat] = {}
    entered: AboutEntries | None = Field(default=None, validation_alias=AliasChoices("entered", "said"))
    configured: AboutEntries | None = None
    findings: dict[str, StoredFinding] = {}
    findings_in_use: dict[str, StoredFinding] = {}
    places: dict[str, tuple[SavedPlace, ...]] = {}


def read_state(root: Path) -> State | None:
    """Read the state of a data root; None without a file. Writes nothing.

    Raises
    ------
    ValueError
        If the file is damaged.
    OSError
        If it cannot be read.
    """
    try:
        return State.model_validate_json(read_own(root / STATE_FILE))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()) from error


class StateFile:
    """The state of the session that controls a beamline. Every change is on disk when the call returns.

    A damaged file is set aside and reported; a failed write is reported, and the session continues.

    Parameters
    ----------
    root : Path
        Data root.
    notify : callable
        Called with messages for the user.

    Attributes
    ----------
    state : State
    found : bool
        Whether a readable file existed.
    """

    def __init__(self, root: Path, notify: Callable[[str], None]) -> None:
        self._path = root / STATE_FILE
        self._notify = notify
        self._lock = threading.Lock()
        self.state = State()
        self.found = False
        try:
            stored = read_state(root)
        except ValueError as error:
            notify(
                f"{self._path} is damaged ({error}) and was set aside as {self._set_aside()}; t0 and sample are lost."
            )
        except OSError as error:
            notify(f"{self._path} cannot be read ({error.strerror}): t0 and sample are not known.")
        else:
            self.found, self.state = stored is not None, stored or State()

    def update(self, **changes: Any) -> None:
        """Change entries of the state."""
        with self._lock:
            self.state = self.state.model_copy(update=changes)
            try:
                self._write(self.state.model_dump_json(indent=1))
            except OSError as error:
                self._notify(
                    f"{self._path} could not be written ({error.strerror}): the next session will lack this change."
                )

    def _set_aside(self) -> Path:
        aside = self._path.with_name(f"{STATE_FILE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        self._path.replace(aside)
        return aside

    def _write(self, text: str) -> None:
        """Replace the file by a new one once that is complete and on disk."""
        descriptor, name = tempfile.mkstemp(prefix=f".{STATE_FILE}", dir=self._path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(self._path)
        finally:
            Path(name).unlink(missing_ok=True)
