"""Flux and jet, from a series of equal counts at one setting: what is counted, how much, and how steadily.

Noise is given as Allan deviation (Allan, Proc. IEEE 54, 221 (1966)): half the mean square of the difference between
neighbouring counts. Slow drifts do not enter it, and for noise of 1/f it is the same for every dwell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, expm1, nan, sqrt

import numpy as np

from reduction.findings.causes import FEW, has_beam, why_no_light
from reduction.findings.counts import photons_per_gate
from reduction.findings.finding import GOOD, Array, FindingCurve, FindingResult, not_found
from reduction.findings.flux_knobs import AIM, BRIGHT, NO_KNOBS, FluxKnobs

LEAST_COUNTS = 16
DIM = 0.01
"""Photons per pulse below which counting is slow."""
SATURATED = 0.9
"""Hits per gate of a bunch from which on it is all but saturated."""
I0_NOISE = 5e-3
"""Relative noise of I0 above which it spoils spectra."""
NONLINEAR = 0.01
"""Relative non-linearity of I0 above which it spoils comparisons of different flux."""
RHYTHM = np.array([1.0, -1.0, -1.0, 1.0])
"""Laser on, off, off, on."""
PATTERNS = 3
"""Fewest repeats of the rhythm in the series from which its noise is known."""
ERROR = 1e-3
"""Relative error of one slot for which the time is given."""


@dataclass(frozen=True)
class Attenuated:
    """Photons per pulse and I0 (counts/s) of counts with the full flux and with filters; shape (M,)."""

    photons: Array
    rate: Array

    def nonlinearity(self) -> tuple[float, float]:
        """By how much more I0 shows at the highest flux than at none, relative, and its error.

        The detector, corrected for pile-up, is the reference. The scatter of the points gives the errors: a jet
        scatters by more than the counts.
        """
        share = self.rate / self.rate.max()
        ratio = self.rate / self.photons
        basis = np.stack([np.ones_like(share), share], axis=1)
        found, *_ = np.linalg.lstsq(basis, ratio, rcond=None)
        scatter = float(((ratio - basis @ found) ** 2).sum()) / max(ratio.size - 2, 1)
        covariance = scatter * np.linalg.pinv(basis.T @ basis)
        return float(found[1] / found[0]), float(np.sqrt(covariance[1, 1]) / abs(found[0]))


@dataclass(frozen=True)
class Series:
    """Equal counts, one after the other, laser off.

    Attributes
    ----------
    hits, gates : ndarray, shape (N, P)
    i0 : ndarray, shape (N,), counts
    seconds : ndarray, shape (N,)
        Of I0.
    dwell : float, s
    slots : int
        Bunches from one pump to the next.
    i0_least : float, counts/s
        From which on there is beam.
    overhead : float, s
        Time lost with each dwell.
    """

    hits: Array
    gates: Array
    i0: Array
    seconds: Array
    dwell: float
    slots: int
    i0_least: float
    overhead: float

    @property
    def rate(self) -> Array:
        """Of I0, counts/s."""
        return self.i0 / self.seconds

    def photons(self) -> tuple[Array, Array]:
        """Photons per pulse of each count, mean of all phases, and its variance."""
        mean, variance = photons_per_gate(self.hits, self.gates)
        return mean.mean(axis=1), variance.mean(axis=1) / mean.shape[1]


def find_flux(series: Series, filtered: Attenuated | None = None, knobs: FluxKnobs = NO_KNOBS) -> FindingResult:
    """Photons per pulse, pile-up, saturation, noise and linearity of I0, with what to do about them.

    Parameters
    ----------
    series : Series
    filtered : Attenuated, optional
        Counts with less flux.
    knobs : FluxKnobs
        By which it can be changed.

    Returns
    -------
    FindingResult
        Its value is the mean number of photons per pulse in these counts, with the error of counting; `find_jet` has
        by how much the next ones differ. Numbers: hits lost to pile-up, hits per gate of the brightest
        bunch, noise of I0, factor to attenuate by, and beam time for an error of 0.1 % in one slot. `settings` has
        ``attenuator`` and ``i0_gain`` as far as they should be others.
    """
    name, unit = "flux", "photons"
    value, variance = series.photons()
    time: Array = np.arange(value.size, dtype=np.float64) * series.dwell
    none = np.empty(0)
    curve = FindingCurve(time, value, np.sqrt(variance), none, none, "time / s", "photons per pulse")
    if why := _why_not(series, value):
        return not_found(name, unit, why, curve, {})
    mu = float(value.mean())
    stddev = sqrt(float(variance.mean()) / value.size)
    numbers = _numbers_of_flux(series, mu, stddev, filtered)
    brightest, noise, factor, seconds = (
        numbers[key][0]
        for key in ("brightest_hits_per_gate", "i0_noise", "attenuate_by", "seconds_for_one_in_thousand")
    )
    what = (
        f"{mu:.3g} photons per pulse, {100 * numbers['pile_up'][0]:.1f} % of them behind another one; I0 has a noise of"
        f" {100 * noise:.2g} %; 0.1 % in one slot takes {seconds:.3g} s"
    )
    settings = knobs.settings(mu, float(series.rate.mean()))
    found = FindingResult(name, mu, stddev, unit, GOOD, f"{what}.", curve, settings, numbers)
    if settings:
        wanted = " and ".join(f"{key} {value:g}" for key, value in settings.items())
        return replace(found, reason=f"{what}; recommended: {wanted}.")
    if brightest > SATURATED:
        return found.with_doubt(f"{what}, but the brightest bunch is saturated: attenuate by {mu / AIM:.2g}.")
    if mu > BRIGHT:
        return found.with_doubt(f"{what}: attenuate by {factor:.2g}, to {AIM} photons.")
    bent, error = numbers["i0_nonlinearity"]
    if abs(bent) > max(NONLINEAR, 4 * error):
        return found.with_doubt(f"{what}: I0 is not linear ({100 * bent:+.1f} %). Its dark, its gain, its voltage?")
    if noise > I0_NOISE:
        return found.with_doubt(f"{what}: raise the gain of I0, or look for its noise.")
    return replace(found, reason=f"{what}: more solid angle, sample or flux would help.") if mu < DIM else found


def _numbers_of_flux(
    series: Series, mu: float, stddev: float, filtered: Attenuated | None
) -> dict[str, tuple[float, float]]:
    slot_gates = float(series.gates.sum()) / series.slots / (len(series.hits) * series.dwell)
    return {
        "pile_up": (1 + expm1(-mu) / mu, exp(-mu) * stddev),
        "brightest_hits_per_gate": (float((series.hits.sum(axis=0) / series.gates.sum(axis=0)).max()), nan),
        "i0_noise": allan_deviation(np.log(series.rate), np.zeros(len(series.hits))),
        "attenuate_by": (mu / AIM if mu > BRIGHT else 1.0, nan),
        "seconds_for_one_in_thousand": (2 * expm1(mu) / (mu**2 * slot_gates * ERROR**2), nan),
        "i0_nonlinearity": filtered.nonlinearity() if filtered is not None else (nan, nan),
    }


def find_jet(series: Series) -> FindingResult:
    """Stability of the jet, and the dwell at which laser on and off are best compared.

    Returns
    -------
    FindingResult
        Its value is the Allan deviation of the sample's thickness at the dwell of the series, percent, without the
        noise of I0. Numbers: exponent of its spectrum, the best dwell of a rhythm on-off-off-on, and how many times
        counting statistics the error of the difference is with it.
    """
    name, unit = "jet", "%"
    value, variance = series.photons()
    none = np.empty(0)
    curve = FindingCurve(none, none, none, none, none, "dwell / s", "error of on - off after 1 s of beam / %")
    if why := _why_not(series, value):
        return not_found(name, unit, why, curve, {})
    thickness, relative = np.log(value / series.rate), variance / value**2
    deviation, error = sample_deviation(np.log(value), np.log(series.rate), relative)
    dwell, total, counting = _errors_of_rhythm(thickness, relative, series)
    best = int(np.argmin(total))
    numbers = {
        "spectrum_exponent": _exponent(thickness),
        "best_dwell_s": (float(dwell[best]), nan),
        "over_counting": (float(total[best] / counting[best]), nan),
    }
    scatter = total / np.sqrt(2 * np.maximum(value.size * series.dwell / (4 * dwell) - 1, 1))
    curve = FindingCurve(dwell, 100 * total, 100 * scatter, dwell, 100 * counting, curve.x_label, curve.y_label)
    what = (
        f"The sample scatters by {100 * deviation:.2g} % between dwells of {series.dwell:g} s; laser on and off are"
        f" best compared with dwells of {dwell[best]:.2g} s, where the error is"
        f" {numbers['over_counting'][0]:.2g} times that of counting"
    )
    return FindingResult(name, 100 * deviation, 100 * error, unit, GOOD, f"{what}.", curve, {}, numbers)


def allan_deviation(value: Array, variance: Array) -> tuple[float, float]:
    """Allan deviation of a series without its counting variance, and the error of it; 0 if it is less than that.

    Parameters
    ----------
    value, variance : ndarray, shape (N,)
    """
    total = 0.5 * float((np.diff(value) ** 2).mean())
    own = max(total - float(variance.mean()), 0.0)
    error = total * sqrt(3 / value.size)  # of the variance, for white noise; a little less for slower noise
    return sqrt(own), error / (2 * sqrt(own)) if own > error else sqrt(error)


def sample_deviation(photons: Array, rate: Array, variance: Array) -> tuple[float, float]:
    """Allan deviation of the sample alone, and its error.

    Photons have the noise of sample and flux, I0 that of flux and chamber, their ratio that of sample and chamber: the
    three differences give each alone (Gray and Allan, Proc. 28th Frequency Control Symposium, 243 (1974)).

    Parameters
    ----------
    photons, rate : ndarray, shape (N,)
        Logarithms of photons per pulse and of I0.
    variance : ndarray, shape (N,)
        Counting variance of the first.
    """
    moved, apart = np.diff(photons), np.diff(photons - rate)
    product = float((moved * apart).mean())
    own = max(0.5 * product - float(variance.mean()), 0.0)
    square = float((moved**2).mean() * (apart**2).mean()) + product**2  # variance of a product of Gaussian numbers
    lags = sum((float((apart[lag:] * apart[:-lag]).mean()) / float((apart**2).mean())) ** 2 for lag in (1, 2))
    error = 0.5 * sqrt(square * (1 + 2 * lags) / moved.size)
    return sqrt(own), error / (2 * sqrt(own)) if own > error else sqrt(error)


def _why_not(series: Series, value: Array) -> str:
    """Why there is nothing to say; empty if there is."""
    if not has_beam(series.rate, series.i0_least) or not value.mean() > FEW:
        return why_no_light(float(series.hits.sum()), series.rate, series.i0_least)
    if not np.isfinite(value).all():
        return "Hits in every gate: attenuate, or find threshold and gate first."
    return f"Only {value.size} counts: at least {LEAST_COUNTS} show the noise." if value.size < LEAST_COUNTS else ""


def _errors_of_rhythm(thickness: Array, relative: Array, series: Series) -> tuple[Array, Array, Array]:
    """Dwells, and for each the relative error of on - off after a second of beam: in total, and by counting alone."""
    found = []
    for block in range(1, thickness.size // (4 * PATTERNS) + 1):
        pattern = np.repeat(RHYTHM, block) / (2 * block)
        difference = np.convolve(thickness, pattern[::-1], mode="valid")
        spent = 4 * (block * series.dwell + series.overhead)
        counting = float(relative.mean()) / block * spent
        found.append((block * series.dwell, max(float((difference**2).mean()) * spent, counting), counting))
    dwell, total, counting_only = np.array(found).T
    return dwell, np.sqrt(total), np.sqrt(counting_only)


def _exponent(value: Array) -> tuple[float, float]:
    """Exponent of the power spectrum in its lower half, and its error; -1 for noise of 1/f."""
    power = np.abs(np.fft.rfft(value - value.mean())[1 : max(value.size // 4, 6)]) ** 2
    x = np.log(np.arange(1, power.size + 1))
    x, y = x - x.mean(), np.log(power)
    slope = float((x * y).sum() / (x**2).sum())
    return slope, float(np.pi / sqrt(6) / np.sqrt((x**2).sum()))  # a logarithm of chi-square of 2 has this scatter
