"""Absorbance of the filters and gain of the amplifier of I0 that suit a flux."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, log, log10, nan

BRIGHT = 0.5
"""Photons per pulse above which attenuation helps."""
GAIN_RANGE = 20.0
"""Of the rates of I0 for which its gain is left as it is."""
SAME = 0.2
"""Absorbance; a smaller change is not worth while."""
AIM = 0.3
"""Photons per pulse to attenuate to: pile-up of unequal bunches is then below a percent of the transient."""


@dataclass(frozen=True)
class FluxKnobs:
    """What the flux and the gain of I0 are set by; NaN where there is no such device.

    Attributes
    ----------
    absorbance, least_absorbance : float
        Of the attenuator now, and without filters.
    i0_most : float, counts/s
        Of I0, up to which its amplifier is used.
    gain : float, V/A
        Of the amplifier of I0.
    """

    absorbance: float = nan
    least_absorbance: float = nan
    i0_most: float = nan
    gain: float = nan

    def settings(self, photons: float, i0_rate: float) -> dict[str, float]:
        """Absorbance for `AIM` photons per pulse, or without filters where there are fewer; gain for I0 below its most.

        An absorbance within `SAME` of the best one stays, and a gain within a factor of `GAIN_RANGE`.
        """
        found: dict[str, float] = {}
        if self.absorbance >= 0 and (photons > BRIGHT or self.absorbance > self.least_absorbance):
            wanted = round(max(self.absorbance + log(photons / AIM), self.least_absorbance), 3)
            if abs(wanted - self.absorbance) > SAME:
                found["attenuator"] = wanted
        passed = exp(self.absorbance - found["attenuator"]) if "attenuator" in found else 1.0
        if self.gain > 0 and not self.i0_most / GAIN_RANGE < i0_rate * passed < self.i0_most:
            found["i0_gain"] = _step_below(self.gain * self.i0_most / (i0_rate * passed))
        return found


def _step_below(gain: float) -> float:
    """The highest gain of 1, 2 or 5 times a power of ten that is not above."""
    power = 10.0 ** floor(log10(gain))
    return float(max(each * power for each in (1.0, 2.0, 5.0) if each * power <= gain * (1 + 1e-9)))


NO_KNOBS = FluxKnobs()
"""Of a station without filters and gain."""
