"""Changes over the passes of a scan: along a line, with the larger of counting and scatter about the line as error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.diagnostics.passes import Passes
from reduction.statistics.quantiles import chi_square_p_value, f_p_value, normal_tail, student_p_value

Array = NDArray[np.float64]

ALARM = 1e-3
"""p-value below which a deviation is reported."""


@dataclass(frozen=True)
class Trend:
    """Relative change over the whole set of passes, its error from counting or, if larger, scatter about the line."""

    change: float
    stddev: float
    p_value: float

    @property
    def seen(self) -> bool:
        return self.p_value < ALARM


NO_TREND = Trend(float("nan"), float("nan"), 1.0)


def _line(values: Array, variance: Array) -> tuple[float, float, float]:
    """Change from first to last pass along a line, its error and its p-value; n >= 3."""
    number = len(values)
    x = np.arange(number) / (number - 1) - 0.5
    slope = float(x @ values / (x @ x))
    counting = float(np.sqrt(x**2 @ variance) / (x @ x))
    residual = values - values.mean() - slope * x
    scatter = float(np.sqrt(residual @ residual / (number - 2) / (x @ x)))
    if scatter > counting:
        return slope, scatter, student_p_value(slope / scatter, number - 2)
    return slope, counting, float(2 * normal_tail(abs(slope) / counting))


def trend_of_level(level: Array, variance: Array) -> Trend:
    """Relative change of a number that each pass has, with its variances."""
    if len(level) < 3 or not level.mean() > 0:
        return NO_TREND
    return Trend(*_line(level / level.mean(), variance / level.mean() ** 2))


def trend_of_shape(passes: Passes) -> Trend:
    """Largest relative change of the static spectrum along a line over the passes; its p-value from all energies.

    Errors are those of counting or, if larger, of the scatter about the line, of all energies together: a jet that
    changes from dwell to dwell changes the shape of each pass.
    """
    if passes.number.size < 3:
        return NO_TREND
    number = passes.number.size
    x = np.arange(number) / (number - 1) - 0.5
    known = (passes.static_variance > 0).all(axis=0)  # a pre-edge of one point is zero without error
    value, variance = passes.static[:, known], passes.static_variance[:, known]
    slope = x @ value / (x @ x)
    residual = (value - value.mean(axis=0) - x[:, None] * slope) / np.sqrt(variance.mean(axis=0))
    scatter = float((residual**2).mean()) * number / (number - 2)
    stddev = np.sqrt(max(1.0, scatter) * (x**2 @ variance)) / (x @ x)
    pull = slope / stddev
    worst, ratio = int(np.argmax(np.abs(pull))), float((pull**2).mean())
    independent = float(passes.independent.mean())
    if scatter > 1:  # noise of the jet, and a drift within passes bends all of a spectrum at once
        products = residual @ residual.T
        independent = min(independent, float(np.trace(products) ** 2 / (products**2).sum()))
        p_value = f_p_value(ratio, independent, (number - 2) * independent)
    else:
        p_value = chi_square_p_value(ratio * independent, independent)
    return Trend(float(slope[worst]), float(stddev[worst]), p_value)


def trend_of_transient(passes: Passes) -> Trend:
    """Size of the first slot's transient in each pass, by projection on that of the other passes, relative to it."""
    number = passes.number.size
    if number < 3:
        return NO_TREND
    known = (passes.transient_variance[:, 0] > 0).all(axis=0)
    value, of_value = passes.transient[:, 0, known], passes.transient_variance[:, 0, known]
    sizes, variances = np.empty(number), np.empty(number)
    for p in range(number):
        others = np.delete(value, p, axis=0).mean(axis=0)
        noise = np.delete(of_value, p, axis=0).sum(axis=0) / (number - 1) ** 2
        variance = of_value[p]
        weight = others / variance
        power = float(weight @ others - (noise / variance).sum())  # the contribution of noise is subtracted
        if not power > 10 * np.sqrt(2 * ((noise / variance) ** 2).sum()):
            return NO_TREND
        sizes[p], variances[p] = float(weight @ value[p]) / power, float(weight @ others) / power**2
    # A pass is compared with the others alone, which makes its deviation larger by n / (n - 1).
    slope, stddev, p_value = _line(sizes, variances)
    return Trend(slope * (number - 1) / number, stddev * (number - 1) / number, p_value)
