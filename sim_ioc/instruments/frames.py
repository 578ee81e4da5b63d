"""Frames of the photon counter in a buffer: short counts without gaps, with I0 and the encoder of the energy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_ioc.physics.frames import FrameCounts, frame_i0
from sim_ioc.physics.world import World
from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_out, double_waveform, long_in, long_out, long_waveform

LARGEST = 500_000
"""Counts that the buffer holds."""
MOST_FRAMES = 4096
FRAME_S = (0.001, 10.0)
BY_PHASE = {
    "Counts": "hits",
    "Gates": "opened gates",
    "PairGates": "gates with an opened gate before them",
    "PairCounts": "hits in those gates",
    "PrevHits": "hits in the gate before those",
    "Coinc": "hits in both",
}
"""Counters of a frame; those of pairs are of lag 1."""

Frame = dict[str, NDArray[Any]]
"""What the buffer holds of a frame, by the name of the record."""


class SimFrames(SimDevice):
    """A buffer of frames, written before Acquire returns to Done.

    Parameters
    ----------
    world
        State of the beamline.
    encoder
        Energy of the axis at a time, keV.
    prefix
        Of the records.
    """

    def __init__(self, world: World, encoder: Callable[[float], float], prefix: str = "7idd:FPGA1:Frames:") -> None:
        super().__init__()
        self._world, self._encoder, self._rng = world, encoder, world.random("fly")
        self._stop = asyncio.Event()
        self.lost = self.doubled = self.late = 0
        phases = world.model.num_phases
        self.most = min(MOST_FRAMES, LARGEST // phases)
        self.time = analog_out(0.1, Shown("s", 6), Limits(*FRAME_S), "length of a frame, beamline seconds")
        self.number = long_out(self.most, Shown("frames"), Limits(1, self.most), "frames after which Acquire is done")
        self.taken = long_in(0, Shown("frames"), "frames in the buffer")
        self.sweep = long_in(0, Shown(), "number of the last acquisition")
        self._busy = BusyRecord(
            self._start, self._stop.set, ("Done", "Acquire"), "busy", "1 takes frames; 0 ends with the present frame"
        )
        none = [0.0] * self.most
        self.buffer: dict[str, Any] = {
            "Number": long_waveform(self.most, Shown(), "number of each frame, from 0"),
            "Stamp": double_waveform(none, Shown("s", 6), "end of each frame after the begin of the first one"),
            "Begin": double_waveform(none, Shown("keV", 6), "encoder at the begin of each frame"),
            "End": double_waveform(none, Shown("keV", 6), "encoder at the end of each frame"),
            "I0": double_waveform(none, Shown("counts"), "I0 in each frame"),
        } | {
            name: long_waveform(self.most * phases, Shown("counts"), f"{meaning}, by frame and phase")
            for name, meaning in BY_PHASE.items()
        }
        self.records = {
            f"{prefix}Time": self.time,
            f"{prefix}NumFrames": self.number,
            f"{prefix}NumTaken_RBV": self.taken,
            f"{prefix}Sweep_RBV": self.sweep,
            f"{prefix}Acquire": self._busy.record,
            **{prefix + name: record for name, record in self.buffer.items()},
        }

    def _start(self) -> None:
        self._stop.clear()
        self.spawn(self._acquire(self._world.clock.now()))

    async def _acquire(self, start_s: float) -> None:
        clock, frame_s = self._world.clock, float(self.time.value)
        counts, frames = FrameCounts(self._world, start_s, self._rng), list[Frame]()
        await self.sweep.post(self.sweep.value + 1)
        stopping = asyncio.ensure_future(self._stopped())
        while len(frames) < int(self.number.value):
            end_s = start_s + (len(frames) + 1) * frame_s
            if clock.now() < end_s and not stopping.done():
                await asyncio.wait((stopping,), timeout=(end_s - clock.now()) / clock.speedup)
            if stopping.done() and stopping.result() < end_s:
                break
            await clock.sleep_until(end_s)
            frames.append(self._frame(counts, len(frames), start_s, frame_s))
            await self.taken.post(len(frames))
            await asyncio.sleep(0)
        stopping.cancel()
        await self._post(self._with_faults(frames, frame_s))
        await self._busy.done()

    async def _stopped(self) -> float:
        """Beamline time at which the acquisition was ended; frames until then are still to be counted."""
        await self._stop.wait()
        return self._world.clock.now()

    def _frame(self, counts: FrameCounts, number: int, start_s: float, frame_s: float) -> Frame:
        begin_s, end_s = start_s + number * frame_s, start_s + (number + 1) * frame_s
        taken = counts.take(end_s)
        values: dict[str, Any] = {
            "Number": number,
            "Stamp": end_s - start_s,
            "Begin": self._encoder(begin_s),
            "End": self._encoder(end_s),
            "I0": frame_i0(self._world, begin_s, end_s),
            "Counts": taken.hits,
            "Gates": taken.gates,
            "PairGates": taken.gates,
            "PairCounts": taken.hits,
            "PrevHits": taken.previous_hits,
            "Coinc": taken.coincidences,
        }
        return {name: np.atleast_1d(value) for name, value in values.items()}

    def _with_faults(self, frames: list[Frame], frame_s: float) -> list[Frame]:
        """Frames as they arrive: some lost, some sent twice, some latched late."""
        if not (self.lost or self.doubled or self.late) or not frames:
            return frames
        chosen = self._rng.permutation(len(frames))
        lost, doubled, late = (
            {*chosen[first : first + number]}
            for first, number in ((0, self.lost), (self.lost, self.doubled), (self.lost + self.doubled, self.late))
        )
        arrived = []
        for number, frame in enumerate(frames):
            if number in late:
                after = frames[min(number + 1, len(frames) - 1)]
                frame = {**frame, "Stamp": frame["Stamp"] + frame_s, "Begin": after["Begin"], "End": after["End"]}
            arrived += [frame] * (0 if number in lost else 2 if number in doubled else 1)
        return arrived[: self.most]

    async def _post(self, frames: list[Frame]) -> None:
        for name, record in self.buffer.items():
            values = np.zeros(record.max_length, np.int32 if name in ("Number", *BY_PHASE) else np.float64)
            if frames:
                found = np.concatenate([frame[name] for frame in frames])
                values[: found.size] = found
            await record.post(values, always=True)
        await self.taken.post(len(frames))
