"""Phases of a slow laser as slots: each compared with its own bunch in the orbits before the pump.

A bunch is compared with itself in the same shots, so its charge and the efficiency of its gate cancel, and the monitor
only has to follow the flux from point to point. Orbits after the pump are slots; those before it are the ground state,
each of them compared with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.phases import Pattern
from reduction.counting.pileup import photons_per_pulse
from reduction.detectors.combine import weights_of
from reduction.errors import ReductionError
from reduction.references.compared import Compared

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PhaseRates:
    """Rates of one detector, or of several combined; N points, P phases.

    Attributes
    ----------
    rate, variance : ndarray, shape (N, P)
        Photons per monitor count, and the variance of the detector alone.
    flux_variance : ndarray, shape (N, P)
        Relative variance of the flux, common to all phases of a bunch and to all detectors.
    """

    rate: Array
    variance: Array
    flux_variance: Array

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """Points whose rates and errors are finite, shape (N,): a hit in every gate has neither."""
        return np.asarray(np.isfinite(self.rate).all(axis=1) & np.isfinite(self.variance).all(axis=1))

    def only(self, points: NDArray[np.bool_]) -> PhaseRates:
        """Those of some points."""
        return PhaseRates(self.rate[points], self.variance[points], self.flux_variance[points])


def rates_of_counts(
    hits: NDArray[np.int64], gates: NDArray[np.int64], flux: Array, flux_variance: Array
) -> list[PhaseRates]:
    """Rates of every detector, corrected for pile-up.

    Parameters
    ----------
    hits : ndarray of int, shape (N, D, P)
    gates : ndarray of int, shape (N,)
    flux, flux_variance : ndarray, shape (N, P)
        As from `monitor_flux`.
    """
    mu, variance = photons_per_pulse(hits, gates[:, None, None])
    return [
        PhaseRates(mu[:, each] / flux, variance[:, each] / flux**2, flux_variance) for each in range(hits.shape[1])
    ]  # fmt: skip


def monitor_flux(hits: NDArray[np.int64], gates: NDArray[np.int64], bunches: int) -> tuple[Array, Array]:
    """Photons of the monitor a pulse, mean over the orbits of each bunch, and their relative variance; shape (N, P).

    A bunch keeps its charge from orbit to orbit.
    """
    mu, variance = photons_per_pulse(hits, gates[:, None])
    orbits = mu.shape[1] // bunches
    mean = mu.reshape(-1, orbits, bunches).mean(axis=1)
    error = variance.reshape(-1, orbits, bunches).sum(axis=1) / orbits**2
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = error / mean**2
    return np.tile(mean, orbits), np.tile(relative, orbits)


def rates_of_scatter(rates: Array, pattern: Pattern) -> list[PhaseRates]:
    """Rates without counts, shape (N, D, P): variances in proportion to the rate, by the scatter before the pump.

    Raises
    ------
    ReductionError
        If there are fewer than two orbits before the pump.
    """
    found = []
    before = pattern.laser_phase // pattern.num_bunches
    if before < 2:
        raise ReductionError(
            f"{before} orbits before the pump have no scatter, and there are no counts: two are needed"
        )
    for each in range(rates.shape[1]):
        rate = rates[:, each]
        ground = rate[:, : before * pattern.num_bunches].reshape(-1, before, pattern.num_bunches)
        squares = ((ground - ground.mean(axis=1, keepdims=True)) ** 2).sum(axis=(0, 1)) / (before - 1)
        scale = np.tile(squares / np.abs(ground.mean(axis=1)).sum(axis=0), rate.shape[1] // pattern.num_bunches)
        found.append(PhaseRates(rate, np.abs(rate) * scale, np.zeros_like(rate)))
    return found


def combined(detectors: list[PhaseRates]) -> PhaseRates:
    """Sum of detectors with the weights of the whole scan, as counters are combined.

    Raises
    ------
    ReductionError
        If a detector has no photons.
    """
    both = np.all([each.is_finite for each in detectors], axis=0)
    means = [(float(each.rate[both].mean()), float(each.variance[both].mean())) for each in detectors]
    for number, (mean, _) in enumerate(means, start=1):
        if not mean > 0:
            raise ReductionError(
                f"detector {number} of {len(means)} has no photons: import the file without its columns"
            )
    weights = weights_of(means)
    rate, variance = weights.combined([each.rate for each in detectors]), [each.variance for each in detectors]
    return PhaseRates(rate, weights.combined(variance, 2), detectors[0].flux_variance)


def ground_phases(pattern: Pattern, phase: int) -> NDArray[np.int64]:
    """Phases before the pump with the bunch of a phase, that phase itself apart.

    Raises
    ------
    ReductionError
        If there is none.
    """
    bunch = phase % pattern.num_bunches
    found = np.arange(bunch, pattern.laser_phase, pattern.num_bunches, dtype=np.int64)
    if not found.size:
        raise ReductionError(f"bunch {bunch} has no orbit before the pump: is the pump named rightly?")
    return found[found != phase]


def compared_slots(rates: PhaseRates, pattern: Pattern, slots: Sequence[int]) -> Compared:
    """Slots (laser on) and their ground states (laser off), shape (2, S, N), with their covariance.

    Each of these rates is a mean over phases; what two of them share, and the flux of a bunch, is in their covariance.
    NaN for a slot before the pump that is the only one of its bunch.
    """
    weights = np.stack([_weights(pattern, slot) for slot in slots], axis=1)  # (2, S, P)
    rate = np.einsum("lsp,np->lsn", weights, rates.rate)
    local = np.einsum("lsp,np,mtp->lsmtn", weights, rates.variance, weights, optimize=True)
    bunch = [(pattern.laser_phase + slot) % pattern.num_bunches for slot in slots]
    flux = rates.flux_variance[:, bunch].T  # (S, N)
    same = np.equal.outer(bunch, bunch)[None, :, None, :, None]
    local += np.where(same, np.einsum("lsn,mtn,sn->lsmtn", rate, rate, flux), 0.0)
    rate[:, ~weights[OFF].any(axis=1)] = np.nan
    return Compared(rate, local, np.zeros((*rate.shape, 0)))


def _weights(pattern: Pattern, slot: int) -> Array:
    """Weights of the phases in the ground state and in the slot, shape (2, P)."""
    phase = (pattern.laser_phase + slot) % pattern.num_phases
    ground = ground_phases(pattern, phase)
    weights = np.zeros((2, pattern.num_phases))
    weights[ON, phase] = 1.0
    weights[OFF, ground] = 1 / max(ground.size, 1)
    return weights
