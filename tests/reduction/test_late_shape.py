"""The shape of what late slots hold: p-values where it is that of the decay, and a note where it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from reduction.counting.rows import only
from reduction.references.late_shape import _least_chi_square, worst_late_shape
from reduction.references.methods import prepare
from reduction.references.slot_table import SlotTable
from tests.reduction.dwells import ENERGY, Scan, decay
from tests.reduction.reference_scans import spectrum

OTHER = 0.003 * np.exp(-(((ENERGY - 13.470) / 0.001) ** 2))
"""A rest that does not look like what decays, in relative transients."""


@dataclass
class WithAnotherRest(Scan):
    """All slots hold a rest of another shape; in those before the last one it has decayed by less."""

    slots: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)

    def truth(self) -> np.ndarray:
        return super().truth() + np.array(self.slots)[:, None] * OTHER


def logs(scan, seed):
    return prepare(scan.rows(np.random.default_rng([5, seed])), SlotTable.of(5), 0.0).logs


@pytest.mark.parametrize("slot", [2, 4])
@pytest.mark.parametrize("jet", [0.0, 3e-3])
def test_one_shape_has_the_chi_square_of_its_degrees_of_freedom(slot, jet):
    """Both kinds of comparison: within the same shots, and of the last slot with the laser off."""
    scan = Scan(decay(0.5), counting=3e-3, passes=4, jet=jet)
    found = [_least_chi_square(logs(scan, seed), slot) for seed in range(150)]
    assert kstest(chi2.sf(found, ENERGY.size - 3), "uniform").pvalue > 1e-3


def test_a_constant_and_a_flat_offset_are_no_shape():
    """Laser-only light in slot 0 and wrong efficiencies."""
    scan = Scan(decay(0.5), counting=1e-3, passes=4, offset=0.02)
    worst = [worst_late_shape(logs(scan, seed)).p_value for seed in range(20)]
    assert min(worst) > 1e-3


@pytest.mark.parametrize(("slots", "jet"), [((1.0,) * 5, 0.0), ((1.0, 0.7, 0.4, 0.2, 0.1), 5e-3)])
@pytest.mark.parametrize("reference", ["slots", "combined", "shutter"])
def test_a_rest_of_another_shape_is_named_where_it_matters(slots, jet, reference):
    """Against the laser off without jet noise; with it where the rest itself decays."""
    scan = WithAnotherRest(decay(0.3), counting=5e-4, passes=4, jet=jet, slots=slots)
    notes = spectrum(scan.rows(np.random.default_rng(3)), reference).notes
    assert ("another shape than what decays" in notes) == (reference != "shutter")
    same = Scan(decay(0.3), counting=5e-4, passes=4, jet=jet)
    assert "another shape" not in spectrum(same.rows(np.random.default_rng(3)), reference).notes


def test_nothing_is_compared_where_energies_are_few():
    scan = Scan(decay(0.3), passes=2)
    few = only(scan.rows(np.random.default_rng(1)), np.arange(ENERGY.size) < 3)
    assert worst_late_shape(prepare(few, SlotTable.of(5), 0.0).logs) is None
