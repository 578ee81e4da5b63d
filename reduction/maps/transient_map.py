"""The matrix of transients over delay and energy, with the covariance of all its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]

SAME = 1e-6
"""Two energies (keV) or delays (ps) closer than this, relative to their size, are the same."""
FIXED = 1e-9
"""Share of the largest variance below which a combination of energies is fixed by the normalisation."""
LARGEST = 4000
"""Elements of a map; the inverse of their covariance takes seconds."""


@dataclass(frozen=True)
class TransientMap:
    """Transients at D delays and E energies.

    Attributes
    ----------
    delay : ndarray, shape (D,), ps
        After the pump, ascending.
    energy : ndarray, shape (E,), keV
    value : ndarray, shape (D, E)
    covariance : ndarray, shape (D, E, D, E)
        Of all elements: slots share references, energies share offset and edge integral.
    """

    delay: Array
    energy: Array
    value: Array
    covariance: Array

    @property
    def stddev(self) -> Array:
        """Errors of the elements, shape (D, E)."""
        return np.asarray(np.sqrt(np.einsum("dede->de", self.covariance)))

    def rows(self, chosen: Sequence[int]) -> TransientMap:
        """The map at some of the delays, by their indices."""
        index = np.asarray(chosen)
        part = self.covariance[index][:, :, index]
        return TransientMap(self.delay[index], self.energy, self.value[index], part)

    def free(self) -> FreeMap:
        """The map in combinations of energies that the normalisation leaves free.

        A transient has no pre-edge offset and no edge integral: noise cannot change them, and the covariance is
        singular. True spectra fulfil the same conditions, so nothing is lost.

        Raises
        ------
        reduction.errors.ReductionError
            If the rest of the covariance cannot be inverted.
        """
        mean = np.einsum("dedf->ef", self.covariance)
        variances, vectors = np.linalg.eigh(mean)
        basis = vectors[:, variances > FIXED * variances[-1]]
        covariance = np.einsum("er,dexf,fs->drxs", basis, self.covariance, basis, optimize=True)
        size = self.delay.size * basis.shape[1]
        flat = covariance.reshape(size, size)
        scale = np.sqrt(np.diagonal(flat))
        if not basis.size or not (scale > 0).all() or np.linalg.cond(flat / np.outer(scale, scale)) > 1e12:
            raise ReductionError(
                "the covariance of the map cannot be inverted: leave out a delay that is compared with itself"
            )
        inverse = np.linalg.inv(flat / np.outer(scale, scale)) / np.outer(scale, scale)
        return FreeMap(self.value @ basis, 0.5 * (inverse + inverse.T).reshape(covariance.shape), flat, basis)


@dataclass(frozen=True)
class FreeMap:
    """A map in R combinations of energies of which none is fixed.

    Attributes
    ----------
    value : ndarray, shape (D, R)
    precision : ndarray, shape (D, R, D, R)
        Inverse of the covariance.
    covariance : ndarray, shape (D R, D R)
    basis : ndarray, shape (E, R)
        Orthonormal; ``basis @ row`` is a spectrum.
    """

    value: Array
    precision: Array
    covariance: Array
    basis: Array


@dataclass(frozen=True)
class SlotSpectra:
    """Transients of the slots of one energy scan.

    Attributes
    ----------
    delay : ndarray, shape (S,), ps
    energy : ndarray, shape (E,), keV
    transient : ndarray, shape (S, E)
        NaN where there is none.
    covariance : ndarray, shape (S, S, E, E)
    """

    delay: Array
    energy: Array
    transient: Array
    covariance: Array


def map_of_spectra(scans: Sequence[SlotSpectra]) -> TransientMap:
    """The map of one or more energy scans, independent of each other, at the energies that all of them have.

    Raises
    ------
    reduction.errors.ReductionError
        If there is no scan, a single delay, or fewer than three common energies, or the map is too large.
    """
    if not scans:
        raise ReductionError("a map needs at least one energy scan")
    slots = [np.flatnonzero(np.isfinite(scan.transient).any(axis=1)) for scan in scans]
    finite = [np.asarray(np.isfinite(s.transient[rows]).all(axis=0)) for s, rows in zip(scans, slots, strict=True)]
    energy, places = _common([scan.energy for scan in scans], finite, "energies")
    blocks = [
        (scan.delay[rows], scan.transient[np.ix_(rows, at)], scan.covariance[np.ix_(rows, rows, at, at)])
        for scan, rows, at in zip(scans, slots, places, strict=True)
    ]
    delay = np.concatenate([block[0] for block in blocks])
    covariance = np.zeros((delay.size, energy.size, delay.size, energy.size))
    begin = 0
    for rows, _, part in blocks:
        here = slice(begin, begin + rows.size)
        covariance[here, :, here, :] = part.transpose(0, 2, 1, 3)
        begin += rows.size
    return _checked(delay, energy, np.concatenate([block[1] for block in blocks]), covariance)


def map_of_traces(energy: ArrayLike, traces: Sequence[tuple[Array, Array, Array]]) -> TransientMap:
    """The map of delay scans, independent of each other, at several energies.

    Parameters
    ----------
    energy : array_like, shape (E,), keV
    traces : sequence of (delay, transient, covariance)
        Of shapes (T,), (T,) and (T, T).

    Raises
    ------
    reduction.errors.ReductionError
        As `map_of_spectra`.
    """
    at = np.asarray(energy, dtype=np.float64)
    delay, places = _common([each[0] for each in traces], [np.isfinite(each[1]) for each in traces], "delays")
    value = np.stack([trace[index] for (_, trace, _), index in zip(traces, places, strict=True)], axis=1)
    covariance = np.zeros((delay.size, at.size, delay.size, at.size))
    for column, ((_, _, matrix), index) in enumerate(zip(traces, places, strict=True)):
        covariance[:, column, :, column] = matrix[np.ix_(index, index)]
    return _checked(delay, at, value, covariance)


def _checked(delay: Array, energy: Array, value: Array, covariance: Array) -> TransientMap:
    """A map in ascending order of delay and energy, if it can tell anything."""
    if delay.size < 2:
        raise ReductionError(
            f"a map needs at least two delays, not {delay.size}: measure another delay or use all slots"
        )
    if energy.size < 3:
        raise ReductionError(f"a map needs at least three energies, not {energy.size}: a shape has no fewer")
    if delay.size * energy.size > LARGEST:
        raise ReductionError(
            f"a map of {delay.size} delays and {energy.size} energies is too large ({LARGEST} elements): choose slots"
        )
    if not (np.isfinite(value).all() and np.isfinite(covariance).all() and np.isfinite(delay).all()):
        raise ReductionError("delays, transients or errors of the map are not finite: leave those points out")
    rows, columns = np.argsort(delay, kind="stable"), np.argsort(energy, kind="stable")
    return TransientMap(
        delay[rows], energy[columns], value[np.ix_(rows, columns)],
        covariance[rows][:, columns][:, :, rows][:, :, :, columns],
    )  # fmt: skip


def _common(
    axes: Sequence[Array], usable: Sequence[NDArray[np.bool_]], what: str
) -> tuple[Array, list[NDArray[np.int64]]]:
    """Positions that all axes have, and their indices in each of them."""
    if not axes:
        raise ReductionError("a map needs at least one scan")
    first = axes[0][usable[0]]
    places = []
    for axis, good in zip(axes, usable, strict=True):
        distance = np.abs(axis[None, :] - first[:, None]) + np.where(good, 0.0, np.inf)
        nearest = np.argmin(distance, axis=1) if axis.size else np.zeros(first.size, np.int64)
        near = distance[np.arange(first.size), nearest] <= SAME * np.maximum(np.abs(first), 1.0)
        places.append(np.where(near, nearest, -1))
    common = np.all([place >= 0 for place in places], axis=0)
    if not common.any():
        raise ReductionError(f"the scans have no {what} in common: choose scans over one grid")
    return first[common], [place[common] for place in places]
