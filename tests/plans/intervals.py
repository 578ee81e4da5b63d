"""How often the intervals that findings quote hold the truth: seeded repeats of each finding, without Channel Access.

    python -m tests.plans.intervals 400
    python -m tests.plans.intervals 400 threshold gate

prints one line a number of a finding. Each repeat draws a cold beamline by its seed, in which only what the finding
needs is right (a gate needs a threshold), and makes the finding once with the arguments of `commission()`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import nan, sqrt
from typing import Any

import numpy as np

from plans.commissioning.steady import find_flux
from reduction.findings.steady import Series, find_jet
from sim_ioc.instruments.boxcar import WAVEFORM_POINTS, SimUhf
from sim_ioc.physics.boxcar_signal import LaserPeriod
from sim_ioc.scenario.scenario import parse_scenario
from tests.plans.cold_beamline import ColdBeamline

Numbers = Mapping[str, tuple[float, float, float]]
"""By name: value, error, truth."""
STILL = {"drift_ps_per_h": 0.0}


def cold(seed: int, **changes: Any) -> ColdBeamline:
    """A cold beamline with threshold, gate, crystal, laser and energy as they should be, as a finding needs others."""
    beamline = ColdBeamline(parse_scenario({"seed": seed, "cold": {}, "transmission": {}, **changes}))
    detector, truth = beamline.scenario.detector, beamline.scenario
    beamline.threshold.set(0.5 * detector.photon_mV)
    beamline.counter.gate_delay.set(int(detector.pulse_arrival_ns / 4) - 1)  # type: ignore[attr-defined]
    beamline.counter.gate_width.set(5)  # type: ignore[attr-defined]
    beamline.along.set(truth.laser.steering_along_um)
    beamline.across.set(truth.laser.steering_across_um)
    beamline.crystal.set(truth.monochromator.crystal_urad)
    beamline.lens.set(truth.laser.focus_mm)
    beamline.filters.set(0.0)
    beamline.sign.set(truth.delay.sign)
    beamline.t0.set(1e-9 * truth.delay.t0_ns)
    beamline.bench.calibration.set(1e-3 * truth.monochromator.offset_eV)  # type: ignore[union-attr]
    return beamline


def crystal(seed: int) -> Numbers:
    beamline = cold(seed)
    beamline.crystal.set(0.0)
    truth, found = beamline.scenario.monochromator, beamline.run("crystal", apply=False)
    return {
        "crystal": (found.value, found.stddev, truth.crystal_urad),
        "crystal, width": (*found.numbers["width_urad"], truth.crystal_width_urad),
    }


def threshold(seed: int) -> Numbers:
    beamline = cold(seed)
    begun, found = beamline.clock.time, beamline.run("threshold", apply=False)
    gain = beamline.world.gain(0.5 * (begun + beamline.clock.time))
    return {"threshold": (found.value, found.stddev, 0.5 * beamline.scenario.detector.photon_mV * gain)}


def gate(seed: int) -> Numbers:
    beamline = cold(seed)
    truth, found = beamline.scenario.detector, beamline.run("gate", apply=False)
    return {
        "gate": (found.value, found.stddev, truth.pulse_arrival_ns + 0.5 * truth.pulse_length_ns),
        "gate, pulse": (*found.numbers["pulse_length_ns"], truth.pulse_length_ns),
    }


def windows(seed: int) -> Numbers:
    """By three traces of the simulated analyser."""
    beamline = cold(seed)
    world, boxcars, truth = beamline.world, SimUhf(beamline.world), beamline.scenario.detector
    pulses, rows = LaserPeriod(world.model), []
    for start in (10.0, 11.0, 12.0):
        periods = int(world.model.laser_rate_hz)
        trace = boxcars.trace(pulses, True, boxcars.stretches(start, start + 1), periods, boxcars.offset_V(start))
        own = {"boxcar_pwa": trace, "phase": np.arange(WAVEFORM_POINTS) * 360 / WAVEFORM_POINTS}
        rows.append({**own, "i0": 1e6, "i0_time": 1.0})
    spacing = pulses.period_ns / world.model.divider
    found = beamline.judges.windows(rows, {"spacing_ns": spacing, "divider": world.model.divider})
    return {"windows": (found.value, found.stddev, (truth.pulse_arrival_ns + 0.5 * truth.pulse_length_ns) % spacing)}


def energy(seed: int) -> Numbers:
    beamline = cold(seed)
    truth, found = beamline.scenario.monochromator, beamline.run("energy", apply=False)
    return {
        "energy": (found.value, found.stddev, truth.offset_eV),
        "energy, backlash": (*found.numbers.get("backlash_eV", (nan, nan)), truth.backlash_eV),
    }


def overlap(seed: int) -> Numbers:
    beamline = cold(seed)
    for axis in (beamline.along, beamline.across):
        axis.set(0.0)
    truth, found = beamline.scenario.laser, beamline.run("overlap", apply=False, target=1.3)
    return {
        "overlap, along": (*found.numbers.get("along", (nan, nan)), truth.steering_along_um),
        "overlap, across": (*found.numbers.get("across", (nan, nan)), truth.steering_across_um),
        "overlap, width": (*found.numbers.get("width_along_um", (nan, nan)), truth.spot_fwhm_um),
    }


def coarse_time_zero(seed: int) -> Numbers:
    beamline = cold(seed, delay=STILL)
    beamline.t0.set(169.78e-9)
    return _time_zero(beamline, "coarse_time_zero")


def time_zero(seed: int) -> Numbers:
    """The rise, with t0 off by some ps."""
    beamline = cold(seed, delay=STILL)
    beamline.t0.set(beamline.t0.value + 1e-12 * np.random.default_rng(seed).uniform(-50, 50))
    return _time_zero(beamline, "time_zero", target=2.5)


def _time_zero(beamline: ColdBeamline, step: str, **arguments: Any) -> Numbers:
    found = beamline.run(step, apply=False, **arguments)
    model = beamline.world.model
    period, truth = model.divider * model.bunch_period_ps, 1e3 * beamline.scenario.delay.t0_ns
    turns = round((found.value - truth) / period) if np.isfinite(found.value) else 0
    return {step.replace("_", " "): (found.value - turns * period, found.stddev, truth)}


def flux(seed: int) -> Numbers:
    """Of its own counts: a jet that is thicker in the next minute is no error of these."""
    beamline = cold(seed, detector={"afterpulse": 0.0})
    begun, found = beamline.clock.time, beamline.measure(find_flux)
    seconds = photons = 0.0
    for piece in beamline.world.slices(begun, beamline.clock.time):
        thickness, fraction = beamline.world.jet_classes(piece)
        here = beamline.world.photons_per_gate(piece, thickness).mean(axis=1) @ fraction
        length = piece.end_s - piece.start_s
        seconds, photons = seconds + length, photons + length * float(here)
    return {"flux": (found.value, found.stddev, photons / seconds)}


def jet(seed: int) -> Numbers:
    """Gaussian 1/f noise; that of the simulator, of a hundred fixed amplitudes, scatters less from minute to minute.

    The Allan variance is the power of each frequency through the mean over a dwell and the difference of two.
    """
    rng, dwells, parts, dwell, gates = np.random.default_rng(seed), 240, 8, 0.25, 13_500
    size = 16 * dwells * parts
    turns = np.arange(1, size // 2 + 1) / size  # a part of a dwell
    amplitude = 0.002 * turns**-0.5
    drawn = amplitude * (rng.standard_normal(turns.size) + 1j * rng.standard_normal(turns.size))
    thickness = np.fft.irfft(np.append(0.0, drawn), size)[: dwells * parts].reshape(dwells, parts) * sqrt(size)
    mean = np.sin(np.pi * turns * parts) / (parts * np.sin(np.pi * turns))
    power = 8 * amplitude**2 * (mean * np.sin(np.pi * turns * parts)) ** 2 / size
    hit = -np.expm1(-0.1 * np.exp(thickness).mean(axis=1))
    hits = rng.binomial(gates, hit[:, None], (dwells, 120)).astype(float)
    i0 = 1e6 * dwell * (1 + 1e-3 * rng.standard_normal(dwells))
    found = find_jet(Series(hits, np.full(hits.shape, float(gates)), i0, np.full(dwells, dwell), dwell, 5, 2e4, 0.07))
    return {"jet": (found.value, found.stddev, 100 * sqrt(float(power.sum())))}


CASES: Mapping[str, Callable[[int], Numbers]] = {
    each.__name__: each
    for each in (crystal, threshold, gate, windows, energy, coarse_time_zero, overlap, time_zero, flux, jet)
}


class Coverage:
    """Pulls by name of the number, and how many findings gave none."""

    def __init__(self) -> None:
        self.pulls: dict[str, list[float]] = {}
        self.without: Counter[str] = Counter()

    def add(self, numbers: Numbers) -> None:
        """The numbers of one repeat."""
        for name, (value, error, truth) in numbers.items():
            if np.isfinite(value) and error > 0:
                self.pulls.setdefault(name, []).append((value - truth) / error)
            else:
                self.without[name] += 1

    def lines(self) -> Iterator[str]:
        """Of the table."""
        for name, own in self.pulls.items():
            pulls = np.array(own)
            one, two = (100 * (np.abs(pulls) < width).mean() for width in (1.0, 1.96))
            half = [100 * sqrt(share * (1 - share) / pulls.size) for share in (0.683, 0.95)]
            shares = f"{one:.1f} +- {half[0]:.1f} | {two:.1f} +- {half[1]:.1f}"
            scatter = f"{pulls.mean():+.2f} | {pulls.std():.2f}"
            yield f"| {name} | {pulls.size} | {shares} | {scatter} | {self.without[name]} |"


def main(repeats: int, names: list[str]) -> None:
    """Print the table."""
    print("| number | N | in 68 % / % | in 95 % / % | mean pull | width | without |\n|---|---|---|---|---|---|---|")
    for name in names or CASES:
        begun, found = time.process_time(), Coverage()
        for seed in range(1, repeats + 1):
            found.add(CASES[name](seed))
        print("\n".join(found.lines()), flush=True)
        print(f"{name}: {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
