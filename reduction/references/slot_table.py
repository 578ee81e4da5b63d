"""Slots in the order of time after the pump, and how much of the pattern each of them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.errors import ReductionError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SlotTable:
    """Slots of a result, which may be bins of pump slots.

    Attributes
    ----------
    order : ndarray of int, shape (S,)
        Slots by their delay after the pump.
    times : ndarray, shape (S,)
        After the first slot, in distances between the first two.
    share : ndarray, shape (S,)
        Fraction of the phases of the pattern: weights of means over slots, since a phase has as many gates as another.
    """

    order: NDArray[np.int64]
    times: Array
    share: Array

    @classmethod
    def of(cls, slots: int, slot_delays: Array | None = None, pattern: Pattern | None = None) -> SlotTable:
        """Table of slots.

        Parameters
        ----------
        slots : int
        slot_delays : ndarray, shape (S,), optional
            Of each slot after the pump; by default in slot order, equally spaced.
        pattern : Pattern, optional
            By default all slots have as many phases.

        Raises
        ------
        ReductionError
            If there is not one finite delay a slot.
        """
        delays = np.arange(slots, dtype=np.float64) if slot_delays is None else np.asarray(slot_delays, np.float64)
        if delays.shape != (slots,) or not np.isfinite(delays).all():
            raise ReductionError(f"slot_delays must be {slots} finite numbers, one a slot, not {slot_delays}")
        order = np.argsort(delays, kind="stable")
        distance = float(np.diff(delays[order[:2]]).sum()) or 1.0
        members = np.ones(slots)
        if pattern is not None:
            of_phase = pattern.slot_of_phase()
            members = np.bincount(of_phase[of_phase >= 0], minlength=slots).astype(np.float64)
        return cls(order, (delays - delays[order[0]]) / distance, members / members.sum())
