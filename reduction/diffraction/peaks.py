"""Positions and widths of diffraction peaks, and whether a peak is split: one phase of lower symmetry, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.diffraction.pattern import PowderPattern
from reduction.errors import ReductionError
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

FOUR_LN2 = 4 * np.log(2)
BINS = 24
"""In which a line is looked for, before it is fitted."""
STARTS = (0.3, 0.6, 1.0)
"""Distances of two lines, in widths of the single one, from which the fit of two starts."""


@dataclass(frozen=True)
class Peak:
    """A line: position and full width at half maximum (1/angstrom), height, and their standard deviations."""

    position: float
    position_stddev: float
    width: float
    width_stddev: float
    height: float
    height_stddev: float


@dataclass(frozen=True)
class PeakFit:
    """One or two lines of equal width above a straight line.

    Attributes
    ----------
    peaks : tuple of Peak
    chi_square : float
    dof : int
        Degrees of freedom.
    """

    peaks: tuple[Peak, ...]
    chi_square: float
    dof: int

    @property
    def p_value(self) -> float:
        return chi_square_p_value(self.chi_square, self.dof)


@dataclass(frozen=True)
class Splitting:
    """A fit of one line, a fit of two, and the p-value of one: small if the peak is split.

    The p-value is that of the gain in chi-square for two further parameters. At the single line the position of the
    second one has no meaning, so the true one is at most that many times larger as the window has widths.
    """

    one: PeakFit
    two: PeakFit
    p_value: float


def _lines(q: Array, positions: Array, heights: Array, width: float) -> Array:
    return np.asarray(
        sum(
            height * np.exp(-FOUR_LN2 * ((q - position) / width) ** 2)
            for position, height in zip(positions, heights, strict=True)
        )
    )


def fit_peak(pattern: PowderPattern, low: float, high: float) -> PeakFit:
    """Fit a single Gaussian line between two scattering vectors.

    Raises
    ------
    ReductionError
        If the part has too few points, or the line is not inside.
    """
    part = pattern.between(low, high)
    places = np.linspace(part.q[0], part.q[-1], BINS + 1)
    bins = np.clip(np.searchsorted(places, part.q, side="right") - 1, 0, BINS - 1)
    number = np.bincount(bins, minlength=BINS)
    rough = np.bincount(bins, part.value, minlength=BINS)[number > 0] / number[number > 0]
    middle = (0.5 * (places[1:] + places[:-1]))[number > 0]
    above = rough - np.interp(middle, middle[[0, -1]], rough[[0, -1]])
    top = int(np.argmax(above))
    width = float(above.sum() / max(above[top], 1e-300)) * (high - low) / middle.size
    return _fit(part, [float(middle[top])], [float(above[top])], min(max(width, (high - low) / BINS), high - low))


def split(pattern: PowderPattern, low: float, high: float) -> Splitting:
    """Fit one line and two, and test whether two are needed.

    Raises
    ------
    ReductionError
        As `fit_peak`.
    """
    part = pattern.between(low, high)
    one = fit_peak(pattern, low, high)
    peak = one.peaks[0]
    found = []
    for distance in STARTS:
        apart = 0.5 * distance * peak.width
        try:
            found.append(
                _fit(part, [peak.position - apart, peak.position + apart], [0.5 * peak.height] * 2, 0.8 * peak.width)
            )
        except ReductionError:
            continue
    if not found:
        return Splitting(one, one, 1.0)
    two = min(found, key=lambda fit: fit.chi_square)
    return Splitting(one, two, chi_square_p_value(max(one.chi_square - two.chi_square, 0.0), 2))


def _fit(part: PowderPattern, positions: list[float], heights: list[float], width: float) -> PeakFit:
    from lmfit import Parameters, minimize  # imported here: most sessions fit no peak

    scale = max(float(np.abs(part.value).max()), 1e-300)
    parameters = Parameters()
    for number, (position, height) in enumerate(zip(positions, heights, strict=True)):
        parameters.add(f"position{number}", position, min=part.q[0], max=part.q[-1])
        parameters.add(f"height{number}", max(height, 1e-3 * scale), min=0.0)
    parameters.add("width", width, min=1e-3 * float(np.ptp(part.q)), max=2 * float(np.ptp(part.q)))
    parameters.add("level", float(min(part.value[0], part.value[-1])))
    parameters.add("slope", 0.0)
    number = len(positions)
    middle = float(part.q.mean())

    def residual(values: Any) -> Array:
        at, high = (np.array([values[f"{name}{i}"].value for i in range(number)]) for name in ("position", "height"))
        line = values["level"].value + values["slope"].value * (part.q - middle)
        return np.asarray((part.value - line - _lines(part.q, at, high, values["width"].value)) / part.stddev)

    found = minimize(residual, parameters, scale_covar=False)
    if not found.success or not found.errorbars:
        raise ReductionError(f"no line between {part.q[0]:.3f} and {part.q[-1]:.3f} 1/A can be fitted")
    values = found.params
    peaks = tuple(
        Peak(
            *(
                number
                for name in (f"position{i}", "width", f"height{i}")
                for number in (values[name].value, values[name].stderr)
            )
        )
        for i in range(number)
    )
    return PeakFit(tuple(sorted(peaks, key=lambda peak: peak.position)), float(found.chisqr), int(found.nfree))
