"""Scans by the analogue boxcar: pairs of laser-off and laser-on dwells, their mean, errors from their scatter (SI 4).

The boxcar's value is the mean voltage of a detector pulse, which goes negative: the signal is less than that, over I0.
The noise of an analogue chain is not known beforehand, so errors come from the scatter of pairs: Student t with one
degree of freedom less than there are pairs.

Energy scans, ``paper``: the laser-off pre-edge offset is taken from both of a pair, both are divided by the laser-off
edge integral, and subtracted; pairs are averaged; the error is that of the mean laser-on and of the mean laser-off
spectrum, added in quadrature. ``default``: the same values, but the error is that of the mean difference, in which
noise common to a pair (the jet) does not count twice.

Delay and fluence scans, ``default``: each point of a pair relative to its laser-off signal, less the level before time
zero (delay). ``paper``: as for counting (SI 5 and SI 3), pairs in place of scans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.errors import ReductionError
from reduction.settings import Settings
from reduction.spectra.normalise import window_integral_weights, window_mean_weights
from reduction.statistics.full_grid import on_full_grid
from reduction.statistics.repeats import mean_of_repeats

Array = NDArray[np.float64]

LOWEST = 2
"""Number of lowest fluences whose mean on - off the paper subtracts."""


@dataclass(frozen=True)
class BoxcarRows:
    """Signals of one boxcar; axes N points, R rows (a row is one segment of one pass).

    Attributes
    ----------
    pass_index : ndarray of int, shape (R,)
    state : ndarray of int8, shape (N, R)
        As in `reduction.counting.rows.DwellRows`.
    signal, stddev : ndarray, shape (N, R)
        Minus the value (V) over I0 counts a pulse, and its error from the samples of the dwell.
    """

    pass_index: NDArray[np.int64]
    state: NDArray[np.int8]
    signal: Array
    stddev: Array


@dataclass(frozen=True)
class BoxcarScan:
    """A scan reduced by pairs; axis N points. NaN where a point is not used.

    Attributes
    ----------
    axis : ndarray, shape (N,)
        keV, ps or mJ/cm2.
    used : ndarray of int, shape (N,)
    static, static_stddev : ndarray, shape (N,)
        Mean laser-off signal of the pairs, as `on` and `off` were treated.
    transient, transient_stddev : ndarray, shape (N,)
        Mean of the pairs and its standard error.
    pairs : int
    freedom : int
        Degrees of freedom of Student's t for these errors.
    procedure : str
    """

    axis: Array
    used: NDArray[np.int64]
    static: Array
    static_stddev: Array
    transient: Array
    transient_stddev: Array
    pairs: int
    freedom: int
    procedure: str


def pairs_of(rows: BoxcarRows) -> tuple[NDArray[np.bool_], Array]:
    """Pairs of dwells: the k-th with the laser off and the k-th with it on of each point in each pass.

    Returns
    -------
    used : ndarray of bool, shape (N,)
        Points that occur in every pair; a pass without any point has no pair.
    signal : ndarray, shape (n, 2, N)
        Laser off and on of each pair; NaN at points that are not used.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are fewer than two pairs: their scatter is the error.
    """
    found = _repeats(rows, (OFF, ON))
    if len(found) < 2:
        raise ReductionError(f"{len(found)} pair(s) of laser-off and laser-on dwells: errors need the scatter of two")
    used = np.asarray(np.isfinite(found).all(axis=(0, 1)))
    if not used.any():
        raise ReductionError("no point has laser off and on in every pair: leave out the pass that lacks points")
    found[:, :, ~used] = np.nan
    return used, found


def _repeats(rows: BoxcarRows, states: tuple[int, ...]) -> Array:
    """The k-th dwell in each of the laser states, of each point in each pass, shape (n, states, N); NaN without."""
    found: list[list[Array]] = []
    for index in np.unique(rows.pass_index):
        mine = rows.pass_index == index
        state = np.where(np.isfinite(rows.signal[:, mine]), rows.state[:, mine], -1)
        signal = rows.signal[:, mine]
        nth = {laser: np.cumsum(state == laser, axis=1) for laser in states}
        number = int(min(nth[laser][:, -1].max() for laser in states))
        for k in range(1, number + 1):
            chosen = [(state == laser) & (nth[laser] == k) for laser in states]
            there = [each.any(axis=1) for each in chosen]
            found.append([
                np.where(here, np.where(each, signal, 0.0).sum(axis=1), np.nan)
                for each, here in zip(chosen, there, strict=True)
            ])  # fmt: skip
    return np.array(found)


def static_spectrum(energy: Array, rows: BoxcarRows, settings: Settings) -> BoxcarScan:
    """Spectrum of a scan without the laser, mean of the dwells; its transient is NaN.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If no point has two dwells, windows are empty, or an edge integral is not above zero.
    """
    found = _repeats(rows, (OFF,))
    used = np.asarray(np.isfinite(found).all(axis=(0, 1))) if len(found) > 1 else np.zeros(energy.size, np.bool_)
    if not used.any():
        raise ReductionError("no point has two dwells: errors need the scatter of two")
    mean = mean_of_repeats(_over_edge(energy, used, found, settings)[:, OFF])
    nothing = np.full(energy.size, np.nan)
    static, stddev = (on_full_grid(each, used) for each in (mean.mean, mean.stddev))
    return BoxcarScan(
        energy, used.astype(np.int64), static, stddev, nothing, nothing, len(found), mean.dof, settings.procedure
    )


def _over_edge(energy: Array, used: NDArray[np.bool_], repeats: Array, settings: Settings) -> Array:
    """Repeats at the used points less their laser-off pre-edge offset, over their laser-off edge integral."""
    pre = window_mean_weights(energy[used], settings.pre_edge)
    edge = window_integral_weights(energy[used], settings.integral)
    signal = repeats[:, :, used]
    signal = signal - (signal[:, OFF] @ pre)[:, None, None]
    integral = signal[:, OFF] @ edge
    if not (integral > 0).all():
        raise ReductionError(
            "a laser-off edge integral is not above zero: is the boxcar's window on the pulse, and is there beam?"
        )
    return np.asarray(signal / integral[:, None, None])


def boxcar_spectrum(energy: Array, rows: BoxcarRows, settings: Settings) -> BoxcarScan:
    """Static and transient spectrum by pairs.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are fewer than two pairs, windows are empty, or a laser-off edge integral is not above zero.
    """
    used, pairs = pairs_of(rows)
    return _scan(energy, used, _over_edge(energy, used, pairs, settings), settings.procedure)


def boxcar_delay_scan(delay: Array, rows: BoxcarRows, settings: Settings) -> BoxcarScan:
    """Transient against delay by pairs, zero on average before time zero.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are fewer than two pairs or no point before time zero.
    """
    used, pairs = pairs_of(rows)
    before = delay[used] <= settings.before_zero
    if not before.any() or before.all():
        raise ReductionError(f"points before and after time zero ({settings.before_zero:g} ps) are needed")
    signal = pairs[:, :, used]
    if settings.procedure == "paper":
        signal = signal - signal[:, :, before].mean(axis=2, keepdims=True)
        return _scan(delay, used, signal, "paper")
    ratio = signal / signal[:, [OFF]]
    ratio[:, ON] -= (ratio[:, ON] - 1)[:, before].mean(axis=1, keepdims=True)
    return _scan(delay, used, ratio, "default")


def boxcar_fluence_scan(fluence: Array, rows: BoxcarRows, settings: Settings) -> BoxcarScan:
    """Transient against fluence by pairs.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If there are fewer than two pairs.
    """
    used, pairs = pairs_of(rows)
    signal = pairs[:, :, used]
    if settings.procedure == "paper":
        lowest = np.argsort(fluence[used], kind="stable")[:LOWEST]
        scale = signal[:, OFF].mean(axis=1)
        offset = (signal[:, ON] - signal[:, OFF])[:, lowest].mean(axis=1)
        signal = np.stack([signal[:, OFF], signal[:, ON] - offset[:, None]], axis=1) / scale[:, None, None]
        return _scan(fluence, used, signal, "paper")
    return _scan(fluence, used, signal / signal[:, [OFF]], "default")


def _scan(axis: Array, used: NDArray[np.bool_], pairs: Array, procedure: str) -> BoxcarScan:
    """Means and standard errors of treated pairs (n, 2, used points)."""
    number = len(pairs)

    off, on = (mean_of_repeats(pairs[:, laser]) for laser in (OFF, ON))
    difference = mean_of_repeats(pairs[:, ON] - pairs[:, OFF])
    stddev = np.hypot(on.stddev, off.stddev) if procedure == "paper" else difference.stddev

    return BoxcarScan(
        axis=axis,
        used=used.astype(np.int64),
        static=on_full_grid(off.mean, used),
        static_stddev=on_full_grid(off.stddev, used),
        transient=on_full_grid(difference.mean, used),
        transient_stddev=on_full_grid(stddev, used),
        pairs=number,
        freedom=difference.dof,
        procedure=procedure,
    )
