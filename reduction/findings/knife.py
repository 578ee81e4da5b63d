"""Knife edges of both beams: where they are at the sample and how wide, by a diode behind two blades.

A blade that covers a Gaussian beam lets through the integral of its profile. The light of the laser is what the diode
sees more with the laser on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, log, sqrt

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ndtr

from reduction.findings.causes import has_beam, why_no_light
from reduction.findings.counts import with_scatter
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found

NAME, UNIT = "knife", "um"
SIGMAS = 2 * sqrt(2 * log(2))
"""Full width at half maximum of a Gaussian over its standard deviation."""
SIGNIFICANT = 20.0
"""Height of an edge over its error from which on there is a beam."""
AXES = ("along", "across")
NARROW, WIDE = 1.0, 600.0
"""um; widths of beams."""
NARROWEST, WIDEST = 0.1, 5e3
"""um; those that are tried."""
PARALLAX = 0.6
"""um; standard deviation of the distance between beams at the sample that are together at the knife: it may stand a bit
before or behind the sample, and they come from two directions."""
POOREST = 3.0
"""um; largest error of a good position."""


@dataclass(frozen=True)
class BeamEdge:
    """A beam behind a blade.

    Attributes
    ----------
    centre, width : float, um
        Position of the blade that halves the beam, and its full width at half maximum.
    height, level : float, counts/s
        Of the whole beam, and behind the blade.
    stddev : ndarray, shape (4,)
        Of these.
    scatter : ndarray, shape (N,), counts/s
        Standard deviation of the points.
    """

    centre: float
    width: float
    height: float
    level: float
    stddev: Array
    scatter: Array

    @property
    def is_seen(self) -> bool:
        """Whether there is a beam."""
        return bool(self.height > SIGNIFICANT * self.stddev[2] and NARROW < self.width < WIDE)

    def at(self, position: Array) -> Array:
        """Light behind the blade, counts/s."""
        return np.asarray(self.level + self.height * ndtr(SIGMAS * (self.centre - position) / self.width))


@dataclass(frozen=True)
class BladeScan:
    """Light behind one blade.

    Attributes
    ----------
    position : ndarray, shape (N,), um
    xrays, laser : ndarray, shape (N,), counts/s
        Of the diode with the laser off, and by how much more it is with the laser on.
    xrays_variance, laser_variance : ndarray, shape (N,)
        Of counting.
    """

    position: Array
    xrays: Array
    laser: Array
    xrays_variance: Array
    laser_variance: Array

    def edge_of_xrays(self) -> BeamEdge:
        """Fitted to the counts with the laser off."""
        return fit_edge(self.position, self.xrays, self.xrays_variance)

    def edge_of_laser(self) -> BeamEdge:
        """Fitted to the differences."""
        return fit_edge(self.position, self.laser, self.laser_variance)


@dataclass(frozen=True)
class KnifeScan:
    """Both blades.

    Attributes
    ----------
    blades : tuple of BladeScan
        Along the flow and across it; the second may be missing while counts go on.
    steering : tuple of float, um
        Where the motors that steer the laser are; empty without them.
    names : tuple of str
        Of these motors.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    """

    blades: tuple[BladeScan, ...]
    steering: tuple[float, ...]
    names: tuple[str, ...]
    i0_rate: Array
    i0_least: float


def find_knife(scan: KnifeScan) -> FindingResult:
    """Find position and width of both beams.

    Returns
    -------
    FindingResult
        Its value is the position of the first motor at which the beams meet, um (without motors: by how much the laser
        is off); `settings` has both. Numbers: positions and widths of X-rays and laser along both axes.
    """
    none = np.empty(0)
    curve = FindingCurve(none, none, none, none, none, "position of the blade / um", "light / (counts/s)")
    if not has_beam(scan.i0_rate, scan.i0_least):
        return not_found(NAME, UNIT, why_no_light(inf, scan.i0_rate, scan.i0_least), curve, {})
    xrays = [blade.edge_of_xrays() for blade in scan.blades]
    laser = [blade.edge_of_laser() for blade in scan.blades]
    curve = _curve(scan.blades[0], laser[0], curve)
    numbers: dict[str, tuple[float, float]] = {}
    for name, own, other in zip(AXES, xrays, laser, strict=False):
        numbers |= _numbers("xrays", name, own) if own.height > SIGNIFICANT * own.stddev[2] else {}
        numbers |= _numbers("laser", name, other) if other.height > SIGNIFICANT * other.stddev[2] else {}
    if not any(edge.height > SIGNIFICANT * edge.stddev[2] for edge in xrays):
        why = "No light behind the knife: is the other blade in the beam, the diode connected?"
        return not_found(NAME, UNIT, why, curve, numbers)
    if not any(edge.height > SIGNIFICANT * edge.stddev[2] for edge in laser):
        why = "Dead laser: the diode behind the knife sees X-rays, but no laser. Is it open, strong enough?"
        return not_found(NAME, UNIT, why, curve, numbers)
    if not all(edge.is_seen for edge in (*xrays, *laser)):
        return not_found(NAME, UNIT, "No edge of a beam within the reach of the blades.", curve, numbers)
    return _judged(scan, xrays, laser, numbers, curve)


def fit_edge(position: Array, value: Array, variance: Array) -> BeamEdge:
    """Fit the edge of a Gaussian beam; the scatter of the points around it gives the errors.

    Parameters
    ----------
    position : ndarray, shape (N,), um
    value, variance : ndarray, shape (N,)
        Light behind the blade, and its counting variance.
    """
    order = np.argsort(position)
    x, y, counting = position[order], value[order], variance[order]
    level, top = float(y[-3:].mean()), float(y[:3].mean())
    last = float(x[y > level + 0.9 * (top - level)].max(initial=x[0]))
    first = float(x[y < level + 0.1 * (top - level)].min(initial=x[-1]))
    width = min(max(abs(first - last), 2 * NARROWEST), 0.5 * WIDEST)
    best = np.array([0.5 * (first + last), log(width), top - level, level])
    scale = max(abs(top - level), 1.0)
    error = counting
    for _ in range(3):  # with the scatter of the fit before
        weight = 1 / np.sqrt(error)

        def residual(p: Array, weight: Array = weight) -> Array:
            return (p[3] + p[2] * ndtr(SIGMAS * (p[0] - x) / np.exp(p[1])) - y) * weight

        found = least_squares(
            residual, best, x_scale=[10.0, 0.3, scale, scale],
            bounds=([x[0], log(NARROWEST), -inf, -inf], [x[-1], log(WIDEST), inf, inf]),
        )  # fmt: skip
        best = found.x
        error = with_scatter(found.fun / weight, np.abs(y) + 1e-3 * scale, counting, max(x.size - 4, 1))
    stddev = np.sqrt(np.diagonal(np.linalg.pinv(found.jac.T @ found.jac)))
    stddev[stddev == 0] = inf  # the counts do not depend on it
    stddev[1] *= np.exp(best[1])
    scatter = np.empty_like(error)
    scatter[order] = np.sqrt(error)
    return BeamEdge(float(best[0]), float(np.exp(best[1])), float(best[2]), float(best[3]), stddev, scatter)


def _numbers(beam: str, axis: str, edge: BeamEdge) -> dict[str, tuple[float, float]]:
    return {
        f"{beam}_{axis}_um": (edge.centre, float(edge.stddev[0])),
        f"{beam}_width_{axis}_um": (edge.width, float(edge.stddev[1])),
    }


def _curve(blade: BladeScan, laser: BeamEdge, curve: FindingCurve) -> FindingCurve:
    """Light of the laser behind the first blade."""
    order = np.argsort(blade.position)
    fine = np.linspace(blade.position.min(), blade.position.max(), 300)
    shown = blade.position[order], blade.laser[order], laser.scatter[order]
    return FindingCurve(*shown, fine, laser.at(fine), curve.x_label, curve.y_label)


def _sentence(off: list[float], errors: list[float], xrays: list[BeamEdge], laser: list[BeamEdge]) -> str:
    if len(off) < 2:
        return "The second blade is still to be scanned"
    away = " and ".join(f"{d:+.1f} +- {error:.1f} um {axis}" for axis, d, error in zip(AXES, off, errors, strict=True))
    spots = (f"{each[0].width:.1f} um by {each[1].width:.1f} um" for each in (laser, xrays))
    return f"The laser is {away} from the X-rays; its spot is {', theirs '.join(spots)}"


def _judged(
    scan: KnifeScan,
    xrays: list[BeamEdge],
    laser: list[BeamEdge],
    numbers: dict[str, tuple[float, float]],
    curve: FindingCurve,
) -> FindingResult:
    off = [other.centre - own.centre for own, other in zip(xrays, laser, strict=True)]
    errors = [hypot(PARALLAX, a.stddev[0], b.stddev[0]) for a, b in zip(xrays, laser, strict=True)]
    settings = {name: round(at - d, 2) for name, at, d in zip(scan.names, scan.steering, off, strict=False)}
    numbers = numbers | {name: (settings[name], error) for name, error in zip(settings, errors, strict=False)}
    what = _sentence(off, errors, xrays, laser)
    value = settings[scan.names[0]] if settings else off[0]
    result = FindingResult(NAME, value, errors[0], UNIT, GOOD, f"{what}.", curve, settings, numbers)
    if len(off) < 2 or not max(errors) < POOREST:
        return result.with_doubt(f"{what}: count longer.")
    return result
