"""Square root of a covariance matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def matrix_root(covariance: Array) -> Array:
    """A matrix whose product with its transpose is the covariance, which may be singular.

    Its columns are the changes when independent parameters move by one standard deviation each.

    Parameters
    ----------
    covariance : ndarray, shape (N, N)
        Negative eigenvalues, which rounding leaves behind, count as 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
