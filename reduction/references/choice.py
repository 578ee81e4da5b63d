"""Chooses the reference that a scan allows, the points that can be used, and the order of the slots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.counting.rows import PointRates
from reduction.errors import ReductionError
from reduction.references.on_off import balanced
from reduction.settings import Settings

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

ONE_SLOT = "reference 'slots' needs more than one slot; use reference 'paper' (laser shutter)"


def require_reference(settings: Settings, pattern: Pattern) -> None:
    """Raise if the fill pattern does not allow the reference.

    Raises
    ------
    ReductionError
        If slots would be compared with each other although they see different bunches, or there is only one slot.
    """
    if settings.reference == "slots" and pattern.divider == 1:
        raise ReductionError(ONE_SLOT)
    if settings.reference == "slots" and not pattern.slots_share_bunches:
        raise ReductionError(
            f"reference 'slots' is not possible with {pattern.num_bunches} bunches and laser divider"
            f" {pattern.divider}: each slot sees only some bunches; use reference 'paper' (laser shutter)"
        )


def slot_order(slots: int, slot_delays: Array | None) -> NDArray[np.int64]:
    """Slots in the order of their delay after the pump."""
    delays = np.arange(slots, dtype=np.float64) if slot_delays is None else np.asarray(slot_delays, dtype=np.float64)
    if delays.shape != (slots,) or not np.isfinite(delays).all():
        raise ReductionError(f"slot_delays must be {slots} finite numbers, one a slot, not {slot_delays}")
    return np.argsort(delays, kind="stable")


def possible_reference(wanted: str, rates: PointRates) -> tuple[str, list[str]]:
    """The reference that is possible, with a note if it is not the requested one."""
    if wanted != "paper" and rates.rows is None:
        raise ReductionError(f"reference '{wanted}' needs the single dwells; use reference 'paper' for sums")
    if wanted == "slots" and rates.rate.shape[1] == 1:
        raise ReductionError(ONE_SLOT)
    if rates.slots_share_bunches or wanted in ("paper", "shutter"):
        return wanted, []
    why = f"reference '{wanted}' is not possible: each slot sees only some bunches;"
    if wanted == "slots":
        raise ReductionError(f"{why} use reference 'paper' (laser shutter)")
    return "paper", [f"{why} 'paper' was used instead."]


def usable_points(rates: PointRates) -> tuple[Flags, Flags]:
    """Points with both laser states, and those among them whose rates can be divided, shape (E,)."""
    used = np.asarray((rates.dwells > 0).all(axis=0) & np.isfinite(rates.rate).all(axis=(0, 1)))
    if rates.rows is None:
        return used, used
    ratio = balanced(rates.rows).rate
    return used, used & np.asarray((np.nan_to_num(ratio) > 0).all(axis=(0, 1)))


def require_points(used: Flags, rates: PointRates) -> None:
    """Refuse a scan of which no point can be used.

    Raises
    ------
    ReductionError
        With the reasons why dwells are rejected, the most frequent first.
    """
    if used.any():
        return
    raise ReductionError(f"no point has good dwells with both laser on and laser off{why_rejected(rates)}")


def why_rejected(rates: PointRates) -> str:
    """Why dwells are rejected, the most frequent reasons first, as the end of a message; empty if none is."""
    number: dict[str, int] = {}
    for reasons in rates.faults.values():
        for reason in reasons:
            number[reason] = number.get(reason, 0) + 1
    frequent = sorted(number, key=number.__getitem__, reverse=True)[:3]
    why = "; ".join(f"{reason} ({number[reason]} points)" for reason in frequent)
    return f". Rejected: {why}" if why else ""
