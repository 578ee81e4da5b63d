"""Conditions for a dwell to count: tolerances of the axes, and the interface to monitors of everything else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Window = tuple[float, float]
"""Lowest and highest allowed reading, in its own unit."""


@dataclass(frozen=True)
class Tolerances:
    """Largest distance of an axis from its setpoint at which a dwell counts.

    Attributes
    ----------
    energy : float
        keV.
    delay : float
        ps.
    fluence : float
        Relative; below `least_fluence`, relative to that.
    least_fluence : float
        mJ/cm2.
    temperature : float
        K.
    """

    energy: float = 6e-5
    delay: float = 6.0
    fluence: float = 0.05
    least_fluence: float = 0.2
    temperature: float = 0.5

    def window(self, axis: str, position: float) -> Window:
        """Lowest and highest reading at which an axis counts as at `position`."""
        relative = self.fluence * max(position, self.least_fluence)
        of_axis = {"energy": self.energy, "delay": self.delay, "fluence": relative, "temperature": self.temperature}
        allowed = of_axis[axis]
        return position - allowed, position + allowed


class Watcher(Protocol):
    """Monitors everything that the numbers depend on; a change counts even if it has been reverted."""

    parent: Any
    name: str

    @property
    def is_staged(self) -> bool:
        """Whether a scan is under way."""

    def stage(self) -> list[Any]:
        """Subscribe."""

    def unstage(self) -> list[Any]:
        """Unsubscribe."""

    async def begin_run(self, held: Mapping[str, Window]) -> None:
        """Take the present settings as reference; only the first call after staging has an effect.

        `held` are the windows of axes that the scan does not move: they must not change either.
        """

    def moved(self, devices: Iterable[Any]) -> None:
        """The scan itself has moved these devices between two runs: where they are now is their reference."""

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int, moving: Collection[Any] = ()) -> None:
        """A dwell begins: nothing may change but devices that it moves, and each axis must stay within its window."""

    async def caught_up(self, detectors: Iterable[str]) -> None:
        """Wait until all changes are known that came before the end of the counts of these detectors, by name."""

    def away(self) -> list[str]:
        """Settings that differ from the start of the run; a scan waits until they are restored."""

    def changes(self) -> list[str]:
        """Changes since the dwell began: the reasons why it is rejected."""

    def lost_axes(self) -> list[str]:
        """Axes that have left their windows since the dwell began."""


class NullWatch:
    """A `Watcher` that monitors nothing."""

    parent = None
    name = "nothing watched"
    is_staged = True

    def stage(self) -> list[Any]:
        """Does nothing."""
        return [self]

    def unstage(self) -> list[Any]:
        """Does nothing."""
        return [self]

    async def begin_run(self, held: Mapping[str, Window]) -> None:
        """Does nothing."""

    def moved(self, devices: Iterable[Any]) -> None:
        """Does nothing."""

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int, moving: Collection[Any] = ()) -> None:
        """Does nothing."""

    async def caught_up(self, detectors: Iterable[str]) -> None:
        """Does nothing."""

    def away(self) -> list[str]:
        """Always empty."""
        return []

    def changes(self) -> list[str]:
        """Always empty."""
        return []

    def lost_axes(self) -> list[str]:
        """Always empty."""
        return []


class ServerWatcher(Protocol):
    """Asks the servers of a scan for replies while it is staged."""

    parent: Any
    name: str

    def stage(self) -> list[Any]:
        """Begin to ask."""

    def unstage(self) -> list[Any]:
        """Stop asking."""

    def silent(self) -> list[str]:
        """A reason for each server that does not reply now; a scan waits until there is none."""

    def silences(self, since: float) -> list[str]:
        """The same, with the silences that have ended since a moment of `time.monotonic`."""

    def has_asked_since(self, moment: float) -> bool:
        """Whether it is known which servers reply after that moment."""


class NullServerWatch:
    """A `ServerWatcher` for which all servers reply."""

    parent = None
    name = "no server watched"

    def stage(self) -> list[Any]:
        """Does nothing."""
        return [self]

    def unstage(self) -> list[Any]:
        """Does nothing."""
        return [self]

    def silent(self) -> list[str]:
        """Always empty."""
        return []

    def silences(self, since: float) -> list[str]:
        """Always empty."""
        return []

    def has_asked_since(self, moment: float) -> bool:
        """Always."""
        return True
