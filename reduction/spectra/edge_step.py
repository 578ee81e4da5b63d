"""Normalisation by the edge step, as databases have it: Larch's `pre_edge`, with errors.

Larch fits a line below the edge and a polynomial above it, extrapolates both to E0 and divides by their difference.
With E0 and the ranges given, both fits are linear in the spectrum. Their matrices are found by passing unit vectors
through Larch itself, and the covariance of the spectrum is propagated through the ratio to first order:

    norm = (mu - P mu) / step,  step = s . mu,  d norm / d mu = (1 - P - norm s^T) / step.

Needs Larch (the extra ``files``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.errors import ReductionError

Array = NDArray[np.float64]
POST_EDGE_START = 0.35
"""Default start of the post-edge range, as a fraction of the distance from E0 to the last energy."""
FEWEST_POINTS = 3
"""Points that a fit below or above the edge needs."""


@dataclass(frozen=True)
class EdgeStepFits:
    """Both fits of Larch on a grid, as linear functions of the spectrum.

    Attributes
    ----------
    e0 : float
        keV.
    pre_edge, post_edge : tuple of float
        Ranges of the fits, keV.
    degree : int
        Degree of the polynomial above the edge.
    line : ndarray, shape (E, E)
        Matrix whose product with the spectrum is the pre-edge line.
    step_weights : ndarray, shape (E,)
        Weights whose product with the spectrum is the edge step.
    """

    e0: float
    pre_edge: tuple[float, float]
    post_edge: tuple[float, float]
    degree: int
    line: Array
    step_weights: Array


@dataclass(frozen=True)
class EdgeStepSpectrum:
    """A spectrum divided by its edge step.

    Attributes
    ----------
    norm, norm_stddev : ndarray, shape (E,)
        Edge steps.
    norm_covariance : ndarray, shape (E, E)
    edge_step, edge_step_stddev : float
        In the unit of the spectrum.
    """

    norm: Array
    norm_stddev: Array
    norm_covariance: Array
    edge_step: float
    edge_step_stddev: float


def divide_by_edge_step(spectrum: Array, covariance: Array, fits: EdgeStepFits) -> EdgeStepSpectrum:
    """Normalise a spectrum as `larch.xafs.pre_edge` does.

    Parameters
    ----------
    spectrum : ndarray, shape (E,)
    covariance : ndarray, shape (E, E), or (E,) for variances
    fits : EdgeStepFits

    Raises
    ------
    ReductionError
        If the step does not exceed its error.
    """
    covariance = np.diag(covariance) if covariance.ndim == 1 else covariance
    weights = fits.step_weights
    step, step_stddev = float(weights @ spectrum), float(np.sqrt(weights @ covariance @ weights))
    if not step > step_stddev:
        raise ReductionError(f"the edge step, {step:.3g} +- {step_stddev:.2g}, does not exceed its error")
    norm = (spectrum - fits.line @ spectrum) / step
    jacobian = (np.eye(spectrum.size) - fits.line - np.outer(norm, weights)) / step
    propagated = jacobian @ covariance @ jacobian.T
    return EdgeStepSpectrum(norm, np.sqrt(np.diagonal(propagated)), propagated, step, step_stddev)


def edge_step_fits(
    energy: Array, e0: float, pre_edge: tuple[float, float], post_edge: tuple[float, float] | None = None
) -> EdgeStepFits:
    """The fits of Larch on a grid, at a given E0.

    Parameters
    ----------
    energy : ndarray, shape (E,)
        keV, ascending.
    e0 : float
        keV.
    pre_edge, post_edge : tuple of float
        Ranges of the fits, keV; above the edge by default the last 65 % of the energies above E0.

    Raises
    ------
    ReductionError
        If a range has too few points, or E0 does not lie between them.
    ImportError
        Without Larch.
    """
    post_edge = post_edge or (e0 + POST_EDGE_START * (float(energy[-1]) - e0), float(energy[-1]))
    for name, (low, high) in (("pre-edge", pre_edge), ("post-edge", post_edge)):
        if (number := np.count_nonzero((low <= energy) & (energy <= high))) < FEWEST_POINTS:
            raise ReductionError(
                f"{number} points in the {name} range, {low:g} to {high:g} keV, are too few for a fit: take more points"
                " there"
            )
    if not pre_edge[1] < e0 < post_edge[0]:
        raise ReductionError(
            f"E0, {e0:g} keV, must lie between the pre-edge range, which ends at {pre_edge[1]:g} keV, and the post-edge"
            f" range, which begins at {post_edge[0]:g} keV"
        )
    from larch.xafs.pre_edge import preedge  # imported here: Larch takes seconds, and is an extra

    ranges: dict[str, Any] = {"e0": 1e3 * e0, "nvict": 0}
    for name, window in (("pre", pre_edge), ("norm", post_edge)):
        ranges |= {f"{name}{number}": 1e3 * (end - e0) for number, end in enumerate(window, start=1)}
    at = int(np.argmin(np.abs(energy - e0)))
    found = [preedge(1e3 * energy, unit, **ranges) for unit in np.eye(energy.size)]
    line = np.array([each["pre_edge"] for each in found]).T
    weights = np.array([each["post_edge"][at] - each["pre_edge"][at] for each in found])
    return EdgeStepFits(e0, pre_edge, post_edge, int(found[0]["nnorm"]), line, weights)
