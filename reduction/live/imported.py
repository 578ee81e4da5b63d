"""Reduces imported runs: their documents in, a reduced run with a stream `spectrum` or `trace` out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.patterns import pattern_of
from reduction.documents.raw import AXES, ENERGY_AXIS, IMPORTED, PRIMARY, RawRun, raw_run
from reduction.documents.results import RELATIVE_UNITS, SPECTRUM_UNITS, Publish, ReducedRun, exclusions_data
from reduction.documents.streams import STREAM_OF_AXIS
from reduction.errors import ReductionError
from reduction.imported.columns import slots_of
from reduction.imported.finished import finished_of
from reduction.imported.spectra import spectrum_of, trace_of

FINISHED = "finished"
"""Stream of an imported run with the arrays of a finished result."""
TRACE_UNITS = dict.fromkeys(("transient", "transient_stddev", "offset", "offset_stddev"), RELATIVE_UNITS)


class ImportedReducer:
    """Reduces runs that were imported from files. A callback for documents, like `LiveReducer`.

    Parameters
    ----------
    publish : callable
        Called with each reduced document as (name, document).
    versions : mapping, optional
        Versions of the code.
    """

    def __init__(self, publish: Publish, versions: Mapping[str, str] | None = None) -> None:
        self.exclusions = Exclusions()
        self._publish, self._versions = publish, dict(versions or {})
        self._raw: RawRun | None = None

    def __call__(self, name: str, doc: Mapping[str, Any]) -> None:
        """Process one raw document; the result is published at the stop document."""
        if name == "start":
            self._raw, self._how = raw_run(doc), dict(doc[IMPORTED])
            self._streams: dict[str, str] = {}
            self._rows: list[Mapping[str, Any]] = []
            self._finished: Mapping[str, Any] = {}
            self._pattern: Pattern | None = None
        elif name == "descriptor":
            self._streams[doc["uid"]] = doc["name"]
            self._pattern = pattern_of(doc) if doc["name"] == PRIMARY else self._pattern
        elif name == "event" and self._streams.get(doc["descriptor"]) == FINISHED:
            self._finished = doc["data"]
        elif name == "event" and self._streams.get(doc["descriptor"]) == PRIMARY:
            self._rows.append(doc["data"])
        elif name == "stop" and self._raw is not None:
            self._finish(self._raw, doc)

    def beside(self, stream: str, data: dict[str, Any], units: Mapping[str, str]) -> None:
        """Imported runs have no further streams."""

    def _finish(self, run: RawRun, stop: Mapping[str, Any]) -> None:
        reduced = ReducedRun(self._publish, run, [], self._versions)
        try:
            data = self._result(run)
        except ReductionError as error:
            reduced.stop("fail", f"no {STREAM_OF_AXIS[run.axis]}: {error}")
        else:
            units = SPECTRUM_UNITS if run.axis == ENERGY_AXIS else {**dict(AXES.values()), **TRACE_UNITS}
            reduced.event(STREAM_OF_AXIS[run.axis], data, units)
            reduced.event("ledger", exclusions_data(self.exclusions, [run.uid]), {})
            reduced.stop(stop["exit_status"], stop.get("reason", ""))
        self._raw = None

    def _result(self, run: RawRun) -> dict[str, Any]:
        """Data of the result.

        Raises
        ------
        ReductionError
            If there are too few points, or windows do not fit.
        """
        if len(self._rows) != run.grid.size or self._pattern is None:
            raise ReductionError(f"{len(self._rows)} of {run.grid.size} points are there")
        if run.settings.slot_bins != "each":
            raise ReductionError("slots of imported files are not summed in bins: slot_bins must be each")
        used = self._used(run)
        columns = {key: np.stack([np.asarray(row[key]) for row in self._rows]) for key in self._rows[0]}
        if self._how["kind"] == "result":
            return finished_of(AXES[run.axis][0], run.grid, used, self._finished or columns, self._how["errors"])
        slots, good, notes = slots_of(self._how, columns, run.grid, used, self._pattern, run.settings)
        sentences = " ".join([*notes, *self._how.get("remarks", ())])
        if run.axis == ENERGY_AXIS:
            return spectrum_of(run.grid, good, slots, run.settings, sentences)
        return trace_of(AXES[run.axis][0], run.grid, good, slots, run.settings.before_zero, sentences)

    def _used(self, run: RawRun) -> NDArray[np.bool_]:
        """Points that are not excluded by decision."""
        out = self.exclusions.mask([run.uid], np.zeros(1, np.int64), run.grid.size)
        return np.ones(run.grid.size, np.bool_) if out is None else ~out[:, 0]
