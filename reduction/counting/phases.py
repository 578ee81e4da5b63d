"""Phases of the bunch-laser pattern: which bunch and which pump slot each phase belongs to.

The pattern of bunches and laser pulses repeats after ``lcm(num_bunches, divider)`` bunch crossings.
A phase ``p`` of that pattern is bunch ``p mod num_bunches`` seen in pump slot
``(p - laser_phase) mod divider``; slot 0 is the crossing that the laser pulse belongs to.

Bunches need not be evenly spaced (hybrid fills), but laser pulses are: they come from the RF. A slot has one delay
after the pump only where the fill looks the same from each bunch that is pumped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

SAME_DISTANCE = 1e-6
"""Turns (some ps) by which distances of bunches may differ and still count as the same."""


@dataclass(frozen=True)
class Pattern:
    """Fill and laser pattern of a measurement.

    Attributes
    ----------
    num_bunches : int
        Bunches in the ring.
    divider : int
        Bunch crossings from one laser pulse to the next, the number of slots.
    laser_phase : int
        Phase that the laser pulse belongs to.
    bunch_rate : float
        Bunch crossings per second (Hz), on average.
    bunch_positions : tuple of float
        Position of each bunch in the ring, as fraction of a turn, ascending; empty: evenly spaced.
    bin_of_slot : tuple of int
        Bin of each pump slot, from 0, where slots are summed in bins (see `reduction.counting.slot_bins`); -1: in none.
        Empty: each slot by itself. A result's slots are these bins.
    before_pump : tuple of int
        Pump slots of a slow laser in which the sample is in its ground state, right before the next pump.
    """

    num_bunches: int
    divider: int
    laser_phase: int
    bunch_rate: float
    bunch_positions: tuple[float, ...] = ()
    bin_of_slot: tuple[int, ...] = ()
    before_pump: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("num_bunches", "divider"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.bunch_rate > 0:
            raise ValueError(f"bunch_rate must be above 0 Hz, not {self.bunch_rate}")
        if self.bunch_positions:
            self._check_positions()

    def _check_positions(self) -> None:
        if len(self.bunch_positions) != self.num_bunches:
            raise ValueError(
                f"{len(self.bunch_positions)} bunches have a position, and num_bunches is {self.num_bunches}"
            )
        positions = np.array(self.bunch_positions)
        if not (np.diff(positions, prepend=-1e-12, append=1.0) > 0).all():
            raise ValueError("bunch_positions must ascend from 0 to below 1")
        crossing = self._turns(np.arange(self.num_phases + self.divider))
        ahead = crossing[self.divider :] - crossing[: self.num_phases]
        if np.abs(ahead - self.divider / self.num_bunches).max() > SAME_DISTANCE:
            raise ValueError(
                f"with {self.num_bunches} unevenly spaced bunches and divider {self.divider} a slot has several delays"
                " after the pump: laser pulses are evenly spaced, and the bunches they belong to are not"
            )

    def _turns(self, crossing: NDArray[np.int64]) -> NDArray[np.float64]:
        """Time of crossings, in turns of the ring."""
        positions = self.bunch_positions or tuple(np.arange(self.num_bunches) / self.num_bunches)
        turn, bunch = np.divmod(crossing, self.num_bunches)
        return np.asarray(turn + np.array(positions)[bunch])

    @cached_property
    def evenly_spaced(self) -> bool:
        """Whether all bunches follow each other at the same distance; the laser phase then only names the slots."""
        gaps = np.diff(self._turns(np.arange(self.num_bunches + 1)))
        return bool(np.ptp(gaps) < SAME_DISTANCE)

    def has_slots_of(self, other: Pattern) -> bool:
        """Whether slots see the same bunches and delays in both, so that they may be summed."""
        if (self.num_bunches, self.divider) != (other.num_bunches, other.divider):
            return False
        if (self.bin_of_slot, self.before_pump) != (other.bin_of_slot, other.before_pump):
            return False
        return bool(np.allclose(self.probe_delays(0.0), other.probe_delays(0.0), rtol=1e-4, atol=1.0))

    @property
    def num_phases(self) -> int:
        """Bunch crossings after which the pattern repeats."""
        return lcm(self.num_bunches, self.divider)

    @property
    def slots_share_bunches(self) -> bool:
        """Whether each slot sees every bunch; if not, slots differ by the currents of their bunches."""
        return gcd(self.num_bunches, self.divider) == 1

    @property
    def num_slots(self) -> int:
        """Slots of a result: pump slots, or bins of them."""
        return max(self.bin_of_slot) + 1 if self.bin_of_slot else self.divider

    @property
    def laser_is_slow(self) -> bool:
        """Whether the laser period is two turns or more, so that each bunch also comes late after a pump."""
        return self.divider >= 2 * self.num_bunches

    def bunch_of_phase(self) -> NDArray[np.int64]:
        """Bunch of each phase, shape (num_phases,)."""
        return np.arange(self.num_phases, dtype=np.int64) % self.num_bunches

    def slot_of_phase(self, laser_phase: int | None = None) -> NDArray[np.int64]:
        """Slot of each phase, shape (num_phases,), or its bin; -1 in none.

        Parameters
        ----------
        laser_phase : int, optional
            By default that of the pattern.
        """
        at = self.laser_phase if laser_phase is None else laser_phase
        slot = (np.arange(self.num_phases, dtype=np.int64) - at) % self.divider
        return np.array(self.bin_of_slot, np.int64)[slot] if self.bin_of_slot else slot

    def slot_weight(self) -> NDArray[np.float64] | None:
        """Phases of each slot over their mean, shape (num_slots,); None where all have as many."""
        if not self.bin_of_slot:
            return None
        slot = self.slot_of_phase()
        number = np.bincount(slot[slot >= 0], minlength=self.num_slots)
        return np.asarray(number / number.mean())

    def mean_by_slot(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of values of the pump slots, shape (divider, ...), over each slot or bin, shape (num_slots, ...)."""
        if not self.bin_of_slot:
            return values
        member = np.arange(self.num_slots)[:, None] == np.array(self.bin_of_slot)
        return (member / member.sum(axis=1, keepdims=True)) @ values

    def slip(self, laser_phase: int, before: int | None) -> str:
        """Why a dwell is rejected for the phase of its laser, in a few words; empty if it is not.

        The phase is read at the end of a dwell: where it is another than at the end of the dwell before, the laser
        slipped somewhere in between. After that all slots keep their bunches and delays only if the slip was by a
        whole number of what the pattern repeats after.

        Parameters
        ----------
        laser_phase : int
            Of the dwell.
        before : int or None
            Of the dwell before; None if there is none.
        """
        if before is not None and laser_phase != before:
            return f"laser slipped from phase {before} to {laser_phase} within this dwell or just before it"
        repeats = gcd(self.num_bunches, self.divider) if self.evenly_spaced else self.divider
        if (laser_phase - self.laser_phase) % repeats == 0:
            return ""
        what = "bunches" if self.evenly_spaced else "delays"
        return f"laser at phase {laser_phase}, not at {self.laser_phase} as when the run began: slots have other {what}"

    def pump_slot_delays(self, delay: float) -> NDArray[np.float64]:
        """Time from the last pump to the probe in each pump slot, shape (divider,), in ps; see `probe_delays`."""
        turn = 1e12 * self.num_bunches / self.bunch_rate
        first = self.laser_phase % self.divider
        crossing = self._turns(first + np.arange(self.divider)) * turn
        return np.asarray((delay + crossing - crossing[0]) % (1e12 * self.divider / self.bunch_rate), dtype=np.float64)

    def probe_delays(self, delay: float) -> NDArray[np.float64]:
        """Time from the last pump to the probe in each slot, shape (num_slots,), in ps; the mean for a bin of slots.

        Parameters
        ----------
        delay : float
            Pump-probe delay of slot 0 in ps, positive when the pump comes first.
        """
        return self.mean_by_slot(self.pump_slot_delays(delay))
