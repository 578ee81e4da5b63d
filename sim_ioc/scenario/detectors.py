"""Truth of the detectors: the avalanche photodiode, its counting chain and its boxcar chain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sim_ioc.scenario.sample import ScenarioTable


class DetectorTruth(ScenarioTable):
    """Avalanche photodiode (APD), discriminator and gate of the counting chain."""

    dark_per_gate: float = Field(default=1e-7, ge=0, le=1, description="in a gate of the width at start-up")
    afterpulse: float = Field(default=1e-4, ge=0, le=0.5, description="probability of a hit caused by the previous hit")
    blinding: float = Field(default=0.0, ge=0, le=0.95, description="fraction of photons lost after a hit")
    dead_time: Literal["non-paralysable", "paralysable"] = Field(
        default="non-paralysable", description="paralysable: unrecorded photons blind and hide too"
    )
    dead_pulse_ns: float = Field(default=8.0, ge=0, le=1e4, description="dead time after a pulse")
    pulse_arrival_ns: float = Field(default=40.0, ge=0, le=1000)
    pulse_length_ns: float = Field(default=8.0, gt=0, le=100)
    gate_tick_ns: float = Field(default=4.0, gt=0, le=100)
    photon_mV: float = Field(default=100.0, gt=0, le=1e4, description="height of one photon at start-up")
    photon_fwhm: float = Field(default=0.22, gt=0, le=1, description="width of the one-photon peak, noise included")
    noise_mV: float = Field(default=4.0, gt=0, le=1e3, description="electronic noise, rms")
    noise_bandwidth_MHz: float = Field(default=100.0, gt=0, le=1e4, description="rate of zero crossings of the noise")
    gate_delay_ticks: int = Field(default=-1, ge=-1, le=1000, description="at start-up; -1: around the pulse")
    gate_width_ticks: int = Field(default=-1, ge=-1, le=1000, description="at start-up; -1: around the pulse")
    is_dead: bool = Field(default=False, description="true: no pulse and no noise reaches the discriminator")
    threshold_mV: float = Field(default=50.0, ge=0, le=1000, description="of the discriminator at start-up")
    hv_V: float = Field(default=380.0, ge=0, le=1e4, description="bias at start-up")
    hv_ramp_V_s: float = Field(default=50.0, gt=0, le=1e6)
    breakdown_V: float = Field(default=420.0, gt=0, le=1e4, description="at temperature_degC")
    breakdown_V_per_K: float = Field(default=0.8, ge=0, le=100)
    gain_exponent: float = Field(default=2.0, ge=0.1, le=10, description="of Miller's formula")
    temperature_degC: float = Field(default=25.0, gt=-200, le=100)
    temperature_swing_K: float = Field(default=0.02, ge=0, le=5, description="amplitude of its slow swing")
    temperature_period_s: float = Field(default=1800.0, gt=0, le=1e6)

    @model_validator(mode="after")
    def _check(self) -> DetectorTruth:
        if self.hv_V > 0.97 * self.breakdown_V:
            raise ValueError(f"hv_V must not exceed 97 % of breakdown_V, {0.97 * self.breakdown_V:g} V")
        if self.noise_mV >= self.photon_mV * self.photon_fwhm / 2.3548:
            raise ValueError(
                "noise_mV must be less than the width of the one-photon peak, photon_mV photon_fwhm / 2.355"
            )
        return self


class SecondApdTruth(DetectorTruth):
    """A second APD on another side of the sample, with a counting chain of its own."""

    solid_angle: float = Field(default=1.0, gt=0, le=100, description="light at the white line relative to the first")
    background: float = Field(default=1.0, ge=0, le=100, description="pre-edge background relative to the first")
    laser_light: float = Field(default=1.0, ge=0, le=1000, description="laser-only photons relative to the first")


class BoxcarTruth(ScenarioTable):
    """Analogue chain of the same detector: amplifier and boxcar."""

    photon_V: float = Field(default=0.04, gt=0, le=10, description="peak of one photon at start-up, negative-going")
    saturation_V: float = Field(default=1.0, gt=0, le=100, description="saturation of the amplifier")
    noise_nV_rtHz: float = Field(default=100.0, ge=0, le=1e6, description="white noise of the amplifier")
    window_start_deg: tuple[float, float] = Field(
        default=(-1.0, -1.0), description="windows at start-up, degrees of the laser period; -1: on the pulses"
    )
    offset_V: float = Field(default=0.005, ge=-1, le=1)
    drift_V: float = Field(default=0.001, ge=0, le=1, description="1/f drift of the offset, rms over 60 s")


class I0Truth(ScenarioTable):
    """Ion chamber in front of the sample."""

    rate_per_s: float = Field(default=1e6, gt=0, le=1e8)
    dark_per_s: float = Field(default=1e3, ge=0, le=1e8)
    noise: float = Field(default=1e-3, ge=0, le=0.5, description="relative, for each count")
    nonlinearity: float = Field(default=1e-3, ge=-0.5, le=0.5, description="excess at the nominal current")
    by_phase_noise: float = Field(
        default=5e-3, ge=0, le=0.5, description="relative, of each phase of the fast monitor in a dwell of 1 s"
    )
    gain_V_per_A: float = Field(default=1e8, ge=1, le=1e13, description="amplifier gain that the rates refer to")
    highest_rate_per_s: float = Field(default=2e7, gt=0, le=1e12, description="of the amplifier's counter")


class TransmissionTruth(ScenarioTable):
    """Ionisation chambers behind the sample, and behind a foil behind it, on channels 3 and 4 of the scaler."""

    rate_per_s: float = Field(default=5e5, gt=0, le=1e8, description="without any sample, at the nominal current")
    dark_per_s: float = Field(default=100.0, ge=0, le=1e8, description="of each chamber")
    noise: float = Field(default=2e-4, ge=0, le=0.5, description="relative, for each count of each chamber")
    step: float = Field(default=0.05, ge=0, le=10, description="absorbance of one edge step of the sample")
    foil_e0_keV: float = Field(default=13.4737, gt=1, lt=100, description="steepest rise of the foil, true energy")
    foil_step: float = Field(default=1.0, gt=0, le=10, description="absorbance of its edge")
    foil_width_eV: float = Field(default=2.5, gt=0, le=100, description="full width of the arctangent's derivative")
