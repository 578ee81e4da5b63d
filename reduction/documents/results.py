"""Results as documents: one reduced run for each raw pass, with streams such as `points` and `spectrum`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import event_model
import numpy as np

from reduction.counting.accumulate import PointUpdate
from reduction.counting.kernels import OFF, ON
from reduction.detectors.agreement import DetectorAgreement
from reduction.diagnostics.diagnostics import Diagnostics
from reduction.diagnostics.exclusions import Exclusions
from reduction.documents.covariances import OF_ALL
from reduction.documents.raw import AXES, DELAY_AXIS, FLUENCE_AXIS, RawRun
from reduction.documents.streams import RATE_UNITS
from reduction.imported.keys import MAP_COVARIANCE
from reduction.references.noise_spectrum import NONE, Variogram
from reduction.shots.sums import ShotCounts
from reduction.spectra.spectrum import Spectrum
from reduction.spectra.unpumped import NO_LASER, WITH_LASER
from reduction.traces.delay import DelayScan
from reduction.traces.fluence import FluenceScan
from reduction.traces.kinetics.fit import KineticFit

Publish = Callable[[str, Any], None]
ExitStatus = Literal["success", "abort", "fail"]
PROCEDURE = "counting"


def point_data(update: PointUpdate, axis: str, value: float, dwells: tuple[int, int]) -> dict[str, Any]:
    """One event of the stream `points`; `value` is that of the scanned axis."""
    stddev = np.sqrt(np.diagonal(update.covariance, axis1=1, axis2=2))
    return {
        "point_index": update.point,
        AXES[axis][0]: float(value),
        "fault": update.fault or "",
        "dwells_off": dwells[OFF],
        "dwells_on": dwells[ON],
        "bad_phases": update.bad_phases,
        "photons": update.photons,
        "photons_stddev": update.photons_stddev,
        "off": update.rate[OFF],
        "off_stddev": stddev[OFF],
        "on": update.rate[ON],
        "on_stddev": stddev[ON],
        "difference": update.difference,
        "difference_stddev": np.sqrt(np.diagonal(update.difference_covariance)),
        "difference_covariance": update.difference_covariance,
    }


def sweep_data(sweep: Mapping[str, Any], frames: Sequence[PointUpdate]) -> dict[str, Any]:
    """One event of the stream `sweeps`: means over the frames of a sweep, from its raw event and theirs."""
    seen = [each for each in frames if np.isfinite(each.photons).all()]
    photons, stddev = np.nan, np.nan
    if seen:
        photons = float(np.mean([each.photons for each in seen]))
        stddev = float(np.sqrt(np.sum([each.photons_stddev**2 for each in seen])) / (len(seen) * seen[0].photons.size))
    return {"segment": int(sweep["segment"]), "frames": len(seen), "photons": photons, "photons_stddev": stddev}


POINT_UNITS = {
    **dict(AXES.values()),
    **dict.fromkeys(("photons", "photons_stddev"), "photons per pulse"),
    **dict.fromkeys(("off", "off_stddev", "on", "on_stddev", "difference", "difference_stddev"), RATE_UNITS),
    "difference_covariance": f"({RATE_UNITS})^2",
}
SHOT_UNITS = {**POINT_UNITS, **dict.fromkeys(("height", "height_stddev"), "ADC units")}


def shot_data(counts: ShotCounts, agrees: bool) -> dict[str, Any]:
    """Shots of a dwell by phase, for an event of the stream `shots`, and whether hits and gates agree with the counter.

    A height is the mean of all shots of a phase; NaN where there are too few.
    """
    moments = counts.moments
    with np.errstate(invalid="ignore", divide="ignore"):
        stddev = np.sqrt(moments.variance() / moments.number)
    return {
        "hits": counts.hits,
        "gates": counts.gates,
        "height": moments.mean(),
        "height_stddev": stddev,
        "shots": counts.shots,
        "missing": counts.missing,
        "agrees": int(agrees),
    }


SPECTRUM_UNITS = {
    "energy": "keV",
    "drift_time": "s",
    "offset": RATE_UNITS,
    "integral": RATE_UNITS,
    "rate": RATE_UNITS,
    "rate_covariance": f"({RATE_UNITS})^2",
    **dict.fromkeys(
        (
            "static", "static_stddev", "on", "on_stddev", "off", "off_stddev",
            "transient", "transient_stddev",
        ),
        "edge integrals",
    ),
    **dict.fromkeys(("transient_local", "transient_covariance", OF_ALL, MAP_COVARIANCE), "(edge integrals)^2"),
    "transient_factors": "edge integrals",
}  # fmt: skip


def spectrum_data(spectrum: Spectrum) -> dict[str, Any]:
    """The event of the stream `spectrum`; without the laser it has nothing of a transient."""
    lacks = WITH_LASER if spectrum.reference == NO_LASER else ()
    data = {field.name: getattr(spectrum, field.name) for field in fields(spectrum) if field.name not in lacks}
    data["used"] = spectrum.used.astype(np.int64)
    return data


RELATIVE_UNITS = "fraction of the laser-off signal"


def trace_data(trace: DelayScan | FluenceScan) -> dict[str, Any]:
    """The event of the stream `trace`."""
    key = DELAY_AXIS if isinstance(trace, DelayScan) else FLUENCE_AXIS
    data = {field.name: getattr(trace, field.name) for field in fields(trace)}
    return {key: data.pop("delay" if key == DELAY_AXIS else "fluence"), **data}


def trace_units(trace: DelayScan | FluenceScan) -> dict[str, str]:
    """Units of the stream `trace`: the paper's delay scans are not relative to the laser-off signal."""
    absolute = isinstance(trace, DelayScan) and trace.procedure == "paper"
    scaled = isinstance(trace, FluenceScan) and trace.procedure == "paper"
    transient = RATE_UNITS if absolute else RELATIVE_UNITS
    return {
        **dict(AXES.values()),
        **dict.fromkeys(("transient", "transient_stddev", "offset", "offset_stddev"), transient),
        "transient_covariance": f"({transient})^2",
        **dict.fromkeys(("on", "on_stddev", "off", "off_stddev"), RELATIVE_UNITS if scaled else RATE_UNITS),
    }


def fit_data(fit: KineticFit | None, why_not: str) -> dict[str, Any]:
    """The event of the stream `kinetics`; `why_not` is the reason if there is no fit."""
    if fit is None:
        return {"fitted": 0, "notes": why_not}
    data = {field.name: getattr(fit, field.name) for field in fields(fit)}
    return {"fitted": 1, **data, "levels": np.array(fit.levels), "notes": " ".join(fit.notes)}


FIT_UNITS = dict.fromkeys(
    ("lifetimes", "lifetimes_stddev", "intervals", "sigma", "sigma_stddev", "time_zero", "time_zero_stddev"), "ps"
)


RATIO_COLUMNS = ("ratio", "low", "high", "dof", "p_value")
"""Attributes of a `VarianceRatio` by their column in the stream `honesty`."""
TREND_COLUMNS = ("change", "stddev", "p_value")


def diagnostics_data(found: Diagnostics | None, why_not: str) -> dict[str, Any]:
    """The event of the stream `honesty`, with columns as in `RATIO_COLUMNS` and `TREND_COLUMNS`.

    `why_not` is the reason if there are no diagnostics.
    """
    if found is None:
        return {"passes": 0, "sentences": why_not}
    data: dict[str, Any] = {"passes": found.passes, "sentences": " ".join(found.sentences)}
    for name in ("scatter", "halves"):
        data[name] = np.array([[getattr(each, key) for key in RATIO_COLUMNS] for each in getattr(found, name)])
    for name in ("off_off", "permuted"):
        data[name] = np.array([getattr(getattr(found, name), key) for key in RATIO_COLUMNS])
    for name in ("edge_step", "shape", "reference", "transient"):
        data[f"{name}_trend"] = np.array([getattr(getattr(found, name), key) for key in TREND_COLUMNS])
    for name in ("area_removed", "offset_removed", "own_offset"):
        data[name], data[f"{name}_stddev"] = getattr(found, name), getattr(found, f"{name}_stddev")
    return data


def variogram_data(found: Variogram) -> dict[str, Any]:
    """Noise of the dwells by the time between them, a part of the stream `honesty`."""
    return {"noise_lag": found.lag, "noise_variance": found.variance, "noise_variance_stddev": found.stddev}


def variogram_of(data: Mapping[str, Any]) -> Variogram:
    """Read it from an event of the stream `honesty`."""
    return Variogram(*(np.asarray(data[key]) for key in variogram_data(NONE)))


def detectors_data(
    shares: Mapping[str, float], found: DetectorAgreement | None, left_out: Sequence[str], failures: Mapping[str, str]
) -> dict[str, Any]:
    """The event of the stream `detectors`: names as JSON lists, and the chi-square of each quantity.

    Parameters
    ----------
    shares : mapping of str to float
        Fraction of the combination that comes from each counter.
    found : DetectorAgreement or None
    left_out : sequence of str
    failures : mapping of str to str
        Why a counter has no result of its own.
    """
    data = {
        "detectors": json.dumps(list(shares)),
        "share": np.array(list(shares.values())),
        "left_out": json.dumps(list(left_out)),
        "failures": json.dumps(dict(failures)),
        "compared": int(found is not None),
    }
    if found is None:
        return {**data, "sentence": "The counters are not compared: fewer than two have the whole grid."}
    return {
        **data,
        "quantities": json.dumps(list(found.quantities)),
        "chi_square": found.chi_square,
        "freedom": found.freedom,
        "p_value": found.p_value,
        "disagrees": found.disagrees,
        "sentence": found.sentence,
    }


def exclusions_data(exclusions: Exclusions, pass_uids: Sequence[str]) -> dict[str, Any]:
    """The event of the stream `ledger`: exclusions of these passes, as JSON."""
    decided = [entry for entry in exclusions.to_list() if entry["scan"] in pass_uids]
    seen = [entry for entry in exclusions.seen_to_list() if entry["scan"] in pass_uids]
    return {"decisions": json.dumps(decided), "seen": json.dumps(seen), "num_decisions": len(decided)}


class ReducedRun:
    """Composes the documents of one reduced run and calls `publish` with each.

    Parameters
    ----------
    publish : callable
        Called with (name, document).
    run : RawRun
        The raw run that is reduced.
    accumulates : list of str
        Uids of the earlier raw runs that are in the sums.
    """

    def __init__(self, publish: Publish, run: RawRun, accumulates: list[str], code: Mapping[str, str]) -> None:
        self._publish = publish
        self._bundle = event_model.compose_run(
            metadata={
                **run.about,
                "plan_name": "reduction",
                "analysis_of": run.uid,
                "accumulates": accumulates,
                "procedure": PROCEDURE,
                "settings": run.settings.to_mapping(),
                "settings_hash": run.settings.digest(),
                "grid": run.grid.tolist(),
                "versions": dict(code),
            },
            validate=False,
        )
        self._streams: dict[str, Any] = {}
        publish("start", self._bundle.start_doc)

    @property
    def uid(self) -> str:
        """Uid of the reduced run."""
        return self._bundle.start_doc["uid"]

    def event(self, stream: str, data: dict[str, Any], units: Mapping[str, str]) -> None:
        """Publish one event of a stream, and its descriptor before the first one."""
        if stream not in self._streams:
            keys = {key: _data_key(value, units.get(key)) for key, value in data.items()}
            self._streams[stream] = self._bundle.compose_descriptor(name=stream, data_keys=keys, validate=False)
            self._publish("descriptor", self._streams[stream].descriptor_doc)
        stamps = dict.fromkeys(data, 0.0)
        self._publish("event", self._streams[stream].compose_event(data=data, timestamps=stamps, validate=False))

    def stop(self, exit_status: ExitStatus, reason: str = "") -> None:
        """Publish the stop document."""
        self._publish("stop", self._bundle.compose_stop(exit_status=exit_status, reason=reason, validate=False))


def _data_key(value: Any, units: str | None) -> dict[str, Any]:
    if isinstance(value, str):
        key: dict[str, Any] = {"dtype": "string", "dtype_numpy": f"<U{max(200, len(value))}", "shape": []}
    elif isinstance(value, np.ndarray):
        key = {"dtype": "array", "dtype_numpy": value.dtype.str, "shape": list(value.shape)}
    elif isinstance(value, int):
        key = {"dtype": "integer", "dtype_numpy": "<i8", "shape": []}
    else:
        key = {"dtype": "number", "dtype_numpy": "<f8", "shape": []}
    key["source"] = "reduction"
    if units:
        key["units"] = units
    return key
