"""Least squares of delay traces with the amplitudes solved for: what is left depends on the lifetimes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from reduction.traces.kinetics.model import components
from reduction.traces.kinetics.response import GAUSSIAN

Array = NDArray[np.float64]

STEP = 1e-5
"""Of numerical derivatives by a parameter of order 1."""


class FitError(ValueError):
    """Traces cannot be fitted; the message names what is missing."""


@dataclass(frozen=True)
class Trace:
    """One delay trace.

    Attributes
    ----------
    delay : ndarray, shape (T,), ps
        After time zero.
    value : ndarray, shape (T,)
    covariance : ndarray, shape (T,) or (T, T)
        Variances, or the full covariance.
    """

    delay: Array
    value: Array
    covariance: Array


class VariableProjection:
    """Residuals of all traces against the nonlinear parameters, theta.

    theta holds the logarithms of the lifetimes, then ``time_zero`` and ``sigma`` in units of the given sigma where they
    are free. Arguments are those of `reduction.traces.kinetics.fit.fit_traces`; `prior` is the standard deviation of
    the logarithm of sigma from an independent measurement, one more datum.
    """

    def __init__(
        self,
        traces: Sequence[Trace],
        num_lifetimes: int,
        offset: bool,
        sigma: float,
        free: tuple[str, ...],
        covariance: Array | None,
        prior: float | None = None,
        response: Array = GAUSSIAN,
    ) -> None:
        self.num_lifetimes, self.offset, self.sigma = num_lifetimes, offset, sigma
        self._delays = [np.asarray(trace.delay, dtype=np.float64) for trace in traces]
        values = [np.asarray(trace.value, dtype=np.float64) for trace in traces]
        self._place = _blocks([delay.size for delay in self._delays], num_lifetimes + offset)
        self.extra = tuple(name for name in ("time_zero", "sigma") if name in free)
        self.names = tuple(f"log_lifetime_{i + 1}" for i in range(num_lifetimes)) + self.extra
        self.num_components = num_lifetimes + offset
        _check(self._delays, values, sigma, len(self.names) + self.num_components * len(traces))
        full = _joint(traces, covariance, sum(delay.size for delay in self._delays))
        self._whiten_by = _whitener(full)
        self._data = self._whitened(np.concatenate(values))
        self.response = response
        self._prior = prior if "sigma" in self.names else None
        known = self._data.size + (self._prior is not None)
        self.dof = known - len(self.names) - self.num_components * len(traces)
        self._all_delays = np.concatenate(self._delays)
        positive = np.unique(self._all_delays[self._all_delays > 0])
        self.longest = float(positive[-1])
        self.shortest = max(float(positive[0]), 0.3 * sigma, 1e-4 * self.longest)

    @property
    def given(self) -> tuple[float, ...]:
        """Starting values of the parameters beside the lifetimes."""
        return tuple(0.0 if name == "time_zero" else 1.0 for name in self.extra)

    def bounds(self, name: str) -> tuple[float, float]:
        """Search range of a parameter."""
        if name in ("time_zero", "sigma"):
            return (-20.0, 20.0) if name == "time_zero" else (0.05, 20.0)
        return float(np.log(0.03 * self.shortest)), float(np.log(100 * self.longest))

    def sorted(self, theta: Array) -> Array:
        """theta with lifetimes in ascending order."""
        return np.concatenate([np.sort(theta[: self.num_lifetimes]), theta[self.num_lifetimes :]])

    def residual(self, theta: Array) -> Array:
        """Whitened residuals with the best amplitudes, shape (N,), and that of the prior, if there is one."""
        residual = self.residual_of_data(theta)
        if self._prior is None:
            return residual
        return np.append(residual, np.log(theta[self.names.index("sigma")]) / self._prior)

    def residual_of_data(self, theta: Array) -> Array:
        """Whitened residuals of the traces, shape (N,)."""
        design = self._design(theta)
        solution = np.linalg.lstsq(design, self._data, rcond=None)[0]
        return np.asarray(self._data - design @ solution)

    def chi_square(self, theta: Array) -> float:
        """Sum of squares of the residuals."""
        return float(np.sum(self.residual(theta) ** 2))

    def amplitudes(self, theta: Array) -> Array:
        """Best amplitudes, shape (K, L)."""
        solution = np.linalg.lstsq(self._design(theta), self._data, rcond=None)[0]
        return np.asarray(solution.reshape(-1, self.num_components))

    def covariance_of_all(self, theta: Array, amplitudes: Array) -> Array:
        """Covariance of the amplitudes (raveled) and then theta, from the curvature at the minimum.

        A direction that the traces do not constrain has a huge variance; a pseudoinverse would give it none.
        """
        flat = amplitudes.ravel()
        columns = [self._design(theta)]
        for i in range(theta.size):
            step = np.zeros(theta.size)
            step[i] = STEP
            change = (self._design(theta + step) - self._design(theta - step)) / (2 * STEP)
            columns.append((change @ flat)[:, None])
        jacobian = np.concatenate(columns, axis=1)
        if self._prior is not None:
            of_prior = np.zeros((1, jacobian.shape[1]))
            sigma = self.names.index("sigma")
            of_prior[0, flat.size + sigma] = 1 / (self._prior * theta[sigma])
            jacobian = np.concatenate([jacobian, of_prior])
        scale = np.linalg.norm(jacobian, axis=0)
        scale[scale == 0] = 1.0
        singular, directions = np.linalg.svd(jacobian / scale, full_matrices=False)[1:]
        singular = np.maximum(singular, np.finfo(np.float64).eps * max(jacobian.shape) * singular[0])
        root = directions.T / singular / scale[:, None]
        return np.asarray(root @ root.T)

    def profile(self, theta: Array, index: int, value: float) -> tuple[float, Array]:
        """Least chi-square with one parameter fixed, and its theta; starts from theta."""
        from scipy.optimize import leastsq  # imported here: a session that fits nothing starts faster

        low, high = np.array([self.bounds(name) for name in self.names]).T
        others = [i for i in range(theta.size) if i != index]
        current = np.clip(theta, low, high)
        current[index] = value
        if not others:
            return self.chi_square(current), current

        def residual(rest: Array) -> Array:
            full = current.copy()
            full[others] = np.clip(rest, low[others], high[others])
            return self.residual(full)

        found = leastsq(residual, current[others], xtol=1e-3, ftol=1e-5, epsfcn=1e-8)[0]
        current[others] = np.clip(found, low[others], high[others])
        return self.chi_square(current), current

    def crossing(
        self, theta: Array, index: int, step: float, limit: float, best: float, rise: float, steps: int
    ) -> float:
        """Argument at which the profile has risen by `rise`, found from the minimum in steps of growing length.

        NaN if it lies beyond `limit`. The square root of the rise is nearly linear in the parameter, so the search
        converges fast.
        """
        start, target = float(theta[index]), np.sqrt(rise)
        last = theta

        def height(value: float) -> float:
            nonlocal last
            moved = last[index] - start
            guess = theta + (last - theta) * ((value - start) / moved if moved else 0.0)  # the others follow linearly
            chi_square, last = self.profile(guess, index, value)
            return float(np.sqrt(max(0.0, chi_square - best)) - target)

        inside, below, step = start, -target, step * target
        for _ in range(steps):
            outside = inside + step
            past = (outside - limit) * np.sign(step) >= 0
            outside = limit if past else outside
            above = height(outside)
            if above > 0:
                return _root(height, inside, below, outside, above, 3e-3 * abs(step))
            if past:
                return float("nan")
            inside, below, step = outside, above, 1.5 * step
        return float("nan")

    def _design(self, theta: Array) -> Array:
        lifetimes = np.exp(theta[: self.num_lifetimes])
        if self.offset:
            lifetimes = np.append(lifetimes, np.inf)
        extra = dict(zip(self.extra, theta[self.num_lifetimes :], strict=True))
        sigma = self.sigma * extra.get("sigma", 1.0)
        zero = self.sigma * extra.get("time_zero", 0.0)
        design = np.zeros((self._data.size, self.num_components * len(self._delays)))
        design[self._place] = components(self._all_delays - zero, lifetimes, sigma, self.response)
        return self._whitened(design)

    def _whitened(self, values: Array) -> Array:
        if self._whiten_by.ndim == 1:
            return np.asarray((values.T * self._whiten_by).T)
        return np.asarray(self._whiten_by @ values)


def _root(
    height: Callable[[float], float], low: float, below: float, high: float, above: float, tolerance: float
) -> float:
    """Root of a rising function between two arguments with known values (regula falsi, Illinois).

    The ends are not evaluated again: a profile depends slightly on the start of its search.
    """
    side = 0
    for _ in range(30):
        if below == 0 or abs(high - low) < tolerance:
            break
        middle = (low * above - high * below) / (above - below)
        value = height(middle)
        if value > 0:
            high, above = middle, value
            below *= 0.5 if side > 0 else 1.0
            side = 1
        else:
            moved, low, below = abs(middle - low), middle, value
            above *= 0.5 if side < 0 else 1.0
            side = -1
            if moved < 0.1 * tolerance:
                break
        if abs(value) < 1e-3:
            return middle
    return float((low * above - high * below) / (above - below)) if above > below else high


def _blocks(sizes: list[int], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (N, count) that put the components of each trace into its own columns."""
    trace = np.repeat(np.arange(len(sizes)), sizes)
    columns = trace[:, None] * count + np.arange(count)
    return np.broadcast_to(np.arange(trace.size)[:, None], columns.shape), columns


def _check(delays: list[Array], values: list[Array], sigma: float, parameters: int) -> None:
    if not delays:
        raise FitError("there is no trace to fit")
    for delay, value in zip(delays, values, strict=True):
        if delay.ndim != 1 or delay.shape != value.shape:
            raise FitError(f"a trace has {value.shape} values for {delay.shape} delays")
        if not (np.isfinite(delay).all() and np.isfinite(value).all()):
            raise FitError("a trace holds delays or values that are not finite: leave those points out")
        if not (delay > 0).any():
            raise FitError("a trace has no point after time zero")
    if not sigma > 0:
        raise FitError(f"sigma must be above 0 ps, not {sigma}")
    points = sum(delay.size for delay in delays)
    if points < parameters:
        raise FitError(f"{points} points are fewer than the {parameters} parameters: measure more delays or fit less")


def _joint(traces: Sequence[Trace], covariance: Array | None, size: int) -> Array:
    """Variances, shape (N,), or covariance, shape (N, N), of all points."""
    if covariance is not None:
        given = np.asarray(covariance, dtype=np.float64)
        if given.shape != (size, size):
            raise FitError(f"the covariance has shape {given.shape}, the traces have {size} points")
        return given
    own = [np.asarray(trace.covariance, dtype=np.float64) for trace in traces]
    for trace, matrix in zip(traces, own, strict=True):
        points = np.asarray(trace.delay).size
        if matrix.shape not in ((points,), (points, points)):
            raise FitError(f"a trace of {points} points has a covariance of shape {matrix.shape}")
    if all(matrix.ndim == 1 for matrix in own):
        return np.concatenate(own)
    full, begin = np.zeros((size, size)), 0
    for matrix in own:
        end = begin + matrix.shape[0]
        full[begin:end, begin:end] = np.diag(matrix) if matrix.ndim == 1 else matrix
        begin = end
    return full


def _whitener(covariance: Array) -> Array:
    """1 / stddev, or the inverse of the Cholesky factor."""
    if covariance.ndim == 1:
        if not (np.isfinite(covariance).all() and (covariance > 0).all()):
            raise FitError("an error of a trace is not finite or not above 0: leave that point out")
        return np.asarray(covariance**-0.5)
    try:
        factor = cholesky(covariance, lower=True)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise FitError(f"the covariance of the traces cannot be inverted ({error}): leave a point out") from error
    return np.asarray(solve_triangular(factor, np.eye(len(covariance)), lower=True))
