"""A cold beamline without Channel Access: soft instruments on the physics of the simulator, with a clock of its own.

A whole cold start takes seconds instead of minutes. Only devices and servers are missing; plans, reduction and the
forward model are those of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import numpy as np

from plans.commissioning.crystal import find_crystal
from plans.commissioning.energy import find_energy
from plans.commissioning.gate import find_gate
from plans.commissioning.knife import find_focus, find_knife
from plans.commissioning.overlap import find_overlap
from plans.commissioning.roles import Bench as FindingBench
from plans.commissioning.steady import find_flux
from plans.commissioning.threshold import find_threshold
from plans.commissioning.time_zero import find_time_zero
from reduction.documents.detectors import FOIL, TRANSMISSION, Detector
from reduction.documents.findings import Judges
from sim_ioc.instruments.attenuator import SimAttenuator
from sim_ioc.instruments.foil_stage import SimFoilStage
from sim_ioc.instruments.knife import SimKnife
from sim_ioc.instruments.mono import SimMonochromator
from sim_ioc.instruments.steering import SimSteering
from sim_ioc.physics.gating import Gate
from sim_ioc.physics.knife import KnifeDiode
from sim_ioc.physics.spots import AXES, PARKED_UM
from sim_ioc.physics.transmission import TransmittedBeam
from sim_ioc.physics.world import World
from sim_ioc.scenario.scenario import Scenario
from sim_ioc.timebase.timeline import Ramp
from tests.plans.at_once import AtOnce
from tests.plans.fakes import Data, Fake, FakeSignal, bench
from tests.plans.live_instruments import Chamber, Diode, Live, LiveCounter, LiveDelay
from tests.plans.quick_counts import QuickCounts

PS = 1e12
START_T0 = 169.78e-9
SAMPLE: dict[str, Any] = {"fluence": 12.0, "lifetime": (120.0, 20.0)}
"""Of the paper."""
STEPS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "crystal": (find_crystal, {}),
    "threshold": (find_threshold, {"dwell": 0.25}),
    "gate": (find_gate, {"dwell": 0.1}),
    "energy": (find_energy, {}),
    "flux": (find_flux, {"counts": 16, "dwell": 0.25}),
    "focus": (find_focus, {"dwell": 0.05}),
    "knife": (find_knife, {"dwell": 0.05}),
    "coarse_time_zero": (find_time_zero, {"target": 70.0, **SAMPLE}),
    "overlap": (find_overlap, {"delay": 170.0, "reach": 60.0, "target": 0.9, "fluence": SAMPLE["fluence"]}),
    "time_zero": (find_time_zero, {"near": 400.0, "target": 1.3, "most_passes": 11, **SAMPLE}),
}


class ManualClock:
    """A clock that goes on when something takes time."""

    speedup = 1.0

    def __init__(self) -> None:
        self.time = 10.0

    def now(self) -> float:
        return self.time


class ColdBeamline:
    """Soft instruments of a scenario.

    Attributes
    ----------
    clock : ManualClock
        Beamline time.
    bench : plans.commissioning.roles.Bench
    outcome : str
        Of the last finding: ``set``, or why not.
    """

    def __init__(self, scenario: Scenario) -> None:
        soft = bench()
        self.notes, self.clock, self.scenario = soft.notes, ManualClock(), scenario
        self.world = World(scenario, self.clock)  # type: ignore[arg-type]
        self._steering, self._mono = SimSteering(self.world), SimMonochromator(self.world)
        self._knife, self._foils, self._diode = SimKnife(self.world), SimFoilStage(self.world), KnifeDiode(self.world)
        SimAttenuator(self.world)
        self._chambers = TransmittedBeam(self.world, scenario.transmission) if scenario.transmission else None
        self.behind: tuple[tuple[float, float], float] = ((0.0, 0.0), 1.0)
        self.behind_knife = (0.0, 1.0)
        self._hits = QuickCounts(self.world)
        self._axis, self.outcome = scenario.monochromator.start_keV, ""
        self._add_axes()
        model = self.world.model
        soft.timing.num_bunches.value, soft.timing.laser_divider.value = model.num_bunches, model.divider
        soft.timing.laser_rate.value = model.laser_rate_hz
        soft.energy, soft.delay, soft.shutter = self.energy, self.delay, self.shutter  # type: ignore[assignment]
        soft.fluence = self.fluence  # type: ignore[assignment]
        soft.counters, soft.xray_shutter = (self.counter, self.i0), self.xrays
        it, foil = (Chamber(name, self, number) for number, name in enumerate(("it", "ifoil")))
        current = lambda: {"ring_current": (self.world.current_mA(self.clock.now()), "")}  # noqa: E731
        soft.ring.values = lambda: {**it.values(), **foil.values(), **current()}  # type: ignore[method-assign]
        self.bench = FindingBench(
            soft.instruments(),
            threshold=self.threshold,
            time_zero=self.t0,
            calibration=FakeSignal("calibration", self.notes, 0.0),
            fill_pattern=self.fill,
            foil=foil if self._chambers else None,
            laser_steering=[self.along, self.across],
            second_crystal=self.crystal,
            attenuator=self.filters,
            foil_stage=self.foil_stage,
            foils={"Br_K": scenario.foil_stage.foil_mm},
            laser_focus=self.lens,
            knife=self.blades,
            knife_diode=Diode("diode", self),
            delay_sign=self.sign,
        )
        self.judges = Judges(
            threshold="apd_threshold",
            bunch_currents="fill",
            i0_least=2e4,
            diode="diode",
            foil=(Detector("", FOIL, "ifoil", edge="Br_K"), Detector("", TRANSMISSION, "it")),
            ring_current="ring_current",
        )

    def _add_axes(self) -> None:
        world, scenario, notes, start = self.world, self.scenario, self.notes, self.world.counting.gate_at_start
        self.threshold = self._live("apd_threshold", scenario.detector.threshold_mV, world.threshold_mV, 0.0, 1000.0)
        self.t0, self.sign = Live("t0", notes, START_T0), Live("sign", notes, 1.0)
        self.energy, self.delay = Live("mono", notes, self._axis), LiveDelay("laser_delay", notes, 100.0)
        self.delay.generator = lambda delay: PS * self.t0.value - self.sign.value * delay
        self.energy.key, self.energy.changed, self.delay.changed = "mono_energy", self._to_energy, self._to_delay
        self.shutter = Live("shutter", notes, 0)
        self.shutter.changed = lambda value: world.laser_open.set(self.clock.now(), bool(value))
        self.xrays = Live("xray_shutter", notes, 1)
        self.xrays.changed = self._to_xrays
        self.fluence = Live("laser_fluence", notes, scenario.laser.fluence_mJ_cm2, 0.0, 14.0)
        self.fluence.changed = lambda value: world.fluence_mJ_cm2.set(self.clock.now(), float(value))
        self._to_delay(100.0)
        self.along, self.across = (Live(name, notes, 0.0, -1e3, 1e3) for name in ("along", "across"))
        self.lens = Live("focus", notes, 0.0, -50.0, 50.0)
        for axis, motor in ((self.along, "m4"), (self.across, "m5"), (self.lens, "m8")):
            axis.changed = lambda value, motor=motor: _run(self._steering.moved(motor, value))
        self.blades = [Live(name, notes, PARKED_UM, -3e3, 3e3) for name in AXES]
        for blade, name in zip(self.blades, AXES, strict=True):
            blade.changed = lambda value, name=name: _run(self._knife.moved(name, value))
        self.filters = Live("attenuator", notes, scenario.attenuator.start, 0.0, 6.0)
        self.filters.changed = lambda value: world.filter_share.set(self.clock.now(), float(np.exp(-value)))
        self.foil_stage = Live("foil_stage", notes, scenario.foil_stage.start_mm, -20.0, 60.0)
        self.foil_stage.changed = lambda value: _run(self._foils.moved(value))
        self.crystal = Live("crystal", notes, 0.0, -200.0, 200.0)
        self.crystal.changed = lambda value: _run(self._mono.turn_crystal(value))
        self.counter = LiveCounter("fpga", self, self.shutter, self._count)
        self.i0 = LiveCounter("i0", self, self.shutter, lambda _: self._i0)
        delay, width = Live("fpga_gate_delay", notes, start.delay_ticks, 0, 1000), Live("w", notes, start.width_ticks)
        delay.changed = width.changed = lambda _: world.gate.set(
            self.clock.now(), Gate(int(delay.value), int(width.value), False)
        )
        self.counter.gate_delay, self.counter.gate_width = delay, width  # type: ignore[attr-defined]
        self.counter.gate_clock = FakeSignal("clock", notes, 0)  # type: ignore[attr-defined]
        rng = np.random.default_rng(scenario.seed)
        weight = world.model.bunch_weight
        self.fill = Fake("fill", notes)
        self.fill.values = lambda: {"fill": (weight * (1 + 2e-3 * rng.standard_normal(weight.size)), "")}  # type: ignore[method-assign]

    def _live(self, name: str, value: float, timeline: Any, low: float, high: float) -> Live:
        found = Live(name, self.notes, value, low, high)
        found.changed = lambda value: timeline.set(self.clock.now(), float(value))
        return found

    def _to_energy(self, energy: float) -> None:
        """The axis moves; the crystal lags behind it by the backlash when it comes from above."""
        truth, now = self.scenario.monochromator, self.clock.now()
        axis = energy + 1e-3 * truth.repeatability_eV * float(self.world.shot_rng.standard_normal())
        offset = 1e-3 * truth.offset_eV
        crystal = self.world.energy_keV.at(now).at(now) - offset
        crystal = min(max(crystal, axis), axis + 1e-3 * truth.backlash_eV)
        self.clock.time += 1e3 * abs(axis - self._axis) / truth.speed_eV_s + truth.settle_s
        self._axis = axis
        self.world.energy_keV.set(self.clock.now(), Ramp(now, now, crystal + offset, crystal + offset))

    def _to_delay(self, delay: float) -> None:
        truth = self.scenario.delay
        passed = truth.sign * (1e3 * truth.t0_ns - self.delay.generator(delay))
        self.world.delay_ps.set(self.clock.now(), passed)

    def _to_xrays(self, value: int) -> None:
        self.clock.time += self.scenario.ring.xray_shutter_travel_s
        self.world.xray_open.set(self.clock.now(), bool(value))

    def _count(self, seconds: float) -> Data:
        start = self.clock.time
        end = self.clock.time = start + seconds
        hits, gates = self._hits.counts(start, end)
        self._i0 = {"i0": (self.world.i0_counts(start, end, self.world.draw_i0_noise()), ""), "i0_time": (seconds, "")}
        self._i0["i0_dark"] = (self.scenario.i0.dark_per_s, "")
        self.behind_knife = self._diode.counts(start, end, self._diode.draw_noise()), seconds
        if self._chambers:
            self.behind = self._chambers.counts(start, end, self._chambers.draw_noise()), seconds
        counter: Any = self.counter
        return {
            "fpga_counts": (hits, ""),
            "fpga_gates": (gates, ""),
            "fpga_gate_delay": (int(counter.gate_delay.value), ""),
            "fpga_gate_width": (int(counter.gate_width.value), ""),
            "laser_phase": (self.scenario.laser.phase, ""),
        }

    def run(self, step: str, apply: bool = True, **more: Any) -> Any:
        """Make one finding of `STEPS`, and set it; the finding."""
        return AtOnce(self._remember)(self.plan(step, apply, **more))

    def measure(self, plan: Callable[..., Any], **arguments: Any) -> Any:
        """Make one finding; the finding."""
        return AtOnce(self._remember)(plan(self.bench, self._judge(plan), **arguments))

    def plan(self, step: str, apply: bool = True, **more: Any) -> Any:
        """The plan of a step."""
        plan, arguments = STEPS[step]
        return plan(self.bench, self._judge(plan), apply=apply, **{**arguments, **more})

    def _judge(self, plan: Callable[..., Any]) -> Any:
        return getattr(self.judges, plan.__name__.removeprefix("find_"))

    def _remember(self, readings: Mapping[str, Any]) -> None:
        self.outcome = readings.get("finding_outcome", self.outcome)

    def is_right(self, name: str) -> bool:
        """Whether the threshold is in the plateau, or the gate around the pulse of its own bunch."""
        detector, counter = self.scenario.detector, self.counter
        if name == "threshold":
            top = detector.photon_mV * (1 - 3 * detector.photon_fwhm / 2.355)
            return bool(5 * detector.noise_mV < self.threshold.value < top)
        opens, width = (4.0 * getattr(counter, name).value for name in ("gate_delay", "gate_width"))
        begins, ends = detector.pulse_arrival_ns, detector.pulse_arrival_ns + detector.pulse_length_ns
        return bool(opens + 4.0 <= begins and ends <= opens + width)

    def pulls(self, step: str, found: Any, when: float) -> dict[str, float]:
        """Error of what was found at a time over the quoted error."""
        detector, errors = self.scenario.detector, self.errors(when)
        if step == "flux":
            return {}
        if step in ("overlap", "knife"):
            return {name: errors[name] / found.numbers[name][1] for name in ("along", "across")}
        truth = {
            "threshold": 0.5 * detector.photon_mV * self.world.gain(when),
            "gate": detector.pulse_arrival_ns + 0.5 * detector.pulse_length_ns,
        }
        off = found.value - truth[step] if step in truth else errors.get(step.removeprefix("coarse_"))
        return {step: off / found.stddev}

    def errors(self, when: float | None = None) -> dict[str, float]:
        """What is set minus the truth: ps, um, eV, urad; time zero drifts and is compared with that at a time."""
        truth = self.scenario
        period = self.world.model.divider * self.world.model.bunch_period_ps
        drift = truth.delay.sign * truth.delay.drift_ps_per_h * (self.clock.now() if when is None else when) / 3600
        off = PS * self.t0.value - 1e3 * truth.delay.t0_ns - drift
        return {
            "time_zero": (off + 0.5 * period) % period - 0.5 * period,
            "along": self.along.value - truth.laser.steering_along_um,
            "across": self.across.value - truth.laser.steering_across_um,
            "focus": self.lens.value - truth.laser.focus_mm,
            "sign": self.sign.value - truth.delay.sign,
            "crystal": self.crystal.value - truth.monochromator.crystal_urad,
            "energy": 1e3 * self.bench.calibration.value - truth.monochromator.offset_eV,  # type: ignore[union-attr]
        }


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
