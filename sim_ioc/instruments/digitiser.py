"""Shot-by-shot digitiser: pulse heights of every bunch, written by the instrument itself to HDF5."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim_ioc.instruments.shot_file import NoRoomError, ShotFile
from sim_ioc.physics.photons import PhaseCounts
from sim_ioc.physics.shot_drawing import ADC_PER_MV
from sim_ioc.physics.shot_tape import ShotPart, ShotTape, warm_up
from sim_ioc.physics.world import World
from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import Limits, PutRefusedError
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_out, long_in, long_out, long_waveform, states
from sim_ioc.records.text import LONGEST, text_waveform

PREVIEW_SHOTS = 240
MOST_SHOTS = 2**24
LATE_S = 2.0
"""Wall seconds by which the digitiser may lag before its memory is full and it drops shots."""
CAPTURE = ("Done", "Capture")
WRITE = ("Write OK", "Write error")


@dataclass
class DigitisedDwell:
    """A dwell being digitised."""

    tape: ShotTape
    preset_s: float
    first_row: int
    ended_s: float | None = None
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    rows: int = 0
    dropped: int = 0

    def last_shot(self) -> int:
        """Number of shots at the end of the dwell, as far as known."""
        ends_s = self.tape.start_s + self.preset_s
        return self.tape.shots_until(ends_s if self.ended_s is None else min(self.ended_s, ends_s))


class SimDigitiser(SimDevice):
    """Digitises the dwells of the photon counter, whose gate output is its trigger, while its file is open.

    A row of the file holds consecutive shots. A row ends early where shots are missing and where a dwell ends.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._file: ShotFile | None = None
        self._dwell: DigitisedDwell | None = None
        self._begun = asyncio.Event()
        self._given_up = asyncio.Event()
        self.acquire = BusyRecord(
            self._start, self._given_up.set, ("Done", "Acquire"), "busy", "arms for a dwell; Done when it is written"
        )
        shots, rows = Shown("shots"), Shown("blocks")
        self.shots_per_block = long_out(2**20, shots, Limits(1024, MOST_SHOTS), "length of a row")
        self.shots_per_block.check = self._refuse_while_open
        self.min_free = long_out(100, Shown("MB"), Limits(0, 2**30), "minimum free space on the disk", self._put_room)
        self.block_number = long_in(-1, rows, "number of the last block")
        self.first_phase = long_in(0, Shown(), "phase of the first shot of the last block")
        self.num_valid = long_in(0, shots, "shots in the last block")
        self.dropped = long_in(0, shots, "shots dropped since the start of the dwell")
        self.first_block = long_in(0, rows, "first block of the last dwell")
        self.num_blocks = long_in(0, rows, "blocks of the last dwell")
        self.block = long_waveform(PREVIEW_SHOTS, Shown("ADC units"), "first heights of the last block")
        self.monitor = long_waveform(PREVIEW_SHOTS, Shown("ADC units"), "first monitor values of the last block")
        self.capture = states(CAPTURE[0], CAPTURE, "busy", "1 opens a file, 0 closes it", self._put_capture)
        self.path = text_waveform("", "folder of the files", writable=True)
        self.name = text_waveform("shots.h5", "name of the next file", writable=True)
        self.full_name = text_waveform("", "path of the current or last file", writable=False)
        self.status = states(WRITE[0], WRITE, "bi", "whether the last block was written")
        self.message = text_waveform("", "reason of a write error", writable=False)
        self.records = self._records("7idd:DIG1:")

    def _records(self, prefix: str) -> dict[str, object]:
        scale = analog_out(1 / ADC_PER_MV, Shown("mV", 4), Limits(1e-6, 1.0), "height of one ADC unit")
        scale.writable = False
        return {
            f"{prefix}Acquire": self.acquire.record,
            f"{prefix}ShotsPerBlock": self.shots_per_block,
            f"{prefix}NumPhases_RBV": long_in(
                self._world.model.num_phases, Shown(), "pulses until the pattern repeats"
            ),
            f"{prefix}HeightScale_RBV": scale,
            f"{prefix}BlockNumber": self.block_number,
            f"{prefix}FirstPhase": self.first_phase,
            f"{prefix}NumValid": self.num_valid,
            f"{prefix}Dropped": self.dropped,
            f"{prefix}FirstBlock": self.first_block,
            f"{prefix}NumBlocks": self.num_blocks,
            f"{prefix}Block": self.block,
            f"{prefix}Monitor": self.monitor,
            f"{prefix}Capture": self.capture,
            f"{prefix}FilePath": self.path,
            f"{prefix}FileName": self.name,
            f"{prefix}FullFileName_RBV": self.full_name,
            f"{prefix}MinFree": self.min_free,
            f"{prefix}WriteStatus": self.status,
            f"{prefix}WriteMessage": self.message,
        }

    def _refuse_while_open(self, _: int) -> None:
        if self._file is not None:
            raise PutRefusedError("ShotsPerBlock is fixed while a file is open: end the capture first")

    async def _put_room(self, megabytes: int) -> None:
        if self._file is not None:
            self._file.min_free_bytes = megabytes * 10**6

    async def _put_capture(self, state: str) -> None:
        if state == CAPTURE[0]:
            await self._end_capture()
        elif self._file is None:
            if not self.path.value:
                await self.capture.post(CAPTURE[0])
                raise PutRefusedError("no file can be opened: FilePath is empty")
            path = Path(self.path.value) / self.name.value
            await asyncio.to_thread(warm_up)
            try:
                self._file = ShotFile(
                    path,
                    int(self.shots_per_block.value),
                    self._world.model.num_phases,
                    int(self.min_free.value) * 10**6,
                )
            except OSError as error:
                await self._fail(f"{path}: {error.strerror or error}")
                await self.capture.post(CAPTURE[0])
                raise PutRefusedError(f"no file can be opened at {path}: {error}") from error
            self._begun.clear()
            await self.full_name.post(str(path), always=True)
            await self.status.post(WRITE[0], always=True)
            await self.message.post("", always=True)

    async def _end_capture(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        await self.capture.post(CAPTURE[0])

    async def _fail(self, reason: str) -> None:
        await self.status.post(WRITE[1], always=True)
        await self.message.post(reason[:LONGEST], always=True)

    def _start(self) -> None:
        self._given_up.clear()
        self.spawn(self._wait_for_dwell())

    async def _wait_for_dwell(self) -> None:
        """Done when a dwell that started after the last Acquire has been written, on a stop, or without a file."""
        if self._file is None:
            await self._report_nothing_written()
            await self.acquire.done()
            return
        await self._either(self._begun, self._given_up)
        if self._dwell is not None and not self._given_up.is_set():
            await self._either(self._dwell.over, self._given_up)
        self._begun.clear()
        await self.acquire.done()

    async def _report_nothing_written(self) -> None:
        for record in (self.first_block, self.num_blocks, self.dropped):
            await record.post(0, always=True)

    @staticmethod
    async def _either(*events: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def begin(self, start_s: float, preset_s: float) -> None:
        """Start of a dwell of the counter."""
        self._dwell = None
        if self._file is not None:
            self._dwell = DigitisedDwell(ShotTape(self._world, start_s), preset_s, self._file.rows)
            self._begun.set()
            self.spawn(self._digitise(self._dwell))

    async def end(self, end_s: float) -> PhaseCounts | None:
        """End of the dwell; returns the counts of the counter, None if no file was open."""
        dwell = self._dwell
        if dwell is None:
            return None
        dwell.ended_s = end_s
        dwell.ending.set()
        await dwell.over.wait()
        return dwell.tape.counts()

    async def _digitise(self, dwell: DigitisedDwell) -> None:
        """Draw and write block by block as time passes."""
        tape, clock = dwell.tape, self._world.clock
        while tape.drawn < dwell.last_shot():
            until = min(tape.drawn + int(self.shots_per_block.value), dwell.last_shot())
            await self._until(dwell, tape.time_of(until))
            until = min(until, dwell.last_shot())
            if until <= tape.drawn:
                break
            behind_s = (clock.now() - tape.time_of(until)) / clock.speedup
            if behind_s > LATE_S:
                tape.skip(min(dwell.last_shot(), tape.shots_until(clock.now())))
                continue
            jobs = tape.prepare(until)
            for part in await asyncio.to_thread(tape.draw, jobs, until):
                await self._take(dwell, part)
        dwell.dropped += tape.lost
        await self.dropped.post(dwell.dropped)
        await self.first_block.post(dwell.first_row, always=True)
        await self.num_blocks.post(dwell.rows, always=True)
        dwell.over.set()

    async def _until(self, dwell: DigitisedDwell, time_s: float) -> None:
        """Wait until a time, or the earlier end of the dwell."""
        waiting = asyncio.ensure_future(self._world.clock.sleep_until(time_s))
        ending = asyncio.ensure_future(dwell.ending.wait())
        await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        ending.cancel()

    async def _take(self, dwell: DigitisedDwell, part: ShotPart) -> None:
        """Write one block and post its records; on a full disk the capture ends."""
        dwell.dropped += part.missing
        await self.dropped.post(dwell.dropped)
        try:
            if self._file is None:
                raise NoRoomError("no file is open")
            row = await asyncio.to_thread(self._file.append, part.first_phase, part.missing, part.heights, part.monitor)
        except OSError as error:
            dwell.dropped += part.heights.size
            if self._file is not None:
                await self._fail(str(error))
                await self._end_capture()
            return
        dwell.rows += 1
        await self.first_phase.post(part.first_phase, always=True)
        await self.num_valid.post(part.heights.size, always=True)
        for record, values in ((self.block, part.heights), (self.monitor, part.monitor)):
            await record.post(_preview(values), always=True)
        await self.block_number.post(row, always=True)


def _preview(values: NDArray[np.int16]) -> NDArray[np.int32]:
    shown = np.zeros(PREVIEW_SHOTS, np.int32)
    first = values[:PREVIEW_SHOTS]
    shown[: first.size] = first
    return shown
