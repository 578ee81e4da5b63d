"""How many components a map has: singular values against the known noise.

A matrix of transients that is a sum of r spectra, each with its own time dependence, has rank r. The smallest
chi-square of the measured matrix against all matrices of rank r then follows the chi-square distribution with
(D - r)(E - r) degrees of freedom, whatever the covariance of the elements (Cragg and Donald, J. Econometrics 76, 223,
1997). If all elements had the same independent noise, it would be the sum of the squares of the singular values beyond
the first r, over the variance. Nothing is estimated from the scatter of the matrix: the noise is known.

The number of components is the smallest r that is not rejected. Tests for smaller r are not corrected for their number:
more components than there are need a rejection of the true rank, which has the probability `LEVEL`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.maps.low_rank import LowRank, nearest_of_ranks
from reduction.maps.transient_map import TransientMap
from reduction.statistics.quantiles import chi_square_p_value

Array = NDArray[np.float64]

LEVEL = 0.05
"""Probability of one component too many."""
MOST = 5
"""Ranks up to which a map is tested."""


@dataclass(frozen=True)
class Components:
    """Significant components of a map; axis r is the number of components.

    Attributes
    ----------
    number : int
        Smallest r that the data do not reject; one more than tested if they reject all.
    chi_square : ndarray, shape (r,)
        What r components leave, from 0 to the first r that is not rejected.
    dof : ndarray of int, shape (r,)
    p_value : ndarray, shape (r,)
        Of r components and noise.
    singular_value : ndarray, shape (number,)
        Of each component, in errors: root of the decrease of chi-square by it.
    time_course : ndarray, shape (D, number)
        Of the matrix with that many components: unit vectors times singular values.
    spectrum : ndarray, shape (number, E)
        Its orthonormal spectra. Components are not states: any mixture of them describes the map as well.
    """

    number: int
    chi_square: Array
    dof: NDArray[np.int64]
    p_value: Array
    singular_value: Array
    time_course: Array
    spectrum: Array


def components_of(found: TransientMap, level: float = LEVEL) -> Components:
    """Test how many components a map has.

    Raises
    ------
    reduction.errors.ReductionError
        If the covariance cannot be inverted.
    """
    free = found.free()
    rows, columns = free.value.shape
    nearest: list[LowRank] = []
    dof: list[int] = []
    p_value: list[float] = []
    for rank, each in enumerate(nearest_of_ranks(free)):
        nearest.append(each)
        if rank == min(rows, columns, MOST + 1):
            break
        dof.append((rows - rank) * (columns - rank))
        p_value.append(chi_square_p_value(each.chi_square, dof[-1]))
        if p_value[-1] >= level:
            break
    number = len(nearest) - 1
    chi_square = np.array([each.chi_square for each in nearest])
    left, size, right = np.linalg.svd(nearest[number].matrix @ free.basis.T, full_matrices=False)
    return Components(
        number=number,
        chi_square=chi_square[: len(dof)],
        dof=np.array(dof),
        p_value=np.array(p_value),
        singular_value=np.sqrt(np.maximum(-np.diff(chi_square), 0.0)),
        time_course=left[:, :number] * size[:number],
        spectrum=right[:number],
    )
