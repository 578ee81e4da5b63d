"""Where a measurement was made, as far as no document says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BeamlineInfo:
    """Facility, kind of X-ray source, and the monochromator's crystal with its lattice spacing in Angstrom."""

    facility: str
    source: str
    crystal: str
    d_spacing: float
