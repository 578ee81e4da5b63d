"""One spectrum: flat pre-edge offset and own edge integral, with the errors of both (SI 4).

A normalised spectrum is ``(R - offset) / integral`` with ``offset`` the mean of R over the pre-edge window and
``integral`` the trapezoid integral of ``R - offset`` over the edge window, divided by the width of that window, so
that the result is about 1 above the edge. Both are computed from the data, so their errors are propagated: the Jacobian
of the chain is applied to the covariance of the rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Normalised:
    """One normalised spectrum: values (E,), covariance (E, E), and the offset and edge integral of the rates."""

    value: Array
    covariance: Array
    offset: float
    integral: float
    jacobian: Array


def window_mean_weights(energy: Array, window: tuple[float, float]) -> Array:
    """Weights, shape (E,), of the plain mean over the points inside a window (keV, ends included).

    Raises
    ------
    ReductionError
        If no point lies inside.
    """
    inside = _inside(energy, window)
    if not inside.any():
        raise ReductionError(
            f"no point in the pre-edge window {window[0]:.4f}-{window[1]:.4f} keV: take points there or move the window"
        )
    return inside / inside.sum()


def window_integral_weights(energy: Array, window: tuple[float, float]) -> Array:
    """Weights, shape (E,), of the trapezoid integral over the points of a window, divided by its width.

    Raises
    ------
    ReductionError
        If fewer than two points lie inside.
    """
    index = np.flatnonzero(_inside(energy, window))
    if index.size < 2:
        raise ReductionError(
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
    """Subtract the pre-edge offset of one spectrum and divide by its edge integral, with their errors.

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
    ReductionError
        If a window is empty or the edge integral is not above zero.
    """
    pre = window_mean_weights(energy, settings.pre_edge)
    edge = window_integral_weights(energy, settings.integral)
    value, offset, integral = normalise_values(rate, pre, edge, settings)
    jacobian = weights_of_rates(np.eye(energy.size), value, pre, edge) / integral
    full = (jacobian * covariance) @ jacobian.T if covariance.ndim == 1 else jacobian @ covariance @ jacobian.T
    return Normalised(value, full, offset, integral, jacobian)


@dataclass(frozen=True)
class NormalisedSlots:
    """Spectra of P slots or laser states: values (P, E), their covariance, offsets and edge integrals (P,)."""

    value: Array
    covariance: Factored
    offset: Array
    integral: Array


def normalise_slots(rate: Array, covariance: Factored, energy: Array, settings: Settings) -> NormalisedSlots:
    """As `normalise`, of several spectra with the covariance between them.

    The Jacobian of a spectrum is ``(1 - U W^T) / integral`` with the columns ``U = (1, value)`` and the rows W of
    pre-edge mean and change of the edge integral, so that it maps factors to factors, and a local part L to

        L - U (W^T L) - (L W) U^T + U (W^T L W) U^T,

    which is L and products of U with ``X = L W - U (W^T L W) / 2``.

    Parameters
    ----------
    rate : ndarray, shape (P, E)
    covariance : Factored
        Of the rates.
    energy : ndarray, shape (E,), keV
    settings : Settings

    Raises
    ------
    ReductionError
        As `normalise`.
    """
    pre = window_mean_weights(energy, settings.pre_edge)
    edge = window_integral_weights(energy, settings.integral)
    found = [normalise_values(each, pre, edge, settings) for each in rate]
    value, offset, integral = (np.array(each) for each in zip(*found, strict=True))
    columns = np.stack([np.ones_like(value), value], axis=-1)  # U, (P, E, 2)
    rows = np.stack([pre, edge - edge.sum() * pre])  # W, (2, E)
    own = covariance.factors - np.einsum("pei,rpi->rpe", columns, covariance.factors @ rows.T)
    local = covariance.local / integral[:, None, None] / integral[:, None]
    of_rows = np.einsum("pqe,ie->pqie", local, rows)
    within = np.einsum("pqie,je->pqij", of_rows, rows)
    left = np.zeros((len(rate), 2, *rate.shape))  # G of each slot and column, nothing in other slots
    slots = np.arange(len(rate))
    left[slots, :, slots] = np.moveaxis(columns, 2, 1)
    right = of_rows.transpose(1, 2, 0, 3) - np.einsum("pei,pqij->qjpe", columns, within) / 2
    mapped = Factored(local, own / integral[:, None], covariance.signs)
    curves = (-1, *rate.shape)
    return NormalisedSlots(value, mapped.with_products(left.reshape(curves), right.reshape(curves)), offset, integral)


def weights_of_rates(weights: Array, value: Array, pre: Array, edge: Array) -> Array:
    """Weights, shape (..., E), of the rates in sums of normalised values with `weights`, times the edge integral.

    ``d value_i / d rate_j = (delta_ij - pre_j - value_i * (edge_j - sum(edge) * pre_j)) / integral``: of unit weights
    these are the rows of the Jacobian.
    """
    change = edge - edge.sum() * pre
    return weights - weights.sum(axis=-1)[..., None] * pre - (weights @ value)[..., None] * change


def normalise_values(rate: Array, pre: Array, edge: Array, settings: Settings) -> tuple[Array, float, float]:
    """Normalised rates, their offset and their edge integral.

    Raises
    ------
    ReductionError
        If the edge integral is not above zero.
    """
    offset = float(pre @ rate)
    above = rate - offset
    integral = float(edge @ above)
    if not integral > 0:
        raise ReductionError(
            f"the edge integral over {settings.integral[0]:.4f}-{settings.integral[1]:.4f} keV is {integral:.3g},"
            " not above zero: is this the right edge, and is there beam on the sample?"
        )
    return above / integral, offset, integral


def normalised_alone(
    rate: Array, variance: Array, energy: Array, settings: Settings, line: bool = False
) -> tuple[Array, Array]:
    """As `normalise`, of independent points, the value and its standard deviation alone.

    With r the rates, B the rows (pre-edge mean, slope of the line, edge integral) and a_i = (1, E_i - E_pre, value_i),
    ``d value_i / d r_j = (delta_ij - a_i . B_j) / integral``: the variance needs the products of the rows only, not the
    covariance, which for a thousand points takes seconds and a hundred megabytes.

    Parameters
    ----------
    rate, variance : ndarray, shape (E,)
    energy : ndarray, shape (E,), keV
    settings : Settings
    line : bool
        Subtract a straight line through the pre-edge window instead of its mean; flat for fewer than three points
        there.

    Raises
    ------
    ReductionError
        As `normalise`.
    """
    value, rows, factors, integral = _chain(rate, energy, settings, line)
    own = variance * (1 - 2 * (factors * rows).sum(axis=0))
    common = np.einsum("ai,ab,bi->i", factors, (rows * variance) @ rows.T, factors)
    return value, np.sqrt(own + common) / integral


def normalise_above_line(rate: Array, covariance: Array, energy: Array, settings: Settings) -> tuple[Array, Array]:
    """As `normalised_alone` with a line, the value and its covariance, shape (E, E).

    Raises
    ------
    ReductionError
        As `normalise`.
    """
    value, rows, factors, integral = _chain(rate, energy, settings, True)
    jacobian = (np.eye(value.size) - factors.T @ rows) / integral
    return value, jacobian @ covariance @ jacobian.T


def _chain(rate: Array, energy: Array, settings: Settings, line: bool) -> tuple[Array, Array, Array, float]:
    """Normalised value, the rows B and factors a (3, E) of its derivative, and the edge integral."""
    pre, edge = (window_mean_weights(energy, settings.pre_edge), window_integral_weights(energy, settings.integral))
    away = energy - float(pre @ energy)
    squares = float(pre @ away**2)
    straight = line and np.count_nonzero(pre) > 2
    slope = pre * away / squares if straight else np.zeros_like(pre)
    value, _, integral = normalise_values(rate - away * float(slope @ rate), pre, edge, settings)
    change = edge - edge.sum() * pre
    rows = np.stack([pre, slope, change - float(change @ away) * slope])
    return value, rows, np.stack([np.ones_like(value), away, value]), integral


def projection(transient: Array, covariance: Array, shape: Array) -> tuple[float, float]:
    """Amplitude of a reference shape in a transient by least squares, and its standard deviation.

    Points are weighted by their own variances, and the error includes the whole covariance. Weights from the
    whole covariance would gain a tenth, but fail if it contains a measured shape (the residual of reference slots):
    its noise is then taken for signal, and the amplitude is too small (Peelle's puzzle).

    Parameters
    ----------
    transient, shape : ndarray, shape (E,)
        Points without an error have no weight.
    covariance : ndarray, shape (E, E)
    """
    variance = np.diagonal(covariance)
    weighted = np.divide(shape, variance, out=np.zeros_like(shape), where=variance > 0)
    information = float(shape @ weighted)
    return float(weighted @ transient) / information, float(np.sqrt(weighted @ covariance @ weighted)) / information
