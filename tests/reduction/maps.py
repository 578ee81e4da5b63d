"""Simulated maps of transients with noise of each element, a noise common to all delays, and a normalisation."""

from __future__ import annotations

import numpy as np

from reduction.maps.transient_map import SlotSpectra, TransientMap, map_of_spectra

ENERGY = np.linspace(13.45, 13.50, 26)
NOISE, COMMON = 1e-3, 7e-4
"""Standard deviations of an element, and of the reference that all delays share."""


def normalisation(size: int) -> np.ndarray:
    """What removes the mean of the first five energies and then the mean of the last ten, (E, E)."""
    offset = np.eye(size) - np.outer(np.ones(size), np.r_[np.full(5, 0.2), np.zeros(size - 5)])
    static = 0.5 * (1 + np.tanh((np.arange(size) - 8) / 1.5))
    static -= static[:5].mean()
    integral = np.eye(size) - np.outer(static / static[-10:].mean(), np.r_[np.zeros(size - 10), np.full(10, 0.1)])
    return integral @ offset


def spectra(number: int) -> np.ndarray:
    """Different shapes, (number, E), with the normalisation."""
    places = [(9.0, 1.5), (12.0, 2.0), (18.0, 3.0)]
    at = np.arange(ENERGY.size)
    raw = np.array([np.exp(-0.5 * ((at - place) / width) ** 2) for place, width in places])
    return raw[:number] @ normalisation(ENERGY.size).T


def drawn(rng: np.random.Generator, truth: np.ndarray, delay: np.ndarray) -> TransientMap:
    """A measurement of a true map (D, E), reduced as an energy scan with as many slots."""
    rows, size = truth.shape
    remove = normalisation(size)
    noise = NOISE * rng.standard_normal((rows, size)) + COMMON * rng.standard_normal(size)
    one = remove @ remove.T
    covariance = (NOISE**2 * np.eye(rows) + COMMON**2)[:, :, None, None] * one
    return map_of_spectra([SlotSpectra(delay, ENERGY, truth + noise @ remove.T, covariance)])
