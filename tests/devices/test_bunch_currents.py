"""Currents of the bunches from a record of buckets or of bunches."""

from __future__ import annotations

import numpy as np
import pytest

from devices.instruments.bunch_currents import BunchCurrents, bunch_currents


def test_buckets_of_a_bunch_are_added_and_empty_ones_are_none():
    fill = np.zeros(1296)
    fill[[0, 54, 108]] = 4.0, 5.0, 6.0
    fill[561:568] = 1.5  # a group of seven neighbours is one X-ray pulse
    fill[700] = 0.01  # noise of an empty bucket
    assert bunch_currents(fill, 4).tolist() == [4.0, 5.0, 6.0, 10.5]


def test_a_bunch_that_wraps_around_the_end_is_one():
    fill = np.zeros(20)
    fill[[19, 0, 10]] = 2.0, 3.0, 7.0
    assert sorted(bunch_currents(fill, 2).tolist()) == [5.0, 7.0]


def test_a_record_of_bunches_is_taken_as_it_is():
    assert bunch_currents(np.array([1.0, 2.0, 0.0]), 3).tolist() == [1.0, 2.0, 0.0]


def test_another_number_of_bunches_gives_no_current():
    fill = np.zeros(100)
    fill[[0, 50]] = 1.0
    assert np.isnan(bunch_currents(fill, 4)).all() and bunch_currents(fill, 4).shape == (4,)
    assert np.isnan(bunch_currents(np.zeros(100), 4)).all()  # no beam
    with pytest.raises(ValueError, match="num_bunches must be at least 1"):
        BunchCurrents("sim:fill", num_bunches=0, name="bunches")
