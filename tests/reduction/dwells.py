"""Dwells as plain arrays with Gaussian noise of known size: fast, and another model than the simulator's."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reduction.counting.rows import DwellRows

ENERGY = np.round(np.concatenate([[13.450, 13.455, 13.460], 13.464 + 0.0005 * np.arange(32), [13.50, 13.54, 13.57]]), 6)
STATIC = 0.5 + 1 / (1 + np.exp(-(ENERGY - 13.470) / 0.0008)) + 0.5 * np.exp(-(((ENERGY - 13.472) / 0.0015) ** 2))
SHAPE = -0.02 * np.exp(-(((ENERGY - 13.472) / 0.001) ** 2)) + 0.012 * np.exp(-(((ENERGY - 13.4765) / 0.0012) ** 2))
"""Relative transient of the first slot."""


@dataclass
class Scan:
    """What is true of a scan; `rows` draws one measurement of it."""

    amplitudes: NDArray[np.float64]
    counting: float = 1e-3
    """Relative standard deviation of one slot in one dwell, from counting."""
    jet: float = 0.0
    """Relative standard deviation of a dwell that all slots share, white."""
    efficiency: NDArray[np.float64] = field(default_factory=lambda: np.array([1.004, 0.997, 1.0, 0.995, 1.004]))
    pattern: tuple[int, ...] = (1, 0, 0, 1)
    passes: int = 2
    thickness: tuple[float, ...] = ()
    """Of the jet in each pass; 1 by default."""
    offset: float = 0.0
    """Laser-only light of slot 0, in units of the rate far above the edge."""

    def truth(self) -> NDArray[np.float64]:
        """Relative transients, shape (S, E)."""
        return self.amplitudes[:, None] * SHAPE

    def rows(self, rng: np.random.Generator | None = None) -> DwellRows:
        """One measurement; without a generator, one without noise."""
        laser = np.tile(self.pattern, self.passes)
        scan = np.repeat(np.arange(self.passes), len(self.pattern))
        thickness = np.array(self.thickness or (1.0,) * self.passes)[scan]
        mu = STATIC[:, None, None] * np.where(laser[:, None] == 1, (1 + self.truth().T)[:, None, :], 1.0)
        mu = 0.1 * mu * thickness[:, None] * self.efficiency
        mu[:, laser == 1, 0] += 0.1 * self.offset
        variance = (self.counting * mu) ** 2 if self.counting else (1e-9 * mu) ** 2
        if rng is not None:
            mu = mu * (1 + self.jet * rng.standard_normal(mu.shape[:2])[..., None])
            mu = mu + self.counting * mu * rng.standard_normal(mu.shape)
        shape = mu.shape[:2]
        return DwellRows(
            pass_index=scan,
            state=np.broadcast_to(laser, shape).astype(np.int8),
            weight=np.full(shape, 1e5),
            flux=np.ones(shape),
            slot_mu=mu,
            slot_var=variance,
            slot_shift=np.zeros((*mu.shape, 0)),
        )


def decay(rho: float, first: float = 1.0) -> NDArray[np.float64]:
    """Amplitudes of five slots of one decay."""
    return first * rho ** np.arange(5)
