"""FPGA that gates the single-photon counter and counts by phase."""

from __future__ import annotations

import asyncio

from sim_ioc.busy import BusyRecord
from sim_ioc.channels import Limits
from sim_ioc.device import SimDevice
from sim_ioc.photons import NUM_LAGS, PhaseCounts
from sim_ioc.records import Shown, analog_in, analog_out, long_in, long_out, long_waveform
from sim_ioc.world import World

COUNTS = Shown("counts")
TICKS = Shown("ticks")
LONGEST_DWELL_S = 3600.0


class Fpga(SimDevice):
    """Counts, opened gates and pair counters of a dwell, all written before Acquire is Done again."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        model = world.model
        phases, pairs = model.num_phases, NUM_LAGS * model.num_phases
        detector = world.scenario.detector
        delay = max(0, int(detector.pulse_arrival_ns // detector.gate_tick_ns) - 1)
        width = int(-(-detector.pulse_length_ns // detector.gate_tick_ns)) + 2
        # The counters are signed 32-bit integers: none may run over.
        longest = min(LONGEST_DWELL_S, (2**31 - 1) * phases / model.bunch_rate_hz)
        self._stop = asyncio.Event()
        self.acquire = BusyRecord(
            self._start, self._stop.set, ("Done", "Acquire"), "busy", "1 counts for PresetTime; complete when Done"
        )
        self.preset = analog_out(1.0, Shown("s", 3), Limits(0.001, longest), "time to count, beamline seconds")
        self.elapsed = analog_in(0.0, Shown("s", 6), "time counted, beamline seconds")
        self.gate_delay = long_out(delay, TICKS, Limits(0, 1000), "gate after the bunch marker", self._put_gate)
        self.gate_width = long_out(width, TICKS, Limits(1, 1000), "length of the gate", self._put_gate)
        self.divide_by = long_out(
            model.divider, Shown(), Limits(1, 1296), "bunches a pump slot counter runs over", self._put_divide_by
        )
        self.laser_phase = long_in(model.laser_phase, Shown(), "first pumped phase")
        self.counts = long_waveform(phases, COUNTS, "hits by phase")
        self.gates = long_waveform(phases, COUNTS, "opened gates by phase")
        self.pair_gates = long_waveform(pairs, COUNTS, "gates with an opened gate lag before, 5 x phases")
        self.pair_counts = long_waveform(pairs, COUNTS, "hits in those gates, 5 x phases")
        self.prev_hits = long_waveform(pairs, COUNTS, "hits in the gate before those, 5 x phases")
        self.coinc = long_waveform(pairs, COUNTS, "hits in both, 5 x phases")
        prefix = "7idd:FPGA1:"
        self.records = {
            f"{prefix}GateDly-1_DLY": self.gate_delay,
            f"{prefix}GateDly-1_WIDTH": self.gate_width,
            f"{prefix}DivByN-1_N": self.divide_by,
            f"{prefix}NumBunches_RBV": long_in(model.num_bunches, Shown(), "bunches in the ring"),
            f"{prefix}NumPhases_RBV": long_in(phases, Shown(), "pulses until the pattern repeats"),
            f"{prefix}LaserPhase_RBV": self.laser_phase,
            f"{prefix}PresetTime": self.preset,
            f"{prefix}Acquire": self.acquire.record,
            f"{prefix}ElapsedTime_RBV": self.elapsed,
            f"{prefix}Counts": self.counts,
            f"{prefix}Gates": self.gates,
            f"{prefix}PairGates": self.pair_gates,
            f"{prefix}PairCounts": self.pair_counts,
            f"{prefix}PrevHits": self.prev_hits,
            f"{prefix}Coinc": self.coinc,
        }

    async def _put_gate(self, _: int) -> None:
        """The gate passes the share of the detector pulse that it overlaps."""
        detector = self._world.scenario.detector
        opens = self.gate_delay.value * detector.gate_tick_ns
        shuts = opens + self.gate_width.value * detector.gate_tick_ns
        begins, ends = detector.pulse_arrival_ns, detector.pulse_arrival_ns + detector.pulse_length_ns
        share = max(0.0, min(shuts, ends) - max(opens, begins)) / detector.pulse_length_ns
        self._world.gate_share.set(self._world.clock.now(), share)

    async def _put_divide_by(self, divide_by: int) -> None:
        self._world.counters_in_step.set(self._world.clock.now(), divide_by == self._world.model.divider)

    def _start(self) -> None:
        self._stop.clear()
        self.spawn(self._count(self._world.clock.now(), float(self.preset.value)))

    async def _count(self, start_s: float, preset_s: float) -> None:
        clock = self._world.clock
        waiting = asyncio.ensure_future(clock.sleep_until(start_s + preset_s))
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        end_s = start_s + preset_s if waiting.done() else min(clock.now(), start_s + preset_s)
        waiting.cancel()
        stopping.cancel()
        await self._post(self._world.photon_counts(start_s, end_s))
        await self.elapsed.post(end_s - start_s, always=True)
        await self.acquire.done()

    async def _post(self, result: PhaseCounts) -> None:
        await self.counts.post(result.counts.astype("int32"), always=True)
        await self.gates.post(result.gates.astype("int32"), always=True)
        await self.pair_gates.post(result.pair_gates.ravel().astype("int32"), always=True)
        await self.pair_counts.post(result.pair_counts.ravel().astype("int32"), always=True)
        await self.prev_hits.post(result.prev_hits.ravel().astype("int32"), always=True)
        await self.coinc.post(result.coinc.ravel().astype("int32"), always=True)
