"""The quality of a dwell, also where the RunEngine has gone back to the last checkpoint.

After a pause the RunEngine repeats the messages since the last checkpoint by itself. The plan goes on where it was and
does not get the answers of the repeated messages: what it has read before the pause is not what the event will hold.
"""

from __future__ import annotations

from typing import Any

from bluesky.protocols import Readable
from bluesky.utils import MsgGenerator, maybe_await

from plans.compilation.quality import GOOD, Check, assess
from plans.execution.messages import read, wait_for
from plans.protocols import Instruments

NOT_JUDGED = "could not be read again after a pause"
DWELL = "dwell"
"""Group of what is set and triggered in a dwell."""


class DwellAssessment:
    """Reads the instruments of a dwell and judges what was read last.

    Attributes
    ----------
    readings : dict
        What was read, by data key.
    quality : str
        What became of it: ``good`` or the reasons.
    """

    def __init__(self, instruments: Instruments, laser_on: int, checks: tuple[Check, ...]) -> None:
        self.readings: dict[str, Any] = {}
        self._read_from: dict[str, str] = {}
        self.quality = GOOD
        self._devices = instruments.read_in_a_dwell()
        self._recorded = instruments.place.quality
        self._awaited = [wanted for wanted in (instruments.ready, instruments.xrays_back) if wanted is not None]
        self._laser_on = bool(laser_on)
        self._checks = checks
        self._passages = 0
        self._read_in_passage = 0

    def begin(self) -> MsgGenerator[None]:
        """Mark the beginning of the dwell, so that it is known when the RunEngine comes past it again.

        Goes on when the instruments are ready.
        """
        yield from wait_for(self._pass)

    async def _pass(self) -> None:
        self._passages += 1
        for wanted in self._awaited:
            await wanted()

    def read(self) -> MsgGenerator[None]:
        """Read all instruments into the event that is open, judge them, and set the quality."""
        self._read_in_passage = self._passages
        for device in self._devices:
            self._keep(device, (yield from read(device)))
        self._assess()
        yield from wait_for(self._record)

    async def _record(self) -> None:
        """Set the quality; where the RunEngine has been back, that of what is read now.

        Once more by the RunEngine's own way back, and quicker than a message of its own would be.
        """
        if self._passages != self._read_in_passage:
            await self._judge_again()
        failure = self._recorded.set(self.quality).exception()
        if failure is not None:
            raise failure

    async def _judge_again(self) -> None:
        """Nobody hears of a failure on the RunEngine's way back: the dwell must not count then."""
        try:
            for device in self._devices:
                self._keep(device, await maybe_await(device.read()))
            self._assess()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.quality = f"{NOT_JUDGED}: {error}"

    def waited_for(self) -> list[Check]:
        """Checks that are worth a wait and did not pass."""
        asked = [check for check in self._checks if check.waits and check.is_asked(self._laser_on)]
        return [check for check in asked if check.key in self.readings and not check.passes(self.readings)]

    def is_read_from(self, device: Readable, check: Check) -> bool:
        """Whether the reading of a check comes from a device."""
        return self._read_from.get(check.key) == device.name

    def _keep(self, device: Readable, reading: Any) -> None:
        self._read_from.update(dict.fromkeys(reading or {}, device.name))
        self.readings.update({key: entry["value"] for key, entry in (reading or {}).items()})

    def _assess(self) -> None:
        if self.readings:
            self.quality = assess(self.readings, self._checks, self._laser_on)
