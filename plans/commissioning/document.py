"""A finding as an event of the stream `finding`, and the labels of its counts."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from plans.commissioning.roles import Judged

STREAM = "finding"
LONGEST = 1000
"""Most characters of a text."""
CURVE = ("x", "y", "stddev", "fit_x", "fit")
LABELS = "finding_labels"
"""Data key of the labels of a count, as JSON."""


class _KnownReading:
    """A bluesky readable of values, with their units, that are known already."""

    parent = None
    hints: Mapping[str, Any] = {}

    def __init__(self, name: str, values: Mapping[str, tuple[Any, str]]) -> None:
        self.name, self._values, self._time = name, values, time.time()

    def read(self) -> OrderedDict[str, Any]:
        """Value and time stamp by data key."""
        return OrderedDict((key, {"value": value, "timestamp": self._time}) for key, (value, _) in self._values.items())

    def describe(self) -> OrderedDict[str, Any]:
        """Data keys."""
        return OrderedDict((key, _data_key(value, unit)) for key, (value, unit) in self._values.items())

    def read_configuration(self) -> OrderedDict[str, Any]:
        """Empty."""
        return OrderedDict()

    def describe_configuration(self) -> OrderedDict[str, Any]:
        """Empty."""
        return OrderedDict()


class FindingReading(_KnownReading):
    """One finding, and what became of it.

    Parameters
    ----------
    found : Judged
    outcome : str
        ``shown``, ``set``, or why it was not set.
    before : mapping of str to float
        Settings before, by name.
    """

    def __init__(self, found: Judged, outcome: str, before: Mapping[str, float]) -> None:
        curve = found.curve
        values: dict[str, tuple[Any, str]] = {
            "finding_name": (found.name, ""),
            "finding_value": (float(found.value), found.unit),
            "finding_stddev": (float(found.stddev), found.unit),
            "finding_unit": (found.unit, ""),
            "finding_verdict": (found.verdict, ""),
            "finding_reason": (found.reason, ""),
            "finding_outcome": (outcome, ""),
            "finding_settings": (json.dumps(dict(found.settings)), ""),
            "finding_before": (json.dumps(dict(before)), ""),
            "finding_numbers": (json.dumps({key: list(pair) for key, pair in found.numbers.items()}), ""),
            "finding_x_label": (curve.x_label, ""),
            "finding_y_label": (curve.y_label, ""),
            **{f"finding_curve_{key}": (_not_empty(getattr(curve, key)), "") for key in CURVE},
        }
        super().__init__("finding", values)


class LabelReading(_KnownReading):
    """What the judge of a finding has to know of a count beside the readings.

    Parameters
    ----------
    labels : mapping of str to float or str
    """

    def __init__(self, labels: Mapping[str, float | str]) -> None:
        super().__init__("finding_labels", {LABELS: (json.dumps(dict(labels)), "")})

    def __eq__(self, other: object) -> bool:
        """All are one object to a RunEngine, which wants the same objects in each event."""
        return isinstance(other, LabelReading)

    def __hash__(self) -> int:
        return hash(LabelReading)


def _not_empty(values: Any) -> np.ndarray:
    """An array of at least one element, which is NaN where there is none: catalogues have no empty arrays."""
    found = np.asarray(values, dtype=np.float64)
    return found if found.size else np.full(1, np.nan)


def _data_key(value: Any, unit: str) -> dict[str, Any]:
    key: dict[str, Any] = {"source": "finding", "dtype": "number", "dtype_numpy": "<f8", "shape": []}
    if isinstance(value, str):
        key |= {"dtype": "string", "dtype_numpy": f"<U{LONGEST}"}
    elif isinstance(value, np.ndarray):
        key |= {"dtype": "array", "shape": list(value.shape)}
    return key | ({"units": unit} if unit else {})
