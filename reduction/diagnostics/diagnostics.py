"""Diagnostics of a transient: scatter, null tests, what normalisation removed, halves, drift.

None of them changes a number. All compare with counting (and I0) errors alone, so that excess noise of the jet, the
laser or the sample shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import EMPTY, OFF, ON
from reduction.counting.rows import DwellRows, one_pass, only
from reduction.diagnostics.passes import Passes, common_points, passes_of
from reduction.diagnostics.trends import ALARM, Trend, trend_of_level, trend_of_shape, trend_of_transient
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.statistics.quantiles import chi_square_interval, chi_square_p_value, normal_threshold

Array = NDArray[np.float64]

Relabel = Callable[[DwellRows], DwellRows | None]


@dataclass(frozen=True)
class VarianceRatio:
    """A variance over that of counting, with its 95 % chi-square interval; NaN where unknown."""

    ratio: float
    low: float
    high: float
    dof: float
    p_value: float

    @property
    def seen(self) -> bool:
        """Whether it is significant."""
        return self.p_value < ALARM


@dataclass(frozen=True)
class Diagnostics:
    """Diagnostics of the transients of a scan; axes S slots.

    Attributes
    ----------
    passes : int
        Number of whole passes.
    scatter : tuple of VarianceRatio, one per slot
        Scan-to-scan variance of the transient over that of counting.
    off_off, permuted : VarianceRatio
        Null tests through the same chain: laser-off dwells against each other, and laser labels exchanged so that the
        transient cancels. All slots together.
    halves : tuple of VarianceRatio, one per slot
        First against second half of the passes (alternating).
    area_removed, area_removed_stddev, offset_removed, offset_removed_stddev : ndarray, shape (S,)
        Edge integral with the laser on over that with it off, less 1, and difference of the pre-edge offsets in units
        of the edge integral: what normalisation removed.
    own_offset, own_offset_stddev : ndarray, shape (S,)
        The same difference less that of the other slots, which is free of jet noise: laser-only light.
    edge_step, shape, reference, transient : Trend
        Drift over the passes: of the edge step (concentration, jet), the static spectrum's shape (damage, energy), the
        laser-off level per I0 before the edge (background), and the transient's size (overlap, laser).
    sentences : tuple of str
    """

    passes: int
    scatter: tuple[VarianceRatio, ...]
    off_off: VarianceRatio
    permuted: VarianceRatio
    halves: tuple[VarianceRatio, ...]
    area_removed: Array
    area_removed_stddev: Array
    offset_removed: Array
    offset_removed_stddev: Array
    own_offset: Array
    own_offset_stddev: Array
    edge_step: Trend
    shape: Trend
    reference: Trend
    transient: Trend
    sentences: tuple[str, ...]


def diagnose(energy: Array, rows: DwellRows, settings: Settings) -> Diagnostics:
    """Diagnose a scan from its own passes and dwells.

    Parameters
    ----------
    energy : ndarray, shape (N,), keV
        Of the points of `rows`; each with laser on and off.
    rows : DwellRows
    settings : Settings

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If no pass is whole, or windows are empty.
    """
    common = common_points(rows)
    energy, rows = energy[common], only(rows, common)
    passes = passes_of(energy, rows, settings)
    slots = passes.transient.shape[1]
    each = [(passes.transient[:, s], passes.transient_variance[:, s], passes.independent[s]) for s in range(slots)]
    area, area_error, offset, offset_error = _removed(passes)
    own, own_error = _own_offset(passes)
    parts: dict[str, Any] = {
        "scatter": tuple(_scatter(*one) for one in each),
        "off_off": _null(energy, rows, settings, _off_off),
        "permuted": _null(energy, rows, settings, _permuted),
        "halves": tuple(_halves(*one) for one in each),
        "edge_step": trend_of_level(passes.step, passes.step_variance),
        "shape": trend_of_shape(passes),
        "reference": trend_of_level(passes.level, passes.level_variance),
        "transient": trend_of_transient(passes),
    }
    found = Diagnostics(
        passes=passes.number.size, area_removed=area, area_removed_stddev=area_error, offset_removed=offset,
        offset_removed_stddev=offset_error, own_offset=own, own_offset_stddev=own_error, sentences=(), **parts,
    )  # fmt: skip
    without = [f"Diagnosed without {(~common).sum()} points that a pass lacks."] if not common.all() else []
    return Diagnostics(**{**found.__dict__, "sentences": (*without, *_sentences(found))})


NOTHING = VarianceRatio(float("nan"), float("nan"), float("nan"), 0.0, 1.0)


def variance_ratio(squares: float, number: float, independent: float) -> VarianceRatio:
    """Variance ratio from the sum of squares of `number` pulls, `independent` of them independent (Satterthwaite)."""
    if not (number > 0 and independent > 0):
        return NOTHING
    ratio = squares / number
    low, high = chi_square_interval(ratio, independent)
    return VarianceRatio(
        float(ratio), low, high, float(independent), chi_square_p_value(ratio * independent, independent)
    )


def _known(values: Array, variance: Array) -> tuple[Array, Array]:
    """Spectra (n, E) without points that have no error, such as a pre-edge of one point, which is zero."""
    known = (variance > 0).all(axis=0)
    return values[:, known], variance[:, known]


def _scatter(values: Array, variance: Array, independent: float) -> VarianceRatio:
    """Scatter of spectra (n, E) about their weighted mean."""
    values, variance = _known(values, variance)
    number, points = values.shape
    if number < 2 or points < 3:
        return NOTHING
    weight = 1 / variance
    mean = (weight * values).sum(axis=0) / weight.sum(axis=0)
    squares = float((weight * (values - mean) ** 2).sum())
    return variance_ratio(squares, (number - 1) * points, (number - 1) * independent)


def _halves(values: Array, variance: Array, independent: float) -> VarianceRatio:
    if len(values) < 2:
        return NOTHING
    values, variance = _known(values, variance)
    means, variances = [], []
    for half in (slice(0, None, 2), slice(1, None, 2)):
        weight = 1 / variance[half]
        means.append((weight * values[half]).sum(axis=0) / weight.sum(axis=0))
        variances.append(1 / weight.sum(axis=0))
    squares = float(((means[0] - means[1]) ** 2 / (variances[0] + variances[1])).sum())
    return variance_ratio(squares, values.shape[1], independent)


def _null(energy: Array, rows: DwellRows, settings: Settings, relabel: Relabel) -> VarianceRatio:
    """Transients that must be zero, all slots and passes together."""
    squares, number, independent = 0.0, 0, 0.0
    for index in np.unique(rows.pass_index):
        mine = one_pass(rows, index)
        labelled = relabel(mine)
        if labelled is None:
            continue
        try:
            one = passes_of(energy, labelled, settings)
        except ReductionError:
            continue
        known = one.transient_variance > 0
        squares += float((one.transient[known] ** 2 / one.transient_variance[known]).sum())
        number += int(known.sum())
        independent += one.independent_of_all
    return variance_ratio(squares, number, independent)


def _off_off(rows: DwellRows) -> DwellRows | None:
    """The laser-off dwells of each point, alternately labelled on and off; None if a point has fewer than two."""
    off = rows.state == OFF
    if (off.sum(axis=1) < 2).any():
        return None
    turn = np.cumsum(off, axis=1) % 2
    return _with_state(rows, np.where(off, turn, EMPTY))


def _permuted(rows: DwellRows) -> DwellRows | None:
    """First on and first off of each point labelled on, second ones off: the same transient in both."""
    state = np.full(rows.state.shape, EMPTY)
    for laser in (OFF, ON):
        mine = rows.state == laser
        nth = np.cumsum(mine, axis=1)
        if (nth[:, -1] < 2).any():
            return None
        state = np.where(mine & (nth == 1), ON, np.where(mine & (nth == 2), OFF, state))
    return _with_state(rows, state)


def _with_state(rows: DwellRows, state: NDArray[np.int64]) -> DwellRows:
    return DwellRows(**{**rows.__dict__, "state": state.astype(np.int8)})


def _removed(passes: Passes) -> tuple[Array, Array, Array, Array]:
    """Area and offset that normalisation removes, with the larger of counting and scatter as error."""
    ratio = passes.integral[:, ON] / passes.integral[:, OFF] - 1
    off = passes.integral[:, OFF]
    ratio_variance = (passes.integral_variance[:, ON] + passes.integral_variance[:, OFF]) / off**2
    difference = (passes.offset[:, ON] - passes.offset[:, OFF]) / off
    difference_variance = (passes.offset_variance[:, ON] + passes.offset_variance[:, OFF]) / off**2
    return (*_mean(ratio, ratio_variance), *_mean(difference, difference_variance))


def _own_offset(passes: Passes) -> tuple[Array, Array]:
    """Offset on - off of each slot against the mean of the others, each scaled by its own laser-off offset."""
    slots = passes.offset.shape[2]
    if slots < 2:
        return np.full(slots, np.nan), np.full(slots, np.nan)
    log = np.log(np.maximum(passes.offset[:, ON], 1e-300)) - np.log(np.maximum(passes.offset[:, OFF], 1e-300))
    variance = (passes.offset_counting / np.maximum(passes.offset, 1e-300) ** 2).sum(axis=1)
    away = (np.eye(slots) * slots - 1) / (slots - 1)  # a slot less the mean of the others
    scale = passes.offset[:, OFF] / passes.integral[:, OFF]
    return _mean(log @ away.T * scale, variance @ (away**2).T * scale**2)


def _mean(values: Array, variance: Array) -> tuple[Array, Array]:
    """Plain mean over passes and its error: counting, or the scatter between passes where that is larger."""
    number = len(values)
    counting = np.sqrt(variance.sum(axis=0)) / number
    if number < 3:
        return values.mean(axis=0), counting
    return values.mean(axis=0), np.maximum(counting, values.std(axis=0, ddof=1) / np.sqrt(number))


def _sentences(found: Diagnostics) -> tuple[str, ...]:
    notes: list[str] = []
    if found.passes < 2:
        notes.append("One pass: its scatter is unknown, errors are those of counting. Repeat the pass to measure it.")
    noisy = [each for each in found.scatter if each.seen]
    if noisy:
        most = max(noisy, key=lambda each: each.ratio)
        notes.append(
            f"Passes scatter {np.sqrt(most.ratio):.2f} times as much as counting (95 %: {np.sqrt(most.low):.2f} to"
            f" {np.sqrt(most.high):.2f}): noise of the jet or the laser, not statistics."
        )
    for name, test in (("Laser-off dwells against each other", found.off_off), ("Permuted labels", found.permuted)):
        if test.seen:
            notes.append(f"{name} differ by {np.sqrt(test.ratio):.2f} times what counting allows: noise within a pass.")
    if any(each.seen for each in found.halves):
        notes.append("Two halves of the passes do not agree within counting errors.")
    notes += _of_removed(found) + _of_trends(found)
    return tuple(notes)


def _of_removed(found: Diagnostics) -> list[str]:
    with np.errstate(invalid="ignore", divide="ignore"):
        own = found.own_offset / found.own_offset_stddev
    slots = np.flatnonzero(np.nan_to_num(own) > normal_threshold(ALARM / own.size))
    return [
        f"With the laser on, slot {s} has {found.own_offset[s]:.2e} +- {found.own_offset_stddev[s]:.1e} edge integrals"
        " more before the edge than the other slots: laser-only light; measure a background run."
        for s in slots
    ]


def _of_trends(found: Diagnostics) -> list[str]:
    reasons = {
        "edge_step": ("The edge step", "concentration, thickness of the jet, or overlap with the X-rays"),
        "shape": ("The shape of the static spectrum", "damage, or a drift of the energy"),
        "reference": ("The level before the edge", "background"),
        "transient": ("The transient", "overlap of laser and X-rays, fluence, or time zero"),
    }
    return [
        f"{what} changes by {100 * trend.change:+.2f} +- {100 * trend.stddev:.2f} % over the passes: {why}."
        for name, (what, why) in reasons.items()
        if (trend := getattr(found, name)).seen
    ]
