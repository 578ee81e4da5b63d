"""Whether C is the same at all delays: the chi-square that stands beside that of the temperatures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from beamline.outputs.export.about import absorption_edge
from beamline.outputs.export.result import Result
from reduction.documents.covariances import covariance_between, covariance_of_slot, slots_with_common
from reduction.errors import ReductionError
from reduction.spectra.normalise import window_mean_weights
from reduction.thermal.series import Constancy, constant_ratio

Array = NDArray[np.float64]


def constant_with_delay(drawn: Sequence[tuple[Result, int]]) -> Constancy | None:
    """Of transients, each a slot of a result; None with fewer than two, without windows of C, or where it is not known
    what two slots of one result have in common.

    Slots of one result share the laser-off spectrum: their covariance is in it.
    """
    edge = absorption_edge(drawn[0][0].start) if drawn else {}
    if len(drawn) < 2 or "comparison_main" not in edge:
        return None
    windows = [(float(low), float(high)) for low, high in (edge["comparison_main"], edge["comparison_pre"])]
    covariance = np.zeros((2, len(drawn), 2, len(drawn)))
    try:
        weights = [_weights(result, slot, windows) for result, slot in drawn]
        for first, second in np.ndindex(len(drawn), len(drawn)):
            common = _common(drawn[first], drawn[second])
            if common is not None:
                covariance[:, first, :, second] = weights[first] @ common @ weights[second].T
    except ReductionError:
        return None
    means = np.stack([each @ _transient(*one) for each, one in zip(weights, drawn, strict=True)], axis=1)
    return constant_ratio(means[0], means[1], covariance)


def _transient(result: Result, slot: int) -> Array:
    return np.nan_to_num(np.asarray(result.data["transient"], dtype=np.float64)[slot])


def _weights(result: Result, slot: int, windows: Sequence[tuple[float, float]]) -> Array:
    """Of the means over both windows, shape (2, E), where the transient is known."""
    energy = np.asarray(result.data["energy"], dtype=np.float64)
    known = np.isfinite(np.asarray(result.data["transient"], dtype=np.float64)[slot])
    found = np.zeros((len(windows), energy.size))
    for row, window in enumerate(windows):
        found[row, known] = window_mean_weights(energy[known], window)
    return found


def _common(first: tuple[Result, int], second: tuple[Result, int]) -> Array | None:
    """Covariance of two transients, shape (E, E); None if they share nothing.

    Raises
    ------
    ReductionError
        If it is not known, as that of imported results.
    """
    (result, slot), (other, its_slot) = first, second
    if result is not other:
        return None
    if slot == its_slot:
        return np.nan_to_num(covariance_of_slot(result.data, slot))
    if not {slot, its_slot} <= set(slots_with_common(result.data)):
        raise ReductionError(f"the covariance of slots {slot} and {its_slot} is not known")
    return np.nan_to_num(covariance_between(result.data, [slot, its_slot])[0, 1])
