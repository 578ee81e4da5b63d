"""Background in photons per pulse, by bunch and slot, from a run without X-rays.

A phase is a bunch in a slot, and which one depends on the laser phase (see `reduction.counting.phases`). If the laser
has slipped since the background run, each phase of a dwell uses the value of its own bunch and slot. If slots do not
see every bunch, that pair may never have been counted: such a dwell has no background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.phases import Pattern
from reduction.counting.pileup import photons_per_pulse
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Background:
    """Background of a fill and laser pattern; axes 2 laser states (off, on), P phases.

    Attributes
    ----------
    photons, stddev : ndarray, shape (2, P)
        Photons per pulse and their standard deviation.
    laser_phase : int or None
        Laser phase of the background run; None if the values apply to the phases as they are.
    """

    photons: Array
    stddev: Array
    laser_phase: int | None = None

    @classmethod
    def of(cls, settings: Settings, pattern: Pattern) -> Background:
        """Background from the settings.

        Raises
        ------
        ValueError
            If it does not have one value per phase.
        """
        photons, stddev = settings.background(pattern.num_phases)
        return cls(photons, stddev, settings.background_laser_phase)

    @classmethod
    def none(cls, pattern: Pattern) -> Background:
        """No background."""
        nothing = np.zeros((2, pattern.num_phases))
        return cls(nothing, nothing)

    def phases(self, pattern: Pattern, laser_phase: int) -> IntArray | None:
        """Phase of the background with the same bunch and slot, for each phase of a dwell; None if there is none.

        Parameters
        ----------
        pattern : Pattern
        laser_phase : int
            Of the dwell.
        """
        phase = np.arange(pattern.num_phases, dtype=np.int64)
        if self.laser_phase is None or (laser_phase - self.laser_phase) % pattern.num_phases == 0:
            return phase
        phase_of = {_bunch_and_slot(pattern, int(p), self.laser_phase): int(p) for p in phase}
        found = [phase_of.get(_bunch_and_slot(pattern, int(p), laser_phase), -1) for p in phase]
        return None if -1 in found else np.array(found, np.int64)

    def of_dwells(self, pattern: Pattern, laser: NDArray[np.int8], laser_phase: IntArray) -> Array:
        """Background in each phase of D dwells, photons per pulse, shape (D, P); every dwell must have one.

        Parameters
        ----------
        pattern : Pattern
        laser : ndarray of int, shape (D,)
            0 off, 1 on.
        laser_phase : ndarray of int, shape (D,)
        """
        phases = {int(phase): self.phases(pattern, int(phase)) for phase in np.unique(laser_phase)}
        return np.array([self.photons[on, phases[int(at)]] for on, at in zip(laser, laser_phase, strict=True)])

    def slot_variance(self, pattern: Pattern, bunch_out: NDArray[np.bool_]) -> Array:
        """Variance of a slot's mean background, shape (2, S), common to all dwells."""
        members = self._members(pattern, bunch_out)
        return self.stddev**2 @ members.T / np.maximum(members.sum(axis=1), 1) ** 2

    def slot_mean(self, pattern: Pattern, bunch_out: NDArray[np.bool_]) -> Array:
        """Mean background of each slot, shape (2, S)."""
        members = self._members(pattern, bunch_out)
        return self.photons @ members.T / np.maximum(members.sum(axis=1), 1)

    def _members(self, pattern: Pattern, bunch_out: NDArray[np.bool_]) -> Array:
        """1 where a phase of the background run belongs to a slot and its bunch counts, shape (S, P)."""
        laser_phase = pattern.laser_phase if self.laser_phase is None else self.laser_phase
        counts = ~bunch_out[pattern.bunch_of_phase()]
        member = pattern.slot_of_phase(laser_phase) == np.arange(pattern.num_slots)[:, None]
        return (member & counts).astype(np.float64)


def measured_background(
    pattern: Pattern, hits: IntArray, gates: IntArray, laser: NDArray[np.bool_], laser_phase: IntArray
) -> Background:
    """Background from dwells without X-rays, at the laser phase of the first one.

    Parameters
    ----------
    pattern : Pattern
    hits, gates : ndarray of int, shape (D, P)
        Of dwells in the order in which they were taken.
    laser : ndarray of bool, shape (D,)
    laser_phase : ndarray of int, shape (D,)
        At the end of each dwell; a dwell in which it changed is rejected.

    Raises
    ------
    ReductionError
        If the laser slipped to where slots have other bunches, or no dwell with the laser on, or off, counts.
    """
    here = Background(np.zeros((2, pattern.num_phases)), np.zeros((2, pattern.num_phases)), int(laser_phase[0]))
    steady = np.append(True, np.diff(laser_phase) == 0)
    summed = np.zeros((2, 2, pattern.num_phases), np.int64)
    for number in np.flatnonzero(steady):
        phases = here.phases(pattern, int(laser_phase[number]))
        if phases is None:
            raise ReductionError(
                f"the laser slipped from phase {laser_phase[0]} to {laser_phase[number]}, where slots have other"
                " bunches: take the background again"
            )
        summed[:, int(laser[number]), phases] += np.stack([hits[number], gates[number]])
    for on, name in enumerate(("off", "on")):
        if not summed[1, on].any():
            raise ReductionError(f"no good dwell with the laser {name}")
    photons, variance = photons_per_pulse(*summed)
    return Background(np.maximum(photons, 0.0), np.sqrt(variance), here.laser_phase)


def _bunch_and_slot(pattern: Pattern, phase: int, laser_phase: int) -> tuple[int, int]:
    return phase % pattern.num_bunches, (phase - laser_phase) % pattern.divider


def background_shifts(common: Array, state: NDArray[np.int8]) -> Array:
    """Shifts (N, R, S, 2 S) by the background of each state and slot, common to all dwells; no column without any."""
    slots = common.shape[1]
    if not common.any():
        return np.zeros((*state.shape, slots, 0))
    shift = np.zeros((*state.shape, slots, 2, slots))
    for laser in (OFF, ON):
        shift[state == laser, :, laser] = np.diag(np.sqrt(common[laser]))
    return shift.reshape(*state.shape, slots, 2 * slots)
