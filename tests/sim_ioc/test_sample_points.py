"""Samples of delay and fluence scans: a place of its own for each point."""

from __future__ import annotations

import numpy as np
import pytest

from sim_ioc.physics.truth import ForwardModel
from sim_ioc.sample import sample


def request(**changes):
    return {
        "scenario": {}, "energies_keV": [13.472, 13.472, 13.4675], "delay_ps": [-100.0, 100.0, 10_100.0],
        "fluence_mJ_cm2": [8.8, 4.4, 2.2], "pattern": [1, 0], "dwell_s": 0.01, "passes": 1, "measurements": 1,
        "slot_efficiency_rms": 0.0, "seed": 1, **changes,
    }  # fmt: skip


def test_each_point_has_its_own_place():
    answer, model = sample(request()), ForwardModel()
    places = [(13.472, -100.0, 8.8), (13.472, 100.0, 4.4), (13.4675, 10_100.0, 2.2)]
    np.testing.assert_allclose(answer["mu_on"], [model.mu(*place, True) for place in places])


def test_lists_of_another_length_are_refused():
    with pytest.raises(ValueError, match="delay_ps must be a number"):
        sample(request(delay_ps=[1.0, 2.0]))
