"""One number of the paper beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite, nan


@dataclass(frozen=True)
class PaperNumber:
    """A published number and what comes out here.

    Attributes
    ----------
    what, unit : str
    paper, paper_error : float
        NaN error where none is published.
    ours, error : float
        NaN error where ours has none: it follows from published numbers alone.
    source : str
        Where in the paper it stands.
    how : str
        How ours comes about, in a few words.
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
        """Ours less the paper's."""
        return self.ours - self.paper

    @property
    def pull(self) -> float:
        """Difference in units of both errors; NaN where neither has one."""
        parts = [error for error in (self.error, self.paper_error) if isfinite(error)]
        return self.difference / hypot(*parts) if parts and hypot(*parts) > 0 else nan
