"""On over off of imported columns and its error, by hand."""

from __future__ import annotations

import numpy as np

from reduction.imported.spectra import _relative
from reduction.references.compared import Compared


def test_on_over_off_less_one_has_the_error_of_a_ratio() -> None:
    """Off 4 +- 0.2, on 5 +- 0.3, covariance 0.01: 0.25, and a variance of (0.09 - 2.5 * 0.01 + 1.5625 * 0.04) / 16."""
    rate = np.array([4.0, 5.0])[:, None, None]
    local = np.array([[0.04, 0.01], [0.01, 0.09]])[:, None, :, None, None]
    value, covariance = _relative(Compared(rate, local, np.zeros((2, 1, 1, 0))))
    np.testing.assert_allclose(value, [0.25])
    np.testing.assert_allclose(covariance, [[(0.09 - 0.025 + 0.0625) / 16]])
