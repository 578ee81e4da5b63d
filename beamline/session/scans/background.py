"""Results of a background run for the scans that reference it: photons per pulse without X-rays, dark rate of I0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beamline.records.journal import JournalError, damage, read, run_file
from beamline.records.runs.find import find
from beamline.records.runs.journal_runs import JournalRuns
from beamline.records.runs.run import RunError
from beamline.records.runs.search import runs_named
from plans.compilation.quality import GOOD
from reduction.counting.background import Background, measured_background
from reduction.counting.phases import Pattern
from reduction.documents.detectors import COUNTER, FPGA, LASER_PHASE
from reduction.documents.patterns import pattern_of

FPGA_ENTRY: Mapping[str, str] = {"kind": COUNTER, "device": FPGA.device}
"""Counter of a beamline without detectors."""

CONDITIONS = ("{counter}_gate_delay", "{counter}_gate_width", "{apd}_threshold", "{apd}_bias", "laser_fluence")
"""Readings that a background depends on, of a counter and of its APD."""
DETECTORS = ("{counter}_counts", "{apd}_bias", "i0")
"""Keys whose records tell which detectors were read."""
APD = "apd"
"""Device with threshold and bias of a counter that names none."""
OF_I0 = ("i0_dark", "i0_dark_gain")


class BackgroundError(ValueError):
    """A background run cannot be used; the message has the reason."""


def background_of_detectors(
    root: Path, uid: str, detectors: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Entry ``detectors`` of a start document, each counter with its own background of a run.

    Parameters
    ----------
    root, uid
        As for `background_settings`.
    detectors : mapping
        Entry ``detectors`` without backgrounds.

    Raises
    ------
    BackgroundError
        Also if a counter was not read in that run.
    """
    found = {}
    for name, entry in detectors.items():
        settings = background_settings(root, uid, entry) if entry["kind"] == COUNTER else {}
        found[name] = {**entry, **{key: value for key, value in settings.items() if key not in OF_I0}}
    return found


def background_settings(root: Path, uid: str, detector: Mapping[str, Any] = FPGA_ENTRY) -> dict[str, Any]:
    """Settings for the reduction from a background run.

    Good dwells are summed by bunch and slot, separately for laser off and on; mu = -ln(1 - k/n).

    Parameters
    ----------
    root : Path
        Data root of the journal.
    uid : str
        As of `background_uid`.
    detector : mapping
        Entry of a counter in start documents.

    Returns
    -------
    dict
        ``background_off``, ``background_on``, ``background_off_stddev``, ``background_on_stddev``: photons per pulse,
        one value per phase at ``background_laser_phase``; ``background_time``, ``background_conditions``,
        ``background_records``: when, with what gate, threshold and fluence, and with which detectors; ``i0_dark``:
        counts per second at ``i0_dark_gain``.

    Raises
    ------
    BackgroundError
        If it is not a background run, lacks good dwells with the laser on or off, or laser phase
        or gain of I0 changed in it.
    """
    documents = _documents(root, uid)
    start = documents[0][1]
    if start.get("plan_name") != "background_run":
        raise BackgroundError(f"background {uid} is a run of {start.get('plan_name')}, not of background_run")
    primary = {doc["uid"]: doc for name, doc in documents if name == "descriptor" and doc["name"] == "primary"}
    events = [doc["data"] for name, doc in documents if name == "event" and doc["descriptor"] in primary]
    good = [data for data in events if data["quality"] == GOOD]
    if not good:
        raise BackgroundError(f"background {uid} has no good dwell")
    names = {"counter": detector["device"], "apd": detector.get("apd") or APD}
    try:
        found = _background(pattern_of(next(iter(primary.values()))), good, names["counter"])
    except KeyError as error:
        raise BackgroundError(f"background {uid} has no {error}: it was taken without this counter") from error
    except ValueError as error:
        raise BackgroundError(f"background {uid}: {error}") from error
    keys = [key.format(**names) for key in CONDITIONS]
    conditions = {key: float(np.median([data[key] for data in good])) for key in keys if key in good[0]}
    return {
        **{f"background_{laser}": found.photons[on].tolist() for on, laser in enumerate(("off", "on"))},
        **{f"background_{laser}_stddev": found.stddev[on].tolist() for on, laser in enumerate(("off", "on"))},
        "background_laser_phase": found.laser_phase,
        "background_time": float(start["time"]),
        "background_conditions": [list(item) for item in conditions.items()],
        "background_records": _records(next(iter(primary.values())), names),
        **_dark(uid, good),
    }


def _records(descriptor: dict[str, Any], names: Mapping[str, str]) -> list[list[str]]:
    """Data key and record of each detector."""
    keys, wanted = descriptor["data_keys"], [key.format(**names) for key in DETECTORS]
    return [[key, str(keys[key]["source"])] for key in wanted if "source" in keys.get(key, {})]


def _background(pattern: Pattern, dwells: list[dict[str, Any]], counter: str) -> Background:
    arrays = (f"{counter}_counts", f"{counter}_gates")
    hits, gates = (np.array([data[key] for data in dwells], np.int64) for key in arrays)
    own = f"{counter}_{LASER_PHASE}"
    keys = ("laser_on", own if own in dwells[0] else LASER_PHASE)
    laser, phase = (np.array([data[key] for data in dwells], np.int64) for key in keys)
    return measured_background(pattern, hits, gates, laser == 1, phase)


def _dark(uid: str, dwells: list[dict[str, Any]]) -> dict[str, float]:
    """Dark rate of I0 and the gain that it was counted at."""
    gains = sorted({float(data["i0_gain"]) for data in dwells})
    if len(gains) > 1:
        raise BackgroundError(f"background {uid}: the gain of I0 changed from {gains[0]:g} to {gains[-1]:g} in it")
    seconds = sum(float(data["i0_time"]) for data in dwells)
    return {"i0_dark": sum(float(data["i0"]) for data in dwells) / seconds, "i0_dark_gain": gains[0]}


def background_uid(root: Path, name: str) -> str:
    """The whole uid of a background run.

    Parameters
    ----------
    root : Path
        Data root of the journal.
    name : str
        Uid of the run or of its ``scan_set``, or its beginning.

    Raises
    ------
    BackgroundError
        If there is no such run, or several.
    """
    try:
        runs = runs_named(JournalRuns(root), [str(name)])
        return find([run for run in runs if run.raw_uid is None], str(name)).runs[-1].uid
    except RunError as error:
        raise BackgroundError(f"background: {error} (in the journal of {root})") from error


def _documents(root: Path, uid: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        path = run_file(root, uid)
        if problem := damage(path):
            raise BackgroundError(f"background {uid} is {problem}; use an intact one, or measure a new one")
        return list(read(path))
    except JournalError as error:
        raise BackgroundError(f"background {uid}: {error}") from error
