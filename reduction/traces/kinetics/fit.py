"""Global fit of delay traces: shared lifetimes, own amplitudes, an offset or a long component; intervals by profile.

Amplitudes enter linearly. For given lifetimes they are the solution of a linear least-squares problem, so that only the
logarithms of the lifetimes (and, if wanted, time zero and the width of the response) are searched for (variable
projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 413, 1973). The search is lmfit's; its start comes from a coarse
grid of lifetimes. All traces are fitted with their full covariance, also between traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.statistics.quantiles import chi_square_of_level, chi_square_p_value, levels_checked, runs_p_value
from reduction.traces.kinetics.model import RESPONSE, components
from reduction.traces.kinetics.response import GAUSSIAN
from reduction.traces.kinetics.variable_projection import FitError, Trace, VariableProjection

if TYPE_CHECKING:
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

__all__ = ["FitError", "KineticFit", "Trace", "fit_traces"]

Array = NDArray[np.float64]

TAILS = ("offset", "long", "none")
GRID = {1: 24, 2: 12, 3: 9}
"""Lifetimes of the coarse grid, by the number of lifetimes fitted; such traces do not resolve more than three."""
ZEROS = np.linspace(-4.0, 4.0, 9)
"""Trial values of time zero, in widths of the response: a wrong start ends in a local minimum."""
STARTS = 3
"""Number of the best trial values from which the search starts."""
UNLIKELY = 1e-3
"""p-value below which a fit is doubtful."""
NOISE_FREE = 0.1
"""chi-square per degree of freedom below which residuals are not noise, and their order is no evidence."""
OPEN = 8
"""Steps outwards, each 1.5 times the one before, after which an interval counts as open on that side."""


@dataclass(frozen=True)
class KineticFit:
    """Result of a global fit; axes K traces, L components (lifetimes in ascending order, then the offset).

    Attributes
    ----------
    lifetimes, lifetimes_stddev : ndarray, shape (L,), ps
        An offset has the lifetime infinity and the error 0. The error is that of the parabola at the minimum.
    levels : tuple of float
        Confidence levels of the intervals.
    intervals : ndarray, shape (levels, L, 2), ps
        Profile-likelihood intervals of the lifetimes; an open side is NaN.
    amplitudes : ndarray, shape (K, L)
    amplitudes_covariance : ndarray, shape (K L, K L)
        In the order of ``amplitudes.ravel()``, the errors of the lifetimes included.
    fractions, fractions_stddev : ndarray, shape (K, L)
        Amplitudes over their sum.
    chi_square : float
    freedom : int
    sigma, time_zero : float, ps
    sigma_stddev, time_zero_stddev : float, ps
        0 where they were given.
    response : ndarray, shape (J, 3)
        Form of the response, see `reduction.traces.kinetics.response`; empty for a Gaussian.
    notes : tuple of str
        Evidence against the result, in sentences.
    """

    lifetimes: Array
    lifetimes_stddev: Array
    levels: tuple[float, ...]
    intervals: Array
    amplitudes: Array
    amplitudes_covariance: Array
    fractions: Array
    fractions_stddev: Array
    chi_square: float
    freedom: int
    sigma: float
    sigma_stddev: float
    time_zero: float
    time_zero_stddev: float
    response: Array
    notes: tuple[str, ...]

    def curve(self, delay: ArrayLike, trace: int = 0) -> Array:
        """The fitted trace at any delays (ps)."""
        shifted = np.asarray(delay, dtype=np.float64) - self.time_zero
        return np.asarray(components(shifted, self.lifetimes, self.sigma, self.response) @ self.amplitudes[trace])


def fit_traces(
    traces: Sequence[Trace],
    num_lifetimes: int = 2,
    tail: str = "offset",
    *,
    sigma: float = RESPONSE,
    sigma_stddev: float | None = None,
    response: Array = GAUSSIAN,
    free: tuple[str, ...] = (),
    covariance: Array | None = None,
    levels: Sequence[float] = (0.683, 0.954),
) -> KineticFit:
    """Fit one or more traces with the same lifetimes.

    Parameters
    ----------
    traces : sequence of Trace
        Values with errors against delay.
    num_lifetimes : int
        1 to 3, without the tail.
    tail : str
        ``offset`` (a step that does not decay), ``long`` (a further lifetime, beyond the range of the traces at the
        start) or ``none``.
    sigma : float, ps
        Standard deviation of the Gaussian response; the start where it is free.
    sigma_stddev : float, ps, optional
        Standard deviation of an independent measurement of sigma, which the fit includes as one more datum.
    response : ndarray, shape (J, 3)
        Its form, see `reduction.traces.kinetics.response`.
    free : tuple of str
        ``time_zero`` and/or ``sigma`` to fit them too.
    covariance : ndarray, shape (N, N), optional
        Covariance of all points of all traces in their order, instead of the traces' own.
    levels : sequence of float
        Of the profile intervals; empty for none.

    Raises
    ------
    FitError
        If a value is not finite, there are fewer points than parameters, or no point lies after time zero.
    """
    if tail not in TAILS:
        raise FitError(f"tail must be one of {', '.join(TAILS)}, not {tail!r}")
    if num_lifetimes not in GRID:
        raise FitError(f"num_lifetimes must be 1, 2 or 3, not {num_lifetimes}")
    if unknown := sorted(set(free) - {"time_zero", "sigma"}):
        raise FitError(f"free may name time_zero and sigma, not {', '.join(unknown)}")
    if sigma_stddev is not None and not 0 < sigma_stddev < np.inf:
        raise FitError(f"sigma_stddev must be above 0 ps, not {sigma_stddev}")
    prior = None if sigma_stddev is None else sigma_stddev / sigma
    free = free if prior is None else (*free, "sigma")
    count = num_lifetimes + (tail == "long")
    model = VariableProjection(traces, count, tail == "offset", sigma, free, covariance, prior, response)
    theta, message = search(model, tail == "long")
    return _result(model, theta, levels_checked(levels), message)


def search(model: VariableProjection, long: bool) -> tuple[Array, str]:
    """theta of the smallest chi-square, and what the search reports if it did not end well."""
    found = [_searched(model, start) for start in _starts(model, long)]
    best = min(found, key=lambda each: float(each.chisqr))
    theta = model.sorted(np.array([best.params[name].value for name in model.names]))
    return theta, str(best.message) if not best.success else ""


def _starts(model: VariableProjection, long: bool) -> list[Array]:
    """Starting points: the best point on a coarse grid of lifetimes for each of the best values of time zero."""
    low, high = model.shortest, model.longest
    number = model.num_lifetimes - long
    grid = np.log(np.geomspace(low, 0.5 * high, GRID[number]))
    beyond = [np.log(1.5 * high)] if long else []
    zeros: Sequence[float] = (0.0,)
    if "time_zero" in model.names:
        zeros, grid = ZEROS.tolist(), grid[::2]  # every second one: this grid dominates the time of the search
    found = []
    for zero in zeros:
        rest = [zero if name == "time_zero" else value for name, value in zip(model.extra, model.given, strict=True)]
        tried = [np.array([*chosen, *beyond, *rest]) for chosen in combinations(grid, number)]
        found.append(min(((float(model.chi_square(theta)), theta) for theta in tried), key=lambda pair: pair[0]))
    return [theta for _, theta in sorted(found, key=lambda pair: pair[0])[:STARTS]]


def _searched(model: VariableProjection, start: Array) -> MinimizerResult:
    import lmfit  # imported here: its imports would double the start-up time of a session

    parameters = lmfit.Parameters()
    for name, value in zip(model.names, start, strict=True):
        low, high = model.bounds(name)
        parameters.add(name, value=float(value), min=low, max=high)

    def residual(current: Parameters) -> Array:
        return model.residual(np.array([current[name].value for name in model.names]))

    return lmfit.Minimizer(residual, parameters, calc_covar=False).minimize(method="leastsq")


def _result(model: VariableProjection, theta: Array, levels: tuple[float, ...], message: str) -> KineticFit:
    count = model.num_lifetimes
    amplitudes = model.amplitudes(theta)
    covariance = model.covariance_of_all(theta, amplitudes)
    error = np.sqrt(np.diagonal(covariance))
    linear = slice(0, amplitudes.size)
    lifetimes = np.exp(theta[:count])
    stddev = lifetimes * error[amplitudes.size : amplitudes.size + count]
    intervals = np.array([
        [_interval(model, theta, error[amplitudes.size + i], i, chi_square_of_level(level)) for i in range(count)]
        for level in levels
    ]).reshape(len(levels), count, 2)  # fmt: skip
    if model.offset:
        lifetimes, stddev = np.append(lifetimes, np.inf), np.append(stddev, 0.0)
        intervals = np.concatenate([intervals, np.full((len(levels), 1, 2), np.inf)], axis=1)
    fractions, fractions_stddev = _fractions(amplitudes, covariance[linear, linear])
    values, errors = model.sigma * theta[count:], model.sigma * error[amplitudes.size + count :]
    extra = {name: pair for name, *pair in zip(model.names[count:], values, errors, strict=True)}
    width, width_error = extra.get("sigma", (model.sigma, 0.0))
    zero, zero_error = extra.get("time_zero", (0.0, 0.0))
    chi_square = model.chi_square(theta)
    return KineticFit(
        lifetimes, stddev, levels, intervals, amplitudes, covariance[linear, linear], fractions, fractions_stddev,
        chi_square, model.dof, float(width), float(width_error), float(zero), float(zero_error), model.response,
        notes_of(model, theta, stddev, chi_square, message),
    )  # fmt: skip


def _interval(model: VariableProjection, theta: Array, error: float, index: int, rise: float) -> tuple[float, float]:
    """Ends at which chi-square, minimised over all other parameters, rises by `rise`; NaN on an open side."""
    best = model.chi_square(theta)
    # A profile ends where the lifetime would swap with its neighbour.
    low, high = model.bounds(model.names[index])
    if index > 0:
        low = max(low, theta[index - 1])
    if index + 1 < model.num_lifetimes:
        high = min(high, theta[index + 1])
    sides = []
    for sign, limit in ((-1.0, low), (1.0, high)):
        end = model.crossing(theta, index, sign * np.clip(error, 1e-4, 1.0), limit, best, rise, OPEN)
        sides.append(float(np.exp(end)))
    return sides[0], sides[1]


def _fractions(amplitudes: Array, covariance: Array) -> tuple[Array, Array]:
    total = amplitudes.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        fractions = amplitudes / total
        count = amplitudes.shape[1]
        stddev = np.empty_like(amplitudes)
        for k in range(amplitudes.shape[0]):
            jacobian = (np.eye(count) - fractions[k][:, None]) / total[k]
            own = slice(k * count, (k + 1) * count)
            stddev[k] = np.sqrt(np.diagonal(jacobian @ covariance[own, own] @ jacobian.T))
    return fractions, stddev


def notes_of(
    model: VariableProjection, theta: Array, stddev: Array, chi_square: float, message: str
) -> tuple[str, ...]:
    """Evidence against a fit: bounds, unknown lifetimes, chi-square, the order of residuals."""
    notes = [f"The fit did not converge: {message}."] if message else []
    for name, value in zip(model.names, theta, strict=True):
        low, high = model.bounds(name)
        if min(value - low, high - value) < 1e-3:
            notes.append(
                f"{name} reached its bound: the traces do not determine it; fit fewer lifetimes or another tail."
            )
    lifetimes = np.exp(theta[: model.num_lifetimes])
    for tau, error in zip(lifetimes, stddev, strict=False):
        if not error < tau:
            notes.append(f"The lifetime {tau:.3g} ps has an error as large as itself: fit fewer lifetimes.")
    if model.dof > 0 and (p_value := chi_square_p_value(chi_square, model.dof)) < UNLIKELY:
        notes.append(
            f"chi-square is {chi_square:.0f} for {model.dof} degrees of freedom (p-value {p_value:.1g}): the errors"
            " are too small or the model is wrong; the intervals assume that both are right."
        )
    noisy = chi_square > NOISE_FREE * model.dof
    if noisy and (p_value := runs_p_value(model.residual_of_data(theta))) < UNLIKELY:
        notes.append(
            f"Successive residuals have the same sign (runs test, p-value {p_value:.1g}): this number of lifetimes"
            " does not describe the traces."
        )
    return tuple(notes)
