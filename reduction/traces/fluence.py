"""Fluence scans by photon counting: on - off against the fluence of the pump (SI 3).

``paper``: signals over I0; in each scan, on is corrected by the mean on - off of the two lowest fluences (which also
subtracts slope times their mean), on and off are divided by the scan's mean off; scans are averaged, errors are
standard errors of the scans, and difference and error follow.

``default``: each point relative to its own laser-off signal (see `reduction.references.relative`), with the background
of each fluence subtracted before (settings, `reduction.traces.laser_light`), the full covariance, and a free intercept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.lost_slots import kept_slots, note_of, only_slots, with_lost_slots
from reduction.counting.rows import PointRates, one_pass, only
from reduction.errors import ReductionError
from reduction.references.on_off import summed
from reduction.references.relative import relative_transients
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings
from reduction.statistics.full_grid import on_full_grid
from reduction.statistics.repeats import mean_of_repeats
from reduction.traces.laser_light import scaled_with_fluence

Array = NDArray[np.float64]
SLOT_FIELDS = (
    "transient", "transient_stddev", "transient_covariance", "on", "off", "on_stddev", "off_stddev", "offset",
)  # fmt: skip
"""Fields whose first axis is that of the slots."""

LOWEST = 2
"""Number of lowest fluences whose mean on - off the paper subtracts."""


@dataclass(frozen=True)
class FluenceScan:
    """A reduced fluence scan; axes S slots, F fluences. NaN where a point is not used.

    Attributes
    ----------
    fluence : ndarray, shape (F,), mJ/cm2
    used : ndarray of int, shape (F,)
    transient, transient_stddev : ndarray, shape (S, F)
        Relative to the laser-off signal.
    transient_covariance : ndarray, shape (S, F, F)
    on, off, on_stddev, off_stddev : ndarray, shape (S, F)
        Photons per I0 count (``default``), or over each scan's mean off (``paper``).
    offset : ndarray, shape (S,)
        Mean over scans of the offset that the paper subtracts from on; NaN by default.
    scans : int
        Passes; errors of ``paper`` are Student t with one degree of freedom less.
    dwells : ndarray of int, shape (2, F)
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, I0 included; NaN where errors are the paper's.
    reference, procedure, notes : str
    """

    fluence: Array
    used: NDArray[np.int64]
    transient: Array
    transient_stddev: Array
    transient_covariance: Array
    on: Array
    on_stddev: Array
    off: Array
    off_stddev: Array
    offset: Array
    scans: int | NDArray[np.int64]
    dwells: NDArray[np.int64]
    dwell_noise: float | Array
    reference: str | NDArray[np.str_]
    procedure: str | NDArray[np.str_]
    notes: str | NDArray[np.str_]


def reduce_fluence_scan(
    fluence: Array, rates: PointRates, settings: Settings, slot_delays: Array | None = None
) -> FluenceScan:
    """Transient against fluence of every slot, with errors.

    Parameters
    ----------
    fluence : ndarray, shape (F,), mJ/cm2
    rates : PointRates
        With the dwells behind them.
    settings : Settings
    slot_delays : ndarray, shape (S,), optional
        Delay of each slot after the pump; by default in slot order.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
        If no point can be used, or ``paper`` has fewer than two complete scans for its errors.
    """
    if not (kept := kept_slots(rates)).all():
        delays = None if slot_delays is None else slot_delays[kept]
        part = reduce_fluence_scan(fluence, only_slots(rates, kept), settings, delays)
        part = with_lost_slots(part, kept, dict.fromkeys(SLOT_FIELDS, (0,)))
        return replace(part, notes=f"{note_of(kept)} {part.notes}".strip())
    table = SlotTable.of(rates.rate.shape[1], slot_delays, rates.pattern)
    rates, unknown = scaled_with_fluence(fluence, rates, settings)
    if settings.procedure == "paper":
        return _paper(fluence, rates)
    relative = relative_transients(rates, settings, table, None)
    scans = len(np.unique(rates.rows.pass_index)) if rates.rows is not None else 0
    return _assembled(
        fluence, relative.used, relative.transient, relative.covariance, relative.rate, relative.stddev,
        np.full(len(relative.transient), np.nan), scans, rates.dwells, relative.dwell_noise,
        relative.reference, "default",
        (*unknown, *relative.notes),
    )  # fmt: skip


def _paper(fluence: Array, rates: PointRates) -> FluenceScan:
    if rates.rows is None:
        raise ReductionError("a fluence scan is reduced from its single dwells, and there are none")
    used = np.asarray((rates.dwells > 0).all(axis=0) & np.isfinite(rates.rate).all(axis=(0, 1)))
    if used.sum() <= LOWEST:
        raise ReductionError(f"{used.sum()} fluences with laser on and off are too few: the lowest {LOWEST} are offset")
    rows = only(rates.rows, used)
    lowest = np.argsort(fluence[used], kind="stable")[:LOWEST]
    scaled, offsets, partial = [], [], 0
    for index in np.unique(rows.pass_index):
        rate = summed(one_pass(rows, index)).rate
        if not np.isfinite(rate).all():
            partial += 1
            continue
        offset = (rate[ON] - rate[OFF])[:, lowest].mean(axis=1)
        mean_off = rate[OFF].mean(axis=1)
        scaled.append(np.stack([rate[OFF], rate[ON] - offset[:, None]]) / mean_off[:, None])
        offsets.append(offset / mean_off)
    number = len(scaled)
    if number < 2:
        raise ReductionError(f"{number} complete scan(s): the paper's errors come from the scatter of at least two")
    repeats = mean_of_repeats(np.array(scaled))
    mean, stddev = repeats.mean, repeats.stddev
    variance = (stddev**2).sum(axis=0)
    notes = [f"Errors are standard errors of {number} scans: Student t with {number - 1} degrees of freedom."]
    if partial:
        notes.append(f"{partial} scans left out: not every fluence has laser on and off.")
    return _assembled(
        fluence, used, mean[ON] - mean[OFF], variance[:, :, None] * np.eye(variance.shape[1]), mean, stddev,
        np.mean(offsets, axis=0), number, rates.dwells, np.nan, "paper", "paper", tuple(notes),
    )  # fmt: skip


def _assembled(
    fluence: Array, used: NDArray[np.bool_], value: Array, covariance: Array, rate: Array, stddev: Array,
    offset: Array, scans: int, dwells: NDArray[np.int64], dwell_noise: float, reference: str, procedure: str,
    notes: tuple[str, ...],
) -> FluenceScan:  # fmt: skip
    full_covariance = on_full_grid(covariance, used, 2)
    return FluenceScan(
        fluence=fluence,
        used=used.astype(np.int64),
        transient=on_full_grid(value, used),
        transient_stddev=np.sqrt(np.diagonal(full_covariance, axis1=1, axis2=2)),
        transient_covariance=full_covariance,
        on=on_full_grid(rate[ON], used),
        on_stddev=on_full_grid(stddev[ON], used),
        off=on_full_grid(rate[OFF], used),
        off_stddev=on_full_grid(stddev[OFF], used),
        offset=offset,
        scans=scans,
        dwells=dwells,
        dwell_noise=dwell_noise,
        reference=reference,
        procedure=procedure,
        notes=" ".join(notes),
    )
