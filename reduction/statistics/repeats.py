"""Mean of repeats and its standard error from their scatter: the same for scans, pairs and whole spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Repeats:
    """Mean of n repeats of a curve; its error follows Student's t with `dof` degrees of freedom.

    Attributes
    ----------
    mean, stddev : ndarray, shape (...)
        stddev is the standard error of the mean.
    dof : int
    """

    mean: Array
    stddev: Array
    dof: int


def mean_of_repeats(values: Array) -> Repeats:
    """Average over the first axis.

    Raises
    ------
    ValueError
        For fewer than two repeats, which have no scatter.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        raise ValueError(f"{len(values)} repeat(s): a scatter needs at least two")
    return Repeats(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)), len(values) - 1)
