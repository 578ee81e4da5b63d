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
from reduction.documents.results import DETECTORS_STREAM, stream_of

COMBINED = "combined"
"""Name of the combination of several detectors."""


@dataclass(frozen=True)
class DetectorResults:
    """Results of several detectors; all is empty where there is one counter.

    Attributes
    ----------
    each : mapping of str to mapping
        Data of the result of each counter, by its name.
    share : mapping of str to float
        Fraction of the combination that comes from each counter; 0 for one that is left out.
    sentence : str
        Whether they agree.
    agreement : mapping of str to (chi-square, degrees of freedom, p-value)
        By quantity: ``static``, or ``slot 0`` and so on.
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
        """Shares and agreement in a line; empty where there is one counter."""
        if not self.share:
            return ""
        parts = [f"{name} {100 * part:.0f} %" if part else f"{name} left out" for name, part in self.share.items()]
        return f"{', '.join(parts)}. {self.sentence}"

    def columns(self, *keys: str) -> dict[str, Any]:
        """Columns ``<key>_slot<n>_<detector>`` of all counters, where a slot has values, and their errors.

        Analogue detectors have ``transient_<detector>``, a foil ``absorbance_<detector>``.
        """
        found: dict[str, Any] = {}
        for name, data in self.each.items():
            for key in keys:
                for slot, values in enumerate(np.asarray(data[key], dtype=np.float64)):
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
    if about is None:
        return DetectorResults(analogue=analogue)
    names = json.loads(str(about["detectors"]))
    results = {name: last_event(documents, stream_of(stream, name)) for name in names}
    agreement = {}
    if int(about["compared"]):
        columns = (np.asarray(about[key]).tolist() for key in ("chi_square", "freedom", "p_value"))
        agreement = dict(zip(json.loads(str(about["quantities"])), zip(*columns, strict=True), strict=True))
    return DetectorResults(
        {name: data for name, data in results.items() if data is not None},
        dict(zip(names, np.asarray(about["share"], dtype=np.float64).tolist(), strict=True)),
        str(about["sentence"]),
        agreement,
        analogue,
    )


def _analogue(documents: list[tuple[str, Document]]) -> dict[str, Mapping[str, Any]]:
    start = next((doc for name, doc in documents if name == "start"), {})
    names = [name for name, entry in (start.get("detectors") or {}).items() if entry.get("kind") != COUNTER]
    found = {name: last_event(documents, name) for name in names}
    return {name: data for name, data in found.items() if data is not None}


def counter_names(start: Mapping[str, Any]) -> list[str]:
    """Names of the counters of a start document."""
    entries = start.get("detectors") or {}
    return [name for name, entry in entries.items() if entry.get("kind") == COUNTER] or [FPGA.name]
