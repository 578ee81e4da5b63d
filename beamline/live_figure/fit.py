"""Running fits of the live figure: lifetimes through a delay scan, linear range of a fluence scan, of slot 0 so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.documents import DELAY_AXIS
from reduction.kinetics.fit import FitError, fit_scan
from reduction.kinetics.model import components
from reduction.kinetics.projected import Trace
from reduction.scans.straight import saturation

Array = NDArray[np.float64]
BEFORE = -150.0
"""ps; points up to here are before time zero, more than three standard deviations of the response."""
ENOUGH = {"laser_delay": 8, "laser_fluence": 5}
"""Points with laser on and off from which a fit is tried."""
CURVE = 400


@dataclass(frozen=True)
class RunningFit:
    """A curve and what it says.

    Attributes
    ----------
    x, y : ndarray, shape (C,)
        On the scanned axis, and relative to the laser-off signal.
    words : str
    """

    x: Array
    y: Array
    words: str


def running_fit(axis: str, x: Array, value: Array, stddev: Array, complete: bool) -> RunningFit | None:
    """Fit what there is of slot 0; None while that is too little, or where there is no fit.

    Parameters
    ----------
    axis : str
        ``laser_delay`` or ``laser_fluence``.
    x, value, stddev : ndarray, shape (N,)
        Points and their difference on - off relative to off; NaN where there is none.
    complete : bool
        Whether the offset before time zero has been taken out already.
    """
    there = np.isfinite(value) & (stddev > 0)
    if there.sum() < ENOUGH[axis]:
        return None
    x, value, variance = x[there], value[there], stddev[there] ** 2
    try:
        return _decays(x, value, variance, complete) if axis == DELAY_AXIS else _line(x, value, variance)
    except (FitError, ValueError, np.linalg.LinAlgError):
        return None


def _decays(delay: Array, value: Array, variance: Array, complete: bool) -> RunningFit | None:
    before = delay <= BEFORE
    if before.all() or delay.max() <= 0:
        return None
    offset = 0.0 if complete or not before.any() else float(np.average(value[before], weights=1 / variance[before]))
    fit = fit_scan(Trace(delay, value - offset, variance), levels=())
    curve = _places(delay)
    return RunningFit(curve, fit.curve(curve) + offset, _in_words(fit.lifetimes, fit.lifetimes_stddev))


def stored_fit(delay: Array, data: Mapping[str, Any]) -> RunningFit | None:
    """The fit that the reduction has made of complete passes (stream `kinetics`); None if there is none."""
    if not data.get("fitted"):
        return None
    x = _places(delay)
    columns = components(x - float(data["time_zero"]), data["lifetimes"], float(data["sigma"]))
    y = np.asarray(columns @ np.asarray(data["amplitudes"])[0])
    return RunningFit(x, y, _in_words(data["lifetimes"], data["lifetimes_stddev"]))


def _places(delay: Array) -> Array:
    """Where to draw a curve: dense around time zero."""
    first, last = np.arcsinh(delay[[0, -1]] / 100.0)
    return np.asarray(np.sinh(np.linspace(float(first), float(last), CURVE)) * 100.0)


def _in_words(lifetimes: Array, stddev: Array) -> str:
    decays = ", ".join(
        f"{lifetime:.0f} +- {error:.0f} ps"
        for lifetime, error in zip(lifetimes, stddev, strict=True)
        if np.isfinite(lifetime)
    )
    return f"lifetimes {decays}, and an offset"


def _line(fluence: Array, value: Array, variance: Array) -> RunningFit:
    found = saturation(fluence, value, variance)
    line = found.linear
    x = np.array([0.0, min(found.saturates_at, float(fluence.max()))])
    error = 100 * np.sqrt(line.covariance[1, 1])
    words = f"{100 * line.slope:.4f} +- {error:.4f} % per mJ/cm2, linear to {found.linear_up_to:g} mJ/cm2"
    return RunningFit(x, line.intercept + line.slope * x, words)
