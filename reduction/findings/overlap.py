"""Overlap of laser and X-rays: the transient against two motors that steer the laser.

The transient is the difference between the slots of the same shots: whatever each slot sees of it, all see it in
proportion to the fluence at the spot of the X-rays. The slots at all positions are therefore a constant, which slots
have without a transient, plus one unknown pattern of slots times a Gaussian of the position. That holds at any delay,
with time zero known or not, and has no use for the noise of the jet.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from reduction.findings.causes import FEW, has_beam, why_no_light
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found

NAME, UNIT = "overlap", "um"
SIGNIFICANT = 6.0
"""Standard deviations from which on there is a transient."""
CANDIDATES = 31
"""Positions along each motor at which the search starts."""
WIDTH_STDDEV = 0.4
"""Of the logarithm of a width before any count."""
BY_KNIFE = 0.05
"""The same where a knife has measured it: a spot is no perfect Gaussian."""
POOREST = 5.0
"""um; largest error of a good position."""
TRIALS = np.linspace(-1.0, 1.0, CANDIDATES)
CLOSE = 1.5
"""Widths from the middle at which the search stops outside of the positions counted."""


@dataclass(frozen=True)
class OverlapScan:
    """Photons per pulse of each slot with the laser on, against the position of the laser.

    Attributes
    ----------
    along, across : ndarray, shape (N,), um
        Positions of both motors.
    photons, variance : ndarray, shape (N, S)
    before : tuple of float, um
        Where the motors were.
    expected : float, um
        Full width at half maximum of the laser spot, roughly.
    names : tuple of str
        Of the two settings.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    beams : FindingResult, optional
        That of a knife: where the beams meet and the widths of the laser spot, before any count of the transient.
    """

    along: Array
    across: Array
    photons: Array
    variance: Array
    before: tuple[float, float]
    expected: float
    names: tuple[str, str]
    i0_rate: Array
    i0_least: float
    beams: FindingResult | None = None

    def meeting(self) -> tuple[Array, Array]:
        """Where the beams meet by the knife, and its errors; without one anywhere."""
        if self.beams is None or self.beams.verdict != GOOD:
            return np.zeros(2), np.full(2, inf)
        value, stddev = np.array([self.beams.numbers[name] for name in self.names]).T
        return value, stddev

    def widths(self) -> tuple[Array, Array]:
        """Logarithms of the widths of the spot before any count, and their errors: the X-rays make it a bit wider."""
        if self.beams is None or self.beams.verdict != GOOD:
            return np.full(2, np.log(self.expected)), np.full(2, WIDTH_STDDEV)
        laser, xrays = (
            np.array([self.beams.numbers[f"{beam}_width_{axis}_um"] for axis in ("along", "across")])
            for beam in ("laser", "xrays")
        )
        return np.log(np.hypot(laser[:, 0], xrays[:, 0])), np.hypot(laser[:, 1] / laser[:, 0], BY_KNIFE)


@dataclass(frozen=True)
class _Slots:
    """Logarithms of the slots without what the slots of a count have in common, and their errors; shape (N, S)."""

    value: Array
    error: Array

    def without_common(self, value: Array) -> Array:
        weight = self.error**-2
        return np.asarray(value - ((weight * value).sum(axis=1) / weight.sum(axis=1))[:, None])


def find_overlap(scan: OverlapScan) -> FindingResult:
    """Find where the laser hits the spot of the X-rays.

    Returns
    -------
    FindingResult
        Its value is the position of the first motor, um; `settings` has both. Numbers: both positions, widths of the
        spot (full widths at half maximum, um), significance, and the share of the fluence that the X-rays saw before.
    """
    none = np.empty(0)
    curve = FindingCurve(none, none, none, none, none, "distance from the overlap / um", "transient, relative")
    if not has_beam(scan.i0_rate, scan.i0_least) or not np.median(scan.photons) > FEW:
        return not_found(NAME, UNIT, why_no_light(float(scan.photons.sum()), scan.i0_rate, scan.i0_least), curve, {})
    slots = _slots(scan)
    found, significance = _fit(scan, slots)
    share = _share(found.x, np.array(scan.before[0]), np.array(scan.before[1]))
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    stddev = np.sqrt(np.diagonal(covariance))
    numbers = {
        scan.names[0]: (float(found.x[0]), float(stddev[0])),
        scan.names[1]: (float(found.x[1]), float(stddev[1])),
        "width_along_um": _width(found.x[2], stddev[2]),
        "width_across_um": _width(found.x[3], stddev[3]),
        "share_before": (float(share), _share_error(found.x, covariance, scan)),
        "significance": (significance, inf),
        **_of_beams(scan),
    }
    if significance < SIGNIFICANT:
        why = (
            f"Dead laser: slots do not depend on the position of the laser ({significance:.1f} standard deviations)."
            " Is it open, locked, strong enough, and within the range of the search?"
        )
        return not_found(NAME, UNIT, why, curve, numbers)
    return _judged(scan, found, stddev, numbers, _curve(scan, slots, found.x, curve))


def _of_beams(scan: OverlapScan) -> dict[str, tuple[float, float]]:
    """Positions and widths of both beams by the knife, if there is one."""
    beams = {} if scan.beams is None else scan.beams.numbers
    return {key: pair for key, pair in beams.items() if key.startswith(("xrays_", "laser_")) and key not in scan.names}


def _slots(scan: OverlapScan) -> _Slots:
    error = np.sqrt(scan.variance) / scan.photons
    raw = _Slots(np.log(scan.photons), error)
    return _Slots(raw.without_common(raw.value), error)


def _share(x: Array, along: Array, across: Array) -> Array:
    """Fluence relative to that of the middle; `x` has positions and logarithms of widths."""
    widths = np.exp(x[2:4])
    return np.asarray(0.5 ** (4 * (((along - x[0]) / widths[0]) ** 2 + ((across - x[1]) / widths[1]) ** 2)))


def _left(slots: _Slots, share: Array) -> tuple[Array, Array]:
    """Residuals over errors, shape (N, S), and the pattern of the slots, for a share at each position."""
    weight = slots.error**-2
    mean = (weight * share[:, None]).sum(axis=0) / weight.sum(axis=0)
    centred = share[:, None] - mean
    value = slots.value - (weight * slots.value).sum(axis=0) / weight.sum(axis=0)
    pattern = (weight * centred * value).sum(axis=0) / np.maximum((weight * centred**2).sum(axis=0), 1e-300)
    return (value - centred * pattern) / slots.error, pattern


def _fit(scan: OverlapScan, slots: _Slots) -> tuple[OptimizeResult, float]:
    """Positions and logarithms of widths, and the significance of the transient."""
    width, known_to = scan.widths()
    constant = float((_left(slots, np.zeros(scan.along.size))[0] ** 2).sum())

    def chi_square(x: Array) -> float:
        return float((_left(slots, _share(x, scan.along, scan.across))[0] ** 2).sum())

    meet, met_to = scan.meeting()

    def residual(x: Array) -> Array:
        own = _left(slots, _share(x, scan.along, scan.across))[0].ravel()
        return np.concatenate([own, (x[2:] - width) / known_to, (x[:2] - meet) / met_to])

    best = np.array([*meet, *width]) if np.isfinite(met_to).all() else min(_starts(scan, width), key=chi_square)
    found = least_squares(residual, best, x_scale=[10.0, 10.0, 0.3, 0.3], max_nfev=60)
    return found, sqrt(max(constant - chi_square(found.x), 0.0))


def _starts(scan: OverlapScan, width: Array) -> list[Array]:
    """Positions and logarithms of widths from which the fit may begin."""
    return [
        np.array([a, b, *width])
        for a in _middle(scan.along) + _reach(scan.along) * TRIALS
        for b in _middle(scan.across) + _reach(scan.across) * TRIALS
    ]


def _middle(position: Array) -> float:
    return 0.5 * float(position.min() + position.max())


def _reach(position: Array) -> float:
    return 0.5 * float(np.ptp(position))


def _width(logarithm: float, stddev: float) -> tuple[float, float]:
    return float(np.exp(logarithm)), float(np.exp(logarithm) * stddev)


def _share_error(x: Array, covariance: Array, scan: OverlapScan) -> float:
    """Standard deviation of the share before, to first order."""
    before = np.array(scan.before[0]), np.array(scan.before[1])
    steps = (0.1, 0.1, 1e-3, 1e-3)
    slope = np.array(
        [
            (_share(x + step * unit, *before) - _share(x - step * unit, *before)) / (2 * step)
            for step, unit in zip(steps, np.eye(4), strict=True)
        ]
    )
    return float(np.sqrt(slope @ covariance @ slope))


def _curve(scan: OverlapScan, slots: _Slots, x: Array, curve: FindingCurve) -> FindingCurve:
    """Transient of each count, projected on the pattern of the slots, against the distance from the overlap."""
    share = _share(x, scan.along, scan.across)
    _, pattern = _left(slots, share)
    weight = slots.error**-2
    offset = ((weight * (slots.value - share[:, None] * pattern)).sum(axis=0) / weight.sum(axis=0))[None]
    norm = (weight * pattern**2).sum(axis=1)
    seen = (weight * (slots.value - offset) * pattern).sum(axis=1) / norm
    widths = np.exp(x[2:4])
    mean = float(np.sqrt(widths.prod()))
    away = mean * np.hypot((scan.along - x[0]) / widths[0], (scan.across - x[1]) / widths[1])
    order = np.argsort(away)
    fine = np.linspace(0.0, float(away.max()), 200)
    fit = 0.5 ** (4 * (fine / mean) ** 2)
    return FindingCurve(away[order], seen[order], (norm**-0.5)[order], fine, fit, curve.x_label, curve.y_label)


def _judged(
    scan: OverlapScan,
    found: OptimizeResult,
    stddev: Array,
    numbers: dict[str, tuple[float, float]],
    curve: FindingCurve,
) -> FindingResult:
    (along, across), widths = found.x[:2], np.exp(found.x[2:])
    share, error = numbers["share_before"]
    settings = {name: round(float(each), 2) for name, each in zip(scan.names, found.x[:2], strict=True)}
    what = (
        f"Both spots meet at {along:.1f} +- {stddev[0]:.1f} um and {across:.1f} +- {stddev[1]:.1f} um; the laser spot"
        f" is {widths[0]:.0f} um by {widths[1]:.0f} um; before, the X-rays saw {100 * share:.0f} +- {100 * error:.0f} %"
        " of its fluence"
    )
    result = FindingResult(NAME, float(along), float(stddev[0]), UNIT, GOOD, f"{what}.", curve, settings, numbers)
    if not stddev[:2].max() < POOREST:
        return result.with_doubt(f"{what}: count longer.")
    for position, centre, width in ((scan.along, along, widths[0]), (scan.across, across, widths[1])):
        if not position.min() - 0.5 * width < centre < position.max() + 0.5 * width:
            return result.with_doubt(f"{what}: that is outside of what was searched; search there.")
    return result
