"""Assesses from its readings whether a completed dwell counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

GOOD = "good"
HITS_KEY, GATES_KEY = "{}_counts", "{}_gates"
"""Data keys of a photon counter by its name, one element a phase."""


@dataclass(frozen=True)
class Check:
    """Limits that a reading must meet for a dwell to be good.

    Attributes
    ----------
    key : str
        Data key of the reading, for example ``ring_current``.
    low, high : float
        Both included.
    reason : str
        Quality of a dwell outside the limits, for example ``beam lost``.
    laser_on_only, laser_off_only : bool
        Applies only to dwells with the laser on, or off.
    per : str
        Data key that the reading is divided by first, for example ``i0_time`` for a rate.
    needs_xrays : bool
        Does not apply to a run without X-rays.
    waits : float
        Beamline seconds between two counts while a scan waits for the reading to return within its limits; 0: no wait,
        the dwell is only retaken. For readings of counters, whatever the state of the laser.
    """

    key: str
    low: float
    high: float
    reason: str
    laser_on_only: bool = False
    laser_off_only: bool = False
    per: str = ""
    needs_xrays: bool = False
    waits: float = 0.0

    def applies_to(self, laser_on: bool) -> bool:
        """Whether the check applies to a dwell with the laser on, or off."""
        return not (self.laser_off_only if laser_on else self.laser_on_only)

    def passes(self, readings: Mapping[str, Any]) -> bool:
        """Whether the reading, which must exist, is within the limits; `assess` reports those that are not finite."""
        value = self.value(readings)
        return not isfinite(value) or bool(self.low <= value <= self.high)

    def value(self, readings: Mapping[str, Any]) -> Any:
        """The reading, over that of `per`; 0 where that is 0."""
        value = readings[self.key]
        if self.per:
            value = value / readings[self.per] if readings[self.per] else 0.0
        return value


def assess(
    readings: Mapping[str, Any], checks: tuple[Check, ...], laser_on: bool, counters: Sequence[str] = ("fpga",)
) -> str:
    """Quality of a dwell: ``good``, or the reasons why it is rejected, joined by ``; ``.

    Parameters
    ----------
    readings : mapping
        Data key to value. Every scalar number must be finite.
    checks : tuple of Check
    laser_on : bool
        Requested state of the laser.
    counters : sequence of str
        Names of the counters; those that have hits and gates are photon counters, one of which has to be usable.
    """
    reasons = [
        f"{key} is not a number"
        for key, value in readings.items()
        if isinstance(value, (float, np.floating)) and not isfinite(value)
    ]
    reasons += _faults_of_counts(readings, counters)
    for check in checks:
        if not check.applies_to(laser_on):
            continue
        missing = [key for key in (check.key, check.per) if key and readings.get(key) is None]
        if missing:
            reasons.append(f"{missing[0]} was not read")
        elif not check.passes(readings):
            reasons.append(check.reason)
    return "; ".join(reasons) or GOOD


def _faults_of_counts(readings: Mapping[str, Any], counters: Sequence[str]) -> list[str]:
    """Why the hits of all photon counters that were read are unusable."""
    keys = [(HITS_KEY.format(name), GATES_KEY.format(name)) for name in counters]
    faults = [_fault(readings[hits], readings[gates]) for hits, gates in keys if {hits, gates} <= readings.keys()]
    return list(dict.fromkeys(faults)) if all(faults) else []


def _fault(hits: Any, gates: Any) -> str:
    """Why the hits of a counter are unusable; empty if they are not."""
    hits, gates = np.asarray(hits), np.asarray(gates)
    if not (gates > 0).any():
        return "no gate opened"
    return "saturated: a hit in every gate" if (hits >= gates).all() else ""
