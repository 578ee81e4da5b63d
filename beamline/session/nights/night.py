"""Measures the rows of a night one after the other; the file is read again when it has changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bluesky import RunEngine

from beamline.config.models import Configuration
from beamline.session.nights.plans import plans_of
from beamline.session.nights.progress import NightProgress
from beamline.session.nights.row_plan import NightContext, RowPlans
from beamline.session.nights.rows import CellFault, NightRow, read_rows
from beamline.session.nights.table import NightFileError, read_table
from beamline.session.persistent.places import Saved
from beamline.session.verdict_stop import VerdictError

logger = logging.getLogger(__name__)


class NightSession(Protocol):
    """The part of a session that measures a night."""

    RE: RunEngine
    config: Configuration

    @property
    def scans(self) -> NightContext: ...


class FaultyNightError(ValueError):
    """Cells of a table are wrong; the message names all of them."""

    def __init__(self, path: Path, faults: list[CellFault]) -> None:
        super().__init__(f"{path}: {len(faults)} cells are wrong: {'; '.join(map(str, faults))}")
        self.faults = faults


def load_rows(path: Path, config: Configuration, sample: str, saved: Saved) -> list[NightRow]:
    """Rows of a file in the order in which they are measured.

    Raises
    ------
    NightFileError
    FaultyNightError
    """
    rows, faults = read_rows(read_table(path), plans_of(config, sample), saved)
    if faults:
        raise FaultyNightError(path, faults)
    return rows


@dataclass(frozen=True)
class RowOutcome:
    """What became of a row in this call; `reason` is empty if it is done."""

    row: NightRow
    began: float
    ended: float
    reason: str = ""


class Night:
    """A night of a session.

    Parameters
    ----------
    session : NightSession
    path : Path
        Its table; the name without suffix is that of the night.
    notify : callable
        Called with messages for the user.

    Attributes
    ----------
    rows : list of NightRow
        As the file was read last.
    outcomes : dict
        By key of the row.
    """

    def __init__(self, session: NightSession, path: Path, notify: Callable[[str], None]) -> None:
        self._session, self._path, self._notify = session, path, notify
        self._plans = RowPlans(session.scans)
        self._read_at = 0
        self.rows: list[NightRow] = []
        self.outcomes: dict[str, RowOutcome] = {}

    def run(self) -> None:
        """Measure every row that is not done; after a failure the next one.

        Raises
        ------
        FaultyNightError
            Before anything moves.
        beamline.session.verdict_stop.VerdictError
            If the verdict on a pass stops the night.
        """
        self._read()
        while (row := self._next()) is not None:
            self._measure(row)
            self._read_again()

    def _next(self) -> NightRow | None:
        progress = NightProgress.of(self._session.config.data.root, self._path.stem)
        left = (row for row in self.rows if row.key not in self.outcomes)
        return next((row for row in left if not progress.is_done(row, self._session.scans.sample)), None)

    def _measure(self, row: NightRow) -> None:
        began = time.time()
        self._notify(f"Row {row.number}: {row.plan}{f' of {row.sample}' if row.sample else ''}")
        try:
            self._session.RE(self._plans.measure(self._path.stem, row))
        except VerdictError as error:
            self._keep(row, began, str(error))
            raise
        except Exception as error:  # the next row may do
            logger.debug("row %s failed", row.number, exc_info=True)
            self._keep(row, began, str(error) or type(error).__name__)
            self._notify(f"Row {row.number} has failed: {error}")
        else:
            self._keep(row, began)

    def _keep(self, row: NightRow, began: float, reason: str = "") -> None:
        self.outcomes[row.key] = RowOutcome(row, began, time.time(), reason)

    def _read(self) -> None:
        scans = self._session.scans
        self._read_at = self._path.stat().st_mtime_ns
        self.rows = load_rows(self._path, self._session.config, scans.sample, scans.places.saved())

    def _read_again(self) -> None:
        """Read the file again if it has changed; if it is wrong now, the night goes on as it was."""
        try:
            if self._path.stat().st_mtime_ns != self._read_at:
                self._read()
                self._notify(f"{self._path} has changed: the rest of the night follows it.")
        except (NightFileError, FaultyNightError, OSError) as error:
            self._notify(f"{error}. The night goes on as it was.")
