"""Parts of the dwells and rates of a scan that not every pattern of bunches and laser has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GroundState:
    """What each slot would count in the ground state; axes N points, R rows, S slots, B bunches.

    Attributes
    ----------
    mu : ndarray, shape (N, R, S)
        Photons per pulse: mean over the phases of a slot of the ground-state rate of their bunch.
    bunch_var : ndarray, shape (N, R, B)
        Variance of the ground-state rate of each bunch, from counting.
    shift : ndarray, shape (N, R, S, M)
        Change of `mu` by one standard deviation of each of the parameters of `DwellRows.slot_shift`.
    members : ndarray, shape (S, B)
        Fraction of the phases of a slot that each bunch has.
    inside : ndarray, shape (S, B)
        The same for phases that are themselves before the pump: their counts are on both sides of the comparison.
    """

    mu: Array
    bunch_var: Array
    shift: Array
    members: Array
    inside: Array

    @property
    def is_ground(self) -> NDArray[np.bool_]:
        """Slots that lie before the pump altogether, and are their own reference; shape (S,)."""
        return np.asarray(self.inside.sum(axis=1) > 1 - 1e-9)

    def scaled(self, factor: Array) -> GroundState:
        """That of dwells whose counts are multiplied by factors of shape (N, R)."""
        wide = factor[..., None]
        return replace(
            self, mu=self.mu * wide, bunch_var=self.bunch_var * wide**2, shift=self.shift * wide[..., None]
        )  # fmt: skip

    def only(self, points: NDArray[np.bool_]) -> GroundState:
        """That of some points."""
        return replace(self, mu=self.mu[points], bunch_var=self.bunch_var[points], shift=self.shift[points])

    def rows(self, rows: NDArray[np.bool_]) -> GroundState:
        """That of some rows."""
        return replace(self, mu=self.mu[:, rows], bunch_var=self.bunch_var[:, rows], shift=self.shift[:, rows])

    def with_more(self, parameters: int) -> GroundState:
        """The same, with parameters at the end that do not move it."""
        more = np.zeros((*self.mu.shape, parameters))
        return replace(self, shift=np.concatenate([self.shift, more], axis=3))


@dataclass(frozen=True)
class BunchAgreement:
    """Chi-square per degree of freedom of the counts of bunches with the laser off.

    Attributes
    ----------
    equal, fixed, measured : float
        For equal bunches, fixed efficiencies, and efficiencies times measured currents; NaN without currents.
    dof : int
        Degrees of freedom of `fixed` and `measured`.
    notes : tuple of str
    """

    equal: float
    fixed: float
    measured: float
    dof: int
    notes: tuple[str, ...] = ()
