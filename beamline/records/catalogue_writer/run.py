"""Copies one run from its journal file to the catalogue."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Any

import httpx

from beamline.records.catalogue_writer.content import RunContent
from beamline.records.catalogue_writer.verify import DisagreementError
from beamline.records.catalogue_writer.write import CatalogueRun
from beamline.records.journal.files import size_of, uid_of
from beamline.records.journal.read import RunReader

BATCH_EVENTS = 500
BATCH_BYTES = 16_000_000
"""Largest batch that is stored at once."""


class Trouble(Enum):
    """Kinds of failures."""

    OFFLINE = "the catalogue cannot be reached"
    PASSING = "worth another try"
    REFUSED = "the same would fail again"


def trouble_of(error: Exception) -> Trouble:
    """Classify a failure to store."""
    status = _status(error)
    if status is not None:
        if status in (401, 403, 502, 503, 504):
            return Trouble.OFFLINE
        return Trouble.REFUSED if 400 <= status < 500 and status not in (404, 408, 409, 429) else Trouble.PASSING
    if isinstance(error, httpx.TransportError | ConnectionError):
        return Trouble.OFFLINE
    if isinstance(error, ValueError | TypeError):
        return Trouble.REFUSED
    return Trouble.PASSING


def _status(error: Exception) -> int | None:
    """HTTP status of a failed request, or None without a reply."""
    return error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None


class RunWriter:
    """One run being copied.

    Parameters
    ----------
    client : tiled client
        The catalogue.
    path : Path
        The run's journal file.
    linger : float
        Seconds to collect events before storing them, while the run goes on.
    present : bool
        Whether the catalogue may hold parts of this run already.
    arrays : Path, optional
        Array storage of an embedded catalogue.
    batches : bool
        Whether the catalogue takes batches.
    """

    LARGEST_WAIT = 30.0
    WAIT_IF_REFUSED = 600.0
    REWRITES = 5
    TRIES = 3

    def __init__(
        self,
        client: Any,
        path: Path,
        linger: float = 1.0,
        present: bool = True,
        arrays: Path | None = None,
        batches: bool = False,
    ) -> None:
        self.path = path
        self.uid = uid_of(path)
        self.done = False
        self.complaint = ""
        self.refused = False
        self.failures = 0
        self.not_before = 0.0
        self._client = client
        self._linger = linger
        self._arrays, self._batches = arrays, batches
        self._rewrites = 0
        self._remove_first = present
        self._begin()

    @property
    def offset(self) -> int:
        """Bytes of the file read so far."""
        return self.reader.offset

    @property
    def problems(self) -> list[str]:
        """Documents that stay in the journal only, and damage."""
        return [*self.content.problems, *self.reader.problems]

    @property
    def at_rest(self) -> bool:
        """Whether the run is running (or was interrupted) with nothing left to store."""
        waits = self.content.start is not None and (self.content.pending or self.content.stop is not None)
        return not waits and not self.grown()

    def grown(self) -> bool:
        """Whether the file has unread bytes."""
        return self.reader.grown()

    def size(self) -> int:
        """Size of the file, bytes."""
        return size_of(self.path) or 0

    @property
    def gone(self) -> bool:
        """Whether the file was moved away before all of it was read."""
        return not self.done and self.content.stop is None and size_of(self.path) is None

    def due(self) -> bool:
        """Whether there may be work to do now."""
        return not self.done and time.monotonic() >= self.not_before

    def step(self) -> bool:
        """Read a piece and store what is due; True if there was progress.

        Raises
        ------
        Exception
            Whatever the catalogue raised, after it has been recorded; see `trouble_of`.
        """
        documents = self.reader.next_documents()
        for name, doc in documents:
            self.content.take(name, doc)
        try:
            acted = self._store(exhausted=not documents)
        except DisagreementError as error:
            self._start_over(str(error))
            return True
        except Exception as error:
            self._fail(error)
            raise
        return acted or bool(documents)

    def _reopen(self) -> None:
        """Rewrite the run from the beginning of its file."""
        self.done = False
        self._remove_first = True
        self._begin()

    def _begin(self) -> None:
        self.reader, self.content = RunReader(self.path), RunContent()
        self._run = CatalogueRun(self._client, self.uid, self._arrays, self._batches)
        self._stored_at = time.monotonic()
        self._stored_offset = 0

    def _store(self, exhausted: bool) -> bool:
        if self.content.start is None:
            return False
        if self.content.overtaken:
            raise DisagreementError("an event was replaced after it had been stored")
        if self._remove_first:
            # An incomplete run of another process may end anywhere; a run is short, so it is rewritten.
            self._run.remove()
            self._remove_first = False
        ending = exhausted and self.content.stop is not None
        acted = False
        if ending:
            self._note_what_is_left_out()
        if self._ripe(ending, exhausted):
            self._run.write(self.content, ending)
            self._stored_at = time.monotonic()
            self._stored_offset = self.offset
            self._recover()
            acted = True
        if ending:
            self._finish()
            acted = True
        return acted

    def _ripe(self, ending: bool, exhausted: bool) -> bool:
        if ending or self.content.pending >= BATCH_EVENTS or self.offset - self._stored_offset >= BATCH_BYTES:
            return True
        waited = time.monotonic() - self._stored_at >= self._linger
        return exhausted and waited and (self.content.pending > 0 or not self._run.known)

    def _note_what_is_left_out(self) -> None:
        known = self.content.problems
        known.extend(p for p in [*self.content.unplaced(), *self.reader.problems] if p not in known)

    def _finish(self) -> None:
        if self._run.doubtful:
            self._run.verify(self.content, self._fresh())
        if not self._run.closed:
            self._run.close(self.content)
        self._recover()
        self.done = True

    def _fresh(self) -> RunContent:
        content = RunContent()
        for name, doc in RunReader(self.path).documents():
            content.take(name, doc)
        return content

    def _start_over(self, reason: str) -> None:
        self._rewrites += 1
        self._reopen()
        if self._rewrites > self.REWRITES:
            self.complaint = f"rewritten {self._rewrites} times: {reason}"
            self.not_before = time.monotonic() + min(self.LARGEST_WAIT, 0.1 * 2**self._rewrites)

    def _fail(self, error: Exception) -> None:
        self._run.doubt(gone=_status(error) in (404, 409) or isinstance(error, KeyError))
        self.failures += 1
        self.refused = trouble_of(error) is Trouble.REFUSED
        self.complaint = describe(error)
        if trouble_of(error) is Trouble.PASSING and self.failures % self.TRIES == 0:
            self._reopen()
        wait = self.WAIT_IF_REFUSED if self.refused else min(self.LARGEST_WAIT, 0.1 * 2**self.failures)
        self.not_before = time.monotonic() + wait

    def _recover(self) -> None:
        self.failures = 0
        self.refused = False
        self.complaint = ""


def describe(error: Exception) -> str:
    """Describe a failure on one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
