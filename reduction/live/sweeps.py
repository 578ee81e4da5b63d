"""Sweeps of a scan set: the energies of their frames, and the rates of frames as rates on the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.accumulate import CountingAccumulator
from reduction.counting.dead_time import Correlation
from reduction.counting.dwell import GOOD, Dwell
from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.pairs import PairReport
from reduction.counting.phases import Pattern
from reduction.counting.row_parts import GroundState
from reduction.counting.rows import DwellRows, PointRates, PointUpdate, point_rates
from reduction.counting.sweeps import Shares, on_grid, shares_on_grid
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.frames import Frames, dwells_of_frames, frames_of
from reduction.documents.raw import RawRun
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]
Key = tuple[str, int]
"""Uid of a pass, and segment."""
CENTRE = 1.125
"""Variance of a point by the cubic through the frames around it, in that of a mean over one step."""
NAMED = 5
"""Points that a note lists."""
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

    energies: dict[Key, tuple[Array, Array]] = field(default_factory=dict)
    notes: dict[Key, str] = field(default_factory=dict)
    _shares: dict[Key, tuple[tuple[Array, ...], Shares]] = field(default_factory=dict)

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

    def lost(self, shares: list[Shares], uids: tuple[str, ...], grid: Array) -> tuple[str, ...]:
        """A note about each sweep that lacks points, since too many frames around them are lost."""
        found = []
        for (uid, segment), each in zip(self._with_frames(), shares, strict=True):
            missing = grid[~each.weight.any(axis=1)]
            if missing.size and each.frames.size:  # a sweep without any does not count
                listed = ", ".join(f"{energy:.7g}" for energy in missing[:NAMED]) + ", ..." * (missing.size > NAMED)
                found.append(
                    f"Sweep {segment + 1} of pass {uids.index(uid) + 1} has no value at {listed} keV: too many frames"
                    " are lost there. If a point at the end of a window is missing, the scale of the spectrum changes."
                )
        return tuple(found)

    def _with_frames(self) -> list[Key]:
        return [key for key, each in self.energies.items() if np.isfinite(each[0]).any()]

    def middle(self) -> Array:
        """Energy of each frame by its number, mean over the sweeps, shape (F,); NaN where none has it."""
        ends = np.array(list(self.energies.values()))
        there = np.isfinite(ends).all(axis=1)
        number = there.sum(axis=0)
        total = np.where(there, ends.mean(axis=1), 0.0).sum(axis=0)
        return np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)

    def shares(self, exposure: Array, grid: Array) -> list[Shares]:
        """Shares of the frames of all sweeps that have some, in the order of the rows, which is that of their arrival.

        Those of a sweep are computed once, and again if its frames have changed.

        Parameters
        ----------
        exposure : ndarray, shape (F, R)
            0 for frames that do not count.
        grid : ndarray, shape (N,), keV

        Raises
        ------
        ReductionError
            If there is none.
        """
        keys = self._with_frames()
        if not keys:
            raise ReductionError("no sweep has a frame that can be used: all are lost, late or off the grid")
        for row, key in enumerate(keys):
            given = (*self.energies[key], exposure[:, row])
            known = self._shares.get(key)
            if known is None or not all(map(_same, known[0], given)):
                self._shares[key] = (*given[:2], given[2].copy()), shares_on_grid(*given, grid)
        return [self._shares[key][1] for key in keys]


def _same(first: Array, second: Array) -> bool:
    return np.array_equal(first, second, equal_nan=True)


def averaged(settings: Settings, per_step: float) -> Settings:
    """Settings in which the noise of an I0 reading is that of a point of a sweep, which averages several frames."""
    return replace(settings, i0_noise=settings.i0_noise * sqrt(CENTRE / per_step))


def rates_on_grid(
    sums: CountingAccumulator, store: SweepStore, run: RawRun, pattern: Pattern, exclusions: Exclusions
) -> PointRates:
    """Rates at the points of the grid, a row a sweep, from the frames of an accumulator."""
    of_frames = sums.result()
    frames = of_frames.rows
    assert frames is not None  # of an accumulator
    shares = store.shares(np.where(frames.state != EMPTY, frames.exposure, 0.0), run.grid)
    rows = on_grid(frames, shares)
    out = exclusions.mask(sums.pass_uids, sums.row_pass, run.grid.size)
    if out is not None:
        rows = replace(rows, state=np.where(out, np.int8(EMPTY), rows.state))
    notes = store.sentences(sums.pass_uids) + store.lost(shares, sums.pass_uids, run.grid) + of_frames.notes
    if rows.ground is None and (rows.state == ON).any() and not (rows.state == OFF).any() and pattern.num_slots > 1:
        rows, notes = replace(rows, ground=last_slot(rows, pattern)), (*notes, SAME_SHOTS)
    noise = averaged(run.settings, run.per_step).i0_noise
    result = point_rates(rows, noise, of_frames.bunches_out, of_frames.pattern, of_frames.common_variance)
    kept = {name: getattr(of_frames, name) for name in ("background", "bunches")}
    pairs = None if of_frames.pairs is None else pairs_on_grid(of_frames.pairs, store.middle(), rows, run.grid)
    return replace(result, notes=notes, faults=_faults(of_frames), pairs=pairs, **kept)


def pairs_on_grid(report: PairReport, middle: Array, rows: DwellRows, grid: Array) -> PairReport:
    """Correlation at the points of a grid, means over the frames that are nearest to each.

    Parameters
    ----------
    report : PairReport
        Its points are frames.
    middle : ndarray, shape (F,), keV
    rows : DwellRows
        On the grid.
    grid : ndarray, shape (N,), keV
    """
    of_frames = report.correlation
    counts = np.isfinite(middle) & np.isfinite(of_frames.departure) & (np.nan_to_num(of_frames.stddev) > 0)
    nearest = np.abs(middle[counts, None] - grid).argmin(axis=1)
    weight = 1 / of_frames.stddev[counts] ** 2
    total, mean = (np.bincount(nearest, each, grid.size) for each in (weight, weight * of_frames.departure[counts]))
    with np.errstate(invalid="ignore", divide="ignore"):
        there = rows.state != EMPTY
        photons = np.where(there, rows.slot_mu.mean(axis=2), 0.0).sum(axis=1) / there.sum(axis=1)
        return replace(report, correlation=Correlation.of(mean / total, 1 / np.sqrt(total), photons))


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
    rate, covariance, rows = rates.rate[..., point], rates.covariance[..., point], rates.rows
    assert rows is not None  # of an accumulator
    there = np.flatnonzero(rows.state[point] != EMPTY)
    unknown = np.full(rate.shape[1], np.nan)
    photons, variance = (each[point, there[-1]] if there.size else unknown for each in (rows.slot_mu, rows.slot_var))
    difference = rate[ON] - rate[OFF], covariance[ON] + covariance[OFF]
    return PointUpdate(point, None, rate, covariance, *difference, photons, np.sqrt(variance), 0)


def _faults(rates: PointRates) -> dict[int, tuple[str, ...]]:
    """Reasons why frames are rejected, each once: frames are no points."""
    reasons = dict.fromkeys(reason for each in rates.faults.values() for reason in each)
    return {0: tuple(reasons)} if reasons else {}
