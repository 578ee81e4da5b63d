"""Two boxcars and the periodic waveform analyser (PWA) of one instrument, on the analogue signal of the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_ioc.instruments.acquisition import Acquisition
from sim_ioc.instruments.early_draw import EarlyDraw
from sim_ioc.physics.boxcar_signal import Heights, LaserPeriod, Window, block_variance, pulse_area, pulse_heights
from sim_ioc.physics.noise import PinkNoise
from sim_ioc.physics.truth import ForwardModel
from sim_ioc.physics.world import Slice, World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out, double_waveform, long_in, long_out, states
from sim_ioc.timebase.timeline import Timeline

FloatArray = NDArray[np.float64]

PREFIX = "7idd:UHF:"
VOLTS, DEGREES, SECONDS = Shown("V", 6), Shown("deg", 3), Shown("s", 12)
SHORTEST_WINDOW_S = 5e-10
MOST_PERIODS = 2**20
WAVEFORM_POINTS = 1024
SWITCH = ("Off", "On")


@dataclass(frozen=True)
class Reading:
    """Result of a boxcar acquisition; NaN where there are too few samples."""

    value: float
    stddev: float
    samples: int
    overload: bool


@dataclass(frozen=True)
class JetStretch:
    """A stretch of time with constant jet thickness: its fraction of the window, and its pulses, [K, S]."""

    fraction: float
    heights: Heights


class BoxcarRecords:
    """Records of one boxcar."""

    def __init__(self, world: World, number: int, window: Window) -> None:
        self._world = world
        self.window = Timeline(window)
        longest_s = 1 / world.model.laser_rate_hz
        angle = Limits(0.0, 360.0)
        self._start = analog_out(window.start_deg, DEGREES, angle, "window, in the laser period", self._put)
        self._size = analog_out(
            window.size_s, SECONDS, Limits(SHORTEST_WINDOW_S, longest_s), "length of both windows", self._put
        )
        self._periods = long_out(
            window.periods, Shown(), Limits(1, MOST_PERIODS), "laser periods averaged to a sample", self._put
        )
        self._enable = states(
            SWITCH[window.has_baseline], SWITCH, "bo", "whether the baseline window is subtracted", self._put
        )
        self._baseline = analog_out(
            window.baseline_deg, DEGREES, angle, "baseline window, in the laser period", self._put
        )
        self._value = analog_in(0.0, VOLTS, "mean in the window less baseline; pulses are negative")
        self._stddev = analog_in(0.0, VOLTS, "standard deviation of one sample")
        self._samples = long_in(0, Shown(), "number of samples in the mean")
        self._overload = states("Fine", ("Fine", "Overload"), "bi", "whether a pulse in a window was clipped")
        self.records = self._records(f"{PREFIX}BOX{number}:")

    def _records(self, prefix: str) -> dict[str, Any]:
        return {
            f"{prefix}WindowStart": self._start,
            f"{prefix}WindowSize": self._size,
            f"{prefix}Periods": self._periods,
            f"{prefix}BaselineEnable": self._enable,
            f"{prefix}BaselineStart": self._baseline,
            f"{prefix}Value": self._value,
            f"{prefix}StdDev": self._stddev,
            f"{prefix}NumSamples": self._samples,
            f"{prefix}Overload_RBV": self._overload,
        }

    async def _put(self, _: object) -> None:
        """Apply the settings to the next acquisition."""
        window = Window(
            float(self._start.value),
            float(self._size.value),
            int(self._periods.value),
            self._enable.value == "On",
            float(self._baseline.value),
        )
        self.window.set(self._world.clock.now(), window)

    async def post(self, reading: Reading) -> None:
        """Post the result of an acquisition."""
        await self._value.post(reading.value, always=True)
        await self._stddev.post(reading.stddev, always=True)
        await self._samples.post(reading.samples, always=True)
        await self._overload.post("Overload" if reading.overload else "Fine", always=True)


def first_windows(model: ForwardModel) -> list[Window]:
    """Windows at start-up: on the pumped pulse and on the last one before the next pump.

    The baseline window lies between that pulse and the next. Where bunches are close, both windows are as long as
    the dark interval; where pulses overlap, there is no baseline.
    """
    period, length = LaserPeriod(model), model.scenario.detector.pulse_length_ns
    begins = period.begins_ns[0]
    gaps = np.diff(begins, append=begins[0] + period.period_ns)
    windows: list[Window] = []
    for slot in (0, model.divider - 1):
        dark = float(gaps[slot]) - length
        size = min(length, dark) if dark > SHORTEST_WINDOW_S * 1e9 else 0.5 * length
        opens = np.array([0.5 * (length - size), length + 0.5 * (dark - size)]) + begins[slot]
        start, baseline = np.mod(opens / period.period_ns * 360, 360)
        wrong = model.scenario.boxcar.window_start_deg[len(windows)]
        start = wrong if wrong >= 0 else start
        windows.append(Window(float(start), size * 1e-9, 512, dark >= size, float(baseline)))
    return windows


class SimUhf(SimDevice):
    """Boxcars and PWA acquire together for the preset time; all is written before Acquire returns to Done."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._rng = world, world.random("boxcar")
        truth, seed = world.scenario.boxcar, world.scenario.seed
        self._drift = PinkNoise(truth.drift_V, 1e-3, 1.0, 60.0, [seed, 1009])
        self._periods: dict[int, LaserPeriod] = {}
        self.boxcars = [BoxcarRecords(world, i + 1, window) for i, window in enumerate(first_windows(world.model))]
        phase_deg = np.arange(WAVEFORM_POINTS) * (360 / WAVEFORM_POINTS)
        self.waveform = double_waveform([0.0] * WAVEFORM_POINTS, VOLTS, "mean trace of one laser period")
        self.num_periods = long_in(0, Shown(), "number of laser periods in the mean")
        self._early_draw = EarlyDraw(self._draw, self._changes)
        acquisition = Acquisition(
            self, world.clock, self._post, world.model.laser_rate_hz, prepare=self._early_draw.prepare
        )
        self.records = {
            **acquisition.records(PREFIX),
            f"{PREFIX}Frequency_RBV": analog_in(world.model.laser_rate_hz, Shown("Hz", 3), "laser trigger frequency"),
            **self.boxcars[0].records,
            **self.boxcars[1].records,
            f"{PREFIX}PWA:Waveform": self.waveform,
            f"{PREFIX}PWA:Phase": double_waveform(list(phase_deg), DEGREES, "axis of the trace"),
            f"{PREFIX}PWA:NumPeriods": self.num_periods,
        }

    async def _post(self, start_s: float, end_s: float) -> None:
        readings, num_periods, trace = self._early_draw.result(start_s, end_s)
        for boxcar, reading in zip(self.boxcars, readings, strict=True):
            await boxcar.post(reading)
        await self.num_periods.post(num_periods, always=True)
        await self.waveform.post(trace, always=True)

    def _draw(self, start_s: float, end_s: float) -> tuple[list[Reading], int, FloatArray]:
        """Readings of the boxcars and the analyser in a window."""
        locked = self._world.laser_locked.at(start_s)
        period = self._period(self._world.model_at(start_s))
        stretches = self.stretches(start_s, end_s)
        offset_V = self.offset_V(0.5 * (start_s + end_s))
        windows = [boxcar.window.at(start_s) for boxcar in self.boxcars]
        readings = [self.reading(one, period, locked, stretches, end_s - start_s, offset_V) for one in windows]
        num_periods = math.floor((end_s - start_s) * 1e9 / period.period_ns)
        return readings, num_periods, self.trace(period, locked, stretches, num_periods, offset_V)

    def _changes(self) -> int:
        return self._world.changes() + sum(boxcar.window.changes for boxcar in self.boxcars)

    def _period(self, model: ForwardModel) -> LaserPeriod:
        if model.laser_phase not in self._periods:
            self._periods[model.laser_phase] = LaserPeriod(model)
        return self._periods[model.laser_phase]

    def offset_V(self, time_s: float) -> float:
        """Offset of the amplifier with its drift."""
        return self._world.scenario.boxcar.offset_V + float(self._drift(time_s))

    def stretches(self, start_s: float, end_s: float) -> list[JetStretch]:
        """Divide a time window into stretches of constant jet thickness."""
        found: list[JetStretch] = []
        for piece in self._world.slices(start_s, end_s):
            thickness, fraction = self._world.jet_classes(piece)
            photons = self._world.photons_per_pulse(piece, thickness)
            part = (piece.end_s - piece.start_s) / (end_s - start_s)
            found += [JetStretch(part * s, self._heights(piece, mu)) for s, mu in zip(fraction, photons, strict=True)]
        return found

    def _heights(self, piece: Slice, mu: FloatArray) -> Heights:
        model, truth = self._world.model_at(piece.start_s), self._world.scenario.boxcar
        photon_V = truth.photon_V * self._world.gain(0.5 * (piece.start_s + piece.end_s))
        spread = self._world.counting.heights.spread
        return pulse_heights(mu[self._period(model).phase], photon_V, spread, truth.saturation_V)

    def reading(
        self,
        window: Window,
        period: LaserPeriod,
        locked: bool,
        stretches: list[JetStretch],
        seconds: float,
        offset_V: float,
    ) -> Reading:
        """Draw the reading of a boxcar.

        The mean scatters by the shot noise of all its periods and by white noise; the standard deviation of one sample
        also contains the unequal bunches and the jet.
        """
        samples = math.floor(seconds * 1e9 / period.period_ns / window.periods + 1e-6)
        weight, square = period.weights(window, locked)
        white = period.noise_variance(window, self._world.scenario.boxcar.noise_nV_rtHz * 1e-9)
        mean = second = shot = clipped = 0.0
        for stretch in stretches:
            h = stretch.heights
            by_period = -(weight * h.mean).sum(axis=1)
            each = (square * (h.variance + h.mean**2) - (weight * h.mean) ** 2).sum(axis=1).mean() + white
            here = float(by_period.mean())
            mean += stretch.fraction * here
            shot += stretch.fraction * each
            second += stretch.fraction * (here**2 + each / window.periods + block_variance(by_period, window.periods))
            clipped += stretch.fraction * float((h.clipped * (square > 0)).sum(axis=1).mean())
        if samples == 0:
            return Reading(math.nan, math.nan, 0, False)
        number = samples * window.periods
        value = mean + (0.0 if window.has_baseline else offset_V) + self._rng.normal(0.0, math.sqrt(shot / number))
        stddev = math.sqrt(max(second - mean**2, 0.0))
        scatter = math.sqrt(self._rng.chisquare(samples - 1) / (samples - 1)) if samples > 1 else math.nan
        return Reading(float(value), stddev * scatter, samples, bool(self._rng.poisson(clipped * number) > 0))

    def trace(
        self, period: LaserPeriod, locked: bool, stretches: list[JetStretch], num_periods: int, offset_V: float
    ) -> FloatArray:
        """Mean trace of a laser period, volts."""
        heights = np.sum([stretch.fraction * stretch.heights.mean for stretch in stretches], axis=0)
        step_ns = period.period_ns / WAVEFORM_POINTS
        if locked:
            clean = -period.mean_trace(heights, WAVEFORM_POINTS)
        else:
            area = float(pulse_area(period.length_ns, period.length_ns)) / period.period_ns
            clean = np.full(WAVEFORM_POINTS, -heights.sum() / len(heights) * area)
        density = self._world.scenario.boxcar.noise_nV_rtHz * 1e-9
        noise = math.sqrt(0.5 * density**2 / (step_ns * 1e-9) / max(num_periods, 1))
        return np.asarray(clean + offset_V + self._rng.normal(0.0, noise, WAVEFORM_POINTS))
