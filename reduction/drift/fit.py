"""Drift of a measurement: parameters of the model averaged over what the data allow, levels and curve.

With few visits the parameters are not well known. Levels, curve and their covariance are means over a Markov chain of
parameters, so that their uncertainty is in the errors. The chain is seeded: the same data give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.drift.model import PARTS, DriftModel, Visits

Array = NDArray[np.float64]

SCALES = np.array([0.05, 0.05, 0.05, 0.003, 0.003])
"""Sizes of the parts; the prior of the logarithm of a standard deviation is flat below and falls above."""
OCTAVES = 3
"""Place of the 1/f noise among the parts."""
DWELL_PER_OCTAVE = 1.13
"""Noise of a dwell by `reduction.drift.within_points.fast_noise` for 1/f noise of 1 an octave."""
SPREAD = 0.7
"""Standard deviation of the logarithm of the 1/f noise about what the noise of dwells lets expect."""
RANGE = (1e-3, 1e2)
"""In these scales; smaller is nothing, larger no jet."""
STARTS = (
    (-3, -1, -4, -1, -3), (-1, -1, -1, 0, 0), (-2, -3, 0, -1, -2), (-3, -3, 1, -1, -2), (-2, -3, -3, 1, 0),
    (0, -3, -3, 0, -1), (1, -3, -4, 0, -2),
)  # fmt: skip
"""Logarithms of the parts in their scales from which the chain may begin; the most probable one is taken."""
STEPS, STEP = 500, (1.5, 0.3)
"""Of the chain, one part at a time, in the logarithm: wide and narrow in turn, for parts hardly and well known."""
KEPT = 10
"""Members of the chain of which levels and curve are means."""
MOST_PASSES, MOST_ENERGIES = 8, 40
"""Of which, evenly spread, the parameters are determined; all determine levels and curve."""


@dataclass(frozen=True)
class Drift:
    """Drift of a measurement; axes P passes, N energies.

    Attributes
    ----------
    passes : ndarray of int, shape (P,)
    curve, stddev : ndarray, shape (P, t)
        Logarithm of the thickness, the level of the pass included, at the times asked for.
    levels : ndarray, shape (N,)
        Logarithms of the rates without the drift; their mean is 0.
    covariance : ndarray, shape (N, N)
        Of `levels`, counting and noise of dwells included; a constant is projected out.
    slope_separated : bool
        Whether the order of the visits separates a slope common to all passes from the spectrum.
    sizes : ndarray, shape (5,)
        Median standard deviation of each part of the model.
    """

    passes: NDArray[np.int64]
    curve: Array
    stddev: Array
    levels: Array
    covariance: Array
    slope_separated: bool
    sizes: Array


def fit_drift(visits: Visits, time: Array, dwell_noise: float) -> Drift:
    """Fit the drift of a measurement with repeated visits.

    Parameters
    ----------
    visits : Visits
    time : ndarray, shape (P, t)
        Where the curve is wanted, for each pass in ascending order.
    dwell_noise : float
        Relative standard deviation of a dwell by the jet: 1/f noise that dwells show goes on to lower frequencies.
    """
    scales = SCALES.copy()
    scales[OCTAVES] = dwell_noise / DWELL_PER_OCTAVE
    model = DriftModel(visits)
    some = DriftModel(_telling(visits), model.gap)
    first = max(STARTS, key=lambda start: _posterior(some, scales, np.array(start)))
    for each in (model, some):
        each.expand_about_slopes(scales * np.exp(first))
    chain = _chain(some, scales)
    levels, covariances, curves, variances = [], [], [], []
    for parameters in chain[:: max(1, len(chain) // KEPT)]:
        solution = model.solve(parameters)
        curve, variance = model.drift(parameters, solution, time)
        levels.append(solution.levels[: model.energies] - solution.levels[: model.energies].mean())
        covariances.append(solution.covariance[: model.energies, : model.energies])
        curves.append(curve)
        variances.append(variance)
    centred = np.eye(model.energies) - 1 / model.energies
    covariance = centred @ np.mean(covariances, axis=0) @ centred + np.cov(np.array(levels).T, bias=True)
    stddev = np.sqrt(np.mean(variances, axis=0) + np.var(curves, axis=0))
    sizes = np.median(chain, axis=0)
    return Drift(
        model.passes, np.mean(curves, axis=0), stddev, np.mean(levels, axis=0), covariance, model.slope_separated, sizes
    )


def _telling(visits: Visits) -> Visits:
    """Visits from which the parameters are determined: all of few, a part of many; an energy visited once has no say.

    Energies visited several times in a pass, the monitors, all remain; others are thinned evenly.
    """
    passes = np.unique(visits.pass_index)
    chosen = passes[np.unique(np.linspace(0, passes.size - 1, MOST_PASSES).round().astype(int))]
    visits = visits.only(np.isin(visits.pass_index, chosen)) if chosen.size < passes.size else visits
    number = np.bincount(visits.effect)
    often = number > 2 * chosen.size
    others = np.flatnonzero((number > 1) & ~often)
    kept = np.union1d(others[:: 1 + others.size // MOST_ENERGIES], np.flatnonzero(often))
    part = visits.only(np.isin(visits.effect, kept))
    visits = part if part.level.size and part.connected else visits
    effect = np.unique(visits.effect, return_inverse=True)[1]
    return replace(visits, effect=effect)


def _posterior(model: DriftModel, scales: Array, logs: Array) -> float:
    """Logarithm of the posterior density of the parameters' logarithms, in their scales."""
    low, high = np.log(RANGE)
    if (logs < low).any() or (logs > high).any():
        return -np.inf
    others = np.delete(logs, OCTAVES)
    prior = -float(np.log1p(np.exp(2 * others)).sum() + (logs[OCTAVES] / SPREAD) ** 2 / 2)
    return prior + model.solve(scales * np.exp(logs)).likelihood


def _chain(model: DriftModel, scales: Array) -> Array:
    """Parameters drawn from their posterior by Metropolis' rule, shape (n, 5); the first fifth is dropped."""
    rng = np.random.default_rng(0)
    here = max(
        (np.array(start, dtype=np.float64) for start in STARTS), key=lambda logs: _posterior(model, scales, logs)
    )
    value, chain = _posterior(model, scales, here), np.empty((STEPS, PARTS))
    for step in range(STEPS):
        there = here.copy()
        there[step % PARTS] += STEP[step // PARTS % 2] * rng.standard_normal()
        other = _posterior(model, scales, there)
        if np.log(rng.random()) < other - value:
            here, value = there, other
        chain[step] = scales * np.exp(here)
    return chain[STEPS // 5 :]
