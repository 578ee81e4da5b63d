"""A reduced result with its raw runs, read from the journal or the catalogue for export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from beamline.outputs.export.counted import Counted, count_up
from beamline.outputs.export.errors import ExportError
from beamline.records.logbook import Note
from beamline.records.runs.detectors import DetectorResults, detector_results
from beamline.records.runs.edge_step import edge_step_of
from beamline.records.runs.newest import NoResultError, last_event, newest_result, primary_descriptor, raw_runs
from beamline.records.runs.run import Run, known_slot_delays
from beamline.records.runs.store import RunStore
from reduction.documents.covariances import covariance_of_slot
from reduction.documents.patterns import binned_pattern
from reduction.documents.raw import ENERGY_AXIS, IMPORTED, is_pumped, pump_delay_of
from reduction.documents.streams import RATE_UNITS, STREAM_OF_AXIS
from reduction.errors import ReductionError


@dataclass(frozen=True)
class Result:
    """One reduced run and its raw runs.

    Attributes
    ----------
    start : mapping
        Start document of the reduced run.
    data : mapping
        Of the event of the stream `spectrum` or `trace`.
    fit : mapping or None
        Of the event of the stream `kinetics`.
    raw : tuple of mapping
        Start documents of the raw runs, in the order of acquisition.
    raw_stops : tuple of mapping
    slot_delays : tuple of float, ps
        Time from the last pump to the probe in each slot; of a delay scan, for slot 0 at zero; empty without the laser.
    counted : Counted or None
        I0 and hits as counted, by point; None for a run that was imported from a file.
    damage : str
        What of the runs cannot be read now; the result itself may be from before.
    edge_step : mapping, optional
        The laser-off spectrum divided by its edge step, see `beamline.records.runs.edge_step`.
    detectors : DetectorResults
        Of several counters; `data` is their combination.
    notes : tuple of Note
        Of the logbook, about the raw runs.
    """

    start: Mapping[str, Any]
    data: Mapping[str, Any]
    fit: Mapping[str, Any] | None
    raw: tuple[Mapping[str, Any], ...]
    raw_stops: tuple[Mapping[str, Any], ...]
    slot_delays: tuple[float, ...]
    counted: Counted | None
    damage: str = ""
    edge_step: Mapping[str, Any] | None = None
    detectors: DetectorResults = field(default_factory=DetectorResults)
    notes: tuple[Note, ...] = ()

    @property
    def axis(self) -> str:
        """Data key of the scanned axis."""
        return str(self.start.get("scan_axis", ENERGY_AXIS))

    @property
    def simulated(self) -> bool:
        return bool(self.start.get("mode") == "sim")

    @property
    def imported(self) -> Mapping[str, Any]:
        """File, hash and reader of a run that was imported; empty for a run of ours."""
        return dict(self.start.get(IMPORTED, {}))

    @property
    def provisional(self) -> bool:
        """Whether points of the grid are missing: offset and edge integral are those of the points that are there."""
        return bool(self.data.get("provisional", 0))

    def rows(self, *names: str) -> np.ndarray:
        """Points at which all these values are finite, shape (points,)."""
        whole = np.asarray(self.data["used"]).astype(bool)
        for name in names:
            whole = whole & np.isfinite(np.asarray(self.data[name], dtype=np.float64))
        return np.asarray(whole)

    def covariance(self, slot: int) -> np.ndarray:
        """Covariance of the transient of a slot, shape (E, E)."""
        return covariance_of_slot(self.data, slot)

    def normalised(self) -> dict[str, Any]:
        """Columns of the spectrum divided by its edge step; empty without it."""
        return {key: self.edge_step[key] for key in ("norm", "norm_stddev")} if self.edge_step is not None else {}

    def edge_step_text(self) -> str:
        """The edge step with its error and method; empty without it."""
        if self.edge_step is None:
            return ""
        step, stddev = self.edge_step["edge_step"], self.edge_step["edge_step_stddev"]
        return f"{step:.6g} +- {stddev:.2g} {RATE_UNITS} ({self.edge_step['method']})"

    def slots(self) -> list[int]:
        """Slots that have a transient: none without the laser, nor a slot that is the only reference."""
        transient = np.asarray(self.data.get("transient", ()), dtype=np.float64)
        return [slot for slot in range(len(transient)) if np.isfinite(transient[slot]).any()]


def with_edge_step(result: Result) -> Result:
    """The result with its laser-off spectrum divided by the edge step.

    Raises
    ------
    ExportError
        Without Larch, of a scan of another axis, or if the spectrum has no edge step.
    """
    if "energy" not in result.data:
        raise ExportError(f"run {result.start['uid'][:8]} is a scan of {result.axis}: only a spectrum has an edge step")
    try:
        return replace(result, edge_step=edge_step_of(result.start, result.data))
    except ImportError as error:
        raise ExportError(
            f"the edge step is that of Larch, which is not installed here ({error}); install the extra 'files' of this"
            " package, or leave out --edge-step"
        ) from error
    except ReductionError as error:
        raise ExportError(f"run {result.start['uid'][:8]}: {error}") from error


def read_result(store: RunStore, runs: list[Run], name: str) -> Result:
    """Find a result by name.

    Parameters
    ----------
    store : RunStore
    runs : list of Run
        All runs.
    name : str
        As for `beamline.records.runs.find`. A raw run gives its newest result, a scan set the result that sums most
        passes.

    Raises
    ------
    beamline.records.runs.run.RunError
        If there is no such run.
    ExportError
        If it has no result, or one of its raw runs is missing.
    """
    try:
        run = newest_result(runs, name)
        raw = raw_runs(runs, run)
        pattern = binned_pattern(primary_descriptor(store, raw[-1].uid), run.start)
    except NoResultError as error:
        raise ExportError(str(error)) from error
    documents = list(store.documents(run.uid))
    axis = run.start.get("scan_axis", ENERGY_AXIS)
    data = last_event(documents, STREAM_OF_AXIS[axis])
    if data is None:
        raise ExportError(f"reduced run {run.uid[:8]} has a result that cannot be read; reduce it again")
    delay = pump_delay_of(run.start)
    slot_delays = known_slot_delays(run.start) or tuple(pattern.probe_delays(delay).tolist())
    return Result(
        start=run.start,
        data=data,
        fit=last_event(documents, "kinetics"),
        raw=tuple(each.start for each in raw),
        raw_stops=tuple(each.stop or {} for each in raw),
        slot_delays=slot_delays if is_pumped(run.start) else (),
        counted=None if IMPORTED in run.start else count_up([(each.start, store.documents(each.uid)) for each in raw]),
        detectors=detector_results(documents, STREAM_OF_AXIS[axis]),
        notes=tuple(note for each in raw for note in each.notes),
        damage="; ".join(f"{each.uid[:8]}: {text}" for each in (*raw, run) if (text := store.damage(each))),
    )
