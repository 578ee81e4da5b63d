"""Boxcars, transmission diodes and foils of a scan, stored beside the counts and reduced at the end of a pass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.boxcar.agreement import QUANTITIES, AnalogueAgreement
from reduction.boxcar.compare_chains import error_ratio, linearity
from reduction.boxcar.scan import (
    BoxcarRows,
    BoxcarScan,
    boxcar_delay_scan,
    boxcar_fluence_scan,
    boxcar_spectrum,
    static_spectrum,
)
from reduction.counting.dwell import Dwell
from reduction.counting.kernels import EMPTY, OFF
from reduction.counting.rows import DwellRows
from reduction.detectors.absorption import absorbance
from reduction.documents.detectors import BOXCAR, COUNTER, FOIL, TRANSMISSION, Detector, boxcars_of, current, of_kind
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, RawRun
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]

NOT_CLIPPED = (0, "Fine")
REDUCE = {ENERGY_AXIS: boxcar_spectrum, DELAY_AXIS: boxcar_delay_scan}


class AnalogueStore:
    """Readings of every analogue detector of a set of passes, by pass, segment and point."""

    def __init__(self, num_points: int) -> None:
        self._points = num_points
        self._rows: dict[tuple[str, int], dict[str, Array]] = {}
        self._read: tuple[Detector, ...] = ()
        self._all: dict[str, Detector] = {}

    def use(self, descriptor: Mapping[str, Any], detectors: Sequence[Detector] = ()) -> None:
        """Find the detectors of a stream: those of the start document; without any boxcar there, all in its keys."""
        named = tuple(each for each in detectors if each.kind != COUNTER)
        found = tuple(each for each in named if set(each.needed) <= set(descriptor["data_keys"]))
        self._read = found if of_kind(named, BOXCAR) else (*found, *boxcars_of(descriptor))
        self._all |= {each.name: each for each in self._read}

    def take(self, dwell: Dwell, data: Mapping[str, Any], bunch_rate: float) -> None:
        """Store the readings of one dwell; they replace those of an earlier attempt."""
        if not self._read:
            return
        row = self._rows.setdefault((dwell.pass_uid, dwell.segment), {})
        for each in self._read:
            readings = row.setdefault(each.name, np.full((4, self._points), np.nan))
            reading = _reading(each, data, bunch_rate)
            good = dwell.fault() is None and reading is not None
            readings[:, dwell.point] = (dwell.laser_on, *(reading or (0.0, 0.0)), dwell.flux) if good else np.nan

    def detectors(self) -> tuple[Detector, ...]:
        """Detectors that have readings."""
        names = dict.fromkeys(name for row in self._rows.values() for name in row)
        return tuple(self._all[name] for name in names)

    def rows(
        self, detector: Detector, pass_uids: Sequence[str], out: NDArray[np.bool_], order: DwellRows
    ) -> BoxcarRows:
        """Signals of one detector in the order of the counting rows.

        Parameters
        ----------
        pass_uids : sequence of str
            Uids of the passes, by their number in `order`.
        out : ndarray of bool, shape (N, R)
            Rejected dwells.
        order : DwellRows
        """
        laser, value, error, flux = self._in_order(detector.name, pass_uids, order)
        signal, stddev = -value / flux, error / flux
        if detector.kind == FOIL and (diode := next(iter(of_kind(self.detectors(), TRANSMISSION)), None)):
            flux = self._in_order(diode.name, pass_uids, order)[1]
        if detector.kind != BOXCAR:
            signal, stddev = absorbance(flux, value), np.zeros_like(flux)
        good = np.isfinite(signal) & ~out
        state = np.where(good, np.nan_to_num(laser, nan=EMPTY), EMPTY).astype(np.int8)
        return BoxcarRows(
            order.pass_index, state, np.where(good, signal, np.nan), np.where(good, stddev, np.nan)
        )  # fmt: skip

    def _in_order(self, name: str, pass_uids: Sequence[str], order: DwellRows) -> Array:
        """Laser state, value, error and flux of each dwell, shape (4, N, R); NaN where there is none."""
        count: dict[int, int] = {}
        segments: dict[str, list[int]] = {}
        for pass_uid, segment in self._rows:
            segments.setdefault(pass_uid, []).append(segment)
        found = np.full((4, *order.state.shape), np.nan)
        for row, number in enumerate(order.pass_index):
            nth = count[number] = count.get(number, -1) + 1
            mine = segments.get(pass_uids[number], [])
            if nth < len(mine) and name in self._rows[(pass_uids[number], mine[nth])]:
                found[:, :, row] = self._rows[(pass_uids[number], mine[nth])][name]
        return found


def _reading(detector: Detector, data: Mapping[str, Any], bunch_rate: float) -> tuple[float, float] | None:
    """Value of a detector in one dwell and its error: volts, or current per pulse at unit gain; None if unusable."""
    if detector.kind == BOXCAR:
        if data.get(detector.key("overload"), 0) not in NOT_CLIPPED:
            return None
        return float(data[detector.key("value")]), float(data[detector.key("stddev")])
    counts, time, gain, dark = (float(data[detector.key(name)]) for name in ("counts", "time", "gain", "dark"))
    if not (time > 0 and gain > 0):
        return None
    return current(counts, time, gain, dark) / bunch_rate, 0.0


def analogue_data(
    detector: Detector, run: RawRun, rows: BoxcarRows, counting: DwellRows, counted: tuple[Array, Array]
) -> dict[str, Any]:
    """The event of the stream of a boxcar or a transmission diode.

    Parameters
    ----------
    counted : (ndarray, ndarray), shape (N,)
        Static signal and error of the first slot's transient by counting.
    """
    if not run.pumped:
        return _without_laser(run, rows)
    if detector.kind == BOXCAR:
        return boxcar_data(run.axis, run.grid, rows, counting, counted, run.settings)
    try:
        scan = reduce_boxcar(run.axis, run.grid, rows, run.settings)
    except ReductionError as error:
        return {"pairs": 0, "notes": str(error)}
    data = {field.name: getattr(scan, field.name) for field in fields(scan)}
    note = (
        f"Absorbance ln(I0/I); errors are standard errors of {scan.pairs} pairs:"
        f" Student t with {scan.freedom} degrees of freedom."
    )
    return {**data, "notes": note}


def agreement_data(name: str, found: AnalogueAgreement | str) -> dict[str, Any]:
    """Entries of the stream of an analogue detector about its agreement with the counters, or why there are none."""
    if isinstance(found, str):
        return {"compared": 0, "sentence": f"{name} is not compared with the counters: {found}."}
    return {
        "compared": 1,
        "quantities": json.dumps(list(QUANTITIES[: found.p_value.size])),
        "agreement_chi_square": found.chi_square,
        "agreement_freedom": found.freedom,
        "agreement_p_value": found.p_value,
        "sentence": found.sentence(name),
    }


def _without_laser(run: RawRun, rows: BoxcarRows) -> dict[str, Any]:
    """Static spectrum of a scan without the laser."""
    try:
        scan = static_spectrum(run.grid, rows, run.settings)
    except ReductionError as error:
        return {"pairs": 0, "notes": str(error)}
    names = [field.name for field in fields(scan) if not field.name.startswith("transient")]
    note = f"Errors are standard errors of {scan.pairs} dwells: Student t with {scan.freedom} degrees of freedom."
    return {**{name: getattr(scan, name) for name in names}, "notes": note}


def reduce_boxcar(axis: str, grid: Array, rows: BoxcarRows, settings: Settings) -> BoxcarScan:
    """A scan over energy, delay or fluence by one boxcar.

    Raises
    ------
    reduction.spectra.normalise.ReductionError
    """
    return REDUCE.get(axis, boxcar_fluence_scan)(grid, rows, settings)


def boxcar_data(
    axis: str, grid: Array, rows: BoxcarRows, counting: DwellRows, counted: tuple[Array, Array], settings: Settings
) -> dict[str, Any]:
    """The event of a boxcar's stream: its scan, and the comparison with counting.

    Parameters
    ----------
    counted : (ndarray, ndarray), shape (N,)
        Static signal and error of the first slot's transient by counting.
    """
    try:
        scan = reduce_boxcar(axis, grid, rows, settings)
    except ReductionError as error:
        return {"pairs": 0, "notes": str(error)}
    data = {field.name: getattr(scan, field.name) for field in fields(scan)}
    notes = [f"Errors are standard errors of {scan.pairs} pairs: Student t with {scan.freedom} degrees of freedom."]
    numbers = dict.fromkeys((*LINEARITY, *RATIO), float("nan"))
    for compare in (_linearity, _error_ratio):
        try:
            found, sentence = compare(rows, counting, counted, scan)
        except ValueError as problem:
            notes.append(f"Not compared with counting: {problem}.")
        else:
            numbers |= found
            notes.append(sentence)
    return {**data, **numbers, "notes": " ".join(notes)}


LINEARITY = {
    **{key: key for key in ("intercept", "intercept_stddev", "slope", "slope_stddev", "departure", "departure_stddev")},
    "chance": "p_value",
}
"""Data key to attribute of `Linearity`."""
RATIO = ("error_ratio", "error_ratio_low", "error_ratio_high")
COMPARED = {True: "counting is better", False: "the boxcar is better", None: "neither is significantly better"}


def _linearity(
    rows: BoxcarRows, counting: DwellRows, counted: tuple[Array, Array], scan: BoxcarScan
) -> tuple[dict[str, float], str]:
    """From the laser-off dwells, where all slots have the same rate."""
    off = (rows.state == OFF) & (counting.state == OFF)
    photons = np.where(off, counting.slot_mu.mean(axis=2), np.nan)
    volts = np.where(off, rows.signal * counting.flux, np.nan)
    noise = float(np.sqrt(np.mean(counting.slot_var[off]) / counting.num_slots)) if off.any() else 0.0
    found = linearity(photons, volts, noise)
    sentence = (
        f"Against counting: {1e3 * found.slope:.3g} mV a photon, departure from a line at the highest rate"
        f" {100 * found.departure:+.2f} +- {100 * found.departure_stddev:.2f} %"
    ) + ("." if found.linear else ": not linear.")
    return {key: float(getattr(found, LINEARITY[key])) for key in LINEARITY}, sentence


def _error_ratio(
    rows: BoxcarRows, counting: DwellRows, counted: tuple[Array, Array], scan: BoxcarScan
) -> tuple[dict[str, float], str]:
    static, error = counted
    by_boxcar = np.asarray(scan.transient_stddev / np.nanmean(scan.static))
    ratio = error_ratio(np.asarray(error / np.nanmean(static)), by_boxcar, scan.freedom)
    sentence = (
        f"Error over that of counting {ratio.ratio:.2f} (95 %: {ratio.low:.2f} to {ratio.high:.2f}):"
        f" {COMPARED[ratio.counting_is_better]} at this rate."
    )
    return {"error_ratio": ratio.ratio, "error_ratio_low": ratio.low, "error_ratio_high": ratio.high}, sentence
