"""Corrects the slot means of all dwells for after-effects, and reports on the pair counters of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.after_effects import AfterEffects, Corrected, fit_after_effects, per_phase, pooled
from reduction.counting.background import Background
from reduction.counting.current_model import CurrentModel
from reduction.counting.dead_time import chain_coincidences, correlation, lag_2_pull
from reduction.counting.ground import GroundRates
from reduction.counting.kernels import EMPTY
from reduction.counting.pairs import PairReport, PairStore
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
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


class _FirstLag:
    """Lag-1 counters of the dwells that count, row by row; zero for bunches that are excluded."""

    def __init__(self, store: PairStore, counts: Flags, phase_out: Flags) -> None:
        self._store, self._counts, self._out = store, counts, phase_out

    def rows(self) -> Iterator[tuple[int, IntArray, Array]]:
        """Row, points (D,), and gates, hits, hits before and coincidences of its dwells, shape (4, D, P)."""
        for row in np.flatnonzero(self._counts.any(axis=0)):
            points = np.flatnonzero(self._counts[:, row])
            counters = np.moveaxis(self._store.first[row][points], 1, 0).astype(np.float64)
            counters[:, :, self._out] = 0.0
            yield int(row), points, counters

    def __iter__(self) -> Iterator[Sequence[Array]]:
        return (tuple(counters) for _, _, counters in self.rows())


def correct(
    store: PairStore,
    rows: DwellRows,
    laser_phase: IntArray,
    pattern: Pattern,
    background: Background,
    bunch_out: Flags,
    model: CurrentModel | None = None,
) -> tuple[DwellRows, Flags, PairReport]:
    """Correct every dwell for afterpulses and blinding, row by row: a scan of a thousand phases has gigabytes of them.

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
        With corrected slot means, and the ground state of a slow laser; `slot_shift` carries the errors of the two
        parameters.
    bunch_out : ndarray of bool, shape (B,)
        Including the bunches that saturate only after the correction.
    report : PairReport

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are too few hits to find the after-effects.
    """
    bunch = pattern.bunch_of_phase()
    lag = _FirstLag(store, rows.state != EMPTY, bunch_out[bunch])
    effects = fit_after_effects(lag)
    full = np.any([np.isinf(pooled(n, k, b, effects).mu).any(axis=0) for n, k, b, _ in lag], axis=0)
    out = bunch_out.copy()
    out[bunch[full]] = True
    means, report = _Means(rows, pattern, out), pair_report(store, rows)
    sums = _sums(store, rows)
    assert report is not None and sums is not None  # without pair counters the fit has raised
    checks = _Checks(effects, sums.sum(axis=0))
    for row, points, counters in lag.rows():
        at = laser_phase[points, row]
        photons = pooled(counters[0], counters[1], counters[2], effects)
        photons = replace(photons, mu=photons.mu - background.of_dwells(pattern, rows.state[points, row], at))
        checks.add(photons, counters)
        scale = None if model is None else model.scale(len(rows.state), row)[points][:, bunch]
        means.put(row, points, at, photons if scale is None else _scaled(photons, scale))
    return means.result(), out, checks.added_to(report)


def _scaled(photons: Corrected, scale: Array) -> Corrected:
    """Photons of each phase at the reference current of its bunch."""
    return replace(
        photons, mu=photons.mu * scale, variance=photons.variance * scale**2, shift=photons.shift * scale[..., None]
    )


class _Means:
    """Unweighted means over the phases of each slot, and the ground state before the pump."""

    def __init__(self, rows: DwellRows, pattern: Pattern, bunch_out: Flags) -> None:
        self._rows, self._pattern, self._phase_out = rows, pattern, bunch_out[pattern.bunch_of_phase()]
        self._mu, self._var = np.full_like(rows.slot_mu, np.nan), np.full_like(rows.slot_var, np.nan)
        self._shift = np.zeros((*rows.slot_mu.shape, 2))
        self._ground = GroundRates(pattern, rows.state.shape, bunch_out, 2)

    def put(self, row: int, points: IntArray, laser_phase: IntArray, photons: Corrected) -> None:
        """Store the dwells of a row."""
        slots = {int(at): self._pattern.slot_of_phase(int(at)) for at in np.unique(laser_phase)}
        slot = np.array([np.where(self._phase_out, -1, slots[int(at)]) for at in laser_phase])
        for s in range(self._rows.num_slots):
            mine = slot == s
            with np.errstate(invalid="ignore"):
                members = mine.sum(axis=1)
                self._mu[points, row, s] = np.where(mine, photons.mu, 0.0).sum(axis=1) / members
                self._var[points, row, s] = np.where(mine, photons.variance, 0.0).sum(axis=1) / members**2
                moved = np.where(mine[..., None], photons.shift, 0.0).sum(axis=1)
                self._shift[points, row, s] = moved / members[:, None]
        if self._ground.possible:
            self._ground.put(row, points, laser_phase, photons.mu, photons.variance, photons.shift)

    def result(self) -> DwellRows:
        return replace(
            self._rows, slot_mu=self._mu, slot_var=self._var, slot_shift=self._shift, ground=self._ground.result()
        )


class _Checks:
    """Lag 2, and another estimate of mu, against what the correction predicts."""

    def __init__(self, effects: AfterEffects, sums: Array) -> None:
        self._effects, self._sums = effects, sums
        self._chain = np.zeros(len(sums))
        self._number = self._photons = self._difference = self._variance = 0.0

    def add(self, photons: Corrected, counters: Array) -> None:
        """Add the dwells of a row."""
        gates, hits, _, _ = counters
        q = np.nan_to_num(-np.expm1(-photons.mu), neginf=0.0)
        self._chain += chain_coincidences(len(self._sums), gates, hits, q, self._effects)
        other = per_phase(*counters)
        good = np.isfinite(photons.mu) & np.isfinite(other.mu) & (other.variance > 0)
        self._number += good.sum()
        self._photons += photons.mu[good].sum()
        self._difference += (other.mu - photons.mu)[good].sum()
        self._variance += np.maximum(other.variance - photons.variance, 0.0)[good].sum()

    def added_to(self, report: PairReport) -> PairReport:
        """The report with the results.

        The mean relative difference of the two estimates has the variance of the less precise one less that of the
        other, since that is efficient (Hausman).
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._photons / np.float64(self._number)
            check, stddev = self._difference / self._number / mean, np.sqrt(self._variance) / self._number / mean
        pull = lag_2_pull(self._sums, self._chain)
        return replace(
            report, effects=self._effects, lag_2_pull=pull, check=float(check), check_stddev=float(stddev)
        )  # fmt: skip
