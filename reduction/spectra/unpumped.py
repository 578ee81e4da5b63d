"""Spectrum of a scan without the laser: the static spectrum with all its errors, and nothing else.

Dwells are summed as with the laser off elsewhere. The noise of a dwell comes from the scatter between passes, each over
its own mean since the thickness of the sample changes; of a single pass from repeated dwells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF
from reduction.counting.rows import DwellRows, PointRates, one_pass, only
from reduction.drift.correct import correct_drift
from reduction.errors import ReductionError
from reduction.references import methods, notes
from reduction.references.choice import require_windows, why_rejected
from reduction.references.clean_slots import CleanSlots
from reduction.references.dwell_noise import Excess, excess, noise_within_states
from reduction.references.on_off import summed
from reduction.settings import Settings
from reduction.spectra import drift_notes
from reduction.spectra.compare import normalised_static, with_common
from reduction.spectra.spectrum import Spectrum
from reduction.spectra.spectrum_fields import efficiency_of, of_bunches, of_drift, of_pairs, of_slots
from reduction.statistics.full_grid import on_full_grid

Array = NDArray[np.float64]

NO_LASER = "no laser"
"""Reference of a spectrum without the laser."""
WITH_LASER = ("on", "on_stddev", "transient", "transient_stddev", "transient_stddev_paper", "transient_local",
              "transient_factors", "transient_signs", "clean_slots", "residual", "residual_stddev", "share",
              "share_stddev", "efficiency", "efficiency_stddev", "efficiency_drift", "efficiency_drift_stddev",
              "efficiency_chi_square", "efficiency_freedom")  # fmt: skip
"""Fields of a spectrum that one without the laser does not have."""


def reduce_unpumped(energy: Array, rates: PointRates, settings: Settings) -> Spectrum:
    """Normalised static spectrum of dwells without the laser; all phases are one slot.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
        The grid, ascending.
    rates : PointRates
        With their dwells.
    settings : Settings

    Raises
    ------
    ReductionError
        If there is no point, windows are empty, or the edge integral is not above zero.
    """
    assert rates.rows is not None  # of an accumulator
    used = np.asarray((rates.dwells[OFF] > 0) & np.isfinite(rates.rate[OFF]).all(axis=0))
    if not used.any():
        raise ReductionError(f"no point has a good dwell{why_rejected(rates)}")
    require_windows(energy, used, rates, settings)
    positive = used & np.asarray((np.nan_to_num(rates.rate[OFF]) > 0).all(axis=0))
    corrected = None
    if settings.drift != "off" and positive.any():
        corrected = correct_drift(rates.rows, positive, rates.monitors, settings.i0_noise)
    rows = only(rates.rows if corrected is None else corrected.rows, used)
    seen = noise_between_passes(rows)
    noise = seen.at_least(settings.i0_noise)
    compared = methods.by_paper(rows, noise)
    if corrected is not None:
        compared = with_common(compared, corrected.root[used])
    static = normalised_static(energy[used], compared, np.ones(1), settings)
    sentences = [notes.WITHOUT_JET] if np.isnan(seen.variance) else []
    sentences += notes.of_pairs(rates.pairs)
    if settings.drift != "off":
        sentences += drift_notes.of_drift(energy[used], rows, compared, corrected, settings)
    value = on_full_grid(static.value[0], used)
    stddev = on_full_grid(np.sqrt(static.covariance.variance[0]), used)
    nothing = np.full((1, energy.size), np.nan)
    return Spectrum(
        energy=energy, used=used, provisional=int(not used.all()), static=value, static_stddev=stddev,
        on=nothing, on_stddev=nothing, off=value[None], off_stddev=stddev[None], transient=nothing,
        transient_stddev=nothing, transient_stddev_paper=nothing,
        transient_local=nothing[None], transient_factors=nothing[None], transient_signs=np.ones(1),
        offset=np.array([static.offset, [np.nan]]), integral=np.array([static.integral, [np.nan]]),
        rate=rates.rate, rate_covariance=rates.covariance, dwells=rates.dwells, bunches_out=rates.bunches_out,
        reference=NO_LASER, notes=" ".join(sentences), dwell_noise=noise,
        **of_slots(efficiency_of(None, 1), CleanSlots.none(1, -1)), **of_pairs(rates.pairs, energy.size),
        **of_bunches(rates.bunches), **of_drift(corrected, energy.size),
    )  # fmt: skip


def noise_between_passes(rows: DwellRows) -> Excess:
    """Noise of a dwell beyond counting; NaN for a single pass without repeated dwells."""
    levels, countings, factors = [], [], []
    for index in np.unique(rows.pass_index):
        of_pass = summed(one_pass(rows, index))
        with np.errstate(invalid="ignore", divide="ignore"):
            rate, variance = of_pass.of_all_slots()
            level = np.log(rate[OFF])
        known = np.isfinite(level)
        levels.append(level - level[known].mean() if known.any() else level)
        countings.append(variance[OFF] / rate[OFF] ** 2)
        factors.append(of_pass.variance_factor[OFF])
    found = excess(*(np.array(each).T for each in (levels, countings, factors)))
    return noise_within_states(replace(rows, currents=None)) if np.isnan(found.variance) else found
