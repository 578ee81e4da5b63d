"""Delay scans by photon counting: on - off against the pump-probe delay, zero before time zero (SI 5).

``paper``: sum of scans over the sum of the flux, separately for laser on and off; an offset is subtracted from each, so
that the mean signal before time zero is zero; errors are square roots of counts, none for the offset.

``default``: each point relative to its own laser-off signal (see `reduction.references.relative`), minus the mean
before time zero, with the full covariance, including that of the common offset. What is there before time zero may be a
part of the signal, or light of the laser, which does not change with the thickness of the sample: where that drifts and
no background was measured, the difference between both is a part of the covariance too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.lost_slots import kept_slots, note_of, only_slots, with_lost_slots
from reduction.counting.paper_errors import paper_stddev
from reduction.counting.rows import PointRates, only
from reduction.errors import ReductionError
from reduction.references.choice import why_rejected
from reduction.references.on_off import summed
from reduction.references.relative import relative_transients
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings
from reduction.statistics.full_grid import on_full_grid
from reduction.traces.kinetics.variable_projection import Trace

Array = NDArray[np.float64]
SLOT_FIELDS = (
    "transient", "transient_stddev", "transient_covariance", "on", "off", "on_stddev", "off_stddev", "offset",
    "offset_stddev",
)  # fmt: skip
"""Fields whose first axis is that of the slots."""
CLEAR = 0.5
"""Share of an error from which on a note names what it is."""
LIGHT = "Before time zero there may be light of the laser, which a background run would show"


@dataclass(frozen=True)
class DelayScan:
    """A reduced delay scan; axes S slots, T delays. NaN where a point is not used.

    Attributes
    ----------
    delay : ndarray, shape (T,), ps
        Pump-probe delay of slot 0 as it was set.
    used : ndarray of int, shape (T,)
        1 for points with laser on and off.
    before_zero : ndarray of int, shape (T,)
        1 for the points whose mean was subtracted from slot 0.
    transient, transient_stddev : ndarray, shape (S, T)
        Relative to the laser-off signal (``default``), or photons per I0 count (``paper``). Only slot 0 has points
        before time zero; nothing is subtracted from the others, and ``paper`` has none.
    transient_covariance : ndarray, shape (S, T, T)
    on, off, on_stddev, off_stddev : ndarray, shape (S, T)
        Photons per I0 count, offsets included.
    offset, offset_stddev : ndarray, shape (S,)
        Subtracted from `transient`; NaN if none.
    dwells : ndarray of int, shape (2, T)
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, I0 included; NaN where errors are the paper's.
    reference, procedure, notes : str
    """

    delay: Array
    used: NDArray[np.int64]
    before_zero: NDArray[np.int64]
    transient: Array
    transient_stddev: Array
    transient_covariance: Array
    on: Array
    on_stddev: Array
    off: Array
    off_stddev: Array
    offset: Array
    offset_stddev: Array
    dwells: NDArray[np.int64]
    dwell_noise: float | Array
    reference: str | NDArray[np.str_]
    procedure: str | NDArray[np.str_]
    notes: str | NDArray[np.str_]

    def trace(self, slot: int = 0) -> Trace:
        """One slot for a fit, without the first point before time zero: the mean of all of them is 0."""
        chosen = self.used == 1
        if np.isfinite(self.offset[slot]):
            chosen[np.flatnonzero(chosen & (self.before_zero == 1))[0]] = False
        index = np.flatnonzero(chosen)
        covariance = self.transient_covariance[slot][np.ix_(index, index)]
        return Trace(self.delay[index], self.transient[slot, index], covariance)


def reduce_delay_scan(
    delay: Array, rates: PointRates, settings: Settings, slot_delays: Array | None = None
) -> DelayScan:
    """Transient against delay of every slot, with errors.

    Parameters
    ----------
    delay : ndarray, shape (T,), ps
    rates : PointRates
        With the dwells behind them.
    settings : Settings
    slot_delays : ndarray, shape (S,), optional
        Delay of each slot after the pump at a small positive delay; by default in slot order.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If no point can be used, or none or all of them lie before time zero.
    """
    if not (kept := kept_slots(rates)).all():
        return _without_lost_slots(delay, rates, settings, slot_delays, kept)
    table = SlotTable.of(rates.rate.shape[1], slot_delays, rates.pattern)
    if settings.procedure == "paper":
        return _paper(delay, rates, settings)
    relative = relative_transients(rates, settings, table, _times(delay, table.order, slot_delays))
    before = _before(delay, rates, relative.used, settings)
    weights = before[relative.used] / before.sum()
    take_out = np.eye(weights.size) - weights[None, :]
    value, covariance = relative.transient.copy(), relative.covariance.copy()
    slots = len(value)
    offset, offset_stddev = np.full(slots, np.nan), np.full(slots, np.nan)
    offset[0], offset_stddev[0] = weights @ value[0], np.sqrt(weights @ covariance[0] @ weights)
    value[0], covariance[0] = take_out @ value[0], take_out @ covariance[0] @ take_out.T
    as_light = np.zeros(weights.size)
    if rates.background is None or not rates.background.any():
        as_light = _as_light(relative.rate[OFF, 0], weights, float(offset[0]), float(offset_stddev[0]))
        covariance[0] += np.outer(as_light, as_light)
    notes = (*relative.notes, *_light_note(as_light, covariance[0]))
    return _assembled(
        delay, relative.used, before, value, covariance, relative.rate, relative.stddev, offset, offset_stddev,
        rates.dwells, relative.dwell_noise, relative.reference, "default", notes,
    )  # fmt: skip


def _as_light(off: Array, weights: Array, offset: float, stddev: float) -> Array:
    """How far points are off if the offset is light of the laser, which the sample's thickness does not change."""
    light = np.sqrt(max(offset**2 - stddev**2, 0.0))
    return np.asarray(light * ((weights @ off) / off - 1))


def _light_note(as_light: Array, covariance: Array) -> tuple[str, ...]:
    if not (np.abs(as_light) > CLEAR * np.sqrt(np.diagonal(covariance))).any():
        return ()
    return (f"{LIGHT}: as the sample drifts, that is up to {np.abs(as_light).max():.1g}, which is in the errors.",)


def _without_lost_slots(
    delay: Array, rates: PointRates, settings: Settings, slot_delays: Array | None, kept: NDArray[np.bool_]
) -> DelayScan:
    if not kept[0]:
        raise ReductionError("all bunches of slot 0, whose delay is scanned, are excluded: retake or leave out points")
    delays = None if slot_delays is None else slot_delays[kept]
    part = reduce_delay_scan(delay, only_slots(rates, kept), settings, delays)
    part = with_lost_slots(part, kept, dict.fromkeys(SLOT_FIELDS, (0,)))
    return replace(part, notes=f"{note_of(kept)} {part.notes}".strip())


def _times(delay: Array, order: NDArray[np.int64], slot_delays: Array | None) -> Array:
    """Times of slots and points after the pump, shape (S, T), in distances between slots.

    Where the slots' delays are not known, those of the points count as nothing against them.
    """
    if slot_delays is None or order.size < 2:
        return np.argsort(order).astype(np.float64)[:, None] + np.zeros(delay.size)
    distance = slot_delays[order[1]] - slot_delays[order[0]]
    return np.asarray((slot_delays[:, None] + delay) / distance)


def _paper(delay: Array, rates: PointRates, settings: Settings) -> DelayScan:
    if rates.rows is None:
        raise ReductionError("a delay scan is reduced from its single dwells, and there are none")
    used = np.asarray((rates.dwells > 0).all(axis=0) & np.isfinite(rates.rate).all(axis=(0, 1)))
    before = _before(delay, rates, used, settings)
    rows = only(rates.rows, used)
    rate, stddev = summed(rows).rate, paper_stddev(rows)
    weights = before[used] / before.sum()
    slots = rate.shape[1]
    offsets = rate @ weights  # (2, S)
    value = np.full(rate.shape[1:], np.nan)
    value[0] = (rate[ON, 0] - offsets[ON, 0]) - (rate[OFF, 0] - offsets[OFF, 0])
    variance = np.where(np.isnan(value), np.nan, (stddev**2).sum(axis=0))
    covariance = variance[:, :, None] * np.eye(variance.shape[1])
    offset = np.full(slots, np.nan)
    offset[0] = offsets[ON, 0] - offsets[OFF, 0]
    offset_stddev = np.full(slots, np.nan)
    offset_stddev[0] = np.sqrt(weights**2 @ variance[0])
    return _assembled(
        delay, used, before, value, covariance, rate, stddev, offset, offset_stddev, rates.dwells, np.nan,
        "paper", "paper", ("Errors are square roots of counts, without the noise of the jet and of the offset.",),
    )  # fmt: skip


def _before(delay: Array, rates: PointRates, used: NDArray[np.bool_], settings: Settings) -> NDArray[np.bool_]:
    before = used & (delay <= settings.before_zero)
    limit = f"delay up to {settings.before_zero:g} ps"
    if not before.any():
        raise ReductionError(f"no point before time zero ({limit}) is good: measure some there{why_rejected(rates)}")
    if (before == used).all():
        all_good = f"all {'' if used.all() else 'good '}points lie before time zero ({limit})"
        raise ReductionError(f"{all_good}{why_rejected(rates)}")
    return before


def _assembled(
    delay: Array, used: NDArray[np.bool_], before: NDArray[np.bool_], value: Array, covariance: Array, rate: Array,
    stddev: Array, offset: Array, offset_stddev: Array, dwells: NDArray[np.int64], dwell_noise: float, reference: str,
    procedure: str, notes: tuple[str, ...],
) -> DelayScan:  # fmt: skip
    full_covariance = on_full_grid(covariance, used, 2)
    return DelayScan(
        delay=delay,
        used=used.astype(np.int64),
        before_zero=before.astype(np.int64),
        transient=on_full_grid(value, used),
        transient_stddev=np.sqrt(np.diagonal(full_covariance, axis1=1, axis2=2)),
        transient_covariance=full_covariance,
        on=on_full_grid(rate[ON], used),
        on_stddev=on_full_grid(stddev[ON], used),
        off=on_full_grid(rate[OFF], used),
        off_stddev=on_full_grid(stddev[OFF], used),
        offset=offset,
        offset_stddev=offset_stddev,
        dwells=dwells,
        dwell_noise=dwell_noise,
        reference=reference,
        procedure=procedure,
        notes=" ".join(notes),
    )
