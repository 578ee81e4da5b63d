"""Suspenders from the configuration: scans wait while a reading is outside its limits, then resume automatically."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
from bluesky import RunEngine
from bluesky.suspenders import SuspenderBase
from bluesky.utils import MsgGenerator

from beamline.config.entries import SuspenderEntry
from beamline.station.components import find_signal
from beamline.station.logs import rotating_log


@dataclass
class Suspension:
    """One suspension: reason, start, and duration (wall seconds; None while it lasts)."""

    reason: str
    began: float
    seconds: float | None = None


class SuspensionLog:
    """All suspensions of a session, each reported on one line and logged.

    Parameters
    ----------
    notify : callable
        Called with messages for the user.
    root : Path, optional
        Data root; the log is ``log/suspensions.log`` below it.
    """

    def __init__(self, notify: Callable[[str], None], root: Path | None = None) -> None:
        self.suspensions: list[Suspension] = []
        self._notify = notify
        self._log = rotating_log(root, "suspensions") if root is not None else None

    def begin(self, reason: str, reading: str) -> Suspension:
        """Record the start of a wait."""
        suspension = Suspension(reason, time.time())
        self.suspensions.append(suspension)
        self.report(
            f"WAITING: {reason} ({reading}); the scan resumes automatically (suspension {len(self.suspensions)})"
        )
        return suspension

    def end(self, suspension: Suspension, shown: bool = True) -> None:
        """Record the end of a wait; with `shown` False in the log only."""
        suspension.seconds = time.time() - suspension.began
        self.report(f"Resumed after {suspension.seconds:.1f} s: {suspension.reason} is over", shown)

    def give_in(self, suspension: Suspension) -> None:
        """Record that the longest allowed wait is over, and the scan resumes."""
        suspension.seconds = time.time() - suspension.began
        self.report(f"Resumed after {suspension.seconds:.1f} s, the longest wait for: {suspension.reason}")

    def give_up(self, suspension: Suspension | None) -> None:
        """Record that the longest allowed wait is over, and the scan ends."""
        if suspension is not None:
            suspension.seconds = time.time() - suspension.began
            self.report(f"Gave up after {suspension.seconds:.1f} s: {suspension.reason}; continue later with resume")

    def report(self, sentence: str, shown: bool = True) -> None:
        """Log a message and show it."""
        if self._log is not None:
            self._log.write(sentence)
        if shown:
            self._notify(sentence)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()


class Hold:
    """Suspends the RunEngine once for any number of readings, until all are within their limits.

    A second request during a suspension is an error for the RunEngine. Used in its event loop only.

    Attributes
    ----------
    suspenders : list of OutsideSuspender
        Suspenders that interrupt dwells.
    """

    def __init__(self) -> None:
        self.suspenders: list[OutsideSuspender] = []
        self.off_duty = False
        """True while something runs that no reading holds up: a single move or count, which may look for the reason."""
        self._requested = False

    @property
    def under_way(self) -> bool:
        """Whether the RunEngine is suspended, or a suspension is requested."""
        return self._requested

    def begin(self) -> None:
        """Reset at the start of a plan."""
        self._requested = False

    def request(self, engine: RunEngine) -> None:
        """Request a suspension of the RunEngine."""
        if self._requested:
            return
        self._requested = True
        with contextlib.redirect_stdout(io.StringIO()):  # the RunEngine would print the same on three lines
            engine.request_suspend(self._all_free)

    async def _all_free(self) -> None:
        while held := [each for each in self.suspenders if each.holds]:
            await held[0].free()
        self._requested = False


class OutsideSuspender(SuspenderBase):  # type: ignore[misc]
    """Suspends the RunEngine while a signal is outside its limits or NaN.

    Parameters
    ----------
    signal : ophyd.Signal
    entry : SuspenderEntry
    suspension_log : SuspensionLog
    hold : Hold
        Shared by all suspenders of the RunEngine.
    clock_rate : float
        Beamline seconds per wall second.
    """

    def __init__(
        self, signal: Any, entry: SuspenderEntry, suspension_log: SuspensionLog, hold: Hold, clock_rate: float = 1.0
    ) -> None:
        super().__init__(signal, sleep=entry.wait / clock_rate, tripped_message=entry.reason)
        self._entry = entry
        self._log, self._hold = suspension_log, hold
        self._value = math.nan
        self._suspension: Suspension | None = None
        self._release: asyncio.TimerHandle | None = None
        self._longest = entry.longest / clock_rate
        self._limit: asyncio.TimerHandle | None = None
        self._given_in = False

    def _should_suspend(self, value: Any) -> bool:
        return not self._entry.low <= value <= self._entry.high

    def _should_resume(self, value: Any) -> bool:
        entry = self._entry
        return bool(entry.low + entry.margin <= value <= entry.high - entry.margin)

    def __call__(self, value: Any, **_: Any) -> None:
        """Callback of the signal, from any thread."""
        with self._lock:
            engine = self.RE
        if engine is not None:
            engine.loop.call_soon_threadsafe(self._evaluate, float(value))

    def _evaluate(self, value: float) -> None:
        """Evaluate a value in the RunEngine's event loop; everything below runs only there."""
        self._value = value
        if self._should_suspend(value):
            self._tripped = True
            if self._release is not None:  # the reading was back for less than the waiting time
                self._release.cancel()
                self._release = None
            waits_now = not (self._entry.between_dwells or self._given_in or self._hold.off_duty)
            engine = self.RE
            if waits_now and not self.holds and engine and (engine.state.is_running or self._hold.under_way):
                self._begin()
                self._hold.request(engine)
        elif self._tripped and self._should_resume(value):
            self._tripped = self._given_in = False
            if self._ev is not None and self._release is None and self.RE is not None:
                self._release = self.RE.loop.call_later(self._sleep, self._end)

    def _begin(self) -> None:
        self._ev = asyncio.Event()
        self._suspension = self._log.begin(self._entry.reason, f"{self._sig.name} is {self._value:g}")
        if self.RE is not None and math.isfinite(self._longest):
            self._limit = self.RE.loop.call_later(self._longest, self._give_in)

    def _give_in(self) -> None:
        """End the longest allowed wait; no further waits until the reading has been within its limits."""
        self._given_in = True
        self._end()

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._release = self._limit = None
        if self._ev is not None:
            self._ev.set()
            self._ev = None
        if self._suspension is not None:
            if self._given_in:
                self._log.give_in(self._suspension)
            else:
                self._log.end(self._suspension, shown=not self._entry.between_dwells)
            self._suspension = None

    async def free(self) -> None:
        """Wait until the reading is within its limits; at the start of plans and before each dwell."""
        if self._tripped and self._ev is None and not self._given_in:
            self._begin()
        if self._ev is not None:
            await self._ev.wait()

    @property
    def holds(self) -> bool:
        """Whether a plan is waiting for it."""
        return self._ev is not None

    @property
    def outside(self) -> str:
        """Why scans would wait now; empty if they would not."""
        return str(self._entry.reason) if self._tripped else ""

    def reading(self) -> dict[str, Any]:
        """The latest value with its limits; None for what is no number."""
        entry = self._entry
        values = {"value": self._value, "low": entry.low, "high": entry.high}
        finite = {key: value if math.isfinite(value) else None for key, value in values.items()}
        return {"name": entry.signal, "reason": entry.reason, **finite}

    @property
    def between_dwells(self) -> bool:
        """Whether it suspends scans between dwells only."""
        return self._entry.between_dwells

    def get_futures(self) -> tuple[list[Any], str]:
        """Empty: `wait_first` waits before a plan, with a message on one line."""
        return [], ""

    def remove(self) -> None:
        """Unsubscribe, and end present waits."""
        self._sig.clear_sub(self)
        with self._lock:
            engine, self.RE = self.RE, None
        self._tripped = False
        if engine is not None:
            engine.loop.call_soon_threadsafe(self._end)


def install(
    engine: RunEngine,
    devices: dict[str, Any],
    entries: Iterable[SuspenderEntry],
    suspension_log: SuspensionLog,
    clock_rate: float = 1.0,
    hold: Hold | None = None,
) -> list[OutsideSuspender]:
    """Create and install the suspenders of a configuration; plans then wait for all of them before they start.

    Raises
    ------
    LookupError
        If an entry names a signal that does not exist.
    """
    hold = hold or Hold()
    made = [
        OutsideSuspender(find_signal(devices, entry.signal), entry, suspension_log, hold, clock_rate)
        for entry in entries
    ]
    hold.suspenders += [each for each in made if not each.between_dwells]
    for suspender in made:
        engine.install_suspender(suspender)

    def wait_first(plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        hold.begin()
        if made and not hold.off_duty:
            yield from bps.wait_for([suspender.free for suspender in made])
        return (yield from plan)

    engine.preprocessors.append(wait_first)
    return made


async def all_free(suspenders: Iterable[OutsideSuspender]) -> None:
    """Before a dwell: wait for suspenders that act between dwells, and for those that tripped during a pause."""
    for suspender in suspenders:
        await suspender.free()
