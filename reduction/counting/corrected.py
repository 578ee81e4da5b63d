"""Corrects the slot means of all dwells for after-effects, and reports on the pair counters of a scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.after_effects import Corrected, fit_after_effects, per_phase, pooled
from reduction.counting.background import Background
from reduction.counting.current_model import CurrentModel
from reduction.counting.dead_time import correlation, lag_2_pull
from reduction.counting.kernels import EMPTY
from reduction.counting.pairs import PairReport, PairStore
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def pair_report(store: PairStore, rows: DwellRows) -> PairReport | None:
    """Correlation of neighbouring gates at each point; None if no dwell has pair counters."""
    sums = _sums(store, rows)
    if sums is None:
        return None
    counts = rows.state != EMPTY
    with np.errstate(invalid="ignore"):
        photons = np.where(counts, rows.slot_mu.mean(axis=2), 0.0).sum(axis=1) / counts.sum(axis=1)
    return PairReport(correlation(sums, photons))


def _sums(store: PairStore, rows: DwellRows) -> Array | None:
    """Sums of the lags over the good dwells of each point, shape (E, L, 3)."""
    lags = max((sums.shape[1] for sums in store.sums), default=0)
    if not lags:
        return None
    total = np.zeros((len(rows.state), lags, 3))
    for row, sums in enumerate(store.sums):
        chosen = rows.state[:, row] != EMPTY
        total[chosen, : sums.shape[1]] += sums[chosen]
    return total if total[:, 0, 1].any() else None


def correct(
    store: PairStore,
    rows: DwellRows,
    laser_phase: NDArray[np.int64],
    pattern: Pattern,
    background: Background,
    bunch_out: Flags,
    model: CurrentModel | None = None,
) -> tuple[DwellRows, Flags, PairReport]:
    """Correct every dwell for afterpulses and blinding.

    Parameters
    ----------
    store : PairStore
    rows : DwellRows
        As counted.
    laser_phase : ndarray of int, shape (N, R)
        Phase that the laser pulse belonged to in each dwell.
    pattern : Pattern
    background : Background
    bunch_out : ndarray of bool, shape (B,)
        Bunches that saturated.
    model : CurrentModel, optional
        Currents of the bunches, by which their photons are divided.

    Returns
    -------
    rows : DwellRows
        With corrected slot means; `slot_shift` carries the errors of the two parameters.
    bunch_out : ndarray of bool, shape (B,)
        Including the bunches that saturate only after the correction.
    report : PairReport

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are too few hits to find the after-effects.
    """
    counts = rows.state != EMPTY
    points, row = np.nonzero(counts)
    first = np.stack([store.first[r][p] for p, r in zip(points, row, strict=True)]).astype(np.float64)
    first[:, :, bunch_out[pattern.bunch_of_phase()]] = 0.0
    gates, hits, previous_hits, coincidences = np.moveaxis(first, 1, 0)
    effects = fit_after_effects(gates, hits, previous_hits, coincidences)
    photons = pooled(gates, hits, previous_hits, effects)
    full = np.isinf(photons.mu).any(axis=0)
    out = bunch_out.copy()
    out[pattern.bunch_of_phase()[full]] = True
    known = background.of_dwells(pattern, rows.state[points, row], laser_phase[points, row])
    photons = replace(photons, mu=photons.mu - known)
    slots = {int(at): pattern.slot_of_phase(int(at)) for at in np.unique(laser_phase[points, row])}
    slot = np.array([slots[int(at)] for at in laser_phase[points, row]])
    scaled = photons if model is None else _scaled(photons, model, pattern, rows.state.shape[0], points, row)
    corrected = _slot_means(rows, points, row, scaled, np.where(out[pattern.bunch_of_phase()], -1, slot))
    report = pair_report(store, rows)
    sums = _sums(store, rows)
    assert report is not None and sums is not None  # without pair counters the fit has raised
    q = np.nan_to_num(-np.expm1(-photons.mu), neginf=0.0)
    pull = lag_2_pull(sums.sum(axis=0), gates, hits, q, effects)
    check, check_stddev = _check(photons, per_phase(gates, hits, previous_hits, coincidences))
    return corrected, out, replace(
        report, effects=effects, lag_2_pull=pull, check=check, check_stddev=check_stddev
    )  # fmt: skip


def _scaled(
    photons: Corrected, model: CurrentModel, pattern: Pattern, size: int, points: NDArray[np.int64],
    row: NDArray[np.int64],
) -> Corrected:  # fmt: skip
    """Photons of each phase at the reference current of its bunch."""
    scales = {int(each): model.scale(size, int(each)) for each in np.unique(row)}
    scale = np.array([scales[int(r)][p] for p, r in zip(points, row, strict=True)])[:, pattern.bunch_of_phase()]
    return replace(
        photons, mu=photons.mu * scale, variance=photons.variance * scale**2, shift=photons.shift * scale[..., None]
    )


def _slot_means(
    rows: DwellRows, points: NDArray[np.int64], row: NDArray[np.int64], photons: Corrected, slot: NDArray[np.int64]
) -> DwellRows:
    """Unweighted means over the phases of each slot; a phase of slot -1 belongs to none."""
    mu, var = np.full_like(rows.slot_mu, np.nan), np.full_like(rows.slot_var, np.nan)
    shift = np.zeros((*rows.slot_mu.shape, 2))
    for s in range(rows.num_slots):
        mine = slot == s
        with np.errstate(invalid="ignore"):
            members = mine.sum(axis=1)
            mu[points, row, s] = np.where(mine, photons.mu, 0.0).sum(axis=1) / members
            var[points, row, s] = np.where(mine, photons.variance, 0.0).sum(axis=1) / members**2
            shift[points, row, s] = np.where(mine[..., None], photons.shift, 0.0).sum(axis=1) / members[:, None]
    return replace(rows, slot_mu=mu, slot_var=var, slot_shift=shift)


def _check(one: Corrected, other: Corrected) -> tuple[float, float]:
    """Mean relative difference of two estimates of mu, the other the less precise, and its standard deviation.

    The variance of their difference is the difference of their variances, since the first is efficient (Hausman).
    """
    good = np.isfinite(one.mu) & np.isfinite(other.mu) & (other.variance > 0)
    difference = (other.mu - one.mu)[good].mean() / one.mu[good].mean()
    variance = np.maximum(other.variance - one.variance, 0.0)[good].sum() / good.sum() ** 2
    return float(difference), float(np.sqrt(variance) / one.mu[good].mean())
