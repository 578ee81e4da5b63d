"""From rates to spectra: flat pre-edge offset, own edge integral, transient = on - off (SI 4, counting).

The chain is applied to laser on and laser off separately. Normalised spectra are ``(R - offset) / integral``
with ``offset`` the mean of R over the pre-edge window and ``integral`` the trapezoid integral of ``R - offset``
over the edge window, divided by the width of that window, so that a normalised spectrum is about 1 above
the edge. Both are computed from the data themselves, so their errors are carried: the Jacobian of the chain is
applied to the covariance of the rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.accumulate import PointRates
from reduction.kernels import OFF, ON
from reduction.phases import Pattern
from reduction.settings import Settings

Array = NDArray[np.float64]


class SpectrumError(ValueError):
    """A spectrum cannot be computed from what is there; the message says what is missing."""


@dataclass(frozen=True)
class Normalised:
    """One normalised spectrum: values (E,), covariance (E, E), offset and edge integral that were taken out."""

    value: Array
    covariance: Array
    offset: float
    integral: float
    jacobian: Array


@dataclass(frozen=True)
class Spectrum:
    """Reduced spectra of one grid; axes S slots, E energies. Errors are one standard deviation.

    Attributes
    ----------
    energy : ndarray, shape (E,), keV
    used : ndarray of bool, shape (E,)
        Points with laser-on and laser-off dwells; all else is NaN elsewhere.
    static, static_stddev : ndarray, shape (E,)
        Laser off, mean of the slots.
    on, off, on_stddev, off_stddev : ndarray, shape (S, E)
    transient, transient_stddev : ndarray, shape (S, E)
        On minus off of the same slot.
    transient_covariance : ndarray, shape (S, E, E)
    offset, integral : ndarray, shape (2, S)
        Taken out of laser off (0) and laser on (1); photons per I0 count.
    rate, rate_covariance : ndarray, shapes (2, S, E) and (2, S, S, E)
    dwells : ndarray of int, shape (2, E)
    bunches_out : ndarray of int, shape (B,)
        1 for a bunch that was left out because it saturated, else 0.
    """

    energy: Array
    used: NDArray[np.bool_]
    static: Array
    static_stddev: Array
    on: Array
    on_stddev: Array
    off: Array
    off_stddev: Array
    transient: Array
    transient_stddev: Array
    transient_covariance: Array
    offset: Array
    integral: Array
    rate: Array
    rate_covariance: Array
    dwells: NDArray[np.int64]
    bunches_out: NDArray[np.int64]


def window_mean_weights(energy: Array, window: tuple[float, float]) -> Array:
    """Weights, shape (E,), of the plain mean over the points inside a window (keV, ends included).

    Raises
    ------
    SpectrumError
        If no point lies inside.
    """
    inside = _inside(energy, window)
    if not inside.any():
        raise SpectrumError(
            f"no point in the pre-edge window {window[0]:.4f}-{window[1]:.4f} keV: take points there or move the window"
        )
    return inside / inside.sum()


def window_integral_weights(energy: Array, window: tuple[float, float]) -> Array:
    """Weights, shape (E,), of the trapezoid integral over the points of a window, divided by its width.

    Raises
    ------
    SpectrumError
        If fewer than two points lie inside.
    """
    index = np.flatnonzero(_inside(energy, window))
    if index.size < 2:
        raise SpectrumError(
            f"fewer than two points in the edge-integral window {window[0]:.4f}-{window[1]:.4f} keV:"
            " take points there or move the window"
        )
    steps = np.diff(energy[index])
    weights = np.zeros(energy.size)
    weights[index[:-1]] += steps / 2
    weights[index[1:]] += steps / 2
    return weights / (energy[index[-1]] - energy[index[0]])


def _inside(energy: Array, window: tuple[float, float]) -> NDArray[np.bool_]:
    slack = 1e-9  # keV; a grid point computed as start + i * step may miss the window's end by rounding
    return (energy >= window[0] - slack) & (energy <= window[1] + slack)


def normalise(rate: Array, covariance: Array, energy: Array, settings: Settings) -> Normalised:
    """Take the pre-edge offset and the edge integral out of one spectrum, with their errors.

    Parameters
    ----------
    rate : ndarray, shape (E,)
        Finite rates on an ascending grid.
    covariance : ndarray, shape (E, E) or (E,)
        Covariance of the rates, or its diagonal where points are independent.
    energy : ndarray, shape (E,), keV
    settings : Settings

    Raises
    ------
    SpectrumError
        If a window is empty or the edge integral is not above zero.
    """
    pre = window_mean_weights(energy, settings.pre_edge)
    edge = window_integral_weights(energy, settings.integral)
    offset = float(pre @ rate)
    above = rate - offset
    integral = float(edge @ above)
    if not integral > 0:
        raise SpectrumError(
            f"the edge integral over {settings.integral[0]:.4f}-{settings.integral[1]:.4f} keV is {integral:.3g},"
            " not above zero: is this the right edge, and is there beam on the sample?"
        )
    value = above / integral
    # d value_i / d rate_j = (delta_ij - pre_j - value_i * (edge_j - sum(edge) * pre_j)) / integral
    jacobian = np.eye(energy.size) - pre[None, :] - np.outer(value, edge - edge.sum() * pre)
    jacobian /= integral
    full = (jacobian * covariance) @ jacobian.T if covariance.ndim == 1 else jacobian @ covariance @ jacobian.T
    return Normalised(value, full, offset, integral, jacobian)


def require_reference(settings: Settings, pattern: Pattern) -> None:
    """Refuse a reference that the fill pattern does not allow.

    Raises
    ------
    SpectrumError
        If slots would be compared with each other although each sees other bunches.
    """
    if settings.reference == "slots" and not pattern.slots_share_bunches:
        raise SpectrumError(
            f"reference 'slots' is not possible with {pattern.num_bunches} bunches and laser divider"
            f" {pattern.divider}: each slot sees only some bunches; use reference 'paper' (laser shutter)"
        )


def reduce_spectrum(energy: Array, rates: PointRates, settings: Settings) -> Spectrum:
    """Normalised static and transient spectra of every slot with their errors.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
        The grid, ascending.
    rates : PointRates
    settings : Settings

    Raises
    ------
    SpectrumError
        If windows are empty or the edge integral is not above zero.
    """
    used = np.asarray((rates.dwells > 0).all(axis=0) & np.isfinite(rates.rate).all(axis=(0, 1)))
    if not used.any():
        raise SpectrumError("no point has both a laser-on and a laser-off dwell that counts")
    e = energy[used]
    slots, size = rates.rate.shape[1], energy.size

    def empty(*shape: int) -> Array:
        return np.full(shape, np.nan)

    spectra = {OFF: empty(slots, size), ON: empty(slots, size)}
    errors = {OFF: empty(slots, size), ON: empty(slots, size)}
    offset, integral = empty(2, slots), empty(2, slots)
    transient_covariance = empty(slots, size, size)
    for slot in range(slots):
        total = np.zeros((e.size, e.size))
        for laser in (OFF, ON):
            result = normalise(rates.rate[laser, slot, used], rates.covariance[laser, slot, slot, used], e, settings)
            spectra[laser][slot, used] = result.value
            errors[laser][slot, used] = np.sqrt(np.diag(result.covariance))
            offset[laser, slot], integral[laser, slot] = result.offset, result.integral
            total += result.covariance
        transient_covariance[slot][np.ix_(used, used)] = total
    mean_rate = rates.rate[OFF][:, used].mean(axis=0)
    mean_variance = rates.covariance[OFF][:, :, used].mean(axis=(0, 1))
    mean = normalise(mean_rate, mean_variance, e, settings)
    static, static_stddev = empty(size), empty(size)
    static[used], static_stddev[used] = mean.value, np.sqrt(np.diag(mean.covariance))
    return Spectrum(
        energy=energy,
        used=used,
        static=static,
        static_stddev=static_stddev,
        on=spectra[ON],
        on_stddev=errors[ON],
        off=spectra[OFF],
        off_stddev=errors[OFF],
        transient=spectra[ON] - spectra[OFF],
        transient_stddev=np.sqrt(np.diagonal(transient_covariance, axis1=1, axis2=2)),
        transient_covariance=transient_covariance,
        offset=offset,
        integral=integral,
        rate=rates.rate,
        rate_covariance=rates.covariance,
        dwells=rates.dwells,
        bunches_out=rates.bunches_out,
    )


def projection(transient: Array, covariance: Array, shape: Array) -> tuple[float, float]:
    """Amplitude of a reference shape in a transient by generalised least squares, and its standard deviation.

    Parameters
    ----------
    transient, shape : ndarray, shape (E,)
        Leave out at least one point of each normalisation window: over all of them the covariance is singular.
    covariance : ndarray, shape (E, E)
    """
    weighted = np.linalg.solve(covariance, shape)
    information = float(shape @ weighted)
    return float(weighted @ transient) / information, information**-0.5
