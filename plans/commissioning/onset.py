"""What the search for time zero asks of its judge: where the transient begins, and where more counts say most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from plans.commissioning.light import SeenLight
from plans.commissioning.roles import Judged, Rows


class OnsetRange(Protocol):
    """A range of the onset, for a sign of the delay; ps."""

    low: float
    high: float
    sign: int


class KnownLight(SeenLight, Protocol):
    """Between which delays the light goes from one slot to the next, and where the transient then begins."""

    @property
    def onset(self) -> OnsetRange: ...


class KnownOnset(OnsetRange, Protocol):
    """Where a transient begins."""

    @property
    def middle(self) -> float:
        """ps"""

    @property
    def is_seen(self) -> bool:
        """Whether there is a transient; counts close to where it begins tell the sign of the delay, too."""

    @property
    def is_certain(self) -> bool:
        """Whether there is one, and the sign of the delay is known."""

    @property
    def is_narrow(self) -> bool:
        """Whether the rise can be measured."""


class OnsetJudge(Protocol):
    """Looks for the onset while counts go on, and judges in the end."""

    def light(self, rows: Rows, conditions: Mapping[str, float]) -> KnownLight | None:
        """From the counts without X-rays so far; None without light."""

    def best_delays(self, rows: Rows, conditions: Mapping[str, float], number: int) -> Sequence[float]:
        """Delays after time zero (ps) at which more counts say most of it; empty while that is not known."""

    def onset(self, rows: Rows, conditions: Mapping[str, float]) -> KnownOnset | None:
        """From the counts so far; None without light."""

    def __call__(self, rows: Rows, conditions: Mapping[str, float]) -> Judged: ...
