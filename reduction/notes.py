"""What a user has to know of a result, in sentences."""

from __future__ import annotations

import numpy as np

from reduction.corrected import PairReport
from reduction.efficiency import SlotEfficiency
from reduction.references import Comparison

STRANGE = 5.0
"""Standard deviations from which on a check speaks against the correction of after-effects."""


def of_efficiency(efficiency: SlotEfficiency) -> list[str]:
    """What speaks against comparing slots with each other."""
    return [f"{text}." for text in efficiency.warnings]


def of_clean_slots(reference: str, comparison: Comparison) -> list[str]:
    """Whether there is a slot to compare with, for the references that need one."""
    clean, last = comparison.clean, comparison.logs.last
    if reference not in ("slots", "combined") or clean.clean.any():
        return []
    if not clean.decay_seen:
        instead = f"slots are compared with slot {last}" if reference == "slots" else "laser off alone is the reference"
        return [f"No decay is seen between first and last slot, so no slot is known to be clean: {instead}."]
    return [
        f"No slot is clean: slot {last} still holds {clean.residual[last]:.3f} +-"
        f" {np.sqrt(clean.covariance[last, last]):.3f} of the difference between first and last slot."
    ]


def of_pairs(report: PairReport | None) -> list[str]:
    """What the pair counters say of after-effects and their correction."""
    if report is None:
        return []
    largest = float(np.nanmax(np.abs(report.correlation.departure), initial=0.0))
    if report.effects is None:
        if not report.correlation.seen.any():
            return []
        return [
            f"A hit changes the next gate (correlation up to {100 * largest:.1f} %), so slots leak into the next:"
            " set after_effects to take that out."
        ]
    notes = []
    if number := int(report.correlation.flagged.sum()):
        notes.append(
            f"After-effects above 0.1 photons a pulse at {number} points (correlation up to {100 * largest:.1f} %):"
            " right only if photons that are not recorded do not extend the dead time; lag 2 "
            + _verdict(report.lag_2_pull)
        )
    if np.isfinite(report.check) and abs(report.check) > STRANGE * report.check_stddev:
        notes.append(
            f"The two ways to take after-effects out differ by {100 * report.check:+.2f} +-"
            f" {100 * report.check_stddev:.2f} %: look at the pair counters."
        )
    return notes


def _verdict(pull: float) -> str:
    if not np.isfinite(pull):
        return "is not there to tell."
    if abs(pull) > STRANGE:
        return f"says that they do ({pull:+.1f} standard deviations): do not trust a slot that follows a strong one."
    return f"agrees with that ({pull:+.1f} standard deviations)."
