"""Sentences for the user about the limits of a result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.pairs import PairReport
from reduction.counting.rows import PointRates
from reduction.references.efficiency import SlotEfficiency
from reduction.references.late_shape import worst_late_shape
from reduction.references.methods import Comparison

Array = NDArray[np.float64]

NAMED = 3
"""Missing points that are explained one by one."""
DOUBTFUL = 2.0
"""Standard deviations above which a constant in the clean slots is reported; above about 3.5 it is corrected."""
OTHER_SHAPE = 1e-3
"""p-value below which late slots are reported to have another shape than what decays."""
STRANGE = 5.0
"""Standard deviations above which a check contradicts the correction of after-effects."""

WITHOUT_JET = (
    "The errors exclude the noise of the jet: one pass of single dwells does not determine it; repeat dwells or passes."
)


def of_missing(
    values: Array, unit: str, used: NDArray[np.bool_], rates: PointRates, needed: tuple[str, ...] = ("off", "on")
) -> list[str]:
    """Points of the grid that are missing in the result, with the reasons.

    Parameters
    ----------
    values : ndarray, shape (E,)
        Values of the scanned axis.
    unit : str
    used : ndarray of bool, shape (E,)
    rates : PointRates
    needed : tuple of str
        States of the laser that a point needs.
    """
    if used.all():
        return []
    missing = [int(point) for point in np.flatnonzero(~used)]
    notes = [
        f"Provisional: {len(missing)} of {used.size} points are missing ({_range(values[missing], unit)}), and what is"
        " taken from the whole grid (offset, edge integral, efficiencies) is that of the others."
    ]
    explained = [point for point in missing if point in rates.faults]
    for point in explained[:NAMED]:
        states = [name for laser, name in enumerate(needed) if not rates.dwells[laser, point]]
        lacks = f"there is no good dwell with the laser {' or '.join(states)}" if states else "it cannot be divided"
        notes.append(f"{values[point]:.7g} {unit} is missing since {lacks}: {', '.join(rates.faults[point])}.")
    if len(explained) > NAMED:
        notes.append(f"{len(explained) - NAMED} more points are missing for lack of good dwells.")
    return notes


def _range(values: Array, unit: str) -> str:
    low, high = values.min(), values.max()
    return f"{low:.7g} {unit}" if low == high else f"{low:.7g} to {high:.7g} {unit}"


def of_efficiency(efficiency: SlotEfficiency) -> list[str]:
    """Evidence against comparing slots with each other."""
    return [f"{text}." for text in efficiency.warnings]


def of_comparison(reference: str, grounded: bool, rates: PointRates, comparison: Comparison | None) -> list[str]:
    """Notes about the noise of dwells, and about what slots are compared with.

    Parameters
    ----------
    reference : str
    grounded : bool
        Whether slots are compared with the same bunches before the pump.
    rates : PointRates
    comparison : Comparison, optional
        None without laser-off dwells or single dwells.
    """
    noise = of_noise(comparison) if comparison is not None else []
    if grounded:
        return noise + of_ground(comparison)
    if comparison is None or reference == "paper":
        return noise
    return [
        *noise,
        *of_efficiency(comparison.efficiency),
        *of_clean_slots(reference, comparison),
        *of_late_shape(reference, comparison),
        *of_no_ground(reference, rates),
    ]


def of_noise(comparison: Comparison) -> list[str]:
    """Whether the errors include the noise of the jet."""
    if comparison.noise_known:
        return []
    return [WITHOUT_JET]


def of_clean_slots(reference: str, comparison: Comparison) -> list[str]:
    """How much transient the reference slots may still hold, for the references that use slots."""
    clean, last = comparison.clean, comparison.clean.last
    if reference not in ("slots", "combined"):
        return []
    instead = f"slots are compared with slot {last}" if reference == "slots" else "laser off alone is the reference"
    if not clean.decay_seen:
        return [f"No decay is seen between first and last slot, so no slot is known to be clean: {instead}."]
    measured = (
        f"compared with the laser off, slot {last} holds {clean.measured[last]:.2f} +-"
        f" {clean.measured_stddev[last]:.2f} of the difference between first and last slot"
    )
    if not clean.usable:
        return [f"No slot is known to be clean ({measured}): {instead}."]
    if not clean.clean.any():
        stddev = np.sqrt(clean.covariance[last, last])
        held = f"{clean.residual[last]:.3f} +- {stddev:.3f} of the difference between first and last slot"
        return [f"No slot is clean: slot {last}, the best reference, still holds {held}."]
    if abs(clean.measured[last]) > DOUBTFUL * clean.measured_stddev[last]:
        return [f"The clean slots are doubtful ({measured}): compare with reference 'shutter', or measure longer."]
    return []


def of_ground(comparison: Comparison | None) -> list[str]:
    """With what slots of a slow laser are compared, and what it still holds."""
    text = "Slots are compared with the same bunches in the slots before the pump"
    if comparison is None:
        return [f"{text}; there is no dwell with the laser off to show that these have relaxed."]
    clean, last = comparison.clean, comparison.clean.last
    if not clean.decay_seen or not np.isfinite(clean.measured[last]):
        return [f"{text}."]
    held = f"{clean.measured[last]:.3f} +- {clean.measured_stddev[last]:.3f}"
    return [f"{text}, which by the laser off hold {held} of the difference between first and last slot."]


def of_no_ground(reference: str, rates: PointRates) -> list[str]:
    """Where the laser is slow enough for a comparison with the same bunches, and not every one is seen before it."""
    has_ground = rates.rows is not None and rates.rows.ground is not None
    if reference != "slots" or has_ground or rates.pattern is None or not rates.pattern.laser_is_slow:
        return []
    return [
        "Not every bunch is seen before the pump, so slots are compared with clean slots, not with the same bunches:"
        " set a longer before_pump."
    ]


def of_late_shape(reference: str, comparison: Comparison) -> list[str]:
    """Whether late slots have the shape of what decays, for the references that take it for the same."""
    if reference not in ("slots", "combined") or not comparison.clean.decay_seen:
        return []
    worst = worst_late_shape(comparison.logs)
    if worst is None or worst.p_value > OTHER_SHAPE:
        return []
    return [
        f"Late slots hold a transient of another shape than what decays (slot {worst.slot}: chi-square"
        f" {worst.chi_square:.0f} for {worst.dof} degrees of freedom, p-value {worst.p_value:.1g}), and reference"
        f" '{reference}' takes it for the same: compare with 'shutter'."
    ]


def of_pairs(report: PairReport | None) -> list[str]:
    """After-effects and their correction, from the pair counters."""
    if report is None:
        return []
    largest = float(np.nanmax(np.abs(report.correlation.departure), initial=0.0))
    if report.effects is None:
        if not report.correlation.seen.any():
            return []
        return [
            f"A hit changes the next gate (correlation up to {100 * largest:.1f} %), so slots leak into the next:"
            " set after_effects to correct for it."
        ]
    notes = []
    if number := int(report.correlation.flagged.sum()):
        notes.append(
            f"After-effects above 0.1 photons a pulse at {number} points (correlation up to {100 * largest:.1f} %):"
            " valid only if photons that are not recorded do not extend the dead time; lag 2 "
            + _lag_2_result(report.lag_2_pull)
        )
    if np.isfinite(report.check) and abs(report.check) > STRANGE * report.check_stddev:
        notes.append(
            f"The two corrections of after-effects differ by {100 * report.check:+.2f} +-"
            f" {100 * report.check_stddev:.2f} %: look at the pair counters."
        )
    return notes


def _lag_2_result(pull: float) -> str:
    if not np.isfinite(pull):
        return "is not available to test this."
    if abs(pull) > STRANGE:
        return f"contradicts this ({pull:+.1f} standard deviations): do not trust a slot that follows a strong one."
    return f"agrees with this ({pull:+.1f} standard deviations)."
