"""A number of a rehearsal beside what is published and what is true."""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = float("nan")


@dataclass(frozen=True)
class RehearsedNumber:
    """A number of the campaign.

    Attributes
    ----------
    what, unit : str
    published, value, error, truth : float
        NaN where there is none.
    """

    what: str
    unit: str
    published: float
    value: float
    error: float
    truth: float

    @property
    def pull(self) -> float:
        """Deviation from the truth in units of the error."""
        return (self.value - self.truth) / self.error if self.error > 0 else NOTHING
