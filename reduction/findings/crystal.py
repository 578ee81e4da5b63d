"""Rocking curve of the second crystal of a monochromator: I0 against its angle, where it is highest and how wide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot, inf, log

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from reduction.findings.causes import why_no_light
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found

NAME, UNIT = "crystal", "urad"
LEAST_POINTS = 8
SIGNIFICANT = 10.0
"""Height of the curve over its error from which on there is one."""
PARAMETERS = 4
QUIET = 0.05
"""Share of the highest I0 below which its noise is no longer in proportion to it."""
NONLINEARITY = 1e-3
"""Relative, of I0 between the top and the foot."""


@dataclass(frozen=True)
class RockingScan:
    """I0 against the angle of the second crystal.

    Attributes
    ----------
    angle : ndarray, shape (N,), urad
    rate : ndarray, shape (N,), counts/s
        Of I0.
    before : float, urad
        Where the crystal was.
    i0_least : float, counts/s
        From which on there is beam.
    """

    angle: Array
    rate: Array
    before: float
    i0_least: float


def find_crystal(scan: RockingScan) -> FindingResult:
    """Find the angle of the second crystal at which the flux is highest.

    A Gaussian on a constant is fitted to I0, whose noise is a part of it; the scatter of the points around the curve
    gives the errors, whatever it is in proportion to (MacKinnon and White, J. Econometrics 29, 305 (1985), HC2). The
    width has an error of its own for a non-linear I0.

    Returns
    -------
    FindingResult
        Its value is the angle, urad; `settings` has ``crystal``. Numbers: full width at half maximum of the curve
        (urad), I0 at its top (counts/s), and the flux before in that of the top.
    """
    none = np.empty(0)
    curve = FindingCurve(scan.angle, scan.rate, np.zeros_like(scan.rate), none, none, "angle / urad", "I0 / (counts/s)")
    if not scan.rate.max() >= scan.i0_least or scan.angle.size < LEAST_POINTS:
        return not_found(NAME, UNIT, why_no_light(inf, scan.rate, scan.i0_least), curve, {})
    fitted = _fit(scan)
    centre, width, height, level = (float(each) for each in fitted.x)
    stddev = _stddev(fitted)
    stddev[1] = hypot(stddev[1], 0.5 * NONLINEARITY * width)
    scatter = float(np.std(_curve(fitted.x, scan.angle) - scan.rate))
    fine = np.linspace(scan.angle.min(), scan.angle.max(), 300)
    curve = replace(curve, stddev=np.full(scan.rate.size, scatter), fit_x=fine, fit=_curve(fitted.x, fine))
    before = float(_curve(np.array([centre, width, 1.0, 0.0]), np.array(scan.before)))
    slope = 8 * log(2) * (scan.before - centre) / width**2 * before
    numbers = {
        "width_urad": (width, float(stddev[1])),
        "top_per_s": (height + level, float(np.hypot(stddev[2], stddev[3]))),
        "flux_before": (before, abs(slope) * float(np.hypot(stddev[0], (scan.before - centre) / width * stddev[1]))),
    }
    step = float(np.ptp(scan.angle)) / max(np.unique(scan.angle).size - 1, 1)
    inside = scan.angle.min() < centre < scan.angle.max() and width > step  # a narrower one is a single point
    if height < SIGNIFICANT * stddev[2] or not inside:
        why = "No top: I0 has no maximum in the range of the crystal that was scanned; scan a larger one."
        return not_found(NAME, UNIT, why, curve, numbers)
    what = f"I0 is highest at {centre:.2f} urad, the curve is {width:.1f} urad wide; before it had {100 * before:.0f} %"
    return FindingResult(
        NAME, centre, float(stddev[0]), UNIT, GOOD, f"{what}.", curve, {"crystal": round(centre, 3)}, numbers
    )


def _curve(x: Array, angle: Array) -> Array:
    return np.asarray(x[3] + x[2] * 0.5 ** (4 * ((angle - x[0]) / x[1]) ** 2))


def _fit(scan: RockingScan) -> OptimizeResult:
    """Centre, width, height and constant."""
    angle, rate = scan.angle, scan.rate
    level, top = float(rate.min()), float(rate.max())
    high = angle[rate > 0.5 * (level + top)]
    width = max(float(np.ptp(high)), float(np.ptp(angle)) / angle.size)
    start = np.array([float(high.mean()), width, top - level, level])
    bounds = np.array([-np.inf, 1e-3, 0.0, -np.inf]), np.full(PARAMETERS, np.inf)

    def search(begin: Array, noise: Array) -> OptimizeResult:
        return least_squares(
            lambda x: (_curve(x, angle) - rate) / noise, begin, x_scale=[width, width, top, top], bounds=bounds
        )

    rough = search(start, np.full(rate.size, top)).x
    return search(rough, np.maximum(np.abs(_curve(rough, angle)), QUIET * top))


def _stddev(fitted: OptimizeResult) -> Array:
    """Standard deviations of the parameters by the residuals, each larger by what it had moved the curve."""
    inverse = np.linalg.pinv(fitted.jac.T @ fitted.jac)
    leverage = np.einsum("ij,jk,ik->i", fitted.jac, inverse, fitted.jac)
    left = fitted.fun / np.sqrt(np.maximum(1 - leverage, 0.1))
    moved = inverse @ fitted.jac.T * left
    return np.asarray(np.sqrt((moved**2).sum(axis=1)))
