"""Boxcars, diodes and foils at the end of a pass: their rows, their agreement with the counters, and their streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.boxcar.agreement import AnalogueAgreement, agreement_with_counters
from reduction.boxcar.scan import BoxcarRows
from reduction.counting.kernels import EMPTY
from reduction.counting.phases import Pattern
from reduction.counting.rows import DwellRows
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.analogue import AnalogueStore, agreement_data, analogue_data
from reduction.documents.detectors import BOXCAR, FOIL, Detector
from reduction.documents.foil import foil_data, foil_sentence, shifts_by_foil
from reduction.documents.raw import RawRun
from reduction.documents.results import ReducedRun
from reduction.errors import ReductionError
from reduction.live.scan_result import Result
from reduction.spectra.align import EnergyShift, shifted
from reduction.spectra.spectrum import Spectrum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AnalogueResults:
    """Analogue detectors of a set of passes.

    Attributes
    ----------
    run : RawRun
    rows : tuple of (Detector, BoxcarRows)
        Signals of each detector without the exclusions.
    left_out : tuple of str
        Detectors that are left out of all passes: they keep their own result, and nothing is compared with it.
    counting : DwellRows
    shifts : tuple of EnergyShift
        By which the energies of the passes are moved; empty if they are not.
    notes : tuple of str
        For the result of the counters: a detector that disagrees with them, and the energies by foils.
    agreement : dict of str to AnalogueAgreement or str
        By detector; a text is the reason why there is none.
    foils : dict of str to dict
        Event of the stream of each foil, as long as its shifts are not applied.
    """

    run: RawRun
    rows: tuple[tuple[Detector, BoxcarRows], ...]
    left_out: tuple[str, ...]
    counting: DwellRows
    shifts: tuple[EnergyShift, ...]
    notes: tuple[str, ...]
    agreement: dict[str, AnalogueAgreement | str]
    foils: dict[str, dict[str, Any]]

    def publish(self, reduced: ReducedRun, result: Result) -> None:
        """One stream for each detector."""
        off = result.off[0] if not isinstance(result, Spectrum) else result.static
        if not isinstance(result, Spectrum) and result.procedure == "default":
            off = np.ones_like(off)
        for detector, rows in self.rows:
            if detector.kind == FOIL:
                data = self.foils[detector.name] | {"applied": int(bool(self.shifts))}
            else:
                moved = _moved(self.run.grid, rows, self.shifts)
                data = analogue_data(
                    detector, self.run, moved, self.counting, (off, result.transient_stddev[0])
                )  # fmt: skip
                data |= agreement_data(detector.name, self.agreement[detector.name])
            reduced.event(detector.name, data, {})


def analogue_results(
    store: AnalogueStore,
    run: RawRun,
    pattern: Pattern,
    pass_uids: Sequence[str],
    counting: DwellRows,
    exclusions: Exclusions,
) -> AnalogueResults:
    """Rows and agreement of all analogue detectors.

    Parameters
    ----------
    store : AnalogueStore
    run : RawRun
    pattern : Pattern
    pass_uids : sequence of str
        By their number in `counting`.
    counting : DwellRows
        Of the only counter, or of the combination.
    exclusions : Exclusions
    """
    out = exclusions.detectors_out(pass_uids)
    left_out = tuple(each.name for each in store.detectors() if all((uid, each.name) in out for uid in pass_uids))
    pairs, agreement, notes, foils = [], {}, [], {}
    shifts: tuple[EnergyShift, ...] = ()
    for detector in store.detectors():
        name = detector.name
        without = counting.state == EMPTY
        mask = exclusions.mask(pass_uids, counting.pass_index, len(run.grid), "" if name in left_out else name)
        rows = store.rows(detector, pass_uids, without if mask is None else without | mask, counting)
        pairs.append((detector, rows))
        if detector.kind == FOIL:
            foils[name] = foil_data(detector, run, rows)
            found = shifts_by_foil(foils[name]) if name not in left_out else ()
            applied = run.settings.foil == "apply" and not shifts
            shifts = found if applied else shifts
            notes += [foil_sentence(name, found, applied)] if found else []
            continue
        agreement[name] = "it is left out" if name in left_out else _agreement(run, pattern, detector, rows, counting)
        if isinstance(each := agreement[name], AnalogueAgreement) and each.disagrees:
            notes.append(each.sentence(name))
    notes += [f"Left out: {', '.join(left_out)}."] if left_out else []
    return AnalogueResults(run, tuple(pairs), left_out, counting, shifts, tuple(notes), agreement, foils)


def _agreement(
    run: RawRun, pattern: Pattern, detector: Detector, rows: BoxcarRows, counting: DwellRows
) -> AnalogueAgreement | str:
    if detector.name not in {each.name for each in run.detectors}:
        return "its slot is known to a table [detectors.NAME] alone"
    if detector.slot >= pattern.divider:
        return f"there is no slot {detector.slot}, they are 0 to {pattern.divider - 1}"
    slot = None
    if detector.kind == BOXCAR:
        slot = pattern.bin_of_slot[detector.slot] if pattern.bin_of_slot else detector.slot
    if slot == -1:
        return f"its slot {detector.slot} is in no bin"
    try:
        return agreement_with_counters(rows, counting, slot)
    except ReductionError as error:
        return str(error)


def _moved(energy: Array, rows: BoxcarRows, shifts: Sequence[EnergyShift]) -> BoxcarRows:
    """Signals with the passes moved as those of the counters."""
    if not shifts:
        return rows
    signal = rows.signal.copy()
    for number, index in enumerate(np.unique(rows.pass_index)):
        for row in np.flatnonzero(rows.pass_index == index):
            good = np.isfinite(signal[:, row])
            if good.sum() > 3:
                signal[good, row] = shifted(energy[good], signal[good, row], -shifts[number].value, coarse=True)[0]
    return replace(rows, signal=signal)
