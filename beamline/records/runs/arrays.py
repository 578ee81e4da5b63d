"""Results as `xarray.Dataset`: named axes, units, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from beamline.records.runs.analogue_arrays import with_analogue
from beamline.records.runs.detectors import COMBINED, DetectorResults, counter_names, detector_results
from beamline.records.runs.edge_step import edge_step_of
from beamline.records.runs.newest import NoResultError, last_event, newest_result, primary_descriptor, raw_runs
from beamline.records.runs.run import Document, known_slot_delays
from beamline.records.runs.search import runs_named
from beamline.records.runs.store import RunStore
from reduction.documents.covariances import covariance_of_slots, has_covariance
from reduction.documents.patterns import binned_pattern
from reduction.documents.raw import AXES, ENERGY_AXIS, pump_delay_of
from reduction.documents.streams import RATE_UNITS, STREAM_OF_AXIS

if TYPE_CHECKING:
    import xarray as xr

LASER = ("off", "on")
SPECTRA = ("on", "off", "transient")
ATTRIBUTES = (
    "edge", "sample", "pump_delay", "probe_energy", "pump_fluence", "mode", "reference", "procedure", "scan_set",
    "notes",
)  # fmt: skip
"""Attributes of a dataset, from the start document or the data of the result."""


def dataset(store: RunStore, name: str, *, edge_step: bool = False) -> xr.Dataset:
    """A result as a dataset.

    Parameters
    ----------
    store : RunStore
    name : str
        The uid of a run or scan set, a beginning of it, or ``last``; see `newest_result`.
    edge_step : bool
        Add the laser-off spectrum divided by its edge step (Larch's `pre_edge`): ``norm``.

    Returns
    -------
    xarray.Dataset
        Dimensions ``detector``, ``slot`` and ``energy`` (keV), ``laser_delay`` (ps) or ``laser_fluence`` (mJ/cm2);
        ``laser`` for dwells. Variables ``on``, ``off`` and ``transient``, of energy scans ``static`` (laser off), each
        with its standard deviation ``..._stddev``, and ``transient_covariance``. Units are in the attributes. A scan
        without the laser has ``static`` alone, and no ``slot``. With several detectors, ``detector`` is ``combined``
        (of the counters) and then each of them, with its ``kind``; a boxcar has the transient of its slot, a diode
        ``transient_mean`` (all slots), a foil ``absorbance`` and the ``energy_shift`` of each ``pass``. Their agreement
        is ``agreement_chi_square``, ``agreement_freedom`` and ``agreement_p_value`` by ``quantity``.

    Raises
    ------
    beamline.records.runs.store.RunError
        If there is no such run, it has no result, or `edge_step` is asked for a scan of another axis.
    reduction.errors.ReductionError
        If the edge step cannot be determined.
    """
    runs = runs_named(store, [name])
    run = newest_result(runs, name)
    raw = raw_runs(runs, run)
    documents = list(store.documents(run.uid))
    scanned = str(run.start.get("scan_axis", ENERGY_AXIS))
    stream = STREAM_OF_AXIS[scanned]
    data = last_event(documents, stream)
    if data is None:
        raise NoResultError(f"reduced run {run.uid[:8]} has a result that cannot be read; reduce it again")
    pattern = binned_pattern(primary_descriptor(store, raw[-1].uid), run.start)
    delays = known_slot_delays(run.start) or pattern.probe_delays(pump_delay_of(run.start))
    slot_delays = np.array(delays) if np.isfinite(data.get("transient", np.nan)).any() else np.empty(0)
    detectors = detector_results(documents, stream)
    events = {COMBINED: data, **detectors.each} if detectors.each else {counter_names(run.start)[0]: data}
    found = _as_dataset(events, _units(documents, stream), AXES[scanned], slot_delays)
    found.attrs = _attributes(run.start, data) | {"raw_runs": [each.uid for each in raw]}
    _add_agreement(found, detectors)
    if edge_step:
        if scanned != ENERGY_AXIS:
            raise NoResultError(f"run {run.uid[:8]} is a scan of {scanned}: only a spectrum has an edge step")
        _add_edge_step(found, run.start, events.values())
    return with_analogue(found, run.start, detectors.analogue, pattern) if detectors.analogue else found


def _units(documents: list[tuple[str, Document]], stream: str) -> dict[str, str]:
    keys: Mapping[str, Any] = next(
        (doc["data_keys"] for name, doc in documents if name == "descriptor" and doc["name"] == stream), {}
    )
    return {key: str(entry["units"]) for key, entry in keys.items() if entry.get("units")}


def _as_dataset(
    events: Mapping[str, Mapping[str, Any]], units: Mapping[str, str], axis: tuple[str, str], slot_delays: np.ndarray
) -> xr.Dataset:
    """Results by the name of their detector, the first of them that of the whole run."""
    import xarray as xr  # imported here: a session that is not asked for arrays starts faster

    x, unit = axis
    data = next(iter(events.values()))
    dims: dict[str, tuple[str, ...]] = {}
    if slot_delays.size:
        dims |= {f"{key}{end}": ("slot", x) for key in SPECTRA for end in ("", "_stddev")}
    dims |= {"static": (x,), "static_stddev": (x,)}
    variables: dict[str, Any] = {
        key: (
            ("detector", *names),
            np.stack([np.asarray(each[key], dtype=np.float64) for each in events.values()]),
            _unit_of(key, units),
        )
        for key, names in dims.items()
        if key in data
    }
    if slot_delays.size and has_covariance(data):
        covariances = np.stack([covariance_of_slots(each) for each in events.values()])
        unit_of = {"units": f"({units['transient']})^2"} if "transient" in units else {}
        variables["transient_covariance"] = (("detector", "slot", x, f"{x}_2"), covariances, unit_of)
    variables["dwells"] = (("laser", x), np.asarray(data["dwells"]))
    values = np.asarray(data[x], dtype=np.float64)
    coordinates: dict[str, Any] = {
        "detector": list(events),
        x: (x, values, {"units": unit}),
        "laser": list(LASER),
        "used": (x, np.asarray(data["used"]).astype(bool)),
    }
    if slot_delays.size:
        text = "time from the last pump to the probe"
        coordinates |= {
            "slot": np.arange(slot_delays.size),
            "slot_delay": ("slot", slot_delays, {"units": "ps", "long_name": text}),
            f"{x}_2": (f"{x}_2", values, {"units": unit}),
        }
    return xr.Dataset(variables, coordinates)


def _add_agreement(found: xr.Dataset, detectors: DetectorResults) -> None:
    """Add the chi-square of the agreement of several counters, and the share of each."""
    if detectors.text:
        found.attrs["detectors"] = detectors.text
    if not detectors.agreement:
        return
    found.coords["quantity"] = list(detectors.agreement)
    columns = zip(*detectors.agreement.values(), strict=True)
    for name, values in zip(("chi_square", "freedom", "p_value"), columns, strict=True):
        found[f"agreement_{name}"] = ("quantity", list(values))


def _unit_of(key: str, units: Mapping[str, str]) -> dict[str, str]:
    return {"units": units[key]} if key in units else {}


def _attributes(start: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    known = {"uid": start["uid"], **{key: start.get(key, data.get(key)) for key in ATTRIBUTES}}
    known |= {key: str(data[key]) for key in ("reference", "procedure", "notes") if key in data}
    return {key: value for key, value in known.items() if value not in (None, "")}


def _add_edge_step(found: xr.Dataset, start: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> None:
    """Add the laser-off spectrum by counting, mean of the slots, divided by its edge step."""
    steps = [edge_step_of(start, data) for data in events]
    for name in ("norm", "norm_stddev"):
        found[name] = (("detector", "energy"), np.stack([step[name] for step in steps]), {"units": "edge steps"})
    covariance = np.stack([step["norm_covariance"] for step in steps])
    found["norm_covariance"] = (("detector", "energy", "energy_2"), covariance, {"units": "(edge steps)^2"})
    for name in ("edge_step", "edge_step_stddev"):
        found[name] = (("detector",), [step[name] for step in steps], {"units": RATE_UNITS})
    found["norm"].attrs["method"] = steps[0]["method"]
