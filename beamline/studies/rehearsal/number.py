"""A number of a rehearsal beside what is published and what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plans.compilation.edges import find_edge
from reduction.spectra.overlay import SpectrumCurve
from reduction.spectra.ratios import Ratio, comparison_parameter

NOTHING = float("nan")
NO_NOISE = 1e-12
"""Variance of expected spectra."""


@dataclass(frozen=True)
class RehearsedNumber:
    """A number of the campaign.

    Attributes
    ----------
    what, unit : str
    published, value, error, truth : float
        NaN where there is none.
    skew_pull : float
        The pull of a value whose interval is not symmetric; NaN for others.
    """

    what: str
    unit: str
    published: float
    value: float
    error: float
    truth: float
    skew_pull: float = NOTHING

    @property
    def pull(self) -> float:
        """Deviation from the truth in units of the error."""
        if np.isfinite(self.skew_pull):
            return self.skew_pull
        return (self.value - self.truth) / self.error if self.error > 0 else NOTHING


def of_c(
    what: str, edge: str, ratio: Ratio | str | None, measured: SpectrumCurve, truth: NDArray[np.float64]
) -> Iterator[RehearsedNumber]:
    """C beside the true one, if it is bounded; the pull is that of Fieller: of the main window less C times the other.

    Parameters
    ----------
    measured : SpectrumCurve
    truth : ndarray, shape (E,)
        At its energies.
    """
    windows = find_edge(edge).comparison
    if not isinstance(ratio, Ratio) or not ratio.bounded or windows is None:
        return
    flat = np.eye(measured.energy.size) * NO_NOISE
    true = comparison_parameter(measured.energy, truth, flat, *windows).value
    means = [_mean_weights(measured.energy, window) for window in windows]
    apart = means[0] - true * means[1]
    pull = apart @ measured.value / np.sqrt(apart @ measured.full() @ apart) * np.sign(means[1] @ measured.value)
    yield RehearsedNumber(what, "", NOTHING, ratio.value, (ratio.high - ratio.low) / 2, true, float(pull))


def _mean_weights(energy: NDArray[np.float64], window: tuple[float, float]) -> NDArray[np.float64]:
    inside = (energy > window[0] - 1e-9) & (energy < window[1] + 1e-9)
    return np.asarray(inside / inside.sum())
