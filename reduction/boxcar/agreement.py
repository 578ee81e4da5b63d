"""Chi-square of the agreement of an analogue detector with the counters, from the dwells that both have.

A boxcar measures volts and a diode an absorbance, so both are compared up to an offset and a factor: with x the rate by
counting and y the analogue signal of a dwell, the line y = a + b x is fitted to the laser-off means of the points. What
remains, r = y - a - b x, has the noise of counting and of the analogue chain, but not that of the jet and of I0, which
both see. Two quantities are tested: the mean of r with the laser off at each point (static), and its change from laser
off to on in each pass (transient), less what is common to all points: light of the laser alone, to which they respond
differently, is removed with the pre-edge offset elsewhere. The noise of r is not known beforehand: it is that of the
dwells of a point in one state of the laser, in proportion to the level, so the p-values are those of F. Where the
backgrounds differ, a change of the sample's thickness within a pass moves r; that is in the error of the static
spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.boxcar.scan import BoxcarRows
from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows
from reduction.detectors.agreement import least_agreement
from reduction.errors import ReductionError
from reduction.statistics.quantiles import f_p_values

Array = NDArray[np.float64]

QUANTITIES = ("static", "transient")
DISAGREES = 1e-3
"""P-value, times the number of quantities, below which a detector disagrees."""
FEWEST = 4
"""Degrees of freedom of the noise."""
DRIFT = 0.05
"""Assumed change of the thickness of the sample within a pass."""


@dataclass(frozen=True)
class AnalogueAgreement:
    """Agreement with the counters; axis Q of `QUANTITIES`, the first alone without the laser.

    Attributes
    ----------
    chi_square, p_value : ndarray, shape (Q,)
    freedom : ndarray of int, shape (Q,)
    noise_freedom : int
        Degrees of freedom of the noise.
    factor : float
        Analogue signal for a unit of the rate by counting.
    """

    chi_square: Array
    freedom: NDArray[np.int64]
    p_value: Array
    noise_freedom: int
    factor: float

    @property
    def disagrees(self) -> bool:
        return bool((self.p_value * self.p_value.size < DISAGREES).any())

    def sentence(self, name: str) -> str:
        """The result in one sentence, by the quantity that agrees least."""
        numbers = least_agreement(QUANTITIES, self.chi_square, self.freedom, self.p_value)
        if not self.disagrees:
            return f"{name} agrees with the counters ({numbers})."
        return f"{name} disagrees with the counters ({numbers}). Compare their spectra, and leave out what is wrong."


def agreement_with_counters(rows: BoxcarRows, counting: DwellRows, slot: int | None) -> AnalogueAgreement:
    """Compare an analogue detector with the rates by counting.

    Parameters
    ----------
    rows : BoxcarRows
    counting : DwellRows
        With the same rows.
    slot : int or None
        The slot that the detector sees; None for all of them.

    Raises
    ------
    ReductionError
        If there are too few dwells, or no light.
    """
    values, weights = counting.slot_mu, counting.slot_weight
    mu = np.average(values, axis=2, weights=weights) if slot is None else values[:, :, slot]
    rate = mu / counting.flux
    good = (rows.state == counting.state) & (rows.state != EMPTY) & np.isfinite(rate) & np.isfinite(rows.signal)
    state = np.where(good, rows.state, EMPTY)
    used = (state == OFF).any(axis=1)
    if used.sum() < FEWEST:
        raise ReductionError(f"{used.sum()} points are too few to compare a detector with the counters")
    level, signal = (_mean(each, state == OFF) for each in (rate, rows.signal))
    factor, offset = np.polyfit(level[used], signal[used], 1)
    if not (np.nanmin(level) > 0 and np.isfinite(factor)):
        raise ReductionError("there is no light in which to compare a detector with the counters")
    residual = np.where(good, rows.signal - offset - factor * rate, np.nan) / np.sqrt(level)[:, None]
    noise, freedom = _noise(residual, state, rows.pass_index)
    if freedom < FEWEST:
        raise ReductionError("single dwells do not show the noise with which a detector is compared: repeat them")
    tests = [
        _static(residual, state, noise, level, float(offset)),
        _transient(residual, state, rows.pass_index, noise, level),
    ]
    chi_square, number = (np.array(each) for each in zip(*(test for test in tests if test[1] > 0), strict=True))
    p_value = f_p_values(chi_square / number, number, freedom)
    return AnalogueAgreement(chi_square, number.astype(np.int64), p_value, freedom, float(factor))


def _mean(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Mean over the rows, shape (N,); NaN without any."""
    number = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def _noise(residual: Array, state: NDArray[np.int8], passes: NDArray[np.int64]) -> tuple[float, int]:
    """Variance of a dwell about the mean of its point, pass and laser state, and its degrees of freedom."""
    squares, freedom = 0.0, 0
    for index in np.unique(passes):
        for laser in (OFF, ON):
            chosen = (state == laser) & (passes == index)
            away = residual - _mean(residual, chosen)[:, None]
            squares += float((away[chosen] ** 2).sum())
            freedom += int(np.maximum(chosen.sum(axis=1) - 1, 0).sum())
    return squares / max(freedom, 1), freedom


def _static(residual: Array, state: NDArray[np.int8], noise: float, level: Array, offset: float) -> tuple[float, int]:
    """Chi-square of the laser-off means, of which offset and factor are fitted, and its degrees of freedom."""
    off = state == OFF
    there = off.any(axis=1)
    variance = noise / off.sum(axis=1)[there] + (DRIFT * offset) ** 2 / level[there]
    return float((_mean(residual, off)[there] ** 2 / variance).sum()), int(there.sum()) - 2


def _transient(
    residual: Array, state: NDArray[np.int8], passes: NDArray[np.int64], noise: float, level: Array
) -> tuple[float, int]:
    """Chi-square of the changes from laser off to on at each point, mean of the passes, and its degrees of freedom.

    A change that is the same at all points is fitted.
    """
    size = len(residual)
    total, information = np.zeros(size), np.zeros(size)
    for index in np.unique(passes):
        off, on = ((state == laser) & (passes == index) for laser in (OFF, ON))
        with np.errstate(divide="ignore"):
            weight = 1 / (1 / off.sum(axis=1) + 1 / on.sum(axis=1))
        change = _mean(residual, on) - _mean(residual, off)
        total += np.where(weight > 0, weight * np.nan_to_num(change), 0.0)
        information += weight
    there = information > 0
    if there.sum() < 2:
        return 0.0, 0
    change, weight = total[there] / information[there], information[there]
    same = 1 / np.sqrt(level[there])  # in the unit of the residual
    change = change - same * (weight * same @ change) / (weight * same @ same)
    return float(weight @ change**2 / noise), int(there.sum()) - 1
