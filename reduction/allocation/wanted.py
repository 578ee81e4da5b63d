"""Targets: quantities with the standard errors that are wanted of them, whatever the rhythm of the laser is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.allocation.fitted import FITTED
from reduction.allocation.names import wanted_error, weight_of
from reduction.allocation.quantities import SPECTRAL, Builder, Grids, Linearised, TargetQuantity, built

Array = NDArray[np.float64]

KNOWN: Mapping[str, Builder] = {**SPECTRAL, **FITTED}
"""Quantities by name."""


@dataclass(frozen=True)
class Target:
    """A quantity and the standard error that is wanted of it.

    Attributes
    ----------
    quantity : str
        By name, as in `KNOWN`.
    wanted : float, str or pair of float
        See `reduction.allocation.names.wanted_error`.
    """

    quantity: str
    wanted: Any


class WantedQuantities:
    """Quantities of some grids, and what is wanted of them; worked out when it is first asked for.

    Parameters
    ----------
    targets : sequence of Target
    grids : sequence of PredictedGrid
        With one cycle at each point.
    known : mapping
        Quantities by name.
    """

    def __init__(self, targets: Sequence[Target], grids: Grids, known: Mapping[str, Builder] = KNOWN) -> None:
        self._targets, self._grids, self._known = targets, grids, known

    @cached_property
    def _pairs(self) -> list[tuple[TargetQuantity, Any]]:
        return [(one, each.wanted) for each in self._targets for one in built(each.quantity, self._grids, self._known)]

    @cached_property
    def quantities(self) -> list[TargetQuantity]:
        return [one for one, _ in self._pairs]

    @cached_property
    def values(self) -> list[Linearised]:
        """Of each quantity, with the errors of one cycle everywhere."""
        return [quantity.about(self._grids) for quantity in self.quantities]

    @cached_property
    def variances(self) -> Array:
        """That are wanted, shape (Q,)."""
        pairs = zip(self._pairs, self.values, strict=True)
        return np.array([wanted_error(one.name, wanted, at.scale, one.unit) for (one, wanted), at in pairs]) ** 2

    @cached_property
    def limits(self) -> Array:
        """What has to be 1 at most, by variances, shape (R, Q): each over the wanted one, and of targets with weights
        the weighted mean of these."""
        weights = np.array([weight_of(one.name, wanted) for one, wanted in self._pairs])
        rows = np.eye(weights.size)[weights == 0]
        if weights.any():
            rows = np.concatenate([rows, weights[None] / weights.sum()])
        return np.asarray(rows / self.variances)

    @property
    def weighted(self) -> list[int]:
        """Quantities of which a mean is wanted: without one of them it would be too small."""
        means = self.limits[(self.limits > 0).sum(axis=1) > 1]
        return np.flatnonzero((means > 0).any(axis=0)).tolist()
