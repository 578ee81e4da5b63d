"""Sweeps of a scan set: the energies of their frames, and the rates of frames as rates on the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dwell import GOOD, Dwell
from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.phases import Pattern
from reduction.counting.row_parts import GroundState
from reduction.counting.rows import DwellRows, PointRates, PointUpdate, point_rates
from reduction.counting.sweeps import Sweeps, on_grid
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.frames import Frames, dwells_of_frames, frames_of
from reduction.documents.raw import RawRun
from reduction.errors import ReductionError
from reduction.settings import Settings

Key = tuple[str, int]
"""Uid of a pass, and segment."""
CENTRE = 1.125
"""Variance of a point by the parabola through the frames around it, in that of a mean over one step."""
SAME_SHOTS = (
    "The laser was on all the time: slots are compared with the last slot of the same shots, which has what is left of"
    " the transient there; each is normalised by itself, so that efficiencies of slots cancel."
)


@dataclass
class SweepStore:
    """Energies of the frames of all sweeps.

    Attributes
    ----------
    energies : dict
        By pass and segment, energies at the begin and end of each frame, by its number.
    notes : dict
        By pass and segment, what was wrong with frames.
    """

    energies: dict[Key, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    notes: dict[Key, str] = field(default_factory=dict)

    def dwells(
        self, event: Mapping[str, Any], page: Mapping[str, Any], run: RawRun, pattern: Pattern, before: int | None
    ) -> list[Dwell]:
        """The frames of a sweep as dwells."""
        data = event["data"]
        frames = frames_of(page, float(data["sweep_frame_time"]), run)
        key = (run.uid, int(data["segment"]))
        self._note(key, frames, data)
        begin, end = np.full(run.frames, np.nan), np.full(run.frames, np.nan)
        begin[frames.index], end[frames.index] = frames.begin, frames.end
        known = key in self.energies and np.isfinite(self.energies[key][0]).any()
        if not known or (data["quality"] == GOOD and frames.index.size):
            self.energies[key] = begin, end
        return list(dwells_of_frames(frames, event, run, pattern, before))

    def _note(self, key: Key, frames: Frames, data: Mapping[str, Any]) -> None:
        self.notes.pop(key, None)
        if frames.complaint:
            laser = "on" if data["laser_on"] else "off"
            self.notes[key] = f"sweep {key[1] + 1} (laser {laser}): {frames.complaint}"

    def sentences(self, uids: tuple[str, ...]) -> tuple[str, ...]:
        """A note about each pass whose frames were not all usable."""
        found = []
        for number, uid in enumerate(uids, start=1):
            if listed := [text for (each, _), text in sorted(self.notes.items()) if each == uid]:
                found.append(f"Frames of pass {number}: {'; '.join(listed)}.")
        return tuple(found)

    def of_rows(self) -> Sweeps:
        """Energies of all sweeps that have frames, in the order in which they came, which is that of the rows.

        Raises
        ------
        ReductionError
            If there is none.
        """
        found = [each for each in self.energies.values() if np.isfinite(each[0]).any()]
        if not found:
            raise ReductionError("no sweep has a frame that can be used: all are lost, late or off the grid")
        return Sweeps(*(np.stack(each, axis=1) for each in zip(*found, strict=True)))


def averaged(settings: Settings, per_step: float) -> Settings:
    """Settings in which the noise of an I0 reading is that of a point of a sweep, which averages several frames."""
    return replace(settings, i0_noise=settings.i0_noise * sqrt(CENTRE / per_step))


def rates_on_grid(
    sums: CountingAccumulator, store: SweepStore, run: RawRun, pattern: Pattern, exclusions: Exclusions
) -> PointRates:
    """Rates at the points of the grid, a row a sweep, from the frames of an accumulator."""
    sweeps, of_frames = store.of_rows(), sums.result()
    assert of_frames.rows is not None  # of an accumulator
    rows = on_grid(of_frames.rows, sweeps, run.grid)
    out = exclusions.mask(sums.pass_uids, sums.row_pass, run.grid.size)
    if out is not None:
        rows = replace(rows, state=np.where(out, np.int8(EMPTY), rows.state))
    notes = store.sentences(sums.pass_uids) + of_frames.notes
    if rows.ground is None and (rows.state == ON).any() and not (rows.state == OFF).any() and pattern.num_slots > 1:
        rows, notes = replace(rows, ground=last_slot(rows, pattern)), (*notes, SAME_SHOTS)
    noise = averaged(run.settings, run.per_step).i0_noise
    result = point_rates(rows, noise, of_frames.bunches_out, of_frames.pattern, of_frames.common_variance)
    kept = {name: getattr(of_frames, name) for name in ("background", "bunches")}
    return replace(result, notes=notes, faults=_faults(of_frames), **kept)


def last_slot(rows: DwellRows, pattern: Pattern) -> GroundState:
    """The slot with the largest delay in place of the ground state of each, in the same shots."""
    last = int(np.argmax(pattern.probe_delays(0.0)))
    slots = rows.slot_mu.shape[2]
    members, inside = np.zeros((slots, slots)), np.zeros((slots, slots))
    members[:, last] = inside[last, last] = 1.0
    same = [last] * slots
    return GroundState(rows.slot_mu[:, :, same], rows.slot_var, rows.slot_shift[:, :, same], members, inside)


def update_of(rates: PointRates, point: int) -> PointUpdate:
    """A point as after its last dwell."""
    rate, covariance = rates.rate[..., point], rates.covariance[..., point]
    unknown = np.full(rate.shape[1], np.nan)
    difference = rate[ON] - rate[OFF], covariance[ON] + covariance[OFF]
    return PointUpdate(point, None, rate, covariance, *difference, unknown, unknown, 0)


def _faults(rates: PointRates) -> dict[int, tuple[str, ...]]:
    """Reasons why frames are rejected, each once: frames are no points."""
    reasons = dict.fromkeys(reason for each in rates.faults.values() for reason in each)
    return {0: tuple(reasons)} if reasons else {}
