"""Spectra and transients by slot of an energy scan, traces of a delay or fluence scan, with their error bars."""

from __future__ import annotations

from typing import Any

import numpy as np

from beamline.formatting import format_delay, printable
from beamline.outputs.live_figure.fit import RunningFit
from beamline.outputs.live_figure.panels import shown_slots, slot_name
from beamline.outputs.live_figure.scan import LiveScan
from beamline.outputs.live_figure.shown import TraceFit, Values, pass_under_way, sums_so_far
from beamline.outputs.live_figure.texts import normalisation_state
from beamline.outputs.web.parts.progress import LEVELS
from beamline.outputs.web.values import numbers, series
from reduction.counting.kernels import OFF, ON
from reduction.documents.raw import DELAY_AXIS, ENERGY_AXIS

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
    found = pass_under_way(scan)
    return {**found[0], "transient": found[1]} if found is not None else {}


def _trace(scan: LiveScan) -> tuple[list[dict[str, Any]], Any]:
    """Rates of slot 0, and a function that gives the differences of a slot."""
    trace = scan.trace
    found, transient = sums_so_far(scan) or ({}, None)
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


class FitPart:
    """The fit through slot 0 of a delay or fluence scan, as a part of the page."""

    def __init__(self) -> None:
        self._fit = TraceFit()
        self._part: dict[str, Any] = {}

    def part(self, scan: LiveScan) -> dict[str, Any]:
        """Curve with its band, and a description; empty without one."""
        if self._fit.follow(scan):
            self._part = _as_part(self._fit.fit, self._fit.text)
        return self._part


def _as_part(fit: RunningFit | None, text: str) -> dict[str, Any]:
    if fit is None:
        return {}
    band = [numbers(100 * (fit.y + sign * fit.stddev)) for sign in (-1, 1)] if fit.stddev is not None else None
    return {"x": numbers(fit.x), "y": numbers(100 * fit.y), "band": band, "text": text}
