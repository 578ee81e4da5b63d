"""Refuses references that a scan does not allow, and finds the points that can be used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
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
        If there is only one slot to compare.
    """
    if settings.reference == "slots" and pattern.num_slots == 1:
        raise ReductionError(ONE_SLOT)


def require_possible(wanted: str, rates: PointRates) -> None:
    """Refuse a reference that these rates do not allow.

    Raises
    ------
    ReductionError
        Without single dwells, for ``slots`` of a single slot, or without laser-off dwells where the slots before the
        pump do not serve.
    """
    if wanted != "paper" and rates.rows is None:
        raise ReductionError(f"reference '{wanted}' needs the single dwells; use reference 'paper' for sums")
    if wanted == "slots" and rates.rate.shape[1] == 1:
        raise ReductionError(ONE_SLOT)
    if not only_pumped(rates):
        return
    if rates.rows is None or rates.rows.ground is None:
        turns = "" if rates.pattern is None else f" (it is {rates.pattern.divider / rates.pattern.num_bunches:.3g})"
        raise ReductionError(
            "there is no laser-off dwell, and no slot before the pump in which every bunch is seen: that takes a laser"
            f" period of two turns or more{turns}; take dwells with the laser off"
        )
    if wanted in ("paper", "shutter"):
        raise ReductionError(
            f"reference '{wanted}' needs dwells with the laser off, and there is none: use reference 'slots', the same"
            " bunches in the slots before the pump"
        )


def only_pumped(rates: PointRates) -> bool:
    """Whether there are dwells with the laser on, and none with it off."""
    return bool(rates.dwells[ON].any() and not rates.dwells[OFF].any())


def by_same_bunches(reference: str, rates: PointRates) -> bool:
    """Whether slots are compared with the same bunches before the pump."""
    has_ground = rates.rows is not None and rates.rows.ground is not None
    return has_ground and (reference == "slots" or (reference == "combined" and only_pumped(rates)))


def usable_points(rates: PointRates) -> tuple[Flags, Flags]:
    """Points with both laser states, and those among them whose rates can be divided, shape (E,).

    Of a scan without laser-off dwells, those with the laser on, twice.
    """
    if only_pumped(rates):
        pumped = np.asarray((rates.dwells[ON] > 0) & (np.nan_to_num(rates.rate[ON]) > 0).all(axis=0))
        return pumped, pumped
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


def require_windows(energy: Array, used: Flags, rates: PointRates, settings: Settings) -> None:
    """Refuse an energy scan that has lost the points of a window, of which its grid has enough.

    Raises
    ------
    ReductionError
        With the reasons why dwells are rejected, the most frequent first.
    """
    for name, (low, high), least in (("pre-edge", settings.pre_edge, 1), ("edge-integral", settings.integral, 2)):
        inside = (energy >= low) & (energy <= high)
        good, every = int((inside & used).sum()), int(inside.sum())
        if good < least <= every:
            raise ReductionError(
                f"{good} of {every} points in the {name} window {low:.4f}-{high:.4f} keV are good, and {least} are"
                f" needed: take them again{why_rejected(rates)}"
            )


def why_rejected(rates: PointRates) -> str:
    """Why dwells are rejected, the most frequent reasons first, as the end of a message; empty if none is."""
    number: dict[str, int] = {}
    for reasons in rates.faults.values():
        for reason in reasons:
            number[reason] = number.get(reason, 0) + 1
    frequent = sorted(number, key=number.__getitem__, reverse=True)[:3]
    why = "; ".join(f"{reason} ({number[reason]} points)" for reason in frequent)
    return f". Rejected: {why}" if why else ""
