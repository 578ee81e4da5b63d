"""Facts about the beamline that no document holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BeamlineInfo:
    """Facility, kind of X-ray source, monochromator crystal and its lattice spacing in angstrom."""

    facility: str
    source: str
    crystal: str
    d_spacing: float
