"""Where the bunches are, from the charge of each bucket."""

from __future__ import annotations

import numpy as np
import pytest

from devices.instruments.timing import bunch_positions


def fill(*filled: int, buckets: int = 20, charge: float = 1.0) -> np.ndarray:
    found = np.full(buckets, 1e-4)  # a bucket is never quite empty
    found[list(filled)] = charge
    return found


@pytest.mark.parametrize(
    ("charges", "middles"),
    [
        (fill(0, 5, 10, 15), [0, 5, 10, 15]),
        (fill(0) + fill(7, 8, 9, 12, 13, charge=0.05), [0, 8, 12.5]),  # one strong bunch and two weak groups
        (fill(4), [4]),
        (fill(0, 1, 19), [0]),  # a group across the end of the waveform
        (fill(0, 9, 18, 19), [9, 19]),
        (fill(*range(20)), list(range(20))),
        (np.zeros(20), []),
        (np.full(20, np.nan), []),
    ],
)
def test_neighbouring_buckets_are_one_pulse(charges: np.ndarray, middles: list[float]) -> None:
    assert [20 * position for position in bunch_positions(charges)] == pytest.approx(middles)
