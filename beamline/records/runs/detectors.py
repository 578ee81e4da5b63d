"""Results of each of several detectors in a reduced run, and their agreement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beamline.records.runs.newest import last_event
from beamline.records.runs.run import Document
from reduction.documents.detectors import COUNTER, FPGA
from reduction.documents.streams import DETECTORS_STREAM, stream_of

COMBINED = "combined"
"""Name of the combination of several detectors."""


@dataclass(frozen=True)
class DetectorResults:
    """Results of several detectors; all is empty where there is one counter alone.

    Attributes
    ----------
    each : mapping of str to mapping
        Data of the result of each counter, by its name.
    share : mapping of str to float
        Fraction of the combination that comes from each counter; 0 for one that is left out.
    sentence : str
        Whether they agree.
    agreement : mapping of str to (chi-square, degrees of freedom, p-value)
        By quantity: ``static``, or ``slot 0`` and so on; of an analogue detector with its name before it.
    analogue : mapping of str to mapping
        Data of each boxcar, transmission diode and foil of ``[detectors]``, by its name.
    """

    each: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    share: Mapping[str, float] = field(default_factory=dict)
    sentence: str = ""
    agreement: Mapping[str, tuple[float, int, float]] = field(default_factory=dict)
    analogue: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Shares and agreement in a line; empty where there is one counter alone."""
        if not self.share:
            return self.sentence
        parts = [f"{name} {100 * part:.0f} %" if part else f"{name} left out" for name, part in self.share.items()]
        return f"{', '.join(parts)}. {self.sentence}"

    def columns(self, *keys: str) -> dict[str, Any]:
        """Columns ``<key>_slot<n>_<detector>`` of all counters, where a slot has values, and their errors.

        Analogue detectors have ``transient_<detector>``, a foil ``absorbance_<detector>``. Without the laser each has
        ``static_<detector>``.
        """
        found: dict[str, Any] = {}
        for name, data in {**self.each, **self.analogue}.items():
            if "static" in data and "transient" not in data:
                found |= {f"static_{name}": data["static"], f"static_{name}_stddev": data["static_stddev"]}
        for name, data in self.each.items():
            for key in keys:
                for slot, values in enumerate(np.asarray(data.get(key, ()), dtype=np.float64)):
                    if np.isfinite(values).any():
                        found[f"{key}_slot{slot}_{name}"] = values
                        found[f"{key}_slot{slot}_{name}_stddev"] = np.asarray(data[f"{key}_stddev"])[slot]
        for name, data in self.analogue.items():
            for key in ("transient", "absorbance"):
                if key in data:
                    found |= {f"{key}_{name}": data[key], f"{key}_{name}_stddev": data[f"{key}_stddev"]}
        return found


def detector_results(documents: Iterable[tuple[str, Document]], stream: str) -> DetectorResults:
    """Results of the counters of a reduced run.

    Parameters
    ----------
    documents : iterable of (name, document)
    stream : str
        That of the result: ``spectrum`` or ``trace``.
    """
    documents = list(documents)
    analogue = _analogue(documents)
    about = last_event(documents, DETECTORS_STREAM)
    sentences = [str(data["sentence"]) for data in analogue.values() if int(data.get("compared", 0))]
    if about is None:
        return DetectorResults(sentence=" ".join(sentences), agreement=_of_analogue(analogue), analogue=analogue)
    names = json.loads(str(about["detectors"]))
    results = {name: last_event(documents, stream_of(stream, name)) for name in names}
    return DetectorResults(
        {name: data for name, data in results.items() if data is not None},
        dict(zip(names, np.asarray(about["share"], dtype=np.float64).tolist(), strict=True)),
        " ".join([str(about["sentence"]), *sentences]),
        {**_agreement(about), **_of_analogue(analogue)},
        analogue,
    )


def _agreement(data: Mapping[str, Any], key: str = "", name: str = "") -> dict[str, tuple[float, int, float]]:
    """Chi-square, degrees of freedom and p-value by quantity; empty where nothing is compared."""
    if not int(data.get("compared", 0)):
        return {}
    columns = (np.asarray(data[f"{key}{column}"]).tolist() for column in ("chi_square", "freedom", "p_value"))
    quantities = (f"{name} {quantity}".strip() for quantity in json.loads(str(data["quantities"])))
    return dict(zip(quantities, zip(*columns, strict=True), strict=True))


def _of_analogue(analogue: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[float, int, float]]:
    found: dict[str, tuple[float, int, float]] = {}
    for name, data in analogue.items():
        found |= _agreement(data, "agreement_", name)
    return found


def _analogue(documents: list[tuple[str, Document]]) -> dict[str, Mapping[str, Any]]:
    start = next((doc for name, doc in documents if name == "start"), {})
    names = [name for name, entry in (start.get("detectors") or {}).items() if entry.get("kind") != COUNTER]
    found = {name: last_event(documents, name) for name in names}
    return {name: data for name, data in found.items() if data is not None}


def detector_names(start: Mapping[str, Any]) -> list[str]:
    """Names of all detectors of a start document."""
    return list(start.get("detectors") or {}) or counter_names(start)


def counter_names(start: Mapping[str, Any]) -> list[str]:
    """Names of the counters of a start document."""
    entries = start.get("detectors") or {}
    return [name for name, entry in entries.items() if entry.get("kind") == COUNTER] or [FPGA.name]
