"""Time zero of the pump-probe delay: in the whole laser period by all slots, then by the rise in slot 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from reduction.findings.causes import FEW, has_beam, why_no_light
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found
from reduction.findings.onset import NARROW, SIGNIFICANT, AllowedOnset, Onset, SlotTrace, find_onset
from reduction.findings.rise import Rise, fit_rise
from reduction.statistics.quantiles import chi_square_p_value

NAME, UNIT = "time_zero", "ps"
AROUND_RISE = (-400.0, 1800.0)
"""ps after the onset; delays that the rise is fitted to."""
LEAST_POINTS = 12
RISEN = 40.0
"""chi-square by which a rise has to be better than none."""
POOREST = 60.0
"""ps; largest standard deviation of time zero."""
ROUGH = 20.0
"""ps; part of the error of an onset without its rise, whose response and lifetimes are not fitted."""
ANOTHER, LEAST_NEWS = 4.0, 0.05
"""Errors by which the lifetime may differ from the known one, and the least part of its variance that these have."""
UNLIKELY = 1e-4
"""p-value below which a rise is doubtful."""


@dataclass(frozen=True)
class TimeZeroScan:
    """Photons per pulse of each slot against the setting of the delay.

    Attributes
    ----------
    setting : ndarray, shape (N,), ps
        Delay with respect to the t0 of the first count, as set.
    laser_on : ndarray of bool, shape (N,)
    of_rise : ndarray of bool, shape (N,)
        Counts of the rise, which do not help to look for the onset.
    photons, variance : ndarray, shape (N, S)
    spacing : float, ps
        Time between two bunches.
    t0 : float, ps
        Setting of the delay generator at a delay of zero, in the first count.
    i0_rate : ndarray, shape (N,), counts/s
    i0_least : float, counts/s
        From which on there is beam.
    target : float, ps
        Without counts of the rise, the onset alone makes the finding if it is known as closely.
    allowed : AllowedOnset, optional
        Where the transient begins, as far as that is known; anywhere in the period by default.
    delay_sign : int
        Of the delay in the first count: -1 where the delay generator works the other way.
    can_turn : bool
        Whether that can be set.
    lifetime : tuple of float, optional
        ps; of the transient's fast decay and its error, where that is known.
    """

    setting: Array
    laser_on: NDArray[np.bool_]
    of_rise: NDArray[np.bool_]
    photons: Array
    variance: Array
    spacing: float
    t0: float
    i0_rate: Array
    i0_least: float
    target: float = 0.0
    allowed: AllowedOnset | None = None
    delay_sign: int = 1
    can_turn: bool = False
    lifetime: tuple[float, float] | None = None

    def trace(self) -> SlotTrace:
        """All counts but those of the rise."""
        used = ~self.of_rise
        light = self.photons[used]
        return SlotTrace(
            self.setting[used], self.laser_on[used], np.log(light), self.variance[used] / light**2, self.spacing
        )


def locate(scan: TimeZeroScan) -> Onset | None:
    """Where the transient begins, from all counts so far; None if there is no light."""
    return None if _no_light(scan) else find_onset(scan.trace(), scan.allowed)


@dataclass(frozen=True)
class RiseScan:
    """Slot of the onset over all others with the laser on, near the onset, and the rise fitted to it.

    Attributes
    ----------
    since : ndarray, shape (N,), ps
        Time after the middle of the onset.
    value, variance : ndarray, shape (N,)
        Logarithm of the ratio.
    fit : Rise
    """

    since: Array
    value: Array
    variance: Array
    fit: Rise


def measure_rise(scan: TimeZeroScan, found: Onset | None) -> RiseScan | None:
    """Fit the rise; None if the onset is not known closely enough, or with too few counts."""
    if found is None or found.high - found.low > 4 * NARROW:
        return None
    since, value, variance = _rise(scan, found)
    if since.size < LEAST_POINTS:
        return None
    return RiseScan(since, value, variance, fit_rise(since, value, variance, scan.lifetime))


def best_delays(rise: RiseScan, number: int) -> Array:
    """Delays after time zero (ps) at which more counts like those so far say most of it."""
    return rise.fit.best_delays(float(np.median(rise.variance)), number)


def find_time_zero(scan: TimeZeroScan, onset: Onset | None = None, rise: RiseScan | None = None) -> FindingResult:
    """Find time zero.

    Parameters
    ----------
    scan : TimeZeroScan
    onset : Onset, optional
        That of `locate`, which is the same as long as the counts of the rise alone get more.
    rise : RiseScan, optional
        That of `measure_rise`.

    Returns
    -------
    FindingResult
        Setting of the delay generator at which pump and probe coincide, ps; `settings` has ``time_zero`` in s. Numbers:
        by how much t0 was off, sigma of the response, transient, bunches.
    """
    none = np.empty(0)
    curve = FindingCurve(none, none, none, none, none, "time after the onset / ps", "ln(slot 0 / others)")
    found = onset or locate(scan)
    if found is None:
        return not_found(NAME, UNIT, why_no_light(float(scan.photons.sum()), scan.i0_rate, scan.i0_least), curve, {})
    numbers = {"significance": (found.significance, inf), "sign": (float(found.sign), inf)}
    if found.significance < SIGNIFICANT:
        return not_found(NAME, UNIT, _why_no_transient(scan, found), _all_slots(scan, found, curve), numbers)
    if not scan.of_rise.any() and np.hypot(found.stddev, ROUGH) < scan.target:
        return _rough(scan, found, curve)
    rise = rise or measure_rise(scan, found)
    if rise is None:
        why = f"The onset is known within {found.high - found.low:.0f} ps only: count longer."
        return not_found(NAME, UNIT, why, _all_slots(scan, found, curve), numbers)
    shown = rise.since, rise.value, np.sqrt(rise.variance), rise.fit.x, rise.fit.curve
    return _judged(scan, found, rise.fit, FindingCurve(*shown, curve.x_label, curve.y_label))


def _why_no_transient(scan: TimeZeroScan, found: Onset) -> str:
    seen, allowed = f"no slot differs with the laser on ({found.significance:.1f} standard deviations)", scan.allowed
    if allowed is None or not allowed.sign:
        where = "anywhere in its period" if allowed is None else f"within {1e-3 * allowed.high:.3g} ns"
        return f"Dead laser: {seen} {where}. Does it reach the sample, at the spot of the X-rays, with enough energy?"
    return (
        f"No transient: the detector sees the light of the laser, but {seen}"
        f" within {1e-3 * (allowed.high - allowed.low):.3g} ns of it. Does it hit the spot of the X-rays, with enough"
        " energy?"
    )


def _no_light(scan: TimeZeroScan) -> bool:
    return not has_beam(scan.i0_rate, scan.i0_least) or not np.median(scan.photons) > FEW


def _rise(scan: TimeZeroScan, found: Onset, around: tuple[float, float] = AROUND_RISE) -> tuple[Array, Array, Array]:
    """Time after the onset, logarithm of the slot of the onset over all others with the laser on, and its variance."""
    slots = scan.photons.shape[1]
    since = found.sign * scan.setting[:, None] + scan.spacing * np.arange(slots) - found.middle
    since = np.mod(since + 0.5 * slots * scan.spacing, slots * scan.spacing) - 0.5 * slots * scan.spacing
    near = (since > around[0]) & (since < around[1]) & scan.laser_on[:, None]
    rows, pumped = np.nonzero(near)
    light, error = scan.photons, scan.variance
    own, own_variance = light[rows, pumped], error[rows, pumped]
    others = (light.sum(axis=1)[rows] - own) / (slots - 1)
    others_variance = (error.sum(axis=1)[rows] - own_variance) / (slots - 1) ** 2
    order = np.argsort(since[rows, pumped])
    value, variance = np.log(own / others), own_variance / own**2 + others_variance / others**2
    baseline = np.array([_of_slot(scan, slot) for slot in range(slots)])  # slots differ, with the laser off too
    return since[rows, pumped][order], (value - baseline[pumped])[order], variance[order]


def _of_slot(scan: TimeZeroScan, slot: int) -> float:
    """Logarithm of a slot over all others with the laser off."""
    dark = scan.photons[~scan.laser_on].mean(axis=0)
    return float(np.log(dark[slot] / np.delete(dark, slot).mean()))


def _rough(scan: TimeZeroScan, found: Onset, curve: FindingCurve) -> FindingResult:
    """The finding from the onset alone, with all slots in the figure."""
    curve = _all_slots(scan, found, curve)
    numbers = _numbers(scan, found, found.mean, float(np.hypot(found.stddev, ROUGH)))
    what = f"The transient begins at {1e-3 * _t0(scan, numbers):.2f} ns; its rise was not measured"
    return _signed(scan, found, numbers, what, curve)


def _all_slots(scan: TimeZeroScan, found: Onset, curve: FindingCurve) -> FindingCurve:
    """All slots in the whole period, once there are counts without the laser to compare with."""
    if scan.laser_on.all():
        return curve
    since, value, variance = _rise(scan, found, (-inf, inf))
    return replace(curve, x=since, y=value, stddev=np.sqrt(variance))


def _numbers(scan: TimeZeroScan, found: Onset, middle: float, stddev: float) -> dict[str, tuple[float, float]]:
    """What an onset at `middle` (ps) means, as in `Onset.middle`."""
    period = scan.spacing * scan.photons.shape[1]
    off = found.sign * ((middle + 0.5 * period) % period - 0.5 * period)
    if scan.t0 < scan.delay_sign * off:  # a whole period later it is the same for the sample, and within reach
        off -= scan.delay_sign * period
    return {
        "onset_ps": (middle, stddev),
        "off_ps": (off, stddev),
        "off_bunches": (off / scan.spacing, stddev / scan.spacing),
        "significance": (found.significance, inf),
        "sign": (float(found.sign), inf),
    }


def _t0(scan: TimeZeroScan, numbers: dict[str, tuple[float, float]]) -> float:
    return scan.t0 - scan.delay_sign * numbers["off_ps"][0]


def _signed(
    scan: TimeZeroScan, found: Onset, numbers: dict[str, tuple[float, float]], what: str, curve: FindingCurve
) -> FindingResult:
    """The finding, doubted if the sign of the delay is not certain or wrong."""
    t0, stddev = _t0(scan, numbers), numbers["off_ps"][1]
    settings = {"time_zero": 1e-12 * t0}
    if scan.can_turn:
        settings["delay_sign"] = float(scan.delay_sign * found.sign)
    result = FindingResult(NAME, t0, stddev, UNIT, GOOD, f"{what}.", curve, settings, numbers)
    if not found.is_certain:
        return result.with_doubt(f"{what}, but the sign of the delay is not certain: count longer.")
    if found.sign < 0 and scan.can_turn:
        return replace(result, reason=f"{what}; delays ran backwards, a larger one was earlier: their sign is turned.")
    if found.sign < 0:
        why = f"{what}, but delays run backwards: a larger one is earlier. Correct the sign of the delay."
        return result.with_doubt(why)
    return result


def _another_lifetime(scan: TimeZeroScan, rise: Rise) -> str:
    """Whether the counts contradict the lifetime that is known; empty if not, or if none is."""
    if scan.lifetime is None:
        return ""
    (known, error), fitted = scan.lifetime, float(np.exp(rise.parameters[2]))
    prior = (error / known) ** 2  # the fitted one leans on it: by so much less than its error they differ by chance
    if np.log(fitted / known) ** 2 < ANOTHER**2 * max(prior - rise.covariance[2, 2], LEAST_NEWS * prior):
        return ""
    return (
        f"it decays with {fitted:.0f} ps, not with {known:g} +- {error:g} ps: give the lifetime of this sample, or none"
    )


def _judged(scan: TimeZeroScan, found: Onset, rise: Rise, curve: FindingCurve) -> FindingResult:
    of_onset = _numbers(scan, found, found.middle + rise.zero, rise.zero_stddev)  # sign * setting + slot * spacing
    numbers = {
        **of_onset,
        "sigma_ps": (rise.sigma, rise.sigma_stddev),
        "transient": (rise.height, rise.height_stddev),
        "chi_square_per_freedom": (rise.chi_square / max(rise.freedom, 1), inf),
    }
    if rise.gain < RISEN or not rise.zero_stddev < POOREST:
        return not_found(NAME, UNIT, "No rise where the transient begins: count longer.", curve, numbers)
    where = f"Pump and probe coincide at {1e-3 * _t0(scan, numbers):.4f} ns"
    what = f"{where}; t0 was off by {numbers['off_ps'][0]:.1f} ps, the response has {rise.sigma:.0f} ps"
    result = _signed(scan, found, numbers, what, curve)
    if result.verdict == GOOD and (why := _another_lifetime(scan, rise)):
        return result.with_doubt(f"{what}, but {why}.")
    if result.verdict == GOOD and chi_square_p_value(rise.chi_square, max(rise.freedom, 1)) < UNLIKELY:
        return result.with_doubt(f"{what}, but the fit is poor (chi-square {rise.chi_square:.0f} for {rise.freedom}).")
    return result
