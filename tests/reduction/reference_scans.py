"""Spectra of synthetic scans by each reference, and what they should be, for the tests of references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reduction.counting.rows import point_rates
from reduction.references.methods import by_shutter, by_slots, combined
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings
from reduction.spectra.spectrum import reduce_spectrum
from tests.reduction.dwells import ENERGY, STATIC

SETTINGS = Settings(pre_edge=(13.450, 13.460), integral=(13.464, 13.570), i0_noise=0.0)
ORDER = SlotTable.of(5)
PEAK = int(np.argmin(np.abs(ENERGY - 13.472)))
BY = {"shutter": by_shutter, "slots": by_slots, "combined": combined}


def spectrum(rows, reference, delays=None):
    rates = point_rates(rows, 0.0, np.zeros(24, np.int64))
    return reduce_spectrum(ENERGY, rates, replace(SETTINGS, reference=reference), delays)


def truth(scan):
    """Transients by paper's chain without noise, in plain numpy."""
    off = np.tile(STATIC, (5, 1))
    return normalised(off * (1 + scan.truth())) - normalised(off)


def normalised(rate):
    above = rate - rate[:, :3].mean(axis=1, keepdims=True)
    width = ENERGY[-1] - ENERGY[3]
    return above / (np.trapezoid(above[:, 3:], ENERGY[3:], axis=1) / width)[:, None]


def measured(scan, reference, number, seed=31):
    spectra = [spectrum(scan.rows(np.random.default_rng([seed, i])), reference) for i in range(number)]
    return np.array([one.transient for one in spectra]), spectra
