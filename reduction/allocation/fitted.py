"""Quantities that come from fits to delay and fluence scans: weights of the points by generalised least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.names import NamedQuantity, TargetError
from reduction.allocation.predicted import PredictedGrid
from reduction.allocation.quantities import WHERE, Builder, Grids, Linearised, TargetQuantity, grid_of, one_slot
from reduction.traces.kinetics.model import components

Array = NDArray[np.float64]

STEP = 1e-4
"""Of numerical derivatives, relative to the scale of a parameter."""
SHARPNESS = 1.0
"""Standard deviation of the logarithm of the sharpness of a bend, which few fluences determine."""


@dataclass(frozen=True)
class FittedCurve:
    """A model of a trace about its expected parameters.

    Attributes
    ----------
    names : tuple of str
    value, scale, stddev : ndarray, shape (P,)
        Expected; for numerical derivatives; known beforehand, infinity for nothing.
    curve : callable
        Of parameters, shape (N,).
    """

    names: tuple[str, ...]
    value: Array
    scale: Array
    stddev: Array
    curve: Callable[[Array], Array]

    def jacobian(self) -> Array:
        """Derivatives of the curve, shape (N, P)."""
        steps = np.diag(STEP * self.scale)
        change = [self.curve(self.value + step) - self.curve(self.value - step) for step in steps]
        return np.stack(change, axis=1) / (2 * STEP * self.scale)


def kinetics(grid: PredictedGrid) -> FittedCurve:
    """Lifetimes, time zero, response and amplitudes of a delay scan.

    Raises
    ------
    TargetError
        If no lifetimes are expected.
    """
    lifetimes = np.asarray(grid.grid.model.get("lifetimes", ()), dtype=np.float64)
    if not lifetimes.size:
        raise TargetError("a delay scan without expected lifetimes (ps) has no kinetics")
    sigma, known = grid.grid.settings.response, grid.grid.settings.response_stddev
    delay, count = grid.grid.position, int(np.isfinite(lifetimes).sum())
    offsets = lifetimes[np.isinf(lifetimes)]

    def columns(value: Array) -> Array:
        return components(delay - value[count], np.append(np.exp(value[:count]), offsets), float(value[count + 1]))

    given = np.concatenate([np.log(lifetimes[:count]), [0.0, sigma]])
    amplitudes = np.linalg.lstsq(columns(given), grid.transient[0], rcond=None)[0]
    names = (*(f"lifetime {number + 1}" for number in range(count)), "t0", "response")
    scale = np.concatenate([np.ones(count), [sigma, sigma], np.abs(amplitudes) + 1e-12])
    stddev = np.full(scale.size, np.inf)
    stddev[count + 1] = np.inf if known is None else known
    names += tuple(f"amplitude {number + 1}" for number in range(amplitudes.size))

    def curve(value: Array) -> Array:
        return columns(value) @ value[count + 2 :]

    return FittedCurve(names, np.concatenate([given, amplitudes]), scale, stddev, curve)


def bend(grid: PredictedGrid) -> FittedCurve:
    """Line from the origin of a fluence scan that bends over to a plateau, see `reduction.traces.linear_range`.

    Raises
    ------
    TargetError
        If no saturation is expected.
    """
    knee, fluence = grid.grid.model.get("saturation"), grid.grid.position
    if not knee:
        raise TargetError("a fluence scan without expected saturation (mJ/cm2) has no bend")
    sharpness = float(grid.grid.model.get("sharpness", 4.0))

    def rise(value: Array) -> Array:
        power = np.exp(value[1])
        return np.asarray(fluence / (1 + (fluence / np.exp(value[0])) ** power) ** (1 / power))

    def curve(value: Array) -> Array:
        return value[2] + value[3] * rise(value)

    given = np.log([float(knee), sharpness])
    design = np.stack([np.ones_like(fluence), rise(given)], axis=1)
    line = np.linalg.lstsq(design, grid.transient[0], rcond=None)[0]
    scale = np.array([1.0, 1.0, abs(line[1]), abs(line[1])]) + 1e-12
    names = ("saturation", "sharpness", "intercept", "slope")
    return FittedCurve(names, np.append(given, line), scale, np.array([np.inf, SHARPNESS, np.inf, np.inf]), curve)


def weights_of_fit(fit: FittedCurve, covariance: Array, which: int, chosen: NDArray[np.int64]) -> Array:
    """Weights of the points in one fitted parameter, shape (N,).

    Parameters
    ----------
    covariance : ndarray, shape (N, N)
    which : int
        Of the parameter.
    chosen : ndarray of int
        Points that are fitted.
    """
    jacobian = fit.jacobian()[chosen]
    inverse = np.linalg.pinv(covariance[np.ix_(chosen, chosen)], rcond=1e-12, hermitian=True)
    weighted = jacobian.T @ inverse
    information = (weighted @ jacobian) * np.outer(fit.scale, fit.scale) + np.diag((fit.scale / fit.stddev) ** 2)
    solution = np.linalg.solve(information, weighted * fit.scale[:, None]) * fit.scale[:, None]
    result = np.zeros(len(covariance))
    result[chosen] = solution[which]
    return result


def _fitted(
    call: NamedQuantity, grids: Grids, axis: str, model: Callable[[PredictedGrid], FittedCurve], name: str, unit: str,
    logarithmic: bool,
) -> list[TargetQuantity]:  # fmt: skip
    number = grid_of(call, grids, axis)
    if name not in (known := model(grids[number]).names):
        raise TargetError(f"{call.text}: the model has {', '.join(known)}, and no {name}")

    def linearised(grids: Grids) -> Linearised:
        grid, fit = grids[number], model(grids[number])
        which = fit.names.index(name)
        value = float(np.exp(fit.value[which]) if logarithmic else fit.value[which])
        weights = weights_of_fit(fit, grid.covariance(0), which, _fitted_points(grid))
        return Linearised(value, {number: one_slot(grid, 0, weights * (value if logarithmic else 1.0))})

    return [TargetQuantity(call.text, unit, linearised)]


def _fitted_points(grid: PredictedGrid) -> NDArray[np.int64]:
    """All but the first before time zero, since the mean of those is 0."""
    return np.arange(1 if grid.grid.axis == "laser_delay" else 0, grid.grid.points)


def lifetime(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``lifetime(2)``: the second shortest of a delay scan, ps."""
    number = call.only(1, WHERE).arguments[0]
    return _fitted(call, grids, "laser_delay", kinetics, f"lifetime {number}".removesuffix(".0"), "ps", True)


def time_zero(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``t0``: time zero of a delay scan, ps."""
    return _fitted(call.only(0, WHERE), grids, "laser_delay", kinetics, "t0", "ps", False)


def saturation(call: NamedQuantity, grids: Grids) -> list[TargetQuantity]:
    """``saturation``: fluence where the line of a fluence scan meets its plateau, mJ/cm2."""
    return _fitted(call.only(0, WHERE), grids, "laser_fluence", bend, "saturation", "mJ/cm2", True)


FITTED: Mapping[str, Builder] = {"lifetime": lifetime, "t0": time_zero, "saturation": saturation}
