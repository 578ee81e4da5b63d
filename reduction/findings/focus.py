"""Focus of the laser: the width of its spot against the position of a lens, by the edge of a knife."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found
from reduction.findings.knife import BeamEdge, BladeScan, fit_edge

NAME, UNIT = "focus", "mm"
LEAST_LENSES = 4
LEAST_POINTS = 8


@dataclass(frozen=True)
class FocusScan:
    """Light of the laser behind a blade at several positions of a lens.

    Attributes
    ----------
    lens : ndarray, shape (N,), mm
    blade : BladeScan
    before : float, mm
        Where the lens was.
    """

    lens: Array
    blade: BladeScan
    before: float


def find_focus(scan: FocusScan) -> FindingResult:
    """Find the position of the lens at which the spot is smallest.

    The width of a Gaussian beam grows as ``w0 sqrt(1 + ((z - z0) / depth)^2)``: its square is a parabola.

    Returns
    -------
    FindingResult
        Its value is the position of the lens, mm; `settings` has ``focus``. Numbers: width of the spot in focus and
        before (um), depth of the focus (mm), and where the edge is and how wide, for the counts that follow.
    """
    none = np.empty(0)
    curve = FindingCurve(none, none, none, none, none, "position of the lens / mm", "width of the laser spot / um")
    rough = _edge(scan, scan.lens == scan.before)
    if rough is None or not rough.is_seen:
        why = "Dead laser: the diode behind the knife sees no edge of its light. Is it open, strong enough, in reach?"
        return not_found(NAME, UNIT, why, curve, {})
    numbers = {
        "laser_um": (rough.centre, float(rough.stddev[0])),
        "laser_width_um": (rough.width, float(rough.stddev[1])),
    }
    lenses = [each for each in np.unique(scan.lens) if (scan.lens == each).sum() >= LEAST_POINTS]
    if len(lenses) < LEAST_LENSES:
        return not_found(NAME, UNIT, "The lens is still to be moved.", curve, numbers)
    return _judged(scan, np.array(lenses), numbers, curve)


def _edge(scan: FocusScan, used: np.ndarray) -> BeamEdge | None:
    blade = scan.blade
    if used.sum() < LEAST_POINTS:
        return None
    return fit_edge(blade.position[used], blade.laser[used], blade.laser_variance[used])


def _judged(
    scan: FocusScan, lenses: Array, numbers: dict[str, tuple[float, float]], curve: FindingCurve
) -> FindingResult:
    edges = [fit_edge(scan.blade.position[own], scan.blade.laser[own], scan.blade.laser_variance[own])
             for own in (scan.lens == each for each in lenses)]  # fmt: skip
    width = np.array([edge.width for edge in edges])
    error = np.array([float(edge.stddev[1]) for edge in edges])
    z = lenses - lenses.mean()
    basis, weight = np.stack([np.ones_like(z), z, z**2], axis=1), 1 / (2 * width * error)
    covariance = np.linalg.pinv((basis * weight[:, None]).T @ (basis * weight[:, None]))
    constant, slope, bend = (float(each) for each in covariance @ (basis.T @ (weight**2 * width**2)))
    excess = max(float((((basis @ [constant, slope, bend]) - width**2) ** 2 * weight**2).sum()) / (z.size - 3), 1.0)
    covariance = covariance * excess
    if not bend > 4 * sqrt(covariance[2, 2]):
        why = "No focus: the spot has no smallest width in the range of the lens that was scanned; scan a larger one."
        return not_found(NAME, UNIT, why, curve, numbers)
    middle = -slope / (2 * bend)
    gradient = np.array([0.0, -1 / (2 * bend), slope / (2 * bend**2)])
    stddev = sqrt(float(gradient @ covariance @ gradient))
    focus, smallest = middle + float(lenses.mean()), constant - slope**2 / (4 * bend)
    if not smallest > 0:
        return not_found(NAME, UNIT, "No focus: the widths of the spot are no parabola.", curve, numbers)
    numbers = numbers | {
        "width_in_focus_um": (sqrt(smallest), float(error.min())),
        "depth_mm": (sqrt(smallest / bend), nan),
    }
    fine = np.linspace(lenses.min(), lenses.max(), 200)
    fit = np.sqrt(smallest + bend * (fine - focus) ** 2)
    curve = FindingCurve(lenses, width, error, fine, fit, curve.x_label, curve.y_label)
    what = (
        f"The spot of the laser is smallest, {sqrt(smallest):.1f} um, with the lens at {focus:.2f} +- {stddev:.2f} mm;"
        f" before it was {numbers['laser_width_um'][0]:.1f} um"
    )
    found = FindingResult(NAME, focus, stddev, UNIT, GOOD, f"{what}.", curve, {"focus": round(focus, 3)}, numbers)
    if not lenses.min() < focus < lenses.max():
        return found.with_doubt(f"{what}: that is outside of what was searched; search there.")
    return found
