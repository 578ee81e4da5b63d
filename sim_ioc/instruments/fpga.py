"""FPGA: gates the single-photon counter and counts by phase."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from sim_ioc.instruments.acquisition import Acquisition
from sim_ioc.instruments.early_draw import EarlyDraw
from sim_ioc.physics import pair_chain
from sim_ioc.physics.gating import Gate
from sim_ioc.physics.photons import NUM_LAGS, PhaseCounts
from sim_ioc.physics.world import World
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, long_in, long_out, long_waveform, states

COUNTS = Shown("counts")
TICKS = Shown("ticks")
CLOCKS = ("Internal", "RF")


class GatedByCounter(Protocol):
    """An instrument triggered by the gate output of the counter, which may see the same photons."""

    def begin(self, start_s: float, preset_s: float) -> None:
        """Start a dwell."""

    async def end(self, end_s: float) -> PhaseCounts | None:
        """End a dwell; returns the counts if the instrument has drawn it shot by shot."""


class ReadWithCounter(Protocol):
    """An instrument that posts its values of a dwell before the counter is done."""

    async def end(self, start_s: float, end_s: float) -> None:
        """End a dwell."""


class SimFpga(SimDevice):
    """Counts, opened gates and pair counters of a dwell, all written before Acquire returns to Done."""

    def __init__(
        self,
        world: World,
        gated: GatedByCounter | None = None,
        monitor: ReadWithCounter | None = None,
        prefix: str = "7idd:FPGA1:",
    ) -> None:
        super().__init__()
        self._world = world
        self._gated, self._monitor = gated, monitor
        self._early_draw = EarlyDraw(world.photon_counts, world.changes)
        model, gate = world.model, world.counting.gate_at_start
        phases, pairs = model.num_phases, NUM_LAGS * model.num_phases
        self.gate_delay = long_out(
            gate.delay_ticks, TICKS, Limits(0, 1000), "gate after the bunch marker, ticks of 4 ns", self._put_gate
        )
        self.gate_width = long_out(
            gate.width_ticks, TICKS, Limits(1, 1000), "length of the gate, ticks of 4 ns", self._put_gate
        )
        self.gate_clock = states(
            CLOCKS[gate.locked], CLOCKS, "bo", "clock of the gate: Internal jitters by a tick", self._put_gate
        )
        self.divide_by = long_out(
            model.divider, Shown(), Limits(1, 10_000), "period of the pump slot counter, bunches", self._put_divide_by
        )
        self.laser_phase = long_in(model.laser_phase, Shown(), "first pumped phase")
        self.arrays = {
            "counts": long_waveform(phases, COUNTS, "hits by phase"),
            "gates": long_waveform(phases, COUNTS, "opened gates by phase"),
            "pair_gates": long_waveform(pairs, COUNTS, "gates with an opened gate lag before, 5 x phases"),
            "pair_counts": long_waveform(pairs, COUNTS, "hits in those gates, 5 x phases"),
            "prev_hits": long_waveform(pairs, COUNTS, "hits in the gate before those, 5 x phases"),
            "coinc": long_waveform(pairs, COUNTS, "hits in both, 5 x phases"),
        }
        self.records = self._records(prefix)

    async def run(self) -> None:
        """Load the kernels beside the server, which a dwell that waits for them would hold up."""
        await asyncio.to_thread(pair_chain.warm_up)

    def _records(self, prefix: str) -> dict[str, Any]:
        world, model = self._world, self._world.model
        begin = self._gated.begin if self._gated else None
        highest_rate_hz = model.bunch_rate_hz / model.num_phases
        acquisition = Acquisition(self, world.clock, self._post, highest_rate_hz, begin, self._early_draw.prepare)
        names = ("Counts", "Gates", "PairGates", "PairCounts", "PrevHits", "Coinc")
        return {
            f"{prefix}GateDly-1_DLY": self.gate_delay,
            f"{prefix}GateDly-1_WIDTH": self.gate_width,
            f"{prefix}GateDly-1_CLOCK": self.gate_clock,
            f"{prefix}DivByN-1_N": self.divide_by,
            f"{prefix}NumBunches_RBV": long_in(model.num_bunches, Shown(), "bunches in the ring"),
            f"{prefix}NumPhases_RBV": long_in(model.num_phases, Shown(), "pulses until the pattern repeats"),
            f"{prefix}LaserPhase_RBV": self.laser_phase,
            **acquisition.records(prefix),
            **{prefix + name: array for name, array in zip(names, self.arrays.values(), strict=True)},
        }

    async def _put_gate(self, _: object) -> None:
        """Apply the gate settings of the records."""
        gate = Gate(self.gate_delay.value, self.gate_width.value, self.gate_clock.value == "RF")
        self._world.gate.set(self._world.clock.now(), gate)

    async def _put_divide_by(self, divide_by: int) -> None:
        self._world.counters_in_step.set(self._world.clock.now(), divide_by == self._world.model.divider)

    async def _post(self, start_s: float, end_s: float) -> None:
        result = await self._gated.end(end_s) if self._gated else None
        if result is None:
            result = self._early_draw.result(start_s, end_s)
        if self._monitor is not None:
            await self._monitor.end(start_s, end_s)
        for name, record in self.arrays.items():
            await record.post(getattr(result, name).ravel().astype("int32"), always=True)
