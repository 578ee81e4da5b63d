"""What has to stay as it is while a dwell is counted: how far axes may be off, and who watches everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Window = tuple[float, float]
"""Lowest and highest allowed reading, in its own unit."""


@dataclass(frozen=True)
class Tolerances:
    """How far an axis may be from its point for a dwell to count.

    Attributes
    ----------
    energy : float
        keV.
    delay : float
        ps.
    fluence : float
        Relative; that of `least_fluence` where it is lower.
    least_fluence : float
        mJ/cm2.
    """

    energy: float = 6e-5
    delay: float = 6.0
    fluence: float = 0.05
    least_fluence: float = 0.2

    def window(self, axis: str, place: float) -> Window:
        """Lowest and highest reading of an axis that counts as at its place."""
        relative = self.fluence * max(place, self.least_fluence)
        allowed = {"energy": self.energy, "delay": self.delay, "fluence": relative}[axis]
        return place - allowed, place + allowed


class Watcher(Protocol):
    """Receives every change of what the numbers depend on, also of what has been put back since."""

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
        """Take what the settings are now as what they have to be; only once after it was staged.

        `held` are the windows of axes that the scan does not move: they have to rest as settings do.
        """

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int) -> None:
        """A dwell begins: everything has to rest, and each axis to stay within its window."""

    def away(self) -> list[str]:
        """What is not what it was at the begin of the run; a scan waits for it."""

    def changes(self) -> list[str]:
        """Why the dwell does not count: what has changed since it began."""

    def lost_axes(self) -> list[str]:
        """Axes that have left their windows since the dwell began."""


class NullWatch:
    """Nothing is watched. A `Watcher`."""

    parent = None
    name = "nothing watched"
    is_staged = True

    def stage(self) -> list[Any]:
        """Nothing to subscribe to."""
        return [self]

    def unstage(self) -> list[Any]:
        """Nothing to unsubscribe from."""
        return [self]

    async def begin_run(self, held: Mapping[str, Window]) -> None:
        """Nothing to compare with."""

    def begin_dwell(self, windows: Mapping[str, Window], laser_on: int) -> None:
        """Nothing to remember."""

    def away(self) -> list[str]:
        """Nothing."""
        return []

    def changes(self) -> list[str]:
        """Nothing."""
        return []

    def lost_axes(self) -> list[str]:
        """None."""
        return []
