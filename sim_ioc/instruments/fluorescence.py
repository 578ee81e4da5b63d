"""Silicon drift detector with several elements, with the records of the EPICS module for Xspress3 electronics."""

from __future__ import annotations

from sim_ioc.physics.powder import PowderWorld
from sim_ioc.physics.powder_spectrum import TICK_NS, ElementCounts
from sim_ioc.records.busy import BusyRecord
from sim_ioc.records.channels import DoubleChannel, Limits
from sim_ioc.records.device import SimDevice
from sim_ioc.records.fields import Shown, analog_in, analog_out

DETECTOR = "X10DA-ES1-SDD:"
SCALERS = {
    "ticks": (0, "clock ticks of 12.5 ns", 0),
    "reset_ticks": (1, "clock ticks of resets", 0),
    "events": (3, "all events", 0),
    "region": (5, "events in window 1", 0),
    "width": (8, "event width, clock ticks less 1", 2),
    "factor": (9, "dead-time factor", 4),
    "percent": (10, "dead time, per cent", 3),
}
"""Number, meaning, decimals. The records of this module have no units."""


class SimFluorescence(SimDevice):
    """Counts of each element over the acquire time; the event width is what the electronics takes as dead time."""

    def __init__(self, powder: PowderWorld) -> None:
        super().__init__()
        self._powder, self._clock = powder, powder.world.clock
        names, meaning = ("Done", "Acquire"), "1 counts for AcquireTime; complete when Done"
        self._busy = BusyRecord(self._start, self._stop, names, "busy", meaning)
        self._time = analog_out(1.0, Shown("s", 4), Limits(1e-3, 3600.0), "acquire time, beamline seconds")
        self._elapsed = analog_in(0.0, Shown("s", 6), "time counted, beamline seconds")
        self._ended_s: float | None = None
        self._scalers = [self._of_element() for _ in powder.truth.elements.solid_angle]
        self.records = {
            f"{DETECTOR}det1:Acquire": self._busy.record,
            f"{DETECTOR}det1:AcquireTime": self._time,
            f"{DETECTOR}det1:ElapsedTime_RBV": self._elapsed,
        }
        for element, scalers in enumerate(self._scalers, start=1):
            for name, record in scalers.items():
                self.records[f"{DETECTOR}C{element}SCA:{SCALERS[name][0]}:Value_RBV"] = record

    @staticmethod
    def _of_element() -> dict[str, DoubleChannel]:
        return {name: analog_in(0.0, Shown("", digits), meaning) for name, (_, meaning, digits) in SCALERS.items()}

    def _start(self) -> None:
        self._ended_s = None
        self.spawn(self._acquire(self._clock.now(), float(self._time.value)))

    def _stop(self) -> None:
        self._ended_s = self._clock.now()

    async def _acquire(self, start_s: float, seconds: float) -> None:
        while self._ended_s is None and (left := start_s + seconds - self._clock.now()) > 0:
            await self._clock.sleep(min(left, 0.05 * self._clock.speedup))
        elapsed = seconds if self._ended_s is None else min(self._ended_s - start_s, seconds)
        truth = self._powder.truth.elements
        for number, counts in enumerate(self._powder.element_counts(start_s, start_s + elapsed)):
            await self._post(number, counts, truth.shown_dead_time_ns[number] / TICK_NS - 1)
        await self._elapsed.post(elapsed, always=True)
        await self._busy.done()

    async def _post(self, number: int, counts: ElementCounts, width: float) -> None:
        dead = counts.events * (width + 1) + counts.reset_ticks
        shown = {
            **{name: getattr(counts, name) for name in ("ticks", "reset_ticks", "events", "region")},
            "width": width,
            "factor": counts.ticks / max(counts.ticks - dead, 1.0),
            "percent": 100 * dead / max(counts.ticks, 1),
        }
        for name, value in shown.items():
            await self._scalers[number][name].post(float(value), always=True)
