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

from reduction.statistics.quantiles import chi_square_of_level, levels_checked
from reduction.traces.kinetics.model import RESPONSE, components
from reduction.traces.kinetics.variable_projection import FitError, Trace, VariableProjection

if TYPE_CHECKING:
    from lmfit import Parameters
    from lmfit.minimizer import MinimizerResult

__all__ = ["FitError", "KineticFit", "Trace", "fit_scan", "fit_traces"]

Array = NDArray[np.float64]

TAILS = ("offset", "long", "none")
GRID = {1: 24, 2: 12, 3: 9}
"""Lifetimes of the coarse grid, by how many are sought; more than three are not told apart by such traces."""
RISE = 3
"""Points within two widths of the response around 0 from which on time zero is fitted too."""
GAIN = 4.0
"""What chi-square has to fall by for one more parameter: two of its errors."""
OPEN = 8
"""Steps outwards, each half as long again as the one before, after which an interval counts as open on that side."""


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
    notes : tuple of str
        What speaks against the result, in sentences.
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
    notes: tuple[str, ...]

    def curve(self, delay: ArrayLike, trace: int = 0) -> Array:
        """The fitted trace at any delays (ps)."""
        shifted = np.asarray(delay, dtype=np.float64) - self.time_zero
        return np.asarray(components(shifted, self.lifetimes, self.sigma) @ self.amplitudes[trace])


def fit_traces(
    traces: Sequence[Trace],
    num_lifetimes: int = 2,
    tail: str = "offset",
    *,
    sigma: float = RESPONSE,
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
    free : tuple of str
        ``time_zero`` and/or ``sigma`` to fit them too.
    covariance : ndarray, shape (N, N), optional
        Of all points of all traces in their order, instead of the traces' own.
    levels : sequence of float
        Of the profile intervals; empty for none.

    Raises
    ------
    FitError
        If something is not finite, there are fewer points than parameters, or nothing of the traces is after time zero.
    """
    if tail not in TAILS:
        raise FitError(f"tail must be one of {', '.join(TAILS)}, not {tail!r}")
    if num_lifetimes not in GRID:
        raise FitError(f"num_lifetimes must be 1, 2 or 3, not {num_lifetimes}")
    if unknown := sorted(set(free) - {"time_zero", "sigma"}):
        raise FitError(f"free may name time_zero and sigma, not {', '.join(unknown)}")
    model = VariableProjection(traces, num_lifetimes + (tail == "long"), tail == "offset", sigma, free, covariance)
    names = model.names
    best = _searched(model, _start(model, tail == "long"))
    theta = np.array([best.params[name].value for name in names])
    theta = model.sorted(theta)
    return _result(model, theta, levels_checked(levels), str(best.message) if not best.success else "")


def fit_scan(trace: Trace, levels: Sequence[float] = (0.683, 0.954)) -> KineticFit:
    """Two lifetimes and a tail through the trace of a delay scan, with time zero where the trace tells it.

    The tail has a lifetime of its own where nothing speaks against that fit and it follows the trace better than an
    offset does, else it is an offset: a tail that decays within the trace and is taken as flat moves the other
    lifetimes by many of their errors, and a lifetime that the trace does not tell makes all of them absurd.

    Time zero drifts between setting it and a scan, by picoseconds an hour, and a trace that is taken as beginning at 0
    then does not fit its rise. So it is a parameter, unless fewer points lie on the rise than it takes, or the
    trace does not tell it to the width of the response.

    Raises
    ------
    FitError
        As `fit_traces`.
    """
    tail, fit = _better_tail(trace)
    return _with_time_zero(trace, tail, levels) if len(levels) else fit


def _better_tail(trace: Trace) -> tuple[str, KineticFit]:
    """How the tail is taken, and the fit with it, without intervals."""
    flat = _with_time_zero(trace, "offset", ())
    try:
        decaying = _with_time_zero(trace, "long", ())
    except FitError:  # more parameters than points
        return "offset", flat
    if not decaying.notes and decaying.chi_square < flat.chi_square - GAIN:
        return "long", decaying
    return "offset", flat


def _with_time_zero(trace: Trace, tail: str, levels: Sequence[float]) -> KineticFit:
    """A fit with time zero where the trace tells it, else with time zero as it was set."""
    rise = np.abs(np.asarray(trace.delay)) <= 2 * RESPONSE
    if np.count_nonzero(rise) >= RISE:
        try:
            fit = fit_traces([trace], tail=tail, free=("time_zero",), levels=levels)
        except FitError:  # one parameter too many
            return fit_traces([trace], tail=tail, levels=levels)
        if fit.time_zero_stddev < RESPONSE and abs(fit.time_zero) < 2 * RESPONSE:
            return fit
    return fit_traces([trace], tail=tail, levels=levels)


def _start(model: VariableProjection, long: bool) -> Array:
    """Logarithms of the lifetimes of the best point on a coarse grid, then the other parameters as given."""
    low, high = model.shortest, model.longest
    number = model.num_lifetimes - long
    grid = np.log(np.geomspace(low, 0.5 * high, GRID[number]))
    beyond = [np.log(1.5 * high)] if long else []
    rest = model.given
    tried = [np.array([*chosen, *beyond, *rest]) for chosen in combinations(grid, number)]
    return min(tried, key=lambda theta: float(model.chi_square(theta)))


def _searched(model: VariableProjection, start: Array) -> MinimizerResult:
    import lmfit  # here: with all that it imports it would double the start of a session

    parameters = lmfit.Parameters()
    for name, value in zip(model.names, start, strict=True):
        low, high = model.bounds(name)
        parameters.add(name, value=float(value), min=low, max=high)

    def residual(current: Parameters) -> Array:
        return model.residual(np.array([current[name].value for name in model.names]))

    return lmfit.Minimizer(residual, parameters, calc_covar=False).minimize(method="leastsq")


def _result(model: VariableProjection, theta: Array, levels: tuple[float, ...], said: str) -> KineticFit:
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
        chi_square, model.freedom, float(width), float(width_error), float(zero), float(zero_error),
        _notes(model, theta, stddev, chi_square, said),
    )  # fmt: skip


def _interval(model: VariableProjection, theta: Array, error: float, index: int, rise: float) -> tuple[float, float]:
    """Where chi-square, least over all other parameters, has risen by `rise`; NaN on a side where it does not."""
    best = model.chi_square(theta)
    # A profile ends where the lifetime would change places with its neighbour.
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


def _notes(model: VariableProjection, theta: Array, stddev: Array, chi_square: float, said: str) -> tuple[str, ...]:
    notes = [f"The search did not end well: {said}."] if said else []
    for name, value in zip(model.names, theta, strict=True):
        low, high = model.bounds(name)
        if min(value - low, high - value) < 1e-3:
            notes.append(f"{name} ran to its bound: the traces do not tell it; fit fewer lifetimes or another tail.")
    lifetimes = np.exp(theta[: model.num_lifetimes])
    for tau, error in zip(lifetimes, stddev, strict=False):
        if not error < tau:
            notes.append(f"The lifetime {tau:.3g} ps is not known to its own size: fit fewer lifetimes.")
    if model.freedom > 0 and chi_square > model.freedom + 5 * np.sqrt(2 * model.freedom):
        notes.append(
            f"chi-square is {chi_square:.0f} for {model.freedom} degrees of freedom: the errors are too small or the"
            " model is wrong; the intervals take both as right."
        )
    return tuple(notes)
