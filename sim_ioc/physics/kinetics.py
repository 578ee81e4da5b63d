"""Size of the transient against pump-probe delay and pump fluence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, erfcx

from sim_ioc.scenario.scenario import FluenceTruth, JetTruth, KineticsTruth, LaserTruth, ScenarioError

FloatArray = NDArray[np.float64]

REFERENCE_DELAY_PS = 100.0


def exponential_response(delay_ps: ArrayLike, lifetime_ps: float, sigma_ps: float) -> FloatArray:
    """Exponential decay that starts at zero delay, convolved with a Gaussian of unit area.

    The closed form is (1/2) exp(s^2/2T^2 - t/T) erfc(s/(sqrt2 T) - t/(sqrt2 s)); where its exponential
    would overflow it is written with the scaled function erfcx.

    Parameters
    ----------
    delay_ps
        Any shape.
    lifetime_ps
        Lifetime T; infinity gives a step.
    sigma_ps
        Standard deviation s of the response.
    """
    t = np.asarray(delay_ps, dtype=float)
    z = sigma_ps / (np.sqrt(2) * lifetime_ps) - t / (np.sqrt(2) * sigma_ps)
    before = 0.5 * np.exp(-0.5 * (t / sigma_ps) ** 2) * erfcx(np.maximum(z, 0.0))
    exponent = np.minimum(0.5 * (sigma_ps / lifetime_ps) ** 2 - t / lifetime_ps, 0.0)
    after = 0.5 * np.exp(exponent) * erfc(np.minimum(z, 0.0))
    return np.where(z > 0, before, after)


class PumpResponse:
    """Transient amplitude, 1 at 100 ps and nominal fluence, for a probe at any time in the laser period.

    Every pump contributes: the last one, the next one (whose rise starts early by the response) and, unless
    the spot is fresh, the earlier ones. An earlier pump contributes less because the jet has carried its spot
    away: the overlap is that of two Gaussians (laser spot, probe spot) at the distance flown.
    """

    def __init__(self, kinetics: KineticsTruth, laser: LaserTruth, jet: JetTruth, laser_period_ps: float) -> None:
        self._kinetics = kinetics
        self._period_ps = laser_period_ps
        self._speed_um_ps = jet.speed_m_s * 1e-6
        self._width_um = float(np.hypot(laser.spot_fwhm_um, jet.probe_spot_um))
        self._num_earlier = 0 if kinetics.fresh_spot else self._pumps_in_view()
        self._scale = 1.0
        reference = float(self.amplitude(REFERENCE_DELAY_PS))
        if not reference > 0:
            raise ScenarioError("kinetics.amplitudes must add up to a positive transient at 100 ps")
        self._scale = 1.0 / reference

    def _pumps_in_view(self) -> int:
        farthest_um = 2.5 * self._width_um  # overlap 3e-8
        return int(farthest_um / (self._speed_um_ps * self._period_ps)) + 1

    def _one_pump(self, delay_ps: FloatArray) -> FloatArray:
        total = np.zeros_like(delay_ps)
        for lifetime, amplitude in zip(self._kinetics.lifetimes_ps, self._kinetics.amplitudes, strict=True):
            total += amplitude * exponential_response(delay_ps, lifetime, self._kinetics.response_sigma_ps)
        if self._kinetics.fresh_spot:
            return total
        flown = np.maximum(delay_ps, 0.0) * self._speed_um_ps / self._width_um
        return total * np.exp(-4 * np.log(2) * flown**2)

    def amplitude(self, delay_ps: ArrayLike) -> FloatArray:
        """Transient amplitude at a delay (ps) after a pump; periodic with the laser period; any shape."""
        since_last = np.mod(np.asarray(delay_ps, dtype=float), self._period_ps)
        pumps = np.arange(-1, self._num_earlier + 1) * self._period_ps
        return self._scale * self._one_pump(since_last[..., np.newaxis] + pumps).sum(axis=-1)


def fluence_response(fluence_mJ_cm2: ArrayLike, fluence: FluenceTruth) -> FloatArray:
    """Transient amplitude relative to the nominal fluence: linear, then a plateau.

    F / (1 + (F/Fs)^n)^(1/n), divided by its value at the nominal fluence.
    """

    def saturating(value: ArrayLike) -> FloatArray:
        f = np.asarray(value, dtype=float)
        return f / (1 + (f / fluence.saturation_mJ_cm2) ** fluence.sharpness) ** (1 / fluence.sharpness)

    return np.asarray(saturating(fluence_mJ_cm2) / saturating(fluence.nominal_mJ_cm2))
