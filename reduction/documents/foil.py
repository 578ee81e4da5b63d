"""Energies of the passes by a foil: the event of its stream, and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reduction.boxcar.scan import BoxcarRows
from reduction.detectors.absorption import FoilPass, foil_pass
from reduction.detectors.foil import mean_shift, shifts_of_passes
from reduction.documents.detectors import Detector
from reduction.documents.raw import ENERGY_AXIS, RawRun
from reduction.spectra.align import EnergyShift
from reduction.spectra.calibrate import E0

EV = 1e3


def foil_data(detector: Detector, run: RawRun, rows: BoxcarRows) -> dict[str, Any]:
    """The event of the stream of a foil: its absorbance in the last pass, and the shift of each pass, keV."""
    if run.axis != ENERGY_AXIS:
        return {"calibrated": 0, "notes": "A foil calibrates scans over the energy."}
    e0 = _e0(detector, run)
    passes = [
        foil_pass(run.grid, rows.signal[:, rows.pass_index == number], rows.state[:, rows.pass_index == number], e0)
        for number in np.unique(rows.pass_index)
    ]
    shifts = [(each.found.position, each.found.shift, each.found.stddev) if each.found else (np.nan,) * 3
              for each in passes]  # fmt: skip
    position, shift, stddev = np.array(shifts).T
    return {
        "calibrated": int(np.isfinite(shift).sum()),
        "axis": run.grid,
        "absorbance": passes[-1].absorbance,
        "absorbance_stddev": passes[-1].stddev,
        "e0": float(e0),
        "position": position,
        "shift": shift,
        "shift_stddev": stddev,
        "applied": 0,
        "notes": " ".join(_note(number, each) for number, each in enumerate(passes, 1)),
    }


def _e0(detector: Detector, run: RawRun) -> float:
    """Tabulated energy of the edge of a foil, keV; NaN if nobody knows it."""
    of_scan = run.about.get("absorption_edge", {}).get("e0", np.nan)
    return tabulated_e0(detector, str(run.about.get("edge")), of_scan)


def tabulated_e0(detector: Detector, edge: str, of_scan: float) -> float:
    """Tabulated energy of the edge of a foil, keV; NaN if nobody knows it.

    Parameters
    ----------
    detector : Detector
        The chamber behind the foil.
    edge : str
        Of the scan.
    of_scan : float
        E0 of the scan, keV: rounded to eV, and only as good as that.
    """
    if np.isfinite(detector.e0):
        return detector.e0
    return float(E0.get(detector.edge or edge, of_scan if detector.edge in ("", edge) else np.nan))


def shifts_by_foil(data: Mapping[str, Any]) -> tuple[EnergyShift, ...]:
    """Shift to add to the energies of each pass; empty if the foil calibrates none."""
    return shifts_of_passes(np.asarray(data["shift"]), np.asarray(data["shift_stddev"])) if data["calibrated"] else ()


def foil_sentence(name: str, shifts: Sequence[EnergyShift], applied: bool) -> str:
    """The shifts of the energies by a foil, for the notes of a result.

    Parameters
    ----------
    name : str
    shifts : sequence of EnergyShift
    applied : bool
        Whether the passes have been moved by them.
    """
    if applied:
        listed = ", ".join(f"{EV * shift.value:+.3f} +- {EV * shift.stddev:.3f}" for shift in shifts)
        return f"Energies are by the edge of the foil {name}: passes were moved by {listed} eV."
    mean = mean_shift(shifts)
    off = f"{-EV * mean.value:+.3f} +- {EV * mean.stddev:.3f} eV off"
    return f"By the edge of the foil {name} the energies are {off}; add {EV * mean.value:+.3f} eV (or set foil=apply)."


def _note(number: int, one: FoilPass) -> str:
    if one.found is None:
        return f"Pass {number} is not calibrated: {one.why_not}."
    return (
        f"Pass {number}: add {EV * one.found.shift:+.3f} +- {EV * one.found.stddev:.3f} eV to its energies"
        " by the edge of the foil."
    )
