"""The quality of a dwell, also after the RunEngine has rewound to the last checkpoint.

After a pause the RunEngine repeats the messages since the last checkpoint by itself. The plan continues where it was
and does not receive the replies to the repeated messages: the event then holds other readings than the plan does.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from bluesky.protocols import Readable
from bluesky.utils import MsgGenerator, maybe_await

from plans.compilation.quality import GOOD, Check, assess
from plans.execution.messages import read, wait_for
from plans.execution.watching import OFF_POINT, SettingsWait
from plans.protocols import Instruments, Supervision
from plans.watch import Window

NOT_READ_AGAIN = "could not be read again after a pause"
CHANGED = "has changed within the point"
DWELL = "dwell"
"""Group of everything that is set and triggered in a dwell."""


class DwellAssessment:
    """Reads the instruments of a dwell and assesses the last readings.

    Attributes
    ----------
    readings : dict
        By data key.
    quality : str
        ``good``, or the reasons why the dwell is rejected.
    axis_moved : bool
        Whether an axis has left its point, even if it is back there: all dwells of a point need the same setting.
    """

    def __init__(
        self,
        instruments: Instruments,
        supervision: Supervision,
        laser_on: int,
        checks: tuple[Check, ...],
        windows: Mapping[str, Window],
        moving: tuple[Any, ...] = (),
    ) -> None:
        self.readings: dict[str, Any] = {}
        self._read_from: dict[str, str] = {}
        self.quality = GOOD
        self._devices = instruments.read_in_a_dwell()
        self._counters = [counter.name for counter in instruments.counters]
        self._quality_signal = instruments.dwell_label.quality
        self._awaited = supervision.awaited_before_a_dwell()
        self.axis_moved = False
        self._supervision, self._windows, self._moving = supervision, windows, moving
        self._settings_wait = SettingsWait(supervision.watch, supervision.wait_observer)
        self._laser_on = laser_on
        self._checks = checks
        self._passages = 0
        self._read_in_passage = 0
        self._begun = monotonic()

    def begin(self) -> MsgGenerator[None]:
        """Count how often the RunEngine passes the beginning of the dwell: a second time shows a rewind.

        Returns when the supervision allows the dwell to start.
        """
        yield from wait_for(self._count_passage)

    async def _count_passage(self) -> None:
        self._passages += 1
        for ready in self._awaited:
            await ready()
        self._begun = monotonic()
        if await self._settings_wait.until_back():
            self._supervision.watch.begin_dwell(self._windows, self._laser_on, self._moving)

    def read(self) -> MsgGenerator[None]:
        """Read all instruments into the open event, assess the readings, and set the quality."""
        self._read_in_passage = self._passages
        for device in self._devices:
            self._store(device, (yield from read(device)))
        self._assess()
        yield from wait_for(self._set_quality)

    async def _set_quality(self) -> None:
        """Assess again when all changes during the dwell are known, after a rewind with new readings; set the quality.

        The RunEngine repeats this call when it rewinds, and it takes less time than a message would.
        """
        await self._supervision.watch.caught_up(self._counters)
        if self._passages != self._read_in_passage:
            await self._assess_again()
        else:
            self._assess()
        failure = self._quality_signal.set(self.quality).exception()
        if failure is not None:
            raise failure

    async def _assess_again(self) -> None:
        """Read and assess after a rewind. The RunEngine drops exceptions there, so a failure becomes the quality."""
        try:
            for device in self._devices:
                self._store(device, await maybe_await(device.read()))
            self._assess()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.quality = f"{NOT_READ_AGAIN}: {error}"

    def checks_to_wait_for(self) -> list[Check]:
        """Checks with a wait that did not pass."""
        checks = [check for check in self._checks if check.waits and check.applies_to(bool(self._laser_on))]
        return [check for check in checks if check.key in self.readings and not check.passes(self.readings)]

    def is_read_from(self, device: Readable, check: Check) -> bool:
        """Whether the reading of a check comes from a device."""
        return self._read_from.get(check.key) == device.name

    def _store(self, device: Readable, reading: Any) -> None:
        self._read_from.update(dict.fromkeys(reading or {}, device.name))
        self.readings.update({key: entry["value"] for key, entry in (reading or {}).items()})

    def _assess(self) -> None:
        if not self.readings:
            return
        watch = self._supervision.watch
        found = assess(self.readings, self._checks, bool(self._laser_on), self._counters)
        silences = self._supervision.servers.silences(self._begun)
        self.quality = "; ".join([*([] if found == GOOD else [found]), *watch.changes(), *silences]) or GOOD
        self.axis_moved = bool(watch.lost_axes()) or OFF_POINT in found or CHANGED in found
