"""Rates that are compared slot by slot, and their covariance, also between points that share frames of a sweep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.neighbours import shifted
from reduction.references.on_off import OnOff
from reduction.statistics.factored import Factored

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Laser-off and laser-on rates to be compared slot by slot, with their full covariance.

    The covariance of two rates is ``local`` at equal energies, plus ``shared @ shared.T``, plus ``between`` where
    points share frames of a sweep.

    Attributes
    ----------
    rate : ndarray, shape (2, S, E)
        Photons per I0 count.
    local : ndarray, shape (2, S, 2, S, E)
    shared : ndarray, shape (2, S, E, M)
        Change of the rate by one standard deviation of each of M independent parameters of the whole scan.
    between : ndarray, shape (L, 2, S, 2, S, E), optional
        Covariance of the first rate at an energy with the second one at the energy ``l + 1`` above it.
    """

    rate: Array
    local: Array
    shared: Array
    between: Array | None = None

    def factored(self, known: NDArray[np.bool_]) -> Factored:
        """Covariance of the rates of some slots: those with the laser off, then those with it on."""
        number, energies = int(known.sum()), self.rate.shape[2]
        rates = 2 * number
        local = self.local[:, known][..., known, :].reshape(rates, rates, energies)
        found = Factored.of(local, self.shared[:, known].reshape(rates, energies, -1))
        if self.between is None:
            return found
        near = self.between[:, :, known][..., known, :].reshape(-1, rates, rates, energies)
        return with_between(found, near)


def with_between(covariance: Factored, between: Array) -> Factored:
    """With the covariance of each slot and energy with those at the L energies above it, shape (L, S, S, E)."""
    whole = covariance.of_all()
    for distance, values in enumerate(between, start=1):
        low = np.arange(values.shape[2] - distance)
        whole[..., low, low + distance] += values[..., :-distance]
        whole[..., low + distance, low] += values.swapaxes(0, 1)[..., :-distance]
    return Factored.of_whole(whole)


def same_slot_between(sums: OnOff, dwell_noise: float) -> Array | None:
    """Covariance of different energies, each slot on and off by itself; None without shared frames."""
    if sums.between is None:
        return None
    result = np.zeros((len(sums.between.factor), *sums.rate.shape[:2], *sums.rate.shape))
    own = np.arange(sums.rate.shape[1])
    for distance, values in enumerate(result, start=1):
        above = shifted(sums.rate, distance, 2)
        for laser in (OFF, ON):
            noise = dwell_noise**2 * sums.between.factor[distance - 1, laser]
            values[laser, :, laser] = sums.rate[laser][:, None] * above[laser] * noise
            values[laser, own, laser, own] += sums.between.counting[distance - 1, laser]
    return result


def mapped_between(on_off: OnOff, dwell_noise: float, map_in: Array, flat: Array) -> Array | None:
    """Covariance of different energies; rates are `flat` (2 S, E), their logarithms have the derivatives `map_in`."""
    near, rate = on_off.between, on_off.rate
    if near is None:
        return None
    slots, energies = rate.shape[1:]
    result = []
    for distance in range(1, len(near.factor) + 1):
        above = np.where(np.arange(energies) < energies - distance, np.roll(rate, -distance, axis=2), 1.0)
        counting = near.counting[distance - 1] / (rate * above)
        noise = by_laser(dwell_noise**2 * near.factor[distance - 1], counting)
        local = map_in @ noise @ np.swapaxes(shifted(map_in, distance, 0), 1, 2)
        local = np.moveaxis(local, 0, -1) * flat[:, None] * shifted(flat, distance, 1)
        result.append(local.reshape(2, slots, 2, slots, energies))
    return np.array(result)


def by_laser(noise: Array, counting: Array) -> Array:
    """Noise (2, E) common to the slots of a laser state, and counting (2, S, E) of each, shape (E, 2 S, 2 S)."""
    _, slots, energies = counting.shape
    result = np.zeros((energies, 2 * slots, 2 * slots))
    for laser, block in ((OFF, slice(0, slots)), (ON, slice(slots, 2 * slots))):
        result[:, block, block] = noise[laser][:, None, None]
    diagonal = np.arange(2 * slots)
    result[:, diagonal, diagonal] += counting.reshape(2 * slots, -1).T
    return result
