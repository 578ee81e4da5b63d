"""The average of computed spectra over absorbing sites and polarisations (SI 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]

FEWEST = 8
"""Points of a computed spectrum."""


@dataclass(frozen=True)
class ComputedSpectrum:
    """A cross section in any unit; energies in eV above the top of the valence band, ascending."""

    energy: Array
    value: Array


def average(parts: Sequence[ComputedSpectrum], weights: Sequence[float]) -> ComputedSpectrum:
    """Weighted mean of spectra, on all their energies where each of them is known.

    Parameters
    ----------
    parts : sequence of ComputedSpectrum
        One for each site and polarisation.
    weights : sequence of float
        Multiplicities; only their ratios matter.

    Raises
    ------
    ReductionError
        If there is none, a weight is not above 0, or they have too few energies in common.
    """
    if not parts or len(parts) != len(weights):
        raise ReductionError(
            f"{len(parts)} computed spectra with {len(weights)} weights: one weight for each, at least one"
        )
    if min(weights) <= 0:
        raise ReductionError(f"weights {', '.join(f'{each:g}' for each in weights)}: all are above 0")
    grid = np.unique(np.concatenate([part.energy for part in parts]))
    low, high = max(part.energy[0] for part in parts), min(part.energy[-1] for part in parts)
    grid = grid[(grid >= low) & (grid <= high)]
    if grid.size < FEWEST:
        raise ReductionError(f"the computed spectra have {grid.size} energies in common, and {FEWEST} are needed")
    shares = np.asarray(weights, dtype=np.float64) / sum(weights)
    return ComputedSpectrum(grid, shares @ np.stack([np.interp(grid, part.energy, part.value) for part in parts]))
