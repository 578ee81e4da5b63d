"""How long moves take, for estimates, and when a temperature is steady."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MoveTimes:
    """How long moves and messages take, for the estimate of a scan's duration.

    Attributes
    ----------
    energy_speed : float
        keV a beamline second.
    fluence_speed : float
        mJ/cm2 a beamline second, on average over its range.
    temperature_speed : float
        K a beamline minute.
    energy_settle, fluence, temperature, delay, laser_shutter, xray_shutter : float
        Beamline seconds: settling of energy, fluence and temperature after a move, and a whole move of the others.
    message : float
        Wall seconds of messages and Channel Access for each move.
    dwell : float
        Wall seconds of messages and Channel Access for each dwell.
    run : float
        Wall seconds of messages and Channel Access for each run: its begin, first readings and end.
    """

    energy_speed: float = 0.02
    energy_settle: float = 0.1
    delay: float = 0.0
    fluence: float = 0.1
    fluence_speed: float = 8.0
    temperature: float = 240.0
    temperature_speed: float = 10.0
    laser_shutter: float = 0.05
    xray_shutter: float = 0.5
    message: float = 0.005
    dwell: float = 0.02
    run: float = 0.15


@dataclass(frozen=True)
class Steadiness:
    """When the temperature of a sample is steady: what a scan waits for after a ramp.

    Attributes
    ----------
    seconds : float
        Beamline seconds for which it has to be within the tolerance of its axis.
    change : float
        K; largest difference between the means of the first and the last third of that time.
    longest : float
        Beamline seconds after the ramp after which the scan fails.
    """

    seconds: float = 60.0
    change: float = 0.1
    longest: float = 1800.0
