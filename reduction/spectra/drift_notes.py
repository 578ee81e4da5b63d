"""Sentences about the drift of the sample within a pass: what was taken out, and what could not be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.rows import DwellRows
from reduction.drift.correct import WithoutDrift
from reduction.drift.within_points import steady_drift
from reduction.references.compared import Compared
from reduction.settings import Settings
from reduction.spectra.normalise import normalise

Array = NDArray[np.float64]

REMEDY = "return to monitor energies (monitor_energies), or repeat passes in alternating order"
OF_SWEEPS = (
    "take each laser state twice in a pass, pattern=(1, 0, 0, 1), or a step scan that returns to monitor energies"
)
"""Remedy where neither of these is possible."""
SEEN = 3.0
"""Standard deviations from which a drift that was taken out is reported."""


def of_drift(
    energy: Array, rows: DwellRows, compared: Compared, corrected: WithoutDrift | None, settings: Settings
) -> list[str]:
    """Whether the errors of an energy scan include the drift within its passes, and how large it may be if not.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
    rows : DwellRows
        The dwells of these points.
    compared : Compared
    corrected : WithoutDrift, optional
        None if the drift could not be determined.
    settings : Settings
    """
    if rows.time is None or not np.isfinite(rows.time[rows.state >= 0]).any():
        return []
    if corrected is not None and corrected.slope_separated:
        rms, stddev = corrected.rms
        how = "monitor energies" if corrected.by_monitors else "repeated passes"
        seen = f"The sample drifts by {100 * rms:.2f} % (rms within a pass): taken out by {how}."
        return [seen] if rms > SEEN * stddev else []
    which = (
        "Drift of the sample within the pass is not in the errors"
        if np.unique(rows.pass_index).size == 1
        else "All passes go in one direction: a drift that repeats in each of them is not in the errors"
    )
    steady, remedy = steady_drift(rows), REMEDY if rows.neighbours is None else OF_SWEEPS
    if steady is None:
        return [f"{which}, and single dwells do not show how large it is: {remedy}."]
    static, transient, stddev = _effect(energy, compared, steady.limit, settings)
    if corrected is not None and static < stddev:
        return []
    pumped = np.isfinite(compared.rate[ON]).any()
    scales = f" and scales the transient by up to {100 * transient:.2g} %" if pumped else ""
    return [
        f"{which}. From the dwells within points the thickness changes by {100 * steady.change:+.2f} +-"
        f" {100 * steady.stddev:.2f} % over a pass; at two standard deviations a steady drift moves the static spectrum"
        f" by up to {static:.2g}{scales}: {remedy}."
    ]


def _effect(energy: Array, compared: Compared, change: float, settings: Settings) -> tuple[float, float, float]:
    """Largest change of the static spectrum, and of the transient's scale, by a steady drift over the grid.

    The third number is the standard deviation of the static spectrum where it changes most.
    """
    rate = compared.rate[OFF].mean(axis=0)
    position = np.linspace(-0.5, 0.5, energy.size)  # of visits in the order of the energy
    shared = compared.shared[OFF].mean(axis=0)
    covariance = np.diag(compared.local[OFF, :, OFF].mean(axis=(0, 1))) + shared @ shared.T
    whole = normalise(rate, covariance, energy, settings)
    bent = normalise(rate * np.exp(change * position), covariance, energy, settings)
    moved = np.abs(bent.value - whole.value)
    worst = int(np.argmax(moved))
    scale = np.abs(np.exp(change * position) * whole.integral / bent.integral - 1)
    return float(moved[worst]), float(scale.max()), float(np.sqrt(whole.covariance[worst, worst]))
