"""One number of the paper and our value."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite, nan


@dataclass(frozen=True)
class PaperNumber:
    """A published number and our value.

    Attributes
    ----------
    what, unit : str
    paper, paper_error : float
        Error NaN if none is published.
    ours, error : float
        Error NaN if derived from published numbers alone.
    source : str
        Place in the paper.
    how : str
        How our value is obtained.
    """

    what: str
    unit: str
    paper: float
    ours: float
    source: str
    how: str
    paper_error: float = nan
    error: float = nan

    @property
    def difference(self) -> float:
        """Our value less the published one."""
        return self.ours - self.paper

    @property
    def pull(self) -> float:
        """Difference in units of the combined error; NaN without errors."""
        parts = [error for error in (self.error, self.paper_error) if isfinite(error)]
        return self.difference / hypot(*parts) if parts and hypot(*parts) > 0 else nan
