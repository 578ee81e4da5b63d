"""Fields of a spectrum beside the spectra themselves: slots, pair counters, errors by the SI's rules, drift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.pairs import PairReport
from reduction.counting.paper_errors import paper_stddev
from reduction.counting.row_parts import BunchAgreement
from reduction.counting.rows import PointRates, only
from reduction.drift.correct import WithoutDrift
from reduction.references.clean_slots import CleanSlots
from reduction.references.efficiency import SlotEfficiency
from reduction.references.methods import Comparison

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


SLOT_AXES = {
    **dict.fromkeys(
        (
            "on", "on_stddev", "off", "off_stddev", "transient", "transient_stddev", "transient_stddev_paper",
            "efficiency", "efficiency_stddev", "efficiency_drift", "efficiency_drift_stddev",
            "clean_slots", "residual", "residual_stddev", "share", "share_stddev",
        ), (0,),
    ),
    **dict.fromkeys(("offset", "integral", "rate", "transient_factors"), (1,)),
    "transient_local": (0, 1),
    "rate_covariance": (1, 2),
}  # fmt: skip
"""Axes of slots of the fields of a spectrum."""


def of_slots(eff: SlotEfficiency, clean: CleanSlots) -> dict[str, Any]:
    """Fields of a spectrum about efficiencies and clean slots."""
    return {
        "efficiency": eff.value,
        "efficiency_stddev": np.sqrt(np.diagonal(eff.covariance)),
        "efficiency_drift": eff.drift,
        "efficiency_drift_stddev": eff.drift_stddev,
        "efficiency_chi_square": eff.chi_square,
        "efficiency_freedom": eff.dof,
        "clean_slots": clean.clean.astype(np.int64),
        "residual": clean.residual,
        "residual_stddev": np.where(np.isnan(clean.residual), np.nan, np.sqrt(np.diagonal(clean.covariance))),
        "share": clean.measured,
        "share_stddev": clean.measured_stddev,
    }


def of_bunches(found: BunchAgreement | None) -> dict[str, Any]:
    """Fields of a spectrum about the counts of single bunches."""
    if found is None:
        return {"bunch_chi_square": np.full(3, np.nan), "bunch_freedom": 0}
    return {
        "bunch_chi_square": np.array([found.equal, found.fixed, found.measured]),
        "bunch_freedom": found.dof,
    }


def paper_errors(rates: PointRates, used: Flags, integral: Array) -> Array:
    """Errors of the transients by the SI's rules, shape (S, used points)."""
    if rates.rows is None or not rates.dwells[OFF].any():
        return np.full((rates.rate.shape[1], int(used.sum())), np.nan)
    stddev = paper_stddev(only(rates.rows, used)) / integral[:, :, None]
    return np.asarray(np.hypot(stddev[OFF], stddev[ON]))


def efficiency_of(comparison: Comparison | None, slots: int) -> SlotEfficiency:
    if comparison is not None:
        return comparison.efficiency
    unknown = np.full(slots, np.nan)
    return SlotEfficiency(unknown, np.full((slots, slots), np.nan), float("nan"), 0, unknown, unknown, ())


def of_pairs(report: PairReport | None, points: int) -> dict[str, Any]:
    """Fields of a spectrum from the pair counters."""
    effects = report.effects if report else None
    unknown = np.full(points, np.nan)
    return {
        "after_effects": np.array([effects.afterpulse, effects.beta] if effects else [np.nan] * 2),
        "after_effects_covariance": effects.covariance if effects else np.full((2, 2), np.nan),
        "after_effects_departure": report.correlation.departure if report else unknown,
        "after_effects_departure_stddev": report.correlation.stddev if report else unknown,
        "dead_time_flag": (report.correlation.flagged if report else np.zeros(points, np.bool_)).astype(np.int64),
    }


def of_drift(corrected: WithoutDrift | None, points: int) -> dict[str, Any]:
    """Fields of a spectrum about the drift that was taken out; one row of NaN if none was."""
    if corrected is None:
        return dict.fromkeys(("drift", "drift_stddev", "drift_time"), np.full((1, points), np.nan))
    return {"drift": corrected.curve, "drift_stddev": corrected.stddev, "drift_time": corrected.time}
