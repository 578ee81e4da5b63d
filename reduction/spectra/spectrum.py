"""From the dwells of a scan to its spectra: reference, pre-edge offset, edge integral, transient = on - off.

The chain is applied to laser on and laser off of each slot separately (SI 4, counting). The reference determines which
laser-off spectrum a slot is compared with (see `reduction.references.methods`); all errors include the noise of dwells
beyond counting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.counting.kernels import OFF, ON
from reduction.counting.lost_slots import kept_slots, note_of, only_slots, with_lost_slots
from reduction.counting.rows import PointRates, only
from reduction.drift.correct import WithoutDrift
from reduction.errors import ReductionError
from reduction.references import methods, notes
from reduction.references.choice import (
    by_same_bunches,
    only_pumped,
    require_points,
    require_possible,
    require_reference,
    require_windows,
    usable_points,
)
from reduction.references.clean_slots import CleanSlots
from reduction.references.compared import Compared
from reduction.references.slot_table import SlotTable
from reduction.settings import Settings
from reduction.spectra import drift_notes
from reduction.spectra.compare import compare, normalised_static, with_common, without_drift
from reduction.spectra.normalise import Normalised, NormalisedSlots, normalise, projection
from reduction.spectra.spectrum_fields import (
    SLOT_AXES,
    efficiency_of,
    of_bunches,
    of_drift,
    of_pairs,
    of_slots,
    paper_errors,
)
from reduction.spectra.transient import transients
from reduction.statistics.factored import Factored
from reduction.statistics.full_grid import on_full_grid

__all__ = [
    "Normalised",
    "ReductionError",
    "Spectrum",
    "normalise",
    "projection",
    "reduce_spectrum",
    "require_reference",
]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Text = str | NDArray[np.str_]
"""Scalars of a stored spectrum may be arrays without axes."""


@dataclass(frozen=True)
class Spectrum:
    """Reduced spectra of one grid; axes S slots, E energies. Errors are one standard deviation.

    Attributes
    ----------
    energy : ndarray, shape (E,), keV
    used : ndarray of bool, shape (E,)
        Points with laser-on and laser-off dwells; all else is NaN elsewhere.
    provisional : int
        1 while points of the grid are missing: offset and edge integral, and with them all numbers, are those of the
        points that are there; else 0.
    static, static_stddev : ndarray, shape (E,)
        Laser off, mean of the slots.
    on, off, on_stddev, off_stddev : ndarray, shape (S, E)
        The two spectra that are compared; the reference determines the laser-off one.
    transient, transient_stddev : ndarray, shape (S, E)
        On minus off. NaN for a slot that is itself the only reference.
    transient_stddev_paper : ndarray, shape (S, E)
        Errors by the SI's rules for the same slot on and off, for comparison only: square roots of counts, divided as
        the signals are, none for offset, integral, I0 and jet. NaN without single dwells.
    transient_local : ndarray, shape (S, S, E)
        Covariance of the transients of slots, which share references, at the same energy: its local part L.
    transient_factors : ndarray, shape (R, S, E)
        Curves F that slots and energies share; see `reduction.statistics.factored`.
    transient_signs : ndarray, shape (R,)
        1 or -1.
    offset, integral : ndarray, shape (2, S)
        Of laser off (0) and laser on (1); photons per I0 count.
    rate, rate_covariance : ndarray, shapes (2, S, E) and (2, S, S, E)
        Sums of scans over sums of flux; covariance of counting and I0.
    dwells : ndarray of int, shape (2, E)
    bunches_out : ndarray of int, shape (B,)
        0 for a bunch that is summed, 1 for one excluded because it saturated, 2 because it had no gates.
    reference : str
        The reference that was used.
    notes : str
        Sentences for the user about the limits of the result; may be empty.
    dwell_noise : float
        Relative standard deviation of a dwell beyond counting, I0 included.
    efficiency, efficiency_stddev, efficiency_drift, efficiency_drift_stddev : ndarray, shape (S,)
        Laser-off efficiency of each slot, mean 1, and its change over the scan.
    efficiency_chi_square : float
    efficiency_freedom : int
    clean_slots : ndarray of int, shape (S,)
        1 for a slot whose transient is below the resolution of this scan.
    residual, residual_stddev : ndarray, shape (S,)
        Transient that a late slot still holds, in units of the difference between first and last slot, if it decays to
        nothing or with one lifetime; NaN if unknown.
    share, share_stddev : ndarray, shape (S,)
        Transient of each slot in the same units, by comparison with the laser off alone; NaN if unknown.
    after_effects : ndarray, shape (2,)
        Afterpulses a, and beta = 1 - blinding, that were corrected; NaN if none were.
    after_effects_covariance : ndarray, shape (2, 2)
    after_effects_departure, after_effects_departure_stddev : ndarray, shape (E,)
        Correlation of hits in neighbouring gates beyond that of gates farther apart; NaN without pair counters.
    dead_time_flag : ndarray of int, shape (E,)
        1 where this is significant above 0.1 photons a pulse: correct only if the dead time is not paralysable.
    drift, drift_stddev : ndarray, shape (passes, E)
        Logarithm of the thickness of the sample at each point of each pass, which was taken out of all spectra, and its
        standard deviation; NaN where unknown. One row of NaN if nothing was taken out.
    drift_time : ndarray, shape (passes, E), s
        Time of each point since the start of its run.
    bunch_chi_square : ndarray, shape (3,)
        Per degree of freedom, of the counts of single bunches with the laser off: for equal bunches, fixed
        efficiencies, and efficiencies times measured currents; NaN where unknown.
    bunch_freedom : int
        Degrees of freedom of the last two.
    """

    energy: Array
    used: Flags
    provisional: int | NDArray[np.int64]
    static: Array
    static_stddev: Array
    on: Array
    on_stddev: Array
    off: Array
    off_stddev: Array
    transient: Array
    transient_stddev: Array
    transient_stddev_paper: Array
    transient_local: Array
    transient_factors: Array
    transient_signs: Array
    offset: Array
    integral: Array
    rate: Array
    rate_covariance: Array
    dwells: NDArray[np.int64]
    bunches_out: NDArray[np.int64]
    reference: Text
    notes: Text
    dwell_noise: float | Array
    efficiency: Array
    efficiency_stddev: Array
    efficiency_drift: Array
    efficiency_drift_stddev: Array
    efficiency_chi_square: float | Array
    efficiency_freedom: int | NDArray[np.int64]
    clean_slots: NDArray[np.int64]
    residual: Array
    residual_stddev: Array
    share: Array
    share_stddev: Array
    after_effects: Array
    after_effects_covariance: Array
    after_effects_departure: Array
    after_effects_departure_stddev: Array
    dead_time_flag: NDArray[np.int64]
    drift: Array
    drift_stddev: Array
    drift_time: Array
    bunch_chi_square: Array
    bunch_freedom: int | NDArray[np.int64]

    @property
    def covariance(self) -> Factored:
        """Covariance of the transients."""
        return Factored(self.transient_local, self.transient_factors, self.transient_signs)

    @property
    def transient_covariance(self) -> Array:
        """Covariance of the transient of each slot, shape (S, E, E)."""
        return self.covariance.of_slots()

    @property
    def transient_slot_covariance(self) -> Array:
        """Covariance of all transients, shape (S, S, E, E)."""
        return self.covariance.of_all()


def reduce_spectrum(
    energy: Array,
    rates: PointRates,
    settings: Settings,
    slot_delays: Array | None = None,
    steady: tuple[PointRates, WithoutDrift | None] | None = None,
) -> Spectrum:
    """Normalised static and transient spectra of every slot with their errors.

    Parameters
    ----------
    energy : ndarray, shape (E,), keV
        The grid, ascending.
    rates : PointRates
    settings : Settings
    slot_delays : ndarray, shape (S,), optional
        Delay of each slot after the pump, which determines the first and last slot; by default in slot order.
    steady : tuple, optional
        Result of `without_drift`, if several references are computed from the same dwells: it takes the longest.

    Raises
    ------
    ReductionError
        If windows are empty, the edge integral is not above zero, or the reference is not possible.
    """
    if not (kept := kept_slots(rates)).all():
        delays = None if slot_delays is None else slot_delays[kept]
        part = reduce_spectrum(energy, only_slots(rates, kept), settings, delays)
        part = with_lost_slots(part, kept, SLOT_AXES)
        return replace(part, notes=f"{note_of(kept)} {part.notes}".strip())
    slots = rates.rate.shape[1]
    table = SlotTable.of(slots, slot_delays, rates.pattern)
    reference = "paper" if settings.procedure == "paper" else settings.reference
    sentences: list[str] = []
    require_possible(reference, rates)
    used, positive = usable_points(rates)
    grounded = by_same_bunches(reference, rates)
    reference = "slots" if grounded else reference
    if reference != "paper":
        if lost := int((used & ~positive).sum()):
            sentences.append(f"{lost} points left out: a slot without hits, or no pass with both laser on and off.")
        used = used & positive
    require_points(used, rates)
    require_windows(energy, used, rates, settings)
    rates, corrected = without_drift(rates, settings) if steady is None else steady
    comparison = None
    if rates.rows is not None and (used & positive).any() and not only_pumped(rates):
        chosen = only(rates.rows, used & positive)
        comparison = methods.prepare(chosen, table, settings.i0_noise, settings.late_slots)
    compared, paper = compare(reference, grounded, rates, used, comparison, settings.i0_noise)
    if corrected is not None:
        compared, paper = (with_common(each, corrected.root[used]) for each in (compared, paper))
    sentences += notes.of_pairs(rates.pairs)
    sentences += notes.of_comparison(reference, grounded, rates, comparison)
    if settings.drift != "off" and settings.procedure != "paper" and comparison is not None:
        assert rates.rows is not None  # of a comparison
        sentences += drift_notes.of_drift(energy[used], only(rates.rows, used), compared, corrected, settings)
    drift = of_drift(corrected, energy.size)
    static = normalised_static(energy[used], paper, table.share, settings)
    text = " ".join(sentences)
    return _assembled(energy, used, rates, settings, compared, static, comparison, reference, text, drift)


def _assembled(
    energy: Array, used: Flags, rates: PointRates, settings: Settings,
    compared: Compared, static: NormalisedSlots, comparison: methods.Comparison | None, reference: str, sentences: str,
    drift: dict[str, Any],
) -> Spectrum:  # fmt: skip
    slots = rates.rate.shape[1]
    result = transients(energy[used], compared, settings)
    covariance = result.covariance.placed(np.ones(slots, np.bool_), used)
    clean = comparison.clean if comparison else CleanSlots.none(slots, -1)
    return Spectrum(
        energy=energy,
        used=used,
        provisional=int(not used.all()),
        static=on_full_grid(static.value[0], used),
        static_stddev=on_full_grid(np.sqrt(static.covariance.variance[0]), used),
        on=on_full_grid(result.value[ON], used),
        on_stddev=on_full_grid(result.stddev[ON], used),
        off=on_full_grid(result.value[OFF], used),
        off_stddev=on_full_grid(result.stddev[OFF], used),
        transient=on_full_grid(result.transient, used),
        transient_stddev=np.sqrt(covariance.variance),
        transient_stddev_paper=on_full_grid(paper_errors(rates, used, result.integral), used),
        transient_local=covariance.local,
        transient_factors=covariance.factors,
        transient_signs=covariance.signs,
        offset=result.offset,
        integral=result.integral,
        rate=rates.rate,
        rate_covariance=rates.covariance,
        dwells=rates.dwells,
        bunches_out=rates.bunches_out,
        reference=reference,
        notes=sentences,
        dwell_noise=comparison.dwell_noise if comparison else settings.i0_noise,
        **of_slots(efficiency_of(comparison, slots), clean),
        **of_pairs(rates.pairs, energy.size),
        **of_bunches(rates.bunches),
        **drift,
    )
