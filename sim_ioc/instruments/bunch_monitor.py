"""Fast monitor in front of the sample: intensity of the X-ray pulses by phase, measured while the counter counts."""

from __future__ import annotations

import numpy as np

from sim_ioc.physics.world import FloatArray, World
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, double_waveform


class SimBunchMonitor(SimDevice):
    """One intensity a phase, posted at the end of each dwell before the counter is done."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._rng = world, world.random("bunch_monitor")
        self.by_phase = double_waveform([0.0] * world.model.num_phases, Shown("mA", 4), "pulse intensity by phase")
        self.records = {"7idd:BPM1:ByPhase": self.by_phase}

    async def end(self, start_s: float, end_s: float) -> None:
        """Post the intensities of a dwell."""
        await self.by_phase.post(self.measured(start_s, end_s), always=True)

    def measured(self, start_s: float, end_s: float) -> FloatArray:
        """Mean intensity of each phase in a window with its noise, which averages down in time; float64[P]."""
        world = self._world
        total = np.zeros(world.model.num_bunches)
        for piece in world.slices(start_s, end_s):
            middle = 0.5 * (piece.start_s + piece.end_s)
            if world.xray_open.at(piece.start_s):
                share = world.bunch_weight(middle) / world.model.num_bunches
                total += share * world.current_mA(middle) * (piece.end_s - piece.start_s)
        seconds = max(end_s - start_s, 1e-9)
        noise = world.scenario.i0.by_phase_noise / np.sqrt(seconds)
        by_phase = (total / seconds)[world.model.bunch_of_phase]
        return np.asarray(by_phase * (1 + noise * self._rng.standard_normal(by_phase.size)))
