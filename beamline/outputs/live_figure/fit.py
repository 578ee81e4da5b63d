"""Running fits of the live figure: lifetimes of a delay scan, initial slope of a fluence scan, of slot 0 so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.documents.raw import DELAY_AXIS
from reduction.traces.kinetics.fit import FitError
from reduction.traces.kinetics.model import components
from reduction.traces.kinetics.scan_fit import fit_scan
from reduction.traces.kinetics.variable_projection import Trace
from reduction.traces.linear_range import saturation

Array = NDArray[np.float64]
BEFORE = -150.0
"""ps; points up to here are more than three standard deviations of the response before time zero."""
ENOUGH = {"laser_delay": 8, "laser_fluence": 5}
"""Least number of points with laser on and off for a fit."""
CURVE = 400


@dataclass(frozen=True)
class RunningFit:
    """A fitted curve and its description.

    Attributes
    ----------
    x, y : ndarray, shape (C,)
        Scanned axis, and difference relative to the laser-off signal.
    text : str
    stddev : ndarray, shape (C,), optional
        Of `y`; errors of lifetimes are in the text.
    """

    x: Array
    y: Array
    text: str
    stddev: Array | None = None


def running_fit(
    axis: str, x: Array, value: Array, stddev: Array, complete: bool, covariance: Array | None = None
) -> RunningFit | None:
    """Fit slot 0 as far as measured; None with too few points, or if the fit fails.

    Parameters
    ----------
    axis : str
        ``laser_delay`` or ``laser_fluence``.
    x, value, stddev : ndarray, shape (N,)
        Points and their difference on - off relative to off; NaN if not measured.
    complete : bool
        Whether the offset before time zero is subtracted already.
    covariance : ndarray, shape (N, N), optional
        Of `value`, where it is known.
    """
    there = np.isfinite(value) & (stddev > 0)
    if there.sum() < ENOUGH[axis]:
        return None
    x, value, variance = x[there], value[there], stddev[there] ** 2
    try:
        if axis == DELAY_AXIS:
            return _decays(x, value, variance, complete)
        return _line(x, value, variance if covariance is None else covariance[np.ix_(there, there)])
    except (FitError, ValueError, np.linalg.LinAlgError):
        return None


def _decays(delay: Array, value: Array, variance: Array, complete: bool) -> RunningFit | None:
    before = delay <= BEFORE
    if before.all() or delay.max() <= 0:
        return None
    offset = 0.0 if complete or not before.any() else float(np.average(value[before], weights=1 / variance[before]))
    fit = fit_scan(Trace(delay, value - offset, variance), levels=())
    curve = _curve_axis(delay)
    return RunningFit(curve, fit.curve(curve) + offset, _format_fit(fit.__dict__))


def stored_fit(delay: Array, data: Mapping[str, Any]) -> RunningFit | None:
    """The fit of complete passes by the reduction (stream `kinetics`); None without."""
    if not data.get("fitted"):
        return None
    x = _curve_axis(delay)
    columns = components(x - float(data["time_zero"]), data["lifetimes"], float(data["sigma"]))
    y = np.asarray(columns @ np.asarray(data["amplitudes"])[0])
    return RunningFit(x, y, _format_fit(data))


def _curve_axis(delay: Array) -> Array:
    """Sampling of a curve, dense around time zero."""
    first, last = np.arcsinh(delay[[0, -1]] / 100.0)
    return np.asarray(np.sinh(np.linspace(float(first), float(last), CURVE)) * 100.0)


def _format_fit(fit: Mapping[str, Any]) -> str:
    decays = ", ".join(
        format_lifetime(float(lifetime), float(error))
        for lifetime, error in zip(fit["lifetimes"], fit["lifetimes_stddev"], strict=True)
        if np.isfinite(lifetime)
    )
    shift, error = float(fit["time_zero"]), float(fit["time_zero_stddev"])
    zero = f", time zero {shift:+.0f} +- {error:.0f} ps" if error > 0 else ""
    flat = "" if np.isfinite(fit["lifetimes"]).all() else ", and an offset"
    return f"lifetimes {decays}{flat}{zero}; chi-square {float(fit['chi_square']):.0f} of {int(fit['freedom'])}"


def format_lifetime(lifetime: float, stddev: float) -> str:
    """Format a lifetime with its error, in ps or, from 10 ns on, in ns."""
    if lifetime < 1e4:
        return f"{lifetime:.0f} +- {stddev:.0f} ps"
    return f"{lifetime / 1e3:.3g} +- {stddev / 1e3:.2g} ns"


def _line(fluence: Array, value: Array, covariance: Array) -> RunningFit:
    found = saturation(fluence, value, covariance)
    x = np.linspace(0.0, min(found.saturates_at, float(fluence.max())), 50)
    line = found.initial
    low, high = line.slope_interval()
    text = (
        f"initial slope {100 * line.slope:.4f} ({100 * low:.4f} to {100 * high:.4f}) % per mJ/cm2, linear to"
        f" {found.linear_up_to:g} mJ/cm2"
    )
    return RunningFit(x, line.value(x), text, line.stddev(x))
