"""Whether detectors agree: the transients of each against those of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.phases import Pattern
from reduction.imported.slots import PhaseRates, combined, ground_phases
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

DISAGREES = 1e-3
"""p-value below which a detector is named."""


@dataclass(frozen=True)
class OneAgainstOthers:
    """Chi-square of one detector's transients against those of the others, with its degrees of freedom and p-value."""

    detector: int
    chi_square: float
    dof: int

    @property
    def p_value(self) -> float:
        return chi_square_p_value(self.chi_square, self.dof)


def agreements(detectors: list[PhaseRates], pattern: Pattern) -> list[OneAgainstOthers]:
    """Each detector against the sum of the others at the points that all have; empty for one detector.

    Detectors have different efficiencies and backgrounds, so their changes are scaled to each other first: one degree
    of freedom less.
    """
    found = []
    good = np.all([each.is_finite for each in detectors], axis=0)
    detectors = [each.only(good) for each in detectors]
    for number, one in enumerate(detectors):
        others = [each for other, each in enumerate(detectors) if other != number]
        if others:
            found.append(_agreement(number, one, combined(others), pattern))
    return found


def _agreement(number: int, one: PhaseRates, other: PhaseRates, pattern: Pattern) -> OneAgainstOthers:
    """Chi-square of the differences at the scale that makes it least.

    Both have noise, so the scale is an angle, as where shapes are compared (`reduction.maps.shapes`): that of a
    regression would be too small.
    """
    from scipy.optimize import minimize_scalar  # imported here: most reductions compare no detectors

    parts = [_changes(one, pattern, bunch) + _changes(other, pattern, bunch) for bunch in range(pattern.num_bunches)]
    unit = float(np.sqrt((one.rate**2).mean() / (other.rate**2).mean()))

    def chi_square(angle: float) -> float:
        return sum(_chi_square(part, np.cos(angle) / unit, np.sin(angle)) for part in parts)

    best = minimize_scalar(chi_square, bounds=(0.0, np.pi / 2), method="bounded")
    return OneAgainstOthers(number, float(best.fun), sum(part[0].size for part in parts) - 1)


def _changes(rates: PhaseRates, pattern: Pattern, bunch: int) -> tuple[Array, Array, Array]:
    """Changes of the phases of a bunch after the pump (N, n), their variances, and that of the common ground (N,)."""
    phases = np.arange(pattern.laser_phase, pattern.num_phases)
    phases = phases[phases % pattern.num_bunches == bunch]
    ground = ground_phases(pattern, int(phases[0]))
    change = rates.rate[:, phases] - rates.rate[:, ground].mean(axis=1, keepdims=True)
    common = rates.variance[:, ground].sum(axis=1) / ground.size**2
    return change, rates.variance[:, phases], common


def _chi_square(part: tuple[Array, ...], of_one: float, of_other: float) -> float:
    """Of ``of_one * one - of_other * other``.

    The covariance of a point is a diagonal and the common ground; its inverse is that of Sherman and Morrison.
    """
    one, one_variance, one_common, other, other_variance, other_common = part
    weight = 1 / (of_one**2 * one_variance + of_other**2 * other_variance)
    common = of_one**2 * one_common + of_other**2 * other_common
    rest = of_one * one - of_other * other
    shared = common / (1 + common * weight.sum(axis=1))
    return float((weight * rest**2).sum() - (shared * (weight * rest).sum(axis=1) ** 2).sum())
