"""Boxcar readings of a scan, stored beside the photon counts and reduced at the end of a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.boxcar.compare_chains import error_ratio, linearity
from reduction.boxcar.scan import BoxcarRows, BoxcarScan, boxcar_delay_scan, boxcar_fluence_scan, boxcar_spectrum
from reduction.counting.dwell import Dwell
from reduction.counting.kernels import EMPTY, OFF
from reduction.counting.rows import DwellRows
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS, boxcars_of
from reduction.errors import ReductionError
from reduction.settings import Settings

Array = NDArray[np.float64]

NOT_CLIPPED = (0, "Fine")
REDUCE = {ENERGY_AXIS: boxcar_spectrum, DELAY_AXIS: boxcar_delay_scan}


class BoxcarStore:
    """Readings of every boxcar of a set of passes, by pass, segment and point."""

    def __init__(self, num_points: int) -> None:
        self._points = num_points
        self._rows: dict[tuple[str, int], dict[str, Array]] = {}
        self._names: tuple[str, ...] = ()

    def use(self, descriptor: Mapping[str, Any]) -> None:
        """Find the boxcars of a stream in its descriptor."""
        self._names = boxcars_of(descriptor)

    def take(self, dwell: Dwell, data: Mapping[str, Any]) -> None:
        """Store the readings of one dwell; they replace those of an earlier attempt."""
        if not self._names:
            return
        row = self._rows.setdefault((dwell.pass_uid, dwell.segment), {})
        for name in self._names:
            readings = row.setdefault(name, np.full((4, self._points), np.nan))
            good = dwell.fault() is None and data.get(f"{name}_overload", 0) in NOT_CLIPPED
            value, error = float(data[name]), float(data[f"{name}_stddev"])
            readings[:, dwell.point] = (dwell.laser_on, value, error, dwell.flux) if good else np.nan

    def names(self) -> tuple[str, ...]:
        """Boxcars that have readings."""
        return tuple(dict.fromkeys(name for row in self._rows.values() for name in row))

    def rows(self, name: str, pass_uids: Sequence[str], out: NDArray[np.bool_], order: DwellRows) -> BoxcarRows:
        """Signals of one boxcar in the order of the counting rows.

        Parameters
        ----------
        pass_uids : sequence of str
            Uids of the passes, by their number in `order`.
        out : ndarray of bool, shape (N, R)
            Rejected dwells.
        order : DwellRows
        """
        count: dict[int, int] = {}
        segments: dict[str, list[int]] = {}
        for pass_uid, segment in self._rows:
            segments.setdefault(pass_uid, []).append(segment)
        state = np.full(order.state.shape, EMPTY, np.int8)
        signal, stddev = np.full(order.state.shape, np.nan), np.full(order.state.shape, np.nan)
        for row, number in enumerate(order.pass_index):
            nth = count[number] = count.get(number, -1) + 1
            mine = segments.get(pass_uids[number], [])
            if nth >= len(mine) or name not in self._rows[(pass_uids[number], mine[nth])]:
                continue
            laser, value, error, flux = self._rows[(pass_uids[number], mine[nth])][name]
            good = np.isfinite(value) & np.isfinite(flux) & ~out[:, row]
            state[good, row] = laser[good].astype(np.int8)
            signal[good, row], stddev[good, row] = -value[good] / flux[good], error[good] / flux[good]
        return BoxcarRows(order.pass_index, state, signal, stddev)


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
