"""Bunch and laser pattern of a run, from the configuration in a descriptor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reduction.counting.phases import Pattern
from reduction.counting.slot_bins import in_one_bin, with_bins
from reduction.documents.detectors import COUNTER, Detector, detectors_of, of_kind
from reduction.documents.detectors import LASER_PHASE as PHASE_OF_EVENT
from reduction.documents.raw import (
    BUNCH_PLACES,
    CONFIGURATION_KEYS,
    DELAY_AXIS,
    EVENT_KEYS,
    IMPORTED,
    LASER_PHASE,
    RawRun,
    is_pumped,
)
from reduction.errors import DocumentError
from reduction.settings import Settings

UNKNOWN_RATE = 1.0
"""Bunch rate (Hz) of a scan without bunch timing: I0 then counts by the second, not by the pulse."""


def pattern_of(descriptor: Mapping[str, Any]) -> Pattern:
    """Bunch and laser pattern from the configuration in a descriptor.

    Raises
    ------
    DocumentError
        If the descriptor lacks it.
    """
    try:
        timing = _bunch_timing(descriptor)
        bunches, divider, rate = (timing[key] for key in CONFIGURATION_KEYS["timing"])
    except KeyError as error:
        raise DocumentError(f"descriptor {descriptor.get('uid')} lacks {error} of the bunch timing") from error
    try:
        pattern = Pattern(
            int(bunches), int(divider), int(timing.get(LASER_PHASE, 0)), float(rate), _bunch_positions(timing)
        )
    except ValueError as error:
        raise DocumentError(f"descriptor {descriptor['uid']}: {error}") from error
    if IMPORTED not in descriptor["configuration"]:
        _require_keys(descriptor, EVENT_KEYS)
    return pattern


def _require_keys(descriptor: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if not EVENT_KEYS[key] and key not in descriptor["data_keys"]:
            raise DocumentError(f"descriptor {descriptor['uid']} lacks the data key {key}")


def _bunch_timing(descriptor: Mapping[str, Any]) -> Mapping[str, Any]:
    """Configuration of the bunch timing, whatever the name of its device."""
    devices = descriptor["configuration"]
    key = CONFIGURATION_KEYS["timing"][0]
    found = next((device["data"] for device in devices.values() if key in device["data"]), None)
    return found if found is not None else devices["timing"]["data"]  # its KeyError is reported


def binned_pattern(descriptor: Mapping[str, Any], start: Mapping[str, Any]) -> Pattern:
    """Pattern of a run with its slots summed in bins, as the settings of a start document have it, raw or reduced.

    Raises
    ------
    DocumentError
        As `pattern_of`.
    ReductionError
        If there would be no bin, or too many.
    """
    if IMPORTED in start:  # of many slots only the covariance of each is kept
        return pattern_of(descriptor)
    settings = Settings.from_mapping(start["settings"])
    if not is_pumped(start):
        return in_one_bin(_unpumped_pattern(descriptor, detectors_of(start)))
    scans_delay = start.get("scan_axis") == DELAY_AXIS
    return with_bins(pattern_of(descriptor), settings, None if scans_delay else float(start["pump_delay"]))


def pattern_of_run(descriptor: Mapping[str, Any], run: RawRun) -> Pattern:
    """Pattern of a run with its slots summed in bins; without the laser all phases are one bin.

    Raises
    ------
    DocumentError
        As `pattern_of`.
    ReductionError
        If there would be no bin, or too many.
    """
    pattern = unbinned_pattern(descriptor, run)
    return with_bins(pattern, run.settings, run.pump_delay) if run.pumped else in_one_bin(pattern)


def unbinned_pattern(descriptor: Mapping[str, Any], run: RawRun) -> Pattern:
    """Pattern of a run with each slot by itself; without the laser it needs no bunch timing.

    Raises
    ------
    DocumentError
        As `pattern_of`.
    """
    return pattern_of(descriptor) if run.pumped else _unpumped_pattern(descriptor, run.detectors)


def _unpumped_pattern(descriptor: Mapping[str, Any], detectors: Sequence[Detector]) -> Pattern:
    """Without bunch timing each phase of the first counter is a bunch."""
    of_timing = CONFIGURATION_KEYS["timing"]
    if any(key in device["data"] for device in descriptor["configuration"].values() for key in of_timing):
        return pattern_of(descriptor)
    _require_keys(descriptor, EVENT_KEYS.keys() - {PHASE_OF_EVENT})
    keys = descriptor["data_keys"]
    if any(each.live_time and each.key("gates") in keys for each in of_kind(detectors, COUNTER)):
        return Pattern(1, 1, 0, UNKNOWN_RATE)
    gates = next((each.key("gates") for each in of_kind(detectors, COUNTER) if each.key("gates") in keys), None)
    if gates is None:
        raise DocumentError(f"descriptor {descriptor.get('uid')} has the counts of no counter")
    return Pattern(int(keys[gates]["shape"][0]), 1, 0, UNKNOWN_RATE)


def _bunch_positions(timing: Mapping[str, Any]) -> tuple[float, ...]:
    """Positions of the bunches; empty if they were not recorded.

    Raises
    ------
    ValueError
        If the record was empty.
    """
    if BUNCH_PLACES not in timing:
        return ()
    positions = tuple(float(position) for position in timing[BUNCH_PLACES])
    if not positions:
        raise ValueError(f"{BUNCH_PLACES} is empty: the fill pattern showed no bunch when the run began")
    return positions
