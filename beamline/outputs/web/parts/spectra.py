"""Spectra and transients by slot of an energy scan, traces of a delay or fluence scan, with their error bars."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from beamline.formatting import format_delay, printable
from beamline.outputs.live_figure.fit import RunningFit, running_fit, stored_fit
from beamline.outputs.live_figure.panels import shown_slots, slot_name
from beamline.outputs.live_figure.provisional import provisional_values
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.texts import normalisation_state
from beamline.outputs.web.parts.progress import LEVELS
from beamline.outputs.web.values import numbers, series
from reduction.counting.kernels import OFF, ON
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS

Array = NDArray[np.float64]
Values = tuple[Array, Array]
MOST_SLOTS = 5
LABELS = {
    "mono_energy": "X-ray energy / keV",
    "laser_delay": "pump-probe delay of slot 0 / ps",
    "laser_fluence": "laser fluence / (mJ/cm²)",
}
NAMES = {OFF: "laser off, slot 0", ON: "laser on, slot 0"}


def spectra(scan: LiveScan) -> dict[str, Any]:
    """The panels of the newest scan: static spectra or rates, and the difference on - off of each slot."""
    state = normalisation_state(scan)
    energies = scan.axis == ENERGY_AXIS
    normalised = energies and scan.spectrum is not None
    slots = shown_slots(scan.num_slots, MOST_SLOTS) if scan.num_slots and scan.pumped else []
    found = _energy_scan(scan) if energies else _trace(scan)
    return {
        "axis": scan.axis,
        "x_label": LABELS.get(scan.axis, scan.axis),
        "state": {"text": printable(state.text), "level": LEVELS[state.colour]},
        "static_label": "absorption / edge integral" if normalised else "rate / highest laser-off rate",
        "row_label": "laser on − off / %" if normalised else "(laser on − off) / off / %",
        "static": found[0],
        "rows": [{"name": _name(scan, slot), "slot": slot, "series": found[1](slot)} for slot in slots],
    }


def _name(scan: LiveScan, slot: int) -> str:
    if scan.axis == DELAY_AXIS:
        return "slot 0" if slot == 0 else f"slot {slot}, + {format_delay(float(scan.probe_delays[slot]))}"
    return ", ".join(slot_name(scan, slot).split("   "))


def _energy_scan(scan: LiveScan) -> tuple[list[dict[str, Any]], Any]:
    """Static series, and a function that gives those of a slot."""
    complete, now = _complete(scan), _provisional(scan)
    shown = [(complete, "complete" if scan.complete else "before"), (now, "now")]

    def static(laser: int) -> list[dict[str, Any]]:
        return [
            series(NAMES[laser], scan.energy, *_of_slot(values[laser], 0), look) for values, look in shown if values
        ]

    def of_slot(slot: int) -> list[dict[str, Any]]:
        found = [(*_of_slot(values["transient"], slot, 100.0), look) for values, look in shown if values]
        return [series("on − off", scan.energy, y, e, look) for y, e, look in found]

    return [*static(OFF), *(static(ON) if scan.pumped else [])], of_slot


def _of_slot(values: Values, slot: int, factor: float = 1.0) -> Values:
    return factor * np.asarray(values[0])[slot], factor * np.asarray(values[1])[slot]


def _complete(scan: LiveScan) -> dict[Any, Values]:
    """The last complete spectrum; empty without one."""
    data = scan.spectrum
    if data is None:
        return {}
    keys = {OFF: "off", ON: "on", "transient": "transient"}
    return {name: (np.asarray(data[key]), np.asarray(data[f"{key}_stddev"])) for name, key in keys.items()}


def _provisional(scan: LiveScan) -> dict[Any, Values]:
    """The pass under way; empty if it is complete, or cannot be shown on the scale of the last one."""
    unfit = scan.spectrum is not None and scan.normalisation is None
    if scan.complete or unfit or not scan.points:
        return {}
    found, transient = provisional_values(scan.points, scan.in_pass, scan.normalisation)
    return {**found, "transient": transient}


def _trace(scan: LiveScan) -> tuple[list[dict[str, Any]], Any]:
    """Rates of slot 0, and a function that gives the differences of a slot."""
    trace = scan.trace
    found, transient = _sums(scan)
    static = [series(NAMES[laser], scan.energy, *_of_slot(found[laser], 0), "complete") for laser in found]

    def of_slot(slot: int) -> list[dict[str, Any]]:
        made = []
        if trace is not None:
            values = np.asarray(trace["transient"]), np.asarray(trace["transient_stddev"])
            made.append((_of_slot(values, slot, 100.0), "complete" if scan.complete else "before"))
        if not scan.complete and transient is not None:
            made.append((_of_slot(transient, slot, 100.0), "now"))
        return [series("on − off", scan.energy, *values, look) for values, look in made]

    return static, of_slot


def _sums(scan: LiveScan) -> tuple[dict[int, Values], Values | None]:
    """Rates and differences relative to laser off, all passes so far."""
    if not scan.points:
        return {}, None
    return provisional_values(scan.points, np.ones(scan.energy.size, np.bool_), None)


class TraceFit:
    """The fit through slot 0 of a delay or fluence scan, made anew only if there is something new."""

    def __init__(self) -> None:
        self._fitted: object = None
        self._part: dict[str, Any] = {}

    def part(self, scan: LiveScan) -> dict[str, Any]:
        """Curve with its band, and a description; empty without one."""
        state = ((scan.start or {}).get("uid"), scan.reduced, scan.complete, bool(scan.kinetics))
        if state != self._fitted:
            self._fitted, self._part = state, _as_part(_fit(scan), scan)
        return self._part


def _fit(scan: LiveScan) -> RunningFit | None:
    _, transient = _sums(scan)
    if scan.axis == ENERGY_AXIS or transient is None:
        return None
    value, stddev, covariance = transient[0][0], transient[1][0], None
    trace = scan.trace if scan.complete else None
    if trace is not None:
        value, stddev = np.asarray(trace["transient"])[0], np.asarray(trace["transient_stddev"])[0]
        covariance = np.asarray(trace["transient_covariance"])[0]
        if scan.axis == DELAY_AXIS and (stored := stored_fit(scan.energy, scan.kinetics)) is not None:
            return stored
    return running_fit(scan.axis, scan.energy, value, stddev, trace is not None, covariance)


def _as_part(fit: RunningFit | None, scan: LiveScan) -> dict[str, Any]:
    if fit is None:
        return {}
    band = [numbers(100 * (fit.y + sign * fit.stddev)) for sign in (-1, 1)] if fit.stddev is not None else None
    so_far = "" if scan.trace is not None and scan.complete else " so far"
    return {"x": numbers(fit.x), "y": numbers(100 * fit.y), "band": band, "text": f"fit{so_far}: {fit.text}"}
